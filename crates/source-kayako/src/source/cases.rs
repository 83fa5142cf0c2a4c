//! The walk through the cases: a list that moves while it is read (Kayako reference, section 4).
//!
//! 1. *Walk*: from the last changed to the oldest; only cases that were not seen before are taken.
//! 2. *Recent*: from the top again, for what changed meanwhile. A later read of changes only is this step alone.
//! 3. *Fill*: if rows are missing or left the list, the ids that nobody saw are asked for by name.
//! 4. *Set aside*: what was thrown away or held back is in no list but the two views of its own (section 7).

use chrono::{DateTime, TimeDelta, Utc};
use deskferry_core::source::{Cursor, Next, Page, Shard};
use deskferry_core::{Context, ErrorKind, RecordKind, Result, Tenant};
use serde::{Deserialize, Serialize};

use super::take::{Taken, Wanted};
use super::walk::{Step, Walk};
use super::{Kayako, cursor, id_of, read_place, watermark};
use crate::client::{List, PAGE, needed};
use crate::config::Take;
use crate::wire::{self, Outline, Raw, SetAside};

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
    /// Where a read of changes only begins.
    #[serde(default)]
    since: Option<DateTime<Utc>>,
    /// How many different cases were seen, and the highest number among them; none in cursors that did not count.
    #[serde(default)]
    seen: Option<u64>,
    #[serde(default)]
    highest: u64,
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
    SetAside {
        /// The views that are left; none before they were asked for.
        views: Option<Vec<(u64, SetAside)>>,
        walk: Walk,
    },
}

impl Reading {
    fn first(shard: &Shard) -> Self {
        let since = shard
            .scope
            .get("since")
            .and_then(|since| since.as_str())
            .and_then(wire::lenient::parse_time);
        let since = since.map(|since| since - SAFETY);
        let phase = match since {
            Some(until) => Phase::Recent {
                walk: Walk::default(),
                until,
            },
            None => Phase::Walk(Walk::default()),
        };
        Self {
            phase,
            start: None,
            walked: None,
            round: 1,
            since,
            seen: Some(0),
            highest: 0,
        }
    }

    fn count(&mut self, taken: &Taken) {
        self.seen = self.seen.map(|seen| seen + taken.fresh);
        self.highest = self.highest.max(taken.highest);
    }

