//! The actions of Knowledge: each input is answered by itself, and within it each version.

use serde_json::{Map, Value, json};

use super::manage::{Missed, archive, publish, remove, translate};
use crate::org::engine::Ctx;
use crate::org::error::Refusal;
use crate::org::rest::{Reply, Request};

const ACTIONS: [&str; 4] = [
    "publishKnowledgeArticles",
    "archiveKnowledgeArticles",
    "deleteKnowledgeArticles",
    "submitKnowledgeArticleForTranslation",
];

/// `POST actions/standard/{name}`.
pub(in crate::org) fn action(
    ctx: &Ctx<'_>,
    request: &Request,
    name: &str,
) -> Result<Reply, Refusal> {
    if ctx.shape.settings.knowledge.is_none() || !ACTIONS.contains(&name) {
        return Err(Refusal::not_found());
    }
    let body = request.json()?;
    let Some(inputs) = body.get("inputs").and_then(Value::as_array) else {
        let message = "The request has no list of inputs";
        return Err(Refusal::new("INVALID_INPUT", message));
    };
    let answers: Vec<Value> = inputs
        .iter()
        .map(|input| answer(name, one(ctx, name, input)))
        .collect();
    // Some of it done is a success.
    let none = !answers.is_empty() && answers.iter().all(|a| !a["errors"].is_null());
    Ok(Reply::json(if none { 400 } else { 200 }, json!(answers)))
}

/// What became of an input: an answer by version, or what is wrong with the input as a whole.
type Done = Result<Map<String, Value>, (&'static str, Missed)>;

fn answer(name: &str, done: Done) -> Value {
    match done {
        Ok(values) => {
            let versions = name != "submitKnowledgeArticleForTranslation";
            let well = !versions || values.values().all(|value| value == "Success");
            json!({"actionName": name, "errors": null, "isSuccess": well, "outputValues": values})
        }
        Err((code, message)) => json!({
            "actionName": name, "errors": [{"statusCode": code, "message": message, "fields": []}], "isSuccess": false,
            "outputValues": null,
        }),
    }
}

fn one(ctx: &Ctx<'_>, name: &str, input: &Value) -> Done {
    let text = |field: &'static str| {
        let missing = || {
            (
                "REQUIRED_FIELD_MISSING",
                format!("Missing required input parameter: {field}"),
            )
        };
        input.get(field).and_then(Value::as_str).ok_or_else(missing)
    };
    if name == "submitKnowledgeArticleForTranslation" {
        let (article, language) = (text("articleId")?, text("language")?);
        text("assigneeId")?;
        translate(ctx, article, language).map_err(|missed| ("UNKNOWN_EXCEPTION", missed))?;
        let told = [("articleId", article), ("language", language)];
        return Ok(told
            .map(|(k, v)| (k.to_owned(), json!(v)))
            .into_iter()
            .collect());
    }
    let step: fn(&Ctx<'_>, &str) -> Result<(), Missed> = match name {
        "archiveKnowledgeArticles" => archive,
        "deleteKnowledgeArticles" => remove,
        _ => match text("pubAction")? {
            "PUBLISH_ARTICLE" | "PUBLISH_ARTICLE_NEW_VERSION" => |ctx, id| publish(ctx, id, false),
            "PUBLISH_TRANSLATION" => |ctx, id| publish(ctx, id, true),
            other => {
                let said = format!("Invalid pubAction: {other}");
                return Err(("INVALID_ARGUMENT_TYPE", said));
            }
        },
    };
    let ids = match input.get("articleVersionIdList") {
        Some(Value::Array(ids)) => ids.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(ids)) => ids.split(',').map(str::trim).collect(),
        _ => Vec::new(),
    };
    if ids.is_empty() {
        let said = "Missing required input parameter: articleVersionIdList".to_owned();
        return Err(("REQUIRED_FIELD_MISSING", said));
    }
    let told = ids.into_iter().map(|id| {
        let said = step(ctx, id).map_or_else(|missed| missed, |()| "Success".to_owned());
        (id.get(..15).unwrap_or(id).to_owned(), json!(said))
    });
    Ok(told.collect())
}
