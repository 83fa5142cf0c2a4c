//! Which rows a query means, and what it shows of them.

use std::cmp::Ordering;
use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::{Aggregate, Expr, Literal, Operator, Order, Query, Select};
use crate::org::engine::Ctx;
use crate::org::error::Refusal;
use crate::org::read;
use crate::org::schema::{Field, Kind, Object};
use crate::org::store::{self, Row};
use crate::org::values::{date_time_text, day, moment};

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
        let field = field(object, first)?;
        into.insert(field.name.clone(), read::value(ctx, object, row, field)?);
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

pub(super) fn object<'a>(ctx: &Ctx<'a>, name: &str) -> Result<&'a Object, Refusal> {
    ctx.engine.schema.object(name).filter(|object| object.queryable).ok_or_else(|| {
        let message = format!(
            "sObject type '{name}' is not supported. If you are attempting to use a custom object, be sure to append the \
             '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate names."
        );
        Refusal::new("INVALID_TYPE", message)
    })
}

fn field<'o>(object: &'o Object, name: &str) -> Result<&'o Field, Refusal> {
    object.field(name).ok_or_else(|| {
        let message = format!(
            "No such column '{name}' on entity '{}'. If you are attempting to use a custom field, be sure to append the \
             '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate names.",
            object.name
        );
        Refusal::new("INVALID_FIELD", message)
    })
}

fn relationship<'o>(object: &'o Object, name: &str) -> Result<&'o Field, Refusal> {
    object.by_relationship(name).ok_or_else(|| {
        let message = format!(
            "Didn't understand relationship '{name}' in field path of {}",
            object.name
        );
        Refusal::new("INVALID_FIELD", message)
    })
}

/// Walks every path of the query once, so that an empty object refuses what a full one would.
fn check(ctx: &Ctx<'_>, object: &Object, query: &Query) -> Result<(), Refusal> {
    match &query.select {
        Select::Count => {}
        Select::Fields(paths) => {
            let mut seen = HashSet::new();
            for path in paths {
                check_path(ctx, object, path)?;
                if !seen.insert(path.join(".").to_lowercase()) {
                    let message = format!("duplicate field selected: {}", path.join("."));
                    return Err(Refusal::new("INVALID_FIELD", message));
                }
            }
        }
        Select::Aggregates(aggregates) => {
            for aggregate in aggregates {
                check_path(ctx, object, &aggregate.path)?;
            }
        }
    }
    for order in &query.order {
        let field = check_path(ctx, object, &order.path)?;
        if !field.sortable {
            return Err(Refusal::new(
                "INVALID_FIELD",
                format!("field '{}' can not be sorted in a query call", field.name),
            ));
        }
    }
    query
        .filter
        .as_ref()
        .map_or(Ok(()), |filter| check_filter(ctx, object, filter))
}

/// The field at the end of a path.
pub(super) fn check_path<'a>(
    ctx: &Ctx<'a>,
    object: &'a Object,
    path: &[String],
) -> Result<&'a Field, Refusal> {
    let (last, parents) = path.split_last().ok_or_else(Refusal::not_found)?;
    let mut at = object;
    for name in parents {
        let by = relationship(at, name)?;
        // A polymorphic parent shows what all its objects share, which is what Name has.
        let target = if by.reference_to.len() > 1 {
            by.reference_to.iter().find(|to| *to == "User")
        } else {
            by.reference_to.first()
        };
        let target = target
            .or(by.reference_to.first())
            .ok_or_else(Refusal::not_found)?;
        at = ctx
            .engine
            .schema
            .object(target)
            .ok_or_else(Refusal::not_found)?;
    }
    field(at, last)
}

fn check_filter(ctx: &Ctx<'_>, object: &Object, filter: &Expr) -> Result<(), Refusal> {
    let (path, literals): (&[String], &[Literal]) = match filter {
        Expr::And(parts) | Expr::Or(parts) => {
            return parts
                .iter()
                .try_for_each(|part| check_filter(ctx, object, part));
        }
        Expr::Not(inner) => return check_filter(ctx, object, inner),
        Expr::Compare { path, value, .. } => (path, std::slice::from_ref(value)),
        Expr::In { path, values, .. } => (path, values),
        Expr::InQuery { path, .. } => (path, &[]),
    };
    let field = check_path(ctx, object, path)?;
    if !field.filterable {
        return Err(Refusal::new(
            "INVALID_FIELD",
            format!("field '{}' can not be filtered in a query call", field.name),
        ));
    }
    literals
        .iter()
        .try_for_each(|literal| check_literal(field, literal))
}

