//! Single records: `sobjects/X`, by id and by external id.

use serde_json::{Value, json};

use super::{Body, Reply, Request};
use crate::org::engine::Ctx;
use crate::org::error::Refusal;
use crate::org::read;
use crate::org::schema::{Field, Object};
use crate::org::store::{self, Fields};
use crate::org::write::{Item, Operation, Outcome, existing, found, upsert_field, write};

pub(super) fn insert(ctx: &Ctx<'_>, request: &Request, object: &str) -> Result<Reply, Refusal> {
    let object = of(ctx, object)?;
    let item = Item {
        object: object.name.clone(),
        id: None,
        values: body(request)?,
        read: Default::default(),
    };
    let id = done(single(ctx, request, Operation::Insert, item)?)?;
    let mut reply = Reply::json(201, json!({"id": id, "success": true, "errors": []}));
    reply.headers.push((
        "location",
        format!(
            "/services/data/v{}.0/sobjects/{}/{id}",
            ctx.version, object.name
        ),
    ));
    Ok(reply)
}

pub(super) fn by_id(
    ctx: &Ctx<'_>,
    request: &Request,
    method: &str,
    object: &str,
    id: &str,
) -> Result<Reply, Refusal> {
    let object = of(ctx, object)?;
    match method {
        "GET" => {
            let row = existing(ctx, object, id)?;
            let names = wanted(object, request)?;
            Ok(Reply::json(
                200,
                read::record(ctx, object, &row, names.as_deref())?,
            ))
        }
        "PATCH" => {
            let item = Item {
                object: object.name.clone(),
                id: Some(id.to_owned()),
                values: body(request)?,
                read: Default::default(),
            };
            done(single(ctx, request, Operation::Update, item)?)?;
            Ok(Reply::empty(204))
        }
        "DELETE" => {
            existing(ctx, object, id)?;
            let item = Item {
                object: object.name.clone(),
                id: Some(id.to_owned()),
                values: Fields::new(),
                read: Default::default(),
            };
            done(single(ctx, request, Operation::Delete, item)?)?;
            Ok(Reply::empty(204))
        }
        _ => Err(not_allowed(method)),
    }
}

pub(super) fn by_external_id(
    ctx: &Ctx<'_>,
    request: &Request,
    method: &str,
    object: &str,
    field: &str,
    value: &str,
) -> Result<Reply, Refusal> {
    let object = of(ctx, object)?;
    let field = upsert_field(object, field)?;
    let rows = || found(ctx, object, field, &json!(value));
    match method {
        "GET" => match rows()?.as_slice() {
            [] => Err(Refusal::not_found()),
            [one] => {
                let row = store::get(ctx.db, object, *one)?.ok_or_else(Refusal::not_found)?;
                let names = wanted(object, request)?;
                Ok(Reply::json(
                    200,
                    read::record(ctx, object, &row, names.as_deref())?,
                ))
            }
            several => Ok(choices(ctx, object, several)),
        },
        "PATCH" => {
            let several = rows()?;
            if several.len() > 1 {
                return Ok(choices(ctx, object, &several));
            }
            upsert(ctx, request, object, field, value)
        }
        "DELETE" => match rows()?.as_slice() {
            [] => Err(Refusal::not_found()),
            [one] => by_id(ctx, request, "DELETE", &object.name, &ctx.id(object, *one)),
            several => Ok(choices(ctx, object, several)),
        },
        _ => Err(not_allowed(method)),
    }
}

fn upsert(
    ctx: &Ctx<'_>,
    request: &Request,
    object: &Object,
    field: &Field,
    value: &str,
) -> Result<Reply, Refusal> {
    let mut values = body(request)?;
    let repeated = values
        .keys()
        .find(|name| name.eq_ignore_ascii_case(&field.name) || name.eq_ignore_ascii_case("Id"));
    if let Some(name) = repeated {
        let message = format!("The {name} field should not be specified in the sobject data.");
        return Err(Refusal::new("INVALID_FIELD", message).on(name));
    }
    values.insert(field.name.clone(), json!(value));
    let item = Item {
        object: object.name.clone(),
        id: None,
        values,
        read: Default::default(),
    };
    let operation = Operation::Upsert {
        field: &field.name,
        update_only: request.flag("updateOnly"),
    };
    let outcome = single(ctx, request, operation, item)?;
    let created = outcome.created == Some(true);
    let id = done(outcome)?;
    let answer = json!({"id": id, "success": true, "errors": [], "created": created});
    Ok(Reply::json(if created { 201 } else { 200 }, answer))
}

/// The bytes of a file.
pub(super) fn blob(ctx: &Ctx<'_>, object: &str, id: &str) -> Result<Reply, Refusal> {
    let object = of(ctx, object)?;
    let row = existing(ctx, object, id)?;
    let latest = row.fields.get("LatestPublishedVersionId");
    let version = latest
        .and_then(Value::as_str)
        .and_then(|id| ctx.engine.ids.parse(id));
    let number = version.map_or(row.number, |(_, number)| number);
    let mut reply = Reply::empty(200);
    reply.body = Body::File(ctx.engine.blob(number));
    Ok(reply)
}

fn single(
    ctx: &Ctx<'_>,
    request: &Request,
    operation: Operation<'_>,
    item: Item,
) -> Result<Outcome, Refusal> {
    let mut outcomes = write(ctx, &request.call(false), operation, &[item])?;
    outcomes
        .pop()
        .ok_or_else(|| Refusal::broken("a write without an outcome"))
}

fn done(outcome: Outcome) -> Result<String, Refusal> {
    match (outcome.id, outcome.error) {
        (_, Some(error)) => Err(error),
        (Some(id), None) => Ok(id),
        (None, None) => Err(Refusal::broken("an outcome without an id")),
    }
}

fn of<'a>(ctx: &Ctx<'a>, name: &str) -> Result<&'a Object, Refusal> {
    ctx.schema().object(name).ok_or_else(Refusal::not_found)
}

fn body(request: &Request) -> Result<Fields, Refusal> {
    match request.json()? {
        Value::Object(fields) => Ok(fields),
        _ => Err(Refusal::new(
            "JSON_PARSER_ERROR",
            "a record is a JSON object",
        )),
    }
}

fn wanted<'o>(object: &'o Object, request: &Request) -> Result<Option<Vec<&'o Field>>, Refusal> {
    request
        .parameter("fields")
        .map(|names| {
            names
                .split(',')
                .map(|name| field(object, name.trim()))
                .collect()
        })
        .transpose()
}

pub(super) fn field<'o>(object: &'o Object, name: &str) -> Result<&'o Field, Refusal> {
    object.field(name).ok_or_else(|| {
        let message = format!("No such column '{name}' on sobject of type {}", object.name);
        Refusal::new("INVALID_FIELD", message)
    })
}

fn choices(ctx: &Ctx<'_>, object: &Object, numbers: &[i64]) -> Reply {
    let urls: Vec<String> = numbers
        .iter()
        .map(|number| {
            format!(
                "/services/data/v{}.0/sobjects/{}/{}",
                ctx.version,
                object.name,
                ctx.id(object, *number)
            )
        })
        .collect();
    Reply::json(300, json!(urls))
}

pub(super) fn not_allowed(method: &str) -> Refusal {
    let message = format!("HTTP Method '{method}' not allowed.");
    Refusal::new("METHOD_NOT_ALLOWED", message).with_status(405)
}
