//! Where records come from.

use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_core::Stream;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::context::Context;
use crate::error::Result;
use crate::key::{RecordKey, RecordKind, Tenant};
use crate::model::{Attachment, Record};
use crate::report::Estimate;

/// Bytes as they arrive.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>;

/// A platform that is read.
///
/// Every method may be dropped at any await and called again; nothing is remembered between calls but what can be had
/// again (a session, definitions). Nothing sleeps but by the context's clock.
#[async_trait]
pub trait Source: Send + Sync {
    /// What this connector can do; constant.
    fn capability(&self) -> Capability;

    /// Asks the platform who we are and what we may read. Reads only.
    async fn check(&self, cx: &Context) -> Result<Readiness>;

    /// What a full read takes, found out with few requests before it begins. Nothing where the connector cannot tell. Reads
    /// only, and keeps nothing.
    ///
    /// What is still to come of a read that is under way is told by [`Meter::foresee`](crate::http::Meter::foresee).
    async fn estimate(&self, _cx: &Context) -> Result<Option<Estimate>> {
        Ok(None)
    }

    /// The independent parts of a full read. The ids are stable: the same call later names the same parts.
    async fn shards(&self, cx: &Context, scope: &Scope) -> Result<Vec<Shard>>;

    /// The next page of a shard, after the place that the cursor names; the first one without a cursor.
    ///
    /// A row that cannot become a record is a [`Reject`] of the page, never an error; an error ends the shard.
    /// A cursor of an unknown version restarts the shard.
    async fn page(&self, cx: &Context, shard: &Shard, after: Option<Cursor>) -> Result<Page>;

    /// The bytes of a file from an offset. Expired links are resolved again here.
    async fn open(&self, cx: &Context, file: &Attachment, from: u64) -> Result<ByteStream>;
}

/// What a source connector can do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capability {
    /// The platform's name, as in keys.
    pub platform: &'static str,
    /// The kinds it can bring.
    pub kinds: &'static [RecordKind],
    /// Whether files can be opened from an offset.
    pub resumable_files: bool,
    /// How many shards may usefully be read at once.
    pub parallel_shards: usize,
}

impl Capability {
    /// A platform that brings `kinds`, one shard at a time.
    #[must_use]
    pub const fn new(platform: &'static str, kinds: &'static [RecordKind]) -> Self {
        Self {
            platform,
            kinds,
            resumable_files: false,
            parallel_shards: 1,
        }
    }

    /// The same, with this many shards at once.
    #[must_use]
    pub const fn with_parallel_shards(mut self, shards: usize) -> Self {
        self.parallel_shards = shards;
        self
    }
}

/// What a source's [`Source::check`] found.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Readiness {
    /// The tenant, by the platform's own id.
    pub tenant: Tenant,
    /// The account we use, for people.
    pub account: String,
    /// What answered, with its version, where it tells.
    pub product: Option<String>,
    /// What people should know before the read: a role that sees too little, a licence that ends.
    pub warnings: Vec<String>,
    /// The platform's clock, where it tells.
    pub server_time: Option<DateTime<Utc>>,
    /// Its limits and how they are kept, for people, where that is known.
    pub limits: Vec<String>,
}

impl Readiness {
    /// A tenant read through an account.
    #[must_use]
    pub fn new(tenant: Tenant, account: impl Into<String>) -> Self {
        Self {
            tenant,
            account: account.into(),
            product: None,
            warnings: Vec::new(),
            server_time: None,
            limits: Vec::new(),
        }
    }
}

/// What to read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Scope {
    /// Only these kinds; all when empty.
    pub kinds: Vec<RecordKind>,
    /// Only what changed since, per shard: the watermarks of the last read.
    pub since: Option<Watermark>,
}

/// An independent part of a read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shard {
    /// Its name: stable, unique within the tenant.
    pub id: String,
    /// The kinds that it can bring, itself or through shards that its pages spawn: what waits for a kind waits for it.
    pub yields: Vec<RecordKind>,
    /// The kinds that must be read to the end before it starts (to tell agents from customers, say).
    #[serde(default)]
    pub needs: Vec<RecordKind>,
    /// What the source needs to know of it.
    #[serde(default)]
    pub scope: Value,
}

