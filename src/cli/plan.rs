//! What must be decided and installed before a run, from what was read. Writes nothing to a platform.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use deskferry_core::audit::Trail;
use deskferry_core::consent;
use deskferry_core::migration::{self, Workspace};
use deskferry_core::owners::Undecided;
use deskferry_core::report::{Allowance, Discovery, Estimate, FieldFound, OwnerWait, Report};
use deskferry_core::sink::TargetInfo;
use deskferry_core::{Context, Error, ErrorKind, RecordKind, Result, Sink};
use serde::Serialize;

use super::App;
use super::choices::Choices;
use super::exit::Done;
use super::proposals::{self, Looked};
use super::standing;
use super::verbs::Ends;

/// How the package is installed; stands beside it.
const README: &str = "\
The fields that the migration's mapping names, and a permission set that shows them, in the format of Salesforce's
Metadata API. Installing it again changes nothing. Try it in a sandbox first. `deploy` does all of this by itself, and
leaves alone what is there. Usual ways by hand:

Salesforce CLI, inside any project folder (`sf project generate` makes one):

    sf project deploy start --metadata-dir package.zip --single-package --target-org ORG --wait 30
    sf org assign permset --name Deskferry_Migration --target-org ORG --on-behalf-of MIGRATION_USER

A browser tool such as Workbench: Migration, Deploy, choose package.zip, tick \"Single Package\" and \"Rollback On Error\".
Then in Setup: Permission Sets, Deskferry Migration, Manage Assignments, add the migration user.

Fields that are there already are brought to what stands here. The values of a list that are in the org and not here
would be deactivated: compare before you install, if somebody made such a field by hand.

Where articles are loaded, the group of data categories in datacategorygroups/ is whole: one of its name that is in the org
is replaced, and categories that it does not name are lost with what stood in them. Compare before you install it.

Afterwards `doctor` says whether everything fits.
";

/// What the mapping would say of the source's custom objects; stands beside the package.
const OBJECTS: &str = "objects.toml";

/// What the mapping would say of kinds of conversations; stands beside the package.
const TYPES: &str = "record-types.toml";

/// Queues of the source that the mapping gives no name of the target to.
const QUEUES: &str = "queues.toml";

/// The source's configuration that cannot migrate, for people.
const INVENTORY: &str = "inventory.html";

/// What reading takes, where nothing was read yet.
const READING: &str = "reading.json";

/// The mapping with everything that is proposed; stands beside the package.
const PROPOSED: &str = "mapping.proposed.toml";

/// How a plan is made.
#[derive(Debug, Clone, Default)]
pub(super) struct How {
    /// Proposals that are at least so sure are taken over first, in percent.
    pub(super) accept: Option<u8>,
    /// What was confirmed earlier.
    pub(super) earlier: Vec<PathBuf>,
    /// Whether it is shown on a web page.
    pub(super) review: bool,
    /// What reading the rest takes, where something is left to read.
    pub(super) reading: Option<Estimate>,
}

/// What a plan found.
#[derive(Debug, Default, Serialize)]
struct Plan {
    /// In use at the source, and no line of the mapping takes them.
    left_behind: Vec<FieldFound>,
    /// Lines of the mapping for fields that no record has.
    unused: Vec<(RecordKind, String)>,
}

impl Plan {
    fn of(found: &Discovery, taken: &BTreeSet<(RecordKind, String)>) -> Self {
        let in_use = |of: RecordKind, name: &str| {
            found
                .fields
                .iter()
                .any(|f| f.of == of && f.field == name && f.used > 0)
        };
        let mapped = |f: &FieldFound| taken.contains(&(f.of, f.field.clone()));
        // Whole objects are proposed in a file of their own.
        let left_behind = found
            .fields
            .iter()
            .filter(|f| f.used > 0 && !mapped(f) && f.of != RecordKind::ObjectRecord);
        let unused = taken.iter().filter(|(of, name)| !in_use(*of, name));
        Self {
            left_behind: left_behind.cloned().collect(),
            unused: unused.cloned().collect(),
        }
    }

