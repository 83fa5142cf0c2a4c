use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures::StreamExt;
use serde::Deserialize;

use super::server::{Reply, Server, answer};
use super::*;
use crate::error::{Error, ErrorKind};
use crate::http::{Part, PartBody, Request, answer_lost};
use crate::source::ByteStream;

/// `{"name":"packed"}`, compressed.
const PACKED: &[u8] = &[
    31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 171, 86, 202, 75, 204, 77, 85, 178, 82, 42, 72, 76, 206, 78,
    77, 81, 170, 5, 0, 252, 171, 234, 233, 17, 0, 0, 0,
];

#[derive(Debug, Deserialize)]
struct Case {
    #[allow(dead_code, reason = "only decoded")]
    name: String,
}

fn bytes_of(text: &'static str, pieces: usize) -> ByteStream {
    let size = text.len().div_ceil(pieces);
    futures::stream::iter(
        text.as_bytes()
            .chunks(size)
            .map(|c| Ok(Bytes::from_static(c)))
            .collect::<Vec<_>>(),
    )
    .boxed()
}

fn file(len: u64, text: &'static str) -> PartBody {
    PartBody::stream(len, move || async move { Ok(bytes_of(text, 3)) })
}

#[tokio::test]
async fn what_is_not_the_json_that_was_expected_says_where_or_what_came_instead() {
    let cases: [(&str, &[&str]); 7] = [
        (
            r#"{"data":[{"name":"a"},{"name":7}]}"#,
            &[
                "list: at `data[1].name`: ",
                "integer `7`, expected a string",
            ],
        ),
        (r#"{"data":[{}]}"#, &["at `data[0]`: missing field `name`"]),
        (
            r#"{"data":[{"name":"a""#,
            &["EOF while parsing", "bytes: 20"],
        ),
        (r#"{"data":[]} trailing"#, &["trailing characters"]),
        (
            "<html>\n<h1>Bad gateway</h1>",
            &[
                "the answer is not JSON: <html> <h1>Bad gateway</h1>",
                "type: text/html",
            ],
        ),
        ("", &["the answer is not JSON: the body is empty"]),
        ("null", &["invalid type: null"]),
    ];
    for (body, says) in cases {
        let server = Server::start(move |_, _| {
            Reply::Answer(
                200,
                vec![("content-type", "text/html".into())],
                body.as_bytes().to_vec(),
            )
        })
        .await;
        let (cx, _) = jumping();
        let response = client(&server)
            .send(&cx, Request::get("cases", "c"))
            .await
            .unwrap();
        #[derive(Debug, Deserialize)]
        struct List {
            #[allow(dead_code, reason = "only decoded")]
            data: Vec<Case>,
        }
        let error = response.json::<List>("list").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode, "{body}");
        assert_eq!(error.context("status"), Some("200"), "{body}");
        for part in says {
            assert!(error.to_string().contains(part), "{body}: {error}");
        }
    }
}

#[tokio::test]
async fn compressed_answers_are_unpacked_and_streamed_ones_are_asked_for_unpacked() {
    let server = Server::start(|request, _| match request.header("accept-encoding") {
        Some("gzip") => Reply::Answer(
            200,
            vec![("content-encoding", "gzip".into())],
            PACKED.to_vec(),
        ),
        other => answer(200, &format!("{other:?}")),
    })
    .await;
    let (cx, _) = jumping();
    let client = client(&server);
    let whole = client.send(&cx, Request::get("cases", "c")).await.unwrap();
    assert_eq!(
        whole.json::<serde_json::Value>("read").unwrap(),
        serde_json::json!({"name": "packed"})
    );
    let streamed = client
        .stream(&cx, Request::get("cases", "c"))
        .await
        .unwrap();
    assert_eq!(read(streamed.body).await.unwrap(), br#"Some("identity")"#);
    let asked = client
        .stream(
            &cx,
            Request::get("cases", "c").header("Accept-Encoding", "gzip"),
        )
        .await
        .unwrap();
    assert_eq!(asked.status, 200);
}

async fn read(mut body: ByteStream) -> Result<Vec<u8>, (Vec<u8>, Error)> {
    let mut bytes = Vec::new();
    while let Some(piece) = body.next().await {
        match piece {
            Ok(piece) => bytes.extend_from_slice(&piece),
            Err(error) => {
                assert!(body.next().await.is_none(), "an error ends the body");
                return Err((bytes, error));
            }
        }
    }
    Ok(bytes)
}

#[tokio::test]
async fn a_streamed_body_that_is_cut_says_how_far_it_came() {
    let cases: [(&[u8], &str); 2] = [
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc",
            "connection closed after 3 of 10 bytes",
        ),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
            "connection closed after 3 bytes",
        ),
    ];
    for (raw, says) in cases {
        let server = Server::start(move |_, _| Reply::Raw(raw.to_vec())).await;
        let (cx, _) = jumping();
        let request = Request::get("files", "f").operation("read a file");
        let response = client(&server).stream(&cx, request).await.unwrap();
        let (got, error) = read(response.body).await.unwrap_err();
        assert_eq!(got, b"abc");
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(
            error
                .to_string()
                .starts_with(&format!("read a file: {says}")),
            "{error}"
        );
        let row = counted(&cx);
        assert_eq!(
            (row.requests, row.bytes_in, row.transport_errors),
            (1, 3, 1)
        );
    }
}

