//! What a rollback reads and forgets.

use rusqlite::{Connection, params};

use super::words::{Words, word};
use crate::amend::Merged;
use crate::db::DbError;
use crate::key::RecordId;
use crate::ledger::{Changed, Written, WrittenObject};

/// Without it each look for an id would read every effect. Only a rollback looks for ids, so it is not there before.
pub(super) fn prepare(c: &Connection) -> rusqlite::Result<()> {
    c.execute_batch(
        "CREATE INDEX IF NOT EXISTS effects_target ON effects(target) WHERE target IS NOT NULL",
    )
}

/// The records of these phases, and those without an outcome.
fn of_phases(c: &Connection, phases: &[String]) -> Result<String, DbError> {
    if phases.is_empty() {
        return Ok("1".to_owned());
    }
    let mut words = Vec::with_capacity(phases.len());
    for phase in phases {
        words.push(word(c, phase)?.to_string());
    }
    Ok(format!(
        "NOT EXISTS (SELECT 1 FROM outcomes o WHERE o.record = effects.record AND o.phase NOT IN ({}))",
        words.join(",")
    ))
}

pub(super) fn objects(c: &Connection, phases: &[String]) -> Result<Vec<WrittenObject>, DbError> {
    let mut statement = c.prepare(&format!(
        "SELECT object, sum(state = 0) FROM effects
         WHERE operation = 1 AND state IN (0, 1) AND {} GROUP BY object",
        of_phases(c, phases)?
    ))?;
    let rows = statement.query_map([], |r| Ok((r.get::<_, i64>(0)?, r.get::<_, i64>(1)?)))?;
    let mut words = Words::new(c)?;
    let mut objects = Vec::new();
    for row in rows {
        let (object, open) = row?;
        objects.push(WrittenObject {
            name: words.word(object)?,
            open: open.cast_unsigned(),
        });
    }
    Ok(objects)
}

