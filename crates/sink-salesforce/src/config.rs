//! How the org is reached and what is decided beforehand.

use std::path::PathBuf;
use std::time::Duration;

use deskferry_core::error::{Error, ErrorKind, Result};
use deskferry_core::http::{RetryPolicy, SecretString};
use deskferry_core::settings::Settings;
use serde::Deserialize;

/// The API version that is used unless another one is asked for.
pub const API_VERSION: &str = "66.0";

/// How a Salesforce org is reached, and what is decided beforehand.
///
/// Made by [`SalesforceConfig::builder`], by [`SalesforceConfig::from_env`], or read with serde and then checked by
/// [`Salesforce::new`](crate::Salesforce::new). `Debug` hides secrets.
///
/// ```
/// use deskferry_sink_salesforce::SalesforceConfig;
///
/// let config = SalesforceConfig::builder("https://example.my.salesforce.com")
///     .client_credentials("consumer key", "consumer secret")
///     .build()?;
/// assert!(!format!("{config:?}").contains("consumer secret"));
/// # Ok::<(), deskferry_core::Error>(())
/// ```
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SalesforceConfig {
    /// The org's My Domain address: `https://example.my.salesforce.com`.
    pub url: String,
    /// Consumer key of the app, for the client-credentials grant.
    #[serde(default)]
    pub client_id: Option<String>,
    /// Consumer secret of the app.
    #[serde(default)]
    pub client_secret: Option<SecretString>,
    /// The username (not the address) that the JWT-bearer grant signs for. Needs `client_id` and a private key.
    #[serde(default)]
    pub username: Option<String>,
    /// The private key whose certificate the app has, as PEM text.
    #[serde(default)]
    pub private_key: Option<SecretString>,
    /// The file in which that private key stands, instead of its text. Read when the configuration is checked.
    #[serde(default)]
    pub private_key_file: Option<PathBuf>,
    /// The audience that the JWT-bearer grant names. Default: the org's My Domain address, and if the org refuses that one
    /// the login host, once.
    #[serde(default)]
    pub audience: Option<String>,
    /// A token that is already there, instead of a grant. It cannot be renewed.
    #[serde(default)]
    pub access_token: Option<SecretString>,
    /// The file in which `login` keeps what a person agreed to in a browser. Needs `client_id`; the app's secret too, where it
    /// demands one.
    #[serde(default)]
    pub login_file: Option<PathBuf>,
    /// The API version, one for the whole migration. Default 66.0; an org that does not know that yet is spoken to in its
    /// newest.
    #[serde(default = "api_version")]
    pub api_version: String,
    /// Who owns what an agent without a User had: a username or a User's id, or several with commas between them, who then have a
    /// share each. The running user when not given.
    #[serde(default)]
    pub legacy_owner: Option<String>,
    /// Seconds after which a request whose answer was lost can no longer take effect. Default 600: the platform ends every
    /// call after ten minutes.
    #[serde(default = "landing_seconds")]
    pub landing_window: u64,
    /// Whether plain http may be spoken to other hosts than this machine. Default false.
    #[serde(default)]
    pub allow_plain_http: bool,
    /// What stands before `/sfc/servlet.shepherd/…` in the addresses of rewritten images. Default nothing.
    #[serde(default)]
    pub image_base: String,
    /// The share of the daily requests at which a load stops by itself, in percent. Default 90.
    #[serde(default = "daily_share")]
    pub daily_share: u8,
    /// From how many rows of one object in a batch on Bulk API 2.0 is used. Default 2,000, which is the platform's own
    /// advice; 0 or `"never"` for never.
    #[serde(default = "bulk_from", deserialize_with = "rows_or_never")]
    pub bulk_from: usize,
    /// Where the rows of a bulk job are kept while it runs, in files without a name. Default: the system's folder for
    /// temporary files.
    #[serde(default)]
    pub bulk_folder: Option<PathBuf>,
    /// Milliseconds before a bulk job is asked for the second time; each further wait is half as long again, up to 30 s.
    /// Default 2,000. Each question counts as a request.
    #[serde(default = "bulk_poll_millis")]
    pub bulk_poll: u64,
    /// A certificate authority of one's own, as PEM.
    #[serde(default)]
    pub root_certificate: Option<String>,
    #[serde(skip)]
    pub(crate) retry: RetryPolicy,
}

fn api_version() -> String {
    API_VERSION.to_owned()
}

fn landing_seconds() -> u64 {
    600
}

fn bulk_from() -> usize {
    2_000
}

