//! Trengo (REST API v2) as a [Deskferry](deskferry_core) source.
//!
//! [`Trengo`] reads a whole workspace with one personal access token: users, teams, labels, definitions of custom fields, contacts and
//! profiles, tickets with their messages, mails in full, files and recordings. It only reads.
//!
//! | | |
//! |---|---|
//! | account | a personal access token of an administrator who is in every team and channel; others see only a part, which [`check`] says beforehand where the token tells whose it is, and the read by the tickets of each channel |
//! | token | shown to Trengo until it is refused, and then never again: the read ends, and `resume` goes on with a new one |
//! | kinds | field definitions, teams, agents, tags, accounts (where profiles are companies), contacts, conversations, messages, attachments |
//! | custom values | by the number of their field, since titles repeat; typed by its definition, as text where that fails |
//! | people | a contact per address and channel; those of one profile are one person, or people of one company, by choice ([`Profiles`]) |
//! | messages | in, out, notes (always internal); what went out without a user came from a bot. Audits and lines of the system by choice ([`Take`]) |
//! | mail | heads and both bodies of mails that lists show shortened, for a request more each; no threading headers are known |
//! | calls | their length, and the recording as a file |
//! | files | streamed, from the start; a fresh address once where one has expired; inline images that Trengo keeps, once per ticket |
//! | spam | by choice: `include`, or `skip` by name and reason |
//! | figures | count of messages, first answer of an agent: computed from the messages |
//! | times | Amsterdam's wall clock with summer time, also the hour that exists twice; another zone by choice |
//! | links | never followed: pages are asked for by number at the configured host; the token goes nowhere else |
//! | moving lists | newest activity first, a page again where a ticket of it was gone, what changed meanwhile, and the ids of the reporting interface in the end |
//! | bad rows | rejected one by one, with place, reason and the row itself, without its secrets |
//! | limit | as the answers tell it, 120 requests a minute to begin with; a share of it can be left to others |
//! | beforehand | requests and time that a read takes, by measuring the lists and drawing some tickets; while it goes on, what is still to come |
//! | satisfaction | from the table of answers that people export: no interface shows them |
//! | reports | figures of agents and of the workspace month by month; by choice those of each ticket as a table beside the cases |
//! | help centres | categories, sections and articles in all languages |
//! | inventory | channels, routing, quick replies, webhooks, templates, results, blocks; rules by the names that audits show |
//! | changes only | tickets, from a watermark, or those that an archive of signed webhooks names; people and setup are read whole. By choice, which tickets are gone |
//! | not read | boards; nothing shows the definitions of rules, flows, AI, business hours, surveys and team chat |
//!
//! [`check`]: deskferry_core::Source::check
//!
//! # Example
//!
//! Reads a local Trengo; a real one differs in address and token only. A [`SourceExt::pages`] stream is the simplest reader; a migration keeps
//! what was read and answers [`Context::seen`] from it.
//!
//! [`SourceExt::pages`]: deskferry_core::SourceExt::pages
//! [`Context::seen`]: deskferry_core::Context::seen
//!
//! ```
//! use std::sync::Arc;
//!
//! use deskferry_core::source::Scope;
//! use deskferry_core::{Context, Record, Source as _, SourceExt as _};
//! use deskferry_rehearsal::trengo::{TOKEN, Trengo as Desk, TrengoOptions};
//! use deskferry_rehearsal::world::{Content, WorldSpec};
//! use deskferry_source_trengo::{Trengo, TrengoConfig};
//! use futures::TryStreamExt as _;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut options = TrengoOptions::default();
//! options.content = Content::Made(WorldSpec::new(1, 20));
//! let desk = Desk::start(options).await?;
//!
//! let config = TrengoConfig::builder(TOKEN).url(desk.url()).build()?;
//! let trengo = Arc::new(Trengo::new(config)?);
//!
//! let cx = Context::new();
//! let ready = trengo.check(&cx).await?;
//! assert_eq!(ready.tenant.id, "4711");
//! assert!(ready.warnings.is_empty());
//!
//! let (mut conversations, mut messages) = (0, 0);
//! for shard in trengo.shards(&cx, &Scope::default()).await? {
//!     let mut pages = trengo.pages(&cx, shard, None);
//!     while let Some(page) = pages.try_next().await? {
//!         for record in &page.records {
//!             match record {
//!                 Record::Conversation(_) => conversations += 1,
//!                 Record::Message(_) => messages += 1,
//!                 _ => {}
//!             }
//!         }
//!     }
//! }
//! assert!(conversations > 10 && messages > conversations);
//! # desk.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Shards
//!
//! | shard | brings | cursor |
//! |---|---|---|
//! | `setup` | field definitions, teams, agents, tags | none: one page |
//! | `people` | accounts, contacts; needs the definitions | list, page, and what the page before is known by |
//! | `tickets` | conversations, messages, attachments, and people whom only they name; needs all of the above | step and page, and what is left of the page that was listed last: at most 25 rows |
//! | `knowledge` | categories, articles, their images | help centre, language, page |
//! | `inventory` | inventory items | none: one page |
//! | `reports` | agent statistics, metrics as inventory items | month |
//!
//! Tickets are read with their messages before they become records, since what is counted and computed of the messages belongs into the
//! first record. Eight are read between two commits, some of them side by side; more shards would not help against the limit.
//!
//! # Requests
//!
//! | what | requests |
//! |---|---|
//! | users, teams, channels, labels, custom fields, results | a page each, once per process |
//! | profiles, contacts, tickets | 25 a page; a profile or a contact alone only where the list is too poor or details were asked for |
//! | messages | 20 a page, at least one per ticket |
//! | the ticket alone | only where a list leaves something out: why it was closed, a value under a title that several fields have, a user who is gone |
//! | mails in full | only those that lists show shortened |
//! | spam, other states, changes | a page each, more only where they bring something |
//! | completeness | the ids of all tickets, as many a page as Trengo gives |
//! | figures | two for each month |

mod client;
mod config;
mod convert;
mod settings;
mod source;
mod wire;

pub use config::{Profiles, Take, TrengoConfig, TrengoConfigBuilder};
pub use settings::SETTINGS;
pub use source::Trengo;

/// The platform's name, as in keys.
const PLATFORM: &str = "trengo";
