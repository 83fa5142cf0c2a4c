//! The canonical model: what a helpdesk holds, whatever the helpdesk.
//!
//! Lossless first: what a source says and the model has no field for goes into [`Meta::custom`] under the source's own
//! key. Enumerations that platforms extend keep the raw text beside their meaning ([`Named`]). Times are UTC.
//! References are keys; whether they resolve is decided at the load.

mod attachment;
mod conversation;
mod custom;
mod facts;
mod figures;
mod inventory;
mod knowledge;
mod message;
mod objects;
mod people;

pub use attachment::Attachment;
pub use conversation::{ChannelKind, Conversation, PriorityLevel, Satisfaction, StatusState};
pub use custom::{CustomValue, CustomValues, FieldDefinition, FieldType};
pub use facts::Facts;
pub use figures::{AgentStatistics, Figures};
pub use inventory::{InventoryItem, InventoryKind, InventoryPart};
pub use knowledge::{Article, ArticleState, Category, Translation, Visibility};
pub use message::{
    Author, AuthorRole, Body, Call, Direction, EmailAddress, EmailHeaders, Message, MessageFile,
};
pub use objects::{ObjectDefinition, ObjectRecord, Relation, RelationDefinition, RelationKind};
pub use people::{Account, Address, Agent, Contact, Email, Handle, Tag, Team};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::key::{RecordKey, RecordKind};

/// What every record has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Meta {
    /// The record's name for ever.
    pub key: RecordKey,
    /// Where people see it in the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// When the source says it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<DateTime<Utc>>,
    /// When the source says it was last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<DateTime<Utc>>,
    /// The source's own count or time of changes: of two readings of one record the higher one wins, whichever came first.
    /// Without it the later reading wins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<i64>,
    /// Values the model has no field for, by the source's own keys.
    #[serde(default, skip_serializing_if = "CustomValues::is_empty")]
    pub custom: CustomValues,
    /// The source's own JSON, if the user asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<Value>,
}

impl Meta {
    /// The bare minimum: a key.
    #[must_use]
    pub fn new(key: RecordKey) -> Self {
        Self {
            key,
            url: None,
            created_at: None,
            updated_at: None,
            revision: None,
            custom: CustomValues::new(),
            raw: None,
        }
    }
}

/// A meaning that all platforms share, beside the text that this one uses.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Named<T> {
    /// What it means.
    pub is: T,
    /// What the source calls it.
    pub raw: String,
}

impl<T> Named<T> {
    /// A meaning with the source's word for it.
    pub fn new(is: T, raw: impl Into<String>) -> Self {
        Self {
            is,
            raw: raw.into(),
        }
    }
}

/// One canonical item.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Record {
    /// The definition of a custom field of the source.
    FieldDefinition(Box<FieldDefinition>),
    /// A group of agents.
    Team(Box<Team>),
    /// A person who works in the helpdesk.
    Agent(Box<Agent>),
    /// A label.
    Tag(Box<Tag>),
    /// A company.
    Account(Box<Account>),
    /// A person who writes to the helpdesk.
    Contact(Box<Contact>),
    /// A ticket, case or conversation.
    Conversation(Box<Conversation>),
    /// A file.
    Attachment(Box<Attachment>),
    /// One entry of a conversation's timeline.
    Message(Box<Message>),
    /// A place in the tree of a help centre.
    Category(Box<Category>),
    /// A text of a help centre, with its translations.
    Article(Box<Article>),
    /// The definition of a custom object of the source.
    ObjectDefinition(Box<ObjectDefinition>),
    /// A record of a custom object.
    ObjectRecord(Box<ObjectRecord>),
    /// Figures of an agent over a time.
    AgentStatistics(Box<AgentStatistics>),
    /// Configuration that is handed over as a document.
    InventoryItem(Box<InventoryItem>),
}

macro_rules! each_kind {
    ($self:expr, $r:ident => $body:expr) => {
        match $self {
            Record::FieldDefinition($r) => $body,
            Record::Team($r) => $body,
            Record::Agent($r) => $body,
            Record::Tag($r) => $body,
            Record::Account($r) => $body,
            Record::Contact($r) => $body,
            Record::Conversation($r) => $body,
            Record::Attachment($r) => $body,
            Record::Message($r) => $body,
            Record::Category($r) => $body,
            Record::Article($r) => $body,
            Record::ObjectDefinition($r) => $body,
            Record::ObjectRecord($r) => $body,
            Record::AgentStatistics($r) => $body,
            Record::InventoryItem($r) => $body,
        }
    };
}

impl Record {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> RecordKind {
        match self {
            Self::FieldDefinition(_) => RecordKind::FieldDefinition,
            Self::Team(_) => RecordKind::Team,
            Self::Agent(_) => RecordKind::Agent,
            Self::Tag(_) => RecordKind::Tag,
            Self::Account(_) => RecordKind::Account,
            Self::Contact(_) => RecordKind::Contact,
            Self::Conversation(_) => RecordKind::Conversation,
            Self::Attachment(_) => RecordKind::Attachment,
            Self::Message(_) => RecordKind::Message,
            Self::Category(_) => RecordKind::Category,
            Self::Article(_) => RecordKind::Article,
            Self::ObjectDefinition(_) => RecordKind::ObjectDefinition,
            Self::ObjectRecord(_) => RecordKind::ObjectRecord,
            Self::AgentStatistics(_) => RecordKind::AgentStatistics,
            Self::InventoryItem(_) => RecordKind::InventoryItem,
        }
    }

