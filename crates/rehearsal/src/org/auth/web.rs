//! The web-server flow and refresh tokens. Nobody is asked at a screen: whoever opens the address agrees, as the
//! integration user.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rusqlite::OptionalExtension;
use sha2::{Digest, Sha256};

use super::{TokenError, broken, invalid_grant};
use crate::org::engine::{Ctx, INTEGRATION_USER};
use crate::org::error::Refusal;
use crate::org::random;

/// The vendor's own command line, which every org knows without being told.
const VENDORS_OWN: &str = "PlatformCLI";

/// Codes that were given and not yet used.
#[derive(Debug, Default)]
pub(crate) struct Codes {
    open: Mutex<HashMap<String, Code>>,
}

#[derive(Debug)]
struct Code {
    redirect: String,
    challenge: Option<String>,
}

impl Codes {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Code>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether this is a client that may ask without a secret.
pub(super) fn knows(ctx: &Ctx<'_>, id: Option<&str>) -> bool {
    id == Some(ctx.settings().client_id.as_str()) || id == Some(VENDORS_OWN)
}

/// `GET /services/oauth2/authorize`: where the browser is sent, or what it is told.
pub(crate) fn authorize(
    ctx: &Ctx<'_>,
    query: &HashMap<String, String>,
) -> Result<String, TokenError> {
    let field = |name: &str| query.get(name).map(String::as_str);
    if !knows(ctx, field("client_id")) {
        let description = "client identifier invalid";
        return Err(TokenError(400, "invalid_client_id", description));
    }
    let missing = || TokenError(400, "redirect_uri_missing", "missing required redirect");
    let redirect = field("redirect_uri").ok_or_else(missing)?;
    let mut to = url::Url::parse(redirect).map_err(|_| missing())?;
    if field("response_type") != Some("code") {
        let description = "response type must be code";
        return Err(TokenError(400, "unsupported_response_type", description));
    }
    let code = format!("aPrx{}", random::text(60));
    to.query_pairs_mut().append_pair("code", &code);
    if let Some(state) = field("state") {
        to.query_pairs_mut().append_pair("state", state);
    }
    let kept = Code {
        redirect: redirect.to_owned(),
        challenge: field("code_challenge").map(str::to_owned),
    };
    ctx.engine.sessions.codes.lock().insert(code, kept);
    Ok(to.into())
}

/// The user of an authorization code, which is used up.
pub(super) fn by_code(ctx: &Ctx<'_>, form: &HashMap<String, String>) -> Result<i64, TokenError> {
    let field = |name: &str| form.get(name).map(String::as_str);
    let invalid = || invalid_grant("invalid authorization code");
    let code = ctx
        .engine
        .sessions
        .codes
        .lock()
        .remove(field("code").unwrap_or_default())
        .ok_or_else(invalid)?;
    if field("redirect_uri") != Some(code.redirect.as_str()) {
        let description = "redirect_uri must match configuration";
        return Err(TokenError(400, "redirect_uri_mismatch", description));
    }
    if let Some(challenge) = &code.challenge {
        let verifier = field("code_verifier").unwrap_or_default();
        let hashed = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
        if hashed != challenge.trim_end_matches('=') {
            return Err(invalid_grant("invalid code verifier"));
        }
    }
    Ok(INTEGRATION_USER)
}

/// The user of a refresh token.
pub(super) fn by_refresh_token(
    ctx: &Ctx<'_>,
    form: &HashMap<String, String>,
) -> Result<i64, TokenError> {
    let token = form.get("refresh_token").map_or("", String::as_str);
    let own = ctx.settings().refresh_token.as_ref();
    if own.is_some_and(|own| own.0 == token && !token.is_empty()) {
        return Ok(INTEGRATION_USER);
    }
    let found: Option<i64> = ctx
        .db
        .query_row(
            "SELECT user FROM refresh_tokens WHERE token = ?1",
            [token],
            |row| row.get(0),
        )
        .optional()
        .map_err(|e| broken(e.into()))?;
    match found {
        Some(user) if user > 0 => Ok(user),
        // One that was used already: whoever holds it is not believed, nor are those who hold its successors.
        Some(used) => {
            let revoked = ctx
                .db
                .execute("DELETE FROM refresh_tokens WHERE user = ?1", [-used]);
            revoked.map_err(|e| broken(e.into()))?;
            Err(REVOKED)
        }
        None => Err(invalid_grant("expired access/refresh token")),
    }
}

/// What a token that was used twice is answered; the answer is kept, whatever else was done.
pub(super) const REVOKED: TokenError = TokenError(
    400,
    "invalid_grant",
    "token was used already: every session of it is revoked",
);

/// The token that takes the place of a used one, where the app rotates them.
pub(super) fn rotated(
    ctx: &Ctx<'_>,
    form: &HashMap<String, String>,
    user: i64,
) -> Result<Option<String>, Refusal> {
    if !ctx.settings().rotate_refresh_tokens {
        return Ok(None);
    }
    let token = form.get("refresh_token").map_or("", String::as_str);
    ctx.db.execute(
        "UPDATE refresh_tokens SET user = -?2 WHERE token = ?1",
        rusqlite::params![token, user],
    )?;
    refresh_token(ctx, user).map(Some)
}

/// A new refresh token of a user.
pub(super) fn refresh_token(ctx: &Ctx<'_>, user: i64) -> Result<String, Refusal> {
    let token = format!("5Aep{}", random::text(80));
    ctx.db.execute(
        "INSERT INTO refresh_tokens(token, user) VALUES(?1, ?2)",
        rusqlite::params![token, user],
    )?;
    Ok(token)
}
