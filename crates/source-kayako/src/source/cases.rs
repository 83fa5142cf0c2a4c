//! The walk through the cases: a list that moves while it is read (Kayako reference, section 4).
//!
//! 1. *Walk*: from the last changed to the oldest; only cases that were not seen before are taken.
//! 2. *Recent*: from the top again, for what changed meanwhile. A later read of changes only is this step alone.
//! 3. *Fill*: if rows are missing or left the list, the ids that nobody saw are asked for by name.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use deskferry_core::model::Record;
use deskferry_core::source::{Cursor, Next, Page, Shard};
use deskferry_core::{Context, RecordKind, Result, Tenant};
use serde::{Deserialize, Serialize};

use super::posts::{self, Scoped};
use super::walk::{Step, Walk};
use super::{Kayako, cursor, id_of, read_place, watermark};
use crate::client::{List, PAGE};
use crate::convert::{self, CasePeople};
use crate::wire::{self, Case, Raw};

/// A change in the second in which the walk began may be in its first page or not; read twice does no harm.
const MARGIN: TimeDelta = TimeDelta::seconds(5);
/// Clocks differ and changes are stored late: a read of changes begins this much earlier.
const SAFETY: TimeDelta = TimeDelta::minutes(5);
/// Ids asked about at once while looking for gaps.
const PROBE: u64 = 1_000;
/// Beyond this many ids that may not even exist a second walk is cheaper than asking for each.
const MAX_CANDIDATES: u64 = 100_000;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Reading {
    phase: Phase,
    /// The platform's clock when the first walk began: where the next read of changes starts.
    start: Option<DateTime<Utc>>,
    /// The walk that is over, once it is.
    walked: Option<Walk>,
    /// How many walks were made.
    round: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Phase {
    Walk(Walk),
    Recent {
        walk: Walk,
        until: DateTime<Utc>,
    },
    Fill {
        /// Ids below this one are still to be looked at.
        below: u64,
        /// How many rows are missing; unknown when the list moved.
        missing: Option<u64>,
    },
}

impl Reading {
    fn first(shard: &Shard) -> Self {
        let since = shard
            .scope
            .get("since")
            .and_then(|since| since.as_str())
            .and_then(wire::lenient::parse_time);
        let phase = match since {
            Some(since) => Phase::Recent {
                walk: Walk::default(),
                until: since - SAFETY,
            },
            None => Phase::Walk(Walk::default()),
        };
        Self {
            phase,
            start: None,
            walked: None,
            round: 1,
        }
    }
}

/// What a page of cases brought.
struct Taken {
    page: Page,
    /// How many cases were taken.
    cases: u64,
    /// When the rows were changed last, in their order, for those that could be read.
    changed: Vec<Option<DateTime<Utc>>>,
}

/// Which rows of a page are taken.
#[derive(Clone, Copy)]
enum Wanted {
    /// Those that were never seen.
    Fresh,
    /// Those that changed since.
    ChangedSince(DateTime<Utc>),
}

impl Kayako {
    pub(super) async fn cases_page(
        &self,
        cx: &Context,
        shard: &Shard,
        after: Option<Cursor>,
    ) -> Result<Page> {
        let tenant = self.client.tenant(cx).await?;
        let reading: Reading = read_place(after).unwrap_or_else(|| Reading::first(shard));
        match reading.phase.clone() {
            Phase::Walk(walk) => self.walk(cx, &tenant, reading, walk).await,
            Phase::Recent { walk, until } => self.recent(cx, &tenant, reading, walk, until).await,
            Phase::Fill { below, missing } => self.fill(cx, &tenant, reading, below, missing).await,
        }
    }

    async fn walk(
        &self,
        cx: &Context,
        tenant: &Tenant,
        mut reading: Reading,
        walk: Walk,
    ) -> Result<Page> {
        let listed = self.client.list(cx, List::Cases, &walk.place).await?;
        let mut page = self
            .take(cx, tenant, &listed.rows, Wanted::Fresh)
            .await?
            .page;
        match walk.advance(&ids(&listed.rows), &listed, List::Cases.operation())? {
            Step::More(walk) => {
                reading.start = reading.start.or(walk.start);
                reading.phase = Phase::Walk(walk);
                page.next = Next::More(cursor(&reading)?);
            }
            Step::Done(walk) => {
                reading.start = reading.start.or(walk.start);
                let until = reading.start.unwrap_or_else(|| cx.now() - SAFETY) - MARGIN;
                let at_once = walk.pages == 1 && !walk.moved;
                reading.walked = Some(walk);
                if at_once {
                    return self.after_recent(cx, reading, page);
                }
                reading.phase = Phase::Recent {
                    walk: Walk::default(),
                    until,
                };
                page.next = Next::More(cursor(&reading)?);
            }
        }
        Ok(page)
    }

    async fn recent(
        &self,
        cx: &Context,
        tenant: &Tenant,
        mut reading: Reading,
        walk: Walk,
        until: DateTime<Utc>,
    ) -> Result<Page> {
        let listed = self.client.list(cx, List::Cases, &walk.place).await?;
        let taken = self
            .take(cx, tenant, &listed.rows, Wanted::ChangedSince(until))
            .await?;
        let reached = taken
            .changed
            .iter()
            .flatten()
            .any(|changed| *changed < until);
        let mut page = taken.page;
        match walk.advance(&ids(&listed.rows), &listed, List::Cases.operation())? {
            Step::More(walk) if !reached => {
                reading.start = reading.start.or(walk.start);
                reading.phase = Phase::Recent { walk, until };
                page.next = Next::More(cursor(&reading)?);
                Ok(page)
            }
            Step::More(walk) | Step::Done(walk) => {
                reading.start = reading.start.or(walk.start);
                self.after_recent(cx, reading, page)
            }
        }
    }

    /// The end, unless rows are missing.
    fn after_recent(&self, cx: &Context, mut reading: Reading, mut page: Page) -> Result<Page> {
        let walked = reading
            .walked
            .clone()
            .filter(|walk| walk.moved || walk.missing() > 0);
        let Some(walked) = walked else {
            page.next = Next::End(watermark(reading.start.unwrap_or_else(|| cx.now())));
            return Ok(page);
        };
        let missing = (!walked.moved).then(|| walked.missing());
        let counted = walked.total.unwrap_or_default();
        page.notes.push(format!(
            "the list of cases moved while it was read: {} of {counted} were counted, the others are looked for by id",
            walked.distinct.min(counted)
        ));
        let candidates = walked.highest.saturating_sub(walked.distinct);
        reading.phase = if candidates <= MAX_CANDIDATES {
            Phase::Fill {
                below: walked.highest.saturating_add(1),
                missing,
            }
        } else if reading.round < 2 {
            page.notes.push(format!("ids are too sparse to ask for each ({candidates} are free): the list is walked once more"));
            reading.round += 1;
            Phase::Walk(Walk::default())
        } else {
            page.notes.push(
                "some cases may be missing: read the changes once more before the cut-over"
                    .to_owned(),
            );
            page.next = Next::End(watermark(reading.start.unwrap_or_else(|| cx.now())));
            return Ok(page);
        };
        page.next = Next::More(cursor(&reading)?);
        Ok(page)
    }

    async fn fill(
        &self,
        cx: &Context,
        tenant: &Tenant,
        mut reading: Reading,
        mut below: u64,
        missing: Option<u64>,
    ) -> Result<Page> {
        let mut unseen = Vec::new();
        while below > 1 && unseen.len() < PAGE as usize {
            let from = below.saturating_sub(PROBE).max(1);
            let ids: Vec<u64> = (from..below).rev().collect();
            let keys: Vec<_> = ids
                .iter()
                .map(|id| tenant.key(RecordKind::Conversation, id))
                .collect();
            for (id, seen) in ids.into_iter().zip(cx.seen(&keys).await?) {
                below = id;
                if !seen {
                    unseen.push(id);
                }
                if unseen.len() == PAGE as usize {
                    break;
                }
            }
        }
        let done = Next::End(watermark(reading.start.unwrap_or_else(|| cx.now())));
        if unseen.is_empty() {
            return Ok(Page::new(Vec::new(), done));
        }
        let listed = self.client.cases_by_id(cx, &unseen).await?;
        let taken = self.take(cx, tenant, &listed.rows, Wanted::Fresh).await?;
        let missing = missing.map(|missing| missing.saturating_sub(taken.cases));
        let mut page = taken.page;
        page.next = if below <= 1 || missing == Some(0) {
            done
        } else {
            reading.phase = Phase::Fill { below, missing };
            Next::More(cursor(&reading)?)
        };
        Ok(page)
    }

    /// The wanted rows as records, and the shard that reads their posts.
    async fn take(
        &self,
        cx: &Context,
        tenant: &Tenant,
        rows: &[Raw],
        wanted: Wanted,
    ) -> Result<Taken> {
        let mut page = Page::new(Vec::new(), Next::End(watermark(cx.now())));
        let definitions = self.definitions(cx).await?;
        let mut decoded: Vec<(Case, &Raw)> = Vec::with_capacity(rows.len());
        let mut changed = Vec::with_capacity(rows.len());
        let mut hidden = 0;
        for raw in rows {
            match wire::decode::<Case>(raw) {
                Ok(case) => {
                    changed.push(case.updated_at);
                    if case.is_hidden() {
                        hidden += 1
                    } else {
                        decoded.push((case, raw))
                    }
                }
                Err(defect) => page.rejects.push(convert::reject(
                    RecordKind::Conversation,
                    id_of(raw),
                    defect,
                    raw,
                )),
            }
        }
        if hidden > 0 {
            page.notes.push(format!(
                "{hidden} cases in the trash or held back as spam were not read"
            ));
        }
        let decoded = self.wanted(cx, tenant, decoded, wanted).await?;
        let people: Vec<&wire::Ref> = decoded
            .iter()
            .flat_map(|(case, _)| case.requester.iter().chain(assignee(case)))
            .collect();
        let found = self.resolve(cx, tenant, &people).await?;
        let mut placeholders = BTreeSet::new();
        for (case, raw) in &decoded {
            let key = |user: Option<&wire::Ref>| {
                let id = user?.user()?;
                found.people.get(&id)?.key(tenant, id)
            };
            let mut people = CasePeople {
                requester: key(case.requester.as_ref()),
                assignee: key(assignee(case)),
            };
            if let (Some(id), None) = (
                case.requester.as_ref().and_then(wire::Ref::user),
                &people.requester,
            ) {
                page.notes.push(format!(
                    "case {}: its requester, user {id}, is gone",
                    case.id
                ));
            }
            if let (Some(id), None) = (assignee(case).and_then(wire::Ref::user), &people.assignee) {
                // Whoever had a case was an agent; the number is all that is left of them.
                people.assignee = Some(tenant.key(RecordKind::Agent, id));
                if placeholders.insert(id) {
                    page.records
                        .push(Record::from(convert::departed(tenant, id)));
                }
                page.notes.push(format!(
                    "case {}: its assignee, user {id}, is gone",
                    case.id
                ));
            }
            let mut record = Record::from(convert::conversation(
                tenant,
                &definitions.values,
                case,
                people,
            ));
            self.keep_raw(&mut record, raw);
            page.records.push(record);
        }
        page.records.extend(found.records);
        page.rejects.extend(found.rejects);
        let cases: Vec<Scoped> = decoded
            .iter()
            .map(|(case, _)| Scoped {
                id: case.id,
                merged: case.is_merged == Some(true),
            })
            .collect();
        let stamp = match wanted {
            Wanted::Fresh => None,
            Wanted::ChangedSince(_) => decoded.first().and_then(|(case, _)| case.updated_at),
        };
        page.spawn.extend(posts::shard(&cases, stamp)?);
        Ok(Taken {
            page,
            cases: cases.len() as u64,
            changed,
        })
    }

    async fn wanted<'a>(
        &self,
        cx: &Context,
        tenant: &Tenant,
        mut rows: Vec<(Case, &'a Raw)>,
        wanted: Wanted,
    ) -> Result<Vec<(Case, &'a Raw)>> {
        let mut met = BTreeSet::new();
        rows.retain(|(case, _)| met.insert(case.id));
        match wanted {
            Wanted::ChangedSince(until) => {
                rows.retain(|(case, _)| case.updated_at.is_some_and(|changed| changed >= until));
                Ok(rows)
            }
            Wanted::Fresh => {
                let keys: Vec<_> = rows
                    .iter()
                    .map(|(case, _)| tenant.key(RecordKind::Conversation, case.id))
                    .collect();
                let seen = cx.seen(&keys).await?;
                Ok(rows
                    .into_iter()
                    .zip(seen)
                    .filter(|(_, seen)| !seen)
                    .map(|(row, _)| row)
                    .collect())
            }
        }
    }
}

fn assignee(case: &Case) -> Option<&wire::Ref> {
    case.assigned_agent.as_ref().or(case.assignee.as_ref())
}

fn ids(rows: &[Raw]) -> Vec<String> {
    rows.iter()
        .map(|raw| id_of(raw).unwrap_or_default())
        .collect()
}
