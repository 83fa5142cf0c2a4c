//! What stands in a target, as people see it there.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::error::Result;

/// A target that shows people what stands in it. Reads only.
#[async_trait]
pub trait Shown: Send + Sync {
    /// The conversations with these ids, in their order; those that are not there are left out.
    async fn conversations(&self, cx: &Context, ids: &[String]) -> Result<Vec<ShownConversation>>;
}

/// A conversation as a target stores it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ShownConversation {
    /// Its id there.
    pub id: String,
    /// The page on which people see it.
    pub url: String,
    /// What stands in its fields, by name; empty ones are left out.
    pub fields: Vec<(String, String)>,
    /// Its timeline, in the order in which the target's own page shows it.
    pub timeline: Vec<ShownEntry>,
}

/// One entry of a timeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShownEntry {
    /// When, as it is shown.
    pub at: Option<DateTime<Utc>>,
    /// What it is there.
    pub is: String,
    /// By whom, and to whom where that is shown.
    pub who: String,
    /// Its text, without markup.
    pub text: String,
    /// Whether customers see it, where that is known.
    pub public: Option<bool>,
}
