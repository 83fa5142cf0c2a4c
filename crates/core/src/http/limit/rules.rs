//! The rules that need nothing but the clock: waits that were asked for, even spacing, a bucket.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::super::response::Headers;

/// One rule of pace. A request goes when the slowest of its rules lets it.
pub(super) trait Pace: Send + Sync {
    /// When the next request may go.
    fn ready_at(&self, now: DateTime<Utc>) -> DateTime<Utc>;
    /// A request goes; `waited` says that it had to wait for its turn or for [`ready_at`](Self::ready_at).
    fn acquire(&self, now: DateTime<Utc>, waited: bool);
    /// An answer came.
    fn on_response(&self, answer: &Answered<'_>);
}

/// An answer, as far as limits are concerned.
pub(super) struct Answered<'a> {
    /// When it came.
    pub(super) now: DateTime<Utc>,
    /// When its request went.
    pub(super) sent: DateTime<Utc>,
    pub(super) status: u16,
    pub(super) headers: &'a Headers,
    /// How many other requests of the limit wait for their answers.
    pub(super) in_flight: usize,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// At most a year: adding it to a date cannot overflow.
pub(super) fn delta(duration: Duration) -> TimeDelta {
    let year = TimeDelta::days(365);
    TimeDelta::from_std(duration).map_or(year, |length| length.min(year))
}

/// A wait that somebody asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pause {
    pub(super) until: DateTime<Utc>,
    length: TimeDelta,
}

impl Pause {
    pub(super) fn of(now: DateTime<Utc>, length: Duration) -> Self {
        let length = delta(length);
        Self {
            until: now + length,
            length,
        }
    }

    /// A clock that was set back must not lengthen a wait.
    pub(super) fn seen_at(&mut self, now: DateTime<Utc>) -> DateTime<Utc> {
        self.until = self.until.min(now + self.length);
        self.until
    }
}

/// Closed for everybody while the platform asks to wait.
#[derive(Default)]
pub(super) struct Gate {
    closed: Mutex<Option<Pause>>,
}

impl Gate {
    pub(super) fn ready_at(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        lock(&self.closed)
            .as_mut()
            .map_or(now, |closed| closed.seen_at(now))
    }

    /// An answer may have closed it again since it was found open.
    pub(super) fn pass(&self, now: DateTime<Utc>) {
        let mut closed = lock(&self.closed);
        if closed.is_some_and(|closed| closed.until <= now) {
            *closed = None;
        }
    }

    pub(super) fn close(&self, now: DateTime<Utc>, length: Duration) {
        let pause = Pause::of(now, length);
        let mut closed = lock(&self.closed);
        if closed.is_none_or(|closed| closed.until < pause.until) {
            *closed = Some(pause);
        }
    }
}

/// Even spacing whose interval may change at any time.
#[derive(Debug, Default)]
pub(super) struct Spacing {
    last: Option<DateTime<Utc>>,
}

impl Spacing {
    pub(super) fn ready_at(&mut self, now: DateTime<Utc>, interval: TimeDelta) -> DateTime<Utc> {
        match self.last.as_mut() {
            Some(last) => {
                *last = (*last).min(now);
                *last + interval
            }
            None => now,
        }
    }

    pub(super) fn acquire(&mut self, now: DateTime<Utc>, waited: bool, interval: TimeDelta) {
        let due = self.last.map(|last| last + interval);
        self.last = Some(match due {
            // Timers wake a little late; the next request is timed from when this one was due, or the rate would drift.
            Some(due) if waited && due <= now && now < due + interval => due,
            _ => now,
        });
    }
}

/// A token bucket, kept as the time at which it will be full again.
pub(super) struct Bucket {
    interval: TimeDelta,
    burst: i32,
    full_at: Mutex<Option<DateTime<Utc>>>,
}

impl Bucket {
    pub(super) fn new(interval: Duration, burst: u32) -> Self {
        Self {
            interval: delta(interval),
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
            // As for even spacing: late timers must not make the rate drift.
            Some(full) if waited && now < full + self.interval => full,
            Some(full) => full.max(now),
            None => now,
        };
        *full_at = Some(from + self.interval);
    }

    fn on_response(&self, _: &Answered<'_>) {}
}
