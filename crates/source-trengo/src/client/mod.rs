//! One function per endpoint: a request and its decoded answer, nothing else.

mod errors;
mod files;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use chrono::{DateTime, Utc};
use deskferry_core::http::{
    self, Limit, LimitHeaders, Pager, Request, Reset, Response, RetryPolicy, SecretString,
};
use deskferry_core::{Context, Error, ErrorKind, RecordKey, Result};
use serde_json::Value;

use crate::config::{Rate, TrengoConfig};
use crate::convert::{METRICS, Month};
use crate::wire::{Defect, Envelope, Row, envelope, single};

/// Rows of a page of most lists, and of messages (Trengo reference, section 1.4).
pub(crate) const PAGE: usize = 25;
pub(crate) const MESSAGES: usize = 20;
/// Requests a minute until Trengo has told its limit (Trengo reference, section 1.2).
const FIRST_RATE: u32 = 120;
/// A list that is short by nature and still going on after so many pages goes round in circles.
const MOST_PAGES: u64 = 10_000;

/// A list that is read page by page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum List {
    Users,
    Teams,
    Channels,
    Labels,
    CustomFields,
    Results,
    Profiles,
    Contacts,
    Tickets,
}

impl List {
    fn endpoint(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Teams => "teams",
            Self::Channels => "channels",
            Self::Labels => "labels",
            Self::CustomFields => "custom_fields",
            Self::Results => "ticket_results",
            Self::Profiles => "profiles",
            Self::Contacts => "contacts",
            Self::Tickets => "tickets",
        }
    }

    pub(crate) fn operation(self) -> &'static str {
        match self {
            Self::Users => "list users",
            Self::Teams => "list teams",
            Self::Channels => "list channels",
            Self::Labels => "list labels",
            Self::CustomFields => "list custom fields",
            Self::Results => "list ticket results",
            Self::Profiles => "list profiles",
            Self::Contacts => "list contacts",
            Self::Tickets => "list tickets",
        }
    }
}

/// One page, and the platform's clock when it answered.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    pub(crate) page: Envelope,
    pub(crate) server_time: Option<DateTime<Utc>>,
}

/// Speaks to one workspace.
pub(crate) struct Client {
    http: http::Client,
    /// For bytes: other hosts than the API's have no part in its limit.
    bytes: http::Client,
    root: String,
    token: SecretString,
    /// Trengo has refused the token: it is not shown again.
    refused: AtomicBool,
    rate: Rate,
    usable: f64,
    /// Requests a minute, as the last answer told.
    told: AtomicU32,
}

impl Client {
    pub(crate) fn new(config: &TrengoConfig, retry: RetryPolicy) -> Result<Self> {
        let limit = match config.rate() {
            Rate::Told => {
                let headers = LimitHeaders::new("x-ratelimit-limit", "x-ratelimit-remaining")
                    .reset("x-ratelimit-reset", Reset::Guess);
                Limit::told(headers, FIRST_RATE)
            }
            Rate::AtMost(requests) => Limit::per_minute(requests),
        };
        let limit = limit
            .keep_free(config.keep_free())
            .concurrent(config.parallel().saturating_mul(2).max(4));
        let builder = |base: &str| {
            let mut builder = http::Client::builder(crate::PLATFORM, base)
                .allow_plain_http(config.allow_plain_http())
                .allow_private_hosts(config.allow_private_hosts())
                .retry(retry.clone());
            if let Some(pem) = config.root_certificate() {
                builder = builder.root_certificate(pem);
            }
            builder
        };
        Ok(Self {
            http: builder(&format!("{}/api/v2", config.url()))
                .limit(limit)
                .judge(Arc::new(errors::judge))
                .build()?,
            bytes: builder(config.url())
                .limit(Limit::none().concurrent(4))
                .build()?,
            root: config.url().to_owned(),
            token: config.token().clone(),
            refused: AtomicBool::new(false),
            rate: config.rate(),
            usable: 1.0 - config.keep_free(),
            told: AtomicU32::new(FIRST_RATE),
        })
    }

    /// Scheme, host and port.
    pub(crate) fn root(&self) -> &str {
        &self.root
    }

    /// How many requests may go out a second, as far as is known by now.
    pub(crate) fn per_second(&self) -> f64 {
        let a_minute = match self.rate {
            Rate::Told => self.told.load(Ordering::Relaxed),
            Rate::AtMost(requests) => requests,
        };
        f64::from(a_minute.max(1)) * self.usable / 60.0
    }

    fn dressed(&self, request: Request) -> Request {
        let bearer = SecretString::new(format!("Bearer {}", self.token.expose()));
        request
            .header("Accept", "application/json")
            .secret_header("Authorization", bearer)
    }

    async fn call(
        &self,
        cx: &Context,
        operation: &'static str,
        request: Request,
    ) -> Result<Response> {
        if self.refused.load(Ordering::Acquire) {
            return Err(errors::refused_token(operation));
        }
        let request = self.dressed(request).operation(operation);
        let response = self.http.send(cx, request).await?;
        let told = response.header("x-ratelimit-limit");
        if let Some(told) = told.and_then(|limit| limit.trim().parse().ok()) {
            self.told.store(told, Ordering::Relaxed);
        }
        if response.is_success() {
            return Ok(response);
        }
        if response.status == 401 {
            self.refused.store(true, Ordering::Release);
        }
        Err(errors::refusal(operation, &response))
    }

