use std::borrow::Cow;

use serde_json::{Value, json};

use super::{
    Figure, Platform, SeenArticle, SeenCategory, Standing, Urgency, help, usual_channel,
    usual_value,
};
use crate::kustomer::{AGREED, attribute, first_answer, id_of, seen_conversation, seen_lists};
use crate::world::{
    Channel, Conversation, FieldDefinition, FieldValue, Knowledge, Lists, Message, MessageKind,
    Priority, Rating, Status, StatusKind,
};

/// Kustomer: ids of 24 hex characters, three states, priorities 1 to 5, custom attributes with suffixes. What a conversation
/// loses there is said where the stand-in says it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Kustomer;

/// Days that have a field of their own in a rehearsal.
const DAYS: [&str; 2] = ["purchase_date", "customer_since"];

/// Attributes that the stand-in gives its records and the world knows nothing of.
const BESIDE: [(&str, &[&str]); 3] = [
    ("Knowledge__kav", &["custom.hash"]),
    ("Case", &["custom.direction", "custom.snooze"]),
    ("Contact", &["custom.displayName"]),
];

impl Platform for Kustomer {
    fn name(&self) -> &'static str {
        "kustomer"
    }

    fn articles(&self, knowledge: &Knowledge) -> Vec<SeenArticle> {
        help::kustomer(knowledge)
    }

    fn categories(&self, knowledge: &Knowledge) -> Vec<SeenCategory> {
        help::kustomer_categories(knowledge)
    }

    fn id(&self, kind: &str, id: u64) -> String {
        id_of(kind, id)
    }

    fn file_id(&self, _: u64, file: u64) -> String {
        id_of("attachment", file)
    }

    fn lists<'a>(&self, lists: &'a Lists) -> Cow<'a, Lists> {
        Cow::Owned(seen_lists(lists))
    }

    fn conversation(&self, lists: &Lists, conversation: Conversation) -> Conversation {
        seen_conversation(lists, conversation)
    }

    fn field_key(&self, field: &FieldDefinition) -> String {
        attribute(field)
    }

    fn lost_field_key(&self, field: u64) -> String {
        format!("field{field}Str")
    }

    fn value(&self, field: Option<&FieldDefinition>, value: &FieldValue) -> Value {
        match value {
            // A day is a moment there, and one again where a field of its own takes it.
            FieldValue::Day(day) if field.is_none_or(|field| !DAYS.contains(&&*field.key)) => {
                json!(format!("{day}T00:00:00Z"))
            }
            value => usual_value(field, value),
        }
    }

    fn status(&self, status: Option<&Status>) -> Standing {
        let standing = |value, closed, raw: &str| Standing {
            value,
            closed,
            raw: raw.to_owned(),
        };
        match status.map(|status| (status.kind, status.label.as_str())) {
            Some((StatusKind::Completed | StatusKind::Closed, _)) => {
                standing("Closed", true, "done")
            }
            Some((StatusKind::Pending, _)) => standing("Working", false, "snoozed"),
            Some((StatusKind::Custom, label)) => standing("Working", false, label),
            _ => standing("Working", false, "open"),
        }
    }

    fn priority(&self, priority: Option<&Priority>) -> Urgency {
        let (value, raw) = match priority.map(|priority| priority.level) {
            Some(1) => ("Low", "1"),
            Some(3) => ("High", "4"),
            Some(4..) => ("High", "5"),
            _ => ("Medium", "3"),
        };
        Urgency {
            value: Some(value),
            raw: raw.to_owned(),
        }
    }

    fn channel(&self, channel: &Channel) -> String {
        match channel {
            Channel::Other(raw) => raw.to_lowercase(),
            known => usual_channel(known),
        }
    }

    fn rating(&self, rating: Rating) -> String {
        match rating {
            Rating::Good => "5".to_owned(),
            Rating::Bad => "1".to_owned(),
        }
    }

    fn figures(&self, conversation: &Conversation) -> Vec<(&'static str, Figure)> {
        let number =
            |number: i64| Figure::Number(f64::from(i32::try_from(number).unwrap_or(i32::MAX)));
        let is_note = |message: &&Message| matches!(message.kind, MessageKind::Note { .. });
        let said = conversation.messages.iter().filter(|m| !is_note(m)).count();
        let mut figures = vec![("Message_Count__c", number(i64::try_from(said).unwrap_or(0)))];
        if let Some((asked, answer)) = first_answer(conversation) {
            figures.push(("First_Response_Date__c", Figure::Time(answer.sent)));
            let seconds = (answer.sent - asked).num_seconds();
            figures.push(("First_Response_Seconds__c", number(seconds)));
            if conversation.channel == Channel::Mail {
                let (name, within) = AGREED;
                let late = answer.sent > asked + within;
                figures.push(("Source_SLA__c", Figure::Word(name)));
                figures.push((
                    "SLA_Breached__c",
                    Figure::Word(if late { "Yes" } else { "No" }),
                ));
                figures.push(("Original_Due_Date__c", Figure::Time(asked + within)));
            }
        }
        if let Some(rating) = conversation.rating {
            let score = if rating == Rating::Good { 5.0 } else { 1.0 };
            figures.push(("CSAT_Score__c", Figure::Number(score)));
            figures.push(("CSAT_Date__c", Figure::Time(conversation.updated)));
        }
        figures
    }

    fn tolerates(&self, object: &str, key: &str) -> bool {
        BESIDE
            .iter()
            .any(|(of, keys)| *of == object && keys.contains(&key))
    }
}
