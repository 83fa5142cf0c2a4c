//! What a target is like before a load, and whether that changed.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::error::Result;
use crate::key::RecordKind;

/// A target that can be looked at beforehand: rights, features, rules, room. Reads only.
#[async_trait]
pub trait Preflight: Send + Sync {
    /// Asks the target everything that decides how a load will go.
    async fn look(&self, cx: &Context) -> Result<Looked>;

    /// Its features that a result needs, whatever the source holds, and whether they are there, as far as the target tells
    /// now: one that does not answer is no error.
    async fn features(&self, _cx: &Context) -> Vec<Feature> {
        Vec::new()
    }
}

/// A feature of a target that records of some kinds need.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feature {
    /// What people call it there.
    pub name: String,
    /// The kinds of records that need it.
    pub of: Vec<RecordKind>,
    /// Whether it is there; unknown where the target did not tell.
    pub there: Option<bool>,
    /// What is lost without it.
    pub lost: String,
    /// What switches it on.
    pub switch: String,
}

/// What was found at a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looked {
    /// The target's own id.
    pub target: String,
    /// Its name.
    pub name: String,
    /// A line for each thing that was asked.
    pub findings: Vec<Finding>,
    /// The rules that run there by themselves, to be compared later.
    pub rules: Vec<Rule>,
}

/// How one thing stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Whether a load can begin all the same.
    pub level: Level,
    /// What it is about, in a word or two; the same for the same thing at every look.
    pub about: String,
    /// What was found.
    pub said: String,
    /// What to do; empty where nothing is to do.
    pub advice: String,
}

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Fine,
    /// A load can begin; people should know.
    Warning,
    /// A load cannot begin, or would fail.
    Blocking,
}

/// A rule that runs by itself when rows are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// What it is, for people: `flow`, `validation rule`.
    pub kind: String,
    /// Its API name.
    pub name: String,
    /// API name of the object whose rows it sees, where that is known.
    pub object: Option<String>,
    /// What runs of it: another one after a change.
    pub version: String,
}

impl Finding {
    /// A thing that is as it should be.
    pub fn fine(about: impl Into<String>, said: impl Into<String>) -> Self {
        Self::of(Level::Fine, about, said, "")
    }

    /// A finding with what to do.
    pub fn of(
        level: Level,
        about: impl Into<String>,
        said: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            level,
            about: about.into(),
            said: said.into(),
            advice: advice.into(),
        }
    }
}

impl Looked {
    /// The worst of its findings.
    #[must_use]
    pub fn worst(&self) -> Level {
        let levels = self.findings.iter().map(|finding| finding.level);
        levels.max().unwrap_or(Level::Fine)
    }

    /// Every rule whose state is another than it was, a sentence each.
    #[must_use]
    pub fn changed_since(&self, before: &Self) -> Vec<String> {
        let (was, is) = (by_name(&before.rules), by_name(&self.rules));
        let mut changed = Vec::new();
        for (name, version) in &was {
            match is.get(name) {
                None => changed.push(format!("{} was active and is not", shown(name))),
                Some(now) if now != version => {
                    changed.push(format!(
                        "{} has another version: {version} → {now}",
                        shown(name)
                    ));
                }
                Some(_) => {}
            }
        }
        let new = is.keys().filter(|name| !was.contains_key(*name));
        changed.extend(new.map(|name| format!("{} is active and was not", shown(name))));
        changed
    }
}

type Name<'r> = (&'r str, &'r str, &'r str);

fn by_name(rules: &[Rule]) -> BTreeMap<Name<'_>, &str> {
    let named = rules.iter().map(|rule| {
        let object = rule.object.as_deref().unwrap_or("");
        (
            (rule.kind.as_str(), object, rule.name.as_str()),
            rule.version.as_str(),
        )
    });
    named.collect()
}

fn shown((kind, object, name): &Name<'_>) -> String {
    if object.is_empty() {
        format!("{kind} {name}")
    } else {
        format!("{kind} {name} of {object}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looked(rules: &[(&str, &str)]) -> Looked {
        let rule = |(name, version): &(&str, &str)| Rule {
            kind: "flow".into(),
            name: (*name).into(),
            object: Some("Case".into()),
            version: (*version).into(),
        };
        Looked {
            target: "00D".into(),
            name: "org".into(),
            findings: Vec::new(),
            rules: rules.iter().map(rule).collect(),
        }
    }

    #[test]
    fn rules_that_were_switched_off_switched_on_or_replaced_are_told() {
        let before = looked(&[("Same", "1"), ("Off", "1"), ("Other", "1")]);
        let after = looked(&[("Other", "2"), ("Same", "1"), ("New", "1")]);
        assert_eq!(
            after.changed_since(&before),
            [
                "flow Off of Case was active and is not",
                "flow Other of Case has another version: 1 → 2",
                "flow New of Case is active and was not",
            ]
        );
        assert!(before.changed_since(&before).is_empty());
    }

    #[test]
    fn the_worst_finding_counts() {
        let mut found = looked(&[]);
        assert_eq!(found.worst(), Level::Fine);
        found
            .findings
            .push(Finding::of(Level::Blocking, "a", "b", "c"));
        found
            .findings
            .push(Finding::of(Level::Warning, "a", "b", "c"));
        assert_eq!(found.worst(), Level::Blocking);
    }
}
