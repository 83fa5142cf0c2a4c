//! The stage: the durable local copy of what was read.
//!
//! A page is durable when [`Stage::append`] returns: its lines are synced to their segments, then one transaction of the
//! index writes its records, rejects and the shard's cursor. When the stage is opened, every segment is cut back to the
//! last frame end that the index knows. Pages of several shards that arrive together share one commit.

pub(crate) mod askers;
mod blobs;
mod frames;
pub mod index;
mod sqlite;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::sync::{Mutex, mpsc, oneshot};

pub use blobs::FolderBlobs;
use index::{Address, Index, NewPage, NewRow, Row, Segment};
pub use sqlite::SqliteIndex;

use crate::context::Seen;
use crate::error::{Error, ErrorKind, Result};
use crate::key::{RecordKey, RecordKind};
use crate::model::{Facts, Record};
use crate::source::{Page, Shard};
use frames::{Frame, FrameWriter, SegmentInfo};

/// How many bytes of pages one commit takes at most.
const COMMIT_BYTES: usize = 4 << 20;

/// The durable local copy of one tenant. Clones share it.
#[derive(Clone)]
pub struct Stage {
    folder: PathBuf,
    index: Arc<dyn Index>,
    blobs: Arc<FolderBlobs>,
    /// None when it was opened to be read.
    pages: Option<mpsc::Sender<Waiting>>,
    files: Arc<Mutex<HashMap<i64, String>>>,
}

struct Waiting {
    shard: String,
    page: Page,
    read_at: DateTime<Utc>,
    done: oneshot::Sender<Result<()>>,
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stage")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

impl Stage {
    /// Opens or creates a stage in a folder. The caller sees to it that nobody else has it open.
    ///
    /// # Errors
    /// `Storage`; `Mismatch` for one of a newer version.
    pub async fn open(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(|e| Error::storage("open the stage", e))?;
        refuse_without_index(folder)?;
        let index = Arc::new(SqliteIndex::open(&folder.join("index.sqlite"))?);
        frames::sync_folder(folder)?;
        let blobs = Arc::new(FolderBlobs::open(&folder.join("files"))?);
        let known = segments(index.as_ref()).await?;
        let writer = FrameWriter::open(&folder.join("segments"), known)?;
        let (pages, waiting) = mpsc::channel(64);
        tokio::spawn(commit_pages(
            writer,
            Arc::clone(&index) as Arc<dyn Index>,
            waiting,
        ));
        Ok(Self {
            folder: folder.to_owned(),
            index,
            blobs,
            pages: Some(pages),
            files: Arc::new(Mutex::new(HashMap::new())),
        })
    }

    /// Opens a stage to read from it; its folder may be read-only.
    ///
    /// # Errors
    /// `NotFound` when there is none; `Storage`; `Mismatch` for one of another version.
    pub async fn look(folder: &Path) -> Result<Self> {
        let file = folder.join("index.sqlite");
        if !file.exists() {
            return Err(Error::new(
                ErrorKind::NotFound,
                "open the stage",
                "nothing was read yet",
            )
            .with("folder", folder.display())
            .advise("Read the source into this workspace first"));
        }
        let index = Arc::new(SqliteIndex::look(&file)?);
        frames::check(&folder.join("segments"), &segments(index.as_ref()).await?)?;
        Ok(Self {
            folder: folder.to_owned(),
            index,
            blobs: Arc::new(FolderBlobs::look(&folder.join("files"))),
            pages: None,
            files: Arc::new(Mutex::new(HashMap::new())),
        })
    }

    /// What was read and where it stands.
    #[must_use]
    pub fn index(&self) -> &Arc<dyn Index> {
        &self.index
    }

    /// The bytes of files.
    #[must_use]
    pub fn blobs(&self) -> &Arc<FolderBlobs> {
        &self.blobs
    }

    /// Adds a page of a shard; it is durable when this returns.
    ///
    /// # Errors
    /// `Storage`: nothing of the page counts then.
    pub async fn append(&self, shard: &Shard, page: Page, read_at: DateTime<Utc>) -> Result<()> {
        let (done, wait) = oneshot::channel();
        let waiting = Waiting {
            shard: shard.id.clone(),
            page,
            read_at,
            done,
        };
        let pages = self
            .pages
            .as_ref()
            .ok_or_else(|| Error::bug("append to the stage", "it was opened to be read"))?;
        pages.send(waiting).await.map_err(|_| writer_gone())?;
        wait.await.map_err(|_| writer_gone())?
    }

