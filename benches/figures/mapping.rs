//! Messages as rows, by the form of their bodies: first the mapping alone, from a staged line to a line of CSV with the hash of
//! its contents, by one thread; then the whole of `Sink::write` against a local org that answers from another process:
//! look-ups, rows, hashes, JSON, requests and answers, journal in memory. What the forms differ in is the work on the HTML.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use deskferry::core::blob::{BlobInfo, Blobs};
use deskferry::core::journal::Journal;
use deskferry::core::stage::FolderBlobs;
use deskferry::model::{
    Attachment, Body, ChannelKind, Conversation, Direction, Message, MessageFile, Meta, Named,
    StatusState,
};
use deskferry::pipeline::MemoryJournal;
use deskferry::salesforce::bench::Mapper;
use deskferry::sink::{Batch, FileState, Loaded, Verdict};
use deskferry::{Context, Record, RecordKind, Sink};
use futures::stream;
use serde::{Deserialize, Serialize};

use super::Settings;
use super::child::{Task, sink};
use super::mass;
use super::scene::{answer, org, runtime, start};
use super::table::{Dice, Table, Watch, whole};

const BATCH: usize = 1_000;
/// How often each line is mapped.
const ROUNDS: u64 = 20;
const PER_CONVERSATION: u64 = 10;
const PICTURE: &str = "https://acme.example/media/url/picture";
/// A picture of one pixel, and something that makes each one's bytes its own.
const PIXEL: &[u8] = b"GIF89a\x01\x00\x01\x00\x00\x00\x00!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x00;";

/// A form of messages, and what is done to its bodies.
const FORMS: [(&str, Form); 4] = [
    ("mail, HTML passed through", Form::Mail),
    ("mail, HTML with an inline image rewritten", Form::Pictured),
    ("comment, its text passed through", Form::Note),
    ("comment, HTML turned into text", Form::HtmlNote),
];

#[derive(Clone, Copy, PartialEq)]
enum Form {
    Mail,
    Pictured,
    Note,
    HtmlNote,
}

/// What one form took.
#[derive(Serialize, Deserialize)]
pub(crate) struct Took {
    form: String,
    records: u64,
    wall: f64,
    processor: Option<f64>,
}

pub(crate) fn figure(settings: &Settings) {
    let mails = settings.number("mails", 5_000);
    let took = runtime().block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        let org = org(&folder.path().join("org"), None).await;
        let task = Task {
            what: "map".into(),
            kayako: mails.to_string(),
            org: org.url(),
            client_id: org.settings().client_id.clone(),
            client_secret: org.settings().client_secret.0.clone(),
            folder: folder.path().join("sink"),
        };
        let took: [Vec<Took>; 2] = answer(start(&task)).await;
        took
    });
    let titles = [
        "mapping: staged lines of messages of a kibibyte to CSV with a hash",
        "mapping: the same messages through Sink::write, the writing process alone",
    ];
    for (title, took) in titles.into_iter().zip(took) {
        let mut table = Table::new(
            title,
            &["form", "records", "records/s on one core", "by the clock"],
        );
        for took in took {
            let records = took.records as f64;
            table.row(&[
                took.form,
                whole(records),
                whole(records / took.processor.unwrap_or(f64::NAN)),
                whole(records / took.wall),
            ]);
        }
        table.print();
    }
}

/// The mapping alone, by this thread.
async fn map(cx: &Context, sink: &deskferry::salesforce::Salesforce, mails: u64) -> Vec<Took> {
    let mapper = Mapper::of(cx, sink).await.expect("an org");
    let mut took = Vec::new();
    for (n, (name, form)) in (1..).zip(FORMS) {
        let mut dice = Dice::new(n);
        let lines: Vec<Vec<u8>> = (0..mails)
            .map(|n| Record::from(message(&mut dice, form, 1, n)))
            .map(|record| record.to_line().expect("a line"))
            .collect();
        let (mut csv, mut rows, mut hashes) = (Vec::new(), 0, 0_u8);
        let watch = Watch::start();
        for _ in 0..ROUNDS {
            for line in &lines {
                csv.clear();
                let hash = mapper.message(line, &mut csv).expect("a row");
                hashes ^= hash[0];
                rows += u64::from(!csv.is_empty());
            }
        }
        let spent = watch.spent();
        assert_eq!(rows, mails * ROUNDS, "{hashes}");
        took.push(Took {
            form: name.to_owned(),
            records: rows,
            wall: spent.wall,
            processor: spent.processor.is_finite().then_some(spent.processor),
        });
    }
    took
}

/// The part of the writing process.
pub(crate) async fn write(task: &Task) -> [Vec<Took>; 2] {
    let mails: u64 = task.kayako.parse().expect("a number");
    let cx = Context::new();
    let sink = sink(task);
    sink.check(&cx).await.expect("an org");
    let alone = map(&cx, &sink, mails).await;
    let blobs = Arc::new(FolderBlobs::open(&task.folder).expect("a folder"));
    let writing = Writing {
        cx,
        sink,
        journal: Arc::new(MemoryJournal::new("figures-0")),
        blobs,
    };
    let conversations = mails.div_ceil(PER_CONVERSATION);
    writing.cases(conversations).await;
    writing.pictures(conversations).await;
    let mut took = Vec::new();
    // The first form once for nothing: connections and caches are warm then.
    writing.messages(Form::Mail, 0, mails.min(1_000)).await;
    for (n, (name, form)) in (1..).zip(FORMS) {
        took.push(Took {
            form: name.to_owned(),
            ..writing.messages(form, n * 10_000_000, mails).await
        });
    }
    [alone, took]
}

