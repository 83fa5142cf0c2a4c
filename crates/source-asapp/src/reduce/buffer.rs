//! Rows in memory: sorted, reduced among themselves, and written as one part of a run.
//!
//! Sorting is the standard library's. `grenad` has a sorter of its own, which compares whole keys where they lie, among the rows; here the
//! first bytes of each key stand beside its place, and memory is left alone until they are equal.

use std::borrow::Cow;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use deskferry_core::{Error, Result};
use grenad::{CompressionType, MergeFunction as _, Writer, WriterBuilder};

use super::entry::Latest;
use super::run::write_whole;

/// Bytes of a block: what is compressed at once, and read at once.
const BLOCK: usize = 32 << 10;

/// A writer of sorted rows. Large files have an index of two levels, or whoever opens one would read megabytes of it first.
pub(super) fn writer(out: BufWriter<File>) -> Writer<BufWriter<File>> {
    let mut builder = WriterBuilder::new();
    builder
        .compression_type(CompressionType::Snappy)
        .block_size(BLOCK)
        .index_levels(1);
    builder.build(out)
}

/// Where a row lies. The first bytes of its key decide nearly every comparison.
#[derive(Clone, Copy, Debug)]
struct Slot {
    prefix: u128,
    at: usize,
    key: u32,
    entry: u32,
}

/// Rows of one part.
#[derive(Debug)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    slots: Vec<Slot>,
    most: usize,
}

/// The first bytes of a key, in the order of keys.
fn prefix(key: &[u8]) -> u128 {
    let mut first = [0; 16];
    let length = key.len().min(first.len());
    first[..length].copy_from_slice(&key[..length]);
    u128::from_be_bytes(first)
}

impl Buffer {
    /// For so many bytes, keys, rows and places together.
    pub(super) fn new(most: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(most),
            slots: Vec::new(),
            most,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Whether one more row has room. A row that is larger than the buffer has, alone.
    pub(super) fn fits(&self, length: usize) -> bool {
        let slots = (self.slots.len() + 1) * size_of::<Slot>();
        self.is_empty() || self.bytes.len() + slots + length <= self.most
    }

    /// Takes a row: its key, and its entry in two pieces.
    pub(super) fn push(&mut self, key: &[u8], head: &[u8], line: &[u8]) {
        let length = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
        self.slots.push(Slot {
            prefix: prefix(key),
            at: self.bytes.len(),
            key: length(key.len()),
            entry: length(head.len() + line.len()),
        });
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(head);
        self.bytes.extend_from_slice(line);
    }

    /// Writes what it holds, each key once, and holds nothing.
    ///
    /// # Errors
    /// The disk failed.
    pub(super) fn write(&mut self, path: &Path) -> Result<()> {
        let failed = |error| Error::storage("keep the reduced exports", error);
        let bytes = &self.bytes;
        let key = |slot: &Slot| &bytes[slot.at..][..slot.key as usize];
        let entry = |slot: &Slot| &bytes[slot.at + slot.key as usize..][..slot.entry as usize];
        // Of equal keys the entries themselves say which one counts: any order of them will do.
        self.slots.sort_unstable_by(|a, b| {
            let of_prefix = a.prefix.cmp(&b.prefix);
            of_prefix.then_with(|| key(a).cmp(key(b)))
        });
        let same = |a: &Slot, b: &Slot| a.prefix == b.prefix && key(a) == key(b);
        write_whole(path, |out| {
            let mut writer = writer(out);
            for rows in self.slots.chunk_by(same) {
                let [first, ..] = rows else { continue };
                if rows.len() == 1 {
                    writer.insert(key(first), entry(first)).map_err(failed)?;
                    continue;
                }
                let entries: Vec<Cow<'_, [u8]>> =
                    rows.iter().map(|row| Cow::Borrowed(entry(row))).collect();
                let Ok(latest) = Latest.merge(key(first), &entries);
                writer.insert(key(first), latest).map_err(failed)?;
            }
            writer.into_inner().map_err(failed)
        })?;
        self.bytes.clear();
        self.slots.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reduce::entry::{Stamp, head};

    #[test]
    fn rows_are_written_in_the_order_of_their_keys_and_each_key_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut buffer = Buffer::new(1 << 16);
        let long = |end: &str| format!("0123456789abcdef{end}");
        // Keys that only differ behind their first bytes, that begin with one another, that hold zeros.
        let keys = [
            long("b"),
            long("a"),
            long(""),
            "0".to_owned(),
            "0\0".to_owned(),
            long("a\0"),
            "z".to_owned(),
        ];
        for (logical, line) in [(1, "old"), (2, "new")] {
            for key in &keys {
                let stamp = Stamp {
                    logical,
                    ..Stamp::default()
                };
                buffer.push(key.as_bytes(), &head(stamp, 0, 0), line.as_bytes());
            }
        }
        let path = folder.path().join("part");
        buffer.write(&path).unwrap();
        assert!(buffer.is_empty());
        let mut cursor = grenad::Reader::new(File::open(path).unwrap())
            .unwrap()
            .into_cursor()
            .unwrap();
        let mut found = Vec::new();
        while let Some((key, entry)) = cursor.move_on_next().unwrap() {
            assert!(entry.ends_with(b"new"));
            found.push(String::from_utf8(key.to_vec()).unwrap());
        }
        let mut sorted = keys.to_vec();
        sorted.sort();
        assert_eq!(found, sorted);
    }

    #[test]
    fn a_full_buffer_takes_no_more_and_an_empty_one_takes_anything() {
        let mut buffer = Buffer::new(200);
        assert!(buffer.fits(1_000));
        buffer.push(b"key", b"head", &[0; 100]);
        assert!(buffer.fits(20) && !buffer.fits(120));
    }
}
