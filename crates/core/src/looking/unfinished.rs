//! What is held or failed, record by record.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::error::Result;
use crate::ledger::SqliteLedger;
use crate::migration::Workspace;
use crate::stage::Stage;

/// How many records are looked at together.
const TOGETHER: usize = 500;

/// A record that is held or failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfinished {
    /// Its key.
    pub key: String,
    /// Its page at the source, where it has one.
    pub url: String,
    /// The phase.
    pub phase: String,
    /// `held` or `failed`.
    pub outcome: String,
    /// The slug or code.
    pub reason: String,
    /// What the target said.
    pub message: String,
}

/// Hands every record that is held or failed in the target whose folder this is to `take`, in the order of reading.
///
/// # Errors
/// `Storage`, and whatever `take` ends with.
pub async fn unfinished(
    cx: &Context,
    workspace: &Workspace,
    target: &Path,
    mut take: impl FnMut(Unfinished) -> Result<()>,
) -> Result<()> {
    let stage = Stage::open(&workspace.stage()).await?;
    let ledger = SqliteLedger::open(&target.join("ledger.sqlite"))?;
    let mut after = 0;
    loop {
        cx.check("list what waits")?;
        let found = ledger.unfinished(after, TOGETHER).await?;
        let Some(last) = found.last() else {
            return Ok(());
        };
        after = last.record.0;
        for one in found {
            let rows = stage.index().rows(&[one.record]).await?;
            let record = stage.records(&rows).await?.pop();
            let meta = record.as_ref().map(crate::model::Record::meta);
            take(Unfinished {
                key: meta.map_or_else(String::new, |meta| meta.key.to_string()),
                url: meta.and_then(|meta| meta.url.clone()).unwrap_or_default(),
                phase: one.phase,
                outcome: one.verdict.column().to_owned(),
                reason: one.verdict.reason().unwrap_or_default().to_owned(),
                message: one.message,
            })?;
        }
    }
}
