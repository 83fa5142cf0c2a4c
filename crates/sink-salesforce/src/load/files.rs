//! Files. The same bytes on one conversation are one file: the first attachment makes it, the others are linked to it.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use deskferry_core::blob::BlobInfo;
use deskferry_core::context::Context;
use deskferry_core::error::{Error, Result};
use deskferry_core::journal::{Effect, EffectState, Operation};
use deskferry_core::key::{RecordId, RecordKey, RecordKind};
use deskferry_core::model::{Attachment, Record};
use deskferry_core::sink::{FileState, Loaded, Outcome, Verdict};
use futures::stream::{self, StreamExt, TryStreamExt};

use super::{
    Identity, Landed, Lookup, Needed, Outgoing, Run, Transport, outcome, strange, verdict,
};
use crate::client::collections::CallAnswer;
use crate::files::Content;
use crate::mapping::ARTICLES;
use crate::mapping::build::{self, Fields, Leftovers};
use crate::mapping::facts::{Common, FileFacts, file_key, file_name};

pub(crate) const OBJECT: &str = "ContentVersion";
pub(crate) const DOCUMENT: &str = "ContentDocument";
/// The space in which attachments claim contents.
const FILE: &str = "file";
/// How many cases get files at once. Those of one case go one after the other: the platform locks it.
const CASES_AT_ONCE: usize = 4;

/// What becomes of an attachment.
pub(crate) enum FilePlan {
    /// Its bytes are uploaded under this key, or another attachment's were.
    Upload {
        /// The Case on which it hangs; an article's hangs on nothing until the article stands.
        case: Option<String>,
        key: RecordKey,
        blob: BlobInfo,
    },
    /// Nothing is.
    Verdict(Verdict),
}

pub(crate) async fn write(run: &Run<'_>) -> Result<Vec<Outcome>> {
    let cases = cases(run).await?;
    let plans = run
        .batch
        .records
        .iter()
        .map(|loaded| plan(run, loaded, &cases))
        .collect::<Result<Vec<_>>>()?;
    let winners = winners(run, &plans).await?;
    let uploaded = upload_all(run, &plans, &winners).await?;
    let documents = learn_documents(run, &uploaded).await?;
    let linked = link_others(run, &plans, &winners, &uploaded, &documents).await?;
    let outcomes = run.batch.records.iter().zip(plans).map(|(loaded, plan)| {
        let verdict = match plan {
            FilePlan::Verdict(verdict) => verdict,
            FilePlan::Upload { .. } => match uploaded.get(&loaded.id) {
                Some(landed) => verdict(std::iter::once(landed.clone())),
                None => linked
                    .get(&loaded.id)
                    .cloned()
                    .unwrap_or_else(|| Verdict::Held("parent-failed".into())),
            },
        };
        outcome(loaded, verdict)
    });
    Ok(outcomes.collect())
}

pub(crate) fn attachment(loaded: &Loaded) -> Result<&Attachment> {
    match &loaded.record {
        Record::Attachment(attachment) => Ok(attachment),
        _ => Err(strange(loaded, "files")),
    }
}

pub(crate) async fn cases(run: &Run<'_>) -> Result<Lookup> {
    run.look(
        run.batch
            .records
            .iter()
            .filter_map(|loaded| attachment(loaded).ok())
            .map(|a| &a.conversation),
    )
    .await
}

pub(crate) fn plan(run: &Run<'_>, loaded: &Loaded, cases: &Lookup) -> Result<FilePlan> {
    let attachment = attachment(loaded)?;
    let of_article = attachment.conversation.record_kind() == Some(RecordKind::Article);
    // Files of articles that are not loaded hang on nothing else.
    let loads = run.mapping.articles().is_some() && run.org.object(ARTICLES).is_ok();
    if of_article && !loads {
        return Ok(FilePlan::Verdict(Verdict::Skipped("of-an-article".into())));
    }
    let blob = match &loaded.file {
        Some(FileState::Staged(blob)) if blob.size == 0 => {
            return Ok(FilePlan::Verdict(Verdict::Skipped("empty-file".into())));
        }
        Some(FileState::Staged(blob)) => blob.clone(),
        Some(FileState::Unavailable(why)) => {
            return Ok(FilePlan::Verdict(Verdict::failed("UNAVAILABLE", why)));
        }
        None => {
            return Ok(FilePlan::Verdict(Verdict::failed(
                "UNAVAILABLE",
                "the file was not fetched",
            )));
        }
    };
    let case = match of_article {
        true => Ok(None),
        false => case_of(cases, &attachment.conversation).map(Some),
    };
    Ok(match case {
        Ok(case) => FilePlan::Upload {
            case,
            key: file_key(&attachment.conversation, &blob.blake3),
            blob,
        },
        Err(verdict) => FilePlan::Verdict(verdict),
    })
}

