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

    /// What was taken for granted: a line each, for people.
    fn assumptions(&self) -> Vec<String>;
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
