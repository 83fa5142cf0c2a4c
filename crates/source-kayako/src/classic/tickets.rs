//! Tickets: their list, and each of them with everything that hangs on it.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};
use deskferry_core::model::{CustomValues, Record};
use deskferry_core::source::{Cursor, Next, Page, Reject, Shard, Skip};
use deskferry_core::{Context, Error, ErrorKind, RecordKey, RecordKind, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::client::{Order, TICKETS, Tickets, is_absent, needed};
use super::convert::{self, Ends, File, Place};
use super::lists::Loaded;
use super::walk::Walk;
use super::xml::{Document, Row};
use super::{Classic, cursor, read_place, watermark};

/// How names of the shards of tickets begin.
pub(super) const PREFIX: &str = "ticket/";
/// So many tickets are one part of a read.
const PART: usize = 50;
/// What changed shortly before the last read may not have been shown to it.
const SAFETY_MINUTES: i64 = 5;

/// How far the list was read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Reading {
    #[serde(flatten)]
    walk: Walk,
    /// Departments are asked for one by one: this one by its place.
    department: Option<usize>,
    /// Of a read of changes: the first ticket of the first page.
    first: Option<u64>,
    /// The order by activity cannot be had: all tickets are looked at.
    all: bool,
}

impl Classic {
    pub(super) async fn tickets_page(
        &self,
        cx: &Context,
        shard: &Shard,
        after: Option<Cursor>,
    ) -> Result<Page> {
        let loaded = self.loaded(cx).await?;
        let reading: Reading = read_place(after).unwrap_or_default();
        let since = shard.scope.get("since").and_then(Value::as_str);
        let since = since.and_then(|at| DateTime::parse_from_rfc3339(at).ok());
        let since = since.map(|at| at.to_utc() - Duration::minutes(SAFETY_MINUTES));
        let all: Vec<u64> = loaded.desk.departments.keys().copied().collect();
        let asked = match reading.department {
            None => all.clone(),
            Some(place) => all.get(place).copied().into_iter().collect(),
        };
        let mut page = self.page_of(cx, Vec::new());
        if asked.is_empty() {
            if all.is_empty() {
                page.notes.push(
                    "the helpdesk shows no department with tickets: none were read".to_owned(),
                );
            }
            return Ok(page);
        }
        let order = match since {
            Some(_) if !reading.all => Order::Activity,
            _ => Order::Number,
        };
        let listed = self
            .client
            .tickets(cx, &asked, reading.walk.start, order)
            .await;
        let listed = match listed {
            Err(error) if is_absent(&error) => {
                return refused(&loaded, page, reading, &all, error);
            }
            listed => listed?,
        };
        needed(cx, "tickets", listed.rows.len() as f64 / TICKETS as f64);
        if let Some(what) = &listed.broken {
            page.notes.push(format!(
                "a page of the list of tickets is broken ({what}); the numbers in it were read all the same"
            ));
        }
        let begun = reading.walk.begun.or(listed.at);
        let (new, next) = match (order, since) {
            (Order::Activity, Some(since)) => changed(reading.clone(), &listed, since, &mut page),
            (_, since) => numbered(reading.clone(), &listed, since, &mut page)?,
        };
        let stamp = since.map(|_| begun.unwrap_or_else(|| cx.now()));
        for part in new.chunks(PART) {
            page.spawn.extend(shard_of(part, stamp)?);
        }
        let next = next.or_else(|| {
            // One department is over; the next one begins.
            let place = reading.department? + 1;
            (place < all.len()).then(|| Reading {
                department: Some(place),
                all: reading.all,
                ..Reading::default()
            })
        });
        page.next = match next {
            Some(mut next) => {
                next.walk.begun = begun;
                Next::More(cursor(&next)?)
            }
            None => Next::End(watermark(begun.unwrap_or_else(|| cx.now()))),
        };
        Ok(page)
    }

