//! The File Exporter over a folder of files (ASAPP reference, sections 1 and 2): seven calls, presigned links on a host of their own, spike
//! arrest and a daily limit that give the same answer.

use std::io;
use std::path::{Path as FilePath, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::configuration::{self, Configured};
use super::conversations::{self, Told};
use crate::fault::Faults;
use crate::serve::{Requests, ServeOptions, Server};

/// What the exporter serves, and how.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ExporterOptions {
    /// `feed/version/format/day[/hour/minute]/files`, or without the last two.
    pub folder: PathBuf,
    /// Whether values have their key before them: `version=1`, `dt=2026-02-03`.
    pub with_keys: bool,
    /// So many calls a day are answered; the rest is 429.
    pub per_day: Option<u64>,
    /// So many links are expired when they are given.
    pub expired: u64,
    /// Whether links have no scheme.
    pub bare_links: bool,
    /// What the Configuration API answers.
    pub configured: Configured,
    /// What the Conversation API holds; without it, it is not enabled for the key.
    pub told: Option<Told>,
    /// Whether the AutoSummary API is enabled.
    pub summaries: bool,
}

impl ExporterOptions {
    /// Plain values, no daily limit, links that work.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            with_keys: false,
            per_day: None,
            expired: 0,
            bare_links: false,
            configured: Configured::default(),
            told: None,
            summaries: false,
        }
    }
}

/// The id of the key that works.
pub const API_ID: &str = "rehearsal-id";
/// Its secret: it guards nothing.
pub const API_SECRET: &str = "rehearsal-secret";

pub(super) struct Desk {
    pub(super) options: ExporterOptions,
    calls: AtomicU64,
    per_day: AtomicU64,
    links: AtomicU64,
    /// Summaries, extractions and intents that were made.
    pub(super) made: AtomicU64,
    /// Where links lead to.
    files: OnceLock<String>,
}

/// A File Exporter that runs.
pub struct FileExporter {
    desk: Arc<Desk>,
    api: Server,
    files: Server,
}

impl FileExporter {
    /// Starts one on loopback.
    ///
    /// # Errors
    /// No port is free.
    pub async fn start(options: ExporterOptions) -> io::Result<Self> {
        let desk = Arc::new(Desk {
            calls: AtomicU64::new(0),
            per_day: AtomicU64::new(options.per_day.unwrap_or(u64::MAX)),
            links: AtomicU64::new(0),
            made: AtomicU64::new(0),
            files: OnceLock::new(),
            options,
        });
        let api = Router::new()
            .route("/v1/health", get(health))
            .route("/fileexporter/v1/static/{call}", post(call))
            .route("/configuration/v1/{list}", get(configuration::list))
            .route(
                "/conversation/v1/conversations/{id}",
                get(conversations::one),
            )
            .route(
                "/conversation/v1/conversations/{id}/messages",
                get(conversations::messages),
            )
            .route("/autosummary/v1/{call}", post(conversations::make))
            .with_state(Arc::clone(&desk));
        let files = Router::new()
            .route("/bucket", get(file))
            .with_state(Arc::clone(&desk));
        let files = Server::start(files, ServeOptions::default()).await?;
        let _ = desk.files.set(files.url());
        let api = Server::start(api, ServeOptions::default()).await?;
        Ok(Self { desk, api, files })
    }

    /// The API's address.
    pub fn url(&self) -> String {
        self.api.url()
    }

    /// Calls of the API that were answered.
    pub fn calls(&self) -> u64 {
        self.desk.calls.load(Ordering::Relaxed)
    }

    /// Summaries, extractions and intents that were made: each costs its company something.
    pub fn made(&self) -> u64 {
        self.desk.made.load(Ordering::Relaxed)
    }

    /// A new day begins, or the limit is another one.
    pub fn allow(&self, calls: u64) {
        self.desk
            .per_day
            .store(self.calls() + calls, Ordering::Relaxed);
    }

    /// The host that has the API: what was asked of it.
    pub fn requests(&self) -> Requests {
        self.api.requests()
    }

    /// Faults of the API.
    pub fn faults(&self) -> &Faults {
        self.api.faults()
    }

    /// Faults of the host that has the files.
    pub fn file_faults(&self) -> &Faults {
        self.files.faults()
    }

    /// What was asked of the host that has the files.
    pub fn file_requests(&self) -> Requests {
        self.files.requests()
    }

    /// Ends it.
    pub async fn stop(self) {
        self.api.stop().await;
        self.files.stop().await;
    }
}

impl std::fmt::Debug for FileExporter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileExporter")
            .field("url", &self.url())
            .finish_non_exhaustive()
    }
}

pub(super) fn error(status: StatusCode, message: &str) -> Response {
    let code = format!("{}-01", status.as_u16());
    let body = json!({"error": {"requestId": "7a1f0c2e-55aa-4b5e-9d0e-1f2e3d4c5b6a", "code": code, "message": message}});
    (status, Json(body)).into_response()
}

impl Desk {
    /// Why a call is not answered.
    pub(super) fn refuses(&self, headers: &HeaderMap) -> Option<Response> {
        let is = |name: &str, value: &str| headers.get(name).is_some_and(|found| found == value);
        if !is("asapp-api-id", API_ID) || !is("asapp-api-secret", API_SECRET) {
            return Some(error(
                StatusCode::UNAUTHORIZED,
                "the credentials are not valid",
            ));
        }
        if self.calls.load(Ordering::Relaxed) >= self.per_day.load(Ordering::Relaxed) {
            return Some(error(StatusCode::TOO_MANY_REQUESTS, "too many requests"));
        }
        self.calls.fetch_add(1, Ordering::Relaxed);
        None
    }

