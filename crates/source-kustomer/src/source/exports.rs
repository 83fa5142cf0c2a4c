//! What the helpdesk gave away as files, beside what its API shows; and what no channel covers.

use chrono::{DateTime, Utc};
use deskferry_core::model::{Meta, Record};
use deskferry_core::source::{Cursor, Next, Page, Reject, Skip};
use deskferry_core::{Context, Error, RecordKind, Result, Tenant};
use serde::{Deserialize, Serialize};

use super::lists::Loaded;
use super::{Kustomer, cursor, read_place, watermark};
use crate::config::Take;
use crate::convert;
use crate::exports::{self, Covered, Line, Place};
use crate::inventory;
use crate::wire::{Defect, Raw, Row};

/// The name of this shard.
pub(super) const EXPORTS: &str = "exports";
/// What a row of a table is behind any that the API shows.
const OLDEST: i64 = -1;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Reading {
    /// The files that were read to their end come before this one.
    file: String,
    place: Place,
    /// What the tables and events hold.
    rows: Covered,
    /// When the events happened.
    events: Covered,
    /// Rows that are no kind of record here.
    others: u64,
}

/// A row that became a record.
struct Historic {
    record: Record,
    at: Option<DateTime<Utc>>,
    skip: Option<&'static str>,
}

impl Kustomer {
    pub(super) async fn exports_page(&self, cx: &Context, after: Option<Cursor>) -> Result<Page> {
        let tenant = self.tenant(cx).await?;
        let mut page = Page::new(Vec::new(), Next::End(watermark(cx.now())));
        let mut reading: Reading = read_place(after).unwrap_or_default();
        let (files, notes) = match self.config.exports() {
            Some(folder) => exports::list(folder)?,
            None => Default::default(),
        };
        if reading.file.is_empty() {
            page.notes = notes;
        }
        let current = files.iter().find(|file| file.name >= reading.file);
        let Some(file) = current else {
            self.say_what_is_covered(cx, &tenant, &reading, &mut page)
                .await?;
            return Ok(page);
        };
        let place = if file.name == reading.file {
            reading.place
        } else {
            Place::default()
        };
        let mut kept = self.tape.lock().await.take();
        let export = file.clone();
        let read = tokio::task::spawn_blocking(move || {
            let batch = export.read(place, &mut kept);
            (batch, kept)
        });
        let (batch, kept) = read
            .await
            .map_err(|error| Error::bug("read an export", error.to_string()))?;
        *self.tape.lock().await = kept;
        let batch = batch?;
        let loaded = self.loaded(cx).await?;
        let mut agents = Vec::new();
        for line in batch.lines {
            let (raw, deleted) = match line {
                Line::Row { raw, deleted } => (raw, deleted),
                Line::Bad {
                    number,
                    reason,
                    text,
                } => {
                    page.rejects.push(bad(&file.name, number, reason, text));
                    continue;
                }
            };
            match self.historic(&tenant, &loaded, &raw, deleted) {
                Ok(Some(one)) => {
                    let kind = one.record.kind().name();
                    if let Some(at) = one.at {
                        reading.rows.see(kind, at);
                        if file.is_events() {
                            reading.events.see("events", at);
                        }
                    }
                    if let Some(reason) = one.skip {
                        page.skips.push(Skip {
                            key: one.record.key().clone(),
                            reason: reason.to_owned(),
                        });
                    }
                    agents.extend(people(&one.record));
                    page.records.push(one.record);
                }
                Ok(None) => reading.others += 1,
                Err(defect) => page.rejects.push(Reject {
                    reason: format!("{} ({})", defect.reason, file.name),
                    ..convert::reject(RecordKind::Message, super::id_of(&raw), defect, &raw)
                }),
            }
        }
        page.records.extend(self.meet(cx, &tenant, &agents).await?);
        (reading.file, reading.place) = match batch.next {
            Some(next) => (file.name.clone(), next),
            // The next name after it, whatever it is.
            None => (format!("{}\0", file.name), Place::default()),
        };
        page.next = Next::More(cursor(&reading)?);
        Ok(page)
    }

    /// A row as a record of a lower revision than the API's: whatever the API shows is right, since it is asked later.
    fn historic(
        &self,
        tenant: &Tenant,
        loaded: &Loaded,
        raw: &Raw,
        deleted: bool,
    ) -> Result<Option<Historic>, Defect> {
        let row = Row::read(raw)?;
        let ground = self.ground(tenant, loaded);
        let conversation = || {
            let id = row.related("conversation").ok_or_else(|| Defect {
                path: "relationships.conversation".to_owned(),
                reason: "it stands in no conversation".to_owned(),
            })?;
            Ok(tenant.key(RecordKind::Conversation, id))
        };
        let mut gone = deleted || row.flag("deleted");
        let mut record = match row.kind() {
            "customer" | "customers" => {
                let kind = self.config.customer_kind();
                Record::from(convert::contact(&ground, &row, kind)?)
            }
            "company" => Record::from(convert::account(&ground, &row)?),
            "conversation" => {
                let (conversation, standing) = convert::conversation(&ground, &row)?;
                gone &= self.config.deleted() == Take::Skip;
                if standing.spam && self.config.spam() == Take::Skip {
                    return Ok(Some(Historic {
                        at: conversation.meta.created_at,
                        record: lowered(Record::from(conversation)),
                        skip: Some("spam"),
                    }));
                }
                Record::from(conversation)
            }
            "message" => {
                let message = convert::message(&ground, &conversation()?, &row, &[], None, false)?;
                Record::from(message.message)
            }
            "note" => {
                let note = convert::note(&ground, &conversation()?, &row, &[])?;
                Record::from(note.message)
            }
            _ => return Ok(None),
        };
        self.keep_raw(&mut record, raw);
        let at = record.meta().updated_at.or(record.meta().created_at);
        Ok(Some(Historic {
            record: lowered(record),
            at,
            skip: gone.then_some("deleted"),
        }))
    }

    async fn say_what_is_covered(
        &self,
        cx: &Context,
        tenant: &Tenant,
        reading: &Reading,
        page: &mut Page,
    ) -> Result<()> {
        if reading.others > 0 {
            page.notes.push(format!(
                "exports: {} rows of other kinds than customers, companies, conversations, messages and notes were passed over",
                reading.others
            ));
        }
        let loaded = self.loaded(cx).await?;
        let ground = self.ground(tenant, &loaded);
        let items = inventory::coverage(&ground, &reading.rows, &reading.events, cx.now());
        page.records.extend(items.into_iter().map(Record::from));
        Ok(())
    }
}

fn people(record: &Record) -> Vec<deskferry_core::RecordKey> {
    match record {
        Record::Message(message) => message.author.key.iter().cloned().collect(),
        Record::Conversation(one) => one
            .assignee
            .iter()
            .chain(&one.also_assigned)
            .cloned()
            .collect(),
        _ => Vec::new(),
    }
}

fn lowered(mut record: Record) -> Record {
    let lower = |meta: &mut Meta| {
        meta.revision = Some(meta.revision.map_or(OLDEST, |revision| revision - 1));
    };
    match &mut record {
        Record::Contact(one) => lower(&mut one.meta),
        Record::Account(one) => lower(&mut one.meta),
        Record::Conversation(one) => lower(&mut one.meta),
        Record::Message(one) => lower(&mut one.meta),
        _ => {}
    }
    record
}

fn bad(file: &str, number: u64, reason: String, text: String) -> Reject {
    Reject {
        kind: RecordKind::Message,
        id: None,
        path: format!("{file}:{number}"),
        reason,
        raw: text,
    }
}
