//! Objects that people of the source defined themselves.

use serde::{Deserialize, Serialize};

use super::Meta;
use crate::key::{RecordKey, RecordKind};

/// The definition of a custom object of the source. Its fields are [`FieldDefinition`](super::FieldDefinition)s that name it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ObjectDefinition {
    /// Key, times, custom values.
    pub meta: Meta,
    /// The stable name by which records name it.
    pub name: String,
    /// What people see.
    pub title: String,
    /// What people see of several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plural: Option<String>,
    /// What its records point to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub relations: Vec<RelationDefinition>,
    /// Whether it is still in use at the source.
    pub active: bool,
}

/// What records of a custom object point to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RelationDefinition {
    /// The stable name by which [`Relation`]s name it.
    pub field: String,
    /// What people see.
    pub title: String,
    /// How strong it is.
    pub kind: RelationKind,
    /// The kind of record it points to.
    pub to: RecordKind,
    /// The custom object it points to, where `to` is [`RecordKind::ObjectRecord`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<RecordKey>,
}

/// How strong a relation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RelationKind {
    /// Points to one record that stands for itself.
    Lookup,
    /// Points to the one record without which it cannot be.
    Owned,
    /// Many on both sides.
    Many,
}

/// A record of a custom object. Its values are its custom values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ObjectRecord {
    /// Key, times, and its values as custom values.
    pub meta: Meta,
    /// The object it is one of.
    pub object: RecordKey,
    /// What people call it; may be empty.
    #[serde(default)]
    pub name: String,
    /// What it points to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub relations: Vec<Relation>,
}

/// One record that a record points to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relation {
    /// The relation's name.
    pub field: String,
    /// The record.
    pub to: RecordKey,
}
