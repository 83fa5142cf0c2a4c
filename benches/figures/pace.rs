//! Clock time of a whole run against the slower of its two platforms, on a clock of its own: hours pass in seconds.
//!
//! Source and sink answer from this process and keep a limit each. The clock goes on only when everybody waits for it: every
//! task has been polled and the threads of the workspace's databases sleep. Work of this machine takes no simulated time.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::ffi::OsString;
use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use deskferry::core::context::Clock;
use deskferry::core::journal::{Effect, EffectState, Intent, Operation};
use deskferry::core::key::RecordId;
use deskferry::migration::{Migration, Silent, Workspace, extract};
use deskferry::model::{
    Attachment, Body, ChannelKind, Conversation, Direction, Message, Meta, Named, StatusState,
};
use deskferry::sink::{Batch, Order, Outcome, Phase, TargetInfo, Verdict, Volume};
use deskferry::source::{
    ByteStream, Capability, Cursor, Next, Page, Readiness, Scope, Shard, Watermark,
};
use deskferry::{Context, Record, RecordKind, Result, Sink, Source};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::Settings;
use super::mass;
use super::table::{Table, fine, whole};

/// Conversations of one page of the list.
const LISTED: u64 = 100;
const MESSAGES: u64 = 6;
/// One conversation of so many has a file.
const FILES: u64 = 5;
/// The source's limit, in requests a minute.
const SOURCE: u64 = 100;
const SOURCE_LATENCY: u64 = 300;
const SINK_LATENCY: u64 = 400;
/// Rows of one call of the sink.
const CALL: usize = 200;

pub(crate) fn figure(settings: &Settings) {
    let conversations = settings.number("conversations", 5_200);
    let source_alone = conversations as f64 / LISTED as f64
        + conversations as f64
        + conversations as f64 / FILES as f64;
    let source_minutes = source_alone / SOURCE as f64;
    let rows = conversations as f64 * (1.0 + MESSAGES as f64 + 1.0 / FILES as f64);
    let mut table = Table::new(
        &format!(
            "pace: {} conversations, {} rows; minutes of a simulated clock",
            whole(conversations as f64),
            whole(rows)
        ),
        &[
            "sink's limit, rows/s",
            "source alone",
            "sink alone",
            "both at once",
            "both : slower",
        ],
    );
    for share in [0.5, 1.0, 2.0] {
        let per_second = rows / (source_minutes * 60.0 * share);
        let took = measure(conversations, per_second);
        let slower = took.source.max(took.sink);
        table.row(&[
            fine(per_second),
            fine(took.source),
            fine(took.sink),
            fine(took.both),
            format!("{:.3}", took.both / slower),
        ]);
    }
    table.print();
}

/// Minutes.
struct Took {
    source: f64,
    sink: f64,
    both: f64,
}

fn measure(conversations: u64, rows_per_second: f64) -> Took {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let parts = |clock: &Arc<SimulatedClock>| {
        let desk = Desk {
            conversations,
            gate: Gate::new(Arc::clone(clock), SOURCE as f64 / 60.0),
        };
        let org = Org {
            gate: Gate::new(Arc::clone(clock), rows_per_second),
        };
        (Arc::new(desk), Arc::new(org))
    };
    let apart = tempfile::tempdir().expect("a folder");
    let together = tempfile::tempdir().expect("a folder");
    let source = runtime.block_on(timed(|cx, clock| async move {
        let (desk, _) = parts(&clock);
        let workspace = workspace(apart.path());
        let read = extract(&cx, &workspace, desk, Arc::new(Silent)).await;
        read.expect("a whole read");
        apart
    }));
    let (apart, source) = source;
    let ((), sink) = runtime.block_on(timed(|cx, clock| run(cx, parts(&clock), apart.path())));
    let ((), both) = runtime.block_on(timed(|cx, clock| run(cx, parts(&clock), together.path())));
    Took { source, sink, both }
}

