//! What a tree is of a row. What has no value is blank, and a comparison with it by size is false.

use std::cmp::Ordering;

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value as Json;

use super::{Function, Node, Operator, Seen};

const SECONDS_OF_A_DAY: f64 = 86_400.0;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Blank,
    Bool(bool),
    Number(f64),
    Text(String),
    Moment(DateTime<Utc>),
    Day(NaiveDate),
}

pub(super) fn value(node: &Node, seen: &Seen<'_>) -> Value {
    match node {
        Node::Text(text) => texts(text.clone()),
        Node::Number(number) => Value::Number(*number),
        Node::Bool(is) => Value::Bool(*is),
        Node::Null => Value::Blank,
        Node::Field(name) => of_json(&(seen.value)(name)),
        Node::Not(one) => Value::Bool(!truth(&value(one, seen))),
        Node::Minus(one) => match value(one, seen) {
            Value::Number(number) => Value::Number(-number),
            _ => Value::Blank,
        },
        Node::Pair(left, operator, right) => pair(left, *operator, right, seen),
        Node::Call(function, given) => call(*function, given, seen),
    }
}

pub(super) fn truth(value: &Value) -> bool {
    *value == Value::Bool(true)
}

fn texts(text: String) -> Value {
    if text.is_empty() {
        Value::Blank
    } else {
        Value::Text(text)
    }
}

fn of_json(value: &Json) -> Value {
    match value {
        Json::Bool(is) => Value::Bool(*is),
        Json::Number(number) => number.as_f64().map_or(Value::Blank, Value::Number),
        Json::String(text) => of_text(text),
        _ => Value::Blank,
    }
}

/// Moments and days are stored as text.
fn of_text(text: &str) -> Value {
    if let Some(moment) = crate::org::values::moment(text).filter(|_| text.contains('T')) {
        return Value::Moment(moment);
    }
    match NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        Ok(day) if text.len() == 10 => Value::Day(day),
        _ => texts(text.to_owned()),
    }
}

fn pair(left: &Node, operator: Operator, right: &Node, seen: &Seen<'_>) -> Value {
    let first = value(left, seen);
    match operator {
        Operator::And if !truth(&first) => return Value::Bool(false),
        Operator::Or if truth(&first) => return Value::Bool(true),
        _ => {}
    }
    let second = value(right, seen);
    let by_size =
        |holds: fn(Ordering) -> bool| Value::Bool(compared(&first, &second).is_some_and(holds));
    match operator {
        Operator::And | Operator::Or => Value::Bool(truth(&second)),
        Operator::Equal => Value::Bool(equal(&first, &second)),
        Operator::NotEqual => Value::Bool(!equal(&first, &second)),
        Operator::Less => by_size(Ordering::is_lt),
        Operator::LessOrEqual => by_size(Ordering::is_le),
        Operator::Greater => by_size(Ordering::is_gt),
        Operator::GreaterOrEqual => by_size(Ordering::is_ge),
        Operator::Join => texts(text(&first) + &text(&second)),
        Operator::Plus => sum(first, second, 1.0),
        Operator::Minus => sum(first, second, -1.0),
        Operator::Times => numbers(&first, &second, |a, b| a * b),
        Operator::Divide => numbers(&first, &second, |a, b| a / b),
    }
}

fn numbers(first: &Value, second: &Value, of: fn(f64, f64) -> f64) -> Value {
    match (first, second) {
        (Value::Number(first), Value::Number(second)) => Value::Number(of(*first, *second)),
        _ => Value::Blank,
    }
}

/// Sums of numbers, texts, and of moments or days with days.
fn sum(first: Value, second: Value, sign: f64) -> Value {
    let moved = |days: f64| {
        chrono::TimeDelta::try_milliseconds((sign * days * SECONDS_OF_A_DAY * 1_000.0) as i64)
    };
    match (first, second) {
        (Value::Number(first), Value::Number(second)) => Value::Number(first + sign * second),
        (Value::Moment(at), Value::Number(days)) => moved(days)
            .and_then(|by| at.checked_add_signed(by))
            .map_or(Value::Blank, Value::Moment),
        (Value::Day(at), Value::Number(days)) => moved(days.trunc())
            .and_then(|by| at.checked_add_signed(by))
            .map_or(Value::Blank, Value::Day),
        (Value::Moment(first), Value::Moment(second)) if sign < 0.0 => {
            Value::Number((first - second).num_seconds() as f64 / SECONDS_OF_A_DAY)
        }
        (Value::Day(first), Value::Day(second)) if sign < 0.0 => {
            Value::Number((first - second).num_days() as f64)
        }
        (first, second) if sign > 0.0 => texts(text(&first) + &text(&second)),
        _ => Value::Blank,
    }
}

