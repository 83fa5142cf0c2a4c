use std::collections::BTreeMap;

use deskferry_core::model::{CustomValues, ObjectRecord};

use super::{Common, Facts};
use crate::mapping::value::Fact;

/// A record of a custom object.
pub(crate) struct ObjectFacts<'a> {
    pub(crate) common: Common<'a>,
    pub(crate) record: &'a ObjectRecord,
    /// The rows that it points to, by relation.
    pub(crate) links: &'a BTreeMap<String, String>,
}

impl Facts for ObjectFacts<'_> {
    fn fact(&self, name: &str) -> Fact<'_> {
        match name {
            "name" => Fact::text(&self.record.name),
            _ => match name.strip_prefix("relation.") {
                Some(field) => Fact::maybe_id(self.links.get(field).map(String::as_str)),
                None => self.common.fact(name),
            },
        }
    }

    fn custom(&self) -> &CustomValues {
        &self.record.meta.custom
    }
}

/// Two records of a relation that is many on both sides.
pub(crate) struct PairFacts<'a> {
    pub(crate) common: Common<'a>,
    pub(crate) record: &'a str,
    pub(crate) other: &'a str,
}

impl Facts for PairFacts<'_> {
    fn fact(&self, name: &str) -> Fact<'_> {
        match name {
            "record" => Fact::maybe_id(Some(self.record)),
            "other" => Fact::maybe_id(Some(self.other)),
            _ => self.common.fact(name),
        }
    }

    fn custom(&self) -> &CustomValues {
        static NONE: CustomValues = CustomValues::new();
        &NONE
    }
}
