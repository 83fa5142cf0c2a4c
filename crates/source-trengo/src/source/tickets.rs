//! The walk through the tickets: a list that moves while it is read (Trengo reference, section 5.2).
//!
//! 1. *Scan*: newest activity first, without a filter. What is active meanwhile moves to the front, so rows come twice or are found
//!    by the third step; none is skipped. A ticket that is gone pulls the rest up: its page is listed once more.
//! 2. *States*: spam, which the list may leave out; and the first page of each other state, in case it leaves those out too.
//! 3. *Changed*: what changed since the scan began, until nothing new comes. A later read of changes only is this step alone.
//! 4. *Check*: the ids of all tickets by the reporting interface, which no movement disturbs; what no list showed is asked for by
//!    id.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use deskferry_core::http::Outlook;
use deskferry_core::model::Record;
use deskferry_core::source::{Cursor, Next, Page, Shard, Watermark};
use deskferry_core::{Context, ErrorKind, RecordKey, RecordKind, Result};
use futures::{StreamExt as _, TryStreamExt as _};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::estimate::Counted;
use super::setup::Setup;
use super::ticket::{Desk, Read};
use super::{Trengo, cursor, fingerprint, needed, read_place, stuck, watermark, webhooks};
use crate::client::PAGE;
use crate::convert::{self, Outline};
use crate::wire::{Moment, Row, redacted};

/// So many tickets are read between two commits.
const BATCH: usize = 8;
/// How many tickets that were gone are remembered: they must not be asked for again and again.
const GONE: usize = 200;
/// The zone of `updated_at_gt` is not documented, so it is asked for a day earlier; rows tell exactly.
const OVERLAP: TimeDelta = TimeDelta::hours(24);
/// A change within this time of the begin may have been read before it was stored.
const MARGIN: TimeDelta = TimeDelta::seconds(60);
/// A list that goes on after so many pages is measured: a dozen requests, for one that takes many hundreds.
const MEASURED: u64 = 12;
/// Ids of a page of the reporting interface, until one was seen.
const REPORTED: u64 = 100;
/// So often changes are caught up with; a workspace that never rests is left to the next read of changes.
const MOST_PASSES: u32 = 20;
/// The states that are asked for by name: spam to its end, the others as far as they bring anything new.
pub(super) const STATES: [&str; 4] = ["INVALID", "CLOSED", "ASSIGNED", "OPEN"];

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Phase {
    Scan {
        page: u64,
    },
    State {
        /// Its place among [`STATES`].
        state: usize,
        page: u64,
    },
    Changed {
        page: u64,
        since: DateTime<Utc>,
        /// The platform's clock when this pass began.
        began: Option<DateTime<Utc>>,
        /// Whether it brought anything.
        brought: bool,
        pass: u32,
    },
    /// What an archive of webhooks names, instead of what changed.
    Named {
        after: u64,
        since: DateTime<Utc>,
    },
    /// Which tickets of earlier reads are gone.
    Sweep {
        after: Option<RecordKey>,
        gone: u64,
    },
    Check {
        after: u64,
        /// How many tickets were found that no list showed.
        found: u64,
    },
    Done,
}

/// A ticket of the list that is still to be read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Waiting {
    row: Value,
    /// The row is the ticket alone, with all that lists leave out.
    #[serde(default)]
    alone: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Reading {
    phase: Phase,
    /// The platform's clock when the scan began: where the next read of changes starts.
    start: Option<DateTime<Utc>>,
    /// Whether only changes are read.
    #[serde(default)]
    delta: bool,
    /// What is left of the page that was listed last: at most one page of a list.
    #[serde(default)]
    waiting: Vec<Waiting>,
    /// What the page before is known by.
    #[serde(default)]
    last: String,
    /// A ticket of the page was gone, so that others may have moved up into it.
    #[serde(default)]
    pulled_up: bool,
    #[serde(default)]
    gone: Vec<u64>,
    /// Tickets by channel.
    #[serde(default)]
    counts: BTreeMap<u64, u64>,
    /// Filters that change nothing were told once.
    #[serde(default)]
    told: bool,
    #[serde(default)]
    pace: Pace,
    /// Up to when webhooks were read, in seconds since 1970.
    #[serde(default)]
    told_until: Option<i64>,
    /// Our own clock when this read began.
    #[serde(default)]
    ours: Option<DateTime<Utc>>,
}

