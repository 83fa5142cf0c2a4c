//! Answers that are lost, rows that are locked, sessions that end, processes that die.

use std::time::Duration;

use deskferry_core::error::ErrorKind;
use deskferry_core::key::RecordKind;
use deskferry_core::sink::Verdict;
use deskferry_rehearsal::fault::{Action, Rule};
use deskferry_sink_salesforce::{Mapping, Salesforce, SalesforceConfig};

use crate::bench::*;

const CREATED: [Verdict; 2] = [Verdict::Created, Verdict::Created];

fn writes(action: Action) -> Rule {
    Rule::new(action)
        .method("POST")
        .path("/composite/sobjects")
        .times(1)
}

#[tokio::test]
async fn rows_whose_answer_was_lost_are_found_and_not_sent_twice() {
    for action in [
        Action::CutAfterAct,
        Action::CutBody { after_bytes: 5 },
        Action::CutBefore,
        Action::Html { code: 502 },
        Action::status(500),
    ] {
        let bench = Bench::new().await;
        bench.org.faults().set(vec![writes(action.clone())]);
        let contacts = records([
            contact(1, "Ann Lee", "ann@example.org"),
            contact(2, "Bob Ray", "bob@example.org"),
        ]);
        assert_eq!(
            bench.load("contacts", contacts).await,
            CREATED,
            "{action:?}"
        );
        assert_eq!(bench.dump("Contact").len(), 2, "{action:?}");
    }
}

#[tokio::test]
async fn comments_whose_answer_was_lost_are_counted_once_the_request_can_no_longer_land() {
    for (action, sent_again) in [(Action::CutAfterAct, 0), (Action::CutBefore, 1)] {
        let bench = Bench::new().await;
        bench
            .load("cases", records([conversation(1), conversation(2)]))
            .await;
        bench
            .load("messages", records([note(1, 1, "Thanks")]))
            .await;
        bench.org.clear_requests();
        bench.org.faults().set(vec![writes(action.clone())]);
        let messages = records([
            note(2, 1, "Thanks"),
            note(3, 1, "Thanks"),
            note(4, 2, "Thanks"),
        ]);
        let verdicts = bench.load("messages", messages).await;
        assert_eq!(
            verdicts,
            [Verdict::Created, Verdict::Created, Verdict::Created],
            "{action:?}"
        );
        assert_eq!(bench.dump("CaseComment").len(), 4, "{action:?}");
        assert!(
            bench.clock.waited() >= Duration::from_secs(590),
            "the lost request could still land"
        );
        assert_eq!(
            bench.org.requests().count("POST", ""),
            1 + sent_again,
            "{action:?}: {:#?}",
            bench.org.requests().counts
        );
    }
}

#[tokio::test]
async fn files_whose_answer_was_lost_are_found() {
    for action in [Action::CutAfterAct, Action::CutBefore] {
        let bench = Bench::new().await;
        bench.load("cases", records([conversation(1)])).await;
        bench.blobs.put(&key(RecordKind::Attachment, 1), "bytes");
        bench.org.faults().set(vec![
            Rule::new(action.clone())
                .method("POST")
                .path("/sobjects/ContentVersion")
                .times(1),
        ]);
        assert_eq!(
            bench
                .load("files", records([attachment(1, 1, "a.txt")]))
                .await,
            [Verdict::Created],
            "{action:?}"
        );
        bench.only("ContentVersion");
    }
}

#[tokio::test]
async fn a_process_that_dies_between_answer_and_journal_finds_its_rows_again() {
    let mut bench = Bench::new().await;
    bench.load("cases", records([conversation(1)])).await;
    bench.blobs.put(&key(RecordKind::Attachment, 1), "bytes");
    let people = records([
        contact(1, "Ann Lee", "ann@example.org"),
        contact(2, "Bob Ray", "bob@example.org"),
    ]);
    let files = records([attachment(1, 1, "a.txt")]);
    let messages = records([
        mail(1, 1, "ann@example.org", "help@example.com"),
        note(2, 1, "Thanks"),
        note(3, 1, "Thanks"),
    ]);
    for (phase, records, objects) in [
        ("contacts", people, &["Contact"][..]),
        ("files", files, &["ContentVersion"][..]),
        ("messages", messages, &["EmailMessage", "CaseComment"][..]),
    ] {
        bench.journal.die_after_sending(true);
        let error = bench.try_load(phase, records.clone()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Storage);
        bench.journal.die_after_sending(false);
        bench.restarted();
        let verdicts = bench.load(phase, records.clone()).await;
        assert!(
            verdicts.iter().all(|v| *v == Verdict::Created),
            "{phase}: {verdicts:?}"
        );
        let rows: usize = objects.iter().map(|object| bench.dump(object).len()).sum();
        assert_eq!(rows, records.len(), "{phase}");
    }
}

