//! Rows of the index, as they are read.

use rusqlite::{CachedStatement, Connection, OptionalExtension};

use super::schema::{kind_number, kind_of_number};
use crate::db::DbError;
use crate::error::{Error, ErrorKind};
use crate::key::{RecordId, RecordKey, RecordKind};
use crate::stage::index::{Address, Row, file_state, name_of};

pub(super) const ROW: &str = "records.id, records.kind, segment, offset, length, line, bytes, name, records.grp, at, sequence, source_id, \
     parent, alias, after1, after2, skip, files.state, files.detail, hash";
pub(super) const FROM: &str = "records LEFT JOIN files ON files.record = records.id";

pub(super) fn row(r: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    let kind = kind_of_number(r.get(1)?).ok_or(rusqlite::Error::IntegralValueOutOfRange(1, 0))?;
    Ok(Row {
        id: RecordId(r.get(0)?),
        kind,
        address: Address {
            segment: r.get(2)?,
            offset: r.get::<_, i64>(3)?.cast_unsigned(),
            length: r.get(4)?,
            line: r.get(5)?,
        },
        bytes: r.get(6)?,
        name: r.get(7)?,
        group: r.get(8)?,
        at: r.get(9)?,
        sequence: r.get(10)?,
        source_id: r.get(11)?,
        parent: r.get(12)?,
        alias: r.get(13)?,
        after: [r.get(14)?, r.get(15)?],
        version: version(r.get(19)?),
        skip: r.get(16)?,
        file: file_state(r.get::<_, Option<i64>>(17)?.unwrap_or(0), r.get(18)?),
    })
}

fn version(hash: [u8; 16]) -> u64 {
    let mut eight = [0; 8];
    eight.copy_from_slice(&hash[..8]);
    u64::from_le_bytes(eight)
}

pub(super) fn kinds_list(kinds: &[RecordKind]) -> String {
    kinds
        .iter()
        .map(|k| kind_number(*k).to_string())
        .collect::<Vec<_>>()
        .join(",")
}

pub(super) fn numbers(list: &[i64]) -> String {
    list.iter()
        .map(i64::to_string)
        .collect::<Vec<_>>()
        .join(",")
}

pub(super) fn prefix(connection: &Connection) -> Result<String, DbError> {
    let get = |name: &str| -> rusqlite::Result<Option<String>> {
        connection
            .query_row("SELECT value FROM meta WHERE name = ?1", [name], |r| {
                r.get(0)
            })
            .optional()
    };
    match (get("platform")?, get("tenant")?) {
        (Some(platform), Some(tenant)) => Ok(format!("{platform}:{tenant}:")),
        _ => Err(Error::bug("use the stage's index", "its tenant is not named yet").into()),
    }
}

/// Finds records by their keys.
pub(super) struct Finder<'c>(CachedStatement<'c>);

impl<'c> Finder<'c> {
    pub(super) fn new(connection: &'c Connection) -> Result<Self, DbError> {
        Ok(Self(connection.prepare_cached(
            "SELECT id, kind, source_id, hash, revision, grp FROM records WHERE name = ?1",
        )?))
    }

    pub(super) fn find(&mut self, key: &RecordKey) -> Result<Option<Found>, DbError> {
        self.find_named(name_of(key.as_str()), key)
    }

    /// The same, where the key's name is known.
    pub(super) fn find_named(
        &mut self,
        name: i64,
        key: &RecordKey,
    ) -> Result<Option<Found>, DbError> {
        let mut rows = self.0.query([name])?;
        while let Some(r) = rows.next()? {
            let kind = kind_of_number(r.get(1)?);
            let same_id = r.get_ref(2)?.as_str().is_ok_and(|id| id == key.id());
            if same_id && kind.is_some_and(|k| k.name() == key.kind()) {
                return Ok(Some(Found {
                    id: r.get(0)?,
                    hash: r.get(3)?,
                    revision: r.get(4)?,
                    group: r.get(5)?,
                }));
            }
        }
        Ok(None)
    }
}

pub(super) struct Found {
    pub(super) id: i64,
    pub(super) hash: [u8; 16],
    pub(super) revision: Option<i64>,
    pub(super) group: i64,
}

pub(super) fn order(row: &Row) -> (i64, i64, &str, i64) {
    (row.at, row.sequence, &row.source_id, row.id.0)
}

pub(super) fn unknown_kind(number: i64) -> Error {
    Error::new(
        ErrorKind::Mismatch,
        "read the stage",
        format!("kind {number} is unknown"),
    )
    .advise("Use the Deskferry that wrote it, or a newer one")
}
