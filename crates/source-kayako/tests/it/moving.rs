//! A desk in use: cases change, vanish and come while they are read.

use chrono::Utc;
use deskferry_core::source::{Scope, Source as _};
use deskferry_core::{Record, RecordKind, Tenant};
use deskferry_rehearsal::fault::{Action, Rule};
use deskferry_rehearsal::kayako::Kayako as Desk;
use deskferry_rehearsal::world::ConversationState;

use crate::harness::{Reader, config, desk, options, source};

fn shown(desk: &Desk) -> Vec<u64> {
    let world = desk.world();
    let mut cases: Vec<_> = world
        .conversations()
        .filter(|case| case.state == ConversationState::Active)
        .map(|case| (case.updated, case.id))
        .collect();
    cases.sort_unstable();
    cases.reverse();
    cases.into_iter().map(|(_, id)| id).collect()
}

/// Reads up to and with the first page of cases.
async fn first_page(reader: &mut Reader, source: &deskferry_source_kayako::Kayako) {
    reader.begin(source, &Scope::default()).await.unwrap();
    while reader.step(source).await.unwrap().as_deref() != Some("cases") {}
}

fn has(reader: &Reader, kind: RecordKind, id: u64) -> bool {
    reader
        .read
        .records
        .contains_key(&Tenant::new("kayako", "acme").key(kind, id))
}

