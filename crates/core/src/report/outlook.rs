//! When a load will be over, as far as that can be said.

use std::fmt;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

/// Over how long the last records are counted.
pub const LATELY: TimeDelta = TimeDelta::minutes(10);

/// What is left of a load, by what was done lately.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Outlook {
    /// Records that were read and have no outcome yet.
    pub left: u64,
    /// Records that had their outcomes within [`LATELY`].
    pub lately: u64,
    /// Whether the source was read to its end: otherwise more will come.
    pub whole: bool,
}

impl Outlook {
    /// An outlook from its figures.
    #[must_use]
    pub const fn new(left: u64, lately: u64, whole: bool) -> Self {
        Self {
            left,
            lately,
            whole,
        }
    }

    /// How long it will take at the rate of late; unknown where nothing was done.
    #[must_use]
    pub fn minutes(&self) -> Option<u64> {
        let spent = LATELY.num_minutes().unsigned_abs();
        (self.lately > 0).then(|| (self.left * spent).div_ceil(self.lately))
    }
}

impl fmt::Display for Outlook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spent = LATELY.num_minutes();
        let Self { left, lately, .. } = self;
        match (self.minutes(), self.whole) {
            (None, _) => write!(
                f,
                "{left} records have no outcome yet; nothing was loaded in the last {spent} minutes"
            ),
            (Some(minutes), true) => write!(
                f,
                "{left} records have no outcome yet: about {} at the rate of the last {spent} minutes ({lately} records)",
                Span(minutes)
            ),
            (Some(minutes), false) => write!(
                f,
                "{left} records have no outcome yet, and more are being read: at least {} at the rate of the last {spent} minutes \
                 ({lately} records)",
                Span(minutes)
            ),
        }
    }
}

/// Minutes, as people say them.
struct Span(u64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / 60, self.0 % 60) {
            (0, minutes) => write!(f, "{minutes} min"),
            (hours, minutes) => write!(f, "{hours} h {minutes} min"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_promised_that_is_not_known() {
        let told = |left, lately, whole| Outlook::new(left, lately, whole).to_string();
        assert!(told(900, 100, true).contains("about 1 h 30 min"));
        assert!(told(95, 100, false).contains("at least 10 min"));
        assert!(told(900, 0, true).contains("nothing was loaded in the last 10 minutes"));
        assert_eq!(Outlook::new(0, 5, true).minutes(), Some(0));
    }
}
