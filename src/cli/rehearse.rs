//! `rehearse`: the whole migration against a local org that looks like the real one, and every row that it refuses.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use deskferry_core::audit::Trail;
use deskferry_core::migration::{self, Gate, Migration, Refused, Workspace};
use deskferry_core::owners::Undecided;
use deskferry_core::report::{Allowance, Limits, Report};
use deskferry_core::{Context, Error, ErrorKind, Result};
use deskferry_rehearsal::org::{Org, OrgSettings, Unjudged};
use futures_core::future::BoxFuture;
use serde::Serialize;

use super::App;
use super::choices::Choices;
use super::exit::Done;
use super::local::{Local, Mirror};
use super::progress::Shown;
use super::verbs::{stop_on_interrupt, write_if_missing};

/// A picture of an org on its way.
pub type Pulling = BoxFuture<'static, Result<Picture>>;

/// What was pulled from a real org.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Picture {
    /// The org's name.
    pub name: String,
    /// Its id.
    pub org: String,
    /// When the first of its answers was taken.
    pub begun_at: DateTime<Utc>,
    /// Answers that were asked for now.
    pub asked: usize,
    /// Answers that were there from an earlier pull.
    pub kept: usize,
    /// What the org did not tell, and why.
    pub untold: Vec<String>,
    /// What is left of the org's allowances.
    pub allowances: Vec<Allowance>,
}

impl Picture {
    /// One of this org, begun at this time.
    pub fn new(name: impl Into<String>, org: impl Into<String>, begun_at: DateTime<Utc>) -> Self {
        Self {
            name: name.into(),
            org: org.into(),
            begun_at,
            asked: 0,
            kept: 0,
            untold: Vec::new(),
            allowances: Vec::new(),
        }
    }
}

/// The name of the target while it is loaded; afterwards its folder stands with the rehearsal's other files.
const TARGET: &str = "rehearsal";
/// Examples of each cause.
const EXAMPLES: usize = 3;

/// `rehearsal.json`.
#[derive(Debug, Serialize)]
struct Rehearsed {
    format: u32,
    org: String,
    org_id: String,
    /// When its answers were taken.
    pictured_at: DateTime<Utc>,
    made_at: DateTime<Utc>,
    read: u64,
    taken: u64,
    held: u64,
    refused: u64,
    causes: Vec<Cause>,
    /// Lines of the mapping that do not fit the org, and what else is to be known.
    notes: Vec<String>,
    unjudged: Vec<Seen>,
    untold: Vec<String>,
    requests: u64,
    requests_left: Option<u64>,
}

/// Rows that are refused for one reason.
#[derive(Debug, Serialize)]
struct Cause {
    phase: String,
    code: String,
    message: String,
    count: u64,
    examples: Vec<String>,
}

/// A rule that judges no row here, with the rows that it will see.
#[derive(Debug, Serialize)]
struct Seen {
    kind: String,
    name: String,
    object: Option<String>,
    why: String,
    rows: Option<u64>,
}

/// Where everything of a rehearsal is.
struct Places {
    rehearsal: PathBuf,
    picture: PathBuf,
    mirror: PathBuf,
    target: PathBuf,
}

impl Places {
    fn of(workspace: &Path) -> Self {
        let rehearsal = workspace.join("rehearsal");
        Self {
            picture: rehearsal.join("picture"),
            mirror: rehearsal.join("mirror"),
            target: rehearsal.join("target"),
            rehearsal,
        }
    }
}

pub(super) async fn rehearse(
    app: &App,
    choices: &Choices,
    folder: &Path,
    anew: bool,
) -> Result<Done> {
    let ended = rehearse_it(app, choices, folder, anew).await;
    let result = ended.as_ref().map_or_else(|e| e.kind().name(), |_| "done");
    let what = serde_json::json!({ "result": result });
    let noted = Trail::of(folder).add(Utc::now(), &choices.who.name, "rehearse", "ended", what);
    // A rehearsal that failed says why itself, on a full disk too.
    let done = ended?;
    noted?;
    Ok(done)
}

async fn rehearse_it(app: &App, choices: &Choices, folder: &Path, anew: bool) -> Result<Done> {
    let workspace = Workspace::open(folder)?;
    let places = Places::of(folder);
    if anew {
        remove(&places.picture)?;
    }
    let picture = pull(app, choices, &workspace.mapping(), &places).await?;
    let (_, unjudged) = OrgSettings::pictured(&places.picture).map_err(|e| {
        Error::storage("read the picture of the org", e).advise("`rehearse --anew` pulls it again")
    })?;
    forget_the_last(&workspace, &places)?;
    let mirror = {
        let probed = super::probe::of_org(folder, &picture.org)?;
        Local::mirror(app, &places.rehearsal, &places.picture, probed.as_ref()).await?
    };
    let (report, requests) = load(app, choices, workspace, folder, &mirror).await?;
    let workspace = Workspace::look(folder)?;
    let target = targets_of(&workspace, &report.target_id)?;
    let target = target
        .first()
        .ok_or_else(|| Error::bug("rehearse", "the load left no folder of a target"))?;
    let (refused, causes) = causes(&workspace, target).await?;
    drop(mirror);
    let made = Rehearsed {
        format: 1,
        org: picture.name,
        org_id: picture.org,
        pictured_at: picture.begun_at,
        made_at: report.made_at,
        read: report.total(|phase| phase.read),
        taken: report.total(|phase| phase.created + phase.updated + phase.unchanged),
        held: report.total(|phase| phase.held),
        refused,
        causes,
        notes: report.notes.clone(),
        unjudged: seen(unjudged, &places.mirror)?,
        untold: picture.untold,
        requests,
        requests_left: left(&picture.allowances),
    };
    finish(&places, target, &made)
}

