//! Logins that go wrong, and sessions that end.

use deskferry_core::source::Source as _;
use deskferry_core::{ErrorKind, RecordKind};
use deskferry_rehearsal::fault::{Action, Rule};
use deskferry_rehearsal::kayako::{KayakoOptions, OAuth, StaleSession};
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

fn with_oauth(oauth: OAuth) -> KayakoOptions {
    let mut options = options(40);
    options.oauth = Some(oauth);
    options
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_expire_in_mid_run_are_renewed_once_for_all_and_no_password_is_needed() {
    for given in [None, Some("given".to_owned())] {
        let oauth = OAuth {
            token_calls: Some(11),
            access_token: given.clone(),
            ..OAuth::default()
        };
        let desk = desk(with_oauth(oauth)).await;
        let config = KayakoConfig::with_refresh_token(
            desk.url(),
            "rehearsal-client",
            "rehearsal-secret",
            "rehearsal-refresh",
        )
        .requests_per_minute(1_000_000);
        let source = source(config);
        let cx = Reader::new().cx;
        assert_eq!(source.check(&cx).await.unwrap().tenant.id, "acme");
        let reader = read_all(&source).await.unwrap();
        let file = reader
            .read
            .attachments()
            .find(|file| file.size.is_some_and(|size| size > 0))
            .unwrap();
        let together = (0..6).map(|_| bytes(&source, &reader.cx, file));
        for got in futures::future::join_all(together).await {
            assert_eq!(Some(got.unwrap().len() as u64), file.size);
        }
        assert!(reader.read.count(RecordKind::Message) > 40);
        assert_eq!(reader.read.rejects, Vec::new());
        let renewals = desk.requests().count("POST", "/oauth/token");
        let calls = desk.requests().total;
        // The old refresh token is over after each use, so one renewal too many would have ended the run.
        assert!(
            renewals >= 2 && renewals <= calls / 10 + 1,
            "{renewals} in {calls}"
        );
        source.log_out(&reader.cx).await.unwrap();
        assert_eq!(desk.requests().count("DELETE", "/session"), 0);
    }
}

fn renewing(url: String) -> deskferry_source_kayako::KayakoConfigBuilder {
    KayakoConfig::with_refresh_token(
        url,
        "rehearsal-client",
        "rehearsal-secret",
        "rehearsal-refresh",
    )
    .requests_per_minute(1_000_000)
}

#[tokio::test]
async fn a_new_refresh_token_is_kept_for_the_next_process() {
    let desk = desk(with_oauth(OAuth::default())).await;
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("kayako-token");
    let mut kept = Vec::new();
    // The stand-in ends each token with its first use: only the newest lets the next process in.
    for _ in 0..3 {
        let source = source(renewing(desk.url()).refresh_token_store(&store));
        let ready = source.check(&Reader::new().cx).await.unwrap();
        assert_eq!(ready.warnings, Vec::<String>::new());
        kept.push(std::fs::read_to_string(&store).unwrap());
    }
    kept.dedup();
    assert_eq!(kept.len(), 3);
    assert_eq!(desk.requests().count("POST", "/oauth/token"), 3);

    // What is kept is over, and the client was authorized again: the configured token counts.
    std::fs::write(&store, "of-long-ago").unwrap();
    let again = self::desk(with_oauth(OAuth::default())).await;
    let source = source(renewing(again.url()).refresh_token_store(&store));
    source.check(&Reader::new().cx).await.unwrap();
    assert_ne!(
        std::fs::read_to_string(&store).unwrap().trim(),
        "of-long-ago"
    );
}

#[tokio::test]
async fn a_refresh_token_that_cannot_be_kept_is_not_spent_and_one_that_is_not_kept_is_warned_of() {
    let desk = desk(with_oauth(OAuth::default())).await;
    let nowhere = source(renewing(desk.url()).refresh_token_store("/no/such/folder/token"));
    let error = nowhere.check(&Reader::new().cx).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Storage);
    assert_eq!(desk.requests().count("POST", "/oauth/token"), 0);

    let source = source(renewing(desk.url()));
    let ready = source.check(&Reader::new().cx).await.unwrap();
    let [warning] = &ready.warnings[..] else {
        panic!("{:?}", ready.warnings)
    };
    assert!(
        warning.contains("forgotten") && warning.contains("KAYAKO_REFRESH_TOKEN_STORE"),
        "{warning}"
    );
}

#[tokio::test]
async fn a_token_alone_ends_the_run_when_it_expires_and_is_never_shown() {
    let oauth = OAuth {
        token_calls: Some(3),
        access_token: Some("only-this-one".to_owned()),
        ..OAuth::default()
    };
    let desk = desk(with_oauth(oauth)).await;
    let source = source(KayakoConfig::with_access_token(desk.url(), "only-this-one"));
    let error = read_all(&source).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Credentials);
    let shown = format!("{error:?} {source:?}");
    assert!(
        shown.contains("access token") && shown.contains("`resume`"),
        "{shown}"
    );
    assert!(!shown.contains("only-this-one"), "{shown}");
}

#[tokio::test]
async fn a_refresh_token_that_is_refused_is_sent_exactly_once() {
    let desk = desk(with_oauth(OAuth::default())).await;
    let config =
        KayakoConfig::with_refresh_token(desk.url(), "rehearsal-client", "hidden-1", "hidden-2");
    let source = source(config);
    let cx = Reader::new().cx;
    for _ in 0..2 {
        let error = source.check(&cx).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Credentials);
        let shown = format!("{error:?} {source:?}");
        assert!(!shown.contains("hidden"), "{shown}");
    }
    assert_eq!(desk.requests().count("POST", "/oauth/token"), 1);
}

#[tokio::test]
async fn a_token_without_a_scope_is_a_note_for_settings_and_an_error_for_cases() {
    let scoped = |scopes: &[&str]| {
        with_oauth(OAuth {
            access_token: Some("given".to_owned()),
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            ..OAuth::default()
        })
    };
    let without_settings = desk(scoped(&["users", "conversations:read"])).await;
    let config = KayakoConfig::with_access_token(without_settings.url(), "given");
    let reader = read_all(&source(config)).await.unwrap();
    let notes = &reader.read.notes;
    assert!(
        notes.iter().any(|note| note.contains("settings")),
        "{notes:?}"
    );

    let without_cases = desk(scoped(&["users:read", "configuration:read"])).await;
    let config = KayakoConfig::with_access_token(without_cases.url(), "given");
    let error = read_all(&source(config)).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    assert!(error.to_string().contains("conversations:read"), "{error}");
}
