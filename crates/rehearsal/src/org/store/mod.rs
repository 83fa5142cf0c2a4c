//! Rows on SQLite: per object a table of JSON bodies by number, per looked-up field an index table, and how many rows there are.
//!
//! A record's id is its number in another spelling ([`Ids`](super::ids::Ids)), so rows need no id column. Deleted rows
//! stay, marked, but leave every index; those that are purged keep their number only.

mod db;
mod index;
mod recent;

use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use serde_json::{Map, Value};

pub(crate) use self::db::Db;
pub(crate) use self::index::{find, flush, found, index_key, is_full};
use super::error::Refusal;
use super::schema::{Object, Schema};

/// What `deleted` says of a row that is gone for good: neither restored nor shown.
const PURGED: i64 = 2;

/// Memory for pages of the database.
const CACHE_KIB: i64 = 96 << 10;
/// Pages of 4 KiB in the journal before they are copied into the database.
const JOURNAL_PAGES: i64 = 16 << 10;

/// The values of one record by API name; null ones are absent.
pub(crate) type Fields = Map<String, Value>;

#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) number: i64,
    pub(crate) deleted: bool,
    pub(crate) fields: Fields,
}

/// Opens the database of a state folder, or makes it.
pub(crate) fn open(file: &Path) -> rusqlite::Result<Db> {
    // One thread at a time has it, so that SQLite need not look after that.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(file, flags)?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    // Keys in random order touch a page of the index each: pages are kept (in KiB, negative by SQLite's custom) and
    // copied out of the journal seldom.
    db.pragma_update(None, "cache_size", -CACHE_KIB)?;
    db.pragma_update(None, "wal_autocheckpoint", JOURNAL_PAGES)?;
    db.pragma_update(None, "temp_store", "MEMORY")?;
    // The state must survive the death of this process, not of the machine.
    db.pragma_update(None, "synchronous", "OFF")?;
    db.set_prepared_statement_cache_capacity(512);
    db.execute_batch(
        "CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
         CREATE TABLE IF NOT EXISTS sessions(token TEXT PRIMARY KEY, user INTEGER NOT NULL, expired INTEGER NOT NULL) WITHOUT ROWID;
         CREATE TABLE IF NOT EXISTS cursors(n INTEGER PRIMARY KEY, query TEXT NOT NULL, deleted INTEGER NOT NULL, rows BLOB NOT NULL);
         CREATE TABLE IF NOT EXISTS images(n INTEGER PRIMARY KEY, kind TEXT NOT NULL, bytes BLOB NOT NULL);
         CREATE TABLE IF NOT EXISTS deploys(n INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL);
         CREATE TABLE IF NOT EXISTS metadata(kind TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY(kind, name)) WITHOUT ROWID;
         CREATE TABLE IF NOT EXISTS retrievals(n INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL);
         CREATE TABLE IF NOT EXISTS refresh_tokens(token TEXT PRIMARY KEY, user INTEGER NOT NULL) WITHOUT ROWID;
         CREATE TABLE IF NOT EXISTS old_jobs(n INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL);
         CREATE TABLE IF NOT EXISTS old_batches(n INTEGER PRIMARY KEY AUTOINCREMENT, job INTEGER NOT NULL, body TEXT NOT NULL, result BLOB NOT NULL);
         CREATE TABLE IF NOT EXISTS counts(name TEXT PRIMARY KEY, live INTEGER NOT NULL) WITHOUT ROWID;
         CREATE TABLE IF NOT EXISTS jobs(n INTEGER PRIMARY KEY AUTOINCREMENT, active INTEGER NOT NULL, body TEXT NOT NULL);
         CREATE TABLE IF NOT EXISTS job_rows(job INTEGER NOT NULL, n INTEGER NOT NULL, start INTEGER NOT NULL,
             length INTEGER NOT NULL, id TEXT, created INTEGER NOT NULL, error TEXT, PRIMARY KEY(job, n)) WITHOUT ROWID;",
    )?;
    Ok(Db::new(db))
}

/// Makes the tables that the schema needs and that are not there yet.
pub(crate) fn prepare(db: &Connection, schema: &Schema) -> rusqlite::Result<()> {
    for object in &schema.objects {
        let name = object.table();
        db.execute_batch(&format!(
            "CREATE TABLE IF NOT EXISTS o_{name}(n INTEGER PRIMARY KEY, deleted INTEGER NOT NULL DEFAULT 0, body TEXT NOT NULL);"
        ))?;
    }
    index::prepare(db, schema)?;
    index::count(db, schema)
}

