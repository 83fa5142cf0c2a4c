//! Reading a source without loading it, and counting what was read.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use tokio::sync::watch;

use super::late::Late;
use super::progress::Progress;
use super::read::{ReadState, Reader};
use super::workspace::{Workspace, write_whole};
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::key::{RecordId, RecordKind};
use crate::model::{Category, FieldDefinition, ObjectDefinition, Record};
use crate::report::{Discovery, KindFound};
use crate::source::Source;
use crate::stage::Stage;

/// How many records are looked at together.
const TOGETHER: usize = 500;
/// How many notes of the read are shown.
const NOTES: usize = 50;

/// Reads a source to its end into the workspace's stage and loads nothing: `run` then finds everything there. What was
/// read before is not read again, but for the definitions of custom fields once all was read: people may have made more.
///
/// # Errors
/// `Mismatch` when the workspace belongs to another tenant, and what can go wrong on the way. Whatever was read is durable.
pub async fn extract(
    cx: &Context,
    workspace: &Workspace,
    source: Arc<dyn Source>,
    progress: Arc<dyn Progress>,
) -> Result<()> {
    let readiness = super::asked(cx, workspace, source.as_ref()).await?;
    let stage = super::stage_of(workspace, &readiness.tenant).await?;
    let index = stage.index();
    if index.is_whole().await? {
        let mut known = Vec::new();
        for part in super::fields::parts(cx, source.as_ref()).await? {
            if !index.shards(&[&part.id]).await?.is_empty() {
                known.push(part);
            }
        }
        index.renew_shards(&known).await?;
    }
    let (state, _watched) = watch::channel(ReadState::unknown());
    let reader = Reader {
        odd_sizes: AtomicUsize::new(0),
        // Nothing is loaded here, so nothing can come too late.
        late: Arc::new(Late::default()),
        source,
        stage,
        state,
        progress,
    };
    reader.run(cx).await
}

/// Counts what the stage of a workspace holds, and writes it as `scope.json` and `scope.html`. Not beside a run.
///
/// # Errors
/// `NotFound` when nothing was read yet; `Storage`.
pub async fn discover(cx: &Context, workspace: &Workspace) -> Result<Discovery> {
    super::belonging::refuse_a_lost_stage(workspace)?;
    let stage = Stage::open(&workspace.stage()).await?;
    let index = stage.index();
    let Some(tenant) = index.tenant().await? else {
        return Err(Error::new(
            ErrorKind::NotFound,
            "count what was read",
            "nothing was read yet",
        )
        .advise("`discover` reads the source first"));
    };
    let mut found = Discovery {
        format: 1,
        source: tenant.to_string(),
        made_at: cx.now(),
        complete: index.open_shards().await?.is_empty(),
        notes: index.notes(NOTES).await?,
        about: workspace.about(),
        ..Discovery::default()
    };
    for (kind, count) in index.counts().await? {
        found.kinds.push(KindFound {
            kind,
            read: count.read,
            rejected: count.rejected,
        });
    }
    let kinds = &found.kinds;
    let holds = |kind| kinds.iter().any(|one| one.kind == kind && one.read > 0);
    found.features = workspace.features(holds);
    // In the order of reading, which is that of the files on disk.
    let highest = index.highest().await?.map_or(0, |id| id.0);
    for first in (1..=highest).step_by(TOGETHER) {
        cx.check("count what was read")?;
        let ids = first..first + TOGETHER as i64;
        let ids: Vec<RecordId> = ids.map(RecordId).collect();
        let rows = index.rows(&ids).await?;
        for record in stage.records(&rows).await? {
            found.see(&record);
        }
    }
    found.finish();
    write_scope(workspace.folder(), &found)?;
    Ok(found)
}

/// What a source says of its custom objects and custom fields.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Definitions {
    /// Its custom objects, in the order of reading.
    pub objects: Vec<ObjectDefinition>,
    /// Custom fields of all kinds, in the order of reading.
    pub fields: Vec<FieldDefinition>,
    /// The places of its help centres, in the order of reading.
    pub categories: Vec<Category>,
}

/// The definitions that the stage of a workspace holds. Not beside a run.
///
/// # Errors
/// `Storage`.
pub async fn definitions(cx: &Context, workspace: &Workspace) -> Result<Definitions> {
    let stage = Stage::open(&workspace.stage()).await?;
    let kinds = [
        RecordKind::ObjectDefinition,
        RecordKind::FieldDefinition,
        RecordKind::Category,
    ];
    let (mut found, mut place) = (Definitions::default(), None);
    loop {
        cx.check("read the definitions of fields")?;
        let rows = stage.index().scan(&kinds, place.as_ref(), TOGETHER).await?;
        let Some(last) = rows.last() else {
            return Ok(found);
        };
        place = Some(last.place());
        for record in stage.records(&rows).await? {
            match record {
                Record::ObjectDefinition(object) => found.objects.push(*object),
                Record::FieldDefinition(field) => found.fields.push(*field),
                Record::Category(category) => found.categories.push(*category),
                _ => {}
            }
        }
    }
}

fn write_scope(folder: &Path, found: &Discovery) -> Result<()> {
    let text = serde_json::to_vec_pretty(found)
        .map_err(|e| Error::bug("write what was found", e.to_string()))?;
    write_whole(&folder.join("scope.json"), &text)?;
    write_whole(&folder.join("scope.html"), found.html()?.as_bytes())
}
