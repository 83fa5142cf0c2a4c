//! What a target does to difficult rows: tried out, with consent, before a load.

use std::path::Path;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::error::Result;

/// A target that can be tried out: rows of our own are made, read back and removed.
#[async_trait]
pub trait Probing: Send + Sync {
    /// Makes one difficult row per object, reads it back and removes it. What stands in the target is noted in `notes` before and after
    /// each request, so that a process that dies leaves nothing behind that [`clean`](Probing::clean) does not find.
    async fn probe(&self, cx: &Context, notes: &Path) -> Result<Probed>;

    /// Takes over what was found of this target: verification knows it from now on.
    fn learn(&self, probed: &Probed);

    /// Removes what an earlier probe left behind. Answers how many rows that were.
    async fn clean(&self, cx: &Context, notes: &Path) -> Result<u64>;
}

/// What a target does to difficult rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probed {
    /// The version of this form.
    pub format: u32,
    /// The target's own id.
    pub target: String,
    /// Its name.
    pub name: String,
    /// When it was tried out.
    pub at: DateTime<Utc>,
    /// What was found, a line for each thing that was tried.
    pub points: Vec<Point>,
    /// Rows that could not be removed, with the reason: a person removes them.
    pub left: Vec<String>,
}

/// What became of one thing that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// What was tried, by a name that stays: `blanks`, `future-date`.
    pub point: String,
    /// Where: `Case.Subject`, or an object.
    pub of: String,
    /// What the target did.
    pub did: Did,
    /// What was sent, shortened; empty where that says nothing.
    pub sent: String,
    /// What stands there, or what the target said; shortened.
    pub found: String,
}

/// What a target did with what it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Did {
    /// It stands there as it was sent.
    Kept,
    /// It took it and changed it.
    Changed,
    /// It did not take it.
    Refused,
    /// It could not be tried there.
    Untried,
}

impl Probed {
    /// What was found of a point, at each place.
    pub fn of<'p>(&'p self, point: &'p str) -> impl Iterator<Item = &'p Point> {
        self.points.iter().filter(move |found| found.point == point)
    }
}
