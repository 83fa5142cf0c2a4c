//! Deployments by the Metadata API over REST (Salesforce transport, section 11.1).

use std::time::Duration;

use deskferry_core::context::Context;
use deskferry_core::error::{Error, ErrorKind, Result};
use deskferry_core::http::{Part, PartBody, Request};
use deskferry_core::prepare::Prepared;
use serde_json::{Value, json};

use super::{PackageFile, zip};
use crate::client::error::error_of;
use crate::client::{Api, needed};

const DOING: &str = "deploy to the org";
/// How often a deployment is asked for before a person is: about two hours.
const ASKED: u32 = 800;

/// Hands a package over: all of it or nothing. Answers the deployment's id.
pub(crate) async fn begin(
    cx: &Context,
    api: &Api,
    files: &[PackageFile],
    trial: bool,
) -> Result<String> {
    let options = json!({"deployOptions": {
        "allowMissingFiles": false, "autoUpdatePackage": false, "checkOnly": trial, "ignoreWarnings": true,
        "performRetrieve": false, "purgeOnDelete": false, "rollbackOnError": true, "singlePackage": true,
        "testLevel": "NoTestRun", "runTests": [],
    }});
    let parts = vec![
        Part::text("json", "application/json", options.to_string()),
        Part::file(
            "file",
            "deploy.zip",
            "application/zip",
            PartBody::Bytes(zip(files).into()),
        ),
    ];
    let request = Request::post("deploy", api.path("metadata/deployRequest"))
        .operation(DOING)
        .multipart(parts);
    let response = api.send(cx, request).await?;
    if !response.is_success() {
        let error = error_of(&response, DOING);
        return Err(match error.kind() {
            ErrorKind::Forbidden => error.advise(
                "Give the migration user \"Modify Metadata Through Metadata API Functions\", or let the administrator install the package that `plan` writes",
            ),
            _ => error,
        });
    }
    needed(cx, "deployments", 1.0);
    let answer: Value = response.json(DOING)?;
    let id = answer["id"].as_str().map(str::to_owned);
    id.ok_or_else(|| Error::decode(DOING, "id", "missing"))
}

/// Waits until a deployment has ended.
pub(crate) async fn follow(cx: &Context, api: &Api, id: &str) -> Result<Prepared> {
    let path = api.path(&format!("metadata/deployRequest/{id}"));
    let mut wait = Duration::from_millis(500);
    for _ in 0..ASKED {
        let request = Request::get("deployed", path.clone())
            .query("includeDetails", true)
            .operation(DOING);
        let response = api.send(cx, request).await?;
        if !response.is_success() {
            return Err(error_of(&response, DOING).with("deployment", id));
        }
        let answer: Value = response.json(DOING)?;
        let result = &answer["deployResult"];
        if flag(&result["done"]) {
            return Ok(ended(result));
        }
        cx.sleep(wait, DOING).await?;
        wait = (wait * 3 / 2).min(Duration::from_secs(10));
    }
    Err(Error::new(
        ErrorKind::Unavailable,
        DOING,
        "the deployment has not ended after two hours",
    )
    .with("deployment", id)
    .advise("Look at it in Setup, Deployment Status; `deploy` goes on with it"))
}

/// Booleans come as texts from some versions.
fn flag(value: &Value) -> bool {
    *value == true || value.as_str().is_some_and(|text| text == "true")
}

fn ended(result: &Value) -> Prepared {
    let number = |name: &str| match &result[name] {
        Value::Number(number) => number.as_u64().unwrap_or_default(),
        Value::String(text) => text.parse().unwrap_or_default(),
        _ => 0,
    };
    let details = &result["details"];
    let mut refused: Vec<String> = all(&details["componentFailures"]).map(sentence).collect();
    let warned = all(&details["componentSuccesses"]).filter(|row| row["problem"].is_string());
    refused.extend(warned.map(|row| format!("warning: {}", sentence(row))));
    let done = flag(&result["success"]);
    if !done && refused.is_empty() {
        let said = result["errorMessage"].as_str();
        let status = result["status"].as_str().unwrap_or("no status");
        refused.push(said.map_or_else(
            || format!("the deployment ended as {status}"),
            str::to_owned,
        ));
    }
    Prepared {
        done,
        trial: flag(&result["checkOnly"]),
        parts: number("numberComponentsTotal"),
        refused,
    }
}

/// One, several or none.
fn all(value: &Value) -> impl Iterator<Item = &Value> {
    let one = value.is_object().then_some(value);
    value.as_array().into_iter().flatten().chain(one)
}

/// What became of one component, and what to do about it.
fn sentence(row: &Value) -> String {
    let text = |key: &str| row[key].as_str().unwrap_or_default();
    let kind = match text("componentType") {
        "CustomField" => "field",
        "CustomObject" => "object",
        "RecordType" => "record type",
        "BusinessProcess" => "process of statuses",
        "StandardValueSet" => "list of values",
        "PermissionSet" => "permission set",
        "" => "package",
        other => other,
    };
    let problem = text("problem");
    let mut said = format!("{kind} {}: {problem}", text("fullName"));
    if let Some(advice) = advice(problem) {
        said.push_str(". ");
        said.push_str(advice);
    }
    said
}

/// What helps against the refusals that are met most.
fn advice(problem: &str) -> Option<&'static str> {
    let problem = problem.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| problem.contains(word));
    if has(&["limit", "exceed"]) {
        Some(
            "The object is full for this edition: take lines out of the mapping, or remove fields that nobody uses",
        )
    } else if has(&["_del", "recently deleted", "has been deleted"]) {
        Some("One of that name was deleted lately: erase it in Setup, Deleted Fields")
    } else if has(&[
        "already exists",
        "duplicate",
        "already in use",
        "there is already",
    ]) {
        Some("Another one has that name: rename it in the mapping, or use the one that is there")
    } else if has(&["insufficient access", "not have permission", "no access"]) {
        Some(
            "Give the migration user \"Modify Metadata Through Metadata API Functions\" and \"Customize Application\"",
        )
    } else if has(&["not enabled", "not available", "invalid type"]) {
        Some("Its feature is off in this org: switch it on, or take it out of the mapping")
    } else if has(&["no customfield named", "no customobject named"]) {
        Some("It follows from another refusal, or the object is not there")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_names_its_component_and_what_to_do() {
        let one = json!({"componentType": "CustomField", "fullName": "Case.A__c", "problemType": "Error",
            "problem": "Cannot exceed the maximum number of custom fields"});
        let result = json!({"status": "Failed", "done": "true", "success": "false", "checkOnly": "true",
            "numberComponentsTotal": "7", "details": {"componentFailures": one}});
        let ended = ended(&result);
        assert_eq!((ended.done, ended.trial, ended.parts), (false, true, 7));
        assert!(ended.refused[0].starts_with("field Case.A__c: Cannot exceed"));
        assert!(ended.refused[0].contains("full for this edition"));
    }

    #[test]
    fn a_deployment_that_failed_without_a_component_says_why() {
        for (result, said) in [
            (
                json!({"success": false, "status": "Canceled"}),
                "the deployment ended as Canceled",
            ),
            (
                json!({"success": false, "errorMessage": "UNKNOWN"}),
                "UNKNOWN",
            ),
        ] {
            assert_eq!(ended(&result).refused, [said]);
        }
        let result = json!({"success": true, "numberComponentsTotal": 3, "details": {"componentSuccesses": [
            {"fullName": "a", "problem": null}, {"componentType": "Layout", "fullName": "b", "problem": "odd"},
        ]}});
        assert_eq!(ended(&result).refused, ["warning: Layout b: odd"]);
    }
}