    /// The records of rows, in the order of the rows.
    ///
    /// # Errors
    /// `Storage`, when the stage was damaged.
    pub async fn records(&self, rows: &[Row]) -> Result<Vec<Record>> {
        let wanted = self.frames_of(rows).await?;
        let kinds: Vec<RecordKind> = rows.iter().map(|r| r.kind).collect();
        let folder = self.folder.join("segments");
        tokio::task::spawn_blocking(move || decode(&folder, &wanted, &kinds))
            .await
            .map_err(|e| Error::bug("read the stage", e.to_string()))?
    }

    /// The frames that hold the rows, with the rows' places in the answer.
    async fn frames_of(&self, rows: &[Row]) -> Result<Vec<Wanted>> {
        let mut frames: BTreeMap<Frame, Vec<(usize, u32)>> = BTreeMap::new();
        for (n, row) in rows.iter().enumerate() {
            let a = row.address;
            let frame = Frame {
                segment: a.segment,
                offset: a.offset,
                length: a.length,
            };
            frames.entry(frame).or_default().push((n, a.line));
        }
        let mut wanted = Vec::with_capacity(frames.len());
        for (frame, places) in frames {
            let file = self.segment_file(frame.segment).await?;
            wanted.push(Wanted {
                file,
                frame,
                places,
            });
        }
        Ok(wanted)
    }

    async fn segment_file(&self, id: i64) -> Result<String> {
        let mut files = self.files.lock().await;
        if !files.contains_key(&id) {
            for segment in self.index.segments().await? {
                files.insert(segment.id, segment.file);
            }
        }
        files.get(&id).cloned().ok_or_else(|| {
            Error::new(
                ErrorKind::Storage,
                "read the stage",
                format!("segment {id} is not known"),
            )
        })
    }
}

/// A frame to read, with the rows of it that are wanted: each row's place in the answer and its line in the frame.
struct Wanted {
    file: String,
    frame: Frame,
    places: Vec<(usize, u32)>,
}

fn writer_gone() -> Error {
    Error::new(
        ErrorKind::Storage,
        "append to the stage",
        "the stage's writer has stopped",
    )
    .advise("Run `resume`: what was committed is safe")
}

/// Segments that no index knows are dropped as unfinished: with the index lost that would be everything.
fn refuse_without_index(folder: &Path) -> Result<()> {
    let segments = folder.join("segments");
    if folder.join("index.sqlite").exists() || !segments.exists() {
        return Ok(());
    }
    let mut entries =
        std::fs::read_dir(&segments).map_err(|e| Error::storage("open the stage", e))?;
    if entries.next().is_none() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Mismatch,
        "open the stage",
        "its index.sqlite is gone, its segments are there",
    )
    .with("folder", folder.display())
    .advise("Restore index.sqlite, with its -wal and -shm files, from a copy; or read the source again into a new workspace"))
}

async fn segments(index: &dyn Index) -> Result<Vec<SegmentInfo>> {
    let known = index.segments().await?;
    Ok(known
        .into_iter()
        .map(|s| SegmentInfo {
            id: s.id,
            kind: s.kind,
            file: s.file,
            end: s.end,
        })
        .collect())
}

fn decode(folder: &Path, wanted: &[Wanted], kinds: &[RecordKind]) -> Result<Vec<Record>> {
    let mut records: Vec<Option<Record>> = vec![None; kinds.len()];
    for Wanted {
        file,
        frame,
        places,
    } in wanted
    {
        let lines = frames::read_frame(folder, file, *frame)?;
        for (n, line) in places {
            let line = lines.get(*line as usize).ok_or_else(|| {
                Error::new(
                    ErrorKind::Storage,
                    "read the stage",
                    "a frame has fewer lines than its index says",
                )
                .with("file", file)
            })?;
            let record = Record::from_line(kinds[*n], line).map_err(|e| {
                Error::new(ErrorKind::Decode, "read the stage", e.to_string()).with("file", file)
            })?;
            records[*n] = Some(record);
        }
    }
    Ok(records.into_iter().flatten().collect())
}

/// Takes the pages that wait, writes their frames, then their index rows, then answers.
async fn commit_pages(
    writer: FrameWriter,
    index: Arc<dyn Index>,
    mut waiting: mpsc::Receiver<Waiting>,
) {
    let mut writer = Some(writer);
    let mut batch: Vec<Waiting> = Vec::new();
    while waiting.recv_many(&mut batch, 32).await > 0 {
        while !batch.is_empty() {
            let rest = batch.split_off(take(&batch));
            let now = std::mem::replace(&mut batch, rest);
            commit(&mut writer, &index, now).await;
        }
    }
}

/// How many of the waiting pages one commit takes.
fn take(batch: &[Waiting]) -> usize {
    let mut bytes = 0;
    for (n, waiting) in batch.iter().enumerate() {
        bytes += waiting.page.records.len() * 1024;
        if bytes > COMMIT_BYTES && n > 0 {
            return n;
        }
    }
    batch.len()
}

