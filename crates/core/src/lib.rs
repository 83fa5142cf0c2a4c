//! The heart of Deskferry: the canonical helpdesk model, the traits that connectors implement, and what runs them.
//!
//! * [`model`]: what a helpdesk holds, whatever the helpdesk.
//! * [`source`], [`transform`], [`sink`]: the three traits.
//! * [`pipeline`]: a source, transforms and a sink in memory, ten lines to use.
//! * [`migration`]: the same parts made durable: a workspace with stage, ledger, phases, verify.
//! * [`staged`]: what was read as a source again, and a stage as a sink.
//! * [`settings`]: what a platform can be told, from the environment and from a file.
//! * [`owners`]: who owns, in the target, what agents of the source had.
//! * [`proposing`], [`mapped`], [`consent`], [`audit`]: what is proposed, confirmed, signed and recorded.
//! * [`transforms`]: changes of records on their way that several programs need.
//! * [`http`]: the one place that speaks HTTP for all connectors.
//!
//! No platform's name or quirk appears in this crate.

pub mod amend;
pub mod audit;
pub mod blob;
pub mod cells;
pub mod consent;
pub mod context;
mod db;
pub mod error;
pub mod fault;
pub mod forecast;
pub mod http;
pub mod journal;
pub mod key;
pub mod ledger;
pub mod looking;
pub mod mapped;
pub mod migration;
pub mod model;
pub mod owners;
pub mod pipeline;
pub mod preflight;
pub mod prepare;
pub mod probing;
pub mod proposing;
mod related;
pub mod report;
pub mod settings;
pub mod shown;
pub mod sink;
pub mod source;
pub mod stage;
pub mod staged;
pub mod transform;
pub mod transforms;
pub mod undo;
pub mod verify;

pub use context::Context;
pub use error::{Error, ErrorKind, Result, Retry};
pub use key::{RecordId, RecordKey, RecordKind, Tenant};
pub use model::Record;
pub use sink::Sink;
pub use source::{Source, SourceExt};
pub use transform::Transform;
