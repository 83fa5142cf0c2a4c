//! Companies, customers and conversations: everything that search finds, in the order of its last change.

use std::sync::atomic::Ordering;

use chrono::{DateTime, Utc};
use deskferry_core::model::{CustomValue, Record};
use deskferry_core::source::{Cursor, Next, Page, Shard, Skip};
use deskferry_core::{Context, ErrorKind, RecordKey, RecordKind, Result, Tenant};

use super::window::{Reading, Stamp, Step};
use super::{Kustomer, OVERLAP, cursor, entries, id_of, read_place, watermark};
use crate::client::{Index, List, Query};
use crate::config::Take;
use crate::convert::{self, Ground, Standing};
use crate::wire::{Defect, Raw, Row, parse_time};

/// Names the customer whom one was merged into, among the values of theirs.
const MERGED_INTO: &str = "mergedInto";

/// What is searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    Companies,
    Customers,
    Conversations,
}

impl Stream {
    fn context(self) -> &'static str {
        match self {
            Self::Companies => "company",
            Self::Customers => "customer",
            Self::Conversations => "conversation",
        }
    }

    fn kind(self) -> RecordKind {
        match self {
            Self::Companies => RecordKind::Account,
            Self::Customers => RecordKind::Contact,
            Self::Conversations => RecordKind::Conversation,
        }
    }
}

/// A row that became a record, and what a conversation says of how it is to be read.
struct Taken {
    record: Record,
    stamp: Stamp,
    standing: Option<Standing>,
    deleted: bool,
    merged: bool,
}

impl Kustomer {
    pub(super) async fn stream_page(
        &self,
        cx: &Context,
        stream: Stream,
        shard: &Shard,
        after: Option<Cursor>,
    ) -> Result<Page> {
        let tenant = self.tenant(cx).await?;
        let now = cx.now().timestamp_millis();
        let reading: Reading = read_place(after).unwrap_or_else(|| first(shard, now));
        let query = query(stream.context(), &reading);
        let listed = self.client.search(cx, &query).await?;
        let loaded = self.loaded(cx).await?;
        let ground = self.ground(&tenant, &loaded);
        let mut page = Page::new(Vec::new(), Next::End(watermark(cx.now())));
        let (mut taken, mut stamps) = (Vec::new(), Vec::with_capacity(listed.rows.len()));
        for raw in &listed.rows {
            match self.taken(&ground, stream, raw) {
                Ok(one) => {
                    stamps.push(one.stamp);
                    taken.push(one);
                }
                Err(defect) => {
                    // Its place in time is the neighbour's: a bad row must not stop the walk.
                    stamps.push(stamp_of(raw).unwrap_or_else(|| after_last(&stamps, &reading)));
                    page.rejects
                        .push(convert::reject(stream.kind(), id_of(raw), defect, raw));
                }
            }
        }
        if stream == Stream::Customers {
            self.follow(cx, &mut taken, &mut page).await?;
        }
        if stream == Stream::Conversations {
            self.spread(cx, &tenant, &reading, &taken, &mut page)
                .await?;
        }
        let agents: Vec<RecordKey> = taken
            .iter()
            .filter_map(|one| match &one.record {
                Record::Conversation(conversation) => Some(conversation),
                _ => None,
            })
            .flat_map(|one| one.assignee.iter().chain(&one.also_assigned))
            .cloned()
            .collect();
        let met = self.meet(cx, &tenant, &agents).await?;
        for one in taken {
            if let Some(reason) = self.reason(&one) {
                page.skips.push(Skip {
                    key: one.record.key().clone(),
                    reason: reason.to_owned(),
                });
            }
            page.records.push(one.record);
        }
        page.records.extend(met);
        go_on(reading, &stamps, listed.total, now, shard, &mut page)?;
        Ok(page)
    }

