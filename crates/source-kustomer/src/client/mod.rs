//! One function per endpoint: a request and its decoded answer, nothing else.

mod errors;

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeZone as _, Utc};
use deskferry_core::http::{
    self, Limit, LimitHeaders, Request, Reset, Response, RetryPolicy, SecretString, StreamResponse,
    path_segment,
};
use deskferry_core::{Context, Error, ErrorKind, RecordKey, Result};
use serde_json::{Value, json};

use crate::config::{KustomerConfig, Rate};
use crate::wire::{Envelope, Raw};

/// Hits asked for per page of a search: the most that it gives.
pub(crate) const SEARCH_PAGE: usize = 500;
/// The last hit of a search that can be seen, whatever the page (Kustomer reference, section 2.3).
pub(crate) const MOST_HITS: u64 = 10_000;
/// Rows asked for per page of most lists.
const LIST_PAGE: usize = 100;
/// Rows of the lists of users and teams.
const LONG_PAGE: usize = 500;
/// Rows of the lists of a help centre: the most that was seen to work (Kustomer reference, section 2.1).
const KB_PAGE: usize = 200;

/// Requests of a window to begin with, until the first answer tells: the smallest plan's half.
const FIRST_RATE: u32 = 150;
/// A search that ran out of time is asked again so often.
const SEARCH_TRIES: u32 = 6;

/// Names of endpoints in the meter. All of them count; the bytes of files, which come from elsewhere, do not.
const COUNTED: &[&str] = &[
    "org",
    "token",
    "users",
    "teams",
    "tags",
    "sub-statuses",
    "metadata",
    "merges",
    "search",
    "archive-search",
    "messages",
    "notes",
    "attachments",
    "attachment",
    "mail",
    "klasses",
    "kb",
    "inventory",
];
const SEARCHES: &[&str] = &["search", "archive-search"];

/// Which of the two searches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Index {
    /// What did not change within the last two years.
    Archive,
    /// What did.
    Young,
}

impl Index {
    fn endpoint(self) -> &'static str {
        match self {
            Self::Young => "search",
            Self::Archive => "archive-search",
        }
    }
}

/// What was said in the conversations that changed within a time: a criterion on another kind of thing than what is looked
/// for (Kustomer reference, section 2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) what: What,
    /// The conversations' last change: from this moment on, in milliseconds since 1970.
    pub(crate) from: i64,
    /// To this moment.
    pub(crate) to: i64,
    /// From 1.
    pub(crate) page: u32,
}

/// What of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Messages,
    MessagesWithFiles,
    Notes,
    NotesWithFiles,
}

impl What {
    /// What is looked for, as a search names it.
    pub(crate) fn context(self) -> &'static str {
        match self {
            Self::Messages | Self::MessagesWithFiles => "message",
            Self::Notes | Self::NotesWithFiles => "note",
        }
    }
}

impl What {
    fn lot(self) -> &'static str {
        match self {
            Self::Messages => "said messages",
            Self::MessagesWithFiles => "said messages with files",
            Self::Notes => "said notes",
            Self::NotesWithFiles => "said notes with files",
        }
    }
}

impl Said {
    fn body(&self) -> Value {
        let context = self.what.context();
        let mut all = vec![
            json!({"conversation_updated_at": {"gte": moment(self.from)}}),
            json!({"conversation_updated_at": {"lte": moment(self.to)}}),
        ];
        if matches!(self.what, What::MessagesWithFiles | What::NotesWithFiles) {
            let files = format!("{context}_attachment_count");
            all.push(json!({ files: {"gte": 1} }));
        }
        // By time of making: what is added meanwhile comes last, and shifts no page.
        let order = format!("{context}_created_at");
        json!({"queryContext": context, "and": all, "sort": [{order: "asc"}]})
    }
}

/// What is searched for: rows of a context by time.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Query<'a> {
    pub(crate) index: Index,
    /// `customer`, `kobject_order`, …
    pub(crate) context: &'a str,
    /// From this moment on, in milliseconds since 1970.
    pub(crate) from: i64,
    /// To this moment.
    pub(crate) to: Option<i64>,
    /// Within one moment: only what was made from this one on, in the order of making.
    pub(crate) made_from: Option<i64>,
    /// From 1.
    pub(crate) page: u32,
}

/// What an answer tells of the org beside its rows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Told {
    /// Requests a minute that the plan allows.
    pub(crate) limit: Option<u32>,
    /// Where the org lies, as the platform calls it: `prod1`, …
    pub(crate) region: Option<String>,
}

