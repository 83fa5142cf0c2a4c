//! What a query may ask for, judged before a row is read: an empty object refuses what a full one would.

use std::collections::HashSet;

use super::{Expr, Literal, Operator, Query, Select};
use crate::org::engine::Ctx;
use crate::org::error::Refusal;
use crate::org::schema::{Field, Kind, Object};
use crate::org::values::{day, moment};

pub(super) fn object<'a>(ctx: &Ctx<'a>, name: &str) -> Result<&'a Object, Refusal> {
    ctx.schema().object(name).filter(|object| object.queryable).ok_or_else(|| {
        let message = format!(
            "sObject type '{name}' is not supported. If you are attempting to use a custom object, be sure to append the \
             '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate names."
        );
        Refusal::new("INVALID_TYPE", message)
    })
}

pub(super) fn field<'o>(object: &'o Object, name: &str) -> Result<&'o Field, Refusal> {
    object.field(name).ok_or_else(|| {
        let message = format!(
            "No such column '{name}' on entity '{}'. If you are attempting to use a custom field, be sure to append the \
             '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate names.",
            object.name
        );
        Refusal::new("INVALID_FIELD", message)
    })
}

pub(super) fn relationship<'o>(object: &'o Object, name: &str) -> Result<&'o Field, Refusal> {
    object.by_relationship(name).ok_or_else(|| {
        let message = format!(
            "Didn't understand relationship '{name}' in field path of {}",
            object.name
        );
        Refusal::new("INVALID_FIELD", message)
    })
}

/// Walks every path of the query once.
pub(super) fn check(ctx: &Ctx<'_>, object: &Object, query: &Query) -> Result<(), Refusal> {
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
        at = ctx.schema().object(target).ok_or_else(Refusal::not_found)?;
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
pub(super) fn restricted(
    ctx: &Ctx<'_>,
    object: &Object,
    filter: Option<&Expr>,
) -> Result<(), Refusal> {
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
