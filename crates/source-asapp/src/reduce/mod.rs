//! Rows of all partitions reduced to the latest statement of each, in bounded memory.
//!
//! Each chunk of files becomes a *run*: sorted parts, each as large as the memory that it may take. All parts are merged into one *reduced*
//! file, in which the rows of one conversation, customer or agent lie together. All are files of `grenad`; what was read into which stands
//! in a manifest, so that a process that comes back goes on with the next chunk.

mod buffer;
mod entry;
mod keys;
mod manifest;
mod map;
mod merge;
mod run;
mod scan;

pub(crate) use entry::{Group, Origin, Reduced, claimed_twice};
pub(crate) use keys::{buckets, conversation_of, owner};
pub(crate) use manifest::{FileMark, Manifest, RunMark};
pub(crate) use merge::{merge, watch};
pub(crate) use run::{Broken, How, Input, broken, reduce};
pub(crate) use scan::{Start, scan};
