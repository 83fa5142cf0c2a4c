//! How much the platforms were asked, and how little would have done.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::http::Meter;

/// What one platform was asked, by all processes of a target that ended by themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// The platform.
    pub platform: String,
    /// Requests sent, repeated ones included.
    pub requests: u64,
    /// The fewest requests that the same work could have taken by the platform's own rules; none where the platform's
    /// connector does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub least: Option<u64>,
    /// Requests that repeated one.
    pub retries: u64,
    /// Answers 429.
    pub throttled: u64,
    /// Bytes received, decompressed.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Milliseconds spent waiting for limits, over all workers.
    pub waited_ms: u64,
}

impl Usage {
    /// What a process counted, by platform.
    #[must_use]
    pub fn of(meter: &Meter) -> Vec<Self> {
        let least = meter.least();
        let mut usages: BTreeMap<String, Self> = BTreeMap::new();
        for row in meter.snapshot() {
            let usage = usages.entry(row.platform.clone()).or_insert_with(|| Self {
                least: least.get(row.platform.as_str()).copied(),
                platform: row.platform,
                ..Self::default()
            });
            usage.requests += row.requests;
            usage.retries += row.retries;
            usage.throttled += row.throttled;
            usage.bytes_in += row.bytes_in;
            usage.bytes_out += row.bytes_out;
            usage.waited_ms += row.waited_ms;
        }
        usages.into_values().collect()
    }

    /// What was counted since an earlier look at the same meter.
    #[must_use]
    pub fn since(mut self, earlier: &[Self]) -> Self {
        let Some(earlier) = earlier.iter().find(|e| e.platform == self.platform) else {
            return self;
        };
        self.least = self.least.map(|now| now - earlier.least.unwrap_or(0));
        self.requests -= earlier.requests;
        self.retries -= earlier.retries;
        self.throttled -= earlier.throttled;
        self.bytes_in -= earlier.bytes_in;
        self.bytes_out -= earlier.bytes_out;
        self.waited_ms -= earlier.waited_ms;
        self
    }

    /// Adds what a later process counted.
    pub fn add(&mut self, later: &Self) {
        self.least = match (self.least, later.least) {
            (Some(mine), Some(more)) => Some(mine + more),
            _ => None,
        };
        self.requests += later.requests;
        self.retries += later.retries;
        self.throttled += later.throttled;
        self.bytes_in += later.bytes_in;
        self.bytes_out += later.bytes_out;
        self.waited_ms += later.waited_ms;
    }

    /// How many times the least was asked.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        let least = self.least.filter(|least| *least > 0)?;
        Some(self.requests as f64 / least as f64)
    }

    /// `1.02 × the 1243 possible at the least`.
    #[must_use]
    pub(super) fn told(&self) -> Option<String> {
        let (least, ratio) = (self.least?, self.ratio()?);
        Some(format!("{ratio:.2} × the {least} possible at the least"))
    }
}
