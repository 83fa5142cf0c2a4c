//! One call from its request to its answer: pace, attempts, redirects, repetition.

use std::ops::ControlFlow;
use std::time::Duration;

use futures::stream::{self, StreamExt};
use tracing::Instrument;
use url::Url;

use super::call::{Call, Mode};
use super::client::Inner;
use super::delay::Delays;
use super::failure::{self, Broken, Reached};
use super::limit::Ticket;
use super::multipart::Payload;
use super::redact;
use super::request::{Method, Request};
use super::response::{Response, StreamResponse};
use super::retry::{self, Judgement, RetryPolicy, Verdict};
use super::retry_after::retry_after;
use super::wire::{Arrival, Failure, Talk};
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result, Retry};

const MAX_REDIRECTS: u32 = 5;

/// Sends a request and reads the whole answer.
pub(super) async fn whole(inner: &Inner, cx: &Context, request: Request) -> Result<Response> {
    match run(inner, cx, request, Mode::Whole).await? {
        Arrival::Whole(response) => Ok(response),
        Arrival::Open(open) => Err(open
            .subject
            .error(ErrorKind::Bug, "an unread answer was returned")),
    }
}

/// Sends a request and leaves the body of a 2xx answer unread.
pub(super) async fn streamed(
    inner: &Inner,
    cx: &Context,
    request: Request,
) -> Result<StreamResponse> {
    Ok(match run(inner, cx, request, Mode::Streamed).await? {
        Arrival::Whole(response) => {
            let (status, headers, body) = (response.status, response.headers, response.body);
            let content_length = Some(body.len() as u64);
            StreamResponse {
                status,
                headers,
                content_length,
                body: stream::once(async { Ok(body) }).boxed(),
            }
        }
        Arrival::Open(open) => open.into_stream(cx.clone(), inner.read_timeout),
    })
}

async fn run(inner: &Inner, cx: &Context, request: Request, mode: Mode) -> Result<Arrival> {
    let call = Call::prepare(inner, cx, &request, mode)?;
    let span = tracing::debug_span!(
        "http",
        platform = inner.platform,
        endpoint = call.endpoint,
        method = call.method.as_str(),
        url = redact::url(&call.url)
    );
    Exchange::new(inner, cx, call).run().instrument(span).await
}

/// What to do after a request.
enum Step {
    Done(Arrival),
    Follow(Url),
    Again(Again),
}

/// A request that may be sent again: why, and after which wait.
struct Again {
    error: Error,
    wait: Wait,
}

/// How long to wait before the next attempt.
#[derive(Clone, Copy)]
enum Wait {
    /// Everybody waits, at the limiter.
    Shared,
    /// As long as the platform asked.
    Asked(Duration),
    /// As long as the policy says.
    Own(Duration),
}

struct Exchange<'a> {
    inner: &'a Inner,
    cx: &'a Context,
    call: Call,
    policy: &'a RetryPolicy,
    delays: Delays,
    attempts: u32,
    spent: Duration,
}

impl<'a> Exchange<'a> {
    fn new(inner: &'a Inner, cx: &'a Context, call: Call) -> Self {
        let policy = &inner.retry;
        Self {
            inner,
            cx,
            call,
            policy,
            delays: Delays::new(policy),
            attempts: 0,
            spent: Duration::ZERO,
        }
    }

    async fn run(mut self) -> Result<Arrival> {
        loop {
            self.attempts += 1;
            let Again { error, wait } = match self.attempt().await? {
                ControlFlow::Break(arrival) => return Ok(arrival),
                ControlFlow::Continue(again) => again,
            };
            if !self.policy.allows(self.attempts, self.spent) {
                let error = failure::exhausted(error, self.attempts);
                return Err(self.inner.pacer.given_up(self.call.endpoint, error));
            }
            self.pause(wait).await?;
        }
    }

    async fn pause(&mut self, wait: Wait) -> Result<()> {
        let time = match wait {
            Wait::Shared => return Ok(()),
            Wait::Asked(time) => time,
            Wait::Own(time) => {
                self.spent += time;
                time
            }
        };
        self.cx.sleep(time, "wait before repeating a request").await
    }

    /// One attempt: a request, and those to which it is redirected.
    async fn attempt(&mut self) -> Result<ControlFlow<Arrival, Again>> {
        let mut url = self.call.url.clone();
        let mut trusted = self.inner.base.owns(&url);
        for _ in 0..=MAX_REDIRECTS {
            match self.request(&url, trusted).await? {
                Step::Follow(next) => {
                    // Once away, credentials stay away: another host must not choose where they go.
                    trusted &= self.inner.base.owns(&next);
                    url = next;
                }
                Step::Done(arrival) => return Ok(ControlFlow::Break(arrival)),
                Step::Again(again) => return Ok(ControlFlow::Continue(again)),
            }
        }
        let error = self.call.subject.error(
            ErrorKind::Protocol,
            format!("redirected more than {MAX_REDIRECTS} times"),
        );
        Err(error.with("url", redact::url(&self.call.url)))
    }

