//! The org on the network: what is read from a request before, and sent after, [`rest`](super::rest) has answered.

mod login;
mod own;
mod pages;

use std::io::SeekFrom;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request as HttpRequest, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

use super::auth;
use super::bulk;
use super::engine::{Ctx, Engine};
use super::error::Refusal;
use super::files;
use super::rest::{self, Reply, Request, VERSIONS};
use super::soap;
use crate::serve::{RequestLog, RouteLabel, Scheme};

/// The largest body that is not multipart (Salesforce transport reference, section 3.4).
const LARGEST_BODY: usize = 52_428_800;

/// Where messages find the images that were files.
const DOWNLOADS: &str = "/sfc/servlet.shepherd/";

#[derive(Debug)]
pub(crate) struct Front {
    pub(crate) engine: Arc<Engine>,
    /// None: absolute URLs begin with whatever address the client used.
    pub(crate) public_url: Option<String>,
    /// What was asked so far.
    pub(crate) log: RequestLog,
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
    if let Some(below) = path.strip_prefix("/services/Soap/") {
        let below = below.to_owned();
        return front.soap(&below, request).await;
    }
    if let Some(below) = path.strip_prefix("/services/async/") {
        let below = below.to_owned();
        let response = front.old_bulk(&below, request).await;
        return labelled(response, "/services/async".to_owned());
    }
    let (label, response) = match path.as_str() {
        "/" => ("/".to_owned(), front.page().await),
        "/services/oauth2/token" => (path, front.token(request).await),
        "/services/oauth2/authorize" => (path, front.authorize(request).await),
        "/services/oauth2/introspect" => (path, front.introspect(request).await),
        "/services/oauth2/revoke" => (path, front.revoke(request).await),
        "/services/oauth2/userinfo" => (path, front.identity(request).await),
        "/servlet/rtaImage" => {
            let query = request.uri().query().unwrap_or_default().to_owned();
            (path, front.image(&query).await)
        }
        _ if path.starts_with(DOWNLOADS) => {
            let file = path[DOWNLOADS.len()..].to_owned();
            (format!("{DOWNLOADS}…"), front.download(&file).await)
        }
        _ if path.starts_with("/id/") => {
            ("/id/{org}/{user}".to_owned(), front.identity(request).await)
        }
        _ => match path
            .strip_prefix("/rehearsal/")
            .and_then(|rest| rest.split_once('/'))
        {
            Some(("dump", object)) => ("/rehearsal/dump/{object}".to_owned(), front.dump(object)),
            Some(("records", object)) => {
                let query = request.uri().query().unwrap_or_default().to_owned();
                let page = front.records(object, &query).await;
                ("/rehearsal/records/{object}".to_owned(), page)
            }
            Some(("record", id)) => ("/rehearsal/record/{id}".to_owned(), front.record(id).await),
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
        let read = if bulk::is_upload(&request.method, &request.resource) {
            files::receive_plain(&self.engine, body, bulk::LARGEST_UPLOAD)
                .await
                .map(|upload| request.upload = Some(upload))
        } else if content_type.starts_with("multipart/") {
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

    /// `/services/async/…`
    async fn old_bulk(&self, below: &str, request: HttpRequest) -> Response {
        let (version_text, path) = below.split_once('/').unwrap_or((below, ""));
        let Ok(version) = version(&format!("v{version_text}")) else {
            drain(request.into_body()).await;
            return sent(Reply::refused(&Refusal::not_found())).await;
        };
        let mut ask = old_ask(&request, path, version);
        ask.body = match whole(request.into_body()).await {
            Ok(body) => body,
            Err(refusal) => return sent(Reply::refused(&refusal)).await,
        };
        let engine = Arc::clone(&self.engine);
        let told = tokio::task::spawn_blocking(move || bulk::old::answer(&engine, &ask)).await;
        let told =
            told.unwrap_or_else(|e| bulk::old::Told(500, "text/plain", e.to_string().into()));
        let mut response = ([(header::CONTENT_TYPE, told.1)], told.2).into_response();
        *response.status_mut() = StatusCode::from_u16(told.0).unwrap_or_default();
        response
    }

    /// `/services/Soap/…`
    async fn soap(&self, below: &str, request: HttpRequest) -> Response {
        let Some((api, version)) = soap::Api::of(below) else {
            drain(request.into_body()).await;
            return labelled(
                sent(Reply::refused(&Refusal::not_found())).await,
                "-".into(),
            );
        };
        let kind = below.chars().next().unwrap_or('u');
        let label = format!("/services/Soap/{kind}");
        let bearer = auth::bearer(header_text(&request, header::AUTHORIZATION));
        let bearer = bearer.ok().map(str::to_owned);
        let base = self.base(&request);
        let body = match whole(request.into_body()).await {
            Ok(body) => String::from_utf8_lossy(&body).into_owned(),
            Err(refusal) => return labelled(sent(Reply::refused(&refusal)).await, label),
        };
        let call = soap::Call {
            api,
            version,
            body,
            bearer,
            base,
        };
        let engine = Arc::clone(&self.engine);
        let answered = tokio::task::spawn_blocking(move || soap::answer(&engine, &call)).await;
        let (status, envelope) = answered.unwrap_or_else(|e| (500, e.to_string()));
        let mut response =
            ([(header::CONTENT_TYPE, "text/xml;charset=UTF-8")], envelope).into_response();
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
        labelled(response, label)
    }

    /// Works on the database where waiting for it holds nobody up.
    async fn transaction<T: Send + 'static>(
        &self,
        user: i64,
        work: impl FnOnce(&Ctx<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let engine = Arc::clone(&self.engine);
        let worked = tokio::task::spawn_blocking(move || engine.transaction(user, 0, work)).await;
        worked.map_err(Refusal::broken)?
    }

    fn base(&self, request: &HttpRequest) -> String {
        let host = header_text(request, header::HOST).unwrap_or("127.0.0.1");
        let scheme = request
            .extensions()
            .get::<Scheme>()
            .copied()
            .unwrap_or(Scheme::Http);
        self.public_url
            .clone()
            .unwrap_or_else(|| format!("{}://{host}", scheme.as_str()))
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

/// A request of the older Bulk API, without its body.
fn old_ask(request: &HttpRequest, path: &str, version: u32) -> bulk::old::Ask {
    let text = |name: &str| {
        let value = request.headers().get(name);
        let value = value.and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let bearer = auth::bearer(header_text(request, header::AUTHORIZATION));
    let token = match text("x-sfdc-session") {
        token if token.is_empty() => bearer.unwrap_or_default().to_owned(),
        token => token,
    };
    bulk::old::Ask {
        method: request.method().as_str().to_owned(),
        path: path.to_owned(),
        content_type: text("content-type"),
        accept: text("accept"),
        body: Vec::new(),
        version,
        token,
    }
}

fn header_text(request: &HttpRequest, name: HeaderName) -> Option<&str> {
    request
        .headers()
        .get(name)
        .and_then(|value| value.to_str().ok())
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
        rest::Body::Part { head, file, bytes } => match part(head, &file, bytes).await {
            Ok(response) => response,
            Err(e) => json_response(&Value::Array(vec![Refusal::broken(e).as_rest()])),
        },
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

/// Bytes of a file that are read at once: each read goes to another thread.
const AT_ONCE: usize = 1 << 18;

async fn part(head: String, file: &Path, bytes: Range<u64>) -> std::io::Result<Response> {
    let mut file = tokio::fs::File::open(file).await?;
    file.seek(SeekFrom::Start(bytes.start)).await?;
    let rest = file.take(bytes.end.saturating_sub(bytes.start));
    let whole = std::io::Cursor::new(head).chain(rest);
    Ok(Response::new(Body::from_stream(
        ReaderStream::with_capacity(whole, AT_ONCE),
    )))
}

async fn file_response(file: tokio::fs::File) -> Response {
    let length = file.metadata().await.map(|metadata| metadata.len()).ok();
    let mut response = Response::new(Body::from_stream(ReaderStream::with_capacity(
        file, AT_ONCE,
    )));
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
