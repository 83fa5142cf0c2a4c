//! What was read into which run: a file of JSON lines that only grows.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use deskferry_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::run::part;
use crate::wire::Shape;

const NAME: &str = "manifest.jsonl";
const VERSION: u32 = 1;

/// One line.
#[derive(Debug, Serialize, Deserialize)]
enum Line {
    Made {
        version: u32,
        company: String,
    },
    Run(RunMark),
    Days {
        generation: u32,
        names: Vec<String>,
    },
    Reduced {
        generation: u32,
        name: String,
        /// Whether nothing more is to be asked of the APIs.
        #[serde(default = "yes")]
        whole: bool,
    },
}

const fn yes() -> bool {
    true
}

/// A file that all runs were merged into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Merged {
    pub(crate) generation: u32,
    pub(crate) name: String,
    /// Whether the answers of the APIs are in it.
    pub(crate) whole: bool,
}

/// A run and the files in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RunMark {
    pub(crate) name: String,
    pub(crate) generation: u32,
    pub(crate) files: Vec<FileMark>,
    /// How many files there were.
    pub(crate) count: usize,
    pub(crate) rows: u64,
    pub(crate) broken: u64,
    pub(crate) bytes: u64,
    pub(crate) shapes: BTreeMap<String, Shape>,
    /// How many parts it has; without it, it is one file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) parts: Option<u32>,
    /// For answers of the APIs: the key of the last conversation that was looked at, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) asked: Option<String>,
}

impl RunMark {
    /// Its files.
    pub(crate) fn parts(&self) -> Vec<String> {
        match self.parts {
            Some(parts) => (0..parts).map(|number| part(&self.name, number)).collect(),
            None => vec![self.name.clone()],
        }
    }
}

/// A file that was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileMark {
    pub(crate) number: u32,
    /// The channel's name.
    pub(crate) channel: String,
    pub(crate) path: String,
    pub(crate) size: Option<u64>,
    pub(crate) changed: Option<String>,
    pub(crate) rows: u64,
}

/// The manifest of a work folder.
#[derive(Debug)]
pub(crate) struct Manifest {
    path: PathBuf,
    pub(crate) runs: Vec<RunMark>,
    /// Days that were read to their end, by the read that did.
    days: HashMap<String, u32>,
    pub(crate) reduced: Option<Merged>,
    /// What was read already, by channel and path: a hash of size and time.
    files: HashMap<[u8; 16], [u8; 16]>,
    paths: u32,
}

fn short(parts: &[&str]) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let mut out = [0; 16];
    hasher.finalize_xof().fill(&mut out);
    out
}

fn state(size: Option<u64>, changed: Option<&str>) -> [u8; 16] {
    short(&[
        &size.map_or(String::new(), |size| size.to_string()),
        changed.unwrap_or(""),
    ])
}

impl Manifest {
    /// Whether a folder has one.
    pub(crate) fn is_in(folder: &Path) -> bool {
        folder.join(NAME).exists()
    }

    /// The manifest of a work folder, made where there is none.
    ///
    /// # Errors
    /// The folder cannot be used, or belongs to another company.
    pub(crate) fn open(folder: &Path, company: &str) -> Result<Self> {
        let failed = |error: io::Error| {
            Error::storage("open the work folder", error).with("folder", folder.display())
        };
        std::fs::create_dir_all(folder).map_err(failed)?;
        let path = folder.join(NAME);
        let mut manifest = Self {
            path: path.clone(),
            runs: Vec::new(),
            days: HashMap::new(),
            reduced: None,
            files: HashMap::new(),
            paths: 0,
        };
        let mut whole = 0;
        if path.exists() {
            let mut reader = BufReader::new(File::open(&path).map_err(failed)?);
            let mut text = Vec::new();
            loop {
                text.clear();
                let length = reader.read_until(b'\n', &mut text).map_err(failed)?;
                // A line that was cut off by a death counts for nothing.
                let Ok(line) = serde_json::from_slice(&text) else {
                    break;
                };
                if !text.ends_with(b"\n") {
                    break;
                }
                whole += length as u64;
                manifest.take(line, company)?;
            }
            let file = OpenOptions::new().write(true).open(&path).map_err(failed)?;
            file.set_len(whole).map_err(failed)?;
        }
        if whole == 0 {
            manifest.append(&Line::Made {
                version: VERSION,
                company: company.to_owned(),
            })?;
        }
        Ok(manifest)
    }

    fn take(&mut self, line: Line, company: &str) -> Result<()> {
        match line {
            Line::Made {
                version,
                company: made_for,
            } => {
                if version != VERSION || made_for != company {
                    return Err(Error::new(
                        ErrorKind::Mismatch,
                        "open the work folder",
                        format!("it was made for `{made_for}` (form {version}), and this is `{company}` (form {VERSION})"),
                    )
                    .with("folder", self.path.display())
                    .advise("Name another folder in `work`"));
                }
            }
            Line::Run(run) => self.note(run),
            Line::Days { generation, names } => {
                self.days
                    .extend(names.into_iter().map(|name| (name, generation)));
            }
            Line::Reduced {
                generation,
                name,
                whole,
            } => {
                self.reduced = Some(Merged {
                    generation,
                    name,
                    whole,
                });
            }
        }
        Ok(())
    }

