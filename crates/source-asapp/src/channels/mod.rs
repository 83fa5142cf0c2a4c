//! The channels by which data comes, each behind the same two questions: what lies in a folder, and what is in a file.
//!
//! The messaging tree and the File Exporter have the same shape: feed, version, format, day, interval, files. Names are
//! opaque: what a listing answered is handed back as it came (ASAPP reference, section 2).

mod events;
mod exporter;
mod folder;
#[cfg(any(feature = "s3", feature = "sftp"))]
mod keep;
#[cfg(feature = "s3")]
mod s3;
#[cfg(feature = "sftp")]
mod sftp;
mod tree;

use std::io::Read;

use async_trait::async_trait;
use deskferry_core::{Context, Result};

use crate::tables::{Family, Table};

pub(crate) use events::Events;
pub(crate) use exporter::Exporter;
pub(crate) use folder::Folder;
#[cfg(feature = "s3")]
pub(crate) use s3::{At as BucketAt, Bucket};
#[cfg(feature = "sftp")]
pub(crate) use sftp::{At as SftpAt, Sftp};
pub(crate) use tree::{Day, Piece, days, pieces};

/// The deepest folder that is looked into for days.
const DEEPEST: usize = 8;

/// A stream of bytes that a worker reads to its end.
pub(crate) type Bytes = Box<dyn Read + Send>;

/// A file of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its name in its folder.
    pub(crate) name: String,
    /// Its size, where the channel tells.
    pub(crate) size: Option<u64>,
    /// When it was last changed, as the channel counts; only ever compared.
    pub(crate) changed: Option<String>,
}

/// What lies in a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listing {
    pub(crate) folders: Vec<String>,
    pub(crate) files: Vec<Entry>,
}

/// A way by which data comes.
#[async_trait]
pub(crate) trait Channel: Send + Sync {
    /// Its name in reports.
    fn name(&self) -> &'static str;

    /// Whose tables it carries.
    fn family(&self) -> Family;

    /// The one table that all of its files are of, where folders do not say.
    fn table(&self) -> Option<&'static Table> {
        None
    }

    /// Whether a folder of data is finished only when `_SUCCESS` lies in it (ASAPP reference, section 3.2).
    fn is_gated(&self) -> bool;

    /// Whether listing costs nothing: then older days are looked at again for what came late.
    fn lists_freely(&self) -> bool;

    /// What lies in the folder that these names lead to.
    async fn list(&self, cx: &Context, path: &[String]) -> Result<Listing>;

    /// How many folders may be listed at once.
    fn lists_at_once(&self) -> usize {
        1
    }

    /// What lies in a folder and in all below it, each folder by its names from the root.
    async fn below(&self, cx: &Context, path: &[String]) -> Result<Vec<(Vec<String>, Listing)>> {
        let (mut found, mut level) = (Vec::new(), vec![path.to_vec()]);
        while !level.is_empty() {
            let mut next = Vec::new();
            for folders in level.chunks(self.lists_at_once().max(1)) {
                let lists = folders.iter().map(|folder| self.list(cx, folder));
                let lists = futures::future::try_join_all(lists).await?;
                for (folder, listing) in folders.iter().zip(lists) {
                    if folder.len() < DEEPEST + 2 {
                        let below = |name: &String| [folder, std::slice::from_ref(name)].concat();
                        next.extend(listing.folders.iter().map(below));
                    }
                    found.push((folder.clone(), listing));
                }
            }
            level = next;
        }
        Ok(found)
    }

    /// The bytes of a file, as they are stored.
    async fn open(&self, cx: &Context, path: &[String], file: &Entry) -> Result<Bytes>;
}
