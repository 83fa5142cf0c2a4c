use std::sync::Arc;

use super::server::{Server, answer, answer_with};
use super::*;
use crate::context::RuntimeClock;
use crate::error::ErrorKind;
use crate::http::{Limit, LimitHeaders, Request, Reset};

#[tokio::test]
async fn a_429_of_one_worker_holds_all_workers() {
    let (cx, clock) = jumping();
    let times = Arc::new(Mutex::new(Vec::new()));
    let (seen_at, seen_by) = (Arc::clone(&clock), Arc::clone(&times));
    let server = Server::start(move |_, n| {
        seen_by.lock().unwrap().push(seen_at.seconds());
        if n == 0 {
            answer_with(429, "retry-after", "30")
        } else {
            answer(200, "")
        }
    })
    .await;
    let client = builder(&server)
        .limit(Limit::per_minute(60))
        .build()
        .unwrap();
    // The first is told to wait before the others start: they never see a 429 of their own.
    let first = client.send(&cx, Request::get("cases", "first"));
    let others = async {
        while server.count() == 0 || cx.meter().snapshot()[0].throttled == 0 {
            tokio::task::yield_now().await;
        }
        let clones = [client.clone(), client.clone(), client.clone()];
        let requests = clones
            .iter()
            .map(|clone| clone.send(&cx, Request::get("cases", "other")));
        futures::future::join_all(requests).await
    };
    let (first, others) = tokio::join!(first, others);
    assert_eq!(first.unwrap().status, 200);
    assert!(others.into_iter().all(|other| other.unwrap().status == 200));
    let times = times.lock().unwrap().clone();
    assert!(
        times[0] == 0 && times[1..].iter().all(|at| *at >= 30),
        "{times:?}"
    );
    assert_eq!((times.len(), clock.seconds()), (5, 33));
    assert_eq!(counted(&cx).throttled, 1);
}

#[tokio::test]
async fn a_5xx_of_one_worker_holds_nobody_else() {
    let server = Server::start(|r, _| {
        if r.line.ends_with("bad") {
            answer(500, "")
        } else {
            answer(200, "")
        }
    })
    .await;
    let (cx, clock) = jumping();
    let client = client(&server);
    client
        .send(&cx, Request::get("x", "bad"))
        .await
        .unwrap_err();
    let waits = clock.waits().len();
    client.send(&cx, Request::get("x", "good")).await.unwrap();
    assert_eq!(clock.waits().len(), waits);
}

#[tokio::test]
async fn clones_share_one_rate() {
    let server = Server::start(|_, _| answer(200, "")).await;
    let (cx, clock) = jumping();
    let client = builder(&server)
        .limit(Limit::per_minute(60))
        .build()
        .unwrap();
    for _ in 0..10 {
        client
            .clone()
            .send(&cx, Request::get("cases", "c"))
            .await
            .unwrap();
    }
    assert_eq!(clock.seconds(), 9);
}

#[tokio::test]
async fn a_streamed_answer_holds_its_slot_until_it_is_read_or_dropped() {
    use futures::StreamExt;
    let server = Server::start(|_, _| answer(200, "bytes")).await;
    let (cx, _) = jumping();
    let client = builder(&server)
        .limit(Limit::none().concurrent(1))
        .build()
        .unwrap();
    let mut open = client
        .stream(&cx, Request::get("files", "f"))
        .await
        .unwrap();
    let mut second = Box::pin(client.send(&cx, Request::get("cases", "c")));
    for _ in 0..50 {
        assert!(futures::poll!(&mut second).is_pending());
        tokio::task::yield_now().await;
    }
    assert_eq!(server.count(), 1);
    while let Some(piece) = open.body.next().await {
        piece.unwrap();
    }
    drop(open);
    assert_eq!(second.await.unwrap().status, 200);
}

