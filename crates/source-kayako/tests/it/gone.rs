//! Reads of changes: what changed, came and went among people, organisations and articles, while they are read too.

use deskferry_core::source::Scope;
use deskferry_core::{Record, RecordKind, Tenant};
use deskferry_rehearsal::kayako::{CaseAccess, Content, Kayako as Desk, KayakoOptions, Thing};
use deskferry_rehearsal::world::{ConversationState, Role, WorldSpec};
use deskferry_source_kayako::Kayako;

use crate::harness::{Reader, config, desk, read_all, source};

fn options() -> KayakoOptions {
    let mut options = KayakoOptions::default();
    options.content = Content::Made(WorldSpec::new(11, 330).light().knowledge());
    options
}

fn tenant() -> Tenant {
    Tenant::new("kayako", "acme")
}

fn name(reader: &Reader, kind: RecordKind, id: u64) -> Option<String> {
    Some(match reader.read.records.get(&tenant().key(kind, id))? {
        Record::Contact(one) => one.name.clone(),
        Record::Account(one) => one.name.clone(),
        Record::Article(one) => one.translations[0].title.clone(),
        other => panic!("{other:?}"),
    })
}

async fn later(source: &Kayako, first: &Reader) -> Reader {
    let mut delta = Reader::after(first);
    delta.begin_after(source, &first.read).await.unwrap();
    delta.finish(source).await.unwrap();
    delta
}

/// The last case that lists show, which nothing touches.
fn at_rest(desk: &Desk) -> Vec<u64> {
    let world = desk.world();
    let shown = world
        .conversations()
        .filter(|one| one.state == ConversationState::Active && one.merged_into.is_none());
    shown.map(|one| one.id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_of_changes_brings_new_names_and_new_people_organisations_and_articles() {
    let desk = desk(options()).await;
    let source = source(config(&desk).email_headers(false));
    for thing in [Thing::Person(1_003), Thing::Company(3), Thing::Article(5)] {
        desk.erase(thing).unwrap();
    }
    let first = read_all(&source).await.unwrap();
    for (kind, id) in [
        (RecordKind::Contact, 1_003),
        (RecordKind::Account, 3),
        (RecordKind::Article, 5),
    ] {
        assert_eq!(name(&first, kind, id), None);
    }
    for thing in [Thing::Person(1_003), Thing::Company(3), Thing::Article(5)] {
        desk.restore(thing).unwrap();
    }
    desk.rename(Thing::Person(1_004), "Renée Neu").unwrap();
    desk.rename(Thing::Company(4), "New & Sons").unwrap();
    desk.rename(Thing::Article(6), "Another title").unwrap();
    let asked = desk.requests().total;
    let delta = later(&source, &first).await;
    for (kind, id, expected) in [
        (RecordKind::Contact, 1_004, "Renée Neu"),
        (RecordKind::Account, 4, "New & Sons"),
        (RecordKind::Article, 6, "Another title"),
    ] {
        assert_eq!(name(&delta, kind, id).as_deref(), Some(expected));
    }
    for (kind, id) in [
        (RecordKind::Contact, 1_003),
        (RecordKind::Account, 3),
        (RecordKind::Article, 5),
    ] {
        assert!(name(&delta, kind, id).is_some(), "{kind} {id} is new");
    }
    assert!(delta.read.skips.is_empty(), "nobody asked what is gone");
    // The short lists and the top of the long one; no posts, and nothing one by one.
    assert!(
        desk.requests().total - asked < 20,
        "{}",
        desk.requests().total - asked
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_is_found_by_a_sweep_where_it_is_wanted_and_nothing_else_is_called_gone() {
    let desk = desk(options()).await;
    let source = source(config(&desk).email_headers(false).sweep(true));
    let first = read_all(&source).await.unwrap();
    assert!(first.read.skips.iter().all(|skip| skip.reason != "gone"));
    let cases = at_rest(&desk);
    let gone = [cases[3], cases[100], cases[cases.len() - 1]];
    for case in gone {
        desk.vanish(case).unwrap();
    }
    desk.erase(Thing::Person(1_007)).unwrap();
    desk.erase(Thing::Company(2)).unwrap();
    desk.erase(Thing::Article(7)).unwrap();
    desk.touch(cases[50]).unwrap();
    let asked = desk.requests().total;
    let delta = later(&source, &first).await;
    let mut found: Vec<String> = delta
        .read
        .skips
        .iter()
        .filter(|skip| skip.reason == "gone")
        .map(|skip| skip.key.to_string())
        .collect();
    let key = |kind, id: u64| tenant().key(kind, id).to_string();
    let mut expected: Vec<String> = gone.map(|id| key(RecordKind::Conversation, id)).to_vec();
    expected.push(key(RecordKind::Contact, 1_007));
    expected.push(key(RecordKind::Account, 2));
    expected.push(key(RecordKind::Article, 7));
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    assert!(delta.read.notes.is_empty(), "{:?}", delta.read.notes);
    // Four pages of ids, and each that is gone; beside what a read of changes takes.
    let extra = desk.requests().total - asked;
    assert!(extra < 40, "{extra} requests");
    assert_eq!(
        delta
            .read
            .conversations()
            .filter(|one| one.number == cases[50].to_string())
            .count(),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_sees_only_a_part_takes_nothing_for_gone() {
    let admin = desk(options()).await;
    let first = read_all(&source(config(&admin))).await.unwrap();
    let mut less = options();
    less.role = Role::Agent;
    less.case_access = Some(CaseAccess::Own);
    let agent = desk(less).await;
    let source = source(config(&agent).email_headers(false).sweep(true));
    let delta = later(&source, &first).await;
    assert!(delta.read.skips.iter().all(|skip| skip.reason != "gone"));
    assert!(
        delta
            .read
            .notes
            .iter()
            .any(|note| note.contains("not taken for gone"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn people_who_come_and_go_while_the_list_is_read_shift_nobody_out_of_it() {
    let mut large = KayakoOptions::default();
    large.content = Content::Made(WorldSpec::new(11, 1_200).light());
    let desk = desk(large).await;
    let source = source(config(&desk).email_headers(false));
    // Twenty who come back at the top while the list is read.
    let newest: Vec<u64> = desk
        .world()
        .lists()
        .people
        .iter()
        .rev()
        .map(|one| one.id)
        .collect();
    for id in &newest[..20] {
        desk.erase(Thing::Person(*id)).unwrap();
    }
    let mut reader = Reader::new();
    let mut scope = Scope::default();
    scope.kinds = vec![RecordKind::Contact, RecordKind::Agent];
    reader.begin(&source, &scope).await.unwrap();
    while reader.step(&source).await.unwrap().as_deref() != Some("people") {}
    // Forty that were listed go: everybody behind them moves up.
    for id in &newest[40..80] {
        desk.erase(Thing::Person(*id)).unwrap();
    }
    while reader.step(&source).await.unwrap().as_deref() != Some("people") {}
    for id in &newest[..20] {
        desk.restore(Thing::Person(*id)).unwrap();
    }
    while !reader.read.ends.contains_key("people") {
        reader.step(&source).await.unwrap();
    }
    let has = |id: u64| {
        let kinds = [RecordKind::Contact, RecordKind::Agent];
        kinds
            .iter()
            .any(|kind| reader.read.records.contains_key(&tenant().key(*kind, id)))
    };
    let missing: Vec<_> = newest[80..].iter().filter(|id| !has(**id)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(newest[20..40].iter().all(|id| has(*id)));
    assert!(
        newest[..20].iter().all(|id| has(*id)),
        "who came at the top"
    );
}
