//! What a Kayako has besides cases and their posts, what changes in it, and what is gone.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use deskferry::kayako::{Kayako, KayakoConfig, Take};
use deskferry::migration::{Migration, OnGone, Workspace};
use deskferry::owners::Undecided;
use deskferry::rehearsal::kayako::{Content, Kayako as Desk, KayakoOptions, Thing};
use deskferry::rehearsal::oracle::{self, Difference, Oracle, OracleOptions};
use deskferry::rehearsal::org::{KnowledgeSettings, Org};
use deskferry::rehearsal::world::{FieldDefinition, FieldKind, FieldOwner, WorldSpec};
use deskferry::report::Report;
use deskferry::salesforce::{Mapping, Salesforce, SalesforceConfig};
use deskferry::{Context, Sink as _};
use tempfile::TempDir;

use super::program::Program;
use super::scene::{Scene, gate, mapping_text, org_options_for, patient};

const SEED: u64 = 11;

/// A Kayako with all that stands beside, and a help centre, next to an org with Knowledge.
struct Rich {
    desk: Desk,
    org: Org,
    mapping: String,
    folder: TempDir,
}

impl Rich {
    async fn with(spec: WorldSpec, languages: &[&str], mapping: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = KayakoOptions::default();
        options.content = Content::Made(spec);
        let desk = Desk::start(options).await.unwrap();
        let world = desk.world();
        let options = org_options_for(&folder.path().join("org"), world, mapping);
        let group = OracleOptions::new("acme", String::new()).categories(world);
        let settings = KnowledgeSettings::new(languages.iter().copied()).group(group);
        let options = options.knowledge(settings);
        let org = Org::start(options).await.unwrap();
        let workspace = folder.path().join("workspace");
        std::fs::create_dir_all(&workspace).unwrap();
        std::fs::write(workspace.join("mapping.toml"), mapping).unwrap();
        Self {
            desk,
            org,
            mapping: mapping.to_owned(),
            folder,
        }
    }

    fn workspace(&self) -> std::path::PathBuf {
        self.folder.path().join("workspace")
    }

    fn sink(&self) -> Salesforce {
        let settings = self.org.settings();
        let config = SalesforceConfig::builder(self.org.url())
            .client_credentials(settings.client_id.clone(), settings.client_secret.0.clone())
            .landing_window(std::time::Duration::from_millis(200))
            .retry(patient())
            .build()
            .unwrap();
        Salesforce::new(config, Mapping::parse(&self.mapping).unwrap()).unwrap()
    }

    fn migration(&self) -> Migration {
        let config = KayakoConfig::builder(self.desk.url(), "admin@acme.example", "rehearsal")
            .requests_per_minute(600_000)
            .email_headers(true)
            .ratings(Take::Include)
            .time_tracking(Take::Include)
            .person_notes(Take::Include)
            .sweep(true)
            .build()
            .unwrap();
        let source = Arc::new(Kayako::with_retry(config, patient()).unwrap());
        Migration::new(
            Workspace::open(&self.workspace()).unwrap(),
            source,
            Arc::new(self.sink()),
        )
        .undecided(Undecided::Legacy)
        .gate(gate())
    }

    async fn run(&self) -> Report {
        let report = self.migration().run(&Context::new()).await.unwrap();
        assert!(report.complete, "{}", report.summary());
        report
    }

    fn differences(&self) -> Vec<Difference> {
        let mut options = OracleOptions::new("acme", self.org.user_id())
            .platform(oracle::Kayako::with_beside(SEED, "acme"))
            .knowledge();
        options.tolerated_keys.insert("custom.legacy_id".to_owned());
        Oracle::new(options)
            .compare(self.desk.world(), &self.org)
            .unwrap()
    }
}

fn knowledge() -> String {
    mapping_text().replace("articles = \"leave\"", "articles = \"knowledge\"")
}