#[tokio::test]
async fn a_streamed_body_that_falls_silent_says_so() {
    let server = Server::start(|_, _| {
        Reply::Stall(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc".to_vec())
    })
    .await;
    let (cx, _) = jumping();
    let client = builder(&server)
        .read_timeout(Duration::from_millis(50))
        .build()
        .unwrap();
    let response = client
        .stream(&cx, Request::get("files", "f"))
        .await
        .unwrap();
    let (_, error) = read(response.body).await.unwrap_err();
    assert_eq!(
        error.message(),
        "nothing came for 0.05 s, after 3 of 10 bytes"
    );
}

#[tokio::test]
async fn a_stopped_run_ends_a_streamed_body() {
    let server = Server::start(|_, _| {
        Reply::Stall(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc".to_vec())
    })
    .await;
    let (cx, _) = jumping();
    let mut response = client(&server)
        .stream(&cx, Request::get("files", "f"))
        .await
        .unwrap();
    assert_eq!(response.body.next().await.unwrap().unwrap(), "abc");
    cx.cancel();
    let (_, error) = read(response.body).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}

#[tokio::test]
async fn a_streamed_answer_is_repeated_until_its_headers_are_good_and_refusals_come_with_their_body()
 {
    let server = Server::start(|request, n| match (request.line.as_str(), n) {
        ("GET /api/gone", _) => answer(404, "no such file"),
        (_, 0) => answer(503, "busy"),
        _ => answer(200, "the file"),
    })
    .await;
    let (cx, _) = jumping();
    let client = client(&server);
    let file = client
        .stream(&cx, Request::get("files", "f"))
        .await
        .unwrap();
    assert_eq!((file.status, file.content_length), (200, Some(8)));
    assert_eq!(read(file.body).await.unwrap(), b"the file");
    let gone = client
        .stream(&cx, Request::get("files", "gone"))
        .await
        .unwrap();
    assert!(!gone.is_success());
    assert_eq!(read(gone.body).await.unwrap(), b"no such file");
}

#[tokio::test]
async fn an_answer_larger_than_allowed_is_refused_whether_its_length_is_told_or_not() {
    let told: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n12345678901";
    let untold: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\n123456\r\n6\r\n123456\r\n0\r\n\r\n";
    for raw in [told, untold] {
        let server = Server::start(move |_, _| Reply::Raw(raw.to_vec())).await;
        let client = builder(&server).max_body(10).build().unwrap();
        let (cx, _) = jumping();
        let read = client
            .send(&cx, Request::get("cases", "c"))
            .await
            .unwrap_err();
        assert_eq!(
            (read.kind(), answer_lost(&read)),
            (ErrorKind::Protocol, false)
        );
        let write = client
            .send(&cx, Request::post("cases", "c").json(&1))
            .await
            .unwrap_err();
        assert_eq!(
            (write.kind(), answer_lost(&write)),
            (ErrorKind::Protocol, true)
        );
        assert_eq!(server.count(), 2);
    }
}

#[tokio::test]
async fn bodies_carry_their_type_and_length() {
    let cases = [
        (
            Request::post("x", "x").json(&serde_json::json!({"a": 1})),
            "application/json",
            r#"{"a":1}"#,
        ),
        (
            Request::post("x", "x").form(&[("a", "1 +ü"), ("b", "")]),
            "application/x-www-form-urlencoded",
            "a=1+%2B%C3%BC&b=",
        ),
        (
            Request::put("x", "x").bytes("text/csv", "Id\n1\n"),
            "text/csv",
            "Id\n1\n",
        ),
        (
            Request::put("x", "x").body("text/csv", file(10, "0123456789")),
            "text/csv",
            "0123456789",
        ),
        (
            Request::patch("x", "x")
                .header("Content-Type", "application/merge+json")
                .json(&1),
            "application/merge+json",
            "1",
        ),
    ];
    let server = Server::start(|_, _| answer(200, "")).await;
    let client = client(&server);
    for (i, (request, content_type, body)) in cases.into_iter().enumerate() {
        let (cx, _) = jumping();
        client.send(&cx, request).await.unwrap();
        let seen = &server.seen()[i];
        assert_eq!(seen.header("content-type"), Some(content_type));
        assert_eq!(
            seen.header("content-length"),
            Some(body.len().to_string().as_str())
        );
        assert_eq!(String::from_utf8_lossy(&seen.body), body);
        assert_eq!(counted(&cx).bytes_out, body.len() as u64);
    }
    let (cx, _) = jumping();
    client.send(&cx, Request::post("x", "x")).await.unwrap();
    assert_eq!(
        server.seen().pop().unwrap().header("content-length"),
        Some("0")
    );
}

#[tokio::test]
async fn multipart_sends_its_parts_in_order_with_their_exact_length_and_opens_a_file_again_for_each_attempt()
 {
    let server = Server::start(|_, n| {
        if n == 0 {
            answer(429, "")
        } else {
            answer(201, "{}")
        }
    })
    .await;
    let opened = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&opened);
    let content = PartBody::stream(26, move || {
        counter.fetch_add(1, Ordering::Relaxed);
        async { Ok(bytes_of("abcdefghijklmnopqrstuvwxyz", 4)) }
    });
    let parts = vec![
        Part::text("entity_content", "application/json", r#"{"Title":"log"}"#),
        Part::file(
            "VersionData",
            "a\"b\r\n.txt",
            "application/octet-stream",
            content,
        ),
    ];
    let (cx, _) = jumping();
    client(&server)
        .send(&cx, Request::post("files", "f").multipart(parts))
        .await
        .unwrap();
    assert_eq!(opened.load(Ordering::Relaxed), 2);

    for seen in server.seen() {
        let content_type = seen.header("content-type").unwrap();
        let boundary = content_type
            .strip_prefix("multipart/form-data; boundary=")
            .unwrap();
        assert!(boundary.len() <= 70);
        let expected = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"entity_content\"\r\n\
             Content-Type: application/json\r\n\r\n{{\"Title\":\"log\"}}\r\n\
             --{boundary}\r\nContent-Disposition: form-data; name=\"VersionData\"; filename=\"a%22b%0D%0A.txt\"\r\n\
             Content-Type: application/octet-stream\r\n\r\nabcdefghijklmnopqrstuvwxyz\r\n--{boundary}--\r\n"
        );
        assert_eq!(String::from_utf8_lossy(&seen.body), expected);
        assert_eq!(
            seen.header("content-length"),
            Some(expected.len().to_string().as_str())
        );
    }
}

#[tokio::test]
async fn a_file_of_another_length_than_announced_is_our_error_and_is_never_sent_whole() {
    for (announced, found) in [
        (12, "12 bytes were announced, only 10 came"),
        (9, "9 bytes were announced, more came"),
    ] {
        let server = Server::start(|_, _| answer(201, "{}")).await;
        let (cx, _) = jumping();
        let part = Part::file("f", "f", "text/plain", file(announced, "0123456789"));
        let error = client(&server)
            .send(&cx, Request::post("files", "f").multipart(vec![part]))
            .await
            .unwrap_err();
        assert_eq!((error.kind(), error.message()), (ErrorKind::Storage, found));
        assert!(!answer_lost(&error));
        assert_eq!(server.count(), 0);
    }
}

#[tokio::test]
async fn a_body_that_grew_is_noticed_before_its_announced_length_is_complete() {
    let server = Server::start(|_, _| answer(201, "{}")).await;
    let grown = PartBody::stream(10, || async {
        Ok(futures::stream::iter(
            ["01234", "56789", "x"].map(|piece| Ok(Bytes::from_static(piece.as_bytes()))),
        )
        .boxed())
    });
    let (cx, _) = jumping();
    let error = client(&server)
        .send(&cx, Request::put("f", "f").body("text/plain", grown))
        .await
        .unwrap_err();
    assert_eq!(error.message(), "10 bytes were announced, more came");
    assert_eq!(server.count(), 0);
}

#[tokio::test]
async fn a_file_that_cannot_be_opened_is_told_by_its_own_error_and_not_tried_again() {
    let server = Server::start(|_, _| answer(201, "{}")).await;
    let opened = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&opened);
    let broken = PartBody::stream(5, move || {
        counter.fetch_add(1, Ordering::Relaxed);
        async { Err(Error::new(ErrorKind::NotFound, "open a file", "it is gone")) }
    });
    let (cx, _) = jumping();
    let error = client(&server)
        .send(&cx, Request::put("f", "f").body("text/plain", broken))
        .await
        .unwrap_err();
    assert_eq!(
        (error.operation(), error.message()),
        ("open a file", "it is gone")
    );
    assert_eq!((opened.load(Ordering::Relaxed), server.count()), (1, 0));
}