/// What tickets took so far, and how many there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Pace {
    tickets: u64,
    requests: u64,
    /// How many the list has, once it was measured.
    listed: Option<u64>,
    /// Ids that the reporting interface gave, and its last page.
    checked: u64,
    page: u64,
}

impl Reading {
    fn first(shard: &Shard, by_name: bool) -> Self {
        let since = shard
            .scope
            .get("since")
            .and_then(Value::as_str)
            .and_then(|text| DateTime::parse_from_rfc3339(text).ok())
            .map(|at| at.to_utc());
        Self {
            phase: match since {
                Some(since) if by_name => Phase::Named { after: 0, since },
                Some(since) => Phase::Changed {
                    page: 1,
                    since,
                    began: None,
                    brought: false,
                    pass: 1,
                },
                None => Phase::Scan { page: 1 },
            },
            start: None,
            delta: since.is_some(),
            waiting: Vec::new(),
            last: String::new(),
            pulled_up: false,
            gone: Vec::new(),
            counts: BTreeMap::new(),
            told: false,
            pace: Pace::default(),
            told_until: shard.scope.get("told").and_then(Value::as_i64),
            ours: None,
        }
    }

    /// Where the next read of changes begins: by the clock, and by webhooks.
    fn mark(&self, now: DateTime<Utc>) -> Watermark {
        let mut mark = watermark(self.start.unwrap_or(now));
        if let Some(told) = self.told_until {
            mark.place["told"] = told.into();
        }
        mark
    }

    /// About how many requests are still needed. Nothing while nobody knows how long the list is.
    fn left(&self, completeness: bool) -> Option<u64> {
        let known: u64 = self.counts.values().sum();
        let ahead = match self.phase {
            // A short list is read before it would have been measured.
            Phase::Scan { .. } => self.pace.listed?.saturating_sub(known),
            _ => 0,
        };
        let tickets = ahead + self.waiting.len() as u64;
        let pace = self.pace;
        let each = pace.requests as f64 / pace.tickets.max(1) as f64;
        let of_tickets = (tickets as f64 * each).round() as u64 + ahead.div_ceil(PAGE as u64);
        let states = match self.phase {
            Phase::Scan { .. } => STATES.len(),
            Phase::State { state, .. } => STATES.len().saturating_sub(state),
            _ => 0,
        } as u64;
        let changes = u64::from(states > 0 || matches!(self.phase, Phase::Changed { .. }));
        let check = match self.phase {
            Phase::Done => 0,
            _ if !completeness => 0,
            _ => {
                let size = if pace.page > 0 { pace.page } else { REPORTED };
                (known + ahead).saturating_sub(pace.checked).div_ceil(size) + 1
            }
        };
        Some(of_tickets + states + changes + check)
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.last.clear();
    }

    /// Refuses a page that is the one before once more.
    fn moved(&mut self, rows: &[Value], page: u64) -> Result<()> {
        let known_by = fingerprint(rows);
        if !rows.is_empty() && page > 1 && known_by == self.last {
            return Err(stuck("list tickets", page));
        }
        self.last = known_by;
        Ok(())
    }

    fn count(&mut self, outline: &Outline) {
        *self.counts.entry(outline.channel.unwrap_or(0)).or_default() += 1;
    }
}

impl Trengo {
    pub(super) async fn tickets_page(
        &self,
        cx: &Context,
        shard: &Shard,
        after: Option<Cursor>,
    ) -> Result<Page> {
        let setup = self.setup(cx).await?;
        let mut reading: Reading = read_place(after)
            .unwrap_or_else(|| Reading::first(shard, self.config.webhooks().is_some()));
        reading.ours.get_or_insert_with(|| cx.now());
        let mut page = Page::new(Vec::new(), Next::End(watermark(cx.now())));
        if reading.waiting.is_empty() {
            self.list(cx, &setup, &mut reading, &mut page).await?;
        }
        self.read_waiting(cx, &setup, &mut reading, &mut page)
            .await?;
        self.foresee(cx, &reading);
        page.next = match (reading.waiting.is_empty(), &reading.phase) {
            (true, Phase::Done) => {
                if !reading.delta {
                    page.notes.push(per_channel(&setup, &reading.counts));
                    self.unanswered(cx, &setup, &mut page).await?;
                }
                Next::End(reading.mark(cx.now()))
            }
            _ => Next::More(cursor(&reading)?),
        };
        Ok(page)
    }

