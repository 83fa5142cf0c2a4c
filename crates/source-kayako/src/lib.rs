//! Kayako as a [Deskferry](deskferry_core) source: the cloud (REST API v1), and [Kayako Classic](#kayako-classic).
//!
//! [`Kayako`] reads a whole instance with one account: organisations, users, teams, definitions of custom fields, cases
//! with their posts, files and inline images, the help centre, and what is set up there. It only reads.
//!
//! | | |
//! |---|---|
//! | account | an administrator's or owner's, without two-factor login; others see only a part, which [`check`] says beforehand and the read by what it misses |
//! | login | e-mail address and password once, then one session for all calls; or OAuth tokens. Renewed when Kayako forgets them; a new refresh token is kept in a file by choice |
//! | kinds | field definitions, teams, agents, accounts, contacts, conversations, messages, attachments, categories, articles, inventory items |
//! | custom values | by the API key of their field, typed by its definition, options in the default language |
//! | posts | messages, notes (always internal), chats, tweets, Facebook; anything else by its plain rendering |
//! | mail | sender, recipients, mailbox; threading headers by choice, one request more per mail |
//! | files | streamed, from the start (no ranges); inline images once per conversation |
//! | trash, spam, merged | each by choice: `include`, or `skip` by name and reason ([`Take`]); a merged case names the one that took its posts |
//! | links | next pages and files of the API are asked for at the configured host; other hosts get no credentials, and private addresses are refused unless allowed |
//! | moving lists | overlap, catch-up, gap-fill by id; cases, people or companies that no page shows and posts that are refused are named |
//! | help centre | categories, sections and articles with the texts of all languages, who may read them, author, tags, files and images; drafts that the list hides are taken from the agents' own; what is not called published is a draft, what is not known to be for customers is for agents alone |
//! | forms, brands | a case names its form, and its brand where there are several: custom values `form` and `brand` |
//! | by choice | what was said of ratings and when; booked times as `seconds_worked`; the history of cases as internal messages; notes on people and organisations as `notes`; each for requests of its own |
//! | inventory | triggers, monitors, SLAs with targets, business hours, macros, views, forms, mailboxes, accounts of networks, endpoints, how teams work, brands, custom fields of odd types; numbers in conditions and actions with the names of what they stand for, agents, custom fields and their options too; without secrets. A list that the account may not read is a note |
//! | bad rows | rejected one by one, with JSON path, reason and the row itself |
//! | limit | found out while reading, from 60 requests a minute, unless configured; `Retry-After` holds all workers |
//! | changes only | cases, from a watermark; the other lists are short and read whole; the inventory only where it is asked for. By choice (`sweep`) it is asked what is gone |
//! | not read | suspended mails that became no case, side conversations (they stand beside a case; no documentation shows their shape), comments on articles |
//!
//! [`check`]: deskferry_core::Source::check
//!
//! # Example
//!
//! Reads a local Kayako; a real one differs in address and account only. A [`SourceExt::pages`] stream is the simplest
//! reader; a migration keeps what was read and answers [`Context::seen`] from it, which spares looking up users.
//!
//! [`SourceExt::pages`]: deskferry_core::SourceExt::pages
//! [`Context::seen`]: deskferry_core::Context::seen
//!
//! ```
//! use std::sync::Arc;
//!
//! use deskferry_core::source::Scope;
//! use deskferry_core::{Context, Record, Source as _, SourceExt as _};
//! use deskferry_rehearsal::kayako::{Content, Kayako as Desk, KayakoOptions};
//! use deskferry_rehearsal::world::WorldSpec;
//! use deskferry_source_kayako::{Kayako, KayakoConfig};
//! use futures::TryStreamExt as _;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut options = KayakoOptions::default();
//! options.content = Content::Made(WorldSpec::new(1, 20));
//! let desk = Desk::start(options).await?;
//!
//! let config = KayakoConfig::builder(desk.url(), "admin@acme.example", "rehearsal")
//!     .requests_per_minute(100_000)
//!     .build()?;
//! let kayako = Arc::new(Kayako::new(config)?);
//!
//! let cx = Context::new();
//! let ready = kayako.check(&cx).await?;
//! assert_eq!(ready.tenant.id, "acme");
//! assert!(ready.warnings.is_empty());
//!
//! let mut todo = kayako.shards(&cx, &Scope::default()).await?;
//! let (mut conversations, mut messages) = (0, 0);
//! while let Some(shard) = todo.pop() {
//!     let mut pages = kayako.pages(&cx, shard, None);
//!     while let Some(page) = pages.try_next().await? {
//!         for record in &page.records {
//!             match record {
//!                 Record::Conversation(_) => conversations += 1,
//!                 Record::Message(_) => messages += 1,
//!                 _ => {}
//!             }
//!         }
//!         // The posts of listed cases are parts of their own.
//!         todo.extend(page.spawn);
//!     }
//! }
//! assert!(conversations > 10 && messages > conversations);
//! kayako.log_out(&cx).await?;
//! # desk.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Decisions
//!
//! * A choice in a tree (`A::B` or `A\B`) is one text, its levels joined with ` > `.
//! * What a trigger or monitor wrote went out if it has a form that customers see (a message, a chat, a post on a
//!   network); otherwise it is internal. Nothing becomes public by guessing.
//! * A note on a person or a company that shows up in a case is read as a message and skipped as `note-on-person`; its
//!   files are not fetched.
//! * No list says into which case another was merged; the history of the merged one does, for one request more. Posts of a
//!   merged case that were read with the other case already (they keep their ids) are left there, whichever case is read
//!   first; a merged case without posts is a closed stub.
//! * Usual lists leave out what is in the trash or held back as spam. Two views show it, and are read also where it is
//!   skipped: whatever a desk holds is named, with its reason.
//! * Twenty cases in a row whose posts are refused end the part with an error; single ones are rejects of kind message.
//! * A case from the trash or from spam that is taken along carries `state` as a custom value.
//! * A user whom no list has is looked up once. One who is gone has no record: messages keep their number as name, an
//!   assignee becomes a disabled agent `Unknown user <number>`.
//! * Statuses, priorities and types come with each case, so their lists are not asked for; one's own keep their label.
//! * A case that vanishes between the list and its posts keeps its conversation; one reject of kind message tells.

