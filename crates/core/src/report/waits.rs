//! What waits for whom.

use super::{ReasonReport, Report};
use crate::key::RecordKind;

/// Something that goes on only when somebody does something.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Wait {
    /// The phase.
    pub phase: String,
    /// How many records.
    pub count: u64,
    /// Why, as it stands in the ledger.
    pub reason: String,
    /// For whom or what it waits.
    pub who: &'static str,
    /// What to do.
    pub advice: String,
    /// The file of the workspace in which it is decided, if it is decided in one.
    pub file: Option<&'static str>,
    /// A record, as an example.
    pub example: Option<String>,
}

/// What is known of a reason: who, what to do, in which file.
type Known = (&'static str, &'static str, Option<&'static str>);

const PERSON: &str = "a person";
const ADMIN: &str = "the target's administrator";
const OTHERS: &str = "other records";
const RESUME: &str = "`resume`";
const CUT_OVER: &str = "the cut-over";
const RUN: &str = "the whole run";

/// Why an agent is held who has open cases and nobody in the target to own them.
pub(crate) const OWNER_UNDECIDED: &str = "owner-undecided";
/// Why a conversation waits that was not settled when the load began, with what hangs on it.
pub(crate) const ACTIVE: &str = "active";
/// Why a record waits that a sample left out.
pub(crate) const NOT_IN_SAMPLE: &str = "not-in-sample";
/// How many agents are named.
const NAMED: usize = 5;

/// Whether a record waits because it was not selected for this pass, and not because anything is wrong.
pub(crate) fn is_by_choice(reason: &str) -> bool {
    [ACTIVE, NOT_IN_SAMPLE].contains(&reason)
}

/// The advice for a reason; reasons that are not named here are tried again by `resume` and have nothing better to say.
fn known(reason: &str) -> Known {
    match reason {
        OWNER_UNDECIDED => (
            PERSON,
            "Decide who owns their open cases, or make the users in the target, then `resume`",
            Some("reconcile/agents.csv"),
        ),
        "ambiguous-match" => (
            ADMIN,
            "Several rows of the target fit: merge them, or give the right one the source key, then `resume`",
            None,
        ),
        "same-email" => (
            PERSON,
            "Several people share this address: merge them at the source or in the target, then `resume`",
            None,
        ),
        ACTIVE => (
            CUT_OVER,
            "Conversations that were still in work: `delta` loads those that are over by then, `cut-over` all of them",
            None,
        ),
        NOT_IN_SAMPLE => (
            RUN,
            "Not part of the sample: `rollback --yes` removes the sample, then `run` loads everything",
            None,
        ),
        "parent-held" | "parent-failed" | "parent-pending" => (
            OTHERS,
            "The record that it belongs to is not in the target yet: see the lines above, then `resume`",
            None,
        ),
        "file-pending" | "file-unavailable" => (
            RESUME,
            "The bytes of a file are missing: `resume` asks the source for them again",
            None,
        ),
        _ => (
            RESUME,
            "See the example, remove the cause, then `resume`",
            None,
        ),
    }
}

impl Report {
    /// Whether records wait because they were not selected: a load of settled conversations, or a sample.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        let held = |r: &ReasonReport| r.outcome == "held" && is_by_choice(&r.reason);
        self.reasons.iter().any(held)
    }

    /// What is held or failed, and who can release it: held first, many before few.
    #[must_use]
    pub fn waits(&self) -> Vec<Wait> {
        let mut reasons: Vec<&ReasonReport> = self
            .reasons
            .iter()
            .filter(|r| r.outcome == "held" || r.outcome == "failed")
            .collect();
        reasons.sort_by_key(|r| (r.outcome != "held", std::cmp::Reverse(r.count)));
        let mut waits: Vec<Wait> = reasons.into_iter().map(wait).collect();
        // Agents whom the source did not show have no record that could be held.
        if !self.owners.is_empty() && !waits.iter().any(|w| w.reason == OWNER_UNDECIDED) {
            waits.insert(0, wait(&self.unread_owners()));
        }
        for wait in waits.iter_mut().filter(|w| w.reason == OWNER_UNDECIDED) {
            self.name_agents(wait);
        }
        waits
    }

    fn unread_owners(&self) -> ReasonReport {
        let agents = RecordKind::Agent.name();
        let phase = self.phases.iter().find(|phase| phase.kind == agents);
        ReasonReport {
            phase: phase
                .map_or(agents, |phase| phase.phase.as_str())
                .to_owned(),
            outcome: "held".to_owned(),
            reason: OWNER_UNDECIDED.to_owned(),
            count: self.owners.len() as u64,
            examples: Vec::new(),
        }
    }

    fn name_agents(&self, wait: &mut Wait) {
        let cases: u64 = self.owners.iter().map(|owner| owner.open_cases).sum();
        let mut named: Vec<String> = self
            .owners
            .iter()
            .take(NAMED)
            .map(|owner| format!("{} ({})", owner.shown(), owner.open_cases))
            .collect();
        if self.owners.len() > NAMED {
            named.push(format!("{} more", self.owners.len() - NAMED));
        }
        wait.advice = format!(
            "{cases} open cases wait, of {}. {}",
            named.join(", "),
            wait.advice
        );
    }
}

fn wait(reason: &ReasonReport) -> Wait {
    let (who, advice, file) = if reason.outcome == "failed" {
        (
            PERSON,
            "The target refused it: correct the mapping, the target or the record, then `resume`",
            None,
        )
    } else {
        known(&reason.reason)
    };
    Wait {
        phase: reason.phase.clone(),
        count: reason.count,
        reason: reason.reason.clone(),
        who,
        advice: advice.to_owned(),
        file,
        example: reason.examples.first().map(|e| e.key.clone()),
    }
}
