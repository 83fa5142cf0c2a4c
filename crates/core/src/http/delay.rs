//! The delays between attempts. The only file that knows the `backoff` crate, which gives the curve and nothing else.

use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff;

use super::retry::RetryPolicy;

/// The delays of one request: each drawn evenly between nothing and a limit that doubles up to the policy's longest.
pub(super) struct Delays(ExponentialBackoff);

impl Delays {
    pub(super) fn new(policy: &RetryPolicy) -> Self {
        // A factor of 1 draws from [0, 2 x interval], so half the interval gives [0, limit].
        let curve = ExponentialBackoff {
            current_interval: policy.first_delay / 2,
            initial_interval: policy.first_delay / 2,
            randomization_factor: 1.0,
            multiplier: 2.0,
            max_interval: policy.max_delay / 2,
            // Time is counted by the caller, by the run's clock.
            max_elapsed_time: None,
            ..ExponentialBackoff::default()
        };
        Self(curve)
    }

    /// The next delay.
    pub(super) fn next(&mut self) -> Duration {
        self.0.next_backoff().unwrap_or(self.0.max_interval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_delay_lies_between_nothing_and_a_limit_that_doubles() {
        let policy = RetryPolicy::default().delays(Duration::from_secs(1), Duration::from_secs(5));
        for _ in 0..200 {
            let mut delays = Delays::new(&policy);
            for limit in [1, 2, 4, 5, 5] {
                let delay = delays.next();
                assert!(
                    delay <= Duration::from_secs(limit) + Duration::from_nanos(2),
                    "{delay:?} of {limit} s"
                );
            }
        }
    }

    #[test]
    fn delays_use_the_whole_range() {
        let policy = RetryPolicy::default().delays(Duration::from_secs(1), Duration::from_secs(1));
        let drawn: Vec<_> = (0..500).map(|_| Delays::new(&policy).next()).collect();
        assert!(drawn.iter().any(|d| *d < Duration::from_millis(200)));
        assert!(drawn.iter().any(|d| *d > Duration::from_millis(800)));
    }
}
