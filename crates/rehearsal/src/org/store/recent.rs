//! Entries of indices that a bulk job gathers in memory. A key in random order touches a page of its own in each index, which
//! is then written to the journal whole; so entries are brought into the database in the order of their keys, many
//! thousands at once ([`index::flush`](super::index::flush)). Until then they are looked up here.
//!
//! A row that was changed or deleted meanwhile has entries here that say nothing any more: it counts as touched, and what
//! is found of it is held against the row itself.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

/// Where a chain of entries ends.
const END: u32 = u32::MAX;

#[derive(Debug, Default)]
pub(crate) struct Recent {
    tables: HashMap<String, Table>,
    /// Whether the transaction adds rows by the thousand.
    pub(super) gathering: bool,
    /// Entries of all tables.
    pub(super) entries: usize,
    /// People of whom this transaction knows that they may own rows.
    owners: HashSet<String>,
}

/// The rows of one object.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) fields: Vec<(String, Entries)>,
    /// Rows that were changed since they were gathered.
    pub(super) touched: HashSet<i64>,
    /// Whether the database knows from which row on entries are missing.
    pub(super) marked: bool,
    /// Rows that are surely there and not deleted, by their numbers.
    live: Bits,
    /// Rows that this transaction added, less those that it deleted.
    counted: i64,
    /// The number of the next row, in this transaction.
    next: Option<i64>,
}

/// The entries of one index: chains of numbers by key.
#[derive(Debug, Default)]
pub(super) struct Entries {
    heads: HashMap<i64, u32, BuildHasherDefault<Spread>>,
    pub(super) all: Vec<Entry>,
    /// How many of them are committed.
    kept: usize,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) key: i64,
    pub(super) number: i64,
    next: u32,
}

impl Entries {
    pub(super) fn add(&mut self, key: i64, number: i64) {
        let place = u32::try_from(self.all.len()).unwrap_or(END);
        let next = self.heads.insert(key, place).unwrap_or(END);
        self.all.push(Entry { key, number, next });
    }

    pub(super) fn find(&self, key: i64, into: &mut Vec<i64>) {
        let mut at = self.heads.get(&key).copied().unwrap_or(END);
        while let Some(entry) = self.all.get(at as usize) {
            into.push(entry.number);
            at = entry.next;
        }
    }

    /// Takes back what was added behind the first `kept` entries; how many those were.
    fn cut(&mut self) -> usize {
        let mut cut = 0;
        while self.all.len() > self.kept {
            if let Some(last) = self.all.pop() {
                // The newest of a key is the head of its chain.
                if last.next == END {
                    self.heads.remove(&last.key);
                } else {
                    self.heads.insert(last.key, last.next);
                }
                cut += 1;
            }
        }
        cut
    }
}

impl Recent {
    pub(super) fn table(&mut self, name: &str) -> &mut Table {
        if !self.tables.contains_key(name) {
            self.tables.insert(name.to_owned(), Table::default());
        }
        self.tables.get_mut(name).expect("it was put there")
    }

    pub(super) fn known(&self, name: &str) -> Option<&Table> {
        self.tables.get(name)
    }

    pub(super) fn may_own(&self, id: &str) -> bool {
        self.gathering && self.owners.contains(id)
    }

    pub(super) fn owns(&mut self, id: &str) {
        if self.gathering {
            self.owners.insert(id.to_owned());
        }
    }

    /// All entries are in the database.
    pub(super) fn clear(&mut self) {
        self.entries = 0;
        for table in self.tables.values_mut() {
            table.fields = Vec::new();
            table.touched = HashSet::new();
            table.marked = false;
        }
    }

    /// The transaction came to nothing.
    pub(super) fn forget(&mut self) {
        self.owners.clear();
        if !std::mem::take(&mut self.gathering) {
            return;
        }
        for table in self.tables.values_mut() {
            for (_, entries) in &mut table.fields {
                self.entries -= entries.cut();
            }
            table.marked = false;
            table.live = Bits::default();
            table.counted = 0;
            table.next = None;
        }
    }

