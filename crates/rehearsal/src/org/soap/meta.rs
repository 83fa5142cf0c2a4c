//! The operations of the Metadata API.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use roxmltree::Node;
use serde_json::{Value, json};

use crate::org::engine::Ctx;
use crate::org::error::Refusal;
use crate::org::metadata::{self, Options};
use crate::org::xml::{child, children, element, flag, text, texts};

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
        "readMetadata" => Ok(read(ctx, operation)),
        "listMetadata" => {
            let queries = children(operation).filter(|part| part.tag_name().name() == "queries");
            let rows: Vec<Value> = queries
                .filter_map(|query| text(query, "type"))
                .flat_map(|kind| metadata::listed(ctx, kind))
                .collect();
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

fn read(ctx: &Ctx<'_>, operation: Node<'_, '_>) -> String {
    let kind = text(operation, "type").unwrap_or_default();
    let rows: String = texts(operation, "fullNames")
        .map(|name| match metadata::read(ctx, kind, name) {
            Some(shown) => {
                let inner = element("records", &shown);
                inner.replacen("<records>", &format!("<records xsi:type=\"{kind}\">"), 1)
            }
            None => "<records xsi:nil=\"true\"/>".to_owned(),
        })
        .collect();
    format!("<result>{rows}</result>")
}
