//! Who of the org has which address.

use std::collections::{BTreeSet, HashMap};

use deskferry_core::error::Result;
use deskferry_core::key::RecordId;
use deskferry_core::model::EmailAddress;

use super::Run;
use super::agents::USER_EMAIL;
use super::contacts::CONTACT_EMAIL;
use crate::mapping::facts::Recipients;
use crate::mapping::people::same_address;

/// Contacts and users by address, contacts first.
#[derive(Debug, Default)]
pub(crate) struct People {
    by_address: HashMap<String, String>,
}

impl People {
    /// Who has these addresses, asked once each.
    pub(crate) async fn of(run: &Run<'_>, addresses: impl Iterator<Item = &str>) -> Result<Self> {
        let mut open: Vec<String> = addresses
            .map(same_address)
            .filter(|a| !a.is_empty())
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        let mut by_address = HashMap::new();
        for (space, object) in [(CONTACT_EMAIL, "Contact"), (USER_EMAIL, "User")] {
            by_address.extend(claimed(run, space, object, &open).await?);
            open.retain(|address| !by_address.contains_key(address));
        }
        Ok(Self { by_address })
    }

    pub(crate) fn id(&self, address: &str) -> Option<&str> {
        self.by_address
            .get(&same_address(address))
            .map(String::as_str)
    }

    /// The people of a header line: by id who stands in the org, each once; the others by address.
    pub(crate) fn recipients(&self, line: &[EmailAddress]) -> Recipients {
        let mut recipients = Recipients::default();
        for recipient in line {
            match self.id(&recipient.address) {
                Some(id) if recipients.people.iter().any(|known| known == id) => {}
                Some(id) => recipients.people.push(id.to_owned()),
                None => recipients
                    .addresses
                    .push(recipient.address.trim().to_owned()),
            }
        }
        recipients
    }
}

async fn claimed(
    run: &Run<'_>,
    space: &str,
    object: &str,
    addresses: &[String],
) -> Result<Vec<(String, String)>> {
    let claimed = run.journal().claimed(space, addresses).await?;
    let (addresses, records): (Vec<&String>, Vec<RecordId>) = addresses
        .iter()
        .zip(claimed)
        .filter_map(|(address, record)| Some((address, record?)))
        .unzip();
    let known = run.journal().rows(&records).await?;
    let found = addresses
        .into_iter()
        .zip(known)
        .filter_map(|(address, known)| Some((address.clone(), known.id_of(object)?.to_owned())));
    Ok(found.collect())
}
