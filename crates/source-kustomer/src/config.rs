//! How to reach a Kustomer org, and how to treat it.

use std::fmt;
use std::path::{Path, PathBuf};

use deskferry_core::http::SecretString;
use deskferry_core::settings::Settings;
use deskferry_core::{Error, ErrorKind, Result};
use serde::Deserialize;
use url::{Host, Url};

const READ: &str = "read the Kustomer configuration";

/// A checked configuration; see [`KustomerConfig::builder`], [`KustomerConfig::from_env`], or read it with serde (a section of a
/// TOML file, say): the same checks run.
///
/// ```
/// use deskferry_source_kustomer::KustomerConfig;
///
/// let config = KustomerConfig::builder("acme", "secret").build()?;
/// assert_eq!(config.url(), "https://acme.api.kustomerapp.com");
/// assert!(!format!("{config:?}").contains("secret"));
/// # Ok::<(), deskferry_core::Error>(())
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "KustomerConfigBuilder")]
pub struct KustomerConfig {
    root: String,
    settings: KustomerConfigBuilder,
}

/// What a [`KustomerConfig`] is made of; [`build`](Self::build) checks it.
///
/// With serde: `url` and `key` are needed; the rest has the defaults that stand at the methods.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KustomerConfigBuilder {
    url: String,
    #[serde(default)]
    key: SecretString,
    #[serde(default, rename = "rate", alias = "requests_per_minute")]
    requests_per_minute: Rate,
    #[serde(default = "default_keep_free")]
    keep_free: f64,
    #[serde(default = "default_search_rate", rename = "search_rate")]
    searches_per_minute: u32,
    #[serde(default = "default_parallel")]
    parallel: usize,
    #[serde(default)]
    mail_bodies: MailBodies,
    #[serde(default)]
    messages: MessageReads,
    #[serde(default)]
    deleted: Take,
    #[serde(default)]
    spam: Take,
    #[serde(default)]
    customer_kind: String,
    #[serde(default)]
    exports: Option<PathBuf>,
    #[serde(default)]
    keep_raw: bool,
    #[serde(default)]
    allow_plain_http: bool,
    #[serde(default)]
    allow_private_hosts: bool,
    #[serde(default)]
    root_certificate: Option<String>,
}

/// Whether conversations of a sort are taken along. In a file and in the environment `include` or `skip`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Take {
    /// With what was said in them.
    Include,
    /// Each is named and counted as skipped with its reason; its messages are not read.
    #[default]
    Skip,
}

/// Whether the record behind a mail is read: it alone has the HTML, and the whole text of long mails. One request each. In a
/// file and in the environment `always`, `long` or `never`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailBodies {
    /// Of every mail.
    #[default]
    Always,
    /// Of mails that are longer than what the message shows of them.
    Long,
    /// Never: mails have their plain text as far as the message shows it.
    Never,
}

/// How what was said is read. In a file and in the environment `cheapest`, `search` or `conversation`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MessageReads {
    /// Whatever takes less time under both limits, lot by lot.
    #[default]
    Cheapest,
    /// By searches for many conversations at once, wherever the search knows them.
    Search,
    /// Conversation by conversation.
    Conversation,
}

/// How many requests a minute go out. In a file, `rate = 120` or `rate = "told"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "RateText")]
pub(crate) enum Rate {
    /// As the platform tells with its answers.
    #[default]
    Told,
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
            RateText::Word(word) if word == "told" => Ok(Self::Told),
            RateText::Word(word) => word
                .parse()
                .map(Self::AtMost)
                .map_err(|_| format!("requests a minute are a number or `told`, not `{word}`")),
        }
    }
}

/// Requests a minute that the smallest of today's plans allows (Kustomer reference, section 1.5): what is reckoned with until
/// an answer tells.
const USUAL_RATE: f64 = 1_000.0;

const fn default_keep_free() -> f64 {
    50.0
}

const fn default_search_rate() -> u32 {
    97
}

const fn default_parallel() -> usize {
    4
}

