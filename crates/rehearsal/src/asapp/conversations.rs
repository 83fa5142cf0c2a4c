//! The Conversation and AutoSummary APIs (ASAPP reference, sections 4.1 and 4.2): what is asked about one conversation.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::exporter::{Desk, error};

/// What the Conversation API holds. There is no list of it: who asks must know the id.
#[derive(Clone, Debug, Default)]
pub struct Told(BTreeMap<String, (Value, Vec<Value>)>);

impl Told {
    /// Adds a conversation and its messages, as they are answered.
    pub fn add(&mut self, id: impl Into<String>, conversation: Value, messages: Vec<Value>) {
        self.0.insert(id.into(), (conversation, messages));
    }
}

fn not_enabled() -> Response {
    error(
        StatusCode::FORBIDDEN,
        "this product is not enabled for the key",
    )
}

fn found(desk: &Desk, id: &str) -> Result<(Value, Vec<Value>), Box<Response>> {
    let Some(told) = &desk.options.told else {
        return Err(Box::new(not_enabled()));
    };
    if id.is_empty()
        || !id
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    {
        return Err(Box::new(error(
            StatusCode::BAD_REQUEST,
            "this is no id of a conversation",
        )));
    }
    let found = told.0.get(id).cloned();
    found.ok_or_else(|| Box::new(error(StatusCode::NOT_FOUND, "no such conversation")))
}

pub(super) async fn one(
    State(desk): State<Arc<Desk>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    if let Some(refusal) = desk.refuses(&headers) {
        return refusal;
    }
    match found(&desk, &id) {
        Ok((conversation, _)) => Json(conversation).into_response(),
        Err(refusal) => *refusal,
    }
}

pub(super) async fn messages(
    State(desk): State<Arc<Desk>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    if let Some(refusal) = desk.refuses(&headers) {
        return refusal;
    }
    match found(&desk, &id) {
        Ok((_, messages)) => Json(json!({ "items": messages })).into_response(),
        Err(refusal) => *refusal,
    }
}

/// Makes something new with each call, for a conversation that is named in exactly one way.
pub(super) async fn make(
    State(desk): State<Arc<Desk>>,
    Path(call): Path<String>,
    headers: HeaderMap,
    Json(asked): Json<Value>,
) -> Response {
    if let Some(refusal) = desk.refuses(&headers) {
        return refusal;
    }
    if !desk.options.summaries {
        return not_enabled();
    }
    let ids = ["conversationId", "externalConversationId", "issueId"];
    let named: Vec<&str> = ids
        .iter()
        .filter_map(|name| asked.get(name)?.as_str())
        .collect();
    let [id] = named.as_slice() else {
        return error(
            StatusCode::BAD_REQUEST,
            "name the conversation in exactly one way",
        );
    };
    let number = desk.made.fetch_add(1, Ordering::Relaxed) + 1;
    let answer = match call.as_str() {
        "free-text-summaries" => {
            json!({"conversationId": id, "summaryId": format!("made-{number}"), "summaryText": format!("What was said in {id}.")})
        }
        // One value as a number, and without its id: both occur in guides.
        "structured-data" => {
            json!({"conversationId": id, "id": format!("made-{number}"), "structuredDataMetrics": [
                {"id": "q_done", "name": "Done", "value": "Yes"}, {"name": "e_amount", "answer": 12.5}]})
        }
        "intent" => {
            json!({"conversationId": id, "intent": {"code": "PAYBILL", "name": "Pay a bill"}})
        }
        _ => return error(StatusCode::NOT_FOUND, "no such call"),
    };
    Json(answer).into_response()
}
