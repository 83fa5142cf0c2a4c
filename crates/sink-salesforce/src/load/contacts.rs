//! People. Several with one address are one Contact; one that is in the org already is linked and left as it is.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use deskferry_core::error::Result;
use deskferry_core::journal::{Effect, Operation};
use deskferry_core::key::RecordId;
use deskferry_core::model::{Contact, Record};
use deskferry_core::sink::{Loaded, Outcome, Verdict};

use super::accounts::matched_before;
use super::{Lookup, Needed, Planned, Run, needed, outcome, strange};
use crate::mapping::build::{self, Fields, Leftovers};
use crate::mapping::facts::{Common, ContactFacts, contact_email};

pub(crate) const OBJECT: &str = "Contact";
/// The space in which contacts claim their addresses.
pub(crate) const CONTACT_EMAIL: &str = "contact-email";

pub(crate) async fn write(run: &Run<'_>) -> Result<Vec<Outcome>> {
    let accounts = accounts(run).await?;
    let winners = winners(run, CONTACT_EMAIL).await?;
    let matches = matches(run, &winners).await?;
    let mut planned = Vec::with_capacity(run.batch.records.len());
    for loaded in &run.batch.records {
        planned.push(match winners.get(&loaded.id) {
            // Decided once the winner of the address has its row.
            Some(winner) if *winner != loaded.id => {
                Planned::Verdict(Verdict::Held("same-email".into()))
            }
            _ => plan(run, loaded, &accounts, &matches)?,
        });
    }
    let outcomes = run.carry_out(planned).await?;
    link_seconds(run, &winners, &[OBJECT], outcomes).await
}

/// What is known of the batch's companies.
pub(crate) async fn accounts(run: &Run<'_>) -> Result<Lookup> {
    let contacts = run
        .batch
        .records
        .iter()
        .filter_map(|loaded| contact(loaded).ok());
    run.look(contacts.filter_map(|c| c.accounts.first())).await
}

fn plan(
    run: &Run<'_>,
    loaded: &Loaded,
    accounts: &Lookup,
    matches: &HashMap<String, Vec<String>>,
) -> Result<Planned> {
    if let Some(id) = matched_before(run, loaded) {
        return Ok(standing(id));
    }
    let contact = contact(loaded)?;
    let found = contact_email(contact).and_then(|email| matches.get(&email));
    match found.map_or(&[][..], Vec::as_slice) {
        [id] => return Ok(standing(id)),
        [] => {}
        _ => return Ok(Planned::Verdict(Verdict::Held("ambiguous-match".into()))),
    }
    match account_of(contact, accounts) {
        Needed::Waits(verdict) => Ok(Planned::Verdict(verdict)),
        Needed::Stands(id) => row(run, loaded, Some(&id)),
        Needed::None => row(run, loaded, None),
    }
}

fn standing(id: &str) -> Planned {
    Planned::Standing {
        object: OBJECT,
        id: id.to_owned(),
        operation: Operation::Matched,
        reason: "matched",
    }
}

fn row(run: &Run<'_>, loaded: &Loaded, account: Option<&str>) -> Result<Planned> {
    let fields = fields(run, loaded, account, run.cx.now())?;
    Ok(Planned::Rows(vec![run.outgoing(loaded, 0, OBJECT, fields)]))
}

fn contact(loaded: &Loaded) -> Result<&Contact> {
    match &loaded.record {
        Record::Contact(contact) => Ok(contact),
        _ => Err(strange(loaded, "contacts")),
    }
}

pub(crate) fn account_of(contact: &Contact, accounts: &Lookup) -> Needed {
    contact
        .accounts
        .first()
        .map_or(Needed::None, |key| accounts.needed(key, "Account"))
}

/// The record to which each record's address belongs within a space: the first that claimed it.
pub(super) async fn winners(run: &Run<'_>, space: &str) -> Result<HashMap<RecordId, RecordId>> {
    let claims: Vec<(String, RecordId)> = run
        .batch
        .records
        .iter()
        .filter_map(|loaded| Some((contact_email(contact(loaded).ok()?)?, loaded.id)))
        .collect();
    let winners = run.journal().claim(space, &claims).await?;
    Ok(claims.into_iter().map(|(_, id)| id).zip(winners).collect())
}

