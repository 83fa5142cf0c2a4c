//! A local Kayako Classic (REST interface of versions 3 and 4) on loopback: the read side that a migration needs, filled
//! from a [`World`].
//!
//! Written from the Kayako reference, section 19, and from nothing that the connector contains. What it answers below
//! `/api/index.php?e=`: `/Core/TestAPI`, departments, staff and its groups, users by marker with their groups, organisations, statuses, priorities, types, custom
//! fields with options, the list of tickets, single tickets with posts and notes, their custom values, their files with and without bytes, categories and
//! articles of the knowledge base with their files.
//!
//! Its oddities are the real one's: signed calls, XML, times in seconds, one department in place of a list of one, bytes in base64, tickets listed
//! by department only, nothing of what was merged or thrown away.
//!
//! ```
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! use deskferry_rehearsal::kayako_classic::{Classic, ClassicOptions};
//! use deskferry_rehearsal::world::{Content, WorldSpec};
//!
//! let mut options = ClassicOptions::default();
//! options.content = Content::Made(WorldSpec::new(1, 60));
//! let classic = Classic::start(options).await?;
//! assert!(classic.url().starts_with("http://127.0.0.1:"));
//! classic.stop().await;
//! # Ok::<(), std::io::Error>(()) }).unwrap();
//! ```
//!
//! Beside the faults of [`fault`](crate::fault), these are known by name: `tear:<tag>` (the first `</tag>` of an answer is left out; key: the call, such as
//! `/Tickets/Ticket/12/`), `drop:<tag>` (the first element of that name is left out; the same key).

mod desk;
pub(crate) mod held;
mod least;
mod render;
mod routes;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use chrono::Utc;

use self::desk::Desk;
pub use self::least::LeastRequests;
use crate::fault::Faults;
use crate::serve::{Requests, ServeOptions, Server};
use crate::world::{Content, Message, World, WorldSpec};

/// How the helpdesk writes days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DayOrder {
    /// `05/24/2011`.
    #[default]
    MonthFirst,
    /// `24/05/2011`.
    DayFirst,
}

/// How the helpdesk is set up.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClassicOptions {
    /// Keeps its content and later changes there; a start on a used folder takes both from it.
    pub folder: Option<PathBuf>,
    /// What it holds. Default: the default world.
    pub content: Content,
    /// The key. Default: `rehearsal-key`.
    pub api_key: String,
    /// The secret that signs. Default: `rehearsal-secret`.
    pub secret_key: String,
    /// Warnings of PHP stand before each answer.
    pub warnings: bool,
    /// The clock is so far off (behind where `true`), and no signature is good therefore.
    pub clock_off: Option<(Duration, bool)>,
    /// Departments that the key may not see: a list of tickets that names one is refused.
    pub hidden_departments: Vec<u64>,
    /// The place at which a page of tickets begins is a ticket's number, not a count.
    pub start_is_number: bool,
    /// Lists of tickets come by number, whatever order is asked for.
    pub ignores_order: bool,
    /// How days are written in custom fields.
    pub days: DayOrder,
    /// How it listens; its faults are the helpdesk's.
    pub serve: ServeOptions,
}

impl Default for ClassicOptions {
    fn default() -> Self {
        Self {
            folder: None,
            content: Content::Made(WorldSpec::default()),
            api_key: "rehearsal-key".to_owned(),
            secret_key: "rehearsal-secret".to_owned(),
            warnings: false,
            clock_off: None,
            hidden_departments: Vec::new(),
            start_is_number: false,
            ignores_order: false,
            days: DayOrder::default(),
            serve: ServeOptions::default(),
        }
    }
}

/// What all requests share.
struct Shared {
    options: ClassicOptions,
    desk: Desk,
    faults: Faults,
}

/// A running helpdesk.
pub struct Classic {
    server: Server,
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Classic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Classic")
            .field("url", &self.url())
            .finish_non_exhaustive()
    }
}

impl Classic {
    /// Starts on loopback.
    ///
    /// # Errors
    /// When the folder cannot be read or written or is of another format, the mails cannot be read, or a port is taken.
    pub async fn start(options: ClassicOptions) -> io::Result<Self> {
        let opened = options.clone();
        let desk = tokio::task::spawn_blocking(move || Desk::open(&opened))
            .await
            .map_err(io::Error::other)??;
        let serve = options.serve.clone();
        let shared = Arc::new(Shared {
            faults: serve.faults.clone(),
            options,
            desk,
        });
        let router = Router::new()
            .fallback(routes::answer)
            .with_state(Arc::clone(&shared));
        let server = Server::start(router, serve).await?;
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
    pub fn least_requests(&self) -> LeastRequests {
        least::count(&self.shared.desk)
    }

    /// The ticket was active now.
    ///
    /// # Errors
    /// When the change cannot be kept in the state folder.
    pub fn touch(&self, ticket: u64) -> io::Result<()> {
        self.shared.desk.touch(ticket, Utc::now())
    }

    /// The ticket is gone.
    ///
    /// # Errors
    /// When the change cannot be kept in the state folder.
    pub fn delete(&self, ticket: u64) -> io::Result<()> {
        self.shared.desk.delete(ticket)
    }

    /// A new post or note, which makes its ticket active at its time.
    ///
    /// # Errors
    /// When the change cannot be kept in the state folder.
    pub fn add(&self, ticket: u64, message: Message) -> io::Result<()> {
        self.shared.desk.add(ticket, message)
    }

    /// Lets requests in flight finish and ends.
    pub async fn stop(self) {
        self.server.stop().await;
    }
}

#[cfg(test)]
mod tests;
