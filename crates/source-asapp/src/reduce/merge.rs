//! Runs into one reduced file.

use std::fs::File;
use std::path::Path;

use deskferry_core::{Error, Result};
use grenad::{Merger, Reader};

use super::buffer::writer;
use super::entry::Latest;
use super::run::{merged, point, sync, write_whole};

/// So many files are merged at once: each costs a handle and two blocks of memory.
const AT_ONCE: usize = 256;

/// Is shown each key and entry of a reduced file, in order.
pub(crate) type Watch<'a> = dyn FnMut(&[u8], &[u8]) -> Result<()> + 'a;

/// Merges the files `from` into `to`, all in `folder`. A single file is reduced already: it gets a second name, and nothing is shown
/// (`false`).
///
/// # Errors
/// The disk failed; `watch` did.
pub(crate) fn merge(
    folder: &Path,
    from: &[String],
    to: &str,
    watch: &mut Watch<'_>,
) -> Result<bool> {
    let mut from = from.to_vec();
    let mut made = 0;
    while from.len() > AT_ONCE {
        let mut next = Vec::new();
        for group in from.chunks(AT_ONCE) {
            let name = format!("{to}-level-{made}");
            made += 1;
            once(folder, group, &name, &mut |_, _| Ok(()))?;
            next.push(name);
        }
        from = next;
    }
    if let [one] = from.as_slice() {
        let (one, to) = (folder.join(one), folder.join(to));
        let _ = std::fs::remove_file(&to);
        if std::fs::hard_link(one, to).is_ok() {
            sync(folder)?;
            return Ok(false);
        }
    }
    once(folder, &from, to, watch)?;
    for level in 0..made {
        // What stays behind is only in the way.
        let _ = std::fs::remove_file(folder.join(format!("{to}-level-{level}")));
    }
    Ok(true)
}

fn once(folder: &Path, from: &[String], to: &str, watch: &mut Watch<'_>) -> Result<()> {
    let failed = |error| Error::storage("keep the reduced exports", error);
    point("asapp-merge")?;
    let mut merger = Merger::builder(Latest);
    for name in from {
        merger.push(open(&folder.join(name))?.into_cursor().map_err(merged)?);
    }
    let mut rows = merger.build().into_stream_merger_iter().map_err(merged)?;
    write_whole(&folder.join(to), |out| {
        let mut writer = writer(out);
        while let Some((key, entry)) = rows.next().map_err(merged)? {
            watch(key, entry)?;
            writer.insert(key, entry).map_err(failed)?;
        }
        writer.into_inner().map_err(failed)
    })?;
    point("asapp-merged")
}

/// Shows each key and entry of a reduced file, in order.
///
/// # Errors
/// The file cannot be read; `watch` failed.
pub(crate) fn watch(file: &Path, watch: &mut Watch<'_>) -> Result<()> {
    let mut cursor = open(file)?.into_cursor().map_err(merged)?;
    while let Some((key, entry)) = cursor.move_on_next().map_err(merged)? {
        watch(key, entry)?;
    }
    Ok(())
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
