use std::borrow::Cow;
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
    needs: Arc<Mutex<Needs>>,
    outlooks: Arc<Mutex<BTreeMap<&'static str, Outlook>>>,
}

/// What is still to come of a read, as far as its connector knows by now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outlook {
    /// About so many requests under the platform's limit.
    pub left: u64,
    /// When they will be through, as fast as the limit allows.
    pub until: DateTime<Utc>,
}

/// By platform and lot.
type Needs = BTreeMap<(&'static str, Cow<'static, str>), Need>;

/// What one sort of work needs: so many requests for each started whole.
#[derive(Debug, Clone, Copy, Default)]
struct Need {
    each: u64,
    wholes: f64,
}

impl Need {
    fn requests(self) -> u64 {
        // Shares such as 1/200 have no exact form: their sum must not start a whole by a hair.
        let wholes = (self.wholes - 1e-6).ceil().max(1.0);
        // Positive and far below what a float holds exactly.
        wholes as u64 * self.each
    }
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

    /// Tells what is still to come; each call replaces the one before.
    pub fn foresee(&self, platform: &'static str, outlook: Outlook) {
        let mut outlooks = self.outlooks.lock().unwrap_or_else(PoisonError::into_inner);
        outlooks.insert(platform, outlook);
    }

    /// What is still to come, per platform whose connector told.
    #[must_use]
    pub fn outlooks(&self) -> BTreeMap<&'static str, Outlook> {
        let outlooks = self.outlooks.lock();
        outlooks.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Work was done that took at least a share of a request: 0.37 for 37 rows of a list that brings a hundred at once.
    ///
    /// Shares of one `lot` are added up and rounded up together, to at least one request: what a platform would have
    /// needed if nothing had been repeated, moved or sent half full. Called by whoever knows the platform's rules, once
    /// for work that was done, and not for how it was done.
    pub fn needed(&self, platform: &'static str, lot: impl Into<Cow<'static, str>>, share: f64) {
        self.needed_each(platform, lot, 1, share);
    }

    /// The same where each started whole takes several requests: a job is opened, filled, closed and asked for.
    pub fn needed_each(
        &self,
        platform: &'static str,
        lot: impl Into<Cow<'static, str>>,
        each: u64,
        share: f64,
    ) {
        let mut needs = self.needs.lock().unwrap_or_else(PoisonError::into_inner);
        let need = needs.entry((platform, lot.into())).or_default();
        need.each = each;
        need.wholes += share;
    }

    /// The fewest requests that the work so far could have taken, per platform that told.
    #[must_use]
    pub fn least(&self) -> BTreeMap<&'static str, u64> {
        let needs = self.needs.lock().unwrap_or_else(PoisonError::into_inner);
        let mut least = BTreeMap::new();
        for ((platform, _), need) in needs.iter() {
            *least.entry(*platform).or_default() += need.requests();
        }
        least
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
    fn the_least_rounds_each_lot_up_once() {
        let meter = Meter::new();
        for _ in 0..3 {
            meter.needed("desk", "cases", 100.0 / 300.0);
        }
        assert_eq!(meter.least()["desk"], 1, "three thirds are one page");
        meter.needed("desk", "cases", 0.01);
        meter.needed("desk", "teams", 0.0);
        assert_eq!(
            meter.least()["desk"],
            2 + 1,
            "an empty list is asked for once"
        );
        meter.needed_each("org", "jobs", 7, 1.5);
        assert_eq!(meter.least()["org"], 14);
    }

    #[test]
    fn what_is_foreseen_replaces_what_was_foreseen_before() {
        let meter = Meter::new();
        assert!(meter.outlooks().is_empty());
        let until = DateTime::UNIX_EPOCH + Duration::from_secs(9);
        for left in [70, 60] {
            meter.clone().foresee("desk", Outlook { left, until });
        }
        let told: Vec<_> = meter.outlooks().into_iter().collect();
        assert_eq!(told, [("desk", Outlook { left: 60, until })]);
    }

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
