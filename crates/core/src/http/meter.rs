use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What was sent and received, per platform and endpoint. Cheap to clone; all clones count together.
#[derive(Debug, Clone, Default)]
pub struct Meter {
    rows: Arc<Mutex<BTreeMap<(&'static str, &'static str), Counts>>>,
    waits: Arc<Mutex<BTreeMap<&'static str, DateTime<Utc>>>>,
}

/// The counts of one endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MeterRow {
    /// The platform.
    pub platform: String,
    /// The endpoint's name.
    pub endpoint: String,
    /// Requests sent, repeated ones and followed redirects included.
    pub requests: u64,
    /// Requests that repeated one.
    pub retries: u64,
    /// Bytes of bodies received, decompressed.
    pub bytes_in: u64,
    /// Bytes of bodies sent, once per attempt.
    pub bytes_out: u64,
    /// Milliseconds spent waiting for limits, over all workers.
    pub waited_ms: u64,
    /// Answers 429.
    pub throttled: u64,
    /// Answers 5xx.
    pub server_errors: u64,
    /// Connections that failed, were cut, or timed out.
    pub transport_errors: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    requests: u64,
    retries: u64,
    bytes_in: u64,
    bytes_out: u64,
    waited: Duration,
    throttled: u64,
    server_errors: u64,
    transport_errors: u64,
}

impl Meter {
    /// Nothing counted yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One row per platform and endpoint, in order.
    #[must_use]
    pub fn snapshot(&self) -> Vec<MeterRow> {
        let rows = self.lock();
        rows.iter()
            .map(|((platform, endpoint), counts)| MeterRow {
                platform: (*platform).to_owned(),
                endpoint: (*endpoint).to_owned(),
                requests: counts.requests,
                retries: counts.retries,
                bytes_in: counts.bytes_in,
                bytes_out: counts.bytes_out,
                waited_ms: u64::try_from(counts.waited.as_millis()).unwrap_or(u64::MAX),
                throttled: counts.throttled,
                server_errors: counts.server_errors,
                transport_errors: counts.transport_errors,
            })
            .collect()
    }

    /// The platforms whose limit made a request wait last, and until when; that may be over already.
    #[must_use]
    pub fn waits(&self) -> Vec<(&'static str, DateTime<Utc>)> {
        let waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        waits.iter().map(|(who, until)| (*who, *until)).collect()
    }

    pub(super) fn of(&self, platform: &'static str, endpoint: &'static str) -> Tally {
        Tally {
            meter: self.clone(),
            key: (platform, endpoint),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(&'static str, &'static str), Counts>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts for one endpoint.
#[derive(Clone)]
pub(super) struct Tally {
    meter: Meter,
    key: (&'static str, &'static str),
}

impl Tally {
    pub(super) fn sent(&self, bytes: u64, again: bool) {
        self.count(|c| {
            c.requests += 1;
            c.retries += u64::from(again);
            c.bytes_out += bytes;
        });
    }

    pub(super) fn answered(&self, status: u16) {
        match status {
            429 => self.count(|c| c.throttled += 1),
            500..=599 => self.count(|c| c.server_errors += 1),
            _ => {}
        }
    }

    pub(super) fn received(&self, bytes: usize) {
        self.count(|c| c.bytes_in += bytes as u64);
    }

    pub(super) fn broken(&self) {
        self.count(|c| c.transport_errors += 1);
    }

    /// A request waits for a limit until then.
    pub(super) fn waits(&self, until: DateTime<Utc>) {
        let waits = &self.meter.waits;
        let mut waits = waits.lock().unwrap_or_else(PoisonError::into_inner);
        waits.insert(self.key.0, until);
    }

    pub(super) fn waited(&self, time: Duration) {
        if !time.is_zero() {
            self.count(|c| c.waited += time);
        }
    }

    fn count(&self, change: impl FnOnce(&mut Counts)) {
        change(self.meter.lock().entry(self.key).or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_count_together_per_platform_and_endpoint() {
        let meter = Meter::new();
        let cases = meter.clone().of("desk", "cases");
        cases.sent(10, false);
        cases.answered(429);
        cases.waited(Duration::from_millis(1500));
        cases.sent(10, true);
        cases.answered(502);
        cases.broken();
        cases.received(7);
        meter.of("desk", "agents").sent(0, false);
        let until = DateTime::UNIX_EPOCH + Duration::from_secs(9);
        meter.of("desk", "agents").waits(until);
        assert_eq!(meter.waits(), [("desk", until)]);

        let rows = meter.snapshot();
        assert_eq!(
            rows.iter().map(|r| r.endpoint.as_str()).collect::<Vec<_>>(),
            ["agents", "cases"]
        );
        let shown = serde_json::to_value(&rows[1]).unwrap();
        let expected = serde_json::json!({
            "platform": "desk", "endpoint": "cases", "requests": 2, "retries": 1, "bytes_in": 7, "bytes_out": 20,
            "waited_ms": 1500, "throttled": 1, "server_errors": 1, "transport_errors": 1
        });
        assert_eq!(shown, expected);
    }
}
