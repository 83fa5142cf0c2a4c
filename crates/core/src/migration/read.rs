//! Reading a source into a stage: shards side by side, files behind them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::{BoxFuture, FutureExt};
use futures::stream::{self, FuturesUnordered, StreamExt, TryStreamExt};
use tokio::sync::{mpsc, watch};

use super::late::Late;
use super::progress::{Progress, Step};
use super::shards::OpenShards;
use crate::blob::BlobInfo;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::key::{RecordId, RecordKind};
use crate::model::{Attachment, Record};
use crate::sink::FileState;
use crate::source::{ByteStream, Next, Scope, Source};
use crate::stage::index::{FOR_NOW, Row, ShardState};
use crate::stage::{Stage, StageSeen};

/// How many files are fetched at once.
const FILES_AT_ONCE: usize = 4;
/// How often a file is tried before it is called unavailable.
const FILE_TRIES: usize = 3;

/// So many files of another size than the source says are named one by one.
const SIZES_TOLD: usize = 20;

/// How far the read is, for those who wait for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ReadState {
    /// Counts every change, so that waiters wake up.
    pub(super) turn: u64,
    /// The kinds that some open shard can still bring.
    pub(super) open: BTreeSet<RecordKind>,
    /// No shard has anything left; files may still be under way.
    pub(super) rows_done: bool,
    /// Everything is read and every file is fetched or given up.
    pub(super) done: bool,
    /// The read stopped with an error: what is open stays open.
    pub(super) failed: bool,
}

impl ReadState {
    /// Before anything is known every kind is open.
    pub(super) fn unknown() -> Self {
        Self {
            open: RecordKind::ALL.into_iter().collect(),
            ..Self::default()
        }
    }
}

/// Reads a source to its end.
pub(super) struct Reader {
    pub(super) source: Arc<dyn Source>,
    pub(super) stage: Stage,
    pub(super) state: watch::Sender<ReadState>,
    pub(super) progress: Arc<dyn Progress>,
    pub(super) late: Arc<Late>,
    /// How many files had another size than the source says.
    pub(super) odd_sizes: AtomicUsize,
}

impl Reader {
    /// Reads what is not read yet. What was read is durable, whatever the answer.
    pub(super) async fn run(&self, cx: &Context) -> Result<()> {
        let result = self.read(cx).await;
        self.state.send_modify(|s| {
            s.turn += 1;
            s.done = result.is_ok();
            s.failed = result.is_err();
            if result.is_ok() {
                s.open.clear();
            }
        });
        if result.is_ok() {
            self.progress.report(Step::ReadToTheEnd);
        }
        result
    }

    async fn read(&self, cx: &Context) -> Result<()> {
        let cx = cx.seeing(Arc::new(StageSeen(Arc::clone(self.stage.index()))));
        let shards = self.source.shards(&cx, &Scope::default()).await?;
        self.stage.index().add_shards(&shards).await?;
        let files = self.files(&cx);
        let rows = self.shards(&cx);
        futures::pin_mut!(files, rows);
        // The files follow the rows: they end when the rows have ended and nothing is left to fetch.
        futures::future::try_join(rows, files).await?;
        self.stage.index().complete_all().await
    }

    async fn shards(&self, cx: &Context) -> Result<()> {
        let at_once = self.source.capability().parallel_shards.max(1);
        let (found, mut spawned) = mpsc::unbounded_channel::<Vec<String>>();
        let mut open = OpenShards::default();
        for state in self.stage.index().open_shards().await? {
            open.add(&state.shard);
        }
        let mut running = FuturesUnordered::new();
        let mut failed: Vec<Error> = Vec::new();
        loop {
            while let Ok(names) = spawned.try_recv() {
                self.add_spawned(&mut open, &names).await?;
            }
            self.publish(&open);
            while running.len() < at_once
                && let Some(name) = open.begin()
            {
                match self.stage.index().open_among(&[&name]).await?.pop() {
                    Some(state) => running.push(self.shard(cx, state, found.clone())),
                    None => open.end(&name),
                }
            }
            // What a part found may begin while the part itself is still read.
            let (name, result) = tokio::select! {
                ended = running.next() => match ended {
                    Some(ended) => ended,
                    None => break,
                },
                Some(names) = spawned.recv(), if running.len() < at_once => {
                    self.add_spawned(&mut open, &names).await?;
                    continue;
                }
            };
            match result {
                Ok(()) => open.end(&name),
                Err(error) if stops_the_run(&error) => return Err(error),
                Err(error) => {
                    tracing::warn!(shard = %name, %error, "a part of the read ended with an error");
                    failed.push(error);
                }
            }
        }
        match failed.into_iter().next() {
            None => {
                nothing_is_left(&self.stage.index().open_shards().await?)?;
                self.state.send_modify(|s| {
                    s.turn += 1;
                    s.rows_done = true;
                });
                Ok(())
            }
            Some(error) => Err(error.advise("The rest was read; `resume` reads what is missing")),
        }
    }

