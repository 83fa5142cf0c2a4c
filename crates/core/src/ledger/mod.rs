//! The ledger: what was meant for one target, what came of it, by the record ids of the stage's index.
//!
//! An intent is durable before anything is sent; the outcome replaces it; a record is done when its outcome is final.

mod journal;
mod sqlite;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use journal::LedgerJournal;
pub use sqlite::SqliteLedger;

use crate::amend::Merged;
use crate::error::Result;
use crate::journal::{Effect, Image, Intent};
use crate::key::RecordId;
use crate::sink::Verdict;

/// Who a ledger belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerOwner {
    /// The target's own id.
    pub target: String,
    /// The target's name.
    pub name: String,
    /// The tenant whose records it speaks of: `platform:tenant`.
    pub tenant: String,
    /// A random word that no other ledger has: the first half of its batch marks.
    pub mark: String,
    /// The word of the stage whose record ids it uses ([`Index::word`](crate::stage::index::Index::word)); empty in ledgers from
    /// before stages had one, until a run opens them.
    #[serde(default)]
    pub stage: String,
}

/// How far a phase is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PhaseState {
    /// Its name.
    pub phase: String,
    /// When it was opened.
    pub opened_at: DateTime<Utc>,
    /// When it was closed with balanced books.
    pub closed_at: Option<DateTime<Utc>>,
    /// Whether its gate let the next phase open.
    pub passed: bool,
}

/// How many records of a phase have which verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerdictCount {
    /// The phase.
    pub phase: String,
    /// The column: `created`, `held`, …
    pub column: String,
    /// The slug or code, or empty.
    pub reason: String,
    /// How many.
    pub count: u64,
    /// The first few records.
    pub examples: Vec<RecordId>,
}

/// The outcome of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Final {
    /// The record.
    pub record: RecordId,
    /// What became of it.
    pub verdict: Verdict,
    /// What had been read of it ([`Loaded::version`](crate::sink::Loaded::version)); nothing for one that was not loaded.
    pub version: Option<u64>,
}

/// The rows of one object, as far as a rollback cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenObject {
    /// The object.
    pub name: String,
    /// Rows whose answer is not known.
    pub open: u64,
}

/// A row that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The record it belongs to.
    pub record: RecordId,
    /// The row's number within the record.
    pub row: u32,
    /// Its id in the target.
    pub id: String,
}

/// A row that others made and we changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Changed {
    /// The record that it was found to be.
    pub record: RecordId,
    /// The change's number within the record.
    pub row: u32,
    /// The object.
    pub object: String,
    /// Its id in the target.
    pub id: String,
    /// What was changed.
    pub image: Image,
}

