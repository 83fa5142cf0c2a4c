//! The batch tree in a bucket of S3, or of what speaks like it (ASAPP reference, section 3.1).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use deskferry_core::http::SecretString;
use deskferry_core::{Context, Error, ErrorKind, Result};
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{ClientOptions, ObjectMeta, ObjectStore as _, ObjectStoreExt as _, RetryConfig};

use super::keep::keep;
use super::{Bytes, Channel, Entry, Listing};
use crate::tables::Family;

/// How often a file is fetched anew when its bytes break off.
const TRIES: u32 = 3;
/// How long one request may take, body and all.
const LONGEST: Duration = Duration::from_secs(900);

/// How to reach a bucket.
pub(crate) struct At {
    pub(crate) bucket: String,
    pub(crate) prefix: String,
    pub(crate) region: String,
    /// Empty for Amazon's own.
    pub(crate) endpoint: String,
    pub(crate) access_key: String,
    pub(crate) secret_key: SecretString,
    pub(crate) allow_plain_http: bool,
    /// Where files are kept while they are read.
    pub(crate) work: PathBuf,
}

/// A bucket as a channel.
pub(crate) struct Bucket {
    store: AmazonS3,
    bucket: String,
    prefix: Vec<String>,
    work: PathBuf,
}

impl Bucket {
    pub(crate) fn new(at: At) -> Result<Self> {
        let options = ClientOptions::new()
            .with_allow_http(at.allow_plain_http)
            .with_timeout(LONGEST);
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&at.bucket)
            .with_region(&at.region)
            .with_access_key_id(&at.access_key)
            .with_secret_access_key(at.secret_key.expose())
            .with_client_options(options)
            .with_retry(RetryConfig {
                max_retries: 4,
                ..RetryConfig::default()
            });
        if !at.endpoint.is_empty() {
            builder = builder.with_endpoint(&at.endpoint);
        }
        let store = builder.build().map_err(|e| {
            Error::new(
                ErrorKind::Config,
                "prepare to read a bucket",
                told(&e.to_string()),
            )
            .with("bucket", &at.bucket)
        })?;
        let prefix = at.prefix.split('/').filter(|name| !name.is_empty());
        Ok(Self {
            store,
            prefix: prefix.map(str::to_owned).collect(),
            bucket: at.bucket,
            work: at.work,
        })
    }

    fn path(&self, path: &[String], file: Option<&str>) -> Result<Path> {
        let names = self.prefix.iter().chain(path).map(String::as_str);
        let whole = names.chain(file).collect::<Vec<_>>().join("/");
        // Keys are handed back as they came: `=` and the like are not encoded again.
        Path::parse(&whole).map_err(|e| {
            Error::new(ErrorKind::Refused, "read a bucket", e.to_string()).with("key", whole)
        })
    }

    fn failed(&self, error: object_store::Error) -> Error {
        use object_store::Error as E;
        let message = error.to_string();
        // Refusals of lists come as text alone.
        let (kind, advice) = match (&error, status(&message)) {
            (E::NotFound { .. }, _) | (_, Some(404)) => (
                ErrorKind::NotFound,
                "Check `s3_bucket` and `s3_prefix`; a file that is gone is not asked for by `resume`",
            ),
            (E::Unauthenticated { .. }, _) | (_, Some(401)) => (
                ErrorKind::Credentials,
                "Check `s3_access_key` and `s3_secret_key`: ASAPP gives a read-only pair for each environment",
            ),
            (E::PermissionDenied { .. }, _) | (_, Some(403)) => (
                ErrorKind::Forbidden,
                "Check `s3_access_key` and `s3_secret_key`, and ask ASAPP whether the pair may read this bucket and prefix",
            ),
            _ => (
                ErrorKind::Unavailable,
                "Run `resume`: whatever was read before it is kept",
            ),
        };
        Error::new(kind, "read a bucket", told(&message))
            .with("bucket", &self.bucket)
            .advise(advice)
    }

    async fn fetch(&self, cx: &Context, key: &Path) -> Result<std::fs::File> {
        let found = self.store.get(key).await.map_err(|e| self.failed(e))?;
        let bytes = found.into_stream().map_err(|e| self.failed(e)).boxed();
        keep(cx, &self.work, bytes).await
    }
}

/// The first line of what the client says: below it stand whole answers.
fn told(message: &str) -> String {
    let line = message.lines().next().unwrap_or("");
    line.chars().take(400).collect()
}

/// The HTTP status in what the client says.
fn status(message: &str) -> Option<u16> {
    let (_, after) = message.split_once("status code: ")?;
    after.get(..3)?.parse().ok()
}

fn entry(name: &str, about: &ObjectMeta) -> Entry {
    let changed = about
        .e_tag
        .clone()
        .unwrap_or_else(|| about.last_modified.to_rfc3339());
    Entry {
        name: name.to_owned(),
        size: Some(about.size),
        changed: Some(changed),
    }
}

#[async_trait]
impl Channel for Bucket {
    fn name(&self) -> &'static str {
        "batch files of S3"
    }

    fn family(&self) -> Family {
        Family::Messaging
    }

    fn is_gated(&self) -> bool {
        true
    }

    /// A day is one request: its partitions are listed together.
    fn lists_freely(&self) -> bool {
        true
    }

    async fn list(&self, cx: &Context, path: &[String]) -> Result<Listing> {
        cx.check("list a bucket")?;
        let folder = self.path(path, None)?;
        let found = self.store.list_with_delimiter(Some(&folder)).await;
        let found = found.map_err(|e| self.failed(e))?;
        let last = |path: &Path| path.filename().map(str::to_owned);
        let mut listing = Listing {
            folders: found.common_prefixes.iter().filter_map(last).collect(),
            files: found
                .objects
                .iter()
                .filter_map(|about| Some(entry(about.location.filename()?, about)))
                .collect(),
        };
        if path.is_empty() && listing == Listing::default() {
            return Err(Error::new(
                ErrorKind::NotFound,
                "read a bucket",
                "there is nothing under this prefix",
            )
            .with("bucket", &self.bucket)
            .with("prefix", folder)
            .advise(
                "Check `s3_bucket` and `s3_prefix`: the folders of the feeds lie right below it",
            ));
        }
        listing.folders.sort();
        listing.files.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(listing)
    }

    async fn below(&self, cx: &Context, path: &[String]) -> Result<Vec<(Vec<String>, Listing)>> {
        let root = self.path(path, None)?;
        let mut folders: BTreeMap<Vec<String>, Listing> = BTreeMap::new();
        let mut found = self.store.list(Some(&root));
        while let Some(about) = found.try_next().await.map_err(|e| self.failed(e))? {
            cx.check("list a bucket")?;
            let names = about.location.as_ref().split('/').map(str::to_owned);
            let mut names: Vec<String> = names.skip(self.prefix.len()).collect();
            let Some(name) = names.pop() else { continue };
            let listing = folders.entry(names).or_default();
            listing.files.push(entry(&name, &about));
        }
        Ok(folders.into_iter().collect())
    }

    async fn open(&self, cx: &Context, path: &[String], file: &Entry) -> Result<Bytes> {
        let key = self.path(path, Some(&file.name))?;
        let mut tried = 1;
        loop {
            match self.fetch(cx, &key).await {
                Ok(kept) => return Ok(Box::new(kept)),
                Err(error) if error.kind() == ErrorKind::Unavailable && tried < TRIES => tried += 1,
                Err(error) => return Err(error.with("key", key)),
            }
        }
    }
}
