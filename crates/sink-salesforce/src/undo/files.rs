//! Files: a version cannot be deleted, its document can, and goes with all its links (Salesforce objects, section 10.3).

use std::collections::{HashMap, HashSet};

use deskferry_core::context::Context;
use deskferry_core::error::Result;
use deskferry_core::undo::{UndoBatch, Undone};
use serde_json::Value;

use super::{CHANGED, OTHERS, PARENT};
use crate::Salesforce;

/// One version of ours.
struct Version {
    document: String,
    /// Whether a newer version stands on it.
    replaced: bool,
}

pub(super) async fn undo(
    sink: &Salesforce,
    cx: &Context,
    batch: &UndoBatch,
) -> Result<Vec<Undone>> {
    let versions = versions(sink, cx, batch).await?;
    let documents: Vec<String> = versions.values().map(|v| v.document.clone()).collect();
    let shown = shown(sink, cx, batch, &documents).await?;
    let reason = |version: &Version| {
        if version.replaced && batch.loaded_until.is_some() {
            return Some(CHANGED);
        }
        shown.get(&version.document).copied()
    };
    let free: HashSet<&str> = versions
        .values()
        .filter(|version| reason(version).is_none())
        .map(|version| version.document.as_str())
        .collect();
    let free: Vec<String> = free.into_iter().map(str::to_owned).collect();
    let deleted = if batch.trial {
        free.into_iter().map(|id| (id, Undone::Removed)).collect()
    } else {
        sink.delete(cx, &free).await?
    };
    let answer = |id: &str| {
        let Some(version) = versions.get(id) else {
            return Undone::Gone;
        };
        match reason(version) {
            Some(why) => Undone::Held(why.to_owned()),
            None => deleted
                .get(&version.document)
                .cloned()
                .unwrap_or(Undone::Gone),
        }
    };
    Ok(batch.rows.iter().map(|row| answer(&row.id)).collect())
}

async fn versions(
    sink: &Salesforce,
    cx: &Context,
    batch: &UndoBatch,
) -> Result<HashMap<String, Version>> {
    let ids: Vec<String> = batch.rows.iter().map(|row| row.id.clone()).collect();
    let select = "SELECT Id, ContentDocumentId, IsLatest FROM ContentVersion WHERE Id IN";
    let rows = sink.api().query_in(cx, select, &ids).await?;
    let version = |row: &Value| {
        let version = Version {
            document: row["ContentDocumentId"].as_str()?.to_owned(),
            replaced: row["IsLatest"].as_bool() == Some(false),
        };
        Some((row["Id"].as_str()?.to_owned(), version))
    };
    Ok(rows.iter().filter_map(version).collect())
}

/// Documents that must stay since somebody else shows them, or since what shows them stays.
async fn shown(
    sink: &Salesforce,
    cx: &Context,
    batch: &UndoBatch,
    documents: &[String],
) -> Result<HashMap<String, &'static str>> {
    let select = "SELECT ContentDocumentId, LinkedEntityId FROM ContentDocumentLink WHERE ContentDocumentId IN";
    let links = sink.api().query_in(cx, select, documents).await?;
    let links: Vec<(String, String)> = links
        .iter()
        .filter_map(|row| {
            let document = row["ContentDocumentId"].as_str()?.to_owned();
            Some((document, row["LinkedEntityId"].as_str()?.to_owned()))
        })
        // Everybody's files are linked with their owner.
        .filter(|(_, entity)| !entity.starts_with("005"))
        .collect();
    let entities: Vec<String> = links.iter().map(|(_, entity)| entity.clone()).collect();
    let ours = batch.ours.are_ours(&entities).await?;
    let mut shown = HashMap::new();
    for ((document, entity), ours) in links.into_iter().zip(ours) {
        if batch.held.contains(&entity) {
            shown.insert(document, PARENT);
        } else if !ours {
            shown.entry(document).or_insert(OTHERS);
        }
    }
    Ok(shown)
}
