//! SQLite on a thread of its own: closures go in, results come out.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;

use rusqlite::{Connection, OpenFlags};
use tokio::sync::oneshot;

use crate::error::{Error, ErrorKind, Result};

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// A database. Clones share the thread; it ends when the last clone is dropped, which waits until the file is closed: a
/// folder that nobody uses any more can be copied or moved.
#[derive(Clone)]
pub(crate) struct Db {
    worker: Arc<Worker>,
    name: &'static str,
    file: Arc<Path>,
}

struct Worker {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Worker {
    /// Gives the job back when nobody takes it any more.
    fn send(&self, job: Job) -> std::result::Result<(), mpsc::SendError<Job>> {
        match &self.jobs {
            Some(jobs) => jobs.send(job),
            None => Err(mpsc::SendError(job)),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != thread::current().id()
        {
            // A thread that panicked has closed its file by that.
            let _ = thread.join();
        }
    }
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Db")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// What a database file says of itself, and how older ones are brought up to date.
pub(crate) struct Schema {
    /// What it is, for errors: "the stage's index".
    pub(crate) name: &'static str,
    /// Distinguishes our files from others (`PRAGMA application_id`).
    pub(crate) application_id: i32,
    /// One script per version, the first creating version 1.
    pub(crate) versions: &'static [&'static str],
}

impl Db {
    /// Opens or creates the file and brings its schema up to date. A newer one is refused.
    pub(crate) fn open(path: &Path, schema: &Schema) -> Result<Self> {
        let mut connection = Connection::open(path)
            .map_err(|e| failed(schema.name, "open", &e).with("file", path.display()))?;
        prepare(&mut connection, path, schema)?;
        Self::serve(connection, path, schema)
    }

    /// Opens a file to read from it; its folder may be read-only. One of another version is refused.
    pub(crate) fn look(path: &Path, schema: &Schema) -> Result<Self> {
        let connection = read_only(path)
            .map_err(|e| failed(schema.name, "open", &e).with("file", path.display()))?;
        let version = version(&connection, path, schema)?;
        let newest = schema.versions.len() as i64;
        if version != newest {
            return Err(mismatch(
                schema,
                path,
                format!("it has format {version}, {newest} is needed"),
            )
            .advise("Open it with `status` once, which brings it up to date"));
        }
        Self::serve(connection, path, schema)
    }

    fn serve(mut connection: Connection, path: &Path, schema: &Schema) -> Result<Self> {
        let (jobs, work) = mpsc::channel::<Job>();
        let thread = thread::Builder::new()
            .name(format!("deskferry-{}", schema.application_id))
            .spawn(move || {
                while let Ok(job) = work.recv() {
                    job(&mut connection);
                }
                if let Err((_, error)) = connection.close() {
                    tracing::warn!(%error, "a database did not close cleanly; it recovers when it is opened");
                }
            })
            .map_err(|e| Error::storage("start a database thread", e))?;
        let worker = Worker {
            jobs: Some(jobs),
            thread: Some(thread),
        };
        Ok(Self {
            worker: Arc::new(worker),
            name: schema.name,
            file: path.into(),
        })
    }