    fn text(&self) -> String {
        // Writing to a string cannot fail.
        let mut out = String::new();
        if self.left_behind.is_empty() {
            out.push_str("Every custom field in use has a line in the mapping.\n");
        } else {
            out.push_str("Custom fields in use without a line in the mapping (their values are kept together as JSON, in no field of their own):\n");
        }
        for field in &self.left_behind {
            let shape = field.shapes.first().map_or("", String::as_str);
            let name = format!("{} custom.{}", field.of.name(), field.field);
            let (used, holds) = (field.used, &field.holds);
            let _ = writeln!(out, "  {name:<44}{used:>9} records  {holds}  {shape}");
        }
        if !self.unused.is_empty() {
            out.push_str("Lines of the mapping for fields that no record has:\n");
        }
        for (of, name) in &self.unused {
            let _ = writeln!(out, "  {} custom.{name}", of.name());
        }
        out
    }
}

/// The whole plan. Serialised as `plan/plan.json`.
#[derive(Debug, Serialize)]
struct Written<'a> {
    /// The version of this form.
    format: u32,
    made_at: DateTime<Utc>,
    source: &'a str,
    read_to_the_end: bool,
    #[serde(flatten)]
    fields: &'a Plan,
    /// What reading takes, where it is not at its end and the source can tell.
    reading: Option<&'a Estimate>,
    estimate: Option<&'a Estimate>,
    /// What is left of the target's allowances.
    allowances: &'a [Allowance],
    /// What it has too little left of.
    shortages: &'a [String],
    /// Agents whose open cases wait until a person decides who owns them.
    owners: &'a [OwnerWait],
    fits: &'a Fits,
    /// What is proposed for the mapping, and what of the target no line fills.
    #[serde(flatten)]
    proposals: &'a Looked,
    /// What `confirm` confirms; nothing where the mapping does not fit.
    confirmable: Option<&'a consent::Plan>,
}

/// Whether the mapping fits the target.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Fits {
    /// It does; with what people must decide or know.
    Yes {
        target: String,
        id: String,
        to_decide: Vec<String>,
    },
    /// It does not: what the administrator installs, and all that is wrong.
    No {
        to_install: Vec<String>,
        said: String,
    },
}

impl Fits {
    /// Asks the target; who it is, where it fits.
    async fn ask(cx: &Context, sink: &dyn Sink) -> Result<(Self, Option<TargetInfo>)> {
        match sink.check(cx).await {
            Ok(info) => {
                let fits = Self::Yes {
                    target: info.name.clone(),
                    id: info.id.clone(),
                    to_decide: info.warnings.clone(),
                };
                Ok((fits, Some(info)))
            }
            Err(error) if error.kind() == ErrorKind::Config => {
                let lacks = error.context("lacks");
                let fits = Self::No {
                    to_install: lacks
                        .map(|lacks| lacks.split(", ").map(str::to_owned).collect())
                        .unwrap_or_default(),
                    said: error.to_string(),
                };
                Ok((fits, None))
            }
            Err(error) => Err(error),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Yes {
                target,
                id,
                to_decide,
            } => {
                let lines = to_decide.iter().map(|line| format!("to decide: {line}\n"));
                format!(
                    "The mapping fits {target} ({id}).\n{}",
                    lines.collect::<String>()
                )
            }
            Self::No { to_install, said } if to_install.is_empty() => {
                format!("{said}\nNothing that could be installed mends that.\n")
            }
            Self::No { said, .. } => format!(
                "{said}\n`deploy`, or the package, brings what is missing; then ask again.\n"
            ),
        }
    }
}

/// A line for each language of articles that the target lacks.
async fn lacking(cx: &Context, workspace: &Workspace, sink: &dyn Sink) -> Result<Vec<String>> {
    let languages = migration::languages_read(cx, workspace).await?;
    let locales: Vec<String> = languages.keys().cloned().collect();
    let lacking = sink.lacking_languages(cx, &locales).await?;
    let lines = lacking.iter().map(|locale| {
        let articles = languages.get(locale).copied().unwrap_or_default();
        format!(
            "{articles} articles have a text in {locale}, which the target lacks: they are held until it has that language, or until the mapping says what becomes of it"
        )
    });
    Ok(lines.collect())
}

