//! What each platform tells of a help centre.

use chrono::{DateTime, Utc};

use super::super::words::one_line;
use crate::kustomer::id_of;
use crate::world::{InlineImage, Knowledge, KnowledgeArticle, Readers, TextState};

/// An article as a platform tells it.
#[derive(Clone, Debug)]
pub struct SeenArticle {
    /// Its number in the world.
    pub number: u64,
    /// Its id in keys.
    pub id: String,
    /// The id in keys of the category that it stands in.
    pub category: String,
    /// The ids of further ones.
    pub further: Vec<String>,
    /// The member of staff who wrote it.
    pub author: Option<u64>,
    /// Who may read it.
    pub readers: Readers,
    /// The platform's word for that.
    pub readers_raw: &'static str,
    /// Its texts, the main one first.
    pub texts: Vec<SeenText>,
    /// Labels.
    pub tags: Vec<String>,
    /// Pictures whose bytes the platform hands out.
    pub images: Vec<InlineImage>,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// When it was changed.
    pub updated: DateTime<Utc>,
}

/// A text as a platform tells it.
#[derive(Clone, Debug)]
pub struct SeenText {
    /// The language, as the world has it.
    pub world_locale: String,
    /// The same as the platform writes it.
    pub locale: String,
    /// Title.
    pub title: String,
    /// HTML, pictures and other articles named as in the world.
    pub html: String,
    /// Where it stands, as far as the platform tells.
    pub state: TextState,
    /// The platform's word for that.
    pub state_raw: &'static str,
    /// The last part of its address.
    pub slug: String,
    /// How the address ends under which people find it; none where the platform tells none.
    pub url_end: Option<String>,
    /// When it was published.
    pub published: Option<DateTime<Utc>>,
}

/// A category: its id in keys, that of the one it stands in, its name.
pub type SeenCategory = (String, Option<String>, String);

fn seen(article: &KnowledgeArticle, id: String, category: String) -> SeenArticle {
    SeenArticle {
        number: article.id,
        id,
        category,
        further: Vec::new(),
        author: article.author,
        readers: article.readers,
        readers_raw: "",
        texts: article
            .texts
            .iter()
            .map(|text| SeenText {
                world_locale: text.locale.clone(),
                locale: text.locale.clone(),
                title: one_line(&text.title),
                html: text.html.clone(),
                state: text.state,
                state_raw: "",
                slug: text.slug.clone(),
                url_end: None,
                published: None,
            })
            .collect(),
        tags: article.tags.clone(),
        images: article.images.clone(),
        created: article.created,
        updated: article.updated,
    }
}

fn main_name(names: &std::collections::BTreeMap<String, String>) -> String {
    let name = names.get("en").or_else(|| names.values().next());
    name.cloned().unwrap_or_default()
}

/// A section for each kind of readers, one state for all languages, an address for the first of them.
pub(super) fn kayako(knowledge: &Knowledge) -> Vec<SeenArticle> {
    let articles = knowledge.articles.iter();
    articles
        .map(|article| {
            let (number, readers_raw) = kayako_readers(article.readers);
            let category = format!("section-{}", article.category * 10 + number);
            let mut seen = seen(article, article.id.to_string(), category);
            seen.readers_raw = readers_raw;
            let main = article.texts.first();
            let (state, raw) = match main.map(|text| text.state) {
                Some(TextState::Published) => (TextState::Published, "PUBLISHED"),
                Some(TextState::Archived) => (TextState::Draft, "PENDINGAPPROVAL"),
                _ => (TextState::Draft, "DRAFT"),
            };
            for (n, text) in seen.texts.iter_mut().enumerate() {
                if text.locale == "en" {
                    text.locale = "en-us".to_owned();
                }
                (text.state, text.state_raw) = (state, raw);
                text.published = (state == TextState::Published).then_some(article.created);
                text.url_end = Some(match n {
                    0 => format!("/article/{}", text.slug),
                    _ => format!("/articles/{}", article.id),
                });
            }
            seen
        })
        .collect()
}

fn kayako_readers(readers: Readers) -> (u64, &'static str) {
    match readers {
        Readers::Everybody => (0, "PUBLIC"),
        Readers::Customers => (1, "AUTHORIZED"),
        Readers::Staff => (2, "AGENTS"),
    }
}

pub(super) fn kayako_categories(knowledge: &Knowledge) -> Vec<SeenCategory> {
    let mut places = Vec::new();
    for one in &knowledge.categories {
        let Some(parent) = one.parent else {
            places.push((format!("category-{}", one.id), None, main_name(&one.names)));
            continue;
        };
        for readers in [Readers::Everybody, Readers::Customers, Readers::Staff] {
            let mut articles = knowledge.articles.iter();
            if articles.any(|a| a.category == one.id && a.readers == readers) {
                let id = format!("section-{}", one.id * 10 + kayako_readers(readers).0);
                places.push((
                    id,
                    Some(format!("category-{parent}")),
                    main_name(&one.names),
                ));
            }
        }
    }
    places
}

