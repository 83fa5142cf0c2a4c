//! Companies. One that is in the org already, by its website, is linked and left as it is.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use deskferry_core::error::Result;
use deskferry_core::journal::Operation;
use deskferry_core::model::{Account, Record};
use deskferry_core::sink::{Loaded, Outcome, Verdict};

use super::{Planned, Run, strange};
use crate::mapping::build::{self, Fields, Leftovers};
use crate::mapping::facts::{AccountFacts, Common};
use crate::mapping::people::host;

pub(crate) const OBJECT: &str = "Account";

pub(crate) async fn write(run: &Run<'_>) -> Result<Vec<Outcome>> {
    let matches = matches(run).await?;
    let planned = run
        .batch
        .records
        .iter()
        .map(|loaded| plan(run, loaded, &matches))
        .collect::<Result<Vec<_>>>()?;
    run.carry_out(planned).await
}

fn plan(run: &Run<'_>, loaded: &Loaded, matches: &HashMap<String, Vec<String>>) -> Result<Planned> {
    let account = account(loaded)?;
    let found = domain(account)
        .and_then(|domain| matches.get(&domain))
        .map_or(&[][..], Vec::as_slice);
    match (matched_before(run, loaded), found) {
        (Some(id), _) => Ok(standing(id)),
        (None, []) => Ok(Planned::Rows(vec![run.outgoing(
            loaded,
            0,
            OBJECT,
            fields(run, loaded, run.cx.now())?,
        )])),
        (None, [id]) => Ok(standing(id)),
        (None, _) => Ok(Planned::Verdict(Verdict::Held("ambiguous-match".into()))),
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

/// The row that this record was found to be in an earlier run.
pub(super) fn matched_before<'a>(run: &'a Run<'_>, loaded: &Loaded) -> Option<&'a str> {
    run.prior(loaded, 0)
        .filter(|effect| effect.operation == Operation::Matched)
        .and_then(|effect| effect.id())
}

fn account(loaded: &Loaded) -> Result<&Account> {
    match &loaded.record {
        Record::Account(account) => Ok(account),
        _ => Err(strange(loaded, "accounts")),
    }
}

fn domain(account: &Account) -> Option<String> {
    account.domains.first().and_then(|domain| host(domain))
}

/// The rows of the org that are not ours, by the host of their website, for the domains of the batch.
async fn matches(run: &Run<'_>) -> Result<HashMap<String, Vec<String>>> {
    let new = run
        .batch
        .records
        .iter()
        .filter(|loaded| run.prior(loaded, 0).is_none());
    let domains: BTreeSet<String> = new
        .filter_map(|loaded| account(loaded).ok().and_then(domain))
        .collect();
    let domains: Vec<String> = domains.into_iter().collect();
    let select = "SELECT Id, Website FROM Account WHERE Source_Key__c = null AND";
    let mut matches: HashMap<String, Vec<String>> = HashMap::new();
    for row in run
        .api
        .query_containing(run.cx, select, "Website", &domains)
        .await?
    {
        if let (Some(id), Some(host)) = (row["Id"].as_str(), row["Website"].as_str().and_then(host))
        {
            let ids = matches.entry(host).or_default();
            if !ids.iter().any(|known| known == id) {
                ids.push(id.to_owned());
            }
        }
    }
    Ok(matches)
}

/// The row of an account.
pub(crate) fn fields(run: &Run<'_>, loaded: &Loaded, now: DateTime<Utc>) -> Result<Fields> {
    let account = account(loaded)?;
    let key = account.meta.key.row(loaded.part);
    let common = Common {
        meta: &account.meta,
        key: &key,
        mark: run.journal().mark(),
    };
    let facts = AccountFacts { common, account };
    Ok(build::row(
        run.lines(OBJECT)?,
        run.org.object(OBJECT)?,
        &facts,
        Leftovers::new(),
        now,
    ))
}
