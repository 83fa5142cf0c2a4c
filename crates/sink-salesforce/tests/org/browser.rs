//! A login in a browser, and the sessions that it opens.

use std::path::Path;

use deskferry_core::error::{Error, ErrorKind};
use deskferry_core::sink::Verdict;
use deskferry_rehearsal::fault::{Action, Rule};
use deskferry_sink_salesforce::{LoggedIn, Mapping, Salesforce, SalesforceConfig};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::bench::*;

const REDIRECT: &str = "http://localhost:1717/OauthRedirect";

fn config(bench: &Bench, file: &Path) -> SalesforceConfig {
    SalesforceConfig::builder(bench.org.url())
        .kept_login("rehearsal-client", file)
        .build()
        .unwrap()
}

fn sink(bench: &Bench, file: &Path) -> Salesforce {
    let mapping = Mapping::parse(Mapping::default_text()).unwrap();
    Salesforce::new(config(bench, file), mapping).unwrap()
}

/// Where the org sends a browser that opens an address: the values that it brings.
async fn opened(bench: &Bench, address: &str) -> (String, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", bench.org.port()))
        .await
        .unwrap();
    let path = address.strip_prefix(&bench.org.url()).unwrap();
    let ask = format!("GET {path} HTTP/1.1\r\nHost: org\r\nConnection: close\r\n\r\n");
    stream.write_all(ask.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let to = answer
        .lines()
        .find_map(|line| {
            line.to_lowercase()
                .starts_with("location:")
                .then(|| line[9..].trim())
        })
        .unwrap_or_else(|| panic!("{answer}"));
    let query = to
        .strip_prefix(REDIRECT)
        .unwrap()
        .strip_prefix('?')
        .unwrap();
    let value = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).unwrap().1.to_owned()
    };
    (value("code"), value("state"))
}

async fn logged_in(bench: &Bench, file: &Path) -> LoggedIn {
    let login = config(bench, file).web_login(REDIRECT).unwrap();
    let (code, state) = opened(bench, &login.address()).await;
    assert!(login.is_ours(&state) && !login.is_ours("another"));
    assert!(!format!("{login:?}").contains(&state));
    login.finish(&bench.cx, &code).await.unwrap()
}

fn token(file: &Path) -> String {
    let kept: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    kept["refresh_token"].as_str().unwrap().to_owned()
}

fn asked(bench: &Bench) -> u64 {
    bench.org.requests().count("POST", "oauth2/token")
}

async fn loads(bench: &Bench, n: u32) -> Result<Vec<Verdict>, Error> {
    let person = records([contact(n, "Ann Lee", &format!("ann{n}@example.org"))]);
    bench.try_load("contacts", person).await
}

#[tokio::test]
async fn a_login_in_a_browser_opens_sessions_as_long_as_it_holds() {
    let mut bench = Bench::new().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("login.json");
    bench.sink = sink(&bench, &file);
    let error = loads(&bench, 1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interactive, "{error}");
    assert!(
        error.to_string().contains("nobody has logged in"),
        "{error}"
    );

    let who = logged_in(&bench, &file).await;
    assert_eq!(
        (who.org, who.user),
        (bench.org.org_id(), bench.org.user_id())
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    bench.sink = sink(&bench, &file);
    assert_eq!(loads(&bench, 1).await.unwrap(), [Verdict::Created]);
    let expire = Rule::new(Action::named("expire-session")).times(1);
    bench.org.faults().set(vec![expire]);
    assert_eq!(loads(&bench, 2).await.unwrap(), [Verdict::Created]);
    assert_eq!(bench.dump("Contact").len(), 2);
    assert!(!format!("{:?}", bench.sink).contains(&token(&file)));
}

#[tokio::test]
async fn a_token_that_is_good_for_one_use_is_kept_before_its_session_is_used() {
    let mut bench = Bench::with(|options| options.rotate_refresh_tokens(true), "").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("login.json");
    logged_in(&bench, &file).await;
    let first = token(&file);
    // The process dies right after its log-in: the session is never used.
    bench
        .org
        .faults()
        .set(vec![Rule::new(Action::CutBefore).path("/services/data/v")]);
    bench.sink = sink(&bench, &file);
    loads(&bench, 1).await.unwrap_err();
    bench.org.faults().clear();
    assert_ne!(token(&file), first);
    for n in 1..4 {
        bench.sink = sink(&bench, &file);
        assert_eq!(loads(&bench, n).await.unwrap(), [Verdict::Created], "{n}");
    }
}

#[tokio::test]
async fn a_renewal_whose_answer_was_lost_is_never_asked_for_again() {
    let mut bench = Bench::with(|options| options.rotate_refresh_tokens(true), "").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("login.json");
    logged_in(&bench, &file).await;
    bench.org.faults().set(vec![
        Rule::new(Action::CutAfterAct).path("/services/oauth2/token"),
    ]);
    bench.sink = sink(&bench, &file);
    loads(&bench, 1).await.unwrap_err();
    bench.org.faults().clear();
    let before = asked(&bench);
    bench.sink = sink(&bench, &file);
    let error = loads(&bench, 1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interactive, "{error}");
    assert_eq!(asked(&bench), before, "it was asked for again");
    // A person logs in anew.
    logged_in(&bench, &file).await;
    bench.sink = sink(&bench, &file);
    assert_eq!(loads(&bench, 1).await.unwrap(), [Verdict::Created]);
}

#[tokio::test]
async fn a_login_that_was_revoked_says_to_log_in_again() {
    let mut bench = Bench::new().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("login.json");
    logged_in(&bench, &file).await;
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace(&token(&file), "5Aepgone")).unwrap();
    bench.sink = sink(&bench, &file);
    let error = loads(&bench, 1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interactive, "{error}");
    assert!(error.to_string().contains("Run `login` again"), "{error}");
    assert!(!error.to_string().contains("5Aepgone"));
    std::fs::write(&file, "5Aepgone").unwrap();
    bench.sink = sink(&bench, &file);
    let error = loads(&bench, 1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Mismatch, "{error}");
    assert!(!format!("{error:?}").contains("5Aepgone"));
}