pub(crate) fn next_number(db: &Db, object: &Object) -> rusqlite::Result<i64> {
    let recent = db.recent.borrow();
    let known = recent
        .known(object.table())
        .filter(|_| recent.gathering)
        .and_then(recent::Table::next);
    drop(recent);
    if let Some(next) = known {
        return Ok(next);
    }
    let sql = format!("SELECT COALESCE(MAX(n), 0) + 1 FROM o_{}", object.table());
    db.prepare_cached(&sql)?.query_row([], |row| row.get(0))
}

/// Adds a row under a number from [`next_number`].
pub(crate) fn insert(
    db: &Db,
    object: &Object,
    number: i64,
    fields: &Fields,
) -> Result<(), Refusal> {
    let sql = format!("INSERT INTO o_{}(n, body) VALUES(?1, ?2)", object.table());
    db.prepare_cached(&sql)?
        .execute(params![number, serde_json::to_string(fields)?])?;
    counted(db, object, 1)?;
    if db.recent.borrow().gathering {
        db.recent.borrow_mut().table(object.table()).added(number);
    }
    for field in object.indexed() {
        if let Some(key) = fields
            .get(&field.name)
            .and_then(|value| index_key(field, value))
        {
            index::add(db, object, field, &key, number)?;
        }
    }
    Ok(())
}

/// So many rows more that are not deleted.
fn counted(db: &Db, object: &Object, rows: i64) -> rusqlite::Result<()> {
    let mut recent = db.recent.borrow_mut();
    if recent.gathering {
        recent.table(object.table()).count(rows);
        Ok(())
    } else {
        db::counts(db, object.table(), rows)
    }
}

/// Keeps an image of a rich-text field; its number.
pub(crate) fn add_image(db: &Connection, kind: &str, bytes: &[u8]) -> rusqlite::Result<i64> {
    db.prepare_cached("INSERT INTO images(kind, bytes) VALUES(?1, ?2)")?
        .execute(params![kind, bytes])?;
    Ok(db.last_insert_rowid())
}

