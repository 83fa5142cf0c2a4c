//! What a query may ask for, judged before a row is read: an empty object refuses what a full one would.

use std::collections::HashSet;

use super::{Expr, Item, Literal, Operand, Operator, Query, Select, What};
use crate::org::engine::Ctx;
use crate::org::error::Refusal;
use crate::org::knowledge;
use crate::org::schema::{Field, Kind, Object};
use crate::org::values::{day, moment};

const MOST_OFFSET: usize = 2_000;
/// Rows of a query that selects all fields, or all custom ones.
const MOST_OF_ALL_FIELDS: usize = 200;

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
    if query.offset > MOST_OFFSET {
        let message = format!("Maximum SOQL offset allowed is {MOST_OFFSET}");
        return Err(Refusal::new("NUMBER_OUTSIDE_VALID_RANGE", message));
    }
    if let Some(filter) = &query.filter {
        check_filter(ctx, object, filter, false)?;
    }
    if query.is_aggregate() {
        return check_groups(ctx, object, query);
    }
    if query.having.is_some() {
        return Err(Refusal::new("MALFORMED_QUERY", "HAVING needs GROUP BY"));
    }
    if let Select::Items(items) = &query.select {
        let mut seen = HashSet::new();
        for item in items {
            check_item(ctx, object, query, item, &mut seen)?;
        }
    }
    for order in &query.order {
        if order.operand.is_aggregate() {
            return Err(ungrouped(&order.operand));
        }
        let field = check_operand(ctx, object, &order.operand)?;
        if !field.sortable {
            return Err(Refusal::new(
                "INVALID_FIELD",
                format!("field '{}' can not be sorted in a query call", field.name),
            ));
        }
    }
    Ok(())
}

fn check_item(
    ctx: &Ctx<'_>,
    object: &Object,
    query: &Query,
    item: &Item,
    seen: &mut HashSet<String>,
) -> Result<(), Refusal> {
    match &item.what {
        What::Value(value) => {
            if let (Some(alias), None) = (&item.alias, &value.function) {
                return Err(Refusal::new(
                    "MALFORMED_QUERY",
                    format!("unexpected token: '{alias}'"),
                ));
            }
            check_operand(ctx, object, value)?;
            let name = value.path.join(".");
            if value.function.is_none() && !seen.insert(name.to_lowercase()) {
                let message = format!("duplicate field selected: {name}");
                return Err(Refusal::new("INVALID_FIELD", message));
            }
            Ok(())
        }
        What::Fields(which) => {
            if which != "STANDARD" && query.limit.is_none_or(|limit| limit > MOST_OF_ALL_FIELDS) {
                let message = "The SOQL FIELDS function must have a LIMIT of at most 200";
                return Err(Refusal::new("MALFORMED_QUERY", message));
            }
            Ok(())
        }
        What::Typeof(of) => {
            let by = relationship(object, &of.relationship)?;
            for (name, paths) in &of.cases {
                let target = self::object(ctx, name)?;
                if !by.reference_to.contains(&target.name) {
                    let message = format!("{} cannot be a {name}", of.relationship);
                    return Err(Refusal::new("INVALID_FIELD", message));
                }
                for path in paths {
                    check_path(ctx, target, path)?;
                }
            }
            Ok(())
        }
        What::Children(inner) => {
            let (child, _) = children(ctx, object, &inner.from)?;
            if inner.is_aggregate() || matches!(inner.select, Select::Count) {
                let message = "aggregate functions are not allowed in a query of children";
                return Err(Refusal::new("MALFORMED_QUERY", message));
            }
            check(ctx, child, inner)
        }
    }
}

/// The children behind a parent's name for them.
pub(super) fn children<'a>(
    ctx: &Ctx<'a>,
    parent: &'a Object,
    name: &str,
) -> Result<(&'a Object, &'a Field), Refusal> {
    let known = ctx.schema().by_child_name(&parent.name, name);
    known.filter(|(child, _)| child.queryable).ok_or_else(|| {
        let message = format!(
            "Didn't understand relationship '{name}' in FROM part of query call. If you are attempting to use a custom \
             relationship, be sure to append the '__r' after the custom relationship name. Please reference your WSDL or \
             the describe call for the appropriate names."
        );
        Refusal::new("INVALID_TYPE", message)
    })
}

fn ungrouped(operand: &Operand) -> Refusal {
    let name = operand.path.join(".");
    Refusal::new(
        "MALFORMED_QUERY",
        format!("Field must be grouped or aggregated: {name}"),
    )
}

