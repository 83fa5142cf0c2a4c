//! Taking back what a target holds, by its ledger: first a look at what must stay, so that what somebody else works with stays
//! whole; then children go before parents.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::workspace::write_whole;
use super::{Migration, Opened};
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::fault::point;
use crate::key::RecordId;
use crate::ledger::{Changed, Ledger};
use crate::report::{Example, UndoReport, UndoneObject, UndoneReason};
use crate::undo::{Ours, RestoreBatch, Undo, UndoBatch, UndoRow, Undone};

/// Rows that are taken back together.
const TOGETHER: usize = 200;
/// Examples of each reason.
const EXAMPLES: usize = 3;
/// Clocks differ: so much after the load counts as during it.
const MARGIN: chrono::TimeDelta = chrono::TimeDelta::seconds(60);

/// The ledger's name for the end of the load, once phases are forgotten.
const LOADED_UNTIL: &str = "loaded-until";

/// How a rollback is made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rollback {
    /// Only says what would happen.
    pub trial: bool,
    /// The first phase that is taken back, with all that come after it; all of them when nothing is said.
    pub from: Option<String>,
    /// Rows that others changed after the load go too.
    pub force: bool,
}

impl Migration {
    /// Takes back what this workspace made in the target: children before parents, nothing that somebody else works with.
    /// What was matched is left as it stands. The source is not asked. What is gone is forgotten, so that a later `resume` would load it again.
    ///
    /// # Errors
    /// `Unsupported` when the sink cannot; `Mismatch` without a ledger; `Conflict` while it is not known what stands there;
    /// and all that can go wrong on the way. What was taken back until then is remembered: call it again.
    pub async fn roll_back(&self, cx: &Context, how: &Rollback) -> Result<UndoReport> {
        let undo = self.sink.as_undo().ok_or_else(|| {
            let why = "this sink cannot take rows back";
            Error::new(ErrorKind::Unsupported, "roll back", why)
        })?;
        let opened = self.open_loaded(cx).await?;
        let ledger = opened.ledger();
        ledger.prepare_undo().await?;
        let phases = self.phases_from(how.from.as_deref())?;
        let loaded_until = loaded_until(ledger.as_ref()).await?;
        let mut pass = Pass {
            cx,
            undo,
            phases,
            ledger: Arc::clone(&ledger),
            marks: (0..=opened.pass).map(|pass| opened.mark_of(pass)).collect(),
            loaded_until: if how.force { None } else { loaded_until },
            held: Arc::default(),
            force: how.force,
            trial: true,
        };
        let tally = pass.over_all().await?;
        let tally = if how.trial {
            tally
        } else {
            pass.trial = false;
            // Phases are forgotten below, and with them when they ended.
            ledger
                .put(LOADED_UNTIL, &serde_json::json!(loaded_until))
                .await?;
            let tally = pass.over_all().await?;
            if how.from.is_none() && tally.is_whole() {
                ledger.forget_all().await?;
            } else {
                ledger.forget_phases(&pass.phases).await?;
            }
            tally
        };
        let report = tally.into_report(cx, &opened, how.trial);
        let text = serde_json::to_vec_pretty(&report)
            .map_err(|e| Error::bug("write the rollback's report", e.to_string()))?;
        write_whole(&opened.target.folder.join("rollback.json"), &text)?;
        Ok(report)
    }

    /// The phases that are taken back; empty for all.
    fn phases_from(&self, first: Option<&str>) -> Result<Vec<String>> {
        let Some(first) = first else {
            return Ok(Vec::new());
        };
        let phases = self.sink.phases();
        let names: Vec<&str> = phases.iter().map(|phase| phase.name).collect();
        let at = names
            .iter()
            .position(|name| *name == first)
            .ok_or_else(|| {
                let said = format!("there is no phase `{first}`");
                Error::new(ErrorKind::Config, "roll back", said)
                    .advise(format!("The phases are {}", names.join(", ")))
            })?;
        Ok(names[at..].iter().map(|name| (*name).to_owned()).collect())
    }
}

/// When the target was last loaded.
pub(super) async fn loaded_until(ledger: &dyn Ledger) -> Result<Option<DateTime<Utc>>> {
    let kept = ledger.get(LOADED_UNTIL).await?.unwrap_or_default();
    let kept: Option<DateTime<Utc>> = serde_json::from_value(kept).unwrap_or_default();
    let phases = ledger.phases().await?;
    let ends = phases
        .iter()
        .map(|phase| phase.closed_at.unwrap_or(phase.opened_at) + MARGIN);
    Ok(ends.chain(kept).max())
}