    /// A value as it is told, by the name of a folder.
    fn told(&self, key: &str, name: &str) -> String {
        if self.options.with_keys {
            format!("{key}={name}")
        } else {
            name.to_owned()
        }
    }
}

async fn health(State(desk): State<Arc<Desk>>, headers: HeaderMap) -> Response {
    match desk.refuses(&headers) {
        Some(refusal) => refusal,
        None => Json(json!({"healthCheck": "SUCCESS"})).into_response(),
    }
}

/// What a call names. Values must come back exactly as they were told.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Asked {
    feed: Option<String>,
    version: Option<String>,
    format: Option<String>,
    date: Option<String>,
    interval: Option<String>,
    file_name: Option<String>,
}

impl Asked {
    /// The folder that is meant; nothing for a value that was never told.
    fn folder(&self, desk: &Desk) -> Option<PathBuf> {
        let mut folder = desk.options.folder.clone();
        let plain = |key: &str, value: &String| match desk.options.with_keys {
            true => value.strip_prefix(&format!("{key}=")).map(str::to_owned),
            false => (!value.contains('=')).then(|| value.clone()),
        };
        if let Some(feed) = &self.feed {
            folder.push(feed);
        }
        for (key, value) in [
            ("version", &self.version),
            ("format", &self.format),
            ("dt", &self.date),
        ] {
            if let Some(value) = value {
                folder.push(plain(key, value)?);
            }
        }
        if let Some(interval) = &self.interval {
            let (hour, minute) = interval.strip_prefix("hr=")?.split_once("/mi=")?;
            folder.push(hour);
            folder.push(minute);
        }
        folder.is_dir().then_some(folder)
    }
}

fn inside(folder: &FilePath, wants_folders: bool) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter(|entry| entry.path().is_dir() == wants_folders)
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    // Nothing promises an order.
    names.sort_by_key(|name| std::cmp::Reverse(name.clone()));
    names
}

async fn call(
    State(desk): State<Arc<Desk>>,
    Path(call): Path<String>,
    headers: HeaderMap,
    Json(asked): Json<Asked>,
) -> Response {
    if let Some(refusal) = desk.refuses(&headers) {
        return refusal;
    }
    let Some(folder) = asked.folder(&desk) else {
        return error(StatusCode::NOT_FOUND, "no such value");
    };
    let folders = |key: &str| -> Vec<String> {
        inside(&folder, true)
            .iter()
            .map(|name| desk.told(key, name))
            .collect()
    };
    let answer = match call.as_str() {
        "listfeeds" => json!({"feeds": inside(&folder, true)}),
        "listfeedversions" => json!({"feed": asked.feed, "versions": folders("version")}),
        "listfeedformats" => json!({"feed": asked.feed, "formats": folders("format")}),
        "listfeeddates" => json!({"feed": asked.feed, "dates": folders("dt")}),
        "listfeedintervals" => {
            let hours = inside(&folder, true);
            let each = hours.iter().flat_map(|hour| {
                let minutes = inside(&folder.join(hour), true);
                minutes
                    .into_iter()
                    .map(move |minute| format!("hr={hour}/mi={minute}"))
            });
            json!({"feed": asked.feed, "intervals": each.collect::<Vec<_>>()})
        }
        "listfeedfiles" => json!({"feed": asked.feed, "files": inside(&folder, false)}),
        "getfeedfile" => link(&desk, &folder, &asked),
        _ => return error(StatusCode::NOT_FOUND, "no such call"),
    };
    Json(answer).into_response()
}

fn link(desk: &Desk, folder: &FilePath, asked: &Asked) -> Value {
    let path = folder.join(asked.file_name.as_deref().unwrap_or(""));
    let given = desk.links.fetch_add(1, Ordering::Relaxed);
    let expired = given < desk.options.expired;
    let host = desk.files.get().map_or("", String::as_str);
    let pairs = [
        ("path", path.to_string_lossy().into_owned()),
        ("expired", expired.to_string()),
    ];
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish();
    let host = if desk.options.bare_links {
        host.trim_start_matches("http://")
    } else {
        host
    };
    json!({"feed": asked.feed, "fileName": asked.file_name, "url": format!("{host}/bucket?{query}")})
}

#[derive(Debug, Deserialize)]
struct Signed {
    path: PathBuf,
    expired: bool,
}

async fn file(
    State(desk): State<Arc<Desk>>,
    headers: HeaderMap,
    Query(signed): Query<Signed>,
) -> Response {
    // The bucket belongs to somebody else: credentials that come here are lost.
    if headers.contains_key("asapp-api-id") || headers.contains_key("asapp-api-secret") {
        return error(
            StatusCode::BAD_REQUEST,
            "credentials were sent to the bucket",
        );
    }
    if signed.expired || !signed.path.starts_with(&desk.options.folder) {
        return (
            StatusCode::FORBIDDEN,
            "<Error><Code>AccessDenied</Code></Error>",
        )
            .into_response();
    }
    match std::fs::read(&signed.path) {
        Ok(bytes) => bytes.into_response(),
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}
