//! Envelopes, pages and errors (Trengo reference, sections 1.3 and 1.4).

use std::collections::HashMap;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use chrono::Utc;
use serde_json::{Value, json};

/// Rows of a page of most lists.
pub(super) const PAGE: usize = 25;
/// Rows of a page of messages.
pub(super) const MESSAGES: usize = 20;
/// Rows of a page of the reporting interface.
pub(super) const REPORTED: usize = 100;

/// Why a read has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Denied {
    NotFound,
    /// No such route, or not in this way: a page of HTML.
    Method,
    Forbidden,
    /// An argument, by name.
    Invalid(&'static str),
}

impl Denied {
    pub(super) fn response(&self) -> Response {
        match self {
            Self::NotFound => json_response(404, &json!({"message": "Not found", "errors": []})),
            Self::Method => html_response(405, "Method Not Allowed"),
            Self::Forbidden => {
                json_response(403, &json!({"message": "This action is unauthorized."}))
            }
            Self::Invalid(name) => json_response(
                422,
                &json!({"message": "The given data was invalid.", "errors": {*name: [format!("The {name} is invalid.")]}}),
            ),
        }
    }
}

/// The page that a request asks for, from 1.
pub(super) fn page_of(query: &HashMap<String, String>) -> usize {
    let page = query.get("page").and_then(|page| page.parse().ok());
    page.unwrap_or(1).max(1)
}

/// The envelope that tells no count.
pub(super) fn simple(rows: Vec<Value>, page: usize, size: usize, more: bool, here: &str) -> Value {
    let begin = (page - 1) * size;
    let at = |page: usize| json!(format!("{here}?page={page}"));
    let count = rows.len();
    json!({
        "data": rows,
        "links": {
            "first": at(1), "last": null,
            "prev": if page > 1 { at(page - 1) } else { Value::Null },
            "next": if more { at(page + 1) } else { Value::Null },
        },
        "meta": {
            "current_page": page, "from": if count > 0 { json!(begin + 1) } else { Value::Null }, "path": here, "per_page": size,
            "to": if count > 0 { json!(begin + count) } else { Value::Null },
        },
    })
}

/// The envelope that tells how many pages and rows there are.
pub(super) fn full(all: Vec<Value>, page: usize, size: usize, here: &str) -> Value {
    let total = all.len();
    let last = total.div_ceil(size).max(1);
    let rows: Vec<Value> = all.into_iter().skip((page - 1) * size).take(size).collect();
    let mut body = simple(rows, page, size, page < last, here);
    body["links"]["last"] = json!(format!("{here}?page={last}"));
    body["meta"]["last_page"] = json!(last);
    body["meta"]["total"] = json!(total);
    body
}

/// A JSON answer with the headers that every answer carries.
pub(super) fn json_response(status: u16, body: &Value) -> Response {
    response(status, "application/json", body.to_string())
}

/// A page of HTML, as its front servers send.
pub(super) fn html_response(status: u16, words: &str) -> Response {
    let page = format!("<!DOCTYPE html><html><body><h1>{words}</h1></body></html>");
    response(status, "text/html; charset=UTF-8", page)
}

fn response(status: u16, kind: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    set(
        &mut response,
        "date",
        &Utc::now().to_rfc2822().replace("+0000", "GMT"),
    );
    response
}

pub(super) fn set(response: &mut Response, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response
            .headers_mut()
            .insert(HeaderName::from_static(name), value);
    }
}
