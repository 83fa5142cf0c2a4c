//! Bytes: asked for without the token first, since most addresses are public and many belong to others (Trengo reference,
//! section 3.4).

use deskferry_core::http::{Request, StreamResponse};
use deskferry_core::{Context, Error, ErrorKind, RecordKey, Result};
use url::Url;

use super::Client;

const FETCH: &str = "download a file";

impl Client {
    /// The bytes at an address. The token goes to the API's own host alone, and only where the address is refused without it.
    pub(crate) async fn file(
        &self,
        cx: &Context,
        address: &str,
        about: &RecordKey,
    ) -> Result<StreamResponse> {
        let address = self.absolute(address);
        let request = || {
            Request::get("files", address.clone())
                .operation(FETCH)
                .about(about.clone())
        };
        // What the API's own host serves counts against its limit.
        let (http, ours) = match self.is_ours(&address) {
            true => (&self.http, true),
            false => (&self.bytes, false),
        };
        let answer = http.stream(cx, request()).await?;
        if answer.is_success() {
            return Ok(answer);
        }
        if !ours || !matches!(answer.status, 401 | 403) {
            return Err(file_error(answer.status, about));
        }
        let answer = http.stream(cx, self.dressed(request())).await?;
        if answer.is_success() {
            return Ok(answer);
        }
        Err(file_error(answer.status, about))
    }

    fn absolute(&self, address: &str) -> String {
        if let Some(rest) = address.strip_prefix("//") {
            format!("https://{rest}")
        } else if address.starts_with('/') {
            format!("{}{address}", self.root())
        } else {
            address.to_owned()
        }
    }

    fn is_ours(&self, address: &str) -> bool {
        Url::parse(address).is_ok_and(|url| url.origin().ascii_serialization() == self.root())
    }
}

fn file_error(status: u16, about: &RecordKey) -> Error {
    let kind = match status {
        // Not our token: the account itself goes on.
        401 | 403 => ErrorKind::Forbidden,
        404 | 410 => ErrorKind::NotFound,
        500..=599 => ErrorKind::Unavailable,
        _ => ErrorKind::Refused,
    };
    Error::new(kind, FETCH, format!("its address answered {status}"))
        .with("status", status)
        .of(about.clone())
}
