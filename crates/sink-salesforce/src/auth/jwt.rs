//! The JWT-bearer grant (Salesforce APIs, section 2.2): no secret, a signature made anew for each token.

use std::sync::OnceLock;

use deskferry_core::context::Context;
use deskferry_core::error::{Error, ErrorKind, Result};
use deskferry_core::http::{Client, Response, SecretString};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde::Serialize;

use super::{DOING, Login, ask, denied, opened};
use crate::client::error::refusal_of;
use crate::config::SalesforceConfig;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// How long an assertion is good for, in seconds: the platform takes a few minutes at most.
const LIFETIME: i64 = 180;

/// The audience that the org accepted instead of the one that stands first, kept for further tokens.
#[derive(Debug, Default)]
pub(crate) struct Audience(OnceLock<&'static str>);

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    exp: i64,
}

/// Opens a session for a user whose consent the app has.
pub(super) async fn grant(
    cx: &Context,
    config: &SalesforceConfig,
    home: &Client,
    audience: &Audience,
    id: &str,
    user: &str,
) -> Result<Login> {
    let ask_for = async |aud: &str| {
        let assertion = assertion(cx, config, id, user, aud)?;
        ask(
            cx,
            home,
            &[("grant_type", GRANT), ("assertion", assertion.expose())],
        )
        .await
    };
    let (first, other) = match (&config.audience, audience.0.get()) {
        (Some(wanted), _) => (wanted.as_str(), None),
        (None, Some(worked)) => (*worked, None),
        (None, None) => (config.url.as_str(), Some(login_host(&config.url))),
    };
    let answer = ask_for(first).await?;
    if answer.is_success() {
        return opened(config, home, &answer);
    }
    let Some(other) = other.filter(|_| is_about_audience(&answer)) else {
        return Err(denied(&answer).with("audience", first));
    };
    let answer = ask_for(other).await?;
    if !answer.is_success() {
        return Err(denied(&answer).with("audiences", format!("{first}, then {other}")));
    }
    tracing::info!(
        refused = first,
        accepted = other,
        "the org wants another audience"
    );
    let _ = audience.0.set(other);
    opened(config, home, &answer)
}

/// Whether a refusal may be due to the audience: then the login host is tried, once.
fn is_about_audience(answer: &Response) -> bool {
    refusal_of(answer).is_some_and(|refusal| {
        let said = refusal.message.to_lowercase();
        refusal.code == "invalid_grant"
            && (said.contains("audience") || said.contains("hasn't approved this consumer"))
    })
}

/// The login host that belongs to an org's address.
fn login_host(url: &str) -> &'static str {
    let host = url.split("://").last().unwrap_or(url);
    if host.contains(".sandbox.") || host.contains(".scratch.") || host.starts_with("test.") {
        "https://test.salesforce.com"
    } else {
        "https://login.salesforce.com"
    }
}

fn assertion(
    cx: &Context,
    config: &SalesforceConfig,
    id: &str,
    user: &str,
    aud: &str,
) -> Result<SecretString> {
    let missing = || Error::bug(DOING, "no private key after it was checked");
    let key = read_key(config.private_key.as_ref().ok_or_else(missing)?)?;
    let exp = cx.now().timestamp() + LIFETIME;
    let claims = Claims {
        iss: id,
        sub: user,
        aud,
        exp,
    };
    encode(&Header::new(Algorithm::RS256), &claims, &key)
        .map(SecretString::new)
        .map_err(|_| Error::new(ErrorKind::Config, DOING, "the private key cannot sign"))
}

/// A private key from its PEM text (PKCS #1 or #8, not encrypted).
pub(crate) fn read_key(pem: &SecretString) -> Result<EncodingKey> {
    // What the decoder says may show the key: it is not passed on.
    EncodingKey::from_rsa_pem(pem.expose().trim().as_bytes()).map_err(|_| {
        Error::new(
            ErrorKind::Config,
            "configure Salesforce",
            "the private key is no RSA key in PEM form, or is encrypted",
        )
        .advise(
            "Give the key of the app's certificate, beginning with `-----BEGIN PRIVATE KEY-----`",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use deskferry_core::http::Headers;

    #[test]
    fn the_login_host_follows_from_the_orgs_address() {
        for (url, host) in [
            (
                "https://acme.my.salesforce.com",
                "https://login.salesforce.com",
            ),
            (
                "https://acme--uat.sandbox.my.salesforce.com",
                "https://test.salesforce.com",
            ),
            (
                "https://x.scratch.my.salesforce.com",
                "https://test.salesforce.com",
            ),
            (
                "https://x-dev-ed.develop.my.salesforce.com",
                "https://login.salesforce.com",
            ),
        ] {
            assert_eq!(login_host(url), host, "{url}");
        }
    }

    #[test]
    fn only_what_may_be_due_to_the_audience_is_tried_with_another_one() {
        for (error, said, may) in [
            ("invalid_grant", "audience is invalid", true),
            ("invalid_grant", "Audience validation failed", true),
            ("invalid_grant", "user hasn't approved this consumer", true),
            ("invalid_grant", "invalid assertion", false),
            ("invalid_client_id", "audience", false),
        ] {
            let body = serde_json::json!({"error": error, "error_description": said}).to_string();
            let headers = Headers::new([("content-type", "application/json")]);
            assert_eq!(
                is_about_audience(&Response::new(400, headers, body)),
                may,
                "{error}: {said}"
            );
        }
    }

    #[test]
    fn a_key_that_is_none_is_refused_without_being_shown() {
        let error = read_key(&SecretString::new(
            "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----",
        ));
        let Err(error) = error else {
            panic!("accepted")
        };
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(!format!("{error:?}").contains("c2VjcmV0"));
    }
}
