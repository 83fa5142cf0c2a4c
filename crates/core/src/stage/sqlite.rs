//! The index in SQLite.

use std::collections::HashMap;
use std::path::Path;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::index::{
    Address, FOR_NOW, Index, KindCount, NewPage, NewRow, Place, Row, Segment, ShardState,
    file_columns, file_state, name_of,
};
use crate::db::{Db, DbError, Schema};
use crate::error::{Error, ErrorKind, Result};
use crate::fault::point;
use crate::key::{RecordId, RecordKey, RecordKind, Tenant};
use crate::sink::FileState;
use crate::source::{Next, Reject, Shard};

/// The tables are documented in `docs/workspace.md`; people may open and query the file.
const SCHEMA: Schema = Schema {
    name: "the stage's index",
    application_id: 0x4446_5331,
    versions: &["
        CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
        CREATE TABLE segments(id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, file TEXT NOT NULL, end INTEGER NOT NULL);
        CREATE TABLE shards(
            n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, spec TEXT NOT NULL,
            cursor TEXT, watermark TEXT, pages INTEGER NOT NULL DEFAULT 0);
        CREATE INDEX shards_open ON shards(n) WHERE watermark IS NULL;
        CREATE TABLE records(
            id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, name INTEGER NOT NULL, source_id TEXT NOT NULL,
            segment INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL, line INTEGER NOT NULL,
            bytes INTEGER NOT NULL, hash BLOB NOT NULL, revision INTEGER,
            grp INTEGER NOT NULL, at INTEGER NOT NULL, sequence INTEGER NOT NULL,
            parent INTEGER NOT NULL, alias INTEGER NOT NULL, after1 INTEGER NOT NULL, after2 INTEGER NOT NULL,
            skip TEXT, read_at INTEGER NOT NULL);
        CREATE INDEX records_name ON records(name);
        CREATE INDEX records_group ON records(grp) WHERE grp <> 0;
        CREATE INDEX records_order ON records(kind, at, sequence, source_id, id) WHERE grp = 0;
        CREATE INDEX records_parent ON records(kind) WHERE parent <> 0 AND grp = 0;
        CREATE TABLE files(
            record INTEGER PRIMARY KEY, grp INTEGER NOT NULL, state INTEGER NOT NULL, detail TEXT);
        CREATE INDEX files_open ON files(grp) WHERE state = 0;
        CREATE TABLE complete(grp INTEGER PRIMARY KEY);
        CREATE TABLE ready(n INTEGER PRIMARY KEY AUTOINCREMENT, grp INTEGER NOT NULL UNIQUE);
        CREATE TABLE rejects(
            n INTEGER PRIMARY KEY, shard TEXT NOT NULL, kind INTEGER NOT NULL, source_id TEXT,
            path TEXT NOT NULL, reason TEXT NOT NULL, raw TEXT NOT NULL, mark INTEGER NOT NULL UNIQUE);
        CREATE TABLE notes(n INTEGER PRIMARY KEY, shard TEXT NOT NULL, text TEXT NOT NULL, UNIQUE(shard, text));
        CREATE VIEW record_keys AS
            SELECT id, (SELECT value FROM meta WHERE name = 'platform') || ':' ||
                   (SELECT value FROM meta WHERE name = 'tenant') || ':' ||
                   CASE kind WHEN 1 THEN 'field-definition' WHEN 2 THEN 'team' WHEN 3 THEN 'agent' WHEN 4 THEN 'tag'
                             WHEN 5 THEN 'account' WHEN 6 THEN 'contact' WHEN 7 THEN 'conversation'
                             WHEN 8 THEN 'attachment' WHEN 9 THEN 'message' END || ':' || source_id AS key
            FROM records;
    ", "
        INSERT OR IGNORE INTO meta(name, value) VALUES('word', lower(hex(randomblob(16))));
    "],
};

/// The number by which files of ours name a kind; never reused.
pub(crate) fn kind_number(kind: RecordKind) -> i64 {
    match kind {
        RecordKind::FieldDefinition => 1,
        RecordKind::Team => 2,
        RecordKind::Agent => 3,
        RecordKind::Tag => 4,
        RecordKind::Account => 5,
        RecordKind::Contact => 6,
        RecordKind::Conversation => 7,
        RecordKind::Attachment => 8,
        RecordKind::Message => 9,
    }
}

/// The kind of that number.
pub(crate) fn kind_of_number(number: i64) -> Option<RecordKind> {
    RecordKind::ALL
        .into_iter()
        .find(|kind| kind_number(*kind) == number)
}

/// The index in a SQLite file.
#[derive(Debug, Clone)]
pub struct SqliteIndex {
    db: Db,
}

impl SqliteIndex {
    /// Opens or creates it.
    ///
    /// # Errors
    /// `Storage`; `Mismatch` for a file of a newer version.
    pub fn open(path: &Path) -> Result<Self> {
        Ok(Self {
            db: Db::open(path, &SCHEMA)?,
        })
    }

    /// Opens one to read from it; its folder may be read-only.
    ///
    /// # Errors
    /// `Storage`; `Mismatch` for a file of another version.
    pub fn look(path: &Path) -> Result<Self> {
        Ok(Self {
            db: Db::look(path, &SCHEMA)?,
        })
    }
}

const ROW: &str = "records.id, records.kind, segment, offset, length, line, bytes, name, records.grp, at, sequence, source_id, \
     parent, alias, after1, after2, skip, files.state, files.detail";
const FROM: &str = "records LEFT JOIN files ON files.record = records.id";

fn row(r: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
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
        skip: r.get(16)?,
        file: file_state(r.get::<_, Option<i64>>(17)?.unwrap_or(0), r.get(18)?),
    })
}

