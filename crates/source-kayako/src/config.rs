//! How to reach a Kayako instance, and how to treat it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use deskferry_core::http::SecretString;
use deskferry_core::settings::Settings;
use deskferry_core::{Error, ErrorKind, Result};
use serde::Deserialize;
use url::{Host, Url};

const READ: &str = "read the Kayako configuration";

/// A checked configuration; see [`KayakoConfig::builder`], [`KayakoConfig::from_env`], or read it with serde (a section of a
/// TOML file, say): the same checks run.
///
/// ```
/// use deskferry_source_kayako::KayakoConfig;
///
/// let config = KayakoConfig::builder("acme", "admin@example.org", "secret").build()?;
/// assert_eq!(config.url(), "https://acme.kayako.com");
/// assert!(!format!("{config:?}").contains("secret"));
/// # Ok::<(), deskferry_core::Error>(())
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "KayakoConfigBuilder")]
pub struct KayakoConfig {
    root: String,
    settings: KayakoConfigBuilder,
}

/// What a [`KayakoConfig`] is made of; [`build`](Self::build) checks it.
///
/// With serde: `url` is needed, and an account: `email` and `password`, or `access_token`, or `client_id`, `client_secret`
/// and `refresh_token` (an `access_token` beside these is used until it expires). The rest has the defaults that stand at
/// the methods.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KayakoConfigBuilder {
    url: String,
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: SecretString,
    #[serde(default)]
    access_token: SecretString,
    #[serde(default)]
    client_id: String,
    #[serde(default)]
    client_secret: SecretString,
    #[serde(default)]
    refresh_token: SecretString,
    #[serde(default)]
    refresh_token_store: Option<PathBuf>,
    #[serde(default, rename = "rate", alias = "requests_per_minute")]
    requests_per_minute: Rate,
    #[serde(default = "default_parallel")]
    parallel: usize,
    #[serde(default)]
    email_headers: bool,
    #[serde(default)]
    keep_raw: bool,
    #[serde(default)]
    trashed: Take,
    #[serde(default)]
    suspended: Take,
    #[serde(default = "default_merged")]
    merged: Take,
    #[serde(default)]
    activities: Take,
    #[serde(default)]
    ratings: Take,
    #[serde(default)]
    time_tracking: Take,
    #[serde(default)]
    person_notes: Take,
    #[serde(default)]
    sweep: bool,
    #[serde(default)]
    allow_plain_http: bool,
    #[serde(default)]
    allow_private_hosts: bool,
    #[serde(default)]
    root_certificate: Option<String>,
    #[serde(default)]
    edition: Edition,
    #[serde(default)]
    api_key: SecretString,
    #[serde(default)]
    secret_key: SecretString,
    #[serde(default)]
    instance: String,
    #[serde(default)]
    dates: Dates,
    #[serde(default = "default_language")]
    language: String,
}

/// Which product answers: two that share the name and nothing on the wire. In a file and in the environment `auto`,
/// `cloud` or `classic`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Edition {
    /// By the account: a REST key with its secret can only be Classic's, everything else only the cloud's. What answers is
    /// looked at before anything else is asked.
    #[default]
    Auto,
    /// Kayako in the cloud.
    Cloud,
    /// Kayako Classic, versions 3 and 4.
    Classic,
}

/// How a Classic helpdesk writes days in custom fields: its own setting, which no answer tells. In a file and in the
/// environment `auto`, `month-first`, `day-first` or `year-first`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dates {
    /// What can only be read in one way is a day; the rest stays text.
    #[default]
    Auto,
    /// `05/24/2011`.
    MonthFirst,
    /// `24/05/2011`.
    DayFirst,
    /// `2011-05-24`.
    YearFirst,
}

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) enum Account {
    /// Basic once, then a session.
    Password {
        email: String,
        password: SecretString,
    },
    /// A bearer token; there is one, or a way to one.
    OAuth {
        access: Option<SecretString>,
        renewal: Option<Renewal>,
    },
}

/// What gives access tokens.
#[derive(Clone, Debug)]
pub(crate) struct Renewal {
    pub(crate) client_id: String,
    pub(crate) client_secret: SecretString,
    pub(crate) token: SecretString,
    /// Where the token is kept that Kayako gives in exchange for this one.
    pub(crate) store: Option<PathBuf>,
}

