//! What a rollback did, or would do.

use std::fmt::Write;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Example;

/// What a rollback did, or on trial would do. Serialised as `rollback.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UndoReport {
    /// The version of this form.
    pub format: u32,
    /// The target's name.
    pub target: String,
    /// The target's own id.
    pub target_id: String,
    /// When it was made.
    pub made_at: DateTime<Utc>,
    /// Whether nothing was changed.
    pub trial: bool,
    /// Per object, in the order in which rows were removed.
    pub objects: Vec<UndoneObject>,
    /// Why rows stayed.
    pub reasons: Vec<UndoneReason>,
    /// What people should know.
    pub notes: Vec<String>,
}

/// The rows of one object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UndoneObject {
    /// The object.
    pub object: String,
    /// How many rows were ours.
    pub rows: u64,
    /// Removed, or on trial removable.
    pub removed: u64,
    /// Gone already.
    pub gone: u64,
    /// Rows of others, which say again what they said before, or on trial can.
    #[serde(default)]
    pub restored: u64,
    /// Kept, for a reason.
    pub held: u64,
    /// Refused by the target.
    pub failed: u64,
}

/// Why rows stayed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UndoneReason {
    /// The object.
    pub object: String,
    /// `held` or `failed`.
    pub outcome: String,
    /// The slug or code.
    pub reason: String,
    /// How many.
    pub count: u64,
    /// The first few: the row's id, and what was said.
    pub examples: Vec<Example>,
}

impl UndoReport {
    /// Whether nothing of ours is left, or would be.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.objects.iter().all(|o| o.held + o.failed == 0)
    }

    /// The report as a table for a terminal.
    #[must_use]
    pub fn summary(&self) -> String {
        let done = if self.trial { "removable" } else { "removed" };
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{} ({})", self.target, self.target_id);
        let _ = writeln!(
            out,
            "\n{:<28}{:>9}{done:>11}{:>9}{:>9}{:>9}",
            "object", "rows", "gone", "held", "failed"
        );
        for o in &self.objects {
            let _ = writeln!(
                out,
                "{:<28}{:>9}{:>11}{:>9}{:>9}{:>9}",
                o.object, o.rows, o.removed, o.gone, o.held, o.failed
            );
        }
        for r in &self.reasons {
            let example = r
                .examples
                .first()
                .map_or(String::new(), |e| format!(", as {} {}", e.key, e.message));
            let _ = writeln!(
                out,
                "{} {} {} ({}){}",
                r.count,
                r.object,
                r.outcome,
                r.reason,
                example.trim_end()
            );
        }
        for note in &self.notes {
            let _ = writeln!(out, "note: {note}");
        }
        out
    }
}
