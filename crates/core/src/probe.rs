//! What a target does to rows, found out with a row of each sort that is made, read back and removed.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::error::Result;

/// A target that can be tried out. It writes, so people must have agreed; nothing that it made stays, or it says what stayed.
#[async_trait]
pub trait Probe: Send + Sync {
    /// Makes rows that are hard to keep, reads them back and removes them.
    async fn probe(&self, cx: &Context) -> Result<Probed>;
}

/// What a target did to the rows of a probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probed {
    /// The format of this file: 1.
    pub format: u32,
    /// The target's own id.
    pub target: String,
    /// Its name.
    pub name: String,
    /// When it was tried, in UTC.
    pub at: String,
    /// What was found of each question, by its name; the same names for every target.
    pub answers: BTreeMap<String, Answer>,
    /// Rows that could not be removed: object and id.
    pub stayed: Vec<(String, String)>,
}

/// What was found of one question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// What was asked, for people.
    pub question: String,
    /// What the target did: `kept`, `changed`, `refused`, or a word of the question's own.
    pub did: String,
    /// What was sent.
    pub sent: String,
    /// What stood there afterwards, or what the target said.
    pub found: String,
}
