//! Reads a helpdesk into a folder and loads nothing: a copy to keep, to count, or to load another day (`extract_then_load`).
//!
//! ```text
//! cargo run --example extract_only -- FOLDER
//! ```
#![expect(clippy::print_stdout, reason = "an example speaks to its reader")]

mod ends;

use std::path::PathBuf;
use std::sync::Arc;

use deskferry::Context;
use deskferry::migration::{self, Silent, Workspace};

#[tokio::main]
async fn main() -> ends::Ends<()> {
    let temporary = tempfile::tempdir()?;
    let named = std::env::args().nth(1).map(PathBuf::from);
    let folder = named.unwrap_or(temporary.path().join("copy"));
    let (_kayako, source) = ends::kayako(40).await?;
    let cx = Context::new();
    let workspace = Workspace::open(&folder)?;
    // Stopped anywhere, the same call goes on; what was read is not read again.
    migration::extract(&cx, &workspace, source, Arc::new(Silent)).await?;
    let found = migration::discover(&cx, &workspace).await?;
    println!("{}", found.summary());
    println!("in {}", folder.display());
    assert!(found.complete);
    Ok(())
}
