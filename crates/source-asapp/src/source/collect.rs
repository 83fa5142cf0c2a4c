//! The part that collects: files into runs, runs into one reduced file.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use chrono::Duration;
use deskferry_core::source::{Cursor, Next, Page, Reject, Shard};
use deskferry_core::{Context, Error, RecordKind, Result};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::runtime::Handle;

use super::{Asapp, PARTS, blocking, cursor, place, reconcile, told, watermark};
use crate::channels::{Channel, Day, Piece, days, pieces};
use crate::client::Configuration;
use crate::reduce::{FileMark, How, Input, Manifest, RunMark, broken, merge, reduce};
use crate::tables::{Family, TABLES, Table};
use crate::wire::Shape;

/// Bytes of files, as they are stored, of one chunk.
const CHUNK: u64 = 256 << 20;
/// Files of one chunk: each is a line of the manifest, and some are empty.
const FILES: usize = 4_096;
/// Broken lines that one page tells.
const TOLD: usize = 500;
/// Days that are looked at again where listing costs requests (ASAPP reference, section 7.1).
const OVERLAP: i64 = 3;
/// Days that texts of AI services are kept (ASAPP reference, section 2.1).
const KEPT: i64 = 32;

/// How often a run was begun in this process: a run that nobody waited for leaves a name that is not used again.
static ATTEMPTS: AtomicU64 = AtomicU64::new(0);

