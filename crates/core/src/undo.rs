//! Taking back what was written.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::context::Context;
use crate::error::Result;
use crate::journal::Image;
use crate::key::RecordId;

/// A target whose rows can be taken back.
#[async_trait]
pub trait Undo: Send + Sync {
    /// Of these objects those whose rows are taken back one by one, children before parents. What goes with something else
    /// is left out. On trial in the order in which rows decide over others: what is held decides what hangs on it.
    fn order(&self, objects: Vec<String>, trial: bool) -> Vec<String>;

    /// Takes rows back, or on trial only says what would become of them: one answer per row, in order. A row that somebody
    /// else works with is held, never removed.
    async fn undo(&self, cx: &Context, batch: UndoBatch) -> Result<Vec<Undone>>;

    /// Gives rows of others the values back that stood there before we changed them, or on trial only says what would become
    /// of them: one answer per row, in order. A value that somebody changed since stays.
    async fn restore(&self, _cx: &Context, batch: RestoreBatch) -> Result<Vec<Undone>> {
        let held = || Undone::Held("not-restorable".to_owned());
        Ok(batch.rows.iter().map(|_| held()).collect())
    }

    /// Rows of an object that carry the mark of a pass: those whose answer was lost are found by it. `None` where rows of
    /// this object carry none.
    async fn marked(&self, cx: &Context, object: &str, mark: &str) -> Result<Option<Vec<String>>>;
}

/// Rows of one object.
#[derive(Clone)]
pub struct UndoBatch {
    /// The object.
    pub object: String,
    /// The rows that were made.
    pub rows: Vec<UndoRow>,
    /// Whether nothing may be changed.
    pub trial: bool,
    /// When the last load was over: what others changed later is theirs. Nothing when their changes may go.
    pub loaded_until: Option<DateTime<Utc>>,
    /// Rows that stay: what hangs on them stays too.
    pub held: Arc<HashSet<String>>,
    /// Tells rows of ours from others.
    pub ours: Arc<dyn Ours>,
}

impl std::fmt::Debug for UndoBatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UndoBatch")
            .field("object", &self.object)
            .field("rows", &self.rows.len())
            .field("trial", &self.trial)
            .finish_non_exhaustive()
    }
}

/// A row that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndoRow {
    /// The record it belongs to; none for a row that is known by its mark alone.
    pub record: Option<RecordId>,
    /// Its id in the target.
    pub id: String,
    /// When it was loaded, where that is known: others may have worked in the target between that and the end of the last
    /// load.
    pub loaded_at: Option<DateTime<Utc>>,
}

/// Rows of one object that others made and we changed.
#[derive(Debug, Clone, PartialEq)]
pub struct RestoreBatch {
    /// The object.
    pub object: String,
    /// The rows: the id of each in the target, and what was changed of it.
    pub rows: Vec<(String, Image)>,
    /// Whether nothing may be changed.
    pub trial: bool,
    /// Whether values that somebody changed since are given back, too.
    pub force: bool,
}

/// Tells rows of ours from others.
#[async_trait]
pub trait Ours: Send + Sync {
    /// Whether these ids are rows that we made or that the target made because of ours, in order.
    async fn are_ours(&self, ids: &[String]) -> Result<Vec<bool>>;
}

/// What became of a row that was to be taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Undone {
    /// It was removed; on trial: it can be.
    Removed,
    /// It was gone already.
    Gone,
    /// It says what it said before we changed it; on trial: it can.
    Restored,
    /// It stays, and a slug says why.
    Held(String),
    /// The target refused.
    Failed {
        /// The platform's code.
        code: String,
        /// Its text.
        message: String,
    },
}
