//! Custom fields of a source as they are now, held against those that were read.

use std::collections::BTreeMap;

use super::extract::definitions;
use super::workspace::Workspace;
use crate::context::Context;
use crate::error::Result;
use crate::key::RecordKind;
use crate::model::{FieldDefinition, Record};
use crate::source::{Next, Scope, Shard, Source};
use crate::stage::Stage;

/// How many records are looked at together.
const TOGETHER: usize = 500;

/// What a short part of a read may bring beside definitions.
const SHORT: [RecordKind; 5] = [
    RecordKind::FieldDefinition,
    RecordKind::ObjectDefinition,
    RecordKind::Team,
    RecordKind::Agent,
    RecordKind::Tag,
];

/// The parts of a source that bring definitions of custom fields and little else: a few requests.
pub(super) async fn parts(cx: &Context, source: &dyn Source) -> Result<Vec<Shard>> {
    let mut parts = source.shards(cx, &Scope::default()).await?;
    parts.retain(|part| {
        part.yields.contains(&RecordKind::FieldDefinition)
            && part.needs.is_empty()
            && part.yields.iter().all(|kind| SHORT.contains(kind))
    });
    Ok(parts)
}

/// Custom fields that people have not seen: what a source has now, held against what its stage holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FieldsNow {
    /// Fields that nobody has read yet, a line each: whose, key, type, title.
    pub new: Vec<String>,
    /// Fields that hold something else than when they were read, a line each.
    pub other: Vec<String>,
}

impl FieldsNow {
    /// Whether all is as it was read.
    #[must_use]
    pub fn is_as_read(&self) -> bool {
        self.new.is_empty() && self.other.is_empty()
    }
}

/// Asks a source for its custom fields, and holds them against those that the workspace's stage holds. A field that is gone
/// takes nothing with it, so it is not told. Fields that a source tells only with the records that have them are found by
/// their reading. Not beside a run.
///
/// # Errors
/// The source could not be asked; `Storage`.
pub async fn fields_now(
    cx: &Context,
    source: &dyn Source,
    workspace: &Workspace,
) -> Result<FieldsNow> {
    let mut now = FieldsNow::default();
    if !workspace.stage().exists() {
        return Ok(now);
    }
    let read = definitions(cx, workspace).await?.fields;
    let known: BTreeMap<String, String> = read.iter().map(|one| (name(one), kind(one))).collect();
    for part in parts(cx, source).await? {
        let mut after = None;
        loop {
            let page = source.page(cx, &part, after.take()).await?;
            for record in &page.records {
                let Record::FieldDefinition(field) = record else {
                    continue;
                };
                let (name, kind) = (name(field), kind(field));
                match known.get(&name) {
                    None => now
                        .new
                        .push(format!("{name} is new: {kind}, “{}”", field.title)),
                    Some(was) if *was != kind => {
                        now.other.push(format!("{name} was {was} and is {kind}"));
                    }
                    Some(_) => {}
                }
            }
            match page.next {
                Next::More(cursor) => after = Some(cursor),
                Next::End(_) => break,
            }
        }
    }
    now.new.sort();
    now.other.sort();
    Ok(now)
}

/// The languages of the articles that the stage of a workspace holds, with how many have a text in each. Not beside a run.
///
/// # Errors
/// `Storage`.
pub async fn languages_read(cx: &Context, workspace: &Workspace) -> Result<BTreeMap<String, u64>> {
    let mut languages = BTreeMap::new();
    if !workspace.stage().exists() {
        return Ok(languages);
    }
    let stage = Stage::open(&workspace.stage()).await?;
    let mut place = None;
    loop {
        cx.check("count languages of articles")?;
        let kinds = [RecordKind::Article];
        let rows = stage.index().scan(&kinds, place.as_ref(), TOGETHER).await?;
        let Some(last) = rows.last() else {
            return Ok(languages);
        };
        place = Some(last.place());
        for record in stage.records(&rows).await? {
            let Record::Article(article) = record else {
                continue;
            };
            for text in &article.translations {
                *languages.entry(text.locale.clone()).or_default() += 1;
            }
        }
    }
}

/// Whose field it is, and its key.
fn name(field: &FieldDefinition) -> String {
    match &field.object {
        Some(object) => format!("{}.{}", object.id(), field.field),
        None => format!("{}.{}", field.of, field.field),
    }
}

fn kind(field: &FieldDefinition) -> String {
    match field.raw_type.as_str() {
        "" => format!("{:?}", field.holds).to_lowercase(),
        raw => raw.to_owned(),
    }
}

/// The custom fields that the stage of a workspace holds, by name with their type, as a plan tells them.
///
/// # Errors
/// `Storage`.
pub async fn fields_read(cx: &Context, workspace: &Workspace) -> Result<Vec<(String, String)>> {
    if !workspace.stage().exists() {
        return Ok(Vec::new());
    }
    let read = definitions(cx, workspace).await?.fields;
    Ok(read.iter().map(|one| (name(one), kind(one))).collect())
}