/// Makes the plan: prints it, and writes it and the package for the administrator into `plan/`.
#[expect(clippy::print_stdout, reason = "this is the program's own voice")]
pub(super) async fn make(
    app: &App,
    choices: &Choices,
    ends: &Ends,
    found: &Discovery,
    workspace: &Workspace,
    undecided: Undecided,
    how: &How,
) -> Result<Done> {
    let (kit, sink) = (&app.sink, ends.sink.as_ref());
    let cx = Context::new();
    let folder = workspace.folder();
    let mapping = folder.join("mapping.toml");
    let plan = Plan::of(found, &(kit.taken)(&mapping)?);
    println!("{}", plan.text());
    let fresh = Fresh::begin(folder)?;
    let definitions = migration::definitions(&cx, workspace).await?;
    let package = (kit.package)(&mapping, &definitions)?;
    let estimate = migration::estimate(&cx, workspace, sink, &fresh.path("scratch")).await?;
    let (mut fits, mut info) = Fits::ask(&cx, sink).await?;
    if let Fits::Yes { to_decide, .. } = &mut fits {
        to_decide.extend(lacking(&cx, workspace, sink).await?);
    }
    if let (Some(info), Some(name)) = (&mut info, &choices.target_name) {
        info.name.clone_from(name);
    }
    let looked =
        proposals::look(&cx, app, choices, sink.as_mapped(), found, workspace, how).await?;
    println!("{}", looked.text());
    let allowances = match &fits {
        Fits::Yes { .. } => sink.allowances(&cx).await?,
        Fits::No { .. } => Vec::new(),
    };
    let begun = migration::status(folder).await?;
    let owners = match &fits {
        Fits::Yes { .. } if begun.is_empty() => {
            let scratch = fresh.path("scratch");
            migration::owners_to_decide(&cx, workspace, sink, undecided, &scratch).await?
        }
        _ => begun
            .iter()
            .flat_map(|report| report.owners.clone())
            .collect(),
    };
    let shortages = estimate.as_ref().map(|e| e.shortages(&allowances));
    let shortages = shortages.unwrap_or_default();
    if let Some(estimate) = &estimate {
        println!("{}", read_text(found));
        println!("{}", estimate.text());
    }
    for allowance in &allowances {
        let Allowance {
            of,
            left,
            most,
            unit,
            ..
        } = allowance;
        println!("{of}: {left} of {most} {unit} left");
    }
    for shortage in &shortages {
        println!("too little: {shortage}");
    }
    fresh.package(&package)?;
    let objects = (kit.proposed_objects)(&definitions);
    if !objects.is_empty() {
        fresh.write(Path::new(OBJECTS), objects.as_bytes())?;
    }
    let mut words = found.words.clone();
    if !found.channels.is_empty() {
        words.insert("channel".to_owned(), found.channels.clone());
    }
    let types = (kit.proposed_types)(&words);
    if !types.is_empty() {
        fresh.write(Path::new(TYPES), types.as_bytes())?;
    }
    let (queues, unnamed) = (kit.unnamed_queues)(&mapping, &found.teams)?;
    if unnamed > 0 {
        fresh.write(Path::new(QUEUES), queues.as_bytes())?;
    }
    let inventory = migration::inventory(&cx, workspace, sink).await?;
    if !inventory.is_empty() {
        fresh.write(Path::new("inventory.json"), &inventory.json()?)?;
        fresh.write(Path::new(INVENTORY), inventory.html()?.as_bytes())?;
    }
    let text = std::fs::read_to_string(&mapping).map_err(|e| failed(e, &mapping))?;
    let proposed = looked.written_into(sink.as_mapped(), &text)?;
    if let Some(proposed) = &proposed {
        fresh.write(Path::new(PROPOSED), proposed.as_bytes())?;
    }
    let confirmable = match &info {
        Some(info) => {
            let of = &found.source;
            Some(standing::plan_of(choices, info, workspace, of, undecided).await?)
        }
        None => None,
    };
    fresh.json(&Written {
        proposals: &looked,
        confirmable: confirmable.as_ref(),
        format: 1,
        made_at: cx.now(),
        source: &found.source,
        read_to_the_end: found.complete,
        fields: &plan,
        reading: how.reading.as_ref(),
        estimate: estimate.as_ref(),
        allowances: &allowances,
        shortages: &shortages,
        owners: &owners,
        fits: &fits,
    })?;
    let made = fresh.swap()?;
    println!(
        "\nplan for programs:             {}",
        made.join("plan.json").display()
    );
    println!(
        "package for the administrator: {}",
        made.join("package.zip").display()
    );
    println!(
        "how to install it:             {}",
        made.join("README.txt").display()
    );
    if !objects.is_empty() {
        println!(
            "custom objects of the source:  {} (tables for the mapping: add those that you want to mapping.toml)",
            made.join(OBJECTS).display()
        );
    }
    if !types.is_empty() {
        println!(
            "kinds of conversations:        {} (lines for the mapping, where cases are to have record types)",
            made.join(TYPES).display()
        );
    }
    if unnamed > 0 {
        println!(
            "queues without a name there:   {} (teams of the source: {unnamed}; lines for the mapping)",
            made.join(QUEUES).display()
        );
    }
    if !inventory.is_empty() {
        println!(
            "to build again by hand:        {} (pieces of configuration: {})",
            made.join(INVENTORY).display(),
            inventory.len()
        );
    }
    if proposed.is_some() {
        println!(
            "mapping with all proposals:    {} (`plan --accept 80` takes over those of 80 % and more)",
            made.join(PROPOSED).display()
        );
    }
    if let (Some(info), Some(plan)) = (&info, &confirmable) {
        note(&cx, choices, workspace, info, plan)?;
    }
    println!("\n{}", fits.text());
    if ends.exempt.is_none() && confirmable.is_some() && !how.review {
        println!("`confirm --as NAME` says that you looked at it; a run begins with nothing else.");
    }
    print!("{}", to_decide(&begun, &owners, found.complete));
    Ok(match fits {
        Fits::Yes { .. } => Done::Well,
        Fits::No { .. } => Done::Blocked(ErrorKind::Config),
    })
}

