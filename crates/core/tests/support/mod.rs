//! A source of lists and a sink of maps, with faults by number.
#![allow(dead_code, reason = "each test program uses its part")]

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, TimeZone, Utc};
use deskferry_core::journal::{Effect, EffectState, Intent, Operation};
use deskferry_core::model::{
    Account, Attachment, Author, AuthorRole, Body, ChannelKind, Contact, Conversation, Direction,
    EmailHeaders, Message, Meta, Named, StatusState,
};
use deskferry_core::sink::{Batch, FileState, Order, Outcome, Phase, TargetInfo, Verdict};
use deskferry_core::source::{
    ByteStream, Capability, Cursor, Next, Page, Readiness, Scope, Shard, Watermark,
};
use deskferry_core::undo::{Undo, UndoBatch, Undone};
use deskferry_core::verify::{Checked, Finding, Verify};
use deskferry_core::{
    Context, Error, ErrorKind, Record, RecordId, RecordKey, RecordKind, Result, Sink, Source,
    Tenant,
};
use serde_json::{Value, json};

pub(crate) fn key(kind: RecordKind, id: impl std::fmt::Display) -> RecordKey {
    tenant().key(kind, id)
}

pub(crate) fn tenant() -> Tenant {
    Tenant::new("lists", "acme")
}

pub(crate) fn at(seconds: i64) -> DateTime<Utc> {
    Utc.timestamp_opt(1_700_000_000 + seconds, 0).unwrap()
}

fn meta(kind: RecordKind, id: impl std::fmt::Display, seconds: i64) -> Meta {
    Meta {
        created_at: Some(at(seconds)),
        ..Meta::new(key(kind, id))
    }
}

pub(crate) fn account(id: u64) -> Record {
    Account {
        parent: None,
        meta: meta(RecordKind::Account, id, id as i64),
        name: format!("Account {id}"),
        domains: Vec::new(),
        websites: Vec::new(),
        phones: Vec::new(),
        addresses: Vec::new(),
        tags: Vec::new(),
    }
    .into()
}

pub(crate) fn contact(id: u64) -> Record {
    Contact {
        addresses: Vec::new(),
        groups: Vec::new(),
        kind: None,
        meta: meta(RecordKind::Contact, id, id as i64),
        name: format!("Person {id}"),
        emails: Vec::new(),
        phones: Vec::new(),
        handles: Vec::new(),
        accounts: Vec::new(),
        title: None,
        locale: None,
        time_zone: None,
        tags: Vec::new(),
    }
    .into()
}

pub(crate) fn conversation(id: u64, parent: Option<u64>) -> Record {
    Conversation {
        also_assigned: Vec::new(),
        also_teams: Vec::new(),
        figures: deskferry_core::model::Figures::default(),
        segment: None,
        meta: meta(RecordKind::Conversation, id, id as i64),
        number: id.to_string(),
        subject: format!("Subject {id}"),
        requester: None,
        account: None,
        assignee: None,
        team: None,
        channel: Named::new(ChannelKind::Email, "MAIL"),
        status: Named::new(StatusState::Open, "Open"),
        priority: None,
        kind: None,
        tags: Vec::new(),
        satisfaction: None,
        parent: parent.map(|p| key(RecordKind::Conversation, p)),
        merged_into: None,
        closed_at: None,
    }
    .into()
}

/// A mail that answers another one.
pub(crate) fn mail(id: u64, conversation: u64, answers: Option<u64>) -> Record {
    Message {
        call: None,
        meta: meta(RecordKind::Message, id, id as i64),
        conversation: key(RecordKind::Conversation, conversation),
        direction: Direction::In,
        channel: Named::new(ChannelKind::Email, "MAIL"),
        author: Author {
            key: None,
            role: AuthorRole::Customer,
            name: "Ann".into(),
        },
        sent_at: at(id as i64),
        sequence: id as i64,
        subject: None,
        body: Body {
            html: None,
            text: Some(format!("Text {id}")),
        },
        email: Some(EmailHeaders {
            message_id: Some(format!("<{id}@example.org>")),
            in_reply_to: answers.map(|a| format!("<{a}@example.org>")),
            ..EmailHeaders::default()
        }),
        reply_to: None,
        files: Vec::new(),
    }
    .into()
}

