//! A Trengo under its limit: what its connector foretold, what it asked, and what came of it.

use std::path::Path;
use std::sync::Arc;

use deskferry::rehearsal::oracle::{self, Difference, Oracle, OracleOptions};
use deskferry::rehearsal::org::Org;
use deskferry::rehearsal::trengo::{
    Clock, LeastOptions, RateLimit, TOKEN, Trengo as Desk, TrengoOptions,
};
use deskferry::rehearsal::world::{Content, WorldSpec};
use deskferry::trengo::{Trengo, TrengoConfig};
use deskferry::{Context, Source as _};

use super::Settings;
use super::limited::{Subject, Taken, mapping, moved};
use super::pace::{SimulatedClock, timed};
use super::scene::org_for;
use super::table::whole;

/// What Trengo allows a minute.
const LIMIT: u32 = 120;
/// Fields of the world are by number there: titles repeat.
const FIELDS: [(&str, &str); 8] = [
    ("product_area", "11"),
    ("serial_number", "12"),
    ("affected_parts", "13"),
    ("purchase_date", "14"),
    ("under_warranty", "15"),
    ("repair_cost", "16"),
    ("customer_since", "31"),
    ("vip", "32"),
];

/// Why tickets were closed has a field of its own.
const RESULTS: &str = r#"Ticket_Results__c = { from = "custom.results", create = { type = "MultiselectPicklist", values = ["Question", "Task", "Problem", "Incident", "Praise"] } }"#;

pub(crate) fn figure(settings: &Settings) {
    let conversations = settings.number("conversations", 600);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let (all, minutes) =
        runtime.block_on(timed(|cx, clock| measure(conversations, path, cx, clock)));
    let (taken, foretold) = all;
    let title = format!(
        "trengo: {} conversations at {LIMIT} requests a minute, on a simulated clock",
        whole(conversations as f64)
    );
    taken.print(
        &title,
        Some((foretold.all, foretold.limited, foretold.minutes)),
    );
    println!(
        "  requests of the estimate itself: {}; minutes of the simulated clock, estimate and load included: {}",
        foretold.asked,
        whole(minutes)
    );
}

struct Foretold {
    all: u64,
    /// Those under the limit.
    limited: u64,
    minutes: f64,
    /// What it took to foretell.
    asked: u64,
}

async fn measure(
    conversations: u64,
    folder: &Path,
    cx: Context,
    clock: Arc<SimulatedClock>,
) -> (Taken, Foretold) {
    let mut options = TrengoOptions::default();
    let spec = WorldSpec::new(1, conversations);
    options.content = Content::Made(spec.with_channels().knowledge().light());
    options.rate_limit = Some(RateLimit::per_minute(LIMIT));
    let shown = Arc::clone(&clock);
    options.clock = Clock::new(move || shown.shown());
    let desk = Desk::start(options).await.expect("a local Trengo");
    let table = "[Case.fields]\n";
    let mapping = mapping(&FIELDS).replacen(table, &format!("{table}{RESULTS}\n"), 1);
    let org = org_for(&mapping, &folder.join("org"), Some(desk.world())).await;

    let mut least_of = LeastOptions::default();
    let least = desk.least_requests(least_of).total();
    least_of.files = false;
    let least_limited = desk.least_requests(least_of).total();
    let counted = || desk.requests().count("", "/api/v2/");
    let foretold = foretold(&desk, clock).await;
    let subject = Subject {
        platform: "trengo",
        limit: LIMIT,
        source: source(&desk),
        mapping,
        beside: &["files"],
        least: (least, least_limited),
        counted: &counted,
        judge: &|org| differences(&desk, org),
    };
    (moved(subject, folder, &org, &cx).await, foretold)
}

/// As another process does, before the one that reads: it keeps none of the lists that are read once for that one.
async fn foretold(desk: &Desk, clock: Arc<SimulatedClock>) -> Foretold {
    let cx = Context::new().with_clock(clock);
    let told = source(desk).estimate(&cx).await.expect("an estimate");
    let told = told.expect("Trengo can tell");
    println!("{}", told.text());
    let files = told.steps.iter().find(|step| step.step == "files");
    let all = told.requests().least;
    Foretold {
        all,
        limited: all - files.map_or(0, |step| step.requests.least),
        minutes: told.seconds().least as f64 / 60.0,
        asked: desk.requests().count("", "/api/v2/"),
    }
}

fn source(desk: &Desk) -> Arc<Trengo> {
    let config = TrengoConfig::builder(TOKEN).url(desk.url()).build();
    Arc::new(Trengo::new(config.expect("a configuration")).expect("a source"))
}

fn differences(desk: &Desk, org: &Org) -> Vec<Difference> {
    let mut options = OracleOptions::new("4711", org.user_id()).platform(oracle::Trengo::default());
    options.email_originals = false;
    options.merged = false;
    options.merged_into = false;
    let found = Oracle::new(options).compare(desk.world(), org);
    found.expect("a comparison")
}