#[tokio::test]
async fn what_the_headers_of_an_answer_tell_is_obeyed() {
    let (cx, clock) = jumping();
    let server = Server::start(|_, n| {
        let left = if n == 0 { "0" } else { "90" };
        let pairs = [
            ("X-RateLimit-Limit", "100"),
            ("x-ratelimit-remaining", left),
            ("x-ratelimit-reset", "40"),
        ];
        let pairs = pairs.map(|(name, value)| (name, value.to_owned()));
        super::server::Reply::Answer(200, pairs.into(), Vec::new())
    })
    .await;
    let headers = LimitHeaders::new("x-ratelimit-limit", "x-ratelimit-remaining")
        .reset("x-ratelimit-reset", Reset::Guess);
    let client = builder(&server)
        .limit(Limit::told(headers, 60))
        .build()
        .unwrap();
    for _ in 0..2 {
        client.send(&cx, Request::get("cases", "c")).await.unwrap();
    }
    // One second more, since ends are told in whole seconds.
    assert_eq!(clock.seconds(), 41);
}

#[tokio::test]
async fn limits_of_some_endpoints_hold_beside_the_others() {
    let server = Server::start(|_, _| answer(200, "")).await;
    let (cx, clock) = jumping();
    let client = builder(&server)
        .limit(Limit::per_minute(600))
        .also_limit(Limit::per_minute(6).only(&["search"]))
        .build()
        .unwrap();
    for (endpoint, expected) in [("search", 0), ("search", 10), ("cases", 10), ("cases", 10)] {
        client.send(&cx, Request::get(endpoint, "c")).await.unwrap();
        assert_eq!(clock.seconds(), expected, "{endpoint}");
    }
}

#[tokio::test]
async fn a_day_that_is_used_up_ends_the_run_and_says_when_to_go_on() {
    let (cx, _) = jumping();
    let server = Server::scripted(&[(200, &[]), (429, &[])]).await;
    let client = builder(&server)
        .limit(Limit::per_second(50).per_day(9))
        .build()
        .unwrap();
    client.send(&cx, Request::get("cases", "c")).await.unwrap();
    // Refused to the end: the platform has counted more than we have.
    let refused = client
        .send(&cx, Request::get("cases", "c"))
        .await
        .unwrap_err();
    assert_eq!((refused.kind(), server.count()), (ErrorKind::Quota, 7));
    // Two more are allowed by our own count; the third is not even sent.
    let ours = client
        .send(&cx, Request::get("cases", "c"))
        .await
        .unwrap_err();
    assert_eq!((ours.kind(), server.count()), (ErrorKind::Quota, 9));
    for error in [refused, ours] {
        assert_eq!(error.context("platform"), Some("desk"));
        assert!(error.to_string().contains("after 00:00 UTC"), "{error}");
    }
}

/// An hour of simulated time over the network: client and server share a paused runtime.
#[tokio::test(start_paused = true)]
async fn an_hour_at_the_limit_uses_all_of_it_and_meets_no_429() {
    let cx = Context::new().with_clock(Arc::new(RuntimeClock::starting_at(JumpClock::start())));
    let started = tokio::time::Instant::now();
    let minute = Mutex::new((0, 0));
    let server = Server::start(move |_, _| {
        let now = started.elapsed().as_secs() / 60;
        let mut minute = minute.lock().unwrap();
        *minute = if minute.0 == now {
            (now, minute.1 + 1)
        } else {
            (now, 1)
        };
        if minute.1 > 60 {
            answer(429, "")
        } else {
            answer(200, "")
        }
    })
    .await;
    let client = builder(&server)
        .limit(Limit::per_minute(60))
        .build()
        .unwrap();
    for _ in 0..3600 {
        client.send(&cx, Request::get("cases", "c")).await.unwrap();
    }
    let row = counted(&cx);
    assert_eq!(
        (row.requests, row.throttled, row.waited_ms),
        (3600, 0, 3_599_000)
    );
}
