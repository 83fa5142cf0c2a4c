//! Whole reads of a local Kayako Classic, in order and in trouble.

use std::collections::BTreeSet;
use std::time::Duration;

use deskferry_core::http::RetryPolicy;
use deskferry_core::model::{CustomValue, Direction};
use deskferry_core::source::{Scope, Source, Watermark};
use deskferry_core::{Context, ErrorKind, Record, RecordKind, Result};
use deskferry_rehearsal::fault::{Action, Rule};
use deskferry_rehearsal::kayako_classic::{Classic as Desk, ClassicOptions, DayOrder};
use deskferry_rehearsal::world::{Content, ConversationState, MessageKind, WorldSpec};
use deskferry_source_kayako::{Classic, ClassicConfig, ClassicConfigBuilder, Dates, SETTINGS};

use super::harness::{Reader, bytes, read_all};

async fn desk(change: impl FnOnce(&mut ClassicOptions)) -> Desk {
    let mut options = ClassicOptions::default();
    options.content = Content::Made(WorldSpec::new(11, 60).knowledge());
    change(&mut options);
    Desk::start(options).await.unwrap()
}

fn config(desk: &Desk) -> ClassicConfigBuilder {
    ClassicConfig::builder(desk.url(), "rehearsal-key", "rehearsal-secret")
        .instance("acme")
        .requests_per_minute(1_000_000)
}

fn source(config: ClassicConfigBuilder) -> Classic {
    Classic::with_retry(config.build().unwrap(), RetryPolicy::default()).unwrap()
}

/// Numbers of the tickets that the helpdesk has.
fn tickets(desk: &Desk) -> BTreeSet<u64> {
    let all = desk.world().conversations();
    all.filter(|c| c.state == ConversationState::Active && c.merged_into.is_none())
        .map(|c| c.id)
        .collect()
}

fn read_tickets(reader: &Reader) -> BTreeSet<u64> {
    let all = reader.read.conversations();
    all.map(|c| c.meta.key.id().parse().unwrap()).collect()
}

#[tokio::test]
async fn everything_is_read_whatever_stands_before_an_answer_and_whatever_a_place_means() {
    for start_is_number in [false, true] {
        let desk = desk(|options| {
            options.warnings = start_is_number;
            options.start_is_number = start_is_number;
        })
        .await;
        let reader = read_all(&source(config(&desk))).await.unwrap();
        let read = &reader.read;
        assert!(read.rejects.is_empty(), "{:?}", read.rejects);
        assert!(read.notes.is_empty(), "{:?}", read.notes);
        assert_eq!(read_tickets(&reader), tickets(&desk));
        let world = desk.world();
        let people = &world.lists().people;
        let staff = people.iter().filter(|p| p.role.is_staff()).count();
        assert_eq!(read.count(RecordKind::Agent), staff);
        let users = people.len() - staff + 1;
        assert_eq!(
            read.count(RecordKind::Contact),
            users,
            "one of the staff asks"
        );
        let lists = world.lists();
        assert_eq!(read.count(RecordKind::Account), lists.companies.len());
        assert_eq!(read.count(RecordKind::Team), lists.teams.len());
        assert_eq!(
            read.count(RecordKind::Article),
            lists.knowledge.articles.len()
        );
        let said: usize = world
            .conversations()
            .filter(|c| tickets(&desk).contains(&c.id))
            .map(|c| c.messages.len())
            .sum();
        assert_eq!(read.messages().count(), said);
        assert!(read.skips.iter().any(|s| s.reason == "note-on-person"));
        assert!(read.skips.iter().any(|s| s.reason == "note-on-company"));
        desk.stop().await;
    }
}

