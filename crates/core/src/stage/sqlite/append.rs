//! Pages, as they are written.

use std::collections::BTreeSet;

use rusqlite::{CachedStatement, Connection, Transaction, params};

use super::rows::{Finder, Found};
use super::schema::kind_number;
use crate::db::DbError;
use crate::key::RecordKind;
use crate::source::{Next, Shard};
use crate::stage::index::{NewPage, NewRow, name_of};

/// Writes the rows of one page.
struct Writer<'t> {
    t: &'t Transaction<'t>,
    read_at: i64,
    find: Finder<'t>,
    insert: CachedStatement<'t>,
    /// Groups that have rows which they had not.
    grown: BTreeSet<i64>,
    /// Records that are new, or say something else than before.
    edits: u64,
}

impl<'t> Writer<'t> {
    fn new(t: &'t Transaction<'t>, read_at: i64) -> Result<Self, DbError> {
        Ok(Self {
            t,
            read_at,
            find: Finder::new(t)?,
            insert: t.prepare_cached(
                "INSERT INTO records(kind, name, source_id, segment, offset, length, line, bytes, hash, revision, grp, at,
                    sequence, parent, alias, after1, after2, read_at)
                 VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18)",
            )?,
            grown: BTreeSet::new(),
            edits: 0,
        })
    }

    fn write(&mut self, new: &NewRow) -> Result<(), DbError> {
        let name = name_of(new.key.as_str());
        let group = new.facts.group.as_ref().map_or(0, |g| name_of(g.as_str()));
        match self.find.find_named(name, &new.key)? {
            Some(found) => self.again(&found, new, group),
            None => self.insert(new, name, group),
        }
    }

    /// A record that was read before.
    fn again(&mut self, found: &Found, new: &NewRow, group: i64) -> Result<(), DbError> {
        let older = matches!((new.revision, found.revision), (Some(n), Some(f)) if n < f);
        self.t
            .prepare_cached("UPDATE records SET read_at = max(read_at, ?2) WHERE id = ?1")?
            .execute(params![found.id, self.read_at])?;
        if !older && found.hash != new.hash {
            self.edits += 1;
            update_row(self.t, found, new, group)?;
            self.t
                .prepare_cached("INSERT OR IGNORE INTO changes(record) VALUES(?1)")?
                .execute([found.id])?;
            if found.group != group {
                self.grown.insert(group);
            }
        }
        Ok(())
    }

    fn insert(&mut self, new: &NewRow, name: i64, group: i64) -> Result<(), DbError> {
        let f = &new.facts;
        let after = |n: usize| f.after.get(n).map_or(0, |a| name_of(a));
        self.insert.execute(params![
            kind_number(new.kind),
            name,
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
            self.read_at,
        ])?;
        if new.kind == RecordKind::Attachment {
            let id = self.t.last_insert_rowid();
            self.t
                .prepare_cached("INSERT INTO files(record, grp, state) VALUES(?1, ?2, 0)")?
                .execute(params![id, group])?;
        }
        self.grown.insert(group);
        self.edits += 1;
        Ok(())
    }

    /// What is done once per page, not per row.
    fn finish(self) -> Result<(), DbError> {
        for group in self.grown {
            reopen_group(self.t, group)?;
        }
        if self.edits > 0 {
            self.t
                .prepare_cached(
                    "INSERT INTO meta(name, value) VALUES('edits', ?1)
                     ON CONFLICT(name) DO UPDATE SET value = value + excluded.value",
                )?
                .execute([self.edits.to_string()])?;
        }
        Ok(())
    }
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
    Ok(())
}

pub(super) fn settle_group(t: &Transaction<'_>, group: i64) -> Result<(), DbError> {
    t.prepare_cached(
        "INSERT OR IGNORE INTO ready(grp) SELECT ?1
         WHERE EXISTS (SELECT 1 FROM complete WHERE grp = ?1)
           AND NOT EXISTS (SELECT 1 FROM files WHERE grp = ?1 AND state = 0)",
    )?
    .execute([group])?;
    Ok(())
}

pub(super) fn add_shard(t: &Connection, shard: &Shard) -> Result<(), DbError> {
    t.prepare_cached("INSERT OR IGNORE INTO shards(id, spec) VALUES(?1, ?2)")?
        .execute(params![shard.id, serde_json::to_string(shard)?])?;
    Ok(())
}

pub(super) fn renew_shard(t: &Connection, shard: &Shard) -> Result<(), DbError> {
    t.prepare_cached(
        "INSERT INTO shards(id, spec) VALUES(?1, ?2)
         ON CONFLICT(id) DO UPDATE SET spec = excluded.spec, cursor = NULL, watermark = NULL, pages = 0",
    )?
    .execute(params![shard.id, serde_json::to_string(shard)?])?;
    Ok(())
}

pub(super) fn append_page(t: &Transaction<'_>, page: &NewPage) -> Result<(), DbError> {
    let read_at = page.read_at.timestamp_millis();
    let mut writer = Writer::new(t, read_at)?;
    for new in &page.rows {
        writer.write(new)?;
    }
    writer.finish()?;
    for skip in &page.skips {
        if let Some(found) = Finder::new(t)?.find(&skip.key)? {
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
