//! How many requests this day saw, kept in the work folder: another process of the same day goes on counting (ASAPP reference, section 1.3).

use std::path::PathBuf;
use std::sync::Mutex;

use chrono::NaiveDate;
use deskferry_core::{Context, Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

/// The file's name within the work folder.
const NAME: &str = "requests.json";
/// Requests that may be on their way when a process dies, and that it has not written down.
pub(super) const AT_ONCE: u64 = 8;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    day: NaiveDate,
    requests: u64,
}

/// The count of a day.
#[derive(Debug)]
pub(crate) struct Day {
    path: PathBuf,
    most: u64,
    now: Mutex<Option<Now>>,
}

#[derive(Clone, Copy, Debug)]
struct Now {
    kept: Kept,
    /// What the meter showed when this day was begun or taken up.
    shown: u64,
    /// Calls of this process since, repeats not counted: the meter does not see what is about to leave.
    taken: u64,
}

impl Now {
    fn used(self, shown: u64) -> u64 {
        self.kept.requests + shown.saturating_sub(self.shown).max(self.taken)
    }
}

impl Day {
    pub(crate) fn new(work: &std::path::Path, most: u64) -> Self {
        Self {
            path: work.join(NAME),
            most,
            now: Mutex::new(None),
        }
    }

    /// Requests of today, by all processes that share the work folder one after the other. `shown` is what this one's meter shows.
    pub(crate) fn used(&self, cx: &Context, shown: u64) -> u64 {
        let now = self
            .now
            .lock()
            .ok()
            .and_then(|mut now| self.today(cx, shown, &mut now));
        now.map_or(0, |now| now.used(shown))
    }

    fn today(&self, cx: &Context, shown: u64, now: &mut Option<Now>) -> Option<Now> {
        let day = cx.now().date_naive();
        if now.is_none_or(|now| now.kept.day != day) {
            let read = || serde_json::from_slice::<Kept>(&std::fs::read(&self.path).ok()?).ok();
            let kept = match now {
                // Another day has begun while this process ran.
                Some(_) => None,
                None => read().filter(|kept| kept.day == day),
            };
            let kept = kept.unwrap_or(Kept { day, requests: 0 });
            *now = Some(Now {
                kept,
                shown,
                taken: 0,
            });
        }
        *now
    }

    /// Counts one more, before it leaves.
    ///
    /// # Errors
    /// `Quota`: the day is used up; `Storage`: it cannot be written down.
    pub(crate) fn take(&self, cx: &Context, shown: u64) -> Result<()> {
        let failed = |e| Error::storage("count the requests of the day", e);
        let poisoned = |_| Error::bug("count the requests of the day", "a lock was poisoned");
        let mut held = self.now.lock().map_err(poisoned)?;
        let Some(now) = self.today(cx, shown, &mut held) else {
            return Ok(());
        };
        let used = now.used(shown);
        if used >= self.most {
            return Err(Error::new(
                ErrorKind::Quota,
                "ask ASAPP",
                format!("the {} requests of this day (UTC) are used up", self.most),
            )
            .advise("Run `resume` tomorrow: it goes on where it stopped. `requests_per_day` says how many a day may see"));
        }
        let kept = Kept {
            requests: (used + AT_ONCE).min(self.most),
            ..now.kept
        };
        let text = serde_json::to_vec(&kept).map_err(|e| failed(e.into()))?;
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let unfinished = self.path.with_extension("unfinished");
        std::fs::write(&unfinished, text)
            .and_then(|()| std::fs::rename(&unfinished, &self.path))
            .map_err(failed)?;
        *held = Some(Now {
            taken: now.taken + 1,
            ..now
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use chrono::TimeDelta;
    use deskferry_core::context::RuntimeClock;

    fn on_day(number: i64) -> Context {
        let day = chrono::DateTime::UNIX_EPOCH + TimeDelta::days(number);
        Context::new().with_clock(Arc::new(RuntimeClock::starting_at(day)))
    }

    #[tokio::test]
    async fn a_day_is_counted_over_processes_and_ends() {
        let folder = tempfile::tempdir().unwrap();
        let cx = on_day(1);
        let first = Day::new(folder.path(), 30);
        for shown in 0..12 {
            first.take(&cx, shown).unwrap();
        }
        // The process dies, and with it what its meter showed: what may have been on its way counts.
        let second = Day::new(folder.path(), 30);
        assert_eq!(second.used(&cx, 0), 11 + AT_ONCE);
        let taken = (0..)
            .take_while(|shown| second.take(&cx, *shown).is_ok())
            .count();
        assert_eq!(taken, 11);
        let error = Day::new(folder.path(), 30).take(&cx, 0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Quota);

        let cx = on_day(2);
        assert_eq!(second.used(&cx, 11), 0);
        second.take(&cx, 11).unwrap();
        Day::new(folder.path(), 30).take(&cx, 0).unwrap();
    }
}
