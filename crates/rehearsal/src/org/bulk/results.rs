//! The three result sets of an ingest job, made from the upload and from what is known of each row.

use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::columns::Columns;
use super::job::{Job, Operation};
use super::{invalid_state, work};
use crate::org::engine::Ctx;
use crate::org::error::Refusal;
use crate::org::rest::{Body, Reply};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    Successful,
    Failed,
    Unprocessed,
}

impl Set {
    /// Clients do not agree on the capitals.
    fn named(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "successfulresults" => Some(Self::Successful),
            "failedresults" => Some(Self::Failed),
            "unprocessedrecords" => Some(Self::Unprocessed),
            _ => None,
        }
    }

    fn file(self) -> &'static str {
        match self {
            Self::Successful => "successful",
            Self::Failed => "failed",
            Self::Unprocessed => "unprocessed",
        }
    }
}

pub(super) fn of(ctx: &Ctx<'_>, job: &Job, name: &str) -> Result<Reply, Refusal> {
    let set = Set::named(name).ok_or_else(Refusal::not_found)?;
    if !job.state.is_over() {
        return Err(invalid_state(job, "Reading results of"));
    }
    if ctx
        .engine
        .faults
        .take("bulk-no-content", &job.fault_key(ctx))
    {
        return Ok(Reply::empty(204));
    }
    if !job.has_content {
        return Ok(Reply::empty(204));
    }
    let file = ctx.engine.job_file(job.number, set.file());
    if !file.exists() {
        make(ctx, job, set, &file)?;
    }
    let mut reply = Reply::empty(200);
    reply.body = Body::File(file);
    reply
        .headers
        .push(("content-type", "text/csv; charset=UTF-8".into()));
    Ok(reply)
}

/// Written under another name first, so that a file is whole or absent.
fn make(ctx: &Ctx<'_>, job: &Job, set: Set, to: &Path) -> Result<(), Refusal> {
    let path = ctx.engine.upload();
    let mut file = BufWriter::new(File::create(&path)?);
    match set {
        Set::Unprocessed => unprocessed(ctx, job, &mut file)?,
        _ => processed(ctx, job, set, &mut file)?,
    }
    file.flush()?;
    std::fs::rename(path, to)?;
    Ok(())
}

/// The header and every row that was not taken, as they were sent.
fn unprocessed(ctx: &Ctx<'_>, job: &Job, into: &mut impl Write) -> Result<(), Refusal> {
    let mut data = File::open(ctx.engine.job_file(job.number, "data"))?;
    if job.rows.is_some() {
        let header = work::open(ctx.engine, job, 0)
            .and_then(|mut rows| rows.header())
            .map_err(Refusal::broken)?;
        std::io::copy(&mut (&data).take(header.end), into)?;
        data.seek(SeekFrom::Start(job.offset))?;
    }
    std::io::copy(&mut data, into)?;
    Ok(())
}

/// Rows in an order that is not the upload's: clients must not count on any.
fn processed(ctx: &Ctx<'_>, job: &Job, set: Set, into: &mut impl Write) -> Result<(), Refusal> {
    let names = match work::open(ctx.engine, job, 0).and_then(|mut rows| rows.header()) {
        Ok(header) => header.values,
        Err(_) if job.rows.is_none() => Vec::new(),
        Err(error) => return Err(Refusal::broken(error)),
    };
    let exact = Columns::of(ctx.schema(), job, &names).map(|columns| columns.exact);
    let second = if set == Set::Failed {
        "sf__Error"
    } else {
        "sf__Created"
    };
    let mut line = String::new();
    let head = ["sf__Id", second].into_iter();
    job.dialect
        .write(head.chain(names.iter().map(String::as_str)), &mut line);
    into.write_all(line.as_bytes())?;
    let mut data = File::open(ctx.engine.job_file(job.number, "data"))?;
    let mut found = ctx.db.prepare(
        "SELECT start, length, id, created, error FROM job_rows WHERE job = ?1 AND (error IS NOT NULL) = ?2
         ORDER BY ((n + 1) * 2654435761) % 4294967296",
    )?;
    let mut rows = found.query((job.number, set == Set::Failed))?;
    while let Some(row) = rows.next()? {
        let (start, length): (i64, i64) = (row.get(0)?, row.get(1)?);
        let id: Option<String> = row.get(2)?;
        let created: bool = row.get(3)?;
        let error: Option<String> = row.get(4)?;
        let mut values = sent(&mut data, job, start, length)?;
        if set == Set::Failed
            && let Ok(exact) = &exact
        {
            let unlike = values.iter_mut().zip(exact).filter(|(_, exact)| !**exact);
            unlike.for_each(|(value, _)| value.clear());
        }
        let of_row = match (&error, id) {
            (Some(error), _) => [own_id(job, &names, &values), error.clone()],
            (None, id) => [id.unwrap_or_default(), created.to_string()],
        };
        line.clear();
        let all = of_row.iter().chain(&values).map(String::as_str);
        job.dialect.write(all, &mut line);
        into.write_all(line.as_bytes())?;
    }
    Ok(())
}

/// A row of the upload.
fn sent(data: &mut File, job: &Job, start: i64, length: i64) -> Result<Vec<String>, Refusal> {
    let (start, length) = (start.unsigned_abs(), length.unsigned_abs());
    data.seek(SeekFrom::Start(start))?;
    let mut text = String::new();
    data.take(length).read_to_string(&mut text)?;
    let row = text.strip_suffix('\n').unwrap_or(&text);
    let row = row.strip_suffix('\r').unwrap_or(row);
    job.dialect.split(row).map_err(Refusal::broken)
}

/// The id that a failed row named itself; a failed insert has none.
fn own_id(job: &Job, names: &[String], values: &[String]) -> String {
    if job.operation == Operation::Insert {
        return String::new();
    }
    let at = names
        .iter()
        .position(|name| name.eq_ignore_ascii_case("Id"));
    at.and_then(|at| values.get(at))
        .cloned()
        .unwrap_or_default()
}
