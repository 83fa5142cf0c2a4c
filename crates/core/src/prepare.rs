//! What a target must have before a load, and how it gets it from here.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::error::Result;
use crate::model::Category;

/// A target whose fields, kinds of records and rights can be made from here, once people agreed.
///
/// [`changes`](Prepare::changes) shows what would be done; [`begin`](Prepare::begin) hands it over, to be checked only or to be made;
/// [`follow`](Prepare::follow) waits for what became of it, also in another process; [`grant`](Prepare::grant) lets the migration user see it.
#[async_trait]
pub trait Prepare: Send + Sync {
    /// What the target would get. Reads only. `categories` are those of the source's help centre.
    async fn changes(&self, cx: &Context, categories: &[Category]) -> Result<Changes>;

    /// Hands over what is new or extended: all of it or nothing. A `trial` is checked by the target and changes nothing. Answers the
    /// target's own word for it, for [`follow`](Prepare::follow).
    async fn begin(&self, cx: &Context, changes: &Changes, trial: bool) -> Result<String>;

    /// Waits until the target is through with what was handed over, and tells what became of each part.
    async fn follow(&self, cx: &Context, ticket: &str) -> Result<Prepared>;

    /// Gives the migration user what was made, and waits until it sees all of it. Answers what was done, a line each; doing it twice
    /// does no harm.
    async fn grant(&self, cx: &Context, changes: &Changes) -> Result<Vec<String>>;

    /// Hands over the removal of what was made here before: removed where the target can, switched off where it cannot.
    async fn withdraw(&self, cx: &Context, made: &[Change], trial: bool) -> Result<String>;
}

/// What a target would get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// The target's own id.
    pub target: String,
    /// Its name.
    pub name: String,
    /// A line for each thing that the mapping needs.
    pub lines: Vec<Change>,
}

/// One thing that a mapping needs of a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What is to be done about it.
    pub doing: Doing,
    /// What it is, in the target's words: `field`, `record type`.
    pub kind: String,
    /// Its name there.
    pub name: String,
    /// What people should know; may be empty.
    pub said: String,
    /// What becomes of it when the load is taken back.
    pub back: Back,
}

/// What is to be done about something that a mapping needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Doing {
    /// A person has to settle it: it cannot be done from here.
    ByHand,
    /// It is made.
    New,
    /// It is there, and gets something in addition.
    Extended,
    /// It is there and stays as it is.
    There,
}

/// What becomes of something that was made, when the load is taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Back {
    /// It can be removed.
    Removed,
    /// The target can only switch it off, never remove it.
    Deactivated,
    /// It was there before and stays.
    Stays,
}

/// What became of what was handed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prepared {
    /// Whether all of it was taken.
    pub done: bool,
    /// Whether it was checked only.
    pub trial: bool,
    /// How many parts it has.
    pub parts: u64,
    /// What was refused, and warnings: a sentence each, with what to do.
    pub refused: Vec<String>,
}

impl Changes {
    /// Lines of one sort.
    pub fn of(&self, doing: Doing) -> impl Iterator<Item = &Change> {
        self.lines.iter().filter(move |line| line.doing == doing)
    }

    /// Whether anything would be made or extended.
    #[must_use]
    pub fn is_something(&self) -> bool {
        let mut lines = self.lines.iter();
        lines.any(|line| matches!(line.doing, Doing::New | Doing::Extended))
    }
}
