//! Values, and what makes one right.

use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Holds, Setting};
use crate::http::SecretString;

/// A value as a file or a variable has it.
#[derive(Clone)]
pub(super) enum Raw {
    /// Of a variable, or a text of a file.
    Text(String),
    /// A whole number of a file.
    Number(u64),
    /// A number with decimals, of a file.
    Decimal(f64),
    /// Of a file.
    Switch(bool),
    /// Of a file, resolved.
    Path(PathBuf),
    /// What no setting holds: a date, a list, a table, a negative number.
    Other,
}

/// What it holds may be a secret that stands where it should not.
impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A checked value.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(String),
    Number(u64),
    Percent(f64),
    Switch(bool),
    Path(PathBuf),
    Secret(SecretString),
}

impl Value {
    /// Answers what would be right where this is not.
    pub(super) fn of(setting: &Setting, raw: Raw) -> Result<Self, String> {
        match setting.holds {
            Holds::Text => match raw {
                Raw::Text(text) => Ok(Self::Text(text)),
                _ => Err("a text in quotes".to_owned()),
            },
            Holds::Contents => match raw {
                Raw::Text(text) => Ok(Self::Text(text)),
                _ => Err("a text".to_owned()),
            },
            Holds::Secret => match raw {
                Raw::Text(text) => Ok(Self::Secret(SecretString::new(text))),
                _ => Err("a text".to_owned()),
            },
            Holds::Path => match raw {
                Raw::Text(text) => Ok(Self::Path(text.into())),
                Raw::Path(path) => Ok(Self::Path(path)),
                _ => Err("the name of a file or folder in quotes".to_owned()),
            },
            Holds::Switch => match &raw {
                Raw::Switch(on) => Ok(Self::Switch(*on)),
                Raw::Text(text) => match text.as_str() {
                    "true" => Ok(Self::Switch(true)),
                    "false" => Ok(Self::Switch(false)),
                    _ => Err("`true` or `false`".to_owned()),
                },
                _ => Err("`true` or `false`".to_owned()),
            },
            Holds::Number { least, most } => {
                number(&raw, least, most).ok_or_else(|| bounds(least, most))
            }
            Holds::NumberOr { least, most, word } => match &raw {
                Raw::Text(text) if text == word => Ok(Self::Text(text.clone())),
                _ => number(&raw, least, most)
                    .ok_or_else(|| format!("{}, or `{word}`", bounds(least, most))),
            },
            Holds::OneOf(words) => match &raw {
                Raw::Text(text) if words.contains(&text.as_str()) => Ok(Self::Text(text.clone())),
                _ => Err(format!("`{}`", words.join("` or `"))),
            },
            Holds::Percent => {
                percent(&raw).ok_or_else(|| "a share in percent, from 0 to 100".to_owned())
            }
        }
    }

    pub(super) fn of_contents(setting: &Setting, text: String) -> Self {
        match setting.holds {
            Holds::Secret => Self::Secret(SecretString::new(text)),
            _ => Self::Text(text),
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn number(&self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    pub(super) fn percent(&self) -> Option<f64> {
        match self {
            Self::Percent(share) => Some(*share),
            _ => None,
        }
    }

    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::Path(path) => Some(path),
            _ => None,
        }
    }

    /// For serde, secrets in the clear: never shown, never kept.
    pub(super) fn json(&self) -> serde_json::Value {
        match self {
            Self::Text(text) => json!(text),
            Self::Number(number) => json!(number),
            Self::Percent(share) => json!(share),
            Self::Switch(on) => json!(on),
            Self::Path(path) => json!(path),
            Self::Secret(secret) => json!(secret.expose()),
        }
    }
}

fn number(raw: &Raw, least: u64, most: u64) -> Option<Value> {
    let number = match raw {
        Raw::Number(number) => *number,
        Raw::Text(text) => text.parse().ok()?,
        _ => return None,
    };
    (least..=most)
        .contains(&number)
        .then_some(Value::Number(number))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "what is too large is out of bounds"
)]
fn percent(raw: &Raw) -> Option<Value> {
    let share = match raw {
        Raw::Number(number) => *number as f64,
        Raw::Decimal(share) => *share,
        Raw::Text(text) => text.parse().ok()?,
        _ => return None,
    };
    (0.0..=100.0)
        .contains(&share)
        .then_some(Value::Percent(share))
}

fn bounds(least: u64, most: u64) -> String {
    if most == u64::MAX {
        format!("a whole number from {least} on")
    } else {
        format!("a whole number from {least} to {most}")
    }
}