#[tokio::test]
async fn a_read_takes_the_fewest_requests_and_brings_every_byte() {
    let desk = desk(|_| {}).await;
    let source = source(config(&desk));
    source.check(&Context::new()).await.unwrap();
    let reader = read_all(&source).await.unwrap();
    let files: Vec<_> = reader.read.attachments().cloned().collect();
    let world = desk.world();
    let contents: BTreeSet<Vec<u8>> = world
        .conversations()
        .flat_map(|c| c.messages.clone())
        .flat_map(|m| {
            let files = m.files.into_iter().map(|file| file.content);
            let images = m.images.into_iter().map(|image| image.content);
            files.chain(images).collect::<Vec<_>>()
        })
        .chain(
            world
                .lists()
                .knowledge
                .articles
                .iter()
                .flat_map(|a| a.images.iter().map(|image| image.content.clone())),
        )
        .map(|content| content.bytes().to_vec())
        .collect();
    for file in files.iter().filter(|file| file.size != Some(0)) {
        let got = bytes(&source, &reader.cx, file).await.unwrap();
        assert!(contents.contains(&got), "{}", file.name);
    }
    let least = desk.least_requests().total();
    let sent = desk.requests().total;
    assert!(
        sent <= least + (least / 20).max(5),
        "{sent}, the least is {least}"
    );
    desk.stop().await;
}

#[tokio::test]
async fn an_article_is_readable_by_no_more_people_than_before() {
    use deskferry_core::model::Visibility;
    use deskferry_rehearsal::world::Readers;
    let desk = desk(|_| {}).await;
    let reader = read_all(&source(config(&desk))).await.unwrap();
    for article in &desk.world().lists().knowledge.articles {
        let key = format!("kayako-classic:acme:article:{}", article.id);
        let read = reader.read.records.values();
        let mut read = read.filter(|record| record.key().as_str() == key);
        let Some(Record::Article(read)) = read.next() else {
            panic!("{key} is missing");
        };
        let readers = match article.readers {
            Readers::Everybody => Visibility::Public,
            Readers::Customers => Visibility::Customers,
            Readers::Staff => Visibility::Internal,
        };
        assert_eq!(read.visibility.is, readers, "{key}");
    }
    desk.stop().await;
}

#[tokio::test]
async fn days_are_read_in_the_helpdesks_own_order() {
    for (written, told, is_day) in [
        (DayOrder::MonthFirst, Dates::MonthFirst, true),
        (DayOrder::DayFirst, Dates::DayFirst, true),
        (DayOrder::DayFirst, Dates::Auto, true),
        (DayOrder::DayFirst, Dates::MonthFirst, false),
    ] {
        let desk = desk(|options| options.days = written).await;
        let reader = read_all(&source(config(&desk).dates(told))).await.unwrap();
        let conversations = reader.read.conversations();
        let values: Vec<_> = conversations
            .filter_map(|c| c.meta.custom.get("purchase_date"))
            .collect();
        assert!(!values.is_empty());
        // The world's day is the 29th of February: only one reading is one.
        let all = values.iter().all(|v| matches!(v, CustomValue::Date(_)));
        assert_eq!(all, is_day, "{written:?} {told:?}: {values:?}");
        desk.stop().await;
    }
}

async fn refused(source: &Classic) -> deskferry_core::Error {
    source.check(&Context::new()).await.unwrap_err()
}

#[tokio::test]
async fn who_is_not_let_in_is_told_why_and_never_with_a_secret() {
    let desk = desk(|_| {}).await;
    let wrong = ClassicConfig::builder(desk.url(), "rehearsal-key", "hidden");
    let error = refused(&source(wrong)).await;
    assert_eq!(error.kind(), ErrorKind::Credentials, "{error}");
    let said = format!("{error:?}");
    assert!(
        said.contains("REST API") && !said.contains("hidden"),
        "{said}"
    );
    assert!(!said.contains("signature="), "{said}");
    assert_eq!(desk.requests().total, 1, "a refused key is tried once");
    desk.stop().await;

    for behind in [false, true] {
        let off = Some((Duration::from_secs(3_600), behind));
        let desk = self::desk(|options| options.clock_off = off).await;
        let error = refused(&source(config(&desk))).await;
        assert_eq!(error.kind(), ErrorKind::Credentials);
        let said = format!("{error:?}");
        assert!(
            said.contains("differ by 6") || said.contains("differ by 59"),
            "{said}"
        );
        desk.stop().await;
    }
}

