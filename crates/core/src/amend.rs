//! Bringing rows that stand up to date, where they stand.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::context::Context;
use crate::error::Result;
use crate::sink::Batch;

/// A target whose rows can be changed after they were written.
#[async_trait]
pub trait Amend: Send + Sync {
    /// Brings the rows of records that stand to what the records say now. One answer per record of the batch, in order. A row
    /// that somebody else changed after it was loaded is kept as it is. What was changed is in the journal, with what stood there before.
    ///
    /// # Errors
    /// What ends the run. A row that is refused is an answer.
    async fn amend(&self, cx: &Context, batch: AmendBatch) -> Result<Vec<Amended>>;

    /// Rows that carry one of these marks and were merged into others by people of the target: what stood for a record stands
    /// in another row now. Reads only.
    ///
    /// # Errors
    /// What the target answers instead.
    async fn merged(&self, _cx: &Context, _marks: &[String]) -> Result<Vec<Merged>> {
        Ok(Vec::new())
    }
}

/// A row that was merged into another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// The id of the row that is gone.
    pub id: String,
    /// The id of the row that stands, at the end of all merges.
    pub into: String,
}

/// Records whose rows stand, and which say something else now.
#[derive(Debug, Clone)]
pub struct AmendBatch {
    /// The records, as they are now.
    pub batch: Batch,
    /// When each was loaded, as far as that is known: what others changed later is theirs.
    pub loaded_at: Vec<Option<DateTime<Utc>>>,
}

/// What became of a record's rows.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Amended {
    /// They were changed.
    Changed,
    /// They say it already.
    Same,
    /// They stay as they are; a slug says why.
    Kept(String),
    /// The target refused.
    Refused {
        /// The platform's code.
        code: String,
        /// Its text.
        message: String,
    },
}
