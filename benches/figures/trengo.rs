//! A whole Trengo under its limit, on a clock of its own: days pass in minutes. What its connector foretold, what it
//! asked, how much of the limit it used, and what the oracle finds in the end.

use std::sync::Arc;

use deskferry::core::http::RetryPolicy;
use deskferry::migration::{Gate, Migration, Progress, Step, Workspace};
use deskferry::owners::Undecided;
use deskferry::rehearsal::oracle::{self, Oracle, OracleOptions};
use deskferry::rehearsal::org::Org;
use deskferry::rehearsal::trengo::{
    Clock, LeastOptions, RateLimit, TOKEN, Trengo as Desk, TrengoOptions,
};
use deskferry::rehearsal::world::{Content, WorldSpec};
use deskferry::report::Report;
use deskferry::salesforce::{Mapping, Salesforce, SalesforceConfig};
use deskferry::trengo::{Trengo, TrengoConfig};
use deskferry::{Context, Source};

use super::Settings;
use super::pace::{SimulatedClock, timed};
use super::scene::{mapping_text, org};
use super::table::{Table, fine, whole};

/// What Trengo allows a minute.
const LIMIT: u32 = 120;
/// The lines of the world's custom fields are by number here: titles repeat.
const FIELDS: [(&str, u32); 8] = [
    ("product_area", 11),
    ("serial_number", 12),
    ("affected_parts", 13),
    ("purchase_date", 14),
    ("under_warranty", 15),
    ("repair_cost", 16),
    ("customer_since", 31),
    ("vip", 32),
];

pub(crate) fn figure(settings: &Settings) {
    let conversations = settings.number("conversations", 600);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_owned();
    let (all, minutes) = runtime.block_on(timed(|cx, clock| moved(conversations, path, cx, clock)));
    let mut table = Table::new(
        &format!(
            "trengo: {} conversations at {LIMIT} requests a minute, on a simulated clock",
            whole(conversations as f64)
        ),
        &["", "foretold", "needed", "taken", "taken : needed"],
    );
    table.row(&[
        "requests".to_owned(),
        whole(all.foretold.0 as f64),
        whole(all.least as f64),
        whole(all.requests as f64),
        format!("{:.4}", all.requests as f64 / all.least as f64),
    ]);
    table.row(&[
        "under the limit".to_owned(),
        whole(all.foretold.1 as f64),
        whole(all.least_limited as f64),
        whole(all.limited as f64),
        format!("{:.4}", all.limited as f64 / all.least_limited as f64),
    ]);
    table.row(&[
        "hours".to_owned(),
        fine(all.foretold.2 / 60.0),
        fine(all.least_limited as f64 / f64::from(LIMIT) / 60.0),
        fine(all.reading / 60.0),
        String::new(),
    ]);
    table.print();
    let share = all.limited as f64 / (all.reading * f64::from(LIMIT));
    println!(
        "  share of the limit {share:.4}, answers 429: {}; requests of the estimate itself: {}",
        all.refused, all.asked
    );
    println!(
        "  foretold : needed {:.4}; while it went on, what was left was told within {:.2} % of what was then needed",
        all.foretold.0 as f64 / all.least as f64,
        all.worst * 100.0
    );
    println!(
        "  differences {}; minutes of the simulated clock, estimate and load included: {}; peak MiB of everything in this process by quarters of the read: {}",
        all.differences,
        whole(minutes),
        all.memory
            .iter()
            .map(|m| whole(*m))
            .collect::<Vec<_>>()
            .join(", ")
    );
}

struct All {
    /// Requests, those under the limit, minutes.
    foretold: (u64, u64, f64),
    asked: u64,
    least: u64,
    least_limited: u64,
    requests: u64,
    limited: u64,
    refused: u64,
    /// Minutes of the read.
    reading: f64,
    worst: f64,
    memory: Vec<f64>,
    differences: usize,
}

