//! Faults by script: what a stand-in does wrong, to which request, and how often.
//!
//! A script is a list of [`Rule`]s. Each request is held against the rules in order; every rule that matches counts the
//! request, and acts when it is past its `skip` and not yet past its `times`. The first rule that answers (anything but
//! [`Action::Delay`]) ends the search, so a later rule of the same request does not count it.
//!
//! ```
//! use deskferry_rehearsal::fault::{Action, Faults, Rule};
//!
//! let faults = Faults::default();
//! faults.set(vec![Rule::new(Action::status(503)).method("GET").path("/cases").skip(2).times(1)]);
//! assert!(faults.judge("GET", "/api/v1/cases?limit=10").is_empty());
//! assert!(faults.judge("POST", "/api/v1/cases").is_empty());
//! assert!(faults.judge("GET", "/api/v1/cases").is_empty());
//! assert_eq!(faults.judge("GET", "/api/v1/cases"), vec![Action::status(503)]);
//! assert!(faults.judge("GET", "/api/v1/cases").is_empty());
//! ```
//!
//! The same list as JSON, for a stand-in that runs as a process of its own (`POST /rehearsal/faults`):
//!
//! ```json
//! [{"method": "GET", "path_contains": "/cases", "skip": 2, "times": 1, "action": {"status": {"code": 503}}}]
//! ```

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

/// One line of a script: which requests, when, and what happens to them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The method in capitals; none matches every method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// A part of the path with its query, as sent; none matches every path. For a named fault: a part of its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_contains: Option<String>,
    /// How many matching requests pass unharmed first.
    #[serde(default)]
    pub skip: u64,
    /// How many are harmed after those; none means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// What happens.
    pub action: Action,
}

/// What a fault does. In JSON: `"cut_before"`, `{"delay": {"ms": 50}}`, `{"status": {"code": 429, "headers": [["Retry-After", "2"]]}}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Answers with this status and does nothing else.
    Status {
        /// HTTP status, 100 to 999.
        code: u16,
        /// Further headers as name and value.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        headers: Vec<(String, String)>,
        /// The body; empty when absent.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        body: String,
        /// The body's media type; `application/json` when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        content_type: Option<String>,
    },
    /// Waits, then goes on with the next rule and, if none answers, with the request.
    Delay {
        /// Milliseconds.
        ms: u64,
    },
    /// Closes the connection; the request is not performed.
    CutBefore,
    /// Performs the request and everything it writes, then closes the connection without an answer.
    CutAfterAct,
    /// Performs the request and answers with its status and full `Content-Length`, but closes in mid-body.
    CutBody {
        /// Bytes of the body that are still sent.
        after_bytes: u64,
    },
    /// Answers with a page of HTML, as a proxy or a maintenance page would.
    Html {
        /// HTTP status.
        code: u16,
    },
    /// A fault only the stand-in knows how to commit; it asks for it by [`Faults::take`].
    Named {
        /// Its name, such as `lock-row` or `expire-session`.
        name: String,
    },
}

impl Action {
    /// A bare answer with this status.
    pub fn status(code: u16) -> Self {
        Self::Status {
            code,
            headers: Vec::new(),
            body: String::new(),
            content_type: None,
        }
    }

    /// A fault the stand-in commits itself.
    pub fn named(name: impl Into<String>) -> Self {
        Self::Named { name: name.into() }
    }
}

impl Rule {
    /// A rule for every request, for ever.
    pub fn new(action: Action) -> Self {
        Self {
            method: None,
            path_contains: None,
            skip: 0,
            times: None,
            action,
        }
    }

    /// Only requests with this method.
    #[must_use]
    pub fn method(mut self, method: impl Into<String>) -> Self {
        self.method = Some(method.into());
        self
    }

    /// Only requests whose path with query contains this text; for a named fault, whose key contains it.
    #[must_use]
    pub fn path(mut self, part: impl Into<String>) -> Self {
        self.path_contains = Some(part.into());
        self
    }

    /// Lets this many matching requests pass first.
    #[must_use]
    pub fn skip(mut self, requests: u64) -> Self {
        self.skip = requests;
        self
    }

    /// Harms this many, then stops.
    #[must_use]
    pub fn times(mut self, requests: u64) -> Self {
        self.times = Some(requests);
        self
    }

    fn matches(&self, method: &str, path: &str) -> bool {
        self.method
            .as_deref()
            .is_none_or(|m| m.eq_ignore_ascii_case(method))
            && self
                .path_contains
                .as_deref()
                .is_none_or(|part| path.contains(part))
    }
}

#[derive(Debug)]
struct Armed {
    rule: Rule,
    seen: u64,
}

impl Armed {
    /// Counts one matching request and says whether it is harmed.
    fn fires(&mut self) -> bool {
        self.seen += 1;
        let past_skip = self.seen.saturating_sub(self.rule.skip);
        past_skip > 0 && self.rule.times.is_none_or(|times| past_skip <= times)
    }
}

/// A script that is being played; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    armed: Arc<Mutex<Vec<Armed>>>,
}

impl Faults {
    /// Replaces the script; all counts start again.
    pub fn set(&self, rules: Vec<Rule>) {
        *self.lock() = rules
            .into_iter()
            .map(|rule| Armed { rule, seen: 0 })
            .collect();
    }

