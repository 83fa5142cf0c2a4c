//! Sign-offs.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::migration::write_whole;
use crate::report::Report;

/// The folder of a workspace that holds them: files that may be copied into another workspace.
const FOLDER: &str = "sign-offs";

/// Somebody looked at what a load made, and signed for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SignOff {
    /// The version of this form.
    pub format: u32,
    /// Who.
    pub by: String,
    /// As what: `head of support`.
    pub role: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Whose records: `platform:tenant`.
    pub source: String,
    /// The target's name.
    pub target: String,
    /// The target's own id.
    pub target_id: String,
    /// Whether the target is the one that people work in.
    pub live: bool,
    /// The hash of what the mapping says.
    pub mapping: String,
    /// The hash of everything else that the plan was made of.
    pub plan: String,
    /// What the load did, phase by phase.
    pub counts: Vec<Counted>,
    /// What `verify` found.
    pub verify: Verified,
    /// Differences, held and failed records that are accepted, in the words of whoever signs.
    pub accepted: Vec<String>,
    /// The number that the cases were drawn with; none when no page was made.
    pub seed: Option<u64>,
    /// The keys of the cases that were looked at.
    pub cases: Vec<String>,
    /// The last hash of the target's audit trail before this was recorded.
    pub trail: String,
}

/// One phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Its name.
    pub phase: String,
    /// Records read.
    pub read: u64,
    /// Created, updated or unchanged: they stand in the target.
    pub standing: u64,
    /// Skipped.
    pub skipped: u64,
    /// Held.
    pub held: u64,
    /// Failed.
    pub failed: u64,
}

/// The sums of a verification.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// Fields compared.
    pub compared: u64,
    /// The same.
    pub equal: u64,
    /// Not the same, by a documented rule.
    pub explained: u64,
    /// Not the same.
    pub different: u64,
}

impl Verified {
    /// The sums of a report.
    #[must_use]
    pub fn of(report: &Report) -> Self {
        let mut sums = Self::default();
        for field in &report.verify {
            sums.compared += field.compared;
            sums.equal += field.equal;
            sums.explained += field.explained;
            sums.different += field.different;
        }
        sums
    }
}

impl Counted {
    /// The phases of a report.
    #[must_use]
    pub fn of(report: &Report) -> Vec<Self> {
        let phases = report.phases.iter();
        phases
            .map(|p| Self {
                phase: p.phase.clone(),
                read: p.read,
                standing: p.created + p.updated + p.unchanged,
                skipped: p.skipped,
                held: p.held,
                failed: p.failed,
            })
            .collect()
    }
}

impl SignOff {
    /// Those of a workspace, oldest first; one that cannot be read is an error, since it may be the one that counts.
    ///
    /// # Errors
    /// `Storage`; `Mismatch`.
    pub fn all(workspace: &Path) -> Result<Vec<Self>> {
        let folder = workspace.join(FOLDER);
        let io = |e| Error::storage("read the sign-offs", e).with("folder", folder.display());
        let mut found = Vec::new();
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(found),
            Err(e) => return Err(io(e)),
        };
        for entry in entries {
            let path = entry.map_err(io)?.path();
            if path.extension().is_some_and(|e| e == "json") {
                found.extend(super::read::<Self>(&path)?);
            }
        }
        found.sort_by_key(|signed| signed.at);
        Ok(found)
    }

    /// Writes it into the workspace, as a file of its own.
    ///
    /// # Errors
    /// `Storage`; `Conflict` when one of this moment is there.
    pub fn keep(&self, workspace: &Path) -> Result<PathBuf> {
        let folder = workspace.join(FOLDER);
        crate::migration::make_private(&folder)
            .map_err(|e| Error::storage("keep a sign-off", e).with("folder", folder.display()))?;
        let id: String = self
            .target_id
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect();
        let name = format!("{}-{id}.json", self.at.format("%Y%m%dT%H%M%S%6fZ"));
        let path = folder.join(name);
        if path.exists() {
            let said = "there is one of this moment";
            return Err(Error::new(ErrorKind::Conflict, "keep a sign-off", said));
        }
        let text = serde_json::to_vec_pretty(self)
            .map_err(|e| Error::bug("keep a sign-off", e.to_string()))?;
        write_whole(&path, &text)?;
        Ok(path)
    }

    /// The last one that speaks of this mapping, made on another target than a live one.
    #[must_use]
    pub fn for_mapping<'a>(all: &'a [Self], source: &str, mapping: &str) -> Option<&'a Self> {
        all.iter()
            .rev()
            .find(|s| !s.live && s.mapping == mapping && (source.is_empty() || s.source == source))
    }
}
