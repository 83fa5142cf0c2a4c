use deskferry_core::source::Scope;
use deskferry_core::{ErrorKind, RecordKind, Source as _};
use deskferry_rehearsal::fault::{Action, Rule};
use deskferry_rehearsal::kustomer::{Content, Context, RateLimit};
use deskferry_rehearsal::world::WorldSpec;
use deskferry_source_kustomer::KustomerConfig;

use crate::harness::{config, desk, options, read, read_all, source};

#[tokio::test]
async fn a_wrong_or_expired_key_ends_the_run_at_once() {
    for expired in [false, true] {
        let mut options = options(12);
        options.key_expired = expired;
        let desk = desk(options).await;
        let key = if expired {
            "rehearsal-key"
        } else {
            "key-canary"
        };
        let wrong = KustomerConfig::builder(desk.url(), key).requests_per_minute(60_000);
        let source = source(wrong);
        let error = source
            .check(&deskferry_core::Context::new())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Credentials);
        let shown = format!("{error:?} {error}");
        assert!(shown.contains("region"), "{shown}");
        assert!(!shown.contains("key-canary"), "{shown}");
        assert_eq!(
            desk.requests().total,
            1,
            "refused credentials are not repeated"
        );
    }
}

#[tokio::test]
async fn a_key_without_a_role_is_named_and_the_rest_is_read() {
    let mut options = options(60);
    options.roles = [
        "org.permission.customer.read",
        "org.permission.company.read",
        "org.permission.conversation.read",
        "org.permission.search.create",
        "org.permission.message.read",
        "org.permission.attachment.read",
        "org.permission.user.read",
        "org.permission.tag.read",
    ]
    .map(str::to_owned)
    .to_vec();
    let desk = desk(options).await;
    let source = source(config(&desk));
    let ready = source.check(&deskferry_core::Context::new()).await.unwrap();
    for what in ["notes", "teams", "custom attributes"] {
        let named = |line: &String| line.contains(&format!("may not read {what}"));
        assert!(
            ready.warnings.iter().any(named),
            "{what}: {:?}",
            ready.warnings
        );
    }
    let read = read_all(&source).await.unwrap();
    assert_eq!(read.count(RecordKind::Conversation), 60);
    assert_eq!(read.count(RecordKind::Team), 0);
    assert!(read.rejects.iter().any(|reject| reject.path == "notes"));
    assert!(
        read.notes.iter().any(|note| note.contains("teams")),
        "{:?}",
        read.notes
    );
}

#[tokio::test]
async fn a_page_that_leads_to_itself_is_an_error() {
    let desk = desk(options(60)).await;
    desk.faults().set(vec![
        Rule::new(Action::named("standing-still")).path("users"),
    ]);
    let mut scope = Scope::default();
    scope.kinds = vec![RecordKind::Agent];
    let error = read(&source(config(&desk)), &scope).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
}

#[tokio::test]
async fn answers_that_are_no_json_are_told_and_never_taken_for_empty() {
    let desk = desk(options(12)).await;
    desk.faults().set(vec![
        Rule::new(Action::Html { code: 200 }).path("/v1/users"),
    ]);
    let mut scope = Scope::default();
    scope.kinds = vec![RecordKind::Agent];
    let error = read(&source(config(&desk)), &scope).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Decode, "{error}");
}

#[tokio::test]
async fn the_limit_that_is_told_is_kept_without_a_refusal() {
    let mut options = options(12);
    options.rate_limit = Some(RateLimit {
        requests: 60,
        searches: 20,
        window: std::time::Duration::from_secs(60),
    });
    let desk = desk(options).await;
    let told = KustomerConfig::builder(desk.url(), "rehearsal-key")
        .keep_free(0.0)
        .searches_per_minute(1_000_000);
    let source = source(told);
    let mut scope = Scope::default();
    scope.kinds = vec![RecordKind::Agent, RecordKind::Tag];
    let read = read(&source, &scope).await.unwrap();
    assert_eq!(read.count(RecordKind::Agent), 10);
    assert!(
        desk.requests()
            .counts
            .iter()
            .all(|count| count.statuses.keys().all(|status| *status != 429))
    );
}

#[tokio::test]
async fn a_klass_that_is_in_no_list_is_read_by_those_that_lead_to_it_and_one_that_is_gone_is_named()
{
    for gone in [false, true] {
        let mut options = options(12);
        options.content = Content::Made(WorldSpec::new(11, 12).with_objects());
        let desk = desk(options).await;
        let mut faults = vec![Rule::new(Action::named("unlisted")).path("order-line")];
        if gone {
            faults.push(Rule::new(Action::named("klass-gone")).path("kobject_order-line"));
        }
        let all = read_all(&source(config(&desk)))
            .await
            .unwrap()
            .count(RecordKind::ObjectRecord);
        desk.faults().set(faults);
        let read = read_all(&source(config(&desk))).await.unwrap();
        assert!(
            read.notes
                .iter()
                .any(|note| note.contains("klass order-line is in no list")),
            "{:?}",
            read.notes
        );
        let named = read
            .rejects
            .iter()
            .any(|reject| reject.path == "kobject_order-line");
        assert_eq!(named, gone);
        let lines = usize::try_from(desk.count(Context::Object(2))).unwrap();
        assert!(lines > 0);
        let found = read.count(RecordKind::ObjectRecord);
        assert_eq!(found, if gone { all - lines } else { all });
        assert_eq!(read.count(RecordKind::Conversation), 12);
    }
}

#[tokio::test]
async fn a_list_of_what_was_said_that_stands_still_is_an_error() {
    let desk = desk(options(12)).await;
    let first = read_all(&source(config(&desk))).await.unwrap();
    let busy = first
        .messages()
        .next()
        .unwrap()
        .conversation
        .id()
        .to_owned();
    desk.faults().set(vec![
        Rule::new(Action::named("standing-still")).path(format!("conversations/{busy}/messages")),
    ]);
    let error = read_all(&source(config(&desk))).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
}

#[tokio::test]
async fn a_key_of_another_region_or_near_its_end_is_told_before_the_read() {
    let key = |claims: &str| {
        use base64::Engine as _;
        let claims = base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(claims);
        format!("eyJhbGciOiJub25lIn0.{claims}.c2lnbmF0dXJl")
    };
    let soon = chrono::Utc::now() + chrono::TimeDelta::days(3);
    let claims = format!(r#"{{"exp":{},"pod":"prod2"}}"#, soon.timestamp());
    let mut options = options(12);
    options.key = key(&claims);
    options.rate_limit = Some(RateLimit {
        requests: 1_000,
        searches: 100,
        window: std::time::Duration::from_secs(60),
    });
    let desk = desk(options.clone()).await;
    let config = KustomerConfig::builder(desk.url(), options.key.as_str());
    let ready = source(config)
        .check(&deskferry_core::Context::new())
        .await
        .unwrap();
    let says = |lines: &[String], what: &str| lines.iter().any(|line| line.contains(what));
    assert!(says(&ready.warnings, "in 2 days"), "{:?}", ready.warnings);
    assert!(
        says(&ready.warnings, "region prod2"),
        "{:?}",
        ready.warnings
    );
    assert!(
        says(
            &ready.limits,
            "1000 requests a minute (the plan Enterprise)"
        ),
        "{:?}",
        ready.limits
    );
    assert!(
        !format!("{ready:?}").contains("eyJ"),
        "no part of the key is shown"
    );
}
