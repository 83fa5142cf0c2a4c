//! The part that collects: files into runs, runs into one reduced file.

use std::collections::{HashMap, VecDeque};
use std::io::Cursor as Reading;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use chrono::{Duration, NaiveDate};
use deskferry_core::source::{Cursor, Next, Page, Reject, Shard};
use deskferry_core::{Context, Error, RecordKind, Result};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::runtime::Handle;

use super::{Asapp, PARTS, blocking, cursor, place, reconcile, told, watermark};
use crate::channels::{Bytes, Channel, Day, Piece, days, pieces};
use crate::client::Configuration;
use crate::config::Asking;
use crate::reduce::{FileMark, How, Input, Manifest, RunMark, broken, merge, reduce, watch};
use crate::tables::{Family, TABLES, Table};
use crate::wire::Shape;

/// Bytes of files, as they are stored, of one chunk.
const CHUNK: u64 = 256 << 20;
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
    /// What the APIs are asked, without what they refused.
    pub(super) asking: Asking,
}

impl Work {
    /// The reduced file that waits for answers of the APIs.
    pub(super) fn to_be_asked(&self) -> Option<&str> {
        self.manifest.to_be_asked(self.generation)
    }

    /// The key up to which this read asked.
    pub(super) fn asked(&self) -> Option<String> {
        let of_read = |run: &&RunMark| run.generation == self.generation;
        let runs = self.manifest.runs.iter().rev();
        runs.filter(of_read).find_map(|run| run.asked.clone())
    }

    pub(super) fn next_file(&self) -> u32 {
        self.manifest.next_file()
    }

    pub(super) fn add_run(&mut self, run: RunMark) -> Result<()> {
        self.manifest.add_run(run)
    }

    pub(super) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// Asks no more for what is not enabled.
    pub(super) fn give_up(&mut self, summaries: bool, why: &Error) {
        let name = if summaries {
            (
                self.asking.summary,
                self.asking.structured,
                self.asking.intent,
            ) = (false, false, false);
            "AutoSummary API"
        } else {
            self.asking.conversations = None;
            "Conversation API"
        };
        self.note(format!("the {name} cannot be asked: {}", why.message()));
    }
}

