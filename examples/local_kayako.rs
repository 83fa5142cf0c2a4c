//! Starts a local Kayako filled with a made-up world and prints how to reach it. Ctrl-C ends it.
//!
//! ```text
//! cargo run --example local_kayako -- [STATE-FOLDER] [CONVERSATIONS]
//! ```
#![expect(clippy::print_stdout, reason = "an example speaks to its reader")]

use std::path::PathBuf;

use deskferry::rehearsal::kayako::{Content, Kayako, KayakoOptions};
use deskferry::rehearsal::world::WorldSpec;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let folder = args.next().map_or_else(
        || std::env::temp_dir().join("deskferry-local-kayako"),
        PathBuf::from,
    );
    let conversations = args.next().map_or(Ok(300), |n| n.parse())?;
    std::fs::create_dir_all(&folder)?;
    let mut options = KayakoOptions::default();
    options.folder = Some(folder.clone());
    options.content = Content::Made(WorldSpec::new(1, conversations));
    let (email, password) = (options.email.clone(), options.password.clone());
    let kayako = Kayako::start(options).await?;
    println!("instance  {}", kayako.instance());
    println!("address   {}", kayako.url());
    println!("state     {}", folder.display());
    println!();
    println!("export KAYAKO_URL={}", kayako.url());
    println!("export KAYAKO_EMAIL={email}");
    println!("export KAYAKO_PASSWORD={password}");
    tokio::signal::ctrl_c().await?;
    kayako.stop().await;
    Ok(())
}
