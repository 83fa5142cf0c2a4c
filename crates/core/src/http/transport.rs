//! How a message travels. The HTTP library is used here and in what calls it; none of its types leaves `http`.

use std::error::Error as StdError;
use std::time::Duration;

use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

use super::failure::{Broken, Reached, Subject};
use super::multipart::{Fault, Payload};
use super::reach::{self, Guard, Lookup, Private};
use super::request::Method;
use super::response::Headers;
use crate::error::{Error, ErrorKind, Result};

/// Idle connections are dropped before most servers drop them: a write into one that was just closed is a lost answer.
const POOL_IDLE: Duration = Duration::from_secs(20);

pub(super) struct Settings {
    pub(super) root_certificates: Vec<String>,
    pub(super) user_agent: String,
    pub(super) connect_timeout: Duration,
    /// How names of other hosts are looked up.
    pub(super) lookup: Lookup,
}

/// Which names a client connects to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    /// All.
    AsTheyAre,
    /// Those of public addresses.
    PublicOnly,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            root_certificates: Vec::new(),
            user_agent: concat!("deskferry/", env!("CARGO_PKG_VERSION")).to_owned(),
            connect_timeout: Duration::from_secs(10),
            lookup: reach::system(),
        }
    }
}

/// Redirects, repetition, cookies and referers are switched off: the first two are ours, the others nobody's.
pub(super) fn build(settings: &Settings, proxies: bool, names: Names) -> Result<reqwest::Client> {
    let mut builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        // Another crate of a program may switch HTTP/2 on for all: what is spoken here stays what was measured.
        .http1_only()
        .user_agent(&settings.user_agent)
        .connect_timeout(settings.connect_timeout)
        .pool_idle_timeout(POOL_IDLE)
        .tcp_nodelay(true);
    if !proxies {
        builder = builder.no_proxy();
    }
    if names == Names::PublicOnly {
        builder = builder.dns_resolver(Guard::new(settings.lookup.clone()));
    }
    for pem in &settings.root_certificates {
        let certificates = reqwest::Certificate::from_pem_bundle(pem.as_bytes())
            .ok()
            .filter(|found| !found.is_empty())
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::Config,
                    "read a root certificate",
                    "this is not a certificate in PEM form",
                )
                .advise("It starts with -----BEGIN CERTIFICATE-----")
            })?;
        builder = builder.tls_certs_merge(certificates);
    }
    builder.build().map_err(|error| {
        let broken = broken(error);
        let error = Error::new(ErrorKind::Config, "prepare the HTTP client", broken.message)
            .advise("Check the user agent, the root certificates and the certificates of the system (ca-certificates)");
        match broken.cause {
            Some(cause) => error.because(cause),
            None => error,
        }
    })
}

/// A header line, checked; errors never show the value.
pub(super) fn add_header(
    headers: &mut HeaderMap,
    subject: &Subject,
    name: &str,
    value: &str,
    secret: bool,
) -> Result<()> {
    let refused = |what: &str| {
        subject.error(
            ErrorKind::Config,
            format!("the header `{}` {what}", super::redact::printable(name)),
        )
    };
    let parsed = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| refused("has a name that cannot be sent"))?;
    let mut value = HeaderValue::from_str(value)
        .or_else(|_| HeaderValue::from_bytes(value.as_bytes()))
        .map_err(|_| refused("holds characters that cannot be sent"))?;
    value.set_sensitive(secret);
    headers.append(parsed, value);
    Ok(())
}

/// One message on its way.
pub(super) struct Message<'a> {
    pub(super) method: Method,
    pub(super) url: url::Url,
    pub(super) headers: HeaderMap,
    pub(super) payload: Option<&'a Payload>,
    pub(super) fault: &'a Fault,
}

/// Sends a message; returns at the answer's headers.
pub(super) async fn send(
    client: &reqwest::Client,
    message: Message<'_>,
) -> Result<reqwest::Response, Broken> {
    let Message {
        method,
        url,
        mut headers,
        payload,
        fault,
    } = message;
    let mut request = reqwest::Request::new(wire_method(method), url);
    if let Some(payload) = payload {
        if let Ok(content_type) = HeaderValue::from_str(&payload.content_type) {
            headers.entry(CONTENT_TYPE).or_insert(content_type);
        }
        headers.insert(CONTENT_LENGTH, HeaderValue::from(payload.len()));
        let body = match payload.in_memory() {
            Some(bytes) => reqwest::Body::from(bytes),
            None => reqwest::Body::wrap_stream(payload.stream(fault)),
        };
        *request.body_mut() = Some(body);
    } else if matches!(method, Method::Post | Method::Put | Method::Patch) {
        // Some servers answer 411 to a write without a length.
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    request.headers_mut().extend(headers);
    client.execute(request).await.map_err(broken)
}

fn wire_method(method: Method) -> reqwest::Method {
    match method {
        Method::Get => reqwest::Method::GET,
        Method::Head => reqwest::Method::HEAD,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
        Method::Patch => reqwest::Method::PATCH,
        Method::Delete => reqwest::Method::DELETE,
    }
}

/// The headers of an answer. Bytes that are no text are replaced: no header that we read holds them.
pub(super) fn headers(response: &reqwest::Response) -> Headers {
    Headers::new(response.headers().iter().map(|(name, value)| {
        (
            name.as_str(),
            String::from_utf8_lossy(value.as_bytes()).into_owned(),
        )
    }))
}

/// A failure of the connection before the headers came.
pub(super) fn broken(error: reqwest::Error) -> Broken {
    let error = error.without_url();
    if let Some(private) = Private::among(&error) {
        return Broken {
            reached: Reached::Private,
            message: format!("a link to another host is refused: {private}"),
            advice: Some(Private::ADVICE),
            cause: None,
        };
    }
    let story = if error.is_timeout() {
        "it took too long".to_owned()
    } else {
        story(&error)
    };
    let (reached, advice) = if !error.is_connect() {
        (Reached::Perhaps, None)
    } else if story.contains("invalid peer certificate") {
        (
            Reached::Stranger,
            Some("If the server is the right one, give its root certificate in the configuration"),
        )
    } else if story.contains("dns error") {
        (
            Reached::Nothing,
            Some("Check the host's name and the network"),
        )
    } else {
        (Reached::Nothing, Some("Check the address and the network"))
    };
    let message = match reached {
        Reached::Stranger => format!("the server's certificate is not trusted: {story}"),
        Reached::Nothing | Reached::Private => format!("no connection: {story}"),
        Reached::Perhaps => format!("the connection failed: {story}"),
    };
    Broken {
        reached,
        message,
        advice,
        cause: Some(Box::new(error)),
    }
}

/// A failure in the middle of a body.
pub(super) fn cut(error: reqwest::Error, got: u64, length: Option<u64>) -> Broken {
    let error = error.without_url();
    let message = match length {
        Some(length) => format!("connection closed after {got} of {length} bytes"),
        None => format!("connection closed after {got} bytes: {}", story(&error)),
    };
    Broken {
        reached: Reached::Perhaps,
        message,
        advice: None,
        cause: Some(Box::new(error)),
    }
}

/// The innermost causes: the outer ones only say that a request failed.
fn story(error: &reqwest::Error) -> String {
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    causes.dedup();
    match causes.as_slice() {
        [] => error.to_string(),
        [only] => only.clone(),
        [.., outer, inner] if outer.contains(inner.as_str()) => outer.clone(),
        [.., outer, inner] => format!("{outer}: {inner}"),
    }
}
