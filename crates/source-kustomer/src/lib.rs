//! Kustomer (REST API v1) as a [Deskferry](deskferry_core) source.
//!
//! [`Kustomer`] reads a whole org with one API key: companies, customers, users, teams, tags, definitions of custom attributes,
//! conversations with their messages, notes and files. It only reads.
//!
//! | | |
//! |---|---|
//! | account | an API key; [`check`] compares its roles with what is read, and names those that are missing by both of their names |
//! | kinds | field definitions, teams, agents, tags, accounts, contacts, conversations, messages, attachments, custom objects and their records, categories, articles, inventory |
//! | custom objects | klasses in use and not; relations by attributes with a target: lookups, and many-to-many where it holds several |
//! | age | everything: what did not change for two years is found by the archive search |
//! | customers | the verified address first, shared ones last; the sort of person by a custom attribute of your choice |
//! | users | active, deactivated, invited and machine users; whom no list has is looked up once, or becomes `Unknown user <id>` |
//! | conversations | sub-status by its label; further assignees and teams; satisfaction, times and SLA as figures; the first channel |
//! | messages | all channels, unknown ones by their word; who wrote, which way, calls with their length; a redacted one by a marker |
//! | mail | sender, recipients, Message-ID, In-Reply-To; text and HTML from the record behind it, by choice ([`MailBodies`]) |
//! | custom values | typed by definition, else by the suffix of their name; steps of a tree by their labels |
//! | files | by links that are asked for when they are used, and again when they died; streamed; without the key |
//! | deleted, spam | each by choice: `include`, or `skip` by name and reason ([`Take`]) |
//! | moving lists | no page is counted from the front: see *The walk* |
//! | bad rows | rejected one by one, with JSON path, reason and the row itself |
//! | limits | what the answers tell, but for a share that is left to people; and searches a minute |
//! | changes only | companies, customers, conversations from a watermark, with what was said in those that changed |
//! | notes | of conversations; one that stands on a customer alone is rejected by name as `note-on-customer`, as far as search shows it |
//! | help centre | categories, articles with their text in each language, and the pictures that it shows; a text that was never published is the last of its versions. Earlier versions of published texts are not read |
//! | inventory | queues, rules, SLAs, hours, workflows, shortcuts, searches, channels, forms, brands, hooks, odd attributes, validations; without credentials. Business rules cannot be read |
//! | merges, deletes | customers who were merged are named as `merged`, with whom into; deleted ones as `deleted`; changes bring both |
//! | exports | a folder of tables (`.csv`) and archived events (`.jsonl`, `.gz`), for what the API shows no more; encodings are checked. Files of what stands there alone are not fetched |
//! | coverage | what no channel covers, per kind and period, as items of the inventory; `discover` shows them |
//! | not read | drafts of messages, forwards, events (but archived ones), audit log, sessions |
//!
//! [`check`]: deskferry_core::Source::check
//!
//! # Example
//!
//! Reads a local Kustomer; a real one differs in address and key only.
//!
//! ```
//! use std::sync::Arc;
//!
//! use deskferry_core::source::Scope;
//! use deskferry_core::{Context, Record, Source as _, SourceExt as _};
//! use deskferry_rehearsal::kustomer::{Content, Kustomer as Desk, KustomerOptions};
//! use deskferry_rehearsal::world::WorldSpec;
//! use deskferry_source_kustomer::{Kustomer, KustomerConfig};
//! use futures::TryStreamExt as _;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut options = KustomerOptions::default();
//! options.content = Content::Made(WorldSpec::new(1, 20));
//! let desk = Desk::start(options).await?;
//!
//! let config = KustomerConfig::builder(desk.url(), "rehearsal-key")
//!     .requests_per_minute(100_000)
//!     .searches_per_minute(100_000)
//!     .build()?;
//! let kustomer = Arc::new(Kustomer::new(config)?);
//!
//! let cx = Context::new();
//! assert!(kustomer.check(&cx).await?.warnings.is_empty());
//! let mut todo = kustomer.shards(&cx, &Scope::default()).await?;
//! let (mut conversations, mut messages) = (0, 0);
//! while let Some(shard) = todo.pop() {
//!     let mut pages = kustomer.pages(&cx, shard, None);
//!     while let Some(page) = pages.try_next().await? {
//!         for record in &page.records {
//!             match record {
//!                 Record::Conversation(_) => conversations += 1,
//!                 Record::Message(_) => messages += 1,
//!                 _ => {}
//!             }
//!         }
//!         // What was said in conversations is read by parts of their own.
//!         todo.extend(page.spawn);
//!     }
//! }
//! assert!(conversations == 20 && messages > 20);
//! # desk.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! # The walk
//!
//! Companies, customers and conversations are searched in the order of their last change, the archive first. Each page is the
//! first one of a new search from the last moment of the page before: rows that change while they are read move to the end, where
//! the last search, open to the future, finds them, and push no other out of sight; no search comes near the ten-thousandth hit,
//! beyond which none shows anything. Rows of the moment where two pages meet come twice, one in five hundred. A moment that
//! fills a page (bulk edits) is walked by time of making. What no search can show (more than ten thousand rows of one moment of change and of
//! making) is said as `incomplete`. A search that ran out of time is asked again; one that forgets its order is read in small windows.
//!
//! # Decisions
//!
//! * What was said in conversations that changed lately is searched for, for up to a thousand messages at once, where that takes less time
//!   under both limits than a list of each ([`MessageReads`]). The search knows neither files nor what is old, and is not documented to heed the
//!   conversations' times exactly: so each conversation is counted against what it says that it holds, and what has files or does not add up is
//!   read by itself: one request for a hundred messages with their files, one for a hundred notes, none where it says that it has none.
//! * What exports say counts less than what the API says, whatever revision they bear: the API is asked later.
//! * Merges are in no list: of each customer who is gone it is asked whom they were merged into.
//! * The HTML of a mail, and its text beyond the preview, stand only in the record behind it, whose shape is not documented: whatever likely member
//!   is a text is taken. Where it cannot be had, the preview is kept and `body_incomplete` says so; after twenty in a row it is no longer asked for.
//! * An incoming message names no author: it is the conversation's customer, whoever's address the mail bears.
//! * What went out without a user, or automatically, is the platform's own (`system`).
//! * A conversation that is linked to one other and is no merge target was merged into that one: which way a merge went is not said otherwise.
//! * `done` is resolved, since a message opens it again; its time of closing is that of the last `done`.
//! * Conversations have no number that customers see: their id stands for it.
//! * Names of orgs change; keys name the org by its id.

mod client;
mod config;
mod convert;
mod exports;
mod inventory;
mod settings;
mod source;
mod wire;

pub use config::{KustomerConfig, KustomerConfigBuilder, MailBodies, MessageReads, Take};
pub use settings::SETTINGS;
pub use source::Kustomer;

/// The platform's name, as in keys.
const PLATFORM: &str = "kustomer";
