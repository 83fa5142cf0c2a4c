//! Which rows a query means, and what it shows of them.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::check::{check, field, object, relationship, restricted};
use super::filter::{by_order, compare, holds, parent, path_value};
use super::{Aggregate, Expr, Literal, Operator, Query, Select};
use crate::org::engine::Ctx;
use crate::org::error::Refusal;
use crate::org::read;
use crate::org::schema::{Kind, Object};
use crate::org::store::{self, Row};

/// How many rows are read at once.
const CHUNK: usize = 1_000;

/// The numbers of the rows that match, in their order, LIMIT and OFFSET applied.
pub(super) fn matching(
    ctx: &Ctx<'_>,
    query: &Query,
    with_deleted: bool,
) -> Result<Vec<i64>, Refusal> {
    let object = object(ctx, &query.from)?;
    check(ctx, object, query)?;
    let filter = query
        .filter
        .as_ref()
        .map(|filter| without_queries(ctx, filter.clone()))
        .transpose()?;
    restricted(ctx, object, filter.as_ref())?;
    let enough = query
        .order
        .is_empty()
        .then(|| query.limit.map(|limit| limit + query.offset))
        .flatten()
        .unwrap_or(usize::MAX);
    let mut kept: Vec<(Vec<Value>, i64)> = Vec::new();
    let mut keep = |row: &Row| -> Result<bool, Refusal> {
        if (row.deleted && !with_deleted)
            || !filter
                .as_ref()
                .map_or(Ok(true), |filter| holds(ctx, object, row, filter))?
        {
            return Ok(true);
        }
        let keys = query
            .order
            .iter()
            .map(|order| path_value(ctx, object, row, &order.path))
            .collect::<Result<_, _>>()?;
        kept.push((keys, row.number));
        Ok(kept.len() < enough)
    };
    let known = if with_deleted {
        None
    } else {
        filter
            .as_ref()
            .map(|f| candidates(ctx, object, f))
            .transpose()?
            .flatten()
    };
    match known {
        Some(numbers) => {
            for number in numbers {
                if let Some(row) = store::get(ctx.db, object, number)?
                    && !keep(&row)?
                {
                    break;
                }
            }
        }
        None => {
            let mut after = 0;
            'all: loop {
                let rows = store::page(ctx.db, object, after, CHUNK)?;
                for row in &rows {
                    if !keep(row)? {
                        break 'all;
                    }
                }
                match rows.last() {
                    Some(last) => after = last.number,
                    None => break,
                }
            }
        }
    }
    kept.sort_by(|(a, x), (b, y)| by_order(&query.order, a, b).then(x.cmp(y)));
    let limit = query.limit.unwrap_or(usize::MAX);
    Ok(kept
        .into_iter()
        .skip(query.offset)
        .take(limit)
        .map(|(_, number)| number)
        .collect())
}

/// One row as the select list wants it; none if it is gone by now.
pub(super) fn shown(ctx: &Ctx<'_>, query: &Query, number: i64) -> Result<Option<Value>, Refusal> {
    let object = object(ctx, &query.from)?;
    let Some(row) = store::get(ctx.db, object, number)? else {
        return Ok(None);
    };
    let Select::Fields(paths) = &query.select else {
        return Ok(None);
    };
    let mut record = Map::new();
    record.insert("attributes".into(), read::attributes(ctx, object, number));
    for path in paths {
        show(ctx, object, &row, path, &mut record)?;
    }
    Ok(Some(Value::Object(record)))
}

fn show(
    ctx: &Ctx<'_>,
    object: &Object,
    row: &Row,
    path: &[String],
    into: &mut Map<String, Value>,
) -> Result<(), Refusal> {
    let (first, rest) = path.split_first().ok_or_else(Refusal::not_found)?;
    if rest.is_empty() {
        // The path was checked before; what one of several possible parents lacks is null.
        let (name, value) = match object.field(first) {
            Some(field) => (field.name.clone(), read::value(ctx, object, row, field)?),
            None => (first.clone(), Value::Null),
        };
        into.insert(name, value);
        return Ok(());
    }
    let by = relationship(object, first)?;
    let name = by.relationship.clone().unwrap_or_default();
    let Some((parent, parent_row)) = parent(ctx, row, by)? else {
        into.insert(name, Value::Null);
        return Ok(());
    };
    let entry = into
        .entry(name)
        .or_insert_with(|| json!({"attributes": read::attributes(ctx, parent, parent_row.number)}));
    match entry {
        Value::Object(entry) => show(ctx, parent, &parent_row, rest, entry),
        _ => Ok(()),
    }
}

