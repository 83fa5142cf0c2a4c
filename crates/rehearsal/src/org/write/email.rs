//! Mails: complete at their first insert, frozen after it (Salesforce object reference, section 4.2).

use serde_json::{Value, json};

use super::given::Given;
use super::references;
use crate::org::engine::Ctx;
use crate::org::error::Refusal;
use crate::org::richtext;
use crate::org::schema::Object;
use crate::org::store::{self, Fields, Row};
use crate::org::values::date_time_text;

const NEW: &str = "0";
const READ: &str = "1";
const DRAFT: &str = "5";
/// The id lists that name people, and the relation each makes.
const PEOPLE: [(&str, &str); 3] = [
    ("ToIds", "ToAddress"),
    ("CcIds", "CcAddress"),
    ("BccIds", "BccAddress"),
];

pub(super) fn before_insert(ctx: &Ctx<'_>, given: &mut Given) -> Result<(), Refusal> {
    if given.text("ActivityId").is_some() {
        let message = "Activity ID: insufficient access rights on cross-reference id";
        return Err(Refusal::new("INSUFFICIENT_ACCESS_OR_READONLY", message).on("ActivityId"));
    }
    let email = ctx.object("EmailMessage")?;
    for (list, ids) in &mut given.junctions {
        let Some(field) = email.field(list) else {
            continue;
        };
        for id in ids.iter_mut() {
            *id = references::target(ctx, field, id)?;
        }
    }
    let Some(answered) = given.text("ReplyToEmailMessageId") else {
        return Ok(());
    };
    if let Some((_, row)) = ctx.row(answered)?
        && row.fields.get("Status") == Some(&json!(DRAFT))
    {
        let message = "Email Message ID: a reply to a draft is not possible";
        return Err(Refusal::new("FIELD_INTEGRITY_EXCEPTION", message).on("ReplyToEmailMessageId"));
    }
    Ok(())
}

/// Once it is no draft, a mail only goes from new to read; its visibility and custom fields stay changeable.
pub(super) fn before_update(object: &Object, row: &Row, given: &mut Given) -> Result<(), Refusal> {
    let status = row
        .fields
        .get("Status")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if status == DRAFT {
        return Ok(());
    }
    let managed = row.fields.get("IsClientManaged") == Some(&json!(true));
    let open = |name: &str, value: &Value| {
        let custom = object.field(name).is_some_and(|field| field.custom);
        let read = name == "Status" && (value == status || (status == NEW && value == READ));
        custom || read || name == "IsExternallyVisible" || (managed && name == "RelatedToId")
    };
    let frozen = given
        .values
        .iter()
        .find(|(name, value)| !open(name, value))
        .map(|(name, _)| name.clone());
    let frozen = frozen.or_else(|| {
        given
            .junctions
            .keys()
            .find(|name| !(managed && *name == "ContentDocumentIds"))
            .cloned()
    });
    match frozen {
        None => Ok(()),
        Some(name) => Err(read_only().on(&name)),
    }
}

fn read_only() -> Refusal {
    let message = "you cannot change an email message that is not a draft";
    Refusal::new("INSUFFICIENT_ACCESS_OR_READONLY", message)
}

/// Whether relations and file links may still be added to this mail.
pub(super) fn may_change(ctx: &Ctx<'_>, id: Option<&str>) -> Result<(), Refusal> {
    let Some((object, row)) = id.map(|id| ctx.row(id)).transpose()?.flatten() else {
        return Ok(());
    };
    let is = |name: &str, value: Value| row.fields.get(name) == Some(&value);
    let open = is("Status", json!(DRAFT))
        || is("IsClientManaged", json!(true))
        || ctx.settings().update_email_messages;
    if open || object.name != "EmailMessage" {
        Ok(())
    } else {
        Err(read_only())
    }
}

