//! Values and definitions of custom fields.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Meta;
use crate::key::{RecordKey, RecordKind};

/// Custom values by the source's own key of the field (never its title).
pub type CustomValues = BTreeMap<String, CustomValue>;

/// One value, typed as the field's definition says; text where that fails, so that nothing is lost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum CustomValue {
    /// Text.
    Text(String),
    /// A decimal number in plain notation, of any precision.
    Number(String),
    /// Yes or no.
    Bool(bool),
    /// A day without a zone.
    Date(NaiveDate),
    /// A moment.
    DateTime(DateTime<Utc>),
    /// One option, by its text in the source's default language.
    Choice(String),
    /// Several options, in the source's order.
    Choices(Vec<String>),
    /// Anything else.
    Json(Value),
}

impl CustomValue {
    /// The value as JSON for people: text, number, boolean, ISO date or date-time, list of texts.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::Text(text) | Self::Choice(text) => Value::from(text.as_str()),
            Self::Number(text) => {
                serde_json::from_str(text).unwrap_or_else(|_| Value::from(text.as_str()))
            }
            Self::Bool(value) => Value::from(*value),
            Self::Date(day) => Value::from(day.to_string()),
            Self::DateTime(time) => {
                Value::from(time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
            }
            Self::Choices(list) => Value::from(list.clone()),
            Self::Json(value) => value.clone(),
        }
    }
}

/// The definition of a custom field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldDefinition {
    /// Key, times, custom values.
    pub meta: Meta,
    /// The kind of record that carries the field.
    pub of: RecordKind,
    /// The custom object whose records carry it, where `of` is [`RecordKind::ObjectRecord`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<RecordKey>,
    /// The stable key by which values are found.
    pub field: String,
    /// What people see.
    pub title: String,
    /// What it holds.
    pub holds: FieldType,
    /// The source's word for the type.
    pub raw_type: String,
    /// The texts of its options, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// Whether it is still in use at the source.
    pub active: bool,
}

/// What a custom field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FieldType {
    /// One line of text.
    Text,
    /// Text of any length.
    LongText,
    /// A number.
    Number,
    /// Yes or no.
    Bool,
    /// A day.
    Date,
    /// A moment.
    DateTime,
    /// One of the options.
    Choice,
    /// Several of the options.
    Choices,
    /// A file.
    File,
    /// A type this model does not know.
    Other,
}
