//! The knowledge base and configuration (Kustomer reference, sections 3.8 and 3.11 to 3.15).

use serde_json::{Map, Value, json};

use super::desk::Desk;
use super::ids::{Of, id};
use super::render::{org, time};
use crate::world::{ArticleText, InlineImage, KnowledgeArticle, Readers, TextState};

pub(super) fn categories(desk: &Desk) -> Vec<Value> {
    let knowledge = &desk.lists.knowledge;
    let rows = knowledge.categories.iter();
    rows.map(|one| {
        let langs: Map<String, Value> = one
            .names
            .iter()
            .map(|(lang, title)| (lang.clone(), json!({"title": title, "slug": format!("c-{}", one.id), "disabled": false})))
            .collect();
        let mut children: Vec<_> = knowledge
            .categories
            .iter()
            .filter(|child| child.parent == Some(one.id))
            .collect();
        children.sort_by_key(|child| child.position);
        let children = children.into_iter().map(|child| id(Of::Category, child.id));
        json!({
            "type": "kb_category", "id": id(Of::Category, one.id), "relationships": {"org": org()},
            "attributes": {"langs": langs, "root": one.parent.is_none(), "published": true, "categoryPositions": children.collect::<Vec<_>>()},
        })
    })
    .collect()
}

/// Pictures are numbered by article.
const PICTURES_PER_ARTICLE: u64 = 64;

/// The HTML as it is shown: pictures by addresses of a host of their own, with their ids beside.
fn shown(article: &KnowledgeArticle, html: &str) -> String {
    let pictures = (0..).zip(&article.images);
    pictures.fold(html.to_owned(), |html, (n, picture)| {
        let media = id(Of::Media, article.id * PICTURES_PER_ARTICLE + n);
        let address = format!(
            "\"https://media.kustomer.example/{}.png\" data-media-id=\"{media}\"",
            picture.token
        );
        html.replace(&format!("\"media:{}\"", picture.token), &address)
    })
}

/// A picture of an article by its number.
pub(super) fn picture(desk: &Desk, number: u64) -> Option<&InlineImage> {
    let mut articles = desk.lists.knowledge.articles.iter();
    let article = articles.find(|one| one.id == number / PICTURES_PER_ARTICLE)?;
    let n = usize::try_from(number % PICTURES_PER_ARTICLE).ok()?;
    article.images.get(n)
}

/// All articles, with the text in one language where they have one. A language has a series of versions as soon as somebody
/// wrote in it; what was never published stands in these alone.
pub(super) fn articles(desk: &Desk, language: &str, body: bool) -> Vec<Value> {
    let rows = desk.lists.knowledge.articles.iter();
    rows.map(|one| {
        let main = one.texts.first();
        let text = one.texts.iter().find(|text| text.locale == language);
        let versions: Map<String, Value> = text
            .map(|text| {
                let current = match (text.state, body) {
                    (TextState::Draft, _) => Value::Null,
                    (_, true) => json!({"id": version(one, text, true)}),
                    (_, false) => json!({"id": version_id(one, language, 2)}),
                };
                (language.to_owned(), json!({ "currentVersion": current }))
            })
            .into_iter()
            .collect();
        json!({
            "type": "kb_article", "id": id(Of::Article, one.id),
            "attributes": {
                "title": main.map(|text| text.title.clone()), "source": main.map(|text| text.locale.clone()), "hash": format!("h{}", one.id),
                "status": main.map(|text| status(text.state)), "scope": if one.readers == Readers::Everybody { "public" } else { "internal" },
                "categories": [{"id": id(Of::Category, one.category), "knowledgeBase": one.centre.to_string()}], "tags": one.tags,
                "langVersions": versions, "deleted": false, "createdAt": time(one.created), "updatedAt": time(one.updated),
            },
            "relationships": {"org": org()},
        })
    })
    .collect()
}

/// All versions of an article in one language, the first one first.
pub(super) fn versions(desk: &Desk, article: u64, language: &str) -> Option<Vec<Value>> {
    let mut articles = desk.lists.knowledge.articles.iter();
    let article = articles.find(|one| one.id == article)?;
    let texts = article.texts.iter().filter(|text| text.locale == language);
    let both = texts.flat_map(|text| {
        [false, true].map(|current| {
            let mut attributes = version(article, text, current);
            let id = attributes["_id"].take();
            json!({"type": "kb_article_version", "id": id, "attributes": attributes, "relationships": {"org": org()}})
        })
    });
    Some(both.collect())
}