/// One page of rows.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) rows: Vec<Raw>,
    pub(crate) included: Option<Vec<Raw>>,
    /// The path of the next page.
    pub(crate) next: Option<String>,
    /// How many there are, where that is told.
    pub(crate) total: Option<u64>,
}

impl Listed {
    /// Rows that came otherwise than by a list, with no files beside them.
    pub(crate) fn of(rows: Vec<Raw>) -> Self {
        Self {
            rows,
            included: None,
            next: None,
            total: None,
        }
    }
}

/// Speaks to one org.
#[derive(Clone)]
pub(crate) struct Client {
    http: http::Client,
    root: String,
    key: SecretString,
}

impl Client {
    pub(crate) fn new(config: &KustomerConfig, retry: RetryPolicy) -> Result<Self> {
        let limit = match config.rate() {
            // The unit of the reset is not documented (Kustomer reference, section 1.5).
            Rate::Told => Limit::told(
                LimitHeaders::new("x-ratelimit-limit", "x-ratelimit-remaining")
                    .reset("x-ratelimit-reset", Reset::Guess),
                FIRST_RATE,
            )
            .keep_free(config.keep_free()),
            Rate::AtMost(requests) => Limit::per_minute(requests),
        };
        let mut builder = http::Client::builder(crate::PLATFORM, config.url())
            .limit(limit.only(COUNTED))
            .also_limit(Limit::per_minute(config.search_rate()).only(SEARCHES))
            .retry(retry)
            .allow_plain_http(config.allow_plain_http())
            .allow_private_hosts(config.allow_private_hosts());
        if let Some(pem) = config.root_certificate() {
            builder = builder.root_certificate(pem);
        }
        Ok(Self {
            http: builder.build()?,
            root: config.url().to_owned(),
            key: SecretString::new(format!("Bearer {}", config.key().expose())),
        })
    }

    /// Scheme, host and port.
    pub(crate) fn root(&self) -> &str {
        &self.root
    }

    fn dressed(&self, request: Request) -> Request {
        request
            .header("Accept", "application/json")
            .secret_header("Authorization", self.key.clone())
    }

    /// Sends a request; what is no success is an error.
    async fn answer(
        &self,
        cx: &Context,
        request: Request,
        operation: &'static str,
        about: Option<&RecordKey>,
    ) -> Result<Response> {
        let request = self.dressed(request.operation(operation));
        let request = match about {
            Some(about) => request.about(about.clone()),
            None => request,
        };
        let response = self.http.send(cx, request).await?;
        if response.is_success() {
            return Ok(response);
        }
        let error = errors::refusal(operation, &response);
        Err(match about {
            Some(about) => error.of(about.clone()),
            None => error,
        })
    }

    /// A single object.
    async fn one(
        &self,
        cx: &Context,
        endpoint: &'static str,
        path: String,
        operation: &'static str,
        about: Option<&RecordKey>,
    ) -> Result<Raw> {
        let response = self
            .answer(cx, Request::get(endpoint, path), operation, about)
            .await?;
        single(&response, operation)
    }

    /// One page of a list: the path of its beginning, or what the page before called the next one.
    pub(crate) async fn list(
        &self,
        cx: &Context,
        list: List<'_>,
        next: Option<&str>,
    ) -> Result<Listed> {
        let operation = list.operation();
        let request = match next {
            Some(next) => Request::get(list.endpoint(), self.within(next, operation)?),
            None => list.first(),
        };
        let response = self.answer(cx, request, operation, list.about()).await?;
        let listed = listed(&response, operation)?;
        let (lot, size) = list.lot();
        needed(
            cx,
            lot,
            size.map_or(1.0, |size| share(listed.rows.len(), size)),
        );
        Ok(listed)
    }

    /// An address of a list or row, which must be one of ours: `next` is relative, and must not lead elsewhere.
    fn within(&self, address: &str, operation: &'static str) -> Result<String> {
        let path = match address.strip_prefix(&self.root) {
            Some(path) => path,
            None if address.starts_with('/') && !address.starts_with("//") => address,
            None => {
                return Err(Error::new(
                    ErrorKind::Protocol,
                    operation,
                    "the answer leads to another host",
                )
                .advise("Read again; if it stays so, the way to Kustomer is not to be trusted"));
            }
        };
        Ok(format!("{}{path}", self.root))
    }

