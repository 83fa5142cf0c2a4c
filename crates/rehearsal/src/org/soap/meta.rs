//! The operations of the Metadata API.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use roxmltree::Node;
use serde_json::{Value, json};

use crate::org::engine::Ctx;
use crate::org::error::Refusal;
use crate::org::metadata::{self, Options, retrieve};
use crate::org::xml::{child, children, element, escaped, flag, text, texts};

pub(super) fn perform(
    ctx: &Ctx<'_>,
    name: &str,
    operation: Node<'_, '_>,
) -> Result<String, Refusal> {
    match name {
        "deploy" => deploy(ctx, operation),
        "checkDeployStatus" => {
            let id = text(operation, "asyncProcessId").unwrap_or_default();
            let mut result = metadata::result(ctx, id)?;
            if !flag(operation, "includeDetails") {
                result["details"] = json!({});
            }
            Ok(element("result", &result))
        }
        // How older clients wait for whatever they began: all of it is done when it is answered.
        "checkStatus" => {
            let rows: Vec<Value> = texts(operation, "asyncProcessId")
                .map(|id| json!({"done": true, "id": id, "state": "Completed"}))
                .collect();
            Ok(element("result", &Value::Array(rows)))
        }
        "cancelDeploy" => {
            let id = text(operation, "String").or_else(|| text(operation, "asyncProcessId"));
            let done = json!({"done": true, "id": id.unwrap_or_default()});
            Ok(element("result", &done))
        }
        "createMetadata" | "updateMetadata" | "upsertMetadata" => {
            let nodes: Vec<Node<'_, '_>> = children(operation)
                .filter(|part| part.tag_name().name() == "metadata")
                .collect();
            let rows = metadata::save(ctx, name, &nodes)?;
            Ok(element("result", &Value::Array(rows)))
        }
        "deleteMetadata" => {
            let kind = text(operation, "type").unwrap_or_default();
            let names: Vec<&str> = texts(operation, "fullNames").collect();
            let rows = metadata::remove(ctx, kind, &names)?;
            Ok(element("result", &Value::Array(rows)))
        }
        "readMetadata" => read(ctx, operation),
        "retrieve" => {
            // The WSDL's own name, and the one that clients use.
            let request = child(operation, "retrieveRequest").or(child(operation, "request"));
            let request = request
                .ok_or_else(|| Refusal::new("INVALID_INPUT", "retrieveRequest is missing"))?;
            let id = retrieve::begin(ctx, request)?;
            let queued = json!({"done": false, "id": id, "state": "Queued"});
            Ok(element("result", &queued))
        }
        "checkRetrieveStatus" => {
            let id = text(operation, "asyncProcessId").unwrap_or_default();
            // Clients of before version 31 do not know how to ask for less.
            let with_zip = text(operation, "includeZip") != Some("false");
            Ok(element("result", &retrieve::status(ctx, id, with_zip)?))
        }
        "listMetadata" => {
            let queries = children(operation).filter(|part| part.tag_name().name() == "queries");
            let mut rows = Vec::new();
            for kind in queries.filter_map(|query| text(query, "type")) {
                rows.extend(metadata::listed(ctx, kind)?);
            }
            Ok(element("result", &Value::Array(rows)))
        }
        "describeMetadata" => Ok(element("result", &metadata::described())),
        _ => {
            let message = format!("the local org does not imitate {name} of the Metadata API");
            Err(Refusal::new("INVALID_OPERATION", message))
        }
    }
}

fn deploy(ctx: &Ctx<'_>, operation: Node<'_, '_>) -> Result<String, Refusal> {
    let packed = text(operation, "ZipFile").unwrap_or_default();
    let packed: String = packed.chars().filter(|c| !c.is_whitespace()).collect();
    let zip = BASE64
        .decode(packed)
        .map_err(|_| Refusal::new("INVALID_INPUT", "ZipFile is no base64"))?;
    let options = Options::of_node(child(operation, "DeployOptions"));
    let id = metadata::deploy(ctx, &zip, &options)?;
    Ok(element(
        "result",
        &json!({"done": false, "id": id, "state": "Queued"}),
    ))
}

fn read(ctx: &Ctx<'_>, operation: Node<'_, '_>) -> Result<String, Refusal> {
    let kind = text(operation, "type").unwrap_or_default();
    let mut rows = String::new();
    for name in texts(operation, "fullNames") {
        match metadata::read(ctx, kind, name)? {
            Some(inner) => {
                let name = escaped(name);
                rows.push_str(&format!(
                    "<records xsi:type=\"{kind}\"><fullName>{name}</fullName>{inner}</records>"
                ));
            }
            None => rows.push_str("<records xsi:nil=\"true\"/>"),
        }
    }
    Ok(format!("<result>{rows}</result>"))
}
