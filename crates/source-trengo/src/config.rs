//! How to reach a Trengo workspace, and how to treat it.

use std::fmt;
use std::path::{Path, PathBuf};

use deskferry_core::http::SecretString;
use deskferry_core::settings::Settings;
use deskferry_core::{Error, ErrorKind, Result};
use serde::Deserialize;
use url::{Host, Url};

use crate::wire::Zone;

const READ: &str = "read the Trengo configuration";
/// Where the API is (Trengo reference, section 1.1).
const HOME: &str = "https://app.trengo.com";
/// The clock on which times without a zone were read (Trengo reference, section 1.5).
const ZONE: &str = "Europe/Amsterdam";

/// A checked configuration; see [`TrengoConfig::builder`], [`TrengoConfig::from_env`], or read it with serde (a section of a
/// TOML file, say): the same checks run.
///
/// ```
/// use deskferry_source_trengo::TrengoConfig;
///
/// let config = TrengoConfig::builder("the token").build()?;
/// assert_eq!(config.url(), "https://app.trengo.com");
/// assert!(!format!("{config:?}").contains("the token"));
/// # Ok::<(), deskferry_core::Error>(())
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "TrengoConfigBuilder")]
pub struct TrengoConfig {
    root: String,
    zone: Zone,
    settings: TrengoConfigBuilder,
}

/// What a [`TrengoConfig`] is made of; [`build`](Self::build) checks it.
///
/// With serde only `token` is needed. The rest has the defaults that stand at the methods.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrengoConfigBuilder {
    #[serde(default = "home")]
    url: String,
    #[serde(default)]
    token: SecretString,
    #[serde(default)]
    workspace: String,
    #[serde(default = "zone")]
    time_zone: String,
    #[serde(default, rename = "rate", alias = "requests_per_minute")]
    requests_per_minute: Rate,
    #[serde(default = "default_keep_free")]
    keep_free: f64,
    #[serde(default = "default_parallel")]
    parallel: usize,
    #[serde(default)]
    profiles: Profiles,
    #[serde(default)]
    spam: Take,
    #[serde(default)]
    events: Take,
    #[serde(default = "yes")]
    full_mail: bool,
    #[serde(default)]
    contact_details: bool,
    #[serde(default = "yes")]
    completeness: bool,
    #[serde(default)]
    satisfaction: Option<PathBuf>,
    #[serde(default = "default_report_months")]
    report_months: u32,
    #[serde(default)]
    ticket_figures: Take,
    #[serde(default)]
    sweep: bool,
    #[serde(default)]
    webhooks: Option<PathBuf>,
    #[serde(default)]
    keep_raw: bool,
    #[serde(default)]
    allow_plain_http: bool,
    #[serde(default)]
    allow_private_hosts: bool,
    #[serde(default)]
    root_certificate: Option<String>,
}

/// Whether things of a sort are taken along. In a file and in the environment `include` or `skip`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Take {
    /// With all that belongs to them.
    Include,
    /// Each is named and counted as skipped with its reason.
    #[default]
    Skip,
}

/// What a workspace uses profiles for (Trengo reference, section 3.6). In a file and in the environment `person`, `company` or
/// `ignore`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profiles {
    /// One per person: the contacts of a profile are one person's ways to be reached, and become one contact.
    #[default]
    Person,
    /// One per company: a profile becomes an account, and its contacts belong to it.
    Company,
    /// Each contact stands for itself.
    Ignore,
}

/// How many requests a minute go out. In a file, `rate = 120` or `rate = "told"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "RateText")]
pub(crate) enum Rate {
    /// As many as Trengo's answers say.
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

fn home() -> String {
    HOME.to_owned()
}

fn zone() -> String {
    ZONE.to_owned()
}

const fn yes() -> bool {
    true
}

/// Windows begin when the platform says so and not when we think: a little room keeps the last request of one out of it.
const fn default_keep_free() -> f64 {
    1.0
}

const fn default_parallel() -> usize {
    4
}

const fn default_report_months() -> u32 {
    12
}

impl TrengoConfig {
    /// Starts with what cannot be guessed: a personal access token of an administrator who is in every team and channel. Lists
    /// show what its user sees, and nothing else, without saying so.
    pub fn builder(token: impl Into<SecretString>) -> TrengoConfigBuilder {
        TrengoConfigBuilder {
            url: home(),
            token: token.into(),
            workspace: String::new(),
            time_zone: zone(),
            requests_per_minute: Rate::Told,
            keep_free: default_keep_free(),
            parallel: default_parallel(),
            profiles: Profiles::Person,
            spam: Take::Skip,
            events: Take::Skip,
            full_mail: true,
            contact_details: false,
            completeness: true,
            satisfaction: None,
            report_months: default_report_months(),
            ticket_figures: Take::Skip,
            sweep: false,
            webhooks: None,
            keep_raw: false,
            allow_plain_http: false,
            allow_private_hosts: false,
            root_certificate: None,
        }
    }

