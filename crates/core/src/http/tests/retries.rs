use std::sync::Arc;
use std::time::Duration;

use super::server::{Reply, Server, answer, answer_with};
use super::*;
use crate::error::{ErrorKind, Retry};
use crate::http::{Judgement, Request, RetryPolicy, answer_lost};
use crate::key::RecordKey;

type Headers = &'static [(&'static str, &'static str)];
const NONE: Headers = &[];
const WAIT: Headers = &[("retry-after", "7")];

#[tokio::test]
async fn what_is_sent_how_often_and_how_it_ends() {
    // (write, what the server answers, requests that it sees, status that the caller gets, or the kind of error)
    type Case = (
        bool,
        &'static [(u16, Headers)],
        usize,
        Result<u16, ErrorKind>,
    );
    let cases: &[Case] = &[
        (false, &[(200, NONE)], 1, Ok(200)),
        (false, &[(401, NONE)], 1, Ok(401)),
        (false, &[(403, NONE)], 1, Ok(403)),
        (false, &[(404, NONE)], 1, Ok(404)),
        (false, &[(500, NONE), (200, NONE)], 2, Ok(200)),
        (
            false,
            &[(503, NONE), (502, NONE), (504, NONE), (200, NONE)],
            4,
            Ok(200),
        ),
        (false, &[(429, WAIT), (200, NONE)], 2, Ok(200)),
        (false, &[(500, NONE)], 6, Err(ErrorKind::Unavailable)),
        (false, &[(429, NONE)], 6, Err(ErrorKind::RateLimited)),
        (true, &[(201, NONE)], 1, Ok(201)),
        (true, &[(400, NONE)], 1, Ok(400)),
        (true, &[(500, NONE), (200, NONE)], 1, Ok(500)),
        (true, &[(503, NONE), (200, NONE)], 1, Ok(503)),
        (true, &[(504, WAIT), (200, NONE)], 1, Ok(504)),
        (true, &[(503, WAIT), (201, NONE)], 2, Ok(201)),
        (true, &[(429, NONE), (429, WAIT), (201, NONE)], 3, Ok(201)),
        (true, &[(429, NONE)], 6, Err(ErrorKind::RateLimited)),
        (true, &[(503, WAIT)], 6, Err(ErrorKind::Unavailable)),
    ];
    for (write, answers, requests, ends) in cases {
        let server = Server::scripted(answers).await;
        let (cx, _) = jumping();
        let request = if *write {
            Request::post("cases", "cases").json(&1)
        } else {
            Request::get("cases", "cases")
        };
        let result = client(&server).send(&cx, request).await;
        let case = format!("write {write}, {answers:?}");
        assert_eq!(server.count(), *requests, "{case}");
        assert_eq!(counted(&cx).requests, *requests as u64, "{case}");
        assert_eq!(counted(&cx).retries, *requests as u64 - 1, "{case}");
        match (result, ends) {
            (Ok(response), Ok(status)) => assert_eq!(response.status, *status, "{case}"),
            (Err(error), Err(kind)) => {
                assert_eq!(error.kind(), *kind, "{case}");
                assert_eq!(error.retry_state(), Retry::Exhausted, "{case}");
                assert!(!answer_lost(&error), "{case}");
            }
            (result, _) => panic!("{case}: {result:?}"),
        }
    }
}

#[tokio::test]
async fn an_exhausted_error_says_what_was_done_to_which_record_what_came_back_and_what_to_do() {
    let server = Server::start(|_, _| answer(500, "<html>\nOut of   order</html>")).await;
    let (cx, _) = jumping();
    let request = Request::get("cases", "cases/7?limit=5")
        .operation("read a case")
        .about(RecordKey::parse("desk:acme:conversation:7").unwrap());
    let error = client(&server).send(&cx, request).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "read a case (desk:acme:conversation:7): the server answered 500: <html> Out of order</html> \
             [platform: desk, status: 500, request: GET {}, attempts: 6]. Run `resume` later: it goes on where it stopped",
            server.url("/api/cases/7?limit=5")
        )
    );
}