impl KustomerConfig {
    /// Starts with what cannot be guessed.
    ///
    /// `url` is what people know of their org: `acme`, `acme.kustomerapp.com`, the address of a region
    /// (`https://api.prod2.kustomerapp.com`), or an `http` address of this machine for rehearsals.
    pub fn builder(url: impl Into<String>, key: impl Into<SecretString>) -> KustomerConfigBuilder {
        KustomerConfigBuilder {
            url: url.into(),
            key: key.into(),
            requests_per_minute: Rate::Told,
            keep_free: default_keep_free(),
            searches_per_minute: default_search_rate(),
            parallel: default_parallel(),
            mail_bodies: MailBodies::Always,
            messages: MessageReads::Cheapest,
            deleted: Take::Skip,
            spam: Take::Skip,
            customer_kind: String::new(),
            exports: None,
            keep_raw: false,
            allow_plain_http: false,
            allow_private_hosts: false,
            root_certificate: None,
        }
    }

    /// From the environment: `KUSTOMER_URL`, `KUSTOMER_KEY` (or `KUSTOMER_KEY_FILE`), and whatever else
    /// [`SETTINGS`](crate::SETTINGS) lists.
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
        let builder: KustomerConfigBuilder = settings.configure()?;
        if builder.key.is_empty() {
            return Err(settings.missing("key").advise(
                "Make an API key under Settings › Security › API Keys with the roles that read, and set KUSTOMER_KEY",
            ));
        }
        builder.build()
    }

    /// The API's address: scheme, host and port.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.root
    }

    pub(crate) fn key(&self) -> &SecretString {
        &self.settings.key
    }

    pub(crate) fn rate(&self) -> Rate {
        self.settings.requests_per_minute
    }

    /// From 0.0 to 0.9.
    pub(crate) fn keep_free(&self) -> f64 {
        (self.settings.keep_free / 100.0).clamp(0.0, 0.9)
    }

    pub(crate) fn search_rate(&self) -> u32 {
        self.settings.searches_per_minute
    }

    pub(crate) fn parallel(&self) -> usize {
        self.settings.parallel
    }

    pub(crate) fn mail_bodies(&self) -> MailBodies {
        self.settings.mail_bodies
    }

    pub(crate) fn messages(&self) -> MessageReads {
        self.settings.messages
    }

    /// How many other requests a search is worth, by what both limits allow in a minute.
    pub(crate) fn search_weight(&self) -> u64 {
        let others = match self.rate() {
            Rate::AtMost(requests) => f64::from(requests),
            Rate::Told => USUAL_RATE * (1.0 - self.keep_free()),
        };
        let weight = (others / f64::from(self.search_rate().max(1))).round();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "from 1 to the greatest rate"
        )]
        let weight = weight.clamp(1.0, f64::from(u32::MAX)) as u64;
        weight
    }

    pub(crate) fn deleted(&self) -> Take {
        self.settings.deleted
    }

    pub(crate) fn spam(&self) -> Take {
        self.settings.spam
    }

    pub(crate) fn customer_kind(&self) -> Option<&str> {
        Some(self.settings.customer_kind.trim()).filter(|name| !name.is_empty())
    }

    pub(crate) fn exports(&self) -> Option<&Path> {
        self.settings.exports.as_deref()
    }

    pub(crate) fn keep_raw(&self) -> bool {
        self.settings.keep_raw
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

impl KustomerConfigBuilder {
    /// The most requests that go out in a minute, whatever the platform tells. Default: what its headers tell, but for the
    /// share that is [kept free](Self::keep_free).
    #[must_use]
    pub fn requests_per_minute(mut self, requests: u32) -> Self {
        self.requests_per_minute = Rate::AtMost(requests);
        self
    }

    /// The share of the limit that is left to others, in percent: the limit is one for the whole org, the people who work
    /// there included (Kustomer reference, section 1.5). Default 50; at most 90 counts.
    #[must_use]
    pub fn keep_free(mut self, percent: f64) -> Self {
        self.keep_free = percent;
        self
    }

    /// The most searches that go out in a minute. An API key has 100. Default 97.
    #[must_use]
    pub fn searches_per_minute(mut self, searches: u32) -> Self {
        self.searches_per_minute = searches;
        self
    }

    /// How many parts may be read at once. Default 4.
    #[must_use]
    pub fn parallel(mut self, shards: usize) -> Self {
        self.parallel = shards;
        self
    }

    /// Whether the record behind a mail is read. Default [`MailBodies::Always`].
    #[must_use]
    pub fn mail_bodies(mut self, read: MailBodies) -> Self {
        self.mail_bodies = read;
        self
    }

    /// How what was said is read: by searches for many conversations at once, or conversation by conversation.
    /// Default [`MessageReads::Cheapest`].
    #[must_use]
    pub fn messages(mut self, read: MessageReads) -> Self {
        self.messages = read;
        self
    }

    /// Whether deleted conversations are taken along, as far as search shows them. Default [`Take::Skip`].
    #[must_use]
    pub fn deleted(mut self, take: Take) -> Self {
        self.deleted = take;
        self
    }

    /// Whether conversations that are marked as spam are taken along. Default [`Take::Skip`].
    #[must_use]
    pub fn spam(mut self, take: Take) -> Self {
        self.spam = take;
        self
    }

    /// The custom attribute of customers that says what sort of person they are. Kustomer has none of its own. Default none.
    #[must_use]
    pub fn customer_kind(mut self, attribute: impl Into<String>) -> Self {
        self.customer_kind = attribute.into();
        self
    }

    /// A folder of what the helpdesk gave away as files: tables of data exports (`.csv`, named by what they hold: customer,
    /// conversation, message) and archived events (`.jsonl`, `.ndjson`, also `.gz`). Read beside the API, whose word counts more.
    /// Default none.
    #[must_use]
    pub fn exports(mut self, folder: impl Into<PathBuf>) -> Self {
        self.exports = Some(folder.into());
        self
    }

    /// Whether each record keeps the JSON that it was made from. Default no.
    #[must_use]
    pub fn keep_raw(mut self, keep: bool) -> Self {
        self.keep_raw = keep;
        self
    }

    /// Lets links to files and redirects that name another host lead to private ones: this machine, the local network.
    /// Default no. The org itself may be anywhere.
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
    /// `Config`: no address or one that is no org's; no key; plain http to another machine; a number that makes no sense.
    pub fn build(self) -> Result<KustomerConfig> {
        let root = root_of(&self.url, self.allow_plain_http)?;
        if self.key.is_empty() {
            return Err(wrong("the API key is empty"));
        }
        if self.requests_per_minute == Rate::AtMost(0)
            || self.searches_per_minute == 0
            || self.parallel == 0
        {
            return Err(wrong(
                "requests a minute, searches a minute and parts at once must be at least one",
            ));
        }
        if !(0.0..=100.0).contains(&self.keep_free) {
            return Err(wrong("the share that is kept free is 0 to 100 percent"));
        }
        Ok(KustomerConfig {
            root,
            settings: self,
        })
    }
}

impl TryFrom<KustomerConfigBuilder> for KustomerConfig {
    type Error = Error;
    fn try_from(builder: KustomerConfigBuilder) -> Result<Self> {
        builder.build()
    }
}

impl fmt::Debug for KustomerConfigBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KustomerConfigBuilder")
            .field("key", &self.key)
            .field("requests_per_minute", &self.requests_per_minute)
            .field("keep_free", &self.keep_free)
            .field("searches_per_minute", &self.searches_per_minute)
            .field("parallel", &self.parallel)
            .field("mail_bodies", &self.mail_bodies)
            .field("messages", &self.messages)
            .field("deleted", &self.deleted)
            .field("spam", &self.spam)
            .field("keep_raw", &self.keep_raw)
            .finish_non_exhaustive()
    }
}

