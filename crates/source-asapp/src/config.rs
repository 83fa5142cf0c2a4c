//! Where ASAPP's data lies, and how to treat it.

use std::fmt;
use std::path::{Path, PathBuf};

use deskferry_core::http::SecretString;
use deskferry_core::settings::Settings;
use deskferry_core::{Error, ErrorKind, Result};
use serde::Deserialize;

use crate::client::Reach;

mod remote;

const READ: &str = "read the ASAPP configuration";

/// A checked configuration; see [`AsappConfig::builder`], [`AsappConfig::from_env`], or read it with serde (a section of a TOML
/// file, say): the same checks run.
///
/// ```
/// use deskferry_source_asapp::AsappConfig;
///
/// let config = AsappConfig::builder("acme", "exports").work("asapp-work").build()?;
/// assert_eq!(config.company(), "acme");
/// # Ok::<(), deskferry_core::Error>(())
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "AsappConfigBuilder")]
pub struct AsappConfig(AsappConfigBuilder);

/// What an [`AsappConfig`] is made of; [`build`](Self::build) checks it.
///
/// With serde: `company` is needed, and one of `tree`, `s3_bucket`, `sftp_host`, `exported` and `api_id`. The rest has the defaults that stand at the methods.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AsappConfigBuilder {
    company: String,
    #[serde(default)]
    tree: Option<PathBuf>,
    #[serde(default)]
    s3_bucket: String,
    #[serde(default)]
    s3_prefix: String,
    #[serde(default = "remote::region")]
    s3_region: String,
    #[serde(default)]
    s3_endpoint: String,
    #[serde(default)]
    s3_access_key: String,
    #[serde(default)]
    s3_secret_key: SecretString,
    #[serde(default)]
    sftp_host: String,
    #[serde(default = "remote::port")]
    sftp_port: u16,
    #[serde(default)]
    sftp_user: String,
    #[serde(default)]
    sftp_key: Option<PathBuf>,
    #[serde(default)]
    sftp_key_passphrase: SecretString,
    #[serde(default)]
    sftp_host_key: String,
    #[serde(default)]
    sftp_folder: String,
    #[serde(default)]
    exported: Option<PathBuf>,
    #[serde(default = "default_url")]
    url: String,
    #[serde(default)]
    api_id: String,
    #[serde(default)]
    api_secret: SecretString,
    #[serde(default = "default_per_second")]
    requests_per_second: u32,
    #[serde(default = "default_per_day")]
    requests_per_day: u64,
    #[serde(default)]
    allow_plain_http: bool,
    #[serde(default)]
    allow_private_hosts: bool,
    #[serde(default = "yes")]
    file_exporter: bool,
    #[serde(default = "yes")]
    configuration_api: bool,
    #[serde(default = "missing")]
    conversation_api: String,
    #[serde(default)]
    autosummary: String,
    #[serde(default)]
    events: Option<PathBuf>,
    #[serde(default = "default_work")]
    work: PathBuf,
    #[serde(default)]
    customers: Option<PathBuf>,
    #[serde(default)]
    agents: Option<PathBuf>,
    #[serde(default)]
    recordings: Option<PathBuf>,
    #[serde(default)]
    segments: Option<PathBuf>,
    #[serde(default)]
    segment_priority: String,
    #[serde(default)]
    param_name: Option<String>,
    #[serde(default)]
    param_email: Option<String>,
    #[serde(default)]
    param_phone: Option<String>,
    #[serde(default)]
    param_company: Option<String>,
    #[serde(default = "yes")]
    placeholder_accounts: bool,
    #[serde(default = "default_parallel")]
    parallel: usize,
    #[serde(default = "default_memory")]
    memory: usize,
    #[serde(default = "default_chunk_files")]
    chunk_files: usize,
    #[serde(default = "default_broken_share")]
    broken_share: f64,
    #[serde(default = "default_quiet_days")]
    quiet_days: u32,
}

/// What is asked about single conversations, each with requests of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asking {
    /// The Conversation API: about all, or about those that lack texts.
    pub(crate) conversations: Option<bool>,
    /// The AutoSummary API, about conversations that have none.
    pub(crate) summary: bool,
    pub(crate) structured: bool,
    pub(crate) intent: bool,
}

impl Asking {
    /// Whether new things are made at ASAPP.
    pub(crate) fn makes(self) -> bool {
        self.summary || self.structured || self.intent
    }

    pub(crate) fn nothing(self) -> bool {
        self.conversations.is_none() && !self.makes()
    }
}

/// Keys of `customer_params` under which a tenant's programs send what ASAPP has no column for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Params {
    pub(crate) name: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) phone: Option<String>,
    pub(crate) company: Option<String>,
}

