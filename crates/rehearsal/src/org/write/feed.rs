//! Posts, comments on them, and topics (Salesforce object reference, sections 4.4 and 6).

use serde_json::{Value, json};

use super::given::Given;
use super::people;
use crate::org::engine::Ctx;
use crate::org::error::Refusal;
use crate::org::schema::Object;
use crate::org::store::{self, Fields};

/// Topics of one record.
const MOST_TOPICS: usize = 100;

pub(super) fn before_item(ctx: &Ctx<'_>, given: &mut Given) -> Result<(), Refusal> {
    let kind = given.text("Type").unwrap_or("TextPost");
    let needed = match kind {
        "LinkPost" => "LinkUrl",
        "ContentPost" => "RelatedRecordId",
        _ => "Body",
    };
    if given.text(needed).is_none() {
        return Err(missing(needed));
    }
    loaded_by(ctx, given);
    Ok(())
}

pub(super) fn before_comment(ctx: &Ctx<'_>, given: &mut Given) -> Result<(), Refusal> {
    if let Some(item) = given.text("FeedItemId")
        && let Some((_, row)) = ctx.row(item)?
        && let Some(parent) = row.fields.get("ParentId")
    {
        given.values.insert("ParentId".into(), parent.clone());
    }
    loaded_by(ctx, given);
    Ok(())
}

/// Who wrote it may be told; who loaded it is known.
fn loaded_by(ctx: &Ctx<'_>, given: &mut Given) {
    let loader = json!(ctx.engine.user_id(ctx.user));
    given.values.insert("InsertedById".into(), loader);
}

pub(super) fn after_comment(ctx: &Ctx<'_>, fields: &Fields) -> Result<(), Refusal> {
    let Some(item) = fields.get("FeedItemId").and_then(Value::as_str) else {
        return Ok(());
    };
    let Some((object, row)) = ctx.row(item)? else {
        return Ok(());
    };
    let mut fields = row.fields.clone();
    let count = fields.get("CommentCount").and_then(Value::as_i64);
    fields.insert("CommentCount".into(), json!(count.unwrap_or(0) + 1));
    store::update(ctx.db, object, &row, &fields)
}

pub(super) fn before_topic(
    ctx: &Ctx<'_>,
    object: &Object,
    given: &mut Given,
) -> Result<(), Refusal> {
    people::not_twice(ctx, object, given)?;
    let Some(entity) = given.text("EntityId").map(str::to_owned) else {
        return Ok(());
    };
    if ctx.pointing("TopicAssignment", "EntityId", &entity)?.len() >= MOST_TOPICS {
        let message = format!("a record has at most {MOST_TOPICS} topics");
        return Err(Refusal::new("LIMIT_EXCEEDED", message).on("EntityId"));
    }
    if let Some((of, _)) = ctx.locate(&entity) {
        given
            .values
            .insert("EntityType".into(), json!(of.name.trim_end_matches("__c")));
        given
            .values
            .insert("EntityKeyPrefix".into(), json!(of.prefix));
    }
    Ok(())
}

fn missing(name: &str) -> Refusal {
    let message = format!("Required fields are missing: [{name}]");
    Refusal::new("REQUIRED_FIELD_MISSING", message).on(name)
}