/// Whether cases of a sort are taken along. In a file and in the environment `include` or `skip`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Take {
    /// With their posts and files.
    Include,
    /// Each is named and counted as skipped with its reason; its posts are not read.
    #[default]
    Skip,
}

/// How many requests a minute go out. In a file, `rate = 120` or `rate = "adaptive"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "RateText")]
pub(crate) enum Rate {
    /// Found out while reading.
    #[default]
    Adaptive,
    /// At most so many.
    AtMost(u32),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RateText {
    Number(u32),
    Word(String),
}

impl TryFrom<RateText> for Rate {
    type Error = String;
    fn try_from(text: RateText) -> Result<Self, String> {
        match text {
            RateText::Number(requests) => Ok(Self::AtMost(requests)),
            RateText::Word(word) => word.parse(),
        }
    }
}

impl Rate {
    /// For people: Kayako publishes no limit and tells of none (Kayako reference, section 5).
    pub(crate) fn told(self) -> String {
        match self {
            Self::Adaptive => {
                "Kayako tells of none; the pace begins with 60 requests a minute and is found out"
                    .into()
            }
            Self::AtMost(requests) => {
                format!(
                    "at most {requests} requests a minute, as configured; Kayako tells of no limit"
                )
            }
        }
    }
}

impl FromStr for Rate {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "adaptive" => Ok(Self::Adaptive),
            number => number.parse().map(Self::AtMost).map_err(|_| {
                format!("requests a minute are a number or `adaptive`, not `{number}`")
            }),
        }
    }
}

const fn default_parallel() -> usize {
    4
}

fn default_language() -> String {
    "en-us".to_owned()
}

const fn default_merged() -> Take {
    Take::Include
}

impl KayakoConfig {
    /// Starts with what cannot be guessed.
    ///
    /// `url` is what people know of their instance: `acme`, `acme.kayako.com`, `https://acme.kayako.com/agent`, a domain of
    /// their own, or an `http` address of this machine for rehearsals.
    pub fn builder(
        url: impl Into<String>,
        email: impl Into<String>,
        password: impl Into<SecretString>,
    ) -> KayakoConfigBuilder {
        KayakoConfigBuilder {
            email: email.into(),
            password: password.into(),
            ..Self::at(url)
        }
    }

    /// Starts with an OAuth access token instead of an account. It cannot be renewed: when it expires, the run ends.
    pub fn with_access_token(
        url: impl Into<String>,
        token: impl Into<SecretString>,
    ) -> KayakoConfigBuilder {
        KayakoConfigBuilder {
            access_token: token.into(),
            ..Self::at(url)
        }
    }

    /// Starts with an OAuth client of the instance and a refresh token, which gives access tokens as they are needed.
    pub fn with_refresh_token(
        url: impl Into<String>,
        client_id: impl Into<String>,
        client_secret: impl Into<SecretString>,
        token: impl Into<SecretString>,
    ) -> KayakoConfigBuilder {
        KayakoConfigBuilder {
            client_id: client_id.into(),
            client_secret: client_secret.into(),
            refresh_token: token.into(),
            ..Self::at(url)
        }
    }

    fn at(url: impl Into<String>) -> KayakoConfigBuilder {
        KayakoConfigBuilder {
            url: url.into(),
            email: String::new(),
            password: SecretString::default(),
            access_token: SecretString::default(),
            client_id: String::new(),
            client_secret: SecretString::default(),
            refresh_token: SecretString::default(),
            refresh_token_store: None,
            requests_per_minute: Rate::Adaptive,
            parallel: default_parallel(),
            email_headers: false,
            keep_raw: false,
            trashed: Take::Skip,
            suspended: Take::Skip,
            merged: default_merged(),
            activities: Take::Skip,
            ratings: Take::Skip,
            time_tracking: Take::Skip,
            person_notes: Take::Skip,
            sweep: false,
            allow_plain_http: false,
            allow_private_hosts: false,
            root_certificate: None,
            edition: Edition::Auto,
            api_key: SecretString::default(),
            secret_key: SecretString::default(),
            instance: String::new(),
            dates: Dates::Auto,
            language: default_language(),
        }
    }

