//! Ingest jobs: made, filled by exactly one upload, closed or aborted.

use serde_json::Value;

use super::job::{Job, Operation, State, dialect};
use super::{LARGEST_UPLOAD, invalid_state, wanted_state};
use crate::org::engine::Ctx;
use crate::org::error::Refusal;
use crate::org::rest::{Reply, Request};
use crate::org::schema::Object;
use crate::org::write::Upload;

const KNOWN: [&str; 8] = [
    "concurrencyMode",
    "object",
    "operation",
    "externalIdFieldName",
    "contentType",
    "lineEnding",
    "columnDelimiter",
    "assignmentRuleId",
];
/// The largest data of a job that is made in one request with its upload.
const LARGEST_ONE_SHOT: u64 = 100_000;
/// Objects whose rows cannot come as CSV: their bytes need another way.
const WITHOUT_BULK: [&str; 3] = ["ContentVersion", "ContentDocument", "ContentNote"];

pub(super) fn create(ctx: &Ctx<'_>, request: &Request) -> Result<Reply, Refusal> {
    let body = request.json()?;
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let invalid = |message: String| Refusal::new("INVALIDJOB", format!("InvalidJob : {message}"));
    let unknown = body
        .as_object()
        .and_then(|body| body.keys().find(|name| !KNOWN.contains(&name.as_str())));
    if let Some(name) = unknown {
        let message = format!("Unrecognized field \"{name}\"");
        return Err(Refusal::new("JSON_PARSER_ERROR", message));
    }
    let object = text("object").ok_or_else(|| invalid("object is missing".into()))?;
    let operation = body.get("operation").cloned().unwrap_or_default();
    let operation: Operation = serde_json::from_value(operation.clone())
        .ok()
        .filter(|operation: &Operation| !operation.is_query())
        .ok_or_else(|| invalid(format!("{operation} is no operation")))?;
    let object = supported(ctx, object, operation)?;
    if operation == Operation::HardDelete && !ctx.settings().bulk_hard_delete {
        let message = "FeatureNotEnabled : hardDelete needs the permission Bulk API Hard Delete";
        return Err(Refusal::new("FEATURENOTENABLED", message));
    }
    let mut job = Job::new(ctx, operation, &object.name);
    job.dialect = dialect(&body)?;
    job.external_id = external_id(object, operation, text("externalIdFieldName"))?;
    job.assignment_rule = text("assignmentRuleId").map(str::to_owned);
    let used = ctx
        .engine
        .bulk
        .batches
        .load(std::sync::atomic::Ordering::Relaxed);
    if used >= ctx.settings().limit("DailyBulkApiBatches").remaining {
        let message = "ExceededQuota : ApiBatchItems Limit exceeded";
        return Err(Refusal::new("EXCEEDEDQUOTA", message));
    }
    job.add(ctx)?;
    if let Some(content) = &request.upload {
        if content.size > LARGEST_ONE_SHOT {
            return Err(too_large(LARGEST_ONE_SHOT));
        }
        keep(ctx, &mut job, content)?;
        close(ctx, &mut job)?;
    }
    Ok(Reply::json(200, job.info(ctx, true)))
}

fn supported<'a>(ctx: &Ctx<'a>, name: &str, operation: Operation) -> Result<&'a Object, Refusal> {
    let able = |object: &&Object| {
        !WITHOUT_BULK.contains(&object.name.as_str())
            && match operation {
                Operation::Insert => object.createable,
                Operation::Update => object.updateable,
                Operation::Upsert => object.createable && object.updateable,
                _ => object.deletable,
            }
    };
    let object = ctx.schema().object(name).filter(|object| object.queryable);
    object.filter(able).ok_or_else(|| {
        let message = format!("InvalidEntity : Entity '{name}' is not supported by the Bulk API.");
        Refusal::new("INVALIDENTITY", message)
    })
}

fn external_id(
    object: &Object,
    operation: Operation,
    name: Option<&str>,
) -> Result<Option<String>, Refusal> {
    let invalid = |message: String| Refusal::new("INVALIDJOB", format!("InvalidJob : {message}"));
    match (operation, name) {
        (Operation::Upsert, Some(name)) => {
            let field = object
                .field(name)
                .filter(|field| field.id_lookup || field.external_id)
                .ok_or_else(|| invalid(format!("Field name not found : {name}")))?;
            Ok(Some(field.name.clone()))
        }
        (Operation::Upsert, None) => Err(invalid(
            "externalIdFieldName is required for upsert operations".into(),
        )),
        (_, Some(_)) => Err(invalid(
            "externalIdFieldName is for upsert operations only".into(),
        )),
        (_, None) => Ok(None),
    }
}

pub(super) fn upload(ctx: &Ctx<'_>, request: &Request, mut job: Job) -> Result<Reply, Refusal> {
    if job.has_content {
        let message = format!(
            "ClientInputError : Found multiple contents for job: <{}>; a job takes one upload",
            job.id(ctx)
        );
        return Err(Refusal::new("CLIENTINPUTERROR", message));
    }
    if job.state != State::Open {
        return Err(invalid_state(&job, "Uploading to"));
    }
    let is_csv = request
        .header("content-type")
        .is_some_and(|kind| kind.trim().to_ascii_lowercase().starts_with("text/csv"));
    if !is_csv {
        let message = "Content-Type text/csv is expected";
        return Err(Refusal::new("UNSUPPORTED_MEDIA_TYPE", message).with_status(415));
    }
    let content = request
        .upload
        .as_ref()
        .ok_or_else(|| Refusal::broken("an upload without bytes"))?;
    keep(ctx, &mut job, content)?;
    job.save(ctx)?;
    Ok(Reply::empty(201))
}

pub(crate) fn too_large(most: u64) -> Refusal {
    let message = format!("ClientInputError : the upload is larger than {most} bytes");
    Refusal::new("CLIENTINPUTERROR", message)
}

fn keep(ctx: &Ctx<'_>, job: &mut Job, content: &Upload) -> Result<(), Refusal> {
    if content.size > LARGEST_UPLOAD {
        return Err(too_large(LARGEST_UPLOAD));
    }
    std::fs::rename(&content.path, ctx.engine.job_file(job.number, "data"))?;
    job.has_content = true;
    Ok(())
}

/// `PATCH`: closes the upload or aborts the job.
pub(super) fn change(ctx: &Ctx<'_>, request: &Request, mut job: Job) -> Result<Reply, Refusal> {
    match wanted_state(request)?.as_str() {
        "UploadComplete" => close(ctx, &mut job)?,
        "Aborted" if job.state.is_over() => return Err(invalid_state(&job, "Aborting")),
        "Aborted" => {
            job.enter(ctx, State::Aborted);
            job.save(ctx)?;
        }
        other => {
            let message = format!("InvalidJob : a job cannot be set to {other}");
            return Err(Refusal::new("INVALIDJOB", message));
        }
    }
    Ok(Reply::json(200, job.info(ctx, true)))
}

fn close(ctx: &Ctx<'_>, job: &mut Job) -> Result<(), Refusal> {
    if job.state != State::Open {
        return Err(invalid_state(job, "Closing"));
    }
    if !job.has_content {
        let message = "InvalidJobState : the job has no upload yet";
        return Err(Refusal::new("INVALIDJOBSTATE", message));
    }
    job.enter(ctx, State::UploadComplete);
    job.save(ctx)?;
    ctx.engine.bulk.ring();
    Ok(())
}
