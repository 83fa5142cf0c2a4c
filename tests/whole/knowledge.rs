//! Help centres of every helpdesk that has one, moved into a local org with Knowledge.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use deskferry::kayako::{Kayako, KayakoConfig};
use deskferry::kustomer::{Kustomer, KustomerConfig};
use deskferry::migration::{self, Migration, Workspace};
use deskferry::owners::Undecided;
use deskferry::rehearsal::oracle::{self, Oracle, OracleOptions};
use deskferry::rehearsal::org::{KnowledgeSettings, Org};
use deskferry::rehearsal::world::{Content, World, WorldSpec};
use deskferry::rehearsal::{kayako, kustomer, trengo};
use deskferry::salesforce::{Mapping, Salesforce, SalesforceConfig, metadata};
use deskferry::trengo::{Trengo, TrengoConfig};
use deskferry::{Context, Source};

use super::scene::{gate, mapping_text, org_options_for, patient};

pub(super) fn content() -> Content {
    Content::Made(WorldSpec::new(3, 12).knowledge())
}

/// The mapping of a rehearsal that loads articles.
fn with_articles(mapping: &str) -> String {
    let on = "articles = \"knowledge\"\narticle_hosts = [\"acme.trengo.help\"]";
    mapping.replace("articles = \"leave\"", on)
}

/// Loads, asks the oracle, verifies, and looks what the package makes.
pub(super) async fn moved(
    source: Arc<dyn Source>,
    world: &World,
    mapping: &str,
    judged: impl Fn(String) -> OracleOptions,
) {
    let mapping = with_articles(mapping);
    let folder = tempfile::tempdir().unwrap();
    let group = judged(String::new()).categories(world);
    let names: BTreeSet<String> = group.categories.iter().map(|c| c.name.clone()).collect();
    let options = org_options_for(&folder.path().join("org"), world, &mapping)
        .knowledge(KnowledgeSettings::new(["en_US", "nl_NL", "de"]).group(group));
    let org = Org::start(options).await.unwrap();
    let workspace = folder.path().join("workspace");
    std::fs::create_dir_all(&workspace).unwrap();
    std::fs::write(workspace.join("mapping.toml"), &mapping).unwrap();
    let migration = || {
        let settings = org.settings();
        let config = SalesforceConfig::builder(org.url())
            .client_credentials(settings.client_id.clone(), settings.client_secret.0.clone())
            .landing_window(std::time::Duration::from_millis(200))
            .retry(patient())
            .build()
            .unwrap();
        let sink = Salesforce::new(config, Mapping::parse(&mapping).unwrap()).unwrap();
        Migration::new(
            Workspace::open(&workspace).unwrap(),
            Arc::clone(&source),
            Arc::new(sink),
        )
        .undecided(Undecided::Legacy)
        .gate(gate())
    };
    let report = migration().run(&Context::new()).await.unwrap();
    assert!(report.complete, "{}", report.summary());
    let options = judged(org.user_id()).knowledge();
    let oracle = Oracle::new(options);
    let differences = oracle.compare(world, &org).unwrap();
    assert!(differences.is_empty(), "{}", text(&differences));
    let other = Content::Made(WorldSpec::new(4, 12).knowledge())
        .world()
        .unwrap();
    let differences = oracle.compare(&other, &org).unwrap();
    let of_articles = |one: &&oracle::Difference| one.object == "Knowledge__kav";
    assert!(
        differences.iter().any(|one| of_articles(&one)),
        "another help centre is another"
    );
    let verified = migration().verify(&Context::new()).await.unwrap();
    assert!(verified.verified(), "{}", verified.summary());
    assert_eq!(
        packaged(&workspace, &Mapping::parse(&mapping).unwrap()).await,
        names,
        "the package makes what the load names"
    );
}

fn text(differences: &[oracle::Difference]) -> String {
    let lines = differences.iter().take(20).map(|one| format!("{one}\n"));
    lines.collect()
}

/// The categories of the package that an administrator installs.
async fn packaged(workspace: &Path, mapping: &Mapping) -> BTreeSet<String> {
    let workspace = Workspace::open(workspace).unwrap();
    let found = migration::definitions(&Context::new(), &workspace)
        .await
        .unwrap();
    let package = metadata::package_with(mapping, &found.categories).unwrap();
    let group = package
        .iter()
        .find(|file| file.path.starts_with("datacategorygroups/"))
        .unwrap();
    let names = group.content.split("<name>").skip(1);
    names
        .filter_map(|rest| rest.split('<').next())
        .map(str::to_owned)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_help_centre_of_a_kayako_is_moved_exactly() {
    let mut options = kayako::KayakoOptions::default();
    options.content = content();
    let desk = kayako::Kayako::start(options).await.unwrap();
    let config = KayakoConfig::builder(desk.url(), "admin@acme.example", "rehearsal")
        .requests_per_minute(600_000)
        .email_headers(true)
        .build()
        .unwrap();
    let judged = |legacy: String| {
        let mut options = OracleOptions::new("acme", legacy);
        options.tolerated_keys.insert("custom.legacy_id".to_owned());
        options
    };
    moved(
        Arc::new(Kayako::new(config).unwrap()),
        desk.world(),
        &mapping_text(),
        judged,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_help_centre_of_a_kustomer_is_moved_exactly() {
    let mut options = kustomer::KustomerOptions::default();
    options.content = content();
    let desk = kustomer::Kustomer::start(options).await.unwrap();
    let config = KustomerConfig::builder(desk.url(), "rehearsal-key")
        .requests_per_minute(600_000)
        .searches_per_minute(600_000)
        .build()
        .unwrap();
    let judged = |legacy: String| {
        OracleOptions::new(kustomer::Kustomer::org_id(), legacy).platform(oracle::Kustomer)
    };
    moved(
        Arc::new(Kustomer::new(config).unwrap()),
        desk.world(),
        &super::kustomer::mapping(),
        judged,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_help_centre_of_a_trengo_is_moved_exactly() {
    let mut options = trengo::TrengoOptions::default();
    options.content = content();
    let desk = trengo::Trengo::start(options).await.unwrap();
    let config = TrengoConfig::builder(trengo::TOKEN)
        .url(desk.url())
        .build()
        .unwrap();
    let judged = |legacy: String| {
        let mut options = OracleOptions::new("4711", legacy).platform(oracle::Trengo::default());
        options.email_originals = false;
        options.merged = false;
        options.merged_into = false;
        // Its fields have numbers, and no lines in this mapping.
        options
            .tolerated_keys
            .extend((0..100).map(|n| format!("custom.{n}")));
        options
    };
    let source = Trengo::with_retry(config, patient()).unwrap();
    moved(
        Arc::new(source),
        desk.world(),
        &super::trengo::mapping(),
        judged,
    )
    .await;
}
