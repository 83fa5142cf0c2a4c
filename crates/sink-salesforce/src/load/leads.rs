//! People who asked for nothing and become Leads, by the mapping's rule. Who asked is a Contact: a Case has no Lead (Salesforce
//! objects, section 2.5). What was once decided for a person stays: a Lead of whom a conversation comes later is named on its Case.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use deskferry_core::error::Result;
use deskferry_core::journal::Operation;
use deskferry_core::key::{RecordId, RecordKey};
use deskferry_core::model::{Contact, Record};
use deskferry_core::sink::{Batch, Loaded, Outcome, Verdict};
use serde_json::Value;

use super::contacts::account_of;
use super::contacts::{link_seconds, winners};
use super::{Lookup, Needed, Planned, Run, contacts, strange};
use crate::mapping::build::{self, Fields, Leftovers};
use crate::mapping::facts::{Common, ContactFacts, LEADS, LeadFacts, contact_email};

pub(crate) const OBJECT: &str = LEADS;
/// The space in which leads claim their addresses.
const LEAD_EMAIL: &str = "lead-email";

/// Rows of the org by address: their object and id.
type There = HashMap<String, Vec<(&'static str, String)>>;

/// Writes people, each as what it is to be.
pub(crate) async fn people(run: &Run<'_>) -> Result<Vec<Outcome>> {
    let leads = among(run).await?;
    if leads.is_empty() {
        return contacts::write(run).await;
    }
    let (theirs, ours): (Vec<Loaded>, Vec<Loaded>) = run
        .batch
        .records
        .iter()
        .cloned()
        .partition(|loaded| leads.contains(&loaded.id));
    let part = |records| Batch {
        records,
        ..run.batch.clone()
    };
    let (theirs, ours) = (part(theirs), part(ours));
    let mut outcomes = Vec::new();
    if !ours.records.is_empty() {
        let run = Run::open(run.cx, run.api, run.org, run.mapping, &ours).await?;
        outcomes = contacts::write(&run).await?;
    }
    let run = Run::open(run.cx, run.api, run.org, run.mapping, &theirs).await?;
    outcomes.extend(write(&run).await?);
    Ok(outcomes)
}

/// Which people of a batch are leads. What stands decides before the rule.
async fn among(run: &Run<'_>) -> Result<HashSet<RecordId>> {
    let Some(rule) = run.mapping.leads() else {
        return Ok(HashSet::new());
    };
    let mut leads = HashSet::new();
    let mut open: Vec<(RecordId, RecordKey)> = Vec::new();
    for loaded in &run.batch.records {
        let contact = contact(loaded)?;
        match run.prior(loaded, 0) {
            Some(effect) => leads.extend((effect.object == OBJECT).then_some(loaded.id)),
            None if rule.take(contact) => open.push((loaded.id, contact.meta.key.clone())),
            None => {}
        }
    }
    let keys: Vec<RecordKey> = open.iter().map(|(_, key)| key.clone()).collect();
    let asked = run.journal().asked(&keys).await?;
    let silent = open.into_iter().zip(asked).filter(|(_, asked)| !asked);
    leads.extend(silent.map(|((id, _), _)| id));
    Ok(leads)
}

fn contact(loaded: &Loaded) -> Result<&Contact> {
    match &loaded.record {
        Record::Contact(contact) => Ok(contact),
        _ => Err(strange(loaded, "contacts")),
    }
}

async fn write(run: &Run<'_>) -> Result<Vec<Outcome>> {
    let companies = Companies::of(run).await?;
    let winners = winners(run, LEAD_EMAIL).await?;
    let there = there(run, &winners).await?;
    let mut planned = Vec::with_capacity(run.batch.records.len());
    for loaded in &run.batch.records {
        planned.push(match winners.get(&loaded.id) {
            // Decided once the winner of the address has its row.
            Some(winner) if *winner != loaded.id => {
                Planned::Verdict(Verdict::Held("same-email".into()))
            }
            _ => plan(run, loaded, &companies, &there)?,
        });
    }
    let outcomes = run.carry_out(planned).await?;
    link_seconds(run, &winners, &[OBJECT, contacts::OBJECT], outcomes).await
}

fn plan(run: &Run<'_>, loaded: &Loaded, companies: &Companies, there: &There) -> Result<Planned> {
    let standing = |object: &'static str, id: &str| Planned::Standing {
        object,
        id: id.to_owned(),
        operation: Operation::Matched,
        reason: "matched",
    };
    if let Some(effect) = run.prior(loaded, 0)
        && effect.operation == Operation::Matched
        && let Some(id) = effect.id()
    {
        // A person who is a contact there stays one.
        let known = [contacts::OBJECT]
            .into_iter()
            .find(|object| *object == effect.object);
        return Ok(standing(known.unwrap_or(OBJECT), id));
    }
    let email = contact_email(contact(loaded)?);
    let found = email.and_then(|email| there.get(&email));
    match found.map_or(&[][..], Vec::as_slice) {
        [(object, id)] => return Ok(standing(object, id)),
        [] => {}
        _ => return Ok(Planned::Verdict(Verdict::Held("ambiguous-match".into()))),
    }
    Ok(match companies.name(contact(loaded)?) {
        Err(verdict) => Planned::Verdict(verdict),
        Ok(company) => {
            let fields = fields(run, loaded, company, run.cx.now())?;
            Planned::Rows(vec![run.outgoing(loaded, 0, OBJECT, fields)])
        }
    })
}

