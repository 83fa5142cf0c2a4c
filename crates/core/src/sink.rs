//! Where records go.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::amend::Amend;
use crate::blob::{BlobInfo, Blobs};
use crate::consent::Told;
use crate::context::Context;
use crate::error::Result;
use crate::forecast::Forecast;
use crate::journal::Journal;
use crate::key::{RecordId, RecordKey, RecordKind};
use crate::mapped::Mapped;
use crate::model::{InventoryKind, Record};
use crate::owners::{Decision, Owners};
use crate::preflight::Preflight;
use crate::prepare::Prepare;
use crate::probing::Probing;
use crate::report::Allowance;
use crate::shown::Shown;
use crate::undo::Undo;
use crate::verify::Verify;

/// A target that is written.
///
/// The sink names its phases; whoever runs it opens and closes them. It makes an intent durable through the batch's
/// journal before it sends anything, and settles it when the answer is there: a process that dies in between finds
/// the intent when it comes back.
#[async_trait]
pub trait Sink: Send + Sync {
    /// Asks the target who it is, what we may do and whether the mapping fits. Reads only.
    async fn check(&self, cx: &Context) -> Result<TargetInfo>;

    /// The steps of a load, in dependency order.
    fn phases(&self) -> Vec<Phase>;

    /// Writes a batch. Answers outcomes, not necessarily of this batch, not necessarily all of it: the rest comes from
    /// later calls or from [`flush`](Sink::flush). A row that is refused is an outcome, not an error; an error ends the phase.
    async fn write(&self, cx: &Context, batch: Batch) -> Result<Vec<Outcome>>;

    /// Finishes what is under way. After it, every record that was written has its outcome.
    async fn flush(&self, cx: &Context) -> Result<Vec<Outcome>>;

    /// How much of the target's allowances is left, where it tells. Reads only.
    async fn allowances(&self, _cx: &Context) -> Result<Vec<Allowance>> {
        Ok(Vec::new())
    }

    /// Those of these languages, as a source writes them, whose articles would be held, since the target does not have them and
    /// nobody decided about them. Reads only.
    async fn lacking_languages(&self, _cx: &Context, _locales: &[String]) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    /// What people build there instead of configuration of a source that cannot migrate; `raw` is the source's own word for
    /// it. Asks nobody.
    fn counterpart(&self, _kind: InventoryKind, _raw: &str) -> Option<Counterpart> {
        None
    }

    /// The same target as something that can be read back, if it can.
    fn as_verify(&self) -> Option<&dyn Verify> {
        None
    }

    /// The same target as something whose rows can be brought up to date where they stand, if they can.
    fn as_amend(&self) -> Option<&dyn Amend> {
        None
    }

    /// The same target as something whose rows can be taken back, if they can.
    fn as_undo(&self) -> Option<&dyn Undo> {
        None
    }

    /// The same target as something that tells beforehand what a load takes, if it can.
    fn as_forecast(&self) -> Option<&dyn Forecast> {
        None
    }

    /// The same target as something that can be looked at beforehand, if it can.
    fn as_preflight(&self) -> Option<&dyn Preflight> {
        None
    }

    /// The same target as something whose fields and rights can be made from here, if they can.
    fn as_prepare(&self) -> Option<&dyn Prepare> {
        None
    }

    /// The same target as something that can be tried out with a few rows of its own, if it can.
    fn as_probing(&self) -> Option<&dyn Probing> {
        None
    }

    /// The same target as something whose rows have owners, if they do and people may decide who.
    fn as_owners(&self) -> Option<&dyn Owners> {
        None
    }

    /// The same target as something with a mapping that people can see and change, if it has one.
    fn as_mapped(&self) -> Option<&dyn Mapped> {
        None
    }

    /// The same target as something that shows people what stands there, if it can.
    fn as_shown(&self) -> Option<&dyn Shown> {
        None
    }
}

