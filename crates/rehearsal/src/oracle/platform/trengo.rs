use std::borrow::Cow;

use serde_json::{Value, json};

use super::{Figure, Platform, SeenArticle, SeenCategory, Standing, Urgency, help, usual_value};
use crate::trengo::held;
use crate::world::{
    Author, Channel, Conversation, FieldDefinition, FieldValue, Knowledge, Lists, Message,
    Priority, Rating, Status,
};

/// Trengo: tickets of four states, on channels; contacts per address, tied together by profiles; fields by number.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trengo {
    surveyed: bool,
}

impl Trengo {
    /// With the answers of surveys, which somebody exported.
    #[must_use]
    pub fn surveyed(self) -> Self {
        Self { surveyed: true }
    }
}

impl Platform for Trengo {
    fn name(&self) -> &'static str {
        "trengo"
    }

    fn articles(&self, knowledge: &Knowledge) -> Vec<SeenArticle> {
        help::trengo(knowledge)
    }

    fn categories(&self, knowledge: &Knowledge) -> Vec<SeenCategory> {
        help::trengo_categories(knowledge)
    }

    fn article_link(&self, number: &str) -> String {
        format!("https://acme.trengo.help/articles/{number}")
    }

    fn lists<'a>(&self, lists: &'a Lists) -> Cow<'a, Lists> {
        Cow::Owned(held::lists(lists))
    }

    fn conversation(&self, lists: &Lists, conversation: Conversation) -> Conversation {
        let rating = conversation.rating.filter(|_| self.surveyed);
        let mut held = held::conversation(lists, conversation);
        held.rating = rating;
        held
    }

    /// A mark from 1 to 5.
    fn rating(&self, rating: Rating) -> String {
        match rating {
            Rating::Good => "5".to_owned(),
            Rating::Bad => "1".to_owned(),
        }
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

    /// Counted and computed of what is said: notes count, and an answer is what a person wrote to the customer.
    fn figures(&self, talk: &Conversation) -> Vec<(&'static str, Figure)> {
        let number =
            |number: i64| Figure::Number(f64::from(i32::try_from(number).unwrap_or(i32::MAX)));
        let count = i64::try_from(talk.messages.len()).unwrap_or(i64::MAX);
        let mut figures = vec![("Message_Count__c", number(count))];
        if let Some(rating) = talk.rating {
            let score = if rating == Rating::Good { 5 } else { 1 };
            figures.push(("CSAT_Score__c", number(score)));
            figures.push(("CSAT_Date__c", Figure::Time(talk.updated)));
        }
        let mut said: Vec<&Message> = talk.messages.iter().collect();
        said.sort_by_key(|message| (message.sent, message.id));
        let mut after = said.iter().skip_while(|message| !message.incoming);
        let asked = after.next();
        let answers = |message: &&&Message| {
            !message.incoming
                && !held::is_note(message)
                && matches!(message.author, Author::Person(_))
        };
        if let Some((asked, answered)) = asked.zip(after.find(answers)) {
            let seconds = (answered.sent - asked.sent).num_seconds();
            figures.push(("First_Response_Date__c", Figure::Time(answered.sent)));
            figures.push(("First_Response_Seconds__c", number(seconds)));
        }
        figures
    }

    fn dates(&self, kind: &str) -> bool {
        kind != "contact"
    }
}
