//! What conversations and people carry beside their words: figures, ratings, further owners, groups, addresses.

use deskferry_core::key::RecordKind;
use deskferry_core::model::*;
use deskferry_core::sink::{Sink, Verdict};
use serde_json::{Value, json};

use crate::bench::*;

fn measured(id: u32) -> Conversation {
    Conversation {
        segment: Some("Gold & silver".into()),
        also_assigned: vec![key(RecordKind::Agent, 1), key(RecordKind::Agent, 9)],
        also_teams: vec![key(RecordKind::Team, 1)],
        satisfaction: Some(Satisfaction {
            raw: "4.5 stars".into(),
            score: Some("4.5".into()),
            at: Some(at("2021-04-02T00:00:00Z")),
            comment: Some("Quick!".into()),
        }),
        figures: Figures {
            first_response_at: Some(at("2021-03-04T06:00:00Z")),
            first_response_seconds: Some(600),
            resolved_at: Some(at("2021-03-31T00:00:00Z")),
            due_at: Some(at("2021-03-05T00:00:00Z")),
            breached: Some(true),
            sla: Some("Gold".into()),
            last_activity_at: Some(at("2021-05-01T00:00:00Z")),
            messages: Some(12),
            reopened: Some(0),
            wait_seconds: Some(30),
            handle_seconds: Some(3_600),
            wrap_up_seconds: None,
        },
        ..conversation(id)
    }
}

#[tokio::test]
async fn a_case_carries_the_figures_of_its_conversation_and_an_unknown_one_is_not_nought() {
    let bench = Bench::new().await;
    bench.sink.check(&bench.cx).await.unwrap();
    let ben = records([agent(1, "Ben Agent", "ben@example.org")]);
    bench.load("agents", ben).await;
    let team = Team {
        meta: Meta::new(key(RecordKind::Team, 1)),
        name: "First line".into(),
    };
    bench.load("values", records([team])).await;
    let mut kept = measured(2);
    kept.figures = Figures {
        breached: Some(false),
        ..Figures::default()
    };
    let cases = records([measured(1), kept, conversation(3)]);
    assert_eq!(
        bench.load("cases", cases.clone()).await,
        vec![Verdict::Created; 3]
    );
    let rows = bench.dump("Case");
    let expected = [
        ("CSAT_Score__c", json!(4.5)),
        ("CSAT_Date__c", json!("2021-04-02T00:00:00.000+0000")),
        ("CSAT_Comment__c", json!("Quick!")),
        ("Source_Segment__c", json!("Gold & silver")),
        (
            "Source_Also_Assigned__c",
            json!("Ben Agent\nkayako:acme:agent:9"),
        ),
        ("Source_Also_Teams__c", json!("First line")),
        (
            "First_Response_Date__c",
            json!("2021-03-04T06:00:00.000+0000"),
        ),
        ("First_Response_Seconds__c", json!(600)),
        (
            "Original_Resolved_Date__c",
            json!("2021-03-31T00:00:00.000+0000"),
        ),
        (
            "Original_Due_Date__c",
            json!("2021-03-05T00:00:00.000+0000"),
        ),
        ("SLA_Breached__c", json!("Yes")),
        ("Source_SLA__c", json!("Gold")),
        (
            "Last_Activity_Date__c",
            json!("2021-05-01T00:00:00.000+0000"),
        ),
        ("Message_Count__c", json!(12)),
        ("Reopened_Count__c", json!(0)),
        ("Wait_Time_Seconds__c", json!(30)),
        ("Handle_Time_Seconds__c", json!(3_600)),
        ("Wrap_Up_Seconds__c", Value::Null),
    ];
    for (field, value) in expected {
        let found = rows[0].get(field).unwrap_or(&Value::Null);
        let same = match (found.as_f64(), value.as_f64()) {
            (Some(found), Some(value)) => found == value,
            _ => *found == value,
        };
        assert!(same, "{field}: {found} instead of {value}");
    }
    assert_eq!(rows[1]["SLA_Breached__c"], "No");
    assert_eq!(rows[2].get("SLA_Breached__c"), None);
    assert_eq!(rows[2].get("Message_Count__c"), None);
    assert_eq!(bench.differences("cases", cases).await, [""; 0]);
}

#[tokio::test]
async fn a_contact_carries_its_sort_its_groups_and_all_its_addresses() {
    let bench = Bench::new().await;
    let address = |street: &[&str], city: &str| Address {
        street: street.iter().map(|line| (*line).to_owned()).collect(),
        city: city.into(),
        state: String::new(),
        postal_code: "1234".into(),
        country: "Norway".into(),
    };
    let mut ann = contact(1, "Ann Lee", "ann@example.org");
    ann.kind = Some("prospect".into());
    ann.groups = vec!["Beta".into(), "Partners".into()];
    ann.tags = vec!["vip".into()];
    ann.addresses = vec![
        address(&["Storgata 1", "c/o Lee"], "Oslo"),
        address(&["Havna 2"], "Bergen"),
    ];
    let people = records([ann]);
    assert_eq!(
        bench.load("contacts", people.clone()).await,
        [Verdict::Created]
    );
    let row = bench.only("Contact");
    for (field, value) in [
        ("Customer_Type__c", "prospect"),
        ("Source_Groups__c", "Beta\nPartners"),
        ("Source_Tags__c", "|vip|"),
        ("MailingStreet", "Storgata 1\nc/o Lee"),
        ("MailingCity", "Oslo"),
        ("MailingPostalCode", "1234"),
        ("MailingCountry", "Norway"),
        ("Other_Addresses__c", "Havna 2, 1234, Bergen, Norway"),
    ] {
        assert_eq!(row[field], value, "{field}");
    }
    assert_eq!(row.get("MailingState"), None);
    assert_eq!(bench.differences("contacts", people).await, [""; 0]);
}
