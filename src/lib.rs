//! Deskferry carries helpdesks into Salesforce Service Cloud: rehearse on a local org, move once, verify field by field.
//!
//! This crate re-exports the parts behind features; each part is a crate of its own as well.
//!
//! | feature | brings |
//! |---|---|
//! | `asapp` | [`asapp`]: ASAPP (messaging and AI services) as a source, by its exports |
//! | `kayako` | [`kayako`]: Kayako (cloud) as a source |
//! | `kustomer` | [`kustomer`]: Kustomer as a source |
//! | `trengo` | [`trengo`]: Trengo as a source |
//! | `salesforce` | [`salesforce`]: Salesforce Service Cloud as a sink |
//! | `rehearsal` | [`rehearsal`]: a local Salesforce org and local helpdesks |
//! | `cli` | [`cli`]: the verbs of a migration for own programs |
//! | `full` | all of them |
//!
//! Without features there are the canonical model, the traits and what runs them ([`core`]): enough to write a source,
//! a transform or a sink of your own.
//!
//! ```no_run
//! # #[cfg(all(feature = "kayako", feature = "salesforce"))]
//! # async fn run() -> deskferry::Result<()> {
//! use std::path::Path;
//! use std::sync::Arc;
//!
//! use deskferry::kayako::{Kayako, KayakoConfig};
//! use deskferry::migration::{Migration, Workspace};
//! use deskferry::salesforce::{Mapping, Salesforce, SalesforceConfig};
//! use deskferry::Context;
//!
//! let kayako = Kayako::new(KayakoConfig::from_env()?)?;
//! let mapping = Mapping::parse(Mapping::default_text())?;
//! let salesforce = Salesforce::new(SalesforceConfig::from_env()?.build()?, mapping)?;
//! let workspace = Workspace::open(Path::new("acme"))?;
//! let report = Migration::new(workspace, Arc::new(kayako), Arc::new(salesforce)).run(&Context::new()).await?;
//! println!("{}", report.summary());
//! # Ok(())
//! # }
//! ```

pub use deskferry_core as core;
pub use deskferry_core::{
    Context, Error, ErrorKind, Record, RecordId, RecordKey, RecordKind, Result, Retry, Sink,
    Source, SourceExt, Tenant, Transform, migration, model, owners, pipeline, report, sink, source,
    transform,
};
#[cfg(feature = "rehearsal")]
pub use deskferry_rehearsal as rehearsal;
#[cfg(feature = "salesforce")]
pub use deskferry_sink_salesforce as salesforce;
#[cfg(feature = "asapp")]
pub use deskferry_source_asapp as asapp;
#[cfg(feature = "kayako")]
pub use deskferry_source_kayako as kayako;
#[cfg(feature = "kustomer")]
pub use deskferry_source_kustomer as kustomer;
#[cfg(feature = "trengo")]
pub use deskferry_source_trengo as trengo;

#[cfg(feature = "cli")]
pub mod cli;
