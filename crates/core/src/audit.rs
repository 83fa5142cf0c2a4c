//! Who did what when: a file of lines that only grows, each of which carries the hash of the one before it.
//!
//! A line is one JSON object. Its `hash` covers the hash of the line before it and the line's own text, so a line that was
//! changed, taken out or put in breaks the chain from there on. Lines that are cut off at the end leave no trace in the file
//! itself: whoever must prove that none is missing keeps the [`head`](Checked::head) elsewhere, as a sign-off does.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, Result};

/// The file's name in a target's folder, and in the workspace for what concerns no target.
pub const FILE: &str = "audit.jsonl";

/// The hash before the first line.
const NOTHING: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The trail of a folder.
///
/// ```
/// use deskferry_core::audit::Trail;
///
/// # let folder = std::env::temp_dir().join(format!("deskferry-audit-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder).unwrap();
/// let trail = Trail::of(&folder);
/// trail.add(chrono::Utc::now(), "Ann", "run", "began", serde_json::json!({"mapping": "6f2c"}))?;
/// assert!(trail.check()?.broken.is_none());
/// # std::fs::remove_dir_all(&folder).unwrap();
/// # Ok::<(), deskferry_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Trail {
    path: PathBuf,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number, from 1.
    pub n: u64,
    /// When.
    pub at: DateTime<Utc>,
    /// Who, as they said or as the machine knows them.
    pub who: String,
    /// The verb: `run`.
    pub verb: String,
    /// What became of it: `began`, `ended`, `refused`, `recorded`.
    pub event: String,
    /// What it was about: hashes, counts, reasons.
    pub what: Value,
    /// The hash of the line before it.
    pub before: String,
    /// The hash of this line: of `before` and of its own text without this.
    #[serde(default)]
    pub hash: String,
}

/// What a look at a whole trail found.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Checked {
    /// The lines, as far as they can be read.
    pub entries: Vec<Entry>,
    /// The line, from 1, at which the chain breaks, and why.
    pub broken: Option<(u64, String)>,
    /// The hash of the last line; empty where there is none.
    pub head: String,
}

impl Trail {
    /// The trail of a folder, whether it has one yet or not.
    #[must_use]
    pub fn of(folder: &Path) -> Self {
        Self {
            path: folder.join(FILE),
        }
    }

    /// Where it stands.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a line; it is on the disk when this returns. A line that a crash cut off in the middle was never told to
    /// anybody, and is taken away first.
    ///
    /// # Errors
    /// `Storage`.
    pub fn add(
        &self,
        at: DateTime<Utc>,
        who: &str,
        verb: &str,
        event: &str,
        what: Value,
    ) -> Result<Entry> {
        let io = |e| self.failed(e);
        let mut file = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&self.path)
            .map_err(io)?;
        file.lock().map_err(io)?;
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(io)?;
        let whole = text.rfind('\n').map_or(0, |n| n + 1);
        let last = text[..whole].lines().next_back();
        let before = last.and_then(hash_of).unwrap_or(NOTHING).to_owned();
        let mut entry = Entry {
            n: text[..whole].lines().count() as u64 + 1,
            at,
            who: who.to_owned(),
            verb: verb.to_owned(),
            event: event.to_owned(),
            what,
            before,
            hash: String::new(),
        };
        let (line, hash) = written(&entry)?;
        entry.hash = hash;
        file.set_len(whole as u64).map_err(io)?;
        file.seek(SeekFrom::End(0)).map_err(io)?;
        file.write_all(line.as_bytes()).map_err(io)?;
        file.sync_all().map_err(io)?;
        Ok(entry)
    }

    /// Reads it whole and follows the chain.
    ///
    /// # Errors
    /// `Storage`. A broken chain is what it finds, not an error.
    pub fn check(&self) -> Result<Checked> {
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Checked::default()),
            Err(e) => return Err(self.failed(e)),
        };
        let mut checked = Checked::default();
        let mut before = NOTHING.to_owned();
        let whole = text.rfind('\n').map_or(0, |n| n + 1);
        for (line, n) in text[..whole].lines().zip(1..) {
            match follow(line, n, &before) {
                Ok(entry) => {
                    before.clone_from(&entry.hash);
                    checked.head.clone_from(&entry.hash);
                    checked.entries.push(entry);
                }
                Err(why) => {
                    checked.broken = Some((n, why));
                    return Ok(checked);
                }
            }
        }
        Ok(checked)
    }

    fn failed(&self, error: std::io::Error) -> Error {
        Error::storage("keep the audit trail", error).with("file", self.path.display())
    }
}

