//! Articles: drafts, translations, categories, files, links, publication, and back again.

use std::collections::HashSet;
use std::sync::Arc;

use deskferry_core::error::Result;
use deskferry_core::key::RecordKind;
use deskferry_core::model::*;
use deskferry_core::sink::{Sink, Verdict};
use deskferry_core::undo::{Ours, UndoBatch, UndoRow, Undone};
use deskferry_rehearsal::fault::{Action, Rule};
use deskferry_rehearsal::org::KnowledgeSettings;
use deskferry_sink_salesforce::{Mapping, metadata};
use serde_json::{Value, json};

use crate::bench::*;

const KAV: &str = "Knowledge__kav";
const SELECTION: &str = "Knowledge__DataCategorySelection";

fn text(policy: &str) -> String {
    Mapping::default_text().replace(
        "articles = \"leave\"",
        &format!("articles = \"knowledge\"\n{policy}"),
    )
}

fn category(id: u32, parent: Option<u32>) -> Category {
    Category {
        meta: Meta::new(key(RecordKind::Category, id)),
        name: format!("Place {id}"),
        names: [].into(),
        parent: parent.map(|id| key(RecordKind::Category, id)),
        position: 0,
        visibility: None,
    }
}

fn translation(locale: &str, state: ArticleState, html: &str) -> Translation {
    Translation {
        locale: locale.into(),
        title: format!("Returns {locale}"),
        summary: (locale == "en").then(|| "In short".to_owned()),
        html: html.into(),
        state: Named::new(state, format!("{state:?}")),
        slug: None,
        url: None,
        updated_at: None,
        published_at: Some(at("2021-03-05T00:00:00Z")),
    }
}

fn article(id: u32, visibility: Visibility, translations: Vec<Translation>) -> Article {
    let mut meta = Meta::new(key(RecordKind::Article, id));
    meta.created_at = Some(at("2021-03-04T05:06:07Z"));
    meta.url = Some(format!("https://acme.example/api/{id}"));
    Article {
        meta,
        categories: vec![key(RecordKind::Category, 2)],
        author: None,
        visibility: Named::new(visibility, format!("{visibility:?}")),
        translations,
        tags: vec!["how-to".into()],
        files: Vec::new(),
    }
}

fn plain(id: u32, visibility: Visibility, state: ArticleState) -> Article {
    article(
        id,
        visibility,
        vec![translation("en", state, "<p>Send it back.</p>")],
    )
}

/// An org with Knowledge in English, German and Dutch, prepared by the package.
async fn bench() -> Bench {
    let knowledge = KnowledgeSettings::new(["en_US", "de", "nl_NL"]);
    let mut bench = Bench::mapped(
        |options| options.knowledge(knowledge),
        Mapping::default_text(),
    )
    .await;
    let mapping = Mapping::parse(&text("")).unwrap();
    let places = [category(1, None), category(2, Some(1))];
    let package = metadata::package_with(&mapping, &places).unwrap();
    let result = bench.deploy(metadata::zip(&package)).await;
    assert_eq!(result["status"], "Succeeded", "{result:#}");
    bench.remapped(&text(""));
    bench.sink.check(&bench.cx).await.unwrap();
    bench
}

fn by_language<'a>(rows: &'a [Value], language: &str) -> &'a Value {
    let found = rows.iter().find(|row| row["Language"] == language);
    found.unwrap_or_else(|| panic!("nothing in {language}: {rows:#?}"))
}