#[tokio::test]
async fn rows_of_an_earlier_pass_are_known_by_their_batch_mark() {
    let mut bench = Bench::new().await;
    let contacts = records([contact(1, "Ann Lee", "ann@example.org")]);
    bench.load("contacts", contacts.clone()).await;
    bench.journal = std::sync::Arc::new(TestJournal::new("mark-0"));
    assert_eq!(
        bench.load("contacts", contacts.clone()).await,
        [Verdict::Created],
        "the same pass"
    );
    bench.journal = std::sync::Arc::new(TestJournal::new("mark-1"));
    assert_eq!(
        bench.load("contacts", contacts.clone()).await,
        [Verdict::Created],
        "an earlier pass of this target"
    );
    bench.journal = std::sync::Arc::new(TestJournal::new("other-1"));
    assert_eq!(
        bench.load("contacts", contacts).await,
        [Verdict::Unchanged(String::new())],
        "another target"
    );
    bench.only("Contact");
}

#[tokio::test]
async fn locked_rows_are_sent_again_apart_from_the_others() {
    let bench = Bench::new().await;
    bench
        .load("cases", records([conversation(1), conversation(2)]))
        .await;
    let locked = bench.dump("Case")[0]["Id"].as_str().unwrap().to_owned();
    bench.org.faults().set(vec![
        Rule::new(Action::named("lock-row"))
            .path(locked.clone())
            .times(5),
    ]);
    let messages = records([note(1, 1, "a"), note(2, 2, "b"), note(3, 1, "c")]);
    let verdicts = bench.load("messages", messages).await;
    assert!(
        verdicts.iter().all(|v| *v == Verdict::Created),
        "{verdicts:?}"
    );
    assert_eq!(bench.dump("CaseComment").len(), 3);
    bench
        .org
        .faults()
        .set(vec![Rule::new(Action::named("lock-row")).path(locked)]);
    let verdicts = bench
        .load(
            "messages",
            records([note(4, 1, "never"), note(5, 2, "at once")]),
        )
        .await;
    assert!(matches!(&verdicts[0], Verdict::Failed { code, .. } if code == "UNABLE_TO_LOCK_ROW"));
    assert_eq!(verdicts[1], Verdict::Created);
}

#[tokio::test]
async fn a_session_that_ends_is_renewed_and_the_request_sent_once_more() {
    let bench = Bench::with(|options| options.session_calls(4), "").await;
    let contacts = (1..=10).map(|n| contact(n, "Ann Lee", &format!("ann{n}@example.org")));
    for contact in contacts {
        assert_eq!(
            bench.load("contacts", records([contact])).await,
            [Verdict::Created]
        );
    }
    assert_eq!(bench.dump("Contact").len(), 10);
}

#[tokio::test]
async fn a_given_token_that_ended_is_said_so_and_never_shown() {
    let bench = Bench::new().await;
    let config = SalesforceConfig::builder(bench.org.url())
        .access_token("00Dold!hushhush")
        .build()
        .unwrap();
    let sink = Salesforce::new(config, Mapping::parse(Mapping::default_text()).unwrap()).unwrap();
    let error = deskferry_core::sink::Sink::check(&sink, &bench.cx)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Credentials);
    assert!(
        error.to_string().contains("SALESFORCE_ACCESS_TOKEN"),
        "{error}"
    );
    assert!(!format!("{error:?}{sink:?}").contains("hushhush"));
}

#[tokio::test]
async fn a_server_that_is_busy_is_asked_again() {
    let bench = Bench::new().await;
    let body = r#"[{"errorCode":"SERVER_UNAVAILABLE","message":"busy"}]"#.to_owned();
    let busy = Action::Status {
        code: 503,
        headers: Vec::new(),
        body,
        content_type: None,
    };
    bench.org.faults().set(vec![Rule {
        times: Some(2),
        ..writes(busy)
    }]);
    let contacts = records([
        contact(1, "Ann Lee", "ann@example.org"),
        contact(2, "Bob Ray", "bob@example.org"),
    ]);
    assert_eq!(bench.load("contacts", contacts).await, CREATED);
    assert_eq!(bench.dump("Contact").len(), 2);
}

#[tokio::test]
async fn used_up_requests_stop_the_run() {
    let bench = Bench::new().await;
    bench
        .load(
            "contacts",
            records([contact(1, "Ann Lee", "ann@example.org")]),
        )
        .await;
    let body =
        r#"[{"errorCode":"REQUEST_LIMIT_EXCEEDED","message":"TotalRequests Limit exceeded."}]"#
            .to_owned();
    let spent = Action::Status {
        code: 403,
        headers: Vec::new(),
        body,
        content_type: None,
    };
    bench.org.faults().set(vec![writes(spent)]);
    let error = bench
        .try_load(
            "contacts",
            records([contact(2, "Bob Ray", "bob@example.org")]),
        )
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Quota);
}
