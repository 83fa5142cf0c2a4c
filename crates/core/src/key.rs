//! Keys: the name of a record that stays the same for ever.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// The longest key, in characters: what a unique text field of a target can hold.
pub const MAX_KEY: usize = 255;
/// The longest tenant within a key, as encoded.
const MAX_TENANT: usize = 100;

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RecordKind {
    /// The definition of a custom field of the source.
    FieldDefinition,
    /// A group of agents.
    Team,
    /// A person who works in the helpdesk.
    Agent,
    /// A label.
    Tag,
    /// A company.
    Account,
    /// A person who writes to the helpdesk.
    Contact,
    /// A ticket, case or conversation.
    Conversation,
    /// A file.
    Attachment,
    /// One entry of a conversation's timeline.
    Message,
    /// A place in the tree of a help centre.
    Category,
    /// A text of a help centre, with its translations.
    Article,
    /// The definition of a custom object of the source.
    ObjectDefinition,
    /// A record of a custom object.
    ObjectRecord,
    /// Figures of an agent over a time.
    AgentStatistics,
    /// Configuration that is handed over as a document.
    InventoryItem,
}

impl RecordKind {
    /// Every kind, in an order in which each only refers to earlier ones.
    pub const ALL: [Self; 15] = [
        Self::ObjectDefinition,
        Self::FieldDefinition,
        Self::Team,
        Self::Agent,
        Self::Tag,
        Self::Account,
        Self::Contact,
        Self::Conversation,
        Self::Attachment,
        Self::Message,
        Self::ObjectRecord,
        Self::Category,
        Self::Article,
        Self::AgentStatistics,
        Self::InventoryItem,
    ];

    /// The name that stands in keys, files and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::FieldDefinition => "field-definition",
            Self::Team => "team",
            Self::Agent => "agent",
            Self::Tag => "tag",
            Self::Account => "account",
            Self::Contact => "contact",
            Self::Conversation => "conversation",
            Self::Attachment => "attachment",
            Self::Message => "message",
            Self::Category => "category",
            Self::Article => "article",
            Self::ObjectDefinition => "object-definition",
            Self::ObjectRecord => "object-record",
            Self::AgentStatistics => "agent-statistics",
            Self::InventoryItem => "inventory-item",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One helpdesk instance: the platform and the platform's own id of the tenant (never a host or port).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Tenant {
    /// The platform: `kayako`.
    pub platform: String,
    /// The platform's own id of the tenant.
    pub id: String,
}

impl Tenant {
    /// A tenant of a platform.
    pub fn new(platform: impl Into<String>, id: impl Into<String>) -> Self {
        Self {
            platform: platform.into(),
            id: id.into(),
        }
    }

    /// The key of one of its records.
    #[must_use]
    pub fn key(&self, kind: RecordKind, id: impl fmt::Display) -> RecordKey {
        RecordKey::new(&self.platform, &self.id, kind.name(), &id.to_string())
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.platform, self.id)
    }
}

/// `platform:tenant:kind:source-id`, each piece percent-encoded outside `[A-Za-z0-9_-]`, at most 255 characters.
///
/// A longer key keeps its beginning and ends in `~` and the first 32 hex digits of the BLAKE3 hash of the whole; a tenant that is
/// longer than 100 characters as encoded is shortened likewise, so that the kind always stands in the key.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecordKey(Arc<str>);

impl RecordKey {
    /// The key of a source's thing. `kind` is the name of a [`RecordKind`], or a sink's own word such as `file`.
    #[must_use]
    pub fn new(platform: &str, tenant: &str, kind: &str, id: &str) -> Self {
        let [platform, tenant, kind, id] = [platform, tenant, kind, id].map(encode);
        let tenant = shortened(tenant, MAX_TENANT);
        let whole = [platform, tenant, kind, id].join(":");
        Self(shortened(whole, MAX_KEY).into())
    }

