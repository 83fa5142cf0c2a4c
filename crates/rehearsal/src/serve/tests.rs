use axum::Json;
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::*;

fn router(acts: mpsc::UnboundedSender<String>) -> Router {
    let acts = Arc::new(acts);
    Router::new()
        .route("/small", get(|| async { Json(json!({"a": 1})) }))
        .route(
            "/large",
            get(|| async { Json(json!({"text": "x".repeat(5_000)})) }),
        )
        .route("/item/{id}", get(|| async { "item" }))
        .route(
            "/echo",
            post(move |body: String| async move {
                acts.send(body.clone()).unwrap();
                body
            }),
        )
}

async fn started(options: ServeOptions) -> (Server, mpsc::UnboundedReceiver<String>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (
        Server::start(router(sender), options).await.unwrap(),
        receiver,
    )
}

#[tokio::test]
async fn a_request_is_answered_with_and_without_a_trailing_slash_and_counted_under_its_route() {
    let (server, _acts) = started(ServeOptions::default()).await;
    for path in ["/item/1", "/item/2/", "/small"] {
        assert_eq!(
            reqwest::get(server.url() + path).await.unwrap().status(),
            200,
            "{path}"
        );
    }
    assert_eq!(
        reqwest::get(server.url() + "/nothing?token=abc")
            .await
            .unwrap()
            .status(),
        404
    );
    let log: Value = serde_json::from_str(
        &reqwest::get(server.url() + "/rehearsal/requests")
            .await
            .unwrap()
            .text()
            .await
            .unwrap(),
    )
    .unwrap();
    assert_eq!(log["total"], 4);
    assert_eq!(server.requests().count("GET", "/item/{id}"), 2);
    assert!(!log.to_string().contains("abc"));
}

#[tokio::test]
async fn large_json_is_packed_only_for_clients_that_offer_gzip() {
    let (server, _acts) = started(ServeOptions::default()).await;
    let packed = reqwest::Client::builder().no_gzip().build().unwrap();
    let ask = |path: &str, offer: &'static str| {
        packed
            .get(server.url() + path)
            .header("Accept-Encoding", offer)
            .send()
    };
    assert!(
        ask("/large", "gzip, deflate")
            .await
            .unwrap()
            .headers()
            .contains_key("content-encoding")
    );
    assert!(
        !ask("/large", "identity")
            .await
            .unwrap()
            .headers()
            .contains_key("content-encoding")
    );
    assert!(
        !ask("/small", "gzip")
            .await
            .unwrap()
            .headers()
            .contains_key("content-encoding")
    );
    let understood = reqwest::get(server.url() + "/large")
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(&understood).unwrap()["text"]
            .as_str()
            .unwrap()
            .len(),
        5_000
    );
}

#[tokio::test]
async fn a_gzip_body_arrives_unpacked_and_a_chunked_one_whole() {
    let (server, mut acts) = started(ServeOptions::default()).await;
    let client = reqwest::Client::new();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, "packed".as_bytes()).unwrap();
    let body = encoder.finish().unwrap();
    let sent = client
        .post(server.url() + "/echo")
        .header("Content-Encoding", "gzip")
        .body(body)
        .send();
    assert_eq!(sent.await.unwrap().text().await.unwrap(), "packed");
    let pieces = futures::stream::iter(["in ", "three ", "pieces"].map(Ok::<_, std::io::Error>));
    let sent = client
        .post(server.url() + "/echo")
        .body(reqwest::Body::wrap_stream(pieces))
        .send();
    assert_eq!(sent.await.unwrap().text().await.unwrap(), "in three pieces");
    assert_eq!(acts.recv().await.unwrap(), "packed");
}

