use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;

use super::body::{Part, PartBody};
use super::redact;
use super::secret::SecretString;
use crate::key::RecordKey;

/// The method of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Method {
    /// Reads.
    Get,
    /// Reads the headers only.
    Head,
    /// Creates or acts.
    Post,
    /// Stores.
    Put,
    /// Changes.
    Patch,
    /// Removes.
    Delete,
}

impl Method {
    /// As on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    fn is_read(self) -> bool {
        matches!(self, Self::Get | Self::Head)
    }
}

#[derive(Clone)]
pub(super) enum Body {
    Empty,
    One {
        content_type: String,
        content: PartBody,
    },
    Multipart(Vec<Part>),
    /// What was to be sent cannot be written as JSON.
    Broken(String),
}

/// One call, described; [`Client::send`](super::Client::send) makes it, as often as needed.
///
/// `Debug` shows neither header values nor bodies, and no telling value of the address.
#[derive(Clone)]
pub struct Request {
    pub(super) method: Method,
    pub(super) endpoint: &'static str,
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) secret_headers: Vec<(String, SecretString)>,
    pub(super) body: Body,
    pub(super) idempotent: bool,
    pub(super) timeout: Option<Duration>,
    pub(super) operation: Cow<'static, str>,
    pub(super) about: Option<RecordKey>,
}

impl Request {
    /// A call of `endpoint` (its name in the meter, without ids) at `path`: joined to the client's base address, or an
    /// absolute address. Ids in a path go through [`path_segment`](super::path_segment).
    pub fn new(method: Method, endpoint: &'static str, path: impl Into<String>) -> Self {
        Self {
            method,
            endpoint,
            path: path.into(),
            query: Vec::new(),
            headers: Vec::new(),
            secret_headers: Vec::new(),
            body: Body::Empty,
            idempotent: method.is_read(),
            timeout: None,
            operation: Cow::Borrowed(endpoint),
            about: None,
        }
    }

    /// Reads.
    pub fn get(endpoint: &'static str, path: impl Into<String>) -> Self {
        Self::new(Method::Get, endpoint, path)
    }

    /// Creates or acts.
    pub fn post(endpoint: &'static str, path: impl Into<String>) -> Self {
        Self::new(Method::Post, endpoint, path)
    }

    /// Stores.
    pub fn put(endpoint: &'static str, path: impl Into<String>) -> Self {
        Self::new(Method::Put, endpoint, path)
    }

    /// Changes.
    pub fn patch(endpoint: &'static str, path: impl Into<String>) -> Self {
        Self::new(Method::Patch, endpoint, path)
    }

    /// Removes.
    pub fn delete(endpoint: &'static str, path: impl Into<String>) -> Self {
        Self::new(Method::Delete, endpoint, path)
    }

    /// One more query pair, encoded here (`+` as `%2B`, a space as `+`).
    #[must_use]
    pub fn query(mut self, name: impl Into<String>, value: impl fmt::Display) -> Self {
        self.query.push((name.into(), value.to_string()));
        self
    }

    /// One more header. One whose name says that it is a credential (`Authorization`, `X-…-Token`) is taken for a
    /// [`secret_header`](Self::secret_header).
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let (name, value) = (name.into(), value.into());
        if redact::is_telling(&name) {
            return self.secret_header(name, SecretString::new(value));
        }
        self.headers.push((name, value));
        self
    }

    /// One more header that is a credential: never shown, and sent only to the scheme, host and port of the base.
    #[must_use]
    pub fn secret_header(mut self, name: impl Into<String>, value: SecretString) -> Self {
        self.secret_headers.push((name.into(), value));
        self
    }

    /// A JSON body. What cannot be written as JSON makes sending an error of kind `Bug`.
    #[must_use]
    pub fn json<T: Serialize + ?Sized>(mut self, value: &T) -> Self {
        self.body = match serde_json::to_vec(value) {
            Ok(bytes) => one("application/json", PartBody::Bytes(bytes.into())),
            Err(error) => Body::Broken(error.to_string()),
        };
        self
    }

    /// A form body, `application/x-www-form-urlencoded`.
    #[must_use]
    pub fn form<N: AsRef<str>, V: AsRef<str>>(mut self, pairs: &[(N, V)]) -> Self {
        let text = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .finish();
        self.body = one(
            "application/x-www-form-urlencoded",
            PartBody::Bytes(text.into()),
        );
        self
    }

    /// A body in memory.
    #[must_use]
    pub fn bytes(self, content_type: impl Into<String>, content: impl Into<Bytes>) -> Self {
        self.body(content_type, PartBody::Bytes(content.into()))
    }

    /// A body in memory or streamed.
    #[must_use]
    pub fn body(mut self, content_type: impl Into<String>, content: PartBody) -> Self {
        self.body = Body::One {
            content_type: content_type.into(),
            content,
        };
        self
    }

    /// A `multipart/form-data` body. Its length is computed and sent.
    #[must_use]
    pub fn multipart(mut self, parts: Vec<Part>) -> Self {
        self.body = Body::Multipart(parts);
        self
    }

    /// Whether sending it twice does what sending it once does. GET and HEAD are, all others are not unless said here.
    #[must_use]
    pub fn idempotent(mut self, idempotent: bool) -> Self {
        self.idempotent = idempotent;
        self
    }

    /// Another time-out for the whole of one attempt than the client's.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// What is being done, for errors: "list cases". The endpoint's name otherwise.
    #[must_use]
    pub fn operation(mut self, operation: impl Into<Cow<'static, str>>) -> Self {
        self.operation = operation.into();
        self
    }

    /// The record it is about, for errors.
    #[must_use]
    pub fn about(mut self, record: RecordKey) -> Self {
        self.about = Some(record);
        self
    }
}

fn one(content_type: &str, content: PartBody) -> Body {
    Body::One {
        content_type: content_type.to_owned(),
        content,
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secret = self.secret_headers.iter().map(|(name, _)| name);
        let headers: Vec<&String> = self
            .headers
            .iter()
            .map(|(name, _)| name)
            .chain(secret)
            .collect();
        let query: Vec<&String> = self.query.iter().map(|(name, _)| name).collect();
        f.debug_struct("Request")
            .field("method", &self.method.as_str())
            .field("endpoint", &self.endpoint)
            .field("path", &redact::raw_url(&self.path))
            .field("query", &query)
            .field("headers", &headers)
            .field("idempotent", &self.idempotent)
            .finish_non_exhaustive()
    }
}
