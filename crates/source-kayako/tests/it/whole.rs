//! A desk that stands still is read whole, with as few requests as possible.

use deskferry_core::source::Source as _;
use deskferry_core::{Record, RecordKind};
use deskferry_rehearsal::kayako::LeastOptions;
use deskferry_rehearsal::world::ConversationState;

use crate::harness::{bytes, config, desk, options, read_all, source};

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_the_world_holds_is_read_with_next_to_the_least_requests() {
    let desk = desk(options(300)).await;
    let source = source(config(&desk));
    let checked = source.check(&deskferry_core::Context::new()).await.unwrap();
    assert_eq!(checked.tenant.id, "acme");
    assert_eq!(checked.warnings, Vec::<String>::new());
    let reader = read_all(&source).await.unwrap();
    let read = &reader.read;

    let world = desk.world();
    let lists = world.lists();
    let active: Vec<_> = world
        .conversations()
        .filter(|case| case.state == ConversationState::Active)
        .collect();
    let staff = lists
        .people
        .iter()
        .filter(|person| person.role.is_staff())
        .count();
    assert_eq!(read.rejects, Vec::new());
    assert_eq!(read.count(RecordKind::Team), lists.teams.len());
    assert_eq!(read.count(RecordKind::FieldDefinition), lists.fields.len());
    assert_eq!(read.count(RecordKind::Account), lists.companies.len());
    assert_eq!(read.count(RecordKind::Agent), staff);
    assert_eq!(read.count(RecordKind::Contact), lists.people.len() - staff);
    assert_eq!(read.count(RecordKind::Conversation), active.len());
    assert_eq!(read.whole(), active.len());
    assert_eq!(
        read.count(RecordKind::Message),
        active.iter().map(|case| case.messages.len()).sum::<usize>()
    );
    let elsewhere = active
        .iter()
        .flat_map(|case| &case.messages)
        .filter(|message| message.is_elsewhere())
        .count();
    let on_people = read
        .skips
        .iter()
        .filter(|skip| skip.reason == "note-on-person");
    assert_eq!(on_people.count(), elsewhere);

    let mut files = 0;
    for file in read.attachments().filter(|file| file.size != Some(0)) {
        let got = bytes(&source, &reader.cx, file).await.unwrap();
        assert!(
            file.size.is_none_or(|size| size == got.len() as u64),
            "{}",
            file.meta.key
        );
        files += 1;
    }
    let least = desk.least_requests(LeastOptions::default());
    assert_eq!(files, least.files);
    let sent = desk.requests().total;
    let bar = least.total() + (least.total() / 50).max(5);
    assert!(
        sent <= bar,
        "{sent} requests, at most {bar} allowed, {least:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_message_says_what_the_world_says() {
    let desk = desk(options(120)).await;
    let source = source(config(&desk));
    let reader = read_all(&source).await.unwrap();
    let tenant = deskferry_core::Tenant::new("kayako", "acme");
    let world = desk.world();
    for case in world
        .conversations()
        .filter(|case| case.state == ConversationState::Active)
    {
        for wanted in &case.messages {
            let key = tenant.key(RecordKind::Message, wanted.id);
            let Some(Record::Message(found)) = reader.read.records.get(&key) else {
                panic!("{key} is missing")
            };
            assert_eq!(found.sent_at, wanted.sent, "{key}");
            let text = wanted
                .text
                .as_deref()
                .filter(|text| !text.trim().is_empty());
            if !matches!(
                wanted.kind,
                deskferry_rehearsal::world::MessageKind::Other { .. }
            ) {
                assert_eq!(found.body.text.as_deref(), text, "{key}");
            }
            assert_eq!(
                found.body.html.is_some(),
                wanted
                    .html
                    .as_ref()
                    .is_some_and(|html| !html.trim().is_empty()),
                "{key}"
            );
            let is_note = matches!(
                wanted.kind,
                deskferry_rehearsal::world::MessageKind::Note { .. }
            );
            use deskferry_core::model::Direction;
            let direction = match (is_note, wanted.incoming) {
                (true, _) => Direction::Internal,
                (_, true) => Direction::In,
                (_, false) => Direction::Out,
            };
            assert_eq!(found.direction, direction, "{key} {:?}", wanted.kind);
            assert_eq!(found.email.is_some(), wanted.mail.is_some(), "{key}");
            let (Some(email), Some(mail)) = (&found.email, &wanted.mail) else {
                continue;
            };
            let ids = |ids: &[String]| ids.iter().map(|id| format!("<{id}>")).collect::<Vec<_>>();
            if mail.headers.is_some() {
                assert_eq!(
                    email.message_id,
                    mail.message_id.as_ref().map(|id| format!("<{id}>")),
                    "{key}"
                );
                assert_eq!(email.references, ids(&mail.references), "{key}");
                assert_eq!(
                    email.in_reply_to,
                    ids(&mail.in_reply_to).first().cloned(),
                    "{key}"
                );
            }
            let addresses = |list: &[deskferry_core::model::EmailAddress]| {
                list.iter()
                    .map(|one| one.address.clone())
                    .collect::<Vec<_>>()
            };
            let wanted_cc: Vec<_> = mail.cc.iter().map(|one| one.address.clone()).collect();
            assert_eq!(addresses(&email.cc), wanted_cc, "{key}");
            let from = email
                .from
                .as_ref()
                .map(|from| from.address.clone())
                .unwrap_or_default();
            assert_eq!(from, mail.from.address, "{key}");
            let files = if wanted.is_elsewhere() {
                0
            } else {
                wanted.files.len()
            };
            let plain = found
                .files
                .iter()
                .filter(|file| file.key.id().starts_with(&format!("{}-", wanted.id)))
                .count();
            assert!(plain >= files, "{key}: {plain} of {files} files");
        }
    }
}
