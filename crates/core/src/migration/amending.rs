//! Bringing rows up to date where they stand.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::watch;

use super::read::ReadState;
use super::reporting::key_of;
use super::selection::Judge;
use super::undoing::loaded_at;
use super::walk::{Visitor, Walk};
use super::{Migration, Opened, load, owning};
use crate::amend::{Amend, AmendBatch, Amended};
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::fault::point;
use crate::key::RecordId;
use crate::ledger::{Final, Ledger};
use crate::sink::{Batch, Phase, Verdict};
use crate::stage::Stage;
use crate::stage::index::Row;

/// Rows that are looked at together.
const ROWS: usize = 1_000;

impl Migration {
    /// Changes the rows of records that say something else now than when they were loaded. Gives what people should know.
    pub(super) async fn amend_what_changed(
        &self,
        cx: &Context,
        opened: &Opened,
    ) -> Result<Vec<String>> {
        let amend = self.sink.as_amend().ok_or_else(|| {
            let why = "this sink changes no rows";
            Error::new(ErrorKind::Unsupported, "bring rows up to date", why)
                .advise("Use `recreate`, or leave what changed as it was loaded")
        })?;
        let ledger = opened.ledger();
        let (_state, read) = watch::channel(ReadState {
            done: true,
            ..ReadState::default()
        });
        let walk = Walk {
            stage: opened.stage.clone(),
            transforms: self.transforms.clone(),
            ledger: Arc::clone(&ledger),
            journal: opened.journal(),
            read,
            decided: owning::decided(self.sink.as_ref(), ledger.as_ref()).await?,
            // What was not selected does not stand in the target.
            judge: Judge::default(),
        };
        let amender = Amender {
            amend,
            ledger,
            tally: Mutex::default(),
        };
        let mut after = RecordId(0);
        let phases = load::all_phases(self.sink.phases());
        loop {
            let rows = opened.stage.index().changed(after, ROWS).await?;
            let Some(last) = rows.last() else { break };
            after = last.id;
            let rows = outdated(amender.ledger.as_ref(), rows).await?;
            for phase in &phases {
                let mine = rows.iter().filter(|row| phase.kinds.contains(&row.kind));
                let mine: Vec<Row> = mine.cloned().collect();
                if !mine.is_empty() {
                    walk.rows(cx, phase, mine, &amender).await?;
                }
            }
        }
        let tally = amender.tally.into_inner();
        let tally = tally.unwrap_or_else(PoisonError::into_inner);
        tally.told(&opened.stage).await
    }
}

/// Those rows that stand in the target as something else was read of them.
async fn outdated(ledger: &dyn Ledger, rows: Vec<Row>) -> Result<Vec<Row>> {
    let versions: Vec<_> = rows.iter().map(|row| (row.id, row.version)).collect();
    let outdated: HashSet<RecordId> = ledger.outdated(&versions).await?.into_iter().collect();
    let mine = rows.into_iter().filter(|row| outdated.contains(&row.id));
    Ok(mine.collect())
}

struct Amender<'a> {
    amend: &'a dyn Amend,
    ledger: Arc<dyn Ledger>,
    tally: Mutex<Tally>,
}

#[derive(Default)]
struct Tally {
    changed: u64,
    same: u64,
    /// Those that stay, by the reason, with what was said of the first.
    kept: BTreeMap<String, (u64, RecordId, String)>,
}

#[async_trait]
impl Visitor for Amender<'_> {
    fn wants(&self, outcome: Option<&Verdict>) -> bool {
        outcome.is_some_and(Verdict::stands_in_target)
    }

    async fn skip(&self, _: &Context, _: &Phase, _: Vec<(RecordId, Verdict)>) -> Result<()> {
        Ok(())
    }

    async fn visit(&self, cx: &Context, phase: &Phase, batch: Batch) -> Result<()> {
        cx.check("bring rows up to date")?;
        let ids: Vec<RecordId> = batch.records.iter().map(|loaded| loaded.id).collect();
        let versions: HashMap<RecordId, u64> =
            batch.records.iter().map(|l| (l.id, l.version)).collect();
        let loaded_at = loaded_at(self.ledger.as_ref(), &ids).await?;
        let answers = self
            .amend
            .amend(cx, AmendBatch { batch, loaded_at })
            .await?;
        point("amended").map_err(|e| Error::storage("bring rows up to date", e))?;
        if answers.len() != ids.len() {
            let said = format!("{} records, {} answers", ids.len(), answers.len());
            return Err(Error::bug("bring rows up to date", said));
        }
        let done = self.count(&ids, answers);
        let records: Vec<RecordId> = done.iter().map(|(id, _)| *id).collect();
        let before = self.ledger.outcomes(&records).await?;
        let finals = done
            .into_iter()
            .zip(before)
            .filter_map(|((record, changed), before)| {
                Some(Final {
                    record,
                    verdict: if changed { Verdict::Updated } else { before? },
                    version: versions.get(&record).copied(),
                })
            });
        self.ledger
            .finish(phase.name, cx.now(), finals.collect())
            .await
    }
}

impl Amender<'_> {
    /// Counts what became of records; gives those that are up to date now, and whether a row of theirs was changed. Of a
    /// record in parts all parts must be.
    fn count(&self, ids: &[RecordId], answers: Vec<Amended>) -> Vec<(RecordId, bool)> {
        let mut of_record: BTreeMap<RecordId, Amended> = BTreeMap::new();
        for (id, answer) in ids.iter().copied().zip(answers) {
            let known = of_record.entry(id).or_insert(Amended::Same);
            let stays = |one: &Amended| !matches!(one, Amended::Same | Amended::Changed);
            if !stays(known) && answer != Amended::Same {
                *known = answer;
            }
        }
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        let mut done = Vec::new();
        for (id, answer) in of_record {
            let (reason, said) = match answer {
                Amended::Changed => {
                    tally.changed += 1;
                    done.push((id, true));
                    continue;
                }
                Amended::Same => {
                    tally.same += 1;
                    done.push((id, false));
                    continue;
                }
                Amended::Kept(reason) => (reason, String::new()),
                Amended::Refused { code, message } => (code, message),
            };
            let (count, _, _) = tally.kept.entry(reason).or_insert((0, id, said));
            *count += 1;
        }
        done
    }
}

impl Tally {
    async fn told(&self, stage: &Stage) -> Result<Vec<String>> {
        let mut told = Vec::new();
        if self.changed > 0 {
            told.push(format!(
                "{} records were brought up to date where they stand: the target's own dates of change, and of closing, are those of this pass",
                self.changed
            ));
        }
        let tenant = stage.index().tenant().await?;
        for (reason, (count, example, said)) in &self.kept {
            let rows = stage.index().rows(&[*example]).await?;
            let example = rows.first().map_or(String::new(), |row| {
                format!(", such as {}", key_of(tenant.as_ref(), row))
            });
            let said = if said.is_empty() {
                String::new()
            } else {
                format!(": {said}")
            };
            told.push(format!(
                "{count} changed records stay as they were loaded ({reason}){example}{said}"
            ));
        }
        Ok(told)
    }
}
