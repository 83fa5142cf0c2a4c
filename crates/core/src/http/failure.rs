//! Errors from what went wrong between us and a server.

use std::borrow::Cow;

use super::response::Response;
use crate::error::{Error, ErrorKind, Retry};
use crate::key::RecordKey;

const ANSWER: &str = "answer";
const LOST: &str = "lost";

/// Whether a request that must not be repeated was sent and its answer lost: it may or may not have taken effect.
#[must_use]
pub fn answer_lost(error: &Error) -> bool {
    error.context(ANSWER) == Some(LOST)
}

/// What an error tells of its request.
#[derive(Clone)]
pub(super) struct Subject {
    pub(super) operation: Cow<'static, str>,
    pub(super) about: Option<RecordKey>,
    pub(super) method: &'static str,
    pub(super) platform: &'static str,
}

impl Subject {
    pub(super) fn error(&self, kind: ErrorKind, message: impl Into<String>) -> Error {
        let error =
            Error::new(kind, self.operation.clone(), message).with("platform", self.platform);
        match &self.about {
            Some(record) => error.of(record.clone()),
            None => error,
        }
    }

    /// An error that does not know yet to what it belongs.
    pub(super) fn own(&self, error: Error) -> Error {
        let error = error.with("platform", self.platform);
        match &self.about {
            Some(record) => error.of(record.clone()),
            None => error,
        }
    }

    /// An answer that is an error.
    pub(super) fn answered(&self, response: &Response, url: &str) -> Error {
        let kind = match response.status {
            401 => ErrorKind::Credentials,
            403 => ErrorKind::Forbidden,
            404 => ErrorKind::NotFound,
            429 => ErrorKind::RateLimited,
            500..=599 => ErrorKind::Unavailable,
            _ => ErrorKind::Refused,
        };
        let message = match response.text_snippet() {
            text if text.is_empty() => format!("the server answered {}", response.status),
            text => format!("the server answered {}: {text}", response.status),
        };
        self.error(kind, message)
            .with("status", response.status)
            .with("request", format!("{} {url}", self.method))
    }

    /// A transport failure.
    pub(super) fn broken(&self, failure: Broken, url: &str) -> Error {
        let error = self
            .error(failure.kind(), failure.message)
            .with("request", format!("{} {url}", self.method));
        let error = match failure.advice {
            Some(advice) => error.advise(advice),
            None => error,
        };
        match failure.cause {
            Some(cause) => error.because(cause),
            None => error,
        }
    }
}

/// The same error, saying that its answer is lost.
pub(super) fn lost(error: Error) -> Error {
    error.with(ANSWER, LOST)
}

/// The same error, saying that it was tried as often as allowed.
pub(super) fn exhausted(error: Error, attempts: u32) -> Error {
    let error = error.with("attempts", attempts).retry(Retry::Exhausted);
    if error.advice().is_some() {
        error
    } else {
        error.advise("Run `resume` later: it goes on where it stopped")
    }
}

/// How far an attempt came before its connection failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reached {
    /// Nothing was sent: no connection.
    Nothing,
    /// Nothing was sent, and trying again cannot help: the server's certificate is not trusted.
    Stranger,
    /// Nothing was sent: a link of somebody else's leads to a private address.
    Private,
    /// The request may have arrived.
    Perhaps,
}

/// A transport failure.
pub(super) struct Broken {
    pub(super) reached: Reached,
    pub(super) message: String,
    pub(super) advice: Option<&'static str>,
    pub(super) cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Broken {
    pub(super) fn after_sending(message: impl Into<String>) -> Self {
        Self {
            reached: Reached::Perhaps,
            message: message.into(),
            advice: None,
            cause: None,
        }
    }

    fn kind(&self) -> ErrorKind {
        match self.reached {
            Reached::Stranger => ErrorKind::Config,
            Reached::Private => ErrorKind::Refused,
            Reached::Nothing | Reached::Perhaps => ErrorKind::Unavailable,
        }
    }
}
