//! Only conversations since a day: older ones are named in the report as skipped, and their messages and files follow them.
//!
//! ```text
//! cargo run --example filter_by_date -- 2024-01-01
//! ```
#![expect(clippy::print_stdout, reason = "an example speaks to its reader")]

mod ends;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use deskferry::migration::{Migration, Workspace};
use deskferry::owners::Undecided;
use deskferry::transform::Transformed;
use deskferry::{Context, Record, Result, Transform};

/// Leaves out conversations that did not change since.
struct Since(DateTime<Utc>);

#[async_trait]
impl Transform for Since {
    async fn apply(&self, _cx: &Context, batch: Vec<Record>) -> Result<Vec<Transformed>> {
        let verdicts = batch.into_iter().map(|record| match &record {
            Record::Conversation(c) => {
                let last = c.meta.updated_at.or(c.meta.created_at);
                // One without a date is rather taken than lost.
                match last.is_some_and(|last| last < self.0) {
                    true => Transformed::Skip("too-old".to_owned()),
                    false => Transformed::Keep(record),
                }
            }
            _ => Transformed::Keep(record),
        });
        Ok(verdicts.collect())
    }
}

#[tokio::main]
async fn main() -> ends::Ends<()> {
    let day = std::env::args().nth(1).unwrap_or("2024-01-01".to_owned());
    let since = NaiveDate::parse_from_str(&day, "%Y-%m-%d")?.and_time(Default::default());
    let folder = tempfile::tempdir()?;
    let (_kayako, source) = ends::kayako(40).await?;
    let (_org, sink) = ends::org(folder.path()).await?;
    let workspace = Workspace::open(&folder.path().join("workspace"))?;
    let migration = Migration::new(workspace, source, sink)
        .undecided(Undecided::Legacy)
        .transform(Since(since.and_utc()));
    let report = migration.run(&Context::new()).await?;
    println!("{}", report.summary());
    for reason in report.reasons.iter().filter(|r| r.reason == "too-old") {
        println!("{} conversations are older than {day}", reason.count);
    }
    Ok(())
}
