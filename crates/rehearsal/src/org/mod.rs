//! A local Salesforce org: what a Service Cloud org answers, refuses and changes, without one.
//!
//! It speaks REST, collections, composite, SOQL, both Bulk APIs, SOAP login, metadata deployments and multipart uploads, keeps its state in a folder that outlives the
//! process, and shares no code with the connectors. Rules are written from the platform's documentation; where that is
//! uncertain the strict reading was taken.
//!
//! ```no_run
//! # async fn run() -> Result<(), deskferry_rehearsal::org::OrgError> {
//! use deskferry_rehearsal::org::{CustomField, Org, OrgOptions};
//!
//! let options = OrgOptions::new("my-org")
//!     .audit_fields(true)
//!     .custom_field(CustomField::source_key("Case"))
//!     .picklist_value("Case", "Status", "On hold", false);
//! let org = Org::start(options).await?;
//! println!("{} is org {}", org.url(), org.org_id());
//! for case in org.dump("Case")? {
//!     println!("{}", case["Subject"]);
//! }
//! org.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! Besides the platform's own addresses there are `GET /` (a page for people, with those of records below
//! `/rehearsal/records/{Object}` and `/rehearsal/record/{id}`), `GET /rehearsal/dump/{Object}` (every
//! live row as a line of JSON), `GET /rehearsal/blob/{ContentVersionId}` (a file's bytes) and those of
//! [`serve`](crate::serve). The fault scripts know names of the org's own: `expire-session` (the session of the
//! call ends before it; key: the path) and `lock-row` (`UNABLE_TO_LOCK_ROW` for a row; key: its object, its id and
//! every id it refers to). Six more are of bulk jobs; their key is the job's id, its object and its operation, such as
//! `750… Case insert`, for rows with the row's number in the upload (from 0) behind it: `bulk-slow` (the job stands
//! still until it is asked for once more), `bulk-fail-half` (it is `Failed` after half of its rows), `bulk-lose-rows`
//! (a row is written and in no result set), `bulk-skip-rows` (neither), `bulk-no-content` (a result set is answered
//! with 204), `bulk-gone` (the job is not known).

mod auth;
mod automation;
mod bulk;
mod engine;
mod entitlements;
mod error;
mod files;
mod formula;
mod founding;
mod front;
mod grants;
mod ids;
mod knowledge;
mod limits;
mod metadata;
mod options;
mod picture;
mod random;
mod read;
mod record_types;
mod rest;
mod richtext;
mod saved;
mod schema;
mod soap;
mod soql;
mod store;
mod values;
mod write;
mod xml;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

pub use self::auth::jwt::JwtKey;
pub use self::automation::{Automation, AutomationKind};
use self::bulk::Worker;
use self::engine::Engine;
pub use self::entitlements::{EntitlementProcess, Milestone};
use self::front::Front;
pub use self::grants::Grant;
pub use self::knowledge::{CategoryGroup, DataCategory, KnowledgeSettings};
pub use self::limits::Limit;
pub use self::options::{
    CustomField, CustomObject, DuplicateRule, FieldType, Hidden, NewQueue, NewUser, OrgOptions,
    OrgSettings, PicklistValue, ValidationRule,
};
pub use self::picture::{Picture, Unjudged};
pub use self::record_types::{BusinessProcess, RecordType};
use crate::fault::Faults;
use crate::serve::{RequestLog, Requests, ServeOptions, Server};

/// How many of the last requests are kept in full.
const KEPT_REQUESTS: usize = 1_000;

/// Why an org could not be started or read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrgError(String);

impl fmt::Display for OrgError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "local org: {}", self.0)
    }
}

impl std::error::Error for OrgError {}

/// A running org.
#[derive(Debug)]
pub struct Org {
    engine: Arc<Engine>,
    worker: Worker,
    server: Server,
    public_url: Option<String>,
}

impl Org {
    /// Opens the state folder, or makes a new org in it, and serves it on loopback.
    ///
    /// # Errors
    /// When another org runs on the folder, the port is taken, the folder is of a newer format, or a custom field is
    /// one that the platform would refuse.
    pub async fn start(options: OrgOptions) -> Result<Self, OrgError> {
        let faults = Faults::default();
        let (opened, with) = (options.clone(), faults.clone());
        let engine = tokio::task::spawn_blocking(move || Engine::open(&opened, with)).await;
        let engine = Arc::new(
            engine
                .map_err(|e| OrgError(e.to_string()))?
                .map_err(OrgError)?,
        );
        let log = RequestLog::new(KEPT_REQUESTS);
        let front = Front {
            engine: Arc::clone(&engine),
            public_url: options.public_url.clone(),
            log: log.clone(),
        };
        let serve = ServeOptions {
            log: Some(log),
            port: options.port,
            tls_port: options.tls_port,
            tls_names: options.tls_names,
            faults,
            ..ServeOptions::default()
        };
        let server = Server::start(front::router(Arc::new(front)), serve).await;
        let server = server
            .map_err(|e| OrgError(format!("cannot listen on 127.0.0.1:{}: {e}", options.port)))?;
        Ok(Self {
            worker: Worker::start(Arc::clone(&engine)),
            engine,
            server,
            public_url: options.public_url,
        })
    }

    /// Opens the state of an org that is not running, to read it.
    ///
    /// # Errors
    /// When there is no org in the folder or it is of another format.
    pub fn open_state(folder: impl AsRef<Path>) -> Result<OrgState, OrgError> {
        Engine::read(folder.as_ref())
            .map(|engine| OrgState { engine })
            .map_err(OrgError)
    }

