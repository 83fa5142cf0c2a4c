//! What a read takes, told before it begins and while it goes on.

use deskferry_core::source::{Scope, Source as _};
use deskferry_core::{Context, ErrorKind};
use deskferry_rehearsal::fault::{Action, Rule};
use deskferry_rehearsal::trengo::{LeastOptions, RateLimit};
use deskferry_rehearsal::world::{Content, WorldSpec};
use deskferry_source_trengo::Take;

use crate::harness::{Reader, asked, config, desk, options, source};

/// Whether two figures are within a twentieth of each other.
fn close(told: u64, was: u64) -> bool {
    told.abs_diff(was) * 20 <= was
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_read_needs_is_told_before_it_begins() {
    for (spam, completeness) in [(false, true), (true, false)] {
        let mut made = options(600);
        made.content = Content::Made(WorldSpec::new(11, 600).with_channels().knowledge());
        let desk = desk(made).await;
        let take = if spam { Take::Include } else { Take::Skip };
        let source = source(config(&desk).spam(take).completeness(completeness));
        let told = source.estimate(&Context::new()).await.unwrap().unwrap();
        let mut wanted = LeastOptions::default();
        wanted.spam = spam;
        wanted.completeness = completeness;
        let least = desk.least_requests(wanted);
        let requests = told.requests().least;
        assert!(
            close(requests, least.total()),
            "{requests} were told, {} are needed\n{}\n{least:?}",
            least.total(),
            told.text()
        );
        let of = |name: &str| {
            let step = told.steps.iter().find(|step| step.step == name);
            step.map_or(0, |step| step.requests.least)
        };
        assert_eq!(of("setup"), least.setup);
        assert_eq!(of("people"), least.people);
        assert_eq!(of("completeness"), least.completeness);
        assert_eq!(of("help centres"), least.knowledge);
        assert_eq!(of("inventory"), least.inventory);
        // It asks for a small part of what it tells of.
        let asked = asked(&desk, "/api/v2/");
        assert!(asked * 5 < requests, "{asked} requests for {requests}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_finishing_time_follows_the_limit_that_answers_tell() {
    let mut limited = options(30);
    limited.rate_limit = Some(RateLimit::per_minute(750));
    let desk = desk(limited).await;
    let told = source(config(&desk).keep_free(20.0))
        .estimate(&Context::new())
        .await
        .unwrap()
        .unwrap();
    let files = told.steps.iter().find(|step| step.step == "files").unwrap();
    assert_eq!(files.seconds.most, 0, "files have no part in the limit");
    let counted = told.requests().least - files.requests.least;
    let seconds = told.seconds().least;
    // 600 a minute; each step is rounded up.
    assert!(
        (counted / 10..=counted / 10 + told.steps.len() as u64 + 1).contains(&seconds),
        "{seconds} s for {counted} requests"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_still_to_come_is_told_truly_while_a_read_goes_on() {
    let desk = desk(options(420)).await;
    let first = source(config(&desk));
    let mut reader = Reader::new();
    reader.begin(&first, &Scope::default()).await.unwrap();
    let mut told = Vec::new();
    let sent = || asked(&desk, "/api/v2/");
    let mut before = None;
    // The second half is another process's, which knows what the first one knew.
    for (source, whole) in [(first, 330), (source(config(&desk)), usize::MAX)] {
        while reader.read.whole() < whole {
            let Some(shard) = reader.step(&source).await.unwrap() else {
                break;
            };
            if shard == "tickets" {
                let outlook = reader.cx.meter().outlooks().get("trengo").copied();
                told.extend(outlook.map(|outlook| (sent(), outlook.left)));
                before = Some(sent());
            }
        }
    }
    let needed = before.unwrap();
    assert!(told.len() > 10, "{told:?}");
    for (sent, left) in &told {
        assert!(
            close(sent + left, needed),
            "{sent} were sent and {left} left was told, {needed} were needed"
        );
    }
    assert_eq!(told.last().map(|(_, left)| *left), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_estimate_ends_where_the_token_is_refused_and_not_where_reports_are() {
    let mut without = options(30);
    without.reporting = false;
    let desk = desk(without).await;
    let made = source(config(&desk)).estimate(&Context::new()).await;
    let told = made.unwrap().unwrap();
    let check = told.steps.iter().find(|step| step.step == "completeness");
    assert_eq!(check.unwrap().requests.most, 1);
    desk.faults()
        .push(Rule::new(Action::status(401)).path("/messages"));
    let error = source(config(&desk)).estimate(&Context::new()).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Credentials);
}