    /// From the environment: `TRENGO_TOKEN` (or `TRENGO_TOKEN_FILE`), and whatever else [`SETTINGS`](crate::SETTINGS) lists.
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
        let builder: TrengoConfigBuilder = settings.configure()?;
        if builder.token.is_empty() {
            return Err(settings.missing("token").advise(
                "Make one under Settings > Apps & Integrations > REST API, as an administrator who is in every team",
            ));
        }
        builder.build()
    }

    /// Scheme, host and port.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.root
    }

    pub(crate) fn zone(&self) -> Zone {
        self.zone
    }

    pub(crate) fn token(&self) -> &SecretString {
        &self.settings.token
    }

    pub(crate) fn workspace(&self) -> Option<&str> {
        Some(self.settings.workspace.trim()).filter(|name| !name.is_empty())
    }

    pub(crate) fn rate(&self) -> Rate {
        self.settings.requests_per_minute
    }

    /// A share of the limit, 0 to 0.9.
    pub(crate) fn keep_free(&self) -> f64 {
        self.settings.keep_free / 100.0
    }

    pub(crate) fn parallel(&self) -> usize {
        self.settings.parallel
    }

    pub(crate) fn profiles(&self) -> Profiles {
        self.settings.profiles
    }

    pub(crate) fn spam(&self) -> Take {
        self.settings.spam
    }

    pub(crate) fn events(&self) -> Take {
        self.settings.events
    }

    pub(crate) fn full_mail(&self) -> bool {
        self.settings.full_mail
    }

    pub(crate) fn contact_details(&self) -> bool {
        self.settings.contact_details
    }

    pub(crate) fn completeness(&self) -> bool {
        self.settings.completeness
    }

    pub(crate) fn satisfaction(&self) -> Option<&Path> {
        self.settings.satisfaction.as_deref()
    }

    pub(crate) fn report_months(&self) -> u32 {
        self.settings.report_months
    }

    pub(crate) fn ticket_figures(&self) -> bool {
        self.settings.ticket_figures == Take::Include
    }

    pub(crate) fn sweep(&self) -> bool {
        self.settings.sweep
    }

    pub(crate) fn webhooks(&self) -> Option<&Path> {
        self.settings.webhooks.as_deref()
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

impl TrengoConfigBuilder {
    /// Another host than `https://app.trengo.com`: the older alias `https://app.trengo.eu`, or this machine for rehearsals.
    #[must_use]
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = url.into();
        self
    }

    /// The name of the workspace in keys, where users carry no number of it. It must never change.
    #[must_use]
    pub fn workspace(mut self, name: impl Into<String>) -> Self {
        self.workspace = name.into();
        self
    }

    /// The clock on which times without a zone were read, by its IANA name. Default `Europe/Amsterdam`.
    #[must_use]
    pub fn time_zone(mut self, name: impl Into<String>) -> Self {
        self.time_zone = name.into();
        self
    }

    /// The most requests that go out in a minute. Without it the pace is what Trengo's answers tell, 120 to begin with.
    #[must_use]
    pub fn requests_per_minute(mut self, requests: u32) -> Self {
        self.requests_per_minute = Rate::AtMost(requests);
        self
    }

    /// The share of the limit in percent, 0 to 90, that is left to others who use the same token. Default 1: with less, a request in
    /// a few minutes is refused, since nothing tells when a window begins.
    #[must_use]
    pub fn keep_free(mut self, percent: f64) -> Self {
        self.keep_free = percent;
        self
    }

    /// How many tickets are read at once. Default 4; more do not help against 120 requests a minute.
    #[must_use]
    pub fn parallel(mut self, tickets: usize) -> Self {
        self.parallel = tickets;
        self
    }

    /// What profiles are. Default [`Profiles::Person`].
    #[must_use]
    pub fn profiles(mut self, profiles: Profiles) -> Self {
        self.profiles = profiles;
        self
    }

    /// Whether tickets that were marked as spam (`INVALID`) are taken along. Default [`Take::Skip`].
    #[must_use]
    pub fn spam(mut self, take: Take) -> Self {
        self.spam = take;
        self
    }

    /// Whether what stands between messages without being one (audits, system lines) is taken along as internal message.
    /// Default [`Take::Skip`].
    #[must_use]
    pub fn events(mut self, take: Take) -> Self {
        self.events = take;
        self
    }

    /// Whether a mail that lists show shortened is read in full, for one request more. Default yes.
    #[must_use]
    pub fn full_mail(mut self, read: bool) -> Self {
        self.full_mail = read;
        self
    }

    /// Whether groups and notes of contacts are read: one request more per contact. Default no.
    #[must_use]
    pub fn contact_details(mut self, read: bool) -> Self {
        self.contact_details = read;
        self
    }

    /// Whether the reporting interface is asked at the end for the ids of all tickets, to find those that no list showed.
    /// Default yes; it is left out where the account has no right to it.
    #[must_use]
    pub fn completeness(mut self, check: bool) -> Self {
        self.completeness = check;
        self
    }

    /// A table of survey answers that was exported from Trengo: CSV with a column of tickets and one of scores. No interface
    /// shows them. Default none.
    #[must_use]
    pub fn satisfaction(mut self, table: impl Into<PathBuf>) -> Self {
        self.satisfaction = Some(table.into());
        self
    }

    /// For how many months up to now figures of agents and of the workspace are asked, two requests each. Default 12; 0 asks for
    /// none.
    #[must_use]
    pub fn report_months(mut self, months: u32) -> Self {
        self.report_months = months;
        self
    }

    /// Whether what the reporting interface says of each ticket becomes a table beside the cases. It costs no request where
    /// [`completeness`](Self::completeness) asks anyway. Default [`Take::Skip`].
    #[must_use]
    pub fn ticket_figures(mut self, take: Take) -> Self {
        self.ticket_figures = take;
        self
    }

    /// Whether a read of changes asks which of the tickets that were read before are gone: one request for a hundred tickets, where
    /// the reporting interface is there. Default no.
    #[must_use]
    pub fn sweep(mut self, sweep: bool) -> Self {
        self.sweep = sweep;
        self
    }

    /// An archive of received webhooks: a JSON object a line, with the header `Trengo-Signature` as `signature` and the raw
    /// `body`. A read of changes then reads the tickets that it names, and lists nothing. Default none.
    #[must_use]
    pub fn webhooks(mut self, archive: impl Into<PathBuf>) -> Self {
        self.webhooks = Some(archive.into());
        self
    }

    /// Whether each record keeps the JSON that it was made from, without secrets. Default no.
    #[must_use]
    pub fn keep_raw(mut self, keep: bool) -> Self {
        self.keep_raw = keep;
        self
    }

    /// Lets addresses of files and redirects that name another host lead to private ones. Default no.
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
    /// `Config`: no token; an address that is none or plain http to another machine; a time zone that nobody knows; a number
    /// that makes no sense.
    pub fn build(self) -> Result<TrengoConfig> {
        let root = root_of(&self.url, self.allow_plain_http)?;
        if self.token.is_empty() {
            return Err(wrong("the token is empty"));
        }
        let zone = Zone::named(&self.time_zone).ok_or_else(|| {
            wrong(format!("there is no time zone `{}`", self.time_zone))
                .advise("Write its IANA name, such as Europe/Amsterdam")
        })?;
        if self.requests_per_minute == Rate::AtMost(0) || self.parallel == 0 {
            return Err(wrong(
                "requests a minute and tickets at once must be at least one",
            ));
        }
        if !(0.0..=90.0).contains(&self.keep_free) {
            return Err(wrong(
                "the share that is left to others must be 0 to 90 percent",
            ));
        }
        Ok(TrengoConfig {
            root,
            zone,
            settings: self,
        })
    }
}

