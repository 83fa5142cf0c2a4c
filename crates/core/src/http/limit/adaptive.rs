//! A limit that nobody tells.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::super::retry_after::retry_after;
use super::rules::{Answered, Pace, Pause, Spacing, delta, lock};

/// What a minute let through is what a minute allows.
const WINDOW: TimeDelta = TimeDelta::seconds(60);
/// The pace is halved for this long after a refusal.
const SLOW: Duration = Duration::from_secs(120);
/// Minutes of use from a refusal until the pace that was refused is tried again.
const HOLD: f64 = 20.0;
/// How far below that pace it begins.
const BELOW: f64 = 0.05;
/// A pause after a refusal that does not say how long, doubled for each in a row.
const PAUSE: Duration = Duration::from_secs(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(120);
/// After so many refusals in a row what was learnt is wrong.
const WRONG: u32 = 4;

pub(super) struct Adaptive {
    usable: f64,
    state: Mutex<State>,
}

struct State {
    pace: Growth,
    spacing: Spacing,
    /// When the requests of the last minute went.
    sent: VecDeque<DateTime<Utc>>,
    /// Whether the last one had to wait: a pace that nobody uses is not proven.
    used_up: bool,
    slow: Option<Pause>,
    pause: Option<Pause>,
    /// Answers to requests that went before the last refusal are no news.
    judged: Option<DateTime<Utc>>,
    in_a_row: u32,
}

/// Requests a minute, and where they go from here.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Growth {
    /// Nothing is known: one more for each answer.
    Searching(f64),
    /// Refused at `ceiling` a minute; `used` is how many minutes of full use lie behind.
    Holding { ceiling: f64, used: f64 },
}

impl Growth {
    fn rate(self, usable: f64) -> f64 {
        match self {
            Self::Searching(rate) => rate,
            Self::Holding { ceiling, used } => {
                // Flat around the ceiling: most of the time is spent there, and it is passed by little.
                let distance = (used - HOLD) / HOLD;
                ceiling * (1.0 + BELOW * distance.powi(3)) * usable
            }
        }
    }

    fn after_an_answer(self, usable: f64) -> Self {
        let rate = self.rate(usable);
        match self {
            Self::Searching(rate) => Self::Searching(rate + 1.0),
            // Nobody minds any more: the limit was raised.
            Self::Holding { used, .. } if used >= 2.0 * HOLD => Self::Searching(rate),
            Self::Holding { ceiling, used } => Self::Holding {
                ceiling,
                used: used + 1.0 / rate,
            },
        }
    }
}

impl Adaptive {
    pub(super) fn new(start: u32, usable: f64) -> Self {
        Self {
            usable,
            state: Mutex::new(State {
                pace: Growth::Searching(f64::from(start)),
                spacing: Spacing::default(),
                sent: VecDeque::new(),
                used_up: false,
                slow: None,
                pause: None,
                judged: None,
                in_a_row: 0,
            }),
        }
    }

    fn refused(&self, state: &mut State, answer: &Answered<'_>) {
        let told = retry_after(answer.headers, answer.now).filter(|wait| !wait.is_zero());
        if state.judged.is_some_and(|judged| answer.sent <= judged) {
            return;
        }
        let rate = state.rate(self.usable, answer.now);
        state.in_a_row += 1;
        // Right after a wait the platform refuses what was spent before it: that says nothing new, until it lasts.
        if state.in_a_row == 1 || state.in_a_row >= WRONG {
            let passed = state.passed(answer, told);
            let lowest = rate / 2.0;
            let ceiling = if state.in_a_row == 1 {
                passed.clamp(lowest, rate.max(lowest))
            } else {
                lowest
            };
            state.pace = Growth::Holding {
                ceiling: ceiling.max(1.0),
                used: 0.0,
            };
        }
        state.judged = Some(answer.now);
        let wait = told.unwrap_or_else(|| {
            (PAUSE * 2_u32.saturating_pow(state.in_a_row - 1)).min(LONGEST_PAUSE)
        });
        state.pause = Some(Pause::of(answer.now, wait));
        state.slow = Some(Pause::of(answer.now, wait + SLOW));
    }

    fn let_through(&self, state: &mut State, answer: &Answered<'_>) {
        if state.judged.is_some_and(|judged| answer.sent <= judged) {
            return;
        }
        state.in_a_row = 0;
        if state.used_up && !state.is_slow(answer.now) {
            state.pace = state.pace.after_an_answer(self.usable);
        }
    }
}

impl State {
    fn is_slow(&self, now: DateTime<Utc>) -> bool {
        self.slow.is_some_and(|slow| now < slow.until)
    }

    fn rate(&self, usable: f64, now: DateTime<Utc>) -> f64 {
        let rate = self.pace.rate(usable).max(1.0);
        if self.is_slow(now) { rate / 2.0 } else { rate }
    }

    fn interval(&self, usable: f64, now: DateTime<Utc>) -> TimeDelta {
        delta(Duration::from_secs_f64(60.0 / self.rate(usable, now)))
    }

    /// How many requests the platform had let through when it refused this one.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a number of requests in a minute"
    )]
    fn passed(&self, answer: &Answered<'_>, told: Option<Duration>) -> f64 {
        // Where it tells when it will listen again, the minute that it counts began a minute before.
        let from = match told.map(delta) {
            Some(wait) if wait <= WINDOW => answer.now + wait - WINDOW,
            _ => answer.now - WINDOW,
        };
        let counted = self
            .sent
            .iter()
            .filter(|sent| (from..answer.sent).contains(*sent));
        counted.count() as f64
    }
}

impl Pace for Adaptive {
    fn ready_at(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let mut state = lock(&self.state);
        let paused = state.pause.as_mut().map_or(now, |pause| pause.seen_at(now));
        if let Some(slow) = state.slow.as_mut() {
            slow.seen_at(now);
        }
        // A clock that was set back makes no news of the past.
        state.judged = state.judged.map(|judged| judged.min(now));
        let interval = state.interval(self.usable, now);
        state.spacing.ready_at(now, interval).max(paused)
    }

    fn acquire(&self, now: DateTime<Utc>, waited: bool) {
        let mut state = lock(&self.state);
        let interval = state.interval(self.usable, now);
        state.spacing.acquire(now, waited, interval);
        state.used_up = waited;
        while state
            .sent
            .front()
            .is_some_and(|sent| *sent <= now - WINDOW - WINDOW || *sent > now)
        {
            state.sent.pop_front();
        }
        state.sent.push_back(now);
    }

    fn on_response(&self, answer: &Answered<'_>) {
        let mut state = lock(&self.state);
        if answer.status == 429 {
            self.refused(&mut state, answer);
        } else {
            self.let_through(&mut state, answer);
        }
    }
}
