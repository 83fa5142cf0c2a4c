//! What a load would take: the walk of a load, with nobody at its end.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::watch;

use super::load;
use super::owning::{self, Decided};
use super::read::ReadState;
use super::selection::Judge;
use super::walk::{Visitor, Walk};
use super::workspace::Workspace;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::forecast::{Effort, Forecast};
use crate::key::RecordId;
use crate::ledger::{Ledger, LedgerJournal, SqliteLedger};
use crate::owners::Undecided;
use crate::report::{Estimate, EstimateChoice, EstimateStep, OwnerWait, Span};
use crate::sink::{Batch, Phase, Sink, Verdict};
use crate::stage::Stage;

/// What loading all that was read into an empty target, and verifying it, would take; nothing where the target cannot tell.
/// Asks nobody. Not beside a run.
///
/// `scratch` is the name of a folder that is made for the time of the call.
///
/// # Errors
/// `Storage`, and what reading the stage can end with.
pub async fn estimate(
    cx: &Context,
    workspace: &Workspace,
    sink: &dyn Sink,
    scratch: &Path,
) -> Result<Option<Estimate>> {
    let Some(forecast) = sink.as_forecast() else {
        return Ok(None);
    };
    begin(scratch)?;
    let estimated = match dry(workspace, scratch).await {
        Ok(dry) => weigh(cx, &dry, sink, forecast).await,
        Err(error) => Err(error),
    };
    end(scratch)?;
    estimated.map(Some)
}

/// Agents whose open cases would wait until a person decides who owns them, if all that was read were loaded into a new
/// target now. Most cases first; none where the target's rows have no owners. Asks the target whom it knows, and writes
/// nothing to it. Not beside a run.
///
/// `scratch` as for [`estimate`].
///
/// # Errors
/// `Storage`, and what asking the target can end with.
pub async fn owners_to_decide(
    cx: &Context,
    workspace: &Workspace,
    sink: &dyn Sink,
    undecided: Undecided,
    scratch: &Path,
) -> Result<Vec<OwnerWait>> {
    let Some(owners) = sink.as_owners() else {
        return Ok(Vec::new());
    };
    begin(scratch)?;
    let waiting = match dry(workspace, scratch).await {
        Ok(dry) => owning::foretell(cx, &dry, owners, undecided).await,
        Err(error) => Err(error),
    };
    end(scratch)?;
    waiting
}

fn begin(scratch: &Path) -> Result<()> {
    std::fs::create_dir_all(scratch).map_err(|e| failed(e, scratch))
}

fn end(scratch: &Path) -> Result<()> {
    std::fs::remove_dir_all(scratch).map_err(|e| failed(e, scratch))
}

fn failed(error: std::io::Error, scratch: &Path) -> Error {
    Error::storage("look ahead", error).with("folder", scratch.display())
}

/// A walk over what was read, with a ledger that nobody keeps.
async fn dry(workspace: &Workspace, scratch: &Path) -> Result<Walk> {
    let stage = Stage::open(&workspace.stage()).await?;
    let ledger: Arc<dyn Ledger> = Arc::new(SqliteLedger::open(&scratch.join("ledger.sqlite"))?);
    let journal = LedgerJournal::new(Arc::clone(&ledger), Arc::clone(stage.index()), "estimate");
    let (_state, read) = watch::channel(ReadState {
        done: true,
        ..ReadState::default()
    });
    Ok(Walk {
        stage,
        transforms: Vec::new(),
        ledger,
        journal: Arc::new(journal),
        read,
        decided: Decided::default(),
        judge: Judge::default(),
    })
}

async fn weigh(
    cx: &Context,
    walk: &Walk,
    sink: &dyn Sink,
    forecast: &dyn Forecast,
) -> Result<Estimate> {
    let mut estimate = Estimate::default();
    let begin = forecast.begin();
    push(&mut estimate, "begin", 0, begin, 1);
    let mut verify = (0, Effort::default());
    let mut side_by_side = 1;
    let mut ways: Ways = Ways::new();
    for phase in load::all_phases(sink.phases()) {
        let weigher = Weigher {
            forecast,
            state: Mutex::default(),
        };
        walk.phase(cx, &phase, &weigher).await?;
        let state = weigher
            .state
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let at_once = phase.parallel.max(1) as u64;
        push(
            &mut estimate,
            phase.name,
            state.records,
            state.write,
            at_once,
        );
        ways.extend(state.ways);
        verify = (verify.0 + state.records, verify.1.plus(state.verify));
        side_by_side = side_by_side.max(at_once);
    }
    push(&mut estimate, "verify", verify.0, verify.1, side_by_side);
    estimate.choices = ways.into_iter().map(|way| choice(forecast, way)).collect();
    estimate.assumptions = forecast.assumptions();
    Ok(estimate)
}

/// Ways by what goes and how, each with the records and the bytes that travel.
type Ways = BTreeMap<(String, &'static str), (EstimateChoice, u64)>;

fn choice(
    forecast: &dyn Forecast,
    ((_, way), (mut choice, bytes)): ((String, &'static str), (EstimateChoice, u64)),
) -> EstimateChoice {
    let (effort, lost) = forecast.by_way(way, choice.rows, bytes);
    choice.requests = effort.requests;
    choice.seconds = Span::new(
        effort.millis.least.div_ceil(1_000),
        effort.millis.most.div_ceil(1_000),
    );
    choice.lost = lost.to_owned();
    choice
}

/// Adds a step whose batches go so many at once: at the best that divides its time, at the worst it does not help.
fn push(estimate: &mut Estimate, step: &str, records: u64, effort: Effort, at_once: u64) {
    if records == 0 && effort == Effort::default() {
        return;
    }
    let mut one = EstimateStep::new(step, records, effort.rows, effort.requests);
    one.seconds = Span::new(
        (effort.millis.least / at_once).div_ceil(1_000),
        effort.millis.most.div_ceil(1_000),
    );
    estimate.steps.push(one);
    estimate.data_bytes += effort.data_bytes;
    estimate.file_bytes += effort.file_bytes;
}

#[derive(Debug, Default)]
struct Weighed {
    records: u64,
    write: Effort,
    verify: Effort,
    ways: Ways,
}

struct Weigher<'a> {
    forecast: &'a dyn Forecast,
    state: Mutex<Weighed>,
}

#[async_trait]
impl Visitor for Weigher<'_> {
    fn wants(&self, _outcome: Option<&Verdict>) -> bool {
        true
    }

    async fn skip(&self, _: &Context, _: &Phase, skipped: Vec<(RecordId, Verdict)>) -> Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.records += skipped.len() as u64;
        Ok(())
    }

    async fn visit(&self, _: &Context, phase: &Phase, batch: Batch) -> Result<()> {
        let write = self.forecast.write(phase.name, &batch.records);
        let verify = self.forecast.verify(phase.name, &batch.records);
        let ways = self.forecast.ways(phase.name, &batch.records);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.records += batch.records.len() as u64;
        state.write = state.write.plus(write);
        state.verify = state.verify.plus(verify);
        for way in ways {
            let new = || (EstimateChoice::new(&way.of, way.way, way.chosen), 0);
            let place = (way.of.clone(), way.way);
            let (sum, bytes) = state.ways.entry(place).or_insert_with(new);
            sum.records += way.records;
            sum.rows += way.rows;
            sum.data_bytes += way.data_bytes;
            sum.file_bytes += way.file_bytes;
            *bytes += way.bytes;
        }
        Ok(())
    }
}
