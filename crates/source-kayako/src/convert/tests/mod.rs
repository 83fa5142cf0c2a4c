//! The reference's examples as canonical records.

mod posts;

use deskferry_core::model::{
    ChannelKind, CustomValue, FieldType, PriorityLevel, Record, StatusState,
};
use deskferry_core::{RecordKey, RecordKind, Tenant};
use serde_json::value::RawValue;

use super::*;
use crate::client::FieldOwner;
use crate::wire::tests::{CASES, FIELDS, ORGANIZATIONS, USERS, rows};
use crate::wire::{self, Case, Field, FieldValue, Ref, decode};

fn tenant() -> Tenant {
    Tenant::new("kayako", "acme")
}

fn definitions() -> Definitions {
    let mut definitions = Definitions::default();
    for row in rows(FIELDS) {
        let field: Field = decode(&row).unwrap();
        for owner in FieldOwner::ALL {
            definitions.learn(owner, &field, Some("en-us"));
        }
    }
    definitions
}

fn key(text: &str) -> RecordKey {
    RecordKey::parse(text).unwrap()
}

fn value(field: u64, value: &str) -> FieldValue {
    let field = Ref {
        id: Some(field.to_string()),
        ..Ref::default()
    };
    FieldValue {
        field: Some(field),
        value: value.to_owned(),
    }
}

#[test]
fn custom_values_are_decoded_by_the_type_of_their_field() {
    let text = |text: &str| CustomValue::Text(text.to_owned());
    let choice = |text: &str| CustomValue::Choice(text.to_owned());
    let day = |text: &str| CustomValue::Date(text.parse().unwrap());
    let cases = [
        (
            12,
            "7,8",
            "affected_parts",
            CustomValue::Choices(vec!["Gehäuse".into(), "Shaft, long".into()]),
        ),
        (
            12,
            "9, 10,999",
            "affected_parts",
            CustomValue::Choices(vec!["by_tag".into(), "10".into(), "999".into()]),
        ),
        (13, "11", "menu", choice("Food > Warm > Soup")),
        (17, "30", "area", choice("Mills")),
        (17, "31", "area", choice("31")),
        (14, "3.50", "cost", CustomValue::Number("3.50".into())),
        (14, "-2", "cost", CustomValue::Number("-2".into())),
        (14, "3,50", "cost", text("3,50")),
        (14, "1e5", "cost", text("1e5")),
        (15, "yes", "warranty", CustomValue::Bool(true)),
        (15, "no", "warranty", CustomValue::Bool(false)),
        (15, "maybe", "warranty", text("maybe")),
        (16, "2021-10-12T00:00:00+00:00", "bought", day("2021-10-12")),
        (16, "2021-10-12T23:30:00-08:00", "bought", day("2021-10-12")),
        (16, "2021-10-12", "bought", day("2021-10-12")),
        (16, "12.10.2021", "bought", text("12.10.2021")),
        (18, "8831", "scan", text("8831")),
        (19, "shimmer", "field-19", text("shimmer")),
        (99, "left over", "field-99", text("left over")),
    ];
    let definitions = definitions();
    for (field, raw, name, expected) in cases {
        let values = definitions.values(FieldOwner::Case, &[value(field, raw)]);
        assert_eq!(
            values.into_iter().collect::<Vec<_>>(),
            [(name.to_owned(), expected)],
            "{field} {raw}"
        );
    }
    assert!(
        definitions
            .values(FieldOwner::Case, &[value(1, "system"), value(12, "")])
            .is_empty()
    );
}

#[test]
fn definitions_keep_key_type_and_options_in_their_order() {
    let fields: Vec<Field> = rows(FIELDS)
        .iter()
        .map(|row| decode(row).unwrap())
        .collect();
    let parts = definition(&tenant(), FieldOwner::Case, &fields[1], Some("en-us"));
    assert_eq!(parts.meta.key, key("kayako:acme:field-definition:case-12"));
    assert_eq!(
        (parts.field.as_str(), parts.title.as_str(), parts.holds),
        ("affected_parts", "Affected parts", FieldType::Choices)
    );
    assert_eq!(parts.options, ["Gehäuse", "Shaft, long", "by_tag", "10"]);
    assert!(parts.active);
    let menu = definition(&tenant(), FieldOwner::User, &fields[2], None);
    assert_eq!(
        (menu.of, menu.active, menu.options.as_slice()),
        (
            RecordKind::Contact,
            false,
            &["Food > Warm > Soup".to_owned()][..]
        )
    );
}

