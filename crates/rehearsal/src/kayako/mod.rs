//! A local Kayako (cloud, REST API v1) on loopback: the read side that a migration needs, filled from a
//! [`World`].
//!
//! Written from the Kayako reference, sections 1 to 16, and from nothing that the connector contains. What it answers:
//! `/session`, `/me`, `/settings`, `/locales`, `/brands`, `/mailboxes`, `/roles`, `/teams`, `/organizations`, `/users` and
//! single ones of both, the three lists of custom fields, `/cases` (with `ids=` and `status=`), single cases, their posts,
//! `email_original` and activities, ratings, `/timetracking`, notes on people and organizations, `/views` with the cases of each, triggers, monitors, SLAs, business hours, macros, forms,
//! accounts of networks and endpoints, categories, sections and articles with their number and (`POST /articles/list`) drafts, downloads of attachments, and `/media/url/TOKEN`. The flat form (`_flat`) and other spellings of keys
//! (`_case`) are not offered.
//!
//! ```
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! use deskferry_rehearsal::kayako::{Content, Kayako, KayakoOptions};
//! use deskferry_rehearsal::world::WorldSpec;
//!
//! let mut options = KayakoOptions::default();
//! options.content = Content::Made(WorldSpec::new(1, 60));
//! let kayako = Kayako::start(options).await?;
//! assert!(kayako.url().starts_with("http://127.0.0.1:"));
//! kayako.stop().await;
//! # Ok::<(), std::io::Error>(()) }).unwrap();
//! ```
//!
//! Beside the faults of [`fault`](crate::fault), these are known by name: `repeat-page` (a page is answered twice; key: path and
//! place), `null:<JSON pointer>` and `set:<JSON pointer>=<text>` (an item of an answer is changed; key: `case:12;`), `drop` (an
//! item is counted but not shown; the same key).

mod answer;
mod auth;
mod beside;
mod case;
mod changes;
mod desk;
mod include;
mod inventory;
mod knowledge;
mod least;
mod oauth;
mod reads;
mod routes;
mod setup;
mod views;

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::{HeaderMap, header};
use chrono::Utc;

use self::auth::Guard;
pub use self::changes::Thing;
use self::desk::Desk;
pub use self::least::{LeastOptions, LeastRequests};
use crate::fault::Faults;
use crate::serve::{Requests, ServeOptions, Server};
pub use crate::world::Content;
use crate::world::{FieldDefinition, Message, Role, World, WorldSpec};

/// What a session that is over is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StaleSession {
    /// `454 SESSION_LOADING_FAILED`.
    Status454,
    /// `401 AUTHORIZATION_REQUIRED`.
    Status401,
}

/// Which cases an account sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaseAccess {
    /// All of them.
    All,
    /// Those of its own teams.
    Teams,
    /// Those that are assigned to it.
    Own,
}

/// A limit of requests over a time. Kayako publishes no figures and tells nothing until it is passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// How many requests each window allows.
    pub requests: u32,
    /// How long a window is; a minute on the real platform.
    pub window: Duration,
    /// Whether the refusal says when to come back.
    pub retry_after: bool,
}

/// An OAuth client that may ask for tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OAuth {
    /// Its id.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// The refresh token that it was given.
    pub refresh_token: String,
    /// Whether each use of a refresh token brings a new one, and the old one is over.
    pub rotates: bool,
    /// An access token that is good from the start.
    pub access_token: Option<String>,
    /// After so many calls an access token is over.
    pub token_calls: Option<u64>,
    /// What its tokens may read: `users`, `conversations`, `configuration`, each alone or with `:read`.
    pub scopes: Vec<String>,
}

impl Default for OAuth {
    fn default() -> Self {
        Self {
            client_id: "rehearsal-client".to_owned(),
            client_secret: "rehearsal-secret".to_owned(),
            refresh_token: "rehearsal-refresh".to_owned(),
            rotates: true,
            access_token: None,
            token_calls: None,
            scopes: ["users:read", "conversations:read", "configuration:read"]
                .map(str::to_owned)
                .to_vec(),
        }
    }
}

