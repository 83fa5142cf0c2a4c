//! Which records a load takes now. The others wait, and what hangs on them waits with them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::key::{RecordId, RecordKey, RecordKind};
use crate::ledger::Ledger;
use crate::model::{Conversation, Record, StatusState};
use crate::report::{ACTIVE, NOT_IN_SAMPLE};
use crate::sink::Verdict;
use crate::stage::index::{Index, Row};

/// The ledger's name for it.
const SELECTION: &str = "selection";

/// What a sample is cut out of. All else (agents, teams, definitions, categories) is set up whole.
pub(super) const SAMPLED: [RecordKind; 7] = [
    RecordKind::Account,
    RecordKind::Contact,
    RecordKind::Conversation,
    RecordKind::Message,
    RecordKind::Attachment,
    RecordKind::ObjectRecord,
    RecordKind::Article,
];

/// Which records a load takes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Selection {
    /// All of them.
    #[default]
    Everything,
    /// Conversations that are over and were quiet for so many days. The others are active: they are inserted once, with
    /// their final state and times, by the pass that takes everything.
    Settled {
        /// Days without a change, before the pass began.
        days: u32,
    },
    /// A sample: these records, and what is set up whole.
    Sample(Vec<RecordId>),
}

impl Selection {
    /// What was kept of the last pass.
    pub(super) async fn kept(ledger: &dyn Ledger) -> Result<Self> {
        match ledger.get(SELECTION).await? {
            None | Some(serde_json::Value::Null) => Ok(Self::Everything),
            Some(value) => serde_json::from_value(value).map_err(|e| {
                Error::new(ErrorKind::Mismatch, "read what is selected", e.to_string())
                    .advise("The workspace belongs to a newer version of the program")
            }),
        }
    }

    pub(super) async fn keep(&self, ledger: &dyn Ledger) -> Result<()> {
        let value = serde_json::to_value(self)
            .map_err(|e| Error::bug("remember what is selected", e.to_string()))?;
        ledger.put(SELECTION, &value).await
    }

    /// Refuses a sample that was begun and not drawn.
    pub(super) fn check(&self) -> Result<()> {
        match self {
            Self::Sample(records) if records.is_empty() => {
                let said = "a sample was begun here, and not drawn yet";
                Err(Error::new(ErrorKind::Conflict, "go on", said)
                    .advise("`sample` draws it; `run` loads everything instead"))
            }
            _ => Ok(()),
        }
    }

    /// The same, ready to judge records in a pass that began now.
    pub(super) fn begin(self, now: DateTime<Utc>) -> Judge {
        match self {
            Self::Everything => Judge::Everything,
            Self::Settled { days } => {
                // So long ago that no calendar has it: nothing was quiet since then.
                let since = now.checked_sub_signed(TimeDelta::days(days.into()));
                Judge::Settled(since.unwrap_or(DateTime::<Utc>::MIN_UTC))
            }
            Self::Sample(records) => Judge::Sample(Arc::new(records.into_iter().collect())),
        }
    }
}

/// Says of each record whether it is taken.
#[derive(Debug, Clone, Default)]
pub(super) enum Judge {
    #[default]
    Everything,
    Settled(DateTime<Utc>),
    Sample(Arc<HashSet<RecordId>>),
}

impl Judge {
    /// Why a row waits, where that can be told without reading its record.
    pub(super) fn row(&self, row: &Row) -> Option<Verdict> {
        match self {
            Self::Sample(records) if SAMPLED.contains(&row.kind) && !records.contains(&row.id) => {
                Some(Verdict::Held(NOT_IN_SAMPLE.into()))
            }
            _ => None,
        }
    }

    /// Why each of these records waits, in order: an active conversation, what hangs on one, one below one.
    pub(super) async fn records(
        &self,
        index: &dyn Index,
        ledger: &dyn Ledger,
        records: &[&Record],
    ) -> Result<Vec<Option<Verdict>>> {
        let Self::Settled(since) = self else {
            return Ok(vec![None; records.len()]);
        };
        let above: Vec<RecordKey> = records.iter().filter_map(|r| hangs_on(r)).collect();
        let found = index.find(&above).await?;
        let ids: Vec<RecordId> = found.iter().flatten().copied().collect();
        let outcomes: HashMap<RecordId, Option<Verdict>> = ids
            .iter()
            .copied()
            .zip(ledger.outcomes(&ids).await?)
            .collect();
        let mut found = found.into_iter();
        let waits = || Some(Verdict::Held(ACTIVE.into()));
        let judged = records.iter().map(|record| {
            let above = hangs_on(record).and_then(|_| found.next().flatten());
            let above = above.and_then(|id| outcomes.get(&id).cloned().flatten());
            match (record, above) {
                (_, Some(Verdict::Held(reason))) if reason == ACTIVE => waits(),
                (Record::Conversation(one), _) if !is_settled(one, *since) => waits(),
                _ => None,
            }
        });
        Ok(judged.collect())
    }
}

/// The conversation that must be taken for this record to be.
fn hangs_on(record: &Record) -> Option<RecordKey> {
    match record {
        Record::Message(message) => Some(message.conversation.clone()),
        Record::Attachment(file) => Some(file.conversation.clone()),
        Record::Conversation(one) => one.parent.clone().or_else(|| one.merged_into.clone()),
        _ => None,
    }
}

/// Whether a conversation is over and was quiet since.
fn is_settled(one: &Conversation, since: DateTime<Utc>) -> bool {
    let over = matches!(one.status.is, StatusState::Resolved | StatusState::Closed);
    let times = [one.meta.created_at, one.meta.updated_at, one.closed_at];
    let last = times.into_iter().flatten().max();
    over && last.is_none_or(|last| last < since)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: u32) -> Option<DateTime<Utc>> {
        chrono::NaiveDate::from_ymd_opt(2026, 3, day)?
            .and_hms_opt(12, 0, 0)
            .map(|t| t.and_utc())
    }

    #[test]
    fn no_number_of_days_is_too_large() {
        for days in [0, 30, 200_000_000, u32::MAX] {
            let judge = Selection::Settled { days }.begin(at(10).unwrap());
            assert!(matches!(judge, Judge::Settled(since) if since <= at(10).unwrap()));
        }
    }

    #[test]
    fn a_conversation_is_settled_when_it_is_over_and_was_quiet() {
        let since = at(10).unwrap();
        for (status, updated, closed, settled) in [
            (StatusState::Closed, Some(1), Some(1), true),
            (StatusState::Resolved, Some(9), None, true),
            (StatusState::Closed, Some(11), Some(1), false),
            (StatusState::Closed, Some(1), Some(11), false),
            (StatusState::Open, Some(1), None, false),
            (StatusState::Snoozed, Some(1), None, false),
            (StatusState::Other, Some(1), None, false),
            (StatusState::Closed, None, None, true),
        ] {
            let one: Conversation = serde_json::from_value(serde_json::json!({
                "meta": {"key": "desk:acme:conversation:1", "updated_at": updated.and_then(at)},
                "number": "1",
                "channel": {"is": "email", "raw": "MAIL"},
                "status": {"is": status, "raw": status.name()},
                "closed_at": closed.and_then(at),
            }))
            .unwrap();
            assert_eq!(
                is_settled(&one, since),
                settled,
                "{status:?} {updated:?} {closed:?}"
            );
        }
    }
}
