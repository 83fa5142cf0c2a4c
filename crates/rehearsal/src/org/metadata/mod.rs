//! Metadata: deployments of zips, and components one by one (Salesforce transport reference, section 11).
//!
//! Objects, fields, permission sets, queues, record types and values of standard picklists have an effect; everything else is
//! taken and said to be without one. A deployment is done when its request is answered; its first answer says `Pending`
//! all the same, so that clients poll as they must.

mod apply;
mod component;
mod kept;
pub(crate) mod retrieve;
mod zip;

use rusqlite::{OptionalExtension, params};
use serde_json::{Map, Value, json};

use self::apply::Draft;
use self::component::Component;
use super::engine::Ctx;
use super::error::Refusal;
use super::record_types::{BusinessProcess, RecordType};
use super::rest::{Reply, Request};
use super::schema::{Field, Kind, Object};
use super::values::date_time_text;
use super::xml::{element, escaped};

/// The key prefix of deployments.
const PREFIX: &str = "0Af";
/// Components that one call may name.
const MOST_PER_CALL: usize = 10;

/// The types of `describeMetadata`: name, folder, suffix.
const TYPES: [(&str, &str, &str); 11] = [
    ("CustomObject", "objects", "object"),
    ("CustomApplication", "applications", "app"),
    (
        "EntitlementProcess",
        "entitlementProcesses",
        "entitlementProcess",
    ),
    ("Layout", "layouts", "layout"),
    ("MilestoneType", "milestoneTypes", "milestoneType"),
    ("PermissionSet", "permissionsets", "permissionset"),
    ("Profile", "profiles", "profile"),
    ("Queue", "queues", "queue"),
    ("Settings", "settings", "settings"),
    ("StandardValueSet", "standardValueSets", "standardValueSet"),
    ("CustomTab", "tabs", "tab"),
];

/// What a deployment is told.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) check_only: bool,
    pub(crate) rollback_on_error: bool,
    pub(crate) ignore_warnings: bool,
    pub(crate) purge_on_delete: bool,
}

impl Options {
    fn of(json: &Value) -> Self {
        let flag = |name: &str| match json.get(name) {
            Some(Value::Bool(flag)) => Some(*flag),
            Some(Value::String(text)) => Some(text.eq_ignore_ascii_case("true")),
            _ => None,
        };
        Self {
            check_only: flag("checkOnly").unwrap_or(false),
            rollback_on_error: flag("rollbackOnError").unwrap_or(true),
            ignore_warnings: flag("ignoreWarnings").unwrap_or(true),
            purge_on_delete: flag("purgeOnDelete").unwrap_or(false),
        }
    }

    fn as_json(&self) -> Value {
        json!({
            "allowMissingFiles": false, "autoUpdatePackage": false, "checkOnly": self.check_only,
            "ignoreWarnings": self.ignore_warnings, "performRetrieve": false, "purgeOnDelete": self.purge_on_delete,
            "rollbackOnError": self.rollback_on_error, "runTests": null, "singlePackage": true,
            "testLevel": "NoTestRun",
        })
    }
}

/// Everything below `metadata`.
pub(crate) fn resource(
    ctx: &Ctx<'_>,
    request: &Request,
    method: &str,
    below: &[&str],
) -> Result<Reply, Refusal> {
    match (method, below) {
        ("POST", ["deployRequest"]) => {
            let upload = request.upload.as_ref().ok_or_else(|| {
                Refusal::new(
                    "INVALID_MULTIPART_REQUEST",
                    "the part with the zip is missing",
                )
            })?;
            let options = if request.body.is_empty() {
                Value::Null
            } else {
                request.json()?
            };
            let options = Options::of(options.get("deployOptions").unwrap_or(&Value::Null));
            let id = deploy(ctx, &std::fs::read(&upload.path)?, &options)?;
            Ok(Reply::json(
                201,
                json!({"id": id, "deployOptions": options.as_json(), "deployResult": pending(ctx, &id, &options)}),
            ))
        }
        ("GET", ["deployRequest", id]) => {
            let mut result = result(ctx, id)?;
            if !request.flag("includeDetails") {
                result["details"] = Value::Null;
            }
            let options = json!({
                "checkOnly": result["checkOnly"], "ignoreWarnings": result["ignoreWarnings"],
                "rollbackOnError": result["rollbackOnError"],
            });
            Ok(Reply::json(
                200,
                json!({"id": result["id"], "url": null, "deployOptions": options, "deployResult": result}),
            ))
        }
        ("PATCH", ["deployRequest", id]) => {
            result(ctx, id)?;
            let message = "Deployment already completed";
            Err(Refusal::new("INVALID_ID_FIELD", message))
        }
        _ => Err(Refusal::not_found()),
    }
}

