mod scenarios;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::adaptive::Adaptive;
use super::rules::{Answered, Bucket, Gate, Pace, lock};
use super::told::Advertised;
use super::{Limit, LimitHeaders, Pacer, Reset, Ticket};
use crate::context::{Context, RuntimeClock};
use crate::error::ErrorKind;
use crate::http::meter::Tally;
use crate::http::response::Headers;

const CASES: &str = "cases";

fn refuse(pacer: &Pacer, cx: &Context, seconds: u64) {
    let ticket = Ticket {
        endpoint: CASES,
        sent: cx.now(),
    };
    let hold = Some(Duration::from_secs(seconds));
    pacer.on_response(cx.now(), ticket, 429, &Headers::default(), hold);
}

fn start() -> DateTime<Utc> {
    DateTime::parse_from_rfc3339("2024-01-01T00:00:00Z")
        .unwrap()
        .to_utc()
}

fn paused() -> (Context, Tally) {
    let cx = Context::new().with_clock(Arc::new(RuntimeClock::starting_at(start())));
    let tally = cx.meter().of("desk", "cases");
    (cx, tally)
}

/// When requests go in the first hour, asked for by seven workers at once, in milliseconds.
async fn an_hour_of(limit: Limit) -> Vec<i64> {
    let (cx, tally) = paused();
    let pacer = Pacer::new(&[limit]);
    let end = start() + TimeDelta::hours(1);
    let sent = Mutex::new(Vec::new());
    let worker = || async {
        while cx.now() < end {
            let _permit = pacer.acquire(&cx, CASES, &tally).await.unwrap();
            lock(&sent).push((cx.now() - start()).num_milliseconds());
        }
    };
    futures::future::join_all((0..7).map(|_| worker())).await;
    let mut sent = sent.into_inner().unwrap();
    sent.retain(|at| *at < 3_600_000);
    sent
}

