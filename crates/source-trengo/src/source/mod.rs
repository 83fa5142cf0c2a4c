//! What is read in which order, with which cursor.

mod estimate;
mod inventory;
mod knowledge;
mod people;
mod reports;
mod setup;
mod ticket;
mod tickets;
mod webhooks;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, Utc};
use deskferry_core::http::RetryPolicy;
use deskferry_core::model::{Attachment, Record};
use deskferry_core::report::Estimate;
use deskferry_core::source::{
    ByteStream, Capability, Cursor, Page, Readiness, Scope, Shard, Source, Watermark,
};
use deskferry_core::{Context, Error, ErrorKind, RecordKind, Result};
use futures::StreamExt as _;
use futures::lock::Mutex;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::client::Client;
use crate::config::{Rate, TrengoConfig};
use crate::convert::{self, Archive};
use crate::wire::{Row, redacted};

use knowledge::Centres;
use people::Joining;
use setup::Setup;

/// The version of cursors and watermarks. A cursor of another one restarts its shard.
const VERSION: u32 = 1;

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
    RecordKind::Category,
    RecordKind::Article,
    RecordKind::ObjectDefinition,
    RecordKind::ObjectRecord,
    RecordKind::AgentStatistics,
    RecordKind::InventoryItem,
];

/// A Trengo workspace as a source. Cheap calls share one limit, and the lists that are short.
pub struct Trengo {
    client: Client,
    config: TrengoConfig,
    setup: Mutex<Option<Arc<Setup>>>,
    joining: Mutex<Joining>,
    centres: Mutex<Option<Arc<Centres>>>,
    /// The ids of all tickets, while a sweep goes on.
    ids: Mutex<Option<Arc<Vec<u64>>>>,
    archive: Mutex<Option<Arc<Archive>>>,
}

impl Trengo {
    /// A source from its configuration. Nothing is sent yet.
    ///
    /// # Errors
    /// `Config`: an address or a certificate that cannot be used.
    pub fn new(config: TrengoConfig) -> Result<Self> {
        Self::with_retry(config, RetryPolicy::default())
    }

    /// The same with another patience.
    ///
    /// # Errors
    /// As of [`new`](Self::new).
    pub fn with_retry(config: TrengoConfig, retry: RetryPolicy) -> Result<Self> {
        Ok(Self {
            client: Client::new(&config, retry)?,
            config,
            setup: Mutex::new(None),
            joining: Mutex::new(Joining::default()),
            centres: Mutex::new(None),
            ids: Mutex::new(None),
            archive: Mutex::new(None),
        })
    }

    fn keep_raw(&self, record: &mut Record, row: &Value) {
        if !self.config.keep_raw() {
            return;
        }
        let raw = Some(redacted(row));
        match record {
            Record::FieldDefinition(r) => r.meta.raw = raw,
            Record::Team(r) => r.meta.raw = raw,
            Record::Agent(r) => r.meta.raw = raw,
            Record::Tag(r) => r.meta.raw = raw,
            Record::Account(r) => r.meta.raw = raw,
            Record::Contact(r) => r.meta.raw = raw,
            Record::Conversation(r) => r.meta.raw = raw,
            Record::Message(r) => r.meta.raw = raw,
            Record::Category(r) => r.meta.raw = raw,
            Record::Article(r) => r.meta.raw = raw,
            _ => {}
        }
    }
}

#[async_trait]
impl Source for Trengo {
    fn capability(&self) -> Capability {
        // One list that moves; what runs side by side is within its pages.
        Capability::new(crate::PLATFORM, KINDS)
    }

    async fn check(&self, cx: &Context) -> Result<Readiness> {
        let setup = self.setup(cx).await?;
        let me = setup::user_of_token(self.config.token());
        let me = me.and_then(|id| setup.user(id));
        let mut readiness = Readiness::new(
            setup.ground.tenant.clone(),
            me.and_then(|row| row.first_text(&["full_name", "name", "email"]))
                .unwrap_or_else(|| "a personal access token".to_owned()),
        );
        readiness.warnings.extend(setup::sees_too_little(me));
        readiness.warnings.extend(setup.notes.iter().cloned());
        readiness.server_time = setup.server_time;
        readiness.product = Some("Trengo, API version 2".to_owned());
        readiness.limits.push(match self.config.rate() {
            Rate::Told => "as many requests a minute as the answers tell, usually 120".to_owned(),
            Rate::AtMost(requests) => {
                format!("at most {requests} requests a minute, as configured")
            }
        });
        Ok(readiness)
    }

    async fn estimate(&self, cx: &Context) -> Result<Option<Estimate>> {
        self.foretell(cx).await.map(Some)
    }

