//! The help centre: categories, sections and articles, with their texts by language (Kayako reference, section 15).

use serde_json::{Value, json};

use super::include::reference;
use super::setup::{Ink, time};
use crate::world::{KnowledgeArticle, KnowledgeCategory, Readers, TextState, World};

/// Kayako says for a whole section who may read it: a place of the world is as many sections as it has kinds of readers.
const READERS: [(Readers, u64, &str); 3] = [
    (Readers::Everybody, 0, "PUBLIC"),
    (Readers::Customers, 1, "AUTHORIZED"),
    (Readers::Staff, 2, "AGENTS"),
];

/// A section: where it stands, and who may read it.
pub(super) struct Section<'a> {
    place: &'a KnowledgeCategory,
    number: u64,
    visibility: &'static str,
}

pub(super) fn categories(world: &World) -> Vec<&KnowledgeCategory> {
    let all = world.lists().knowledge.categories.iter();
    all.filter(|category| category.parent.is_none()).collect()
}

pub(super) fn sections(world: &World) -> Vec<Section<'_>> {
    let knowledge = &world.lists().knowledge;
    let mut sections = Vec::new();
    for place in knowledge
        .categories
        .iter()
        .filter(|one| one.parent.is_some())
    {
        for (readers, number, visibility) in READERS {
            let mut articles = knowledge.articles.iter();
            if articles.any(|article| article.category == place.id && article.readers == readers) {
                sections.push(Section {
                    place,
                    number: place.id * 10 + number,
                    visibility,
                });
            }
        }
    }
    sections
}

pub(super) fn articles(world: &World) -> &[KnowledgeArticle] {
    &world.lists().knowledge.articles
}

/// One state for all languages.
pub(super) fn is_published(article: &KnowledgeArticle) -> bool {
    let first = article.texts.first();
    first.is_some_and(|text| text.state == TextState::Published)
}

/// The languages of the world as this platform writes them.
fn locale(of_world: &str) -> &str {
    match of_world {
        "en" => "en-us",
        other => other,
    }
}

impl Ink<'_> {
    /// Texts by language. The default language is not the first one on purpose.
    fn texts<'t>(
        &self,
        id: u64,
        texts: impl DoubleEndedIterator<Item = (&'t str, String)>,
    ) -> Vec<Value> {
        texts
            .rev()
            .zip(id * 10..)
            .map(|((language, text), id)| self.locale_field(id, locale(language), Some(&text)))
            .collect()
    }

    fn names(&self, id: u64, place: &KnowledgeCategory) -> Vec<Value> {
        let names = place.names.iter();
        self.texts(
            id,
            names.map(|(language, name)| (language.as_str(), name.clone())),
        )
    }

    pub(super) fn category(&self, category: &KnowledgeCategory) -> Value {
        json!({
            "id": category.id, "legacy_id": null, "titles": self.names(700_000 + category.id, category), "slugs": [],
            "descriptions": [], "brand": reference("brand", 1), "display_order": category.position,
            "created_at": "2020-01-01T00:00:00+00:00", "updated_at": "2020-01-01T00:00:00+00:00", "resource_type": "category",
        })
    }

    pub(super) fn section(&self, section: &Section<'_>) -> Value {
        json!({
            "id": section.number, "legacy_id": null, "titles": self.names(710_000 + section.number, section.place), "slugs": [],
            "descriptions": [], "visibility": section.visibility, "teams": [], "tags": [],
            "category": section.place.parent.map(|id| reference("category", id)), "agent": reference("user", 1),
            "article_order_by": "LATEST", "display_order": section.place.position,
            "created_at": "2020-01-01T00:00:00+00:00", "updated_at": "2020-01-01T00:00:00+00:00", "resource_type": "section",
        })
    }

    pub(super) fn article(&self, article: &KnowledgeArticle) -> Value {
        let number = READERS
            .iter()
            .find(|(readers, ..)| *readers == article.readers)
            .map_or(0, |(_, number, _)| *number);
        let texts = || article.texts.iter();
        let of = |lot: u64| 720_000 + article.id * 10 + lot;
        let titles = texts().map(|text| (text.locale.as_str(), text.title.clone()));
        let slugs = texts().map(|text| (text.locale.as_str(), text.slug.clone()));
        let contents = texts().map(|text| (text.locale.as_str(), self.shown(article, &text.html)));
        // One state for all languages.
        let state = texts().next().map(|text| text.state);
        let status = match state {
            Some(TextState::Published) => "PUBLISHED",
            Some(TextState::Archived) => "PENDINGAPPROVAL",
            Some(TextState::Draft) | None => "DRAFT",
        };
        let slug = texts().next().map_or("", |text| text.slug.as_str());
        let tags = article.tags.iter().zip(article.id * 10..);
        json!({
            "id": article.id, "uuid": format!("30000000-0000-4000-8000-{:012}", article.id), "legacy_id": null,
            "titles": self.texts(of(1), titles), "slugs": self.texts(of(2), slugs), "contents": self.texts(of(3), contents),
            "keywords": "", "section": reference("section", article.category * 10 + number),
            "creator": article.author.map(|id| self.user_minimal(id)), "author": article.author.map(|id| self.user_minimal(id)),
            "attachments": [], "download_all": null, "status": status, "upvote_count": 0, "downvote_count": 0, "views": 3, "rank": 0,
            "tags": tags.map(|(name, id)| self.include.nest("tag", id, || json!({"id": id, "name": name, "resource_type": "tag"}))).collect::<Vec<_>>(),
            "is_featured": false, "allow_comments": true, "total_comments": 0, "created_at": time(article.created),
            "published_at": (status == "PUBLISHED").then(|| time(article.created)), "updated_at": time(article.updated),
            "helpcenter_url": format!("{}/en-us/article/{slug}", self.base), "resource_type": "article",
            "resource_url": format!("{}/api/v1/articles/{}", self.base, article.id),
        })
    }

    /// Pictures and other articles by their addresses.
    fn shown(&self, article: &KnowledgeArticle, html: &str) -> String {
        let mut html = html.to_owned();
        for image in &article.images {
            let address = format!("{}/base/media/url/{}", self.base, image.token);
            html = html.replace(&format!("media:{}", image.token), &address);
        }
        html.replace("article:", &format!("{}/article/", self.base))
    }
}
