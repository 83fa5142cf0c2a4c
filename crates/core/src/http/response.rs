use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::redact::{self, Scrubber};
use crate::error::{Error, ErrorKind, Result};
use crate::source::ByteStream;

/// How much of a body an error shows, in characters.
pub(super) const SNIPPET: usize = 200;

/// The headers of an answer. Names are compared without case; `Debug` hides telling values.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// Headers from pairs.
    pub fn new<N: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        Self(
            pairs
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }

    /// The first value of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// All pairs, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.iter().map(|(name, value)| {
            (
                name,
                if redact::is_telling(name) {
                    "***"
                } else {
                    value
                },
            )
        });
        f.debug_map().entries(shown).finish()
    }
}

/// A whole answer. `Debug` shows the length of the body, not the body.
#[derive(Clone)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: Headers,
    /// The body, decompressed.
    pub body: Bytes,
    scrubber: Scrubber,
}

impl Response {
    /// An answer, for tests of what handles answers.
    pub fn new(status: u16, headers: Headers, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            headers,
            body: body.into(),
            scrubber: Scrubber::default(),
        }
    }

    pub(super) fn scrubbed_by(mut self, scrubber: Scrubber) -> Self {
        self.scrubber = scrubber;
        self
    }

    /// The first value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    /// Whether the status is 2xx.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The first 200 characters of the body in one line, without controls and credentials: for errors.
    #[must_use]
    pub fn text_snippet(&self) -> String {
        self.scrubber.snippet(&self.body, SNIPPET)
    }

    /// The body as `T`.
    ///
    /// # Errors
    /// `Decode`: the body is no JSON (a page of a proxy, say: its beginning is shown), or has another shape: the error
    /// names the JSON path, also as context pair `path`.
    pub fn json<T: DeserializeOwned>(&self, operation: impl Into<Cow<'static, str>>) -> Result<T> {
        let operation = operation.into();
        let mut decoder = serde_json::Deserializer::from_slice(&self.body);
        let decoded = serde_path_to_error::deserialize(&mut decoder)
            .map_err(|error| (error.path().to_string(), error.into_inner()))
            .and_then(|value| {
                decoder
                    .end()
                    .map(|()| value)
                    .map_err(|error| (".".to_owned(), error))
            });
        decoded.map_err(|(path, error)| self.decode_error(operation, &path, &error))
    }

    fn decode_error(
        &self,
        operation: Cow<'static, str>,
        path: &str,
        error: &serde_json::Error,
    ) -> Error {
        use serde_json::error::Category;
        let decode = match error.classify() {
            Category::Data => {
                Error::decode(operation, path, self.describe(path, error)).with("path", path)
            }
            _ if self.looks_like_json() => {
                Error::decode(operation, path, self.describe(path, error))
                    .with("path", path)
                    .with("bytes", self.body.len())
            }
            _ => Error::new(
                ErrorKind::Decode,
                operation,
                format!("the answer is not JSON: {}", self.beginning()),
            ),
        };
        let decode = decode.with("status", self.status);
        match self.header("content-type") {
            Some(content_type) => decode.with("type", redact::printable(content_type)),
            None => decode,
        }
    }

    /// What the decoder says, unless that would show a credential.
    fn describe(&self, path: &str, error: &serde_json::Error) -> String {
        if redact::is_telling(path) {
            return format!(
                "another type was expected (line {} column {})",
                error.line(),
                error.column()
            );
        }
        self.scrubber.snippet(error.to_string().as_bytes(), SNIPPET)
    }

    fn looks_like_json(&self) -> bool {
        matches!(self.body.trim_ascii_start().first(), Some(b'{' | b'['))
    }

    fn beginning(&self) -> String {
        match self.text_snippet() {
            text if text.is_empty() => "the body is empty".into(),
            text => text,
        }
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// An answer whose body is read as it arrives.
///
/// A body that ends early or stalls yields one error of kind `Unavailable` ("connection closed after N of M bytes").
pub struct StreamResponse {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: Headers,
    /// How long the body will be, where the server told.
    pub content_length: Option<u64>,
    /// The body.
    pub body: ByteStream,
}

impl StreamResponse {
    /// The first value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    /// Whether the status is 2xx.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

impl fmt::Debug for StreamResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamResponse")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .field("content_length", &self.content_length)
            .finish_non_exhaustive()
    }
}
