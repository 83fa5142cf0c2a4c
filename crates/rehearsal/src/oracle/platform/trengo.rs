use std::borrow::Cow;

use serde_json::{Value, json};

use super::{Figure, Platform, Standing, Urgency, usual_value};
use crate::trengo::held;
use crate::world::{Channel, Conversation, FieldDefinition, FieldValue, Lists, Priority, Status};

/// Trengo: tickets of four states, on channels; contacts per address, tied together by profiles; fields by number.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trengo;

impl Platform for Trengo {
    fn name(&self) -> &'static str {
        "trengo"
    }

    fn lists<'a>(&self, lists: &'a Lists) -> Cow<'a, Lists> {
        Cow::Owned(held::lists(lists))
    }

    fn conversation(&self, lists: &Lists, conversation: Conversation) -> Conversation {
        held::conversation(lists, conversation)
    }

    fn field_key(&self, field: &FieldDefinition) -> String {
        match field.id {
            held::RESULTS => "results".to_owned(),
            id => id.to_string(),
        }
    }

    /// The steps of a path are a text like any other.
    fn value(&self, field: Option<&FieldDefinition>, value: &FieldValue) -> Value {
        match (field, value) {
            (Some(field), FieldValue::Choice(id)) => {
                let option = field.options.iter().find(|option| option.id == *id);
                json!(option.map_or_else(|| id.to_string(), |option| option.label.clone()))
            }
            _ => usual_value(field, value),
        }
    }

    fn status(&self, status: Option<&Status>) -> Standing {
        let raw = status.map_or("", |status| &status.label).to_owned();
        let closed = matches!(raw.as_str(), "CLOSED" | "INVALID");
        Standing {
            value: if closed { "Closed" } else { "Working" },
            closed,
            raw,
        }
    }

    fn priority(&self, _: Option<&Priority>) -> Urgency {
        Urgency {
            value: None,
            raw: String::new(),
        }
    }

    fn channel(&self, channel: &Channel) -> String {
        match channel {
            Channel::Mail | Channel::Note => "email".to_owned(),
            // A channel of one's own, which a program fills.
            Channel::HelpCentre => "api".to_owned(),
            Channel::Other(raw) if raw == "INSTAGRAM" => "instagram".to_owned(),
            other => super::usual_channel(other),
        }
    }

    fn figures(&self, _: &Conversation) -> Vec<(&'static str, Figure)> {
        vec![
            ("Message_Count__c", Figure::Told),
            ("First_Response_Date__c", Figure::Perhaps),
            ("First_Response_Seconds__c", Figure::Perhaps),
        ]
    }

    fn dates(&self, kind: &str) -> bool {
        kind != "contact"
    }
}