    async fn shards(&self, _: &Context, scope: &Scope) -> Result<Vec<Shard>> {
        let since = scope
            .since
            .as_ref()
            .filter(|mark| mark.version == VERSION && mark.place.get("at").is_some())
            .map(|mark| json!({ "since": mark.place["at"], "told": mark.place.get("told") }));
        // It may add users, teams and contacts that no list had; those that it needs complete are the lists' own.
        let tickets = Shard::new(
            "tickets",
            [
                RecordKind::Conversation,
                RecordKind::Message,
                RecordKind::Attachment,
                RecordKind::Agent,
                RecordKind::Team,
                RecordKind::Contact,
                RecordKind::FieldDefinition,
                RecordKind::ObjectRecord,
                RecordKind::InventoryItem,
            ],
        )
        .needing([
            RecordKind::FieldDefinition,
            RecordKind::Team,
            RecordKind::Agent,
            RecordKind::Account,
            RecordKind::Contact,
        ]);
        let mut shards = vec![
            Shard::new(
                "setup",
                [
                    RecordKind::FieldDefinition,
                    RecordKind::ObjectDefinition,
                    RecordKind::Team,
                    RecordKind::Agent,
                    RecordKind::Tag,
                ],
            ),
            Shard::new("people", [RecordKind::Account, RecordKind::Contact])
                .needing([RecordKind::FieldDefinition]),
            match since {
                Some(since) => tickets.scoped(since),
                None => tickets,
            },
            Shard::new(
                "knowledge",
                [
                    RecordKind::Category,
                    RecordKind::Article,
                    RecordKind::Attachment,
                ],
            )
            .needing([RecordKind::Agent]),
            Shard::new("inventory", [RecordKind::InventoryItem]),
        ];
        if self.config.report_months() > 0 {
            let kinds = [RecordKind::AgentStatistics, RecordKind::InventoryItem];
            shards.push(Shard::new("reports", kinds));
        }
        let brings = |shard: &Shard, kind: &RecordKind| {
            // Rules are named by tickets in passing: nobody reads all tickets for them.
            let in_passing = shard.id == "tickets" && *kind == RecordKind::InventoryItem;
            shard.yields.contains(kind) && !shard.needs.contains(kind) && !in_passing
        };
        let wanted = |shard: &Shard| {
            scope.kinds.is_empty() || scope.kinds.iter().any(|kind| brings(shard, kind))
        };
        Ok(shards.into_iter().filter(wanted).collect())
    }

    async fn page(&self, cx: &Context, shard: &Shard, after: Option<Cursor>) -> Result<Page> {
        match shard.id.as_str() {
            "setup" => self.setup_page(cx).await,
            "people" => self.people_page(cx, after).await,
            "knowledge" => self.knowledge_page(cx, after).await,
            "inventory" => self.inventory_page(cx).await,
            "reports" => self.reports_page(cx, after).await,
            "tickets" => self.tickets_page(cx, shard, after).await,
            id => Err(Error::new(
                ErrorKind::Mismatch,
                "read a part of Trengo",
                format!("there is no part `{id}`"),
            )
            .advise(
                "The workspace was made by another version: use that one, or start a new workspace",
            )),
        }
    }

    async fn open(&self, cx: &Context, file: &Attachment, from: u64) -> Result<ByteStream> {
        let about = &file.meta.key;
        let Some(located) = convert::located(&file.locator) else {
            return Err(Error::new(
                ErrorKind::NotFound,
                "download a file",
                "Trengo gave no address for it",
            )
            .of(about.clone()));
        };
        let answer = match self.client.file(cx, &located.address, about).await {
            Err(error) if is_gone(&error) => {
                // Addresses may expire: its message, read again, brings a fresh one.
                let fresh = match (&located.id, located.ticket, located.message) {
                    (Some(id), Some(ticket), Some(message)) => {
                        let read = self
                            .client
                            .message(cx, ticket, message, about.clone())
                            .await?;
                        read.and_then(|row| convert::fresh_address(Row(&row), id))
                    }
                    _ => None,
                };
                match fresh.filter(|fresh| *fresh != located.address) {
                    Some(fresh) => self.client.file(cx, &fresh, about).await?,
                    None => return Err(error),
                }
            }
            answer => answer?,
        };
        Ok(if from == 0 {
            answer.body
        } else {
            skip(answer.body, from)
        })
    }
}

impl fmt::Debug for Trengo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trengo")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

fn is_gone(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Forbidden)
}

/// The same bytes from an offset on: whether the hosts of files know ranges is not documented.
fn skip(body: ByteStream, from: u64) -> ByteStream {
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
        place: json!({ "at": at.to_rfc3339_opts(SecondsFormat::Secs, true) }),
    }
}

/// Tells what would have been needed at the least for work that was done.
fn needed(cx: &Context, lot: &'static str, rows: usize, page: usize) {
    #[expect(
        clippy::cast_precision_loss,
        reason = "rows of a list are far below 2^52"
    )]
    cx.meter()
        .needed(crate::PLATFORM, lot, rows as f64 / page as f64);
}

/// What a page of a list is known by: a page that comes twice in a row is an error, not progress.
fn fingerprint(rows: &[Value]) -> String {
    let mut hash = blake3::Hasher::new();
    for row in rows {
        let id = Row(row).number("id").unwrap_or_default();
        hash.update(&id.to_le_bytes());
    }
    hash.finalize().to_hex()[..16].to_owned()
}

/// The error of a list that does not move on.
fn stuck(operation: &'static str, page: u64) -> Error {
    Error::new(
        ErrorKind::Protocol,
        operation,
        format!("page {page} is the page before once more"),
    )
    .advise("Reading on would never end; run `resume` to read on from this page")
}
