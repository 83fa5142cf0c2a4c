//! Logins that go wrong, and sessions that end.

use deskferry_core::source::Source as _;
use deskferry_core::{ErrorKind, RecordKind};
use deskferry_rehearsal::fault::{Action, Rule};
use deskferry_rehearsal::kayako::{KayakoOptions, StaleSession};
use deskferry_rehearsal::world::Role;
use deskferry_source_kayako::KayakoConfig;

use crate::harness::{Reader, bytes, config, desk, options, read_all, source};

async fn refused(options: KayakoOptions, password: &str) -> (deskferry_core::Error, u64) {
    let desk = desk(options).await;
    let config = KayakoConfig::builder(desk.url(), "admin@acme.example", password)
        .requests_per_minute(1_000_000);
    let source = source(config);
    let cx = Reader::new().cx;
    let error = source.check(&cx).await.unwrap_err();
    // Whoever asks again gets the same answer, and the account is not tried again.
    let again = source
        .page(
            &cx,
            &deskferry_core::source::Shard::new("teams", [RecordKind::Team]),
            None,
        )
        .await
        .unwrap_err();
    assert_eq!(again.kind(), error.kind());
    for shown in [
        format!("{error:?}"),
        format!("{again:?}"),
        format!("{source:?}"),
    ] {
        assert!(!shown.contains(password), "{shown}");
    }
    let logins = desk.requests().count("GET", "/session");
    (error, logins)
}

#[tokio::test]
async fn a_wrong_password_is_sent_exactly_once() {
    let (error, logins) = refused(options(5), "not-the-one").await;
    assert_eq!((error.kind(), logins), (ErrorKind::Credentials, 1));
    assert!(
        error
            .to_string()
            .contains("refused the e-mail address or password"),
        "{error}"
    );
}

#[tokio::test]
async fn a_one_time_password_and_an_expired_one_need_a_person() {
    let mut otp = options(5);
    otp.otp = Some("123456".to_owned());
    let mut expired = options(5);
    expired.password_expired = true;
    for (options, says) in [(otp, "one-time password"), (expired, "has expired")] {
        let (error, logins) = refused(options, "rehearsal").await;
        assert_eq!((error.kind(), logins), (ErrorKind::Interactive, 1));
        assert!(
            error.to_string().contains(says) && error.advice().is_some(),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_locked_account_is_not_waited_for() {
    let desk = desk(options(5)).await;
    desk.faults().push(
        Rule::new(Action::Status {
            code: 429,
            headers: vec![
                ("Retry-After".into(), "600".into()),
                ("X-API-Version".into(), "1".into()),
            ],
            body:
                r#"{"status":429,"errors":[{"code":"AUTHENTICATION_LOCKED","message":"locked"}]}"#
                    .into(),
            content_type: None,
        })
        .path("/session"),
    );
    let error = source(config(&desk))
        .check(&Reader::new().cx)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Credentials);
    assert!(
        error.to_string().contains("locked for 600 seconds"),
        "{error}"
    );
    assert_eq!(desk.requests().count("GET", ""), 2);
}

#[tokio::test]
async fn an_unknown_instance_is_asked_three_times_and_never_told_the_password() {
    let mut unknown = options(5);
    unknown.exists = false;
    let desk = desk(unknown).await;
    let error = source(config(&desk))
        .check(&Reader::new().cx)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoSuchInstance);
    assert_eq!(desk.requests().total, 3);
    assert_eq!(desk.requests().count("", "session"), 0);
}

#[tokio::test]
async fn a_host_that_is_no_kayako_is_never_told_the_password() {
    let desk = desk(options(5)).await;
    desk.faults().push(Rule::new(Action::Html { code: 200 }));
    let error = source(config(&desk))
        .check(&Reader::new().cx)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoSuchInstance);
    assert!(
        error.to_string().contains("not Kayako's cloud") && error.to_string().contains("Classic"),
        "{error}"
    );
    assert_eq!(desk.requests().total, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ends_in_mid_run_is_renewed_and_nothing_is_lost() {
    for stale_session in [StaleSession::Status454, StaleSession::Status401] {
        let mut short = options(40);
        short.session_calls = Some(13);
        short.stale_session = stale_session;
        let desk = desk(short).await;
        let source = source(config(&desk));
        let reader = read_all(&source).await.unwrap();
        let file = reader
            .read
            .attachments()
            .find(|file| file.size.is_some_and(|size| size > 0))
            .unwrap();
        for _ in 0..20 {
            let got = bytes(&source, &reader.cx, file).await.unwrap();
            assert_eq!(Some(got.len() as u64), file.size);
        }
        let logins = desk.requests().count("GET", "/session");
        assert!(logins > 3, "{logins}");
        assert!(reader.read.count(RecordKind::Message) > 40);
        assert_eq!(reader.read.rejects, Vec::new());
    }
}

#[tokio::test]
async fn once_the_session_is_set_the_password_is_not_sent_any_more() {
    let desk = desk(options(10)).await;
    let source = source(config(&desk));
    let reader = read_all(&source).await.unwrap();
    // The stand-in refuses both together with 454, so a second login would show.
    assert_eq!(desk.requests().count("GET", "/session"), 1);
    source.log_out(&reader.cx).await.unwrap();
    assert_eq!(desk.requests().count("DELETE", "/session"), 1);
}

#[tokio::test]
async fn an_account_below_administrator_is_warned_of() {
    let mut lowly = options(20);
    lowly.role = Role::Agent;
    let desk = desk(lowly).await;
    let source = source(config(&desk));
    let ready = source.check(&Reader::new().cx).await.unwrap();
    assert!(
        ready
            .warnings
            .iter()
            .any(|warning| warning.contains("AGENT")),
        "{:?}",
        ready.warnings
    );
    let reader = read_all(&source).await.unwrap();
    assert!(
        reader
            .read
            .notes
            .iter()
            .any(|note| note.contains("settings")),
        "{:?}",
        reader.read.notes
    );
}
