//! One error type for the workspace.

use std::borrow::Cow;
use std::fmt;

use crate::key::RecordKey;

/// The workspace's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of thing went wrong; decides exit codes and advice, never whether a row is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The configuration or the mapping is wrong; nothing was sent.
    Config,
    /// The platform judged the credentials. Never repeated: accounts lock.
    Credentials,
    /// A person must act first: one-time password, expired password, approval.
    Interactive,
    /// The credentials are right, but a right or a licence is missing.
    Forbidden,
    /// The address leads to nothing that speaks this protocol (unknown instance, wrong host).
    NoSuchInstance,
    /// The thing asked for does not exist (any more).
    NotFound,
    /// The platform asked to slow down and the patience ran out.
    RateLimited,
    /// A daily or storage allowance is used up.
    Quota,
    /// Server errors, cut connections, time-outs: may heal.
    Unavailable,
    /// An answer that cannot be understood.
    Decode,
    /// An answer that breaks the protocol: a page that repeats, a cursor that stands still.
    Protocol,
    /// The platform refused what was sent.
    Refused,
    /// Somebody else holds what is needed (a lock, another run).
    Conflict,
    /// A file or database of this machine failed: full disk, fsync, damaged file.
    Storage,
    /// A workspace, ledger, stage, cursor or mapping of another version, tenant or target.
    Mismatch,
    /// The connector does not offer this.
    Unsupported,
    /// The run was asked to stop.
    Cancelled,
    /// A bug of ours: an invariant that did not hold.
    Bug,
}

impl ErrorKind {
    /// A short, stable name for reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Credentials => "credentials",
            Self::Interactive => "interactive",
            Self::Forbidden => "forbidden",
            Self::NoSuchInstance => "no-such-instance",
            Self::NotFound => "not-found",
            Self::RateLimited => "rate-limited",
            Self::Quota => "quota",
            Self::Unavailable => "unavailable",
            Self::Decode => "decode",
            Self::Protocol => "protocol",
            Self::Refused => "refused",
            Self::Conflict => "conflict",
            Self::Storage => "storage",
            Self::Mismatch => "mismatch",
            Self::Unsupported => "unsupported",
            Self::Cancelled => "cancelled",
            Self::Bug => "bug",
        }
    }
}

/// Whether trying again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Retry {
    /// It cannot.
    Never,
    /// It can, later.
    Later,
    /// It could have, and was tried as often as allowed.
    Exhausted,
}

/// What was being done, to which record, what came back and what to do now.
///
/// `Display` is one line for people; `Debug` adds kind, retry state, context and the chain of causes.
/// Neither ever holds a secret: whoever builds an error passes redacted texts only.
#[derive(thiserror::Error)]
#[error("{}", self.0)]
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    retry: Retry,
    operation: Cow<'static, str>,
    message: String,
    record: Option<RecordKey>,
    context: Vec<(&'static str, String)>,
    advice: Option<Cow<'static, str>>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of `kind` while doing `operation` ("list cases"), with what came back.
    pub fn new(
        kind: ErrorKind,
        operation: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        let retry = match kind {
            ErrorKind::Unavailable | ErrorKind::RateLimited => Retry::Later,
            _ => Retry::Never,
        };
        Self(Box::new(Inner {
            kind,
            retry,
            operation: operation.into(),
            message: message.into(),
            record: None,
            context: Vec::new(),
            advice: None,
            source: None,
        }))
    }

    /// The same error with the record that it is about.
    #[must_use]
    pub fn of(mut self, record: RecordKey) -> Self {
        self.0.record = Some(record);
        self
    }

    /// The same error with one more context pair.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.0.context.push((name, value.to_string()));
        self
    }

    /// The same error with what the reader should do now.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<Cow<'static, str>>) -> Self {
        self.0.advice = Some(advice.into());
        self
    }

    /// The same error with its cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The same error with another verdict on retrying.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.0.retry = retry;
        self
    }

    /// The same error under another kind.
    #[must_use]
    pub fn kind_is(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// The same error for another who waited for the same thing: everything but the cause, which stays with the first.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        let inner = &self.0;
        Self(Box::new(Inner {
            kind: inner.kind,
            retry: inner.retry,
            operation: inner.operation.clone(),
            message: inner.message.clone(),
            record: inner.record.clone(),
            context: inner.context.clone(),
            advice: inner.advice.clone(),
            source: None,
        }))
    }

    /// What kind of thing went wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether trying again can help.
    #[must_use]
    pub fn retry_state(&self) -> Retry {
        self.0.retry
    }

    /// What was being done.
    #[must_use]
    pub fn operation(&self) -> &str {
        &self.0.operation
    }

    /// What came back.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The record it is about.
    #[must_use]
    pub fn record(&self) -> Option<&RecordKey> {
        self.0.record.as_ref()
    }

    /// The value of a context pair.
    #[must_use]
    pub fn context(&self, name: &str) -> Option<&str> {
        self.0
            .context
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, v)| v.as_str())
    }

    /// What the reader should do now.
    #[must_use]
    pub fn advice(&self) -> Option<&str> {
        self.0.advice.as_deref()
    }
}

