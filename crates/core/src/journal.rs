//! The port through which a sink makes its intentions and their effects durable.
//!
//! Under a migration it is the target's ledger; under a pipeline it is memory ([`MemoryJournal`](crate::pipeline::MemoryJournal)).

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::Result;
use crate::key::{RecordId, RecordKey};
use crate::sink::Verdict;

/// Intents before sending, effects after; what is known of other records; who was first.
#[async_trait]
pub trait Journal: Send + Sync {
    /// The mark of this target and pass: stands in every row that the pass creates.
    fn mark(&self) -> &str;

    /// Makes intents durable. Returns before anything may be sent. An intent on a row that has one already replaces it.
    async fn intend(&self, intents: Vec<Intent>) -> Result<()>;

    /// Records what came of intents (or of look-ups that needed none).
    async fn settle(&self, effects: Vec<Effect>) -> Result<()>;

    /// What is known of these records' rows, in the order of records, then rows.
    async fn effects(&self, records: &[RecordId]) -> Result<Vec<Effect>>;

    /// What was changed of rows that stood before, in order.
    async fn images(&self, rows: &[(RecordId, u32)]) -> Result<Vec<Option<Image>>>;

    /// What is known of other records, one answer per key, in order.
    async fn look(&self, keys: &[RecordKey]) -> Result<Vec<Known>>;

    /// Claims values (a mail address, a file's hash) within a space for records: the first claim wins for ever.
    /// Answers the winner of each, in order; a second claim by the winner answers itself.
    async fn claim(&self, space: &str, claims: &[(String, RecordId)]) -> Result<Vec<RecordId>>;

    /// Who claimed these values, in order.
    async fn claimed(&self, space: &str, values: &[String]) -> Result<Vec<Option<RecordId>>>;

    /// Whether each of these people asked for something: is the requester of a conversation that was read. Everybody did, as far as
    /// nobody can tell.
    async fn asked(&self, people: &[RecordKey]) -> Result<Vec<bool>> {
        Ok(vec![true; people.len()])
    }

    /// The rows that belong to the winners of claims: shorthand for look-ups by record id.
    async fn rows(&self, records: &[RecordId]) -> Result<Vec<Known>>;
}

/// A change of a row that stood before it, field by field: what a rollback restores, and how it knows whether that is still ours.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Image {
    /// What stood there before the first change.
    pub before: Map<String, Value>,
    /// What was written last.
    pub written: Map<String, Value>,
}

impl Image {
    /// The same change after an earlier one of the same row: what stood there before that one counts.
    #[must_use]
    pub fn after(mut self, earlier: Self) -> Self {
        self.before.extend(earlier.before);
        for (field, value) in earlier.written {
            self.written.entry(field).or_insert(value);
        }
        self
    }
}

/// What was meant to be done to one row of the target.
#[derive(Debug, Clone, PartialEq)]
pub struct Intent {
    /// The record it belongs to.
    pub record: RecordId,
    /// The row's number within the record (see [`Loaded::row`](crate::sink::Loaded::row)).
    pub row: u32,
    /// The object.
    pub object: String,
    /// What is to be done.
    pub operation: Operation,
    /// The request or job that carries it: all intents of one request share it.
    pub request: String,
    /// When it is sent: a lost answer may still land until this plus the platform's time-out.
    pub sent_at: DateTime<Utc>,
    /// The hash of what is sent and the mapping's version.
    pub hash: [u8; 16],
    /// For a change of a row that stood before it: what stands there, and what is written instead.
    pub image: Option<Image>,
}

/// One row in the target that belongs to a record.
#[derive(Debug, Clone, PartialEq)]
pub struct Effect {
    /// The record it belongs to.
    pub record: RecordId,
    /// The row's number within the record.
    pub row: u32,
    /// The object.
    pub object: String,
    /// What was done.
    pub operation: Operation,
    /// How far it is.
    pub state: EffectState,
    /// The hash of what was sent and the mapping's version.
    pub hash: [u8; 16],
}

/// What is done to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Operation {
    /// A new row.
    Insert,
    /// A change of a row that was there.
    Update,
    /// A link to a row that another record of ours made.
    Link,
    /// A row of the org that this record was found to be.
    Matched,
    /// A row that the platform made by itself because of ours.
    SideEffect,
}

/// How far an effect is.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum EffectState {
    /// Sent or about to be: the answer is not known.
    Intended {
        /// The request that carries it.
        request: String,
        /// When it was sent.
        sent_at: DateTime<Utc>,
    },
    /// It stands in the target.
    Confirmed {
        /// The row's id.
        id: String,
    },
    /// The target refused it.
    Failed {
        /// The platform's code.
        code: String,
        /// Its text.
        message: String,
    },
}

impl Effect {
    /// Whether the answer is not known.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.state, EffectState::Intended { .. })
    }

    /// The row's id, once it stands.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        match &self.state {
            EffectState::Confirmed { id } => Some(id),
            _ => None,
        }
    }
}

/// What is known of a record.
#[derive(Debug, Clone, PartialEq)]
pub enum Known {
    /// The stage has no such record.
    Missing,
    /// It was read but has no final outcome here.
    Pending {
        /// Its id.
        record: RecordId,
        /// The rows so far.
        effects: Vec<Effect>,
    },
    /// It has its outcome.
    Settled {
        /// Its id.
        record: RecordId,
        /// The outcome.
        verdict: Verdict,
        /// Its rows.
        effects: Vec<Effect>,
    },
}

impl Known {
    /// The id of the record's row of this object, once it stands.
    #[must_use]
    pub fn id_of(&self, object: &str) -> Option<&str> {
        self.effects()
            .iter()
            .find(|e| e.object == object)
            .and_then(Effect::id)
    }

    /// Its rows.
    #[must_use]
    pub fn effects(&self) -> &[Effect] {
        match self {
            Self::Missing => &[],
            Self::Pending { effects, .. } | Self::Settled { effects, .. } => effects,
        }
    }

    /// Its outcome, if it has one.
    #[must_use]
    pub fn verdict(&self) -> Option<&Verdict> {
        match self {
            Self::Settled { verdict, .. } => Some(verdict),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_stood_there_before_the_first_change_is_kept_and_what_was_written_last() {
        let image = |before: Value, written: Value| -> Image {
            serde_json::from_value(json!({ "before": before, "written": written })).unwrap()
        };
        let first = image(json!({"a": null, "b": 1}), json!({"a": 2, "b": 2}));
        let second = image(json!({"a": 2, "c": 0}), json!({"a": 3, "c": 3}));
        let both = image(
            json!({"a": null, "b": 1, "c": 0}),
            json!({"a": 3, "b": 2, "c": 3}),
        );
        assert_eq!(second.after(first), both);
    }
}
