//! Reads a source as a migration does: shards in the order of their needs, what was read remembered as read.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use deskferry_core::context::{Clock, Seen};
use deskferry_core::http::RetryPolicy;
use deskferry_core::model::{Attachment, Conversation, Message};
use deskferry_core::source::{Cursor, Next, Page, Reject, Scope, Shard, Skip, Source, Watermark};
use deskferry_core::{Context, Record, RecordKey, RecordKind, Result};
use deskferry_rehearsal::kayako::{Content, Kayako as Desk, KayakoOptions};
use deskferry_rehearsal::world::WorldSpec;
use deskferry_source_kayako::{Kayako, KayakoConfig, KayakoConfigBuilder};
use futures::TryStreamExt as _;

/// A clock on which every wait is over at once.
#[derive(Debug)]
pub(crate) struct Hurried(Mutex<DateTime<Utc>>);

#[async_trait]
impl Clock for Hurried {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap()
    }
    async fn sleep(&self, duration: Duration) {
        *self.0.lock().unwrap() += duration;
        tokio::task::yield_now().await;
    }
}

/// Keys that were read, with the time of their last reading, for `Context::seen`.
#[derive(Debug, Default)]
struct Remembered(Mutex<BTreeMap<RecordKey, DateTime<Utc>>>);

#[async_trait]
impl Seen for Remembered {
    async fn seen(&self, keys: &[RecordKey]) -> Result<Vec<bool>> {
        let read = self.0.lock().unwrap();
        Ok(keys.iter().map(|key| read.contains_key(key)).collect())
    }

    async fn not_read_since(
        &self,
        kind: RecordKind,
        since: DateTime<Utc>,
        after: Option<&RecordKey>,
        limit: usize,
    ) -> Result<Vec<RecordKey>> {
        let read = self.0.lock().unwrap();
        let old = read.iter().filter(|(key, at)| {
            key.record_kind() == Some(kind) && **at < since && after.is_none_or(|last| *key > last)
        });
        Ok(old.map(|(key, _)| key.clone()).take(limit).collect())
    }
}

/// Everything that a read brought.
#[derive(Debug, Default)]
pub(crate) struct Read {
    pub(crate) records: BTreeMap<RecordKey, Record>,
    pub(crate) rejects: Vec<Reject>,
    pub(crate) skips: Vec<Skip>,
    pub(crate) notes: Vec<String>,
    pub(crate) complete: BTreeSet<RecordKey>,
    pub(crate) ends: BTreeMap<String, Watermark>,
    pub(crate) shards: BTreeSet<String>,
    pub(crate) pages: usize,
}

impl Read {
    /// How many records of a kind are there to be loaded.
    pub(crate) fn count(&self, kind: RecordKind) -> usize {
        let all = self.records.values();
        let all = all.filter(|record| record.kind() == kind).count();
        match kind {
            RecordKind::Conversation => all - self.left_out().len(),
            _ => all,
        }
    }

    /// Numbers of the conversations that are named and counted only, with the reason.
    pub(crate) fn left_out(&self) -> BTreeMap<u64, &str> {
        let cases = self
            .skips
            .iter()
            .filter(|skip| skip.key.record_kind() == Some(RecordKind::Conversation));
        cases
            .map(|skip| (skip.key.id().parse().unwrap(), skip.reason.as_str()))
            .collect()
    }

    /// How many conversations were read with all their posts.
    pub(crate) fn whole(&self) -> usize {
        self.complete.len() - self.left_out().len()
    }

    pub(crate) fn conversations(&self) -> impl Iterator<Item = &Conversation> {
        self.records.values().filter_map(|record| match record {
            Record::Conversation(conversation) => Some(conversation.as_ref()),
            _ => None,
        })
    }

    pub(crate) fn messages(&self) -> impl Iterator<Item = &Message> {
        self.records.values().filter_map(|record| match record {
            Record::Message(message) => Some(message.as_ref()),
            _ => None,
        })
    }

    pub(crate) fn attachments(&self) -> impl Iterator<Item = &Attachment> {
        self.records.values().filter_map(|record| match record {
            Record::Attachment(attachment) => Some(attachment.as_ref()),
            _ => None,
        })
    }
}

/// A read under way; it can be stopped between pages and gone on with by another source.
pub(crate) struct Reader {
    pub(crate) cx: Context,
    seen: Arc<Remembered>,
    todo: VecDeque<(Shard, Option<Cursor>)>,
    pub(crate) read: Read,
}

impl Reader {
    pub(crate) fn new() -> Self {
        let seen = Arc::new(Remembered::default());
        let clock = Arc::new(Hurried(Mutex::new(Utc::now())));
        let cx = Context::new()
            .with_clock(clock)
            .seeing(Arc::clone(&seen) as Arc<dyn Seen>);
        Self {
            cx,
            seen,
            todo: VecDeque::new(),
            read: Read::default(),
        }
    }

