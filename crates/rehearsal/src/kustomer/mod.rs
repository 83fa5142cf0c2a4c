//! A local Kustomer (REST API v1) on loopback: the read side that a migration needs, filled from a [`World`].
//!
//! Written from the Kustomer reference, sections 1 to 3, and from nothing that the connector contains. What it answers:
//! `/v1/orgs/current`, `/v1/auth/tokens/current`, users (active, deleted), teams, tags, sub-statuses, metadata of custom attributes,
//! configuration, the knowledge base, klasses with their records (where the world has custom objects), page lists of customers, companies, conversations, messages and notes and single ones of the first three, messages,
//! notes and attachments of a conversation, single attachments, the record behind a mail (`/v1/postmark/messages/{id}`), and
//! `POST /v1/customers/search` and `/archive/search` with their caps. Links to bytes are signed, live for ten minutes and
//! refuse credentials.
//!
//! What a world holds and Kustomer cannot is taken out beforehand: see the list in `view.rs`.
//!
//! ```
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! use deskferry_rehearsal::kustomer::{Content, Kustomer, KustomerOptions};
//! use deskferry_rehearsal::world::WorldSpec;
//!
//! let mut options = KustomerOptions::default();
//! options.content = Content::Made(WorldSpec::new(1, 60));
//! let kustomer = Kustomer::start(options).await?;
//! assert!(kustomer.url().starts_with("http://127.0.0.1:"));
//! kustomer.stop().await;
//! # Ok::<(), std::io::Error>(()) }).unwrap();
//! ```
//!
//! Beside the faults of [`fault`](crate::fault), these are known by name: `timed-out` (half the hits of a search; key: the
//! context), `unsorted` (a search forgets its order; key: the context), `standing-still` (a page leads to itself; key: the path),
//! `not-joined` (a search for messages or notes does not heed what is asked of their conversations; key: the context),
//! `unlisted` (a klass is in no list; key: its name), `klass-gone` (no search knows a klass; key: the context); `null:<JSON pointer>`,
//! `set:<JSON pointer>=<text>` and `drop` (an item of an answer is changed or left out; key: path, a space, `type:id;`).

mod aside;
mod desk;
mod fields;
mod ids;
mod klasses;
mod least;
mod render;
mod roles;
mod routes;
mod search;
mod view;

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use axum::Router;
use chrono::{DateTime, TimeDelta, Utc};

pub use self::desk::Context;
use self::desk::Desk;
pub(crate) use self::fields::attribute;
use self::ids::Of;
pub use self::least::LeastRequests;
pub(crate) use self::view::{
    AGREED, conversation as seen_conversation, first_answer, lists as seen_lists,
};
pub use crate::clock::Clock;
use crate::fault::Faults;
use crate::serve::{Requests, ServeOptions, Server};
pub use crate::world::Content;
use crate::world::World;

/// The id of one of a world's things, by its kind as it stands in keys.
pub(crate) fn id_of(kind: &str, number: u64) -> String {
    let of = match kind {
        "contact" => Of::Customer,
        "account" => Of::Company,
        "agent" => Of::User,
        "team" => Of::Team,
        "tag" => Of::Tag,
        "conversation" => Of::Conversation,
        "attachment" => Of::Attachment,
        "article" => Of::Article,
        "category" => Of::Category,
        _ => Of::Message,
    };
    ids::id(of, number)
}

/// The limits of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests of a window, of all kinds together.
    pub requests: u32,
    /// Searches of a window.
    pub searches: u32,
    /// How long a window is; a minute on the real platform.
    pub window: Duration,
}

/// How the helpdesk is set up.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct KustomerOptions {
    /// Keeps its content and later changes there; a start on a used folder takes both from it.
    pub folder: Option<PathBuf>,
    /// What it holds. Default: the default world.
    pub content: Content,
    /// The org's name. Default: `acme`.
    pub org: String,
    /// The API key. Default: `rehearsal-key`.
    pub key: String,
    /// Whether that key has expired.
    pub key_expired: bool,
    /// The key's roles. Default: `org.user`, which covers everything that is read.
    pub roles: Vec<String>,
    /// The limits. Default: none, and no headers that tell of any.
    pub rate_limit: Option<RateLimit>,
    /// The clock of limits and links. Default: the machine's.
    pub clock: Clock,
    /// What the search takes for now: what changed more than two years before is found in the archive alone. Default:
    /// the middle of 2024, so that a made world lies on both sides.
    pub now: DateTime<Utc>,
    /// Whether the archive holds young things too.
    pub archive_holds_all: bool,
    /// The last hit of a search that can be seen. Default: 10,000.
    pub most_hits: u64,
    /// How it listens; its faults are the helpdesk's.
    pub serve: ServeOptions,
}

impl Default for KustomerOptions {
    fn default() -> Self {
        Self {
            folder: None,
            content: Content::Made(crate::world::WorldSpec::default()),
            org: "acme".to_owned(),
            key: "rehearsal-key".to_owned(),
            key_expired: false,
            roles: vec!["org.user".to_owned()],
            rate_limit: None,
            clock: Clock::default(),
            now: DateTime::from_timestamp(1_709_280_000, 0).unwrap_or_default(),
            archive_holds_all: false,
            most_hits: 10_000,
            serve: ServeOptions::default(),
        }
    }
}

impl KustomerOptions {
    fn horizon(&self) -> DateTime<Utc> {
        self.now - TimeDelta::days(730)
    }
}

