//! Phases that take conversations side by side, behind the read: of each few conversations first the files, then the messages.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::load::{Books, Loader, shut};
use super::progress::Step;
use crate::context::Context;
use crate::error::Result;
use crate::key::{RecordId, RecordKind};
use crate::ledger::Final;
use crate::report::is_by_choice;
use crate::sink::{Order, Phase, Verdict};
use crate::stage::index::Row;

/// A gate may be called shut before the end when so many records are settled.
const SETTLED: u64 = 200;
/// How many conversations that waited are taken at once.
const WAITING: usize = 200;

impl Loader {
    /// Phases that are open together. They close at the end of the read, one after the other.
    ///
    /// A conversation with a record that failed or is held waits with its later phases for the gate of the earlier one:
    /// a mail that is written cannot be given its file afterwards.
    pub(super) async fn band(&self, cx: &Context, earlier: &[Phase], band: &[Phase]) -> Result<()> {
        let mut waiting: Vec<Vec<i64>> = vec![Vec::new(); band.len()];
        let (mut after, mut touched) = (0, BTreeSet::new());
        while let Some(groups) = self.walk.next_groups(cx, band, &mut after).await? {
            self.take_late(cx, earlier, &mut touched).await?;
            self.conversations(cx, band, 0, groups, &mut waiting)
                .await?;
            for phase in band {
                self.stop_at_a_shut_gate(cx, phase).await?;
            }
        }
        for phase in touched.into_iter().filter_map(|n| earlier.get(n)) {
            self.open(cx, phase).await?;
            self.close(cx, phase).await?;
        }
        for (n, phase) in band.iter().enumerate() {
            let groups = std::mem::take(&mut waiting[n]);
            for groups in groups.chunks(WAITING) {
                self.conversations(cx, band, n, groups.to_vec(), &mut waiting)
                    .await?;
            }
            self.close(cx, phase).await?;
        }
        Ok(())
    }

    /// Takes conversations through the phases of a band, beginning with one of them.
    async fn conversations(
        &self,
        cx: &Context,
        band: &[Phase],
        from: usize,
        mut groups: Vec<i64>,
        waiting: &mut [Vec<i64>],
    ) -> Result<()> {
        for (n, phase) in band.iter().enumerate().skip(from) {
            let rows = self.walk.groups(cx, phase, &groups, self).await?;
            let Some(next) = waiting.get_mut(n + 1) else {
                break;
            };
            let troubled = self.troubled(cx, &rows).await?;
            let (wait, go): (Vec<i64>, Vec<i64>) =
                groups.into_iter().partition(|g| troubled.contains(g));
            next.extend(wait);
            groups = go;
        }
        Ok(())
    }

    /// The conversations of which a record failed or is held. Every row has its outcome when this returns.
    async fn troubled(&self, cx: &Context, rows: &[(RecordId, i64)]) -> Result<HashSet<i64>> {
        let ids: Vec<RecordId> = rows.iter().map(|(id, _)| *id).collect();
        let mut outcomes = self.walk.ledger.outcomes(&ids).await?;
        if outcomes.iter().any(Option::is_none) {
            self.flush(cx).await?;
            outcomes = self.walk.ledger.outcomes(&ids).await?;
        }
        Ok(rows
            .iter()
            .zip(outcomes)
            .filter(|(_, outcome)| !outcome.as_ref().is_some_and(is_well))
            .map(|((_, group), _)| *group)
            .collect())
    }

    /// Ends the run when so many of a phase failed or are held that its gate is shut, whatever the others of those that were
    /// read so far become.
    async fn stop_at_a_shut_gate(&self, cx: &Context, phase: &Phase) -> Result<()> {
        let tally = self.tally.of(phase.name);
        let known = tally.read.max(tally.settled);
        if tally.settled < SETTLED || self.gate_of(phase).allows(tally.bad, known) {
            return Ok(());
        }
        let read = self.read_of(phase).await?;
        self.tally.learn(phase.name, read);
        if self.gate_of(phase).allows(tally.bad, read) {
            return Ok(());
        }
        self.flush(cx).await?;
        self.walk
            .ledger
            .close_phase(phase.name, cx.now(), false)
            .await?;
        self.progress.report(Step::Closed { phase: phase.name });
        Err(shut(phase, self.books_of(phase).await?, read))
    }

    /// Loads the late records that are durable, before conversations that may name them. Their phases stay closed; notes
    /// which ones must be asked for their gates again.
    async fn take_late(
        &self,
        cx: &Context,
        earlier: &[Phase],
        touched: &mut BTreeSet<usize>,
    ) -> Result<()> {
        for (n, phase) in earlier.iter().enumerate() {
            if phase.order == Order::Timeline {
                continue;
            }
            let rows = self.late_rows(phase.kinds).await?;
            if !rows.is_empty() {
                self.walk.rows(cx, phase, rows, self).await?;
                self.flush(cx).await?;
                touched.insert(n);
            }
        }
        Ok(())
    }

    /// The late records of these kinds that are durable and have no outcome.
    pub(super) async fn late_rows(&self, kinds: &[RecordKind]) -> Result<Vec<Row>> {
        let keys = self.late.take(kinds);
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let index = self.walk.stage.index();
        let found = index.find(&keys).await?;
        let mut ids = Vec::new();
        for (key, id) in keys.into_iter().zip(found) {
            match (id, key.record_kind()) {
                (Some(id), _) => ids.push(id),
                (None, Some(kind)) => self.late.put(kind, [key]),
                (None, None) => {}
            }
        }
        ids.sort_unstable();
        ids.dedup();
        let outcomes = self.walk.ledger.outcomes(&ids).await?;
        let open: Vec<RecordId> = ids
            .into_iter()
            .zip(outcomes)
            .filter(|(_, outcome)| outcome.is_none())
            .map(|(id, _)| id)
            .collect();
        index.rows(&open).await
    }
}

const fn is_well(verdict: &Verdict) -> bool {
    !matches!(verdict, Verdict::Failed { .. } | Verdict::Held(_))
}

fn is_bad(verdict: &Verdict) -> bool {
    !is_well(verdict) && !verdict.reason().is_some_and(is_by_choice)
}

/// How far the open phases are, without asking the ledger again and again.
#[derive(Debug, Default)]
pub(super) struct Tally(Mutex<HashMap<&'static str, Counts>>);

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    settled: u64,
    /// How many of them failed or are held.
    bad: u64,
    /// How many were read when that was asked last.
    read: u64,
}

impl Tally {
    fn counts(&self) -> MutexGuard<'_, HashMap<&'static str, Counts>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A phase opens with these outcomes.
    pub(super) fn begin(&self, phase: &'static str, books: &Books) {
        let counts = Counts {
            settled: books.settled,
            bad: books.bad(),
            read: 0,
        };
        self.counts().insert(phase, counts);
    }

    pub(super) fn count(&self, phase: &'static str, finals: &[Final]) {
        let bad = finals.iter().filter(|one| is_bad(&one.verdict)).count();
        let mut counts = self.counts();
        let entry = counts.entry(phase).or_default();
        entry.settled += finals.len() as u64;
        entry.bad += bad as u64;
    }

    fn learn(&self, phase: &'static str, read: u64) {
        self.counts().entry(phase).or_default().read = read;
    }

    fn of(&self, phase: &str) -> Counts {
        self.counts().get(phase).copied().unwrap_or_default()
    }
}
