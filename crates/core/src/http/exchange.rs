//! One call from its request to its answer: pace, attempts, redirects, repetition.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::stream::{self, StreamExt};
use reqwest::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue};
use tokio::time::timeout;
use tracing::Instrument;
use url::Url;

use super::client::Inner;
use super::delay::Delays;
use super::failure::{self, Broken, Reached, Subject};
use super::limit::Permit;
use super::meter::Tally;
use super::multipart::{Fault, Payload};
use super::redact::{self, Scrubber};
use super::request::{Body, Method, Request};
use super::response::{Headers, Response, StreamResponse};
use super::retry::{self, Judgement, RetryPolicy, Verdict};
use super::retry_after::retry_after;
use super::transport::{self, Message};
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result, Retry};
use crate::source::ByteStream;

const MAX_REDIRECTS: u32 = 5;

/// A large body gets more time: even a slow line carries this much in a second.
const SLOWEST_UPLOAD: u64 = 256 * 1024;

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
    let call = Call::prepare(inner, cx, request, mode)?;
    let span = tracing::debug_span!(
        "http",
        platform = inner.platform,
        endpoint = call.endpoint,
        method = call.method.as_str(),
        url = redact::url(&call.url)
    );
    Exchange::new(inner, cx, call).run().instrument(span).await
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Whole,
    Streamed,
}

/// A request, checked and ready to be sent any number of times.
struct Call {
    method: Method,
    endpoint: &'static str,
    url: Url,
    headers: HeaderMap,
    secret_headers: HeaderMap,
    payload: Option<Payload>,
    idempotent: bool,
    timeout: Duration,
    mode: Mode,
    subject: Subject,
    scrubber: Scrubber,
    tally: Tally,
}

