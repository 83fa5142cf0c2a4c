//! Reads a helpdesk once, and loads what was read into as many orgs as there are, the helpdesk switched off.
//!
//! ```text
//! cargo run --example extract_then_load -- extract acme             reads Kayako into the workspace `acme`
//! cargo run --example extract_then_load -- load acme acme-sandbox   loads from `acme`, with a workspace of its own for the org
//! cargo run --example extract_then_load -- load acme acme-live      the same for another org
//! ```
//!
//! `extract` takes `KAYAKO_URL`, `KAYAKO_EMAIL` and `KAYAKO_PASSWORD`; `load` takes `SALESFORCE_URL`, `SALESFORCE_CLIENT_ID` and
//! `SALESFORCE_CLIENT_SECRET`. The examples `local_kayako` and `local_org` print such variables. Both go on where they were
//! stopped when they are started again.
#![expect(clippy::print_stdout, reason = "an example speaks to its reader")]

use std::path::Path;
use std::sync::Arc;

use deskferry::core::staged::StageSource;
use deskferry::kayako::{Kayako, KayakoConfig};
use deskferry::migration::{self, Migration, Silent, Workspace};
use deskferry::salesforce::{Mapping, Salesforce, SalesforceConfig};
use deskferry::{Context, ErrorKind};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["extract", read] => extract(Path::new(read)).await,
        ["load", read, target] => load(Path::new(read), Path::new(target)).await,
        _ => Err("say `extract WORKSPACE` or `load WORKSPACE OWN-WORKSPACE`".into()),
    }
}

async fn extract(read: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let cx = Context::new();
    let workspace = Workspace::open(read)?;
    let kayako = Arc::new(Kayako::new(KayakoConfig::from_env()?)?);
    migration::extract(&cx, &workspace, kayako, Arc::new(Silent)).await?;
    println!("{}", migration::discover(&cx, &workspace).await?.summary());
    Ok(())
}

async fn load(read: &Path, target: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let cx = Context::new();
    let source = Arc::new(StageSource::open(read).await?);
    let mapping = Mapping::parse(Mapping::default_text())?;
    let salesforce = Salesforce::new(SalesforceConfig::from_env()?.build()?, mapping)?;
    let migration = Migration::new(Workspace::open(target)?, source, Arc::new(salesforce));
    let report = match migration.run(&cx).await {
        Err(error) if error.kind() == ErrorKind::Conflict => migration.resume(&cx).await?,
        ended => ended?,
    };
    println!("{}", report.summary());
    Ok(())
}
