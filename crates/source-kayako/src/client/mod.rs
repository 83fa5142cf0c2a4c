//! One function per endpoint: a request and its decoded answer, nothing else.

mod answer;
mod errors;
mod files;
mod login;
mod oauth;
mod store;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use chrono::{DateTime, Utc};
use deskferry_core::http::{self, Limit, Request, Response, RetryPolicy, SecretString, Session};
use deskferry_core::{Context, ErrorKind, RecordKey, Result, Tenant};

pub(crate) use answer::{Listed, Place};
use answer::{decoded, single};
use login::{Login, dressed};

use crate::config::{Account, KayakoConfig, Rate};
use crate::wire::{EmailOriginal, Locale, Raw, Setting, User};

/// Rows asked for per page: the largest number that is known to be safe (Kayako reference, section 4).
pub(crate) const PAGE: u64 = 100;

/// A list of configuration that has more rows than this shows the same ones again and again.
const MOST_CONFIGURED: u64 = 20_000;

/// Requests a minute to begin with where none are configured (Kayako reference, section 5).
const FIRST_RATE: u32 = 60;

const ORGANIZATION_PARTS: &str = "identity_domain,identity_phone,contact_address,contact_website";
const USER_PARTS: &str = "identity_email,identity_phone,identity_twitter,identity_facebook,role";
const CASE_PARTS: &str =
    "case_status,case_priority,case_type,channel,tag,sla_metric,identity_email";
const ARTICLE_PARTS: &str = "locale_field,user_minimal,tag,attachment";
const POST_PARTS: &str = "mailbox,message_recipient,channel,attachment,case_message,note,chat_message,user_minimal,\
identity_email,identity_phone,identity_twitter,identity_facebook,facebook_message,facebook_post,facebook_post_comment,\
twitter_message,twitter_tweet";

/// Whose account this is, and what answered.
pub(crate) struct Me {
    pub(crate) user: User,
    pub(crate) server_time: Option<DateTime<Utc>>,
    pub(crate) api_version: Option<String>,
}

/// A list that is read page by page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum List {
    Teams,
    Organizations,
    Users,
    Cases,
    /// The cases of a view: what was thrown away or held back is in no other list.
    View(u64),
}

impl List {
    fn endpoint(self) -> &'static str {
        match self {
            Self::View(_) => "view",
            Self::Teams => "teams",
            Self::Organizations => "organizations",
            Self::Users => "users",
            Self::Cases => "cases",
        }
    }

    pub(crate) fn operation(self) -> &'static str {
        match self {
            Self::Teams => "list teams",
            Self::Organizations => "list organizations",
            Self::Users => "list users",
            Self::Cases => "list cases",
            Self::View(_) => "list cases that were set aside",
        }
    }

    fn path(self) -> String {
        match self {
            Self::View(id) => format!("views/{id}/cases"),
            list => list.endpoint().to_owned(),
        }
    }

    fn include(self) -> Option<&'static str> {
        match self {
            Self::Teams => None,
            Self::Organizations => Some(ORGANIZATION_PARTS),
            Self::Users => Some(USER_PARTS),
            Self::Cases | Self::View(_) => Some(CASE_PARTS),
        }
    }
}

/// Configuration that is read whole (Kayako reference, sections 6 and 14).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Configuration {
    Triggers,
    Monitors,
    Slas,
    BusinessHours,
    Macros,
    Views,
    Forms,
    Mailboxes,
    TwitterAccounts,
    FacebookPages,
    Endpoints,
    Teams,
    Brands,
    Statuses,
    Priorities,
    Types,
    Categories,
    Sections,
}

