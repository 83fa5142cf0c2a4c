//! The steps of an article's life: publication, translation, archive, deletion.

use serde_json::{Value, json};

use super::write::{is, status, text};
use super::{ARTICLE, VERSION};
use crate::org::engine::Ctx;
use crate::org::error::Refusal;
use crate::org::rest::{Reply, Request};
use crate::org::store::{self, Fields, Row};
use crate::org::values::date_time_text;
use crate::org::write::delete;

/// What the platform says of a step that an article cannot take.
const NOT_NOW: &str = "You can't perform this action. Be sure the action is valid for the current state of the article, and \
                       that you have permission to perform it.";

/// A step that an article did not take: the sentence.
pub(super) type Missed = String;

fn broken(refusal: Refusal) -> Missed {
    refusal.message
}

/// A version by its id.
fn version(ctx: &Ctx<'_>, id: &str) -> Result<Row, Missed> {
    match ctx.row(id).map_err(broken)? {
        Some((object, row)) if object.name == VERSION => Ok(row),
        _ => Err(NOT_NOW.to_owned()),
    }
}

/// All versions of an article.
fn versions(ctx: &Ctx<'_>, article: &str) -> Result<Vec<Row>, Missed> {
    let of = || -> Result<Vec<Row>, Refusal> {
        let object = ctx.object(VERSION)?;
        let mut rows = Vec::new();
        for number in ctx.pointing(VERSION, "KnowledgeArticleId", article)? {
            rows.extend(store::get(ctx.db, object, number)?);
        }
        Ok(rows)
    };
    of().map_err(broken)
}

fn change(ctx: &Ctx<'_>, row: &Row, values: &[(&str, Value)]) -> Result<(), Missed> {
    let write = || -> Result<(), Refusal> {
        let mut fields = row.fields.clone();
        for (name, value) in values {
            fields.insert((*name).to_owned(), value.clone());
        }
        let now = json!(date_time_text(ctx.now));
        fields.insert("LastModifiedDate".into(), now.clone());
        fields.insert(
            "LastModifiedById".into(),
            json!(ctx.engine.user_id(ctx.user)),
        );
        fields.insert("SystemModstamp".into(), now);
        store::update(ctx.db, ctx.object(VERSION)?, row, &fields)
    };
    write().map_err(broken)
}

/// Publishes a draft: of the main language, or of a translation whose main language is published.
pub(super) fn publish(ctx: &Ctx<'_>, id: &str, translation: bool) -> Result<(), Missed> {
    let row = version(ctx, id)?;
    if status(&row) != "Draft" || is(&row, "IsMasterLanguage") == translation {
        return Err(NOT_NOW.to_owned());
    }
    let others = versions(ctx, text(&row, "KnowledgeArticleId"))?;
    let master = |other: &&Row| is(other, "IsMasterLanguage") && status(other) == "Online";
    if translation && !others.iter().any(|other| master(&other)) {
        return Err(NOT_NOW.to_owned());
    }
    let now = json!(date_time_text(ctx.now));
    let mut first = now.clone();
    let mut number = 1;
    let same = |other: &&Row| {
        other.number != row.number && text(other, "Language") == text(&row, "Language")
    };
    for other in others.iter().filter(same) {
        let known = other.fields.get("VersionNumber").and_then(Value::as_i64);
        number = number.max(known.unwrap_or(0) + 1);
        if let Some(date) = other.fields.get("FirstPublishedDate") {
            first = date.clone();
        }
        if status(other) == "Online" {
            let gone = [
                ("PublishStatus", json!("Archived")),
                ("IsLatestVersion", json!(false)),
                ("ArchivedDate", now.clone()),
            ];
            change(ctx, other, &gone)?;
        }
    }
    let shown = [
        ("PublishStatus", json!("Online")),
        ("IsLatestVersion", json!(true)),
        ("VersionNumber", json!(number)),
        ("FirstPublishedDate", first),
        ("LastPublishedDate", now),
    ];
    change(ctx, &row, &shown)
}

