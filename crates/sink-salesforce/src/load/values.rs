//! Teams, tags and field definitions have no rows: their words stand in the rows that use them.

use deskferry_core::error::Result;
use deskferry_core::model::Record;
use deskferry_core::sink::{Outcome, Verdict};

use super::{Run, names, outcome};

pub(crate) async fn write(run: &Run<'_>) -> Result<Vec<Outcome>> {
    let teams = run
        .batch
        .records
        .iter()
        .flat_map(|loaded| match &loaded.record {
            Record::Team(team) => names::keep(loaded, &team.name, None),
            _ => Vec::new(),
        });
    run.settle(teams.collect()).await?;
    let kept = |loaded| outcome(loaded, Verdict::Skipped("kept-as-text".into()));
    Ok(run.batch.records.iter().map(kept).collect())
}