impl Configuration {
    /// Path, what is done, and what is to be written out. Where no names are documented, everything is asked for.
    fn parts(self) -> (&'static str, &'static str, Option<&'static str>) {
        const ALL: Option<&str> = Some("*");
        match self {
            Self::Triggers => ("triggers", "list triggers", ALL),
            Self::Monitors => ("monitors", "list monitors", ALL),
            Self::Slas => ("slas", "list SLAs", Some("sla_proposition,sla_target")),
            Self::BusinessHours => ("businesshours", "list business hours", None),
            Self::Macros => ("cases/macros", "list macros", ALL),
            Self::Views => ("views", "list views", ALL),
            Self::Forms => ("cases/forms", "list case forms", None),
            Self::Mailboxes => ("mailboxes", "list mailboxes", None),
            Self::TwitterAccounts => ("twitter/accounts", "list Twitter accounts", None),
            Self::FacebookPages => ("facebook/pages", "list Facebook pages", None),
            Self::Endpoints => ("endpoints", "list endpoints", None),
            Self::Teams => ("teams", "list how teams work", None),
            Self::Brands => ("brands", "list brands", None),
            Self::Statuses => ("cases/statuses", "list statuses", None),
            Self::Priorities => ("cases/priorities", "list priorities", None),
            Self::Types => ("cases/types", "list types of cases", None),
            Self::Categories => ("categories", "list categories", Some("locale_field")),
            Self::Sections => ("sections", "list sections", Some("locale_field")),
        }
    }

    pub(crate) fn operation(self) -> &'static str {
        self.parts().1
    }
}

/// What a custom field stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum FieldOwner {
    Case,
    User,
    Organization,
}

impl FieldOwner {
    pub(crate) const ALL: [Self; 3] = [Self::Case, Self::User, Self::Organization];

    fn path(self) -> (&'static str, &'static str) {
        match self {
            Self::Case => ("cases/fields", "list case fields"),
            Self::User => ("users/fields", "list user fields"),
            Self::Organization => ("organizations/fields", "list organization fields"),
        }
    }
}

/// Speaks to one instance.
pub(crate) struct Client {
    http: http::Client,
    root: String,
    account: Account,
    /// Kayako may give a new refresh token with an access token; it counts from then on.
    refresh_token: RwLock<Option<SecretString>>,
    /// An access token of the configuration is used once.
    given: Mutex<Option<SecretString>>,
    session: Session<Login>,
    probed: AtomicBool,
}

impl Client {
    pub(crate) fn new(config: &KayakoConfig, retry: RetryPolicy) -> Result<Self> {
        let limit = match config.rate() {
            Rate::Adaptive => Limit::adaptive(FIRST_RATE),
            Rate::AtMost(requests) => Limit::per_minute(requests),
        }
        .concurrent(config.parallel().saturating_mul(2));
        let mut builder =
            http::Client::builder(crate::PLATFORM, &format!("{}/api/v1", config.url()))
                .allow_plain_http(config.allow_plain_http())
                .allow_private_hosts(config.allow_private_hosts())
                .limit(limit)
                .retry(retry)
                .judge(Arc::new(errors::judge));
        if let Some(pem) = config.root_certificate() {
            builder = builder.root_certificate(pem);
        }
        let account = config.account();
        let given = match &account {
            Account::Password { .. } => None,
            Account::OAuth { access, .. } => access.clone(),
        };
        Ok(Self {
            http: builder.build()?,
            root: config.url().to_owned(),
            account,
            refresh_token: RwLock::new(None),
            given: Mutex::new(given),
            session: Session::new(),
            probed: AtomicBool::new(false),
        })
    }

    /// Scheme, host and port of the instance.
    pub(crate) fn root(&self) -> &str {
        &self.root
    }

    async fn probe_once(&self, cx: &Context) -> Result<()> {
        if !self.probed.load(Ordering::Acquire) {
            self.probe(cx).await?;
            self.probed.store(true, Ordering::Release);
        }
        Ok(())
    }

    async fn login(&self, cx: &Context) -> Result<Arc<Login>> {
        self.session.get(|| self.log_in(cx)).await
    }

    /// Whose data this is; logs in if nobody did.
    pub(crate) async fn tenant(&self, cx: &Context) -> Result<Tenant> {
        Ok(self.login(cx).await?.tenant.clone())
    }

