//! A whole migration from a platform that keeps a limit, on a clock of its own: days pass in minutes. What it took against
//! the least possible and the limit, and what the oracle finds in the end. Everything runs in this process.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use chrono::{DateTime, Utc};
use deskferry::core::http::RetryPolicy;
use deskferry::migration::{Gate, Migration, Progress, Step, Workspace};
use deskferry::owners::Undecided;
use deskferry::rehearsal::oracle::Difference;
use deskferry::rehearsal::org::Org;
use deskferry::report::Report;
use deskferry::salesforce::{Mapping, Salesforce, SalesforceConfig};
use deskferry::{Context, Source};

use super::scene::mapping_text;
use super::table::{Table, fine, peak_mebibytes, whole};

/// A platform, and what stands behind it.
pub(super) struct Subject<'a> {
    pub(super) platform: &'static str,
    /// Requests a minute.
    pub(super) limit: u32,
    pub(super) source: Arc<dyn Source>,
    /// The shipped mapping, by the names that fields of the world have there.
    pub(super) mapping: String,
    /// Endpoints of the connector that the limit does not count.
    pub(super) beside: &'static [&'static str],
    /// The least possible, and how many of these the limit counts.
    pub(super) least: (u64, u64),
    /// How many requests the platform has seen that its limit counts.
    pub(super) counted: &'a (dyn Fn() -> u64 + Sync),
    /// What is wrong with the org.
    pub(super) judge: &'a (dyn Fn(&Org) -> Vec<Difference> + Sync),
}

/// What a migration took.
pub(super) struct Taken {
    least: (u64, u64),
    requests: u64,
    /// Those under the limit.
    pub(super) limited: u64,
    refused: u64,
    /// Minutes of the read.
    reading: f64,
    seen: Looked,
    differences: usize,
    seconds: Vec<(&'static str, f64)>,
    limit: u32,
}

/// Moves everything, then looks at what came of it.
pub(super) async fn moved(subject: Subject<'_>, folder: &Path, org: &Org, cx: &Context) -> Taken {
    let (started, before) = (Instant::now(), (subject.counted)());
    let began = cx.now();
    let watch = Watch {
        cx: cx.clone(),
        platform: subject.platform,
        beside: subject.beside,
        least: subject.least.1,
        began,
        seen: Arc::default(),
    };
    let seen = Arc::clone(&watch.seen);
    lock(&seen).memory.push(peak_mebibytes());
    let migration = migration(folder, Arc::clone(&subject.source), org, &subject.mapping);
    let report = migration.progress(watch).run(cx).await;
    let report = report.expect("a whole migration");
    let loaded = started.elapsed().as_secs_f64();
    let mut seen = std::mem::take(&mut *lock(&seen));
    seen.memory.push(peak_mebibytes());
    let limited = (subject.counted)() - before;
    let differences = (subject.judge)(org);
    for difference in differences.iter().take(20) {
        println!("  {difference}");
    }
    let (requests, refused) = used(&report, subject.platform);
    Taken {
        least: subject.least,
        requests,
        limited,
        refused,
        reading: seen.minutes,
        seen,
        differences: differences.len(),
        seconds: vec![
            ("migration", loaded),
            ("oracle", started.elapsed().as_secs_f64() - loaded),
        ],
        limit: subject.limit,
    }
}

impl Taken {
    /// Prints it; `foretold` is what an estimate told beforehand: requests, those under the limit, minutes.
    pub(super) fn print(&self, title: &str, foretold: Option<(u64, u64, f64)>) {
        let mut table = Table::new(
            title,
            &["", "foretold", "needed", "taken", "taken : needed"],
        );
        let told = |figure: Option<u64>| figure.map_or(String::new(), |n| whole(n as f64));
        let mut row = |name: &str, told: String, least: u64, taken: u64| {
            table.row(&[
                name.to_owned(),
                told,
                whole(least as f64),
                whole(taken as f64),
                format!("{:.4}", taken as f64 / least as f64),
            ]);
        };
        let (least, limited) = self.least;
        row(
            "requests",
            told(foretold.map(|all| all.0)),
            least,
            self.requests,
        );
        let counted = told(foretold.map(|all| all.1));
        row("under the limit", counted, limited, self.limited);
        table.row(&[
            "hours".to_owned(),
            foretold.map_or(String::new(), |all| fine(all.2 / 60.0)),
            fine(limited as f64 / f64::from(self.limit) / 60.0),
            fine(self.reading / 60.0),
            String::new(),
        ]);
        table.print();
        let share = self.limited as f64 / (self.reading * f64::from(self.limit));
        println!(
            "  share of the limit {share:.4}, between the first and the last tenth of the read {:.4}; answers 429: {}",
            self.seen.share(self.limit),
            self.refused
        );
        if let Some((all, ..)) = foretold {
            println!(
                "  foretold : needed {:.4}; while it went on, what was left was told within {:.2} % of what was then needed",
                all as f64 / least as f64,
                self.seen.worst() * 100.0
            );
        }
        let memory: Vec<String> = self.seen.memory.iter().map(|m| whole(*m)).collect();
        let seconds: Vec<String> = self
            .seconds
            .iter()
            .map(|(what, seconds)| format!("{what} {seconds:.0}"))
            .collect();
        println!(
            "  differences {}; peak MiB of everything in this process before the read, by quarters of it, after the load: {}; seconds of this machine: {}",
            self.differences,
            memory.join(", "),
            seconds.join(", ")
        );
    }
}

/// The shipped mapping with the world's fields as a platform names them.
pub(super) fn mapping(names: &[(&str, &str)]) -> String {
    names.iter().fold(mapping_text(), |text, (name, there)| {
        text.replace(&format!("custom.{name}\""), &format!("custom.{there}\""))
    })
}

fn migration(folder: &Path, source: Arc<dyn Source>, org: &Org, mapping: &str) -> Migration {
    let settings = org.settings();
    let config = SalesforceConfig::builder(org.url())
        .client_credentials(settings.client_id.clone(), settings.client_secret.0.clone())
        .retry(RetryPolicy::default())
        .build()
        .expect("a configuration");
    let mapping = Mapping::parse(mapping).expect("a mapping");
    let sink = Salesforce::new(config, mapping).expect("a sink");
    let workspace = Workspace::open(&folder.join("workspace")).expect("a workspace");
    Migration::new(workspace, source, Arc::new(sink))
        .undecided(Undecided::Legacy)
        .gate(Gate {
            share: 0.2,
            always: 10,
        })
}

/// Requests, and those that were answered 429.
fn used(report: &Report, platform: &str) -> (u64, u64) {
    let mut all = report.usage.iter();
    let found = all.find(|usage| usage.platform == platform);
    found.map_or((0, 0), |usage| (usage.requests, usage.throttled))
}

/// Looks at the meter while the read goes on.
struct Watch {
    cx: Context,
    platform: &'static str,
    beside: &'static [&'static str],
    least: u64,
    began: DateTime<Utc>,
    seen: Arc<Mutex<Looked>>,
}