    /// From the environment: `KAYAKO_URL` and an account (`KAYAKO_EMAIL`, `KAYAKO_PASSWORD`, or `KAYAKO_ACCESS_TOKEN`, or
    /// `KAYAKO_CLIENT_ID`, `KAYAKO_CLIENT_SECRET` and `KAYAKO_REFRESH_TOKEN`), and whatever else [`SETTINGS`](crate::SETTINGS)
    /// lists. Each secret can come from a file, such as `KAYAKO_PASSWORD_FILE`.
    ///
    /// # Errors
    /// `Config`: a variable is missing or cannot be read; names it, never shows it.
    pub fn from_env() -> Result<Self> {
        Self::from_settings(&crate::SETTINGS.from_env()?)
    }

    /// From what was told by the environment, a file, or both.
    ///
    /// # Errors
    /// `Config`: something is missing, or does not go together.
    pub fn from_settings(settings: &Settings) -> Result<Self> {
        let builder: KayakoConfigBuilder = settings.configure()?;
        if !builder.has_account() {
            let missing = if builder.email.trim().is_empty() {
                "email"
            } else {
                "password"
            };
            return Err(settings.missing(missing).advise(
                "Set KAYAKO_EMAIL and KAYAKO_PASSWORD, or KAYAKO_ACCESS_TOKEN, or KAYAKO_REFRESH_TOKEN with its client; \
                 a configuration file has the same under [kayako], secrets as `password_file` and so on",
            ));
        }
        builder.build()
    }

    /// The instance's address: scheme, host and port.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.root
    }

    /// Whose account is used; nobody's name with OAuth.
    #[must_use]
    pub fn email(&self) -> Option<&str> {
        Some(self.settings.email.trim()).filter(|email| !email.is_empty())
    }

    pub(crate) fn account(&self) -> Account {
        let settings = &self.settings;
        if self.email().is_some() {
            return Account::Password {
                email: settings.email.trim().to_owned(),
                password: settings.password.clone(),
            };
        }
        let some = |token: &SecretString| Some(token.clone()).filter(|token| !token.is_empty());
        Account::OAuth {
            access: some(&settings.access_token),
            renewal: some(&settings.refresh_token).map(|token| Renewal {
                client_id: settings.client_id.clone(),
                client_secret: settings.client_secret.clone(),
                token,
                store: settings.refresh_token_store.clone(),
            }),
        }
    }

    pub(crate) fn rate(&self) -> Rate {
        self.settings.requests_per_minute
    }

    pub(crate) fn parallel(&self) -> usize {
        self.settings.parallel
    }

    pub(crate) fn email_headers(&self) -> bool {
        self.settings.email_headers
    }

    pub(crate) fn keep_raw(&self) -> bool {
        self.settings.keep_raw
    }

    pub(crate) fn trashed(&self) -> Take {
        self.settings.trashed
    }

    pub(crate) fn suspended(&self) -> Take {
        self.settings.suspended
    }

    pub(crate) fn merged(&self) -> Take {
        self.settings.merged
    }

    pub(crate) fn activities(&self) -> Take {
        self.settings.activities
    }

    pub(crate) fn ratings(&self) -> Take {
        self.settings.ratings
    }

    pub(crate) fn time_tracking(&self) -> Take {
        self.settings.time_tracking
    }

    pub(crate) fn person_notes(&self) -> Take {
        self.settings.person_notes
    }

    pub(crate) fn sweep(&self) -> bool {
        self.settings.sweep
    }

    pub(crate) fn allow_plain_http(&self) -> bool {
        self.settings.allow_plain_http
    }

    pub(crate) fn allow_private_hosts(&self) -> bool {
        self.settings.allow_private_hosts
    }

    pub(crate) fn root_certificate(&self) -> Option<&str> {
        self.settings.root_certificate.as_deref()
    }
}

impl KayakoConfigBuilder {
    /// The most requests that go out in a minute.
    ///
    /// Without it the pace is [adaptive](deskferry_core::http::Limit::adaptive): Kayako publishes no limits and tells of none
    /// until one is passed (Kayako reference, section 5), so it begins with 60 a minute and finds out. In a file (`rate`) and in
    /// `KAYAKO_RATE` that is the word `adaptive`.
    #[must_use]
    pub fn requests_per_minute(mut self, requests: u32) -> Self {
        self.requests_per_minute = Rate::AtMost(requests);
        self
    }