#[tokio::test(flavor = "multi_thread")]
async fn cases_that_change_vanish_and_shift_lose_nothing_and_are_not_doubled() {
    let desk = desk(options(300)).await;
    let source = source(config(&desk).email_headers(false));
    let order = shown(&desk);
    let mut reader = Reader::new();
    first_page(&mut reader, &source).await;
    // Thirty that were listed are thrown away: everything behind them moves up.
    for id in &order[10..40] {
        desk.vanish(*id).unwrap();
    }
    // And two from the end were touched: they jump to the top.
    let touched = [order[order.len() - 1], order[order.len() - 2]];
    for id in touched {
        desk.touch(id).unwrap();
    }
    reader.finish(&source).await.unwrap();
    for id in &order {
        assert!(
            has(&reader, RecordKind::Conversation, *id),
            "case {id} is missing"
        );
    }
    assert_eq!(reader.read.whole(), order.len());
    // Thirty conversations whose posts could not be read any more are named one by one.
    assert_eq!(reader.read.rejects.len(), 30);
    assert!(
        reader
            .read
            .rejects
            .iter()
            .all(|r| r.kind == RecordKind::Message
                && r.path == "posts"
                && r.reason.starts_with("vanished"))
    );
    let names: Vec<_> = reader
        .read
        .shards
        .iter()
        .filter(|shard| shard.starts_with("posts/"))
        .collect();
    assert!(names.len() >= 3, "{names:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn cases_that_no_page_showed_are_found_by_their_ids() {
    let desk = desk(options(420)).await;
    let source = source(config(&desk));
    let order = shown(&desk);
    let mut reader = Reader::new();
    first_page(&mut reader, &source).await;
    // So many leave at once that a step back of one page is not enough.
    for id in &order[..95] {
        desk.vanish(*id).unwrap();
    }
    reader.step(&source).await.unwrap();
    for id in &order[95..260] {
        desk.vanish(*id).unwrap();
    }
    while !reader.read.ends.contains_key("cases") {
        reader.step(&source).await.unwrap();
    }
    let missing: Vec<_> = order[260..]
        .iter()
        .filter(|id| !has(&reader, RecordKind::Conversation, **id))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    let by_id = desk
        .requests()
        .recent
        .iter()
        .filter(|entry| entry.path.contains("ids="))
        .count();
    assert!(by_id > 0, "nothing was looked for by id");
    assert!(
        reader
            .read
            .notes
            .iter()
            .any(|note| note.contains("looked for by id"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_during_the_walk_is_caught_up_with_its_new_posts() {
    let desk = desk(options(150)).await;
    let source = source(config(&desk).email_headers(false));
    let order = shown(&desk);
    let mut reader = Reader::new();
    first_page(&mut reader, &source).await;
    let late = order[order.len() / 2];
    let mut post = desk.world().conversation_by_id(order[0]).unwrap().messages[0].clone();
    post.id = 9_999_999;
    post.sent = Utc::now() + chrono::TimeDelta::seconds(2);
    desk.add_post(late, post).unwrap();
    reader.finish(&source).await.unwrap();
    assert!(has(&reader, RecordKind::Message, 9_999_999));
    let stamped = reader
        .read
        .shards
        .iter()
        .filter(|shard| shard.contains('@'))
        .count();
    assert_eq!(stamped, 1, "{:?}", reader.read.shards);
    let Some(Record::Conversation(case)) = reader
        .read
        .records
        .get(&Tenant::new("kayako", "acme").key(RecordKind::Conversation, late))
    else {
        panic!("it was listed")
    };
    assert!(
        case.meta.updated_at
            > desk
                .world()
                .conversation_by_id(late)
                .map(|case| case.updated)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_desk_at_rest_costs_one_request_to_catch_up_and_a_short_one_none() {
    for (conversations, lists) in [(60, 1), (250, 4)] {
        let desk = desk(options(conversations)).await;
        let source = source(config(&desk).email_headers(false));
        let mut reader = Reader::new();
        reader.begin(&source, &Scope::default()).await.unwrap();
        reader.finish(&source).await.unwrap();
        let listed: u64 = desk
            .requests()
            .counts
            .iter()
            .filter(|count| count.route == "/api/v1/cases")
            .map(|count| count.requests)
            .sum();
        assert_eq!(listed, lists, "{conversations} conversations");
        assert!(reader.read.shards.iter().all(|shard| !shard.contains('@')));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_of_changes_takes_only_what_changed_since_the_watermark() {
    let desk = desk(options(80)).await;
    let source = source(config(&desk).email_headers(false));
    let mut first = Reader::new();
    first.begin(&source, &Scope::default()).await.unwrap();
    first.finish(&source).await.unwrap();
    let order = shown(&desk);
    desk.touch(order[60]).unwrap();
    let mut scope = Scope::default();
    scope.kinds = vec![RecordKind::Conversation, RecordKind::Message];
    scope.since = first.read.ends.get("cases").cloned();
    let mut delta = Reader::new();
    delta.begin(&source, &scope).await.unwrap();
    assert_eq!(delta.read.shards.iter().collect::<Vec<_>>(), ["cases"]);
    delta.finish(&source).await.unwrap();
    assert!(delta.read.left_out().is_empty(), "{:?}", delta.read.skips);
    let changed: Vec<_> = delta
        .read
        .conversations()
        .map(|case| case.number.clone())
        .collect();
    assert_eq!(changed, [order[60].to_string()]);
    assert!(delta.read.messages().count() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_repeats_ends_the_part_and_the_next_run_goes_on_from_there() {
    let desk = desk(options(250)).await;
    let source = source(config(&desk).email_headers(false));
    let mut reader = Reader::new();
    first_page(&mut reader, &source).await;
    desk.faults().push(
        Rule::new(Action::named("repeat-page"))
            .path("cases?offset=")
            .times(1),
    );
    let error = reader.finish(&source).await.unwrap_err();
    assert_eq!(error.kind(), deskferry_core::ErrorKind::Protocol);
    assert!(error.to_string().contains("came twice"), "{error}");
    reader.finish(&source).await.unwrap();
    assert_eq!(
        reader.read.count(RecordKind::Conversation),
        shown(&desk).len()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_is_killed_between_pages_goes_on_with_another_process() {
    let desk = desk(options(200)).await;
    let mut reader = Reader::new();
    let mut source_of_the_day = source(config(&desk));
    reader
        .begin(&source_of_the_day, &Scope::default())
        .await
        .unwrap();
    let mut pages = 0;
    while reader.step(&source_of_the_day).await.unwrap().is_some() {
        pages += 1;
        if pages % 37 == 0 {
            source_of_the_day = source(config(&desk));
        }
    }
    assert!(pages > 100, "{pages}");
    let wanted = shown(&desk).len();
    assert_eq!(
        (
            reader.read.count(RecordKind::Conversation),
            reader.read.whole()
        ),
        (wanted, wanted)
    );
    assert_eq!(reader.read.rejects, Vec::new());
}

#[tokio::test]
async fn the_parts_of_a_read_keep_their_names_and_a_strange_cursor_starts_one_again() {
    let desk = desk(options(5)).await;
    let source = source(config(&desk));
    let cx = Reader::new().cx;
    let names = |shards: Vec<deskferry_core::source::Shard>| {
        shards.into_iter().map(|shard| shard.id).collect::<Vec<_>>()
    };
    let shards = source.shards(&cx, &Scope::default()).await.unwrap();
    assert_eq!(
        names(shards.clone()),
        [
            "definitions",
            "teams",
            "organizations",
            "people",
            "cases",
            "help-centre",
            "inventory"
        ]
    );
    let strange = deskferry_core::source::Cursor {
        version: 99,
        place: serde_json::json!({"offset": 5}),
    };
    let again = source.page(&cx, &shards[1], Some(strange)).await.unwrap();
    assert_eq!(again.records.len(), desk.world().lists().teams.len());
    let unknown = deskferry_core::source::Shard::new("moon", [RecordKind::Tag]);
    assert_eq!(
        source.page(&cx, &unknown, None).await.unwrap_err().kind(),
        deskferry_core::ErrorKind::Mismatch
    );
}
