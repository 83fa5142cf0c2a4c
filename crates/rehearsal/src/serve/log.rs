//! What a stand-in was asked: counters and the last requests, for tests and for people.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

/// Every request of one server since it started; clones share it. Values that could be secrets are never kept: no
/// header, no body, and of a query only the parts that are not named like a credential.
#[derive(Clone, Debug)]
pub struct RequestLog {
    state: Arc<Mutex<State>>,
    keep: usize,
}

#[derive(Debug, Default)]
struct State {
    total: u64,
    counts: BTreeMap<(String, String), Count>,
    recent: VecDeque<Entry>,
}

/// How often one route was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// HTTP method.
    pub method: String,
    /// The route's label, such as `/api/v1/cases/{id}`.
    pub route: String,
    /// All requests, whatever became of them.
    pub requests: u64,
    /// Answers by HTTP status; status 0 counts connections that were closed without an answer.
    pub statuses: BTreeMap<u16, u64>,
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its number since the server started, from 1.
    pub n: u64,
    /// HTTP method.
    pub method: String,
    /// Path and query as sent, with values of credential-like parameters replaced.
    pub path: String,
    /// The route's label.
    pub route: String,
    /// HTTP status of the answer; 0 when the connection was closed without one.
    pub status: u16,
    /// Milliseconds from the head of the request to the head of the answer.
    pub millis: u64,
}

/// A copy of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Requests {
    /// All requests since the start or the last clear.
    pub total: u64,
    /// One row per method and route.
    pub counts: Vec<Count>,
    /// The last requests, oldest first.
    pub recent: Vec<Entry>,
}

impl Requests {
    /// How many requests went to routes whose label contains `route_part`, by any method if `method` is empty.
    pub fn count(&self, method: &str, route_part: &str) -> u64 {
        let wanted =
            |c: &&Count| (method.is_empty() || c.method == method) && c.route.contains(route_part);
        self.counts.iter().filter(wanted).map(|c| c.requests).sum()
    }
}

impl RequestLog {
    /// A log that keeps the last `keep` requests in full.
    pub fn new(keep: usize) -> Self {
        Self {
            state: Arc::default(),
            keep,
        }
    }

    /// A copy of what was counted so far.
    pub fn snapshot(&self) -> Requests {
        let state = self.lock();
        Requests {
            total: state.total,
            counts: state.counts.values().cloned().collect(),
            recent: state.recent.iter().cloned().collect(),
        }
    }

    /// Forgets everything; numbers start at 1 again.
    pub fn clear(&self) {
        *self.lock() = State::default();
    }

    pub(super) fn add(
        &self,
        method: &str,
        path_and_query: &str,
        route: &str,
        status: u16,
        millis: u64,
    ) {
        let mut state = self.lock();
        state.total += 1;
        let n = state.total;
        let count = state
            .counts
            .entry((method.to_owned(), route.to_owned()))
            .or_default();
        if count.requests == 0 {
            count.method = method.to_owned();
            count.route = route.to_owned();
        }
        count.requests += 1;
        *count.statuses.entry(status).or_default() += 1;
        if self.keep == 0 {
            return;
        }
        if state.recent.len() == self.keep {
            state.recent.pop_front();
        }
        state.recent.push_back(Entry {
            n,
            method: method.to_owned(),
            path: without_secrets(path_and_query),
            route: route.to_owned(),
            status,
            millis,
        });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The path with the values of query parameters that are named like a credential replaced.
fn without_secrets(path_and_query: &str) -> String {
    let Some((path, query)) = path_and_query.split_once('?') else {
        return path_and_query.to_owned();
    };
    let shown: Vec<String> = query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some((name, _)) if is_secret(name) => format!("{name}=…"),
            _ => pair.to_owned(),
        })
        .collect();
    format!("{path}?{}", shown.join("&"))
}

fn is_secret(name: &str) -> bool {
    const WORDS: [&str; 8] = [
        "token",
        "secret",
        "password",
        "assertion",
        "session",
        "signature",
        "api_key",
        "otp",
    ];
    let name = name.to_ascii_lowercase();
    WORDS.iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_parameters_that_could_be_credentials_are_not_kept() {
        let cases = [
            (
                "/id?format=json&oauth_token=abc",
                "/id?format=json&oauth_token=…",
            ),
            ("/x?Password=abc", "/x?Password=…"),
            ("/x?q=SELECT+Id", "/x?q=SELECT+Id"),
            ("/x", "/x"),
            ("/x?flag", "/x?flag"),
        ];
        for (sent, kept) in cases {
            assert_eq!(without_secrets(sent), kept);
        }
    }

    #[test]
    fn the_log_counts_everything_and_keeps_the_last() {
        let log = RequestLog::new(2);
        for (n, status) in [(1, 200), (2, 200), (3, 503)] {
            log.add("GET", &format!("/a/{n}"), "/a/{id}", status, 0);
        }
        let seen = log.snapshot();
        assert_eq!(seen.total, 3);
        assert_eq!(seen.count("GET", "/a/"), 3);
        assert_eq!(seen.count("POST", "/a/"), 0);
        assert_eq!(
            seen.counts[0].statuses,
            BTreeMap::from([(200, 2), (503, 1)])
        );
        assert_eq!(
            seen.recent.iter().map(|e| e.n).collect::<Vec<_>>(),
            vec![2, 3]
        );
        log.clear();
        assert_eq!(log.snapshot().total, 0);
    }
}