/// When these records were loaded, with some time for clocks that differ.
pub(super) async fn loaded_at(
    ledger: &dyn Ledger,
    records: &[RecordId],
) -> Result<Vec<Option<DateTime<Utc>>>> {
    let times = ledger.finished_at(records).await?;
    Ok(times.into_iter().map(|at| Some(at? + MARGIN)).collect())
}

struct Pass<'a> {
    cx: &'a Context,
    undo: &'a dyn Undo,
    phases: Vec<String>,
    ledger: Arc<dyn Ledger>,
    marks: Vec<String>,
    loaded_until: Option<DateTime<Utc>>,
    /// Rows that stay.
    held: Arc<HashSet<String>>,
    force: bool,
    trial: bool,
}

impl Pass<'_> {
    async fn over_all(&mut self) -> Result<Tally> {
        let written = self.ledger.objects(&self.phases).await?;
        let open: BTreeSet<String> = written
            .iter()
            .filter(|object| object.open > 0)
            .map(|object| object.name.clone())
            .collect();
        let names = written.into_iter().map(|object| object.name).collect();
        let shown = self.undo.order(names, false);
        let order = self.undo.order(shown.clone(), self.trial);
        let mut tally = Tally::default();
        for object in &order {
            let counted = self.over(object, open.contains(object), &mut tally).await?;
            tally.objects.push(counted);
        }
        self.restore(&mut tally).await?;
        let place = |object: &UndoneObject| shown.iter().position(|name| *name == object.object);
        tally.objects.sort_by_key(place);
        Ok(tally)
    }

    /// The rows of one object: those that the ledger knows, and those that carry our mark without its knowing.
    async fn over(&mut self, object: &str, open: bool, tally: &mut Tally) -> Result<UndoneObject> {
        let mut counted = UndoneObject {
            object: object.to_owned(),
            ..UndoneObject::default()
        };
        let mut after = None;
        loop {
            let rows = self
                .ledger
                .written(object, &self.phases, after, TOGETHER)
                .await?;
            let Some(last) = rows.last() else { break };
            after = Some((last.record, last.row));
            let records: Vec<RecordId> = rows.iter().map(|row| row.record).collect();
            let times = loaded_at(self.ledger.as_ref(), &records).await?;
            let rows = rows.into_iter().zip(times).map(|(row, at)| UndoRow {
                record: Some(row.record),
                id: row.id,
                loaded_at: at,
            });
            self.batch(object, rows.collect(), &mut counted, tally)
                .await?;
        }
        if open {
            let strays = self.strays(object).await?;
            for rows in strays.chunks(TOGETHER) {
                self.batch(object, rows.to_vec(), &mut counted, tally)
                    .await?;
            }
        }
        Ok(counted)
    }

    /// Rows of others say again what they said before.
    async fn restore(&self, tally: &mut Tally) -> Result<()> {
        let mut after = None;
        loop {
            let rows = self.ledger.changed(&self.phases, after, TOGETHER).await?;
            let Some(last) = rows.last() else {
                return Ok(());
            };
            after = Some((last.record, last.row));
            let mut objects: BTreeMap<String, Vec<Changed>> = BTreeMap::new();
            for row in rows {
                objects.entry(row.object.clone()).or_default().push(row);
            }
            for (object, rows) in objects {
                self.restore_some(&object, &rows, tally).await?;
            }
        }
    }

    async fn restore_some(&self, object: &str, rows: &[Changed], tally: &mut Tally) -> Result<()> {
        self.cx.check("roll back")?;
        let batch = RestoreBatch {
            object: object.to_owned(),
            rows: rows
                .iter()
                .map(|row| (row.id.clone(), row.image.clone()))
                .collect(),
            trial: self.trial,
            force: self.force,
        };
        let answers = self.undo.restore(self.cx, batch).await?;
        point("restore-answered").map_err(|e| Error::storage("roll back", e))?;
        let mut done = Vec::new();
        for (row, answer) in rows.iter().zip(answers) {
            let reason = match &answer {
                Undone::Held(reason) => Some(("held", reason.clone(), String::new())),
                Undone::Failed { code, message } => Some(("failed", code.clone(), message.clone())),
                Undone::Removed | Undone::Gone | Undone::Restored => None,
            };
            let counted = tally.object(object);
            counted.rows += 1;
            match (answer, reason) {
                (_, Some((outcome, reason, message))) => {
                    match outcome {
                        "held" => counted.held += 1,
                        _ => counted.failed += 1,
                    }
                    tally.reason(object, outcome, reason, &row.id, message);
                    continue;
                }
                (Undone::Gone, None) => counted.gone += 1,
                (_, None) => counted.restored += 1,
            }
            done.push((row.record, row.row));
        }
        if !self.trial {
            self.ledger.restored(&done).await?;
        }
        Ok(())
    }

    async fn strays(&self, object: &str) -> Result<Vec<UndoRow>> {
        let mut ids = Vec::new();
        for mark in &self.marks {
            match self.undo.marked(self.cx, object, mark).await? {
                Some(marked) => ids.extend(marked),
                None => return Err(unmarked(object)),
            }
        }
        let ours = self.ledger.known(&ids).await?;
        let strays = ids.into_iter().zip(ours).filter(|(_, known)| !known);
        Ok(strays
            .map(|(id, _)| UndoRow {
                record: None,
                id,
                loaded_at: None,
            })
            .collect())
    }

    async fn batch(
        &mut self,
        object: &str,
        rows: Vec<UndoRow>,
        counted: &mut UndoneObject,
        tally: &mut Tally,
    ) -> Result<()> {
        self.cx.check("roll back")?;
        let batch = UndoBatch {
            object: object.to_owned(),
            rows: rows.clone(),
            trial: self.trial,
            loaded_until: self.loaded_until,
            held: Arc::clone(&self.held),
            ours: Arc::new(ByLedger(Arc::clone(&self.ledger))),
        };
        let answers = self.undo.undo(self.cx, batch).await?;
        point("undo-answered").map_err(|e| Error::storage("roll back", e))?;
        let mut gone = Vec::new();
        for (row, answer) in rows.into_iter().zip(answers) {
            counted.rows += 1;
            match answer {
                Undone::Removed => {
                    counted.removed += 1;
                    gone.push(row.id);
                }
                Undone::Gone | Undone::Restored => {
                    counted.gone += 1;
                    gone.push(row.id);
                }
                Undone::Held(reason) => {
                    counted.held += 1;
                    tally.reason(object, "held", reason, &row.id, String::new());
                    Arc::make_mut(&mut self.held).insert(row.id);
                }
                Undone::Failed { code, message } => {
                    counted.failed += 1;
                    tally.reason(object, "failed", code, &row.id, message);
                    Arc::make_mut(&mut self.held).insert(row.id);
                }
            }
        }
        if !self.trial {
            self.ledger.take_back(&gone).await?;
        }
        Ok(())
    }
}

