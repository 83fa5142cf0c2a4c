//! Loading a stage into a target, phase by phase.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;

use super::band::Tally;
use super::gate::Gate;
use super::handing::HANDED;
use super::late::Late;
use super::owning::Owning;
use super::progress::{Progress, Step};
use super::underway::Underway;
use super::walk::{Visitor, Walk};
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::key::{RecordId, RecordKind};
use crate::ledger::{Final, Ledger, PhaseState};
use crate::report::{HANDED_OVER, is_by_choice};
use crate::sink::{Batch, Order, Outcome, Phase, Sink, Verdict};

/// The phases of records that no phase of the sink takes: each is skipped with a reason, none is forgotten.
const UNCLAIMED: [(&str, &[RecordKind]); 15] = [
    (
        "unclaimed-object-definitions",
        &[RecordKind::ObjectDefinition],
    ),
    (
        "unclaimed-field-definitions",
        &[RecordKind::FieldDefinition],
    ),
    ("unclaimed-teams", &[RecordKind::Team]),
    ("unclaimed-agents", &[RecordKind::Agent]),
    ("unclaimed-tags", &[RecordKind::Tag]),
    ("unclaimed-accounts", &[RecordKind::Account]),
    ("unclaimed-contacts", &[RecordKind::Contact]),
    ("unclaimed-conversations", &[RecordKind::Conversation]),
    ("unclaimed-attachments", &[RecordKind::Attachment]),
    ("unclaimed-messages", &[RecordKind::Message]),
    ("unclaimed-object-records", &[RecordKind::ObjectRecord]),
    ("unclaimed-categories", &[RecordKind::Category]),
    ("unclaimed-articles", &[RecordKind::Article]),
    ("unclaimed-agent-statistics", &[RecordKind::AgentStatistics]),
    ("unclaimed-inventory", &[RecordKind::InventoryItem]),
];

fn is_unclaimed(phase: &Phase) -> bool {
    UNCLAIMED.iter().any(|(name, _)| *name == phase.name)
}

/// Why its records are not loaded: what nobody loads may be handed over as a document.
fn why_unclaimed(phase: &Phase) -> &'static str {
    if phase.kinds.iter().any(|kind| HANDED.contains(kind)) {
        HANDED_OVER
    } else {
        "no-phase"
    }
}

/// Loads a stage into one target.
pub(super) struct Loader {
    pub(super) walk: Walk,
    pub(super) sink: Arc<dyn Sink>,
    pub(super) gate: Gate,
    pub(super) progress: Arc<dyn Progress>,
    pub(super) late: Arc<Late>,
    pub(super) underway: Underway,
    pub(super) tally: Tally,
    pub(super) owning: Owning,
}

impl Loader {
    /// Loads what is not loaded yet. Every outcome so far is durable, whatever the answer.
    pub(super) async fn run(&self, cx: &Context) -> Result<()> {
        let phases = all_phases(self.sink.phases());
        loop {
            for step in steps(&phases) {
                self.step(cx, &phases[..step.start], &phases[step]).await?;
            }
            self.walk.wait(cx, |read| read.done).await?;
            // A record may arrive after its phase was closed (a person whom only a late message names).
            if !self.has_grown(&phases).await? {
                return Ok(());
            }
        }
    }

    fn ledger(&self) -> &dyn Ledger {
        self.walk.ledger.as_ref()
    }

    /// Phases that are opened together, after others.
    async fn step(&self, cx: &Context, earlier: &[Phase], step: &[Phase]) -> Result<()> {
        let mut wanted = self.unfinished(step).await?;
        // What was decided is asked for even when all agents are done: it may be another decision now.
        let decides = step.iter().any(|phase| self.owning.decides(phase));
        if decides {
            wanted = step.to_vec();
        }
        if wanted.is_empty() {
            return Ok(());
        }
        // The barrier: what the phases need is read to its end.
        self.walk
            .wait(cx, |read| {
                let mut needs = wanted.iter().flat_map(|phase| phase.needs);
                needs.all(|kind| !read.open.contains(kind))
            })
            .await?;
        self.catch_up(cx, earlier).await?;
        if wanted.iter().any(takes_agents) {
            self.owning.prepare(cx, &self.walk).await?;
            wanted = self.unfinished(step).await?;
        }
        let mut open = Vec::with_capacity(wanted.len());
        for phase in wanted.drain(..) {
            if is_unclaimed(&phase) && self.read_of(&phase).await? == 0 {
                continue;
            }
            self.owning.settle(&phase).await?;
            self.open(cx, &phase).await?;
            open.push(phase);
        }
        match open.as_slice() {
            [] => Ok(()),
            [phase] if phase.order != Order::Timeline => {
                self.walk.phase(cx, phase, self).await?;
                self.close(cx, phase).await
            }
            band => self.band(cx, earlier, band).await,
        }
    }

