//! `composite/sobjects`: up to 200 rows per call, answered in their order.

use serde_json::{Value, json};

use super::records::{field, not_allowed};
use super::{Reply, Request, decoded};
use crate::org::engine::Ctx;
use crate::org::error::Refusal;
use crate::org::read;
use crate::org::schema::Field;
use crate::org::store::{self, Fields};
use crate::org::write::{Item, Operation, Outcome, write};

const MOST_ROWS: usize = 200;
const MOST_READ: usize = 2_000;

pub(super) fn collections(
    ctx: &Ctx<'_>,
    request: &Request,
    method: &str,
    rest: &[&str],
) -> Result<Reply, Refusal> {
    match (method, rest) {
        ("POST", []) => rows(ctx, request, Operation::Insert, None),
        ("PATCH", []) => rows(ctx, request, Operation::Update, None),
        ("PATCH", [object, field]) => {
            let operation = Operation::Upsert {
                field,
                update_only: request.flag("updateOnly"),
            };
            rows(ctx, request, operation, Some(object))
        }
        ("DELETE", []) => delete(ctx, request),
        ("GET", [object]) => {
            let ids: Vec<String> = split(request.parameter("ids"));
            retrieve(ctx, object, &ids, &split(request.parameter("fields")))
        }
        ("POST", [object]) => {
            let body = request.json()?;
            let texts = |name: &str| -> Vec<String> {
                let items = body
                    .get(name)
                    .and_then(Value::as_array)
                    .into_iter()
                    .flatten();
                items.filter_map(Value::as_str).map(str::to_owned).collect()
            };
            retrieve(ctx, object, &texts("ids"), &texts("fields"))
        }
        _ => Err(not_allowed(method)),
    }
}

fn split(list: Option<&str>) -> Vec<String> {
    list.unwrap_or_default()
        .split(',')
        .map(|part| decoded(part.trim()))
        .filter(|part| !part.is_empty())
        .collect()
}

fn rows(
    ctx: &Ctx<'_>,
    request: &Request,
    operation: Operation<'_>,
    only: Option<&str>,
) -> Result<Reply, Refusal> {
    let body = request.json()?;
    let Some(records) = body.get("records").and_then(Value::as_array) else {
        return Err(Refusal::new(
            "INVALID_INPUT",
            "The request has no list of records",
        ));
    };
    at_most(records.len(), MOST_ROWS)?;
    let items = records
        .iter()
        .map(|record| item(record, only))
        .collect::<Result<Vec<_>, _>>()?;
    let all_or_none = body
        .get("allOrNone")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    let outcomes = write(ctx, &request.call(all_or_none), operation, &items)?;
    Ok(answer(&outcomes))
}

fn item(record: &Value, only: Option<&str>) -> Result<Item, Refusal> {
    let named = record
        .pointer("/attributes/type")
        .and_then(Value::as_str)
        .or(only);
    let object = named.ok_or_else(|| {
        Refusal::new(
            "INVALID_INPUT",
            "Include the record type in attributes.type",
        )
    })?;
    if only.is_some_and(|only| !only.eq_ignore_ascii_case(object)) {
        return Err(Refusal::new(
            "INVALID_INPUT",
            "All records of an upsert are of the type in the address",
        ));
    }
    let mut values: Fields = record.as_object().cloned().unwrap_or_default();
    values.remove("attributes");
    let id_name = values
        .keys()
        .find(|name| name.eq_ignore_ascii_case("id"))
        .cloned();
    // An upsert by Id keeps it as its key; everywhere else it names the row.
    let id = match (only, id_name) {
        (None, Some(name)) => values
            .remove(&name)
            .and_then(|id| id.as_str().map(str::to_owned)),
        _ => None,
    };
    Ok(Item {
        object: object.to_owned(),
        id,
        values,
        read: Default::default(),
    })
}

fn delete(ctx: &Ctx<'_>, request: &Request) -> Result<Reply, Refusal> {
    let ids = split(request.parameter("ids"));
    at_most(ids.len(), MOST_ROWS)?;
    let object = |id: &str| {
        ctx.locate(id)
            .map(|(object, _)| object.name.clone())
            .unwrap_or_default()
    };
    let items: Vec<Item> = ids
        .iter()
        .map(|id| Item {
            object: object(id),
            id: Some(id.clone()),
            values: Fields::new(),
            read: Default::default(),
        })
        .collect();
    let outcomes = write(
        ctx,
        &request.call(request.flag("allOrNone")),
        Operation::Delete,
        &items,
    )?;
    Ok(answer(&outcomes))
}

fn answer(outcomes: &[Outcome]) -> Reply {
    Reply::json(
        200,
        Value::Array(outcomes.iter().map(Outcome::as_row).collect()),
    )
}

fn retrieve(
    ctx: &Ctx<'_>,
    object: &str,
    ids: &[String],
    fields: &[String],
) -> Result<Reply, Refusal> {
    let object = ctx.schema().object(object).ok_or_else(Refusal::not_found)?;
    at_most(ids.len(), MOST_READ)?;
    if fields.is_empty() {
        return Err(Refusal::new("INVALID_INPUT", "The list of fields is empty"));
    }
    let names: Vec<&Field> = fields
        .iter()
        .map(|name| field(object, name))
        .collect::<Result<_, _>>()?;
    let mut records = Vec::with_capacity(ids.len());
    for id in ids {
        let place = ctx.locate(id).filter(|(of, _)| of.name == object.name);
        let row = match place {
            Some((_, number)) => store::get(ctx.db, object, number)?.filter(|row| !row.deleted),
            None => None,
        };
        records.push(match row {
            Some(row) => read::record(ctx, object, &row, Some(&names))?,
            None => Value::Null,
        });
    }
    Ok(Reply::json(200, json!(records)))
}

fn at_most(rows: usize, most: usize) -> Result<(), Refusal> {
    if rows <= most {
        return Ok(());
    }
    let message = format!("Maximum number of records allowed is {most}, this request has {rows}");
    Err(Refusal::new("EXCEEDED_MAX_SIZE_REQUEST", message))
}