/// What the companies of people are called in the org.
pub(crate) struct Companies {
    accounts: Lookup,
    names: HashMap<String, String>,
}

impl Companies {
    pub(crate) async fn of(run: &Run<'_>) -> Result<Self> {
        let accounts = contacts::accounts(run).await?;
        let mut ids: Vec<String> = Vec::new();
        for loaded in &run.batch.records {
            if let Needed::Stands(id) = account_of(contact(loaded)?, &accounts) {
                ids.push(id);
            }
        }
        ids.sort_unstable();
        ids.dedup();
        let select = "SELECT Id, Name FROM Account WHERE Id IN";
        let rows = run.api.query_in(run.cx, select, &ids).await?;
        let pair = |row: &Value| {
            let text = |name: &str| row[name].as_str().map(str::to_owned);
            Some((text("Id")?, text("Name")?))
        };
        Ok(Self {
            accounts,
            names: rows.iter().filter_map(pair).collect(),
        })
    }

    /// The company of a person, or why the person has to wait.
    pub(crate) fn name(&self, contact: &Contact) -> Result<Option<&str>, Verdict> {
        match account_of(contact, &self.accounts) {
            Needed::Stands(id) => Ok(self.names.get(&id).map(String::as_str)),
            Needed::None => Ok(None),
            Needed::Waits(verdict) => Err(verdict),
        }
    }
}

/// The rows of the org that are not ours, by address, for the addresses that the batch won: people who are contacts there
/// before those who are leads.
async fn there(run: &Run<'_>, winners: &HashMap<RecordId, RecordId>) -> Result<There> {
    let new = run
        .batch
        .records
        .iter()
        .filter(|l| run.prior(l, 0).is_none() && winners.get(&l.id) == Some(&l.id));
    let emails: Vec<String> = new
        .filter_map(|loaded| contact(loaded).ok().and_then(contact_email))
        .collect();
    let mut there = There::new();
    for (object, which) in [(contacts::OBJECT, ""), (OBJECT, "IsConverted = false AND ")] {
        let select = format!(
            "SELECT Id, Email FROM {object} WHERE {which}Source_Key__c = null AND Email IN"
        );
        let open = emails.iter().filter(|email| !there.contains_key(*email));
        let open: Vec<String> = open.cloned().collect();
        for row in run.api.query_in(run.cx, &select, &open).await? {
            if let (Some(id), Some(email)) = (row["Id"].as_str(), row["Email"].as_str()) {
                let found = there.entry(email.to_lowercase()).or_default();
                found.push((object, id.to_owned()));
            }
        }
    }
    Ok(there)
}

/// The row of a lead.
pub(crate) fn fields(
    run: &Run<'_>,
    loaded: &Loaded,
    company: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Fields> {
    let contact = contact(loaded)?;
    let key = contact.meta.key.row(loaded.part);
    let common = Common {
        meta: &contact.meta,
        key: &key,
        mark: run.journal().mark(),
    };
    let facts = LeadFacts {
        person: ContactFacts::new(common, contact, None),
        company,
    };
    let (lines, object) = (run.lines(OBJECT)?, run.org.object(OBJECT)?);
    Ok(build::row(lines, object, &facts, Leftovers::new(), now))
}
