//! The older Bulk API (`/services/async`), which many clients still speak: jobs, batches, results; CSV, JSON and XML.
//!
//! A batch is worked on when it is added; its first answer says `Queued` all the same, so that clients poll as they must.

use rusqlite::{OptionalExtension, params};
use serde_json::{Map, Value, json};

use super::columns::Columns;
use super::job::{Job, Operation};
use crate::org::engine::{Ctx, Engine};
use crate::org::error::Refusal;
use crate::org::soql::{self, BulkQuery};
use crate::org::store::Fields;
use crate::org::values::date_time_text;
use crate::org::write::{self, Call, Item, Outcome};
use crate::org::xml::{child, children, element, text};

const NAMESPACE: &str = "http://www.force.com/2009/06/asyncapi/dataload";
const JOB: &str = "750";
const BATCH: &str = "751";
const RESULT: &str = "752";
/// Apart from the numbers of the newer jobs, which have the same key prefix.
const FIRST: i64 = 1_000_000_000_000;
const MOST_ROWS: usize = 10_000;
/// Rows that are written at once.
const CHUNK: usize = 200;

/// One request below `/services/async/{version}`.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) method: String,
    /// What follows the version.
    pub(crate) path: String,
    pub(crate) content_type: String,
    pub(crate) accept: String,
    pub(crate) body: Vec<u8>,
    pub(crate) version: u32,
    pub(crate) token: String,
}

