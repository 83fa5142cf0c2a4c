//! Segments: append-only files of independent zstd frames of JSON lines, one kind each.
//!
//! `zstd -dc segment | jq` reads one. Its first line names format, kind, schema and writer. A record's address is its
//! segment, the frame's place in it and the line within the frame.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::fault::{point, write_at};
use crate::key::RecordKind;

/// How many bytes of lines a frame holds at most (a longer line has a frame of its own).
pub(super) const FRAME_BYTES: usize = 256 << 10;
/// A segment is left behind once it is longer than this.
const SEGMENT_BYTES: u64 = 256 << 20;
const LEVEL: i32 = 3;
const FORMAT: u32 = 1;
/// The version of the records' fields.
const SCHEMA: u32 = 1;
const NAME: &str = "deskferry-stage";

#[derive(Debug, Serialize, Deserialize)]
struct Header {
    format: String,
    version: u32,
    kind: RecordKind,
    schema: u32,
    writer: String,
}

/// Where a frame stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Frame {
    pub(super) segment: i64,
    pub(super) offset: u64,
    pub(super) length: u32,
}

/// One segment as the index knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SegmentInfo {
    pub(super) id: i64,
    pub(super) kind: RecordKind,
    pub(super) file: String,
    pub(super) end: u64,
}

struct Open {
    info: SegmentInfo,
    file: File,
}

/// Appends frames; the one writer of a stage.
pub(super) struct FrameWriter {
    folder: PathBuf,
    segment_bytes: u64,
    open: HashMap<RecordKind, Open>,
    next: i64,
    known: HashMap<i64, SegmentInfo>,
}

/// The frames that one append made, in order of the lines given.
#[derive(Debug, Default)]
pub(super) struct Appended {
    /// For each line: its frame and its line number in it.
    pub(super) places: Vec<(Frame, u32)>,
    /// Segments whose end moved, or that are new.
    pub(super) segments: Vec<SegmentInfo>,
}

