//! Articles and categories of knowledge bases (Kustomer reference, section 3.11).

use std::collections::{BTreeMap, BTreeSet};

use deskferry_core::RecordKind;
use deskferry_core::model::{
    Article, ArticleState, Attachment, Category, MessageFile, Meta, Named, Translation, Visibility,
};
use serde_json::Value;

use super::{Ground, keep};
use crate::wire::{Defect, Row, ids_in, parse_time, text_of};

/// The languages that categories name.
pub(crate) fn languages(categories: &[Row]) -> BTreeSet<String> {
    let all = categories
        .iter()
        .filter_map(|row| row.value("langs")?.as_object());
    all.flat_map(|langs| langs.keys().cloned()).collect()
}

/// All categories, parents before what stands in them. Which one stands in which is told by the parent's ordered children.
pub(crate) fn categories(ground: &Ground<'_>, rows: &[Row]) -> Vec<Result<Category, Defect>> {
    let mut places: BTreeMap<&str, (&str, i64)> = BTreeMap::new();
    for row in rows {
        for (position, child) in (0..).zip(ids_in(row.list("categoryPositions"))) {
            places.entry(child).or_insert((row.id(), position));
        }
    }
    let depth = |row: &Row| {
        let (mut at, mut steps) = (row.id(), 0);
        while let Some((parent, _)) = places.get(at) {
            at = parent;
            steps += 1;
            // A circle has no depth.
            if steps > rows.len() {
                break;
            }
        }
        steps
    };
    let mut sorted: Vec<&Row> = rows.iter().collect();
    sorted.sort_by_key(|row| depth(row));
    sorted
        .into_iter()
        .map(|row| category(ground, row, places.get(row.id()).copied()))
        .collect()
}

fn category(
    ground: &Ground<'_>,
    row: &Row,
    place: Option<(&str, i64)>,
) -> Result<Category, Defect> {
    let mut meta = ground.meta(RecordKind::Category, row, "kb_category")?;
    keep(
        &mut meta.custom,
        row,
        &["hash", "root", "knowledgeBase", "deleted"],
    );
    let langs = row.value("langs").and_then(Value::as_object);
    let names: BTreeMap<String, String> = langs
        .into_iter()
        .flatten()
        .filter_map(|(lang, one)| Some((lang.clone(), text_of(one.get("title")?)?.to_owned())))
        .collect();
    let name = row
        .text("title")
        .or_else(|| names.values().next().map(String::as_str))
        .unwrap_or_default()
        .to_owned();
    Ok(Category {
        meta,
        name,
        names,
        parent: place.map(|(parent, _)| ground.key(RecordKind::Category, parent)),
        position: place.map_or(0, |(_, position)| position),
        visibility: row
            .value("published")
            .and_then(Value::as_bool)
            .map(|shown| match shown {
                true => Named::new(Visibility::Public, "published"),
                false => Named::new(Visibility::Internal, "unpublished"),
            }),
    })
}

/// The languages of an article whose text does not stand in its rows: it was never published, or came as a number alone.
pub(crate) fn elsewhere(rows: &[&Row]) -> BTreeSet<String> {
    let series = rows
        .iter()
        .filter_map(|row| row.value("langVersions")?.as_object());
    let without = series.flatten().filter(|(_, one)| {
        let version = one.pointer("/currentVersion/id");
        !version.is_some_and(Value::is_object)
    });
    without.map(|(lang, _)| lang.clone()).collect()
}

/// Of all versions of a text the one that was changed last, as an article's own row would have it.
pub(crate) fn latest(versions: &[Row]) -> Option<Value> {
    const MEMBERS: [&str; 7] = [
        "title",
        "slug",
        "htmlBody",
        "metaDescription",
        "status",
        "createdAt",
        "updatedAt",
    ];
    let at = |row: &Row| {
        let time = |name: &str| row.time(name).ok().flatten();
        time("updatedAt").or_else(|| time("createdAt"))
    };
    let last = versions.iter().max_by_key(|row| at(row))?;
    let known = MEMBERS.into_iter();
    let known = known.filter_map(|name| Some((name.to_owned(), last.value(name)?.clone())));
    Some(Value::Object(known.collect()))
}

