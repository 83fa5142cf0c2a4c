//! A limit that the platform tells with its answers.

use std::sync::Mutex;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::super::retry_after::retry_after;
use super::headers::LimitHeaders;
use super::rules::{Answered, Pace, Spacing, delta, lock};

/// What is left late in a window may go this much faster than evenly.
const CATCH_UP: f64 = 1.5;
/// Ends are told in whole seconds.
const GRAIN: TimeDelta = TimeDelta::seconds(1);

pub(super) struct Advertised {
    headers: LimitHeaders,
    start: u32,
    usable: f64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    spacing: Spacing,
    limit: Option<u32>,
    /// Requests that may still go in this window, as far as is known; those on their way are taken off.
    left: Option<i64>,
    ends: Option<DateTime<Utc>>,
    /// What the last answer of this window said to be left, and the last one of the window before.
    told: Option<u32>,
    before: Option<u32>,
    /// When this window was taken to begin.
    rolled: Option<DateTime<Utc>>,
}

impl Advertised {
    pub(super) fn new(headers: LimitHeaders, start: u32, usable: f64) -> Self {
        Self {
            headers,
            start,
            usable,
            state: Mutex::default(),
        }
    }

    fn window(&self) -> TimeDelta {
        delta(self.headers.window_length())
    }

    /// Requests of a window that are left to others.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a part of a u32, rounded up"
    )]
    fn kept(&self, limit: u32) -> i64 {
        (f64::from(limit) * (1.0 - self.usable)).ceil() as i64
    }

    /// From one request to the next: evenly over the window, or over what is left of it.
    fn interval(&self, state: &State, now: DateTime<Utc>) -> TimeDelta {
        let limit = state.limit.unwrap_or(self.start);
        let even = self.headers.window_length().as_secs_f64() / (f64::from(limit) * self.usable);
        let left = state.left.map(|left| left - self.kept(limit));
        let seconds = match (left, state.ends) {
            (Some(left), Some(ends)) if left > 0 => {
                let time = (ends - now).to_std().unwrap_or_default().as_secs_f64();
                (time / left_as_f64(left)).max(even / CATCH_UP)
            }
            _ => even,
        };
        delta(Duration::try_from_secs_f64(seconds).unwrap_or(self.headers.window_length()))
    }

    /// A window that has ended is followed by a whole one.
    fn roll(&self, state: &mut State, now: DateTime<Utc>) {
        let window = self.window();
        let Some(ends) = state.ends else { return };
        if ends > now + window + delta(self.headers.believed(Duration::MAX)) {
            // The clock was set back.
            state.ends = Some(now + window);
        } else if ends <= now {
            let passed = (now - ends).num_milliseconds() / window.num_milliseconds().max(1);
            let passed = i32::try_from(passed).unwrap_or(i32::MAX - 1);
            state.ends = Some(ends + window * (passed + 1));
            state.left = state.limit.map(i64::from);
            state.before = state.told.take();
            state.rolled = Some(now);
        }
    }

    /// The end of the window by the clock on the wall: the next full minute, where a window is a minute.
    fn full_window(&self, now: DateTime<Utc>) -> Duration {
        let window = self.headers.window_length().as_millis().max(1);
        let within = u128::try_from(now.timestamp_millis()).unwrap_or(0) % window;
        Duration::from_millis(u64::try_from(window - within).unwrap_or(1))
    }

    fn learn(&self, state: &mut State, answer: &Answered<'_>) {
        let told = self.headers.read(answer.headers, answer.now);
        if let Some(limit) = told.limit {
            state.limit = Some(limit);
        }
        if let Some(remaining) = told.remaining {
            let known = told.reset.is_some() || self.infer(state, answer, remaining);
            if known {
                state.told = Some(remaining);
                // Some of those on their way may be counted already: the next answers will tell.
                let on_the_way = i64::try_from(answer.in_flight).unwrap_or(i64::MAX);
                state.left = Some(i64::from(remaining) - on_the_way);
            }
        }
        if let Some(reset) = told.reset {
            state.ends = Some(answer.now + delta(reset) + GRAIN);
        }
    }

    /// Finds the end of a window from what is left, where it is not told; whether the answer belongs to this window.
    fn infer(&self, state: &mut State, answer: &Answered<'_>, remaining: u32) -> bool {
        if state.rolled.is_some_and(|rolled| answer.sent < rolled) {
            return false;
        }
        let on_the_way = u32::try_from(answer.in_flight).unwrap_or(u32::MAX);
        let counted = remaining.saturating_add(on_the_way).saturating_add(2);
        let whole = state.limit.is_some_and(|limit| counted >= limit);
        let ends = answer.sent + self.window();
        match state.told {
            // More is left than before: a window began with this request, or a little before it.
            Some(told) if whole && told < remaining => state.ends = Some(ends),
            // The window that was expected.
            None if whole => state.ends = Some(state.ends.map_or(ends, |old| old.min(ends))),
            // It was expected too early: soon, then.
            None if state.before.is_some_and(|before| remaining <= before) => {
                state.ends = Some(answer.now + GRAIN);
            }
            _ => {}
        }
        true
    }

    fn refused(&self, state: &mut State, answer: &Answered<'_>) {
        let told = self.headers.read(answer.headers, answer.now).reset;
        let wait = retry_after(answer.headers, answer.now)
            .or(told)
            .unwrap_or_else(|| self.full_window(answer.now));
        state.left = Some(0);
        state.told = Some(0);
        state.ends = Some(answer.now + delta(self.headers.believed(wait)) + GRAIN);
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a number of requests in a window"
)]
fn left_as_f64(left: i64) -> f64 {
    left as f64
}

impl Pace for Advertised {
    fn ready_at(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let mut state = lock(&self.state);
        self.roll(&mut state, now);
        let interval = self.interval(&state, now);
        let paced = state.spacing.ready_at(now, interval);
        let kept = self.kept(state.limit.unwrap_or(self.start));
        if state.left.is_some_and(|left| left <= kept) {
            let believed = self.headers.believed(self.full_window(now));
            return *state.ends.get_or_insert(now + delta(believed));
        }
        paced
    }

    fn acquire(&self, now: DateTime<Utc>, waited: bool) {
        let mut state = lock(&self.state);
        let interval = self.interval(&state, now);
        state.spacing.acquire(now, waited, interval);
        if let Some(left) = state.left.as_mut() {
            *left -= 1;
        }
    }

    fn on_response(&self, answer: &Answered<'_>) {
        let mut state = lock(&self.state);
        if answer.status == 429 {
            self.refused(&mut state, answer);
        } else {
            self.learn(&mut state, answer);
        }
    }
}