fn unmarked(object: &str) -> Error {
    let said = format!(
        "the answers to some {object} rows were lost, and they carry no mark to find them by"
    );
    Error::new(ErrorKind::Conflict, "roll back", said)
        .advise("`resume` looks for them first (it may be interrupted as soon as it loads again), then roll back")
}

struct ByLedger(Arc<dyn Ledger>);

#[async_trait]
impl Ours for ByLedger {
    async fn are_ours(&self, ids: &[String]) -> Result<Vec<bool>> {
        self.0.known(ids).await
    }
}

#[derive(Default)]
struct Tally {
    objects: Vec<UndoneObject>,
    reasons: BTreeMap<(String, &'static str, String), (u64, Vec<Example>)>,
}

impl Tally {
    fn object(&mut self, object: &str) -> &mut UndoneObject {
        let at = match self.objects.iter().position(|known| known.object == object) {
            Some(at) => at,
            None => {
                self.objects.push(UndoneObject {
                    object: object.to_owned(),
                    ..UndoneObject::default()
                });
                self.objects.len() - 1
            }
        };
        &mut self.objects[at]
    }

    fn reason(
        &mut self,
        object: &str,
        outcome: &'static str,
        reason: String,
        row: &str,
        message: String,
    ) {
        let of = (object.to_owned(), outcome, reason);
        let (count, examples) = self.reasons.entry(of).or_default();
        *count += 1;
        if examples.len() < EXAMPLES {
            examples.push(Example {
                key: row.to_owned(),
                message,
            });
        }
    }

    fn is_whole(&self) -> bool {
        self.reasons.is_empty()
    }

    fn into_report(self, cx: &Context, opened: &Opened, trial: bool) -> UndoReport {
        let reasons = self.reasons.into_iter();
        UndoReport {
            format: 1,
            target: opened.info.name.clone(),
            target_id: opened.info.id.clone(),
            made_at: cx.now(),
            trial,
            objects: self.objects,
            reasons: reasons
                .map(
                    |((object, outcome, reason), (count, examples))| UndoneReason {
                        object,
                        outcome: outcome.to_owned(),
                        reason,
                        count,
                        examples,
                    },
                )
                .collect(),
            notes: Vec::new(),
        }
    }
}
