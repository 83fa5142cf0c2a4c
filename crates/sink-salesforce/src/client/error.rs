//! What the platform says when it refuses (Salesforce APIs, section 3).

use deskferry_core::error::{Error, ErrorKind, Retry};
use deskferry_core::http::Response;
use serde::Deserialize;
use serde_json::Value;

use super::codes::{Code, nested};

/// One refusal: a code, a text and the fields it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) fields: Vec<String>,
}

/// What a refusal means for the row, the call or the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// The session ended.
    Session,
    /// An allowance is used up: the run must stop.
    Quota,
    /// Too many long calls at once: wait.
    Busy,
    /// Somebody else holds the row: later, apart from the others.
    Locked,
    /// May pass by itself.
    Transient,
    /// The row was fine, another one was not: send it again without that one.
    Derived,
    /// A unique value is taken.
    Duplicate,
    /// A duplicate rule blocks it.
    DuplicateRule,
    /// Code of the org failed, maybe because of another row of the call.
    Automation,
    /// The call is too large.
    Size,
    /// The row itself is not acceptable.
    Row,
}

impl Refusal {
    pub(crate) fn class(&self) -> Class {
        match Code::of(&self.code).map_or(Class::Row, Code::class) {
            // Automation wraps the real reason: look inside before judging (section 3.3). What may pass by itself is tried again;
            // any other reason is of the rows that the code of the org wrote, which are not ours to judge.
            Class::Automation => match nested(&self.message).map(Code::class) {
                Some(class @ (Class::Locked | Class::Transient)) => class,
                _ => Class::Automation,
            },
            Class::Quota if self.message.contains("Concurrent") => Class::Busy,
            class => class,
        }
    }

    /// Whether it is about our own key: the row stands already.
    pub(crate) fn is_our_key(&self) -> bool {
        let names_it = self.message.contains("Source_Key__c")
            || self.fields.iter().any(|f| f == "Source_Key__c");
        self.class() == Class::Duplicate && names_it
    }
}

#[derive(Deserialize)]
struct Wire {
    #[serde(alias = "statusCode", alias = "errorCode", alias = "error")]
    code: Option<Value>,
    #[serde(alias = "error_description")]
    message: Option<String>,
    #[serde(default)]
    fields: Option<Vec<String>>,
}

impl From<Wire> for Refusal {
    fn from(wire: Wire) -> Self {
        let code = match wire.code {
            Some(Value::String(code)) => code,
            Some(other) => other.to_string(),
            None => "UNKNOWN".to_owned(),
        };
        Self {
            code,
            message: wire.message.unwrap_or_default(),
            fields: wire.fields.unwrap_or_default(),
        }
    }
}

/// The refusals of a JSON value: an array or one object, by either name of the code.
pub(crate) fn refusals(value: Value) -> Vec<Refusal> {
    let list = match value {
        Value::Array(list) => list,
        object @ Value::Object(_) => vec![object],
        _ => return Vec::new(),
    };
    list.into_iter()
        .filter_map(|v| serde_json::from_value::<Wire>(v).ok())
        .map(Refusal::from)
        .collect()
}

/// The first refusal of an answer that is an error, if it is JSON.
pub(crate) fn refusal_of(response: &Response) -> Option<Refusal> {
    refusals(serde_json::from_slice(&response.body).ok()?)
        .into_iter()
        .next()
}

/// An answer that is an error, for people.
pub(crate) fn error_of(
    response: &Response,
    operation: impl Into<std::borrow::Cow<'static, str>>,
) -> Error {
    match refusal_of(response) {
        Some(refusal) => refused(response.status, &refusal, operation),
        None => {
            let said = format!(
                "status {}, which is no answer of the API: {}",
                response.status,
                response.text_snippet()
            );
            let (kind, advice) = match response.status {
                500..=599 => (
                    ErrorKind::Unavailable,
                    "The org may be in maintenance; run `resume` later",
                ),
                _ => (ErrorKind::NoSuchInstance, "Check the org's address"),
            };
            Error::new(kind, operation, said)
                .with("status", response.status)
                .advise(advice)
        }
    }
}

/// A refusal of a whole call, for people.
pub(crate) fn refused(
    status: u16,
    refusal: &Refusal,
    operation: impl Into<std::borrow::Cow<'static, str>>,
) -> Error {
    let (kind, advice) = advice(status, refusal);
    let error = Error::new(
        kind,
        operation,
        format!("{}: {}", refusal.code, refusal.message),
    )
    .with("status", status);
    let error = if kind == ErrorKind::Unavailable {
        error.retry(Retry::Later)
    } else {
        error
    };
    if advice.is_empty() {
        error
    } else {
        error.advise(advice)
    }
}

