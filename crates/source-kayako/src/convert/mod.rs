//! Kayako's JSON to canonical records: pure functions, no I/O.

mod beside;
mod case;
mod centre;
mod email;
mod fields;
mod files;
mod headers;
mod html;
mod inventory;
mod merge;
mod people;
mod post;

pub(crate) use beside::{Event, Note, event, notes};
pub(crate) use case::{CasePeople, conversation};
pub(crate) use centre::{Centre, Readers};
pub(crate) use fields::{Definitions, definition};
pub(crate) use files::{Located, locate, shown_cids};
pub(crate) use headers::Threading;
pub(crate) use inventory::{Names, item, odd_field, users_in};
pub(crate) use merge::merged_into;
pub(crate) use people::{Person, account, departed, person, team, unexpanded};
pub(crate) use post::{Converted, Place, message, users_of, wants_original};

use deskferry_core::model::{CustomValue, Meta};
use deskferry_core::source::Reject;
use deskferry_core::{RecordKey, RecordKind};
use serde_json::value::RawValue;

use crate::wire::Defect;

/// A row that could not become a record, with what it was.
pub(crate) fn reject(
    kind: RecordKind,
    id: Option<String>,
    defect: Defect,
    raw: &RawValue,
) -> Reject {
    Reject {
        kind,
        id,
        path: defect.path,
        reason: defect.reason,
        raw: raw.get().to_owned(),
    }
}

/// Key, times, address and the id that the row had in Kayako Classic.
struct Frame<'a> {
    key: RecordKey,
    url: Option<&'a str>,
    created_at: Option<chrono::DateTime<chrono::Utc>>,
    updated_at: Option<chrono::DateTime<chrono::Utc>>,
    legacy_id: Option<&'a str>,
}

impl Frame<'_> {
    fn meta(self) -> Meta {
        let mut meta = Meta::new(self.key);
        meta.url = self.url.map(str::to_owned);
        meta.created_at = self.created_at;
        meta.updated_at = self.updated_at;
        // Lists move while they are walked: of two readings of one row the one that changed later is right.
        meta.revision = self.updated_at.map(|time| time.timestamp());
        if let Some(legacy) = self.legacy_id {
            meta.custom
                .insert("legacy_id".to_owned(), CustomValue::Text(legacy.to_owned()));
        }
        meta
    }
}

#[cfg(test)]
mod tests;
