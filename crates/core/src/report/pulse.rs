//! How the platforms were used over time.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The most beats that are kept; beyond it, neighbours become one.
const MOST: usize = 480;

/// The use of the platforms over time, all processes of a target one after the other. Bounded: a long run has longer
/// beats, not more of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pulse {
    beats: Vec<Beat>,
}

/// What happened in a span of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat {
    /// When it began.
    pub at: DateTime<Utc>,
    /// How long it was, in milliseconds.
    pub ms: u64,
    /// Per platform; those that were not asked are missing.
    pub used: Vec<Used>,
}

/// How one platform was used in a beat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// The platform.
    pub platform: String,
    /// Requests sent.
    pub requests: u64,
    /// Answers 429 among them.
    pub throttled: u64,
    /// Milliseconds that workers waited for a limit of ours, summed over workers.
    pub waited_ms: u64,
}

impl Pulse {
    /// The beats, in order of time.
    #[must_use]
    pub fn beats(&self) -> &[Beat] {
        &self.beats
    }

    /// Adds a beat at the end.
    pub fn push(&mut self, beat: Beat) {
        self.beats.push(beat);
        if self.beats.len() > MOST {
            self.beats = std::mem::take(&mut self.beats)
                .chunks(2)
                .map(merge)
                .collect();
        }
    }

    /// Adds all beats of a later pulse at the end.
    pub fn extend(&mut self, later: Self) {
        for beat in later.beats {
            self.push(beat);
        }
    }
}

fn merge(pair: &[Beat]) -> Beat {
    let mut whole = pair[0].clone();
    for beat in &pair[1..] {
        whole.ms += beat.ms;
        for used in &beat.used {
            match whole
                .used
                .iter_mut()
                .find(|mine| mine.platform == used.platform)
            {
                Some(mine) => {
                    mine.requests += used.requests;
                    mine.throttled += used.throttled;
                    mine.waited_ms += used.waited_ms;
                }
                None => whole.used.push(used.clone()),
            }
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beat(second: i64, platform: &str, requests: u64) -> Beat {
        Beat {
            at: DateTime::from_timestamp(second, 0).unwrap(),
            ms: 1000,
            used: vec![Used {
                platform: platform.into(),
                requests,
                throttled: 1,
                waited_ms: 2,
            }],
        }
    }

    #[test]
    fn a_long_run_has_longer_beats_and_loses_no_request() {
        let mut pulse = Pulse::default();
        for second in 0..5000 {
            let platform = if second % 2 == 0 { "desk" } else { "org" };
            pulse.push(beat(second, platform, 3));
        }
        assert!(pulse.beats().len() <= MOST);
        let sum = |of: fn(&Used) -> u64| -> u64 {
            let used = pulse.beats().iter().flat_map(|b| &b.used);
            used.map(of).sum()
        };
        assert_eq!(sum(|u| u.requests), 15_000);
        assert_eq!(sum(|u| u.throttled), 5000);
        assert_eq!(sum(|u| u.waited_ms), 10_000);
        assert_eq!(
            pulse.beats().iter().map(|b| b.ms).sum::<u64>(),
            5_000_000,
            "time is kept"
        );
        assert!(pulse.beats().is_sorted_by_key(|b| b.at));
    }
}
