//! A migration whose every byte goes over TLS with certificates of its own.

use std::sync::Arc;

use deskferry::Context;
use deskferry::kayako::{Kayako, KayakoConfig};
use deskferry::migration::{Migration, Workspace};
use deskferry::owners::Undecided;
use deskferry::rehearsal::world::WorldSpec;
use deskferry::salesforce::{Mapping, Salesforce, SalesforceConfig};

use super::scene::{Scene, mapping_text};

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_over_tls_trusts_the_given_authority_and_no_other() {
    let scene = Scene::with(
        WorldSpec::new(3, 12),
        |mut options| {
            options.serve.tls_port = Some(0);
            options
        },
        |options| options.tls(0, Vec::new()),
    )
    .await;
    let (desk, org) = (
        scene.kayako.server().tls_url().unwrap(),
        scene.org.tls_url().unwrap(),
    );
    assert!(desk.starts_with("https://") && org.starts_with("https://"));
    let kayako = |authority: Option<&str>| {
        let mut config = KayakoConfig::builder(&desk, "admin@acme.example", "rehearsal")
            .requests_per_minute(600_000)
            .email_headers(true);
        if let Some(pem) = authority {
            config = config.root_certificate(pem);
        }
        Arc::new(Kayako::new(config.build().unwrap()).unwrap())
    };
    let settings = scene.org.settings();
    let config = SalesforceConfig::builder(&org)
        .client_credentials(settings.client_id.clone(), settings.client_secret.0.clone())
        .root_certificate(scene.org.ca_pem().unwrap())
        .build()
        .unwrap();
    let salesforce =
        Arc::new(Salesforce::new(config, Mapping::parse(&mapping_text()).unwrap()).unwrap());
    let workspace = || Workspace::open(&scene.workspace()).unwrap();
    let cx = Context::new();

    let strange = Migration::new(workspace(), kayako(None), Arc::clone(&salesforce) as _);
    let error = strange.run(&cx).await.unwrap_err();
    assert!(
        format!("{error:?}").to_lowercase().contains("certificate"),
        "{error:?}"
    );
    drop(strange);

    let authority = scene.kayako.server().ca_pem().unwrap().to_owned();
    let trusted = Migration::new(workspace(), kayako(Some(&authority)), salesforce)
        .undecided(Undecided::Legacy);
    let report = trusted.run(&cx).await.unwrap();
    assert!(report.complete, "{}", report.summary());
    scene.assert_exact();
}
