//! The calls of a job's life (Salesforce APIs, section 9.1): nothing but request and decoded answer.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use deskferry_core::context::Context;
use deskferry_core::error::{Error, ErrorKind, Result};
use deskferry_core::http::{Method, PartBody, Request, Response, StreamResponse};
use futures::stream::{self, StreamExt};
use serde::Deserialize;
use serde_json::json;

use super::csv::Upload;
use super::results::Set;
use super::{disk, unnamed_file};
use crate::client::Api;
use crate::client::collections::{Judged, judged};
use crate::client::error::{Refusal, error_of, refused};

/// How much of a file is read at once.
const PIECE: usize = 64 << 10;
/// How often a result set is read again that breaks off.
const READS: u32 = 4;

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum State {
    Open,
    UploadComplete,
    InProgress,
    JobComplete,
    Failed,
    Aborted,
    /// A word that is newer than we are: not an end.
    #[serde(other)]
    Other,
}

impl State {
    pub(crate) fn is_end(self) -> bool {
        matches!(self, Self::JobComplete | Self::Failed | Self::Aborted)
    }
}

/// What the platform says of a job. Keys that are not listed are passed over.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Job {
    pub(crate) id: String,
    pub(crate) state: State,
    #[serde(default, rename = "errorMessage")]
    pub(crate) error: Option<String>,
}

/// What became of a step of a job.
#[derive(Debug)]
pub(crate) enum Step<T> {
    Done(T),
    /// It may or may not have taken effect.
    Lost,
    Refused(Refusal),
}

impl Api {
    fn job_path(&self, id: &str, rest: &str) -> String {
        let id = deskferry_core::http::path_segment(id);
        self.path(&format!("jobs/ingest/{id}{rest}"))
    }

    /// Opens a job that inserts rows of an object.
    pub(crate) async fn open_job(&self, cx: &Context, object: &str) -> Result<Step<Job>> {
        let operation = format!("open a bulk job for {object}");
        let body = json!({
            "object": object, "operation": "insert",
            "contentType": "CSV", "lineEnding": "LF", "columnDelimiter": "COMMA",
        });
        let request = Request::post("bulk-open", self.path("jobs/ingest"))
            .json(&body)
            .operation(operation.clone());
        Ok(
            match judged(self.send(cx, request).await, operation.clone())? {
                Judged::Success(response) => match response.json(operation) {
                    Ok(job) => Step::Done(job),
                    Err(_) => Step::Lost,
                },
                Judged::Lost => Step::Lost,
                Judged::Refused(_, refusal) => Step::Refused(refusal),
            },
        )
    }

    /// Uploads a job's rows. A job takes one upload: it is never repeated once it may have arrived.
    pub(crate) async fn upload_job(
        &self,
        cx: &Context,
        id: &str,
        upload: Upload,
    ) -> Result<Step<()>> {
        let operation = format!("upload {} rows of a bulk job", upload.rows);
        let (len, file) = (upload.bytes, Arc::new(upload.file));
        let content = PartBody::stream(len, move || {
            let file = Arc::clone(&file);
            async move { Ok(pieces(file, len)) }
        });
        let request = Request::put("bulk-upload", self.job_path(id, "/batches"))
            .body("text/csv; charset=UTF-8", content)
            .operation(operation.clone());
        Ok(match judged(self.send(cx, request).await, operation)? {
            Judged::Success(_) => Step::Done(()),
            Judged::Lost => Step::Lost,
            Judged::Refused(_, refusal) => Step::Refused(refusal),
        })
    }

    /// Asks for another state: `UploadComplete` or `Aborted`.
    pub(crate) async fn set_job_state(
        &self,
        cx: &Context,
        id: &str,
        state: &'static str,
    ) -> Result<Step<()>> {
        let operation = format!("set a bulk job to {state}");
        let request = Request::patch("bulk-state", self.job_path(id, ""))
            .json(&json!({"state": state}))
            .operation(operation.clone());
        Ok(match judged(self.send(cx, request).await, operation)? {
            Judged::Success(_) => Step::Done(()),
            Judged::Lost => Step::Lost,
            Judged::Refused(_, refusal) => Step::Refused(refusal),
        })
    }