/// What is answered to a deployment that was just begun.
pub(crate) fn pending(ctx: &Ctx<'_>, id: &str, options: &Options) -> Value {
    json!({
        "id": id, "status": "Pending", "done": false, "success": false, "checkOnly": options.check_only,
        "ignoreWarnings": options.ignore_warnings, "rollbackOnError": options.rollback_on_error,
        "numberComponentErrors": 0, "numberComponentsDeployed": 0, "numberComponentsTotal": 0,
        "numberTestErrors": 0, "numberTestsCompleted": 0, "numberTestsTotal": 0, "runTestsEnabled": false,
        "createdDate": date_time_text(ctx.now), "createdBy": ctx.engine.user_id(ctx.user),
    })
}

/// Takes a zip and keeps what became of it; the deployment's id.
pub(crate) fn deploy(ctx: &Ctx<'_>, zip: &[u8], options: &Options) -> Result<String, Refusal> {
    ctx.db.execute_batch("SAVEPOINT deploy")?;
    let (details, failed) = match package(zip) {
        Ok(package) => taken(ctx, &package, options),
        Err(problem) => {
            let row = failure("", "package.xml", "package.xml", &problem);
            (
                Details {
                    failures: vec![row],
                    ..Details::default()
                },
                true,
            )
        }
    };
    if failed && options.rollback_on_error || options.check_only {
        ctx.db.execute_batch("ROLLBACK TO deploy")?;
        ctx.forget_next();
    }
    ctx.db.execute_batch("RELEASE deploy")?;
    let (good, bad) = (details.successes.len(), details.failures.len());
    let status = match (bad, failed) {
        (0, _) => "Succeeded",
        _ if !options.rollback_on_error => "SucceededPartial",
        _ => "Failed",
    };
    let user = ctx.engine.user_id(ctx.user);
    let now = date_time_text(ctx.now);
    let body = json!({
        "id": "", "status": status, "done": true, "success": bad == 0, "checkOnly": options.check_only,
        "ignoreWarnings": options.ignore_warnings, "rollbackOnError": options.rollback_on_error,
        "numberComponentErrors": bad, "numberComponentsDeployed": good, "numberComponentsTotal": good + bad,
        "numberTestErrors": 0, "numberTestsCompleted": 0, "numberTestsTotal": 0, "runTestsEnabled": false,
        "createdDate": now, "startDate": now, "lastModifiedDate": now, "completedDate": now,
        "createdBy": user, "createdByName": "Integration User",
        "details": {
            "componentFailures": details.failures, "componentSuccesses": details.successes,
            "runTestResult": {"numFailures": 0, "numTestsRun": 0, "totalTime": 0.0},
        },
    });
    ctx.db
        .execute("INSERT INTO deploys(body) VALUES(?1)", [body.to_string()])?;
    Ok(ctx.engine.ids.id(PREFIX, ctx.db.last_insert_rowid()))
}

/// What became of a deployment.
pub(crate) fn result(ctx: &Ctx<'_>, id: &str) -> Result<Value, Refusal> {
    let missing = || {
        let message = format!("INVALID_CROSS_REFERENCE_KEY: No deployment with the id {id}");
        Refusal::new("INVALID_CROSS_REFERENCE_KEY", message).with_status(404)
    };
    let number = ctx
        .engine
        .ids
        .parse(id)
        .filter(|(prefix, _)| *prefix == PREFIX)
        .map(|(_, number)| number)
        .ok_or_else(missing)?;
    let body: Option<String> = ctx
        .db
        .query_row(
            "SELECT body FROM deploys WHERE n = ?1",
            params![number],
            |row| row.get(0),
        )
        .optional()?;
    let mut body: Value = serde_json::from_str(&body.ok_or_else(missing)?)?;
    body["id"] = json!(ctx.engine.ids.id(PREFIX, number));
    Ok(body)
}