    /// Those of the parts that a page named and that are not read yet.
    async fn add_spawned(&self, open: &mut OpenShards, names: &[String]) -> Result<()> {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        for state in self.stage.index().open_among(&names).await? {
            open.add(&state.shard);
        }
        Ok(())
    }

    /// One shard to its end, page by page: the next page is asked for when the last one is durable.
    async fn shard(
        &self,
        cx: &Context,
        state: ShardState,
        found: mpsc::UnboundedSender<Vec<String>>,
    ) -> (String, Result<()>) {
        let ShardState {
            shard, mut cursor, ..
        } = state;
        let result = async {
            loop {
                cx.check("read the source")?;
                let page = self.source.page(cx, &shard, cursor.take()).await?;
                let (records, rejects) = (page.records.len(), page.rejects.len());
                let kinds = by_kind(&page.records);
                let next = page.next.clone();
                let spawned: Vec<String> = page.spawn.iter().map(|s| s.id.clone()).collect();
                self.late.note(&shard, &page.records);
                self.stage.append(&shard, page, cx.now()).await?;
                if !spawned.is_empty() {
                    // Nobody listens when the read is about to end with an error.
                    let _ = found.send(spawned);
                }
                self.progress.report(Step::Read {
                    shard: &shard.id,
                    records,
                    rejects,
                    kinds: &kinds,
                });
                self.state.send_modify(|s| s.turn += 1);
                match next {
                    Next::More(next) => cursor = Some(next),
                    Next::End(_) => return Ok(()),
                }
            }
        }
        .await;
        (shard.id, result)
    }

    fn publish(&self, open: &OpenShards) {
        let kinds = open.missing();
        self.state.send_modify(|s| {
            s.turn += 1;
            s.open = kinds;
        });
    }

    /// Fetches the bytes of attachments until the rows are read and nothing is left.
    async fn files(&self, cx: &Context) -> Result<()> {
        let mut state = self.state.subscribe();
        loop {
            let rows_done = state.borrow_and_update().rows_done;
            let fetched = self.fetch_waiting_files(cx).await?;
            if fetched > 0 {
                continue;
            }
            if rows_done {
                return Ok(());
            }
            if state.changed().await.is_err() {
                return Ok(());
            }
        }
    }

    async fn fetch_waiting_files(&self, cx: &Context) -> Result<usize> {
        let (mut after, mut total) = (RecordId(0), 0);
        loop {
            let rows = self.stage.index().files_to_fetch(after, 64).await?;
            let Some(last) = rows.last() else {
                return Ok(total);
            };
            after = last.id;
            let records = self.stage.records(&rows).await?;
            let fetches: Vec<BoxFuture<'_, Result<()>>> = rows
                .iter()
                .zip(records)
                .map(|(row, record)| self.fetch(cx, row, record).boxed())
                .collect();
            total += fetches.len();
            stream::iter(fetches)
                .buffer_unordered(FILES_AT_ONCE)
                .try_collect::<()>()
                .await?;
            self.state.send_modify(|s| s.turn += 1);
        }
    }

