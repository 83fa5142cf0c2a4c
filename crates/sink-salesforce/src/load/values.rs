//! Teams, tags and definitions have no rows: their words stand in the rows that use them, or in the mapping.

use deskferry_core::model::Record;
use deskferry_core::sink::{Loaded, Outcome, Verdict};

use super::{Run, objects, outcome};

pub(crate) fn write(run: &Run<'_>) -> Vec<Outcome> {
    let kept = |loaded: &Loaded| match &loaded.record {
        Record::ObjectDefinition(definition) => {
            outcome(loaded, objects::definition(run, &definition.meta.key))
        }
        _ => outcome(loaded, Verdict::Skipped("kept-as-text".into())),
    };
    run.batch.records.iter().map(kept).collect()
}
