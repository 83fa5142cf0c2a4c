//! Messages that are no mails, by the policy of the mapping.

use deskferry_core::key::RecordKind;
use deskferry_core::model::*;
use deskferry_core::sink::{Sink, Verdict};
use deskferry_sink_salesforce::Mapping;
use serde_json::{Value, json};

use crate::bench::*;

const OBJECT: &str = "Conversation_Message__c";

fn mapping(policy: &str) -> String {
    let shipped = "[policy]\nchat = \"case-comment\"";
    assert!(Mapping::default_text().contains(shipped));
    let text =
        Mapping::default_text().replace(shipped, "[policy]\nchat = \"conversation-message\"");
    text.replace("[Account]\n", &format!("{policy}\n[Account]\n"))
}

async fn bench(policy: &str) -> Bench {
    let bench = Bench::mapped(|options| options, &mapping(policy)).await;
    bench.sink.check(&bench.cx).await.unwrap();
    let ben = records([agent(1, "Ben Agent", "ben@example.org")]);
    bench.load("agents", ben).await;
    let ann = records([contact(1, "Ann Lee", "ann@example.org")]);
    bench.load("contacts", ann).await;
    bench.load("cases", records([conversation(1)])).await;
    bench
}

fn on(channel: ChannelKind, raw: &str, message: Message) -> Message {
    Message {
        channel: Named::new(channel, raw),
        ..message
    }
}

fn by(kind: RecordKind, role: AuthorRole, name: &str) -> Author {
    Author {
        key: Some(key(kind, 1)),
        role,
        name: name.into(),
    }
}

#[tokio::test]
async fn a_chat_that_is_an_object_of_its_own_loses_nothing() {
    let bench = bench("").await;
    let mut said = on(ChannelKind::Whatsapp, "WA", note(1, 1, ""));
    said.author = by(RecordKind::Contact, AuthorRole::Customer, "Ann Lee");
    said.body = Body {
        html: Some("<p>Hello <b>you</b> &amp; me</p>".into()),
        text: None,
    };
    said.meta
        .custom
        .insert("mood".into(), CustomValue::Text("cheerful".into()));
    let mut call = on(ChannelKind::Voice, "PHONE", note(2, 1, ""));
    call.direction = Direction::Out;
    call.author = by(RecordKind::Agent, AuthorRole::Agent, "Ben Agent");
    call.body = Body::default();
    call.call = Some(Call {
        seconds: Some(125),
        disposition: Some("answered".into()),
        from: Some("+47 22 00 00 00".into()),
        to: Some("+47 99 00 00 00".into()),
        recording: Some("https://example.org/recordings/2".into()),
    });
    let nothing = note(3, 1, " ");
    let messages = records([said, call, nothing]);
    assert_eq!(
        bench.load("messages", messages.clone()).await,
        [
            Verdict::Created,
            Verdict::Created,
            Verdict::Skipped("empty-message".into())
        ]
    );
    assert_eq!(bench.dump("CaseComment"), [Value::Null; 0]);
    let rows = bench.dump(OBJECT);
    let case = bench.only("Case")["Id"].clone();
    let contact = bench.only("Contact")["Id"].clone();
    for (row, field, value) in [
        (0, "Case__c", case.clone()),
        (0, "Author_Contact__c", contact),
        (0, "Author_Name__c", json!("Ann Lee")),
        (0, "Author_Role__c", json!("customer")),
        (0, "Direction__c", json!("Incoming")),
        (0, "Channel__c", json!("whatsapp")),
        (0, "Body__c", json!("Hello you & me")),
        (0, "Body_Html__c", json!("<p>Hello <b>you</b> &amp; me</p>")),
        (0, "Sent_At__c", json!("2021-03-04T05:06:07.000+0000")),
        (0, "CreatedDate", json!("2021-03-04T05:06:07.000+0000")),
        (0, "Source_Key__c", json!("kayako:acme:message:1")),
        (0, "Source_Json__c", json!("{\"custom.mood\":\"cheerful\"}")),
        (0, "Migration_Batch__c", json!("mark-0")),
        (1, "Case__c", case),
        (1, "Direction__c", json!("Outgoing")),
        (1, "Call_Disposition__c", json!("answered")),
        (1, "Call_From__c", json!("+47 22 00 00 00")),
        (1, "Call_To__c", json!("+47 99 00 00 00")),
        (
            1,
            "Call_Recording__c",
            json!("https://example.org/recordings/2"),
        ),
    ] {
        assert_eq!(rows[row][field], value, "{row} {field}");
    }
    assert_eq!(rows[1]["Call_Seconds__c"].as_f64(), Some(125.0));
    assert!(rows[1]["Author_User__c"].is_string());
    assert_eq!(
        bench.differences("messages", messages.clone()).await,
        [""; 0]
    );
    // Once more, as after a crash: nothing twice.
    bench.load("messages", messages).await;
    assert_eq!(bench.dump(OBJECT).len(), 2);
}