async fn run(cx: Context, (desk, org): (Arc<Desk>, Arc<Org>), folder: &Path) {
    let migration = Migration::new(workspace(folder), desk, org);
    let report = migration.run(&cx).await.expect("a whole migration");
    let settled: u64 = report.phases.iter().map(|phase| phase.created).sum();
    assert!(settled > 0, "nothing was loaded");
}

fn workspace(folder: &Path) -> Workspace {
    Workspace::open(folder).expect("a workspace")
}

/// What something answers, and how many minutes of the simulated clock it took.
pub(super) async fn timed<T, F: Future<Output = T>>(
    what: impl FnOnce(Context, Arc<SimulatedClock>) -> F,
) -> (T, f64) {
    let clock = Arc::new(SimulatedClock::default());
    let cx = Context::new().with_clock(Arc::clone(&clock) as Arc<dyn Clock>);
    let what = what(cx, Arc::clone(&clock));
    let answer = tokio::select! {
        answer = what => answer,
        never = clock.drive() => match never {},
    };
    let minutes = clock.sleepers().now as f64 / 60_000.0;
    (answer, minutes)
}

/// A clock that goes on when everybody waits for it.
#[derive(Default)]
pub(super) struct SimulatedClock(Mutex<Sleepers>);

#[derive(Default)]
struct Sleepers {
    /// Milliseconds since the beginning.
    now: u64,
    count: u64,
    waiting: BinaryHeap<Sleeper>,
}

struct Sleeper {
    at: u64,
    turn: u64,
    wake: oneshot::Sender<()>,
}

impl PartialEq for Sleeper {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.turn) == (other.at, other.turn)
    }
}
impl Eq for Sleeper {}
impl PartialOrd for Sleeper {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
/// The earliest is the greatest.
impl Ord for Sleeper {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.at, other.turn).cmp(&(self.at, self.turn))
    }
}

impl SimulatedClock {
    /// What it shows.
    pub(super) fn shown(&self) -> DateTime<Utc> {
        let began = DateTime::from_timestamp(1_700_000_000, 0).unwrap_or_default();
        began + Duration::from_millis(self.sleepers().now)
    }

    fn sleepers(&self) -> MutexGuard<'_, Sleepers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets time pass, whenever nothing else is to be done.
    async fn drive(&self) -> std::convert::Infallible {
        let mut threads = Threads::default();
        loop {
            calm(&mut threads).await;
            let mut sleepers = self.sleepers();
            while let Some(next) = sleepers.waiting.pop() {
                // Who does not wait any more makes no time pass.
                if !next.wake.is_closed() {
                    sleepers.now = sleepers.now.max(next.at);
                    let _ = next.wake.send(());
                    break;
                }
            }
        }
    }
}

#[async_trait]
impl Clock for SimulatedClock {
    fn now(&self) -> DateTime<Utc> {
        self.shown()
    }

    async fn sleep(&self, duration: Duration) {
        let (wake, woken) = oneshot::channel();
        {
            let mut sleepers = self.sleepers();
            sleepers.count += 1;
            let sleeper = Sleeper {
                // Rounded up: a wait that is over at once would be asked for again and again.
                at: sleepers.now
                    + u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX),
                turn: sleepers.count,
                wake,
            };
            sleepers.waiting.push(sleeper);
        }
        let _ = woken.await;
    }
}

/// Returns when every task was polled and no other thread works, several times in a row.
async fn calm(threads: &mut Threads) {
    const IN_A_ROW: u32 = 3;
    let mut calm = 0;
    while calm < IN_A_ROW {
        for _ in 0..4 {
            tokio::task::yield_now().await;
        }
        if threads.others_sleep() {
            calm += 1;
        } else {
            calm = 0;
            // Nothing is to be done on this thread, and the runtime's own sleep lasts a millisecond at least.
            std::thread::sleep(Duration::from_micros(20));
        }
    }
}

/// What Linux tells of the threads of this process. Elsewhere nobody tells, and all are taken to sleep.
#[derive(Default)]
struct Threads(BTreeMap<OsString, File>);