/// Where the bytes of a run come from.
pub(super) enum Whence {
    Channels,
    /// Answers, by the number of the input.
    Memory(HashMap<u32, Vec<u8>>),
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
                page.notes.push(match &run.asked {
                    None => format!(
                        "{} rows of {} exported files were reduced, {} lines were no rows",
                        run.rows, run.count, run.broken
                    ),
                    Some(_) => format!("API: {} conversations were asked about", run.count),
                });
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
        let asking = match &self.api {
            Some(_) => self.config.asking(),
            None => Asking::default(),
        };
        let mut work = Work {
            asking,
            manifest,
            generation,
            days: VecDeque::new(),
            pending: VecDeque::new(),
            listed: Vec::new(),
            notes: Vec::new(),
        };
        if work.manifest.reduced_by(generation).is_some() || work.to_be_asked().is_some() {
            return Ok(work);
        }
        for (number, channel) in self.channels.iter().enumerate() {
            let (days, notes) = days(cx, channel.as_ref()).await?;
            work.notes.extend(notes);
            let read = |day: &Day| work.manifest.day(&mark(channel.as_ref(), day)).is_some();
            let warning = purge_warning(cx.now().date_naive(), channel.as_ref(), &days, read);
            work.notes.extend(warning);
            work.days.extend(days.into_iter().map(|day| (number, day)));
        }
        Ok(work)
    }

    /// Reads the next chunks of files, each into a run, several at once; when there are no more, asks the APIs what is missing. Nothing is done when nothing is.
    async fn next_runs(&self, cx: &Context, work: &mut Work) -> Result<()> {
        if work.manifest.reduced_by(work.generation).is_some() {
            return Ok(());
        }
        if work.to_be_asked().is_none() {
            let before = work.manifest.runs.len();
            self.next_chunks(cx, work).await?;
            if work.manifest.runs.len() > before || work.asking.nothing() {
                return Ok(());
            }
            self.merged(work, false).await?;
        }
        self.next_answers(cx, work).await.map(drop)
    }

    async fn next_chunks(&self, cx: &Context, work: &mut Work) -> Result<()> {
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
        let mut running = FuturesUnordered::new();
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
            running.push(self.run(
                cx,
                work.generation,
                inputs,
                Whence::Channels,
                Arc::clone(&stop.0),
            ));
        }
        // Each counts as soon as it is whole: what one brought does not wait for its neighbours.
        while let Some(run) = running.next().await {
            work.manifest.add_run(run?)?;
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
        while bytes < CHUNK && chunk.len() < self.config.chunk_files() {
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
            let name = mark(channel.as_ref(), &day);
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

    /// One run, which stops when nobody waits for it.
    pub(super) async fn run_now(
        &self,
        cx: &Context,
        work: &Work,
        inputs: Vec<Input>,
        from: Whence,
    ) -> Result<RunMark> {
        let stop = Stop(Arc::new(AtomicBool::new(false)));
        self.run(cx, work.generation, inputs, from, Arc::clone(&stop.0))
            .await
    }

    async fn run(
        &self,
        cx: &Context,
        generation: u32,
        inputs: Vec<Input>,
        from: Whence,
        stopped: Arc<AtomicBool>,
    ) -> Result<RunMark> {
        let attempt = ATTEMPTS.fetch_add(1, Ordering::Relaxed);
        let number = inputs.first().map_or(0, |input| input.number);
        let name = format!("run-{generation}-{number}-{}-{attempt}", std::process::id());
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
            let open = |input: &Input| match &from {
                Whence::Channels => {
                    let channel = &channels[input.channel];
                    handle.block_on(channel.open(&cx, &input.piece.folder, &input.piece.entry))
                }
                Whence::Memory(bytes) => {
                    let bytes = bytes.get(&input.number).cloned().unwrap_or_default();
                    Ok(Box::new(Reading::new(bytes)) as Bytes)
                }
            };
            let channel = |input: &Input| match from {
                Whence::Channels => channels[input.channel].name().to_owned(),
                Whence::Memory(_) => "API".to_owned(),
            };
            let done = reduce(&how, &inputs, &open)?;
            let files = inputs.iter().zip(&done.rows).map(|(input, rows)| FileMark {
                number: input.number,
                channel: channel(input),
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
                parts: Some(done.parts),
                asked: None,
                name,
                generation,
            })
        })
        .await
    }

    /// Merges all runs, and says what people should look at.
    async fn finish(&self, cx: &Context, work: &mut Work, page: &mut Page) -> Result<()> {
        let generation = work.generation;
        let mut doubtful = None;
        if work.manifest.reduced_by(generation).is_none() {
            doubtful = self.merged(work, true).await?;
        }
        // Whoever comes back after a death does not ask again.
        let kept = Configuration::kept(self.config.work())?;
        if kept.is_none_or(|kept| kept.generation != generation) {
            let told = self.configuration(cx, generation).await?;
            page.notes.extend(told.notes());
            told.keep(self.config.work())?;
        }
        page.notes.extend(drift(&work.manifest));
        cx.check("compare channels")?;
        let list = match doubtful {
            Some(list) => list,
            None => self.doubtful(&work.manifest, generation).await?,
        };
        page.notes.extend(list.end()?);
        Ok(())
    }

    /// Merges what was read since the last merge into the reduced file; the doubtful conversations of it, where it had to be gone through. `whole`
    /// says whether nothing is asked of the APIs any more.
    async fn merged(&self, work: &mut Work, whole: bool) -> Result<Option<reconcile::List>> {
        let base = work.manifest.reduced.clone();
        let mut from: Vec<String> = work
            .manifest
            .not_merged()
            .flat_map(RunMark::parts)
            .collect();
        if let (true, Some(base)) = (from.is_empty() && work.to_be_asked().is_some(), &base) {
            // Nothing was asked, or nothing answered.
            work.manifest
                .set_reduced(work.generation, &base.name, whole)?;
            return Ok(None);
        }
        from.extend(base.map(|base| base.name));
        let attempt = ATTEMPTS.fetch_add(1, Ordering::Relaxed);
        let to = format!(
            "reduced-{}-{}-{attempt}",
            work.generation,
            std::process::id()
        );
        let (folder, name, old) = (self.config.work().to_owned(), to.clone(), from.clone());
        let reconcile_folder = self.reconcile_folder();
        let list = blocking(move || {
            let mut list = reconcile::List::begin(&reconcile_folder)?;
            let watched = merge(&folder, &old, &name, &mut |key, entry| list.row(key, entry))?;
            Ok(watched.then_some(list))
        })
        .await?;
        work.manifest.set_reduced(work.generation, &to, whole)?;
        for name in from {
            // All of it stands in the new file; what cannot be removed costs room only.
            let _ = std::fs::remove_file(self.config.work().join(name));
        }
        Ok(list)
    }

    /// The doubtful conversations of a reduced file that stands there already.
    async fn doubtful(&self, manifest: &Manifest, generation: u32) -> Result<reconcile::List> {
        let Some(name) = manifest.reduced_by(generation) else {
            return Err(Error::bug(
                "reduce exported files",
                "there is no reduced file after a merge",
            ));
        };
        let (file, folder) = (self.config.work().join(name), self.reconcile_folder());
        blocking(move || {
            let mut list = reconcile::List::begin(&folder)?;
            watch(&file, &mut |key, entry| list.row(key, entry))?;
            Ok(list)
        })
        .await
    }

    /// The reduced file of a read. The manifest of a large tenant is long: it is read once.
    pub(super) fn reduced(&self, generation: u32) -> Result<PathBuf> {
        let poisoned = |_| Error::bug("read the reduced exports", "a lock was poisoned");
        let mut held = self.reduced.lock().map_err(poisoned)?;
        if let Some((_, path)) = held.as_ref().filter(|(of, _)| *of == generation) {
            return Ok(path.clone());
        }
        let manifest = self.manifest()?;
        match manifest.reduced_by(generation) {
            Some(name) => {
                let path = self.config.work().join(name);
                *held = Some((generation, path.clone()));
                Ok(path)
            }
            None => Err(Error::new(
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

/// The name of a day in the manifest.
pub(super) fn mark(channel: &dyn Channel, day: &Day) -> String {
    format!("{}: {}", channel.name(), day.name())
}

/// Texts of AI services are purged after 32 days: where they begin, and which are lost next, and when. `is_read` says whether a day was read to its
/// end.
pub(super) fn purge_warning(
    today: NaiveDate,
    channel: &dyn Channel,
    days: &[Day],
    is_read: impl Fn(&Day) -> bool,
) -> Option<String> {
    if channel.family() != Family::Services {
        return None;
    }
    let is_text = |day: &&Day| {
        let feed = day.path.first();
        feed.is_some_and(|feed| feed.trim_start_matches("feed=") == "utterances")
    };
    let texts = || days.iter().filter(is_text);
    let oldest = texts().filter_map(|day| day.date).min()?;
    let newest = texts().filter_map(|day| day.date).max()?;
    let begin = format!(
        "{}: texts begin on {oldest}; ASAPP keeps them {KEPT} days (now since {}), what is older and not in the files cannot come",
        channel.name(),
        today - Duration::days(KEPT)
    );
    // A folder has what somebody fetched; the exporter has what is still there.
    let next = if channel.lists_freely() {
        Some(newest + Duration::days(1))
    } else {
        texts()
            .filter(|day| !is_read(day))
            .filter_map(|day| day.date)
            .min()
    };
    let loss = next.map(|next| (next, next + Duration::days(KEPT)));
    let left = |lost: NaiveDate| (lost - today).num_days();
    Some(match loss {
        None => format!("{begin}. Every day of texts was read: nothing that is there now is lost"),
        Some((next, lost)) if lost <= today => {
            format!("{begin}. Those of {next} were to be purged on {lost}: read what is left today")
        }
        Some((next, lost)) => format!(
            "{begin}. The next to be lost are those of {next}, on {lost}, in {} days, unless they are {} before",
            left(lost),
            if channel.lists_freely() {
                "fetched"
            } else {
                "read"
            }
        ),
    })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channels::Folder;

    #[test]
    fn the_next_texts_to_be_lost_are_named_with_their_day() {
        let date = |text: &str| text.parse::<NaiveDate>().unwrap();
        let day = |feed: &str, text: &str| Day {
            path: vec![
                feed.to_owned(),
                "1".to_owned(),
                "jsonl".to_owned(),
                text.to_owned(),
            ],
            date: Some(date(text)),
        };
        let days = [
            day("utterances", "2026-02-03"),
            day("utterances", "2026-02-05"),
            day("autosummary_free_text", "2026-02-09"),
        ];
        let folder = Folder::new(Path::new("x"), Family::Services);
        let told = |today: &str| purge_warning(date(today), &folder, &days, |_| false).unwrap();
        let warning = told("2026-03-01");
        assert!(
            warning.contains("begin on 2026-02-03")
                && warning.contains("those of 2026-02-06, on 2026-03-10, in 9 days"),
            "{warning}"
        );
        assert!(told("2026-04-01").contains("were to be purged on 2026-03-10"));
        let of_messaging = Folder::new(Path::new("x"), Family::Messaging);
        assert_eq!(
            purge_warning(date("2026-03-01"), &of_messaging, &days, |_| false),
            None
        );
    }
}
