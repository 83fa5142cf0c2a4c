//! `composite`: up to 25 requests in one, later ones using what earlier ones answered.

use std::collections::HashMap;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::{Body, Reply, Request, VERSIONS, dispatch};
use crate::org::engine::Ctx;
use crate::org::error::Refusal;

const MOST: usize = 25;
const MOST_GRAPHS: usize = 75;
const MOST_NODES: usize = 500;
/// Of these, how many may be queries or collections.
const MOST_HEAVY: usize = 5;

pub(super) fn composite(ctx: &Ctx<'_>, request: &Request) -> Result<Reply, Refusal> {
    let body = request.json()?;
    let all_or_none = body
        .get("allOrNone")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    let parts = body
        .get("compositeRequest")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    check(&parts)?;
    let (rows, _) = performed(ctx, request, &parts, all_or_none)?;
    Ok(Reply::json(200, json!({"compositeResponse": rows})))
}

/// `composite/graph`: several such lists, each of which is done as a whole or not at all.
pub(super) fn graph(ctx: &Ctx<'_>, request: &Request) -> Result<Reply, Refusal> {
    let body = request.json()?;
    let graphs = body.get("graphs").and_then(Value::as_array);
    let graphs = graphs
        .filter(|graphs| !graphs.is_empty())
        .ok_or_else(|| Refusal::new("INVALID_INPUT", "The request has no graphs"))?;
    let parts_of = |graph: &Value| -> Vec<Value> {
        let parts = graph.get("compositeRequest").and_then(Value::as_array);
        parts.cloned().unwrap_or_default()
    };
    let nodes: usize = graphs.iter().map(|graph| parts_of(graph).len()).sum();
    if nodes > MOST_NODES || graphs.len() > MOST_GRAPHS {
        let message = format!("A request has at most {MOST_GRAPHS} graphs and {MOST_NODES} nodes");
        return Err(Refusal::new("LIMIT_EXCEEDED", message));
    }
    let mut rows = Vec::with_capacity(graphs.len());
    for graph in graphs {
        let id = text(graph, "graphId").unwrap_or_default();
        let parts = parts_of(graph);
        named(&parts)?;
        let elsewhere = parts
            .iter()
            .find(|part| !text(part, "url").is_some_and(|url| url.contains("/sobjects/")));
        if let Some(part) = elsewhere {
            let message = format!(
                "{} is not allowed in a graph",
                text(part, "url").unwrap_or_default()
            );
            return Err(Refusal::new("OPERATION_NOT_ALLOWED", message));
        }
        let (done, failed) = performed(ctx, request, &parts, true)?;
        rows.push(json!({
            "graphId": id, "graphResponse": {"compositeResponse": done}, "isSuccessful": !failed,
        }));
    }
    Ok(Reply::json(200, json!({"graphs": rows})))
}

/// `composite/batch`: up to 25 requests that know nothing of each other.
pub(super) fn batch(ctx: &Ctx<'_>, request: &Request) -> Result<Reply, Refusal> {
    let body = request.json()?;
    let parts = body.get("batchRequests").and_then(Value::as_array);
    let parts = parts
        .filter(|parts| (1..=MOST).contains(&parts.len()))
        .ok_or_else(|| {
            Refusal::new(
                "LIMIT_EXCEEDED",
                format!("A batch has 1 to {MOST} requests"),
            )
        })?;
    let halt = body
        .get("haltOnError")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    let (mut rows, mut has_errors) = (Vec::with_capacity(parts.len()), false);
    for part in parts {
        if halt && has_errors {
            let halted = Refusal::new(
                "BATCH_PROCESSING_HALTED",
                "Batch processing halted per request",
            );
            rows.push(json!({"statusCode": 412, "result": [halted.as_rest()]}));
            continue;
        }
        let url = text(part, "url").unwrap_or_default();
        let url = url
            .trim_start_matches('/')
            .trim_start_matches("services/data/");
        let mut whole = part.clone();
        whole["url"] = json!(format!("/services/data/{url}"));
        if let Some(input) = part.get("richInput") {
            whole["body"] = input.clone();
        }
        ctx.db.execute_batch("SAVEPOINT part")?;
        let reply = match sub_request(request, &whole) {
            Ok(inner) => dispatch(ctx, &inner),
            Err(refusal) => Reply::refused(&refusal),
        };
        if reply.status >= 300 {
            has_errors = true;
            ctx.db.execute_batch("ROLLBACK TO part")?;
        }
        ctx.db.execute_batch("RELEASE part")?;
        let result = if let Body::Json(value) = reply.body {
            value
        } else {
            Value::Null
        };
        rows.push(json!({"statusCode": reply.status, "result": result}));
    }
    Ok(Reply::json(
        200,
        json!({"hasErrors": has_errors, "results": rows}),
    ))
}

