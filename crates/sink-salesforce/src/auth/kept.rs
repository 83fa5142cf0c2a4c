//! The refresh-token grant, with the token in a file (Salesforce APIs, section 2.2).
//!
//! Where an app rotates its tokens each is good for one use, and using one again revokes all of them. So one process asks at a time, a new
//! token is in the file before its session is used, and after an answer that was lost nothing is asked again: a person logs in anew.

use std::fs::{File, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use deskferry_core::context::Context;
use deskferry_core::error::{Error, ErrorKind, Result};
use deskferry_core::http::{Client, Request, Response, SecretString, answer_lost};
use serde::{Deserialize, Serialize};

use super::{DOING, Login, opened};
use crate::client::error::refusal_of;
use crate::config::SalesforceConfig;

const FORMAT: u32 = 1;
/// How long another process may take to renew its session.
const PATIENCE: u32 = 600;
const STEP: Duration = Duration::from_millis(200);

/// What a login left. No `Debug`: it holds the token.
#[derive(Serialize, Deserialize)]
pub(super) struct Kept {
    format: u32,
    client_id: String,
    refresh_token: String,
    /// A renewal is under way, or its answer was lost.
    #[serde(default)]
    asking: bool,
    /// Whether each renewal brings another token, once that was seen.
    #[serde(default)]
    rotates: Option<bool>,
}

#[derive(Deserialize)]
struct Renewed {
    #[serde(default)]
    refresh_token: Option<SecretString>,
}

impl Kept {
    pub(super) fn new(client_id: &str, token: &SecretString) -> Self {
        Self {
            format: FORMAT,
            client_id: client_id.to_owned(),
            refresh_token: token.expose().to_owned(),
            asking: false,
            rotates: None,
        }
    }

    fn read(file: &Path) -> Result<Self> {
        let bytes = match std::fs::read(file) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(again(format!(
                    "nobody has logged in: {} is not there",
                    file.display()
                )));
            }
            bytes => bytes.map_err(|e| storage(e, file))?,
        };
        let kept: Self = serde_json::from_slice(&bytes).map_err(|_| {
            // What stands in the file is not shown: it may be the token.
            Error::new(
                ErrorKind::Mismatch,
                DOING,
                "the file of the login cannot be read",
            )
            .with("file", file.display())
            .advise("Run `login` again")
        })?;
        if kept.format != FORMAT {
            return Err(Error::new(
                ErrorKind::Mismatch,
                DOING,
                format!("the file of the login is of format {}", kept.format),
            )
            .with("file", file.display())
            .advise("Run `login` again, or use the Deskferry that wrote it"));
        }
        Ok(kept)
    }

    /// Writes the file as a whole or not at all, for its owner alone.
    pub(super) fn write(&self, file: &Path) -> Result<()> {
        let text = serde_json::to_vec(self).map_err(|e| Error::bug(DOING, e.to_string()))?;
        let half = beside(file, "new");
        let written = private(&half).and_then(|mut new| {
            new.write_all(&text)?;
            new.sync_all()?;
            std::fs::rename(&half, file)
        });
        written.map_err(|e| storage(e, file))
    }
}

fn private(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// A file beside another one.
fn beside(file: &Path, end: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(end);
    PathBuf::from(name)
}

/// Opens a session with the token of the file.
pub(super) async fn grant(
    cx: &Context,
    config: &SalesforceConfig,
    home: &Client,
    id: &str,
    file: &Path,
) -> Result<Login> {
    let _mine = alone(cx, file).await?;
    let mut kept = Kept::read(file)?;
    if kept.client_id != id {
        return Err(again("the file of the login is of another app"));
    }
    if kept.asking && kept.rotates != Some(false) {
        return Err(again(
            "the answer to an earlier renewal was lost, and a token that is used twice revokes every session of the app",
        ));
    }
    kept.asking = true;
    kept.write(file)?;
    let token = SecretString::new(kept.refresh_token.clone());
    let mut form = vec![
        ("grant_type", "refresh_token"),
        ("refresh_token", token.expose()),
        ("client_id", id),
    ];
    if let Some(secret) = &config.client_secret {
        form.push(("client_secret", secret.expose()));
    }
    // Never repeated: whether it took effect cannot be known.
    let request = Request::post("token", "services/oauth2/token")
        .operation(DOING)
        .form(&form)
        .idempotent(false);
    let response = match home.send(cx, request).await {
        Err(error) if !answer_lost(&error) => {
            // It did not arrive.
            kept.asking = false;
            kept.write(file)?;
            return Err(error);
        }
        sent => sent?,
    };
    if !response.is_success() {
        return Err(refused(&response, kept, file)?);
    }
    let renewed: Renewed = response.json(DOING)?;
    let new = renewed
        .refresh_token
        .filter(|new| new.expose() != token.expose());
    kept.rotates = Some(new.is_some());
    if let Some(new) = new {
        new.expose().clone_into(&mut kept.refresh_token);
    }
    kept.asking = false;
    // Before the session is used: a token that only memory knows is lost with the process.
    kept.write(file)?;
    opened(config, home, &response)
}

/// What a refusal means. One in the platform's own words used nothing up.
fn refused(response: &Response, mut kept: Kept, file: &Path) -> Result<Error> {
    let Some(refusal) = refusal_of(response).filter(|_| response.status < 500) else {
        return Ok(super::denied(response));
    };
    kept.asking = false;
    kept.write(file)?;
    Ok(if refusal.code == "invalid_grant" {
        again(format!("{}: {}", refusal.code, refusal.message))
    } else {
        super::denied(response)
    })
}

/// The file for this process alone, as long as what is answered lives.
async fn alone(cx: &Context, file: &Path) -> Result<File> {
    let path = beside(file, "lock");
    let lock = private(&path).map_err(|e| storage(e, &path))?;
    for _ in 0..PATIENCE {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(TryLockError::WouldBlock) => cx.sleep(STEP, DOING).await?,
            Err(TryLockError::Error(e)) => return Err(storage(e, &path)),
        }
    }
    Err(Error::new(
        ErrorKind::Conflict,
        DOING,
        "another process renews this login and does not end",
    )
    .with("file", path.display()))
}

fn again(said: impl Into<String>) -> Error {
    Error::new(ErrorKind::Interactive, DOING, said)
        .advise("Run `login` again; for runs without people use an app with a certificate")
}

fn storage(error: std::io::Error, file: &Path) -> Error {
    Error::storage("keep the login", error).with("file", file.display())
}
