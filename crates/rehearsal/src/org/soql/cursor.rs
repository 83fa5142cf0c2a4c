//! Answers in pages. A cursor is kept in the state folder, so it outlives the process as the platform's outlives a
//! request.

use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::eval::{matching, shown, shown_of, whole};
use super::groups::grouped;
use super::parser::parse;
use super::{Query, Select};
use crate::org::engine::Ctx;
use crate::org::error::Refusal;
use crate::org::schema::Object;
use crate::org::store;

/// The largest page, and the smallest a client can ask for.
const PAGE: std::ops::RangeInclusive<usize> = 200..=2_000;
/// A page also ends when its rows grow beyond this, as pages of long texts do on the platform.
const PAGE_BYTES: usize = 8 << 20;

/// How many of the newest cursors are kept; the platform forgets its own after two days.
const KEPT: i64 = 200;

/// What a query call answers.
#[derive(Debug)]
pub(crate) struct Answer(pub(crate) Value);

/// Runs a query. `batch` is the client's wish for rows per page.
pub(crate) fn run(
    ctx: &Ctx<'_>,
    text: &str,
    with_deleted: bool,
    batch: Option<usize>,
) -> Result<Answer, Refusal> {
    let query = parse(text)?;
    ctx.children.set(size(batch));
    if query.is_aggregate() {
        let rows = grouped(ctx, &query, with_deleted)?;
        return Ok(Answer(
            json!({"totalSize": rows.len(), "done": true, "records": rows}),
        ));
    }
    if let Some(object) = whole(ctx, &query, with_deleted)? {
        return begun(ctx, object, &query, text, size(batch)).map(Answer);
    }
    let numbers = matching(ctx, &query, with_deleted)?;
    match &query.select {
        Select::Count => Ok(Answer(
            json!({"totalSize": numbers.len(), "done": true, "records": []}),
        )),
        Select::Items(_) => {
            let object = ctx.object(&query.from)?;
            let (records, used) = page(ctx, object, &query, &numbers, size(batch))?;
            if used == numbers.len() {
                return Ok(Answer(
                    json!({"totalSize": numbers.len(), "done": true, "records": records}),
                ));
            }
            let next = locator(ctx, kept(ctx, text, with_deleted, &numbers)?, used);
            Ok(Answer(
                json!({"totalSize": numbers.len(), "done": false, "nextRecordsUrl": next, "records": records}),
            ))
        }
    }
}

/// What stands before the text of a query for all rows of an object. With it is kept how many there were, up to which
/// number, and for each page that was begun how many rows lie before it and up to which number.
const WHOLE: &str = "whole ";

/// The first page of all rows of an object, or their count.
fn begun(
    ctx: &Ctx<'_>,
    object: &Object,
    query: &Query,
    text: &str,
    most: usize,
) -> Result<Value, Refusal> {
    let total = store::count(ctx.db, object)?;
    if matches!(query.select, Select::Count) {
        return Ok(json!({"totalSize": total, "done": true, "records": []}));
    }
    let last = store::next_number(ctx.db, object)? - 1;
    let (records, used, next) = page_after(ctx, object, query, (0, last), most)?;
    let Some(next) = next else {
        return Ok(json!({"totalSize": total, "done": true, "records": records}));
    };
    let place = i64::try_from(used).unwrap_or(i64::MAX);
    let cursor = kept(
        ctx,
        &format!("{WHOLE}{text}"),
        false,
        &[total, last, place, next],
    )?;
    Ok(json!({
        "totalSize": total, "done": false, "nextRecordsUrl": locator(ctx, cursor, used), "records": records,
    }))
}

/// A later page of all rows of an object.
fn gone_on(
    ctx: &Ctx<'_>,
    text: &str,
    cursor: i64,
    from: usize,
    mut known: Vec<i64>,
    most: usize,
) -> Result<Option<Answer>, Refusal> {
    let query = parse(text)?;
    let object = ctx.object(&query.from)?;
    let [total, last, pages @ ..] = known.as_slice() else {
        return Ok(None);
    };
    let at = |from: usize, pages: &[i64]| {
        let mut pages = pages.chunks_exact(2);
        pages
            .find(|page| usize::try_from(page[0]) == Ok(from))
            .map(|page| page[1])
    };
    let Some(after) = at(from, pages) else {
        return Ok(None);
    };
    let total = *total;
    let (records, used, next) = page_after(ctx, object, &query, (after, *last), most)?;
    let Some(next) = next else {
        return Ok(Some(Answer(
            json!({"totalSize": total, "done": true, "records": records}),
        )));
    };
    let place = from + used;
    if at(place, &known[2..]).is_none() {
        known.extend([i64::try_from(place).unwrap_or(i64::MAX), next]);
        ctx.db
            .prepare_cached("UPDATE cursors SET rows = ?2 WHERE n = ?1")?
            .execute(params![cursor, bytes_of(&known)])?;
    }
    Ok(Some(Answer(json!({
        "totalSize": total, "done": false, "nextRecordsUrl": locator(ctx, cursor, place), "records": records,
    }))))
}

/// Rows behind a number and up to another; how many; and the last one's number, if more follow.
fn page_after(
    ctx: &Ctx<'_>,
    object: &Object,
    query: &Query,
    (after, last): (i64, i64),
    most: usize,
) -> Result<(Vec<Value>, usize, Option<i64>), Refusal> {
    let numbers = store::numbers(ctx.db, object, (after, last), most + 1)?;
    let (records, used) = page(ctx, object, query, &numbers, most)?;
    let next = (used < numbers.len()).then(|| numbers[used - 1]);
    Ok((records, used, next))
}