#[derive(Default)]
struct Details {
    successes: Vec<Value>,
    failures: Vec<Value>,
}

/// The files of a zip, in the order in which they can be taken.
struct Package {
    manifest: String,
    listed: Vec<(String, String)>,
    components: Vec<Component>,
    dropped: Vec<(String, String)>,
}

fn package(zip: &[u8]) -> Result<Package, String> {
    let files = zip::files(zip)?;
    let manifest = files
        .iter()
        .map(|(path, _)| path)
        .filter(|path| path.as_str() == "package.xml" || path.ends_with("/package.xml"))
        .min_by_key(|path| path.len())
        .ok_or("No package.xml found")?
        .clone();
    let root = manifest.trim_end_matches("package.xml").to_owned();
    let (mut listed, mut components, mut dropped) = (Vec::new(), Vec::new(), Vec::new());
    for (path, bytes) in &files {
        let Some(below) = path.strip_prefix(&root) else {
            continue;
        };
        let content = String::from_utf8_lossy(bytes);
        if below == "package.xml" {
            listed = component::members(&content)?;
        } else if below.starts_with("destructiveChanges") {
            dropped.extend(component::members(&content)?);
        } else if !below.ends_with("-meta.xml") || below.contains(".object") {
            components.extend(component::of_file(path, &content));
        }
    }
    // Objects before the fields that point at them, fields before what speaks of them.
    components.sort_by_key(|component| match component.kind.as_str() {
        "Settings" => 0,
        "CustomObject" => 1,
        "CustomField" => 2,
        "StandardValueSet" => 3,
        "BusinessProcess" | "MilestoneType" => 4,
        "RecordType" | "EntitlementProcess" => 5,
        "Queue" => 6,
        _ => 7,
    });
    Ok(Package {
        manifest,
        listed,
        components,
        dropped,
    })
}

fn taken(ctx: &Ctx<'_>, package: &Package, options: &Options) -> (Details, bool) {
    let mut draft = Draft::new(ctx);
    let mut details = Details::default();
    for component in &package.components {
        let Component {
            kind, name, file, ..
        } = component;
        match draft.take(component) {
            Ok(done) => details
                .successes
                .push(success(kind, name, file, done.created, done.note)),
            Err(problem) => details.failures.push(failure(kind, name, file, &problem)),
        }
    }
    for (kind, name) in &package.dropped {
        let file = "destructiveChanges.xml";
        match draft.drop(kind, name) {
            Ok(()) => {
                let mut row = success(kind, name, file, false, None);
                row["deleted"] = json!(true);
                details.successes.push(row);
            }
            // What is not there need not be deleted: a warning on the platform.
            Err(problem) => {
                let mut row = success(kind, name, file, false, None);
                row["problem"] = json!(problem);
                row["problemType"] = json!("Warning");
                details.successes.push(row);
            }
        }
    }
    for (kind, name) in &package.listed {
        let is_there = package
            .components
            .iter()
            .any(|component| component.kind == *kind && component.name == *name);
        let sub_part = matches!(kind.as_str(), "CustomField" | "CustomObject");
        if !is_there && name != "*" && sub_part {
            let problem = format!(
                "An object '{name}' of type {kind} was named in package.xml, but was not found in zipped directory"
            );
            details
                .failures
                .push(failure("", name, &package.manifest, &problem));
        }
    }
    let mut failed = !details.failures.is_empty();
    if !(failed && options.rollback_on_error)
        && let Err(problem) = draft.finish()
    {
        details
            .failures
            .push(failure("", "", &package.manifest, &problem));
        failed = true;
    }
    let manifest = success("", "package.xml", &package.manifest, false, None);
    details.successes.push(manifest);
    (details, failed)
}

fn success(kind: &str, name: &str, file: &str, created: bool, note: Option<&str>) -> Value {
    json!({
        "changed": true, "componentType": kind, "created": created, "createdDate": null, "deleted": false,
        "fileName": file, "fullName": name, "success": true, "warning": note.is_some(), "problem": note,
        "problemType": note.map(|_| "Warning"),
    })
}

