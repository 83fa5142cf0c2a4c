//! The entries of a conversation's timeline.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{ChannelKind, Meta, Named};
use crate::key::RecordKey;

/// One entry of a conversation's timeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Key, times, custom values.
    pub meta: Meta,
    /// The conversation it stands in.
    pub conversation: RecordKey,
    /// Which way it went.
    pub direction: Direction,
    /// How it travelled.
    pub channel: Named<ChannelKind>,
    /// Who wrote it.
    pub author: Author,
    /// When it was said.
    pub sent_at: DateTime<Utc>,
    /// Orders messages of one moment.
    pub sequence: i64,
    /// Its own subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Its words.
    #[serde(default)]
    pub body: Body,
    /// What a mail has besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<EmailHeaders>,
    /// What a telephone call has besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Call>,
    /// The message it answers, where the source says so by id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<RecordKey>,
    /// Its files, inline images included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<MessageFile>,
}

/// Which way a message went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// From the customer's side.
    In,
    /// To the customer's side.
    Out,
    /// Among agents; never to be shown to customers.
    Internal,
}

/// Who wrote a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Author {
    /// Their record, if they are one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<RecordKey>,
    /// What they are.
    pub role: AuthorRole,
    /// Their name as this message has it. Where it is empty and `key` is a person that was read, a migration fills it in.
    #[serde(default)]
    pub name: String,
}

/// What an author is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuthorRole {
    /// Somebody on the customer's side.
    Customer,
    /// Somebody who works in the helpdesk.
    Agent,
    /// A rule, a bot, the platform.
    System,
}

impl AuthorRole {
    /// The word for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Agent => "agent",
            Self::System => "system",
        }
    }
}

/// The words of a message, in the forms that the source has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Body {
    /// As HTML.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
    /// As plain text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// What a mail has besides its words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EmailHeaders {
    /// The sender.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<EmailAddress>,
    /// To.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<EmailAddress>,
    /// Cc.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cc: Vec<EmailAddress>,
    /// Bcc.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bcc: Vec<EmailAddress>,
    /// Message-ID, with its angle brackets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// In-Reply-To: the first id of it, with brackets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_reply_to: Option<String>,
    /// References, oldest first, with brackets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<String>,
    /// The raw header block, line ends as LF.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raw: Option<String>,
}

/// What a telephone call has besides what was said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Call {
    /// Seconds from its begin to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
    /// How it ended, in the source's word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disposition: Option<String>,
    /// The number that called, as written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The number that was called, as written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Where it can be heard, if it is not among the message's files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recording: Option<String>,
}

/// One address of a mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmailAddress {
    /// `ann@example.org`, as written.
    pub address: String,
    /// The name beside it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
}

/// A file of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageFile {
    /// The attachment's record.
    pub key: RecordKey,
    /// The file's name as this message has it; may be empty.
    #[serde(default)]
    pub name: String,
    /// For an image shown in the HTML: the address by which the HTML names it, verbatim (a URL or `cid:…`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown_as: Option<String>,
}