/// A number of rows, or the word `never`.
fn rows_or_never<'de, D: serde::Deserializer<'de>>(
    from: D,
) -> std::result::Result<usize, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Rows {
        Number(usize),
        Word(String),
    }
    let rows = match Rows::deserialize(from)? {
        Rows::Number(rows) => Some(rows),
        Rows::Word(word) => rows_of(&word),
    };
    rows.ok_or_else(|| serde::de::Error::custom("bulk_from is a number of rows, or \"never\""))
}

fn rows_of(word: &str) -> Option<usize> {
    match word.trim() {
        "never" => Some(0),
        number => number.parse().ok(),
    }
}

fn bulk_poll_millis() -> u64 {
    2_000
}

fn daily_share() -> u8 {
    90
}

impl SalesforceConfig {
    /// Begins a configuration for the org at this address.
    pub fn builder(url: impl Into<String>) -> SalesforceConfigBuilder {
        SalesforceConfigBuilder {
            config: Self {
                url: url.into(),
                client_id: None,
                client_secret: None,
                username: None,
                private_key: None,
                private_key_file: None,
                audience: None,
                access_token: None,
                login_file: None,
                api_version: api_version(),
                legacy_owner: None,
                landing_window: landing_seconds(),
                allow_plain_http: false,
                image_base: String::new(),
                daily_share: daily_share(),
                bulk_from: bulk_from(),
                bulk_folder: None,
                bulk_poll: bulk_poll_millis(),
                root_certificate: None,
                retry: RetryPolicy::default(),
            },
        }
    }

    /// Begins a configuration from `SALESFORCE_URL` and one of: `SALESFORCE_CLIENT_ID` with `SALESFORCE_USERNAME` and
    /// `SALESFORCE_PRIVATE_KEY_FILE` (JWT bearer; `SALESFORCE_AUDIENCE` if the org's address is not the audience),
    /// `SALESFORCE_CLIENT_ID` with `SALESFORCE_CLIENT_SECRET`, or `SALESFORCE_ACCESS_TOKEN`; and whatever else
    /// [`SETTINGS`](crate::SETTINGS) lists. Each secret can come from a file, such as `SALESFORCE_CLIENT_SECRET_FILE`.
    ///
    /// # Errors
    /// `Config` when `SALESFORCE_URL` is not set, or a variable cannot be read; names it, never shows it.
    pub fn from_env() -> Result<SalesforceConfigBuilder> {
        Self::told(&crate::SETTINGS.from_env()?)
    }

    fn told(settings: &Settings) -> Result<SalesforceConfigBuilder> {
        let config = settings.configure()?;
        Ok(SalesforceConfigBuilder { config })
    }

    /// From what was told by the environment, a file, or both; checked.
    ///
    /// # Errors
    /// `Config`: something is missing, or does not go together.
    pub fn from_settings(settings: &Settings) -> Result<Self> {
        Self::told(settings)?.build()
    }

    /// Checks what can be checked without the org.
    ///
    /// # Errors
    /// `Config`, saying what to set.
    pub(crate) fn validated(mut self) -> Result<Self> {
        self.url = api_host(self.url.trim().trim_end_matches('/'));
        if self.url.contains('@') {
            return Err(wrong("the org's address must not hold a user or password"));
        }
        self.check_signing()?;
        let signs = self.username.is_some();
        let grant = self.client_id.is_some() && self.client_secret.is_some() && !signs;
        let kept = self.client_id.is_some() && self.login_file.is_some();
        if !grant && !signs && !kept && self.access_token.is_none() {
            return Err(wrong("there are no credentials")
                .advise("Set SALESFORCE_CLIENT_ID and SALESFORCE_CLIENT_SECRET of an app with the client-credentials flow, SALESFORCE_CLIENT_ID, SALESFORCE_USERNAME and SALESFORCE_PRIVATE_KEY_FILE of one with a certificate, SALESFORCE_CLIENT_ID and SALESFORCE_LOGIN_FILE of a login in a browser, or SALESFORCE_ACCESS_TOKEN"));
        }
        let login_host = ["login.salesforce.com", "test.salesforce.com"]
            .iter()
            .any(|host| self.url.ends_with(host));
        if grant && !kept && login_host {
            return Err(
                wrong("the client-credentials grant works at the org's own address only")
                    .advise("Use its My Domain address, such as https://example.my.salesforce.com"),
            );
        }
        let version = self.api_version.trim_start_matches('v').to_owned();
        let number = version
            .strip_suffix(".0")
            .and_then(|n| n.parse::<u32>().ok());
        if number.is_none_or(|n| n < 50) {
            return Err(wrong(format!(
                "`{}` is no API version from 50.0 on",
                self.api_version
            )));
        }
        self.api_version = version;
        Ok(self)
    }

