use super::server::{Reply, Server, answer, answer_with};
use super::*;
use crate::error::{ErrorKind, Retry};
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
    // Both servers stand on this machine.
    let client = builder(&desk).allow_private_hosts(true).build().unwrap();

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

/// A name of the public internet, as far as anybody can tell from it.
const HARMLESS: &str = "files.example.org";

/// A look-up by which every name is this machine.
fn all_names_are_here() -> crate::http::reach::Lookup {
    Arc::new(|_| Box::pin(async { Ok(vec![([127, 0, 0, 1], 0).into()]) }))
}

#[tokio::test]
async fn a_link_to_another_host_that_is_private_is_refused_before_anything_is_sent() {
    let victim = Server::start(|_, _| answer(200, "the router's password")).await;
    let port = victim.url("").rsplit(':').next().unwrap().to_owned();
    let links = [
        "http://169.254.169.254/latest/meta-data".to_owned(),
        "https://10.1.2.3/".to_owned(),
        format!("http://127.0.0.1:{port}/"),
        format!("https://[::1]:{port}/"),
        format!("https://[::ffff:127.0.0.1]:{port}/"),
        format!("https://2130706433:{port}/"),
        format!("http://localhost:{port}/"),
        format!("https://{HARMLESS}:{port}/"),
    ];
    for link in links {
        let target = link.clone();
        let desk = Server::start(move |request, _| match request.line.as_str() {
            "GET /api/chain" => answer_with(302, "location", "/api/further"),
            _ => answer_with(307, "location", target.clone()),
        })
        .await;
        let client = builder(&desk).lookup(all_names_are_here()).build().unwrap();
        let (cx, clock) = jumping();
        for request in [get(link.clone()), get("redirected"), get("chain")] {
            let error = client.stream(&cx, request).await.map(|_| ()).unwrap_err();
            assert_eq!(
                (error.kind(), error.retry_state()),
                (ErrorKind::Refused, Retry::Never),
                "{link}: {error}"
            );
            let text = error.to_string();
            assert!(text.contains("no public address"), "{link}: {text}");
            assert!(
                error.advice().unwrap().contains("allow private hosts"),
                "{link}"
            );
        }
        assert!(
            clock.waits().is_empty(),
            "{link}: a refusal is not tried again"
        );
    }
    assert_eq!(victim.count(), 0);
}

#[tokio::test]
async fn private_hosts_are_reached_once_they_are_allowed_and_the_platform_itself_always() {
    let files = Server::start(|_, _| answer(200, "the file")).await;
    let port = files.url("").rsplit(':').next().unwrap().to_owned();
    let here = Server::start(|_, _| answer(200, "the desk")).await;
    let (cx, _) = jumping();
    let own = client(&here).send(&cx, get("cases")).await.unwrap();
    assert_eq!(&own.body[..], b"the desk");
    let allowed = builder(&here).allow_private_hosts(true).build().unwrap();
    for link in [files.url("/file"), format!("http://localhost:{port}/file")] {
        let answer = allowed.send(&cx, get(link.clone())).await.unwrap();
        assert_eq!(&answer.body[..], b"the file", "{link}");
        assert!(
            files
                .seen()
                .iter()
                .all(|request| request.header("authorization").is_none()),
            "{link}"
        );
    }
}
