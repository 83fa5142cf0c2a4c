//! A bulk job: what it shall do, how far it is, and how it is kept in the state folder.

use chrono::{DateTime, Utc};
use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::csv::{Delimiter, Dialect, LineEnding};
use crate::org::engine::Ctx;
use crate::org::error::Refusal;
use crate::org::values::date_time_text;

/// The key prefix of job ids.
const PREFIX: &str = "750";
/// A job that is never closed is thrown away after a day.
const OPEN_SECONDS: i64 = 86_400;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Operation {
    Insert,
    Update,
    Upsert,
    Delete,
    HardDelete,
    Query,
    QueryAll,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum State {
    Open,
    UploadComplete,
    InProgress,
    JobComplete,
    Failed,
    Aborted,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    /// Its row, and so its id.
    #[serde(skip)]
    pub(crate) number: i64,
    pub(crate) operation: Operation,
    pub(crate) state: State,
    pub(crate) object: String,
    pub(crate) external_id: Option<String>,
    pub(crate) assignment_rule: Option<String>,
    pub(crate) query: Option<String>,
    pub(crate) dialect: Dialect,
    pub(crate) user: i64,
    pub(crate) version: u32,
    pub(crate) created: DateTime<Utc>,
    pub(crate) changed: DateTime<Utc>,
    /// Whether the one upload was made.
    pub(crate) has_content: bool,
    /// Rows of the upload, or of the answer; known once the job is in progress.
    pub(crate) rows: Option<u64>,
    /// How many rows were taken from the upload, and at which byte the next one begins.
    pub(crate) taken: u64,
    pub(crate) offset: u64,
    pub(crate) processed: u64,
    pub(crate) failed: u64,
    /// Where the job breaks down.
    pub(crate) breaks_at: Option<u64>,
    pub(crate) error: Option<String>,
    pub(crate) millis: u64,
}

impl Operation {
    pub(super) fn deletes(self) -> bool {
        matches!(self, Self::Delete | Self::HardDelete)
    }

    pub(super) fn needs_id(self) -> bool {
        self.deletes() || self == Self::Update
    }

    pub(super) fn is_query(self) -> bool {
        matches!(self, Self::Query | Self::QueryAll)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Upsert => "upsert",
            Self::Delete => "delete",
            Self::HardDelete => "hardDelete",
            Self::Query => "query",
            Self::QueryAll => "queryAll",
        }
    }
}

impl State {
    /// Nothing will change any more.
    pub(super) fn is_over(self) -> bool {
        matches!(self, Self::JobComplete | Self::Failed | Self::Aborted)
    }

    pub(super) fn is_active(self) -> bool {
        matches!(self, Self::UploadComplete | Self::InProgress)
    }
}

impl Job {
    pub(super) fn new(ctx: &Ctx<'_>, operation: Operation, object: &str) -> Self {
        Self {
            number: 0,
            operation,
            state: State::Open,
            object: object.to_owned(),
            external_id: None,
            assignment_rule: None,
            query: None,
            dialect: Dialect::default(),
            user: ctx.user,
            version: ctx.version,
            created: ctx.now,
            changed: ctx.now,
            has_content: false,
            rows: None,
            taken: 0,
            offset: 0,
            processed: 0,
            failed: 0,
            breaks_at: None,
            error: None,
            millis: 0,
        }
    }

    pub(super) fn id(&self, ctx: &Ctx<'_>) -> String {
        ctx.engine.ids.id(PREFIX, self.number)
    }

    /// By what a fault script knows the job: its id, object and operation.
    pub(super) fn fault_key(&self, ctx: &Ctx<'_>) -> String {
        format!("{} {} {}", self.id(ctx), self.object, self.operation.name())
    }

    /// Keeps a new job.
    pub(super) fn add(&mut self, ctx: &Ctx<'_>) -> Result<(), Refusal> {
        ctx.db
            .prepare_cached("INSERT INTO jobs(active, body) VALUES(?1, ?2)")?
            .execute(params![
                self.state.is_active(),
                serde_json::to_string(self)?
            ])?;
        self.number = ctx.db.last_insert_rowid();
        Ok(())
    }

    pub(super) fn save(&self, ctx: &Ctx<'_>) -> Result<(), Refusal> {
        ctx.db
            .prepare_cached("UPDATE jobs SET active = ?2, body = ?3 WHERE n = ?1")?
            .execute(params![
                self.number,
                self.state.is_active(),
                serde_json::to_string(self)?
            ])?;
        Ok(())
    }

    pub(super) fn enter(&mut self, ctx: &Ctx<'_>, state: State) {
        self.state = state;
        self.changed = ctx.now;
    }

    pub(super) fn load(ctx: &Ctx<'_>, number: i64) -> Result<Option<Self>, Refusal> {
        let body: Option<String> = ctx
            .db
            .prepare_cached("SELECT body FROM jobs WHERE n = ?1")?
            .query_row([number], |row| row.get(0))
            .optional()?;
        body.map(|body| {
            let job: Self = serde_json::from_str(&body)?;
            Ok(Self { number, ..job })
        })
        .transpose()
    }

    /// The jobs that are not at their end, oldest first.
    pub(super) fn active(ctx: &Ctx<'_>) -> Result<Vec<i64>, Refusal> {
        let mut found = ctx
            .db
            .prepare_cached("SELECT n FROM jobs WHERE active = 1 ORDER BY n")?;
        let numbers = found.query_map([], |row| row.get(0))?;
        Ok(numbers.collect::<rusqlite::Result<_>>()?)
    }