    /// One ticket of a part.
    pub(super) async fn ticket_page(
        &self,
        cx: &Context,
        shard: &Shard,
        after: Option<Cursor>,
    ) -> Result<Page> {
        let ids: Vec<u64> = serde_json::from_value(shard.scope.clone()).map_err(|error| {
            Error::new(
                ErrorKind::Mismatch,
                "read tickets",
                format!("shard {} names no tickets: {error}", shard.id),
            )
        })?;
        let index: usize = read_place(after).unwrap_or_default();
        let mut page = self.page_of(cx, Vec::new());
        let Some(id) = ids.get(index).copied() else {
            return Ok(page);
        };
        let loaded = self.loaded(cx).await?;
        let key = self.tenant.key(RecordKind::Conversation, id);
        match self.client.ticket(cx, id, key.clone()).await? {
            None => page.rejects.push(unread(
                id,
                "id",
                "vanished: it was listed, but gone when it was asked for",
                String::new(),
            )),
            Some(response) => match Document::parse(&response.body) {
                Err(defect) => {
                    let raw = String::from_utf8_lossy(&response.body).into_owned();
                    page.rejects
                        .push(unread(id, &defect.path, &defect.reason, raw));
                }
                Ok(document) => match document.rows("ticket").first() {
                    None => page.rejects.push(unread(
                        id,
                        "ticket",
                        "the answer holds no ticket",
                        document.root().raw(),
                    )),
                    Some(row) => self.ticket(cx, &loaded, id, *row, &mut page).await?,
                },
            },
        }
        page.complete.push(key);
        if index + 1 < ids.len() {
            page.next = Next::More(cursor(&(index + 1))?);
        }
        Ok(page)
    }

    async fn ticket(
        &self,
        cx: &Context,
        loaded: &Loaded,
        id: u64,
        row: Row<'_>,
        page: &mut Page,
    ) -> Result<()> {
        let key = self.tenant.key(RecordKind::Conversation, id);
        if let Err(defect) = row.whole_but("posts") {
            page.rejects
                .push(unread(id, &defect.path, &defect.reason, row.raw()));
            return Ok(());
        }
        let values = self.values(cx, loaded, id, &key, page).await?;
        let ends = self.ends(cx, loaded, row).await?;
        match convert::conversation(&self.tenant, &loaded.desk, row, ends, values) {
            Ok(conversation) => page.records.push(Record::from(conversation)),
            Err(defect) => {
                page.rejects
                    .push(unread(id, &defect.path, &defect.reason, row.raw()));
                return Ok(());
            }
        }
        if let Some(owner) = row.reference("ownerstaffid")
            && !loaded.desk.knows_staff(owner)
        {
            let name = row.text("ownerstaffname");
            let departed = convert::departed(&self.tenant, owner, name);
            page.records.push(Record::from(departed));
        }
        match row.child("posts") {
            Some(posts) => {
                let posts: Vec<Row<'_>> = posts.each("post").collect();
                self.timeline(cx, loaded, id, row, &posts, page).await
            }
            None => {
                let answer = self.client.posts(cx, id, key).await?;
                let posts = answer.document.rows("post");
                self.timeline(cx, loaded, id, row, &posts, page).await
            }
        }
    }

    async fn values(
        &self,
        cx: &Context,
        loaded: &Loaded,
        id: u64,
        key: &RecordKey,
        page: &mut Page,
    ) -> Result<CustomValues> {
        if loaded.values.is_empty() {
            return Ok(CustomValues::new());
        }
        match self.client.values(cx, id, key.clone()).await {
            Ok(None) => Ok(CustomValues::new()),
            Ok(Some(answer)) => {
                let groups = answer.document.rows("group");
                page.rejects.extend(convert::field_files(id, &groups));
                Ok(loaded.values.values(&groups))
            }
            Err(error) if error.kind() == ErrorKind::Decode => {
                page.rejects.push(Reject {
                    kind: RecordKind::Conversation,
                    id: Some(id.to_string()),
                    path: "customfields".to_owned(),
                    reason: format!(
                        "the custom values of ticket {id} cannot be read and are missing: {}",
                        error.message()
                    ),
                    raw: String::new(),
                });
                Ok(CustomValues::new())
            }
            Err(error) => Err(error),
        }
    }

    /// Who asks, and for which company.
    async fn ends(&self, cx: &Context, loaded: &Loaded, row: Row<'_>) -> Result<Ends> {
        let mut ends = Ends::default();
        if let Some(id) = row.reference("userid") {
            if self.is_there(cx, RecordKind::Contact, id).await? {
                ends.requester = Some(self.tenant.key(RecordKind::Contact, id));
            }
        } else if row.number("creator") == Some(1) {
            let staff = row
                .text("email")
                .and_then(|email| loaded.desk.staff_by_email(email));
            ends.requester = staff.map(|id| self.tenant.key(RecordKind::Agent, id));
        }
        if let Some(id) = row.reference("userorganizationid")
            && self.is_there(cx, RecordKind::Account, id).await?
        {
            ends.account = Some(self.tenant.key(RecordKind::Account, id));
        }
        Ok(ends)
    }

