//! Queries of bulk jobs: fewer are allowed, and rows are lists of texts (Salesforce transport reference, section 10).

use serde_json::Value;

use super::check::{check, check_path, object, relationship};
use super::eval::{fields_of, matching, shown};
use super::parser::parse;
use super::{Query, Select, What};
use crate::org::engine::Ctx;
use crate::org::error::Refusal;
use crate::org::schema::{Kind, Object};

/// A query that a bulk job may run.
#[derive(Debug)]
pub(crate) struct BulkQuery {
    query: Query,
    /// API name of the object.
    pub(crate) object: String,
    columns: Vec<Column>,
}

#[derive(Debug)]
struct Column {
    /// As in a record, such as `["Owner", "Name"]`.
    path: Vec<String>,
    is_moment: bool,
}

impl BulkQuery {
    pub(crate) fn read(ctx: &Ctx<'_>, text: &str) -> Result<Self, Refusal> {
        let query = parse(text)?;
        let of = object(ctx, &query.from)?;
        if of.tooling {
            return Err(Refusal::new(
                "INVALID_TYPE",
                format!("sObject type '{}' is not supported.", of.name),
            ));
        }
        let refuse = |what: &str| {
            let message = format!("{what} are not supported in Bulk Query");
            Err(Refusal::new("API_ERROR", message))
        };
        let Select::Items(items) = &query.select else {
            return refuse("Aggregate functions");
        };
        if query.is_aggregate() {
            return refuse("Aggregate functions and GROUP BY");
        }
        if query.offset > 0 {
            return refuse("Queries with OFFSET");
        }
        check(ctx, of, &query)?;
        let mut columns = Vec::with_capacity(items.len());
        for item in items {
            let operand = match &item.what {
                What::Value(operand) if operand.function.is_none() => operand,
                What::Value(_) => return refuse("Functions"),
                What::Children(_) => return refuse("Nested queries"),
                What::Typeof(_) => return refuse("TYPEOF clauses"),
                What::Fields(which) => {
                    for field in fields_of(of, which) {
                        if !matches!(field.kind, Kind::Address | Kind::Base64 | Kind::Junction) {
                            columns.push(Column {
                                path: vec![field.name.clone()],
                                is_moment: field.kind == Kind::DateTime,
                            });
                        }
                    }
                    continue;
                }
            };
            let path = &operand.path;
            let kind = check_path(ctx, of, path)?.kind;
            if matches!(kind, Kind::Address | Kind::Base64 | Kind::Junction) {
                return refuse("Compound, list and binary fields");
            }
            columns.push(Column {
                path: spelt(ctx, of, path)?,
                is_moment: kind == Kind::DateTime,
            });
        }
        Ok(Self {
            object: of.name.clone(),
            columns,
            query,
        })
    }

    pub(crate) fn header(&self) -> Vec<String> {
        self.columns
            .iter()
            .map(|column| column.path.join("."))
            .collect()
    }

    pub(crate) fn matching(&self, ctx: &Ctx<'_>, deleted: bool) -> Result<Vec<i64>, Refusal> {
        matching(ctx, &self.query, deleted)
    }

    /// One row; null is empty, as it is in CSV. None if the row is gone for good.
    pub(crate) fn row(&self, ctx: &Ctx<'_>, number: i64) -> Result<Option<Vec<String>>, Refusal> {
        let Some(record) = shown(ctx, &self.query, number)? else {
            return Ok(None);
        };
        let cell = |column: &Column| {
            let value = column
                .path
                .iter()
                .try_fold(&record, |at, name| at.get(name));
            match value {
                None | Some(Value::Null) => String::new(),
                // Bulk answers write moments with Z, unlike REST.
                Some(Value::String(text)) if column.is_moment => text.replace("+0000", "Z"),
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
            }
        };
        Ok(Some(self.columns.iter().map(cell).collect()))
    }
}

/// A path as the describe spells it.
fn spelt(ctx: &Ctx<'_>, of: &Object, path: &[String]) -> Result<Vec<String>, Refusal> {
    let (last, parents) = path.split_last().ok_or_else(Refusal::not_found)?;
    let (mut names, mut at) = (Vec::with_capacity(path.len()), of);
    for name in parents {
        let by = relationship(at, name)?;
        names.push(by.relationship.clone().unwrap_or_default());
        let shared = by.reference_to.iter().find(|to| *to == "User");
        let target = shared
            .or(by.reference_to.first())
            .ok_or_else(Refusal::not_found)?;
        at = ctx.object(target)?;
    }
    names.push(
        at.field(last)
            .map_or_else(|| last.clone(), |field| field.name.clone()),
    );
    Ok(names)
}
