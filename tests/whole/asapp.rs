//! Whole migrations from deliveries of ASAPP.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use deskferry::Context;
use deskferry::asapp::{Asapp, AsappConfig};
use deskferry::migration::{Migration, Workspace};
use deskferry::owners::Undecided;
use deskferry::rehearsal::asapp::{
    API_ID, API_SECRET, AsappOptions, Configured, ExporterOptions, Exports, FileExporter, PRIORITY,
    calls, handled, write, write_services,
};
use deskferry::rehearsal::oracle::{
    Asapp as Judged, AsappServices, Difference, Oracle, OracleOptions,
};
use deskferry::rehearsal::org::Org;
use deskferry::rehearsal::world::{World, WorldSpec};
use deskferry::salesforce::{Mapping, Salesforce, SalesforceConfig};
use tempfile::TempDir;

use super::program::Program;
use super::scene::{ALL_SCENARIOS, gate, org_options_for, patient};

struct Scene {
    world: World,
    exports: Exports,
    org: Org,
    folder: TempDir,
    mapping: String,
}

/// The shipped mapping with calls as tasks and figures of agents as rows.
fn mapping() -> String {
    let mut text = Mapping::default_text().to_owned();
    for line in ["calls = \"task\"", "agent_statistics = \"object\""] {
        let commented = format!("# {line}");
        assert!(text.contains(&commented), "{line}");
        text = text.replace(&commented, line);
    }
    text
}

impl Scene {
    async fn new(spec: WorldSpec, hostile: bool) -> Self {
        Self::mapped(spec, hostile, Mapping::default_text().to_owned()).await
    }

    async fn mapped(spec: WorldSpec, hostile: bool, mapping: String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let world = World::generate(spec);
        let mut options = AsappOptions::default();
        options.hostile = hostile;
        let exports = write(folder.path(), &world, &options).unwrap();
        let options = org_options_for(&folder.path().join("org"), &world, &mapping);
        let org = Org::start(options).await.unwrap();
        let workspace = folder.path().join("workspace");
        std::fs::create_dir_all(&workspace).unwrap();
        std::fs::write(workspace.join("mapping.toml"), &mapping).unwrap();
        Self {
            world,
            exports,
            org,
            folder,
            mapping,
        }
    }

    fn migration(&self) -> Migration {
        let config = AsappConfig::builder("acme", &self.exports.tree)
            .customers(&self.exports.customers)
            .agents(&self.exports.agents)
            .recordings(&self.exports.recordings)
            .params(Some("customer_name"), None, None, None)
            .placeholder_accounts(false)
            .work(self.folder.path().join("work"))
            .build()
            .unwrap();
        let settings = self.org.settings();
        let sink = SalesforceConfig::builder(self.org.url())
            .client_credentials(settings.client_id.clone(), settings.client_secret.0.clone())
            .landing_window(Duration::from_millis(200))
            .retry(patient())
            .build()
            .unwrap();
        let sink = Salesforce::new(sink, Mapping::parse(&self.mapping).unwrap()).unwrap();
        let workspace = Workspace::open(&self.folder.path().join("workspace")).unwrap();
        Migration::new(
            workspace,
            Arc::new(Asapp::new(config).unwrap()),
            Arc::new(sink),
        )
        .undecided(Undecided::Legacy)
        .gate(gate())
    }

    /// A line for each agent who had a conversation, with averages over all of them.
    fn figures_of_agents_are_exact(&self) {
        let workspace = Workspace::look(&self.folder.path().join("workspace")).unwrap();
        let file = workspace.targets().unwrap()[0].join("handoff/agent-statistics.csv");
        let text = std::fs::read_to_string(file).unwrap();
        let mut lines = text.trim_start_matches('\u{feff}').lines();
        let figures = "assignments,average_first_response_seconds,average_handle_seconds,average_wrap_up_seconds,calls";
        assert_eq!(
            lines.next(),
            Some(format!("agent,name,from,until,{figures}").as_str())
        );
        let found = lines.map(|line| {
            // Names can hold commas: the figures are counted from the end.
            let mut cells = line.rsplitn(6, ',').map(str::to_owned);
            let mut last = || cells.next().unwrap();
            let [calls, wrap_up, handle, first, assignments] = std::array::from_fn(|_| last());
            let agent = line.split(',').next().unwrap().to_owned();
            (agent, [assignments, handle, wrap_up, first, calls])
        });
        let found: BTreeMap<String, [String; 5]> = found.collect();
        let expected = handled(&self.world).into_iter().map(|(rep, did)| {
            let average = |seconds: u64| {
                let average = seconds as f64 / did.assignments as f64;
                ((average * 100.0).round() / 100.0).to_string()
            };
            let figures = [
                did.assignments.to_string(),
                average(did.handle_seconds),
                average(did.wrap_up_seconds),
                average(did.first_response_seconds),
                did.calls.to_string(),
            ];
            (format!("asapp:acme:agent:{rep}"), figures)
        });
        assert_eq!(found, expected.collect());
    }

