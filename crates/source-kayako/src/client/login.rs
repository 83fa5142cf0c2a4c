//! One session for all: Basic once, then only its id (Kayako reference, section 2).

use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use base64::Engine as _;
use deskferry_core::http::{Request, Response, SecretString};
use deskferry_core::{Context, Error, ErrorKind, Result, Tenant};

use super::{Client, errors, needed, oauth};
use crate::config::Account;
use crate::wire::{self, Single};

const PROBE: &str = "find out what answers at this address";
pub(super) const LOG_IN: &str = "log in to Kayako";
/// Between two questions to an instance that says it is not there.
pub(super) const PAUSE: Duration = Duration::from_secs(3);

/// What lets calls in.
pub(super) enum Pass {
    Session(RwLock<SecretString>),
    Bearer(SecretString),
}

/// What a login gave.
pub(crate) struct Login {
    pass: Pass,
    /// Whose data this is, by the instance's own name.
    pub(crate) tenant: Tenant,
}

impl Login {
    pub(super) fn new(pass: Pass, tenant: String) -> Self {
        Self {
            pass,
            tenant: Tenant::new(crate::PLATFORM, tenant),
        }
    }

    pub(super) fn is_bearer(&self) -> bool {
        matches!(self.pass, Pass::Bearer(_))
    }

    /// The token, where there is one.
    pub(super) fn bearer(&self) -> Option<&SecretString> {
        match &self.pass {
            Pass::Bearer(token) => Some(token),
            Pass::Session(_) => None,
        }
    }

    /// The request with what lets it in.
    pub(super) fn dress(&self, request: Request) -> Request {
        match &self.pass {
            Pass::Session(id) => {
                let id = id.read().unwrap_or_else(PoisonError::into_inner).clone();
                request.secret_header("X-Session-ID", id)
            }
            Pass::Bearer(token) => oauth::with_token(request, token),
        }
    }

    /// Whether a new login may help.
    pub(super) fn is_stale(&self, status: u16, code: &str) -> bool {
        match &self.pass {
            Pass::Session(_) => errors::is_stale(status, code),
            Pass::Bearer(_) => status == 401,
        }
    }

    /// The error that an answer means.
    pub(super) fn refusal(&self, operation: &'static str, response: &Response) -> Error {
        match &self.pass {
            Pass::Session(_) => errors::refusal(operation, response),
            Pass::Bearer(_) => oauth::refusal(operation, response),
        }
    }

    /// Kayako may hand out a new id with any answer; it counts from then on.
    pub(super) fn replaced_by(&self, id: Option<String>) {
        if let (Some(id), Pass::Session(known)) = (id, &self.pass) {
            *known.write().unwrap_or_else(PoisonError::into_inner) = SecretString::new(id);
        }
    }
}

/// The headers that every call carries: without them Kayako may answer in another form or ask browsers to log in.
pub(super) fn dressed(request: Request) -> Request {
    request
        .header("Accept", "application/json")
        .header("X-Requested-With", "XMLHttpRequest")
}

impl Client {
    /// Makes sure that Kayako's cloud answers here, before the password is sent to anybody.
    pub(super) async fn probe(&self, cx: &Context) -> Result<()> {
        let mut tries = 3;
        loop {
            let request = dressed(Request::get("probe", "teams"))
                .operation(PROBE)
                .query("limit", 1);
            let response = self.http.send(cx, request).await?;
            tries -= 1;
            match response.status {
                _ if response.header("x-api-version").is_some() => {
                    needed(cx, "probe", 0.0);
                    return Ok(());
                }
                // Also said during outages, so it is asked again.
                490 if tries > 0 => cx.sleep(PAUSE, PROBE).await?,
                490 => return Err(errors::no_such_instance(PROBE).with("address", &self.root)),
                _ => return Err(self.not_cloud(&response)),
            }
        }
    }

    fn not_cloud(&self, response: &Response) -> Error {
        Error::new(ErrorKind::NoSuchInstance, PROBE, "something answers, but not Kayako's cloud: it names no API version")
            .with("address", &self.root)
            .with("status", response.status)
            .advise("Check the address. If it is Kayako Classic (the downloaded product, or a desk whose pages end in index.php), give the key and secret of its REST interface in place of the account")
    }

    /// A new session. Called under the guard that lets only one login run, and none after a refused one.
    pub(super) async fn log_in(&self, cx: &Context) -> Result<Login> {
        self.probe_once(cx).await?;
        match &self.account {
            Account::Password { email, password } => self.log_in_with(cx, email, password).await,
            Account::OAuth { renewal, .. } => self.authorize(cx, renewal.as_ref()).await,
        }
    }

    async fn log_in_with(
        &self,
        cx: &Context,
        email: &str,
        password: &SecretString,
    ) -> Result<Login> {
        let pair = format!("{email}:{}", password.expose());
        let basic = format!(
            "Basic {}",
            base64::engine::general_purpose::STANDARD.encode(pair)
        );
        let request = dressed(Request::get("session", "session"))
            .operation(LOG_IN)
            .header("X-CSRF", "false")
            .secret_header("Authorization", SecretString::new(basic));
        let response = self.http.send(cx, request).await?;
        if !response.is_success() {
            return Err(errors::refusal(LOG_IN, &response));
        }
        needed(cx, "session", 0.0);
        self.session_of(&response)
    }

    fn session_of(&self, response: &Response) -> Result<Login> {
        let envelope: Single = response.json(LOG_IN)?;
        let session: wire::Session = wire::decode(&envelope.data).map_err(|defect| {
            Error::decode(LOG_IN, &format!("data.{}", defect.path), defect.reason)
        })?;
        let id = envelope.session_id.ok_or_else(|| {
            Error::new(
                ErrorKind::Protocol,
                LOG_IN,
                "Kayako accepted the login but gave no session",
            )
        })?;
        let pass = Pass::Session(RwLock::new(SecretString::new(id)));
        Ok(Login::new(pass, self.instance(session.instance_name)?))
    }

    /// The instance's name, as it was told or as its address says.
    pub(super) fn instance(&self, told: Option<String>) -> Result<String> {
        told.or_else(|| self.subdomain()).ok_or_else(|| {
            Error::new(
                ErrorKind::Protocol,
                LOG_IN,
                "Kayako did not tell the name of its instance",
            )
            .advise(
                "Use the instance's own address, `https://<name>.kayako.com`, in the configuration",
            )
        })
    }

    /// `acme` of `acme.kayako.com`: there the host is the instance's name.
    fn subdomain(&self) -> Option<String> {
        let host = self.root.split("://").nth(1)?;
        host.strip_suffix(".kayako.com")
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
    }
}
