//! Who of the people becomes a Lead, by the mapping's `[policy]` (Salesforce objects, section 2.5).

use std::collections::BTreeSet;

use deskferry_core::model::Contact;
use serde::Serialize;

/// The rule. Who asked for something is a Contact whatever it says: a Case has no Lead.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Leads {
    /// Whoever has no company.
    no_company: bool,
    /// By the source's word for a sort of person, a group, a tag; in lower case.
    types: BTreeSet<String>,
    groups: BTreeSet<String>,
    tags: BTreeSet<String>,
}

impl Leads {
    /// Adds a condition; one is enough. Answers whether it is one.
    pub(super) fn or(&mut self, condition: &str) -> bool {
        let condition = condition.trim();
        if condition.replace('_', "-") == "no-company" {
            self.no_company = true;
            return true;
        }
        let Some((what, word)) = condition.split_once(':') else {
            return false;
        };
        let words = match what.trim() {
            "type" => &mut self.types,
            "group" => &mut self.groups,
            "tag" => &mut self.tags,
            _ => return false,
        };
        let word = plain(word);
        let said = !word.is_empty();
        words.extend(said.then_some(word));
        said
    }

    /// Whether the rule is about this person.
    pub(crate) fn take(&self, contact: &Contact) -> bool {
        let among = |words: &BTreeSet<String>, own: &[String]| {
            !words.is_empty() && own.iter().any(|own| words.contains(&plain(own)))
        };
        let kind = contact.kind.as_slice();
        (self.no_company && contact.accounts.is_empty())
            || among(&self.types, kind)
            || among(&self.groups, &contact.groups)
            || among(&self.tags, &contact.tags)
    }
}

fn plain(word: &str) -> String {
    word.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use deskferry_core::key::{RecordKind, Tenant};
    use deskferry_core::model::Meta;

    fn person(company: bool, kind: &str, tag: &str) -> Contact {
        let tenant = Tenant::new("kayako", "acme");
        let company = company.then(|| tenant.key(RecordKind::Account, 1));
        Contact {
            meta: Meta::new(tenant.key(RecordKind::Contact, 1)),
            name: "Ann".into(),
            emails: Vec::new(),
            phones: Vec::new(),
            handles: Vec::new(),
            addresses: Vec::new(),
            groups: vec!["Newsletter".into()],
            kind: Some(kind.into()),
            accounts: company.into_iter().collect(),
            title: None,
            locale: None,
            time_zone: None,
            tags: vec![tag.into()],
        }
    }

    #[test]
    fn one_condition_is_enough() {
        let rule = |conditions: &[&str]| {
            let mut rule = Leads::default();
            assert!(conditions.iter().all(|condition| rule.or(condition)));
            rule
        };
        for (conditions, company, kind, tag, takes) in [
            (&["no-company"][..], false, "", "", true),
            (&["no_company"], true, "", "", false),
            (&["type: Prospect "], true, "prospect", "", true),
            (&["type:prospect"], false, "customer", "", false),
            (&["no-company", "tag:cold"], true, "", "Cold", true),
            (&["group:newsletter"], true, "", "", true),
        ] {
            let person = person(company, kind, tag);
            assert_eq!(rule(conditions).take(&person), takes, "{conditions:?}");
        }
        for wrong in ["company", "type:", "colour:red", ""] {
            assert!(!Leads::default().or(wrong), "{wrong}");
        }
    }
}
