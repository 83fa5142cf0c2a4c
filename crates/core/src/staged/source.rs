//! What was read, as a source.

use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::cursor::{self, AfterGroup, AfterRecord};
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::key::{RecordKey, RecordKind, Tenant};
use crate::migration::Workspace;
use crate::model::{Attachment, Facts, Record};
use crate::sink::FileState;
use crate::source::{ByteStream, Capability, Cursor, Page, Readiness, Scope, Shard, Skip, Source};
use crate::stage::Stage;
use crate::stage::index::{Place, Row};

/// The most records of a page.
const PAGE_RECORDS: usize = 500;
/// The most bytes of staged lines of a page (one longer record is a page of its own).
const PAGE_BYTES: u64 = 4 << 20;
/// How many conversations are looked at together.
const GROUPS: usize = 100;
/// The most notes that are passed on.
const NOTES: usize = 10_000;

/// The kinds that belong to conversations, and come conversation by conversation.
const GROUPED: [RecordKind; 2] = [RecordKind::Attachment, RecordKind::Message];
const KIND: &str = "kind/";
const CONVERSATIONS: &str = "conversations";
const REMARKS: &str = "remarks";

/// The workspace of a finished read as the source of another migration.
///
/// It is only read, and shared: several may be open on one workspace, a run of that workspace waits outside. The other
/// migration's records, files, skipped records, rejected rows and notes are those of this one; rejected rows that
/// two parts of the read brought alike count once. It has a workspace of its own, and copies the files there.
#[derive(Debug)]
pub struct StageSource {
    stage: Stage,
    tenant: Tenant,
    folder: PathBuf,
    /// Holds the workspace while it is read.
    _workspace: Workspace,
}

impl StageSource {
    /// Opens the workspace in `folder` to read from it; the folder may be read-only.
    ///
    /// # Errors
    /// `NotFound` without a workspace or before the first read; `Conflict` while a run has it open, or when its read is not at
    /// its end; `Mismatch` for other versions; `Storage`.
    pub async fn open(folder: &Path) -> Result<Self> {
        let workspace = Workspace::share(folder)?;
        let stage = Stage::look(&workspace.stage()).await?;
        let Some(tenant) = stage.index().tenant().await? else {
            return Err(nothing(folder));
        };
        if !stage.index().is_whole().await? {
            return Err(unfinished(folder));
        }
        Ok(Self {
            stage,
            tenant,
            folder: folder.to_owned(),
            _workspace: workspace,
        })
    }

    /// Records of a kind that belongs to no conversation.
    async fn records(&self, kind: RecordKind, after: Option<Cursor>) -> Result<Page> {
        let after: Option<Place> = cursor::place::<AfterRecord>(after).map(Place::from);
        let scanned = self
            .stage
            .index()
            .scan(&[kind], after.as_ref(), PAGE_RECORDS)
            .await?;
        let taken = fitting(&scanned);
        let next = match scanned[..taken].last() {
            Some(last) if taken < scanned.len() || taken == PAGE_RECORDS => {
                cursor::more(AfterRecord::from(last.place()))?
            }
            _ => cursor::end(),
        };
        let mut page = Page::new(Vec::new(), next);
        self.fill(&mut page, &scanned[..taken]).await?;
        Ok(page)
    }

    /// Whole conversations, and parts of those that are longer than a page.
    async fn conversations(&self, after: Option<Cursor>) -> Result<Page> {
        let mut at: AfterGroup = cursor::place(after).unwrap_or_default();
        let index = self.stage.index();
        loop {
            let groups = index.ready_groups(at.n, GROUPS).await?;
            let Some((last, _)) = groups.last().copied() else {
                return Ok(Page::new(Vec::new(), cursor::end()));
            };
            let names: Vec<i64> = groups.iter().map(|(_, name)| *name).collect();
            let rows = in_order(&groups, index.group_rows(&names, &GROUPED).await?, at);
            if rows.is_empty() {
                // Conversations without messages.
                at = AfterGroup { n: last, record: 0 };
                continue;
            }
            let all: Vec<Row> = rows.iter().map(|(_, row)| row.clone()).collect();
            let taken = fitting(&all);
            let next = next_group(&rows, taken, last);
            let mut page = Page::new(Vec::new(), cursor::more(next)?);
            self.fill(&mut page, &all[..taken]).await?;
            page.complete = ended(&rows, &page.records);
            return Ok(page);
        }
    }

    async fn fill(&self, page: &mut Page, rows: &[Row]) -> Result<()> {
        page.records = self.stage.records(rows).await?;
        for (row, record) in rows.iter().zip(&page.records) {
            page.skips.extend(row.skip.as_ref().map(|reason| Skip {
                key: record.key().clone(),
                reason: reason.clone(),
            }));
        }
        Ok(())
    }

    /// What was read and is no record.
    async fn remarks(&self, after: Option<Cursor>) -> Result<Page> {
        let after = cursor::place::<i64>(after).unwrap_or(0);
        let index = self.stage.index();
        let found = index.rejects_after(after, PAGE_RECORDS).await?;
        let mut page = Page::new(Vec::new(), cursor::end());
        match found.last() {
            Some((last, _)) => page.next = cursor::more(last)?,
            None => page.notes = index.notes(NOTES).await?,
        }
        page.rejects = found.into_iter().map(|(_, reject)| reject).collect();
        Ok(page)
    }

