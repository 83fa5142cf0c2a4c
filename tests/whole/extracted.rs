//! The source is read once; orgs are loaded from what was read, with the source switched off.

use std::sync::Arc;

use deskferry::core::staged::StageSource;
use deskferry::migration::{self, Migration, Silent, Workspace};
use deskferry::owners::Undecided;
use deskferry::rehearsal::fault::Action;
use deskferry::{Context, Result};

use super::scene::Scene;

async fn extract(scene: &Scene, folder: &std::path::Path) -> Result<()> {
    let workspace = Workspace::open(folder)?;
    let source = scene.source();
    migration::extract(&Context::new(), &workspace, source, Arc::new(Silent)).await
}

/// The same world in front of another org.
async fn loaded_from(read: &std::path::Path, scene: &Scene) -> Migration {
    let source = StageSource::open(read).await.unwrap();
    let workspace = Workspace::open(&scene.workspace()).unwrap();
    Migration::new(workspace, Arc::new(source), scene.sink())
        .undecided(Undecided::Legacy)
        .gate(super::scene::gate())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_orgs_are_loaded_exactly_from_one_read_with_the_source_switched_off() {
    let (first, second) = (Scene::new().await, Scene::new().await);
    let read = first.folder.path().join("read");
    extract(&first, &read).await.unwrap();
    for scene in [&first, &second] {
        scene.break_kayako("", 0, u64::MAX, Action::status(503));
    }
    let asked = first.kayako.requests().total;

    for scene in [&first, &second] {
        let cx = Context::new();
        let report = loaded_from(&read, scene).await.run(&cx).await.unwrap();
        assert!(report.complete, "{}", report.summary());
        scene.assert_exact();
        let verified = loaded_from(&read, scene).await.verify(&cx).await.unwrap();
        assert!(verified.verified(), "{}", verified.summary());
    }
    assert_eq!(first.kayako.requests().total, asked, "the source was asked");
    assert_eq!(second.kayako.requests().total, 0, "the source was asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_from_a_read_that_broke_off_goes_on_where_it_was() {
    let scene = Scene::small().await;
    let read = scene.folder.path().join("read");
    extract(&scene, &read).await.unwrap();
    scene.break_org("POST", "/composite", 4, 40, Action::status(503));
    let cx = Context::new();
    let error = loaded_from(&read, &scene).await.run(&cx).await;
    assert!(error.is_err(), "it went through");
    scene.org.faults().clear();
    let report = loaded_from(&read, &scene).await.resume(&cx).await.unwrap();
    assert!(report.complete, "{}", report.summary());
    scene.assert_exact();
}
