//! Places in a stage.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::key::RecordId;
use crate::source::{Cursor, Next, Watermark};
use crate::stage::index::Place;

const VERSION: u32 = 1;

/// After a record, in the order of time, sequence, key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct AfterRecord {
    at: i64,
    sequence: i64,
    source_id: String,
    id: RecordId,
}

impl From<Place> for AfterRecord {
    fn from(p: Place) -> Self {
        Self {
            at: p.at,
            sequence: p.sequence,
            source_id: p.source_id,
            id: p.id,
        }
    }
}

impl From<AfterRecord> for Place {
    fn from(p: AfterRecord) -> Self {
        Self {
            at: p.at,
            sequence: p.sequence,
            source_id: p.source_id,
            id: p.id,
        }
    }
}

/// After whole conversations, and within the next one after a record (0 for its beginning).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AfterGroup {
    pub(super) n: i64,
    pub(super) record: i64,
}

/// The place that a cursor names; none for the beginning, and for cursors that are not ours.
pub(super) fn place<T: DeserializeOwned>(cursor: Option<Cursor>) -> Option<T> {
    let cursor = cursor.filter(|cursor| cursor.version == VERSION)?;
    serde_json::from_value(cursor.place).ok()
}

pub(super) fn more<T: Serialize>(place: T) -> Result<Next> {
    let place = serde_json::to_value(place)
        .map_err(|e| Error::bug("name a place in the stage", e.to_string()))?;
    Ok(Next::More(Cursor {
        version: VERSION,
        place,
    }))
}

/// A stage does not change while it is read, so a delta would bring nothing.
pub(super) fn end() -> Next {
    Next::End(Watermark {
        version: VERSION,
        place: serde_json::Value::Null,
    })
}
