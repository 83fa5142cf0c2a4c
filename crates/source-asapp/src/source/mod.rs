//! What is read in which order, with which cursor.
//!
//! One part collects: it reduces whatever the channels have to the latest statements, a page per chunk of files, and then names
//! the parts that make records of them. Until then nothing is known of any conversation: its rows lie in many files.

mod asking;
mod collect;
mod estimate;
mod reconcile;
mod records;

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::Duration;
use deskferry_core::model::{Attachment, InventoryItem};
use deskferry_core::report::Estimate;
use deskferry_core::source::{
    ByteStream, Capability, Cursor, Page, Readiness, Scope, Shard, Source, Watermark,
};
use deskferry_core::{Context, Error, ErrorKind, RecordKind, Result, Tenant};
use futures::lock::Mutex;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::channels::{Channel, Events, Exporter, Folder};
use crate::client::{Api, Configuration};
use crate::config::AsappConfig;
use crate::convert::{Ground, Lookup, Segments};
use crate::reduce::Manifest;
use crate::side::{About, Side};
use crate::tables::Family;

use collect::Work;

/// The version of cursors and watermarks. A cursor of another one restarts its shard.
const VERSION: u32 = 1;
/// Parts into which conversations are divided.
const PARTS: u16 = 16;

const KINDS: &[RecordKind] = &[
    RecordKind::FieldDefinition,
    RecordKind::Team,
    RecordKind::Agent,
    RecordKind::Account,
    RecordKind::Contact,
    RecordKind::Conversation,
    RecordKind::Message,
    RecordKind::AgentStatistics,
    RecordKind::InventoryItem,
];

/// A company's exports as a source.
pub struct Asapp {
    config: AsappConfig,
    channels: Vec<Arc<dyn Channel>>,
    api: Option<Arc<Api>>,
    /// The same as among the channels.
    exporter: Option<Arc<Exporter>>,
    work: Mutex<Option<Work>>,
    tables: Mutex<Option<(u32, Arc<Tables>)>>,
    /// The reduced file of a read, once it is known.
    reduced: std::sync::Mutex<Option<(u32, PathBuf)>>,
}

/// What conversions look into, read once.
struct Tables {
    tenant: Tenant,
    lookup: Lookup,
    customers: Side,
    agents: Side,
    recordings: Side,
    segments: Segments,
    /// Configuration for the hand-over document.
    inventory: Vec<InventoryItem>,
    /// What people decided of doubtful conversations.
    decisions: HashMap<String, bool>,
}

impl Tables {
    fn ground(&self, config: &AsappConfig, cx: &Context) -> Ground<'_> {
        Ground {
            tenant: &self.tenant,
            lookup: &self.lookup,
            customers: &self.customers,
            agents: &self.agents,
            recordings: &self.recordings,
            segments: &self.segments,
            quiet_before: cx.now() - Duration::days(i64::from(config.quiet_days())),
        }
    }
}

impl Asapp {
    /// A source from its configuration. Nothing is read yet.
    ///
    /// # Errors
    /// `Config`: an address that cannot be used.
    pub fn new(config: AsappConfig) -> Result<Self> {
        let mut channels: Vec<Arc<dyn Channel>> = Vec::new();
        if let Some(tree) = config.tree() {
            channels.push(Arc::new(Folder::new(tree, Family::Messaging)));
        }
        channels.extend(config.remote()?);
        if let Some(folder) = config.exported_folder() {
            channels.push(Arc::new(Folder::new(folder, Family::Services)));
        }
        if let Some(folder) = config.events() {
            channels.push(Arc::new(Events::new(folder)));
        }
        let api = config.reach().map(Api::new).transpose()?.map(Arc::new);
        let asked = api.as_ref().filter(|_| config.asks().0);
        let exporter = asked.map(|api| Arc::new(Exporter::new(Arc::clone(api), config.work())));
        channels.extend(
            exporter
                .iter()
                .map(|exporter| Arc::clone(exporter) as Arc<dyn Channel>),
        );
        Ok(Self {
            api,
            exporter,
            config,
            channels,
            work: Mutex::new(None),
            tables: Mutex::new(None),
            reduced: std::sync::Mutex::new(None),
        })
    }

    fn tenant(&self) -> Tenant {
        Tenant::new(crate::PLATFORM, self.config.company())
    }

