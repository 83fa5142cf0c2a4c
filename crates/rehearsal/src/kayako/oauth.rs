//! Access tokens, and the address that gives them (Kayako reference, section 2).

use std::collections::HashMap;

use axum::response::Response;
use serde_json::{Value, json};

use super::answer::{error, json_response};
use super::auth::{Guard, Pass, Refusal, refuse};
use super::{OAuth, Shared};

/// Tokens that were given out.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    /// Calls that are left, where tokens end after a number of calls.
    access: HashMap<String, Option<u64>>,
    /// The refresh token that came last, once one has been used.
    refresh: Option<String>,
    /// The token of the options was over.
    begun: bool,
}

impl Tokens {
    pub(super) fn judge(
        &mut self,
        oauth: Option<&OAuth>,
        token: &str,
        path: &str,
    ) -> Result<Pass, Refusal> {
        let Some(oauth) = oauth else {
            return Err(refuse(401, "AUTHORIZATION_REQUIRED"));
        };
        if let Some(first) = oauth.access_token.as_ref().filter(|_| !self.begun) {
            self.begun = true;
            self.access.insert(first.clone(), oauth.token_calls);
        }
        match self.access.get_mut(token) {
            None | Some(Some(0)) => {
                self.access.remove(token);
                return Err(refuse(401, "AUTHORIZATION_REQUIRED"));
            }
            Some(Some(left)) => *left -= 1,
            Some(None) => {}
        }
        if may_read(&oauth.scopes, path) {
            Ok(Pass {
                new_session: None,
                session: String::new(),
            })
        } else {
            Err(refuse(403, "PERMISSIONS_DENIED"))
        }
    }
}

/// Whether these scopes open this path (Kayako reference, section 6). What lists no scope refuses tokens.
fn may_read(scopes: &[String], path: &str) -> bool {
    let needed = match path.trim_end_matches(".json").split('/').next() {
        Some("me" | "session" | "locales" | "categories" | "sections" | "articles") => return true,
        Some("users" | "organizations" | "teams" | "roles" | "identities") => "users",
        Some("cases" | "views" | "timetracking") => "conversations",
        Some(
            "settings" | "brands" | "triggers" | "monitors" | "slas" | "businesshours"
            | "endpoints" | "twitter" | "facebook",
        ) => "configuration",
        _ => return false,
    };
    scopes
        .iter()
        .any(|scope| scope.split(':').next() == Some(needed))
}

/// `POST /oauth/token` with a form or JSON.
pub(super) fn token(shared: &Shared, body: &[u8]) -> Response {
    let given: HashMap<String, String> = match serde_json::from_slice::<Value>(body) {
        Ok(Value::Object(members)) => members
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_str()?.to_owned())))
            .collect(),
        _ => url::form_urlencoded::parse(body).into_owned().collect(),
    };
    let Some(oauth) = &shared.options.oauth else {
        return error(404, "RESOURCE_NOT_FOUND", Vec::new());
    };
    renew(&mut shared.guard(), oauth, &given)
}

fn renew(guard: &mut Guard, oauth: &OAuth, given: &HashMap<String, String>) -> Response {
    let is = |name: &str, expected: &str| given.get(name).is_some_and(|found| found == expected);
    let refused = |what: &str| json_response(400, &json!({ "error": what }));
    if !is("client_id", &oauth.client_id) || !is("client_secret", &oauth.client_secret) {
        return refused("invalid_client");
    }
    if !is("grant_type", "refresh_token") {
        return refused("unsupported_grant_type");
    }
    let current = guard
        .tokens
        .refresh
        .as_ref()
        .unwrap_or(&oauth.refresh_token);
    if !is("refresh_token", current) {
        return refused("invalid_grant");
    }
    let access = guard.opaque("access");
    guard
        .tokens
        .access
        .insert(access.clone(), oauth.token_calls);
    let mut answer = json!({
        "access_token": access, "token_type": "bearer", "expires_in": 3600, "scope": oauth.scopes.join(" "),
    });
    if oauth.rotates {
        let refresh = guard.opaque("refresh");
        answer["refresh_token"] = refresh.as_str().into();
        guard.tokens.refresh = Some(refresh);
    }
    json_response(200, &answer)
}
