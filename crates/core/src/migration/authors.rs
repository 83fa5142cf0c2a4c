//! Giving messages the names of their authors, where the source named them by key alone.

use std::collections::HashMap;

use crate::error::Result;
use crate::key::RecordKey;
use crate::model::Record;
use crate::stage::Stage;

/// Fills in authors' names from the people that were read.
pub(super) async fn name_authors(stage: &Stage, records: &mut [Record]) -> Result<()> {
    let mut keys: Vec<RecordKey> = records.iter().filter_map(nameless).cloned().collect();
    keys.sort();
    keys.dedup();
    if keys.is_empty() {
        return Ok(());
    }
    let names = names(stage, &keys).await?;
    for record in records {
        if let Some(name) = nameless(record).and_then(|key| names.get(key)) {
            let name = name.clone();
            if let Record::Message(message) = record {
                message.author.name = name;
            }
        }
    }
    Ok(())
}

fn nameless(record: &Record) -> Option<&RecordKey> {
    match record {
        Record::Message(m) if m.author.name.trim().is_empty() => m.author.key.as_ref(),
        _ => None,
    }
}

async fn names(stage: &Stage, keys: &[RecordKey]) -> Result<HashMap<RecordKey, String>> {
    let ids: Vec<_> = stage
        .index()
        .find(keys)
        .await?
        .into_iter()
        .flatten()
        .collect();
    let people = stage.records(&stage.index().rows(&ids).await?).await?;
    Ok(people
        .into_iter()
        .filter_map(|person| match person {
            Record::Contact(c) => Some((c.meta.key, c.name)),
            Record::Agent(a) => Some((a.meta.key, a.name)),
            _ => None,
        })
        .collect())
}