    /// Adds a rule at the end; counts of the others stay.
    pub fn push(&self, rule: Rule) {
        self.lock().push(Armed { rule, seen: 0 });
    }

    /// Removes every rule.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// The rules of the script.
    pub fn rules(&self) -> Vec<Rule> {
        self.lock().iter().map(|armed| armed.rule.clone()).collect()
    }

    /// What happens to this request, in order: any number of delays, then at most one other action.
    pub fn judge(&self, method: &str, path_and_query: &str) -> Vec<Action> {
        let mut actions = Vec::new();
        for armed in self.lock().iter_mut() {
            let named = matches!(armed.rule.action, Action::Named { .. });
            if named || !armed.rule.matches(method, path_and_query) || !armed.fires() {
                continue;
            }
            actions.push(armed.rule.action.clone());
            if !matches!(armed.rule.action, Action::Delay { .. }) {
                break;
            }
        }
        actions
    }

    /// Whether the named fault happens now, to what `key` names (a row id, a path). Counts the question.
    pub fn take(&self, name: &str, key: &str) -> bool {
        self.lock().iter_mut().any(|armed| {
            matches!(&armed.rule.action, Action::Named { name: n } if n == name)
                && armed
                    .rule
                    .path_contains
                    .as_deref()
                    .is_none_or(|part| key.contains(part))
                && armed.fires()
        })
    }

    /// Whether there is no rule at all.
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Armed>> {
        // A panic elsewhere cannot leave a list of counters half-written.
        self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_harms_only_what_it_names_after_its_skip_and_no_longer_than_its_times() {
        type Asked = (&'static str, &'static str, bool);
        let cases: &[(&str, Rule, &[Asked])] = &[
            (
                "everything",
                Rule::new(Action::CutBefore),
                &[("GET", "/a", true), ("POST", "/b", true)],
            ),
            (
                "one method",
                Rule::new(Action::CutBefore).method("POST"),
                &[("GET", "/a", false), ("post", "/a", true)],
            ),
            (
                "one path",
                Rule::new(Action::CutBefore).path("/x?"),
                &[("GET", "/x", false), ("GET", "/x?y=1", true)],
            ),
            (
                "skip and times count matching requests only",
                Rule::new(Action::CutBefore).method("GET").skip(1).times(1),
                &[
                    ("POST", "/", false),
                    ("GET", "/", false),
                    ("POST", "/", false),
                    ("GET", "/", true),
                    ("GET", "/", false),
                ],
            ),
        ];
        for (what, rule, requests) in cases {
            let faults = Faults::default();
            faults.set(vec![rule.clone()]);
            for (n, (method, path, harmed)) in requests.iter().enumerate() {
                assert_eq!(
                    !faults.judge(method, path).is_empty(),
                    *harmed,
                    "{what}: request {n}"
                );
            }
        }
    }

    #[test]
    fn delays_add_up_and_the_first_answer_ends_the_search() {
        let faults = Faults::default();
        let delay = Action::Delay { ms: 1 };
        faults.set(vec![
            Rule::new(delay.clone()),
            Rule::new(Action::status(503)).times(1),
            Rule::new(Action::CutBefore).times(1),
        ]);
        assert_eq!(
            faults.judge("GET", "/"),
            vec![delay.clone(), Action::status(503)]
        );
        assert_eq!(
            faults.judge("GET", "/"),
            vec![delay.clone(), Action::CutBefore]
        );
        assert_eq!(faults.judge("GET", "/"), vec![delay]);
    }

    #[test]
    fn a_named_fault_is_committed_by_who_asks_and_never_by_the_plumbing() {
        let faults = Faults::default();
        faults.set(vec![
            Rule::new(Action::named("lock-row")).path("500A").times(2),
        ]);
        assert!(faults.judge("GET", "/500A").is_empty());
        assert!(!faults.take("expire-session", "500A"));
        assert!(!faults.take("lock-row", "500B"));
        assert!(faults.take("lock-row", "500A1"));
        assert!(faults.take("lock-row", "500A2"));
        assert!(!faults.take("lock-row", "500A3"));
    }

    #[test]
    fn a_script_survives_json_and_refuses_words_it_does_not_know() {
        let rules = vec![
            Rule::new(Action::Status {
                code: 429,
                headers: vec![("Retry-After".into(), "2".into())],
                body: "{}".into(),
                content_type: Some("application/json".into()),
            })
            .method("GET"),
            Rule::new(Action::Delay { ms: 5 }),
            Rule::new(Action::CutBefore),
            Rule::new(Action::CutAfterAct),
            Rule::new(Action::CutBody { after_bytes: 10 }).times(3),
            Rule::new(Action::Html { code: 502 }).skip(1),
            Rule::new(Action::named("lock-row")),
        ];
        let text = serde_json::to_string(&rules).unwrap();
        assert_eq!(serde_json::from_str::<Vec<Rule>>(&text).unwrap(), rules);
        let typo = r#"[{"path_contain": "/x", "action": "cut_before"}]"#;
        assert!(serde_json::from_str::<Vec<Rule>>(typo).is_err());
    }
}
