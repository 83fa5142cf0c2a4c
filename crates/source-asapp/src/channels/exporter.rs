//! The File Exporter of the AI services, asked over the wire (ASAPP reference, section 2).
//!
//! Feed, version, format, day and interval are folders here. Their names are what the lists answered, handed back as they came.

use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;

use async_trait::async_trait;
use chrono::Duration;
use deskferry_core::http::{Client, Limit, Request, Response, RetryPolicy, SecretString};
use deskferry_core::{Context, Error, ErrorKind, Result};
use futures::StreamExt as _;
use serde_json::{Map, Value, json};

use super::tree::date;
use super::{Bytes, Channel, Entry, Listing};
use crate::tables::Family;

/// How often the link to a file is asked for.
const LINKS: u32 = 3;
/// Days whose files are read again by a later read: they may have been stated again (ASAPP reference, section 7.1).
const OVERLAP: i64 = 3;

/// What is asked on which level of the tree, and the name of the answer's list.
const LEVELS: [(&str, &str); 5] = [
    ("listfeeds", "feeds"),
    ("listfeedversions", "versions"),
    ("listfeedformats", "formats"),
    ("listfeeddates", "dates"),
    ("listfeedintervals", "intervals"),
];
/// The names under which what was chosen is handed back.
const CHOSEN: [&str; 5] = ["feed", "version", "format", "date", "interval"];

/// How to reach it.
pub(crate) struct Reach {
    pub(crate) url: String,
    pub(crate) api_id: String,
    pub(crate) api_secret: SecretString,
    pub(crate) per_second: u32,
    pub(crate) per_day: u64,
    pub(crate) allow_plain_http: bool,
    pub(crate) allow_private_hosts: bool,
    /// Where files are kept while they are read.
    pub(crate) work: PathBuf,
}

/// The File Exporter as a channel.
pub(crate) struct Exporter {
    client: Client,
    reach: Reach,
}

impl Exporter {
    pub(crate) fn new(reach: Reach) -> Result<Self> {
        let second = std::time::Duration::from_secs(1);
        // Three repeats, and then it is over: hammering on 429 ends in a revoked token (ASAPP reference, section 1.3).
        let retry = RetryPolicy::default()
            .max_attempts(4)
            .delays(second, second * 4);
        let client = Client::builder(crate::PLATFORM, &reach.url)
            .allow_plain_http(reach.allow_plain_http)
            .allow_private_hosts(reach.allow_private_hosts)
            .limit(
                Limit::per_second(reach.per_second)
                    .concurrent(8)
                    .per_day(reach.per_day)
                    .only(API),
            )
            .retry(retry)
            .build()?;
        Ok(Self { client, reach })
    }

    /// Asks whether the API works and takes the key. The body says it, not only the status (ASAPP reference, section 1.4).
    pub(crate) async fn health(&self, cx: &Context) -> Result<()> {
        let request = self
            .dressed(Request::get("health", "v1/health").operation("ask ASAPP whether it works"));
        let answer = self
            .answered(cx, request, "ask ASAPP whether it works")
            .await?;
        match answer.get("healthCheck").and_then(Value::as_str) {
            Some("SUCCESS") => Ok(()),
            other => Err(Error::new(
                ErrorKind::Unavailable,
                "ask ASAPP whether it works",
                format!("it says {}", other.unwrap_or("nothing")),
            )
            .advise("Look at https://status.asapp.com, and try again later")),
        }
    }

    /// What people should know of its limits.
    pub(crate) fn told(&self) -> [String; 2] {
        [
            format!(
                "file exporter: at most {} requests a second (spike arrest is at 100) and {} a day, as configured; ASAPP tells neither",
                self.reach.per_second, self.reach.per_day
            ),
            "file exporter: a feed takes 3 requests, each day 2 and each interval with its files 1 and 1 for every file".to_owned(),
        ]
    }

    fn dressed(&self, request: Request) -> Request {
        request
            .secret_header("asapp-api-id", SecretString::new(self.reach.api_id.clone()))
            .secret_header("asapp-api-secret", self.reach.api_secret.clone())
    }

    async fn ask(
        &self,
        cx: &Context,
        call: &'static str,
        body: &Map<String, Value>,
    ) -> Result<Value> {
        let path = format!("fileexporter/v1/static/{call}");
        let request = Request::post(call, path)
            .json(body)
            .idempotent(true)
            .operation("list exported files");
        self.answered(cx, self.dressed(request), "list exported files")
            .await
    }

    async fn answered(
        &self,
        cx: &Context,
        request: Request,
        operation: &'static str,
    ) -> Result<Value> {
        let response = self.client.send(cx, request).await?;
        if response.is_success() {
            return response.json(operation);
        }
        Err(refused(&response, operation))
    }

    /// Where a file lies now. A link without a scheme gets one.
    async fn link(&self, cx: &Context, body: &Map<String, Value>) -> Result<String> {
        let answer = self.ask(cx, "getfeedfile", body).await?;
        let url = answer
            .get("url")
            .and_then(Value::as_str)
            .unwrap_or("")
            .trim();
        if url.is_empty() {
            return Err(Error::decode(
                "ask for an exported file",
                "url",
                "there is no address",
            ));
        }
        Ok(if url.contains("://") {
            url.to_owned()
        } else {
            format!("https://{url}")
        })
    }

