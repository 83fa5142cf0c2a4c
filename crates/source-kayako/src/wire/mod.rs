//! Kayako's JSON as it comes, read as tolerantly as the reference demands: `null` anywhere but in an id, unknown fields
//! and words, numbers as strings and strings as numbers, `[]` for an empty object.

mod case;
mod centre;
mod common;
mod desk;
pub(crate) mod lenient;

pub(crate) use case::*;
pub(crate) use centre::*;
pub(crate) use common::*;
pub(crate) use desk::*;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

/// What was wrong with a row, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Defect {
    /// The JSON path.
    pub(crate) path: String,
    /// What was wrong there.
    pub(crate) reason: String,
}

/// Decodes one row on its own. The path is looked for only when the row is bad: rows rarely are.
pub(crate) fn decode<T: DeserializeOwned>(row: &RawValue) -> Result<T, Defect> {
    serde_json::from_str(row.get()).map_err(|error| {
        let mut bad = serde_json::Deserializer::from_str(row.get());
        match serde_path_to_error::deserialize::<_, T>(&mut bad) {
            Err(located) => Defect {
                path: located.path().to_string(),
                reason: plain(&located.into_inner()),
            },
            Ok(_) => Defect {
                path: ".".to_owned(),
                reason: plain(&error),
            },
        }
    })
}

/// The reason without the position in the row, which the path says better.
fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

#[cfg(test)]
pub(crate) mod tests;