/// What is known of the work folder and what is still to be read.
pub(super) struct Work {
    manifest: Manifest,
    generation: u32,
    days: VecDeque<(usize, Day)>,
    /// Files of days that were listed, with their channel.
    pending: VecDeque<(usize, Piece)>,
    /// Days all of whose files are in `pending` or before.
    listed: Vec<String>,
    notes: Vec<String>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Place {
    /// Runs of this read that were told.
    runs: usize,
    /// Broken lines of the next one that were told.
    broken: usize,
}

/// Stops workers for which nobody waits any more.
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Asapp {
    pub(super) async fn collect_page(
        &self,
        cx: &Context,
        shard: &Shard,
        after: Option<Cursor>,
    ) -> Result<Page> {
        let generation = told(shard, "generation").unwrap_or(1);
        let mut at: Place = place(after.as_ref());
        // Whoever is dropped or fails with files in hand takes the list of what is to be read along: it is made anew.
        let mut held = self.work.lock().await;
        let mut work = match held.take() {
            Some(work) if work.generation == generation => work,
            _ => self.begin(cx, generation).await?,
        };
        let mut page = Page::new(Vec::new(), Next::More(cursor(&at)?));
        page.notes.append(&mut work.notes);
        let runs = |work: &Work| {
            let of_read = work
                .manifest
                .runs
                .iter()
                .filter(|run| run.generation == generation);
            of_read.cloned().collect::<Vec<_>>()
        };
        if runs(&work).len() <= at.runs {
            self.next_runs(cx, &mut work).await?;
            page.notes.append(&mut work.notes);
        }
        if let Some(run) = runs(&work).get(at.runs) {
            let lines = broken(self.config.work(), &run.name, at.broken, TOLD)?;
            at.broken += lines.len();
            page.rejects = lines.into_iter().map(reject).collect();
            if page.rejects.len() < TOLD {
                page.notes.push(format!(
                    "{} rows of {} exported files were reduced, {} lines were no rows",
                    run.rows, run.count, run.broken
                ));
                at = Place {
                    runs: at.runs + 1,
                    broken: 0,
                };
            }
            page.next = Next::More(cursor(&at)?);
            *held = Some(work);
            return Ok(page);
        }
        self.finish(cx, &mut work, &mut page).await?;
        page.spawn = parts(shard, generation);
        page.next = Next::End(watermark(generation));
        Ok(page)
    }

    /// Opens the work folder and lists the days of all channels.
    async fn begin(&self, cx: &Context, generation: u32) -> Result<Work> {
        let manifest = Manifest::open(self.config.work(), self.config.company())?;
        sweep(self.config.work(), &manifest);
        let mut work = Work {
            manifest,
            generation,
            days: VecDeque::new(),
            pending: VecDeque::new(),
            listed: Vec::new(),
            notes: Vec::new(),
        };
        if work
            .manifest
            .reduced
            .as_ref()
            .is_some_and(|(of, _)| *of >= generation)
        {
            return Ok(work);
        }
        for (number, channel) in self.channels.iter().enumerate() {
            let (days, notes) = days(cx, channel.as_ref()).await?;
            work.notes.extend(notes);
            work.notes
                .extend(purge_warning(cx, channel.as_ref(), &days));
            work.days.extend(days.into_iter().map(|day| (number, day)));
        }
        Ok(work)
    }

    /// Reads the next chunks of files, each into a run, several at once. Nothing is done when there are no more.
    async fn next_runs(&self, cx: &Context, work: &mut Work) -> Result<()> {
        let parallel = self.config.parallel();
        let mut chunks: Vec<Vec<(usize, Piece)>> = Vec::new();
        while chunks.len() < parallel {
            let chunk = self.next_chunk(cx, work).await?;
            if chunk.is_empty() {
                break;
            }
            chunks.push(chunk);
        }
        let stop = Stop(Arc::new(AtomicBool::new(false)));
        let mut number = work.manifest.next_file();
        let mut running = Vec::new();
        for chunk in chunks {
            let inputs: Vec<Input> = (number..)
                .zip(chunk)
                .map(|(number, (channel, piece))| Input {
                    piece,
                    channel,
                    number,
                })
                .collect();
            number += u32::try_from(inputs.len()).unwrap_or(0);
            let attempt = ATTEMPTS.fetch_add(1, Ordering::Relaxed);
            let name = format!(
                "run-{}-{}-{}-{attempt}",
                work.generation,
                number,
                std::process::id()
            );
            running.push(self.run(cx, work.generation, name, inputs, Arc::clone(&stop.0)));
        }
        for run in futures::future::try_join_all(running).await? {
            work.manifest.add_run(run)?;
        }
        if work.pending.is_empty() {
            let names = std::mem::take(&mut work.listed);
            work.manifest.add_days(work.generation, names)?;
        }
        Ok(())
    }

    /// Files of some days that were not read yet, up to the size of a chunk.
    async fn next_chunk(&self, cx: &Context, work: &mut Work) -> Result<Vec<(usize, Piece)>> {
        let (mut chunk, mut bytes) = (Vec::new(), 0);
        while bytes < CHUNK && chunk.len() < FILES {
            if let Some((channel, piece)) = work.pending.pop_front() {
                bytes += piece.entry.size.unwrap_or(CHUNK / 8);
                chunk.push((channel, piece));
                continue;
            }
            let Some((number, day)) = work.days.pop_front() else {
                break;
            };
            cx.check("read exported files")?;
            let channel = &self.channels[number];
            let name = format!("{}: {}", channel.name(), day.name());
            let read = work.manifest.day(&name);
            let recent = cx.now().date_naive() - Duration::days(OVERLAP);
            let old = day.date.is_some_and(|date| date < recent);
            if read == Some(work.generation) || (read.is_some() && old && !channel.lists_freely()) {
                continue;
            }
            let (pieces, unfinished) = pieces(cx, channel.as_ref(), &day).await?;
            let new = pieces.into_iter().filter(|piece| {
                let entry = &piece.entry;
                !work.manifest.knows(
                    channel.name(),
                    &piece.name(),
                    entry.size,
                    entry.changed.as_deref(),
                )
            });
            work.pending.extend(new.map(|piece| (number, piece)));
            if unfinished.is_empty() {
                work.listed.push(name);
            }
            work.notes.extend(unfinished.into_iter().map(|folder| {
                format!(
                    "{}: {folder} has no _SUCCESS yet and was left out; a later read takes it",
                    channel.name()
                )
            }));
        }
        Ok(chunk)
    }

    async fn run(
        &self,
        cx: &Context,
        generation: u32,
        name: String,
        inputs: Vec<Input>,
        stopped: Arc<AtomicBool>,
    ) -> Result<RunMark> {
        let channels = self.channels.clone();
        let folder = self.config.work().to_owned();
        let memory = self.config.memory() / self.config.parallel();
        let broken_share = self.config.broken_share();
        let (cx, handle) = (cx.clone(), Handle::current());
        blocking(move || {
            let cancelled = || stopped.load(Ordering::Relaxed) || cx.is_cancelled();
            let how = How {
                folder: &folder,
                name: &name,
                generation,
                memory,
                broken_share,
                cancelled: &cancelled,
            };
            let open = |input: &Input| {
                let channel = &channels[input.channel];
                handle.block_on(channel.open(&cx, &input.piece.folder, &input.piece.entry))
            };
            let done = reduce(&how, &inputs, &open)?;
            let files = inputs.iter().zip(&done.rows).map(|(input, rows)| FileMark {
                number: input.number,
                channel: channels[input.channel].name().to_owned(),
                path: input.piece.name(),
                size: input.piece.entry.size,
                changed: input.piece.entry.changed.clone(),
                rows: *rows,
            });
            Ok(RunMark {
                files: files.collect(),
                count: inputs.len(),
                rows: done.rows.iter().sum(),
                broken: done.broken,
                bytes: done.bytes,
                shapes: done.shapes,
                name,
                generation,
            })
        })
        .await
    }

    /// Merges all runs, and says what people should look at.
    async fn finish(&self, cx: &Context, work: &mut Work, page: &mut Page) -> Result<()> {
        let generation = work.generation;
        let base = work.manifest.reduced.clone();
        if base.as_ref().is_none_or(|(of, _)| *of < generation) {
            let since = base.as_ref().map_or(0, |(of, _)| *of);
            let runs = work
                .manifest
                .runs
                .iter()
                .filter(|run| run.generation > since);
            let mut from: Vec<String> = runs.map(|run| run.name.clone()).collect();
            from.extend(base.map(|(_, name)| name));
            let attempt = ATTEMPTS.fetch_add(1, Ordering::Relaxed);
            let to = format!("reduced-{generation}-{}-{attempt}", std::process::id());
            let (folder, name, old) = (self.config.work().to_owned(), to.clone(), from.clone());
            blocking(move || merge(&folder, &old, &name)).await?;
            work.manifest.set_reduced(generation, &to)?;
            for name in from {
                // All of it stands in the new file; what cannot be removed costs room only.
                let _ = std::fs::remove_file(self.config.work().join(name));
            }
        }
        // Whoever comes back after a death does not ask again.
        let kept = Configuration::kept(self.config.work())?;
        if kept.is_none_or(|kept| kept.generation != generation) {
            let told = self.configuration(cx, generation).await?;
            page.notes.extend(told.notes());
            told.keep(self.config.work())?;
        }
        page.notes.extend(drift(&work.manifest));
        let Some((_, name)) = &work.manifest.reduced else {
            return Err(Error::bug(
                "reduce exported files",
                "there is no reduced file after a merge",
            ));
        };
        let (file, folder): (PathBuf, PathBuf) =
            (self.config.work().join(name), self.reconcile_folder());
        cx.check("compare channels")?;
        let told = blocking(move || reconcile::write(&file, &folder)).await?;
        page.notes.extend(told);
        Ok(())
    }

    /// The reduced file of a read. The manifest of a large tenant is long: it is read once.
    pub(super) fn reduced(&self, generation: u32) -> Result<PathBuf> {
        let poisoned = |_| Error::bug("read the reduced exports", "a lock was poisoned");
        let mut held = self.reduced.lock().map_err(poisoned)?;
        if let Some((_, path)) = held.as_ref().filter(|(of, _)| *of == generation) {
            return Ok(path.clone());
        }
        let manifest = self.manifest()?;
        match &manifest.reduced {
            Some((of, name)) if *of >= generation => {
                let path = self.config.work().join(name);
                *held = Some((generation, path.clone()));
                Ok(path)
            }
            _ => Err(Error::new(
                deskferry_core::ErrorKind::Mismatch,
                "read the reduced exports",
                "the work folder does not hold what this workspace read",
            )
            .with("folder", self.config.work().display())
            .advise("Put the work folder back, or start a new workspace and a new work folder")),
        }
    }

    pub(super) fn manifest(&self) -> Result<Manifest> {
        Manifest::open(self.config.work(), self.config.company())
    }
}

/// Files that a dead process left, and that nothing names.
fn sweep(folder: &Path, manifest: &Manifest) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let ours = name.starts_with("run-") || name.starts_with("reduced-");
        if ours && !manifest.is_known(name) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

fn reject(line: crate::reduce::Broken) -> Reject {
    let table = TABLES.iter().find(|table: &&Table| table.tag == line.tag);
    Reject {
        kind: table.map_or(RecordKind::Conversation, |table| table.kind),
        id: None,
        path: format!("{}:{}", line.file, line.line),
        reason: line.reason,
        raw: line.raw,
    }
}

/// Columns that came with several types: nothing is lost, but whoever maps them should know.
fn drift(manifest: &Manifest) -> Vec<String> {
    let mut notes = Vec::new();
    for (table, shape) in manifest.shapes() {
        // Ids as numbers and as text are nothing new (ASAPP reference, section 7.2).
        let is_id =
            |column: &str, bits: u8| column.ends_with("_id") && Shape::is_number_or_text(bits);
        let several =
            |(column, bits): &(&String, &u8)| bits.count_ones() > 1 && !is_id(column, **bits);
        for (column, bits) in shape.0.iter().filter(several) {
            notes.push(format!(
                "{table}: the column `{column}` came as {}",
                Shape::types(*bits)
            ));
        }
    }
    notes
}

/// Texts of AI services are purged after 32 days: what is older than that and not in the files is gone.
pub(super) fn purge_warning(cx: &Context, channel: &dyn Channel, days: &[Day]) -> Option<String> {
    if channel.family() != Family::Services {
        return None;
    }
    let is_text = |day: &&Day| day.path.first().is_some_and(|feed| feed == "utterances");
    let oldest = days
        .iter()
        .filter(is_text)
        .filter_map(|day| day.date)
        .min()?;
    let kept = cx.now().date_naive() - Duration::days(KEPT);
    Some(format!(
        "{}: texts begin on {oldest}; ASAPP keeps them {KEPT} days (now since {kept}), what is older and not in the files cannot come",
        channel.name()
    ))
}

/// The parts that make records of what was collected.
fn parts(shard: &Shard, generation: u32) -> Vec<Shard> {
    let scope = json!({ "generation": generation, "since": shard.scope.get("since") });
    let part = |name: &str, kinds: &[RecordKind]| {
        Shard::new(format!("{name}-{generation}"), kinds).scoped(scope.clone())
    };
    let mut parts = vec![
        part(
            "dictionaries",
            &[
                RecordKind::FieldDefinition,
                RecordKind::Team,
                RecordKind::InventoryItem,
            ],
        ),
        part("agents", &[RecordKind::Agent, RecordKind::AgentStatistics]),
        part("customers", &[RecordKind::Account, RecordKind::Contact]),
    ];
    for number in 0..PARTS {
        let mut scope = scope.clone();
        scope["part"] = number.into();
        scope["parts"] = PARTS.into();
        let kinds = [RecordKind::Conversation, RecordKind::Message];
        parts.push(
            Shard::new(format!("conversations-{generation}-{number:02}"), kinds).scoped(scope),
        );
    }
    parts.retain_mut(|part| {
        part.yields.retain(|kind| shard.yields.contains(kind));
        !part.yields.is_empty()
    });
    parts
}
