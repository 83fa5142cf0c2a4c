//! What a run tells while it goes.

/// Hears of each step. Must not block.
pub trait Progress: Send + Sync {
    /// A step was made.
    fn report(&self, step: Step<'_>);
}

/// A step of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step<'a> {
    /// A page was read and is durable.
    Read {
        /// The shard.
        shard: &'a str,
        /// Its records.
        records: usize,
        /// Its rejected rows.
        rejects: usize,
    },
    /// A file was fetched, or given up with 0 bytes.
    File {
        /// Its size.
        bytes: u64,
    },
    /// A phase was opened.
    Opened {
        /// The phase.
        phase: &'a str,
    },
    /// Records of a phase got their outcome.
    Settled {
        /// The phase.
        phase: &'a str,
        /// How many.
        records: usize,
    },
    /// A phase was closed.
    Closed {
        /// The phase.
        phase: &'a str,
    },
    /// Records were read back and compared.
    Verified {
        /// The phase.
        phase: &'a str,
        /// How many.
        records: usize,
    },
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn report(&self, _step: Step<'_>) {}
}