fn default_work() -> PathBuf {
    PathBuf::from("asapp-work")
}

fn default_url() -> String {
    "https://api.asapp.com".to_owned()
}

/// Half of the spike arrest (ASAPP reference, section 1.3).
const fn default_per_second() -> u32 {
    50
}

/// What an earlier edition of the documentation said; a contract may say otherwise.
const fn default_per_day() -> u64 {
    50_000
}

fn missing() -> String {
    "missing".to_owned()
}

const fn yes() -> bool {
    true
}

const fn default_parallel() -> usize {
    2
}

const fn default_memory() -> usize {
    256
}

/// Each is a line of the manifest, and some are empty.
const fn default_chunk_files() -> usize {
    4_096
}

const fn default_broken_share() -> f64 {
    1.0
}

const fn default_quiet_days() -> u32 {
    7
}

impl AsappConfig {
    /// Starts with the company's short name (`company_name` and `company_marker` of its rows) and the folder that mirrors its
    /// batch files.
    pub fn builder(company: impl Into<String>, tree: impl Into<PathBuf>) -> AsappConfigBuilder {
        AsappConfigBuilder {
            tree: Some(tree.into()),
            ..AsappConfigBuilder::of(company)
        }
    }

    /// Starts with the company's short name and nothing to read: for batch files that lie elsewhere
    /// ([`s3`](AsappConfigBuilder::s3), [`sftp`](AsappConfigBuilder::sftp)).
    pub fn of(company: impl Into<String>) -> AsappConfigBuilder {
        AsappConfigBuilder::of(company)
    }

    /// Starts with the company's short name and a folder of files of the File Exporter: AI services without the messaging product.
    pub fn exported(company: impl Into<String>, folder: impl Into<PathBuf>) -> AsappConfigBuilder {
        AsappConfigBuilder {
            exported: Some(folder.into()),
            ..AsappConfigBuilder::of(company)
        }
    }

    /// Starts with the company's short name and a key of the Developer Portal: AI services, by the File Exporter.
    pub fn exporter(
        company: impl Into<String>,
        api_id: impl Into<String>,
        api_secret: impl Into<SecretString>,
    ) -> AsappConfigBuilder {
        AsappConfigBuilder::of(company).file_exporter(api_id, api_secret)
    }

    /// From the environment: `ASAPP_COMPANY`, `ASAPP_TREE`, and whatever else [`SETTINGS`](crate::SETTINGS) lists.
    ///
    /// # Errors
    /// `Config`: a variable is missing or cannot be read; names it.
    pub fn from_env() -> Result<Self> {
        Self::from_settings(&crate::SETTINGS.from_env()?)
    }

    /// From what was told by the environment, a file, or both.
    ///
    /// # Errors
    /// `Config`: something is missing, or does not go together.
    pub fn from_settings(settings: &Settings) -> Result<Self> {
        settings.configure::<AsappConfigBuilder>()?.build()
    }

    /// The company's short name: the tenant in keys.
    #[must_use]
    pub fn company(&self) -> &str {
        self.0.company.trim()
    }

    /// The folder in which the reduced exports are kept.
    #[must_use]
    pub fn work(&self) -> &Path {
        &self.0.work
    }

    pub(crate) fn tree(&self) -> Option<&Path> {
        self.0.tree.as_deref()
    }

    pub(crate) fn exported_folder(&self) -> Option<&Path> {
        self.0.exported.as_deref()
    }

    pub(crate) fn events(&self) -> Option<&Path> {
        self.0.events.as_deref()
    }

    /// How the API is reached, where there is a key.
    pub(crate) fn reach(&self) -> Option<Reach> {
        let told = &self.0;
        (!told.api_id.trim().is_empty()).then(|| Reach {
            url: told.url.trim().trim_end_matches('/').to_owned(),
            api_id: told.api_id.trim().to_owned(),
            api_secret: told.api_secret.clone(),
            per_second: told.requests_per_second,
            per_day: told.requests_per_day,
            allow_plain_http: told.allow_plain_http,
            allow_private_hosts: told.allow_private_hosts,
            work: told.work.clone(),
        })
    }

    /// Whether the key is used for the File Exporter, and for the Configuration API.
    pub(crate) fn asks(&self) -> (bool, bool) {
        (self.0.file_exporter, self.0.configuration_api)
    }

    /// What is asked about single conversations.
    pub(crate) fn asking(&self) -> Asking {
        let makes = |call| self.0.makes().any(|name| name == call);
        Asking {
            conversations: match self.0.conversation_api.as_str() {
                "all" => Some(true),
                "missing" => Some(false),
                _ => None,
            },
            summary: makes("summary"),
            structured: makes("structured-data"),
            intent: makes("intent"),
        }
    }

