//! Refusals in the platform's own words.

use serde_json::{Value, json};

/// What the org answers instead of doing it: an HTTP status, a code that clients branch on, a sentence, the fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) fields: Vec<String>,
    /// What was found by a duplicate rule.
    pub(crate) duplicates: Option<Value>,
}

impl Refusal {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: 400,
            code,
            message: message.into(),
            fields: Vec::new(),
            duplicates: None,
        }
    }

    pub(crate) fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub(crate) fn on(mut self, field: &str) -> Self {
        self.fields.push(field.to_owned());
        self
    }

    pub(crate) fn not_found() -> Self {
        Self::new("NOT_FOUND", "The requested resource does not exist").with_status(404)
    }

    /// A failure of the stand-in itself, such as a full disk.
    pub(crate) fn broken(what: impl std::fmt::Display) -> Self {
        Self::new("UNKNOWN_EXCEPTION", format!("the local org failed: {what}")).with_status(500)
    }

    /// As one element of a plain REST error: `errorCode`.
    pub(crate) fn as_rest(&self) -> Value {
        let mut error = json!({"message": self.message, "errorCode": self.code});
        if !self.fields.is_empty() {
            error["fields"] = json!(self.fields);
        }
        if let Some(duplicates) = &self.duplicates {
            // The platform spells it so.
            error["duplicateResut"] = duplicates.clone();
        }
        error
    }

    /// As one element of a collection's row: `statusCode`.
    pub(crate) fn as_row(&self) -> Value {
        let mut error =
            json!({"statusCode": self.code, "message": self.message, "fields": self.fields});
        if let Some(duplicates) = &self.duplicates {
            error["duplicateResult"] = duplicates.clone();
        }
        error
    }
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        Self::broken(error)
    }
}

impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Self {
        Self::broken(error)
    }
}

impl From<serde_json::Error> for Refusal {
    fn from(error: serde_json::Error) -> Self {
        Self::broken(error)
    }
}
