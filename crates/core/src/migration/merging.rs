//! Following rows that people of the target merged into others.

use super::{Migration, Opened};
use crate::context::Context;
use crate::error::Result;

impl Migration {
    /// Asks what became of merged rows of ours, and keeps it. Gives what people should know of it.
    pub(super) async fn follow_merged(&self, cx: &Context, opened: &Opened) -> Result<Vec<String>> {
        let Some(amend) = self.sink.as_amend() else {
            return Ok(Vec::new());
        };
        let marks: Vec<String> = (0..=opened.pass).map(|pass| opened.mark_of(pass)).collect();
        let merged = amend.merged(cx, &marks).await?;
        if merged.is_empty() {
            return Ok(Vec::new());
        }
        let ledger = opened.ledger();
        // Rows are looked for by their ids.
        ledger.prepare_undo().await?;
        let known = ledger.follow(&merged).await?;
        Ok((known > 0)
            .then(|| {
                format!(
                    "{known} rows of ours were merged into others by people of the target: those stand for their records now, are not \
                     compared, and a rollback leaves them"
                )
            })
            .into_iter()
            .collect())
    }
}
