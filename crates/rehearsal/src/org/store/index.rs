//! Indices: per field that is looked up a table of keys and row numbers. A key is a number: the number of the row that a
//! reference points at, with its object, or a hash of a text; so entries are small, and what a hash finds is held against
//! the row. Bulk jobs gather entries in memory first ([`Recent`](super::recent::Recent)).

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

use super::db::Db;
use super::{Row, get, meta};
use crate::org::error::Refusal;
use crate::org::schema::{Field, Kind, Object, Schema};

/// Entries in memory, at most: about fifty bytes each.
const MOST_RECENT: usize = 1_000_000;

/// A value as it is compared: ids by their fifteen characters, text without case unless the field minds it.
pub(crate) fn index_key(field: &Field, value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    Some(match field.kind {
        Kind::Reference => text.get(..15).unwrap_or(&text).to_owned(),
        _ if field.case_sensitive => text,
        _ => text.to_lowercase(),
    })
}

/// A key as a number. Equal keys have equal numbers, and seldom others do.
fn number_of(key: &str) -> i64 {
    // FNV-1a, with a last mixing: its upper bits alone would be poor for short keys.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in key.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash ^= hash >> 32;
    hash = hash.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (hash ^ hash >> 29).cast_signed()
}

/// An id's object and number, packed so that ids that follow each other have keys that do. Two orgs' ids may be packed alike.
fn packed_id(id: &str) -> Option<i64> {
    let id = id.as_bytes();
    if id.len() != 15 {
        return None;
    }
    let digits = |part: &[u8]| {
        part.iter().try_fold(0_i64, |sum, byte| {
            let digit = match byte {
                b'0'..=b'9' => byte - b'0',
                b'A'..=b'Z' => byte - b'A' + 10,
                b'a'..=b'z' => byte - b'a' + 36,
                _ => return None,
            };
            Some(sum * 62 + i64::from(digit))
        })
    };
    let (object, number) = (digits(&id[..3])?, digits(&id[7..])?);
    (number < 1 << 44).then_some(object << 44 | number)
}

fn key_of(field: &Field, key: &str) -> i64 {
    let packed = (field.kind == Kind::Reference).then(|| packed_id(key));
    packed.flatten().unwrap_or_else(|| number_of(key))
}

fn name(object: &Object, field: &Field) -> String {
    format!("x_{}_{}", object.table(), field.name)
}

/// Makes the indices that the schema needs and that are not there yet, and brings in what a process that died had in memory.
pub(super) fn prepare(db: &Connection, schema: &Schema) -> rusqlite::Result<()> {
    for object in &schema.objects {
        for field in object.indexed() {
            let (index, older) = (name(object, field), older(object, field));
            if there(db, &index)? {
                continue;
            }
            db.execute_batch(&format!(
                "CREATE TABLE {index}(h INTEGER NOT NULL, n INTEGER NOT NULL, PRIMARY KEY(h, n)) WITHOUT ROWID;
                 DROP TABLE IF EXISTS {older};"
            ))?;
            fill(db, object, &[field], 0)?;
        }
        let marker = marker(object.table());
        if let Some(from) = meta(db, &marker)? {
            let fields: Vec<&Field> = object.indexed().collect();
            fill(db, object, &fields, from.parse().unwrap_or(0))?;
            db.execute("DELETE FROM meta WHERE key = ?1", [&marker])?;
        }
    }
    Ok(())
}

/// What an index was called when it held texts.
fn older(object: &Object, field: &Field) -> String {
    format!("i_{}_{}", object.table(), field.name)
}

fn there(db: &Connection, table: &str) -> rusqlite::Result<bool> {
    db.prepare_cached(
        "SELECT EXISTS(SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?1)",
    )?
    .query_row([table], |row| row.get(0))
}

/// Under which name the first row is kept of which entries are in memory only.
fn marker(table: &str) -> String {
    format!("unindexed {table}")
}

/// Adds the entries of rows from a number on; those that are there stay.
fn fill(db: &Connection, object: &Object, fields: &[&Field], from: i64) -> rusqlite::Result<()> {
    let sql = format!(
        "SELECT n, body FROM o_{} WHERE n >= ?1 AND deleted = 0",
        object.table()
    );
    let mut rows = db.prepare(&sql)?;
    let mut rows = rows.query([from])?;
    while let Some(row) = rows.next()? {
        let number: i64 = row.get(0)?;
        let body = row.get_ref(1)?;
        let body: super::Fields = serde_json::from_slice(body.as_bytes()?).unwrap_or_default();
        for field in fields {
            let key = body.get(&field.name).and_then(|v| index_key(field, v));
            if let Some(key) = key {
                put(db, object, field, key_of(field, &key), number)?;
            }
        }
    }
    Ok(())
}

fn put(
    db: &Connection,
    object: &Object,
    field: &Field,
    key: i64,
    number: i64,
) -> rusqlite::Result<()> {
    let sql = format!(
        "INSERT OR IGNORE INTO {}(h, n) VALUES(?1, ?2)",
        name(object, field)
    );
    db.prepare_cached(&sql)?
        .execute(params![key, number])
        .map(|_| ())
}

/// Adds an entry.
pub(super) fn add(
    db: &Db,
    object: &Object,
    field: &Field,
    key: &str,
    number: i64,
) -> rusqlite::Result<()> {
    let key = key_of(field, key);
    let mut recent = db.recent.borrow_mut();
    if !recent.gathering {
        return put(db, object, field, key, number);
    }
    let table = recent.table(object.table());
    if !table.marked {
        table.marked = true;
        db.prepare_cached("INSERT OR IGNORE INTO meta(key, value) VALUES(?1, ?2)")?
            .execute(params![marker(object.table()), number.to_string()])?;
    }
    table.field(&field.name).add(key, number);
    recent.entries += 1;
    Ok(())
}

