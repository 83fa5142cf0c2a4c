//! What stands in the org after a load.

use deskferry_core::key::RecordKind;
use deskferry_core::model::*;
use deskferry_core::sink::{Sink, Verdict};
use deskferry_core::verify::Finding;
use serde_json::json;

use crate::bench::*;

fn unchanged(why: &str) -> Verdict {
    Verdict::Unchanged(why.into())
}

#[tokio::test]
async fn a_conversation_lands_with_its_people_files_and_messages_and_is_verified() {
    let bench = Bench::new().await;
    let target = bench.sink.check(&bench.cx).await.unwrap();
    assert_eq!(target.id, bench.org.org_id());

    let agents = records([
        agent(1, "Ben Agent", "Ben@example.org"),
        agent(2, "Left Long Ago", "nobody@example.org"),
    ]);
    assert_eq!(
        bench.load("agents", agents).await,
        [unchanged("matched"), Verdict::Skipped("no-user".into())]
    );
    let team = Team {
        meta: Meta::new(key(RecordKind::Team, 1)),
        name: "First line".into(),
    };
    assert_eq!(
        bench.load("values", records([team])).await,
        [Verdict::Skipped("kept-as-text".into())]
    );
    assert_eq!(
        bench
            .load("accounts", records([account(1, "Example", "example.org")]))
            .await,
        [Verdict::Created]
    );
    let mut ann = contact(1, "Ann Lee", "Ann@Example.org");
    ann.accounts = vec![key(RecordKind::Account, 1)];
    assert_eq!(
        bench.load("contacts", records([ann.clone()])).await,
        [Verdict::Created]
    );

    let mut first = conversation(1);
    first.requester = Some(key(RecordKind::Contact, 1));
    first.assignee = Some(key(RecordKind::Agent, 1));
    first.team = Some(key(RecordKind::Team, 1));
    let mut second = conversation(2);
    second.requester = Some(key(RecordKind::Agent, 2));
    second.assignee = Some(key(RecordKind::Agent, 2));
    let cases = records([first, second]);
    assert_eq!(
        bench.load("cases", cases.clone()).await,
        [Verdict::Created, Verdict::Created]
    );

    for (id, bytes) in [(1, "picture"), (2, "picture"), (3, "report"), (4, "")] {
        bench.blobs.put(&key(RecordKind::Attachment, id), bytes);
    }
    let files = records([
        attachment(1, 1, "logo.png"),
        attachment(2, 1, "again.png"),
        attachment(3, 1, "report.pdf"),
        attachment(4, 1, "empty.txt"),
        attachment(5, 1, "gone.txt"),
    ]);
    assert_eq!(
        bench.load("files", files.clone()).await,
        [
            Verdict::Created,
            unchanged("same-file"),
            Verdict::Created,
            Verdict::Skipped("empty-file".into()),
            Verdict::failed("UNAVAILABLE", "404 when it was read"),
        ]
    );

    let mut question = mail(1, 1, "ann@example.org", "help@example.com");
    question.author.key = Some(key(RecordKind::Contact, 1));
    question.body = Body {
        html: Some("<p>Hi <img src=\"cid:logo\"></p>".into()),
        text: None,
    };
    question.files = vec![
        file(1, "logo.png", Some("cid:logo")),
        file(4, "empty.txt", None),
        file(5, "gone.txt", None),
    ];
    let mut chat = note(2, 1, "Hello");
    chat.files = vec![file(3, "report.pdf", None), file(5, "gone.txt", None)];
    let mut internal = note(3, 1, "Careful");
    internal.direction = Direction::Internal;
    internal.author = Author {
        key: Some(key(RecordKind::Agent, 1)),
        role: AuthorRole::Agent,
        name: "Ben Agent".into(),
    };
    let earlier = records([question, chat, internal, note(4, 1, " ")]);
    assert_eq!(
        bench.load("messages", earlier.clone()).await,
        [
            Verdict::Created,
            Verdict::Created,
            Verdict::Created,
            Verdict::Skipped("empty-message".into())
        ]
    );
    let mut answer = mail(5, 1, "help@example.com", "ann@example.org");
    answer.direction = Direction::Out;
    answer.reply_to = Some(key(RecordKind::Message, 1));
    let later = records([answer]);
    assert_eq!(
        bench.load("messages", later.clone()).await,
        [Verdict::Created]
    );

    let contact = bench.only("Contact");
    assert_eq!(
        (
            &contact["FirstName"],
            &contact["LastName"],
            &contact["Email"]
        ),
        (&json!("Ann"), &json!("Lee"), &json!("ann@example.org"))
    );
    assert_eq!(contact["AccountId"], bench.only("Account")["Id"]);
    let cases_there = bench.dump("Case");
    assert_eq!(cases_there[0]["ContactId"], contact["Id"]);
    assert_eq!(cases_there[0]["Source_Team__c"], "First line");
    assert_eq!(
        cases_there[0]["CreatedDate"],
        "2021-03-04T05:06:07.000+0000"
    );
    assert_eq!(cases_there[0]["ClosedDate"], "2021-04-01T00:00:00.000+0000");
    assert_ne!(cases_there[0]["OwnerId"], bench.org.user_id());
    assert_eq!(
        cases_there[1]["OwnerId"],
        bench.org.user_id(),
        "the legacy owner"
    );
    assert_eq!(cases_there[1]["Original_Owner__c"], "Left Long Ago");
    assert_eq!(cases_there[1]["SuppliedEmail"], "nobody@example.org");
    assert_eq!(bench.dump("ContentVersion").len(), 2);

    let mails = bench.dump("EmailMessage");
    let version = bench.dump("ContentVersion")[0]["Id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        mails[0]["HtmlBody"],
        format!("<p>Hi <img src=\"/sfc/servlet.shepherd/version/download/{version}\"></p>")
    );
    assert_eq!(mails[0]["FromId"], contact["Id"]);
    assert_eq!(
        mails[0]["Source_Json__c"],
        "{\"files\":[{\"name\":\"empty.txt\",\"reason\":\"empty\"},{\"name\":\"gone.txt\",\"reason\":\"unavailable\"}]}"
    );
    assert_eq!(mails[1]["ReplyToEmailMessageId"], mails[0]["Id"]);
    assert_eq!(mails[1]["ToAddress"], json!(null), "Ann is linked by id");
    let comments = bench.dump("CaseComment");
    assert_eq!(
        comments[0]["CommentBody"],
        "Ann Lee (customer), 2021-03-04 05:06 UTC:\nHello\n[Files: report.pdf; gone.txt (unavailable)]"
    );
    assert_eq!(
        (&comments[1]["CommentBody"], &comments[1]["IsPublished"]),
        (&json!("Careful"), &json!(false))
    );
    assert_ne!(
        comments[1]["CreatedById"],
        bench.org.user_id(),
        "the note is its author's"
    );

    assert_eq!(bench.differences("contacts", records([ann])).await, [""; 0]);
    assert_eq!(bench.differences("cases", cases).await, [""; 0]);
    assert_eq!(bench.differences("files", files).await, [""; 0]);
    assert_eq!(bench.differences("messages", earlier).await, [""; 0]);
    assert_eq!(bench.differences("messages", later).await, [""; 0]);
}

