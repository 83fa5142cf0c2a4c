//! A ledger as a sink's journal.

use std::sync::Arc;

use async_trait::async_trait;

use super::Ledger;
use crate::error::Result;
use crate::journal::{Effect, Image, Intent, Journal, Known};
use crate::key::{RecordId, RecordKey};
use crate::stage::Stage;
use crate::stage::askers::Askers;
use crate::stage::index::Index;

/// The journal of one pass over one target.
#[derive(Clone)]
pub struct LedgerJournal {
    ledger: Arc<dyn Ledger>,
    index: Arc<dyn Index>,
    askers: Option<Arc<Askers>>,
    mark: String,
}

impl std::fmt::Debug for LedgerJournal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LedgerJournal")
            .field("mark", &self.mark)
            .finish_non_exhaustive()
    }
}

impl LedgerJournal {
    /// A journal over a ledger; keys are found through the stage's index.
    pub fn new(ledger: Arc<dyn Ledger>, index: Arc<dyn Index>, mark: impl Into<String>) -> Self {
        Self {
            ledger,
            index,
            askers: None,
            mark: mark.into(),
        }
    }

    /// The same, able to say who of the people of this stage asked for something.
    #[must_use]
    pub fn knowing(mut self, stage: &Stage) -> Self {
        self.askers = Some(Arc::new(Askers::of(stage.clone())));
        self
    }

    async fn known(&self, records: &[RecordId]) -> Result<Vec<Known>> {
        let verdicts = self.ledger.outcomes(records).await?;
        let mut effects = self.ledger.effects(records).await?.into_iter().peekable();
        let mut known = Vec::with_capacity(records.len());
        for (record, verdict) in records.iter().copied().zip(verdicts) {
            let mut own = Vec::new();
            while effects.peek().is_some_and(|e| e.record == record) {
                own.extend(effects.next());
            }
            known.push(match verdict {
                Some(verdict) => Known::Settled {
                    record,
                    verdict,
                    effects: own,
                },
                None => Known::Pending {
                    record,
                    effects: own,
                },
            });
        }
        Ok(known)
    }
}

#[async_trait]
impl Journal for LedgerJournal {
    fn mark(&self) -> &str {
        &self.mark
    }

    async fn intend(&self, intents: Vec<Intent>) -> Result<()> {
        self.ledger.intend(intents).await
    }

    async fn settle(&self, effects: Vec<Effect>) -> Result<()> {
        self.ledger.settle(effects).await
    }

    async fn asked(&self, people: &[RecordKey]) -> Result<Vec<bool>> {
        match &self.askers {
            Some(askers) => askers.asked(people).await,
            None => Ok(vec![true; people.len()]),
        }
    }

    async fn effects(&self, records: &[RecordId]) -> Result<Vec<Effect>> {
        self.ledger.effects(records).await
    }

    async fn images(&self, rows: &[(RecordId, u32)]) -> Result<Vec<Option<Image>>> {
        self.ledger.images(rows).await
    }

    async fn look(&self, keys: &[RecordKey]) -> Result<Vec<Known>> {
        let found = self.index.find(keys).await?;
        // Each record once: the effects come in the order of the records asked for.
        let mut ids: Vec<RecordId> = found.iter().copied().flatten().collect();
        ids.sort_unstable();
        ids.dedup();
        let known = self.known(&ids).await?;
        Ok(found
            .into_iter()
            .map(|id| match id.and_then(|id| ids.binary_search(&id).ok()) {
                Some(at) => known[at].clone(),
                None => Known::Missing,
            })
            .collect())
    }

    async fn claim(&self, space: &str, claims: &[(String, RecordId)]) -> Result<Vec<RecordId>> {
        self.ledger.claim(space, claims).await
    }

    async fn claimed(&self, space: &str, values: &[String]) -> Result<Vec<Option<RecordId>>> {
        self.ledger.claimed(space, values).await
    }

    async fn rows(&self, records: &[RecordId]) -> Result<Vec<Known>> {
        let mut ids = records.to_vec();
        ids.sort_unstable();
        ids.dedup();
        let known = self.known(&ids).await?;
        Ok(records
            .iter()
            .map(|id| {
                ids.binary_search(id)
                    .map_or(Known::Missing, |at| known[at].clone())
            })
            .collect())
    }
}