    pub(crate) fn customers(&self) -> Option<&Path> {
        self.0.customers.as_deref()
    }

    pub(crate) fn agents(&self) -> Option<&Path> {
        self.0.agents.as_deref()
    }

    pub(crate) fn recordings(&self) -> Option<&Path> {
        self.0.recordings.as_deref()
    }

    pub(crate) fn segments(&self) -> Option<&Path> {
        self.0.segments.as_deref()
    }

    pub(crate) fn segment_priority(&self) -> Vec<String> {
        let ids = self.0.segment_priority.split(',').map(str::trim);
        ids.filter(|id| !id.is_empty()).map(str::to_owned).collect()
    }

    pub(crate) fn params(&self) -> Params {
        Params {
            name: self.0.param_name.clone(),
            email: self.0.param_email.clone(),
            phone: self.0.param_phone.clone(),
            company: self.0.param_company.clone(),
        }
    }

    pub(crate) fn placeholder_accounts(&self) -> bool {
        self.0.placeholder_accounts
    }

    pub(crate) fn parallel(&self) -> usize {
        self.0.parallel
    }

    /// Bytes.
    pub(crate) fn memory(&self) -> usize {
        self.0.memory << 20
    }

    pub(crate) fn chunk_files(&self) -> usize {
        self.0.chunk_files
    }

    pub(crate) fn broken_share(&self) -> f64 {
        self.0.broken_share
    }

    pub(crate) fn quiet_days(&self) -> u32 {
        self.0.quiet_days
    }
}

impl AsappConfigBuilder {
    fn of(company: impl Into<String>) -> Self {
        Self {
            company: company.into(),
            tree: None,
            s3_bucket: String::new(),
            s3_prefix: String::new(),
            s3_region: remote::region(),
            s3_endpoint: String::new(),
            s3_access_key: String::new(),
            s3_secret_key: SecretString::default(),
            sftp_host: String::new(),
            sftp_port: remote::port(),
            sftp_user: String::new(),
            sftp_key: None,
            sftp_key_passphrase: SecretString::default(),
            sftp_host_key: String::new(),
            sftp_folder: String::new(),
            exported: None,
            url: default_url(),
            api_id: String::new(),
            api_secret: SecretString::default(),
            requests_per_second: default_per_second(),
            requests_per_day: default_per_day(),
            allow_plain_http: false,
            allow_private_hosts: false,
            file_exporter: true,
            configuration_api: true,
            conversation_api: missing(),
            autosummary: String::new(),
            events: None,
            work: default_work(),
            customers: None,
            agents: None,
            recordings: None,
            segments: None,
            segment_priority: String::new(),
            param_name: None,
            param_email: None,
            param_phone: None,
            param_company: None,
            placeholder_accounts: true,
            parallel: default_parallel(),
            memory: default_memory(),
            chunk_files: default_chunk_files(),
            broken_share: default_broken_share(),
            quiet_days: default_quiet_days(),
        }
    }

    /// A folder of files of the File Exporter, `feed/version/format/day/…`, read beside the batch files.
    #[must_use]
    pub fn exported_files(mut self, folder: impl Into<PathBuf>) -> Self {
        self.exported = Some(folder.into());
        self
    }

    /// A folder of archived real-time events, one body a line: uploads and summaries that files do not have, and issues that no file has, which
    /// are listed for people to decide.
    #[must_use]
    pub fn events(mut self, folder: impl Into<PathBuf>) -> Self {
        self.events = Some(folder.into());
        self
    }

    /// A key of the Developer Portal, with which the File Exporter is asked beside the other channels.
    #[must_use]
    pub fn file_exporter(
        mut self,
        api_id: impl Into<String>,
        api_secret: impl Into<SecretString>,
    ) -> Self {
        self.api_id = api_id.into();
        self.api_secret = api_secret.into();
        self
    }

    /// What the key is used for: the File Exporter, and the Configuration API (segments, structured-data fields, and what is handed over as a document).
    /// Default both; each has to be enabled by ASAPP, and a configuration that cannot be read is told and left out.
    #[must_use]
    pub fn asks(mut self, file_exporter: bool, configuration_api: bool) -> Self {
        self.file_exporter = file_exporter;
        self.configuration_api = configuration_api;
        self
    }

    /// Which conversations of AI services the Conversation API is asked about, two requests each: `missing` those whose messages the files tell without their
    /// texts, `all`, or `no`. It has texts that were purged from files, and names of customers and agents. Default `missing`; it has to be enabled by ASAPP.
    #[must_use]
    pub fn conversation_api(mut self, about: impl Into<String>) -> Self {
        self.conversation_api = about.into();
        self
    }

