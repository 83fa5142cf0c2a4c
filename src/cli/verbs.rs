//! What the verbs do.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use deskferry_core::audit::Trail;
use deskferry_core::migration::{self, Draw, Gate, Migration, Rollback, Selection, Workspace};
use deskferry_core::owners::Undecided;
use deskferry_core::report::{Estimate, Limits, Report};
use deskferry_core::{Context, Error, ErrorKind, Result, Sink, Source};

use super::App;
use super::args::{Args, Policies, SampleArgs, Verb};
use super::choices::Choices;
use super::exit::Done;
use super::progress::Shown;
use super::standing::Standing;

/// Does what the command line says.
pub(super) async fn perform(app: &App, args: Args) -> Result<Done> {
    let choices = &Choices::of(&args)?;
    match args.verb.unwrap_or(Verb::Run { settled_for: None }) {
        #[cfg(feature = "rehearsal")]
        Verb::StandIn {
            which,
            folder,
            content,
        } => super::local::serve(app, &which, &folder, &content).await,
        Verb::Run { settled_for } => {
            let folder = workspace_of_a_run(choices)?;
            move_it(app, choices, &folder, Go::Run(settled(settled_for))).await
        }
        Verb::Sample(how) => {
            let folder = workspace_of_a_run(choices)?;
            move_it(app, choices, &folder, Go::Sample(how)).await
        }
        Verb::Doctor => {
            let folder = workspace_of_a_run(choices)?;
            doctor(app, choices, &folder).await
        }
        Verb::Discover => {
            let folder = workspace_of_a_run(choices)?;
            discover(app, choices, &folder).await
        }
        Verb::Plan {
            accept,
            earlier,
            review,
        } => {
            let how = super::plan::How {
                accept,
                earlier,
                review,
                reading: None,
            };
            plan(app, choices, &needed(choices)?, how).await
        }
        Verb::Confirm => super::confirm::confirm(choices, &needed(choices)?),
        Verb::SignOff {
            role,
            accept,
            draw,
            cases,
        } => {
            let how = super::sign_off::How {
                role,
                accept,
                draw,
                cases,
            };
            sign_off(app, choices, &needed(choices)?, &how).await
        }
        Verb::Audit => super::audit::show(&needed(choices)?),
        Verb::HandOver => super::hand_over::make(app, choices, &needed(choices)?).await,
        Verb::Wipe { yes, all } => super::wipe::wipe(choices, &needed(choices)?, yes, all).await,
        Verb::Login { port } => super::login::login(app, choices, port).await,
        Verb::Preflight { compare } => {
            let folder = workspace_of_a_run(choices)?;
            preflight(app, choices, &folder, compare).await
        }
        Verb::Deploy { yes, withdraw } => {
            let folder = needed(choices)?;
            let workspace = Workspace::open(&folder)?;
            let ends = ends(app, choices, &folder).await?;
            let how = super::deploy::How { yes, withdraw };
            super::deploy::deploy(choices, ends.sink.as_ref(), &workspace, &how).await
        }
        Verb::Probe { yes } => {
            let folder = needed(choices)?;
            let workspace = Workspace::open(&folder)?;
            let ends = ends(app, choices, &folder).await?;
            super::probe::probe(choices, ends.sink.as_ref(), &workspace, yes).await
        }
        #[cfg(feature = "rehearsal")]
        Verb::Rehearse { anew } => {
            super::rehearse::rehearse(app, choices, &workspace_of_a_run(choices)?, anew).await
        }
        Verb::Resume => move_it(app, choices, &needed(choices)?, Go::Resume).await,
        Verb::Retry => move_it(app, choices, &needed(choices)?, Go::Retry).await,
        Verb::Delta {
            settled_for,
            policies,
        } => {
            let go = Go::Delta(settled(settled_for), policies);
            move_it(app, choices, &needed(choices)?, go).await
        }
        Verb::CutOver { policies } => {
            move_it(app, choices, &needed(choices)?, Go::CutOver(policies)).await
        }
        Verb::Hypercare { days } => {
            super::hypercare::care(app, choices, &needed(choices)?, days).await
        }
        Verb::Verify { untouched } => {
            move_it(app, choices, &needed(choices)?, Go::Verify { untouched }).await
        }
        Verb::Rollback { yes, from, force } => {
            let mut how = Rollback::default();
            how.trial = !yes;
            how.from = from;
            how.force = force;
            roll_back(app, choices, &needed(choices)?, &how).await
        }
        Verb::Status => status(&needed(choices)?).await,
        Verb::Report => report(&needed(choices)?).await,
    }
}

