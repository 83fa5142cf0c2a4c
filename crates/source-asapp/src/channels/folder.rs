//! A folder of this machine that mirrors what ASAPP delivers.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use async_trait::async_trait;
use deskferry_core::{Context, Error, ErrorKind, Result};

use super::{Bytes, Channel, Entry, Listing};
use crate::tables::Family;

#[derive(Debug)]
pub(crate) struct Folder {
    root: PathBuf,
    family: Family,
}

impl Folder {
    pub(crate) fn new(root: &Path, family: Family) -> Self {
        Self {
            root: root.to_owned(),
            family,
        }
    }

    fn path(&self, path: &[String]) -> PathBuf {
        path.iter()
            .fold(self.root.clone(), |path, name| path.join(name))
    }
}

#[async_trait]
impl Channel for Folder {
    fn name(&self) -> &'static str {
        match self.family {
            Family::Messaging => "batch files",
            Family::Services => "exported files",
        }
    }

    fn family(&self) -> Family {
        self.family
    }

    fn is_gated(&self) -> bool {
        self.family == Family::Messaging
    }

    fn lists_freely(&self) -> bool {
        true
    }

    async fn list(&self, _: &Context, path: &[String]) -> Result<Listing> {
        let folder = self.path(path);
        let read = move || listing(&folder).map_err(|error| failed(&folder, error));
        tokio::task::spawn_blocking(read)
            .await
            .map_err(|error| Error::bug("list a folder of exports", error.to_string()))?
    }

    async fn open(&self, _: &Context, path: &[String], file: &Entry) -> Result<Bytes> {
        let path = self.path(path).join(&file.name);
        let file = File::open(&path).map_err(|error| failed(&path, error))?;
        Ok(Box::new(file))
    }
}

fn listing(folder: &Path) -> io::Result<Listing> {
    let mut found = Listing::default();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let about = entry.path().metadata()?;
        if about.is_dir() {
            found.folders.push(name);
        } else {
            let changed = about.modified()?.duration_since(UNIX_EPOCH);
            found.files.push(Entry {
                name,
                size: Some(about.len()),
                changed: changed.ok().map(|since| since.as_nanos().to_string()),
            });
        }
    }
    found.folders.sort();
    found.files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

fn failed(path: &Path, error: io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        io::ErrorKind::PermissionDenied => ErrorKind::Forbidden,
        _ => ErrorKind::Storage,
    };
    Error::new(kind, "read exported files", error.to_string())
        .with("path", path.display())
        .advise(
            "Check the folder that the configuration names and who may read it, then run `resume`",
        )
        .because(error)
}