    /// Ends the session, if there is one.
    pub(crate) async fn log_out(&self, cx: &Context) -> Result<()> {
        let Some(login) = self.session.take().await else {
            return Ok(());
        };
        if login.is_bearer() {
            // A token is not a session: it stays good for whoever gave it.
            self.keep_for_later(&login);
            return Ok(());
        }
        let request = dressed(Request::delete("session", "session"))
            .operation("log out of Kayako")
            .idempotent(true);
        let response = self.http.send(cx, login.dress(request)).await?;
        // A session that is gone already needs no goodbye.
        if response.is_success() || errors::is_stale(response.status, "") || response.status == 404
        {
            return Ok(());
        }
        Err(errors::refusal("log out of Kayako", &response))
    }

    /// Sends a call with the session; with a new one, once, if Kayako has forgotten it.
    async fn call(
        &self,
        cx: &Context,
        operation: &'static str,
        request: Request,
    ) -> Result<(Response, Arc<Login>)> {
        let request = dressed(request).operation(operation);
        let mut login = self.login(cx).await?;
        let mut renewed = false;
        let mut outages = 2;
        loop {
            let response = self.http.send(cx, login.dress(request.clone())).await?;
            if response.is_success() {
                return Ok((response, login));
            }
            // The instance was there a moment ago, so this is one of the outages that 490 also stands for.
            if response.status == 490 {
                if outages == 0 {
                    return Err(errors::outage(operation));
                }
                outages -= 1;
                cx.sleep(login::PAUSE, operation).await?;
                continue;
            }
            if renewed || !login.is_stale(response.status, &errors::code(&response)) {
                return Err(login.refusal(operation, &response));
            }
            login = self.session.renew(&login, || self.log_in(cx)).await?;
            renewed = true;
        }
    }

    async fn listed(
        &self,
        cx: &Context,
        operation: &'static str,
        request: Request,
    ) -> Result<Listed> {
        let (response, login) = self.call(cx, operation, request).await?;
        let mut listed = Listed::read(&response, operation)?;
        login.replaced_by(listed.session_id.take());
        Ok(listed)
    }

    async fn one(
        &self,
        cx: &Context,
        operation: &'static str,
        request: Request,
    ) -> Result<(Raw, Response)> {
        let (response, login) = self.call(cx, operation, request).await?;
        let (raw, session) = single(&response, operation)?;
        login.replaced_by(session);
        Ok((raw, response))
    }

    /// `GET /me`: whose account this is, with the platform's clock and the version of its API.
    pub(crate) async fn me(&self, cx: &Context) -> Result<Me> {
        const ME: &str = "ask Kayako whose account this is";
        let request = Request::get("me", "me").query("include", "role,identity_email");
        let (raw, response) = self.one(cx, ME, request).await?;
        needed(cx, "me", 0.0);
        Ok(Me {
            user: decoded(&raw, ME)?,
            server_time: answer::server_time(&response),
            api_version: response.header("x-api-version").map(str::to_owned),
        })
    }

    /// `GET /settings`: the default language, by name or by the id of a locale.
    pub(crate) async fn default_language(&self, cx: &Context) -> Result<Option<String>> {
        let listed = self
            .listed(
                cx,
                "read the default language",
                Request::get("settings", "settings"),
            )
            .await?;
        let settings = listed
            .rows
            .iter()
            .filter_map(|row| crate::wire::decode::<Setting>(row).ok());
        needed(cx, "settings", 0.0);
        let mut named = settings
            .filter(|s| s.name == "default_language" || s.name.ends_with(".default_language"));
        Ok(named
            .next()
            .map(|setting| setting.value)
            .filter(|value| !value.trim().is_empty()))
    }

    /// `GET /locales`: the name of a locale.
    pub(crate) async fn locale(&self, cx: &Context, id: u64) -> Result<Option<String>> {
        let listed = self
            .listed(cx, "list locales", Request::get("locales", "locales"))
            .await?;
        let mut locales = listed
            .rows
            .iter()
            .filter_map(|row| crate::wire::decode::<Locale>(row).ok());
        Ok(locales
            .find(|locale| locale.id == id)
            .map(|locale| locale.locale))
    }