pub(crate) struct Writing {
    pub(crate) cx: Context,
    pub(crate) sink: deskferry::salesforce::Salesforce,
    pub(crate) journal: Arc<MemoryJournal>,
    pub(crate) blobs: Arc<FolderBlobs>,
}

impl Writing {
    async fn cases(&self, conversations: u64) {
        let cases: Vec<Record> = (1..=conversations).map(conversation).collect();
        for cases in cases.chunks(200) {
            self.write("cases", cases.to_vec(), &BTreeMap::new()).await;
        }
    }

    async fn pictures(&self, conversations: u64) {
        let mut files = BTreeMap::new();
        let mut records = Vec::new();
        for n in 1..=conversations {
            let bytes = [PIXEL, n.to_string().as_bytes()].concat();
            let bytes = stream::iter([Ok(bytes::Bytes::from(bytes))]);
            let info = self.blobs.put(Box::pin(bytes)).await.expect("a file");
            records.push(picture(n, &info));
            files.insert(n, info);
        }
        for records in records.chunks(200) {
            self.write("files", records.to_vec(), &files).await;
        }
    }

    async fn messages(&self, form: Form, first: u64, count: u64) -> Took {
        let mut dice = Dice::new(first + 1);
        let messages: Vec<Record> = (0..count)
            .map(|n| message(&mut dice, form, first, n).into())
            .collect();
        let watch = Watch::start();
        for messages in messages.chunks(BATCH) {
            self.write("messages", messages.to_vec(), &BTreeMap::new())
                .await;
        }
        let spent = watch.spent();
        Took {
            form: String::new(),
            records: count,
            wall: spent.wall,
            processor: spent.processor.is_finite().then_some(spent.processor),
        }
    }

    pub(crate) async fn write(
        &self,
        phase: &'static str,
        records: Vec<Record>,
        files: &BTreeMap<u64, BlobInfo>,
    ) {
        let file_of = |record: &Record| {
            let n = record.key().id().parse::<u64>().ok()?;
            files.get(&n).cloned().map(FileState::Staged)
        };
        let records = self.journal.register(records);
        let records: Vec<Loaded> = records
            .into_iter()
            .map(|(id, record)| Loaded {
                version: 0,
                id,
                part: 0,
                file: file_of(&record),
                record,
                parent: None,
                orphan: false,
                owner: None,
            })
            .collect();
        let batch = Batch {
            phase,
            related: Arc::new(self.journal.related(&records)),
            records,
            journal: Arc::clone(&self.journal) as Arc<dyn Journal>,
            blobs: Arc::clone(&self.blobs) as Arc<dyn Blobs>,
        };
        let outcomes = self.sink.write(&self.cx, batch).await.expect("outcomes");
        for outcome in outcomes {
            assert_eq!(outcome.verdict, Verdict::Created, "in {phase}");
            self.journal.finish(outcome.record, outcome.verdict);
        }
    }
}

pub(crate) fn day() -> DateTime<Utc> {
    DateTime::parse_from_rfc3339("2024-05-06T07:08:09Z")
        .expect("a time")
        .to_utc()
}

pub(crate) fn conversation(n: u64) -> Record {
    let mut meta = Meta::new(mass::tenant().key(RecordKind::Conversation, n));
    meta.created_at = Some(day());
    meta.updated_at = Some(day());
    Record::from(Conversation {
        also_assigned: Vec::new(),
        also_teams: Vec::new(),
        figures: deskferry_core::model::Figures::default(),
        segment: None,
        meta,
        number: n.to_string(),
        subject: format!("Order {n}"),
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
        parent: None,
        merged_into: None,
        closed_at: None,
    })
}

fn picture(n: u64, info: &BlobInfo) -> Record {
    let mut meta = Meta::new(mass::tenant().key(RecordKind::Attachment, n));
    meta.created_at = Some(day());
    Record::from(Attachment {
        meta,
        conversation: mass::tenant().key(RecordKind::Conversation, n),
        name: format!("picture-{n}.gif"),
        media_type: Some("image/gif".into()),
        size: Some(info.size),
        inline: true,
        locator: serde_json::Value::Null,
    })
}

fn message(dice: &mut Dice, form: Form, first: u64, n: u64) -> Message {
    let mut message = mass::convert(&mass::wire(dice, first + n));
    let conversation = n / PER_CONVERSATION + 1;
    message.conversation = mass::tenant().key(RecordKind::Conversation, conversation);
    if let Some(mail) = &mut message.email {
        mail.in_reply_to = None;
    }
    match form {
        Form::Mail => {}
        Form::Pictured => {
            message.body.html = Some(mass::html(dice, Some(PICTURE)));
            message.files = vec![MessageFile {
                key: mass::tenant().key(RecordKind::Attachment, conversation),
                name: String::new(),
                shown_as: Some(PICTURE.into()),
            }];
        }
        Form::Note | Form::HtmlNote => {
            message.direction = Direction::Internal;
            message.channel = Named::new(ChannelKind::Internal, "NOTE");
            message.email = None;
            if form == Form::Note {
                let text = message.body.html.take();
                message.body = Body { html: None, text };
            }
        }
    }
    message
}