#[tokio::test]
async fn each_edition_knows_the_other_one_when_it_meets_it() {
    let desk = desk(|_| {}).await;
    let cloud = deskferry_source_kayako::KayakoConfig::builder(desk.url(), "a@example.org", "p");
    let cloud = super::harness::source(cloud);
    let error = cloud.check(&Context::new()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoSuchInstance);
    assert!(format!("{error:?}").contains("Kayako Classic"), "{error:?}");

    let other = super::harness::desk(super::harness::options(5)).await;
    let classic = ClassicConfig::builder(other.url(), "key", "secret");
    let error = refused(&source(classic)).await;
    assert_eq!(error.kind(), ErrorKind::NoSuchInstance);
    assert!(error.to_string().contains("cloud answers here"), "{error}");

    // By what was told, either is made, and says what it is.
    let url = desk.url();
    let told = |name: &str| match name {
        "KAYAKO_URL" => Some(url.clone()),
        "KAYAKO_API_KEY" => Some("rehearsal-key".to_owned()),
        "KAYAKO_SECRET_KEY" => Some("rehearsal-secret".to_owned()),
        _ => None,
    };
    let made = deskferry_source_kayako::source(&SETTINGS.read(&told, None).unwrap()).unwrap();
    let ready = made.check(&Context::new()).await.unwrap();
    assert_eq!(ready.product.as_deref(), Some("Kayako Classic"));
    desk.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn a_department_that_the_key_may_not_see_is_named_and_hides_no_other() {
    let desk = desk(|options| options.hidden_departments = vec![2]).await;
    let reader = read_all(&source(config(&desk))).await.unwrap();
    let first = desk.world().lists().teams[0].id;
    let hidden: BTreeSet<u64> = desk
        .world()
        .conversations()
        .filter(|c| c.team.unwrap_or(first) == 2)
        .map(|c| c.id)
        .collect();
    let wanted: BTreeSet<u64> = tickets(&desk).difference(&hidden).copied().collect();
    assert!(wanted.len() < tickets(&desk).len());
    assert_eq!(read_tickets(&reader), wanted);
    let [reject] = &reader.read.rejects[..] else {
        panic!("{:?}", reader.read.rejects);
    };
    assert!(
        reject.reason.contains("forbidden: department 2"),
        "{reject:?}"
    );
    desk.stop().await;
}

#[tokio::test]
async fn what_is_half_closed_is_rejected_alone() {
    let desk = desk(|_| {}).await;
    let whole = read_all(&source(config(&desk))).await.unwrap();
    let mut ids = tickets(&desk).into_iter();
    let (one, other) = (ids.next().unwrap(), ids.next().unwrap());
    let tear = |tag: &str, call: &str| {
        let rule = Rule::new(Action::named(format!("tear:{tag}")));
        desk.faults().push(rule.path(call).times(1));
    };
    tear("subject", &format!("/Tickets/Ticket/{one}/"));
    tear("contents", &format!("/Tickets/Ticket/{other}/"));
    // A whole answer that never ends, and a page of the list whose form is broken.
    tear("ticket", "/Tickets/Ticket/ListAll");
    tear("tickets", "/Tickets/Ticket/ListAll");
    let reader = read_all(&source(config(&desk))).await.unwrap();
    let read = &reader.read;
    let rejected: Vec<_> = read
        .rejects
        .iter()
        .map(|reject| (reject.kind, reject.path.as_str()))
        .collect();
    assert_eq!(
        rejected,
        [
            (RecordKind::Conversation, "subject"),
            (RecordKind::Message, "post/contents")
        ],
    );
    assert!(read.rejects.iter().all(|reject| !reject.raw.is_empty()));
    let mut wanted = tickets(&desk);
    wanted.remove(&one);
    assert_eq!(read_tickets(&reader), wanted);
    assert!(
        read.notes.iter().any(|note| note.contains("is broken")),
        "{:?}",
        read.notes
    );
    assert_eq!(read.complete.len(), whole.read.complete.len());
    desk.stop().await;
}

#[tokio::test]
async fn a_ticket_that_goes_between_its_list_and_its_reading_is_named() {
    let desk = desk(|_| {}).await;
    let source = source(config(&desk));
    let gone = tickets(&desk).into_iter().next().unwrap();
    let mut reader = Reader::new();
    reader.begin(&source, &Scope::default()).await.unwrap();
    while reader.step(&source).await.unwrap().as_deref() != Some("tickets") {}
    desk.delete(gone).unwrap();
    reader.finish(&source).await.unwrap();
    let [reject] = &reader.read.rejects[..] else {
        panic!("{:?}", reader.read.rejects);
    };
    assert_eq!(reject.id.as_deref(), Some(gone.to_string().as_str()));
    assert!(reject.reason.contains("vanished"), "{reject:?}");
    desk.stop().await;
}

#[tokio::test]
async fn a_read_that_is_stopped_goes_on_in_another_process() {
    let desk = desk(|_| {}).await;
    let first = source(config(&desk));
    let mut reader = Reader::new();
    reader.begin(&first, &Scope::default()).await.unwrap();
    for _ in 0..20 {
        reader.step(&first).await.unwrap();
    }
    reader.finish(&source(config(&desk))).await.unwrap();
    let whole = read_all(&first).await.unwrap();
    assert_eq!(reader.read.records, whole.read.records);
    desk.stop().await;
}

/// Reads what changed since a read ended.
async fn changes(source: &dyn Source, mark: &Watermark) -> Result<Reader> {
    let mut reader = Reader::new();
    let mut scope = Scope::default();
    scope.since = Some(mark.clone());
    reader.begin(source, &scope).await?;
    reader.finish(source).await?;
    Ok(reader)
}

#[tokio::test]
async fn a_read_of_changes_takes_the_tickets_that_were_active_since() {
    for ignores_order in [false, true] {
        let desk = desk(|options| options.ignores_order = ignores_order).await;
        let source = source(config(&desk));
        let whole = read_all(&source).await.unwrap();
        let mark = &whole.read.ends["tickets"];
        let none = changes(&source, mark).await.unwrap();
        assert_eq!(none.read.conversations().count(), 0);
        let touched: BTreeSet<u64> = tickets(&desk).into_iter().skip(3).take(2).collect();
        for id in &touched {
            desk.touch(*id).unwrap();
        }
        let some = changes(&source, mark).await.unwrap();
        assert_eq!(
            read_tickets(&some),
            touched,
            "ignores order: {ignores_order}"
        );
        let says_so = some
            .read
            .notes
            .iter()
            .any(|n| n.contains("all of them are looked at"));
        assert_eq!(says_so, ignores_order);
        desk.stop().await;
    }
}

#[tokio::test]
async fn notes_never_become_public_and_a_file_that_is_cut_off_is_no_file() {
    let desk = desk(|_| {}).await;
    let source = source(config(&desk));
    let reader = read_all(&source).await.unwrap();
    for talk in desk.world().conversations() {
        for note in talk
            .messages
            .iter()
            .filter(|m| matches!(m.kind, MessageKind::Note { .. }))
        {
            let all = reader.read.messages();
            let mut found = all.filter(|m| m.meta.key.id() == format!("note-{}", note.id));
            let public = found.any(|m| m.direction != Direction::Internal);
            assert!(!public, "{}", note.id);
        }
    }
    let file = reader
        .read
        .attachments()
        .find(|f| f.size.unwrap_or(0) > 100);
    desk.faults()
        .push(Rule::new(Action::named("tear:contents")).path("/TicketAttachment/"));
    let file = file.unwrap();
    // The closing tag is gone, the section that holds the bytes is whole: the bytes are.
    assert!(bytes(&source, &reader.cx, file).await.is_ok());
    desk.faults()
        .push(Rule::new(Action::CutBody { after_bytes: 400 }).path("TicketAttachment"));
    assert!(bytes(&source, &reader.cx, file).await.is_err());
    desk.stop().await;
}