    /// `GET /cases/fields` and its sisters: all definitions, in one answer.
    pub(crate) async fn fields(&self, cx: &Context, owner: FieldOwner) -> Result<Vec<Raw>> {
        let (path, operation) = owner.path();
        let request = Request::get("fields", path).query("include", "field_option,locale_field");
        let listed = self.listed(cx, operation, request).await?;
        needed(cx, path, 0.0);
        Ok(listed.rows)
    }

    /// `GET /roles`: all of them; there are a handful.
    pub(crate) async fn roles(&self, cx: &Context) -> Result<Vec<Raw>> {
        let request = Request::get("roles", "roles").query("limit", PAGE);
        Ok(self.listed(cx, "list roles", request).await?.rows)
    }

    /// One page of a list.
    pub(crate) async fn list(&self, cx: &Context, list: List, place: &Place) -> Result<Listed> {
        let mut request = Request::get(list.endpoint(), list.path());
        if matches!(list, List::Cases | List::View(_)) {
            request = request.query("fields", "+tags");
        }
        if let Some(include) = list.include() {
            request = request.query("include", include);
        }
        request = match place {
            // The first page is asked for without a place, so that Kayako may choose the style of its links.
            Place::Offset(0) => request,
            Place::Offset(offset) => request.query("offset", offset),
            Place::After(id) => request.query("after_id", id),
        };
        self.listed(cx, list.operation(), request.query("limit", PAGE))
            .await
    }

    /// `GET /articles`: one page of them, with their texts in all languages.
    pub(crate) async fn articles(&self, cx: &Context, place: &Place) -> Result<Listed> {
        let mut request = Request::get("articles", "articles").query("include", ARTICLE_PARTS);
        request = match place {
            Place::Offset(0) => request,
            Place::Offset(offset) => request.query("offset", offset),
            Place::After(id) => request.query("after_id", id),
        };
        self.listed(cx, "list articles", request.query("limit", PAGE))
            .await
    }

    /// `GET /articles/count`: how many there are, where the instance tells.
    pub(crate) async fn article_count(&self, cx: &Context) -> Result<Option<u64>> {
        let request = Request::get("articles/count", "articles/count");
        let answer = self.call(cx, "count articles", request).await;
        needed(cx, "articles/count", 0.0);
        let response = match answer {
            Ok((response, _)) => response,
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::NotFound | ErrorKind::Forbidden | ErrorKind::Refused
                ) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        Ok(answer::count(&response))
    }

    /// `POST /articles/list`: a page of all articles, drafts too. It only reads.
    pub(crate) async fn all_articles(&self, cx: &Context, offset: u64) -> Result<Listed> {
        let request = Request::post("articles/list", "articles/list")
            .query("include", ARTICLE_PARTS)
            .json(&serde_json::json!({ "filters": [], "offset": offset, "limit": PAGE }))
            .idempotent(true);
        self.listed(cx, "list drafts of articles", request).await
    }

    /// `GET /cases?ids=`: those of the cases that lists show.
    pub(crate) async fn cases_by_id(&self, cx: &Context, ids: &[u64]) -> Result<Listed> {
        let ids: Vec<String> = ids.iter().map(u64::to_string).collect();
        let request = Request::get("cases", "cases")
            .query("ids", ids.join(","))
            .query("fields", "+tags")
            .query("include", CASE_PARTS)
            .query("limit", PAGE);
        self.listed(cx, "look for cases that the list did not show", request)
            .await
    }

    /// `GET /cases?ids=`: which of these cases lists show; nothing is written out.
    pub(crate) async fn cases_named(&self, cx: &Context, ids: &[u64]) -> Result<Listed> {
        let ids: Vec<String> = ids.iter().map(u64::to_string).collect();
        let request = Request::get("cases", "cases")
            .query("ids", ids.join(","))
            .query("limit", PAGE);
        let listed = self
            .listed(cx, "look whether cases are still there", request)
            .await;
        needed(cx, "sweep", 1.0);
        listed
    }

