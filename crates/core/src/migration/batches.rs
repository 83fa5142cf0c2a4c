//! Cutting ordered rows into batches.

use std::collections::HashSet;

use super::waves::waves;
use crate::key::RecordId;
use crate::sink::Phase;
use crate::stage::index::Row;

/// A lane is this long at most where a conversation's end allows it.
const LANE: usize = 4;

/// A row with what must stand before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Planned {
    pub(super) row: Row,
    pub(super) parent: Option<RecordId>,
    /// Its edge was cut to break a cycle.
    pub(super) cut: bool,
}

impl From<Row> for Planned {
    fn from(row: Row) -> Self {
        Self {
            row,
            parent: None,
            cut: false,
        }
    }
}

/// Batches that must be written one after the other: they share a conversation.
pub(super) type Lane = Vec<Vec<Planned>>;

/// Batches within the phase's limits. Rows of one conversation that stand in two batches are in the same lane.
pub(super) fn lanes(rows: Vec<Planned>, phase: &Phase) -> Vec<Lane> {
    let (most, most_bytes) = (phase.batch_records.max(1), phase.batch_bytes.max(1));
    let (mut lanes, mut lane, mut batch): (Vec<Lane>, Lane, Vec<Planned>) = Default::default();
    let (mut bytes, mut last_group) = (0, None);
    for planned in rows {
        let (size, group) = (planned.row.bytes as usize, planned.row.group);
        let full = !batch.is_empty() && (batch.len() >= most || bytes + size > most_bytes);
        let boundary = group == 0 || last_group != Some(group);
        let lane_is_long = lane.len() + 1 >= LANE && batch.len() * 2 > most;
        if full || (boundary && lane_is_long) {
            lane.push(std::mem::take(&mut batch));
            bytes = 0;
            if boundary {
                lanes.push(std::mem::take(&mut lane));
            }
        }
        bytes += size;
        last_group = Some(group);
        batch.push(planned);
    }
    if !batch.is_empty() {
        lane.push(batch);
    }
    if !lane.is_empty() {
        lanes.push(lane);
    }
    lanes
}

/// Rows by depth; in each wave by conversation, then age.
pub(super) fn by_wave(rows: Vec<Row>) -> Vec<Vec<Planned>> {
    let shapes = waves(&rows);
    let ids: Vec<RecordId> = rows.iter().map(|row| row.id).collect();
    let mut out: Vec<Vec<Planned>> = Vec::new();
    for (row, shape) in rows.into_iter().zip(shapes) {
        if out.len() <= shape.depth {
            out.resize_with(shape.depth + 1, Vec::new);
        }
        let parent = shape.parent.map(|n| ids[n]);
        out[shape.depth].push(Planned {
            row,
            parent,
            cut: shape.cut,
        });
    }
    for wave in &mut out {
        wave.sort_by(|a, b| order(&a.row).cmp(&order(&b.row)));
    }
    out
}

/// The rows of a scan that are in none of the waves.
pub(super) fn roots(rows: Vec<Row>, children: &HashSet<RecordId>) -> Vec<Planned> {
    rows.into_iter()
        .filter(|row| !children.contains(&row.id))
        .map(Planned::from)
        .collect()
}

fn order(row: &Row) -> (i64, i64, i64, &str) {
    (row.group, row.at, row.sequence, &row.source_id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::RecordKind;
    use crate::stage::index::Address;
    use proptest::prelude::*;

    const KINDS: &[RecordKind] = &[RecordKind::Message];

    fn planned(n: usize, group: i64, bytes: u32) -> Planned {
        Planned::from(Row {
            version: 0,
            id: RecordId(n as i64),
            kind: RecordKind::Message,
            address: Address {
                segment: 1,
                offset: 0,
                length: 0,
                line: 0,
            },
            bytes,
            name: n as i64 + 1,
            group,
            at: 0,
            sequence: n as i64,
            source_id: n.to_string(),
            parent: 0,
            alias: 0,
            after: [0, 0],
            skip: None,
            file: None,
        })
    }

    proptest! {
        #[test]
        fn no_conversation_is_in_two_lanes_no_batch_is_over_its_limits_and_the_order_stays(
            sizes in proptest::collection::vec((0i64..6, 1u32..400), 0..120)
        ) {
            let mut sizes = sizes;
            sizes.sort_by_key(|s| s.0);
            let rows: Vec<Planned> = sizes.iter().enumerate().map(|(n, (g, b))| planned(n, *g, *b)).collect();
            let phase = Phase::new("messages", KINDS).sized(7, 1_000, 4);
            let lanes = lanes(rows.clone(), &phase);
            let mut homes = std::collections::HashMap::new();
            for (n, lane) in lanes.iter().enumerate() {
                for batch in lane {
                    prop_assert!(batch.len() <= 7 && !batch.is_empty());
                    prop_assert!(batch.len() == 1 || batch.iter().map(|p| p.row.bytes).sum::<u32>() <= 1_000);
                    for p in batch.iter().filter(|p| p.row.group != 0) {
                        prop_assert_eq!(*homes.entry(p.row.group).or_insert(n), n);
                    }
                }
            }
            let flat: Vec<Planned> = lanes.into_iter().flatten().flatten().collect();
            prop_assert_eq!(flat, rows);
        }
    }
}
