//! Changing rows that stand: ours when the source says something else of them now, and those of others that people want
//! filled or overwritten (contract, "Existing ones").

mod merged;
mod restore;

use std::collections::{HashMap, HashSet};
use std::iter;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use deskferry_core::amend::{Amend, AmendBatch, Amended, Merged};
use deskferry_core::context::Context;
use deskferry_core::error::Result;
use deskferry_core::journal::{Effect, EffectState, Image, Intent, Known, Operation};
use deskferry_core::key::RecordId;
use deskferry_core::sink::{Loaded, Outcome, Verdict};
use serde_json::Value;

use crate::Salesforce;
use crate::client::error::Refusal;
use crate::load::{Run, accounts, cases, contacts, leads};
use crate::mapping::build::{Fields, is_id_list, payload_hash};
use crate::mapping::{BATCH_MARK, OnMatch, SOURCE_KEY};
use crate::undo::is_changed;
use crate::verify::{Place, Rule, Wanted, by_policy, expected_of, explain, rows_of, same};

/// The number of a row's change among the rows of its record: what was made or found keeps its own.
pub(crate) const CHANGE: u32 = 0xFF;
/// What happens to a record whose row somebody else changed.
const CHANGED: &str = "changed-since";
/// Rows of these objects stay as they were made: the platform lets nobody change what was said.
const STAYS: &str = "stays-as-loaded";

/// A change of one row.
struct Change {
    record: RecordId,
    row: u32,
    object: &'static str,
    id: String,
    image: Image,
}

#[async_trait]
impl Amend for Salesforce {
    async fn amend(&self, cx: &Context, asked: AmendBatch) -> Result<Vec<Amended>> {
        let AmendBatch { batch, loaded_at } = asked;
        let org = self.org_for(cx, &batch).await?;
        let run = Run::open(cx, self.api(), &org, self.mapping(), &batch).await?;
        let all: Vec<&Loaded> = batch.records.iter().collect();
        let rows = Standing::of(&run, &all).await?;
        let mut changes = Vec::new();
        let mut answers = Vec::with_capacity(all.len());
        for (loaded, loaded_at) in all.into_iter().zip(loaded_at) {
            let answer = match rows.change(&run, loaded, loaded_at)? {
                Ok(Some(change)) => {
                    changes.push(change);
                    Amended::Changed
                }
                Ok(None) => Amended::Same,
                Err(why) => Amended::Kept(why),
            };
            answers.push(answer);
        }
        let mut refused = write(&run, changes).await?.into_iter();
        let changed = answers.iter_mut().filter(|a| **a == Amended::Changed);
        for answer in changed {
            if let Some(refusal) = refused.next().flatten() {
                *answer = Amended::Refused {
                    code: refusal.code,
                    message: refusal.message,
                };
            }
        }
        Ok(answers)
    }

    async fn merged(&self, cx: &Context, marks: &[String]) -> Result<Vec<Merged>> {
        self.merged_rows(cx, marks).await
    }
}

/// Fills or overwrites what stands in rows of others that this batch was found to be, as the mapping says.
pub(crate) async fn matched(run: &Run<'_>, mut outcomes: Vec<Outcome>) -> Result<Vec<Outcome>> {
    let found =
        |outcome: &Outcome| matches!(&outcome.verdict, Verdict::Unchanged(why) if why == "matched");
    let ids: HashSet<RecordId> = outcomes
        .iter()
        .filter(|o| found(o))
        .map(|o| o.record)
        .collect();
    let is_found = |loaded: &&Loaded| ids.contains(&loaded.id);
    let records: Vec<&Loaded> = run.batch.records.iter().filter(is_found).collect();
    let rows = Standing::of(run, &records).await?;
    let mut changes = Vec::new();
    for loaded in records {
        if let Ok(Some(change)) = rows.change(run, loaded, None)? {
            changes.push(change);
        }
    }
    let changed: Vec<RecordId> = changes.iter().map(|change| change.record).collect();
    let refused = write(run, changes).await?;
    for (record, refusal) in changed.into_iter().zip(refused) {
        let verdict = match refusal {
            None => Verdict::Updated,
            Some(refusal) => Verdict::failed(refusal.code, refusal.message),
        };
        let mine = outcomes.iter_mut().filter(|o| o.record == record);
        mine.for_each(|outcome| outcome.verdict = verdict.clone());
    }
    Ok(outcomes)
}