/// The answers of all parts, and whether one failed; then, with `all_or_none`, none was done.
fn performed(
    ctx: &Ctx<'_>,
    request: &Request,
    parts: &[Value],
    all_or_none: bool,
) -> Result<(Vec<Value>, bool), Refusal> {
    let mut answers: HashMap<String, Option<Value>> = HashMap::new();
    let mut replies = Vec::with_capacity(parts.len());
    ctx.db.execute_batch("SAVEPOINT composite")?;
    for part in parts {
        let reference = text(part, "referenceId").unwrap_or_default().to_owned();
        let reply = match filled(part, &answers) {
            Ok(part) => {
                ctx.db.execute_batch("SAVEPOINT part")?;
                let reply = dispatch(ctx, &sub_request(request, &part)?);
                if reply.status >= 300 {
                    ctx.db.execute_batch("ROLLBACK TO part")?;
                }
                ctx.db.execute_batch("RELEASE part")?;
                reply
            }
            Err(refusal) => Reply::refused(&refusal),
        };
        let value = if let Body::Json(value) = &reply.body {
            value.clone()
        } else {
            Value::Null
        };
        answers.insert(reference.clone(), (reply.status < 300).then_some(value));
        replies.push((reference, reply));
    }
    let failed = replies.iter().any(|(_, reply)| reply.status >= 300);
    if all_or_none && failed {
        ctx.db.execute_batch("ROLLBACK TO composite")?;
        for (_, reply) in replies.iter_mut().filter(|(_, reply)| reply.status < 300) {
            let message = "The transaction was rolled back since another operation in the same transaction failed.";
            *reply = Reply::refused(&Refusal::new("PROCESSING_HALTED", message));
        }
    }
    ctx.db.execute_batch("RELEASE composite")?;
    let rows: Vec<Value> = replies
        .into_iter()
        .map(|(reference, reply)| row(&reference, reply))
        .collect();
    Ok((rows, failed))
}

fn check(parts: &[Value]) -> Result<(), Refusal> {
    let heavy = |part: &&Value| {
        text(part, "url").is_some_and(|url| url.contains("/query") || url.contains("/composite/"))
    };
    if parts.is_empty() || parts.len() > MOST || parts.iter().filter(heavy).count() > MOST_HEAVY {
        let message = format!(
            "A composite request has 1 to {MOST} subrequests, at most {MOST_HEAVY} of them queries or collections"
        );
        return Err(Refusal::new("LIMIT_EXCEEDED", message));
    }
    named(parts)
}

/// Every part has a name of its own.
fn named(parts: &[Value]) -> Result<(), Refusal> {
    let mut seen = std::collections::HashSet::new();
    for part in parts {
        let reference = text(part, "referenceId").unwrap_or_default();
        let valid = reference.starts_with(|c: char| c.is_ascii_alphabetic())
            && reference
                .bytes()
                .all(|c| c.is_ascii_alphanumeric() || c == b'_');
        if !valid || !seen.insert(reference) {
            let message = format!("Invalid reference specified or not unique: '{reference}'");
            return Err(Refusal::new("INVALID_INPUT", message));
        }
        let headers = part.get("httpHeaders").and_then(Value::as_object);
        let inherited = ["accept", "authorization", "content-type"];
        let own = headers
            .into_iter()
            .flatten()
            .find(|(name, _)| inherited.contains(&name.to_ascii_lowercase().as_str()));
        if let Some((name, _)) = own {
            return Err(Refusal::new(
                "INVALID_INPUT",
                format!("A subrequest cannot set the header {name}"),
            ));
        }
    }
    Ok(())
}

