//! Agents are matched with users of the org, made only where people decided so; what they had goes to whom people or rules decided.
//!
//! Row 0 of an agent is the user whom the address shows to be the agent: messages are by that user. Row 1 is the user or the
//! queue who owns the cases: that may be somebody else, and says nothing of who wrote what.

use deskferry_core::error::Result;
use deskferry_core::journal::{Effect, EffectState, Known, Operation};
use deskferry_core::model::Record;
use deskferry_core::owners::Decision;
use deskferry_core::sink::{Loaded, Outcome, Verdict};

use super::{Landed, Run, outcome, strange, users};
use crate::org::UserMatch;

/// The space in which agents claim the addresses of their users.
pub(crate) const USER_EMAIL: &str = "user-email";

/// The row that says who the agent is.
pub(super) const SELF: u32 = 0;
/// The row that says who owns the agent's cases.
const OWNER: u32 = 1;

pub(crate) async fn write(run: &Run<'_>) -> Result<Vec<Outcome>> {
    let (mut effects, mut claims, mut outcomes) = (Vec::new(), Vec::new(), Vec::new());
    let mut made = users::made(run).await?;
    for loaded in &run.batch.records {
        let Record::Agent(agent) = &loaded.record else {
            return Err(strange(loaded, "agents"));
        };
        let found = run.org.user_of(agent);
        if let UserMatch::One { id, address } = &found {
            effects.push(matched(loaded, SELF, "User", id));
            claims.push((address.clone(), loaded.id));
        }
        let verdict = match &loaded.owner {
            None => undecided(&found),
            Some(Decision::CreateInactive) => {
                let owner = match (&found, made.remove(&loaded.id)) {
                    (UserMatch::One { id, .. }, _) => Ok((id.clone(), false)),
                    (_, Some(Landed::Stands { id, ours })) => Ok((id, ours)),
                    (_, Some(Landed::Refused { code, message })) => {
                        Err(Verdict::Failed { code, message })
                    }
                    (_, None) => Err(Verdict::failed("NO_USER", "no user could be made")),
                };
                match owner {
                    Ok((id, ours)) => {
                        effects.push(matched(loaded, OWNER, "User", &id));
                        if ours {
                            Verdict::Created
                        } else {
                            Verdict::Unchanged("matched".into())
                        }
                    }
                    Err(verdict) => verdict,
                }
            }
            Some(decision) => match run.org.owner_of(decision) {
                Ok(owner) => {
                    effects.extend(owner.map(|o| matched(loaded, OWNER, o.object, &o.id)));
                    decided(decision, &found)
                }
                Err(why) => Verdict::failed("UNKNOWN_OWNER", format!("`{decision}`: {why}")),
            },
        };
        outcomes.push(outcome(loaded, verdict));
    }
    run.journal().claim(USER_EMAIL, &claims).await?;
    run.settle(effects).await?;
    Ok(outcomes)
}

/// Where nobody decides, the address alone counts.
fn undecided(found: &UserMatch) -> Verdict {
    match found {
        UserMatch::One { .. } => Verdict::Unchanged("matched".into()),
        UserMatch::Several => Verdict::Held("ambiguous-match".into()),
        UserMatch::Nobody => Verdict::Skipped("no-user".into()),
    }
}

fn decided(decision: &Decision, found: &UserMatch) -> Verdict {
    match (decision, found) {
        (Decision::Undecided, _) => Verdict::Held("owner-undecided".into()),
        (Decision::User(_), _) | (_, UserMatch::One { .. }) => Verdict::Unchanged("matched".into()),
        (Decision::Queue(_), _) => Verdict::Unchanged("queue".into()),
        (Decision::NameOnly, _) => Verdict::Skipped("name-only".into()),
        _ => Verdict::Skipped("legacy-owner".into()),
    }
}

/// The user who an agent is.
pub(crate) fn identity(known: &Known) -> Option<&str> {
    row(known, SELF)
}

/// The user or queue who owns an agent's cases.
pub(crate) fn owner(known: &Known) -> Option<&str> {
    row(known, OWNER)
}

fn row(known: &Known, row: u32) -> Option<&str> {
    let mut effects = known.effects().iter();
    effects
        .find(|effect| effect.row == row)
        .and_then(Effect::id)
}

fn matched(loaded: &Loaded, row: u32, object: &str, id: &str) -> Effect {
    Effect {
        record: loaded.id,
        row: loaded.row(row),
        object: object.into(),
        operation: Operation::Matched,
        state: EffectState::Confirmed { id: id.into() },
        hash: [0; 16],
    }
}
