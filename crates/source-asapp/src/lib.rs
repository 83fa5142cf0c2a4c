//! ASAPP as a [Deskferry](deskferry_core) source, by what it exports.
//!
//! ASAPP has no list of conversations. The truth lies in files that state the same thing again and again: the batch tree of the messaging product, and
//! the files of the File Exporter for the AI services. [`Asapp`] reduces them to the latest statement of each row, in bounded memory, joins
//! what belongs to one conversation, customer or agent, and makes records of it.
//!
//! | | |
//! |---|---|
//! | channels | the batch tree from a folder, from S3 (feature `s3`) and over SFTP (feature `sftp`), a folder of files of the File Exporter, the File Exporter itself, and a folder of archived real-time events; any of them together |
//! | S3 | any service that speaks like it, by `object_store`; a day of a feed is one listing; files are fetched anew when they break off |
//! | SFTP | with a private key, and only from a server whose own key was told; a connection that breaks is made again |
//! | File Exporter | values handed back as they came, links fetched at once and asked for again when they expire or break, without credentials; a pace, a daily limit that is counted over processes, and a stop that can be resumed; what a read takes is told by `check` |
//! | Configuration API | segments, structured-data fields, redaction, vocabularies; a list that the key may not see is told and left out |
//! | Conversation API | conversations that the files know and whose texts they lack (or all): texts, names of customers and agents, metadata; what was answered is kept, a day that ends or a death goes on behind it |
//! | AutoSummary API | by choice, for conversations and issues that have none: summaries, structured data, intents; each call makes something new at ASAPP |
//! | kinds | definitions of structured data, teams (queues), agents and their figures, accounts, contacts, conversations, messages, inventory (queues, intents, segments) |
//! | latest statement | by the documented keys without their tenant parts; by logical time, partition, read, split, line; late partitions and repeated reads change nothing |
//! | partitions | only with `_SUCCESS` (batch tree); split files; gzip told by its bytes; `.enc` refused; a day that is not finished is named and left for later |
//! | values | ids as numbers or text, `NULL` and blank as nothing, every spelling of times; a column that changes its type is told |
//! | lines that are no rows | rejected one by one with path, line and text; above a share the read ends |
//! | messages | customer, agent, bot; notes, whispers, private ones and senders that nobody knows are internal |
//! | conversation | channel, begin and end, outcome, raw rating and survey, queue, intent, tags, wait and handle times, summaries, structured data by field id, merges and cold transfers linked |
//! | structured data | questions as choices, entities by what all their values are: numbers, days, else text |
//! | segments | evaluated again from their definitions; of several only a list of priorities decides |
//! | calls | one per agent's part, with length, disposition, and a recording where the company's own table names one |
//! | names and addresses | not in ASAPP: from `customer_params` by configured keys, and from the company's own tables, checked on entry |
//! | doubtful | issues without metadata, issues that only events know, two that claim one id: listed in `reconcile/conversations.csv` of the work folder, left out unless a person decides `take` |
//! | changes only | a later read takes new and changed files, and yields what they touch |
//! | not read | files' bytes and recordings (ASAPP gives none), tables of bots and agents' utilisation |
//!
//! What is reduced stands in the work folder, some third of the exports' size. It belongs to one migration; a read that was stopped goes on there.
//!
//! # Example
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use deskferry_core::source::Scope;
//! use deskferry_core::{Context, Record, Source as _, SourceExt as _};
//! use deskferry_source_asapp::{Asapp, AsappConfig};
//! use futures::TryStreamExt as _;
//!
//! # async fn run() -> deskferry_core::Result<()> {
//! let config = AsappConfig::builder("acme", "exports")
//!     .customers("customers.csv")
//!     .agents("agents.csv")
//!     .work("asapp-work")
//!     .build()?;
//! let asapp = Arc::new(Asapp::new(config)?);
//!
//! let cx = Context::new();
//! for warning in asapp.check(&cx).await?.warnings {
//!     println!("{warning}");
//! }
//! let mut todo = asapp.shards(&cx, &Scope::default()).await?;
//! while let Some(shard) = todo.pop() {
//!     let mut pages = asapp.pages(&cx, shard, None);
//!     while let Some(page) = pages.try_next().await? {
//!         for record in &page.records {
//!             if let Record::Conversation(conversation) = record {
//!                 println!("{} {}", conversation.number, conversation.subject);
//!             }
//!         }
//!         // The parts that make records are named when everything is collected.
//!         todo.extend(page.spawn);
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Shards and cursors
//!
//! | shard | pages | cursor |
//! |---|---|---|
//! | `collect-N` | one per chunk of files, and its broken lines; then one per hundred conversations that the APIs are asked about; at its end the merge, and the shards below | how many of them, and broken lines, were told |
//! | `dictionaries-N` | one | none |
//! | `agents-N`, `customers-N` | 500 people | the key of the last one |
//! | `conversations-N-00` to `-15` | 500 conversations or 4,000 rows | the key of the last one |
//!
//! `N` counts reads: the first is 1, one from a watermark the next. Nothing but `collect` looks at the channels, and nothing else may
//! begin before it ends: until then rows of any conversation may lie in files that were not read.
//!
//! # Decisions
//!
//! * Ids of the two products mean different people: those of AI services begin with `ai-` in keys.
//! * A conversation of AI services has no end: after some quiet days (`quiet_days`) it is closed as of its last message.
//! * Utterances without `event_uuid` are told apart by time and sender, as documented: two of one sender in one microsecond are one.
//! * A purged text that the Conversation API does not have either cannot come back: a conversation counts its own in `purged_messages`.
//! * A read counts once it is merged. Until then each chunk of files counts once its run stands in the manifest; a process that dies loses the
//!   chunks that it was reading.

mod channels;
mod client;
mod config;
mod convert;
mod inventory;
mod reduce;
mod settings;
mod side;
mod source;
mod tables;
mod wire;

pub use config::{AsappConfig, AsappConfigBuilder};
pub use settings::SETTINGS;
pub use source::Asapp;

/// The platform's name, as in keys.
const PLATFORM: &str = "asapp";