/// What reading takes, where nothing was read yet; in the workspace it is `reading.json`.
#[expect(clippy::print_stdout, reason = "this is the program's own voice")]
pub(super) fn before_the_read(reading: &Estimate, folder: &Path) -> Result<Done> {
    let path = folder.join(READING);
    let text = serde_json::to_vec_pretty(reading)
        .map_err(|e| Error::bug("write the plan", e.to_string()))?;
    std::fs::write(&path, text).map_err(|e| failed(e, &path))?;
    println!("Nothing was read yet. Reading everything takes about:\n");
    println!("{}", reading.text());
    println!("the same for programs: {}", path.display());
    println!(
        "`discover` reads; it can be stopped at any time, and goes on where it was. `plan` then says more."
    );
    Ok(Done::Well)
}

/// Writes down that the plan was made.
fn note(
    cx: &Context,
    choices: &Choices,
    workspace: &Workspace,
    info: &TargetInfo,
    plan: &consent::Plan,
) -> Result<()> {
    let place = workspace.make_place_of(info)?;
    let what = serde_json::json!({
        "target": info.name, "target_id": info.id, "source": plan.source,
        "mapping": plan.mapping_hash(), "plan": plan.inputs_hash(),
    });
    let who = &choices.who.name;
    Trail::of(&place).add(cx.now(), who, "plan", "recorded", what)?;
    Ok(())
}

/// Agents that are named.
const NAMED: usize = 10;

