//! Reading back and comparing everything that stands in the target.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::sync::watch;

use super::progress::{Progress, Step};
use super::read::ReadState;
use super::selection::Judge;
use super::undoing::loaded_at;
use super::walk::{Visitor, Walk};
use super::{Migration, Opened, load, owning};
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::key::RecordId;
use crate::ledger::Ledger;
use crate::report::{DifferenceReport, FieldReport};
use crate::sink::{Batch, Phase, Verdict, Volume};
use crate::verify::{Checked, Finding, Verify};

/// The part of a load's batches of volume that is compared together.
const SHARE: usize = 4;

/// How many differences a report shows.
const SHOWN: usize = 100;

/// What a comparison found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) fields: Vec<FieldReport>,
    pub(super) differences: Vec<DifferenceReport>,
}

/// Compares all that stands in the target.
pub(super) async fn verify(
    cx: &Context,
    migration: &Migration,
    opened: &Opened,
    progress: Arc<dyn Progress>,
) -> Result<Found> {
    let verify = migration.sink.as_verify().ok_or_else(|| {
        Error::new(
            ErrorKind::Unsupported,
            "verify",
            "this sink cannot be read back",
        )
    })?;
    let (_state, read) = watch::channel(ReadState {
        done: true,
        ..ReadState::default()
    });
    let walk = Walk {
        stage: opened.stage.clone(),
        transforms: migration.transforms.clone(),
        ledger: opened.ledger(),
        journal: opened.journal(),
        read,
        decided: owning::decided(migration.sink.as_ref(), opened.ledger().as_ref()).await?,
        // What was not selected does not stand in the target.
        judge: Judge::default(),
    };
    let comparer = Comparer {
        verify,
        ledger: opened.ledger(),
        untouched: migration.untouched,
        tally: Mutex::default(),
        progress,
    };
    for phase in load::all_phases(migration.sink.phases()) {
        walk.phase(cx, &lighter(phase), &comparer).await?;
    }
    let tally = comparer
        .tally
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    Ok(Found {
        fields: tally.fields.into_values().collect(),
        differences: tally.differences,
    })
}

/// The phase with smaller batches of volume: a row that is compared is held twice, as it should be and as it stands.
fn lighter(mut phase: Phase) -> Phase {
    phase.volume = phase.volume.map(|volume| Volume {
        from: volume.from,
        records: (volume.records / SHARE).max(volume.from),
        bytes: volume.bytes / SHARE,
    });
    phase
}

#[derive(Default)]
struct Tally {
    fields: BTreeMap<(&'static str, String), FieldReport>,
    differences: Vec<DifferenceReport>,
}

struct Comparer<'a> {
    verify: &'a dyn Verify,
    ledger: Arc<dyn Ledger>,
    /// Whether rows that others changed after they were loaded may differ.
    untouched: bool,
    tally: Mutex<Tally>,
    progress: Arc<dyn Progress>,
}

#[async_trait]
impl Visitor for Comparer<'_> {
    fn wants(&self, outcome: Option<&Verdict>) -> bool {
        outcome.is_some_and(Verdict::stands_in_target)
    }

    async fn skip(&self, _: &Context, _: &Phase, _: Vec<(RecordId, Verdict)>) -> Result<()> {
        Ok(())
    }

    async fn visit(&self, cx: &Context, phase: &Phase, mut batch: Batch) -> Result<()> {
        let records = batch.records.len();
        // What the source says otherwise since was left as it was loaded: the report names it.
        let versions: Vec<_> = batch.records.iter().map(|r| (r.id, r.version)).collect();
        let outdated = self.ledger.outdated(&versions).await?;
        batch.records.retain(|r| !outdated.contains(&r.id));
        let ids: Vec<RecordId> = batch.records.iter().map(|r| r.id).collect();
        let checked = self.verify.verify(cx, batch).await?;
        let loaded_at = self.loaded_at(&ids).await?;
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        for one in checked {
            let loaded_at = loaded_at.get(&one.record).copied();
            let theirs = one.touched_at.zip(loaded_at);
            tally.count(one, theirs.is_some_and(|(at, loaded)| at > loaded));
        }
        drop(tally);
        self.progress.report(Step::Verified {
            phase: phase.name,
            records,
        });
        Ok(())
    }
}

impl Comparer<'_> {
    /// When records were loaded, where what others changed since may differ; nothing otherwise.
    async fn loaded_at(&self, ids: &[RecordId]) -> Result<HashMap<RecordId, DateTime<Utc>>> {
        if !self.untouched {
            return Ok(HashMap::new());
        }
        let times = loaded_at(self.ledger.as_ref(), ids).await?;
        let times = ids.iter().copied().zip(times);
        Ok(times.filter_map(|(id, at)| Some((id, at?))).collect())
    }
}

impl Tally {
    fn count(&mut self, checked: Checked, theirs: bool) {
        let line = self
            .fields
            .entry((checked.object, checked.field.clone()))
            .or_insert_with(|| FieldReport {
                object: checked.object.to_owned(),
                field: checked.field.clone(),
                ..FieldReport::default()
            });
        line.compared += 1;
        match checked.finding {
            Finding::Equal => line.equal += 1,
            Finding::Explained { .. } => line.explained += 1,
            Finding::Different { .. } if theirs => line.touched += 1,
            Finding::Different { expected, found } => {
                line.different += 1;
                if self.differences.len() < SHOWN {
                    self.differences.push(DifferenceReport {
                        key: checked.key.to_string(),
                        object: checked.object.to_owned(),
                        field: checked.field,
                        expected,
                        found,
                    });
                }
            }
        }
    }
}
