//! Records that come after their kind was called read: people whom only a message names.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::key::{RecordKey, RecordKind};
use crate::model::Record;
use crate::source::Shard;

/// The keys of late records, from the reader to the loader. What is lost here with the process is found by the books.
#[derive(Debug, Default)]
pub(super) struct Late(Mutex<BTreeMap<RecordKind, Vec<RecordKey>>>);

impl Late {
    fn keys(&self) -> MutexGuard<'_, BTreeMap<RecordKind, Vec<RecordKey>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes those records of a page that its shard does not hold open: it needs their kinds itself. Called before the page
    /// is durable, so that nobody sees what came with them first.
    pub(super) fn note(&self, shard: &Shard, records: &[Record]) {
        let late = records
            .iter()
            .filter(|record| shard.needs.contains(&record.kind()));
        for record in late {
            self.put(record.kind(), [record.key().clone()]);
        }
    }

    /// Puts keys back that are not durable yet.
    pub(super) fn put(&self, kind: RecordKind, keys: impl IntoIterator<Item = RecordKey>) {
        self.keys().entry(kind).or_default().extend(keys);
    }

    /// Takes the keys of these kinds.
    pub(super) fn take(&self, kinds: &[RecordKind]) -> Vec<RecordKey> {
        let mut keys = self.keys();
        kinds
            .iter()
            .filter_map(|kind| keys.remove(kind))
            .flatten()
            .collect()
    }
}