#[tokio::test]
async fn cases_keep_their_parents_and_name_those_they_lost() {
    let bench = Bench::new().await;
    bench.load("cases", records([conversation(1)])).await;
    let mut child = conversation(2);
    child.parent = Some(key(RecordKind::Conversation, 1));
    let mut orphan = conversation(3);
    orphan.merged_into = Some(key(RecordKind::Conversation, 99));
    let children = records([child, orphan]);
    assert_eq!(
        bench.load("cases", children.clone()).await,
        [Verdict::Created, Verdict::Created]
    );
    let cases = bench.dump("Case");
    assert_eq!(cases[1]["ParentId"], cases[0]["Id"]);
    assert_eq!(
        cases[2]["Source_Parent_Key__c"],
        "kayako:acme:conversation:99"
    );
    assert_eq!(bench.differences("cases", children).await, [""; 0]);
}

#[tokio::test]
async fn each_part_of_a_split_mail_shows_its_own_body() {
    let bench = Bench::new().await;
    bench.load("cases", records([conversation(1)])).await;
    let long = |word: &str| Message {
        body: Body {
            html: Some(format!(
                "<p>{}</p>",
                format!("<b>{word}</b> ").repeat(20_000)
            )),
            text: None,
        },
        ..mail(2, 1, "ann@example.org", "help@example.com")
    };
    let mut batch = bench.batch("messages", records([long("first")])).await;
    let mut second = batch.records[0].clone();
    second.part = 1;
    second.record = long("second").into();
    batch.records.push(second);
    let outcomes = bench.sink.write(&bench.cx, batch.clone()).await.unwrap();
    assert!(outcomes.iter().all(|o| o.verdict == Verdict::Created));
    let documents = |object: &str, mail: &str| -> Vec<String> {
        let links = bench.dump(object);
        let mine = links.iter().filter(|link| link["LinkedEntityId"] == mail);
        mine.map(|link| link["ContentDocumentId"].as_str().unwrap().to_owned())
            .collect()
    };
    let mails = bench.dump("EmailMessage");
    assert_eq!(mails.len(), 2);
    let shown: Vec<Vec<String>> = mails
        .iter()
        .map(|mail| documents("ContentDocumentLink", mail["Id"].as_str().unwrap()))
        .collect();
    assert!(
        shown.iter().all(|documents| documents.len() == 1),
        "{shown:?}"
    );
    assert_ne!(shown[0], shown[1]);
    bench
        .journal
        .memory
        .finish(batch.records[0].id, Verdict::Created);
    let checked = bench
        .sink
        .as_verify()
        .unwrap()
        .verify(&bench.cx, batch)
        .await
        .unwrap();
    let lists = checked.iter().filter(|c| c.field == "ContentDocumentIds");
    assert!(lists.clone().all(|c| c.finding == Finding::Equal) && lists.count() == 2);
}