    /// `GET /articles/:id`: none when there is no such article any more.
    pub(crate) async fn article(&self, cx: &Context, id: u64) -> Result<Option<Raw>> {
        let request =
            Request::get("article", format!("articles/{id}")).query("include", ARTICLE_PARTS);
        Ok(found(self.one(cx, "look up an article", request).await)?.map(|(raw, _)| raw))
    }

    /// `GET /cases/:id`: one case with all that belongs to it; none when it is gone.
    pub(crate) async fn case(&self, cx: &Context, id: u64) -> Result<Option<Raw>> {
        let request = Request::get("case", format!("cases/{id}"))
            .query("fields", "+tags")
            .query("include", CASE_PARTS);
        let answer = self
            .one(cx, "read a case that was set aside", request)
            .await;
        Ok(found(answer)?.map(|(raw, _)| raw))
    }

    /// A list of configuration, to its end: a few hundred rows at most.
    pub(crate) async fn configuration(
        &self,
        cx: &Context,
        list: Configuration,
    ) -> Result<Vec<Raw>> {
        let (path, operation, include) = list.parts();
        let mut rows: Vec<Raw> = Vec::new();
        loop {
            let mut request = Request::get(path, path).query("limit", PAGE);
            if let Some(include) = include {
                request = request.query("include", include);
            }
            if !rows.is_empty() {
                request = request.query("offset", rows.len());
            }
            let mut listed = self.listed(cx, operation, request).await?;
            // Teams are read as such already.
            if list != Configuration::Teams {
                needed(cx, path, listed.rows.len() as f64 / PAGE as f64);
            }
            let is_last = listed.next.is_none() || listed.rows.is_empty();
            rows.append(&mut listed.rows);
            if is_last || rows.len() as u64 >= MOST_CONFIGURED {
                return Ok(rows);
            }
        }
    }

    /// `GET /cases/:id/activities`: what happened to a case, last first. A merge is among the last that can happen.
    pub(crate) async fn activities(
        &self,
        cx: &Context,
        case: u64,
        about: RecordKey,
    ) -> Result<Vec<Raw>> {
        const READ: &str = "read into which case another was merged";
        let request = Request::get("activities", format!("cases/{case}/activities"))
            .about(about)
            .query("sort_order", "DESC")
            .query("limit", PAGE);
        let listed = self.listed(cx, READ, request).await?;
        needed(cx, "activities", 1.0);
        Ok(listed.rows)
    }

    /// `GET /cases/:id/activities`: a page of what happened to a case, last first.
    pub(crate) async fn history(
        &self,
        cx: &Context,
        case: u64,
        about: RecordKey,
        place: &Place,
    ) -> Result<Listed> {
        let mut request = Request::get("activities", format!("cases/{case}/activities"))
            .about(about)
            .query("sort_order", "DESC");
        request = match place {
            Place::Offset(0) => request,
            Place::Offset(offset) => request.query("offset", offset),
            Place::After(id) => request.query("after_id", id),
        };
        let listed = self
            .listed(
                cx,
                "read the history of a case",
                request.query("limit", PAGE),
            )
            .await;
        needed(cx, "history", 1.0);
        listed
    }

    /// `GET /timetracking`: a page of booked times.
    pub(crate) async fn time_logs(&self, cx: &Context, place: &Place) -> Result<Listed> {
        let mut request = Request::get("timetracking", "timetracking");
        request = match place {
            Place::Offset(0) => request,
            Place::Offset(offset) => request.query("offset", offset),
            Place::After(id) => request.query("after_id", id),
        };
        self.listed(cx, "list booked times", request.query("limit", PAGE))
            .await
    }

