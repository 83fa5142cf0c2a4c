//! What is read in which order, with which cursor.

mod aside;
mod entries;
mod exports;
mod key;
mod lists;
mod objects;
mod people;
mod ready;
mod said;
mod streams;
mod window;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32};

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use deskferry_core::http::RetryPolicy;
use deskferry_core::model::{Attachment, Record};
use deskferry_core::source::{
    ByteStream, Capability, Cursor, Page, Readiness, Scope, Shard, Source, Watermark,
};
use deskferry_core::{Context, Error, ErrorKind, RecordKind, Result, Tenant};
use futures::StreamExt as _;
use futures::lock::Mutex;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::client::{Client, Told};
use crate::config::KustomerConfig;
use crate::convert::{self, Ground};
use crate::exports::Tape;
use crate::wire::{Raw, Row};

use lists::Loaded;
use objects::Klasses;
use people::Strangers;
use streams::Stream;

/// The version of cursors and watermarks. A cursor of another one restarts its shard.
const VERSION: u32 = 1;
/// Search lags behind changes by up to a minute, and clocks differ: a read of changes begins this much earlier.
const OVERLAP: TimeDelta = TimeDelta::minutes(5);
/// How often a link to bytes that has died is asked for anew.
const LINK_TRIES: u32 = 3;

const KINDS: &[RecordKind] = &[
    RecordKind::FieldDefinition,
    RecordKind::Team,
    RecordKind::Agent,
    RecordKind::Tag,
    RecordKind::Account,
    RecordKind::Contact,
    RecordKind::Conversation,
    RecordKind::Attachment,
    RecordKind::Message,
    RecordKind::ObjectDefinition,
    RecordKind::ObjectRecord,
    RecordKind::Category,
    RecordKind::Article,
    RecordKind::InventoryItem,
];

/// A Kustomer org as a source. All calls share the limits, and what was learned of tags, teams and attributes.
pub struct Kustomer {
    client: Client,
    config: KustomerConfig,
    tenant: Mutex<Option<(Tenant, Told)>>,
    loaded: Mutex<Option<Arc<Loaded>>>,
    strangers: Strangers,
    klasses: Klasses,
    /// Mails in a row whose record could not be had.
    denials: AtomicU32,
    /// Searches in a row that did not show what conversations say that they hold.
    doubts: AtomicU32,
    /// Whether the key may not ask whom customers were merged into.
    merges_hidden: AtomicBool,
    /// A packed export that is open.
    tape: Mutex<Option<Tape>>,
}

impl Kustomer {
    /// A source from its configuration. Nothing is sent yet.
    ///
    /// # Errors
    /// `Config`: an address or a certificate that cannot be used.
    pub fn new(config: KustomerConfig) -> Result<Self> {
        Self::with_retry(config, RetryPolicy::default())
    }

    /// The same with another patience.
    ///
    /// # Errors
    /// As of [`new`](Self::new).
    pub fn with_retry(config: KustomerConfig, retry: RetryPolicy) -> Result<Self> {
        Ok(Self {
            client: Client::new(&config, retry)?,
            config,
            tenant: Mutex::new(None),
            loaded: Mutex::new(None),
            strangers: Strangers::default(),
            klasses: Klasses::default(),
            denials: AtomicU32::new(0),
            doubts: AtomicU32::new(0),
            merges_hidden: AtomicBool::new(false),
            tape: Mutex::new(None),
        })
    }

    /// The org, by its own id: names of orgs change.
    async fn tenant(&self, cx: &Context) -> Result<Tenant> {
        Ok(self.org(cx).await?.0)
    }

    /// The same with what the answer told beside it.
    async fn org(&self, cx: &Context) -> Result<(Tenant, Told)> {
        let mut kept = self.tenant.lock().await;
        if let Some(known) = kept.as_ref() {
            return Ok(known.clone());
        }
        let (raw, told) = self.client.org(cx).await?;
        let row = Row::read(&raw).map_err(|defect| {
            Error::decode("ask which org this is", &defect.path, defect.reason)
        })?;
        let tenant = Tenant::new(crate::PLATFORM, row.id());
        Ok(kept.insert((tenant, told)).clone())
    }