/// One answer: status, content type, body.
pub(crate) struct Told(pub(crate) u16, pub(crate) &'static str, pub(crate) Vec<u8>);

// Without a character set: a client that knows this API well compares them whole.
const XML: &str = "application/xml";
const JSON: &str = "application/json";
const CSV: &str = "text/csv";

pub(crate) fn answer(engine: &Engine, ask: &Ask) -> Told {
    let in_json = ask.content_type.contains("json");
    let done = match engine.sessions.user(&ask.token, false) {
        Some(user) => {
            engine.count_call();
            engine.transaction(user, ask.version, |ctx| resource(ctx, ask))
        }
        None => Err(Refusal::new("InvalidSessionId", "Invalid session id")),
    };
    done.unwrap_or_else(|refusal| {
        let error = json!({
            "exceptionCode": refusal.code, "exceptionMessage": refusal.message,
        });
        let status = if refusal.status >= 500 { 500 } else { 400 };
        shown(status, "error", &error, in_json)
    })
}

fn shown(status: u16, name: &str, value: &Value, in_json: bool) -> Told {
    if in_json {
        return Told(status, JSON, value.to_string().into_bytes());
    }
    let inner = element(name, value);
    let inner = inner.replacen(
        &format!("<{name}>"),
        &format!("<{name} xmlns=\"{NAMESPACE}\">"),
        1,
    );
    let whole = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{inner}");
    Told(status, XML, whole.into_bytes())
}

fn invalid(code: &'static str, message: impl Into<String>) -> Refusal {
    Refusal::new(code, message)
}

fn resource(ctx: &Ctx<'_>, ask: &Ask) -> Result<Told, Refusal> {
    let parts: Vec<&str> = ask
        .path
        .split('/')
        .filter(|part| !part.is_empty())
        .collect();
    match (ask.method.as_str(), parts.as_slice()) {
        ("POST", ["job"]) => create(ctx, ask),
        ("GET", ["job", id]) => {
            let job = Old::load(ctx, id)?;
            Ok(shown(200, "jobInfo", &job.info(ctx)?, job.in_json(ask)))
        }
        ("POST", ["job", id]) => change(ctx, ask, id),
        ("POST", ["job", id, "batch"]) => add(ctx, ask, id),
        ("GET", ["job", id, "batch"]) => {
            let job = Old::load(ctx, id)?;
            let list = json!({"batchInfo": batches(ctx, &job)?});
            Ok(shown(200, "batchInfoList", &list, job.in_json(ask)))
        }
        ("GET", ["job", id, "batch", batch]) => {
            let job = Old::load(ctx, id)?;
            let info = batch_of(ctx, &job, batch)?.0;
            Ok(shown(200, "batchInfo", &info, job.in_json(ask)))
        }
        ("GET", ["job", id, "batch", batch, "result"]) => results(ctx, ask, id, batch),
        ("GET", ["job", id, "batch", batch, "result", _]) => {
            let job = Old::load(ctx, id)?;
            let (_, bytes) = batch_of(ctx, &job, batch)?;
            Ok(Told(200, job.kind(), bytes))
        }
        _ => Err(invalid("InvalidUrl", "Destination URL not recognized")),
    }
}

/// What a client sent, as JSON.
fn sent(ask: &Ask) -> Result<Value, Refusal> {
    let body = String::from_utf8_lossy(&ask.body);
    if ask.content_type.contains("json") {
        return serde_json::from_str(&body)
            .map_err(|e| invalid("InvalidJob", format!("Unable to parse Job: {e}")));
    }
    let document = roxmltree::Document::parse(body.trim())
        .map_err(|e| invalid("InvalidJob", format!("Unable to parse Job: {e}")))?;
    let mut map = Map::new();
    for part in children(document.root_element()) {
        let value = part.text().unwrap_or_default().trim();
        map.insert(part.tag_name().name().to_owned(), json!(value));
    }
    Ok(Value::Object(map))
}

/// An older job, as it is kept.
struct Old {
    number: i64,
    body: Value,
}

impl Old {
    fn load(ctx: &Ctx<'_>, id: &str) -> Result<Self, Refusal> {
        let missing = || invalid("InvalidJob", format!("Unable to find object: {id}"));
        let number = number(ctx, JOB, id).ok_or_else(missing)?;
        let body: Option<String> = ctx
            .db
            .query_row("SELECT body FROM old_jobs WHERE n = ?1", [number], |row| {
                row.get(0)
            })
            .optional()?;
        let body = serde_json::from_str(&body.ok_or_else(missing)?)?;
        Ok(Self { number, body })
    }

    fn save(&self, ctx: &Ctx<'_>) -> Result<(), Refusal> {
        ctx.db.execute(
            "UPDATE old_jobs SET body = ?2 WHERE n = ?1",
            params![self.number, self.body.to_string()],
        )?;
        Ok(())
    }

    fn text(&self, name: &str) -> &str {
        self.body
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    fn is_json(&self) -> bool {
        self.text("contentType") == "JSON"
    }

    fn in_json(&self, ask: &Ask) -> bool {
        ask.content_type.contains("json")
            || ask.accept.contains("application/json")
            || (ask.content_type.is_empty() && self.is_json())
    }

    /// The content type of rows.
    fn kind(&self) -> &'static str {
        match self.text("contentType") {
            "JSON" => JSON,
            "XML" => XML,
            _ => CSV,
        }
    }

    fn operation(&self) -> Operation {
        match self.text("operation") {
            "update" => Operation::Update,
            "upsert" => Operation::Upsert,
            "delete" => Operation::Delete,
            "hardDelete" => Operation::HardDelete,
            "query" => Operation::Query,
            "queryAll" => Operation::QueryAll,
            _ => Operation::Insert,
        }
    }

    fn info(&self, ctx: &Ctx<'_>) -> Result<Value, Refusal> {
        let all = batches(ctx, self)?;
        let sum = |name: &str| -> u64 {
            all.iter()
                .filter_map(|batch| batch.get(name).and_then(Value::as_u64))
                .sum()
        };
        let failed = all
            .iter()
            .filter(|batch| batch["state"] == "Failed")
            .count();
        let mut info = self.body.clone();
        info["id"] = json!(ctx.engine.ids.id(JOB, FIRST + self.number));
        info["numberBatchesQueued"] = json!(0);
        info["numberBatchesInProgress"] = json!(0);
        info["numberBatchesCompleted"] = json!(all.len() - failed);
        info["numberBatchesFailed"] = json!(failed);
        info["numberBatchesTotal"] = json!(all.len());
        info["numberRecordsProcessed"] = json!(sum("numberRecordsProcessed"));
        info["numberRecordsFailed"] = json!(sum("numberRecordsFailed"));
        for (name, value) in [
            ("numberRetries", json!(0)),
            ("totalProcessingTime", json!(0)),
            ("apiActiveProcessingTime", json!(0)),
            ("apexProcessingTime", json!(0)),
        ] {
            info[name] = value;
        }
        Ok(info)
    }
}

fn number(ctx: &Ctx<'_>, prefix: &str, id: &str) -> Option<i64> {
    let found = ctx.engine.ids.parse(id).filter(|(of, _)| *of == prefix);
    found.map(|(_, number)| number - FIRST)
}

fn create(ctx: &Ctx<'_>, ask: &Ask) -> Result<Told, Refusal> {
    let told = sent(ask)?;
    let text = |name: &str| told.get(name).and_then(Value::as_str).unwrap_or_default();
    let operation = match text("operation").to_ascii_lowercase().as_str() {
        "harddelete" => "hardDelete".to_owned(),
        "queryall" => "queryAll".to_owned(),
        other => other.to_owned(),
    };
    if ![
        "insert",
        "update",
        "upsert",
        "delete",
        "hardDelete",
        "query",
        "queryAll",
    ]
    .contains(&operation.as_str())
    {
        return Err(invalid(
            "InvalidJob",
            format!("{operation} is no operation"),
        ));
    }
    if operation == "hardDelete" && !ctx.settings().bulk_hard_delete {
        let message = "hardDelete operation requires special user profile permission, please contact your system administrator";
        return Err(invalid("FeatureNotEnabled", message));
    }
    let object = ctx.schema().object(text("object")).ok_or_else(|| {
        invalid(
            "InvalidJob",
            format!("Unable to find object: {}", text("object")),
        )
    })?;
    let kind = match text("contentType") {
        "" => "XML".to_owned(),
        other => other.to_ascii_uppercase(),
    };
    if !["CSV", "JSON", "XML"].contains(&kind.as_str()) {
        return Err(invalid(
            "InvalidJob",
            format!("contentType {kind} is not supported"),
        ));
    }
    let key = text("externalIdFieldName");
    if operation == "upsert"
        && object
            .field(key)
            .is_none_or(|field| !(field.id_lookup || field.external_id))
    {
        let message = format!(
            "External ID was blank for {}. An External ID must be specified for upsert.",
            object.name
        );
        return Err(invalid("InvalidJob", message));
    }
    let now = date_time_text(ctx.now).replace("+0000", "Z");
    let mut body = json!({
        "operation": operation, "object": object.name, "createdById": ctx.engine.user_id(ctx.user), "createdDate": now,
        "systemModstamp": now, "state": "Open", "concurrencyMode": "Parallel", "contentType": kind,
        "apiVersion": f64::from(ctx.version),
    });
    if !key.is_empty() {
        body["externalIdFieldName"] = json!(key);
    }
    if let Some(rule) = told.get("assignmentRuleId").filter(|rule| rule.is_string()) {
        body["assignmentRuleId"] = rule.clone();
    }
    ctx.db
        .execute("INSERT INTO old_jobs(body) VALUES(?1)", [body.to_string()])?;
    let job = Old {
        number: ctx.db.last_insert_rowid(),
        body,
    };
    Ok(shown(201, "jobInfo", &job.info(ctx)?, job.in_json(ask)))
}

fn change(ctx: &Ctx<'_>, ask: &Ask, id: &str) -> Result<Told, Refusal> {
    let mut job = Old::load(ctx, id)?;
    let told = sent(ask)?;
    let state = told
        .get("state")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if !["Closed", "Aborted"].contains(&state) {
        return Err(invalid(
            "InvalidJob",
            format!("a job cannot be set to {state}"),
        ));
    }
    if job.text("state") != "Open" && state != job.text("state") {
        let message = format!(
            "Closing already aborted Job not allowed: {}",
            job.text("state")
        );
        return Err(invalid("InvalidJobState", message));
    }
    job.body["state"] = json!(state);
    job.save(ctx)?;
    Ok(shown(200, "jobInfo", &job.info(ctx)?, job.in_json(ask)))
}

fn batches(ctx: &Ctx<'_>, job: &Old) -> Result<Vec<Value>, Refusal> {
    let mut found = ctx
        .db
        .prepare_cached("SELECT body FROM old_batches WHERE job = ?1 ORDER BY n")?;
    let rows = found.query_map([job.number], |row| row.get::<_, String>(0))?;
    let mut all = Vec::new();
    for row in rows {
        all.push(serde_json::from_str(&row?)?);
    }
    Ok(all)
}

fn batch_of(ctx: &Ctx<'_>, job: &Old, id: &str) -> Result<(Value, Vec<u8>), Refusal> {
    let missing = || invalid("InvalidBatch", format!("Unable to find batch {id}"));
    let number = number(ctx, BATCH, id).ok_or_else(missing)?;
    let found: Option<(String, Vec<u8>)> = ctx
        .db
        .query_row(
            "SELECT body, result FROM old_batches WHERE n = ?1 AND job = ?2",
            [number, job.number],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    let (body, result) = found.ok_or_else(missing)?;
    Ok((serde_json::from_str(&body)?, result))
}

/// What became of a batch: its rows as they are asked for, how many there were, how many failed.
struct Worked {
    result: Vec<u8>,
    rows: usize,
    failed: usize,
}

fn add(ctx: &Ctx<'_>, ask: &Ask, id: &str) -> Result<Told, Refusal> {
    let job = Old::load(ctx, id)?;
    if job.text("state") != "Open" {
        let message = format!(
            "Job: {id} is in state {}, batches cannot be added",
            job.text("state")
        );
        return Err(invalid("InvalidJobState", message));
    }
    let worked = if job.operation().is_query() {
        queried(ctx, &job, &ask.body)
    } else {
        written(ctx, &job, &ask.body)
    };
    let now = date_time_text(ctx.now).replace("+0000", "Z");
    let mut info = json!({
        "jobId": id, "state": "Completed", "createdDate": now, "systemModstamp": now, "numberRecordsProcessed": 0,
        "numberRecordsFailed": 0, "totalProcessingTime": 1, "apiActiveProcessingTime": 1, "apexProcessingTime": 0,
    });
    let result = match worked {
        Ok(worked) => {
            info["numberRecordsProcessed"] = json!(worked.rows);
            info["numberRecordsFailed"] = json!(worked.failed);
            worked.result
        }
        Err(refusal) if refusal.status >= 500 => return Err(refusal),
        Err(refusal) => {
            info["state"] = json!("Failed");
            let code = if refusal.code.starts_with("Invalid") {
                refusal.message.clone()
            } else {
                format!("InvalidBatch : {}", refusal.message)
            };
            info["stateMessage"] = json!(code);
            Vec::new()
        }
    };
    ctx.db.execute(
        "INSERT INTO old_batches(job, body, result) VALUES(?1, '{}', ?2)",
        params![job.number, result],
    )?;
    let batch = ctx.db.last_insert_rowid();
    info["id"] = json!(ctx.engine.ids.id(BATCH, FIRST + batch));
    ctx.db.execute(
        "UPDATE old_batches SET body = ?2 WHERE n = ?1",
        params![batch, info.to_string()],
    )?;
    info["state"] = json!("Queued");
    Ok(shown(201, "batchInfo", &info, job.in_json(ask)))
}

fn results(ctx: &Ctx<'_>, ask: &Ask, id: &str, batch: &str) -> Result<Told, Refusal> {
    let job = Old::load(ctx, id)?;
    let (info, bytes) = batch_of(ctx, &job, batch)?;
    if info["state"] == "Failed" {
        return Err(invalid("InvalidBatch", "Batch failed"));
    }
    if !job.operation().is_query() {
        return Ok(Told(200, job.kind(), bytes));
    }
    let number = number(ctx, BATCH, batch).unwrap_or_default();
    let list = ctx.engine.ids.id(RESULT, FIRST + number);
    if job.in_json(ask) {
        return Ok(Told(200, JSON, json!([list]).to_string().into_bytes()));
    }
    Ok(shown(200, "result-list", &json!({"result": list}), false))
}

fn queried(ctx: &Ctx<'_>, job: &Old, body: &[u8]) -> Result<Worked, Refusal> {
    let query = String::from_utf8_lossy(body);
    let query = query.trim();
    let query = query.trim_matches('"');
    let all = job.operation() == Operation::QueryAll;
    let bulk = BulkQuery::read(ctx, query).map_err(|e| {
        invalid(
            "InvalidBatch",
            format!(
                "InvalidBatch : Failed to process query: {}: {}",
                e.code, e.message
            ),
        )
    })?;
    let numbers = bulk.matching(ctx, all)?;
    let mut out = Vec::new();
    match job.text("contentType") {
        "JSON" => {
            let rows = soql::all(ctx, query, &numbers)?;
            out = Value::Array(rows).to_string().into_bytes();
        }
        "XML" => {
            let rows = soql::all(ctx, query, &numbers)?;
            let records = json!({"records": rows});
            let inner = element("queryResult", &records);
            out.extend_from_slice(inner.as_bytes());
        }
        _ => {
            let dialect = super::csv::Dialect::default();
            let mut lines = String::new();
            let header = bulk.header();
            dialect.write(header.iter().map(String::as_str), &mut lines);
            for number in &numbers {
                if let Some(row) = bulk.row(ctx, *number)? {
                    dialect.write(row.iter().map(String::as_str), &mut lines);
                }
            }
            out.extend_from_slice(lines.as_bytes());
        }
    }
    Ok(Worked {
        result: out,
        rows: numbers.len(),
        failed: 0,
    })
}

fn written(ctx: &Ctx<'_>, job: &Old, body: &[u8]) -> Result<Worked, Refusal> {
    let items = match job.text("contentType") {
        "JSON" => json_rows(job, body)?,
        "XML" => xml_rows(job, body)?,
        _ => csv_rows(ctx, job, body)?,
    };
    if items.len() > MOST_ROWS {
        let message = format!("InvalidBatch : more than {MOST_ROWS} records in a batch");
        return Err(invalid("InvalidBatch", message));
    }
    let key = job.text("externalIdFieldName").to_owned();
    let operation = match job.operation() {
        Operation::Update => write::Operation::Update,
        Operation::Upsert => write::Operation::Upsert {
            field: &key,
            update_only: false,
        },
        Operation::Delete | Operation::HardDelete => write::Operation::Delete,
        _ => write::Operation::Insert,
    };
    let call = Call {
        auto_assign: job.body.get("assignmentRuleId").is_some(),
        ..Call::default()
    };
    let mut outcomes = Vec::with_capacity(items.len());
    for chunk in items.chunks(CHUNK) {
        outcomes.extend(write::write(ctx, &call, operation, chunk)?);
    }
    let failed = outcomes
        .iter()
        .filter(|outcome| outcome.error.is_some())
        .count();
    let inserts = job.operation() == Operation::Insert;
    let rows: Vec<Value> = outcomes
        .iter()
        .map(|outcome| row(outcome, inserts))
        .collect();
    let result = match job.text("contentType") {
        "JSON" => Value::Array(rows).to_string(),
        "XML" => {
            let inner: String = rows.iter().map(|row| element("result", row)).collect();
            format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?><results xmlns=\"{NAMESPACE}\">{inner}</results>"
            )
        }
        _ => csv_results(&outcomes, inserts),
    };
    Ok(Worked {
        rows: outcomes.len(),
        result: result.into_bytes(),
        failed,
    })
}

fn row(outcome: &Outcome, inserts: bool) -> Value {
    let good = outcome.error.is_none();
    let errors: Vec<Value> = outcome
        .error
        .iter()
        .map(|error| {
            json!({
                "message": error.message, "fields": error.fields, "statusCode": error.code, "extendedErrorDetails": null,
            })
        })
        .collect();
    let created = outcome.created.unwrap_or(inserts) && good;
    json!({"success": good, "created": created, "id": outcome.id, "errors": errors})
}

fn csv_results(outcomes: &[Outcome], inserts: bool) -> String {
    let dialect = super::csv::Dialect::default();
    let mut lines = String::new();
    dialect.write(["Id", "Success", "Created", "Error"], &mut lines);
    for outcome in outcomes {
        let good = outcome.error.is_none();
        let created = outcome.created.unwrap_or(inserts) && good;
        let error = outcome.error.as_ref().map(super::work::as_text);
        dialect.write(
            [
                outcome.id.as_deref().unwrap_or_default(),
                if good { "true" } else { "false" },
                if created { "true" } else { "false" },
                error.as_deref().unwrap_or_default(),
            ],
            &mut lines,
        );
    }
    lines
}

/// A row as a write; its id stands apart where the operation names rows by it.
fn item(job: &Old, mut values: Fields) -> Item {
    values.remove("attributes");
    let by_id = matches!(
        job.operation(),
        Operation::Update | Operation::Delete | Operation::HardDelete
    );
    let name = values
        .keys()
        .find(|name| name.eq_ignore_ascii_case("id"))
        .cloned();
    let mut id = None;
    if let Some(name) = name {
        let empty = values
            .get(&name)
            .is_none_or(|id| id.is_null() || *id == json!(""));
        if by_id || empty {
            id = values
                .remove(&name)
                .and_then(|id| id.as_str().map(str::to_owned));
        }
    }
    Item {
        object: job.text("object").to_owned(),
        id: id.filter(|id| !id.is_empty()),
        values,
        read: Default::default(),
    }
}

fn json_rows(job: &Old, body: &[u8]) -> Result<Vec<Item>, Refusal> {
    let rows: Vec<Fields> = serde_json::from_slice(body).map_err(|e| {
        invalid(
            "InvalidBatch",
            format!("InvalidBatch : Failed to parse JSON: {e}"),
        )
    })?;
    Ok(rows.into_iter().map(|row| item(job, row)).collect())
}

fn xml_rows(job: &Old, body: &[u8]) -> Result<Vec<Item>, Refusal> {
    let body = String::from_utf8_lossy(body);
    let document = roxmltree::Document::parse(body.trim()).map_err(|e| {
        invalid(
            "InvalidBatch",
            format!("InvalidBatch : Failed to parse XML: {e}"),
        )
    })?;
    let rows = children(document.root_element()).map(|row| {
        let mut values = Fields::new();
        for part in children(row) {
            let nil = part
                .attributes()
                .any(|a| a.name() == "nil" && a.value() == "true");
            let value = match child(part, "sObject") {
                Some(parent) => {
                    let mut inner = Fields::new();
                    for key in children(parent) {
                        let name = key.tag_name().name();
                        let value = text(parent, name).unwrap_or_default();
                        if name == "type" {
                            inner.insert("attributes".into(), json!({"type": value}));
                        } else {
                            inner.insert(name.to_owned(), json!(value));
                        }
                    }
                    Value::Object(inner)
                }
                None if nil => Value::Null,
                None => json!(part.text().unwrap_or_default()),
            };
            values.insert(part.tag_name().name().to_owned(), value);
        }
        item(job, values)
    });
    Ok(rows.collect())
}

fn csv_rows(ctx: &Ctx<'_>, old: &Old, body: &[u8]) -> Result<Vec<Item>, Refusal> {
    let wrong = |e: csv::Error| invalid("InvalidBatch", format!("InvalidBatch : {e}"));
    let mut reader = csv::ReaderBuilder::new().from_reader(body);
    let header: Vec<String> = reader
        .headers()
        .map_err(wrong)?
        .iter()
        .map(str::to_owned)
        .collect();
    let mut job = Job::new(ctx, old.operation(), old.text("object"));
    job.external_id = old
        .body
        .get("externalIdFieldName")
        .and_then(Value::as_str)
        .map(str::to_owned);
    let columns = Columns::of(ctx.schema(), &job, &header)
        .map_err(|message| invalid("InvalidBatch", message))?;
    let mut items = Vec::new();
    for row in reader.records() {
        let row: Vec<String> = row.map_err(wrong)?.iter().map(str::to_owned).collect();
        items.push(columns.item(row));
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::org::xml::escaped;

    #[test]
    fn an_answer_in_xml_names_its_namespace_once_and_escapes_what_it_tells() {
        let told = shown(400, "error", &json!({"exceptionMessage": "a < b"}), false);
        let text = String::from_utf8(told.2).unwrap();
        assert!(text.contains(&format!("<error xmlns=\"{NAMESPACE}\">")));
        assert!(text.contains(&escaped("a < b")));
    }
}
