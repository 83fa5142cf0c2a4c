//! Which rows a query means, and what it shows of them.

use serde_json::{Map, Value, json};

use super::check::{check, check_path, children, field, object, relationship, restricted};
use super::cursor;
use super::filter::{by_order, holds, operand_value, parent, path_value};
use super::{Expr, Item, Literal, Operand, Operator, Order, Query, Select, Typeof, What};
use crate::org::engine::Ctx;
use crate::org::error::Refusal;
use crate::org::read;
use crate::org::schema::{Field, Kind, Object, child_name};
use crate::org::store::{self, Row};
use crate::org::write::file::hex;

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
    let filter = prepared(ctx, object, query)?;
    let within = rows_of(ctx, object, filter.as_ref(), with_deleted)?;
    ordered(ctx, object, query, filter.as_ref(), within, with_deleted)
}

/// The object of a query that means all of its rows, in the order of their ids; such a query need not read them all.
pub(super) fn whole<'c>(
    ctx: &Ctx<'c>,
    query: &Query,
    with_deleted: bool,
) -> Result<Option<&'c Object>, Refusal> {
    let object = object(ctx, &query.from)?;
    check(ctx, object, query)?;
    // Of these a query shows less than there is.
    let hides = matches!(object.name.as_str(), "ContentDocumentLink" | "Task")
        || object.table() == crate::org::knowledge::VERSION;
    let all = query.filter.is_none() && query.limit.is_none() && query.offset == 0;
    Ok((all && in_order_of_ids(query) && !with_deleted && !hides).then_some(object))
}

fn in_order_of_ids(query: &Query) -> bool {
    match query.order.as_slice() {
        [] => true,
        [only] => {
            let by = &only.operand;
            !only.descending
                && by.function.is_none()
                && matches!(by.path.as_slice(), [name] if name.eq_ignore_ascii_case("Id"))
        }
        _ => false,
    }
}

/// The condition without queries inside it, if the user may ask so.
fn prepared(ctx: &Ctx<'_>, object: &Object, query: &Query) -> Result<Option<Expr>, Refusal> {
    let filter = query
        .filter
        .as_ref()
        .map(|filter| without_queries(ctx, filter.clone()))
        .transpose()?;
    restricted(ctx, object, filter.as_ref())?;
    Ok(filter)
}

/// Calls `act` with every row that matches, until it says that it has enough.
pub(super) fn each(
    ctx: &Ctx<'_>,
    query: &Query,
    with_deleted: bool,
    mut act: impl FnMut(&Row) -> Result<bool, Refusal>,
) -> Result<(), Refusal> {
    let object = object(ctx, &query.from)?;
    check(ctx, object, query)?;
    let filter = prepared(ctx, object, query)?;
    let within = rows_of(ctx, object, filter.as_ref(), with_deleted)?;
    visit(ctx, object, within, |row| {
        if fits(ctx, object, row, filter.as_ref(), with_deleted)? {
            act(row)
        } else {
            Ok(true)
        }
    })
}

fn fits(
    ctx: &Ctx<'_>,
    object: &Object,
    row: &Row,
    filter: Option<&Expr>,
    with_deleted: bool,
) -> Result<bool, Refusal> {
    if (row.deleted || read::archived(ctx, object, row)) && !with_deleted {
        return Ok(false);
    }
    filter.map_or(Ok(true), |filter| holds(ctx, object, row, filter))
}

/// Where the rows that can match at all are to be found.
enum Within {
    Numbers(Vec<i64>),
    /// All behind this number.
    After(i64),
}

fn rows_of(
    ctx: &Ctx<'_>,
    object: &Object,
    filter: Option<&Expr>,
    with_deleted: bool,
) -> Result<Within, Refusal> {
    let Some(filter) = filter else {
        return Ok(Within::After(0));
    };
    if !with_deleted && let Some(numbers) = candidates(ctx, object, filter)? {
        return Ok(Within::Numbers(numbers));
    }
    Ok(Within::After(least(ctx, object, filter)))
}

/// `Id > '…'`, by which clients go on behind the last row that they have seen.
fn least(ctx: &Ctx<'_>, object: &Object, filter: &Expr) -> i64 {
    match filter {
        Expr::And(parts) => parts
            .iter()
            .map(|part| least(ctx, object, part))
            .max()
            .unwrap_or(0),
        Expr::Compare {
            operand,
            operator: Operator::Greater,
            value: Literal::Text(id),
        } if operand.function.is_none()
            && matches!(operand.path.as_slice(), [name] if name.eq_ignore_ascii_case("Id")) =>
        {
            ctx.locate(id)
                .filter(|(of, _)| of.name == object.name)
                .map_or(0, |(_, number)| number)
        }
        _ => 0,
    }
}

