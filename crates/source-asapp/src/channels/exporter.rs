//! The File Exporter of the AI services, asked over the wire (ASAPP reference, section 2).
//!
//! Feed, version, format, day and interval are folders here. Their names are what the lists answered, handed back as they came.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use chrono::Duration;
use deskferry_core::http::Request;
use deskferry_core::{Context, Error, ErrorKind, Result};
use futures::StreamExt as _;
use serde_json::{Map, Value, json};

use super::tree::date;
use super::{Bytes, Channel, Day, Entry, Listing};
use crate::client::Api;
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

/// The File Exporter as a channel.
pub(crate) struct Exporter {
    api: Arc<Api>,
    /// Where files are kept while they are read.
    work: PathBuf,
}

impl Exporter {
    pub(crate) fn new(api: Arc<Api>, work: &Path) -> Self {
        Self {
            api,
            work: work.to_owned(),
        }
    }

    async fn ask(
        &self,
        cx: &Context,
        call: &'static str,
        body: &Map<String, Value>,
    ) -> Result<Value> {
        let path = format!("fileexporter/v1/static/{call}");
        let request = Request::post(call, path).json(body).idempotent(true);
        self.api.answered(cx, request, "list exported files").await
    }

    /// The least requests that a whole read takes, by what lies in the newest day of each feed that has something; `days` are those of
    /// [`days`](super::days), which were asked for already.
    ///
    /// # Errors
    /// The exporter failed.
    pub(crate) async fn least_requests(&self, cx: &Context, days: &[Day]) -> Result<u64> {
        let mut feeds: BTreeMap<&[String], Vec<&Day>> = BTreeMap::new();
        for day in days {
            let feed = day.path.get(..day.path.len().saturating_sub(1));
            feeds.entry(feed.unwrap_or_default()).or_default().push(day);
        }
        // The feeds, and of each versions, formats and days: a read lists them anew.
        let mut all = 1 + 3 * feeds.len() as u64;
        for days in feeds.values() {
            let Some(newest) = days.iter().max_by_key(|day| day.date) else {
                continue;
            };
            let (mut of_day, mut files) = (1, 0);
            let listing = self.list(cx, &newest.path).await?;
            files += listing.files.len() as u64;
            if let Some(interval) = listing.folders.first() {
                let below = [&newest.path[..], std::slice::from_ref(interval)].concat();
                let each = 1 + self.list(cx, &below).await?.files.len() as u64;
                of_day += listing.folders.len() as u64 * each;
            } else {
                of_day += 1;
            }
            all += (of_day + files) * days.len() as u64;
        }
        Ok(all)
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
        let mut response = self.api.elsewhere(cx, request).await?;
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
        let mut kept = tempfile::tempfile_in(&self.work).map_err(failed)?;
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
