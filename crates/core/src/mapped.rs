//! A target whose fields are filled by a mapping that people can see, change and confirm.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::error::Result;
use crate::key::{RecordKey, RecordKind};
use crate::model::{FieldType, Record};

/// A target that says which of its fields are filled from what. Reads only.
#[async_trait]
pub trait Mapped: Send + Sync {
    /// The fields of the target that a load could fill, with whether a line fills them already.
    async fn offers(&self, cx: &Context) -> Result<Vec<Offer>>;

    /// Values that the mapping would write and that the target's lists do not have.
    async fn unknown_values(&self, cx: &Context) -> Result<Vec<UnknownValue>>;

    /// The lines of the mapping, in its order.
    fn lines(&self) -> Vec<MappedLine>;

    /// What these records say, line by line, before and after the mapping. Nothing for records that no line is about.
    async fn preview(&self, cx: &Context, records: &[Record]) -> Result<Vec<Preview>>;

    /// The mapping file's text with these changes; everything else of it stays as it is, comments too.
    ///
    /// # Errors
    /// `Config` when a change fits no place of the text.
    fn edited(&self, text: &str, changes: &[Change]) -> Result<String>;
}

/// A field of the target that could be filled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Offer {
    /// The kind of record from which rows of its object are made.
    pub of: RecordKind,
    /// The object.
    pub object: String,
    /// The field, by the name that the mapping uses.
    pub field: String,
    /// What people see of it.
    pub label: String,
    /// What it holds.
    pub holds: FieldType,
    /// The most characters; 0 where that is no question.
    pub length: usize,
    /// Its list, where it has one.
    pub values: Vec<String>,
    /// Whether a row without it is refused.
    pub required: bool,
    /// Whether it is not the platform's own.
    pub custom: bool,
    /// Whether a line of the mapping fills it.
    pub taken: bool,
}

/// One line of a mapping.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappedLine {
    /// The object.
    pub object: String,
    /// The field.
    pub field: String,
    /// What fills it: a fact by name, or `custom.<key>`.
    pub from: String,
}

/// A value that a mapping would write and that the target's list does not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnknownValue {
    /// The object.
    pub object: String,
    /// The field.
    pub field: String,
    /// The meaning, as the mapping names it (`open`, `label:Our own word`).
    pub meaning: String,
    /// The value that the mapping says now.
    pub becomes: String,
    /// The values that the list has.
    pub offered: Vec<String>,
}

/// A line of the mapping applied to a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preview {
    /// The object.
    pub object: String,
    /// The field.
    pub field: String,
    /// What fills it.
    pub from: String,
    /// The record.
    pub key: RecordKey,
    /// What the record says.
    pub before: String,
    /// What the row gets.
    pub after: String,
    /// What people should know: that it is cut, or does not fit and is kept beside the fields.
    pub note: String,
}

/// A change of a mapping file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// A line more.
    Add {
        /// The object.
        object: String,
        /// The field.
        field: String,
        /// What fills it.
        from: String,
        /// How the field is made, where the target does not have it yet.
        create: Option<NewField>,
    },
    /// Another value for a meaning.
    Value {
        /// The object.
        object: String,
        /// The field.
        field: String,
        /// The meaning.
        meaning: String,
        /// The value.
        becomes: String,
    },
    /// A line less.
    Remove {
        /// The object.
        object: String,
        /// The field.
        field: String,
    },
}

/// A field that the target does not have yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewField {
    /// What people see of it.
    pub label: String,
    /// What it holds.
    pub holds: FieldType,
    /// Its list, where it has one.
    pub values: Vec<String>,
}
