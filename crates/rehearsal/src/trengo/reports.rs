//! The reporting interface, and what people export by hand (Trengo reference, sections 3.12 and 5.3). The names of the members are
//! recorded nowhere: these are invented.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::clock::written;
use super::desk::Desk;
use super::held;
use super::setup::status_name;
use crate::world::{Author, Conversation, ConversationState, Rating};

/// A row of the report on tickets.
pub(super) fn ticket(desk: &Desk, id: u64) -> Value {
    let Some((talk, _)) = desk.ticket(id) else {
        return json!({"ticket_id": id});
    };
    let closed = talk.closed.map(|at| (at - talk.created).num_seconds());
    let agent = talk.assignee.and_then(|id| desk.person(id));
    json!({
        "ticket_id": id, "status": status_name(talk.status), "assigned_user": agent.map(|person| &person.name),
        "labels": talk.tags.iter().map(|tag| &tag.name).collect::<Vec<_>>(), "first_reply_time": answered(&talk),
        "total_resolution_time": closed, "in_business_hours": true,
    })
}

/// Seconds until somebody of the workspace wrote.
fn answered(talk: &Conversation) -> Option<i64> {
    let mut said: Vec<_> = talk.messages.iter().collect();
    said.sort_by_key(|message| (message.sent, message.id));
    let by_agent = |message: &&&crate::world::Message| {
        !message.incoming && !held::is_note(message) && matches!(message.author, Author::Person(_))
    };
    let answer = said.iter().find(by_agent)?;
    Some((answer.sent - talk.created).num_seconds())
}

/// What each agent did with tickets that were made in a time.
pub(super) fn agents(desk: &Desk, from: DateTime<Utc>, until: DateTime<Utc>) -> Vec<Value> {
    let mut counts: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    for talk in desk.made_in(from, until) {
        if let Some(agent) = talk.assignee {
            let (assigned, closed) = counts.entry(agent).or_default();
            *assigned += 1;
            *closed += u64::from(talk.closed.is_some());
        }
    }
    let row = |(id, (assigned, closed)): (u64, (u64, u64))| {
        let name = desk.person(id).map(|person| person.name.clone());
        json!({"user_id": id, "name": name, "assigned_tickets": assigned, "closed_tickets": closed})
    };
    counts.into_iter().map(row).collect()
}

/// Aggregates of a time, those that are asked for.
pub(super) fn metrics(
    desk: &Desk,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    asked: &[&str],
) -> Value {
    let (mut created, mut closed, mut waited) = (0_u64, 0_u64, Vec::new());
    for talk in desk.made_in(from, until) {
        created += 1;
        closed += u64::from(talk.closed.is_some());
        waited.extend(answered(&talk));
    }
    let average = (!waited.is_empty()).then(|| {
        let count = i64::try_from(waited.len()).unwrap_or(i64::MAX);
        waited.iter().sum::<i64>() / count
    });
    let of = |name: &str| match name {
        "created_tickets" | "new_tickets" => json!(created),
        "closed_tickets" => json!(closed),
        "average_first_response_time" => json!(average),
        _ => Value::Null,
    };
    let told: serde_json::Map<String, Value> = asked
        .iter()
        .map(|name| ((*name).to_owned(), of(name)))
        .collect();
    json!({"aggregates": told})
}

/// The table of survey answers that people export.
pub(super) fn survey(desk: &Desk) -> String {
    let mut table = "\u{feff}Ticket ID,Agent,Rating,Comment,Rated at\r\n".to_owned();
    for talk in desk.world.conversations() {
        let shown = talk.state == ConversationState::Active && desk.ticket(talk.id).is_some();
        let Some(rating) = talk.rating.filter(|_| shown) else {
            continue;
        };
        let score = if rating == Rating::Good { 5 } else { 1 };
        table.push_str(&format!(
            "{},,{score},,{}\r\n",
            talk.id,
            written(talk.updated)
        ));
    }
    table
}
