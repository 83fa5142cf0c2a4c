//! Reading back what was written.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::error::Result;
use crate::key::{RecordId, RecordKey};
use crate::sink::Batch;

/// A target that can be read back and compared field by field.
#[async_trait]
pub trait Verify: Send + Sync {
    /// Reads back the rows of a batch's records and compares every field with what the record says.
    /// Answers one [`Checked`] per compared field, so that nothing is compared twice or skipped in silence.
    async fn verify(&self, cx: &Context, batch: Batch) -> Result<Vec<Checked>>;
}

/// One compared field of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The record.
    pub record: RecordId,
    /// Its key, for examples.
    pub key: RecordKey,
    /// The object.
    pub object: &'static str,
    /// The field.
    pub field: String,
    /// What the comparison found.
    pub finding: Finding,
    /// When somebody else changed the row last; nothing where we did, or where that is not told.
    pub touched_at: Option<DateTime<Utc>>,
}

/// What a comparison found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finding {
    /// The same.
    Equal,
    /// Not the same, and a documented rule of the platform says why.
    Explained {
        /// The rule's name in the docs' table.
        rule: String,
    },
    /// Not the same. A missing row is one difference of the field `Id`.
    Different {
        /// What the record says, shortened.
        expected: String,
        /// What stands there, shortened.
        found: String,
    },
}
