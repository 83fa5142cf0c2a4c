use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const NOW: i64 = 10_000_000;

/// A platform: rows with an id, in one index, as a search shows them.
struct Platform {
    rows: Vec<(u64, Stamp)>,
    sorted: bool,
}

impl Platform {
    fn of(stamps: impl IntoIterator<Item = (i64, i64)>) -> Self {
        let rows = stamps.into_iter().zip(1..);
        Self {
            rows: rows
                .map(|((updated, created), id)| (id, Stamp { updated, created }))
                .collect(),
            sorted: true,
        }
    }

    /// The page, and how many hits there are.
    fn search(&self, index: Index, step: Step) -> (Vec<(u64, Stamp)>, u64) {
        if index == Index::Archive {
            return (Vec::new(), 0);
        }
        let (from, to, made, page) = match step {
            Step::Slide { from } => (from, i64::MAX, None, 1),
            Step::Burst { at, made, page } => (at, at, Some(made), page),
            Step::Split { from, to, page } => (from, to, None, page),
        };
        let mut hits: Vec<_> = self
            .rows
            .iter()
            .filter(|(_, row)| row.updated >= from && row.updated <= to)
            .filter(|(_, row)| made.is_none_or(|made| row.created >= made))
            .copied()
            .collect();
        match (self.sorted, made) {
            (true, None) => hits.sort_by_key(|(id, row)| (row.updated, *id)),
            (true, Some(_)) => hits.sort_by_key(|(id, row)| (row.created, *id)),
            (false, _) => hits.sort_by_key(|(id, _)| id.wrapping_mul(0x9E37_79B9_7F4A_7C15)),
        }
        let total = hits.len() as u64;
        let begin = (page as usize - 1) * SEARCH_PAGE;
        assert!(
            (begin + SEARCH_PAGE) as u64 <= MOST_HITS,
            "asked beyond the cap: {step:?}"
        );
        let shown = hits.into_iter().skip(begin).take(SEARCH_PAGE).collect();
        (shown, total)
    }

    /// Reads everything; the ids, how many searches it took, and what was said.
    fn read(
        &mut self,
        mut change: impl FnMut(&mut Self, u64),
    ) -> (BTreeSet<u64>, u64, Vec<String>) {
        let (mut seen, mut searches, mut notes) = (BTreeSet::new(), 0, Vec::new());
        let mut at = Some(Reading::since(0, NOW));
        while let Some(reading) = at {
            searches += 1;
            assert!(searches < 2_000, "it does not end: {reading:?}");
            let (rows, total) = self.search(reading.index, reading.step);
            seen.extend(rows.iter().map(|(id, _)| *id));
            let stamps: Vec<Stamp> = rows.iter().map(|(_, stamp)| *stamp).collect();
            let advance = reading.advance(&stamps, Some(total), NOW);
            notes.extend(advance.notes);
            at = advance.next;
            change(self, searches);
        }
        (seen, searches, notes)
    }
}

#[test]
fn nothing_is_lost_at_the_boundaries_of_the_cap() {
    for count in [
        0, 1, 499, 500, 501, 999, 1_000, 9_999, 10_000, 10_001, 23_456,
    ] {
        let mut platform = Platform::of((0..count).map(|n| (n * 7, n)));
        let (seen, searches, notes) = platform.read(|_, _| {});
        assert_eq!(seen.len() as i64, count);
        assert!(notes.is_empty(), "{count}: {notes:?}");
        let least = (count as u64).div_ceil(500).max(1);
        assert!(
            searches <= least + least / 50 + 1,
            "{count}: {searches} of {least}"
        );
    }
}

#[test]
fn a_thousand_rows_of_one_millisecond_are_read_whole() {
    for (count, at) in [(499, 5), (500, 5), (1_000, 5), (1_000, 0), (12_000, 5)] {
        let before = (0..700).map(|n| (n, n));
        let burst = (0..count).map(|n| (1_000 + at, n));
        let after = (0..700).map(|n| (5_000 + n, n));
        let mut platform = Platform::of(before.chain(burst).chain(after));
        let (seen, _, notes) = platform.read(|_, _| {});
        assert_eq!(seen.len() as i64, 1_400 + count);
        assert!(notes.is_empty(), "{count}: {notes:?}");
    }
}

#[test]
fn what_no_search_can_show_is_said() {
    let mut platform = Platform::of((0..10_400).map(|_| (77, 77)).chain([(99, 99)]));
    let (seen, _, notes) = platform.read(|_, _| {});
    assert!(seen.contains(&10_401), "what follows is read");
    assert_eq!(seen.len(), 10_001);
    assert!(
        notes
            .iter()
            .any(|note| note.starts_with("incomplete: 10400")),
        "{notes:?}"
    );
}

#[test]
fn an_index_without_order_is_read_in_windows() {
    let mut platform = Platform::of((0..25_000).map(|n| (n * 37, n)));
    platform.sorted = false;
    let (seen, _, notes) = platform.read(|_, _| {});
    assert_eq!(seen.len(), 25_000);
    assert!(notes[0].contains("order"), "{notes:?}");
}

#[test]
fn rows_that_change_while_they_are_read_push_no_other_out_of_sight() {
    let mut platform = Platform::of((0..5_000).map(|n| (n, n)));
    let (seen, _, _) = platform.read(|platform, searches| {
        // Each time the next row to come, and an old one, move to the end.
        for id in [searches * 500 + 3, searches * 3] {
            if let Some((_, row)) = platform.rows.iter_mut().find(|(other, _)| *other == id) {
                row.updated = 1_000_000 + searches as i64;
            }
        }
    });
    assert_eq!(seen.len(), 5_000);
}

#[test]
fn a_place_survives_being_written_down() {
    let reading = Reading::since(5, NOW);
    let text = serde_json::to_string(&reading).unwrap();
    assert!(text.len() < 300, "{text}");
    assert_eq!(serde_json::from_str::<Reading>(&text).unwrap(), reading);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn no_distribution_of_times_loses_a_row(
        clumps in proptest::collection::vec((0_i64..40, 1_i64..900), 1..30),
    ) {
        let stamps = clumps.iter().flat_map(|(at, count)| (0..*count).map(move |n| (*at, n / 3)));
        let mut platform = Platform::of(stamps);
        let count = platform.rows.len();
        let (seen, _, notes) = platform.read(|_, _| {});
        prop_assert_eq!(seen.len(), count);
        prop_assert!(notes.is_empty(), "{:?}", notes);
    }
}