fn visit(
    ctx: &Ctx<'_>,
    object: &Object,
    within: Within,
    mut act: impl FnMut(&Row) -> Result<bool, Refusal>,
) -> Result<(), Refusal> {
    match within {
        Within::Numbers(numbers) => {
            for number in numbers {
                if let Some(row) = store::get(ctx.db, object, number)?
                    && !act(&row)?
                {
                    break;
                }
            }
            Ok(())
        }
        Within::After(mut after) => loop {
            let rows = store::page(ctx.db, object, after, CHUNK)?;
            let Some(last) = rows.last().map(|row| row.number) else {
                return Ok(());
            };
            for row in &rows {
                if !act(row)? {
                    return Ok(());
                }
            }
            after = last;
        },
    }
}

fn ordered(
    ctx: &Ctx<'_>,
    object: &Object,
    query: &Query,
    filter: Option<&Expr>,
    within: Within,
    with_deleted: bool,
) -> Result<Vec<i64>, Refusal> {
    // Rows are read in the order of their ids.
    let is_sorted = in_order_of_ids(query);
    let enough = is_sorted
        .then(|| query.limit.map(|limit| limit + query.offset))
        .flatten()
        .unwrap_or(usize::MAX);
    // Numbers alone: of a large object there are many.
    let (mut numbers, mut keys): (Vec<i64>, Vec<Vec<Value>>) = (Vec::new(), Vec::new());
    if enough > 0 {
        visit(ctx, object, within, |row| {
            if !fits(ctx, object, row, filter, with_deleted)? {
                return Ok(true);
            }
            if !is_sorted {
                let key = |order: &Order| sort_key(ctx, object, row, &order.operand);
                keys.push(query.order.iter().map(key).collect::<Result<_, _>>()?);
            }
            numbers.push(row.number);
            Ok(numbers.len() < enough)
        })?;
    }
    if !is_sorted {
        let mut kept: Vec<(Vec<Value>, i64)> = keys.into_iter().zip(numbers).collect();
        kept.sort_by(|(a, x), (b, y)| by_order(&query.order, a, b).then(x.cmp(y)));
        numbers = kept.into_iter().map(|(_, number)| number).collect();
    }
    let limit = query.limit.unwrap_or(usize::MAX);
    numbers.truncate(query.offset.saturating_add(limit));
    Ok(numbers.split_off(query.offset.min(numbers.len())))
}

/// What a row is put in order by. Ids mind their case, or who goes on behind the last one would miss rows.
fn sort_key(
    ctx: &Ctx<'_>,
    object: &Object,
    row: &Row,
    operand: &Operand,
) -> Result<Value, Refusal> {
    let value = operand_value(ctx, object, row, operand)?;
    let Some(text) = value.as_str().filter(|_| operand.function.is_none()) else {
        return Ok(value);
    };
    let field = check_path(ctx, object, &operand.path)?;
    if !matches!(field.kind, Kind::Id | Kind::Reference) {
        return Ok(value);
    }
    Ok(json!(hex(text.as_bytes())))
}

/// One row as the select list wants it; none if it is gone by now.
pub(super) fn shown(ctx: &Ctx<'_>, query: &Query, number: i64) -> Result<Option<Value>, Refusal> {
    let object = object(ctx, &query.from)?;
    shown_of(ctx, object, query, number)
}

pub(super) fn shown_of(
    ctx: &Ctx<'_>,
    object: &Object,
    query: &Query,
    number: i64,
) -> Result<Option<Value>, Refusal> {
    let Some(row) = store::get(ctx.db, object, number)? else {
        return Ok(None);
    };
    let Select::Items(items) = &query.select else {
        return Ok(None);
    };
    let mut record = Map::new();
    record.insert("attributes".into(), read::attributes(ctx, object, number));
    let mut unnamed = 0;
    for item in items {
        match &item.what {
            What::Value(operand) if operand.function.is_none() => {
                show(ctx, object, &row, &operand.path, &mut record)?;
            }
            What::Value(operand) => {
                let value = operand_value(ctx, object, &row, operand)?;
                let kept = matches!(
                    operand.function.as_deref(),
                    Some("TOLABEL" | "FORMAT" | "CONVERTCURRENCY")
                );
                let name = match (&item.alias, operand.path.as_slice()) {
                    (Some(alias), _) => alias.clone(),
                    (None, [name]) if kept => field(object, name)?.name.clone(),
                    _ => {
                        unnamed += 1;
                        format!("expr{}", unnamed - 1)
                    }
                };
                record.insert(name, value);
            }
            What::Fields(which) => {
                for field in fields_of(object, which) {
                    record.insert(field.name.clone(), read::value(ctx, object, &row, field)?);
                }
            }
            What::Typeof(of) => type_of(ctx, object, &row, of, &mut record)?,
            What::Children(inner) => {
                let (child, by) = children(ctx, object, &inner.from)?;
                let name = child_name(child, by).unwrap_or_default();
                let rows = child_rows(ctx, object, number, child, by, inner)?;
                record.insert(name, rows);
            }
        }
    }
    Ok(Some(Value::Object(record)))
}