    async fn timeline(
        &self,
        cx: &Context,
        loaded: &Loaded,
        id: u64,
        ticket: Row<'_>,
        posts: &[Row<'_>],
        page: &mut Page,
    ) -> Result<()> {
        let has_files = posts
            .iter()
            .any(|post| post.number("hasattachments").is_none_or(|count| count > 0));
        let files = match has_files {
            true => self.files(cx, id, page).await?,
            false => Vec::new(),
        };
        let place = Place {
            tenant: &self.tenant,
            desk: &loaded.desk,
            ticket,
            id,
            files: &files,
        };
        let mut shown = BTreeSet::new();
        for row in posts {
            let customer = match row.reference("userid") {
                Some(user) if self.is_there(cx, RecordKind::Contact, user).await? => {
                    Some(self.tenant.key(RecordKind::Contact, user))
                }
                _ => None,
            };
            match convert::post(&place, *row, customer) {
                Ok((message, attachments)) => {
                    for attachment in attachments {
                        shown.insert(attachment.meta.key.clone());
                        page.records.push(Record::from(attachment));
                    }
                    page.records.push(Record::from(message));
                }
                Err(defect) => {
                    page.rejects
                        .push(super::lists::rejected(RecordKind::Message, *row, defect))
                }
            }
        }
        // Files whose post is not among these hang on the ticket itself.
        for file in &files {
            let record = file.record(&self.tenant, id, false);
            if !shown.contains(&record.meta.key) {
                page.records.push(Record::from(record));
            }
        }
        for row in ticket.each("note").chain(ticket.each("timetrack")) {
            match convert::note(&place, row) {
                Ok((message, skip)) => {
                    page.skips.extend(skip.map(|reason| Skip {
                        key: message.meta.key.clone(),
                        reason: reason.to_owned(),
                    }));
                    page.records.push(Record::from(message));
                }
                Err(defect) => {
                    page.rejects
                        .push(super::lists::rejected(RecordKind::Message, row, defect))
                }
            }
        }
        Ok(())
    }

    async fn files(&self, cx: &Context, id: u64, page: &mut Page) -> Result<Vec<File>> {
        let key = self.tenant.key(RecordKind::Conversation, id);
        let answer = match self.client.files(cx, id, key).await {
            Ok(Some(answer)) => answer,
            Ok(None) => return Ok(Vec::new()),
            Err(error) if is_absent(&error) || error.kind() == ErrorKind::Decode => {
                page.rejects.push(Reject {
                    kind: RecordKind::Attachment,
                    id: None,
                    path: "attachments".to_owned(),
                    reason: format!(
                        "the files of ticket {id} cannot be listed: {}",
                        error.message()
                    ),
                    raw: String::new(),
                });
                return Ok(Vec::new());
            }
            Err(error) => return Err(error),
        };
        let mut files = Vec::new();
        for row in answer.document.rows("attachment") {
            match File::read(row) {
                Ok(file) => files.push(file),
                Err(defect) => {
                    page.rejects
                        .push(super::lists::rejected(RecordKind::Attachment, row, defect))
                }
            }
        }
        Ok(files)
    }
}

/// A page by number. Of a read of changes only what was active since then is read.
fn numbered(
    reading: Reading,
    listed: &Tickets,
    since: Option<DateTime<Utc>>,
    page: &mut Page,
) -> Result<(Vec<u64>, Option<Reading>)> {
    let ids: Vec<u64> = listed.rows.iter().map(|(id, _)| *id).collect();
    let step = reading.walk.clone().advance(&ids)?;
    if step.lost {
        page.notes.push("tickets left the list faster than it could be read; some may be missing: read again before the cut-over".to_owned());
    }
    let active = |id: &u64| {
        let row = listed.rows.iter().find(|(known, _)| known == id);
        row.and_then(|(_, at)| *at)
    };
    let is_new = |id: &u64| since.is_none_or(|since| active(id).is_none_or(|at| at >= since));
    let new = step.new.into_iter().filter(is_new).collect();
    let next = step.next.map(|walk| Reading { walk, ..reading });
    Ok((new, next))
}

/// A page by activity, latest first: it ends with the first ticket that rested since.
fn changed(
    mut reading: Reading,
    listed: &Tickets,
    since: DateTime<Utc>,
    page: &mut Page,
) -> (Vec<u64>, Option<Reading>) {
    let times: Vec<DateTime<Utc>> = listed.rows.iter().filter_map(|(_, at)| *at).collect();
    let in_order = times.len() == listed.rows.len() && times.is_sorted_by(|a, b| a >= b);
    let first = listed.rows.first().map(|(id, _)| *id);
    let repeats = reading.walk.start > 0 && first.is_some() && first == reading.first;
    if !in_order || repeats {
        page.notes.push("the helpdesk does not list tickets by their last activity: all of them are looked at for changes".to_owned());
        let whole = Reading {
            all: true,
            department: reading.department,
            ..Reading::default()
        };
        return (Vec::new(), Some(whole));
    }
    let rows = listed.rows.iter();
    let new: Vec<u64> = rows
        .take_while(|(_, at)| at.is_some_and(|at| at >= since))
        .map(|(id, _)| *id)
        .collect();
    let goes_on = new.len() == listed.rows.len() && new.len() as u64 >= TICKETS;
    reading.first = reading.first.or(first);
    // One row again: one that left would otherwise hide another.
    reading.walk.start += (listed.rows.len() as u64).saturating_sub(1);
    (new, goes_on.then_some(reading))
}

/// The list was refused. If several departments were asked for, one of them may be what the key must not see: each is asked for
/// alone. One that is refused alone is named.
fn refused(
    loaded: &Loaded,
    mut page: Page,
    reading: Reading,
    all: &[u64],
    error: Error,
) -> Result<Page> {
    let Some(place) = reading.department else {
        if all.len() < 2 || reading.walk != Walk::default() {
            return Err(error);
        }
        let each = Reading {
            department: Some(0),
            ..Reading::default()
        };
        page.next = Next::More(cursor(&each)?);
        return Ok(page);
    };
    let id = all.get(place).copied().unwrap_or_default();
    let title = loaded.desk.departments.get(&id);
    let title = title.map_or("", String::as_str);
    let what = format!(
        "department {id} ({title}) may not be read: {}",
        error.message()
    );
    page.rejects.push(Reject {
        kind: RecordKind::Conversation,
        id: None,
        path: "departmentid".to_owned(),
        reason: format!("forbidden: {what}; its tickets are missing"),
        raw: String::new(),
    });
    page.notes.push(format!("{what}; its tickets are missing"));
    if place + 1 < all.len() {
        let next = Reading {
            department: Some(place + 1),
            all: reading.all,
            ..Reading::default()
        };
        page.next = Next::More(cursor(&next)?);
    }
    Ok(page)
}

/// The shard that reads these tickets. `stamp` tells a later reading of the same tickets from the first one.
fn shard_of(ids: &[u64], stamp: Option<DateTime<Utc>>) -> Result<Option<Shard>> {
    let Some(first) = ids.first() else {
        return Ok(None);
    };
    let name = match stamp {
        None => format!("{PREFIX}{first}"),
        Some(stamp) => {
            let last = ids.last().unwrap_or(first);
            format!("{PREFIX}{first}+{last}+{}@{}", ids.len(), stamp.timestamp())
        }
    };
    let scope = serde_json::to_value(ids)
        .map_err(|error| Error::bug("write down a shard", error.to_string()))?;
    let yields = [
        RecordKind::Conversation,
        RecordKind::Message,
        RecordKind::Attachment,
        RecordKind::Agent,
    ];
    Ok(Some(
        Shard::new(name, yields)
            .needing([RecordKind::Agent, RecordKind::Contact])
            .scoped(scope),
    ))
}

/// A ticket that could not become a conversation.
fn unread(id: u64, path: &str, reason: &str, raw: String) -> Reject {
    Reject {
        kind: RecordKind::Conversation,
        id: Some(id.to_string()),
        path: path.to_owned(),
        reason: reason.to_owned(),
        raw,
    }
}