impl Threads {
    /// Whether all but this one sleep.
    fn others_sleep(&mut self) -> bool {
        let tasks = std::fs::read_dir("/proc/self/task");
        let names: BTreeSet<OsString> = tasks
            .into_iter()
            .flatten()
            .flatten()
            .map(|thread| thread.file_name())
            .collect();
        self.0.retain(|name, _| names.contains(name));
        for name in names {
            let path = Path::new("/proc/self/task").join(&name).join("stat");
            if !self.0.contains_key(&name)
                && let Ok(file) = File::open(path)
            {
                self.0.insert(name, file);
            }
        }
        let working = self.0.values_mut().filter_map(state);
        // This one works: it reads.
        working.filter(|state| *state != b'S').count() <= 1
    }
}

/// The letter for what a thread does; none when it has ended.
fn state(stat: &mut File) -> Option<u8> {
    let mut text = [0; 64];
    stat.rewind().ok()?;
    let length = stat.read(&mut text).ok()?;
    let text = &text[..length];
    let name_ends = text.iter().rposition(|byte| *byte == b')')?;
    text.get(name_ends + 2).copied()
}

/// Lets so many through a second, evenly.
struct Gate {
    clock: Arc<SimulatedClock>,
    per_second: f64,
    /// When the next one may go, in milliseconds.
    next: Mutex<f64>,
}

impl Gate {
    fn new(clock: Arc<SimulatedClock>, per_second: f64) -> Self {
        Self {
            clock,
            per_second,
            next: Mutex::new(0.0),
        }
    }

    /// Waits until so many more are through, and for the way there and back.
    async fn pass(&self, many: usize, latency: u64) {
        let wait = {
            let now = self.clock.sleepers().now as f64;
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            *next = next.max(now) + many as f64 * 1_000.0 / self.per_second;
            *next - now
        };
        let wait = Duration::from_secs_f64(wait.max(0.0) / 1_000.0);
        self.clock
            .sleep(wait + Duration::from_millis(latency))
            .await;
    }
}

/// A helpdesk: a list of conversations, and a request for the messages of each.
struct Desk {
    conversations: u64,
    gate: Gate,
}

#[async_trait]
impl Source for Desk {
    fn capability(&self) -> Capability {
        Capability::new("kayako", &RecordKind::ALL).with_parallel_shards(4)
    }

    async fn check(&self, _: &Context) -> Result<Readiness> {
        Ok(Readiness::new(mass::tenant(), "figures"))
    }

    async fn shards(&self, _: &Context, _: &Scope) -> Result<Vec<Shard>> {
        use RecordKind::{Attachment, Conversation, Message};
        Ok(vec![Shard::new(
            "cases",
            [Conversation, Message, Attachment],
        )])
    }

    async fn page(&self, _: &Context, shard: &Shard, after: Option<Cursor>) -> Result<Page> {
        self.gate.pass(1, SOURCE_LATENCY).await;
        let end = Next::End(Watermark {
            version: 1,
            place: Value::Null,
        });
        if let Some(n) = shard.id.strip_prefix("posts/") {
            let n: u64 = n.parse().expect("a number");
            let mut page = Page::new(timeline(n), end);
            page.complete = vec![mass::tenant().key(RecordKind::Conversation, n)];
            return Ok(page);
        }
        let first = after.and_then(|cursor| cursor.place.as_u64()).unwrap_or(0) + 1;
        let last = (first + LISTED - 1).min(self.conversations);
        let next = if last < self.conversations {
            Next::More(Cursor {
                version: 1,
                place: json!(last),
            })
        } else {
            end
        };
        let mut page = Page::new((first..=last).map(conversation).collect(), next);
        let of = |n| {
            Shard::new(
                format!("posts/{n}"),
                [RecordKind::Message, RecordKind::Attachment],
            )
        };
        page.spawn = (first..=last).map(of).collect();
        Ok(page)
    }

    async fn open(&self, _: &Context, file: &Attachment, _: u64) -> Result<ByteStream> {
        self.gate.pass(1, SOURCE_LATENCY).await;
        let bytes = Bytes::from(file.name.clone());
        Ok(Box::pin(futures::stream::iter([Ok(bytes)])))
    }
}

