//! A workspace as a source and as a sink: reading without loading, and loading what was read before.
//!
//! A source is read once; several targets may be loaded from what was read, with the source switched off. [`StageSource`] is the
//! workspace of a finished read as the source of another migration; [`StageSink`] writes what any source brings into a
//! workspace, through a [`Pipeline`](crate::pipeline::Pipeline). (To read a source durably, with its rejected rows and
//! in several goes, use [`extract`](crate::migration::extract).)
//!
//! ```
//! use std::path::Path;
//! use std::sync::Arc;
//! use deskferry_core::migration::{Migration, Workspace};
//! use deskferry_core::staged::StageSource;
//! use deskferry_core::{Context, Result, Sink};
//!
//! async fn load_again(cx: &Context, sink: Arc<dyn Sink>) -> Result<()> {
//!     let source = StageSource::open(Path::new("acme")).await?;
//!     let workspace = Workspace::open(Path::new("acme-second-org"))?;
//!     Migration::new(workspace, Arc::new(source), sink).run(cx).await?;
//!     Ok(())
//! }
//! ```

mod cursor;
mod sink;
mod source;

pub use sink::StageSink;
pub use source::StageSource;