/// What `FIELDS(…)` stands for.
pub(super) fn fields_of<'o>(object: &'o Object, which: &'o str) -> impl Iterator<Item = &'o Field> {
    let wanted = move |field: &&Field| match which {
        "STANDARD" => !field.custom,
        "CUSTOM" => field.custom,
        _ => true,
    };
    object
        .fields
        .iter()
        .filter(|field| !field.hidden && field.kind != Kind::Junction)
        .filter(wanted)
}

fn child_rows(
    ctx: &Ctx<'_>,
    parent: &Object,
    number: i64,
    child: &Object,
    by: &Field,
    query: &Query,
) -> Result<Value, Refusal> {
    let id = ctx.id(parent, number);
    let filter = query
        .filter
        .as_ref()
        .map(|filter| without_queries(ctx, filter.clone()))
        .transpose()?;
    let hanging = if by.is_indexed() {
        store::find(ctx.db, child, by, &id[..15])?
    } else {
        Vec::new()
    };
    let numbers = ordered(
        ctx,
        child,
        query,
        filter.as_ref(),
        Within::Numbers(hanging),
        false,
    )?;
    if numbers.is_empty() {
        return Ok(Value::Null);
    }
    let first = numbers.len().min(ctx.children.get());
    let mut rows = Vec::with_capacity(first);
    for number in &numbers[..first] {
        rows.extend(shown_of(ctx, child, query, *number)?);
    }
    let mut answer = json!({"totalSize": numbers.len(), "done": true, "records": rows});
    if first < numbers.len() {
        answer["done"] = json!(false);
        answer["nextRecordsUrl"] = json!(cursor::of_children(ctx, child, query, &numbers, first)?);
    }
    Ok(answer)
}

fn type_of(
    ctx: &Ctx<'_>,
    object: &Object,
    row: &Row,
    of: &Typeof,
    into: &mut Map<String, Value>,
) -> Result<(), Refusal> {
    let by = relationship(object, &of.relationship)?;
    let name = by.relationship.clone().unwrap_or_default();
    let Some((target, target_row)) = parent(ctx, row, by)? else {
        into.insert(name, Value::Null);
        return Ok(());
    };
    let case = of
        .cases
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(&target.name));
    let paths = case.map_or(&of.otherwise, |(_, paths)| paths);
    let mut record = Map::new();
    record.insert(
        "attributes".into(),
        read::attributes(ctx, target, target_row.number),
    );
    for path in paths {
        show(ctx, target, &target_row, path, &mut record)?;
    }
    into.insert(name, Value::Object(record));
    Ok(())
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
            operand,
            negated,
            query,
        } => {
            let selected = match &query.select {
                Select::Items(items) => match items.as_slice() {
                    [
                        Item {
                            what: What::Value(selected),
                            ..
                        },
                    ] => selected,
                    _ => return Err(Refusal::not_found()),
                },
                Select::Count => return Err(Refusal::not_found()),
            };
            let of = object(ctx, &query.from)?;
            let mut values = Vec::new();
            each(ctx, &query, false, |row| {
                if let Value::String(text) = path_value(ctx, of, row, &selected.path)? {
                    values.push(Literal::Text(text));
                }
                Ok(true)
            })?;
            Expr::In {
                operand,
                negated,
                values,
            }
        }
        other => other,
    })
}

/// The rows that can match at all, when an index or the id itself tells; in the order of their numbers.
fn candidates(ctx: &Ctx<'_>, object: &Object, filter: &Expr) -> Result<Option<Vec<i64>>, Refusal> {
    let (operand, values): (&Operand, Vec<&Literal>) = match filter {
        Expr::And(parts) => {
            for part in parts {
                if let Some(found) = candidates(ctx, object, part)? {
                    return Ok(Some(found));
                }
            }
            return Ok(None);
        }
        Expr::Compare {
            operand,
            operator: Operator::Equal,
            value,
        } => (operand, vec![value]),
        Expr::In {
            operand,
            negated: false,
            values,
        } => (operand, values.iter().collect()),
        _ => return Ok(None),
    };
    let (None, [name]) = (&operand.function, operand.path.as_slice()) else {
        return Ok(None);
    };
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
                // The whole condition is held against each row.
                numbers.extend(store::found(ctx.db, object, field, &key)?);
            }
        } else {
            return Ok(None);
        }
    }
    numbers.sort_unstable();
    numbers.dedup();
    Ok(Some(numbers))
}
