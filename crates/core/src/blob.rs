//! The bytes of files, by content.

use std::path::PathBuf;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::source::ByteStream;

/// The code with which a sink fails a record whose file could not be had; `resume` tries these again once the file is there.
pub const UNAVAILABLE: &str = "UNAVAILABLE";

/// A staged file's identity.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BlobInfo {
    /// BLAKE3 of the bytes, lower-case hex, 64 digits: its address.
    pub blake3: String,
    /// MD5 of the bytes, lower-case hex, 32 digits: what platforms compare.
    pub md5: String,
    /// How many bytes.
    pub size: u64,
    /// The media type that the first bytes give away, for files whose source names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
}

/// Read access to staged bytes.
#[async_trait]
pub trait Blobs: Send + Sync {
    /// The bytes, from the start.
    async fn open(&self, blob: &BlobInfo) -> Result<ByteStream>;

    /// A local file with the bytes, where the store has one.
    fn path(&self, _blob: &BlobInfo) -> Option<PathBuf> {
        None
    }
}
