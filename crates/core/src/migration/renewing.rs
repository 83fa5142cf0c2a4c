//! Taking loaded conversations back that changed at the source, or are gone from it: the load that follows makes them anew,
//! with their own times, or leaves them out.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::progress::{Progress, Recorder};
use super::reporting::key_of;
use super::undoing::{loaded_at, loaded_until};
use super::{Migration, Opened};
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::fault::point;
use crate::journal::Operation;
use crate::key::{RecordId, RecordKey, RecordKind};
use crate::ledger::Ledger;
use crate::model::{Facts, ObjectDefinition, Record};
use crate::stage::Stage;
use crate::stage::index::Row;
use crate::undo::{Ours, Undo, UndoBatch, UndoRow, Undone};

/// Conversations that are taken back together, and rows that are looked at together.
const TOGETHER: usize = 50;
const ROWS: usize = 1_000;
/// Rows that go to the target together.
const BATCH: usize = 200;

/// The ledger's name for what is to be done: whoever goes on after a crash does the rest of it.
const RENEWAL: &str = "renewal";

/// What becomes of loaded conversations that changed at the source since.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum OnChange {
    /// They stay as they were loaded, and are named in the report.
    #[default]
    Leave,
    /// They are taken back and made anew, with all that is in them: only where nobody but us has touched any of it.
    Recreate,
    /// All that changed is brought up to date where it stands, people, companies and conversations alike: only where nobody
    /// but us has touched the row since. The target's own dates of change are then those of this pass.
    Update,
}

/// What becomes of loaded conversations that are gone from the source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum OnGone {
    /// They stay, and are named in the report.
    #[default]
    Leave,
    /// They are taken back: only where nobody but us has touched any of it.
    Remove,
}

/// What is to be done with what was loaded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Policies {
    pub(super) on_change: OnChange,
    pub(super) on_gone: OnGone,
}

impl Policies {
    /// Makes it durable before anything is done.
    pub(super) async fn intend(self, ledger: &dyn Ledger) -> Result<()> {
        let value = (self != Self::default()).then_some(self);
        let value = serde_json::to_value(value)
            .map_err(|e| Error::bug("remember what to make anew", e.to_string()))?;
        ledger.put(RENEWAL, &value).await
    }

    async fn intended(ledger: &dyn Ledger) -> Result<Option<Self>> {
        let value = ledger.get(RENEWAL).await?.unwrap_or_default();
        serde_json::from_value(value).map_err(|e| {
            Error::new(ErrorKind::Mismatch, "read what to make anew", e.to_string())
                .advise("The workspace belongs to a newer version of the program")
        })
    }
}

impl Migration {
    /// Does what was intended, or the rest of it: reads to the end, since what changed is known then, and takes back what the
    /// policies say. Gives what people should know of it.
    pub(super) async fn renew(
        &self,
        cx: &Context,
        opened: &Opened,
        recorder: &Arc<Recorder>,
    ) -> Result<Vec<String>> {
        let ledger = opened.ledger();
        let Some(policies) = Policies::intended(ledger.as_ref()).await? else {
            return Ok(Vec::new());
        };
        let progress = Arc::clone(recorder) as Arc<dyn Progress>;
        let (reader, _watched) = self.reader(opened.stage.clone(), progress);
        reader.run(cx).await?;
        let mut told = Vec::new();
        if policies.on_change == OnChange::Recreate || policies.on_gone == OnGone::Remove {
            told.extend(self.take_back_what_changed(cx, opened, policies).await?);
        }
        if policies.on_change == OnChange::Update {
            told.extend(self.amend_what_changed(cx, opened).await?);
        }
        Policies::default().intend(ledger.as_ref()).await?;
        Ok(told)
    }

