//! Tokens: the client-credentials grant, the JWT-bearer grant, a login that a person made in a browser, or one that is given.

mod jwt;
mod kept;
mod web;

use deskferry_core::context::Context;
use deskferry_core::error::{Error, ErrorKind, Result};
use deskferry_core::http::{Client, Limit, Request, Response, SecretString};
use serde::Deserialize;

use crate::client::error::{Refusal, error_of, refusal_of};
use crate::config::SalesforceConfig;

pub(crate) use jwt::Audience;
pub(crate) use jwt::read_key;
pub use web::{LoggedIn, WebLogin};

const DOING: &str = "log in to Salesforce";

/// A session: where the org is and the token that opens it.
#[derive(Debug)]
pub(crate) struct Login {
    pub(crate) client: Client,
    token: SecretString,
    /// Org and user, where the grant told.
    pub(crate) identity: Option<Identity>,
}

impl Login {
    pub(crate) fn bearer(&self) -> SecretString {
        SecretString::new(format!("Bearer {}", self.token.expose()))
    }
}

/// Whose session it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) org: String,
    pub(crate) user: String,
}

#[derive(Deserialize)]
struct Token {
    access_token: SecretString,
    instance_url: String,
    id: String,
}

/// A client for the org at this address.
pub(crate) fn client_at(config: &SalesforceConfig, url: &str) -> Result<Client> {
    let mut builder = Client::builder(crate::PLATFORM, url)
        .allow_plain_http(config.allow_plain_http)
        .user_agent(concat!("deskferry/", env!("CARGO_PKG_VERSION")))
        .retry(config.retry.clone())
        .limit(Limit::none().concurrent(CONCURRENT))
        // The platform itself ends a call after ten minutes.
        .timeout(std::time::Duration::from_secs(600));
    if let Some(pem) = &config.root_certificate {
        builder = builder.root_certificate(pem.clone());
    }
    builder.build()
}

/// Only calls of 20 seconds and more are limited (25 at once); ours are shorter, but an org also serves people.
const CONCURRENT: usize = 10;

/// Opens a session.
pub(crate) async fn login(
    cx: &Context,
    config: &SalesforceConfig,
    home: &Client,
    audience: &Audience,
) -> Result<Login> {
    if let (Some(id), Some(user)) = (&config.client_id, &config.username) {
        return jwt::grant(cx, config, home, audience, id, user).await;
    }
    if let (Some(id), Some(file)) = (&config.client_id, &config.login_file) {
        return kept::grant(cx, config, home, id, file).await;
    }
    match (
        &config.client_id,
        &config.client_secret,
        &config.access_token,
    ) {
        (Some(id), Some(secret), _) => {
            let form = [
                ("grant_type", "client_credentials"),
                ("client_id", id),
                ("client_secret", secret.expose()),
            ];
            let response = ask(cx, home, &form).await?;
            if !response.is_success() {
                return Err(denied(&response));
            }
            opened(config, home, &response)
        }
        (_, _, Some(token)) => Ok(Login {
            client: home.clone(),
            token: token.clone(),
            identity: None,
        }),
        _ => Err(Error::bug(
            "log in",
            "no credentials after they were checked",
        )),
    }
}

/// Asks the token end point.
async fn ask(cx: &Context, home: &Client, form: &[(&str, &str)]) -> Result<Response> {
    let request = Request::post("token", "services/oauth2/token")
        .operation(DOING)
        .form(form)
        // A grant changes nothing: asking twice opens a second session at worst.
        .idempotent(true);
    home.send(cx, request).await
}

/// The session that a grant opened. The address is taken anew each time: an org may move.
fn opened(config: &SalesforceConfig, home: &Client, response: &Response) -> Result<Login> {
    let token: Token = response.json(DOING)?;
    let url = token.instance_url.trim_end_matches('/');
    let client = if url == home.base().trim_end_matches('/') {
        home.clone()
    } else {
        client_at(config, url)?
    };
    Ok(Login {
        client,
        token: token.access_token,
        identity: identity(&token.id),
    })
}

/// Org and user are the last two pieces of the identity address.
fn identity(url: &str) -> Option<Identity> {
    let mut pieces = url.trim_end_matches('/').rsplit('/');
    let (user, org) = (pieces.next()?, pieces.next()?);
    (user.starts_with("005") && org.starts_with("00D")).then(|| Identity {
        org: org.to_owned(),
        user: user.to_owned(),
    })
}

