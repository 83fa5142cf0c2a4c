//! What people confirm before a load, and sign after a rehearsal.
//!
//! A [`Confirmation`] says that somebody looked at a mapping together with everything that the plan took from elsewhere (the
//! target's fields, the policies). Whatever of it is another one later voids it, and is named. A [`SignOff`] says that somebody
//! looked at what a load with this mapping made.

mod signing;
mod told;

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use signing::{Counted, SignOff, Verified};
pub use told::Told;

use crate::error::{Error, ErrorKind, Result};
use crate::migration::write_whole;

/// The file's name in a target's folder.
pub const CONFIRMED: &str = "confirmed.json";

/// The most changes that are named.
const NAMED: usize = 12;

/// Somebody confirmed a mapping for a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmation {
    /// The version of this form.
    pub format: u32,
    /// Who.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
    /// What was confirmed.
    #[serde(flatten)]
    pub of: Plan,
}

/// What a confirmation is about: a mapping, and what the plan was made of besides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The target's own id.
    pub target_id: String,
    /// The target's name.
    pub target: String,
    /// Whose records: `platform:tenant`.
    pub source: String,
    /// What the mapping file says.
    pub mapping: Told,
    /// The policies, and the target's fields that the mapping names, as they were.
    pub inputs: Told,
}

impl Plan {
    /// The hash of what the mapping says, 64 hex digits. Comments and order do not count.
    #[must_use]
    pub fn mapping_hash(&self) -> String {
        self.mapping.hash()
    }

    /// The hash of everything else.
    #[must_use]
    pub fn inputs_hash(&self) -> String {
        self.inputs.hash()
    }

    /// What is another one now, a line each; empty when nothing is.
    #[must_use]
    pub fn changes_to(&self, now: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        if self.target_id != now.target_id {
            changes.push(format!(
                "the target was {} ({}) and is {} ({})",
                self.target, self.target_id, now.target, now.target_id
            ));
        }
        if self.source != now.source && !now.source.is_empty() {
            let (was, is) = (&self.source, &now.source);
            changes.push(format!("the source was {was} and is {is}"));
        }
        let of = |what: &str, lines: Vec<String>| {
            lines
                .into_iter()
                .map(|line| format!("{what}: {line}"))
                .collect::<Vec<_>>()
        };
        changes.extend(of("mapping", self.mapping.changes_to(&now.mapping)));
        changes.extend(of("plan", self.inputs.changes_to(&now.inputs)));
        changes
    }
}

impl Confirmation {
    /// A confirmation by somebody.
    #[must_use]
    pub fn new(by: impl Into<String>, at: DateTime<Utc>, of: Plan) -> Self {
        Self {
            format: 1,
            by: by.into(),
            at,
            of,
        }
    }

    /// Where it stands in a target's folder.
    #[must_use]
    pub fn path(folder: &Path) -> PathBuf {
        folder.join(CONFIRMED)
    }

    /// The one of a target's folder, if there is one.
    ///
    /// # Errors
    /// `Storage`; `Mismatch` when it cannot be read.
    pub fn of(folder: &Path) -> Result<Option<Self>> {
        read(&Self::path(folder))
    }

    /// Writes it into a target's folder, in the place of an earlier one.
    ///
    /// # Errors
    /// `Storage`.
    pub fn keep(&self, folder: &Path) -> Result<()> {
        let text = serde_json::to_vec_pretty(self)
            .map_err(|e| Error::bug("confirm the mapping", e.to_string()))?;
        write_whole(&Self::path(folder), &text)
    }
}

/// That a load may begin: what is to be done now was confirmed for this target, and is the same still.
///
/// # Errors
/// `Interactive`, saying what changed since it was confirmed; `Storage`.
pub fn demand(folder: &Path, now: &Plan) -> Result<Confirmation> {
    let Some(confirmed) = Confirmation::of(folder)? else {
        return Err(refused(format!(
            "nobody has confirmed the mapping for {} ({}) yet",
            now.target, now.target_id
        )));
    };
    let changes = confirmed.of.changes_to(now);
    if changes.is_empty() {
        return Ok(confirmed);
    }
    let more = changes.len().saturating_sub(NAMED);
    let mut said = format!(
        "what {} confirmed on {} is not what would be done now:",
        confirmed.by,
        confirmed.at.format("%Y-%m-%d %H:%M UTC")
    );
    for change in changes.iter().take(NAMED) {
        said.push_str("\n  ");
        said.push_str(change);
    }
    if more > 0 {
        said.push_str(&format!("\n  and {more} more"));
    }
    said.push('\n');
    Err(refused(said))
}

fn refused(said: String) -> Error {
    Error::new(ErrorKind::Interactive, "load", said).advise(
        "Look at it with `plan` (or `plan --review`), then `confirm --as NAME`, or take the change back",
    )
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => {
            return Err(Error::storage("read what was confirmed", e).with("file", path.display()));
        }
    };
    let read = serde_json::from_slice(&text).map_err(|e| {
        Error::new(
            ErrorKind::Mismatch,
            "read what was confirmed",
            e.to_string(),
        )
        .with("file", path.display())
        .advise("Confirm it again")
    })?;
    Ok(Some(read))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPPING: &str = "format = 1\n# shown to agents\n[Case.fields]\nSubject = { from = \"subject\" }\nStatus = { from = \"status\", values = { open = \"Working\" } }\n";

    fn plan(mapping: &str) -> Plan {
        Plan {
            target_id: "00D1".into(),
            target: "Acme".into(),
            source: "desk:acme".into(),
            mapping: Told::of_toml(mapping).unwrap(),
            inputs: Told::new([("undecided", "hold"), ("target Case.Status", "one of New")]),
        }
    }

    #[test]
    fn what_was_confirmed_may_begin_and_any_change_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let nobody = demand(folder.path(), &plan(MAPPING)).unwrap_err();
        assert_eq!(nobody.kind(), ErrorKind::Interactive);
        assert!(nobody.to_string().contains("nobody has confirmed"));
        let confirmed = Confirmation::new("Ann", Utc::now(), plan(MAPPING));
        confirmed.keep(folder.path()).unwrap();
        assert_eq!(demand(folder.path(), &plan(MAPPING)).unwrap(), confirmed);
        let commented = MAPPING.replace("shown to", "read by");
        assert!(demand(folder.path(), &plan(&commented)).is_ok());
        let mut policy = plan(MAPPING);
        policy.inputs = Told::new([
            ("undecided", "legacy"),
            ("target Case.Status", "one of New"),
        ]);
        let mut org = plan(MAPPING);
        org.inputs = Told::new([("undecided", "hold")]);
        for (now, said) in [
            (
                plan(&MAPPING.replace("\"Working\"", "\"New\"")),
                "mapping: Case.fields.Status.values.open was \"Working\" and is \"New\"",
            ),
            (
                plan(&MAPPING.replace("Subject = ", "Title = ")),
                "mapping: Case.fields.Subject.from was \"subject\" and is gone",
            ),
            (
                plan(&MAPPING.replace("Subject = ", "Title = ")),
                "mapping: Case.fields.Title.from is new: \"subject\"",
            ),
            (policy, "plan: undecided was hold and is legacy"),
            (org, "plan: target Case.Status was one of New and is gone"),
        ] {
            let error = demand(folder.path(), &now).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Interactive);
            assert!(error.to_string().contains(said), "{said}\n{error}");
        }
    }
}
