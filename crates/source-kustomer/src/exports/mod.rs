//! What the helpdesk gave away as files: tables of data exports (`.csv`), and archived events (`.jsonl`, `.ndjson`, either also
//! `.gz`). A second channel, for what the API shows no more (Kustomer reference, section 4).
//!
//! Encodings are checked, never guessed: a row that is no UTF-8 is rejected with its file and number, a file of UTF-16 whole.

mod covered;
mod table;

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use deskferry_core::{Error, Result};
use flate2::read::MultiGzDecoder;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub(crate) use covered::Covered;

use crate::wire::Raw;

/// Rows that are read together.
const ROWS: usize = 500;
/// And so many bytes.
const BYTES: usize = 4 << 20;
/// A longer line is no event.
const LONGEST: u64 = 16 << 20;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// One event a line; packed or not.
    Events { packed: bool },
    /// Rows of one type, by the word of the API.
    Table(&'static str),
}

/// A file of a folder of exports.
#[derive(Debug, Clone)]
pub(crate) struct Export {
    /// Its name in the folder.
    pub(crate) name: String,
    path: PathBuf,
    form: Form,
}

/// Where in a file a reading is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Place {
    /// Bytes, of what is unpacked.
    pub(crate) offset: u64,
    /// Rows before it.
    pub(crate) rows: u64,
}

/// A row of an export.
#[derive(Debug)]
pub(crate) enum Line {
    /// As the API would show it, and whether the event says that it was deleted.
    Row { raw: Raw, deleted: bool },
    /// Not readable: why, and what it was as far as it can be shown.
    Bad {
        number: u64,
        reason: String,
        text: String,
    },
}

/// What was read at once.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) lines: Vec<Line>,
    /// Where to go on; none at the end.
    pub(crate) next: Option<Place>,
}

/// The exports of a folder by name, and what is said of files that are none.
///
/// # Errors
/// `Storage`: the folder cannot be read.
pub(crate) fn list(folder: &Path) -> Result<(Vec<Export>, Vec<String>)> {
    let failed = |error| Error::storage("look for exports", error).with("folder", folder.display());
    let (mut found, mut notes) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = name.into_owned();
        if !path.is_file() || name.starts_with('.') {
            continue;
        }
        match form(&name) {
            Some(form) => found.push(Export { name, path, form }),
            None => notes.push(format!(
                "{name} is not read: tables are `.csv` files whose names say what they hold (customer, conversation, message), events `.jsonl` or `.ndjson`, also packed (`.gz`)"
            )),
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    notes.sort();
    Ok((found, notes))
}

fn form(name: &str) -> Option<Form> {
    let name = name.to_lowercase();
    let (plain, packed) = match name.strip_suffix(".gz") {
        Some(plain) => (plain, true),
        None => (name.as_str(), false),
    };
    if plain.ends_with(".jsonl") || plain.ends_with(".ndjson") {
        return Some(Form::Events { packed });
    }
    let named = plain.strip_suffix(".csv").filter(|_| !packed)?;
    ["message", "conversation", "customer"]
        .into_iter()
        .find(|kind| named.contains(kind))
        .map(Form::Table)
}

impl Export {
    /// Whether it tells what became of things, and not how they are.
    pub(crate) fn is_events(&self) -> bool {
        matches!(self.form, Form::Events { .. })
    }

    /// The rows from a place on. What is packed is not unpacked from its beginning each time: `kept` goes on where it stopped. Blocks.
    ///
    /// # Errors
    /// `Storage`: it cannot be read.
    pub(crate) fn read(&self, from: Place, kept: &mut Option<Tape>) -> Result<Batch> {
        let failed = |error| Error::storage("read an export", error).with("file", &self.name);
        let mut file = File::open(&self.path).map_err(failed)?;
        let mut first = [0; 2];
        let read = file.read(&mut first).map_err(failed)?;
        if read == 2 && (first == [0xff, 0xfe] || first == [0xfe, 0xff]) {
            return Ok(Batch {
                lines: vec![Line::Bad {
                    number: 0,
                    reason: format!(
                        "{} is UTF-16: export it again, and let no spreadsheet save it",
                        self.name
                    ),
                    text: String::new(),
                }],
                ..Batch::default()
            });
        }
        file.rewind().map_err(failed)?;
        match self.form {
            Form::Table(kind) => table::read(&self.name, file, kind, from),
            Form::Events { packed: false } => {
                file.seek(SeekFrom::Start(from.offset)).map_err(failed)?;
                events(&mut BufReader::new(file), from).map_err(failed)
            }
            Form::Events { packed: true } => {
                let goes_on = |tape: &Tape| tape.name == self.name && tape.at == from;
                let mut tape = match kept.take().filter(goes_on) {
                    Some(tape) => tape,
                    None => self.unpack(file, from).map_err(failed)?,
                };
                let batch = events(&mut tape.lines, from).map_err(failed)?;
                tape.at = batch.next.unwrap_or_default();
                *kept = Some(tape);
                Ok(batch)
            }
        }
    }

    fn unpack(&self, file: File, from: Place) -> std::io::Result<Tape> {
        let mut lines = BufReader::new(MultiGzDecoder::new(file));
        std::io::copy(&mut (&mut lines).take(from.offset), &mut std::io::sink())?;
        Ok(Tape {
            name: self.name.clone(),
            at: from,
            lines,
        })
    }
}

/// A packed file that is open, and where.
#[derive(Debug)]
pub(crate) struct Tape {
    name: String,
    at: Place,
    lines: BufReader<MultiGzDecoder<File>>,
}

/// An event as the platform sends it.
#[derive(Deserialize)]
struct Event {
    #[serde(default)]
    name: String,
    data: Box<RawValue>,
}

fn events(lines: &mut impl BufRead, from: Place) -> std::io::Result<Batch> {
    let mut batch = Batch::default();
    let mut at = from;
    let mut bytes = 0;
    let mut line = Vec::new();
    while batch.lines.len() < ROWS && bytes < BYTES {
        line.clear();
        let read = lines.by_ref().take(LONGEST).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(batch);
        }
        at.offset += read as u64;
        at.rows += 1;
        bytes += read;
        if line.trim_ascii().is_empty() {
            continue;
        }
        // Some writers put no line between two events.
        let all = serde_json::Deserializer::from_slice(&line).into_iter::<Event>();
        for event in all {
            batch.lines.push(match event {
                Ok(event) => Line::Row {
                    raw: event.data,
                    deleted: event.name.ends_with(".delete"),
                },
                Err(error) => Line::Bad {
                    number: at.rows,
                    reason: match std::str::from_utf8(&line) {
                        Ok(_) => format!("no event: {error}"),
                        Err(_) => "not UTF-8".to_owned(),
                    },
                    text: String::from_utf8_lossy(&line).chars().take(500).collect(),
                },
            });
        }
    }
    batch.next = Some(at);
    Ok(batch)
}

#[cfg(test)]
mod tests;
