//! Walking through a stage in the order in which a target can take it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use futures::future::{BoxFuture, FutureExt};
use futures::stream::{self, StreamExt, TryStreamExt};
use tokio::sync::watch;

use super::batches::{Lane, Planned, by_wave, lanes, roots};
use super::owning::Decided;
use super::read::ReadState;
use super::selection::Judge;
use crate::blob::Blobs;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::journal::Journal;
use crate::key::{RecordId, RecordKey, RecordKind};
use crate::ledger::Ledger;
use crate::model::{Facts, Record};
use crate::related;
use crate::sink::{Batch, Loaded, Order, Phase, Related, Verdict};
use crate::stage::Stage;
use crate::stage::index::Row;
use crate::transform::{Transform, Transformed};

/// How many conversations are ordered at once, where that brings records enough.
const GROUPS: usize = 200;

/// What is done with the batches of a walk.
#[async_trait]
pub(super) trait Visitor: Send + Sync {
    /// Whether a record with this outcome so far is wanted.
    fn wants(&self, outcome: Option<&Verdict>) -> bool;

    /// Takes records that are not loaded, each with its reason.
    async fn skip(
        &self,
        cx: &Context,
        phase: &Phase,
        skipped: Vec<(RecordId, Verdict)>,
    ) -> Result<()>;

    /// Takes a batch.
    async fn visit(&self, cx: &Context, phase: &Phase, batch: Batch) -> Result<()>;
}

/// A way through a stage.
pub(super) struct Walk {
    pub(super) stage: Stage,
    pub(super) transforms: Vec<Arc<dyn Transform>>,
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) journal: Arc<dyn Journal>,
    pub(super) read: watch::Receiver<ReadState>,
    pub(super) decided: Decided,
    pub(super) judge: Judge,
}

impl Walk {
    /// Hands the wanted records of a phase to the visitor, in the phase's order.
    pub(super) async fn phase(
        &self,
        cx: &Context,
        phase: &Phase,
        visitor: &dyn Visitor,
    ) -> Result<()> {
        match phase.order {
            Order::Plain => self.plain(cx, phase, visitor).await,
            Order::Waves => self.waves(cx, phase, visitor).await,
            Order::Timeline => self.timeline(cx, phase, visitor).await,
        }
    }

    /// Waits for the read.
    pub(super) async fn wait(
        &self,
        cx: &Context,
        until: impl Fn(&ReadState) -> bool,
    ) -> Result<()> {
        let mut read = self.read.clone();
        loop {
            {
                let state = read.borrow_and_update();
                if state.failed {
                    return Err(read_failed());
                }
                if until(&state) {
                    return Ok(());
                }
            }
            tokio::select! {
                changed = read.changed() => if changed.is_err() { return Err(read_failed()) },
                () = cx.cancelled() => return cx.check("wait for the read"),
            }
        }
    }

    async fn plain(&self, cx: &Context, phase: &Phase, visitor: &dyn Visitor) -> Result<()> {
        let mut place = None;
        loop {
            let rows = self
                .stage
                .index()
                .scan(phase.kinds, place.as_ref(), phase.at_hand())
                .await?;
            let Some(last) = rows.last() else {
                return Ok(());
            };
            place = Some(last.place());
            self.batches(
                cx,
                phase,
                visitor,
                rows.into_iter().map(Planned::from).collect(),
            )
            .await?;
        }
    }

    /// Roots first, in scan order; then the children, wave by wave. Only rows with parents are held in memory.
    async fn waves(&self, cx: &Context, phase: &Phase, visitor: &dyn Visitor) -> Result<()> {
        let children = self.stage.index().children(phase.kinds).await?;
        let ids: HashSet<RecordId> = children.iter().map(|row| row.id).collect();
        let mut place = None;
        loop {
            let rows = self
                .stage
                .index()
                .scan(phase.kinds, place.as_ref(), phase.at_hand())
                .await?;
            let Some(last) = rows.last() else { break };
            place = Some(last.place());
            self.batches(cx, phase, visitor, roots(rows, &ids)).await?;
        }
        for wave in by_wave(children) {
            self.batches(cx, phase, visitor, wave).await?;
        }
        Ok(())
    }

    /// All conversations of the stage, ready or not.
    async fn timeline(&self, cx: &Context, phase: &Phase, visitor: &dyn Visitor) -> Result<()> {
        let mut after = 0;
        loop {
            let names = self
                .ready(phase.kinds, records_of_volume([phase]), &mut after)
                .await?;
            if names.is_empty() {
                break;
            }
            self.groups(cx, phase, &names, visitor).await?;
        }
        let mut after = i64::MIN;
        loop {
            let names = self.stage.index().unready_groups(after, GROUPS).await?;
            let Some(last) = names.last() else {
                return Ok(());
            };
            after = *last;
            self.groups(cx, phase, &names, visitor).await?;
        }
    }