fn text<'v>(part: &'v Value, name: &str) -> Option<&'v str> {
    part.get(name).and_then(Value::as_str)
}

/// The part with every `@{reference.path}` replaced.
fn filled(part: &Value, answers: &HashMap<String, Option<Value>>) -> Result<Value, Refusal> {
    Ok(match part {
        Value::String(text) => Value::String(replaced(text, answers)?),
        Value::Array(items) => Value::Array(
            items
                .iter()
                .map(|item| filled(item, answers))
                .collect::<Result<_, _>>()?,
        ),
        Value::Object(entries) => Value::Object(
            entries
                .iter()
                .map(|(name, value)| Ok((name.clone(), filled(value, answers)?)))
                .collect::<Result<_, Refusal>>()?,
        ),
        other => other.clone(),
    })
}

fn replaced(text: &str, answers: &HashMap<String, Option<Value>>) -> Result<String, Refusal> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("@{") {
        let Some((path, after)) = behind.split_once('}') else {
            break;
        };
        out.push_str(before);
        out.push_str(&looked_up(path, answers)?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

fn looked_up(path: &str, answers: &HashMap<String, Option<Value>>) -> Result<String, Refusal> {
    let (reference, rest) = path.split_once('.').unwrap_or((path, ""));
    let halted = || {
        Refusal::new(
            "PROCESSING_HALTED",
            format!("Invalid reference specified. No value for {path} found in {reference}"),
        )
    };
    let mut at = answers
        .get(reference)
        .ok_or_else(halted)?
        .as_ref()
        .ok_or_else(halted)?;
    for step in rest.split(['.', '[', ']']).filter(|step| !step.is_empty()) {
        at = match step.parse::<usize>() {
            Ok(index) if at.is_array() => at.get(index),
            _ => at.get(step),
        }
        .ok_or_else(halted)?;
    }
    match at {
        Value::String(text) => Ok(text.clone()),
        Value::Null | Value::Array(_) | Value::Object(_) => Err(halted()),
        other => Ok(other.to_string()),
    }
}

fn sub_request(outer: &Request, part: &Value) -> Result<Request, Refusal> {
    let address = text(part, "url").unwrap_or_default();
    let wrong = || {
        Refusal::new(
            "INVALID_INPUT",
            format!("a subrequest cannot go to '{address}'"),
        )
    };
    let below = address.strip_prefix("/services/data/v").ok_or_else(wrong)?;
    let (version, resource) = below.split_once('/').ok_or_else(wrong)?;
    let version: u32 = version
        .trim_end_matches(".0")
        .parse()
        .map_err(|_| wrong())?;
    if !VERSIONS.contains(&version) {
        return Err(wrong());
    }
    let (resource, query) = resource.split_once('?').unwrap_or((resource, ""));
    let mut headers = HeaderMap::new();
    for (name, value) in part
        .get("httpHeaders")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        if let (Ok(name), Some(Ok(value))) = (
            HeaderName::try_from(name),
            value.as_str().map(HeaderValue::from_str),
        ) {
            headers.insert(name, value);
        }
    }
    Ok(Request {
        method: text(part, "method").unwrap_or("GET").to_uppercase(),
        resource: resource.to_owned(),
        query: url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect(),
        headers,
        body: part
            .get("body")
            .map(|body| body.to_string().into_bytes())
            .unwrap_or_default(),
        upload: None,
        base: outer.base.clone(),
    })
}

fn row(reference: &str, reply: Reply) -> Value {
    let body = if let Body::Json(value) = reply.body {
        value
    } else {
        Value::Null
    };
    let headers: serde_json::Map<String, Value> = reply
        .headers
        .into_iter()
        .map(|(name, value)| {
            (
                if name == "location" {
                    "Location".to_owned()
                } else {
                    name.to_owned()
                },
                json!(value),
            )
        })
        .collect();
    json!({"body": body, "httpHeaders": headers, "httpStatusCode": reply.status, "referenceId": reference})
}