#[derive(Debug)]
pub(super) enum Go {
    Run(Option<Selection>),
    Sample(SampleArgs),
    Resume,
    Retry,
    Delta(Option<Selection>, Policies),
    CutOver(Policies),
    Hypercare,
    Verify { untouched: bool },
}

fn settled(days: Option<u32>) -> Option<Selection> {
    days.map(|days| Selection::Settled { days })
}

impl Go {
    const fn name(&self) -> &'static str {
        match self {
            Self::Run(_) => "run",
            Self::Sample(_) => "sample",
            Self::Resume => "resume",
            Self::Retry => "retry",
            Self::Delta(..) => "delta",
            Self::CutOver(_) => "cut-over",
            Self::Hypercare => "hypercare",
            Self::Verify { .. } => "verify",
        }
    }
}

fn needed(choices: &Choices) -> Result<PathBuf> {
    choices.workspace.clone().ok_or_else(|| {
        Error::new(
            ErrorKind::Config,
            "find the workspace",
            "no folder was named",
        )
        .advise("Name the folder of the run with --workspace or DESKFERRY_WORKSPACE")
    })
}

fn workspace_of_a_run(choices: &Choices) -> Result<PathBuf> {
    if let Some(folder) = &choices.workspace {
        return Ok(folder.clone());
    }
    let base = std::env::temp_dir();
    for n in 0..10_000 {
        let folder = base.join(format!("deskferry-{}-{n}", std::process::id()));
        match std::fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(e) => {
                return Err(Error::storage("make a workspace", e).with("folder", folder.display()));
            }
        }
    }
    Err(
        Error::new(ErrorKind::Storage, "make a workspace", "no free name")
            .with("folder", base.display()),
    )
}

/// The platforms of a migration; local ones live as long as this does.
pub(super) struct Ends {
    source: Arc<dyn Source>,
    pub(super) sink: Arc<dyn Sink>,
    /// Why nobody needs to confirm or sign anything for this org.
    pub(super) exempt: Option<&'static str>,
    #[cfg(feature = "rehearsal")]
    local: super::local::Local,
}

impl Ends {
    /// The sink once more, by the mapping file as it is now.
    pub(super) fn renew(&mut self, app: &App, choices: &Choices, folder: &Path) -> Result<()> {
        let mapping = folder.join("mapping.toml");
        #[cfg(feature = "rehearsal")]
        if let Some(url) = self.local.org_url() {
            self.sink = (app.sink.local)(url, &mapping)?;
            return Ok(());
        }
        let of_sink = choices.platform(app.sink.section)?;
        self.sink = (app.sink.make)(&of_sink, &mapping)?;
        Ok(())
    }
}

