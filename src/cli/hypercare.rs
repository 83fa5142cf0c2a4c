//! The days after the cut-over: what still comes in at the source is loaded, and each day has its report.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use deskferry_core::migration::Workspace;
use deskferry_core::{Error, ErrorKind, Result};

use super::App;
use super::choices::Choices;
use super::exit::Done;
use super::verbs::{Go, move_it};

/// The folder within a target's.
const FOLDER: &str = "hypercare";
const REPORTS: [&str; 2] = ["report.html", "report.json"];

/// One day of it; or one after the other, until so many have their report.
pub(super) async fn care(
    app: &App,
    choices: &Choices,
    folder: &Path,
    days: Option<u32>,
) -> Result<Done> {
    loop {
        let began = Utc::now();
        let done = move_it(app, choices, folder, Go::Hypercare).await?;
        let kept = keep(folder, began)?;
        let Some(days) = days else {
            return Ok(done);
        };
        if kept >= days as usize {
            super::log::say(&format!("{kept} days have their report"));
            return Ok(done);
        }
        let next = began + TimeDelta::days(1);
        super::log::say(&format!(
            "{kept} of {days} days have their report; the next one begins at {}",
            next.format("%Y-%m-%d %H:%M UTC")
        ));
        wait_until(next).await?;
    }
}

/// Keeps the report of a day; a later one of the same day takes its place. Gives how many days have theirs.
fn keep(workspace: &Path, day: DateTime<Utc>) -> Result<usize> {
    let mut most = 0;
    for target in Workspace::look(workspace)?.targets()? {
        let folder = target.join(FOLDER);
        let of_day = day.format("%Y-%m-%d").to_string();
        std::fs::create_dir_all(&folder).map_err(|e| failed(&folder, e))?;
        for report in REPORTS {
            let from = target.join(report);
            let extension = Path::new(report).extension().unwrap_or_default();
            let to = folder.join(&of_day).with_extension(extension);
            if from.exists() {
                std::fs::copy(&from, &to).map_err(|e| failed(&to, e))?;
            }
        }
        most = most.max(pages(&folder)?.len());
    }
    Ok(most)
}

fn pages(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).map_err(|e| failed(folder, e))?;
    let pages = entries.flatten().map(|entry| entry.path());
    Ok(pages
        .filter(|path| path.extension().is_some_and(|of| of == "html"))
        .collect())
}

fn failed(path: &Path, error: std::io::Error) -> Error {
    Error::storage("keep the report of the day", error).with("file", path.display())
}

async fn wait_until(next: DateTime<Utc>) -> Result<()> {
    let wait = (next - Utc::now()).to_std().unwrap_or(Duration::ZERO);
    tokio::select! {
        () = tokio::time::sleep(wait) => Ok(()),
        _ = tokio::signal::ctrl_c() => {
            let said = "it was stopped between two days";
            let error = Error::new(ErrorKind::Cancelled, "wait for the next day", said);
            Err(error.advise("Call `hypercare` again: the days that have their report count"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_day_keeps_one_report() {
        let workspace = tempfile::tempdir().unwrap();
        let target = workspace.path().join("targets/one");
        std::fs::create_dir_all(&target).unwrap();
        std::fs::write(target.join("ledger.sqlite"), "").unwrap();
        drop(Workspace::open(workspace.path()).unwrap());
        let day = |text: &str| DateTime::parse_from_rfc3339(text).unwrap().to_utc();
        for (at, said, kept) in [
            ("2026-03-01T08:00:00Z", "first", 1),
            ("2026-03-01T20:00:00Z", "second", 1),
            ("2026-03-02T08:00:00Z", "third", 2),
        ] {
            std::fs::write(target.join("report.html"), said).unwrap();
            assert_eq!(keep(workspace.path(), day(at)).unwrap(), kept, "{at}");
        }
        let first = target.join("hypercare/2026-03-01.html");
        assert_eq!(std::fs::read_to_string(first).unwrap(), "second");
    }
}