    async fn take_back_what_changed(
        &self,
        cx: &Context,
        opened: &Opened,
        policies: Policies,
    ) -> Result<Vec<String>> {
        let undo = self.sink.as_undo().ok_or_else(|| {
            let why = "this sink cannot take rows back";
            Error::new(ErrorKind::Unsupported, "make conversations anew", why)
        })?;
        let ledger = opened.ledger();
        ledger.prepare_undo().await?;
        let looked = Looked {
            stage: &opened.stage,
            ledger: ledger.as_ref(),
        };
        let mut wanted = BTreeSet::new();
        if policies.on_change == OnChange::Recreate {
            wanted.extend(looked.changed().await?);
        }
        let gone = looked.gone().await?;
        match policies.on_gone {
            OnGone::Remove => wanted.extend(gone),
            OnGone::Leave => wanted.retain(|id| !gone.contains(id)),
        }
        let mut renewal = Renewal {
            cx,
            undo,
            ledger: Arc::clone(&ledger),
            stage: &opened.stage,
            until: loaded_until(ledger.as_ref()).await?,
            taken: 0,
            kept: BTreeMap::new(),
        };
        let wanted: Vec<RecordId> = wanted.into_iter().collect();
        if looked.is_pointed_to().await? {
            renewal.keep("records-may-point-to-it", &wanted);
        } else {
            let parents = looked.parents().await?;
            for some in wanted.chunks(TOGETHER) {
                renewal.conversations(some, &parents).await?;
            }
        }
        renewal.told().await
    }
}

/// What there is to take back.
struct Looked<'a> {
    stage: &'a Stage,
    ledger: &'a dyn Ledger,
}

impl Looked<'_> {
    /// Loaded conversations that say something else now, or in which something does.
    async fn changed(&self) -> Result<BTreeSet<RecordId>> {
        let (mut found, mut after) = (BTreeSet::new(), RecordId(0));
        loop {
            let rows = self.stage.index().changed(after, ROWS).await?;
            let Some(last) = rows.last() else { break };
            after = last.id;
            let versions: Vec<_> = rows.iter().map(|row| (row.id, row.version)).collect();
            let outdated = self.ledger.outdated(&versions).await?;
            let outdated: HashSet<RecordId> = outdated.into_iter().collect();
            let rows: Vec<Row> = rows
                .into_iter()
                .filter(|row| outdated.contains(&row.id))
                .collect();
            found.extend(self.conversations_of(&rows).await?);
        }
        Ok(found)
    }

    /// Loaded conversations that no target shall hold any more.
    async fn gone(&self) -> Result<BTreeSet<RecordId>> {
        let (mut found, mut after) = (BTreeSet::new(), RecordId(0));
        loop {
            let rows = self.stage.index().skipped(after, ROWS).await?;
            let Some(last) = rows.last() else { break };
            after = last.id;
            let rows = rows
                .into_iter()
                .filter(|row| row.kind == RecordKind::Conversation);
            let ids: Vec<RecordId> = rows.map(|row| row.id).collect();
            let outcomes = self.ledger.outcomes(&ids).await?;
            let stands = ids.into_iter().zip(outcomes);
            found.extend(
                stands
                    .filter(|(_, outcome)| outcome.as_ref().is_some_and(|o| o.stands_in_target()))
                    .map(|(id, _)| id),
            );
        }
        Ok(found)
    }

    async fn conversations_of(&self, rows: &[Row]) -> Result<Vec<RecordId>> {
        let (own, within): (Vec<&Row>, Vec<&Row>) = rows
            .iter()
            .partition(|row| row.kind == RecordKind::Conversation);
        let inside = [RecordKind::Message, RecordKind::Attachment];
        let within = within.into_iter().filter(|row| inside.contains(&row.kind));
        let within: Vec<Row> = within.cloned().collect();
        let records = self.stage.records(&within).await?;
        let keys = records.iter().filter_map(|record| Facts::of(record).group);
        let keys: Vec<RecordKey> = keys
            .filter(|key| key.record_kind() == Some(RecordKind::Conversation))
            .collect();
        let found = self.stage.index().find(&keys).await?;
        Ok(own
            .into_iter()
            .map(|row| row.id)
            .chain(found.into_iter().flatten())
            .collect())
    }

    /// Whether records of custom objects may point to conversations: what points to a row that is removed loses its way.
    async fn is_pointed_to(&self) -> Result<bool> {
        let mut place = None;
        loop {
            let kinds = [RecordKind::ObjectDefinition];
            let index = self.stage.index();
            let rows = index.scan(&kinds, place.as_ref(), ROWS).await?;
            let Some(last) = rows.last() else {
                return Ok(false);
            };
            place = Some(last.place());
            let records = self.stage.records(&rows).await?;
            let points = |definition: &ObjectDefinition| {
                let mut relations = definition.relations.iter();
                relations.any(|relation| relation.to == RecordKind::Conversation)
            };
            if records
                .iter()
                .any(|record| matches!(record, Record::ObjectDefinition(one) if points(one)))
            {
                return Ok(true);
            }
        }
    }

    /// The names of conversations that others hang below.
    async fn parents(&self) -> Result<HashSet<i64>> {
        let children = self
            .stage
            .index()
            .children(&[RecordKind::Conversation])
            .await?;
        Ok(children.into_iter().map(|row| row.parent).collect())
    }
}

