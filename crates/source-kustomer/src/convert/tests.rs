//! Answers that others recorded from the real platform. They are no part of this project: the variable
//! `DESKFERRY_OUTSIDE_DATA` names the folder that holds `kustomer/`.

use super::*;
use crate::wire::{Envelope, Row};
use deskferry_core::model::ChannelKind;
use serde_json::json;

fn tenant() -> Tenant {
    Tenant::new("kustomer", "org1")
}

fn with_ground<T>(run: impl FnOnce(&Ground<'_>) -> T) -> T {
    let (tenant, names, definitions) = (tenant(), Names::default(), Definitions::default());
    run(&Ground {
        tenant: &tenant,
        root: "https://acme.api.kustomerapp.com",
        names: &names,
        definitions: &definitions,
    })
}

fn row(value: &Value) -> Row {
    Row::read(&RawValue::from_string(value.to_string()).unwrap()).unwrap()
}

/// The JSON body of a recorded exchange, which stands in single quotes.
#[expect(clippy::print_stderr, reason = "says why nothing was tested")]
fn recorded(name: &str) -> Option<String> {
    let Some(folder) = std::env::var_os("DESKFERRY_OUTSIDE_DATA") else {
        eprintln!("skipped: DESKFERRY_OUTSIDE_DATA is not set");
        return None;
    };
    let path = std::path::Path::new(&folder).join("kustomer").join(name);
    let text = std::fs::read_to_string(path).ok()?;
    let (_, rest) = text.split_once("string: '{")?;
    let end = rest
        .find("\n  recorded_at")
        .or_else(|| rest.find("\n    http_version"));
    let body = rest[..end.unwrap_or(rest.len())].trim_end();
    Some(format!(
        "{{{}",
        body.trim_end_matches('\'').replace("\'\'", "'")
    ))
}

#[test]
fn a_recorded_customer_becomes_a_contact() {
    let Some(body) = recorded("recorded-find_success.yml") else {
        return;
    };
    let mut envelope: Envelope = serde_json::from_str(&body).unwrap();
    let raw = envelope.rows().unwrap().remove(0);
    let contact = with_ground(|ground| contact(ground, &Row::read(&raw).unwrap(), None)).unwrap();
    assert_eq!(contact.name, "", "a display name is no name");
    assert_eq!(contact.emails[0].address, "johndoe@example.com");
    assert_eq!(contact.emails[0].verified, Some(false));
    assert_eq!(
        contact.meta.custom["externalId"],
        CustomValue::Text("6".to_owned())
    );
    assert!(contact.meta.created_at < contact.meta.updated_at);
    assert!(contact.addresses.is_empty() && contact.tags.is_empty());
}

#[test]
fn the_verified_address_is_the_main_one_and_shared_ones_come_last() {
    let person = row(&json!({"id": "c1", "attributes": {
        "name": "", "firstName": "Ann", "lastName": "Bo", "companyId": "co1",
        "emails": [{"email": "a@x.example", "verified": false}, {"email": "b@x.example", "verified": true}],
        "sharedEmails": [{"email": "s@x.example"}], "phones": ["+1"], "whatsapps": [{"phone": "+2"}],
        "socials": [{"type": "twitter", "userid": "9"}], "locations": [{"type": "home"}, {"cityName": "Graz"}],
        "custom": {"customerTypeStr": "lead", "vipBool": true, "sinceAt": "2020-01-01T00:00:00-05:00"},
    }}));
    let one = with_ground(|ground| contact(ground, &person, Some("customerTypeStr"))).unwrap();
    let emails: Vec<&str> = one.emails.iter().map(|e| e.address.as_str()).collect();
    assert_eq!(emails, ["b@x.example", "a@x.example", "s@x.example"]);
    assert_eq!(
        (one.name.as_str(), one.kind.as_deref()),
        ("Ann Bo", Some("lead"))
    );
    assert_eq!(one.accounts[0].as_str(), "kustomer:org1:account:co1");
    let networks: Vec<&str> = one.handles.iter().map(|h| h.network.as_str()).collect();
    assert_eq!(networks, ["twitter", "whatsapp"]);
    assert_eq!(one.addresses.len(), 1);
    assert!(
        matches!(one.meta.custom["sinceAt"], CustomValue::DateTime(_)),
        "by its suffix"
    );
}

#[test]
fn a_conversation_says_more_than_one_assignee_channel_and_score() {
    let talk = row(&json!({"id": "v1", "attributes": {
        "status": "waiting", "priority": 5, "channels": ["carrier-pigeon", "email"], "assignedUsers": ["u1", {"id": "u2"}],
        "assignedTeams": ["t1"], "tags": ["gone"], "satisfactionLevel": {"score": 0, "firstAnswer": "slow"},
        "linkedConversations": [{"id": "v2"}], "firstResponse": {"sentAt": "2024-01-01T00:00:00Z", "responseTime": 61_500},
        "sla": {"name": "Day", "breached": true, "breach": {"at": "2024-01-02T00:00:00Z"}},
    }}));
    let (one, standing) = with_ground(|ground| conversation(ground, &talk)).unwrap();
    assert_eq!(
        (one.channel.is, one.channel.raw.as_str()),
        (ChannelKind::Other, "carrier-pigeon")
    );
    assert_eq!(one.status.raw, "waiting");
    assert_eq!(one.also_assigned[0].id(), "u2");
    assert_eq!(one.tags, ["gone"], "an id that no list has is kept");
    assert_eq!(one.satisfaction.unwrap().raw, "0");
    assert_eq!(one.merged_into.unwrap().id(), "v2");
    assert_eq!(one.figures.first_response_seconds, Some(61));
    assert_eq!(one.figures.breached, Some(true));
    assert_eq!(standing.messages, None, "unknown is not none");
}

#[test]
fn calls_redactions_and_failures_keep_what_they_are() {
    let key = tenant().key(RecordKind::Conversation, "v1");
    let call = row(&json!({"id": "m1", "attributes": {
        "channel": "voice", "direction": "in", "sentAt": "2024-01-01T00:00:00Z", "redacted": true,
        "meta": {"from": "+1", "to": "+2", "answeredAt": "2024-01-01T00:00:00Z", "endedAt": "2024-01-01T00:02:05Z",
                 "externalRecordingUrl": "https://calls.example.org/1"},
    }, "relationships": {"customer": {"data": {"type": "customers", "id": "c1"}}}}));
    let made = with_ground(|ground| message(ground, &key, &call, &[], None, false)).unwrap();
    let told = made.message.call.unwrap();
    assert_eq!(
        (told.seconds, told.from.as_deref()),
        (Some(125), Some("+1"))
    );
    assert!(told.recording.is_some());
    assert!(made.message.body.text.unwrap().contains("redacted"));
    assert_eq!(made.message.author.key.unwrap().id(), "c1");

    let failed = row(&json!({"id": "m2", "attributes": {
        "channel": "email", "direction": "out", "createdAt": "2024-01-01T00:00:00Z", "error": {"code": 550},
        "meta": {"from": "Help <help@x.example>", "to": "b@x.example"}, "externalId": "id@x",
    }}));
    let made = with_ground(|ground| message(ground, &key, &failed, &[], None, true)).unwrap();
    let mail = made.message.email.unwrap();
    assert_eq!(mail.message_id.as_deref(), Some("<id@x>"));
    assert_eq!(
        (mail.from.unwrap().name.as_str(), mail.to.len()),
        ("Help", 1)
    );
    assert!(made.message.meta.custom.contains_key("error"));
    assert!(made.message.meta.custom.contains_key("body_incomplete"));

    let timeless = row(&json!({"id": "m3", "attributes": {"channel": "chat"}}));
    let defect = with_ground(|ground| message(ground, &key, &timeless, &[], None, false));
    assert_eq!(defect.unwrap_err().path, "attributes.sentAt");
}
