//! What changed in a span of time: `sobjects/X/updated` and `sobjects/X/deleted`.

use chrono::{DateTime, Timelike, Utc};
use serde_json::{Value, json};

use super::{Reply, Request};
use crate::org::engine::Ctx;
use crate::org::error::Refusal;
use crate::org::schema::Object;
use crate::org::store;
use crate::org::values::{date_time_text, moment};

/// Days that can be asked for.
const MOST_DAYS: i64 = 30;
/// Rows read at once.
const PIECE: usize = 1_000;

pub(super) fn updated(ctx: &Ctx<'_>, request: &Request, object: &str) -> Result<Reply, Refusal> {
    let (object, span) = (known(ctx, object)?, span(ctx, request)?);
    let ids: Vec<Value> = within(ctx, object, false, span)?
        .into_iter()
        .map(|(id, _)| json!(id))
        .collect();
    Ok(Reply::json(
        200,
        json!({"ids": ids, "latestDateCovered": date_time_text(span.1)}),
    ))
}

pub(super) fn deleted(ctx: &Ctx<'_>, request: &Request, object: &str) -> Result<Reply, Refusal> {
    let (object, span) = (known(ctx, object)?, span(ctx, request)?);
    let rows: Vec<Value> = within(ctx, object, true, span)?
        .into_iter()
        .map(|(id, at)| json!({"deletedDate": at, "id": id}))
        .collect();
    let earliest = date_time_text(ctx.now - chrono::Duration::days(MOST_DAYS));
    Ok(Reply::json(
        200,
        json!({
            "deletedRecords": rows, "earliestDateAvailable": earliest, "latestDateCovered": date_time_text(span.1),
        }),
    ))
}

fn known<'a>(ctx: &Ctx<'a>, name: &str) -> Result<&'a Object, Refusal> {
    let object = ctx.schema().object(name);
    object
        .filter(|object| object.queryable && !object.tooling)
        .ok_or_else(Refusal::not_found)
}

/// Seconds are left out, as the platform does it: the span begins and ends with a minute.
fn span(ctx: &Ctx<'_>, request: &Request) -> Result<(DateTime<Utc>, DateTime<Utc>), Refusal> {
    let at = |name: &str| {
        let text = request.parameter(name).ok_or_else(|| {
            let message = format!("The {name} parameter is required");
            Refusal::new("MISSING_ARGUMENT", message)
        })?;
        // A plus sign in an address is a blank unless it was encoded.
        let read = moment(&text.replace(' ', "+"));
        let read = read.and_then(|moment| moment.with_second(0));
        read.ok_or_else(|| Refusal::new("INVALID_VALUE", format!("{name}: {text} is no moment")))
    };
    let (start, end) = (at("start")?, at("end")?);
    if start >= end {
        let message = "startDate must be at least one minute before endDate";
        return Err(Refusal::new("INVALID_REPLICATION_DATE", message));
    }
    if (ctx.now - start).num_days() > MOST_DAYS {
        let message = "startDate before org creation or replication limit";
        return Err(Refusal::new("INVALID_REPLICATION_DATE", message));
    }
    Ok((start, end))
}

/// Ids of the rows that changed, with the moment.
fn within(
    ctx: &Ctx<'_>,
    object: &Object,
    deleted: bool,
    (start, end): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<(String, String)>, Refusal> {
    let (mut found, mut after) = (Vec::new(), 0);
    loop {
        let rows = store::page(ctx.db, object, after, PIECE)?;
        let Some(last) = rows.last() else {
            return Ok(found);
        };
        after = last.number;
        for row in rows.iter().filter(|row| row.deleted == deleted) {
            let stamp = row.fields.get("SystemModstamp").and_then(Value::as_str);
            let Some((text, at)) = stamp.and_then(|text| Some((text, moment(text)?))) else {
                continue;
            };
            if (start..end).contains(&at) {
                found.push((ctx.id(object, row.number), text.to_owned()));
            }
        }
    }
}
