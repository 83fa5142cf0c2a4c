//! What is proposed for the mapping: asked of the program's proposer, checked, shown, taken over when people say so.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use deskferry_core::consent::{Confirmation, Told};
use deskferry_core::looking::{self, Samples};
use deskferry_core::mapped::{Mapped, MappedLine, Offer};
use deskferry_core::migration::{self, Workspace};
use deskferry_core::proposing::{AskedField, Place, Proposed, Question};
use deskferry_core::report::Discovery;
use deskferry_core::{Context, Error, RecordKind, Result};
use serde::Serialize;

use super::App;
use super::choices::Choices;
use super::plan::How;

/// How many fields of the target are named.
const NAMED: usize = 20;

/// What was asked and proposed.
#[derive(Debug, Default, Serialize)]
pub(super) struct Looked {
    /// Who proposed.
    pub(super) proposer: String,
    /// What came of it, checked.
    pub(super) proposed: Proposed,
    /// How many proposals could not be.
    pub(super) impossible: usize,
    /// Fields of the target that no line fills: those that are not the platform's own, and those without which a row is refused.
    pub(super) unfilled: Vec<Offer>,
    #[serde(skip)]
    pub(super) question: Question,
    #[serde(skip)]
    pub(super) samples: Samples,
}

/// Asks the proposer about everything that the mapping leaves behind.
pub(super) async fn look(
    cx: &Context,
    app: &App,
    choices: &Choices,
    mapped: Option<&dyn Mapped>,
    found: &Discovery,
    workspace: &Workspace,
    how: &How,
) -> Result<Looked> {
    let Some(mapped) = mapped else {
        return Ok(Looked::default());
    };
    let samples = looking::samples(cx, workspace, &choices.privacy.transforms()).await?;
    let offers = mapped.offers(cx).await?;
    let question = Question {
        fields: asked(cx, app, found, workspace, &samples).await?,
        values: mapped.unknown_values(cx).await?,
        earlier: earlier(workspace, how)?,
        offers,
    };
    let shown = match app.proposer.is_elsewhere() && !choices.values_are_shown {
        true => question.clone().without_values(),
        false => question.clone(),
    };
    let proposed = app.proposer.propose(cx, &shown).await?;
    let (proposed, impossible) = proposed.checked(&question);
    let free = question.offers.iter().filter(|offer| !offer.taken);
    let unfilled = free.filter(|offer| offer.custom || offer.required);
    Ok(Looked {
        proposer: app.proposer.name().to_owned(),
        proposed,
        impossible,
        unfilled: unfilled.cloned().collect(),
        question,
        samples,
    })
}

async fn asked(
    cx: &Context,
    app: &App,
    found: &Discovery,
    workspace: &Workspace,
    samples: &Samples,
) -> Result<Vec<AskedField>> {
    let taken = (app.sink.taken)(&workspace.mapping())?;
    let definitions = migration::definitions(cx, workspace).await?;
    let left = found.fields.iter().filter(|field| {
        let mapped = taken.contains(&(field.of, field.field.clone()));
        // Whole objects are proposed in a file of their own.
        field.used > 0 && !mapped && field.of != RecordKind::ObjectRecord
    });
    Ok(left
        .map(|field| {
            let defined = definitions
                .fields
                .iter()
                .find(|d| d.of == field.of && d.field == field.field && d.object.is_none());
            let values = samples.values.get(&(field.of, field.field.clone()));
            AskedField {
                of: field.of,
                field: field.field.clone(),
                title: field.title.clone(),
                holds: defined.map(|d| d.holds),
                options: defined.map(|d| d.options.clone()).unwrap_or_default(),
                used: field.used,
                shapes: field.shapes.clone(),
                samples: values.cloned().unwrap_or_default(),
            }
        })
        .collect())
}

/// The lines of maps that people confirmed: of other targets of this workspace, and of what they name.
fn earlier(workspace: &Workspace, how: &How) -> Result<Vec<MappedLine>> {
    let mut told = confirmed_in(workspace.folder())?;
    for path in &how.earlier {
        if path.is_dir() {
            let confirmed = confirmed_in(path)?;
            match confirmed.is_empty() {
                true => told.push(toml_of(&path.join("mapping.toml"))?),
                false => told.extend(confirmed),
            }
        } else {
            told.push(toml_of(path)?);
        }
    }
    Ok(told.iter().flat_map(lines_of).collect())
}

