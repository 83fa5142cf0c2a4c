//! Who owns, in the target, what the agents of the source had.
//!
//! A target that gives its rows owners offers [`Owners`]: it proposes a user for each agent, and says whether what people
//! decided can be done. The migration counts what hangs on each agent, decides by rule where nothing is at stake, and asks
//! a person, in the file `reconcile/agents.csv` of the target's folder, where open cases are.

mod file;
mod rules;
mod tally;

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

pub(crate) use file::{By, FORMAT, Given, Line, Problem, Row, State, Trouble, read, write};
pub(crate) use rules::{Case, by_rule};
pub(crate) use tally::{Count, Tally};

use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::model::Agent;

/// What stands in the column `decision`.
pub(crate) const ALLOWED: &str = "`user:` with a username, address, federation id or record id; `queue:` with a developer name; `create-inactive`; `legacy`; `name-only`; or nothing, to leave it open";

/// Who owns, in the target, what an agent of the source had.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
#[non_exhaustive]
pub enum Decision {
    /// Nobody decided yet. Open cases wait.
    #[default]
    Undecided,
    /// A user of the target, by username, address, federation id or record id.
    User(String),
    /// A queue of the target, by developer name.
    Queue(String),
    /// A user of the agent's own, made for the purpose, who cannot log in.
    CreateInactive,
    /// The user whom the configuration names for what nobody of the target owned.
    Legacy,
    /// No owner is set; the agent's name stands in the row's text field.
    NameOnly,
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undecided => Ok(()),
            Self::User(name) => write!(f, "user:{name}"),
            Self::Queue(name) => write!(f, "queue:{name}"),
            Self::CreateInactive => f.write_str("create-inactive"),
            Self::Legacy => f.write_str("legacy"),
            Self::NameOnly => f.write_str("name-only"),
        }
    }
}

impl FromStr for Decision {
    type Err = Error;

    /// Reads what stands in the column `decision`, in any case, blanks around it ignored.
    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        let (word, name) = match text.split_once(':') {
            Some((word, name)) => (word.trim().to_lowercase(), name.trim()),
            None => (text.to_lowercase(), ""),
        };
        match (word.as_str(), name) {
            ("", "") => Ok(Self::Undecided),
            ("create-inactive", "") => Ok(Self::CreateInactive),
            ("legacy", "") => Ok(Self::Legacy),
            ("name-only", "") => Ok(Self::NameOnly),
            ("user", name) if !name.is_empty() => Ok(Self::User(name.to_owned())),
            ("queue", name) if !name.is_empty() => Ok(Self::Queue(name.to_owned())),
            _ => Err(Error::new(
                ErrorKind::Config,
                "read a decision",
                format!("`{text}` is none"),
            )
            .advise(format!("Allowed are {ALLOWED}"))),
        }
    }
}

impl From<Decision> for String {
    fn from(decision: Decision) -> Self {
        decision.to_string()
    }
}

impl TryFrom<String> for Decision {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

/// What becomes of open cases whose agent has no user, until a person decides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Undecided {
    /// They wait, and so does the phase that loads cases.
    #[default]
    Hold,
    /// The configured legacy owner gets them.
    Legacy,
    /// No owner is set.
    NameOnly,
}

impl Undecided {
    /// Its name, as in options.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Legacy => "legacy",
            Self::NameOnly => "name-only",
        }
    }
}

/// A target that gives its rows owners. The phase that takes agents must need conversations: what hangs on an agent is
/// counted before it opens.
#[async_trait]
pub trait Owners: Send + Sync {
    /// Whom of the target each of these agents may be: one proposal per agent, in order. Only reads.
    async fn propose(&self, cx: &Context, agents: &[Agent]) -> Result<Vec<Proposal>>;

    /// Whether these decisions can be done: per decision, in order, nothing if so, else why not, for people. Only reads.
    async fn examine(&self, cx: &Context, decisions: &[Decision]) -> Result<Vec<Option<String>>>;
}

/// Whom of the target an agent may be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proposal {
    /// The one that surely is the agent.
    pub matched: Option<Candidate>,
    /// Those that may be.
    pub candidates: Vec<Candidate>,
}

/// A user of the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// What stands behind `user:` in a decision for it.
    pub name: String,
    /// Whether it is active.
    pub active: bool,
    /// Whether rows can be given to it: the active, and the inactive where the target allows that.
    pub may_own: bool,
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.active { "" } else { " (inactive)" };
        write!(f, "{}{mark}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisions_are_read_in_any_case_and_written_in_one() {
        for (text, written) in [
            ("", ""),
            ("  ", ""),
            ("Legacy", "legacy"),
            (" NAME-ONLY ", "name-only"),
            ("Create-Inactive", "create-inactive"),
            ("User: Ann@example.org ", "user:Ann@example.org"),
            ("queue:First_Line", "queue:First_Line"),
            ("user:a:b", "user:a:b"),
        ] {
            let decision: Decision = text.parse().unwrap();
            assert_eq!(decision.to_string(), written, "{text}");
            assert_eq!(written.parse::<Decision>().unwrap(), decision);
        }
        for nonsense in [
            "nobody", "user", "user:", "queue: ", "legacy:x", ":x", "user ann",
        ] {
            let error = nonsense.parse::<Decision>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{nonsense}");
            assert!(error.to_string().contains("name-only"), "{error}");
        }
    }
}
