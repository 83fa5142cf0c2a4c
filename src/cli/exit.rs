//! Exit codes: one per kind of reason, so that scripts can tell.

use std::process::ExitCode;

use deskferry_core::{ErrorKind, Result};

/// How a verb ended when nothing went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Done {
    /// All is well.
    Well,
    /// Everything was done, and verify found differences that no rule explains.
    Differs,
    /// Something was found that must be settled first.
    Blocked(ErrorKind),
}

/// Prints an error to standard error and answers its code.
#[expect(clippy::print_stderr, reason = "this is the program's own voice")]
pub(super) fn code(result: &Result<Done>) -> ExitCode {
    match result {
        Ok(Done::Well) => ExitCode::SUCCESS,
        Ok(Done::Differs) => ExitCode::from(20),
        Ok(Done::Blocked(kind)) => ExitCode::from(number(*kind)),
        Err(error) => {
            eprintln!("error: {error}");
            tracing::debug!(?error, "details");
            ExitCode::from(number(error.kind()))
        }
    }
}

/// The codes are documented in the README; they never change their meaning.
const fn number(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::Config => 2,
        ErrorKind::Credentials => 3,
        ErrorKind::Interactive => 4,
        ErrorKind::Forbidden => 5,
        ErrorKind::NoSuchInstance => 6,
        ErrorKind::NotFound => 7,
        ErrorKind::RateLimited | ErrorKind::Quota => 8,
        ErrorKind::Unavailable => 9,
        ErrorKind::Decode | ErrorKind::Protocol => 10,
        ErrorKind::Refused => 11,
        ErrorKind::Conflict => 12,
        ErrorKind::Storage => 13,
        ErrorKind::Mismatch => 14,
        ErrorKind::Cancelled => 15,
        _ => 1,
    }
}
