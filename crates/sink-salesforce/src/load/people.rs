//! Who of the org has which address.

use std::collections::{BTreeSet, HashMap};

use deskferry_core::error::Result;
use deskferry_core::journal::Known;
use deskferry_core::key::RecordId;
use deskferry_core::model::EmailAddress;

use super::agents::USER_EMAIL;
use super::contacts::CONTACT_EMAIL;
use super::{Run, agents};
use crate::mapping::facts::Recipients;
use crate::mapping::people::same_address;

/// Contacts and users by address.
#[derive(Debug, Default)]
pub(crate) struct People {
    contacts: HashMap<String, String>,
    users: HashMap<String, String>,
}

impl People {
    /// Who has these addresses, asked once each.
    pub(crate) async fn of(run: &Run<'_>, addresses: impl Iterator<Item = &str>) -> Result<Self> {
        let addresses: BTreeSet<String> = addresses
            .map(same_address)
            .filter(|a| !a.is_empty())
            .collect();
        let addresses: Vec<String> = addresses.into_iter().collect();
        let contacts = claimed(run, CONTACT_EMAIL, "Contact", &addresses)
            .await?
            .into_iter()
            .collect();
        let users = claimed(run, USER_EMAIL, "User", &addresses)
            .await?
            .into_iter()
            .collect();
        Ok(Self { contacts, users })
    }

    /// Whose address it is: a contact's before a user's.
    fn id(&self, address: &str) -> Option<&str> {
        let address = same_address(address);
        self.contacts
            .get(&address)
            .or_else(|| self.users.get(&address))
            .map(String::as_str)
    }

    /// The row of a sender, if the address is that row's.
    pub(crate) fn sender<'a>(&self, address: &str, author: &'a Known) -> Option<&'a str> {
        let address = same_address(address);
        let is_in = |id: &&str, all: &HashMap<String, String>| {
            all.get(&address).is_some_and(|own| own == id)
        };
        let contact = author.id_of("Contact");
        let user = || agents::identity(author).filter(|id| is_in(id, &self.users));
        contact.filter(|id| is_in(id, &self.contacts)).or_else(user)
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
