//! Query jobs: rows to a file in the background, handed out in pages.

use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::sync::atomic::Ordering;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};

use super::job::{Job, Operation, State, dialect};
use super::work::in_progress;
use super::{invalid_state, wanted_state};
use crate::org::engine::{Ctx, Engine};
use crate::org::error::Refusal;
use crate::org::rest::{Body, Reply, Request};
use crate::org::soql::BulkQuery;

/// Rows that are read at once.
const CHUNK: usize = 1_000;
/// The largest page, and the one of a client that names none.
const PAGE: u64 = 50_000;
/// Pages that are named in one answer.
const PAGES: usize = 5;

pub(super) fn create(ctx: &Ctx<'_>, request: &Request) -> Result<Reply, Refusal> {
    let body = request.json()?;
    let invalid = |message: &str| Refusal::new("INVALIDJOB", format!("InvalidJob : {message}"));
    let operation = match body.get("operation").and_then(Value::as_str) {
        Some("query") => Operation::Query,
        Some("queryAll") => Operation::QueryAll,
        _ => return Err(invalid("operation must be query or queryAll")),
    };
    let text = body
        .get("query")
        .and_then(Value::as_str)
        .ok_or_else(|| invalid("query is missing"))?;
    let query = BulkQuery::read(ctx, text)?;
    let used = ctx.engine.bulk.query_jobs.fetch_add(1, Ordering::Relaxed);
    if used >= ctx.settings().limit("DailyBulkV2QueryJobs").remaining {
        let message = "ExceededQuota : the daily number of query jobs is used up";
        return Err(Refusal::new("EXCEEDEDQUOTA", message));
    }
    let mut job = Job::new(ctx, operation, &query.object);
    job.dialect = dialect(&body)?;
    job.query = Some(text.to_owned());
    job.state = State::UploadComplete;
    job.add(ctx)?;
    ctx.engine.bulk.ring();
    Ok(Reply::json(200, job.info(ctx, true)))
}

pub(super) fn change(ctx: &Ctx<'_>, request: &Request, mut job: Job) -> Result<Reply, Refusal> {
    let state = wanted_state(request)?;
    if state != "Aborted" {
        let message = format!("InvalidJob : a query job cannot be set to {state}");
        return Err(Refusal::new("INVALIDJOB", message));
    }
    if job.state.is_over() {
        return Err(invalid_state(&job, "Aborting"));
    }
    job.enter(ctx, State::Aborted);
    job.save(ctx)?;
    Ok(Reply::json(200, job.info(ctx, true)))
}

/// Runs the whole query. What a restart interrupts is run again from its beginning.
pub(super) fn answer(engine: &Engine, job: &Job) -> Result<(), Refusal> {
    let begun = Instant::now();
    let text = job.query.clone().unwrap_or_default();
    let deleted = job.operation == Operation::QueryAll;
    let (query, numbers) = engine.transaction(job.user, job.version, |ctx| {
        let query = BulkQuery::read(ctx, &text)?;
        let numbers = query.matching(ctx, deleted)?;
        Ok((query, numbers))
    })?;
    let mut data = BufWriter::new(File::create(engine.job_file(job.number, "data"))?);
    let mut index = BufWriter::new(File::create(engine.job_file(job.number, "index"))?);
    let (mut at, mut rows) = (0_u64, 0_u64);
    for numbers in numbers.chunks(CHUNK) {
        // Others get their turn between two chunks.
        let found: Vec<Vec<String>> = engine.transaction(job.user, job.version, |ctx| {
            let rows = numbers.iter().map(|number| query.row(ctx, *number));
            rows.filter_map(Result::transpose).collect()
        })?;
        for row in found {
            let mut line = String::new();
            job.dialect.write(row.iter().map(String::as_str), &mut line);
            data.write_all(line.as_bytes())?;
            index.write_all(&at.to_le_bytes())?;
            at += line.len() as u64;
            rows += 1;
        }
    }
    index.write_all(&at.to_le_bytes())?;
    data.flush()?;
    index.flush()?;
    in_progress(engine, job, |ctx, job| {
        (job.rows, job.processed) = (Some(rows), rows);
        job.millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(0);
        job.enter(ctx, State::JobComplete);
        Ok(())
    })?;
    Ok(())
}