#[derive(Default)]
struct Looked {
    minutes: f64,
    /// Minutes since the beginning, and requests under the limit until then.
    marks: Vec<(f64, u64)>,
    /// Requests under the limit so far, and how many were left, as it was told then.
    told: Vec<(u64, u64)>,
    memory: Vec<f64>,
}

impl Looked {
    /// The share of the limit that was used while the read was in full swing.
    fn share(&self, limit: u32) -> f64 {
        let all = self.marks.last().map_or(0, |(_, sent)| *sent);
        let at = |part: u64| self.marks.iter().find(|(_, sent)| *sent >= all * part / 10);
        match (at(1), at(9)) {
            (Some(from), Some(until)) if until.0 > from.0 => {
                (until.1 - from.1) as f64 / ((until.0 - from.0) * f64::from(limit))
            }
            _ => f64::NAN,
        }
    }

    /// How far what was told to be left was ever from what was then needed.
    fn worst(&self) -> f64 {
        let needed = self.told.last().map_or(1, |(sent, _)| (*sent).max(1));
        let off = self.told.iter();
        let off = off.map(|(sent, left)| (sent + left).abs_diff(needed) as f64 / needed as f64);
        off.fold(0.0, f64::max)
    }
}

impl Progress for Watch {
    fn report(&self, step: Step<'_>) {
        let reads = matches!(step, Step::Read { .. } | Step::ReadToTheEnd);
        if !reads {
            return;
        }
        let mut seen = lock(&self.seen);
        let sent = self.limited();
        seen.minutes = (self.cx.now() - self.began).num_milliseconds() as f64 / 60_000.0;
        let mark = (seen.minutes, sent);
        seen.marks.push(mark);
        let quarter = self.least / 4 * seen.memory.len() as u64;
        if sent >= quarter && seen.memory.len() < 4 {
            seen.memory.push(peak_mebibytes());
        }
        let is_outlook = matches!(step, Step::Read { shard, .. } if shard == "tickets");
        if let Some(outlook) = self.cx.meter().outlooks().get(self.platform)
            && is_outlook
        {
            seen.told.push((sent, outlook.left));
        }
    }
}

impl Watch {
    fn limited(&self) -> u64 {
        let rows = self.cx.meter().snapshot();
        let counted = rows.iter().filter(|row| {
            row.platform == self.platform && !self.beside.iter().any(|one| *one == row.endpoint)
        });
        counted.map(|row| row.requests).sum()
    }
}

fn lock(seen: &Mutex<Looked>) -> MutexGuard<'_, Looked> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
