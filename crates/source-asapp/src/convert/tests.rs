use std::borrow::Cow;

use chrono::TimeZone as _;
use deskferry_core::model::StatusState;
use serde_json::{Value, json};

use super::*;
use crate::reduce::Reduced;
use crate::tables::tag;

const SENT: &str = "2026-02-03T14:05:00+00:00";

fn group(family: Family, id: &str, rows: &[(u8, Value)]) -> Group {
    let rows = rows.iter().map(|(tag, row)| Reduced {
        tag: *tag,
        origin: Origin::default(),
        claimed_twice: false,
        line: row.to_string().into_bytes(),
    });
    Group {
        key: Vec::new(),
        family,
        id: id.to_owned(),
        rows: rows.collect(),
    }
}

fn at(text: &str) -> DateTime<Utc> {
    crate::wire::moment(text).unwrap()
}

/// Converts with a dictionary of one intent and no tables of the customer's.
fn convert(family: Family, rows: &[(u8, Value)]) -> Converted {
    convert_with(family, rows, &Side::default(), &Segments::default())
}

fn convert_with(
    family: Family,
    rows: &[(u8, Value)],
    recordings: &Side,
    segments: &Segments,
) -> Converted {
    let intents = [("PAYBILL".to_owned(), "Pay a bill".to_owned())];
    let lookup = Lookup {
        intents: intents.into_iter().collect(),
        ..Lookup::default()
    };
    let tenant = Tenant::new("asapp", "acme");
    let nobody = Side::default();
    let ground = Ground {
        tenant: &tenant,
        lookup: &lookup,
        customers: &nobody,
        agents: &nobody,
        recordings,
        segments,
        quiet_before: Utc.with_ymd_and_hms(2026, 3, 1, 0, 0, 0).unwrap(),
    };
    conversation(&ground, &group(family, "7", rows))
}

fn said(converted: &Converted) -> Vec<(Direction, AuthorRole, &str)> {
    let each = |message: &'_ Message| (message.direction, message.author.role);
    converted
        .messages
        .iter()
        .map(|message| {
            let (direction, role) = each(message);
            (direction, role, message.body.text.as_deref().unwrap_or(""))
        })
        .collect()
}

fn utterance(sender: &str, text: &str, second: u32) -> (u8, Value) {
    let row = json!({
        "issue_id": 7, "created_ts": format!("2026-02-03T14:05:{second:02}.417000+00:00"), "sender_id": 60001, "sender_type": sender,
        "utterance": text, "event_uuid": format!("u-{second}"),
    });
    (tag::UTTERANCE, row)
}

#[test]
fn what_is_said_among_agents_is_internal_for_ever_and_so_is_what_nobody_knows() {
    let converted = convert(
        Family::Messaging,
        &[
            (
                tag::METADATA,
                json!({"issue_id": 7, "customer_id": 9, "issue_created_ts": SENT}),
            ),
            utterance("rep_whisper", "careful", 4),
            utterance("customer", "hello", 1),
            utterance("bot", "one moment", 2),
            utterance("rep", "hi", 3),
            utterance("rep_note", "is angry", 5),
            utterance("oracle", "?", 6),
        ],
    );
    let expected = [
        (Direction::In, AuthorRole::Customer, "hello"),
        (Direction::Out, AuthorRole::System, "one moment"),
        (Direction::Out, AuthorRole::Agent, "hi"),
        (Direction::Internal, AuthorRole::Agent, "careful"),
        (Direction::Internal, AuthorRole::Agent, "is angry"),
        (Direction::Internal, AuthorRole::System, "?"),
    ];
    assert_eq!(said(&converted), expected);
    let key = converted.messages[0].author.key.as_ref().unwrap();
    assert_eq!(key.to_string(), "asapp:acme:contact:9");
}

