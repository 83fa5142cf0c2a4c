//! Names of people, users, queues and their members.

use serde_json::{Value, json};

use super::given::Given;
use crate::org::engine::Ctx;
use crate::org::error::Refusal;
use crate::org::schema::{Kind, Object};
use crate::org::store::{self, Row};

/// The compound name of a Contact, Lead or User.
pub(super) fn full_name(before: Option<&Row>, given: &mut Given) {
    let part = |name: &str| {
        let stored = || before.and_then(|row| row.fields.get(name));
        given
            .values
            .get(name)
            .or_else(stored)
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    let parts: Vec<String> = ["FirstName", "LastName"]
        .iter()
        .filter_map(|name| part(name))
        .collect();
    given.values.insert("Name".into(), json!(parts.join(" ")));
}

pub(super) fn before_user(given: &mut Given) -> Result<(), Refusal> {
    given.values.insert("UserType".into(), json!("Standard"));
    Ok(())
}

/// Only plain groups and queues can be made (Salesforce object reference, section 7).
pub(super) fn before_group(ctx: &Ctx<'_>, object: &Object, given: &Given) -> Result<(), Refusal> {
    match given.text("Type") {
        None | Some("Regular" | "Queue") => one_of_its_name(ctx, object, given),
        Some(other) => {
            let message = format!("Type: a group of type {other} cannot be created");
            Err(Refusal::new("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message).on("Type"))
        }
    }
}

/// Names for programs are given once. They have no index, so this reads every row; there are few.
fn one_of_its_name(ctx: &Ctx<'_>, object: &Object, given: &Given) -> Result<(), Refusal> {
    let Some(name) = given.text("DeveloperName") else {
        return Ok(());
    };
    let mut after = 0;
    loop {
        let rows = store::page(ctx.db, object, after, 1_000)?;
        let same = |row: &&Row| {
            let other = row.fields.get("DeveloperName").and_then(Value::as_str);
            !row.deleted && other.is_some_and(|other| other.eq_ignore_ascii_case(name))
        };
        if let Some(row) = rows.iter().find(same) {
            let id = ctx.id(object, row.number);
            let message = format!(
                "duplicate value found: DeveloperName duplicates value on record with id: {}",
                &id[..15]
            );
            return Err(Refusal::new("DUPLICATE_DEVELOPER_NAME", message).on("DeveloperName"));
        }
        match rows.last() {
            Some(last) => after = last.number,
            None => return Ok(()),
        }
    }
}

/// Two rows that say the same: (group, member), (queue, object), (person, permission set).
pub(super) fn not_twice(ctx: &Ctx<'_>, object: &Object, given: &mut Given) -> Result<(), Refusal> {
    let parts: Vec<_> = object
        .fields
        .iter()
        .filter(|field| field.createable)
        .collect();
    let Some(first) = parts.iter().find(|field| field.kind == Kind::Reference) else {
        return Ok(());
    };
    let Some(key) = given
        .values
        .get(&first.name)
        .and_then(|value| store::index_key(first, value))
    else {
        return Ok(());
    };
    for number in store::find(ctx.db, object, first, &key)? {
        let Some(other) = store::get(ctx.db, object, number)? else {
            continue;
        };
        let same = parts.iter().all(|field| {
            let own = given
                .values
                .get(&field.name)
                .and_then(|value| store::index_key(field, value));
            own == other
                .fields
                .get(&field.name)
                .and_then(|value| store::index_key(field, value))
        });
        if same {
            return Err(Refusal::new("DUPLICATE_VALUE", doubled(object, given)));
        }
    }
    Ok(())
}

fn doubled(object: &Object, given: &Given) -> String {
    let value = |name: &str| given.text(name).unwrap_or_default();
    if object.name == "PermissionSetAssignment" {
        let (person, set) = (value("AssigneeId"), value("PermissionSetId"));
        return format!(
            "Duplicate PermissionSetAssignment. Assignee: {person}; Permission Set: {set}"
        );
    }
    format!(
        "duplicate value found: <unknown> duplicates value on record with id: <unknown> ({})",
        object.name
    )
}
