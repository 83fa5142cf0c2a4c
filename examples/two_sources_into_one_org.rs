//! Two helpdesks into one org: a workspace each, one after the other. People whom both know are matched by their address, not made
//! twice; each record keeps the key of the desk that it came from.
//!
//! ```text
//! cargo run --example two_sources_into_one_org
//! ```
#![expect(clippy::print_stdout, reason = "an example speaks to its reader")]

mod ends;

use std::sync::Arc;

use deskferry::migration::{Migration, Workspace};
use deskferry::owners::Undecided;
use deskferry::{Context, Source};

#[tokio::main]
async fn main() -> ends::Ends<()> {
    let folder = tempfile::tempdir()?;
    let (_kayako, kayako) = ends::kayako(20).await?;
    let (_kustomer, kustomer) = ends::kustomer(20).await?;
    let (org, sink) = ends::org(folder.path()).await?;
    let desks: [(&str, Arc<dyn Source>); 2] = [("kayako", kayako), ("kustomer", kustomer)];
    for (name, source) in desks {
        // A workspace belongs to one source, and knows what it made in each target: so rollback takes back one desk alone.
        let workspace = Workspace::open(&folder.path().join(name))?;
        let sink = Arc::clone(&sink);
        let migration = Migration::new(workspace, source, sink).undecided(Undecided::Legacy);
        let report = migration.run(&Context::new()).await?;
        println!("{}", report.summary());
    }
    let cases = org.dump("Case")?;
    for name in ["kayako", "kustomer"] {
        let of = |case: &&serde_json::Value| {
            let key = case["Source_Key__c"].as_str().unwrap_or_default();
            key.starts_with(&format!("{name}:"))
        };
        let count = cases.iter().filter(of).count();
        println!("{count} cases of {name}");
        assert!(count > 0);
    }
    Ok(())
}