#[test]
fn an_issue_is_what_its_tables_say_together() {
    let converted = convert(
        Family::Messaging,
        &[
            (
                tag::METADATA,
                json!({
                    "issue_id": 7, "customer_id": "9", "issue_created_ts": "2026-02-03 14:01:07", "last_event_ts": "2026-02-03 14:22:41",
                    "conversation_end_ts": "2026-02-03T14:22:40Z", "platform": "applebiz", "last_rep_id": 60001, "issue_queue_id": "20001",
                    "disposition_event_type": "resolved", "csat_rating": 400.0, "device_type": "NULL", "language_code": "English",
                    "disposition_notes": "will call back", "conversation_id": 7, "company_name": "acme",
                }),
            ),
            (
                tag::METRICS,
                json!({"issue_id": 7, "time_in_queue": 12.4, "total_handle_time": "300", "total_wrap_up_time": null}),
            ),
            (
                tag::INTENTS_OF,
                json!({"issue_id": "7", "final_intent_code": "PAYBILL"}),
            ),
            (
                tag::SUMMARY_TAGS,
                json!({"issue_id": 7, "summary_tag_presented": "(a)-(b)", "summary_tag_selected_bool": "TRUE"}),
            ),
            (
                tag::SUMMARY_TAGS,
                json!({"issue_id": 7, "summary_tag_presented": "(c)", "summary_tag_selected_bool": 0}),
            ),
            (tag::MERGED, json!({"into": "8"})),
            (tag::SENTIMENT, json!({"issue_id": 7, "score": -1000.0})),
            (
                tag::FEEDBACK,
                json!({"issue_id": 7, "question_category": "comment", "answer": "Fine, thanks", "ordering": 1}),
            ),
        ],
    );
    let found = &converted.conversation;
    assert_eq!(
        (found.subject.as_str(), found.number.as_str()),
        ("Pay a bill", "7")
    );
    assert_eq!(
        (found.channel.is, found.channel.raw.as_str()),
        (ChannelKind::Apple, "applebiz")
    );
    assert_eq!(
        (found.status.is, found.status.raw.as_str()),
        (StatusState::Closed, "resolved")
    );
    assert_eq!(found.tags, ["(a)-(b)"]);
    assert_eq!(found.closed_at, Some(at("2026-02-03T14:22:40Z")));
    let key = |key: &Option<RecordKey>| key.as_ref().map(ToString::to_string);
    assert_eq!(key(&found.team).as_deref(), Some("asapp:acme:team:20001"));
    assert_eq!(
        key(&found.merged_into).as_deref(),
        Some("asapp:acme:conversation:8")
    );
    let rating = found.satisfaction.as_ref().unwrap();
    assert_eq!(
        (rating.raw.as_str(), rating.comment.as_deref()),
        ("400", Some("Fine, thanks"))
    );
    assert_eq!(
        (found.figures.wait_seconds, found.figures.handle_seconds),
        (Some(12), Some(300))
    );
    let kept: Vec<_> = found.meta.custom.keys().map(String::as_str).collect();
    assert_eq!(
        kept,
        [
            "final_intent_code",
            "language_code",
            "platform",
            "survey",
            "time_in_queue",
            "total_handle_time"
        ]
    );
    // The note of the disposition is a message of its own, and internal.
    assert_eq!(
        said(&converted),
        [(Direction::Internal, AuthorRole::Agent, "will call back")]
    );
    assert_eq!(converted.doubt, None);
}

#[test]
fn messages_without_metadata_and_two_claims_to_one_id_are_for_people_to_decide() {
    let orphan = convert(Family::Messaging, &[utterance("customer", "anybody?", 1)]);
    assert_eq!(
        (orphan.doubt, orphan.messages.len()),
        (Some("no-metadata"), 1)
    );
    assert_eq!(orphan.conversation.subject, "anybody?");
    let state = convert(
        Family::Services,
        &[(
            tag::SUMMARY,
            json!({"summary_id": "s", "autosummary_free_text": "x"}),
        )],
    );
    assert_eq!(state.doubt, Some("no-state"));
}

#[test]
fn a_message_without_a_time_is_refused_with_its_row() {
    let converted = convert(
        Family::Messaging,
        &[
            (
                tag::METADATA,
                json!({"issue_id": 7, "issue_created_ts": SENT}),
            ),
            (
                tag::UTTERANCE,
                json!({"issue_id": 7, "utterance": "when?", "created_ts": "soon"}),
            ),
        ],
    );
    let (_, kind, reason, raw) = &converted.refused[0];
    assert_eq!(*kind, RecordKind::Message);
    assert!(
        reason.contains("created_ts") && raw.contains("when?"),
        "{reason} {raw}"
    );
}

