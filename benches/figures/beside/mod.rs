//! The same contacts and cases into the same kind of org, by this sink and by other people's clients: the processor time and
//! memory of each client's process alone. The others get rows that are ready, and send them; the sink gets records: it looks
//! whether they are there, maps them, hashes and remembers each row, and takes its id from the results.
//!
//! The clients are those that `tests/clients/run` installs; one that is not there is left out.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use deskferry::core::stage::FolderBlobs;
use deskferry::model::{Contact, Email, Meta};
use deskferry::pipeline::MemoryJournal;
use deskferry::rehearsal::org::Org;
use deskferry::{Context, Record, RecordKind, Sink};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Settings;
use super::child::{Task, sink};
use super::mapping::{Writing, conversation, day};
use super::mass;
use super::scene::{TOKEN, answer, org, runtime, start};
use super::table::{Table, Watch, fine, peak_mebibytes, whole};

const BATCH: usize = 10_000;

/// What a client spent.
#[derive(Serialize, Deserialize)]
pub(crate) struct Spent {
    rows: u64,
    processor: Option<f64>,
    peak: Option<f64>,
}

pub(crate) fn figure(settings: &Settings) {
    let rows = settings.number("rows", 20_000);
    let mut table = Table::new(
        "beside: contacts and cases by bulk jobs, the client's process alone",
        &[
            "client",
            "rows",
            "processor seconds",
            "µs a row",
            "peak MiB",
            "rows in the org",
        ],
    );
    let mut add = |name: &str, spent: Spent, there: usize| {
        let processor = spent.processor.unwrap_or(f64::NAN);
        table.row(&[
            name.to_owned(),
            whole(spent.rows as f64),
            fine(processor),
            whole(processor * 1e6 / spent.rows as f64),
            whole(spent.peak.unwrap_or(f64::NAN)),
            whole(there as f64),
        ]);
    };
    runtime().block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        let place = org(&folder.path().join("ours"), None).await;
        let task = Task {
            what: "people".into(),
            kayako: rows.to_string(),
            org: place.url(),
            client_id: place.settings().client_id.clone(),
            client_secret: place.settings().client_secret.0.clone(),
            folder: folder.path().join("sink"),
        };
        let spent = answer(start(&task)).await;
        add("this sink", spent, standing(&place));
        let files = write_rows(folder.path(), rows);
        for (name, program, script) in others() {
            let place = org(&folder.path().join(name), None).await;
            match by(&program, &script, &place, &files).await {
                Some(spent) => add(name, spent, standing(&place)),
                None => println!("{name} is not there: tests/clients/run {name} installs it"),
            }
        }
    });
    table.print();
}

fn standing(org: &Org) -> usize {
    let rows = ["Contact", "Case"].map(|object| org.dump(object).expect("rows").len());
    rows.iter().sum()
}

/// The other clients: what runs each, and its script beside what is installed.
fn others() -> [(&'static str, PathBuf, PathBuf); 2] {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or("target".into(), PathBuf::from);
    let installed = target.join("clients");
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/figures/beside");
    let beside = installed.join("jsforce/load.mjs");
    // Node looks for modules beside the script.
    let _ = std::fs::copy(here.join("load.mjs"), &beside);
    let python = installed.join("simple-salesforce/venv/bin/python");
    [
        ("jsforce", "node".into(), beside),
        ("simple-salesforce", python, here.join("load.py")),
    ]
}

async fn by(program: &Path, script: &Path, org: &Org, files: &[String]) -> Option<Spent> {
    let mut command = Command::new(program);
    command.arg(script).arg(org.url()).arg(TOKEN).args(files);
    let output = tokio::task::spawn_blocking(move || command.output());
    let output = output.await.expect("a thread").ok()?;
    if !output.status.success() {
        println!("{}", String::from_utf8_lossy(&output.stderr));
        return None;
    }
    serde_json::from_slice(&output.stdout).ok()
}

/// The rows as the other clients take them.
fn write_rows(folder: &Path, rows: u64) -> [String; 2] {
    let time = "2024-05-06T07:08:09.000Z";
    let contact = |n: u64| {
        json!({
            "FirstName": "Ann", "LastName": format!("Example {n}"), "Email": address(n),
            "Source_Full_Name__c": format!("Ann Example {n}"), "Source_Email__c": address(n),
            "Source_Key__c": format!("kayako:acme:contact:{n}"), "Migration_Batch__c": "figures-0",
            "CreatedDate": time, "LastModifiedDate": time,
        })
    };
    let case = |n: u64| {
        json!({
            "Subject": format!("Order {n}"), "Status": "New", "Origin": "Email", "Source_Number__c": n.to_string(),
            "Source_Key__c": format!("kayako:acme:conversation:{n}"), "Migration_Batch__c": "figures-0",
            "CreatedDate": time, "LastModifiedDate": time,
        })
    };
    let write = |object: &str, row: &dyn Fn(u64) -> serde_json::Value| {
        let mut text = String::new();
        for n in 1..=rows {
            let _ = writeln!(text, "{}", row(n));
        }
        let path = folder.join(format!("{object}.jsonl"));
        std::fs::write(&path, text).expect("a file");
        format!("{object}={}", path.display())
    };
    [write("Contact", &contact), write("Case", &case)]
}

fn address(n: u64) -> String {
    format!("ann.{n}@example.org")
}

/// The part of the writing process.
pub(crate) async fn people(task: &Task) -> Spent {
    let rows: u64 = task.kayako.parse().expect("a number");
    let cx = Context::new();
    let sink = sink(task);
    sink.check(&cx).await.expect("an org");
    let writing = Writing {
        cx,
        sink,
        journal: Arc::new(MemoryJournal::new("figures-0")),
        blobs: Arc::new(FolderBlobs::open(&task.folder).expect("a folder")),
    };
    let watch = Watch::start();
    for phase in ["contacts", "cases"] {
        for first in (1..=rows).step_by(BATCH) {
            let last = rows.min(first + BATCH as u64 - 1);
            let records = (first..=last).map(|n| match phase {
                "contacts" => contact(n),
                _ => conversation(n),
            });
            let records = records.collect();
            writing.write(phase, records, &Default::default()).await;
        }
    }
    let spent = watch.spent();
    let known = |figure: f64| figure.is_finite().then_some(figure);
    Spent {
        rows: rows * 2,
        processor: known(spent.processor),
        peak: known(peak_mebibytes()),
    }
}

fn contact(n: u64) -> Record {
    let mut meta = Meta::new(mass::tenant().key(RecordKind::Contact, n));
    meta.created_at = Some(day());
    meta.updated_at = Some(day());
    Record::from(Contact {
        meta,
        name: format!("Ann Example {n}"),
        emails: vec![Email {
            address: address(n),
            verified: None,
        }],
        phones: Vec::new(),
        handles: Vec::new(),
        accounts: Vec::new(),
        title: None,
        locale: None,
        time_zone: None,
        tags: Vec::new(),
        addresses: Vec::new(),
        groups: Vec::new(),
        kind: None,
    })
}
