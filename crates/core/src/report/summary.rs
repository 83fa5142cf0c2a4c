//! A report as text.

use std::fmt::Write;

use super::{FieldReport, Report};

impl Report {
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
        if let Some(outlook) = &self.outlook {
            let _ = writeln!(out, "\n{outlook}");
        }
        self.reason_lines(&mut out);
        self.verify_line(&mut out);
        self.meter_table(&mut out);
        for changed in self.told_of_changes() {
            let _ = writeln!(out, "{changed}");
        }
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
        let touched = sum(|f| f.touched);
        if touched > 0 {
            let _ = writeln!(
                out,
                "  {touched} more differ in rows that others changed after they were loaded: theirs to say what they are"
            );
        }
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
        for usage in &self.usage {
            if let Some(told) = usage.told() {
                let _ = writeln!(
                    out,
                    "{}: {} requests, {told}",
                    usage.platform, usage.requests
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::report::{DifferenceReport, Example, PhaseReport, Pulse, ReasonReport};

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
            owners: Vec::new(),
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
            changed: Vec::new(),
            gone: Vec::new(),
            rejects: Vec::new(),
            notes: vec!["the list moved".into()],
            meter: Vec::new(),
            usage: Vec::new(),
            pulse: Pulse::default(),
            outlook: None,
            verify: vec![FieldReport {
                object: "Case".into(),
                field: "Subject".into(),
                compared: 2,
                equal: 1,
                explained: 0,
                different: 1,
                touched: 0,
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