#[test]
fn a_call_has_its_length_its_end_and_its_recording() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recordings.csv");
    std::fs::write(&path, "issue_id,rep_id,url\n7,60002,https://calls.example.org/2\n7,,https://calls.example.org/all\n").unwrap();
    let recordings = Side::read(&path, crate::side::About::Recordings).unwrap();
    let leg = |rep: u32, second: u32| {
        let row = json!({
            "issue_id": 7, "rep_id": rep, "issue_assigned_ts": format!("2026-02-03 14:00:{second:02}"), "client_mode": "VOICE",
            "handle_time_seconds": 125.5, "wrap_up_time_seconds": 20, "disposition_event_type": "customer",
        });
        (tag::REP_CONVO, row)
    };
    let rows = [
        (
            tag::METADATA,
            json!({"issue_id": 7, "issue_created_ts": SENT}),
        ),
        leg(60001, 1),
        leg(60002, 2),
    ];
    let converted = convert_with(Family::Messaging, &rows, &recordings, &Segments::default());
    assert_eq!(converted.conversation.channel.is, ChannelKind::Voice);
    let calls: Vec<_> = converted
        .messages
        .iter()
        .filter_map(|message| message.call.as_ref())
        .collect();
    let recording = |place: usize| calls[place].recording.as_deref();
    assert_eq!(
        (calls[0].seconds, calls[0].disposition.as_deref()),
        (Some(106), Some("customer"))
    );
    assert_eq!(recording(0), Some("https://calls.example.org/all"));
    assert_eq!(recording(1), Some("https://calls.example.org/2"));
}

#[test]
fn hourly_states_are_one_conversation_with_its_first_and_last_times() {
    let hour = |hr: &str, row: Value| {
        let mut row = row;
        row["dt"] = json!("2026-02-03");
        row["hr"] = json!(hr);
        (tag::STATE, row)
    };
    let converted = convert(
        Family::Services,
        &[
            hour(
                "15",
                json!({"customer_id": "c-1", "last_agent_id": "agent-2", "first_event_ts": "2026-02-03 15:00:00",
                "agent_last_utterance_ts": "2026-02-03 15:10:00", "is_autosummary_used": 0, "customer_utterance_ct": 4}),
            ),
            hour(
                "14",
                json!({"customer_id": "c-1", "last_agent_id": "agent-1", "first_event_ts": "2026-02-03 14:00:00",
                "agent_last_utterance_ts": "2026-02-03 14:10:00", "is_autosummary_used": 1, "conversation_metadata_platform": "WAB"}),
            ),
        ],
    );
    let found = &converted.conversation;
    assert_eq!(found.meta.created_at, Some(at("2026-02-03 14:00:00")));
    assert_eq!(
        found.closed_at,
        Some(at("2026-02-03 15:10:00")),
        "quiet since then"
    );
    assert_eq!(
        found.assignee.as_ref().unwrap().to_string(),
        "asapp:acme:agent:ai-agent-2"
    );
    assert_eq!(found.channel.is, ChannelKind::Whatsapp);
    assert_eq!(
        found.meta.custom["is_autosummary_used"],
        CustomValue::Number("1".to_owned())
    );
    assert!(
        !found.meta.custom.contains_key("customer_utterance_ct"),
        "messages are counted, not believed"
    );
}

#[test]
fn texts_join_their_senders_and_private_ones_stay_among_agents() {
    let text = |id: &str, text: &str| {
        (
            tag::UTTERANCE_TEXT,
            json!({"message_id": id, "utterance": text, "chat_message_event_ts": format!("2026-02-03 14:00:0{id}")}),
        )
    };
    let sender = |id: &str, kind: &str, private: u32| {
        (
            tag::UTTERANCE_STATE,
            json!({"message_id": id, "sender_type": kind, "sender_id": "agent-1", "private_message_ct": private}),
        )
    };
    let converted = convert(
        Family::Services,
        &[
            (
                tag::STATE,
                json!({"dt": "2026-02-03", "hr": "14", "customer_id": "c-1"}),
            ),
            text("1", "hello"),
            text("2", "hi"),
            text("3", "between us"),
            text("4", "unknown"),
            sender("1", "SENDER_CUSTOMER", 0),
            sender("2", "sender_agent", 0),
            sender("3", "SENDER_AGENT", 1),
            sender("5", "SENDER_AGENT", 0),
        ],
    );
    let expected = [
        (Direction::In, AuthorRole::Customer, "hello"),
        (Direction::Out, AuthorRole::Agent, "hi"),
        (Direction::Internal, AuthorRole::Agent, "between us"),
        (Direction::Internal, AuthorRole::System, "unknown"),
    ];
    assert_eq!(said(&converted), expected);
    let purged = &converted.conversation.meta.custom["purged_messages"];
    assert_eq!(
        *purged,
        CustomValue::Number("1".to_owned()),
        "a message whose text is gone is told"
    );
}

