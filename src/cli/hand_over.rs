//! What the people of the org get: one folder that can be given away, and one page to begin with.

use std::path::{Path, PathBuf};

use deskferry_core::audit::{self, Trail};
use deskferry_core::cells;
use deskferry_core::consent::{Confirmation, SignOff};
use deskferry_core::looking;
use deskferry_core::migration::{self, Workspace};
use deskferry_core::model::InventoryKind;
use deskferry_core::report::{Inventory, InventoryGroup, Report, Wait};
use deskferry_core::sink::Counterpart;
use deskferry_core::{Context, Error, Result};
use serde::Serialize;

use super::App;
use super::choices::Choices;
use super::exit::Done;

const TEMPLATE: &str = include_str!("pages/hand_over.html");
const GUIDE: &str = include_str!("pages/sla_guide.html");
const DOING: &str = "hand over";

/// Files of a target's folder that go along as they are.
const COPIED: [&str; 4] = ["report.html", "report.json", "rollback.json", audit::FILE];

/// The table of what is held or failed.
const WAITING: &str = "held-and-failed.csv";

#[expect(clippy::print_stdout, reason = "this is the program's own voice")]
pub(super) async fn make(app: &App, choices: &Choices, folder: &Path) -> Result<Done> {
    Workspace::look(folder)?;
    let workspace = Workspace::open(folder)?;
    // From what is on disk, so that both platforms may be switched off.
    let targets = migration::write_reports(folder).await?;
    if targets.is_empty() {
        println!("nothing was loaded yet: there is nothing to hand over");
    }
    let cx = Context::new();
    for (target, report) in targets {
        let handed = Handed {
            app,
            workspace: &workspace,
            target: &target,
            folder: target.join("handoff"),
            report: &report,
        };
        let page = handed.make(&cx).await?;
        let what = serde_json::json!({"target": report.target, "target_id": report.target_id});
        Trail::of(&target).add(cx.now(), &choices.who.name, "hand-over", "recorded", what)?;
        println!("{} → {}", report.source, report.target);
        println!("  {}", page.display());
    }
    Ok(Done::Well)
}

struct Handed<'a> {
    app: &'a App,
    workspace: &'a Workspace,
    target: &'a Path,
    folder: PathBuf,
    report: &'a Report,
}

