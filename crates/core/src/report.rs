//! What a run did, for people and programs.

use std::fmt::Write;

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
    /// Why records were not simply created, per phase.
    pub reasons: Vec<ReasonReport>,
    /// Rows of the source that could not become records, the first of them.
    pub rejects: Vec<RejectReport>,
    /// What people should know.
    pub notes: Vec<String>,
    /// Requests, bytes, waits of this process, per platform and endpoint.
    pub meter: Vec<MeterRow>,
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
    /// `open`, `closed` or `shut` (closed, but its gate does not let the next one open).
    pub state: String,
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

    /// The report as tables for a terminal.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "{} → {} ({})",
            self.source, self.target, self.target_id
        );
        self.phase_table(&mut out);
        self.reason_lines(&mut out);
        self.verify_line(&mut out);
        self.meter_table(&mut out);
        for note in &self.notes {
            let _ = writeln!(out, "note: {note}");
        }
        out
    }

    fn phase_table(&self, out: &mut String) {
        let _ = writeln!(
            out,
            "\n{:<12}{:>9}{:>9}{:>9}{:>9}{:>10}{:>9}{:>7}{:>8}  state",
            "phase",
            "read",
            "rejected",
            "created",
            "updated",
            "unchanged",
            "skipped",
            "held",
            "failed"
        );
        for p in &self.phases {
            let _ = writeln!(
                out,
                "{:<12}{:>9}{:>9}{:>9}{:>9}{:>10}{:>9}{:>7}{:>8}  {}",
                p.phase,
                p.read,
                p.rejected,
                p.created,
                p.updated,
                p.unchanged,
                p.skipped,
                p.held,
                p.failed,
                p.state
            );
        }
    }

    fn reason_lines(&self, out: &mut String) {
        if !self.reasons.is_empty() {
            let _ = writeln!(out);
        }
        for r in &self.reasons {
            let example = r.examples.first().map_or(String::new(), |e| {
                let message = if e.message.is_empty() {
                    String::new()
                } else {
                    format!(": {}", e.message)
                };
                format!(", as {}{message}", e.key)
            });
            let _ = writeln!(
                out,
                "{} {} {} ({}){example}",
                r.count, r.phase, r.outcome, r.reason
            );
        }
    }

    fn verify_line(&self, out: &mut String) {
        if self.verify.is_empty() {
            return;
        }
        let sum = |of: fn(&FieldReport) -> u64| self.verify.iter().map(of).sum::<u64>();
        let _ = writeln!(
            out,
            "\nverify: {} fields compared, {} equal, {} explained, {} different",
            sum(|f| f.compared),
            sum(|f| f.equal),
            sum(|f| f.explained),
            sum(|f| f.different)
        );
        for d in self.differences.iter().take(10) {
            let _ = writeln!(
                out,
                "  {} {}.{}: expected {:?}, found {:?}",
                d.key, d.object, d.field, d.expected, d.found
            );
        }
    }

    fn meter_table(&self, out: &mut String) {
        if self.meter.is_empty() {
            return;
        }
        let _ = writeln!(
            out,
            "\n{:<12}{:<24}{:>9}{:>8}{:>6}{:>6}",
            "platform", "endpoint", "requests", "retries", "429", "5xx"
        );
        for row in &self.meter {
            let _ = writeln!(
                out,
                "{:<12}{:<24}{:>9}{:>8}{:>6}{:>6}",
                row.platform,
                row.endpoint,
                row.requests,
                row.retries,
                row.throttled,
                row.server_errors
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_shows_counts_reasons_and_differences() {
        let mut phase = PhaseReport {
            phase: "cases".into(),
            read: 3,
            state: "closed".into(),
            ..PhaseReport::default()
        };
        phase.add("created", 2);
        phase.add("failed", 1);
        assert_eq!(phase.settled(), phase.read);
        let report = Report {
            format: 1,
            source: "kayako:acme".into(),
            target: "local".into(),
            target_id: "00D".into(),
            mark: "m-0".into(),
            made_at: DateTime::default(),
            complete: true,
            phases: vec![phase],
            reasons: vec![ReasonReport {
                phase: "cases".into(),
                outcome: "failed".into(),
                reason: "STRING_TOO_LONG".into(),
                count: 1,
                examples: vec![Example {
                    key: "kayako:acme:conversation:7".into(),
                    message: "too long".into(),
                }],
            }],
            rejects: Vec::new(),
            notes: vec!["the list moved".into()],
            meter: Vec::new(),
            verify: vec![FieldReport {
                object: "Case".into(),
                field: "Subject".into(),
                compared: 2,
                equal: 1,
                explained: 0,
                different: 1,
            }],
            differences: vec![DifferenceReport {
                key: "kayako:acme:conversation:8".into(),
                object: "Case".into(),
                field: "Subject".into(),
                expected: "a".into(),
                found: "b".into(),
            }],
        };
        let text = report.summary();
        for wanted in [
            "cases",
            "STRING_TOO_LONG",
            "conversation:7: too long",
            "1 different",
            "expected \"a\", found \"b\"",
            "note: the list moved",
        ] {
            assert!(text.contains(wanted), "{wanted} is missing in:\n{text}");
        }
        assert!(!report.verified());
    }
}
