//! A Kustomer under both of its limits.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use deskferry::Context;
use deskferry::kustomer::{Kustomer, KustomerConfig, MessageReads};
use deskferry::rehearsal::kustomer::{Clock, Kustomer as Desk, KustomerOptions, RateLimit};
use deskferry::rehearsal::oracle::{self, Difference, Oracle, OracleOptions};
use deskferry::rehearsal::org::Org;
use deskferry::rehearsal::world::{Content, WorldSpec};

use super::Settings;
use super::limited::{Subject, Taken, mapping, moved};
use super::pace::{SimulatedClock, timed};
use super::scene::org;
use super::table::whole;

/// What a plan in the middle allows a minute, and what searches are allowed of it.
const LIMIT: u32 = 1_000;
const SEARCHES: u32 = 100;
/// Fields of the world as attributes are called there.
const FIELDS: [(&str, &str); 9] = [
    ("tier", "tierStr"),
    ("product_area", "productAreaStr"),
    ("serial_number", "serialNumberStr"),
    ("affected_parts", "affectedPartsStr"),
    ("purchase_date", "purchaseDateAt"),
    ("under_warranty", "underWarrantyBool"),
    ("repair_cost", "repairCostNum"),
    ("customer_since", "customerSinceAt"),
    ("vip", "vipBool"),
];

pub(crate) fn figure(settings: &Settings) {
    let conversations = settings.number("conversations", 600);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    // What is said is read conversation by conversation, or searched for.
    let ways = [
        (MessageReads::Conversation, "each by itself"),
        (MessageReads::Search, "searched for"),
    ];
    let ways = ways.into_iter().filter(|(reads, _)| {
        let wanted = settings.number("searched", u64::MAX);
        wanted == u64::MAX || (wanted == 1) == (*reads == MessageReads::Search)
    });
    for (reads, way) in ways {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path();
        let (taken, minutes) = runtime.block_on(timed(|cx, clock| {
            measure(conversations, reads, path, cx, clock)
        }));
        let title = format!(
            "kustomer: {} conversations at {LIMIT} requests a minute, {SEARCHES} of them searches, on a simulated clock; messages {way}",
            whole(conversations as f64)
        );
        taken.print(&title, None);
        println!(
            "  minutes of the simulated clock, load included: {}",
            whole(minutes)
        );
    }
}

async fn measure(
    conversations: u64,
    reads: MessageReads,
    folder: &Path,
    cx: Context,
    clock: Arc<SimulatedClock>,
) -> Taken {
    let mut options = KustomerOptions::default();
    let spec = WorldSpec::new(1, conversations);
    options.content = Content::Made(spec.with_objects().with_channels().knowledge().light());
    options.rate_limit = Some(RateLimit {
        requests: LIMIT,
        searches: SEARCHES,
        window: Duration::from_secs(60),
    });
    options.clock = Clock::new(move || clock.shown());
    let desk = Desk::start(options).await.expect("a local Kustomer");
    let org = org(&folder.join("org"), Some(desk.world())).await;
    let least = match reads {
        MessageReads::Search => desk.least_requests_by_search(),
        _ => desk.least_requests(),
    };
    let config = KustomerConfig::builder(desk.url(), "rehearsal-key")
        .messages(reads)
        .keep_free(0.0)
        .build()
        .expect("a configuration");
    let source = Kustomer::new(config).expect("a source");
    let subject = Subject {
        platform: "kustomer",
        limit: LIMIT,
        source: Arc::new(source),
        mapping: mapping(&FIELDS),
        beside: &["bytes"],
        least: (least.total(), least.total() - least.bytes),
        counted: &|| desk.requests().count("", "/v1/"),
        judge: &|org| differences(&desk, org),
    };
    moved(subject, folder, &org, &cx).await
}

fn differences(desk: &Desk, org: &Org) -> Vec<Difference> {
    let options = OracleOptions::new(Desk::org_id(), org.user_id()).platform(oracle::Kustomer);
    let found = Oracle::new(options).compare(desk.world(), org);
    found.expect("a comparison")
}
