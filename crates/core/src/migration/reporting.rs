//! Making a report from what is on disk.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::verifying::Found;
use super::workspace::write_whole;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::key::{RecordId, RecordKind, Tenant};
use crate::ledger::{Ledger, PhaseState};
use crate::report::{
    Changed, Example, LATELY, Outlook, PhaseReport, Pulse, ReasonReport, RejectReport, Report,
    Usage,
};
use crate::sink::{Phase, Verdict};
use crate::stage::Stage;
use crate::stage::index::{Index, Row};

/// How many rejected rows and notes a report shows.
const SHOWN: usize = 20;
/// How many changed records are looked at together, and how many of a kind are named.
const TOGETHER: usize = 1_000;
const EXAMPLES: usize = 3;

/// A phase as the ledger remembers it, so that a report needs no sink.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct PhaseInfo {
    name: String,
    kinds: Vec<RecordKind>,
}

const PHASES: &str = "phases";
const PULSE: &str = "pulse";
const USAGE: &str = "usage";

/// Adds what a process recorded to what earlier ones did.
pub(super) async fn keep(ledger: &dyn Ledger, later: Pulse, usage: Vec<Usage>) -> Result<()> {
    let mut pulse: Pulse = kept(ledger, PULSE).await?;
    pulse.extend(later);
    put(ledger, PULSE, &pulse).await?;
    let mut usages: Vec<Usage> = kept(ledger, USAGE).await?;
    for later in usage {
        match usages.iter_mut().find(|u| u.platform == later.platform) {
            Some(usage) => usage.add(&later),
            None => usages.push(later),
        }
    }
    put(ledger, USAGE, &usages).await
}

async fn put(ledger: &dyn Ledger, name: &str, value: &impl Serialize) -> Result<()> {
    let value = serde_json::to_value(value)
        .map_err(|e| Error::bug("remember the use of the platforms", e.to_string()))?;
    ledger.put(name, &value).await
}

/// It is for people only: one that cannot be read is none.
async fn kept<T: Default + DeserializeOwned>(ledger: &dyn Ledger, name: &str) -> Result<T> {
    let value = ledger.get(name).await?.unwrap_or_default();
    Ok(serde_json::from_value(value).unwrap_or_default())
}

/// Writes `report.json` and `report.html` into a target's folder.
pub(super) fn write(folder: &Path, report: &Report) -> Result<()> {
    let text = serde_json::to_vec_pretty(report)
        .map_err(|e| Error::bug("write the report", e.to_string()))?;
    write_whole(&folder.join(JSON), &text)?;
    write_whole(&folder.join(HTML), report.html()?.as_bytes())
}

const JSON: &str = "report.json";
const HTML: &str = "report.html";

/// What only the last process knew: requests by endpoint, warnings, and what `verify` found.
pub(super) fn add_the_last(folder: &Path, report: &mut Report) {
    let last = std::fs::read(folder.join(JSON)).unwrap_or_default();
    let Ok(last) = serde_json::from_slice::<Report>(&last) else {
        return;
    };
    report.meter = last.meter;
    report.verify = last.verify;
    report.differences = last.differences;
    for note in last.notes {
        if !report.notes.contains(&note) {
            report.notes.push(note);
        }
    }
}

/// Makes the phases known to those who only read the ledger.
pub(super) async fn remember(ledger: &dyn Ledger, phases: &[Phase]) -> Result<()> {
    let infos: Vec<PhaseInfo> = phases
        .iter()
        .map(|p| PhaseInfo {
            name: p.name.to_owned(),
            kinds: p.kinds.to_vec(),
        })
        .collect();
    let value = serde_json::to_value(infos)
        .map_err(|e| Error::bug("remember the phases", e.to_string()))?;
    ledger.put(PHASES, &value).await
}