#[tokio::test]
async fn an_article_stands_in_its_languages_and_categories_and_is_published_as_its_source_says() {
    let bench = bench().await;
    let places = records([category(1, None), category(2, Some(1))]);
    assert_eq!(
        bench.load("articles", places).await,
        [
            Verdict::Skipped("in-the-metadata".into()),
            Verdict::Skipped("in-the-metadata".into())
        ]
    );
    let whole = article(
        7,
        Visibility::Public,
        vec![
            translation("en", ArticleState::Published, "<p>Send it back.</p>"),
            translation("de", ArticleState::Published, "<p>Schick es zurück.</p>"),
            translation("nl", ArticleState::Draft, "<p>Stuur het terug.</p>"),
        ],
    );
    let loaded = bench.load("articles", records([whole.clone()])).await;
    assert_eq!(loaded, [Verdict::Created]);
    let rows = bench.dump(KAV);
    assert_eq!(rows.len(), 3);
    let (english, german) = (by_language(&rows, "en_US"), by_language(&rows, "de"));
    assert_eq!(
        (&english["PublishStatus"], &english["IsVisibleInPkb"]),
        (&json!("Online"), &json!(true))
    );
    assert_eq!(
        (&english["UrlName"], &german["UrlName"]),
        (&json!("returns-en-7"), &json!("returns-de-7-de"))
    );
    assert_eq!(
        (&german["PublishStatus"], &german["MasterVersionId"]),
        (&json!("Online"), &english["Id"])
    );
    assert_eq!(german["Body__c"], "<p>Schick es zurück.</p>");
    assert_eq!(german["Summary"], Value::Null, "the main text's own");
    assert_eq!(by_language(&rows, "nl_NL")["PublishStatus"], "Draft");
    let selected = bench.only(SELECTION);
    assert_eq!(
        (&selected["ParentId"], &selected["DataCategoryName"]),
        (&english["Id"], &json!("C_2"))
    );
    assert!(
        bench
            .differences("articles", records([whole.clone()]))
            .await
            .is_empty()
    );
    let id = english["Id"].as_str().unwrap();
    bench
        .delete(SELECTION, selected["Id"].as_str().unwrap())
        .await;
    let found = bench.differences("articles", records([whole])).await;
    assert_eq!(
        found,
        [format!(
            "{KAV}.DataCategories: \"Help_Centre.C_2\" became \"\""
        )],
        "{id}"
    );
}

#[tokio::test]
async fn what_is_not_for_everybody_never_becomes_public() {
    use ArticleState::{Archived, Draft, Other, Published};
    let bench = bench().await;
    let articles = [
        (1, Visibility::Public, Published, ("Online", true, true)),
        (2, Visibility::Customers, Published, ("Online", false, true)),
        (3, Visibility::Internal, Published, ("Online", false, false)),
        (4, Visibility::Public, Draft, ("Draft", true, true)),
        (5, Visibility::Public, Other, ("Draft", true, true)),
        (6, Visibility::Public, Archived, ("Archived", false, false)),
    ];
    let all: Vec<Article> = articles
        .iter()
        .map(|(id, who, state, _)| plain(*id, *who, *state))
        .collect();
    let loaded = bench.load("articles", records(all.clone())).await;
    assert!(
        loaded.iter().all(|verdict| *verdict == Verdict::Created),
        "{loaded:?}"
    );
    let rows = bench.dump(KAV);
    for (id, who, state, (status, public, customers)) in articles {
        let name = format!("returns-en-{id}");
        let row = rows
            .iter()
            .find(|row| row["UrlName"] == name.as_str())
            .unwrap();
        let found = (
            &row["PublishStatus"],
            &row["IsVisibleInPkb"],
            &row["IsVisibleInCsp"],
        );
        assert_eq!(
            found,
            (&json!(status), &json!(public), &json!(customers)),
            "{who:?} {state:?}"
        );
        assert_eq!(row["IsVisibleInApp"], true);
    }
    assert!(bench.differences("articles", records(all)).await.is_empty());
}

