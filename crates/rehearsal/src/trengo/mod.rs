//! A local Trengo (REST API v2) on loopback: the read side that a migration needs, filled from a [`World`].
//!
//! Written from the Trengo reference, sections 1 to 5, and from nothing that the connector contains. What it answers below
//! `/api/v2`: `/users`, `/teams`, `/channels`, `/labels`, `/custom_fields`, `/ticket_results`, `/contact_groups`, `/profiles`
//! and `/contacts` with single ones, `/tickets` (with `status`, `channels[]` and `updated_at_gt`), single tickets, their messages, single messages and
//! mails in full, `/ticket_aggregates`, `/help_center` with categories, articles and blocks, `/quick_replies`, `/webhooks`, `/wa_templates`, `/reporting/details/ticket` by keyset,
//! `/reporting/agent_performance` and `/reporting/metrics`; and bytes below `/media`. What people export by hand ([`Trengo::survey`]) and what webhooks would
//! have told ([`Trengo::archive`]) is had from the stand-in itself.
//!
//! Its oddities are the real one's: times are Amsterdam's wall clock, two envelopes and none, messages newest first and 20 at a time,
//! filters that it does not know change nothing, a limit with headers, a token that sees its own channels only, merged
//! tickets that are gone.
//!
//! ```
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! use deskferry_rehearsal::world::Content;
//! use deskferry_rehearsal::trengo::{Trengo, TrengoOptions};
//! use deskferry_rehearsal::world::WorldSpec;
//!
//! let mut options = TrengoOptions::default();
//! options.content = Content::Made(WorldSpec::new(1, 60));
//! let trengo = Trengo::start(options).await?;
//! assert!(trengo.url().starts_with("http://127.0.0.1:"));
//! trengo.stop().await;
//! # Ok::<(), std::io::Error>(()) }).unwrap();
//! ```
//!
//! Beside the faults of [`fault`](crate::fault), these are known by name: `repeat-page` (a page is answered twice; key: path and page),
//! `null:<JSON pointer>` and `set:<JSON pointer>=<text>` (an item of an answer is changed; key: path, a space, `id:12;`), `drop` (an item is left
//! out; the same key).

mod answer;
mod clock;
mod desk;
pub(crate) mod held;
mod hooks;
mod knowledge;
mod least;
mod people;
mod reports;
mod routes;
mod setup;
mod tickets;

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use axum::Router;
use chrono::{DateTime, Utc};

use self::desk::Desk;
use self::hooks::Hooks;
pub use self::least::{LeastOptions, LeastRequests};
pub use crate::clock::Clock;
use crate::fault::Faults;
use crate::serve::{Requests, ServeOptions, Server};
use crate::world::Content;
use crate::world::{Message, World};

/// A limit of requests a window, told by headers with every answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// How many requests each window allows.
    pub requests: u32,
    /// How long a window is; a minute on the real platform.
    pub window: Duration,
    /// Whether the refusal says when to come back.
    pub retry_after: bool,
    /// Whether the refusal is a page of HTML.
    pub html: bool,
}

impl RateLimit {
    /// So many requests a minute, refused as documented.
    pub fn per_minute(requests: u32) -> Self {
        Self {
            requests,
            window: Duration::from_secs(60),
            retry_after: true,
            html: false,
        }
    }
}

/// How the workspace is set up.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TrengoOptions {
    /// Keeps its content and later changes there; a start on a used folder takes both from it.
    pub folder: Option<PathBuf>,
    /// What it holds. Default: the default world.
    pub content: Content,
    /// The number of the workspace, which every user carries; none leaves it out. Default: 4711.
    pub agency: Option<u64>,
    /// The token. Default: one in the shape of the real ones, whose user is the first member of staff.
    pub token: String,
    /// Channels that the token's user does not see, by number.
    pub hidden_channels: Vec<u64>,
    /// A limit of requests. Default: none is kept, but a high one is told.
    pub rate_limit: Option<RateLimit>,
    /// Whether the list of profiles leaves out their contacts.
    pub sparse_profiles: bool,
    /// Whether the reporting interface is there.
    pub reporting: bool,
    /// Filters of tickets that change nothing, such as `updated_at_gt`.
    pub ignored_filters: Vec<String>,
    /// The clock of limits and answers. Default: the machine's.
    pub clock: Clock,
    /// How it listens; its faults are the workspace's.
    pub serve: ServeOptions,
}

/// The default token: a header, the claims of user 1, and no signature worth the name.
pub const TOKEN: &str = "eyJ0eXAiOiJKV1QifQ.eyJzdWIiOiIxIn0.cmVoZWFyc2Fs";

impl Default for TrengoOptions {
    fn default() -> Self {
        Self {
            folder: None,
            content: Content::Made(crate::world::WorldSpec::default()),
            agency: Some(4_711),
            token: TOKEN.to_owned(),
            hidden_channels: Vec::new(),
            rate_limit: None,
            sparse_profiles: false,
            reporting: true,
            ignored_filters: Vec::new(),
            clock: Clock::default(),
            serve: ServeOptions::default(),
        }
    }
}

