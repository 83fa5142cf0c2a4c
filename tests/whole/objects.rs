//! Whole migrations by the choices of the mapping: leads, posts, calls, figures of agents.

use std::sync::Arc;
use std::time::Duration;

use deskferry::Context;
use deskferry::asapp::{Asapp, AsappConfig};
use deskferry::kustomer::{Kustomer, KustomerConfig};
use deskferry::migration::{Migration, Rollback, Workspace};
use deskferry::owners::Undecided;
use deskferry::rehearsal::asapp::{AsappOptions, handled, write};
use deskferry::rehearsal::kayako::{Content, Kayako as LocalKayako, KayakoOptions};
use deskferry::rehearsal::kustomer::{Kustomer as LocalKustomer, KustomerOptions};
use deskferry::rehearsal::oracle::{Kustomer as Judged, Oracle, OracleOptions};
use deskferry::rehearsal::org::Org;
use deskferry::rehearsal::world::{Content as Made, World, WorldSpec};
use deskferry::salesforce::{Mapping, Salesforce, SalesforceConfig};
use deskferry::source::Source;
use tempfile::TempDir;

use super::scene::{ALL_SCENARIOS, Scene, gate, mapping_text, org_options_for, patient};

/// A mapping with these lines of its policy turned on.
fn choosing(mut mapping: String, lines: &[(&str, &str)]) -> String {
    for (shipped, chosen) in lines {
        assert!(mapping.contains(shipped), "{shipped}");
        mapping = mapping.replacen(shipped, chosen, 1);
    }
    mapping
}

fn migration(folder: &TempDir, org: &Org, source: Arc<dyn Source>, mapping: &str) -> Migration {
    let settings = org.settings();
    let sink = SalesforceConfig::builder(org.url())
        .client_credentials(settings.client_id.clone(), settings.client_secret.0.clone())
        .landing_window(Duration::from_millis(200))
        .retry(patient())
        .build()
        .unwrap();
    let sink = Salesforce::new(sink, Mapping::parse(mapping).unwrap()).unwrap();
    let workspace = folder.path().join("workspace");
    std::fs::create_dir_all(&workspace).unwrap();
    std::fs::write(workspace.join("mapping.toml"), mapping).unwrap();
    Migration::new(Workspace::open(&workspace).unwrap(), source, Arc::new(sink))
        .undecided(Undecided::Legacy)
        .gate(gate())
}

/// Runs and verifies.
async fn moved(migration: &Migration) {
    let report = migration.run(&Context::new()).await.unwrap();
    assert!(report.complete, "{}", report.summary());
    let verified = migration.verify(&Context::new()).await.unwrap();
    assert!(verified.verified(), "{}", verified.summary());
}