    /// A later read into the same stage.
    pub(crate) fn after(earlier: &Self) -> Self {
        let clock = Arc::new(Hurried(Mutex::new(
            earlier.cx.now() + chrono::TimeDelta::hours(1),
        )));
        let mut later = Self::new();
        later.seen = Arc::clone(&earlier.seen);
        later.cx = Context::new()
            .with_clock(clock)
            .seeing(Arc::clone(&later.seen) as Arc<dyn Seen>);
        later
    }

    /// Begins to read what changed, each part from where it ended.
    pub(crate) async fn begin_after(&mut self, source: &dyn Source, earlier: &Read) -> Result<()> {
        for part in source.shards(&self.cx, &Scope::default()).await? {
            let mut scope = Scope::default();
            scope.since = earlier.ends.get(&part.id).cloned();
            let parts = source.shards(&self.cx, &scope).await?;
            for shard in parts.into_iter().filter(|shard| shard.id == part.id) {
                self.read.shards.insert(shard.id.clone());
                self.todo.push_back((shard, None));
            }
        }
        Ok(())
    }

    pub(crate) async fn begin(&mut self, source: &dyn Source, scope: &Scope) -> Result<()> {
        let shards = source.shards(&self.cx, scope).await?;
        self.read
            .shards
            .extend(shards.iter().map(|shard| shard.id.clone()));
        self.todo
            .extend(shards.into_iter().map(|shard| (shard, None)));
        Ok(())
    }

    /// Reads one page and keeps it; answers its shard's name, or nothing when all is read.
    pub(crate) async fn step(&mut self, source: &dyn Source) -> Result<Option<String>> {
        let Some((shard, cursor)) = self.todo.front().cloned() else {
            return Ok(None);
        };
        let page = source.page(&self.cx, &shard, cursor).await?;
        self.keep(&shard, page);
        Ok(Some(shard.id))
    }

    fn keep(&mut self, shard: &Shard, page: Page) {
        let read = &mut self.read;
        read.pages += 1;
        for record in page.records {
            assert!(
                shard.yields.contains(&record.kind()),
                "{} brings {}",
                shard.id,
                record.key()
            );
            let now = self.cx.now();
            self.seen
                .0
                .lock()
                .unwrap()
                .insert(record.key().clone(), now);
            let newer = |known: &Record| {
                known
                    .meta()
                    .revision
                    .zip(record.meta().revision)
                    .is_none_or(|(old, new)| new >= old)
            };
            if read.records.get(record.key()).is_none_or(newer) {
                read.records.insert(record.key().clone(), record);
            }
        }
        read.rejects.extend(page.rejects);
        read.skips.extend(page.skips);
        read.notes.extend(page.notes);
        read.complete.extend(page.complete);
        for spawned in page.spawn {
            if read.shards.insert(spawned.id.clone()) {
                self.todo.push_back((spawned, None));
            }
        }
        match page.next {
            // A cursor must survive being written down.
            Next::More(cursor) => {
                let text = serde_json::to_string(&cursor).unwrap();
                self.todo[0].1 = Some(serde_json::from_str(&text).unwrap());
            }
            Next::End(mark) => {
                read.ends.insert(shard.id.clone(), mark);
                self.todo.pop_front();
            }
        }
    }

    pub(crate) async fn finish(&mut self, source: &dyn Source) -> Result<()> {
        while self.step(source).await?.is_some() {}
        Ok(())
    }
}

/// Reads everything.
pub(crate) async fn read_all(source: &dyn Source) -> Result<Reader> {
    let mut reader = Reader::new();
    reader.begin(source, &Scope::default()).await?;
    reader.finish(source).await?;
    Ok(reader)
}

/// The bytes of a file.
pub(crate) async fn bytes(source: &dyn Source, cx: &Context, file: &Attachment) -> Result<Vec<u8>> {
    let stream = source.open(cx, file, 0).await?;
    let pieces: Vec<bytes::Bytes> = stream.try_collect().await?;
    Ok(pieces.concat())
}

pub(crate) fn options(conversations: u64) -> KayakoOptions {
    let mut options = KayakoOptions::default();
    options.content = Content::Made(WorldSpec::new(11, conversations));
    options
}

pub(crate) async fn desk(options: KayakoOptions) -> Desk {
    Desk::start(options).await.unwrap()
}

pub(crate) fn config(desk: &Desk) -> KayakoConfigBuilder {
    KayakoConfig::builder(desk.url(), "admin@acme.example", "rehearsal")
        .requests_per_minute(1_000_000)
        .email_headers(true)
}

pub(crate) fn source(config: KayakoConfigBuilder) -> Kayako {
    Kayako::with_retry(config.build().unwrap(), RetryPolicy::default()).unwrap()
}
