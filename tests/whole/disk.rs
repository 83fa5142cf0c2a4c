//! A disk that is full, fails or may not be written ends the run by name; when it is mended a resume is exact.

use super::kills::finish;
use super::program::{Ended, Program};
use super::scene::Scene;

const FULL: &str = "Free space on the workspace's disk";
const FAILING: &str = "Check the disk that holds the workspace";
const LOCKED: &str = "Check who owns the workspace folder";

fn next_verb(scene: &Scene) -> &'static str {
    if scene.begun() { "resume" } else { "run" }
}

async fn ends_by_name_and_goes_on(scene: &Scene, fault: &str, advice: &str, place: &str) {
    let failed = Program::of(scene)
        .env("DESKFERRY_FAIL_AT", fault)
        .run(&["run"])
        .await;
    let Ended { code, output } = &failed;
    assert_eq!(*code, Some(13), "at {fault}:\n{output}");
    assert!(output.contains(advice), "at {fault}:\n{output}");
    assert!(output.contains(place), "at {fault}:\n{output}");
    finish(scene, next_verb(scene)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wherever_the_disk_is_full_the_run_says_so_and_a_resume_goes_on() {
    let places = [
        ("stage-begin:2", "segment: "),
        ("stage-append:3", "segment: "),
        ("stage-append:4:short", "segment: "),
        ("stage-sync:2", "segment: "),
        ("stage-index:2", "index.sqlite"),
        ("blob-write:2", "unfinished"),
        ("blob-rename:2", "stage a file"),
        ("blob-index:2", "index.sqlite"),
        ("ledger-intend:3", "ledger.sqlite"),
        ("ledger-settle:3", "ledger.sqlite"),
        ("ledger-finish:2", "ledger.sqlite"),
    ];
    for (fault, place) in places {
        ends_by_name_and_goes_on(&Scene::small().await, fault, FULL, place).await;
    }
}

/// A sync that fails leaves open whether the bytes are there: what was written before it must not count, and what was
/// committed although an error came back must not be done twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_fails_ends_the_run_and_nothing_is_lost_or_doubled() {
    let places = [
        ("stage-sync:3:io", "segment: "),
        ("stage-index:3:io", "index.sqlite"),
        ("stage-committed:3:io", "index.sqlite"),
        ("blob-sync:2:io", "unfinished"),
        ("ledger-intend:2:io", "ledger.sqlite"),
        ("ledger-intended:3:io", "ledger.sqlite"),
        ("ledger-settle:4:io", "ledger.sqlite"),
        ("ledger-settled:3:io", "ledger.sqlite"),
    ];
    for (fault, place) in places {
        ends_by_name_and_goes_on(&Scene::small().await, fault, FAILING, place).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_cannot_be_written_any_more_is_named_as_such() {
    for (fault, place) in [
        ("stage-begin:1:read-only", "segment: "),
        ("blob-write:1:read-only", "unfinished"),
        ("ledger-intend:1:read-only", "ledger.sqlite"),
    ] {
        ends_by_name_and_goes_on(&Scene::small().await, fault, LOCKED, place).await;
    }
}

/// Not by a fault point but by the system: files may not grow beyond so many blocks of 512 bytes, so that segments, logs of
/// databases and downloads are cut in the middle of a write.
#[tokio::test(flavor = "multi_thread")]
async fn files_that_may_not_grow_are_cut_anywhere_and_a_resume_goes_on() {
    let mut ended_early = 0;
    let scene = Scene::new().await;
    for blocks in [8, 90, 200, 420, 700, 1_000] {
        let ended = Program::of(&scene)
            .limited(blocks, &[next_verb(&scene)])
            .await;
        match ended.code {
            Some(0) => break,
            Some(13) => ended_early += 1,
            other => panic!("{other:?} with {blocks} blocks:\n{}", ended.output),
        }
    }
    assert!(ended_early >= 3, "only {ended_early} runs ended early");
    finish(&scene, next_verb(&scene)).await;
}