    async fn request(&mut self, url: &Url, trusted: bool) -> Result<Step> {
        let endpoint = self.call.endpoint;
        let permit = self
            .inner
            .pacer
            .acquire(self.cx, endpoint, &self.call.tally)
            .await
            .map_err(|error| error.with("platform", self.inner.platform))?;
        self.call.tally.sent(
            self.call.payload.as_ref().map_or(0, Payload::len),
            self.attempts > 1,
        );
        let began = self.cx.now();
        let ticket = Ticket {
            endpoint,
            sent: began,
        };
        let talk = Talk {
            inner: self.inner,
            cx: self.cx,
            call: &self.call,
            url,
            trusted,
        };
        let arrived = talk.run(permit).await;
        let took = (self.cx.now() - began).to_std().unwrap_or_default();
        self.spent += took;
        let millis = took.as_millis() as u64;
        match arrived {
            Ok(Arrival::Open(open)) => {
                tracing::debug!(
                    status = open.status,
                    attempt = self.attempts,
                    elapsed_ms = millis,
                    "answer begins"
                );
                self.inner.pacer.on_response(
                    self.cx.now(),
                    ticket,
                    open.status,
                    &open.headers,
                    None,
                );
                Ok(Step::Done(Arrival::Open(open)))
            }
            Ok(Arrival::Whole(response)) => {
                tracing::debug!(
                    status = response.status,
                    attempt = self.attempts,
                    elapsed_ms = millis,
                    "answered"
                );
                self.call.tally.answered(response.status);
                self.decide(url, ticket, response)
            }
            Err(Failure::Final(error)) => Err(error),
            Err(Failure::Broken(broken)) => {
                tracing::debug!(attempt = self.attempts, elapsed_ms = millis, error = %broken.message, "no answer");
                self.call.tally.broken();
                self.recover(url, broken)
            }
        }
    }

    /// What an answer means.
    fn decide(&mut self, url: &Url, ticket: Ticket, response: Response) -> Result<Step> {
        let now = self.cx.now();
        if let Some(location) = self.redirect(&response) {
            self.inner
                .pacer
                .on_response(now, ticket, response.status, &response.headers, None);
            return self
                .inner
                .base
                .redirect(url, location, &self.call.subject.operation)
                .map(Step::Follow)
                .map_err(|error| self.call.subject.own(error));
        }
        let asked = retry_after(&response.headers, now);
        let verdict = retry::verdict(
            self.judge(&response),
            response.status,
            self.call.idempotent,
            asked,
        );
        let shown = redact::url(url);
        let Verdict::Repeat(told) = verdict else {
            self.inner
                .pacer
                .on_response(now, ticket, response.status, &response.headers, None);
            return match verdict {
                Verdict::Fail => Err(self
                    .call
                    .subject
                    .answered(&response, &shown)
                    .retry(Retry::Never)),
                _ => Ok(Step::Done(Arrival::Whole(response))),
            };
        };
        // "Now" from a server that just refused would only use up the attempts.
        let told = told
            .filter(|time| !time.is_zero())
            .map(|time| time.min(self.policy.max_retry_after));
        let time = told.unwrap_or_else(|| self.delays.next());
        let shared = retry::concerns_all(response.status, asked);
        self.inner.pacer.on_response(
            now,
            ticket,
            response.status,
            &response.headers,
            shared.then_some(time),
        );
        let error = self.call.subject.answered(&response, &shown);
        let wait = match told {
            _ if shared => Wait::Shared,
            Some(time) => Wait::Asked(time),
            None => Wait::Own(time),
        };
        Ok(Step::Again(Again { error, wait }))
    }

    fn judge(&self, response: &Response) -> Judgement {
        (self.inner.judge)(response)
    }

    fn redirect<'r>(&self, response: &'r Response) -> Option<&'r str> {
        let moved = matches!(response.status, 301 | 302 | 303 | 307 | 308);
        if moved && self.call.method == Method::Get {
            response.header("location")
        } else {
            None
        }
    }

    /// What a broken connection means.
    fn recover(&mut self, url: &Url, broken: Broken) -> Result<Step> {
        let reached = broken.reached;
        let error = self.call.subject.broken(broken, &redact::url(url));
        match reached {
            Reached::Stranger => Err(error),
            Reached::Private => Err(error.retry(Retry::Never)),
            Reached::Perhaps if !self.call.idempotent => Err(failure::lost(error)),
            Reached::Perhaps | Reached::Nothing => Ok(Step::Again(Again {
                error,
                wait: Wait::Own(self.delays.next()),
            })),
        }
    }
}
