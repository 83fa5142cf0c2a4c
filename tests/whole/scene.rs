//! A local Kayako and a local org in this process, and a workspace between them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use deskferry::core::http::RetryPolicy;
use deskferry::kayako::{Kayako, KayakoConfig};
use deskferry::migration::{Gate, Migration, Workspace};
use deskferry::owners::Undecided;
use deskferry::rehearsal::fault::{Action, Rule};
use deskferry::rehearsal::kayako::{Content, Kayako as LocalKayako, KayakoOptions};
use deskferry::rehearsal::oracle::{Difference, Oracle, OracleOptions};
use deskferry::rehearsal::org::{CustomField, NewUser, Org, OrgOptions};
use deskferry::rehearsal::world::{World, WorldSpec};
use deskferry::report::Report;
use deskferry::salesforce::{Mapping, Salesforce, SalesforceConfig};
use deskferry::{Context, Result};
use tempfile::TempDir;

/// Two platforms and a workspace; all goes when it is dropped.
pub(crate) struct Scene {
    pub(crate) kayako: LocalKayako,
    pub(crate) org: Org,
    pub(crate) folder: TempDir,
}

/// How many conversations play every scenario once.
pub(crate) const ALL_SCENARIOS: u64 = 60;

impl Scene {
    /// Every scenario once, everything as it should be.
    pub(crate) async fn new() -> Self {
        Self::with(
            WorldSpec::new(7, ALL_SCENARIOS),
            |options| options,
            |options| options,
        )
        .await
    }

    /// Few conversations, for tests whose subject is not the world.
    pub(crate) async fn small() -> Self {
        Self::with(WorldSpec::new(3, 12), |options| options, |options| options).await
    }

    pub(crate) async fn with(
        spec: WorldSpec,
        kayako: impl FnOnce(KayakoOptions) -> KayakoOptions,
        org: impl FnOnce(OrgOptions) -> OrgOptions,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = KayakoOptions::default();
        options.content = Content::Made(spec);
        let kayako = LocalKayako::start(kayako(options)).await.unwrap();
        let options = org_options(&folder.path().join("org"), kayako.world());
        let org = Org::start(org(options)).await.unwrap();
        std::fs::create_dir_all(folder.path().join("workspace")).unwrap();
        std::fs::write(folder.path().join("workspace/mapping.toml"), mapping_text()).unwrap();
        Self {
            kayako,
            org,
            folder,
        }
    }

    pub(crate) fn workspace(&self) -> std::path::PathBuf {
        self.folder.path().join("workspace")
    }

    /// Whether a load has begun: before it a target has a trail, and no ledger.
    pub(crate) fn begun(&self) -> bool {
        let targets = std::fs::read_dir(self.workspace().join("targets"));
        let mut targets = targets.into_iter().flatten().flatten();
        targets.any(|target| target.path().join("ledger.sqlite").exists())
    }

    pub(crate) fn source(&self) -> Arc<Kayako> {
        let config = KayakoConfig::builder(self.kayako.url(), "admin@acme.example", "rehearsal")
            .requests_per_minute(600_000)
            .email_headers(true)
            .build()
            .unwrap();
        Arc::new(Kayako::new(config).unwrap())
    }

    pub(crate) fn sink(&self) -> Arc<Salesforce> {
        let settings = self.org.settings();
        let config = SalesforceConfig::builder(self.org.url())
            .client_credentials(settings.client_id.clone(), settings.client_secret.0.clone())
            .landing_window(Duration::from_millis(200))
            .retry(patient())
            .build()
            .unwrap();
        Arc::new(Salesforce::new(config, Mapping::parse(&mapping_text()).unwrap()).unwrap())
    }

    pub(crate) fn migration(&self) -> Migration {
        let workspace = Workspace::open(&self.workspace()).unwrap();
        Migration::new(workspace, self.source(), self.sink())
            .undecided(Undecided::Legacy)
            .gate(gate())
    }

    pub(crate) async fn run(&self) -> Result<Report> {
        self.migration().run(&Context::new()).await
    }

    pub(crate) async fn resume(&self) -> Result<Report> {
        self.migration().resume(&Context::new()).await
    }

    pub(crate) async fn verify(&self) -> Result<Report> {
        self.migration().verify(&Context::new()).await
    }

    /// What the oracle finds.
    pub(crate) fn differences(&self) -> Vec<Difference> {
        let mut options = OracleOptions::new("acme", self.org.user_id());
        options.audit_fields = self.org.settings().audit_fields;
        options.sandbox = self.org.settings().is_sandbox;
        options.tolerated_keys.insert("custom.legacy_id".to_owned());
        Oracle::new(options)
            .compare(self.kayako.world(), &self.org)
            .unwrap()
    }

    pub(crate) fn assert_exact(&self) {
        let differences = self.differences();
        assert!(
            differences.is_empty(),
            "{} differences:\n{}",
            differences.len(),
            lines(&differences)
        );
    }

    /// A fault of the helpdesk on requests whose path holds this.
    pub(crate) fn break_kayako(&self, path: &str, skip: u64, times: u64, action: Action) {
        self.kayako
            .faults()
            .push(Rule::new(action).path(path).skip(skip).times(times));
    }

    /// A fault of the org on requests of this method whose path holds this.
    pub(crate) fn break_org(
        &self,
        method: &str,
        path: &str,
        skip: u64,
        times: u64,
        action: Action,
    ) {
        self.org.faults().push(
            Rule::new(action)
                .method(method)
                .path(path)
                .skip(skip)
                .times(times),
        );
    }
}

fn lines(differences: &[Difference]) -> String {
    differences
        .iter()
        .take(30)
        .map(|d| format!("  {d}\n"))
        .collect()
}

/// The world has records that an org refuses on purpose.
pub(crate) fn gate() -> Gate {
    Gate {
        share: 0.2,
        always: 10,
    }
}

/// Retries without long waits.
pub(crate) fn patient() -> RetryPolicy {
    RetryPolicy::default().delays(Duration::from_millis(20), Duration::from_millis(200))
}

/// An org that knows the world's people and has the mapping's fields.
pub(crate) fn org_options(folder: &Path, world: &World) -> OrgOptions {
    org_options_for(folder, world, &mapping_text())
}

/// The same for another mapping.
pub(crate) fn org_options_for(folder: &Path, world: &World, mapping: &str) -> OrgOptions {
    let mapping = Mapping::parse(mapping).unwrap();
    let fields = serde_json::to_value(mapping.required_fields()).unwrap();
    let fields: Vec<CustomField> = serde_json::from_value(fields).unwrap();
    let objects = serde_json::to_value(mapping.required_objects()).unwrap();
    let options = OrgOptions::new(folder)
        .audit_fields(true)
        .custom_objects(serde_json::from_value::<Vec<_>>(objects).unwrap())
        .custom_fields(fields);
    world
        .suggested_users()
        .into_iter()
        .fold(options, |options, user| {
            options.user(NewUser {
                username: format!("{}.rehearsal", user.email),
                email: user.email,
                name: user.name,
                active: user.active,
                user_type: "Standard".to_owned(),
            })
        })
}

/// The shipped mapping with the world's custom fields.
pub(crate) fn mapping_text() -> String {
    deskferry::cli::rehearsal_mapping()
}
