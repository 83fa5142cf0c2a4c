//! Cases, posts and what hangs on them.

use chrono::{DateTime, Utc};
use serde::de::{Deserializer, IgnoredAny};
use serde::{Deserialize, Serialize};

use super::common::{Channel, FieldValue, Identity, Raw, Ref, Tag, reference};
use super::lenient;

/// A case (Kayako reference, section 7).
#[derive(Debug, Deserialize)]
pub(crate) struct Case {
    #[serde(deserialize_with = "lenient::id")]
    pub(crate) id: u64,
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) legacy_id: Option<String>,
    #[serde(default, deserialize_with = "lenient::text")]
    pub(crate) subject: String,
    #[serde(default, deserialize_with = "lenient::object")]
    pub(crate) source_channel: Option<Channel>,
    #[serde(default, deserialize_with = "reference")]
    pub(crate) requester: Option<Ref>,
    #[serde(default, deserialize_with = "reference")]
    pub(crate) assigned_agent: Option<Ref>,
    #[serde(default, deserialize_with = "reference")]
    pub(crate) assignee: Option<Ref>,
    #[serde(default, deserialize_with = "reference")]
    pub(crate) assigned_team: Option<Ref>,
    #[serde(default, deserialize_with = "reference")]
    pub(crate) organization: Option<Ref>,
    #[serde(default, deserialize_with = "reference")]
    pub(crate) brand: Option<Ref>,
    #[serde(default, deserialize_with = "reference")]
    pub(crate) form: Option<Ref>,
    #[serde(default, deserialize_with = "lenient::object")]
    pub(crate) status: Option<Label>,
    #[serde(default, deserialize_with = "lenient::object")]
    pub(crate) priority: Option<Label>,
    #[serde(default, rename = "type", deserialize_with = "lenient::object")]
    pub(crate) kind: Option<Label>,
    #[serde(default, deserialize_with = "lenient::list")]
    pub(crate) custom_fields: Vec<FieldValue>,
    #[serde(default, deserialize_with = "lenient::text")]
    pub(crate) state: String,
    #[serde(default, deserialize_with = "lenient::flag")]
    pub(crate) is_merged: Option<bool>,
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) rating: Option<String>,
    #[serde(default, deserialize_with = "lenient::list")]
    pub(crate) tags: Vec<Tag>,
    #[serde(default, deserialize_with = "lenient::time")]
    pub(crate) created_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "lenient::time")]
    pub(crate) updated_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "lenient::time")]
    pub(crate) last_completed_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "lenient::time")]
    pub(crate) last_closed_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) resource_url: Option<String>,
}

/// How a case was rated, in words.
#[derive(Debug, Deserialize)]
pub(crate) struct Rating {
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) comment: Option<String>,
    #[serde(default, deserialize_with = "lenient::time")]
    pub(crate) created_at: Option<DateTime<Utc>>,
}

/// Time that an agent spent on a case (Kayako reference, section 16).
#[derive(Debug, Deserialize)]
pub(crate) struct TimeLog {
    #[serde(deserialize_with = "lenient::id")]
    pub(crate) id: u64,
    #[serde(deserialize_with = "owner")]
    pub(crate) case: u64,
    #[serde(default, deserialize_with = "lenient::text")]
    log_type: String,
    #[serde(default, rename = "time_spent", deserialize_with = "seconds")]
    pub(crate) seconds: u64,
}

impl TimeLog {
    /// Whether it was work: that somebody looked at the case is logged too.
    pub(crate) fn is_work(&self) -> bool {
        !self.log_type.eq_ignore_ascii_case("VIEWED")
    }
}

fn owner<'de, D: Deserializer<'de>>(d: D) -> Result<u64, D::Error> {
    let case = reference(d)?.as_ref().and_then(Ref::number);
    case.ok_or_else(|| serde::de::Error::custom("it names no case"))
}

fn seconds<'de, D: Deserializer<'de>>(d: D) -> Result<u64, D::Error> {
    Ok(lenient::count(d)?.unwrap_or_default())
}

/// Why usual lists do not show a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SetAside {
    /// Thrown away.
    Trash,
    /// Held back as spam.
    Suspended,
}

impl SetAside {
    /// What a state or the type of a view says.
    pub(crate) fn of(word: &str) -> Option<Self> {
        match word.to_ascii_uppercase().as_str() {
            "TRASH" => Some(Self::Trash),
            "SUSPENDED" => Some(Self::Suspended),
            _ => None,
        }
    }
}

impl Case {
    /// Whether it was thrown away or held back as spam.
    pub(crate) fn set_aside(&self) -> Option<SetAside> {
        SetAside::of(&self.state)
    }

    pub(crate) fn is_merged(&self) -> bool {
        self.is_merged == Some(true)
    }

    /// Whether its status came as a bare reference, which tells nothing.
    pub(crate) fn has_bare_status(&self) -> bool {
        self.status
            .as_ref()
            .is_some_and(|status| status.label.is_empty() && status.kind.is_empty())
    }
}

