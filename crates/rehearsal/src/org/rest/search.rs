//! Searches: `search` with SOSL, `parameterizedSearch` with its parts apart.

use serde_json::{Value, json};

use super::{Reply, Request};
use crate::org::engine::Ctx;
use crate::org::error::Refusal;
use crate::org::soql::{self, Search};

/// `GET search?q=FIND…`.
pub(super) fn sosl(ctx: &Ctx<'_>, request: &Request) -> Result<Reply, Refusal> {
    let text = request.parameter("q").unwrap_or_default();
    answered(ctx, &Search::parse(text)?)
}

/// `GET parameterizedSearch?q=…`.
pub(super) fn by_parameters(ctx: &Ctx<'_>, request: &Request) -> Result<Reply, Refusal> {
    let mut search = Search::of(request.parameter("q").unwrap_or_default())?;
    if let Some(group) = request.parameter("in") {
        search = search.within(group)?;
    }
    for name in request
        .parameter("sobject")
        .into_iter()
        .flat_map(|names| names.split(','))
    {
        let of = |what: &str| request.parameter(&format!("{name}.{what}"));
        let fields = of("fields").or_else(|| request.parameter("fields"));
        search.object(&wanted(name, fields, of("where"), of("limit")))?;
    }
    let limit = request.parameter("overallLimit");
    if let Some(limit) = limit.and_then(|limit| limit.parse().ok()) {
        search = search.limited(limit);
    }
    answered(ctx, &search)
}

/// `POST parameterizedSearch`.
pub(super) fn by_body(ctx: &Ctx<'_>, request: &Request) -> Result<Reply, Refusal> {
    let body = request.json()?;
    let text = |of: &Value, name: &str| of.get(name).and_then(Value::as_str).map(str::to_owned);
    let mut search = Search::of(&text(&body, "q").unwrap_or_default())?;
    if let Some(group) = text(&body, "in") {
        search = search.within(&group)?;
    }
    let list = |of: &Value| {
        let names = of.get("fields").and_then(Value::as_array)?;
        let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
        Some(names.join(", "))
    };
    let objects = body.get("sobjects").and_then(Value::as_array);
    for object in objects.into_iter().flatten() {
        let name = text(object, "name").unwrap_or_default();
        let fields = list(object).or_else(|| list(&body));
        let limit = object.get("limit").or_else(|| body.get("defaultLimit"));
        let limit = limit.and_then(Value::as_u64).map(|limit| limit.to_string());
        let part = wanted(
            &name,
            fields.as_deref(),
            text(object, "where").as_deref(),
            limit.as_deref(),
        );
        search.object(&part)?;
    }
    if let Some(limit) = body.get("overallLimit").and_then(Value::as_u64) {
        search = search.limited(usize::try_from(limit).unwrap_or(usize::MAX));
    }
    answered(ctx, &search)
}

fn wanted(name: &str, fields: Option<&str>, filter: Option<&str>, limit: Option<&str>) -> String {
    let mut inner = fields.unwrap_or("Id").to_owned();
    for (word, value) in [(" WHERE ", filter), (" LIMIT ", limit)] {
        if let Some(value) = value {
            inner.push_str(word);
            inner.push_str(value);
        }
    }
    format!("{name}({inner})")
}

fn answered(ctx: &Ctx<'_>, search: &Search) -> Result<Reply, Refusal> {
    let found = soql::search(ctx, search)?;
    Ok(Reply::json(200, json!({"searchRecords": found})))
}
