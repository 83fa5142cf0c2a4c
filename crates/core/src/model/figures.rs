//! How long things took, and what agents did.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Meta;
use crate::key::RecordKey;

/// Figures of a conversation, as the source has them or as a connector computed them from its messages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Figures {
    /// When somebody of the helpdesk first answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_response_at: Option<DateTime<Utc>>,
    /// Seconds until then, in the source's own reckoning (business hours, say).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_response_seconds: Option<u64>,
    /// When it was last resolved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<DateTime<Utc>>,
    /// Until when it was to be resolved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_at: Option<DateTime<Utc>>,
    /// Whether what was agreed was broken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub breached: Option<bool>,
    /// The agreement it stands under, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sla: Option<String>,
    /// When something last happened in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_activity_at: Option<DateTime<Utc>>,
    /// How many messages it has, notes included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages: Option<u64>,
    /// How often it was opened again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reopened: Option<u64>,
    /// Seconds the customer waited for an agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_seconds: Option<u64>,
    /// Seconds agents worked on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handle_seconds: Option<u64>,
    /// Seconds agents worked on it after its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wrap_up_seconds: Option<u64>,
}

impl Figures {
    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Figures of an agent over a time; the figures themselves are the record's custom values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentStatistics {
    /// Key, times, and the figures as custom values.
    pub meta: Meta,
    /// Whose they are.
    pub agent: RecordKey,
    /// From when on they were counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<DateTime<Utc>>,
    /// Until when they were counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
}
