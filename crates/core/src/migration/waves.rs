//! Who must be written before whom.

use std::collections::HashMap;

use crate::stage::index::Row;

/// A row's place in the order of writing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Wave {
    /// How many writes must come before.
    pub(super) depth: usize,
    /// The row that must stand before it, by its place in the slice.
    pub(super) parent: Option<usize>,
    /// Its edge was cut to break a cycle.
    pub(super) cut: bool,
}

/// The waves of rows. A row follows its parent, else the row of its group whose alias it names first. Of several rows
/// with one alias the oldest is meant. A cycle is broken at the youngest edge.
pub(super) fn waves(rows: &[Row]) -> Vec<Wave> {
    let mut parents = edges(rows);
    let mut waves = vec![Wave::default(); rows.len()];
    for youngest in cut_cycles(rows, &mut parents) {
        waves[youngest].cut = true;
    }
    let depths = depths(&parents);
    for (n, wave) in waves.iter_mut().enumerate() {
        wave.parent = parents[n];
        wave.depth = depths[n];
    }
    waves
}

fn edges(rows: &[Row]) -> Vec<Option<usize>> {
    let mut by_name = HashMap::with_capacity(rows.len());
    let mut by_alias: HashMap<(i64, i64), usize> = HashMap::new();
    for (n, row) in rows.iter().enumerate() {
        by_name.insert(row.name, n);
        if row.alias != 0 {
            let oldest = by_alias.entry((row.group, row.alias)).or_insert(n);
            if age(row) < age(&rows[*oldest]) {
                *oldest = n;
            }
        }
    }
    rows.iter()
        .map(|row| {
            let named = (row.parent != 0)
                .then(|| by_name.get(&row.parent))
                .flatten();
            let aliased = || {
                row.after
                    .iter()
                    .filter(|a| **a != 0)
                    .find_map(|a| by_alias.get(&(row.group, *a)))
            };
            named.or_else(aliased).copied()
        })
        .collect()
}

fn age(row: &Row) -> (i64, i64, &str) {
    (row.at, row.sequence, &row.source_id)
}

/// Cuts each cycle at its youngest member's edge; answers those members.
fn cut_cycles(rows: &[Row], parents: &mut [Option<usize>]) -> Vec<usize> {
    const NEW: u32 = 0;
    let mut seen = vec![NEW; rows.len()];
    let mut cut = Vec::new();
    for start in 0..rows.len() {
        let walk = u32::try_from(start + 1).unwrap_or(u32::MAX);
        let mut at = start;
        while seen[at] == NEW {
            seen[at] = walk;
            match parents[at] {
                Some(parent) => at = parent,
                None => break,
            }
        }
        // Back at a row of this very walk, and not because the walk ended: a cycle.
        if seen[at] == walk && parents[at].is_some() {
            let youngest = cycle(at, parents)
                .into_iter()
                .max_by(|a, b| age(&rows[*a]).cmp(&age(&rows[*b])));
            if let Some(youngest) = youngest {
                parents[youngest] = None;
                cut.push(youngest);
            }
        }
    }
    cut
}

fn cycle(start: usize, parents: &[Option<usize>]) -> Vec<usize> {
    let mut members = vec![start];
    let mut at = parents[start];
    while let Some(n) = at.filter(|n| *n != start) {
        members.push(n);
        at = parents[n];
    }
    members
}

fn depths(parents: &[Option<usize>]) -> Vec<usize> {
    let mut depths: Vec<Option<usize>> = vec![None; parents.len()];
    for start in 0..parents.len() {
        let mut path = Vec::new();
        let mut at = Some(start);
        while let Some(n) = at.filter(|n| depths[*n].is_none()) {
            path.push(n);
            at = parents[n];
        }
        let first = at.and_then(|n| depths[n]).map_or(0, |depth| depth + 1);
        for (depth, n) in (first..).zip(path.into_iter().rev()) {
            depths[n] = Some(depth);
        }
    }
    depths.into_iter().map(Option::unwrap_or_default).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{RecordId, RecordKind};
    use crate::stage::index::Address;
    use proptest::prelude::*;

    fn row(name: i64, at: i64, parent: i64, alias: i64, after: [i64; 2]) -> Row {
        Row {
            version: 0,
            id: RecordId(name),
            kind: RecordKind::Message,
            address: Address {
                segment: 1,
                offset: 0,
                length: 0,
                line: 0,
            },
            bytes: 0,
            name,
            group: 7,
            at,
            sequence: 0,
            source_id: name.to_string(),
            parent,
            alias,
            after,
            skip: None,
            file: None,
        }
    }

    fn shape(rows: &[Row]) -> Vec<(usize, Option<usize>, bool)> {
        waves(rows)
            .into_iter()
            .map(|w| (w.depth, w.parent, w.cut))
            .collect()
    }

    #[test]
    fn a_reply_follows_what_it_answers_wherever_it_stands_in_the_list() {
        let rows = [
            row(1, 30, 0, 103, [102, 0]),
            row(2, 20, 0, 102, [101, 0]),
            row(3, 10, 0, 101, [0, 0]),
        ];
        assert_eq!(
            shape(&rows),
            [(2, Some(1), false), (1, Some(2), false), (0, None, false)]
        );
    }

    #[test]
    fn the_second_guess_counts_when_the_first_is_not_here() {
        let rows = [row(1, 10, 0, 101, [0, 0]), row(2, 20, 0, 102, [999, 101])];
        assert_eq!(shape(&rows)[1], (1, Some(0), false));
    }

    #[test]
    fn a_row_whose_parent_is_elsewhere_is_a_root_here() {
        assert_eq!(shape(&[row(1, 10, 0, 0, [999, 0])]), [(0, None, false)]);
        assert_eq!(shape(&[row(1, 10, 55, 0, [0, 0])]), [(0, None, false)]);
    }

    #[test]
    fn of_two_mails_with_one_id_the_older_is_meant() {
        let rows = [
            row(1, 20, 0, 101, [0, 0]),
            row(2, 10, 0, 101, [0, 0]),
            row(3, 30, 0, 0, [101, 0]),
        ];
        assert_eq!(shape(&rows)[2].1, Some(1));
    }

    #[test]
    fn a_cycle_is_broken_at_its_youngest_edge() {
        let rows = [
            row(1, 10, 3, 0, [0, 0]),
            row(2, 20, 1, 0, [0, 0]),
            row(3, 30, 2, 0, [0, 0]),
            row(4, 5, 1, 0, [0, 0]),
        ];
        assert_eq!(
            shape(&rows),
            [
                (1, Some(2), false),
                (2, Some(0), false),
                (0, None, true),
                (2, Some(0), false)
            ]
        );
        assert_eq!(
            shape(&[row(1, 10, 1, 0, [0, 0])]),
            [(0, None, true)],
            "its own parent"
        );
    }

    proptest! {
        #[test]
        fn a_child_is_always_deeper_than_its_parent_and_nobody_is_lost(edges in proptest::collection::vec(0i64..12, 0..12)) {
            let rows: Vec<Row> = edges.iter().enumerate().map(|(n, p)| row(n as i64 + 1, (n as i64 * 7) % 5, *p, 0, [0, 0])).collect();
            let waves = waves(&rows);
            prop_assert_eq!(waves.len(), rows.len());
            for wave in &waves {
                if let Some(parent) = wave.parent {
                    prop_assert_eq!(wave.depth, waves[parent].depth + 1);
                } else {
                    prop_assert_eq!(wave.depth, 0);
                }
            }
        }
    }
}