/// Asks the real org about itself. Only reads.
#[expect(clippy::print_stdout, reason = "this is the program's own voice")]
async fn pull(app: &App, choices: &Choices, mapping: &Path, places: &Places) -> Result<Picture> {
    let told = choices.platform(app.sink.section)?;
    if !told.is_set(app.sink.address) {
        return Err(told.missing(app.sink.address).advise(
            "`rehearse` asks a real org about itself; `run` without one uses a made-up org",
        ));
    }
    let mut text = (app.sink.mapping)();
    if !choices
        .platform(app.source.section)?
        .is_set(app.source.address)
    {
        text = super::local::mapping_with(&text, app.source.local.lines);
    }
    if let Some(prefix) = &choices.field_prefix {
        text = (app.sink.prefixed)(&text, prefix)?;
    }
    write_if_missing(mapping, &text)?;
    let picture = (app.sink.pull)(&told, mapping, places.picture.clone()).await?;
    println!(
        "{} ({}): {} answers asked for, {} there from before, nothing written",
        picture.name, picture.org, picture.asked, picture.kept
    );
    for untold in &picture.untold {
        println!("not told: {untold}");
    }
    Ok(picture)
}

/// A rehearsal begins anew: the local org of the last one, and what was loaded into it, go. Nothing of another org is touched.
fn forget_the_last(workspace: &Workspace, places: &Places) -> Result<()> {
    remove(&places.target)?;
    if let Ok(org) = Org::open_state(&places.mirror) {
        for folder in targets_of(workspace, &org.org_id())? {
            remove(&folder)?;
        }
    }
    remove(&places.mirror)
}

/// The folders of the target with this id.
fn targets_of(workspace: &Workspace, id: &str) -> Result<Vec<PathBuf>> {
    let mut folders = workspace.targets()?;
    folders.retain(|folder| {
        let name = folder.file_name().and_then(|name| name.to_str());
        name.and_then(|name| name.rsplit_once('-'))
            .is_some_and(|(_, known)| !id.is_empty() && known == id)
    });
    Ok(folders)
}

/// Runs the migration against the mirror to its end, whatever fails, and reads it back.
async fn load(
    app: &App,
    choices: &Choices,
    workspace: Workspace,
    folder: &Path,
    mirror: &Mirror,
) -> Result<(Report, u64)> {
    let of_source = choices.platform(app.source.section)?;
    let real = of_source.is_set(app.source.address);
    let local = Local::start(app, &choices.world, folder, !real, false).await?;
    let source = match local.helpdesk_url() {
        Some(url) => (app.source.local.connect)(url)?,
        None => (app.source.make)(&of_source)?,
    };
    let sink = (app.sink.rehearsing)(mirror.url(), &workspace.mapping())?;
    let cx = Context::new();
    let shown = Shown::new(choices.quiet, &cx, &sink.phases());
    let migration = Migration::new(workspace, source, Arc::clone(&sink))
        .gate(Gate {
            share: 1.0,
            ..Gate::default()
        })
        // Nobody decides in a rehearsal.
        .undecided(choices.undecided.unwrap_or(Undecided::Legacy))
        .target_name(TARGET)
        .progress(shown.clone());
    let migration = choices.privacy.of_migration(migration);
    let interrupted = stop_on_interrupt(&cx);
    let ran = async {
        migration.run(&cx).await?;
        let sent = cx.meter().snapshot();
        let report = migration.verify(&cx).await?;
        let of_sink = sent.iter().filter(|row| row.platform == app.sink.name);
        Ok((report, of_sink.map(|row| row.requests).sum()))
    };
    let done = ran.await;
    interrupted.abort();
    shown.end();
    done
}

/// Every refused row into a file, and the rows by what was said of them.
async fn causes(workspace: &Workspace, target: &Path) -> Result<(u64, Vec<Cause>)> {
    let path = target.join("refused.jsonl");
    let io = |e| Error::storage("write the refused rows", e);
    let mut file = std::io::BufWriter::new(std::fs::File::create(&path).map_err(io)?);
    let mut causes: BTreeMap<(String, String, String), (u64, Vec<String>)> = BTreeMap::new();
    let mut all = 0;
    migration::refused(workspace, target, |refused| {
        let Refused {
            phase,
            key,
            code,
            message,
            ..
        } = refused;
        let line =
            serde_json::json!({"phase": phase, "key": key, "code": code, "message": message});
        writeln!(file, "{line}").map_err(io)?;
        all += 1;
        let (count, examples) = causes
            .entry((phase, code, without_ids(&message)))
            .or_default();
        *count += 1;
        if examples.len() < EXAMPLES {
            examples.push(key);
        }
        Ok(())
    })
    .await?;
    file.flush().map_err(io)?;
    let mut causes: Vec<Cause> = causes
        .into_iter()
        .map(|((phase, code, message), (count, examples))| Cause {
            phase,
            code,
            message,
            count,
            examples,
        })
        .collect();
    causes.sort_by_key(|cause| std::cmp::Reverse(cause.count));
    Ok((all, causes))
}

