use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::builder::ClientBuilder;
use super::exchange;
use super::limit::Pacer;
use super::request::Request;
use super::response::{Response, StreamResponse};
use super::retry::{Judge, RetryPolicy};
use super::target::Base;
use crate::context::Context;
use crate::error::Result;

/// Speaks to one platform. Cheap to clone; all clones share connections, limits and waits.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) platform: &'static str,
    pub(super) base: Base,
    pub(super) transport: reqwest::Client,
    /// For hosts that only data names.
    pub(super) strangers: reqwest::Client,
    pub(super) timeout: Duration,
    pub(super) read_timeout: Duration,
    pub(super) pacer: Pacer,
    pub(super) retry: RetryPolicy,
    pub(super) max_body: usize,
    pub(super) judge: Judge,
}

impl Client {
    /// A client of `platform` (its name in the meter) whose paths are joined to `base`.
    #[must_use]
    pub fn builder(platform: &'static str, base: &str) -> ClientBuilder {
        ClientBuilder::new(platform, base)
    }

    /// The base address, without a slash at its end.
    #[must_use]
    pub fn base(&self) -> &str {
        self.inner.base.as_str()
    }

    /// Sends a request and reads the whole answer.
    ///
    /// Every answer that is not asked for again is `Ok`, whatever its status; GET follows up to five redirects.
    ///
    /// # Errors
    /// * `RateLimited`, `Unavailable` with [`Retry::Exhausted`](crate::Retry::Exhausted): 429, 5xx or broken connections until the
    ///   policy ended, with `status`, `request` and `attempts` as context.
    /// * `Unavailable` for which [`answer_lost`](super::answer_lost) is true: it was sent, must not be repeated, and no
    ///   whole answer came.
    /// * `Config`: plain http to another machine, a header that cannot be sent, a certificate that is not trusted.
    /// * `Refused`: a link that came from data leads to a private address.
    /// * `Protocol`: too many redirects, a redirect to plain http, an answer larger than allowed.
    /// * `Quota`: a limit's requests of a day are used up.
    /// * What [`Judgement::Fatal`](super::Judgement::Fatal) judged, by its status.
    /// * `Cancelled`; an error of a streamed body's own source.
    pub async fn send(&self, cx: &Context, request: Request) -> Result<Response> {
        Box::pin(exchange::whole(&self.inner, cx, request)).await
    }

    /// Sends a request and hands over the answer's body as it arrives.
    ///
    /// The same rules hold until the headers; only answers that are not 2xx are judged. Compression is not asked for.
    ///
    /// # Errors
    /// As of [`send`](Self::send). A body that breaks yields an error of kind `Unavailable` in its stream.
    pub async fn stream(&self, cx: &Context, request: Request) -> Result<StreamResponse> {
        Box::pin(exchange::streamed(&self.inner, cx, request)).await
    }
}

impl From<Inner> for Client {
    fn from(inner: Inner) -> Self {
        Self {
            inner: Arc::new(inner),
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("platform", &self.inner.platform)
            .field("base", &self.base())
            .field("retry", &self.inner.retry)
            .finish_non_exhaustive()
    }
}
