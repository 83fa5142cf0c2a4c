//! A migration: source, transforms and sink made durable by a workspace.
//!
//! ```text
//! Source ──pages, bytes──▶ Stage (+ index) ──records──▶ Transforms ──▶ Sink ──outcomes──▶ Ledger ──▶ reports
//!          one per source tenant                                        one per target org
//! ```
//!
//! Reading and loading overlap: a phase opens when the kinds that it needs are read to their end, closes with balanced
//! books, and lets the next one open when its gate is passed. The process may die at any moment; [`Migration::resume`]
//! goes on where it was.

mod amending;
mod band;
mod batches;
mod belonging;
mod delta;
mod estimating;
mod extract;
mod fields;
mod gate;
mod handing;
mod late;
mod load;
mod merging;
mod owning;
mod progress;
mod read;
mod refusals;
mod renewing;
mod reporting;
mod sampling;
mod selection;
mod shards;
mod underway;
mod undoing;
mod verifying;
mod walk;
mod waves;
mod workspace;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use tokio::sync::watch;

pub use estimating::{estimate, owners_to_decide};
pub use extract::{Definitions, definitions, discover, extract};
pub use fields::{FieldsNow, fields_now, fields_read, languages_read};
pub use gate::Gate;
pub use handing::inventory;
pub use owning::decided_by_people;
pub use progress::{Progress, Silent, Step};
pub use refusals::{Refused, refused};
pub use renewing::{OnChange, OnGone};
pub use sampling::{Chosen, Draw, Sample};
pub use selection::Selection;
pub use undoing::Rollback;
pub use workspace::{Target, Workspace};
pub(crate) use workspace::{make_private, write_whole};

use crate::blob::UNAVAILABLE;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::key::{RecordId, RecordKind, Tenant};
use crate::ledger::{Ledger, LedgerJournal};
use crate::owners::Undecided;
use crate::report::{About, Report};
use crate::sink::{FileState, Sink, TargetInfo};
use crate::source::{Readiness, Source};
use crate::stage::Stage;
use crate::transform::Transform;
use band::Tally;
use late::Late;
use load::Loader;
use owning::{Decided, Owning};
use progress::Recorder;
use read::{ReadState, Reader};
use renewing::Policies;
use underway::Underway;
use walk::Walk;

/// Moves a tenant into a target, durably.
pub struct Migration {
    workspace: Workspace,
    source: Arc<dyn Source>,
    sink: Arc<dyn Sink>,
    transforms: Vec<Arc<dyn Transform>>,
    gate: Gate,
    undecided: Undecided,
    selection: Option<Selection>,
    on_change: OnChange,
    untouched: bool,
    on_gone: OnGone,
    target_name: Option<String>,
    progress: Arc<dyn Progress>,
}

impl std::fmt::Debug for Migration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Migration")
            .field("workspace", &self.workspace)
            .finish_non_exhaustive()
    }
}

/// An opened target with what is needed to go on.
struct Opened {
    tenant: Tenant,
    info: TargetInfo,
    target: Target,
    stage: Stage,
    /// How many times changes were read after the first load.
    pass: u64,
    warnings: Vec<String>,
}

/// The ledger's name for the pass.
const PASS: &str = "pass";

impl Opened {
    fn ledger(&self) -> Arc<dyn Ledger> {
        Arc::new(self.target.ledger.clone())
    }

    fn journal(&self) -> Arc<LedgerJournal> {
        let index = Arc::clone(self.stage.index());
        Arc::new(LedgerJournal::new(self.ledger(), index, self.mark()).knowing(&self.stage))
    }

    /// The first load of a target is its pass 0, each delta one more.
    fn mark(&self) -> String {
        self.mark_of(self.pass)
    }

    fn mark_of(&self, pass: u64) -> String {
        format!("{}-{pass}", self.target.owner.mark)
    }
}

impl Migration {
    /// A migration in a workspace.
    pub fn new(workspace: Workspace, source: Arc<dyn Source>, sink: Arc<dyn Sink>) -> Self {
        Self {
            workspace,
            source,
            sink,
            transforms: Vec::new(),
            gate: Gate::default(),
            undecided: Undecided::default(),
            selection: None,
            on_change: OnChange::default(),
            untouched: false,
            on_gone: OnGone::default(),
            target_name: None,
            progress: Arc::new(Silent),
        }
    }