    pub(super) fn keep(&mut self) {
        self.owners.clear();
        if std::mem::take(&mut self.gathering) {
            for table in self.tables.values_mut() {
                for (_, entries) in &mut table.fields {
                    entries.kept = entries.all.len();
                }
                table.next = None;
            }
        }
    }

    /// What was counted in this transaction, by table.
    pub(super) fn counted(&mut self) -> Vec<(String, i64)> {
        let tables = self.tables.iter_mut();
        tables
            .map(|(name, table)| (name.clone(), std::mem::take(&mut table.counted)))
            .filter(|(_, rows)| *rows != 0)
            .collect()
    }
}

impl Table {
    pub(super) fn field(&mut self, name: &str) -> &mut Entries {
        let at = self.fields.iter().position(|(known, _)| known == name);
        let at = at.unwrap_or_else(|| {
            self.fields.push((name.to_owned(), Entries::default()));
            self.fields.len() - 1
        });
        &mut self.fields[at].1
    }

    /// The number of the next row, if a row was added in this transaction.
    pub(super) fn next(&self) -> Option<i64> {
        self.next
    }

    pub(super) fn added(&mut self, number: i64) {
        self.next = self.next.max(Some(number + 1));
    }

    pub(super) fn count(&mut self, rows: i64) {
        self.counted += rows;
    }

    pub(super) fn is_live(&self, number: i64) -> bool {
        self.live.has(number)
    }

    pub(super) fn set_live(&mut self, number: i64) {
        self.live.set(number, true);
    }

    /// The row was changed, or is gone.
    pub(super) fn touch(&mut self, number: i64, gone: bool) {
        self.touched.insert(number);
        if gone {
            self.live.set(number, false);
        }
    }
}

/// A set of small numbers.
#[derive(Debug, Default)]
struct Bits(Vec<u64>);

impl Bits {
    fn has(&self, number: i64) -> bool {
        let (word, bit) = place(number);
        self.0.get(word).is_some_and(|word| word >> bit & 1 == 1)
    }

    fn set(&mut self, number: i64, on: bool) {
        let (word, bit) = place(number);
        if word >= self.0.len() {
            if !on {
                return;
            }
            self.0.resize(word + 1, 0);
        }
        if on {
            self.0[word] |= 1 << bit;
        } else {
            self.0[word] &= !(1 << bit);
        }
    }
}

fn place(number: i64) -> (usize, u32) {
    let number = number.unsigned_abs();
    (
        usize::try_from(number / 64).unwrap_or(usize::MAX),
        u32::try_from(number % 64).unwrap_or(0),
    )
}

/// Keys are hashes or numbers already; they need to be spread, no more.
#[derive(Debug, Default)]
pub(super) struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_i64(i64::from(*byte));
        }
    }

    fn write_i64(&mut self, key: i64) {
        let mixed = (self.0 ^ key.cast_unsigned()).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = mixed ^ mixed >> 32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_transaction_added_goes_with_it_and_nothing_else() {
        let mut recent = Recent::default();
        let found = |recent: &mut Recent, key: i64| {
            let mut numbers = Vec::new();
            recent
                .table("Case")
                .field("ParentId")
                .find(key, &mut numbers);
            numbers.sort_unstable();
            numbers
        };
        for round in 0..2 {
            recent.gathering = true;
            for number in 0..100 {
                let number = round * 100 + number;
                recent
                    .table("Case")
                    .field("ParentId")
                    .add(number % 10, number);
                recent.entries += 1;
            }
            recent.table("Case").set_live(7);
            if round == 0 {
                recent.keep();
            }
        }
        assert_eq!((found(&mut recent, 3).len(), recent.entries), (20, 200));
        assert!(recent.table("Case").is_live(7));
        recent.forget();
        assert_eq!(
            found(&mut recent, 3),
            [3, 13, 23, 33, 43, 53, 63, 73, 83, 93]
        );
        assert_eq!((found(&mut recent, 10), recent.entries), (vec![], 100));
        assert!(!recent.table("Case").is_live(7));
        recent.forget();
        assert_eq!(found(&mut recent, 3).len(), 10, "nothing was begun");
    }
}