    /// Numbers below the highest that no list showed. An account that sees too little is told by nothing else.
    fn holes(&self) -> Option<String> {
        let holes = self.highest.saturating_sub(self.seen?);
        (self.since.is_none() && holes > 0).then(|| {
            format!(
                "cases are numbered up to {}; {holes} of these numbers are in no list that the account sees: deleted, or hidden from it",
                self.highest
            )
        })
    }
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
            Phase::SetAside { views, walk } => {
                self.set_aside(cx, &tenant, reading, views, walk).await
            }
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
        let taken = self.take(cx, tenant, &listed.rows, Wanted::Fresh).await?;
        needed_rows(cx, List::Cases, taken.fresh);
        reading.count(&taken);
        let mut page = taken.page;
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
                    return self.after_recent(reading, page);
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
        if reading.since.is_some() {
            let changed = taken.changed.iter().flatten().filter(|at| **at >= until);
            needed_rows(cx, List::Cases, changed.count() as u64);
        } else {
            needed_rows(cx, List::Cases, taken.fresh);
        }
        let reached = taken
            .changed
            .iter()
            .flatten()
            .any(|changed| *changed < until);
        reading.count(&taken);
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
                self.after_recent(reading, page)
            }
        }
    }

    /// What usual lists show was read; what is left was set aside.
    fn after_lists(&self, mut reading: Reading, mut page: Page) -> Result<Page> {
        reading.phase = Phase::SetAside {
            views: None,
            walk: Walk::default(),
        };
        page.next = Next::More(cursor(&reading)?);
        Ok(page)
    }

    /// On to what was set aside, unless rows are missing.
    fn after_recent(&self, mut reading: Reading, mut page: Page) -> Result<Page> {
        let walked = reading
            .walked
            .clone()
            .filter(|walk| walk.moved || walk.missing() > 0);
        let Some(walked) = walked else {
            return self.after_lists(reading, page);
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
            return self.after_lists(reading, page);
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
        if unseen.is_empty() {
            return self.after_lists(reading, empty(cx));
        }
        let listed = self.client.cases_by_id(cx, &unseen).await?;
        let taken = self.take(cx, tenant, &listed.rows, Wanted::Fresh).await?;
        needed_rows(cx, List::Cases, taken.fresh);
        let missing = missing.map(|missing| missing.saturating_sub(taken.fresh));
        reading.count(&taken);
        let mut page = taken.page;
        if below <= 1 || missing == Some(0) {
            return self.after_lists(reading, page);
        }
        reading.phase = Phase::Fill { below, missing };
        page.next = Next::More(cursor(&reading)?);
        Ok(page)
    }

    /// One page of the trash or of what is held back. Each case is named, also where it is to be left out.
    async fn set_aside(
        &self,
        cx: &Context,
        tenant: &Tenant,
        mut reading: Reading,
        views: Option<Vec<(u64, SetAside)>>,
        walk: Walk,
    ) -> Result<Page> {
        let mut notes = Vec::new();
        let mut views = match views {
            Some(views) => views,
            None => self.views_of_set_aside(cx, &mut notes).await?,
        };
        let mut page = empty(cx);
        if let Some((view, kind)) = views.first().copied() {
            let list = List::View(view);
            let listed = self.client.list(cx, list, &walk.place).await?;
            let whole;
            let rows = if self.takes(kind) == Take::Include {
                whole = self.written_out(cx, &listed.rows).await?;
                &whole
            } else {
                &listed.rows
            };
            let wanted = match reading.since {
                Some(since) => Wanted::ChangedSince(since),
                None => Wanted::Fresh,
            };
            let taken = self.take(cx, tenant, rows, wanted).await?;
            let lot = match kind {
                SetAside::Trash => "trash",
                SetAside::Suspended => "suspended",
            };
            needed(cx, lot, listed.rows.len() as f64 / PAGE as f64);
            reading.count(&taken);
            page = taken.page;
            match walk.advance(&ids(&listed.rows), &listed, list.operation())? {
                Step::More(walk) => {
                    reading.phase = Phase::SetAside {
                        views: Some(views),
                        walk,
                    };
                    page.notes.append(&mut notes);
                    page.next = Next::More(cursor(&reading)?);
                    return Ok(page);
                }
                Step::Done(walk) if walk.moved || walk.missing() > 0 => {
                    notes.push(format!(
                        "{}: rows left the list while it was read; {} of {} were counted",
                        list.operation(),
                        walk.distinct,
                        walk.total.unwrap_or_default()
                    ));
                }
                Step::Done(_) => {}
            }
            views.remove(0);
        }
        if views.is_empty() {
            notes.extend(reading.holes());
            page.next = Next::End(watermark(reading.start.unwrap_or_else(|| cx.now())));
        } else {
            reading.phase = Phase::SetAside {
                views: Some(views),
                walk: Walk::default(),
            };
            page.next = Next::More(cursor(&reading)?);
        }
        page.notes.append(&mut notes);
        Ok(page)
    }

    /// The views that show what was set aside, as far as the account sees them.
    async fn views_of_set_aside(
        &self,
        cx: &Context,
        notes: &mut Vec<String>,
    ) -> Result<Vec<(u64, SetAside)>> {
        let views = match self.views(cx).await {
            Err(error) if matches!(error.kind(), ErrorKind::Forbidden | ErrorKind::NotFound) => {
                Vec::new()
            }
            views => views?,
        };
        let found: Vec<(u64, SetAside)> = views
            .iter()
            .filter_map(|view| Some((view.id, SetAside::of(&view.kind)?)))
            .collect();
        for (kind, name) in [
            (SetAside::Trash, "trash"),
            (SetAside::Suspended, "suspended cases"),
        ] {
            if !found.iter().any(|(_, found)| *found == kind) {
                notes.push(format!(
                    "the account sees no view of the {name}: how many there are is not known, and none was read"
                ));
            }
        }
        Ok(found)
    }

    /// The rows of a view, each with all its fields: only single cases are known to be complete.
    async fn written_out(&self, cx: &Context, rows: &[Raw]) -> Result<Vec<Raw>> {
        let mut whole = Vec::with_capacity(rows.len());
        for raw in rows {
            let partial = wire::decode::<Outline>(raw)
                .ok()
                .filter(|outline| !outline.custom_fields);
            let full = match partial {
                Some(outline) => self.client.case(cx, outline.id).await?,
                None => None,
            };
            whole.push(full.unwrap_or_else(|| raw.clone()));
        }
        Ok(whole)
    }
}

fn needed_rows(cx: &Context, list: List, rows: u64) {
    needed(cx, list.operation(), rows as f64 / PAGE as f64);
}

fn empty(cx: &Context) -> Page {
    Page::new(Vec::new(), Next::End(watermark(cx.now())))
}

fn ids(rows: &[Raw]) -> Vec<String> {
    rows.iter()
        .map(|raw| id_of(raw).unwrap_or_default())
        .collect()
}
