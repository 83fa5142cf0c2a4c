//! What articles add to the rules that hold for all rows.

use serde_json::{Value, json};

use super::{ARTICLE, CategoryGroup, SELECTION, VERSION};
use crate::org::engine::Ctx;
use crate::org::error::Refusal;
use crate::org::schema::Object;
use crate::org::store::{self, Fields, Row};
use crate::org::values::date_time_text;
use crate::org::write::Given;

/// Article numbers start here, as in a real org.
const FIRST_NUMBER: i64 = 1_000;

pub(in crate::org) fn before_insert(given: &mut Given) -> Result<(), Refusal> {
    if given.text("UrlName").is_some_and(|name| !is_address(name)) {
        return Err(bad_address());
    }
    // Whoever says nothing shows it to those who work here.
    let silent = given
        .values
        .get("IsVisibleInApp")
        .is_none_or(Value::is_null);
    if silent {
        given.values.insert("IsVisibleInApp".into(), json!(true));
    }
    Ok(())
}

/// Only drafts can be changed.
pub(in crate::org) fn before_update(row: &Row, given: &Given) -> Result<(), Refusal> {
    if status(row) != "Draft" {
        let message = "You can't edit this article: only drafts can be changed";
        return Err(Refusal::new("INSUFFICIENT_ACCESS_OR_READONLY", message));
    }
    if given.text("UrlName").is_some_and(|name| !is_address(name)) {
        return Err(bad_address());
    }
    Ok(())
}

fn bad_address() -> Refusal {
    let message = "URL Name: The URL Name can only contain letters, digits and hyphens. It can't begin or end with a hyphen.";
    Refusal::new("FIELD_INTEGRITY_EXCEPTION", message).on("UrlName")
}

/// Letters, digits and hyphens, no hyphen at the ends.
fn is_address(name: &str) -> bool {
    !name.starts_with('-')
        && !name.ends_with('-')
        && name.chars().all(|c| c.is_alphanumeric() || c == '-')
}

/// A new version is a draft of a new article, in its main language.
pub(in crate::org) fn complete(ctx: &Ctx<'_>, given: &mut Given) -> Result<(), Refusal> {
    let article = ctx.object(ARTICLE)?;
    let count = store::next_number(ctx.db, article)?;
    let number = format!("{:09}", FIRST_NUMBER + count);
    let language = given.values.get("Language").cloned().unwrap_or(Value::Null);
    let fields = Fields::from_iter([
        ("ArticleNumber".to_owned(), json!(number)),
        ("MasterLanguage".to_owned(), language),
    ]);
    let id = ctx.id(article, ctx.put(article, fields)?);
    for (name, value) in [
        ("KnowledgeArticleId", json!(id)),
        ("ArticleNumber", json!(number)),
        ("PublishStatus", json!("Draft")),
        ("VersionNumber", json!(1)),
        ("IsLatestVersion", json!(true)),
        ("IsMasterLanguage", json!(true)),
        ("ArticleCreatedDate", json!(date_time_text(ctx.now))),
    ] {
        given.values.insert(name.to_owned(), value);
    }
    Ok(())
}

pub(super) fn status(row: &Row) -> &str {
    text(row, "PublishStatus")
}

pub(super) fn text<'r>(row: &'r Row, name: &str) -> &'r str {
    row.fields
        .get(name)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

pub(super) fn is(row: &Row, name: &str) -> bool {
    row.fields.get(name) == Some(&json!(true))
}

/// Whether two versions may have one address: they are of one article and one language.
pub(in crate::org) fn shares_address(ctx: &Ctx<'_>, own: i64, other: i64) -> Result<bool, Refusal> {
    let object = ctx.object(VERSION)?;
    let (Some(own), Some(other)) = (
        store::get(ctx.db, object, own)?,
        store::get(ctx.db, object, other)?,
    ) else {
        return Ok(false);
    };
    let same = |name: &str| text(&own, name) == text(&other, name);
    Ok(same("KnowledgeArticleId") && same("Language"))
}