pub(super) fn complete(ctx: &Ctx<'_>, given: &mut Given) {
    if given.text("TextBody").is_none()
        && let Some(html) = given.text("HtmlBody")
    {
        let limit = 131_072;
        let text: String = richtext::text_of(html).chars().take(limit).collect();
        if !text.is_empty() {
            given.values.insert("TextBody".into(), json!(text));
        }
    }
    if let Some(subject) = given.text("Subject") {
        let name: String = subject.chars().take(255).collect();
        given.values.insert("Name".into(), json!(name));
    }
    if given.text("MessageDate").is_none() {
        let created = given
            .values
            .get("CreatedDate")
            .filter(|date| !date.is_null())
            .cloned();
        given.values.insert(
            "MessageDate".into(),
            created.unwrap_or_else(|| json!(date_time_text(ctx.now))),
        );
    }
    for (list, ids) in &given.junctions {
        if !ids.is_empty() {
            given.values.insert(list.clone(), json!(ids));
        }
    }
    let has_files = given
        .junctions
        .get("ContentDocumentIds")
        .is_some_and(|ids| !ids.is_empty());
    given
        .values
        .insert("HasAttachment".into(), json!(has_files));
}

pub(super) fn after_insert(ctx: &Ctx<'_>, id: &str, given: &Given) -> Result<(), Refusal> {
    if let Some(sender) = given.text("FromId") {
        relate(ctx, id, sender, "FromAddress")?;
    }
    for (list, relation) in PEOPLE {
        for person in given.junctions.get(list).into_iter().flatten() {
            relate(ctx, id, person, relation)?;
        }
    }
    for document in given
        .junctions
        .get("ContentDocumentIds")
        .into_iter()
        .flatten()
    {
        super::file::link(ctx, document, id)?;
    }
    if ctx.settings().email_tasks {
        task(ctx, id, given)?;
    }
    Ok(())
}

/// Enhanced Email keeps what goes out as a task, too; it has the date and the user of the load.
fn task(ctx: &Ctx<'_>, id: &str, given: &Given) -> Result<(), Refusal> {
    let incoming = given.values.get("Incoming") == Some(&json!(true));
    let (Some(case), false) = (given.text("ParentId"), incoming) else {
        return Ok(());
    };
    if given.text("Status") == Some(DRAFT) {
        return Ok(());
    }
    let subject: String = format!("Email: {}", given.text("Subject").unwrap_or_default())
        .chars()
        .take(255)
        .collect();
    let fields = Fields::from_iter([
        ("WhatId".to_owned(), json!(case)),
        ("Subject".to_owned(), json!(subject.trim())),
        ("Status".to_owned(), json!("Completed")),
        ("Priority".to_owned(), json!("Normal")),
        ("TaskSubtype".to_owned(), json!("Email")),
        ("IsClosed".to_owned(), json!(true)),
        (
            "ActivityDate".to_owned(),
            json!(ctx.now.date_naive().to_string()),
        ),
        (
            "CompletedDateTime".to_owned(),
            json!(date_time_text(ctx.now)),
        ),
        ("OwnerId".to_owned(), json!(ctx.engine.user_id(ctx.user))),
    ]);
    let tasks = ctx.object("Task")?;
    let task = ctx.id(tasks, ctx.put(tasks, fields)?);
    if let Some((object, row)) = ctx.row(id)? {
        let mut fields = row.fields.clone();
        fields.insert("ActivityId".into(), json!(task));
        store::update(ctx.db, object, &row, &fields)?;
    }
    Ok(())
}

fn relate(ctx: &Ctx<'_>, mail: &str, person: &str, relation: &str) -> Result<(), Refusal> {
    let Some((object, row)) = ctx.row(person)? else {
        return Ok(());
    };
    let mut fields = Fields::from_iter([
        ("EmailMessageId".to_owned(), json!(mail)),
        ("RelationId".to_owned(), json!(person)),
        ("RelationType".to_owned(), json!(relation)),
        ("RelationObjectType".to_owned(), json!(object.name)),
    ]);
    if let Some(address) = row.fields.get("Email") {
        fields.insert("RelationAddress".to_owned(), address.clone());
    }
    ctx.put(ctx.object("EmailMessageRelation")?, fields)
        .map(|_| ())
}
