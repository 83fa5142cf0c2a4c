//! What a run did, for people and programs.

mod discovery;
mod estimate;
mod html;
mod inventory;
mod outlook;
mod page;
mod pulse;
mod scope;
mod summary;
mod undo;
mod usage;
mod waits;

pub(crate) use discovery::oddities;
pub use discovery::{About, Discovery, FieldFound, FileFound, KindFound, Oddity, SizeBand};
pub use estimate::{Allowance, Estimate, EstimateChoice, EstimateStep, Limits, Span};
pub use inventory::{Inventory, InventoryEntry, InventoryGroup};
pub use outlook::{LATELY, Outlook};
pub use pulse::{Beat, Pulse, Used};
pub use undo::{UndoReport, UndoneObject, UndoneReason};
pub use usage::Usage;
pub use waits::Wait;
pub(crate) use waits::{ACTIVE, NOT_IN_SAMPLE, is_by_choice};

/// Why records were skipped that stand in a document for people instead.
pub(crate) const HANDED_OVER: &str = "handed-over";
/// Documents of a target's folder: configuration to build again, and what agents did.
pub(crate) const INVENTORY: &str = "handoff/inventory";
pub(crate) const AGENT_STATISTICS: &str = "handoff/agent-statistics.csv";

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::http::MeterRow;

/// What a migration did so far. Serialised as `report.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The version of this form.
    pub format: u32,
    /// Whose records: `platform:tenant`.
    pub source: String,
    /// The target's name.
    pub target: String,
    /// The target's own id.
    pub target_id: String,
    /// The batch mark of the pass.
    pub mark: String,
    /// When the report was made.
    pub made_at: DateTime<Utc>,
    /// Whether every phase is closed and its gate passed.
    pub complete: bool,
    /// The phases, in their order.
    pub phases: Vec<PhaseReport>,
    /// Agents whose open cases wait until a person decides who gets them, most cases first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<OwnerWait>,
    /// Why records were not simply created, per phase.
    pub reasons: Vec<ReasonReport>,
    /// Records that were loaded, and that the source says otherwise since. The target has them as they were loaded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<Changed>,
    /// Records that were loaded, and that no target shall hold any more: they are gone from the source, or a choice of the
    /// configuration leaves them out since.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<Changed>,
    /// Rows of the source that could not become records, the first of them.
    pub rejects: Vec<RejectReport>,
    /// What people should know.
    pub notes: Vec<String>,
    /// Requests, bytes, waits of this process, per platform and endpoint.
    pub meter: Vec<MeterRow>,
    /// What the platforms were asked, and how little would have done, by all processes that ended by themselves.
    #[serde(default)]
    pub usage: Vec<Usage>,
    /// The use of the platforms over time, of all processes that ended by themselves.
    #[serde(default)]
    pub pulse: Pulse,
    /// While it is not over: when it will be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outlook: Option<Outlook>,
    /// After `verify`: per object and field.
    pub verify: Vec<FieldReport>,
    /// After `verify`: the first differences.
    pub differences: Vec<DifferenceReport>,
}

/// One phase: the outcomes add up to `read`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseReport {
    /// Its name.
    pub phase: String,
    /// The kinds it takes.
    pub kind: String,
    /// Records read.
    pub read: u64,
    /// Rows that could not become records, beside `read`.
    pub rejected: u64,
    /// Outcomes.
    pub created: u64,
    /// Outcomes.
    pub updated: u64,
    /// Outcomes.
    pub unchanged: u64,
    /// Outcomes.
    pub skipped: u64,
    /// Outcomes.
    pub held: u64,
    /// Outcomes.
    pub failed: u64,
    /// `waiting`, `open`, `closed` or `shut` (closed, but its gate does not let the next one open).
    pub state: String,
    /// When it was opened (for the last time).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened_at: Option<DateTime<Utc>>,
    /// When it was closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<DateTime<Utc>>,
}

impl PhaseReport {
    /// How many have an outcome.
    #[must_use]
    pub fn settled(&self) -> u64 {
        self.created + self.updated + self.unchanged + self.skipped + self.held + self.failed
    }

    pub(crate) fn add(&mut self, column: &str, count: u64) {
        match column {
            "created" => self.created += count,
            "updated" => self.updated += count,
            "unchanged" => self.unchanged += count,
            "skipped" => self.skipped += count,
            "held" => self.held += count,
            _ => self.failed += count,
        }
    }
}

/// Why records of a phase were not simply created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReasonReport {
    /// The phase.
    pub phase: String,
    /// The column.
    pub outcome: String,
    /// The slug or code.
    pub reason: String,
    /// How many.
    pub count: u64,
    /// Up to three records.
    pub examples: Vec<Example>,
}

/// Records of one kind that changed at the source after they were loaded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// The kind.
    pub kind: String,
    /// How many.
    pub count: u64,
    /// Keys of the first few.
    pub examples: Vec<String>,
}

impl Changed {
    fn told(&self, what: &str) -> String {
        let example = self.examples.first().map_or("", String::as_str);
        format!("{what}: {} of kind {}, as {example}", self.count, self.kind)
    }
}

impl Report {
    /// What became of the source since the load, for people.
    pub(crate) fn told_of_changes(&self) -> impl Iterator<Item = String> {
        let changed = "changed at the source after they were loaded, and left as they were loaded";
        let gone = "gone from the source, or left out of the read, after they were loaded";
        let changed = self.changed.iter().map(move |one| one.told(changed));
        changed.chain(self.gone.iter().map(move |one| one.told(gone)))
    }
}

/// An agent whose open cases wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerWait {
    /// The agent's key.
    pub agent: String,
    /// The name; empty for one whom the source did not show.
    pub name: String,
    /// How many cases wait.
    pub open_cases: u64,
}

impl OwnerWait {
    /// The name, else the key.
    #[must_use]
    pub fn shown(&self) -> &str {
        if self.name.is_empty() {
            &self.agent
        } else {
            &self.name
        }
    }
}

/// A record as an example.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// Its key.
    pub key: String,
    /// What was said of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// A row of the source that could not become a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectReport {
    /// What it should have become.
    pub kind: String,
    /// Its id, if it could be read.
    pub id: Option<String>,
    /// Where it broke.
    pub path: String,
    /// What was wrong.
    pub reason: String,
}

/// How one field of one object compared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldReport {
    /// The object.
    pub object: String,
    /// The field.
    pub field: String,
    /// Rows compared.
    pub compared: u64,
    /// The same.
    pub equal: u64,
    /// Not the same, by a documented rule.
    pub explained: u64,
    /// Not the same.
    pub different: u64,
    /// Not the same, in rows that others changed after they were loaded, where those were left out.
    #[serde(default, skip_serializing_if = "is_none")]
    pub touched: u64,
}

fn is_none(count: &u64) -> bool {
    *count == 0
}

/// One difference that no rule explains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DifferenceReport {
    /// The record.
    pub key: String,
    /// The object.
    pub object: String,
    /// The field.
    pub field: String,
    /// What the record says, shortened.
    pub expected: String,
    /// What stands there, shortened.
    pub found: String,
}

impl Report {
    /// The sum of a column over all phases.
    #[must_use]
    pub fn total(&self, column: impl Fn(&PhaseReport) -> u64) -> u64 {
        self.phases.iter().map(column).sum()
    }

    /// Whether `verify` found nothing unexplained.
    #[must_use]
    pub fn verified(&self) -> bool {
        !self.verify.is_empty() && self.verify.iter().all(|f| f.different == 0)
    }
}
