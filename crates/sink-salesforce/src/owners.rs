//! `impl Owners`: whom of the org an agent may be, and whether a decision can be done.

use async_trait::async_trait;
use deskferry_core::context::Context;
use deskferry_core::error::Result;
use deskferry_core::model::Agent;
use deskferry_core::owners::{Candidate, Decision, Owners, Proposal};

use crate::Salesforce;
use crate::org::{Org, UserMatch};

/// The most users that are shown for one agent.
const MOST: usize = 10;

#[async_trait]
impl Owners for Salesforce {
    async fn propose(&self, cx: &Context, agents: &[Agent]) -> Result<Vec<Proposal>> {
        let org = self.org(cx).await?;
        let inactive = |agent: &Agent| match org.user_of(agent) {
            UserMatch::One { id, .. } => !org.is_active(&id),
            _ => false,
        };
        let inactive_may_own =
            agents.iter().any(inactive) && org.ask_for_inactive(cx, self.api()).await?;
        let proposals = agents.iter();
        Ok(proposals
            .map(|agent| proposal(&org, agent, inactive_may_own))
            .collect())
    }

    async fn examine(&self, cx: &Context, decisions: &[Decision]) -> Result<Vec<Option<String>>> {
        let org = self.org(cx).await?;
        org.ask_for(cx, self.api(), decisions.iter()).await?;
        let answers = decisions.iter();
        Ok(answers
            .map(|decision| org.owner_of(decision).err())
            .collect())
    }
}

fn proposal(org: &Org, agent: &Agent, inactive_may_own: bool) -> Proposal {
    let candidate = |user: &crate::org::User| Candidate {
        name: user.username.clone(),
        active: user.active,
        may_own: user.active || inactive_may_own,
    };
    let matched = match org.user_of(agent) {
        UserMatch::One { id, .. } => org.users().by_id(&id).map(candidate),
        _ => None,
    };
    let candidates = match &matched {
        Some(_) => Vec::new(),
        None => org
            .users()
            .like(agent)
            .into_iter()
            .take(MOST)
            .map(candidate)
            .collect(),
    };
    Proposal {
        matched,
        candidates,
    }
}