/// What all requests share.
struct Shared {
    options: TrengoOptions,
    token: RwLock<String>,
    desk: Desk,
    faults: Faults,
    window: Mutex<Option<(DateTime<Utc>, u32)>>,
    hooks: Hooks,
    plain: OnceLock<String>,
}

/// What the limit says to a request.
struct Counted {
    limit: u32,
    remaining: u32,
    /// Until the window ends, if this request is one too many.
    refused: Option<Duration>,
}

impl Shared {
    fn base(&self) -> &str {
        self.plain.get().map_or("", String::as_str)
    }

    fn now(&self) -> DateTime<Utc> {
        self.options.clock.now()
    }

    fn count(&self) -> Counted {
        let limit = self
            .options
            .rate_limit
            .unwrap_or(RateLimit::per_minute(1_000_000));
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.now();
        let since = |begun: DateTime<Utc>| (now - begun).to_std().unwrap_or_default();
        let (begun, used) = match *window {
            Some((begun, used)) if since(begun) < limit.window => (begun, used),
            _ => (now, 0),
        };
        let over = used >= limit.requests;
        let used = if over { used } else { used + 1 };
        *window = Some((begun, used));
        Counted {
            limit: limit.requests,
            remaining: limit.requests - used,
            refused: over.then(|| limit.window.saturating_sub(since(begun))),
        }
    }
}

/// A running workspace.
pub struct Trengo {
    server: Server,
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Trengo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trengo")
            .field("url", &self.url())
            .finish_non_exhaustive()
    }
}

impl Trengo {
    /// Starts on loopback.
    ///
    /// # Errors
    /// When the folder cannot be read or written or is of another format, the mails cannot be read, or a port is taken.
    pub async fn start(options: TrengoOptions) -> io::Result<Self> {
        let opened = options.clone();
        let desk = tokio::task::spawn_blocking(move || Desk::open(&opened))
            .await
            .map_err(io::Error::other)??;
        let serve = options.serve.clone();
        let shared = Arc::new(Shared {
            faults: serve.faults.clone(),
            token: RwLock::new(options.token.clone()),
            options,
            desk,
            window: Mutex::default(),
            hooks: Hooks::default(),
            plain: OnceLock::new(),
        });
        let router = Router::new()
            .fallback(routes::answer)
            .with_state(Arc::clone(&shared));
        let server = Server::start(router, serve).await?;
        // Nobody can have asked before the address is known.
        let _first = shared.plain.set(server.url());
        Ok(Self { server, shared })
    }

    /// `http://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// The listener itself: its log.
    pub fn server(&self) -> &Server {
        &self.server
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
        least::count(&self.shared.desk, options)
    }

    /// The token is good no longer; another one is.
    pub fn replace_token(&self, token: &str) {
        let mut kept = self
            .shared
            .token
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        token.clone_into(&mut kept);
    }

    /// The ticket was changed now: it moves to the top of the list.
    ///
    /// # Errors
    /// When the change cannot be kept in the state folder.
    pub fn touch(&self, ticket: u64) -> io::Result<()> {
        let now = self.shared.now();
        self.shared.desk.touch(ticket, now)?;
        let label = [
            ("ticket_id", ticket.to_string()),
            ("label_name", "Seen".to_owned()),
        ];
        self.shared.hooks.tell(now, &label);
        Ok(())
    }

    /// The ticket is gone from lists and answers 404.
    ///
    /// # Errors
    /// When the change cannot be kept in the state folder.
    pub fn delete(&self, ticket: u64) -> io::Result<()> {
        self.shared.desk.delete(ticket)
    }

    /// The messages of a ticket stand in another one from now on, and it is gone.
    ///
    /// # Errors
    /// When the change cannot be kept in the state folder.
    pub fn merge(&self, ticket: u64, into: u64) -> io::Result<()> {
        let now = self.shared.now();
        self.shared.desk.merge(ticket, into, now)?;
        let merged = [
            ("ticket_id", into.to_string()),
            ("merged_and_deleted_ticket_id", ticket.to_string()),
        ];
        self.shared.hooks.tell(now, &merged);
        Ok(())
    }

    /// A new message, which moves its ticket to where its time belongs.
    ///
    /// # Errors
    /// When the change cannot be kept in the state folder.
    pub fn add_message(&self, ticket: u64, message: Message) -> io::Result<()> {
        let told = [
            ("ticket_id", ticket.to_string()),
            ("message_id", message.id.to_string()),
            ("message", message.text.clone().unwrap_or_default()),
        ];
        self.shared.desk.add(ticket, message)?;
        self.shared.hooks.tell(self.shared.now(), &told);
        Ok(())
    }

    /// The table of survey answers that people export from Trengo: no interface shows them.
    pub fn survey(&self) -> String {
        reports::survey(&self.shared.desk)
    }

    /// What webhooks have told since the start, one delivery a line: its signature and its body. Deletions are told by none.
    pub fn archive(&self) -> String {
        self.shared.hooks.archive()
    }

    /// Lets requests in flight finish and ends.
    pub async fn stop(self) {
        self.server.stop().await;
    }
}

#[cfg(test)]
mod tests;