async fn ends(app: &App, choices: &Choices, folder: &Path) -> Result<Ends> {
    let mapping = folder.join("mapping.toml");
    let of_source = choices.platform(app.source.section)?;
    let of_sink = choices.platform(app.sink.section)?;
    let real_source = of_source.is_set(app.source.address);
    let real_sink = of_sink.is_set(app.sink.address);
    #[cfg(feature = "rehearsal")]
    {
        let mut text = (app.sink.mapping)();
        if !real_source {
            text = super::local::mapping_with(&text, app.source.local.lines);
        }
        if let Some(prefix) = choices.field_prefix.as_deref().filter(|_| real_sink) {
            text = (app.sink.prefixed)(&text, prefix)?;
        }
        write_if_missing(&mapping, &text)?;
        let local =
            super::local::Local::start(app, &choices.world, folder, !real_source, !real_sink)
                .await?;
        let source = match local.helpdesk_url() {
            Some(url) => (app.source.local.connect)(url)?,
            None => (app.source.make)(&of_source)?,
        };
        let sink = match local.org_url() {
            Some(url) => (app.sink.local)(url, &mapping)?,
            None => (app.sink.make)(&of_sink, &mapping)?,
        };
        let exempt = match real_sink {
            true => super::standing::exempt(choices, of_sink.text(app.sink.address))?,
            false => Some("the org is the embedded one"),
        };
        Ok(Ends {
            source,
            sink,
            exempt,
            local,
        })
    }
    #[cfg(not(feature = "rehearsal"))]
    {
        for (real, told, address) in [
            (real_source, &of_source, app.source.address),
            (real_sink, &of_sink, app.sink.address),
        ] {
            if !real {
                return Err(told.missing(address));
            }
        }
        let mut text = (app.sink.mapping)();
        if let Some(prefix) = &choices.field_prefix {
            text = (app.sink.prefixed)(&text, prefix)?;
        }
        write_if_missing(&mapping, &text)?;
        Ok(Ends {
            source: (app.source.make)(&of_source)?,
            sink: (app.sink.make)(&of_sink, &mapping)?,
            exempt: super::standing::exempt(choices, of_sink.text(app.sink.address))?,
        })
    }
}

async fn doctor(app: &App, choices: &Choices, folder: &Path) -> Result<Done> {
    // Beside a run it looks at what that has; a new workspace gets its mapping file, for people to edit.
    let _workspace = match Workspace::look(folder) {
        Ok(workspace) => workspace,
        Err(error) if error.kind() == ErrorKind::NotFound => Workspace::open(folder)?,
        Err(error) => return Err(error),
    };
    let ends = ends(app, choices, folder).await?;
    super::doctor::examine(ends.source.as_ref(), ends.sink.as_ref(), folder).await
}

async fn preflight(app: &App, choices: &Choices, folder: &Path, compare: bool) -> Result<Done> {
    // Beside a run it looks at what that has; a new workspace gets its mapping file, for people to edit.
    let _workspace = match Workspace::look(folder) {
        Ok(workspace) => workspace,
        Err(error) if error.kind() == ErrorKind::NotFound => Workspace::open(folder)?,
        Err(error) => return Err(error),
    };
    let ends = ends(app, choices, folder).await?;
    if compare {
        super::preflight::compare(ends.sink.as_ref(), folder).await
    } else {
        super::preflight::look(ends.sink.as_ref(), folder).await
    }
}

#[expect(clippy::print_stdout, reason = "this is the program's own voice")]
async fn discover(app: &App, choices: &Choices, folder: &Path) -> Result<Done> {
    let workspace = Workspace::open(folder)?;
    let ends = ends(app, choices, folder).await?;
    let cx = Context::new();
    let shown = Shown::new(choices.quiet, &cx, &[]);
    let interrupted = stop_on_interrupt(&cx);
    let progress = Arc::new(shown.clone());
    let read = migration::extract(&cx, &workspace, Arc::clone(&ends.source), progress).await;
    interrupted.abort();
    shown.end();
    let result = read.as_ref().map_or_else(|e| e.kind().name(), |()| "done");
    let what = serde_json::json!({ "result": result });
    let noted = Trail::of(folder).add(cx.now(), &choices.who.name, "discover", "ended", what);
    // A read that failed says why itself, on a full disk too.
    read?;
    noted?;
    if let Some(target) = ends.sink.as_preflight() {
        workspace.keep_features(&target.features(&cx).await)?;
    }
    let found = migration::discover(&cx, &workspace).await?;
    println!("{}", found.summary());
    println!("scope: {}", folder.join("scope.json").display());
    Ok(Done::Well)
}