impl Shard {
    /// A part that brings these kinds.
    pub fn new(id: impl Into<String>, yields: impl Into<Vec<RecordKind>>) -> Self {
        Self {
            id: id.into(),
            yields: yields.into(),
            needs: Vec::new(),
            scope: Value::Null,
        }
    }

    /// The same part, once these kinds are complete.
    #[must_use]
    pub fn needing(mut self, needs: impl Into<Vec<RecordKind>>) -> Self {
        self.needs = needs.into();
        self
    }

    /// The same part with what the source needs to know of it.
    #[must_use]
    pub fn scoped(mut self, scope: Value) -> Self {
        self.scope = scope;
        self
    }
}

/// A place in a shard: opaque, made and understood by its source alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cursor {
    /// The source's own version of `place`.
    pub version: u32,
    /// The place.
    pub place: Value,
}

/// Where the next delta starts: opaque like a [`Cursor`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watermark {
    /// The source's own version of `place`.
    pub version: u32,
    /// The place, as JSON.
    pub place: Value,
}

/// What follows a page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Next {
    /// More, after this cursor.
    More(Cursor),
    /// The shard is read; the next delta starts here.
    End(Watermark),
}

/// Records, the rows that could not become records, and where to go on.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// What was read. A record that was read before with other contents replaces the earlier one.
    pub records: Vec<Record>,
    /// Records that no target shall load, each with its reason. They are in `records` too, or were read before: a record that
    /// is gone from the source is skipped by the page that finds it out.
    pub skips: Vec<Skip>,
    /// Rows that could not become records.
    pub rejects: Vec<Reject>,
    /// Conversations all of whose messages and attachments have now been yielded.
    pub complete: Vec<RecordKey>,
    /// Shards found on the way.
    pub spawn: Vec<Shard>,
    /// What people should know: a list that moved, a case that vanished.
    pub notes: Vec<String>,
    /// Where to go on.
    pub next: Next,
}

impl Page {
    /// A page of records.
    #[must_use]
    pub fn new(records: Vec<Record>, next: Next) -> Self {
        Self {
            records,
            skips: Vec::new(),
            rejects: Vec::new(),
            complete: Vec::new(),
            spawn: Vec::new(),
            notes: Vec::new(),
            next,
        }
    }
}

/// A record that no target shall load.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skip {
    /// The record.
    pub key: RecordKey,
    /// Why: a short slug such as `note-on-person`.
    pub reason: String,
}

/// A row that could not become a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reject {
    /// What it should have become.
    pub kind: RecordKind,
    /// The source's id, if it could be read.
    pub id: Option<String>,
    /// The JSON path at which it broke.
    pub path: String,
    /// What was wrong there.
    pub reason: String,
    /// The row as it came.
    pub raw: String,
}

/// Conveniences on shared sources.
pub trait SourceExt: Source {
    /// All pages of a shard, one after the other. An error ends the stream for good.
    fn pages(
        self: &Arc<Self>,
        cx: &Context,
        shard: Shard,
        after: Option<Cursor>,
    ) -> Pin<Box<dyn Stream<Item = Result<Page>> + Send>>
    where
        Self: 'static,
    {
        let source = Arc::clone(self);
        let cx = cx.clone();
        let first = Some((after, shard));
        Box::pin(futures::stream::unfold(first, move |state| {
            let source = Arc::clone(&source);
            let cx = cx.clone();
            async move {
                let (after, shard) = state?;
                match source.page(&cx, &shard, after).await {
                    Ok(page) => {
                        let state = match &page.next {
                            Next::More(cursor) => Some((Some(cursor.clone()), shard)),
                            Next::End(_) => None,
                        };
                        Some((Ok(page), state))
                    }
                    Err(error) => Some((Err(error), None)),
                }
            }
        }))
    }
}

impl<S: Source + ?Sized> SourceExt for S {}