pub(crate) fn file(id: u64, conversation: u64, size: u64) -> Record {
    Attachment {
        meta: meta(RecordKind::Attachment, id, id as i64),
        conversation: key(RecordKind::Conversation, conversation),
        name: format!("file-{id}.txt"),
        media_type: None,
        size: Some(size),
        inline: false,
        locator: json!(id),
    }
    .into()
}

/// Shards of pages. The cursor is the number of the next page.
#[derive(Default)]
pub(crate) struct Lists {
    pub(crate) tenant: Option<Tenant>,
    pub(crate) shards: Vec<(Shard, Vec<Page>)>,
    pub(crate) spawned: Vec<(Shard, Vec<Page>)>,
    pub(crate) files: HashMap<u64, Vec<u8>>,
    /// While this is set, the first file of every conversation cannot be had.
    pub(crate) trouble: AtomicBool,
    pub(crate) calls: AtomicUsize,
    /// The call that fails, counted from 1 over all pages; 0 for none.
    pub(crate) fail_call: AtomicUsize,
}

pub(crate) fn page(records: Vec<Record>) -> Page {
    Page::new(
        records,
        Next::End(Watermark {
            version: 1,
            place: Value::Null,
        }),
    )
}

#[async_trait]
impl Source for Lists {
    fn capability(&self) -> Capability {
        Capability::new("lists", &RecordKind::ALL).with_parallel_shards(3)
    }
    async fn check(&self, _cx: &Context) -> Result<Readiness> {
        Ok(Readiness::new(
            self.tenant.clone().unwrap_or_else(tenant),
            "tester",
        ))
    }
    async fn shards(&self, _cx: &Context, _scope: &Scope) -> Result<Vec<Shard>> {
        Ok(self.shards.iter().map(|(shard, _)| shard.clone()).collect())
    }
    async fn page(&self, _cx: &Context, shard: &Shard, after: Option<Cursor>) -> Result<Page> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        if call == self.fail_call.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Unavailable, "list", "cut"));
        }
        let all = self.shards.iter().chain(&self.spawned);
        let (_, pages) = all
            .into_iter()
            .find(|(s, _)| s.id == shard.id)
            .expect("a known shard");
        let n = after.map_or(0, |c| c.place.as_u64().unwrap() as usize);
        let mut page = pages[n].clone();
        if n + 1 < pages.len() {
            page.next = Next::More(Cursor {
                version: 1,
                place: json!(n + 1),
            });
        }
        Ok(page)
    }
    async fn open(&self, _cx: &Context, file: &Attachment, _from: u64) -> Result<ByteStream> {
        let id = file.locator.as_u64().unwrap();
        match self.files.get(&id) {
            Some(_) if self.trouble.load(Ordering::Relaxed) && id % 100 == 1 => {
                Err(Error::new(ErrorKind::Unavailable, "download", "503").of(file.meta.key.clone()))
            }
            Some(bytes) => Ok(Box::pin(futures::stream::iter([Ok(Bytes::from(
                bytes.clone(),
            ))]))),
            None => {
                Err(Error::new(ErrorKind::NotFound, "download", "404").of(file.meta.key.clone()))
            }
        }
    }
}

/// Accounts, contacts, a tree of conversations, files and threads of mails: every shape of page.
pub(crate) fn sample() -> Lists {
    use RecordKind as K;
    let cases: Vec<Record> = (1..=12)
        .map(|n| conversation(n, (n % 3 == 0).then(|| 13 - n)))
        .collect();
    let posts = |case: u64| {
        let base = case * 100;
        let mut first = page(vec![
            mail(base + 3, case, Some(base + 2)),
            mail(base + 2, case, Some(base + 1)),
        ]);
        first.next = Next::End(Watermark {
            version: 1,
            place: Value::Null,
        });
        let mut last = page(vec![mail(base + 1, case, None), file(base + 1, case, 3)]);
        last.complete = vec![key(K::Conversation, case)];
        (
            Shard::new(format!("posts/{case}"), [K::Message, K::Attachment]).needing([K::Contact]),
            vec![first, last],
        )
    };
    let spawned: Vec<_> = (1..=12).map(posts).collect();
    let mut list = vec![page(cases[..6].to_vec()), page(cases[6..].to_vec())];
    list[0].spawn = spawned[..6].iter().map(|(s, _)| s.clone()).collect();
    list[1].spawn = spawned[6..].iter().map(|(s, _)| s.clone()).collect();
    Lists {
        shards: vec![
            (
                Shard::new("accounts", [K::Account]),
                vec![page(vec![account(1), account(2)])],
            ),
            (
                Shard::new("contacts", [K::Contact]).needing([K::Account]),
                vec![
                    page((1..=5).map(contact).collect()),
                    page((6..=9).map(contact).collect()),
                ],
            ),
            (
                Shard::new("cases", [K::Conversation, K::Message, K::Attachment])
                    .needing([K::Contact]),
                list,
            ),
        ],
        spawned,
        files: (1..=12)
            .map(|n| (n * 100 + 1, format!("f{n:02}").into_bytes()))
            .collect(),
        ..Lists::default()
    }
}