#[tokio::test]
async fn retry_after_is_waited_for_before_the_policys_own_delays() {
    let date = ("date", "Mon, 01 Jan 2024 00:00:00 GMT");
    let cases: [(&str, i64); 4] = [
        ("59", 59),
        ("600", 600),
        ("Mon, 01 Jan 2024 00:01:30 GMT", 90),
        ("7200", 900),
    ];
    for (value, seconds) in cases {
        for status in [429, 503] {
            let server = Server::start(move |_, n| match n {
                0 => Reply::Answer(
                    status,
                    vec![("retry-after", value.into()), (date.0, date.1.into())],
                    vec![],
                ),
                _ => answer(200, ""),
            })
            .await;
            let (cx, clock) = jumping();
            client(&server)
                .send(&cx, Request::get("cases", "cases"))
                .await
                .unwrap();
            assert_eq!(clock.seconds(), seconds, "{status} {value}");
            assert_eq!(
                counted(&cx).waited_ms,
                seconds as u64 * 1000,
                "{status} {value}"
            );
        }
    }
}

#[tokio::test]
async fn a_retry_after_of_nothing_still_gives_the_platform_time() {
    let server = Server::scripted(&[(429, &[("retry-after", "0")])]).await;
    let (cx, clock) = jumping();
    client(&server)
        .send(&cx, Request::get("cases", "cases"))
        .await
        .unwrap_err();
    assert_eq!(clock.waits().len(), 5);
}

#[tokio::test]
async fn the_longest_retry_after_is_an_option() {
    let server = Server::scripted(&[(429, &[("retry-after", "86400")]), (200, NONE)]).await;
    let (cx, clock) = jumping();
    let policy = RetryPolicy::default().max_retry_after(Duration::from_secs(40));
    let client = builder(&server).retry(policy).build().unwrap();
    client
        .send(&cx, Request::get("cases", "cases"))
        .await
        .unwrap();
    assert_eq!(clock.seconds(), 40);
}

#[tokio::test]
async fn waits_for_the_platform_do_not_use_up_the_time_for_own_delays() {
    let server = Server::scripted(&[
        (429, &[("retry-after", "600")]),
        (429, &[("retry-after", "600")]),
        (200, NONE),
    ])
    .await;
    let (cx, _) = jumping();
    assert_eq!(
        client(&server)
            .send(&cx, Request::get("cases", "cases"))
            .await
            .unwrap()
            .status,
        200
    );
}

#[tokio::test]
async fn own_delays_grow_within_their_limits_and_end_by_time() {
    let server = Server::scripted(&[(500, NONE)]).await;
    let (cx, clock) = jumping();
    let delay = Duration::from_secs(1);
    let policy = RetryPolicy::default()
        .max_attempts(1000)
        .max_elapsed(Duration::from_secs(30))
        .delays(delay, delay * 4);
    let error = builder(&server)
        .retry(policy)
        .build()
        .unwrap()
        .send(&cx, Request::get("c", "c"))
        .await
        .unwrap_err();
    assert_eq!(error.retry_state(), Retry::Exhausted);
    let waits = clock.waits();
    for (i, wait) in waits.iter().enumerate() {
        assert!(
            *wait <= delay * [1, 2, 4][i.min(2)] + Duration::from_nanos(2),
            "{i}: {wait:?}"
        );
    }
    let spent: Duration = waits.iter().sum();
    assert!(
        spent >= Duration::from_secs(30) && spent < Duration::from_secs(35),
        "{spent:?}"
    );
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_never_repeated() {
    let cut_head = b"HTTP/1.1 201 Crea".to_vec();
    let cut_body = b"HTTP/1.1 201 Created\r\ncontent-length: 100\r\n\r\n{\"id\":".to_vec();
    for cut in [Vec::new(), cut_head, cut_body] {
        let shown = String::from_utf8_lossy(&cut).into_owned();
        let server = Server::start(move |_, _| Reply::Raw(cut.clone())).await;
        let (cx, _) = jumping();
        let request = Request::post("cases", "cases").json(&serde_json::json!({"subject": "x"}));
        let error = client(&server).send(&cx, request).await.unwrap_err();
        assert_eq!(server.count(), 1, "{shown:?}");
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{shown:?}");
        assert_eq!(error.context("answer"), Some("lost"), "{shown:?}");
        assert!(answer_lost(&error), "{shown:?}");
        assert_eq!(counted(&cx).transport_errors, 1, "{shown:?}");
    }
}

#[tokio::test]
async fn a_read_or_a_write_that_says_so_is_repeated_when_its_answer_was_lost() {
    for request in [
        Request::get("cases", "c"),
        Request::patch("cases", "c").json(&1).idempotent(true),
    ] {
        let server = Server::start(|_, n| {
            if n < 2 {
                Reply::Hangup
            } else {
                answer(200, "there")
            }
        })
        .await;
        let (cx, _) = jumping();
        let response = client(&server).send(&cx, request).await.unwrap();
        assert_eq!((&response.body[..], server.count()), (&b"there"[..], 3));
    }
}

#[tokio::test]
async fn a_read_that_is_cut_again_and_again_ends_as_unavailable() {
    let server = Server::start(|_, _| {
        Reply::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc".to_vec())
    })
    .await;
    let (cx, _) = jumping();
    let error = client(&server)
        .send(&cx, Request::get("cases", "c"))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.retry_state()),
        (ErrorKind::Unavailable, Retry::Exhausted)
    );
    assert_eq!(error.message(), "connection closed after 3 of 10 bytes");
    assert_eq!(server.count(), 6);
}

