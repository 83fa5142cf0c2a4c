//! From a request to an answer.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use chrono::Utc;
use serde_json::Value;

use super::answer::{Denied, error, json_response, refused, set};
use super::auth::Pass;
use super::case::message_of_original;
use super::{Shared, Thing, oauth};
use crate::serve::RouteLabel;
use crate::tamper::tamper;

/// Files leave in pieces of this size, without a length ahead.
const PIECE: usize = 64 * 1024;

/// No request for a token is larger.
const TOKEN_REQUEST: usize = 64 * 1024;

pub(super) async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    let query: HashMap<String, String> =
        url::form_urlencoded::parse(head.uri.query().unwrap_or("").as_bytes())
            .into_owned()
            .collect();
    let base = shared.base(&head.headers);
    let (label, response) = if !shared.options.exists {
        ("no-such-instance".to_owned(), no_such_instance())
    } else if let Some(token) = path
        .strip_prefix("/media/url/")
        .or_else(|| path.strip_prefix("/base/media/url/"))
    {
        ("/media/url/{token}".to_owned(), media(&shared, token))
    } else if let Some(rest) = path.strip_prefix("/api/v1/") {
        let mut query = query;
        if head.method == Method::POST {
            let body = axum::body::to_bytes(body, TOKEN_REQUEST).await;
            query.extend(arguments(&body.unwrap_or_default()));
        }
        let call = Call {
            shared: &shared,
            method: &head.method,
            headers: &head.headers,
            query: &query,
            base: &base,
            path: rest,
        };
        (label(rest), call.answer())
    } else if path == "/oauth/token" && head.method == Method::POST {
        let body = axum::body::to_bytes(body, TOKEN_REQUEST).await;
        let response = oauth::token(&shared, &body.unwrap_or_default());
        ("/oauth/token".to_owned(), response)
    } else if let Some(rest) = path.strip_prefix("/rehearsal/") {
        ("/rehearsal".to_owned(), hook(&shared, &head.method, rest))
    } else {
        (
            "-".to_owned(),
            (StatusCode::NOT_FOUND, "Not found").into_response(),
        )
    };
    let mut response = response;
    response.extensions_mut().insert(RouteLabel(label));
    response
}

/// Numbers of a JSON body: arguments may stand there as well.
fn arguments(body: &[u8]) -> HashMap<String, String> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let members = body.as_object().cloned().unwrap_or_default().into_iter();
    members
        .filter_map(|(name, value)| Some((name, value.as_u64()?.to_string())))
        .collect()
}

/// The path with its numbers taken out.
fn label(path: &str) -> String {
    let pieces = path.trim_end_matches(".json").split('/').map(|piece| {
        if piece.bytes().all(|byte| byte.is_ascii_digit()) {
            "{id}"
        } else {
            piece
        }
    });
    format!("/api/v1/{}", pieces.collect::<Vec<_>>().join("/"))
}

fn no_such_instance() -> Response {
    let page = "<html><body><p>This helpdesk does not exist, or has a temporary problem.</p></body></html>";
    let mut response = Response::new(Body::from(page));
    *response.status_mut() = StatusCode::from_u16(490).unwrap_or(StatusCode::NOT_FOUND);
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    response
}

/// Pictures inside HTML need no login.
fn media(shared: &Shared, token: &str) -> Response {
    match shared.desk.world.image(token).filter(|image| !image.lost) {
        Some(image) => bytes_response(image.content.bytes(), &image.media_type, None),
        None => (StatusCode::NOT_FOUND, "Not found").into_response(),
    }
}