#[tokio::test]
async fn texts_that_are_too_long_are_split_or_become_files() {
    let bench = Bench::new().await;
    bench.load("cases", records([conversation(1)])).await;
    let chat = note(1, 1, &"A sentence & more. ".repeat(500));
    let mut long = mail(2, 1, "ann@example.org", "help@example.com");
    long.body = Body {
        html: Some(format!("<p>{}</p>", "<b>x</b> ".repeat(20_000))),
        text: None,
    };
    let mut subject = conversation(2);
    subject.subject = "ß".repeat(300);
    assert_eq!(
        bench.load("cases", records([subject.clone()])).await,
        [Verdict::Created]
    );
    let messages = records([chat, long]);
    assert_eq!(
        bench.load("messages", messages.clone()).await,
        [Verdict::Created, Verdict::Created]
    );
    let comments = bench.dump("CaseComment");
    assert!(comments.len() > 2);
    for (i, comment) in comments.iter().enumerate() {
        let head = format!("[{}/{}] ", i + 1, comments.len());
        assert!(comment["CommentBody"].as_str().unwrap().starts_with(&head));
        assert_eq!(
            comment["CreatedDate"],
            format!("2021-03-04T05:06:{:02}.000+0000", 7 + i)
        );
    }
    let mail = bench.only("EmailMessage");
    assert_eq!(mail.get("HtmlBody"), None);
    assert!(
        mail["TextBody"]
            .as_str()
            .unwrap()
            .ends_with("[The whole message: message-2.html]")
    );
    let version = bench.only("ContentVersion");
    assert_eq!(version["PathOnClient"], "message-2.html");
    let case = &bench.dump("Case")[1];
    assert_eq!(case["Subject"], "ß".repeat(255));
    assert_eq!(
        case["Source_Json__c"],
        format!("{{\"cut.Subject\":\"{}\"}}", "ß".repeat(300))
    );
    assert_eq!(bench.differences("messages", messages).await, [""; 0]);
    assert_eq!(
        bench.differences("cases", records([subject])).await,
        [""; 0]
    );
}

