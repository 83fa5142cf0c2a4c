//! Rows of the ledger, as they are written and read.

use chrono::{DateTime, TimeZone, Utc};
use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

use super::words::Words;
use crate::db::DbError;
use crate::error::Error;
use crate::journal::{Effect, EffectState, Operation};
use crate::key::RecordId;
use crate::sink::Verdict;

pub(super) const fn verdict_number(verdict: &Verdict) -> i64 {
    match verdict {
        Verdict::Created => 1,
        Verdict::Updated => 2,
        Verdict::Unchanged(_) => 3,
        Verdict::Skipped(_) => 4,
        Verdict::Held(_) => 5,
        Verdict::Failed { .. } => 6,
    }
}

fn verdict(number: i64, reason: String, message: Option<String>) -> Result<Verdict, DbError> {
    Ok(match number {
        1 => Verdict::Created,
        2 => Verdict::Updated,
        3 => Verdict::Unchanged(reason),
        4 => Verdict::Skipped(reason),
        5 => Verdict::Held(reason),
        6 => Verdict::Failed {
            code: reason,
            message: message.unwrap_or_default(),
        },
        other => return Err(Error::bug("read the ledger", format!("verdict {other}")).into()),
    })
}

pub(super) const fn column(number: i64) -> &'static str {
    match number {
        1 => "created",
        2 => "updated",
        3 => "unchanged",
        4 => "skipped",
        5 => "held",
        _ => "failed",
    }
}

const fn operation_number(operation: Operation) -> i64 {
    match operation {
        Operation::Insert => 1,
        Operation::Update => 2,
        Operation::Link => 3,
        Operation::Matched => 4,
        Operation::SideEffect => 5,
    }
}

fn operation(number: i64) -> Result<Operation, DbError> {
    Ok(match number {
        1 => Operation::Insert,
        2 => Operation::Update,
        3 => Operation::Link,
        4 => Operation::Matched,
        5 => Operation::SideEffect,
        other => return Err(Error::bug("read the ledger", format!("operation {other}")).into()),
    })
}

pub(super) fn time(ms: i64) -> DateTime<Utc> {
    Utc.timestamp_millis_opt(ms).single().unwrap_or_default()
}

/// The number of [`Verdict::Failed`].
pub(super) const FAILED: i64 = 6;

/// Writes effects.
pub(super) struct EffectWriter<'c> {
    put: CachedStatement<'c>,
    words: Words<'c>,
}

impl<'c> EffectWriter<'c> {
    pub(super) fn new(c: &'c Connection) -> Result<Self, DbError> {
        Ok(Self {
            // Changed in place: an intent and its effect have the same row.
            put: c.prepare_cached(
                "INSERT INTO effects(record, row, object, operation, state, target, hash, request, sent_at, code, message)
                 VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11)
                 ON CONFLICT(record, row) DO UPDATE SET object = excluded.object, operation = excluded.operation,
                    state = excluded.state, target = excluded.target, hash = excluded.hash,
                    request = excluded.request, sent_at = excluded.sent_at, code = excluded.code,
                    message = excluded.message",
            )?,
            words: Words::new(c)?,
        })
    }

    pub(super) fn put(&mut self, effect: &Effect) -> Result<(), DbError> {
        let object = self.words.id(&effect.object)?;
        let (state, target, request, sent_at, code, message) = match &effect.state {
            EffectState::Intended { request, sent_at } => (
                0,
                None,
                Some(request),
                Some(sent_at.timestamp_millis()),
                None,
                None,
            ),
            EffectState::Confirmed { id } => (1, Some(id), None, None, None, None),
            EffectState::Failed { code, message } => {
                (2, None, None, None, Some(code), Some(message))
            }
        };
        self.put.execute(params![
            effect.record.0,
            effect.row,
            object,
            operation_number(effect.operation),
            state,
            target,
            effect.hash,
            request,
            sent_at,
            code,
            message,
        ])?;
        Ok(())
    }
}

/// Reads effects.
pub(super) struct EffectReader<'c> {
    get: CachedStatement<'c>,
    words: Words<'c>,
}

impl<'c> EffectReader<'c> {
    pub(super) fn new(c: &'c Connection) -> Result<Self, DbError> {
        Ok(Self {
            get: c.prepare_cached(
                "SELECT row, object, operation, state, target, hash, request, sent_at, code, message
                 FROM effects WHERE record = ?1 ORDER BY row",
            )?,
            words: Words::new(c)?,
        })
    }

    pub(super) fn read(&mut self, record: RecordId, into: &mut Vec<Effect>) -> Result<(), DbError> {
        let mut rows = self.get.query([record.0])?;
        while let Some(r) = rows.next()? {
            let text = |n: usize| -> rusqlite::Result<String> {
                Ok(r.get::<_, Option<String>>(n)?.unwrap_or_default())
            };
            let state = match r.get::<_, i64>(3)? {
                0 => EffectState::Intended {
                    request: text(6)?,
                    sent_at: time(r.get::<_, Option<i64>>(7)?.unwrap_or(0)),
                },
                1 => EffectState::Confirmed { id: text(4)? },
                _ => EffectState::Failed {
                    code: text(8)?,
                    message: text(9)?,
                },
            };
            into.push(Effect {
                record,
                row: r.get(0)?,
                object: self.words.word(r.get(1)?)?,
                operation: operation(r.get(2)?)?,
                state,
                hash: r.get(5)?,
            });
        }
        Ok(())
    }
}

/// Reads outcomes.
pub(super) struct OutcomeReader<'c> {
    c: &'c Connection,
    get: CachedStatement<'c>,
    words: Words<'c>,
}

impl<'c> OutcomeReader<'c> {
    pub(super) fn new(c: &'c Connection) -> Result<Self, DbError> {
        Ok(Self {
            c,
            get: c.prepare_cached("SELECT verdict, reason FROM outcomes WHERE record = ?1")?,
            words: Words::new(c)?,
        })
    }

    pub(super) fn read(&mut self, record: RecordId) -> Result<Option<Verdict>, DbError> {
        let found: Option<(i64, i64)> = self
            .get
            .query_row([record.0], |r| Ok((r.get(0)?, r.get(1)?)))
            .optional()?;
        let Some((number, reason)) = found else {
            return Ok(None);
        };
        // Few records have a text: only those are asked for it.
        let text = match number {
            FAILED => read_message(self.c, record)?,
            _ => None,
        };
        verdict(number, self.words.word(reason)?, text).map(Some)
    }
}

/// What was said of a failed record.
pub(super) fn read_message(c: &Connection, record: RecordId) -> Result<Option<String>, DbError> {
    Ok(
        c.prepare_cached("SELECT text FROM messages WHERE record = ?1")?
            .query_row([record.0], |r| r.get(0))
            .optional()?,
    )
}
