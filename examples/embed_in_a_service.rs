//! A migration as a task of a service: it tells what it does on a channel, is stopped on request at a safe place, and goes on
//! later as if nothing had been.
//!
//! ```text
//! cargo run --example embed_in_a_service
//! ```
#![expect(clippy::print_stdout, reason = "an example speaks to its reader")]

mod ends;

use deskferry::migration::{Migration, Progress, Step, Workspace};
use deskferry::owners::Undecided;
use deskferry::{Context, ErrorKind};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// What the service shows of a run.
enum Event {
    Read(usize),
    Loaded(String, usize),
}

/// Steps are told on the run's own tasks: an unbounded channel never makes them wait.
struct Told(UnboundedSender<Event>);

impl Progress for Told {
    fn report(&self, step: Step<'_>) {
        // Whoever listened may have gone; the run does not mind.
        let _ = match step {
            Step::Read { records, .. } => self.0.send(Event::Read(records)),
            Step::Settled { phase, records } => self.0.send(Event::Loaded(phase.into(), records)),
            _ => Ok(()),
        };
    }
}

#[tokio::main]
async fn main() -> ends::Ends<()> {
    let folder = tempfile::tempdir()?;
    let (_kayako, source) = ends::kayako(40).await?;
    let (_org, sink) = ends::org(folder.path()).await?;
    let (told, mut events) = unbounded_channel();
    let workspace = Workspace::open(&folder.path().join("workspace"))?;
    let migration = Migration::new(workspace, source, sink)
        .undecided(Undecided::Legacy)
        .progress(Told(told));
    let cx = Context::new();
    let stop = cx.clone();
    // Somebody presses "stop" when the first cases stand in the org.
    let watcher = tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            match event {
                Event::Read(records) => println!("{records} records read"),
                Event::Loaded(phase, records) => {
                    println!("{records} records of {phase} settled");
                    if phase == "cases" {
                        stop.cancel();
                    }
                }
            }
        }
    });
    let stopped = migration.run(&cx).await;
    assert_eq!(stopped.unwrap_err().kind(), ErrorKind::Cancelled);
    println!("stopped; everything so far is durable");
    let report = migration.resume(&Context::new()).await?;
    println!("{}", report.summary());
    assert!(report.complete);
    drop(migration);
    watcher.await?;
    Ok(())
}