#[test]
fn structured_data_is_kept_by_field_id_newest_first_and_differences_are_not_hidden() {
    let answer = |agent: &str, value: &str, second: u32| {
        (
            tag::STRUCTURED,
            json!({
                "agent_id": agent, "structured_data_field_id": "q_escalated", "structured_data_field_name": "Escalated",
                "structured_data_field_value": value, "structured_data_ts": format!("2026-02-03 14:00:0{second}"),
            }),
        )
    };
    let state = (tag::STATE, json!({"dt": "2026-02-03", "hr": "14"}));
    let summary = (
        tag::SUMMARY,
        json!({"summary_id": "s", "autosummary_free_text": "proposed"}),
    );
    let edited = (
        tag::SUMMARY_FEEDBACK,
        json!({"summary_id": "s", "autosummary_feedback": "edited"}),
    );
    let converted = convert(
        Family::Services,
        &[
            state,
            answer("a", "No", 2),
            answer("b", "Yes", 1),
            summary,
            edited,
        ],
    );
    let custom = &converted.conversation.meta.custom;
    assert_eq!(custom["q_escalated"], CustomValue::Choice("No".to_owned()));
    assert!(
        matches!(&custom["structured_data"], CustomValue::Json(Value::Array(all)) if all.len() == 2)
    );
    assert_eq!(
        custom["autosummary"],
        CustomValue::Text("edited".to_owned())
    );
}

#[test]
fn people_come_from_the_customers_own_tables_first() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("customers.jsonl");
    let row = r#"{"external_user_id":"hash-9","email":"ann@example.org; a@example.org","company":"Ex Ltd"}"#;
    std::fs::write(&path, row).unwrap();
    let customers = Side::read(&path, crate::side::About::Customers).unwrap();
    let (tenant, lookup, nobody, segments) = (
        Tenant::new("asapp", "acme"),
        Lookup::default(),
        Side::default(),
        Segments::default(),
    );
    let ground = |customers| Ground {
        tenant: &tenant,
        lookup: &lookup,
        customers,
        agents: &nobody,
        recordings: &nobody,
        segments: &segments,
        quiet_before: Utc.timestamp_opt(0, 0).unwrap(),
    };
    let params = crate::config::Params {
        name: Some("full_name".to_owned()),
        email: Some("mail".to_owned()),
        ..Default::default()
    };
    let param =
        |key: &str, value: &str| (tag::PARAM, json!({"param_key": key, "param_value": value}));
    let rows = [
        (tag::CUSTOMER_NAMED, json!({"external_user_id": "hash-9"})),
        param("full_name", "Ann Lee"),
        param("mail", "old@sub.example.org"),
        param("plan", "gold"),
    ];
    let group = group(Family::Messaging, "9", &rows);
    let addresses = |contact: &deskferry_core::model::Contact| {
        let all = contact
            .emails
            .iter()
            .map(|email| Cow::Owned(email.address.clone()));
        all.collect::<Vec<Cow<'_, str>>>().join(" ")
    };
    let (contact, account) = customer(&ground(&customers), &params, true, &group);
    assert_eq!(
        (contact.name.as_str(), addresses(&contact).as_str()),
        ("Ann Lee", "ann@example.org a@example.org")
    );
    assert_eq!(
        account.unwrap().meta.key.to_string(),
        "asapp:acme:account:ex%20ltd"
    );
    assert_eq!(
        contact.meta.custom["plan"],
        CustomValue::Text("gold".to_owned())
    );
    // Without the table: what was sent along, and a flagged company by its domain.
    let (contact, account) = customer(&ground(&nobody), &params, true, &group);
    assert_eq!(addresses(&contact), "old@sub.example.org");
    let account = account.unwrap();
    assert_eq!(account.name, "sub.example.org");
    assert_eq!(account.meta.custom["placeholder"], CustomValue::Bool(true));
}

