//! Bodies: packed and unpacked with gzip, and cut by a fault.

use std::io::{Read, Write};

use axum::body::{Body, HttpBody, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

/// Below this packing costs more than it saves.
const WORTH_PACKING: u64 = 1_024;
/// The largest body that is unpacked; a packed one that grows beyond it is refused.
const LARGEST_UNPACKED: u64 = 256 << 20;

pub(super) fn accepts_gzip(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| {
            value.split(',').any(|coding| {
                let mut parts = coding.split(';').map(str::trim);
                parts
                    .next()
                    .is_some_and(|name| name.eq_ignore_ascii_case("gzip"))
                    && parts.all(|q| q != "q=0")
            })
        })
}

/// The request with a plain body. A gzip body is unpacked in memory.
pub(super) async fn unpacked(request: Request) -> Result<Request, Box<Response>> {
    let packed = request
        .headers()
        .get(header::CONTENT_ENCODING)
        .is_some_and(|c| c.as_bytes().eq_ignore_ascii_case(b"gzip"));
    if !packed {
        return Ok(request);
    }
    let refuse = |why: String| Box::new((StatusCode::BAD_REQUEST, why).into_response());
    let (mut head, body) = request.into_parts();
    let bytes = to_bytes(body, usize::MAX)
        .await
        .map_err(|e| refuse(e.to_string()))?;
    let mut plain = Vec::new();
    let mut decoder = GzDecoder::new(&bytes[..]).take(LARGEST_UNPACKED + 1);
    decoder
        .read_to_end(&mut plain)
        .map_err(|e| refuse(format!("body is not gzip: {e}")))?;
    if plain.len() as u64 > LARGEST_UNPACKED {
        return Err(Box::new(StatusCode::PAYLOAD_TOO_LARGE.into_response()));
    }
    head.headers.remove(header::CONTENT_ENCODING);
    head.headers
        .insert(header::CONTENT_LENGTH, HeaderValue::from(plain.len()));
    Ok(Request::from_parts(head, Body::from(plain)))
}

/// The response packed with gzip, if it is text whose size is known and worth it.
pub(super) async fn packed(response: Response) -> Response {
    let is_text = response
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .is_some_and(|media| {
            media.starts_with("application/json") || media.starts_with("text/csv")
        });
    let size = response.body().size_hint().exact().unwrap_or(0);
    if !is_text || size < WORTH_PACKING || response.headers().contains_key(header::CONTENT_ENCODING)
    {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, usize::MAX).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let Ok(small) = gzip(&bytes) else {
        return Response::from_parts(head, Body::from(bytes));
    };
    head.headers
        .insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    head.headers
        .insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    head.headers
        .insert(header::CONTENT_LENGTH, HeaderValue::from(small.len()));
    Response::from_parts(head, Body::from(small))
}

fn gzip(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::fast());
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// The response with its whole `Content-Length`, of which only the first bytes arrive.
pub(super) async fn cut(response: Response, after_bytes: u64) -> Response {
    let (mut head, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
    head.headers.remove(header::TRANSFER_ENCODING);
    head.headers
        .insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    let sent = usize::try_from(after_bytes)
        .unwrap_or(usize::MAX)
        .min(bytes.len().saturating_sub(1));
    let pieces: [Result<Bytes, super::Cut>; 2] = [Ok(bytes.slice(..sent)), Err(super::Cut)];
    // The pause between the two lets the first piece leave before the connection breaks.
    let stream = futures::stream::unfold(pieces.into_iter(), |mut rest| async move {
        tokio::task::yield_now().await;
        rest.next().map(|piece| (piece, rest))
    });
    Response::from_parts(head, Body::from_stream(stream))
}