#[expect(clippy::print_stdout, reason = "this is the program's own voice")]
async fn plan(
    app: &App,
    choices: &Choices,
    folder: &Path,
    mut how: super::plan::How,
) -> Result<Done> {
    // It may be the first verb: then it tells what reading takes.
    let workspace = Workspace::open(folder)?;
    let found = migration::discover(&Context::new(), &workspace).await;
    let mut opened = ends(app, choices, folder).await?;
    let reading = match &found {
        Ok(found) if found.complete => None,
        Err(error) if error.kind() != ErrorKind::NotFound => None,
        _ => foretell(opened.source.as_ref()).await?,
    };
    let found = match (found, &reading) {
        (Ok(found), _) => found,
        (Err(_), Some(reading)) => return super::plan::before_the_read(reading, folder),
        (Err(error), None) => return Err(error),
    };
    if let Some(reading) = &reading {
        println!("{}", reading.text());
    }
    how.reading = reading;
    let how = &how;
    if let Some(least) = how.accept {
        let mapped = opened.sink.as_mapped();
        super::proposals::accept(app, choices, mapped, &found, &workspace, how, least).await?;
        // By the mapping as it is now.
        opened.renew(app, choices, folder)?;
    }
    let undecided = undecided(choices, &opened);
    let done = super::plan::make(app, choices, &opened, &found, &workspace, undecided, how).await?;
    super::deploy::of_plan(opened.sink.as_ref(), &workspace).await?;
    super::preflight::of_plan(opened.sink.as_ref(), folder).await?;
    if !how.review {
        return Ok(done);
    }
    let review = super::review::Review {
        app,
        choices,
        ends: opened,
        found: &found,
        workspace: &workspace,
        undecided,
        how,
    };
    review.serve().await
}

async fn sign_off(
    app: &App,
    choices: &Choices,
    folder: &Path,
    how: &super::sign_off::How,
) -> Result<Done> {
    Workspace::look(folder)?;
    let workspace = Workspace::open(folder)?;
    let ends = ends(app, choices, folder).await?;
    let undecided = undecided(choices, &ends);
    super::sign_off::perform(choices, &ends, &workspace, undecided, how).await
}

/// What reading everything takes, where the source can tell.
async fn foretell(source: &dyn Source) -> Result<Option<Estimate>> {
    let cx = Context::new();
    let interrupted = stop_on_interrupt(&cx);
    let estimate = source.estimate(&cx).await;
    interrupted.abort();
    estimate
}

pub(super) fn write_if_missing(path: &Path, text: &str) -> Result<()> {
    if path.exists() {
        return Ok(());
    }
    std::fs::write(path, text)
        .map_err(|e| Error::storage("write the mapping", e).with("file", path.display()))
}