#[test]
fn no_company_stands_behind_free_mail() {
    let (tenant, lookup, nobody, segments) = (
        Tenant::new("asapp", "acme"),
        Lookup::default(),
        Side::default(),
        Segments::default(),
    );
    let ground = Ground {
        tenant: &tenant,
        lookup: &lookup,
        customers: &nobody,
        agents: &nobody,
        recordings: &nobody,
        segments: &segments,
        quiet_before: Utc.timestamp_opt(0, 0).unwrap(),
    };
    let params = crate::config::Params {
        email: Some("mail".to_owned()),
        ..Default::default()
    };
    for (address, expected) in [
        ("ann@GMail.com", false),
        ("ann@localhost", false),
        ("ann", false),
        ("ann@shop.example", true),
    ] {
        let rows = [(
            tag::PARAM,
            json!({"param_key": "mail", "param_value": address}),
        )];
        let (_, account) = customer(
            &ground,
            &params,
            true,
            &group(Family::Messaging, "9", &rows),
        );
        assert_eq!(account.is_some(), expected, "{address}");
    }
}

#[test]
fn an_agent_who_is_in_no_list_any_more_is_still_somebody() {
    let (tenant, lookup, nobody, segments) = (
        Tenant::new("asapp", "acme"),
        Lookup::default(),
        Side::default(),
        Segments::default(),
    );
    let ground = Ground {
        tenant: &tenant,
        lookup: &lookup,
        customers: &nobody,
        agents: &nobody,
        recordings: &nobody,
        segments: &segments,
        quiet_before: Utc.timestamp_opt(0, 0).unwrap(),
    };
    let of = |rows: &[(u8, Value)]| agent(&ground, &group(Family::Messaging, "60001", rows));
    let gone = of(&[(tag::REP_NAMED, json!({}))]);
    assert_eq!(
        (gone.name.as_str(), gone.active),
        ("Unknown user 60001", false)
    );
    let there = of(&[
        (
            tag::REP,
            json!({"rep_id": "60001", "name": "Smith, Anne", "disabled_time": "NULL", "crm_rep_id": "anne@example.org"}),
        ),
        (
            tag::REP_ATTRIBUTE,
            json!({"rep_id": "60001", "attribute_name": "role", "attribute_value": "lead"}),
        ),
    ]);
    assert_eq!(
        (there.name.as_str(), there.active, there.role.as_str()),
        ("Smith, Anne", true, "lead")
    );
    assert_eq!(there.emails[0].address, "anne@example.org");
    let left = of(&[(
        tag::REP,
        json!({"rep_id": "60001", "name": "Smith, Anne", "disabled_time": "2026-01-01 00:00:00"}),
    )]);
    assert!(!left.active);
}

#[test]
fn an_agents_figures_are_averages_over_what_was_read() {
    let (tenant, lookup, nobody, segments) = (
        Tenant::new("asapp", "acme"),
        Lookup::default(),
        Side::default(),
        Segments::default(),
    );
    let ground = Ground {
        tenant: &tenant,
        lookup: &lookup,
        customers: &nobody,
        agents: &nobody,
        recordings: &nobody,
        segments: &segments,
        quiet_before: Utc.timestamp_opt(0, 0).unwrap(),
    };
    let handled = |day: u32, handle: &str, mode: &str| {
        let row = json!({"at": format!("2026-02-0{day} 10:00:00"), "handle": handle, "mode": mode, "wrap_up": null});
        (tag::REP_HANDLED, row)
    };
    let rows = [
        handled(3, "100", "CHAT"),
        handled(1, "50.5", "VOICE"),
        handled(2, "NULL", "CHAT"),
    ];
    let found = statistics(&ground, &group(Family::Messaging, "60001", &rows)).unwrap();
    assert_eq!(found.agent.to_string(), "asapp:acme:agent:60001");
    assert_eq!(
        (found.from, found.until),
        (
            Some(at("2026-02-01 10:00:00")),
            Some(at("2026-02-03 10:00:00"))
        )
    );
    let figures: Vec<_> = found
        .meta
        .custom
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_json()))
        .collect();
    let expected = [
        ("assignments", json!(3)),
        ("average_handle_seconds", json!(75.25)),
        ("calls", json!(1)),
    ];
    assert_eq!(figures, expected);
    assert!(statistics(&ground, &group(Family::Messaging, "60001", &[])).is_none());
}
