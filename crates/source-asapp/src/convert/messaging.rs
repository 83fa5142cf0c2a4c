//! An issue of the messaging product.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use deskferry_core::RecordKind;
use deskferry_core::model::{
    AuthorRole, Call, Conversation, CustomValue, CustomValues, Direction, Figures, Meta, Named,
    Satisfaction, StatusState,
};

use super::services::{structured, summaries};
use super::{
    Converted, Ground, Said, channel, keep_list, keep_rest, known, nobody, person_key, placed, row,
    rows, subject,
};
use crate::reduce::Group;
use crate::tables::{Family, tag};
use crate::wire::{Row, list};

/// Columns that the model has fields for.
const TAKEN: &[&str] = &[
    "issue_created_ts",
    "conversation_end_ts",
    "last_event_ts",
    "customer_id",
    "last_rep_id",
    "platform",
    "issue_queue_id",
    "issue_queue_name",
    "csat_rating",
    "disposition_event_type",
    "disposition_notes",
    // They say what messages and the status say.
    "first_utterance_ts",
    "first_utterance_text",
    "ended_resolved",
    "ended_unresolved",
    "ended_timeout",
    "ended_auto",
    "ended_other",
];

pub(super) fn conversation(ground: &Ground<'_>, group: &Group) -> Converted {
    let tenant = ground.tenant;
    let key = tenant.key(RecordKind::Conversation, &group.id);
    // The tables whose names end in `_ended` drop open issues: they only stand in (ASAPP reference, section 10).
    let found = row(group, &[tag::METADATA, tag::METADATA_ENDED]);
    let claimed_twice = found.as_ref().is_some_and(|(_, twice)| *twice);
    let missing = found.is_none();
    let master = found.map(|(row, _)| row).unwrap_or_default();
    let metrics = row(group, &[tag::METRICS, tag::METRICS_ENDED])
        .map(|(row, _)| row)
        .unwrap_or_default();
    let intents = row(group, &[tag::INTENTS_OF, tag::INTENTS_OF_ENDED])
        .map(|(row, _)| row)
        .unwrap_or_default();
    let voice_intent = row(group, &[tag::VOICE_INTENT])
        .map(|(row, _)| row)
        .unwrap_or_default();
    let made = row(group, &[tag::ASKED_INTENT])
        .map(|(row, _)| row)
        .unwrap_or_default();
    let convos: Vec<Row> = rows(group, tag::REP_CONVO).map(|(row, _)| row).collect();

    let is_voice = master.text("desk_mode_flag").is_some()
        || convos.iter().any(|row| {
            row.text("client_mode")
                .is_some_and(|mode| mode.eq_ignore_ascii_case("voice"))
        });
    let mut meta = Meta::new(key.clone());
    let platform = master.text("platform").or_else(|| metrics.text("platform"));
    let channel = channel(platform, is_voice, &mut meta.custom);
    let customer = master
        .text("customer_id")
        .or_else(|| metrics.text("customer_id"))
        .or_else(|| rows(group, tag::EVENT).find_map(|(row, _)| row.text("customer_id")))
        .map(|id| person_key(tenant, RecordKind::Contact, Family::Messaging, &id));
    let end = master.time("conversation_end_ts");
    let (mut said, mut refused) = (Vec::new(), Vec::new());
    for (row, origin) in rows(group, tag::UTTERANCE) {
        match utterance(ground, group, &row, customer.as_ref()) {
            Ok(Some(message)) => said.push(message),
            Ok(None) => {}
            Err(reason) => refused.push((origin, RecordKind::Message, reason, row_text(&row))),
        }
    }
    let first = said.iter().map(|said| said.at).min();
    let last = said.iter().map(|said| said.at).max();
    let begun = master
        .time("issue_created_ts")
        .or_else(|| master.time("first_utterance_ts"))
        .or_else(|| rows(group, tag::EVENT).find_map(|(row, _)| row.time("issue_start_ts")))
        .or(first);
    let changed = master.time("last_event_ts").or(end).or(last).or(begun);
    notes(ground, group, &master, end.or(changed), &mut said);
    said.extend(convos.iter().filter_map(|row| call(ground, group, row)));

    meta.created_at = begun;
    meta.updated_at = changed;
    custom(
        group,
        &master,
        [&metrics, &intents, &voice_intent],
        &mut meta.custom,
    );
    // What the AutoSummary API made of an issue.
    summaries(group, &Row::default(), &mut meta.custom);
    structured(group, ground.lookup, &mut meta.custom);
    let queue = master
        .text("issue_queue_id")
        .map(|id| tenant.key(RecordKind::Team, id));
    let intent = intents
        .text("final_intent_code")
        .or_else(|| intents.text("first_intent_code"))
        .and_then(|code| ground.lookup.intents.get(&code).cloned())
        .or_else(|| voice_intent.text("voice_intent_name"))
        .or_else(|| made.first(&["intent_name", "intent_code"]));
    let words = master
        .text("first_utterance_text")
        .or_else(|| intents.text("first_utterance_text"))
        .or_else(|| first_words(&said));
    let merged = row(group, &[tag::MERGED]).and_then(|(row, _)| row.text("into"));
    // A cold transfer makes a new issue of the same call: it hangs below the first one (ASAPP reference, section 3.5).
    let parent = row(group, &[tag::SESSION_MERGE])
        .and_then(|(row, _)| row.text("first_issue_id"))
        .filter(|first| *first != group.id && merged.is_none());
    let segment = ground.segments.of(&|column| {
        let value = match column {
            "intent_code" => intents
                .text("final_intent_code")
                .or_else(|| made.text("intent_code")),
            "intent_name" => intent.clone(),
            column => master.text(column),
        };
        value.into_iter().collect()
    });
    let conversation = Conversation {
        meta,
        number: group.id.clone(),
        subject: subject(&intent.or(words).unwrap_or_default()),
        requester: customer,
        account: None,
        assignee: master
            .text("last_rep_id")
            .map(|id| person_key(tenant, RecordKind::Agent, Family::Messaging, &id)),
        team: queue,
        channel: channel.clone(),
        status: status(&master, end),
        priority: None,
        kind: None,
        tags: tags(group),
        satisfaction: satisfaction(group, &master),
        parent: parent.map(|id| tenant.key(RecordKind::Conversation, id)),
        also_assigned: Vec::new(),
        also_teams: Vec::new(),
        segment,
        figures: figures(&metrics),
        merged_into: merged.map(|id| tenant.key(RecordKind::Conversation, id)),
        closed_at: end,
    };
    Converted {
        messages: placed(tenant, &key, &channel, said),
        conversation,
        doubt: match (missing, claimed_twice) {
            (true, _) if group.rows.iter().all(|row| row.tag == tag::EVENT) => {
                Some("only-in-events")
            }
            (true, _) => Some("no-metadata"),
            (_, true) => Some("two-claim-one-id"),
            _ => None,
        },
        refused,
    }
}