    /// How many lists of posts may be read at once. Default 4.
    #[must_use]
    pub fn parallel(mut self, shards: usize) -> Self {
        self.parallel = shards;
        self
    }

    /// Whether the original headers of each mail are read: one request more per mail, and the only way to its
    /// `Message-ID`, `In-Reply-To` and `References`. Default no.
    #[must_use]
    pub fn email_headers(mut self, read: bool) -> Self {
        self.email_headers = read;
        self
    }

    /// Whether each record keeps the JSON that it was made from. Default no.
    #[must_use]
    pub fn keep_raw(mut self, keep: bool) -> Self {
        self.keep_raw = keep;
        self
    }

    /// Whether cases in the trash are taken along. Default [`Take::Skip`].
    #[must_use]
    pub fn trashed(mut self, take: Take) -> Self {
        self.trashed = take;
        self
    }

    /// Whether cases that are held back as spam are taken along. Default [`Take::Skip`].
    #[must_use]
    pub fn suspended(mut self, take: Take) -> Self {
        self.suspended = take;
        self
    }

    /// Whether cases that were merged into another one are taken along: closed, without the posts that stand with the
    /// other one, and naming it; one request more per merged case. Default [`Take::Include`].
    #[must_use]
    pub fn merged(mut self, take: Take) -> Self {
        self.merged = take;
        self
    }

    /// Whether the history of each case is taken along as internal messages: who changed what when. One request more per case.
    /// Default [`Take::Skip`].
    #[must_use]
    pub fn activities(mut self, take: Take) -> Self {
        self.activities = take;
        self
    }

    /// Whether the words and the time of ratings are read: one request more per rated case. The rating itself stands on the
    /// case. Default [`Take::Skip`].
    #[must_use]
    pub fn ratings(mut self, take: Take) -> Self {
        self.ratings = take;
        self
    }

    /// Whether booked times are read, and summed up on their cases as `seconds_worked`: one list more, a request per hundred
    /// entries. Default [`Take::Skip`].
    #[must_use]
    pub fn time_tracking(mut self, take: Take) -> Self {
        self.time_tracking = take;
        self
    }

    /// Whether notes on people and organisations are read, and kept with them as `notes`: one request more per customer and
    /// organisation. Default [`Take::Skip`].
    #[must_use]
    pub fn person_notes(mut self, take: Take) -> Self {
        self.person_notes = take;
        self
    }

    /// Whether a read of changes asks for what was read before and was not met again: cases (a request per hundred), customers,
    /// organisations and articles that no list shows any more. Default no.
    #[must_use]
    pub fn sweep(mut self, sweep: bool) -> Self {
        self.sweep = sweep;
        self
    }

    /// The file that keeps the refresh token: each use of one may bring a new one and end the old. What stands in the file
    /// counts before the configured token; it is written for this user alone, whole or not at all. Default none: a
    /// new token is forgotten with the process.
    #[must_use]
    pub fn refresh_token_store(mut self, file: impl Into<PathBuf>) -> Self {
        self.refresh_token_store = Some(file.into());
        self
    }

    /// Lets addresses of files and redirects that name another host lead to private ones: this machine, the local network.
    /// Default no. The instance itself may be anywhere.
    #[must_use]
    pub fn allow_private_hosts(mut self, allow: bool) -> Self {
        self.allow_private_hosts = allow;
        self
    }

    /// Allows plain http to other machines than this one. Default no.
    #[must_use]
    pub fn allow_plain_http(mut self, allow: bool) -> Self {
        self.allow_plain_http = allow;
        self
    }

    /// A certificate to trust beside those of the system, as PEM text. Default none.
    #[must_use]
    pub fn root_certificate(mut self, pem: impl Into<String>) -> Self {
        self.root_certificate = Some(pem.into());
        self
    }

