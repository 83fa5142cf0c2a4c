use deskferry_core::model::CustomValues;

use super::{ContactFacts, Facts};
use crate::mapping::value::Fact;

/// What stands for a company that nobody named: a Lead must have one.
const NO_COMPANY: &str = "[not provided]";

/// A person who is a Lead.
pub(crate) struct LeadFacts<'a> {
    pub(crate) person: ContactFacts<'a>,
    /// The name of the company, where there is one.
    pub(crate) company: Option<&'a str>,
}

impl Facts for LeadFacts<'_> {
    fn fact(&self, name: &str) -> Fact<'_> {
        match name {
            "company" => Fact::text(self.company.unwrap_or(NO_COMPANY)),
            "account" => Fact::Nothing,
            _ => self.person.fact(name),
        }
    }

    fn custom(&self) -> &CustomValues {
        self.person.custom()
    }
}
