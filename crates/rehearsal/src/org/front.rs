//! The org on the network: what is read from a request before, and sent after, [`rest`](super::rest) has answered.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request as HttpRequest, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::StreamExt;
use serde_json::{Value, json};
use tokio_util::io::ReaderStream;

use super::auth;
use super::engine::{Engine, INTEGRATION_USER};
use super::error::Refusal;
use super::files;
use super::rest::{self, Reply, Request, VERSIONS};
use crate::serve::RouteLabel;

/// The largest body that is not multipart (Salesforce transport reference, section 3.4).
const LARGEST_BODY: usize = 52_428_800;
/// Rows per piece of a dump.
const DUMP_PIECE: usize = 500;

#[derive(Debug)]
pub(crate) struct Front {
    pub(crate) engine: Arc<Engine>,
    /// None: absolute URLs begin with whatever address the client used.
    pub(crate) public_url: Option<String>,
}

pub(crate) fn router(front: Arc<Front>) -> Router {
    Router::new().fallback(answer).with_state(front)
}

async fn answer(State(front): State<Arc<Front>>, request: HttpRequest) -> Response {
    let path = request.uri().path().to_owned();
    if let Some(below) = path.strip_prefix("/services/data") {
        let below = below.trim_start_matches('/').to_owned();
        return front.data(below, request).await;
    }
    let (label, response) = match path.as_str() {
        "/" => ("/".to_owned(), front.page()),
        "/services/oauth2/token" => (path, front.token(request).await),
        "/services/oauth2/revoke" => (path, front.revoke(request).await),
        "/services/oauth2/userinfo" => (path, sent(front.identity(&request)).await),
        _ if path.starts_with("/id/") => (
            "/id/{org}/{user}".to_owned(),
            sent(front.identity(&request)).await,
        ),
        _ => match path
            .strip_prefix("/rehearsal/")
            .and_then(|rest| rest.split_once('/'))
        {
            Some(("dump", object)) => ("/rehearsal/dump/{object}".to_owned(), front.dump(object)),
            Some(("blob", id)) => ("/rehearsal/blob/{id}".to_owned(), front.blob(id).await),
            _ => (
                "-".to_owned(),
                sent(Reply::refused(&Refusal::not_found())).await,
            ),
        },
    };
    labelled(response, label)
}

fn labelled(mut response: Response, label: String) -> Response {
    response.extensions_mut().insert(RouteLabel(label));
    response
}

impl Front {
    /// Everything below `/services/data`.
    async fn data(&self, below: String, request: HttpRequest) -> Response {
        if below.is_empty() {
            return labelled(
                sent(Reply::json(200, rest::versions())).await,
                "/services/data".into(),
            );
        }
        let (reply, counted) = match self.authorised(&below, &request) {
            Ok((user, version)) => (self.resource(user, version, &below, request).await, true),
            Err(refusal) => {
                drain(request.into_body()).await;
                (Reply::refused(&refusal), refusal.status == 403)
            }
        };
        let route = if reply.route.is_empty() {
            "/services/data/…".to_owned()
        } else {
            reply.route.clone()
        };
        let mut response = labelled(sent(reply).await, route);
        let used = self
            .engine
            .api_calls
            .load(std::sync::atomic::Ordering::Relaxed);
        let usage = format!(
            "api-usage={used}/{}",
            self.engine.settings.daily_api_requests
        );
        if counted && let Ok(usage) = HeaderValue::from_str(&usage) {
            response.headers_mut().insert("sforce-limit-info", usage);
        }
        response
    }

