//! A conversation of the AI services.

use std::collections::{BTreeMap, HashMap};

use deskferry_core::RecordKind;
use deskferry_core::model::{
    AuthorRole, Conversation, CustomValue, CustomValues, Direction, Figures, Meta, Named,
    StatusState,
};

use super::{
    Converted, Ground, Lookup, Said, channel, keep_list, keep_rest, known, nobody, person_key,
    placed, row, rows, subject,
};
use crate::reduce::Group;
use crate::tables::{Family, tag};
use crate::wire::Row;

const TAKEN: &[&str] = &[
    "conversation_start_ts",
    "customer_id",
    "last_agent_id",
    "conversation_metadata_platform",
    "autosummary_text",
    "autosummary_tags",
    "contact_journey_contact_id",
];

pub(super) fn conversation(ground: &Ground<'_>, group: &Group) -> Converted {
    let tenant = ground.tenant;
    let key = tenant.key(RecordKind::Conversation, &group.id);
    let state = rolled_up(rows(group, tag::STATE).map(|(row, _)| row).collect());
    let missing = group.of(tag::STATE).next().is_none();
    let asked = row(group, &[tag::ASKED])
        .map(|(row, _)| row)
        .unwrap_or_default();
    let customer = state
        .text("customer_id")
        .or_else(|| asked.text("customer_id"))
        .map(|id| person_key(tenant, RecordKind::Contact, Family::Services, &id));
    let mut meta = Meta::new(key.clone());
    let channel = channel(
        state.text("conversation_metadata_platform"),
        false,
        &mut meta.custom,
    );
    let texts: HashMap<String, Row> = rows(group, tag::UTTERANCE_TEXT)
        .filter_map(|(row, _)| Some((row.text("message_id")?, row)))
        .collect();
    let mut senders: HashMap<String, Row> = rows(group, tag::UTTERANCE_STATE)
        .filter_map(|(row, _)| Some((row.text("message_id")?, row)))
        .collect();
    let (mut said, mut refused) = (Vec::new(), Vec::new());
    for (row, origin) in rows(group, tag::UTTERANCE_TEXT) {
        let Some(id) = row.text("message_id") else {
            continue;
        };
        let sender = senders.remove(&id);
        match utterance(ground, &row, sender.as_ref(), customer.as_ref(), id) {
            Ok(Some(message)) => said.push(message),
            Ok(None) => {}
            Err(reason) => refused.push((
                origin,
                RecordKind::Message,
                reason,
                serde_json::Value::Object(row.0).to_string(),
            )),
        }
    }
    // What files do not have any more the Conversation API may.
    for (row, origin) in rows(group, tag::ASKED_MESSAGE) {
        let Some(id) = row.text("message_id").filter(|id| !texts.contains_key(id)) else {
            continue;
        };
        let sender = senders.remove(&id);
        match told(ground, &row, sender.as_ref(), customer.as_ref(), id) {
            Ok(Some(message)) => said.push(message),
            Ok(None) => {}
            Err(reason) => refused.push((
                origin,
                RecordKind::Message,
                reason,
                serde_json::Value::Object(row.0).to_string(),
            )),
        }
    }
    // Texts are kept 32 days: what was purged before is told, not hidden (ASAPP reference, section 2.1).
    let purged = senders.keys().filter(|id| !texts.contains_key(*id)).count();
    if purged > 0 {
        meta.custom.insert(
            "purged_messages".to_owned(),
            CustomValue::Number(purged.to_string()),
        );
    }
    let first = said.iter().map(|said| said.at).min();
    let last = said.iter().map(|said| said.at).max();
    let start = [
        "conversation_start_ts",
        "customer_first_utterance_ts",
        "agent_first_utterance_ts",
        "first_event_ts",
    ];
    meta.created_at = start.iter().find_map(|column| state.time(column)).or(first);
    let ends = ["customer_last_utterance_ts", "agent_last_utterance_ts"];
    let quiet = ends
        .iter()
        .filter_map(|column| state.time(column))
        .chain(last)
        .max()
        .or(meta.created_at);
    let end = state.time("contact_journey_contact_end_ts");
    meta.updated_at = end.max(quiet);
    keep_rest(&mut meta.custom, &state, TAKEN);
    keep_metadata(&mut meta.custom, &asked);
    summaries(group, &state, &mut meta.custom);
    structured(group, ground.lookup, &mut meta.custom);
    for (row, _) in rows(group, tag::CONTACT_AGENT) {
        keep_rest(&mut meta.custom, &row, &["contact_id"]);
    }
    let over = end.is_some() || quiet.is_none_or(|quiet| quiet < ground.quiet_before);
    let made = row(group, &[tag::ASKED_INTENT])
        .map(|(row, _)| row)
        .unwrap_or_default();
    let intent = state
        .first(&["single_intent_intent_name", "first_intent_intent_name"])
        .or_else(|| made.first(&["intent_name", "intent_code"]));
    let segment = ground.segments.of(&|column| match column {
        "intent_code" => state
            .first(&["single_intent_intent_code", "first_intent_intent_code"])
            .or_else(|| made.text("intent_code"))
            .into_iter()
            .collect(),
        "intent_name" => intent.clone().into_iter().collect(),
        "company_segment" => state.list("conversation_metadata_company_segment"),
        "agent_routing_code"
        | "lob_id"
        | "lob_name"
        | "campaign"
        | "device_type"
        | "platform"
        | "company_subdivision"
        | "business_rule"
        | "entry_type"
        | "operating_system"
        | "browser_type"
        | "browser_version" => state
            .text(&format!("conversation_metadata_{column}"))
            .into_iter()
            .collect(),
        "group_id" | "group_name" => state
            .text(&format!("conversation_metadata_agent_{column}"))
            .into_iter()
            .collect(),
        _ => Vec::new(),
    });
    let words = said
        .iter()
        .filter(|said| said.direction == Direction::In)
        .min_by_key(|said| said.at);
    let conversation = Conversation {
        number: group.id.clone(),
        subject: subject(
            &intent
                .or_else(|| words.map(|said| said.text.clone()))
                .unwrap_or_default(),
        ),
        requester: customer,
        account: None,
        assignee: state
            .text("last_agent_id")
            .or_else(|| asked.text("agent_id"))
            .map(|id| person_key(tenant, RecordKind::Agent, Family::Services, &id)),
        team: None,
        channel: channel.clone(),
        status: if over {
            Named::new(StatusState::Closed, "ended")
        } else {
            Named::new(StatusState::Open, "open")
        },
        priority: None,
        kind: None,
        tags: state.list("autosummary_tags"),
        satisfaction: None,
        parent: None,
        merged_into: None,
        also_assigned: Vec::new(),
        also_teams: Vec::new(),
        segment,
        figures: Figures::default(),
        closed_at: if over { end.or(quiet) } else { None },
        meta,
    };
    Converted {
        messages: placed(tenant, &key, &channel, said),
        conversation,
        doubt: missing.then_some("no-state"),
        refused,
    }
}

