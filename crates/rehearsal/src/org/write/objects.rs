//! What each object adds to the common rules: what it refuses, what it fills in, what it makes besides.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::given::Given;
use super::{Call, email, feed, file, notes, people, persons};
use crate::org::engine::{Ctx, DEFAULT_CASE_OWNER};
use crate::org::entitlements;
use crate::org::error::Refusal;
use crate::org::grants;
use crate::org::knowledge;
use crate::org::richtext;
use crate::org::schema::{Field, Kind, Object};
use crate::org::store::{self, Fields, Row};
use crate::org::values::date_time_text;

/// Case numbers start here, as in a real org.
const FIRST_CASE_NUMBER: i64 = 1_000;

/// Before the common checks of an insert.
pub(super) fn before_insert(
    ctx: &Ctx<'_>,
    call: &Call,
    object: &Object,
    given: &mut Given,
) -> Result<(), Refusal> {
    own(ctx, call, object, given);
    match object.name.as_str() {
        "Account" => persons::before_account(ctx, object, None, given),
        "Contact" => persons::employer(ctx, given),
        "Case" => case_account(ctx, given),
        "ContentNote" => notes::before_write(given),
        "FeedItem" => feed::before_item(ctx, given),
        "FeedComment" => feed::before_comment(ctx, given),
        "TopicAssignment" => feed::before_topic(ctx, object, given),
        "EmailMessage" => email::before_insert(ctx, given),
        "EmailMessageRelation" => email::may_change(ctx, given.text("EmailMessageId")),
        "ContentVersion" => file::before_insert(ctx, call, given),
        "ContentDocumentLink" => file::before_link(ctx, given),
        "Task" => task(given),
        knowledge::VERSION => knowledge::before_insert(given),
        knowledge::SELECTION => knowledge::before_selection(ctx, given),
        "User" => people::before_user(given),
        "Group" => people::before_group(ctx, object, given),
        "GroupMember" | "QueueSobject" | "PermissionSetAssignment" => {
            people::not_twice(ctx, object, given)
        }
        _ => Ok(()),
    }
}

/// Before the common checks of an update.
pub(super) fn before_update(
    ctx: &Ctx<'_>,
    call: &Call,
    object: &Object,
    row: &Row,
    given: &mut Given,
) -> Result<(), Refusal> {
    match object.name.as_str() {
        "Case" if call.auto_assign => {
            given.values.insert(
                "OwnerId".into(),
                json!(ctx.engine.user_id(DEFAULT_CASE_OWNER)),
            );
            Ok(())
        }
        "EmailMessage" => email::before_update(object, row, given),
        "Lead" if row.fields.get("IsConverted") == Some(&json!(true)) => {
            let message = "cannot reference converted lead";
            Err(Refusal::new("CANNOT_UPDATE_CONVERTED_LEAD", message))
        }
        knowledge::VERSION => knowledge::before_update(row, given),
        "Account" => persons::before_account(ctx, object, Some(row), given),
        "Contact" => {
            persons::before_contact(row)?;
            persons::employer(ctx, given)
        }
        "ContentNote" => {
            notes::before_write(given)?;
            notes::before_update(ctx, row, given)
        }
        _ => Ok(()),
    }
}

/// Everything is valid: fills what the platform derives. `before` is the row of an update.
pub(super) fn complete(
    ctx: &Ctx<'_>,
    object: &Object,
    number: i64,
    before: Option<&Row>,
    given: &mut Given,
) -> Result<(), Refusal> {
    if before.is_none() && object.custom {
        named(ctx, object, number, given);
    }
    inline_images(ctx, object, number, given)?;
    match object.name.as_str() {
        "Case" => {
            case(ctx, object, number, before, given)?;
            entitlements::case(ctx, before, &mut given.values)
        }
        "EntitlementContact" => entitlement_contact(ctx, given),
        "Contact" | "Lead" | "User" => {
            let converted = given.values.get("IsConverted") == Some(&json!(true));
            if converted && given.text("ConvertedDate").is_none() {
                let today = json!(ctx.now.date_naive().to_string());
                given.values.insert("ConvertedDate".into(), today);
            }
            people::full_name(before, given);
            Ok(())
        }
        "Account" => {
            let is = before.map_or_else(
                || given.values.get("IsPersonAccount") == Some(&json!(true)),
                persons::is_person,
            );
            if is {
                people::full_name(before, given);
            }
            Ok(())
        }
        "Task" => {
            task_state(ctx, object, before, given);
            Ok(())
        }
        "EmailMessage" if before.is_none() => {
            email::complete(ctx, given);
            Ok(())
        }
        "ContentVersion" if before.is_none() => file::complete(ctx, number, given),
        knowledge::VERSION if before.is_none() => knowledge::complete(ctx, given),
        _ => Ok(()),
    }
}

