//! The walk through a list whose rows move while it is read: pure rules, no I/O (Kayako reference, section 4).
//!
//! Pages overlap by one row. If the last row of a page shows up again in the next one, nothing was skipped between them;
//! if it does not, rows have left the list before that place, others took their places, and the walk steps back a page.

use chrono::{DateTime, Utc};
use deskferry_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use crate::client::{Listed, PAGE, Place};

/// A list that moves more often than this is read on without stepping back; what is missing is looked for by id.
const MAX_STEPS: u32 = 20;

/// How far a list was read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Walk {
    /// Where the next page begins.
    pub(super) place: Place,
    /// The platform's clock when the walk began.
    pub(super) start: Option<DateTime<Utc>>,
    /// The row that the next page must show again.
    last: Option<String>,
    /// First id, last id and number of rows of the page before.
    before: Option<(String, String, u64)>,
    /// Rows seen, each once, unless the list moved.
    pub(super) distinct: u64,
    /// Pages read.
    pub(super) pages: u64,
    /// How many rows the list has, as far as the platform told last.
    pub(super) total: Option<u64>,
    /// The highest id seen.
    pub(super) highest: u64,
    /// Whether rows left the list while it was read.
    pub(super) moved: bool,
    steps: u32,
}

/// What follows a page.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    /// Another page.
    More(Walk),
    /// The end of the list.
    Done(Walk),
}

impl Walk {
    /// Takes note of the page that was answered at [`place`](Self::place).
    ///
    /// # Errors
    /// `Protocol`: the page before came again, or the platform's link leads back.
    pub(super) fn advance(
        mut self,
        ids: &[String],
        listed: &Listed,
        operation: &'static str,
    ) -> Result<Step> {
        self.start = self.start.or(listed.server_time);
        self.pages += 1;
        self.total = listed.total.or(self.total);
        self.highest = ids
            .iter()
            .filter_map(|id| id.parse().ok())
            .fold(self.highest, u64::max);
        let (Some(first), Some(last)) = (ids.first(), ids.last()) else {
            // So many rows have left that the list ends before this place.
            let expected = self.last.take().is_some();
            return Ok(if expected {
                self.step_back()
            } else {
                Step::Done(self)
            });
        };
        let page = (first.clone(), last.clone(), ids.len() as u64);
        if self.before.as_ref() == Some(&page) {
            return Err(stuck(
                operation,
                format!("a page of {} rows came twice", ids.len()),
            ));
        }
        let again = self
            .last
            .take()
            .map(|wanted| ids.iter().position(|id| *id == wanted));
        match again {
            Some(None) if self.may_step_back() => return Ok(self.step_back()),
            Some(None) => {
                self.moved = true;
                self.distinct += page.2;
            }
            Some(Some(position)) => self.distinct += page.2 - 1 - position as u64,
            None => self.distinct += page.2,
        }
        let Some((place, overlaps)) = self.next(page.2, listed, operation)? else {
            return Ok(Step::Done(self));
        };
        self.place = place;
        self.last = overlaps.then(|| page.1.clone());
        self.before = Some(page);
        Ok(Step::More(self))
    }

    fn may_step_back(&self) -> bool {
        matches!(self.place, Place::Offset(_)) && self.steps < MAX_STEPS
    }

    /// Reads again from a page before: rows that took the places of others are there now.
    fn step_back(mut self) -> Step {
        self.moved = true;
        match self.place {
            Place::Offset(offset) if self.steps < MAX_STEPS => Step::More(Self {
                place: Place::Offset(offset.saturating_sub(PAGE)),
                before: None,
                steps: self.steps + 1,
                ..self
            }),
            _ => Step::Done(self),
        }
    }

    /// The next place, and whether the last row must show up there again. The platform's link tells that there is more;
    /// how far is told by what was received.
    fn next(
        &self,
        received: u64,
        listed: &Listed,
        operation: &'static str,
    ) -> Result<Option<(Place, bool)>> {
        let offset = match (&self.place, &listed.next) {
            (place, Some(next @ Place::After(_))) => {
                return if next == place {
                    Err(stuck(
                        operation,
                        "the next page's link leads to this one".to_owned(),
                    ))
                } else {
                    Ok(Some((next.clone(), false)))
                };
            }
            (Place::After(_), _) => return Ok(None),
            (Place::Offset(offset), _) => *offset,
        };
        let reached = offset + received;
        let more = match (&listed.next, listed.total) {
            (Some(Place::Offset(next)), _) if *next <= offset => {
                return Err(stuck(
                    operation,
                    format!("the next page's link leads back from row {offset} to row {next}"),
                ));
            }
            (Some(_), Some(total)) => reached < total || !listed.is_short(PAGE),
            (Some(_), None) => true,
            (None, Some(total)) => reached < total,
            (None, None) => !listed.is_short(PAGE),
        };
        let overlaps = received > 1;
        Ok(more.then_some((Place::Offset(reached - u64::from(overlaps)), overlaps)))
    }

    /// How many rows the platform counts beyond those that were seen.
    pub(super) fn missing(&self) -> u64 {
        self.total.unwrap_or(0).saturating_sub(self.distinct)
    }
}

