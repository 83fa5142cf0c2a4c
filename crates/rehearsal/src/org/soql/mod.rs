//! Queries: a tokenizer, a parser, an evaluator, and cursors for long answers.

mod bulk;
mod check;
mod columns;
mod cursor;
mod dates;
mod eval;
mod filter;
mod groups;
mod lexer;
mod parser;
mod search;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

pub(crate) use self::bulk::BulkQuery;
pub(crate) use self::columns::columns;
pub(crate) use self::cursor::{all, more, run};
pub(crate) use self::search::{Search, search};

/// A parsed query.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Query {
    pub(crate) select: Select,
    /// The object; of a query of children, the parent's name for them.
    pub(crate) from: String,
    pub(crate) filter: Option<Expr>,
    pub(crate) group: Vec<Operand>,
    pub(crate) having: Option<Expr>,
    pub(crate) order: Vec<Order>,
    pub(crate) limit: Option<usize>,
    pub(crate) offset: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Select {
    /// `COUNT()`.
    Count,
    Items(Vec<Item>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Item {
    pub(crate) what: What,
    pub(crate) alias: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum What {
    Value(Operand),
    /// `(SELECT … FROM Contacts)`.
    Children(Box<Query>),
    Typeof(Typeof),
    /// `FIELDS(…)`: in capitals, ALL, STANDARD or CUSTOM.
    Fields(String),
}

/// `TYPEOF What WHEN Account THEN Phone ELSE Name END`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Typeof {
    pub(crate) relationship: String,
    pub(crate) cases: Vec<(String, Vec<Vec<String>>)>,
    pub(crate) otherwise: Vec<Vec<String>>,
}

/// A field, or a function of one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Operand {
    /// In capitals.
    pub(crate) function: Option<String>,
    /// Such as `["Owner", "Name"]`; empty for `COUNT()`.
    pub(crate) path: Vec<String>,
}

impl Operand {
    pub(crate) fn is_aggregate(&self) -> bool {
        const AGGREGATES: [&str; 6] = ["COUNT", "COUNT_DISTINCT", "MIN", "MAX", "SUM", "AVG"];
        self.function
            .as_deref()
            .is_some_and(|function| AGGREGATES.contains(&function))
    }

    /// The same one, whatever the case of its names.
    pub(crate) fn same(&self, other: &Self) -> bool {
        self.function == other.function
            && self.path.len() == other.path.len()
            && self
                .path
                .iter()
                .zip(&other.path)
                .all(|(a, b)| a.eq_ignore_ascii_case(b))
    }
}

impl Query {
    /// Whether the answer has rows of groups instead of records.
    pub(crate) fn is_aggregate(&self) -> bool {
        let aggregate =
            |item: &Item| matches!(&item.what, What::Value(value) if value.is_aggregate());
        !self.group.is_empty()
            || matches!(&self.select, Select::Items(items) if items.iter().any(aggregate))
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Expr {
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    Compare {
        operand: Operand,
        operator: Operator,
        value: Literal,
    },
    In {
        operand: Operand,
        negated: bool,
        values: Vec<Literal>,
    },
    InQuery {
        operand: Operand,
        negated: bool,
        query: Box<Query>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
    Like,
    Includes,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Literal {
    Null,
    Boolean(bool),
    Number(f64),
    Text(String),
    /// A day or a moment, as written.
    Date(String),
    /// Days that have a name: the first one, and the first one behind them.
    Days(NaiveDate, NaiveDate),
    /// Values of `INCLUDES (…)`.
    List(Vec<String>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) operand: Operand,
    pub(crate) descending: bool,
    pub(crate) nulls_last: bool,
}

/// The object a query is about; none if it is no query.
pub(crate) fn subject(text: &str) -> Option<String> {
    parser::parse(text).ok().map(|query| query.from)
}

#[cfg(test)]
mod tests;
