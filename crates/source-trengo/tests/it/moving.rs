//! A list that moves while it is read: tickets that become active, vanish, are merged, and come new.

use deskferry_core::RecordKind;
use deskferry_core::source::{Scope, Source as _};
use deskferry_rehearsal::trengo::{Trengo as Desk, TrengoOptions};
use deskferry_rehearsal::world::ConversationState;
use deskferry_source_trengo::Trengo;

use crate::harness::{Reader, config, desk, options, read_all, source};

/// Reads until so many tickets are whole, does something, and reads on.
async fn read_while(
    desk: &Desk,
    source: &Trengo,
    tickets: usize,
    act: impl FnOnce(&Desk, &Reader),
) -> Reader {
    let mut reader = Reader::new();
    reader.begin(source, &Scope::default()).await.unwrap();
    while reader.read.complete.len() < tickets {
        reader.step(source).await.unwrap().unwrap();
    }
    act(desk, &reader);
    reader.finish(source).await.unwrap();
    reader
}

fn active(desk: &Desk) -> Vec<u64> {
    let all = desk.world().conversations();
    all.filter(|talk| talk.state == ConversationState::Active && talk.merged_into.is_none())
        .map(|talk| talk.id)
        .collect()
}

fn whole(reader: &Reader) -> Vec<u64> {
    let left_out = reader.read.left_out();
    let mut ids: Vec<u64> = reader
        .read
        .complete
        .iter()
        .map(|key| key.id().parse().unwrap())
        .filter(|id| !left_out.contains_key(id))
        .collect();
    ids.sort_unstable();
    ids
}

fn without_check(mut options: TrengoOptions) -> TrengoOptions {
    options.reporting = false;
    options
}

#[tokio::test(flavor = "multi_thread")]
async fn tickets_that_become_active_while_the_list_is_read_are_neither_missed_nor_stale() {
    let desk = desk(without_check(options(120))).await;
    let source = source(config(&desk));
    let reader = read_while(&desk, &source, 40, |desk, _| {
        // From every part of the list: read ones, unread ones, the last one.
        for id in [1, 2, 3, 50, 60, 110, 119] {
            desk.touch(id).unwrap();
        }
    })
    .await;
    assert_eq!(whole(&reader), active(&desk));
    for id in [1, 50, 110, 119] {
        let read = reader
            .read
            .conversations()
            .find(|c| c.number == id.to_string());
        let age = chrono::Utc::now() - read.unwrap().meta.updated_at.unwrap();
        assert!(age.num_minutes() < 10, "{id} is as it was before");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_that_is_gone_pulls_no_other_out_of_sight() {
    let desk = desk(without_check(options(120))).await;
    let source = source(config(&desk));
    let mut gone = Vec::new();
    let reader = read_while(&desk, &source, 30, |desk, reader| {
        // Of the page that is being read, newest activity first.
        let read = whole(reader);
        let said = |id: &u64| {
            let talk = desk.world().conversation_by_id(*id).unwrap();
            talk.messages.iter().map(|message| message.sent).max()
        };
        let mut next: Vec<u64> = active(desk);
        next.retain(|id| !read.contains(id));
        next.sort_by_key(said);
        for id in next.into_iter().rev().take(3) {
            desk.delete(id).unwrap();
            gone.push(id);
        }
    })
    .await;
    let left: Vec<u64> = active(&desk)
        .into_iter()
        .filter(|id| !gone.contains(id))
        .collect();
    assert_eq!(whole(&reader), left);
    let vanished: Vec<u64> = reader
        .read
        .left_out()
        .into_iter()
        .filter(|(_, why)| *why == "vanished")
        .map(|(id, _)| id)
        .collect();
    assert!(!vanished.is_empty() && vanished.iter().all(|id| gone.contains(id)));
    assert_eq!(reader.read.rejects, Vec::new());
    let named = |id: &u64| {
        let said = format!("ticket {id} was listed, and gone");
        reader.read.notes.iter().any(|note| note.starts_with(&said))
    };
    assert!(vanished.iter().all(named), "{:?}", reader.read.notes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_that_was_merged_away_leaves_its_messages_to_the_other_one() {
    let desk = desk(options(60)).await;
    let source = source(config(&desk));
    let reader = read_while(&desk, &source, 8, |desk, _| {
        desk.merge(3, 58).unwrap();
    })
    .await;
    assert!(!whole(&reader).contains(&3));
    let moved = desk.world().conversation_by_id(3).unwrap();
    for message in &moved.messages {
        let read = reader
            .read
            .messages()
            .find(|read| read.meta.key.id() == message.id.to_string())
            .unwrap();
        assert_eq!(read.conversation.id(), "58");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_was_stopped_anywhere_goes_on_in_another_process() {
    let desk = desk(options(60)).await;
    let calm = read_all(&source(config(&desk))).await.unwrap();
    for steps in [1, 2, 3, 5, 8, 12] {
        let first = source(config(&desk));
        let mut reader = Reader::new();
        reader.begin(&first, &Scope::default()).await.unwrap();
        for _ in 0..steps {
            reader.step(&first).await.unwrap();
        }
        let second = source(config(&desk));
        reader.finish(&second).await.unwrap();
        assert_eq!(
            reader.read.records.len(),
            calm.read.records.len(),
            "{steps}"
        );
        assert_eq!(reader.read.records, calm.read.records, "{steps}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_that_no_list_shows_is_found_by_its_id() {
    use deskferry_rehearsal::fault::{Action, Rule};
    let desk = desk(options(60)).await;
    desk.faults()
        .push(Rule::new(Action::named("drop")).path("tickets id:17;"));
    let reader = read_all(&source(config(&desk))).await.unwrap();
    assert_eq!(whole(&reader), active(&desk));
    assert!(
        reader
            .read
            .notes
            .iter()
            .any(|note| note.contains("1 tickets were in no list")),
        "{:?}",
        reader.read.notes
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_that_changes_nothing_is_noticed() {
    let mut options = without_check(options(60));
    options.ignored_filters = vec!["updated_at_gt".to_owned(), "status".to_owned()];
    let desk = desk(options).await;
    let reader = read_all(&source(config(&desk))).await.unwrap();
    assert_eq!(whole(&reader), active(&desk));
    let told = |part: &str| reader.read.notes.iter().any(|note| note.contains(part));
    assert!(told("cannot be listed by state"), "{:?}", reader.read.notes);
    assert!(
        told("reporting interface is not to be had"),
        "{:?}",
        reader.read.notes
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_of_changes_brings_what_changed_since_and_nothing_else() {
    let desk = desk(options(60)).await;
    let reader = read_all(&source(config(&desk))).await.unwrap();
    let mark = reader.read.ends["tickets"].clone();
    desk.touch(7).unwrap();
    desk.touch(8).unwrap();
    let later = source(config(&desk));
    let mut scope = Scope::default();
    scope.kinds = vec![RecordKind::Conversation];
    scope.since = Some(mark);
    let mut delta = Reader::new();
    let shards = later.shards(&delta.cx, &scope).await.unwrap();
    assert_eq!(shards.len(), 1);
    delta.begin(&later, &scope).await.unwrap();
    delta.finish(&later).await.unwrap();
    assert_eq!(whole(&delta), [7, 8]);
}
