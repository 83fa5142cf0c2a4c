//! The JWT-bearer grant, against a token end point that writes down what it is asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use deskferry_core::context::Context;
use deskferry_core::error::{Error, ErrorKind};
use deskferry_core::sink::{Sink, Verdict};
use deskferry_rehearsal::fault::{Action, Rule};
use deskferry_sink_salesforce::{Mapping, Salesforce, SalesforceConfig, SalesforceConfigBuilder};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::bench::*;

/// A token end point: refuses as often as it was told, then hands out tokens that are good for nothing else.
struct Door {
    url: String,
    refusals: Arc<Mutex<Vec<(&'static str, &'static str)>>>,
    forms: Arc<Mutex<Vec<HashMap<String, String>>>>,
}

impl Door {
    async fn refusing(refusals: &[(&'static str, &'static str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let refusals = Arc::new(Mutex::new(refusals.iter().rev().copied().collect()));
        let forms = Arc::new(Mutex::new(Vec::new()));
        let door = Self {
            url: url.clone(),
            refusals: Arc::clone(&refusals),
            forms: Arc::clone(&forms),
        };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (path, body) = request(&stream).await;
                let (status, answer) = match path.as_str() {
                    "/services/data/" => (200, json!([{"version": "66.0"}])),
                    "/services/oauth2/token" => {
                        forms.lock().unwrap().push(form(&body));
                        match refusals.lock().unwrap().pop() {
                            Some((error, said)) => {
                                (400, json!({"error": error, "error_description": said}))
                            }
                            None => (
                                200,
                                json!({
                                    "access_token": "00Dlocal!token", "instance_url": url,
                                    "id": format!("{url}/id/00DQx00000Tt5UvMAJ/005Qx00000Rr8SsIAJ"),
                                }),
                            ),
                        }
                    }
                    _ => (
                        401,
                        json!([{"errorCode": "INVALID_SESSION_ID", "message": "Session expired or invalid"}]),
                    ),
                };
                respond(stream, status, &answer).await;
            }
        });
        door
    }

    /// Asks for a session; nothing behind the door opens, so this ends in an error.
    async fn knock(
        &self,
        change: impl FnOnce(SalesforceConfigBuilder) -> SalesforceConfigBuilder,
    ) -> Error {
        let config = SalesforceConfig::builder(&self.url);
        let mapping = Mapping::parse(Mapping::default_text()).unwrap();
        let sink = Salesforce::new(change(config).build().unwrap(), mapping).unwrap();
        sink.check(&Context::new()).await.unwrap_err()
    }

    /// The claims of all assertions so far, their signatures checked.
    fn claims(&self, public: &str) -> Vec<Value> {
        let key = DecodingKey::from_rsa_pem(public.as_bytes()).unwrap();
        let mut validation = Validation::new(Algorithm::RS256);
        validation.validate_aud = false;
        let forms = self.forms.lock().unwrap();
        let one = |form: &HashMap<String, String>| {
            assert_eq!(
                form["grant_type"],
                "urn:ietf:params:oauth:grant-type:jwt-bearer"
            );
            assert_eq!(form.len(), 2, "nothing secret beside the assertion");
            decode::<Value>(&form["assertion"], &key, &validation)
                .unwrap()
                .claims
        };
        forms.iter().map(one).collect()
    }
}

async fn request(stream: &TcpStream) -> (String, String) {
    let (mut text, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        stream.readable().await.unwrap();
        match stream.try_read(&mut piece) {
            Ok(0) => break,
            Ok(read) => text.extend_from_slice(&piece[..read]),
            Err(_) => continue,
        }
        let seen = String::from_utf8_lossy(&text).to_string();
        let Some((head, body)) = seen.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head.lines().find_map(|line| {
            line.to_lowercase()
                .strip_prefix("content-length:")
                .map(|n| n.trim().parse::<usize>().unwrap())
        });
        if body.len() >= length.unwrap_or(0) {
            let path = head.split(' ').nth(1).unwrap_or_default();
            return (path.to_owned(), body.to_owned());
        }
    }
    Default::default()
}

async fn respond(mut stream: TcpStream, status: u16, answer: &Value) {
    let body = answer.to_string();
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream
        .write_all(format!("{head}{body}").as_bytes())
        .await
        .unwrap();
    let _ = stream.read(&mut [0; 1]).await;
}

fn form(body: &str) -> HashMap<String, String> {
    let decoded = |text: &str| {
        percent_encoding::percent_decode_str(text)
            .decode_utf8_lossy()
            .into_owned()
    };
    body.split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}

fn keys() -> (String, String) {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    (pair.serialize_pem(), pair.public_key_pem())
}

#[tokio::test]
async fn an_assertion_names_app_user_and_the_orgs_address_for_three_minutes() {
    let (private, public) = keys();
    let door = Door::refusing(&[]).await;
    let error = door
        .knock(|c| c.jwt_bearer("consumer", "mover@example.org.migration", &private))
        .await;
    assert_eq!(error.kind(), ErrorKind::Credentials, "{error}");
    let claims = door.claims(&public);
    assert_eq!(claims.len(), 2, "a session that ended is renewed once");
    assert_eq!(claims[0]["iss"], "consumer");
    assert_eq!(claims[0]["sub"], "mover@example.org.migration");
    assert_eq!(claims[0]["aud"], json!(door.url));
    let ahead = claims[0]["exp"].as_i64().unwrap() - chrono::Utc::now().timestamp();
    assert!((0..=180).contains(&ahead), "{ahead}");
}

