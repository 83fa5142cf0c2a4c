//! The batch tree over SFTP, as ASAPP delivers it today (ASAPP reference, sections 1.1 and 3.1): a key instead of a password, and a server whose own key is
//! known beforehand.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use deskferry_core::http::SecretString;
use deskferry_core::{Context, Error, ErrorKind, Result};
use futures::StreamExt as _;
use futures::lock::Mutex;
use russh::client::{self, Handle};
use russh::keys::{HashAlg, PrivateKeyWithHashAlg, PublicKey, load_secret_key};
use russh_sftp::client::SftpSession;
use russh_sftp::protocol::StatusCode;
use tokio_util::io::ReaderStream;

use super::keep::keep;
use super::{Bytes, Channel, Entry, Listing};
use crate::tables::Family;

const READ: &str = "read batch files over SFTP";
/// How often something is tried anew after a connection broke.
const TRIES: u32 = 3;
/// Seconds after which a request without an answer is a broken connection.
const PATIENCE: u64 = 60;
/// Bytes that are handed over at once.
const PIECE: usize = 256 << 10;
/// Folders that are listed at once: each is a round trip or three.
const AT_ONCE: usize = 16;

/// How to reach the server.
pub(crate) struct At {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: String,
    /// The file with the private key.
    pub(crate) key: PathBuf,
    pub(crate) passphrase: SecretString,
    /// The server's own keys: fingerprints, or keys as `ssh-keyscan` prints them.
    pub(crate) host_keys: Vec<String>,
    pub(crate) folder: String,
    /// Where files are kept while they are read.
    pub(crate) work: PathBuf,
}

/// A server as a channel.
pub(crate) struct Sftp {
    at: At,
    /// One connection for all.
    held: Mutex<Option<Arc<Connection>>>,
}

struct Connection {
    sftp: SftpSession,
    /// Ends the connection when it is dropped.
    _ssh: Handle<Known>,
}

/// Takes a server only if its key is one of those that were told.
struct Known {
    fingerprints: Vec<String>,
    /// What the server showed, where it was none of them.
    shown: Arc<std::sync::Mutex<Option<String>>>,
}

impl client::Handler for Known {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        key: &russh::keys::PublicKeyOrCertificate,
    ) -> std::result::Result<bool, Self::Error> {
        let shown = match key {
            russh::keys::PublicKeyOrCertificate::PublicKey { key, .. } => fingerprint(key),
            russh::keys::PublicKeyOrCertificate::Certificate(_) => "a certificate".to_owned(),
        };
        let known = self.fingerprints.contains(&shown);
        if !known && let Ok(mut place) = self.shown.lock() {
            *place = Some(shown);
        }
        Ok(known)
    }
}

fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

/// The fingerprint of a key as people write it: itself, or a line with the key.
fn told(text: &str) -> Option<String> {
    let text = text.trim();
    if text.starts_with("SHA256:") {
        return Some(text.trim_end_matches('=').to_owned());
    }
    // `ssh-keyscan` puts the host before the key.
    let words: Vec<&str> = text.split_whitespace().collect();
    let at = words.iter().position(|word| {
        ["ssh-", "ecdsa-"]
            .iter()
            .any(|start| word.starts_with(start))
    })?;
    let key = format!("{} {}", words.get(at)?, words.get(at + 1)?);
    PublicKey::from_openssh(&key)
        .ok()
        .map(|key| fingerprint(&key))
}

impl Sftp {
    pub(crate) fn new(at: At) -> Result<Self> {
        if let Some(wrong) = at.host_keys.iter().find(|key| told(key).is_none()) {
            return Err(Error::new(
                ErrorKind::Config,
                READ,
                format!(
                    "`sftp_host_key` holds `{wrong}`, which is neither a SHA256 fingerprint nor a public key"
                ),
            ));
        }
        Ok(Self {
            at,
            held: Mutex::new(None),
        })
    }