fn advice(status: u16, refusal: &Refusal) -> (ErrorKind, &'static str) {
    match (refusal.class(), refusal.code.as_str()) {
        (_, "API_DISABLED_FOR_ORG" | "API_CURRENTLY_DISABLED") => {
            (ErrorKind::Forbidden, "Enable the API for this org and user")
        }
        (_, "STORAGE_LIMIT_EXCEEDED") => (
            ErrorKind::Quota,
            "Make room in the org's storage, then run `resume`",
        ),
        (Class::Quota, _) => (
            ErrorKind::Quota,
            "The org's requests of 24 hours are used up; run `resume` later",
        ),
        (Class::Busy, _) => (
            ErrorKind::RateLimited,
            "Too many long calls at once; run `resume` later",
        ),
        (Class::Session, _) => (
            ErrorKind::Credentials,
            "Check that the user may use the API, and log in anew",
        ),
        (Class::Locked | Class::Transient, _) => (ErrorKind::Unavailable, "Run `resume` later"),
        (_, "UNSUPPORTED_API_VERSION") => (ErrorKind::Mismatch, "Ask for another API version"),
        (_, "NOT_FOUND" | "INVALID_TYPE" | "ENTITY_IS_DELETED") => (ErrorKind::NotFound, ""),
        _ if status == 403 => (ErrorKind::Forbidden, "Give the migration user this right"),
        _ if status == 410 => (
            ErrorKind::Mismatch,
            "The org no longer speaks this API version; ask for a newer one",
        ),
        _ => (ErrorKind::Refused, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deskferry_core::http::Headers;
    use serde_json::json;

    #[test]
    fn refusals_are_read_in_every_shape_that_the_platform_uses() {
        for (body, code) in [
            (
                json!([{"message": "m", "errorCode": "NOT_FOUND"}]),
                "NOT_FOUND",
            ),
            (
                json!([{"message": "m", "statusCode": "DUPLICATE_VALUE", "fields": []}]),
                "DUPLICATE_VALUE",
            ),
            (
                json!({"message": "m", "errorCode": "INVALID_TYPE", "fields": null}),
                "INVALID_TYPE",
            ),
            (
                json!({"error": "invalid_grant", "error_description": "m"}),
                "invalid_grant",
            ),
            (
                json!([{"message": "m", "errorCode": "DUPLICATES_DETECTED", "duplicateResut": {"allowSave": true}}]),
                "DUPLICATES_DETECTED",
            ),
            (
                json!([{"message": "m", "errorCode": "NEW", "extendedErrorDetails": null}]),
                "NEW",
            ),
        ] {
            let refusal = refusals(body).remove(0);
            assert_eq!(
                (refusal.code.as_str(), refusal.message.as_str()),
                (code, "m")
            );
        }
        assert!(refusals(json!("text")).is_empty());
    }

    #[test]
    fn codes_are_judged_by_what_they_mean() {
        for (code, message, class) in [
            (
                "UNABLE_TO_LOCK_ROW",
                "unable to obtain exclusive access",
                Class::Locked,
            ),
            (
                "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
                "trigger: UNABLE_TO_LOCK_ROW, x",
                Class::Locked,
            ),
            (
                "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
                "trigger: NullPointer",
                Class::Automation,
            ),
            (
                "CANNOT_EXECUTE_FLOW_TRIGGER",
                "first error: QUERY_TIMEOUT, x",
                Class::Transient,
            ),
            (
                "APEX_ERROR",
                "System.LimitException: REQUEST_LIMIT_EXCEEDED",
                Class::Automation,
            ),
            (
                "APEX_ERROR",
                "DUPLICATE_VALUE, duplicate value found: Source_Key__c",
                Class::Automation,
            ),
            (
                "REQUEST_LIMIT_EXCEEDED",
                "TotalRequests Limit exceeded.",
                Class::Quota,
            ),
            (
                "REQUEST_LIMIT_EXCEEDED",
                "ConcurrentRequests (Concurrent API Requests) Limit exceeded.",
                Class::Busy,
            ),
            ("ALL_OR_NONE_OPERATION_ROLLED_BACK", "", Class::Derived),
            ("SOMETHING_NEW", "", Class::Row),
        ] {
            let refusal = Refusal {
                code: code.into(),
                message: message.into(),
                fields: Vec::new(),
            };
            assert_eq!(refusal.class(), class, "{code}: {message}");
        }
    }

    #[test]
    fn only_our_own_key_makes_a_duplicate_ours() {
        let refusal = |message: &str| Refusal {
            code: "DUPLICATE_VALUE".into(),
            message: message.into(),
            fields: Vec::new(),
        };
        assert!(
            refusal("duplicate value found: Source_Key__c duplicates value on record with id: 500")
                .is_our_key()
        );
        assert!(
            !refusal("duplicate value found: Serial__c duplicates value on record with id: 500")
                .is_our_key()
        );
    }

    #[test]
    fn a_page_instead_of_an_answer_is_said_so() {
        let html = |status| {
            Response::new(
                status,
                Headers::new([("content-type", "text/html")]),
                "<html>Down for maintenance</html>",
            )
        };
        let error = error_of(&html(503), "list users");
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.to_string().contains("no answer of the API"));
        assert_eq!(
            error_of(&html(404), "list users").kind(),
            ErrorKind::NoSuchInstance
        );
    }
}