    /// Checks everything that can be checked without the network.
    ///
    /// # Errors
    /// `Config`: no address; no account, or two; a refresh token without its client; plain http to another machine; a number that makes no sense.
    pub fn build(self) -> Result<KayakoConfig> {
        let root = root_of(&self.url, self.allow_plain_http)?;
        self.check_account()?;
        if self.requests_per_minute == Rate::AtMost(0) || self.parallel == 0 {
            return Err(wrong(
                "requests a minute and shards at once must be at least one",
            ));
        }
        Ok(KayakoConfig {
            root,
            settings: self,
        })
    }
}

impl KayakoConfigBuilder {
    /// Which product is meant.
    pub(crate) fn edition(&self) -> Edition {
        match self.edition {
            Edition::Auto if self.has_key() && !self.has_account() => Edition::Classic,
            Edition::Auto => Edition::Cloud,
            told => told,
        }
    }

    fn has_key(&self) -> bool {
        !self.api_key.is_empty() || !self.secret_key.is_empty()
    }

    fn has_account(&self) -> bool {
        let by_token = !self.access_token.is_empty() || !self.refresh_token.is_empty();
        by_token || (!self.email.trim().is_empty() && !self.password.is_empty())
    }

    fn check_account(&self) -> Result<()> {
        if self.edition == Edition::Classic || self.has_key() {
            return Err(wrong(
                "a REST key is Kayako Classic's: in the cloud nobody is let in by it",
            )
            .advise("Take the key and its secret out for the cloud; for Classic take the e-mail address, password and tokens out"));
        }
        if self.refresh_token_store.is_some() && self.refresh_token.is_empty() {
            return Err(wrong(
                "a file that keeps the refresh token needs a first refresh token",
            ));
        }
        let by_token = !self.access_token.is_empty() || !self.refresh_token.is_empty();
        if by_token {
            if !self.email.trim().is_empty() || !self.password.is_empty() {
                return Err(
                    wrong("both a token and an e-mail address or password are given")
                        .advise("Keep one of the two"),
                );
            }
            let client = !self.client_id.trim().is_empty() && !self.client_secret.is_empty();
            if !self.refresh_token.is_empty() && !client {
                return Err(wrong(
                    "a refresh token needs the id and the secret of its OAuth client",
                ));
            }
            return Ok(());
        }
        if self.email.trim().is_empty() {
            return Err(wrong("the e-mail address of the account is empty"));
        }
        if self.email.contains(':') {
            return Err(wrong(
                "the e-mail address holds a `:`, which a login cannot carry",
            ));
        }
        if self.password.is_empty() {
            return Err(wrong("the password is empty"));
        }
        Ok(())
    }
}

impl TryFrom<KayakoConfigBuilder> for KayakoConfig {
    type Error = Error;
    fn try_from(builder: KayakoConfigBuilder) -> Result<Self> {
        builder.build()
    }
}

impl fmt::Debug for KayakoConfigBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address as typed may hold a password before an `@`.
        f.debug_struct("KayakoConfigBuilder")
            .field("email", &self.email)
            .field("password", &self.password)
            .field("requests_per_minute", &self.requests_per_minute)
            .field("parallel", &self.parallel)
            .field("email_headers", &self.email_headers)
            .field("keep_raw", &self.keep_raw)
            .field("trashed", &self.trashed)
            .field("suspended", &self.suspended)
            .field("merged", &self.merged)
            .field("allow_plain_http", &self.allow_plain_http)
            .field("edition", &self.edition)
            .finish_non_exhaustive()
    }
}

fn wrong(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, READ, message)
}

/// Scheme, host and port of what people type (Kayako reference, section 1).
fn root_of(typed: &str, allow_plain_http: bool) -> Result<String> {
    Ok(address_of(typed, allow_plain_http)?
        .origin()
        .ascii_serialization())
}

