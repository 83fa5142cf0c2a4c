//! A source, transforms and a sink in memory: the small thing, ten lines to use.
//!
//! Records go page by page, within a page in the order of the sink's phases. Nothing is kept but what is needed to resolve
//! references, so a record that refers to a later page finds nothing there: a tenant with replies, merged conversations
//! and people who write twice is for a [`migration`](crate::migration).

mod memory;

use std::collections::BTreeSet;
use std::sync::Arc;

pub use memory::MemoryJournal;

use crate::blob::Blobs;
use crate::context::{Context, Seen};
use crate::error::{Error, ErrorKind, Result};
use crate::key::RecordId;
use crate::model::{Facts, Record};
use crate::sink::{Batch, FileState, Loaded, Outcome, Phase, Sink, Verdict};
use crate::source::{Cursor, Next, Page, Scope, Shard, Source};
use crate::stage::FolderBlobs;
use crate::transform::{Transform, Transformed};

/// Moves records from a source to a sink.
pub struct Pipeline {
    source: Arc<dyn Source>,
    transforms: Vec<Arc<dyn Transform>>,
    sink: Arc<dyn Sink>,
    scope: Scope,
}

impl std::fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pipeline")
            .field("transforms", &self.transforms.len())
            .finish_non_exhaustive()
    }
}

/// What a pipeline did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Moved {
    /// Records read.
    pub read: u64,
    /// Rows that could not become records.
    pub rejected: u64,
    /// Outcomes that were not plainly `created`, with the record's key, in the order they came.
    pub other: Vec<(String, Verdict)>,
    /// Records created.
    pub created: u64,
}

/// A place up to which everything is acknowledged: the highest contiguous page of a shard.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// The shard.
    pub shard: String,
    /// Where it goes on; none when it is at its end.
    pub cursor: Option<Cursor>,
}

impl Pipeline {
    /// From a source to a sink.
    pub fn new(source: Arc<dyn Source>, sink: Arc<dyn Sink>) -> Self {
        Self {
            source,
            transforms: Vec::new(),
            sink,
            scope: Scope::default(),
        }
    }

    /// The same with one more transform at the end.
    #[must_use]
    pub fn transform(mut self, transform: impl Transform + 'static) -> Self {
        self.transforms.push(Arc::new(transform));
        self
    }

    /// The same, reading only this.
    #[must_use]
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// Moves everything, shard by shard.
    ///
    /// # Errors
    /// The first error of source, transform or sink.
    pub async fn run(&self, cx: &Context) -> Result<Moved> {
        self.run_with(cx, |_| None, |_| ()).await
    }

    /// Moves everything, beginning each shard where `start` says and telling `acknowledged` each page that is written.
    ///
    /// # Errors
    /// The first error of source, transform or sink.
    pub async fn run_with(
        &self,
        cx: &Context,
        start: impl Fn(&Shard) -> Option<Cursor> + Send,
        mut acknowledged: impl FnMut(Checkpoint) + Send,
    ) -> Result<Moved> {
        self.source.check(cx).await?;
        let target = self.sink.check(cx).await?;
        let journal = Arc::new(MemoryJournal::new(format!("{}-0", target.id)));
        let folder = Scratch::new()?;
        let blobs = Arc::new(FolderBlobs::open(folder.path())?);
        let cx = cx.seeing(Arc::clone(&journal) as Arc<dyn Seen>);
        let mut moved = Moved::default();
        let mut shards: std::collections::VecDeque<Shard> =
            self.source.shards(&cx, &self.scope).await?.into();
        let mut known: BTreeSet<String> = shards.iter().map(|s| s.id.clone()).collect();
        while let Some(shard) = shards.pop_front() {
            let mut cursor = start(&shard);
            loop {
                let page = self.source.page(&cx, &shard, cursor.take()).await?;
                let next = page.next.clone();
                shards.extend(
                    page.spawn
                        .iter()
                        .filter(|s| known.insert(s.id.clone()))
                        .cloned(),
                );
                self.page(&cx, page, &journal, &blobs, &mut moved).await?;
                let more = match next {
                    Next::More(next) => Some(next),
                    Next::End(_) => None,
                };
                acknowledged(Checkpoint {
                    shard: shard.id.clone(),
                    cursor: more.clone(),
                });
                match more {
                    Some(next) => cursor = Some(next),
                    None => break,
                }
            }
        }
        Ok(moved)
    }

    async fn page(
        &self,
        cx: &Context,
        page: Page,
        journal: &Arc<MemoryJournal>,
        blobs: &Arc<FolderBlobs>,
        moved: &mut Moved,
    ) -> Result<()> {
        moved.read += page.records.len() as u64;
        moved.rejected += page.rejects.len() as u64;
        let mut records = journal.register(page.records);
        for skip in page.skips {
            if let Some(at) = records.iter().position(|(_, r)| *r.key() == skip.key) {
                let (id, _) = records.remove(at);
                self.settle(
                    journal,
                    vec![outcome(id, Verdict::Skipped(skip.reason))],
                    moved,
                );
            }
        }
        for phase in self.sink.phases() {
            let (own, rest): (Vec<_>, Vec<_>) = records
                .into_iter()
                .partition(|(_, r)| phase.kinds.contains(&r.kind()));
            records = rest;
            self.phase(cx, &phase, own, journal, blobs, moved).await?;
        }
        let unclaimed = records
            .into_iter()
            .map(|(id, _)| outcome(id, Verdict::Skipped("no-phase".into())));
        self.settle(journal, unclaimed.collect(), moved);
        Ok(())
    }

