//! Tokens instead of a session (Kayako reference, section 2).

use std::sync::PoisonError;

use deskferry_core::http::{Request, Response, SecretString};
use deskferry_core::{Context, Error, ErrorKind, Result};
use serde::Deserialize;

use super::login::{LOG_IN, Login, Pass, dressed};
use super::{Client, errors, store};
use crate::config::{Account, Renewal};
use crate::wire::{self, Single};

const RENEW: &str = "get an access token of Kayako";
const SCOPES: &str = "Give its OAuth client the scopes `users:read`, `conversations:read` and `configuration:read`, or use an administrator's e-mail address and password";

const FORGOTTEN: &str = "Kayako gave a new refresh token in exchange for the configured one, which is over now; the new one is forgotten when this process ends. Name a file that keeps it (`refresh_token_store`, KAYAKO_REFRESH_TOKEN_STORE)";

/// The answer to a token request.
#[derive(Deserialize)]
struct Tokens {
    access_token: SecretString,
    refresh_token: Option<SecretString>,
}

pub(super) fn with_token(request: Request, token: &SecretString) -> Request {
    let bearer = SecretString::new(format!("Bearer {}", token.expose()));
    request.secret_header("Authorization", bearer)
}

/// The error that an answer to a call with a token means.
pub(super) fn refusal(operation: &'static str, response: &Response) -> Error {
    let error = errors::refusal(operation, response);
    match error.kind() {
        ErrorKind::Credentials => Error::new(
            ErrorKind::Credentials,
            operation,
            "Kayako does not accept the access token",
        )
        .with("status", response.status)
        .advise(
            "It may have expired: get a new one, or configure a refresh token, then run `resume`",
        ),
        ErrorKind::Forbidden if errors::code(response) == "PERMISSIONS_DENIED" => Error::new(
            ErrorKind::Forbidden,
            operation,
            "the access token may not read this",
        )
        .with("status", response.status)
        .with("code", "PERMISSIONS_DENIED")
        .advise(SCOPES),
        _ => error,
    }
}

impl Client {
    /// A login by token: the one that was given, as long as it is good, else a new one.
    pub(super) async fn authorize(&self, cx: &Context, renewal: Option<&Renewal>) -> Result<Login> {
        let given = self
            .given
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        match (given, renewal) {
            (Some(token), None) => self.login_of(cx, token).await,
            (Some(token), Some(renewal)) => match self.login_of(cx, token).await {
                Err(error) if error.kind() == ErrorKind::Credentials => {
                    self.renewed(cx, renewal).await
                }
                login => login,
            },
            (None, Some(renewal)) => self.renewed(cx, renewal).await,
            (None, None) => Err(Error::new(
                ErrorKind::Credentials,
                LOG_IN,
                "Kayako does not accept the access token any more",
            )
            .advise("Get a new one, or configure a refresh token, then run `resume`")),
        }
    }

    /// After a goodbye the token is still good.
    pub(super) fn keep_for_later(&self, login: &Login) {
        *self.given.lock().unwrap_or_else(PoisonError::into_inner) = login.bearer().cloned();
    }

    /// What is lost with this process, in words; nothing where a file keeps it or there is nothing to lose.
    pub(crate) fn forgets(&self) -> Option<String> {
        let Account::OAuth {
            renewal: Some(renewal),
            ..
        } = &self.account
        else {
            return None;
        };
        let changed = self.newest_token().is_some();
        (changed && renewal.store.is_none()).then(|| FORGOTTEN.to_owned())
    }

    fn newest_token(&self) -> Option<SecretString> {
        self.refresh_token
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    async fn renewed(&self, cx: &Context, renewal: &Renewal) -> Result<Login> {
        let kept = match &renewal.store {
            Some(path) => store::read(path)?,
            None => None,
        };
        let token = self
            .newest_token()
            .or_else(|| kept.clone())
            .unwrap_or_else(|| renewal.token.clone());
        if let (Some(path), None) = (&renewal.store, &kept) {
            // A file that cannot be written must be noticed before the token is spent.
            store::write(path, &token)?;
        }
        match self.exchange(cx, renewal, &token).await {
            // What was kept is over, and somebody has authorized the client again since.
            Err(error)
                if error.kind() == ErrorKind::Credentials
                    && token.expose() != renewal.token.expose() =>
            {
                self.exchange(cx, renewal, &renewal.token).await
            }
            login => login,
        }
    }

    /// A login in exchange for a refresh token, which may be over with that.
    async fn exchange(
        &self,
        cx: &Context,
        renewal: &Renewal,
        token: &SecretString,
    ) -> Result<Login> {
        let request = dressed(Request::post("token", format!("{}/oauth/token", self.root)))
            .operation(RENEW)
            .form(&[
                ("grant_type", "refresh_token"),
                ("client_id", &renewal.client_id),
                ("client_secret", renewal.client_secret.expose()),
                ("refresh_token", token.expose()),
            ]);
        let response = self.http.send(cx, request).await?;
        if !response.is_success() {
            return Err(not_renewed(response.status));
        }
        // What cannot be read is not shown: it may hold a token.
        let tokens: Tokens = serde_json::from_slice(&response.body).map_err(|_| {
            Error::new(
                ErrorKind::Protocol,
                RENEW,
                "Kayako accepted the refresh token but gave no access token",
            )
        })?;
        if let Some(next) = tokens
            .refresh_token
            .filter(|next| next.expose() != token.expose())
        {
            match &renewal.store {
                Some(path) => store::write(path, &next)?,
                None => tracing::warn!("{FORGOTTEN}"),
            }
            *self
                .refresh_token
                .write()
                .unwrap_or_else(PoisonError::into_inner) = Some(next);
        }
        self.login_of(cx, tokens.access_token).await
    }

    /// A token, once Kayako has said whose instance it opens.
    async fn login_of(&self, cx: &Context, token: SecretString) -> Result<Login> {
        let request = dressed(Request::get("session", "session")).operation(LOG_IN);
        let response = self.http.send(cx, with_token(request, &token)).await?;
        let told = if response.is_success() {
            let envelope: Single = response.json(LOG_IN)?;
            let session: wire::Session = wire::decode(&envelope.data).map_err(|defect| {
                Error::decode(LOG_IN, &format!("data.{}", defect.path), defect.reason)
            })?;
            session.instance_name
        } else if response.status == 403 {
            // The address may tell as well.
            None
        } else {
            return Err(refusal(LOG_IN, &response));
        };
        Ok(Login::new(Pass::Bearer(token), self.instance(told)?))
    }
}

fn not_renewed(status: u16) -> Error {
    let kind = match status {
        500..=599 => ErrorKind::Unavailable,
        _ => ErrorKind::Credentials,
    };
    Error::new(
        kind,
        RENEW,
        "Kayako refused the refresh token or its OAuth client",
    )
    .with("status", status)
    .advise("Authorize the OAuth client again in Kayako, configure its new refresh token, then run `resume`")
}
