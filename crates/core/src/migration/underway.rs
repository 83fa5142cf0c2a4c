//! Records that were handed to the sink and have no outcome yet.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};
use crate::key::RecordId;
use crate::ledger::Final;
use crate::sink::{Loaded, Outcome, Verdict};

/// A phase's name and the records of it that are done.
pub(super) type Settled = HashMap<&'static str, Vec<Final>>;

/// What the sink has and did not answer for: a record is done when each of its parts is.
#[derive(Debug, Default)]
pub(super) struct Underway(Mutex<HashMap<RecordId, Open>>);

#[derive(Debug)]
struct Open {
    phase: &'static str,
    parts: BTreeSet<u32>,
    gravest: Option<Verdict>,
    version: u64,
}

impl Underway {
    fn open(&self) -> MutexGuard<'_, HashMap<RecordId, Open>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// These records go to the sink.
    pub(super) fn hand_over(&self, phase: &'static str, records: &[Loaded]) {
        let mut open = self.open();
        for loaded in records {
            let one = open.entry(loaded.id).or_insert_with(|| Open {
                phase,
                parts: BTreeSet::new(),
                gravest: None,
                version: loaded.version,
            });
            one.parts.insert(loaded.part);
        }
    }

    /// Takes the sink's answers, whichever batch they come with. Gives the records that are done, each under its phase.
    ///
    /// # Errors
    /// `Bug` when the sink answers for a record that it does not have.
    pub(super) fn answer(&self, outcomes: Vec<Outcome>) -> Result<Settled> {
        let mut open = self.open();
        let mut settled = Settled::new();
        for outcome in outcomes {
            let Some(one) = open.get_mut(&outcome.record) else {
                return Err(Error::bug(
                    "take an outcome",
                    format!("the sink has no record {} to answer for", outcome.record),
                ));
            };
            one.parts.remove(&outcome.part);
            one.gravest = Some(match one.gravest.take() {
                Some(other) => graver(other, outcome.verdict),
                None => outcome.verdict,
            });
            if one.parts.is_empty()
                && let Some(Open {
                    phase,
                    gravest: Some(verdict),
                    version,
                    ..
                }) = open.remove(&outcome.record)
            {
                settled.entry(phase).or_default().push(Final {
                    record: outcome.record,
                    verdict,
                    version: Some(version),
                });
            }
        }
        Ok(settled)
    }
}

/// The verdict of a record of two parts: what went wrong outweighs what went well.
fn graver(one: Verdict, two: Verdict) -> Verdict {
    const fn weight(verdict: &Verdict) -> u8 {
        match verdict {
            Verdict::Skipped(_) => 0,
            Verdict::Unchanged(_) => 1,
            Verdict::Updated => 2,
            Verdict::Created => 3,
            Verdict::Held(_) => 4,
            Verdict::Failed { .. } => 5,
        }
    }
    if weight(&two) > weight(&one) {
        two
    } else {
        one
    }
}
