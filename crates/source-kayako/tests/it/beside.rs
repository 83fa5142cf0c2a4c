//! What stands beside cases and people: always what costs nothing, the rest by choice.

use deskferry_core::model::{AuthorRole, CustomValue, Direction};
use deskferry_core::{Record, RecordKind, Tenant};
use deskferry_rehearsal::kayako::{Content, Kayako as Desk, KayakoOptions, LeastOptions};
use deskferry_rehearsal::world::{FORMS, WorldSpec, notes_on_company, notes_on_person};
use deskferry_source_kayako::Take;

use crate::harness::{config, desk, read_all, source};

const SEED: u64 = 11;

async fn rich(conversations: u64) -> Desk {
    let mut options = KayakoOptions::default();
    options.content = Content::Made(WorldSpec::new(SEED, conversations).light().beside());
    desk(options).await
}

fn text(value: Option<&CustomValue>) -> Option<String> {
    match value? {
        CustomValue::Choice(text) | CustomValue::Text(text) | CustomValue::Number(text) => {
            Some(text.clone())
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_names_its_form_and_where_there_are_several_its_brand() {
    let desk = rich(60).await;
    let read = read_all(&source(config(&desk))).await.unwrap().read;
    let mut met = 0;
    for case in read.conversations() {
        let number: u64 = case.number.parse().unwrap();
        let world = desk.world();
        let beside = world
            .beside(&world.conversation_by_id(number).unwrap())
            .unwrap();
        if read.left_out().contains_key(&number) {
            continue;
        }
        let form = beside.form.map(|form| {
            let form = FORMS.iter().find(|(id, _)| *id == form).unwrap();
            form.1.to_owned()
        });
        let brand = if beside.brand == 1 { "acme" } else { "Outlet" };
        let custom = &case.meta.custom;
        assert_eq!(text(custom.get("form")), form, "{number}");
        assert_eq!(
            text(custom.get("brand")).as_deref(),
            Some(brand),
            "{number}"
        );
        assert_eq!(custom.get("seconds_worked"), None);
        let satisfaction = case.satisfaction.as_ref();
        assert!(satisfaction.is_none_or(|one| one.comment.is_none()));
        met += 1;
    }
    assert!(met > 40, "{met}");
    // Forms and brands are listed once for all.
    let listed = |route: &str| {
        let counts = desk.requests().counts;
        let found = counts.iter().filter(|count| count.route == route);
        found.map(|count| count.requests).sum::<u64>()
    };
    assert_eq!(
        (listed("/api/v1/brands"), listed("/api/v1/cases/forms")),
        (1, 1)
    );
    let plain = crate::harness::desk(crate::harness::options(20)).await;
    let read = read_all(&source(config(&plain))).await.unwrap().read;
    let named = |case: &&deskferry_core::model::Conversation| {
        ["form", "brand"]
            .iter()
            .any(|name| case.meta.custom.contains_key(*name))
    };
    assert_eq!(
        read.conversations().filter(named).count(),
        0,
        "one brand tells nothing"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn ratings_times_histories_and_notes_come_where_they_are_wanted_for_the_least_requests() {
    let desk = rich(60).await;
    let wanted = config(&desk)
        .activities(Take::Include)
        .ratings(Take::Include)
        .time_tracking(Take::Include)
        .person_notes(Take::Include);
    let source = source(wanted);
    let read = read_all(&source).await.unwrap().read;
    assert!(read.rejects.is_empty(), "{:?}", read.rejects);
    let world = desk.world();
    let tenant = Tenant::new("kayako", "acme");
    let (mut said, mut worked, mut told) = (0, 0, 0);
    for case in read.conversations() {
        let number: u64 = case.number.parse().unwrap();
        if read.left_out().contains_key(&number) {
            continue;
        }
        let beside = world
            .beside(&world.conversation_by_id(number).unwrap())
            .unwrap();
        let comment = case
            .satisfaction
            .as_ref()
            .and_then(|one| one.comment.clone());
        assert_eq!(comment, beside.said, "{number}");
        said += usize::from(comment.is_some());
        let seconds = text(case.meta.custom.get("seconds_worked"));
        let expected = (beside.worked() > 0).then(|| beside.worked().to_string());
        assert_eq!(seconds, expected, "{number}");
        worked += usize::from(seconds.is_some());
        let history: Vec<_> = read
            .messages()
            .filter(|message| message.conversation == case.meta.key)
            .filter(|message| message.meta.key.id().starts_with("activity-"))
            .collect();
        let merged = world
            .conversations()
            .any(|one| one.merged_into == Some(number))
            || case.merged_into.is_some();
        let made = 1 + beside.events.len();
        match merged {
            true => assert!(
                history.len() > made,
                "{number}: a merge is told on both sides"
            ),
            false => assert_eq!(
                history.len(),
                made,
                "{number}: what was done, and that it was made"
            ),
        }
        for message in history {
            assert_eq!(message.direction, Direction::Internal);
            let by = message.author.key.as_ref().map(|key| key.record_kind());
            let role = message.author.role;
            assert!(matches!(
                (by, role),
                (Some(Some(RecordKind::Agent)), AuthorRole::Agent) | (None, AuthorRole::System)
            ));
            told += 1;
        }
    }
    assert!(
        said > 0 && worked > 10 && told > 60,
        "{said} {worked} {told}"
    );
    let notes = |kind: RecordKind, id: u64| match read.records.get(&tenant.key(kind, id)) {
        Some(Record::Contact(one)) => text(one.meta.custom.get("notes")),
        Some(Record::Account(one)) => text(one.meta.custom.get("notes")),
        other => panic!("{other:?}"),
    };
    let lists = world.lists();
    let customers = lists.people.iter().filter(|person| !person.role.is_staff());
    let people = customers.map(|person| {
        let found = notes(RecordKind::Contact, person.id);
        (found, notes_on_person(SEED, person.id))
    });
    let companies = lists.companies.iter().map(|company| {
        let found = notes(RecordKind::Account, company.id);
        (found, notes_on_company(SEED, company.id))
    });
    let mut on_somebody = 0;
    for (found, expected) in people.chain(companies) {
        assert_eq!(found.is_some(), !expected.is_empty());
        for note in expected {
            assert!(found.as_ref().unwrap().contains(&note.text), "{found:?}");
            on_somebody += 1;
        }
    }
    assert!(on_somebody > 5, "{on_somebody}");
    let mut least = LeastOptions::default();
    least.files = false;
    (
        least.history,
        least.ratings,
        least.time_tracking,
        least.notes,
    ) = (true, true, true, true);
    // Nobody asked who we are, and what the account sees.
    let least = desk.least_requests(least).total() - 1;
    let asked = desk.requests().total;
    assert!(
        asked as f64 <= least as f64 * 1.02,
        "{asked} requests, {least} are the least"
    );
}
