//! Envelopes, pages and errors (Kayako reference, sections 3 to 5).

use std::collections::HashMap;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use chrono::Utc;
use serde_json::{Map, Value, json};

use super::auth::Refusal;
use super::setup::time;

/// The largest page; a greater `limit` is clipped to it and the clipped value echoed.
const LARGEST_PAGE: usize = 100;
const USUAL_PAGE: usize = 10;

/// What a page of a list needs to know of the request.
pub(super) struct Place {
    pub(super) offset: usize,
    pub(super) limit: usize,
}

/// Reads `offset` and `limit`.
pub(super) fn place(query: &HashMap<String, String>) -> Result<Place, Denied> {
    let number = |name: &str, usual: usize| match query.get(name) {
        None => Ok(usual),
        Some(text) => text.parse::<usize>().map_err(|_| Denied::field(name)),
    };
    let limit = match number("limit", USUAL_PAGE)? {
        0 => return Err(Denied::field("limit")),
        limit => limit.min(LARGEST_PAGE),
    };
    Ok(Place {
        offset: number("offset", 0)?,
        limit,
    })
}

/// One object.
pub(super) fn one(kind: &str, data: Value) -> Value {
    json!({"status": 200, "data": data, "resource": kind})
}

/// A list that knows no pages.
pub(super) fn all(kind: &str, data: Vec<Value>) -> Value {
    json!({"status": 200, "total_count": data.len(), "data": data, "resource": kind})
}

/// One page of a list that is walked by offset. `here` is the address of the list without its query.
pub(super) fn page(
    kind: &str,
    data: Vec<Value>,
    total: usize,
    place: &Place,
    here: &str,
    query: &HashMap<String, String>,
) -> Value {
    let mut body = json!({
        "status": 200, "data": data, "resource": kind, "offset": place.offset, "limit": place.limit, "total_count": total,
    });
    let at = |offset: usize| {
        let offset = offset.to_string();
        address(
            here,
            query,
            &[
                ("offset", offset.as_str()),
                ("limit", &place.limit.to_string()),
            ],
        )
    };
    if total > 0 {
        body["first_url"] = at(0).into();
        body["last_url"] = at((total - 1) / place.limit * place.limit).into();
    }
    if place.offset > 0 {
        body["previous_url"] = at(place.offset.saturating_sub(place.limit)).into();
    }
    if place.offset + place.limit < total {
        body["next_url"] = at(place.offset + place.limit).into();
    }
    body
}

/// The address of a list with some arguments changed; credentials are left out.
pub(super) fn address(
    here: &str,
    query: &HashMap<String, String>,
    changed: &[(&str, &str)],
) -> String {
    let dropped = [
        "offset",
        "limit",
        "after_id",
        "before_id",
        "_session_id",
        "access_token",
    ];
    let mut kept: Vec<_> = query
        .iter()
        .filter(|(name, _)| !dropped.contains(&name.as_str()))
        .collect();
    kept.sort();
    let mut pairs = url::form_urlencoded::Serializer::new(String::new());
    pairs.extend_pairs(kept);
    pairs.extend_pairs(changed);
    format!("{here}?{}", pairs.finish())
}

/// A JSON answer with the headers that every answer of the API carries.
pub(super) fn json_response(status: u16, body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    // Codes such as 454 and 490 have no name but are valid.
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json; charset=utf-8"),
    );
    headers.insert("x-api-version", HeaderValue::from_static("1"));
    set(&mut response, "date-iso", &time(Utc::now()));
    if let Some(next) = body.get("next_url").and_then(Value::as_str) {
        set(&mut response, "link", &format!("<{next}>; rel=\"next\""));
    }
    response
}

pub(super) fn set(response: &mut Response, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response
            .headers_mut()
            .insert(HeaderName::from_static(name), value);
    }
}

pub(super) fn error(status: u16, code: &str, extra: Vec<(&'static str, Value)>) -> Response {
    let mut body = Map::new();
    body.insert("status".into(), status.into());
    body.insert(
        "errors".into(),
        json!([{"code": code, "message": message(code), "more_info": more_info(code)}]),
    );
    body.extend(
        extra
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value)),
    );
    json_response(status, &Value::Object(body))
}

pub(super) fn refused(refusal: Refusal) -> Response {
    let mut response = error(refusal.status, refusal.code, refusal.extra);
    if refusal.status == 401 {
        set(
            &mut response,
            "www-authenticate",
            "Basic realm=\"Kayako API\"",
        );
    }
    if let Some(seconds) = refusal.retry_after {
        set(&mut response, "retry-after", &seconds.to_string());
    }
    response
}

/// Why a read has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Denied {
    NotFound,
    /// An argument, by name.
    FieldInvalid(String),
    Permissions,
}

impl Denied {
    pub(super) fn field(name: &str) -> Self {
        Self::FieldInvalid(name.to_owned())
    }

    pub(super) fn response(&self) -> Response {
        match self {
            Self::NotFound => error(404, "RESOURCE_NOT_FOUND", Vec::new()),
            Self::Permissions => error(403, "PERMISSIONS_DENIED", Vec::new()),
            Self::FieldInvalid(parameter) => {
                let code = "FIELD_INVALID";
                let row = json!({"code": code, "parameter": parameter, "message": message(code), "more_info": more_info(code)});
                json_response(400, &json!({"status": 400, "errors": [row]}))
            }
        }
    }
}

fn more_info(code: &str) -> String {
    format!("https://developer.kayako.com/api/v1/reference/errors/{code}")
}

/// Texts of our own: clients must match on codes.
fn message(code: &str) -> &'static str {
    match code {
        "AUTHORIZATION_REQUIRED" => "This resource needs a login.",
        "AUTHENTICATION_FAILED" => "The login was not accepted.",
        "AUTHENTICATION_LOCKED" => "Too many wrong logins; the account is locked for a while.",
        "OTP_EXPECTED" => "A one-time password is needed.",
        "CREDENTIAL_EXPIRED" => "The password has expired and must be changed.",
        "SESSION_LOADING_FAILED" => "The session could not be loaded.",
        "RATE_LIMIT_REACHED" => "Too many requests.",
        "PERMISSIONS_DENIED" => "The account may not do this.",
        "RESOURCE_NOT_FOUND" => "There is nothing here.",
        "FIELD_INVALID" => "An argument has a value that is not allowed.",
        _ => "The request could not be done.",
    }
}
