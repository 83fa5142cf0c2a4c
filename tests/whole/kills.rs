//! `kill -9` at every named place and at places nobody chose, then `resume`: nothing lost, nothing twice.

use std::time::Duration;

use deskferry::rehearsal::fault::{Action, Rule};

use super::program::Program;
use super::scene::Scene;

/// Each round kills one run several times before it may end.
async fn killed_at(points: &[&str]) {
    let scene = Scene::new().await;
    let mut verb = "run";
    for point in points {
        let killed = Program::of(&scene)
            .env("DESKFERRY_KILL_AT", *point)
            .run(&[verb])
            .await;
        if killed.code == Some(0) {
            // It was over before the place was passed so often.
            break;
        }
        assert_eq!(
            killed.code, None,
            "killed at {point}, not ended:\n{}",
            killed.output
        );
        verb = if scene.begun() { "resume" } else { "run" };
    }
    finish(&scene, verb).await;
}

pub(crate) async fn finish(scene: &Scene, verb: &str) {
    let ended = Program::of(scene).run(&[verb]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.output);
    scene.assert_exact();
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_the_stage_is_written() {
    killed_at(&[
        "stage-begin:2",
        "stage-append:1",
        "stage-sync:2",
        "stage-index:3",
        "stage-committed:4",
        "stage-append:9",
        "stage-index:8",
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_files_are_staged() {
    killed_at(&[
        "blob-write:2",
        "blob-sync:1",
        "blob-rename:1",
        "blob-index:1",
        "blob-rename:5",
        "blob-index:7",
        "blob-index:3",
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_intent_sending_and_outcome() {
    killed_at(&[
        "ledger-intend:1",
        "ledger-intended:1",
        "ledger-settle:2",
        "ledger-settled:2",
        "ledger-intended:4",
        "ledger-settle:6",
        "ledger-intended:12",
        "ledger-settled:9",
        "ledger-settle:15",
        "ledger-finish:7",
    ])
    .await;
}

/// Kills when the platforms have seen a number of requests that a small generator draws, with the answers held back so
/// that the process dies between send and answer.
async fn killed_at_random(seed: u64, kills: usize) {
    let scene = Scene::new().await;
    scene
        .org
        .faults()
        .push(Rule::new(Action::Delay { ms: 15 }).method("POST"));
    let mut random = seed;
    let mut verb = "run";
    for _ in 0..kills {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let requests = 5 + (random >> 33) % 90;
        let ended = Program::of(&scene)
            .killed_after(&scene, requests, &[verb])
            .await;
        if ended.code == Some(0) {
            break;
        }
        verb = if scene.begun() { "resume" } else { "run" };
    }
    scene.org.faults().clear();
    finish(&scene, verb).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_places_of_one_run() {
    killed_at_random(11, 6).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_places_of_another_run() {
    killed_at_random(12, 6).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_process_leaves_its_lock_behind_for_nobody() {
    let scene = Scene::small().await;
    scene.org.faults().push(
        Rule::new(Action::Delay { ms: 300 })
            .method("POST")
            .times(40),
    );
    let program = Program::of(&scene);
    let (first, second) = tokio::join!(program.killed_after(&scene, 12, &["run"]), async {
        tokio::time::sleep(Duration::from_millis(10)).await;
    });
    let () = second;
    assert_eq!(first.code, None, "{}", first.output);
    scene.org.faults().clear();
    let verb = if scene.begun() { "resume" } else { "run" };
    finish(&scene, verb).await;
}
