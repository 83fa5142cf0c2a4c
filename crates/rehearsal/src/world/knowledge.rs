//! Help centres: a tree of categories, and articles in several languages. Belongs to no platform.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};

use super::dice::Dice;
use super::files::{FileContent, Look};
use super::model::InlineImage;
use super::people::{epoch, staff};

/// What a helpdesk tells those who look for themselves.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Knowledge {
    /// Help centres by number.
    pub centres: Vec<HelpCentre>,
    /// Categories of all of them by number; a category comes after its parent.
    pub categories: Vec<KnowledgeCategory>,
    /// Articles by number.
    pub articles: Vec<KnowledgeArticle>,
}

/// A help centre.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HelpCentre {
    /// Number, unique among help centres.
    pub id: u64,
    /// Name.
    pub name: String,
    /// The last part of its address.
    pub slug: String,
    /// Its languages, main one first.
    pub locales: Vec<String>,
}

/// A place in the tree of a help centre.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnowledgeCategory {
    /// Number, unique among categories.
    pub id: u64,
    /// The help centre, by number.
    pub centre: u64,
    /// The category that it stands in, by number.
    pub parent: Option<u64>,
    /// Its names by language; one in the main language is always there.
    pub names: BTreeMap<String, String>,
    /// Orders categories of one parent.
    pub position: i64,
}

/// Who may read an article.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Readers {
    /// Everybody.
    Everybody,
    /// Customers who logged in.
    Customers,
    /// Staff alone.
    Staff,
}

/// Where a text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TextState {
    /// Not to be read yet.
    Draft,
    /// To be read.
    Published,
    /// No longer to be read.
    Archived,
}

/// An article with its texts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KnowledgeArticle {
    /// Number, unique among articles.
    pub id: u64,
    /// The help centre, by number.
    pub centre: u64,
    /// The category that it stands in, by number.
    pub category: u64,
    /// The member of staff who wrote it.
    pub author: Option<u64>,
    /// Who may read it.
    pub readers: Readers,
    /// Its texts, the one in the main language first.
    pub texts: Vec<ArticleText>,
    /// Labels.
    pub tags: Vec<String>,
    /// Pictures that its HTML shows as `media:<token>`, each token once.
    pub images: Vec<InlineImage>,
    /// Time of creation.
    pub created: DateTime<Utc>,
    /// Time of the last change.
    pub updated: DateTime<Utc>,
}

/// The text of an article in one language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArticleText {
    /// The language.
    pub locale: String,
    /// Title.
    pub title: String,
    /// Text; other articles are linked as `article:<number>`, pictures shown as `media:<token>`.
    pub html: String,
    /// Where it stands.
    pub state: TextState,
    /// The last part of its address.
    pub slug: String,
}

impl Knowledge {
    /// A picture of an article by its token.
    pub fn image(&self, token: &str) -> Option<&InlineImage> {
        // Tokens of made articles begin with their number.
        let numbered = || token.strip_prefix("kb")?.split_once('_')?.0.parse().ok();
        let article = |id: u64| {
            let place = self.articles.binary_search_by_key(&id, |one| one.id).ok()?;
            let mut images = self.articles[place].images.iter();
            images.find(|image| image.token == token)
        };
        if let Some(image) = numbered().and_then(article) {
            return Some(image);
        }
        let images = self.articles.iter().flat_map(|article| &article.images);
        images.into_iter().find(|image| image.token == token)
    }
}

const LOCALES: [&str; 3] = ["en", "nl", "de"];
/// Names of categories in the three languages, and of what stands in them.
const TREE: [([&str; 3], [[&str; 3]; 2]); 3] = [
    (
        ["Getting started", "Aan de slag", "Erste Schritte"],
        [
            ["Unpacking", "Uitpakken", "Auspacken"],
            ["First use", "Eerste gebruik", "Inbetriebnahme"],
        ],
    ),
    (
        ["Care & repair", "Onderhoud", "Pflege & Reparatur"],
        [
            ["Cleaning", "Schoonmaken", "Reinigung"],
            ["Spare parts", "Onderdelen", "Ersatzteile"],
        ],
    ),
    (
        ["Orders", "Bestellingen", "Bestellungen"],
        [
            ["Delivery", "Levering", "Lieferung"],
            ["Returns", "Retour", "Rücksendung"],
        ],
    ),
];
/// Articles of each section.
const EACH: u64 = 4;