    /// What the JWT-bearer grant needs is there, and its key can be signed with.
    fn check_signing(&mut self) -> Result<()> {
        if self.username.is_none() {
            return match (&self.private_key, &self.private_key_file) {
                (None, None) => Ok(()),
                _ => Err(wrong("there is a private key, but no username to sign for")
                    .advise("Set SALESFORCE_USERNAME to the migration user's username")),
            };
        }
        if self.client_id.is_none() {
            return Err(
                wrong("there is a username to sign for, but no consumer key")
                    .advise("Set SALESFORCE_CLIENT_ID to the app's consumer key"),
            );
        }
        if let (None, Some(file)) = (&self.private_key, &self.private_key_file) {
            let text = std::fs::read_to_string(file).map_err(|error| {
                wrong(format!(
                    "the private key `{}` cannot be read: {error}",
                    file.display()
                ))
                .advise("Set SALESFORCE_PRIVATE_KEY_FILE to a readable PEM file")
            })?;
            self.private_key = Some(SecretString::new(text));
        }
        let key = self.private_key.as_ref().ok_or_else(|| {
            wrong("there is a username to sign for, but no private key")
                .advise("Set SALESFORCE_PRIVATE_KEY_FILE to the key of the app's certificate")
        })?;
        crate::auth::read_key(key).map(|_| ())
    }

    pub(crate) fn landing(&self) -> Duration {
        Duration::from_secs(self.landing_window)
    }
}

/// Lightning addresses speak no API; the same org does at its My Domain.
fn api_host(url: &str) -> String {
    match url.strip_suffix(".lightning.force.com") {
        Some(host) => format!("{host}.my.salesforce.com"),
        None => url.to_owned(),
    }
}

fn wrong(said: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, "configure Salesforce", said)
}

/// Builds a [`SalesforceConfig`].
#[derive(Debug, Clone)]
pub struct SalesforceConfigBuilder {
    config: SalesforceConfig,
}

impl SalesforceConfigBuilder {
    /// Asks for tokens with the client-credentials grant.
    #[must_use]
    pub fn client_credentials(mut self, id: impl Into<String>, secret: impl Into<String>) -> Self {
        self.config.client_id = Some(id.into());
        self.config.client_secret = Some(SecretString::new(secret));
        self
    }

    /// Asks for tokens with the JWT-bearer grant, signed for this username with a private key (PEM text).
    #[must_use]
    pub fn jwt_bearer(
        mut self,
        id: impl Into<String>,
        username: impl Into<String>,
        private_key: impl Into<String>,
    ) -> Self {
        self.config.client_id = Some(id.into());
        self.config.username = Some(username.into());
        self.config.private_key = Some(SecretString::new(private_key));
        self
    }

    /// The same with the private key in a PEM file.
    #[must_use]
    pub fn jwt_bearer_file(
        mut self,
        id: impl Into<String>,
        username: impl Into<String>,
        private_key_file: impl Into<PathBuf>,
    ) -> Self {
        self.config.client_id = Some(id.into());
        self.config.username = Some(username.into());
        self.config.private_key_file = Some(private_key_file.into());
        self
    }

    /// Opens sessions by the login that is kept in this file, for the app with this consumer key.
    #[must_use]
    pub fn kept_login(mut self, id: impl Into<String>, file: impl Into<PathBuf>) -> Self {
        self.config.client_id = Some(id.into());
        self.config.login_file = Some(file.into());
        self
    }