    fn reconcile_folder(&self) -> PathBuf {
        self.config.work().join("reconcile")
    }

    /// The customer's own tables: checked on entry.
    fn sides(&self) -> Result<(Side, Side, Side)> {
        let read = |path: Option<&std::path::Path>, about| {
            path.map_or_else(|| Ok(Side::default()), |path| Side::read(path, about))
        };
        Ok((
            read(self.config.customers(), About::Customers)?,
            read(self.config.agents(), About::Agents)?,
            read(self.config.recordings(), About::Recordings)?,
        ))
    }

    /// Segments by their definitions, in the order that people want.
    fn segments(&self, definitions: &[serde_json::Value]) -> Result<Segments> {
        Segments::new(definitions, self.config.segment_priority())
            .map_err(|why| self.wrong_segments(why))
    }

    fn wrong_segments(&self, why: String) -> Error {
        let from = match self.config.segments() {
            Some(file) => file.display().to_string(),
            None => "the Configuration API".to_owned(),
        };
        Error::new(ErrorKind::Config, "read the definitions of segments", why).with("from", from)
    }

    /// Definitions of segments: the file that was named, else what the API told.
    fn segment_definitions(&self, told: &Configuration) -> Result<Vec<serde_json::Value>> {
        let Some(path) = self.config.segments() else {
            return Ok(told.segments().to_vec());
        };
        let text = std::fs::read(path).map_err(|e| self.wrong_segments(e.to_string()))?;
        let mut definitions: serde_json::Value =
            serde_json::from_slice(&text).map_err(|e| self.wrong_segments(e.to_string()))?;
        let list = match definitions.get_mut("segments") {
            Some(list) => list.take(),
            None => definitions,
        };
        match list {
            serde_json::Value::Array(list) => Ok(list),
            _ => Err(self.wrong_segments("it is no list of segments".to_owned())),
        }
    }

    /// What is asked about single conversations beside the files, for whoever looks at what a read takes.
    fn asks(&self) -> Vec<String> {
        let asking = self.config.asking();
        let mut lines = Vec::new();
        if self.api.is_none() {
            return lines;
        }
        if let Some(all) = asking.conversations {
            let which = if all {
                "every conversation of AI services"
            } else {
                "conversations of AI services whose messages the files tell without their texts"
            };
            lines.push(format!("Conversation API: two requests for {which}; how many those are is known, and told, when the files are reduced"));
        }
        if asking.makes() {
            lines.push("AutoSummary API: a request for each summary, extraction and intent that a conversation or issue lacks, as `autosummary` asks for. Each makes something new at ASAPP".to_owned());
        }
        lines
    }

    /// What the Configuration API says now; nothing where nobody asks it.
    async fn configuration(&self, cx: &Context, generation: u32) -> Result<Configuration> {
        match &self.api {
            Some(api) if self.config.asks().1 => api.configuration(cx, generation).await,
            _ => Ok(Configuration::nothing(generation)),
        }
    }
}

#[async_trait]
impl Source for Asapp {
    fn capability(&self) -> Capability {
        Capability::new(crate::PLATFORM, KINDS).with_parallel_shards(self.config.parallel())
    }

