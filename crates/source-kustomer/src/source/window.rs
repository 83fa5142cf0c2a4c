//! The walk through everything of a kind by time of change: pure rules, no I/O (Kustomer reference, section 2.3).
//!
//! Rows come in the order of their last change. Each page is the first one of a new search that begins at the last moment of
//! the page before: no page is ever counted from the front, so rows that change while they are read (they move to the end)
//! cannot push others out of sight, and no search goes near the ten thousandth hit. Rows of the moment at which two pages
//! meet come twice. Where one moment fills a page (bulk edits), what it holds is walked by time of making; where even that
//! stands still, by page number up to the cap, and what lies beyond is said. The last search is open to the future, so what
//! changed meanwhile is read at its end.
//!
//! A platform that forgets the order is read in windows small enough to be read whole, by page number.

use serde::{Deserialize, Serialize};

use crate::client::{Index, MOST_HITS, SEARCH_PAGE};

/// A window that is read by page number holds no more: far enough from the cap for what is added meanwhile.
const SAFE: u64 = 9_000;
/// What changed within this time while a window was read is left to the next read of changes.
const RECENT: i64 = 60_000;

/// When a row was changed and made, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) updated: i64,
    pub(super) created: i64,
}

/// How far a kind of thing was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Reading {
    pub(super) index: Index,
    pub(super) step: Step,
    /// When the reading began.
    pub(super) started: i64,
    /// How many rows the index had when it was first asked.
    total: Option<u64>,
    /// Rows seen in this index, each once as far as is known.
    read: u64,
    /// Rows of the moment where this page begins that the page before has shown.
    again: u64,
    /// Where the reading began: everything, or changes since.
    first: i64,
}

/// The next search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Step {
    /// Everything from this moment on, in order.
    Slide { from: i64 },
    /// What one moment holds, from a time of making on.
    Burst { at: i64, made: i64, page: u32 },
    /// A window of an index that knows no order.
    Split { from: i64, to: i64, page: u32 },
}

/// What follows a page.
#[derive(Debug, PartialEq)]
pub(super) struct Advance {
    /// The next search of any index; none at the end.
    pub(super) next: Option<Reading>,
    pub(super) notes: Vec<String>,
}

impl Reading {
    /// From the beginning of time, the archive first: what changes while it is read appears in the young index, which comes after.
    pub(super) fn whole(now: i64) -> Self {
        Self::of(Index::Archive, 0, now)
    }

    /// What changed since. Nothing that did is in the archive.
    pub(super) fn since(from: i64, now: i64) -> Self {
        Self::of(Index::Young, from, now)
    }

    fn of(index: Index, from: i64, now: i64) -> Self {
        Self {
            index,
            step: Step::Slide { from },
            started: now,
            total: None,
            read: 0,
            again: 0,
            first: from,
        }
    }

    /// Whether rows of this moment were on the page before.
    pub(super) fn repeats(&self, updated: i64) -> bool {
        match self.step {
            Step::Slide { from } => self.again > 0 && updated == from,
            Step::Burst { .. } | Step::Split { .. } => true,
        }
    }

    /// Takes note of a page.
    pub(super) fn advance(mut self, rows: &[Stamp], total: Option<u64>, now: i64) -> Advance {
        let mut notes = Vec::new();
        self.total = self.total.or(total);
        let next = match self.step {
            Step::Slide { from } => self.slid(from, rows, total, now, &mut notes),
            Step::Burst { at, made, page } => self.burst((at, made, page), rows, total, &mut notes),
            Step::Split { from, to, page } => self.split((from, to, page), rows, total, now),
        };
        let next = match next {
            Some(step) => Some(Self { step, ..self }),
            None => self.after(&mut notes),
        };
        Advance { next, notes }
    }

    /// The other index, if there is one left.
    fn after(self, notes: &mut Vec<String>) -> Option<Self> {
        let shown = self.total.unwrap_or(self.read);
        if self.read < shown {
            notes.push(format!(
                "the search counted {shown} and showed {}: the rest changed or vanished while it was read",
                self.read
            ));
        }
        match self.index {
            Index::Archive => Some(Self {
                started: self.started,
                ..Self::of(Index::Young, self.first, self.started)
            }),
            Index::Young => None,
        }
    }