/// The one row of aggregates.
pub(super) fn aggregated(
    ctx: &Ctx<'_>,
    query: &Query,
    wanted: &[Aggregate],
    numbers: &[i64],
) -> Result<Value, Refusal> {
    let object = object(ctx, &query.from)?;
    let mut answer =
        Map::from_iter([("attributes".to_owned(), json!({"type": "AggregateResult"}))]);
    for (n, aggregate) in wanted.iter().enumerate() {
        let mut values = Vec::with_capacity(numbers.len());
        for number in numbers {
            if let Some(row) = store::get(ctx.db, object, *number)? {
                values.push(path_value(ctx, object, &row, &aggregate.path)?);
            }
        }
        values.retain(|value| !value.is_null());
        let name = aggregate
            .alias
            .clone()
            .unwrap_or_else(|| format!("expr{n}"));
        answer.insert(name, fold(&aggregate.function, values));
    }
    Ok(Value::Object(answer))
}

fn fold(function: &str, mut values: Vec<Value>) -> Value {
    let sum = |values: &[Value]| values.iter().filter_map(Value::as_f64).sum::<f64>();
    match function {
        "COUNT" => json!(values.len()),
        "COUNT_DISTINCT" => json!(
            values
                .iter()
                .map(Value::to_string)
                .collect::<HashSet<_>>()
                .len()
        ),
        "SUM" => json!(sum(&values)),
        "AVG" if values.is_empty() => Value::Null,
        #[allow(
            clippy::cast_precision_loss,
            reason = "a count of rows is far below 2^52"
        )]
        "AVG" => json!(sum(&values) / values.len() as f64),
        _ => {
            values.sort_by(compare);
            let end = if function == "MIN" {
                values.first()
            } else {
                values.last()
            };
            end.cloned().unwrap_or(Value::Null)
        }
    }
}

/// Replaces `IN (SELECT …)` by the values it stands for.
fn without_queries(ctx: &Ctx<'_>, filter: Expr) -> Result<Expr, Refusal> {
    let all = |parts: Vec<Expr>| {
        parts
            .into_iter()
            .map(|part| without_queries(ctx, part))
            .collect::<Result<Vec<_>, _>>()
    };
    Ok(match filter {
        Expr::And(parts) => Expr::And(all(parts)?),
        Expr::Or(parts) => Expr::Or(all(parts)?),
        Expr::Not(inner) => Expr::Not(Box::new(without_queries(ctx, *inner)?)),
        Expr::InQuery {
            path,
            negated,
            query,
        } => {
            let Select::Fields(selected) = &query.select else {
                return Err(Refusal::new(
                    "MALFORMED_QUERY",
                    "a query inside IN selects one field",
                ));
            };
            let [selected] = selected.as_slice() else {
                return Err(Refusal::new(
                    "MALFORMED_QUERY",
                    "a query inside IN selects one field",
                ));
            };
            let of = object(ctx, &query.from)?;
            let mut values = Vec::new();
            for number in matching(ctx, &query, false)? {
                if let Some(row) = store::get(ctx.db, of, number)?
                    && let Value::String(text) = path_value(ctx, of, &row, selected)?
                {
                    values.push(Literal::Text(text));
                }
            }
            Expr::In {
                path,
                negated,
                values,
            }
        }
        other => other,
    })
}

/// The rows that can match at all, when an index or the id itself tells; in the order of their numbers.
fn candidates(ctx: &Ctx<'_>, object: &Object, filter: &Expr) -> Result<Option<Vec<i64>>, Refusal> {
    let (path, values): (&[String], Vec<&Literal>) = match filter {
        Expr::And(parts) => {
            for part in parts {
                if let Some(found) = candidates(ctx, object, part)? {
                    return Ok(Some(found));
                }
            }
            return Ok(None);
        }
        Expr::Compare {
            path,
            operator: Operator::Equal,
            value,
        } => (path, vec![value]),
        Expr::In {
            path,
            negated: false,
            values,
        } => (path, values.iter().collect()),
        _ => return Ok(None),
    };
    let [name] = path else { return Ok(None) };
    let field = field(object, name)?;
    let mut numbers = Vec::new();
    for value in values {
        let Literal::Text(text) = value else {
            return Ok(None);
        };
        if field.kind == Kind::Id {
            numbers.extend(
                ctx.locate(text)
                    .filter(|(of, _)| of.name == object.name)
                    .map(|(_, number)| number),
            );
        } else if field.is_indexed() {
            if let Some(key) = store::index_key(field, &json!(text)) {
                numbers.extend(store::find(ctx.db, object, field, &key)?);
            }
        } else {
            return Ok(None);
        }
    }
    numbers.sort_unstable();
    numbers.dedup();
    Ok(Some(numbers))
}
