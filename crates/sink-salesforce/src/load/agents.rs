//! Agents are matched with users of the org, never made.

use deskferry_core::error::Result;
use deskferry_core::journal::{Effect, EffectState, Operation};
use deskferry_core::model::{Agent, Record};
use deskferry_core::sink::{Loaded, Outcome, Verdict};

use super::{Run, outcome, strange};
use crate::org::UserMatch;

/// The space in which agents claim the addresses of their users.
pub(crate) const USER_EMAIL: &str = "user-email";

pub(crate) async fn write(run: &Run<'_>) -> Result<Vec<Outcome>> {
    let (mut effects, mut claims, mut outcomes) = (Vec::new(), Vec::new(), Vec::new());
    for loaded in &run.batch.records {
        let Record::Agent(agent) = &loaded.record else {
            return Err(strange(loaded, "agents"));
        };
        let verdict = match run.org.user_of(agent) {
            UserMatch::One { id, address } => {
                effects.push(user(loaded, id));
                claims.push((address, loaded.id));
                Verdict::Unchanged("matched".into())
            }
            UserMatch::Several => Verdict::Held("ambiguous-match".into()),
            UserMatch::Nobody => no_user(agent),
        };
        outcomes.push(outcome(loaded, verdict));
    }
    run.journal().claim(USER_EMAIL, &claims).await?;
    run.settle(effects).await?;
    Ok(outcomes)
}

fn no_user(agent: &Agent) -> Verdict {
    tracing::debug!(agent = %agent.meta.key, "no user has one of this agent's addresses");
    Verdict::Skipped("no-user".into())
}

fn user(loaded: &Loaded, id: String) -> Effect {
    Effect {
        record: loaded.id,
        row: loaded.row(0),
        object: "User".into(),
        operation: Operation::Matched,
        state: EffectState::Confirmed { id },
        hash: [0; 16],
    }
}
