//! What happens to records between stage and sink.

use async_trait::async_trait;

use crate::context::Context;
use crate::error::Result;
use crate::model::Record;

/// A change of records on their way to a target. It sees batches and answers one verdict per record, in order.
#[async_trait]
pub trait Transform: Send + Sync {
    /// The verdicts, one per record of the batch, in its order.
    async fn apply(&self, cx: &Context, batch: Vec<Record>) -> Result<Vec<Transformed>>;
}

/// A verdict on one record.
#[derive(Debug, Clone, PartialEq)]
pub enum Transformed {
    /// Load this (the record as it was, or changed; its key stays).
    Keep(Record),
    /// Load nothing; the reason is a short slug.
    Skip(String),
    /// Load several instead of one: parts of the same record, numbered in this order.
    Split(Vec<Record>),
}
