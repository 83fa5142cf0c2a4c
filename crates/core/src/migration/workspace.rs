//! The folder that holds the whole state of a migration.

use std::fs::{File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::audit::Trail;
use crate::error::{Error, ErrorKind, Result};
use crate::key::RecordKind;
use crate::ledger::{Ledger, LedgerOwner, SqliteLedger};
use crate::preflight::Feature;
use crate::report::About;
use crate::sink::TargetInfo;

const FORMAT: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
struct Header {
    format: u32,
    written_by: String,
}

/// A workspace: `stage/`, `targets/<name>-<id>/`, and the files people edit. One process has it open at a time; reading
/// it beside a running one is possible through [`Workspace::look`].
#[derive(Debug)]
pub struct Workspace {
    folder: PathBuf,
    _lock: Option<File>,
}

impl Workspace {
    /// Opens or makes the folder for this process alone.
    ///
    /// # Errors
    /// `Conflict` when another process has it; `Mismatch` when it is of a newer version; `Storage`.
    pub fn open(folder: &Path) -> Result<Self> {
        let io = |e| Error::storage("open the workspace", e).with("folder", folder.display());
        make_private(folder).map_err(io)?;
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(folder.join("lock"))
            .map_err(io)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(in_use(folder)),
            Err(TryLockError::Error(e)) => return Err(io(e)),
        }
        check_header(folder)?;
        Ok(Self {
            folder: folder.to_owned(),
            _lock: Some(lock),
        })
    }

    /// Opens an existing workspace to read from it, together with others who only read: a run of it has to wait, and this has to
    /// wait for one. The folder may be read-only.
    ///
    /// # Errors
    /// `NotFound` when there is none; `Conflict` while a run has it open; `Mismatch`; `Storage`.
    pub fn share(folder: &Path) -> Result<Self> {
        let workspace = Self::look(folder)?;
        let io = |e| Error::storage("open the workspace", e).with("folder", folder.display());
        let lock = match File::open(folder.join("lock")) {
            Ok(lock) => lock,
            // A copy made without it: nobody has ever run here.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(workspace),
            Err(e) => return Err(io(e)),
        };
        match lock.try_lock_shared() {
            Ok(()) => Ok(Self {
                _lock: Some(lock),
                ..workspace
            }),
            Err(TryLockError::WouldBlock) => Err(in_use(folder)),
            Err(TryLockError::Error(e)) => Err(io(e)),
        }
    }

    /// Opens an existing workspace to look at it, also beside a run.
    ///
    /// # Errors
    /// `NotFound` when there is none; `Mismatch`.
    pub fn look(folder: &Path) -> Result<Self> {
        if !folder.join("workspace.json").exists() {
            return Err(
                Error::new(ErrorKind::NotFound, "open the workspace", "there is none")
                    .with("folder", folder.display())
                    .advise("Name the folder of a run with --workspace"),
            );
        }
        check_header(folder)?;
        Ok(Self {
            folder: folder.to_owned(),
            _lock: None,
        })
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the stage is.
    #[must_use]
    pub fn stage(&self) -> PathBuf {
        self.folder.join("stage")
    }

    /// Where the mapping is.
    #[must_use]
    pub fn mapping(&self) -> PathBuf {
        self.folder.join("mapping.toml")
    }

    /// The targets that have a folder here, by folder name.
    ///
    /// # Errors
    /// `Storage`.
    pub fn targets(&self) -> Result<Vec<PathBuf>> {
        let mut found = self.target_folders()?;
        found.retain(|folder| folder.join("ledger.sqlite").exists());
        Ok(found)
    }

    /// The folders of targets, with or without a ledger.
    fn target_folders(&self) -> Result<Vec<PathBuf>> {
        let folder = self.folder.join("targets");
        if !folder.exists() {
            return Ok(Vec::new());
        }
        let io = |e| Error::storage("list the targets", e);
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&folder).map_err(io)? {
            let path = entry.map_err(io)?.path();
            if path.is_dir() {
                found.push(path);
            }
        }
        found.sort();
        Ok(found)
    }

    /// Opens the ledger of a target, making it if `create`.
    ///
    /// # Errors
    /// `Mismatch` when the target's name belongs to another org, when the ledger speaks of another tenant, when
    /// there is none and it may not be made, or when it was lost: other files of the folder tell of a load.
    pub async fn target(&self, info: &TargetInfo, tenant: &str, create: bool) -> Result<Target> {
        let name = plain(&info.name);
        let folder = self.place_of(info)?;
        let is_new = !folder.join("ledger.sqlite").exists();
        if is_new {
            self.refuse_a_taken_name(&name, info)?;
            refuse_a_lost_ledger(&folder)?;
            if !create {
                return Err(Error::new(
                    ErrorKind::Mismatch,
                    "open the target",
                    format!(
                        "this workspace has no ledger for {} ({})",
                        info.name, info.id
                    ),
                )
                .advise(
                    "Check the address and credentials of the target; `run` starts a new target",
                ));
            }
            make_private(&folder).map_err(|e| Error::storage("open the target", e))?;
        }
        let ledger = SqliteLedger::open(&folder.join("ledger.sqlite"))?;
        let owner = match ledger.owner().await? {
            Some(owner) => owner,
            None => {
                refuse_a_lost_ledger(&folder)?;
                let owner = LedgerOwner {
                    target: info.id.clone(),
                    name: info.name.clone(),
                    tenant: tenant.to_owned(),
                    mark: random_word(),
                    // Named by whoever knows the stage, before anything is loaded.
                    stage: String::new(),
                };
                ledger.set_owner(&owner).await?;
                owner
            }
        };
        if owner.tenant != tenant || owner.target != info.id {
            return Err(Error::new(
                ErrorKind::Mismatch,
                "open the target",
                format!("its ledger speaks of {} in {}", owner.tenant, owner.target),
            )
            .with("folder", folder.display())
            .advise("Use the workspace that belongs to this source and this target"));
        }
        Ok(Target {
            folder,
            ledger,
            owner,
            is_new,
        })
    }

    /// The folder of a target, whether it is there yet or not.
    ///
    /// # Errors
    /// `Storage`.
    pub fn place_of(&self, info: &TargetInfo) -> Result<PathBuf> {
        let id = plain_id(&info.id);
        Ok(match self.folder_of(&id)? {
            // An org may be given another name; it is the same target all the same.
            Some(folder) => folder,
            None => {
                let name = plain(&info.name);
                self.folder.join("targets").join(format!("{name}-{id}"))
            }
        })
    }

    /// The same, made where it is not there: for what is written before the first load.
    ///
    /// # Errors
    /// `Storage`; `Mismatch` when the target's name belongs to another org.
    pub fn make_place_of(&self, info: &TargetInfo) -> Result<PathBuf> {
        let folder = self.place_of(info)?;
        if !folder.exists() {
            self.refuse_a_taken_name(&plain(&info.name), info)?;
            make_private(&folder).map_err(|e| Error::storage("open the target", e))?;
        }
        Ok(folder)
    }

    /// The folder of the target with this id, whatever its name.
    fn folder_of(&self, id: &str) -> Result<Option<PathBuf>> {
        let known = |folder: &PathBuf| {
            let name = folder.file_name().and_then(|n| n.to_str());
            name.and_then(|n| n.rsplit_once('-'))
                .is_some_and(|(_, known)| known == id)
        };
        Ok(self.target_folders()?.into_iter().find(known))
    }

    fn refuse_a_taken_name(&self, name: &str, info: &TargetInfo) -> Result<()> {
        for folder in self.targets()? {
            let folder = folder
                .file_name()
                .and_then(|n| n.to_str())
                .unwrap_or_default();
            if let Some((taken, id)) = folder.rsplit_once('-')
                && taken == name
            {
                return Err(Error::new(
                    ErrorKind::Mismatch,
                    "open the target",
                    format!("the name `{}` belongs to the org {id} here, this one is {}", info.name, info.id),
                )
                .advise("A refreshed sandbox or another org is a new target: give it another name with --target-name, or point to the org that was meant"));
            }
        }
        Ok(())
    }
}

