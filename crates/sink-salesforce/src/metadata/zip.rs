//! A zip file without compression: a package is small, and every tool reads it.

use super::PackageFile;

/// 1980-01-01, the first day that the format knows.
const DATE: u16 = 0x21;
const NEEDED: u16 = 20;
/// Names are UTF-8.
const FLAGS: u16 = 0x0800;

pub(super) fn stored(files: &[PackageFile]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for file in files {
        let offset = out.len();
        let facts = facts(file);
        put32(&mut out, 0x0403_4b50);
        out.extend_from_slice(&facts);
        out.extend_from_slice(file.path.as_bytes());
        out.extend_from_slice(file.content.as_bytes());
        put32(&mut directory, 0x0201_4b50);
        put16(&mut directory, NEEDED);
        directory.extend_from_slice(&facts);
        // Comment, disk, attributes inside and outside.
        directory.extend_from_slice(&[0; 10]);
        put32(&mut directory, number(offset));
        directory.extend_from_slice(file.path.as_bytes());
    }
    let (count, start) = (short(files.len()), number(out.len()));
    let length = number(directory.len());
    out.append(&mut directory);
    put32(&mut out, 0x0605_4b50);
    put32(&mut out, 0);
    put16(&mut out, count);
    put16(&mut out, count);
    put32(&mut out, length);
    put32(&mut out, start);
    put16(&mut out, 0);
    out
}

/// What stands of a file in its own header and in the directory alike.
fn facts(file: &PackageFile) -> Vec<u8> {
    let bytes = file.content.as_bytes();
    let mut facts = Vec::new();
    // Version, flags, stored, time, date.
    for value in [NEEDED, FLAGS, 0, 0, DATE] {
        put16(&mut facts, value);
    }
    put32(&mut facts, crc(bytes));
    put32(&mut facts, number(bytes.len()));
    put32(&mut facts, number(bytes.len()));
    put16(&mut facts, short(file.path.len()));
    put16(&mut facts, 0);
    facts
}

fn put16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn put32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

/// A package is far below 4 GB: a mapping is a text file.
fn number(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

fn short(value: usize) -> u16 {
    u16::try_from(value).unwrap_or(u16::MAX)
}

/// CRC-32 as zip wants it.
pub(super) fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg())
        })
    })
}