    /// The same with one more transform at the end.
    #[must_use]
    pub fn transform(mut self, transform: impl Transform + 'static) -> Self {
        self.transforms.push(Arc::new(transform));
        self
    }

    /// The same with another gate.
    #[must_use]
    pub fn gate(mut self, gate: Gate) -> Self {
        self.gate = gate;
        self
    }

    /// The same with something else than waiting for a person where open cases have nobody to own them.
    #[must_use]
    pub fn undecided(mut self, undecided: Undecided) -> Self {
        self.undecided = undecided;
        self
    }

    /// The same with a selection, for [`run`](Self::run) and [`delta`](Self::delta). Without one a first load takes
    /// everything, and later passes take what the one before took.
    #[must_use]
    pub fn select(mut self, selection: Selection) -> Self {
        self.selection = Some(selection);
        self
    }

    /// Differences in rows that others changed after they were loaded are counted apart by [`verify`](Self::verify): people work in the
    /// target by then.
    #[must_use]
    pub const fn only_untouched(mut self) -> Self {
        self.untouched = true;
        self
    }

    /// The same with something else than leaving loaded conversations as they are that changed at the source since: for
    /// [`delta`](Self::delta) and [`cut_over`](Self::cut_over).
    #[must_use]
    pub fn on_change(mut self, on_change: OnChange) -> Self {
        self.on_change = on_change;
        self
    }

    /// The same with something else than leaving loaded conversations that are gone from the source.
    #[must_use]
    pub fn on_gone(mut self, on_gone: OnGone) -> Self {
        self.on_gone = on_gone;
        self
    }

    /// The same with a name of our own for the target.
    #[must_use]
    pub fn target_name(mut self, name: impl Into<String>) -> Self {
        self.target_name = Some(name.into());
        self
    }

    /// The same, telling each step.
    #[must_use]
    pub fn progress(mut self, progress: impl Progress + 'static) -> Self {
        self.progress = Arc::new(progress);
        self
    }

    /// Reads and loads. Opens a new target; one that was begun is for [`resume`](Self::resume).
    ///
    /// # Errors
    /// `Conflict` when the target was begun already, and all that can go wrong on the way. Whatever was done is durable.
    pub async fn run(&self, cx: &Context) -> Result<Report> {
        let recorder = Recorder::new(cx, &self.progress);
        let opened = self.open_new(cx).await?;
        let selection = self.selection.clone().unwrap_or_default();
        selection.keep(opened.ledger().as_ref()).await?;
        self.go(cx, &opened, recorder).await
    }

    /// Reads everything, and loads a sample of it: the rest is held until a [`roll_back`](Self::roll_back) made the target
    /// empty again. Writes `sample.json` into the target's folder.
    ///
    /// # Errors
    /// `NotFound` when a conversation was named that the source does not have; and as [`run`](Self::run).
    pub async fn sample(&self, cx: &Context, how: &Draw) -> Result<(Sample, Report)> {
        let recorder = Recorder::new(cx, &self.progress);
        let opened = self.open_new(cx).await?;
        // Whoever goes on before the sample is drawn must not load everything.
        let undrawn = Selection::Sample(Vec::new());
        undrawn.keep(opened.ledger().as_ref()).await?;
        let (reader, _watched) = self.reader(opened.stage.clone(), Arc::clone(&self.progress));
        reader.run(cx).await?;
        let mut sample = sampling::draw(cx, &opened.stage, how).await?;
        let records = std::mem::take(&mut sample.records);
        let text = serde_json::to_vec_pretty(&sample)
            .map_err(|e| Error::bug("write the sample", e.to_string()))?;
        workspace::write_whole(&opened.target.folder.join("sample.json"), &text)?;
        let selection = Selection::Sample(records);
        selection.keep(opened.ledger().as_ref()).await?;
        let report = self.go(cx, &opened, recorder).await?;
        Ok((sample, report))
    }

