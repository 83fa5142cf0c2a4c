//! That somebody looked at the mapping.

use std::path::Path;

use deskferry_core::audit::Trail;
use deskferry_core::consent::{Confirmation, Plan, Told};
use deskferry_core::migration::Workspace;
use deskferry_core::sink::TargetInfo;
use deskferry_core::{Context, Error, ErrorKind, Result};
use serde::Deserialize;

use super::choices::Choices;
use super::exit::Done;

const DOING: &str = "confirm the mapping";

/// What of a plan is confirmed.
#[derive(Deserialize)]
struct Planned {
    /// Nothing where the mapping does not fit the target.
    #[serde(default)]
    confirmable: Option<Plan>,
}

/// Confirms what the last plan showed.
pub(super) fn confirm(choices: &Choices, folder: &Path) -> Result<Done> {
    Workspace::look(folder)?;
    let workspace = Workspace::open(folder)?;
    let by = choices.who.named(DOING)?;
    keep(&Context::new(), &workspace, by)?;
    Ok(Done::Well)
}

/// The same, by somebody.
#[expect(clippy::print_stdout, reason = "this is the program's own voice")]
pub(super) fn keep(cx: &Context, workspace: &Workspace, by: &str) -> Result<()> {
    let plan = planned(workspace)?;
    let path = workspace.mapping();
    let text = std::fs::read_to_string(&path)
        .map_err(|e| Error::storage(DOING, e).with("file", path.display()))?;
    let changes = plan.mapping.changes_to(&Told::of_toml(&text)?);
    if !changes.is_empty() {
        return Err(Error::new(
            ErrorKind::Interactive,
            DOING,
            format!(
                "it was changed after the plan was made, so nobody has seen what it would do:\n  {}\n",
                changes.join("\n  ")
            ),
        )
        .advise("Make the plan again with `plan`, look at it, then confirm"));
    }
    let target = TargetInfo::new(plan.target_id.clone(), plan.target.clone());
    let place = workspace.make_place_of(&target)?;
    let confirmed = Confirmation::new(by, cx.now(), plan);
    confirmed.keep(&place)?;
    let of = &confirmed.of;
    let what = serde_json::json!({
        "target": of.target, "target_id": of.target_id, "source": of.source,
        "mapping": of.mapping_hash(), "plan": of.inputs_hash(),
    });
    Trail::of(&place).add(cx.now(), by, "confirm", "recorded", what)?;
    println!(
        "confirmed by {by} for {} ({}): mapping {}, plan {}",
        of.target,
        of.target_id,
        &of.mapping_hash()[..16],
        &of.inputs_hash()[..16]
    );
    println!("any change of mapping, policies or the org's fields voids it");
    Ok(())
}

/// What the last plan was about.
fn planned(workspace: &Workspace) -> Result<Plan> {
    let path = workspace.folder().join("plan").join("plan.json");
    let first = || {
        Error::new(ErrorKind::Interactive, DOING, "there is no plan yet").advise(
            "`discover` reads the helpdesk, `plan` shows what a load would do; then confirm",
        )
    };
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Err(first()),
        Err(e) => return Err(Error::storage(DOING, e).with("file", path.display())),
    };
    let planned: Planned = serde_json::from_slice(&text).map_err(|e| {
        Error::new(ErrorKind::Mismatch, DOING, e.to_string())
            .with("file", path.display())
            .advise("Make the plan again with `plan`")
    })?;
    planned.confirmable.ok_or_else(|| {
        Error::new(
            ErrorKind::Interactive,
            DOING,
            "the plan found that the mapping does not fit the target",
        )
        .advise("Do what `plan` says, make the plan again, then confirm")
    })
}