    /// The user and version of a request, its call counted.
    fn authorised(&self, below: &str, request: &HttpRequest) -> Result<(i64, u32), Refusal> {
        let version = version(below.split('/').next().unwrap_or_default())?;
        let token = auth::bearer(header_text(request, header::AUTHORIZATION))?;
        let ends_now = self
            .engine
            .faults
            .take("expire-session", request.uri().path());
        let user = self
            .engine
            .sessions
            .user(token, ends_now)
            .ok_or_else(auth::expired)?;
        let (used, most) = self.engine.count_call();
        if used > most {
            return Err(
                Refusal::new("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
                    .with_status(403),
            );
        }
        Ok((user, version))
    }

    async fn resource(&self, user: i64, version: u32, below: &str, request: HttpRequest) -> Reply {
        let resource = below
            .split_once('/')
            .map_or("", |(_, resource)| resource)
            .to_owned();
        let base = self.base(&request);
        let (head, body) = request.into_parts();
        let content_type = head
            .headers
            .get(header::CONTENT_TYPE)
            .and_then(|v| v.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        let query = head.uri.query().unwrap_or_default();
        let mut request = Request {
            method: head.method.as_str().to_owned(),
            resource,
            query: url::form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
            headers: head.headers,
            body: Vec::new(),
            upload: None,
            base,
        };
        let read = if content_type.starts_with("multipart/") {
            files::receive(&self.engine, &content_type, body)
                .await
                .map(|parts| {
                    request.body = parts.entity;
                    request.upload = parts.upload;
                })
        } else {
            whole(body).await.map(|bytes| request.body = bytes)
        };
        if let Err(refusal) = read {
            return Reply::refused(&refusal);
        }
        let upload = request.upload.clone();
        let engine = Arc::clone(&self.engine);
        let worked =
            tokio::task::spawn_blocking(move || perform(&engine, user, version, &request)).await;
        if let Some(upload) = upload {
            files::discard(&upload).await;
        }
        worked.unwrap_or_else(|e| Reply::refused(&Refusal::broken(e)))
    }

    async fn token(&self, request: HttpRequest) -> Response {
        let basic = header_text(&request, header::AUTHORIZATION).map(str::to_owned);
        let base = self.base(&request);
        let form = match form(request).await {
            Ok(form) => form,
            Err(refusal) => return sent(Reply::refused(&refusal)).await,
        };
        let answered = self.engine.transaction(INTEGRATION_USER, 0, |ctx| {
            Ok(auth::token(ctx, &form, basic.as_deref(), &base))
        });
        sent(match answered {
            Ok(Ok(token)) => Reply::json(200, token),
            Ok(Err(error)) => Reply::json(error.0, error.body()),
            Err(refusal) => Reply::refused(&refusal),
        })
        .await
    }

    async fn revoke(&self, request: HttpRequest) -> Response {
        let form = match form(request).await {
            Ok(form) => form,
            Err(refusal) => return sent(Reply::refused(&refusal)).await,
        };
        let token = form.get("token").map(String::as_str).unwrap_or_default();
        let revoked = self.engine.transaction(INTEGRATION_USER, 0, |ctx| {
            ctx.engine.sessions.revoke(ctx, token)
        });
        sent(match revoked {
            Ok(true) => Reply::empty(200),
            Ok(false) => Reply::json(400, json!({"error": "unsupported_token_type", "error_description": "this token is not known"})),
            Err(refusal) => Reply::refused(&refusal),
        })
        .await
    }

    /// `userinfo` and `/id/…`; the token comes in the header or, as some clients do, in the query.
    fn identity(&self, request: &HttpRequest) -> Reply {
        let base = self.base(request);
        let query: HashMap<String, String> =
            url::form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes())
                .into_owned()
                .collect();
        let in_header = auth::bearer(header_text(request, header::AUTHORIZATION)).ok();
        let token = in_header
            .or_else(|| query.get("oauth_token").map(String::as_str))
            .unwrap_or_default();
        let user = self.engine.sessions.user(token, false);
        let answered = match user {
            Some(user) => self
                .engine
                .transaction(user, 0, |ctx| auth::identity(ctx, &base)),
            None => Err(auth::expired().with_status(403)),
        };
        answered.map_or_else(
            |refusal| Reply::refused(&refusal),
            |identity| Reply::json(200, identity),
        )
    }

    /// Every live row of an object as a line of JSON.
    fn dump(&self, object: &str) -> Response {
        if self.engine.schema.object(object).is_none() {
            return (
                StatusCode::NOT_FOUND,
                format!("this org has no object {object}\n"),
            )
                .into_response();
        }
        let (engine, object) = (Arc::clone(&self.engine), object.to_owned());
        let pieces = futures::stream::try_unfold(Some(0), move |after| {
            let (engine, object) = (Arc::clone(&engine), object.clone());
            async move {
                let Some(after) = after else { return Ok(None) };
                let read =
                    tokio::task::spawn_blocking(move || engine.dump(&object, after, DUMP_PIECE))
                        .await;
                let (rows, next) = read
                    .map_err(std::io::Error::other)?
                    .map_err(|e| std::io::Error::other(e.message))?;
                let mut lines = String::new();
                for row in rows {
                    lines.push_str(&row.to_string());
                    lines.push('\n');
                }
                Ok::<_, std::io::Error>(Some((Bytes::from(lines), next)))
            }
        });
        (
            [(header::CONTENT_TYPE, "application/x-ndjson")],
            Body::from_stream(pieces),
        )
            .into_response()
    }

    async fn blob(&self, id: &str) -> Response {
        let number = self
            .engine
            .ids
            .parse(id)
            .filter(|(prefix, _)| *prefix == "068")
            .map(|(_, number)| number);
        let mut reply = Reply::refused(&Refusal::not_found());
        if let Some(number) = number {
            reply = Reply::empty(200);
            reply.body = rest::Body::File(self.engine.blob(number));
        }
        sent(reply).await
    }

    /// What a person sees who opens the address.
    fn page(&self) -> Response {
        let rows: String = match self.engine.counts() {
            Ok(counts) => counts
                .iter()
                .map(|(name, count)| format!("<tr><td>{name}<td>{count}"))
                .collect(),
            Err(_) => String::new(),
        };
        let page = format!(
            "<!DOCTYPE html><meta charset=utf-8><title>Local org</title><h1>A local Salesforce org</h1>\
             <p>It stands in for a Service Cloud org in rehearsals and tests. Org id {}.</p>\
             <table><tr><th>Object<th>Rows{rows}</table>\
             <p><a href=\"/rehearsal/requests\">Requests</a>, <a href=\"/rehearsal/faults\">fault script</a>; \
             rows of an object as JSON lines at <code>/rehearsal/dump/Case</code>.</p>\n",
            self.engine.org_id()
        );
        ([(header::CONTENT_TYPE, "text/html;charset=UTF-8")], page).into_response()
    }

    fn base(&self, request: &HttpRequest) -> String {
        let host = header_text(request, header::HOST).unwrap_or("127.0.0.1");
        self.public_url
            .clone()
            .unwrap_or_else(|| format!("http://{host}"))
    }
}

/// One transaction per request; what a refused request wrote is undone.
fn perform(engine: &Engine, user: i64, version: u32, request: &Request) -> Reply {
    let mut refused = None;
    let worked = engine.transaction(user, version, |ctx| {
        let reply = rest::dispatch(ctx, request);
        if reply.status >= 300 && reply.status != 304 {
            refused = Some(reply);
            return Err(Refusal::not_found());
        }
        Ok(reply)
    });
    match (worked, refused) {
        (_, Some(reply)) => reply,
        (Ok(reply), None) => reply,
        (Err(refusal), None) => Reply::refused(&refusal),
    }
}

fn version(segment: &str) -> Result<u32, Refusal> {
    let number = segment
        .strip_prefix('v')
        .and_then(|v| v.strip_suffix(".0").unwrap_or(v).parse().ok());
    match number {
        Some(version) if VERSIONS.contains(&version) => Ok(version),
        Some(version) if version < *VERSIONS.start() => {
            let message = format!("API version {version}.0 is no longer available");
            Err(Refusal::new("UNSUPPORTED_API_VERSION", message).with_status(410))
        }
        _ => Err(Refusal::not_found()),
    }
}

fn header_text(request: &HttpRequest, name: HeaderName) -> Option<&str> {
    request
        .headers()
        .get(name)
        .and_then(|value| value.to_str().ok())
}

async fn form(request: HttpRequest) -> Result<HashMap<String, String>, Refusal> {
    let bytes = whole(request.into_body()).await?;
    Ok(url::form_urlencoded::parse(&bytes).into_owned().collect())
}

/// A whole body, up to the platform's limit.
async fn whole(body: Body) -> Result<Vec<u8>, Refusal> {
    let mut stream = body.into_data_stream();
    let mut bytes = Vec::new();
    let mut size = 0_usize;
    while let Some(piece) = stream.next().await {
        let piece = piece
            .map_err(|e| Refusal::new("INVALID_INPUT", format!("the body ended early: {e}")))?;
        size += piece.len();
        // The rest is read and dropped, so that the client gets to read the refusal.
        if size <= LARGEST_BODY {
            bytes.extend_from_slice(&piece);
        }
    }
    if size > LARGEST_BODY {
        return Err(Refusal::new(
            "EXCEEDED_MAX_SIZE_REQUEST",
            format!("Maximum size of request is {LARGEST_BODY} bytes"),
        ));
    }
    Ok(bytes)
}

async fn drain(body: Body) {
    let mut stream = body.into_data_stream();
    while let Some(Ok(_)) = stream.next().await {}
}

async fn sent(reply: Reply) -> Response {
    let mut response = match reply.body {
        rest::Body::None => Response::new(Body::empty()),
        rest::Body::Json(value) => json_response(&value),
        rest::Body::File(path) => match tokio::fs::File::open(&path).await {
            Ok(file) => file_response(file).await,
            Err(_) => {
                let mut response =
                    json_response(&Value::Array(vec![Refusal::not_found().as_rest()]));
                *response.status_mut() = StatusCode::NOT_FOUND;
                return response;
            }
        },
    };
    *response.status_mut() =
        StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in reply.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response
                .headers_mut()
                .insert(HeaderName::from_static(name), value);
        }
    }
    response
}

fn json_response(value: &Value) -> Response {
    (
        [(header::CONTENT_TYPE, "application/json;charset=UTF-8")],
        value.to_string(),
    )
        .into_response()
}

async fn file_response(file: tokio::fs::File) -> Response {
    let length = file.metadata().await.map(|metadata| metadata.len()).ok();
    let mut response = Response::new(Body::from_stream(ReaderStream::new(file)));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    if let Some(length) = length {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    response
}
