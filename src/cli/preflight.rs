//! `preflight`: everything that decides how a load will go, and afterwards whether a rule is another than it was. Only reads.

use std::path::{Path, PathBuf};

use deskferry_core::preflight::{Finding, Level, Looked};
use deskferry_core::{Context, Error, ErrorKind, Result, Sink};

use super::exit::Done;

/// Looks, shows a line for each thing and keeps what was found for a later comparison.
///
/// # Errors
/// What ends a request; `Storage`.
pub(super) async fn look(sink: &dyn Sink, workspace: &Path) -> Result<Done> {
    let found = asked(sink).await?;
    show(&found.findings);
    keep(&place(workspace, &found.target), &found)?;
    Ok(match found.worst() {
        Level::Blocking => Done::Blocked(ErrorKind::Config),
        _ => Done::Well,
    })
}

/// As part of a plan: what is not as it should be. A target that cannot be looked at does not spoil the plan.
///
/// # Errors
/// `Storage`.
#[expect(clippy::print_stdout, reason = "this is the program's own voice")]
pub(super) async fn of_plan(sink: &dyn Sink, workspace: &Path) -> Result<()> {
    match asked(sink).await {
        Ok(mut found) => {
            keep(&place(workspace, &found.target), &found)?;
            found.findings.retain(|f| f.level != Level::Fine);
            println!("\npreflight (`preflight` shows what is as it should be, too):");
            show(&found.findings);
        }
        Err(error) => println!("\npreflight: {error}"),
    }
    Ok(())
}

/// Shows every rule whose state is another than at the last look.
///
/// # Errors
/// `NotFound` when there was none; what ends a request; `Storage`.
#[expect(clippy::print_stdout, reason = "this is the program's own voice")]
pub(super) async fn compare(sink: &dyn Sink, workspace: &Path) -> Result<Done> {
    let now = asked(sink).await?;
    let before = kept(&place(workspace, &now.target))?;
    let changed = now.changed_since(&before);
    for line in &changed {
        println!("changed   {line}");
    }
    if changed.is_empty() {
        println!("Every rule of {} is as it was.", now.name);
        Ok(Done::Well)
    } else {
        println!("Rules that were switched off for the load want to be switched on again.");
        Ok(Done::Differs)
    }
}

async fn asked(sink: &dyn Sink) -> Result<Looked> {
    let preflight = sink.as_preflight().ok_or_else(|| {
        Error::new(
            ErrorKind::Config,
            "look at the target",
            "this kind of target cannot be looked at beforehand",
        )
    })?;
    preflight.look(&Context::new()).await
}

#[expect(clippy::print_stdout, reason = "this is the program's own voice")]
fn show(findings: &[Finding]) {
    for finding in findings {
        println!("{}", line(finding));
    }
}

fn line(finding: &Finding) -> String {
    let word = match finding.level {
        Level::Fine => "ok",
        Level::Warning => "warning",
        Level::Blocking => "blocking",
    };
    let Finding {
        about,
        said,
        advice,
        ..
    } = finding;
    let mut out = format!("{word:<9} {about}: {}", said.replace('\n', "\n          "));
    if !advice.is_empty() {
        out.push_str(&format!("\n          {advice}"));
    }
    out
}

/// One look per org is kept: the last one before the load.
fn place(workspace: &Path, target: &str) -> PathBuf {
    let plain = |c: &char| c.is_ascii_alphanumeric();
    let target: String = target.chars().filter(plain).collect();
    workspace.join(format!("preflight-{target}.json"))
}

fn keep(path: &Path, found: &Looked) -> Result<()> {
    let text = serde_json::to_vec_pretty(found)
        .map_err(|e| Error::bug("keep the preflight", e.to_string()))?;
    let half = path.with_extension("new");
    std::fs::write(&half, text)
        .and_then(|()| std::fs::rename(&half, path))
        .map_err(|e| Error::storage("keep the preflight", e).with("file", path.display()))
}

fn kept(path: &Path) -> Result<Looked> {
    let bytes = match std::fs::read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::new(
                ErrorKind::NotFound,
                "compare with an earlier preflight",
                "there is none of this org in the workspace",
            )
            .advise("Run `preflight` before the load"));
        }
        bytes => bytes.map_err(|e| Error::storage("read the preflight", e))?,
    };
    serde_json::from_slice(&bytes).map_err(|e| {
        Error::new(ErrorKind::Mismatch, "read the preflight", e.to_string())
            .with("file", path.display())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_do_stands_under_what_was_found() {
        let shown = line(&Finding::of(Level::Warning, "flows", "two\nof them", "Ask"));
        assert_eq!(
            shown,
            "warning   flows: two\n          of them\n          Ask"
        );
        assert_eq!(line(&Finding::fine("org", "Acme")), "ok        org: Acme");
    }
}
