//! Bodies as they go on the wire: pieces in memory and pieces that are read while they are sent.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};

use super::body::{Part, PartBody};
use crate::error::{Error, ErrorKind, Result};
use crate::source::ByteStream;

/// Where an error of our own file waits while the connection that it broke comes back with an error of its own.
#[derive(Clone, Default)]
pub(super) struct Fault(Arc<Mutex<Option<Error>>>);

impl Fault {
    pub(super) fn take(&self) -> Option<Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn put(&self, error: Error) -> io::Error {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        io::Error::other("the bytes to send could not be read")
    }
}

/// A body ready to be sent any number of times.
#[derive(Clone)]
pub(super) struct Payload {
    pub(super) content_type: String,
    pub(super) pieces: Vec<PartBody>,
}

impl Payload {
    pub(super) fn one(content_type: &str, content: &PartBody) -> Self {
        Self {
            content_type: content_type.to_owned(),
            pieces: vec![content.clone()],
        }
    }

    /// `multipart/form-data` (RFC 7578) with a boundary that the content cannot foresee.
    pub(super) fn multipart(parts: &[Part]) -> Self {
        let boundary = boundary();
        let mut pieces = Vec::with_capacity(parts.len() * 2 + 1);
        for (i, part) in parts.iter().enumerate() {
            let start = if i == 0 { "" } else { "\r\n" };
            pieces.push(memory(format!("{start}--{boundary}\r\n{}\r\n", head(part))));
            pieces.push(part.content.clone());
        }
        let start = if parts.is_empty() { "" } else { "\r\n" };
        pieces.push(memory(format!("{start}--{boundary}--\r\n")));
        Self {
            content_type: format!("multipart/form-data; boundary={boundary}"),
            pieces,
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.pieces.iter().map(PartBody::len).sum()
    }

    /// The bytes, if all are in memory and in one piece.
    pub(super) fn in_memory(&self) -> Option<Bytes> {
        match self.pieces.as_slice() {
            [PartBody::Bytes(bytes)] => Some(bytes.clone()),
            _ => None,
        }
    }

    /// The bytes as they are read; an error of our own side is left in `fault`.
    pub(super) fn stream(&self, fault: &Fault) -> BoxStream<'static, io::Result<Bytes>> {
        let fault = fault.clone();
        stream::iter(self.pieces.clone())
            .then(open)
            .try_flatten()
            .map_err(move |error| fault.put(error))
            .boxed()
    }
}

fn memory(text: String) -> PartBody {
    PartBody::Bytes(text.into())
}

fn boundary() -> String {
    let random = || RandomState::new().build_hasher().finish();
    format!("deskferry-{:016x}{:016x}", random(), random())
}

fn head(part: &Part) -> String {
    let mut head = format!(
        "Content-Disposition: form-data; name=\"{}\"",
        quoted(&part.name)
    );
    if let Some(file_name) = &part.file_name {
        head.push_str(&format!("; filename=\"{}\"", quoted(file_name)));
    }
    let content_type: String = part
        .content_type
        .chars()
        .filter(|c| !c.is_control())
        .collect();
    head.push_str(&format!("\r\nContent-Type: {content_type}\r\n"));
    head
}

/// As browsers write names: a quote or a line end cannot leave the parameter.
fn quoted(name: &str) -> String {
    name.replace('"', "%22")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

async fn open(piece: PartBody) -> Result<ByteStream> {
    match piece {
        PartBody::Bytes(bytes) => Ok(stream::once(async move { Ok(bytes) }).boxed()),
        PartBody::Stream { len, open } => Ok(measured(open().await?, len)),
    }
}

/// The same stream, with an error when it is not `len` bytes long: the announced length would be a lie.
///
/// The last piece is held back until the end is seen, or a server could act on a body that turns out to be wrong.
fn measured(inner: ByteStream, len: u64) -> ByteStream {
    let state = Some(Measured {
        inner,
        held: None,
        seen: 0,
    });
    stream::unfold(state, move |state| async move {
        let mut state = state?;
        loop {
            match state.inner.next().await {
                Some(Ok(piece)) => {
                    state.seen += piece.len() as u64;
                    if state.seen > len {
                        return Some((Err(mismatch(len, "more")), None));
                    }
                    if let Some(held) = state.held.replace(piece) {
                        return Some((Ok(held), Some(state)));
                    }
                }
                Some(Err(error)) => return Some((Err(error), None)),
                None if state.seen < len => {
                    return Some((Err(mismatch(len, &format!("only {}", state.seen))), None));
                }
                None => return state.held.map(|last| (Ok(last), None)),
            }
        }
    })
    .boxed()
}

struct Measured {
    inner: ByteStream,
    held: Option<Bytes>,
    seen: u64,
}

fn mismatch(len: u64, found: &str) -> Error {
    Error::new(
        ErrorKind::Storage,
        "read the bytes to send",
        format!("{len} bytes were announced, {found} came"),
    )
    .advise("The file changed or is damaged: read it from the source again")
}
