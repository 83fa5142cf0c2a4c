//! Every record that a target refused, from what is on disk.

use std::path::Path;

use super::Workspace;
use super::belonging;
use super::reporting::key_of;
use crate::error::Result;
use crate::ledger::{Ledger, SqliteLedger};
use crate::stage::SqliteIndex;
use crate::stage::index::Index;

/// How many records are looked up together.
const TOGETHER: usize = 500;

/// A record that a target refused.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refused {
    /// The phase in which it was sent.
    pub phase: String,
    /// The record's key.
    pub key: String,
    /// The target's code.
    pub code: String,
    /// What the target said.
    pub message: String,
}

/// Hands over every record that failed in the target of this folder, phase by phase and code by code.
///
/// # Errors
/// `Mismatch` when the ledger speaks of another stage; `Storage`; and whatever `each` says.
pub async fn refused(
    workspace: &Workspace,
    target: &Path,
    mut each: impl FnMut(Refused) -> Result<()>,
) -> Result<()> {
    let index = SqliteIndex::open(&workspace.stage().join("index.sqlite"))?;
    let ledger = SqliteLedger::open(&target.join("ledger.sqlite"))?;
    belonging::check(target, &ledger, &index).await?;
    let tenant = index.tenant().await?;
    for count in ledger.counts().await? {
        if count.column != "failed" {
            continue;
        }
        let records = ledger.failed_with(&count.phase, &count.reason).await?;
        for some in records.chunks(TOGETHER) {
            for row in index.rows(some).await? {
                each(Refused {
                    phase: count.phase.clone(),
                    key: key_of(tenant.as_ref(), &row),
                    code: count.reason.clone(),
                    message: ledger.message(row.id).await?.unwrap_or_default(),
                })?;
            }
        }
    }
    Ok(())
}