/// How many records the sample has.
pub(crate) const SAMPLE: usize = 2 + 9 + 12 + 12 * 4;

/// What the target holds: one row per key, and the order in which they came.
#[derive(Default)]
pub(crate) struct Org {
    pub(crate) rows: Mutex<BTreeMap<String, Row>>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) order: usize,
    pub(crate) mark: String,
    pub(crate) parent: Option<String>,
    pub(crate) orphan: bool,
    pub(crate) text: String,
}

/// Writes to an [`Org`] by the protocol: intend, insert, settle; a row that is there is recognised by its key.
pub(crate) struct Maps {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) org: Arc<Org>,
    pub(crate) writes: AtomicUsize,
    /// The write whose answer is lost, counted from 1.
    pub(crate) lose_answer: AtomicUsize,
    /// Keys that the org refuses.
    pub(crate) refuse: Mutex<HashSet<String>>,
    /// Keys that wait for a person.
    pub(crate) hold: Mutex<HashSet<String>>,
    pub(crate) batches: Mutex<Vec<(&'static str, Vec<RecordId>)>>,
    /// Rows that somebody else works with.
    pub(crate) others: Mutex<HashSet<String>>,
}

impl Maps {
    pub(crate) fn new(id: &str, org: &Arc<Org>) -> Self {
        Self {
            id: id.into(),
            name: "Org".into(),
            org: Arc::clone(org),
            writes: AtomicUsize::new(0),
            lose_answer: AtomicUsize::new(0),
            refuse: Mutex::default(),
            hold: Mutex::default(),
            batches: Mutex::default(),
            others: Mutex::default(),
        }
    }
}

fn shown(record: &Record, file: Option<&FileState>) -> String {
    match (record, file) {
        (Record::Message(m), _) => m
            .body
            .text
            .clone()
            .unwrap_or_else(|| format!("by {}", m.author.name)),
        (_, Some(FileState::Staged(info))) => info.md5.clone(),
        (record, _) => record.key().to_string(),
    }
}