fn equal(first: &Value, second: &Value) -> bool {
    match compared(first, second) {
        Some(order) => order.is_eq(),
        None => first == second,
    }
}

fn compared(first: &Value, second: &Value) -> Option<Ordering> {
    match (first, second) {
        (Value::Number(first), Value::Number(second)) => first.partial_cmp(second),
        (Value::Text(first), Value::Text(second)) => Some(first.cmp(second)),
        (Value::Moment(first), Value::Moment(second)) => Some(first.cmp(second)),
        (Value::Day(first), Value::Day(second)) => Some(first.cmp(second)),
        (Value::Moment(first), Value::Day(second)) => Some(first.date_naive().cmp(second)),
        (Value::Day(first), Value::Moment(second)) => Some(first.cmp(&second.date_naive())),
        _ => None,
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Blank => String::new(),
        Value::Bool(is) => is.to_string(),
        Value::Number(number) => number.to_string(),
        Value::Text(text) => text.clone(),
        Value::Moment(at) => at.format("%Y-%m-%d %H:%M:%SZ").to_string(),
        Value::Day(day) => day.format("%Y-%m-%d").to_string(),
    }
}

fn call(function: Function, given: &[Node], seen: &Seen<'_>) -> Value {
    let at = |n: usize| given.get(n).map_or(Value::Blank, |node| value(node, seen));
    let text_at = |n: usize| text(&at(n));
    match function {
        Function::And => Value::Bool(given.iter().all(|node| truth(&value(node, seen)))),
        Function::Or => Value::Bool(given.iter().any(|node| truth(&value(node, seen)))),
        Function::Not => Value::Bool(!truth(&at(0))),
        Function::If => at(if truth(&at(0)) { 1 } else { 2 }),
        Function::IsBlank => Value::Bool(at(0) == Value::Blank),
        Function::IsPickVal => Value::Bool(at(0) == at(1)),
        Function::IsNew => Value::Bool(seen.before.is_none()),
        Function::IsChanged => Value::Bool(changed(given, seen)),
        Function::BlankValue => match at(0) {
            Value::Blank => at(1),
            value => value,
        },
        Function::Len => Value::Number(text_at(0).chars().count() as f64),
        Function::Text => texts(text_at(0)),
        Function::Contains => Value::Bool(text_at(0).contains(&text_at(1))),
        Function::Begins => Value::Bool(text_at(0).starts_with(&text_at(1))),
        Function::Includes => {
            let wanted = text_at(1);
            Value::Bool(text_at(0).split(';').any(|one| one == wanted))
        }
        Function::Upper => texts(text_at(0).to_uppercase()),
        Function::Lower => texts(text_at(0).to_lowercase()),
        Function::Trim => texts(text_at(0).trim().to_owned()),
        Function::Left => texts(text_at(0).chars().take(count(&at(1))).collect()),
        Function::Right => {
            let text = text_at(0);
            let skip = text.chars().count().saturating_sub(count(&at(1)));
            texts(text.chars().skip(skip).collect())
        }
        Function::Now => Value::Moment(seen.now),
        Function::Today => Value::Day(seen.now.date_naive()),
    }
}

/// A row that is new has changed nothing.
fn changed(given: &[Node], seen: &Seen<'_>) -> bool {
    match (given.first(), seen.before) {
        (Some(Node::Field(name)), Some(before)) => before(name) != (seen.value)(name),
        _ => false,
    }
}

fn count(value: &Value) -> usize {
    match value {
        Value::Number(number) if *number > 0.0 => *number as usize,
        _ => 0,
    }
}