    /// A target into which nothing was loaded.
    async fn open_new(&self, cx: &Context) -> Result<Opened> {
        let opened = self.open(cx, true).await?;
        let begun = !opened.target.ledger.phases().await?.is_empty();
        if begun {
            return Err(Error::new(
                ErrorKind::Conflict,
                "run",
                format!("this workspace has begun to load {} already", opened.info.name),
            )
            .advise("Use `resume` to go on, `status` to see where it stands, `rollback` to take it back, or another workspace to begin anew"));
        }
        Ok(opened)
    }

    /// Goes on where a run stopped.
    ///
    /// # Errors
    /// `Mismatch` when this workspace has no ledger for the target; and as [`run`](Self::run).
    pub async fn resume(&self, cx: &Context) -> Result<Report> {
        let recorder = Recorder::new(cx, &self.progress);
        let mut opened = self.open(cx, false).await?;
        let told = self.renew(cx, &opened, &recorder).await?;
        opened.warnings.extend(told);
        self.reopen_what_waits(&opened).await?;
        self.go(cx, &opened, recorder).await
    }

    /// Tries again what the target refused, and nothing else: what is held stays held.
    ///
    /// # Errors
    /// As [`resume`](Self::resume).
    pub async fn retry(&self, cx: &Context) -> Result<Report> {
        let recorder = Recorder::new(cx, &self.progress);
        let opened = self.open(cx, false).await?;
        let ledger = opened.ledger();
        for phase in load::all_phases(self.sink.phases()) {
            for count in ledger.counts_of(phase.name).await? {
                if count.column == "failed" {
                    let failed = ledger.failed_with(phase.name, &count.reason).await?;
                    ledger.reopen_failed(&failed).await?;
                }
            }
        }
        self.go(cx, &opened, recorder).await
    }

    /// Reads what changed at the source since the last read, and loads what is new. What was loaded already and is another
    /// now, or gone, is told in the report, and stays in the target as it was loaded, unless [`on_change`](Self::on_change)
    /// and [`on_gone`](Self::on_gone) say otherwise.
    ///
    /// # Errors
    /// `Conflict` when the last read did not come to its end; and as [`resume`](Self::resume).
    pub async fn delta(&self, cx: &Context) -> Result<Report> {
        let recorder = Recorder::new(cx, &self.progress);
        let opened = self.open(cx, false).await?;
        if let Some(selection) = &self.selection {
            selection.keep(opened.ledger().as_ref()).await?;
        }
        self.again(cx, opened, recorder).await
    }

    /// The last pass: like [`delta`](Self::delta), but everything is selected, whatever was before; then looks whether the
    /// source stands still.
    ///
    /// # Errors
    /// `Conflict` when the source changed meanwhile: what it brought is kept, and loaded by the next call. And as
    /// [`delta`](Self::delta).
    pub async fn cut_over(&self, cx: &Context) -> Result<Report> {
        let recorder = Recorder::new(cx, &self.progress);
        let opened = self.open(cx, false).await?;
        Selection::Everything.keep(opened.ledger().as_ref()).await?;
        let stage = opened.stage.clone();
        let report = self.again(cx, opened, recorder).await?;
        self.stands_still(cx, &stage).await?;
        Ok(report)
    }

    async fn again(
        &self,
        cx: &Context,
        mut opened: Opened,
        recorder: Arc<Recorder>,
    ) -> Result<Report> {
        let ledger = opened.ledger();
        let pass = opened.pass + 1;
        // The mark of the pass before its first row; a pass that brings nothing does no harm.
        ledger.put(PASS, &serde_json::json!(pass)).await?;
        opened.pass = pass;
        let merged = self.follow_merged(cx, &opened).await?;
        opened.warnings.extend(merged);
        delta::begin(cx, self.source.as_ref(), opened.stage.index().as_ref()).await?;
        let policies = Policies {
            on_change: self.on_change,
            on_gone: self.on_gone,
        };
        policies.intend(ledger.as_ref()).await?;
        let told = self.renew(cx, &opened, &recorder).await?;
        opened.warnings.extend(told);
        self.reopen_what_waits(&opened).await?;
        self.go(cx, &opened, recorder).await
    }

