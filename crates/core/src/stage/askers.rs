//! Who of the people that were read asked for something: is the requester of a conversation.

use futures::lock::Mutex;

use super::Stage;
use crate::error::Result;
use crate::key::{RecordId, RecordKey, RecordKind};
use crate::model::Record;

/// How many conversations are looked at together.
const TOGETHER: usize = 1_000;

/// The requesters of a stage's conversations, gathered once and again when there are more: a bit for each record.
pub(crate) struct Askers {
    stage: Stage,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// How many conversations had been read, and how often something had been changed, when they were gathered.
    state: Option<(u64, u64)>,
    bits: Vec<u64>,
}

impl Known {
    fn add(&mut self, record: RecordId) {
        let Ok(at) = usize::try_from(record.0) else {
            return;
        };
        if self.bits.len() <= at / 64 {
            self.bits.resize(at / 64 + 1, 0);
        }
        self.bits[at / 64] |= 1 << (at % 64);
    }

    fn has(&self, record: RecordId) -> bool {
        let at = usize::try_from(record.0).unwrap_or(usize::MAX);
        self.bits
            .get(at / 64)
            .is_some_and(|bits| bits & (1 << (at % 64)) != 0)
    }
}

impl Askers {
    pub(crate) fn of(stage: Stage) -> Self {
        Self {
            stage,
            known: Mutex::default(),
        }
    }

    /// One answer per key, in order.
    pub(crate) async fn asked(&self, people: &[RecordKey]) -> Result<Vec<bool>> {
        let index = self.stage.index();
        let counts = index.counts().await?;
        let conversations = counts
            .iter()
            .filter(|(kind, _)| *kind == RecordKind::Conversation)
            .map(|(_, count)| count.read)
            .sum();
        let state = (conversations, index.edits().await?);
        let mut known = self.known.lock().await;
        if known.state != Some(state) {
            *known = self.gathered().await?;
            known.state = Some(state);
        }
        let found = index.find(people).await?;
        Ok(found
            .into_iter()
            .map(|record| record.is_some_and(|record| known.has(record)))
            .collect())
    }

    async fn gathered(&self) -> Result<Known> {
        let mut known = Known::default();
        let mut place = None;
        loop {
            let index = self.stage.index();
            let kinds = [RecordKind::Conversation];
            let rows = index.scan(&kinds, place.as_ref(), TOGETHER).await?;
            let Some(last) = rows.last() else {
                return Ok(known);
            };
            place = Some(last.place());
            let mut requesters = Vec::with_capacity(rows.len());
            for record in self.stage.records(&rows).await? {
                if let Record::Conversation(conversation) = record {
                    requesters.extend(conversation.requester);
                }
            }
            let found = index.find(&requesters).await?;
            found.into_iter().flatten().for_each(|id| known.add(id));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asked_is_a_bit_of_each_record() {
        let mut known = Known::default();
        for id in [1, 63, 64, 1_000] {
            known.add(RecordId(id));
        }
        for (id, asked) in [
            (1, true),
            (2, false),
            (64, true),
            (1_000, true),
            (1_001, false),
        ] {
            assert_eq!(known.has(RecordId(id)), asked, "{id}");
        }
        assert!(!known.has(RecordId(-1)) && !known.has(RecordId(1 << 40)));
    }
}