impl fmt::Display for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.operation)?;
        if let Some(record) = &self.record {
            write!(f, " ({record})")?;
        }
        write!(f, ": {}", self.message)?;
        for (i, (name, value)) in self.context.iter().enumerate() {
            let sep = if i == 0 { " [" } else { ", " };
            write!(f, "{sep}{name}: {value}")?;
        }
        if !self.context.is_empty() {
            f.write_str("]")?;
        }
        if let Some(advice) = &self.advice {
            write!(f, ". {advice}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ({}, retry {:?})",
            self.0,
            self.0.kind.name(),
            self.0.retry
        )?;
        let mut cause: Option<&(dyn std::error::Error + 'static)> = match &self.0.source {
            Some(source) => Some(source.as_ref()),
            None => None,
        };
        while let Some(error) = cause {
            write!(f, "\n  caused by: {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl Error {
    /// The cause, if one was kept.
    #[must_use]
    pub fn cause(&self) -> Option<&(dyn std::error::Error + Send + Sync + 'static)> {
        self.0.source.as_deref()
    }

    /// A failure of this machine's files.
    pub fn storage(operation: impl Into<Cow<'static, str>>, error: std::io::Error) -> Self {
        let advice = match error.kind() {
            std::io::ErrorKind::StorageFull
            | std::io::ErrorKind::QuotaExceeded
            | std::io::ErrorKind::FileTooLarge => {
                "Free space on the workspace's disk, then run `resume`: nothing is lost"
            }
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                "Check who owns the workspace folder and whether its disk can be written, then run `resume`"
            }
            _ => "Check the disk that holds the workspace, then run `resume`",
        };
        Self::new(ErrorKind::Storage, operation, error.to_string())
            .advise(advice)
            .because(error)
    }

    /// An answer that cannot be decoded; names the JSON path.
    pub fn decode(
        operation: impl Into<Cow<'static, str>>,
        path: &str,
        message: impl fmt::Display,
    ) -> Self {
        Self::new(
            ErrorKind::Decode,
            operation,
            format!("at `{path}`: {message}"),
        )
    }

    /// An invariant of ours that did not hold.
    pub fn bug(operation: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Bug, operation, message)
            .advise("This is a defect of Deskferry: please report it with the log")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_says_what_was_done_to_which_record_what_came_back_and_what_to_do() {
        let error = Error::new(ErrorKind::Forbidden, "list cases", "403 PERMISSIONS_DENIED")
            .of(RecordKey::parse("kayako:acme:conversation:7").unwrap())
            .with("endpoint", "cases")
            .advise("Use an administrator's account");
        assert_eq!(
            error.to_string(),
            "list cases (kayako:acme:conversation:7): 403 PERMISSIONS_DENIED [endpoint: cases]. Use an administrator's account"
        );
        assert_eq!(error.retry_state(), Retry::Never);
    }

    #[test]
    fn a_duplicate_says_all_that_the_first_says() {
        let io = std::io::Error::new(std::io::ErrorKind::StorageFull, "no space");
        let first = Error::storage("append to the stage", io)
            .of(RecordKey::parse("kayako:acme:conversation:7").unwrap())
            .with("segment", 3)
            .retry(Retry::Exhausted);
        let second = first.duplicate();
        assert_eq!(second.to_string(), first.to_string());
        assert_eq!(
            (
                second.kind(),
                second.retry_state(),
                second.context("segment")
            ),
            (ErrorKind::Storage, Retry::Exhausted, Some("3"))
        );
        assert!(second.cause().is_none() && first.cause().is_some());
    }

    #[test]
    fn debug_shows_the_chain_of_causes() {
        let io = std::io::Error::new(std::io::ErrorKind::StorageFull, "no space");
        let shown = format!("{:?}", Error::storage("append to the stage", io));
        assert!(shown.contains("caused by: no space"), "{shown}");
        assert!(shown.contains("Free space"), "{shown}");
    }
}
