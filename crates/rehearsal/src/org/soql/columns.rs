//! `query?columns=true`: the shape of an answer instead of its rows, which the vendor's own client asks for.

use serde_json::{Value, json};

use super::check::{check, check_path, children, object, relationship};
use super::eval::fields_of;
use super::parser::parse;
use super::{Item, Query, Select, What};
use crate::org::engine::Ctx;
use crate::org::error::Refusal;
use crate::org::schema::{Field, Kind, Object};

pub(crate) fn columns(ctx: &Ctx<'_>, text: &str) -> Result<Value, Refusal> {
    let query: Query = parse(text)?;
    let of = object(ctx, &query.from)?;
    check(ctx, of, &query)?;
    let Select::Items(items) = &query.select else {
        return Ok(answer(of, Vec::new(), false, false));
    };
    let described = described(ctx, of, items)?;
    let is_id = |item: &Item| {
        matches!(&item.what, What::Value(value) if value.function.is_none()
            && matches!(value.path.as_slice(), [name] if name.eq_ignore_ascii_case("Id")))
    };
    Ok(answer(
        of,
        described,
        items.iter().any(is_id),
        !query.group.is_empty(),
    ))
}

fn described(ctx: &Ctx<'_>, of: &Object, items: &[Item]) -> Result<Vec<Value>, Refusal> {
    let mut described = Vec::new();
    let mut unnamed = 0;
    for item in items {
        match &item.what {
            What::Value(operand) if operand.path.is_empty() => {
                let name = item
                    .alias
                    .clone()
                    .unwrap_or_else(|| format!("expr{unnamed}"));
                unnamed += 1;
                let field = check_path(ctx, of, &["Id".to_owned()])?;
                described.push(column(&name, field, true));
            }
            What::Value(operand) => {
                let field = check_path(ctx, of, &operand.path)?;
                match (&operand.function, &item.alias) {
                    (None, None) => described.push(nested(&operand.path, field)),
                    (_, Some(alias)) => {
                        described.push(column(alias, field, operand.is_aggregate()))
                    }
                    (Some(_), None) => {
                        described.push(column(
                            &format!("expr{unnamed}"),
                            field,
                            operand.is_aggregate(),
                        ));
                        unnamed += 1;
                    }
                }
            }
            What::Fields(which) => {
                described
                    .extend(fields_of(of, which).map(|field| column(&field.name, field, false)));
            }
            What::Typeof(typeof_) => {
                let by = relationship(of, &typeof_.relationship)?;
                described.push(column(&typeof_.relationship, by, false));
            }
            What::Children(inner) => {
                let (child, by) = children(ctx, of, &inner.from)?;
                let mut outer = column(&inner.from, by, false);
                if let Select::Items(items) = &inner.select {
                    outer["joinColumns"] = json!(self::described(ctx, child, items)?);
                }
                described.push(outer);
            }
        }
    }
    Ok(described)
}

fn answer(of: &Object, columns: Vec<Value>, id_selected: bool, grouped: bool) -> Value {
    json!({
        "columnMetadata": columns, "entityName": of.name, "groupBy": grouped, "idSelected": id_selected,
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
        Kind::Time => "Time",
        _ => "String",
    };
    json!({
        "aggregate": aggregate, "apexType": kind, "booleanType": field.kind == Kind::Boolean, "columnName": name,
        "custom": field.custom, "displayName": name, "foreignKeyName": null, "insertable": field.createable,
        "joinColumns": [], "numberType": field.is_number(), "textType": field.is_text(), "updatable": field.updateable,
    })
}
