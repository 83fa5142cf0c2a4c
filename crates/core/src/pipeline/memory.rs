//! A journal in memory.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::context::Seen;
use crate::error::Result;
use crate::journal::{Effect, EffectState, Image, Intent, Journal, Known};
use crate::key::{RecordId, RecordKey};
use crate::model::{Facts, Record};
use crate::related;
use crate::sink::{Loaded, Related, Verdict};

/// Intents, effects and claims of one process: gone when it ends.
#[derive(Debug)]
pub struct MemoryJournal {
    mark: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    ids: HashMap<RecordKey, RecordId>,
    keys: Vec<RecordKey>,
    aliases: HashMap<(Option<RecordKey>, String), RecordId>,
    effects: HashMap<RecordId, Vec<Effect>>,
    verdicts: HashMap<RecordId, Verdict>,
    claims: HashMap<(String, String), RecordId>,
    images: HashMap<(RecordId, u32), Image>,
    people: Related,
    askers: HashSet<RecordKey>,
}

impl MemoryJournal {
    /// An empty one with this batch mark.
    pub fn new(mark: impl Into<String>) -> Self {
        Self {
            mark: mark.into(),
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives records their ids; a record that was here before keeps its own.
    pub fn register(&self, records: Vec<Record>) -> Vec<(RecordId, Record)> {
        let mut state = self.state();
        records
            .into_iter()
            .map(|mut record| {
                let key = record.key().clone();
                let next = RecordId(state.keys.len() as i64 + 1);
                let id = *state.ids.entry(key.clone()).or_insert(next);
                if id == next {
                    state.keys.push(key);
                }
                if matches!(
                    record,
                    Record::Agent(_) | Record::Contact(_) | Record::Team(_)
                ) {
                    state.people.insert(record.key().clone(), record.clone());
                }
                if let Record::Conversation(conversation) = &record {
                    state.askers.extend(conversation.requester.clone());
                }
                related::fill(&mut record, &state.people);
                let facts = Facts::of(&record);
                if let Some(alias) = facts.alias {
                    state.aliases.entry((facts.group, alias)).or_insert(id);
                }
                (id, record)
            })
            .collect()
    }

    /// The people and teams that records name by key.
    pub fn related(&self, records: &[Loaded]) -> Related {
        let state = self.state();
        let named = records
            .iter()
            .flat_map(|loaded| related::named_by(&loaded.record));
        named
            .filter_map(|key| Some((key.clone(), state.people.get(key)?.clone())))
            .collect()
    }

    /// Makes an outcome final.
    pub fn finish(&self, record: RecordId, verdict: Verdict) {
        self.state().verdicts.insert(record, verdict);
    }

    pub(super) fn key(&self, record: RecordId) -> String {
        let at = usize::try_from(record.0 - 1).unwrap_or(usize::MAX);
        self.state()
            .keys
            .get(at)
            .map(ToString::to_string)
            .unwrap_or_default()
    }

    /// The record that must stand before one with these facts.
    pub(super) fn before(&self, facts: &Facts) -> Option<RecordId> {
        let state = self.state();
        let named = facts.parent.as_ref().and_then(|key| state.ids.get(key));
        let aliased = || {
            facts
                .after
                .iter()
                .find_map(|a| state.aliases.get(&(facts.group.clone(), a.clone())))
        };
        named.or_else(aliased).copied()
    }

    /// Whether a record stands in the target.
    pub(super) fn stands(&self, record: RecordId) -> bool {
        self.state()
            .verdicts
            .get(&record)
            .is_some_and(Verdict::stands_in_target)
    }
}

impl State {
    fn known(&self, record: RecordId) -> Known {
        let effects = self.effects.get(&record).cloned().unwrap_or_default();
        match self.verdicts.get(&record) {
            Some(verdict) => Known::Settled {
                record,
                verdict: verdict.clone(),
                effects,
            },
            None => Known::Pending { record, effects },
        }
    }

    fn put(&mut self, effect: Effect) {
        let rows = self.effects.entry(effect.record).or_default();
        match rows.iter_mut().find(|e| e.row == effect.row) {
            Some(row) => *row = effect,
            None => {
                rows.push(effect);
                rows.sort_by_key(|e| e.row);
            }
        }
    }
}

#[async_trait]
impl Journal for MemoryJournal {
    fn mark(&self) -> &str {
        &self.mark
    }

    async fn intend(&self, intents: Vec<Intent>) -> Result<()> {
        let mut state = self.state();
        for i in intents {
            if let Some(image) = i.image {
                let row = (i.record, i.row);
                let image = match state.images.remove(&row) {
                    Some(earlier) => image.after(earlier),
                    None => image,
                };
                state.images.insert(row, image);
            }
            state.put(Effect {
                record: i.record,
                row: i.row,
                object: i.object,
                operation: i.operation,
                state: EffectState::Intended {
                    request: i.request,
                    sent_at: i.sent_at,
                },
                hash: i.hash,
            });
        }
        Ok(())
    }

    async fn settle(&self, effects: Vec<Effect>) -> Result<()> {
        let mut state = self.state();
        for effect in effects {
            state.put(effect);
        }
        Ok(())
    }

    async fn effects(&self, records: &[RecordId]) -> Result<Vec<Effect>> {
        let state = self.state();
        Ok(records
            .iter()
            .filter_map(|r| state.effects.get(r))
            .flatten()
            .cloned()
            .collect())
    }

    async fn images(&self, rows: &[(RecordId, u32)]) -> Result<Vec<Option<Image>>> {
        let state = self.state();
        Ok(rows
            .iter()
            .map(|row| state.images.get(row).cloned())
            .collect())
    }

    async fn look(&self, keys: &[RecordKey]) -> Result<Vec<Known>> {
        let state = self.state();
        Ok(keys
            .iter()
            .map(|key| {
                state
                    .ids
                    .get(key)
                    .map_or(Known::Missing, |id| state.known(*id))
            })
            .collect())
    }

    async fn claim(&self, space: &str, claims: &[(String, RecordId)]) -> Result<Vec<RecordId>> {
        let mut state = self.state();
        Ok(claims
            .iter()
            .map(|(value, record)| {
                *state
                    .claims
                    .entry((space.to_owned(), value.clone()))
                    .or_insert(*record)
            })
            .collect())
    }

    async fn claimed(&self, space: &str, values: &[String]) -> Result<Vec<Option<RecordId>>> {
        let state = self.state();
        Ok(values
            .iter()
            .map(|v| state.claims.get(&(space.to_owned(), v.clone())).copied())
            .collect())
    }

    async fn asked(&self, people: &[RecordKey]) -> Result<Vec<bool>> {
        let state = self.state();
        Ok(people
            .iter()
            .map(|key| state.askers.contains(key))
            .collect())
    }

    async fn rows(&self, records: &[RecordId]) -> Result<Vec<Known>> {
        let state = self.state();
        Ok(records.iter().map(|record| state.known(*record)).collect())
    }
}

#[async_trait]
impl Seen for MemoryJournal {
    async fn seen(&self, keys: &[RecordKey]) -> Result<Vec<bool>> {
        let state = self.state();
        Ok(keys.iter().map(|key| state.ids.contains_key(key)).collect())
    }
}