fn stuck(operation: &'static str, message: String) -> Error {
    Error::new(ErrorKind::Protocol, operation, message).advise(
        "Reading on would never end or would miss rows; run `resume` to read on from this page",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn listed(rows: usize, total: Option<u64>, next: Option<Place>) -> Listed {
        let raw = || serde_json::value::RawValue::from_string("{}".to_owned()).unwrap();
        let mut listed = Listed::default();
        listed.rows = (0..rows).map(|_| raw()).collect();
        listed.limit = Some(PAGE);
        listed.total = total;
        listed.next = next;
        listed
    }

    fn page_of(list: &[u64], walk: &Walk) -> (Vec<String>, Listed) {
        let Place::Offset(offset) = walk.place else {
            panic!("offsets only")
        };
        let ids: Vec<String> = list
            .iter()
            .skip(offset as usize)
            .take(PAGE as usize)
            .map(u64::to_string)
            .collect();
        let listed = listed(ids.len(), Some(list.len() as u64), None);
        (ids, listed)
    }

    /// Reads a list that `change` alters before each page but the first; gives the ids seen and the walk's own account.
    fn read(
        mut list: Vec<u64>,
        mut change: impl FnMut(u64, &mut Vec<u64>),
    ) -> (std::collections::BTreeSet<u64>, Walk) {
        let mut walk = Walk::default();
        let mut seen = std::collections::BTreeSet::new();
        loop {
            if walk.pages > 0 {
                change(walk.pages, &mut list);
            }
            let (ids, listed) = page_of(&list, &walk);
            seen.extend(ids.iter().map(|id| id.parse::<u64>().unwrap()));
            match walk.advance(&ids, &listed, "list").unwrap() {
                Step::More(next) => walk = next,
                Step::Done(walk) => return (seen, walk),
            }
        }
    }

    #[test]
    fn a_list_that_stands_still_is_read_once_with_one_row_of_overlap_per_page() {
        for (rows, pages) in [
            (0, 1),
            (1, 1),
            (100, 1),
            (101, 2),
            (199, 2),
            (200, 3),
            (1000, 11),
        ] {
            let (seen, walk) = read((0..rows).collect(), |_, _| {});
            assert_eq!(
                (seen.len() as u64, walk.distinct, walk.pages),
                (rows, rows, pages),
                "{rows} rows"
            );
            assert!(!walk.moved && walk.missing() == 0, "{rows} rows");
        }
    }

    #[test]
    fn rows_that_jump_to_the_top_cost_nothing_and_lose_nothing() {
        let (seen, walk) = read((0..500).collect(), |_, list| {
            let jumped = list.remove(400);
            list.insert(0, jumped);
        });
        assert!(seen.len() >= 496 && !walk.moved, "{} {walk:?}", seen.len());
    }

    #[test]
    fn rows_that_leave_make_the_walk_step_back_so_that_none_is_skipped() {
        let (seen, walk) = read((0..500).collect(), |page, list| {
            if page == 2 {
                list.drain(10..40);
            }
        });
        assert_eq!(seen.len(), 500);
        assert!(walk.moved);
    }

    #[test]
    fn a_list_that_shrinks_below_the_next_page_is_read_from_a_page_before() {
        let (seen, walk) = read((0..150).collect(), |page, list| {
            if page == 1 {
                list.drain(10..70);
            }
        });
        assert_eq!((seen.len(), walk.moved), (150, true));
    }

    #[test]
    fn a_page_that_repeats_and_a_link_that_leads_back_are_errors() {
        let ids: Vec<String> = (0..100).map(|id: u64| id.to_string()).collect();
        let Step::More(walk) = Walk::default()
            .advance(&ids, &listed(100, Some(300), None), "list")
            .unwrap()
        else {
            panic!("there is more")
        };
        let again = walk
            .clone()
            .advance(&ids, &listed(100, Some(300), None), "list")
            .unwrap_err();
        assert_eq!(again.kind(), ErrorKind::Protocol);
        let others: Vec<String> = (99..199).map(|id: u64| id.to_string()).collect();
        let back = walk
            .advance(
                &others,
                &listed(100, Some(300), Some(Place::Offset(0))),
                "list",
            )
            .unwrap_err();
        assert!(back.to_string().contains("leads back"), "{back}");
        let after = Walk {
            place: Place::After("9".into()),
            ..Walk::default()
        };
        assert!(
            after
                .advance(
                    &others,
                    &listed(100, None, Some(Place::After("9".into()))),
                    "list"
                )
                .is_err()
        );
    }

    #[test]
    fn a_list_with_cursor_links_is_followed_by_them() {
        let ids: Vec<String> = (0..100).map(|id: u64| id.to_string()).collect();
        let Step::More(walk) = Walk::default()
            .advance(
                &ids,
                &listed(100, None, Some(Place::After("99".into()))),
                "list",
            )
            .unwrap()
        else {
            panic!("there is more")
        };
        assert_eq!(walk.place, Place::After("99".into()));
        let rest: Vec<String> = (100..120).map(|id: u64| id.to_string()).collect();
        let Step::Done(walk) = walk
            .advance(&rest, &listed(20, None, None), "list")
            .unwrap()
        else {
            panic!("that was all")
        };
        assert_eq!(walk.distinct, 120);
    }

    proptest! {
        #[test]
        fn a_row_that_stays_where_it_is_is_seen_or_the_walk_says_that_the_list_moved(
            rows in 0_u64..600,
            changes in proptest::collection::vec((1_u64..8, 0_usize..600, any::<bool>()), 0..60),
        ) {
            // What left needs no reading; what jumped to the top is caught up with later.
            let mut excused = std::collections::BTreeSet::new();
            let (seen, walk) = read((0..rows).collect(), |page, list| {
                for (when, place, leaves) in &changes {
                    if *when == page && *place < list.len() {
                        let row = list.remove(*place);
                        excused.insert(row);
                        if !leaves {
                            list.insert(0, row);
                        }
                    }
                }
            });
            let missed = (0..rows).filter(|id| !seen.contains(id) && !excused.contains(id)).count();
            prop_assert!(missed == 0 || walk.moved || walk.missing() > 0, "{missed} missed, {walk:?}");
        }
    }
}
