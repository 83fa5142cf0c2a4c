//! Conversations.

use chrono::{DateTime, Utc};
use deskferry_core::error::Result;
use deskferry_core::key::{RecordId, RecordKey, RecordKind};
use deskferry_core::model::{Conversation, Record};
use deskferry_core::owners::Decision;
use deskferry_core::sink::{Loaded, Outcome, Verdict};

use super::{Lookup, Needed, Planned, Run, needed, strange};
use super::{agents, leads};
use crate::mapping::build::{self, Fields, Leftovers};
use crate::mapping::facts::{CaseFacts, CaseLinks, Common};

pub(crate) const OBJECT: &str = "Case";

pub(crate) async fn write(run: &Run<'_>) -> Result<Vec<Outcome>> {
    let mut planned = Vec::with_capacity(run.batch.records.len());
    for (loaded, links) in run.batch.records.iter().zip(links(run).await?) {
        planned.push(match links {
            Ok(links) => Planned::Rows(vec![run.outgoing(
                loaded,
                0,
                OBJECT,
                fields(run, loaded, &links, run.cx.now())?,
            )]),
            Err(verdict) => Planned::Verdict(verdict),
        });
    }
    run.carry_out(planned).await
}

fn conversation(loaded: &Loaded) -> Result<&Conversation> {
    match &loaded.record {
        Record::Conversation(conversation) => Ok(conversation),
        _ => Err(strange(loaded, "cases")),
    }
}

/// What each conversation's Case refers to, or why it cannot be made.
pub(crate) async fn links(run: &Run<'_>) -> Result<Vec<Result<CaseLinks, Verdict>>> {
    let mut keys = Vec::new();
    for loaded in &run.batch.records {
        let c = conversation(loaded)?;
        keys.extend(
            [&c.requester, &c.account, &c.assignee]
                .into_iter()
                .flatten(),
        );
    }
    let others = run.look(keys).await?;
    let parents: Vec<RecordId> = run
        .batch
        .records
        .iter()
        .filter_map(|loaded| loaded.parent)
        .collect();
    let mut parents = run.journal().rows(&parents).await?.into_iter();
    let mut links = Vec::with_capacity(run.batch.records.len());
    for loaded in &run.batch.records {
        let parent = loaded
            .parent
            .and_then(|_| parents.next())
            .map_or(Needed::None, |known| needed(&known, OBJECT));
        links.push(link(run, loaded, conversation(loaded)?, &others, parent));
    }
    Ok(links)
}

fn link(
    run: &Run<'_>,
    loaded: &Loaded,
    c: &Conversation,
    others: &Lookup,
    parent: Needed,
) -> Result<CaseLinks, Verdict> {
    let mut links = CaseLinks {
        owner: owner(run, loaded, c, others)?,
        assignee_name: c.assignee.as_ref().and_then(|agent| name_of(run, agent)),
        ..CaseLinks::default()
    };
    links.team_name = c.team.as_ref().and_then(|team| name_of(run, team));
    let named = |key: &RecordKey| name_of(run, key).unwrap_or_else(|| key.as_str().to_owned());
    links.also_assigned = c.also_assigned.iter().map(named).collect();
    links.also_teams = c.also_teams.iter().map(named).collect();
    if let Some(requester) = &c.requester {
        let known = others.get(requester);
        let lead = known.id_of("Contact").is_none() && known.id_of(leads::OBJECT).is_some();
        if requester.record_kind() == Some(RecordKind::Agent) || lead {
            links.requester_name = name_of(run, requester);
            links.requester_email = address_of(run, requester);
        } else {
            links.contact = stands(others.needed(requester, "Contact"))?;
        }
    }
    if let Some(account) = &c.account {
        links.account = stands(others.needed(account, "Account"))?;
    }
    links.parent = if loaded.orphan { None } else { stands(parent)? };
    if links.parent.is_none() {
        links.lost_parent = c
            .parent
            .as_ref()
            .or(c.merged_into.as_ref())
            .map(|key| key.as_str().to_owned());
    }
    Ok(links)
}

/// Who owns the Case: nobody is said for one whose agent's name alone is to stand.
fn owner(
    run: &Run<'_>,
    loaded: &Loaded,
    c: &Conversation,
    others: &Lookup,
) -> Result<Option<String>, Verdict> {
    let legacy = Some(run.org.legacy_owner(c.meta.key.as_str()).to_owned());
    let Some(known) = c.assignee.as_ref().map(|agent| others.get(agent)) else {
        return Ok(legacy);
    };
    match &loaded.owner {
        // Nobody decides: the agent, while active.
        None => {
            let user = agents::identity(known).filter(|user| run.org.is_active(user));
            Ok(user.map(str::to_owned).or(legacy))
        }
        Some(Decision::NameOnly) => Ok(None),
        // The phase before waits for these.
        Some(Decision::Undecided) => Err(Verdict::Held("owner-undecided".into())),
        Some(decision @ (Decision::User(_) | Decision::Queue(_))) => match agents::owner(known) {
            Some(owner) => Ok(Some(owner.to_owned())),
            // An agent whom the source did not show has no record that could know.
            None => match run.org.owner_of(decision) {
                Ok(owner) => Ok(owner.map(|owner| owner.id)),
                Err(_) => Err(Verdict::Held("owner-unknown".into())),
            },
        },
        // An agent whom the source did not show has no record for which a user could be made.
        Some(Decision::CreateInactive) => Ok(agents::owner(known).map(str::to_owned).or(legacy)),
        Some(_) => Ok(legacy),
    }
}

fn name_of(run: &Run<'_>, key: &RecordKey) -> Option<String> {
    let name = match run.batch.related.get(key)? {
        Record::Agent(agent) => &agent.name,
        Record::Contact(contact) => &contact.name,
        Record::Team(team) => &team.name,
        _ => return None,
    };
    Some(name.clone()).filter(|name| !name.trim().is_empty())
}

fn address_of(run: &Run<'_>, key: &RecordKey) -> Option<String> {
    match run.batch.related.get(key)? {
        Record::Agent(agent) => agent.emails.first().map(|email| email.address.clone()),
        Record::Contact(contact) => contact.emails.first().map(|email| email.address.clone()),
        _ => None,
    }
}

fn stands(needed: Needed) -> Result<Option<String>, Verdict> {
    match needed {
        Needed::Stands(id) => Ok(Some(id)),
        Needed::None => Ok(None),
        Needed::Waits(verdict) => Err(verdict),
    }
}

/// The row of a conversation.
pub(crate) fn fields(
    run: &Run<'_>,
    loaded: &Loaded,
    links: &CaseLinks,
    now: DateTime<Utc>,
) -> Result<Fields> {
    let conversation = conversation(loaded)?;
    let key = conversation.meta.key.row(loaded.part);
    let common = Common {
        meta: &conversation.meta,
        key: &key,
        mark: run.journal().mark(),
    };
    let facts = CaseFacts {
        common,
        conversation,
        links,
    };
    let mut fields = build::row(
        run.lines(OBJECT)?,
        run.org.object(OBJECT)?,
        &facts,
        Leftovers::new(),
        now,
    );
    // An open case has no closing date; the platform stamps a closed one that comes without.
    let closed = fields
        .get("Status")
        .and_then(|s| s.as_str())
        .is_some_and(|status| run.org.is_closed(status));
    if !closed {
        fields.remove("ClosedDate");
    }
    if let Some(name) = run.mapping.record_type(conversation)
        && let Some(known) = run.org.object(OBJECT)?.record_type(name)
        && known.available
    {
        fields.insert("RecordTypeId".into(), known.id.clone().into());
    }
    Ok(fields)
}
