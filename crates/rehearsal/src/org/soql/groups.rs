//! Queries whose answer has rows of groups: `GROUP BY`, aggregate functions, `HAVING`. Rows are read once and not kept.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashSet};

use serde_json::{Map, Value, json};

use super::check::{check_path, is_alias, object};
use super::eval::each;
use super::filter::{by_order, compare, fulfilled, operand_value};
use super::{Expr, Item, Operand, Query, Select, What};
use crate::org::engine::Ctx;
use crate::org::error::Refusal;
use crate::org::schema::{Field, Kind, Object};

/// The most rows of one answer; there is no second page of groups.
const MOST_ROWS: usize = 2_000;

/// What rows of one group add up to, for one aggregate function.
#[derive(Default)]
struct Sum {
    count: u64,
    total: f64,
    least: Option<Value>,
    most: Option<Value>,
    distinct: HashSet<String>,
}

impl Sum {
    fn add(&mut self, function: &str, value: Value) {
        if value.is_null() {
            return;
        }
        self.count += 1;
        match function {
            "SUM" | "AVG" => self.total += value.as_f64().unwrap_or_default(),
            "COUNT_DISTINCT" => {
                self.distinct.insert(value.to_string().to_lowercase());
            }
            "MIN"
                if self
                    .least
                    .as_ref()
                    .is_none_or(|least| compare(&value, least) == Ordering::Less) =>
            {
                self.least = Some(value);
            }
            "MAX"
                if self
                    .most
                    .as_ref()
                    .is_none_or(|most| compare(&value, most) == Ordering::Greater) =>
            {
                self.most = Some(value);
            }
            _ => {}
        }
    }

    #[allow(
        clippy::cast_precision_loss,
        reason = "a count of rows is far below 2^52"
    )]
    fn told(&self, function: &str) -> Value {
        match function {
            "COUNT" => json!(self.count),
            "COUNT_DISTINCT" => json!(self.distinct.len()),
            "SUM" | "AVG" if self.count == 0 => Value::Null,
            "SUM" => json!(self.total),
            "AVG" => json!(self.total / self.count as f64),
            "MIN" => self.least.clone().unwrap_or(Value::Null),
            _ => self.most.clone().unwrap_or(Value::Null),
        }
    }
}

#[derive(Default)]
struct Group {
    keys: Vec<Value>,
    sums: Vec<Sum>,
}

/// The rows of the answer.
pub(super) fn grouped(
    ctx: &Ctx<'_>,
    query: &Query,
    with_deleted: bool,
) -> Result<Vec<Value>, Refusal> {
    let object = object(ctx, &query.from)?;
    let Select::Items(items) = &query.select else {
        return Ok(Vec::new());
    };
    let wanted = aggregates(query, items);
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    if query.group.is_empty() {
        // All rows are one group, even if there is none.
        groups.insert(String::new(), new_group(Vec::new(), &wanted));
    }
    each(ctx, query, with_deleted, |row| {
        let mut keys = Vec::with_capacity(query.group.len());
        for by in &query.group {
            keys.push(operand_value(ctx, object, row, by)?);
        }
        let place = if keys.is_empty() {
            String::new()
        } else {
            Value::Array(keys.clone()).to_string().to_lowercase()
        };
        let group = groups
            .entry(place)
            .or_insert_with(|| new_group(keys, &wanted));
        for (sum, operand) in group.sums.iter_mut().zip(&wanted) {
            let function = operand.function.as_deref().unwrap_or_default();
            let value = if operand.path.is_empty() {
                json!(true)
            } else {
                super::filter::path_value(ctx, object, row, &operand.path)?
            };
            sum.add(function, value);
        }
        Ok(true)
    })?;
    answered(ctx, object, query, items, &wanted, groups)
}

fn new_group(keys: Vec<Value>, wanted: &[Operand]) -> Group {
    Group {
        keys,
        sums: wanted.iter().map(|_| Sum::default()).collect(),
    }
}