#[tokio::test]
async fn each_channel_goes_its_own_way_and_notes_stay_notes() {
    let bench =
        bench("[policy.channels]\nwhatsapp = \"email_message\"\nsms = \"case-comment\"").await;
    let mut whatsapp = on(ChannelKind::Whatsapp, "WA", note(1, 1, "Hi there"));
    whatsapp.author = by(RecordKind::Contact, AuthorRole::Customer, "Ann Lee");
    let mut internal = on(ChannelKind::Whatsapp, "WA", note(3, 1, "Mind this one"));
    internal.direction = Direction::Internal;
    let messages = records([
        whatsapp,
        on(ChannelKind::Sms, "SMS", note(2, 1, "By text")),
        internal,
        on(ChannelKind::Telegram, "TG", note(4, 1, "By chat")),
        mail(5, 1, "ann@example.org", "help@example.com"),
    ]);
    assert_eq!(
        bench.load("messages", messages.clone()).await,
        vec![Verdict::Created; 5]
    );
    let mails = bench.dump("EmailMessage");
    assert_eq!(mails.len(), 2);
    assert_eq!(mails[0]["Subject"], "[whatsapp]");
    assert_eq!(mails[0]["TextBody"], "Hi there");
    assert_eq!(mails[0]["FromName"], "Ann Lee");
    assert_eq!(mails[0].get("FromAddress"), None);
    let comments = bench.dump("CaseComment");
    let published: Vec<_> = comments
        .iter()
        .map(|c| c["IsPublished"].as_bool())
        .collect();
    assert_eq!(published, [Some(true), Some(false)]);
    assert_eq!(bench.only(OBJECT)["Body__c"], "By chat");
    assert_eq!(bench.differences("messages", messages).await, [""; 0]);
}

#[tokio::test]
async fn posts_are_split_at_their_own_limit_and_found_again_by_what_they_say() {
    let text = Mapping::default_text()
        .replace("chat = \"case-comment\"", "chat = \"feed-item\"")
        .replace("notes = \"case-comment\"", "notes = \"feed_item\"");
    let mut bench = Bench::mapped(|options| options.feed_system_fields(true), &text).await;
    bench.sink.check(&bench.cx).await.unwrap();
    bench.load("cases", records([conversation(1)])).await;
    let mut said = on(ChannelKind::Whatsapp, "WA", note(1, 1, "Hi there"));
    said.author.name = "Ann Lee".into();
    let long = "A sentence of some length. ".repeat(500);
    let mut internal = note(2, 1, &long);
    internal.direction = Direction::Internal;
    let messages = records([said, internal]);
    // The process dies after the rows were sent: whoever comes back finds them.
    bench.journal.die_after_sending(true);
    assert!(bench.try_load("messages", messages.clone()).await.is_err());
    bench.journal.die_after_sending(false);
    bench.remapped(&text);
    assert_eq!(
        bench.load("messages", messages.clone()).await,
        vec![Verdict::Created; 2]
    );
    let posts = bench.dump("FeedItem");
    let bodies: Vec<&str> = posts.iter().map(|p| p["Body"].as_str().unwrap()).collect();
    assert_eq!(bodies.len(), 3, "{bodies:#?}");
    assert_eq!(
        bodies[0],
        "Ann Lee (customer), 2021-03-04 05:06 UTC:\nHi there"
    );
    assert!(bodies[1].starts_with("[1/2] ") && bodies[2].starts_with("[2/2] "));
    let seen_by: Vec<&Value> = posts.iter().map(|post| &post["Visibility"]).collect();
    assert_eq!(seen_by, ["AllUsers", "InternalUsers", "InternalUsers"]);
    let dates: Vec<&Value> = posts.iter().map(|post| &post["CreatedDate"]).collect();
    assert_eq!(dates[1], "2021-03-04T05:06:07.000+0000");
    assert_eq!(dates[2], "2021-03-04T05:06:08.000+0000");
    assert_eq!(bench.differences("messages", messages).await, [""; 0]);
    assert_eq!(bench.dump("CaseComment"), [Value::Null; 0]);
}