#[tokio::test(start_paused = true)]
async fn sixty_a_minute_are_exactly_sixty_in_every_minute_of_an_hour() {
    let sent = an_hour_of(Limit::per_minute(60)).await;
    assert_eq!(sent.len(), 3600);
    for minute in 0..60 {
        let within = sent.iter().filter(|at| **at / 60_000 == minute).count();
        assert_eq!(within, 60, "minute {minute}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_rate_that_fits_no_timer_is_used_to_the_full_and_never_exceeded() {
    for rate in [7, 90, 700, 7000] {
        let sent = an_hour_of(Limit::per_minute(rate)).await;
        let rate = rate as usize;
        assert!(
            sent.len() >= rate * 60 - 1 && sent.len() <= rate * 60,
            "{} of {}",
            sent.len(),
            rate * 60
        );
        for pair in sent.windows(rate + 1) {
            // One millisecond is what the runtime's timer can tell apart.
            assert!(
                pair[rate] - pair[0] >= 59_999,
                "{rate} a minute: {} ms",
                pair[rate] - pair[0]
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_burst_goes_at_once_after_a_pause_and_not_before() {
    let (cx, tally) = paused();
    let pacer = Pacer::new(&[Limit::per_minute(60).burst(5)]);
    let mut sent = Vec::new();
    for round in 0..12 {
        if round == 8 {
            cx.sleep(Duration::from_secs(60), "idle").await.unwrap();
        }
        pacer.acquire(&cx, CASES, &tally).await.unwrap();
        sent.push((cx.now() - start()).num_seconds());
    }
    assert_eq!(sent, [0, 0, 0, 0, 0, 1, 2, 3, 63, 63, 63, 63]);
}

#[tokio::test(start_paused = true)]
async fn a_closed_gate_holds_everybody_and_the_rate_goes_on_behind_it() {
    let (cx, tally) = paused();
    let pacer = Pacer::new(&[Limit::per_minute(60)]);
    pacer.acquire(&cx, CASES, &tally).await.unwrap();
    refuse(&pacer, &cx, 30);
    refuse(&pacer, &cx, 10);
    let worker = || async {
        pacer.acquire(&cx, CASES, &tally).await.unwrap();
        (cx.now() - start()).num_seconds()
    };
    assert_eq!(futures::join!(worker(), worker(), worker()), (30, 31, 32));
    assert_eq!(cx.meter().snapshot()[0].waited_ms, 30_000 + 31_000 + 32_000);
}

#[tokio::test(start_paused = true)]
async fn no_more_run_at_once_than_allowed_and_a_slot_comes_back_with_its_permit() {
    let (cx, tally) = paused();
    let pacer = Pacer::new(&[Limit::none().concurrent(2)]);
    let first = pacer.acquire(&cx, CASES, &tally).await.unwrap();
    let _second = pacer.acquire(&cx, CASES, &tally).await.unwrap();
    assert!(futures::poll!(std::pin::pin!(pacer.acquire(&cx, CASES, &tally))).is_pending());
    drop(first);
    assert!(futures::poll!(std::pin::pin!(pacer.acquire(&cx, CASES, &tally))).is_ready());
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_stops_when_the_run_is_stopped() {
    let (cx, tally) = paused();
    let pacer = Pacer::new(&[Limit::per_minute(1).concurrent(1)]);
    let held = pacer.acquire(&cx, CASES, &tally).await.unwrap();
    let for_a_slot = pacer.acquire(&cx, CASES, &tally);
    let stop = async { cx.cancel() };
    let (stopped, ()) = futures::join!(for_a_slot, stop);
    assert_eq!(stopped.err().unwrap().kind(), ErrorKind::Cancelled);
    drop(held);
    let stopped = pacer.acquire(&cx, CASES, &tally).await;
    assert_eq!(stopped.err().unwrap().kind(), ErrorKind::Cancelled);
}

#[test]
fn a_clock_that_is_set_back_does_not_lengthen_a_wait() {
    let (now, earlier) = (start(), start() - TimeDelta::hours(5));
    let gate = Gate::default();
    gate.close(now, Duration::from_secs(30));
    let ready = gate.ready_at(earlier);
    assert!(ready <= earlier + TimeDelta::seconds(30), "{ready}");
    let headers = LimitHeaders::new("x-limit", "x-left").reset("x-reset", Reset::Seconds);
    let used_up = Headers::new([("x-limit", "60"), ("x-left", "0"), ("x-reset", "30")]);
    let rules: [(&dyn Pace, u16, &Headers); 3] = [
        (&Bucket::new(Duration::from_secs(1), 3), 200, &used_up),
        (&Adaptive::new(60, 1.0), 429, &Headers::default()),
        (&Advertised::new(headers, 60, 1.0), 200, &used_up),
    ];
    for (rule, status, headers) in rules {
        rule.acquire(now, false);
        rule.on_response(&Answered {
            now,
            sent: now,
            status,
            headers,
            in_flight: 0,
        });
        let ready = rule.ready_at(earlier);
        assert!(ready <= earlier + TimeDelta::seconds(61), "{ready}");
        assert!(rule.ready_at(ready) <= ready);
    }
}

#[tokio::test(start_paused = true)]
async fn each_request_obeys_all_limits_that_count_it_and_waits_in_their_queues_only() {
    let (cx, tally) = paused();
    let search = Limit::per_minute(6).only(&["search"]);
    let pacer = Pacer::new(&[Limit::per_minute(60), search]);
    let asks = |endpoint, times: usize| {
        let (pacer, cx, tally) = (&pacer, &cx, &tally);
        async move {
            let mut sent = Vec::new();
            for _ in 0..times {
                pacer.acquire(cx, endpoint, tally).await.unwrap();
                sent.push((cx.now() - start()).num_seconds());
            }
            sent
        }
    };
    let (searches, cases) = futures::join!(asks("search", 3), asks(CASES, 18));
    // Together they are one a second; the cases do not stand behind searches that wait for a limit of their own.
    assert_eq!(searches, [0, 11, 20]);
    let expected: Vec<i64> = (1..20).filter(|second| *second != 11).collect();
    assert_eq!(cases, expected);
}

#[tokio::test(start_paused = true)]
async fn slots_of_a_narrower_limit_are_its_own() {
    let (cx, tally) = paused();
    let search = Limit::none().concurrent(1).only(&["search"]);
    let pacer = Pacer::new(&[Limit::none().concurrent(3), search]);
    let _first = pacer.acquire(&cx, "search", &tally).await.unwrap();
    let mut second = std::pin::pin!(pacer.acquire(&cx, "search", &tally));
    assert!(futures::poll!(&mut second).is_pending());
    let _cases = pacer.acquire(&cx, CASES, &tally).await.unwrap();
    let _more = pacer.acquire(&cx, CASES, &tally).await.unwrap();
    assert!(futures::poll!(std::pin::pin!(pacer.acquire(&cx, CASES, &tally))).is_pending());
}

#[tokio::test(start_paused = true)]
async fn a_day_ends_with_its_allowance_and_the_next_one_begins_anew() {
    let (cx, tally) = paused();
    let pacer = Pacer::new(&[Limit::per_second(50).per_day(200).keep_free(0.5)]);
    for _ in 0..100 {
        pacer.acquire(&cx, CASES, &tally).await.unwrap();
    }
    let error = pacer.acquire(&cx, CASES, &tally).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Quota);
    assert!(
        error.to_string().contains("100 requests") && error.to_string().contains("00:00 UTC"),
        "{error}"
    );
    cx.sleep(Duration::from_secs(86_400), "sleep")
        .await
        .unwrap();
    pacer.acquire(&cx, CASES, &tally).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_share_that_is_kept_free_is_kept_of_a_given_rate() {
    for (share, expected) in [
        (0.0, 3600),
        (0.25, 2700),
        (0.9, 360),
        (7.0, 360),
        (f64::NAN, 3600),
    ] {
        let sent = an_hour_of(Limit::per_minute(60).keep_free(share)).await;
        assert!(
            sent.len().abs_diff(expected) <= 1,
            "{share}: {}",
            sent.len()
        );
    }
}
