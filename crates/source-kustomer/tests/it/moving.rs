use chrono::{DateTime, TimeDelta, Utc};
use deskferry_core::model::CustomValue;
use deskferry_core::source::Scope;
use deskferry_core::{Record, RecordKind};
use deskferry_rehearsal::fault::{Action, Rule};
use deskferry_rehearsal::kustomer::{Content, Context, Kustomer as Desk};
use deskferry_rehearsal::world::WorldSpec;

use crate::harness::{Reader, config, desk, options, read, read_all, source};

fn customers() -> Scope {
    let mut scope = Scope::default();
    scope.kinds = vec![RecordKind::Contact];
    scope
}

/// What the desk takes for now.
fn now() -> DateTime<Utc> {
    deskferry_rehearsal::kustomer::KustomerOptions::default().now
}

#[tokio::test]
async fn a_bulk_edit_of_a_thousand_in_one_millisecond_loses_none() {
    let desk = desk(options(4_000)).await;
    let numbers = desk.numbers(Context::Customer);
    assert!(numbers.len() > 1_300, "{}", numbers.len());
    desk.stamp(Context::Customer, &numbers[100..1_200], now())
        .unwrap();
    let read = read(&source(config(&desk)), &customers()).await.unwrap();
    assert_eq!(read.count(RecordKind::Contact), numbers.len());
    assert!(read.notes.is_empty(), "{:?}", read.notes);
}

#[tokio::test]
async fn what_changes_while_it_is_read_is_read_and_pushes_nothing_out() {
    let desk = desk(options(4_000)).await;
    let source = source(config(&desk));
    let numbers = desk.numbers(Context::Customer);
    let mut reader = Reader::new();
    reader.begin(&source, &customers()).await.unwrap();
    let mut step = 0_usize;
    while reader.step(&source).await.unwrap() {
        step += 1;
        // Some that were read and some that were not move to the end: out of the archive, too.
        let moved: Vec<u64> = numbers
            .iter()
            .copied()
            .skip(step * 37)
            .step_by(211)
            .take(4)
            .collect();
        if step < 8 {
            let at = now() + TimeDelta::seconds(step as i64);
            desk.stamp(Context::Customer, &moved, at).unwrap();
        }
    }
    assert_eq!(reader.count(RecordKind::Contact), numbers.len());
}

#[tokio::test]
async fn a_read_of_changes_takes_what_changed_and_no_more() {
    let desk = desk(options(300)).await;
    let source = source(config(&desk));
    let whole = read_all(&source).await.unwrap();
    let mark = whole.ends["conversations"].clone();
    let at = Utc::now() + TimeDelta::minutes(1);
    desk.stamp(Context::Conversation, &[5, 77], at).unwrap();
    desk.delete(9, at).unwrap();
    let mut scope = Scope::default();
    scope.since = Some(mark);
    let changed = read(&source, &scope).await.unwrap();
    assert_eq!(changed.count(RecordKind::Conversation), 3);
    assert!(changed.skips.iter().any(|skip| skip.reason == "deleted"));
    assert_eq!(changed.count(RecordKind::Contact), 0);
    assert!(
        changed.count(RecordKind::Message) > 0,
        "what was said in them is read again"
    );
}

#[tokio::test]
async fn an_index_that_forgets_its_order_and_one_that_runs_out_of_time() {
    let desk = desk(options(4_000)).await;
    desk.faults().set(vec![
        Rule::new(Action::named("unsorted")).path("customer"),
        Rule::new(Action::named("timed-out"))
            .path("customer")
            .times(2),
    ]);
    let read = read(&source(config(&desk)), &customers()).await.unwrap();
    assert_eq!(
        read.count(RecordKind::Contact) as u64,
        desk.count(Context::Customer)
    );
    assert!(
        read.notes.iter().any(|note| note.contains("order")),
        "{:?}",
        read.notes
    );
}

#[tokio::test]
async fn an_archive_that_holds_young_things_too_doubles_nothing() {
    let mut options = options(120);
    options.archive_holds_all = true;
    let desk = desk(options).await;
    let read = read_all(&source(config(&desk))).await.unwrap();
    assert_eq!(
        read.count(RecordKind::Conversation) as u64,
        desk.count(Context::Conversation)
    );
}

