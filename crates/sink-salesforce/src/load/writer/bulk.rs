//! Rows by bulk jobs (contract: write protocol 4; Salesforce APIs, section 9): the job's id is durable before its rows
//! leave, and what its results do not tell is looked for before anything is sent again.
//!
//! A job carries rows once. Whatever it leaves over goes into a smaller job or, where that cannot help, into collections,
//! which answer row by row.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use deskferry_core::error::{Error, ErrorKind, Result};
use deskferry_core::journal::{EffectState, Operation};
use serde_json::Value;

use super::{Landed, Outgoing, Progress, Writer, delay, fail};
use crate::bulk::job::{Job, State, Step, step_refused};
use crate::bulk::results::{Answers, Set, Told};
use crate::bulk::{REQUEST, csv, needed_jobs};
use crate::client::collections::{RowAnswer, whole_call_error};
use crate::client::error::{Class, Refusal};
use crate::load::find::{Identity, fingerprint};
use crate::mapping::build::Fields;
use crate::mapping::facts::POSTS;

/// How often a job is opened anew whose upload or opening got lost.
const MOST_JOBS: u32 = 4;
const LONGEST_POLL: Duration = Duration::from_secs(30);

/// Rows that wait for a job.
struct Waiting {
    rows: Vec<usize>,
    /// How many jobs carried them and left them over.
    round: u32,
}

/// What a job left over.
#[derive(Debug, Default)]
struct Left {
    /// It ended before it came to them, or nothing is known of them.
    again: Vec<usize>,
    /// Somebody else held them.
    locked: Vec<usize>,
    /// Collections may do what a job cannot, or say more.
    singly: Vec<usize>,
    /// Whether it answered any row.
    progressed: bool,
}

