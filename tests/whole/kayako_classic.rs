//! Whole migrations from a local Kayako Classic.

use std::sync::Arc;

use deskferry::kayako::{Classic, ClassicConfig, Dates};
use deskferry::migration::{Migration, Workspace};
use deskferry::owners::Undecided;
use deskferry::rehearsal::kayako_classic::{Classic as Desk, ClassicOptions};
use deskferry::rehearsal::oracle::{Difference, KayakoClassic as Judged, Oracle, OracleOptions};
use deskferry::rehearsal::org::Org;
use deskferry::rehearsal::world::{Content, ConversationState, MessageKind, WorldSpec};
use deskferry::report::Report;
use deskferry::salesforce::{Mapping, Salesforce, SalesforceConfig};
use deskferry::{Context, Source};
use tempfile::TempDir;

use super::program::Program;
use super::scene::{ALL_SCENARIOS, gate, org_options, patient};

struct Scene {
    desk: Desk,
    org: Org,
    folder: TempDir,
}

impl Scene {
    async fn new(spec: WorldSpec, change: impl FnOnce(&mut ClassicOptions)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = ClassicOptions::default();
        options.content = Content::Made(spec);
        change(&mut options);
        let desk = Desk::start(options).await.unwrap();
        let options = org_options(&folder.path().join("org"), desk.world());
        let org = Org::start(options).await.unwrap();
        let workspace = folder.path().join("workspace");
        std::fs::create_dir_all(&workspace).unwrap();
        std::fs::write(workspace.join("mapping.toml"), Mapping::default_text()).unwrap();
        Self { desk, org, folder }
    }

    fn source(&self) -> Arc<dyn Source> {
        let config = ClassicConfig::builder(self.desk.url(), "rehearsal-key", "rehearsal-secret")
            .instance("acme")
            .dates(Dates::MonthFirst)
            .requests_per_minute(600_000)
            .build()
            .unwrap();
        Arc::new(Classic::with_retry(config, patient()).unwrap())
    }

    fn migration(&self) -> Migration {
        let settings = self.org.settings();
        let config = SalesforceConfig::builder(self.org.url())
            .client_credentials(settings.client_id.clone(), settings.client_secret.0.clone())
            .landing_window(std::time::Duration::from_millis(200))
            .retry(patient())
            .build()
            .unwrap();
        let sink =
            Salesforce::new(config, Mapping::parse(Mapping::default_text()).unwrap()).unwrap();
        let workspace = Workspace::open(&self.folder.path().join("workspace")).unwrap();
        Migration::new(workspace, self.source(), Arc::new(sink))
            .undecided(Undecided::Legacy)
            .gate(gate())
    }

    fn differences(&self) -> Vec<Difference> {
        let mut options = OracleOptions::new("acme", self.org.user_id()).platform(Judged);
        options.email_originals = false;
        options.merged = false;
        options.merged_into = false;
        Oracle::new(options)
            .compare(self.desk.world(), &self.org)
            .unwrap()
    }

