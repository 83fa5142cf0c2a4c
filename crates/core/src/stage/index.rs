//! The stage's index: what was read, where its line stands, which shards are how far.
//!
//! One trait of set-wise operations, so that one conformance suite serves every store. Records are named by integers;
//! their keys are found through a hash and compared in full.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::blob::BlobInfo;
use crate::error::Result;
use crate::key::{RecordId, RecordKey, RecordKind, Tenant};
use crate::sink::FileState;
use crate::source::{Cursor, Reject, Shard, Skip, Watermark};

/// How the reason of a file begins that may be had another day: the source could not be reached, or had trouble.
pub const FOR_NOW: &str = "for now: ";

/// Where a record's line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    /// The segment.
    pub segment: i64,
    /// The frame's place in it, in bytes.
    pub offset: u64,
    /// The frame's length, in bytes.
    pub length: u32,
    /// The line within the frame, from 0.
    pub line: u32,
}

/// A segment and how far it is valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Its number.
    pub id: i64,
    /// The kind of its records.
    pub kind: RecordKind,
    /// Its file's name.
    pub file: String,
    /// The end of its last frame that counts, in bytes.
    pub end: u64,
}

/// One record as the index stores it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRow {
    /// Its key.
    pub key: RecordKey,
    /// Its kind.
    pub kind: RecordKind,
    /// Where its line stands.
    pub address: Address,
    /// The length of its line, in bytes.
    pub bytes: u32,
    /// The hash of its line.
    pub hash: [u8; 16],
    /// See [`Meta::revision`](crate::model::Meta::revision).
    pub revision: Option<i64>,
    /// What it is ordered, grouped and joined by.
    pub facts: crate::model::Facts,
}

/// One page as the index stores it.
#[derive(Debug, Clone, PartialEq)]
pub struct NewPage {
    /// The shard that it is a page of.
    pub shard: String,
    /// Its records.
    pub rows: Vec<NewRow>,
    /// Records that no target shall load.
    pub skips: Vec<Skip>,
    /// Rows that could not become records.
    pub rejects: Vec<Reject>,
    /// Conversations that are complete.
    pub complete: Vec<RecordKey>,
    /// Shards found on the way.
    pub spawn: Vec<Shard>,
    /// What people should know.
    pub notes: Vec<String>,
    /// Where the shard goes on.
    pub next: crate::source::Next,
    /// When it was read.
    pub read_at: DateTime<Utc>,
}

/// A shard and how far it is.
#[derive(Debug, Clone, PartialEq)]
pub struct ShardState {
    /// The shard.
    pub shard: Shard,
    /// The place after its last page; none before the first.
    pub cursor: Option<Cursor>,
    /// Set when it is read to the end.
    pub end: Option<Watermark>,
}

/// What the index knows of a record without its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its id.
    pub id: RecordId,
    /// Its kind.
    pub kind: RecordKind,
    /// Where its line stands.
    pub address: Address,
    /// The length of its line, in bytes.
    pub bytes: u32,
    /// Of the hash of its line: another one when it was read again with other contents.
    pub version: u64,
    /// Its key's hash, by which others name it.
    pub name: i64,
    /// Its group's name, or 0.
    pub group: i64,
    /// Milliseconds since 1970.
    pub at: i64,
    /// Orders records of one moment.
    pub sequence: i64,
    /// The source's id, as it stands in its key.
    pub source_id: String,
    /// Its parent's name, or 0.
    pub parent: i64,
    /// Its alias, or 0.
    pub alias: i64,
    /// The aliases of what must come first, best guess first, or 0.
    pub after: [i64; 2],
    /// Why no target shall load it.
    pub skip: Option<String>,
    /// For attachments: what became of the bytes; none while they are not fetched.
    pub file: Option<FileState>,
}

/// Where an ordered scan goes on: the order of the last row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its time.
    pub at: i64,
    /// Its sequence.
    pub sequence: i64,
    /// Its source id.
    pub source_id: String,
    /// Its id.
    pub id: RecordId,
}

impl Row {
    /// Its place in the order of time, sequence, key.
    #[must_use]
    pub fn place(&self) -> Place {
        Place {
            at: self.at,
            sequence: self.sequence,
            source_id: self.source_id.clone(),
            id: self.id,
        }
    }
}

/// What was read of a kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KindCount {
    /// Records.
    pub read: u64,
    /// Rows that could not become records.
    pub rejected: u64,
}