/// The address that people mean.
fn address_of(typed: &str, allow_plain_http: bool) -> Result<Url> {
    let advice = "Write the instance's name (`acme`) or its address (`https://acme.kayako.com`)";
    let typed = typed.trim();
    let bare = typed.trim_end_matches('/');
    if bare.is_empty() {
        return Err(wrong("the address of the Kayako instance is empty").advise(advice));
    }
    let is_name =
        bare != "localhost" && bare.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let address = if is_name {
        format!("https://{}.kayako.com", bare.to_ascii_lowercase())
    } else if typed.contains("://") {
        typed.to_owned()
    } else {
        format!("https://{typed}")
    };
    let url = Url::parse(&address).map_err(|error| {
        wrong(format!(
            "the address of the Kayako instance is none: {error}"
        ))
        .advise(advice)
    })?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            wrong("the address of the Kayako instance must not hold a user or password")
                .advise(advice),
        );
    }
    match url.scheme() {
        "https" => {}
        "http" if allow_plain_http || is_this_machine(&url) => {}
        "http" => {
            return Err(wrong(
                "plain http to another machine would show the password to everybody on the way",
            )
            .advise("Write https://, or allow plain http in the configuration"));
        }
        other => return Err(wrong(format!("`{other}` is not http or https")).advise(advice)),
    }
    Ok(url)
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

mod classic;

