//! Whole migrations from a local Kustomer.

use std::sync::Arc;

use deskferry::kustomer::{Kustomer, KustomerConfig, MessageReads};
use deskferry::migration::{Migration, Workspace};
use deskferry::owners::Undecided;
use deskferry::rehearsal::fault::{Action, Rule};
use deskferry::rehearsal::kustomer::{Kustomer as Desk, KustomerOptions};
use deskferry::rehearsal::oracle::{Difference, Kustomer as Judged, Oracle, OracleOptions};
use deskferry::rehearsal::org::Org;
use deskferry::rehearsal::world::{Content, WorldSpec};
use deskferry::salesforce::{Mapping, Salesforce, SalesforceConfig};
use deskferry::{Context, Source};
use tempfile::TempDir;

use super::program::Program;
use super::scene::{ALL_SCENARIOS, gate, mapping_text, org_options, patient};

struct Scene {
    desk: Desk,
    org: Org,
    folder: TempDir,
    reads: MessageReads,
}

impl Scene {
    async fn new(spec: WorldSpec) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = KustomerOptions::default();
        options.content = Content::Made(spec);
        let desk = Desk::start(options).await.unwrap();
        let options = org_options(&folder.path().join("org"), desk.world());
        let org = Org::start(options).await.unwrap();
        let workspace = folder.path().join("workspace");
        std::fs::create_dir_all(&workspace).unwrap();
        std::fs::write(workspace.join("mapping.toml"), mapping()).unwrap();
        Self {
            desk,
            org,
            folder,
            reads: MessageReads::Conversation,
        }
    }

    fn reading(mut self, reads: MessageReads) -> Self {
        self.reads = reads;
        self
    }

    fn source(&self) -> Arc<dyn Source> {
        let config = KustomerConfig::builder(self.desk.url(), "rehearsal-key")
            .messages(self.reads)
            .requests_per_minute(600_000)
            .searches_per_minute(600_000)
            .build()
            .unwrap();
        Arc::new(Kustomer::new(config).unwrap())
    }

    fn migration(&self) -> Migration {
        let settings = self.org.settings();
        let config = SalesforceConfig::builder(self.org.url())
            .client_credentials(settings.client_id.clone(), settings.client_secret.0.clone())
            .landing_window(std::time::Duration::from_millis(200))
            .retry(patient())
            .build()
            .unwrap();
        let sink = Salesforce::new(config, Mapping::parse(&mapping()).unwrap()).unwrap();
        let workspace = Workspace::open(&self.folder.path().join("workspace")).unwrap();
        Migration::new(workspace, self.source(), Arc::new(sink))
            .undecided(Undecided::Legacy)
            .gate(gate())
    }

    fn differences(&self) -> Vec<Difference> {
        let options = OracleOptions::new(Desk::org_id(), self.org.user_id()).platform(Judged);
        Oracle::new(options)
            .compare(self.desk.world(), &self.org)
            .unwrap()
    }
}