fn meta(kind: RecordKind, n: u64) -> Meta {
    let mut meta = Meta::new(mass::tenant().key(kind, n));
    meta.created_at = DateTime::from_timestamp(1_600_000_000, 0);
    meta
}

fn conversation(n: u64) -> Record {
    Record::from(Conversation {
        also_assigned: Vec::new(),
        also_teams: Vec::new(),
        figures: deskferry_core::model::Figures::default(),
        segment: None,
        meta: meta(RecordKind::Conversation, n),
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

fn timeline(n: u64) -> Vec<Record> {
    let message = |m: u64| {
        let id = n * 100 + m;
        Record::from(Message {
            call: None,
            meta: meta(RecordKind::Message, id),
            conversation: mass::tenant().key(RecordKind::Conversation, n),
            direction: Direction::In,
            channel: Named::new(ChannelKind::Chat, "MESSENGER"),
            author: mass::nobody(),
            sent_at: DateTime::from_timestamp(1_600_000_000, 0).unwrap_or_default(),
            sequence: id.cast_signed(),
            subject: None,
            body: Body {
                html: None,
                text: Some("Thank you.".into()),
            },
            email: None,
            reply_to: None,
            files: Vec::new(),
        })
    };
    let file = n.is_multiple_of(FILES).then(|| {
        Record::from(Attachment {
            meta: meta(RecordKind::Attachment, n),
            conversation: mass::tenant().key(RecordKind::Conversation, n),
            name: format!("{n}.txt"),
            media_type: None,
            size: None,
            inline: false,
            locator: Value::Null,
        })
    });
    (0..MESSAGES).map(message).chain(file).collect()
}

/// An org: phases and batches as those of Salesforce, every row accepted.
struct Org {
    gate: Gate,
}

#[async_trait]
impl Sink for Org {
    async fn check(&self, _: &Context) -> Result<TargetInfo> {
        Ok(TargetInfo::new("00D1", "figures"))
    }

    fn phases(&self) -> Vec<Phase> {
        use RecordKind::{Attachment, Conversation, Message};
        let volume = Volume {
            from: 2_000,
            records: 20_000,
            bytes: 16 << 20,
        };
        let cases = Phase::new("cases", &[Conversation]).ordered(Order::Waves);
        let files = Phase::new("files", &[Attachment]).needing(&[Conversation]);
        let messages = Phase::new("messages", &[Message]).needing(&[Conversation]);
        vec![
            cases.sized(200, 8 << 20, 4).growing(volume),
            files.ordered(Order::Timeline).sized(200, 8 << 20, 4),
            messages
                .ordered(Order::Timeline)
                .sized(1_000, 16 << 20, 2)
                .growing(volume),
        ]
    }

    async fn write(&self, cx: &Context, batch: Batch) -> Result<Vec<Outcome>> {
        let ids: Vec<RecordId> = batch.records.iter().map(|loaded| loaded.id).collect();
        let intent = |record: &RecordId| Intent {
            record: *record,
            row: 0,
            object: "Row".into(),
            operation: Operation::Insert,
            request: "figures".into(),
            sent_at: cx.now(),
            hash: [0; 16],
            image: None,
        };
        batch
            .journal
            .intend(ids.iter().map(intent).collect())
            .await?;
        let calls = ids
            .chunks(CALL)
            .map(|rows| self.gate.pass(rows.len(), SINK_LATENCY));
        futures::future::join_all(calls).await;
        let effect = |record: &RecordId| Effect {
            record: *record,
            row: 0,
            object: "Row".into(),
            operation: Operation::Insert,
            state: EffectState::Confirmed {
                id: record.to_string(),
            },
            hash: [0; 16],
        };
        batch
            .journal
            .settle(ids.iter().map(effect).collect())
            .await?;
        let outcome = |record| Outcome {
            record,
            part: 0,
            verdict: Verdict::Created,
        };
        Ok(ids.into_iter().map(outcome).collect())
    }

    async fn flush(&self, _: &Context) -> Result<Vec<Outcome>> {
        Ok(Vec::new())
    }
}