pub use classic::{ClassicConfig, ClassicConfigBuilder};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_people_type_leads_to_scheme_host_and_port() {
        for (typed, root) in [
            ("acme", "https://acme.kayako.com"),
            (" ACME/ ", "https://acme.kayako.com"),
            ("acme.kayako.com", "https://acme.kayako.com"),
            ("https://acme.kayako.com/agent", "https://acme.kayako.com"),
            (
                "https://acme.kayako.com/api/v1/cases?limit=1",
                "https://acme.kayako.com",
            ),
            ("support.example.org/agent/", "https://support.example.org"),
            (
                "https://support.example.org:8443/",
                "https://support.example.org:8443",
            ),
            ("http://127.0.0.1:3999/agent", "http://127.0.0.1:3999"),
            ("http://localhost:3999", "http://localhost:3999"),
            ("http://[::1]:3999", "http://[::1]:3999"),
        ] {
            assert_eq!(root_of(typed, false).unwrap(), root, "{typed}");
        }
    }

    #[test]
    fn a_wrong_configuration_is_refused_before_anything_is_sent() {
        let built = |url: &str, email: &str, password: &str| {
            KayakoConfig::builder(url, email, password).build()
        };
        for (url, email, password, says) in [
            ("", "a@example.org", "p", "is empty"),
            ("ftp://acme.kayako.com", "a@example.org", "p", "not http"),
            ("http://acme.kayako.com", "a@example.org", "p", "plain http"),
            (
                "https://me:hidden@acme.kayako.com",
                "a@example.org",
                "p",
                "user or password",
            ),
            ("https://", "a@example.org", "p", "is none"),
            ("acme", " ", "p", "e-mail"),
            ("acme", "a:b@example.org", "p", "`:`"),
            ("acme", "a@example.org", "", "password is empty"),
        ] {
            let error = built(url, email, password).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{url}");
            assert!(error.to_string().contains(says), "{url}: {error}");
            assert!(!error.to_string().contains("hidden"), "{error}");
        }
        assert!(
            KayakoConfig::builder("acme", "a@example.org", "p")
                .requests_per_minute(0)
                .build()
                .is_err()
        );
    }

    #[test]
    fn an_account_is_a_password_or_tokens_never_both_nor_half_of_one() {
        let with = |account: &str| {
            serde_json::from_str::<KayakoConfig>(&format!(r#"{{"url":"acme",{account}}}"#))
        };
        let client = r#""client_id":"c","client_secret":"hidden","refresh_token":"hidden""#;
        for account in [
            r#""email":"a@example.org","password":"hidden""#.to_owned(),
            r#""access_token":"hidden""#.to_owned(),
            client.to_owned(),
            format!(r#""access_token":"hidden",{client}"#),
        ] {
            let config = with(&account).unwrap();
            assert!(!format!("{config:?} {:?}", config.account()).contains("hidden"));
        }
        for account in [
            r#""email":"a@example.org""#.to_owned(),
            r#""refresh_token":"hidden""#.to_owned(),
            r#""refresh_token":"hidden","client_id":"c""#.to_owned(),
            format!(r#""email":"a@example.org","password":"hidden",{client}"#),
        ] {
            let error = with(&account).unwrap_err().to_string();
            assert!(!error.contains("hidden"), "{error}");
        }
    }

    #[test]
    fn the_pace_is_adaptive_unless_a_number_is_given() {
        let with = |rate: &str| {
            let json = format!(r#"{{"url":"acme","email":"a@example.org","password":"p"{rate}}}"#);
            serde_json::from_str::<KayakoConfig>(&json).map(|config| config.rate())
        };
        for (rate, expected) in [
            ("", Rate::Adaptive),
            (r#","rate":"adaptive""#, Rate::Adaptive),
            (r#","requests_per_minute":70"#, Rate::AtMost(70)),
            (r#","rate":90"#, Rate::AtMost(90)),
        ] {
            assert_eq!(with(rate).unwrap(), expected, "{rate}");
        }
        for rate in [r#","rate":0"#, r#","rate":"fast""#] {
            assert!(with(rate).is_err(), "{rate}");
        }
    }

    fn told(pairs: &[(&str, &str)]) -> Result<KayakoConfig> {
        let vars = |name: &str| {
            let found = pairs.iter().find(|(n, _)| *n == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        KayakoConfig::from_settings(&crate::SETTINGS.read(&vars, None)?)
    }

    #[test]
    fn the_environment_and_serde_pass_the_same_checks() {
        let account = [
            ("KAYAKO_URL", "acme"),
            ("KAYAKO_EMAIL", "a@example.org"),
            ("KAYAKO_PASSWORD", "hidden"),
        ];
        let with = |more: &[(&'static str, &'static str)]| told(&[&account, more].concat());
        let config = with(&[("KAYAKO_RATE", "600"), ("KAYAKO_EMAIL_HEADERS", "true")]).unwrap();
        assert_eq!(
            (config.rate(), config.email_headers(), config.parallel()),
            (Rate::AtMost(600), true, 4)
        );
        assert!(!format!("{config:?}").contains("hidden"));
        assert_eq!(
            (config.trashed(), config.suspended(), config.merged()),
            (Take::Skip, Take::Skip, Take::Include)
        );
        let config = with(&[
            ("KAYAKO_TRASHED", "include"),
            ("KAYAKO_SUSPENDED", "include"),
            ("KAYAKO_MERGED", "skip"),
            ("KAYAKO_ALLOW_PRIVATE_HOSTS", "true"),
        ])
        .unwrap();
        assert_eq!(
            (config.trashed(), config.suspended(), config.merged()),
            (Take::Include, Take::Include, Take::Skip)
        );
        assert!(config.allow_private_hosts());
        for (pairs, says) in [
            (&account[1..], "KAYAKO_URL is not set"),
            (&account[..1], "KAYAKO_EMAIL is not set"),
            (&account[..2], "KAYAKO_PASSWORD is not set"),
        ] {
            let error = told(pairs).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains(says), "{error}");
        }
        for (more, says) in [
            (("KAYAKO_RATE", "fast"), "KAYAKO_RATE must be"),
            (("KAYAKO_TRASHED", "sometimes"), "`include` or `skip`"),
            (
                ("KAYAKO_REFRESH_TOKEN_STORE", "/keep/token"),
                "needs a first",
            ),
            (("KAYAKO_ACCESS_TOKEN", "hidden"), "Keep one of the two"),
        ] {
            let error = with(&[more]).unwrap_err();
            assert!(error.to_string().contains(says), "{error}");
            assert!(!error.to_string().contains("hidden"), "{error}");
        }

        let json =
            r#"{"url":"http://elsewhere.example.org","email":"a@example.org","password":"p"}"#;
        assert!(
            serde_json::from_str::<KayakoConfig>(json)
                .unwrap_err()
                .to_string()
                .contains("plain http")
        );
    }

    #[test]
    fn every_key_of_the_configuration_is_a_setting_and_every_setting_is_a_key() {
        let unknown = r#"{"not a key": 0}"#;
        let said = match serde_json::from_str::<KayakoConfigBuilder>(unknown) {
            Err(error) => error.to_string(),
            Ok(_) => panic!("an unknown key was taken"),
        };
        let (_, known) = said.split_once("expected one of ").unwrap();
        let keys: std::collections::BTreeSet<&str> = known
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|key| *key != "requests_per_minute")
            .collect();
        let settings = crate::SETTINGS.settings.iter().map(|s| s.key).collect();
        assert_eq!(keys, settings);
    }
}
