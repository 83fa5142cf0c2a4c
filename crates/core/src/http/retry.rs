//! When a request is sent again: pure rules.

use std::sync::Arc;
use std::time::Duration;

use super::response::Response;

/// What an answer means for the request that it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// It is the answer: hand it to the caller.
    Answer,
    /// Ask again, after this long where the platform told; `Retry-After` and the policy's delays otherwise.
    /// A request that is not idempotent is repeated only after a 4xx (refused, so not acted on) or a 503 with
    /// `Retry-After`; any other answer is handed to the caller.
    Retry(Option<Duration>),
    /// An error at once, whatever the status.
    Fatal,
}

impl Judgement {
    /// The default: 429 and server errors are asked again, everything else is the answer.
    #[must_use]
    pub fn by_status(response: &Response) -> Self {
        match response.status {
            // 501 and 505 say that the server will never do it.
            501 | 505 => Self::Answer,
            429 | 500..=599 => Self::Retry(None),
            _ => Self::Answer,
        }
    }
}

/// Judges the answers of one platform. Fall back on [`Judgement::by_status`].
pub type Judge = Arc<dyn Fn(&Response) -> Judgement + Send + Sync>;

/// How often and how long a request is repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// The most attempts, the first one included. Default 6.
    pub max_attempts: u32,
    /// No new attempt once this much time went into attempts and delays. Waits for the rate limit and for
    /// `Retry-After` do not count. Default 5 minutes.
    pub max_elapsed: Duration,
    /// The longest first delay; delays are drawn evenly between nothing and a limit that doubles. Default 0.5 s.
    pub first_delay: Duration,
    /// The longest delay. Default 60 s.
    pub max_delay: Duration,
    /// The longest wait that a `Retry-After` can ask for; a longer one is cut to this. Default 15 minutes.
    pub max_retry_after: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 6,
            max_elapsed: Duration::from_secs(5 * 60),
            first_delay: Duration::from_millis(500),
            max_delay: Duration::from_secs(60),
            max_retry_after: Duration::from_secs(15 * 60),
        }
    }
}

impl RetryPolicy {
    /// One attempt.
    #[must_use]
    pub fn never() -> Self {
        Self {
            max_attempts: 1,
            ..Self::default()
        }
    }

    /// The same with another number of attempts, the first one included.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts.max(1);
        self
    }

    /// The same with another bound on the time.
    #[must_use]
    pub fn max_elapsed(mut self, elapsed: Duration) -> Self {
        self.max_elapsed = elapsed;
        self
    }

    /// The same with other delays.
    #[must_use]
    pub fn delays(mut self, first: Duration, longest: Duration) -> Self {
        self.first_delay = first;
        self.max_delay = longest.max(first);
        self
    }

    /// The same with another bound on `Retry-After`.
    #[must_use]
    pub fn max_retry_after(mut self, wait: Duration) -> Self {
        self.max_retry_after = wait;
        self
    }

    /// Whether another attempt is allowed after `attempts` of them and `spent` time.
    pub(super) fn allows(&self, attempts: u32, spent: Duration) -> bool {
        attempts < self.max_attempts && spent < self.max_elapsed
    }
}

/// What to do with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Hand it to the caller.
    Return,
    /// Ask again, after this long if the answer or its judge told.
    Repeat(Option<Duration>),
    /// Make an error of it.
    Fail,
}

/// The rule of repetition: `asked` is the answer's `Retry-After`.
pub(super) fn verdict(
    judgement: Judgement,
    status: u16,
    idempotent: bool,
    asked: Option<Duration>,
) -> Verdict {
    match judgement {
        Judgement::Answer => Verdict::Return,
        Judgement::Fatal => Verdict::Fail,
        Judgement::Retry(told) => {
            let not_acted_on = (400..500).contains(&status) || (status == 503 && asked.is_some());
            if idempotent || not_acted_on {
                Verdict::Repeat(told.or(asked))
            } else {
                Verdict::Return
            }
        }
    }
}

/// Whether an answer asks everybody to wait, not only this request.
pub(super) fn concerns_all(status: u16, asked: Option<Duration>) -> bool {
    status == 429 || (status == 503 && asked.is_some())
}

#[cfg(test)]
mod tests {
    use super::super::response::Headers;
    use super::*;

    #[test]
    fn what_is_repeated_by_default() {
        let wait = Some(Duration::from_secs(7));
        let (read, write) = (true, false);
        let cases = [
            (200, read, None, Verdict::Return),
            (204, write, None, Verdict::Return),
            (304, read, None, Verdict::Return),
            (400, read, None, Verdict::Return),
            (401, read, None, Verdict::Return),
            (403, read, wait, Verdict::Return),
            (404, read, None, Verdict::Return),
            (429, read, None, Verdict::Repeat(None)),
            (429, read, wait, Verdict::Repeat(wait)),
            (429, write, None, Verdict::Repeat(None)),
            (429, write, wait, Verdict::Repeat(wait)),
            (490, read, None, Verdict::Return),
            (500, read, None, Verdict::Repeat(None)),
            (500, write, None, Verdict::Return),
            (500, write, wait, Verdict::Return),
            (501, read, None, Verdict::Return),
            (502, read, None, Verdict::Repeat(None)),
            (502, write, None, Verdict::Return),
            (503, read, None, Verdict::Repeat(None)),
            (503, write, None, Verdict::Return),
            (503, write, wait, Verdict::Repeat(wait)),
            (504, write, wait, Verdict::Return),
        ];
        for (status, idempotent, asked, expected) in cases {
            let judgement = Judgement::by_status(&Response::new(status, Headers::default(), ""));
            let found = verdict(judgement, status, idempotent, asked);
            assert_eq!(
                found, expected,
                "{status}, idempotent {idempotent}, asked {asked:?}"
            );
        }
    }

    #[test]
    fn a_judge_may_repeat_a_refused_write_but_never_one_that_may_have_been_acted_on() {
        let retry = Judgement::Retry(None);
        for (status, expected) in [
            (400, Verdict::Repeat(None)),
            (200, Verdict::Return),
            (500, Verdict::Return),
            (302, Verdict::Return),
        ] {
            assert_eq!(verdict(retry, status, false, None), expected, "{status}");
        }
    }

    #[test]
    fn what_a_judge_tells_goes_before_the_header() {
        let (told, asked) = (Some(Duration::from_secs(1)), Some(Duration::from_secs(9)));
        assert_eq!(
            verdict(Judgement::Retry(told), 429, true, asked),
            Verdict::Repeat(told)
        );
    }

    #[test]
    fn the_policy_ends_by_count_and_by_time() {
        let policy = RetryPolicy::default();
        let (short, long) = (Duration::from_secs(1), Duration::from_secs(300));
        let cases = [
            (1, short, true),
            (5, short, true),
            (6, short, false),
            (1, long, false),
        ];
        for (attempts, spent, allowed) in cases {
            assert_eq!(
                policy.allows(attempts, spent),
                allowed,
                "{attempts} attempts, {spent:?}"
            );
        }
        assert!(!RetryPolicy::never().allows(1, Duration::ZERO));
    }
}
