//! Deletion: what goes along, what is left without its parent, and what stands in the way (Salesforce object
//! reference, section 10.3).

use serde_json::{Value, json};

use super::{not_supported, persons};
use crate::org::engine::Ctx;
use crate::org::entitlements;
use crate::org::error::Refusal;
use crate::org::grants;
use crate::org::knowledge;
use crate::org::schema::{Field, Object};
use crate::org::store::{self, Row};
use crate::org::values::date_time_text;

/// What the deletion of a parent means for a row that points at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deletion {
    /// The row is deleted too.
    Cascade,
    /// The row stays, its reference is cleared.
    Clear,
    /// The parent cannot be deleted.
    Refuse,
}

/// The rule of one reference.
pub(crate) fn on_delete(parent: &str, child: &str, field: &Field) -> Deletion {
    if field.cascade {
        return Deletion::Cascade;
    }
    match (parent, child, field.name.as_str()) {
        ("Contact" | "Account", "Case", "ContactId" | "AccountId")
        | ("MilestoneType", "CaseMilestone", "MilestoneTypeId")
        | ("Contact", "User", "ContactId") => Deletion::Refuse,
        ("Case", "CaseComment" | "EmailMessage", "ParentId")
        | ("Case" | "Account", "Task", "WhatId")
        | ("Contact" | "Lead", "Task", "WhoId")
        | ("Contact" | "Lead", "EmailMessageRelation", "RelationId")
        | ("EmailMessage", "EmailMessageRelation", "EmailMessageId")
        | ("ContentDocument", "ContentVersion" | "ContentDocumentLink", "ContentDocumentId")
        | (_, "ContentDocumentLink", "LinkedEntityId")
        | (_, "FeedItem", "ParentId")
        | (_, "TopicAssignment", _)
        | ("FeedItem", "FeedComment", "FeedItemId")
        | ("Account", "Contact", "AccountId")
        | (knowledge::VERSION, knowledge::SELECTION, "ParentId")
        | (knowledge::VERSION, knowledge::VERSION, "MasterVersionId")
        | (knowledge::ARTICLE, "CaseArticle", "KnowledgeArticleId")
        | ("Case", "CaseArticle", "CaseId")
        | ("Account", "Entitlement", "AccountId")
        | ("Entitlement" | "Contact", "EntitlementContact", _)
        | ("Case", "CaseMilestone", "CaseId")
        | ("Group", "GroupMember" | "QueueSobject", _) => Deletion::Cascade,
        _ => Deletion::Clear,
    }
}

/// Deletes one record and what hangs on it.
pub(crate) fn delete(ctx: &Ctx<'_>, id: &str) -> Result<String, Refusal> {
    let malformed = || Refusal::new("MALFORMED_ID", format!("bad id {id}"));
    let (object, number) = match ctx.locate(id) {
        Some(place) => place,
        None if crate::org::ids::well_formed(id).is_some() => {
            return Err(
                Refusal::new("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
                    .with_status(404),
            );
        }
        None => return Err(malformed()),
    };
    if !object.deletable {
        return Err(not_supported(object, "delete"));
    }
    let row = super::existing(ctx, object, &ctx.id(object, number))?;
    super::lock(ctx, object, Some(id), &row.fields)?;
    if object.name == "Group" {
        owns_nothing(ctx, &ctx.id(object, number))?;
    }
    knowledge::before_delete(object, &row)?;
    entitlements::before_delete(ctx, object, &row)?;
    remove(ctx, object, &row)?;
    Ok(ctx.id(object, number))
}

fn remove(ctx: &Ctx<'_>, object: &Object, row: &Row) -> Result<(), Refusal> {
    let id = ctx.id(object, row.number);
    // Out of the indexes first, so that two rows pointing at each other come to an end.
    store::delete(ctx.db, object, row)?;
    store::stamp(ctx.db, object, row.number, &date_time_text(ctx.now))?;
    if let Some((other, half)) = persons::other_half(ctx, object, row)? {
        remove(ctx, other, &half)?;
    }
    if object.name == "ContentDocument" {
        let notes = ctx.object("ContentNote")?;
        let note = store::get(ctx.db, notes, row.number)?.filter(|note| !note.deleted);
        if let Some(note) = note {
            store::delete(ctx.db, notes, &note)?;
        }
    }
    for (child, field) in ctx
        .schema()
        .children(&object.name)
        .filter(|(_, field)| field.is_indexed())
    {
        for number in store::find(ctx.db, child, field, &id[..15])? {
            let Some(hanging) = store::get(ctx.db, child, number)? else {
                continue;
            };
            match on_delete(&object.name, &child.name, field) {
                Deletion::Refuse => return Err(in_the_way(row, child, &hanging)),
                Deletion::Cascade => remove(ctx, child, &hanging)?,
                Deletion::Clear => clear(ctx, child, field, &hanging)?,
            }
        }
    }
    if object.name == "PermissionSetAssignment" {
        grants::assignments_changed(ctx, &row.fields)?;
    }
    knowledge::deleted(ctx, object, row)
}

fn clear(ctx: &Ctx<'_>, object: &Object, field: &Field, row: &Row) -> Result<(), Refusal> {
    let mut fields = row.fields.clone();
    fields.remove(&field.name);
    store::update(ctx.db, object, row, &fields)
}

fn in_the_way(row: &Row, child: &Object, hanging: &Row) -> Refusal {
    let name = |row: &Row| {
        row.fields
            .get("Name")
            .or_else(|| row.fields.get("CaseNumber"))
            .and_then(Value::as_str)
            .unwrap_or("it")
            .to_owned()
    };
    let message = format!(
        "Your attempt to delete {} could not be completed because it is associated with the following {}.: {}",
        name(row),
        child.plural.to_lowercase(),
        name(hanging)
    );
    Refusal::new("DELETE_FAILED", message)
}

/// A queue that owns rows stays. Owners have no index, so this reads every row; queues are deleted seldom.
fn owns_nothing(ctx: &Ctx<'_>, id: &str) -> Result<(), Refusal> {
    for object in ctx
        .schema()
        .objects
        .iter()
        .filter(|object| object.field("OwnerId").is_some() && !object.setup)
    {
        let mut after = 0;
        loop {
            let rows = store::page(ctx.db, object, after, 1_000)?;
            if rows
                .iter()
                .any(|row| !row.deleted && row.fields.get("OwnerId") == Some(&json!(id)))
            {
                let message = format!(
                    "This queue cannot be deleted: it owns {}.",
                    object.plural.to_lowercase()
                );
                return Err(Refusal::new("DELETE_FAILED", message));
            }
            match rows.last() {
                Some(last) => after = last.number,
                None => break,
            }
        }
    }
    Ok(())
}