fn failure(kind: &str, name: &str, file: &str, problem: &str) -> Value {
    json!({
        "changed": false, "componentType": kind, "created": false, "createdDate": null, "deleted": false,
        "fileName": file, "fullName": name, "lineNumber": 1, "columnNumber": 1, "problem": problem,
        "problemType": "Error", "success": false, "warning": false,
    })
}

/// `createMetadata`, `updateMetadata`, `upsertMetadata`: one result per component.
pub(crate) fn save(
    ctx: &Ctx<'_>,
    call: &str,
    nodes: &[roxmltree::Node<'_, '_>],
) -> Result<Vec<Value>, Refusal> {
    if nodes.len() > MOST_PER_CALL {
        let message = format!("More than {MOST_PER_CALL} components were sent in one call");
        return Err(Refusal::new("LIMIT_EXCEEDED", message));
    }
    let mut draft = Draft::new(ctx);
    let mut rows = Vec::with_capacity(nodes.len());
    for node in nodes {
        let components = component::of_call(*node);
        let name = components
            .first()
            .map_or("", |component| component.name.as_str());
        let mut row = Map::from_iter([("fullName".to_owned(), json!(name))]);
        let mut created = false;
        let mut problem = None;
        for (n, component) in components.iter().enumerate() {
            match draft.take(component) {
                Ok(done) if n == 0 => created = done.created,
                Ok(_) => {}
                Err(why) => problem = problem.or(Some(why)),
            }
        }
        if call == "createMetadata" && !created && problem.is_none() {
            problem = Some(format!("There is already a component named {name}"));
        }
        row.insert("success".into(), json!(problem.is_none()));
        if call == "upsertMetadata" {
            row.insert("created".into(), json!(created && problem.is_none()));
        }
        if let Some(problem) = problem {
            let code = if problem.starts_with("There is already") {
                "DUPLICATE_DEVELOPER_NAME"
            } else {
                "FIELD_INTEGRITY_EXCEPTION"
            };
            row.insert(
                "errors".into(),
                json!({"message": problem, "statusCode": code}),
            );
        }
        rows.push(Value::Object(row));
    }
    draft
        .finish()
        .map_err(|problem| Refusal::new("INVALID_INPUT", problem))?;
    Ok(rows)
}

/// `deleteMetadata`.
pub(crate) fn remove(ctx: &Ctx<'_>, kind: &str, names: &[&str]) -> Result<Vec<Value>, Refusal> {
    let mut draft = Draft::new(ctx);
    let rows = names
        .iter()
        .map(|name| match draft.drop(kind, name) {
            Ok(()) => json!({"fullName": name, "success": true}),
            Err(problem) => json!({
                "errors": {"message": problem, "statusCode": "INVALID_CROSS_REFERENCE_KEY"}, "fullName": name,
                "success": false,
            }),
        })
        .collect();
    draft
        .finish()
        .map_err(|problem| Refusal::new("INVALID_INPUT", problem))?;
    Ok(rows)
}

/// `describeMetadata`.
pub(crate) fn described() -> Value {
    let rows: Vec<Value> = TYPES
        .iter()
        .map(|(name, folder, suffix)| {
            let children = if *name == "CustomObject" {
                json!([
                    "BusinessProcess", "CompactLayout", "CustomField", "FieldSet", "ListView", "RecordType",
                    "ValidationRule", "WebLink",
                ])
            } else {
                json!([])
            };
            json!({
                "childXmlNames": children, "directoryName": folder, "inFolder": false, "metaFile": false,
                "suffix": suffix, "xmlName": name,
            })
        })
        .collect();
    json!({
        "metadataObjects": rows, "organizationNamespace": "", "partialSaveAllowed": true, "testRequired": false,
    })
}

