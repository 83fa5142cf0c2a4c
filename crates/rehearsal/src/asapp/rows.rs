//! Rows of the tables that a migration reads.

use chrono::{DateTime, Duration, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::holds::{
    DEVICE, ESCALATED, FIRST_REP, FIRST_RESPONSE, HANDLE, IN_QUEUE, INTENT, OUTCOMES, PLATFORM,
    SUBDIVISION, SUMMARY, TERMINATED, WRAP_UP, first_text, value,
};
use super::tree::Tree;
use super::{AsappOptions, CLAIMED_TWICE, WITHOUT_METADATA};
use crate::world::{Author, Conversation, Lists, Message, MessageKind, Rating};

/// A moment in one of the spellings that occur; several rows have several.
fn moment(at: DateTime<Utc>, number: u64) -> String {
    match number % 4 {
        0 => at.to_rfc3339_opts(SecondsFormat::Micros, false),
        1 => at.to_rfc3339_opts(SecondsFormat::Secs, true),
        2 => at.format("%Y-%m-%d %H:%M:%S").to_string(),
        _ => at.format("%Y-%m-%d %H:%M:%S%.6f+00:00").to_string(),
    }
}

/// An id as a number or a text.
fn id(id: u64, number: u64) -> Value {
    match number % 3 {
        0 => json!(id.to_string()),
        1 => json!(format!(" {id}")),
        _ => json!(id),
    }
}

/// Nothing, in one of its spellings.
fn nothing(number: u64) -> Value {
    match number % 3 {
        0 => Value::Null,
        1 => json!(""),
        _ => json!("NULL"),
    }
}

fn or_nothing(value: Option<Value>, number: u64) -> Value {
    value.unwrap_or_else(|| nothing(number))
}

/// The window that a row was computed for.
fn window(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:00:00+00:00").to_string()
}

/// Agents, queues, intents and what customers sent along: two snapshots, the older one with names that were changed since.
pub(super) fn dictionaries(tree: &mut Tree, lists: &Lists, options: &AsappOptions) {
    let company = &options.company;
    let newest = lists
        .people
        .iter()
        .map(|person| person.updated)
        .max()
        .unwrap_or_default();
    for (age, at) in [(1, newest - Duration::days(30)), (0, newest)] {
        let old = |name: &str| {
            if age == 1 {
                format!("{name} (old)")
            } else {
                name.to_owned()
            }
        };
        for person in lists.people.iter().filter(|person| person.role.is_staff()) {
            let left = (!person.enabled).then(|| json!(moment(person.updated, person.id)));
            tree.daily(
                "reps",
                at,
                &json!({
                    "rep_id": id(person.id, person.id),
                    "name": old(&person.name),
                    "crm_rep_id": format!("crm.{}", person.id),
                    "max_slot": 3,
                    "disabled_time": or_nothing(left, person.id),
                    "rep_status": "1",
                    "created_ts": moment(at, 2),
                    "company_name": company,
                }),
            );
            tree.daily(
                "rep_attributes",
                at,
                &json!({
                    "rep_attribute_id": person.id * 10 + age,
                    "rep_id": id(person.id, person.id + 1),
                    "attribute_name": "jobcode",
                    "attribute_value": old("AGENT-II"),
                    "created_ts": moment(at, 2),
                    "company_name": company,
                }),
            );
        }
        for team in &lists.teams {
            tree.row(
                "dim_queues",
                at,
                &json!({
                    "queue_key": team.id,
                    "queue_id": id(team.id, team.id),
                    "queue_name": old(&team.name),
                    "company_name": company,
                }),
            );
        }
        for kind in &lists.case_types {
            tree.daily("intents", at, &json!({
                "code": kind.kind, "name": old(&kind.label), "intent_type": "LEAF", "deleted_ts": nothing(kind.id), "company_name": company,
            }));
        }
    }
    for person in lists.people.iter().filter(|person| !person.role.is_staff()) {
        tree.daily(
            "customer_params",
            person.updated,
            &json!({
                "event_id": format!("event-{}", person.id),
                "event_ts": moment(person.updated, person.id),
                "issue_id": nothing(person.id),
                "customer_id": id(person.id, person.id),
                "params": format!("name:{};consent:yes", person.id),
                "param_key": "customer_name",
                "param_value": person.name,
                "instance_ts": window(person.updated),
                "company_name": company,
            }),
        );
    }
    tree.empty("transfers", newest);
    // A feed that no migration needs.
    tree.row(
        "knowledge_base",
        newest,
        &json!({"issue_id": 1, "article_id": 2, "company_name": company}),
    );
}

/// All rows of a conversation, as often as they were delivered.
pub(super) fn conversation(
    tree: &mut Tree,
    lists: &Lists,
    talk: &Conversation,
    options: &AsappOptions,
) {
    let n = talk.id;
    let end = talk.updated.max(talk.created);
    let middle = talk.created + (end - talk.created) / 2;
    let whole = metadata(lists, talk, options);
    // As it was at its begin: open, with nobody.
    let mut begun = whole.clone();
    begun["last_event_ts"] = json!(moment(talk.created, n));
    for (column, value) in [
        ("conversation_end_ts", nothing(n)),
        ("disposition_event_type", nothing(n + 1)),
        ("termination_event_type", nothing(n)),
        ("csat_rating", Value::Null),
        ("last_rep_id", nothing(n)),
        ("escalated_to_chat", json!(7)),
        ("ended_resolved", json!(0)),
    ] {
        begun[column] = value;
    }
    if end > talk.created {
        tree.row("convos_metadata", talk.created, &begun);
        // A late partition restates an older state: by its time it is not the latest.
        let mut late = begun.clone();
        late["last_event_ts"] = json!(moment(talk.created + (middle - talk.created) / 2, n));
        late["device_type"] = json!("watch");
        tree.row("convos_metadata", end + Duration::days(2), &late);
    }
    tree.row("convos_metadata", end, &whole);
    if talk.closed.is_some() {
        tree.row("convos_metadata_ended", end, &whole);
    }
    let mut wrong = whole.clone();
    wrong["last_event_ts"] = json!(moment(end + Duration::days(9), n));
    wrong["platform"] = json!("unfinished");
    if n.is_multiple_of(20) {
        tree.unfinished("convos_metadata", end, &wrong);
    }
    figures(tree, talk, options, end);
    tags(tree, talk, options, end);
    messages(tree, lists, talk, options);
    if let Some(into) = talk.merged_into {
        tree.row(
            "live_agent_opportunities",
            end,
            &json!({
                "issue_id": into,
                "customer_id": id(talk.requester, n),
                "opportunity_ts": moment(end, n),
                "merged_from_issue_id": id(n, n),
                "merged_ts": moment(end, n),
                "instance_ts": window(end),
                "company_name": options.company,
            }),
        );
    }
}

fn staff(lists: &Lists, id: u64) -> bool {
    lists
        .people
        .iter()
        .find(|person| person.id == id)
        .is_none_or(|person| person.role.is_staff())
}

fn metadata(lists: &Lists, talk: &Conversation, options: &AsappOptions) -> Value {
    let n = talk.id;
    let of_customer =
        |message: &&Message| matches!(message.author, Author::Person(id) if !staff(lists, id));
    let first = talk
        .messages
        .iter()
        .filter(of_customer)
        .min_by_key(|message| (message.sent, message.id));
    let team = talk
        .team
        .and_then(|id| lists.teams.iter().find(|team| team.id == id));
    let rating = talk.rating.map(|rating| {
        json!(match rating {
            Rating::Good => 500.0,
            Rating::Bad => 100.0,
        })
    });
    let outcome = usize::try_from(talk.status - 1)
        .ok()
        .and_then(|place| OUTCOMES.get(place));
    let flag = |word: &str| json!(u8::from(talk.closed.is_some() && outcome == Some(&word)));
    let mut row = json!({
        "issue_id": id(n, n + 1),
        "conversation_id": n,
        "customer_id": id(talk.requester, n),
        "issue_created_ts": moment(talk.created, n),
        "first_utterance_ts": or_nothing(first.map(|message| json!(moment(message.sent, n))), n),
        "first_utterance_text": or_nothing(first.map(|message| json!(first_text(message.text.as_deref().unwrap_or("")))), n),
        "last_event_ts": moment(talk.updated.max(talk.created), n + 1),
        "conversation_end_ts": or_nothing(talk.closed.map(|at| json!(moment(at, n + 2))), n),
        "platform": value(talk, PLATFORM),
        "device_type": value(talk, DEVICE),
        "escalated_to_chat": value(talk, ESCALATED).and_then(|text| text.parse::<u64>().ok()),
        "first_rep_id": or_nothing(value(talk, FIRST_REP).map(|rep| json!(rep)), n),
        "last_rep_id": or_nothing(talk.assignee.map(|rep| id(rep, n)), n),
        "issue_queue_id": or_nothing(talk.team.map(|team| json!(team.to_string())), n),
        "issue_queue_name": or_nothing(team.map(|team| json!(team.name)), n),
        "disposition_event_type": or_nothing(talk.closed.and(outcome).map(|word| json!(word)), n),
        "termination_event_type": or_nothing(value(talk, TERMINATED).map(|word| json!(word)), n),
        "ended_resolved": flag("resolved"),
        "ended_unresolved": flag("unresolved"),
        "ended_timeout": flag("timeout"),
        "csat_rating": rating,
        "external_user_id": format!("hash-{}", talk.requester),
        "company_subdivision": value(talk, SUBDIVISION),
        "company_name": options.company,
    });
    if n.is_multiple_of(7)
        && let Some(row) = row.as_object_mut()
    {
        // Null and missing mean the same.
        row.retain(|_, value| !value.is_null());
    }
    row
}

fn figures(tree: &mut Tree, talk: &Conversation, options: &AsappOptions, end: DateTime<Utc>) {
    let n = talk.id;
    let number = |field| value(talk, field).and_then(|text| text.parse::<f64>().ok());
    let metrics = |share: f64| {
        json!({
            "issue_id": id(n, n),
            "customer_id": id(talk.requester, n + 1),
            "time_in_queue": number(IN_QUEUE).map(|seconds| seconds * share),
            "total_handle_time": number(HANDLE).map(|seconds| seconds * share),
            "total_wrap_up_time": number(WRAP_UP).map(|seconds| seconds * share),
            "total_seconds_to_first_rep_response": number(FIRST_RESPONSE),
            "company_name": options.company,
        })
    };
    // Without a time of its own the later partition counts.
    if end - talk.created > Duration::hours(1) {
        tree.row("convos_metrics", talk.created, &metrics(0.5));
    }
    tree.row("convos_metrics", end, &metrics(1.0));
    if let Some(rep) = talk.assignee {
        let assignment = |said: DateTime<Utc>, share: f64| {
            json!({
                "issue_id": id(n, n + 2),
                "rep_id": id(rep, n + 1),
                "issue_assigned_ts": moment(talk.created, 2),
                "client_mode": if super::holds::is_call(talk) { "VOICE" } else { "CHAT" },
                "disposition_event_type": "rep",
                "handle_time_seconds": number(HANDLE).map(|seconds| seconds * share),
                "wrap_up_time_seconds": number(WRAP_UP).map(|seconds| (seconds * share).to_string()),
                "first_response_seconds": number(FIRST_RESPONSE),
                "instance_ts": window(said),
                "company_name": options.company,
            })
        };
        // The later window counts, whenever it was delivered.
        tree.row(
            "rep_convos",
            talk.created + Duration::days(1),
            &assignment(talk.created, 0.5),
        );
        tree.row(
            "rep_convos",
            talk.created + Duration::hours(2),
            &assignment(talk.created + Duration::hours(1), 1.0),
        );
    }
    if let Some(intent) = value(talk, INTENT) {
        tree.row(
            "convos_intents",
            end,
            &json!({
                "issue_id": n.to_string(),
                "final_intent_code": intent,
                "company_name": options.company,
            }),
        );
    }
    if let (Some(summary), Some(rep)) = (value(talk, SUMMARY), talk.assignee) {
        tree.row(
            "rep_assignment_disposition",
            end,
            &json!({
                "issue_id": n,
                "rep_id": id(rep, n),
                "rep_assigned_ts": moment(talk.created, n),
                "auto_summary_txt": summary,
                "disposition_notes_txt": nothing(n),
                "selected_tags": "[]",
                "company_name": options.company,
            }),
        );
    }
    if let Some(team) = talk.team {
        tree.row(
            "issue_queues",
            end,
            &json!({
                "issue_id": n,
                "queue_id": team.to_string(),
                "enter_queue_ts": moment(talk.created, n),
                "enqueue_time": number(IN_QUEUE),
                "instance_ts": window(end),
                "company_name": options.company,
            }),
        );
    }
}

fn tags(tree: &mut Tree, talk: &Conversation, options: &AsappOptions, end: DateTime<Utc>) {
    for tag in &talk.tags {
        // Offered at first, chosen later.
        for (at, chosen) in [(talk.created, "false"), (end, "TRUE")] {
            if at < end || chosen == "TRUE" {
                tree.row(
                    "convos_summary_tags",
                    at,
                    &json!({
                        "issue_id": id(talk.id, talk.id),
                        "summary_tag_presented": tag.name,
                        "summary_tag_selected_bool": chosen,
                        "instance_ts": window(at),
                        "company_name": options.company,
                    }),
                );
            }
        }
    }
    tree.row(
        "convos_summary_tags",
        end,
        &json!({
            "issue_id": talk.id,
            "summary_tag_presented": "(never)-(chosen)",
            "summary_tag_selected_bool": false,
            "instance_ts": window(end),
            "company_name": options.company,
        }),
    );
}

fn messages(tree: &mut Tree, lists: &Lists, talk: &Conversation, options: &AsappOptions) {
    for message in &talk.messages {
        let (sender, sender_id) = match message.author {
            Author::Person(id) if matches!(message.kind, MessageKind::Note { .. }) => (
                ["rep_note", "rep_whisper"][(message.id % 2) as usize],
                Some(id),
            ),
            Author::Person(id) if staff(lists, id) => ("rep", Some(id)),
            Author::Person(id) => ("customer", Some(id)),
            _ => ("bot", None),
        };
        // Rows from before the column of unique ids are told apart by time and sender.
        let alone = talk
            .messages
            .iter()
            .filter(|other| other.sent == message.sent && other.author == message.author)
            .count()
            == 1;
        let unique = (!alone || message.id % 5 != 0)
            .then(|| json!(format!("00000000-0000-4000-8000-{:012x}", message.id)));
        let mut row = json!({
            "issue_id": id(talk.id, message.id),
            "created_ts": moment(message.sent, message.id),
            "sender_id": or_nothing(sender_id.map(|sender| id(sender, message.id)), 0),
            "sender_type": sender,
            "utterance": message.text,
            "sent_to_rep": message.incoming,
            "utterance_start_ts": nothing(message.id + 2),
            "utterance_end_ts": nothing(message.id),
            "event_uuid": or_nothing(unique, 0),
            "instance_ts": window(message.sent),
            "company_name": options.company,
            "company_subdivision": value(talk, SUBDIVISION),
        });
        if message.id % 3 == 0 {
            // Delivered twice: the later window has the words as they were masked in the end.
            let mut early = row.clone();
            early["utterance"] = json!("my number is 12345");
            tree.row("utterances", message.sent, &early);
            row["instance_ts"] = json!(window(message.sent + Duration::hours(1)));
            tree.row("utterances", message.sent + Duration::hours(1), &row);
        } else {
            tree.row("utterances", message.sent, &row);
        }
    }
}

/// What must not happen but does.
pub(super) fn hostile(tree: &mut Tree, options: &AsappOptions) {
    let at = DateTime::UNIX_EPOCH + Duration::days(18_900);
    for line in ["{\"issue_id\":", "[1,2]", "{\"sender_id\":7}", "\u{0}"] {
        tree.raw("utterances", at, line);
    }
    // A column that changed its type.
    tree.row("utterances", at, &json!({
        "issue_id": WITHOUT_METADATA, "created_ts": moment(at, 0), "sender_id": null, "sender_type": {"name": "customer"},
        "utterance": "Is anybody there?", "event_uuid": "00000000-0000-4000-8000-ffffffffffff", "instance_ts": window(at),
        "company_name": options.company,
    }));
    for (day, customer) in [(0, 1_001), (40, 1_002)] {
        let begun = at + Duration::days(day);
        tree.row("convos_metadata", begun, &json!({
            "issue_id": CLAIMED_TWICE, "customer_id": customer, "issue_created_ts": moment(begun, 0),
            "last_event_ts": moment(begun, 0), "platform": "web", "company_name": options.company,
        }));
    }
}
