//! Whole migrations from deliveries of ASAPP.

use std::sync::Arc;
use std::time::Duration;

use deskferry::Context;
use deskferry::asapp::{Asapp, AsappConfig};
use deskferry::migration::{Migration, Workspace};
use deskferry::owners::Undecided;
use deskferry::rehearsal::asapp::{AsappOptions, Exports, write};
use deskferry::rehearsal::oracle::{Asapp as Judged, Difference, Oracle, OracleOptions};
use deskferry::rehearsal::org::Org;
use deskferry::rehearsal::world::{World, WorldSpec};
use deskferry::salesforce::{Mapping, Salesforce, SalesforceConfig};
use tempfile::TempDir;

use super::scene::{ALL_SCENARIOS, gate, org_options, patient};

struct Scene {
    world: World,
    exports: Exports,
    org: Org,
    folder: TempDir,
}

impl Scene {
    async fn new(spec: WorldSpec, hostile: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let world = World::generate(spec);
        let mut options = AsappOptions::default();
        options.hostile = hostile;
        let exports = write(folder.path(), &world, &options).unwrap();
        let options = org_options(&folder.path().join("org"), &world);
        let org = Org::start(options).await.unwrap();
        let workspace = folder.path().join("workspace");
        std::fs::create_dir_all(&workspace).unwrap();
        std::fs::write(workspace.join("mapping.toml"), Mapping::default_text()).unwrap();
        Self {
            world,
            exports,
            org,
            folder,
        }
    }

    fn migration(&self) -> Migration {
        let config = AsappConfig::builder("acme", &self.exports.tree)
            .customers(&self.exports.customers)
            .agents(&self.exports.agents)
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
        let sink = Salesforce::new(sink, Mapping::parse(Mapping::default_text()).unwrap()).unwrap();
        let workspace = Workspace::open(&self.folder.path().join("workspace")).unwrap();
        Migration::new(
            workspace,
            Arc::new(Asapp::new(config).unwrap()),
            Arc::new(sink),
        )
        .undecided(Undecided::Legacy)
        .gate(gate())
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
    let other = World::generate(WorldSpec::new(8, ALL_SCENARIOS));
    assert!(
        !scene.differences(&other).is_empty(),
        "another world is another world"
    );
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
