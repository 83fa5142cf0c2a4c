use deskferry_core::source::Scope;
use deskferry_core::{ErrorKind, RecordKind, Source as _};
use deskferry_rehearsal::fault::{Action, Rule};
use deskferry_rehearsal::kustomer::RateLimit;
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