    /// One try to fetch a file. Its host is another one: it gets no credentials.
    async fn fetch(&self, cx: &Context, link: &str, into: &mut File) -> Result<bool> {
        let failed = |e| Error::storage("keep an exported file", e);
        let request = Request::get("file", link).operation("fetch an exported file");
        let mut response = self.client.stream(cx, request).await?;
        if !response.is_success() {
            return Ok(false);
        }
        into.set_len(0)
            .and_then(|()| into.seek(SeekFrom::Start(0)).map(drop))
            .map_err(failed)?;
        while let Some(bytes) = response.body.next().await {
            match bytes {
                Ok(bytes) => into.write_all(&bytes).map_err(failed)?,
                // A broken download begins again, with a new link.
                Err(error) if error.kind() == ErrorKind::Unavailable => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

/// Endpoints that the limits count; files lie elsewhere.
const API: &[&str] = &[
    "health",
    "listfeeds",
    "listfeedversions",
    "listfeedformats",
    "listfeeddates",
    "listfeedintervals",
    "listfeedfiles",
    "getfeedfile",
];

/// The body of a call about what these names lead to.
fn chosen(path: &[String]) -> Map<String, Value> {
    CHOSEN
        .iter()
        .zip(path)
        .map(|(name, value)| ((*name).to_owned(), json!(value)))
        .collect()
}

fn names(answer: &Value, list: &str) -> Vec<String> {
    let all = answer
        .get(list)
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    all.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// An answer that is none. Subcodes have no documented meaning, the number of the request has (ASAPP reference, section 1.2).
fn refused(response: &Response, operation: &'static str) -> Error {
    let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let text = |name: &str| {
        body.pointer(&format!("/error/{name}"))
            .and_then(Value::as_str)
    };
    let (kind, advice) = match response.status {
        401 => (
            ErrorKind::Credentials,
            "Check `api_id` and `api_secret`; if they worked before, ASAPP may have revoked the key: ask its service desk before trying again",
        ),
        403 => (
            ErrorKind::Forbidden,
            "The File Exporter is off by default: ask ASAPP to enable it for this key",
        ),
        404 => (
            ErrorKind::NotFound,
            "Run `resume`: lists are asked for anew",
        ),
        _ => (
            ErrorKind::Refused,
            "Give ASAPP's support the number of the request",
        ),
    };
    let message = text("message").map_or_else(|| response.text_snippet(), str::to_owned);
    let error = Error::new(kind, operation, message).with("status", response.status);
    match text("requestId") {
        Some(id) => error.with("request", id.to_owned()),
        None => error,
    }
    .advise(advice)
}

#[async_trait]
impl Channel for Exporter {
    fn name(&self) -> &'static str {
        "file exporter"
    }

    fn family(&self) -> Family {
        Family::Services
    }

    fn is_gated(&self) -> bool {
        false
    }

    fn lists_freely(&self) -> bool {
        false
    }

    async fn list(&self, cx: &Context, path: &[String]) -> Result<Listing> {
        let body = chosen(path);
        if let Some((call, list)) = LEVELS.get(path.len()) {
            let mut folders = names(&self.ask(cx, call, &body).await?, list);
            folders.sort();
            if !folders.is_empty() || path.len() < 4 {
                return Ok(Listing {
                    folders,
                    files: Vec::new(),
                });
            }
        }
        // Files lie below an interval, or where there is none, below the day.
        let recent = cx.now().date_naive() - Duration::days(OVERLAP);
        let of = path.get(3).and_then(|name| date(name));
        let changed = of
            .filter(|day| *day >= recent)
            .map(|_| cx.now().date_naive().to_string());
        let files = names(&self.ask(cx, "listfeedfiles", &body).await?, "files");
        let entry = |name| Entry {
            name,
            size: None,
            changed: changed.clone(),
        };
        Ok(Listing {
            folders: Vec::new(),
            files: files.into_iter().map(entry).collect(),
        })
    }

    async fn open(&self, cx: &Context, path: &[String], file: &Entry) -> Result<Bytes> {
        let failed = |e| Error::storage("keep an exported file", e);
        let mut body = chosen(path);
        body.insert("fileName".to_owned(), json!(file.name));
        let mut kept = tempfile::tempfile_in(&self.reach.work).map_err(failed)?;
        for _ in 0..LINKS {
            let link = self.link(cx, &body).await?;
            if self.fetch(cx, &link, &mut kept).await? {
                kept.seek(SeekFrom::Start(0)).map_err(failed)?;
                return Ok(Box::new(kept));
            }
        }
        Err(Error::new(
            ErrorKind::Unavailable,
            "fetch an exported file",
            format!("{LINKS} links to it were expired, refused or broken"),
        )
        .with("file", format!("{}/{}", path.join("/"), file.name))
        .advise("Run `resume`: whatever was read before it is kept"))
    }
}