#[tokio::test]
async fn custom_fields_are_converted_or_kept() {
    let lines = "Score__c = { from = \"custom.score\", create = { type = \"Number\", precision = 5, scale = 2 } }\n\
                 Vip__c = { from = \"custom.vip\", create = { type = \"Checkbox\" } }\n\
                 Due__c = { from = \"custom.due\", create = { type = \"Date\" } }";
    let bench = Bench::with(|options| options, lines).await;
    bench.sink.check(&bench.cx).await.unwrap();
    let mut fits = conversation(1);
    fits.meta.custom = CustomValues::from([
        ("score".into(), CustomValue::Number("3.5".into())),
        ("vip".into(), CustomValue::Bool(true)),
        ("due".into(), CustomValue::Text("2021-03-04".into())),
        (
            "other".into(),
            CustomValue::Choices(vec!["a".into(), "b".into()]),
        ),
    ]);
    let mut unfit = conversation(2);
    unfit.meta.custom = CustomValues::from([("score".into(), CustomValue::Text("high".into()))]);
    let cases = records([fits, unfit]);
    assert_eq!(
        bench.load("cases", cases.clone()).await,
        [Verdict::Created, Verdict::Created]
    );
    let there = bench.dump("Case");
    assert_eq!(
        (
            &there[0]["Score__c"],
            &there[0]["Vip__c"],
            &there[0]["Due__c"]
        ),
        (&json!(3.5), &json!(true), &json!("2021-03-04"))
    );
    assert_eq!(
        there[0]["Source_Json__c"],
        "{\"custom.other\":[\"a\",\"b\"]}"
    );
    assert_eq!(there[1]["Source_Json__c"], "{\"unfit.Score__c\":\"high\"}");
    assert_eq!(bench.differences("cases", cases).await, [""; 0]);
}

#[tokio::test]
async fn an_org_that_keeps_its_dates_to_itself_is_said_so_and_still_verified() {
    let bench = Bench::with(|options| options.audit_fields(false), "").await;
    let target = bench.sink.check(&bench.cx).await.unwrap();
    assert!(
        target
            .warnings
            .iter()
            .any(|w| w.contains("CreatedDate cannot be set")),
        "{:?}",
        target.warnings
    );
    bench
        .load(
            "agents",
            records([agent(1, "Ben Agent", "ben@example.org")]),
        )
        .await;
    let cases = records([conversation(1)]);
    bench.load("cases", cases.clone()).await;
    let mut chat = note(1, 1, "Done");
    chat.author = Author {
        key: Some(key(RecordKind::Agent, 1)),
        role: AuthorRole::Agent,
        name: "Ben Agent".into(),
    };
    let messages = records([
        Record::from(chat),
        mail(2, 1, "ann@example.org", "help@example.com").into(),
    ]);
    assert_eq!(
        bench.load("messages", messages.clone()).await,
        [Verdict::Created, Verdict::Created]
    );
    assert_eq!(
        bench.only("Case")["Original_Closed_Date__c"],
        "2021-04-01T00:00:00.000+0000"
    );
    assert_eq!(
        bench.only("CaseComment")["CommentBody"],
        "Ben Agent (agent), 2021-03-04 05:06 UTC:\nDone"
    );
    assert_eq!(bench.differences("cases", cases).await, [""; 0]);
    assert_eq!(bench.differences("messages", messages).await, [""; 0]);
}

#[tokio::test]
async fn two_hundred_rows_take_one_request() {
    let bench = Bench::new().await;
    bench.sink.check(&bench.cx).await.unwrap();
    bench.org.clear_requests();
    bench
        .load("cases", records((1..=200).map(conversation)))
        .await;
    bench
        .load(
            "messages",
            records((1..=200).map(|n| mail(n, n, "ann@example.org", "help@example.com"))),
        )
        .await;
    bench
        .load(
            "messages",
            records((201..=400).map(|n| note(n, n - 200, "Hello"))),
        )
        .await;
    assert_eq!(
        bench.org.requests().total,
        3,
        "{:#?}",
        bench.org.requests().counts
    );
}
