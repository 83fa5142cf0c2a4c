//! Files.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Meta;
use crate::key::RecordKey;

/// A file. The record says what the source knows; the bytes are staged by content beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attachment {
    /// Key, times, custom values.
    pub meta: Meta,
    /// The conversation it belongs to; for a file of an article, the article.
    pub conversation: RecordKey,
    /// Its name as the source has it; may be empty or hold path parts.
    #[serde(default)]
    pub name: String,
    /// Media type as the source has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// Size in bytes as the source has it; the fetched length must equal it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Whether it is an image shown inside a text.
    #[serde(default)]
    pub inline: bool,
    /// How the source finds the bytes again: its own, opaque to everybody else.
    pub locator: Value,
}
