use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::client::{Client, Inner};
use super::limit::{Limit, Pacer};
use super::response::Response;
use super::retry::{Judge, Judgement, RetryPolicy};
use super::target::Base;
use super::transport::{self, Names};
use crate::error::Result;

/// What a [`Client`] is made of; [`build`](Self::build) checks it.
pub struct ClientBuilder {
    platform: &'static str,
    base: String,
    allow_plain_http: bool,
    allow_private_hosts: bool,
    settings: transport::Settings,
    timeout: Duration,
    read_timeout: Duration,
    limits: Vec<Limit>,
    retry: RetryPolicy,
    max_body: usize,
    judge: Judge,
}

impl ClientBuilder {
    pub(super) fn new(platform: &'static str, base: &str) -> Self {
        Self {
            platform,
            base: base.to_owned(),
            allow_plain_http: false,
            allow_private_hosts: false,
            settings: transport::Settings::default(),
            timeout: Duration::from_secs(120),
            read_timeout: Duration::from_secs(60),
            limits: vec![Limit::none()],
            retry: RetryPolicy::default(),
            max_body: 64 * 1024 * 1024,
            judge: Arc::new(Judgement::by_status),
        }
    }

    /// Allows plain http to other machines; without it only to this one.
    #[must_use]
    pub fn allow_plain_http(mut self, allow: bool) -> Self {
        self.allow_plain_http = allow;
        self
    }

    /// Lets links of other hosts (addresses in answers, redirects) lead to private, loopback, link-local and metadata
    /// addresses. Without it only the base itself may be there. A name counts by what it resolves to; behind a proxy of the
    /// environment the proxy resolves, and its rules hold.
    #[must_use]
    pub fn allow_private_hosts(mut self, allow: bool) -> Self {
        self.allow_private_hosts = allow;
        self
    }

    /// Looks names of other hosts up in another way.
    #[cfg(test)]
    pub(super) fn lookup(mut self, lookup: super::reach::Lookup) -> Self {
        self.settings.lookup = lookup;
        self
    }

    /// Trusts the certificates of a PEM text too, beside those of the system.
    #[must_use]
    pub fn root_certificate(mut self, pem: impl Into<String>) -> Self {
        self.settings.root_certificates.push(pem.into());
        self
    }

    /// What we call ourselves. Default `deskferry/<version>`.
    #[must_use]
    pub fn user_agent(mut self, name: impl Into<String>) -> Self {
        self.settings.user_agent = name.into();
        self
    }

    /// The time for the whole of one attempt, and one second more per 256 KiB sent; of a streamed answer, until its
    /// headers. Default 120 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The time for a connection, encryption included. Default 10 s.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.settings.connect_timeout = timeout;
        self
    }

    /// The longest pause between two pieces of an answer's body. Default 60 s.
    #[must_use]
    pub fn read_timeout(mut self, timeout: Duration) -> Self {
        self.read_timeout = timeout;
        self
    }

    /// The first limit that all clones of the client obey together. Default none.
    #[must_use]
    pub fn limit(mut self, limit: Limit) -> Self {
        self.limits[0] = limit;
        self
    }

    /// One more limit that holds beside the others: of some endpoints, say.
    #[must_use]
    pub fn also_limit(mut self, limit: Limit) -> Self {
        self.limits.push(limit);
        self
    }

    /// How often and how long requests are repeated.
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// The largest answer that is read into memory, in bytes, decompressed. Default 64 MiB. Streamed answers have no bound.
    #[must_use]
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// Says what the platform's answers mean. Default [`Judgement::by_status`].
    #[must_use]
    pub fn judge(mut self, judge: Arc<dyn Fn(&Response) -> Judgement + Send + Sync>) -> Self {
        self.judge = judge;
        self
    }

    /// The client.
    ///
    /// # Errors
    /// `Config`: the base address is none, is plain http to another machine, or holds a user; a certificate is none.
    pub fn build(self) -> Result<Client> {
        let base =
            Base::parse(&self.base, self.allow_plain_http)?.allow_private(self.allow_private_hosts);
        // A proxy of the environment must not see what stays on this machine.
        let transport = transport::build(&self.settings, !base.is_local(), Names::AsTheyAre)?;
        let strangers = transport::build(&self.settings, !base.is_local(), Names::PublicOnly)?;
        Ok(Client::from(Inner {
            platform: self.platform,
            base,
            transport,
            strangers,
            timeout: self.timeout,
            read_timeout: self.read_timeout,
            pacer: Pacer::new(&self.limits),
            retry: self.retry,
            max_body: self.max_body,
            judge: self.judge,
        }))
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("platform", &self.platform)
            .field("base", &super::redact::raw_url(&self.base))
            .field("limits", &self.limits)
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}