impl Handed<'_> {
    async fn make(&self, cx: &Context) -> Result<PathBuf> {
        std::fs::create_dir_all(&self.folder).map_err(|e| failed(e, &self.folder))?;
        let waiting = self.list(cx).await?;
        for name in COPIED {
            let from = self.target.join(name);
            if from.exists() {
                let to = self.folder.join(name);
                std::fs::copy(&from, &to).map_err(|e| failed(e, &to))?;
            }
        }
        let mapping = self.folder.join("mapping.toml");
        std::fs::copy(self.workspace.mapping(), &mapping).map_err(|e| failed(e, &mapping))?;
        let inventory = self.inventory()?;
        let guide = inventory
            .as_ref()
            .map(|i| self.guide(i))
            .transpose()?
            .unwrap_or_default();
        let signed = SignOff::all(self.workspace.folder())?;
        let trail = Trail::of(self.target).check()?;
        let inventory_items = inventory.as_ref().map_or(0, Inventory::len);
        let page = Page {
            source: &self.report.source,
            target: &self.report.target,
            target_id: &self.report.target_id,
            made_at: cx.now().format("%Y-%m-%d %H:%M UTC").to_string(),
            complete: self.report.complete,
            verified: self.report.verified(),
            compared: self.report.verify.iter().map(|f| f.compared).sum(),
            different: self.report.verify.iter().map(|f| f.different).sum(),
            phases: &self.report.phases,
            waits: self.report.waits().into_iter().map(Waits::from).collect(),
            waiting,
            inventory: inventory_items,
            statistics: self.folder.join("agent-statistics.csv").exists(),
            guide,
            confirmed: Confirmation::of(self.target)?
                .map(|c| format!("{} on {}", c.by, c.at.format("%Y-%m-%d %H:%M UTC"))),
            signed: signed
                .iter()
                .filter(|s| s.source == self.report.source)
                .map(|s| {
                    let at = s.at.format("%Y-%m-%d %H:%M UTC");
                    format!(
                        "{} ({}) on {at}, for {}: {}",
                        s.by,
                        s.role,
                        s.target,
                        s.accepted.join("; ")
                    )
                })
                .collect(),
            trail: trail.entries.iter().map(super::audit::line).collect(),
            broken: trail.broken.map(|(n, why)| format!("line {n}: {why}")),
            clicks: (self.app.sink.clicks)(),
            notes: &self.report.notes,
        };
        let html = super::page::render("hand_over.html", TEMPLATE, &page)?;
        let path = self.folder.join("index.html");
        std::fs::write(&path, html).map_err(|e| failed(e, &path))?;
        Ok(path)
    }

    /// Every record that is held or failed, in a table that no spreadsheet takes for formulas. Answers how many.
    async fn list(&self, cx: &Context) -> Result<u64> {
        let path = self.folder.join(WAITING);
        let broken = |e: csv::Error| Error::storage(DOING, e.into());
        let mut writer = csv::WriterBuilder::new()
            .terminator(csv::Terminator::CRLF)
            .from_writer(cells::MARK.to_vec());
        writer
            .write_record(["key", "phase", "outcome", "reason", "said", "at the source"])
            .map_err(broken)?;
        let mut count = 0;
        looking::unfinished(cx, self.workspace, self.target, |one| {
            count += 1;
            let cells = [
                one.key,
                one.phase,
                one.outcome,
                one.reason,
                one.message,
                one.url,
            ];
            writer
                .write_record(cells.map(|cell| cells::safe(&cell)))
                .map_err(broken)
        })
        .await?;
        let bytes = writer
            .into_inner()
            .map_err(|e| Error::bug(DOING, e.to_string()))?;
        std::fs::write(&path, bytes).map_err(|e| failed(e, &path))?;
        Ok(count)
    }

    fn inventory(&self) -> Result<Option<Inventory>> {
        let path = self.folder.join("inventory.json");
        if !path.exists() {
            return Ok(None);
        }
        let text = std::fs::read(&path).map_err(|e| failed(e, &path))?;
        let read = serde_json::from_slice(&text);
        read.map(Some)
            .map_err(|e| failed(std::io::Error::other(e), &path))
    }

    /// The guide to agreements on times; its name, where the source has any.
    fn guide(&self, inventory: &Inventory) -> Result<String> {
        let of = |kind: InventoryKind| -> Vec<&InventoryGroup> {
            inventory.groups.iter().filter(|g| g.kind == kind).collect()
        };
        let (agreements, hours) = (of(InventoryKind::Sla), of(InventoryKind::BusinessHours));
        if agreements.is_empty() && hours.is_empty() {
            return Ok(String::new());
        }
        let guide = Guide {
            source: &inventory.source,
            target: &self.report.target,
            agreements,
            hours,
        };
        let html = super::page::render("sla_guide.html", GUIDE, &guide)?;
        let path = self.folder.join("sla-guide.html");
        std::fs::write(&path, html).map_err(|e| failed(e, &path))?;
        Ok("sla-guide.html".to_owned())
    }
}

fn failed(error: std::io::Error, path: &Path) -> Error {
    Error::storage(DOING, error).with("file", path.display())
}

#[derive(Debug, Serialize)]
struct Page<'a> {
    source: &'a str,
    target: &'a str,
    target_id: &'a str,
    made_at: String,
    complete: bool,
    verified: bool,
    compared: u64,
    different: u64,
    phases: &'a [deskferry_core::report::PhaseReport],
    waits: Vec<Waits>,
    waiting: u64,
    inventory: usize,
    statistics: bool,
    guide: String,
    confirmed: Option<String>,
    signed: Vec<String>,
    trail: Vec<String>,
    broken: Option<String>,
    clicks: Vec<Counterpart>,
    notes: &'a [String],
}

#[derive(Debug, Serialize)]
struct Waits {
    who: &'static str,
    count: u64,
    phase: String,
    reason: String,
    advice: String,
}

impl From<Wait> for Waits {
    fn from(wait: Wait) -> Self {
        Self {
            who: wait.who,
            count: wait.count,
            phase: wait.phase,
            reason: wait.reason,
            advice: wait.advice,
        }
    }
}

#[derive(Debug, Serialize)]
struct Guide<'a> {
    source: &'a str,
    target: &'a str,
    agreements: Vec<&'a InventoryGroup>,
    hours: Vec<&'a InventoryGroup>,
}
