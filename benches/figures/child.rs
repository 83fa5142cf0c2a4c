//! What runs in a process of its own, so that its processor time and memory are its own too.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use deskferry::Context;
use deskferry::core::http::RetryPolicy;
use deskferry::kayako::{Kayako, KayakoConfig};
use deskferry::migration::{Gate, Migration, Workspace};
use deskferry::owners::Undecided;
use deskferry::report::Report;
use deskferry::salesforce::{Mapping, Salesforce, SalesforceConfig};
use serde::{Deserialize, Serialize};

use super::scene::mapping_text;
use super::table::{Watch, peak_mebibytes};
use super::{beside, mapping};

/// The variable that holds a task.
pub(crate) const VARIABLE: &str = "DESKFERRY_FIGURES_TASK";

#[derive(Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) what: String,
    pub(crate) kayako: String,
    pub(crate) org: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    pub(crate) folder: PathBuf,
}

/// What a migrating process spent.
#[derive(Serialize, Deserialize)]
pub(crate) struct Moved {
    pub(crate) records: u64,
    pub(crate) requests: u64,
    pub(crate) wall: f64,
    pub(crate) processor: Option<f64>,
    pub(crate) peak: Option<f64>,
    pub(crate) verify_wall: f64,
    pub(crate) verify_processor: Option<f64>,
    pub(crate) verify_peak: Option<f64>,
    pub(crate) different: u64,
}

/// The task of this process, if it has one.
pub(crate) fn task() -> Option<Task> {
    let text = std::env::var(VARIABLE).ok()?;
    Some(serde_json::from_str(&text).expect("a task"))
}

pub(crate) fn perform(task: &Task) {
    let runtime = super::scene::runtime();
    let json = runtime.block_on(async {
        match task.what.as_str() {
            "map" => serde_json::to_string(&mapping::write(task).await),
            "people" => serde_json::to_string(&beside::people(task).await),
            what => serde_json::to_string(&migrate(task, what).await),
        }
    });
    println!("{}", json.expect("JSON"));
}

/// Retries without long waits.
pub(crate) fn patient() -> RetryPolicy {
    RetryPolicy::default().delays(Duration::from_millis(20), Duration::from_millis(200))
}

pub(crate) fn sink(task: &Task) -> Salesforce {
    let mut config = SalesforceConfig::builder(&task.org)
        .client_credentials(&task.client_id, &task.client_secret)
        .landing_window(Duration::ZERO)
        .bulk_poll(Duration::from_millis(100))
        .retry(patient());
    // The same variable by which people set it, so that both ways can be compared.
    if let Ok(from) = std::env::var("SALESFORCE_BULK_FROM") {
        config = config.bulk_from(from.parse().unwrap_or(0));
    }
    let config = config.build().expect("a configuration");
    let mapping = std::fs::read_to_string(task.folder.join("mapping.toml"));
    let mapping = mapping.unwrap_or_else(|_| mapping_text());
    Salesforce::new(config, Mapping::parse(&mapping).expect("a mapping")).expect("a sink")
}

/// A source without a limit of its own.
pub(crate) fn source(url: &str, retry: RetryPolicy) -> Kayako {
    let config = KayakoConfig::builder(url, "admin@acme.example", "rehearsal")
        .requests_per_minute(600_000)
        .email_headers(true)
        .build()
        .expect("a configuration");
    Kayako::with_retry(config, retry).expect("a source")
}

async fn migrate(task: &Task, what: &str) -> Moved {
    let workspace = Workspace::open(&task.folder).expect("a workspace");
    let source = Arc::new(source(&task.kayako, patient()));
    let migration = Migration::new(workspace, source, Arc::new(sink(task)))
        .undecided(Undecided::Legacy)
        .gate(Gate {
            share: 0.2,
            always: 10,
        });
    let watch = Watch::start();
    let cx = Context::new();
    let report = match what {
        "resume" => migration.resume(&cx).await,
        _ => migration.run(&cx).await,
    };
    let report = report.expect("a whole migration");
    let spent = watch.spent();
    let peak = peak_mebibytes();
    let watch = Watch::start();
    let different = if what == "run-and-verify" {
        let verified = migration.verify(&cx).await.expect("a verification");
        verified.verify.iter().map(|field| field.different).sum()
    } else {
        0
    };
    let verifying = watch.spent();
    let known = |figure: f64| figure.is_finite().then_some(figure);
    Moved {
        records: report.phases.iter().map(|phase| phase.read).sum(),
        requests: requests(&report),
        wall: spent.wall,
        processor: known(spent.processor),
        peak: known(peak),
        verify_wall: verifying.wall,
        verify_processor: known(verifying.processor),
        verify_peak: known(peak_mebibytes()),
        different,
    }
}

fn requests(report: &Report) -> u64 {
    report.meter.iter().map(|row| row.requests).sum()
}
