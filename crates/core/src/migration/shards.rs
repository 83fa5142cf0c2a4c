//! Which parts of a read may begin: those that need nothing that an unfinished part still brings.
//!
//! Kept without what the parts are about, so that a read of a hundred thousand parts costs some megabytes, and asking for the
//! next one does not depend on how many wait.

use std::collections::{BTreeSet, HashMap, VecDeque};

use crate::key::RecordKind;
use crate::source::Shard;

/// What parts of one sort yield and need.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Sort {
    yields: BTreeSet<RecordKind>,
    needs: BTreeSet<RecordKind>,
}

impl Sort {
    fn of(shard: &Shard) -> Self {
        Self {
            yields: shard.yields.iter().copied().collect(),
            needs: shard.needs.iter().copied().collect(),
        }
    }

    /// The kinds that it is there to bring: not those that it needs itself and may only add to.
    fn brings(&self) -> impl Iterator<Item = RecordKind> + '_ {
        self.yields.difference(&self.needs).copied()
    }
}

/// The parts that are not read to the end.
#[derive(Debug, Default)]
pub(super) struct OpenShards {
    /// In the order in which the first of each sort was added.
    sorts: Vec<Waiting>,
    /// By name, the place of its sort; of those that wait and those that run or failed.
    known: HashMap<String, usize>,
}

#[derive(Debug)]
struct Waiting {
    sort: Sort,
    /// Names of those that were not begun.
    names: VecDeque<String>,
    /// How many are not at their end, begun or not.
    open: usize,
}

impl OpenShards {
    /// Adds one, unless it is known.
    pub(super) fn add(&mut self, shard: &Shard) {
        if self.known.contains_key(&shard.id) {
            return;
        }
        let sort = Sort::of(shard);
        let place = self.sorts.iter().position(|waiting| waiting.sort == sort);
        let place = place.unwrap_or_else(|| {
            self.sorts.push(Waiting {
                sort,
                names: VecDeque::new(),
                open: 0,
            });
            self.sorts.len() - 1
        });
        self.sorts[place].names.push_back(shard.id.clone());
        self.sorts[place].open += 1;
        self.known.insert(shard.id.clone(), place);
    }

    /// The name of one that may begin now. It is begun.
    pub(super) fn begin(&mut self) -> Option<String> {
        let missing = self.missing();
        self.sorts
            .iter_mut()
            .filter(|waiting| waiting.sort.needs.is_disjoint(&missing))
            .find_map(|waiting| waiting.names.pop_front())
    }

    /// One is read to its end. One that ended with an error is not: what needs it goes on waiting.
    pub(super) fn end(&mut self, name: &str) {
        if let Some(place) = self.known.remove(name) {
            self.sorts[place].open -= 1;
        }
    }

    /// The kinds of which more may come.
    pub(super) fn missing(&self) -> BTreeSet<RecordKind> {
        let open = self.sorts.iter().filter(|waiting| waiting.open > 0);
        open.flat_map(|waiting| waiting.sort.brings()).collect()
    }
}

#[cfg(test)]
mod tests {
    use RecordKind::{Contact, Conversation, Message, Team};

    use super::*;

    #[test]
    fn a_part_begins_when_nothing_that_it_needs_can_still_come() {
        let mut open = OpenShards::default();
        open.add(&Shard::new("cases", [Conversation, Message]).needing([Contact]));
        open.add(&Shard::new("people", [Contact]));
        open.add(&Shard::new("teams", [Team]));
        assert_eq!(open.begin().as_deref(), Some("people"));
        assert_eq!(open.begin().as_deref(), Some("teams"));
        assert_eq!(open.begin(), None, "people are not read yet");
        open.end("teams");
        open.end("people");
        assert_eq!(open.begin().as_deref(), Some("cases"));
        assert_eq!(open.missing(), [Conversation, Message].into());

        // Parts found on the way add people, and still need them: they wait for nobody of their own sort.
        for name in ["posts-1", "posts-2", "posts-1"] {
            open.add(&Shard::new(name, [Message, Contact]).needing([Contact]));
        }
        assert_eq!(open.begin().as_deref(), Some("posts-1"));
        assert_eq!(open.begin().as_deref(), Some("posts-2"));
        assert_eq!(open.begin(), None, "each begins once");
        open.end("cases");
        assert_eq!(open.missing(), [Message].into());
        open.end("posts-1");
        open.end("posts-2");
        assert!(open.missing().is_empty());
    }

    #[test]
    fn what_needs_a_part_that_failed_waits() {
        let mut open = OpenShards::default();
        open.add(&Shard::new("people", [Contact]));
        open.add(&Shard::new("cases", [Conversation]).needing([Contact]));
        assert!(open.begin().is_some());
        assert_eq!(open.begin(), None);
    }
}
