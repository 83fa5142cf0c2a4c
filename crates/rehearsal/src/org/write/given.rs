//! The values of a row as they were sent, read against the schema.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::references;
use crate::org::engine::Ctx;
use crate::org::error::Refusal;
use crate::org::knowledge;
use crate::org::options::OrgSettings;
use crate::org::schema::{Field, Kind, Object};
use crate::org::store::{self, Fields};
use crate::org::values::{accept, accept_text, date_time_text, moment};

const AUDIT: [&str; 4] = [
    "CreatedDate",
    "CreatedById",
    "LastModifiedDate",
    "LastModifiedById",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Insert,
    Update,
}

/// Accepted values by API name (null: to be cleared), and what only a message or a file can carry.
#[derive(Debug, Default)]
pub(crate) struct Given {
    pub(crate) values: Fields,
    pub(super) junctions: BTreeMap<String, Vec<String>>,
    /// Base64 of a blob field.
    pub(super) blob: Option<String>,
}

impl Given {
    pub(super) fn read(
        ctx: &Ctx<'_>,
        object: &Object,
        sent: &Fields,
        purpose: Purpose,
    ) -> Result<Self, Refusal> {
        let mut given = Self::default();
        let mut not_writable = Vec::new();
        for (name, value) in sent {
            if name == "attributes" {
                continue;
            }
            let Some(field) = object.field(name) else {
                if value.is_object()
                    && let Some(field) = object.by_relationship(name)
                {
                    let id = references::by_external_id(ctx, object, field, value)?;
                    given.values.insert(field.name.clone(), json!(id));
                    continue;
                }
                let message = format!("No such column '{name}' on sobject of type {}", object.name);
                return Err(Refusal::new("INVALID_FIELD", message));
            };
            let writable = if purpose == Purpose::Insert {
                field.createable
            } else {
                field.updateable
            };
            if !writable {
                not_writable.push(field.name.clone());
                continue;
            }
            match field.kind {
                Kind::Junction => {
                    given
                        .junctions
                        .insert(field.name.clone(), id_list(field, value)?);
                }
                Kind::Base64 => given.blob = value.as_str().map(str::to_owned),
                _ => {
                    let extra = ctx.settings().extra_normalisation;
                    given
                        .values
                        .insert(field.name.clone(), accept(object, field, value, extra)?);
                }
            }
        }
        if not_writable.is_empty() {
            Ok(given)
        } else {
            Err(cannot_write(not_writable))
        }
    }

    /// The values of a new row as texts of their fields, none to clear one; nothing where anything is wrong with them.
    pub(crate) fn of_texts<'t>(
        settings: &OrgSettings,
        object: &Object,
        texts: impl Iterator<Item = (&'t str, Option<&'t str>)>,
    ) -> Option<Self> {
        let mut given = Self::default();
        let extra = settings.extra_normalisation;
        for (name, text) in texts {
            let field = object.field(name).filter(|field| field.createable)?;
            let value = match text {
                Some(text) => accept_text(object, field, text, extra),
                None => accept(object, field, &Value::Null, extra),
            };
            given.values.insert(field.name.clone(), value.ok()?);
        }
        Some(given)
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).and_then(Value::as_str)
    }

    /// Fills what has a default and was left out, or sent as null where null is impossible.
    pub(super) fn defaults(&mut self, object: &Object) {
        let flag =
            |field: &Field| field.kind == Kind::Boolean && (field.createable || field.custom);
        let usual = |field: &&Field| field.default.is_some() || flag(field);
        for field in object.fields.iter().filter(usual) {
            let missing = self.values.get(&field.name).is_none_or(Value::is_null);
            if missing && let Some(default) = &field.default {
                self.values.insert(field.name.clone(), json!(default));
            }
            if missing && flag(field) {
                self.values.insert(field.name.clone(), json!(false));
            }
        }
    }

    pub(super) fn required(&self, object: &Object) -> Result<(), Refusal> {
        let present = |field: &Field| {
            self.values
                .get(&field.name)
                .is_some_and(|value| !value.is_null())
        };
        missing(
            object
                .fields
                .iter()
                .filter(|field| field.required() && !present(field)),
        )
    }

    /// A required field cannot be cleared later either.
    pub(super) fn still_required(&self, object: &Object) -> Result<(), Refusal> {
        let cleared = |field: &&Field| {
            !field.nillable && self.values.get(&field.name).is_some_and(Value::is_null)
        };
        missing(object.fields.iter().filter(cleared))
    }

    /// The rules of audit fields (Salesforce object reference, section 1.3).
    pub(super) fn audit(&self, ctx: &Ctx<'_>) -> Result<(), Refusal> {
        let at = |name: &str| self.text(name).and_then(moment);
        let (created, modified) = (at("CreatedDate"), at("LastModifiedDate"));
        for (label, name, date) in [
            ("Created Date", "CreatedDate", created),
            ("Last Modified Date", "LastModifiedDate", modified),
        ] {
            if date.is_some_and(|date| date > ctx.now) {
                let message = format!("{label}: the date lies in the future");
                return Err(Refusal::new("FIELD_INTEGRITY_EXCEPTION", message).on(name));
            }
        }
        let (created, modified) = (created.unwrap_or(ctx.now), modified.unwrap_or(ctx.now));
        if modified < created {
            let message = format!(
                "Last Modified Date({}) before Create Date({})",
                date_time_text(modified),
                date_time_text(created)
            );
            return Err(Refusal::new("FIELD_INTEGRITY_EXCEPTION", message).on("LastModifiedDate"));
        }
        Ok(())
    }
}