/// Every value of a grouped query is grouped or aggregated.
fn check_groups(ctx: &Ctx<'_>, object: &Object, query: &Query) -> Result<(), Refusal> {
    for by in &query.group {
        let field = check_operand(ctx, object, by)?;
        if by.is_aggregate() || (by.function.is_none() && !field.groupable()) {
            let message = format!("field '{}' can not be grouped in a query call", field.name);
            return Err(Refusal::new("INVALID_FIELD", message));
        }
    }
    let known = |operand: &Operand| -> Result<(), Refusal> {
        if operand.is_aggregate() {
            return check_aggregate(ctx, object, operand);
        }
        check_operand(ctx, object, operand)?;
        let grouped = query.group.iter().any(|by| by.same(operand));
        if grouped || operand.function.as_deref() == Some("GROUPING") {
            Ok(())
        } else {
            Err(ungrouped(operand))
        }
    };
    let Select::Items(items) = &query.select else {
        return Err(Refusal::new(
            "MALFORMED_QUERY",
            "Grouped query cannot use COUNT()",
        ));
    };
    for item in items {
        match &item.what {
            What::Value(value) => known(value)?,
            _ => {
                return Err(Refusal::new(
                    "MALFORMED_QUERY",
                    "Field must be grouped or aggregated",
                ));
            }
        }
    }
    for order in &query.order {
        // An alias may stand for what it names.
        let alias = items.iter().any(|item| is_alias(item, &order.operand));
        if !alias {
            known(&order.operand)?;
        }
    }
    match &query.having {
        Some(having) => check_having(having, &known),
        None => Ok(()),
    }
}

pub(super) fn is_alias(item: &Item, operand: &Operand) -> bool {
    let alias = item.alias.as_deref().unwrap_or_default();
    operand.function.is_none()
        && matches!(operand.path.as_slice(), [name] if name.eq_ignore_ascii_case(alias))
}

fn check_having(
    having: &Expr,
    known: &impl Fn(&Operand) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    match having {
        Expr::And(parts) | Expr::Or(parts) => {
            parts.iter().try_for_each(|part| check_having(part, known))
        }
        Expr::Not(inner) => check_having(inner, known),
        Expr::Compare { operand, .. } | Expr::In { operand, .. } => known(operand),
        Expr::InQuery { .. } => Err(Refusal::new(
            "MALFORMED_QUERY",
            "a query inside IN is not allowed in HAVING",
        )),
    }
}

fn check_aggregate(ctx: &Ctx<'_>, object: &Object, operand: &Operand) -> Result<(), Refusal> {
    if operand.path.is_empty() {
        return Ok(());
    }
    let field = check_path(ctx, object, &operand.path)?;
    let function = operand.function.as_deref().unwrap_or_default();
    let fits = match function {
        "SUM" | "AVG" => field.is_number(),
        _ => field.aggregatable(),
    };
    if fits {
        return Ok(());
    }
    let message = format!(
        "field {} does not support aggregate operator {function}",
        field.name
    );
    Err(Refusal::new("INVALID_FIELD", message))
}

/// The field of an operand, whose function must fit it.
pub(super) fn check_operand<'a>(
    ctx: &Ctx<'a>,
    object: &'a Object,
    operand: &Operand,
) -> Result<&'a Field, Refusal> {
    let field = check_path(ctx, object, &operand.path)?;
    let function = operand.function.as_deref().unwrap_or_default();
    let of_dates = !matches!(
        function,
        "" | "FORMAT" | "TOLABEL" | "CONVERTCURRENCY" | "GROUPING"
    ) && !operand.is_aggregate();
    if of_dates && !matches!(field.kind, Kind::Date | Kind::DateTime) {
        let message = format!(
            "field {} does not support the function {function}",
            field.name
        );
        return Err(Refusal::new("INVALID_FIELD", message));
    }
    Ok(field)
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

fn check_filter(
    ctx: &Ctx<'_>,
    object: &Object,
    filter: &Expr,
    inside_or: bool,
) -> Result<(), Refusal> {
    let (operand, literals): (&Operand, &[Literal]) = match filter {
        Expr::And(parts) => {
            return parts
                .iter()
                .try_for_each(|part| check_filter(ctx, object, part, inside_or));
        }
        Expr::Or(parts) => {
            return parts
                .iter()
                .try_for_each(|part| check_filter(ctx, object, part, true));
        }
        Expr::Not(inner) => return check_filter(ctx, object, inner, inside_or),
        Expr::Compare { operand, value, .. } => (operand, std::slice::from_ref(value)),
        Expr::In {
            operand, values, ..
        } => (operand, values),
        Expr::InQuery { operand, query, .. } => {
            if inside_or {
                let message = "Semi join sub-selects are not allowed with the 'OR' operator";
                return Err(Refusal::new("MALFORMED_QUERY", message));
            }
            check_semi_join(ctx, object, operand, query)?;
            (operand, &[])
        }
    };
    if operand.is_aggregate() {
        let message = "Aggregate functions are allowed in HAVING only";
        return Err(Refusal::new("MALFORMED_QUERY", message));
    }
    let field = check_operand(ctx, object, operand)?;
    if !field.filterable {
        return Err(Refusal::new(
            "INVALID_FIELD",
            format!("field '{}' can not be filtered in a query call", field.name),
        ));
    }
    if let Expr::Compare { operator, .. } = filter {
        check_operator(field, operand, *operator)?;
    }
    match operand.function.as_deref() {
        None | Some("TOLABEL" | "FORMAT" | "CONVERTCURRENCY") => literals
            .iter()
            .try_for_each(|literal| check_literal(field, literal)),
        Some(_) => Ok(()),
    }
}

