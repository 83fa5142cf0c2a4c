use std::collections::BTreeSet;

use deskferry_core::model::{
    ArticleState, AuthorRole, ChannelKind, CustomValue, Direction, RelationKind, StatusState,
};
use deskferry_core::{Record, RecordKind, Source as _};
use deskferry_rehearsal::kustomer::{Context, Kustomer as Desk};
use deskferry_rehearsal::world::{ConversationState, MessageKind, NoteOn};

use crate::harness::{bytes, config, desk, options, read_all, source};

#[tokio::test]
async fn everything_is_read_from_both_indexes() {
    let desk = desk(options(120)).await;
    let read = read_all(&source(config(&desk))).await.unwrap();
    let loose =
        |reject: &&deskferry_core::source::Reject| reject.reason.starts_with("note-on-customer");
    assert_eq!(
        read.rejects.len(),
        read.rejects.iter().filter(loose).count()
    );
    assert!(read.notes.is_empty(), "{:?}", read.notes);
    for (context, kind) in [
        (Context::Customer, RecordKind::Contact),
        (Context::Company, RecordKind::Account),
        (Context::Conversation, RecordKind::Conversation),
    ] {
        assert_eq!(read.count(kind) as u64, desk.count(context), "{kind}");
    }
    let world = desk.world();
    let said: usize = world
        .conversations()
        .filter(|c| c.state == ConversationState::Active)
        .map(|c| c.messages.iter().filter(|m| !m.is_elsewhere()).count())
        .sum();
    assert_eq!(read.count(RecordKind::Message), said);
    assert_eq!(read.count(RecordKind::Agent), 10, "those who left too");
    let reasons: BTreeSet<&str> = read.skips.iter().map(|skip| skip.reason.as_str()).collect();
    assert_eq!(reasons, BTreeSet::from(["deleted", "spam"]));
    assert_eq!(
        read.complete.len() as u64,
        world.len(),
        "each conversation becomes complete"
    );
}

#[tokio::test]
async fn a_read_asks_no_more_than_it_must() {
    let desk = desk(options(300)).await;
    let source = source(config(&desk));
    let cx = deskferry_core::Context::new();
    source.check(&cx).await.unwrap();
    let read = read_all(&source).await.unwrap();
    for file in read.attachments().filter(|file| file.size != Some(0)) {
        bytes(&source, &read.cx, file).await.unwrap();
    }
    let all = desk.requests();
    let sent = all.total;
    let least = desk.least_requests();
    let allowed = least.total() + least.total() / 50;
    assert!(
        sent <= allowed,
        "{sent} requests, the least is {least:?}: {:?}",
        all.counts
    );
}

#[tokio::test]
async fn what_a_conversation_says_arrives() {
    let desk = desk(options(60)).await;
    let read = read_all(&source(config(&desk))).await.unwrap();
    let states: BTreeSet<&str> = read.conversations().map(|c| c.status.is.name()).collect();
    assert_eq!(states, BTreeSet::from(["open", "resolved", "snoozed"]));
    let labelled = read
        .conversations()
        .find(|c| c.status.raw == "Waiting for parts")
        .expect("a sub-status by its label");
    assert_eq!(labelled.status.is, StatusState::Open);
    for conversation in read.conversations() {
        assert_eq!(
            conversation.closed_at.is_some(),
            conversation.status.is == StatusState::Resolved
        );
        assert!(conversation.requester.is_some());
    }
    let custom = read
        .conversations()
        .find(|c| c.meta.custom.contains_key("menuTree"))
        .unwrap();
    let value = |name: &str| custom.meta.custom.get(name).unwrap().clone();
    assert_eq!(
        value("menuTree"),
        CustomValue::Choice("Software > App > iOS".to_owned())
    );
    assert_eq!(
        value("repairCostNum"),
        CustomValue::Number("1234.567".to_owned())
    );
    assert!(matches!(value("purchaseDateAt"), CustomValue::DateTime(_)));
    assert_eq!(
        value("affectedPartsStr"),
        CustomValue::Choices(vec!["Housing".to_owned(), "Motor".to_owned()])
    );
    assert!(read.conversations().any(|c| c.merged_into.is_some()));
    assert!(
        read.conversations()
            .any(|c| c.satisfaction.as_ref().is_some_and(|s| s.raw == "5"))
    );
}

