//! The ledger in SQLite.

mod rows;
mod undo;
mod unfinished;
mod words;

use std::collections::BTreeMap;
use std::path::Path;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

use super::{
    Changed, Final, Ledger, LedgerOwner, PhaseState, VerdictCount, Written, WrittenObject,
};
use crate::amend::Merged;
use crate::db::{Db, DbError, Schema};
use crate::error::{Error, Result};
use crate::fault::point;
use crate::journal::{Effect, EffectState, Image, Intent};
use crate::key::RecordId;
use crate::sink::Verdict;
use rows::{EffectReader, EffectWriter, OutcomeReader, column, read_message, time, verdict_number};
use words::{Words, word};

/// How many records stand as examples of a reason.
const EXAMPLES: usize = 3;

/// The tables are documented in `docs/workspace.md`; people may open and query the file.
const SCHEMA: Schema = Schema {
    name: "the target's ledger",
    application_id: 0x4446_4c31,
    versions: &["
        CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
        CREATE TABLE phases(name TEXT PRIMARY KEY, n INTEGER, opened_at INTEGER NOT NULL, closed_at INTEGER, passed INTEGER NOT NULL);
        CREATE TABLE words(id INTEGER PRIMARY KEY, word TEXT NOT NULL UNIQUE);
        CREATE TABLE outcomes(
            record INTEGER PRIMARY KEY, phase INTEGER NOT NULL, verdict INTEGER NOT NULL, reason INTEGER NOT NULL);
        CREATE TABLE messages(record INTEGER PRIMARY KEY, text TEXT NOT NULL);
        CREATE TABLE effects(
            record INTEGER NOT NULL, row INTEGER NOT NULL, object INTEGER NOT NULL, operation INTEGER NOT NULL,
            state INTEGER NOT NULL, target TEXT, hash BLOB NOT NULL, request TEXT, sent_at INTEGER,
            code TEXT, message TEXT, PRIMARY KEY(record, row)) WITHOUT ROWID;
        CREATE INDEX effects_open ON effects(record) WHERE state = 0;
        CREATE TABLE before_images(record INTEGER NOT NULL, row INTEGER NOT NULL, image TEXT NOT NULL, PRIMARY KEY(record, row)) WITHOUT ROWID;
        CREATE TABLE claims(space INTEGER NOT NULL, value TEXT NOT NULL, record INTEGER NOT NULL, PRIMARY KEY(space, value)) WITHOUT ROWID;
    ", "
        ALTER TABLE outcomes ADD COLUMN version INTEGER;
    ", "
        ALTER TABLE outcomes ADD COLUMN at INTEGER;
    "],
};

/// A ledger in a SQLite file.
#[derive(Debug, Clone)]
pub struct SqliteLedger {
    db: Db,
}

impl SqliteLedger {
    /// Opens or creates it.
    ///
    /// # Errors
    /// `Storage`; `Mismatch` for a file of a newer version.
    pub fn open(path: &Path) -> Result<Self> {
        Ok(Self {
            db: Db::open(path, &SCHEMA)?,
        })
    }

    /// Forgets the outcomes of a phase with these verdicts.
    async fn forget(&self, phase: &str, verdicts: &'static str) -> Result<u64> {
        let phase = phase.to_owned();
        self.db
            .call("reopen a phase", move |c| {
                let t = c.transaction()?;
                let phase = word(&t, &phase)?;
                t.execute(
                    &format!("DELETE FROM messages WHERE record IN (SELECT record FROM outcomes WHERE phase = ?1 AND verdict IN ({verdicts}))"),
                    [phase],
                )?;
                let n = t.execute(
                    &format!("DELETE FROM outcomes WHERE phase = ?1 AND verdict IN ({verdicts})"),
                    [phase],
                )?;
                t.commit()?;
                Ok(n as u64)
            })
            .await
    }
}

fn put_intents(c: &Connection, intents: Vec<Intent>) -> Result<(), DbError> {
    let mut writer = EffectWriter::new(c)?;
    for i in intents {
        if let Some(image) = i.image {
            // A repeated change must not hide what stood there before the first.
            let image = match read_image(c, i.record, i.row)? {
                Some(earlier) => image.after(earlier),
                None => image,
            };
            c.prepare_cached(
                "INSERT OR REPLACE INTO before_images(record, row, image) VALUES(?1,?2,?3)",
            )?
            .execute(params![i.record.0, i.row, serde_json::to_string(&image)?])?;
        }
        writer.put(&Effect {
            record: i.record,
            row: i.row,
            object: i.object,
            operation: i.operation,
            state: EffectState::Intended {
                request: i.request,
                sent_at: i.sent_at,
            },
            hash: i.hash,
        })?;
    }
    Ok(())
}

fn read_image(c: &Connection, record: RecordId, row: u32) -> Result<Option<Image>, DbError> {
    let image: Option<String> = c
        .prepare_cached("SELECT image FROM before_images WHERE record = ?1 AND row = ?2")?
        .query_row(params![record.0, row], |r| r.get(0))
        .optional()?;
    Ok(image
        .map(|image| serde_json::from_str(&image))
        .transpose()?)
}

fn put_outcomes(
    c: &Connection,
    phase: &str,
    at: DateTime<Utc>,
    outcomes: &[Final],
) -> Result<(), DbError> {
    let mut words = Words::new(c)?;
    let phase = words.id(phase)?;
    let mut put = c.prepare_cached(
        "INSERT INTO outcomes(record, phase, verdict, reason, version, at) VALUES(?1,?2,?3,?4,?5,?6)
         ON CONFLICT(record) DO UPDATE SET phase = excluded.phase, verdict = excluded.verdict, reason = excluded.reason,
            version = excluded.version, at = excluded.at",
    )?;
    let mut forget = c.prepare_cached("DELETE FROM messages WHERE record = ?1")?;
    for Final {
        record,
        verdict,
        version,
    } in outcomes
    {
        let reason = words.id(verdict.reason().unwrap_or_default())?;
        put.execute(params![
            record.0,
            phase,
            verdict_number(verdict),
            reason,
            version.map(u64::cast_signed),
            at.timestamp_millis()
        ])?;
        match verdict {
            Verdict::Failed { message, .. } => {
                c.prepare_cached("INSERT OR REPLACE INTO messages(record, text) VALUES(?1,?2)")?
                    .execute(params![record.0, message])?;
            }
            _ => {
                forget.execute([record.0])?;
            }
        }
    }
    Ok(())
}

/// One pass over the outcomes: counts need every row anyway, and the first ones of each reason come with it.
fn count(c: &Connection) -> Result<Vec<VerdictCount>, DbError> {
    let mut found: BTreeMap<(i64, i64, i64), (u64, Vec<RecordId>)> = BTreeMap::new();
    let mut statement =
        c.prepare("SELECT phase, verdict, reason, record FROM outcomes ORDER BY record")?;
    let mut rows = statement.query([])?;
    while let Some(r) = rows.next()? {
        let (count, examples) = found.entry((r.get(0)?, r.get(1)?, r.get(2)?)).or_default();
        *count += 1;
        if examples.len() < EXAMPLES {
            examples.push(RecordId(r.get(3)?));
        }
    }
    let mut words = Words::new(c)?;
    let mut counts = Vec::with_capacity(found.len());
    for ((phase, number, reason), (count, examples)) in found {
        counts.push(VerdictCount {
            phase: words.word(phase)?,
            column: column(number).to_owned(),
            reason: words.word(reason)?,
            count,
            examples,
        });
    }
    Ok(counts)
}

fn count_of(c: &Connection, phase: String) -> Result<Vec<VerdictCount>, DbError> {
    let mut statement = c.prepare_cached(
        "SELECT verdict, reason, count(*) FROM outcomes
         WHERE phase = (SELECT id FROM words WHERE word = ?1) GROUP BY verdict, reason",
    )?;
    let rows = statement.query_map([&phase], |r| {
        Ok((r.get(0)?, r.get(1)?, r.get::<_, i64>(2)?.cast_unsigned()))
    })?;
    let mut words = Words::new(c)?;
    let mut counts = Vec::new();
    for row in rows {
        let (number, reason, count) = row?;
        counts.push(VerdictCount {
            phase: phase.clone(),
            column: column(number).to_owned(),
            reason: words.word(reason)?,
            count,
            examples: Vec::new(),
        });
    }
    Ok(counts)
}

#[async_trait]
impl Ledger for SqliteLedger {
    async fn owner(&self) -> Result<Option<LedgerOwner>> {
        let value = self.get("owner").await?;
        value
            .map(|v| {
                serde_json::from_value(v)
                    .map_err(|e| Error::bug("read the ledger's owner", e.to_string()))
            })
            .transpose()
    }

    async fn set_owner(&self, owner: &LedgerOwner) -> Result<()> {
        let value = serde_json::to_value(owner)
            .map_err(|e| Error::bug("name the ledger", e.to_string()))?;
        self.put("owner", &value).await
    }

    async fn intend(&self, mut intents: Vec<Intent>) -> Result<()> {
        self.db
            .call("make intents durable", move |c| {
                point("ledger-intend")?;
                let t = c.transaction()?;
                // In the order of the table: neighbours share pages, whatever order the load has.
                intents.sort_by_key(|i| (i.record, i.row));
                put_intents(&t, intents)?;
                t.commit()?;
                point("ledger-intended")?;
                Ok(())
            })
            .await
    }

    async fn settle(&self, mut effects: Vec<Effect>) -> Result<()> {
        self.db
            .call("make effects durable", move |c| {
                point("ledger-settle")?;
                let t = c.transaction()?;
                effects.sort_by_key(|e| (e.record, e.row));
                let mut writer = EffectWriter::new(&t)?;
                for effect in &effects {
                    writer.put(effect)?;
                }
                drop(writer);
                t.commit()?;
                point("ledger-settled")?;
                Ok(())
            })
            .await
    }

    async fn effects(&self, records: &[RecordId]) -> Result<Vec<Effect>> {
        let records = records.to_vec();
        self.db
            .call("read effects", move |c| {
                let (mut reader, mut effects) = (EffectReader::new(c)?, Vec::new());
                for record in records {
                    reader.read(record, &mut effects)?;
                }
                Ok(effects)
            })
            .await
    }

    async fn images(&self, rows: &[(RecordId, u32)]) -> Result<Vec<Option<Image>>> {
        let rows = rows.to_vec();
        self.db
            .call("read what was changed", move |c| {
                let image = |(record, row)| read_image(c, record, row);
                rows.into_iter().map(image).collect()
            })
            .await
    }

    async fn outdated(&self, records: &[(RecordId, u64)]) -> Result<Vec<RecordId>> {
        let records = records.to_vec();
        self.db
            .call("look for what changed since", move |c| {
                let mut statement = c.prepare_cached(
                    "SELECT EXISTS (SELECT 1 FROM outcomes WHERE record = ?1 AND verdict IN (1, 2, 3)
                                      AND version IS NOT NULL AND version <> ?2)",
                )?;
                let mut outdated = Vec::new();
                for (record, version) in records {
                    let version = version.cast_signed();
                    if statement.query_row(params![record.0, version], |r| r.get(0))? {
                        outdated.push(record);
                    }
                }
                Ok(outdated)
            })
            .await
    }

    async fn finish(&self, phase: &str, at: DateTime<Utc>, mut outcomes: Vec<Final>) -> Result<()> {
        let phase = phase.to_owned();
        self.db
            .call("make outcomes final", move |c| {
                point("ledger-finish")?;
                let t = c.transaction()?;
                outcomes.sort_by_key(|one| one.record);
                put_outcomes(&t, &phase, at, &outcomes)?;
                Ok(t.commit()?)
            })
            .await
    }

    async fn finished_at(&self, records: &[RecordId]) -> Result<Vec<Option<DateTime<Utc>>>> {
        let records = records.to_vec();
        self.db
            .call("read when records were loaded", move |c| {
                let mut statement =
                    c.prepare_cached("SELECT at FROM outcomes WHERE record = ?1")?;
                let mut found = Vec::with_capacity(records.len());
                for record in records {
                    let at: Option<Option<i64>> =
                        statement.query_row([record.0], |r| r.get(0)).optional()?;
                    found.push(at.flatten().map(time));
                }
                Ok(found)
            })
            .await
    }

    async fn finished_since(&self, at: DateTime<Utc>) -> Result<u64> {
        self.db
            .call("count what was loaded lately", move |c| {
                let count: i64 = c.query_row(
                    "SELECT count(*) FROM outcomes WHERE at >= ?1",
                    [at.timestamp_millis()],
                    |r| r.get(0),
                )?;
                Ok(count.cast_unsigned())
            })
            .await
    }

    async fn outcomes(&self, records: &[RecordId]) -> Result<Vec<Option<Verdict>>> {
        let records = records.to_vec();
        self.db
            .call("read outcomes", move |c| {
                let mut reader = OutcomeReader::new(c)?;
                records.into_iter().map(|r| reader.read(r)).collect()
            })
            .await
    }

    async fn reopen(&self, phase: &str) -> Result<u64> {
        self.forget(phase, "5, 6").await
    }

    async fn reopen_held(&self, phase: &str) -> Result<u64> {
        self.forget(phase, "5").await
    }

    async fn failed_with(&self, phase: &str, code: &str) -> Result<Vec<RecordId>> {
        let (phase, code) = (phase.to_owned(), code.to_owned());
        self.db
            .call("read what failed", move |c| {
                let (phase, code) = (word(c, &phase)?, word(c, &code)?);
                let mut statement = c.prepare_cached(
                    "SELECT record FROM outcomes WHERE phase = ?1 AND verdict = 6 AND reason = ?2 ORDER BY record",
                )?;
                let found = statement.query_map([phase, code], |r| r.get(0).map(RecordId))?;
                Ok(found.collect::<Result<_, _>>()?)
            })
            .await
    }

    async fn reopen_failed(&self, records: &[RecordId]) -> Result<u64> {
        let records = records.to_vec();
        self.db
            .call("reopen what failed", move |c| {
                let t = c.transaction()?;
                let mut n = 0;
                for record in records {
                    let forgotten = t
                        .prepare_cached("DELETE FROM outcomes WHERE record = ?1 AND verdict = 6")?
                        .execute([record.0])?;
                    if forgotten > 0 {
                        t.prepare_cached("DELETE FROM messages WHERE record = ?1")?
                            .execute([record.0])?;
                    }
                    n += forgotten as u64;
                }
                t.commit()?;
                Ok(n)
            })
            .await
    }

    async fn discard(&self, records: &[RecordId]) -> Result<()> {
        let records = records.to_vec();
        self.db
            .call("look at records again", move |c| {
                let t = c.transaction()?;
                for record in &records {
                    for table in ["outcomes", "messages", "effects"] {
                        t.prepare_cached(&format!("DELETE FROM {table} WHERE record = ?1"))?
                            .execute([record.0])?;
                    }
                }
                Ok(t.commit()?)
            })
            .await
    }

    async fn claim(&self, space: &str, claims: &[(String, RecordId)]) -> Result<Vec<RecordId>> {
        let (space, claims) = (space.to_owned(), claims.to_vec());
        self.db
            .call("claim values", move |c| {
                let t = c.transaction()?;
                let space = word(&t, &space)?;
                let mut winners = Vec::with_capacity(claims.len());
                for (value, record) in &claims {
                    t.prepare_cached(
                        "INSERT OR IGNORE INTO claims(space, value, record) VALUES(?1,?2,?3)",
                    )?
                    .execute(params![space, value, record.0])?;
                    winners.push(RecordId(
                        t.prepare_cached(
                            "SELECT record FROM claims WHERE space = ?1 AND value = ?2",
                        )?
                        .query_row(params![space, value], |r| r.get(0))?,
                    ));
                }
                t.commit()?;
                Ok(winners)
            })
            .await
    }

    async fn claimed(&self, space: &str, values: &[String]) -> Result<Vec<Option<RecordId>>> {
        let (space, values) = (space.to_owned(), values.to_vec());
        self.db
            .call("look up claims", move |c| {
                let space = word(c, &space)?;
                let mut statement =
                    c.prepare_cached("SELECT record FROM claims WHERE space = ?1 AND value = ?2")?;
                let mut found = Vec::with_capacity(values.len());
                for value in values {
                    let record = statement
                        .query_row(params![space, value], |r| r.get(0))
                        .optional()?;
                    found.push(record.map(RecordId));
                }
                Ok(found)
            })
            .await
    }

    async fn phases(&self) -> Result<Vec<PhaseState>> {
        self.db
            .call("read the phases", |c| {
                let mut statement =
                    c.prepare("SELECT name, opened_at, closed_at, passed FROM phases ORDER BY n")?;
                let rows = statement.query_map([], |r| {
                    Ok(PhaseState {
                        phase: r.get(0)?,
                        opened_at: time(r.get(1)?),
                        closed_at: r.get::<_, Option<i64>>(2)?.map(time),
                        passed: r.get(3)?,
                    })
                })?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await
    }

    async fn open_phase(&self, phase: &str, at: DateTime<Utc>) -> Result<()> {
        let phase = phase.to_owned();
        self.db
            .call("open a phase", move |c| {
                c.execute(
                    "INSERT INTO phases(name, n, opened_at, passed)
                     VALUES(?1, (SELECT count(*) FROM phases), ?2, 0)
                     ON CONFLICT(name) DO UPDATE SET closed_at = NULL, passed = 0",
                    params![phase, at.timestamp_millis()],
                )?;
                Ok(())
            })
            .await
    }

    async fn close_phase(&self, phase: &str, at: DateTime<Utc>, passed: bool) -> Result<()> {
        let phase = phase.to_owned();
        self.db
            .call("close a phase", move |c| {
                c.execute(
                    "UPDATE phases SET closed_at = ?2, passed = ?3 WHERE name = ?1",
                    params![phase, at.timestamp_millis(), passed],
                )?;
                Ok(())
            })
            .await
    }

    async fn counts(&self) -> Result<Vec<VerdictCount>> {
        self.db.call("count the ledger", |c| count(c)).await
    }

    async fn counts_of(&self, phase: &str) -> Result<Vec<VerdictCount>> {
        let name = phase.to_owned();
        self.db
            .call("count a phase", move |c| count_of(c, name))
            .await
    }

    async fn message(&self, record: RecordId) -> Result<Option<String>> {
        self.db
            .call("read a failure's text", move |c| read_message(c, record))
            .await
    }

    async fn standing(&self, phase: &str, after: RecordId, limit: usize) -> Result<Vec<RecordId>> {
        let phase = phase.to_owned();
        self.db
            .call("read what stands in the target", move |c| {
                let phase = word(c, &phase)?;
                let mut statement = c.prepare_cached(
                    "SELECT record FROM outcomes WHERE phase = ?1 AND verdict IN (1, 2, 3) AND record > ?2
                     ORDER BY record LIMIT ?3",
                )?;
                let rows =
                    statement.query_map(params![phase, after.0, limit as i64], |r| Ok(RecordId(r.get(0)?)))?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await
    }

    async fn highest(&self) -> Result<Option<RecordId>> {
        self.db
            .call("read the ledger's last record", |c| {
                let highest: Option<i64> = c.query_row(
                    "SELECT max(record) FROM (SELECT max(record) AS record FROM outcomes
                       UNION ALL SELECT max(record) FROM effects UNION ALL SELECT max(record) FROM before_images)",
                    [],
                    |r| r.get(0),
                )?;
                Ok(highest.map(RecordId))
            })
            .await
    }

    async fn prepare_undo(&self) -> Result<()> {
        self.db
            .call("prepare a rollback", |c| Ok(undo::prepare(c)?))
            .await
    }

    async fn objects(&self, phases: &[String]) -> Result<Vec<WrittenObject>> {
        let phases = phases.to_vec();
        self.db
            .call("read what was written", move |c| undo::objects(c, &phases))
            .await
    }

    async fn written(
        &self,
        object: &str,
        phases: &[String],
        after: Option<(RecordId, u32)>,
        limit: usize,
    ) -> Result<Vec<Written>> {
        let (object, phases) = (object.to_owned(), phases.to_vec());
        self.db
            .call("read what was written", move |c| {
                undo::written(c, &object, &phases, after, limit)
            })
            .await
    }

    async fn changed(
        &self,
        phases: &[String],
        after: Option<(RecordId, u32)>,
        limit: usize,
    ) -> Result<Vec<Changed>> {
        let phases = phases.to_vec();
        self.db
            .call("read what was changed", move |c| {
                undo::changed(c, &phases, after, limit)
            })
            .await
    }

    async fn restored(&self, rows: &[(RecordId, u32)]) -> Result<()> {
        let rows = rows.to_vec();
        self.db
            .call("forget changes that are undone", move |c| {
                let t = c.transaction()?;
                undo::restored(&t, &rows)?;
                Ok(t.commit()?)
            })
            .await
    }

    async fn follow(&self, merged: &[Merged]) -> Result<u64> {
        let merged = merged.to_vec();
        self.db
            .call("follow merged rows", move |c| {
                let t = c.transaction()?;
                let known = undo::follow(&t, &merged)?;
                t.commit()?;
                Ok(known)
            })
            .await
    }

    async fn known(&self, ids: &[String]) -> Result<Vec<bool>> {
        let ids = ids.to_vec();
        self.db
            .call("look for rows of ours", move |c| undo::known(c, &ids))
            .await
    }

    async fn take_back(&self, ids: &[String]) -> Result<()> {
        let ids = ids.to_vec();
        self.db
            .call("forget rows that are gone", move |c| {
                let t = c.transaction()?;
                undo::take_back(&t, &ids)?;
                Ok(t.commit()?)
            })
            .await
    }

    async fn forget_phases(&self, phases: &[String]) -> Result<()> {
        let phases = phases.to_vec();
        self.db
            .call("open phases again", move |c| {
                if phases.is_empty() {
                    c.execute("DELETE FROM phases", [])?;
                }
                for phase in &phases {
                    c.execute("DELETE FROM phases WHERE name = ?1", [phase])?;
                }
                Ok(())
            })
            .await
    }

    async fn forget_all(&self) -> Result<()> {
        self.db
            .call("forget what is gone", |c| {
                let t = c.transaction()?;
                undo::forget_all(&t)?;
                Ok(t.commit()?)
            })
            .await
    }

    async fn put(&self, name: &str, value: &Value) -> Result<()> {
        let (name, value) = (name.to_owned(), value.to_string());
        self.db
            .call("keep a value", move |c| {
                c.execute(
                    "INSERT OR REPLACE INTO meta(name, value) VALUES(?1, ?2)",
                    [name, value],
                )?;
                Ok(())
            })
            .await
    }

    async fn get(&self, name: &str) -> Result<Option<Value>> {
        let name = name.to_owned();
        self.db
            .call("read a kept value", move |c| {
                let value: Option<String> = c
                    .query_row("SELECT value FROM meta WHERE name = ?1", [name], |r| {
                        r.get(0)
                    })
                    .optional()?;
                Ok(value.map(|v| serde_json::from_str(&v)).transpose()?)
            })
            .await
    }
}