    /// One page of a search, in the order of time.
    pub(crate) async fn search(&self, cx: &Context, query: &Query<'_>) -> Result<Listed> {
        let listed = self
            .hits(cx, query.index, query.context, query.page, &query.body())
            .await?;
        let lot = format!("{} {}", query.index.endpoint(), query.context);
        needed(cx, lot, share(listed.rows.len(), SEARCH_PAGE));
        Ok(listed)
    }

    /// One page of what was said in conversations that changed within a time. What of it was needed is the caller's to say.
    pub(crate) async fn said(&self, cx: &Context, said: &Said) -> Result<Listed> {
        self.hits(
            cx,
            Index::Young,
            said.what.context(),
            said.page,
            &said.body(),
        )
        .await
    }

    /// Rows of a search for what was said that were wanted.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a number of rows of a few pages"
    )]
    pub(crate) fn found(&self, cx: &Context, what: What, rows: usize) {
        needed(cx, what.lot(), rows as f64 / SEARCH_PAGE as f64);
    }

    async fn hits(
        &self,
        cx: &Context,
        index: Index,
        context: &str,
        page: u32,
        body: &Value,
    ) -> Result<Listed> {
        const SEARCH: &str = "search";
        let path = match index {
            Index::Young => "v1/customers/search",
            Index::Archive => "v1/customers/archive/search",
        };
        for attempt in 1..=SEARCH_TRIES {
            let request = Request::post(index.endpoint(), format!("{}/{path}", self.root))
                .query("page", page)
                .query("pageSize", SEARCH_PAGE)
                .json(body)
                .idempotent(true);
            let response = self.answer(cx, request, SEARCH, None).await?;
            let envelope: Envelope = response.json(SEARCH)?;
            // Hits are missing although the status says that all is well (Kustomer reference, section 2.2).
            if envelope.meta.get("timed_out").and_then(Value::as_bool) != Some(true) {
                return Ok(of_envelope(envelope));
            }
            let wait = Duration::from_millis(250 << attempt);
            cx.sleep(wait, "wait before repeating a search").await?;
        }
        Err(Error::new(
            ErrorKind::Unavailable,
            SEARCH,
            format!(
                "the search for {context} ran out of time on Kustomer's side {SEARCH_TRIES} times"
            ),
        )
        .advise("Run `resume` when the org is less busy: nothing is lost"))
    }

    /// The org that the key belongs to, and what its answer tells of itself.
    pub(crate) async fn org(&self, cx: &Context) -> Result<(Raw, Told)> {
        const ASK: &str = "ask which org this is";
        needed(cx, "org", 0.0);
        let path = format!("{}/v1/orgs/current", self.root);
        let response = self
            .answer(cx, Request::get("org", path), ASK, None)
            .await?;
        let header = |name: &str| response.headers.get(name).map(str::trim);
        let told = Told {
            limit: header("x-ratelimit-limit").and_then(|limit| limit.parse().ok()),
            region: header("x-kustomer-pod").map(str::to_owned),
        };
        Ok((single(&response, ASK)?, told))
    }

    /// The key itself: its name and its roles.
    pub(crate) async fn token(&self, cx: &Context) -> Result<Raw> {
        needed(cx, "token", 0.0);
        let path = format!("{}/v1/auth/tokens/current", self.root);
        self.one(cx, "token", path, "ask what the key may do", None)
            .await
    }

    /// One user; none where there is none.
    pub(crate) async fn user(&self, cx: &Context, id: &str) -> Result<Option<Raw>> {
        let path = format!("{}/v1/users/{}", self.root, path_segment(id));
        found(self.one(cx, "users", path, "look up a user", None).await)
    }

    /// The definitions of custom attributes of a kind of thing; none where it has none.
    pub(crate) async fn metadata(&self, cx: &Context, resource: &str) -> Result<Option<Raw>> {
        needed(cx, format!("metadata {resource}"), 0.0);
        let path = format!("{}/v1/metadata/{}", self.root, path_segment(resource));
        found(
            self.one(cx, "metadata", path, "list custom attributes", None)
                .await,
        )
    }

    /// The record behind a mail, by the address that its message names.
    pub(crate) async fn mail(&self, cx: &Context, link: &str, about: &RecordKey) -> Result<Raw> {
        const READ: &str = "read the record behind a mail";
        let path = self.within(link, READ)?;
        needed(cx, "mail", 1.0);
        self.one(cx, "mail", path, READ, Some(about)).await
    }

    /// A file with a fresh link to its bytes.
    pub(crate) async fn attachment(
        &self,
        cx: &Context,
        link: &str,
        about: &RecordKey,
    ) -> Result<Raw> {
        const RESOLVE: &str = "ask for a file's address";
        let path = self.within(link, RESOLVE)?;
        needed(cx, "attachment", 1.0);
        self.one(cx, "attachment", path, RESOLVE, Some(about)).await
    }

    /// Bytes from a signed link. The key stays here: the store refuses a second credential, and must not see it.
    pub(crate) async fn bytes(
        &self,
        cx: &Context,
        link: &str,
        about: &RecordKey,
    ) -> Result<StreamResponse> {
        let request = Request::get("bytes", link)
            .operation("download a file")
            .about(about.clone());
        self.http.stream(cx, request).await
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("http", &self.http)
            .finish_non_exhaustive()
    }
}