/// The object and the fields that a record's row should have, or why they cannot be told.
type Due = Result<(&'static str, Fields), String>;

/// Rows as they stand, and as they should.
struct Standing {
    wanted: HashMap<(RecordId, u32), Due>,
    found: HashMap<String, Value>,
    known: HashMap<RecordId, Known>,
}

impl Standing {
    async fn of(run: &Run<'_>, records: &[&Loaded]) -> Result<Self> {
        let mut wanted = HashMap::new();
        let mut ids: HashMap<&'static str, Vec<String>> = HashMap::new();
        for row in expected_of(run, records, run.cx.now()).await? {
            match row {
                Wanted::Rows(rows) => {
                    let Some(row) = rows.into_iter().find(|row| row.n == 0) else {
                        continue;
                    };
                    if let Some(id) = run.standing(row.loaded, 0) {
                        ids.entry(row.object).or_default().push(id.to_owned());
                    }
                    let of = (row.loaded.id, row.loaded.part);
                    wanted.insert(of, Ok((row.object, row.fields)));
                }
                Wanted::Unbuildable(loaded, _, verdict) => {
                    let why = verdict.reason().unwrap_or(verdict.column()).to_owned();
                    wanted.insert((loaded.id, loaded.part), Err(why));
                }
            }
        }
        let mut found = HashMap::new();
        for (object, ids) in ids {
            if is_amended(object) {
                found.extend(rows_of(run, object, ids).await?);
            }
        }
        let ids: Vec<RecordId> = records.iter().map(|loaded| loaded.id).collect();
        let known = run.journal().rows(&ids).await?;
        Ok(Self {
            wanted,
            found,
            known: ids.into_iter().zip(known).collect(),
        })
    }

    /// What is to be changed of a record's row; nothing where it says all of it already; or why it stays as it is.
    fn change(
        &self,
        run: &Run<'_>,
        loaded: &Loaded,
        loaded_at: Option<DateTime<Utc>>,
    ) -> Result<Result<Option<Change>, String>> {
        let (object, fields) = match self.wanted.get(&(loaded.id, loaded.part)) {
            Some(Ok((object, fields))) if is_amended(object) => (*object, fields),
            Some(Ok(_)) => return Ok(Err(STAYS.to_owned())),
            Some(Err(why)) => return Ok(Err(why.clone())),
            // Teams, tags, definitions: what they are is looked up, not stored.
            None => return Ok(Ok(None)),
        };
        let known = self.known.get(&loaded.id);
        let effects = known.map_or(&[][..], Known::effects);
        let row = effects.iter().find(|effect| effect.row == loaded.row(0));
        let policy = match row.map(|effect| effect.operation) {
            Some(Operation::Insert) => Policy::Ours,
            Some(Operation::Matched) => Policy::Others(run.lines(object)?.on_match.clone()),
            // Another record's row: that one brings it up to date.
            _ => return Ok(Ok(None)),
        };
        let Some((id, stands)) = row
            .and_then(Effect::id)
            .and_then(|id| Some((id, self.found.get(id)?)))
        else {
            return Ok(Err("gone".to_owned()));
        };
        let is_ours = matches!(policy, Policy::Ours);
        if is_ours && loaded_at.is_some() && is_changed(stands, loaded_at, run.org.me()) {
            return Ok(Err(CHANGED.to_owned()));
        }
        let image = difference(run, object, fields, stands, &policy)?;
        Ok(Ok((!image.written.is_empty()).then(|| Change {
            record: loaded.id,
            row: loaded.row(CHANGE),
            object,
            id: id.to_owned(),
            image,
        })))
    }
}

/// Whose row is changed.
enum Policy {
    Ours,
    Others(OnMatch),
}

impl Policy {
    fn takes(&self, field: &str, stands: &Value) -> bool {
        let is_empty = stands.is_null() || stands.as_str().is_some_and(str::is_empty);
        match self {
            Self::Ours => true,
            Self::Others(OnMatch::Link) => false,
            Self::Others(OnMatch::Fill) => is_empty,
            Self::Others(OnMatch::Overwrite(fields)) => fields.iter().any(|one| one == field),
        }
    }
}

/// Whether rows of this object can be brought up to date.
fn is_amended(object: &str) -> bool {
    [
        accounts::OBJECT,
        contacts::OBJECT,
        leads::OBJECT,
        cases::OBJECT,
    ]
    .contains(&object)
        || object.ends_with("__c") && object != crate::load::rows::OBJECT
}

/// What of a row is not as it should be, and may be set.
fn difference(
    run: &Run<'_>,
    object: &str,
    wanted: &Fields,
    stands: &Value,
    policy: &Policy,
) -> Result<Image> {
    let described = run.org.object(object)?;
    let mut image = Image::default();
    let lines = run.lines(object)?.lines.iter();
    let names = lines.map(|line| line.field.as_str());
    for name in names.chain(by_policy(run, object)) {
        if is_id_list(name) || [BATCH_MARK, SOURCE_KEY].contains(&name) {
            continue;
        }
        let Some(field) = described.field(name).filter(|field| field.updateable) else {
            continue;
        };
        let sent = wanted.get(name).unwrap_or(&Value::Null);
        let now = stands.get(&field.name).unwrap_or(&Value::Null);
        let place = Place {
            object,
            field,
            row: stands,
            me: run.org.me(),
        };
        // A later time than that of the load is what the source says now.
        let explained = explain(sent, now, place).filter(|rule| *rule != Rule::Clamped);
        let says_it = same(sent, now, field) || explained.is_some();
        // What the source does not say takes nothing away from others.
        let says_nothing = sent.is_null() && matches!(policy, Policy::Others(_));
        if says_it || says_nothing || !policy.takes(name, now) {
            continue;
        }
        image.before.insert(field.name.clone(), now.clone());
        image.written.insert(field.name.clone(), sent.clone());
    }
    Ok(image)
}

/// Writes changes, each with what stood there before in the journal. Answers in order what was refused.
async fn write(run: &Run<'_>, changes: Vec<Change>) -> Result<Vec<Option<Refusal>>> {
    let mut refused: Vec<Option<Refusal>> = vec![None; changes.len()];
    let objects: HashSet<&'static str> = changes.iter().map(|change| change.object).collect();
    for object in objects {
        let which: Vec<usize> = (0..changes.len())
            .filter(|i| changes[*i].object == object)
            .collect();
        for some in which.chunks(crate::client::collections::ROWS) {
            let mine: Vec<&Change> = some.iter().map(|i| &changes[*i]).collect();
            for (i, refusal) in some.iter().zip(write_some(run, object, &mine).await?) {
                refused[*i] = refusal;
            }
        }
    }
    Ok(refused)
}

async fn write_some(
    run: &Run<'_>,
    object: &'static str,
    changes: &[&Change],
) -> Result<Vec<Option<Refusal>>> {
    let hash = |change: &Change| payload_hash(run.mapping, &change.image.written);
    let sent_at = run.cx.now();
    let intents = changes.iter().map(|change| Intent {
        record: change.record,
        row: change.row,
        object: object.to_owned(),
        operation: Operation::Update,
        request: String::new(),
        sent_at,
        hash: hash(change),
        image: Some(change.image.clone()),
    });
    run.journal().intend(intents.collect()).await?;
    let rows = changes
        .iter()
        .map(|change| row(&change.id, &change.image.written));
    let refused = run.api.put(run.cx, object, rows.collect(), true).await?;
    let effects = changes
        .iter()
        .zip(&refused)
        .map(|(change, refusal)| Effect {
            record: change.record,
            row: change.row,
            object: object.to_owned(),
            operation: Operation::Update,
            state: match refusal {
                None => EffectState::Confirmed {
                    id: change.id.clone(),
                },
                Some(refusal) => EffectState::Failed {
                    code: refusal.code.clone(),
                    message: refusal.message.clone(),
                },
            },
            hash: hash(change),
        });
    run.settle(effects.collect()).await?;
    Ok(refused)
}

/// A row that says these values under its id.
fn row(id: &str, values: &Fields) -> Fields {
    let values = values
        .iter()
        .map(|(name, value)| (name.clone(), value.clone()));
    values
        .chain(iter::once(("Id".to_owned(), id.into())))
        .collect()
}
