//! Whether a row fulfils a condition, and in which order rows come.

use std::cmp::Ordering;

use chrono::Datelike;
use serde_json::{Value, json};

use super::check::{check_path, field, relationship};
use super::{Expr, Literal, Operand, Operator, Order};
use crate::org::engine::Ctx;
use crate::org::error::Refusal;
use crate::org::read;
use crate::org::schema::{Field, Kind, Object};
use crate::org::store::Row;
use crate::org::values::{date_time_text, day, moment};

pub(super) fn parent<'a>(
    ctx: &Ctx<'a>,
    row: &Row,
    by: &Field,
) -> Result<Option<(&'a Object, Row)>, Refusal> {
    match row.fields.get(&by.name).and_then(Value::as_str) {
        Some(id) => ctx.row(id),
        None => Ok(None),
    }
}

pub(super) fn path_value(
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

/// The value of an operand of one row.
pub(super) fn operand_value(
    ctx: &Ctx<'_>,
    object: &Object,
    row: &Row,
    operand: &Operand,
) -> Result<Value, Refusal> {
    let value = path_value(ctx, object, row, &operand.path)?;
    Ok(match operand.function.as_deref() {
        None => value,
        Some("TOLABEL") => labelled(check_path(ctx, object, &operand.path)?, value),
        Some(function) => of_date(function, value),
    })
}

fn labelled(field: &Field, value: Value) -> Value {
    let label = value
        .as_str()
        .and_then(|text| field.pick(text))
        .map(|pick| json!(pick.label));
    label.unwrap_or(value)
}

/// A part of a day or moment, as a date function tells it.
fn of_date(function: &str, value: Value) -> Value {
    let Some(day) = value.as_str().and_then(|text| text.get(..10)).and_then(day) else {
        return value;
    };
    let hour = || {
        value
            .as_str()
            .and_then(|text| text.get(11..13))
            .and_then(|h| h.parse::<u32>().ok())
    };
    let number = match function {
        "CALENDAR_YEAR" | "FISCAL_YEAR" => return json!(day.year()),
        "DAY_ONLY" => return json!(day.to_string()),
        "CALENDAR_MONTH" | "FISCAL_MONTH" => day.month(),
        "CALENDAR_QUARTER" | "FISCAL_QUARTER" => day.month0() / 3 + 1,
        "DAY_IN_MONTH" => day.day(),
        "DAY_IN_WEEK" => day.weekday().number_from_sunday(),
        "DAY_IN_YEAR" => day.ordinal(),
        "WEEK_IN_MONTH" => day.day0() / 7 + 1,
        "WEEK_IN_YEAR" => day.ordinal0() / 7 + 1,
        "HOUR_IN_DAY" => return hour().map_or(Value::Null, |hour| json!(hour)),
        _ => return value,
    };
    json!(number)
}

pub(super) fn holds(
    ctx: &Ctx<'_>,
    object: &Object,
    row: &Row,
    filter: &Expr,
) -> Result<bool, Refusal> {
    let value = |operand: &Operand| -> Result<(Option<&Field>, Value), Refusal> {
        let field = check_path(ctx, object, &operand.path)?;
        let value = operand_value(ctx, object, row, operand)?;
        // What a function makes of a field is compared as it is.
        Ok((operand.function.is_none().then_some(field), value))
    };
    fulfilled(filter, &value)
}

/// Whether a condition holds for what `value` says of its operands.
pub(super) fn fulfilled<'f>(
    filter: &Expr,
    value: &impl Fn(&Operand) -> Result<(Option<&'f Field>, Value), Refusal>,
) -> Result<bool, Refusal> {
    Ok(match filter {
        Expr::And(parts) => {
            for part in parts {
                if !fulfilled(part, value)? {
                    return Ok(false);
                }
            }
            true
        }
        Expr::Or(parts) => {
            for part in parts {
                if fulfilled(part, value)? {
                    return Ok(true);
                }
            }
            false
        }
        Expr::Not(inner) => !fulfilled(inner, value)?,
        Expr::Compare {
            operand,
            operator,
            value: literal,
        } => {
            let (field, own) = value(operand)?;
            compares(field, &own, *operator, literal)
        }
        Expr::In {
            operand,
            negated,
            values,
        } => {
            let (field, own) = value(operand)?;
            values
                .iter()
                .any(|literal| compares(field, &own, Operator::Equal, literal))
                != *negated
        }
        Expr::InQuery { .. } => false,
    })
}

fn compares(field: Option<&Field>, own: &Value, operator: Operator, literal: &Literal) -> bool {
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
    if let Literal::Days(from, to) = literal {
        let day = own.as_str().and_then(|text| text.get(..10)).and_then(day);
        return day.map_or(operator == Operator::NotEqual, |day| match operator {
            Operator::Equal => (*from..*to).contains(&day),
            Operator::NotEqual => !(*from..*to).contains(&day),
            Operator::Less => day < *from,
            Operator::AtMost => day < *to,
            Operator::Greater => day >= *to,
            Operator::AtLeast => day >= *from,
            Operator::Like | Operator::Includes => false,
        });
    }
    let other = match literal {
        Literal::Null => Value::Null,
        // A string field is never empty: '' means null.
        Literal::Text(text) if text.is_empty() => Value::Null,
        Literal::Boolean(flag) => json!(flag),
        Literal::Number(number) => json!(number),
        Literal::Date(text) if field.is_some_and(|field| field.kind == Kind::DateTime) => {
            moment(text).map_or(Value::Null, |m| json!(date_time_text(m)))
        }
        Literal::Date(text) | Literal::Text(text) => json!(text),
        Literal::List(_) | Literal::Days(..) => return false,
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
        _ => Some(field.map_or_else(
            || compare(own, &other),
            |field| compare_as(field, own, &other),
        )),
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
pub(super) fn compare(a: &Value, b: &Value) -> Ordering {
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

pub(super) fn by_order(order: &[Order], a: &[Value], b: &[Value]) -> Ordering {
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
pub(super) fn like(text: &str, pattern: &str) -> bool {
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
