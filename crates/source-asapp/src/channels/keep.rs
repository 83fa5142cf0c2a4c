//! Bytes that come over a wire, kept until they are read: a connection that breaks costs one file, not a chunk of them.

use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;

use bytes::Bytes;
use deskferry_core::{Context, Error, Result};
use futures::{Stream, StreamExt as _};

/// Keeps a stream in a file that has no name and is gone when it is closed.
///
/// # Errors
/// The stream's own; the disk failed; the run was asked to stop.
pub(super) async fn keep(
    cx: &Context,
    work: &Path,
    mut bytes: impl Stream<Item = Result<Bytes>> + Unpin,
) -> Result<File> {
    let failed = |e| Error::storage("keep an exported file", e);
    std::fs::create_dir_all(work).map_err(failed)?;
    let mut kept = tempfile::tempfile_in(work).map_err(failed)?;
    while let Some(piece) = bytes.next().await {
        cx.check("fetch an exported file")?;
        kept.write_all(&piece?).map_err(failed)?;
    }
    kept.seek(SeekFrom::Start(0)).map_err(failed)?;
    Ok(kept)
}