    /// Notes that stand on a customer and in no conversation: nothing that is loaded can carry them, so each is named. The archive
    /// knows no notes: those that did not change for two years stay unnamed.
    pub(super) async fn loose_notes_page(
        &self,
        cx: &Context,
        shard: &Shard,
        after: Option<Cursor>,
    ) -> Result<Page> {
        let now = cx.now().timestamp_millis();
        let reading: Reading = read_place(after).unwrap_or_else(|| {
            let mut reading = first(shard, now);
            reading.index = Index::Young;
            reading
        });
        let listed = self.client.search(cx, &query("note", &reading)).await?;
        let mut page = Page::new(Vec::new(), Next::End(watermark(cx.now())));
        let mut stamps: Vec<Stamp> = Vec::with_capacity(listed.rows.len());
        for raw in &listed.rows {
            let stamp = stamp_of(raw).unwrap_or_else(|| after_last(&stamps, &reading));
            stamps.push(stamp);
            let Ok(row) = Row::read(raw) else { continue };
            if row.related("conversation").is_none() {
                let defect = Defect {
                    path: "relationships.conversation".to_owned(),
                    reason: "note-on-customer: it stands in no conversation".to_owned(),
                };
                let id = Some(row.id().to_owned());
                page.rejects
                    .push(convert::reject(RecordKind::Message, id, defect, raw));
            }
        }
        go_on(reading, &stamps, listed.total, now, shard, &mut page)?;
        Ok(page)
    }

    fn taken(&self, ground: &Ground<'_>, stream: Stream, raw: &Raw) -> Result<Taken, Defect> {
        let row = Row::read(raw)?;
        let stamp = stamp(&row)?;
        let (mut record, standing) = match stream {
            Stream::Companies => (Record::from(convert::account(ground, &row)?), None),
            Stream::Customers => {
                let kind = self.config.customer_kind();
                (Record::from(convert::contact(ground, &row, kind)?), None)
            }
            Stream::Conversations => {
                let (conversation, standing) = convert::conversation(ground, &row)?;
                (Record::from(conversation), Some(standing))
            }
        };
        self.keep_raw(&mut record, raw);
        Ok(Taken {
            record,
            stamp,
            standing,
            deleted: row.flag("deleted"),
            merged: false,
        })
    }

    /// Customers who are gone may have been merged: into whom is asked of each, since no list tells of all (Kustomer reference,
    /// section 3.1). What belonged to them belongs to that one already.
    async fn follow(&self, cx: &Context, taken: &mut [Taken], page: &mut Page) -> Result<()> {
        for one in taken.iter_mut().filter(|one| one.deleted) {
            if self.merges_hidden.load(Ordering::Relaxed) {
                break;
            }
            let key = one.record.key().clone();
            let listed = match self
                .client
                .list(cx, List::Merges(key.id(), &key), None)
                .await
            {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) if error.kind() == ErrorKind::Forbidden => {
                    self.merges_hidden.store(true, Ordering::Relaxed);
                    page.notes.push(format!(
                        "customers who were merged cannot be told from those who were deleted: {error}"
                    ));
                    break;
                }
                listed => listed?,
            };
            let rows = listed.rows.iter().filter_map(|raw| Row::read(raw).ok());
            let into = rows
                .filter(|row| {
                    row.related("source")
                        .is_none_or(|source| source == key.id())
                })
                .find_map(|row| Some(row.related("target")?.to_owned()));
            if let (Some(into), Record::Contact(contact)) = (into, &mut one.record) {
                one.merged = true;
                let into = CustomValue::Text(into);
                contact.meta.custom.insert(MERGED_INTO.to_owned(), into);
            }
        }
        Ok(())
    }

    /// Why no target shall load it.
    fn reason(&self, one: &Taken) -> Option<&'static str> {
        match &one.standing {
            Some(standing) if standing.deleted => {
                (self.config.deleted() == Take::Skip).then_some("deleted")
            }
            Some(standing) if standing.spam => (self.config.spam() == Take::Skip).then_some("spam"),
            Some(_) => None,
            None if one.merged => Some("merged"),
            None => one.deleted.then_some("deleted"),
        }
    }

    /// The parts that read what was said in these conversations.
    async fn spread(
        &self,
        cx: &Context,
        tenant: &Tenant,
        reading: &Reading,
        taken: &[Taken],
        page: &mut Page,
    ) -> Result<()> {
        let keys: Vec<RecordKey> = taken.iter().map(|one| one.record.key().clone()).collect();
        let seen = cx.seen(&keys).await?;
        let mut scoped = Vec::new();
        for (one, seen) in taken.iter().zip(seen) {
            // The moment at which two pages meet is shown by both.
            if seen && reading.repeats(one.stamp.updated) {
                continue;
            }
            let Some(standing) = &one.standing else {
                continue;
            };
            let wanted = self.reason(one).is_none() && !standing.deleted;
            let scope = entries::Scoped {
                id: one.record.key().id().to_owned(),
                messages: standing
                    .messages
                    .filter(|_| wanted)
                    .or((!wanted).then_some(0)),
                notes: standing.notes.filter(|_| wanted).or((!wanted).then_some(0)),
                updated: one.stamp.updated,
            };
            if scope.is_silent() {
                page.complete
                    .push(tenant.key(RecordKind::Conversation, &scope.id));
            } else {
                scoped.push(scope);
            }
        }
        let parts = self.parts(scoped, reading.index == Index::Young)?;
        page.spawn.extend(parts);
        Ok(())
    }
}