    /// What every record has.
    #[must_use]
    pub fn meta(&self) -> &Meta {
        each_kind!(self, r => &r.meta)
    }

    /// Its key.
    #[must_use]
    pub fn key(&self) -> &RecordKey {
        &self.meta().key
    }

    /// One line of JSON, without its kind: the stage keeps kinds apart.
    ///
    /// # Errors
    /// Never for records that came from a source; a custom value that JSON cannot hold.
    pub fn to_line(&self) -> serde_json::Result<Vec<u8>> {
        each_kind!(self, r => serde_json::to_vec(r.as_ref()))
    }

    /// The record of `kind` that such a line holds.
    ///
    /// # Errors
    /// The line is not a record of that kind.
    pub fn from_line(kind: RecordKind, line: &[u8]) -> serde_json::Result<Self> {
        Ok(match kind {
            RecordKind::FieldDefinition => Self::FieldDefinition(serde_json::from_slice(line)?),
            RecordKind::Team => Self::Team(serde_json::from_slice(line)?),
            RecordKind::Agent => Self::Agent(serde_json::from_slice(line)?),
            RecordKind::Tag => Self::Tag(serde_json::from_slice(line)?),
            RecordKind::Account => Self::Account(serde_json::from_slice(line)?),
            RecordKind::Contact => Self::Contact(serde_json::from_slice(line)?),
            RecordKind::Conversation => Self::Conversation(serde_json::from_slice(line)?),
            RecordKind::Attachment => Self::Attachment(serde_json::from_slice(line)?),
            RecordKind::Message => Self::Message(serde_json::from_slice(line)?),
            RecordKind::Category => Self::Category(serde_json::from_slice(line)?),
            RecordKind::Article => Self::Article(serde_json::from_slice(line)?),
            RecordKind::ObjectDefinition => Self::ObjectDefinition(serde_json::from_slice(line)?),
            RecordKind::ObjectRecord => Self::ObjectRecord(serde_json::from_slice(line)?),
            RecordKind::AgentStatistics => Self::AgentStatistics(serde_json::from_slice(line)?),
            RecordKind::InventoryItem => Self::InventoryItem(serde_json::from_slice(line)?),
        })
    }
}

macro_rules! from_kind {
    ($($kind:ident),*) => {$(
        impl From<$kind> for Record {
            fn from(value: $kind) -> Self {
                Self::$kind(Box::new(value))
            }
        }
    )*};
}
from_kind!(
    FieldDefinition,
    Team,
    Agent,
    Tag,
    Account,
    Contact,
    Conversation,
    Attachment,
    Message,
    Category,
    Article,
    ObjectDefinition,
    ObjectRecord,
    AgentStatistics,
    InventoryItem
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Tenant;

    /// Files of the stage are read by later versions: what a record says must come back whole, and a line that an earlier
    /// version wrote must still be one.
    #[test]
    fn what_has_no_place_in_a_conversation_comes_back_from_its_line_too() {
        let tenant = Tenant::new("desk", "acme");
        let key = |kind, id: &str| tenant.key(kind, id);
        let english = Translation {
            locale: "en-gb".into(),
            title: "Returns".into(),
            summary: None,
            html: "<p>Send it back.</p>".into(),
            state: Named::new(ArticleState::Published, "PUBLISHED"),
            slug: Some("returns".into()),
            url: None,
            updated_at: None,
            published_at: None,
        };
        let records: Vec<Record> = vec![
            Article {
                meta: Meta::new(key(RecordKind::Article, "7")),
                categories: vec![key(RecordKind::Category, "2")],
                author: Some(key(RecordKind::Agent, "3")),
                visibility: Named::new(Visibility::Internal, "agents"),
                translations: vec![english],
                tags: vec!["post".into()],
                files: Vec::new(),
            }
            .into(),
            ObjectRecord {
                meta: Meta::new(key(RecordKind::ObjectRecord, "o-1")),
                object: key(RecordKind::ObjectDefinition, "order"),
                name: "Order 1".into(),
                relations: vec![Relation {
                    field: "buyer".into(),
                    to: key(RecordKind::Contact, "4"),
                }],
            }
            .into(),
            InventoryItem {
                meta: Meta::new(key(RecordKind::InventoryItem, "sla-1")),
                kind: Named::new(InventoryKind::Sla, "sla"),
                name: "Gold".into(),
                active: Some(true),
                parts: vec![InventoryPart {
                    title: "targets".into(),
                    lines: vec!["first answer within 1 h".into()],
                }],
                definition: serde_json::json!({"id": 1}),
            }
            .into(),
        ];
        for record in records {
            let line = record.to_line().unwrap();
            assert_eq!(Record::from_line(record.kind(), &line).unwrap(), record);
        }
    }

    #[test]
    fn every_kind_has_a_name_of_its_own() {
        for kind in RecordKind::ALL {
            assert_eq!(RecordKind::from_name(kind.name()), Some(kind));
        }
    }
}
