//! Bulk API 2.0 (Salesforce transport reference, sections 9 and 10): jobs that take an upload of rows or a query, work on it in
//! the background, and hold their results.
//!
//! An upload goes through the same pipeline as every other write, two hundred rows at a time, each chunk with its
//! results in one transaction: a job that a restart interrupts goes on behind its last whole chunk. Results are made
//! from the upload when they are asked for, in an order that is not the upload's.
//!
//! Faults by name; their key is the job's id, object and operation, such as `750… Case insert`, for rows with the row's
//! number in the upload (from 0) behind it:
//!
//! | name | what happens |
//! |---|---|
//! | `bulk-slow` | the job stands still in `InProgress` until it is asked for once more |
//! | `bulk-fail-half` | the job is `Failed` after half of its rows; the others are unprocessed |
//! | `bulk-lose-rows` | the row is written, and in no result set |
//! | `bulk-skip-rows` | the row is neither written nor in a result set |
//! | `bulk-no-content` | a result set is answered with 204 and no body |
//! | `bulk-gone` | the job is not known (404) |

mod columns;
pub(crate) mod csv;
mod ingest;
mod job;
pub(crate) mod old;
mod query;
mod results;
mod work;
mod worker;

use std::collections::HashSet;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::sync::Notify;

pub(crate) use self::worker::Worker;

use self::job::{Job, State};
use super::engine::Ctx;
use super::error::Refusal;
use super::rest::{Reply, Request};

/// The largest upload as it is sent; the platform counts 150 MB after its own encoding.
pub(crate) const LARGEST_UPLOAD: u64 = 100_000_000;
/// Jobs per page of a list.
const PAGE: usize = 1_000;

/// What a running org knows of its jobs beside the state folder.
#[derive(Debug, Default)]
pub(crate) struct Bulk {
    /// Rings when there may be work.
    bell: Notify,
    /// Jobs that stand still until they are asked for.
    held: Mutex<HashSet<i64>>,
    /// Rows that were read before their turn.
    ahead: Mutex<Option<Ahead>>,
    /// Batches that were used up since the start of the process.
    pub(crate) batches: AtomicU64,
    pub(crate) query_jobs: AtomicU64,
}

/// The next rows of a job, read while others were written.
#[derive(Debug)]
struct Ahead {
    job: i64,
    /// How many rows of the job lie before them, and how many bytes of its upload.
    place: (u64, u64),
    rows: work::Read,
}

impl Bulk {
    /// The rows of a job at this place, if they were read already.
    fn ahead(&self, job: i64, place: (u64, u64)) -> Option<work::Read> {
        let mut kept = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = kept.take()?;
        (kept.job == job && kept.place == place).then_some(kept.rows)
    }

    fn keep_ahead(&self, job: i64, place: (u64, u64), rows: work::Read) {
        let ahead = Ahead { job, place, rows };
        *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) = Some(ahead);
    }

    fn ring(&self) {
        self.bell.notify_one();
    }

    fn held(&self) -> MutexGuard<'_, HashSet<i64>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the body of a request is an upload, which is streamed to disk.
pub(crate) fn is_upload(method: &str, resource: &str) -> bool {
    let parts: Vec<&str> = resource
        .split('/')
        .filter(|part| !part.is_empty())
        .collect();
    method == "PUT" && matches!(parts[..], ["jobs", "ingest", _, "batches"])
}

