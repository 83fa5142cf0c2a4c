//! The web-server flow with a proof of who began it (PKCE): a person agrees in a browser, once (Salesforce APIs, section 2.2).

use std::path::PathBuf;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use deskferry_core::context::Context;
use deskferry_core::error::{Error, ErrorKind, Result};
use deskferry_core::http::{Request, SecretString};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::kept::Kept;
use super::{DOING, client_at, denied, identity};
use crate::config::SalesforceConfig;

/// A login that a person has to finish in a browser. `Debug` hides what proves it.
#[derive(Debug)]
pub struct WebLogin {
    config: SalesforceConfig,
    client_id: String,
    file: PathBuf,
    redirect: String,
    state: SecretString,
    verifier: SecretString,
}

/// Whose login it was.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoggedIn {
    /// The org's id.
    pub org: String,
    /// The user's id.
    pub user: String,
    /// The file that holds the login now.
    pub file: PathBuf,
}

#[derive(Deserialize)]
struct Token {
    #[serde(default)]
    refresh_token: Option<SecretString>,
    #[serde(default)]
    id: String,
}

impl SalesforceConfig {
    /// Begins a login in a browser. The browser is sent to `redirect` afterwards, which must be the callback address of the app,
    /// letter by letter.
    ///
    /// # Errors
    /// `Config` when there is no consumer key, or no file to keep the login in.
    pub fn web_login(&self, redirect: &str) -> Result<WebLogin> {
        let config = self.clone().validated()?;
        let missing = |what: &'static str, how: &'static str| {
            Error::new(ErrorKind::Config, DOING, format!("there is no {what}")).advise(how)
        };
        let client_id = config.client_id.clone().ok_or_else(|| {
            missing(
                "consumer key",
                "Set SALESFORCE_CLIENT_ID to the app's consumer key",
            )
        })?;
        let file = config.login_file.clone().ok_or_else(|| {
            missing(
                "file to keep the login in",
                "Set SALESFORCE_LOGIN_FILE to a file that only you can read",
            )
        })?;
        Ok(WebLogin {
            client_id,
            file,
            redirect: redirect.to_owned(),
            state: random()?,
            verifier: random()?,
            config,
        })
    }
}

impl WebLogin {
    /// The address that a person opens.
    #[must_use]
    pub fn address(&self) -> String {
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, self.verifier.expose().as_bytes()));
        let plain = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        format!(
            "{}/services/oauth2/authorize?response_type=code&client_id={}&redirect_uri={}&scope={}&state={}&code_challenge={challenge}&code_challenge_method=S256",
            self.config.url,
            plain(&self.client_id),
            plain(&self.redirect),
            plain("api refresh_token"),
            plain(self.state.expose()),
        )
    }

    /// Whether an answer belongs to this login: anybody can send a browser to the callback address.
    #[must_use]
    pub fn is_ours(&self, state: &str) -> bool {
        self.state.expose() == state
    }

    /// Exchanges the code that the browser brought, and keeps the login in the file.
    ///
    /// # Errors
    /// What the org refuses; `Config` when the app gives no refresh token; `Storage`.
    pub async fn finish(self, cx: &Context, code: &str) -> Result<LoggedIn> {
        let home = client_at(&self.config, &self.config.url)?;
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", self.redirect.as_str()),
            ("client_id", self.client_id.as_str()),
            ("code_verifier", self.verifier.expose()),
        ];
        if let Some(secret) = &self.config.client_secret {
            form.push(("client_secret", secret.expose()));
        }
        // A code is good for one use.
        let request = Request::post("token", "services/oauth2/token")
            .operation(DOING)
            .form(&form)
            .idempotent(false);
        let response = home.send(cx, request).await?;
        if !response.is_success() {
            return Err(denied(&response));
        }
        let token: Token = response.json(DOING)?;
        let refresh = token.refresh_token.ok_or_else(|| {
            Error::new(ErrorKind::Config, DOING, "the app gives no refresh token")
                .advise("Add the scope `refresh_token` to the app, and a policy by which tokens stay valid until they are revoked")
        })?;
        Kept::new(&self.client_id, &refresh).write(&self.file)?;
        let who =
            identity(&token.id).ok_or_else(|| Error::decode(DOING, "id", "no identity address"))?;
        Ok(LoggedIn {
            org: who.org,
            user: who.user,
            file: self.file,
        })
    }
}

/// 256 bits that nobody can guess.
fn random() -> Result<SecretString> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).map_err(|_| {
        Error::new(
            ErrorKind::Storage,
            DOING,
            "this machine gives no random numbers",
        )
    })?;
    Ok(SecretString::new(URL_SAFE_NO_PAD.encode(bytes)))
}