    async fn listed(
        &self,
        cx: &Context,
        operation: &'static str,
        request: Request,
        page: u64,
    ) -> Result<Listed> {
        let request = request.query("page", page);
        let response = self.call(cx, operation, request).await?;
        let answer: Value = response.json(operation)?;
        Ok(Listed {
            page: envelope(answer, page).map_err(|defect| unreadable(operation, defect))?,
            server_time: response.header("date").and_then(http_date),
        })
    }

    async fn one(
        &self,
        cx: &Context,
        operation: &'static str,
        request: Request,
    ) -> Result<Option<Value>> {
        let response = match self.call(cx, operation, request).await {
            Ok(response) => response,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let answer: Value = response.json(operation)?;
        single(answer)
            .map(Some)
            .map_err(|defect| unreadable(operation, defect))
    }

    /// One page of a list, from 1.
    pub(crate) async fn page(&self, cx: &Context, list: List, page: u64) -> Result<Listed> {
        let request = Request::get(list.endpoint(), list.endpoint());
        self.listed(cx, list.operation(), request, page).await
    }

    /// All rows of a list that is short by nature.
    pub(crate) async fn all(&self, cx: &Context, list: List) -> Result<(Vec<Value>, Listed)> {
        self.all_of(cx, list.operation(), &|| {
            Request::get(list.endpoint(), list.endpoint())
        })
        .await
    }

    async fn all_of(
        &self,
        cx: &Context,
        operation: &'static str,
        request: &(dyn Fn() -> Request + Sync),
    ) -> Result<(Vec<Value>, Listed)> {
        let mut pager = Pager::new(operation);
        let mut rows = Vec::new();
        for page in 1..=MOST_PAGES {
            let mut listed = self.listed(cx, operation, request(), page).await?;
            let next = (page + 1).to_string();
            accept(&mut pager, &listed.page, &next)?;
            rows.append(&mut listed.page.rows);
            if !listed.page.more {
                return Ok((rows, listed));
            }
        }
        Err(Error::new(
            ErrorKind::Protocol,
            operation,
            format!("the list goes on after {MOST_PAGES} pages"),
        ))
    }

    /// `GET /tickets`: newest activity first. Other orders lose rows when the list moves (Trengo reference, section 5.2).
    pub(crate) async fn tickets(
        &self,
        cx: &Context,
        page: u64,
        filter: Option<(&'static str, &str)>,
    ) -> Result<Listed> {
        let mut request = Request::get("tickets", "tickets").query("sort", "-date");
        if let Some((name, value)) = filter {
            request = request.query(name, value);
        }
        self.listed(cx, List::Tickets.operation(), request, page)
            .await
    }

    /// `GET /tickets/:id`: with what lists leave out. None when it is gone, deleted or merged into another one.
    pub(crate) async fn ticket(
        &self,
        cx: &Context,
        id: u64,
        about: RecordKey,
    ) -> Result<Option<Value>> {
        let request = Request::get("ticket", format!("tickets/{id}")).about(about);
        self.one(cx, "read a ticket", request).await
    }

    /// `GET /tickets/:id/messages`: newest first. None when the ticket is gone.
    pub(crate) async fn messages(
        &self,
        cx: &Context,
        ticket: u64,
        page: u64,
        about: RecordKey,
    ) -> Result<Option<Envelope>> {
        const LIST: &str = "list messages";
        let request = Request::get("messages", format!("tickets/{ticket}/messages")).about(about);
        match self.listed(cx, LIST, request, page).await {
            Ok(listed) => Ok(Some(listed.page)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// `GET /tickets/:id/messages/:id`: one message, with addresses of its files that are fresh. None when it is gone.
    pub(crate) async fn message(
        &self,
        cx: &Context,
        ticket: u64,
        message: u64,
        about: RecordKey,
    ) -> Result<Option<Value>> {
        let path = format!("tickets/{ticket}/messages/{message}");
        let request = Request::get("message", path).about(about);
        self.one(cx, "read a message", request).await
    }

    /// `GET /tickets/:id/email_messages/:id`: a mail in full. None where there is none.
    pub(crate) async fn mail(
        &self,
        cx: &Context,
        ticket: u64,
        message: u64,
        about: RecordKey,
    ) -> Result<Option<Value>> {
        let path = format!("tickets/{ticket}/email_messages/{message}");
        let request = Request::get("email_messages", path).about(about);
        self.one(cx, "read a mail in full", request).await
    }

    /// `GET /profiles/:id`: with its contacts. None when it is gone.
    pub(crate) async fn profile(&self, cx: &Context, id: u64) -> Result<Option<Value>> {
        let request = Request::get("profile", format!("profiles/{id}"));
        self.one(cx, "read a profile", request).await
    }

    /// `GET /contacts/:id`: with groups and notes. None when it is gone.
    pub(crate) async fn contact(&self, cx: &Context, id: u64) -> Result<Option<Value>> {
        let request = Request::get("contact", format!("contacts/{id}")).query("include", "notes");
        self.one(cx, "read a contact", request).await
    }

    /// `GET /teams/:id`: with its members. None when it is gone.
    pub(crate) async fn team(&self, cx: &Context, id: u64) -> Result<Option<Value>> {
        let request = Request::get("team", format!("teams/{id}"));
        self.one(cx, "read a team", request).await
    }

    /// `GET /help_center`: all of them.
    pub(crate) async fn help_centres(&self, cx: &Context) -> Result<Vec<Value>> {
        let request = || Request::get("help_center", "help_center");
        let (rows, _) = self.all_of(cx, "list help centres", &request).await?;
        Ok(rows)
    }

    /// `GET /help_center/:id/categories`: with their sections, in a language.
    pub(crate) async fn categories(
        &self,
        cx: &Context,
        centre: u64,
        locale: &str,
    ) -> Result<Vec<Value>> {
        let path = format!("help_center/{centre}/categories");
        let request = || Request::get("categories", path.clone()).query("localeCode", locale);
        let (rows, _) = self.all_of(cx, "list categories", &request).await?;
        Ok(rows)
    }

    /// `GET /help_center/:id/articles`: one page of those that have a text in a language.
    pub(crate) async fn articles(
        &self,
        cx: &Context,
        centre: u64,
        locale: &str,
        page: u64,
    ) -> Result<Listed> {
        let path = format!("help_center/{centre}/articles");
        let request = Request::get("articles", path).query("localeCode", locale);
        self.listed(cx, "list articles", request, page).await
    }

    /// `GET /help_center/:id/articles/:id`: in a language. None where it has no text in it, or is gone.
    pub(crate) async fn article(
        &self,
        cx: &Context,
        centre: u64,
        id: u64,
        locale: &str,
    ) -> Result<Option<Value>> {
        let path = format!("help_center/{centre}/articles/{id}");
        let request = Request::get("article", path).query("localeCode", locale);
        self.one(cx, "read an article", request).await
    }

    /// A list of what people set up and build again in the target.
    pub(crate) async fn set_up(
        &self,
        cx: &Context,
        path: &str,
        filter: Option<(&'static str, &'static str)>,
    ) -> Result<Vec<Value>> {
        let request = || {
            let request = Request::get("setup", path.to_owned());
            match filter {
                Some((name, value)) => request.query(name, value),
                None => request,
            }
        };
        let (rows, _) = self.all_of(cx, "list what was set up", &request).await?;
        Ok(rows)
    }

    /// `GET /reporting/agent_performance`: what each agent did in a month.
    pub(crate) async fn performance(&self, cx: &Context, month: Month) -> Result<Vec<Value>> {
        let request = || {
            Request::get("reporting", "reporting/agent_performance")
                .query("start_date", offset(month.from))
                .query("end_date", offset(month.until))
        };
        let (rows, _) = self.all_of(cx, "list what agents did", &request).await?;
        Ok(rows)
    }

    /// `GET /reporting/metrics`: aggregates of a month.
    pub(crate) async fn metrics(&self, cx: &Context, month: Month) -> Result<Value> {
        const READ: &str = "read the figures of a month";
        let request = Request::get("reporting", "reporting/metrics")
            .query("start_date", offset(month.from))
            .query("end_date", offset(month.until));
        let request = METRICS.iter().fold(request, |request, (name, _)| {
            request.query("metric[]", name)
        });
        self.call(cx, READ, request).await?.json(READ)
    }

    /// `GET /reporting/details/ticket`: rows of all tickets by id, after one of them.
    pub(crate) async fn reported(&self, cx: &Context, after: u64) -> Result<Vec<Value>> {
        const LIST: &str = "list the ids of all tickets";
        let request = Request::get("reporting", "reporting/details/ticket")
            .query("start_after_ticket_id", after);
        let response = self.call(cx, LIST, request).await?;
        let answer: Value = response.json(LIST)?;
        Ok(envelope(answer, 1)
            .map_err(|defect| unreadable(LIST, defect))?
            .rows)
    }
}

/// Shows a page to the guard against lists without an end.
pub(crate) fn accept(pager: &mut Pager, page: &Envelope, next: &str) -> Result<()> {
    let ids: Vec<String> = page.rows.iter().map(id_text).collect();
    pager.accept(ids.iter().map(String::as_str), page.more.then_some(next))
}

fn id_text(row: &Value) -> String {
    Row(row)
        .id()
        .map_or_else(|_| row.to_string(), |id| id.to_string())
}

fn unreadable(operation: &'static str, defect: Defect) -> Error {
    Error::decode(operation, &defect.path, defect.reason)
}

/// As the reporting interface wants it: with an offset.
fn offset(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%S+00:00").to_string()
}

fn http_date(text: &str) -> Option<DateTime<Utc>> {
    Some(DateTime::parse_from_rfc2822(text).ok()?.to_utc())
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}