#[tokio::test]
async fn a_refused_audience_is_tried_once_with_the_login_host_which_is_kept() {
    let (private, public) = keys();
    for said in ["audience is invalid", "user hasn't approved this consumer"] {
        let door = Door::refusing(&[("invalid_grant", said)]).await;
        door.knock(|c| c.jwt_bearer("consumer", "mover@example.org", &private))
            .await;
        let claims = door.claims(&public);
        let audiences: Vec<&Value> = claims.iter().map(|c| &c["aud"]).collect();
        let login = json!("https://login.salesforce.com");
        assert_eq!(audiences, [&json!(door.url), &login, &login], "{said}");
    }
}

#[tokio::test]
async fn what_the_org_refuses_twice_or_for_another_reason_is_said_with_what_to_do() {
    let (private, public) = keys();
    let audience = ("invalid_grant", "audience is invalid");
    let assertion = ("invalid_grant", "invalid assertion");
    for (refusals, asked, kind, advice) in [
        (
            vec![audience, audience],
            2,
            ErrorKind::Config,
            "SALESFORCE_AUDIENCE",
        ),
        (vec![assertion], 1, ErrorKind::Credentials, "certificate"),
        (
            vec![("invalid_client_id", "client identifier invalid")],
            1,
            ErrorKind::Credentials,
            "ten minutes",
        ),
    ] {
        let door = Door::refusing(&refusals).await;
        let error = door
            .knock(|c| c.jwt_bearer("consumer", "mover@example.org", &private))
            .await;
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.advice().unwrap().contains(advice), "{error}");
        assert_eq!(door.claims(&public).len(), asked);
        assert!(door.refusals.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn an_audience_that_is_set_is_the_only_one() {
    let (private, public) = keys();
    let door = Door::refusing(&[("invalid_grant", "audience is invalid")]).await;
    let error = door
        .knock(|c| {
            c.jwt_bearer("consumer", "mover@example.org", &private)
                .audience("https://test.salesforce.com")
        })
        .await;
    assert_eq!(error.kind(), ErrorKind::Config);
    let claims = door.claims(&public);
    assert_eq!(claims.len(), 1);
    assert_eq!(claims[0]["aud"], "https://test.salesforce.com");
}

#[tokio::test]
async fn a_load_signs_in_by_its_key_whichever_audience_the_org_wants_and_again_when_its_session_ends()
 {
    let (private, public) = keys();
    let login = "https://login.salesforce.com";
    for (audiences, tokens) in [(None, 1), (Some(login), 2)] {
        let mut bench = Bench::with(
            |options| {
                let options = options.jwt_public_key(&public);
                match audiences {
                    Some(audience) => options.jwt_audiences([audience.to_owned()]),
                    None => options,
                }
            },
            "",
        )
        .await;
        let config = SalesforceConfig::builder(bench.org.url())
            .jwt_bearer("rehearsal-client", "ben@example.org.org", &private)
            .build()
            .unwrap();
        let mapping = Mapping::parse(Mapping::default_text()).unwrap();
        bench.sink = Salesforce::new(config, mapping).unwrap();
        let ann = |n| records([contact(n, "Ann Lee", &format!("ann{n}@example.org"))]);
        assert_eq!(bench.load("contacts", ann(1)).await, [Verdict::Created]);
        let asked = |bench: &Bench| bench.org.requests().count("POST", "oauth2/token");
        assert_eq!(asked(&bench), tokens, "{audiences:?}");
        bench
            .org
            .faults()
            .set(vec![Rule::new(Action::named("expire-session")).times(1)]);
        assert_eq!(bench.load("contacts", ann(2)).await, [Verdict::Created]);
        assert_eq!(asked(&bench), tokens + 1, "the audience is known by now");
        let people = bench.dump("Contact");
        assert_eq!(people.len(), 2);
        let ben = bench.dump("User");
        let ben = ben
            .iter()
            .find(|user| user["Username"] == "ben@example.org.org");
        assert_eq!(people[0]["OwnerId"], ben.unwrap()["Id"]);
    }
}

#[tokio::test]
async fn a_key_that_the_app_does_not_know_is_refused_with_what_to_do() {
    let ((private, _), (_, another)) = (keys(), keys());
    let bench = Bench::with(|options| options.jwt_public_key(&another), "").await;
    let config = SalesforceConfig::builder(bench.org.url())
        .jwt_bearer("rehearsal-client", "ben@example.org.org", &private)
        .build()
        .unwrap();
    let mapping = Mapping::parse(Mapping::default_text()).unwrap();
    let sink = Salesforce::new(config, mapping).unwrap();
    let error = sink.check(&bench.cx).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Credentials);
    assert!(error.advice().unwrap().contains("certificate"), "{error}");
    assert!(!format!("{error:?}").contains("PRIVATE"));
}
