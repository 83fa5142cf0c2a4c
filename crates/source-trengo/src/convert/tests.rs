//! Rows as they were recorded, and as they may come.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use deskferry_core::Tenant;
use deskferry_core::model::{AuthorRole, ChannelKind, CustomValue, Direction, StatusState};
use serde_json::{Value, json};

use super::*;
use crate::config::Profiles;

fn utc(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

fn ground() -> Ground {
    let mut fields = Fields::default();
    for row in [
        json!({"id": 1, "title": "Order", "type": "TICKET", "field_type": "TEXT"}),
        json!({"id": 2, "title": "Product", "type": "TICKET", "field_type": "DROPDOWN", "items": ["A", "B"]}),
        json!({"id": 3, "title": "Product", "type": "TICKET", "field_type": "TEXT"}),
        json!({"id": 4, "title": "Customer no", "type": "CONTACT", "field_type": "NUMBER"}),
        json!({"id": 5, "title": "Tier", "type": "PROFILE", "field_type": "UNHEARD_OF"}),
    ] {
        fields.learn(Row(&row));
    }
    let channel = |kind: &str, address: Option<&str>| Channel {
        kind: kind.to_owned(),
        title: kind.to_owned(),
        address: address.map(str::to_owned),
    };
    Ground {
        tenant: Tenant::new("trengo", "1"),
        root: "https://app.trengo.com".to_owned(),
        zone: Zone::named("Europe/Amsterdam").unwrap(),
        fields,
        users: HashSet::from([70_011]),
        user_names: HashMap::from([(70_011, "Ann Agent".to_owned())]),
        teams: HashSet::from([4_102]),
        channels: HashMap::from([
            (8_801, channel("EMAIL", Some("help@acme.example"))),
            (8_802, channel("WA_BUSINESS", None)),
            (8_803, channel("VOIP", None)),
        ]),
        has_results: true,
        survey: Survey::default(),
    }
}

fn ticket() -> Value {
    json!({"id": 900_000_101, "status": "ASSIGNED", "subject": "Order 5512 damaged", "closed_at": null,
        "created_at": "2026-02-03 09:14:07", "updated_at": "2026-02-03 11:40:52", "user_id": 70_011, "team_id": 4_102,
        "assigned_at": "2026-02-03 09:20:00", "contact_id": 500_777,
        "contact": {"id": 500_777, "name": "Nora Lind", "full_name": "Nora Lind", "email": "nora@example.com", "is_phone": false,
            "phone": null, "identifier": "nora@example.com", "custom_field_data": null, "profile": [], "is_private": false},
        "channel": {"id": 8801, "name": null, "title": "Support mail", "type": "EMAIL", "phone": null, "status": null},
        "labels": [{"id": 31, "name": "Damage", "slug": "damage", "sort_order": null, "archived": null}],
        "custom_data": {"Order": "5512"}, "messages_count": 3})
}

fn with(mut row: Value, changes: Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        row[name] = value.clone();
    }
    row
}

fn convert(row: &Value, detail: Option<&Value>) -> deskferry_core::model::Conversation {
    conversation(
        &ground(),
        Row(row),
        detail.map(Row),
        None,
        Talk::default(),
        None,
    )
    .unwrap()
}

#[test]
fn a_recorded_ticket_becomes_a_conversation() {
    let found = convert(&ticket(), None);
    assert_eq!(found.meta.key.as_str(), "trengo:1:conversation:900000101");
    assert_eq!(
        found.meta.url.as_deref(),
        Some("https://app.trengo.com/tickets/900000101")
    );
    assert_eq!(found.meta.created_at, Some(utc("2026-02-03T08:14:07Z")));
    assert_eq!(found.meta.updated_at, Some(utc("2026-02-03T10:40:52Z")));
    assert_eq!(found.assignee.unwrap().as_str(), "trengo:1:agent:70011");
    assert_eq!(found.team.unwrap().as_str(), "trengo:1:team:4102");
    assert_eq!(
        (found.channel.is, found.tags),
        (ChannelKind::Email, vec!["Damage".to_owned()])
    );
    assert_eq!(found.meta.custom["1"], CustomValue::Text("5512".to_owned()));
}