    /// Tells how many requests are still to come, and when they will be through.
    fn foresee(&self, cx: &Context, reading: &Reading) {
        if reading.delta {
            return;
        }
        let Some(left) = reading.left(self.config.completeness()) else {
            return;
        };
        let time = Duration::from_secs_f64(left as f64 / self.client.per_second());
        let until = cx.now() + time;
        let outlook = Outlook { left, until };
        cx.meter().foresee(crate::PLATFORM, outlook);
    }

    /// Lists the next page, chooses what is to be read of it, and moves on.
    async fn list(
        &self,
        cx: &Context,
        setup: &Setup,
        reading: &mut Reading,
        page: &mut Page,
    ) -> Result<()> {
        match reading.phase.clone() {
            Phase::Scan { page: number } => self.scan(cx, setup, reading, number).await,
            Phase::State {
                state,
                page: number,
            } => self.state(cx, setup, reading, page, state, number).await,
            Phase::Changed { .. } => self.changed(cx, setup, reading, page).await,
            Phase::Named { after, since } => {
                self.named(cx, setup, reading, page, (after, since)).await
            }
            Phase::Sweep { after, gone } => {
                let began = reading.ours.unwrap_or_else(|| cx.now());
                let swept = self.sweep(cx, setup, began, after.as_ref(), page).await?;
                let gone = gone + swept.gone;
                match swept.after {
                    None => {
                        page.notes
                            .push(format!("tickets of earlier reads that are gone: {gone}"));
                        reading.enter(Phase::Done);
                    }
                    after => reading.phase = Phase::Sweep { after, gone },
                }
                Ok(())
            }
            Phase::Check { after, found } => {
                self.check_ids(cx, setup, reading, page, after, found).await
            }
            Phase::Done => Ok(()),
        }
    }

    async fn scan(
        &self,
        cx: &Context,
        setup: &Setup,
        reading: &mut Reading,
        number: u64,
    ) -> Result<()> {
        // After a ticket was gone its page is listed again; the rows that moved up into it are new.
        let number = match std::mem::take(&mut reading.pulled_up) && number > 1 {
            true => {
                reading.last.clear();
                number - 1
            }
            false => number,
        };
        let listed = self.client.tickets(cx, number, None).await?;
        let rows = listed.page.rows;
        reading.moved(&rows, number)?;
        if number == 1 && reading.start.is_none() {
            reading.start = listed.server_time.or_else(|| Some(cx.now()));
        }
        if number >= MEASURED && listed.page.more && reading.pace.listed.is_none() {
            let (pages, last) = self.last_page(cx, Counted::Tickets(None), number).await?;
            let size = rows.len() as u64;
            reading.pace.listed = Some((pages - 1) * size + last.unwrap_or(size));
        }
        let seen = self.seen(cx, setup, &rows).await?;
        let fresh = rows.into_iter().zip(seen).filter(|(_, seen)| !seen);
        let fresh: Vec<Value> = fresh.map(|(row, _)| row).collect();
        needed(cx, "tickets", fresh.len(), PAGE);
        self.await_reading(setup, reading, fresh);
        reading.phase = match listed.page.more {
            true => Phase::Scan { page: number + 1 },
            // A list of one page that lost a row has nothing below that could have moved up.
            false => Phase::State { state: 0, page: 1 },
        };
        Ok(())
    }