fn status(state: TextState) -> &'static str {
    match state {
        TextState::Draft => "draft",
        TextState::Published => "published",
        TextState::Archived => "archived",
    }
}

fn version_id(article: &KnowledgeArticle, language: &str, number: u8) -> String {
    format!("{}-{language}-{number}", id(Of::Article, article.id))
}

/// What stands in a language now, or what stood there first.
fn version(article: &KnowledgeArticle, text: &ArticleText, current: bool) -> Value {
    let html = match current {
        true => shown(article, &text.html),
        false => "<p>As it was begun.</p>".to_owned(),
    };
    let at = if current {
        article.updated
    } else {
        article.created
    };
    json!({
        "_id": version_id(article, &text.locale, 1 + u8::from(current)), "slug": text.slug, "title": text.title, "htmlBody": html,
        "status": status(text.state), "createdAt": time(at), "updatedAt": time(at),
    })
}

fn setting(number: u64, kind: &str, attributes: Value) -> Value {
    json!({
        "type": kind, "id": id(Of::Setting, number), "attributes": attributes, "relationships": {"org": org()},
        "links": {"self": format!("/v1/{kind}s/{}", id(Of::Setting, number))},
    })
}

pub(super) fn slas() -> Vec<Value> {
    let mut sla = setting(
        1,
        "sla",
        json!({"currentVersion": 1, "createdAt": "2020-01-01T00:00:00.000Z"}),
    );
    sla["relationships"]["versions"] =
        json!({"data": [{"type": "sla_version", "id": id(Of::Setting, 2)}]});
    vec![sla]
}

/// A single object where a list belongs, as in the vendor's example.
pub(super) fn sla_versions() -> Value {
    setting(
        2,
        "sla_version",
        json!({
            "name": "Mails within a day", "version": 1, "hours": "calendar",
            "metrics": {"firstResponse": {"enabled": true, "times": {"3": 86_400_000}}},
            "criteria": {"and": [{"conversation_channels": {"equals": "email"}}]},
        }),
    )
}

/// The rows of a list of configuration; none for a path that is no such list.
pub(super) fn configuration(desk: &Desk, path: &str) -> Option<Vec<Value>> {
    Some(match path {
        "routing/queues" => vec![setting(
            3,
            "queue",
            json!({"name": "DEFAULT_QUEUE", "system": true, "key": "default"}),
        )],
        "schedules" => vec![setting(
            4,
            "schedule",
            json!({"name": "Office hours", "timezone": "Europe/Vienna", "default": true, "hours": {"0": null, "1": [[480, 1020]]}}),
        )],
        "workflows" => vec![setting(
            5,
            "workflow",
            json!({
                "name": "Tell the shop", "enabled": true, "trigger": {"eventName": "kustomer.conversation.update"},
                "steps": [{"id": "a", "action": "kustomer.rest.post", "params": {"headers": {"Authorization": "Bearer workflow-canary"}}}],
            }),
        )],
        "shortcuts" => vec![setting(
            6,
            "shortcut",
            json!({"name": "Thanks", "draft": {"text": "Thank you!"}, "conversation": {"tags": []}, "isPrivate": false}),
        )],
        "outboundAccounts" => {
            let account = |channel: &str, name: &str| json!({"type": "outbound_account", "attributes": {"channel": channel, "name": name, "account": name}});
            let mailboxes = desk.lists.mailboxes.iter();
            let mut all: Vec<Value> = mailboxes
                .map(|one| account("email", &one.address))
                .collect();
            all.extend([
                account("whatsapp", "+15550100"),
                account("acme-kiosk", "Lobby"),
            ]);
            all
        }
        "satisfaction" => vec![setting(
            7,
            "satisfaction",
            json!({"name": "How was it?", "formType": "csat", "enabled": true, "channel": "email"}),
        )],
        "brands" => vec![setting(
            8,
            "brand",
            json!({"name": "Acme", "default": true}),
        )],
        "hooks/email" => vec![setting(
            9,
            "hook",
            json!({"title": "Inbound mail", "email": "in@acme.example", "hash": "hook-canary"}),
        )],
        "routing/queue-rules" | "customers/searches" | "hooks/web" => Vec::new(),
        _ => return None,
    })
}