    fn error(&self, kind: ErrorKind, what: impl Into<String>) -> Error {
        Error::new(kind, READ, what.into()).with("host", &self.at.host)
    }

    async fn connection(&self) -> Result<Arc<Connection>> {
        let mut held = self.held.lock().await;
        if let Some(connection) = held.as_ref() {
            return Ok(Arc::clone(connection));
        }
        let connection = Arc::new(self.connect().await?);
        *held = Some(Arc::clone(&connection));
        Ok(connection)
    }

    async fn connect(&self) -> Result<Connection> {
        let at = &self.at;
        let passphrase = (!at.passphrase.is_empty()).then(|| at.passphrase.expose());
        let key = load_secret_key(&at.key, passphrase).map_err(|e| {
            self.error(
                ErrorKind::Config,
                format!("the private key cannot be used: {e}"),
            )
            .with("key", at.key.display())
            .advise("Check `sftp_key` and `sftp_key_passphrase`: a key as `ssh-keygen` writes it")
        })?;
        let shown = Arc::new(std::sync::Mutex::new(None));
        let known = Known {
            fingerprints: at.host_keys.iter().filter_map(|key| told(key)).collect(),
            shown: Arc::clone(&shown),
        };
        let config = client::Config {
            inactivity_timeout: Some(Duration::from_secs(PATIENCE * 10)),
            keepalive_interval: Some(Duration::from_secs(PATIENCE / 2)),
            nodelay: true,
            ..client::Config::default()
        };
        let connected = client::connect(Arc::new(config), (at.host.as_str(), at.port), known).await;
        let mut ssh = connected.map_err(|e| match shown.lock().ok().and_then(|mut s| s.take()) {
            Some(key) => self
                .error(
                    ErrorKind::Credentials,
                    format!("the server shows the key {key}, which is not the one that was told"),
                )
                .advise("Ask ASAPP for the fingerprint of its server; if it is this one, set `sftp_host_key` to it"),
            None => self.error(ErrorKind::Unavailable, e.to_string()),
        })?;
        let unavailable = |e: russh::Error| self.error(ErrorKind::Unavailable, e.to_string());
        let hash = match key.algorithm().is_rsa() {
            true => ssh
                .best_supported_rsa_hash()
                .await
                .map_err(unavailable)?
                .flatten(),
            false => None,
        };
        let key = PrivateKeyWithHashAlg::new(Arc::new(key), hash);
        let taken = ssh
            .authenticate_publickey(&at.user, key)
            .await
            .map_err(unavailable)?;
        if !taken.success() {
            return Err(self
                .error(
                    ErrorKind::Credentials,
                    format!("the server does not take the key of `{}`", at.user),
                )
                .advise("Check `sftp_user` and `sftp_key`: ASAPP must have been given the public half of it"));
        }
        let channel = ssh.channel_open_session().await.map_err(unavailable)?;
        channel
            .request_subsystem(true, "sftp")
            .await
            .map_err(unavailable)?;
        let sftp = SftpSession::new(channel.into_stream())
            .await
            .map_err(|e| self.error(ErrorKind::Unavailable, e.to_string()))?;
        sftp.set_timeout(PATIENCE);
        Ok(Connection { sftp, _ssh: ssh })
    }

    fn path(&self, path: &[String], file: Option<&str>) -> String {
        let root = self.at.folder.trim_end_matches('/');
        let names = path.iter().map(String::as_str).chain(file);
        let below = names.collect::<Vec<_>>().join("/");
        match (root, below.as_str()) {
            ("", "") if self.at.folder.starts_with('/') => "/".to_owned(),
            ("", "") => ".".to_owned(),
            ("", below) if self.at.folder.starts_with('/') => format!("/{below}"),
            ("", below) => below.to_owned(),
            (root, "") => root.to_owned(),
            (root, below) => format!("{root}/{below}"),
        }
    }