    async fn phase(
        &self,
        cx: &Context,
        phase: &Phase,
        mut records: Vec<(RecordId, Record)>,
        journal: &Arc<MemoryJournal>,
        blobs: &Arc<FolderBlobs>,
        moved: &mut Moved,
    ) -> Result<()> {
        records.sort_by_key(|(id, record)| {
            let facts = Facts::of(record);
            (facts.at, facts.sequence, *id)
        });
        let mut batch: Vec<(RecordId, Vec<Record>)> = Vec::new();
        for (id, record) in records {
            // A record is never in one batch with what must stand before it.
            let before = journal.before(&Facts::of(&record));
            let waits =
                before.is_some_and(|before| batch.iter().any(|(other, _)| *other == before));
            if waits || batch.len() >= phase.batch_records.max(1) {
                self.write(cx, phase, std::mem::take(&mut batch), journal, blobs, moved)
                    .await?;
            }
            match self.transformed(cx, record).await? {
                Ok(parts) => batch.push((id, parts)),
                Err(reason) => {
                    self.settle(journal, vec![outcome(id, Verdict::Skipped(reason))], moved);
                }
            }
        }
        self.write(cx, phase, batch, journal, blobs, moved).await
    }

    async fn write(
        &self,
        cx: &Context,
        phase: &Phase,
        batch: Vec<(RecordId, Vec<Record>)>,
        journal: &Arc<MemoryJournal>,
        blobs: &Arc<FolderBlobs>,
        moved: &mut Moved,
    ) -> Result<()> {
        let mut records = Vec::with_capacity(batch.len());
        for (id, parts) in batch {
            for (record, part) in parts.into_iter().zip(0..) {
                records.push(self.loaded(cx, id, part, record, journal, blobs).await?);
            }
        }
        if records.is_empty() {
            return Ok(());
        }
        let batch = Batch {
            phase: phase.name,
            related: Arc::new(journal.related(&records)),
            records,
            journal: Arc::clone(journal) as Arc<dyn crate::journal::Journal>,
            blobs: Arc::clone(blobs) as Arc<dyn Blobs>,
        };
        let mut outcomes = self.sink.write(cx, batch).await?;
        outcomes.extend(self.sink.flush(cx).await?);
        self.settle(journal, outcomes, moved);
        Ok(())
    }

    async fn transformed(
        &self,
        cx: &Context,
        record: Record,
    ) -> Result<std::result::Result<Vec<Record>, String>> {
        let mut records = vec![record];
        for transform in &self.transforms {
            let mut kept = Vec::new();
            for verdict in transform.apply(cx, records).await? {
                match verdict {
                    Transformed::Keep(record) => kept.push(record),
                    Transformed::Split(parts) => kept.extend(parts),
                    Transformed::Skip(reason) => return Ok(Err(reason)),
                }
            }
            records = kept;
        }
        Ok(Ok(records))
    }

    async fn loaded(
        &self,
        cx: &Context,
        id: RecordId,
        part: u32,
        record: Record,
        journal: &MemoryJournal,
        blobs: &FolderBlobs,
    ) -> Result<Loaded> {
        let facts = Facts::of(&record);
        let parent = journal
            .before(&facts)
            .filter(|parent| journal.stands(*parent));
        let file = match &record {
            Record::Attachment(file) => Some(match self.source.open(cx, file, 0).await {
                Ok(bytes) => FileState::Staged(blobs.put(bytes).await?),
                Err(error) => FileState::Unavailable(error.to_string()),
            }),
            _ => None,
        };
        Ok(Loaded {
            version: 0,
            id,
            part,
            orphan: facts.parent.is_some() && parent.is_none(),
            parent,
            file,
            owner: None,
            record,
        })
    }

    fn settle(&self, journal: &MemoryJournal, outcomes: Vec<Outcome>, moved: &mut Moved) {
        for outcome in outcomes {
            match &outcome.verdict {
                Verdict::Created => moved.created += 1,
                other => moved
                    .other
                    .push((journal.key(outcome.record), other.clone())),
            }
            journal.finish(outcome.record, outcome.verdict);
        }
    }
}

const fn outcome(record: RecordId, verdict: Verdict) -> Outcome {
    Outcome {
        record,
        part: 0,
        verdict,
    }
}

/// A folder that goes when the pipeline is done.
struct Scratch(std::path::PathBuf);

impl Scratch {
    fn new() -> Result<Self> {
        static NUMBER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let n = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("deskferry-pipeline-{}-{n}", std::process::id()));
        std::fs::create_dir_all(&path)
            .map_err(|e| Error::new(ErrorKind::Storage, "make a scratch folder", e.to_string()))?;
        Ok(Self(path))
    }

    fn path(&self) -> &std::path::Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, folder = %self.0.display(), "a scratch folder is left behind");
        }
    }
}
