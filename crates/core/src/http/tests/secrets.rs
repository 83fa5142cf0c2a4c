use std::fmt::{self, Write as _};
use std::sync::Arc;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::server::{Server, answer};
use super::*;
use crate::http::{Headers, Request, Response, SecretString, Session};

const SECRETS: [&str; 4] = [
    "hdr-5ecret-1",
    "qry-5ecret-2",
    "usr-5ecret-3",
    "bdy-5ecret-4",
];

fn request(path: &str) -> Request {
    Request::post("login", path)
        .idempotent(true)
        .secret_header("X-Session-ID", SecretString::new("hdr-5ecret-1"))
        .query("_session_id", "qry-5ecret-2")
        .form(&[("password", "bdy-5ecret-4")])
}

fn assert_silent(what: &str, shown: &str) {
    for secret in SECRETS {
        assert!(!shown.contains(secret), "{what} shows {secret}: {shown}");
    }
}

#[test]
fn debug_and_display_of_every_type_hide_secrets() {
    let secret = SecretString::new("hdr-5ecret-1");
    let headers = Headers::new([
        ("Set-Cookie", "hdr-5ecret-1"),
        ("X-CSRF-Token", "qry-5ecret-2"),
        ("Date", "now"),
    ]);
    let response = Response::new(200, headers.clone(), r#"{"session_id":"bdy-5ecret-4"}"#);
    let builder = Client::builder(
        "desk",
        "https://ada:usr-5ecret-3@desk.example.org/?token=qry-5ecret-2",
    );
    let shown = [
        format!("{secret} {secret:?} {:?}", Some(&secret)),
        format!("{headers:?}"),
        format!("{response:?} {}", response.text_snippet()),
        format!(
            "{:?}",
            request("https://ada:usr-5ecret-3@desk.example.org/x?token=qry-5ecret-2#hdr-5ecret-1")
        ),
        format!("{:?}", request("cases?token=qry-5ecret-2")),
        format!("{builder:?}"),
        format!("{:?}", builder.build().unwrap_err()),
        format!(
            "{:?}",
            Client::builder("desk", "https://desk.example.org")
                .build()
                .unwrap()
        ),
        format!("{:?}", response.json::<Vec<u8>>("read").unwrap_err()),
        format!("{:?}", Session::<String>::new()),
    ];
    for shown in shown {
        assert_silent("Debug", &shown);
    }
    let wrong_type = Response::new(200, Headers::default(), r#"{"session_id":"bdy-5ecret-4"}"#);
    let error = wrong_type
        .json::<std::collections::BTreeMap<String, u64>>("log in")
        .unwrap_err();
    assert_eq!(error.context("path"), Some("session_id"));
    assert_silent("a decode error", &format!("{error:?}"));
}

#[test]
fn a_secret_is_read_from_a_configuration() {
    let secret: SecretString = serde_json::from_str(r#""hdr-5ecret-1""#).unwrap();
    assert_eq!(secret.expose(), "hdr-5ecret-1");
    assert!(!secret.is_empty() && SecretString::default().is_empty());
}

#[tokio::test]
async fn errors_and_logs_hide_secrets_even_when_the_server_echoes_them() {
    let log = Arc::new(Mutex::new(String::new()));
    let guard = tracing::subscriber::set_default(Log(Arc::clone(&log)));
    let server = Server::start(|request, _| {
        let header = request.header("x-session-id").unwrap();
        let body = String::from_utf8_lossy(&request.body);
        answer(
            500,
            &format!("cannot serve {} for {header} ({body})", request.line),
        )
    })
    .await;
    let (cx, _) = jumping();
    let request =
        request("login?token=qry-5ecret-2").header("Authorization", "Bearer usr-5ecret-3");
    let error = client(&server).send(&cx, request).await.unwrap_err();
    assert_eq!(server.count(), 6);
    assert_silent("an error", &format!("{error:?}"));
    assert!(error.to_string().contains("cannot serve POST"), "{error}");
    drop(guard);

    let log = log.lock().unwrap().clone();
    assert_silent("the log", &log);
    for part in [
        "endpoint=login",
        "method=POST",
        "_session_id=***",
        "status=500",
        "attempt=6",
        "elapsed_ms=",
    ] {
        assert!(log.contains(part), "{part} is missing in {log}");
    }
}

/// Writes down everything that is traced.
struct Log(Arc<Mutex<String>>);

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        attributes.record(&mut Fields(&mut self.0.lock().unwrap()));
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut Fields(&mut self.0.lock().unwrap()));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Fields(&mut self.0.lock().unwrap()));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Fields<'a>(&'a mut String);

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        writeln!(self.0, "{field}={value}").unwrap();
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        writeln!(self.0, "{field}={value:?}").unwrap();
    }
}
