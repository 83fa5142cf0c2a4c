//! Help centres as Trengo writes them, and what else people set up there (Trengo reference, sections 3.9 and 3.10).

use serde_json::{Value, json};

use super::clock::written;
use super::desk::Desk;
use super::hooks;
use crate::world::{ArticleText, HelpCentre, KnowledgeArticle, Readers, TextState};

pub(super) fn centres(desk: &Desk) -> Vec<Value> {
    desk.lists.knowledge.centres.iter().map(centre).collect()
}

fn centre(centre: &HelpCentre) -> Value {
    json!({
        "id": centre.id, "name": centre.name, "slug": centre.slug, "domain": null, "locales": centre.locales,
        "default_locale": centre.locales.first(), "is_public": true,
    })
}

/// Categories with their sections, in a language where they have it.
pub(super) fn categories(desk: &Desk, centre: u64, locale: &str) -> Vec<Value> {
    let all = || {
        let categories = desk.lists.knowledge.categories.iter();
        categories.filter(move |category| category.centre == centre)
    };
    all()
        .filter(|category| category.parent.is_none())
        .map(|category| {
            let sections: Vec<Value> = all()
                .filter(|section| section.parent == Some(category.id))
                .map(|section| json!({"id": section.id, "name": section.names.get(locale), "sort_order": section.position}))
                .collect();
            json!({
                "id": category.id, "name": category.names.get(locale), "help_center_id": centre, "sort_order": category.position,
                "sections": sections,
            })
        })
        .collect()
}

/// Articles that are there at all: who may read them cannot be said, so what is not for everybody is not in it.
fn articles(desk: &Desk, centre: u64) -> impl Iterator<Item = &KnowledgeArticle> {
    let articles = desk.lists.knowledge.articles.iter();
    articles
        .filter(move |article| article.centre == centre && article.readers == Readers::Everybody)
}

/// Articles in a language, without their text.
pub(super) fn listed(desk: &Desk, centre: u64, locale: &str, filter: Option<&str>) -> Vec<Value> {
    articles(desk, centre)
        .filter_map(|article| Some((article, text_in(article, locale)?)))
        .filter(|(_, text)| match filter {
            Some("draft") => text.state != TextState::Published,
            Some("published") => text.state == TextState::Published,
            _ => true,
        })
        .map(|(article, text)| row(article, text))
        .collect()
}

/// An article in a language, with its text.
pub(super) fn article(
    desk: &Desk,
    base: &str,
    centre: u64,
    id: u64,
    locale: &str,
) -> Option<Value> {
    let article = articles(desk, centre).find(|article| article.id == id)?;
    let text = text_in(article, locale)?;
    let mut html = text.html.clone();
    for image in &article.images {
        let address = format!("{base}/media/url/{}", image.token);
        html = html.replace(&format!("media:{}", image.token), &address);
    }
    let slug = &desk
        .lists
        .knowledge
        .centres
        .iter()
        .find(|one| one.id == centre)?
        .slug;
    html = html.replace("article:", &format!("https://{slug}.trengo.help/articles/"));
    let mut row = row(article, text);
    row["content"] = json!(html);
    Some(row)
}

fn text_in<'a>(article: &'a KnowledgeArticle, locale: &str) -> Option<&'a ArticleText> {
    article.texts.iter().find(|text| text.locale == locale)
}

fn row(article: &KnowledgeArticle, text: &ArticleText) -> Value {
    json!({
        "id": article.id, "title": text.title, "slug": text.slug, "locale": text.locale, "section_id": article.category,
        "status": match text.state { TextState::Published => "PUBLISHED", TextState::Draft | TextState::Archived => "DRAFT" },
        "author": article.author.map(|id| json!({"id": id})), "created_at": written(article.created), "updated_at": written(article.updated),
    })
}

pub(super) fn blocks(centre: u64) -> Vec<Value> {
    vec![json!({"id": centre * 100, "name": "Contact us", "type": "contact"})]
}

pub(super) fn quick_replies(kind: Option<&str>) -> Vec<Value> {
    let all = [
        (1, "Thanks", "<p>Thank you for your mail.</p>", "EMAIL"),
        (2, "On its way", "Your parcel is on its way.", "MESSAGING"),
    ];
    all.iter()
        .filter(|(.., of)| kind.is_none_or(|kind| kind == *of))
        .map(|(id, title, message, kind)| json!({"id": id, "title": title, "message": message, "type": kind, "attachments": []}))
        .collect()
}

pub(super) fn webhooks() -> Vec<Value> {
    vec![json!({
        "id": 1, "title": "To the shop", "url": "https://shop.acme.example/hooks/trengo", "type": "INBOUND",
        "signing_secret": hooks::SECRET,
    })]
}

pub(super) fn templates() -> Vec<Value> {
    vec![
        json!({"id": 1, "title": "order_update", "message": "Your order {{1}} was sent.", "status": "ACCEPTED"}),
    ]
}
