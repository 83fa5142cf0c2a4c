//! Servers that stumble and rows that are broken.

use deskferry_core::source::{Scope, Source as _};
use deskferry_core::{ErrorKind, RecordKind};
use deskferry_rehearsal::fault::{Action, Rule};
use deskferry_rehearsal::kayako::Content;
use deskferry_rehearsal::world::{ConversationState, WorldSpec};

use crate::harness::{Reader, bytes, config, desk, options, read_all, source};

#[tokio::test(flavor = "multi_thread")]
async fn too_many_requests_server_errors_and_cut_answers_are_waited_out() {
    let desk = desk(options(40)).await;
    let busy = |after: Option<&str>| Action::Status {
        code: 429,
        headers: after
            .map(|seconds| ("Retry-After".to_owned(), seconds.to_owned()))
            .into_iter()
            .collect(),
        body: r#"{"status":429,"errors":[{"code":"RATE_LIMIT_REACHED","message":"slow"}]}"#.into(),
        content_type: None,
    };
    desk.faults().set(vec![
        Rule::new(busy(Some("59"))).path("/posts").skip(3).times(2),
        Rule::new(busy(None)).path("/users").times(1),
        Rule::new(Action::Html { code: 502 })
            .path("/posts")
            .skip(8)
            .times(2),
        Rule::new(Action::status(500)).path("/cases?").times(1),
        Rule::new(Action::CutBody { after_bytes: 50 })
            .path("/posts")
            .skip(20)
            .times(1),
        Rule::new(Action::CutBefore).path("/organizations").times(1),
    ]);
    let source = source(config(&desk));
    let mut reader = Reader::new();
    let before = reader.cx.now();
    reader.begin(&source, &Scope::default()).await.unwrap();
    reader.finish(&source).await.unwrap();
    let waited = reader.cx.now() - before;
    assert!(
        waited.num_seconds() >= 118,
        "two waits of 59 seconds, not {waited}"
    );
    let active = desk
        .world()
        .conversations()
        .filter(|case| case.state == ConversationState::Active)
        .count();
    assert_eq!(reader.read.whole(), active);
    assert_eq!(reader.read.rejects, Vec::new());
}

#[tokio::test]
async fn html_in_place_of_json_is_an_error_that_shows_its_beginning() {
    let desk = desk(options(5)).await;
    desk.faults()
        .push(Rule::new(Action::Html { code: 200 }).path("/organizations?"));
    let error = read_all(&source(config(&desk))).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert!(
        error.to_string().contains("list organizations") && error.to_string().contains("not JSON"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_row_is_rejected_alone_with_place_and_reason() {
    let desk = desk(options(30)).await;
    desk.faults().set(vec![
        Rule::new(Action::named("set:/created_at=soon")).path("case:5;"),
        Rule::new(Action::named("null:/status")).path("case:6;"),
        Rule::new(Action::named("set:/status/type=UNHEARD_OF")).path("case:7;"),
        Rule::new(Action::named("null:/original")).path("post:"),
    ]);
    let reader = read_all(&source(config(&desk))).await.unwrap();
    let bad: Vec<_> = reader
        .read
        .rejects
        .iter()
        .filter(|reject| reject.kind == RecordKind::Conversation)
        .collect();
    assert_eq!(bad.len(), 1, "{bad:?}");
    assert_eq!(
        (bad[0].id.as_deref(), bad[0].path.as_str()),
        (Some("5"), "created_at")
    );
    assert!(bad[0].raw.contains("\"soon\""));
    assert!(reader.read.conversations().any(|case| case.number == "6"));
    assert!(reader.read.conversations().any(|case| case.number == "7"));
    assert!(
        reader.read.messages().count() > 20,
        "posts without an original fall back on their plain rendering"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_world_is_read_to_its_end_and_everything_odd_is_named() {
    let mut hostile = options(0);
    hostile.content = Content::Made(WorldSpec::new(5, 300).hostile());
    let desk = desk(hostile).await;
    let source = source(config(&desk));
    let reader = read_all(&source).await.unwrap();
    let active = desk
        .world()
        .conversations()
        .filter(|case| case.state == ConversationState::Active)
        .count();
    assert_eq!(reader.read.count(RecordKind::Conversation), active);
    assert!(
        reader
            .read
            .notes
            .iter()
            .any(|note| note.contains("is gone")),
        "{:?}",
        reader.read.notes
    );
    let (mut missing, mut odd) = (0, 0);
    for file in reader.read.attachments() {
        match bytes(&source, &reader.cx, file).await {
            Ok(got) if file.size.is_some_and(|size| size != got.len() as u64) => odd += 1,
            Ok(_) => {}
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
                missing += 1;
            }
        }
    }
    assert!(
        missing > 0 && odd > 0,
        "{missing} missing, {odd} of another size"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_can_be_read_from_an_offset() {
    use futures::TryStreamExt as _;
    let desk = desk(options(40)).await;
    let source = source(config(&desk));
    let reader = read_all(&source).await.unwrap();
    let file = reader
        .read
        .attachments()
        .max_by_key(|file| file.size)
        .unwrap();
    let whole = bytes(&source, &reader.cx, file).await.unwrap();
    let from = whole.len() / 2 + 1;
    let rest: Vec<bytes::Bytes> = source
        .open(&reader.cx, file, from as u64)
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(rest.concat(), &whole[from..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configured_rate_is_kept() {
    let desk = desk(options(20)).await;
    let source = source(config(&desk).requests_per_minute(60).email_headers(false));
    let mut reader = Reader::new();
    let before = reader.cx.now();
    reader.begin(&source, &Scope::default()).await.unwrap();
    reader.finish(&source).await.unwrap();
    let seconds = (reader.cx.now() - before).num_seconds();
    let sent = i64::try_from(desk.requests().total).unwrap();
    assert!(
        (sent - 1..=sent + 1).contains(&seconds),
        "{sent} requests in {seconds} s"
    );
}

#[tokio::test]
async fn an_outage_in_mid_run_is_waited_for_a_little_and_then_named() {
    let desk = desk(options(5)).await;
    let outage = || Rule::new(Action::Html { code: 490 }).path("/organizations?");
    desk.faults().set(vec![outage().times(2)]);
    let reader = read_all(&source(config(&desk))).await.unwrap();
    assert!(reader.read.count(RecordKind::Account) > 0);
    desk.faults().set(vec![outage()]);
    let error = read_all(&source(config(&desk))).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("490"), "{error}");
}
