//! Definitions, teams, organisations and users: lists that are read from the top to the end.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use deskferry_core::model::Record;
use deskferry_core::source::{Cursor, Next, Page, Reject};
use deskferry_core::{Context, ErrorKind, RecordKind, Result, Tenant};
use serde::{Deserialize, Serialize};

use super::walk::{Step, Walk};
use super::{Kayako, id_of, read_place, watermark};
use crate::client::{FieldOwner, List, PAGE, needed};
use crate::convert::{self, Definitions};
use crate::wire::{self, Defect, Field, Raw};

/// So many rows of a list are looked for one by one, each by a request of its own.
const MAX_SINGLES: u64 = 300;

/// What is needed to decode custom values, and the definitions as records.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    pub(super) values: Definitions,
    rows: Vec<(FieldOwner, Field)>,
    rejects: Vec<Reject>,
    notes: Vec<String>,
    language: Option<String>,
}

impl Loaded {
    /// The default language, as far as the account may know it.
    pub(super) fn language(&self) -> Option<&str> {
        self.language.as_deref()
    }

    /// The definitions that are the tenant's own.
    pub(super) fn own(&self) -> impl Iterator<Item = (FieldOwner, &Field)> {
        let own = self.rows.iter();
        own.filter(|(_, field)| field.is_system != Some(true))
            .map(|(owner, field)| (*owner, field))
    }
}

/// How far a list was read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Reading {
    #[serde(flatten)]
    walk: Walk,
    /// How many walks are over.
    round: u32,
    /// While rows are looked for one by one: ids below this are still to be looked at.
    below: u64,
    /// How many rows are missing; unknown when the list moved.
    missing: Option<u64>,
    /// How many were asked for one by one.
    asked: u64,
}

impl Reading {
    fn of(round: u32) -> Self {
        Self {
            round,
            ..Self::default()
        }
    }
}

/// What follows a walk.
enum After {
    End(Option<DateTime<Utc>>),
    Again(Reading),
}

/// A list that moved or holds more rows than it showed is walked once more; what is missing then is looked for one by one
/// where that is worth it.
fn after_walk(list: List, walk: Walk, round: u32, notes: &mut Vec<String>) -> After {
    if !walk.moved && walk.missing() == 0 {
        return After::End(walk.start);
    }
    let total = walk.total.unwrap_or_default();
    let operation = list.operation();
    notes.push(format!(
        "{operation}: rows left the list or were not shown while it was read; {} of {total} were counted",
        walk.distinct
    ));
    if round == 0 {
        return After::Again(Reading::of(1));
    }
    if matches!(list, List::Organizations | List::Users) {
        return After::Again(Reading {
            below: walk.highest.saturating_add(1),
            missing: (!walk.moved).then(|| walk.missing()),
            walk,
            round,
            ..Reading::default()
        });
    }
    notes.push(not_found(list));
    After::End(walk.start)
}

fn not_found(list: List) -> String {
    format!(
        "{}: some rows may be missing; read again before the cut-over, with an account that sees everything",
        list.operation()
    )
}

/// What a row of a list may be.
fn kinds_of(list: List) -> &'static [RecordKind] {
    match list {
        List::Teams => &[RecordKind::Team],
        List::Organizations => &[RecordKind::Account],
        List::Users => &[RecordKind::Agent, RecordKind::Contact],
        List::Cases | List::View(_) => &[RecordKind::Conversation],
    }
}

impl Kayako {
    /// The definitions; fetched once per process, by whoever needs them first.
    pub(super) async fn definitions(&self, cx: &Context) -> Result<Arc<Loaded>> {
        let mut kept = self.definitions.lock().await;
        if let Some(loaded) = kept.as_ref() {
            return Ok(Arc::clone(loaded));
        }
        let loaded = Arc::new(self.load_definitions(cx).await?);
        *kept = Some(Arc::clone(&loaded));
        Ok(loaded)
    }

    async fn load_definitions(&self, cx: &Context) -> Result<Loaded> {
        let mut loaded = Loaded::default();
        loaded.language = self.language(cx, &mut loaded.notes).await?;
        for owner in FieldOwner::ALL {
            for raw in self.client.fields(cx, owner).await? {
                match wire::decode::<Field>(&raw) {
                    Ok(field) => {
                        loaded
                            .values
                            .learn(owner, &field, loaded.language.as_deref());
                        loaded.rows.push((owner, field));
                    }
                    Err(defect) => {
                        loaded.rejects.push(convert::reject(
                            RecordKind::FieldDefinition,
                            id_of(&raw),
                            defect,
                            &raw,
                        ));
                    }
                }
            }
        }
        Ok(loaded)
    }

    /// The default language. Settings need an administrator; without one options are shown in any language they have.
    async fn language(&self, cx: &Context, notes: &mut Vec<String>) -> Result<Option<String>> {
        let named = match self.client.default_language(cx).await {
            Err(error) if matches!(error.kind(), ErrorKind::Forbidden | ErrorKind::NotFound) => {
                notes.push("the account may not read the settings: options of custom fields are taken in the first language they have".to_owned());
                None
            }
            named => named?,
        };
        match named.as_deref().map(str::parse) {
            Some(Ok(id)) => self.client.locale(cx, id).await,
            _ => Ok(named),
        }
    }

    pub(super) async fn definitions_page(&self, cx: &Context) -> Result<Page> {
        let tenant = self.client.tenant(cx).await?;
        let loaded = self.definitions(cx).await?;
        let records = loaded.own().map(|(owner, field)| {
            Record::from(convert::definition(
                &tenant,
                owner,
                field,
                loaded.language.as_deref(),
            ))
        });
        let mut page = Page::new(records.collect(), Next::End(watermark(cx.now())));
        page.rejects = loaded.rejects.clone();
        page.notes = loaded.notes.clone();
        Ok(page)
    }

