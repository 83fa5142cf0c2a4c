//! A local Kayako and a local org in this process, a workspace, and the migrating process beside them.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use deskferry::rehearsal::kayako::{Content, Kayako, KayakoOptions};
use deskferry::rehearsal::oracle::{Difference, Oracle, OracleOptions};
use deskferry::rehearsal::org::{CustomField, KnowledgeSettings, NewUser, Org, OrgOptions};
use deskferry::rehearsal::world::World;
use deskferry::salesforce::Mapping;
use tempfile::TempDir;

use super::child::{self, Task};

/// A token that an org takes from whoever has it.
pub(crate) const TOKEN: &str = "00Dfigures!token";

pub(crate) struct Scene {
    pub(crate) kayako: Kayako,
    pub(crate) org: Org,
    folder: TempDir,
}

impl Scene {
    pub(crate) async fn of(content: Content) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let kayako = helpdesk(content).await;
        let org = org(&folder.path().join("org"), Some(kayako.world())).await;
        let workspace = folder.path().join("workspace");
        std::fs::create_dir_all(&workspace).expect("a workspace");
        let mapping = mapping_of(Some(kayako.world()));
        std::fs::write(workspace.join("mapping.toml"), mapping).expect("a mapping");
        Self {
            kayako,
            org,
            folder,
        }
    }

    pub(crate) fn workspace(&self) -> PathBuf {
        self.folder.path().join("workspace")
    }

    /// Whether anything was loaded: a run becomes a resume then.
    pub(crate) fn was_begun(&self) -> bool {
        // Before the load a target has a trail, and no ledger.
        let targets = std::fs::read_dir(self.workspace().join("targets"));
        let mut targets = targets.into_iter().flatten().flatten();
        targets.any(|target| target.path().join("ledger.sqlite").exists())
    }

    /// How many requests both platforms have seen.
    pub(crate) fn requests(&self) -> u64 {
        self.kayako.requests().total + self.org.requests().total
    }

    fn task(&self, what: &str) -> Task {
        let settings = self.org.settings();
        Task {
            what: what.to_owned(),
            kayako: self.kayako.url(),
            org: self.org.url(),
            client_id: settings.client_id.clone(),
            client_secret: settings.client_secret.0.clone(),
            folder: self.workspace(),
        }
    }

    /// Starts the migrating process: `run` or `resume`, `run-and-verify`.
    pub(crate) fn start(&self, what: &str) -> Child {
        start(&self.task(what))
    }

    /// What the oracle finds.
    pub(crate) fn differences(&self) -> Vec<Difference> {
        let mut options = OracleOptions::new("acme", self.org.user_id());
        options.audit_fields = self.org.settings().audit_fields;
        options.sandbox = self.org.settings().is_sandbox;
        options.tolerated_keys.insert("custom.legacy_id".to_owned());
        if has_library(Some(self.kayako.world())) {
            options = options.knowledge();
        }
        Oracle::new(options)
            .compare(self.kayako.world(), &self.org)
            .expect("a comparison")
    }
}

/// Starts this program once more, with a task.
pub(crate) fn start(task: &Task) -> Child {
    Command::new(std::env::current_exe().expect("this program"))
        .env(child::VARIABLE, serde_json::to_string(task).expect("JSON"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("this program starts")
}

/// Waits for a started process and takes what it printed.
pub(crate) async fn answer<T: serde::de::DeserializeOwned>(child: Child) -> T {
    let output = tokio::task::spawn_blocking(move || child.wait_with_output())
        .await
        .expect("a thread")
        .expect("an output");
    assert!(
        output.status.success(),
        "the process failed: {}",
        output.status
    );
    serde_json::from_slice(&output.stdout).expect("its figures as JSON")
}

pub(crate) async fn helpdesk(content: Content) -> Kayako {
    let mut options = KayakoOptions::default();
    options.content = content;
    Kayako::start(options).await.expect("a local helpdesk")
}

/// An org that has the shipped mapping's fields, and users for a world's people.
pub(crate) async fn org(folder: &Path, world: Option<&World>) -> Org {
    org_for(&mapping_of(world), folder, world).await
}

/// The same for another mapping.
pub(crate) async fn org_for(mapping: &str, folder: &Path, world: Option<&World>) -> Org {
    let fields = Mapping::parse(mapping)
        .expect("a mapping")
        .required_fields();
    let fields: Vec<CustomField> =
        serde_json::from_value(serde_json::to_value(fields).expect("JSON")).expect("fields");
    let mut options = OrgOptions::new(folder)
        .audit_fields(true)
        .access_token(TOKEN)
        .custom_fields(fields);
    if let Some(world) = world.filter(|world| has_library(Some(world))) {
        let group = OracleOptions::new("acme", String::new()).categories(world);
        let languages = ["en_US", "nl_NL", "de", "fr", "es"];
        options = options.knowledge(KnowledgeSettings::new(languages).group(group));
    }
    for user in world.map(World::suggested_users).unwrap_or_default() {
        options = options.user(NewUser {
            username: format!("{}.rehearsal", user.email),
            email: user.email,
            name: user.name,
            active: user.active,
            user_type: "Standard".to_owned(),
        });
    }
    Org::start(options).await.expect("a local org")
}

/// Whether a world's articles are loaded: the few of a small help centre are not.
fn has_library(world: Option<&World>) -> bool {
    world
        .and_then(World::spec)
        .is_some_and(|spec| spec.articles > 0)
}

/// The mapping for a world.
fn mapping_of(world: Option<&World>) -> String {
    match has_library(world) {
        true => mapping_text().replace("articles = \"leave\"", "articles = \"knowledge\""),
        false => mapping_text(),
    }
}

/// The shipped mapping with the world's custom fields.
pub(crate) fn mapping_text() -> String {
    deskferry::cli::rehearsal_mapping()
}

/// A runtime for platforms that answer in this process.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}