pub(super) async fn move_it(app: &App, choices: &Choices, folder: &Path, go: Go) -> Result<Done> {
    if !matches!(go, Go::Run(_) | Go::Sample(_)) {
        // Before anything is started for a workspace that is not there.
        Workspace::look(folder)?;
    }
    let workspace = Workspace::open(folder)?;
    let ends = ends(app, choices, folder).await?;
    let cx = Context::new();
    let undecided = undecided(choices, &ends);
    let standing = Standing::of(&cx, choices, &ends, &workspace, undecided).await?;
    super::probe::learn(ends.sink.as_ref(), &standing.folder)?;
    let name = go.name();
    let loads = !matches!(go, Go::Verify { .. });
    let of = loads.then_some((ends.source.as_ref(), &workspace));
    standing.begin(&cx, name, of, choices).await?;
    let shown = Shown::new(choices.quiet, &cx, &ends.sink.phases());
    let migration = Migration::new(workspace, Arc::clone(&ends.source), Arc::clone(&ends.sink))
        .gate(Gate {
            share: choices.gate / 100.0,
            ..Gate::default()
        })
        .undecided(undecided)
        .progress(shown.clone());
    let migration = choices.privacy.of_migration(migration);
    let migration = match &choices.target_name {
        Some(name) => migration.target_name(name),
        None => migration,
    };
    let migration = match &go {
        Go::Delta(_, policies) | Go::CutOver(policies) => policies.of(migration),
        _ => migration,
    };
    let migration = match &go {
        Go::Run(Some(selection)) | Go::Delta(Some(selection), _) => {
            migration.select(selection.clone())
        }
        _ => migration,
    };
    let migration = match &go {
        Go::Hypercare | Go::Verify { untouched: true } => migration.only_untouched(),
        _ => migration,
    };
    let interrupted = stop_on_interrupt(&cx);
    let report = drive(&migration, &cx, ends.sink.as_ref(), go).await;
    interrupted.abort();
    shown.end();
    let noted = standing.end(&cx, name, &report).await;
    // A load that failed says why itself, on a full disk too.
    let report = report?;
    noted?;
    let done = show(&report, folder);
    // The oracle knows whole migrations only, and the made-up world as it is, not what was taken out of it.
    #[cfg(feature = "rehearsal")]
    if !report.is_partial() && choices.privacy.said.is_empty() {
        return ends.local.judge(done, folder).await;
    }
    Ok(done)
}

/// Takes back what was loaded, or shows what that would do.
#[expect(clippy::print_stdout, reason = "this is the program's own voice")]
async fn roll_back(app: &App, choices: &Choices, folder: &Path, how: &Rollback) -> Result<Done> {
    Workspace::look(folder)?;
    let workspace = Workspace::open(folder)?;
    let ends = ends(app, choices, folder).await?;
    let cx = Context::new();
    let undecided = choices.undecided.unwrap_or_default();
    let standing = Standing::of(&cx, choices, &ends, &workspace, undecided).await?;
    if !how.trial {
        standing.begin(&cx, "rollback", None, choices).await?;
    }
    let migration = Migration::new(workspace, Arc::clone(&ends.source), Arc::clone(&ends.sink));
    let migration = match &choices.target_name {
        Some(name) => migration.target_name(name),
        None => migration,
    };
    let interrupted = stop_on_interrupt(&cx);
    let report = migration.roll_back(&cx, how).await;
    interrupted.abort();
    let noted = match how.trial {
        true => Ok(()),
        false => standing.end_of_rollback(&cx, &report),
    };
    let report = report?;
    noted?;
    println!("{}", report.summary());
    if how.trial {
        println!(
            "Nothing was changed. `rollback --yes` does it; what is removed stands in the org's recycle bin for a while."
        );
    }
    Ok(if report.is_whole() {
        Done::Well
    } else {
        Done::Blocked(ErrorKind::Interactive)
    })
}

/// Where both ends are local nobody is there to decide.
fn undecided(choices: &Choices, ends: &Ends) -> Undecided {
    if let Some(said) = choices.undecided {
        return said;
    }
    #[cfg(feature = "rehearsal")]
    if ends.local.is_all() {
        say_who_gets_what();
        return Undecided::Legacy;
    }
    let _ = ends;
    Undecided::Hold
}

#[cfg(feature = "rehearsal")]
#[expect(clippy::print_stderr, reason = "this is the program's own voice")]
fn say_who_gets_what() {
    eprintln!(
        "both ends are local: open cases of agents without a user go to the legacy owner (--undecided hold asks a person)"
    );
}