    /// What the AutoSummary API is to make, a request each, for conversations and issues that have none: of `summary`, `structured-data` and `intent`, separated by
    /// commas. **Each call makes something new at ASAPP** and may be paid for. Default nothing.
    #[must_use]
    pub fn autosummary(mut self, makes: impl Into<String>) -> Self {
        self.autosummary = makes.into();
        self
    }

    fn makes(&self) -> impl Iterator<Item = &str> {
        let names = self.autosummary.split(',').map(str::trim);
        names.filter(|name| !name.is_empty())
    }

    /// The address of the API. Default `https://api.asapp.com`; the sandbox is `https://api.sandbox.asapp.com`.
    #[must_use]
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = url.into();
        self
    }

    /// At most so many requests a second and a day. Defaults 50 and 50,000: spike arrest is at 100 a second unless a contract says
    /// otherwise, and nothing published says how many a day may see. The day's (UTC) are counted in the work folder, over all processes that use it; at their end, or
    /// when ASAPP itself refuses, the read ends with an error of kind `Quota`, and a later one goes on.
    #[must_use]
    pub fn limits(mut self, per_second: u32, per_day: u64) -> Self {
        self.requests_per_second = per_second;
        self.requests_per_day = per_day;
        self
    }

    /// Whether plain http may be spoken to other machines, and whether links to files may lead to private addresses. Default no.
    #[must_use]
    pub fn allow(mut self, plain_http: bool, private_hosts: bool) -> Self {
        self.allow_plain_http = plain_http;
        self.allow_private_hosts = private_hosts;
        self
    }

    /// The folder in which the reduced exports are kept, on the same disk as the workspace: some third of the exports' own size. Default
    /// `asapp-work`.
    #[must_use]
    pub fn work(mut self, folder: impl Into<PathBuf>) -> Self {
        self.work = folder.into();
        self
    }

    /// A table of customers (`.csv`, `.jsonl`): `customer_id` or `external_user_id`, and `name`, `email`, `phone` (several
    /// with `;`), `company`, `company_id`, `title`, `created`, `updated`. ASAPP has none of it.
    #[must_use]
    pub fn customers(mut self, file: impl Into<PathBuf>) -> Self {
        self.customers = Some(file.into());
        self
    }

    /// A table of agents: `rep_id`, `external_rep_id`, `crm_rep_id` or `agent_id`, and `email`, `name`, `created`, `updated`.
    #[must_use]
    pub fn agents(mut self, file: impl Into<PathBuf>) -> Self {
        self.agents = Some(file.into());
        self
    }

    /// A table of recordings: `issue_id` or `conversation_id`, `url`, and `rep_id` where several agents spoke.
    #[must_use]
    pub fn recordings(mut self, file: impl Into<PathBuf>) -> Self {
        self.recordings = Some(file.into());
        self
    }

    /// Definitions of segments as the Configuration API answers them, and the ids that count most, first one first.
    #[must_use]
    pub fn segments(mut self, file: impl Into<PathBuf>, priority: &[&str]) -> Self {
        self.segments = Some(file.into());
        self.segment_priority = priority.join(",");
        self
    }

    /// Ids of segments, the one that counts most first: where the Configuration API tells the definitions.
    #[must_use]
    pub fn segment_priority(mut self, priority: &[&str]) -> Self {
        self.segment_priority = priority.join(",");
        self
    }

    /// The keys of `customer_params` that hold a customer's name, mail address, telephone number and company.
    #[must_use]
    pub fn params(
        mut self,
        name: Option<&str>,
        email: Option<&str>,
        phone: Option<&str>,
        company: Option<&str>,
    ) -> Self {
        self.param_name = name.map(str::to_owned);
        self.param_email = email.map(str::to_owned);
        self.param_phone = phone.map(str::to_owned);
        self.param_company = company.map(str::to_owned);
        self
    }

    /// Whether customers without a company get a flagged one by the domain of their address; never by one of free mail. Default
    /// yes.
    #[must_use]
    pub fn placeholder_accounts(mut self, make: bool) -> Self {
        self.placeholder_accounts = make;
        self
    }

    /// How many chunks of files are reduced, and parts of conversations read, at once. Default 2.
    #[must_use]
    pub fn parallel(mut self, parts: usize) -> Self {
        self.parallel = parts;
        self
    }

    /// Mebibytes of memory that reducing may take, over all chunks. Default 256.
    #[must_use]
    pub fn memory(mut self, mebibytes: usize) -> Self {
        self.memory = mebibytes;
        self
    }

    /// The most files of a chunk, beside 256 MiB: a chunk is read by one worker, and whoever comes back goes on behind the last whole one. Default 4,096.
    #[must_use]
    pub fn chunk_files(mut self, files: usize) -> Self {
        self.chunk_files = files;
        self
    }

    /// The share of lines, in percent, that may be broken before the read ends with an error. Default 1.
    #[must_use]
    pub fn broken_share(mut self, percent: f64) -> Self {
        self.broken_share = percent;
        self
    }

    /// Conversations of AI services have no end: after so many quiet days they are over. Default 7.
    #[must_use]
    pub fn quiet_days(mut self, days: u32) -> Self {
        self.quiet_days = days;
        self
    }

    /// Checks it.
    ///
    /// # Errors
    /// `Config`: no company, nothing to read, or a bound that makes no sense.
    pub fn build(self) -> Result<AsappConfig> {
        let wrong = |what: &str| Err(Error::new(ErrorKind::Config, READ, what));
        if self.company.trim().is_empty() {
            return wrong(
                "there is no `company`: its short name, as it stands in `company_name` of its rows",
            );
        }
        let batch = self.tree.is_some() || self.has_bucket() || self.has_server();
        if !batch && self.exported.is_none() && self.api_id.trim().is_empty() {
            return wrong(
                "there is nothing to read: none of `tree`, `s3_bucket`, `sftp_host`, `exported` and `api_id` is set",
            );
        }
        self.check_remote()?;
        if self.api_id.trim().is_empty() != self.api_secret.is_empty() {
            return wrong("`api_id` and `api_secret` go together");
        }
        if !matches!(self.conversation_api.as_str(), "missing" | "all" | "no") {
            return wrong("`conversation_api` is `missing`, `all` or `no`");
        }
        if self
            .makes()
            .any(|name| !matches!(name, "summary" | "structured-data" | "intent"))
        {
            return wrong(
                "`autosummary` names what is to be made: `summary`, `structured-data`, `intent`, separated by commas",
            );
        }
        if self.makes().next().is_some() && self.api_id.trim().is_empty() {
            return wrong("`autosummary` needs `api_id` and `api_secret`");
        }
        if !(1..=100).contains(&self.requests_per_second) {
            return wrong(
                "`requests_per_second` is between 1 and 100: above that ASAPP refuses, and may revoke the key",
            );
        }
        if self.parallel == 0 || self.parallel > 64 {
            return wrong("`parallel` is between 1 and 64");
        }
        if self.memory < 16 {
            return wrong("`memory` is at least 16 mebibytes");
        }
        if self.chunk_files == 0 {
            return wrong("`chunk_files` is at least 1");
        }
        if !(0.0..=100.0).contains(&self.broken_share) {
            return wrong("`broken_share` is between 0 and 100 per cent");
        }
        Ok(AsappConfig(self))
    }
}