    /// The next complete conversations: a few, and more while they have fewer records than are wanted.
    async fn ready(
        &self,
        kinds: &[RecordKind],
        records: usize,
        after: &mut i64,
    ) -> Result<Vec<i64>> {
        let index = self.stage.index();
        let (mut names, mut found) = (Vec::new(), 0);
        loop {
            let ready = index.ready_groups(*after, GROUPS).await?;
            let Some((last, _)) = ready.last() else {
                return Ok(names);
            };
            *after = *last;
            let more: Vec<i64> = ready.into_iter().map(|(_, group)| group).collect();
            if records > 0 {
                found += index.group_rows(&more, kinds).await?.len();
            }
            names.extend(more);
            if found >= records {
                return Ok(names);
            }
        }
    }

    /// Hands the wanted records of conversations to the visitor: what is answered comes before its reply. Gives the id
    /// and the conversation of each of the phase's records.
    pub(super) async fn groups(
        &self,
        cx: &Context,
        phase: &Phase,
        groups: &[i64],
        visitor: &dyn Visitor,
    ) -> Result<Vec<(RecordId, i64)>> {
        if groups.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self.stage.index().group_rows(groups, phase.kinds).await?;
        let places = rows.iter().map(|row| (row.id, row.group)).collect();
        self.rows(cx, phase, rows, visitor).await?;
        Ok(places)
    }

    /// Hands those of these rows that are wanted to the visitor, parents first.
    pub(super) async fn rows(
        &self,
        cx: &Context,
        phase: &Phase,
        rows: Vec<Row>,
        visitor: &dyn Visitor,
    ) -> Result<()> {
        for wave in by_wave(rows) {
            self.batches(cx, phase, visitor, wave).await?;
        }
        Ok(())
    }

    /// The next conversations that may be loaded, many at a time; none when the read is over and all were given.
    pub(super) async fn next_groups(
        &self,
        cx: &Context,
        band: &[Phase],
        after: &mut i64,
    ) -> Result<Option<Vec<i64>>> {
        let kinds: Vec<RecordKind> = band.iter().flat_map(|p| p.kinds).copied().collect();
        let enough = band
            .iter()
            .map(|p| p.batch_records * p.parallel.max(1) * 4)
            .min()
            .unwrap_or(1);
        loop {
            let read_is_over = self.wait_for_groups(cx, &kinds, *after, enough).await?;
            let groups = self.ready(&kinds, records_of_volume(band), after).await?;
            if !groups.is_empty() {
                return Ok(Some(groups));
            }
            if read_is_over {
                return Ok(None);
            }
        }
    }

    /// Waits until enough rows may be loaded, or the read is over; answers whether it is.
    async fn wait_for_groups(
        &self,
        cx: &Context,
        kinds: &[RecordKind],
        after: i64,
        wanted: usize,
    ) -> Result<bool> {
        let mut read = self.read.clone();
        loop {
            let (done, failed) = {
                let state = read.borrow_and_update();
                (state.done, state.failed)
            };
            if failed {
                return Err(read_failed());
            }
            if done || self.stage.index().ready_rows(kinds, after).await? >= wanted as u64 {
                return Ok(done);
            }
            tokio::select! {
                changed = read.changed() => if changed.is_err() { return Err(read_failed()) },
                () = cx.cancelled() => cx.check("wait for the read")?,
            }
        }
    }

    /// Hands on those of the rows that are wanted.
    async fn batches(
        &self,
        cx: &Context,
        phase: &Phase,
        visitor: &dyn Visitor,
        rows: Vec<Planned>,
    ) -> Result<()> {
        let ids: Vec<RecordId> = rows.iter().map(|planned| planned.row.id).collect();
        let outcomes = self.ledger.outcomes(&ids).await?;
        let wanted = rows
            .into_iter()
            .zip(outcomes)
            .filter(|(_, outcome)| visitor.wants(outcome.as_ref()));
        let wanted: Vec<Planned> = wanted.map(|(planned, _)| planned).collect();
        let phase = &phase.taking(wanted.len());
        let lanes = lanes(wanted, phase);
        // Boxed one by one: a closure over borrowed lanes would keep the whole run from being spawned.
        let lanes: Vec<BoxFuture<'_, Result<()>>> = lanes
            .into_iter()
            .map(|lane| self.lane(cx, phase, visitor, lane).boxed())
            .collect();
        stream::iter(lanes)
            .buffer_unordered(phase.parallel.max(1))
            .try_collect()
            .await
    }

