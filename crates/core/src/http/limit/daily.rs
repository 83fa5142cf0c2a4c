//! An allowance of a day.

use std::sync::Mutex;

use chrono::{DateTime, NaiveDate, Utc};

use super::rules::lock;
use crate::error::{Error, ErrorKind, Result};

/// Requests that a day (UTC) allows, and those that went.
pub(super) struct Daily {
    most: u64,
    used: Mutex<(Option<NaiveDate>, u64)>,
}

impl Daily {
    pub(super) fn new(most: u64) -> Self {
        Self {
            most,
            used: Mutex::new((None, 0)),
        }
    }

    /// Whether one more may go today.
    ///
    /// # Errors
    /// `Quota`.
    pub(super) fn check(&self, now: DateTime<Utc>) -> Result<()> {
        let used = lock(&self.used);
        if used.0 == Some(now.date_naive()) && used.1 >= self.most {
            return Err(used_up(Error::new(
                ErrorKind::Quota,
                "ask the platform",
                format!("the {} requests that a day allows are used up", self.most),
            )));
        }
        Ok(())
    }

    pub(super) fn take(&self, now: DateTime<Utc>) {
        let mut used = lock(&self.used);
        let today = Some(now.date_naive());
        let before = if used.0 == today { used.1 } else { 0 };
        *used = (today, before + 1);
    }
}

/// The same error, as the end of an allowance.
pub(super) fn used_up(error: Error) -> Error {
    error
        .kind_is(ErrorKind::Quota)
        .advise("Run `resume` after 00:00 UTC: it goes on where it stopped")
}