impl FrameWriter {
    /// Opens the folder and cuts every segment back to the last frame end that the index knows.
    pub(super) fn open(folder: &Path, known: Vec<SegmentInfo>) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(|e| Error::storage("open the stage", e))?;
        for info in &known {
            let path = folder.join(&info.file);
            check_header(&path, info.kind)?;
            cut_back(&path, info.end)?;
        }
        remove_strangers(folder, &known)?;
        let next = known.iter().map(|s| s.id).max().unwrap_or(0) + 1;
        let mut writer = Self {
            folder: folder.to_owned(),
            segment_bytes: SEGMENT_BYTES,
            open: HashMap::new(),
            next,
            known: known.into_iter().map(|s| (s.id, s)).collect(),
        };
        writer.reopen_last()?;
        Ok(writer)
    }

    fn reopen_last(&mut self) -> Result<()> {
        let mut last: HashMap<RecordKind, SegmentInfo> = HashMap::new();
        for info in self.known.values() {
            let newest = last.entry(info.kind).or_insert_with(|| info.clone());
            if info.id > newest.id {
                *newest = info.clone();
            }
        }
        for (kind, info) in last {
            let path = self.folder.join(&info.file);
            let mut file = OpenOptions::new()
                .append(true)
                .open(&path)
                .map_err(io("open a segment"))?;
            file.seek(SeekFrom::End(0)).map_err(io("open a segment"))?;
            self.open.insert(kind, Open { info, file });
        }
        Ok(())
    }

    /// Appends lines of one kind and syncs them to the disk.
    pub(super) fn append(&mut self, kind: RecordKind, lines: &[Vec<u8>]) -> Result<Appended> {
        let mut appended = Appended::default();
        let mut at = 0;
        while at < lines.len() {
            let end = frame_end(lines, at);
            let frame = self.append_frame(kind, &lines[at..end])?;
            self.note_end(kind, &mut appended.segments);
            appended
                .places
                .extend((0..end - at).map(|n| (frame, n as u32)));
            at = end;
        }
        if let Some(open) = self.open.get(&kind) {
            let sync = || point("stage-sync").and_then(|()| open.file.sync_data());
            sync().map_err(of("sync the stage", &open.info.file))?;
        }
        Ok(appended)
    }

    /// One append may fill a segment and go on in the next: both ends moved.
    fn note_end(&self, kind: RecordKind, ends: &mut Vec<SegmentInfo>) {
        let Some(open) = self.open.get(&kind) else {
            return;
        };
        match ends.last_mut() {
            Some(last) if last.id == open.info.id => *last = open.info.clone(),
            _ => ends.push(open.info.clone()),
        }
    }

    fn append_frame(&mut self, kind: RecordKind, lines: &[Vec<u8>]) -> Result<Frame> {
        if self
            .open
            .get(&kind)
            .is_none_or(|open| open.info.end >= self.segment_bytes)
        {
            self.begin_segment(kind)?;
        }
        let Some(open) = self.open.get_mut(&kind) else {
            return Err(Error::bug("append to the stage", "no open segment"));
        };
        let packed = pack(lines)?;
        let length = u32::try_from(packed.len()).map_err(|_| {
            Error::new(
                ErrorKind::Unsupported,
                "append to the stage",
                "a record of 4 GiB",
            )
        })?;
        write_at("stage-append", &mut open.file, &packed)
            .map_err(of("append to the stage", &open.info.file))?;
        let frame = Frame {
            segment: open.info.id,
            offset: open.info.end,
            length,
        };
        open.info.end += u64::from(length);
        Ok(frame)
    }

    /// A segment that is left behind is synced: the append that comes next syncs the new one only.
    fn begin_segment(&mut self, kind: RecordKind) -> Result<()> {
        if let Some(left) = self.open.get(&kind) {
            left.file
                .sync_data()
                .map_err(of("sync the stage", &left.info.file))?;
        }
        let id = self.next;
        let name = format!("{kind}-{id:06}.jsonl.zst");
        let path = self.folder.join(&name);
        point("stage-begin").map_err(of("begin a segment", &name))?;
        let mut file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(&path)
            .map_err(of("begin a segment", &name))?;
        let header = Header {
            format: NAME.into(),
            version: FORMAT,
            kind,
            schema: SCHEMA,
            writer: concat!("deskferry ", env!("CARGO_PKG_VERSION")).into(),
        };
        let line = serde_json::to_vec(&header)
            .map_err(|e| Error::bug("begin a segment", e.to_string()))?;
        let packed = pack(&[line])?;
        file.write_all(&packed)
            .map_err(of("begin a segment", &name))?;
        sync_folder(&self.folder)?;
        let info = SegmentInfo {
            id,
            kind,
            file: name,
            end: packed.len() as u64,
        };
        self.next += 1;
        self.known.insert(id, info.clone());
        self.open.insert(kind, Open { info, file });
        Ok(())
    }

    /// Forgets what was appended since the index last knew: the append failed half way.
    pub(super) fn roll_back(&mut self, known: Vec<SegmentInfo>) -> Result<()> {
        let folder = self.folder.clone();
        self.open.clear();
        *self = Self::open(&folder, known)?;
        Ok(())
    }
}

fn io(operation: &'static str) -> impl Fn(std::io::Error) -> Error {
    move |error| Error::storage(operation, error)
}

/// The same, with the segment's name.
fn of(operation: &'static str, file: &str) -> impl Fn(std::io::Error) -> Error {
    move |error| Error::storage(operation, error).with("segment", file)
}

fn frame_end(lines: &[Vec<u8>], start: usize) -> usize {
    let mut bytes = 0;
    for (n, line) in lines.iter().enumerate().skip(start) {
        bytes += line.len() + 1;
        if bytes > FRAME_BYTES && n > start {
            return n;
        }
    }
    lines.len()
}

fn pack(lines: &[Vec<u8>]) -> Result<Vec<u8>> {
    let mut plain = Vec::with_capacity(lines.iter().map(|l| l.len() + 1).sum());
    for line in lines {
        plain.extend_from_slice(line);
        plain.push(b'\n');
    }
    zstd::bulk::compress(&plain, LEVEL).map_err(io("compress a frame"))
}

fn damaged_segment(path: &Path, found: String) -> Error {
    Error::new(ErrorKind::Storage, "open the stage", found)
        .with("file", path.display())
        .advise("The stage was damaged from outside: restore the workspace from a copy, or read the source again into a new one")
}

/// Checks what segments say of themselves, for those who only read.
pub(super) fn check(folder: &Path, known: &[SegmentInfo]) -> Result<()> {
    known
        .iter()
        .try_for_each(|info| check_header(&folder.join(&info.file), info.kind))
}