#[test]
fn the_status_says_where_a_ticket_stands_and_not_the_time_of_closing() {
    for (status, closed_at, is, closed) in [
        ("OPEN", Value::Null, StatusState::Open, false),
        // Opened again: the time stays.
        (
            "OPEN",
            json!("2026-02-03 12:00:00"),
            StatusState::Open,
            false,
        ),
        (
            "ASSIGNED",
            json!("2026-02-03 12:00:00"),
            StatusState::Open,
            false,
        ),
        (
            "CLOSED",
            json!("2026-02-03 12:00:00"),
            StatusState::Closed,
            true,
        ),
        ("closed", Value::Null, StatusState::Closed, false),
        ("INVALID", Value::Null, StatusState::Closed, false),
        ("PENDING", Value::Null, StatusState::Other, false),
    ] {
        let row = with(ticket(), json!({"status": status, "closed_at": closed_at}));
        let found = convert(&row, None);
        assert_eq!(
            (found.status.is, found.closed_at.is_some()),
            (is, closed),
            "{status}"
        );
    }
}

#[test]
fn the_ticket_alone_is_asked_for_only_where_lists_leave_something_out() {
    for (changes, asked) in [
        (json!({}), false),
        (json!({"closed_at": "2026-02-03 12:00:00"}), true),
        (
            json!({"closed_at": "2026-02-03 12:00:00", "results": []}),
            false,
        ),
        (json!({"custom_data": {"Product": "A"}}), true),
        (json!({"custom_data": {"Renamed": "A"}}), true),
        (
            json!({"custom_data": {"Product": null, "Order": "1"}}),
            false,
        ),
        (json!({"custom_data": []}), false),
        (json!({"user_id": 99}), true),
        (json!({"user_id": null}), false),
    ] {
        let row = with(ticket(), changes.clone());
        assert_eq!(
            asks_for_detail(&ground(), Row(&row)).is_some(),
            asked,
            "{changes}"
        );
    }
}

#[test]
fn what_only_the_ticket_alone_tells_is_kept() {
    let detail = with(
        ticket(),
        json!({
            "custom_field_values": [{"custom_field_id": 2, "field_name": "Product", "value": "A"}, {"custom_field_id": 77, "value": "old"}],
            "results": [{"id": 1, "name": "Solved", "sort_order": 0}], "closed_by": {"id": 7, "full_name": "Ann", "activation_token": "hidden"},
            "watchers": [], "reminder": null,
        }),
    );
    let found = convert(&ticket(), Some(&detail));
    assert_eq!(found.meta.custom["2"], CustomValue::Choice("A".to_owned()));
    assert_eq!(found.meta.custom["77"], CustomValue::Text("old".to_owned()));
    assert_eq!(
        found.meta.custom["results"],
        CustomValue::Choices(vec!["Solved".to_owned()])
    );
    assert_eq!(
        found.meta.custom["closed_by"],
        CustomValue::Json(json!({"id": 7, "full_name": "Ann"}))
    );
    assert_eq!(found.meta.custom.len(), 4);
    // Where the ticket alone cannot be had, a value stays under its title.
    let shared = with(ticket(), json!({"custom_data": {"Product": "A"}}));
    assert_eq!(
        convert(&shared, None).meta.custom["custom_data"],
        CustomValue::Json(json!({"Product": "A"}))
    );
}

#[test]
fn a_ticket_of_the_hour_that_exists_twice_begins_with_its_first_message() {
    let row = with(
        ticket(),
        json!({"created_at": "2024-10-27 02:30:00", "updated_at": "2024-10-27 02:40:00"}),
    );
    let of = |first: Option<&str>| {
        let first = first.map(utc);
        let talk = Talk::default();
        let found = conversation(&ground(), Row(&row), None, None, talk, first).unwrap();
        (
            found.meta.created_at.unwrap(),
            found.meta.updated_at.unwrap(),
        )
    };
    let (first, second) = ("2024-10-27T00:30:00Z", "2024-10-27T01:30:00Z");
    assert_eq!(of(None).0, utc(first));
    assert_eq!(of(Some(first)).0, utc(first));
    assert_eq!(of(Some(second)), (utc(second), utc("2024-10-27T01:40:00Z")));
}

