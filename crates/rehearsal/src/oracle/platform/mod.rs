//! What each platform makes of a world: how much of it can be there, and by which ids and words it stands in an org.
//!
//! A description is written from the platform's documentation and the project's page on what lands where, and from
//! nothing that a connector contains. A fact that a platform cannot carry is taken out of the conversation
//! ([`Platform::conversation`]) or of the lists ([`Platform::lists`]) before anything is compared: there it is said in one
//! place what a migration from it can never bring.

mod asapp;
mod help;
mod kayako;
mod kayako_classic;
mod kustomer;
mod trengo;

use std::borrow::Cow;
use std::fmt::Debug;

use super::figures::Figure;
use serde_json::{Value, json};

use crate::world::{
    Channel, Conversation, FieldDefinition, FieldKind, FieldValue, Knowledge, Lists, Person,
    Priority, Rating, Status, StatusKind,
};

pub use self::asapp::{Asapp, AsappServices};
pub use self::help::{SeenArticle, SeenCategory, SeenText};
pub use self::kayako::Kayako;
pub use self::kayako_classic::KayakoClassic;
pub use self::kustomer::Kustomer;
pub use self::trengo::Trengo;

/// How a platform shows a world. Everything but the name has the usual answer, which a platform changes where it differs.
pub trait Platform: Debug + Send + Sync {
    /// The platform's name, as in keys.
    fn name(&self) -> &'static str;

    /// The platform's id of one of the world's things, by kind (`account`, `contact`, `agent`, `conversation`, `message`).
    fn id(&self, kind: &str, id: u64) -> String {
        let _ = kind;
        id.to_string()
    }

    /// The platform's id of a file on a message.
    fn file_id(&self, message: u64, file: u64) -> String {
        format!("{message}-{file}")
    }

    /// The platform's id of a picture that only HTML names.
    fn picture_id(&self, conversation: u64, token: &str) -> String {
        format!("{conversation}-media-{token}")
    }

    /// The lists as the platform can hold them. Lists stay sorted by id.
    fn lists<'a>(&self, lists: &'a Lists) -> Cow<'a, Lists> {
        Cow::Borrowed(lists)
    }

    /// What the platform can hold of a conversation.
    fn conversation(&self, lists: &Lists, conversation: Conversation) -> Conversation {
        let _ = lists;
        conversation
    }

    /// Whether the platform has an address by which people see its things.
    fn has_addresses(&self) -> bool {
        true
    }

    /// Whether the platform tells when a thing was made and changed, by kind.
    fn tells_times(&self, kind: &str) -> bool {
        let _ = kind;
        true
    }

    /// The number that customers see.
    fn number(&self, conversation: &Conversation) -> String {
        self.id("conversation", conversation.id)
    }

    /// Whether the mapping of a rehearsal has a line for this custom field of the world, where it has one at all.
    fn has_line(&self, field: &FieldDefinition) -> bool {
        let _ = field;
        true
    }

    /// The key under which values of a custom field arrive.
    fn field_key(&self, field: &FieldDefinition) -> String {
        field.key.clone()
    }

    /// The key under which values of a custom field arrive whose definition is gone.
    fn lost_field_key(&self, field: u64) -> String {
        format!("field-{field}")
    }

    /// A value of a custom field as JSON; the definition is gone for some.
    fn value(&self, field: Option<&FieldDefinition>, value: &FieldValue) -> Value {
        usual_value(field, value)
    }

    /// Where a conversation stands, by its status; `None` for one that no list knows.
    fn status(&self, status: Option<&Status>) -> Standing {
        Standing::usual(status)
    }

    /// How urgent a conversation is.
    fn priority(&self, priority: Option<&Priority>) -> Urgency {
        Urgency::usual(priority)
    }

    /// The canonical name of a channel; its raw text where there is none.
    fn channel(&self, channel: &Channel) -> String {
        usual_channel(channel)
    }

    /// What stands for a rating.
    fn rating(&self, rating: Rating) -> String {
        match rating {
            Rating::Good => "GOOD".to_owned(),
            Rating::Bad => "BAD".to_owned(),
        }
    }

    /// What the platform tells of how long a conversation took and how it was liked, by the field of the Case.
    fn figures(&self, conversation: &Conversation) -> Vec<(&'static str, Figure)> {
        let _ = conversation;
        Vec::new()
    }

    /// The set of conversations that one falls into; empty where there is none.
    fn segment(&self, conversation: &Conversation) -> &str {
        let _ = conversation;
        ""
    }

    /// The group of people that a customer is in, by name; empty where there are none.
    fn group(&self, person: &Person) -> &'static str {
        let _ = person;
        ""
    }

    /// Whether rows of this kind (`contact`) say when they were made and changed.
    fn dates(&self, kind: &str) -> bool {
        let _ = kind;
        true
    }

    /// What it tells of the articles of a help centre.
    fn articles(&self, knowledge: &Knowledge) -> Vec<SeenArticle> {
        let _ = knowledge;
        Vec::new()
    }

    /// What it tells of the places in which articles stand, each after the one it stands in.
    fn categories(&self, knowledge: &Knowledge) -> Vec<SeenCategory> {
        let _ = knowledge;
        Vec::new()
    }

    /// The address by which one article links to another, by its number; as the world has it where it tells no place.
    fn article_link(&self, number: &str) -> String {
        format!("article:{number}")
    }

    /// Whether a value may be kept beside an object's fields although the world knows nothing of it.
    fn tolerates(&self, object: &str, key: &str) -> bool {
        let _ = (object, key);
        false
    }
}