/// One target of a workspace.
#[derive(Debug)]
pub struct Target {
    /// Its folder.
    pub folder: PathBuf,
    /// Its ledger.
    pub ledger: SqliteLedger,
    /// Whose it is.
    pub owner: LedgerOwner,
    /// Whether it was made just now.
    pub is_new: bool,
}

fn in_use(folder: &Path) -> Error {
    Error::new(
        ErrorKind::Conflict,
        "open the workspace",
        "another run has it open",
    )
    .with("folder", folder.display())
    .advise(
        "Wait for that run, or ask it for its `status`; each workspace serves one run at a time",
    )
}

/// What a load leaves in a target's folder beside its ledger.
const LEFT_BY_A_LOAD: [&str; 3] = ["report.json", "report.html", "handoff"];

/// Without its ledger nobody knows what stands in the target: rows without a unique key would be written a second time.
fn refuse_a_lost_ledger(folder: &Path) -> Result<()> {
    let ledger = folder.join("ledger.sqlite");
    // A log without its database; beside a database it is of this moment.
    let log = folder.join("ledger.sqlite-wal");
    let left = LEFT_BY_A_LOAD.iter().map(|name| folder.join(name));
    let mut left = left.chain((!ledger.exists()).then_some(log));
    // The trail begins before the first load.
    let trail = Trail::of(folder);
    let told = trail
        .check()?
        .tells_of_a_load()
        .then(|| trail.path().to_owned());
    let Some(proof) = left.find(|path| path.exists()).or(told) else {
        return Ok(());
    };
    Err(Error::new(
        ErrorKind::Mismatch,
        "open the target",
        "it was loaded from this workspace, and the ledger of that load is gone",
    )
    .with("folder", folder.display())
    .with("found", proof.display())
    .advise("Restore ledger.sqlite, with its -wal and -shm files, from a copy. To load anew, remove the rows of the first load from the target, then this folder"))
}

