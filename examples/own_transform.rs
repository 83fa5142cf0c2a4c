//! A change of one's own on every record's way: here, conversations that nobody should see again are left out, and the others get
//! a tag that says where they came from.
//!
//! ```text
//! cargo run --example own_transform
//! ```
#![expect(clippy::print_stdout, reason = "an example speaks to its reader")]

mod ends;

use async_trait::async_trait;
use deskferry::migration::{Migration, Workspace};
use deskferry::owners::Undecided;
use deskferry::transform::Transformed;
use deskferry::{Context, Record, Result, Transform};

/// Leaves out what carries a tag, and tags the rest.
struct Tagged {
    unwanted: &'static str,
    with: &'static str,
}

#[async_trait]
impl Transform for Tagged {
    /// One verdict per record, in order. Keys stay as they are.
    async fn apply(&self, _cx: &Context, batch: Vec<Record>) -> Result<Vec<Transformed>> {
        let verdicts = batch.into_iter().map(|record| match record {
            Record::Conversation(c) if c.tags.iter().any(|tag| tag == self.unwanted) => {
                // It ends in the report as skipped, by this reason; its messages follow it.
                Transformed::Skip("unwanted-tag".to_owned())
            }
            Record::Conversation(mut c) => {
                c.tags.push(self.with.to_owned());
                Transformed::Keep(Record::Conversation(c))
            }
            other => Transformed::Keep(other),
        });
        Ok(verdicts.collect())
    }
}

impl Tagged {
    const OURS: Self = Self {
        unwanted: "urgent",
        with: "from-the-old-desk",
    };
}

#[tokio::main]
async fn main() -> ends::Ends<()> {
    let folder = tempfile::tempdir()?;
    let (_kayako, source) = ends::kayako(40).await?;
    let (org, sink) = ends::org(folder.path()).await?;
    let workspace = Workspace::open(&folder.path().join("workspace"))?;
    let migration = Migration::new(workspace, source, sink)
        .undecided(Undecided::Legacy)
        .transform(Tagged::OURS);
    let cx = Context::new();
    migration.run(&cx).await?;
    // It knows the transform, and compares with what that leaves.
    let report = migration.verify(&cx).await?;
    println!("{}", report.summary());
    let cases = org.dump("Case")?;
    let tag = |case: &serde_json::Value| {
        case["Source_Tags__c"]
            .to_string()
            .contains(Tagged::OURS.with)
    };
    assert!(!cases.is_empty() && cases.iter().all(tag) && report.verified());
    Ok(())
}