#[tokio::test]
async fn a_read_of_changes_tells_merged_customers_from_deleted_ones_and_follows_them() {
    let desk = desk(options(60)).await;
    let source = source(config(&desk));
    let whole = read_all(&source).await.unwrap();
    let mut scope = Scope::default();
    scope.since = Some(whole.ends["customers"].clone());
    let requesters: Vec<u64> = desk
        .world()
        .conversations()
        .map(|one| one.requester)
        .filter(|id| desk.numbers(Context::Customer).contains(id))
        .collect();
    let from = requesters[0];
    let into = *requesters.iter().find(|id| **id != from).unwrap();
    let gone = *desk
        .numbers(Context::Customer)
        .iter()
        .find(|id| **id != from && **id != into)
        .unwrap();
    let at = Utc::now() + TimeDelta::minutes(1);
    desk.merge_customers(from, into, at).unwrap();
    desk.delete_customer(gone, at).unwrap();

    let changed = read(&source, &scope).await.unwrap();
    let skipped = |reason: &str| {
        let mut all = changed.skips.iter().filter(|skip| skip.reason == reason);
        let only = all.next().unwrap().key.clone();
        assert_eq!(all.next(), None, "{reason}");
        only
    };
    let (merged, deleted) = (skipped("merged"), skipped("deleted"));
    assert_ne!(merged, deleted);
    let Record::Contact(contact) = &changed.records[&merged] else {
        panic!("{merged} is no contact")
    };
    let CustomValue::Text(target) = &contact.meta.custom["mergedInto"] else {
        panic!("{:?}", contact.meta.custom)
    };
    let moved: Vec<_> = changed.conversations().collect();
    assert_eq!(
        moved.len(),
        requesters.iter().filter(|id| **id == from).count(),
        "what belonged to them"
    );
    for one in moved {
        assert_eq!(one.requester.as_ref().unwrap().id(), target);
    }
    assert!(
        desk.requests().count("GET", "customers/{id}/merges") == 2,
        "asked of those alone who are gone"
    );
}

/// So many customers and nothing else, each with a time of its own.
async fn crowd(count: u64) -> Desk {
    let world = Content::Made(WorldSpec::new(11, 1)).world().unwrap();
    let mut lists = world.lists().clone();
    let somebody = lists
        .people
        .iter()
        .find(|one| !one.role.is_staff())
        .unwrap()
        .clone();
    lists.people.retain(|one| one.role.is_staff());
    lists.conversations.clear();
    let begin = now() - TimeDelta::days(900);
    lists.people.extend((0..count).map(|n| {
        let mut one = somebody.clone();
        one.id = 100_000 + n;
        one.emails = vec![format!("p{n}@people.example")];
        one.created = begin + TimeDelta::minutes(i64::try_from(n).unwrap() * 100);
        one.updated = one.created;
        one
    }));
    lists.people.sort_by_key(|one| one.id);
    let mut options = options(1);
    options.content = Content::Given(Box::new(lists));
    desk(options).await
}

#[tokio::test]
async fn no_customer_is_lost_at_the_last_hit_that_a_search_shows() {
    for count in [9_999, 10_000, 10_001] {
        let desk = crowd(count).await;
        let numbers: Vec<u64> = (0..count).map(|n| 100_000 + n).collect();
        // In their own times, half of them old; then all in one millisecond, far more than a page of one time of change.
        for bulk in [false, true] {
            if bulk && count < 10_001 {
                continue;
            }
            if bulk {
                desk.stamp(Context::Customer, &numbers, now()).unwrap();
            }
            let read = read(&source(config(&desk)), &customers()).await.unwrap();
            let found = read
                .records
                .keys()
                .filter(|key| key.record_kind() == Some(RecordKind::Contact))
                .count() as u64;
            assert_eq!(found, desk.count(Context::Customer), "{count}, {bulk}");
            assert!(found >= count);
            assert!(read.notes.is_empty(), "{:?}", read.notes);
        }
    }
}