    /// The phases that are not closed, or that grew since.
    async fn unfinished(&self, phases: &[Phase]) -> Result<Vec<Phase>> {
        let states = self.ledger().phases().await?;
        let mut unfinished = Vec::new();
        for phase in phases {
            let done = states
                .iter()
                .any(|s| s.phase == phase.name && s.closed_at.is_some() && s.passed);
            if !done || self.grew(phase).await? {
                unfinished.push(phase.clone());
            }
        }
        Ok(unfinished)
    }

    /// Opens a phase. Behind a gate that was shut held and failed ones have their chance: whoever runs again has changed
    /// something.
    pub(super) async fn open(&self, cx: &Context, phase: &Phase) -> Result<()> {
        let states = self.ledger().phases().await?;
        let shut = |s: &PhaseState| s.phase == phase.name && s.closed_at.is_some() && !s.passed;
        if states.iter().any(shut) {
            self.ledger().reopen(phase.name).await?;
        }
        self.ledger().open_phase(phase.name, cx.now()).await?;
        let books = self.books_of(phase).await?;
        self.tally.begin(phase.name, &books);
        self.progress.report(Step::Opened {
            phase: phase.name,
            read: self.read_of(phase).await?,
            settled: books.settled,
        });
        Ok(())
    }

    /// Loads what came to closed phases meanwhile, before others refer to it.
    async fn catch_up(&self, cx: &Context, earlier: &[Phase]) -> Result<()> {
        for phase in earlier {
            // What is durable is found by the books; the whole phase is looked through.
            self.late_rows(phase.kinds).await?;
            if phase.order == Order::Timeline || !self.grew(phase).await? {
                continue;
            }
            if takes_agents(phase) {
                self.owning.prepare(cx, &self.walk).await?;
            }
            self.open(cx, phase).await?;
            self.walk.phase(cx, phase, self).await?;
            self.close(cx, phase).await?;
        }
        Ok(())
    }

    /// Makes outcomes final, each in its record's own phase.
    pub(super) async fn finish(&self, cx: &Context, outcomes: Vec<Outcome>) -> Result<()> {
        for (phase, finals) in self.underway.answer(outcomes)? {
            self.make_final(cx, phase, finals).await?;
        }
        Ok(())
    }

    async fn make_final(
        &self,
        cx: &Context,
        phase: &'static str,
        finals: Vec<Final>,
    ) -> Result<()> {
        if finals.is_empty() {
            return Ok(());
        }
        let records = finals.len();
        self.tally.count(phase, &finals);
        self.ledger().finish(phase, cx.now(), finals).await?;
        self.progress.report(Step::Settled { phase, records });
        Ok(())
    }

    /// Has the sink finish what is under way.
    pub(super) async fn flush(&self, cx: &Context) -> Result<()> {
        let outcomes = self.sink.flush(cx).await?;
        self.finish(cx, outcomes).await
    }

    /// Closes a phase whose books balance, and asks its gate.
    pub(super) async fn close(&self, cx: &Context, phase: &Phase) -> Result<()> {
        self.flush(cx).await?;
        let (read, books) = (self.read_of(phase).await?, self.books_of(phase).await?);
        let total = books.settled;
        if total < read && !self.walk.read.borrow().done {
            // The read goes on: what arrived meanwhile is looked at when it is over.
            tracing::debug!(
                phase = phase.name,
                read,
                total,
                "records arrived while the phase was closing"
            );
        } else if total != read {
            return Err(Error::bug(
                "close a phase",
                format!("{read} records were read, {total} have an outcome"),
            )
            .with("phase", phase.name));
        }
        // An agent whom the source did not show has no record that could be held.
        let waits = match takes_agents(phase) {
            true => self.owning.waits().await?,
            false => None,
        };
        let passed = waits.is_none() && self.gate_of(phase).allows(books.bad(), read);
        self.ledger()
            .close_phase(phase.name, cx.now(), passed)
            .await?;
        self.progress.report(Step::Closed { phase: phase.name });
        match waits {
            Some(error) => Err(error),
            None if passed => Ok(()),
            None => Err(shut(phase, books, read)),
        }
    }