fn check_literal(field: &Field, literal: &Literal) -> Result<(), Refusal> {
    let (fits, wanted, enclosed) = match (field.kind, literal) {
        (_, Literal::Null | Literal::List(_)) => return Ok(()),
        (Kind::Boolean, literal) => (
            matches!(literal, Literal::Boolean(_)),
            "boolean",
            "should not be enclosed in quotes",
        ),
        (Kind::DateTime, literal) => (
            matches!(literal, Literal::Date(text) if moment(text).is_some()),
            "dateTime",
            "should not be enclosed in quotes",
        ),
        (Kind::Date, literal) => (
            matches!(literal, Literal::Date(text) if day(text).is_some()),
            "date",
            "should not be enclosed in quotes",
        ),
        _ if field.is_number() => (
            matches!(literal, Literal::Number(_)),
            "double",
            "should not be enclosed in quotes",
        ),
        (_, literal) => (
            matches!(literal, Literal::Text(_)),
            "string",
            "should be enclosed in quotes",
        ),
    };
    if !fits {
        let message = format!(
            "value of filter criterion for field '{}' must be of type {wanted} and {enclosed}",
            field.name
        );
        return Err(Refusal::new("INVALID_FIELD", message));
    }
    let id = matches!(field.kind, Kind::Id | Kind::Reference);
    match literal {
        Literal::Text(text)
            if id && !text.is_empty() && crate::org::ids::well_formed(text).is_none() =>
        {
            Err(Refusal::new(
                "INVALID_QUERY_FILTER_OPERATOR",
                format!("invalid ID field: {text}"),
            ))
        }
        _ => Ok(()),
    }
}

/// Without the permission to query all files, links are only shown for named documents or entities.
fn restricted(ctx: &Ctx<'_>, object: &Object, filter: Option<&Expr>) -> Result<(), Refusal> {
    if object.name != "ContentDocumentLink"
        || ctx.settings().query_all_files
        || filter.is_some_and(names_links)
    {
        return Ok(());
    }
    let message = "Implementation restriction: ContentDocumentLink requires a filter by a single Id on ContentDocumentId or \
                   LinkedEntityId using the equals operator or multiple Id's using the IN operator.";
    Err(Refusal::new("MALFORMED_QUERY", message))
}

