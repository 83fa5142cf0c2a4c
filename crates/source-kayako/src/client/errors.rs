//! What an answer that is no success means. Codes decide, never messages (Kayako reference, section 5).

use deskferry_core::http::{Judgement, Response};
use deskferry_core::{Error, ErrorKind, Retry};

use crate::wire::Failure;

/// The first error code of an answer; empty where there is none.
pub(super) fn code(response: &Response) -> String {
    failure(response)
        .errors
        .into_iter()
        .next()
        .map(|fault| fault.code)
        .unwrap_or_default()
}

fn failure(response: &Response) -> Failure {
    serde_json::from_slice(&response.body).unwrap_or_default()
}

/// Kayako says 429 to two things: too fast, which passes, and too many wrong passwords, which only gets worse.
pub(super) fn judge(response: &Response) -> Judgement {
    match response.status {
        429 if code(response) == "AUTHENTICATION_LOCKED" => Judgement::Answer,
        _ => Judgement::by_status(response),
    }
}

/// Whether the session is gone and a new login may help.
pub(super) fn is_stale(status: u16, code: &str) -> bool {
    status == 454 || (status == 401 && code != "AUTHENTICATION_FAILED")
}

/// The error that an answer means.
pub(super) fn refusal(operation: &'static str, response: &Response) -> Error {
    let failure = failure(response);
    let fault = failure.errors.into_iter().next().unwrap_or_default();
    let error = match fault.code.as_str() {
        "AUTHENTICATION_FAILED" => {
            let notices: Vec<String> = failure
                .notifications
                .into_iter()
                .map(|n| n.message)
                .collect();
            let said = if notices.is_empty() {
                String::new()
            } else {
                format!(" ({})", notices.join("; "))
            };
            Error::new(ErrorKind::Credentials, operation, format!("Kayako refused the e-mail address or password{said}"))
                .advise("Correct them and start again; it was tried once only, since the account locks after about ten")
        }
        "AUTHENTICATION_LOCKED" => {
            let wait = response
                .header("retry-after")
                .map(|s| format!(" for {s} seconds"))
                .unwrap_or_default();
            Error::new(
                ErrorKind::Credentials,
                operation,
                format!("the account is locked{wait} after too many wrong logins"),
            )
            .advise("Wait, check e-mail address and password in a browser, then start again")
        }
        "OTP_EXPECTED" => Error::new(
            ErrorKind::Interactive,
            operation,
            "the account asks for a one-time password",
        )
        .advise("Use an administrator's account without two-factor login for the migration"),
        "CREDENTIAL_EXPIRED" => Error::new(
            ErrorKind::Interactive,
            operation,
            "the account's password has expired",
        )
        .advise("Log in with a browser, set a new password, and start again with it"),
        "AUTHORIZATION_REQUIRED" | "SESSION_LOADING_FAILED" => Error::new(
            ErrorKind::Credentials,
            operation,
            "Kayako does not accept the session that it has just given",
        )
        .advise("Check the account in a browser, then start again"),
        "LICENSE_EXPIRED" => license(operation),
        "PERMISSIONS_DENIED" => Error::new(
            ErrorKind::Forbidden,
            operation,
            "the account may not read this",
        )
        .advise("Use an administrator's or owner's account, and a plan with API access"),
        _ => by_status(operation, response),
    };
    let error = error.with("status", response.status);
    let error = if fault.code.is_empty() {
        error
    } else {
        error.with("code", &fault.code)
    };
    match fault.parameter {
        Some(parameter) => error.with("parameter", parameter),
        None => error,
    }
}

fn license(operation: &'static str) -> Error {
    Error::new(
        ErrorKind::Forbidden,
        operation,
        "the licence of this Kayako instance has expired or has no API access",
    )
    .advise("Renew it, or ask Kayako's support for API access until the migration is done")
}

fn by_status(operation: &'static str, response: &Response) -> Error {
    let kind = match response.status {
        401 => ErrorKind::Credentials,
        403 => ErrorKind::Forbidden,
        404 | 410 => ErrorKind::NotFound,
        426 => return license(operation),
        490 => return no_such_instance(operation),
        429 => ErrorKind::RateLimited,
        500..=599 => ErrorKind::Unavailable,
        _ => ErrorKind::Refused,
    };
    Error::new(
        kind,
        operation,
        format!(
            "Kayako answered {}: {}",
            response.status,
            response.text_snippet()
        ),
    )
}