    /// A key from its text, as it stands in a ledger or in a target.
    ///
    /// # Errors
    /// `Decode` when the text has not four pieces or is too long.
    pub fn parse(text: &str) -> Result<Self> {
        let pieces = text.split(':').count();
        if pieces != 4 || text.len() > MAX_KEY || text.split(':').any(str::is_empty) {
            return Err(Error::new(
                ErrorKind::Decode,
                "read a record key",
                format!("`{text}` is not platform:tenant:kind:id"),
            ));
        }
        Ok(Self(text.into()))
    }

    /// The whole text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn piece(&self, n: usize) -> &str {
        self.0.split(':').nth(n).unwrap_or_default()
    }

    /// The platform, as encoded.
    #[must_use]
    pub fn platform(&self) -> &str {
        self.piece(0)
    }

    /// The tenant, as encoded.
    #[must_use]
    pub fn tenant(&self) -> &str {
        self.piece(1)
    }

    /// The kind's name.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.piece(2)
    }

    /// The source's id, as encoded.
    #[must_use]
    pub fn id(&self) -> &str {
        self.piece(3)
    }

    /// The record kind, if the third piece names one.
    #[must_use]
    pub fn record_kind(&self) -> Option<RecordKind> {
        RecordKind::from_name(self.kind())
    }

    /// The key of the `n`-th further row of the same object for this record: `key#n`. Row 0 is the key itself.
    #[must_use]
    pub fn row(&self, n: u32) -> String {
        if n == 0 {
            self.0.to_string()
        } else {
            format!("{}#{n}", self.0)
        }
    }
}

/// Text of ASCII letters that is too long keeps its beginning, and ends in its hash.
fn shortened(text: String, longest: usize) -> String {
    if text.len() <= longest {
        return text;
    }
    let hash = blake3::hash(text.as_bytes()).to_hex();
    format!("{}~{}", &text[..longest - 33], &hash[..32])
}

fn encode(piece: &str) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'_').remove(b'-');
    utf8_percent_encode(piece, KEPT).to_string()
}

impl fmt::Display for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RecordKey {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

/// The integer by which one workspace's stage and ledgers name a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecordId(pub i64);

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn pieces_are_encoded_so_that_four_colons_never_happen() {
        let key = RecordKey::new("kayako", "acme:eu", "conversation", "a/ü");
        assert_eq!(key.as_str(), "kayako:acme%3Aeu:conversation:a%2F%C3%BC");
        assert_eq!(key.record_kind(), Some(RecordKind::Conversation));
    }

    #[test]
    fn further_rows_of_one_record_get_a_number() {
        let key = RecordKey::new("kayako", "acme", "message", "7");
        assert_eq!(key.row(0), "kayako:acme:message:7");
        assert_eq!(key.row(2), "kayako:acme:message:7#2");
    }

    proptest! {
        #[test]
        fn however_long_a_tenant_is_its_keys_name_their_kind_and_are_its_own(tenant in ".{1,400}", other in ".{1,400}") {
            let key = RecordKey::new("platform", &tenant, "conversation", "7");
            prop_assert_eq!((key.kind(), key.id()), ("conversation", "7"));
            prop_assert_eq!(RecordKey::parse(key.as_str()).unwrap(), key.clone());
            let others = RecordKey::new("platform", &other, "conversation", "7");
            prop_assert_eq!(key == others, tenant == other);
        }

        #[test]
        fn keys_fit_a_text_field_are_stable_and_differ_when_their_ids_differ(a in ".{0,400}", b in ".{0,400}") {
            let one = RecordKey::new("p", "t", "message", &a);
            let two = RecordKey::new("p", "t", "message", &b);
            prop_assert!(one.as_str().len() <= MAX_KEY);
            prop_assert_eq!(one == two, a == b);
            if !a.is_empty() {
                prop_assert_eq!(RecordKey::parse(one.as_str()).unwrap(), one);
            }
        }
    }
}
