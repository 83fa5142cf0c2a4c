use std::borrow::Cow;

use super::{Figure, Platform};
use crate::asapp::{held_conversation, held_lists};
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

    fn figures(&self, _: &Conversation) -> Vec<(&'static str, Figure)> {
        let fields = [
            "First_Response_Seconds__c",
            "Wait_Time_Seconds__c",
            "Handle_Time_Seconds__c",
            "Wrap_Up_Seconds__c",
            "Message_Count__c",
            "CSAT_Score__c",
            "CSAT_Date__c",
            "CSAT_Comment__c",
            "Source_Segment__c",
        ];
        fields.map(|field| (field, Figure::Perhaps)).into()
    }

    /// Lists of rows, the client's own id of a customer, and what a message's row has besides.
    fn tolerates(&self, object: &str, key: &str) -> bool {
        match object {
            "Case" => matches!(key, "custom.queue_visits" | "custom.external_user_id"),
            "Contact" => key == "custom.external_user_id",
            _ => false,
        }
    }
}
