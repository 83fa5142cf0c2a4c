//! The smallest set that has one of everything, nearly: each step takes what covers most of what is missing.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::key::RecordId;

/// Of each feature so many candidates are remembered: those with the most features.
const CANDIDATES: usize = 8;

/// Something that can be taken: a conversation with all that is in it, a person, an article.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unit {
    pub(super) id: RecordId,
    pub(super) features: BTreeSet<u32>,
    pub(super) file_bytes: u64,
}

/// Features by number, and the best candidates of each. What it holds grows with the features, not with the records.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    numbers: HashMap<String, u32>,
    names: Vec<String>,
    best: BTreeMap<u32, Vec<Unit>>,
}

impl Candidates {
    /// The number of a feature.
    pub(super) fn number(&mut self, name: String) -> u32 {
        let next = self.names.len() as u32;
        match self.numbers.get(&name) {
            Some(number) => *number,
            None => {
                self.names.push(name.clone());
                self.numbers.insert(name, next);
                next
            }
        }
    }

    pub(super) fn name(&self, feature: u32) -> &str {
        self.names.get(feature as usize).map_or("", String::as_str)
    }

    pub(super) fn offer(&mut self, unit: &Unit) {
        for feature in &unit.features {
            let best = self.best.entry(*feature).or_default();
            let worth = |u: &Unit| (std::cmp::Reverse(u.features.len()), u.file_bytes, u.id);
            let place = best.partition_point(|other| worth(other) < worth(unit));
            if place < CANDIDATES {
                best.insert(place, unit.clone());
                best.truncate(CANDIDATES);
            }
        }
    }

    /// A feature that one unit alone has: the largest, the oldest.
    pub(super) fn only(&mut self, name: &str, mut unit: Unit) {
        let feature = self.number(name.to_owned());
        unit.features.insert(feature);
        self.best.insert(feature, vec![unit]);
    }

    /// The units to take, each with the features that it was taken for, and the features that nothing that fits has.
    pub(super) fn choose(self, room: u64) -> Choice {
        let mut missing: BTreeSet<u32> = self.best.keys().copied().collect();
        let mut units: BTreeMap<RecordId, Unit> = BTreeMap::new();
        for unit in self.best.values().flatten() {
            let known = units.entry(unit.id).or_insert_with(|| unit.clone());
            known.features.extend(&unit.features);
        }
        let (mut taken, mut left) = (Vec::new(), room);
        loop {
            let brings = |unit: &Unit| unit.features.intersection(&missing).count();
            let best = units
                .values()
                .filter(|unit| unit.file_bytes <= left && brings(unit) > 0)
                .max_by_key(|unit| (brings(unit), std::cmp::Reverse((unit.file_bytes, unit.id))));
            let Some(best) = best.cloned() else { break };
            left -= best.file_bytes;
            units.remove(&best.id);
            let new = best.features.intersection(&missing);
            let new: Vec<String> = new.map(|f| self.name(*f).to_owned()).collect();
            missing.retain(|feature| !best.features.contains(feature));
            taken.push((best.id, new));
        }
        let missing = missing.into_iter().map(|f| self.name(f).to_owned());
        Choice {
            missing: missing.collect(),
            taken,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) taken: Vec<(RecordId, Vec<String>)>,
    pub(super) missing: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(units: &[(i64, &[&str], u64)]) -> Candidates {
        let mut candidates = Candidates::default();
        for (id, features, file_bytes) in units {
            let features = features.iter().map(|f| candidates.number((*f).to_owned()));
            let unit = Unit {
                id: RecordId(*id),
                features: features.collect(),
                file_bytes: *file_bytes,
            };
            candidates.offer(&unit);
        }
        candidates
    }

    fn ids(choice: &Choice) -> Vec<i64> {
        choice.taken.iter().map(|(id, _)| id.0).collect()
    }

    #[test]
    fn one_of_everything_is_taken_and_no_more() {
        let choice = candidates(&[
            (1, &["mail"], 0),
            (2, &["mail", "open"], 0),
            (3, &["chat", "closed", "open"], 0),
            (4, &["closed"], 0),
        ])
        .choose(u64::MAX);
        assert_eq!(ids(&choice), [3, 1]);
        assert_eq!(choice.taken[1].1, ["mail"]);
        assert!(choice.missing.is_empty());
    }

    #[test]
    fn what_does_not_fit_is_replaced_by_what_does_or_named() {
        let units: &[(i64, &[&str], u64)] = &[
            (1, &["mail", "open", "huge file"], 900),
            (2, &["mail"], 10),
            (3, &["open"], 0),
        ];
        assert_eq!(ids(&candidates(units).choose(1_000)), [1]);
        let small = candidates(units).choose(100);
        assert_eq!(ids(&small), [3, 2]);
        assert_eq!(small.missing, ["huge file"]);
    }

    #[test]
    fn an_extreme_is_taken_though_others_cover_the_rest() {
        let mut all = candidates(&[(1, &["mail"], 0), (2, &["mail", "open"], 0)]);
        let oldest = Unit {
            id: RecordId(1),
            features: BTreeSet::new(),
            file_bytes: 0,
        };
        all.only("the oldest", oldest);
        let mut taken = ids(&all.choose(u64::MAX));
        taken.sort_unstable();
        assert_eq!(taken, [1, 2]);
    }
}
