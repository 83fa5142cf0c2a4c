//! Whole migrations by bulk jobs: every row that CSV can say goes by a job, and the process dies in between.

use deskferry::rehearsal::fault::{Action, Rule};

use super::program::Program;
use super::scene::Scene;

/// The program that uses jobs for every batch, however small.
fn program(scene: &Scene) -> Program {
    Program::of(scene)
        .env("SALESFORCE_BULK_FROM", "1")
        .env("SALESFORCE_BULK_POLL", "20")
}

fn jobs(scene: &Scene) -> u64 {
    scene.org.requests().count("PUT", "batches")
}

fn next_verb(scene: &Scene) -> &'static str {
    if scene.begun() { "resume" } else { "run" }
}

async fn finish(scene: &Scene) {
    let ended = program(scene).run(&[next_verb(scene)]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.output);
    scene.assert_exact();
    assert!(jobs(scene) > 4, "only {} jobs", jobs(scene));
    let verified = program(scene).run(&["verify"]).await;
    assert_eq!(verified.code, Some(0), "{}", verified.output);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_by_jobs_is_exact() {
    finish(&Scene::new().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_the_steps_of_jobs() {
    let scene = Scene::new().await;
    for point in [
        "ledger-intended:4",
        "ledger-settle:5",
        "ledger-settled:6",
        "ledger-intended:5",
        "ledger-settle:4",
        "ledger-intended:3",
    ] {
        let killed = program(&scene)
            .env("DESKFERRY_KILL_AT", point)
            .run(&[next_verb(&scene)])
            .await;
        if killed.code == Some(0) {
            break;
        }
        assert_eq!(killed.code, None, "killed at {point}:\n{}", killed.output);
    }
    finish(&scene).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_while_jobs_fail_half_and_lose_rows() {
    for seed in [21_u64, 22] {
        let scene = Scene::new().await;
        for name in [
            "bulk-fail-half",
            "bulk-lose-rows",
            "bulk-skip-rows",
            "lock-row",
        ] {
            let rule = Rule::new(Action::named(name)).skip(seed % 3).times(6);
            scene.org.faults().push(rule);
        }
        scene
            .org
            .faults()
            .push(Rule::new(Action::Delay { ms: 10 }).path("/jobs/ingest"));
        let mut random = seed;
        for _ in 0..6 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let requests = 20 + (random >> 33) % 90;
            let verb = next_verb(&scene);
            let ended = program(&scene)
                .killed_after(&scene, requests, &[verb])
                .await;
            if ended.code == Some(0) {
                break;
            }
        }
        scene.org.faults().clear();
        finish(&scene).await;
    }
}
