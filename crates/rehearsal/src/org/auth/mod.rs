//! Tokens: who may ask for one, how long one lasts, and what the token end points answer.

pub(crate) mod jwt;
pub(crate) mod web;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rusqlite::{Connection, params};
use serde_json::{Value, json};

use super::engine::{Ctx, Engine, INTEGRATION_USER};
use super::error::Refusal;
use super::options::OrgSettings;
use super::random;
use super::store;

/// Every session that was opened and not yet closed.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    open: Mutex<HashMap<String, Session>>,
    codes: web::Codes,
}

struct Session {
    user: i64,
    calls: u64,
    /// None for the token that was valid from the start: it ends only when it is revoked.
    most_calls: Option<u64>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("user", &self.user)
            .field("calls", &self.calls)
            .finish_non_exhaustive()
    }
}

impl Sessions {
    pub(crate) fn load(db: &Connection, settings: &OrgSettings) -> rusqlite::Result<Self> {
        let mut open = HashMap::new();
        let mut statement = db.prepare("SELECT token, user FROM sessions WHERE expired = 0")?;
        let kept = statement.query_map([], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))
        })?;
        for row in kept {
            let (token, user) = row?;
            open.insert(
                token,
                Session {
                    user,
                    calls: 0,
                    most_calls: settings.session_calls,
                },
            );
        }
        if let Some(token) = &settings.access_token {
            open.insert(
                token.0.clone(),
                Session {
                    user: INTEGRATION_USER,
                    calls: 0,
                    most_calls: None,
                },
            );
        }
        Ok(Self {
            open: Mutex::new(open),
            codes: web::Codes::default(),
        })
    }

    /// The user behind a token. Counts the call; a session at its end, or one that `ends_now`, is closed.
    pub(crate) fn user(&self, token: &str, ends_now: bool) -> Option<i64> {
        let mut open = self.lock();
        let session = open.get_mut(token)?;
        if ends_now || session.most_calls.is_some_and(|most| session.calls >= most) {
            open.remove(token);
            return None;
        }
        session.calls += 1;
        Some(session.user)
    }

    /// The user behind a token, without counting a call.
    fn peek(&self, token: &str) -> Option<i64> {
        self.lock().get(token).map(|session| session.user)
    }

    pub(crate) fn issue(&self, ctx: &Ctx<'_>, user: i64) -> Result<String, Refusal> {
        let token = format!("{}!AQ.{}", &ctx.engine.org_id()[..15], random::text(48));
        ctx.db.execute(
            "INSERT INTO sessions(token, user, expired) VALUES(?1, ?2, 0)",
            params![token, user],
        )?;
        let session = Session {
            user,
            calls: 0,
            most_calls: ctx.settings().session_calls,
        };
        self.lock().insert(token.clone(), session);
        Ok(token)
    }

    pub(crate) fn revoke(&self, ctx: &Ctx<'_>, token: &str) -> Result<bool, Refusal> {
        ctx.db
            .execute("UPDATE sessions SET expired = 1 WHERE token = ?1", [token])?;
        Ok(self.lock().remove(token).is_some())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The token of an `Authorization` header: with `Bearer`, or the older `OAuth`.
pub(crate) fn bearer(header: Option<&str>) -> Result<&str, Refusal> {
    let invalid = || Refusal::new("INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE").with_status(401);
    let header = header.ok_or_else(expired)?;
    let (scheme, token) = header.split_once(' ').ok_or_else(invalid)?;
    let known = scheme.eq_ignore_ascii_case("Bearer") || scheme.eq_ignore_ascii_case("OAuth");
    if known {
        Ok(token.trim())
    } else {
        Err(invalid())
    }
}

/// What a token that is not, or no longer, valid gets.
pub(crate) fn expired() -> Refusal {
    Refusal::new("INVALID_SESSION_ID", "Session expired or invalid").with_status(401)
}

/// An error of the token end point: another shape than everywhere else.
pub(crate) struct TokenError(
    pub(crate) u16,
    pub(crate) &'static str,
    pub(crate) &'static str,
);

impl TokenError {
    pub(crate) fn body(&self) -> Value {
        json!({"error": self.1, "error_description": self.2})
    }
}

/// `POST /services/oauth2/token`. The client's credentials come in the form or as HTTP Basic.
pub(crate) fn token(
    ctx: &Ctx<'_>,
    form: &HashMap<String, String>,
    basic: Option<&str>,
    base: &str,
) -> Result<Value, TokenError> {
    let field = |name: &str| form.get(name).map(String::as_str);
    if field("grant_type") == Some(jwt::GRANT) {
        // An assertion proves the app by its signature.
        return issued(ctx, jwt::user(ctx, form, base)?, base);
    }
    let given = basic.and_then(basic_credentials);
    let id = given
        .as_ref()
        .map(|(id, _)| id.as_str())
        .or_else(|| field("client_id"));
    let secret = given
        .as_ref()
        .map(|(_, secret)| secret.as_str())
        .or_else(|| field("client_secret"));
    let settings = ctx.settings();
    let grant = field("grant_type");
    // Whoever holds a code or a refresh token need not know the secret.
    let proven = matches!(grant, Some("authorization_code" | "refresh_token"));
    if id != Some(settings.client_id.as_str()) && !(proven && web::knows(ctx, id)) {
        return Err(TokenError(
            400,
            "invalid_client_id",
            "client identifier invalid",
        ));
    }
    let left_out = proven && secret.is_none_or(str::is_empty);
    if !left_out && secret != Some(settings.client_secret.0.as_str()) {
        return Err(TokenError(
            400,
            "invalid_client",
            "invalid client credentials",
        ));
    }
    let user = match grant {
        Some("client_credentials") => INTEGRATION_USER,
        Some("refresh_token") => {
            let user = web::by_refresh_token(ctx, form)?;
            let mut answer = issued(ctx, user, base)?;
            if let Some(token) = web::rotated(ctx, form, user).map_err(broken)? {
                answer["refresh_token"] = json!(token);
            }
            return Ok(answer);
        }
        Some("authorization_code") => {
            let user = web::by_code(ctx, form)?;
            let mut answer = issued(ctx, user, base)?;
            let token = web::refresh_token(ctx, user).map_err(broken)?;
            answer["refresh_token"] = json!(token);
            answer["scope"] = json!("refresh_token api");
            return Ok(answer);
        }
        Some("password") => {
            let (name, password) = (
                field("username").unwrap_or_default(),
                field("password").unwrap_or_default(),
            );
            by_password(ctx, name, password)
                .map_err(broken)?
                .ok_or(TokenError(400, "invalid_grant", "authentication failure"))?
        }
        _ => {
            return Err(TokenError(
                400,
                "unsupported_grant_type",
                "grant type not supported",
            ));
        }
    };
    issued(ctx, user, base)
}

fn invalid_grant(description: &'static str) -> TokenError {
    TokenError(400, "invalid_grant", description)
}

/// `POST /services/oauth2/introspect`.
pub(crate) fn introspected(ctx: &Ctx<'_>, token: &str) -> Value {
    match ctx.engine.sessions.peek(token) {
        Some(user) => json!({
            "active": true, "client_id": ctx.settings().client_id, "scope": "api", "token_type": "access_token",
            "sub": ctx.engine.user_id(user),
        }),
        None => json!({"active": false}),
    }
}

fn broken(_: Refusal) -> TokenError {
    let description = "the local org failed to keep the session";
    TokenError(500, "unknown_error", description)
}

/// A session of the user, as the end point answers it.
fn issued(ctx: &Ctx<'_>, user: i64, base: &str) -> Result<Value, TokenError> {
    let access_token = ctx.engine.sessions.issue(ctx, user).map_err(broken)?;
    let engine = ctx.engine;
    Ok(json!({
        "access_token": access_token,
        "signature": BASE64.encode(random::text(32)),
        "scope": "api",
        "instance_url": base,
        "id": format!("{base}/id/{}/{}", engine.org_id(), engine.user_id(user)),
        "token_type": "Bearer",
        "issued_at": ctx.now.timestamp_millis().to_string(),
    }))
}

/// The active user with this name, if passwords are used at all and this is theirs.
pub(crate) fn by_password(
    ctx: &Ctx<'_>,
    name: &str,
    password: &str,
) -> Result<Option<i64>, Refusal> {
    // A security token stands behind the password; which one does not matter here.
    let fits = ctx.settings().password.as_ref().is_some_and(|own| {
        password
            .strip_prefix(own.0.as_str())
            .is_some_and(|token| token.bytes().all(|c| c.is_ascii_alphanumeric()))
    });
    if fits {
        active_user(ctx, name)
    } else {
        Ok(None)
    }
}

fn active_user(ctx: &Ctx<'_>, name: &str) -> Result<Option<i64>, Refusal> {
    let object = ctx.object("User")?;
    let Some(field) = object.field("Username") else {
        return Ok(None);
    };
    let Some(key) = store::index_key(field, &json!(name)) else {
        return Ok(None);
    };
    for number in store::find(ctx.db, object, field, &key)? {
        let row = store::get(ctx.db, object, number)?;
        if row.is_some_and(|row| row.fields.get("IsActive") == Some(&json!(true))) {
            return Ok(Some(number));
        }
    }
    Ok(None)
}

fn basic_credentials(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let decoded = String::from_utf8(BASE64.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}

/// `GET /services/oauth2/userinfo` and `GET /id/{org}/{user}`.
pub(crate) fn identity(ctx: &Ctx<'_>, base: &str) -> Result<Value, Refusal> {
    let engine: &Engine = ctx.engine;
    let (org, user) = (engine.org_id(), engine.user_id(ctx.user));
    let fields = store::get(ctx.db, ctx.object("User")?, ctx.user)?
        .map(|row| row.fields)
        .unwrap_or_default();
    let text = |name: &str| fields.get(name).cloned().unwrap_or(Value::Null);
    let id = format!("{base}/id/{org}/{user}");
    Ok(json!({
        "sub": id, "id": id, "user_id": user, "organization_id": org,
        "preferred_username": text("Username"), "username": text("Username"), "nick_name": text("CommunityNickname"),
        "name": text("Name"), "display_name": text("Name"), "email": text("Email"), "email_verified": true,
        "given_name": text("FirstName"), "family_name": text("LastName"), "zoneinfo": "GMT", "locale": "en_US",
        "language": "en_US", "active": text("IsActive"), "user_type": "STANDARD", "utcOffset": 0,
        "is_app_installed": true,
        "urls": {
            "rest": format!("{base}/services/data/v{{version}}/"),
            "sobjects": format!("{base}/services/data/v{{version}}/sobjects/"),
            "query": format!("{base}/services/data/v{{version}}/query/"),
            "custom_domain": base,
        },
    }))
}