fn say(row: Value) -> (deskferry_core::model::Message, usize, bool) {
    say_on(8_801, row)
}

fn say_on(channel: u64, row: Value) -> (deskferry_core::model::Message, usize, bool) {
    let ground = ground();
    let ticket = ticket();
    let joined = Joined::default();
    let place = Place {
        ground: &ground,
        joined: &joined,
        profiles: Profiles::Person,
        ticket: 900_000_101,
        conversation: ground.key(RecordKind::Conversation, 900_000_101),
        channel: &ground.channels[&channel],
        contact: Row(&ticket).object("contact"),
    };
    let sent = utc("2026-02-03T08:14:07Z");
    let found = message(&place, Row(&row), sent, None).unwrap();
    (found.message, found.attachments.len(), found.is_event)
}

fn row() -> Value {
    json!({"id": 3_900_000_003_u64, "ticket_id": 900_000_101, "type": "INBOUND", "body_type": "TEXT",
        "message": "<p>Hi, the <b>lamp</b> arrived broken</p>", "file_name": null, "file_caption": null, "location_data": null,
        "created_at": "2026-02-03 09:14:07", "updated_at": "2026-02-03 09:14:07", "user_id": null,
        "contact": {"id": 500_777, "name": "Nora Lind", "identifier": "nora@example.com"}, "agent": null,
        "email_message": {"collapsed": true}, "attachments": [], "mentions": [], "contacts": [], "meta": null, "parent": null,
        "reactionSums": [], "messageEvents": [], "is_auto_reply": null})
}

#[test]
fn the_type_alone_says_which_way_a_message_went_and_who_spoke() {
    let agent = json!({"id": 70_011, "full_name": "Ann Agent"});
    for (changes, direction, role, key) in [
        (
            json!({}),
            Direction::In,
            AuthorRole::Customer,
            Some("trengo:1:contact:500777"),
        ),
        // No contact stands on some rows: it is the ticket's.
        (
            json!({"contact": null}),
            Direction::In,
            AuthorRole::Customer,
            Some("trengo:1:contact:500777"),
        ),
        // On calls the user who answered stands beside.
        (
            json!({"user_id": 70_011}),
            Direction::In,
            AuthorRole::Customer,
            Some("trengo:1:contact:500777"),
        ),
        (
            json!({"type": "OUTBOUND", "user_id": 70_011, "agent": agent}),
            Direction::Out,
            AuthorRole::Agent,
            Some("trengo:1:agent:70011"),
        ),
        (
            json!({"type": "OUTBOUND", "user_id": 70_011}),
            Direction::Out,
            AuthorRole::Agent,
            Some("trengo:1:agent:70011"),
        ),
        // A bot, a flow, a rule.
        (
            json!({"type": "OUTBOUND"}),
            Direction::Out,
            AuthorRole::System,
            None,
        ),
        (
            json!({"type": "OUTBOUND", "is_auto_reply": true}),
            Direction::Out,
            AuthorRole::System,
            None,
        ),
        (
            json!({"type": "NOTE", "agent": agent}),
            Direction::Internal,
            AuthorRole::Agent,
            Some("trengo:1:agent:70011"),
        ),
        (
            json!({"type": "AUDIT", "audit_type": "TICKET_LABELED"}),
            Direction::Internal,
            AuthorRole::System,
            None,
        ),
        (
            json!({"type": null}),
            Direction::Internal,
            AuthorRole::System,
            None,
        ),
    ] {
        let (found, _, is_event) = say(with(row(), changes.clone()));
        assert_eq!(
            (found.direction, found.author.role),
            (direction, role),
            "{changes}"
        );
        assert_eq!(
            found
                .author
                .key
                .as_ref()
                .map(deskferry_core::RecordKey::as_str),
            key,
            "{changes}"
        );
        let event = changes
            .get("type")
            .is_some_and(|kind| kind == "AUDIT" || kind.is_null());
        assert_eq!(is_event, event, "{changes}");
    }
}

