//! Zip files as metadata come in: stored or deflated, without encryption.

use std::io::Read;

use flate2::read::DeflateDecoder;

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
