//! `query?columns=true`: the shape of an answer instead of its rows, which the vendor's own client asks for.

use serde_json::{Value, json};

use super::check::{check_path, object};
use super::parser::parse;
use super::{Query, Select};
use crate::org::engine::Ctx;
use crate::org::error::Refusal;
use crate::org::schema::{Field, Kind, Object};

pub(crate) fn columns(ctx: &Ctx<'_>, text: &str) -> Result<Value, Refusal> {
    let query: Query = parse(text)?;
    let of = object(ctx, &query.from)?;
    let mut described = Vec::new();
    let mut id_selected = false;
    match &query.select {
        Select::Count => {}
        Select::Fields(paths) => {
            for path in paths {
                id_selected |= path.len() == 1 && path[0].eq_ignore_ascii_case("Id");
                described.push(nested(path, check_path(ctx, of, path)?));
            }
        }
        Select::Aggregates(aggregates) => {
            for (n, aggregate) in aggregates.iter().enumerate() {
                let field = check_path(ctx, of, &aggregate.path)?;
                let name = aggregate
                    .alias
                    .clone()
                    .unwrap_or_else(|| format!("expr{n}"));
                described.push(column(&name, field, true));
            }
        }
    }
    Ok(answer(of, described, id_selected))
}

fn answer(of: &Object, columns: Vec<Value>, id_selected: bool) -> Value {
    json!({
        "columnMetadata": columns, "entityName": of.name, "groupBy": false, "idSelected": id_selected,
        "keyPrefix": of.prefix,
    })
}

/// A parent's column holds those of its path.
fn nested(path: &[String], field: &Field) -> Value {
    match path {
        [parent, rest @ ..] if !rest.is_empty() => {
            let mut outer = column(parent, field, false);
            outer["joinColumns"] = json!([nested(rest, field)]);
            outer
        }
        [name, ..] => column(name, field, false),
        [] => Value::Null,
    }
}

fn column(name: &str, field: &Field, aggregate: bool) -> Value {
    let kind = match field.kind {
        Kind::Id | Kind::Reference => "Id",
        Kind::Boolean => "Boolean",
        Kind::Int => "Integer",
        Kind::Double | Kind::Currency | Kind::Percent => "Double",
        Kind::Date => "Date",
        Kind::DateTime => "Datetime",
        _ => "String",
    };
    json!({
        "aggregate": aggregate, "apexType": kind, "booleanType": field.kind == Kind::Boolean, "columnName": name,
        "custom": field.custom, "displayName": name, "foreignKeyName": null, "insertable": field.createable,
        "joinColumns": [], "numberType": field.is_number(), "textType": field.is_text(), "updatable": field.updateable,
    })
}
