//! Zip files as metadata come in, stored or deflated, without encryption; and as they go out.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};

/// More unpacked bytes are refused (Salesforce transport reference, section 11.1).
const MOST_BYTES: u64 = 600 << 20;
const MOST_FILES: usize = 10_000;

const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;

/// The files of a zip, by their paths, in their order.
///
/// # Errors
/// A sentence that says what the bytes are not.
pub(super) fn files(zip: &[u8]) -> Result<Vec<(String, Vec<u8>)>, String> {
    let broken = || "the file is no readable zip".to_owned();
    let end = (0..=zip.len().saturating_sub(22))
        .rev()
        .find(|at| four(zip, *at) == Some(END))
        .ok_or_else(broken)?;
    let count = two(zip, end + 10).ok_or_else(broken)?;
    let mut at = four(zip, end + 16).ok_or_else(broken)? as usize;
    if count > MOST_FILES {
        return Err(format!("the zip has more than {MOST_FILES} files"));
    }
    let (mut found, mut left) = (Vec::with_capacity(count), MOST_BYTES);
    for _ in 0..count {
        let entry = Entry::read(zip, at).ok_or_else(broken)?;
        at = entry.next;
        if entry.name.ends_with('/') {
            continue;
        }
        let bytes = entry.unpacked(zip, left).ok_or_else(broken)?;
        left -= bytes.len() as u64;
        found.push((entry.name, bytes));
    }
    Ok(found)
}

/// A zip of these files, by their paths.
pub(super) fn packed(files: &BTreeMap<String, String>) -> std::io::Result<Vec<u8>> {
    let (mut zip, mut central) = (Vec::new(), Vec::new());
    for (path, text) in files {
        let mut crc = Crc::new();
        crc.update(text.as_bytes());
        let mut packer = DeflateEncoder::new(Vec::new(), Compression::default());
        packer.write_all(text.as_bytes())?;
        let packed = packer.finish()?;
        // Versions, flags (names in UTF-8), method, time and day, checksum, sizes, length of the name.
        let mut common = Vec::new();
        for half in [20_u16, 0x0800, 8, 0, 0x21] {
            common.extend(half.to_le_bytes());
        }
        for four in [crc.sum(), size(packed.len()), size(text.len())] {
            common.extend(four.to_le_bytes());
        }
        common.extend((size(path.len()) as u16).to_le_bytes());
        common.extend([0, 0]);
        let at = size(zip.len());
        zip.extend(LOCAL.to_le_bytes());
        zip.extend(&common);
        zip.extend(path.as_bytes());
        zip.extend(&packed);
        central.extend(CENTRAL.to_le_bytes());
        central.extend(20_u16.to_le_bytes());
        central.extend(&common);
        // No comment, no second disk, no attributes.
        central.extend([0; 10]);
        central.extend(at.to_le_bytes());
        central.extend(path.as_bytes());
    }
    let count = (size(files.len()) as u16).to_le_bytes();
    let at = size(zip.len());
    zip.extend(&central);
    zip.extend(END.to_le_bytes());
    zip.extend([0; 4]);
    zip.extend(count);
    zip.extend(count);
    zip.extend(size(central.len()).to_le_bytes());
    zip.extend(at.to_le_bytes());
    zip.extend([0, 0]);
    Ok(zip)
}

/// Sizes of metadata fit: a field of a zip that is too small for one would be no zip.
fn size(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

struct Entry {
    name: String,
    method: usize,
    packed: usize,
    header: usize,
    next: usize,
}

impl Entry {
    /// An entry of the central directory.
    fn read(zip: &[u8], at: usize) -> Option<Self> {
        (four(zip, at)? == CENTRAL).then_some(())?;
        let (name, extra, comment) = (two(zip, at + 28)?, two(zip, at + 30)?, two(zip, at + 32)?);
        Some(Self {
            name: String::from_utf8_lossy(zip.get(at + 46..at + 46 + name)?).into_owned(),
            method: two(zip, at + 10)?,
            packed: four(zip, at + 20)? as usize,
            header: four(zip, at + 42)? as usize,
            next: at + 46 + name + extra + comment,
        })
    }

    fn unpacked(&self, zip: &[u8], most: u64) -> Option<Vec<u8>> {
        (four(zip, self.header)? == LOCAL).then_some(())?;
        let from = self.header + 30 + two(zip, self.header + 26)? + two(zip, self.header + 28)?;
        let packed = zip.get(from..from.checked_add(self.packed)?)?;
        let mut bytes = Vec::new();
        match self.method {
            0 => bytes.extend_from_slice(packed),
            8 => {
                DeflateDecoder::new(packed)
                    .take(most + 1)
                    .read_to_end(&mut bytes)
                    .ok()?;
            }
            _ => return None,
        }
        (bytes.len() as u64 <= most).then_some(bytes)
    }
}

fn two(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = bytes.get(at..at + 2)?;
    Some(usize::from(u16::from_le_bytes([bytes[0], bytes[1]])))
}

fn four(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?;
    Some(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked_again() {
        let long = "many words ".repeat(1_000);
        let packed_files = BTreeMap::from([
            ("objects/Case.object".to_owned(), long),
            ("package.xml".to_owned(), String::new()),
            ("layouts/Case-Žádost.layout".to_owned(), "ž".to_owned()),
        ]);
        let zip = packed(&packed_files).unwrap();
        assert!(zip.len() < 2_000, "{}", zip.len());
        let unpacked: BTreeMap<String, String> = files(&zip)
            .unwrap()
            .into_iter()
            .map(|(path, bytes)| (path, String::from_utf8(bytes).unwrap()))
            .collect();
        assert_eq!(unpacked, packed_files);
    }

    #[test]
    fn bytes_that_are_no_zip_are_refused_and_never_bring_it_down() {
        assert_eq!(files(b"").unwrap_err(), "the file is no readable zip");
        assert!(files(b"PK\x05\x06").is_err());
        let empty = [b"PK\x05\x06".as_slice(), &[0; 18]].concat();
        assert_eq!(files(&empty).unwrap(), Vec::new());
        let mut claims_a_file = empty;
        claims_a_file[10] = 1;
        assert!(files(&claims_a_file).is_err());
    }
}