#[test]
fn words_are_html_where_mails_are_and_text_where_people_type() {
    for (channel, changes, html) in [
        (8_801, json!({}), true),
        (8_801, json!({"message": "plain <ann@example.org>"}), false),
        (8_801, json!({"type": "NOTE", "email_message": null}), true),
        (8_802, json!({"email_message": null}), false),
        (
            8_802,
            json!({"email_message": null, "body_type": "html"}),
            true,
        ),
        (
            8_801,
            json!({"message": null, "body": "<div>x</div>"}),
            true,
        ),
    ] {
        let (found, ..) = say_on(channel, with(row(), changes.clone()));
        assert_eq!(
            (found.body.html.is_some(), found.body.text.is_some()),
            (html, !html),
            "{changes}"
        );
    }
    let (found, ..) = say(with(row(), json!({"message": ""})));
    assert_eq!(found.body, deskferry_core::model::Body::default());
}

#[test]
fn a_mail_without_heads_of_its_own_has_those_of_ticket_and_channel() {
    let (mail, ..) = say(row());
    let email = mail.email.unwrap();
    assert_eq!(email.to[0].address, "help@acme.example");
    assert_eq!(email.from, None, "the contact of the row has no address");
    let (mail, ..) = say(with(row(), json!({"contact": null})));
    assert_eq!(
        mail.email.unwrap().from.unwrap().address,
        "nora@example.com"
    );
    let (mail, ..) = say(with(row(), json!({"type": "OUTBOUND"})));
    let email = mail.email.unwrap();
    assert_eq!(email.from.unwrap().address, "help@acme.example");
    assert_eq!(email.to[0].address, "nora@example.com");
    let (note, ..) = say(with(row(), json!({"type": "NOTE"})));
    assert_eq!((note.email, note.channel.is), (None, ChannelKind::Internal));
}

#[test]
fn a_call_has_its_length_and_its_recording() {
    let (call, files, _) = say_on(
        8_803,
        with(
            row(),
            json!({
                "body_type": "CALL_LOG", "message": "Inbound call", "email_message": null, "location_data": {"duration": 14},
                "file_name": "https://api.voice.example.org/2010/Recordings/RE1", "user_id": 70_011,
            }),
        ),
    );
    assert_eq!(call.call.unwrap().seconds, Some(14));
    assert_eq!(
        (files, call.files.len(), call.channel.is),
        (1, 1, ChannelKind::Voice)
    );
}

#[test]
fn attachments_of_any_shape_are_files_and_one_without_id_and_address_is_a_reject() {
    let found = say(with(
        row(),
        json!({"attachments": [
            {"id": 1, "client_name": "a.pdf", "full_url": "https://assets.trengo.com/a", "size": "12"},
            {"url": "https://assets.trengo.com/files/b.png"},
            {"file_name": "c.png", "file_url": "https://assets.trengo.com/c"},
            {"nothing": true},
        ]}),
    ));
    let names: Vec<&str> = found
        .0
        .files
        .iter()
        .map(|file| file.name.as_str())
        .collect();
    assert_eq!((found.1, names), (3, vec!["a.pdf", "b.png", "c.png"]));
}

