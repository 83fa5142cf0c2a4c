//! What a read or a load will take, told before it begins.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

/// What a read or a load will take, as far as a source ([`Source::estimate`](crate::Source::estimate)) or a target
/// ([`Forecast`](crate::forecast::Forecast)) can tell beforehand.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Estimate {
    /// The platform.
    pub platform: String,
    /// Step by step: phases, or parts of a read, and what comes before and after them.
    pub steps: Vec<EstimateStep>,
    /// Bytes of the target's storage that rows will take.
    pub data_bytes: u64,
    /// Bytes of files: those that are read, or the target's storage that they will take.
    pub file_bytes: u64,
    /// What else could be done by choice, and what it would take.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<EstimateChoice>,
    /// What was taken for granted.
    pub assumptions: Vec<String>,
}

/// One way among several that some records could go, beside the others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EstimateChoice {
    /// What the records are: a channel, `notes`.
    pub of: String,
    /// The way, as the choice names it.
    pub way: String,
    /// Whether it is the chosen one.
    pub chosen: bool,
    /// How many records there are of this.
    pub records: u64,
    /// Rows that they become.
    pub rows: u64,
    /// Bytes of the target's storage that the rows take.
    pub data_bytes: u64,
    /// Bytes of the target's storage that files take which only this way makes.
    pub file_bytes: u64,
    /// Requests, were these rows alone.
    pub requests: Span,
    /// Seconds, were these rows alone.
    pub seconds: Span,
    /// What is lost, for people.
    pub lost: String,
}

impl EstimateChoice {
    /// One way, as yet without anything.
    pub fn new(of: impl Into<String>, way: impl Into<String>, chosen: bool) -> Self {
        Self {
            of: of.into(),
            way: way.into(),
            chosen,
            records: 0,
            rows: 0,
            data_bytes: 0,
            file_bytes: 0,
            requests: Span::default(),
            seconds: Span::default(),
            lost: String::new(),
        }
    }

    fn line(&self) -> String {
        let mark = if self.chosen { "*" } else { " " };
        format!(
            "{mark} {:<14}{:<22}{:>9}{:>12}{:>12}{:>18}{:>20}  {}",
            self.of,
            self.way,
            self.rows,
            size(self.data_bytes),
            size(self.file_bytes),
            span(self.requests, |n| n.to_string()),
            span(self.seconds, time),
            self.lost
        )
    }
}

/// One step of an [`Estimate`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EstimateStep {
    /// Its name: a phase's, or what it is for.
    pub step: String,
    /// Records that it takes.
    pub records: u64,
    /// Rows that it writes or reads back.
    pub rows: u64,
    /// Requests.
    pub requests: Span,
    /// Seconds.
    pub seconds: Span,
}

/// From, to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// At the least.
    pub least: u64,
    /// At the most.
    pub most: u64,
}

/// How much of an allowance of a target is left ([`Sink::allowances`](crate::Sink::allowances)).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowance {
    /// What it is for, for people: `requests of 24 hours`.
    pub of: String,
    /// What is left of it.
    pub left: u64,
    /// All of it.
    pub most: u64,
    /// What it is counted in: `requests`, `MB`, `batches`.
    pub unit: String,
    /// What it limits.
    pub limits: Limits,
}

/// What an [`Allowance`] limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Limits {
    /// The requests of a day.
    Requests,
    /// The rows that are stored, in megabytes (2^20 bytes).
    Rows,
    /// The files that are stored, in megabytes (2^20 bytes).
    Files,
    /// Something else.
    Other,
}

impl Span {
    /// From, to.
    #[must_use]
    pub const fn new(least: u64, most: u64) -> Self {
        Self { least, most }
    }

    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self::new(self.least + other.least, self.most + other.most)
    }
}

impl EstimateStep {
    /// A step.
    pub fn new(step: impl Into<String>, records: u64, rows: u64, requests: Span) -> Self {
        Self {
            step: step.into(),
            records,
            rows,
            requests,
            seconds: Span::default(),
        }
    }
}

impl Estimate {
    /// For this platform, nothing yet.
    pub fn of(platform: impl Into<String>) -> Self {
        Self {
            platform: platform.into(),
            ..Self::default()
        }
    }

    /// The requests of all steps.
    #[must_use]
    pub fn requests(&self) -> Span {
        self.steps
            .iter()
            .fold(Span::default(), |sum, step| sum.plus(step.requests))
    }

    /// The seconds of all steps, one after the other.
    #[must_use]
    pub fn seconds(&self) -> Span {
        self.steps
            .iter()
            .fold(Span::default(), |sum, step| sum.plus(step.seconds))
    }