fn kinds_list(kinds: &[RecordKind]) -> String {
    kinds
        .iter()
        .map(|k| kind_number(*k).to_string())
        .collect::<Vec<_>>()
        .join(",")
}

fn numbers(list: &[i64]) -> String {
    list.iter()
        .map(i64::to_string)
        .collect::<Vec<_>>()
        .join(",")
}

fn prefix(connection: &Connection) -> Result<String, DbError> {
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

fn find_one(connection: &Connection, key: &RecordKey) -> Result<Option<Found>, DbError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, kind, source_id, hash, revision, grp FROM records WHERE name = ?1",
    )?;
    let mut rows = statement.query([name_of(key.as_str())])?;
    while let Some(r) = rows.next()? {
        let kind: i64 = r.get(1)?;
        let source_id: String = r.get(2)?;
        if kind_of_number(kind).is_some_and(|k| k.name() == key.kind()) && source_id == key.id() {
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

struct Found {
    id: i64,
    hash: [u8; 16],
    revision: Option<i64>,
    group: i64,
}

fn insert_row(t: &Transaction<'_>, new: &NewRow, read_at: i64) -> Result<(), DbError> {
    let found = find_one(t, &new.key)?;
    let group = new.facts.group.as_ref().map_or(0, |g| name_of(g.as_str()));
    if let Some(found) = found {
        let older = matches!((new.revision, found.revision), (Some(n), Some(f)) if n < f);
        let same = found.hash == new.hash;
        t.prepare_cached("UPDATE records SET read_at = max(read_at, ?2) WHERE id = ?1")?
            .execute(params![found.id, read_at])?;
        if !older && !same {
            update_row(t, &found, new, group)?;
        }
        return Ok(());
    }
    let f = &new.facts;
    let after = |n: usize| f.after.get(n).map_or(0, |a| name_of(a));
    t.prepare_cached(
        "INSERT INTO records(kind, name, source_id, segment, offset, length, line, bytes, hash, revision, grp, at,
            sequence, parent, alias, after1, after2, read_at)
         VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18)",
    )?
    .execute(params![
        kind_number(new.kind),
        name_of(new.key.as_str()),
        new.key.id(),
        new.address.segment,
        new.address.offset.cast_signed(),
        new.address.length,
        new.address.line,
        new.bytes,
        new.hash,
        new.revision,
        group,
        f.at,
        f.sequence,
        f.parent.as_ref().map_or(0, |p| name_of(p.as_str())),
        f.alias.as_ref().map_or(0, |a| name_of(a)),
        after(0),
        after(1),
        read_at,
    ])?;
    let id = t.last_insert_rowid();
    if new.kind == RecordKind::Attachment {
        t.prepare_cached("INSERT INTO files(record, grp, state) VALUES(?1, ?2, 0)")?
            .execute(params![id, group])?;
    }
    reopen_group(t, group)
}