#[test]
fn people_are_read_however_little_they_told() {
    let ground = ground();
    let of =
        |row: Value| contact(&ground, &Joined::default(), Profiles::Person, Row(&row)).unwrap();
    let phone = of(
        json!({"id": 1, "name": null, "phone": "441134678552", "is_phone": true, "formatted_phone": "++44",
        "identifier": "+44 113", "custom_field_data": {"Customer no": "17"}}),
    );
    assert_eq!(
        (phone.name.as_str(), &phone.phones[..]),
        ("", &["441134678552".to_owned()][..])
    );
    assert_eq!(phone.meta.custom["4"], CustomValue::Number("17".to_owned()));
    let bare = of(json!({"id": 2, "is_phone": 1, "identifier": "+31 20 555"}));
    assert_eq!(bare.phones, ["+31 20 555"]);
    let both = of(json!({"id": 3, "email": "a@example.org", "phone": "1"}));
    assert_eq!(
        (both.emails.len(), both.phones.len(), both.handles.len()),
        (1, 1, 0)
    );
    let social = of(
        json!({"id": 4, "identifier": "nora.lind", "channels": [{"id": 1, "type": "INSTAGRAM"}]}),
    );
    assert_eq!(social.handles[0].network, "instagram");
    let visitor = of(json!({"id": 5, "identifier": "", "formatted_custom_field_data": []}));
    assert!(visitor.handles.is_empty() && visitor.meta.created_at.is_none());
    let noted = of(
        json!({"id": 6, "groups": [{"id": 1, "name": "VIPs"}], "notes": [{"id": 1, "body": "Calls on Mondays.",
        "user": {"full_name": "Ann"}, "created_at": "2026-02-03 09:14:07"}], "is_private": true}),
    );
    assert_eq!(noted.groups, ["VIPs"]);
    assert!(
        noted.meta.custom.contains_key("notes") && noted.meta.custom.contains_key("is_private")
    );
}

#[test]
fn contacts_of_a_profile_are_one_person_with_the_number_of_the_lowest() {
    let ground = ground();
    let rows = [
        json!({"id": 9, "name": "31201234567", "phone": "31201234567", "is_phone": true}),
        json!({"id": 5, "name": "Nora Lind", "email": "nora@example.com"}),
        json!({"id": 7, "name": "Nora", "email": "nora@example.com"}),
    ];
    let contacts: Vec<Row<'_>> = rows.iter().map(Row).collect();
    let profile = json!({"id": 3, "name": null, "custom_field_data": {"Tier": "gold"}});
    let found = person(&ground, Row(&profile), &contacts).unwrap().unwrap();
    assert_eq!(found.meta.key.id(), "5");
    assert_eq!(
        (found.name.as_str(), found.emails.len(), found.phones.len()),
        ("Nora Lind", 1, 1)
    );
    assert_eq!(found.meta.custom["5"], CustomValue::Text("gold".to_owned()));
    let mut joined = Joined::default();
    joined.learn(Profiles::Person, 3, &[9, 5, 7]);
    joined.learn(Profiles::Person, 4, &[7, 2]);
    let of = |contact: u64| joined.person(Profiles::Person, contact);
    assert_eq!((of(9), of(7), of(2), of(1)), (5, 5, 2, 1));
    assert_eq!(joined.person(Profiles::Ignore, 9), 9);
}

#[test]
fn a_user_who_left_is_listed_or_gone() {
    let ground = ground();
    let of = |row: Value| agent(&ground, Row(&row), &[4_102]).unwrap();
    assert!(of(json!({"id": 1, "full_name": "A", "status": "ACTIVE"})).active);
    assert!(of(json!({"id": 1, "first_name": "A", "last_name": "B"})).active);
    let left = of(
        json!({"id": 1, "full_name": "A", "status": "INACTIVE", "role": {"id": 2, "name": "basic_agent"},
        "created_at": "2023-10-19 15:32:42", "timezone": "Asia/Jerusalem"}),
    );
    assert!(!left.active);
    assert_eq!((left.role.as_str(), left.teams.len()), ("basic_agent", 1));
    assert_eq!(left.meta.created_at, Some(utc("2023-10-19T13:32:42Z")));
    let named = json!({"id": 9, "full_name": "Gone Girl"});
    assert_eq!(departed(&ground, 9, Some(Row(&named))).name, "Gone Girl");
    assert_eq!(departed(&ground, 9, None).name, "Unknown user 9");
}