async fn commit(writer: &mut Option<FrameWriter>, index: &Arc<dyn Index>, batch: Vec<Waiting>) {
    let (mut pages, mut answers) = (Vec::new(), Vec::new());
    for waiting in batch {
        pages.push((waiting.shard, waiting.page, waiting.read_at));
        answers.push(waiting.done);
    }
    let result = write(writer, index, pages).await;
    if result.is_err() {
        recover(writer, index).await;
    }
    for answer in answers {
        // Whoever waited may have been dropped; the page is durable all the same.
        let _ = answer.send(match &result {
            Ok(()) => Ok(()),
            Err(error) => Err(error.duplicate()),
        });
    }
}

async fn write(
    writer: &mut Option<FrameWriter>,
    index: &Arc<dyn Index>,
    pages: Vec<(String, Page, DateTime<Utc>)>,
) -> Result<()> {
    let mut frames = writer.take().ok_or_else(writer_gone)?;
    let (frames, written) = tokio::task::spawn_blocking(move || {
        let written = write_frames(&mut frames, pages);
        (frames, written)
    })
    .await
    .map_err(|e| Error::bug("append to the stage", e.to_string()))?;
    *writer = Some(frames);
    let (segments, pages) = written?;
    index.append(segments, pages).await
}

/// After a failed commit the segments are cut back to what the index knows, so that the next one starts clean.
async fn recover(writer: &mut Option<FrameWriter>, index: &Arc<dyn Index>) {
    let Some(mut frames) = writer.take() else {
        return;
    };
    let Ok(known) = segments(index.as_ref()).await else {
        return;
    };
    let restored =
        tokio::task::spawn_blocking(move || frames.roll_back(known).map(|()| frames)).await;
    if let Ok(Ok(frames)) = restored {
        *writer = Some(frames);
    }
}

type Written = (Vec<Segment>, Vec<NewPage>);

fn write_frames(
    writer: &mut FrameWriter,
    pages: Vec<(String, Page, DateTime<Utc>)>,
) -> Result<Written> {
    let mut lines: BTreeMap<RecordKind, Vec<Vec<u8>>> = BTreeMap::new();
    for (_, page, _) in &pages {
        for record in &page.records {
            let line = record.to_line().map_err(|e| {
                Error::bug("stage a record", e.to_string()).of(record.key().clone())
            })?;
            lines.entry(record.kind()).or_default().push(line);
        }
    }
    let (mut segments, mut places) = (Vec::new(), HashMap::new());
    for (kind, lines) in &lines {
        let appended = writer.append(*kind, lines)?;
        segments.extend(appended.segments.into_iter().map(|s| Segment {
            id: s.id,
            kind: s.kind,
            file: s.file,
            end: s.end,
        }));
        places.insert(*kind, appended.places.into_iter().zip(lines));
    }
    let pages = pages.into_iter().map(|(shard, page, read_at)| {
        let rows = page.records.iter().filter_map(|record| {
            let (place, line) = places.get_mut(&record.kind())?.next()?;
            Some(new_row(record, place, line))
        });
        NewPage {
            rows: rows.collect(),
            shard,
            skips: page.skips,
            rejects: page.rejects,
            complete: page.complete,
            spawn: page.spawn,
            notes: page.notes,
            next: page.next,
            read_at,
        }
    });
    Ok((segments, pages.collect()))
}

fn new_row(record: &Record, (frame, line_number): (Frame, u32), line: &[u8]) -> NewRow {
    let mut hash = [0; 16];
    hash.copy_from_slice(&blake3::hash(line).as_bytes()[..16]);
    NewRow {
        key: record.key().clone(),
        kind: record.kind(),
        address: Address {
            segment: frame.segment,
            offset: frame.offset,
            length: frame.length,
            line: line_number,
        },
        bytes: u32::try_from(line.len()).unwrap_or(u32::MAX),
        hash,
        revision: record.meta().revision,
        facts: Facts::of(record),
    }
}

/// Answers what a stage has seen.
#[derive(Clone)]
pub(crate) struct StageSeen(pub(crate) Arc<dyn Index>);

#[async_trait]
impl Seen for StageSeen {
    async fn seen(&self, keys: &[RecordKey]) -> Result<Vec<bool>> {
        Ok(self
            .0
            .find(keys)
            .await?
            .iter()
            .map(Option::is_some)
            .collect())
    }
    async fn not_read_since(
        &self,
        kind: RecordKind,
        since: DateTime<Utc>,
        after: Option<&RecordKey>,
        limit: usize,
    ) -> Result<Vec<RecordKey>> {
        self.0.not_read_since(kind, since, after, limit).await
    }
}
