//! Klasses and their records (Kustomer reference, section 3.10).

use deskferry_core::RecordKind;
use deskferry_core::model::{
    ObjectDefinition, ObjectRecord, Relation, RelationDefinition, RelationKind,
};
use serde_json::Value;

use super::{Ground, keep};
use crate::wire::{Defect, Row, ids_in, text_of};

/// Where an attribute of a klass leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    field: String,
    title: String,
    to: RecordKind,
    /// The klass, where it leads to one.
    klass: Option<String>,
    many: bool,
}

impl Target {
    /// Attributes of a klass that hold ids of something that is read.
    pub(crate) fn all(properties: &Row) -> Vec<Self> {
        let all = properties.value("properties").and_then(Value::as_object);
        all.into_iter()
            .flatten()
            .filter_map(|(name, property)| Self::of(name, property))
            .collect()
    }

    /// The klass that it leads to, where it does.
    pub(crate) fn klass(&self) -> Option<&str> {
        self.klass.as_deref()
    }

    fn of(name: &str, property: &Value) -> Option<Self> {
        let target = property.get("target").and_then(text_of)?;
        let klass = target.strip_prefix("kobject.").map(str::to_owned);
        let to = match target {
            "customer" => RecordKind::Contact,
            "company" => RecordKind::Account,
            "conversation" => RecordKind::Conversation,
            "user" => RecordKind::Agent,
            "team" => RecordKind::Team,
            _ if klass.is_some() => RecordKind::ObjectRecord,
            _ => return None,
        };
        let flag = |member: &str| property.get(member).and_then(Value::as_bool) == Some(true);
        Some(Self {
            field: name.to_owned(),
            title: property
                .get("displayName")
                .and_then(text_of)
                .unwrap_or(name)
                .to_owned(),
            to,
            klass,
            many: flag("multi") || flag("array"),
        })
    }
}

/// The name by which everything names a klass; it never changes.
pub(crate) fn klass_name(row: &Row) -> Result<&str, Defect> {
    row.text("name").ok_or_else(|| Defect {
        path: "attributes.name".to_owned(),
        reason: "a klass without a name".to_owned(),
    })
}

/// A klass. Each of its records may belong to a customer and to a company, whatever its attributes say.
pub(crate) fn object_definition(
    ground: &Ground<'_>,
    row: &Row,
    targets: &[Target],
) -> Result<ObjectDefinition, Defect> {
    let name = klass_name(row)?;
    let mut meta = ground.meta(RecordKind::ObjectDefinition, row, "klass")?;
    meta.key = ground.key(RecordKind::ObjectDefinition, name);
    keep(
        &mut meta.custom,
        row,
        &[
            "status",
            "mixins",
            "icon",
            "color",
            "klassSchema",
            "appVersion",
        ],
    );
    let own = [
        ("customer", "Customer", RecordKind::Contact),
        ("company", "Company", RecordKind::Account),
    ];
    let own = own.map(|(field, title, to)| RelationDefinition {
        field: field.to_owned(),
        title: title.to_owned(),
        kind: RelationKind::Lookup,
        to,
        object: None,
    });
    let by_attribute = targets.iter().map(|target| RelationDefinition {
        field: target.field.clone(),
        title: target.title.clone(),
        // Nothing says that a record cannot be without another, so nothing is owned.
        kind: match target.many {
            true => RelationKind::Many,
            false => RelationKind::Lookup,
        },
        to: target.to,
        object: target
            .klass
            .as_ref()
            .map(|klass| ground.key(RecordKind::ObjectDefinition, klass)),
    });
    Ok(ObjectDefinition {
        meta,
        name: name.to_owned(),
        title: row
            .text("displayName")
            .or_else(|| row.text("displayname"))
            .unwrap_or(name)
            .to_owned(),
        plural: None,
        relations: own.into_iter().chain(by_attribute).collect(),
        active: row.text("status").is_none_or(|status| status == "enabled"),
    })
}

/// A record of a klass. Attributes that lead somewhere are relations, and no values beside.
pub(crate) fn object_record(
    ground: &Ground<'_>,
    klass: &str,
    row: &Row,
    targets: &[Target],
) -> Result<ObjectRecord, Defect> {
    let mut meta = ground.meta(RecordKind::ObjectRecord, row, &format!("kobject.{klass}"))?;
    keep(
        &mut meta.custom,
        row,
        &[
            "externalId",
            "description",
            "data",
            "images",
            "status",
            "subStatus",
            "s3DataUrl",
            "attribution",
            "deleted",
        ],
    );
    let mut relations = Vec::new();
    for (field, kind) in [
        ("customer", RecordKind::Contact),
        ("company", RecordKind::Account),
    ] {
        relations.extend(row.related(field).map(|id| Relation {
            field: field.to_owned(),
            to: ground.key(kind, id),
        }));
    }
    for target in targets {
        let Some(value) = row.custom().and_then(|custom| custom.get(&target.field)) else {
            continue;
        };
        let values = match value {
            Value::Array(all) => all.as_slice(),
            one => std::slice::from_ref(one),
        };
        relations.extend(ids_in(values).map(|id| Relation {
            field: target.field.clone(),
            to: ground.key(target.to, id),
        }));
        meta.custom.remove(&target.field);
    }
    Ok(ObjectRecord {
        meta,
        object: ground.key(RecordKind::ObjectDefinition, klass),
        name: row.text("title").unwrap_or_default().to_owned(),
        relations,
    })
}
