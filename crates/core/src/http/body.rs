use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;

use crate::error::Result;
use crate::source::ByteStream;

/// Opens the bytes of a body from their start; called once per attempt.
pub type OpenBody =
    Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<ByteStream>> + Send>> + Send + Sync>;

/// The bytes of a body or of a part of one.
#[derive(Clone)]
pub enum PartBody {
    /// In memory.
    Bytes(Bytes),
    /// Read while it is sent, never whole in memory.
    Stream {
        /// How many bytes there are. A stream of another length breaks the request.
        len: u64,
        /// Opens them.
        open: OpenBody,
    },
}

impl PartBody {
    /// Bytes that are read while they are sent; `open` must give `len` bytes each time.
    pub fn stream<F, Fut>(len: u64, open: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<ByteStream>> + Send + 'static,
    {
        Self::Stream {
            len,
            open: Arc::new(move || Box::pin(open())),
        }
    }

    /// How many bytes there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Stream { len, .. } => *len,
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Debug for PartBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = match self {
            Self::Bytes(_) => "bytes",
            Self::Stream { .. } => "streamed bytes",
        };
        write!(f, "{} {form}", self.len())
    }
}

/// One part of a `multipart/form-data` body. Parts are sent in their order.
#[derive(Debug, Clone)]
pub struct Part {
    /// The field's name.
    pub name: String,
    /// The file's name, for parts that are files.
    pub file_name: Option<String>,
    /// The media type of the content.
    pub content_type: String,
    /// The content.
    pub content: PartBody,
}

impl Part {
    /// A part in memory that is no file.
    pub fn text(
        name: impl Into<String>,
        content_type: impl Into<String>,
        content: impl Into<Bytes>,
    ) -> Self {
        Self {
            name: name.into(),
            file_name: None,
            content_type: content_type.into(),
            content: PartBody::Bytes(content.into()),
        }
    }

    /// A file.
    pub fn file(
        name: impl Into<String>,
        file_name: impl Into<String>,
        content_type: impl Into<String>,
        content: PartBody,
    ) -> Self {
        Self {
            name: name.into(),
            file_name: Some(file_name.into()),
            content_type: content_type.into(),
            content,
        }
    }
}