/// What is left of a window.
struct Left {
    limit: u32,
    remaining: u32,
    reset: DateTime<Utc>,
}

#[derive(Default)]
struct Window {
    ends: Option<DateTime<Utc>>,
    requests: u32,
    searches: u32,
}

/// What all requests share.
struct Shared {
    options: KustomerOptions,
    desk: Desk,
    faults: Faults,
    window: Mutex<Window>,
    /// Links signed with an earlier number are dead.
    links: AtomicU64,
    url: OnceLock<String>,
}

impl Shared {
    fn now(&self) -> DateTime<Utc> {
        self.options.clock.now()
    }

    fn links(&self) -> u64 {
        self.links.load(Ordering::Relaxed)
    }

    /// Counts a request: what is left of the window, or that it is one too many.
    fn count(&self, is_search: bool) -> Result<Option<Left>, Left> {
        let Some(limit) = self.options.rate_limit else {
            return Ok(None);
        };
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.now();
        let ends = match window.ends {
            Some(ends) if now < ends => ends,
            _ => {
                let ends = now + TimeDelta::from_std(limit.window).unwrap_or_default();
                *window = Window {
                    ends: Some(ends),
                    ..Window::default()
                };
                ends
            }
        };
        let over =
            window.requests >= limit.requests || (is_search && window.searches >= limit.searches);
        if !over {
            window.requests += 1;
            window.searches += u32::from(is_search);
        }
        let left = Left {
            limit: limit.requests,
            remaining: limit.requests - window.requests,
            reset: ends,
        };
        if over { Err(left) } else { Ok(Some(left)) }
    }
}

/// A running helpdesk.
pub struct Kustomer {
    server: Server,
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Kustomer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kustomer")
            .field("url", &self.url())
            .finish_non_exhaustive()
    }
}

impl Kustomer {
    /// Starts on loopback.
    ///
    /// # Errors
    /// When the folder cannot be read or written or is of another format, or a port is taken.
    pub async fn start(options: KustomerOptions) -> io::Result<Self> {
        let opened = options.clone();
        let desk = tokio::task::spawn_blocking(move || Desk::open(&opened))
            .await
            .map_err(io::Error::other)??;
        let serve = options.serve.clone();
        let shared = Arc::new(Shared {
            faults: serve.faults.clone(),
            options,
            desk,
            window: Mutex::default(),
            links: AtomicU64::new(1),
            url: OnceLock::new(),
        });
        let router = Router::new()
            .fallback(routes::answer)
            .with_state(Arc::clone(&shared));
        let server = Server::start(router, serve).await?;
        // Nobody can have asked before the address is known.
        let _first = shared.url.set(server.url());
        Ok(Self { server, shared })
    }

    /// `http://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// The listener itself, and its log.
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

    /// How many things of a context there are, deleted ones too.
    pub fn count(&self, context: Context) -> u64 {
        self.shared.desk.entries(context, |all| all.len() as u64)
    }

    /// The world's numbers of the things of a context, in the order of their last change.
    pub fn numbers(&self, context: Context) -> Vec<u64> {
        let desk = &self.shared.desk;
        desk.entries(context, |all| {
            all.iter().map(|entry| entry.number).collect()
        })
    }

    /// The org's own id.
    pub fn org_id() -> String {
        ids::id(Of::Org, 1)
    }

    /// The least possible number of requests for a full read, conversation by conversation.
    pub fn least_requests(&self) -> LeastRequests {
        least::count(&self.shared.desk, &self.shared.options, false)
    }

    /// The same where what was said is searched for, for many conversations at once, as far as a search knows it.
    pub fn least_requests_by_search(&self) -> LeastRequests {
        least::count(&self.shared.desk, &self.shared.options, true)
    }

    /// Gives things a new time of their last change, as a bulk edit does.
    ///
    /// # Errors
    /// When the change cannot be kept in the state folder.
    pub fn stamp(&self, context: Context, numbers: &[u64], at: DateTime<Utc>) -> io::Result<()> {
        self.shared
            .desk
            .stamp(context, numbers, at.timestamp_millis())
    }

    /// The conversation is deleted: single reads answer 404, and only a search that asks for deleted ones shows it.
    ///
    /// # Errors
    /// When the change cannot be kept in the state folder.
    pub fn delete(&self, conversation: u64, at: DateTime<Utc>) -> io::Result<()> {
        self.shared.desk.delete(conversation, at.timestamp_millis())
    }

    /// The customer is deleted; likewise.
    ///
    /// # Errors
    /// When the change cannot be kept in the state folder.
    pub fn delete_customer(&self, customer: u64, at: DateTime<Utc>) -> io::Result<()> {
        let desk = &self.shared.desk;
        desk.delete_customer(customer, None, at.timestamp_millis())
    }

    /// The customer is merged into another, who has their conversations from now on; they themselves are deleted.
    ///
    /// # Errors
    /// When the change cannot be kept in the state folder.
    pub fn merge_customers(&self, customer: u64, into: u64, at: DateTime<Utc>) -> io::Result<()> {
        let desk = &self.shared.desk;
        desk.delete_customer(customer, Some(into), at.timestamp_millis())
    }

    /// Every link to bytes that was given so far is dead.
    pub fn expire_links(&self) {
        self.shared.links.fetch_add(1, Ordering::Relaxed);
    }

    /// Lets requests in flight finish and ends.
    pub async fn stop(self) {
        self.server.stop().await;
    }
}

#[cfg(test)]
mod tests;
