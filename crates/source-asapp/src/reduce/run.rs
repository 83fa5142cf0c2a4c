//! Files into one sorted run.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use deskferry_core::{Error, ErrorKind, Result};
use flate2::read::MultiGzDecoder;
use serde::{Deserialize, Serialize};

use super::buffer::Buffer;
use super::map::{Mapper, Named};
use crate::channels::{Bytes, Piece};
use crate::wire::Shape;

/// A share of broken lines means nothing in fewer lines than these.
const FEW: u64 = 1_000;

/// A file to be read, by its number in the manifest.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    pub(crate) piece: Piece,
    /// Which of the channels has it.
    pub(crate) channel: usize,
    pub(crate) number: u32,
}

/// A line that is no row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Broken {
    /// Mark of the table it should have become a row of.
    pub(crate) tag: u8,
    pub(crate) file: String,
    /// From 1.
    pub(crate) line: u32,
    pub(crate) reason: String,
    pub(crate) raw: String,
}

/// What became of the files of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Done {
    /// Rows of each file, in the order of the files.
    pub(crate) rows: Vec<u64>,
    pub(crate) broken: u64,
    /// Bytes after decompression.
    pub(crate) bytes: u64,
    pub(crate) shapes: BTreeMap<String, Shape>,
    /// Parts of the run, see [`part`].
    pub(crate) parts: u32,
}

/// The file of a part of a run, from 0. Each is sorted; what is said in several is reduced when all are merged.
pub(crate) fn part(run: &str, number: u32) -> String {
    format!("{run}.{number:03}")
}

/// How a run is made.
pub(crate) struct How<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) name: &'a str,
    pub(crate) generation: u32,
    /// Bytes of memory for sorting.
    pub(crate) memory: usize,
    /// The share of lines that may be broken, in percent.
    pub(crate) broken_share: f64,
    pub(crate) cancelled: &'a (dyn Fn() -> bool + Sync),
}

/// Reads the files into the parts of the run `how.name`, and its broken lines into a file beside it. A part stands there under its name when
/// it is written and synced; the run counts once the manifest names it.
///
/// # Errors
/// The channel or the disk failed; too many broken lines.
pub(crate) fn reduce(
    how: &How<'_>,
    inputs: &[Input],
    open: &dyn Fn(&Input) -> Result<Bytes>,
) -> Result<Done> {
    let failed = |error: io::Error| Error::storage("keep the reduced exports", error);
    // An eighth is left for what reading takes.
    let mut buffer = Buffer::new(how.memory / 8 * 7);
    let mut parts = 0;
    let mut write = |buffer: &mut Buffer| {
        point("asapp-part")?;
        buffer.write(&how.folder.join(part(how.name, parts)))?;
        parts += 1;
        Ok::<_, Error>(())
    };
    let broken_name = how.folder.join(format!("{}.broken", how.name));
    let mut broken = BufWriter::new(File::create(&broken_name).map_err(failed)?);
    let mut done = Done::default();
    let mut named = Named::default();
    for input in inputs {
        let mut reader = plain(open(input)?).map_err(|e| unreadable(&input.piece, e))?;
        let mut mapper = Mapper::new(input, how.generation, &mut named);
        let (mut line, mut number, mut rows) = (Vec::new(), 0_u32, 0_u64);
        loop {
            line.clear();
            let length = reader
                .read_until(b'\n', &mut line)
                .map_err(|e| unreadable(&input.piece, e))?;
            if length == 0 {
                break;
            }
            number = number.saturating_add(1);
            done.bytes += length as u64;
            let text = line.trim_ascii();
            if text.is_empty() {
                continue;
            }
            rows += 1;
            let mut insert = |key: &[u8], head: &[u8], line: &[u8]| {
                if !buffer.fits(key.len() + head.len() + line.len()) {
                    write(&mut buffer)?;
                }
                buffer.push(key, head, line);
                Ok(())
            };
            match mapper.map(text, number, &mut insert)? {
                Ok(()) => {}
                Err(reason) => {
                    done.broken += 1;
                    let row = Broken {
                        tag: input.piece.table.tag,
                        file: input.piece.name(),
                        line: number,
                        reason,
                        raw: String::from_utf8_lossy(text).into_owned(),
                    };
                    serde_json::to_writer(&mut broken, &row)
                        .map_err(io::Error::from)
                        .and_then(|()| broken.write_all(b"\n"))
                        .map_err(failed)?;
                }
            }
            if number.is_multiple_of(4_096) && (how.cancelled)() {
                return Err(Error::new(
                    ErrorKind::Cancelled,
                    "read exported files",
                    "the run was asked to stop",
                )
                .advise("Run `resume` to go on where it stopped"));
            }
        }
        mapper.tell(done.shapes.entry(shape_name(&input.piece)).or_default());
        done.rows.push(rows);
        let total: u64 = done.rows.iter().sum();
        if total >= FEW && done.broken as f64 > total as f64 * how.broken_share / 100.0 {
            return Err(too_many(&input.piece, done.broken, total, how.broken_share));
        }
    }
    let broken = broken.into_inner().map_err(|e| failed(e.into_error()))?;
    broken.sync_all().map_err(failed)?;
    if !buffer.is_empty() {
        write(&mut buffer)?;
    }
    done.parts = parts;
    point("asapp-run")?;
    Ok(done)
}