/// A list that is read page by page.
#[derive(Debug, Clone, Copy)]
pub(crate) enum List<'a> {
    /// Users of a pass: `deleted`, `pending`, … (filters cannot be combined).
    Users(Option<(&'static str, &'static str)>),
    Teams,
    KbCategories,
    /// Articles in a language.
    KbArticles(&'a str),
    /// All versions of an article in a language.
    KbVersions(&'a str, &'a str),
    /// A list of configuration.
    Inventory(&'static str),
    /// Klasses of a state.
    Klasses(&'static str),
    Tags {
        deleted: bool,
    },
    SubStatuses,
    /// The messages of a conversation, with their files beside them.
    Messages(&'a str, &'a RecordKey),
    /// The notes of a conversation, likewise.
    Notes(&'a str, &'a RecordKey),
    /// The files of a conversation.
    Attachments(&'a str, &'a RecordKey),
    /// Whom a customer was merged into.
    Merges(&'a str, &'a RecordKey),
}

impl<'a> List<'a> {
    fn endpoint(self) -> &'static str {
        match self {
            Self::Users(_) => "users",
            Self::Teams => "teams",
            Self::Klasses(_) => "klasses",
            Self::KbCategories | Self::KbArticles(_) | Self::KbVersions(..) => "kb",
            Self::Inventory(_) => "inventory",
            Self::Tags { .. } => "tags",
            Self::SubStatuses => "sub-statuses",
            Self::Messages(..) => "messages",
            Self::Notes(..) => "notes",
            Self::Attachments(..) => "attachments",
            Self::Merges(..) => "merges",
        }
    }

    /// What its rows are counted under, and how many a request brings; whole requests where each list is a thing of its own.
    fn lot(self) -> (String, Option<usize>) {
        match self {
            Self::Users(Some((name, _))) => (format!("users {name}"), Some(LONG_PAGE)),
            Self::Users(None) | Self::Teams => (self.endpoint().to_owned(), Some(LONG_PAGE)),
            Self::Klasses(state) => (format!("klasses {state}"), Some(LIST_PAGE)),
            Self::KbCategories => ("categories".to_owned(), Some(KB_PAGE)),
            Self::KbArticles(language) => (format!("articles {language}"), Some(KB_PAGE)),
            Self::Inventory(path) => (path.to_owned(), Some(LIST_PAGE)),
            Self::Tags { deleted: true } => ("tags deleted".to_owned(), Some(LIST_PAGE)),
            Self::Tags { .. } | Self::SubStatuses => (self.endpoint().to_owned(), Some(LIST_PAGE)),
            Self::KbVersions(..) => ("versions of articles".to_owned(), None),
            Self::Messages(..) | Self::Notes(..) | Self::Attachments(..) | Self::Merges(..) => {
                (self.endpoint().to_owned(), None)
            }
        }
    }

    pub(crate) fn operation(self) -> &'static str {
        match self {
            Self::Users(_) => "list users",
            Self::Teams => "list teams",
            Self::Klasses(_) => "list custom objects",
            Self::KbCategories => "list categories",
            Self::KbArticles(_) => "list articles",
            Self::KbVersions(..) => "list versions of an article",
            Self::Inventory(_) => "list configuration",
            Self::Tags { .. } => "list tags",
            Self::SubStatuses => "list sub-statuses",
            Self::Messages(..) => "list messages",
            Self::Notes(..) => "list notes",
            Self::Attachments(..) => "list files",
            Self::Merges(..) => "ask whom a customer was merged into",
        }
    }

    fn about(self) -> Option<&'a RecordKey> {
        match self {
            Self::Messages(_, about)
            | Self::Notes(_, about)
            | Self::Attachments(_, about)
            | Self::Merges(_, about) => Some(about),
            _ => None,
        }
    }

    fn first(self) -> Request {
        let of = |id: &str, what: &str| format!("v1/conversations/{}/{what}", path_segment(id));
        let (path, size) = match self {
            Self::Users(_) => ("v1/users".to_owned(), LONG_PAGE),
            Self::Teams => ("v1/teams".to_owned(), LONG_PAGE),
            Self::Klasses(_) => ("v1/klasses".to_owned(), LIST_PAGE),
            Self::KbCategories => ("v1/kb/categories".to_owned(), KB_PAGE),
            Self::KbArticles(_) => ("v1/kb/articles".to_owned(), KB_PAGE),
            Self::KbVersions(id, language) => {
                let [id, language] = [id, language].map(path_segment);
                (
                    format!("v1/kb/articles/{id}/versions/{language}"),
                    LIST_PAGE,
                )
            }
            Self::Inventory(path) => (format!("v1/{path}"), LIST_PAGE),
            Self::Tags { .. } => ("v1/tags".to_owned(), LIST_PAGE),
            Self::SubStatuses => ("v1/sub-statuses".to_owned(), LIST_PAGE),
            Self::Messages(id, _) => (of(id, "messages"), LIST_PAGE),
            Self::Notes(id, _) => (of(id, "notes"), LIST_PAGE),
            Self::Attachments(id, _) => (of(id, "attachments"), LIST_PAGE),
            Self::Merges(id, _) => {
                let path = format!("v1/customers/{}/merges", path_segment(id));
                (path, LIST_PAGE)
            }
        };
        let request = Request::get(self.endpoint(), path).query("pageSize", size);
        match self {
            Self::Users(Some((name, value))) => request.query(name, value),
            Self::Tags { deleted: true } => request.query("deleted", true),
            Self::Klasses(state) => request.query("status", state),
            Self::KbArticles(language) => request
                .query("includeLang", language)
                .query("includeBody", true),
            Self::Inventory("slas") => request.query("versions", "all"),
            Self::SubStatuses => request.query("resourceType", "conversation"),
            Self::Messages(..) | Self::Notes(..) => request.query("include", "attachments"),
            _ => request,
        }
    }
}