    /// Reads once more, and finds nothing.
    async fn stands_still(&self, cx: &Context, stage: &Stage) -> Result<()> {
        let index = stage.index();
        let before = index.edits().await?;
        delta::begin(cx, self.source.as_ref(), index.as_ref()).await?;
        let (reader, _watched) = self.reader(stage.clone(), Arc::clone(&self.progress));
        reader.run(cx).await?;
        let edits = index.edits().await? - before;
        if edits == 0 {
            return Ok(());
        }
        let said = format!("the source still changes: {edits} records since the last look");
        Err(Error::new(ErrorKind::Conflict, "cut over", said).advise(
            "Nothing is lost. See to it that nobody works there any more, then call `cut-over` again",
        ))
    }

    fn reader(
        &self,
        stage: Stage,
        progress: Arc<dyn Progress>,
    ) -> (Reader, watch::Receiver<ReadState>) {
        let (state, watched) = watch::channel(ReadState::unknown());
        let reader = Reader {
            odd_sizes: AtomicUsize::new(0),
            late: Arc::new(Late::default()),
            source: Arc::clone(&self.source),
            stage,
            state,
            progress,
        };
        (reader, watched)
    }

    /// What waits for a person: the person is here.
    async fn reopen_what_waits(&self, opened: &Opened) -> Result<()> {
        self.retry_files_of_shut_phases(opened).await?;
        self.retry_files_for_now(opened).await?;
        for phase in load::all_phases(self.sink.phases()) {
            opened.target.ledger.reopen_held(phase.name).await?;
        }
        Ok(())
    }

    /// A gate that files shut opens when they can be had after all.
    async fn retry_files_of_shut_phases(&self, opened: &Opened) -> Result<()> {
        let states = opened.target.ledger.phases().await?;
        let shut = |name: &str| {
            states
                .iter()
                .any(|s| s.phase == name && s.closed_at.is_some() && !s.passed)
        };
        let phases = self.sink.phases();
        if phases
            .iter()
            .any(|p| p.kinds.contains(&RecordKind::Attachment) && shut(p.name))
        {
            opened.stage.index().retry_files().await?;
        }
        Ok(())
    }

    /// Files that could not be had for the time being, and those of them that another target brought meanwhile, have their
    /// chance also behind gates that were passed.
    async fn retry_files_for_now(&self, opened: &Opened) -> Result<()> {
        let index = opened.stage.index();
        index.retry_files_for_now().await?;
        for phase in self.sink.phases() {
            if !phase.kinds.contains(&RecordKind::Attachment) {
                continue;
            }
            let failed = opened
                .target
                .ledger
                .failed_with(phase.name, UNAVAILABLE)
                .await?;
            let rows = index.rows(&failed).await?;
            let again: Vec<RecordId> = rows
                .iter()
                .filter(|row| !matches!(row.file, Some(FileState::Unavailable(_))))
                .map(|row| row.id)
                .collect();
            opened.target.ledger.reopen_failed(&again).await?;
        }
        Ok(())
    }

    /// Reads back everything that stands in the target and compares it field by field. The source is not asked.
    ///
    /// # Errors
    /// `Unsupported` when the sink cannot be read back; `Mismatch` without a ledger.
    pub async fn verify(&self, cx: &Context) -> Result<Report> {
        let recorder = Recorder::new(cx, &self.progress);
        let mut opened = self.open_loaded(cx).await?;
        let merged = self.follow_merged(cx, &opened).await?;
        opened.warnings.extend(merged);
        let told = Arc::clone(&recorder) as Arc<dyn Progress>;
        let found = verifying::verify(cx, self, &opened, told).await?;
        self.report(cx, &opened, found, &recorder).await
    }