/// A named place at which tests end the process.
pub(super) fn point(name: &'static str) -> Result<()> {
    deskferry_core::fault::point(name)
        .map_err(|error| Error::storage("keep the reduced exports", error))
}

/// Writes a file that is there as a whole, or not at all.
pub(super) fn write_whole(
    path: &Path,
    write: impl FnOnce(BufWriter<File>) -> Result<BufWriter<File>>,
) -> Result<()> {
    let failed = |error: io::Error| Error::storage("keep the reduced exports", error);
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".unfinished");
    let out = BufWriter::with_capacity(1 << 20, File::create(&unfinished).map_err(failed)?);
    let out = write(out)?
        .into_inner()
        .map_err(|e| failed(e.into_error()))?;
    out.sync_all().map_err(failed)?;
    std::fs::rename(&unfinished, path).map_err(failed)?;
    sync(path.parent().unwrap_or(Path::new(".")))
}

/// Makes the names of a folder durable.
pub(super) fn sync(folder: &Path) -> Result<()> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| Error::storage("keep the reduced exports", error))
}

pub(super) fn merged<E: std::fmt::Display>(error: grenad::Error<E>) -> Error {
    match error {
        grenad::Error::Io(error) => Error::storage("keep the reduced exports", error),
        other => Error::bug("keep the reduced exports", other.to_string()),
    }
}

/// Feeds of the two families can have one name.
fn shape_name(piece: &Piece) -> String {
    piece.table.name.to_owned()
}

/// Bytes without their compression, whatever the name says (ASAPP reference, section 2).
fn plain(bytes: Bytes) -> io::Result<Box<dyn BufRead>> {
    let mut reader = BufReader::with_capacity(1 << 17, bytes);
    let zipped = reader.fill_buf()?.starts_with(&[0x1f, 0x8b]);
    Ok(if zipped {
        Box::new(BufReader::with_capacity(
            1 << 17,
            MultiGzDecoder::new(reader),
        ))
    } else {
        Box::new(reader)
    })
}

fn unreadable(piece: &Piece, error: io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
            ErrorKind::Decode
        }
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, "read exported files", error.to_string())
        .with("file", piece.name())
        .advise("Fetch this file again, then run `resume`: whatever was read before it is kept")
        .because(error)
}

fn too_many(piece: &Piece, broken: u64, total: u64, share: f64) -> Error {
    Error::new(
        ErrorKind::Decode,
        "read exported files",
        format!("{broken} of {total} lines are no rows, more than {share} per cent"),
    )
    .with("file", piece.name())
    .advise("Look at the lines in the `.broken` file of the work folder; `broken_share` says how many are taken")
}

/// Broken lines of a run after the first `after`, at most `limit`.
///
/// # Errors
/// The disk failed.
pub(crate) fn broken(folder: &Path, run: &str, after: usize, limit: usize) -> Result<Vec<Broken>> {
    let failed = |error: io::Error| Error::storage("read the broken lines of a run", error);
    let file = File::open(folder.join(format!("{run}.broken"))).map_err(failed)?;
    BufReader::new(file)
        .lines()
        .skip(after)
        .take(limit)
        .map(|line| serde_json::from_str(&line.map_err(failed)?).map_err(|e| failed(e.into())))
        .collect()
}