/// Takes an entry out.
pub(super) fn remove(
    db: &Db,
    object: &Object,
    field: &Field,
    key: &str,
    number: i64,
) -> rusqlite::Result<()> {
    let sql = format!(
        "DELETE FROM {} WHERE h = ?1 AND n = ?2",
        name(object, field)
    );
    db.prepare_cached(&sql)?
        .execute(params![key_of(field, key), number])
        .map(|_| ())
}

/// Numbers of the rows whose indexed field has this value, in their order.
pub(crate) fn find(
    db: &Db,
    object: &Object,
    field: &Field,
    key: &str,
) -> Result<Vec<i64>, Refusal> {
    let mut numbers = found(db, object, field, key)?;
    let mut failed = None;
    numbers.retain(|number| match get(db, object, *number) {
        Ok(row) => row.is_some_and(|row| has(&row, field, key)),
        Err(refusal) => {
            failed = Some(refusal);
            false
        }
    });
    failed.map_or(Ok(numbers), Err)
}

fn has(row: &Row, field: &Field, key: &str) -> bool {
    let own = row.fields.get(&field.name);
    !row.deleted && own.and_then(|own| index_key(field, own)).as_deref() == Some(key)
}

/// The same with a few more, perhaps: for who looks at the rows anyway.
pub(crate) fn found(
    db: &Db,
    object: &Object,
    field: &Field,
    key: &str,
) -> rusqlite::Result<Vec<i64>> {
    let key = key_of(field, key);
    let sql = format!(
        "SELECT n FROM {} WHERE h = ?1 ORDER BY n",
        name(object, field)
    );
    let mut numbers: Vec<i64> = db
        .prepare_cached(&sql)?
        .query_map([key], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let recent = db.recent.borrow();
    let table = recent.known(object.table());
    let entries = table.and_then(|t| t.fields.iter().find(|(name, _)| *name == field.name));
    if let Some((_, entries)) = entries {
        let before = numbers.len();
        entries.find(key, &mut numbers);
        if numbers.len() > before {
            numbers.sort_unstable();
            numbers.dedup();
        }
    }
    Ok(numbers)
}

/// Whether there are entries enough in memory for [`flush`].
pub(crate) fn is_full(db: &Db) -> bool {
    db.recent.borrow().entries >= MOST_RECENT
}

/// Brings the entries in memory into the database, in the order of their keys. Outside of a transaction.
pub(crate) fn flush(db: &Db, schema: &Schema) -> Result<(), Refusal> {
    if db.recent.borrow().entries == 0 {
        return Ok(());
    }
    let tx = db.unchecked_transaction()?;
    {
        let recent = db.recent.borrow();
        for object in &schema.objects {
            let Some(table) = recent.known(object.table()) else {
                continue;
            };
            for (field, entries) in &table.fields {
                let Some(field) = object.indexed().find(|known| known.name == *field) else {
                    continue;
                };
                let mut entries: Vec<(i64, i64)> = entries
                    .all
                    .iter()
                    .map(|entry| (entry.key, entry.number))
                    .filter(|(_, number)| !table.touched.contains(number))
                    .collect();
                entries.sort_unstable();
                for (key, number) in entries {
                    put(db, object, field, key, number)?;
                }
            }
            let fields: Vec<&Field> = object.indexed().collect();
            for number in &table.touched {
                let row = get(db, object, *number)?.filter(|row| !row.deleted);
                for field in row.iter().flat_map(|_| &fields) {
                    let own = row.as_ref().and_then(|row| row.fields.get(&field.name));
                    if let Some(key) = own.and_then(|own| index_key(field, own)) {
                        put(db, object, field, key_of(field, &key), *number)?;
                    }
                }
            }
            db.prepare_cached("DELETE FROM meta WHERE key = ?1")?
                .execute([marker(object.table())])?;
        }
    }
    tx.commit()?;
    db.recent.borrow_mut().clear();
    Ok(())
}

/// Counts the rows of tables that were not counted yet.
pub(super) fn count(db: &Connection, schema: &Schema) -> rusqlite::Result<()> {
    for object in schema.objects.iter().filter(|o| o.view_of.is_none()) {
        let known: Option<i64> = db
            .prepare_cached("SELECT live FROM counts WHERE name = ?1")?
            .query_row([object.table()], |row| row.get(0))
            .optional()?;
        if known.is_none() {
            let sql = format!(
                "SELECT COUNT(*) FROM o_{} WHERE deleted = 0",
                object.table()
            );
            let live: i64 = db.query_row(&sql, [], |row| row.get(0))?;
            db.prepare_cached("INSERT INTO counts(name, live) VALUES(?1, ?2)")?
                .execute(params![object.table(), live])?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_follow_each_other_have_keys_that_do_and_texts_have_numbers_of_their_own() {
        let keys: Vec<i64> = ["500Qx0000000001", "500Qx0000000002", "500Qx000000000A"]
            .iter()
            .map(|id| packed_id(id).unwrap())
            .collect();
        assert_eq!((keys[1] - keys[0], keys[2] - keys[0]), (1, 9));
        assert_ne!(packed_id("500Qx0000000001"), packed_id("003Qx0000000001"));
        assert_eq!(
            packed_id("500Qx00000zzzzz").map(|key| key & ((1 << 44) - 1)),
            Some(916_132_831)
        );
        for other in ["", "500Qx000000000", "500Qx00000000é1", "500Qx00zzzzzzzz"] {
            assert_eq!(packed_id(other), None, "{other}");
        }
        let texts: std::collections::HashSet<i64> = (0..10_000)
            .map(|n| number_of(&format!("acme:case:{n}")))
            .collect();
        assert_eq!(texts.len(), 10_000);
    }
}
