//! What stands behind a key: when it was said, where it came from, and the line.

use std::borrow::Cow;
use std::convert::Infallible;

use grenad::MergeFunction;

use crate::tables::Family;

/// When a row was said. Of two rows with one key the later one counts: by its logical time, then by the partition that brought it,
/// the read, the split and the line (ASAPP reference, section 7.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp {
    /// Microseconds since 1970.
    pub(crate) logical: i64,
    pub(crate) partition: u32,
    pub(crate) generation: u32,
    pub(crate) split: u16,
    pub(crate) line: u32,
}

/// The bytes of a stamp, in an order that compares as it does.
const STAMP: usize = 22;
/// Flags, the hash of what never changes, and the file.
const HEAD: usize = STAMP + 1 + 4 + 4;
/// Two rows differ in what never changes.
const CLAIMED_TWICE: u8 = 1;

/// Where a row came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The file's number in the manifest.
    pub(crate) file: u32,
    /// From 1.
    pub(crate) line: u32,
    /// The latest read that said it.
    pub(crate) generation: u32,
}

/// What stands before the line of an entry. `constant` is the hash of what never changes, 0 for none.
pub(crate) fn head(stamp: Stamp, constant: u32, file: u32) -> [u8; HEAD] {
    let mut out = [0; HEAD];
    let mut at = 0;
    let mut put = |bytes: &[u8]| {
        out[at..at + bytes.len()].copy_from_slice(bytes);
        at += bytes.len();
    };
    // The sign bit turned round, so that bytes compare as numbers do.
    put(&(stamp.logical ^ i64::MIN).to_be_bytes());
    put(&stamp.partition.to_be_bytes());
    put(&stamp.generation.to_be_bytes());
    put(&stamp.split.to_be_bytes());
    put(&stamp.line.to_be_bytes());
    put(&[0]);
    put(&constant.to_be_bytes());
    put(&file.to_be_bytes());
    out
}

fn number(entry: &[u8], at: usize) -> u32 {
    entry
        .get(at..at + 4)
        .and_then(|bytes| bytes.try_into().ok())
        .map_or(0, u32::from_be_bytes)
}

fn constant(entry: &[u8]) -> u32 {
    number(entry, STAMP + 1)
}

/// Takes the latest of the entries of one key, and marks it where two claim one id.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Latest;

impl MergeFunction for Latest {
    type Error = Infallible;

    fn merge<'a>(&self, _: &[u8], entries: &[Cow<'a, [u8]>]) -> Result<Cow<'a, [u8]>, Infallible> {
        // Nearly every key was said once.
        if let [one] = entries {
            return Ok(one.clone());
        }
        let latest = entries
            .iter()
            .max_by(|a, b| a.get(..STAMP).cmp(&b.get(..STAMP)));
        let Some(latest) = latest else {
            return Ok(Cow::Owned(Vec::new()));
        };
        let mut claims: Vec<u32> = entries
            .iter()
            .map(|entry| constant(entry))
            .filter(|hash| *hash != 0)
            .collect();
        claims.sort_unstable();
        claims.dedup();
        let marked = |entry: &Cow<'a, [u8]>| claimed_twice(entry);
        if (claims.len() > 1 || entries.iter().any(marked)) && !marked(latest) {
            let mut entry = latest.to_vec();
            if let Some(flags) = entry.get_mut(STAMP) {
                *flags |= CLAIMED_TWICE;
            }
            return Ok(Cow::Owned(entry));
        }
        Ok(latest.clone())
    }
}

/// Whether two rows claimed the id of an entry.
pub(crate) fn claimed_twice(entry: &[u8]) -> bool {
    entry
        .get(STAMP)
        .is_some_and(|flags| flags & CLAIMED_TWICE != 0)
}

/// A reduced row.
#[derive(Clone, Debug)]
pub(crate) struct Reduced {
    /// The mark of its table.
    pub(crate) tag: u8,
    pub(crate) origin: Origin,
    /// Whether two rows claimed its id.
    pub(crate) claimed_twice: bool,
    pub(crate) line: Vec<u8>,
}

impl Reduced {
    pub(crate) fn read(tag: u8, entry: &[u8]) -> Self {
        Self {
            tag,
            origin: Origin {
                generation: number(entry, 12),
                line: number(entry, 18),
                file: number(entry, STAMP + 5),
            },
            claimed_twice: claimed_twice(entry),
            line: entry.get(HEAD..).unwrap_or_default().to_vec(),
        }
    }
}

/// All rows of one owner.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    /// Its key, after which the next one begins.
    pub(crate) key: Vec<u8>,
    pub(crate) family: Family,
    /// The owner's id.
    pub(crate) id: String,
    pub(crate) rows: Vec<Reduced>,
}

impl Group {
    /// The rows of a table.
    pub(crate) fn of(&self, tag: u8) -> impl Iterator<Item = &Reduced> {
        self.rows.iter().filter(move |row| row.tag == tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(logical: i64, partition: u32, constant: u32, line: &str) -> Cow<'static, [u8]> {
        let stamp = Stamp {
            logical,
            partition,
            ..Stamp::default()
        };
        Cow::Owned([&head(stamp, constant, 7), line.as_bytes()].concat())
    }

    fn latest(entries: &[Cow<'static, [u8]>]) -> Reduced {
        Reduced::read(1, &Latest.merge(b"", entries).unwrap())
    }

    #[test]
    fn the_latest_statement_wins_in_any_order() {
        let early = entry(-5, 9, 0, "early");
        let late = entry(3, 1, 0, "late");
        let restated = entry(3, 2, 0, "restated");
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
            let all = [&early, &late, &restated];
            let entries = order.map(|place| all[place].clone());
            assert_eq!(latest(&entries).line, b"restated", "{order:?}");
        }
    }

    #[test]
    fn two_claims_to_one_id_are_marked_and_stay_so() {
        let (a, b) = (entry(1, 0, 11, "a"), entry(2, 0, 22, "b"));
        assert!(!latest(&[a.clone(), a.clone()]).claimed_twice);
        let both = Latest.merge(b"", &[a, b]).unwrap().into_owned();
        let again = latest(&[Cow::Owned(both), entry(9, 0, 22, "c")]);
        assert_eq!(
            (again.line.as_slice(), again.claimed_twice),
            (&b"c"[..], true)
        );
    }

    #[test]
    fn an_entry_knows_where_it_came_from() {
        let stamp = Stamp {
            line: 17,
            generation: 2,
            ..Stamp::default()
        };
        let entry = [&head(stamp, 0, 40_000)[..], b"{}"].concat();
        let origin = Reduced::read(1, &entry).origin;
        assert_eq!(
            origin,
            Origin {
                file: 40_000,
                line: 17,
                generation: 2
            }
        );
    }
}
