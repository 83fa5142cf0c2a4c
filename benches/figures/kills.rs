//! `kill -9` at random moments, then `resume`: what is lost or doubled.

use std::time::Duration;

use deskferry::rehearsal::fault::{Action, Rule};
use deskferry::rehearsal::kayako::Content;
use deskferry::rehearsal::world::WorldSpec;

use super::Settings;
use super::child::Moved;
use super::scene::{Scene, answer, runtime};
use super::table::{Dice, Table};

/// How often one migration is killed before it may end.
const A_ROUND: u64 = 5;

pub(crate) fn figure(settings: &Settings) {
    let (kills, seed) = (settings.number("kills", 20), settings.number("seed", 1));
    let mut dice = Dice::new(seed);
    let mut found = Counted::default();
    while found.kills < kills {
        let most = A_ROUND.min(kills - found.kills);
        runtime().block_on(round(&mut dice, most, &mut found));
    }
    let mut table = Table::new(
        &format!(
            "kills: SIGKILL at random moments of a migration of 60 conversations, seed {seed}"
        ),
        &[
            "kills",
            "migrations",
            "rows lost or doubled",
            "other differences",
        ],
    );
    table.row(&[
        found.kills.to_string(),
        found.migrations.to_string(),
        found.rows.to_string(),
        found.others.to_string(),
    ]);
    table.print();
}

#[derive(Default)]
struct Counted {
    kills: u64,
    migrations: u64,
    rows: usize,
    others: usize,
}

/// One migration, killed several times, then let run to its end.
async fn round(dice: &mut Dice, most: u64, found: &mut Counted) {
    let scene = Scene::of(Content::Made(WorldSpec::new(1 + dice.below(1_000), 60))).await;
    // Answers come late, so that the process often dies between request and answer.
    let late = Rule::new(Action::Delay { ms: 15 }).method("POST");
    scene.org.faults().push(late);
    for _ in 0..most {
        let until = scene.requests() + 5 + dice.below(150);
        let micros = dice.below(5_000);
        if !killed(&scene, until, Duration::from_micros(micros)).await {
            break;
        }
        found.kills += 1;
    }
    scene.org.faults().clear();
    let _: Moved = answer(scene.start(verb(&scene))).await;
    let differences = scene.differences();
    let rows = differences.iter().filter(|d| d.field == "row").count();
    for difference in &differences {
        eprintln!("  {difference}");
    }
    found.migrations += 1;
    found.rows += rows;
    found.others += differences.len() - rows;
}

fn verb(scene: &Scene) -> &'static str {
    if scene.was_begun() { "resume" } else { "run" }
}

/// Kills the migrating process a moment after the platforms have seen so many requests; false when it ended before.
async fn killed(scene: &Scene, until: u64, moment: Duration) -> bool {
    let mut child = scene.start(verb(scene));
    while scene.requests() < until {
        if child.try_wait().expect("a process").is_some() {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    tokio::time::sleep(moment).await;
    child.kill().expect("a kill");
    !child.wait().expect("a process").success()
}
