//! `retrieve`: what the org has of the components that a list names, as a zip that can be deployed again.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use roxmltree::Node;
use rusqlite::{OptionalExtension, params};
use serde_json::{Value, json};

use super::{TYPES, listed, read, zip};
use crate::org::engine::Ctx;
use crate::org::error::Refusal;
use crate::org::values::date_time_text;
use crate::org::xml::{child, children, escaped, flag, text, texts};

/// The key prefix of retrievals.
const PREFIX: &str = "09S";
const NAMESPACE: &str = "http://soap.sforce.com/2006/04/metadata";
/// Parts of an object's file, and how they are called there.
const PARTS: [(&str, &str); 8] = [
    ("BusinessProcess", "businessProcesses"),
    ("CompactLayout", "compactLayouts"),
    ("CustomField", "fields"),
    ("FieldSet", "fieldSets"),
    ("ListView", "listViews"),
    ("RecordType", "recordTypes"),
    ("ValidationRule", "validationRules"),
    ("WebLink", "webLinks"),
];

/// Gathers what the request names and keeps it; the retrieval's id.
pub(crate) fn begin(ctx: &Ctx<'_>, request: Node<'_, '_>) -> Result<String, Refusal> {
    let mut wanted: Vec<(String, String)> = Vec::new();
    for types in child(request, "unpackaged").into_iter().flat_map(children) {
        let kind = text(types, "name").unwrap_or_default();
        for member in texts(types, "members").filter(|_| types.tag_name().name() == "types") {
            if member == "*" {
                let all = listed(ctx, kind)?;
                let names = all.iter().filter_map(|row| row["fullName"].as_str());
                wanted.extend(names.map(|name| (kind.to_owned(), name.to_owned())));
            } else {
                wanted.push((kind.to_owned(), member.to_owned()));
            }
        }
    }
    let version = text(request, "apiVersion").unwrap_or("66.0");
    let root = if flag(request, "singlePackage") {
        ""
    } else {
        "unpackaged/"
    };
    let made = gathered(ctx, &wanted, root, version)?;
    let body = made.to_string();
    ctx.db
        .execute("INSERT INTO retrievals(body) VALUES(?1)", [body])?;
    Ok(ctx.engine.ids.id(PREFIX, ctx.db.last_insert_rowid()))
}

/// What became of a retrieval.
pub(crate) fn status(ctx: &Ctx<'_>, id: &str, with_zip: bool) -> Result<Value, Refusal> {
    let missing = || {
        let message = format!("no retrieval with the id {id}");
        Refusal::new("INVALID_CROSS_REFERENCE_KEY", message)
    };
    let place = ctx.engine.ids.parse(id);
    let (_, number) = place
        .filter(|(prefix, _)| *prefix == PREFIX)
        .ok_or_else(missing)?;
    let body: Option<String> = ctx
        .db
        .query_row(
            "SELECT body FROM retrievals WHERE n = ?1",
            params![number],
            |row| row.get(0),
        )
        .optional()?;
    let mut body: Value = serde_json::from_str(&body.ok_or_else(missing)?)?;
    body["id"] = json!(id);
    if !with_zip {
        body["zipFile"] = Value::Null;
    }
    Ok(body)
}

fn gathered(
    ctx: &Ctx<'_>,
    wanted: &[(String, String)],
    root: &str,
    version: &str,
) -> Result<Value, Refusal> {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    let mut objects: BTreeMap<String, BTreeMap<(usize, String), String>> = BTreeMap::new();
    let (mut messages, mut properties) = (Vec::new(), Vec::new());
    let mut manifest: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let now = date_time_text(ctx.now);
    let user = ctx.engine.user_id(ctx.user);
    for (kind, name) in wanted {
        let Some(inner) = read(ctx, kind, name)? else {
            let problem = format!("Entity of type '{kind}' named '{name}' cannot be found");
            messages.push(json!({"fileName": format!("{root}package.xml"), "problem": problem}));
            continue;
        };
        manifest.entry(kind).or_default().push(name);
        let part = PARTS.iter().position(|(known, _)| known == kind);
        let path = match (part, name.split_once('.')) {
            (Some(part), Some((object, inner_name))) => {
                let element = PARTS[part].1;
                let text = format!(
                    "    <{element}><fullName>{}</fullName>{inner}</{element}>\n",
                    escaped(inner_name)
                );
                let parts = objects.entry(object.to_owned()).or_default();
                parts.insert((part, inner_name.to_owned()), text);
                format!("{root}objects/{object}.object")
            }
            _ if kind == "CustomObject" => {
                // The whole of it, fields and all.
                let parts = objects.entry(name.clone()).or_default();
                parts.insert((usize::MAX, String::new()), format!("    {inner}\n"));
                format!("{root}objects/{name}.object")
            }
            _ => {
                let known = TYPES.iter().find(|(known, ..)| known == kind);
                let (folder, suffix) = known.map_or(("other", "xml"), |(_, f, s)| (*f, *s));
                let path = format!("{root}{folder}/{name}.{suffix}");
                files.insert(path.clone(), document(root_element(kind, name), &inner));
                path
            }
        };
        properties.push(json!({
            "createdById": user, "createdByName": "Integration User", "createdDate": now, "fileName": path,
            "fullName": name, "id": "", "lastModifiedById": user, "lastModifiedByName": "Integration User",
            "lastModifiedDate": now, "manageableState": "unmanaged", "type": kind,
        }));
    }
    for (object, parts) in objects {
        // A part that was named beside its whole object is in there already.
        let whole = parts.get(&(usize::MAX, String::new())).cloned();
        let inner = whole.unwrap_or_else(|| parts.into_values().collect());
        files.insert(
            format!("{root}objects/{object}.object"),
            document("CustomObject", &inner),
        );
    }
    let types: String = manifest
        .iter()
        .map(|(kind, names)| {
            let members: String = names
                .iter()
                .map(|name| format!("        <members>{}</members>\n", escaped(name)))
                .collect();
            format!("    <types>\n{members}        <name>{kind}</name>\n    </types>\n")
        })
        .collect();
    let inner = format!("{types}    <version>{}</version>\n", escaped(version));
    files.insert(format!("{root}package.xml"), document("Package", &inner));
    Ok(json!({
        "done": true, "fileProperties": properties, "id": "", "messages": messages, "status": "Succeeded",
        "success": true, "zipFile": BASE64.encode(zip::packed(&files)?),
    }))
}

/// Settings have an element of their own each.
fn root_element<'t>(kind: &'t str, name: &'t str) -> &'t str {
    match (kind, name) {
        ("Settings", "Entitlement") => "EntitlementSettings",
        ("Settings", "BusinessHours") => "BusinessHoursSettings",
        _ => kind,
    }
}

fn document(kind: &str, inner: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{kind} xmlns=\"{NAMESPACE}\">\n{inner}</{kind}>\n"
    )
}
