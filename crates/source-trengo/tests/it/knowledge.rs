//! Help centres, and what people set up.

use std::collections::BTreeSet;

use deskferry_core::model::{Article, ArticleState, Category, InventoryItem, InventoryKind};
use deskferry_core::{ErrorKind, Record};
use deskferry_rehearsal::fault::{Action, Rule};
use deskferry_rehearsal::trengo::{LeastOptions, TrengoOptions};
use deskferry_rehearsal::world::{Content, Readers, TextState, WorldSpec};

use crate::harness::{Reader, bytes, config, desk, options, read_all, source};

fn knowledge() -> TrengoOptions {
    let mut options = options(0);
    options.content = Content::Made(WorldSpec::new(11, 12).knowledge());
    options
}

fn articles(reader: &Reader) -> impl Iterator<Item = &Article> {
    reader
        .read
        .records
        .values()
        .filter_map(|record| match record {
            Record::Article(article) => Some(article.as_ref()),
            _ => None,
        })
}

fn categories(reader: &Reader) -> impl Iterator<Item = &Category> {
    reader
        .read
        .records
        .values()
        .filter_map(|record| match record {
            Record::Category(category) => Some(category.as_ref()),
            _ => None,
        })
}

fn inventory(reader: &Reader) -> impl Iterator<Item = &InventoryItem> {
    reader
        .read
        .records
        .values()
        .filter_map(|record| match record {
            Record::InventoryItem(item) => Some(item.as_ref()),
            _ => None,
        })
}

#[tokio::test(flavor = "multi_thread")]
async fn every_article_is_read_in_all_its_languages_and_stands_in_its_section() {
    let desk = desk(knowledge()).await;
    let source = source(config(&desk));
    let reader = read_all(&source).await.unwrap();
    assert_eq!(reader.read.rejects, Vec::new());
    let knowledge = &desk.world().lists().knowledge;
    let shown: Vec<_> = knowledge
        .articles
        .iter()
        .filter(|article| article.readers == Readers::Everybody)
        .collect();
    assert_eq!(articles(&reader).count(), shown.len());
    for article in shown {
        let read = articles(&reader)
            .find(|read| read.meta.key.id() == article.id.to_string())
            .unwrap();
        let texts: Vec<_> = read
            .translations
            .iter()
            .map(|text| (text.locale.as_str(), text.title.as_str(), text.state.is))
            .collect();
        let wanted: Vec<_> = article
            .texts
            .iter()
            .map(|text| {
                let state = match text.state {
                    TextState::Published => ArticleState::Published,
                    TextState::Draft | TextState::Archived => ArticleState::Draft,
                };
                (text.locale.as_str(), text.title.as_str(), state)
            })
            .collect();
        assert_eq!(texts, wanted, "{}", article.id);
        assert_eq!(
            read.categories[0].id(),
            format!("section-{}", article.category)
        );
        assert_eq!(read.meta.created_at, Some(article.created));
        // The same picture is shown in each language, and is one file.
        let files: BTreeSet<_> = read.files.iter().map(|file| &file.key).collect();
        assert_eq!(files.len(), article.images.len(), "{}", article.id);
    }
    let keys: BTreeSet<_> = categories(&reader)
        .map(|category| &category.meta.key)
        .collect();
    assert_eq!(
        keys.len(),
        knowledge.categories.len() + 1,
        "the help centre is the root"
    );
    assert!(categories(&reader).all(|c| c.parent.as_ref().is_none_or(|p| keys.contains(p))));
    let cleaning = categories(&reader).find(|c| c.name == "Cleaning").unwrap();
    assert_eq!(cleaning.names["de"], "Reinigung");
    for file in reader
        .read
        .attachments()
        .filter(|file| file.conversation.kind() == "article")
    {
        assert!(!bytes(&source, &reader.cx, file).await.unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_help_centre_costs_no_more_requests_than_it_must() {
    let desk = desk(knowledge()).await;
    let reader = read_all(&source(config(&desk))).await.unwrap();
    let mut wanted = LeastOptions::default();
    wanted.files = false;
    let least = desk.least_requests(wanted).total();
    let rows = reader.cx.meter().snapshot();
    let sent: u64 = rows.iter().map(|row| row.requests).sum();
    assert!(
        sent <= least + 1,
        "{sent} requests were sent, the least is {least}"
    );
    let told = reader.cx.meter().least();
    assert_eq!(told["trengo"], least);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_set_up_is_told_without_its_secrets() {
    let desk = desk(knowledge()).await;
    let reader = read_all(&source(config(&desk))).await.unwrap();
    for kind in [
        InventoryKind::Channel,
        InventoryKind::Routing,
        InventoryKind::Macro,
        InventoryKind::Webhook,
        InventoryKind::App,
        InventoryKind::Other,
    ] {
        assert!(
            inventory(&reader).any(|item| item.kind.is == kind && !item.definition.is_null()),
            "{kind:?}"
        );
    }
    // What no interface shows is not forgotten.
    for kind in [
        InventoryKind::Automation,
        InventoryKind::Ai,
        InventoryKind::Sla,
        InventoryKind::BusinessHours,
        InventoryKind::Form,
        InventoryKind::Report,
    ] {
        let mut by_hand = inventory(&reader).filter(|item| item.kind.is == kind);
        let says = |item: &InventoryItem| item.parts[0].lines[0].contains("by hand");
        assert!(by_hand.any(says), "{kind:?}");
    }
    let replies = inventory(&reader).filter(|item| item.meta.key.id().starts_with("quick-reply"));
    assert_eq!(replies.count(), 2);
    for item in inventory(&reader) {
        let text = item.definition.to_string();
        assert!(!text.contains("secret-of"), "{text}");
    }
    let mail = inventory(&reader).find(|item| item.name == "help").unwrap();
    assert!(mail.parts.iter().any(|part| part.title == "conditions"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_without_help_centres_or_rights_is_told_and_read_on() {
    let desk = desk(knowledge()).await;
    let denied = || Action::Status {
        code: 403,
        headers: Vec::new(),
        body: r#"{"message":"This action is unauthorized."}"#.to_owned(),
        content_type: None,
    };
    desk.faults().set(vec![
        Rule::new(denied()).path("/help_center"),
        Rule::new(denied()).path("/webhooks"),
    ]);
    let reader = read_all(&source(config(&desk))).await.unwrap();
    assert_eq!(articles(&reader).count(), 0);
    let told = |part: &str| reader.read.notes.iter().any(|note| note.contains(part));
    assert!(told("help centres cannot be read") && told("webhooks cannot be read"));
    assert!(reader.read.whole() > 5);
    // A right that is lacking for tickets is no small thing.
    desk.faults()
        .set(vec![Rule::new(denied()).path("/tickets")]);
    let error = read_all(&source(config(&desk))).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
}