    async fn fetch(&self, cx: &Context, row: &Row, record: Record) -> Result<()> {
        let Record::Attachment(file) = record else {
            return Err(
                Error::bug("fetch a file", "the row is no attachment").of(record.key().clone())
            );
        };
        let state = self.bytes_of(cx, &file).await?;
        if let FileState::Unavailable(reason) = &state {
            tracing::warn!(file = %file.meta.key, reason, "a file could not be fetched");
        }
        let bytes = match &state {
            FileState::Staged(info) => info.size,
            FileState::Unavailable(_) => 0,
        };
        if bytes > 0 {
            let platform = self.source.capability().platform;
            cx.meter().needed(platform, "the bytes of files", 1.0);
        }
        self.stage.index().set_file(row.id, state).await?;
        self.progress.report(Step::File { bytes });
        Ok(())
    }

    async fn bytes_of(&self, cx: &Context, file: &Attachment) -> Result<FileState> {
        let mut last = String::new();
        let mut of_another_size: Option<BlobInfo> = None;
        for _ in 0..FILE_TRIES {
            cx.check("fetch a file")?;
            let opened = if file.size == Some(0) {
                // Nothing to ask for.
                Ok(Box::pin(stream::empty()) as ByteStream)
            } else {
                self.source.open(cx, file, 0).await
            };
            let fetched = match opened {
                Ok(bytes) => self.stage.blobs().put(bytes).await,
                Err(error) => Err(error),
            };
            match fetched {
                Ok(info) => match file.size.filter(|size| *size != info.size) {
                    None => return Ok(FileState::Staged(info)),
                    // Twice the same is what the source has, whatever it says of it.
                    Some(_) if of_another_size.as_ref() == Some(&info) => break,
                    Some(_) => of_another_size = Some(info),
                },
                Err(error) if stops_the_run(&error) => return Err(error),
                Err(error) => {
                    let final_answer = matches!(
                        error.kind(),
                        ErrorKind::NotFound | ErrorKind::Forbidden | ErrorKind::Refused
                    );
                    last = error.to_string();
                    if final_answer {
                        break;
                    }
                    last.insert_str(0, FOR_NOW);
                }
            }
        }
        match (of_another_size, file.size) {
            (Some(info), Some(size)) => {
                self.note_size(file, size, &info).await?;
                Ok(FileState::Staged(info))
            }
            _ => Ok(FileState::Unavailable(last)),
        }
    }

    /// Bytes that came are kept, and people are told; of many such files by some examples.
    async fn note_size(&self, file: &Attachment, said: u64, info: &BlobInfo) -> Result<()> {
        let key = &file.meta.key;
        tracing::warn!(file = %key, said, came = info.size, "a file has another size than the source says");
        let text = match self.odd_sizes.fetch_add(1, Ordering::Relaxed) {
            n if n < SIZES_TOLD => format!(
                "{key}: {} bytes came, the source says {said}; they are kept as they came",
                info.size
            ),
            n if n == SIZES_TOLD => {
                "more files have another size than the source says; all are kept as they came, and the log names each".to_owned()
            }
            _ => return Ok(()),
        };
        self.stage.index().note(&text).await
    }
}

fn by_kind(records: &[Record]) -> BTreeMap<RecordKind, usize> {
    let mut kinds = BTreeMap::new();
    for record in records {
        *kinds.entry(record.kind()).or_default() += 1;
    }
    kinds
}

/// Shards that were never begun because each waits for another: what they would bring must not pass for read.
fn nothing_is_left(open: &[ShardState]) -> Result<()> {
    if open.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = open.iter().map(|s| s.shard.id.as_str()).take(5).collect();
    Err(Error::bug(
        "read the source",
        format!(
            "{} parts wait for each other and were not read: {}",
            open.len(),
            names.join(", ")
        ),
    ))
}

/// Errors after which nothing else of the read can go well, or must not be tried.
pub(super) fn stops_the_run(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Config
            | ErrorKind::Credentials
            | ErrorKind::Interactive
            | ErrorKind::NoSuchInstance
            | ErrorKind::Quota
            | ErrorKind::Storage
            | ErrorKind::Cancelled
            | ErrorKind::Mismatch
            | ErrorKind::Bug
    )
}
