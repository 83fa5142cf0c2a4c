//! What was said, by searches for many conversations at once and conversation by conversation.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use deskferry_core::{Record, RecordKey};
use deskferry_rehearsal::fault::{Action, Rule};
use deskferry_rehearsal::kustomer::Kustomer as Desk;
use deskferry_source_kustomer::MessageReads;

use crate::harness::{Reader, config, desk, options, read_all, source};

async fn read_by(desk: &Desk, reads: MessageReads) -> Reader {
    read_all(&source(config(desk).messages(reads)))
        .await
        .unwrap()
}

fn said(reader: &Reader) -> BTreeSet<(RecordKey, String)> {
    let all = reader.records.values().filter_map(|record| match record {
        Record::Message(one) => Some((one.meta.key.clone(), format!("{one:?}"))),
        Record::Attachment(one) => Some((one.meta.key.clone(), format!("{one:?}"))),
        _ => None,
    });
    all.collect()
}

fn asked(desk: &Desk, route: &str) -> u64 {
    desk.requests().count("GET", route)
}

#[tokio::test]
async fn both_ways_read_the_same_and_searches_ask_less() {
    for years_ago in [0, 3] {
        // First with a part of it in the archive, then all of it young.
        let mut options = options(400);
        options.now -= TimeDelta::days(365 * years_ago);
        same(desk(options).await).await;
    }
}

async fn same(desk: Desk) {
    let each = read_by(&desk, MessageReads::Conversation).await;
    let lists = asked(&desk, "{id}/messages");
    let searched = read_by(&desk, MessageReads::Search).await;
    assert_eq!(said(&each), said(&searched));
    assert_eq!(each.complete, searched.complete);
    let remaining = asked(&desk, "{id}/messages") - lists;
    assert!(remaining < lists, "{remaining} of {lists} lists are left");
    let least = desk.least_requests_by_search();
    assert_eq!(remaining, least.messages, "those with files, and old ones");
}

#[tokio::test]
async fn a_search_that_does_not_do_what_is_asked_of_it_loses_nothing() {
    let desk = desk(options(400)).await;
    let each = read_by(&desk, MessageReads::Conversation).await;
    desk.faults().set(vec![
        Rule::new(Action::named("not-joined")).path("message"),
        Rule::new(Action::named("not-joined")).path("note"),
    ]);
    let searched = read_by(&desk, MessageReads::Search).await;
    assert_eq!(said(&each), said(&searched));
    assert_eq!(each.complete, searched.complete);
}

#[tokio::test]
async fn the_cheaper_way_is_taken_under_both_limits() {
    // A search is worth ten other requests where a key has a hundred of a thousand.
    for (conversations, searches, by_search) in [(12, 1, false), (400, 10, true), (400, 1, true)] {
        let desk = desk(options(conversations)).await;
        let config = config(&desk)
            .requests_per_minute(1_000_000)
            .searches_per_minute(100_000 * searches);
        let all = read_all(&source(config)).await.unwrap();
        assert_eq!(all.conversations().count() as u64, conversations);
        let active = desk.least_requests().messages;
        let lists = asked(&desk, "{id}/messages");
        assert_eq!(lists < active, by_search, "{lists} of {active}");
    }
}