async fn remembered(ledger: &dyn Ledger) -> Result<Vec<PhaseInfo>> {
    let value = ledger.get(PHASES).await?.unwrap_or_default();
    if value.is_null() {
        return Ok(Vec::new());
    }
    serde_json::from_value(value)
        .map_err(|e| Error::new(ErrorKind::Mismatch, "read the phases", e.to_string()))
}

pub(super) async fn report(
    cx: &Context,
    stage: &Stage,
    ledger: &dyn Ledger,
    found: Found,
) -> Result<Report> {
    let mut report = report_of(stage.index().as_ref(), ledger).await?;
    report.made_at = cx.now();
    report.meter = cx.meter().snapshot();
    report.verify = found.fields;
    report.differences = found.differences;
    Ok(report)
}

pub(super) async fn report_of(index: &dyn Index, ledger: &dyn Ledger) -> Result<Report> {
    let states = ledger.phases().await?;
    let mut lines = phase_lines(index, &remembered(ledger).await?, &states).await?;
    let mut reasons = Vec::new();
    for count in ledger.counts().await? {
        if let Some(line) = lines.iter_mut().find(|line| line.phase == count.phase) {
            line.add(&count.column, count.count);
        }
        if !count.reason.is_empty() {
            reasons.push(ReasonReport {
                examples: examples(index, ledger, &count.examples).await?,
                phase: count.phase,
                outcome: count.column,
                reason: count.reason,
                count: count.count,
            });
        }
    }
    let rejects = index.rejects(SHOWN).await?;
    Ok(Report {
        format: 1,
        source: String::new(),
        target: String::new(),
        target_id: String::new(),
        mark: String::new(),
        made_at: chrono::Utc::now(),
        // A ledger that knows no phase yet was opened a moment ago.
        complete: !lines.is_empty()
            && lines
                .iter()
                .all(|line| line.state == "closed" && line.settled() == line.read),
        phases: lines,
        owners: super::owning::waiting(ledger).await?,
        reasons,
        changed: changed(index, ledger).await?,
        gone: gone(index, ledger).await?,
        rejects: rejects
            .into_iter()
            .map(|r| RejectReport {
                kind: r.kind.to_string(),
                id: r.id,
                path: r.path,
                reason: r.reason,
            })
            .collect(),
        notes: index.notes(SHOWN).await?,
        meter: Vec::new(),
        usage: kept(ledger, USAGE).await?,
        pulse: kept(ledger, PULSE).await?,
        outlook: None,
        verify: Vec::new(),
        differences: Vec::new(),
    })
}

/// When a load that is not over will be.
pub(super) async fn outlook(
    index: &dyn Index,
    ledger: &dyn Ledger,
    report: &Report,
) -> Result<Option<Outlook>> {
    if report.complete {
        return Ok(None);
    }
    let left = report.phases.iter();
    let left = left.map(|line| line.read.saturating_sub(line.settled()));
    let lately = ledger.finished_since(chrono::Utc::now() - LATELY).await?;
    Ok(Some(Outlook::new(
        left.sum(),
        lately,
        index.is_whole().await?,
    )))
}

/// What was loaded and was read again with other contents since.
async fn changed(index: &dyn Index, ledger: &dyn Ledger) -> Result<Vec<Changed>> {
    let (mut found, mut after) = (Listed::default(), RecordId(0));
    loop {
        let rows = index.changed(after, TOGETHER).await?;
        let Some(last) = rows.last() else { break };
        after = last.id;
        let versions: Vec<_> = rows.iter().map(|row| (row.id, row.version)).collect();
        let outdated: BTreeSet<RecordId> = ledger.outdated(&versions).await?.into_iter().collect();
        found.extend(rows.iter().filter(|row| outdated.contains(&row.id)));
    }
    told(index, ledger, found).await
}