    /// Up to `most` jobs behind a number.
    pub(super) fn page(ctx: &Ctx<'_>, after: i64, most: usize) -> Result<Vec<Self>, Refusal> {
        let mut found = ctx
            .db
            .prepare_cached("SELECT n FROM jobs WHERE n > ?1 ORDER BY n LIMIT ?2")?;
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let numbers: Vec<i64> = found
            .query_map(params![after, most], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        let mut jobs = Vec::with_capacity(numbers.len());
        for number in numbers {
            jobs.extend(Self::load(ctx, number)?);
        }
        Ok(jobs)
    }

    /// The job a client names.
    ///
    /// # Errors
    /// When there is none, or none any more, of that kind; or it is another user's.
    pub(super) fn named(ctx: &Ctx<'_>, id: &str, queries: bool) -> Result<Self, Refusal> {
        let number = ctx
            .engine
            .ids
            .parse(id)
            .filter(|(prefix, _)| *prefix == PREFIX)
            .map(|(_, number)| number)
            .ok_or_else(Refusal::not_found)?;
        let job = Self::load(ctx, number)?
            .filter(|job| job.operation.is_query() == queries)
            .ok_or_else(Refusal::not_found)?;
        if job.user != ctx.user {
            let message = format!("InvalidUser : the job {id} was created by another user");
            return Err(Refusal::new("INVALIDUSER", message));
        }
        Ok(job)
    }

    /// Takes the job and all that belongs to it away.
    pub(super) fn remove(&self, ctx: &Ctx<'_>) -> Result<(), Refusal> {
        ctx.db
            .execute("DELETE FROM jobs WHERE n = ?1", [self.number])?;
        ctx.db
            .execute("DELETE FROM job_rows WHERE job = ?1", [self.number])?;
        for name in ["data", "index", "successful", "failed", "unprocessed"] {
            let _not_there = std::fs::remove_file(ctx.engine.job_file(self.number, name));
        }
        Ok(())
    }

    /// Whether the platform would have forgotten the job by now.
    pub(super) fn is_past(&self, ctx: &Ctx<'_>) -> bool {
        let age = (ctx.now - self.changed).num_seconds();
        if self.state == State::Open {
            age >= OPEN_SECONDS
        } else {
            self.state.is_over() && age >= ctx.settings().bulk_job_seconds
        }
    }

    /// The JobInfo; a new job shows less of it.
    pub(super) fn info(&self, ctx: &Ctx<'_>, is_new: bool) -> Value {
        let kind = if self.operation.is_query() {
            "query"
        } else {
            "ingest"
        };
        let id = self.id(ctx);
        let mut info = json!({
            "id": id, "operation": self.operation.name(), "object": self.object,
            "createdById": ctx.engine.user_id(self.user), "createdDate": date_time_text(self.created),
            "systemModstamp": date_time_text(self.changed), "state": self.state, "concurrencyMode": "Parallel",
            "contentType": "CSV", "apiVersion": f64::from(self.version), "lineEnding": self.dialect.ending,
            "columnDelimiter": self.dialect.delimiter,
        });
        let mut more = Map::new();
        if let Some(field) = &self.external_id {
            more.insert("externalIdFieldName".into(), json!(field));
        }
        if let Some(rule) = &self.assignment_rule {
            more.insert("assignmentRuleId".into(), json!(rule));
        }
        if kind == "ingest" {
            // Without a leading slash, as the platform does.
            let url = format!("services/data/v{}.0/jobs/ingest/{id}/batches", self.version);
            more.insert("contentUrl".into(), json!(url));
        }
        if !is_new {
            let kind = if kind == "ingest" {
                "V2Ingest"
            } else {
                "V2Query"
            };
            more.extend([
                ("jobType".to_owned(), json!(kind)),
                ("numberRecordsProcessed".to_owned(), json!(self.processed)),
                ("retries".to_owned(), json!(0)),
                ("totalProcessingTime".to_owned(), json!(self.millis)),
            ]);
        }
        if !is_new && kind == "ingest" {
            more.extend([
                ("numberRecordsFailed".to_owned(), json!(self.failed)),
                ("apiActiveProcessingTime".to_owned(), json!(self.millis)),
                ("apexProcessingTime".to_owned(), json!(0)),
            ]);
        }
        if let Some(error) = &self.error {
            more.insert("errorMessage".into(), json!(error));
        }
        if let Some(info) = info.as_object_mut() {
            info.extend(more);
        }
        info
    }
}

/// `lineEnding` and `columnDelimiter` of a new job.
pub(super) fn dialect(body: &Value) -> Result<Dialect, Refusal> {
    fn one<T: Default + serde::de::DeserializeOwned>(
        body: &Value,
        name: &str,
    ) -> Result<T, Refusal> {
        let Some(value) = body.get(name).filter(|value| !value.is_null()) else {
            return Ok(T::default());
        };
        T::deserialize(value)
            .map_err(|_| Refusal::new("INVALIDJOB", format!("InvalidJob : {value} is no {name}")))
    }
    if let Some(other) = body
        .get("contentType")
        .filter(|kind| *kind != &json!("CSV"))
    {
        let message = format!("InvalidJob : contentType {other} is not supported, only CSV is");
        return Err(Refusal::new("INVALIDJOB", message));
    }
    Ok(Dialect {
        delimiter: one::<Delimiter>(body, "columnDelimiter")?,
        ending: one::<LineEnding>(body, "lineEnding")?,
    })
}