    /// The phase's own gate, or that of the run.
    pub(super) fn gate_of(&self, phase: &Phase) -> Gate {
        if phase.strict {
            Gate::strict()
        } else {
            self.gate
        }
    }

    pub(super) async fn read_of(&self, phase: &Phase) -> Result<u64> {
        let counts = self.walk.stage.index().counts().await?;
        Ok(counts
            .iter()
            .filter(|(kind, _)| phase.kinds.contains(kind))
            .map(|(_, c)| c.read)
            .sum())
    }

    pub(super) async fn books_of(&self, phase: &Phase) -> Result<Books> {
        let mut books = Books::default();
        for count in self.ledger().counts_of(phase.name).await? {
            books.settled += count.count;
            match count.column.as_str() {
                "failed" => books.failed += count.count,
                "held" if !is_by_choice(&count.reason) => books.held += count.count,
                _ => {}
            }
        }
        Ok(books)
    }

    /// Whether records of a phase have no outcome.
    async fn grew(&self, phase: &Phase) -> Result<bool> {
        Ok(self.books_of(phase).await?.settled < self.read_of(phase).await?)
    }

    async fn has_grown(&self, phases: &[Phase]) -> Result<bool> {
        for phase in phases {
            if self.grew(phase).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn takes_agents(phase: &Phase) -> bool {
    phase.kinds.contains(&RecordKind::Agent)
}

/// What became of a phase's records so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Books {
    /// Records with an outcome.
    pub(super) settled: u64,
    pub(super) failed: u64,
    /// Held because something is wrong or undecided, not by choice.
    pub(super) held: u64,
}

impl Books {
    /// What a gate counts.
    pub(super) const fn bad(&self) -> u64 {
        self.failed + self.held
    }
}

/// The error of a gate that is shut.
pub(super) fn shut(phase: &Phase, books: Books, read: u64) -> Error {
    let Books { failed, held, .. } = books;
    Error::new(
        ErrorKind::Refused,
        "pass a gate",
        format!("of {read} records {failed} failed and {held} are held"),
    )
    .with("phase", phase.name)
    .advise("See the reasons in report.json, mend them and run `resume`, or allow more with --gate")
}

/// Phases one after the other; those that take conversations as they come, next to each other, together.
fn steps(phases: &[Phase]) -> Vec<Range<usize>> {
    let mut steps: Vec<Range<usize>> = Vec::new();
    for (n, phase) in phases.iter().enumerate() {
        match steps.last_mut() {
            Some(last)
                if phase.order == Order::Timeline
                    && phases[last.start].order == Order::Timeline =>
            {
                last.end = n + 1;
            }
            _ => steps.push(n..n + 1),
        }
    }
    steps
}

#[async_trait]
impl Visitor for Loader {
    fn wants(&self, outcome: Option<&Verdict>) -> bool {
        outcome.is_none()
    }

    async fn skip(
        &self,
        cx: &Context,
        phase: &Phase,
        skipped: Vec<(RecordId, Verdict)>,
    ) -> Result<()> {
        let skipped = skipped.into_iter().map(|(record, verdict)| Final {
            record,
            verdict,
            version: None,
        });
        self.make_final(cx, phase.name, skipped.collect()).await
    }

    async fn visit(&self, cx: &Context, phase: &Phase, batch: Batch) -> Result<()> {
        self.underway.hand_over(phase.name, &batch.records);
        let outcomes = if is_unclaimed(phase) {
            let reason = why_unclaimed(phase);
            let verdict = || Verdict::Skipped(reason.into());
            batch
                .records
                .iter()
                .map(|r| Outcome {
                    record: r.id,
                    part: r.part,
                    verdict: verdict(),
                })
                .collect()
        } else {
            self.sink.write(cx, batch).await?
        };
        self.finish(cx, outcomes).await
    }
}

/// The sink's phases, and one for each kind that none of them takes.
pub(super) fn all_phases(mut phases: Vec<Phase>) -> Vec<Phase> {
    for (name, kinds) in UNCLAIMED {
        if phases
            .iter()
            .any(|phase| phase.kinds.iter().any(|kind| kinds.contains(kind)))
        {
            continue;
        }
        let grouped = kinds
            .iter()
            .any(|k| matches!(k, RecordKind::Attachment | RecordKind::Message));
        let order = if grouped {
            Order::Timeline
        } else {
            Order::Plain
        };
        phases.push(Phase::new(name, kinds).ordered(order));
    }
    phases
}