    /// What the target has too little left of: a line each.
    #[must_use]
    pub fn shortages(&self, allowances: &[Allowance]) -> Vec<String> {
        let needs = |limits: Limits| match limits {
            Limits::Requests => self.requests().most,
            Limits::Rows => self.data_bytes.div_ceil(1 << 20),
            Limits::Files => self.file_bytes.div_ceil(1 << 20),
            Limits::Other => 0,
        };
        allowances
            .iter()
            .filter(|allowance| needs(allowance.limits) > allowance.left)
            .map(|allowance| {
                let (needed, unit) = (needs(allowance.limits), &allowance.unit);
                let what = match allowance.limits {
                    Limits::Requests if allowance.most > 0 => format!(
                        ": about {} days; a run stops by itself and `resume` goes on",
                        needed.div_ceil(allowance.most).max(2)
                    ),
                    Limits::Requests => String::new(),
                    _ => ": make room, or buy more, before the run".to_owned(),
                };
                format!(
                    "{}: {needed} {unit} are needed at the most and {} are left{what}",
                    allowance.of, allowance.left
                )
            })
            .collect()
    }

    /// The same as a table for a terminal.
    #[must_use]
    pub fn text(&self) -> String {
        // Writing to a string cannot fail.
        let mut out = format!(
            "{:<24}{:>10}{:>10}{:>18}{:>22}\n",
            self.platform, "records", "rows", "requests", "time"
        );
        for step in &self.steps {
            let _ = writeln!(
                out,
                "{:<24}{:>10}{:>10}{:>18}{:>22}",
                step.step,
                step.records,
                step.rows,
                span(step.requests, |n| n.to_string()),
                span(step.seconds, time)
            );
        }
        let _ = writeln!(
            out,
            "{:<44}{:>18}{:>22}",
            "together",
            span(self.requests(), |n| n.to_string()),
            span(self.seconds(), time)
        );
        let files = size(self.file_bytes);
        // What is read takes no rows of anybody.
        let _ = match self.data_bytes {
            0 => writeln!(out, "files: {files}"),
            rows => writeln!(out, "storage: {} for rows, {files} for files", size(rows)),
        };
        if !self.choices.is_empty() {
            let _ = writeln!(
                out,
                "by choice (* is chosen):\n  {:<14}{:<22}{:>9}{:>12}{:>12}{:>18}{:>20}  lost",
                "of", "as", "rows", "data", "files", "requests", "time"
            );
        }
        for choice in &self.choices {
            let _ = writeln!(out, "{}", choice.line());
        }
        for assumption in &self.assumptions {
            let _ = writeln!(out, "assumed: {assumption}");
        }
        out
    }
}

fn span(span: Span, shown: impl Fn(u64) -> String) -> String {
    let (least, most) = (shown(span.least), shown(span.most));
    if least == most {
        least
    } else {
        format!("{least} to {most}")
    }
}

/// A time for people, rounded up in its largest unit but one.
fn time(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds.div_ceil(60)),
        7_200..172_800 => format!("{} h", seconds.div_ceil(3_600)),
        _ => format!("{} days", seconds.div_ceil(86_400)),
    }
}

#[expect(clippy::cast_precision_loss, reason = "two decimals are shown")]
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimate() -> Estimate {
        let mut estimate = Estimate::of("org");
        let step = |name, requests| EstimateStep {
            seconds: Span::new(60, 7_300),
            ..EstimateStep::new(name, 10, 10, requests)
        };
        estimate.steps = vec![
            step("cases", Span::new(90, 100)),
            step("verify", Span::new(7, 7)),
        ];
        estimate.data_bytes = 3 << 20;
        estimate.file_bytes = 5_000_000_000;
        estimate
    }

    fn allowance(limits: Limits, left: u64, most: u64) -> Allowance {
        Allowance {
            of: "some".into(),
            left,
            most,
            unit: "MB".into(),
            limits,
        }
    }

    #[test]
    fn what_the_target_has_too_little_of_is_said_and_the_rest_is_not() {
        for (limits, left, says) in [
            (Limits::Requests, 107, None),
            (Limits::Requests, 106, Some("about 11 days")),
            (Limits::Rows, 3, None),
            (Limits::Rows, 2, Some("3 MB are needed")),
            (Limits::Files, 4_000, Some("4769 MB are needed")),
            (Limits::Other, 0, None),
        ] {
            let said = estimate().shortages(&[allowance(limits, left, 10)]);
            assert_eq!(said.len(), usize::from(says.is_some()), "{said:?}");
            for (said, says) in said.iter().zip(says) {
                assert!(said.contains(says), "{said}");
            }
        }
    }

    #[test]
    fn what_is_read_takes_no_rows_of_anybody() {
        let mut reading = Estimate::of("desk");
        reading.file_bytes = 2_500_000;
        let text = reading.text();
        assert!(
            text.contains("\nfiles: 2.5 MB\n") && !text.contains("storage"),
            "{text}"
        );
    }

    #[test]
    fn a_table_has_a_line_for_each_step_and_their_sum() {
        let text = estimate().text();
        for line in [
            ["cases", "90 to 100", "60 s to 3 h"],
            ["verify", "7", "60 s to 3 h"],
            ["together", "97 to 107", "2 min to 5 h"],
            ["storage", "3.1 MB for rows", "5.0 GB for files"],
        ] {
            let found = text
                .lines()
                .any(|l| line.iter().all(|part| l.contains(part)));
            assert!(found, "{line:?} is missing:\n{text}");
        }
    }
}