#[tokio::test]
async fn a_fault_does_what_its_name_says() {
    let (server, mut acts) = started(ServeOptions::default()).await;
    // A pool would send a request again when a kept connection is closed before the answer.
    let client = reqwest::Client::builder()
        .pool_max_idle_per_host(0)
        .build()
        .unwrap();
    let post = |text: &'static str| client.post(server.url() + "/echo").body(text).send();

    server.faults().set(vec![Rule::new(Action::CutBefore)]);
    assert!(post("cut before").await.is_err());
    assert!(acts.try_recv().is_err(), "nothing was done");

    server.faults().set(vec![Rule::new(Action::CutAfterAct)]);
    assert!(post("cut after").await.is_err());
    assert_eq!(acts.try_recv().unwrap(), "cut after");

    server
        .faults()
        .set(vec![Rule::new(Action::CutBody { after_bytes: 4 })]);
    let response = post("0123456789").await.unwrap();
    assert_eq!(response.content_length(), Some(10));
    assert!(response.bytes().await.is_err());
    assert_eq!(acts.try_recv().unwrap(), "0123456789");

    server
        .faults()
        .set(vec![Rule::new(Action::Html { code: 503 })]);
    let response = post("html").await.unwrap();
    assert_eq!(response.status(), 503);
    assert!(response.text().await.unwrap().contains("<html>"));

    server.faults().set(vec![
        Rule::new(Action::Delay { ms: 1 }),
        Rule::new(Action::named("own")).times(1),
    ]);
    assert_eq!(post("late").await.unwrap().text().await.unwrap(), "late");
    assert_eq!(
        server
            .requests()
            .counts
            .iter()
            .find(|c| c.route == "-")
            .unwrap()
            .statuses[&0],
        2
    );
}

#[tokio::test]
async fn a_script_can_be_set_from_outside() {
    let (server, _acts) = started(ServeOptions::default()).await;
    let client = reqwest::Client::new();
    let script = json!([{"method": "GET", "path_contains": "/small", "times": 1,
        "action": {"status": {"code": 429, "headers": [["Retry-After", "2"]], "body": "{}"}}}]);
    let address = server.url() + "/rehearsal/faults";
    assert_eq!(
        client
            .post(&address)
            .body(script.to_string())
            .send()
            .await
            .unwrap()
            .status(),
        204
    );
    let limited = reqwest::get(server.url() + "/small").await.unwrap();
    assert_eq!(limited.status(), 429);
    assert_eq!(limited.headers()["retry-after"], "2");
    assert_eq!(
        reqwest::get(server.url() + "/small")
            .await
            .unwrap()
            .status(),
        200
    );
    assert_eq!(
        client
            .post(&address)
            .body("[{}]")
            .send()
            .await
            .unwrap()
            .status(),
        400
    );
    assert_eq!(
        server.faults().rules().len(),
        1,
        "a bad script changes nothing"
    );
}

#[tokio::test]
async fn tls_is_trusted_with_the_authority_of_the_server_and_only_with_it() {
    let options = ServeOptions {
        tls_port: Some(0),
        tls_names: vec!["login.example.org".into()],
        ..Default::default()
    };
    let (server, _acts) = started(options).await;
    let address = server.tls_url().unwrap() + "/small";
    let ca = reqwest::Certificate::from_pem(server.ca_pem().unwrap().as_bytes()).unwrap();
    let trusting = reqwest::Client::builder()
        .tls_certs_merge([ca])
        .build()
        .unwrap();
    assert_eq!(trusting.get(&address).send().await.unwrap().status(), 200);
    assert!(reqwest::get(&address).await.is_err());
    assert_eq!(
        reqwest::get(server.url() + "/small")
            .await
            .unwrap()
            .status(),
        200,
        "plain http goes on beside it"
    );
}

#[tokio::test]
async fn stopping_lets_a_request_in_flight_finish() {
    let (server, mut acts) = started(ServeOptions::default()).await;
    let mut stream = TcpStream::connect(("127.0.0.1", server.port()))
        .await
        .unwrap();
    stream
        .write_all(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\nhalf")
        .await
        .unwrap();
    // Once another request on a later connection is answered, the first one's head has been accepted as well.
    assert_eq!(
        reqwest::get(server.url() + "/small")
            .await
            .unwrap()
            .status(),
        200
    );
    let (port, stopping) = (server.port(), tokio::spawn(server.stop()));
    while TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
        tokio::task::yield_now().await;
    }
    stream.write_all(b"done").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("halfdone"),
        "{answer}"
    );
    assert_eq!(acts.recv().await.unwrap(), "halfdone");
    stopping.await.unwrap();
}