/// A group that was complete and grows waits until it is called complete again: the rest of it may be on its way.
fn reopen_group(t: &Transaction<'_>, group: i64) -> Result<(), DbError> {
    if group != 0 {
        t.prepare_cached("DELETE FROM complete WHERE grp = ?1")?
            .execute([group])?;
        unready(t, group)?;
    }
    Ok(())
}

/// A group that is ready again later has a new place, so that it is looked at again.
fn unready(t: &Transaction<'_>, group: i64) -> Result<(), DbError> {
    t.prepare_cached("DELETE FROM ready WHERE grp = ?1")?
        .execute([group])?;
    Ok(())
}

fn update_row(t: &Transaction<'_>, found: &Found, new: &NewRow, group: i64) -> Result<(), DbError> {
    let f = &new.facts;
    let after = |n: usize| f.after.get(n).map_or(0, |a| name_of(a));
    t.prepare_cached(
        "UPDATE records SET segment=?2, offset=?3, length=?4, line=?5, bytes=?6, hash=?7, revision=?8, grp=?9, at=?10,
            sequence=?11, parent=?12, alias=?13, after1=?14, after2=?15 WHERE id=?1",
    )?
    .execute(params![
        found.id,
        new.address.segment,
        new.address.offset.cast_signed(),
        new.address.length,
        new.address.line,
        new.bytes,
        new.hash,
        new.revision,
        group,
        f.at,
        f.sequence,
        f.parent.as_ref().map_or(0, |p| name_of(p.as_str())),
        f.alias.as_ref().map_or(0, |a| name_of(a)),
        after(0),
        after(1),
    ])?;
    if new.kind == RecordKind::Attachment {
        // Its bytes may be others now.
        t.prepare_cached(
            "UPDATE files SET grp = ?2, state = 0, detail = NULL WHERE record = ?1
               AND EXISTS (SELECT 1 FROM records WHERE id = ?1 AND skip IS NULL)",
        )?
        .execute(params![found.id, group])?;
        unready(t, group)?;
    }
    if found.group != group {
        reopen_group(t, group)?;
    }
    Ok(())
}

fn settle_group(t: &Transaction<'_>, group: i64) -> Result<(), DbError> {
    t.prepare_cached(
        "INSERT OR IGNORE INTO ready(grp) SELECT ?1
         WHERE EXISTS (SELECT 1 FROM complete WHERE grp = ?1)
           AND NOT EXISTS (SELECT 1 FROM files WHERE grp = ?1 AND state = 0)",
    )?
    .execute([group])?;
    Ok(())
}

fn add_shard(t: &Connection, shard: &Shard) -> Result<(), DbError> {
    t.prepare_cached("INSERT OR IGNORE INTO shards(id, spec) VALUES(?1, ?2)")?
        .execute(params![shard.id, serde_json::to_string(shard)?])?;
    Ok(())
}

fn append_page(t: &Transaction<'_>, page: &NewPage) -> Result<(), DbError> {
    let read_at = page.read_at.timestamp_millis();
    for new in &page.rows {
        insert_row(t, new, read_at)?;
    }
    for skip in &page.skips {
        if let Some(found) = find_one(t, &skip.key)? {
            t.prepare_cached("UPDATE records SET skip = ?2 WHERE id = ?1")?
                .execute(params![found.id, skip.reason])?;
            t.prepare_cached("UPDATE files SET state = 2, detail = ?2 WHERE record = ?1")?
                .execute(params![found.id, skip.reason])?;
        }
    }
    for reject in &page.rejects {
        // A page that is read again brings the same rejects: they count once.
        let mark = name_of(&format!(
            "{}\n{:?}\n{}\n{}",
            page.shard, reject.id, reject.path, reject.raw
        ));
        t.prepare_cached(
            "INSERT OR IGNORE INTO rejects(shard, kind, source_id, path, reason, raw, mark) VALUES(?1,?2,?3,?4,?5,?6,?7)",
        )?
        .execute(params![
            page.shard,
            kind_number(reject.kind),
            reject.id,
            reject.path,
            reject.reason,
            reject.raw,
            mark
        ])?;
    }
    for key in &page.complete {
        let group = name_of(key.as_str());
        t.prepare_cached("INSERT OR IGNORE INTO complete(grp) VALUES(?1)")?
            .execute([group])?;
        settle_group(t, group)?;
    }
    for shard in &page.spawn {
        add_shard(t, shard)?;
    }
    for note in &page.notes {
        t.prepare_cached("INSERT OR IGNORE INTO notes(shard, text) VALUES(?1, ?2)")?
            .execute(params![page.shard, note])?;
    }
    let (cursor, watermark) = match &page.next {
        Next::More(cursor) => (Some(serde_json::to_string(cursor)?), None),
        Next::End(watermark) => (None, Some(serde_json::to_string(watermark)?)),
    };
    t.prepare_cached(
        "UPDATE shards SET cursor = ?2, watermark = ?3, pages = pages + 1 WHERE id = ?1",
    )?
    .execute(params![page.shard, cursor, watermark])?;
    Ok(())
}