#[tokio::test]
async fn messages_keep_their_way_their_author_and_their_headers() {
    let desk = desk(options(60)).await;
    let read = read_all(&source(config(&desk))).await.unwrap();
    let channels: BTreeSet<&str> = read.messages().map(|m| m.channel.is.name()).collect();
    let wanted = [
        "email", "web", "chat", "twitter", "facebook", "whatsapp", "internal",
    ];
    assert_eq!(channels, BTreeSet::from(wanted));
    for message in read.messages() {
        let internal = message.channel.is == ChannelKind::Internal;
        assert_eq!(internal, message.direction == Direction::Internal);
        if message.direction == Direction::In {
            assert_eq!(message.author.role, AuthorRole::Customer);
        }
        assert_eq!(
            message.email.is_some(),
            message.channel.is == ChannelKind::Email
        );
    }
    let mails = || read.messages().filter_map(|m| Some((m, m.email.as_ref()?)));
    assert!(mails().any(|(_, mail)| mail.in_reply_to.is_some()));
    assert!(mails().any(|(message, _)| message.body.html.is_some()));
    let (_, odd) = mails()
        .find(|(_, mail)| mail.cc.len() == 3)
        .expect("a mail to many");
    assert!(
        odd.to.iter().any(|one| one.name == "Stranger, A."),
        "{odd:?}"
    );
    assert!(
        odd.to
            .iter()
            .any(|one| one.address == "help@acme.example" || one.address == "repairs@acme.example")
    );
    assert!(read.messages().any(|m| m.author.role == AuthorRole::System));
}

#[tokio::test]
async fn files_come_by_fresh_links_without_the_key() {
    let desk = desk(options(60)).await;
    let source = source(config(&desk));
    let read = read_all(&source).await.unwrap();
    let files = |desk: &Desk| {
        let world = desk.world();
        let all = world.conversations();
        all.filter(|c| c.state == ConversationState::Active)
            .flat_map(|c| c.messages.clone())
            .filter(|m| !m.is_elsewhere())
            .map(|m| m.files.len() + m.images.len())
            .sum::<usize>()
    };
    assert_eq!(read.attachments().count(), files(&desk));
    let file = read
        .attachments()
        .find(|file| file.size == Some(2_000))
        .unwrap();
    assert_eq!(bytes(&source, &read.cx, file).await.unwrap().len(), 2_000);
    // A link dies between its answer and its use: another is asked for.
    desk.faults().set(vec![
        deskferry_rehearsal::fault::Rule::new(deskferry_rehearsal::fault::Action::status(403))
            .path("/bucket/")
            .times(2),
    ]);
    assert_eq!(bytes(&source, &read.cx, file).await.unwrap().len(), 2_000);
    assert!(
        !serde_json::to_string(&file.locator)
            .unwrap()
            .contains("X-Amz")
    );
}

#[tokio::test]
async fn without_the_records_behind_mails_their_previews_are_kept() {
    let desk = desk(options(60)).await;
    let never = config(&desk).mail_bodies(deskferry_source_kustomer::MailBodies::Never);
    let read = read_all(&source(never)).await.unwrap();
    assert!(read.messages().all(|m| m.body.html.is_none()));
    assert_eq!(desk.requests().count("GET", "postmark"), 0);
    desk.faults().set(vec![
        deskferry_rehearsal::fault::Rule::new(deskferry_rehearsal::fault::Action::status(404))
            .path("/postmark/"),
    ]);
    let read = read_all(&source(config(&desk))).await.unwrap();
    let all = desk.requests().recent;
    let asked = all
        .iter()
        .filter(|one| one.path.contains("/postmark/"))
        .count();
    assert!(
        (20..40).contains(&asked),
        "it gives up after twenty: {asked}"
    );
    let mails = read.messages().filter(|m| m.email.is_some());
    assert!(
        mails
            .into_iter()
            .all(|m| m.meta.custom.contains_key("body_incomplete"))
    );
}