    async fn lane(
        &self,
        cx: &Context,
        phase: &Phase,
        visitor: &dyn Visitor,
        lane: Lane,
    ) -> Result<()> {
        for batch in lane {
            self.batch(cx, phase, visitor, batch).await?;
        }
        Ok(())
    }

    async fn batch(
        &self,
        cx: &Context,
        phase: &Phase,
        visitor: &dyn Visitor,
        planned: Vec<Planned>,
    ) -> Result<()> {
        cx.check("load")?;
        let (mut skipped, mut taken) = (Vec::new(), Vec::with_capacity(planned.len()));
        for planned in planned {
            let skip = planned.row.skip.clone().map(Verdict::Skipped);
            match skip.or_else(|| self.judge.row(&planned.row)) {
                Some(verdict) => skipped.push((planned.row.id, verdict)),
                None => taken.push(planned),
            }
        }
        let (records, related) = self.with_records(taken).await?;
        let records = self.selected(records, &mut skipped).await?;
        let (more, parts) = self.transform(cx, records).await?;
        skipped.extend(more);
        if !skipped.is_empty() {
            visitor.skip(cx, phase, skipped).await?;
        }
        let records = self.with_parents(phase, parts).await?;
        if records.is_empty() {
            return Ok(());
        }
        let batch = Batch {
            phase: phase.name,
            records,
            related: Arc::new(related),
            journal: Arc::clone(&self.journal),
            blobs: Arc::clone(self.stage.blobs()) as Arc<dyn Blobs>,
        };
        visitor.visit(cx, phase, batch).await
    }

    /// Those of the records that this pass takes; the others wait.
    async fn selected(
        &self,
        records: Vec<(Planned, Record)>,
        waiting: &mut Vec<(RecordId, Verdict)>,
    ) -> Result<Vec<(Planned, Record)>> {
        let asked: Vec<&Record> = records.iter().map(|(_, record)| record).collect();
        let index = self.stage.index().as_ref();
        let judged = self
            .judge
            .records(index, self.ledger.as_ref(), &asked)
            .await?;
        let mut taken = Vec::with_capacity(records.len());
        for (record, verdict) in records.into_iter().zip(judged) {
            match verdict {
                Some(verdict) => waiting.push((record.0.row.id, verdict)),
                None => taken.push(record),
            }
        }
        Ok(taken)
    }

    async fn with_records(
        &self,
        planned: Vec<Planned>,
    ) -> Result<(Vec<(Planned, Record)>, Related)> {
        let rows: Vec<Row> = planned.iter().map(|p| p.row.clone()).collect();
        let mut records = self.stage.records(&rows).await?;
        let related = self.related(&records).await?;
        for record in &mut records {
            related::fill(record, &related);
        }
        Ok((planned.into_iter().zip(records).collect(), related))
    }

    /// What of these rows a target is to load, as the transforms leave it.
    pub(super) async fn records_to_load(
        &self,
        cx: &Context,
        rows: Vec<Row>,
    ) -> Result<Vec<Record>> {
        let rows: Vec<Row> = rows.into_iter().filter(|row| row.skip.is_none()).collect();
        if self.transforms.is_empty() {
            return self.stage.records(&rows).await;
        }
        let planned = rows.into_iter().map(Planned::from).collect();
        let (records, _) = self.with_records(planned).await?;
        let (_, parts) = self.transform(cx, records).await?;
        Ok(parts.into_iter().map(|part| part.record).collect())
    }

    /// The people and teams that the records name by key.
    async fn related(&self, records: &[Record]) -> Result<Related> {
        let keys: BTreeSet<&RecordKey> = records.iter().flat_map(related::named_by).collect();
        let keys: Vec<RecordKey> = keys.into_iter().cloned().collect();
        let index = self.stage.index();
        let ids: Vec<RecordId> = index.find(&keys).await?.into_iter().flatten().collect();
        let found = self.stage.records(&index.rows(&ids).await?).await?;
        Ok(found
            .into_iter()
            .map(|record| (record.key().clone(), record))
            .collect())
    }