impl SqliteIndex {
    /// Files whose reason begins like this have another chance.
    async fn retry_files_of(&self, beginning: &'static str) -> Result<u64> {
        self.db
            .call("give files another chance", move |c| {
                let t = c.transaction()?;
                t.execute(
                    "DELETE FROM ready WHERE grp IN (
                        SELECT files.grp FROM files JOIN records ON records.id = record
                        WHERE state = 2 AND skip IS NULL AND substr(detail, 1, length(?1)) = ?1)",
                    [beginning],
                )?;
                let n = t.execute(
                    "UPDATE files SET state = 0, detail = NULL
                     WHERE state = 2 AND substr(detail, 1, length(?1)) = ?1
                       AND record IN (SELECT id FROM records WHERE kind = 8 AND skip IS NULL)",
                    [beginning],
                )?;
                t.commit()?;
                Ok(n as u64)
            })
            .await
    }
}

#[async_trait]
impl Index for SqliteIndex {
    async fn tenant(&self) -> Result<Option<Tenant>> {
        self.db
            .call("read the stage's tenant", |c| {
                let get = |name: &str| -> rusqlite::Result<Option<String>> {
                    c.query_row("SELECT value FROM meta WHERE name = ?1", [name], |r| {
                        r.get(0)
                    })
                    .optional()
                };
                Ok(match (get("raw-platform")?, get("raw-tenant")?) {
                    (Some(platform), Some(id)) => Some(Tenant { platform, id }),
                    _ => None,
                })
            })
            .await
    }

    async fn set_tenant(&self, tenant: &Tenant) -> Result<()> {
        let key = tenant.key(RecordKind::Tag, "x");
        let values = [
            ("raw-platform", tenant.platform.clone()),
            ("raw-tenant", tenant.id.clone()),
            ("platform", key.platform().to_owned()),
            ("tenant", key.tenant().to_owned()),
        ];
        self.db
            .call("name the stage's tenant", move |c| {
                let t = c.transaction()?;
                for (name, value) in &values {
                    t.execute(
                        "INSERT OR IGNORE INTO meta(name, value) VALUES(?1, ?2)",
                        [name, value.as_str()],
                    )?;
                }
                Ok(t.commit()?)
            })
            .await
    }

    async fn word(&self) -> Result<String> {
        self.db
            .call("read the stage's word", |c| {
                Ok(
                    c.query_row("SELECT value FROM meta WHERE name = 'word'", [], |r| {
                        r.get(0)
                    })?,
                )
            })
            .await
    }

    async fn highest(&self) -> Result<Option<RecordId>> {
        self.db
            .call("read the stage's last record", |c| {
                let highest: Option<i64> =
                    c.query_row("SELECT max(id) FROM records", [], |r| r.get(0))?;
                Ok(highest.map(RecordId))
            })
            .await
    }

    async fn is_whole(&self) -> Result<bool> {
        self.db
            .call("ask whether the stage is whole", |c| {
                Ok(c.query_row(
                    "SELECT EXISTS (SELECT 1 FROM shards)
                       AND NOT EXISTS (SELECT 1 FROM shards WHERE watermark IS NULL)
                       AND NOT EXISTS (SELECT 1 FROM files JOIN records ON records.id = record
                                       WHERE state = 0 AND skip IS NULL)
                       AND NOT EXISTS (SELECT 1 FROM records WHERE grp <> 0
                                       AND NOT EXISTS (SELECT 1 FROM ready WHERE ready.grp = records.grp))",
                    [],
                    |r| r.get(0),
                )?)
            })
            .await
    }

