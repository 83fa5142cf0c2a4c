//! `probe`: what the target does to difficult rows, tried out once somebody says so.

use std::path::Path;

use deskferry_core::audit::Trail;
use deskferry_core::migration::Workspace;
use deskferry_core::probing::{Did, Point, Probed, Probing};
use deskferry_core::{Context, Error, ErrorKind, Result, Sink};
use serde_json::json;

use super::choices::Choices;
use super::exit::Done;

const DOING: &str = "try the target out";
/// What was found, in the target's folder.
pub(super) const FILE: &str = "probe.json";
/// The newest form that this version reads.
const FORMAT: u32 = 1;

const TRIES: &str = "Rows of its own are made, read back and removed at once: an account, a contact, some cases, a file, a mail and
comments, with dates of 2015 and of tomorrow, odd characters and an owner who left. Rules, flows and notifications of the
org see them as they see any row.";

/// Tries the target out, or says what that would do.
#[expect(clippy::print_stdout, reason = "this is the program's own voice")]
pub(super) async fn probe(
    choices: &Choices,
    sink: &dyn Sink,
    workspace: &Workspace,
    yes: bool,
) -> Result<Done> {
    let probing = able(sink)?;
    let cx = Context::new();
    let interrupted = super::verbs::stop_on_interrupt(&cx);
    let info = sink.check(&cx).await?;
    let place = workspace.make_place_of(&info)?;
    let left = probing.clean(&cx, &place).await?;
    if left > 0 {
        println!("Removed what an earlier probe had left behind (rows: {left}).");
    }
    if !yes {
        println!(
            "{TRIES}\n\nNothing was made in {}. `probe --yes` does it.",
            info.name
        );
        return Ok(Done::Well);
    }
    let trail = Trail::of(&place);
    let who = &choices.who.name;
    let what = json!({"target": info.name, "target_id": info.id});
    trail.add(cx.now(), who, "probe", "began", what)?;
    let probed = probing.probe(&cx, &place).await;
    interrupted.abort();
    let result = probed.as_ref().map_or_else(|e| e.kind().name(), |_| "done");
    let noted = trail.add(cx.now(), who, "probe", "ended", json!({"result": result}));
    let probed = probed?;
    noted?;
    keep(&place, &probed)?;
    for point in &probed.points {
        println!("{}", line(point));
    }
    println!(
        "\nkept for `verify` and `rehearse`: {}",
        place.join(FILE).display()
    );
    if probed.left.is_empty() {
        println!("Every row was removed again.");
        return Ok(Done::Well);
    }
    for row in &probed.left {
        println!("left behind: {row}");
    }
    println!("`probe` tries again to remove them.");
    Ok(Done::Blocked(ErrorKind::Refused))
}

fn able(sink: &dyn Sink) -> Result<&dyn Probing> {
    sink.as_probing().ok_or_else(|| {
        Error::new(
            ErrorKind::Config,
            DOING,
            "this kind of target cannot be tried out",
        )
    })
}

/// What an earlier probe found of the target in this folder, if there was one.
pub(super) fn kept(place: &Path) -> Result<Option<Probed>> {
    let path = place.join(FILE);
    let bytes = match std::fs::read(&path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        bytes => {
            bytes.map_err(|e| Error::storage("read the probe", e).with("file", path.display()))?
        }
    };
    let strange = |said: String| {
        Error::new(ErrorKind::Mismatch, "read the probe", said)
            .with("file", path.display())
            .advise("`probe --yes` makes it anew")
    };
    let probed: Probed = serde_json::from_slice(&bytes).map_err(|e| strange(e.to_string()))?;
    if probed.format > FORMAT {
        return Err(strange("it has a newer format".to_owned()));
    }
    Ok(Some(probed))
}

/// What an earlier probe found of the org with this id, if there was one.
#[cfg(feature = "rehearsal")]
pub(super) fn of_org(workspace: &Path, id: &str) -> Result<Option<Probed>> {
    let Ok(folders) = std::fs::read_dir(workspace.join("targets")) else {
        return Ok(None);
    };
    for folder in folders.flatten() {
        if let Some(probed) = kept(&folder.path())?
            && probed.target.get(..15) == id.get(..15)
        {
            return Ok(Some(probed));
        }
    }
    Ok(None)
}

/// Tells the sink what an earlier probe found.
pub(super) fn learn(sink: &dyn Sink, place: &Path) -> Result<()> {
    if let (Some(probing), Some(probed)) = (sink.as_probing(), kept(place)?) {
        probing.learn(&probed);
    }
    Ok(())
}

fn keep(place: &Path, probed: &Probed) -> Result<()> {
    let path = place.join(FILE);
    let text = serde_json::to_vec_pretty(probed)
        .map_err(|e| Error::bug("keep the probe", e.to_string()))?;
    let half = path.with_extension("new");
    std::fs::write(&half, text)
        .and_then(|()| std::fs::rename(&half, &path))
        .map_err(|e| Error::storage("keep the probe", e).with("file", path.display()))
}

fn line(point: &Point) -> String {
    let word = match point.did {
        Did::Kept => "kept",
        Did::Changed => "changed",
        Did::Refused => "refused",
        Did::Untried => "not tried",
    };
    let Point {
        point,
        of,
        sent,
        found,
        did,
    } = point;
    let quiet = matches!(did, Did::Kept | Did::Untried);
    let more = match (quiet, sent.is_empty()) {
        (true, _) => String::new(),
        (false, true) => format!(": {found}"),
        (false, false) => format!(": {sent:?} became {found:?}"),
    };
    let more = match did {
        Did::Refused => format!(": {found}"),
        _ => more,
    };
    format!("{word:<10}{point:<20}{of}{more}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_point_says_what_became_of_it() {
        let point = |did| Point {
            point: "blanks".into(),
            of: "Case.Subject".into(),
            did,
            sent: " a ".into(),
            found: "a".into(),
        };
        for (did, said) in [
            (Did::Kept, "kept      blanks              Case.Subject"),
            (
                Did::Changed,
                "changed   blanks              Case.Subject: \" a \" became \"a\"",
            ),
            (
                Did::Refused,
                "refused   blanks              Case.Subject: a",
            ),
            (Did::Untried, "not tried blanks              Case.Subject"),
        ] {
            assert_eq!(line(&point(did)), said);
        }
    }
}