#[tokio::test]
async fn custom_objects_come_with_their_attributes_records_and_relations() {
    let mut options = options(60);
    options.content = deskferry_rehearsal::kustomer::Content::Made(
        deskferry_rehearsal::world::WorldSpec::new(11, 60).with_objects(),
    );
    let desk = desk(options).await;
    let read = read_all(&source(config(&desk))).await.unwrap();
    let definitions: Vec<_> = read
        .records
        .values()
        .filter_map(|record| match record {
            Record::ObjectDefinition(one) => Some(one),
            _ => None,
        })
        .collect();
    let named: Vec<_> = definitions
        .iter()
        .map(|d| (d.name.as_str(), d.active))
        .collect();
    assert_eq!(
        named,
        [("order", true), ("order-line", true), ("warranty", false)]
    );
    let relation = |klass: &str, field: &str| {
        let klass = definitions.iter().find(|d| d.name == klass).unwrap();
        klass
            .relations
            .iter()
            .find(|r| r.field == field)
            .unwrap()
            .clone()
    };
    assert_eq!(relation("order", "aboutId").kind, RelationKind::Many);
    assert_eq!(relation("order", "aboutId").to, RecordKind::Conversation);
    let line = relation("order-line", "orderId");
    assert_eq!(
        (line.kind, line.to),
        (RelationKind::Lookup, RecordKind::ObjectRecord)
    );
    assert!(
        line.object
            .unwrap()
            .as_str()
            .ends_with(":object-definition:order")
    );

    let records: Vec<_> = read
        .records
        .values()
        .filter_map(|record| match record {
            Record::ObjectRecord(one) => Some(one),
            _ => None,
        })
        .collect();
    let there: usize = (1..=3)
        .map(|class| desk.world().object_records(class).count())
        .sum();
    assert_eq!(records.len(), there);
    let keys: BTreeSet<_> = read.records.keys().collect();
    for record in &records {
        assert!(keys.contains(&record.object));
        for relation in &record.relations {
            let beyond = record.object.as_str().ends_with("warranty");
            assert!(keys.contains(&relation.to) || beyond, "{}", relation.to);
        }
    }
    let order = records
        .iter()
        .find(|r| r.name.starts_with("Order #"))
        .unwrap();
    let number = &order.meta.custom["orderNumberNum"];
    assert!(matches!(number, CustomValue::Number(n) if n.starts_with("102701236")));
    assert!(
        matches!(&order.meta.custom["data"], CustomValue::Json(data) if data["items"].is_array())
    );
    assert!(!order.meta.custom.contains_key("aboutId"));
}

#[tokio::test]
async fn every_channel_keeps_its_word() {
    let mut options = options(60);
    options.content = deskferry_rehearsal::kustomer::Content::Made(
        deskferry_rehearsal::world::WorldSpec::new(11, 60).with_channels(),
    );
    let desk = desk(options).await;
    let read = read_all(&source(config(&desk))).await.unwrap();
    let channels: BTreeSet<&str> = read.messages().map(|m| m.channel.is.name()).collect();
    for wanted in [
        "sms",
        "voice",
        "whatsapp",
        "instagram",
        "twitter",
        "facebook",
    ] {
        assert!(channels.contains(wanted), "{wanted}: {channels:?}");
    }
    let calls = read
        .messages()
        .filter(|m| m.channel.is == ChannelKind::Voice);
    assert!(calls.into_iter().all(|m| m.call.is_some()));
}

#[tokio::test]
async fn a_note_on_a_customer_is_named_and_in_no_conversation() {
    let desk = desk(options(240)).await;
    let world = desk.world();
    let horizon = deskferry_rehearsal::kustomer::KustomerOptions::default().now
        - chrono::TimeDelta::days(730);
    let loose = |m: &deskferry_rehearsal::world::Message| {
        matches!(
            &m.kind,
            MessageKind::Note {
                on: NoteOn::Person(_),
                ..
            }
        )
    };
    let all = world.conversations().flat_map(|c| c.messages.clone());
    let young = all.filter(|m| loose(m) && m.sent >= horizon).count();
    assert!(young > 0);
    let read = read_all(&source(config(&desk))).await.unwrap();
    assert_eq!(read.rejects.len(), young);
    for reject in &read.rejects {
        assert!(reject.reason.starts_with("note-on-customer"), "{reject:?}");
        assert!(reject.raw.contains("body"));
        assert!(
            !read
                .messages()
                .any(|m| Some(m.meta.key.id()) == reject.id.as_deref())
        );
    }
}