fn check_operator(field: &Field, operand: &Operand, operator: Operator) -> Result<(), Refusal> {
    let of_ids = matches!(field.kind, Kind::Id | Kind::Reference);
    let wrong = match operator {
        Operator::Like => of_ids || !field.is_text(),
        Operator::Includes => field.kind != Kind::MultiPicklist,
        Operator::Less | Operator::AtMost | Operator::Greater | Operator::AtLeast => {
            operand.function.is_none()
                && matches!(
                    field.kind,
                    Kind::Boolean | Kind::Reference | Kind::MultiPicklist
                )
        }
        Operator::Equal | Operator::NotEqual => false,
    };
    if !wrong {
        return Ok(());
    }
    let kind = if of_ids {
        "id".to_owned()
    } else {
        format!("{:?}", field.kind).to_lowercase()
    };
    Err(Refusal::new(
        "INVALID_QUERY_FILTER_OPERATOR",
        format!("invalid operator on {kind} field"),
    ))
}

/// `IN (SELECT …)`: one field of ids on both sides, and nothing but a condition inside.
fn check_semi_join(
    ctx: &Ctx<'_>,
    outer: &Object,
    operand: &Operand,
    query: &Query,
) -> Result<(), Refusal> {
    let malformed = |message: &str| Err(Refusal::new("MALFORMED_QUERY", message));
    let Select::Items(items) = &query.select else {
        return malformed("a query inside IN selects one field");
    };
    let [
        Item {
            what: What::Value(selected),
            alias: None,
        },
    ] = items.as_slice()
    else {
        return malformed("a query inside IN selects one field");
    };
    if !query.order.is_empty() || query.limit.is_some() || query.offset > 0 {
        return malformed("ORDER BY, LIMIT and OFFSET are not allowed in a query inside IN");
    }
    let of_ids = |field: &Field| matches!(field.kind, Kind::Id | Kind::Reference);
    let left = check_path(ctx, outer, &operand.path)?;
    if !of_ids(left) {
        let message = format!(
            "The left operand in the 'IN' expression is not an ID field: {}",
            left.name
        );
        return malformed(&message);
    }
    let inner = object(ctx, &query.from)?;
    let right = check_operand(ctx, inner, selected)?;
    if selected.function.is_some() || !of_ids(right) {
        let message = format!(
            "The inner select field '{}' must be an ID or reference",
            right.name
        );
        return malformed(&message);
    }
    check(ctx, inner, query)
}

fn check_literal(field: &Field, literal: &Literal) -> Result<(), Refusal> {
    let (fits, wanted, enclosed) = match (field.kind, literal) {
        (_, Literal::Null | Literal::List(_)) => return Ok(()),
        (Kind::DateTime | Kind::Date, Literal::Days(..)) => return Ok(()),
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
    if object.table() == knowledge::VERSION {
        return by_status(object, filter);
    }
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

/// Versions of articles are only shown by status or by id (Salesforce object reference, section 6).
fn by_status(object: &Object, filter: Option<&Expr>) -> Result<(), Refusal> {
    if filter.is_some_and(|filter| names(filter, &["PublishStatus", "Id"])) {
        return Ok(());
    }
    let message = format!(
        "Implementation restriction: When querying or searching {}, filter by PublishStatus or by Id.",
        object.name
    );
    Err(Refusal::new("MALFORMED_QUERY", message))
}

fn names_links(filter: &Expr) -> bool {
    names(filter, &["ContentDocumentId", "LinkedEntityId", "Id"])
}

/// Whether all that a condition lets pass has one of some values in one of these fields.
fn names(filter: &Expr, fields: &[&str]) -> bool {
    let named = |operand: &Operand| {
        let [name] = operand.path.as_slice() else {
            return false;
        };
        fields.iter().any(|known| name.eq_ignore_ascii_case(known))
    };
    match filter {
        Expr::And(parts) => parts.iter().any(|part| names(part, fields)),
        Expr::Compare {
            operand,
            operator: Operator::Equal,
            ..
        }
        | Expr::In {
            operand,
            negated: false,
            ..
        } => named(operand),
        _ => false,
    }
}
