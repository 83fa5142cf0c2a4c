//! A field of a row as a client sees it: stored, or derived at this moment.

use serde_json::{Map, Value, json};

use super::engine::Ctx;
use super::entitlements;
use super::error::Refusal;
use super::schema::{Field, Kind, Object};
use super::store::Row;
use super::values;

/// The value of one field.
pub(crate) fn value(
    ctx: &Ctx<'_>,
    object: &Object,
    row: &Row,
    field: &Field,
) -> Result<Value, Refusal> {
    if let Some(stored) = row.fields.get(&field.name) {
        return Ok(stored.clone());
    }
    Ok(match (field.kind, field.name.as_str()) {
        (Kind::Id, _) => json!(ctx.id(object, row.number)),
        (_, name @ ("Status" | "IsCompleted" | "IsViolated"))
            if matches!(object.name.as_str(), "Entitlement" | "CaseMilestone") =>
        {
            entitlements::derived(ctx, object, row, name).unwrap_or(Value::Null)
        }
        (_, "IsDeleted") => json!(row.deleted),
        (_, "IsArchived") => json!(archived(ctx, object, row)),
        (Kind::Boolean, _) => json!(false),
        (Kind::Address, _) => address(object, row, field),
        (Kind::Base64, name) => {
            let id = ctx.id(object, row.number);
            json!(format!(
                "/services/data/v{}.0/sobjects/{}/{id}/{name}",
                ctx.version, object.name
            ))
        }
        (_, "ContactEmail" | "ContactPhone" | "ContactMobile" | "ContactFax")
            if object.name == "Case" =>
        {
            of_contact(ctx, row, &field.name)?
        }
        _ => Value::Null,
    })
}

/// Whether the background has archived a task by now: it is closed, and its day, or where it has none its making, was a year
/// ago (Salesforce object reference, section 4.5). Archived rows are seen by `queryAll` only.
pub(crate) fn archived(ctx: &Ctx<'_>, object: &Object, row: &Row) -> bool {
    if object.name != "Task" || row.fields.get("IsClosed") != Some(&json!(true)) {
        return false;
    }
    let text = |name: &str| row.fields.get(name).and_then(Value::as_str);
    let day = match text("ActivityDate") {
        Some(day) => values::day(day),
        None => text("CreatedDate")
            .and_then(values::moment)
            .map(|at| at.date_naive()),
    };
    day.is_some_and(|day| (ctx.now.date_naive() - day).num_days() >= 365)
}

/// The whole record with `attributes`, as a single read answers it.
pub(crate) fn record(
    ctx: &Ctx<'_>,
    object: &Object,
    row: &Row,
    names: Option<&[&Field]>,
) -> Result<Value, Refusal> {
    let mut record = Map::new();
    record.insert("attributes".into(), attributes(ctx, object, row.number));
    let visible: Vec<&Field> = match names {
        Some(names) => names.to_vec(),
        None => object.fields.iter().filter(|field| !field.hidden).collect(),
    };
    for field in visible {
        record.insert(field.name.clone(), value(ctx, object, row, field)?);
    }
    Ok(Value::Object(record))
}

pub(crate) fn attributes(ctx: &Ctx<'_>, object: &Object, number: i64) -> Value {
    let id = ctx.id(object, number);
    json!({"type": object.name, "url": format!("/services/data/v{}.0/sobjects/{}/{id}", ctx.version, object.name)})
}

/// A compound address out of its parts; null when none is set.
fn address(object: &Object, row: &Row, compound: &Field) -> Value {
    let prefix = compound.name.strip_suffix("Address").unwrap_or("");
    let parts = object
        .fields
        .iter()
        .filter(|field| field.compound.as_deref() == Some(compound.name.as_str()));
    let mut address = Map::new();
    for part in parts {
        let stored = row.fields.get(&part.name).cloned().unwrap_or(Value::Null);
        let name = part.name.strip_prefix(prefix).unwrap_or(&part.name);
        let name = name
            .chars()
            .take(1)
            .flat_map(char::to_lowercase)
            .chain(name.chars().skip(1))
            .collect();
        address.insert(name, stored);
    }
    if address.values().all(Value::is_null) {
        Value::Null
    } else {
        Value::Object(address)
    }
}

/// `Case.ContactEmail` and its like are the Contact's own values.
fn of_contact(ctx: &Ctx<'_>, row: &Row, name: &str) -> Result<Value, Refusal> {
    let Some(id) = row.fields.get("ContactId").and_then(Value::as_str) else {
        return Ok(Value::Null);
    };
    let Some((_, contact)) = ctx.row(id)? else {
        return Ok(Value::Null);
    };
    let name = match name {
        "ContactEmail" => "Email",
        "ContactPhone" => "Phone",
        "ContactMobile" => "MobilePhone",
        _ => "Fax",
    };
    Ok(contact.fields.get(name).cloned().unwrap_or(Value::Null))
}