#[tokio::test]
async fn the_help_centre_comes_in_all_its_languages() {
    let mut options = options(60);
    options.content = deskferry_rehearsal::kustomer::Content::Made(
        deskferry_rehearsal::world::WorldSpec::new(11, 60).knowledge(),
    );
    let desk = desk(options).await;
    let read = read_all(&source(config(&desk))).await.unwrap();
    let knowledge = &desk.world().lists().knowledge;
    assert_eq!(read.count(RecordKind::Category), knowledge.categories.len());
    assert_eq!(read.count(RecordKind::Article), knowledge.articles.len());
    let texts: usize = knowledge.articles.iter().map(|one| one.texts.len()).sum();
    let (mut found, mut nested, mut drafts) = (0, 0, 0);
    for record in read.records.values() {
        match record {
            Record::Article(one) => {
                found += one.translations.len();
                let unpublished = one.translations.iter().filter(|text| {
                    assert!(!text.html.contains("As it was begun"), "{}", text.html);
                    text.state.is == ArticleState::Draft
                });
                drafts += unpublished.count();
                assert!(one.translations.iter().all(|text| !text.title.is_empty()));
                assert!(read.records.contains_key(&one.categories[0]));
            }
            Record::Category(one) => nested += usize::from(one.parent.is_some()),
            _ => {}
        }
    }
    assert_eq!(found, texts);
    // A text that was never published stands among the versions alone: the last of these.
    assert!(drafts > 0);
    let asked = desk.requests().count("GET", "/versions/");
    assert_eq!(asked, drafts as u64);
    let wanted = knowledge
        .categories
        .iter()
        .filter(|one| one.parent.is_some());
    assert_eq!(nested, wanted.count());
    let pictures: Vec<_> = read
        .attachments()
        .filter(|one| one.conversation.record_kind() == Some(RecordKind::Article))
        .collect();
    let images = || knowledge.articles.iter().flat_map(|one| &one.images);
    assert!(images().count() > 0);
    assert_eq!(pictures.len(), images().count());
    let (mut sizes, mut wanted) = (Vec::new(), Vec::new());
    for picture in pictures {
        let found = bytes(&source(config(&desk)), &read.cx, picture).await;
        sizes.extend(found.ok().map(|bytes| bytes.len()));
        let Record::Article(article) = &read.records[&picture.conversation] else {
            panic!("{picture:?}")
        };
        let file = article
            .files
            .iter()
            .find(|file| file.key == picture.meta.key);
        let shown = file.unwrap().shown_as.as_deref().unwrap();
        assert!(
            article
                .translations
                .iter()
                .any(|text| text.html.contains(shown))
        );
    }
    wanted.extend(
        images()
            .filter(|one| !one.lost)
            .map(|one| one.content.bytes().len()),
    );
    sizes.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(sizes, wanted);
}

#[tokio::test]
async fn configuration_is_handed_over_without_its_credentials() {
    let desk = desk(options(12)).await;
    let read = read_all(&source(config(&desk))).await.unwrap();
    let items: Vec<_> = read
        .records
        .values()
        .filter_map(|record| match record {
            Record::InventoryItem(item) => Some(item),
            _ => None,
        })
        .collect();
    let kinds: BTreeSet<&str> = items.iter().map(|item| item.kind.is.name()).collect();
    for kind in [
        "queue",
        "sla",
        "business-hours",
        "automation",
        "macro",
        "channel",
        "form",
        "webhook",
        "field",
    ] {
        assert!(kinds.contains(kind), "{kind}: {kinds:?}");
    }
    let whole = serde_json::to_string(&items).unwrap();
    assert!(!whole.contains("canary"), "{whole}");
    assert!(items.iter().any(|item| item.name == "Mails within a day"));
    // A channel that an app added is told from those that come with the platform.
    let channels = items.iter().filter(|item| item.kind.is.name() == "channel");
    let words: BTreeSet<&str> = channels.map(|item| item.kind.raw.as_str()).collect();
    for word in ["email", "whatsapp", "rebuild acme-kiosk"] {
        assert!(words.contains(word), "{word}: {words:?}");
    }
    let tree = items
        .iter()
        .find(|item| item.name == "conversation: menuTree")
        .unwrap();
    assert!(tree.parts[0].lines[0].contains("tree"));
}