/// What was said without what differs from row to row: ids, keys, addresses and figures.
fn without_ids(message: &str) -> String {
    let is_id = |word: &str| {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        let digits = bare.chars().any(|c| c.is_ascii_digit());
        (digits && bare.chars().all(char::is_alphanumeric) && !bare.is_empty())
            || bare.contains('@')
            || bare.matches(':').count() > 1
    };
    let words = message.split(' ');
    words
        .map(|word| if is_id(word) { "…" } else { word })
        .collect::<Vec<_>>()
        .join(" ")
}

/// How many rows each rule will see: those that were taken here.
fn seen(unjudged: Vec<Unjudged>, mirror: &Path) -> Result<Vec<Seen>> {
    let failed = |e: deskferry_rehearsal::org::OrgError| {
        Error::new(
            ErrorKind::Storage,
            "count the rows of the local org",
            e.to_string(),
        )
    };
    let org = Org::open_state(mirror).map_err(failed)?;
    let counts: BTreeMap<String, u64> = org.counts().map_err(failed)?.into_iter().collect();
    let rows = |object: &String| counts.get(object).copied().unwrap_or(0);
    Ok(unjudged
        .into_iter()
        .map(|rule| Seen {
            rows: rule.object.as_ref().map(rows),
            kind: rule.kind,
            name: rule.name,
            object: rule.object,
            why: rule.why,
        })
        .collect())
}

fn left(allowances: &[Allowance]) -> Option<u64> {
    let requests = |allowance: &&Allowance| allowance.limits == Limits::Requests;
    allowances.iter().find(requests).map(|found| found.left)
}

/// Puts the target's folder among the rehearsal's own, so that no later verb takes it for an org.
#[expect(clippy::print_stdout, reason = "this is the program's own voice")]
fn finish(places: &Places, target: &Path, made: &Rehearsed) -> Result<Done> {
    let io = |e| Error::storage("keep the rehearsal", e);
    let text = serde_json::to_vec_pretty(made)
        .map_err(|e| Error::bug("keep the rehearsal", e.to_string()))?;
    std::fs::write(target.join("rehearsal.json"), text).map_err(io)?;
    std::fs::rename(target, &places.target).map_err(io)?;
    println!("\n{}", shown(made));
    for file in ["report.html", "rehearsal.json", "refused.jsonl"] {
        println!("{}", places.target.join(file).display());
    }
    Ok(if made.refused == 0 && made.held == 0 {
        Done::Well
    } else {
        Done::Blocked(ErrorKind::Refused)
    })
}

/// The result for people. Writing to a string cannot fail.
fn shown(made: &Rehearsed) -> String {
    let mut out = format!(
        "rehearsed against {} as it was on {}: {} records read, {} taken, {} refused, {} held\n",
        made.org,
        made.pictured_at.format("%Y-%m-%d %H:%M UTC"),
        made.read,
        made.taken,
        made.refused,
        made.held
    );
    for cause in &made.causes {
        let Cause {
            phase,
            code,
            message,
            count,
            examples,
        } = cause;
        let _ = writeln!(out, "refused in {phase}: {count} × {code}: {message}");
        let _ = writeln!(out, "    such as {}", examples.join(", "));
    }
    for note in &made.notes {
        let _ = writeln!(out, "note: {note}");
    }
    for rule in &made.unjudged {
        let of = match (&rule.object, rule.rows) {
            (Some(object), Some(rows)) => format!("will see {rows} rows of {object}"),
            _ => "will see rows of an object that the org does not name".to_owned(),
        };
        let _ = writeln!(
            out,
            "not judged here: {} {} {of}: {}",
            rule.kind, rule.name, rule.why
        );
    }
    let left = match made.requests_left {
        Some(left) => format!("; the org has {left} left of today's"),
        None => String::new(),
    };
    let _ = write!(out, "requests of the load: {}{left}", made.requests);
    out
}

fn remove(folder: &Path) -> Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::storage("begin a rehearsal anew", e).with("folder", folder.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_row_to_row_does_not_make_a_cause_of_its_own() {
        for (message, cause) in [
            (
                "Required fields are missing: [Region__c]",
                "Required fields are missing: [Region__c]",
            ),
            (
                "duplicates value on record with id: 500000000000001",
                "duplicates value on record with id: …",
            ),
            (
                "Email: invalid email address: a@b",
                "Email: invalid email address: …",
            ),
            (
                "Source: data value too large: kayako:acme:contact:7 (max length=40)",
                "Source: data value too large: … (max length=40)",
            ),
        ] {
            assert_eq!(without_ids(message), cause);
        }
    }
}