    async fn segments(&self) -> Result<Vec<Segment>> {
        self.db
            .call("read the stage's segments", |c| {
                let mut statement =
                    c.prepare("SELECT id, kind, file, end FROM segments ORDER BY id")?;
                let rows = statement.query_map([], |r| {
                    Ok((
                        r.get(0)?,
                        r.get::<_, i64>(1)?,
                        r.get(2)?,
                        r.get::<_, i64>(3)?,
                    ))
                })?;
                let mut segments = Vec::new();
                for r in rows {
                    let (id, kind, file, end) = r?;
                    let kind = kind_of_number(kind).ok_or_else(|| unknown_kind(kind))?;
                    segments.push(Segment {
                        id,
                        kind,
                        file,
                        end: end.cast_unsigned(),
                    });
                }
                Ok(segments)
            })
            .await
    }

    async fn add_shards(&self, shards: &[Shard]) -> Result<()> {
        let shards = shards.to_vec();
        self.db
            .call("add shards", move |c| {
                let t = c.transaction()?;
                for shard in &shards {
                    add_shard(&t, shard)?;
                }
                Ok(t.commit()?)
            })
            .await
    }

    async fn open_shards(&self) -> Result<Vec<ShardState>> {
        self.db
            .call("read the open shards", |c| {
                let mut statement = c.prepare(
                    "SELECT spec, cursor FROM shards WHERE watermark IS NULL ORDER BY n",
                )?;
                let rows = statement.query_map([], |r| {
                    Ok((r.get::<_, String>(0)?, r.get::<_, Option<String>>(1)?))
                })?;
                let mut open = Vec::new();
                for r in rows {
                    let (spec, cursor) = r?;
                    let cursor = cursor.map(|c| serde_json::from_str(&c)).transpose()?;
                    open.push(ShardState {
                        shard: serde_json::from_str(&spec)?,
                        cursor,
                        end: None,
                    });
                }
                Ok(open)
            })
            .await
    }

    async fn append(&self, segments: Vec<Segment>, pages: Vec<NewPage>) -> Result<()> {
        self.db
            .call("append to the stage's index", move |c| {
                point("stage-index")?;
                let t = c.transaction()?;
                for s in &segments {
                    t.prepare_cached(
                        "INSERT INTO segments(id, kind, file, end) VALUES(?1,?2,?3,?4)
                         ON CONFLICT(id) DO UPDATE SET end = excluded.end",
                    )?
                    .execute(params![
                        s.id,
                        kind_number(s.kind),
                        s.file,
                        s.end.cast_signed()
                    ])?;
                }
                for page in &pages {
                    append_page(&t, page)?;
                }
                t.commit()?;
                point("stage-committed")?;
                Ok(())
            })
            .await
    }

    async fn find(&self, keys: &[RecordKey]) -> Result<Vec<Option<RecordId>>> {
        let keys = keys.to_vec();
        self.db
            .call("look up keys in the stage", move |c| {
                keys.iter()
                    .map(|k| Ok(find_one(c, k)?.map(|f| RecordId(f.id))))
                    .collect()
            })
            .await
    }

    async fn not_read_since(
        &self,
        kind: RecordKind,
        since: DateTime<Utc>,
        after: Option<&RecordKey>,
        limit: usize,
    ) -> Result<Vec<RecordKey>> {
        let after = after.map(|k| k.id().to_owned()).unwrap_or_default();
        self.db
            .call("look for what was not read again", move |c| {
                let prefix = prefix(c)?;
                let mut statement = c.prepare_cached(
                    "SELECT source_id FROM records WHERE kind = ?1 AND read_at < ?2 AND source_id > ?3
                     ORDER BY source_id LIMIT ?4",
                )?;
                let rows = statement.query_map(
                    params![kind_number(kind), since.timestamp_millis(), after, limit as i64],
                    |r| r.get::<_, String>(0),
                )?;
                rows.map(|r| Ok(RecordKey::parse(&format!("{prefix}{kind}:{}", r?))?)).collect()
            })
            .await
    }