    fn ground<'a>(&'a self, tenant: &'a Tenant, loaded: &'a Loaded) -> Ground<'a> {
        Ground {
            tenant,
            root: self.client.root(),
            names: &loaded.names,
            definitions: &loaded.definitions,
        }
    }

    fn keep_raw(&self, record: &mut Record, raw: &Raw) {
        if !self.config.keep_raw() {
            return;
        }
        let raw = serde_json::from_str(raw.get()).ok();
        match record {
            Record::Team(r) => r.meta.raw = raw,
            Record::Agent(r) => r.meta.raw = raw,
            Record::Tag(r) => r.meta.raw = raw,
            Record::Account(r) => r.meta.raw = raw,
            Record::Contact(r) => r.meta.raw = raw,
            Record::Conversation(r) => r.meta.raw = raw,
            Record::Message(r) => r.meta.raw = raw,
            Record::ObjectRecord(r) => r.meta.raw = raw,
            _ => {}
        }
    }
}

#[async_trait]
impl Source for Kustomer {
    fn capability(&self) -> Capability {
        Capability::new(crate::PLATFORM, KINDS).with_parallel_shards(self.config.parallel())
    }

    async fn check(&self, cx: &Context) -> Result<Readiness> {
        self.ready(cx).await
    }

    async fn shards(&self, _: &Context, scope: &Scope) -> Result<Vec<Shard>> {
        let since = scope
            .since
            .as_ref()
            .filter(|mark| mark.version == VERSION)
            .and_then(|mark| mark.place.get("at").cloned());
        let moving = |shard: Shard| match &since {
            Some(since) => shard.scoped(json!({ "since": since })),
            None => shard,
        };
        // Without a folder it says what no channel covers, and no more.
        let exports: &[RecordKind] = match self.config.exports() {
            Some(_) => &[
                RecordKind::Contact,
                RecordKind::Account,
                RecordKind::Conversation,
                RecordKind::Message,
                RecordKind::Agent,
                RecordKind::InventoryItem,
            ],
            None => &[RecordKind::InventoryItem],
        };
        let needs: &[RecordKind] = match self.config.exports() {
            Some(_) => &[RecordKind::Agent],
            None => &[],
        };
        let shards = [
            Shard::new(exports::EXPORTS, exports).needing(needs),
            Shard::new("attributes", [RecordKind::FieldDefinition]),
            Shard::new("teams", [RecordKind::Team]),
            Shard::new("tags", [RecordKind::Tag]),
            Shard::new("users", [RecordKind::Agent]),
            moving(Shard::new("notes on customers", [RecordKind::Message])),
            Shard::new(
                "knowledge",
                [
                    RecordKind::Category,
                    RecordKind::Article,
                    RecordKind::Attachment,
                ],
            ),
            Shard::new("inventory", [RecordKind::InventoryItem]),
            moving(Shard::new(
                "klasses",
                [
                    RecordKind::ObjectDefinition,
                    RecordKind::FieldDefinition,
                    RecordKind::ObjectRecord,
                ],
            )),
            moving(Shard::new("companies", [RecordKind::Account])),
            moving(Shard::new("customers", [RecordKind::Contact])),
            moving(
                // Agents only where a conversation names one that no list had.
                Shard::new(
                    "conversations",
                    [RecordKind::Conversation, RecordKind::Agent],
                )
                .needing([RecordKind::Agent]),
            ),
        ];
        // Messages and files are found on the way through the conversations.
        let leads_to = |shard: &Shard, kind: &RecordKind| {
            (shard.yields.contains(kind) && !shard.needs.contains(kind))
                || (shard.id == "conversations"
                    && matches!(kind, RecordKind::Message | RecordKind::Attachment))
        };
        let wanted = |shard: &Shard| {
            scope.kinds.is_empty() || scope.kinds.iter().any(|kind| leads_to(shard, kind))
        };
        Ok(shards.into_iter().filter(wanted).collect())
    }

