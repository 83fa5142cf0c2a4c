//! What a job does in the background, step by step: an upload is looked through as a whole, then written in chunks.

use std::fs::File;
use std::io::{BufReader, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use rusqlite::params;

use super::columns::Columns;
use super::csv::Rows;
use super::job::{Job, Operation, State};
use super::query;
use crate::org::engine::{Ctx, Engine, INTEGRATION_USER, Shape};
use crate::org::error::Refusal;
use crate::org::store;
use crate::org::write::{self, Call, Item, Outcome};

/// Rows that the platform hands to triggers at once.
const CHUNK: usize = 200;
/// Chunks of one transaction, at most; while it lasts nothing else is written.
const STEP: u64 = 20;
/// And bytes of the upload: long rows are fewer.
const STEP_BYTES: u64 = 6 << 20;
/// Rows of one of the platform's batches; a job has an empty one more.
const BATCH: u64 = 10_000;

/// Brings every job that is not at its end one step on. Whether there is more to do at once.
pub(super) fn round(engine: &Engine) -> Result<bool, Refusal> {
    let active = engine.transaction(INTEGRATION_USER, 0, Job::active)?;
    let mut moved = false;
    for number in active {
        match step(engine, number) {
            Ok(more) => moved |= more,
            Err(refusal) => {
                fail(engine, number, &refusal.message)?;
                moved = true;
            }
        }
    }
    Ok(moved)
}

/// One step of one job; false when it stands still.
fn step(engine: &Engine, number: i64) -> Result<bool, Refusal> {
    let Some(job) = begin(engine, number)? else {
        return Ok(false);
    };
    if job.operation.is_query() {
        query::answer(engine, &job)?;
        return Ok(true);
    }
    let begun = Instant::now();
    if job.rows.is_none() {
        let scanned = scan(engine, &job);
        return in_progress(engine, &job, |ctx, job| {
            scanned_through(ctx, job, scanned);
            Ok(())
        });
    }
    let columns = columns(engine, &job).map_err(Refusal::broken)?;
    let place = (job.taken, job.offset);
    let rows = match engine.bulk.ahead(number, place) {
        Some(rows) => rows,
        None => rows_from(engine, &job, &columns, place).map_err(Refusal::broken)?,
    };
    let next = rows
        .rows
        .last()
        .map(|row| (job.taken + rows.rows.len() as u64, row.end));
    // The next rows are read while these are written.
    std::thread::scope(|scope| {
        let reader = next
            .filter(|(taken, _)| job.rows.is_some_and(|all| *taken < all))
            .map(|next| {
                let (job, columns) = (&job, &columns);
                (
                    next,
                    scope.spawn(move || rows_from(engine, job, columns, next)),
                )
            });
        let done = in_progress(engine, &job, |ctx, job| {
            // These objects are written without a savepoint for each row.
            if job.operation == Operation::Insert && write::refused_first(&job.object) {
                ctx.db.gather();
            }
            written(ctx, job, rows)?;
            job.millis += u64::try_from(begun.elapsed().as_millis()).unwrap_or(0);
            Ok(())
        });
        if let Some((next, reader)) = reader
            && let Ok(Ok(rows)) = reader.join()
        {
            engine.bulk.keep_ahead(number, next, rows);
        }
        done
    })?;
    engine.flush(false)?;
    Ok(true)
}

/// The job, in progress; none if it stands still.
fn begin(engine: &Engine, number: i64) -> Result<Option<Job>, Refusal> {
    engine.transaction(INTEGRATION_USER, 0, |ctx| {
        let job = Job::load(ctx, number)?.filter(|job| job.state.is_active());
        let Some(mut job) = job.filter(|_| !engine.bulk.held().contains(&number)) else {
            return Ok(None);
        };
        if job.state == State::UploadComplete {
            job.enter(ctx, State::InProgress);
            job.save(ctx)?;
        }
        if engine.faults.take("bulk-slow", &job.fault_key(ctx)) {
            engine.bulk.held().insert(number);
            return Ok(None);
        }
        Ok(Some(job))
    })
}

/// Changes a job that is still in progress, as its own user.
pub(super) fn in_progress(
    engine: &Engine,
    job: &Job,
    change: impl FnOnce(&Ctx<'_>, &mut Job) -> Result<(), Refusal>,
) -> Result<bool, Refusal> {
    engine.transaction(job.user, job.version, |ctx| {
        let job = Job::load(ctx, job.number)?.filter(|job| job.state == State::InProgress);
        if let Some(mut job) = job {
            change(ctx, &mut job)?;
            job.save(ctx)?;
        }
        Ok(true)
    })
}

fn fail(engine: &Engine, number: i64, message: &str) -> Result<(), Refusal> {
    engine.transaction(INTEGRATION_USER, 0, |ctx| {
        if let Some(mut job) = Job::load(ctx, number)? {
            job.enter(ctx, State::Failed);
            job.error = Some(format!("InternalServerError : {message}"));
            job.save(ctx)?;
        }
        Ok(())
    })
}

/// Where a row lies in the upload, and where the next one begins.
type Place = (u64, u64);

/// How many rows an upload has, and where the first one begins.
struct Scan {
    rows: u64,
    offset: u64,
}

/// Reads the whole upload once: what is wrong with it as a file fails the job before a row is written.
fn scan(engine: &Engine, job: &Job) -> Result<Scan, String> {
    let mut rows = open(engine, job, 0)?;
    let header = rows.header()?;
    Columns::of(&engine.shape().schema, job, &header.values)?;
    let mut scan = Scan {
        rows: 0,
        offset: header.end,
    };
    while let Some(row) = rows.next_row()? {
        scan.rows += 1;
        if row.values.len() != header.values.len() {
            return Err(format!(
                "InvalidBatch : row {} has {} values, the header {}",
                scan.rows,
                row.values.len(),
                header.values.len()
            ));
        }
    }
    Ok(scan)
}

pub(super) fn open(engine: &Engine, job: &Job, at: u64) -> Result<Rows<BufReader<File>>, String> {
    let wrong = |e: std::io::Error| format!("the local org cannot read the upload: {e}");
    let mut file = File::open(engine.job_file(job.number, "data")).map_err(wrong)?;
    file.seek(SeekFrom::Start(at)).map_err(wrong)?;
    Ok(Rows::new(
        BufReader::with_capacity(1 << 16, file),
        job.dialect,
        at,
    ))
}

fn scanned_through(ctx: &Ctx<'_>, job: &mut Job, scanned: Result<Scan, String>) {
    match scanned {
        Ok(scan) => {
            (job.rows, job.offset) = (Some(scan.rows), scan.offset);
            let batches = scan.rows.div_ceil(BATCH) + 1;
            ctx.engine
                .bulk
                .batches
                .fetch_add(batches, Ordering::Relaxed);
            let breaks = ctx
                .engine
                .faults
                .take("bulk-fail-half", &job.fault_key(ctx));
            job.breaks_at = breaks.then_some(scan.rows / 2);
            end(ctx, job);
        }
        Err(error) => {
            job.error = Some(error);
            job.enter(ctx, State::Failed);
        }
    }
}

/// Enters the last state if there is nothing more to do.
fn end(ctx: &Ctx<'_>, job: &mut Job) {
    if job.breaks_at == Some(job.taken) {
        job.error = Some("InternalServerError : Retried more than twenty times".into());
        job.enter(ctx, State::Failed);
    } else if job.rows == Some(job.taken) {
        job.enter(ctx, State::JobComplete);
    }
}

/// What the columns of a job mean by now.
fn columns(engine: &Engine, job: &Job) -> Result<Columns, String> {
    let header = open(engine, job, 0)?.header()?;
    Columns::of(&engine.shape().schema, job, &header.values)
}

/// Rows of an upload as writes, read against the schema as it was.
#[derive(Debug)]
pub(super) struct Read {
    rows: Vec<Sent>,
    shape: Arc<Shape>,
}

/// One of them, and where it lies in the upload.
#[derive(Debug)]
struct Sent {
    item: Item,
    start: u64,
    end: u64,
}

/// The rows of one step, from a place of the upload on.
fn rows_from(
    engine: &Engine,
    job: &Job,
    columns: &Columns,
    (taken, offset): (u64, u64),
) -> Result<Read, String> {
    // A tenth of the job, so that a small one can be seen at work, too.
    let chunks = (job.rows.unwrap_or(0) / (10 * CHUNK as u64)).clamp(1, STEP);
    let step = chunks * CHUNK as u64;
    let most = job
        .breaks_at
        .map_or(step, |at| step.min(at.saturating_sub(taken)));
    let shape = engine.shape();
    let object = shape.schema.object(&job.object);
    let object = object.filter(|_| job.operation == Operation::Insert);
    let mut from = open(engine, job, offset)?;
    let (mut rows, mut end) = (Vec::new(), offset);
    while (rows.len() as u64) < most
        && end - offset < STEP_BYTES
        && let Some(row) = from.next_row()?
    {
        let given = object.and_then(|object| columns.given(&engine.settings, object, &row.values));
        let item = match given {
            Some(given) => columns.read(given),
            None => columns.item(row.values),
        };
        end = row.end;
        rows.push(Sent {
            item,
            start: row.start,
            end,
        });
    }
    Ok(Read { rows, shape })
}

fn written(ctx: &Ctx<'_>, job: &mut Job, read: Read) -> Result<(), Refusal> {
    let Read { mut rows, shape } = read;
    if rows.is_empty() {
        return Err(Refusal::broken("the upload is shorter than it was"));
    }
    if !std::ptr::eq(ctx.shape, &raw const *shape) {
        // The objects are others by now: the rows are read once more.
        return Ok(());
    }
    while !rows.is_empty() {
        let behind = rows.split_off(rows.len().min(CHUNK));
        chunk_written(ctx, job, rows)?;
        rows = behind;
    }
    end(ctx, job);
    Ok(())
}

fn chunk_written(ctx: &Ctx<'_>, job: &mut Job, rows: Vec<Sent>) -> Result<(), Refusal> {
    let is_whole = ctx.engine.faults.is_empty();
    let key = job.fault_key(ctx);
    let faulty =
        |name: &str, n: u64| !is_whole && ctx.engine.faults.take(name, &format!("{key} {n}"));
    let (taken, offset) = (rows.len() as u64, rows.last().map(|row| row.end));
    let numbered = (job.taken..).zip(rows);
    let (sent, items): (Vec<(u64, Place)>, Vec<Item>) = numbered
        .filter(|(n, _)| !faulty("bulk-skip-rows", *n))
        .map(|(n, row)| ((n, (row.start, row.end)), row.item))
        .unzip();
    let call = Call {
        auto_assign: job.assignment_rule.is_some(),
        ..Call::default()
    };
    let outcomes = write::write(ctx, &call, operation(job), &items)?;
    for ((n, place), outcome) in sent.iter().zip(&outcomes) {
        if job.operation == Operation::HardDelete {
            purge(ctx, outcome)?;
        }
        job.processed += 1;
        job.failed += u64::from(outcome.error.is_some());
        if !faulty("bulk-lose-rows", *n) {
            keep(ctx, job, *n, *place, outcome)?;
        }
    }
    job.taken += taken;
    job.offset = offset.unwrap_or(job.offset);
    Ok(())
}

fn operation(job: &Job) -> write::Operation<'_> {
    match job.operation {
        Operation::Update => write::Operation::Update,
        Operation::Upsert => write::Operation::Upsert {
            field: job.external_id.as_deref().unwrap_or("Id"),
            update_only: false,
        },
        Operation::Delete | Operation::HardDelete => write::Operation::Delete,
        _ => write::Operation::Insert,
    }
}

/// What was deleted does not go to the recycle bin.
fn purge(ctx: &Ctx<'_>, outcome: &Outcome) -> Result<(), Refusal> {
    let place = outcome.id.as_deref().and_then(|id| ctx.locate(id));
    match place {
        Some((object, number)) => Ok(store::purge(ctx.db, object, number)?),
        None => Ok(()),
    }
}

/// Notes what became of a row.
fn keep(
    ctx: &Ctx<'_>,
    job: &Job,
    n: u64,
    (start, end): Place,
    outcome: &Outcome,
) -> Result<(), Refusal> {
    let created = job.operation == Operation::Insert || outcome.created == Some(true);
    let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    ctx.db
        .prepare_cached(
            "INSERT INTO job_rows(job, n, start, length, id, created, error) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            job.number,
            signed(n),
            signed(start),
            signed(end - start),
            outcome.id,
            created,
            outcome.error.as_ref().map(as_text)
        ])?;
    Ok(())
}

/// `CODE:message:fields --`.
pub(super) fn as_text(refusal: &Refusal) -> String {
    let fields = refusal.fields.join(",");
    let blank = if fields.is_empty() { "" } else { " " };
    format!("{}:{}:{fields}{blank}--", refusal.code, refusal.message)
}
