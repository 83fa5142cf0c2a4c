use std::borrow::Cow;

use super::{Figure, Platform};
use crate::asapp::{
    Customers, FIRST_RESPONSE, HANDLE, IN_QUEUE, WRAP_UP, conversation_id, held_by_services,
    held_conversation, held_lists, held_value, lists_of_services, message_id, segment_of_services,
};
use crate::world::{Conversation, FieldDefinition, Lists, Rating, World};

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

/// ASAPP's AI services, by the feeds of the File Exporter and what the APIs add: conversations without queues and ratings, which end by falling silent.
#[derive(Clone, Debug)]
pub struct AsappServices {
    customers: Customers,
}

impl AsappServices {
    /// For this world: a customer without a conversation is in no feed.
    pub fn of(world: &World) -> Self {
        Self {
            customers: Customers::of(world),
        }
    }
}

impl Platform for AsappServices {
    fn name(&self) -> &'static str {
        "asapp"
    }

    /// Ids of people are the company's own, and mean other people than those of the messaging product.
    fn id(&self, kind: &str, id: u64) -> String {
        match kind {
            "conversation" => conversation_id(id),
            "message" => message_id(id),
            "contact" | "agent" => format!("ai-{id}"),
            _ => id.to_string(),
        }
    }

    fn lists<'a>(&self, lists: &'a Lists) -> Cow<'a, Lists> {
        lists_of_services(lists, Some(&self.customers))
    }

    fn conversation(&self, lists: &Lists, conversation: Conversation) -> Conversation {
        held_by_services(lists, conversation, &self.customers)
    }

    fn has_addresses(&self) -> bool {
        false
    }

    fn tells_times(&self, kind: &str) -> bool {
        kind != "account"
    }

    /// Structured data whose mapping is part of the rehearsal.
    fn has_line(&self, field: &FieldDefinition) -> bool {
        matches!(
            field.key.as_str(),
            "q_issue_resolved" | "e_amount" | "e_due"
        )
    }

    fn segment(&self, conversation: &Conversation) -> &str {
        segment_of_services(conversation)
    }

    /// Times of the rows themselves.
    fn tolerates(&self, object: &str, key: &str) -> bool {
        object == "Case"
            && matches!(
                key,
                "custom.agent_last_utterance_ts"
                    | "custom.contact_journey_contact_end_ts"
                    | "custom.single_intent_intent_name"
            )
    }
}