    async fn state(
        &self,
        cx: &Context,
        setup: &Setup,
        reading: &mut Reading,
        page: &mut Page,
        state: usize,
        number: u64,
    ) -> Result<()> {
        let Some(word) = STATES.get(state) else {
            let since = reading.start.unwrap_or_else(|| cx.now());
            reading.enter(Phase::Changed {
                page: 1,
                since,
                began: None,
                brought: false,
                pass: 1,
            });
            return Ok(());
        };
        if number == 1 {
            reading.last.clear();
        }
        let listed = self
            .client
            .tickets(cx, number, Some(("status", word)))
            .await?;
        let mut rows = listed.page.rows;
        reading.moved(&rows, number)?;
        let of_state = |row: &Value| {
            let status = Row(row).text("status").unwrap_or_default();
            status.eq_ignore_ascii_case(word)
        };
        let others = rows.iter().filter(|row| !of_state(row)).count();
        if others > 0 && others == rows.len() {
            // The filter changes nothing, as unknown ones do.
            page.notes.push(format!(
                "tickets cannot be listed by state: {word} brought others; whether the list leaves some out shows the check by id alone"
            ));
            rows.clear();
            reading.phase = Phase::State {
                state: STATES.len(),
                page: 1,
            };
        }
        let is_empty = rows.is_empty();
        let seen = self.seen(cx, setup, &rows).await?;
        let fresh = rows.into_iter().zip(seen).filter(|(_, seen)| !seen);
        let fresh: Vec<Value> = fresh.map(|(row, _)| row).collect();
        let nothing_new = fresh.is_empty();
        match state {
            0 => needed(cx, "spam", fresh.len(), PAGE),
            // Whether the list leaves a state out cannot be known without asking.
            _ => needed(cx, "states", usize::from(number == 1), 1),
        }
        self.await_reading(setup, reading, fresh);
        if !matches!(reading.phase, Phase::State { state: now, .. } if now == state) {
            return Ok(());
        }
        // Spam is read to its end; of the others one page without anything new says that the scan had them.
        let over = !listed.page.more || is_empty || (state > 0 && nothing_new);
        reading.phase = match over {
            true => Phase::State {
                state: state + 1,
                page: 1,
            },
            false => Phase::State {
                state,
                page: number + 1,
            },
        };
        Ok(())
    }

    async fn changed(
        &self,
        cx: &Context,
        setup: &Setup,
        reading: &mut Reading,
        page: &mut Page,
    ) -> Result<()> {
        let Phase::Changed {
            page: number,
            since,
            began,
            mut brought,
            pass,
        } = reading.phase.clone()
        else {
            return Ok(());
        };
        let zone = setup.ground.zone;
        let asked = zone.face(since - OVERLAP);
        let listed = self
            .client
            .tickets(cx, number, Some(("updated_at_gt", &asked)))
            .await?;
        let rows = listed.page.rows;
        reading.moved(&rows, number)?;
        let began = began.or(listed.server_time).or_else(|| Some(cx.now()));
        if reading.start.is_none() {
            reading.start = began;
        }
        needed(cx, "changes", usize::from(number == 1 && pass == 1), 1);
        let updated = |row: &Value| {
            let moment = Row(row).time("updated_at", zone).ok().flatten();
            moment.map(Moment::plain)
        };
        let older = |row: &Value, than: DateTime<Utc>| updated(row).is_some_and(|at| at < than);
        // Two hours for a zone on each side of the one that was asked for.
        let ignored = rows
            .iter()
            .any(|row| older(row, since - OVERLAP - TimeDelta::hours(3)));
        if ignored && !reading.told {
            reading.told = true;
            page.notes.push(
                "tickets cannot be listed by the time of their last change: the filter brings others too. Changes that did not move a ticket to the front of the list may be missed"
                    .to_owned(),
            );
        }
        let seen = self.seen(cx, setup, &rows).await?;
        let all_old = rows.iter().all(|row| older(row, since - MARGIN));
        let delta = reading.delta;
        let wanted: Vec<Value> = rows
            .into_iter()
            .zip(seen)
            .filter(|(row, seen)| {
                let changed = !older(row, since - MARGIN);
                // What a read of changes has never seen may be older: it is a part of the read before that failed.
                changed || !(*seen || ignored && delta)
            })
            .map(|(row, _)| row)
            .collect();
        brought |= !wanted.is_empty();
        self.await_reading(setup, reading, wanted);
        let more = listed.page.more && !(ignored && all_old);
        if more {
            reading.phase = Phase::Changed {
                page: number + 1,
                since,
                began,
                brought,
                pass,
            };
        } else if brought && pass < MOST_PASSES {
            reading.enter(Phase::Changed {
                page: 1,
                since: began.unwrap_or(since),
                began: None,
                brought: false,
                pass: pass + 1,
            });
        } else {
            if brought {
                page.notes.push(
                    "tickets changed faster than they were read: read the changes once more, best while nobody writes"
                        .to_owned(),
                );
            }
            // The next read of changes begins where this pass did.
            reading.start = began.or(reading.start);
            reading.enter(match reading.delta {
                false if self.config.completeness() => Phase::Check { after: 0, found: 0 },
                true if self.config.sweep() => Phase::Sweep {
                    after: None,
                    gone: 0,
                },
                _ => Phase::Done,
            });
        }
        Ok(())
    }

