//! Drawing a sample: some conversations with everything that they need.

mod cover;
mod features;

use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashSet};

use serde::{Deserialize, Serialize};

use super::selection::SAMPLED;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::key::{RecordId, RecordKey, RecordKind};
use crate::model::Record;
use crate::stage::Stage;
use crate::stage::index::{Row, name_of};
use cover::{Candidates, Unit};

/// How many records are looked at together.
const TOGETHER: usize = 500;

/// How a sample is drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Draw {
    /// As few conversations, people, companies, articles and records of custom objects as have, together, one of every
    /// channel, status, type, used custom field, language, oddity and shape, and the extremes.
    Cover {
        /// The most bytes of files that they may have together.
        file_bytes: u64,
    },
    /// So many conversations, by chance.
    Random {
        /// How many.
        conversations: usize,
        /// The number that decides which ones: the same one draws the same ones.
        seed: u64,
    },
    /// These conversations, by their ids at the source.
    Chosen(Vec<String>),
}

/// What was drawn. Serialised as `sample.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Sample {
    /// The version of this form.
    pub format: u32,
    /// How it was drawn, for people.
    pub drawn: String,
    /// The records that were drawn, and what for.
    pub chosen: Vec<Chosen>,
    /// How many records of each kind it has, with what the chosen ones need.
    pub kinds: BTreeMap<RecordKind, u64>,
    /// Bytes of its files, by what the source says.
    pub file_bytes: u64,
    /// What a covering sample does not have, since nothing that has it fits.
    pub missing: Vec<String>,
    #[serde(skip)]
    pub(super) records: Vec<RecordId>,
}

/// A record that was drawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Chosen {
    /// The record.
    pub key: RecordKey,
    /// What it is the first to have, in a covering sample.
    pub covers: Vec<String>,
}

impl Sample {
    /// The same in a few lines, for a terminal.
    #[must_use]
    pub fn summary(&self) -> String {
        let kinds = self
            .kinds
            .iter()
            .map(|(kind, count)| format!("{} {count}", kind.name()));
        let kinds: Vec<String> = kinds.collect();
        let mut said = format!(
            "sample: {}; with what they need: {}; files: {:.1} MB",
            self.drawn,
            kinds.join(", "),
            self.file_bytes as f64 / 1e6
        );
        if !self.missing.is_empty() {
            said.push_str("\nnothing that fits has: ");
            said.push_str(&self.missing.join(", "));
        }
        said
    }
}

/// Draws a sample of what was read.
pub(super) async fn draw(cx: &Context, stage: &Stage, how: &Draw) -> Result<Sample> {
    let mut sample = Sample {
        format: 1,
        ..Sample::default()
    };
    let chosen: Vec<(RecordId, Vec<String>)> = match how {
        Draw::Cover { file_bytes } => {
            sample.drawn = "one of everything".to_owned();
            let choice = candidates(cx, stage).await?.choose(*file_bytes);
            sample.missing = choice.missing;
            choice.taken
        }
        Draw::Random {
            conversations,
            seed,
        } => {
            sample.drawn = format!("{conversations} conversations by chance, seed {seed}");
            let drawn = random(cx, stage, *conversations, *seed).await?;
            drawn.into_iter().map(|id| (id, Vec::new())).collect()
        }
        Draw::Chosen(ids) => {
            sample.drawn = format!("{} conversations by their ids", ids.len());
            let found = named(stage, ids).await?;
            found.into_iter().map(|id| (id, Vec::new())).collect()
        }
    };
    let ids: Vec<RecordId> = chosen.iter().map(|(id, _)| *id).collect();
    let mut covers: BTreeMap<RecordId, Vec<String>> = chosen.into_iter().collect();
    for record in with_ids(stage, &ids).await? {
        sample.chosen.push(Chosen {
            key: record.1.key().clone(),
            covers: covers.remove(&record.0).unwrap_or_default(),
        });
    }
    if ids.is_empty() {
        return Err(not_there(
            "there is nothing to draw from, or nothing was to be drawn",
        ));
    }
    with_needs(cx, stage, ids, &mut sample).await?;
    Ok(sample)
}

async fn with_ids(stage: &Stage, ids: &[RecordId]) -> Result<Vec<(RecordId, Record)>> {
    let rows = stage.index().rows(ids).await?;
    let records = stage.records(&rows).await?;
    Ok(rows.iter().map(|row| row.id).zip(records).collect())
}

/// Adds the chosen records and whatever they need, and what that needs.
async fn with_needs(
    cx: &Context,
    stage: &Stage,
    chosen: Vec<RecordId>,
    sample: &mut Sample,
) -> Result<()> {
    let index = stage.index();
    let mut known: HashSet<RecordId> = HashSet::new();
    let mut open = chosen;
    while !open.is_empty() {
        cx.check("draw a sample")?;
        open.retain(|id| known.insert(*id));
        let mut rows = index.rows(&open).await?;
        let within = whole(stage, &rows).await?;
        rows.extend(within.into_iter().filter(|row| known.insert(row.id)));
        let mut needed = BTreeSet::new();
        for row in &rows {
            sample.records.push(row.id);
            *sample.kinds.entry(row.kind).or_default() += 1;
        }
        for record in stage.records(&rows).await? {
            if let Record::Attachment(file) = &record {
                sample.file_bytes += file.size.unwrap_or(0);
            }
            let needs = features::needs(&record).into_iter();
            needed.extend(
                needs.filter(|key| key.record_kind().is_some_and(|k| SAMPLED.contains(&k))),
            );
        }
        let needed: Vec<RecordKey> = needed.into_iter().collect();
        open = index.find(&needed).await?.into_iter().flatten().collect();
        open.retain(|id| !known.contains(id));
    }
    Ok(())
}