/// Everything below `jobs`.
pub(crate) fn resource(
    ctx: &Ctx<'_>,
    request: &Request,
    method: &str,
    below: &[&str],
) -> Result<Reply, Refusal> {
    forget_old(ctx)?;
    match (method, below) {
        ("POST", ["ingest"]) => ingest::create(ctx, request),
        ("POST", ["query"]) => query::create(ctx, request),
        ("GET", ["ingest"]) => list(ctx, request, false),
        ("GET", ["query"]) => list(ctx, request, true),
        ("GET", ["ingest", id]) => info(ctx, &known(ctx, id, false)?),
        ("GET", ["query", id]) => info(ctx, &known(ctx, id, true)?),
        ("PATCH", ["ingest", id]) => ingest::change(ctx, request, known(ctx, id, false)?),
        ("PATCH", ["query", id]) => query::change(ctx, request, known(ctx, id, true)?),
        ("DELETE", ["ingest", id]) => delete(ctx, &known(ctx, id, false)?),
        ("DELETE", ["query", id]) => delete(ctx, &known(ctx, id, true)?),
        ("PUT", ["ingest", id, "batches"]) => ingest::upload(ctx, request, known(ctx, id, false)?),
        ("GET", ["ingest", id, set]) => results::of(ctx, &known(ctx, id, false)?, set),
        ("GET", ["query", id, "results"]) => query::results(ctx, request, &known(ctx, id, true)?),
        ("GET", ["query", id, "resultPages"]) => query::pages(ctx, request, &known(ctx, id, true)?),
        _ => Err(Refusal::not_found()),
    }
}

fn known(ctx: &Ctx<'_>, id: &str, queries: bool) -> Result<Job, Refusal> {
    let job = Job::named(ctx, id, queries)?;
    if ctx.engine.faults.take("bulk-gone", &job.fault_key(ctx)) {
        return Err(Refusal::not_found());
    }
    Ok(job)
}

fn info(ctx: &Ctx<'_>, job: &Job) -> Result<Reply, Refusal> {
    ctx.engine.bulk.held().remove(&job.number);
    ctx.engine.bulk.ring();
    Ok(Reply::json(200, job.info(ctx, false)))
}

fn list(ctx: &Ctx<'_>, request: &Request, queries: bool) -> Result<Reply, Refusal> {
    let invalid = || Refusal::new("INVALIDQUERYLOCATOR", "the query locator is not valid");
    let after = match request.parameter("queryLocator") {
        Some(locator) => locator.parse().map_err(|_| invalid())?,
        None => 0,
    };
    let jobs = Job::page(ctx, after, PAGE)?;
    let next = jobs.get(PAGE - 1).map(|last| {
        let kind = if queries { "query" } else { "ingest" };
        format!(
            "/services/data/v{}.0/jobs/{kind}?queryLocator={}",
            ctx.version, last.number
        )
    });
    let records: Vec<Value> = jobs
        .iter()
        .filter(|job| job.operation.is_query() == queries)
        .map(|job| job.info(ctx, false))
        .collect();
    Ok(Reply::json(
        200,
        json!({"done": next.is_none(), "records": records, "nextRecordsUrl": next}),
    ))
}

fn delete(ctx: &Ctx<'_>, job: &Job) -> Result<Reply, Refusal> {
    if !job.state.is_over() && job.state != State::UploadComplete {
        return Err(invalid_state(job, "Deleting"));
    }
    job.remove(ctx)?;
    Ok(Reply::empty(204))
}

fn invalid_state(job: &Job, doing: &str) -> Refusal {
    let message = format!(
        "InvalidJobState : {doing} a job in state {:?} is not allowed",
        job.state
    );
    Refusal::new("INVALIDJOBSTATE", message)
}

/// The state a client asks for.
fn wanted_state(request: &Request) -> Result<String, Refusal> {
    let body = request.json()?;
    let state = body.get("state").and_then(Value::as_str);
    state
        .map(str::to_owned)
        .ok_or_else(|| Refusal::new("INVALIDJOB", "InvalidJob : state is missing"))
}

/// Takes away what the platform would not have any more: ended jobs after a week, open ones after a day.
fn forget_old(ctx: &Ctx<'_>) -> Result<(), Refusal> {
    let mut after = 0;
    loop {
        let jobs = Job::page(ctx, after, PAGE)?;
        for job in jobs.iter().filter(|job| job.is_past(ctx)) {
            job.remove(ctx)?;
        }
        match jobs.last() {
            Some(last) if jobs.len() == PAGE => after = last.number,
            _ => return Ok(()),
        }
    }
}
