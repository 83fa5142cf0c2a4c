//! Reads a source as a migration does: shards in the order of their needs, what was read remembered as read.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use deskferry_core::context::{Clock, Seen};
use deskferry_core::http::RetryPolicy;
use deskferry_core::model::{Attachment, Conversation, Message};
use deskferry_core::source::{Cursor, Next, Reject, Scope, Shard, Skip, Source, Watermark};
use deskferry_core::{Context, Record, RecordKey, RecordKind, Result};
use deskferry_rehearsal::kustomer::{Content, Kustomer as Desk, KustomerOptions};
use deskferry_rehearsal::world::WorldSpec;
use deskferry_source_kustomer::{Kustomer, KustomerConfig, KustomerConfigBuilder};
use futures::TryStreamExt as _;

/// A clock on which every wait is over at once.
#[derive(Debug)]
struct Hurried(Mutex<DateTime<Utc>>);

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

/// Keys that were read, for `Context::seen`.
#[derive(Debug, Default)]
struct Remembered(Mutex<BTreeSet<RecordKey>>);

#[async_trait]
impl Seen for Remembered {
    async fn seen(&self, keys: &[RecordKey]) -> Result<Vec<bool>> {
        let read = self.0.lock().unwrap();
        Ok(keys.iter().map(|key| read.contains(key)).collect())
    }
}

/// A read under way.
pub(crate) struct Reader {
    pub(crate) cx: Context,
    seen: Arc<Remembered>,
    todo: VecDeque<(Shard, Option<Cursor>)>,
    pub(crate) records: BTreeMap<RecordKey, Record>,
    pub(crate) rejects: Vec<Reject>,
    pub(crate) skips: Vec<Skip>,
    pub(crate) notes: Vec<String>,
    pub(crate) complete: BTreeSet<RecordKey>,
    pub(crate) ends: BTreeMap<String, Watermark>,
    shards: BTreeSet<String>,
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
            records: BTreeMap::new(),
            rejects: Vec::new(),
            skips: Vec::new(),
            notes: Vec::new(),
            complete: BTreeSet::new(),
            ends: BTreeMap::new(),
            shards: BTreeSet::new(),
        }
    }

    pub(crate) async fn begin(&mut self, source: &Kustomer, scope: &Scope) -> Result<()> {
        let shards = source.shards(&self.cx, scope).await?;
        self.shards
            .extend(shards.iter().map(|shard| shard.id.clone()));
        self.todo
            .extend(shards.into_iter().map(|shard| (shard, None)));
        Ok(())
    }

    /// Reads one page and keeps it; whether there was one.
    pub(crate) async fn step(&mut self, source: &Kustomer) -> Result<bool> {
        let Some((shard, cursor)) = self.todo.front().cloned() else {
            return Ok(false);
        };
        let page = source.page(&self.cx, &shard, cursor).await?;
        for record in page.records {
            assert!(
                shard.yields.contains(&record.kind()),
                "{} brings {}",
                shard.id,
                record.key()
            );
            self.seen.0.lock().unwrap().insert(record.key().clone());
            let newer = |known: &Record| {
                let revisions = known.meta().revision.zip(record.meta().revision);
                revisions.is_none_or(|(old, new)| new >= old)
            };
            if self.records.get(record.key()).is_none_or(newer) {
                self.records.insert(record.key().clone(), record);
            }
        }
        self.rejects.extend(page.rejects);
        self.skips.extend(page.skips);
        self.notes.extend(page.notes);
        self.complete.extend(page.complete);
        for spawned in page.spawn {
            if self.shards.insert(spawned.id.clone()) {
                self.todo.push_back((spawned, None));
            }
        }
        match page.next {
            // A cursor must survive being written down.
            Next::More(cursor) => {
                let text = serde_json::to_string(&cursor).unwrap();
                assert!(text.len() < 800, "a cursor of constant size: {text}");
                self.todo[0].1 = Some(serde_json::from_str(&text).unwrap());
            }
            Next::End(mark) => {
                self.ends.insert(shard.id.clone(), mark);
                self.todo.pop_front();
            }
        }
        Ok(true)
    }

    pub(crate) async fn finish(&mut self, source: &Kustomer) -> Result<()> {
        while self.step(source).await? {}
        Ok(())
    }

    pub(crate) fn count(&self, kind: RecordKind) -> usize {
        let all = self.records.values();
        all.filter(|record| record.kind() == kind).count()
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

/// Reads everything.
pub(crate) async fn read_all(source: &Kustomer) -> Result<Reader> {
    read(source, &Scope::default()).await
}

/// Reads what a scope names.
pub(crate) async fn read(source: &Kustomer, scope: &Scope) -> Result<Reader> {
    let mut reader = Reader::new();
    reader.begin(source, scope).await?;
    reader.finish(source).await?;
    Ok(reader)
}

/// The bytes of a file.
pub(crate) async fn bytes(source: &Kustomer, cx: &Context, file: &Attachment) -> Result<Vec<u8>> {
    let stream = source.open(cx, file, 0).await?;
    let pieces: Vec<bytes::Bytes> = stream.try_collect().await?;
    Ok(pieces.concat())
}

pub(crate) fn options(conversations: u64) -> KustomerOptions {
    let mut options = KustomerOptions::default();
    options.content = Content::Made(WorldSpec::new(11, conversations));
    options
}

pub(crate) async fn desk(options: KustomerOptions) -> Desk {
    Desk::start(options).await.unwrap()
}

pub(crate) fn config(desk: &Desk) -> KustomerConfigBuilder {
    KustomerConfig::builder(desk.url(), "rehearsal-key")
        .requests_per_minute(1_000_000)
        .searches_per_minute(1_000_000)
}

pub(crate) fn source(config: KustomerConfigBuilder) -> Kustomer {
    Kustomer::with_retry(config.build().unwrap(), RetryPolicy::default()).unwrap()
}