/// Only the owner may read: a workspace holds personal data.
pub(crate) fn make_private(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
}

fn check_header(folder: &Path) -> Result<()> {
    let path = folder.join("workspace.json");
    if !path.exists() {
        let header = Header {
            format: FORMAT,
            written_by: concat!("deskferry ", env!("CARGO_PKG_VERSION")).to_owned(),
        };
        let text = serde_json::to_vec_pretty(&header)
            .map_err(|e| Error::bug("open the workspace", e.to_string()))?;
        return write_whole(&path, &text);
    }
    let text = std::fs::read(&path).map_err(|e| Error::storage("open the workspace", e))?;
    let header: Header = serde_json::from_slice(&text).map_err(|e| {
        Error::new(
            ErrorKind::Mismatch,
            "open the workspace",
            format!("workspace.json: {e}"),
        )
        .with("folder", folder.display())
    })?;
    if header.format > FORMAT {
        return Err(Error::new(
            ErrorKind::Mismatch,
            "open the workspace",
            format!(
                "it has format {} (written by {}), this Deskferry knows up to {FORMAT}",
                header.format, header.written_by
            ),
        )
        .with("folder", folder.display())
        .advise("Use the Deskferry that wrote it, or a newer one"));
    }
    Ok(())
}

/// What the source said of itself when it was last asked.
const ABOUT: &str = "source.json";

impl Workspace {
    /// It is for people only: one that cannot be read is none.
    pub(super) fn about(&self) -> Option<About> {
        let text = std::fs::read(self.folder().join(ABOUT)).ok()?;
        serde_json::from_slice(&text).ok()
    }

    pub(super) fn keep_about(&self, about: &About) -> Result<()> {
        let text = serde_json::to_vec_pretty(about)
            .map_err(|e| Error::bug("keep what the source says of itself", e.to_string()))?;
        write_whole(&self.folder().join(ABOUT), &text)
    }
}

/// What the target said of its features when it was last asked.
const FEATURES: &str = "features.json";

impl Workspace {
    /// Those of the target's features that these kinds need. It is for people only: what cannot be read is none.
    pub(super) fn features(&self, needed: impl Fn(RecordKind) -> bool) -> Vec<Feature> {
        let text = std::fs::read(self.folder().join(FEATURES)).unwrap_or_default();
        let known: Vec<Feature> = serde_json::from_slice(&text).unwrap_or_default();
        let mine = known.into_iter();
        mine.filter(|feature| feature.of.iter().any(|kind| needed(*kind)))
            .collect()
    }

    /// Keeps what a target says of its features, for the scope document.
    ///
    /// # Errors
    /// `Storage`.
    pub fn keep_features(&self, features: &[Feature]) -> Result<()> {
        let text = serde_json::to_vec_pretty(features)
            .map_err(|e| Error::bug("keep what the target says of itself", e.to_string()))?;
        write_whole(&self.folder().join(FEATURES), &text)
    }
}

/// Writes a file as a whole or not at all.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let temporary = path.with_extension("unfinished");
    let write = || -> std::io::Result<()> {
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    };
    write().map_err(|e| {
        Error::storage("write a file of the workspace", e).with("file", path.display())
    })
}

/// A name that is a folder's name on every system.
fn plain(name: &str) -> String {
    let kept: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '_' {
                c
            } else {
                '-'
            }
        })
        .collect();
    let kept = kept.trim_matches('-');
    if kept.is_empty() {
        "target".to_owned()
    } else {
        kept.chars().take(60).collect()
    }
}

/// Likewise for an id, without the dash that separates it from the name.
fn plain_id(id: &str) -> String {
    id.chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect()
}

/// Eight letters and digits that no other ledger has drawn.
fn random_word() -> String {
    use std::hash::{BuildHasher, Hasher, RandomState};
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u32(std::process::id());
    let hash = blake3::hash(&hasher.finish().to_le_bytes());
    hash.to_hex()[..8].to_owned()
}
