//! More of a help centre than a few articles: as many as are wanted, in five languages.

use std::collections::BTreeMap;

use chrono::Duration;

use super::dice::Dice;
use super::files::{FileContent, Look};
use super::knowledge::{
    ArticleText, Knowledge, KnowledgeArticle, KnowledgeCategory, Readers, TextState,
};
use super::model::InlineImage;
use super::people::{epoch, staff};

const LOCALES: [&str; 5] = ["en", "nl", "de", "fr", "es"];
/// Shelves, each with its sections: few enough for one group of data categories.
const SHELVES: u64 = 4;
const SECTIONS: u64 = 5;
/// Numbers of places begin here, beyond those of the small help centre.
const FIRST_PLACE: u64 = 100;
/// Numbers of shelves are so far apart.
const APART: u64 = 20;
const SENTENCES: [&str; 6] = [
    "Switch it off &amp; let it cool down.",
    "Größe, Gewicht und Maße stehen auf der Rückseite.",
    "L’appareil s’éteint après dix minutes.",
    "¿No funciona? Compruebe el enchufe.",
    "Maak de filter elke week schoon.",
    "Turn the wheel until you hear a <b>click</b>.",
];

/// Adds so many articles to the first help centre.
pub(crate) fn stock(seed: u64, articles: u64, knowledge: &mut Knowledge) {
    if articles == 0 {
        return;
    }
    if let Some(centre) = knowledge.centres.first_mut() {
        centre.locales = LOCALES.map(str::to_owned).to_vec();
    }
    for shelf in 0..SHELVES {
        let parent = FIRST_PLACE + shelf * APART;
        knowledge.categories.push(place(parent, None, shelf));
        for section in 1..=SECTIONS {
            knowledge
                .categories
                .push(place(parent + section, Some(parent), section));
        }
    }
    let first = knowledge.articles.last().map_or(1, |last| last.id + 1);
    for id in first..first + articles {
        knowledge.articles.push(article(seed, id, first));
    }
}

fn place(id: u64, parent: Option<u64>, position: u64) -> KnowledgeCategory {
    let word = match parent {
        None => ["Shelf", "Plank", "Regal", "Rayon", "Estante"],
        Some(_) => ["Part", "Deel", "Teil", "Partie", "Parte"],
    };
    let names = LOCALES.iter().zip(word);
    let names: BTreeMap<String, String> = names
        .map(|(locale, word)| ((*locale).to_owned(), format!("{word} {id}")))
        .collect();
    KnowledgeCategory {
        id,
        centre: 1,
        parent,
        names,
        position: i64::try_from(position).unwrap_or(0),
    }
}

fn article(seed: u64, id: u64, first: u64) -> KnowledgeArticle {
    let mut dice = Dice::new(seed, "library", id);
    let (shelf, section) = (dice.below(SHELVES), 1 + dice.below(SECTIONS));
    let category = FIRST_PLACE + shelf * APART + section;
    let created = epoch() + Duration::hours(i64::try_from(id - first).unwrap_or(0));
    let images: Vec<InlineImage> = match dice.one_in(10) {
        true => vec![InlineImage {
            token: format!("kb{id}_{:016x}", dice.next()),
            media_type: "image/png".to_owned(),
            content: FileContent::Made {
                seed: dice.next(),
                look: Look::Png,
                size: 400 + dice.below(2_000),
            },
            lost: false,
        }],
        false => Vec::new(),
    };
    let state = match dice.below(12) {
        0 => TextState::Draft,
        1 => TextState::Archived,
        _ => TextState::Published,
    };
    let linked: Vec<u64> = (0..dice.below(3)).map(|_| 1 + dice.below(id - 1)).collect();
    let languages = 1 + usize::try_from(id % 5).unwrap_or(0);
    let texts = LOCALES.iter().take(languages).map(|locale| {
        let title = format!("{} {id}", dice.pick(&["Steam", "Groß", "Café", "Señal"]));
        ArticleText {
            locale: (*locale).to_owned(),
            html: html(&mut dice, &title, &images, &linked),
            slug: format!("{id}-{locale}"),
            title,
            state,
        }
    });
    let texts = texts.collect();
    KnowledgeArticle {
        id,
        centre: 1,
        category,
        author: Some(*dice.pick(&staff::ACTIVE)),
        // All articles of a place have the same readers.
        readers: match category % 5 {
            0 => Readers::Staff,
            4 => Readers::Customers,
            _ => Readers::Everybody,
        },
        texts,
        tags: match dice.one_in(3) {
            true => vec!["library".to_owned()],
            false => Vec::new(),
        },
        images,
        created,
        updated: created + Duration::hours(i64::try_from(dice.below(2_000)).unwrap_or(0)),
    }
}

fn html(dice: &mut Dice, title: &str, images: &[InlineImage], linked: &[u64]) -> String {
    let mut html = format!("<h2>{title}</h2>");
    for _ in 0..2 + dice.below(6) {
        let sentence = *dice.pick(&SENTENCES);
        html.push_str(&format!("<p>{sentence}</p>"));
    }
    for image in images {
        html.push_str(&format!(
            "<p><img src=\"media:{}\" alt=\"\"></p>",
            image.token
        ));
    }
    for id in linked {
        html.push_str(&format!("<p><a href=\"article:{id}\">See also</a></p>"));
    }
    html
}

#[cfg(test)]
mod tests {
    use super::super::{World, WorldSpec};
    use super::*;

    #[test]
    fn a_library_has_as_many_articles_as_are_wanted_in_five_languages_and_leaves_the_others_alone()
    {
        let small = World::generate(WorldSpec::new(5, 0).knowledge());
        let large = World::generate(WorldSpec::new(5, 0).articles(300));
        let (small, large) = (&small.lists().knowledge, &large.lists().knowledge);
        assert_eq!(large.articles.len(), 300);
        assert_eq!(large.articles[..24], small.articles[..]);
        for languages in 1..=5 {
            let texts = |article: &&KnowledgeArticle| article.texts.len() == languages;
            assert!(large.articles.iter().any(|article| texts(&article)));
        }
        let of_library = &large.articles[24..];
        for article in of_library {
            let place = large
                .categories
                .iter()
                .find(|one| one.id == article.category);
            assert!(
                place.is_some_and(|one| one.parent.is_some()),
                "{}",
                article.id
            );
            for image in &article.images {
                assert_eq!(large.image(&image.token), Some(image));
            }
        }
        assert!(large.categories.len() < 50);
        assert!(of_library.iter().any(|one| !one.images.is_empty()));
    }
}