pub(super) fn written(
    c: &Connection,
    object: &str,
    phases: &[String],
    after: Option<(RecordId, u32)>,
    limit: usize,
) -> Result<Vec<Written>, DbError> {
    let object = word(c, object)?;
    let (record, row) = after.map_or((i64::MIN, 0), |(record, row)| (record.0, row));
    let mut statement = c.prepare_cached(&format!(
        "SELECT record, row, target FROM effects
         WHERE (record, row) > (?1, ?2) AND object = ?3 AND operation = 1 AND state = 1 AND {}
         ORDER BY record, row LIMIT ?4",
        of_phases(c, phases)?
    ))?;
    let rows = statement.query_map(params![record, row, object, limit as i64], |r| {
        Ok(Written {
            record: RecordId(r.get(0)?),
            row: r.get(1)?,
            id: r.get::<_, Option<String>>(2)?.unwrap_or_default(),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Changes of rows that were found; what was changed of our own rows goes with them.
pub(super) fn changed(
    c: &Connection,
    phases: &[String],
    after: Option<(RecordId, u32)>,
    limit: usize,
) -> Result<Vec<Changed>, DbError> {
    let (record, row) = after.map_or((i64::MIN, 0), |(record, row)| (record.0, row));
    let mut statement = c.prepare_cached(&format!(
        "SELECT effects.record, effects.row, effects.object, found.target, image FROM effects
           JOIN before_images b ON b.record = effects.record AND b.row = effects.row
           JOIN effects found ON found.record = effects.record AND found.object = effects.object
                             AND found.operation = 4 AND found.target IS NOT NULL
         WHERE (effects.record, effects.row) > (?1, ?2) AND effects.operation = 2 AND {}
         GROUP BY effects.record, effects.row ORDER BY effects.record, effects.row LIMIT ?3",
        of_phases(c, phases)?
    ))?;
    let mut rows = statement.query(params![record, row, limit as i64])?;
    let (mut words, mut changed) = (Words::new(c)?, Vec::new());
    while let Some(r) = rows.next()? {
        changed.push(Changed {
            record: RecordId(r.get(0)?),
            row: r.get(1)?,
            object: words.word(r.get(2)?)?,
            id: r.get(3)?,
            image: serde_json::from_str(&r.get::<_, String>(4)?)?,
        });
    }
    Ok(changed)
}

pub(super) fn restored(c: &Connection, rows: &[(RecordId, u32)]) -> Result<(), DbError> {
    for table in ["effects", "before_images"] {
        let mut forget = c.prepare_cached(&format!(
            "DELETE FROM {table} WHERE record = ?1 AND row = ?2"
        ))?;
        for (record, row) in rows {
            forget.execute(params![record.0, row])?;
        }
    }
    let records: Vec<i64> = rows.iter().map(|(record, _)| record.0).collect();
    forget_done(c, &records)
}

/// A row of ours that another of ours took in is linked; one that a row of others took in is matched.
pub(super) fn follow(c: &Connection, merged: &[Merged]) -> Result<u64, DbError> {
    // What we changed of the row that is gone went with it.
    let mut forget_images = c.prepare_cached(
        "DELETE FROM before_images WHERE EXISTS (SELECT 1 FROM effects e WHERE e.record = before_images.record
           AND e.row = before_images.row AND e.target = ?1 AND e.operation = 2)",
    )?;
    let mut forget_changes =
        c.prepare_cached("DELETE FROM effects WHERE target = ?1 AND operation = 2")?;
    let mut follow = c.prepare_cached(
        "UPDATE effects SET target = ?2,
                operation = CASE WHEN EXISTS (SELECT 1 FROM effects o WHERE o.target = ?2 AND o.operation = 1) THEN 3 ELSE 4 END
         WHERE target = ?1",
    )?;
    let mut known = 0;
    for one in merged {
        forget_images.execute([&one.id])?;
        forget_changes.execute([&one.id])?;
        known += follow.execute([&one.id, &one.into])?;
    }
    Ok(known as u64)
}

pub(super) fn known(c: &Connection, ids: &[String]) -> Result<Vec<bool>, DbError> {
    let mut statement = c.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM effects WHERE target = ?1 AND operation IN (1, 3, 5))",
    )?;
    let mut known = Vec::with_capacity(ids.len());
    for id in ids {
        known.push(statement.query_row([id], |r| r.get(0))?);
    }
    Ok(known)
}

pub(super) fn take_back(c: &Connection, ids: &[String]) -> Result<(), DbError> {
    let mut having = c.prepare_cached("SELECT DISTINCT record FROM effects WHERE target = ?1")?;
    let mut forget = c.prepare_cached("DELETE FROM effects WHERE target = ?1")?;
    let mut records = Vec::new();
    for id in ids {
        let found = having.query_map([id], |r| r.get::<_, i64>(0))?;
        for record in found {
            records.push(record?);
        }
        forget.execute([id])?;
    }
    forget_done(c, &records)
}

/// Forgets what became of records, so that they are loaded again; those of which nothing is left whole.
fn forget_done(c: &Connection, records: &[i64]) -> Result<(), DbError> {
    let mut left = c.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM effects WHERE record = ?1 AND operation IN (1, 2) AND state IN (0, 1))",
    )?;
    for record in records {
        let left: bool = left.query_row([record], |r| r.get(0))?;
        let tables: &[&str] = if left {
            &["outcomes", "messages"]
        } else {
            &["outcomes", "messages", "effects"]
        };
        for table in tables {
            c.prepare_cached(&format!("DELETE FROM {table} WHERE record = ?1"))?
                .execute([record])?;
        }
    }
    Ok(())
}

/// Who owned what and what was selected is forgotten with the cases: people may decide anew.
pub(super) fn forget_all(c: &Connection) -> Result<(), DbError> {
    for table in ["outcomes", "messages", "effects", "before_images", "phases"] {
        c.execute(&format!("DELETE FROM {table}"), [])?;
    }
    c.execute("DELETE FROM meta WHERE name IN ('owners', 'selection')", [])?;
    Ok(())
}