fn lines(differences: &[Difference]) -> String {
    let lines = differences.iter().take(20).map(|one| format!("{one}\n"));
    lines.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_brands_ratings_times_and_notes_stand_with_their_cases_and_people() {
    let spec = WorldSpec::new(SEED, 60).light().knowledge().beside();
    let rich = Rich::with(spec, &["en_US", "nl_NL", "de"], &knowledge()).await;
    rich.run().await;
    let differences = rich.differences();
    assert!(differences.is_empty(), "{}", lines(&differences));
    let rows = rich.org.dump("Case").unwrap();
    let said = |field: &str| rows.iter().filter(|row| row[field].is_string()).count();
    assert!(said("CSAT_Comment__c") > 0);
    let other = Oracle::new(
        OracleOptions::new("acme", rich.org.user_id())
            .platform(oracle::Kayako::with_beside(SEED + 1, "acme"))
            .knowledge(),
    );
    let differences = other.compare(rich.desk.world(), &rich.org).unwrap();
    for object in ["Case", "Contact", "Account"] {
        let of = |one: &Difference| one.object == object && one.field == "Source_Json__c";
        assert!(
            differences.iter().any(of),
            "{object}: another desk is another"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delta_names_what_is_gone_and_what_has_another_name_and_removes_cases_where_it_is_told_to()
 {
    let spec = WorldSpec::new(SEED, 60).light().knowledge().beside();
    let rich = Rich::with(spec, &["en_US", "nl_NL", "de"], &knowledge()).await;
    rich.run().await;
    let cases = rich.org.dump("Case").unwrap().len();
    let gone = rich
        .desk
        .world()
        .conversations()
        .find(|one| {
            let plain = one.state == deskferry::rehearsal::world::ConversationState::Active;
            let alone = |other: &deskferry::rehearsal::world::Conversation| {
                other.merged_into != Some(one.id)
            };
            let mut others = rich.desk.world().conversations();
            plain && one.merged_into.is_none() && others.all(|other| alone(&other))
        })
        .unwrap()
        .id;
    rich.desk.vanish(gone).unwrap();
    rich.desk.erase(Thing::Company(2)).unwrap();
    rich.desk.erase(Thing::Person(1_007)).unwrap();
    rich.desk.erase(Thing::Article(7)).unwrap();
    rich.desk.rename(Thing::Company(4), "New & Sons").unwrap();
    rich.desk
        .rename(Thing::Article(6), "Another title")
        .unwrap();
    let report = rich.migration().delta(&Context::new()).await.unwrap();
    let named = |all: &[deskferry::report::Changed]| {
        let kinds = all.iter().map(|one| (one.kind.clone(), one.count));
        kinds.collect::<BTreeSet<(String, u64)>>()
    };
    let of = |kinds: &[&str]| {
        kinds
            .iter()
            .map(|kind| ((*kind).to_owned(), 1))
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(
        named(&report.gone),
        of(&["account", "article", "contact", "conversation"])
    );
    assert_eq!(named(&report.changed), of(&["account", "article"]));
    assert_eq!(
        rich.org.dump("Case").unwrap().len(),
        cases,
        "nothing is removed unasked"
    );

    let removing = rich.migration().on_gone(OnGone::Remove);
    let report = removing.delta(&Context::new()).await.unwrap();
    drop(removing);
    assert!(report.complete, "{}", report.summary());
    assert_eq!(rich.org.dump("Case").unwrap().len(), cases - 1);
    assert_eq!(named(&report.gone), of(&["account", "article", "contact"]));
    let report = rich.migration().verify(&Context::new()).await.unwrap();
    assert!(report.verified(), "{}", report.summary());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_article_in_a_language_that_the_org_lacks_is_held_and_is_loaded_once_it_has_it() {
    let spec = WorldSpec::new(SEED, 12).light().knowledge().beside();
    let rich = Rich::with(spec, &["en_US", "nl_NL"], &knowledge()).await;
    let locales = ["de", "en-us", "nl"].map(str::to_owned);
    let lacking = rich
        .sink()
        .lacking_languages(&Context::new(), &locales)
        .await;
    assert_eq!(lacking.unwrap(), ["de"]);
    let report = rich.run().await;
    let german = |article: &&deskferry::rehearsal::world::KnowledgeArticle| {
        article.texts.iter().any(|text| text.locale == "de")
    };
    let articles = &rich.desk.world().lists().knowledge.articles;
    let held = articles.iter().filter(german).count() as u64;
    assert!(held > 0);
    let phase = report
        .phases
        .iter()
        .find(|phase| phase.phase.contains("article"))
        .unwrap();
    assert_eq!(phase.held, held, "{}", report.summary());
    let workspace = Workspace::open(&rich.workspace()).unwrap();
    let languages = deskferry::migration::languages_read(&Context::new(), &workspace).await;
    assert_eq!(languages.unwrap()["de"], held, "what a plan tells");
    drop(workspace);
    let summary = report.summary();
    assert!(summary.contains("language-not-in-org"), "{summary}");
    let masters: BTreeSet<String> = rich
        .org
        .dump("Knowledge__kav")
        .unwrap()
        .iter()
        .filter_map(|row| row["Source_Key__c"].as_str().map(str::to_owned))
        .collect();
    let loaded = masters.iter().filter(|key| !key.contains('#')).count() as u64;
    assert_eq!(loaded, articles.len() as u64 - held);

    // Decided away, the language stays behind and the rest of each article is loaded.
    let decided = format!("{}\n[policy.languages]\nde = \"leave\"\n", knowledge());
    std::fs::write(rich.workspace().join("mapping.toml"), &decided).unwrap();
    let rich = Rich {
        mapping: decided,
        ..rich
    };
    let report = rich.migration().resume(&Context::new()).await.unwrap();
    let phase = report
        .phases
        .iter()
        .find(|phase| phase.phase.contains("article"))
        .unwrap();
    assert_eq!(phase.held, 0, "{}", report.summary());
}

fn strict(scene: &Scene) -> Program {
    Program::of(scene).env("DESKFERRY_ORG_IS", "real")
}

async fn ok(program: Program, args: &[&str]) -> String {
    let ended = program.run(args).await;
    assert_eq!(ended.code, Some(0), "{args:?}\n{}", ended.output);
    ended.output
}

#[tokio::test(flavor = "multi_thread")]
async fn custom_fields_that_were_made_after_the_plan_stop_a_load_with_their_list() {
    let sandbox = |options: deskferry::rehearsal::org::OrgOptions| options.is_sandbox(true);
    let scene = Scene::with(WorldSpec::new(3, 12), |options| options, sandbox).await;
    ok(strict(&scene), &["discover", "-q"]).await;
    ok(strict(&scene), &["plan"]).await;
    ok(strict(&scene), &["confirm", "--as", "Ann"]).await;
    let field = |id: u64, owner: FieldOwner, key: &str, title: &str| FieldDefinition {
        id,
        owner,
        key: key.to_owned(),
        title: title.to_owned(),
        kind: FieldKind::Text,
        options: Vec::new(),
    };
    let made = field(55, FieldOwner::Conversation, "colour", "Colour");
    scene.kayako.add_field(made).unwrap();
    scene
        .kayako
        .add_field(field(56, FieldOwner::Company, "branch", "Branch"))
        .unwrap();
    let ended = strict(&scene).run(&["run", "-q"]).await;
    assert_eq!(ended.code, Some(4), "{}", ended.output);
    for line in [
        "conversation.colour is new: TEXT, “Colour”",
        "account.branch is new: TEXT, “Branch”",
        "`discover` reads them",
    ] {
        assert!(
            ended.output.contains(line),
            "{line} is missing:\n{}",
            ended.output
        );
    }
    assert_eq!(
        scene.org.dump("Case").unwrap().len(),
        0,
        "nothing was loaded"
    );

    // The way out: only the definitions are read again, and somebody looks.
    let posts = |scene: &Scene| {
        let counts = scene.kayako.requests().counts;
        let posts = counts.iter().filter(|one| one.route.ends_with("/posts"));
        posts.map(|one| one.requests).sum::<u64>()
    };
    let before = posts(&scene);
    ok(strict(&scene), &["discover", "-q"]).await;
    assert_eq!(posts(&scene), before);
    let ended = strict(&scene).run(&["run", "-q"]).await;
    assert_eq!(ended.code, Some(4), "{}", ended.output);
    let line = "plan: source field conversation.colour is new: TEXT";
    assert!(ended.output.contains(line), "{}", ended.output);
    ok(strict(&scene), &["plan"]).await;
    ok(strict(&scene), &["confirm", "--as", "Ann"]).await;
    ok(strict(&scene), &["run", "-q"]).await;
    scene.assert_exact();
    assert!(Path::new(&scene.workspace()).join("audit.jsonl").exists() || scene.begun());
}
