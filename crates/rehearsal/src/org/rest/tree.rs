//! `composite/tree`: records with the children below them, made as a whole or not at all.

use serde_json::{Value, json};

use super::{Reply, Request};
use crate::org::engine::Ctx;
use crate::org::error::Refusal;
use crate::org::schema::Object;
use crate::org::store::Fields;
use crate::org::write::{Item, Operation, write};

const MOST_RECORDS: usize = 200;
const MOST_LEVELS: usize = 5;
const MOST_TYPES: usize = 5;

struct Node<'v> {
    object: String,
    reference: String,
    values: Fields,
    /// The field that points at the parent, and the parent's place in the list.
    parent: Option<(String, usize)>,
    level: usize,
    record: &'v Value,
}

pub(super) fn tree(ctx: &Ctx<'_>, request: &Request, object: &str) -> Result<Reply, Refusal> {
    let object = ctx.schema().object(object).ok_or_else(Refusal::not_found)?;
    let body = request.json()?;
    let records = records(&body)
        .ok_or_else(|| Refusal::new("INVALID_INPUT", "The request has no list of records"))?;
    let mut nodes: Vec<Node<'_>> = Vec::new();
    for record in records {
        nodes.push(node(object, record, None, 1)?);
    }
    let mut at = 0;
    while at < nodes.len() {
        let below = children(ctx, &nodes[at], at)?;
        nodes.extend(below);
        at += 1;
        limits(&nodes)?;
    }
    made(ctx, request, &nodes)
}

fn records(value: &Value) -> Option<&Vec<Value>> {
    value.get("records").and_then(Value::as_array)
}

fn node<'v>(
    object: &Object,
    record: &'v Value,
    parent: Option<(String, usize)>,
    level: usize,
) -> Result<Node<'v>, Refusal> {
    let attribute = |name: &str| {
        let value = record.get("attributes").and_then(|all| all.get(name));
        value.and_then(Value::as_str).unwrap_or_default()
    };
    if !attribute("type").eq_ignore_ascii_case(&object.name) {
        let message = format!("Include the record type {} in attributes.type", object.name);
        return Err(Refusal::new("INVALID_INPUT", message));
    }
    let reference = attribute("referenceId");
    if reference.is_empty() {
        return Err(Refusal::new(
            "INVALID_INPUT",
            "Include a referenceId for each record",
        ));
    }
    let mut values = record.as_object().cloned().unwrap_or_default();
    values.remove("attributes");
    values.retain(|_, value| records(value).is_none());
    Ok(Node {
        object: object.name.clone(),
        reference: reference.to_owned(),
        values,
        parent,
        level,
        record,
    })
}

fn children<'v>(ctx: &Ctx<'_>, parent: &Node<'v>, at: usize) -> Result<Vec<Node<'v>>, Refusal> {
    let mut found = Vec::new();
    let entries = parent.record.as_object().into_iter().flatten();
    for (name, below) in entries.filter_map(|(name, value)| Some((name, records(value)?))) {
        let (object, field) = ctx
            .schema()
            .by_child_name(&parent.object, name)
            .ok_or_else(|| {
                let message = format!("No such relation {name} on {}", parent.object);
                Refusal::new("INVALID_FIELD", message)
            })?;
        for record in below {
            let above = Some((field.name.clone(), at));
            found.push(node(object, record, above, parent.level + 1)?);
        }
    }
    Ok(found)
}

fn limits(nodes: &[Node<'_>]) -> Result<(), Refusal> {
    let types: std::collections::HashSet<&str> =
        nodes.iter().map(|node| node.object.as_str()).collect();
    let deepest = nodes.iter().map(|node| node.level).max().unwrap_or(0);
    let message = if nodes.len() > MOST_RECORDS {
        format!("A tree has at most {MOST_RECORDS} records")
    } else if deepest > MOST_LEVELS {
        format!("A tree has at most {MOST_LEVELS} levels")
    } else if types.len() > MOST_TYPES {
        format!("A tree has records of at most {MOST_TYPES} types")
    } else {
        return Ok(());
    };
    Err(Refusal::new("INVALID_INPUT", message))
}

fn made(ctx: &Ctx<'_>, request: &Request, nodes: &[Node<'_>]) -> Result<Reply, Refusal> {
    let mut seen = std::collections::HashSet::new();
    if let Some(double) = nodes.iter().find(|node| !seen.insert(&node.reference)) {
        let error = Refusal::new(
            "INVALID_INPUT",
            "Duplicate ReferenceId provided in the request.",
        );
        return Ok(failed(vec![(&double.reference, error)]));
    }
    let mut ids: Vec<Option<String>> = Vec::with_capacity(nodes.len());
    let mut errors = Vec::new();
    for node in nodes {
        let mut values = node.values.clone();
        if let Some((field, parent)) = &node.parent {
            let Some(id) = ids.get(*parent).and_then(Option::as_ref) else {
                ids.push(None);
                continue;
            };
            values.insert(field.clone(), json!(id));
        }
        let item = Item {
            object: node.object.clone(),
            id: None,
            values,
            read: Default::default(),
        };
        let outcomes = write(ctx, &request.call(false), Operation::Insert, &[item])?;
        for outcome in outcomes {
            ids.push(outcome.id);
            errors.extend(outcome.error.map(|error| (node.reference.as_str(), error)));
        }
    }
    if !errors.is_empty() {
        return Ok(failed(errors));
    }
    let rows: Vec<Value> = nodes
        .iter()
        .zip(&ids)
        .map(|(node, id)| json!({"referenceId": node.reference, "id": id}))
        .collect();
    Ok(Reply::json(
        201,
        json!({"hasErrors": false, "results": rows}),
    ))
}

fn failed(errors: Vec<(&str, Refusal)>) -> Reply {
    let rows: Vec<Value> = errors
        .into_iter()
        .map(|(reference, error)| json!({"referenceId": reference, "errors": [error.as_row()]}))
        .collect();
    Reply::json(400, json!({"hasErrors": true, "results": rows}))
}