impl TryFrom<TrengoConfigBuilder> for TrengoConfig {
    type Error = Error;
    fn try_from(builder: TrengoConfigBuilder) -> Result<Self> {
        builder.build()
    }
}

impl fmt::Debug for TrengoConfigBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address as typed may hold a password before an `@`.
        f.debug_struct("TrengoConfigBuilder")
            .field("workspace", &self.workspace)
            .field("time_zone", &self.time_zone)
            .field("requests_per_minute", &self.requests_per_minute)
            .field("parallel", &self.parallel)
            .field("profiles", &self.profiles)
            .field("spam", &self.spam)
            .finish_non_exhaustive()
    }
}

fn wrong(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, READ, message)
}

/// Scheme, host and port of what people type.
fn root_of(typed: &str, allow_plain_http: bool) -> Result<String> {
    let typed = typed.trim();
    let address = if typed.contains("://") {
        typed.to_owned()
    } else {
        format!("https://{typed}")
    };
    let url = Url::parse(&address)
        .map_err(|error| wrong(format!("the address of Trengo is none: {error}")))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong(
            "the address of Trengo must not hold a user or password",
        ));
    }
    match url.scheme() {
        "https" => {}
        "http" if allow_plain_http || is_this_machine(&url) => {}
        "http" => {
            return Err(wrong(
                "plain http to another machine would show the token to everybody on the way",
            )
            .advise("Write https://, or allow plain http in the configuration"));
        }
        other => return Err(wrong(format!("`{other}` is not http or https"))),
    }
    Ok(url.origin().ascii_serialization())
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(pairs: &[(&str, &str)]) -> Result<TrengoConfig> {
        let vars = |name: &str| {
            let found = pairs.iter().find(|(n, _)| *n == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        TrengoConfig::from_settings(&crate::SETTINGS.read(&vars, None)?)
    }

    #[test]
    fn whatever_people_type_leads_to_scheme_host_and_port() {
        for (typed, root) in [
            ("app.trengo.eu", "https://app.trengo.eu"),
            ("https://app.trengo.com/api/v2", "https://app.trengo.com"),
            ("http://127.0.0.1:3999/api/v2/", "http://127.0.0.1:3999"),
            ("http://[::1]:3999", "http://[::1]:3999"),
        ] {
            assert_eq!(root_of(typed, false).unwrap(), root, "{typed}");
        }
    }

    #[test]
    fn a_wrong_configuration_is_refused_before_anything_is_sent() {
        let good = || TrengoConfig::builder("hidden");
        for (builder, says) in [
            (TrengoConfig::builder(""), "token is empty"),
            (good().url("ftp://app.trengo.com"), "not http"),
            (good().url("http://app.trengo.com"), "plain http"),
            (
                good().url("https://me:hidden@app.trengo.com"),
                "user or password",
            ),
            (good().time_zone("Europe/Nowhere"), "no time zone"),
            (good().requests_per_minute(0), "at least one"),
            (good().parallel(0), "at least one"),
            (good().keep_free(95.0), "0 to 90"),
            (good().keep_free(f64::NAN), "0 to 90"),
        ] {
            let error = builder.build().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{says}");
            assert!(error.to_string().contains(says), "{says}: {error}");
            assert!(!format!("{error:?}").contains("hidden"), "{error:?}");
        }
    }

    #[test]
    fn the_environment_and_serde_pass_the_same_checks() {
        let config = told(&[
            ("TRENGO_TOKEN", "hidden"),
            ("TRENGO_RATE", "750"),
            ("TRENGO_PROFILES", "company"),
            ("TRENGO_KEEP_FREE", "25"),
            ("TRENGO_SPAM", "include"),
        ])
        .unwrap();
        assert_eq!(
            (config.rate(), config.profiles(), config.spam()),
            (Rate::AtMost(750), Profiles::Company, Take::Include)
        );
        assert!((config.keep_free() - 0.25).abs() < 1e-9);
        assert!(!format!("{config:?}").contains("hidden"));
        let usual = told(&[("TRENGO_TOKEN", "hidden")]).unwrap();
        assert_eq!((usual.rate(), usual.url()), (Rate::Told, HOME));
        for (pairs, says) in [
            (&[][..], "TRENGO_TOKEN is not set"),
            (
                &[("TRENGO_TOKEN", "hidden"), ("TRENGO_RATE", "fast")][..],
                "TRENGO_RATE must be",
            ),
            (
                &[
                    ("TRENGO_TOKEN", "hidden"),
                    ("TRENGO_TIME_ZONE", "Amsterdam"),
                ][..],
                "no time zone",
            ),
        ] {
            let error = told(pairs).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains(says), "{error}");
            assert!(!error.to_string().contains("hidden"), "{error}");
        }
        let json = r#"{"token":"hidden","url":"http://elsewhere.example.org"}"#;
        let error = serde_json::from_str::<TrengoConfig>(json).unwrap_err();
        assert!(error.to_string().contains("plain http"), "{error}");
    }

    #[test]
    fn every_key_of_the_configuration_is_a_setting_and_every_setting_is_a_key() {
        let said = match serde_json::from_str::<TrengoConfigBuilder>(r#"{"not a key": 0}"#) {
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