#[tokio::test]
async fn links_lead_to_the_articles_of_the_org_also_to_those_that_come_later() {
    let bench = bench().await;
    let link =
        |to: u32| format!("<p><a href=\"https://acme.example/article/{to}-slug\">there</a></p>");
    let with = |id: u32, html: &str| {
        let mut one = plain(id, Visibility::Public, ArticleState::Published);
        one.translations[0].html = html.to_owned();
        one
    };
    let (one, two) = (with(1, &link(2)), with(2, &(link(1) + &link(9))));
    bench.register(&records([two.clone()]));
    assert_eq!(
        bench.load("articles", records([one.clone()])).await,
        [],
        "it waits"
    );
    assert_eq!(bench.only(KAV)["PublishStatus"], "Draft");
    assert_eq!(
        bench.load("articles", records([two.clone()])).await,
        [Verdict::Created]
    );
    assert_eq!(bench.flush().await, [Verdict::Created]);
    let rows = bench.dump(KAV);
    let body = |n: usize| rows[n]["Body__c"].as_str().unwrap();
    assert_eq!(
        body(0),
        "<p><a href=\"/articles/en_US/Knowledge/returns-en-2\">there</a></p>"
    );
    assert!(
        body(1).contains("/articles/en_US/Knowledge/returns-en-1"),
        "{}",
        body(1)
    );
    assert!(
        body(1).contains("https://acme.example/article/9-slug"),
        "nobody knows that one"
    );
    assert!(rows.iter().all(|row| row["PublishStatus"] == "Online"));
    assert!(
        bench
            .differences("articles", records([one, two]))
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn files_stand_before_their_article_and_hang_on_it() {
    let bench = bench().await;
    let mut file = attachment(1, 1, "lamp.png");
    let mut whole = plain(1, Visibility::Internal, ArticleState::Published);
    file.conversation = whole.meta.key.clone();
    bench.blobs.put(&file.meta.key, "lamp");
    whole.files = vec![MessageFile {
        key: file.meta.key.clone(),
        name: "lamp.png".into(),
        shown_as: Some("https://acme.example/media/1".into()),
    }];
    whole.translations[0].html = "<img src=\"https://acme.example/media/1\">".into();
    assert_eq!(
        bench.load("articles", records([whole.clone()])).await,
        [Verdict::Created],
        "nobody read its file"
    );
    assert_eq!(
        bench.load("files", records([file])).await,
        [Verdict::Created]
    );
    let mut other = whole;
    other.meta.key = key(RecordKind::Article, 2);
    assert_eq!(
        bench.load("articles", records([other.clone()])).await,
        [Verdict::Created]
    );
    let (rows, version) = (bench.dump(KAV), bench.only("ContentVersion"));
    let id = version["Id"].as_str().unwrap();
    let shown = format!("<img src=\"/sfc/servlet.shepherd/version/download/{id}\">");
    assert_eq!(rows[1]["Body__c"], shown.as_str());
    let links = bench.dump("ContentDocumentLink");
    let link = links
        .iter()
        .find(|link| link["LinkedEntityId"] == rows[1]["Id"])
        .unwrap();
    assert_eq!(
        (&link["ContentDocumentId"], &link["Visibility"]),
        (&version["ContentDocumentId"], &json!("InternalUsers"))
    );
    assert!(
        bench
            .differences("articles", records([other]))
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn a_language_that_the_org_does_not_have_holds_an_article_until_somebody_decides() {
    let mut bench = bench().await;
    let whole = article(
        1,
        Visibility::Public,
        vec![
            translation("en", ArticleState::Published, "<p>a</p>"),
            translation("pl", ArticleState::Published, "<p>b</p>"),
        ],
    );
    let held = bench.load("articles", records([whole.clone()])).await;
    assert_eq!(held, [Verdict::Held("language-not-in-org".into())]);
    bench.remapped(&text("languages = { pl = \"leave\" }"));
    assert_eq!(
        bench.load("articles", records([whole])).await,
        [Verdict::Created]
    );
    assert_eq!(bench.only(KAV)["Language"], "en_US");
}

#[tokio::test]
async fn an_org_without_knowledge_is_said_and_its_articles_are_skipped() {
    let bench = Bench::mapped(
        |options| {
            let mut settings = deskferry_rehearsal::org::OrgSettings {
                access_token: Some(deskferry_rehearsal::org::Hidden(TOKEN.into())),
                ..Default::default()
            };
            let fields = serde_json::to_value(
                Mapping::parse(Mapping::default_text())
                    .unwrap()
                    .required_fields(),
            );
            settings.custom_fields = serde_json::from_value(fields.unwrap()).unwrap();
            options.settings(settings)
        },
        &text(""),
    )
    .await;
    let told = bench.sink.check(&bench.cx).await.unwrap();
    assert!(
        told.warnings
            .iter()
            .any(|line| line.contains("no-knowledge")),
        "{:?}",
        told.warnings
    );
    let one = plain(1, Visibility::Public, ArticleState::Published);
    let skipped = Verdict::Skipped("no-knowledge".into());
    assert_eq!(bench.load("articles", records([one])).await, [skipped]);
}

#[tokio::test]
async fn a_lost_answer_makes_nothing_twice_at_any_step() {
    for path in [
        "composite/sobjects",
        "actions/standard/publishKnowledgeArticles",
        "actions/standard/submitKnowledgeArticleForTranslation",
    ] {
        let bench = bench().await;
        let whole = article(
            1,
            Visibility::Public,
            vec![
                translation("en", ArticleState::Published, "<p>a</p>"),
                translation("de", ArticleState::Published, "<p>b</p>"),
            ],
        );
        let lost = Rule::new(Action::CutAfterAct).path(path).times(1);
        bench.org.faults().set(vec![lost]);
        let loaded = bench
            .try_load("articles", records([whole.clone()]))
            .await
            .unwrap();
        assert_eq!(loaded, [Verdict::Created], "{path}");
        assert_eq!(bench.dump(KAV).len(), 2, "{path}");
        assert_eq!(bench.dump(SELECTION).len(), 1, "{path}");
        assert!(
            bench
                .differences("articles", records([whole]))
                .await
                .is_empty(),
            "{path}"
        );
    }
}

struct All;

#[async_trait::async_trait]
impl Ours for All {
    async fn are_ours(&self, ids: &[String]) -> Result<Vec<bool>> {
        Ok(ids.iter().map(|_| true).collect())
    }
}

#[tokio::test]
async fn what_was_published_is_archived_and_deleted_again() {
    let bench = bench().await;
    let texts = |id| {
        vec![
            translation("en", ArticleState::Published, &format!("<p>{id}</p>")),
            translation("de", ArticleState::Published, "<p>b</p>"),
        ]
    };
    let all = records([
        article(1, Visibility::Public, texts(1)),
        article(2, Visibility::Internal, texts(2)),
    ]);
    bench.load("articles", all).await;
    let undo = bench.sink.as_undo().unwrap();
    let batch = |trial: bool| UndoBatch {
        object: KAV.into(),
        rows: bench
            .dump(KAV)
            .iter()
            .map(|row| UndoRow {
                record: None,
                id: row["Id"].as_str().unwrap().to_owned(),
                loaded_at: None,
            })
            .collect(),
        trial,
        loaded_until: Some(chrono::Utc::now() + chrono::Duration::seconds(5)),
        held: Arc::new(HashSet::new()),
        ours: Arc::new(All),
    };
    let tried = undo.undo(&bench.cx, batch(true)).await.unwrap();
    assert!(tried.iter().all(|one| *one == Undone::Removed), "{tried:?}");
    assert_eq!(bench.dump(KAV).len(), 4, "only tried");
    let marked = undo
        .marked(&bench.cx, KAV, "mark-0")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(marked.len(), 4);
    let done = undo.undo(&bench.cx, batch(false)).await.unwrap();
    assert!(done.iter().all(|one| *one == Undone::Removed), "{done:?}");
    for object in [KAV, SELECTION, "Knowledge__ka"] {
        assert_eq!(bench.dump(object), Vec::<Value>::new(), "{object}");
    }
}

#[tokio::test]
async fn categories_that_no_group_can_hold_are_refused_before_anything_is_installed() {
    let mapping = Mapping::parse(&text("")).unwrap();
    let many: Vec<Category> = (0..100).map(|id| category(id, None)).collect();
    let deep: Vec<Category> = (0..5)
        .map(|id| category(id, (id > 0).then(|| id - 1)))
        .collect();
    let circle = vec![category(1, Some(2)), category(2, Some(1))];
    for (categories, said) in [(many, "at most 100"), (deep, "deeper"), (circle, "circle")] {
        let error = metadata::package_with(&mapping, &categories)
            .unwrap_err()
            .to_string();
        assert!(error.contains(said), "{error}");
    }
    let left = Mapping::parse(&text("article_categories = \"leave\"")).unwrap();
    let files = metadata::package_with(&left, &[category(1, None)]).unwrap();
    assert!(files.iter().all(|file| !file.path.contains("datacategory")));
}
