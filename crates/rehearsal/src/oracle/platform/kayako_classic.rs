use std::borrow::Cow;

use super::{Platform, SeenArticle, SeenCategory, Urgency, help};
use crate::kayako_classic::held;
use crate::world::{Conversation, FieldDefinition, Knowledge, Lists, Person, Priority};

/// Kayako Classic: tickets of departments, with posts of one text, notes, and custom values as text. What a conversation loses
/// there is said where the stand-in says it.
#[derive(Clone, Copy, Debug, Default)]
pub struct KayakoClassic;

impl Platform for KayakoClassic {
    fn name(&self) -> &'static str {
        "kayako-classic"
    }

    fn file_id(&self, _: u64, file: u64) -> String {
        file.to_string()
    }

    fn lists<'a>(&self, lists: &'a Lists) -> Cow<'a, Lists> {
        Cow::Owned(held::lists(lists))
    }

    fn conversation(&self, lists: &Lists, conversation: Conversation) -> Conversation {
        held::conversation(lists, conversation)
    }

    fn has_addresses(&self) -> bool {
        false
    }

    fn number(&self, conversation: &Conversation) -> String {
        held::mask(conversation.id)
    }

    fn has_line(&self, _: &FieldDefinition) -> bool {
        false
    }

    /// Priorities have no levels: the words that Classic comes with count, any other is in the middle.
    fn priority(&self, priority: Option<&Priority>) -> Urgency {
        let label = priority.map_or("", |priority| priority.label.as_str());
        let value = match label {
            "" => None,
            "Low" => Some("Low"),
            "High" | "Urgent" | "Critical" | "Emergency" => Some("High"),
            _ => Some("Medium"),
        };
        Urgency {
            value,
            raw: label.to_owned(),
        }
    }

    fn group(&self, _: &Person) -> &'static str {
        "Registered"
    }

    fn articles(&self, knowledge: &Knowledge) -> Vec<SeenArticle> {
        help::kayako_classic(knowledge)
    }

    fn categories(&self, knowledge: &Knowledge) -> Vec<SeenCategory> {
        help::kayako_classic_categories(knowledge)
    }

    /// Whether a user may still log in.
    fn tolerates(&self, object: &str, key: &str) -> bool {
        object == "Contact" && key == "custom.isenabled"
    }
}