/// How the helpdesk is set up.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct KayakoOptions {
    /// Keeps its content and later changes there; a start on a used folder takes both from it.
    pub folder: Option<PathBuf>,
    /// What it holds. Default: the default world.
    pub content: Content,
    /// The instance's name. Default: `acme`.
    pub instance: String,
    /// False: every address answers like a host that has no helpdesk (490).
    pub exists: bool,
    /// Login of the account. Default: `admin@acme.example`.
    pub email: String,
    /// Password of the account. Default: `rehearsal`.
    pub password: String,
    /// Role of the account; below administrator it sees no settings and no trash.
    pub role: Role,
    /// Which cases the account sees. Default: by its role, below administrator its own.
    pub case_access: Option<CaseAccess>,
    /// Whether views leave out the custom fields of their cases: only single cases are known to be complete.
    pub sparse_views: bool,
    /// Whether the list of articles leaves out what is not published.
    pub hides_drafts: bool,
    /// A one-time password that logins need.
    pub otp: Option<String>,
    /// Whether the password has expired.
    pub password_expired: bool,
    /// After so many calls a session is over.
    pub session_calls: Option<u64>,
    /// What is answered then.
    pub stale_session: StaleSession,
    /// An OAuth client beside the account.
    pub oauth: Option<OAuth>,
    /// A limit of requests.
    pub rate_limit: Option<RateLimit>,
    /// Scheme and host for addresses in answers. Default: its own.
    pub public_url: Option<String>,
    /// How it listens; its faults are the helpdesk's.
    pub serve: ServeOptions,
}

impl Default for KayakoOptions {
    fn default() -> Self {
        Self {
            folder: None,
            content: Content::Made(WorldSpec::default()),
            instance: "acme".to_owned(),
            exists: true,
            email: "admin@acme.example".to_owned(),
            password: "rehearsal".to_owned(),
            role: Role::Admin,
            case_access: None,
            sparse_views: false,
            hides_drafts: false,
            otp: None,
            password_expired: false,
            session_calls: None,
            stale_session: StaleSession::Status454,
            oauth: None,
            rate_limit: None,
            public_url: None,
            serve: ServeOptions::default(),
        }
    }
}

impl KayakoOptions {
    fn access(&self) -> CaseAccess {
        self.case_access.unwrap_or(match self.role {
            Role::Owner | Role::Admin => CaseAccess::All,
            Role::Agent | Role::Collaborator | Role::Customer => CaseAccess::Own,
        })
    }
}

/// What all requests share.
struct Shared {
    options: KayakoOptions,
    desk: Desk,
    faults: Faults,
    guard: Mutex<Guard>,
    window: Mutex<Option<(Instant, u32)>>,
    plain: OnceLock<String>,
    tls: OnceLock<String>,
}

impl Shared {
    fn guard(&self) -> MutexGuard<'_, Guard> {
        self.guard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The scheme and host that the caller used, if it is one of ours.
    fn base(&self, headers: &HeaderMap) -> String {
        if let Some(public) = &self.options.public_url {
            return public.trim_end_matches('/').to_owned();
        }
        let port = headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok())
            .and_then(|host| host.rsplit_once(':'))
            .map(|(_, port)| port);
        let over_tls = self
            .tls
            .get()
            .filter(|tls| port.is_some_and(|port| tls.ends_with(&format!(":{port}"))));
        over_tls
            .or_else(|| self.plain.get())
            .cloned()
            .unwrap_or_default()
    }

    /// When this request is one too many: the seconds to wait, if the platform tells.
    fn over_limit(&self) -> Option<Option<u64>> {
        let limit = self.options.rate_limit?;
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let (begun, used) = match *window {
            Some((begun, used)) if now.duration_since(begun) < limit.window => (begun, used),
            _ => (now, 0),
        };
        *window = Some((begun, used.saturating_add(1)));
        let left = limit.window.saturating_sub(now.duration_since(begun));
        (used >= limit.requests).then(|| {
            limit
                .retry_after
                .then(|| left.as_secs() + u64::from(left.subsec_nanos() > 0))
        })
    }
}