    async fn go(&self, cx: &Context, opened: &Opened, recorder: Arc<Recorder>) -> Result<Report> {
        let phases = load::all_phases(self.sink.phases());
        reporting::remember(opened.ledger().as_ref(), &phases).await?;
        let told = Arc::clone(&recorder) as Arc<dyn Progress>;
        let (reader, watched) = self.reader(opened.stage.clone(), told);
        let selection = Selection::kept(opened.ledger().as_ref()).await?;
        selection.check()?;
        let decided = Decided::default();
        let walk = Walk {
            stage: opened.stage.clone(),
            transforms: self.transforms.clone(),
            ledger: opened.ledger(),
            journal: opened.journal(),
            read: watched,
            decided: decided.clone(),
            judge: selection.begin(cx.now()),
        };
        let loader = Loader {
            walk,
            late: Arc::clone(&reader.late),
            underway: Underway::default(),
            tally: Tally::default(),
            sink: Arc::clone(&self.sink),
            gate: self.gate,
            progress: Arc::clone(&recorder) as Arc<dyn Progress>,
            owning: self.owning(opened, decided),
        };
        loader.owning.begin(cx, &loader.walk).await?;
        // When the load stops, the read goes on to its end: the source is read once, for all targets. When the read
        // stops, the load finishes what is under way and stops at its next barrier.
        let (read, loaded) = futures::future::join(reader.run(cx), loader.run(cx)).await;
        let told = match &read {
            Ok(()) => loader.owning.finish(cx, &loader.walk).await,
            Err(_) => Ok(()),
        };
        let handed = self.hand_over(cx, opened).await;
        let report = self
            .report(cx, opened, verifying::Found::default(), &recorder)
            .await;
        read?;
        loaded?;
        told?;
        handed?;
        report
    }

    /// Writes the documents of what this target does not take and people build again.
    async fn hand_over(&self, cx: &Context, opened: &Opened) -> Result<()> {
        let hands = handing::Hands {
            stage: &opened.stage,
            transforms: &self.transforms,
            sink: self.sink.as_ref(),
        };
        let name = opened.info.name.as_str();
        hands.write(cx, &opened.target.folder, name).await
    }

    fn owning(&self, opened: &Opened, decided: Decided) -> Owning {
        Owning {
            sink: Arc::clone(&self.sink),
            ledger: opened.ledger(),
            folder: opened.target.folder.clone(),
            undecided: self.undecided,
            decided,
        }
    }

    async fn open(&self, cx: &Context, create: bool) -> Result<Opened> {
        let readiness = asked(cx, &self.workspace, self.source.as_ref()).await?;
        self.open_for(cx, readiness.tenant, readiness.warnings, create)
            .await
    }

    /// The target as it was loaded; the source is not asked, and may be switched off.
    async fn open_loaded(&self, cx: &Context) -> Result<Opened> {
        belonging::refuse_a_lost_stage(&self.workspace)?;
        let stage = Stage::open(&self.workspace.stage()).await?;
        let tenant = stage.index().tenant().await?.ok_or_else(|| {
            let said = "nothing was read into this workspace yet";
            Error::new(ErrorKind::Mismatch, "open what was loaded", said).advise("`run` begins")
        })?;
        drop(stage);
        self.open_for(cx, tenant, Vec::new(), false).await
    }

    async fn open_for(
        &self,
        cx: &Context,
        tenant: Tenant,
        warnings: Vec<String>,
        create: bool,
    ) -> Result<Opened> {
        let mut info = self.sink.check(cx).await?;
        if let Some(name) = &self.target_name {
            info.name.clone_from(name);
        }
        let stage = stage_of(&self.workspace, &tenant).await?;
        let target = self
            .workspace
            .target(&info, &tenant.to_string(), create)
            .await?;
        belonging::adopt(&target.folder, &target.ledger, stage.index().as_ref()).await?;
        let warnings = warnings.into_iter().chain(info.warnings.clone()).collect();
        let pass = target.ledger.get(PASS).await?.and_then(|n| n.as_u64());
        Ok(Opened {
            pass: pass.unwrap_or(0),
            tenant,
            info,
            target,
            stage,
            warnings,
        })
    }

    async fn report(
        &self,
        cx: &Context,
        opened: &Opened,
        found: verifying::Found,
        recorder: &Recorder,
    ) -> Result<Report> {
        let usage = recorder.usage();
        reporting::keep(opened.ledger().as_ref(), recorder.take(), usage).await?;
        let mut report =
            reporting::report(cx, &opened.stage, opened.ledger().as_ref(), found).await?;
        report.source = opened.tenant.to_string();
        report.target.clone_from(&opened.info.name);
        report.target_id.clone_from(&opened.info.id);
        report.mark = opened.mark();
        let late = owning::too_late(&opened.target.folder, opened.ledger().as_ref()).await?;
        let notes = late.into_iter().chain(opened.warnings.iter().cloned());
        report.notes.splice(0..0, notes);
        reporting::write(&opened.target.folder, &report)?;
        Ok(report)
    }
}