/// `listMetadata` of one type.
pub(crate) fn listed(ctx: &Ctx<'_>, kind: &str) -> Result<Vec<Value>, Refusal> {
    let objects = || ctx.schema().objects.iter().filter(|object| !object.tooling);
    let settings = &ctx.shape.settings;
    let mut names: Vec<String> = match kind {
        "CustomObject" => objects().map(|object| object.name.clone()).collect(),
        "CustomField" => objects()
            .flat_map(|object| {
                let custom = object.fields.iter().filter(|field| field.custom);
                custom.map(|field| format!("{}.{}", object.name, field.name))
            })
            .collect(),
        "Layout" => objects()
            .filter(|object| object.createable && !object.setup)
            .map(|object| format!("{}-{} Layout", object.name, object.label))
            .collect(),
        "RecordType" => (settings.record_types.iter())
            .map(|known| format!("{}.{}", known.object, known.name))
            .collect(),
        "BusinessProcess" => (settings.business_processes.iter())
            .map(|known| format!("{}.{}", known.object, known.name))
            .collect(),
        "StandardValueSet" => component::VALUE_SETS
            .iter()
            .map(|(name, _)| (*name).to_owned())
            .collect(),
        _ => Vec::new(),
    };
    names.extend(kept::names(ctx, kind)?);
    names.sort();
    names.dedup();
    let now = date_time_text(ctx.shape.since);
    let user = ctx.engine.user_id(ctx.user);
    let file = |name: &str| {
        let known = TYPES.iter().find(|(known, ..)| *known == kind);
        match known.filter(|(known, ..)| *known != "CustomObject") {
            Some((_, folder, suffix)) => format!("{folder}/{name}.{suffix}"),
            None => format!("objects/{}.object", name.split('.').next().unwrap_or(name)),
        }
    };
    let rows = names.into_iter().map(|name| {
        json!({
            "createdById": user, "createdByName": "Integration User", "createdDate": now, "fileName": file(&name),
            "fullName": name, "id": "", "lastModifiedById": user, "lastModifiedByName": "Integration User",
            "lastModifiedDate": now, "type": kind,
        })
    });
    Ok(rows.collect())
}

/// What stands in one component, as `readMetadata` and `retrieve` show it; none where the org has none of that name.
pub(crate) fn read(ctx: &Ctx<'_>, kind: &str, name: &str) -> Result<Option<String>, Refusal> {
    let shown = match kind {
        "CustomField" => {
            let of = name.split_once('.').and_then(|(object, field)| {
                let object = ctx.schema().object(object)?;
                object.fields.iter().find(|f| f.custom && f.name == field)
            });
            return Ok(of.map(|field| parts(&as_metadata(field))));
        }
        "CustomObject" => {
            let Some(object) = ctx.schema().object(name) else {
                return Ok(None);
            };
            return whole_object(ctx, object).map(Some);
        }
        "StandardValueSet" => component::value_set(ctx.schema(), name),
        _ => kept::read(ctx, kind, name)?,
    };
    let settings = &ctx.shape.settings;
    Ok(match (shown, kind, name.split_once('.')) {
        (Some(shown), ..) => Some(shown),
        (None, "Layout", _) => kept::of_first_layout(ctx.schema(), name).map(kept::first_layout),
        (None, "RecordType", Some((object, name))) => {
            let mut known = settings.record_types.iter();
            known
                .find(|known| known.is(object, name))
                .map(of_record_type)
        }
        (None, "BusinessProcess", Some((object, name))) => {
            let mut known = settings.business_processes.iter();
            let process = known.find(|known| known.object == object && known.name == name);
            process.map(of_business_process)
        }
        _ => None,
    })
}

/// An object's file: itself, its fields, and what else belongs to it.
fn whole_object(ctx: &Ctx<'_>, object: &Object) -> Result<String, Refusal> {
    let mut shown = parts(&object_metadata(object));
    for (kind, element) in [
        ("BusinessProcess", "businessProcesses"),
        ("CompactLayout", "compactLayouts"),
        ("FieldSet", "fieldSets"),
        ("ListView", "listViews"),
        ("RecordType", "recordTypes"),
        ("ValidationRule", "validationRules"),
        ("WebLink", "webLinks"),
    ] {
        for row in listed(ctx, kind)? {
            let full = row["fullName"].as_str().unwrap_or_default();
            let own = full
                .split_once('.')
                .filter(|(of, _)| *of == object.name)
                .map(|(_, name)| name);
            if let (Some(name), Some(inner)) = (own, read(ctx, kind, full)?) {
                let name = escaped(name);
                shown.push_str(&format!(
                    "<{element}><fullName>{name}</fullName>{inner}</{element}>"
                ));
            }
        }
    }
    Ok(shown)
}

/// The elements of an object of JSON, its name left out.
fn parts(shown: &Value) -> String {
    let entries = shown.as_object().into_iter().flatten();
    entries
        .filter(|(name, _)| *name != "fullName")
        .map(|(name, value)| element(name, value))
        .collect()
}

