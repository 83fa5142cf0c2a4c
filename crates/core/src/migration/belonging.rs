//! Whether the ledgers of a workspace speak of the records of its stage.
//!
//! A ledger names records by the integers of one stage's index. Over another stage the same integers are other records: what
//! was loaded would pass for missing, and what is missing for loaded.

use std::path::Path;

use super::workspace::Workspace;
use crate::error::{Error, ErrorKind, Result};
use crate::key::RecordId;
use crate::ledger::{Ledger, LedgerOwner, SqliteLedger};
use crate::stage::index::Index;

const ADVICE: &str = "Put back the stage that this target was loaded from: index.sqlite with its -wal and -shm files, segments and files, \
     all of one time. To load it from another stage use another workspace, after the rows of the first load were removed";

/// Refuses a workspace whose stage is gone while ledgers speak of it: a new stage would give their numbers to other records.
pub(super) fn refuse_a_lost_stage(workspace: &Workspace) -> Result<()> {
    let index = workspace.stage().join("index.sqlite");
    let Some(target) = workspace.targets()?.into_iter().next() else {
        return Ok(());
    };
    if index.exists() {
        return Ok(());
    }
    let what = "a target was loaded from its stage, and the stage is gone";
    Err(mismatch(what.to_owned(), &target).with("missing", index.display()))
}

/// Checks every ledger of a workspace against its stage. Ledgers from before stages had a word are given it.
pub(super) async fn check_all(workspace: &Workspace, index: &dyn Index) -> Result<()> {
    for folder in workspace.targets()? {
        let ledger = SqliteLedger::open(&folder.join("ledger.sqlite"))?;
        adopt(&folder, &ledger, index).await?;
    }
    Ok(())
}

/// Checks a ledger, and gives it the stage's word if it has none yet.
pub(super) async fn adopt(folder: &Path, ledger: &dyn Ledger, index: &dyn Index) -> Result<()> {
    check(folder, ledger, index).await?;
    match ledger.owner().await? {
        Some(owner) if owner.stage.is_empty() => {
            let stage = index.word().await?;
            ledger.set_owner(&LedgerOwner { stage, ..owner }).await
        }
        _ => Ok(()),
    }
}

/// Whether a ledger can be this stage's. Writes nothing: for those who look on beside a run.
pub(super) async fn check(folder: &Path, ledger: &dyn Ledger, index: &dyn Index) -> Result<()> {
    if let Some(owner) = ledger.owner().await?
        && !owner.stage.is_empty()
        && owner.stage != index.word().await?
    {
        let what = format!("the ledger of {} speaks of another stage", owner.name);
        return Err(mismatch(what, folder));
    }
    // The ledger first: beside a run the stage may grow in between, and is always ahead.
    let (known, read) = (ledger.highest().await?, index.highest().await?);
    if known > read {
        let number = |id: Option<RecordId>| id.map_or(0, |id| id.0);
        let what = format!(
            "the ledger knows a record {}, the stage has only {}",
            number(known),
            number(read)
        );
        return Err(mismatch(what, folder));
    }
    Ok(())
}

fn mismatch(what: String, target: &Path) -> Error {
    Error::new(ErrorKind::Mismatch, "open the workspace", what)
        .with("target", target.display())
        .advise(ADVICE)
}