    async fn page(&self, cx: &Context, shard: &Shard, after: Option<Cursor>) -> Result<Page> {
        match shard.id.as_str() {
            "attributes" => self.attributes_page(cx).await,
            "teams" => self.teams_page(cx).await,
            "tags" => self.tags_page(cx).await,
            "klasses" => self.klasses_page(cx, shard).await,
            "notes on customers" => self.loose_notes_page(cx, shard, after).await,
            "knowledge" => self.knowledge_page(cx).await,
            "inventory" => self.inventory_page(cx).await,
            "users" => self.users_page(cx, after).await,
            "companies" => self.stream_page(cx, Stream::Companies, shard, after).await,
            "customers" => self.stream_page(cx, Stream::Customers, shard, after).await,
            "conversations" => {
                self.stream_page(cx, Stream::Conversations, shard, after)
                    .await
            }
            id if id.starts_with(objects::PREFIX) => self.objects_page(cx, shard, after).await,
            exports::EXPORTS => self.exports_page(cx, after).await,
            id if id.starts_with(said::PREFIX) => self.said_page(cx, shard).await,
            id if id.starts_with(entries::PREFIX) => self.entries_page(cx, shard, after).await,
            id => Err(Error::new(
                ErrorKind::Mismatch,
                "read a part of Kustomer",
                format!("there is no part `{id}`"),
            )
            .advise(
                "The workspace was made by another version: use that one, or start a new workspace",
            )),
        }
    }

    async fn open(&self, cx: &Context, file: &Attachment, from: u64) -> Result<ByteStream> {
        const DOWNLOAD: &str = "download a file";
        let about = &file.meta.key;
        let none = |why: &str| Error::new(ErrorKind::NotFound, DOWNLOAD, why).of(about.clone());
        let place = convert::locate(&file.locator)
            .ok_or_else(|| none("Kustomer gave no address for it"))?;
        let mut refused = 0;
        for _ in 0..LINK_TRIES {
            // Links live for ten minutes, so each is asked for when it is used.
            let raw = self.client.attachment(cx, place, about).await?;
            let row = Row::read(&raw).map_err(|defect| {
                Error::decode("ask for a file's address", &defect.path, defect.reason)
            })?;
            let link = row.link("related").ok_or_else(|| {
                none("Kustomer knows the file's name only: its bytes are kept elsewhere")
            })?;
            let answer = self.client.bytes(cx, link, about).await?;
            match answer.status {
                200..=299 => return Ok(skip(answer.body, from)),
                400 | 403 => refused = answer.status,
                404 | 410 => return Err(none("the store of files does not have it (any more)")),
                status => {
                    return Err(Error::new(
                        ErrorKind::Unavailable,
                        DOWNLOAD,
                        format!("the store of files answered {status}"),
                    )
                    .of(about.clone()));
                }
            }
        }
        Err(Error::new(
            ErrorKind::Unavailable,
            DOWNLOAD,
            format!("the store of files refused {LINK_TRIES} fresh links ({refused})"),
        )
        .of(about.clone())
        .advise("Compare this machine's clock with the time: links live for ten minutes"))
    }
}

impl fmt::Debug for Kustomer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kustomer")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// The same bytes from an offset on.
fn skip(body: ByteStream, from: u64) -> ByteStream {
    if from == 0 {
        return body;
    }
    let mut left = from;
    Box::pin(body.filter_map(move |piece| {
        let kept = match piece {
            Ok(piece) => {
                let dropped = left.min(piece.len() as u64);
                left -= dropped;
                let rest = piece.slice(usize::try_from(dropped).unwrap_or(piece.len())..);
                (!rest.is_empty()).then_some(Ok(rest))
            }
            Err(error) => Some(Err(error)),
        };
        futures::future::ready(kept)
    }))
}

/// The id of a row, if even a broken row has one.
fn id_of(raw: &Raw) -> Option<String> {
    Some(Row::read(raw).ok()?.id().to_owned())
}

fn cursor<T: Serialize>(place: &T) -> Result<Cursor> {
    let place = serde_json::to_value(place)
        .map_err(|error| Error::bug("write down a cursor", error.to_string()))?;
    Ok(Cursor {
        version: VERSION,
        place,
    })
}

/// The place of a cursor of ours; none of another version or shape.
fn read_place<T: DeserializeOwned>(cursor: Option<Cursor>) -> Option<T> {
    let cursor = cursor.filter(|cursor| cursor.version == VERSION)?;
    serde_json::from_value(cursor.place).ok()
}

fn watermark(at: DateTime<Utc>) -> Watermark {
    Watermark {
        version: VERSION,
        place: json!({ "at": at.to_rfc3339_opts(SecondsFormat::Millis, true) }),
    }
}