/// The row is stored: makes what comes with it.
pub(super) fn after_insert(
    ctx: &Ctx<'_>,
    object: &Object,
    number: i64,
    id: &str,
    given: &Given,
) -> Result<(), Refusal> {
    let fields = &given.values;
    match object.name.as_str() {
        "Case" => {
            case_comment(ctx, id, given)?;
            entitlements::after_case(ctx, id, None, fields)
        }
        "Account" => persons::after_insert(ctx, object, number, id, fields),
        "EmailMessage" => email::after_insert(ctx, id, given),
        "ContentVersion" => file::after_insert(ctx, object, number, id, fields),
        knowledge::SELECTION => knowledge::after_selection(ctx, object, number),
        "FeedComment" => feed::after_comment(ctx, fields),
        "PermissionSetAssignment" => grants::assignments_changed(ctx, fields),
        _ => Ok(()),
    }
}

/// Owners: an assignment rule takes Cases and Leads where the client did not switch it off, else the user owns what
/// was given to nobody (Salesforce object reference, section 3).
fn own(ctx: &Ctx<'_>, call: &Call, object: &Object, given: &mut Given) {
    let Some(owner) = object
        .field("OwnerId")
        .filter(|field| field.createable || object.name == "Group")
    else {
        return;
    };
    let assigned = call.auto_assign && matches!(object.name.as_str(), "Case" | "Lead");
    let absent = given.values.get(&owner.name).is_none_or(Value::is_null);
    if assigned || absent {
        let number = if assigned {
            DEFAULT_CASE_OWNER
        } else {
            ctx.user
        };
        given
            .values
            .insert("OwnerId".into(), json!(ctx.engine.user_id(number)));
    }
}

/// A record of a custom object: its number in the format of the object, or its own id where no name was sent.
fn named(ctx: &Ctx<'_>, object: &Object, number: i64, given: &mut Given) {
    let format = object
        .field("Name")
        .and_then(|name| name.auto_number.as_deref());
    let name = match format {
        Some(format) => numbered(format, number),
        None if given.text("Name").is_some() => return,
        None => ctx.id(object, number)[..15].to_owned(),
    };
    given.values.insert("Name".into(), json!(name));
}

/// Images inside rich text are kept elsewhere, and their text is an address from then on.
fn inline_images(
    ctx: &Ctx<'_>,
    object: &Object,
    number: i64,
    given: &mut Given,
) -> Result<(), Refusal> {
    let rich = |field: &&Field| field.kind == Kind::RichText && field.custom;
    for (place, field) in object.fields.iter().enumerate().filter(|(_, f)| rich(f)) {
        let Some(html) = given.text(&field.name) else {
            continue;
        };
        if !html.contains("src=\"data:image/") {
            continue;
        }
        let id = ctx.id(object, number);
        let of = ctx
            .engine
            .ids
            .id("00N", i64::try_from(place).unwrap_or_default());
        let kept = richtext::without_inline_images(html, |kind, base64| {
            let Ok(bytes) = BASE64.decode(base64) else {
                return Ok(None);
            };
            let image = store::add_image(ctx.db, kind, &bytes)?;
            let image = ctx.engine.ids.id("0EM", image);
            Ok::<_, Refusal>(Some(format!(
                "/servlet/rtaImage?eid={id}&amp;feoid={of}&amp;refid={image}"
            )))
        })?;
        given.values.insert(field.name.clone(), json!(kept));
    }
    Ok(())
}

/// `M-{0000}` with 7 is `M-0007`.
fn numbered(format: &str, number: i64) -> String {
    match format
        .split_once('{')
        .and_then(|(before, rest)| Some((before, rest.split_once('}')?)))
    {
        Some((before, (zeros, after))) => {
            format!("{before}{number:0width$}{after}", width = zeros.len())
        }
        None => format!("{format}{number}"),
    }
}