/// What is in these conversations and articles.
async fn whole(stage: &Stage, rows: &[Row]) -> Result<Vec<Row>> {
    let with_more = [RecordKind::Conversation, RecordKind::Article];
    let groups = rows.iter().filter(|row| with_more.contains(&row.kind));
    let groups: Vec<i64> = groups.map(|row| row.name).collect();
    let kinds = [RecordKind::Message, RecordKind::Attachment];
    stage.index().group_rows(&groups, &kinds).await
}

/// Those with the smallest hash of seed and name, so that no order of reading matters.
async fn random(cx: &Context, stage: &Stage, count: usize, seed: u64) -> Result<Vec<RecordId>> {
    let mut drawn: BinaryHeap<(i64, RecordId)> = BinaryHeap::new();
    let mut place = None;
    loop {
        cx.check("draw a sample")?;
        let kinds = [RecordKind::Conversation];
        let rows = stage.index().scan(&kinds, place.as_ref(), TOGETHER).await?;
        let Some(last) = rows.last() else { break };
        place = Some(last.place());
        for row in rows.iter().filter(|row| row.skip.is_none()) {
            drawn.push((name_of(&format!("{seed} {}", row.name)), row.id));
            if drawn.len() > count {
                drawn.pop();
            }
        }
    }
    Ok(drawn
        .into_sorted_vec()
        .into_iter()
        .map(|(_, id)| id)
        .collect())
}

async fn named(stage: &Stage, ids: &[String]) -> Result<Vec<RecordId>> {
    let tenant = stage.index().tenant().await?;
    let tenant = tenant.ok_or_else(|| not_there("nothing was read yet"))?;
    let keys = ids
        .iter()
        .map(|id| tenant.key(RecordKind::Conversation, id));
    let keys: Vec<RecordKey> = keys.collect();
    let found = stage.index().find(&keys).await?;
    let missing = ids.iter().zip(&found).filter(|(_, found)| found.is_none());
    let missing: Vec<&str> = missing.map(|(id, _)| id.as_str()).collect();
    if !missing.is_empty() {
        let said = format!("the source has no conversation {}", missing.join(", "));
        return Err(not_there(said));
    }
    Ok(found.into_iter().flatten().collect())
}

fn not_there(said: impl Into<String>) -> Error {
    Error::new(ErrorKind::NotFound, "draw a sample", said)
        .advise("Name conversations by their ids at the source, as `scope.json` and the source's own pages show them")
}

/// What could be taken, looked at once.
async fn candidates(cx: &Context, stage: &Stage) -> Result<Candidates> {
    let units = [
        RecordKind::Conversation,
        RecordKind::Contact,
        RecordKind::Account,
        RecordKind::Article,
        RecordKind::ObjectRecord,
    ];
    let (mut found, mut extremes, mut place) = (Candidates::default(), Extremes::default(), None);
    loop {
        cx.check("draw a sample")?;
        let rows = stage.index().scan(&units, place.as_ref(), TOGETHER).await?;
        let Some(last) = rows.last() else { break };
        place = Some(last.place());
        let rows: Vec<Row> = rows.into_iter().filter(|row| row.skip.is_none()).collect();
        let mut within: BTreeMap<i64, Vec<Record>> = BTreeMap::new();
        let inside = whole(stage, &rows).await?;
        for (row, record) in inside.iter().zip(stage.records(&inside).await?) {
            within.entry(row.group).or_default().push(record);
        }
        for (row, record) in rows.iter().zip(stage.records(&rows).await?) {
            let within = within.remove(&row.name).unwrap_or_default();
            let unit = unit(&mut found, row, &record, &within);
            if row.kind == RecordKind::Conversation {
                extremes.see(row, &within, &unit);
            }
            found.offer(&unit);
        }
    }
    for (name, (_, unit)) in extremes.0 {
        found.only(name, unit);
    }
    Ok(found)
}

fn unit(found: &mut Candidates, row: &Row, record: &Record, within: &[Record]) -> Unit {
    let names = std::iter::once(record).chain(within).flat_map(features::of);
    Unit {
        id: row.id,
        features: names.map(|name| found.number(name)).collect(),
        file_bytes: within.iter().filter_map(size).sum(),
    }
}

fn size(record: &Record) -> Option<u64> {
    match record {
        Record::Attachment(file) => file.size,
        _ => None,
    }
}

/// The conversations that are more of something than all others.
#[derive(Debug, Default)]
struct Extremes(BTreeMap<&'static str, (i64, Unit)>);

impl Extremes {
    fn see(&mut self, row: &Row, within: &[Record], unit: &Unit) {
        let messages = || within.iter().filter(|r| matches!(r, Record::Message(_)));
        let body = |record: &Record| match record {
            Record::Message(m) => [&m.body.html, &m.body.text]
                .into_iter()
                .flatten()
                .map(String::len)
                .max(),
            _ => None,
        };
        let files = within.iter().filter_map(size);
        let measures = [
            ("the oldest conversation", -row.at),
            ("the newest conversation", row.at),
            ("the most messages", messages().count() as i64),
            (
                "the longest text",
                messages().filter_map(body).max().unwrap_or(0) as i64,
            ),
            (
                "the largest file",
                files.clone().max().unwrap_or(0).cast_signed(),
            ),
            ("the most files", files.count() as i64),
        ];
        for (name, measure) in measures {
            match self.0.get(name) {
                Some((most, _)) if *most >= measure => {}
                _ => {
                    self.0.insert(name, (measure, unit.clone()));
                }
            }
        }
    }
}
