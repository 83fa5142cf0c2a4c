//! The plumbing of every stand-in: a server on loopback with fault scripts, a request log, gzip and optional TLS.
//!
//! A stand-in hands over an [`axum::Router`] and gets a running [`Server`]. What holds for all of them is done here:
//! a trailing slash is ignored, a gzip body is unpacked, JSON and CSV answers above 1 KiB are packed when the client
//! offers it, [`Faults`] happen before the router is reached, each request is counted under its
//! route. Two addresses of its own: `GET /rehearsal/requests` (the log as JSON; `DELETE` forgets it) and
//! `GET`/`POST /rehearsal/faults` (the script; a `POST` replaces it). Both are neither counted nor harmed.

mod body;
mod log;
mod tls;

use std::convert::Infallible;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

pub use self::log::{Count, Entry, RequestLog, Requests};
use crate::fault::{Action, Faults, Rule};

/// How a server listens.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServeOptions {
    /// Port of the plain listener on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// When given, a second listener speaks TLS on this port (0 takes a free one).
    pub tls_port: Option<u16>,
    /// Further host names of the TLS certificate; `localhost` and `127.0.0.1` are always in it.
    pub tls_names: Vec<String>,
    /// The fault script; keep a clone to change it.
    pub faults: Faults,
    /// How many of the last requests the log keeps in full.
    pub keep_requests: usize,
    /// A log to write into instead of a new one, for handlers that show it.
    pub log: Option<RequestLog>,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            port: 0,
            tls_port: None,
            tls_names: Vec::new(),
            faults: Faults::default(),
            keep_requests: 1_000,
            log: None,
        }
    }
}

/// The label under which a request is counted. A handler that does its own routing puts one into the response's
/// extensions; else the router's matched path is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteLabel(pub String);

/// How a request came; every request carries it in its extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// In the open.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// `http` or `https`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// A running server. Dropping it stops accepting; [`Server::stop`] also lets requests in flight finish.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    tls_address: Option<SocketAddr>,
    ca_pem: Option<String>,
    faults: Faults,
    log: RequestLog,
    stop: watch::Sender<bool>,
    listeners: Vec<JoinHandle<()>>,
}

struct Shared {
    router: Router,
    faults: Faults,
    log: RequestLog,
}

/// The connection is closed without an answer.
#[derive(Debug)]
struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("connection cut by a fault script")
    }
}

impl std::error::Error for Cut {}

impl Server {
    /// Binds on 127.0.0.1 and serves `router` until stopped.
    ///
    /// # Errors
    /// When a port is taken, or the TLS certificate cannot be made.
    pub async fn start(router: Router, options: ServeOptions) -> std::io::Result<Self> {
        let log = options
            .log
            .unwrap_or_else(|| RequestLog::new(options.keep_requests));
        let shared = Arc::new(Shared {
            router: router.layer(axum::middleware::from_fn(label)),
            faults: options.faults.clone(),
            log: log.clone(),
        });
        let (stop, stopped) = watch::channel(false);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
        let address = listener.local_addr()?;
        let mut listeners = vec![tokio::spawn(accept(
            listener,
            None,
            Arc::clone(&shared),
            stopped.clone(),
        ))];
        let (mut tls_address, mut ca_pem) = (None, None);
        if let Some(port) = options.tls_port {
            let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
            names.extend(options.tls_names.iter().cloned());
            let tls = tls::make(&names).map_err(std::io::Error::other)?;
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
            tls_address = Some(listener.local_addr()?);
            ca_pem = Some(tls.ca_pem);
            listeners.push(tokio::spawn(accept(
                listener,
                Some(tls.acceptor),
                shared,
                stopped,
            )));
        }
        Ok(Self {
            address,
            tls_address,
            ca_pem,
            faults: options.faults,
            log,
            stop,
            listeners,
        })
    }

    /// `http://127.0.0.1:<port>`, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `https://127.0.0.1:<port>` when TLS was asked for.
    pub fn tls_url(&self) -> Option<String> {
        self.tls_address.map(|address| format!("https://{address}"))
    }

    /// The certificate authority that a TLS client must trust, as PEM.
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }

    /// The port of the plain listener.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The fault script that is being played.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// What was asked so far.
    pub fn requests(&self) -> Requests {
        self.log.snapshot()
    }

    /// The log itself, to keep or to clear.
    pub fn log(&self) -> &RequestLog {
        &self.log
    }

    /// Stops accepting, lets requests in flight finish, then returns.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        for listener in self.listeners.drain(..) {
            // A listener that panicked has nothing left in flight.
            let _ended = listener.await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

async fn accept(
    listener: TcpListener,
    tls: Option<tokio_rustls::TlsAcceptor>,
    shared: Arc<Shared>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = stopping(&mut stopped) => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept() => {
                // Running out of descriptors passes; a client that is gone already does not matter.
                let Ok((stream, _)) = accepted else {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    continue;
                };
                let _best_effort = stream.set_nodelay(true);
                let (shared, stopped, tls) = (Arc::clone(&shared), stopped.clone(), tls.clone());
                connections.spawn(async move {
                    match tls {
                        None => connection(stream, Scheme::Http, shared, stopped).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                connection(stream, Scheme::Https, shared, stopped).await;
                            }
                        }
                    }
                });
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// Ends when the server is told to stop, or is gone.
async fn stopping(stopped: &mut watch::Receiver<bool>) {
    let _told = stopped.wait_for(|stop| *stop).await;
}

async fn connection<S>(
    stream: S,
    scheme: Scheme,
    shared: Arc<Shared>,
    mut stopped: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { answer(&shared, scheme, request).await }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    let mut served = pin!(served);
    tokio::select! {
        _ended = served.as_mut() => return,
        () = stopping(&mut stopped) => {}
    }
    served.as_mut().graceful_shutdown();
    let _ended = served.await;
}