    /// `http://127.0.0.1:<port>`, or the public address when one was given.
    pub fn url(&self) -> String {
        self.public_url.clone().unwrap_or_else(|| self.server.url())
    }

    /// The port of the plain listener on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.server.port()
    }

    /// The address of the TLS listener.
    pub fn tls_url(&self) -> Option<String> {
        self.server.tls_url()
    }

    /// The authority that clients of the TLS listener must trust, as PEM.
    pub fn ca_pem(&self) -> Option<&str> {
        self.server.ca_pem()
    }

    /// The org's own id, eighteen characters.
    pub fn org_id(&self) -> String {
        self.engine.org_id()
    }

    /// The id of the user a migration runs as.
    pub fn user_id(&self) -> String {
        self.engine.user_id(engine::INTEGRATION_USER)
    }

    /// The login name of that user.
    pub fn username(&self) -> String {
        founding::INTEGRATION_USERNAME.to_owned()
    }

    /// The settings that hold: those of the state folder.
    pub fn settings(&self) -> &OrgSettings {
        &self.engine.settings
    }

    /// The fault script.
    pub fn faults(&self) -> &Faults {
        self.server.faults()
    }

    /// What was asked so far.
    pub fn requests(&self) -> Requests {
        self.server.requests()
    }

    /// Forgets what was asked so far.
    pub fn clear_requests(&self) {
        self.server.log().clear();
    }

    /// Every live row of an object: its id and every stored value; null ones are absent.
    ///
    /// # Errors
    /// When the org has no such object or its database cannot be read.
    pub fn dump(&self, object: &str) -> Result<Vec<Value>, OrgError> {
        dump(&self.engine, object)
    }

    /// The bytes of a file, by the id of its ContentVersion.
    ///
    /// # Errors
    /// When there is no such file.
    pub fn blob(&self, content_version: &str) -> Result<Vec<u8>, OrgError> {
        blob(&self.engine, content_version)
    }

    /// Writes all that the org holds into one file, which [`Org::unpack`] makes a state folder of again. Calls wait as long;
    /// uploads of bulk jobs are left out, so a job that was at work is `Failed` in the copy.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn save(&self, file: impl AsRef<Path>) -> Result<(), OrgError> {
        let (engine, file) = (Arc::clone(&self.engine), file.as_ref().to_owned());
        let place = file.display().to_string();
        let saved = tokio::task::spawn_blocking(move || engine.save(&file)).await;
        saved
            .map_err(|e| OrgError(e.to_string()))?
            .map_err(|e| OrgError(format!("cannot save into {place}: {e}")))
    }

    /// Makes a state folder out of a file that [`Org::save`] wrote. The folder must be empty or absent.
    ///
    /// # Errors
    /// When the file is no saved org or the folder cannot be filled.
    pub fn unpack(file: impl AsRef<Path>, folder: impl AsRef<Path>) -> Result<(), OrgError> {
        let (file, folder) = (file.as_ref(), folder.as_ref());
        saved::unpack(file, folder)
            .map_err(|e| OrgError(format!("cannot open {}: {e}", file.display())))
    }

    /// Lets requests in flight finish, then stops. Bulk jobs go on when the folder is opened again.
    pub async fn stop(self) {
        self.server.stop().await;
        self.worker.stop().await;
    }
}

/// The state of an org that is not running.
#[derive(Debug)]
pub struct OrgState {
    engine: Engine,
}

impl OrgState {
    /// The org's own id, eighteen characters.
    pub fn org_id(&self) -> String {
        self.engine.org_id()
    }

    /// As [`Org::dump`].
    ///
    /// # Errors
    /// When the org has no such object or its database cannot be read.
    pub fn dump(&self, object: &str) -> Result<Vec<Value>, OrgError> {
        dump(&self.engine, object)
    }

    /// As [`Org::blob`].
    ///
    /// # Errors
    /// When there is no such file.
    pub fn blob(&self, content_version: &str) -> Result<Vec<u8>, OrgError> {
        blob(&self.engine, content_version)
    }

    /// How many rows each object holds, empty ones left out.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn counts(&self) -> Result<Vec<(String, u64)>, OrgError> {
        let counts = self.engine.counts();
        let counts = counts.map_err(|e| OrgError(format!("cannot count rows: {}", e.message)))?;
        let rows = counts.into_iter();
        Ok(rows
            .map(|(object, n)| (object, u64::try_from(n).unwrap_or(0)))
            .collect())
    }
}

fn dump(engine: &Engine, object: &str) -> Result<Vec<Value>, OrgError> {
    let (mut rows, mut after) = (Vec::new(), Some(0));
    while let Some(from) = after {
        let read = engine
            .dump(object, from, 1_000)
            .map_err(|e| OrgError(format!("cannot dump {object}: {}", e.message)))?;
        rows.extend(read.0);
        after = read.1;
    }
    Ok(rows)
}

fn blob(engine: &Engine, id: &str) -> Result<Vec<u8>, OrgError> {
    let number = engine
        .ids
        .parse(id)
        .filter(|(prefix, _)| *prefix == "068")
        .map(|(_, number)| number);
    let number =
        number.ok_or_else(|| OrgError(format!("{id} is no ContentVersion of this org")))?;
    std::fs::read(engine.blob(number))
        .map_err(|e| OrgError(format!("cannot read the bytes of {id}: {e}")))
}

#[cfg(test)]
mod tests;