impl Query<'_> {
    fn body(&self) -> Value {
        let name = match self.context.split_once('_') {
            Some((kind, _)) => kind,
            None => self.context,
        };
        let updated = format!("{name}_updated_at");
        let created = format!("{name}_created_at");
        let mut all = vec![json!({ &updated: {"gte": moment(self.from)} })];
        if let Some(to) = self.to {
            all.push(json!({ &updated: {"lte": moment(to)} }));
        }
        let mut order = &updated;
        if let Some(from) = self.made_from {
            all.push(json!({ &created: {"gte": moment(from)} }));
            order = &created;
        }
        json!({"queryContext": self.context, "includeDeleted": true, "and": all, "sort": [{order: "asc"}]})
    }
}

fn moment(millis: i64) -> String {
    let at: DateTime<Utc> = Utc
        .timestamp_millis_opt(millis)
        .single()
        .unwrap_or_default();
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn single(response: &Response, operation: &'static str) -> Result<Raw> {
    let mut envelope: Envelope = response.json(operation)?;
    let rows = envelope.rows().unwrap_or_default();
    rows.into_iter()
        .next()
        .ok_or_else(|| Error::decode(operation, "data", "the answer holds no data"))
}

fn listed(response: &Response, operation: &'static str) -> Result<Listed> {
    let envelope: Envelope = response.json(operation)?;
    if envelope.is_bare() {
        return Err(Error::decode(operation, "data", "the answer holds no data"));
    }
    Ok(of_envelope(envelope))
}

fn of_envelope(mut envelope: Envelope) -> Listed {
    let next = envelope.links.get("next").and_then(Value::as_str);
    Listed {
        next: next.filter(|next| !next.is_empty()).map(str::to_owned),
        total: envelope.meta.get("total").and_then(Value::as_u64),
        included: envelope.included(),
        rows: envelope.rows().unwrap_or_default(),
    }
}

/// Notes what the work needed at the least.
fn needed(cx: &Context, lot: impl Into<Cow<'static, str>>, share: f64) {
    cx.meter().needed(crate::PLATFORM, lot, share);
}

/// How much of a page of `size` so many rows are.
#[expect(clippy::cast_precision_loss, reason = "a number of rows of a page")]
fn share(rows: usize, size: usize) -> f64 {
    rows as f64 / size as f64
}

/// None for what does not exist.
fn found(answer: Result<Raw>) -> Result<Option<Raw>> {
    match answer {
        Ok(row) => Ok(Some(row)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
