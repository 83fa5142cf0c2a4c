//! Conversations.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Figures, Meta, Named};
use crate::key::RecordKey;

/// A ticket, case or conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Conversation {
    /// Key, times, custom values.
    pub meta: Meta,
    /// The number that customers see.
    pub number: String,
    /// Its subject; empty for many chats.
    #[serde(default)]
    pub subject: String,
    /// Who asked: a contact, or an agent who wrote in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requester: Option<RecordKey>,
    /// The company it belongs to. Where the source does not say, a migration takes the requester's first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<RecordKey>,
    /// The agent who has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignee: Option<RecordKey>,
    /// The team that has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<RecordKey>,
    /// Further agents who have it, where a source knows several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also_assigned: Vec<RecordKey>,
    /// Further teams that have it, where a source knows several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also_teams: Vec<RecordKey>,
    /// How it began.
    pub channel: Named<ChannelKind>,
    /// Where it stands.
    pub status: Named<StatusState>,
    /// How urgent it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Named<PriorityLevel>>,
    /// The source's type: question, incident, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The segment it falls into: a name that people of the source gave to a set of conversations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment: Option<String>,
    /// Labels, in the source's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// What the customer thought of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub satisfaction: Option<Satisfaction>,
    /// How long things took, and what was agreed.
    #[serde(default, skip_serializing_if = "Figures::is_empty")]
    pub figures: Figures,
    /// The conversation it hangs below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<RecordKey>,
    /// The conversation it was merged into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged_into: Option<RecordKey>,
    /// When it was closed for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<DateTime<Utc>>,
}

/// Where a conversation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum StatusState {
    /// Nobody looked at it yet.
    New,
    /// In work.
    Open,
    /// Waits for the customer.
    Pending,
    /// Sleeps until a date.
    Snoozed,
    /// Answered; may be reopened.
    Resolved,
    /// Over.
    Closed,
    /// A status that only this tenant knows: see its raw text.
    Other,
}

impl StatusState {
    /// The name used in mapping files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Open => "open",
            Self::Pending => "pending",
            Self::Snoozed => "snoozed",
            Self::Resolved => "resolved",
            Self::Closed => "closed",
            Self::Other => "other",
        }
    }
}

/// How urgent a conversation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum PriorityLevel {
    /// Low.
    Low,
    /// Normal.
    Normal,
    /// High.
    High,
    /// Urgent.
    Urgent,
}

impl PriorityLevel {
    /// The name used in mapping files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
            Self::Urgent => "urgent",
        }
    }
}

/// By what way words came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ChannelKind {
    /// Mail.
    Email,
    /// A form of the help centre or of a web site.
    Web,
    /// Chat.
    Chat,
    /// X, formerly Twitter.
    Twitter,
    /// Facebook.
    Facebook,
    /// Telephone.
    Voice,
    /// Text message.
    Sms,
    /// WhatsApp.
    Whatsapp,
    /// Instagram.
    Instagram,
    /// Telegram.
    Telegram,
    /// Viber.
    Viber,
    /// Line.
    Line,
    /// Messages of Apple devices to companies.
    Apple,
    /// Messages to companies from Google's search and maps.
    Google,
    /// A program.
    Api,
    /// Written by an agent for agents.
    Internal,
    /// A channel this model does not know: see its raw text.
    Other,
}

impl ChannelKind {
    /// The name used in mapping files and targets.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Web => "web",
            Self::Chat => "chat",
            Self::Twitter => "twitter",
            Self::Facebook => "facebook",
            Self::Voice => "voice",
            Self::Sms => "sms",
            Self::Whatsapp => "whatsapp",
            Self::Instagram => "instagram",
            Self::Telegram => "telegram",
            Self::Viber => "viber",
            Self::Line => "line",
            Self::Apple => "apple",
            Self::Google => "google",
            Self::Api => "api",
            Self::Internal => "internal",
            Self::Other => "other",
        }
    }
}

/// What a customer thought of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Satisfaction {
    /// The rating in the source's word or number.
    pub raw: String,
    /// The rating as a number in plain notation, on the source's own scale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<String>,
    /// When it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<DateTime<Utc>>,
    /// What they wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}
