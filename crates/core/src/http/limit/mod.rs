//! How fast a client may ask. All clones of a client share one [`Pacer`].

mod adaptive;
mod daily;
mod headers;
mod pacer;
mod rules;
#[cfg(test)]
mod tests;
mod told;

pub use headers::{LimitHeaders, Reset};
pub(super) use pacer::{Pacer, Permit, Ticket};

/// One limit of a platform: a pace, a burst, how many requests may run at once, how many a day may see, and which
/// requests it counts.
///
/// A client obeys several at once ([`ClientBuilder::also_limit`](super::ClientBuilder::also_limit)): a request goes when
/// each of those that count it lets it go. Each has a queue of its own, first come, first served.
///
/// ```
/// use deskferry_core::http::{Limit, LimitHeaders, Reset};
///
/// // 50 a second and 50,000 a day.
/// let both = Limit::per_second(50).per_day(50_000);
/// // What the platform tells; a third of it is left to people.
/// let told = LimitHeaders::new("x-ratelimit-limit", "x-ratelimit-remaining")
///     .reset("x-ratelimit-reset", Reset::Guess);
/// let shared = Limit::told(told, 300).keep_free(0.33);
/// // A narrower one for one endpoint.
/// let search = Limit::per_minute(90).only(&["search"]);
/// // Nothing is known: find out.
/// let unknown = Limit::adaptive(60);
/// # let _ = (both, shared, search, unknown);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Limit {
    rate: Rate,
    burst: u32,
    concurrent: Option<usize>,
    per_day: Option<u64>,
    kept_free: f64,
    endpoints: Option<&'static [&'static str]>,
}

#[derive(Debug, Clone, PartialEq)]
enum Rate {
    Free,
    /// Nanoseconds from one request to the next.
    Every(u64),
    /// Requests a minute to begin with.
    Adaptive(u32),
    /// Requests a window until the platform has told.
    Told(LimitHeaders, u32),
}

const MINUTE: u64 = 60_000_000_000;

impl Limit {
    const fn with(rate: Rate) -> Self {
        Self {
            rate,
            burst: 1,
            concurrent: None,
            per_day: None,
            kept_free: 0.0,
            endpoints: None,
        }
    }

    /// No limit but what the platform asks for with 429.
    #[must_use]
    pub const fn none() -> Self {
        Self::with(Rate::Free)
    }

    /// At most `requests` a minute, evenly spaced; at least one.
    #[must_use]
    pub const fn per_minute(requests: u32) -> Self {
        Self::with(every(MINUTE, requests))
    }

    /// At most `requests` a second, evenly spaced; at least one.
    #[must_use]
    pub const fn per_second(requests: u32) -> Self {
        Self::with(every(MINUTE / 60, requests))
    }

    /// For a platform that has a limit a minute and tells nothing of it: begins with `start` requests a minute and finds
    /// the rest out.
    ///
    /// Each answer adds one request a minute, until the platform refuses one with 429. From what it had let through in
    /// the minute before follows what it allows. The pace is halved for two minutes, then stays a little below for twenty
    /// minutes of use, and feels its way up again. A 429 without `Retry-After` is followed by a pause of 20 seconds, longer
    /// for each in a row.
    #[must_use]
    pub const fn adaptive(start: u32) -> Self {
        Self::with(Rate::Adaptive(at_least_one(start)))
    }

    /// For a platform that tells its limit in headers; `start` requests a window until it has told.
    ///
    /// What is left of a window is spread evenly over what is left of its time, and nothing is sent once it is used up,
    /// whoever else uses it.
    #[must_use]
    pub const fn told(headers: LimitHeaders, start: u32) -> Self {
        Self::with(Rate::Told(headers, at_least_one(start)))
    }

    /// As many may be sent at once after a pause, where the rate is given; a minute then holds at most the rate and these.
    /// Default 1.
    #[must_use]
    pub const fn burst(mut self, requests: u32) -> Self {
        self.burst = at_least_one(requests);
        self
    }

    /// At most `requests` at once, until the last byte of each answer; at least one.
    #[must_use]
    pub const fn concurrent(mut self, requests: usize) -> Self {
        self.concurrent = Some(if requests == 0 { 1 } else { requests });
        self
    }

    /// At most `requests` a day (UTC), counted from when the client was made. Then, or when the platform refuses with 429 for
    /// longer than the patience lasts, calls end with an error of kind `Quota`.
    #[must_use]
    pub const fn per_day(mut self, requests: u64) -> Self {
        self.per_day = Some(requests);
        self
    }

    /// Leaves this share of the limit to others, the people who work on the platform: 0.0 (the default) to 0.9. Where the
    /// platform tells what is left, nothing is sent once it is no more than this share.
    ///
    /// An [`adaptive`](Self::adaptive) limit has to be passed to be found; the share is kept once it is.
    #[must_use]
    pub fn keep_free(mut self, share: f64) -> Self {
        self.kept_free = if share.is_finite() {
            share.clamp(0.0, 0.9)
        } else {
            0.0
        };
        self
    }

    /// Counts requests of these endpoints only (their names, as in [`Request`](super::Request)).
    #[must_use]
    pub const fn only(mut self, endpoints: &'static [&'static str]) -> Self {
        self.endpoints = Some(endpoints);
        self
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self::none()
    }
}

const fn at_least_one(requests: u32) -> u32 {
    if requests == 0 { 1 } else { requests }
}

const fn every(time: u64, requests: u32) -> Rate {
    // Rounded up: never faster than the limit.
    Rate::Every(time.div_ceil(at_least_one(requests) as u64))
}