/// What was loaded, and no target shall hold any more.
async fn gone(index: &dyn Index, ledger: &dyn Ledger) -> Result<Vec<Changed>> {
    let (mut found, mut after) = (Listed::default(), RecordId(0));
    // Before the first later pass nothing can be gone: the look at all rows is spared.
    if ledger.get(super::PASS).await?.is_none() {
        return Ok(Vec::new());
    }
    loop {
        let rows = index.skipped(after, TOGETHER).await?;
        let Some(last) = rows.last() else { break };
        after = last.id;
        let ids: Vec<RecordId> = rows.iter().map(|row| row.id).collect();
        let outcomes = ledger.outcomes(&ids).await?;
        let stands =
            |outcome: &Option<Verdict>| outcome.as_ref().is_some_and(Verdict::stands_in_target);
        let standing = rows.iter().zip(outcomes).filter(|(_, one)| stands(one));
        found.extend(standing.map(|(row, _)| row));
    }
    told(index, ledger, found).await
}

/// How many records of each kind, and the first few.
#[derive(Default)]
struct Listed(BTreeMap<RecordKind, (u64, Vec<RecordId>)>);

impl Listed {
    fn extend<'a>(&mut self, rows: impl Iterator<Item = &'a Row>) {
        for row in rows {
            let (count, examples) = self.0.entry(row.kind).or_default();
            *count += 1;
            if examples.len() < EXAMPLES {
                examples.push(row.id);
            }
        }
    }
}

async fn told(index: &dyn Index, ledger: &dyn Ledger, found: Listed) -> Result<Vec<Changed>> {
    let mut told = Vec::new();
    for (kind, (count, ids)) in found.0 {
        let examples = examples(index, ledger, &ids).await?;
        told.push(Changed {
            kind: kind.to_string(),
            count,
            examples: examples.into_iter().map(|example| example.key).collect(),
        });
    }
    Ok(told)
}

async fn phase_lines(
    index: &dyn Index,
    phases: &[PhaseInfo],
    states: &[PhaseState],
) -> Result<Vec<PhaseReport>> {
    let counts: HashMap<_, _> = index.counts().await?.into_iter().collect();
    let mut lines = Vec::new();
    for phase in phases {
        let state = states.iter().find(|s| s.phase == phase.name);
        let of = |pick: fn(&crate::stage::index::KindCount) -> u64| -> u64 {
            phase
                .kinds
                .iter()
                .filter_map(|kind| counts.get(kind))
                .map(pick)
                .sum()
        };
        let (read, rejected) = (of(|c| c.read), of(|c| c.rejected));
        if state.is_none() && read + rejected == 0 && phase.name.starts_with("unclaimed") {
            continue;
        }
        lines.push(PhaseReport {
            phase: phase.name.clone(),
            kind: phase
                .kinds
                .iter()
                .map(|k| k.name())
                .collect::<Vec<_>>()
                .join(", "),
            read,
            rejected,
            state: match state {
                Some(s) if s.closed_at.is_some() && s.passed => "closed",
                Some(s) if s.closed_at.is_some() => "shut",
                Some(_) => "open",
                None => "waiting",
            }
            .to_owned(),
            opened_at: state.map(|s| s.opened_at),
            closed_at: state.and_then(|s| s.closed_at),
            ..PhaseReport::default()
        });
    }
    Ok(lines)
}

/// The key of a record as people see it.
pub(super) fn key_of(tenant: Option<&Tenant>, row: &Row) -> String {
    match tenant {
        Some(tenant) => {
            let base = tenant.key(row.kind, "");
            format!("{}{}", base.as_str(), row.source_id)
        }
        None => row.source_id.clone(),
    }
}

async fn examples(
    index: &dyn Index,
    ledger: &dyn Ledger,
    records: &[RecordId],
) -> Result<Vec<Example>> {
    let mut examples = Vec::new();
    for row in index.rows(records).await? {
        let message = ledger.message(row.id).await?.unwrap_or_default();
        examples.push(Example {
            key: key_of(index.tenant().await?.as_ref(), &row),
            message: message.chars().take(300).collect(),
        });
    }
    Ok(examples)
}
