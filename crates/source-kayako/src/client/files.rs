//! Bytes: attachments with the session, images of texts without it where that is enough.

use deskferry_core::http::{Request, Response, StreamResponse};
use deskferry_core::{Context, Error, ErrorKind, RecordKey, Result};
use futures::StreamExt as _;

use super::{Client, errors};

impl Client {
    /// A file of a message or note, by its path, or by the address of another host, which gets no session.
    pub(crate) async fn attachment(
        &self,
        cx: &Context,
        path: &str,
        about: RecordKey,
    ) -> Result<StreamResponse> {
        self.file(cx, "attachments", "download an attachment", path, about)
            .await
    }

    /// An image that a text shows. Most are public, so it is asked for without the session first (Kayako reference,
    /// section 9).
    pub(crate) async fn media(
        &self,
        cx: &Context,
        path: &str,
        about: RecordKey,
    ) -> Result<StreamResponse> {
        const FETCH: &str = "download an inline image";
        let request = Request::get("media", format!("{}{path}", self.root))
            .operation(FETCH)
            .about(about.clone());
        let answer = self.http.stream(cx, request).await?;
        if answer.is_success() {
            return Ok(answer);
        }
        if !matches!(answer.status, 401 | 403) {
            return Err(file_error(FETCH, answer.status, "", about));
        }
        self.file(cx, "media", FETCH, path, about).await
    }

    /// Bytes with the session. A path leads to our own host, whatever host the given address named.
    async fn file(
        &self,
        cx: &Context,
        endpoint: &'static str,
        operation: &'static str,
        path: &str,
        about: RecordKey,
    ) -> Result<StreamResponse> {
        let mut login = self.login(cx).await?;
        let mut renewed = false;
        loop {
            let address = if path.starts_with('/') {
                format!("{}{path}", self.root)
            } else {
                path.to_owned()
            };
            let request = Request::get(endpoint, address)
                .operation(operation)
                .about(about.clone());
            let answer = self.http.stream(cx, login.dress(request)).await?;
            if answer.is_success() {
                return Ok(answer);
            }
            let (status, code) = (answer.status, refused_code(answer).await);
            if renewed || !login.is_stale(status, &code) {
                return Err(file_error(operation, status, &code, about));
            }
            login = self.session.renew(&login, || self.log_in(cx)).await?;
            renewed = true;
        }
    }
}

/// The error code of a refused download. Only refusals are read as an envelope: a file may be JSON itself.
async fn refused_code(answer: StreamResponse) -> String {
    let (status, headers, mut stream) = (answer.status, answer.headers, answer.body);
    let mut body = Vec::new();
    while let Some(Ok(piece)) = stream.next().await {
        body.extend_from_slice(&piece);
        if body.len() > 64 * 1024 {
            break;
        }
    }
    errors::code(&Response::new(status, headers, body))
}

fn file_error(operation: &'static str, status: u16, code: &str, about: RecordKey) -> Error {
    let kind = match status {
        401 => ErrorKind::Credentials,
        403 => ErrorKind::Forbidden,
        404 | 410 => ErrorKind::NotFound,
        500..=599 => ErrorKind::Unavailable,
        _ => ErrorKind::Refused,
    };
    let error = Error::new(kind, operation, format!("Kayako answered {status}")).of(about);
    if code.is_empty() {
        error
    } else {
        error.with("code", code)
    }
}