    async fn scan(
        &self,
        kinds: &[RecordKind],
        after: Option<&Place>,
        limit: usize,
    ) -> Result<Vec<Row>> {
        let kinds = kinds.to_vec();
        let after = after.cloned();
        self.db
            .call("scan the stage", move |c| {
                let after = after.unwrap_or(Place {
                    at: i64::MIN,
                    sequence: i64::MIN,
                    source_id: String::new(),
                    id: RecordId(i64::MIN),
                });
                let mut found = Vec::new();
                for kind in kinds {
                    let mut statement = c.prepare_cached(&format!(
                        "SELECT {ROW} FROM {FROM} WHERE records.grp = 0 AND kind = ?1
                           AND (at, sequence, source_id, id) > (?2, ?3, ?4, ?5)
                         ORDER BY at, sequence, source_id, id LIMIT ?6"
                    ))?;
                    let rows = statement.query_map(
                        params![
                            kind_number(kind),
                            after.at,
                            after.sequence,
                            after.source_id,
                            after.id.0,
                            limit as i64
                        ],
                        row,
                    )?;
                    for r in rows {
                        found.push(r?);
                    }
                }
                found.sort_by(|a, b| order(a).cmp(&order(b)));
                found.truncate(limit);
                Ok(found)
            })
            .await
    }

