//! What is held or failed.

use super::rows::OutcomeReader;
use super::{SqliteLedger, read_message};
use crate::error::Result;
use crate::key::RecordId;
use crate::sink::Verdict;

/// A record that is held or failed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Waiting {
    pub(crate) record: RecordId,
    pub(crate) phase: String,
    pub(crate) verdict: Verdict,
    pub(crate) message: String,
}

impl SqliteLedger {
    /// The next records that are held or failed, by id, after an id.
    pub(crate) async fn unfinished(&self, after: i64, limit: usize) -> Result<Vec<Waiting>> {
        self.db
            .call("list what waits", move |c| {
                let mut statement = c.prepare_cached(
                    "SELECT o.record, w.word FROM outcomes o JOIN words w ON w.id = o.phase
                     WHERE o.verdict IN (5, 6) AND o.record > ?1 ORDER BY o.record LIMIT ?2",
                )?;
                let rows = statement.query_map((after, limit as i64), |r| {
                    Ok((RecordId(r.get(0)?), r.get::<_, String>(1)?))
                })?;
                let rows: Vec<(RecordId, String)> = rows.collect::<Result<_, _>>()?;
                let mut reader = OutcomeReader::new(c)?;
                let mut found = Vec::with_capacity(rows.len());
                for (record, phase) in rows {
                    let Some(verdict) = reader.read(record)? else {
                        continue;
                    };
                    let message = read_message(c, record)?.unwrap_or_default();
                    found.push(Waiting {
                        record,
                        phase,
                        verdict,
                        message,
                    });
                }
                Ok(found)
            })
            .await
    }
}
