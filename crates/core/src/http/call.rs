//! A request, checked and ready to be sent any number of times.

use std::time::Duration;

use reqwest::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue};
use url::Url;

use super::client::Inner;
use super::failure::Subject;
use super::meter::Tally;
use super::multipart::Payload;
use super::redact::Scrubber;
use super::request::{Body, Method, Request};
use super::transport;
use crate::context::Context;
use crate::error::{Error, Result};

/// A large body gets more time: even a slow line carries this much in a second.
const SLOWEST_UPLOAD: u64 = 256 * 1024;

/// How much of an answer is read at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// The whole answer.
    Whole,
    /// The headers; the body of a 2xx answer stays on the wire.
    Streamed,
}

/// A request, checked and ready to be sent any number of times.
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) endpoint: &'static str,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) secret_headers: HeaderMap,
    pub(super) payload: Option<Payload>,
    pub(super) idempotent: bool,
    pub(super) timeout: Duration,
    pub(super) mode: Mode,
    pub(super) subject: Subject,
    pub(super) scrubber: Scrubber,
    pub(super) tally: Tally,
}

impl Call {
    pub(super) fn prepare(
        inner: &Inner,
        cx: &Context,
        request: &Request,
        mode: Mode,
    ) -> Result<Self> {
        let subject = Subject {
            operation: request.operation.clone(),
            about: request.about.clone(),
            method: request.method.as_str(),
            platform: inner.platform,
        };
        let url = inner
            .base
            .resolve(&request.path, &request.query, &subject.operation)
            .map_err(|error| subject.own(error))?;
        let mut headers = HeaderMap::new();
        if mode == Mode::Streamed {
            // A file's length must mean its bytes.
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        for (name, value) in &request.headers {
            transport::add_header(&mut headers, &subject, name, value, false)?;
        }
        let mut secret_headers = HeaderMap::new();
        for (name, value) in &request.secret_headers {
            transport::add_header(&mut secret_headers, &subject, name, value.expose(), true)?;
        }
        let payload = payload(&request.body, &subject)?;
        let upload = payload.as_ref().map_or(0, Payload::len) / SLOWEST_UPLOAD;
        Ok(Self {
            method: request.method,
            endpoint: request.endpoint,
            url,
            headers,
            secret_headers,
            payload,
            idempotent: request.idempotent,
            timeout: request.timeout.unwrap_or(inner.timeout) + Duration::from_secs(upload),
            mode,
            subject,
            scrubber: Scrubber::new(request.secret_headers.iter().map(|(_, value)| value)),
            tally: cx.meter().of(inner.platform, request.endpoint),
        })
    }

    pub(super) fn headers_for(&self, trusted: bool) -> HeaderMap {
        let mut headers = self.headers.clone();
        if trusted {
            headers.extend(self.secret_headers.clone());
        }
        headers
    }
}

fn payload(body: &Body, subject: &Subject) -> Result<Option<Payload>> {
    match body {
        Body::Empty => Ok(None),
        Body::One {
            content_type,
            content,
        } => Ok(Some(Payload::one(content_type, content))),
        Body::Multipart(parts) => Ok(Some(Payload::multipart(parts))),
        Body::Broken(what) => {
            let what = format!("the request is no JSON: {what}");
            Err(Error::bug(subject.operation.clone(), what).with("platform", subject.platform))
        }
    }
}