/// The Case of a conversation, or why what belongs to it cannot be made.
pub(crate) fn case_of(cases: &Lookup, conversation: &RecordKey) -> Result<String, Verdict> {
    match cases.needed(conversation, "Case") {
        Needed::Stands(id) => Ok(id),
        Needed::Waits(verdict) => Err(verdict),
        Needed::None if cases.get(conversation).verdict().is_some() => {
            Err(Verdict::Skipped("parent-skipped".into()))
        }
        Needed::None => Err(Verdict::failed(
            "NO_CONVERSATION",
            format!("its conversation {conversation} was not read"),
        )),
    }
}

async fn winners(run: &Run<'_>, plans: &[FilePlan]) -> Result<HashMap<RecordId, RecordId>> {
    let claims: Vec<(String, RecordId)> = run
        .batch
        .records
        .iter()
        .zip(plans)
        .filter_map(|(loaded, plan)| match plan {
            FilePlan::Upload { key, .. } => Some((key.to_string(), loaded.id)),
            FilePlan::Verdict(_) => None,
        })
        .collect();
    let winners = run.journal().claim(FILE, &claims).await?;
    Ok(claims.into_iter().map(|(_, id)| id).zip(winners).collect())
}

async fn upload_all(
    run: &Run<'_>,
    plans: &[FilePlan],
    winners: &HashMap<RecordId, RecordId>,
) -> Result<HashMap<RecordId, Landed>> {
    let mut by_case: BTreeMap<&str, Vec<Outgoing>> = BTreeMap::new();
    for (loaded, plan) in run.batch.records.iter().zip(plans) {
        if let FilePlan::Upload { case, key, blob } = plan
            && winners.get(&loaded.id) == Some(&loaded.id)
        {
            let together = attachment(loaded)?.conversation.as_str();
            let row = row(run, loaded, case.as_deref(), key, blob, run.cx.now())?;
            by_case
                .entry(case.as_deref().unwrap_or(together))
                .or_default()
                .push(row);
        }
    }
    let uploads = stream::iter(by_case.into_values())
        .map(|rows| upload(run, rows))
        .buffer_unordered(CASES_AT_ONCE);
    let landed: Vec<Vec<(RecordId, Landed)>> = uploads.try_collect().await?;
    Ok(landed.into_iter().flatten().collect())
}

/// Uploads files one after the other.
pub(crate) async fn upload(run: &Run<'_>, rows: Vec<Outgoing>) -> Result<Vec<(RecordId, Landed)>> {
    let ids: Vec<RecordId> = rows.iter().map(|row| row.record).collect();
    let landed = run.write(rows, &Uploads(run), Identity::Key).await?;
    Ok(ids.into_iter().zip(landed).collect())
}

struct Uploads<'a, 'r>(&'a Run<'r>);

#[async_trait]
impl Transport for Uploads<'_, '_> {
    fn most_rows(&self) -> usize {
        1
    }

    async fn send(&self, cx: &Context, rows: &[&Outgoing]) -> Result<CallAnswer> {
        let content = rows[0]
            .content
            .as_ref()
            .ok_or_else(|| Error::bug("upload a file", "a file without bytes"))?;
        self.0
            .api
            .upload(cx, &rows[0].fields, content, self.0.blobs())
            .await
    }
}

/// The row of an attachment that makes its file.
pub(crate) fn row(
    run: &Run<'_>,
    loaded: &Loaded,
    case: Option<&str>,
    key: &RecordKey,
    blob: &BlobInfo,
    now: DateTime<Utc>,
) -> Result<Outgoing> {
    let fields = fields(run, loaded, case, key, now)?;
    Ok(Outgoing {
        content: Some(Content::Staged(blob.clone())),
        ..run.outgoing(loaded, 0, OBJECT, fields)
    })
}

pub(crate) fn fields(
    run: &Run<'_>,
    loaded: &Loaded,
    case: Option<&str>,
    key: &RecordKey,
    now: DateTime<Utc>,
) -> Result<Fields> {
    let attachment = attachment(loaded)?;
    let meta = &attachment.meta;
    let seen = match &loaded.file {
        Some(FileState::Staged(blob)) => blob.media_type.as_deref(),
        _ => None,
    };
    let media_type = attachment.media_type.as_deref().or(seen);
    let path = file_name(&attachment.name, media_type, meta.key.id());
    let common = Common {
        meta,
        key: key.as_str(),
        mark: run.journal().mark(),
    };
    let facts = FileFacts {
        common,
        meta,
        path,
        case,
    };
    Ok(build::row(
        run.lines(OBJECT)?,
        run.org.object(OBJECT)?,
        &facts,
        Leftovers::new(),
        now,
    ))
}