    fn note(&mut self, run: RunMark) {
        for file in &run.files {
            let name = short(&[&file.channel, &file.path]);
            self.files
                .insert(name, state(file.size, file.changed.as_deref()));
            self.paths = self.paths.max(file.number + 1);
        }
        // A year has hundreds of thousands of files: their names stay on the disk.
        self.runs.push(RunMark {
            files: Vec::new(),
            ..run
        });
    }

    /// Writes a run down. From here on its files are read.
    ///
    /// # Errors
    /// The disk failed.
    pub(crate) fn add_run(&mut self, run: RunMark) -> Result<()> {
        self.append(&Line::Run(run.clone()))?;
        self.note(run);
        Ok(())
    }

    /// Writes down that these days are read to their end.
    ///
    /// # Errors
    /// The disk failed.
    pub(crate) fn add_days(&mut self, generation: u32, names: Vec<String>) -> Result<()> {
        if names.is_empty() {
            return Ok(());
        }
        self.append(&Line::Days {
            generation,
            names: names.clone(),
        })?;
        self.days
            .extend(names.into_iter().map(|name| (name, generation)));
        Ok(())
    }

    /// The file that holds all of a read, once there is one.
    pub(crate) fn reduced_by(&self, generation: u32) -> Option<&str> {
        let merged = self.reduced.as_ref()?;
        (merged.generation >= generation && merged.whole).then_some(&merged.name)
    }

    /// The file that holds all files of a read, and not yet what the APIs answer.
    pub(crate) fn to_be_asked(&self, generation: u32) -> Option<&str> {
        let merged = self.reduced.as_ref()?;
        (merged.generation == generation && !merged.whole).then_some(&merged.name)
    }

    /// Runs that are in no reduced file yet.
    pub(crate) fn not_merged(&self) -> impl Iterator<Item = &RunMark> {
        let since = self.reduced.as_ref();
        self.runs.iter().filter(move |run| {
            since.is_none_or(|merged| {
                let of_later = run.generation > merged.generation;
                let answers = run.generation == merged.generation && run.asked.is_some();
                of_later || (answers && !merged.whole)
            })
        })
    }

    /// Writes down that all runs are in this file, and whether nothing is to be asked of the APIs any more.
    ///
    /// # Errors
    /// The disk failed.
    pub(crate) fn set_reduced(&mut self, generation: u32, name: &str, whole: bool) -> Result<()> {
        self.append(&Line::Reduced {
            generation,
            name: name.to_owned(),
            whole,
        })?;
        self.reduced = Some(Merged {
            generation,
            name: name.to_owned(),
            whole,
        });
        Ok(())
    }

    fn append(&self, line: &Line) -> Result<()> {
        let failed = |error: io::Error| Error::storage("write the manifest of the exports", error);
        let mut text = serde_json::to_vec(line)
            .map_err(|e| Error::bug("write the manifest", e.to_string()))?;
        text.push(b'\n');
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.path)
            .map_err(failed)?;
        let before = file.metadata().map_err(failed)?.len();
        file.write_all(&text)
            .and_then(|()| file.sync_all())
            .map_err(|error| {
                // Half a line would hide what is written after it.
                let _ = file.set_len(before);
                failed(error)
            })
    }

    /// Whether a file was read as it is now.
    pub(crate) fn knows(
        &self,
        channel: &str,
        path: &str,
        size: Option<u64>,
        changed: Option<&str>,
    ) -> bool {
        self.files.get(&short(&[channel, path])) == Some(&state(size, changed))
    }

    /// The read in which a day was read to its end.
    pub(crate) fn day(&self, name: &str) -> Option<u32> {
        self.days.get(name).copied()
    }

    /// The number of the next file.
    pub(crate) fn next_file(&self) -> u32 {
        self.paths
    }

    /// Files by their numbers, looked up on the disk.
    ///
    /// # Errors
    /// The disk failed.
    pub(crate) fn files(&self, numbers: &HashSet<u32>) -> Result<HashMap<u32, FileMark>> {
        let failed = |error: io::Error| Error::storage("read the manifest of the exports", error);
        let mut found = HashMap::new();
        let reader = BufReader::new(File::open(&self.path).map_err(failed)?);
        for text in reader.lines() {
            if let Ok(Line::Run(run)) = serde_json::from_str(&text.map_err(failed)?) {
                let wanted = run
                    .files
                    .into_iter()
                    .filter(|file| numbers.contains(&file.number));
                found.extend(wanted.map(|file| (file.number, file)));
            }
        }
        Ok(found)
    }

    /// Every file of the folder that the manifest knows.
    pub(crate) fn is_known(&self, name: &str) -> bool {
        let of_run = |run: &RunMark| {
            let end = name.strip_prefix(&run.name);
            end.is_some_and(|end| match end.strip_prefix('.') {
                None => end.is_empty(),
                Some("broken") => true,
                Some(number) => number
                    .parse()
                    .is_ok_and(|number: u32| Some(number) < run.parts),
            })
        };
        name == NAME
            || self
                .reduced
                .as_ref()
                .is_some_and(|merged| merged.name == name)
            || self.runs.iter().any(of_run)
    }

    /// The columns of all tables, over all runs.
    pub(crate) fn shapes(&self) -> BTreeMap<String, Shape> {
        let mut all: BTreeMap<String, Shape> = BTreeMap::new();
        for (table, shape) in self.runs.iter().flat_map(|run| &run.shapes) {
            all.entry(table.clone()).or_default().join(shape);
        }
        all
    }
}