/// A page: the header and the rows from the locator on.
pub(super) fn results(ctx: &Ctx<'_>, request: &Request, job: &Job) -> Result<Reply, Refusal> {
    let rows = finished(ctx, job)?;
    let from = locator(request)?;
    let end = rows.min(from.saturating_add(size(request)));
    let mut index = File::open(ctx.engine.job_file(job.number, "index"))?;
    let bytes = place(&mut index, from)?..place(&mut index, end)?;
    let query = BulkQuery::read(ctx, job.query.as_deref().unwrap_or_default())?;
    let mut head = String::new();
    job.dialect
        .write(query.header().iter().map(String::as_str), &mut head);
    let mut reply = Reply::empty(200);
    reply.body = Body::Part {
        head,
        file: ctx.engine.job_file(job.number, "data"),
        bytes,
    };
    // The end is the word "null".
    let next = if end < rows {
        named(end)
    } else {
        "null".into()
    };
    reply.headers.extend([
        ("content-type", "text/csv; charset=UTF-8".to_owned()),
        ("sforce-locator", next),
        ("sforce-numberofrecords", (end - from).to_string()),
    ]);
    Ok(reply)
}

/// The addresses of up to five pages, to be read side by side.
pub(super) fn pages(ctx: &Ctx<'_>, request: &Request, job: &Job) -> Result<Reply, Refusal> {
    let rows = finished(ctx, job)?;
    let size = size(request);
    let base = format!(
        "/services/data/v{}.0/jobs/query/{}",
        ctx.version,
        job.id(ctx)
    );
    let (mut at, mut urls) = (locator(request)?, Vec::new());
    while urls.len() < PAGES && (at < rows || urls.is_empty()) {
        let url = format!("{base}/results?maxRecords={size}&locator={}", named(at));
        urls.push(json!({"resultUrl": url}));
        at = at.saturating_add(size);
    }
    let done = at >= rows;
    let next =
        (!done).then(|| format!("{base}/resultPages?maxRecords={size}&locator={}", named(at)));
    Ok(Reply::json(
        200,
        json!({"resultPages": urls, "nextRecordsUrl": next, "done": done}),
    ))
}

/// How many rows a job has that is complete; pages are read by the version that made the job.
fn finished(ctx: &Ctx<'_>, job: &Job) -> Result<u64, Refusal> {
    if ctx.version != job.version {
        let message = format!(
            "InvalidVersion : the job was made with version {}.0, its results are read with the same",
            job.version
        );
        return Err(Refusal::new("INVALIDVERSION", message).with_status(409));
    }
    match job.rows {
        Some(rows) if job.state == State::JobComplete => Ok(rows),
        _ => Err(invalid_state(job, "Reading results of")),
    }
}

fn size(request: &Request) -> u64 {
    let wanted = request
        .parameter("maxRecords")
        .and_then(|most| most.parse().ok());
    wanted.unwrap_or(PAGE).clamp(1, PAGE)
}

fn named(row: u64) -> String {
    BASE64.encode(format!("row-{row}"))
}

fn locator(request: &Request) -> Result<u64, Refusal> {
    let Some(text) = request.parameter("locator").filter(|text| !text.is_empty()) else {
        return Ok(0);
    };
    let row = BASE64
        .decode(text)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|name| name.strip_prefix("row-")?.parse().ok());
    row.ok_or_else(|| Refusal::new("INVALIDQUERYLOCATOR", "the locator is not valid"))
}

/// Where a row begins; behind the last one, where the file ends.
fn place(index: &mut File, row: u64) -> Result<u64, Refusal> {
    let invalid = |_| Refusal::new("INVALIDQUERYLOCATOR", "the locator is not valid");
    let mut bytes = [0; 8];
    index.seek(SeekFrom::Start(row.saturating_mul(8)))?;
    index.read_exact(&mut bytes).map_err(invalid)?;
    Ok(u64::from_le_bytes(bytes))
}
