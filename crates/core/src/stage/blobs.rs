//! The bytes of files in a folder, by content.

use std::io::SeekFrom;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use futures::StreamExt;
use md5::{Digest, Md5};
use tokio::io::{AsyncSeekExt, AsyncWriteExt};

use crate::blob::{BlobInfo, Blobs};
use crate::error::{Error, ErrorKind, Result};
use crate::fault::point;
use crate::source::ByteStream;

/// How many bytes a media type is told by.
const HEAD_BYTES: usize = 512;

/// A folder of files named by the BLAKE3 of their content, two hex digits a sub-folder.
#[derive(Debug)]
pub struct FolderBlobs {
    folder: PathBuf,
    temporary: AtomicU64,
}

impl FolderBlobs {
    /// Opens or makes the folder and drops unfinished files of an earlier run.
    ///
    /// # Errors
    /// `Storage`.
    pub fn open(folder: &Path) -> Result<Self> {
        let unfinished = folder.join("unfinished");
        if unfinished.exists() {
            std::fs::remove_dir_all(&unfinished)
                .map_err(|e| Error::storage("open the file store", e))?;
        }
        std::fs::create_dir_all(&unfinished)
            .map_err(|e| Error::storage("open the file store", e))?;
        Ok(Self {
            folder: folder.to_owned(),
            temporary: AtomicU64::new(0),
        })
    }

    /// Opens the folder to read from it.
    pub(super) fn look(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            temporary: AtomicU64::new(0),
        }
    }

    fn place(&self, blake3: &str) -> PathBuf {
        self.folder.join(&blake3[..2]).join(blake3)
    }

    /// The bytes from an offset on.
    ///
    /// # Errors
    /// `Storage` when they are not there.
    pub async fn open_from(&self, blob: &BlobInfo, from: u64) -> Result<ByteStream> {
        if blob.blake3.len() < 2 || !blob.blake3.is_ascii() {
            return Err(Error::new(
                ErrorKind::NotFound,
                "open a staged file",
                "it has no address",
            ));
        }
        let damaged = |e: std::io::Error| {
            Error::new(ErrorKind::Storage, "open a staged file", e.to_string())
                .with("blake3", &blob.blake3)
                .advise("The stage's files were changed from outside: restore the workspace from a copy")
        };
        let mut file = tokio::fs::File::open(self.place(&blob.blake3))
            .await
            .map_err(damaged)?;
        if from > 0 {
            file.seek(SeekFrom::Start(from)).await.map_err(damaged)?;
        }
        let stream = tokio_util::io::ReaderStream::with_capacity(file, 64 << 10);
        Ok(Box::pin(stream.map(|r| {
            r.map_err(|e| Error::storage("read a staged file", e))
        })))
    }

    /// Writes a stream under a temporary name while hashing, then renames it to its address. The bytes are on the disk
    /// when this returns.
    ///
    /// # Errors
    /// Those of the stream, and `Storage`.
    pub async fn put(&self, bytes: ByteStream) -> Result<BlobInfo> {
        let number = self.temporary.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-{number}", std::process::id());
        let temporary = Temporary(self.folder.join("unfinished").join(name));
        let info = write_hashed(&temporary.0, bytes).await?;
        let place = self.place(&info.blake3);
        let folder = self.folder.clone();
        tokio::task::spawn_blocking(move || {
            let parent = place.parent().unwrap_or(&folder).to_owned();
            if !parent.exists() {
                std::fs::create_dir_all(&parent)?;
                std::fs::File::open(&folder)?.sync_all()?;
            }
            point("blob-rename")?;
            std::fs::rename(&temporary.0, &place)?;
            std::fs::File::open(&parent)?.sync_all()
        })
        .await
        .map_err(|e| Error::bug("stage a file", e.to_string()))?
        .map_err(|e| Error::storage("stage a file", e))?;
        Ok(info)
    }
}

/// A file that goes when it was not renamed: downloads that break must not fill the disk.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // After the rename there is none.
        let _ = std::fs::remove_file(&self.0);
    }
}

async fn write_hashed(path: &Path, mut bytes: ByteStream) -> Result<BlobInfo> {
    let io = |e| Error::storage("stage a file", e).with("file", path.display());
    let mut file = tokio::fs::File::create(path).await.map_err(io)?;
    let (mut blake3, mut md5, mut size) = (blake3::Hasher::new(), Md5::new(), 0u64);
    let mut head = Vec::new();
    while let Some(chunk) = bytes.next().await {
        let chunk = chunk?;
        blake3.update(&chunk);
        md5.update(&chunk);
        let wanted = HEAD_BYTES.saturating_sub(head.len()).min(chunk.len());
        head.extend_from_slice(&chunk[..wanted]);
        size += chunk.len() as u64;
        point("blob-write").map_err(io)?;
        file.write_all(&chunk).await.map_err(io)?;
    }
    file.flush().await.map_err(io)?;
    point("blob-sync").map_err(io)?;
    file.sync_all().await.map_err(io)?;
    Ok(BlobInfo {
        blake3: blake3.finalize().to_hex().to_string(),
        md5: hex(&md5.finalize()),
        size,
        media_type: infer::get(&head).map(|kind| kind.mime_type().to_owned()),
    })
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[async_trait]
impl Blobs for FolderBlobs {
    async fn open(&self, blob: &BlobInfo) -> Result<ByteStream> {
        self.open_from(blob, 0).await
    }

    fn path(&self, blob: &BlobInfo) -> Option<PathBuf> {
        (blob.blake3.len() > 2).then(|| self.place(&blob.blake3))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use futures::TryStreamExt;

    fn stream(parts: &[&'static [u8]]) -> ByteStream {
        let parts: Vec<_> = parts.iter().map(|p| Ok(Bytes::from_static(p))).collect();
        Box::pin(futures::stream::iter(parts))
    }

    #[tokio::test]
    async fn the_same_bytes_have_one_address_and_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = FolderBlobs::open(folder.path()).unwrap();
        let one = blobs.put(stream(&[b"hel", b"lo"])).await.unwrap();
        let two = blobs.put(stream(&[b"hello"])).await.unwrap();
        assert_eq!(one, two);
        assert_eq!(
            (one.size, one.md5.as_str()),
            (5, "5d41402abc4b2a76b9719d911017c592")
        );
        let back: Vec<Bytes> = blobs.open(&one).await.unwrap().try_collect().await.unwrap();
        assert_eq!(back.concat(), b"hello");
    }

    #[tokio::test]
    async fn a_picture_gives_its_media_type_away() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = FolderBlobs::open(folder.path()).unwrap();
        let png = blobs
            .put(stream(&[b"\x89PN", b"G\r\n\x1a\n", b"rest"]))
            .await
            .unwrap();
        assert_eq!(png.media_type.as_deref(), Some("image/png"));
        let text = blobs.put(stream(&[b"hello"])).await.unwrap();
        assert_eq!(text.media_type, None);
    }

    #[tokio::test]
    async fn a_stream_that_breaks_leaves_no_file_under_an_address() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = FolderBlobs::open(folder.path()).unwrap();
        let cut = Error::new(ErrorKind::Unavailable, "download", "cut");
        let broken: ByteStream = Box::pin(futures::stream::iter(vec![
            Ok(Bytes::from_static(b"hel")),
            Err(cut),
        ]));
        assert!(blobs.put(broken).await.is_err());
        let left: Vec<_> = std::fs::read_dir(folder.path().join("unfinished"))
            .unwrap()
            .collect();
        assert!(left.is_empty());
    }
}