#[tokio::test]
async fn a_refused_connection_is_tried_again_even_for_writes_since_nothing_was_sent() {
    // Bound but not listening: nobody else can get the port meanwhile.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let base = format!("http://{}", socket.local_addr().unwrap());
    let (cx, clock) = jumping();
    let client = Client::builder("desk", &base).build().unwrap();
    let error = client
        .send(&cx, Request::post("cases", "cases").json(&1))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.retry_state()),
        (ErrorKind::Unavailable, Retry::Exhausted)
    );
    assert!(!answer_lost(&error), "{error}");
    assert!(error.message().starts_with("no connection: "), "{error}");
    assert_eq!(clock.waits().len(), 5);
    assert_eq!(counted(&cx).transport_errors, 6);
}

#[tokio::test]
async fn a_judge_decides_what_an_answer_means() {
    let server = Server::start(|request, n| match (request.line.as_str(), n) {
        ("GET /api/locked", _) => answer_with(429, "retry-after", "600"),
        ("GET /api/busy", 1) => answer(403, "busy"),
        ("GET /api/busy", _) => answer(200, "free"),
        _ => answer(410, "gone for ever"),
    })
    .await;
    let client = builder(&server)
        .judge(Arc::new(|response| {
            match (response.status, &response.body[..]) {
                (429, _) => Judgement::Answer,
                (403, b"busy") => Judgement::Retry(Some(Duration::from_secs(3))),
                (410, _) => Judgement::Fatal,
                _ => Judgement::by_status(response),
            }
        }))
        .build()
        .unwrap();
    let (cx, clock) = jumping();
    assert_eq!(
        client
            .send(&cx, Request::get("x", "locked"))
            .await
            .unwrap()
            .status,
        429
    );
    assert_eq!((server.count(), clock.seconds()), (1, 0));
    assert_eq!(
        client
            .send(&cx, Request::get("x", "busy"))
            .await
            .unwrap()
            .status,
        200
    );
    assert_eq!((server.count(), clock.seconds()), (3, 3));
    let error = client
        .send(&cx, Request::get("x", "old").operation("read"))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.retry_state()),
        (ErrorKind::Refused, Retry::Never)
    );
    assert!(
        error
            .to_string()
            .starts_with("read: the server answered 410: gone for ever"),
        "{error}"
    );
}

#[tokio::test]
async fn silence_ends_with_the_time_out_and_a_write_with_its_answer_lost() {
    let server = Server::start(|_, _| Reply::Stall(Vec::new())).await;
    let (cx, _) = jumping();
    let request = Request::post("cases", "c")
        .json(&1)
        .timeout(Duration::from_millis(20));
    let error = client(&server).send(&cx, request).await.unwrap_err();
    assert!(answer_lost(&error));
    assert_eq!(error.message(), "no whole answer within 0.02 s");
}

#[tokio::test]
async fn a_stopped_run_gives_up_a_read_and_its_waits() {
    let server = Server::start(|_, _| Reply::Stall(Vec::new())).await;
    let (cx, _) = jumping();
    let client = client(&server);
    let read = client.send(&cx, Request::get("cases", "c"));
    let stop = async {
        while server.count() == 0 {
            tokio::task::yield_now().await;
        }
        cx.cancel();
    };
    let (result, ()) = tokio::join!(read, stop);
    assert_eq!(result.unwrap_err().kind(), ErrorKind::Cancelled);
    let before = client
        .send(&cx, Request::get("cases", "c"))
        .await
        .unwrap_err();
    assert_eq!((before.kind(), server.count()), (ErrorKind::Cancelled, 1));
}
