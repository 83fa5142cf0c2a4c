//! Classic's rows to canonical records: pure functions, no I/O.

mod fields;
mod knowledge;
mod lists;
mod ticket;
mod timeline;

pub(crate) use fields::{Definitions, field_files};
pub(crate) use knowledge::{Readers, article, category};
pub(crate) use lists::{Desk, account, agent, contact, departed, team};
pub(crate) use ticket::{Ends, conversation};
pub(crate) use timeline::{File, Place, note, post};

use deskferry_core::RecordKind;
use deskferry_core::model::Meta;
use deskferry_core::source::Reject;
use deskferry_core::{RecordKey, Tenant};

use super::xml::Row;
use crate::wire::Defect;

/// A row that could not become a record, with what it was.
pub(crate) fn reject(kind: RecordKind, row: Row<'_>, id: Option<String>, defect: Defect) -> Reject {
    Reject {
        kind,
        id,
        path: defect.path,
        reason: defect.reason,
        raw: row.raw(),
    }
}

/// Key and times.
fn meta(tenant: &Tenant, kind: RecordKind, id: u64) -> Meta {
    Meta::new(tenant.key(kind, id))
}

/// The key of another row, by its number.
fn key_of(tenant: &Tenant, kind: RecordKind, id: Option<u64>) -> Option<RecordKey> {
    id.map(|id| tenant.key(kind, id))
}

#[cfg(test)]
mod tests;
