//! The org's own addresses: a page for people, dumps and bytes for tests.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use super::{Front, sent};
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

    /// What a person sees who opens the address.
    pub(super) async fn page(&self) -> Response {
        let engine = Arc::clone(&self.engine);
        let counts = tokio::task::spawn_blocking(move || engine.counts()).await;
        let counts = counts.ok().and_then(Result::ok).unwrap_or_default();
        let rows: String = counts
            .iter()
            .map(|(name, count)| format!("<tr><td>{name}<td>{count}"))
            .collect();
        let page = format!(
            "<!DOCTYPE html><meta charset=utf-8><title>Local org</title><h1>A local Salesforce org</h1>\
             <p>It stands in for a Service Cloud org in rehearsals and tests. Org id {}.</p>\
             <table><tr><th>Object<th>Rows{rows}</table>\
             <p><a href=\"/rehearsal/requests\">Requests</a>, <a href=\"/rehearsal/faults\">fault script</a>; \
             rows of an object as JSON lines at <code>/rehearsal/dump/Case</code>.</p>\n",
            self.engine.org_id()
        );
        ([(header::CONTENT_TYPE, "text/html;charset=UTF-8")], page).into_response()
    }
}