/// The media type and the bytes of an image.
pub(crate) fn image(db: &Connection, number: i64) -> rusqlite::Result<Option<(String, Vec<u8>)>> {
    db.query_row(
        "SELECT kind, bytes FROM images WHERE n = ?1",
        [number],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
    .optional()
}

/// Replaces the values of a row.
pub(crate) fn update(
    db: &Db,
    object: &Object,
    before: &Row,
    fields: &Fields,
) -> Result<(), Refusal> {
    let sql = format!("UPDATE o_{} SET body = ?2 WHERE n = ?1", object.table());
    db.prepare_cached(&sql)?
        .execute(params![before.number, serde_json::to_string(fields)?])?;
    let mut is_touched = false;
    for field in object.indexed() {
        let old = before
            .fields
            .get(&field.name)
            .and_then(|value| index_key(field, value));
        let new = fields
            .get(&field.name)
            .and_then(|value| index_key(field, value));
        if old == new {
            continue;
        }
        if !std::mem::replace(&mut is_touched, true) {
            touch(db, object, before.number, false);
        }
        if let Some(old) = old {
            index::remove(db, object, field, &old, before.number)?;
        }
        if let Some(new) = new {
            index::add(db, object, field, &new, before.number)?;
        }
    }
    Ok(())
}

/// What is known in memory of a row does not hold any more.
fn touch(db: &Db, object: &Object, number: i64, gone: bool) {
    let mut recent = db.recent.borrow_mut();
    if recent.known(object.table()).is_some() {
        recent.table(object.table()).touch(number, gone);
    }
}

/// Marks a row as deleted and takes it out of every index.
pub(crate) fn delete(db: &Db, object: &Object, row: &Row) -> Result<(), Refusal> {
    let sql = format!(
        "UPDATE o_{} SET deleted = 1 WHERE n = ?1 AND deleted = 0",
        object.table()
    );
    let taken = db.prepare_cached(&sql)?.execute([row.number])?;
    if taken > 0 {
        counted(db, object, -1)?;
    }
    touch(db, object, row.number, true);
    for field in object.indexed() {
        if let Some(key) = row
            .fields
            .get(&field.name)
            .and_then(|value| index_key(field, value))
        {
            index::remove(db, object, field, &key, row.number)?;
        }
    }
    Ok(())
}

/// Tells when a row was deleted.
pub(crate) fn stamp(
    db: &Connection,
    object: &Object,
    number: i64,
    at: &str,
) -> rusqlite::Result<()> {
    let sql = format!(
        "UPDATE o_{} SET body = json_set(body, '$.SystemModstamp', ?2) WHERE n = ?1",
        object.table()
    );
    db.prepare_cached(&sql)?
        .execute(params![number, at])
        .map(|_| ())
}

/// Takes a deleted row away for good; its number is not given again.
pub(crate) fn purge(db: &Connection, object: &Object, number: i64) -> rusqlite::Result<()> {
    let sql = format!(
        "UPDATE o_{} SET deleted = {PURGED}, body = '{{}}' WHERE n = ?1",
        object.table()
    );
    db.prepare_cached(&sql)?.execute([number]).map(|_| ())
}

/// A row by its number, deleted or not.
pub(crate) fn get(db: &Connection, object: &Object, number: i64) -> Result<Option<Row>, Refusal> {
    let sql = format!(
        "SELECT deleted, body FROM o_{} WHERE n = ?1 AND deleted <> {PURGED}",
        object.table()
    );
    let found: Option<(bool, String)> = db
        .prepare_cached(&sql)?
        .query_row([number], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    found
        .map(|(deleted, body)| {
            Ok(Row {
                number,
                deleted,
                fields: serde_json::from_str(&body)?,
            })
        })
        .transpose()
}

/// Whether a row is there: `Some(deleted)`.
pub(crate) fn state(db: &Db, object: &Object, number: i64) -> rusqlite::Result<Option<bool>> {
    let recent = db.recent.borrow();
    let known = recent.known(object.table());
    if known.is_some_and(|table| table.is_live(number)) {
        return Ok(Some(false));
    }
    let gathering = recent.gathering;
    drop(recent);
    let sql = format!("SELECT deleted FROM o_{} WHERE n = ?1", object.table());
    let deleted: Option<bool> = db
        .prepare_cached(&sql)?
        .query_row([number], |row| row.get(0))
        .optional()?;
    // Without savepoints what is there stays there, unless all of the transaction goes.
    if gathering && deleted == Some(false) {
        let mut recent = db.recent.borrow_mut();
        recent.table(object.table()).set_live(number);
    }
    Ok(deleted)
}

/// The next rows after a number, deleted ones included.
pub(crate) fn page(
    db: &Connection,
    object: &Object,
    after: i64,
    limit: usize,
) -> Result<Vec<Row>, Refusal> {
    let sql = format!(
        "SELECT n, deleted, body FROM o_{} WHERE n > ?1 AND deleted <> {PURGED} ORDER BY n LIMIT ?2",
        object.table()
    );
    let mut statement = db.prepare_cached(&sql)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![after, limit], |row| {
        Ok((
            row.get::<_, i64>(0)?,
            row.get::<_, bool>(1)?,
            row.get::<_, String>(2)?,
        ))
    })?;
    rows.map(|row| {
        let (number, deleted, body) = row?;
        Ok(Row {
            number,
            deleted,
            fields: serde_json::from_str(&body)?,
        })
    })
    .collect()
}

/// Numbers of rows that are not deleted, behind one number and up to another, so many at most.
pub(crate) fn numbers(
    db: &Connection,
    object: &Object,
    (after, last): (i64, i64),
    most: usize,
) -> rusqlite::Result<Vec<i64>> {
    let sql = format!(
        "SELECT n FROM o_{} WHERE n > ?1 AND n <= ?2 AND deleted = 0 ORDER BY n LIMIT ?3",
        object.table()
    );
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    db.prepare_cached(&sql)?
        .query_map(params![after, last, most], |row| row.get(0))?
        .collect()
}

/// How many rows are not deleted.
pub(crate) fn count(db: &Connection, object: &Object) -> rusqlite::Result<i64> {
    db.prepare_cached("SELECT live FROM counts WHERE name = ?1")?
        .query_row([object.table()], |row| row.get(0))
}

pub(crate) fn meta(db: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    db.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| {
        row.get(0)
    })
    .optional()
}

pub(crate) fn set_meta(db: &Connection, key: &str, value: &str) -> rusqlite::Result<()> {
    db.execute(
        "INSERT OR REPLACE INTO meta(key, value) VALUES(?1, ?2)",
        params![key, value],
    )
    .map(|_| ())
}