/// 490 is said for a name that nobody has, and also during outages.
pub(super) fn no_such_instance(operation: &'static str) -> Error {
    Error::new(ErrorKind::NoSuchInstance, operation, "Kayako knows no instance of this name, or has trouble reaching it")
        .advise("Check the name in a browser; if the agent's page opens there, wait a little and start again")
}

/// The same answer from an instance that was there before.
pub(super) fn outage(operation: &'static str) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        operation,
        "Kayako says that the instance has trouble (490)",
    )
    .retry(Retry::Exhausted)
    .advise("Run `resume` when the agent's page opens again: nothing is lost")
}

#[cfg(test)]
mod tests {
    use super::*;
    use deskferry_core::http::Headers;

    fn answer(status: u16, body: &str) -> Response {
        Response::new(
            status,
            Headers::new([("Retry-After", "600")]),
            body.to_owned(),
        )
    }

    fn with_code(status: u16, code: &str) -> Response {
        answer(
            status,
            &format!(
                r#"{{"status":{status},"errors":[{{"code":"{code}","message":"…"}}],"auth_token":"tok-hidden"}}"#
            ),
        )
    }

    #[test]
    fn codes_decide_what_an_answer_means() {
        let cases = [
            (
                401,
                "AUTHENTICATION_FAILED",
                ErrorKind::Credentials,
                "refused the e-mail address or password",
            ),
            (
                429,
                "AUTHENTICATION_LOCKED",
                ErrorKind::Credentials,
                "locked for 600 seconds",
            ),
            (
                403,
                "OTP_EXPECTED",
                ErrorKind::Interactive,
                "one-time password",
            ),
            (
                403,
                "CREDENTIAL_EXPIRED",
                ErrorKind::Interactive,
                "set a new password",
            ),
            (
                401,
                "AUTHORIZATION_REQUIRED",
                ErrorKind::Credentials,
                "session",
            ),
            (
                454,
                "SESSION_LOADING_FAILED",
                ErrorKind::Credentials,
                "session",
            ),
            (426, "LICENSE_EXPIRED", ErrorKind::Forbidden, "licence"),
            (
                403,
                "PERMISSIONS_DENIED",
                ErrorKind::Forbidden,
                "administrator",
            ),
            (404, "RESOURCE_NOT_FOUND", ErrorKind::NotFound, "404"),
            (400, "FIELD_INVALID", ErrorKind::Refused, "400"),
            (418, "SOMETHING_NEW", ErrorKind::Refused, "SOMETHING_NEW"),
        ];
        for (status, code, kind, says) in cases {
            let error = refusal("list cases", &with_code(status, code));
            assert_eq!(error.kind(), kind, "{code}");
            assert!(error.to_string().contains(says), "{error}");
        }
        for error in ["OTP_EXPECTED", "CREDENTIAL_EXPIRED"]
            .map(|code| refusal("log in", &with_code(403, code)))
        {
            assert!(!format!("{error:?}").contains("tok-hidden"), "{error:?}");
        }
    }

    #[test]
    fn an_answer_without_a_code_is_judged_by_its_status() {
        let cases = [
            (490, ErrorKind::NoSuchInstance),
            (426, ErrorKind::Forbidden),
            (401, ErrorKind::Credentials),
            (404, ErrorKind::NotFound),
            (503, ErrorKind::Unavailable),
        ];
        for (status, kind) in cases {
            assert_eq!(
                refusal("list cases", &answer(status, "<html>…</html>")).kind(),
                kind,
                "{status}"
            );
        }
    }

    #[test]
    fn a_locked_account_is_an_answer_and_a_busy_server_a_reason_to_wait() {
        assert_eq!(
            judge(&with_code(429, "AUTHENTICATION_LOCKED")),
            Judgement::Answer
        );
        assert_eq!(
            judge(&with_code(429, "RATE_LIMIT_REACHED")),
            Judgement::Retry(None)
        );
        assert_eq!(judge(&answer(429, "<html>")), Judgement::Retry(None));
        assert_eq!(
            judge(&with_code(500, "ACTION_FAILED")),
            Judgement::Retry(None)
        );
        assert_eq!(judge(&answer(490, "<html>")), Judgement::Answer);
    }

    #[test]
    fn a_wrong_password_is_no_stale_session() {
        assert!(is_stale(454, ""));
        assert!(is_stale(401, "AUTHORIZATION_REQUIRED"));
        assert!(!is_stale(401, "AUTHENTICATION_FAILED"));
        assert!(!is_stale(403, "OTP_EXPECTED"));
    }
}
