//! A few records of each kind, and a few values of each custom field.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::context::Context;
use crate::error::Result;
use crate::key::RecordKind;
use crate::migration::Workspace;
use crate::model::{CustomValue, Record};
use crate::stage::Stage;
use crate::transform::{Transform, Transformed};

/// The kinds whose records have custom fields of their own in a mapping.
const KINDS: [RecordKind; 3] = [
    RecordKind::Account,
    RecordKind::Contact,
    RecordKind::Conversation,
];

/// How many records of a kind are looked at.
const LOOKED_AT: usize = 2_000;
/// How many of them are kept whole.
const KEPT: usize = 40;
/// How many different values of a field are kept, and how many characters of each.
const VALUES: usize = 8;
const LENGTH: usize = 80;
/// How many records are looked at together.
const TOGETHER: usize = 200;

/// What was looked at. Personal data.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Samples {
    /// Records as they were read, each with what the transforms make of it; those that they skip are left out.
    pub records: Vec<(Record, Record)>,
    /// A few different values of each custom field, as the transforms leave them.
    pub values: BTreeMap<(RecordKind, String), Vec<String>>,
}

/// Looks at the newest records of accounts, contacts and conversations.
///
/// # Errors
/// `Storage`, and what a transform can end with.
pub async fn samples(
    cx: &Context,
    workspace: &Workspace,
    transforms: &[Arc<dyn Transform>],
) -> Result<Samples> {
    let stage = Stage::open(&workspace.stage()).await?;
    let mut found = Samples::default();
    for kind in KINDS {
        let (mut place, mut seen, mut kept) = (None, 0, 0);
        while seen < LOOKED_AT {
            cx.check("look at some records")?;
            let rows = stage
                .index()
                .scan(&[kind], place.as_ref(), TOGETHER)
                .await?;
            let Some(last) = rows.last() else { break };
            place = Some(last.place());
            seen += rows.len();
            let before = stage.records(&rows).await?;
            let after = transformed(cx, before.clone(), transforms).await?;
            for (before, after) in before.into_iter().zip(after) {
                let Some(after) = after else { continue };
                let new = found.see(kind, &after);
                // Those that show a value that none before them had, and the first few.
                if kept < KEPT && (new || kept < KEPT / 4) {
                    kept += 1;
                    found.records.push((before, after));
                }
            }
        }
    }
    Ok(found)
}

impl Samples {
    /// Keeps its values; says whether one of them is new.
    fn see(&mut self, kind: RecordKind, record: &Record) -> bool {
        let mut new = false;
        for (name, value) in &record.meta().custom {
            let values = self.values.entry((kind, name.clone())).or_default();
            for text in texts(value) {
                let text: String = text.chars().take(LENGTH).collect();
                if values.len() < VALUES && !text.trim().is_empty() && !values.contains(&text) {
                    values.push(text);
                    new = true;
                }
            }
        }
        new
    }
}

fn texts(value: &CustomValue) -> Vec<String> {
    match value {
        CustomValue::Choices(list) => list.clone(),
        value => match value.to_json() {
            serde_json::Value::String(text) => vec![text],
            other => vec![other.to_string()],
        },
    }
}

/// Each record as the transforms leave it; of one that is split the first part.
async fn transformed(
    cx: &Context,
    records: Vec<Record>,
    transforms: &[Arc<dyn Transform>],
) -> Result<Vec<Option<Record>>> {
    let mut out: Vec<Option<Record>> = records.into_iter().map(Some).collect();
    for transform in transforms {
        let batch: Vec<Record> = out.iter().flatten().cloned().collect();
        let mut verdicts = transform.apply(cx, batch).await?.into_iter();
        for slot in out.iter_mut().filter(|slot| slot.is_some()) {
            *slot = verdicts.next().and_then(|verdict| match verdict {
                Transformed::Keep(record) => Some(record),
                Transformed::Split(parts) => parts.into_iter().next(),
                Transformed::Skip(_) => None,
            });
        }
    }
    Ok(out)
}
