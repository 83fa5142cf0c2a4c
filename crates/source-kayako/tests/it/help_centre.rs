//! The help centre: all languages, who may read what, and nothing that becomes public.

use deskferry_core::model::{Article, ArticleState, Visibility};
use deskferry_core::source::Scope;
use deskferry_core::{Record, RecordKind, Tenant};
use deskferry_rehearsal::fault::{Action, Rule};
use deskferry_rehearsal::kayako::{Content, Kayako as Desk, KayakoOptions};
use deskferry_rehearsal::world::{Readers, TextState, WorldSpec};

use crate::harness::{Reader, bytes, config, desk, source};

async fn helped() -> Desk {
    let mut options = KayakoOptions::default();
    options.content = Content::Made(WorldSpec::new(11, 5).knowledge());
    desk(options).await
}

async fn read(desk: &Desk) -> Reader {
    let mut scope = Scope::default();
    scope.kinds = vec![RecordKind::Category, RecordKind::Article];
    let source = source(config(desk));
    let mut reader = Reader::new();
    reader.begin(&source, &scope).await.unwrap();
    reader.finish(&source).await.unwrap();
    reader
}

fn article(reader: &Reader, id: u64) -> &Article {
    let key = Tenant::new("kayako", "acme").key(RecordKind::Article, id);
    match reader.read.records.get(&key) {
        Some(Record::Article(article)) => article,
        other => panic!("{key}: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn articles_come_in_all_languages_with_their_readers_and_pictures() {
    let desk = helped().await;
    let reader = read(&desk).await;
    assert_eq!(reader.read.rejects, Vec::new());
    assert_eq!(reader.read.notes, Vec::<String>::new());
    let knowledge = desk.world().lists().knowledge.clone();
    assert_eq!(
        reader.read.count(RecordKind::Article),
        knowledge.articles.len()
    );
    for wanted in &knowledge.articles {
        let found = article(&reader, wanted.id);
        let visible = match wanted.readers {
            Readers::Everybody => Visibility::Public,
            Readers::Customers => Visibility::Customers,
            Readers::Staff => Visibility::Internal,
        };
        assert_eq!(found.visibility.is, visible, "{}", wanted.id);
        let author = found.author.as_ref().map(|key| key.id().to_owned());
        assert_eq!(author, wanted.author.map(|id| id.to_string()));
        assert_eq!(found.tags, wanted.tags);
        assert_eq!(found.meta.created_at, Some(wanted.created));
        assert_eq!(found.translations.len(), wanted.texts.len());
        assert_eq!(
            found.translations[0].locale, "en-us",
            "the default language"
        );
        let is_public = wanted.texts[0].state == TextState::Published;
        for text in &wanted.texts {
            let locale = if text.locale == "en" {
                "en-us"
            } else {
                &text.locale
            };
            let translation = found.translations.iter().find(|one| one.locale == locale);
            let translation = translation.unwrap();
            assert_eq!(translation.title, text.title);
            assert_eq!(translation.slug.as_deref(), Some(text.slug.as_str()));
            assert!(translation.html.starts_with(&format!("<h1>{}", text.title)));
            assert_eq!(
                translation.state.is == ArticleState::Published,
                is_public,
                "{}",
                wanted.id
            );
        }
        for image in &wanted.images {
            let name = format!("article-{}-media-{}", wanted.id, image.token);
            let mut files = reader.read.attachments();
            let file = files.find(|file| file.meta.key.id() == name).unwrap();
            let got = bytes(&source(config(&desk)), &reader.cx, file)
                .await
                .unwrap();
            assert_eq!(got, image.content.bytes().to_vec());
            assert!(found.files.iter().any(|shown| shown.key == file.meta.key));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_article_stands_in_a_section_that_stands_in_a_category() {
    let desk = helped().await;
    let reader = read(&desk).await;
    let of = |key| match reader.read.records.get(key) {
        Some(Record::Category(category)) => category,
        other => panic!("{key}: {other:?}"),
    };
    for wanted in &desk.world().lists().knowledge.articles {
        let found = article(&reader, wanted.id);
        let section = of(&found.categories[0]);
        assert_eq!(
            section.visibility.as_ref().map(|readers| readers.is),
            Some(found.visibility.is)
        );
        let category = of(section.parent.as_ref().unwrap());
        assert!(category.parent.is_none() && category.names["en-us"] == category.name);
        assert!(section.names.len() >= 2 && !section.name.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_sections_may_not_be_read_nothing_is_public() {
    let desk = helped().await;
    let denied = Action::Status {
        code: 403,
        headers: Vec::new(),
        body: r#"{"status":403,"errors":[{"code":"PERMISSIONS_DENIED","message":"no"}]}"#.into(),
        content_type: None,
    };
    desk.faults().push(Rule::new(denied).path("/sections"));
    let reader = read(&desk).await;
    let [note] = &reader.read.notes[..] else {
        panic!("{:?}", reader.read.notes)
    };
    assert!(note.starts_with("list sections"), "{note}");
    for wanted in &desk.world().lists().knowledge.articles {
        assert_eq!(
            article(&reader, wanted.id).visibility.is,
            Visibility::Internal
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_article_without_an_id_is_rejected_and_its_neighbours_stay() {
    let desk = helped().await;
    desk.faults()
        .push(Rule::new(Action::named("null:/id")).path("article:3;"));
    let reader = read(&desk).await;
    let [reject] = &reader.read.rejects[..] else {
        panic!("{:?}", reader.read.rejects)
    };
    assert_eq!(
        (reject.kind, reject.path.as_str()),
        (RecordKind::Article, "id")
    );
    assert_eq!(reader.read.count(RecordKind::Article), 23);
}

#[tokio::test(flavor = "multi_thread")]
async fn drafts_that_the_list_hides_are_found_and_stay_drafts() {
    let mut options = KayakoOptions::default();
    options.content = Content::Made(WorldSpec::new(11, 5).knowledge());
    options.hides_drafts = true;
    let desk = desk(options).await;
    let reader = read(&desk).await;
    let articles = desk.world().lists().knowledge.articles.clone();
    assert_eq!(reader.read.count(RecordKind::Article), articles.len());
    assert_eq!(reader.read.notes, Vec::<String>::new());
    let drafts = articles
        .iter()
        .filter(|one| one.texts[0].state != TextState::Published);
    for draft in drafts {
        let found = article(&reader, draft.id);
        let published = found
            .translations
            .iter()
            .any(|one| one.state.is == ArticleState::Published);
        assert!(!published, "{}", draft.id);
    }

    // Who may not list them is told that some are missing.
    let refused = r#"{"status":403,"errors":[{"code":"PERMISSIONS_DENIED"}]}"#;
    desk.faults().push(
        Rule::new(Action::Status {
            code: 403,
            headers: Vec::new(),
            body: refused.to_owned(),
            content_type: None,
        })
        .path("/articles/list"),
    );
    let reader = read(&desk).await;
    assert!(reader.read.count(RecordKind::Article) < articles.len());
    assert!(
        reader.read.notes[0].contains("are missing"),
        "{:?}",
        reader.read.notes
    );
    desk.stop().await;
}
