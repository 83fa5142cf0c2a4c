//! Plain progress lines.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use deskferry_core::Context;
use deskferry_core::http::Meter;
use deskferry_core::migration::{Progress, Step};

use super::to_come;

/// At most one line in this time, and one whenever a phase opens or closes.
const EVERY: Duration = Duration::from_secs(1);

/// Prints counts to standard error.
#[derive(Debug)]
pub(super) struct Lines {
    meter: Meter,
    state: Mutex<State>,
}

impl Lines {
    pub(super) fn new(cx: &Context) -> Self {
        Self {
            meter: cx.meter().clone(),
            state: Mutex::default(),
        }
    }
}

#[derive(Debug, Default)]
struct State {
    read: usize,
    rejected: usize,
    files: usize,
    bytes: u64,
    settled: BTreeMap<String, usize>,
    verified: usize,
    last: Option<Instant>,
}

impl Progress for Lines {
    fn report(&self, step: Step<'_>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut now = false;
        match step {
            Step::Read {
                records, rejects, ..
            } => {
                state.read += records;
                state.rejected += rejects;
            }
            Step::File { bytes } => {
                state.files += 1;
                state.bytes += bytes;
            }
            Step::Settled { phase, records } => {
                *state.settled.entry(phase.to_owned()).or_default() += records;
            }
            Step::Verified { records, .. } => state.verified += records,
            Step::Closed { .. } => now = true,
            _ => {}
        }
        if now || state.last.is_none_or(|last| last.elapsed() >= EVERY) {
            state.last = Some(Instant::now());
            state.print(&to_come(&self.meter));
        }
    }
}

impl State {
    #[expect(clippy::print_stderr, reason = "this is the program's own voice")]
    fn print(&self, to_come: &str) {
        let loaded: usize = self.settled.values().sum();
        let rejected = if self.rejected == 0 {
            String::new()
        } else {
            format!(" ({} rejected)", self.rejected)
        };
        let verified = if self.verified == 0 {
            String::new()
        } else {
            format!(", {} verified", self.verified)
        };
        let megabytes = self.bytes as f64 / 1e6;
        let to_come = match to_come {
            "" => String::new(),
            text => format!("; {text}"),
        };
        eprintln!(
            "read {}{rejected}, {} files ({megabytes:.1} MB), loaded {loaded}{verified}{to_come}",
            self.read, self.files
        );
    }
}