async fn answer(
    shared: &Shared,
    scheme: Scheme,
    request: hyper::Request<Incoming>,
) -> Result<Response, Cut> {
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(scheme);
    strip_trailing_slash(request.uri_mut());
    if request.uri().path().starts_with("/rehearsal/")
        && let Some(response) = own_page(shared, &mut request).await
    {
        return Ok(response);
    }
    let method = request.method().clone();
    let path = request
        .uri()
        .path_and_query()
        .map_or_else(String::new, ToString::to_string);
    let begun = Instant::now();
    let answered = harmed(shared, request, &method, &path).await;
    let (status, route) = match &answered {
        Ok(response) => (
            response.status().as_u16(),
            response.extensions().get::<RouteLabel>().cloned(),
        ),
        Err(_) => (0, None),
    };
    let route = route.map_or_else(|| "-".to_owned(), |label| label.0);
    shared.log.add(
        method.as_str(),
        &path,
        &route,
        status,
        u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
    );
    answered
}

/// Performs the request as the fault script allows.
async fn harmed(
    shared: &Shared,
    request: Request,
    method: &Method,
    path: &str,
) -> Result<Response, Cut> {
    for action in shared.faults.judge(method.as_str(), path) {
        match action {
            Action::Delay { ms } => tokio::time::sleep(Duration::from_millis(ms)).await,
            Action::CutBefore => return Err(Cut),
            Action::Status {
                code,
                headers,
                body,
                content_type,
            } => {
                return Ok(scripted(
                    code,
                    &headers,
                    body,
                    content_type.as_deref().unwrap_or("application/json"),
                ));
            }
            Action::Html { code } => {
                return Ok(scripted(
                    code,
                    &[],
                    html_page(code),
                    "text/html;charset=UTF-8",
                ));
            }
            Action::CutAfterAct => {
                let response = perform(shared, request).await;
                // The body is read to its end: a streamed answer has then done all it does.
                let _discarded = axum::body::to_bytes(response.into_body(), usize::MAX).await;
                return Err(Cut);
            }
            Action::CutBody { after_bytes } => {
                return Ok(body::cut(perform(shared, request).await, after_bytes).await);
            }
            Action::Named { .. } => {}
        }
    }
    Ok(perform(shared, request).await)
}

async fn perform(shared: &Shared, request: Request) -> Response {
    let accepts_gzip = body::accepts_gzip(request.headers());
    let request = match body::unpacked(request).await {
        Ok(request) => request,
        Err(refusal) => return *refusal,
    };
    let answered: Result<Response, Infallible> = TowerToHyperService::new(shared.router.clone())
        .call(request)
        .await;
    let Ok(response) = answered;
    if accepts_gzip {
        body::packed(response).await
    } else {
        response
    }
}

/// Names the route for the log, unless the handler did.
async fn label(request: Request, next: Next) -> Response {
    let matched = request
        .extensions()
        .get::<MatchedPath>()
        .map(|path| RouteLabel(path.as_str().to_owned()));
    let mut response = next.run(request).await;
    if response.extensions().get::<RouteLabel>().is_none()
        && let Some(matched) = matched
    {
        response.extensions_mut().insert(matched);
    }
    response
}

async fn own_page(shared: &Shared, request: &mut Request) -> Option<Response> {
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/rehearsal/requests") => {
            Some(axum::Json(shared.log.snapshot()).into_response())
        }
        (&Method::DELETE, "/rehearsal/requests") => {
            shared.log.clear();
            Some(StatusCode::NO_CONTENT.into_response())
        }
        (&Method::GET, "/rehearsal/faults") => {
            Some(axum::Json(shared.faults.rules()).into_response())
        }
        (&Method::POST, "/rehearsal/faults") => {
            let body = std::mem::take(request.body_mut());
            Some(match new_script(body).await {
                Ok(rules) => {
                    shared.faults.set(rules);
                    StatusCode::NO_CONTENT.into_response()
                }
                Err(why) => (
                    StatusCode::BAD_REQUEST,
                    format!("not a fault script: {why}\n"),
                )
                    .into_response(),
            })
        }
        _ => None,
    }
}

async fn new_script(body: Body) -> Result<Vec<Rule>, String> {
    let bytes = axum::body::to_bytes(body, 16 << 20)
        .await
        .map_err(|e| e.to_string())?;
    serde_json::from_slice(&bytes).map_err(|e| e.to_string())
}

fn scripted(code: u16, headers: &[(String, String)], body: String, content_type: &str) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() =
        StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Ok(value) = HeaderValue::from_str(content_type) {
        response.headers_mut().insert(header::CONTENT_TYPE, value);
    }
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().append(name, value);
        }
    }
    response
}

fn html_page(code: u16) -> String {
    format!(
        "<!DOCTYPE html><html><head><title>{code}</title></head><body><h1>{code}</h1><p>Please try again later.</p></body></html>\n"
    )
}

/// `/a/b/` is asked for by some clients where `/a/b` is meant; no platform tells them apart.
fn strip_trailing_slash(uri: &mut Uri) {
    let path = uri.path();
    let stripped = path.trim_end_matches('/');
    if stripped.len() == path.len() || path.len() == 1 {
        return;
    }
    let stripped = if stripped.is_empty() { "/" } else { stripped };
    let new = match uri.query() {
        Some(query) => format!("{stripped}?{query}"),
        None => stripped.to_owned(),
    };
    if let Ok(new) = new.parse() {
        *uri = new;
    }
}

#[cfg(test)]
mod tests;
