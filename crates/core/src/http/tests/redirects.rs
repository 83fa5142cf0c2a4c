use super::server::{Reply, Server, answer, answer_with};
use super::*;
use crate::error::ErrorKind;
use crate::http::{Request, SecretString};

fn get(path: impl Into<String>) -> Request {
    Request::get("files", path)
        .header("X-Plain", "plain")
        .secret_header("Authorization", SecretString::new("Bearer s3cret"))
}

#[tokio::test]
async fn credentials_go_along_on_the_same_host_and_stay_behind_on_another_for_good() {
    let files = Server::start(|request, _| match request.line.as_str() {
        "GET /back" => Reply::Answer(
            302,
            vec![("location", request.header("x-plain").unwrap().to_owned())],
            vec![],
        ),
        _ => answer(200, "the file"),
    })
    .await;
    let away = files.url("/file?sig=s");
    let desk = Server::start(move |request, _| match request.line.as_str() {
        "GET /api/near" => answer_with(307, "location", "/api/file"),
        "GET /api/far" => answer_with(302, "location", away.clone()),
        _ => answer(200, "the file"),
    })
    .await;
    let (cx, _) = jumping();
    let client = client(&desk);

    let near = client.stream(&cx, get("near")).await.unwrap();
    assert_eq!(near.status, 200);
    let lines: Vec<_> = desk
        .seen()
        .iter()
        .map(|r| (r.line.clone(), r.header("authorization").is_some()))
        .collect();
    assert_eq!(
        lines,
        [
            ("GET /api/near".into(), true),
            ("GET /api/file".into(), true)
        ]
    );

    let far = client.send(&cx, get("far")).await.unwrap();
    assert_eq!(&far.body[..], b"the file");
    let seen = files.seen();
    assert_eq!(seen[0].line, "GET /file?sig=s");
    assert_eq!(
        (seen[0].header("authorization"), seen[0].header("x-plain")),
        (None, Some("plain"))
    );

    // Another host sends us back: it must not choose what we ask for with credentials.
    let back = Request::get("files", files.url("/back"))
        .header("X-Plain", desk.url("/api/file"))
        .secret_header("Authorization", SecretString::new("Bearer s3cret"));
    client.send(&cx, back).await.unwrap();
    let last = desk.seen().pop().unwrap();
    assert_eq!(
        (last.line.as_str(), last.header("authorization")),
        ("GET /api/file", None)
    );
    assert!(
        files
            .seen()
            .iter()
            .all(|r| r.header("authorization").is_none())
    );
}

#[tokio::test]
async fn a_circle_of_redirects_ends_after_five() {
    let server = Server::start(|_, _| answer_with(302, "location", "/api/again")).await;
    let (cx, _) = jumping();
    let error = client(&server).stream(&cx, get("again")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert_eq!(server.count(), 6);
}

#[tokio::test]
async fn only_reads_follow_redirects() {
    let server = Server::start(|_, _| answer_with(303, "location", "/api/elsewhere")).await;
    let (cx, _) = jumping();
    let response = client(&server)
        .send(&cx, Request::post("cases", "c").json(&1))
        .await
        .unwrap();
    assert_eq!((response.status, server.count()), (303, 1));
}

#[tokio::test]
async fn plain_http_to_another_machine_is_refused_before_anything_is_sent() {
    let plain = "http://files.example.org/x?token=s3cret";
    let server = Server::start(move |_, _| answer_with(302, "location", plain)).await;
    let (cx, _) = jumping();
    let client = client(&server);
    for request in [get(plain), get("redirected")] {
        let error = client.send(&cx, request).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(
            error.to_string().contains("plain http is refused"),
            "{error}"
        );
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
    assert_eq!(
        Client::builder("desk", "http://desk.example.org")
            .build()
            .unwrap_err()
            .kind(),
        ErrorKind::Config
    );
}
