//! What writing takes, told before anything is written.

use crate::report::Span;
use crate::sink::Loaded;

/// A target that tells beforehand what a load takes. Nothing here asks the target.
///
/// It is given the batches that a load would give it, by [`migration::estimate`](crate::migration::estimate).
pub trait Forecast: Send + Sync {
    /// What comes before the first batch of a process: log-in, definitions.
    fn begin(&self) -> Effort;

    /// Writing a batch of a phase.
    fn write(&self, phase: &str, records: &[Loaded]) -> Effort;

    /// Reading the same batch back.
    fn verify(&self, phase: &str, records: &[Loaded]) -> Effort;

    /// The ways that each of these records could go by choice of people, the chosen one among them. Nothing where there is no choice.
    fn ways(&self, _phase: &str, _records: &[Loaded]) -> Vec<Way> {
        Vec::new()
    }

    /// What carrying so many rows of so many bytes by one of these ways takes, and what is lost by it, for people.
    fn by_way(&self, _way: &str, _rows: u64, _bytes: u64) -> (Effort, &'static str) {
        (Effort::default(), "")
    }

    /// What was taken for granted: a line each, for people.
    fn assumptions(&self) -> Vec<String>;
}

/// What some records would become by one of several ways.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// What the records are, for people: a channel, `notes`.
    pub of: String,
    /// The way, as the choice names it.
    pub way: &'static str,
    /// Whether it is the chosen one.
    pub chosen: bool,
    /// How many records these are.
    pub records: u64,
    /// Rows.
    pub rows: u64,
    /// About the bytes that travel.
    pub bytes: u64,
    /// Bytes of the target's storage that the rows take.
    pub data_bytes: u64,
    /// Bytes of the target's storage that files take which only this way makes.
    pub file_bytes: u64,
}

/// What something takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Effort {
    /// Rows that are written or read.
    pub rows: u64,
    /// Requests.
    pub requests: Span,
    /// Milliseconds, if nothing else is under way.
    pub millis: Span,
    /// Bytes of the target's storage that rows take.
    pub data_bytes: u64,
    /// Bytes of the target's storage that files take.
    pub file_bytes: u64,
}

impl Effort {
    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            rows: self.rows + other.rows,
            requests: self.requests.plus(other.requests),
            millis: self.millis.plus(other.millis),
            data_bytes: self.data_bytes + other.data_bytes,
            file_bytes: self.file_bytes + other.file_bytes,
        }
    }
}
