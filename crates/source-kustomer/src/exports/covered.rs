//! Which times exports speak of.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What lies closer together than this belongs together: a helpdesk rests on some days.
const REST: i64 = 3 * 86_400_000;
/// So many periods are told apart of a kind; more of them grow together where they are closest.
const MOST: usize = 24;

/// Periods by kind, in milliseconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Covered(BTreeMap<String, Vec<(i64, i64)>>);

impl Covered {
    /// Takes note of a moment.
    pub(crate) fn see(&mut self, kind: &str, at: DateTime<Utc>) {
        let at = at.timestamp_millis();
        if !self.0.contains_key(kind) {
            self.0.insert(kind.to_owned(), Vec::new());
        }
        let Some(all) = self.0.get_mut(kind) else {
            return;
        };
        let place = all.partition_point(|(_, to)| *to + REST < at);
        match all.get_mut(place).filter(|(from, _)| at >= *from - REST) {
            Some((from, to)) => (*from, *to) = ((*from).min(at), (*to).max(at)),
            None => all.insert(place, (at, at)),
        }
        all.dedup_by(|next, before| {
            let joined = next.0 - before.1 <= REST;
            if joined {
                before.1 = before.1.max(next.1);
            }
            joined
        });
        if all.len() > MOST {
            let gap = |place: &usize| all[*place + 1].0 - all[*place].1;
            if let Some(place) = (0..all.len() - 1).min_by_key(gap) {
                let (_, to) = all.remove(place + 1);
                all[place].1 = to;
            }
        }
    }

    /// The periods of a kind, oldest first.
    pub(crate) fn periods(&self, kind: &str) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
        let moment = |at: i64| DateTime::from_timestamp_millis(at).unwrap_or_default();
        let all = self.0.get(kind).into_iter().flatten();
        all.map(|(from, to)| (moment(*from), moment(*to))).collect()
    }

    /// What lies before, between and after them, in words.
    pub(crate) fn gaps(&self, kind: &str) -> Vec<String> {
        let day = |at: &DateTime<Utc>| at.format("%Y-%m-%d").to_string();
        let periods = self.periods(kind);
        let (Some(first), Some(last)) = (periods.first(), periods.last()) else {
            return vec!["at all times".to_owned()];
        };
        let between = periods.windows(2).map(|pair| match pair {
            [(_, to), (from, _)] => format!("between {} and {}", day(to), day(from)),
            _ => String::new(),
        });
        let mut gaps = vec![format!("before {}", day(&first.0))];
        gaps.extend(between);
        gaps.push(format!("after {}", day(&last.1)));
        gaps
    }
}