fn names_links(filter: &Expr) -> bool {
    let named = |path: &[String]| {
        let [name] = path else { return false };
        ["ContentDocumentId", "LinkedEntityId", "Id"]
            .iter()
            .any(|known| name.eq_ignore_ascii_case(known))
    };
    match filter {
        Expr::And(parts) => parts.iter().any(names_links),
        Expr::Compare {
            path,
            operator: Operator::Equal,
            ..
        }
        | Expr::In {
            path,
            negated: false,
            ..
        } => named(path),
        _ => false,
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

fn parent<'a>(ctx: &Ctx<'a>, row: &Row, by: &Field) -> Result<Option<(&'a Object, Row)>, Refusal> {
    match row.fields.get(&by.name).and_then(Value::as_str) {
        Some(id) => ctx.row(id),
        None => Ok(None),
    }
}

fn path_value(
    ctx: &Ctx<'_>,
    object: &Object,
    row: &Row,
    path: &[String],
) -> Result<Value, Refusal> {
    match path {
        [] => Ok(Value::Null),
        [name] => read::value(ctx, object, row, field(object, name)?),
        [first, rest @ ..] => match parent(ctx, row, relationship(object, first)?)? {
            // What one of several possible parents lacks is null, as Email is of a queue's members.
            Some((of, parent)) if rest.len() > 1 || of.field(&rest[0]).is_some() => {
                path_value(ctx, of, &parent, rest)
            }
            _ => Ok(Value::Null),
        },
    }
}

fn holds(ctx: &Ctx<'_>, object: &Object, row: &Row, filter: &Expr) -> Result<bool, Refusal> {
    Ok(match filter {
        Expr::And(parts) => {
            for part in parts {
                if !holds(ctx, object, row, part)? {
                    return Ok(false);
                }
            }
            true
        }
        Expr::Or(parts) => {
            for part in parts {
                if holds(ctx, object, row, part)? {
                    return Ok(true);
                }
            }
            false
        }
        Expr::Not(inner) => !holds(ctx, object, row, inner)?,
        Expr::Compare {
            path,
            operator,
            value,
        } => {
            let field = check_path(ctx, object, path)?;
            compares(
                field,
                &path_value(ctx, object, row, path)?,
                *operator,
                value,
            )
        }
        Expr::In {
            path,
            negated,
            values,
        } => {
            let field = check_path(ctx, object, path)?;
            let own = path_value(ctx, object, row, path)?;
            values
                .iter()
                .any(|value| compares(field, &own, Operator::Equal, value))
                != *negated
        }
        Expr::InQuery { .. } => false,
    })
}

fn compares(field: &Field, own: &Value, operator: Operator, literal: &Literal) -> bool {
    if let (Operator::Includes, Literal::List(wanted)) = (operator, literal) {
        let own: Vec<String> = own
            .as_str()
            .unwrap_or_default()
            .to_lowercase()
            .split(';')
            .map(str::to_owned)
            .collect();
        // Within one quoted value `;` means all of them, between values any.
        return wanted.iter().any(|all| {
            all.to_lowercase()
                .split(';')
                .all(|one| own.iter().any(|o| o == one))
        });
    }
    let other = match literal {
        Literal::Null => Value::Null,
        // A string field is never empty: '' means null.
        Literal::Text(text) if text.is_empty() => Value::Null,
        Literal::Boolean(flag) => json!(flag),
        Literal::Number(number) => json!(number),
        Literal::Date(text) if field.kind == Kind::DateTime => {
            moment(text).map_or(Value::Null, |m| json!(date_time_text(m)))
        }
        Literal::Date(text) | Literal::Text(text) => json!(text),
        Literal::List(_) => return false,
    };
    if operator == Operator::Like {
        let (Some(own), Some(pattern)) = (own.as_str(), other.as_str()) else {
            return false;
        };
        return like(&own.to_lowercase(), &pattern.to_lowercase());
    }
    let order = match (own.is_null(), other.is_null()) {
        (true, true) => Some(Ordering::Equal),
        (true, false) | (false, true) => None,
        _ => Some(compare_as(field, own, &other)),
    };
    match operator {
        Operator::Equal => order == Some(Ordering::Equal),
        Operator::NotEqual => order != Some(Ordering::Equal),
        Operator::Less => order == Some(Ordering::Less),
        Operator::AtMost => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        Operator::Greater => order == Some(Ordering::Greater),
        Operator::AtLeast => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        Operator::Like | Operator::Includes => false,
    }
}

fn compare_as(field: &Field, own: &Value, other: &Value) -> Ordering {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match field.kind {
        Kind::Id | Kind::Reference => {
            let short = |value: &Value| text(value).chars().take(15).collect::<String>();
            short(own).cmp(&short(other))
        }
        _ if field.case_sensitive => text(own).cmp(&text(other)),
        _ => compare(own, other),
    }
}

/// The order of values: numbers by size, text without regard to case.
fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a
            .as_f64()
            .unwrap_or_default()
            .partial_cmp(&b.as_f64().unwrap_or_default())
            .unwrap_or(Ordering::Equal),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::String(a), Value::String(b)) => a.to_lowercase().cmp(&b.to_lowercase()),
        (a, b) => a.is_null().cmp(&b.is_null()).reverse(),
    }
}

fn by_order(order: &[Order], a: &[Value], b: &[Value]) -> Ordering {
    for (order, (a, b)) in order.iter().zip(a.iter().zip(b)) {
        let one = match (a.is_null(), b.is_null()) {
            (true, true) => Ordering::Equal,
            (true, false) => {
                if order.nulls_last {
                    Ordering::Greater
                } else {
                    Ordering::Less
                }
            }
            (false, true) => {
                if order.nulls_last {
                    Ordering::Less
                } else {
                    Ordering::Greater
                }
            }
            _ if order.descending => compare(b, a),
            _ => compare(a, b),
        };
        if one != Ordering::Equal {
            return one;
        }
    }
    Ordering::Equal
}

/// `%` any run, `_` any character, a backslash takes the meaning from either.
fn like(text: &str, pattern: &str) -> bool {
    let mut pieces = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        pieces.push(match c {
            '%' => Piece::Run,
            '_' => Piece::Any,
            '\\' => Piece::One(chars.next().unwrap_or('\\')),
            c => Piece::One(c),
        });
    }
    // Which prefixes of the pattern match the text so far.
    let mut alive = vec![false; pieces.len() + 1];
    alive[0] = true;
    spread(&mut alive, &pieces);
    for c in text.chars() {
        let mut next = vec![false; pieces.len() + 1];
        for (n, piece) in pieces.iter().enumerate().filter(|(n, _)| alive[*n]) {
            match piece {
                Piece::Run => next[n] = true,
                Piece::Any => next[n + 1] = true,
                Piece::One(one) => next[n + 1] |= *one == c,
            }
        }
        alive = next;
        spread(&mut alive, &pieces);
    }
    alive[pieces.len()]
}

enum Piece {
    Run,
    Any,
    One(char),
}

fn spread(alive: &mut [bool], pieces: &[Piece]) {
    for (n, piece) in pieces.iter().enumerate() {
        if alive[n] && matches!(piece, Piece::Run) {
            alive[n + 1] = true;
        }
    }
}
