//! Whole migrations from a local Trengo.

use std::path::Path;
use std::sync::Arc;

use deskferry::migration::{Migration, Workspace};
use deskferry::model::InventoryKind;
use deskferry::owners::Undecided;
use deskferry::rehearsal::fault::{Action, Rule};
use deskferry::rehearsal::oracle::{Difference, Oracle, OracleOptions, Trengo as Judged};
use deskferry::rehearsal::org::Org;
use deskferry::rehearsal::trengo::{LeastOptions, TOKEN, Trengo as Desk, TrengoOptions};
use deskferry::rehearsal::world::{Content, ConversationState, MessageKind, WorldSpec};
use deskferry::report::{Estimate, Inventory, Report};
use deskferry::salesforce::{Mapping, Salesforce, SalesforceConfig};
use deskferry::trengo::{Take, Trengo, TrengoConfig, TrengoConfigBuilder};
use deskferry::{Context, ErrorKind};
use tempfile::TempDir;

use super::program::Program;
use super::scene::{ALL_SCENARIOS, gate, mapping_text, org_options_for, patient};

struct Scene {
    desk: Desk,
    org: Org,
    folder: TempDir,
}

impl Scene {
    async fn new(spec: WorldSpec) -> Self {
        Self::mapped(spec, &mapping()).await
    }

    async fn mapped(spec: WorldSpec, mapping: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = TrengoOptions::default();
        options.content = Content::Made(spec);
        let desk = Desk::start(options).await.unwrap();
        let options = org_options_for(&folder.path().join("org"), desk.world(), mapping);
        let org = Org::start(options).await.unwrap();
        let workspace = folder.path().join("workspace");
        std::fs::create_dir_all(&workspace).unwrap();
        std::fs::write(workspace.join("mapping.toml"), mapping).unwrap();
        Self { desk, org, folder }
    }

    fn migration(&self, token: &str, spam: Take) -> Migration {
        let config = TrengoConfig::builder(token).url(self.desk.url()).spam(spam);
        self.migration_by(config, &mapping())
    }

    fn migration_by(&self, source: TrengoConfigBuilder, mapping: &str) -> Migration {
        let settings = self.org.settings();
        let config = SalesforceConfig::builder(self.org.url())
            .client_credentials(settings.client_id.clone(), settings.client_secret.0.clone())
            .landing_window(std::time::Duration::from_millis(200))
            .retry(patient())
            .build()
            .unwrap();
        let sink = Salesforce::new(config, Mapping::parse(mapping).unwrap()).unwrap();
        let source = Trengo::with_retry(source.build().unwrap(), patient()).unwrap();
        let workspace = Workspace::open(&self.folder.path().join("workspace")).unwrap();
        Migration::new(workspace, Arc::new(source), Arc::new(sink))
            .undecided(Undecided::Legacy)
            .gate(gate())
    }

    fn differences(&self, spam: bool) -> Vec<Difference> {
        self.judged_as(Judged::default(), spam)
    }

    fn judged_as(&self, platform: Judged, spam: bool) -> Vec<Difference> {
        let mut options = OracleOptions::new("4711", self.org.user_id()).platform(platform);
        options.email_originals = false;
        options.merged = false;
        options.merged_into = false;
        options.suspended = spam;
        Oracle::new(options)
            .compare(self.desk.world(), &self.org)
            .unwrap()
    }
}

impl Scene {
    /// The example, pointed at the two platforms.
    fn program(&self, workspace: &Path) -> Program {
        let settings = self.org.settings();
        Program::bare()
            .example("trengo_to_salesforce")
            .env("TRENGO_URL", self.desk.url())
            .env("TRENGO_TOKEN", TOKEN)
            .env("SALESFORCE_URL", self.org.url())
            .env("SALESFORCE_CLIENT_ID", settings.client_id.clone())
            .env("SALESFORCE_CLIENT_SECRET", settings.client_secret.0.clone())
            .env("SALESFORCE_LANDING_WINDOW", "1")
            .env("DESKFERRY_UNDECIDED", "legacy")
            .env("DESKFERRY_ORG_IS", "local")
            .in_workspace(workspace.to_owned())
    }

    fn requests(&self) -> u64 {
        self.desk.requests().total + self.org.requests().total
    }
}

/// The shipped mapping with the world's fields by number, since their titles repeat, and why tickets were closed.
pub(crate) fn mapping() -> String {
    let numbered = [
        ("product_area", 11),
        ("serial_number", 12),
        ("affected_parts", 13),
        ("purchase_date", 14),
        ("under_warranty", 15),
        ("repair_cost", 16),
        ("customer_since", 31),
        ("vip", 32),
    ]
    .into_iter()
    .fold(mapping_text(), |text, (name, number)| {
        text.replace(&format!("custom.{name}\""), &format!("custom.{number}\""))
    });
    let table = "[Case.fields]\n";
    numbered.replacen(table, &format!("{table}{RESULTS}\n"), 1)
}

