//! Starts a local Salesforce org and prints how to reach it, so that any client can be pointed at it. Ctrl-C ends it.
//!
//! ```text
//! cargo run --example local_org -- [STATE-FOLDER] [PORT]
//! ```
#![expect(clippy::print_stdout, reason = "an example speaks to its reader")]

use std::path::PathBuf;

use deskferry::rehearsal::org::{CustomField, Org, OrgOptions};
use deskferry::salesforce::Mapping;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let folder = args.next().map_or_else(
        || std::env::temp_dir().join("deskferry-local-org"),
        PathBuf::from,
    );
    let port = args.next().map_or(Ok(0), |port| port.parse())?;
    std::fs::create_dir_all(&folder)?;
    // The fields that the shipped mapping needs, as an admin would have made them.
    let fields = Mapping::parse(Mapping::default_text())?.required_fields();
    let fields: Vec<CustomField> = serde_json::from_value(serde_json::to_value(fields)?)?;
    let org = Org::start(
        OrgOptions::new(&folder)
            .port(port)
            .audit_fields(true)
            .custom_fields(fields),
    )
    .await?;
    let settings = org.settings();
    println!("org       {}", org.org_id());
    println!("address   {}", org.url());
    println!("state     {}", folder.display());
    println!(
        "client    {} / {}",
        settings.client_id, settings.client_secret.0
    );
    println!();
    println!("export SALESFORCE_URL={}", org.url());
    println!("export SALESFORCE_CLIENT_ID={}", settings.client_id);
    println!(
        "export SALESFORCE_CLIENT_SECRET={}",
        settings.client_secret.0
    );
    tokio::signal::ctrl_c().await?;
    org.stop().await;
    Ok(())
}