//!
//! # Kayako Classic
//!
//! [`Classic`] reads versions 3 and 4, which share nothing on the wire with the cloud. [`source`] makes the one that the configuration means; each
//! says in [`check`] what answers, and names the other one where it meets it.
//!
//! | | |
//! |---|---|
//! | account | the key and the secret of the REST interface; each call is signed with a salt of its own |
//! | answers | XML behind warnings of PHP, one row or many, characters that XML does not know; a half-closed row is rejected alone, with its text |
//! | kinds | field definitions, teams (departments), agents (staff), accounts, contacts (users), conversations, messages, attachments, categories, articles |
//! | messages | posts with one text; notes, always internal; notes on people and companies and booked times are named and left out, times are summed on the ticket |
//! | mail | what was mailed is told by the post; its sender, one recipient, the ticket's subject. No headers, copies or mailbox |
//! | files | base64 in XML, decoded while it arrives; pictures of a text by the name of their file |
//! | custom values | of tickets, by type; days as the helpdesk writes them ([`Dates`]), those that can be read in two ways stay text unless it is said how; a file in a field is a reject that names it |
//! | closing | a ticket whose status marks it as resolved was closed when it was last active: Classic keeps no other time |
//! | departments | tickets are listed by department; one that the key may not see is a reject that names it, the others are read |
//! | moving lists | by number, with a row of overlap, stepping back where tickets have left |
//! | changes only | tickets, by their last activity; where a helpdesk does not order by it, all are looked at. The other lists are read whole |
//! | knowledge base | in one language; who may read an article may read every category that it stands in. What is not published is a draft |
//! | not read | custom values of people and companies, ratings, SLA plans, macros, what was merged or thrown away: its interface does not show them |
//!
//! # Requests
//!
//! The order and the budget of section 18 of the Kayako reference, and where they stand:
//!
//! | rule | here |
//! |---|---|
//! | probe, login, `/me` | one request each; `/me` by [`check`] alone |
//! | default language | `/settings` once; `/locales` only where the setting is a number |
//! | brands, roles | brands once, for cases and inventory; roles only if one comes unexpanded |
//! | three lists of field definitions | once per process, by whoever needs them first |
//! | organisations, users, cases | hundreds, with one row of overlap: a page more in a hundred |
//! | statuses, priorities, types | not asked for by the read of cases: each carries them; once for the inventory |
//! | forms | once, for cases and inventory |
//! | trash and suspended | `/views`, then their cases in hundreds; single cases only where a view leaves fields out |
//! | posts | hundreds, at least one request per case: nothing tells beforehand that a case has none |
//! | attachments, inline images | one each, an image once per conversation, an empty file none |
//! | mail headers | one per mail, by choice |
//! | merged cases | one each, beyond the budget of the reference |
//! | inventory | one per list, mailboxes in hundreds; statuses, priorities, types, teams and brands once, for their names; views are read once for it and for what was set aside |
//! | help centre | categories, sections and articles in hundreds, at least one request each, and one for their number; where the list hides drafts, all of them once more by the agents' list |
//! | ratings, time tracking, histories, notes on people | by choice: one per rated case; one per hundred entries, all of them before the first case; one per case; one per customer and organisation |
//! | what is gone | by choice, in a read of changes: one per hundred cases that did not change, and one for each that no list shows |
//! | checkpoints | per page of a list and per case; a read of changes takes the posts of changed cases only |
//! | watermark | `Date-ISO` of the first answer, before the walk begins |

mod classic;
mod client;
mod config;
mod convert;
mod edition;
mod settings;
mod source;
mod wire;

pub use classic::Classic;
pub use config::{
    ClassicConfig, ClassicConfigBuilder, Dates, Edition, KayakoConfig, KayakoConfigBuilder, Take,
};
pub use edition::source;
pub use settings::SETTINGS;
pub use source::Kayako;

/// The platform's name, as in keys.
const PLATFORM: &str = "kayako";
