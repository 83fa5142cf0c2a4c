//! References: they must exist, be of the right object, and be owners who may own.

use serde_json::{Value, json};

use crate::org::engine::Ctx;
use crate::org::error::Refusal;
use crate::org::ids::well_formed;
use crate::org::schema::{Field, Kind, Object};
use crate::org::store::{self, Fields};

/// Checks every reference of a row and spells it in eighteen characters.
pub(super) fn check(ctx: &Ctx<'_>, object: &Object, values: &mut Fields) -> Result<(), Refusal> {
    for field in object
        .fields
        .iter()
        .filter(|field| field.kind == Kind::Reference)
    {
        if let Some(Value::String(id)) = values.get_mut(&field.name) {
            *id = target(ctx, field, id)?;
            if field.name == "OwnerId" {
                owner(ctx, object, id)?;
            }
        }
    }
    Ok(())
}

/// The full id that `id` means, if the field may point there.
pub(super) fn target(ctx: &Ctx<'_>, field: &Field, id: &str) -> Result<String, Refusal> {
    let bad_id = || {
        Refusal::new(
            "MALFORMED_ID",
            format!("{}: id value of incorrect type: {id}", field.label),
        )
        .on(&field.name)
    };
    let dangling = || {
        Refusal::new("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id").on(&field.name)
    };
    let short = well_formed(id).ok_or_else(bad_id)?;
    let Some((object, number)) = ctx.locate(short) else {
        // A well-formed id of another org, or of an object this one lacks.
        let known = ctx
            .schema()
            .by_prefix(&short[..3])
            .is_some_and(|o| field.reference_to.contains(&o.name));
        return Err(if known { dangling() } else { bad_id() });
    };
    if !field.reference_to.contains(&object.name) {
        return Err(bad_id());
    }
    match store::state(ctx.db, object, number)? {
        Some(false) => Ok(ctx.id(object, number)),
        Some(true) => Err(Refusal::new("ENTITY_IS_DELETED", "entity is deleted").on(&field.name)),
        None => Err(dangling()),
    }
}

fn owner(ctx: &Ctx<'_>, object: &Object, id: &str) -> Result<(), Refusal> {
    if ctx.db.may_own(id) {
        return Ok(());
    }
    let Some((of, row)) = ctx.row(id)? else {
        return Ok(());
    };
    if of.name == "Group" {
        return queue_owner(ctx, object, id);
    }
    let flag = |name: &str| {
        row.fields
            .get(name)
            .and_then(Value::as_bool)
            .unwrap_or(false)
    };
    if !flag("IsActive") && !ctx.settings().inactive_owners {
        let name = object.label.to_lowercase();
        let message = format!("operation performed with inactive user [{id}] as owner of {name}");
        return Err(Refusal::new("INACTIVE_OWNER_OR_USER", message).on("OwnerId"));
    }
    if row.fields.get("UserType").and_then(Value::as_str) != Some("Standard") {
        let message = "Operation not valid for this user type";
        return Err(Refusal::new("OP_WITH_INVALID_USER_TYPE_EXCEPTION", message).on("OwnerId"));
    }
    ctx.db.owns(id);
    Ok(())
}

/// A queue owns an object's rows only if it was set up for the object.
fn queue_owner(ctx: &Ctx<'_>, object: &Object, id: &str) -> Result<(), Refusal> {
    let queue_object = ctx.object("QueueSobject")?;
    for number in ctx.pointing("QueueSobject", "QueueId", id)? {
        let row = store::get(ctx.db, queue_object, number)?;
        if row.is_some_and(|row| row.fields.get("SobjectType") == Some(&json!(object.name))) {
            return Ok(());
        }
    }
    let message = format!(
        "Owner ID: Queue not associated with this SObject type: {}",
        object.name
    );
    Err(Refusal::new("INVALID_CROSS_REFERENCE_KEY", message).on("OwnerId"))
}

/// The id behind `{"Source_Key__c": "v"}`; a polymorphic field needs `attributes.type` beside it.
pub(super) fn by_external_id(
    ctx: &Ctx<'_>,
    object: &Object,
    field: &Field,
    value: &Value,
) -> Result<String, Refusal> {
    let named = value.pointer("/attributes/type").and_then(Value::as_str);
    let of = match (named, field.reference_to.as_slice()) {
        (Some(name), _) => ctx.object(name)?,
        (None, [only]) => ctx.object(only)?,
        (None, _) => {
            let message = format!(
                "{}: a polymorphic reference by external id names its type",
                field.name
            );
            return Err(Refusal::new("INVALID_FIELD", message).on(&field.name));
        }
    };
    let entries = value
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| *name != "attributes");
    let [(name, key)] = entries.collect::<Vec<_>>()[..] else {
        let message = format!("{}: exactly one external id is expected", field.name);
        return Err(Refusal::new("INVALID_FIELD", message).on(&field.name));
    };
    let lookup = of
        .field(name)
        .filter(|f| f.external_id || f.id_lookup)
        .ok_or_else(|| {
            Refusal::new(
                "INVALID_FIELD",
                format!(
                    "{name} is not an External ID or indexed field for {}",
                    of.name
                ),
            )
        })?;
    let shown = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
    match super::found(ctx, of, lookup, key)?.as_slice() {
        [one] => Ok(ctx.id(of, *one)),
        [] => {
            let message = format!(
                "Foreign key external ID: {shown} not found for field {name} in entity {}",
                of.name
            );
            Err(Refusal::new("INVALID_FIELD", message))
        }
        _ => {
            let message = format!(
                "{}: more than one record found for external id field {name} of {}",
                shown, object.name
            );
            Err(Refusal::new("DUPLICATE_EXTERNAL_ID", message))
        }
    }
}
