//! Runs into one reduced file.

use std::fs::File;
use std::path::Path;

use deskferry_core::{Error, Result};
use grenad::{CompressionType, Merger, Reader, Writer};

use super::entry::Latest;
use super::run::{merged, sync, write_whole};

/// So many files are merged at once: each costs a handle and a block of memory.
const AT_ONCE: usize = 64;

/// Merges the files `from` into `to`, all in `folder`.
///
/// # Errors
/// The disk failed.
pub(crate) fn merge(folder: &Path, from: &[String], to: &str) -> Result<()> {
    let mut from = from.to_vec();
    let mut made = 0;
    while from.len() > AT_ONCE {
        let mut next = Vec::new();
        for group in from.chunks(AT_ONCE) {
            let name = format!("{to}-level-{made}");
            made += 1;
            once(folder, group, &name)?;
            next.push(name);
        }
        from = next;
    }
    once(folder, &from, to)?;
    for level in 0..made {
        // What stays behind is only in the way.
        let _ = std::fs::remove_file(folder.join(format!("{to}-level-{level}")));
    }
    Ok(())
}

fn once(folder: &Path, from: &[String], to: &str) -> Result<()> {
    // One run is reduced already: it gets a second name, where the disk can give one.
    if let [one] = from {
        let (one, to) = (folder.join(one), folder.join(to));
        let _ = std::fs::remove_file(&to);
        if std::fs::hard_link(one, to).is_ok() {
            return sync(folder);
        }
    }
    let mut merger = Merger::builder(Latest);
    for name in from {
        merger.push(open(&folder.join(name))?.into_cursor().map_err(merged)?);
    }
    let merger = merger.build();
    write_whole(&folder.join(to), |out| {
        let mut writer = Writer::builder()
            .compression_type(CompressionType::Snappy)
            .build(out);
        merger
            .write_into_stream_writer(&mut writer)
            .map_err(merged)?;
        writer
            .into_inner()
            .map_err(|e| Error::storage("keep the reduced exports", e))
    })
}

/// Opens a run or a reduced file.
///
/// # Errors
/// It is not there, or damaged.
pub(super) fn open(path: &Path) -> Result<Reader<File>> {
    let file = File::open(path).map_err(|e| {
        Error::storage("read the reduced exports", e)
            .with("file", path.display())
            .advise("The work folder is part of the migration: put it back, or start a new workspace and a new work folder")
    })?;
    Reader::new(file).map_err(|e| merged(e).with("file", path.display()))
}
