//! Servers that stumble, tokens that end and rows that are broken.

use std::time::Duration;

use deskferry_core::source::Scope;
use deskferry_core::{ErrorKind, RecordKind};
use deskferry_rehearsal::fault::{Action, Rule};
use deskferry_rehearsal::trengo::RateLimit;
use deskferry_rehearsal::world::{Content, WorldSpec};
use deskferry_source_trengo::TrengoConfig;

use crate::harness::{Reader, asked, bytes, config, desk, options, read_all, source};

#[tokio::test(flavor = "multi_thread")]
async fn refusals_as_html_empty_answers_server_errors_and_cuts_are_waited_out() {
    let desk = desk(options(40)).await;
    let busy = |after: Option<&str>| Action::Status {
        code: 429,
        headers: after
            .map(|seconds| ("Retry-After".to_owned(), seconds.to_owned()))
            .into_iter()
            .collect(),
        body: "<html><body>Too Many Attempts.</body></html>".into(),
        content_type: Some("text/html".to_owned()),
    };
    desk.faults().set(vec![
        Rule::new(busy(Some("59")))
            .path("/messages")
            .skip(3)
            .times(2),
        Rule::new(busy(None)).path("/contacts").times(1),
        Rule::new(Action::Html { code: 502 })
            .path("/messages")
            .skip(8)
            .times(2),
        Rule::new(Action::Html { code: 200 })
            .path("/labels")
            .times(1),
        Rule::new(Action::status(200))
            .path("/tickets?")
            .skip(1)
            .times(1),
        Rule::new(Action::status(500)).path("/tickets?").times(1),
        Rule::new(Action::CutBody { after_bytes: 50 })
            .path("/messages")
            .skip(20)
            .times(1),
        Rule::new(Action::CutBefore).path("/teams").times(1),
    ]);
    let source = source(config(&desk));
    let mut reader = Reader::new();
    let before = reader.cx.now();
    reader.begin(&source, &Scope::default()).await.unwrap();
    reader.finish(&source).await.unwrap();
    assert!((reader.cx.now() - before).num_seconds() >= 59);
    assert_eq!(reader.read.rejects, Vec::new());
    let calm = self::desk(options(40)).await;
    let other = read_all(&self::source(config(&calm))).await.unwrap();
    assert_eq!(reader.read.whole(), other.read.whole());
    assert_eq!(
        reader.read.count(RecordKind::Message),
        other.read.count(RecordKind::Message)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_revoked_ends_the_read_and_another_one_goes_on() {
    let desk = desk(options(60)).await;
    let first = source(config(&desk));
    let mut reader = Reader::new();
    reader.begin(&first, &Scope::default()).await.unwrap();
    while reader.read.whole() < 10 {
        reader.step(&first).await.unwrap();
    }
    desk.replace_token("another-token");
    let error = reader.finish(&first).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Credentials);
    assert!(error.advice().unwrap().contains("`resume`"), "{error}");
    let sent = asked(&desk, "/api/v2/");
    // It is not shown again, by nobody.
    assert!(reader.finish(&first).await.is_err());
    assert_eq!(asked(&desk, "/api/v2/"), sent);
    let second = source(TrengoConfig::builder("another-token").url(desk.url()));
    reader.finish(&second).await.unwrap();
    let calm = self::desk(options(60)).await;
    let other = read_all(&source(config(&calm))).await.unwrap();
    assert_eq!(reader.read.whole(), other.read.whole());
    assert_eq!(reader.read.records.len(), other.read.records.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_row_is_rejected_alone_with_place_and_reason() {
    let desk = desk(options(30)).await;
    let message = 3 * 4_096 + 1;
    desk.faults().set(vec![
        Rule::new(Action::named("set:/created_at=soon")).path("tickets id:5;"),
        Rule::new(Action::named("null:/id"))
            .path("tickets id:6;")
            .times(1),
        Rule::new(Action::named("set:/status=UNHEARD_OF")).path("id:7;"),
        Rule::new(Action::named("null:/created_at")).path(format!("id:{message};")),
        Rule::new(Action::named("null:/contact")).path("id:8;"),
        Rule::new(Action::named("set:/channel=text")).path("id:9;"),
    ]);
    let reader = read_all(&source(config(&desk))).await.unwrap();
    let bad: Vec<_> = reader
        .read
        .rejects
        .iter()
        .map(|reject| (reject.kind, reject.path.as_str()))
        .collect();
    assert!(
        bad.contains(&(RecordKind::Conversation, "created_at")),
        "{bad:?}"
    );
    assert!(bad.contains(&(RecordKind::Conversation, "id")), "{bad:?}");
    assert!(
        bad.contains(&(RecordKind::Message, "created_at")),
        "{bad:?}"
    );
    assert!(
        reader
            .read
            .rejects
            .iter()
            .all(|reject| !reject.raw.contains("secret-of"))
    );
    let odd = reader
        .read
        .conversations()
        .find(|c| c.number == "7")
        .unwrap();
    assert_eq!(odd.status.raw, "UNHEARD_OF");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_repeats_a_page_is_an_error_and_not_a_read() {
    let desk = desk(options(120)).await;
    desk.faults()
        .push(Rule::new(Action::named("repeat-page")).path("tickets?page=2"));
    let error = read_all(&source(config(&desk))).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Protocol);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_of_the_workspace_is_kept_even_where_raw_rows_are() {
    let desk = desk(options(30)).await;
    let reader = read_all(&source(config(&desk).keep_raw(true)))
        .await
        .unwrap();
    let mut raw = 0;
    for record in reader.read.records.values() {
        let line = String::from_utf8(record.to_line().unwrap()).unwrap();
        assert!(!line.contains("secret-of"), "{line}");
        raw += usize::from(record.meta().raw.is_some());
    }
    assert!(raw > 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_file_is_asked_for_once_more_by_its_message_and_then_named() {
    let mut options = options(60);
    options.content = Content::Made(WorldSpec::new(11, 60).hostile());
    let desk = desk(options).await;
    let source = source(config(&desk));
    let reader = read_all(&source).await.unwrap();
    let lost = reader
        .read
        .attachments()
        .find(|file| file.name == "lost.pdf")
        .unwrap();
    let error = bytes(&source, &reader.cx, lost).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(asked(&desk, "/messages/{id}"), 1);
    // A user whom no list has is known by the ticket that was theirs.
    let departed = reader
        .read
        .records
        .values()
        .any(|record| record.key().kind() == "agent" && record.key().id() == "90");
    assert!(departed);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pace_follows_the_limit_that_answers_tell_and_no_request_is_refused() {
    let mut options = options(60);
    options.rate_limit = Some(RateLimit {
        window: Duration::from_secs(3_600),
        ..RateLimit::per_minute(100_000)
    });
    let desk = desk(options).await;
    let reader = read_all(&source(config(&desk))).await.unwrap();
    let throttled: u64 = reader
        .cx
        .meter()
        .snapshot()
        .iter()
        .map(|row| row.throttled)
        .sum();
    assert_eq!(throttled, 0);
}
