//! What was said in conversations: messages, then notes, conversation by conversation, with their files beside them.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use deskferry_core::model::Record;
use deskferry_core::source::{Cursor, Next, Page, Reject, Shard, Skip};
use deskferry_core::{Context, Error, ErrorKind, RecordKey, RecordKind, Result, Tenant};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};

use super::lists::Loaded;
use super::{Kustomer, cursor, id_of, read_place, watermark};
use crate::client::{List, Listed};
use crate::config::MailBodies;
use crate::convert::{self, Converted, MailBody};
use crate::wire::{Raw, Row};

/// How names of these shards begin.
pub(super) const PREFIX: &str = "entries/";
/// How many conversations a shard reads.
pub(super) const CONVERSATIONS: usize = 100;
/// Records behind mails are asked for so many at once.
const MAILS_AT_ONCE: usize = 6;
/// So many mails in a row whose record is refused are no exception: the key may not read it, or it has another shape.
const DENIALS: u32 = 20;

/// A conversation whose entries are to be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Scoped {
    pub(super) id: String,
    /// How many messages and notes it has; unknown where that is not said.
    #[serde(default)]
    pub(super) messages: Option<u64>,
    #[serde(default)]
    pub(super) notes: Option<u64>,
    /// When it was changed last: a later reading of it is a shard of its own.
    pub(super) updated: i64,
}

impl Scoped {
    /// Whether nothing was said in it.
    pub(super) fn is_silent(&self) -> bool {
        self.messages == Some(0) && self.notes == Some(0)
    }
}

/// The shard that reads the entries of these conversations.
pub(super) fn shard(conversations: &[Scoped]) -> Result<Option<Shard>> {
    let Some(first) = conversations.first() else {
        return Ok(None);
    };
    let name = format!(
        "{PREFIX}{}@{}+{}",
        first.id,
        first.updated,
        conversations.len()
    );
    let scope = serde_json::to_value(conversations)
        .map_err(|error| Error::bug("write down a shard", error.to_string()))?;
    // Agents only where an entry names one that no list had.
    let yields = [
        RecordKind::Message,
        RecordKind::Attachment,
        RecordKind::Agent,
    ];
    Ok(Some(
        Shard::new(name, yields)
            .needing([RecordKind::Agent])
            .scoped(scope),
    ))
}

/// How far the entries were read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Reading {
    /// The conversation that is being read, by its place in the shard.
    index: usize,
    /// Whether its messages are read, and its notes are next.
    notes: bool,
    /// The next page.
    next: Option<String>,
    /// How many were received.
    read: u64,
}

impl Reading {
    /// The next list of a conversation that may have something.
    fn settle(mut self, conversations: &[Scoped]) -> Option<Self> {
        while let Some(one) = conversations.get(self.index) {
            let told = if self.notes { one.notes } else { one.messages };
            if self.next.is_some() || told != Some(0) {
                return Some(self);
            }
            self = self.following();
        }
        None
    }

    fn following(&self) -> Self {
        Self {
            index: self.index + usize::from(self.notes),
            notes: !self.notes,
            ..Self::default()
        }
    }
}

