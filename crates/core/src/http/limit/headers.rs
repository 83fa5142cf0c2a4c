//! What answers tell of a limit.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::super::response::Headers;
use super::super::retry_after::server_time;

/// How a platform writes when its window ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reset {
    /// Seconds since 1970.
    EpochSeconds,
    /// Milliseconds since 1970.
    EpochMillis,
    /// Seconds from now.
    Seconds,
    /// By size: above 10^12 milliseconds since 1970, above 10^9 seconds since 1970, otherwise seconds from now.
    Guess,
}

/// The names under which a platform tells its limit, and what they mean. Header names are compared without case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitHeaders {
    limit: &'static str,
    remaining: &'static str,
    reset: Option<(&'static str, Reset)>,
    window: Duration,
    shortest: Duration,
    longest: Duration,
}

/// What one answer told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// Requests of a window.
    pub(super) limit: Option<u32>,
    /// Requests that are left of it.
    pub(super) remaining: Option<u32>,
    /// Until the window ends.
    pub(super) reset: Option<Duration>,
}

impl LimitHeaders {
    /// The headers with the requests that a window allows, and with those that are left. The window is a minute, and a
    /// wait for its end lasts 1 to 120 seconds, unless told otherwise.
    #[must_use]
    pub const fn new(limit: &'static str, remaining: &'static str) -> Self {
        Self {
            limit,
            remaining,
            reset: None,
            window: Duration::from_secs(60),
            shortest: Duration::from_secs(1),
            longest: Duration::from_secs(120),
        }
    }

    /// The header that says when the window ends. A date is measured by the server's own clock, where it sends `Date`.
    /// Without this header the end is inferred from when the rest goes up again, or else is the next full window's.
    #[must_use]
    pub const fn reset(mut self, name: &'static str, form: Reset) -> Self {
        self.reset = Some((name, form));
        self
    }

    /// How long a window is; at least a second. Default a minute.
    #[must_use]
    pub fn window(mut self, window: Duration) -> Self {
        self.window = window.clamp(Duration::from_secs(1), Duration::from_secs(86_400));
        self
    }

    /// The shortest and the longest wait for a window's end that is believed. Default 1 s and 120 s.
    #[must_use]
    pub fn clamp(mut self, shortest: Duration, longest: Duration) -> Self {
        self.shortest = shortest;
        self.longest = longest.max(shortest);
        self
    }

    pub(super) fn window_length(&self) -> Duration {
        self.window
    }

    pub(super) fn believed(&self, wait: Duration) -> Duration {
        wait.clamp(self.shortest, self.longest)
    }

    /// What an answer tells. What cannot be read is not told.
    pub(super) fn read(&self, headers: &Headers, now: DateTime<Utc>) -> Told {
        let number = |name: &str| headers.get(name)?.trim().parse::<u32>().ok();
        Told {
            limit: number(self.limit).filter(|limit| *limit > 0),
            remaining: number(self.remaining),
            reset: self.reset.and_then(|(name, form)| {
                let value: f64 = headers.get(name)?.trim().parse().ok()?;
                let wait = form.until(value, server_time(headers).unwrap_or(now))?;
                Some(self.believed(wait))
            }),
        }
    }
}

impl Reset {
    fn until(self, value: f64, now: DateTime<Utc>) -> Option<Duration> {
        let seconds = match self {
            Self::EpochMillis => since(value / 1000.0, now),
            Self::EpochSeconds => since(value, now),
            Self::Seconds => value,
            Self::Guess if value > 1e12 => since(value / 1000.0, now),
            Self::Guess if value > 1e9 => since(value, now),
            Self::Guess => value,
        };
        // A window that has ended already ends now.
        Duration::try_from_secs_f64(seconds.max(0.0)).ok()
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds since 1970 are far below 2^53"
)]
fn since(epoch: f64, now: DateTime<Utc>) -> f64 {
    epoch - now.timestamp_millis() as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2024-01-01T00:00:00Z
    const NOW: i64 = 1_704_067_200;

    fn told(form: Reset, reset: &str, more: &[(&str, &str)]) -> Told {
        let headers = LimitHeaders::new("X-Limit", "X-Left").reset("X-Reset", form);
        let mut pairs = vec![("x-limit", "1000"), ("x-left", " 999 "), ("x-reset", reset)];
        pairs.extend(more);
        let now = DateTime::from_timestamp(NOW, 0).unwrap();
        headers.read(&Headers::new(pairs), now)
    }

    #[test]
    fn each_form_of_a_reset_says_how_long_a_window_lasts() {
        let cases = [
            (Reset::EpochSeconds, "1704067230", Some(30)),
            (Reset::EpochMillis, "1704067230000", Some(30)),
            (Reset::Seconds, "30", Some(30)),
            (Reset::Guess, "1704067230", Some(30)),
            (Reset::Guess, "1704067230000", Some(30)),
            (Reset::Guess, "30", Some(30)),
            // Out of bounds: nobody waits for a year, nor for no time at all.
            (Reset::Guess, "31536000", Some(120)),
            (Reset::EpochSeconds, "1704067000", Some(1)),
            (Reset::Seconds, "-4", Some(1)),
            (Reset::Guess, "soon", None),
            (Reset::Seconds, "NaN", Some(1)),
            (Reset::Seconds, "inf", None),
        ];
        for (form, reset, expected) in cases {
            let found = told(form, reset, &[]);
            assert_eq!(
                (found.limit, found.remaining, found.reset),
                (Some(1000), Some(999), expected.map(Duration::from_secs)),
                "{form:?} {reset}"
            );
        }
    }

    #[test]
    fn a_date_is_measured_by_the_servers_clock_where_it_is_told() {
        // The server is an hour ahead of us.
        let date = ("date", "Mon, 01 Jan 2024 01:00:00 GMT");
        let found = told(Reset::EpochSeconds, "1704070830", &[date]);
        assert_eq!(found.reset, Some(Duration::from_secs(30)));
    }

    #[test]
    fn what_is_missing_or_nonsense_is_not_told() {
        let headers = LimitHeaders::new("x-limit", "x-left");
        let now = DateTime::from_timestamp(NOW, 0).unwrap();
        let found = headers.read(&Headers::new([("x-limit", "0"), ("x-left", "many")]), now);
        assert_eq!(found, Told::default());
    }
}
