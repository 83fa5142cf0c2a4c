//! Starts a local Kustomer filled with a made-up world and prints how to reach it. Ctrl-C ends it, and shows what it was asked.
//!
//! ```text
//! cargo run --example local_kustomer -- [STATE-FOLDER] [CONVERSATIONS] [REQUESTS-A-MINUTE]
//! ```
#![expect(clippy::print_stdout, reason = "an example speaks to its reader")]

use std::path::PathBuf;

use deskferry::rehearsal::kustomer::{Content, Kustomer, KustomerOptions, RateLimit};
use deskferry::rehearsal::world::WorldSpec;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let folder = args.next().map_or_else(
        || std::env::temp_dir().join("deskferry-local-kustomer"),
        PathBuf::from,
    );
    let conversations = args.next().map_or(Ok(300), |n| n.parse())?;
    std::fs::create_dir_all(&folder)?;
    let mut options = KustomerOptions::default();
    options.folder = Some(folder.clone());
    options.content = Content::Made(WorldSpec::new(1, conversations));
    if let Some(requests) = args.next() {
        options.rate_limit = Some(RateLimit {
            requests: requests.parse()?,
            searches: 100,
            window: std::time::Duration::from_secs(60),
        });
    }
    let (org, key) = (options.org.clone(), options.key.clone());
    let kustomer = Kustomer::start(options).await?;
    println!("org       {org}");
    println!("address   {}", kustomer.url());
    println!("state     {}", folder.display());
    println!();
    println!("export KUSTOMER_URL={}", kustomer.url());
    println!("export KUSTOMER_KEY={key}");
    tokio::signal::ctrl_c().await?;
    println!();
    for count in kustomer.requests().counts {
        let (method, route) = (count.method, count.route);
        println!(
            "{:>8} {method} {route} {:?}",
            count.requests, count.statuses
        );
    }
    kustomer.stop().await;
    Ok(())
}
