use std::borrow::Cow;

use super::{Figure, Platform};
use crate::asapp::{
    FIRST_RESPONSE, HANDLE, IN_QUEUE, WRAP_UP, held_conversation, held_lists, held_value,
};
use crate::world::{Conversation, FieldDefinition, Lists, Rating};

/// ASAPP's messaging product, by its batch files: chats and calls in plain text, with the facts that its tables have columns for. Names and addresses of
/// people come from the company's own tables.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asapp;

impl Platform for Asapp {
    fn name(&self) -> &'static str {
        "asapp"
    }

    fn lists<'a>(&self, lists: &'a Lists) -> Cow<'a, Lists> {
        held_lists(lists)
    }

    fn conversation(&self, lists: &Lists, conversation: Conversation) -> Conversation {
        held_conversation(lists, conversation)
    }

    fn has_addresses(&self) -> bool {
        false
    }

    /// A company is only a name that a customer has.
    fn tells_times(&self, kind: &str) -> bool {
        kind != "account"
    }

    fn has_line(&self, _: &FieldDefinition) -> bool {
        false
    }

    /// The scale is not documented; the number is kept.
    fn rating(&self, rating: Rating) -> String {
        match rating {
            Rating::Good => "500".to_owned(),
            Rating::Bad => "100".to_owned(),
        }
    }

    /// What the table of figures tells, and the rating; nothing else of how long things took.
    fn figures(&self, talk: &Conversation) -> Vec<(&'static str, Figure)> {
        let told = [
            ("Wait_Time_Seconds__c", IN_QUEUE),
            ("Handle_Time_Seconds__c", HANDLE),
            ("Wrap_Up_Seconds__c", WRAP_UP),
            ("First_Response_Seconds__c", FIRST_RESPONSE),
        ];
        let seconds = |field| held_value(talk, field)?.parse().ok();
        let times = told
            .into_iter()
            .filter_map(|(name, field)| Some((name, Figure::Number(seconds(field)?))));
        let score = talk
            .rating
            .and_then(|rating| self.rating(rating).parse().ok());
        let score = score.map(|score| ("CSAT_Score__c", Figure::Number(score)));
        times.chain(score).collect()
    }

    /// Lists of rows, the client's own id of a customer, and what a message's row has besides.
    fn tolerates(&self, object: &str, key: &str) -> bool {
        match object {
            "Case" => matches!(
                key,
                "custom.queue_visits" | "custom.assignments" | "custom.external_user_id"
            ),
            "Contact" => key == "custom.external_user_id",
            _ => false,
        }
    }
}
