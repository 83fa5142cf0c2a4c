//! Salesforce Service Cloud as a [Deskferry](deskferry_core) sink.
//!
//! [`Salesforce`] writes companies, people, conversations, files and messages into an org, by a [`Mapping`] that people
//! can read and edit, and reads every row back.
//!
//! | | |
//! |---|---|
//! | login | client-credentials or JWT-bearer grant of an app, or an access token; a session that ended is renewed once, by one worker for all |
//! | objects | Account, Contact, Case, ContentVersion, EmailMessage, CaseComment; users are matched, never made |
//! | identity | `Source_Key__c`, unique and case-sensitive, in every row that can carry it; comments are counted by what they say |
//! | matched | accounts by website, contacts by address, users by address: linked, never overwritten; two candidates wait for a person |
//! | transport | collections of up to 200 rows or 40 MB; Bulk API 2.0 from 2,000 rows of one object on (`bulk_from`); one multipart call per file, bytes streamed |
//! | bulk jobs | the job's id is in the journal before its rows leave; results are matched by key; a job whose process died is taken up again; what a job leaves over goes by a smaller one, then by collections |
//! | lost answers | looked up by key, or waited out and counted, before anything is sent again |
//! | refused rows | locked ones later and apart, a failing trigger narrowed down by halves, the rest with the platform's words |
//! | dates | creation and change kept where the org allows it, in fields of their own always |
//! | too long | texts cut and kept whole beside, comments split, mail bodies as files |
//! | allowance | read from every answer; a load stops by itself at a share of the day's requests |
//! | verify | field by field, read back by query jobs where there are many rows; what the platform changes is a closed table (`docs/normalisations.md`) |
//! | schema | what the mapping needs and the org lacks, shown as a change set, checked by the org, deployed after consent, granted and waited for; withdrawn on request |
//!
//! # Example
//!
//! Writes one person into a local org; a real one differs in address and credentials only. A migration calls the same
//! methods, with a ledger for a journal.
//!
//! ```
//! use std::sync::Arc;
//!
//! use deskferry_core::journal::Journal;
//! use deskferry_core::key::{RecordKind, Tenant};
//! use deskferry_core::model::{Contact, Email, Meta, Record};
//! use deskferry_core::pipeline::MemoryJournal;
//! use deskferry_core::sink::{Batch, Loaded, Sink, Verdict};
//! use deskferry_core::{Context, blob::Blobs};
//! use deskferry_rehearsal::org::{Org, OrgOptions};
//! use deskferry_sink_salesforce::{Mapping, Salesforce, SalesforceConfig};
//!
//! # struct NoFiles;
//! # #[async_trait::async_trait]
//! # impl Blobs for NoFiles {
//! #     async fn open(&self, _: &deskferry_core::blob::BlobInfo) -> deskferry_core::Result<deskferry_core::source::ByteStream> {
//! #         Ok(Box::pin(futures::stream::empty()))
//! #     }
//! # }
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mapping = Mapping::parse(Mapping::default_text())?;
//! // The local org gets the fields that the mapping needs; a real one is prepared by its administrator.
//! let fields: Vec<_> = serde_json::from_value(serde_json::to_value(mapping.required_fields())?)?;
//! let folder = tempfile::tempdir()?;
//! let org = Org::start(OrgOptions::new(folder.path()).access_token("00Dlocal!token").custom_fields(fields)).await?;
//!
//! let config = SalesforceConfig::builder(org.url()).access_token("00Dlocal!token").build()?;
//! let salesforce = Salesforce::new(config, mapping)?;
//! let cx = Context::new();
//! let target = salesforce.check(&cx).await?;
//! assert_eq!(target.id, org.org_id());
//!
//! let ann = Contact {
//!     meta: Meta::new(Tenant::new("kayako", "acme").key(RecordKind::Contact, 7)),
//!     name: "Ann Lee".into(),
//!     emails: vec![Email { address: "Ann@Example.org".into(), verified: None }],
//!     phones: Vec::new(),
//!     handles: Vec::new(),
//!     accounts: Vec::new(),
//!     title: None,
//!     locale: None,
//!     time_zone: None,
//!     kind: None,
//!     groups: Vec::new(),
//!     addresses: Vec::new(),
//!     tags: Vec::new(),
//! };
//! let journal = Arc::new(MemoryJournal::new("first-pass"));
//! let records = journal.register(vec![Record::from(ann)]);
//! let records: Vec<Loaded> = records
//!     .into_iter()
//!     .map(|(id, record)| Loaded { id, part: 0, version: 0, record, parent: None, orphan: false, file: None, owner: None })
//!     .collect();
//! let related = Arc::new(journal.related(&records));
//! let batch = Batch { phase: "contacts", records, related, journal: journal as Arc<dyn Journal>, blobs: Arc::new(NoFiles) };
//! let outcomes = salesforce.write(&cx, batch).await?;
//! assert_eq!(outcomes[0].verdict, Verdict::Created);
//! assert_eq!(org.dump("Contact")?[0]["Email"], "ann@example.org");
//! # org.stop().await;
//! # Ok(())
//! # }
//! ```

/// As in the meter.
const PLATFORM: &str = "salesforce";

mod amend;
mod auth;
#[cfg(feature = "bench")]
#[doc(hidden)]
pub mod bench;
mod bulk;
mod client;
mod config;
mod estimate;
mod files;
mod handoff;
mod load;
mod mapped;
pub mod mapping;
pub mod metadata;
mod org;
mod owners;
mod preflight;
mod prepare;
mod probe;
pub mod schema;
mod settings;
mod shown;
mod sink;
mod survey;
mod undo;
mod verify;

pub use auth::{LoggedIn, WebLogin};
pub use config::{API_VERSION, SalesforceConfig, SalesforceConfigBuilder};
pub use handoff::clicks;
pub use mapping::{FieldSpec, Mapping, Problem};
pub use settings::SETTINGS;
pub use sink::Salesforce;
pub use survey::Pulled;