/// A segment says in its first line what it is. One of a newer version is refused, never misread.
fn check_header(path: &Path, kind: RecordKind) -> Result<()> {
    #[derive(Deserialize)]
    struct Versions {
        format: String,
        version: u32,
        schema: u32,
        writer: String,
    }
    let damaged = |found: String| damaged_segment(path, found);
    let line = first_line(path).map_err(|e| damaged(e.to_string()))?;
    let header: Versions = serde_json::from_slice(&line)
        .map_err(|e| damaged(format!("its first line is no header: {e}")))?;
    if header.format != NAME {
        return Err(damaged(format!("it holds `{}`", header.format)));
    }
    if header.version > FORMAT || header.schema > SCHEMA {
        return Err(Error::new(
            ErrorKind::Mismatch,
            "open the stage",
            format!(
                "a segment has version {} and schema {} (written by {}), this Deskferry knows up to {FORMAT} and {SCHEMA}",
                header.version, header.schema, header.writer
            ),
        )
        .with("file", path.display())
        .advise("Use the Deskferry that wrote it, or a newer one"));
    }
    let header: Header =
        serde_json::from_slice(&line).map_err(|e| damaged(format!("its header: {e}")))?;
    if header.kind != kind {
        return Err(damaged(format!(
            "it holds records of kind {}, its index says {kind}",
            header.kind
        )));
    }
    Ok(())
}

fn first_line(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let plain = zstd::stream::Decoder::new(File::open(path)?)?.single_frame();
    BufReader::new(plain.take(64 << 10)).read_until(b'\n', &mut line)?;
    Ok(line)
}

fn cut_back(path: &Path, end: u64) -> Result<()> {
    let damaged = |found: String| damaged_segment(path, found);
    let file = OpenOptions::new()
        .write(true)
        .open(path)
        .map_err(|e| damaged(e.to_string()))?;
    let length = file.metadata().map_err(io("open the stage"))?.len();
    if length < end {
        return Err(damaged(format!(
            "a segment has {length} bytes, its index knows {end}"
        )));
    }
    if length > end {
        file.set_len(end).map_err(io("open the stage"))?;
        file.sync_all().map_err(io("open the stage"))?;
        tracing::info!(file = %path.display(), dropped = length - end, "cut an unfinished append off a segment");
    }
    Ok(())
}

/// A segment that was begun but never became known holds nothing that counts.
fn remove_strangers(folder: &Path, known: &[SegmentInfo]) -> Result<()> {
    for entry in std::fs::read_dir(folder).map_err(io("open the stage"))? {
        let entry = entry.map_err(io("open the stage"))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".jsonl.zst") && !known.iter().any(|s| s.file == name) {
            std::fs::remove_file(entry.path()).map_err(io("open the stage"))?;
        }
    }
    Ok(())
}

/// Makes new names in a folder durable.
pub(super) fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder)
        .and_then(|f| f.sync_all())
        .map_err(io("sync a folder"))
}

