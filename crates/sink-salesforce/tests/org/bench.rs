//! A local org, a sink on it, and a journal in memory.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use deskferry_core::blob::{BlobInfo, Blobs};
use deskferry_core::context::{Clock, Context};
use deskferry_core::error::{Error, ErrorKind, Result};
use deskferry_core::http::{Client, Request, SecretString};
use deskferry_core::journal::{Effect, Image, Intent, Journal, Known};
use deskferry_core::key::{RecordId, RecordKey, RecordKind, Tenant};
use deskferry_core::model::*;
use deskferry_core::pipeline::MemoryJournal;
use deskferry_core::sink::{Batch, FileState, Loaded, Sink, Verdict};
use deskferry_core::source::ByteStream;
use deskferry_core::verify::{Checked, Finding};
use deskferry_rehearsal::org::{NewUser, Org, OrgOptions};
use deskferry_sink_salesforce::{Mapping, Salesforce, SalesforceConfig};
use md5::{Digest, Md5};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const TOKEN: &str = "00Drehearsal!token";

pub(crate) struct Bench {
    pub(crate) org: Org,
    pub(crate) sink: Salesforce,
    pub(crate) journal: Arc<TestJournal>,
    pub(crate) blobs: Arc<MemoryBlobs>,
    pub(crate) cx: Context,
    pub(crate) clock: Arc<LeapingClock>,
    _folder: TempDir,
}

pub(crate) fn tenant() -> Tenant {
    Tenant::new("kayako", "acme")
}

pub(crate) fn key(kind: RecordKind, id: impl std::fmt::Display) -> RecordKey {
    tenant().key(kind, id)
}