/// The rows of the org that are not ours, by address, for the addresses that the batch won.
async fn matches(
    run: &Run<'_>,
    winners: &HashMap<RecordId, RecordId>,
) -> Result<HashMap<String, Vec<String>>> {
    let new = run
        .batch
        .records
        .iter()
        .filter(|l| run.prior(l, 0).is_none() && winners.get(&l.id) == Some(&l.id));
    let emails: Vec<String> = new
        .filter_map(|loaded| contact(loaded).ok().and_then(contact_email))
        .collect();
    let select = "SELECT Id, Email FROM Contact WHERE Source_Key__c = null AND Email IN";
    let mut matches: HashMap<String, Vec<String>> = HashMap::new();
    for row in run.api.query_in(run.cx, select, &emails).await? {
        if let (Some(id), Some(email)) = (row["Id"].as_str(), row["Email"].as_str()) {
            matches
                .entry(email.to_lowercase())
                .or_default()
                .push(id.to_owned());
        }
    }
    Ok(matches)
}

/// Links the records whose address another record won to that one's row, which is of the first of these objects that it has.
pub(super) async fn link_seconds(
    run: &Run<'_>,
    winners: &HashMap<RecordId, RecordId>,
    objects: &[&str],
    mut outcomes: Vec<Outcome>,
) -> Result<Vec<Outcome>> {
    let second = |loaded: &&Loaded| {
        winners
            .get(&loaded.id)
            .is_some_and(|winner| *winner != loaded.id)
    };
    let seconds: Vec<&Loaded> = run.batch.records.iter().filter(second).collect();
    if seconds.is_empty() {
        return Ok(outcomes);
    }
    let firsts: Vec<RecordId> = seconds.iter().map(|loaded| winners[&loaded.id]).collect();
    let known = run.journal().rows(&firsts).await?;
    let mut effects: Vec<Effect> = Vec::new();
    for ((loaded, first), known) in seconds.into_iter().zip(firsts).zip(known) {
        let in_this_batch = outcomes
            .iter()
            .find(|o| o.record == first)
            .map(|o| o.verdict.clone());
        let made = objects.iter().find(|object| known.id_of(object).is_some());
        let object = made.or(objects.first()).copied().unwrap_or(OBJECT);
        let verdict = match (needed(&known, object), in_this_batch) {
            (Needed::Stands(id), _) => {
                effects.push(link(loaded, object, id));
                Verdict::Unchanged("same-email".into())
            }
            (_, Some(Verdict::Held(_))) => Verdict::Held("parent-held".into()),
            (Needed::Waits(Verdict::Held(why)), None) => Verdict::Held(why),
            _ => Verdict::Held("parent-failed".into()),
        };
        for slot in outcomes
            .iter_mut()
            .filter(|o| o.record == loaded.id && o.part == loaded.part)
        {
            *slot = outcome(loaded, verdict.clone());
        }
    }
    run.settle(effects).await?;
    Ok(outcomes)
}

fn link(loaded: &Loaded, object: &str, id: String) -> Effect {
    Effect {
        record: loaded.id,
        row: loaded.row(0),
        object: object.into(),
        operation: Operation::Link,
        state: deskferry_core::journal::EffectState::Confirmed { id },
        hash: [0; 16],
    }
}

/// The row of a contact.
pub(crate) fn fields(
    run: &Run<'_>,
    loaded: &Loaded,
    account: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Fields> {
    let contact = contact(loaded)?;
    let key = contact.meta.key.row(loaded.part);
    let common = Common {
        meta: &contact.meta,
        key: &key,
        mark: run.journal().mark(),
    };
    let facts = ContactFacts::new(common, contact, account);
    Ok(build::row(
        run.lines(OBJECT)?,
        run.org.object(OBJECT)?,
        &facts,
        Leftovers::new(),
        now,
    ))
}