/// The lines of a frame.
pub(super) fn read_frame(folder: &Path, file: &str, frame: Frame) -> Result<Vec<Vec<u8>>> {
    let path = folder.join(file);
    let damaged = |what: String| {
        Error::new(ErrorKind::Storage, "read the stage", what)
            .with("file", path.display())
            .with("offset", frame.offset)
    };
    let mut packed = vec![0; frame.length as usize];
    File::open(&path)
        .and_then(|f| f.read_exact_at(&mut packed, frame.offset))
        .map_err(|e| damaged(e.to_string()))?;
    let plain = zstd::stream::decode_all(packed.as_slice()).map_err(|e| damaged(e.to_string()))?;
    Ok(plain
        .split(|b| *b == b'\n')
        .filter(|l| !l.is_empty())
        .map(<[u8]>::to_vec)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(n: usize, bytes: usize) -> Vec<Vec<u8>> {
        (0..n)
            .map(|i| format!("{{\"n\":{i},\"x\":\"{}\"}}", "y".repeat(bytes)).into_bytes())
            .collect()
    }

    #[test]
    fn every_line_is_found_again_at_its_address() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = FrameWriter::open(folder.path(), Vec::new()).unwrap();
        let lines = lines(500, 2_000);
        let appended = writer.append(RecordKind::Message, &lines).unwrap();
        let file = &appended.segments[0].file;
        for (line, (frame, n)) in lines.iter().zip(&appended.places) {
            assert_eq!(
                &read_frame(folder.path(), file, *frame).unwrap()[*n as usize],
                line
            );
        }
        let frames: std::collections::BTreeSet<_> = appended.places.iter().map(|p| p.0).collect();
        assert_eq!(
            frames.len(),
            4,
            "1 MB of lines stands in frames of at most 256 KiB"
        );
    }

    #[test]
    fn what_the_index_does_not_know_is_cut_off_when_the_stage_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = FrameWriter::open(folder.path(), Vec::new()).unwrap();
        let first = writer.append(RecordKind::Message, &lines(3, 10)).unwrap();
        writer.append(RecordKind::Message, &lines(3, 10)).unwrap();
        writer.append(RecordKind::Account, &lines(1, 10)).unwrap();
        drop(writer);
        let known = first.segments.clone();
        drop(FrameWriter::open(folder.path(), known.clone()).unwrap());
        let length = std::fs::metadata(folder.path().join(&known[0].file))
            .unwrap()
            .len();
        assert_eq!(length, known[0].end);
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            1,
            "the unknown segment is gone"
        );
    }

    #[test]
    fn an_append_that_fills_a_segment_reports_both_ends() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = FrameWriter::open(folder.path(), Vec::new()).unwrap();
        writer.segment_bytes = 1_000;
        let noisy: Vec<Vec<u8>> = (0..40u64)
            .map(|n| {
                blake3::Hasher::new()
                    .update(&n.to_le_bytes())
                    .finalize_xof()
                    .to_string_of(20_000)
            })
            .collect();
        let appended = writer.append(RecordKind::Message, &noisy).unwrap();
        assert!(appended.segments.len() > 1, "{:?}", appended.segments);
        drop(writer);
        FrameWriter::open(folder.path(), appended.segments.clone()).unwrap();
        for (line, (frame, n)) in noisy.iter().zip(&appended.places) {
            let segment = appended
                .segments
                .iter()
                .find(|s| s.id == frame.segment)
                .unwrap();
            assert_eq!(
                &read_frame(folder.path(), &segment.file, *frame).unwrap()[*n as usize],
                line
            );
        }
    }

    trait Noise {
        fn to_string_of(self, length: usize) -> Vec<u8>;
    }
    impl Noise for blake3::OutputReader {
        fn to_string_of(mut self, length: usize) -> Vec<u8> {
            let mut bytes = vec![0; length];
            self.fill(&mut bytes);
            bytes.iter().map(|b| b'a' + b % 26).collect()
        }
    }

    #[test]
    fn a_segment_that_lost_bytes_is_refused_not_misread() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = FrameWriter::open(folder.path(), Vec::new()).unwrap();
        let known = writer
            .append(RecordKind::Message, &lines(3, 10))
            .unwrap()
            .segments;
        drop(writer);
        File::options()
            .write(true)
            .open(folder.path().join(&known[0].file))
            .unwrap()
            .set_len(known[0].end - 1)
            .unwrap();
        let error = FrameWriter::open(folder.path(), known).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Storage);
        assert!(error.to_string().contains("its index knows"), "{error}");
    }

    #[test]
    fn a_segment_of_a_newer_version_or_another_kind_is_refused_by_name() {
        let newer = |version: u32, schema: u32, kind: &str| {
            format!(
                r#"{{"format":"deskferry-stage","version":{version},"kind":"{kind}","schema":{schema},"writer":"deskferry 9"}}"#
            )
        };
        for (header, kind, says) in [
            (
                newer(2, 1, "message"),
                ErrorKind::Mismatch,
                "version 2 and schema 1 (written by deskferry 9)",
            ),
            (
                newer(1, 7, "something-new"),
                ErrorKind::Mismatch,
                "schema 7",
            ),
            (newer(1, 1, "account"), ErrorKind::Storage, "kind account"),
            ("{}".to_owned(), ErrorKind::Storage, "no header"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let packed = pack(&[header.into_bytes()]).unwrap();
            std::fs::write(folder.path().join("m.jsonl.zst"), &packed).unwrap();
            let known = SegmentInfo {
                id: 1,
                kind: RecordKind::Message,
                file: "m.jsonl.zst".into(),
                end: packed.len() as u64,
            };
            let error = FrameWriter::open(folder.path(), vec![known]).err().unwrap();
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.to_string().contains(says), "{error}");
        }
    }

    #[test]
    fn a_segment_reads_as_one_zstd_stream_that_begins_with_its_header() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = FrameWriter::open(folder.path(), Vec::new()).unwrap();
        let file = writer
            .append(RecordKind::Team, &lines(2, 5))
            .unwrap()
            .segments[0]
            .file
            .clone();
        writer.append(RecordKind::Team, &lines(1, 5)).unwrap();
        let text = zstd::stream::decode_all(File::open(folder.path().join(file)).unwrap()).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(
            text.starts_with(r#"{"format":"deskferry-stage","version":1,"kind":"team""#),
            "{text}"
        );
        assert_eq!(text.lines().count(), 4);
    }
}