    /// Runs `work` on the database's thread.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&mut Connection) -> Result<T, DbError> + Send + 'static,
    ) -> Result<T> {
        let (answer, wait) = oneshot::channel();
        let (name, file) = (self.name, Arc::clone(&self.file));
        let job: Job = Box::new(move |connection| {
            // Whoever asked may have gone: a future can be dropped at any await.
            let _ = answer.send(work(connection).map_err(|e| e.into_error(name, &file, operation)));
        });
        self.worker.send(job).map_err(|_| gone(name, operation))?;
        wait.await.map_err(|_| gone(name, operation))?
    }
}

fn gone(name: &'static str, operation: &'static str) -> Error {
    Error::new(
        ErrorKind::Storage,
        operation,
        format!("{name} stopped answering"),
    )
    .advise("Run `resume`: what was committed is safe")
}

fn failed(name: &'static str, operation: &'static str, error: &rusqlite::Error) -> Error {
    use rusqlite::ErrorCode::{CannotOpen, DiskFull, PermissionDenied, ReadOnly};
    let advice = match error.sqlite_error_code() {
        Some(DiskFull) => "Free space on the workspace's disk, then run `resume`: nothing is lost",
        Some(ReadOnly | PermissionDenied | CannotOpen) => {
            "Check who owns the workspace folder and whether its disk can be written, then run `resume`"
        }
        _ => {
            "Check the disk that holds the workspace, then run `resume`: what was committed is safe"
        }
    };
    Error::new(ErrorKind::Storage, operation, format!("{name}: {error}")).advise(advice)
}

/// What can go wrong inside a job.
#[derive(Debug)]
pub(crate) enum DbError {
    Sql(rusqlite::Error),
    Io(std::io::Error),
    Ours(Error),
}

impl DbError {
    fn into_error(self, name: &'static str, file: &Path, operation: &'static str) -> Error {
        match self {
            Self::Sql(error) => failed(name, operation, &error).with("file", file.display()),
            Self::Io(error) => Error::storage(operation, error).with("file", file.display()),
            Self::Ours(error) => error,
        }
    }
}

impl From<rusqlite::Error> for DbError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}
impl From<std::io::Error> for DbError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}
impl From<serde_json::Error> for DbError {
    fn from(error: serde_json::Error) -> Self {
        Self::Ours(Error::new(
            ErrorKind::Decode,
            "read a stored value",
            error.to_string(),
        ))
    }
}
impl From<Error> for DbError {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

fn prepare(connection: &mut Connection, path: &Path, schema: &Schema) -> Result<()> {
    let sql = |e: rusqlite::Error| failed(schema.name, "open", &e).with("file", path.display());
    // FULL: a commit is on the disk when it returns; the commit protocol stands on that. Pages that change often are copied
    // from the log into the file once in 8,192 pages (32 MiB), not once in 1,000.
    connection
        .execute_batch(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=OFF;
             PRAGMA temp_store=FILE; PRAGMA cache_size=-16384; PRAGMA busy_timeout=5000;
             PRAGMA wal_autocheckpoint=8192;",
        )
        .map_err(sql)?;
    let version = version(connection, path, schema)?;
    for (at, script) in schema
        .versions
        .iter()
        .enumerate()
        .skip(usize::try_from(version).unwrap_or(0))
    {
        if at > 0 && at as i64 == version {
            back_up(connection, path, version)?;
        }
        let step = connection.transaction().map_err(sql)?;
        step.execute_batch(script).map_err(sql)?;
        step.execute_batch(&format!(
            "PRAGMA application_id={}; PRAGMA user_version={}",
            schema.application_id,
            at + 1
        ))
        .map_err(sql)?;
        step.commit().map_err(sql)?;
    }
    Ok(())
}

/// The version that a file has, 0 for a new one. Other people's files and newer ones are refused.
fn version(connection: &Connection, path: &Path, schema: &Schema) -> Result<i64> {
    let pragma = |name: &str| -> Result<i64> {
        connection
            .query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))
            .map_err(|e| failed(schema.name, "open", &e).with("file", path.display()))
    };
    let (ours, version) = (pragma("application_id")?, pragma("user_version")?);
    let newest = schema.versions.len() as i64;
    if version != 0 && ours != i64::from(schema.application_id) {
        return Err(mismatch(schema, path, "the file is something else".into()));
    }
    if version > newest {
        return Err(mismatch(
            schema,
            path,
            format!("it has format {version}, this Deskferry knows up to {newest}"),
        )
        .advise("Use the Deskferry that wrote it, or a newer one"));
    }
    Ok(version)
}

/// A file with a log needs a `-shm` file beside it, which a read-only folder does not take. Where nobody can write, and the
/// log is empty, the file does not change.
fn read_only(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let answers = |connection: &Connection| {
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
    };
    let connection = Connection::open_with_flags(path, flags)?;
    let Err(error) = answers(&connection) else {
        return Ok(connection);
    };
    let log = path.with_extension("sqlite-wal");
    if std::fs::metadata(log).is_ok_and(|log| log.len() > 0) {
        return Err(error);
    }
    let encoded = percent_encoding::percent_encode(
        path.as_os_str().as_encoded_bytes(),
        percent_encoding::NON_ALPHANUMERIC,
    );
    let connection = Connection::open_with_flags(format!("file:{encoded}?immutable=1"), flags)?;
    answers(&connection).map(|()| connection)
}

fn mismatch(schema: &Schema, path: &Path, message: String) -> Error {
    Error::new(
        ErrorKind::Mismatch,
        "open a workspace",
        format!("{}: {message}", schema.name),
    )
    .with("file", path.display())
}

/// A copy that is cut off never has the copy's name.
fn back_up(connection: &Connection, path: &Path, version: i64) -> Result<()> {
    let copy = path.with_extension(format!("v{version}.backup"));
    let unfinished = path.with_extension(format!("v{version}.unfinished"));
    let io = |e| {
        Error::storage("back up a database before its format changes", e)
            .with("file", unfinished.display())
    };
    match std::fs::remove_file(&unfinished) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(io(e)),
        _ => {}
    }
    connection
        .execute("VACUUM INTO ?1", [unfinished.to_string_lossy()])
        .map_err(|e| {
            failed("the backup before a format change", "migrate", &e)
                .with("file", unfinished.display())
        })?;
    let keep = || -> std::io::Result<()> {
        std::fs::File::open(&unfinished)?.sync_all()?;
        std::fs::rename(&unfinished, &copy)?;
        std::fs::File::open(copy.parent().unwrap_or(Path::new(".")))?.sync_all()
    };
    keep().map_err(io)
}
