//! A whole row.

use chrono::{DateTime, Utc};
use deskferry_core::model::CustomValue;
use serde_json::{Map, Value};

use super::value::{list, meant, moment, truth};

/// A row with all its columns.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Row(pub(crate) Map<String, Value>);

impl Row {
    /// The row of a line that was read before.
    pub(crate) fn parse(line: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(line).map(Self)
    }

    /// The text of a column; see [`scalar`](super::scalar).
    pub(crate) fn text(&self, column: &str) -> Option<String> {
        match self.0.get(column)? {
            Value::String(text) => meant(text).map(str::to_owned),
            Value::Number(number) => {
                let text = number.to_string();
                Some(match text.split_once('.') {
                    Some((whole, zeros)) if zeros.bytes().all(|b| b == b'0') => whole.to_owned(),
                    _ => text,
                })
            }
            Value::Bool(value) => Some(value.to_string()),
            _ => None,
        }
    }

    /// The first column of these that has a text.
    pub(crate) fn first(&self, columns: &[&str]) -> Option<String> {
        columns.iter().find_map(|column| self.text(column))
    }

    /// Words as they were said: blanks inside stay, and a blank text is none.
    pub(crate) fn words(&self, column: &str) -> Option<String> {
        match self.0.get(column)? {
            Value::String(text) => meant(text).map(|_| text.clone()),
            _ => self.text(column),
        }
    }

    /// The moment in a column.
    pub(crate) fn time(&self, column: &str) -> Option<DateTime<Utc>> {
        moment(self.0.get(column)?.as_str()?)
    }

    /// Yes or no in a column.
    pub(crate) fn truth(&self, column: &str) -> Option<bool> {
        truth(&self.text(column)?)
    }

    /// A number in a column.
    pub(crate) fn number(&self, column: &str) -> Option<f64> {
        self.text(column)?
            .parse()
            .ok()
            .filter(|number: &f64| number.is_finite())
    }

    /// A list in a column, as JSON or as text.
    pub(crate) fn list(&self, column: &str) -> Vec<String> {
        match self.0.get(column) {
            Some(Value::Array(values)) => values
                .iter()
                .filter_map(|value| match value {
                    Value::String(text) => meant(text).map(str::to_owned),
                    Value::Null => None,
                    other => Some(other.to_string()),
                })
                .collect(),
            _ => self.text(column).map_or_else(Vec::new, |text| list(&text)),
        }
    }

    /// What stands in a column, as it is kept where the model has no field for it.
    pub(crate) fn custom(&self, column: &str) -> Option<CustomValue> {
        Some(match self.0.get(column)? {
            Value::Null => return None,
            Value::Bool(value) => CustomValue::Bool(*value),
            Value::Number(number) => CustomValue::Number(number.to_string()),
            Value::String(text) => {
                let text = meant(text)?;
                match column.ends_with("_ts").then(|| moment(text)).flatten() {
                    Some(time) => CustomValue::DateTime(time),
                    None => CustomValue::Text(text.to_owned()),
                }
            }
            other => CustomValue::Json(other.clone()),
        })
    }
}