struct Renewal<'a> {
    cx: &'a Context,
    undo: &'a dyn Undo,
    ledger: Arc<dyn Ledger>,
    stage: &'a Stage,
    until: Option<chrono::DateTime<chrono::Utc>>,
    taken: u64,
    /// Those that stay, by the reason.
    kept: BTreeMap<String, (u64, Option<RecordId>)>,
}

/// The rows of some conversations, by object.
#[derive(Default)]
struct Rows {
    objects: BTreeMap<String, Vec<UndoRow>>,
    /// Which conversation a row belongs to.
    of: HashMap<String, RecordId>,
    /// Conversations that must stay, and why.
    stay: BTreeMap<RecordId, String>,
}

impl Renewal<'_> {
    async fn conversations(&mut self, ids: &[RecordId], parents: &HashSet<i64>) -> Result<()> {
        self.cx.check("make conversations anew")?;
        let own = self.stage.index().rows(ids).await?;
        let (above, own): (Vec<Row>, Vec<Row>) =
            own.into_iter().partition(|row| parents.contains(&row.name));
        let above: Vec<RecordId> = above.iter().map(|row| row.id).collect();
        self.keep("others-hang-below-it", &above);
        let mut rows = self.rows(&own).await?;
        self.pass(&mut rows, true).await?;
        self.pass(&mut rows, false).await?;
        let made: HashSet<RecordId> = rows.of.values().copied().collect();
        for row in &own {
            match rows.stay.get(&row.id) {
                Some(reason) => self.keep(reason, &[row.id]),
                None if made.contains(&row.id) => self.taken += 1,
                None => self.keep("not-made-here", &[row.id]),
            }
        }
        Ok(())
    }

    fn keep(&mut self, reason: &str, ids: &[RecordId]) {
        let Some(first) = ids.first() else { return };
        let (count, example) = self.kept.entry(reason.to_owned()).or_default();
        *count += ids.len() as u64;
        example.get_or_insert(*first);
    }

    /// What was made for these conversations and for all that is in them.
    async fn rows(&self, own: &[Row]) -> Result<Rows> {
        let names: HashMap<i64, RecordId> = own.iter().map(|row| (row.name, row.id)).collect();
        let groups: Vec<i64> = names.keys().copied().collect();
        let kinds = [RecordKind::Message, RecordKind::Attachment];
        let within = self.stage.index().group_rows(&groups, &kinds).await?;
        let mut home: BTreeMap<RecordId, RecordId> =
            own.iter().map(|row| (row.id, row.id)).collect();
        for row in &within {
            if let Some(conversation) = names.get(&row.group) {
                home.insert(row.id, *conversation);
            }
        }
        let records: Vec<RecordId> = home.keys().copied().collect();
        let times = loaded_at(self.ledger.as_ref(), &records).await?;
        let times: HashMap<RecordId, _> = records.iter().copied().zip(times).collect();
        let mut rows = Rows::default();
        for effect in self.ledger.effects(&records).await? {
            let Some(conversation) = home.get(&effect.record).copied() else {
                continue;
            };
            let made = [Operation::Insert, Operation::SideEffect].contains(&effect.operation);
            match effect.id() {
                Some(id) if made => {
                    rows.of.insert(id.to_owned(), conversation);
                    let of_object = rows.objects.entry(effect.object.clone()).or_default();
                    of_object.push(UndoRow {
                        record: Some(effect.record),
                        id: id.to_owned(),
                        loaded_at: times.get(&effect.record).copied().flatten(),
                    });
                }
                None if effect.is_open() => {
                    rows.stay.insert(conversation, "answer-lost".to_owned());
                }
                _ => {}
            }
        }
        Ok(rows)
    }

    /// On trial finds the conversations that must stay; then removes the others.
    async fn pass(&self, rows: &mut Rows, trial: bool) -> Result<()> {
        let names = rows.objects.keys().cloned().collect();
        let mut gone: Vec<String> = Vec::new();
        let ours: Arc<dyn Ours> = Arc::new(These(rows.of.keys().cloned().collect()));
        for object in self.undo.order(names, trial) {
            let Some(all) = rows.objects.get(&object) else {
                continue;
            };
            let goes = |row: &&UndoRow| {
                rows.of
                    .get(&row.id)
                    .is_some_and(|conversation| !rows.stay.contains_key(conversation))
            };
            let going: Vec<UndoRow> = all.iter().filter(goes).cloned().collect();
            let stays = rows
                .of
                .iter()
                .filter(|(_, one)| rows.stay.contains_key(one));
            let held: Arc<HashSet<String>> = Arc::new(stays.map(|(id, _)| id.clone()).collect());
            for some in going.chunks(BATCH) {
                let batch = UndoBatch {
                    object: object.clone(),
                    rows: some.to_vec(),
                    trial,
                    loaded_until: self.until,
                    held: Arc::clone(&held),
                    ours: Arc::clone(&ours),
                };
                let answers = self.undo.undo(self.cx, batch).await?;
                point("renewal-answered")
                    .map_err(|e| Error::storage("make conversations anew", e))?;
                for (row, answer) in some.iter().zip(answers) {
                    let reason = match answer {
                        Undone::Removed | Undone::Gone | Undone::Restored => {
                            gone.push(row.id.clone());
                            continue;
                        }
                        Undone::Held(reason) => reason,
                        Undone::Failed { code, .. } => code,
                    };
                    if let Some(conversation) = rows.of.get(&row.id) {
                        rows.stay.entry(*conversation).or_insert(reason);
                    }
                }
            }
        }
        if !trial {
            // What went with something else is gone, too.
            let gone = rows
                .of
                .iter()
                .filter(|(_, one)| !rows.stay.contains_key(one));
            let gone: Vec<String> = gone.map(|(id, _)| id.clone()).collect();
            self.ledger.take_back(&gone).await?;
        }
        Ok(())
    }

    async fn told(&self) -> Result<Vec<String>> {
        let mut told = Vec::new();
        if self.taken > 0 {
            told.push(format!(
                "{} conversations were taken back, since they changed at the source or are gone from it",
                self.taken
            ));
        }
        let tenant = self.stage.index().tenant().await?;
        for (reason, (count, example)) in &self.kept {
            let example: Vec<RecordId> = example.iter().copied().collect();
            let rows = self.stage.index().rows(&example).await?;
            let example = rows.first().map_or(String::new(), |row| {
                format!(", such as {}", key_of(tenant.as_ref(), row))
            });
            told.push(format!(
                "{count} changed conversations stay as they were loaded ({reason}){example}"
            ));
        }
        Ok(told)
    }
}

/// Only what goes along counts as ours: what is left behind must not lose what it hangs on.
struct These(HashSet<String>);

#[async_trait]
impl Ours for These {
    async fn are_ours(&self, ids: &[String]) -> Result<Vec<bool>> {
        Ok(ids.iter().map(|id| self.0.contains(id)).collect())
    }
}