fn wrong(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, READ, message)
}

const ADVICE: &str = "Write the org's name (`acme`), its address (`https://acme.kustomerapp.com`), or its region's (`https://api.prod2.kustomerapp.com`)";

/// Scheme, host and port of the API, of what people type. A name is checked before it becomes a part of a host, so that a bad
/// setting cannot send the key elsewhere (Kustomer reference, section 1.1).
fn root_of(typed: &str, allow_plain_http: bool) -> Result<String> {
    const HOSTS: &str = ".kustomerapp.com";
    let typed = typed.trim().trim_end_matches('/');
    if typed.is_empty() {
        return Err(wrong("the address of the Kustomer org is empty").advise(ADVICE));
    }
    if typed != "localhost" && is_name(typed) {
        return Ok(of_org(typed));
    }
    let address = if typed.contains("://") {
        typed.to_owned()
    } else {
        format!("https://{typed}")
    };
    let url = Url::parse(&address).map_err(|error| {
        wrong(format!("the address of the Kustomer org is none: {error}")).advise(ADVICE)
    })?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            wrong("the address of the Kustomer org must not hold a user or password")
                .advise(ADVICE),
        );
    }
    let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
    if let Some(name) = host.strip_suffix(HOSTS) {
        let first = name.split('.').next().unwrap_or_default();
        if first != "api" && is_name(first) && url.port().is_none() {
            return Ok(of_org(first));
        }
    }
    // Another host must be meant: with its scheme, never by a slip in a name.
    if !typed.contains("://") && !host.ends_with(HOSTS) && !is_this_machine(&url) {
        return Err(wrong("the address of the Kustomer org is none of Kustomer's").advise(ADVICE));
    }
    match url.scheme() {
        "https" => {}
        "http" if allow_plain_http || is_this_machine(&url) => {}
        "http" => {
            return Err(wrong(
                "plain http to another machine would show the key to everybody on the way",
            )
            .advise("Write https, or allow plain http if the way is your own"));
        }
        other => {
            return Err(wrong(format!("`{other}` is no way to Kustomer's API")).advise(ADVICE));
        }
    }
    Ok(url.origin().ascii_serialization())
}