impl Kustomer {
    pub(super) async fn entries_page(
        &self,
        cx: &Context,
        shard: &Shard,
        after: Option<Cursor>,
    ) -> Result<Page> {
        let conversations: Vec<Scoped> =
            serde_json::from_value(shard.scope.clone()).map_err(|error| {
                Error::new(
                    ErrorKind::Mismatch,
                    "read what was said in conversations",
                    format!("shard {} names no conversations: {error}", shard.id),
                )
            })?;
        let mut page = Page::new(Vec::new(), Next::End(watermark(cx.now())));
        let reading: Reading = read_place(after).unwrap_or_default();
        let Some(reading) = reading.settle(&conversations) else {
            return Ok(page);
        };
        let Some(scoped) = conversations.get(reading.index) else {
            return Ok(page);
        };
        let tenant = self.tenant(cx).await?;
        let key = tenant.key(RecordKind::Conversation, &scoped.id);
        let list = if reading.notes {
            List::Notes(&scoped.id, &key)
        } else {
            List::Messages(&scoped.id, &key)
        };
        let more = match self.client.list(cx, list, reading.next.as_deref()).await {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Forbidden) => {
                unread(&mut page, &scoped.id, reading.notes, &error);
                None
            }
            Err(error) => return Err(error),
            Ok(listed) => {
                self.convert(cx, &tenant, &key, reading.notes, &listed, &mut page)
                    .await?;
                further(&reading, scoped, listed, &key, &mut page)?
            }
        };
        let here = reading.index;
        let next = more
            .unwrap_or_else(|| reading.following())
            .settle(&conversations);
        let until = next.as_ref().map_or(conversations.len(), |next| next.index);
        for done in conversations.get(here..until).unwrap_or_default() {
            page.complete
                .push(tenant.key(RecordKind::Conversation, &done.id));
        }
        if let Some(next) = next {
            page.next = Next::More(cursor(&next)?);
        }
        Ok(page)
    }

    pub(super) async fn convert(
        &self,
        cx: &Context,
        tenant: &Tenant,
        conversation: &RecordKey,
        notes: bool,
        listed: &Listed,
        page: &mut Page,
    ) -> Result<()> {
        let loaded = self.loaded(cx).await?;
        let mut rows: Vec<(Row, &Raw)> = Vec::with_capacity(listed.rows.len());
        for raw in &listed.rows {
            match Row::read(raw) {
                Ok(row) => rows.push((row, raw)),
                Err(defect) => page.rejects.push(convert::reject(
                    RecordKind::Message,
                    id_of(raw),
                    defect,
                    raw,
                )),
            }
        }
        let files = self.files(cx, conversation, &rows, listed, page).await?;
        let mut mails = match notes {
            true => HashMap::new(),
            false => self.mails(cx, tenant, &rows).await?,
        };
        let mut agents = Vec::new();
        for (row, raw) in &rows {
            let own: Vec<&Row> = files
                .iter()
                .filter(|(message, _)| message == row.id())
                .map(|(_, file)| file)
                .collect();
            let converted = self.entry(tenant, &loaded, conversation, notes, row, &own, &mut mails);
            match converted {
                Ok(converted) => {
                    agents.extend(converted.message.author.key.clone());
                    self.add(converted, &own, raw, page);
                }
                Err(defect) => page.rejects.push(convert::reject(
                    RecordKind::Message,
                    Some(row.id().to_owned()),
                    defect,
                    raw,
                )),
            }
        }
        page.records.extend(self.meet(cx, tenant, &agents).await?);
        Ok(())
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "all of it is needed at this one place"
    )]
    fn entry(
        &self,
        tenant: &Tenant,
        loaded: &Loaded,
        conversation: &RecordKey,
        notes: bool,
        row: &Row,
        files: &[&Row],
        mails: &mut HashMap<String, Option<MailBody>>,
    ) -> Result<Converted, crate::wire::Defect> {
        let ground = self.ground(tenant, loaded);
        if notes {
            return convert::note(&ground, conversation, row, files);
        }
        let mail = mails.remove(row.id());
        let wanted = mail.is_some();
        convert::message(&ground, conversation, row, files, mail.flatten(), wanted)
    }

    /// Files by the id of their message. They come beside the rows; where they are named and did not, they are asked for.
    async fn files(
        &self,
        cx: &Context,
        conversation: &RecordKey,
        rows: &[(Row, &Raw)],
        listed: &Listed,
        page: &mut Page,
    ) -> Result<Vec<(String, Row)>> {
        let beside: Vec<Row> = listed
            .included
            .iter()
            .flatten()
            .filter_map(|raw| Row::read(raw).ok())
            .filter(|row| matches!(row.kind(), "attachment" | ""))
            .collect();
        let named = rows
            .iter()
            .flat_map(|(row, _)| row.all_related("attachments"))
            .any(|id| !beside.iter().any(|file| file.id() == id));
        let all = if named {
            let list = List::Attachments(conversation.id(), conversation);
            let rows = self.whole(cx, list, "files", &mut page.notes).await?;
            rows.iter().filter_map(|raw| Row::read(raw).ok()).collect()
        } else {
            beside
        };
        let owned = all.into_iter().filter_map(|file| {
            let message = match file.related("message") {
                Some(message) => message.to_owned(),
                None => owner(rows, file.id()).or_else(|| owner_in_link(&file))?,
            };
            Some((message, file))
        });
        Ok(owned.collect())
    }

    /// What the records behind mails say, by the id of their message; none where one was wanted and could not be had.
    async fn mails(
        &self,
        cx: &Context,
        tenant: &Tenant,
        rows: &[(Row, &Raw)],
    ) -> Result<HashMap<String, Option<MailBody>>> {
        let wanted: Vec<(String, String)> = rows
            .iter()
            .filter_map(|(row, _)| {
                let link = row.link("related").filter(|_| self.wants_mail(row))?;
                Some((row.id().to_owned(), link.to_owned()))
            })
            .collect();
        let asked = wanted.into_iter().map(|(id, link)| async move {
            let about = tenant.key(RecordKind::Message, &id);
            let body = match self.denials.load(Ordering::Relaxed) < DENIALS {
                true => self.mail(cx, &link, &about).await?,
                false => None,
            };
            Result::Ok((id, body))
        });
        stream::iter(asked)
            .buffered(MAILS_AT_ONCE)
            .try_collect()
            .await
    }

    fn wants_mail(&self, row: &Row) -> bool {
        let shown = row
            .text("preview")
            .map_or(0, |text| text.chars().count() as u64);
        row.text("channel") == Some("email")
            && match self.config.mail_bodies() {
                MailBodies::Always => true,
                MailBodies::Long => row.count("size").is_some_and(|size| size > shown),
                MailBodies::Never => false,
            }
    }

    async fn mail(&self, cx: &Context, link: &str, about: &RecordKey) -> Result<Option<MailBody>> {
        let found = match self.client.mail(cx, link, about).await {
            Ok(raw) => Row::read(&raw).ok().and_then(|row| MailBody::of(&row)),
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::Forbidden | ErrorKind::NotFound | ErrorKind::Refused
                ) =>
            {
                None
            }
            Err(error) => return Err(error),
        };
        match found {
            Some(_) => self.denials.store(0, Ordering::Relaxed),
            None => {
                self.denials.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(found)
    }

    fn add(&self, converted: Converted, files: &[&Row], raw: &Raw, page: &mut Page) {
        if let Some(reason) = converted.skip {
            page.skips.push(Skip {
                key: converted.message.meta.key.clone(),
                reason: reason.to_owned(),
            });
        }
        for (attachment, file) in converted.attachments.into_iter().zip(files) {
            if file.flag("redacted") {
                page.skips.push(Skip {
                    key: attachment.meta.key.clone(),
                    reason: "redacted".to_owned(),
                });
            }
            page.records.push(Record::from(attachment));
        }
        let mut record = Record::from(converted.message);
        self.keep_raw(&mut record, raw);
        page.records.push(record);
    }
}

