//! One request on the wire: sent, answered, read within its times.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::stream::{self, StreamExt};
use tokio::time::timeout;
use url::Url;

use super::call::{Call, Mode};
use super::client::Inner;
use super::failure::{self, Broken, Subject};
use super::limit::Permit;
use super::meter::Tally;
use super::multipart::Fault;
use super::redact;
use super::response::{Headers, Response, StreamResponse};
use super::transport::{self, Message};
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::source::ByteStream;

/// What came back, as far as it was read.
pub(super) enum Arrival {
    Whole(Response),
    Open(Box<Open>),
}

/// Why nothing came back.
pub(super) enum Failure {
    /// The connection.
    Broken(Broken),
    /// Our own side, or an answer that is refused: not to be repeated.
    Final(Error),
}

/// A call to one address.
pub(super) struct Talk<'a> {
    pub(super) inner: &'a Inner,
    pub(super) cx: &'a Context,
    pub(super) call: &'a Call,
    pub(super) url: &'a Url,
    /// Whether credentials go along.
    pub(super) trusted: bool,
}

impl Talk<'_> {
    /// Sends, and reads what the mode asks for. A read is given up when the run stops; a write is not, since its
    /// answer tells whether it took effect.
    pub(super) async fn run(&self, permit: Permit) -> Result<Arrival, Failure> {
        let fault = Fault::default();
        let bounded = async {
            match timeout(self.call.timeout, self.talk(permit, &fault)).await {
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

    async fn talk(&self, permit: Permit, fault: &Fault) -> Result<Arrival, Failure> {
        let call = self.call;
        let message = Message {
            method: call.method,
            url: self.url.clone(),
            headers: call.headers_for(self.trusted),
            payload: call.payload.as_ref(),
            fault,
        };
        let client = match self.inner.base.is_stranger(self.url) {
            true => &self.inner.strangers,
            false => &self.inner.transport,
        };
        let response = transport::send(client, message)
            .await
            .map_err(Failure::Broken)?;
        let status = response.status().as_u16();
        let headers = transport::headers(&response);
        if call.mode == Mode::Streamed && (200..300).contains(&status) {
            let content_length = response.content_length();
            let (subject, url, tally) = (
                call.subject.clone(),
                redact::url(self.url),
                call.tally.clone(),
            );
            return Ok(Arrival::Open(Box::new(Open {
                status,
                headers,
                content_length,
                response,
                subject,
                url,
                tally,
                _permit: permit.landed(),
            })));
        }
        let body = self.read(response).await?;
        Ok(Arrival::Whole(
            Response::new(status, headers, body).scrubbed_by(call.scrubber.clone()),
        ))
    }

    async fn read(&self, mut response: reqwest::Response) -> Result<Bytes, Failure> {
        let length = response.content_length();
        let most = self.inner.max_body;
        if length.is_some_and(|length| length > most as u64) {
            return Err(Failure::Final(self.too_large(most)));
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
                return Err(Failure::Final(self.too_large(most)));
            }
            body.extend_from_slice(&piece);
        }
        Ok(body.freeze())
    }

    fn too_large(&self, most: usize) -> Error {
        let error = self
            .call
            .subject
            .error(
                ErrorKind::Protocol,
                format!("the answer is larger than the {most} bytes that are allowed"),
            )
            .with(
                "request",
                format!("{} {}", self.call.method.as_str(), redact::url(self.url)),
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
pub(super) struct Open {
    pub(super) status: u16,
    pub(super) headers: Headers,
    content_length: Option<u64>,
    response: reqwest::Response,
    pub(super) subject: Subject,
    url: String,
    tally: Tally,
    /// Held until the last byte.
    _permit: Permit,
}

impl Open {
    pub(super) fn into_stream(self: Box<Self>, cx: Context, silence: Duration) -> StreamResponse {
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