/// The documents that the platform made for files, learnt in one query and kept as side effects.
async fn learn_documents(
    run: &Run<'_>,
    uploaded: &HashMap<RecordId, Landed>,
) -> Result<HashMap<RecordId, String>> {
    let mut known = HashMap::new();
    let mut unknown = Vec::new();
    for loaded in &run.batch.records {
        let Some(Landed::Stands { id, .. }) = uploaded.get(&loaded.id) else {
            continue;
        };
        match run.standing(loaded, 1) {
            Some(document) => {
                known.insert(loaded.id, document.to_owned());
            }
            None => unknown.push((loaded.id, loaded.row(1), id.clone())),
        }
    }
    let asked = ask_documents(run, unknown).await?;
    known.extend(asked.into_iter().map(|(record, _, id)| (record, id)));
    Ok(known)
}

/// Learns the documents of these versions (record, row of the side effect, version).
pub(crate) async fn ask_documents(
    run: &Run<'_>,
    versions: Vec<(RecordId, u32, String)>,
) -> Result<Vec<(RecordId, u32, String)>> {
    let ids: Vec<String> = versions.iter().map(|(_, _, id)| id.clone()).collect();
    let rows = run
        .api
        .query_in(
            run.cx,
            "SELECT Id, ContentDocumentId FROM ContentVersion WHERE Id IN",
            &ids,
        )
        .await?;
    let by_version: HashMap<&str, &str> = rows
        .iter()
        .filter_map(|row| Some((row["Id"].as_str()?, row["ContentDocumentId"].as_str()?)))
        .collect();
    let (mut documents, mut effects) = (Vec::new(), Vec::new());
    for (record, row, version) in versions {
        let Some(document) = by_version.get(version.as_str()) else {
            continue;
        };
        effects.push(Effect {
            record,
            row,
            object: DOCUMENT.into(),
            operation: Operation::SideEffect,
            state: EffectState::Confirmed {
                id: (*document).to_owned(),
            },
            hash: [0; 16],
        });
        documents.push((record, row, (*document).to_owned()));
    }
    run.settle(effects).await?;
    Ok(documents)
}

/// Links the attachments whose bytes another one brought.
async fn link_others(
    run: &Run<'_>,
    plans: &[FilePlan],
    winners: &HashMap<RecordId, RecordId>,
    uploaded: &HashMap<RecordId, Landed>,
    documents: &HashMap<RecordId, String>,
) -> Result<HashMap<RecordId, Verdict>> {
    let other = |loaded: &Loaded| {
        winners
            .get(&loaded.id)
            .copied()
            .filter(|winner| *winner != loaded.id)
    };
    let planned = run
        .batch
        .records
        .iter()
        .zip(plans)
        .filter(|(_, plan)| matches!(plan, FilePlan::Upload { .. }));
    let others: Vec<(&Loaded, RecordId)> = planned
        .filter_map(|(loaded, _)| Some((loaded, other(loaded)?)))
        .collect();
    if others.is_empty() {
        return Ok(HashMap::new());
    }
    let firsts: Vec<RecordId> = others.iter().map(|(_, first)| *first).collect();
    let known = run.journal().rows(&firsts).await?;
    let (mut verdicts, mut effects) = (HashMap::new(), Vec::new());
    for ((loaded, first), known) in others.into_iter().zip(known) {
        let version = match uploaded.get(&first) {
            Some(Landed::Stands { id, .. }) => Some(id.clone()),
            _ => known.id_of(OBJECT).map(str::to_owned),
        };
        let document = documents
            .get(&first)
            .cloned()
            .or_else(|| known.id_of(DOCUMENT).map(str::to_owned));
        let Some(version) = version else {
            verdicts.insert(loaded.id, refused_with(uploaded.get(&first)));
            continue;
        };
        effects.push(link(loaded, 0, OBJECT, version));
        effects.extend(document.map(|document| link(loaded, 1, DOCUMENT, document)));
        verdicts.insert(loaded.id, Verdict::Unchanged("same-file".into()));
    }
    run.settle(effects).await?;
    Ok(verdicts)
}

/// The same bytes were refused: the org refuses them from us too.
fn refused_with(first: Option<&Landed>) -> Verdict {
    match first {
        Some(Landed::Refused { code, message }) => Verdict::failed(code.clone(), message.clone()),
        _ => Verdict::Held("parent-failed".into()),
    }
}

fn link(loaded: &Loaded, n: u32, object: &str, id: String) -> Effect {
    Effect {
        record: loaded.id,
        row: loaded.row(n),
        object: object.to_owned(),
        operation: Operation::Link,
        state: EffectState::Confirmed { id },
        hash: [0; 16],
    }
}