/// What the token end point refused (Salesforce APIs, section 2.4).
fn denied(response: &Response) -> Error {
    let Some(refusal) = refusal_of(response) else {
        return error_of(response, DOING);
    };
    let (kind, advice) = match (refusal.code.as_str(), refusal.message.as_str()) {
        ("rate_limit_exceeded", _) => (
            ErrorKind::RateLimited,
            "Wait a few minutes, then run `resume`",
        ),
        (_, said) if said.contains("login rate exceeded") => (
            ErrorKind::RateLimited,
            "Wait a few minutes, then run `resume`",
        ),
        (_, said) if said.contains("not supported on this domain") => {
            (ErrorKind::Config, "Use the org's My Domain address")
        }
        (_, said) if said.contains("no client credentials user") => (
            ErrorKind::Interactive,
            "Name a run-as user in the app's client-credentials flow",
        ),
        ("invalid_client_id" | "invalid_client" | "invalid_client_credentials", _) => (
            ErrorKind::Credentials,
            "Check consumer key and secret (or private key); a new app takes about ten minutes to be known",
        ),
        (_, said) if said.contains("hasn't approved this consumer") => (
            ErrorKind::Interactive,
            "Let admin-approved users be pre-authorized in the app, and give the migration user its permission set",
        ),
        (_, said) if said.contains("udience") => (
            ErrorKind::Config,
            "Set the audience (SALESFORCE_AUDIENCE) to the org's My Domain address or to the login host that the app expects",
        ),
        (_, said) if said.contains("expired authorization code") => (
            ErrorKind::Credentials,
            "The assertion was too old when it arrived: set this machine's clock",
        ),
        (_, said) if said.contains("invalid assertion") => (
            ErrorKind::Credentials,
            "Check that the private key belongs to the certificate of the app, and that the username is the user's, not an address",
        ),
        (_, said) if said.contains("ip restricted") => (
            ErrorKind::Forbidden,
            "Allow this machine's address in the app's IP relaxation or in the user's profile",
        ),
        (_, said) if said.contains("inactive user") => {
            (ErrorKind::Credentials, "Activate the migration user")
        }
        ("unsupported_grant_type", _) => (
            ErrorKind::Config,
            "Enable the flow in the app: client credentials, or JWT bearer where a private key is used",
        ),
        (
            "invalid_app_access"
            | "app_not_found"
            | "OAUTH_EC_APP_NOT_FOUND"
            | "OAUTH_APP_BLOCKED"
            | "OAUTH_APPROVAL_ERROR_GENERIC",
            _,
        ) => (
            ErrorKind::Forbidden,
            "Install the app in this org and approve it for the migration user",
        ),
        ("inactive_user" | "inactive_org", _) => {
            (ErrorKind::Credentials, "Activate the migration user")
        }
        _ => (
            ErrorKind::Credentials,
            "Check the app and its user: the run-as user, or the username that is signed for",
        ),
    };
    Error::new(
        kind,
        DOING,
        format!("{}: {}", refusal.code, refusal.message),
    )
    .with("status", response.status)
    .advise(advice)
}

/// A token that is not accepted (any more). Two texts never heal by a new one (Salesforce APIs, section 2.6).
pub(crate) fn never_heals(refusal: Option<&Refusal>) -> bool {
    refusal.is_some_and(|r| {
        r.message.contains("not valid for use with the REST API")
            || r.message.contains("Connected app is not attached to Agent")
    })
}

/// The session was refused for good.
pub(crate) fn session_refused(refusal: Option<&Refusal>, operation: String, given: bool) -> Error {
    let said = refusal.map_or_else(
        || "401".to_owned(),
        |r| format!("{}: {}", r.code, r.message),
    );
    let advice = if given {
        "The access token ended or is not meant for this API; set a new SALESFORCE_ACCESS_TOKEN, then run `resume`"
    } else {
        "The org refuses even a new session: check that its user may use the API"
    };
    Error::new(ErrorKind::Credentials, operation, said).advise(advice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use deskferry_core::http::Headers;

    #[test]
    fn org_and_user_come_from_the_identity_address() {
        let id = identity("https://login.salesforce.com/id/00DQx00000Tt5UvMAJ/005Qx00000Rr8SsIAJ")
            .unwrap();
        assert_eq!(
            (id.org.as_str(), id.user.as_str()),
            ("00DQx00000Tt5UvMAJ", "005Qx00000Rr8SsIAJ")
        );
        assert_eq!(identity("https://login.salesforce.com/"), None);
    }

    #[test]
    fn refused_logins_say_what_to_do() {
        for (error, text, kind) in [
            (
                "invalid_client_id",
                "client identifier invalid",
                ErrorKind::Credentials,
            ),
            (
                "invalid_grant",
                "request not supported on this domain",
                ErrorKind::Config,
            ),
            (
                "invalid_grant",
                "no client credentials user enabled",
                ErrorKind::Interactive,
            ),
            (
                "invalid_grant",
                "login rate exceeded",
                ErrorKind::RateLimited,
            ),
            (
                "unsupported_grant_type",
                "grant type not supported",
                ErrorKind::Config,
            ),
            (
                "app_not_found",
                "External client app is not installed in this org",
                ErrorKind::Forbidden,
            ),
            ("invalid_grant", "ip restricted", ErrorKind::Forbidden),
            (
                "invalid_grant",
                "user hasn't approved this consumer",
                ErrorKind::Interactive,
            ),
            (
                "invalid_grant",
                "Audience validation failed",
                ErrorKind::Config,
            ),
            (
                "invalid_grant",
                "expired authorization code",
                ErrorKind::Credentials,
            ),
            (
                "invalid_grant",
                "authentication failure",
                ErrorKind::Credentials,
            ),
        ] {
            let body = serde_json::json!({"error": error, "error_description": text}).to_string();
            let denied = denied(&Response::new(
                400,
                Headers::new([("content-type", "application/json")]),
                body,
            ));
            assert_eq!(denied.kind(), kind, "{text}");
            assert!(denied.advice().is_some());
        }
    }

    #[test]
    fn two_texts_never_heal_by_a_new_session() {
        let refusal = |message: &str| Refusal {
            code: "INVALID_SESSION_ID".into(),
            message: message.into(),
            fields: Vec::new(),
        };
        assert!(never_heals(Some(&refusal(
            "This session is not valid for use with the REST API"
        ))));
        assert!(never_heals(Some(&refusal(
            "Connected app is not attached to Agent"
        ))));
        assert!(!never_heals(Some(&refusal("Session expired or invalid"))));
        assert!(!never_heals(None));
    }
}