    fn count(&mut self, from: i64, rows: &[Stamp]) {
        let repeated = rows.iter().filter(|row| row.updated == from).count() as u64;
        self.read += rows.len() as u64 - repeated.min(self.again);
    }

    fn slid(
        &mut self,
        from: i64,
        rows: &[Stamp],
        total: Option<u64>,
        now: i64,
        notes: &mut Vec<String>,
    ) -> Option<Step> {
        let in_order = rows.is_sorted_by_key(|row| row.updated)
            && rows.first().is_none_or(|row| row.updated >= from);
        if !in_order {
            notes.push(
                "the search did not keep its order: read in small windows instead".to_owned(),
            );
            self.again = 0;
            return Some(Step::Split {
                from,
                to: now.max(from),
                page: 1,
            });
        }
        self.count(from, rows);
        let last = rows.last()?.updated;
        if !more(rows, 1, total) {
            return None;
        }
        self.again = rows.iter().filter(|row| row.updated == last).count() as u64;
        Some(if last > from {
            Step::Slide { from: last }
        } else {
            // Counted once already; what the moment holds is counted as it is walked.
            self.read = self.read.saturating_sub(self.again);
            Step::Burst {
                at: from,
                made: 0,
                page: 1,
            }
        })
    }

    fn burst(
        &mut self,
        (at, made, page): (i64, i64, u32),
        rows: &[Stamp],
        total: Option<u64>,
        notes: &mut Vec<String>,
    ) -> Option<Step> {
        let on = Step::Slide { from: at + 1 };
        if !more(rows, page, total) {
            self.read += total.unwrap_or(rows.len() as u64);
            self.again = 0;
            return Some(on);
        }
        let in_order = rows.is_sorted_by_key(|row| row.created);
        let last = rows.last().map_or(made, |row| row.created);
        if in_order && page == 1 && last > made {
            let before = rows.iter().filter(|row| row.created < last).count() as u64;
            self.read += before;
            return Some(Step::Burst {
                at,
                made: last,
                page: 1,
            });
        }
        if u64::from(page + 1) * SEARCH_PAGE as u64 > MOST_HITS {
            let seen = u64::from(page) * SEARCH_PAGE as u64;
            self.read += seen;
            self.again = 0;
            notes.push(format!(
                "incomplete: {} rows changed in one and the same millisecond ({at}) were made at one moment too, and no search shows more than {MOST_HITS} of them",
                total.unwrap_or(seen)
            ));
            return Some(on);
        }
        Some(Step::Burst {
            at,
            made,
            page: page + 1,
        })
    }

    fn split(
        &mut self,
        (from, to, page): (i64, i64, u32),
        rows: &[Stamp],
        total: Option<u64>,
        now: i64,
    ) -> Option<Step> {
        let hits = total.unwrap_or(rows.len() as u64);
        if hits > SAFE && to > from {
            return Some(Step::Split {
                from,
                to: from + (to - from) / 2,
                page: 1,
            });
        }
        if hits > SAFE {
            return Some(Step::Burst {
                at: from,
                made: 0,
                page: 1,
            });
        }
        self.read += rows.len() as u64;
        if more(rows, page, total) {
            return Some(Step::Split {
                from,
                to,
                page: page + 1,
            });
        }
        let end = if to >= self.started {
            now
        } else {
            self.started
        };
        if to >= self.started && end - to < RECENT {
            return None;
        }
        let width = (to - from).max(1);
        Some(Step::Split {
            from: to + 1,
            to: (to + 1)
                .saturating_add(width.saturating_mul(2))
                .min(end.max(to + 1)),
            page: 1,
        })
    }
}

/// Whether a search has rows beyond a page.
fn more(rows: &[Stamp], page: u32, total: Option<u64>) -> bool {
    let shown = u64::from(page - 1) * SEARCH_PAGE as u64 + rows.len() as u64;
    match total {
        Some(total) => !rows.is_empty() && shown < total,
        None => rows.len() >= SEARCH_PAGE,
    }
}

#[cfg(test)]
mod tests;