/// A Case with a Contact and no Account gets the Contact's.
fn case_account(ctx: &Ctx<'_>, given: &mut Given) -> Result<(), Refusal> {
    if given
        .values
        .get("AccountId")
        .is_some_and(|account| !account.is_null())
    {
        return Ok(());
    }
    let Some(contact) = given.text("ContactId") else {
        return Ok(());
    };
    if let Some((_, contact)) = ctx.row(contact)?
        && let Some(account) = contact.fields.get("AccountId")
    {
        given.values.insert("AccountId".into(), account.clone());
    }
    Ok(())
}

/// The number; IsClosed from Status; ClosedDate as given or now.
fn case(
    ctx: &Ctx<'_>,
    object: &Object,
    number: i64,
    before: Option<&Row>,
    given: &mut Given,
) -> Result<(), Refusal> {
    if before.is_none() {
        given.values.insert(
            "CaseNumber".into(),
            json!(format!("{:08}", FIRST_CASE_NUMBER + number)),
        );
    }
    let was_closed = before
        .and_then(|row| row.fields.get("IsClosed"))
        .and_then(Value::as_bool);
    let is_closed = match given.text("Status") {
        Some(status) => object
            .field("Status")
            .and_then(|field| field.pick(status))
            .is_some_and(|known| known.closed),
        None => was_closed.unwrap_or(false),
    };
    given.values.insert("IsClosed".into(), json!(is_closed));
    let dated = given.text("ClosedDate").is_some();
    if dated && !is_closed {
        let message = "Closed Date: only a closed case can have one";
        return Err(Refusal::new("FIELD_INTEGRITY_EXCEPTION", message).on("ClosedDate"));
    }
    if is_closed && !dated && was_closed != Some(true) {
        given
            .values
            .insert("ClosedDate".into(), json!(date_time_text(ctx.now)));
    }
    if !is_closed {
        given.values.insert("ClosedDate".into(), Value::Null);
    }
    Ok(())
}

/// `Case.Comments` is no field of the Case: it becomes a comment by the running user.
fn case_comment(ctx: &Ctx<'_>, id: &str, given: &Given) -> Result<(), Refusal> {
    let Some(text) = given.text("Comments") else {
        return Ok(());
    };
    let comment = Fields::from_iter([
        ("ParentId".to_owned(), json!(id)),
        ("CommentBody".to_owned(), json!(text)),
        ("IsPublished".to_owned(), json!(false)),
    ]);
    ctx.put(ctx.object("CaseComment")?, comment)?;
    let case = ctx.object("Case")?;
    if let Some((_, row)) = ctx.row(id)? {
        let mut fields = row.fields.clone();
        fields.remove("Comments");
        store::update(ctx.db, case, &row, &fields)?;
    }
    Ok(())
}

/// A contact of an entitlement is called as the contact is.
fn entitlement_contact(ctx: &Ctx<'_>, given: &mut Given) -> Result<(), Refusal> {
    let contact = given.text("ContactId").map(|id| ctx.row(id)).transpose()?;
    if let Some((_, contact)) = contact.flatten()
        && let Some(name) = contact.fields.get("Name")
    {
        given.values.insert("Name".into(), name.clone());
    }
    Ok(())
}

fn task(given: &mut Given) -> Result<(), Refusal> {
    let to_lead = given
        .text("WhoId")
        .is_some_and(|who| who.starts_with("00Q"));
    if to_lead && given.text("WhatId").is_some() {
        let message = "Related To ID: a task of a lead cannot be related to another record";
        return Err(Refusal::new("FIELD_INTEGRITY_EXCEPTION", message).on("WhatId"));
    }
    Ok(())
}

/// IsClosed from Status; who touches a person or record through a task loses the old date of change.
fn task_state(ctx: &Ctx<'_>, object: &Object, before: Option<&Row>, given: &mut Given) {
    if let Some(status) = given.text("Status") {
        let closed = object
            .field("Status")
            .and_then(|field| field.pick(status))
            .is_some_and(|known| known.closed);
        given.values.insert("IsClosed".into(), json!(closed));
        let completed = if closed {
            json!(date_time_text(ctx.now))
        } else {
            Value::Null
        };
        given.values.insert("CompletedDateTime".into(), completed);
    }
    if before.is_none() && (given.text("WhoId").is_some() || given.text("WhatId").is_some()) {
        given.values.remove("LastModifiedDate");
        given.values.remove("LastModifiedById");
    }
}