/// Hourly rows of one conversation as one: the first times, the last times, any flag, the newest value of everything else
/// (ASAPP reference, section 7.1). Counts are left to the messages.
fn rolled_up(mut rows: Vec<Row>) -> Row {
    rows.sort_by_key(|row| (row.text("dt"), row.text("hr"), row.text("instance_ts")));
    let mut whole = Row::default();
    for row in rows {
        for (column, value) in row.0 {
            if value.is_null()
                || value
                    .as_str()
                    .is_some_and(|text| crate::wire::meant(text).is_none())
            {
                continue;
            }
            let keep_old = whole.0.get(&column).is_some_and(|old| {
                let (new_row, old_row) = (
                    Row([(column.clone(), value.clone())].into_iter().collect()),
                    Row([(column.clone(), old.clone())].into_iter().collect()),
                );
                let (new, old) = (new_row.time(&column), old_row.time(&column));
                if column.starts_with("is_") && column.ends_with("used") {
                    return old_row.truth(&column) == Some(true);
                }
                match (new, old) {
                    (Some(new), Some(old))
                        if column.contains("first") || column.contains("start") =>
                    {
                        old < new
                    }
                    (Some(new), Some(old)) => old > new,
                    _ => false,
                }
            });
            if !keep_old {
                whole.0.insert(column, value);
            }
        }
    }
    whole
        .0
        .retain(|column, _| !column.ends_with("_ct") && !column.ends_with("_sum"));
    whole
}

fn utterance(
    ground: &Ground<'_>,
    row: &Row,
    state: Option<&Row>,
    customer: Option<&deskferry_core::RecordKey>,
    id: String,
) -> Result<Option<Said>, String> {
    let at = row
        .time("chat_message_event_ts")
        .or_else(|| state.and_then(|state| state.time("chat_message_event_ts")))
        .or_else(|| row.time("instance_ts"))
        .ok_or("there is no time in chat_message_event_ts")?;
    let Some(text) = row.words("utterance") else {
        return Ok(None);
    };
    let word = state
        .and_then(|state| state.text("sender_type"))
        .unwrap_or_default()
        .to_ascii_uppercase();
    let sender = state.and_then(|state| state.text("sender_id"));
    Ok(Some(said(
        ground,
        state,
        customer,
        &word,
        sender,
        Words { id, at, text },
    )))
}

/// A message as the Conversation API has it: who said it stands in it, whether customers saw it does not.
fn told(
    ground: &Ground<'_>,
    row: &Row,
    state: Option<&Row>,
    customer: Option<&deskferry_core::RecordKey>,
    id: String,
) -> Result<Option<Said>, String> {
    let at = row
        .time("at")
        .ok_or("there is no time in clientTimestamp or createdTimestamp")?;
    let Some(text) = row.words("utterance") else {
        return Ok(None);
    };
    let column = |name| state.and_then(|state| state.text(name));
    let word = column("sender_type")
        .or_else(|| row.text("role"))
        .unwrap_or_default()
        .to_ascii_uppercase();
    let sender = column("sender_id").or_else(|| row.text("sender_id"));
    Ok(Some(said(
        ground,
        state,
        customer,
        &word,
        sender,
        Words { id, at, text },
    )))
}