/// What people build in a target instead of a piece of configuration that cannot migrate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Counterpart {
    /// What it is called there.
    pub name: String,
    /// Why that, and what is different about it.
    pub why: String,
    /// Where people set it up.
    pub place: String,
}

impl Counterpart {
    /// A counterpart: its name, why that one, and where it is set up.
    pub fn new(name: impl Into<String>, why: impl Into<String>, place: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            why: why.into(),
            place: place.into(),
        }
    }
}

/// Who a target is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TargetInfo {
    /// The target's own id: a refreshed sandbox has another one.
    pub id: String,
    /// Its name, for people.
    pub name: String,
    /// What answered, with its version, where it tells.
    pub product: Option<String>,
    /// What people should know before the load.
    pub warnings: Vec<String>,
    /// What the payload hash covers beside the row: mapping and its version.
    pub mapping: String,
    /// Whether it is a copy to try things in; unknown where it does not tell.
    pub sandbox: Option<bool>,
    /// What of the target the mapping was made for, by name: another one later means that people look at it again.
    pub shape: Told,
}

impl TargetInfo {
    /// A target by id and name.
    pub fn new(id: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
            product: None,
            warnings: Vec::new(),
            mapping: String::new(),
            sandbox: None,
            shape: Told::default(),
        }
    }
}

/// A step of the load.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Phase {
    /// Its name, as in reports.
    pub name: &'static str,
    /// The kinds it takes.
    pub kinds: &'static [RecordKind],
    /// The kinds that must be read to the end before it may open.
    pub needs: &'static [RecordKind],
    /// In which order and in which company its records come.
    pub order: Order,
    /// The most records of one batch.
    pub batch_records: usize,
    /// The most bytes of staged lines of one batch.
    pub batch_bytes: usize,
    /// How many batches may be under way at once.
    pub parallel: usize,
    /// Whether nothing after it may begin while one of its records failed or is held, whatever the run's gate allows.
    pub strict: bool,
    /// How batches grow where many records are at hand; `None` where they never do.
    pub volume: Option<Volume>,
}

/// Batches for many records: a target that takes them in bulk wants few and large ones, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Volume {
    /// How many records must be at hand.
    pub from: usize,
    /// The most records of one batch then.
    pub records: usize,
    /// The most bytes of staged lines of one batch then.
    pub bytes: usize,
}

impl Phase {
    /// A step that takes `kinds` one batch of at most 200 records after the other.
    #[must_use]
    pub const fn new(name: &'static str, kinds: &'static [RecordKind]) -> Self {
        Self {
            name,
            kinds,
            needs: kinds,
            order: Order::Plain,
            batch_records: 200,
            batch_bytes: 8 << 20,
            parallel: 1,
            volume: None,
            strict: false,
        }
    }

    /// The same step, opened when these kinds are read.
    #[must_use]
    pub const fn needing(mut self, needs: &'static [RecordKind]) -> Self {
        self.needs = needs;
        self
    }

    /// The same step with a gate of its own, which no other loosens: each of its records must do.
    #[must_use]
    pub const fn strictly(mut self) -> Self {
        self.strict = true;
        self
    }

    /// The same step in this order.
    #[must_use]
    pub const fn ordered(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    /// The same step with batches of this size, so many at once.
    #[must_use]
    pub const fn sized(mut self, records: usize, bytes: usize, parallel: usize) -> Self {
        self.batch_records = records;
        self.batch_bytes = bytes;
        self.parallel = parallel;
        self
    }

    /// The same step with other batches where many records are at hand.
    #[must_use]
    pub const fn growing(mut self, volume: Volume) -> Self {
        self.volume = Some(volume);
        self
    }

    /// The step as it takes so many records that are at hand.
    pub(crate) fn taking(&self, records: usize) -> Self {
        match self.volume {
            Some(volume) if records >= volume.from => {
                self.clone().sized(volume.records, volume.bytes, 1)
            }
            _ => self.clone(),
        }
    }

    /// How many records it is worth to have at hand: several batches, so that their company can be chosen.
    pub(crate) fn at_hand(&self) -> usize {
        let large = self.volume.map_or(0, |volume| volume.records * 2);
        (self.batch_records * 8).max(large)
    }
}

/// In which order and in which company a phase's records come. Within it: by time, then sequence, then key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Order {
    /// As they come.
    Plain,
    /// Parents in an earlier batch than their children; a cycle is broken at the youngest edge.
    Waves,
    /// The records of one conversation never in two batches at once; what a reply answers in an earlier batch.
    /// Streams behind the read: a conversation comes when the source called it complete.
    Timeline,
}

