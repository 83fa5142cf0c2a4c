//! Reads of changes: by what webhooks told, with tickets that are gone; and the two odd hours of a year.

use chrono::{DateTime, Utc};
use deskferry_core::source::{Scope, Source as _};
use deskferry_core::{ErrorKind, RecordKind};
use deskferry_rehearsal::trengo::Trengo as Desk;
use deskferry_rehearsal::world::Message;
use deskferry_source_trengo::{Trengo, TrengoConfigBuilder};

use crate::harness::{Reader, asked, config, desk, options, read_all, source};

/// Reads what changed since another read, tickets alone.
async fn delta(earlier: &Reader, source: &Trengo) -> Reader {
    let mut scope = Scope::default();
    scope.kinds = vec![RecordKind::Conversation];
    scope.since = Some(earlier.read.ends["tickets"].clone());
    let mut later = Reader::later(earlier);
    later.begin(source, &scope).await.unwrap();
    later.finish(source).await.unwrap();
    later
}

fn numbers(reader: &Reader) -> Vec<u64> {
    let all = reader.read.conversations();
    let mut numbers: Vec<u64> = all.map(|one| one.number.parse().unwrap()).collect();
    numbers.sort_unstable();
    numbers
}

fn told(reader: &Reader, part: &str) -> bool {
    reader.read.notes.iter().any(|note| note.contains(part))
}

/// A new message like the first of a ticket.
fn message(desk: &Desk, ticket: u64, place: u64, sent: DateTime<Utc>) -> Message {
    let talk = desk.world().conversation_by_id(ticket).unwrap();
    let first = talk.messages.iter().find(|message| message.incoming);
    Message {
        id: ticket * 4_096 + 1_000 + place,
        sent,
        files: Vec::new(),
        images: Vec::new(),
        ..first.unwrap().clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_of_webhooks_names_what_changed_and_nothing_is_listed() {
    let desk = desk(options(60)).await;
    let folder = std::env::temp_dir().join(format!("deskferry-hooks-{}", std::process::id()));
    let archive = folder.with_extension("jsonl");
    let with = |config: TrengoConfigBuilder| source(config.webhooks(&archive));
    let first = read_all(&source(config(&desk))).await.unwrap();
    desk.touch(7).unwrap();
    desk.add_message(8, message(&desk, 8, 1, Utc::now()))
        .unwrap();
    desk.merge(9, 58).unwrap();
    let forged = desk.archive().lines().next().unwrap().replace("=7", "=12");
    std::fs::write(&archive, format!("{}{forged}\n", desk.archive())).unwrap();

    // Lists of tickets alone: neither a ticket nor its messages.
    let lists = || asked(&desk, "/tickets") - asked(&desk, "/tickets/{id}");
    let before = lists();
    let by_name = delta(&first, &with(config(&desk))).await;
    assert_eq!(numbers(&by_name), [7, 8, 58]);
    assert!(told(&by_name, "ticket 9 was merged into ticket 58"));
    assert!(told(&by_name, "left out: 1"), "{:?}", by_name.read.notes);
    let new = |reader: &Reader| {
        let id = (8 * 4_096 + 1_001).to_string();
        reader.read.messages().any(|read| read.meta.key.id() == id)
    };
    assert!(new(&by_name));
    assert_eq!(lists(), before);

    // Lists go on from where they were: what webhooks did not tell is found by them.
    let listed = delta(&by_name, &source(config(&desk))).await;
    assert_eq!(numbers(&listed), [7, 8, 58]);
    // The archive goes on after what it told.
    let again = delta(&by_name, &with(config(&desk))).await;
    assert!(numbers(&again).len() <= 3 && told(&again, "as webhooks told it"));

    std::fs::write(&archive, "").unwrap();
    assert!(numbers(&delta(&by_name, &with(config(&desk))).await).is_empty());
    std::fs::remove_file(&archive).unwrap();
    let mut scope = Scope::default();
    scope.since = Some(first.read.ends["tickets"].clone());
    let missing = with(config(&desk));
    let mut reader = Reader::later(&first);
    reader.begin(&missing, &scope).await.unwrap();
    let error = reader.finish(&missing).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_names_tickets_that_are_gone_and_only_those() {
    let desk = desk(options(60)).await;
    let first = read_all(&source(config(&desk))).await.unwrap();
    desk.delete(7).unwrap();
    desk.merge(8, 58).unwrap();
    let plain = delta(&first, &source(config(&desk))).await;
    assert!(!told(&plain, "is gone"), "{:?}", plain.read.notes);
    let swept = delta(&first, &source(config(&desk).sweep(true))).await;
    for id in [7, 8] {
        assert!(told(&swept, &format!("ticket {id} is gone")), "{id}");
    }
    assert!(
        told(&swept, "earlier reads that are gone: 2"),
        "{:?}",
        swept.read.notes
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hour_that_exists_twice_and_the_one_that_does_not_keep_their_order() {
    let desk = desk(options(20)).await;
    let at = |text: &str| DateTime::parse_from_rfc3339(text).unwrap().to_utc();
    // 02:40 the first time round, 02:20 the second; 01:59:59, and a second later 03:00:00.
    let times = [
        "2029-10-28T00:40:00Z",
        "2029-10-28T01:20:00Z",
        "2030-03-31T00:59:59Z",
        "2030-03-31T01:00:00Z",
    ];
    for (place, time) in (1..).zip(times) {
        let message = message(&desk, 7, place, at(time));
        desk.add_message(7, message).unwrap();
    }
    let reader = read_all(&source(config(&desk))).await.unwrap();
    for (place, time) in (1_u64..).zip(times) {
        let id = (7 * 4_096 + 1_000 + place).to_string();
        let read = reader.read.messages().find(|read| read.meta.key.id() == id);
        assert_eq!(read.unwrap().sent_at, at(time), "{place}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_a_basic_role_is_told_beforehand_and_what_it_may_not_read_in_the_end() {
    use deskferry_rehearsal::fault::{Action, Rule};
    let mut limited = options(60);
    // The claims of user 4: no administrator.
    let token = "eyJ0eXAiOiJKV1QifQ.eyJzdWIiOiI0In0.cmVoZWFyc2Fs";
    limited.token = token.to_owned();
    limited.hidden_channels = vec![2];
    let desk = desk(limited).await;
    let forbidden = || Action::Status {
        code: 403,
        headers: Vec::new(),
        body: r#"{"message":"This action is unauthorized."}"#.to_owned(),
        content_type: None,
    };
    for path in ["/labels", "/profiles", "/quick_replies", "/reporting"] {
        desk.faults().push(Rule::new(forbidden()).path(path));
    }
    let config = || deskferry_source_trengo::TrengoConfig::builder(token).url(desk.url());
    let ready = source(config()).check(&Reader::new().cx).await.unwrap();
    assert!(
        ready
            .warnings
            .iter()
            .any(|line| line.contains("the role of the token's user is")),
        "{:?}",
        ready.warnings
    );
    let reader = read_all(&source(config())).await.unwrap();
    assert!(numbers(&reader).len() > 20);
    for part in [
        "list labels: the token's user may not read it",
        "profiles cannot be read",
        "quick replies cannot be read",
        "figures of agents and of the workspace cannot be read",
        "nothing proves that the lists showed every ticket",
        "tickets by channel",
    ] {
        assert!(told(&reader, part), "{part}: {:?}", reader.read.notes);
    }
}