/// Whether a row was written out: lists may leave fields out, and a missing key is not an unset one (Kayako reference,
/// section 4).
#[derive(Debug, Deserialize)]
pub(crate) struct Outline {
    #[serde(deserialize_with = "lenient::id")]
    pub(crate) id: u64,
    #[serde(default, deserialize_with = "there")]
    pub(crate) custom_fields: bool,
}

fn there<'de, D: Deserializer<'de>>(d: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(d).map(|_| true)
}

/// The little of a case that the walk through the list needs even if the rest cannot be decoded.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Stub {
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) id: Option<String>,
}

/// A status, priority or type. Each may be the tenant's own: the label is what people see.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Label {
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) id: Option<String>,
    #[serde(default, deserialize_with = "lenient::text")]
    pub(crate) label: String,
    #[serde(default, rename = "type", deserialize_with = "lenient::text")]
    pub(crate) kind: String,
    #[serde(default, deserialize_with = "lenient::whole")]
    pub(crate) level: Option<i64>,
}

/// One entry of a case's timeline; what it is stands in `original` (Kayako reference, section 8).
#[derive(Debug, Deserialize)]
pub(crate) struct Post {
    #[serde(deserialize_with = "lenient::id")]
    pub(crate) id: u64,
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) subject: Option<String>,
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) contents: Option<String>,
    #[serde(default, deserialize_with = "reference")]
    pub(crate) creator: Option<Ref>,
    #[serde(default, deserialize_with = "lenient::object")]
    pub(crate) identity: Option<Identity>,
    #[serde(default, deserialize_with = "lenient::object")]
    pub(crate) source_channel: Option<Channel>,
    #[serde(default, deserialize_with = "lenient::list")]
    pub(crate) attachments: Vec<Raw>,
    #[serde(default, deserialize_with = "lenient::text")]
    pub(crate) destination_medium: String,
    #[serde(default, deserialize_with = "lenient::text")]
    pub(crate) source: String,
    #[serde(default, deserialize_with = "lenient::object")]
    pub(crate) original: Option<Original>,
    #[serde(default, deserialize_with = "lenient::flag")]
    pub(crate) is_requester: Option<bool>,
    #[serde(default, deserialize_with = "lenient::time")]
    pub(crate) created_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "lenient::time")]
    pub(crate) updated_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) resource_url: Option<String>,
}

/// What a post shows. One shape for all types: each has some of these fields, and the type says which ones count.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Original {
    #[serde(default, deserialize_with = "lenient::text")]
    pub(crate) resource_type: String,
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) resource_url: Option<String>,
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) subject: Option<String>,
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) body_text: Option<String>,
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) body_html: Option<String>,
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) text: Option<String>,
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) contents: Option<String>,
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) summary: Option<String>,
    #[serde(default, deserialize_with = "lenient::list")]
    pub(crate) recipients: Vec<Recipient>,
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) fullname: Option<String>,
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) full_name: Option<String>,
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) email: Option<String>,
    #[serde(default, deserialize_with = "lenient::object")]
    pub(crate) mailbox: Option<Mailbox>,
    #[serde(default, deserialize_with = "reference")]
    pub(crate) creator: Option<Ref>,
    #[serde(default, deserialize_with = "reference")]
    pub(crate) from: Option<Ref>,
    #[serde(default, deserialize_with = "reference")]
    pub(crate) user: Option<Ref>,
    #[serde(default, deserialize_with = "reference")]
    pub(crate) parent: Option<Ref>,
    #[serde(default, deserialize_with = "lenient::object")]
    pub(crate) identity: Option<Identity>,
    #[serde(default, deserialize_with = "lenient::list")]
    pub(crate) attachments: Vec<Raw>,
    #[serde(default, deserialize_with = "lenient::object")]
    pub(crate) original_post: Option<Box<Post>>,
    #[serde(default, deserialize_with = "lenient::time")]
    pub(crate) created_at: Option<DateTime<Utc>>,
}

/// A mail address that the helpdesk reads and writes from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Mailbox {
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) address: Option<String>,
}

/// Somebody a message was sent to; the address stands in the identity or on the item itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Recipient {
    #[serde(default, rename = "type", deserialize_with = "lenient::text")]
    pub(crate) kind: String,
    #[serde(default, deserialize_with = "lenient::text")]
    pub(crate) name: String,
    #[serde(default, deserialize_with = "lenient::object")]
    pub(crate) identity: Option<Identity>,
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) email: Option<String>,
}

/// A file (Kayako reference, section 9). Its addresses are given, never built.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Attachment {
    #[serde(deserialize_with = "lenient::id")]
    pub(crate) id: u64,
    #[serde(default, deserialize_with = "lenient::text")]
    pub(crate) name: String,
    #[serde(default, deserialize_with = "lenient::count")]
    pub(crate) size: Option<u64>,
    #[serde(default, rename = "type", deserialize_with = "lenient::some_text")]
    pub(crate) kind: Option<String>,
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) content_id: Option<String>,
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) url: Option<String>,
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) url_download: Option<String>,
    #[serde(default, deserialize_with = "lenient::time")]
    pub(crate) created_at: Option<DateTime<Utc>>,
}

/// `GET /cases/posts/:id/email_original`: the header block, escaped as HTML.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct EmailOriginal {
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) source_content: Option<String>,
}