fn missing<'f>(fields: impl Iterator<Item = &'f Field>) -> Result<(), Refusal> {
    let names: Vec<String> = fields.map(|field| field.name.clone()).collect();
    if names.is_empty() {
        return Ok(());
    }
    let mut refusal = Refusal::new(
        "REQUIRED_FIELD_MISSING",
        format!("Required fields are missing: [{}]", names.join(", ")),
    );
    refusal.fields = names;
    Err(refusal)
}

fn cannot_write(names: Vec<String>) -> Refusal {
    let message = format!(
        "Unable to create/update fields: {}. Please check the security settings of this field and verify that it is \
         read/write for your profile or permission set.",
        names.join(", ")
    );
    let mut refusal = Refusal::new("INVALID_FIELD_FOR_INSERT_UPDATE", message);
    refusal.fields = names;
    refusal
}

/// Refuses a row that names an audit field of its object.
pub(super) fn no_audit_fields(object: &Object, sent: &Fields) -> Result<(), Refusal> {
    let is_audit = |field: &&Field| {
        AUDIT.contains(&field.name.as_str())
            || (object.name == "Case" && field.name == "ClosedDate")
    };
    let named: Vec<String> = sent
        .keys()
        .filter_map(|name| object.field(name))
        .filter(is_audit)
        .map(|field| field.name.clone())
        .collect();
    if named.is_empty() {
        Ok(())
    } else {
        Err(cannot_write(named))
    }
}

fn id_list(field: &Field, value: &Value) -> Result<Vec<String>, Refusal> {
    let wrong = || {
        let message = format!("{}: a list of ids is expected", field.name);
        Refusal::new("INVALID_TYPE_ON_FIELD_IN_RECORD", message).on(&field.name)
    };
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(ids) => ids
            .iter()
            .map(|id| id.as_str().map(str::to_owned).ok_or_else(wrong))
            .collect(),
        _ => Err(wrong()),
    }
}

/// Refuses a value that a unique field of another row has.
pub(super) fn unique(
    ctx: &Ctx<'_>,
    object: &Object,
    values: &Fields,
    own: Option<i64>,
) -> Result<(), Refusal> {
    for field in object.fields.iter().filter(|field| field.unique) {
        let Some(key) = values
            .get(&field.name)
            .and_then(|value| store::index_key(field, value))
        else {
            continue;
        };
        let taken = store::find(ctx.db, object, field, &key)?;
        let Some(other) = taken.into_iter().find(|number| Some(*number) != own) else {
            continue;
        };
        if let (knowledge::VERSION, Some(own)) = (object.name.as_str(), own)
            && knowledge::shares_address(ctx, own, other)?
        {
            continue;
        }
        if object.name == "User" && field.name == "Username" {
            let message = "Duplicate Username.<br>The username already exists in this or another Salesforce organization.";
            return Err(Refusal::new("DUPLICATE_USERNAME", message).on("Username"));
        }
        let id = ctx.id(object, other);
        let message = format!(
            "duplicate value found: {} duplicates value on record with id: {}",
            field.name,
            &id[..15]
        );
        return Err(Refusal::new("DUPLICATE_VALUE", message));
    }
    Ok(())
}