/// An article out of its rows, one per language, with the pictures of its texts. `beside`: texts that do not stand in the rows.
pub(crate) fn article(
    ground: &Ground<'_>,
    rows: &[&Row],
    beside: &BTreeMap<String, Value>,
) -> Result<(Article, Vec<Attachment>), Defect> {
    let first = rows.first().ok_or_else(|| Defect {
        path: "data".to_owned(),
        reason: "an article without a row".to_owned(),
    })?;
    let mut meta = ground.meta(RecordKind::Article, first, "kb_article")?;
    keep(
        &mut meta.custom,
        first,
        &[
            "hash",
            "metaTitle",
            "metaDescription",
            "metaKeywords",
            "knowledgeBases",
            "deleted",
        ],
    );
    let scope = first.text("scope").unwrap_or_default();
    let visibility = match scope {
        "public" => Visibility::Public,
        _ => Visibility::Internal,
    };
    let main = first.text("source").unwrap_or_default();
    let mut translations = BTreeMap::new();
    for row in rows {
        let versions = row.value("langVersions").and_then(Value::as_object);
        for (lang, one) in versions.into_iter().flatten() {
            // With its text the id is the version itself; without, an id, or null where nothing was ever published.
            let version = one.pointer("/currentVersion/id").filter(|v| v.is_object());
            if let Some(version) = version {
                translations.insert(lang.clone(), translation(lang, version, row));
            }
        }
    }
    for (lang, version) in beside {
        let made = || translation(lang, version, first);
        translations.entry(lang.clone()).or_insert_with(made);
    }
    let mut translations: Vec<Translation> = translations.into_values().collect();
    translations.sort_by_key(|one| one.locale != main);
    let (pictures, files) = pictures(ground, &meta, &translations);
    let article = Article {
        categories: ids_in(first.list("categories"))
            .map(|id| ground.key(RecordKind::Category, id))
            .collect(),
        author: first
            .related("createdBy")
            .map(|id| ground.key(RecordKind::Agent, id)),
        visibility: Named::new(visibility, scope),
        translations,
        tags: ground.names.tags(first.texts("tags")),
        files,
        meta,
    };
    Ok((article, pictures))
}

/// Pictures that the texts of an article show and the platform keeps: each once, and under every address by which it is shown.
fn pictures(
    ground: &Ground<'_>,
    article: &Meta,
    texts: &[Translation],
) -> (Vec<Attachment>, Vec<MessageFile>) {
    let (mut records, mut shown): (Vec<Attachment>, Vec<MessageFile>) = Default::default();
    for (media, address) in texts.iter().flat_map(|text| media(&text.html)) {
        let id = format!("article-{}-media-{media}", article.key.id());
        let key = ground.key(RecordKind::Attachment, &id);
        if !records.iter().any(|record| record.meta.key == key) {
            records.push(super::files::picture(key.clone(), article, media, address));
        }
        if !shown
            .iter()
            .any(|file| file.shown_as.as_deref() == Some(address))
        {
            shown.push(MessageFile {
                key,
                name: String::new(),
                shown_as: Some(address.to_owned()),
            });
        }
    }
    (records, shown)
}

/// Ids and addresses of pictures: tags that bear `data-media-id` and `src`.
fn media(html: &str) -> impl Iterator<Item = (&str, &str)> {
    let tags = html.split('<').filter_map(|rest| rest.split('>').next());
    let of = |tag: &'_ str, name: &str| -> Option<std::ops::Range<usize>> {
        let begin = tag.find(&format!("{name}=\""))? + name.len() + 2;
        let end = begin + tag.get(begin..)?.find('"')?;
        Some(begin..end)
    };
    tags.filter_map(move |tag| {
        let id = tag.get(of(tag, "data-media-id")?)?;
        let address = tag.get(of(tag, " src")?)?;
        (!id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric())).then_some((id, address))
    })
}

fn translation(lang: &str, version: &Value, row: &Row) -> Translation {
    let text = |name: &str| version.get(name).and_then(text_of).map(str::to_owned);
    let status = text("status").or_else(|| row.text("status").map(str::to_owned));
    let status = status.unwrap_or_default();
    let state = match status.as_str() {
        "published" => ArticleState::Published,
        "draft" => ArticleState::Draft,
        "archived" => ArticleState::Archived,
        _ => ArticleState::Other,
    };
    let at = |name: &str| {
        version
            .get(name)
            .and_then(Value::as_str)
            .and_then(parse_time)
    };
    Translation {
        locale: lang.to_owned(),
        title: text("title")
            .or_else(|| row.text("title").map(str::to_owned))
            .unwrap_or_default(),
        summary: text("metaDescription"),
        html: text("htmlBody").unwrap_or_default(),
        state: Named::new(state, status),
        slug: text("slug"),
        url: None,
        updated_at: at("updatedAt"),
        published_at: row.time("publishedAt").ok().flatten(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_that_the_platform_keeps_are_known_by_their_ids_alone() {
        let html = r#"<p>a > b</p><img src="https://m.example/1.png?a=1&amp;b=2" data-media-id="5fa1" alt="">
            <img data-media-id="5fa2" src="/x"><img src="https://others.example/pixel.gif"><img data-media-id="../etc" src="/y">"#;
        let found: Vec<_> = media(html).collect();
        assert_eq!(
            found,
            [
                ("5fa1", "https://m.example/1.png?a=1&amp;b=2"),
                ("5fa2", "/x")
            ]
        );
    }
}