#[test]
fn a_case_becomes_a_conversation() {
    let cases: Vec<Case> = rows(CASES).iter().map(|row| decode(row).unwrap()).collect();
    let people = CasePeople {
        requester: Some(key("kayako:acme:contact:91")),
        assignee: Some(key("kayako:acme:agent:5")),
        merged_into: Some(tenant().key(RecordKind::Conversation, 3)),
    };
    let first = conversation(&tenant(), &definitions(), &cases[0], people);
    assert_eq!(first.meta.key, key("kayako:acme:conversation:4711"));
    assert_eq!(
        first.meta.url.as_deref(),
        Some("https://acme.example/api/v1/cases/4711")
    );
    assert_eq!(
        (first.number.as_str(), first.subject.as_str()),
        ("4711", "Grinder is noisy")
    );
    assert_eq!(first.requester, Some(key("kayako:acme:contact:91")));
    assert_eq!(first.assignee, Some(key("kayako:acme:agent:5")));
    assert_eq!(first.team, Some(key("kayako:acme:team:1")));
    assert_eq!(
        (first.status.is, first.status.raw.as_str()),
        (StatusState::Pending, "Pending")
    );
    assert_eq!(
        (first.channel.is, first.kind.as_deref(), first.priority),
        (ChannelKind::Email, Some("Question"), None)
    );
    assert_eq!(
        (first.tags, first.closed_at),
        (vec!["grinder".to_owned()], None)
    );

    let second = conversation(&tenant(), &definitions(), &cases[1], CasePeople::default());
    assert_eq!(
        second.meta.created_at.unwrap().to_rfc3339(),
        "2023-01-01T08:00:00+00:00"
    );
    assert_eq!(
        second.closed_at.unwrap().to_rfc3339(),
        "2023-01-02T08:00:00+00:00"
    );
    assert_eq!(second.account, Some(key("kayako:acme:account:31")));
    assert_eq!(second.priority.unwrap().is, PriorityLevel::Urgent);
    assert_eq!(second.satisfaction.unwrap().raw, "GOOD");
    assert_eq!(
        (second.channel.is, second.channel.raw.as_str()),
        (ChannelKind::Other, "")
    );
    let custom: Vec<_> = second.meta.custom.keys().map(String::as_str).collect();
    assert_eq!(custom, ["field-99", "legacy_id"]);
}