    /// How far a job is; `None` when the org has it no longer.
    pub(crate) async fn job(&self, cx: &Context, id: &str) -> Result<Option<Job>> {
        const DOING: &str = "ask how far a bulk job is";
        let request = Request::get("bulk-info", self.job_path(id, "")).operation(DOING);
        let response = self.send(cx, request).await?;
        match response.status {
            404 => Ok(None),
            _ if response.is_success() => response.json(DOING).map(Some),
            _ => Err(error_of(&response, DOING).with("job", id)),
        }
    }

    /// Removes a job that ended. Whatever goes wrong only leaves it to the platform, which removes it after a week.
    pub(crate) async fn delete_job(&self, cx: &Context, id: &str) {
        let request = Request::new(Method::Delete, "bulk-delete", self.job_path(id, ""))
            .idempotent(true)
            .operation("delete a bulk job");
        match self.send(cx, request).await {
            Ok(response) if response.is_success() || response.status == 404 => {}
            Ok(response) => tracing::debug!(job = id, status = response.status, "a bulk job stays"),
            Err(error) => tracing::debug!(job = id, %error, "a bulk job stays"),
        }
    }

    /// One result set of a job, in a file; `None` when the org has the job no longer. One that breaks off is read anew.
    pub(crate) async fn job_results(
        &self,
        cx: &Context,
        id: &str,
        set: Set,
    ) -> Result<Option<File>> {
        let mut read = 1;
        loop {
            match self.read_results(cx, id, set).await {
                Err(error) if error.kind() == ErrorKind::Unavailable && read < READS => {
                    tracing::debug!(job = id, %error, "a result set broke off; reading it again");
                    read += 1;
                }
                read => return read,
            }
        }
    }

    async fn read_results(&self, cx: &Context, id: &str, set: Set) -> Result<Option<File>> {
        const DOING: &str = "read the results of a bulk job";
        let request = Request::get(
            "bulk-results",
            self.job_path(id, &format!("/{}/", set.path())),
        )
        .header("Accept", "text/csv")
        .operation(DOING);
        let response = self.stream(cx, request).await?;
        if response.status == 404 {
            return Ok(None);
        }
        if !response.is_success() {
            return Err(error_of(&read_whole(response).await, DOING).with("job", id));
        }
        let mut file = unnamed_file(self.config().bulk_folder.as_deref())?;
        let mut body = response.body;
        while let Some(piece) = body.next().await {
            file.write_all(&piece?).map_err(|e| disk(DOING, e))?;
        }
        Ok(Some(file))
    }
}

/// The refusal of a job's step, for people.
pub(crate) fn step_refused(refusal: &Refusal, operation: &'static str) -> Error {
    refused(400, refusal, operation)
}

/// A file from its start: each attempt reads it anew, by places of its own. It was just written, so it is read from
/// memory.
fn pieces(file: Arc<File>, len: u64) -> deskferry_core::source::ByteStream {
    let next = move |at: u64| {
        let file = Arc::clone(&file);
        async move {
            if at >= len {
                return None;
            }
            let mut piece = vec![0; PIECE.min(usize::try_from(len - at).unwrap_or(PIECE))];
            let read = file
                .read_exact_at(&mut piece, at)
                .map_err(|e| disk("read the rows of a bulk job", e));
            let next = at + piece.len() as u64;
            Some((read.map(|()| Bytes::from(piece)), next))
        }
    };
    stream::unfold(0, next).boxed()
}

/// An answer that is an error, as far as it is needed to be understood.
pub(crate) async fn read_whole(response: StreamResponse) -> Response {
    const ENOUGH: usize = 64 << 10;
    let (mut body, mut text) = (response.body, Vec::new());
    while let Some(Ok(piece)) = body.next().await {
        text.extend_from_slice(&piece);
        if text.len() > ENOUGH {
            break;
        }
    }
    Response::new(response.status, response.headers, text)
}