const RESULTS: &str = r#"Ticket_Results__c = { from = "custom.results", create = { type = "MultiselectPicklist", values = ["Question", "Task", "Problem", "Incident", "Praise"] } }"#;

/// What cannot migrate stands in a document, each with what Salesforce has instead.
fn handed_over(scene: &Scene, report: &Report) {
    let line = report
        .phases
        .iter()
        .find(|p| p.phase == "unclaimed-inventory")
        .unwrap();
    assert!(line.skipped > 0, "{line:?}");
    let reasons = report.reasons.iter().filter(|r| r.phase == line.phase);
    let reasons: Vec<_> = reasons.map(|r| (r.reason.as_str(), r.count)).collect();
    assert_eq!(reasons, [("handed-over", line.read)]);

    let workspace = scene.folder.path().join("workspace");
    let targets = Workspace::look(&workspace).unwrap().targets().unwrap();
    let folder = targets[0].join("handoff");
    let text = std::fs::read(folder.join("inventory.json")).unwrap();
    let inventory: Inventory = serde_json::from_slice(&text).unwrap();
    assert_eq!(inventory.len() as u64, line.read);
    let channels = inventory
        .groups
        .iter()
        .find(|group| group.kind == InventoryKind::Channel)
        .unwrap();
    let instead = &channels.counterpart.as_ref().unwrap().name;
    assert!(instead.contains("Messaging Channel"), "{instead}");
    let page = std::fs::read_to_string(folder.join("inventory.html")).unwrap();
    assert!(page.contains(&format!("Recommended: {instead}")));
    let told = std::fs::read_to_string(targets[0].join("report.html")).unwrap();
    assert!(
        told.contains(r#"<a href="handoff&#x2f;inventory.html">"#),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trengo_is_moved_exactly_and_with_the_fewest_requests() {
    let scene = Scene::new(WorldSpec::new(7, ALL_SCENARIOS).with_channels().knowledge()).await;
    let migration = scene.migration(TOKEN, Take::Skip);
    let report = migration.run(&Context::new()).await.unwrap();
    assert!(report.complete, "{}", report.summary());
    let differences = scene.differences(false);
    assert!(differences.is_empty(), "{differences:#?}");
    let verified = migration.verify(&Context::new()).await.unwrap();
    assert!(verified.verified(), "{}", verified.summary());
    handed_over(&scene, &report);

    let least = scene.desk.least_requests(LeastOptions::default()).total();
    let used = report
        .usage
        .iter()
        .find(|u| u.platform == "trengo")
        .unwrap();
    let allowed = least + (least / 50).max(2);
    assert!(used.requests <= allowed, "{used:?}, the least is {least}");
    assert_eq!(used.least, Some(least));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_revoked_in_the_middle_is_replaced_and_nothing_is_lost_or_doubled() {
    let scene = Scene::new(WorldSpec::new(9, ALL_SCENARIOS).hostile()).await;
    scene.desk.faults().push(
        Rule::new(Action::Status {
            code: 401,
            headers: Vec::new(),
            body: r#"{"message":"Unauthenticated.","errors":[]}"#.to_owned(),
            content_type: None,
        })
        .path("/messages")
        .skip(20),
    );
    let error = scene
        .migration(TOKEN, Take::Include)
        .run(&Context::new())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Credentials);
    scene.desk.faults().clear();
    scene.desk.replace_token("a-new-token");
    let report = scene
        .migration("a-new-token", Take::Include)
        .resume(&Context::new())
        .await
        .unwrap();
    assert!(report.complete, "{}", report.summary());
    let differences = scene.differences(true);
    assert!(differences.is_empty(), "{differences:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_and_moved_to_other_folders_it_loses_and_doubles_nothing() {
    let scene = Scene::new(WorldSpec::new(7, ALL_SCENARIOS).with_channels()).await;
    let slow = Action::Delay { ms: 15 };
    scene.org.faults().push(Rule::new(slow).method("POST"));
    let mut workspace = scene.folder.path().join("workspace");
    let (mut random, mut verb) = (13_u64, "run");
    for kill in 0..6 {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let requests = 20 + (random >> 33) % 120;
        let program = scene.program(&workspace);
        let seen = || scene.requests();
        let ended = program.killed_once(seen, requests, &[verb]).await;
        if ended.code == Some(0) {
            break;
        }
        assert_eq!(ended.code, None, "{}", ended.output);
        // As if another machine went on with a copy.
        let moved = scene.folder.path().join(format!("workspace-{kill}"));
        std::fs::rename(&workspace, &moved).unwrap();
        workspace = moved;
        if workspace.join("targets").exists() {
            verb = "resume";
        }
    }
    scene.org.faults().clear();
    let ended = scene.program(&workspace).run(&[verb]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.output);
    let differences = scene.differences(false);
    assert!(differences.is_empty(), "{differences:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_before_anything_was_read_tells_what_reading_takes() {
    let scene = Scene::new(WorldSpec::new(7, ALL_SCENARIOS)).await;
    let workspace = scene.folder.path().join("workspace");
    let planned = scene.program(&workspace).run(&["plan"]).await;
    assert_eq!(planned.code, Some(0), "{}", planned.output);
    for shown in [
        "Nothing was read yet",
        "mails in full",
        "assumed: ",
        "reading.json",
    ] {
        assert!(
            planned.output.contains(shown),
            "{shown}: {}",
            planned.output
        );
    }
    let text = std::fs::read(workspace.join("reading.json")).unwrap();
    let told: Estimate = serde_json::from_slice(&text).unwrap();
    let least = scene.desk.least_requests(LeastOptions::default()).total();
    let requests = told.requests().least;
    assert!(
        requests.abs_diff(least) * 20 <= least,
        "{requests} were told, {least} are needed"
    );
    assert_eq!(
        scene.org.requests().total,
        0,
        "a plan asks no org before the read"
    );
    let read = scene.program(&workspace).run(&["discover", "-q"]).await;
    assert_eq!(read.code, Some(0), "{}", read.output);
    let planned = scene.program(&workspace).run(&["plan"]).await;
    assert!(
        planned.output.contains("everything was read"),
        "{}",
        planned.output
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_of_surveys_stand_in_the_cases() {
    let scene = Scene::new(WorldSpec::new(7, ALL_SCENARIOS)).await;
    let table = scene.folder.path().join("csat.csv");
    std::fs::write(&table, scene.desk.survey()).unwrap();
    let config = TrengoConfig::builder(TOKEN).url(scene.desk.url());
    let migration = scene.migration_by(config.satisfaction(&table), &mapping());
    let report = migration.run(&Context::new()).await.unwrap();
    assert!(report.complete, "{}", report.summary());
    assert!(scene.desk.survey().lines().count() > 1);
    let differences = scene.judged_as(Judged::default().surveyed(), false);
    assert!(differences.is_empty(), "{differences:#?}");
    let without = scene.differences(false);
    assert!(!without.is_empty(), "the oracle looks at them");
}

#[tokio::test(flavor = "multi_thread")]
async fn notes_become_internal_records_of_their_own_by_choice() {
    let apart = mapping().replace(
        "notes = \"case-comment\"",
        "notes = \"conversation-message\"",
    );
    assert_ne!(apart, mapping());
    let scene = Scene::mapped(WorldSpec::new(7, ALL_SCENARIOS), &apart).await;
    let config = TrengoConfig::builder(TOKEN).url(scene.desk.url());
    let migration = scene.migration_by(config, &apart);
    let report = migration.run(&Context::new()).await.unwrap();
    assert!(report.complete, "{}", report.summary());
    let notes = scene
        .desk
        .world()
        .conversations()
        .filter(|talk| talk.state == ConversationState::Active && talk.merged_into.is_none())
        .flat_map(|talk| talk.into_owned().messages)
        .filter(|message| {
            matches!(message.kind, MessageKind::Note { .. }) && !message.is_elsewhere()
        });
    let stand = scene.org.dump("Conversation_Message__c").unwrap();
    assert_eq!(stand.len(), notes.count());
    assert!(!stand.is_empty());
    let verified = migration.verify(&Context::new()).await.unwrap();
    assert!(verified.verified(), "{}", verified.summary());
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_of_tickets_are_left_to_the_mapping_and_those_of_agents_are_a_table() {
    let scene = Scene::new(WorldSpec::new(7, ALL_SCENARIOS)).await;
    let config = TrengoConfig::builder(TOKEN)
        .url(scene.desk.url())
        .report_months(240)
        .ticket_figures(Take::Include);
    let report = scene
        .migration_by(config, &mapping())
        .run(&Context::new())
        .await;
    let report = report.unwrap();
    assert!(report.complete, "{}", report.summary());
    let reasons: Vec<_> = report
        .reasons
        .iter()
        .filter(|r| r.phase == "objects")
        .collect();
    assert!(
        reasons.iter().all(|r| r.reason == "not-mapped") && !reasons.is_empty(),
        "{reasons:?}"
    );
    let differences = scene.differences(false);
    assert!(differences.is_empty(), "{differences:#?}");
    let workspace = scene.folder.path().join("workspace");
    let targets = Workspace::look(&workspace).unwrap().targets().unwrap();
    let found = walk(&targets[0], "agent-statistics.csv");
    let table = std::fs::read_to_string(found.expect("a table")).unwrap();
    assert!(
        table.contains("assigned_tickets") && table.lines().count() > 2,
        "{table}"
    );
}

/// A file of this name, somewhere in a folder.
fn walk(folder: &Path, name: &str) -> Option<std::path::PathBuf> {
    std::fs::read_dir(folder)
        .unwrap()
        .flatten()
        .find_map(|entry| {
            let path = entry.path();
            match path.is_dir() {
                true => walk(&path, name),
                false => (entry.file_name() == name).then_some(path),
            }
        })
}
