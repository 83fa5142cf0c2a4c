//! Kayako Classic, versions 3 and 4 (Kayako reference, section 19). It shares nothing on the wire with the cloud.

mod bytes;
mod client;
mod convert;
mod knowledge;
mod lists;
mod sign;
mod tickets;
mod walk;
mod xml;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, Utc};
use deskferry_core::http::RetryPolicy;
use deskferry_core::model::Attachment;
use deskferry_core::source::{
    ByteStream, Capability, Cursor, Page, Readiness, Scope, Shard, Source, Watermark,
};
use deskferry_core::{Context, Error, ErrorKind, RecordKind, Result, Tenant};
use futures::lock::Mutex;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::config::ClassicConfig;
use client::Client;
use lists::{Loaded, Met};

/// The platform's name, as in keys: numbers of Classic and of the cloud are counted apart, even of one helpdesk.
const PLATFORM: &str = "kayako-classic";

/// The version of cursors and watermarks. A cursor of another one restarts its shard.
const VERSION: u32 = 1;

const KINDS: &[RecordKind] = &[
    RecordKind::FieldDefinition,
    RecordKind::Team,
    RecordKind::Agent,
    RecordKind::Account,
    RecordKind::Contact,
    RecordKind::Conversation,
    RecordKind::Attachment,
    RecordKind::Message,
    RecordKind::Category,
    RecordKind::Article,
];

/// A Kayako Classic helpdesk as a source: departments, staff, users, organisations, tickets with posts, notes, files and custom
/// values, and the knowledge base. It only reads.
pub struct Classic {
    client: Client,
    config: ClassicConfig,
    tenant: Tenant,
    loaded: Mutex<Option<Arc<Loaded>>>,
    met: Met,
}

impl Classic {
    /// A source from its configuration. Nothing is sent yet.
    ///
    /// # Errors
    /// `Config`: an address or a certificate that cannot be used.
    pub fn new(config: ClassicConfig) -> Result<Self> {
        Self::with_retry(config, RetryPolicy::default())
    }

    /// The same with another patience.
    ///
    /// # Errors
    /// As of [`new`](Self::new).
    pub fn with_retry(config: ClassicConfig, retry: RetryPolicy) -> Result<Self> {
        Ok(Self {
            client: Client::new(&config, retry)?,
            tenant: Tenant::new(PLATFORM, config.instance()),
            config,
            loaded: Mutex::new(None),
            met: Met::default(),
        })
    }
}

#[async_trait]
impl Source for Classic {
    fn capability(&self) -> Capability {
        Capability::new(PLATFORM, KINDS).with_parallel_shards(self.config.parallel())
    }

    async fn check(&self, cx: &Context) -> Result<Readiness> {
        let at = self.client.probe(cx).await?;
        let mut readiness = Readiness::new(self.tenant.clone(), "the key of the REST interface");
        readiness.product = Some("Kayako Classic".to_owned());
        readiness.server_time = at;
        readiness.limits.push(self.config.rate().told());
        if self.config.dates() == crate::Dates::Auto {
            readiness.warnings.push("how this helpdesk writes days is not known: of days in custom fields, those that can be read in two ways stay text. Say it with `dates`".to_owned());
        }
        Ok(readiness)
    }

    async fn shards(&self, _: &Context, scope: &Scope) -> Result<Vec<Shard>> {
        let since = scope
            .since
            .as_ref()
            .filter(|mark| mark.version == VERSION)
            .and_then(|mark| mark.place.get("at").cloned());
        let tickets =
            Shard::new("tickets", [RecordKind::Conversation, RecordKind::Agent]).needing([
                RecordKind::FieldDefinition,
                RecordKind::Account,
                RecordKind::Agent,
                RecordKind::Contact,
            ]);
        let shards = [
            Shard::new("definitions", [RecordKind::FieldDefinition]),
            Shard::new("departments", [RecordKind::Team]),
            Shard::new("organizations", [RecordKind::Account]),
            // Users name their organisation, which may be gone.
            Shard::new("staff", [RecordKind::Agent]),
            Shard::new("users", [RecordKind::Contact]).needing([RecordKind::Account]),
            match since {
                Some(since) => tickets.scoped(json!({ "since": since })),
                None => tickets,
            },
            Shard::new(
                "knowledge",
                [
                    RecordKind::Category,
                    RecordKind::Article,
                    RecordKind::Attachment,
                ],
            ),
        ];
        let leads_to = |shard: &Shard, kind: &RecordKind| {
            (shard.yields.contains(kind) && !shard.needs.contains(kind))
                || (shard.id == "tickets"
                    && matches!(kind, RecordKind::Message | RecordKind::Attachment))
        };
        let wanted = |shard: &Shard| {
            scope.kinds.is_empty() || scope.kinds.iter().any(|kind| leads_to(shard, kind))
        };
        Ok(shards.into_iter().filter(wanted).collect())
    }

    async fn page(&self, cx: &Context, shard: &Shard, after: Option<Cursor>) -> Result<Page> {
        match shard.id.as_str() {
            "definitions" => self.definitions_page(cx).await,
            "departments" => self.departments_page(cx).await,
            "organizations" => self.organizations_page(cx).await,
            "staff" => self.staff_page(cx).await,
            "users" => self.users_page(cx, after).await,
            "tickets" => self.tickets_page(cx, shard, after).await,
            "knowledge" => self.knowledge_page(cx).await,
            id if id.starts_with(tickets::PREFIX) => self.ticket_page(cx, shard, after).await,
            id => Err(Error::new(
                ErrorKind::Mismatch,
                "read a part of Kayako Classic",
                format!("there is no part `{id}`"),
            )
            .advise(
                "The workspace was made by another version: use that one, or start a new workspace",
            )),
        }
    }

    async fn open(&self, cx: &Context, file: &Attachment, from: u64) -> Result<ByteStream> {
        let about = file.meta.key.clone();
        let Some(place) = file.locator.get("classic").and_then(Value::as_str) else {
            return Err(Error::new(
                ErrorKind::NotFound,
                "download an attachment",
                "Kayako Classic gave no place for it",
            )
            .of(about));
        };
        let answer = self.client.file(cx, place, about.clone()).await?;
        let bytes = self::bytes::contents(answer.body, about);
        Ok(match from {
            0 => bytes,
            from => crate::source::skip(bytes, from),
        })
    }
}

impl fmt::Debug for Classic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Classic")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
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