async fn moved(
    conversations: u64,
    folder: std::path::PathBuf,
    cx: Context,
    clock: Arc<SimulatedClock>,
) -> All {
    let shared = Arc::clone(&clock) as Arc<dyn deskferry::core::context::Clock>;
    let mut options = TrengoOptions::default();
    let spec = WorldSpec::new(1, conversations);
    options.content = Content::Made(spec.with_channels().knowledge().light());
    options.rate_limit = Some(RateLimit::per_minute(LIMIT));
    options.clock = Clock::new(move || clock.shown());
    let desk = Desk::start(options).await.expect("a local Trengo");
    let org = org(&folder.join("org"), Some(desk.world())).await;
    let source = source(&desk);

    let mut least_of = LeastOptions::default();
    let least = desk.least_requests(least_of).total();
    least_of.files = false;
    let least_limited = desk.least_requests(least_of).total();
    let other = Context::new().with_clock(shared);
    let told = source.estimate(&other).await.expect("an estimate");
    let told = told.expect("Trengo can tell");
    println!("{}", told.text());
    let files = told.steps.iter().find(|step| step.step == "files");
    let files = files.map_or(0, |step| step.requests.least);
    let requests = told.requests().least;
    let asked = desk.requests().count("", "/api/v2/");

    let began = cx.now();
    let watch = Watch {
        cx: cx.clone(),
        began,
        conversations,
        seen: Arc::default(),
    };
    let seen = Arc::clone(&watch.seen);
    let report = migration(&folder, source, &org)
        .progress(watch)
        .run(&cx)
        .await
        .expect("a whole migration");
    let seen = seen.lock().expect("nobody panicked");
    let limited = desk.requests().count("", "/api/v2/") - asked;
    let needed = seen.last_limited.max(1);
    let worst = seen
        .told
        .iter()
        .map(|(sent, left)| (sent + left).abs_diff(needed) as f64 / needed as f64);
    All {
        foretold: (
            requests,
            requests - files,
            told.seconds().least as f64 / 60.0,
        ),
        asked,
        least,
        least_limited,
        requests: used(&report),
        limited,
        refused: throttled(&report),
        reading: seen.minutes,
        worst: worst.fold(0.0, f64::max),
        memory: seen.memory.clone(),
        differences: differences(&desk, &org),
    }
}

fn source(desk: &Desk) -> Arc<Trengo> {
    let config = TrengoConfig::builder(TOKEN).url(desk.url()).build();
    Arc::new(Trengo::new(config.expect("a configuration")).expect("a source"))
}

fn mapping() -> String {
    FIELDS
        .into_iter()
        .fold(mapping_text(), |text, (name, number)| {
            text.replace(&format!("custom.{name}\""), &format!("custom.{number}\""))
        })
}

fn migration(folder: &std::path::Path, source: Arc<Trengo>, org: &Org) -> Migration {
    let settings = org.settings();
    let config = SalesforceConfig::builder(org.url())
        .client_credentials(settings.client_id.clone(), settings.client_secret.0.clone())
        .retry(RetryPolicy::default())
        .build()
        .expect("a configuration");
    let mapping = Mapping::parse(&mapping()).expect("a mapping");
    let sink = Salesforce::new(config, mapping).expect("a sink");
    let workspace = Workspace::open(&folder.join("workspace")).expect("a workspace");
    Migration::new(workspace, source, Arc::new(sink))
        .undecided(Undecided::Legacy)
        .gate(Gate {
            share: 0.2,
            always: 10,
        })
}

fn used(report: &Report) -> u64 {
    let trengo = report.usage.iter().find(|usage| usage.platform == "trengo");
    trengo.map_or(0, |usage| usage.requests)
}

fn throttled(report: &Report) -> u64 {
    let trengo = report.usage.iter().find(|usage| usage.platform == "trengo");
    trengo.map_or(0, |usage| usage.throttled)
}

fn differences(desk: &Desk, org: &Org) -> usize {
    let mut options = OracleOptions::new("4711", org.user_id()).platform(oracle::Trengo::default());
    options.email_originals = false;
    options.merged = false;
    options.merged_into = false;
    let found = Oracle::new(options).compare(desk.world(), org);
    let found = found.expect("a comparison");
    for difference in found.iter().take(20) {
        println!("  {difference}");
    }
    found.len()
}

/// Looks at the meter while the read goes on.
struct Watch {
    cx: Context,
    began: chrono::DateTime<chrono::Utc>,
    conversations: u64,
    seen: Arc<std::sync::Mutex<Looked>>,
}

#[derive(Default)]
struct Looked {
    minutes: f64,
    read: u64,
    /// Requests under the limit so far, and how many were left, as it was told then.
    told: Vec<(u64, u64)>,
    last_limited: u64,
    memory: Vec<f64>,
}

impl Progress for Watch {
    fn report(&self, step: Step<'_>) {
        let mut seen = self.seen.lock().expect("nobody panicked");
        match step {
            Step::Read { kinds, shard, .. } => {
                if shard != "tickets" {
                    return;
                }
                let tickets = kinds.get(&deskferry::RecordKind::Conversation);
                seen.read += tickets.copied().unwrap_or(0) as u64;
                let quarter = self.conversations / 4 * (seen.memory.len() as u64 + 1);
                if seen.read >= quarter && seen.memory.len() < 4 {
                    seen.memory.push(super::table::peak_mebibytes());
                }
                let sent = self.limited();
                seen.last_limited = sent;
                seen.minutes = (self.cx.now() - self.began).num_seconds() as f64 / 60.0;
                if let Some(outlook) = self.cx.meter().outlooks().get("trengo") {
                    seen.told.push((sent, outlook.left));
                }
            }
            Step::ReadToTheEnd => {
                seen.minutes = (self.cx.now() - self.began).num_seconds() as f64 / 60.0;
            }
            _ => {}
        }
    }
}

impl Watch {
    fn limited(&self) -> u64 {
        let rows = self.cx.meter().snapshot();
        let api = rows
            .iter()
            .filter(|row| row.platform == "trengo" && row.endpoint != "files");
        api.map(|row| row.requests).sum()
    }
}
