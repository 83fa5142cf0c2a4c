//! The walk through the list of tickets: pure rules, no I/O.
//!
//! Pages overlap by one row. Whether the place at which a page begins is a count or a ticket's number is written nowhere
//! (Kayako reference, section 19), so it is asked for as a count, and the overlap tells: counted, a page begins with the last
//! ticket of the one before; by number it begins far in front of it. A page that begins behind it says that tickets have left.

use chrono::{DateTime, Utc};
use deskferry_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::client::TICKETS;

/// A list that moves more often than this is read on without stepping back.
const MAX_STEPS: u32 = 20;
/// Tickets that came back from the trash push others behind: so many at once are believed.
const PUSHED: usize = 5;

/// How far the list was read, by number.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Walk {
    /// Where the next page begins.
    pub(super) start: u64,
    /// The highest ticket so far.
    last: u64,
    /// The list begins its pages at a ticket's number.
    by_number: bool,
    steps: u32,
    /// The server's clock when the walk began.
    pub(super) begun: Option<DateTime<Utc>>,
}

/// What a page brought.
#[derive(Debug, PartialEq)]
pub(super) struct Step {
    /// Tickets that no page before had.
    pub(super) new: Vec<u64>,
    /// Where to go on; none at the end.
    pub(super) next: Option<Walk>,
    /// Tickets may be missing: they left faster than the walk could step back.
    pub(super) lost: bool,
}

impl Walk {
    /// Takes note of the page at [`start`](Self::start).
    ///
    /// # Errors
    /// `Protocol`: full pages bring nothing new.
    pub(super) fn advance(mut self, ids: &[u64]) -> Result<Step> {
        let is_last = (ids.len() as u64) < TICKETS;
        let is_first = self.last == 0;
        if !is_first && !self.by_number {
            let place = ids.iter().position(|id| *id >= self.last);
            let moved = ids.first().is_none_or(|first| *first > self.last);
            if moved && self.steps < MAX_STEPS {
                self.steps += 1;
                self.start = self.start.saturating_sub(TICKETS / 2);
                return Ok(Step {
                    new: Vec::new(),
                    next: Some(self),
                    lost: false,
                });
            }
            if self.steps == 0 && place.is_none_or(|place| place > PUSHED) && !moved {
                self.by_number = true;
                self.start = self.last;
                return Ok(Step {
                    new: Vec::new(),
                    next: Some(self),
                    lost: false,
                });
            }
        }
        let lost = !self.by_number
            && self.steps >= MAX_STEPS
            && ids.first().is_some_and(|first| *first > self.last);
        let mut new: Vec<u64> = ids.iter().copied().filter(|id| *id > self.last).collect();
        new.sort_unstable();
        new.dedup();
        let highest = new.last().copied().unwrap_or(self.last);
        let next = if is_last {
            None
        } else if new.is_empty() {
            return Err(Error::new(
                ErrorKind::Protocol,
                "list tickets",
                format!(
                    "a full page behind ticket {} brings none that is new",
                    self.last
                ),
            )
            .advise("Reading on would never end; run `resume` to read on from this page"));
        } else {
            self.start = match self.by_number {
                true => highest,
                false => self.start + ids.len() as u64 - 1,
            };
            self.last = highest;
            Some(self)
        };
        Ok(Step { new, next, lost })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A list as a server gives it, which may change between pages.
    fn walked(
        mut list: Vec<u64>,
        by_number: bool,
        mut between: impl FnMut(u32, &mut Vec<u64>),
    ) -> (Vec<u64>, u32) {
        let (mut walk, mut found, mut pages) = (Walk::default(), Vec::new(), 0);
        loop {
            pages += 1;
            assert!(pages < 100, "it goes round in circles");
            let count = usize::try_from(TICKETS).unwrap();
            let page: Vec<u64> = match by_number {
                true => list
                    .iter()
                    .copied()
                    .filter(|id| *id >= walk.start)
                    .take(count)
                    .collect(),
                false => list
                    .iter()
                    .copied()
                    .skip(usize::try_from(walk.start).unwrap())
                    .take(count)
                    .collect(),
            };
            let step = walk.advance(&page).unwrap();
            found.extend(step.new);
            match step.next {
                Some(next) => walk = next,
                None => return (found, pages),
            }
            between(pages, &mut list);
        }
    }

    #[test]
    fn every_ticket_is_found_once_whatever_the_place_of_a_page_means() {
        for by_number in [false, true] {
            for gap in [1, 2, 7] {
                for many in [0, 1, 249, 250, 251, 1_200] {
                    let list: Vec<u64> = (1..=many).map(|n| n * gap + 40).collect();
                    let (found, pages) = walked(list.clone(), by_number, |_, _| {});
                    assert_eq!(found, list, "by number: {by_number}, gap {gap}");
                    assert!(
                        u64::from(pages) <= many / (TICKETS - 1) + 2,
                        "{pages} pages for {many}"
                    );
                }
            }
        }
    }

    #[test]
    fn tickets_that_leave_between_pages_take_no_other_with_them() {
        let list: Vec<u64> = (1..=1_000).map(|n| n * 3).collect();
        let stay: Vec<u64> = list.iter().copied().filter(|id| *id > 60).collect();
        let (found, _) = walked(list, false, |page, list| {
            if page == 1 {
                list.retain(|id| *id > 60);
            }
        });
        let all: std::collections::BTreeSet<u64> = found.iter().copied().collect();
        assert_eq!(all.len(), found.len(), "one was found twice");
        assert!(stay.iter().all(|id| all.contains(id)));
    }

    #[test]
    fn tickets_that_come_back_from_the_trash_do_not_stop_the_walk() {
        let list: Vec<u64> = (100..=1_000).collect();
        let (found, _) = walked(list.clone(), false, |page, list| {
            if page == 1 {
                list.insert(0, 7);
            }
        });
        assert_eq!(found, list);
    }

    #[test]
    fn full_pages_without_anything_new_are_an_error_and_no_endless_loop() {
        let page: Vec<u64> = (1..=TICKETS).collect();
        let mut walk = Walk::default();
        for _ in 0..50 {
            match walk.advance(&page) {
                Ok(Step {
                    next: Some(next), ..
                }) => walk = next,
                Ok(step) => panic!("{step:?}"),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Protocol);
                    return;
                }
            }
        }
        panic!("it goes on for ever");
    }
}