    async fn transform(
        &self,
        cx: &Context,
        batch: Vec<(Planned, Record)>,
    ) -> Result<(Vec<(RecordId, Verdict)>, Vec<Part>)> {
        let mut parts: Vec<Part> = batch
            .into_iter()
            .map(|(planned, record)| Part {
                planned,
                part: 0,
                record,
            })
            .collect();
        let mut skipped = Vec::new();
        for transform in &self.transforms {
            let records = parts.iter().map(|p| p.record.clone()).collect();
            let verdicts = transform.apply(cx, records).await?;
            if verdicts.len() != parts.len() {
                return Err(Error::bug(
                    "transform records",
                    format!(
                        "{} records went in, {} verdicts came out",
                        parts.len(),
                        verdicts.len()
                    ),
                ));
            }
            let mut kept = Vec::with_capacity(parts.len());
            for (part, verdict) in parts.into_iter().zip(verdicts) {
                match verdict {
                    Transformed::Keep(record) => kept.push(Part { record, ..part }),
                    Transformed::Skip(reason) => skipped.push((part.planned.row.id, reason)),
                    Transformed::Split(records) if records.is_empty() => {
                        skipped.push((part.planned.row.id, "split-into-nothing".into()));
                    }
                    Transformed::Split(records) => {
                        kept.extend(records.into_iter().map(|record| Part {
                            planned: part.planned.clone(),
                            part: 0,
                            record,
                        }));
                    }
                }
            }
            parts = kept;
        }
        number(&mut parts);
        Ok((wholly_skipped(skipped, &parts), parts))
    }

    /// Resolves each record's parent: it counts when it stands in the target.
    async fn with_parents(&self, phase: &Phase, parts: Vec<Part>) -> Result<Vec<Loaded>> {
        let mut parents: Vec<Option<RecordId>> = parts.iter().map(|p| p.planned.parent).collect();
        if phase.order == Order::Waves {
            let keys: Vec<_> = parts.iter().map(|p| Facts::of(&p.record).parent).collect();
            let asked: Vec<_> = keys.iter().flatten().cloned().collect();
            let mut found = self.stage.index().find(&asked).await?.into_iter();
            for (parent, key) in parents.iter_mut().zip(&keys) {
                *parent = key.as_ref().and_then(|_| found.next().flatten());
            }
        }
        let asked: Vec<RecordId> = parents.iter().flatten().copied().collect();
        let outcomes = self.ledger.outcomes(&asked).await?;
        let stands: HashMap<RecordId, bool> = asked
            .into_iter()
            .zip(outcomes)
            .map(|(id, verdict)| (id, verdict.is_some_and(|v| v.stands_in_target())))
            .collect();
        Ok(parts
            .into_iter()
            .zip(parents)
            .map(|(part, parent)| {
                let wanted = Facts::of(&part.record).parent.is_some();
                let parent = parent
                    .filter(|p| !part.planned.cut && *p != part.planned.row.id)
                    .filter(|p| stands.get(p).copied().unwrap_or(false));
                Loaded {
                    id: part.planned.row.id,
                    part: part.part,
                    version: part.planned.row.version,
                    orphan: part.planned.cut || (wanted && parent.is_none()),
                    parent,
                    file: part.planned.row.file,
                    owner: self.decided.of(&part.record),
                    record: part.record,
                }
            })
            .collect())
    }
}

/// How many records of conversations are worth to be ordered at once: those of several large batches, since the first
/// mails of conversations travel apart from the replies to them. No more than a few where batches do not grow.
fn records_of_volume<'a>(phases: impl IntoIterator<Item = &'a Phase>) -> usize {
    let large = phases.into_iter().filter_map(|phase| phase.volume);
    large.map(|volume| volume.records * 3).max().unwrap_or(0)
}

struct Part {
    planned: Planned,
    part: u32,
    record: Record,
}

/// Numbers the parts of each record: several transforms may have split it.
fn number(parts: &mut [Part]) {
    let mut next: HashMap<RecordId, u32> = HashMap::new();
    for part in parts {
        let number = next.entry(part.planned.row.id).or_insert(0);
        part.part = *number;
        *number += 1;
    }
}

/// The records that are skipped as a whole, each with the first reason: of the others a part goes on.
fn wholly_skipped(skipped: Vec<(RecordId, String)>, parts: &[Part]) -> Vec<(RecordId, Verdict)> {
    let mut known: HashSet<RecordId> = parts.iter().map(|p| p.planned.row.id).collect();
    skipped
        .into_iter()
        .filter(|(id, _)| known.insert(*id))
        .map(|(id, reason)| (id, Verdict::Skipped(reason)))
        .collect()
}

fn read_failed() -> Error {
    Error::new(
        ErrorKind::Cancelled,
        "load",
        "the read stopped before its end",
    )
}