    fn assert_frugal(&self, report: &Report) {
        let least = self.desk.least_requests().total();
        let used = report
            .usage
            .iter()
            .find(|used| used.platform == "kayako-classic")
            .unwrap();
        let allowed = least + (least / 20).max(5);
        assert!(used.requests <= allowed, "{used:?}, the least is {least}");
        assert_eq!(used.least, Some(least));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kayako_classic_is_moved_exactly_and_with_the_fewest_requests() {
    let scene = Scene::new(WorldSpec::new(7, ALL_SCENARIOS).knowledge(), |_| {}).await;
    let report = scene.migration().run(&Context::new()).await.unwrap();
    assert!(report.complete, "{}", report.summary());
    let differences = scene.differences();
    assert!(differences.is_empty(), "{differences:#?}");
    let verified = scene.migration().verify(&Context::new()).await.unwrap();
    assert!(verified.verified(), "{}", verified.summary());
    scene.assert_frugal(&report);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_must_not_happen_but_does_costs_a_kayako_classic_nothing_else() {
    let scene = Scene::new(WorldSpec::new(9, ALL_SCENARIOS).hostile(), |options| {
        options.warnings = true;
        options.start_is_number = true;
    })
    .await;
    let report = scene.migration().run(&Context::new()).await.unwrap();
    assert!(report.complete, "{}", report.summary());
    let differences = scene.differences();
    assert!(differences.is_empty(), "{differences:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delta_of_a_kayako_classic_brings_what_is_new_and_no_more() {
    let scene = Scene::new(WorldSpec::new(3, 24), |_| {}).await;
    scene.migration().run(&Context::new()).await.unwrap();
    assert!(scene.differences().is_empty());
    let asked = scene.desk.requests().total;
    let nothing = scene.migration().delta(&Context::new()).await.unwrap();
    assert!(
        nothing.complete && nothing.changed.is_empty(),
        "{}",
        nothing.summary()
    );
    assert!(
        scene.desk.requests().total - asked < 40,
        "lists and no tickets"
    );

    let world = scene.desk.world();
    let talk = world.conversations().find(|c| {
        let said = c
            .messages
            .iter()
            .any(|m| matches!(m.kind, MessageKind::Chat));
        said && c.state == ConversationState::Active && c.merged_into.is_none()
    });
    let talk = talk.expect("somebody chats").into_owned();
    let mut more = talk.messages.last().unwrap().clone();
    more.id = 9_999_999;
    more.sent = chrono::Utc::now();
    more.files.clear();
    more.images.clear();
    scene.desk.add(talk.id, more).unwrap();
    let report = scene.migration().delta(&Context::new()).await.unwrap();
    assert!(report.complete, "{}", report.summary());
    let differences = scene.differences();
    let new: Vec<_> = differences
        .iter()
        .map(|d| (d.object.as_str(), d.field.as_str()))
        .collect();
    assert_eq!(new, [("CaseComment", "row")], "{differences:?}");
    let verified = scene.migration().verify(&Context::new()).await.unwrap();
    assert!(verified.verified(), "{}", verified.summary());
}

/// As a person would: load, take back, load again.
#[tokio::test(flavor = "multi_thread")]
async fn a_kayako_classic_is_taken_back_and_loaded_again() {
    let folder = tempfile::tempdir().unwrap();
    let name = folder.path().join("w").to_string_lossy().into_owned();
    let perform = |verb: &'static str| {
        let line = format!("{verb} --workspace {name}");
        async move {
            let program = Program::alone().example("kayako_classic_to_salesforce");
            let args: Vec<&str> = line.split(' ').collect();
            let ended = program.run(&args).await;
            assert_eq!(ended.code, Some(0), "{}", ended.output);
            ended.output
        }
    };
    let loaded = perform("run --conversations 24").await;
    assert!(loaded.contains("oracle: 0 differences"), "{loaded}");
    let removed = perform("rollback --yes").await;
    let line = removed.lines().find(|line| line.starts_with("Case "));
    assert!(line.is_some(), "{removed}");
    let again = perform("run --conversations 24").await;
    assert!(again.contains("oracle: 0 differences"), "{again}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_knowledge_base_of_a_kayako_classic_is_moved_exactly() {
    let mut options = ClassicOptions::default();
    options.content = super::knowledge::content();
    let desk = Desk::start(options).await.unwrap();
    let config = ClassicConfig::builder(desk.url(), "rehearsal-key", "rehearsal-secret")
        .instance("acme")
        .dates(Dates::MonthFirst)
        .requests_per_minute(600_000)
        .build()
        .unwrap();
    let judged = |legacy: String| {
        let mut options = OracleOptions::new("acme", legacy).platform(Judged);
        options.email_originals = false;
        options.merged = false;
        options.merged_into = false;
        options
    };
    super::knowledge::moved(
        Arc::new(Classic::with_retry(config, patient()).unwrap()),
        desk.world(),
        Mapping::default_text(),
        judged,
    )
    .await;
}