fn row_text(row: &Row) -> String {
    serde_json::Value::Object(row.0.clone()).to_string()
}

fn first_words(said: &[Said]) -> Option<String> {
    let of_customer = said.iter().filter(|said| said.direction == Direction::In);
    of_customer
        .min_by_key(|said| said.at)
        .map(|said| said.text.clone())
}

/// A message; nothing for one without words.
fn utterance(
    ground: &Ground<'_>,
    group: &Group,
    row: &Row,
    customer: Option<&deskferry_core::RecordKey>,
) -> Result<Option<Said>, String> {
    let sent = row.time("created_ts");
    let at = row
        .time("utterance_start_ts")
        .or(sent)
        .ok_or("there is no time in created_ts")?;
    let sender = row.text("sender_id");
    let id = row.text("event_uuid").unwrap_or_else(|| {
        let at = sent.unwrap_or(at).timestamp_micros();
        format!("{}-{at}-{}", group.id, sender.as_deref().unwrap_or("0"))
    });
    let Some(text) = row.words("utterance") else {
        return Ok(None);
    };
    let agent = |id: String| {
        known(
            AuthorRole::Agent,
            person_key(ground.tenant, RecordKind::Agent, Family::Messaging, &id),
        )
    };
    let kind = row
        .text("sender_type")
        .unwrap_or_default()
        .to_ascii_lowercase();
    let (direction, author) = match kind.as_str() {
        "customer" => {
            let author = match customer {
                Some(key) => known(AuthorRole::Customer, key.clone()),
                None => nobody(AuthorRole::Customer, "Customer"),
            };
            (Direction::In, author)
        }
        "rep" => (
            Direction::Out,
            sender.map_or_else(|| nobody(AuthorRole::Agent, "Agent"), agent),
        ),
        "bot" => (Direction::Out, nobody(AuthorRole::System, "Bot")),
        // What is said among agents stays there, and so does what nobody knows (ASAPP reference, section 3.4).
        "rep_note" | "rep_whisper" => (
            Direction::Internal,
            sender.map_or_else(|| nobody(AuthorRole::Agent, "Agent"), agent),
        ),
        other => (Direction::Internal, nobody(AuthorRole::System, other)),
    };
    let mut custom = CustomValues::new();
    keep_rest(
        &mut custom,
        row,
        &[
            "created_ts",
            "sender_id",
            "sender_type",
            "utterance",
            "event_uuid",
            "company_subdivision",
            "company_segments",
            "utterance_start_ts",
            "sent_to_rep",
        ],
    );
    Ok(Some(Said {
        id,
        direction,
        author,
        at,
        text,
        call: None,
        custom,
    }))
}

