//! Teams, tags and field definitions have no rows: their words stand in the rows that use them.

use deskferry_core::sink::{Outcome, Verdict};

use super::{Run, outcome};

pub(crate) fn write(run: &Run<'_>) -> Vec<Outcome> {
    let kept = |loaded| outcome(loaded, Verdict::Skipped("kept-as-text".into()));
    run.batch.records.iter().map(kept).collect()
}