/// The shipped mapping with the world's fields by the names of their attributes.
pub(crate) fn mapping() -> String {
    [
        ("tier", "tierStr"),
        ("product_area", "productAreaStr"),
        ("serial_number", "serialNumberStr"),
        ("affected_parts", "affectedPartsStr"),
        ("purchase_date", "purchaseDateAt"),
        ("under_warranty", "underWarrantyBool"),
        ("repair_cost", "repairCostNum"),
        ("customer_since", "customerSinceAt"),
        ("vip", "vipBool"),
    ]
    .into_iter()
    .fold(mapping_text(), |text, (key, attribute)| {
        text.replace(&format!("custom.{key}\""), &format!("custom.{attribute}\""))
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kustomer_is_moved_exactly_and_with_the_fewest_requests() {
    for reads in [MessageReads::Conversation, MessageReads::Search] {
        moved_exactly(reads).await;
    }
}

async fn moved_exactly(reads: MessageReads) {
    let spec = WorldSpec::new(7, ALL_SCENARIOS)
        .with_objects()
        .with_channels()
        .knowledge();
    let scene = Scene::new(spec).await.reading(reads);
    let report = scene.migration().run(&Context::new()).await.unwrap();
    assert!(report.complete, "{}", report.summary());
    let differences = scene.differences();
    assert!(differences.is_empty(), "{differences:#?}");
    let verified = scene.migration().verify(&Context::new()).await.unwrap();
    assert!(verified.verified(), "{}", verified.summary());

    let least = match reads {
        MessageReads::Search => scene.desk.least_requests_by_search(),
        _ => scene.desk.least_requests(),
    };
    let least = least.total();
    let used = report
        .usage
        .iter()
        .find(|u| u.platform == "kustomer")
        .unwrap();
    let allowed = least + (least / 50).max(5);
    assert!(used.requests <= allowed, "{used:?}, the least is {least}");
    assert_eq!(used.least, Some(least));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_changed_in_the_org_is_found() {
    let scene = Scene::new(WorldSpec::new(3, 12)).await;
    scene.migration().run(&Context::new()).await.unwrap();
    assert!(scene.differences().is_empty());
    let other = Scene::new(WorldSpec::new(4, 12)).await;
    let options = OracleOptions::new(Desk::org_id(), scene.org.user_id()).platform(Judged);
    let found = Oracle::new(options)
        .compare(other.desk.world(), &scene.org)
        .unwrap();
    assert!(!found.is_empty(), "another world is another world");
}

/// As a person would: read, plan, take the proposed tables into the mapping, load, take back.
#[tokio::test(flavor = "multi_thread")]
async fn custom_objects_are_proposed_loaded_and_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = folder.path().join("w");
    let name = workspace.to_string_lossy().into_owned();
    let perform = |args: &'static [&'static str]| {
        let args = [args, &["--workspace", &name]].concat().join(" ");
        async move {
            let args: Vec<&str> = args.split(' ').collect();
            let program = Program::alone().example("kustomer_to_salesforce");
            let ended = program.run(&args).await;
            assert_eq!(ended.code, Some(0), "{}", ended.output);
            ended.output
        }
    };
    perform(&["discover", "--conversations", "60"]).await;
    let planned = perform(&["plan"]).await;
    assert!(planned.contains("objects.toml"), "{planned}");
    let mapping = workspace.join("mapping.toml");
    let own = std::fs::read_to_string(workspace.join("plan/objects.toml")).unwrap();
    let text = std::fs::read_to_string(&mapping).unwrap() + &own;
    std::fs::write(&mapping, text).unwrap();

    let loaded = perform(&["run"]).await;
    assert!(loaded.contains(" 0 different"), "{loaded}");
    assert!(loaded.contains("oracle: 0 differences"), "{loaded}");
    let removed = perform(&["rollback", "--yes"]).await;
    for object in ["Order__c", "Order_Line__c", "Order_AboutId__c", "Case"] {
        let line = removed
            .lines()
            .find(|line| line.starts_with(&format!("{object} ")));
        let counts: Vec<u64> = line
            .unwrap_or_else(|| panic!("{object} is missing:\n{removed}"))
            .split_whitespace()
            .filter_map(|word| word.parse().ok())
            .collect();
        assert!(counts[0] > 0 && counts[0] == counts[1], "{removed}");
    }
}

/// Kills the program when both platforms have seen a number of requests that a small generator draws, between request and
/// answer, then lets it finish.
#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_places_nothing_is_lost_or_doubled() {
    for reads in ["conversation", "search"] {
        let scene = Scene::new(WorldSpec::new(7, ALL_SCENARIOS).with_objects()).await;
        let settings = scene.org.settings();
        let mapping = scene.folder.path().join("workspace/mapping.toml");
        assert!(mapping.exists());
        let program = || {
            Program::alone()
                .example("kustomer_to_salesforce")
                .workspace(scene.folder.path().join("workspace"))
                .env("KUSTOMER_URL", scene.desk.url())
                .env("KUSTOMER_KEY", "rehearsal-key")
                .env("KUSTOMER_RATE", "600000")
                .env("KUSTOMER_SEARCH_RATE", "600000")
                .env("KUSTOMER_MESSAGES", reads)
                .env("SALESFORCE_URL", scene.org.url())
                .env("SALESFORCE_CLIENT_ID", settings.client_id.clone())
                .env("SALESFORCE_CLIENT_SECRET", settings.client_secret.0.clone())
                .env("SALESFORCE_LANDING_WINDOW", "1")
                .env("DESKFERRY_UNDECIDED", "legacy")
                .env("DESKFERRY_ORG_IS", "local")
        };
        let late = Rule::new(Action::Delay { ms: 15 }).method("POST");
        scene.org.faults().push(late.clone());
        scene.desk.faults().push(late);
        let seen = || scene.desk.requests().total + scene.org.requests().total;
        let (mut random, mut verb, mut kills) = (11_u64, "run", 0);
        for _ in 0..5 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let requests = 5 + (random >> 33) % 120;
            let ended = program().killed_once(seen, requests, &[verb]).await;
            if ended.code == Some(0) {
                break;
            }
            assert_eq!(ended.code, None, "killed, not ended:\n{}", ended.output);
            kills += 1;
            if scene.folder.path().join("workspace/targets").exists() {
                verb = "resume";
            }
        }
        assert!(kills > 1, "it was over too soon");
        scene.org.faults().clear();
        scene.desk.faults().clear();
        let ended = program().run(&[verb]).await;
        assert_eq!(ended.code, Some(0), "{}", ended.output);
        let differences = scene.differences();
        assert!(differences.is_empty(), "{differences:#?}");
    }
}
