//! What an answer that is no success means (Trengo reference, section 1.3).

use deskferry_core::http::{Judgement, Response};
use deskferry_core::{Error, ErrorKind};
use serde_json::Value;

use crate::wire::Row;

/// How much of what Trengo said is shown, in characters.
const LONGEST: usize = 300;

/// Trengo says 200 and nothing, or 200 and a page of HTML, when it means "not now": a list never answers so.
pub(super) fn judge(response: &Response) -> Judgement {
    let is_html = response
        .header("content-type")
        .is_some_and(|kind| kind.to_ascii_lowercase().contains("text/html"));
    let is_blank = response.body.iter().all(u8::is_ascii_whitespace);
    match response.status {
        200 if is_blank || is_html => Judgement::Retry(None),
        _ => Judgement::by_status(response),
    }
}

/// What Trengo said, in any of the three shapes of its errors.
fn said(body: &[u8]) -> String {
    let Ok(body) = serde_json::from_slice::<Value>(body) else {
        return String::new();
    };
    let row = Row(&body);
    let mut words: Vec<String> = Vec::new();
    for name in ["message", "errors", "error"] {
        collect(row.get(name), "", &mut words);
    }
    let text = words.join("; ");
    match text.char_indices().nth(LONGEST) {
        None => text,
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

fn collect(value: Option<&Value>, field: &str, words: &mut Vec<String>) {
    match value {
        Some(Value::String(text)) if !text.trim().is_empty() => {
            let line = if field.is_empty() {
                text.trim().to_owned()
            } else {
                format!("{field}: {}", text.trim())
            };
            if !words.contains(&line) {
                words.push(line);
            }
        }
        Some(Value::Array(items)) => {
            for item in items {
                collect(Some(item), field, words);
            }
        }
        Some(Value::Object(members)) => {
            for (name, item) in members {
                collect(Some(item), name, words);
            }
        }
        _ => {}
    }
}

/// A token that was refused is never shown again: it may have been revoked while the read went on.
pub(super) fn refused_token(operation: &'static str) -> Error {
    Error::new(
        ErrorKind::Credentials,
        operation,
        "Trengo does not accept the token: it is wrong, or was revoked",
    )
    .with("status", 401)
    .advise("Make a new one under Settings > Apps & Integrations > REST API, set TRENGO_TOKEN, and run `resume`: nothing is lost")
}

/// The error that an answer means.
pub(super) fn refusal(operation: &'static str, response: &Response) -> Error {
    let said = said(&response.body);
    let said = if said.is_empty() {
        response.text_snippet()
    } else {
        said
    };
    let kind = match response.status {
        401 => return refused_token(operation),
        403 => {
            return Error::new(
                ErrorKind::Forbidden,
                operation,
                format!("the token's user may not read this: {said}"),
            )
            .with("status", 403)
            .advise("Use the token of an administrator who is in every team and channel");
        }
        404 | 410 => ErrorKind::NotFound,
        405 => ErrorKind::Unsupported,
        429 => ErrorKind::RateLimited,
        500..=599 => ErrorKind::Unavailable,
        // A page that sends to a login is no API: a wrong host.
        300..=399 => ErrorKind::NoSuchInstance,
        _ => ErrorKind::Refused,
    };
    Error::new(
        kind,
        operation,
        format!("Trengo answered {}: {said}", response.status),
    )
    .with("status", response.status)
}

#[cfg(test)]
mod tests {
    use super::*;
    use deskferry_core::http::Headers;

    fn answer(status: u16, kind: &str, body: &str) -> Response {
        Response::new(
            status,
            Headers::new([("Content-Type", kind)]),
            body.to_owned(),
        )
    }

    #[test]
    fn errors_are_understood_in_three_shapes_and_in_none() {
        let json = "application/json";
        for (body, kind, says) in [
            (
                r#"{"message":"The given data was invalid.","errors":{"channel_id":["The channel id field is required."]}}"#,
                json,
                "channel_id: The channel id",
            ),
            (
                r#"{"message":"No query results.","errors":[]}"#,
                json,
                "No query results.",
            ),
            (
                r#"{"message":"Wrong.","errors":["one","two"]}"#,
                json,
                "Wrong.; one; two",
            ),
            (r#"{"error":true,"message":["a","b"]}"#, json, "a; b"),
            (
                "<html><body>Not <b>found</b></body></html>",
                "text/html",
                "found",
            ),
            ("", json, "422"),
        ] {
            let error = refusal("list tickets", &answer(422, kind, body));
            assert_eq!(error.kind(), ErrorKind::Refused, "{body}");
            assert!(error.to_string().contains(says), "{body}: {error}");
        }
    }

    #[test]
    fn the_status_decides_what_is_done() {
        for (status, kind, advice) in [
            (401, ErrorKind::Credentials, "new one"),
            (403, ErrorKind::Forbidden, "administrator"),
            (404, ErrorKind::NotFound, ""),
            (405, ErrorKind::Unsupported, ""),
            (422, ErrorKind::Refused, ""),
            (429, ErrorKind::RateLimited, ""),
            (503, ErrorKind::Unavailable, ""),
            (302, ErrorKind::NoSuchInstance, ""),
        ] {
            let error = refusal(
                "list tickets",
                &answer(status, "application/json", r#"{"message":"x"}"#),
            );
            assert_eq!(error.kind(), kind, "{status}");
            assert!(
                error.advice().unwrap_or_default().contains(advice),
                "{status}"
            );
        }
    }

    #[test]
    fn an_empty_200_and_a_page_of_html_are_asked_for_again() {
        let json = "application/json";
        for (status, kind, body, again) in [
            (200, json, "", true),
            (200, json, " \n", true),
            (200, "text/html; charset=utf-8", "<html></html>", true),
            (200, json, "[]", false),
            (429, "text/html", "<html>Too Many Attempts</html>", true),
            (404, json, "", false),
            (502, "text/html", "<html></html>", true),
        ] {
            let judged = judge(&answer(status, kind, body));
            assert_eq!(judged == Judgement::Retry(None), again, "{status} {body}");
        }
    }
}