    fn differences(&self, world: &World) -> Vec<Difference> {
        let options = OracleOptions::new("acme", self.org.user_id()).platform(Judged);
        Oracle::new(options).compare(world, &self.org).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_full_of_restatements_is_moved_exactly() {
    let scene = Scene::new(WorldSpec::new(7, ALL_SCENARIOS), false).await;
    let report = scene.migration().run(&Context::new()).await.unwrap();
    assert!(report.complete, "{}", report.summary());
    let differences = scene.differences(&scene.world);
    assert!(differences.is_empty(), "{differences:#?}");
    let verified = scene.migration().verify(&Context::new()).await.unwrap();
    assert!(verified.verified(), "{}", verified.summary());
    scene.figures_of_agents_are_exact();
    let other = World::generate(WorldSpec::new(8, ALL_SCENARIOS));
    assert!(
        !scene.differences(&other).is_empty(),
        "another world is another world"
    );
}

/// Calls are tasks of their cases, with length, outcome, caller, agent and recording; figures of agents are rows.
#[tokio::test(flavor = "multi_thread")]
async fn calls_become_tasks_and_figures_of_agents_rows() {
    let scene = Scene::mapped(WorldSpec::new(7, ALL_SCENARIOS), false, mapping()).await;
    let report = scene.migration().run(&Context::new()).await.unwrap();
    assert!(report.complete, "{}", report.summary());
    let verified = scene.migration().verify(&Context::new()).await.unwrap();
    assert!(verified.verified(), "{}", verified.summary());
    let rows = |object: &str| scene.org.dump(object).unwrap();
    let by_key = |object: &str, kind: &str| -> BTreeMap<String, String> {
        let key = |row: &serde_json::Value| {
            let key = row["Source_Key__c"]
                .as_str()?
                .strip_prefix(&format!("asapp:acme:{kind}:"))?
                .to_owned();
            Some((row["Id"].as_str()?.to_owned(), key))
        };
        rows(object).iter().filter_map(key).collect()
    };
    let (cases, people) = (by_key("Case", "conversation"), by_key("Contact", "contact"));
    let found: BTreeMap<String, _> = rows("Task")
        .iter()
        .map(|task| {
            let text = |field: &str| task[field].as_str().unwrap_or_default().to_owned();
            assert_eq!(
                (text("TaskSubtype"), text("CallType"), text("Status")),
                (
                    "Call".to_owned(),
                    "Inbound".to_owned(),
                    "Completed".to_owned()
                )
            );
            assert_eq!(text("CallDisposition"), "rep");
            // Two who share an address are one Contact, of whom one has the key.
            assert!(people.contains_key(&text("WhoId")), "{task:#?}");
            let seconds = task["CallDurationInSeconds"].as_f64().unwrap();
            (
                cases[&text("WhatId")].clone(),
                (seconds, text("ActivityDate"), text("Call_Recording__c")),
            )
        })
        .collect();
    let expected: BTreeMap<String, _> = calls(&scene.world)
        .into_iter()
        .map(|call| {
            let day = call.at.format("%Y-%m-%d").to_string();
            (
                call.conversation.to_string(),
                (call.seconds as f64, day, call.recording.unwrap_or_default()),
            )
        })
        .collect();
    assert!(!expected.is_empty(), "the world has calls");
    assert_eq!(found, expected);
    let figures: BTreeMap<String, (f64, f64)> = rows("Agent_Stats__c")
        .iter()
        .map(|row| {
            let agent = row["Source_Key__c"]
                .as_str()
                .unwrap()
                .rsplit(':')
                .next()
                .unwrap()
                .to_owned();
            let number = |field: &str| row[field].as_f64().unwrap_or_default();
            (agent, (number("Assignments__c"), number("Calls__c")))
        })
        .collect();
    let did = handled(&scene.world).into_iter();
    let did = did.map(|(rep, did)| (rep.to_string(), (did.assignments as f64, did.calls as f64)));
    assert_eq!(figures, did.collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_lines_and_doubtful_issues_disturb_nobody_else() {
    let scene = Scene::new(WorldSpec::new(3, 12), true).await;
    let report = scene.migration().run(&Context::new()).await.unwrap();
    assert!(report.complete, "{}", report.summary());
    let differences = scene.differences(&scene.world);
    assert!(differences.is_empty(), "{differences:#?}");
    let rejected: u64 = report.phases.iter().map(|phase| phase.rejected).sum();
    assert_eq!(rejected, 4, "{}", report.summary());
}

/// Processes die while exports are reduced, staged and loaded; whoever comes back goes on with the next page, and the last one ends it.
#[tokio::test(flavor = "multi_thread")]
async fn killed_while_exports_are_read_and_loaded() {
    let scene = Scene::new(WorldSpec::new(9, 14), false).await;
    let path = |path: &std::path::Path| path.to_string_lossy().into_owned();
    let workspace = path(&scene.folder.path().join("workspace"));
    let settings = scene.org.settings();
    let env = [
        ("ASAPP_COMPANY", "acme".to_owned()),
        ("ASAPP_TREE", path(&scene.exports.tree)),
        ("ASAPP_CUSTOMERS", path(&scene.exports.customers)),
        ("ASAPP_AGENTS", path(&scene.exports.agents)),
        ("ASAPP_PARAM_NAME", "customer_name".to_owned()),
        ("ASAPP_PLACEHOLDER_ACCOUNTS", "false".to_owned()),
        ("ASAPP_WORK", path(&scene.folder.path().join("work"))),
        // Many steps, each of which can be the last one of a process.
        ("ASAPP_CHUNK_FILES", "25".to_owned()),
        ("SALESFORCE_URL", scene.org.url()),
        ("SALESFORCE_CLIENT_ID", settings.client_id.clone()),
        ("SALESFORCE_CLIENT_SECRET", settings.client_secret.0.clone()),
        ("SALESFORCE_LANDING_WINDOW", "1".to_owned()),
        ("DESKFERRY_UNDECIDED", "legacy".to_owned()),
        ("DESKFERRY_ORG_IS", "local".to_owned()),
    ];
    let points = [
        // Before a part is written, before its run is noted, in the middle of the runs, before and after all are merged.
        "asapp-part:1",
        "asapp-run:1",
        "asapp-part:3",
        "asapp-run:4",
        "asapp-merge:1",
        "asapp-merged:1",
        "stage-begin:1",
        "stage-index:1",
        "stage-append:2",
        "stage-committed:2",
        "stage-append:5",
        "stage-sync:7",
        "ledger-intended:2",
        "ledger-settle:3",
        "ledger-finish:4",
    ];
    let (mut verb, mut died) = ("run", 0);
    for point in points.map(Some).into_iter().chain([None]) {
        let mut program = Program::bare().example("asapp_to_salesforce");
        for (name, value) in &env {
            program = program.env(name, value);
        }
        if let Some(point) = point {
            program = program.env("DESKFERRY_KILL_AT", point);
        }
        let ended = program
            .run(&[verb, "--workspace", &workspace, "--gate", "20"])
            .await;
        match (point, ended.code) {
            (Some(_), None) => died += 1,
            (_, code) => assert_eq!(code, Some(0), "{point:?}:\n{}", ended.output),
        }
        if std::path::Path::new(&workspace).join("targets").exists() {
            verb = "resume";
        }
    }
    assert!(died >= 11, "{died} processes died");
    // What was read before a death was not read again: each file is in one run.
    let manifest =
        std::fs::read_to_string(scene.folder.path().join("work/manifest.jsonl")).unwrap();
    let lines = manifest
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let runs: Vec<_> = lines.filter_map(|line| line.get("Run").cloned()).collect();
    let files = runs
        .iter()
        .flat_map(|run| run["files"].as_array().cloned().unwrap());
    let files: Vec<String> = files
        .map(|file| file["path"].as_str().unwrap().to_owned())
        .collect();
    let once: std::collections::BTreeSet<&String> = files.iter().collect();
    assert!(runs.len() > 5, "{} runs", runs.len());
    assert_eq!(files.len(), once.len());
    let differences = scene.differences(&scene.world);
    assert!(differences.is_empty(), "{differences:#?}");
}

/// AI services over the wire: feeds that come apart, runs that repeat, texts that only the Conversation API still has, segments that are
/// evaluated again.
#[tokio::test(flavor = "multi_thread")]
async fn ai_services_are_moved_exactly_with_what_the_apis_add() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::generate(WorldSpec::new(11, 16));
    let (exports, told) = write_services(folder.path(), &world, &AsappOptions::default()).unwrap();
    let mut served = ExporterOptions::new(&exports.tree);
    served.told = Some(told);
    served.configured = Configured::of_services();
    let exporter = FileExporter::start(served).await.unwrap();
    // Segments give record types, and structured data has fields of its own, in the first insert.
    let mapping = Mapping::default_text().replacen(
        "[policy]\n",
        "[policy]\nrecord_type_by = \"segment\"\n",
        1,
    ) + r#"
[policy.record_types]
RETAIL = "Retail"
PHONES = "Phones"
"*" = "Other"
[Case.fields.Issue_Resolved__c]
from = "custom.q_issue_resolved"
create = { type = "Picklist", values = ["Yes", "No", "Not Found"] }
[Case.fields.Amount__c]
from = "custom.e_amount"
create = { type = "Number", precision = 18, scale = 2 }
[Case.fields.Due__c]
from = "custom.e_due"
create = { type = "Date" }
"#;
    let parsed = || Mapping::parse(&mapping).unwrap();
    let mut options = org_options_for(&folder.path().join("org"), &world, &mapping);
    let types = parsed().required_record_types();
    for (place, kind) in types.iter().enumerate() {
        let process = serde_json::json!({"object": kind.object, "name": kind.business_process, "values": kind.statuses, "default": kind.statuses.first()});
        if place == 0 {
            options = options.business_process(serde_json::from_value(process).unwrap());
        }
        let kind = serde_json::json!({"object": kind.object, "name": kind.name, "label": kind.label, "business_process": kind.business_process});
        options = options.record_type(serde_json::from_value(kind).unwrap());
    }
    let org = Org::start(options).await.unwrap();
    let workspace = folder.path().join("workspace");
    std::fs::create_dir_all(&workspace).unwrap();
    std::fs::write(workspace.join("mapping.toml"), &mapping).unwrap();
    let migration = || {
        let config = AsappConfig::exporter("acme", API_ID, API_SECRET)
            .url(exporter.url())
            .allow(true, true)
            .limits(100, 50_000)
            .segment_priority(&PRIORITY)
            .customers(&exports.customers)
            .agents(&exports.agents)
            .placeholder_accounts(false)
            .work(folder.path().join("work"))
            .build()
            .unwrap();
        let settings = org.settings();
        let sink = SalesforceConfig::builder(org.url())
            .client_credentials(settings.client_id.clone(), settings.client_secret.0.clone())
            .landing_window(Duration::from_millis(200))
            .retry(patient())
            .build()
            .unwrap();
        let sink = Salesforce::new(sink, parsed()).unwrap();
        let asapp = Arc::new(Asapp::new(config).unwrap());
        Migration::new(Workspace::open(&workspace).unwrap(), asapp, Arc::new(sink))
            .undecided(Undecided::Legacy)
            .gate(gate())
    };
    let report = migration().run(&Context::new()).await.unwrap();
    assert!(report.complete, "{}", report.summary());
    let types = org.dump("RecordType").unwrap();
    let id_of = |name: &str| {
        let kind = types.iter().find(|kind| kind["DeveloperName"] == name);
        kind.unwrap()["Id"].as_str().unwrap().to_owned()
    };
    let words = [("retail", "Retail"), ("phones", "Phones"), ("*", "Other")];
    let ids: BTreeMap<String, String> = words
        .map(|(word, name)| (word.to_owned(), id_of(name)))
        .into();
    let judged = |world: &World| {
        let mut options =
            OracleOptions::new("acme", org.user_id()).platform(AsappServices::of(world));
        options.record_types = Some(("segment".to_owned(), ids.clone()));
        Oracle::new(options).compare(world, &org).unwrap()
    };
    let differences = judged(&world);
    assert!(differences.is_empty(), "{differences:#?}");
    let kinds = org.dump("Case").unwrap();
    let kinds: std::collections::BTreeSet<_> = kinds
        .iter()
        .map(|case| case["RecordTypeId"].as_str().unwrap())
        .collect();
    assert!(kinds.len() > 1, "several segments have conversations");
    let verified = migration().verify(&Context::new()).await.unwrap();
    assert!(verified.verified(), "{}", verified.summary());
    assert!(!judged(&World::generate(WorldSpec::new(12, 16))).is_empty());
    exporter.stop().await;
}