fn of_record_type(known: &RecordType) -> String {
    let narrowed: Vec<Value> = known
        .values
        .iter()
        .map(|(field, values)| {
            let values: Vec<Value> = values
                .iter()
                .map(|value| json!({"fullName": value, "default": false}))
                .collect();
            json!({"picklist": field, "values": values})
        })
        .collect();
    parts(&json!({
        "active": !known.inactive, "businessProcess": known.business_process, "label": known.shown(),
        "picklistValues": narrowed,
    }))
}

fn of_business_process(process: &BusinessProcess) -> String {
    let values: Vec<Value> = process
        .values
        .iter()
        .map(|value| json!({"fullName": value, "default": process.default.as_ref() == Some(value)}))
        .collect();
    parts(&json!({"isActive": true, "values": values}))
}

fn object_metadata(object: &Object) -> Value {
    let custom = object.fields.iter().filter(|field| field.custom);
    let fields: Vec<Value> = custom.map(as_metadata).collect();
    let mut shown = json!({"fields": fields});
    if object.custom {
        shown["label"] = json!(object.label);
    }
    if object.custom {
        let numbered = object
            .field("Name")
            .and_then(|name| name.auto_number.clone());
        shown["nameField"] = match numbered {
            Some(format) => json!({"displayFormat": format, "label": "Name", "type": "AutoNumber"}),
            None => json!({"label": "Name", "type": "Text"}),
        };
        shown["pluralLabel"] = json!(object.plural);
        shown["deploymentStatus"] = json!("Deployed");
        shown["sharingModel"] = json!("ReadWrite");
    }
    shown
}

fn as_metadata(field: &Field) -> Value {
    let kind = match field.kind {
        Kind::TextArea if field.length > 255 => "LongTextArea",
        Kind::TextArea => "TextArea",
        Kind::RichText => "Html",
        Kind::Double | Kind::Int => "Number",
        Kind::Currency => "Currency",
        Kind::Percent => "Percent",
        Kind::Boolean => "Checkbox",
        Kind::Date => "Date",
        Kind::DateTime => "DateTime",
        Kind::Time => "Time",
        Kind::Picklist | Kind::Combobox => "Picklist",
        Kind::MultiPicklist => "MultiselectPicklist",
        Kind::Email => "Email",
        Kind::Phone => "Phone",
        Kind::Url => "Url",
        Kind::Reference if field.cascade => "MasterDetail",
        Kind::Reference => "Lookup",
        _ => "Text",
    };
    let mut shown = json!({
        "fullName": field.name, "externalId": field.external_id, "label": field.label,
        "required": !field.nillable && field.kind != Kind::Boolean, "type": kind, "unique": field.unique,
    });
    match kind {
        "Text" | "LongTextArea" | "Html" => shown["length"] = json!(field.length),
        "Number" | "Currency" | "Percent" => {
            shown["precision"] = json!(field.precision);
            shown["scale"] = json!(field.scale);
        }
        "Lookup" | "MasterDetail" => {
            shown["referenceTo"] = json!(field.reference_to.first());
            let name = field.child_relationship.as_deref();
            shown["relationshipName"] = json!(name.map(|name| name.trim_end_matches("__r")));
        }
        "Picklist" | "MultiselectPicklist" => {
            let values: Vec<Value> = field
                .values
                .iter()
                .map(|value| json!({"default": false, "fullName": value.value, "label": value.label}))
                .collect();
            shown["valueSet"] = json!({
                "restricted": field.restricted, "valueSetDefinition": {"sorted": false, "value": values},
            });
        }
        _ => {}
    }
    if kind == "Text" {
        shown["caseSensitive"] = json!(field.case_sensitive);
    }
    shown
}

impl Options {
    /// The options of a SOAP call.
    pub(crate) fn of_node(node: Option<roxmltree::Node<'_, '_>>) -> Self {
        let mut flags = Map::new();
        for part in node.into_iter().flat_map(crate::org::xml::children) {
            let text = part.text().unwrap_or_default().trim();
            flags.insert(part.tag_name().name().to_owned(), json!(text));
        }
        Self::of(&Value::Object(flags))
    }
}