/// Where a conversation stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The value of the target's own field.
    pub value: &'static str,
    /// Whether that means that it is over.
    pub closed: bool,
    /// The platform's word for it.
    pub raw: String,
}

impl Standing {
    /// By the meaning of the status, with its label.
    pub fn usual(status: Option<&Status>) -> Self {
        let (value, closed) = match status.map(|status| status.kind) {
            Some(StatusKind::New) => ("New", false),
            Some(StatusKind::Completed | StatusKind::Closed) => ("Closed", true),
            _ => ("Working", false),
        };
        Self {
            value,
            closed,
            raw: status.map_or("Limbo", |status| &status.label).to_owned(),
        }
    }
}

/// How urgent a conversation is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Urgency {
    /// The value of the target's own field; none when it is not sent.
    pub value: Option<&'static str>,
    /// The platform's word for it.
    pub raw: String,
}

impl Urgency {
    /// By level, with its label.
    pub fn usual(priority: Option<&Priority>) -> Self {
        Self {
            value: match priority.map(|priority| priority.level) {
                Some(1) => Some("Low"),
                Some(2) => Some("Medium"),
                Some(3..) => Some("High"),
                _ => None,
            },
            raw: priority.map_or("", |priority| &priority.label).to_owned(),
        }
    }
}

/// The canonical name of a channel, with the world's words.
pub fn usual_channel(channel: &Channel) -> String {
    let name = match channel {
        Channel::Mail => "email",
        Channel::HelpCentre => "web",
        Channel::Messenger => "chat",
        Channel::Note => "internal",
        Channel::Twitter => "twitter",
        Channel::Facebook => "facebook",
        Channel::Other(raw) => {
            return match raw.to_lowercase().as_str() {
                known @ ("voice" | "sms" | "whatsapp" | "api") => known.to_owned(),
                _ => raw.clone(),
            };
        }
    };
    name.to_owned()
}

/// A value with the labels of its options; the steps of a path are told apart by a bracket.
pub fn usual_value(field: Option<&FieldDefinition>, value: &FieldValue) -> Value {
    let label = |id: u64| {
        let options = field.into_iter().flat_map(|field| &field.options);
        let mut options = options.filter(|option| option.id == id);
        options
            .next()
            .map_or_else(|| id.to_string(), |option| option.label.clone())
    };
    match value {
        FieldValue::Text(text) => json!(text),
        FieldValue::Number(number) => {
            serde_json::from_str(number).unwrap_or_else(|_| json!(number))
        }
        FieldValue::Flag(flag) => json!(flag),
        FieldValue::Day(day) => json!(day.to_string()),
        FieldValue::Choice(id)
            if field.is_some_and(|field| field.kind == FieldKind::CascadingSelect) =>
        {
            json!(label(*id).replace("::", " > "))
        }
        FieldValue::Choice(id) => json!(label(*id)),
        FieldValue::Choices(ids) => ids.iter().map(|id| json!(label(*id))).collect(),
    }
}