    async fn children(&self, kinds: &[RecordKind]) -> Result<Vec<Row>> {
        let kinds = kinds_list(kinds);
        self.db
            .call("read the stage's parents", move |c| {
                let mut statement = c.prepare(&format!(
                    "SELECT {ROW} FROM {FROM} WHERE kind IN ({kinds}) AND parent <> 0 AND records.grp = 0"
                ))?;
                let rows = statement.query_map([], row)?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await
    }

    async fn ready_groups(&self, after: i64, limit: usize) -> Result<Vec<(i64, i64)>> {
        self.db
            .call("read the stage's complete conversations", move |c| {
                let mut statement =
                    c.prepare_cached("SELECT n, grp FROM ready WHERE n > ?1 ORDER BY n LIMIT ?2")?;
                let rows = statement
                    .query_map(params![after, limit as i64], |r| Ok((r.get(0)?, r.get(1)?)))?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await
    }

    async fn unready_groups(&self, after: i64, limit: usize) -> Result<Vec<i64>> {
        self.db
            .call("read the stage's unfinished conversations", move |c| {
                let mut statement = c.prepare_cached(
                    "SELECT DISTINCT grp FROM records WHERE grp <> 0 AND grp > ?1
                       AND NOT EXISTS (SELECT 1 FROM ready WHERE ready.grp = records.grp)
                     ORDER BY grp LIMIT ?2",
                )?;
                let rows = statement.query_map(params![after, limit as i64], |r| r.get(0))?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await
    }

    async fn ready_rows(&self, kinds: &[RecordKind], after: i64) -> Result<u64> {
        let kinds = kinds_list(kinds);
        self.db
            .call("count the stage's complete conversations", move |c| {
                let n: i64 = c.query_row(
                    &format!(
                        "SELECT count(*) FROM ready JOIN records ON records.grp = ready.grp
                         WHERE ready.n > ?1 AND records.kind IN ({kinds})"
                    ),
                    [after],
                    |r| r.get(0),
                )?;
                Ok(n.cast_unsigned())
            })
            .await
    }

    async fn group_rows(&self, groups: &[i64], kinds: &[RecordKind]) -> Result<Vec<Row>> {
        let (groups, kinds) = (numbers(groups), kinds_list(kinds));
        self.db
            .call("read conversations of the stage", move |c| {
                let mut statement = c.prepare(&format!(
                    "SELECT {ROW} FROM {FROM} WHERE records.grp IN ({groups}) AND kind IN ({kinds})"
                ))?;
                let rows = statement.query_map([], row)?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await
    }

    async fn complete_all(&self) -> Result<()> {
        self.db
            .call("close the stage's conversations", |c| {
                let t = c.transaction()?;
                t.execute_batch(
                    "INSERT OR IGNORE INTO complete(grp) SELECT DISTINCT grp FROM records WHERE grp <> 0;
                     INSERT OR IGNORE INTO ready(grp) SELECT grp FROM complete
                     WHERE NOT EXISTS (SELECT 1 FROM files WHERE files.grp = complete.grp AND state = 0)
                     ORDER BY grp;",
                )?;
                Ok(t.commit()?)
            })
            .await
    }

    async fn rows(&self, ids: &[RecordId]) -> Result<Vec<Row>> {
        let ids = ids.to_vec();
        self.db
            .call("read rows of the stage", move |c| {
                let mut statement =
                    c.prepare_cached(&format!("SELECT {ROW} FROM {FROM} WHERE records.id = ?1"))?;
                let mut found = Vec::with_capacity(ids.len());
                for id in ids {
                    found.extend(statement.query_row([id.0], row).optional()?);
                }
                Ok(found)
            })
            .await
    }

    async fn files_to_fetch(&self, after: RecordId, limit: usize) -> Result<Vec<Row>> {
        self.db
            .call("read the files to fetch", move |c| {
                let mut statement = c.prepare_cached(&format!(
                    "SELECT {ROW} FROM files JOIN records ON files.record = records.id
                     WHERE files.state = 0 AND files.record > ?1 AND skip IS NULL ORDER BY files.record LIMIT ?2"
                ))?;
                let rows = statement.query_map(params![after.0, limit as i64], row)?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await
    }

    async fn set_file(&self, record: RecordId, state: FileState) -> Result<()> {
        self.db
            .call("note a staged file", move |c| {
                point("blob-index")?;
                let (number, detail) = file_columns(Some(&state));
                let t = c.transaction()?;
                t.execute(
                    "UPDATE files SET state = ?2, detail = ?3 WHERE record = ?1",
                    params![record.0, number, detail],
                )?;
                let group: i64 =
                    t.query_row("SELECT grp FROM files WHERE record = ?1", [record.0], |r| {
                        r.get(0)
                    })?;
                settle_group(&t, group)?;
                Ok(t.commit()?)
            })
            .await
    }

    async fn retry_files(&self) -> Result<u64> {
        self.retry_files_of("").await
    }

    async fn retry_files_for_now(&self) -> Result<u64> {
        self.retry_files_of(FOR_NOW).await
    }

    async fn counts(&self) -> Result<Vec<(RecordKind, KindCount)>> {
        self.db
            .call("count the stage", |c| {
                let count = |sql: &str| -> rusqlite::Result<HashMap<i64, i64>> {
                    c.prepare(sql)?
                        .query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?
                        .collect()
                };
                let read = count("SELECT kind, count(*) FROM records GROUP BY kind")?;
                let rejected = count("SELECT kind, count(*) FROM rejects GROUP BY kind")?;
                let of = |counts: &HashMap<i64, i64>, kind| {
                    let count = counts.get(&kind_number(kind)).copied();
                    count.unwrap_or(0).cast_unsigned()
                };
                let counts = RecordKind::ALL.into_iter().map(|kind| {
                    let count = KindCount {
                        read: of(&read, kind),
                        rejected: of(&rejected, kind),
                    };
                    (kind, count)
                });
                Ok(counts.collect())
            })
            .await
    }

    async fn rejects_after(&self, after: i64, limit: usize) -> Result<Vec<(i64, Reject)>> {
        self.db
            .call("read the rejects", move |c| {
                let mut statement = c.prepare(
                    "SELECT n, kind, source_id, path, reason, raw FROM rejects WHERE n > ?1 ORDER BY n LIMIT ?2",
                )?;
                let rows = statement.query_map(params![after, limit as i64], |r| {
                    Ok((
                        r.get(0)?,
                        r.get::<_, i64>(1)?,
                        r.get(2)?,
                        r.get(3)?,
                        r.get(4)?,
                        r.get(5)?,
                    ))
                })?;
                let mut rejects = Vec::new();
                for r in rows {
                    let (n, kind, id, path, reason, raw) = r?;
                    let kind = kind_of_number(kind).ok_or_else(|| unknown_kind(kind))?;
                    let reject = Reject {
                        kind,
                        id,
                        path,
                        reason,
                        raw,
                    };
                    rejects.push((n, reject));
                }
                Ok(rejects)
            })
            .await
    }

    async fn note(&self, text: &str) -> Result<()> {
        let text = text.to_owned();
        self.db
            .call("keep a note", move |c| {
                c.execute(
                    "INSERT OR IGNORE INTO notes(shard, text) VALUES('', ?1)",
                    [text],
                )?;
                Ok(())
            })
            .await
    }

    async fn notes(&self, limit: usize) -> Result<Vec<String>> {
        self.db
            .call("read the notes", move |c| {
                let mut statement = c.prepare("SELECT text FROM notes ORDER BY n LIMIT ?1")?;
                let rows = statement.query_map([limit as i64], |r| r.get(0))?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await
    }
}

fn order(row: &Row) -> (i64, i64, &str, i64) {
    (row.at, row.sequence, &row.source_id, row.id.0)
}

fn unknown_kind(number: i64) -> Error {
    Error::new(
        ErrorKind::Mismatch,
        "read the stage",
        format!("kind {number} is unknown"),
    )
    .advise("Use the Deskferry that wrote it, or a newer one")
}
