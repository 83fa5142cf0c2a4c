//! Fields that no target shall get.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::Value;

use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::key::RecordKind;
use crate::model::Record;
use crate::transform::{Transform, Transformed};

const DOING: &str = "leave fields out";

/// What can be left out of each kind, by the names of the model. `custom.<key>` and `url` can be of every kind.
const KNOWN: [(RecordKind, &[&str]); 7] = [
    (
        RecordKind::Account,
        &["domains", "websites", "phones", "addresses", "tags"],
    ),
    (
        RecordKind::Contact,
        &[
            "emails",
            "phones",
            "handles",
            "addresses",
            "groups",
            "title",
            "locale",
            "time_zone",
            "kind",
            "tags",
        ],
    ),
    (
        RecordKind::Conversation,
        &[
            "subject",
            "satisfaction",
            "satisfaction.comment",
            "figures",
            "tags",
            "kind",
            "segment",
            "also_assigned",
            "also_teams",
            "priority",
        ],
    ),
    (
        RecordKind::Message,
        &[
            "subject",
            "body.html",
            "body.text",
            "email.raw",
            "email.cc",
            "email.bcc",
            "call",
            "call.from",
            "call.to",
            "call.recording",
        ],
    ),
    (RecordKind::ObjectRecord, &[]),
    (RecordKind::Article, &["author", "tags"]),
    (RecordKind::Agent, &[]),
];

/// Leaves fields out of records before a target sees them.
///
/// ```
/// use deskferry_core::transforms::Exclude;
///
/// assert!(Exclude::parse("contact.phones, conversation.custom.iban").is_ok());
/// assert!(Exclude::parse("contact.shoe_size").unwrap_err().to_string().contains("contact.phones"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exclude {
    paths: BTreeMap<RecordKind, Vec<Vec<String>>>,
}

impl Exclude {
    /// Reads names such as `contact.phones, conversation.custom.iban`.
    ///
    /// # Errors
    /// `Config` for a name that there is not, with those that there are.
    pub fn parse(text: &str) -> Result<Self> {
        let mut exclude = Self::default();
        for name in text
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
        {
            let (kind, path) = path_of(name).ok_or_else(|| unknown(name))?;
            exclude.paths.entry(kind).or_default().push(path);
        }
        Ok(exclude)
    }

    /// Whether nothing is left out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// The record without those fields.
    ///
    /// # Errors
    /// `Bug` when it is no record any more.
    pub fn applied(&self, record: Record) -> Result<Record> {
        let kind = record.kind();
        let Some(paths) = self.paths.get(&kind) else {
            return Ok(record);
        };
        let broken = |e: serde_json::Error| Error::bug(DOING, e.to_string());
        let line = record.to_line().map_err(broken)?;
        let mut value: Value = serde_json::from_slice(&line).map_err(broken)?;
        for path in paths {
            take_out(&mut value, path);
        }
        // The raw record would have all of it again.
        take_out(&mut value, &["meta".to_owned(), "raw".to_owned()]);
        let line = serde_json::to_vec(&value).map_err(broken)?;
        Record::from_line(kind, &line).map_err(broken)
    }
}

fn path_of(name: &str) -> Option<(RecordKind, Vec<String>)> {
    let (kind, field) = name.split_once('.')?;
    let (kind, known) = KNOWN.iter().find(|(of, _)| of.name() == kind)?;
    let path = |parts: &[&str]| parts.iter().map(|part| (*part).to_owned()).collect();
    if let Some(key) = field.strip_prefix("custom.").filter(|key| !key.is_empty()) {
        return Some((*kind, path(&["meta", "custom", key])));
    }
    if field == "url" {
        return Some((*kind, path(&["meta", "url"])));
    }
    let parts: Vec<&str> = field.split('.').collect();
    known.contains(&field).then(|| (*kind, path(&parts)))
}

fn take_out(value: &mut Value, path: &[String]) {
    match (value, path) {
        (Value::Object(fields), [last]) => _ = fields.remove(last),
        (Value::Object(fields), [first, rest @ ..]) => {
            if let Some(inner) = fields.get_mut(first) {
                take_out(inner, rest);
            }
        }
        _ => {}
    }
}

fn unknown(name: &str) -> Error {
    let known = KNOWN.iter().flat_map(|(kind, fields)| {
        let own = fields.iter().map(move |field| format!("{kind}.{field}"));
        own.chain([format!("{kind}.custom.<key>")])
    });
    let known: Vec<String> = known.collect();
    let said = format!(
        "`{name}` is nothing that can be left out; {} are",
        known.join(", ")
    );
    Error::new(ErrorKind::Config, DOING, said)
}

#[async_trait]
impl Transform for Exclude {
    async fn apply(&self, _cx: &Context, batch: Vec<Record>) -> Result<Vec<Transformed>> {
        let kept = |record| self.applied(record).map(Transformed::Keep);
        batch.into_iter().map(kept).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Tenant;
    use crate::model::{Account, CustomValue, Meta};

    #[test]
    fn every_field_that_can_be_named_can_be_left_out_of_a_record() {
        let tenant = Tenant::new("desk", "acme");
        let mut account = Account {
            meta: Meta::new(tenant.key(RecordKind::Account, 1)),
            name: "Acme".into(),
            domains: vec!["acme.example".into()],
            websites: Vec::new(),
            phones: vec!["+49 1".into()],
            addresses: Vec::new(),
            parent: None,
            tags: Vec::new(),
        };
        account.meta.raw = Some(serde_json::json!({"phones": ["+49 1"]}));
        let custom = &mut account.meta.custom;
        custom.insert("iban.of".into(), CustomValue::Text("DE00".into()));
        custom.insert("tier".into(), CustomValue::Text("gold".into()));
        let exclude =
            Exclude::parse("account.phones, account.custom.iban.of,account.websites").unwrap();
        let Record::Account(left) = exclude.applied(account.clone().into()).unwrap() else {
            panic!("another kind")
        };
        assert!(left.phones.is_empty() && left.meta.raw.is_none());
        assert_eq!(left.domains, account.domains);
        assert_eq!(left.meta.custom.keys().collect::<Vec<_>>(), ["tier"]);
        for (kind, fields) in KNOWN {
            for field in fields {
                assert!(Exclude::parse(&format!("{kind}.{field}")).is_ok());
            }
        }
        assert!(Exclude::parse("account.name").is_err());
        assert!(Exclude::parse("").unwrap().is_empty());
    }
}
