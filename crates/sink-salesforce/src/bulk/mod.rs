//! Bulk API 2.0: rows in, one CSV file per job, answered in three files (Salesforce APIs, section 9); rows out by query
//! jobs (section 10).

pub(crate) mod csv;
pub(crate) mod job;
pub(crate) mod query;
pub(crate) mod results;

use std::fs::File;
use std::path::Path;

use deskferry_core::context::Context;
use deskferry_core::error::{Error, ErrorKind, Result};

/// Before a job's id, where a journal names the request that carries a row.
pub(crate) const REQUEST: &str = "bulk:";

/// A file that has no name: it is gone when the process is, however that ends.
fn unnamed_file(folder: Option<&Path>) -> Result<File> {
    let file = match folder {
        Some(folder) => tempfile::tempfile_in(folder),
        None => tempfile::tempfile(),
    };
    file.map_err(|error| disk("keep the rows of a bulk job on disk", error))
}

fn disk(doing: &'static str, error: std::io::Error) -> Error {
    Error::new(ErrorKind::Storage, doing, error.to_string())
        .advise("Free space in the folder for temporary files, or set bulk_folder to another one")
        .because(error)
}

/// Rows of one object travelled by jobs: a full one is opened, filled, handed over and asked for once, and its three results
/// are read; one that reads is opened and asked for, and its rows are read.
pub(crate) fn needed_jobs(cx: &Context, operation: &str, object: &str, share: f64) {
    let each = if operation == "query" { 3 } else { 7 };
    let lot = format!("{operation} jobs of {object}");
    cx.meter().needed_each(crate::PLATFORM, lot, each, share);
}