#[test]
fn statuses_and_priorities_keep_the_label_beside_the_meaning() {
    let with = |json: &str| {
        let row = RawValue::from_string(format!(
            r#"{{"id":1,"last_completed_at":"2023-01-02T07:00:00+00:00",{json}}}"#
        ))
        .unwrap();
        conversation(
            &tenant(),
            &Definitions::default(),
            &decode(&row).unwrap(),
            CasePeople::default(),
        )
    };
    let statuses = [
        ("NEW", "New", StatusState::New),
        ("OPEN", "In work", StatusState::Open),
        ("PENDING", "Pending", StatusState::Pending),
        ("COMPLETED", "Done", StatusState::Resolved),
        ("CLOSED", "Closed", StatusState::Closed),
        ("CUSTOM", "Waits for parts", StatusState::Other),
        ("UNHEARD_OF", "Limbo", StatusState::Other),
    ];
    for (kind, label, is) in statuses {
        let found = with(&format!(
            r#""status":{{"id":9,"label":"{label}","type":"{kind}"}}"#
        ));
        assert_eq!(
            (found.status.is, found.status.raw.as_str()),
            (is, label),
            "{kind}"
        );
        assert_eq!(
            found.closed_at.is_some(),
            matches!(is, StatusState::Resolved | StatusState::Closed),
            "{kind}"
        );
    }
    let priorities = [
        (
            r#"{"label":"Lowest","level":0}"#,
            PriorityLevel::Low,
            "Lowest",
        ),
        (r#"{"label":"Low","level":1}"#, PriorityLevel::Low, "Low"),
        (
            r#"{"label":"Normal","level":"2"}"#,
            PriorityLevel::Normal,
            "Normal",
        ),
        (r#"{"label":"High","level":3}"#, PriorityLevel::High, "High"),
        (
            r#"{"label":"Line stands","level":7}"#,
            PriorityLevel::Urgent,
            "Line stands",
        ),
        (
            r#"{"label":"Urgent","level":null}"#,
            PriorityLevel::Urgent,
            "Urgent",
        ),
        (
            r#"{"id":6,"label":"","level":2}"#,
            PriorityLevel::Normal,
            "6",
        ),
    ];
    for (json, is, raw) in priorities {
        let found = with(&format!(r#""priority":{json}"#)).priority.unwrap();
        assert_eq!((found.is, found.raw.as_str()), (is, raw), "{json}");
    }
}

#[test]
fn users_are_agents_or_contacts_by_the_type_of_their_role() {
    for (kind, in_teams, is) in [
        ("OWNER", false, Person::Agent),
        ("admin", false, Person::Agent),
        ("AGENT", false, Person::Agent),
        ("COLLABORATOR", false, Person::Agent),
        ("CUSTOMER", true, Person::Contact),
        ("SOMETHING_NEW", true, Person::Agent),
        ("", false, Person::Contact),
    ] {
        assert_eq!(Person::of_role(kind, in_teams), is, "{kind}");
    }
    let users: Vec<wire::User> = rows(USERS).iter().map(|row| decode(row).unwrap()).collect();
    let Record::Contact(ada) = person(&tenant(), &definitions(), &users[0], Person::Contact) else {
        panic!("a contact")
    };
    let addresses: Vec<_> = ada
        .emails
        .iter()
        .map(|email| (email.address.as_str(), email.verified))
        .collect();
    assert_eq!(
        addresses,
        [
            ("Ada@example.org", Some(true)),
            ("ada.private@example.org", Some(false))
        ]
    );
    let handles: Vec<_> = ada
        .handles
        .iter()
        .map(|h| (h.network.as_str(), h.name.as_str(), h.id.as_deref()))
        .collect();
    assert_eq!(
        handles,
        [
            ("twitter", "ada", Some("1122334455667788990")),
            ("facebook", "99", Some("99"))
        ]
    );
    assert_eq!(ada.accounts, [key("kayako:acme:account:31")]);
    assert_eq!(
        (
            ada.title.as_deref(),
            ada.locale.as_deref(),
            ada.phones.len()
        ),
        (Some("Millwright"), Some("2"), 1)
    );
    assert_eq!(
        ada.meta.custom.get("legacy_id"),
        Some(&CustomValue::Text("17".into()))
    );
    let Record::Agent(ann) = person(&tenant(), &definitions(), &users[1], Person::Agent) else {
        panic!("an agent")
    };
    assert_eq!(
        (
            ann.active,
            ann.role.as_str(),
            ann.teams.len(),
            ann.emails.len()
        ),
        (false, "AGENT", 2, 1)
    );
    assert_eq!(unexpanded(&users[0]), 0);
}

#[test]
fn an_organisation_becomes_an_account_with_its_primary_things_first() {
    let row: wire::Organization = decode(&rows(ORGANIZATIONS)[0]).unwrap();
    let account = account(&tenant(), &definitions(), &row);
    assert_eq!(account.phones, ["+43 2 0000", "+43 2 1111"]);
    assert_eq!(account.addresses[0].street, ["New road 2", "Hall B"]);
    assert_eq!(account.addresses[0].postal_code, "4020");
    assert_eq!(account.addresses[1].street, ["Old road 1"]);
    assert_eq!(
        (account.domains, account.websites),
        (
            vec!["mill.example".to_owned()],
            vec!["https://www.mill.example".to_owned()]
        )
    );
}
