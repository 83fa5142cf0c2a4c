//! Help centres: categories, sections, articles (Trengo reference, section 3.10).

use std::collections::BTreeMap;

use deskferry_core::model::{
    Article, ArticleState, Attachment, Category, Named as Meaning, Translation, Visibility,
};
use deskferry_core::{RecordKey, RecordKind};
use serde_json::Value;

use super::{Ground, files, keep};
use crate::wire::{Defect, Moment, Row};

/// A category or section with its names by language.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Named {
    pub(crate) names: BTreeMap<String, String>,
    pub(crate) parent: Option<String>,
    pub(crate) position: i64,
}

/// One text of an article, as a language has it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ArticleText {
    pub(crate) locale: String,
    pub(crate) row: Value,
}

/// The help centre itself: the root of its tree.
pub(crate) fn centre(ground: &Ground, row: Row<'_>) -> Result<Category, Defect> {
    let id = row.id()?;
    let named = Named::default();
    let mut category = category(ground, &format!("centre-{id}"), &named, "");
    category.name = row
        .first_text(&["name", "title", "slug"])
        .unwrap_or_default();
    keep(&mut category.meta, row, &["slug", "domain"]);
    Ok(category)
}

/// A category or section by its id in keys.
pub(crate) fn category(ground: &Ground, id: &str, named: &Named, main: &str) -> Category {
    let name = named
        .names
        .get(main)
        .or_else(|| named.names.values().next());
    Category {
        meta: deskferry_core::model::Meta::new(ground.tenant.key(RecordKind::Category, id)),
        name: name.cloned().unwrap_or_default(),
        names: named.names.clone(),
        parent: named
            .parent
            .as_ref()
            .map(|parent| ground.tenant.key(RecordKind::Category, parent)),
        position: named.position,
        visibility: None,
    }
}

/// Learns the names of categories and their sections in a language. They have numbers of their own each, so the keys tell
/// them apart; an article names a section, or a category where it stands in none.
pub(crate) fn names_of(
    rows: &[Value],
    centre: u64,
    locale: &str,
    known: &mut BTreeMap<String, Named>,
) -> Result<(), Defect> {
    let mut learn = |id: String, parent: String, row: Row<'_>| {
        let one = known.entry(id).or_default();
        one.parent = Some(parent);
        if let Some(place) = row.number("sort_order").or_else(|| row.number("position")) {
            one.position = place;
        }
        if let Some(name) = row.first_text(&["name", "title"]) {
            one.names.insert(locale.to_owned(), name);
        }
    };
    for row in rows.iter().map(Row) {
        let id = row.id()?;
        let key = format!("category-{id}");
        learn(key.clone(), format!("centre-{centre}"), row);
        for section in row.list("sections").into_iter().map(Row) {
            learn(format!("section-{}", section.id()?), key.clone(), section);
        }
    }
    Ok(())
}

/// An article of its texts, the one in the main language first. None where there is no text.
pub(crate) fn article(
    ground: &Ground,
    centre: u64,
    id: u64,
    texts: &[ArticleText],
) -> Result<Option<(Article, Vec<Attachment>)>, Defect> {
    let Some(first) = texts.first() else {
        return Ok(None);
    };
    let main = Row(&first.row);
    let plain = |moment: Option<Moment>| moment.map(Moment::plain);
    let key = ground.key(RecordKind::Article, id);
    let created = plain(main.time("created_at", ground.zone)?);
    let mut latest = None;
    let mut translations = Vec::with_capacity(texts.len());
    for text in texts {
        let row = Row(&text.row);
        let updated = plain(row.time("updated_at", ground.zone)?);
        latest = latest.max(updated);
        translations.push(Translation {
            locale: text.locale.clone(),
            title: row.first_text(&["title", "name"]).unwrap_or_default(),
            summary: row.first_text(&["summary", "description", "excerpt"]),
            html: row
                .first_text(&["content", "body", "html"])
                .unwrap_or_default(),
            state: state(row),
            slug: row.text("slug"),
            url: row.first_text(&["url", "public_url"]),
            updated_at: updated,
            published_at: plain(row.time("published_at", ground.zone)?),
        });
    }
    let bodies: Vec<&str> = translations.iter().map(|text| text.html.as_str()).collect();
    let (attachments, shown) = files::of_article(ground, &key, created, &bodies);
    let meta = ground.meta(
        key,
        &format!("api/v2/help_center/{centre}/articles/{id}"),
        created,
        latest,
    );
    let author = main.object("author").or_else(|| main.object("user"));
    let author = author
        .and_then(|author| author.id().ok())
        .or_else(|| main.reference("author_id"))
        .or_else(|| main.reference("user_id"));
    let article = Article {
        meta,
        categories: places(ground, main).into_iter().collect(),
        author: author.map(|id| ground.key(RecordKind::Agent, id)),
        visibility: visibility(main),
        translations,
        tags: main
            .list("tags")
            .into_iter()
            .filter_map(|tag| crate::wire::text(tag).or_else(|| Row(tag).text("name")))
            .collect(),
        files: shown,
    };
    Ok(Some((article, attachments)))
}

/// Where an article stands: its section, else its category.
fn places(ground: &Ground, row: Row<'_>) -> Option<RecordKey> {
    let of = |name: &str| {
        let id = row
            .object(name)
            .and_then(|place| place.id().ok())
            .or_else(|| row.reference(&format!("{name}_id")))?;
        Some(
            ground
                .tenant
                .key(RecordKind::Category, format!("{name}-{id}")),
        )
    };
    of("section").or_else(|| of("category"))
}

/// What nobody calls published is a draft: nothing becomes public by guessing.
fn state(row: Row<'_>) -> Meaning<ArticleState> {
    let raw = row
        .first_text(&["status", "state"])
        .or_else(|| {
            row.flag("published")
                .map(|yes| if yes { "published" } else { "draft" }.to_owned())
        })
        .unwrap_or_default();
    let is = match raw.to_ascii_lowercase().as_str() {
        "published" | "public" => ArticleState::Published,
        "archived" => ArticleState::Archived,
        _ => ArticleState::Draft,
    };
    Meaning::new(is, raw)
}

/// Help centres are public, unless a row says otherwise in any way.
fn visibility(row: Row<'_>) -> Meaning<Visibility> {
    let word = row.text("visibility").unwrap_or_default();
    let private = row.flag("is_private") == Some(true) || row.flag("private") == Some(true);
    let is = match word.to_ascii_lowercase().as_str() {
        _ if private => Visibility::Internal,
        "" | "public" | "everyone" | "everybody" => Visibility::Public,
        "customers" | "logged_in" => Visibility::Customers,
        _ => Visibility::Internal,
    };
    Meaning::new(is, word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nothing_becomes_public_by_guessing() {
        for (row, is) in [
            (json!({"status": "PUBLISHED"}), ArticleState::Published),
            (json!({"status": "draft"}), ArticleState::Draft),
            (json!({"published": 1}), ArticleState::Published),
            (json!({"published": false}), ArticleState::Draft),
            (json!({"status": "unheard_of"}), ArticleState::Draft),
            (json!({}), ArticleState::Draft),
        ] {
            assert_eq!(state(Row(&row)).is, is, "{row}");
        }
        for (row, is) in [
            (json!({}), Visibility::Public),
            (json!({"is_private": "1"}), Visibility::Internal),
            (json!({"visibility": "agents"}), Visibility::Internal),
        ] {
            assert_eq!(visibility(Row(&row)).is, is, "{row}");
        }
    }
}