/// A running helpdesk.
pub struct Kayako {
    server: Server,
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Kayako {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kayako")
            .field("url", &self.url())
            .field("instance", &self.instance())
            .finish_non_exhaustive()
    }
}

impl Kayako {
    /// Starts on loopback.
    ///
    /// # Errors
    /// When the folder cannot be read or written or is of another format, the mails cannot be read, or a port is taken.
    pub async fn start(options: KayakoOptions) -> io::Result<Self> {
        let opened = options.clone();
        let desk = tokio::task::spawn_blocking(move || Desk::open(&opened))
            .await
            .map_err(io::Error::other)??;
        let serve = options.serve.clone();
        let shared = Arc::new(Shared {
            faults: serve.faults.clone(),
            options,
            desk,
            guard: Mutex::default(),
            window: Mutex::default(),
            plain: OnceLock::new(),
            tls: OnceLock::new(),
        });
        let router = Router::new()
            .fallback(routes::answer)
            .with_state(Arc::clone(&shared));
        let server = Server::start(router, serve).await?;
        // Nobody can have asked before the address is known.
        let _first = shared.plain.set(server.url());
        if let Some(tls) = server.tls_url() {
            let _first = shared.tls.set(tls);
        }
        Ok(Self { server, shared })
    }

    /// `http://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// The listener itself: its TLS address, certificate authority and log.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// The instance's name.
    pub fn instance(&self) -> &str {
        &self.shared.desk.instance
    }

    /// The fault script.
    pub fn faults(&self) -> &Faults {
        self.server.faults()
    }

    /// What was asked so far.
    pub fn requests(&self) -> Requests {
        self.server.requests()
    }

    /// What it was filled with; later changes are not in it.
    pub fn world(&self) -> &World {
        &self.shared.desk.world
    }

    /// The least possible number of requests for a full read.
    pub fn least_requests(&self, options: LeastOptions) -> LeastRequests {
        least::count(self.world(), options)
    }

    /// The case was changed now: it moves to the top of the list.
    ///
    /// # Errors
    /// When the change cannot be kept in the state folder.
    pub fn touch(&self, case: u64) -> io::Result<()> {
        self.shared.desk.touch(case, Utc::now())
    }

    /// The case is gone from lists and answers 404.
    ///
    /// # Errors
    /// When the change cannot be kept in the state folder.
    pub fn vanish(&self, case: u64) -> io::Result<()> {
        self.shared.desk.vanish(case)
    }

    /// It is gone from lists and answers 404.
    ///
    /// # Errors
    /// When the change cannot be kept in the state folder.
    pub fn erase(&self, thing: Thing) -> io::Result<()> {
        self.shared.desk.erase(thing)
    }

    /// It is there again.
    ///
    /// # Errors
    /// When the change cannot be kept in the state folder.
    pub fn restore(&self, thing: Thing) -> io::Result<()> {
        self.shared.desk.restore(thing)
    }

    /// It has another name, or title, from now on.
    ///
    /// # Errors
    /// When the change cannot be kept in the state folder.
    pub fn rename(&self, thing: Thing, name: &str) -> io::Result<()> {
        self.shared.desk.rename(thing, name)
    }

    /// A custom field that somebody made.
    ///
    /// # Errors
    /// When the change cannot be kept in the state folder.
    pub fn add_field(&self, field: FieldDefinition) -> io::Result<()> {
        self.shared.desk.add_field(field)
    }

    /// A new message, which moves its case to where its time belongs.
    ///
    /// # Errors
    /// When the change cannot be kept in the state folder.
    pub fn add_post(&self, case: u64, message: Message) -> io::Result<()> {
        self.shared.desk.add(case, message)
    }

    /// Lets requests in flight finish and ends.
    pub async fn stop(self) {
        self.server.stop().await;
    }
}

#[cfg(test)]
mod tests;