#[async_trait]
impl Sink for Maps {
    async fn check(&self, _cx: &Context) -> Result<TargetInfo> {
        Ok(TargetInfo::new(&self.id, &self.name))
    }
    fn phases(&self) -> Vec<Phase> {
        use RecordKind as K;
        vec![
            Phase::new("accounts", &[K::Account]),
            Phase::new("contacts", &[K::Contact]).sized(4, 1 << 20, 2),
            Phase::new("cases", &[K::Conversation])
                .ordered(Order::Waves)
                .sized(5, 1 << 20, 1),
            Phase::new("files", &[K::Attachment])
                .needing(&[K::Conversation])
                .ordered(Order::Timeline),
            Phase::new("messages", &[K::Message])
                .needing(&[K::Conversation])
                .ordered(Order::Timeline)
                .sized(7, 1 << 20, 2),
        ]
    }
    async fn write(&self, _cx: &Context, batch: Batch) -> Result<Vec<Outcome>> {
        let call = self.writes.fetch_add(1, Ordering::SeqCst) + 1;
        self.batches
            .lock()
            .unwrap()
            .push((batch.phase, batch.records.iter().map(|r| r.id).collect()));
        let parents: Vec<RecordId> = batch.records.iter().filter_map(|r| r.parent).collect();
        let parents: HashMap<RecordId, String> = parents
            .iter()
            .copied()
            .zip(batch.journal.rows(&parents).await?)
            .filter_map(|(id, known)| Some((id, known.id_of("Row")?.to_owned())))
            .collect();
        let intents = batch.records.iter().map(|r| Intent {
            record: r.id,
            row: r.row(0),
            object: "Row".into(),
            operation: Operation::Insert,
            request: format!("r{call}"),
            sent_at: Utc::now(),
            hash: [0; 16],
            image: None,
        });
        batch.journal.intend(intents.collect()).await?;
        let (mut effects, mut outcomes) = (Vec::new(), Vec::new());
        for r in &batch.records {
            let id = format!("{}#{}", r.record.key(), r.part);
            let key = r.record.key().as_str();
            let verdict = if self.hold.lock().unwrap().contains(key) {
                Verdict::Held("waits".into())
            } else if self
                .refuse
                .lock()
                .unwrap()
                .contains(r.record.key().as_str())
            {
                Verdict::failed("REFUSED", "the org said no")
            } else if let Some(FileState::Unavailable(why)) = &r.file {
                Verdict::failed("UNAVAILABLE", why)
            } else {
                let mut rows = self.org.rows.lock().unwrap();
                let order = rows.len();
                let row = Row {
                    order,
                    mark: batch.journal.mark().to_owned(),
                    parent: r.parent.and_then(|p| parents.get(&p).cloned()),
                    orphan: r.orphan,
                    text: shown(&r.record, r.file.as_ref()),
                };
                match rows.get(&id) {
                    Some(there) if there.mark == row.mark => Verdict::Created,
                    Some(_) => Verdict::Unchanged(String::new()),
                    None => {
                        rows.insert(id.clone(), row);
                        Verdict::Created
                    }
                }
            };
            let state = match &verdict {
                Verdict::Failed { code, message } => EffectState::Failed {
                    code: code.clone(),
                    message: message.clone(),
                },
                _ => EffectState::Confirmed { id },
            };
            effects.push(Effect {
                record: r.id,
                row: r.row(0),
                object: "Row".into(),
                operation: Operation::Insert,
                state,
                hash: [0; 16],
            });
            outcomes.push(Outcome {
                record: r.id,
                part: r.part,
                verdict,
            });
        }
        if call == self.lose_answer.load(Ordering::SeqCst) {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "insert",
                "the answer was lost",
            ));
        }
        batch.journal.settle(effects).await?;
        Ok(outcomes)
    }
    async fn flush(&self, _cx: &Context) -> Result<Vec<Outcome>> {
        Ok(Vec::new())
    }
    fn as_verify(&self) -> Option<&dyn Verify> {
        Some(self)
    }
    fn as_undo(&self) -> Option<&dyn Undo> {
        Some(self)
    }
}

#[async_trait]
impl Undo for Maps {
    fn order(&self, objects: Vec<String>, _trial: bool) -> Vec<String> {
        objects
    }
    async fn undo(&self, _cx: &Context, batch: UndoBatch) -> Result<Vec<Undone>> {
        let (mut rows, others) = (self.org.rows.lock().unwrap(), self.others.lock().unwrap());
        let mut undone = |id: &String| match rows.get(id) {
            None => Undone::Gone,
            Some(_) if others.contains(id) => Undone::Held("others-work".into()),
            Some(_) => {
                if !batch.trial {
                    rows.remove(id);
                }
                Undone::Removed
            }
        };
        Ok(batch.rows.iter().map(|row| undone(&row.id)).collect())
    }
    async fn marked(&self, _: &Context, _: &str, _: &str) -> Result<Option<Vec<String>>> {
        Ok(Some(Vec::new()))
    }
}

#[async_trait]
impl Verify for Maps {
    async fn verify(&self, _cx: &Context, batch: Batch) -> Result<Vec<Checked>> {
        let rows = self.org.rows.lock().unwrap();
        Ok(batch
            .records
            .iter()
            .map(|r| {
                let expected = shown(&r.record, r.file.as_ref());
                let found = rows
                    .get(&format!("{}#{}", r.record.key(), r.part))
                    .map(|row| row.text.clone());
                Checked {
                    record: r.id,
                    key: r.record.key().clone(),
                    object: "Row",
                    field: "text".into(),
                    finding: match found {
                        Some(found) if found == expected => Finding::Equal,
                        found => Finding::Different {
                            expected,
                            found: found.unwrap_or_default(),
                        },
                    },
                    touched_at: None,
                }
            })
            .collect())
    }
}
