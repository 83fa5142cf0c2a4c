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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    per_minute: Option<u32>,
    burst: u32,
    concurrent: Option<usize>,
}

impl Limit {
    /// No limit but what the platform asks for with 429.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            per_minute: None,
            burst: 1,
            concurrent: None,
        }
    }

    /// At most `requests` a minute, evenly spaced; at least one.
    #[must_use]
    pub const fn per_minute(requests: u32) -> Self {
        Self {
            per_minute: Some(if requests == 0 { 1 } else { requests }),
            burst: 1,
            concurrent: None,
        }
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

impl Default for Limit {
    fn default() -> Self {
        Self::none()
    }
}

/// One rule of pace. A client obeys several at once: a request goes when the slowest of them lets it.
pub(super) trait Pace: Send + Sync {
    /// When the next request may go.
    fn ready_at(&self, now: DateTime<Utc>) -> DateTime<Utc>;
    /// A request goes; `waited` says that it had to wait for its turn or for [`ready_at`](Self::ready_at).
    fn acquire(&self, now: DateTime<Utc>, waited: bool);
    /// An answer came; `hold` is how long it asks everybody to wait.
    fn on_response(
        &self,
        now: DateTime<Utc>,
        status: u16,
        headers: &Headers,
        hold: Option<Duration>,
    );
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
    pub(super) fn new(limit: &Limit) -> Self {
        let mut rules: Vec<Box<dyn Pace>> = vec![Box::<Gate>::default()];
        if let Some(rate) = limit.per_minute {
            rules.push(Box::new(Bucket::new(rate, limit.burst)));
        }
        let slots = limit
            .concurrent
            .map(|n| Arc::new(Semaphore::new(n.min(Semaphore::MAX_PERMITS))));
        Self {
            turn: tokio::sync::Mutex::new(()),
            rules,
            slots,
        }
    }

    /// Waits until a request may go.
    pub(super) async fn acquire(&self, cx: &Context, tally: &Tally) -> Result<Permit> {
        let asked = cx.now();
        let slot = self.slot(cx).await?;
        let (_turn, mut waited) = match self.turn.try_lock() {
            Ok(turn) => (turn, false),
            Err(_) => (self.turn.lock().await, true),
        };
        let now = loop {
            cx.check(WAIT)?;
            let now = cx.now();
            let ready = self
                .rules
                .iter()
                .map(|rule| rule.ready_at(now))
                .max()
                .unwrap_or(now);
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

    pub(super) fn on_response(
        &self,
        now: DateTime<Utc>,
        status: u16,
        headers: &Headers,
        hold: Option<Duration>,
    ) {
        for rule in &self.rules {
            rule.on_response(now, status, headers, hold);
        }
    }

    async fn slot(&self, cx: &Context) -> Result<Option<OwnedSemaphorePermit>> {
        let Some(slots) = &self.slots else {
            return Ok(None);
        };
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

/// At most a year: adding it to a date cannot overflow.
fn delta(duration: Duration) -> TimeDelta {
    let year = TimeDelta::days(365);
    TimeDelta::from_std(duration).map_or(year, |length| length.min(year))
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
        let mut closed = lock(&self.closed);
        match closed.as_mut() {
            Some(closed) => {
                // A clock that was set back must not lengthen the wait.
                closed.until = closed.until.min(now + closed.length);
                closed.until
            }
            None => now,
        }
    }

    fn acquire(&self, now: DateTime<Utc>, _: bool) {
        // An answer may have closed it again since it was found open.
        let mut closed = lock(&self.closed);
        if closed.is_some_and(|c| c.until <= now) {
            *closed = None;
        }
    }

    fn on_response(&self, now: DateTime<Utc>, _: u16, _: &Headers, hold: Option<Duration>) {
        let Some(length) = hold.map(delta) else {
            return;
        };
        let until = now + length;
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
        let nanos = 60_000_000_000_u64.div_ceil(u64::from(per_minute.max(1)));
        Self {
            interval: delta(Duration::from_nanos(nanos)),
            burst: i32::try_from(burst).unwrap_or(i32::MAX),
            full_at: Mutex::new(None),
        }
    }
}

impl Pace for Bucket {
    fn ready_at(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let mut full_at = lock(&self.full_at);
        match full_at.as_mut() {
            Some(full) => {
                // Emptier than empty means that the clock was set back.
                *full = (*full).min(now + self.interval * self.burst);
                *full - self.interval * (self.burst - 1)
            }
            None => now,
        }
    }

    fn acquire(&self, now: DateTime<Utc>, waited: bool) {
        let mut full_at = lock(&self.full_at);
        let from = match *full_at {
            // Timers wake a little late; the next request is timed from when this one was due, or the rate would drift.
            Some(full) if waited && now < full + self.interval => full,
            Some(full) => full.max(now),
            None => now,
        };
        *full_at = Some(from + self.interval);
    }

    fn on_response(&self, _: DateTime<Utc>, _: u16, _: &Headers, _: Option<Duration>) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::RuntimeClock;

    fn start() -> DateTime<Utc> {
        DateTime::parse_from_rfc3339("2024-01-01T00:00:00Z")
            .unwrap()
            .to_utc()
    }

    fn paused() -> (Context, Tally) {
        let cx = Context::new().with_clock(Arc::new(RuntimeClock::starting_at(start())));
        let tally = cx.meter().of("desk", "cases");
        (cx, tally)
    }

    /// When requests go in the first hour, asked for by seven workers at once, in milliseconds.
    async fn an_hour_of(limit: Limit) -> Vec<i64> {
        let (cx, tally) = paused();
        let pacer = Pacer::new(&limit);
        let end = start() + TimeDelta::hours(1);
        let sent = Mutex::new(Vec::new());
        let worker = || async {
            while cx.now() < end {
                let _permit = pacer.acquire(&cx, &tally).await.unwrap();
                lock(&sent).push((cx.now() - start()).num_milliseconds());
            }
        };
        futures::future::join_all((0..7).map(|_| worker())).await;
        let mut sent = sent.into_inner().unwrap();
        sent.retain(|at| *at < 3_600_000);
        sent
    }

    #[tokio::test(start_paused = true)]
    async fn sixty_a_minute_are_exactly_sixty_in_every_minute_of_an_hour() {
        let sent = an_hour_of(Limit::per_minute(60)).await;
        assert_eq!(sent.len(), 3600);
        for minute in 0..60 {
            let within = sent.iter().filter(|at| **at / 60_000 == minute).count();
            assert_eq!(within, 60, "minute {minute}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_that_fits_no_timer_is_used_to_the_full_and_never_exceeded() {
        for rate in [7, 90, 700, 7000] {
            let sent = an_hour_of(Limit::per_minute(rate)).await;
            let rate = rate as usize;
            assert!(
                sent.len() >= rate * 60 - 1 && sent.len() <= rate * 60,
                "{} of {}",
                sent.len(),
                rate * 60
            );
            for pair in sent.windows(rate + 1) {
                // One millisecond is what the runtime's timer can tell apart.
                assert!(
                    pair[rate] - pair[0] >= 59_999,
                    "{rate} a minute: {} ms",
                    pair[rate] - pair[0]
                );
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_goes_at_once_after_a_pause_and_not_before() {
        let (cx, tally) = paused();
        let pacer = Pacer::new(&Limit::per_minute(60).burst(5));
        let mut sent = Vec::new();
        for round in 0..12 {
            if round == 8 {
                cx.sleep(Duration::from_secs(60), "idle").await.unwrap();
            }
            pacer.acquire(&cx, &tally).await.unwrap();
            sent.push((cx.now() - start()).num_seconds());
        }
        assert_eq!(sent, [0, 0, 0, 0, 0, 1, 2, 3, 63, 63, 63, 63]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_closed_gate_holds_everybody_and_the_rate_goes_on_behind_it() {
        let (cx, tally) = paused();
        let pacer = Pacer::new(&Limit::per_minute(60));
        pacer.acquire(&cx, &tally).await.unwrap();
        pacer.on_response(
            cx.now(),
            429,
            &Headers::default(),
            Some(Duration::from_secs(30)),
        );
        pacer.on_response(
            cx.now(),
            429,
            &Headers::default(),
            Some(Duration::from_secs(10)),
        );
        let worker = || async {
            pacer.acquire(&cx, &tally).await.unwrap();
            (cx.now() - start()).num_seconds()
        };
        assert_eq!(futures::join!(worker(), worker(), worker()), (30, 31, 32));
        assert_eq!(cx.meter().snapshot()[0].waited_ms, 30_000 + 31_000 + 32_000);
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_run_at_once_than_allowed_and_a_slot_comes_back_with_its_permit() {
        let (cx, tally) = paused();
        let pacer = Pacer::new(&Limit::none().concurrent(2));
        let first = pacer.acquire(&cx, &tally).await.unwrap();
        let _second = pacer.acquire(&cx, &tally).await.unwrap();
        assert!(futures::poll!(std::pin::pin!(pacer.acquire(&cx, &tally))).is_pending());
        drop(first);
        assert!(futures::poll!(std::pin::pin!(pacer.acquire(&cx, &tally))).is_ready());
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_stops_when_the_run_is_stopped() {
        let (cx, tally) = paused();
        let pacer = Pacer::new(&Limit::per_minute(1).concurrent(1));
        let held = pacer.acquire(&cx, &tally).await.unwrap();
        let for_a_slot = pacer.acquire(&cx, &tally);
        let stop = async { cx.cancel() };
        let (stopped, ()) = futures::join!(for_a_slot, stop);
        assert_eq!(stopped.err().unwrap().kind(), ErrorKind::Cancelled);
        drop(held);
        let stopped = pacer.acquire(&cx, &tally).await;
        assert_eq!(stopped.err().unwrap().kind(), ErrorKind::Cancelled);
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_lengthen_a_wait() {
        let (now, earlier) = (start(), start() - TimeDelta::hours(5));
        let gate = Gate::default();
        gate.on_response(now, 429, &Headers::default(), Some(Duration::from_secs(30)));
        let bucket = Bucket::new(60, 3);
        bucket.acquire(now, false);
        for rule in [&gate as &dyn Pace, &bucket] {
            let ready = rule.ready_at(earlier);
            assert!(ready <= earlier + TimeDelta::seconds(30), "{ready}");
            assert!(rule.ready_at(ready) <= ready);
        }
    }
}