/// Notes that stand in other tables than the messages, each text once.
fn notes(
    ground: &Ground<'_>,
    group: &Group,
    master: &Row,
    at: Option<DateTime<Utc>>,
    said: &mut Vec<Said>,
) {
    let mut seen: HashSet<String> = said
        .iter()
        .filter(|said| said.direction == Direction::Internal)
        .map(|said| said.text.clone())
        .collect();
    let of_master = master.words("disposition_notes").map(|text| {
        (
            text,
            master.text("last_rep_id"),
            master.time("disposition_ts"),
        )
    });
    let of_tags = rows(group, tag::SUMMARY_TAGS).filter_map(|(row, _)| {
        Some((
            row.words("disposition_notes")?,
            row.text("rep_id"),
            row.time("disposition_ts"),
        ))
    });
    let of_assignments = rows(group, tag::DISPOSITION).filter_map(|(row, _)| {
        Some((
            row.words("disposition_notes_txt")?,
            row.text("rep_id"),
            None,
        ))
    });
    let all: Vec<_> = of_master
        .into_iter()
        .chain(of_assignments)
        .chain(of_tags)
        .collect();
    for (text, rep, when) in all {
        let Some(at) = when.or(at) else { continue };
        if !seen.insert(text.clone()) {
            continue;
        }
        let author = match rep {
            Some(rep) => known(
                AuthorRole::Agent,
                person_key(ground.tenant, RecordKind::Agent, Family::Messaging, &rep),
            ),
            None => nobody(AuthorRole::Agent, "Agent"),
        };
        // The text is the only thing that tells two notes of one conversation apart.
        let hash = blake3::hash(text.as_bytes()).to_hex();
        said.push(Said {
            id: format!("{}-note-{}", group.id, &hash[..16]),
            direction: Direction::Internal,
            author,
            at,
            text,
            call: None,
            custom: CustomValues::new(),
        });
    }
}

/// A telephone call: one agent's part of an issue (ASAPP reference, section 8). Recordings are told by the customer's file alone.
fn call(ground: &Ground<'_>, group: &Group, row: &Row) -> Option<Said> {
    row.text("client_mode")
        .filter(|mode| mode.eq_ignore_ascii_case("voice"))?;
    let at = row.time("issue_assigned_ts")?;
    let rep = row.text("rep_id");
    let seconds = row.number("handle_time_seconds").map(|handle| {
        (handle - row.number("wrap_up_time_seconds").unwrap_or(0.0))
            .max(0.0)
            .round() as u64
    });
    let recordings = ground.recordings.all("issue_id", &group.id);
    let theirs = recordings
        .iter()
        .find(|found| found.text("rep_id").is_some() && found.text("rep_id") == rep);
    let any = recordings
        .iter()
        .find(|found| found.text("rep_id").is_none());
    let author = match rep.clone() {
        Some(rep) => known(
            AuthorRole::Agent,
            person_key(ground.tenant, RecordKind::Agent, Family::Messaging, &rep),
        ),
        None => nobody(AuthorRole::Agent, "Agent"),
    };
    Some(Said {
        id: format!(
            "{}-call-{}-{}",
            group.id,
            rep.unwrap_or_default(),
            at.timestamp_micros()
        ),
        // Nothing says who dialled: calls come in to the desk.
        direction: Direction::In,
        author,
        at,
        text: String::new(),
        call: Some(Call {
            seconds,
            disposition: row.text("disposition_event_type"),
            from: None,
            to: None,
            recording: theirs.or(any).and_then(|found| found.text("url")),
        }),
        custom: CustomValues::new(),
    })
}

/// Times that the source reckons itself.
fn figures(metrics: &Row) -> Figures {
    let seconds = |column: &str| {
        metrics
            .number(column)
            .filter(|seconds| *seconds >= 0.0)
            .map(|seconds| seconds.round() as u64)
    };
    Figures {
        first_response_seconds: seconds("total_seconds_to_first_rep_response"),
        wait_seconds: seconds("time_in_queue"),
        handle_seconds: seconds("total_handle_time"),
        wrap_up_seconds: seconds("total_wrap_up_time"),
        ..Figures::default()
    }
}

