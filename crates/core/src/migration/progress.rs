//! What a run tells while it goes, and what it remembers of its pace.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

use crate::context::Context;
use crate::key::RecordKind;
use crate::report::{Beat, Pulse, Usage, Used};

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
        /// Its records by kind. Some may replace ones that were read before.
        kinds: &'a BTreeMap<RecordKind, usize>,
    },
    /// The source is read to its end; files included.
    ReadToTheEnd,
    /// A file was fetched, or given up with 0 bytes.
    File {
        /// Its size.
        bytes: u64,
    },
    /// A phase was opened.
    Opened {
        /// The phase.
        phase: &'a str,
        /// How many of its records were read so far.
        read: u64,
        /// How many of them have their outcome already.
        settled: u64,
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

/// The shortest beat, in milliseconds.
const BEAT_MS: i64 = 1000;

/// Passes steps on, and looks at the meter about once a second while steps are made.
pub(super) struct Recorder {
    to: Arc<dyn Progress>,
    cx: Context,
    before: Vec<Usage>,
    state: Mutex<Recorded>,
}

/// Requests, answers 429 and waited milliseconds.
type Counts = (u64, u64, u64);

struct Recorded {
    pulse: Pulse,
    since: DateTime<Utc>,
    counts: BTreeMap<String, Counts>,
}

impl Recorder {
    pub(super) fn new(cx: &Context, to: &Arc<dyn Progress>) -> Arc<Self> {
        Arc::new(Self {
            to: Arc::clone(to),
            state: Mutex::new(Recorded {
                pulse: Pulse::default(),
                since: cx.now(),
                counts: counts(cx),
            }),
            before: Usage::of(cx.meter()),
            cx: cx.clone(),
        })
    }

    /// What was recorded since the last call.
    pub(super) fn take(&self) -> Pulse {
        let mut state = self.lock();
        self.beat(&mut state);
        std::mem::take(&mut state.pulse)
    }

    /// What the platforms were asked since this was made.
    pub(super) fn usage(&self) -> Vec<Usage> {
        let now = Usage::of(self.cx.meter()).into_iter();
        now.map(|usage| usage.since(&self.before)).collect()
    }

    fn beat(&self, state: &mut Recorded) {
        let (now, counts) = (self.cx.now(), counts(&self.cx));
        let used = counts
            .iter()
            .map(|(platform, now)| {
                let then = state.counts.get(platform).copied().unwrap_or_default();
                Used {
                    platform: platform.clone(),
                    requests: now.0 - then.0,
                    throttled: now.1 - then.1,
                    waited_ms: now.2 - then.2,
                }
            })
            .filter(|u| u.requests > 0 || u.waited_ms > 0)
            .collect();
        state.pulse.push(Beat {
            at: state.since,
            ms: u64::try_from((now - state.since).num_milliseconds()).unwrap_or(0),
            used,
        });
        state.since = now;
        state.counts = counts;
    }

    fn lock(&self) -> MutexGuard<'_, Recorded> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress for Recorder {
    fn report(&self, step: Step<'_>) {
        self.to.report(step);
        let mut state = self.lock();
        if (self.cx.now() - state.since).num_milliseconds() >= BEAT_MS {
            self.beat(&mut state);
        }
    }
}

fn counts(cx: &Context) -> BTreeMap<String, Counts> {
    let mut counts: BTreeMap<String, Counts> = BTreeMap::new();
    for row in cx.meter().snapshot() {
        let of = counts.entry(row.platform).or_default();
        of.0 += row.requests;
        of.1 += row.throttled;
        of.2 += row.waited_ms;
    }
    counts
}