/// A target's ledger.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Who it belongs to.
    async fn owner(&self) -> Result<Option<LedgerOwner>>;
    /// Names the owner, once.
    async fn set_owner(&self, owner: &LedgerOwner) -> Result<()>;
    /// Makes intents durable.
    async fn intend(&self, intents: Vec<Intent>) -> Result<()>;
    /// Makes effects durable in the place of their intents.
    async fn settle(&self, effects: Vec<Effect>) -> Result<()>;
    /// The effects of records, in the order of records, then rows.
    async fn effects(&self, records: &[RecordId]) -> Result<Vec<Effect>>;
    /// What was changed of rows that stood before, in order.
    async fn images(&self, rows: &[(RecordId, u32)]) -> Result<Vec<Option<Image>>>;
    /// Makes outcomes final at a time.
    async fn finish(&self, phase: &str, at: DateTime<Utc>, outcomes: Vec<Final>) -> Result<()>;
    /// When these records had their outcomes, in order; nothing where that was before ledgers kept it.
    async fn finished_at(&self, records: &[RecordId]) -> Result<Vec<Option<DateTime<Utc>>>>;
    /// How many records had their outcomes at this time or later.
    async fn finished_since(&self, at: DateTime<Utc>) -> Result<u64>;
    /// Those of these records, each with what was read of it last, that stand in the target as something else was read of
    /// them.
    async fn outdated(&self, records: &[(RecordId, u64)]) -> Result<Vec<RecordId>>;
    /// The outcomes of records, in order; none where there is none yet.
    async fn outcomes(&self, records: &[RecordId]) -> Result<Vec<Option<Verdict>>>;
    /// Forgets the outcomes of a phase that are held or failed, so that they are tried again; answers how many.
    async fn reopen(&self, phase: &str) -> Result<u64>;
    /// Forgets those that are held, so that they are tried again; answers how many.
    async fn reopen_held(&self, phase: &str) -> Result<u64>;
    /// The records of a phase that failed with this code.
    async fn failed_with(&self, phase: &str, code: &str) -> Result<Vec<RecordId>>;
    /// Forgets that these records failed, so that they are tried again; answers how many had.
    async fn reopen_failed(&self, records: &[RecordId]) -> Result<u64>;
    /// Forgets outcomes and effects of records for which nothing was made in the target, so that they are looked at again.
    async fn discard(&self, records: &[RecordId]) -> Result<()>;
    /// Claims values of a space: the first wins. Answers the winners, in order.
    async fn claim(&self, space: &str, claims: &[(String, RecordId)]) -> Result<Vec<RecordId>>;
    /// Who claimed values, in order.
    async fn claimed(&self, space: &str, values: &[String]) -> Result<Vec<Option<RecordId>>>;
    /// The phases that were opened.
    async fn phases(&self) -> Result<Vec<PhaseState>>;
    /// Opens a phase (again).
    async fn open_phase(&self, phase: &str, at: DateTime<Utc>) -> Result<()>;
    /// Closes a phase.
    async fn close_phase(&self, phase: &str, at: DateTime<Utc>, passed: bool) -> Result<()>;
    /// Counts per phase, column and reason, with up to three examples each.
    async fn counts(&self) -> Result<Vec<VerdictCount>>;
    /// The same of one phase, without examples.
    async fn counts_of(&self, phase: &str) -> Result<Vec<VerdictCount>>;
    /// The text that came with a failed record.
    async fn message(&self, record: RecordId) -> Result<Option<String>>;
    /// The next records of a phase that stand in the target, by id, after an id.
    async fn standing(&self, phase: &str, after: RecordId, limit: usize) -> Result<Vec<RecordId>>;
    /// The highest id of a record that it knows.
    async fn highest(&self) -> Result<Option<RecordId>>;
    /// Makes the following quick: rows are looked for by their id in the target.
    async fn prepare_undo(&self) -> Result<()>;
    /// The objects of which rows were made or meant, by records of these phases or by records without an outcome; of all when
    /// no phase is named.
    async fn objects(&self, phases: &[String]) -> Result<Vec<WrittenObject>>;
    /// The next rows of an object that were made, of the same records, behind a record's row.
    async fn written(
        &self,
        object: &str,
        phases: &[String],
        after: Option<(RecordId, u32)>,
        limit: usize,
    ) -> Result<Vec<Written>>;
    /// The next rows that others made and records of these phases changed, behind a record's row; of all phases when none is
    /// named.
    async fn changed(
        &self,
        phases: &[String],
        after: Option<(RecordId, u32)>,
        limit: usize,
    ) -> Result<Vec<Changed>>;
    /// Changes of rows are undone: forgets them, and a record of which nothing else was made or changed whole.
    async fn restored(&self, rows: &[(RecordId, u32)]) -> Result<()>;
    /// Rows were merged into others: what they stood for stands in those now, which stay theirs who made them. Answers how many
    /// of them were known.
    async fn follow(&self, merged: &[Merged]) -> Result<u64>;
    /// Whether rows of the target with these ids are known, in order.
    async fn known(&self, ids: &[String]) -> Result<Vec<bool>>;
    /// Rows are gone from the target: forgets them and the outcomes of all records that had one of them. A record of which no
    /// row is left is forgotten whole.
    async fn take_back(&self, ids: &[String]) -> Result<()>;
    /// Phases are to be loaded again: forgets that they were opened and closed; all of them when none is named.
    async fn forget_phases(&self, phases: &[String]) -> Result<()>;
    /// Nothing is left in the target: forgets all but whose ledger it is and who claimed what.
    async fn forget_all(&self) -> Result<()>;
    /// Keeps a value of the migration's own under a name.
    async fn put(&self, name: &str, value: &Value) -> Result<()>;
    /// The value under a name.
    async fn get(&self, name: &str) -> Result<Option<Value>>;
}
