use std::borrow::Cow;

use deskferry_core::model::{Address, Contact, CustomValues};

use super::account::tags;
use super::{Common, Facts};
use crate::mapping::people::{PersonName, name_without_a_name, split_name, typed_email};
use crate::mapping::value::Fact;

/// The most characters of a Contact's Email.
const EMAIL_LENGTH: usize = 80;

/// A person, with the company that stands in the org.
pub(crate) struct ContactFacts<'a> {
    pub(crate) common: Common<'a>,
    pub(crate) contact: &'a Contact,
    pub(crate) account: Option<&'a str>,
    pub(crate) name: PersonName,
}

impl<'a> ContactFacts<'a> {
    pub(crate) fn new(common: Common<'a>, contact: &'a Contact, account: Option<&'a str>) -> Self {
        let email = contact.emails.first().map(|e| e.address.as_str());
        let phone = contact.phones.first().map(String::as_str);
        let name = split_name(&contact.name)
            .unwrap_or_else(|| name_without_a_name(email, phone, contact.meta.key.id()));
        Self {
            common,
            contact,
            account,
            name,
        }
    }

    fn address(&self, part: impl Fn(&Address) -> Cow<'_, str>) -> Fact<'_> {
        let first = self.contact.addresses.first();
        first.map_or(Fact::Nothing, |address| Fact::Text(part(address)))
    }

    /// The addresses after the first, one a line.
    fn other_addresses(&self) -> String {
        let others = self.contact.addresses.iter().skip(1).map(|a| {
            let parts = a.street.iter().map(String::as_str);
            let parts = parts.chain([
                a.postal_code.as_str(),
                a.city.as_str(),
                a.state.as_str(),
                a.country.as_str(),
            ]);
            let parts: Vec<&str> = parts.map(str::trim).filter(|p| !p.is_empty()).collect();
            parts.join(", ")
        });
        others.collect::<Vec<_>>().join("\n")
    }

    fn handles(&self) -> String {
        let phones = self
            .contact
            .phones
            .iter()
            .skip(1)
            .map(|phone| format!("phone: {phone}"));
        let handles = self
            .contact
            .handles
            .iter()
            .map(|h| format!("{}: {}", h.network, h.name));
        phones.chain(handles).collect::<Vec<_>>().join("\n")
    }
}

/// The address that the Contact's Email gets: the primary one, if the platform takes it.
pub(crate) fn contact_email(contact: &Contact) -> Option<String> {
    contact
        .emails
        .first()
        .and_then(|e| typed_email(&e.address, EMAIL_LENGTH))
}

impl Facts for ContactFacts<'_> {
    fn fact(&self, name: &str) -> Fact<'_> {
        let c = self.contact;
        match name {
            "name" => Fact::text(&c.name),
            "name.first" => Fact::text(&self.name.first),
            "name.last" => Fact::text(&self.name.last),
            "email" => contact_email(c).map_or(Fact::Nothing, |e| Fact::Text(Cow::Owned(e))),
            "email.raw" => Fact::maybe_text(c.emails.first().map(|e| e.address.as_str())),
            "emails.other" => {
                let others: Vec<&str> = c
                    .emails
                    .iter()
                    .skip(1)
                    .map(|e| e.address.as_str())
                    .collect();
                Fact::Text(Cow::Owned(others.join("\n")))
            }
            "phone" => Fact::maybe_text(c.phones.first().map(String::as_str)),
            "handles" => Fact::Text(Cow::Owned(self.handles())),
            "title" => Fact::maybe_text(c.title.as_deref()),
            "account" => Fact::maybe_id(self.account),
            "tags" => tags(&c.tags),
            "tags.list" => Fact::Tags(&c.tags),
            "locale" => Fact::maybe_text(c.locale.as_deref()),
            "type" => Fact::maybe_text(c.kind.as_deref()),
            "groups" => Fact::Text(Cow::Owned(c.groups.join("\n"))),
            "address.street" => self.address(|a| Cow::Owned(a.street.join("\n"))),
            "address.city" => self.address(|a| Cow::Borrowed(&a.city)),
            "address.state" => self.address(|a| Cow::Borrowed(&a.state)),
            "address.postal-code" => self.address(|a| Cow::Borrowed(&a.postal_code)),
            "address.country" => self.address(|a| Cow::Borrowed(&a.country)),
            "addresses.other" => Fact::Text(Cow::Owned(self.other_addresses())),
            "time-zone" => Fact::maybe_text(c.time_zone.as_deref()),
            _ => self.common.fact(name),
        }
    }

    fn custom(&self) -> &CustomValues {
        &self.contact.meta.custom
    }
}