    async fn check(&self, cx: &Context) -> Result<Readiness> {
        let mut readiness = Readiness::new(self.tenant(), "files");
        readiness.product = Some("ASAPP, by its exports".to_owned());
        self.sides()?;
        if let Some(api) = &self.api {
            api.health(cx).await?;
            readiness.account = "files, and a key of the API".to_owned();
        }
        readiness.limits.extend(self.asks());
        let told = self.configuration(cx, 0).await?;
        readiness.warnings.extend(told.notes());
        let segments = self.segments(&self.segment_definitions(&told)?)?;
        readiness.warnings.extend(segments.warning());
        let read = match Manifest::is_in(self.config.work()) {
            true => Some(self.manifest()?),
            false => None,
        };
        for channel in &self.channels {
            let (days, notes) = crate::channels::days(cx, channel.as_ref()).await?;
            if let (Some(exporter), Some(api), "file exporter") =
                (&self.exporter, &self.api, channel.name())
            {
                let least = exporter.least_requests(cx, &days).await?;
                readiness.limits.extend(api.told(cx, least));
            }
            let dates = || days.iter().filter_map(|day| day.date);
            readiness.warnings.extend(notes);
            match (dates().min(), dates().max()) {
                (Some(first), Some(last)) => {
                    readiness
                        .limits
                        .push(format!("{}: days from {first} to {last}", channel.name()));
                }
                _ => readiness
                    .warnings
                    .push(format!("{}: there is nothing to read", channel.name())),
            }
            let read = |day: &crate::channels::Day| {
                let mark = collect::mark(channel.as_ref(), day);
                read.as_ref()
                    .is_some_and(|manifest| manifest.day(&mark).is_some())
            };
            let today = cx.now().date_naive();
            let warning = collect::purge_warning(today, channel.as_ref(), &days, read);
            readiness.warnings.extend(warning);
        }
        if self.config.customers().is_none() && self.config.params().email.is_none() {
            readiness.warnings.push(
                "ASAPP has no names and addresses of customers: without `customers` or `param_email` contacts have neither".to_owned(),
            );
        }
        if self.config.agents().is_none() {
            readiness.warnings.push(
                "ASAPP has no addresses of agents: without `agents` users are found by hand"
                    .to_owned(),
            );
        }
        Ok(readiness)
    }

    async fn estimate(&self, cx: &Context) -> Result<Option<Estimate>> {
        self.estimated(cx).await
    }

    async fn shards(&self, _: &Context, scope: &Scope) -> Result<Vec<Shard>> {
        let since = scope
            .since
            .as_ref()
            .filter(|mark| mark.version == VERSION)
            .and_then(|mark| mark.place.get("generation")?.as_u64());
        let wanted = scope.kinds.is_empty() || scope.kinds.iter().any(|kind| KINDS.contains(kind));
        if !wanted {
            return Ok(Vec::new());
        }
        let generation = since.map_or(1, |since| since + 1);
        let kinds: Vec<_> = KINDS
            .iter()
            .copied()
            .filter(|kind| scope.kinds.is_empty() || scope.kinds.contains(kind))
            .collect();
        Ok(vec![
            Shard::new(format!("collect-{generation}"), kinds)
                .scoped(json!({ "generation": generation, "since": since })),
        ])
    }

    async fn page(&self, cx: &Context, shard: &Shard, after: Option<Cursor>) -> Result<Page> {
        match shard.id.split('-').next() {
            Some("collect") => self.collect_page(cx, shard, after).await,
            Some("dictionaries") => self.dictionaries_page(shard).await,
            Some("agents") => self.agents_page(cx, shard, after).await,
            Some("customers") => self.customers_page(cx, shard, after).await,
            Some("conversations") => self.conversations_page(cx, shard, after).await,
            _ => Err(Error::new(
                ErrorKind::Mismatch,
                "read a part of ASAPP",
                format!("there is no part `{}`", shard.id),
            )
            .advise(
                "The workspace was made by another version: use that one, or start a new workspace",
            )),
        }
    }

    async fn open(&self, _: &Context, file: &Attachment, _: u64) -> Result<ByteStream> {
        Err(Error::new(
            ErrorKind::Unsupported,
            "open a file",
            "ASAPP gives no bytes of files: its events name uploads, and nothing more",
        )
        .of(file.meta.key.clone()))
    }
}

impl fmt::Debug for Asapp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asapp")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

fn cursor(place: &impl Serialize) -> Result<Cursor> {
    let place =
        serde_json::to_value(place).map_err(|e| Error::bug("remember a place", e.to_string()))?;
    Ok(Cursor {
        version: VERSION,
        place,
    })
}

/// The place of a cursor; the beginning where there is none, or one of another version.
fn place<T: DeserializeOwned + Default>(after: Option<&Cursor>) -> T {
    after
        .filter(|cursor| cursor.version == VERSION)
        .and_then(|cursor| serde_json::from_value(cursor.place.clone()).ok())
        .unwrap_or_default()
}

fn watermark(generation: u32) -> Watermark {
    Watermark {
        version: VERSION,
        place: json!({ "generation": generation }),
    }
}

/// What a shard was given to know.
fn told(shard: &Shard, name: &str) -> Option<u32> {
    shard
        .scope
        .get(name)?
        .as_u64()
        .and_then(|number| u32::try_from(number).ok())
}

/// Work that blocks, away from the tasks.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::bug("read exported files", error.to_string()))?
}
