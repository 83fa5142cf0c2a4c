//! The Configuration API: four lists by pages (ASAPP reference, section 4.3).

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::exporter::{Desk, error};

/// What a company has set up. A list that is `None` is not enabled for the key.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Configured {
    /// Which structured data is extracted from which conversations.
    pub segments: Option<Vec<Value>>,
    /// Questions and entities.
    pub fields: Option<Vec<Value>>,
    /// What is masked.
    pub redactions: Option<Vec<Value>>,
    /// Words that are taught.
    pub vocabularies: Option<Vec<Value>>,
}

impl Configured {
    /// What goes with a world that AI services deliver: segments of which several match, and what is asked.
    pub fn of_services() -> Self {
        let question = json!({"id": "q_issue_resolved", "name": "Was it resolved?", "categoryId": "OUTCOME", "type": "QUESTION", "active": true,
            "question": {"question": "Was it resolved?"}, "segmentIds": ["GLOBAL"]});
        Self {
            segments: Some(super::services::segments()),
            fields: Some(vec![question]),
            ..Self::default()
        }
    }

    /// Three segments, two of which can match together, more fields than fit on a page, something of the rest.
    pub fn usual() -> Self {
        let segment = |id: &str, raw: &str, fields: &[&str]| json!({"id": id, "name": format!("Segment {id}"), "query": {"type": "raw", "raw": raw}, "structuredDataFieldIds": fields});
        let mut fields = vec![
            json!({"id": "q_done", "name": "Was it done?", "categoryId": "OUTCOME", "type": "QUESTION", "active": true,
                "question": {"question": "Was it done?"}, "segmentIds": ["GLOBAL"]}),
            json!({"id": "e_order_no", "name": "Order number", "categoryId": "CUSTOM", "type": "ENTITY", "active": false,
                "entity": {"name": "Order number", "description": "Order the customer asks about", "examples": ["SO-1001"]}}),
        ];
        fields.extend((0..120).map(|n| {
            json!({"id": format!("e_more_{n:03}"), "name": format!("More {n}"), "categoryId": "CUSTOM", "type": "ENTITY", "active": true,
                "entity": {"name": format!("More {n}"), "description": "", "examples": []}, "segmentIds": ["RETURNS"]})
        }));
        Self {
            segments: Some(vec![
                segment("GLOBAL", "TRUE", &["q_done"]),
                segment("RETURNS", "lob_id = 'line-1'", &["e_order_no"]),
                segment("PHONES", "platform IN ['ios','android']", &[]),
            ]),
            fields: Some(fields),
            redactions: Some(vec![
                json!({"id": "CREDIT_CARD_NUMBER", "description": "Numbers of cards", "policies": {"customerImmediate": true, "voice": false}}),
            ]),
            vocabularies: Some(vec![
                json!({"id": "v-1", "phrase": "ACMEcare", "soundsLike": ["acme care"]}),
            ]),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    cursor: Option<String>,
    limit: Option<usize>,
}

pub(super) async fn list(
    State(desk): State<Arc<Desk>>,
    Path(list): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    if let Some(refusal) = desk.refuses(&headers) {
        return refusal;
    }
    let has = &desk.options.configured;
    let (name, items) = match list.as_str() {
        "segments" => ("segments", &has.segments),
        "structured-data-fields" => ("structuredDataFields", &has.fields),
        "redaction-entities" => ("redactionEntities", &has.redactions),
        "custom-vocabularies" => ("customVocabularies", &has.vocabularies),
        _ => return error(StatusCode::NOT_FOUND, "no such list"),
    };
    let Some(items) = items else {
        return error(
            StatusCode::FORBIDDEN,
            "this product is not enabled for the key",
        );
    };
    let limit = asked.limit.unwrap_or(20);
    if !(1..=100).contains(&limit) {
        return error(
            StatusCode::UNPROCESSABLE_ENTITY,
            "limit is between 1 and 100",
        );
    }
    let from = match asked.cursor.as_deref().unwrap_or("") {
        "" => 0,
        cursor => match cursor.strip_prefix("after-").and_then(|n| n.parse().ok()) {
            Some(from) => from,
            None => return error(StatusCode::BAD_REQUEST, "this cursor was never given"),
        },
    };
    let page: Vec<&Value> = items.iter().skip(from).take(limit).collect();
    let next = from + page.len();
    // Both are ends: nothing, and nothing between quotes.
    let next = match (next < items.len(), items.len() % 2) {
        (true, _) => json!(format!("after-{next}")),
        (false, 0) => Value::Null,
        (false, _) => json!(""),
    };
    Json(json!({name: page, "nextCursor": next, "prevCursor": null})).into_response()
}