#[tokio::test]
async fn large_files_are_never_whole_in_memory() {
    const PIECE: usize = 64 * 1024;
    const PIECES: usize = 256;
    let server = Server::start(|request, _| answer(201, &request.body.len().to_string())).await;
    let alive = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let (a, m) = (Arc::clone(&alive), Arc::clone(&most));
    let body = PartBody::stream((PIECE * PIECES) as u64, move || {
        let (alive, most) = (Arc::clone(&a), Arc::clone(&m));
        let pieces = futures::stream::iter(0..PIECES).map(move |_| {
            let now = alive.fetch_add(1, Ordering::SeqCst) + 1;
            most.fetch_max(now, Ordering::SeqCst);
            Ok(Bytes::from_owner(Piece {
                bytes: vec![b'x'; PIECE],
                alive: Arc::clone(&alive),
            }))
        });
        async move { Ok(pieces.boxed()) }
    });
    let (cx, _) = jumping();
    let part = Part::file("f", "f", "text/plain", body);
    let response = client(&server)
        .send(&cx, Request::post("f", "f").multipart(vec![part]))
        .await
        .unwrap();
    assert!(response.text_snippet().parse::<usize>().unwrap() > PIECE * PIECES);
    assert_eq!(alive.load(Ordering::SeqCst), 0);
    let most = most.load(Ordering::SeqCst);
    assert!(most <= 32, "{most} pieces of {PIECES} were alive at once");
}

/// A piece that tells when it is forgotten.
struct Piece {
    bytes: Vec<u8>,
    alive: Arc<AtomicUsize>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn headers_and_values_that_cannot_be_sent_are_named_without_their_value() {
    let server = Server::start(|_, _| answer(200, "")).await;
    let (cx, _) = jumping();
    for request in [
        Request::get("c", "c").header("X-A", "s3cret\r\nX-B: 1"),
        Request::get("c", "c").secret_header("X-A", "s3cret\n".into()),
        Request::get("c", "c").header("X A", "s3cret"),
    ] {
        let error = client(&server).send(&cx, request).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
    let broken = Request::post("c", "c").json(&std::collections::BTreeMap::from([((1, 2), 3)]));
    assert_eq!(
        client(&server).send(&cx, broken).await.unwrap_err().kind(),
        ErrorKind::Bug
    );
    assert_eq!(server.count(), 0);
}