pub(crate) fn at(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

fn user(email: &str, active: bool) -> NewUser {
    let name = email.split('@').next().unwrap().to_owned();
    NewUser {
        email: email.into(),
        username: format!("{email}.org"),
        name,
        active,
        user_type: "Standard".into(),
    }
}

pub(crate) fn options(folder: &TempDir, mapping: &Mapping) -> OrgOptions {
    let fields = serde_json::to_value(mapping.required_fields()).unwrap();
    let objects = serde_json::to_value(mapping.required_objects()).unwrap();
    OrgOptions::new(folder.path())
        .access_token(TOKEN)
        .custom_objects(serde_json::from_value::<Vec<_>>(objects).unwrap())
        .custom_fields(serde_json::from_value::<Vec<_>>(fields).unwrap())
        .user(user("ben@example.org", true))
        .user(user("gone@example.org", false))
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Self::with(|options| options, "").await
    }

    /// A bench whose org and mapping differ: `lines` stand among those of the Case.
    pub(crate) async fn with(change: impl FnOnce(OrgOptions) -> OrgOptions, lines: &str) -> Self {
        let text = Mapping::default_text()
            .replace("[Case.fields]\n", &format!("[Case.fields]\n{lines}\n"));
        Self::mapped(change, &text).await
    }

    /// A bench with another mapping.
    pub(crate) async fn mapped(change: impl FnOnce(OrgOptions) -> OrgOptions, text: &str) -> Self {
        let mapping = Mapping::parse(text).unwrap();
        let folder = TempDir::new().unwrap();
        let org = Org::start(change(options(&folder, &mapping)))
            .await
            .unwrap();
        let config = SalesforceConfig::builder(org.url())
            .client_credentials("rehearsal-client", "rehearsal-secret")
            .build()
            .unwrap();
        let clock = Arc::new(LeapingClock::default());
        Self {
            sink: Salesforce::new(config, mapping).unwrap(),
            org,
            journal: Arc::new(TestJournal::new("mark-0")),
            blobs: Arc::default(),
            cx: Context::new().with_clock(Arc::clone(&clock) as Arc<dyn Clock>),
            clock,
            _folder: folder,
        }
    }

    /// Another process on the same workspace: nothing is remembered but what the journal holds.
    pub(crate) fn restarted(&mut self) {
        self.remapped(Mapping::default_text());
    }

    /// The same with another mapping.
    pub(crate) fn remapped(&mut self, mapping: &str) {
        let config = SalesforceConfig::builder(self.org.url())
            .access_token(TOKEN)
            .build()
            .unwrap();
        self.sink = Salesforce::new(config, Mapping::parse(mapping).unwrap()).unwrap();
    }

    pub(crate) async fn batch(&self, phase: &'static str, records: Vec<Record>) -> Batch {
        let parents: Vec<Option<RecordKey>> = records.iter().map(parent_of).collect();
        let registered = self.journal.memory.register(records);
        let mut loaded = Vec::new();
        for ((id, record), parent) in registered.into_iter().zip(parents) {
            let known = self
                .journal
                .look(&parent.into_iter().collect::<Vec<_>>())
                .await
                .unwrap();
            let parent = known.first().and_then(|known| match known {
                Known::Missing => None,
                Known::Pending { record, .. } | Known::Settled { record, .. } => Some(*record),
            });
            let file = match &record {
                Record::Attachment(attachment) => Some(self.blobs.state(&attachment.meta.key)),
                _ => None,
            };
            let orphan = parent.is_none() && parent_of(&record).is_some();
            loaded.push(Loaded {
                version: 0,
                id,
                part: 0,
                record,
                parent,
                orphan,
                file,
                owner: None,
            });
        }
        let journal = Arc::clone(&self.journal) as Arc<dyn Journal>;
        Batch {
            phase,
            related: Arc::new(self.journal.memory.related(&loaded)),
            records: loaded,
            journal,
            blobs: Arc::clone(&self.blobs) as Arc<dyn Blobs>,
        }
    }

    pub(crate) async fn try_load(
        &self,
        phase: &'static str,
        records: Vec<Record>,
    ) -> Result<Vec<Verdict>> {
        let batch = self.batch(phase, records).await;
        let outcomes = self.sink.write(&self.cx, batch).await?;
        for outcome in &outcomes {
            self.journal
                .memory
                .finish(outcome.record, outcome.verdict.clone());
        }
        Ok(outcomes
            .into_iter()
            .map(|outcome| outcome.verdict)
            .collect())
    }

    pub(crate) async fn load(&self, phase: &'static str, records: Vec<Record>) -> Vec<Verdict> {
        self.try_load(phase, records).await.unwrap()
    }

    /// Makes records known as read, without loading them.
    pub(crate) fn register(&self, records: &[Record]) {
        self.journal.memory.register(records.to_vec());
    }

    /// Has the sink finish what waits.
    pub(crate) async fn flush(&self) -> Vec<Verdict> {
        let outcomes = self.sink.flush(&self.cx).await.unwrap();
        let finish = |outcome: deskferry_core::sink::Outcome| {
            self.journal
                .memory
                .finish(outcome.record, outcome.verdict.clone());
            outcome.verdict
        };
        outcomes.into_iter().map(finish).collect()
    }

    pub(crate) async fn verify(&self, phase: &'static str, records: Vec<Record>) -> Vec<Checked> {
        let batch = self.batch(phase, records).await;
        self.sink
            .as_verify()
            .unwrap()
            .verify(&self.cx, batch)
            .await
            .unwrap()
    }

    /// The differences that a verification finds, as text.
    pub(crate) async fn differences(
        &self,
        phase: &'static str,
        records: Vec<Record>,
    ) -> Vec<String> {
        let checked = self.verify(phase, records).await;
        assert!(!checked.is_empty(), "nothing was compared");
        let different = checked.into_iter().filter_map(|c| match c.finding {
            Finding::Different { expected, found } => Some(format!(
                "{}.{}: {expected:?} became {found:?}",
                c.object, c.field
            )),
            _ => None,
        });
        different.collect()
    }

    pub(crate) fn dump(&self, object: &str) -> Vec<Value> {
        self.org.dump(object).unwrap()
    }

    /// The one row of an object.
    pub(crate) fn only(&self, object: &str) -> Value {
        let mut rows = self.dump(object);
        assert_eq!(rows.len(), 1, "{object}: {rows:#?}");
        rows.remove(0)
    }

    /// Makes a row that was in the org before.
    pub(crate) async fn there_before(&self, object: &str, fields: Value) -> String {
        let client = Client::builder("test", &self.org.url()).build().unwrap();
        let request = Request::post("row", format!("services/data/v66.0/sobjects/{object}"))
            .json(&fields)
            .secret_header(
                "Authorization",
                SecretString::new(format!("Bearer {TOKEN}")),
            );
        let answer: Value = client
            .send(&self.cx, request)
            .await
            .unwrap()
            .json("make a row")
            .unwrap();
        answer["id"].as_str().unwrap().to_owned()
    }

    /// Deploys a package, as an administrator does. Answers what became of it.
    pub(crate) async fn deploy(&self, zip: Vec<u8>) -> Value {
        let client = Client::builder("test", &self.org.url()).build().unwrap();
        let signed = |request: Request| {
            let token = SecretString::new(format!("Bearer {TOKEN}"));
            request.secret_header("Authorization", token)
        };
        let mut body = b"--b\r\nContent-Disposition: form-data; name=\"json\"\r\nContent-Type: application/json\r\n\r\n\
            {\"deployOptions\": {\"singlePackage\": true, \"rollbackOnError\": true}}\r\n--b\r\n\
            Content-Disposition: form-data; name=\"file\"; filename=\"d.zip\"\r\nContent-Type: application/zip\r\n\r\n"
            .to_vec();
        body.extend(zip);
        body.extend(b"\r\n--b--\r\n");
        let path = "services/data/v66.0/metadata/deployRequest";
        let request = Request::post("deploy", path).bytes("multipart/form-data; boundary=b", body);
        let begun = client.send(&self.cx, signed(request)).await.unwrap();
        let begun: Value = begun.json("deploy").unwrap();
        let id = begun["id"].as_str().unwrap();
        let request = Request::get("deployed", format!("{path}/{id}?includeDetails=true"));
        let ended = client.send(&self.cx, signed(request)).await.unwrap();
        ended.json::<Value>("ask for a deployment").unwrap()["deployResult"].clone()
    }

    /// Changes a row behind the sink's back.
    pub(crate) async fn change(&self, object: &str, id: &str, fields: Value) {
        let client = Client::builder("test", &self.org.url()).build().unwrap();
        let path = format!("services/data/v66.0/sobjects/{object}/{id}");
        let request = Request::patch("row", path).json(&fields).secret_header(
            "Authorization",
            SecretString::new(format!("Bearer {TOKEN}")),
        );
        assert!(client.send(&self.cx, request).await.unwrap().is_success());
    }

    /// Deletes a row behind the sink's back.
    pub(crate) async fn delete(&self, object: &str, id: &str) {
        let client = Client::builder("test", &self.org.url()).build().unwrap();
        let request = Request::delete("row", format!("services/data/v66.0/sobjects/{object}/{id}"))
            .secret_header(
                "Authorization",
                SecretString::new(format!("Bearer {TOKEN}")),
            );
        assert!(client.send(&self.cx, request).await.unwrap().is_success());
    }
}

