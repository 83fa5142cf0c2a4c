//! What an answer that is no success means. The status decides; codes are not documented (Kustomer reference, section 1.4).

use deskferry_core::http::Response;
use deskferry_core::{Error, ErrorKind};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize, Default)]
#[serde(default)]
struct Failure {
    errors: Vec<Fault>,
}

/// Both shapes of it.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Fault {
    code: Value,
    message: Value,
    detail: Value,
    title: Value,
    source: Value,
}

impl Fault {
    fn said(&self) -> Option<&str> {
        [&self.message, &self.detail, &self.title]
            .into_iter()
            .find_map(Value::as_str)
    }
}

/// The error that an answer means.
pub(super) fn refusal(operation: &'static str, response: &Response) -> Error {
    let failure: Failure = serde_json::from_slice(&response.body).unwrap_or_default();
    let fault = failure.errors.into_iter().next().unwrap_or_default();
    let said = fault.said().map_or_else(
        || response.text_snippet(),
        |said| said.chars().take(200).collect(),
    );
    let error = match response.status {
        401 => Error::new(
            ErrorKind::Credentials,
            operation,
            format!("Kustomer refused the API key ({said})"),
        )
        .advise(
            "A key ends after the days that were chosen for it, works only in the region that made it, and perhaps only from some addresses: check these, or make a new key",
        ),
        402 => Error::new(
            ErrorKind::Forbidden,
            operation,
            format!("the org's plan does not allow this ({said})"),
        ),
        403 => Error::new(
            ErrorKind::Forbidden,
            operation,
            format!("the API key lacks a role for this ({said})"),
        )
        .advise("Roles of a key cannot be changed: make a new key with the roles that `doctor` names"),
        404 | 410 => Error::new(
            ErrorKind::NotFound,
            operation,
            "Kustomer does not have this (any more)",
        ),
        429 => Error::new(
            ErrorKind::RateLimited,
            operation,
            format!("Kustomer asks to slow down ({said})"),
        ),
        500..=599 => Error::new(
            ErrorKind::Unavailable,
            operation,
            format!("Kustomer answered {}: {said}", response.status),
        ),
        status => Error::new(
            ErrorKind::Refused,
            operation,
            format!("Kustomer answered {status}: {said}"),
        ),
    };
    let error = error.with("status", response.status);
    let error = match fault.code.as_str() {
        Some(code) => error.with("code", code),
        None => error,
    };
    match fault.source.as_object().and_then(|one| one.values().next()) {
        Some(parameter) => error.with("parameter", parameter),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deskferry_core::http::Headers;

    #[test]
    fn the_status_decides_and_both_shapes_are_read() {
        let cases = [
            (
                404,
                r#"{"errors":[{"status":404,"source":{"parameter":"externalId"},"code":"notfound","title":"Not Found"}]}"#,
                ErrorKind::NotFound,
                "any more",
            ),
            (
                400,
                r#"{"errors":[{"code":"bad_request","message":"Invalid request body or parameters.","meta":{}}]}"#,
                ErrorKind::Refused,
                "Invalid request body",
            ),
            (
                401,
                r#"{"errors":[{"title":"Expired token"}]}"#,
                ErrorKind::Credentials,
                "Expired token",
            ),
            (403, "", ErrorKind::Forbidden, "role"),
            (402, "[]", ErrorKind::Forbidden, "plan"),
            (503, "<html>busy</html>", ErrorKind::Unavailable, "503"),
            (418, r#"{"errors":"x"}"#, ErrorKind::Refused, "418"),
        ];
        for (status, body, kind, says) in cases {
            let response = Response::new(status, Headers::default(), body);
            let error = refusal("list users", &response);
            assert_eq!(error.kind(), kind, "{status}");
            assert!(error.to_string().contains(says), "{error}");
        }
    }
}