fn of_org(name: &str) -> String {
    format!("https://{}.api.kustomerapp.com", name.to_ascii_lowercase())
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_type_leads_to_the_api() {
        let cases = [
            ("acme", "https://acme.api.kustomerapp.com"),
            (" Acme ", "https://acme.api.kustomerapp.com"),
            ("acme.kustomerapp.com", "https://acme.api.kustomerapp.com"),
            (
                "https://acme.kustomerapp.com/app/customers/1",
                "https://acme.api.kustomerapp.com",
            ),
            (
                "https://acme.api.kustomerapp.com/v1",
                "https://acme.api.kustomerapp.com",
            ),
            (
                "https://api.prod2.kustomerapp.com",
                "https://api.prod2.kustomerapp.com",
            ),
            ("api.kustomerapp.com", "https://api.kustomerapp.com"),
            ("http://127.0.0.1:4000/", "http://127.0.0.1:4000"),
        ];
        for (typed, root) in cases {
            assert_eq!(root_of(typed, false).unwrap(), root, "{typed}");
        }
    }

    #[test]
    fn a_setting_cannot_send_the_key_elsewhere() {
        for typed in [
            "",
            "http://desk.example.org",
            "https://u:p@acme.kustomerapp.com",
            "ftp://desk.example.org",
            "acme/../x y",
            "desk.example.org",
            "kustomerapp.com.example.org",
        ] {
            let error = root_of(typed, false).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{typed}");
        }
    }

    #[test]
    fn bad_values_are_refused_and_the_key_is_never_shown() {
        let good = || KustomerConfig::builder("acme", "k-secret");
        assert!(KustomerConfig::builder("acme", "").build().is_err());
        assert!(good().requests_per_minute(0).build().is_err());
        assert!(good().searches_per_minute(0).build().is_err());
        assert!(good().keep_free(101.0).build().is_err());
        assert!(!format!("{:?}", good().build().unwrap()).contains("k-secret"));
    }
}