fn parent_of(record: &Record) -> Option<RecordKey> {
    match record {
        Record::Conversation(c) => c.parent.clone().or_else(|| c.merged_into.clone()),
        Record::Message(m) => m.reply_to.clone(),
        _ => None,
    }
}

/// The time of the system, and waits that end at once.
#[derive(Debug, Default)]
pub(crate) struct LeapingClock {
    leapt: AtomicI64,
}

impl LeapingClock {
    /// How long was waited.
    pub(crate) fn waited(&self) -> Duration {
        Duration::from_millis(self.leapt.load(Ordering::Relaxed).unsigned_abs())
    }
}

#[async_trait]
impl Clock for LeapingClock {
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
    async fn sleep(&self, duration: Duration) {
        self.leapt.fetch_add(
            i64::try_from(duration.as_millis()).unwrap(),
            Ordering::Relaxed,
        );
    }
}

/// A journal in memory whose settling can be made to fail, as if the process died there.
pub(crate) struct TestJournal {
    pub(crate) memory: MemoryJournal,
    dies: AtomicBool,
}

impl TestJournal {
    pub(crate) fn new(mark: &str) -> Self {
        Self {
            memory: MemoryJournal::new(mark),
            dies: AtomicBool::new(false),
        }
    }

    /// From now on nothing that became of rows reaches the journal.
    pub(crate) fn die_after_sending(&self, dies: bool) {
        self.dies.store(dies, Ordering::Relaxed);
    }
}

