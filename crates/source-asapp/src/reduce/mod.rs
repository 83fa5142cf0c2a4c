//! Rows of all partitions reduced to the latest statement of each, in bounded memory.
//!
//! Each chunk of files becomes a sorted *run*; all runs are merged into one *reduced* file, in which the rows of one
//! conversation, customer or agent lie together. Both are files of `grenad`; what was read into which stands in a manifest,
//! so that a process that comes back goes on with the next file.

mod entry;
mod keys;
mod manifest;
mod map;
mod merge;
mod run;
mod scan;

#[cfg(test)]
pub(crate) use entry::Reduced;
pub(crate) use entry::{Group, Origin};
pub(crate) use keys::buckets;
pub(crate) use manifest::{FileMark, Manifest, RunMark};
pub(crate) use merge::merge;
pub(crate) use run::{Broken, How, Input, broken, reduce};
pub(crate) use scan::{Start, scan, scan_heads};
