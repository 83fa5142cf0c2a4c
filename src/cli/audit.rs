//! Who did what when.

use std::path::Path;

use deskferry_core::audit::{Entry, Trail};
use deskferry_core::migration::Workspace;
use deskferry_core::{Error, ErrorKind, Result};

use super::exit::Done;

/// The trails of a workspace: its own, and one per target.
pub(super) fn trails(folder: &Path) -> Result<Vec<Trail>> {
    let mut trails = vec![Trail::of(folder)];
    let targets = folder.join("targets");
    let io = |e| Error::storage("list the targets", e).with("folder", targets.display());
    let mut folders = Vec::new();
    match std::fs::read_dir(&targets) {
        Ok(entries) => {
            for entry in entries {
                folders.push(entry.map_err(io)?.path());
            }
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => return Err(io(e)),
    }
    folders.sort();
    trails.extend(folders.iter().map(|folder| Trail::of(folder)));
    trails.retain(|trail| trail.path().exists());
    Ok(trails)
}

/// Shows them, and whether their chains hold.
#[expect(clippy::print_stdout, reason = "this is the program's own voice")]
pub(super) fn show(folder: &Path) -> Result<Done> {
    // A workspace that was wiped has trails still.
    if !folder.join(deskferry_core::audit::FILE).exists() {
        Workspace::look(folder)?;
    }
    let mut done = Done::Well;
    let trails = trails(folder)?;
    if trails.is_empty() {
        println!("nothing was written down yet");
    }
    for trail in trails {
        println!("{}", trail.path().display());
        let checked = trail.check()?;
        for entry in &checked.entries {
            println!("  {}", line(entry));
        }
        match &checked.broken {
            Some((n, why)) => {
                println!("  BROKEN at line {n}: {why}. What stands there and below proves nothing");
                done = Done::Blocked(ErrorKind::Mismatch);
            }
            None => println!("  whole; last hash {}", checked.head),
        }
    }
    Ok(done)
}

/// One entry for people, on one line.
pub(super) fn line(entry: &Entry) -> String {
    let said = |name: &str| {
        let value = &entry.what[name];
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        (!value.is_null()).then(|| format!("{name} {}", short(name, &text)))
    };
    let names = [
        "result", "because", "mapping", "plan", "rows", "held", "failed", "removed", "consent",
        "role", "accepted",
    ];
    let what: Vec<String> = names.into_iter().filter_map(said).collect();
    let text = format!(
        "{} {} {} {}: {}",
        entry.at.format("%Y-%m-%d %H:%M:%S"),
        entry.who,
        entry.verb,
        entry.event,
        what.join(", ")
    );
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

fn short(name: &str, text: &str) -> String {
    match name {
        "mapping" | "plan" => text.chars().take(12).collect(),
        _ => text.to_owned(),
    }
}