    /// `GET /conversations/:id/ratings`: how a case was rated.
    pub(crate) async fn ratings(
        &self,
        cx: &Context,
        case: u64,
        about: RecordKey,
    ) -> Result<Vec<Raw>> {
        let request = Request::get("ratings", format!("conversations/{case}/ratings"))
            .about(about)
            .query("limit", PAGE);
        let listed = self
            .listed(cx, "read what was said of a rating", request)
            .await;
        needed(cx, "ratings", 1.0);
        Ok(listed?.rows)
    }

    /// `GET /users/:id/notes` or `GET /organizations/:id/notes`, to the end.
    pub(crate) async fn notes_on(
        &self,
        cx: &Context,
        path: &'static str,
        about: &RecordKey,
    ) -> Result<Vec<Raw>> {
        let mut rows: Vec<Raw> = Vec::new();
        loop {
            let mut request = Request::get("notes", format!("{path}/{}/notes", about.id()))
                .about(about.clone())
                .query("include", "note,user_minimal,attachment")
                .query("limit", PAGE);
            if !rows.is_empty() {
                request = request.query("offset", rows.len());
            }
            let listed = self.listed(cx, "read notes on people", request).await;
            needed(cx, "notes", 1.0);
            let mut listed = listed?;
            let is_last = listed.next.is_none() || listed.rows.is_empty();
            rows.append(&mut listed.rows);
            if is_last || rows.len() as u64 >= MOST_CONFIGURED {
                return Ok(rows);
            }
        }
    }

    /// `GET /cases/:id/posts`: one page of a timeline, newest first. None when the case is gone.
    pub(crate) async fn posts(
        &self,
        cx: &Context,
        case: u64,
        about: RecordKey,
        after: Option<&str>,
    ) -> Result<Option<Listed>> {
        let mut request = Request::get("posts", format!("cases/{case}/posts"))
            .about(about.clone())
            .query("include", POST_PARTS);
        if let Some(after) = after {
            request = request.query("after_id", after);
        }
        let answer = self
            .listed(cx, "list posts", request.query("limit", PAGE))
            .await;
        needed(cx, "posts", 1.0);
        found(answer).map_err(|error| error.of(about))
    }

    /// `GET /cases/posts/:id/email_original`: none when Kayako kept no original.
    pub(crate) async fn email_original(
        &self,
        cx: &Context,
        post: u64,
        about: RecordKey,
    ) -> Result<Option<EmailOriginal>> {
        const READ: &str = "read the original of a mail";
        let request = Request::get(
            "email_original",
            format!("cases/posts/{post}/email_original"),
        )
        .about(about.clone());
        let answer = self.one(cx, READ, request).await;
        needed(cx, "email_original", 1.0);
        match found(answer).map_err(|error| error.of(about))? {
            Some((raw, _)) => Ok(Some(decoded(&raw, READ)?)),
            None => Ok(None),
        }
    }

    /// `GET /organizations/:id`: none when there is no such organisation any more.
    pub(crate) async fn organization(&self, cx: &Context, id: u64) -> Result<Option<Raw>> {
        let request = Request::get("organization", format!("organizations/{id}"))
            .query("include", ORGANIZATION_PARTS);
        let answer = self.one(cx, "look up an organization", request).await;
        Ok(found(answer)?.map(|(raw, _)| raw))
    }

    /// `GET /users/:id`: none when there is no such user any more.
    pub(crate) async fn user(&self, cx: &Context, id: u64) -> Result<Option<Raw>> {
        let request = Request::get("user", format!("users/{id}")).query("include", USER_PARTS);
        Ok(found(self.one(cx, "look up a user", request).await)?.map(|(raw, _)| raw))
    }
}

/// Work was done that takes this share of a request, at least one for all of its sort (Kayako reference, section 18). What
/// only a list that moved, a session that ended or a person whom no list names made necessary does not count.
pub(crate) fn needed(cx: &Context, lot: &'static str, share: f64) {
    cx.meter().needed(crate::PLATFORM, lot, share);
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}

/// Not found is an answer where rows may vanish.
fn found<T>(answer: Result<T>) -> Result<Option<T>> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
