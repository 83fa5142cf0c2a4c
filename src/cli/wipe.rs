//! Removing what a workspace holds of people.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use deskferry_core::audit::Trail;
use deskferry_core::migration::{self, Workspace};
use deskferry_core::{Context, Error, ErrorKind, Result};
use serde_json::json;

use super::choices::Choices;
use super::exit::Done;

const DOING: &str = "wipe the workspace";

/// What a workspace has that holds nothing of the helpdesk's records, nor of its people.
const KEPT: [&str; 3] = ["mapping.toml", deskferry_core::audit::FILE, "sign-offs"];
/// The same in a target's folder.
const KEPT_OF_TARGETS: [&str; 4] = [
    deskferry_core::audit::FILE,
    deskferry_core::consent::CONFIRMED,
    super::deploy::FILE,
    super::probe::FILE,
];
/// What it has besides.
const OURS: [&str; 11] = [
    "stage",
    "targets",
    "plan",
    "plan.new",
    "rehearsal",
    "scope.json",
    "scope.html",
    "reading.json",
    "source.json",
    "workspace.json",
    "lock",
];

#[expect(clippy::print_stdout, reason = "this is the program's own voice")]
pub(super) async fn wipe(choices: &Choices, folder: &Path, yes: bool, all: bool) -> Result<Done> {
    Workspace::look(folder)?;
    // Nobody else may have it open; the lock is held until the end.
    let workspace = Workspace::open(folder)?;
    println!("{}", what_stays(folder).await);
    let (ours, others) = contents(folder, all)?;
    println!("to be removed from {}:", folder.display());
    for path in &ours {
        println!("  {}", shown(folder, path));
    }
    if !all {
        println!(
            "kept: mapping.toml, audit trails, confirmations, sign-offs (--all removes them too)"
        );
    }
    for path in &others {
        println!("not ours, stays: {}", shown(folder, path));
    }
    if !yes && !agreed()? {
        println!("nothing was removed");
        return Ok(Done::Blocked(ErrorKind::Interactive));
    }
    let what = json!({"all": all, "removed": ours.len()});
    Trail::of(folder).add(
        Context::new().now(),
        &choices.who.name,
        "wipe",
        "began",
        what,
    )?;
    for path in &ours {
        remove(path)?;
    }
    drop(workspace);
    if all {
        remove(Trail::of(folder).path())?;
    } else {
        let what = json!({"result": "done"});
        Trail::of(folder).add(
            Context::new().now(),
            &choices.who.name,
            "wipe",
            "ended",
            what,
        )?;
    }
    println!(
        "removed. Files are deleted, not overwritten: on a disk that is not encrypted, traces can remain"
    );
    Ok(Done::Well)
}

/// What the orgs have of it, and what can no longer be done then.
async fn what_stays(folder: &Path) -> String {
    let reports = match migration::status(folder).await {
        Ok(reports) => reports,
        Err(error) => return format!("what was loaded cannot be told any more: {error}"),
    };
    if reports.is_empty() {
        return "nothing was loaded from this workspace".to_owned();
    }
    let lines = reports.iter().map(|report| {
        let stands = report.total(|p| p.created + p.updated + p.unchanged);
        format!(
            "what was loaded stays in {} ({}): {stands} records. Without this workspace nothing of it can be resumed, verified, brought up to date or rolled back\n",
            report.target, report.target_id
        )
    });
    lines.collect()
}

/// What goes, and what is none of ours.
fn contents(folder: &Path, all: bool) -> Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let (mut ours, mut others) = (Vec::new(), Vec::new());
    for path in entries(folder)? {
        let name = name(&path);
        if KEPT.contains(&name) {
            // The trail of the workspace tells of the wiping to its end.
            if all && name != deskferry_core::audit::FILE {
                ours.push(path);
            }
        } else if name == "targets" && !all {
            for target in entries(&path)? {
                for inner in entries(&target)? {
                    if !KEPT_OF_TARGETS.contains(&self::name(&inner)) {
                        ours.push(inner);
                    }
                }
            }
        } else if is_ours(name) {
            ours.push(path);
        } else {
            others.push(path);
        }
    }
    Ok((ours, others))
}

/// Files of fixed names, those named by an org, and writes that were cut off.
fn is_ours(name: &str) -> bool {
    let of_an_org = name.starts_with("preflight-") && name.ends_with(".json");
    OURS.contains(&name) || of_an_org || name.ends_with(".unfinished")
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let io = |e| Error::storage(DOING, e).with("folder", folder.display());
    let mut found = Vec::new();
    if !folder.is_dir() {
        return Ok(found);
    }
    for entry in std::fs::read_dir(folder).map_err(io)? {
        found.push(entry.map_err(io)?.path());
    }
    found.sort();
    Ok(found)
}

fn name(path: &Path) -> &str {
    path.file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default()
}

fn shown<'a>(folder: &Path, path: &'a Path) -> std::path::Display<'a> {
    path.strip_prefix(folder).unwrap_or(path).display()
}

fn remove(path: &Path) -> Result<()> {
    // A link is removed itself, never what it leads to.
    let is_folder = path.symlink_metadata().is_ok_and(|m| m.is_dir());
    let removed = if is_folder {
        std::fs::remove_dir_all(path)
    } else {
        std::fs::remove_file(path)
    };
    match removed {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::storage(DOING, e).with("file", path.display()))
        }
        _ => Ok(()),
    }
}

#[expect(clippy::print_stdout, reason = "this is the program's own voice")]
fn agreed() -> Result<bool> {
    if !std::io::stdin().is_terminal() {
        println!("nobody is there to ask: --yes does it");
        return Ok(false);
    }
    print!("Remove it? Type `wipe`: ");
    let io = |e| Error::storage(DOING, e);
    std::io::stdout().flush().map_err(io)?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(io)?;
    Ok(answer.trim() == "wipe")
}