#[async_trait]
impl Journal for TestJournal {
    fn mark(&self) -> &str {
        self.memory.mark()
    }
    async fn intend(&self, intents: Vec<Intent>) -> Result<()> {
        self.memory.intend(intents).await
    }
    async fn settle(&self, effects: Vec<Effect>) -> Result<()> {
        if self.dies.load(Ordering::Relaxed) && !effects.is_empty() {
            return Err(Error::new(
                ErrorKind::Storage,
                "settle",
                "the process died here",
            ));
        }
        self.memory.settle(effects).await
    }
    async fn effects(&self, records: &[RecordId]) -> Result<Vec<Effect>> {
        self.memory.effects(records).await
    }
    async fn images(&self, rows: &[(RecordId, u32)]) -> Result<Vec<Option<Image>>> {
        self.memory.images(rows).await
    }
    async fn look(&self, keys: &[RecordKey]) -> Result<Vec<Known>> {
        self.memory.look(keys).await
    }
    async fn asked(&self, people: &[RecordKey]) -> Result<Vec<bool>> {
        self.memory.asked(people).await
    }
    async fn claim(&self, space: &str, claims: &[(String, RecordId)]) -> Result<Vec<RecordId>> {
        self.memory.claim(space, claims).await
    }
    async fn claimed(&self, space: &str, values: &[String]) -> Result<Vec<Option<RecordId>>> {
        self.memory.claimed(space, values).await
    }
    async fn rows(&self, records: &[RecordId]) -> Result<Vec<Known>> {
        self.memory.rows(records).await
    }
}

#[derive(Default)]
pub(crate) struct MemoryBlobs {
    bytes: Mutex<HashMap<String, Bytes>>,
    files: Mutex<HashMap<RecordKey, BlobInfo>>,
}

impl MemoryBlobs {
    /// Stages the bytes of an attachment.
    pub(crate) fn put(&self, attachment: &RecordKey, bytes: impl Into<Bytes>) {
        let bytes = bytes.into();
        let md5: String = Md5::digest(&bytes)
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        let info = BlobInfo {
            blake3: format!("{md5}{md5}"),
            md5,
            size: bytes.len() as u64,
            media_type: None,
        };
        self.bytes
            .lock()
            .unwrap()
            .insert(info.blake3.clone(), bytes);
        self.files.lock().unwrap().insert(attachment.clone(), info);
    }

    fn state(&self, attachment: &RecordKey) -> FileState {
        match self.files.lock().unwrap().get(attachment) {
            Some(info) => FileState::Staged(info.clone()),
            None => FileState::Unavailable("404 when it was read".into()),
        }
    }
}

#[async_trait]
impl Blobs for MemoryBlobs {
    async fn open(&self, blob: &BlobInfo) -> Result<ByteStream> {
        let bytes = self.bytes.lock().unwrap()[&blob.blake3].clone();
        Ok(Box::pin(futures::stream::iter([Ok(bytes)])))
    }
}

pub(crate) fn account(id: u32, name: &str, domain: &str) -> Account {
    Account {
        parent: None,
        meta: meta(RecordKind::Account, id),
        name: name.into(),
        domains: vec![domain.into()],
        websites: Vec::new(),
        phones: Vec::new(),
        addresses: Vec::new(),
        tags: Vec::new(),
    }
}

