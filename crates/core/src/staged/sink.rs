//! A stage, as a sink.

use async_trait::async_trait;

use crate::blob::Blobs;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::key::{RecordId, RecordKind, Tenant};
use crate::migration::{self, Workspace};
use crate::model::Record;
use crate::sink::{Batch, FileState, Loaded, Order, Outcome, Phase, Sink, TargetInfo, Verdict};
use crate::source::{Cursor, Next, Page, Shard, Watermark};
use crate::stage::Stage;

const PLAIN: [RecordKind; 13] = [
    RecordKind::ObjectDefinition,
    RecordKind::FieldDefinition,
    RecordKind::Team,
    RecordKind::Agent,
    RecordKind::Tag,
    RecordKind::Account,
    RecordKind::Contact,
    RecordKind::Conversation,
    RecordKind::ObjectRecord,
    RecordKind::Category,
    RecordKind::Article,
    RecordKind::AgentStatistics,
    RecordKind::InventoryItem,
];
const GROUPED: [RecordKind; 2] = [RecordKind::Attachment, RecordKind::Message];

/// Writes what a source brings into the stage of a workspace, with the bytes of its files.
///
/// A record that is there already is replaced (`updated`). A stage holds one record per key, of one tenant: further
/// parts of a split record and records of other tenants are refused. When everything was written, [`finish`](Self::finish)
/// says so; before that nobody loads from it.
#[derive(Debug)]
pub struct StageSink {
    stage: Stage,
    tenant: Tenant,
    shard: Shard,
    _workspace: Workspace,
}

impl StageSink {
    /// A sink into this workspace, for records of this tenant.
    ///
    /// # Errors
    /// `Mismatch` when the workspace belongs to another tenant or is of a newer version; `Storage`.
    pub async fn open(workspace: Workspace, tenant: &Tenant) -> Result<Self> {
        let stage = migration::stage_of(&workspace, tenant).await?;
        Ok(Self {
            stage,
            tenant: tenant.clone(),
            shard: Shard::new("written", RecordKind::ALL),
            _workspace: workspace,
        })
    }

    /// Everything was written: the workspace may be loaded from.
    ///
    /// # Errors
    /// `Storage`.
    pub async fn finish(&self, cx: &Context) -> Result<()> {
        let end = Next::End(Watermark {
            version: 1,
            place: serde_json::Value::Null,
        });
        let index = self.stage.index();
        index.add_shards(std::slice::from_ref(&self.shard)).await?;
        self.stage
            .append(&self.shard, Page::new(Vec::new(), end), cx.now())
            .await?;
        index.complete_all().await
    }

    /// What is wrong with a record for a stage.
    fn refused(&self, loaded: &Loaded) -> Option<Verdict> {
        let (key, ours) = (loaded.record.key(), self.tenant.key(RecordKind::Tag, "x"));
        if (key.platform(), key.tenant()) != (ours.platform(), ours.tenant()) {
            let message = format!("the stage is that of {}", self.tenant);
            return Some(Verdict::failed("OTHER_TENANT", message));
        }
        (loaded.part > 0).then(|| {
            Verdict::failed(
                "SPLIT_RECORD",
                "a stage holds one record per key: split it when it is loaded",
            )
        })
    }

    /// Rows first, then the bytes: a file that is not there yet is one that waits.
    async fn keep(&self, cx: &Context, kept: Vec<Loaded>, blobs: &dyn Blobs) -> Result<()> {
        let keys: Vec<_> = kept.iter().map(|l| l.record.key().clone()).collect();
        let (records, files): (Vec<Record>, Vec<Option<FileState>>) =
            kept.into_iter().map(|l| (l.record, l.file)).unzip();
        // Before the end it is no part of the read: the shard is made known when everything is there.
        let next = Next::More(Cursor {
            version: 1,
            place: serde_json::Value::Null,
        });
        self.stage
            .append(&self.shard, Page::new(records, next), cx.now())
            .await?;
        let ids = self.stage.index().find(&keys).await?;
        for (id, file) in ids.into_iter().zip(files) {
            let id = id.ok_or_else(|| Error::bug("stage a record", "it is not there"))?;
            if let Some(file) = file {
                self.keep_file(id, file, blobs).await?;
            }
        }
        Ok(())
    }

    async fn keep_file(&self, id: RecordId, file: FileState, blobs: &dyn Blobs) -> Result<()> {
        let state = match file {
            FileState::Staged(info) => {
                let bytes = blobs.open(&info).await?;
                FileState::Staged(self.stage.blobs().put(bytes).await?)
            }
            gone @ FileState::Unavailable(_) => gone,
        };
        self.stage.index().set_file(id, state).await
    }
}

#[async_trait]
impl Sink for StageSink {
    async fn check(&self, _cx: &Context) -> Result<TargetInfo> {
        let word = self.stage.index().word().await?;
        Ok(TargetInfo::new(word, format!("stage of {}", self.tenant)))
    }

    fn phases(&self) -> Vec<Phase> {
        vec![
            Phase::new("records", &PLAIN).sized(500, 8 << 20, 1),
            Phase::new("conversations", &GROUPED)
                .ordered(Order::Timeline)
                .sized(500, 8 << 20, 1),
        ]
    }

    /// No intents: a record that is written a second time is the same record.
    async fn write(&self, cx: &Context, batch: Batch) -> Result<Vec<Outcome>> {
        let keys: Vec<_> = batch
            .records
            .iter()
            .map(|l| l.record.key().clone())
            .collect();
        let known = self.stage.index().find(&keys).await?;
        let (mut outcomes, mut kept) = (Vec::new(), Vec::new());
        for (loaded, known) in batch.records.into_iter().zip(known) {
            let verdict = self.refused(&loaded);
            outcomes.push(Outcome {
                record: loaded.id,
                part: loaded.part,
                verdict: match (&verdict, known) {
                    (Some(refused), _) => refused.clone(),
                    (None, Some(_)) => Verdict::Updated,
                    (None, None) => Verdict::Created,
                },
            });
            if verdict.is_none() {
                kept.push(loaded);
            }
        }
        self.keep(cx, kept, batch.blobs.as_ref()).await?;
        Ok(outcomes)
    }

    async fn flush(&self, _cx: &Context) -> Result<Vec<Outcome>> {
        Ok(Vec::new())
    }
}