impl Call {
    fn prepare(inner: &Inner, cx: &Context, request: Request, mode: Mode) -> Result<Self> {
        let subject = Subject {
            operation: request.operation,
            about: request.about,
            method: request.method.as_str(),
            platform: inner.platform,
        };
        let url = inner
            .base
            .resolve(&request.path, &request.query, &subject.operation)?;
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
        let payload = match request.body {
            Body::Empty => None,
            Body::One {
                content_type,
                content,
            } => Some(Payload::one(&content_type, &content)),
            Body::Multipart(parts) => Some(Payload::multipart(&parts)),
            Body::Broken(what) => {
                let error = Error::bug(
                    subject.operation.clone(),
                    format!("the request is no JSON: {what}"),
                );
                return Err(error.with("platform", inner.platform));
            }
        };
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

    fn headers_for(&self, trusted: bool) -> HeaderMap {
        let mut headers = self.headers.clone();
        if trusted {
            headers.extend(self.secret_headers.clone());
        }
        headers
    }
}

/// What came back, as far as it was read.
enum Arrival {
    Whole(Response),
    Open(Box<Open>),
}

/// Why nothing came back.
enum Failure {
    /// The connection.
    Broken(Broken),
    /// Our own side, or an answer that is refused: not to be repeated.
    Final(Error),
}

/// What to do after an attempt.
enum Step {
    Done(Arrival),
    Follow(Url),
    Again { error: Error, wait: Wait },
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
            let (error, wait) = match self.attempt().await? {
                Step::Done(arrival) => return Ok(arrival),
                Step::Follow(_) => {
                    return Err(Error::bug(
                        self.call.subject.operation.clone(),
                        "a redirect was left",
                    ));
                }
                Step::Again { error, wait } => (error, wait),
            };
            if !self.policy.allows(self.attempts, self.spent) {
                return Err(failure::exhausted(error, self.attempts));
            }
            match wait {
                Wait::Shared => {}
                Wait::Asked(time) => {
                    self.cx
                        .sleep(time, "wait before repeating a request")
                        .await?
                }
                Wait::Own(time) => {
                    self.spent += time;
                    self.cx
                        .sleep(time, "wait before repeating a request")
                        .await?;
                }
            }
        }
    }

    /// One attempt: a request, and those to which it is redirected.
    async fn attempt(&mut self) -> Result<Step> {
        let mut url = self.call.url.clone();
        let mut trusted = self.inner.base.owns(&url);
        for _ in 0..=MAX_REDIRECTS {
            match self.request(&url, trusted).await? {
                Step::Follow(next) => {
                    // Once away, credentials stay away: another host must not choose where they go.
                    trusted &= self.inner.base.owns(&next);
                    url = next;
                }
                step => return Ok(step),
            }
        }
        let error = self.call.subject.error(
            ErrorKind::Protocol,
            format!("redirected more than {MAX_REDIRECTS} times"),
        );
        Err(error.with("url", redact::url(&self.call.url)))
    }

    async fn request(&mut self, url: &Url, trusted: bool) -> Result<Step> {
        let permit = self.inner.pacer.acquire(self.cx, &self.call.tally).await?;
        self.call.tally.sent(
            self.call.payload.as_ref().map_or(0, Payload::len),
            self.attempts > 1,
        );
        let began = self.cx.now();
        let arrived = self.exchange(url, trusted, permit).await;
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
                self.inner
                    .pacer
                    .on_response(self.cx.now(), open.status, &open.headers, None);
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
                self.decide(url, response)
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
    fn decide(&mut self, url: &Url, response: Response) -> Result<Step> {
        let now = self.cx.now();
        if let Some(location) = self.redirect(&response) {
            self.inner
                .pacer
                .on_response(now, response.status, &response.headers, None);
            return self
                .inner
                .base
                .redirect(url, location, &self.call.subject.operation)
                .map(Step::Follow);
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
                .on_response(now, response.status, &response.headers, None);
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
        Ok(Step::Again { error, wait })
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
            Reached::Perhaps if !self.call.idempotent => Err(failure::lost(error)),
            Reached::Perhaps | Reached::Nothing => Ok(Step::Again {
                error,
                wait: Wait::Own(self.delays.next()),
            }),
        }
    }

    /// Sends, and reads what the mode asks for. A read is given up when the run stops; a write is not, since its
    /// answer tells whether it took effect.
    async fn exchange(&self, url: &Url, trusted: bool, permit: Permit) -> Result<Arrival, Failure> {
        let fault = Fault::default();
        let bounded = async {
            match timeout(self.call.timeout, self.talk(url, trusted, permit, &fault)).await {
                Ok(arrived) => arrived,
                Err(_) => {
                    let limit = self.call.timeout.as_secs_f64();
                    Err(Failure::Broken(Broken::after_sending(format!(
                        "no whole answer within {limit} s"
                    ))))
                }
            }
        };
        let arrived = if self.call.idempotent {
            tokio::select! {
                arrived = bounded => arrived,
                () = self.cx.cancelled() => Err(Failure::Final(cancelled(&self.call.subject))),
            }
        } else {
            bounded.await
        };
        match (arrived, fault.take()) {
            // The connection broke because our own bytes could not be read.
            (Err(Failure::Broken(_)), Some(error)) => Err(Failure::Final(error)),
            (arrived, _) => arrived,
        }
    }

    async fn talk(
        &self,
        url: &Url,
        trusted: bool,
        permit: Permit,
        fault: &Fault,
    ) -> Result<Arrival, Failure> {
        let call = &self.call;
        let message = Message {
            method: call.method,
            url: url.clone(),
            headers: call.headers_for(trusted),
            payload: call.payload.as_ref(),
            fault,
        };
        let response = transport::send(&self.inner.transport, message)
            .await
            .map_err(Failure::Broken)?;
        let status = response.status().as_u16();
        let headers = transport::headers(&response);
        if call.mode == Mode::Streamed && (200..300).contains(&status) {
            let content_length = response.content_length();
            let (subject, url, tally) =
                (call.subject.clone(), redact::url(url), call.tally.clone());
            return Ok(Arrival::Open(Box::new(Open {
                status,
                headers,
                content_length,
                response,
                subject,
                url,
                tally,
                _permit: permit,
            })));
        }
        let body = self.read(response, url).await?;
        Ok(Arrival::Whole(
            Response::new(status, headers, body).scrubbed_by(call.scrubber.clone()),
        ))
    }

    async fn read(&self, mut response: reqwest::Response, url: &Url) -> Result<Bytes, Failure> {
        let length = response.content_length();
        let most = self.inner.max_body;
        if length.is_some_and(|length| length > most as u64) {
            return Err(Failure::Final(self.too_large(most, url)));
        }
        let mut body = BytesMut::new();
        while let Some(piece) = next_piece(
            &mut response,
            self.inner.read_timeout,
            body.len() as u64,
            length,
        )
        .await
        .map_err(Failure::Broken)?
        {
            self.call.tally.received(piece.len());
            if body.len() + piece.len() > most {
                return Err(Failure::Final(self.too_large(most, url)));
            }
            body.extend_from_slice(&piece);
        }
        Ok(body.freeze())
    }

    fn too_large(&self, most: usize, url: &Url) -> Error {
        let error = self
            .call
            .subject
            .error(
                ErrorKind::Protocol,
                format!("the answer is larger than the {most} bytes that are allowed"),
            )
            .with(
                "request",
                format!("{} {}", self.call.method.as_str(), redact::url(url)),
            );
        if self.call.idempotent {
            error
        } else {
            failure::lost(error)
        }
    }
}