/// What waits for people in targets that were begun; in one that was not, the agents who would wait there.
fn to_decide(begun: &[Report], owners: &[OwnerWait], complete: bool) -> String {
    if !begun.is_empty() {
        return begun.iter().map(super::verbs::waits).collect();
    }
    let so_far = if complete { "" } else { " so far" };
    if owners.is_empty() {
        return format!("Every open case has an owner in the target{so_far}.\n");
    }
    let cases: u64 = owners.iter().map(|owner| owner.open_cases).sum();
    let mut out = format!(
        "to decide{so_far}: who owns open cases of agents whom the target does not know (cases: {cases}, agents: {}). A run\nwrites reconcile/agents.csv into the target's folder and waits there before the cases:\n",
        owners.len()
    );
    for owner in owners.iter().take(NAMED) {
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "  {:<40}open cases: {}",
            owner.shown(),
            owner.open_cases
        );
    }
    if let Some(more) = owners.len().checked_sub(NAMED).filter(|more| *more > 0) {
        let _ = writeln!(out, "  and {more} more");
    }
    out
}

/// What is left to read.
fn read_text(found: &Discovery) -> String {
    if found.complete {
        format!(
            "{}: everything was read, a load asks it for no more than a log-in",
            found.source
        )
    } else {
        format!(
            "{}: not everything was read yet; what follows is for what was. `discover` goes on",
            found.source
        )
    }
}

/// A plan in the making, beside the one that is there: nothing of an earlier one is left in it.
struct Fresh {
    folder: PathBuf,
    place: PathBuf,
}

impl Fresh {
    fn begin(workspace: &Path) -> Result<Self> {
        let fresh = Self {
            folder: workspace.join("plan.new"),
            place: workspace.join("plan"),
        };
        remove(&fresh.folder)?;
        std::fs::create_dir_all(&fresh.folder).map_err(|e| failed(e, &fresh.folder))?;
        Ok(fresh)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn write(&self, name: &Path, bytes: &[u8]) -> Result<()> {
        let path = self.folder.join(name);
        let parent = path.parent().unwrap_or(&self.folder);
        std::fs::create_dir_all(parent)
            .and_then(|()| std::fs::write(&path, bytes))
            .map_err(|e| failed(e, &path))
    }

    /// The files in a folder, and all of them in one zip.
    fn package(&self, package: &super::Package) -> Result<()> {
        for (path, text) in &package.files {
            self.write(&Path::new("package").join(path), text.as_bytes())?;
        }
        self.write(Path::new("package.zip"), &package.zip)?;
        self.write(Path::new("README.txt"), README.as_bytes())
    }

    fn json(&self, plan: &Written<'_>) -> Result<()> {
        let text = serde_json::to_vec_pretty(plan)
            .map_err(|e| Error::bug("write the plan", e.to_string()))?;
        self.write(Path::new("plan.json"), &text)
    }

    /// Puts it in the place of the earlier one.
    fn swap(self) -> Result<PathBuf> {
        remove(&self.place)?;
        std::fs::rename(&self.folder, &self.place).map_err(|e| failed(e, &self.place))?;
        Ok(self.place)
    }
}

fn remove(folder: &Path) -> Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(failed(e, folder)),
        _ => Ok(()),
    }
}

fn failed(error: std::io::Error, path: &Path) -> Error {
    Error::storage("write the plan", error).with("file", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_of_the_mapping_are_held_against_what_is_in_use() {
        let field = |name: &str, used| FieldFound {
            of: RecordKind::Conversation,
            field: name.into(),
            title: String::new(),
            holds: "TEXT".into(),
            used,
            shapes: BTreeSet::new(),
        };
        let mut found = Discovery::default();
        found.fields = vec![field("both", 3), field("source_only", 7), field("never", 0)];
        let line = |name: &str| (RecordKind::Conversation, name.to_owned());
        let taken = BTreeSet::from([line("both"), line("mapping_only")]);
        let plan = Plan::of(&found, &taken);
        let names: Vec<&str> = plan.left_behind.iter().map(|f| f.field.as_str()).collect();
        assert_eq!(names, ["source_only"]);
        assert_eq!(plan.unused, [line("mapping_only")]);
        let text = plan.text();
        assert!(text.contains("conversation custom.source_only"), "{text}");
        assert!(!text.contains("custom.never"), "{text}");
    }
}
