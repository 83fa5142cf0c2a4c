//! The index in SQLite.

mod append;
mod rows;
mod schema;

use std::collections::HashMap;
use std::path::Path;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rusqlite::{OptionalExtension, params};

use super::index::{
    FOR_NOW, Index, KindCount, NewPage, Place, Row, Segment, ShardState, file_columns,
};
use crate::db::{Db, DbError};
use crate::error::Result;
use crate::fault::point;
use crate::key::{RecordId, RecordKey, RecordKind, Tenant};
use crate::sink::FileState;
use crate::source::{Reject, Shard};
use append::{add_shard, append_page, settle_group};
use rows::{FROM, Finder, ROW, kinds_list, numbers, order, prefix, row, unknown_kind};
use schema::{SCHEMA, kind_number, kind_of_number};

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

/// A shard from its row: what it is, and its cursor.
fn open_shard(
    (spec, cursor): (String, Option<String>),
) -> std::result::Result<ShardState, DbError> {
    Ok(ShardState {
        shard: serde_json::from_str(&spec)?,
        cursor: cursor.map(|c| serde_json::from_str(&c)).transpose()?,
        end: None,
    })
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

    async fn edits(&self) -> Result<u64> {
        self.db
            .call("count what was read anew", |c| {
                let edits = c
                    .query_row("SELECT value FROM meta WHERE name = 'edits'", [], |r| {
                        r.get::<_, String>(0)
                    })
                    .optional()?;
                Ok(edits.and_then(|n| n.parse().ok()).unwrap_or(0))
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
                rows.map(|row| open_shard(row?)).collect()
            })
            .await
    }

    async fn open_among(&self, ids: &[&str]) -> Result<Vec<ShardState>> {
        let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
        self.db
            .call("read open shards", move |c| {
                let mut statement = c.prepare_cached(
                    "SELECT spec, cursor FROM shards WHERE id = ?1 AND watermark IS NULL",
                )?;
                let mut open = Vec::new();
                for id in &ids {
                    let row = statement
                        .query_row([id], |r| Ok((r.get(0)?, r.get(1)?)))
                        .optional()?;
                    open.extend(row.map(open_shard).transpose()?);
                }
                Ok(open)
            })
            .await
    }

    async fn renew_shards(&self, shards: &[Shard]) -> Result<()> {
        let shards = shards.to_vec();
        self.db
            .call("read shards again", move |c| {
                let t = c.transaction()?;
                for shard in &shards {
                    append::renew_shard(&t, shard)?;
                }
                Ok(t.commit()?)
            })
            .await
    }

    async fn shards(&self, ids: &[&str]) -> Result<Vec<ShardState>> {
        let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
        self.db
            .call("read shards", move |c| {
                let mut statement =
                    c.prepare_cached("SELECT spec, cursor, watermark FROM shards WHERE id = ?1")?;
                let mut found = Vec::new();
                for id in &ids {
                    let row: Option<(String, Option<String>, Option<String>)> = statement
                        .query_row([id], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))
                        .optional()?;
                    if let Some((spec, cursor, end)) = row {
                        let mut state = open_shard((spec, cursor))?;
                        state.end = end.map(|end| serde_json::from_str(&end)).transpose()?;
                        found.push(state);
                    }
                }
                Ok(found)
            })
            .await
    }

    async fn changed(&self, after: RecordId, limit: usize) -> Result<Vec<Row>> {
        self.db
            .call("read what changed", move |c| {
                let mut statement = c.prepare_cached(&format!(
                    "SELECT {ROW} FROM changes JOIN records ON records.id = changes.record
                     LEFT JOIN files ON files.record = records.id
                     WHERE changes.record > ?1 ORDER BY changes.record LIMIT ?2"
                ))?;
                let rows = statement.query_map(params![after.0, limit as i64], row)?;
                Ok(rows.collect::<std::result::Result<_, _>>()?)
            })
            .await
    }

    async fn skipped(&self, after: RecordId, limit: usize) -> Result<Vec<Row>> {
        self.db
            .call("read what no target shall load", move |c| {
                let mut statement = c.prepare_cached(&format!(
                    "SELECT {ROW} FROM records LEFT JOIN files ON files.record = records.id
                     WHERE records.skip IS NOT NULL AND records.id > ?1 ORDER BY records.id LIMIT ?2"
                ))?;
                let rows = statement.query_map(params![after.0, limit as i64], row)?;
                Ok(rows.collect::<std::result::Result<_, _>>()?)
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
                let mut finder = Finder::new(c)?;
                keys.iter()
                    .map(|k| Ok(finder.find(k)?.map(|f| RecordId(f.id))))
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