    async fn file(&self, key: &RecordKey) -> Result<Option<FileState>> {
        let index = self.stage.index();
        let ids: Vec<_> = index.find(std::slice::from_ref(key)).await?;
        let ids: Vec<_> = ids.into_iter().flatten().collect();
        let rows = index.rows(&ids).await?;
        Ok(rows.into_iter().next().and_then(|row| row.file))
    }
}

#[async_trait]
impl Source for StageSource {
    fn capability(&self) -> Capability {
        let mut capability = Capability::new("stage", &RecordKind::ALL).with_parallel_shards(3);
        capability.resumable_files = true;
        capability
    }

    async fn check(&self, _cx: &Context) -> Result<Readiness> {
        let account = format!("the workspace {}", self.folder.display());
        Ok(Readiness::new(self.tenant.clone(), account))
    }

    async fn shards(&self, _cx: &Context, scope: &Scope) -> Result<Vec<Shard>> {
        if scope.since.is_some() {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "read a stage",
                "a stage cannot tell what changed since",
            )
            .advise("Read it whole"));
        }
        let wanted = |kind: &RecordKind| scope.kinds.is_empty() || scope.kinds.contains(kind);
        let plain = RecordKind::ALL
            .into_iter()
            .filter(|kind| !GROUPED.contains(kind) && wanted(kind));
        let mut shards: Vec<Shard> = plain
            .map(|kind| Shard::new(format!("{KIND}{kind}"), [kind]))
            .collect();
        if GROUPED.iter().any(wanted) {
            shards.push(Shard::new(CONVERSATIONS, GROUPED));
        }
        shards.push(Shard::new(REMARKS, []));
        Ok(shards)
    }

    async fn page(&self, _cx: &Context, shard: &Shard, after: Option<Cursor>) -> Result<Page> {
        let kind = shard.id.strip_prefix(KIND).and_then(RecordKind::from_name);
        match (shard.id.as_str(), kind) {
            (_, Some(kind)) => self.records(kind, after).await,
            (CONVERSATIONS, _) => self.conversations(after).await,
            (REMARKS, _) => self.remarks(after).await,
            _ => Err(Error::new(
                ErrorKind::Mismatch,
                "read a stage",
                format!("it has no part `{}`", shard.id),
            )
            .advise("A workspace goes on with the source that it was begun with: use another one")),
        }
    }

    async fn open(&self, _cx: &Context, file: &Attachment, from: u64) -> Result<ByteStream> {
        let key = &file.meta.key;
        let refused =
            |why: &str| Error::new(ErrorKind::NotFound, "open a staged file", why).of(key.clone());
        match self.file(key).await? {
            Some(FileState::Staged(info)) => self.stage.blobs().open_from(&info, from).await,
            Some(FileState::Unavailable(reason)) => Err(refused(&reason)),
            None => Err(refused("its bytes were never fetched")),
        }
    }
}

/// How many rows from the first on fit a page; at least one, if there is one.
fn fitting(rows: &[Row]) -> usize {
    let mut bytes = 0;
    for (n, row) in rows.iter().enumerate() {
        bytes += u64::from(row.bytes);
        if n == PAGE_RECORDS || (bytes > PAGE_BYTES && n > 0) {
            return n;
        }
    }
    rows.len()
}

/// The rows behind a place, conversation by conversation, each with its conversation's number.
fn in_order(groups: &[(i64, i64)], rows: Vec<Row>, at: AfterGroup) -> Vec<(i64, Row)> {
    let numbers: std::collections::HashMap<i64, i64> =
        groups.iter().map(|(n, name)| (*name, *n)).collect();
    let mut rows: Vec<(i64, Row)> = rows
        .into_iter()
        .filter_map(|row| Some((*numbers.get(&row.group)?, row)))
        .filter(|(n, row)| *n != at.n + 1 || row.id.0 > at.record)
        .collect();
    rows.sort_by_key(|(n, row)| (*n, row.id));
    rows
}

/// Where it goes on when so many rows were taken: `last` is the number of the last conversation looked at.
fn next_group(rows: &[(i64, Row)], taken: usize, last: i64) -> AfterGroup {
    let (Some((n, row)), Some((following, _))) = (rows[..taken].last(), rows.get(taken)) else {
        return AfterGroup { n: last, record: 0 };
    };
    if n != following {
        return AfterGroup { n: *n, record: 0 };
    }
    // In the middle of this one: behind the one before it.
    AfterGroup {
        n: *n - 1,
        record: row.id.0,
    }
}

/// The conversations that end within the records of a page, which are those of the first rows.
fn ended(rows: &[(i64, Row)], records: &[Record]) -> Vec<RecordKey> {
    let mut keys = Vec::new();
    for (at, record) in records.iter().enumerate() {
        let ends = rows.get(at + 1).is_none_or(|(n, _)| *n != rows[at].0);
        if ends {
            keys.extend(Facts::of(record).group);
        }
    }
    keys
}

fn nothing(folder: &Path) -> Error {
    Error::new(ErrorKind::NotFound, "read a stage", "nothing was read yet")
        .with("folder", folder.display())
        .advise("Read the source into this workspace first: `discover` does, or `extract` of an own program")
}

fn unfinished(folder: &Path) -> Error {
    Error::new(
        ErrorKind::Conflict,
        "read a stage",
        "it is not read to its end",
    )
    .with("folder", folder.display())
    .advise(
        "Read the rest first: `discover` or `resume` on that workspace go on where they stopped",
    )
}
