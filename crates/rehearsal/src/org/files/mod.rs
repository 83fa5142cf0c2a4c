//! Multipart uploads, streamed to disk: a file of 2 GB never lies in memory.

use axum::body::Body;
use futures::StreamExt;
use md5::{Digest, Md5};
use multer::Multipart;
use tokio::fs::File;
use tokio::io::{AsyncWriteExt, BufWriter};

use super::engine::Engine;
use super::error::Refusal;
use super::write::Upload;
use super::write::file::hex;

/// The largest file (Salesforce transport reference, section 8).
const LARGEST: u64 = 2 << 30;
/// The largest JSON part.
const LARGEST_JSON: usize = 1 << 20;

/// Bytes that are written to disk at once: each write goes to another thread.
const AT_ONCE: usize = 1 << 20;

/// The two parts of an upload, in whichever order they came.
pub(crate) struct Parts {
    /// The record, as JSON.
    pub(crate) entity: Vec<u8>,
    /// The part named after the blob field.
    pub(crate) upload: Option<Upload>,
}

/// Reads a multipart body.
pub(crate) async fn receive(
    engine: &Engine,
    content_type: &str,
    body: Body,
) -> Result<Parts, Refusal> {
    let malformed = |e: multer::Error| {
        Refusal::new(
            "INVALID_MULTIPART_REQUEST",
            format!("Multipart message can't be read: {e}"),
        )
    };
    let boundary = multer::parse_boundary(content_type).map_err(malformed)?;
    let mut multipart = Multipart::new(body.into_data_stream(), boundary);
    let mut parts = Parts {
        entity: Vec::new(),
        upload: None,
    };
    while let Some(mut field) = multipart.next_field().await.map_err(malformed)? {
        let is_blob = field.file_name().is_some() || field.name() == Some("VersionData");
        if is_blob {
            if let Some(earlier) = parts.upload.replace(store(engine, &mut field).await?) {
                discard(&earlier).await;
            }
            continue;
        }
        while let Some(chunk) = field.chunk().await.map_err(malformed)? {
            if parts.entity.len() + chunk.len() > LARGEST_JSON {
                return Err(Refusal::new(
                    "EXCEEDED_MAX_SIZE_REQUEST",
                    "the JSON part is too large",
                ));
            }
            parts.entity.extend_from_slice(&chunk);
        }
    }
    Ok(parts)
}

/// Reads a body of bytes only. What is beyond `most` is dropped, so that the client gets to read its refusal.
pub(crate) async fn receive_plain(
    engine: &Engine,
    body: Body,
    most: u64,
) -> Result<Upload, Refusal> {
    let mut upload = Upload {
        path: engine.upload(),
        size: 0,
        md5: String::new(),
    };
    let mut file = BufWriter::with_capacity(AT_ONCE, File::create(&upload.path).await?);
    let mut stream = body.into_data_stream();
    while let Some(piece) = stream.next().await {
        let Ok(piece) = piece else {
            discard(&upload).await;
            return Err(Refusal::new("INVALID_INPUT", "the body ended early"));
        };
        upload.size += piece.len() as u64;
        if upload.size <= most {
            file.write_all(&piece).await?;
        }
    }
    file.flush().await?;
    Ok(upload)
}

async fn store(engine: &Engine, field: &mut multer::Field<'_>) -> Result<Upload, Refusal> {
    let path = engine.upload();
    let mut file = BufWriter::with_capacity(AT_ONCE, File::create(&path).await?);
    let mut upload = Upload {
        path,
        size: 0,
        md5: String::new(),
    };
    let mut md5 = Md5::new();
    let refused = loop {
        match field.chunk().await {
            Ok(Some(chunk)) => {
                upload.size += chunk.len() as u64;
                if upload.size > LARGEST {
                    break Some(Refusal::new(
                        "FILE_SIZE_LIMIT_EXCEEDED",
                        "the file is larger than 2 GB",
                    ));
                }
                md5.update(&chunk);
                file.write_all(&chunk).await?;
            }
            Ok(None) => break None,
            Err(e) => {
                break Some(Refusal::new(
                    "INVALID_MULTIPART_REQUEST",
                    format!("Multipart message can't be read: {e}"),
                ));
            }
        }
    };
    file.flush().await?;
    if let Some(refusal) = refused {
        discard(&upload).await;
        return Err(refusal);
    }
    upload.md5 = hex(&md5.finalize());
    Ok(upload)
}

/// Removes bytes whose row was refused; after a success they lie elsewhere and nothing is removed.
pub(crate) async fn discard(upload: &Upload) {
    let _gone_already = tokio::fs::remove_file(&upload.path).await;
}