impl TryFrom<AsappConfigBuilder> for AsappConfig {
    type Error = Error;
    fn try_from(builder: AsappConfigBuilder) -> Result<Self> {
        builder.build()
    }
}

impl fmt::Debug for AsappConfigBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsappConfigBuilder")
            .field("company", &self.company)
            .field("tree", &self.tree)
            .field("s3_bucket", &self.s3_bucket)
            .field("sftp_host", &self.sftp_host)
            .field("exported", &self.exported)
            .field("work", &self.work)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_said() {
        let cases = [
            (AsappConfig::builder(" ", "x").build(), "company"),
            (AsappConfigBuilder::of("acme").build(), "none of `tree`"),
            (
                AsappConfig::exporter("acme", "id", "").build(),
                "go together",
            ),
            (
                AsappConfig::builder("acme", "x").limits(101, 1).build(),
                "requests_per_second",
            ),
            (
                AsappConfig::builder("acme", "x")
                    .conversation_api("some")
                    .build(),
                "conversation_api",
            ),
            (
                AsappConfig::exporter("acme", "id", "s")
                    .autosummary("summary,poem")
                    .build(),
                "autosummary",
            ),
            (
                AsappConfig::builder("acme", "x")
                    .autosummary("intent")
                    .build(),
                "api_id",
            ),
            (
                AsappConfig::builder("acme", "x").parallel(0).build(),
                "parallel",
            ),
            (
                AsappConfig::builder("acme", "x").memory(1).build(),
                "memory",
            ),
            (
                AsappConfig::builder("acme", "x")
                    .broken_share(101.0)
                    .build(),
                "broken_share",
            ),
        ];
        for (config, word) in cases {
            let error = config.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains(word), "{error}");
        }
    }
}