/// Agents, contacts and teams by key.
pub type Related = HashMap<RecordKey, Record>;

/// Records to write, with what they need.
#[derive(Clone)]
pub struct Batch {
    /// The phase's name.
    pub phase: &'static str,
    /// The records.
    pub records: Vec<Loaded>,
    /// The people and teams that the records name by key, as they were read: for what a target shows of them besides
    /// their ids. Those that were not read are missing.
    pub related: Arc<Related>,
    /// Intents, effects, look-ups.
    pub journal: Arc<dyn Journal>,
    /// The bytes of files.
    pub blobs: Arc<dyn Blobs>,
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batch")
            .field("phase", &self.phase)
            .field("records", &self.records.len())
            .finish()
    }
}

/// One record of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// Its id in this workspace.
    pub id: RecordId,
    /// Which part of a split record it is; 0 for whole ones.
    pub part: u32,
    /// What was read of it last: another number when the source says something else of it.
    pub version: u64,
    /// The record.
    pub record: Record,
    /// The record that must stand before it and does, resolved (a parent conversation, the mail that is answered).
    pub parent: Option<RecordId>,
    /// True when the edge to its parent was cut: a cycle, or a parent that is not there.
    pub orphan: bool,
    /// For attachments: where their bytes are.
    pub file: Option<FileState>,
    /// For agents, and for conversations that an agent has: who owns what that agent had. Nothing where nobody decides.
    pub owner: Option<Decision>,
}

impl Loaded {
    /// The number of the `n`-th row of this record in intents and effects (at most 256 rows a part).
    #[must_use]
    pub fn row(&self, n: u32) -> u32 {
        (self.part << 8) | n
    }
}

/// What became of a file's bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileState {
    /// They are staged.
    Staged(BlobInfo),
    /// They could not be had.
    Unavailable(String),
}

/// What became of a record in a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The record.
    pub record: RecordId,
    /// Which part of a split record.
    pub part: u32,
    /// What became of it.
    pub verdict: Verdict,
}

/// Exactly one of these per record and target.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Its rows were made.
    Created,
    /// A row that was there was changed.
    Updated,
    /// Nothing had to be done; a slug says why when it is not plain equality (`matched`, `same-email`).
    Unchanged(String),
    /// On purpose not loaded; a slug says why.
    Skipped(String),
    /// Waits for a person; a slug says for what.
    Held(String),
    /// Refused for good.
    Failed {
        /// The platform's code, or ours in the same style.
        code: String,
        /// What was said.
        message: String,
    },
}

impl Verdict {
    /// A refusal.
    pub fn failed(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Failed {
            code: code.into(),
            message: message.into(),
        }
    }

    /// The column of reports it counts in.
    #[must_use]
    pub fn column(&self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Unchanged(_) => "unchanged",
            Self::Skipped(_) => "skipped",
            Self::Held(_) => "held",
            Self::Failed { .. } => "failed",
        }
    }

    /// The slug or code, if it has one.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Created | Self::Updated => None,
            Self::Unchanged(why) | Self::Skipped(why) | Self::Held(why) => {
                (!why.is_empty()).then_some(why)
            }
            Self::Failed { code, .. } => Some(code),
        }
    }

    /// Whether a later run leaves it alone. Held and failed records are tried again on request only.
    #[must_use]
    pub fn stands_in_target(&self) -> bool {
        matches!(self, Self::Created | Self::Updated | Self::Unchanged(_))
    }
}