impl Writer<'_> {
    /// Sends rows by jobs where there are enough. Answers those that are left for collections, rows of one parent next to
    /// each other and in order.
    pub(super) async fn by_jobs(
        &self,
        rows: &[Outgoing],
        open: Vec<usize>,
        progress: &mut Progress,
    ) -> Result<Vec<usize>> {
        let from = self.api.config().bulk_from;
        if from == 0 || !self.transport.may_go_in_bulk() {
            return Ok(open);
        }
        let (mut fit, mut rest): (Vec<usize>, Vec<usize>) =
            open.into_iter().partition(|i| self.fits(&rows[*i]));
        let by_parents =
            |a: &usize, b: &usize| parents(&rows[*a].fields).cmp(&parents(&rows[*b].fields));
        fit.sort_by(by_parents);
        let mut queue = VecDeque::from([Waiting {
            rows: fit,
            round: 0,
        }]);
        while let Some(Waiting {
            rows: mut which,
            round,
        }) = queue.pop_front()
        {
            if which.len() < from {
                rest.extend(which);
                continue;
            }
            if round > 0 {
                let wait = delay(round, &rows[which[0]]);
                self.cx.sleep(wait, "wait before another bulk job").await?;
            }
            let Some((carried, left)) = self.run_job(rows, &which, progress).await? else {
                rest.extend(which);
                continue;
            };
            let beyond = which.split_off(carried);
            rest.extend(left.singly);
            // Locked rows have one more job of their own. A job that did nothing is not repeated: collections say why.
            progress.contended |= !left.locked.is_empty();
            for (left, again) in [(left.again, left.progressed), (left.locked, round == 0)] {
                if again {
                    queue.push_back(Waiting {
                        rows: left,
                        round: round + 1,
                    });
                } else {
                    rest.extend(left);
                }
            }
            if !beyond.is_empty() {
                queue.push_front(Waiting {
                    rows: beyond,
                    round,
                });
            }
        }
        rest.sort_unstable();
        if progress.contended {
            rest.sort_by(by_parents);
        }
        Ok(rest)
    }

    /// Takes up the jobs that carried rows when an earlier process ended.
    pub(super) async fn rejoin_jobs(
        &self,
        rows: &mut [Outgoing],
        progress: &mut Progress,
    ) -> Result<()> {
        let mut jobs: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (i, row) in rows.iter().enumerate() {
            if let (Some(job), Some(_)) = (&row.job, row.sent_before) {
                jobs.entry(job.clone()).or_default().push(i);
            }
        }
        for (job, which) in jobs {
            tracing::info!(job, rows = which.len(), "taking up a bulk job again");
            let ended = self.end_of(&job, true).await?;
            let keyed = self.identity == Identity::Key;
            if ended.is_some() || keyed {
                // Its end is known: no row of it can land any more. What stands is found by key in any case.
                for i in &which {
                    rows[*i].sent_before = None;
                }
            }
            match ended {
                Some(State::JobComplete | State::Failed) if keyed => {
                    self.take_results(rows, &job, &which, progress).await?;
                }
                // Comments that say the same may belong to other records by now: they are counted.
                _ => self.look_for(rows, &which, progress).await?,
            }
            // The job stays until the platform removes it: rows of other batches may ask for its results.
        }
        Ok(())
    }

    fn first_poll(&self) -> Duration {
        Duration::from_millis(self.api.config().bulk_poll.max(1)).min(LONGEST_POLL)
    }

    fn fits(&self, row: &Outgoing) -> bool {
        row.content.is_none()
            // Neither posts nor users go by jobs.
            && !matches!(row.object, POSTS | "User")
            && csv::fits(&row.fields)
            && self.print(row).is_some()
    }

    fn print(&self, row: &Outgoing) -> Option<[u8; 16]> {
        let cell = |name: &str| row.fields.get(name).map(csv::cell);
        fingerprint(self.identity, &cell)
    }

    /// One job from its opening to its results. Answers how many rows it carried and what it left over; nothing when the
    /// org takes no job for them.
    async fn run_job(
        &self,
        rows: &[Outgoing],
        which: &[usize],
        progress: &mut Progress,
    ) -> Result<Option<(usize, Left)>> {
        let fields: Vec<&Fields> = which.iter().map(|i| &rows[*i].fields).collect();
        let folder = self.api.config().bulk_folder.as_deref();
        for attempt in 1..=MOST_JOBS {
            if attempt > 1 {
                let wait = delay(attempt - 1, &rows[which[0]]);
                self.cx.sleep(wait, "wait before another bulk job").await?;
            }
            let upload = csv::write(folder, &fields)?;
            let (carried, bytes) = (upload.rows, upload.bytes);
            let job = match self.api.open_job(self.cx, rows[which[0]].object).await? {
                Step::Done(job) => job.id,
                // An open job without rows does nothing; the platform drops it within a day.
                Step::Lost => continue,
                Step::Refused(refusal) => return no_job(&refusal),
            };
            self.intend(rows, &which[..carried], &format!("{REQUEST}{job}"))
                .await?;
            tracing::info!(
                job,
                rows = carried,
                bytes = upload.bytes,
                "uploading a bulk job"
            );
            match self.api.upload_job(self.cx, &job, upload).await? {
                Step::Done(()) => {}
                Step::Lost | Step::Refused(_) if !self.abort(&job).await? => {
                    return Err(undecided(&job));
                }
                Step::Lost => continue,
                Step::Refused(refusal) => return no_job(&refusal),
            }
            self.close(&job).await?;
            let ended = self.end_of(&job, false).await?;
            if ended.is_none() && matches!(self.identity, Identity::Comment | Identity::Task) {
                // What nothing keeps from being there twice is looked for only when none can land any more.
                return Err(undecided(&job));
            }
            let mut left = self
                .take_results(rows, &job, &which[..carried], progress)
                .await?;
            left.progressed &= ended != Some(State::Aborted);
            needed_jobs(
                self.cx,
                "insert",
                rows[which[0]].object,
                csv::filled(carried, bytes),
            );
            self.api.delete_job(self.cx, &job).await;
            return Ok(Some((carried, left)));
        }
        Ok(None)
    }

    /// Hands a job over. Where the answer is lost or a refusal, its state tells.
    async fn close(&self, job: &str) -> Result<()> {
        for attempt in 1..=MOST_JOBS {
            let step = self
                .api
                .set_job_state(self.cx, job, "UploadComplete")
                .await?;
            if matches!(step, Step::Done(())) {
                return Ok(());
            }
            match self.api.job(self.cx, job).await? {
                Some(Job {
                    state: State::Open, ..
                }) => {
                    if let Step::Refused(refusal) = step {
                        return Err(step_refused(&refusal, "hand over a bulk job").with("job", job));
                    }
                }
                _ => return Ok(()),
            }
            let wait = self.first_poll() * attempt;
            self.cx
                .sleep(wait, "wait before handing over a bulk job")
                .await?;
        }
        Err(undecided(job))
    }

    /// Ends a job that was not handed over. Answers whether it is certain that it does nothing.
    async fn abort(&self, job: &str) -> Result<bool> {
        for _ in 0..MOST_JOBS {
            if let Step::Done(()) = self.api.set_job_state(self.cx, job, "Aborted").await? {
                return Ok(true);
            }
            match self.api.job(self.cx, job).await? {
                None => return Ok(true),
                Some(job) if job.state == State::Aborted => return Ok(true),
                Some(job) if job.state != State::Open => return Ok(false),
                Some(_) => {
                    self.cx
                        .sleep(self.first_poll(), "wait before ending a bulk job")
                        .await?
                }
            }
        }
        Ok(false)
    }

    /// Waits until a job is at its end, however long that takes; nothing when the org has it no longer. One of an earlier
    /// process that was never handed over is ended.
    async fn end_of(&self, job: &str, earlier: bool) -> Result<Option<State>> {
        let mut wait = self.first_poll();
        loop {
            let Some(info) = self.api.job(self.cx, job).await? else {
                return Ok(None);
            };
            if info.state.is_end() {
                if let Some(said) = info.error.filter(|said| !said.is_empty()) {
                    tracing::warn!(job, state = ?info.state, said, "a bulk job did not end well");
                }
                return Ok(Some(info.state));
            }
            if earlier && info.state == State::Open && self.abort(job).await? {
                return Ok(Some(State::Aborted));
            }
            self.cx.sleep(wait, "wait for a bulk job").await?;
            wait = wait.mul_f64(1.5).min(LONGEST_POLL);
        }
    }

    /// Takes what the results of a job tell; what they do not is looked for. A job that failed has done what it has done.
    async fn take_results(
        &self,
        rows: &[Outgoing],
        job: &str,
        which: &[usize],
        progress: &mut Progress,
    ) -> Result<Left> {
        let prints = which
            .iter()
            .map(|i| self.print(&rows[*i]).unwrap_or_default());
        let mut answers = Answers::of(prints);
        for set in [Set::Successful, Set::Failed, Set::Unprocessed] {
            if let Some(file) = self.api.job_results(self.cx, job, set).await? {
                answers.take(set, file, |cell| fingerprint(self.identity, cell))?;
            }
        }
        let mut left = Left::default();
        let (mut effects, mut taken, mut untold) = (Vec::new(), Vec::new(), Vec::new());
        let mut ends_run = None;
        for (i, told) in which.iter().copied().zip(answers.told) {
            let refusal = match told {
                None => {
                    untold.push(i);
                    continue;
                }
                Some(Told::Unprocessed) => {
                    left.again.push(i);
                    continue;
                }
                Some(Told::Done(RowAnswer::Stands(id))) => {
                    left.progressed = true;
                    let state = EffectState::Confirmed { id: id.clone() };
                    effects.push(rows[i].effect(Operation::Insert, state));
                    progress.landed[i] = Some(Landed::Stands { id, ours: true });
                    continue;
                }
                Some(Told::Done(RowAnswer::Refused(refusal))) => refusal,
            };
            left.progressed = true;
            match refusal.class() {
                Class::Duplicate if refusal.is_our_key() => taken.push((i, refusal)),
                Class::Locked => left.locked.push(i),
                Class::Transient | Class::Derived | Class::Busy => left.locked.push(i),
                // A job cannot say `allowSave`, and a trigger that fails takes 200 rows with it.
                Class::DuplicateRule | Class::Automation | Class::Size => left.singly.push(i),
                _ if refusal.code == "TooManyLockFailure" => left.locked.push(i),
                Class::Quota | Class::Session => ends_run = Some(refusal),
                Class::Duplicate | Class::Row => {
                    fail(rows, i, refusal, &mut effects, progress);
                }
            }
        }
        self.claim_rows(&effects).await?;
        self.settle(effects).await?;
        if let Some(refusal) = ends_run {
            return Err(whole_call_error(200, &refusal, "write rows").with("job", job));
        }
        self.claim_standing(rows, taken, progress).await?;
        if !untold.is_empty() {
            tracing::warn!(
                job,
                sent = which.len(),
                missing = untold.len(),
                "the result sets of a bulk job do not add up; looking for the rows that are missing"
            );
            self.look_for(rows, &untold, progress).await?;
            left.again
                .extend(untold.into_iter().filter(|i| progress.landed[*i].is_none()));
        }
        Ok(left)
    }
}

/// No job for these rows: collections carry them, or nothing does.
fn no_job<T>(refusal: &Refusal) -> Result<Option<T>> {
    if matches!(refusal.class(), Class::Quota | Class::Session) {
        return Err(whole_call_error(403, refusal, "open a bulk job"));
    }
    tracing::warn!(
        code = refusal.code,
        said = refusal.message,
        "the org takes no bulk job; using collections"
    );
    Ok(None)
}

fn undecided(job: &str) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "hand over a bulk job",
        "the org does not tell what became of it",
    )
    .with("job", job)
    .advise("Run `resume` later: it takes the job up again")
}

/// The rows that a row hangs on: rows of one parent travel together, or they would lock each other out.
fn parents(fields: &Fields) -> [&str; 3] {
    ["AccountId", "ContactId", "ParentId"]
        .map(|name| fields.get(name).and_then(Value::as_str).unwrap_or_default())
}
