//! Whole migrations from a local Trengo.

use std::sync::Arc;

use deskferry::migration::{Migration, Workspace};
use deskferry::model::InventoryKind;
use deskferry::owners::Undecided;
use deskferry::rehearsal::fault::{Action, Rule};
use deskferry::rehearsal::oracle::{Difference, Oracle, OracleOptions, Trengo as Judged};
use deskferry::rehearsal::org::Org;
use deskferry::rehearsal::trengo::{LeastOptions, TOKEN, Trengo as Desk, TrengoOptions};
use deskferry::rehearsal::world::{Content, WorldSpec};
use deskferry::report::{Inventory, Report};
use deskferry::salesforce::{Mapping, Salesforce, SalesforceConfig};
use deskferry::trengo::{Take, Trengo, TrengoConfig};
use deskferry::{Context, ErrorKind};
use tempfile::TempDir;

use super::scene::{ALL_SCENARIOS, gate, mapping_text, org_options, patient};

struct Scene {
    desk: Desk,
    org: Org,
    folder: TempDir,
}

impl Scene {
    async fn new(spec: WorldSpec) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = TrengoOptions::default();
        options.content = Content::Made(spec);
        let desk = Desk::start(options).await.unwrap();
        let options = org_options(&folder.path().join("org"), desk.world());
        let org = Org::start(options).await.unwrap();
        let workspace = folder.path().join("workspace");
        std::fs::create_dir_all(&workspace).unwrap();
        std::fs::write(workspace.join("mapping.toml"), mapping()).unwrap();
        Self { desk, org, folder }
    }

    fn migration(&self, token: &str, spam: Take) -> Migration {
        let settings = self.org.settings();
        let config = SalesforceConfig::builder(self.org.url())
            .client_credentials(settings.client_id.clone(), settings.client_secret.0.clone())
            .landing_window(std::time::Duration::from_millis(200))
            .retry(patient())
            .build()
            .unwrap();
        let sink = Salesforce::new(config, Mapping::parse(&mapping()).unwrap()).unwrap();
        let config = TrengoConfig::builder(token)
            .url(self.desk.url())
            .spam(spam)
            .build()
            .unwrap();
        let source = Trengo::with_retry(config, patient()).unwrap();
        let workspace = Workspace::open(&self.folder.path().join("workspace")).unwrap();
        Migration::new(workspace, Arc::new(source), Arc::new(sink))
            .undecided(Undecided::Legacy)
            .gate(gate())
    }

    fn differences(&self, spam: bool) -> Vec<Difference> {
        let mut options = OracleOptions::new("4711", self.org.user_id()).platform(Judged::default());
        options.email_originals = false;
        options.merged = false;
        options.merged_into = false;
        options.suspended = spam;
        Oracle::new(options)
            .compare(self.desk.world(), &self.org)
            .unwrap()
    }
}

/// The shipped mapping with the world's fields by number: their titles repeat.
pub(crate) fn mapping() -> String {
    [
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
    })
}

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