    /// Some of the tickets that an archive of webhooks names.
    async fn named(
        &self,
        cx: &Context,
        setup: &Setup,
        reading: &mut Reading,
        page: &mut Page,
        (after, since): (u64, DateTime<Utc>),
    ) -> Result<()> {
        let from = reading.told_until.unwrap_or(since.timestamp());
        let from = from - MARGIN.num_seconds();
        let Some(archive) = self.archive(cx, from, page).await? else {
            reading.enter(Phase::Changed {
                page: 1,
                since,
                began: None,
                brought: false,
                pass: 1,
            });
            return Ok(());
        };
        if after == 0 {
            for (gone, into) in &archive.merged {
                page.notes.push(format!(
                    "ticket {gone} was merged into ticket {into}, which has its messages now; what was loaded of it stays"
                ));
            }
        }
        let some: Vec<u64> = archive
            .tickets
            .range(after + 1..)
            .take(PAGE)
            .copied()
            .collect();
        let Some(last) = some.last().copied() else {
            page.notes.push(
                "what changed was read as webhooks told it; a delta without the archive finds what they did not tell"
                    .to_owned(),
            );
            // Lists go on from where they were last looked at.
            reading.start = Some(since);
            reading.told_until = archive.latest.max(reading.told_until);
            *self.archive.lock().await = None;
            reading.enter(Phase::Done);
            return Ok(());
        };
        for id in some {
            let key = setup.ground.key(RecordKind::Conversation, id);
            needed(cx, "named", 1, 1);
            match self.client.ticket(cx, id, key).await? {
                Some(row) => reading.waiting.push(Waiting {
                    row: redacted(&row),
                    alone: true,
                }),
                None => page.notes.push(webhooks::gone(id)),
            }
        }
        reading.phase = Phase::Named { after: last, since };
        Ok(())
    }

    /// Says of how many tickets of the survey nothing was read.
    async fn unanswered(&self, cx: &Context, setup: &Setup, page: &mut Page) -> Result<()> {
        let answers = &setup.ground.survey.answers;
        let keys: Vec<RecordKey> = answers
            .keys()
            .map(|id| setup.ground.key(RecordKind::Conversation, *id))
            .collect();
        let mut unknown = 0;
        for keys in keys.chunks(1_000) {
            let seen = cx.seen(keys).await?;
            let here = |key: &RecordKey| page.records.iter().any(|record| record.key() == key);
            let unseen = keys.iter().zip(seen).filter(|(_, seen)| !seen);
            unknown += unseen.filter(|(key, _)| !here(key)).count();
        }
        if unknown > 0 {
            page.notes.push(format!(
                "answers of the survey to tickets that were not read, and were left out: {unknown}"
            ));
        }
        Ok(())
    }