    /// One page of teams, organisations or users.
    pub(super) async fn list_page(
        &self,
        cx: &Context,
        list: List,
        after: Option<Cursor>,
    ) -> Result<Page> {
        let tenant = self.client.tenant(cx).await?;
        let reading: Reading = read_place(after).unwrap_or_default();
        if reading.below > 0 {
            return self.fill_list(cx, &tenant, list, reading).await;
        }
        let listed = self.client.list(cx, list, &reading.walk.place).await?;
        needed(cx, list.operation(), listed.rows.len() as f64 / PAGE as f64);
        let mut page = self.rows(cx, &tenant, list, &listed.rows).await?;
        let ids: Vec<String> = listed
            .rows
            .iter()
            .map(|raw| id_of(raw).unwrap_or_default())
            .collect();
        let round = reading.round;
        let next = match reading.walk.advance(&ids, &listed, list.operation())? {
            Step::More(walk) => Reading {
                walk,
                ..Reading::of(round)
            },
            Step::Done(walk) => match after_walk(list, walk, round, &mut page.notes) {
                After::End(start) => {
                    page.next = Next::End(watermark(start.unwrap_or_else(|| cx.now())));
                    return Ok(page);
                }
                After::Again(next) => next,
            },
        };
        page.next = Next::More(super::cursor(&next)?);
        Ok(page)
    }

    /// Looks for rows that no page showed, one by one: Kayako documents no other way for these lists.
    async fn fill_list(
        &self,
        cx: &Context,
        tenant: &Tenant,
        list: List,
        reading: Reading,
    ) -> Result<Page> {
        let from = reading.below.saturating_sub(PAGE).max(1);
        let ids: Vec<u64> = (from..reading.below).rev().collect();
        let kinds = kinds_of(list);
        let keys: Vec<_> = ids
            .iter()
            .flat_map(|id| kinds.iter().map(move |kind| tenant.key(*kind, id)))
            .collect();
        let seen = cx.seen(&keys).await?;
        let seen = seen.chunks(kinds.len()).map(|kinds| kinds.contains(&true));
        let unseen = ids.iter().zip(seen).filter(|(_, seen)| !seen);
        let (mut found, mut hidden) = (Vec::new(), 0);
        let mut next = Reading {
            below: from,
            ..reading
        };
        for (id, _) in unseen {
            if next.missing == Some(0) || next.asked == MAX_SINGLES {
                break;
            }
            next.asked += 1;
            let answer = match list {
                List::Organizations => self.client.organization(cx, *id).await,
                _ => self.client.user(cx, *id).await,
            };
            match answer {
                Ok(None) => {}
                Ok(Some(row)) => {
                    found.push(row);
                    next.missing = next.missing.map(|missing| missing - 1);
                }
                Err(error) if error.kind() == ErrorKind::Forbidden => hidden += 1,
                Err(error) => return Err(error),
            }
        }
        let mut page = self.rows(cx, tenant, list, &found).await?;
        if hidden > 0 {
            page.notes.push(format!(
                "{}: the account may not read {hidden} rows that the list does not show",
                list.operation()
            ));
        }
        let found_all = next.missing == Some(0);
        let over = found_all || from == 1 || next.asked == MAX_SINGLES;
        if over && !found_all && next.missing.is_some() {
            page.notes.push(not_found(list));
        }
        page.next = if over {
            Next::End(watermark(next.walk.start.unwrap_or_else(|| cx.now())))
        } else {
            Next::More(super::cursor(&next)?)
        };
        Ok(page)
    }

    /// Rows as records, bad ones as rejects.
    pub(super) async fn rows(
        &self,
        cx: &Context,
        tenant: &Tenant,
        list: List,
        rows: &[Raw],
    ) -> Result<Page> {
        let mut page = Page::new(Vec::new(), Next::End(watermark(cx.now())));
        let mut unexpanded = 0;
        for raw in rows {
            match self.row(cx, tenant, list, raw).await? {
                Ok((record, bare)) => {
                    unexpanded += bare;
                    page.records.push(record);
                }
                Err(reject) => page.rejects.push(reject),
            }
        }
        self.add_notes(cx, &mut page).await?;
        if unexpanded > 0 {
            page.notes.push(format!(
                "{}: {unexpanded} addresses and numbers came as bare references and are missing",
                list.operation()
            ));
        }
        Ok(page)
    }

    async fn row(
        &self,
        cx: &Context,
        tenant: &Tenant,
        list: List,
        raw: &Raw,
    ) -> Result<Result<(Record, usize), Reject>> {
        let refuse =
            |kind: RecordKind, defect: Defect| convert::reject(kind, id_of(raw), defect, raw);
        let converted = match list {
            List::Teams => wire::decode(raw)
                .map(|row| Record::from(convert::team(tenant, row)))
                .map_err(|defect| refuse(RecordKind::Team, defect)),
            List::Organizations => {
                let definitions = self.definitions(cx).await?;
                wire::decode(raw)
                    .map(|row| Record::from(convert::account(tenant, &definitions.values, &row)))
                    .map_err(|defect| refuse(RecordKind::Account, defect))
            }
            List::Users | List::Cases | List::View(_) => {
                return Ok(self
                    .user(cx, tenant, raw)
                    .await?
                    .map(|(_, record, bare)| (record, bare)));
            }
        };
        Ok(converted.map(|mut record| {
            self.keep_raw(&mut record, raw);
            (record, 0)
        }))
    }
}