fn bytes_of(numbers: &[i64]) -> Vec<u8> {
    numbers
        .iter()
        .flat_map(|number| number.to_le_bytes())
        .collect()
}

/// Keeps a query with the numbers of its rows; the cursor.
fn kept(ctx: &Ctx<'_>, text: &str, with_deleted: bool, numbers: &[i64]) -> Result<i64, Refusal> {
    let bytes = bytes_of(numbers);
    ctx.db
        .prepare_cached("INSERT INTO cursors(query, deleted, rows) VALUES(?1, ?2, ?3)")?
        .execute(params![text, with_deleted, bytes])?;
    let cursor = ctx.db.last_insert_rowid();
    ctx.db
        .prepare_cached("DELETE FROM cursors WHERE n <= ?1")?
        .execute([cursor - KEPT])?;
    Ok(cursor)
}

/// A query of children, which no text of its own describes.
#[derive(Serialize, Deserialize)]
struct OfChildren {
    object: String,
    query: Query,
}

/// Where the children of a record go on behind the first ones.
pub(super) fn of_children(
    ctx: &Ctx<'_>,
    child: &Object,
    query: &Query,
    numbers: &[i64],
    shown: usize,
) -> Result<String, Refusal> {
    let text = serde_json::to_string(&OfChildren {
        object: child.name.clone(),
        query: query.clone(),
    })?;
    Ok(locator(ctx, kept(ctx, &text, false, numbers)?, shown))
}

/// Rows of a query by their numbers, as one list.
pub(crate) fn all(ctx: &Ctx<'_>, text: &str, numbers: &[i64]) -> Result<Vec<Value>, Refusal> {
    let query = parse(text)?;
    let mut records = Vec::with_capacity(numbers.len());
    for number in numbers {
        records.extend(shown(ctx, &query, *number)?);
    }
    Ok(records)
}

/// The page behind a `nextRecordsUrl`, of which `locator` is the last part.
pub(crate) fn more(
    ctx: &Ctx<'_>,
    locator_text: &str,
    batch: Option<usize>,
) -> Result<Answer, Refusal> {
    let invalid = || Refusal::new("INVALID_QUERY_LOCATOR", "invalid query locator");
    let (cursor, from) = locator_text.split_once('-').ok_or_else(invalid)?;
    let cursor: i64 = cursor
        .strip_prefix("0r8")
        .and_then(|n| n.parse().ok())
        .ok_or_else(invalid)?;
    let from: usize = from.parse().map_err(|_| invalid())?;
    let kept: Option<(String, Vec<u8>)> = ctx
        .db
        .prepare_cached("SELECT query, rows FROM cursors WHERE n = ?1")?
        .query_row([cursor], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (text, bytes) = kept.ok_or_else(invalid)?;
    ctx.children.set(size(batch));
    let numbers: Vec<i64> = bytes
        .chunks_exact(8)
        .map(|b| i64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]))
        .collect();
    if let Some(text) = text.strip_prefix(WHOLE) {
        return gone_on(ctx, text, cursor, from, numbers, size(batch))?.ok_or_else(invalid);
    }
    let (query, of) = if text.starts_with('{') {
        let OfChildren { object, query } = serde_json::from_str(&text)?;
        (query, object)
    } else {
        let query = parse(&text)?;
        let of = query.from.clone();
        (query, of)
    };
    let object = ctx.object(&of)?;
    let rest = numbers.get(from..).ok_or_else(invalid)?;
    let (records, used) = page(ctx, object, &query, rest, size(batch))?;
    let end = from + used;
    if end == numbers.len() {
        return Ok(Answer(
            json!({"totalSize": numbers.len(), "done": true, "records": records}),
        ));
    }
    let next = locator(ctx, cursor, end);
    Ok(Answer(
        json!({"totalSize": numbers.len(), "done": false, "nextRecordsUrl": next, "records": records}),
    ))
}

fn size(batch: Option<usize>) -> usize {
    batch
        .unwrap_or(*PAGE.end())
        .clamp(*PAGE.start(), *PAGE.end())
}

fn locator(ctx: &Ctx<'_>, cursor: i64, from: usize) -> String {
    format!(
        "/services/data/v{}.0/query/0r8{cursor:012}-{from}",
        ctx.version
    )
}

/// Rows from the front of `numbers`, and how many of them were used.
fn page(
    ctx: &Ctx<'_>,
    object: &Object,
    query: &Query,
    numbers: &[i64],
    most: usize,
) -> Result<(Vec<Value>, usize), Refusal> {
    let (mut records, mut bytes, mut used) = (Vec::new(), 0, 0);
    for number in numbers.iter().take(most) {
        if bytes > PAGE_BYTES {
            break;
        }
        used += 1;
        if let Some(record) = shown_of(ctx, object, query, *number)? {
            bytes += weight(&record);
            records.push(record);
        }
    }
    Ok((records, used))
}

/// About how large a value is in an answer.
fn weight(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.iter().map(weight).sum(),
        Value::Object(entries) => entries
            .iter()
            .map(|(name, value)| name.len() + 4 + weight(value))
            .sum(),
        _ => 5,
    }
}