/// Rolls back, and sees that nothing of these objects is left.
async fn taken_back(migration: &Migration, org: &Org, objects: &[&str]) {
    for object in objects {
        assert!(!org.dump(object).unwrap().is_empty(), "{object}");
    }
    let all = Rollback::default();
    migration.roll_back(&Context::new(), &all).await.unwrap();
    for object in objects {
        let left = org.dump(object).unwrap();
        assert!(left.is_empty(), "{object}: {left:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_who_asked_for_nothing_are_leads_and_messages_are_posts_by_choice() {
    let mapping = choosing(
        mapping_text(),
        &[
            ("chat = \"case-comment\"", "chat = \"feed-item\""),
            ("notes = \"case-comment\"", "notes = \"feed-item\""),
            ("# leads = \"no-company\"", "leads = \"no-company\" #"),
        ],
    );
    // Fields of the source that have one of their own on contacts have it on leads, too.
    let (_, contact) = mapping.split_once("[Contact.fields]\n").unwrap();
    let (contact, _) = contact.split_once("\n[").unwrap();
    let own = contact.lines().filter(|line| line.contains("\"custom."));
    let own: Vec<&str> = own.collect();
    let fields = format!("[Lead.fields]\n{}\n", own.join("\n"));
    let mapping = mapping.replace("[Lead.fields]\n", &fields);
    let folder = tempfile::tempdir().unwrap();
    let mut options = KayakoOptions::default();
    options.content = Content::Made(WorldSpec::new(7, ALL_SCENARIOS));
    let kayako = LocalKayako::start(options).await.unwrap();
    let options = org_options_for(&folder.path().join("org"), kayako.world(), &mapping);
    let org = Org::start(options.feed_system_fields(true)).await.unwrap();
    let scene = Scene {
        kayako,
        org,
        folder,
    };
    let migration = migration(&scene.folder, &scene.org, scene.source(), &mapping);
    moved(&migration).await;
    let differences = |leads: bool, posts: bool| {
        let mut options = OracleOptions::new("acme", scene.org.user_id());
        options.tolerated_keys.insert("custom.legacy_id".to_owned());
        options.leads = leads;
        options.posts = posts;
        let oracle = Oracle::new(options);
        oracle.compare(scene.kayako.world(), &scene.org).unwrap()
    };
    let found = differences(true, true);
    assert!(found.is_empty(), "{} differences: {found:#?}", found.len());
    assert!(
        !differences(false, true).is_empty(),
        "leads are no contacts"
    );
    assert!(
        !differences(true, false).is_empty(),
        "posts are no comments"
    );
    taken_back(&migration, &scene.org, &["Lead", "FeedItem", "Case"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_tasks_by_choice_although_the_platform_archives_them() {
    let mapping = choosing(
        super::kustomer::mapping(),
        &[("# calls = \"task\"", "calls = \"task\"")],
    );
    let folder = tempfile::tempdir().unwrap();
    let mut options = KustomerOptions::default();
    options.content = Made::Made(WorldSpec::new(7, ALL_SCENARIOS).with_channels());
    let desk = LocalKustomer::start(options).await.unwrap();
    let options = org_options_for(&folder.path().join("org"), desk.world(), &mapping);
    let org = Org::start(options).await.unwrap();
    let config = KustomerConfig::builder(desk.url(), "rehearsal-key")
        .requests_per_minute(600_000)
        .searches_per_minute(600_000)
        .build()
        .unwrap();
    let source = Arc::new(Kustomer::new(config).unwrap());
    let migration = migration(&folder, &org, source, &mapping);
    moved(&migration).await;
    let differences = |calls: bool| {
        let tenant = LocalKustomer::org_id();
        let mut options = OracleOptions::new(tenant, org.user_id()).platform(Judged);
        options.calls = calls;
        Oracle::new(options).compare(desk.world(), &org).unwrap()
    };
    let found = differences(true);
    assert!(found.is_empty(), "{} differences: {found:#?}", found.len());
    assert!(!differences(false).is_empty(), "calls are no comments");
    taken_back(&migration, &org, &["Task", "Case"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_of_agents_are_rows_by_choice() {
    let mapping = choosing(
        Mapping::default_text().to_owned(),
        &[(
            "# agent_statistics = \"object\"",
            "agent_statistics = \"object\"",
        )],
    );
    let folder = tempfile::tempdir().unwrap();
    let world = World::generate(WorldSpec::new(3, 12));
    let exports = write(folder.path(), &world, &AsappOptions::default()).unwrap();
    let options = org_options_for(&folder.path().join("org"), &world, &mapping);
    let org = Org::start(options).await.unwrap();
    let config = AsappConfig::builder("acme", &exports.tree)
        .customers(&exports.customers)
        .agents(&exports.agents)
        .params(Some("customer_name"), None, None, None)
        .placeholder_accounts(false)
        .work(folder.path().join("work"))
        .build()
        .unwrap();
    let source = Arc::new(Asapp::new(config).unwrap());
    let migration = migration(&folder, &org, source, &mapping);
    moved(&migration).await;
    let rows = org.dump("Agent_Stats__c").unwrap();
    let expected = handled(&world);
    assert_eq!(rows.len(), expected.len());
    let users = org.dump("User").unwrap();
    for (rep, did) in &expected {
        let key = format!("asapp:acme:agent-statistics:{rep}");
        let row = rows.iter().find(|row| row["Source_Key__c"] == key.as_str());
        let row = row.unwrap_or_else(|| panic!("no {key} among {rows:#?}"));
        let number = |name: &str| row[name].as_f64().unwrap();
        let average = |seconds: u64| {
            let average = seconds as f64 / did.assignments as f64;
            (average * 100.0).round() / 100.0
        };
        assert_eq!(number("Assignments__c"), did.assignments as f64, "{key}");
        assert_eq!(
            number("Average_Handle_Seconds__c"),
            average(did.handle_seconds)
        );
        assert_eq!(
            number("Average_Wrap_Up_Seconds__c"),
            average(did.wrap_up_seconds)
        );
        assert!(row["Period_Start__c"].is_string() && row["Agent_Name__c"].is_string());
        if let Some(user) = row.get("Agent__c") {
            assert!(users.iter().any(|known| known["Id"] == *user));
        }
    }
    let handed = folder.path().join("workspace/targets");
    let handed = std::fs::read_dir(handed).unwrap().flatten().next().unwrap();
    let handed = handed.path().join("handoff/agent-statistics.csv");
    assert!(!handed.exists(), "what is loaded is not handed over");
    taken_back(&migration, &org, &["Agent_Stats__c", "Case"]).await;
}