/// The knowledge base of a Classic: one text, and categories beside the article's own that say who may read it.
pub(super) fn kayako_classic(knowledge: &Knowledge) -> Vec<SeenArticle> {
    let articles = knowledge.articles.iter();
    articles
        .map(|article| {
            let mut seen = seen(
                article,
                article.id.to_string(),
                article.category.to_string(),
            );
            seen.further = match article.readers {
                Readers::Everybody => Vec::new(),
                Readers::Customers => vec![CLASSIC_FOR_USERS.to_owned()],
                Readers::Staff => vec![CLASSIC_FOR_STAFF.to_owned()],
            };
            seen.tags = Vec::new();
            seen.texts.truncate(1);
            for text in &mut seen.texts {
                text.locale = "en-us".to_owned();
                text.slug = text.title.clone();
                (text.state, text.state_raw) = match text.state {
                    TextState::Published => (TextState::Published, "1"),
                    TextState::Draft => (TextState::Draft, "2"),
                    TextState::Archived => (TextState::Draft, "3"),
                };
                text.published = (text.state == TextState::Published).then_some(article.created);
            }
            seen
        })
        .collect()
}

const CLASSIC_FOR_STAFF: &str = "9001";
const CLASSIC_FOR_USERS: &str = "9002";

pub(super) fn kayako_classic_categories(knowledge: &Knowledge) -> Vec<SeenCategory> {
    let more = [
        (CLASSIC_FOR_STAFF, "Internal"),
        (CLASSIC_FOR_USERS, "Customers"),
    ];
    let more = more.map(|(id, name)| (id.to_owned(), None, name.to_owned()));
    let own = knowledge.categories.iter().map(|one| {
        let name = one.names.values().next().cloned().unwrap_or_default();
        let parent = one.parent.map(|parent| parent.to_string());
        (one.id.to_string(), parent, name)
    });
    match knowledge.articles.is_empty() {
        true => own.collect(),
        false => more.into_iter().chain(own).collect(),
    }
}

/// Authors are not told; who logged in is no reader of its own.
pub(super) fn kustomer(knowledge: &Knowledge) -> Vec<SeenArticle> {
    let articles = knowledge.articles.iter();
    articles
        .map(|article| {
            let category = id_of("category", article.category);
            let mut seen = seen(article, id_of("article", article.id), category);
            seen.author = None;
            (seen.readers, seen.readers_raw) = match article.readers {
                Readers::Everybody => (Readers::Everybody, "public"),
                _ => (Readers::Staff, "internal"),
            };
            for text in &mut seen.texts {
                text.state_raw = match text.state {
                    TextState::Draft => "draft",
                    TextState::Published => "published",
                    TextState::Archived => "archived",
                };
            }
            seen
        })
        .collect()
}

pub(super) fn kustomer_categories(knowledge: &Knowledge) -> Vec<SeenCategory> {
    let id = |number| id_of("category", number);
    let all = knowledge.categories.iter();
    all.map(|one| (id(one.id), one.parent.map(id), main_name(&one.names)))
        .collect()
}

/// Who may read cannot be said: what is not for everybody is not there. What is archived is a draft.
pub(super) fn trengo(knowledge: &Knowledge) -> Vec<SeenArticle> {
    let articles = knowledge.articles.iter();
    articles
        .filter(|article| article.readers == Readers::Everybody)
        .map(|article| {
            let category = format!("section-{}", article.category);
            let mut seen = seen(article, article.id.to_string(), category);
            seen.tags = Vec::new();
            for text in &mut seen.texts {
                (text.state, text.state_raw) = match text.state {
                    TextState::Published => (TextState::Published, "PUBLISHED"),
                    _ => (TextState::Draft, "DRAFT"),
                };
                text.url_end = Some(format!("/articles/{}", article.id));
            }
            seen
        })
        .collect()
}

pub(super) fn trengo_categories(knowledge: &Knowledge) -> Vec<SeenCategory> {
    let centres = knowledge.centres.iter();
    let mut places: Vec<SeenCategory> = centres
        .map(|centre| (format!("centre-{}", centre.id), None, centre.name.clone()))
        .collect();
    for one in &knowledge.categories {
        places.push(match one.parent {
            None => {
                let centre = format!("centre-{}", one.centre);
                (
                    format!("category-{}", one.id),
                    Some(centre),
                    main_name(&one.names),
                )
            }
            Some(parent) => {
                let parent = format!("category-{parent}");
                (
                    format!("section-{}", one.id),
                    Some(parent),
                    main_name(&one.names),
                )
            }
        });
    }
    places
}