pub(crate) fn contact(id: u32, name: &str, email: &str) -> Contact {
    Contact {
        addresses: Vec::new(),
        groups: Vec::new(),
        kind: None,
        meta: meta(RecordKind::Contact, id),
        name: name.into(),
        emails: vec![Email {
            address: email.into(),
            verified: None,
        }],
        phones: Vec::new(),
        handles: Vec::new(),
        accounts: Vec::new(),
        title: None,
        locale: None,
        time_zone: None,
        tags: Vec::new(),
    }
}

pub(crate) fn agent(id: u32, name: &str, email: &str) -> Agent {
    Agent {
        meta: meta(RecordKind::Agent, id),
        name: name.into(),
        emails: vec![Email {
            address: email.into(),
            verified: None,
        }],
        active: true,
        role: "agent".into(),
        teams: Vec::new(),
    }
}

pub(crate) fn conversation(id: u32) -> Conversation {
    Conversation {
        also_assigned: Vec::new(),
        also_teams: Vec::new(),
        figures: deskferry_core::model::Figures::default(),
        segment: None,
        meta: meta(RecordKind::Conversation, id),
        number: id.to_string(),
        subject: format!("Question {id}"),
        requester: None,
        account: None,
        assignee: None,
        team: None,
        channel: Named::new(ChannelKind::Email, "MAIL"),
        status: Named::new(StatusState::Closed, "Closed"),
        priority: None,
        kind: None,
        tags: Vec::new(),
        satisfaction: None,
        parent: None,
        merged_into: None,
        closed_at: Some(at("2021-04-01T00:00:00Z")),
    }
}

pub(crate) fn mail(id: u32, conversation: u32, from: &str, to: &str) -> Message {
    let address = |address: &str| EmailAddress {
        address: address.into(),
        name: String::new(),
    };
    let email = EmailHeaders {
        from: Some(address(from)),
        to: vec![address(to)],
        message_id: Some(format!("<{id}@example.org>")),
        ..EmailHeaders::default()
    };
    Message {
        channel: Named::new(ChannelKind::Email, "MAIL"),
        email: Some(email),
        subject: Some("Question".into()),
        ..note(id, conversation, "Hello")
    }
}

/// A chat message of a customer's.
pub(crate) fn note(id: u32, conversation: u32, text: &str) -> Message {
    Message {
        call: None,
        meta: meta(RecordKind::Message, id),
        conversation: key(RecordKind::Conversation, conversation),
        direction: Direction::In,
        channel: Named::new(ChannelKind::Chat, "MESSENGER"),
        author: Author {
            key: None,
            role: AuthorRole::Customer,
            name: "Ann Lee".into(),
        },
        sent_at: at("2021-03-04T05:06:07Z"),
        sequence: i64::from(id),
        subject: None,
        body: Body {
            html: None,
            text: Some(text.into()),
        },
        email: None,
        reply_to: None,
        files: Vec::new(),
    }
}

pub(crate) fn attachment(id: u32, conversation: u32, name: &str) -> Attachment {
    Attachment {
        meta: meta(RecordKind::Attachment, id),
        conversation: key(RecordKind::Conversation, conversation),
        name: name.into(),
        media_type: None,
        size: None,
        inline: false,
        locator: json!(null),
    }
}

pub(crate) fn file(id: u32, name: &str, shown_as: Option<&str>) -> MessageFile {
    MessageFile {
        key: key(RecordKind::Attachment, id),
        name: name.into(),
        shown_as: shown_as.map(str::to_owned),
    }
}

fn meta(kind: RecordKind, id: u32) -> Meta {
    let mut meta = Meta::new(key(kind, id));
    meta.created_at = Some(at("2021-03-04T05:06:07Z"));
    meta.updated_at = Some(at("2021-03-05T05:06:07Z"));
    meta
}

/// Records as they come in a batch.
pub(crate) fn records<T: Into<Record>>(records: impl IntoIterator<Item = T>) -> Vec<Record> {
    records.into_iter().map(Into::into).collect()
}