/// Takes what is published away from its readers, translations along with their main language.
pub(super) fn archive(ctx: &Ctx<'_>, id: &str) -> Result<(), Missed> {
    let row = version(ctx, id)?;
    if status(&row) != "Online" {
        return Err(NOT_NOW.to_owned());
    }
    let gone = [
        ("PublishStatus", json!("Archived")),
        ("ArchivedDate", json!(date_time_text(ctx.now))),
    ];
    change(ctx, &row, &gone)?;
    if !is(&row, "IsMasterLanguage") {
        return Ok(());
    }
    for other in versions(ctx, text(&row, "KnowledgeArticleId"))? {
        if status(&other) == "Online" {
            change(ctx, &other, &gone)?;
        }
    }
    Ok(())
}

/// Deletes a draft or an archived version.
pub(super) fn remove(ctx: &Ctx<'_>, id: &str) -> Result<(), Missed> {
    if status(&version(ctx, id)?) == "Online" {
        return Err(NOT_NOW.to_owned());
    }
    delete::delete(ctx, id).map(drop).map_err(broken)
}

/// Makes a draft in another language, with the words of the main one.
pub(super) fn translate(ctx: &Ctx<'_>, article: &str, language: &str) -> Result<(), Missed> {
    let known = match ctx.row(article).map_err(broken)? {
        Some((object, _)) if object.name == ARTICLE => versions(ctx, article)?,
        _ => return Err(NOT_NOW.to_owned()),
    };
    let languages = ctx.shape.settings.knowledge.as_ref();
    let active = languages.is_some_and(|k| k.languages.iter().any(|known| known == language));
    let latest = |row: &&Row| is(row, "IsMasterLanguage") && status(row) != "Archived";
    let Some(master) = known.iter().rfind(latest) else {
        return Err(NOT_NOW.to_owned());
    };
    let there = |row: &Row| text(row, "Language") == language && status(row) == "Draft";
    if !active || text(master, "Language") == language || known.iter().any(there) {
        return Err(NOT_NOW.to_owned());
    }
    let put = || -> Result<(), Refusal> {
        let object = ctx.object(VERSION)?;
        let own = [
            "CreatedDate",
            "CreatedById",
            "LastModifiedDate",
            "LastModifiedById",
        ];
        let mut fields: Fields = master.fields.clone();
        fields.retain(|name, _| !own.contains(&name.as_str()));
        for (name, value) in [
            ("Language", json!(language)),
            ("MasterVersionId", json!(ctx.id(object, master.number))),
            ("IsMasterLanguage", json!(false)),
            ("IsLatestVersion", json!(true)),
            ("PublishStatus", json!("Draft")),
            ("VersionNumber", json!(1)),
        ] {
            fields.insert(name.to_owned(), value);
        }
        for date in ["FirstPublishedDate", "LastPublishedDate", "ArchivedDate"] {
            fields.remove(date);
        }
        ctx.put(object, fields).map(drop)
    };
    put().map_err(broken)
}

/// `knowledgeManagement/articleVersions/masterVersions/{id}`: a step by the status that is asked for.
pub(in crate::org) fn manage(
    ctx: &Ctx<'_>,
    request: &Request,
    method: &str,
    below: &[&str],
) -> Result<Reply, Refusal> {
    let ("PATCH", ["articleVersions", "masterVersions", id]) = (method, below) else {
        return Err(Refusal::not_found());
    };
    if ctx.shape.settings.knowledge.is_none() {
        return Err(Refusal::not_found());
    }
    let body = request.json()?;
    let done = match body.get("publishStatus").and_then(Value::as_str) {
        Some("Online") => publish(ctx, id, false),
        Some("Archived") => archive(ctx, id),
        _ => Err("publishStatus: Online or Archived is expected".to_owned()),
    };
    match done {
        Ok(()) => Ok(Reply::empty(204)),
        Err(message) => Err(Refusal::new("INVALID_ARTICLE_PUBLISH_STATE", message)),
    }
}