/// The next piece of a body, within the time-out for silence.
async fn next_piece(
    response: &mut reqwest::Response,
    silence: Duration,
    got: u64,
    length: Option<u64>,
) -> Result<Option<Bytes>, Broken> {
    match timeout(silence, response.chunk()).await {
        Ok(Ok(piece)) => Ok(piece),
        Ok(Err(error)) => Err(transport::cut(error, got, length)),
        Err(_) => {
            let of = length
                .map(|length| format!(" of {length}"))
                .unwrap_or_default();
            let silence = silence.as_secs_f64();
            Err(Broken::after_sending(format!(
                "nothing came for {silence} s, after {got}{of} bytes"
            )))
        }
    }
}

/// A 2xx answer whose body is still on the wire.
struct Open {
    status: u16,
    headers: Headers,
    content_length: Option<u64>,
    response: reqwest::Response,
    subject: Subject,
    url: String,
    tally: Tally,
    /// Held until the last byte.
    _permit: Permit,
}

impl Open {
    fn into_stream(self: Box<Self>, cx: Context, silence: Duration) -> StreamResponse {
        let (status, headers, content_length) =
            (self.status, self.headers.clone(), self.content_length);
        let state = Some((self, 0_u64));
        let body: ByteStream = stream::unfold(state, move |state| {
            let cx = cx.clone();
            async move {
                let (mut open, got) = state?;
                match open.next(&cx, got, silence).await? {
                    Ok(piece) => {
                        let got = got + piece.len() as u64;
                        Some((Ok(piece), Some((open, got))))
                    }
                    Err(error) => Some((Err(error), None)),
                }
            }
        })
        .boxed();
        StreamResponse {
            status,
            headers,
            content_length,
            body,
        }
    }

    async fn next(&mut self, cx: &Context, got: u64, silence: Duration) -> Option<Result<Bytes>> {
        let piece = tokio::select! {
            piece = next_piece(&mut self.response, silence, got, self.content_length) => piece,
            () = cx.cancelled() => return Some(Err(cancelled(&self.subject))),
        };
        match piece {
            Ok(Some(piece)) => {
                self.tally.received(piece.len());
                Some(Ok(piece))
            }
            Ok(None) => None,
            Err(broken) => {
                self.tally.broken();
                Some(Err(self.subject.broken(broken, &self.url)))
            }
        }
    }
}

fn cancelled(subject: &Subject) -> Error {
    subject
        .error(ErrorKind::Cancelled, "the run was asked to stop")
        .advise("Run `resume` to go on where it stopped")
}