fn confirmed_in(folder: &Path) -> Result<Vec<Told>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder.join("targets"))
        .into_iter()
        .flatten()
        .flatten()
    {
        found.extend(Confirmation::of(&entry.path())?.map(|c| c.of.mapping));
    }
    Ok(found)
}

fn toml_of(path: &Path) -> Result<Told> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| Error::storage("read an earlier mapping", e).with("file", path.display()))?;
    Told::of_toml(&text).map_err(|e| e.with("file", path.display()))
}

/// `Case.fields.Subject.from` → a line.
fn lines_of(told: &Told) -> Vec<MappedLine> {
    let lines = told.iter().filter_map(|(name, says)| {
        let (object, field) = name.strip_suffix(".from")?.split_once(".fields.")?;
        let object = object.strip_prefix("objects.").unwrap_or(object);
        Some(MappedLine {
            object: object.to_owned(),
            field: field.trim_matches('"').to_owned(),
            from: says.trim_matches(['"', '\'']).to_owned(),
        })
    });
    lines.collect()
}

/// Takes over what is sure enough into the mapping file.
#[expect(clippy::print_stdout, reason = "this is the program's own voice")]
pub(super) async fn accept(
    app: &App,
    choices: &Choices,
    mapped: Option<&dyn Mapped>,
    found: &Discovery,
    workspace: &Workspace,
    how: &How,
    least: u8,
) -> Result<()> {
    let Some(sink) = mapped else { return Ok(()) };
    let cx = Context::new();
    let looked = look(&cx, app, choices, mapped, found, workspace, how).await?;
    let changes = looked.proposed.changes(least);
    let path = workspace.mapping();
    let text = read(&path)?;
    write(&path, &sink.edited(&text, &changes)?)?;
    println!(
        "taken over into mapping.toml: {} changes of {least} % and more\n",
        changes.len()
    );
    Ok(())
}

pub(super) fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path)
        .map_err(|e| Error::storage("read the mapping", e).with("file", path.display()))
}

/// As a whole or not at all.
pub(super) fn write(path: &Path, text: &str) -> Result<()> {
    let unfinished = path.with_extension("unfinished");
    std::fs::write(&unfinished, text)
        .and_then(|()| std::fs::rename(&unfinished, path))
        .map_err(|e| Error::storage("write the mapping", e).with("file", path.display()))
}

impl Looked {
    /// The mapping's text with everything that is proposed; nothing where nothing is.
    pub(super) fn written_into(
        &self,
        mapped: Option<&dyn Mapped>,
        text: &str,
    ) -> Result<Option<String>> {
        let changes = self.proposed.changes(0);
        match mapped {
            Some(mapped) if !changes.is_empty() => Ok(Some(mapped.edited(text, &changes)?)),
            _ => Ok(None),
        }
    }

    /// For a terminal.
    pub(super) fn text(&self) -> String {
        // Writing to a string cannot fail.
        let mut out = String::new();
        if !self.proposed.fields.is_empty() || !self.proposed.values.is_empty() {
            let _ = writeln!(out, "Proposed by {}:", self.proposer);
        }
        for p in &self.proposed.fields {
            let from = format!("{} custom.{}", p.of.name(), p.field);
            let to = match &p.place {
                Place::Field(name) => format!("{}.{name}", p.object),
                Place::New { name, .. } => format!("{}.{name} (new)", p.object),
                Place::Kept => "no field of its own".to_owned(),
            };
            let _ = writeln!(out, "  {:>3} %  {from} -> {to}: {}", p.confidence, p.reason);
        }
        for v in &self.proposed.values {
            let _ = writeln!(
                out,
                "  {:>3} %  {}.{} {} -> {}: {}",
                v.confidence, v.object, v.field, v.meaning, v.becomes, v.reason
            );
        }
        if self.impossible > 0 {
            let _ = writeln!(out, "  left out since they cannot be: {}", self.impossible);
        }
        if !self.unfilled.is_empty() {
            let _ = writeln!(
                out,
                "Fields of the target that no line fills: {}",
                self.unfilled.len()
            );
        }
        let mut by_object: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for offer in self.unfilled.iter().take(NAMED) {
            by_object
                .entry(&offer.object)
                .or_default()
                .push(&offer.field);
        }
        for (object, fields) in by_object {
            let _ = writeln!(out, "  {object}: {}", fields.join(", "));
        }
        out
    }
}