    /// Names this audience in the JWT-bearer grant, and no other.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.config.audience = Some(audience.into());
        self
    }

    /// Uses Bulk API 2.0 from this many rows of one object in a batch on; 0 for never.
    #[must_use]
    pub fn bulk_from(mut self, rows: usize) -> Self {
        self.config.bulk_from = rows;
        self
    }

    /// Waits this long (at least a millisecond) before it asks for a bulk job the second time.
    #[must_use]
    pub fn bulk_poll(mut self, wait: Duration) -> Self {
        self.config.bulk_poll = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1);
        self
    }

    /// Keeps the rows of bulk jobs in this folder while they run.
    #[must_use]
    pub fn bulk_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.config.bulk_folder = Some(folder.into());
        self
    }

    /// Uses a token that is already there.
    #[must_use]
    pub fn access_token(mut self, token: impl Into<String>) -> Self {
        self.config.access_token = Some(SecretString::new(token));
        self
    }

    /// Speaks this API version.
    #[must_use]
    pub fn api_version(mut self, version: impl Into<String>) -> Self {
        self.config.api_version = version.into();
        self
    }

    /// Gives what an agent without a User had to this user (username or id), or in shares to several with commas between them.
    #[must_use]
    pub fn legacy_owner(mut self, user: impl Into<String>) -> Self {
        self.config.legacy_owner = Some(user.into());
        self
    }

    /// Waits this many whole seconds before it looks what a request without an answer did.
    #[must_use]
    pub fn landing_window(mut self, window: Duration) -> Self {
        self.config.landing_window = window.as_secs();
        self
    }

    /// Allows plain http to other hosts than this machine.
    #[must_use]
    pub fn allow_plain_http(mut self, allow: bool) -> Self {
        self.config.allow_plain_http = allow;
        self
    }

    /// Stops by itself when this share of the day's requests is used, in percent, by whomever.
    #[must_use]
    pub fn daily_share(mut self, percent: u8) -> Self {
        self.config.daily_share = percent;
        self
    }

    /// Puts this before the addresses of rewritten images.
    #[must_use]
    pub fn image_base(mut self, base: impl Into<String>) -> Self {
        self.config.image_base = base.into();
        self
    }

    /// Trusts this certificate authority (PEM) too.
    #[must_use]
    pub fn root_certificate(mut self, pem: impl Into<String>) -> Self {
        self.config.root_certificate = Some(pem.into());
        self
    }

    /// How often and how long requests are repeated.
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.config.retry = policy;
        self
    }

    /// The configuration, checked.
    ///
    /// # Errors
    /// `Config`, saying what to set.
    pub fn build(self) -> Result<SalesforceConfig> {
        self.config.validated()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_or_wrong_is_said_before_anything_is_sent() {
        let at = SalesforceConfig::builder;
        for (builder, said) in [
            (at("https://example.my.salesforce.com"), "no credentials"),
            (
                at("https://login.salesforce.com").client_credentials("a", "b"),
                "own address",
            ),
            (
                at("https://example.my.salesforce.com")
                    .access_token("t")
                    .api_version("sixty"),
                "no API version",
            ),
            (
                at("https://example.my.salesforce.com")
                    .access_token("t")
                    .api_version("30.0"),
                "no API version",
            ),
            (
                at("https://example.my.salesforce.com").jwt_bearer("a", "b", "no key"),
                "no RSA key",
            ),
            (
                at("https://example.my.salesforce.com").jwt_bearer_file("a", "b", "/no/such/key"),
                "cannot be read",
            ),
        ] {
            let error = builder.build().unwrap_err();
            assert!(error.to_string().contains(said), "{error}");
            assert_eq!(error.kind(), ErrorKind::Config);
        }
    }

    #[test]
    fn addresses_and_versions_are_understood_as_people_copy_them() {
        let config = SalesforceConfig::builder("https://example.lightning.force.com/")
            .access_token("secret!token")
            .api_version("v62.0")
            .build()
            .unwrap();
        assert_eq!(config.url, "https://example.my.salesforce.com");
        assert_eq!(config.api_version, "62.0");
        assert!(!format!("{config:?}").contains("secret!token"));
    }

    #[test]
    fn bulk_jobs_begin_at_the_platforms_advice_unless_another_number_or_never_is_said() {
        for (said, rows) in [
            (None, Some(2_000)),
            (Some("500"), Some(500)),
            (Some("never"), Some(0)),
            (Some("0"), Some(0)),
            (Some("often"), None),
        ] {
            let vars = |name: &str| match name {
                "SALESFORCE_URL" => Some("https://example.my.salesforce.com".to_owned()),
                "SALESFORCE_BULK_FROM" => said.map(str::to_owned),
                _ => None,
            };
            let by_environment = crate::SETTINGS.read(&vars, None);
            let by_environment = by_environment.and_then(|told| SalesforceConfig::told(&told));
            let by_environment = by_environment.ok().map(|builder| builder.config.bulk_from);
            assert_eq!(by_environment, rows, "{said:?}");
            let mut json = serde_json::json!({"url": "https://example.my.salesforce.com"});
            if let Some(said) = said {
                json["bulk_from"] = said.parse::<u64>().map_or(said.into(), Into::into);
            }
            let by_file = serde_json::from_value::<SalesforceConfig>(json);
            assert_eq!(
                by_file.ok().map(|config| config.bulk_from),
                rows,
                "{said:?}"
            );
        }
    }
}