/// What was said, and when.
struct Words {
    id: String,
    at: chrono::DateTime<chrono::Utc>,
    text: String,
}

/// Words by whoever said them: `word` is the sort of sender, in capitals.
fn said(
    ground: &Ground<'_>,
    state: Option<&Row>,
    customer: Option<&deskferry_core::RecordKey>,
    word: &str,
    sender: Option<String>,
    words: Words,
) -> Said {
    let (direction, author) = match word.strip_prefix("SENDER_").unwrap_or(word) {
        "CUSTOMER" => {
            let author = match customer {
                Some(key) => known(AuthorRole::Customer, key.clone()),
                None => nobody(AuthorRole::Customer, "Customer"),
            };
            (Direction::In, author)
        }
        "AGENT" => {
            let key =
                |id: String| person_key(ground.tenant, RecordKind::Agent, Family::Services, &id);
            let author = sender.map_or_else(
                || nobody(AuthorRole::Agent, "Agent"),
                |id| known(AuthorRole::Agent, key(id)),
            );
            (Direction::Out, author)
        }
        "BOT" => (Direction::Out, nobody(AuthorRole::System, "Bot")),
        // Nobody knows who may have seen it.
        _ => (Direction::Internal, nobody(AuthorRole::System, "System")),
    };
    let private = state
        .and_then(|state| state.number("private_message_ct"))
        .is_some_and(|count| count >= 1.0);
    Said {
        id: words.id,
        direction: if private {
            Direction::Internal
        } else {
            direction
        },
        author,
        at: words.at,
        text: words.text,
        call: None,
        custom: CustomValues::new(),
    }
}

/// What was sent along with a conversation.
fn keep_metadata(custom: &mut CustomValues, asked: &Row) {
    let metadata = asked
        .0
        .get("metadata")
        .and_then(serde_json::Value::as_object);
    let row = Row(metadata.cloned().unwrap_or_default());
    for column in row.0.keys() {
        if let Some(value) = row.custom(column) {
            custom.entry(format!("metadata_{column}")).or_insert(value);
        }
    }
    if let Some(value) = asked.custom("external_conversation_id") {
        custom
            .entry("external_conversation_id".to_owned())
            .or_insert(value);
    }
}

/// What an agent stood behind counts more than what was proposed (ASAPP reference, section 2.1).
pub(super) fn summaries(group: &Group, state: &Row, custom: &mut CustomValues) {
    let mut texts = BTreeMap::new();
    let mut edited: HashMap<String, String> = rows(group, tag::SUMMARY_FEEDBACK)
        .filter_map(|(row, _)| Some((row.text("summary_id")?, row.words("autosummary_feedback")?)))
        .collect();
    for (row, _) in rows(group, tag::SUMMARY) {
        let Some(id) = row.text("summary_id") else {
            continue;
        };
        if let Some(text) = edited
            .remove(&id)
            .or_else(|| row.words("autosummary_free_text"))
        {
            texts.insert((row.time("autosummary_free_text_ts"), id), text);
        }
    }
    let mut all: Vec<String> = texts.into_values().chain(edited.into_values()).collect();
    if all.is_empty() {
        all.extend(state.words("autosummary_text"));
    }
    match all.as_slice() {
        [] => {}
        [one] => {
            custom.insert("autosummary".to_owned(), CustomValue::Text(one.clone()));
        }
        _ => {
            custom.insert("autosummary".to_owned(), CustomValue::Choices(all));
        }
    }
}

/// The newest answer to each field, by its id: names change (ASAPP reference, section 10). Where agents differ, all are kept beside it.
pub(super) fn structured(group: &Group, lookup: &Lookup, custom: &mut CustomValues) {
    let mut newest: BTreeMap<String, (Option<chrono::DateTime<chrono::Utc>>, String)> =
        BTreeMap::new();
    let mut differ = false;
    for (row, _) in rows(group, tag::STRUCTURED) {
        let (Some(field), Some(value)) = (
            row.text("structured_data_field_id"),
            row.text("structured_data_field_value"),
        ) else {
            continue;
        };
        let at = row.time("structured_data_ts");
        match newest.get(&field) {
            Some((before, other)) => {
                differ |= *other != value;
                if *before < at {
                    newest.insert(field, (at, value));
                }
            }
            None => {
                newest.insert(field, (at, value));
            }
        }
    }
    for (field, (_, value)) in newest {
        if let Some(value) = lookup.structured(&field, &value) {
            custom.insert(field, value);
        }
    }
    if differ {
        keep_list(
            custom,
            "structured_data",
            rows(group, tag::STRUCTURED).map(|(row, _)| row),
        );
    }
}
