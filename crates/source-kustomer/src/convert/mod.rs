//! Kustomer's JSON to canonical records: pure functions, no I/O.

mod address;
mod conversation;
mod fields;
mod files;
mod knowledge;
mod message;
mod objects;
mod people;

pub(crate) use conversation::{Standing, conversation};
pub(crate) use fields::{Definitions, RESOURCES, definitions};
pub(crate) use files::locate;
pub(crate) use knowledge::{article, categories, elsewhere, languages, latest};
pub(crate) use message::{Converted, MailBody, message, note};
pub(crate) use objects::{Target, klass_name, object_definition, object_record};
pub(crate) use people::{account, agent, contact, departed, tag, team};

use std::collections::HashMap;

use deskferry_core::model::{CustomValue, CustomValues, Meta};
use deskferry_core::source::Reject;
use deskferry_core::{RecordKey, RecordKind, Tenant};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::wire::{Defect, Row};

/// What every conversion needs beside the row.
#[derive(Debug)]
pub(crate) struct Ground<'a> {
    pub(crate) tenant: &'a Tenant,
    /// Scheme, host and port, for addresses.
    pub(crate) root: &'a str,
    pub(crate) names: &'a Names,
    pub(crate) definitions: &'a Definitions,
}

/// Names of what rows have ids of.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// Tags, deleted ones too.
    pub(crate) tags: HashMap<String, String>,
    /// Sub-statuses.
    pub(crate) sub_statuses: HashMap<String, String>,
}

impl Names {
    /// The texts of tags. A write takes names too, so what is no id of a tag is taken for its name.
    pub(crate) fn tags<'a>(&self, ids: impl Iterator<Item = &'a str>) -> Vec<String> {
        ids.map(|id| self.tags.get(id).cloned().unwrap_or_else(|| id.to_owned()))
            .collect()
    }
}

/// A row that could not become a record, with what it was.
pub(crate) fn reject(
    kind: RecordKind,
    id: Option<String>,
    defect: Defect,
    raw: &RawValue,
) -> Reject {
    Reject {
        kind,
        id,
        path: defect.path,
        reason: defect.reason,
        raw: raw.get().to_owned(),
    }
}

impl Ground<'_> {
    pub(crate) fn key(&self, kind: RecordKind, id: &str) -> RecordKey {
        self.tenant.key(kind, id)
    }

    /// Key, times, address, revision and custom attributes.
    fn meta(&self, kind: RecordKind, row: &Row, resource: &str) -> Result<Meta, Defect> {
        let mut meta = Meta::new(self.key(kind, row.id()));
        meta.url = row
            .link("self")
            .filter(|link| link.starts_with('/'))
            .map(|link| format!("{}{link}", self.root));
        meta.created_at = row.time("createdAt")?;
        meta.updated_at = row.time("updatedAt")?;
        // It grows with each write: of two readings of one row the higher one is right.
        meta.revision = row.number("rev");
        if let Some(custom) = row.custom() {
            meta.custom = self.definitions.values(resource, custom);
        }
        Ok(meta)
    }
}

/// Keeps attributes that the model has no field for, under their own names.
fn keep(meta: &mut CustomValues, row: &Row, names: &[&str]) {
    for name in names {
        let Some(value) = row.value(name) else {
            continue;
        };
        let value = match value {
            Value::String(text) if text.trim().is_empty() => continue,
            Value::Bool(false) => continue,
            Value::String(text) => CustomValue::Text(text.clone()),
            Value::Bool(flag) => CustomValue::Bool(*flag),
            Value::Number(number) => CustomValue::Number(number.to_string()),
            other => CustomValue::Json(other.clone()),
        };
        // A custom attribute has a suffix; one without that bears the name of an attribute stays.
        meta.entry((*name).to_owned()).or_insert(value);
    }
}

#[cfg(test)]
mod tests;
