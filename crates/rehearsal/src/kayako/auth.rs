//! Who may ask: Basic logins, sessions, tokens, one-time passwords, locks (Kayako reference, section 2).

use std::collections::HashMap;

use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::oauth::Tokens;
use super::{KayakoOptions, StaleSession};

/// After so many wrong passwords nobody gets in any more.
const ATTEMPTS: u32 = 10;

/// The sessions of one server; they do not survive its end.
#[derive(Debug, Default)]
pub(super) struct Guard {
    /// Calls that are left, where sessions end after a number of calls.
    sessions: HashMap<String, Option<u64>>,
    begun: u64,
    wrong: u32,
    auth_token: Option<String>,
    pub(super) tokens: Tokens,
}

/// A caller who may go on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pass {
    /// Given when this call logged in: it goes into the answer.
    pub(super) new_session: Option<String>,
    /// The session of the call.
    pub(super) session: String,
}

/// Why a caller may not go on.
#[derive(Debug, PartialEq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: &'static str,
    /// Further top-level members of the answer.
    pub(super) extra: Vec<(&'static str, Value)>,
    pub(super) retry_after: Option<u64>,
}

pub(super) fn refuse(status: u16, code: &'static str) -> Refusal {
    Refusal {
        status,
        code,
        extra: Vec::new(),
        retry_after: None,
    }
}

impl Guard {
    pub(super) fn judge(
        &mut self,
        options: &KayakoOptions,
        headers: &HeaderMap,
        query: &HashMap<String, String>,
        path: &str,
    ) -> Result<Pass, Refusal> {
        let header = |name: &str| {
            headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned)
        };
        let in_header = header("x-session-id");
        let in_query = query.get("_session_id").cloned();
        if let (Some(a), Some(b)) = (&in_header, &in_query)
            && a != b
        {
            return Err(refuse(400, "PARAMETERS_INCONSISTENT"));
        }
        let session = in_header.or(in_query);
        let authorization = header("authorization").or_else(|| {
            let token = query.get("access_token")?;
            Some(format!("Bearer {token}"))
        });
        match (session, authorization) {
            (Some(_), Some(_)) => Err(refuse(454, "SESSION_LOADING_FAILED")),
            (Some(session), None) => self.known(options, session),
            (None, Some(bearer)) if bearer.starts_with("Bearer ") => {
                self.tokens
                    .judge(options.oauth.as_ref(), &bearer["Bearer ".len()..], path)
            }
            (None, Some(authorization)) => {
                self.login(options, &authorization, header("x-token"), header("x-otp"))
            }
            (None, None) => Err(refuse(401, "AUTHORIZATION_REQUIRED")),
        }
    }

    fn known(&mut self, options: &KayakoOptions, session: String) -> Result<Pass, Refusal> {
        let over = match self.sessions.get_mut(&session) {
            None => true,
            Some(None) => false,
            Some(Some(0)) => true,
            Some(Some(left)) => {
                *left -= 1;
                false
            }
        };
        if over {
            self.sessions.remove(&session);
            return Err(match options.stale_session {
                StaleSession::Status454 => refuse(454, "SESSION_LOADING_FAILED"),
                StaleSession::Status401 => refuse(401, "AUTHORIZATION_REQUIRED"),
            });
        }
        Ok(Pass {
            new_session: None,
            session,
        })
    }

    fn login(
        &mut self,
        options: &KayakoOptions,
        authorization: &str,
        token: Option<String>,
        otp: Option<String>,
    ) -> Result<Pass, Refusal> {
        if self.wrong >= ATTEMPTS {
            return Err(Refusal {
                retry_after: Some(600),
                ..refuse(429, "AUTHENTICATION_LOCKED")
            });
        }
        if !is_login(authorization, &options.email, &options.password) {
            self.wrong += 1;
            let notice = json!([{"type": "ERROR", "message": format!("Invalid email or password (attempt: {}/{ATTEMPTS})", self.wrong), "sticky": false}]);
            return Err(Refusal {
                extra: vec![("notifications", notice)],
                ..refuse(401, "AUTHENTICATION_FAILED")
            });
        }
        self.wrong = 0;
        if options.password_expired {
            return Err(Refusal {
                extra: vec![("auth_token", self.token().into())],
                ..refuse(403, "CREDENTIAL_EXPIRED")
            });
        }
        if let Some(expected) = &options.otp
            && (otp.as_ref() != Some(expected) || token.is_none() || token != self.auth_token)
        {
            return Err(Refusal {
                extra: vec![("auth_token", self.token().into())],
                ..refuse(403, "OTP_EXPECTED")
            });
        }
        let session = self.opaque("session");
        self.sessions.insert(session.clone(), options.session_calls);
        Ok(Pass {
            new_session: Some(session.clone()),
            session,
        })
    }

    pub(super) fn end(&mut self, session: &str) {
        self.sessions.remove(session);
    }

    fn token(&mut self) -> String {
        let token = self.opaque("token");
        self.auth_token = Some(token.clone());
        token
    }

    /// Not to be guessed by a client that only saw earlier ones; not a secret worth keeping either.
    pub(super) fn opaque(&mut self, what: &str) -> String {
        self.begun += 1;
        let place = std::ptr::from_ref(self) as usize;
        let digest = Sha256::digest(format!(
            "{what} {} {place} {}",
            self.begun,
            std::process::id()
        ));
        digest
            .iter()
            .take(16)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

fn is_login(authorization: &str, email: &str, password: &str) -> bool {
    let Some(packed) = authorization.strip_prefix("Basic ") else {
        return false;
    };
    let Ok(plain) = STANDARD.decode(packed.trim()) else {
        return false;
    };
    let Ok(plain) = String::from_utf8(plain) else {
        return false;
    };
    plain
        .split_once(':')
        .is_some_and(|(user, given)| user.eq_ignore_ascii_case(email) && given == password)
}
