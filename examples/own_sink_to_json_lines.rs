//! A sink of one's own: every record as a line of JSON, to look at a helpdesk with the usual tools.
//!
//! ```text
//! cargo run --example own_sink_to_json_lines -- out.jsonl
//! ```
#![expect(clippy::print_stdout, reason = "an example speaks to its reader")]

mod ends;

use std::fs::File;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use deskferry::pipeline::Pipeline;
use deskferry::sink::{Batch, Outcome, Phase, TargetInfo, Verdict};
use deskferry::{Context, Error, RecordKind, Result, Sink};

struct Lines(Mutex<File>);

const KINDS: &[RecordKind] = &[
    RecordKind::Account,
    RecordKind::Contact,
    RecordKind::Conversation,
    RecordKind::Message,
];

#[async_trait]
impl Sink for Lines {
    async fn check(&self, _cx: &Context) -> Result<TargetInfo> {
        Ok(TargetInfo::new("lines", "a file of lines"))
    }

    /// One step for all kinds. A target with references has one per object, in the order of dependencies.
    fn phases(&self) -> Vec<Phase> {
        vec![Phase::new("lines", KINDS)]
    }

    /// One outcome per record: a line is made, or the disk failed, which ends the run.
    async fn write(&self, _cx: &Context, batch: Batch) -> Result<Vec<Outcome>> {
        let failed = |e| Error::storage("write a line", e);
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut outcomes = Vec::new();
        for loaded in batch.records {
            let line = loaded.record.to_line().map_err(|e| failed(e.into()))?;
            file.write_all(&line)
                .and_then(|()| file.write_all(b"\n"))
                .map_err(failed)?;
            outcomes.push(Outcome {
                record: loaded.id,
                part: loaded.part,
                verdict: Verdict::Created,
            });
        }
        Ok(outcomes)
    }

    async fn flush(&self, _cx: &Context) -> Result<Vec<Outcome>> {
        let file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        file.sync_all()
            .map_err(|e| Error::storage("write a line", e))?;
        Ok(Vec::new())
    }
}

#[tokio::main]
async fn main() -> ends::Ends<()> {
    let folder = tempfile::tempdir()?;
    let path = std::env::args()
        .nth(1)
        .map_or(folder.path().join("out.jsonl"), Into::into);
    let (_kayako, source) = ends::kayako(20).await?;
    let sink = Arc::new(Lines(Mutex::new(File::create(&path)?)));
    let moved = Pipeline::new(source, sink).run(&Context::new()).await?;
    let lines = std::fs::read_to_string(&path)?.lines().count() as u64;
    println!("{} read, {lines} lines in {}", moved.read, path.display());
    assert_eq!(lines, moved.created);
    Ok(())
}