async fn drive(migration: &Migration, cx: &Context, sink: &dyn Sink, go: Go) -> Result<Report> {
    match go {
        Go::Run(_) => migration.run(cx).await?,
        Go::Sample(how) => sample(migration, cx, sink, how).await?,
        Go::Resume => migration.resume(cx).await?,
        Go::Retry => migration.retry(cx).await?,
        Go::Delta(..) => migration.delta(cx).await?,
        Go::CutOver(_) => migration.cut_over(cx).await?,
        Go::Hypercare => migration.delta(cx).await?,
        Go::Verify { .. } => return migration.verify(cx).await,
    };
    migration.verify(cx).await
}

async fn sample(
    migration: &Migration,
    cx: &Context,
    sink: &dyn Sink,
    how: SampleArgs,
) -> Result<Report> {
    let how = match how {
        SampleArgs {
            random: Some(conversations),
            draw: seed,
            ..
        } => Draw::Random {
            conversations,
            seed,
        },
        SampleArgs { conversation, .. } if !conversation.is_empty() => Draw::Chosen(conversation),
        SampleArgs { files, .. } => {
            let allowances = sink.allowances(cx).await?;
            let left = allowances.iter().find(|a| a.limits == Limits::Files);
            let megabytes = files.or(left.map(|a| a.left)).unwrap_or(u64::MAX);
            Draw::Cover {
                file_bytes: megabytes.saturating_mul(1 << 20),
            }
        }
    };
    let (sample, report) = migration.sample(cx, &how).await?;
    super::log::say(&sample.summary());
    Ok(report)
}

/// The first Ctrl-C asks the run to stop at a safe place.
pub(super) fn stop_on_interrupt(cx: &Context) -> tokio::task::JoinHandle<()> {
    let cx = cx.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            super::log::say("stopping at a safe place; once more to end at once");
            cx.cancel();
        }
        // The second one does not wait for what is under way: a resume finds it.
        if tokio::signal::ctrl_c().await.is_ok() {
            super::log::leave_the_terminal();
            std::process::exit(130);
        }
    })
}

#[expect(clippy::print_stdout, reason = "this is the program's own voice")]
fn show(report: &Report, folder: &Path) -> Done {
    println!("{}", report.summary());
    for entry in std::fs::read_dir(folder.join("targets"))
        .into_iter()
        .flatten()
        .flatten()
    {
        println!("report: {}", entry.path().join("report.html").display());
        println!("        {}", entry.path().join("report.json").display());
    }
    if report.verify.iter().any(|field| field.different > 0) {
        Done::Differs
    } else {
        Done::Well
    }
}

#[expect(clippy::print_stdout, reason = "this is the program's own voice")]
async fn status(folder: &Path) -> Result<Done> {
    let reports = migration::status(folder).await?;
    if reports.is_empty() {
        println!("nothing was loaded yet");
    }
    for report in reports {
        println!("{}", report.summary());
        print!("{}", waits(&report));
        println!(
            "{}",
            if report.complete {
                "complete"
            } else {
                "not complete: `resume` goes on"
            }
        );
    }
    Ok(Done::Well)
}

/// What is held or failed, and who can release it: a line each, or nothing.
pub(super) fn waits(report: &Report) -> String {
    let line = |w: deskferry_core::report::Wait| {
        let file = w.file.map(|f| format!(" ({f})")).unwrap_or_default();
        format!(
            "waits for {}: {} {} ({})\n    {}{file}\n",
            w.who, w.count, w.phase, w.reason, w.advice
        )
    };
    report.waits().into_iter().map(line).collect()
}

#[expect(clippy::print_stdout, reason = "this is the program's own voice")]
async fn report(folder: &Path) -> Result<Done> {
    let reports = migration::write_reports(folder).await?;
    if reports.is_empty() {
        println!("nothing was loaded yet: there is no target to report on");
    }
    for (folder, report) in reports {
        println!("{} → {}", report.source, report.target);
        println!("  {}", folder.join("report.html").display());
        println!("  {}", folder.join("report.json").display());
    }
    Ok(Done::Well)
}
