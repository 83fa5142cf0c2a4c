use std::borrow::Cow;

use deskferry_core::model::{Account, Address, CustomValues};

use super::{Common, Facts};
use crate::mapping::text;
use crate::mapping::value::Fact;

/// A company.
pub(crate) struct AccountFacts<'a> {
    pub(crate) common: Common<'a>,
    pub(crate) account: &'a Account,
}

impl AccountFacts<'_> {
    fn name(&self) -> Fact<'_> {
        let name = &self.account.name;
        if text::clean(name).trim().is_empty() {
            return Fact::Text(Cow::Owned(format!(
                "Unknown {}",
                self.account.meta.key.id()
            )));
        }
        Fact::Text(text::one_line(name))
    }

    fn address(&self, part: impl Fn(&Address) -> Cow<'_, str>) -> Fact<'_> {
        self.account
            .addresses
            .first()
            .map_or(Fact::Nothing, |address| Fact::Text(part(address)))
    }
}

impl Facts for AccountFacts<'_> {
    fn fact(&self, name: &str) -> Fact<'_> {
        let a = self.account;
        match name {
            "name" => self.name(),
            "website" => {
                Fact::maybe_text(a.websites.first().or(a.domains.first()).map(String::as_str))
            }
            "phone" => Fact::maybe_text(a.phones.first().map(String::as_str)),
            "address.street" => self.address(|a| Cow::Owned(a.street.join("\n"))),
            "address.city" => self.address(|a| Cow::Borrowed(&a.city)),
            "address.state" => self.address(|a| Cow::Borrowed(&a.state)),
            "address.postal-code" => self.address(|a| Cow::Borrowed(&a.postal_code)),
            "address.country" => self.address(|a| Cow::Borrowed(&a.country)),
            "domains" => Fact::Text(Cow::Owned(a.domains.join("\n"))),
            "tags" => tags(&a.tags),
            "tags.list" => Fact::Tags(&a.tags),
            _ => self.common.fact(name),
        }
    }

    fn custom(&self) -> &CustomValues {
        &self.account.meta.custom
    }
}

/// `|one|two|`, in the source's order.
pub(super) fn tags(tags: &[String]) -> Fact<'static> {
    if tags.is_empty() {
        Fact::Nothing
    } else {
        Fact::Text(Cow::Owned(format!("|{}|", tags.join("|"))))
    }
}