/// `POST /rehearsal/touch/{case}`, `POST /rehearsal/vanish/{case}` and `POST /rehearsal/erase/{person|company|article}/{id}`, for a
/// helpdesk in a process of its own.
fn hook(shared: &Shared, method: &Method, rest: &str) -> Response {
    let (word, id) = rest.split_once('/').unwrap_or((rest, ""));
    let (id, sort) = match id.split_once('/') {
        Some((sort, id)) => (id, sort),
        None => (id, ""),
    };
    let (&Method::POST, Ok(id)) = (method, id.parse()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let done = match (word, sort) {
        ("touch", "") => shared.desk.touch(id, Utc::now()),
        ("vanish", "") => shared.desk.vanish(id),
        ("erase", "person") => shared.desk.erase(Thing::Person(id)),
        ("erase", "company") => shared.desk.erase(Thing::Company(id)),
        ("erase", "article") => shared.desk.erase(Thing::Article(id)),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    match done {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(why) => (StatusCode::INTERNAL_SERVER_ERROR, why.to_string()).into_response(),
    }
}

fn bytes_response(bytes: Bytes, media_type: &str, name: Option<&str>) -> Response {
    let pieces: Vec<Result<Bytes, std::convert::Infallible>> = (0..bytes.len().div_ceil(PIECE))
        .map(|n| Ok(bytes.slice(n * PIECE..bytes.len().min((n + 1) * PIECE))))
        .collect();
    let mut response = Response::new(Body::from_stream(futures::stream::iter(pieces)));
    set(&mut response, "content-type", media_type);
    if let Some(name) = name {
        let plain: String = name
            .chars()
            .map(|c| {
                if c.is_ascii_graphic() && c != '"' && c != '\\' {
                    c
                } else {
                    '_'
                }
            })
            .collect();
        set(
            &mut response,
            "content-disposition",
            &format!("attachment; filename=\"{plain}\""),
        );
        set(&mut response, "content-transfer-encoding", "binary");
    }
    response
}

pub(super) struct Call<'a> {
    pub(super) shared: &'a Shared,
    pub(super) method: &'a Method,
    pub(super) headers: &'a HeaderMap,
    pub(super) query: &'a HashMap<String, String>,
    pub(super) base: &'a str,
    /// Below `/api/v1/`.
    pub(super) path: &'a str,
}

pub(super) type Answer = Result<Value, Denied>;

impl Call<'_> {
    fn answer(&self) -> Response {
        if let Some(wait) = self.shared.over_limit() {
            let mut response = error(429, "RATE_LIMIT_REACHED", Vec::new());
            if let Some(seconds) = wait {
                set(&mut response, "retry-after", &seconds.to_string());
            }
            return response;
        }
        let accept = self
            .headers
            .get(header::ACCEPT)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("*/*");
        let is_download = self.path.contains("/attachments/");
        if !is_download && !accept.contains("json") && !accept.contains("*/*") {
            return StatusCode::NOT_ACCEPTABLE.into_response();
        }
        let judged =
            self.shared
                .guard()
                .judge(&self.shared.options, self.headers, self.query, self.path);
        let pass = match judged {
            Ok(pass) => pass,
            Err(refusal) => return refused(refusal),
        };
        let reads = *self.method == Method::GET
            || (*self.method == Method::POST && self.path == "articles/list");
        if !(reads || *self.method == Method::DELETE && self.path == "session") {
            return error(405, "METHOD_NOT_SUPPORTED", Vec::new());
        }
        let pieces: Vec<&str> = self.path.trim_end_matches(".json").split('/').collect();
        if let [
            "cases",
            case,
            "messages" | "notes",
            original,
            "attachments",
            file,
            "download" | "url",
        ] = pieces[..]
        {
            return self.download(case, original, file);
        }
        match self.read(&pieces, &pass) {
            Ok(mut body) => {
                tamper(&self.shared.faults, &mut body, item_key);
                self.signed(body, &pass)
            }
            Err(denied) => denied.response(),
        }
    }

    /// A login is told its session, in the body and beside it.
    fn signed(&self, mut body: Value, pass: &Pass) -> Response {
        if let Some(session) = &pass.new_session {
            body["session_id"] = session.as_str().into();
        }
        let mut response = json_response(200, &body);
        if pass.new_session.is_some()
            && self
                .headers
                .get("x-csrf")
                .is_none_or(|value| value != "false")
        {
            set(&mut response, "x-csrf-token", "csrf-of-this-session");
        }
        response
    }

    fn download(&self, case: &str, original: &str, file: &str) -> Response {
        let found = || {
            let message = message_of_original(original.parse().ok()?)?;
            let (owner, message) = self.shared.desk.message(message)?;
            let id: u64 = file.parse().ok()?;
            let file = message
                .files
                .into_iter()
                .find(|file| file.id == id && !file.lost)?;
            (owner.id.to_string() == case).then_some(file)
        };
        match found() {
            Some(file) => bytes_response(
                file.content.bytes(),
                &file.media_type,
                Some(file.name.as_deref().unwrap_or("")),
            ),
            None => Denied::NotFound.response(),
        }
    }
}

/// How rules name an item: its type and id with a semicolon, such as `case:12;`.
fn item_key(item: &Value) -> String {
    let kind = item["resource_type"].as_str().unwrap_or("");
    format!("{kind}:{};", item["id"])
}