/// A help centre with three categories, two sections in each, and four articles in each section: in one to three languages,
/// drafts among them, archived ones, ones for staff alone, pictures, and links from one to the next.
pub(crate) fn made(seed: u64) -> Knowledge {
    let mut knowledge = Knowledge {
        centres: vec![HelpCentre {
            id: 1,
            name: "Acme Help".to_owned(),
            slug: "acme".to_owned(),
            locales: LOCALES.map(str::to_owned).to_vec(),
        }],
        ..Knowledge::default()
    };
    for (place, (name, sections)) in (1_u64..).zip(TREE) {
        let parent = place * 10;
        knowledge
            .categories
            .push(category(parent, None, name, place));
        for (below, name) in (1_u64..).zip(sections) {
            let id = parent + below;
            knowledge
                .categories
                .push(category(id, Some(parent), name, below));
            for index in 0..EACH {
                let number = knowledge.articles.len() as u64 + 1;
                knowledge
                    .articles
                    .push(article(seed, number, id, index, name));
            }
        }
    }
    knowledge
}

fn category(id: u64, parent: Option<u64>, names: [&str; 3], place: u64) -> KnowledgeCategory {
    // One section has no name in the third language.
    let known = LOCALES.iter().zip(names).take(if id == 22 { 2 } else { 3 });
    KnowledgeCategory {
        id,
        centre: 1,
        parent,
        names: known
            .map(|(locale, name)| ((*locale).to_owned(), name.to_owned()))
            .collect(),
        position: i64::try_from(place).unwrap_or(0),
    }
}

fn article(seed: u64, id: u64, category: u64, index: u64, section: [&str; 3]) -> KnowledgeArticle {
    let mut dice = Dice::new(seed, "knowledge", id);
    let created = epoch() + Duration::days(i64::try_from(id).unwrap_or(0));
    let languages = 1 + usize::try_from((id + 2) % 3).unwrap_or(0);
    let images = match index {
        0 => vec![InlineImage {
            token: format!("kb{id}_{:016x}", dice.next()),
            media_type: "image/png".to_owned(),
            content: FileContent::Made {
                seed: dice.next(),
                look: Look::Png,
                size: 400 + dice.below(2_000),
            },
            lost: false,
        }],
        _ => Vec::new(),
    };
    let texts = LOCALES.iter().zip(section).take(languages).zip(0_u64..);
    let texts = texts
        .map(|((locale, section), place)| {
            let state = match (index, place) {
                (1, _) => TextState::Draft,
                // The translation of something published may be unfinished.
                (2, 2) => TextState::Draft,
                (3, _) if id.is_multiple_of(8) => TextState::Archived,
                _ => TextState::Published,
            };
            let title = format!("{section} {} — {}", index + 1, locale.to_uppercase());
            ArticleText {
                locale: (*locale).to_owned(),
                html: text(id, &title, &images),
                slug: format!("{id}-{locale}-{}", index + 1),
                title,
                state,
            }
        })
        .collect();
    KnowledgeArticle {
        id,
        centre: 1,
        category,
        author: Some(staff::ACTIVE[usize::try_from(id % 5).unwrap_or(0)]),
        readers: match id % 9 {
            0 => Readers::Staff,
            4 => Readers::Customers,
            _ => Readers::Everybody,
        },
        texts,
        tags: match id % 4 {
            0 => vec!["how-to".to_owned()],
            _ => Vec::new(),
        },
        images,
        created,
        updated: created + Duration::hours(i64::try_from(dice.below(2_000)).unwrap_or(0)),
    }
}

fn text(id: u64, title: &str, images: &[InlineImage]) -> String {
    let pictures: String = images
        .iter()
        .map(|image| format!("<p><img src=\"media:{}\" alt=\"\"></p>", image.token))
        .collect();
    let before = match id {
        0 | 1 => String::new(),
        id => format!("<p><a href=\"article:{}\">Read this first</a></p>", id - 1),
    };
    format!(
        "<h1>{title}</h1><p>Take your time &amp; read on.</p>{pictures}<ul><li>One</li><li>Two</li></ul>{before}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_reader_and_number_of_languages_is_met() {
        let knowledge = made(1);
        assert_eq!(
            (knowledge.categories.len(), knowledge.articles.len()),
            (9, 24)
        );
        let texts = || knowledge.articles.iter().flat_map(|article| &article.texts);
        for state in [TextState::Draft, TextState::Published, TextState::Archived] {
            assert!(texts().any(|text| text.state == state), "{state:?}");
        }
        for readers in [Readers::Everybody, Readers::Customers, Readers::Staff] {
            assert!(
                knowledge
                    .articles
                    .iter()
                    .any(|article| article.readers == readers)
            );
        }
        for languages in 1..=3 {
            assert!(
                knowledge
                    .articles
                    .iter()
                    .any(|article| article.texts.len() == languages)
            );
        }
        for article in &knowledge.articles {
            assert!(
                knowledge
                    .categories
                    .iter()
                    .any(|c| c.id == article.category && c.parent.is_some())
            );
            for image in &article.images {
                assert_eq!(knowledge.image(&image.token), Some(image));
            }
        }
        assert_eq!(made(1), knowledge);
        assert_ne!(made(2), knowledge);
    }
}