/// The stage's index.
#[async_trait]
pub trait Index: Send + Sync {
    /// The tenant whose stage this is; none before the first read.
    async fn tenant(&self) -> Result<Option<Tenant>>;
    /// Names the tenant, once.
    async fn set_tenant(&self, tenant: &Tenant) -> Result<()>;
    /// A random word that no other stage has, made with it. Ledgers keep it, since the ids that they use are this stage's.
    async fn word(&self) -> Result<String>;
    /// The highest id of a record.
    async fn highest(&self) -> Result<Option<RecordId>>;
    /// How often a record was read that was new, or another than before.
    async fn edits(&self) -> Result<u64>;
    /// Whether something was read, and nothing is left to read: every shard is at its end, every file is fetched or given up,
    /// every conversation may be loaded.
    async fn is_whole(&self) -> Result<bool>;
    /// The segments and how far they are valid.
    async fn segments(&self) -> Result<Vec<Segment>>;
    /// Adds shards that it does not know yet.
    async fn add_shards(&self, shards: &[Shard]) -> Result<()>;
    /// Has these shards read again from their beginning, and adds those that it does not know.
    async fn renew_shards(&self, shards: &[Shard]) -> Result<()>;
    /// Those of these shards, by id, that it knows, in order.
    async fn shards(&self, ids: &[&str]) -> Result<Vec<ShardState>>;
    /// The next records that were read again with other contents at any time, behind an id.
    async fn changed(&self, after: RecordId, limit: usize) -> Result<Vec<Row>>;
    /// The next records that no target shall load, behind an id.
    async fn skipped(&self, after: RecordId, limit: usize) -> Result<Vec<Row>>;
    /// Shards that are not read to the end, in the order they were added.
    async fn open_shards(&self) -> Result<Vec<ShardState>>;
    /// Those of these shards, by id, that are not read to the end.
    async fn open_among(&self, ids: &[&str]) -> Result<Vec<ShardState>>;
    /// One transaction: segment ends, records, rejects, cursors.
    async fn append(&self, segments: Vec<Segment>, pages: Vec<NewPage>) -> Result<()>;
    /// Which keys were read, in order.
    async fn find(&self, keys: &[RecordKey]) -> Result<Vec<Option<RecordId>>>;
    /// See [`Context::not_read_since`](crate::Context::not_read_since).
    async fn not_read_since(
        &self,
        kind: RecordKind,
        since: DateTime<Utc>,
        after: Option<&RecordKey>,
        limit: usize,
    ) -> Result<Vec<RecordKey>>;
    /// The next rows of these kinds in the order of time, sequence, key.
    async fn scan(
        &self,
        kinds: &[RecordKind],
        after: Option<&Place>,
        limit: usize,
    ) -> Result<Vec<Row>>;
    /// All rows of these kinds that name a parent.
    async fn children(&self, kinds: &[RecordKind]) -> Result<Vec<Row>>;
    /// Groups that may be loaded (complete, all files fetched or given up), after a place, with the new place.
    async fn ready_groups(&self, after: i64, limit: usize) -> Result<Vec<(i64, i64)>>;
    /// Groups that may not be loaded yet, by name, after one.
    async fn unready_groups(&self, after: i64, limit: usize) -> Result<Vec<i64>>;
    /// How many rows of these kinds the ready groups after a place have.
    async fn ready_rows(&self, kinds: &[RecordKind], after: i64) -> Result<u64>;
    /// The rows of groups.
    async fn group_rows(&self, groups: &[i64], kinds: &[RecordKind]) -> Result<Vec<Row>>;
    /// Calls every group complete: the read is at its end.
    async fn complete_all(&self) -> Result<()>;
    /// Rows by id, in order of the ids that exist.
    async fn rows(&self, ids: &[RecordId]) -> Result<Vec<Row>>;
    /// Attachments whose bytes are not fetched yet, oldest first.
    async fn files_to_fetch(&self, after: RecordId, limit: usize) -> Result<Vec<Row>>;
    /// What became of files.
    async fn set_file(&self, record: RecordId, state: FileState) -> Result<()>;
    /// Gives files that could not be had another chance, their conversations waiting for them; answers how many.
    async fn retry_files(&self) -> Result<u64>;
    /// The same for those alone that could not be had [for now](FOR_NOW).
    async fn retry_files_for_now(&self) -> Result<u64>;
    /// What was read, per kind.
    async fn counts(&self) -> Result<Vec<(RecordKind, KindCount)>>;
    /// Rejected rows, the first `limit` of them.
    async fn rejects(&self, limit: usize) -> Result<Vec<Reject>> {
        let found = self.rejects_after(0, limit).await?;
        Ok(found.into_iter().map(|(_, reject)| reject).collect())
    }
    /// Rejected rows after a place, each with its own.
    async fn rejects_after(&self, after: i64, limit: usize) -> Result<Vec<(i64, Reject)>>;
    /// Keeps what people should know of the read; the same words count once.
    async fn note(&self, text: &str) -> Result<()>;
    /// What people should know of the read, the first `limit` notes.
    async fn notes(&self, limit: usize) -> Result<Vec<String>>;
}

/// How many bytes the staged files have, and how many files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FileCount {
    /// Files.
    pub files: u64,
    /// Bytes.
    pub bytes: u64,
}

/// The name by which rows refer to each other: 64 bits of a hash, never 0.
#[must_use]
pub(crate) fn name_of(text: &str) -> i64 {
    let hash = blake3::hash(text.as_bytes());
    let mut eight = [0; 8];
    eight.copy_from_slice(&hash.as_bytes()[..8]);
    match i64::from_le_bytes(eight) {
        0 => 1,
        name => name,
    }
}

pub(crate) fn file_columns(state: Option<&FileState>) -> (i64, Option<String>) {
    match state {
        None => (0, None),
        Some(FileState::Staged(info)) => (
            1,
            Some(format!(
                "{} {} {} {}",
                info.blake3,
                info.md5,
                info.size,
                info.media_type.as_deref().unwrap_or("-")
            )),
        ),
        Some(FileState::Unavailable(reason)) => (2, Some(reason.clone())),
    }
}

pub(crate) fn file_state(state: i64, detail: Option<String>) -> Option<FileState> {
    let detail = detail.unwrap_or_default();
    match state {
        1 => {
            let mut parts = detail.split(' ');
            Some(FileState::Staged(BlobInfo {
                blake3: parts.next()?.to_owned(),
                md5: parts.next()?.to_owned(),
                size: parts.next()?.parse().ok()?,
                media_type: parts.next().filter(|kind| *kind != "-").map(str::to_owned),
            }))
        }
        2 => Some(FileState::Unavailable(detail)),
        _ => None,
    }
}