/// What is published stays until it was archived.
pub(in crate::org) fn before_delete(object: &Object, row: &Row) -> Result<(), Refusal> {
    if object.name == VERSION && status(row) == "Online" {
        let message = "You can't delete a published article. Archive it first.";
        return Err(Refusal::new("DELETE_FAILED", message));
    }
    Ok(())
}

/// The last version of an article takes the article along.
pub(in crate::org) fn deleted(ctx: &Ctx<'_>, object: &Object, row: &Row) -> Result<(), Refusal> {
    if object.name != VERSION {
        return Ok(());
    }
    let id = text(row, "KnowledgeArticleId");
    if !ctx.pointing(VERSION, "KnowledgeArticleId", id)?.is_empty() {
        return Ok(());
    }
    let Some((article, row)) = ctx.row(id)? else {
        return Ok(());
    };
    let links = ctx.object("CaseArticle")?;
    for number in ctx.pointing("CaseArticle", "KnowledgeArticleId", id)? {
        if let Some(link) = store::get(ctx.db, links, number)? {
            store::delete(ctx.db, links, &link)?;
        }
    }
    store::delete(ctx.db, article, &row)
}

fn group<'a>(ctx: &'a Ctx<'_>, name: &str) -> Option<&'a CategoryGroup> {
    let knowledge = ctx.shape.settings.knowledge.as_ref()?;
    let groups = knowledge.groups.iter();
    groups
        .filter(|g| g.active)
        .find(|g| g.name.eq_ignore_ascii_case(name))
}

/// The group must be active, the category in it, and the selection new.
pub(in crate::org) fn before_selection(ctx: &Ctx<'_>, given: &Given) -> Result<(), Refusal> {
    let name = |field: &str| given.text(field).unwrap_or_default();
    let (of, category) = (name("DataCategoryGroupName"), name("DataCategoryName"));
    let known = group(ctx, of).is_some_and(|group| {
        group
            .categories
            .iter()
            .any(|c| c.name.eq_ignore_ascii_case(category))
    });
    if !known {
        let message = format!(
            "Data Category Group: the category {category} of the group {of} cannot be referred to"
        );
        return Err(
            Refusal::new("INVALID_DATA_CATEGORY_GROUP_REFERENCE", message)
                .on("DataCategoryGroupName"),
        );
    }
    let twice = selections(ctx, name("ParentId"))?.iter().any(|row| {
        text(row, "DataCategoryGroupName").eq_ignore_ascii_case(of)
            && text(row, "DataCategoryName").eq_ignore_ascii_case(category)
    });
    if twice {
        let message =
            "duplicate value found: <unknown> duplicates value on record with id: <unknown>";
        return Err(Refusal::new("DUPLICATE_VALUE", message));
    }
    Ok(())
}

pub(super) fn selections(ctx: &Ctx<'_>, version: &str) -> Result<Vec<Row>, Refusal> {
    let object = ctx.object(SELECTION)?;
    let mut rows = Vec::new();
    for number in ctx.pointing(SELECTION, "ParentId", version)? {
        rows.extend(store::get(ctx.db, object, number)?);
    }
    Ok(rows)
}

/// Of a category and one it stands in only the first is kept.
pub(in crate::org) fn after_selection(
    ctx: &Ctx<'_>,
    object: &Object,
    number: i64,
) -> Result<(), Refusal> {
    let Some(new) = store::get(ctx.db, object, number)? else {
        return Ok(());
    };
    let name = text(&new, "DataCategoryGroupName");
    let Some(group) = group(ctx, name) else {
        return Ok(());
    };
    let before = selections(ctx, text(&new, "ParentId"))?;
    let in_the_way = before.iter().any(|row| {
        row.number != number
            && text(row, "DataCategoryGroupName").eq_ignore_ascii_case(name)
            && group.related(
                text(row, "DataCategoryName"),
                text(&new, "DataCategoryName"),
            )
    });
    if in_the_way {
        store::delete(ctx.db, object, &new)?;
    }
    Ok(())
}