    /// One page of ids from the reporting interface; what no list showed is asked for by id.
    async fn check_ids(
        &self,
        cx: &Context,
        setup: &Setup,
        reading: &mut Reading,
        page: &mut Page,
        after: u64,
        mut found: u64,
    ) -> Result<()> {
        let rows = match self.client.reported(cx, after).await {
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::Forbidden
                        | ErrorKind::NotFound
                        | ErrorKind::Refused
                        | ErrorKind::Unsupported
                        | ErrorKind::Decode
                ) =>
            {
                page.notes.push(format!(
                    "the reporting interface is not to be had ({}), so nothing proves that the lists showed every ticket",
                    error.message()
                ));
                reading.enter(Phase::Done);
                return Ok(());
            }
            rows => rows?,
        };
        // How many a page has is not documented: as many as come.
        needed(cx, "completeness", 1, 1);
        let ids: Vec<u64> = rows
            .iter()
            .filter_map(reported_id)
            .filter(|id| *id > after)
            .collect();
        let Some(highest) = ids.iter().max().copied() else {
            if !rows.is_empty() {
                page.notes.push(
                    "the reporting interface does not go on by id, so nothing proves that the lists showed every ticket"
                        .to_owned(),
                );
            }
            if found > 0 {
                page.notes.push(format!(
                    "{found} tickets were in no list and were asked for by id"
                ));
            }
            reading.enter(Phase::Done);
            return Ok(());
        };
        if self.config.ticket_figures() {
            if after == 0 {
                let columns = convert::figure_fields(&setup.ground, &rows);
                page.records.extend(columns.into_iter().map(Record::from));
            }
            let figures = rows.iter().filter_map(|row| {
                let id = reported_id(row)?;
                Some(convert::ticket_figures(&setup.ground, id, Row(row)))
            });
            page.records.extend(figures.map(Record::from));
        }
        reading.pace.checked += ids.len() as u64;
        reading.pace.page = reading.pace.page.max(ids.len() as u64);
        let keys: Vec<RecordKey> = ids
            .iter()
            .map(|id| setup.ground.key(RecordKind::Conversation, *id))
            .collect();
        let seen = cx.seen(&keys).await?;
        for ((id, key), seen) in ids.into_iter().zip(keys).zip(seen) {
            if seen || reading.gone.contains(&id) {
                continue;
            }
            if let Some(row) = self.client.ticket(cx, id, key).await? {
                found += 1;
                if let Ok(outline) = Outline::of(&setup.ground, Row(&row)) {
                    reading.count(&outline);
                }
                reading.waiting.push(Waiting {
                    row: redacted(&row),
                    alone: true,
                });
            }
        }
        reading.phase = Phase::Check {
            after: highest,
            found,
        };
        Ok(())
    }

    /// Which of these tickets were read. A row without an id counts as not read: it becomes a reject.
    async fn seen(&self, cx: &Context, setup: &Setup, rows: &[Value]) -> Result<Vec<bool>> {
        let keys: Vec<RecordKey> = rows
            .iter()
            .map(|row| {
                let id = Row(row).id().unwrap_or_default();
                setup.ground.key(RecordKind::Conversation, id)
            })
            .collect();
        cx.seen(&keys).await
    }

    /// Puts rows of a list in line to be read, each ticket once.
    fn await_reading(&self, setup: &Setup, reading: &mut Reading, rows: Vec<Value>) {
        for row in rows {
            let outline = Outline::of(&setup.ground, Row(&row));
            if let Ok(outline) = &outline {
                if reading.gone.contains(&outline.id) {
                    continue;
                }
                // What changed meanwhile was counted when it was found.
                if !matches!(reading.phase, Phase::Changed { .. }) {
                    reading.count(outline);
                }
            }
            // A cursor is kept on disk.
            reading.waiting.push(Waiting {
                row: redacted(&row),
                alone: false,
            });
        }
    }

    /// Reads some of what waits, side by side.
    async fn read_waiting(
        &self,
        cx: &Context,
        setup: &Setup,
        reading: &mut Reading,
        page: &mut Page,
    ) -> Result<()> {
        if reading.waiting.is_empty() {
            return Ok(());
        }
        let joined = self.joined(cx).await?;
        let desk = Desk {
            setup,
            joined: &joined,
        };
        let batch: Vec<Waiting> = reading
            .waiting
            .drain(..BATCH.min(reading.waiting.len()))
            .collect();
        let reads: Vec<_> = batch
            .iter()
            .map(|one| Box::pin(self.read_ticket(cx, &desk, &one.row, one.alone)))
            .collect();
        let read: Vec<Read> = futures::stream::iter(reads)
            .buffered(self.config.parallel())
            .try_collect()
            .await?;
        let lost: Vec<RecordKey> = read
            .iter()
            .filter_map(|one| Some(setup.ground.key(RecordKind::Conversation, one.vanished?)))
            .collect();
        let mut known = cx.seen(&lost).await?.into_iter();
        let mut people = Read::default();
        for mut one in read {
            if let Some(ticket) = one.vanished
                && known.next() == Some(true)
            {
                // It was read whole before: that stays.
                one = Read {
                    vanished: one.vanished,
                    requests: one.requests,
                    notes: vec![webhooks::gone(ticket)],
                    ..Read::default()
                };
            }
            reading.pace.tickets += 1;
            reading.pace.requests += one.requests;
            // Beyond so many something else is wrong, and looking again and again would never end.
            if let Some(ticket) = one.vanished
                && reading.gone.len() < GONE
            {
                reading.pulled_up |= matches!(reading.phase, Phase::Scan { .. });
                reading.gone.push(ticket);
            }
            people.contacts.append(&mut one.contacts);
            for (id, named) in one.agents {
                let known = people.agents.entry(id).or_default();
                if known.is_none() {
                    *known = named;
                }
            }
            people.teams.append(&mut one.teams);
            people.rules.append(&mut one.rules);
            page.records.append(&mut one.records);
            page.rejects.append(&mut one.rejects);
            page.skips.append(&mut one.skips);
            for note in one.notes {
                if !page.notes.contains(&note) {
                    page.notes.push(note);
                }
            }
            page.complete.extend(one.complete);
        }
        let rules: BTreeMap<RecordKey, Record> = std::mem::take(&mut people.rules)
            .into_iter()
            .map(|rule| (rule.meta.key.clone(), Record::from(rule)))
            .collect();
        let keys: Vec<RecordKey> = rules.keys().cloned().collect();
        let seen = cx.seen(&keys).await?;
        let fresh = rules.into_values().zip(seen).filter(|(_, seen)| !seen);
        page.records.extend(fresh.map(|(rule, _)| rule));
        self.add_strangers(cx, &desk, people, page).await
    }

    /// Contacts, users and teams whom tickets name and no list had: as far as rows tell of them.
    async fn add_strangers(
        &self,
        cx: &Context,
        desk: &Desk<'_>,
        people: Read,
        page: &mut Page,
    ) -> Result<()> {
        let ground = &desk.setup.ground;
        let keys: Vec<RecordKey> = people.contacts.keys().cloned().collect();
        let seen = cx.seen(&keys).await?;
        let unseen = people
            .contacts
            .values()
            .zip(&seen)
            .filter(|(_, seen)| !**seen);
        for (row, _) in unseen {
            let made = convert::contact(ground, desk.joined, self.config.profiles(), Row(row));
            match made {
                Ok(contact) => page.records.push(Record::from(contact)),
                Err(defect) => {
                    let reject = convert::reject(RecordKind::Contact, defect, row);
                    page.rejects.push(reject);
                }
            }
        }
        let keys: Vec<RecordKey> = people
            .agents
            .keys()
            .map(|id| ground.key(RecordKind::Agent, *id))
            .chain(
                people
                    .teams
                    .keys()
                    .map(|id| ground.key(RecordKind::Team, *id)),
            )
            .collect();
        let mut seen = cx.seen(&keys).await?.into_iter();
        for (id, row) in &people.agents {
            if !seen.next().unwrap_or(false) {
                let agent = convert::departed(ground, *id, row.as_ref().map(Row));
                page.records.push(Record::from(agent));
            }
        }
        for (id, row) in &people.teams {
            if !seen.next().unwrap_or(false) {
                let team = convert::team(ground, *id, row.as_ref().map(Row));
                page.records.push(Record::from(team));
            }
        }
        Ok(())
    }
}

/// The ticket that a row of the reporting interface speaks of.
pub(super) fn reported_id(row: &Value) -> Option<u64> {
    let row = Row(row);
    row.reference("ticket_id").or_else(|| row.id().ok())
}

/// How many tickets the token's user sees of each channel: a channel that shows none, or too few, is a hole.
fn per_channel(setup: &Setup, counts: &BTreeMap<u64, u64>) -> String {
    let mut lines: Vec<(u64, String)> = setup
        .ground
        .channels
        .iter()
        .map(|(id, channel)| {
            let count = counts.get(id).copied().unwrap_or(0);
            (*id, format!("{} ({}) {count}", channel.title, channel.kind))
        })
        .collect();
    lines.sort();
    let unknown: u64 = counts
        .iter()
        .filter(|(id, _)| !setup.ground.channels.contains_key(id))
        .map(|(_, count)| count)
        .sum();
    let mut words: Vec<String> = lines.into_iter().map(|(_, line)| line).collect();
    if unknown > 0 {
        words.push(format!("channels that are not listed {unknown}"));
    }
    format!(
        "tickets by channel, as the token's user sees them: {}",
        words.join(", ")
    )
}