/// Every aggregate function of the query, once.
fn aggregates(query: &Query, items: &[Item]) -> Vec<Operand> {
    let mut found: Vec<Operand> = Vec::new();
    let mut note = |operand: &Operand| {
        if operand.is_aggregate() && !found.iter().any(|known| known.same(operand)) {
            found.push(operand.clone());
        }
    };
    for item in items {
        if let What::Value(value) = &item.what {
            note(value);
        }
    }
    for order in &query.order {
        note(&order.operand);
    }
    if let Some(having) = &query.having {
        in_condition(having, &mut note);
    }
    found
}

fn in_condition(expr: &Expr, note: &mut impl FnMut(&Operand)) {
    match expr {
        Expr::And(parts) | Expr::Or(parts) => {
            parts.iter().for_each(|part| in_condition(part, note));
        }
        Expr::Not(inner) => in_condition(inner, note),
        Expr::Compare { operand, .. }
        | Expr::In { operand, .. }
        | Expr::InQuery { operand, .. } => {
            note(operand);
        }
    }
}

fn answered(
    ctx: &Ctx<'_>,
    object: &Object,
    query: &Query,
    items: &[Item],
    wanted: &[Operand],
    groups: BTreeMap<String, Group>,
) -> Result<Vec<Value>, Refusal> {
    let mut rows: Vec<(Vec<Value>, Value)> = Vec::new();
    for group in groups.into_values() {
        let value = |operand: &Operand| -> Value {
            let aggregate = wanted.iter().position(|known| known.same(operand));
            if let Some(at) = aggregate {
                let function = operand.function.as_deref().unwrap_or_default();
                return group.sums[at].told(function);
            }
            if operand.function.as_deref() == Some("GROUPING") {
                return json!(0);
            }
            let key = query.group.iter().position(|by| by.same(operand));
            key.map_or(Value::Null, |at| group.keys[at].clone())
        };
        if let Some(having) = &query.having {
            let told = |operand: &Operand| -> Result<(Option<&Field>, Value), Refusal> {
                let plain = operand.function.is_none() && !operand.path.is_empty();
                let field = if plain {
                    Some(check_path(ctx, object, &operand.path)?)
                } else {
                    None
                };
                let field = field.filter(|field| field.kind != Kind::Boolean);
                Ok((field, value(operand)))
            };
            if !fulfilled(having, &told)? {
                continue;
            }
        }
        let mut row =
            Map::from_iter([("attributes".to_owned(), json!({"type": "AggregateResult"}))]);
        let mut unnamed = 0;
        for item in items {
            let What::Value(operand) = &item.what else {
                continue;
            };
            let name = name(ctx, object, item, operand, &mut unnamed)?;
            row.insert(name, value(operand));
        }
        let keys = query.order.iter().map(|order| {
            let alias = items.iter().find(|item| is_alias(item, &order.operand));
            match alias.map(|item| &item.what) {
                Some(What::Value(meant)) => value(meant),
                _ => value(&order.operand),
            }
        });
        rows.push((keys.collect(), Value::Object(row)));
    }
    rows.sort_by(|(a, _), (b, _)| by_order(&query.order, a, b));
    let limit = query.limit.unwrap_or(usize::MAX);
    let rows: Vec<Value> = rows
        .into_iter()
        .skip(query.offset)
        .take(limit)
        .map(|(_, row)| row)
        .collect();
    if rows.len() > MOST_ROWS {
        let message = "Aggregate query does not support queryMore(), use LIMIT to restrict the results to a single batch";
        return Err(Refusal::new("EXCEEDED_ID_LIMIT", message));
    }
    Ok(rows)
}

/// How a value is called in its row: by its alias, its field, or a number.
fn name(
    ctx: &Ctx<'_>,
    object: &Object,
    item: &Item,
    operand: &Operand,
    unnamed: &mut usize,
) -> Result<String, Refusal> {
    if let Some(alias) = &item.alias {
        return Ok(alias.clone());
    }
    if operand.function.is_none() {
        return Ok(check_path(ctx, object, &operand.path)?.name.clone());
    }
    *unnamed += 1;
    Ok(format!("expr{}", *unnamed - 1))
}
