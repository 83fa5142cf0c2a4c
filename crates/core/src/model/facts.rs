//! What the stage's index knows of a record without reading its line.

use crate::key::RecordKey;
use crate::model::Record;

/// The few facts by which records are ordered, grouped and joined.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// The conversation whose rows must stay together with this one.
    pub group: Option<RecordKey>,
    /// Milliseconds since 1970: when it was made or said. Records without a time come first.
    pub at: i64,
    /// Orders records of one moment.
    pub sequence: i64,
    /// The record of the same kind that must be written first.
    pub parent: Option<RecordKey>,
    /// Another name by which records of the same group may call it (a mail's Message-ID).
    pub alias: Option<String>,
    /// The alias of the record that must be written first, best guess first.
    pub after: Vec<String>,
}

impl Facts {
    /// The facts of a record.
    #[must_use]
    pub fn of(record: &Record) -> Self {
        let at = record.meta().created_at.map_or(0, |t| t.timestamp_millis());
        let plain = Self {
            at,
            ..Self::default()
        };
        match record {
            Record::Conversation(c) => Self {
                parent: c.parent.clone().or_else(|| c.merged_into.clone()),
                ..plain
            },
            Record::Account(a) => Self {
                parent: a.parent.clone(),
                ..plain
            },
            Record::Category(c) => Self {
                parent: c.parent.clone(),
                ..plain
            },
            Record::Attachment(a) => Self {
                group: Some(a.conversation.clone()),
                ..plain
            },
            Record::Message(m) => {
                let mail = m.email.as_ref();
                Self {
                    group: Some(m.conversation.clone()),
                    at: m.sent_at.timestamp_millis(),
                    sequence: m.sequence,
                    parent: m.reply_to.clone(),
                    alias: mail.and_then(|e| e.message_id.clone()),
                    after: mail.map(reply_candidates).unwrap_or_default(),
                }
            }
            _ => plain,
        }
    }
}

/// In-Reply-To, else the references from the nearest to the oldest.
fn reply_candidates(mail: &super::EmailHeaders) -> Vec<String> {
    let mut ids: Vec<String> = mail.in_reply_to.iter().cloned().collect();
    for id in mail.references.iter().rev().take(1) {
        if !ids.contains(id) {
            ids.push(id.clone());
        }
    }
    ids
}