/// The message that names a file.
fn owner(rows: &[(Row, &Raw)], file: &str) -> Option<String> {
    let owner = rows
        .iter()
        .find(|(row, _)| row.all_related("attachments").contains(&file));
    owner.map(|(row, _)| row.id().to_owned())
}

/// `/v1/messages/<message>/attachments/<file>`.
fn owner_in_link(file: &Row) -> Option<String> {
    let (_, rest) = file.link("self")?.split_once("/messages/")?;
    rest.split('/').next().map(str::to_owned)
}

/// The conversation was found, and what was said in it cannot be had: it stays as it was found.
fn unread(page: &mut Page, conversation: &str, notes: bool, why: &Error) {
    let what = if notes { "notes" } else { "messages" };
    page.rejects.push(Reject {
        kind: RecordKind::Message,
        id: None,
        path: what.to_owned(),
        reason: format!("the {what} of conversation {conversation} could not be read: {why}"),
        raw: String::new(),
    });
}

/// The next page of the same list, if there is one. At its end the rows are counted against what the conversation said.
fn further(
    reading: &Reading,
    scoped: &Scoped,
    listed: Listed,
    key: &RecordKey,
    page: &mut Page,
) -> Result<Option<Reading>> {
    let read = reading.read + listed.rows.len() as u64;
    let next = listed.next.filter(|_| !listed.rows.is_empty());
    let Some(next) = next else {
        let (what, told) = match reading.notes {
            true => ("notes", scoped.notes),
            false => ("messages", scoped.messages),
        };
        if let Some(told) = told.filter(|told| *told > read) {
            page.notes.push(format!(
                "conversation {} says that it has {told} {what}; {read} were shown",
                scoped.id
            ));
        }
        return Ok(None);
    };
    if reading.next.as_ref() == Some(&next) {
        return Err(Error::new(
            ErrorKind::Protocol,
            "list what was said in a conversation",
            "a page leads to itself",
        )
        .of(key.clone())
        .advise("Reading on would never end; run `resume` to read on from this page"));
    }
    Ok(Some(Reading {
        next: Some(next),
        read,
        ..reading.clone()
    }))
}