    fn failed(&self, path: &str, error: russh_sftp::client::error::Error) -> Error {
        use russh_sftp::client::error::Error as E;
        let (kind, advice) = match &error {
            E::Status(status) if status.status_code == StatusCode::NoSuchFile => (
                ErrorKind::NotFound,
                "Check `sftp_folder`: the folders of the feeds lie right below it",
            ),
            E::Status(status) if status.status_code == StatusCode::PermissionDenied => (
                ErrorKind::Forbidden,
                "Ask ASAPP whether this user may read that folder",
            ),
            _ => (
                ErrorKind::Unavailable,
                "Run `resume`: whatever was read before it is kept",
            ),
        };
        self.error(kind, error.to_string())
            .with("path", path)
            .advise(advice)
    }

    async fn listed(&self, path: &str) -> Result<Listing> {
        let connection = self.connection().await?;
        let found = connection.sftp.read_dir(path).await;
        let mut listing = Listing::default();
        for entry in found.map_err(|e| self.failed(path, e))? {
            let (name, about) = (entry.file_name(), entry.metadata());
            if about.is_dir() {
                listing.folders.push(name);
            } else {
                listing.files.push(Entry {
                    name,
                    size: about.size,
                    changed: about.mtime.map(|seconds| seconds.to_string()),
                });
            }
        }
        listing.folders.sort();
        listing.files.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(listing)
    }

    async fn fetched(&self, cx: &Context, path: &str) -> Result<std::fs::File> {
        let connection = self.connection().await?;
        let file = connection.sftp.open(path).await;
        let file = file.map_err(|e| self.failed(path, e))?;
        let broken = |e: std::io::Error| self.error(ErrorKind::Unavailable, e.to_string());
        let bytes = ReaderStream::with_capacity(file, PIECE).map(|piece| piece.map_err(broken));
        keep(cx, &self.at.work, Box::pin(bytes)).await
    }

    /// Whether it is worth another try, with a new connection.
    async fn again(&self, cx: &Context, error: &Error, tried: &mut u32) -> Result<bool> {
        if error.kind() != ErrorKind::Unavailable || *tried >= TRIES {
            return Ok(false);
        }
        *self.held.lock().await = None;
        cx.sleep(Duration::from_secs(1 << *tried), READ).await?;
        *tried += 1;
        Ok(true)
    }
}

#[async_trait]
impl Channel for Sftp {
    fn name(&self) -> &'static str {
        "batch files over SFTP"
    }

    fn family(&self) -> Family {
        Family::Messaging
    }

    fn is_gated(&self) -> bool {
        true
    }

    /// Every partition is a folder to be asked for.
    fn lists_freely(&self) -> bool {
        false
    }

    fn lists_at_once(&self) -> usize {
        AT_ONCE
    }

    async fn list(&self, cx: &Context, path: &[String]) -> Result<Listing> {
        let (path, mut tried) = (self.path(path, None), 0);
        loop {
            cx.check("list batch files")?;
            match self.listed(&path).await {
                Err(error) if self.again(cx, &error, &mut tried).await? => {}
                done => return done,
            }
        }
    }

    async fn open(&self, cx: &Context, path: &[String], file: &Entry) -> Result<Bytes> {
        let (path, mut tried) = (self.path(path, Some(&file.name)), 0);
        loop {
            match self.fetched(cx, &path).await {
                Err(error) if self.again(cx, &error, &mut tried).await? => {}
                done => return done.map(|kept| Box::new(kept) as Bytes),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6MDEyMzQ1";

    #[test]
    fn a_servers_key_is_known_however_it_is_written() {
        let print = told(KEY);
        assert!(
            print
                .as_deref()
                .is_some_and(|print| print.starts_with("SHA256:"))
        );
        assert_eq!(told(&format!("sftp.example.org {KEY} comment")), print);
        assert_eq!(print.as_deref().and_then(told), print);
        for wrong in ["", "MD5:00:11", "ssh-ed25519", "ssh-rsa nothing"] {
            assert_eq!(told(wrong), None, "{wrong}");
        }
    }
}
