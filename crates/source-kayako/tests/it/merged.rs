//! Merged cases, and people whom no list has.

use std::collections::BTreeSet;

use deskferry_core::model::AuthorRole;
use deskferry_core::source::Scope;
use deskferry_core::{Record, RecordKind, Tenant};
use deskferry_rehearsal::fault::{Action, Rule};
use deskferry_rehearsal::kayako::{Content, Kayako as Desk};
use deskferry_rehearsal::world::{Author, Conversation, Lists, World, WorldSpec};

use crate::harness::{Reader, config, desk, options, read_all, source};

/// The lists of a made world with two conversations, as `change` leaves them.
fn two(change: impl Fn(&mut Conversation, &mut Conversation)) -> Content {
    let world = World::generate(WorldSpec::new(3, 60));
    let mut both: Vec<Conversation> = world
        .conversations()
        .filter(|case| {
            case.messages.len() > 1 && case.messages.iter().all(|message| message.mail.is_some())
        })
        .take(2)
        .map(std::borrow::Cow::into_owned)
        .collect();
    let (first, second) = both.split_at_mut(1);
    change(&mut first[0], &mut second[0]);
    let mut lists: Lists = world.lists().clone();
    lists.conversations = both;
    Content::Given(Box::new(lists))
}

async fn desk_of(content: Content) -> Desk {
    let mut options = options(0);
    options.content = content;
    desk(options).await
}

#[tokio::test]
async fn posts_of_a_merged_case_stay_with_the_case_that_goes_on_whichever_is_read_first() {
    for merged_is_newer in [false, true] {
        let content = two(|primary, secondary| {
            secondary.merged_into = Some(primary.id);
            secondary.messages = primary.messages.clone();
            let shift = chrono::TimeDelta::days(if merged_is_newer { 400 } else { -400 });
            secondary.updated = primary.updated + shift;
        });
        let desk = desk_of(content).await;
        let reader = read_all(&source(config(&desk))).await.unwrap();
        let primary = desk.world().conversation(0).unwrap().into_owned();
        assert_eq!(reader.read.count(RecordKind::Conversation), 2);
        assert_eq!(
            reader.read.count(RecordKind::Message),
            primary.messages.len()
        );
        let key = Tenant::new("kayako", "acme").key(RecordKind::Conversation, primary.id);
        assert!(
            reader
                .read
                .messages()
                .all(|message| message.conversation == key),
            "newer: {merged_is_newer}"
        );
        let told = reader
            .read
            .notes
            .iter()
            .any(|note| note.contains("was merged"));
        assert_eq!(told, !merged_is_newer, "{:?}", reader.read.notes);
    }
}

#[tokio::test]
async fn an_author_who_is_gone_is_asked_for_once_and_has_no_record() {
    let content = two(|first, second| {
        for message in first.messages.iter_mut().chain(&mut second.messages) {
            message.author = Author::Person(4_004);
            message.by_requester = false;
        }
    });
    let desk = desk_of(content).await;
    let reader = read_all(&source(config(&desk))).await.unwrap();
    assert_eq!(desk.requests().count("GET", "/users/{id}"), 1);
    assert!(reader.read.messages().count() > 2);
    for message in reader.read.messages() {
        assert_eq!(message.author.key, None);
        assert!(!message.author.name.is_empty(), "{}", message.meta.key);
    }
}

#[tokio::test]
async fn an_assignee_who_is_gone_is_kept_as_a_name() {
    let desk = desk_of(two(|_, second| second.assignee = Some(4_004))).await;
    let reader = read_all(&source(config(&desk))).await.unwrap();
    let tenant = Tenant::new("kayako", "acme");
    let gone = tenant.key(RecordKind::Agent, 4_004);
    let Some(Record::Agent(agent)) = reader.read.records.get(&gone) else {
        panic!("the assignee is kept as a name")
    };
    assert_eq!(
        (agent.name.as_str(), agent.active),
        ("Unknown user 4004", false)
    );
    let second = desk.world().conversation(1).unwrap().id.to_string();
    let found = reader
        .read
        .conversations()
        .find(|found| found.number == second)
        .unwrap();
    assert_eq!(found.assignee, Some(gone));
}

#[tokio::test]
async fn a_user_whom_the_list_did_not_show_is_looked_up_once_and_brought_along() {
    let desk = desk(options(60)).await;
    let source = source(config(&desk).email_headers(false));
    // The list of people breaks for one row; the cases need that person all the same.
    let requester = desk.world().conversation(0).unwrap().requester;
    desk.faults().push(
        Rule::new(Action::named("null:/id"))
            .path(format!("user:{requester};"))
            .times(1),
    );
    let mut reader = Reader::new();
    reader.begin(&source, &Scope::default()).await.unwrap();
    reader.finish(&source).await.unwrap();
    assert_eq!(reader.read.rejects.len(), 1, "{:?}", reader.read.rejects);
    assert_eq!(desk.requests().count("GET", "/users/{id}"), 1);
    let tenant = Tenant::new("kayako", "acme");
    assert!(
        reader
            .read
            .records
            .contains_key(&tenant.key(RecordKind::Contact, requester))
    );
    let roles: BTreeSet<&str> = reader
        .read
        .messages()
        .map(|message| message.author.role.name())
        .collect();
    assert!(roles.contains(AuthorRole::Customer.name()));
}
