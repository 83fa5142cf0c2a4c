//! Loading a stage into a target, phase by phase.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;

use super::gate::Gate;
use super::progress::{Progress, Step};
use super::walk::{Visitor, Walk};
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::key::{RecordId, RecordKind};
use crate::ledger::Ledger;
use crate::sink::{Batch, Order, Outcome, Phase, Sink, Verdict};

/// The phases of records that no phase of the sink takes: each is skipped with a reason, none is forgotten.
const UNCLAIMED: [(&str, &[RecordKind]); 9] = [
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
];

fn is_unclaimed(phase: &Phase) -> bool {
    UNCLAIMED.iter().any(|(name, _)| *name == phase.name)
}

/// Loads a stage into one target.
pub(super) struct Loader {
    pub(super) walk: Walk,
    pub(super) sink: Arc<dyn Sink>,
    pub(super) gate: Gate,
    pub(super) progress: Arc<dyn Progress>,
}

impl Loader {
    /// Loads what is not loaded yet. Every outcome so far is durable, whatever the answer.
    pub(super) async fn run(&self, cx: &Context) -> Result<()> {
        let phases = all_phases(self.sink.phases());
        loop {
            for phase in &phases {
                self.phase(cx, phase).await?;
            }
            self.walk.wait(cx, |read| read.done).await?;
            // A record may arrive after its phase was closed (a person whom only a late message names).
            if !self.reopen_grown(cx, &phases).await? {
                return Ok(());
            }
        }
    }

    fn ledger(&self) -> &dyn Ledger {
        self.walk.ledger.as_ref()
    }

    async fn phase(&self, cx: &Context, phase: &Phase) -> Result<()> {
        let known = self
            .ledger()
            .phases()
            .await?
            .into_iter()
            .find(|p| p.phase == phase.name);
        match known {
            Some(state) if state.closed_at.is_some() && state.passed => return Ok(()),
            // A gate that was shut: whoever runs again has changed something, so held and failed ones have their chance.
            Some(state) if state.closed_at.is_some() => {
                self.ledger().reopen(phase.name).await?;
            }
            _ => {}
        }
        // The barrier: what the phase needs is read to its end.
        self.walk
            .wait(cx, |read| {
                phase.needs.iter().all(|kind| !read.open.contains(kind))
            })
            .await?;
        if is_unclaimed(phase) && self.read_of(phase).await? == 0 {
            return Ok(());
        }
        self.ledger().open_phase(phase.name, cx.now()).await?;
        self.progress.report(Step::Opened { phase: phase.name });
        self.walk.phase(cx, phase, self).await?;
        let late = self.sink.flush(cx).await?;
        self.finish(phase, late).await?;
        self.close(cx, phase).await
    }

    /// Makes outcomes final: one per record, the gravest of its parts.
    async fn finish(&self, phase: &Phase, outcomes: Vec<Outcome>) -> Result<()> {
        let mut finals: HashMap<RecordId, Verdict> = HashMap::new();
        for outcome in outcomes {
            let verdict = match finals.remove(&outcome.record) {
                Some(other) => graver(other, outcome.verdict),
                None => outcome.verdict,
            };
            finals.insert(outcome.record, verdict);
        }
        if finals.is_empty() {
            return Ok(());
        }
        let count = finals.len();
        self.ledger()
            .finish(phase.name, finals.into_iter().collect())
            .await?;
        self.progress.report(Step::Settled {
            phase: phase.name,
            records: count,
        });
        Ok(())
    }

    /// Closes a phase whose books balance, and asks its gate.
    async fn close(&self, cx: &Context, phase: &Phase) -> Result<()> {
        let (read, settled) = (self.read_of(phase).await?, self.settled_of(phase).await?);
        let total: u64 = settled.values().sum();
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
        let passed = self.gate.lets_pass(&settled, read);
        self.ledger()
            .close_phase(phase.name, cx.now(), passed)
            .await?;
        self.progress.report(Step::Closed { phase: phase.name });
        if passed {
            return Ok(());
        }
        let count = |column: &str| settled.get(column).copied().unwrap_or(0);
        Err(Error::new(
            ErrorKind::Refused,
            "pass a gate",
            format!(
                "of {read} records {} failed and {} are held",
                count("failed"),
                count("held")
            ),
        )
        .with("phase", phase.name)
        .advise(
            "See the reasons in report.json, mend them and run `resume`, or allow more with --gate",
        ))
    }

    async fn read_of(&self, phase: &Phase) -> Result<u64> {
        let counts = self.walk.stage.index().counts().await?;
        Ok(counts
            .iter()
            .filter(|(kind, _)| phase.kinds.contains(kind))
            .map(|(_, c)| c.read)
            .sum())
    }

    async fn settled_of(&self, phase: &Phase) -> Result<HashMap<String, u64>> {
        let mut settled = HashMap::new();
        for count in self.ledger().counts().await? {
            if count.phase == phase.name {
                *settled.entry(count.column).or_insert(0) += count.count;
            }
        }
        Ok(settled)
    }

    async fn reopen_grown(&self, cx: &Context, phases: &[Phase]) -> Result<bool> {
        let mut grown = false;
        for phase in phases {
            let total: u64 = self.settled_of(phase).await?.values().sum();
            if total < self.read_of(phase).await? {
                self.ledger().open_phase(phase.name, cx.now()).await?;
                grown = true;
            }
        }
        Ok(grown)
    }
}

#[async_trait]
impl Visitor for Loader {
    fn wants(&self, outcome: Option<&Verdict>) -> bool {
        outcome.is_none()
    }

    async fn skip(
        &self,
        _cx: &Context,
        phase: &Phase,
        skipped: Vec<(RecordId, Verdict)>,
    ) -> Result<()> {
        let outcomes = skipped.into_iter().map(|(record, verdict)| Outcome {
            record,
            part: 0,
            verdict,
        });
        self.finish(phase, outcomes.collect()).await
    }

    async fn visit(&self, cx: &Context, phase: &Phase, batch: Batch) -> Result<()> {
        let outcomes = if is_unclaimed(phase) {
            let verdict = || Verdict::Skipped("no-phase".into());
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
        self.finish(phase, outcomes).await
    }
}

/// The verdict of a record of two parts: what went wrong outweighs what went well.
fn graver(one: Verdict, two: Verdict) -> Verdict {
    const fn weight(verdict: &Verdict) -> u8 {
        match verdict {
            Verdict::Skipped(_) => 0,
            Verdict::Unchanged(_) => 1,
            Verdict::Updated => 2,
            Verdict::Created => 3,
            Verdict::Held(_) => 4,
            Verdict::Failed { .. } => 5,
        }
    }
    if weight(&two) > weight(&one) {
        two
    } else {
        one
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
