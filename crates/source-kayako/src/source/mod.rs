//! What is read in which order, with which cursor.

mod beside;
mod cases;
mod centre;
mod inventory;
mod lists;
mod people;
mod posts;
mod sweep;
mod take;
mod walk;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, Utc};
use deskferry_core::http::RetryPolicy;
use deskferry_core::model::{Attachment, Record};
use deskferry_core::source::{
    ByteStream, Capability, Cursor, Page, Readiness, Scope, Shard, Source, Watermark,
};
use deskferry_core::{Context, Error, ErrorKind, RecordKind, Result};
use futures::StreamExt as _;
use futures::lock::Mutex;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::client::{Client, Configuration, List, Me};
use crate::config::KayakoConfig;
use crate::convert::{self, Located};
use crate::wire::{self, Raw, Stub};

use beside::{Booked, Labels};
use centre::Tree;
use inventory::Named;
use lists::Loaded;
use people::Strangers;

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
    RecordKind::InventoryItem,
];

/// A Kayako instance as a source. Cheap calls share one session, one limit and the definitions of custom fields.
pub struct Kayako {
    client: Client,
    config: KayakoConfig,
    definitions: Mutex<Option<Arc<Loaded>>>,
    roles: Mutex<Option<HashMap<u64, String>>>,
    /// Lists of configuration that several parts need.
    configured: Mutex<Vec<(Configuration, Arc<Vec<Raw>>)>>,
    labels: Mutex<Option<Arc<Labels>>>,
    booked: Mutex<Option<Arc<Booked>>>,
    named: Mutex<Option<Arc<Named>>>,
    centre: Mutex<Option<Arc<Tree>>>,
    strangers: Strangers,
    agents: std::sync::Mutex<BTreeMap<u64, String>>,
    /// Cases in a row whose posts were refused.
    denials: AtomicU32,
}

impl Kayako {
    /// A source from its configuration. Nothing is sent yet.
    ///
    /// # Errors
    /// `Config`: an address or a certificate that cannot be used.
    pub fn new(config: KayakoConfig) -> Result<Self> {
        // Large pages are slow and Kayako's own waits reach ten minutes (Kayako reference, section 5).
        Self::with_retry(config, RetryPolicy::default())
    }

    /// The same with another patience.
    ///
    /// # Errors
    /// As of [`new`](Self::new).
    pub fn with_retry(config: KayakoConfig, retry: RetryPolicy) -> Result<Self> {
        Ok(Self {
            client: Client::new(&config, retry)?,
            config,
            definitions: Mutex::new(None),
            roles: Mutex::new(None),
            configured: Mutex::new(Vec::new()),
            labels: Mutex::new(None),
            booked: Mutex::new(None),
            named: Mutex::new(None),
            centre: Mutex::new(None),
            strangers: Strangers::default(),
            agents: std::sync::Mutex::default(),
            denials: AtomicU32::new(0),
        })
    }

    /// Ends the session at the platform. Optional: sessions expire by themselves. The next call would log in again.
    ///
    /// # Errors
    /// The platform could not be reached.
    pub async fn log_out(&self, cx: &Context) -> Result<()> {
        self.client.log_out(cx).await
    }