impl Checked {
    /// Whether a line tells of rows that were made in the target.
    #[must_use]
    pub fn tells_of_a_load(&self) -> bool {
        let loads = |entry: &Entry| entry.what["rows"].as_u64().is_some_and(|rows| rows > 0);
        self.entries.iter().any(loads)
    }
}

/// The line as it stands in the file, and its hash.
fn written(entry: &Entry) -> Result<(String, String)> {
    let mut body = serde_json::to_value(entry)
        .map_err(|e| Error::bug("keep the audit trail", e.to_string()))?;
    if let Some(fields) = body.as_object_mut() {
        fields.remove("hash");
    }
    let body = body.to_string();
    let hash = chained(&entry.before, &body);
    let open = body.strip_suffix('}').unwrap_or(&body);
    Ok((format!("{open},\"hash\":\"{hash}\"}}\n"), hash))
}

fn chained(before: &str, body: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(before.as_bytes());
    hasher.update(b"\n");
    hasher.update(body.as_bytes());
    hasher.finalize().to_hex().to_string()
}

/// The line's own text without its hash, and the hash.
fn split(line: &str) -> Option<(String, &str)> {
    let (body, rest) = line.rsplit_once(",\"hash\":\"")?;
    let hash = rest.strip_suffix("\"}")?;
    Some((format!("{body}}}"), hash))
}

fn hash_of(line: &str) -> Option<&str> {
    split(line).map(|(_, hash)| hash)
}

fn follow(line: &str, n: u64, before: &str) -> std::result::Result<Entry, String> {
    let (body, hash) = split(line).ok_or("it is no line of an audit trail")?;
    let entry: Entry = serde_json::from_str(line).map_err(|e| e.to_string())?;
    if entry.before != before {
        return Err("the line before it is not the one that it was written after".into());
    }
    if chained(before, &body) != hash {
        return Err("its text is not what its hash was made of".into());
    }
    if entry.n != n {
        return Err(format!("it says that it is line {}", entry.n));
    }
    Ok(entry)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn filled(folder: &Path) -> Trail {
        let trail = Trail::of(folder);
        let at = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        for (verb, event) in [("plan", "ended"), ("confirm", "recorded"), ("run", "began")] {
            let what = json!({"quoted": "},\"hash\":\"", "rows": 0});
            trail.add(at, "Ann \"A\" Lee", verb, event, what).unwrap();
        }
        trail
    }

    #[test]
    fn lines_follow_each_other_and_survive_a_crash_in_the_middle_of_one() {
        let folder = tempfile::tempdir().unwrap();
        let trail = filled(folder.path());
        let mut file = File::options().append(true).open(trail.path()).unwrap();
        file.write_all(b"{\"n\":4,\"at\":\"20").unwrap();
        assert_eq!(trail.check().unwrap().broken, None);
        let entry = trail
            .add(Utc::now(), "Bo", "run", "ended", json!({"rows": 3}))
            .unwrap();
        let checked = trail.check().unwrap();
        assert_eq!((entry.n, checked.entries.len()), (4, 4));
        assert_eq!(checked.broken, None);
        assert_eq!(checked.head, entry.hash);
        assert!(checked.tells_of_a_load());
    }

    #[test]
    fn whatever_is_done_to_a_line_breaks_the_chain_there() {
        for (name, line, change) in [
            ("another name", 1, None),
            ("a line less", 2, Some(1)),
            ("the first line less", 1, Some(0)),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let trail = filled(folder.path());
            let text = std::fs::read_to_string(trail.path()).unwrap();
            let changed = match change {
                None => text.replacen("Ann", "Eve", 1),
                Some(gone) => {
                    let kept = text.lines().enumerate().filter(|(n, _)| *n != gone);
                    kept.map(|(_, line)| format!("{line}\n")).collect()
                }
            };
            std::fs::write(trail.path(), changed).unwrap();
            let broken = trail.check().unwrap().broken;
            assert_eq!(broken.map(|(n, _)| n), Some(line), "{name}");
        }
    }
}
