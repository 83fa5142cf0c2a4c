//! Queries: a tokenizer, a parser, an evaluator, and cursors for long answers.

mod bulk;
mod check;
mod columns;
mod cursor;
mod eval;
mod filter;
mod lexer;
mod parser;

pub(crate) use self::bulk::BulkQuery;
pub(crate) use self::columns::columns;
pub(crate) use self::cursor::{all, more, run};

/// A parsed query.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Query {
    pub(crate) select: Select,
    pub(crate) from: String,
    pub(crate) filter: Option<Expr>,
    pub(crate) order: Vec<Order>,
    pub(crate) limit: Option<usize>,
    pub(crate) offset: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Select {
    /// `COUNT()`.
    Count,
    /// Field paths, such as `["Owner", "Name"]`.
    Fields(Vec<Vec<String>>),
    /// `COUNT(Id)`, `MAX(CreatedDate) newest`: one row of all.
    Aggregates(Vec<Aggregate>),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Aggregate {
    /// In capitals: COUNT, COUNT_DISTINCT, MIN, MAX, SUM or AVG.
    pub(crate) function: String,
    pub(crate) path: Vec<String>,
    pub(crate) alias: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expr {
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    Compare {
        path: Vec<String>,
        operator: Operator,
        value: Literal,
    },
    In {
        path: Vec<String>,
        negated: bool,
        values: Vec<Literal>,
    },
    InQuery {
        path: Vec<String>,
        negated: bool,
        query: Box<Query>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Literal {
    Null,
    Boolean(bool),
    Number(f64),
    Text(String),
    /// A day or a moment, as written.
    Date(String),
    /// Values of `INCLUDES (…)`.
    List(Vec<String>),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Order {
    pub(crate) path: Vec<String>,
    pub(crate) descending: bool,
    pub(crate) nulls_last: bool,
}

/// The object a query is about; none if it is no query.
pub(crate) fn subject(text: &str) -> Option<String> {
    parser::parse(text).ok().map(|query| query.from)
}

#[cfg(test)]
mod tests;