    /// A page of a part, without regard to what vanished.
    async fn usual_page(&self, cx: &Context, shard: &Shard, after: Option<Cursor>) -> Result<Page> {
        match shard.id.as_str() {
            "definitions" => self.definitions_page(cx).await,
            "teams" => self.list_page(cx, List::Teams, after).await,
            "organizations" => self.list_page(cx, List::Organizations, after).await,
            "people" => self.list_page(cx, List::Users, after).await,
            "help-centre" => self.centre_page(cx, after).await,
            "inventory" => self.inventory_page(cx, after).await,
            "cases" => self.cases_page(cx, shard, after).await,
            id if id.starts_with(posts::PREFIX) => self.posts_page(cx, shard, after).await,
            id => Err(Error::new(
                ErrorKind::Mismatch,
                "read a part of Kayako",
                format!("there is no part `{id}`"),
            )
            .advise(
                "The workspace was made by another version: use that one, or start a new workspace",
            )),
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
impl Source for Kayako {
    fn capability(&self) -> Capability {
        Capability::new(crate::PLATFORM, KINDS).with_parallel_shards(self.config.parallel())
    }

    async fn check(&self, cx: &Context) -> Result<Readiness> {
        let tenant = self.client.tenant(cx).await?;
        let Me {
            user: me,
            server_time,
            api_version,
        } = self.client.me(cx).await?;
        let role = me.role.clone().unwrap_or_default();
        let mut readiness = Readiness::new(
            tenant,
            match self.config.email() {
                Some(email) => format!("{} <{email}>", me.full_name),
                None => me.full_name.clone(),
            },
        );
        readiness
            .warnings
            .extend(sees_too_little(&role, &me.agent_case_access));
        readiness.warnings.extend(self.client.forgets());
        readiness.server_time = server_time;
        readiness.product = Some(match api_version {
            Some(version) => format!("Kayako in the cloud, API version {version}"),
            None => "Kayako in the cloud".to_owned(),
        });
        readiness.limits.push(self.config.rate().told());
        Ok(readiness)
    }

    async fn shards(&self, _: &Context, scope: &Scope) -> Result<Vec<Shard>> {
        let since = scope
            .since
            .as_ref()
            .filter(|mark| mark.version == VERSION)
            .and_then(|mark| mark.place.get("at").cloned());
        // It may add an agent or a contact that no list had; those that it needs complete are the lists' own.
        let cases = Shard::new(
            "cases",
            [
                RecordKind::Conversation,
                RecordKind::Agent,
                RecordKind::Contact,
            ],
        )
        .needing([
            RecordKind::FieldDefinition,
            RecordKind::Account,
            RecordKind::Agent,
            RecordKind::Contact,
        ]);
        // What is set up is told as a whole: a read of changes, which nobody reads as a list, leaves it out unless asked.
        let is_changes = since.is_some();
        let is_whole = !is_changes || scope.kinds.contains(&RecordKind::InventoryItem);
        let shards = [
            Shard::new("definitions", [RecordKind::FieldDefinition]),
            Shard::new("teams", [RecordKind::Team]),
            Shard::new("organizations", [RecordKind::Account]),
            Shard::new("people", [RecordKind::Agent, RecordKind::Contact]),
            match since {
                Some(since) => cases.scoped(json!({ "since": since })),
                None => cases,
            },
            Shard::new(
                "help-centre",
                [
                    RecordKind::Category,
                    RecordKind::Article,
                    RecordKind::Attachment,
                ],
            ),
            // Its rules name agents.
            Shard::new("inventory", [RecordKind::InventoryItem]).needing([RecordKind::Agent]),
        ];
        // Messages and files are found on the way through the cases.
        let leads_to = |shard: &Shard, kind: &RecordKind| {
            (shard.yields.contains(kind) && !shard.needs.contains(kind))
                || (shard.id == "cases"
                    && matches!(kind, RecordKind::Message | RecordKind::Attachment))
        };
        let sweeps = is_changes && self.config.sweep();
        let wanted = |shard: &Shard| {
            if shard.id == "inventory" && !is_whole {
                return false;
            }
            scope.kinds.is_empty() || scope.kinds.iter().any(|kind| leads_to(shard, kind))
        };
        let shards = shards.into_iter().filter(wanted);
        Ok(match sweeps {
            true => shards.map(sweep::swept).collect(),
            false => shards.collect(),
        })
    }

    async fn page(&self, cx: &Context, shard: &Shard, after: Option<Cursor>) -> Result<Page> {
        if sweep::is_swept(shard) {
            return self.swept_page(cx, shard, after).await;
        }
        self.usual_page(cx, shard, after).await
    }

    async fn open(&self, cx: &Context, file: &Attachment, from: u64) -> Result<ByteStream> {
        let about = file.meta.key.clone();
        let answer = match convert::locate(&file.locator) {
            Some(Located::Media(path)) => self.client.media(cx, &path, about).await?,
            Some(Located::Attachment(place) | Located::Elsewhere(place)) => {
                self.client.attachment(cx, &place, about).await?
            }
            None => {
                return Err(Error::new(
                    ErrorKind::NotFound,
                    "download an attachment",
                    "Kayako gave no address for it",
                )
                .of(about));
            }
        };
        Ok(if from == 0 {
            answer.body
        } else {
            skip(answer.body, from)
        })
    }
}

impl fmt::Debug for Kayako {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kayako")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// What people should know of an account that sees only a part: Kayako shows it less without saying so (Kayako
/// reference, section 2).
fn sees_too_little(role: &wire::Role, own_access: &str) -> Vec<String> {
    const USE: &str = "Use an administrator's or owner's account";
    let mut warnings = Vec::new();
    let kind = role.kind.to_ascii_uppercase();
    if !matches!(kind.as_str(), "ADMIN" | "OWNER") {
        let is = if kind.is_empty() { "unknown" } else { &kind };
        warnings.push(format!(
            "the account's role is {is}: Kayako shows it no settings, no trash, no disabled fields, and perhaps only a part of the cases, without saying so. {USE}"
        ));
    }
    let access = match own_access.to_ascii_uppercase().as_str() {
        "" | "INHERIT-FROM-ROLE" => role.agent_case_access.to_ascii_uppercase(),
        own => own.to_owned(),
    };
    let part = match access.as_str() {
        "SELF" => "only the cases that are assigned to it",
        "TEAMS" => "only the cases of its own teams",
        _ => return warnings,
    };
    warnings.push(format!(
        "the account sees {part}: all others would be missing without a trace. {USE}, or give it access to all cases"
    ));
    warnings
}

/// The same bytes from an offset on: Kayako knows no ranges.
pub(crate) fn skip(body: ByteStream, from: u64) -> ByteStream {
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
    wire::decode::<Stub>(raw).ok()?.id
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
