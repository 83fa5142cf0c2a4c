//! How fast a client may ask. All clones of a client share one [`Pacer`].

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::meter::Tally;
use super::response::Headers;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};

/// A platform's limit: a rate, a burst, and how many requests may run at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limit {
    per_minute: Option<u32>,
    burst: u32,
    concurrent: Option<usize>,
}

impl Limit {
    /// No limit but what the platform asks for with 429.
    #[must_use]
    pub const fn none() -> Self {
        Self { per_minute: None, burst: 1, concurrent: None }
    }

    /// At most `requests` a minute, evenly spaced; at least one.
    #[must_use]
    pub const fn per_minute(requests: u32) -> Self {
        Self { per_minute: Some(if requests == 0 { 1 } else { requests }), burst: 1, concurrent: None }
    }

    /// As many may be sent at once after a pause; a minute then holds at most the rate and these. Default 1.
    #[must_use]
    pub const fn burst(mut self, requests: u32) -> Self {
        self.burst = if requests == 0 { 1 } else { requests };
        self
    }

    /// At most `requests` at once, until the last byte of each answer; at least one.
    #[must_use]
    pub const fn concurrent(mut self, requests: usize) -> Self {
        self.concurrent = Some(if requests == 0 { 1 } else { requests });
        self
    }
}

/// One rule of pace. A client obeys several at once: a request goes when the slowest of them lets it.
pub(super) trait Pace: Send + Sync {
    /// When the next request may go.
    fn ready_at(&self, now: DateTime<Utc>) -> DateTime<Utc>;
    /// A request goes; `waited` says that it waited for [`ready_at`](Self::ready_at).
    fn acquire(&self, now: DateTime<Utc>, waited: bool);
    /// An answer came; `hold` is how long it asks everybody to wait.
    fn on_response(&self, now: DateTime<Utc>, status: u16, headers: &Headers, hold: Option<Duration>);
}

/// The rules of a client and the queue before them.
pub(super) struct Pacer {
    /// First come, first served; whoever holds it waits for the rules.
    turn: tokio::sync::Mutex<()>,
    rules: Vec<Box<dyn Pace>>,
    slots: Option<Arc<Semaphore>>,
}

/// Lasts as long as the request runs.
pub(super) struct Permit {
    _slot: Option<OwnedSemaphorePermit>,
}

impl Pacer {
    pub(super) fn new(limit: Limit) -> Self {
        let mut rules: Vec<Box<dyn Pace>> = vec![Box::<Gate>::default()];
        if let Some(rate) = limit.per_minute {
            rules.push(Box::new(Bucket::new(rate, limit.burst)));
        }
        let slots = limit.concurrent.map(|n| Arc::new(Semaphore::new(n.min(Semaphore::MAX_PERMITS))));
        Self { turn: tokio::sync::Mutex::new(()), rules, slots }
    }

    /// Waits until a request may go.
    pub(super) async fn acquire(&self, cx: &Context, tally: &Tally) -> Result<Permit> {
        let asked = cx.now();
        let slot = self.slot(cx).await?;
        let _turn = self.turn.lock().await;
        let mut waited = false;
        let now = loop {
            cx.check(WAIT)?;
            let now = cx.now();
            let ready = self.rules.iter().map(|rule| rule.ready_at(now)).max().unwrap_or(now);
            match (ready - now).to_std() {
                Ok(wait) if !wait.is_zero() => cx.sleep(wait, WAIT).await?,
                _ => break now,
            }
            waited = true;
        };
        for rule in &self.rules {
            rule.acquire(now, waited);
        }
        tally.waited((now - asked).to_std().unwrap_or_default());
        Ok(Permit { _slot: slot })
    }

    pub(super) fn on_response(&self, now: DateTime<Utc>, status: u16, headers: &Headers, hold: Option<Duration>) {
        for rule in &self.rules {
            rule.on_response(now, status, headers, hold);
        }
    }

    async fn slot(&self, cx: &Context) -> Result<Option<OwnedSemaphorePermit>> {
        let Some(slots) = &self.slots else { return Ok(None) };
        tokio::select! {
            slot = Arc::clone(slots).acquire_owned() => {
                slot.map(Some).map_err(|_| Error::bug(WAIT, "the semaphore was closed"))
            }
            () = cx.cancelled() => Err(Error::new(ErrorKind::Cancelled, WAIT, "the run was asked to stop")),
        }
    }
}

const WAIT: &str = "wait for the rate limit";

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

/// Closed for everybody while the platform asks to wait.
#[derive(Default)]
struct Gate {
    closed: Mutex<Option<Closed>>,
}

#[derive(Clone, Copy)]
struct Closed {
    until: DateTime<Utc>,
    length: TimeDelta,
}

impl Pace for Gate {
    fn ready_at(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        // A clock that was set back must not lengthen the wait.
        lock(&self.closed).map_or(now, |closed| closed.until.min(now + closed.length))
    }

    fn acquire(&self, _: DateTime<Utc>, _: bool) {
        *lock(&self.closed) = None;
    }

    fn on_response(&self, now: DateTime<Utc>, _: u16, _: &Headers, hold: Option<Duration>) {
        let Some(length) = hold.map(delta) else { return };
        let until = now.checked_add_signed(length).unwrap_or(DateTime::<Utc>::MAX_UTC);
        let mut closed = lock(&self.closed);
        if closed.is_none_or(|c| c.until < until) {
            *closed = Some(Closed { until, length });
        }
    }
}

/// A token bucket, kept as the time at which it will be full again.
struct Bucket {
    interval: TimeDelta,
    burst: i32,
    full_at: Mutex<Option<DateTime<Utc>>>,
}

impl Bucket {
    fn new(per_minute: u32, burst: u32) -> Self {
        // Rounded up: never faster than the limit.
        let nanos = 60_000_000_000_i64.div_ceil_positive(i64::from(per_minute));
        Self {
            interval: TimeDelta::nanoseconds(nanos),
            burst: i32::try_from(burst).unwrap_or(i32::MAX),
            full_at: Mutex::new(None),
        }
    }

    /// How far ahead of now the bucket may be full and still give.
    fn lead(&self) -> TimeDelta {
        self.interval * (self.burst - 1)
    }
}

/// Integer division that rounds up, for positive numbers.
trait DivCeil {
    fn div_ceil_positive(self, by: Self) -> Self;
}

impl DivCeil for i64 {
    fn div_ceil_positive(self, by: Self) -> Self {
        (self + by - 1) / by
    }
}

impl Pace for Bucket {
    fn ready_at(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        // Never further away than one interval, or a clock that was set back would stop the run.
        lock(&self.full_at).map_or(now, |full| (full - self.lead()).min(now + self.interval))
    }

    fn acquire(&self, now: DateTime<Utc>, waited: bool) {
        let mut full_at = lock(&self.full_at);
        let from = match *full_at {
            // Timers wake a little late; the next request is timed from when this one was due, or the rate would drift.
            Some(full) if waited && self.burst == 1 && full <= now && now < full + self.interval => full,
            Some(full) if full > now && full <= now + self.interval * self.burst => full,
            _ => now,
        };
        *full_at = Some(from + self.interval);
    }

    fn on_response(&self, _: DateTime<Utc>, _: u16, _: &Headers, _: Option<Duration>) {}
}