/// What the model has no field for.
fn custom(group: &Group, master: &Row, others: [&Row; 3], custom: &mut CustomValues) {
    keep_rest(custom, master, TAKEN);
    for row in others {
        keep_rest(custom, row, TAKEN);
    }
    for mark in [tag::ISSUE_TYPE, tag::ENTRY, tag::OMNICHANNEL, tag::GENAGENT] {
        for (row, _) in rows(group, mark) {
            keep_rest(custom, &row, TAKEN);
        }
    }
    for (row, _) in rows(group, tag::SENTIMENT) {
        // -1000 stands for no score (ASAPP reference, section 3.5).
        if let Some(score) = row.number("score").filter(|score| *score > -1000.0) {
            custom.insert(
                "sentiment_score".to_owned(),
                CustomValue::Number(score.to_string()),
            );
        }
    }
    for (row, _) in rows(group, tag::PARAM_OF_ISSUE) {
        if let (Some(key), Some(value)) = (row.text("param_key"), row.text("param_value")) {
            custom.insert(format!("param_{key}"), CustomValue::Text(value));
        }
    }
    let summaries: Vec<String> = rows(group, tag::DISPOSITION)
        .filter_map(|(row, _)| row.words("auto_summary_txt"))
        .collect();
    match summaries.as_slice() {
        [] => {}
        [one] => {
            custom.insert(
                "auto_summary_txt".to_owned(),
                CustomValue::Text(one.clone()),
            );
        }
        _ => {
            custom.insert(
                "auto_summary_txt".to_owned(),
                CustomValue::Choices(summaries),
            );
        }
    }
    events(group, custom);
    for (name, mark) in [
        ("assignments", tag::REP_CONVO),
        ("queue_visits", tag::QUEUE_VISIT),
        ("transfers", tag::TRANSFER),
        ("survey", tag::FEEDBACK),
    ] {
        keep_list(custom, name, rows(group, mark).map(|(row, _)| row));
    }
}

/// What only real-time events tell: files that were uploaded (by name, nothing more), fields of the disposition, and the last summary. An
/// event carries what was known by then, and the newest value counts.
fn events(group: &Group, custom: &mut CustomValues) {
    let mut all: Vec<Row> = rows(group, tag::EVENT).map(|(row, _)| row).collect();
    all.sort_by_key(|row| (row.time("event_time"), row.time("create_time")));
    for (column, name) in [
        ("uploaded_files_list", "uploaded_files"),
        ("disposition_fields", "disposition_fields"),
        ("last_assignment_summary_text", "auto_summary_txt"),
    ] {
        let newest = all.iter().rev().find_map(|row| row.custom(column));
        if let Some(value) = newest.filter(|_| !custom.contains_key(name)) {
            custom.insert(name.to_owned(), value);
        }
    }
}

/// An issue ends by `conversation_end_ts` alone; the raw word says how (ASAPP reference, section 8).
fn status(master: &Row, end: Option<DateTime<Utc>>) -> Named<StatusState> {
    if end.is_none() {
        return Named::new(StatusState::Open, "open");
    }
    let flagged = || {
        let flags = [
            ("ended_resolved", "resolved"),
            ("ended_unresolved", "unresolved"),
            ("ended_timeout", "timeout"),
            ("ended_auto", "auto"),
        ];
        let set = flags
            .into_iter()
            .find(|(column, _)| master.truth(column) == Some(true));
        set.map(|(_, word)| word.to_owned())
    };
    let outcome = master.text("disposition_event_type").or_else(flagged);
    Named::new(
        StatusState::Closed,
        outcome.unwrap_or_else(|| "ended".to_owned()),
    )
}

/// Tags that somebody chose; those that were only offered do not count (ASAPP reference, section 3.4).
fn tags(group: &Group) -> Vec<String> {
    let mut tags: Vec<String> = rows(group, tag::SUMMARY_TAGS)
        .filter(|(row, _)| row.truth("summary_tag_selected_bool") == Some(true))
        .filter_map(|(row, _)| row.text("summary_tag_presented"))
        .collect();
    for (row, _) in rows(group, tag::DISPOSITION) {
        tags.extend(row.text("selected_tags").iter().flat_map(|text| list(text)));
    }
    let mut seen = HashSet::new();
    tags.retain(|tag| seen.insert(tag.clone()));
    tags
}

/// The raw rating: its scale is not documented (ASAPP reference, section 10). The survey is kept beside it.
fn satisfaction(group: &Group, master: &Row) -> Option<Satisfaction> {
    let answer = |category: &str| {
        rows(group, tag::FEEDBACK)
            .find(|(row, _)| {
                row.text("question_category")
                    .is_some_and(|is| is.eq_ignore_ascii_case(category))
            })
            .and_then(|(row, _)| row.words("answer"))
    };
    let raw = master.text("csat_rating").or_else(|| answer("rating"))?;
    let score = raw.parse::<f64>().is_ok().then(|| raw.clone());
    Some(Satisfaction {
        raw,
        comment: answer("comment"),
        score,
        at: None,
    })
}
