//! The org's own addresses: a page for people, dumps and bytes for tests.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use super::{Front, sent};
use crate::org::engine::INTEGRATION_USER;
use crate::org::error::Refusal;
use crate::org::rest::{self, Reply};

/// Rows per piece of a dump.
const DUMP_PIECE: usize = 500;

impl Front {
    /// Every live row of an object as a line of JSON.
    pub(super) fn dump(&self, object: &str) -> Response {
        if self.engine.shape().schema.object(object).is_none() {
            return (
                StatusCode::NOT_FOUND,
                format!("this org has no object {object}\n"),
            )
                .into_response();
        }
        let (engine, object) = (Arc::clone(&self.engine), object.to_owned());
        let pieces = futures::stream::try_unfold(Some(0), move |after| {
            let (engine, object) = (Arc::clone(&engine), object.clone());
            async move {
                let Some(after) = after else { return Ok(None) };
                let read =
                    tokio::task::spawn_blocking(move || engine.dump(&object, after, DUMP_PIECE))
                        .await;
                let (rows, next) = read
                    .map_err(std::io::Error::other)?
                    .map_err(|e| std::io::Error::other(e.message))?;
                let mut lines = String::new();
                for row in rows {
                    lines.push_str(&row.to_string());
                    lines.push('\n');
                }
                Ok::<_, std::io::Error>(Some((Bytes::from(lines), next)))
            }
        });
        (
            [(header::CONTENT_TYPE, "application/x-ndjson")],
            Body::from_stream(pieces),
        )
            .into_response()
    }

    /// An image of a rich-text field, to whoever has its address.
    pub(super) async fn image(&self, query: &str) -> Response {
        let parameters = url::form_urlencoded::parse(query.as_bytes());
        let number = parameters
            .filter(|(name, _)| name == "refid")
            .find_map(|(_, id)| self.engine.ids.parse(&id).map(|(_, number)| number));
        match number.map(|number| self.engine.image(number)) {
            Some(Ok(Some((kind, bytes)))) => {
                ([(header::CONTENT_TYPE, kind)], bytes).into_response()
            }
            _ => sent(Reply::refused(&Refusal::not_found())).await,
        }
    }

    /// `version/download/068…` and `document/download/069…`, to whoever has the address.
    pub(super) async fn download(&self, file: &str) -> Response {
        let id = file.rsplit('/').next().unwrap_or_default().to_owned();
        if !file.starts_with("document/") {
            return self.blob(&id).await;
        }
        let latest = self
            .transaction(INTEGRATION_USER, move |ctx| {
                let row = ctx.row(&id)?.map(|(_, row)| row);
                let version =
                    row.and_then(|row| row.fields.get("LatestPublishedVersionId").cloned());
                Ok(version)
            })
            .await;
        let latest = latest.ok().flatten();
        let latest = latest.as_ref().and_then(serde_json::Value::as_str);
        self.blob(latest.unwrap_or_default()).await
    }

    pub(super) async fn blob(&self, id: &str) -> Response {
        let number = self
            .engine
            .ids
            .parse(id)
            .filter(|(prefix, _)| *prefix == "068")
            .map(|(_, number)| number);
        let mut reply = Reply::refused(&Refusal::not_found());
        if let Some(number) = number {
            reply = Reply::empty(200);
            reply.body = rest::Body::File(self.engine.blob(number));
        }
        sent(reply).await
    }
}