/// Where the walk goes on after a page.
pub(super) fn go_on(
    reading: Reading,
    stamps: &[Stamp],
    total: Option<u64>,
    now: i64,
    shard: &Shard,
    page: &mut Page,
) -> Result<()> {
    let started = reading.started;
    let advance = reading.advance(stamps, total, now);
    let notes = advance.notes.into_iter();
    page.notes
        .extend(notes.map(|note| format!("{}: {note}", shard.id)));
    page.next = match advance.next {
        Some(next) => Next::More(cursor(&next)?),
        None => Next::End(watermark(moment(started) - OVERLAP)),
    };
    Ok(())
}

pub(super) fn first(shard: &Shard, now: i64) -> Reading {
    let since = shard.scope.get("since").and_then(|since| since.as_str());
    match since.and_then(parse_time) {
        Some(since) => Reading::since(since.timestamp_millis(), now),
        None => Reading::whole(now),
    }
}

pub(super) fn query<'a>(context: &'a str, reading: &Reading) -> Query<'a> {
    let query = Query {
        index: reading.index,
        context,
        from: 0,
        to: None,
        made_from: None,
        page: 1,
    };
    match reading.step {
        Step::Slide { from } => Query { from, ..query },
        Step::Burst { at, made, page } => Query {
            from: at,
            to: Some(at),
            made_from: Some(made),
            page,
            ..query
        },
        Step::Split { from, to, page } => Query {
            from,
            to: Some(to),
            page,
            ..query
        },
    }
}

pub(super) fn stamp(row: &Row) -> Result<Stamp, Defect> {
    let created = row.time("createdAt")?;
    let updated = row.time("updatedAt")?.or(created).ok_or_else(|| Defect {
        path: "attributes.updatedAt".to_owned(),
        reason: "a row without a time".to_owned(),
    })?;
    Ok(Stamp {
        updated: updated.timestamp_millis(),
        created: created.unwrap_or(updated).timestamp_millis(),
    })
}

fn stamp_of(raw: &Raw) -> Option<Stamp> {
    stamp(&Row::read(raw).ok()?).ok()
}

pub(super) fn after_last(stamps: &[Stamp], reading: &Reading) -> Stamp {
    let from = match reading.step {
        Step::Slide { from } | Step::Split { from, .. } => from,
        Step::Burst { at, .. } => at,
    };
    stamps.last().copied().unwrap_or(Stamp {
        updated: from,
        created: 0,
    })
}

fn moment(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(millis).unwrap_or_default()
}