/// Asks a source who it is, and keeps what it says of itself for the scope document.
async fn asked(cx: &Context, workspace: &Workspace, source: &dyn Source) -> Result<Readiness> {
    let readiness = source.check(cx).await?;
    workspace.keep_about(&About {
        asked_at: cx.now(),
        product: readiness.product.clone(),
        limits: readiness.limits.clone(),
        warnings: readiness.warnings.clone(),
    })?;
    Ok(readiness)
}

/// The stage of a workspace, if it is this tenant's or nobody's yet, and that of which its ledgers speak.
pub(crate) async fn stage_of(workspace: &Workspace, wanted: &Tenant) -> Result<Stage> {
    belonging::refuse_a_lost_stage(workspace)?;
    let stage = Stage::open(&workspace.stage()).await?;
    belonging::check_all(workspace, stage.index().as_ref()).await?;
    match stage.index().tenant().await? {
        None => stage.index().set_tenant(wanted).await?,
        Some(tenant) if tenant == *wanted => {}
        Some(tenant) => {
            return Err(Error::new(
                ErrorKind::Mismatch,
                "open the workspace",
                format!("it holds {tenant}, the source is {wanted}"),
            )
            .with("folder", workspace.folder().display())
            .advise("Each workspace belongs to one source tenant: use another workspace, or point to the tenant that was meant"));
        }
    }
    Ok(stage)
}

/// Where the targets of a workspace stand, from what is on disk: works beside a running migration.
///
/// # Errors
/// `NotFound` without a workspace; `Storage`.
pub async fn status(folder: &std::path::Path) -> Result<Vec<Report>> {
    let reports = look(folder).await?;
    Ok(reports.into_iter().map(|(_, report)| report).collect())
}

/// Makes `report.json` and `report.html` of every target again, from what is on disk, and the page of what was handed over
/// from its JSON. Answers the targets' folders and
/// their reports; what only the last process knew (requests by endpoint, what `verify` found) is taken from the last report.
///
/// # Errors
/// `NotFound` without a workspace; `Storage`.
pub async fn write_reports(folder: &std::path::Path) -> Result<Vec<(std::path::PathBuf, Report)>> {
    let mut reports = look(folder).await?;
    for (folder, report) in &mut reports {
        reporting::add_the_last(folder, report);
        reporting::write(folder, report)?;
        handing::write_again(folder)?;
    }
    Ok(reports)
}

async fn look(folder: &std::path::Path) -> Result<Vec<(std::path::PathBuf, Report)>> {
    let workspace = Workspace::look(folder)?;
    let index = workspace.stage().join("index.sqlite");
    let mut reports = Vec::new();
    belonging::refuse_a_lost_stage(&workspace)?;
    if !index.exists() {
        return Ok(reports);
    }
    let index: Arc<dyn crate::stage::index::Index> =
        Arc::new(crate::stage::SqliteIndex::open(&index)?);
    for folder in workspace.targets()? {
        let ledger = crate::ledger::SqliteLedger::open(&folder.join("ledger.sqlite"))?;
        belonging::check(&folder, &ledger, index.as_ref()).await?;
        let mut report = reporting::report_of(index.as_ref(), &ledger).await?;
        let late = owning::too_late(&folder, &ledger).await?;
        report.notes.splice(0..0, late);
        if let Some(owner) = ledger.owner().await? {
            report.source = owner.tenant;
            report.target = owner.name;
            report.target_id = owner.target;
            let pass = ledger.get(PASS).await?.and_then(|n| n.as_u64());
            report.mark = format!("{}-{}", owner.mark, pass.unwrap_or(0));
        }
        report.outlook = reporting::outlook(index.as_ref(), &ledger, &report).await?;
        reports.push((folder, report));
    }
    Ok(reports)
}
