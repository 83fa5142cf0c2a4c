//! What stands in the org of a probe, on disk before anything is sent.

use std::path::{Path, PathBuf};

use deskferry_core::context::Context;
use deskferry_core::error::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::KEY;
use crate::client::Api;
use crate::client::collections::{CallAnswer, RowAnswer};
use crate::mapping::SOURCE_KEY;
use crate::org::Org;

/// Where it stands, in the target's folder.
const FILE: &str = "probe-rows.json";
/// Objects whose rows carry our key, children before parents. Comments and relations go with their case.
const KEYED: [&str; 5] = [
    "EmailMessage",
    "ContentVersion",
    "Case",
    "Contact",
    "Account",
];

#[derive(Debug, Default, Serialize, Deserialize)]
struct Written {
    mark: String,
    /// Object and id of each row that was answered; others are found by their key.
    rows: Vec<(String, String)>,
}

/// The notes of one probe.
#[derive(Debug)]
pub(super) struct Notes {
    path: PathBuf,
    written: Written,
}

impl Notes {
    /// Those of a probe that begins.
    pub(super) fn begin(folder: &Path, mark: &str) -> Result<Self> {
        let mut notes = Self::left(folder)?.unwrap_or_else(|| Self {
            path: folder.join(FILE),
            written: Written::default(),
        });
        mark.clone_into(&mut notes.written.mark);
        notes.keep()?;
        Ok(notes)
    }

    /// Those of a probe that did not come to its end.
    pub(super) fn left(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(FILE);
        let bytes = match std::fs::read(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            bytes => bytes.map_err(|e| failed(e, &path))?,
        };
        let written = serde_json::from_slice(&bytes).map_err(|e| {
            Error::new(ErrorKind::Mismatch, "read a probe's notes", e.to_string())
                .with("file", path.display())
        })?;
        Ok(Some(Self { path, written }))
    }

    pub(super) fn add(&mut self, object: &str, id: &str) -> Result<()> {
        self.written.rows.push((object.to_owned(), id.to_owned()));
        self.keep()
    }

    fn keep(&self) -> Result<()> {
        let text = serde_json::to_vec(&self.written)
            .map_err(|e| Error::bug("keep a probe's notes", e.to_string()))?;
        let half = self.path.with_extension("new");
        std::fs::write(&half, text)
            .and_then(|()| std::fs::File::open(&half)?.sync_all())
            .and_then(|()| std::fs::rename(&half, &self.path))
            .map_err(|e| failed(e, &self.path))
    }

    /// Removes every row of ours, also those whose answers were lost. Answers how many, and what is left with the reason.
    pub(super) async fn clean(
        &mut self,
        cx: &Context,
        api: &Api,
        org: &Org,
    ) -> Result<(u64, Vec<String>)> {
        let mut rows: Vec<String> = Vec::new();
        for object in KEYED {
            let described = org.schema.object(object);
            if described.is_some_and(|o| o.takes(SOURCE_KEY)) {
                let of_file = object == "ContentVersion";
                let id = if of_file { "ContentDocumentId" } else { "Id" };
                let soql =
                    format!("SELECT Id, {id} FROM {object} WHERE {SOURCE_KEY} LIKE '{KEY}%'");
                let soql = soql.replace("Id, Id ", "Id ");
                let found = api.query(cx, &soql).await?;
                rows.extend(
                    found
                        .iter()
                        .filter_map(|row| row[id].as_str().map(str::to_owned)),
                );
            }
            let noted = self.written.rows.iter().filter(|(of, _)| *of == object);
            for (_, id) in noted {
                // A version is removed by its document, which its key tells.
                if object != "ContentVersion" && !rows.contains(id) {
                    rows.push(id.clone());
                }
            }
        }
        rows.dedup();
        let (mut removed, mut left) = (0, Vec::new());
        for some in rows.chunks(200) {
            match api.delete(cx, some).await? {
                CallAnswer::Rows(answers) => {
                    for (id, answer) in some.iter().zip(answers) {
                        match answer {
                            RowAnswer::Stands(_) => removed += 1,
                            // Gone with its case, or by an earlier attempt.
                            RowAnswer::Refused(refusal)
                                if matches!(
                                    refusal.code.as_str(),
                                    "ENTITY_IS_DELETED"
                                        | "NOT_FOUND"
                                        | "INVALID_CROSS_REFERENCE_KEY"
                                ) => {}
                            RowAnswer::Refused(refusal) => {
                                left.push(format!("{id}: {} {}", refusal.code, refusal.message));
                            }
                        }
                    }
                }
                CallAnswer::Refused(_, refusal) => {
                    let ids = some.join(", ");
                    left.push(format!("{ids}: {} {}", refusal.code, refusal.message));
                }
                CallAnswer::Lost => left.extend(some.iter().map(|id| format!("{id}: no answer"))),
            }
        }
        if left.is_empty() {
            std::fs::remove_file(&self.path).map_err(|e| failed(e, &self.path))?;
        }
        Ok((removed, left))
    }
}

fn failed(error: std::io::Error, path: &Path) -> Error {
    Error::storage("keep a probe's notes", error).with("file", path.display())
}
