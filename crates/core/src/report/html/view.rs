//! What the page shows, as text and numbers that need no thought any more.

use serde::Serialize;

use super::super::{
    AGENT_STATISTICS, FieldReport, HANDED_OVER, INVENTORY, PhaseReport, ReasonReport, Report,
};
use super::charts::{self, Part, Span, Use, blank_zero, duration, grouped};
use crate::key::RecordKind;

/// The outcomes in the order in which they are drawn.
type Columns = [(&'static str, u64); 6];

fn columns(p: &PhaseReport) -> Columns {
    [
        ("created", p.created),
        ("updated", p.updated),
        ("unchanged", p.unchanged),
        ("skipped", p.skipped),
        ("held", p.held),
        ("failed", p.failed),
    ]
}

#[derive(Serialize)]
pub(super) struct Page {
    source: String,
    target: String,
    target_id: String,
    mark: String,
    made_at: String,
    verdict: Verdict,
    tiles: Vec<Tile>,
    waits: Vec<Waiting>,
    phases: Vec<PhaseLine>,
    outcomes: [&'static str; 6],
    timeline: Vec<Span>,
    took: String,
    uses: Vec<Use>,
    used_time: String,
    meter: Vec<[String; 9]>,
    reasons: Vec<Reasons>,
    handed: Vec<Handed>,
    rejects: Vec<[String; 4]>,
    rejected: String,
    verify: Vec<Object>,
    differences: Vec<[String; 5]>,
    notes: Vec<String>,
    width: f64,
    height: f64,
}

#[derive(Serialize)]
struct Verdict {
    mood: &'static str,
    short: &'static str,
    long: String,
}

#[derive(Serialize)]
struct Tile {
    name: &'static str,
    value: String,
    mood: &'static str,
    hint: String,
}

#[derive(Serialize)]
struct Waiting {
    count: String,
    phase: String,
    reason: String,
    who: &'static str,
    advice: String,
    file: &'static str,
    example: String,
}

#[derive(Serialize)]
struct PhaseLine {
    name: String,
    kind: String,
    read: String,
    rejected: String,
    counts: Vec<String>,
    left: String,
    state: String,
    bar: Vec<Part>,
}

#[derive(Serialize)]
struct Reasons {
    outcome: &'static str,
    title: &'static str,
    total: String,
    lines: Vec<ReasonLine>,
}

#[derive(Serialize)]
struct ReasonLine {
    phase: String,
    reason: String,
    count: String,
    bar: Vec<Part>,
    examples: Vec<(String, String)>,
}

/// What is in a document beside the page.
#[derive(Serialize)]
struct Handed {
    count: String,
    what: &'static str,
    file: String,
}

#[derive(Serialize)]
struct Object {
    name: String,
    compared: String,
    different: String,
    clean: bool,
    fields: Vec<Field>,
}

#[derive(Serialize)]
struct Field {
    name: String,
    counts: [String; 5],
    mood: &'static str,
    bar: Vec<Part>,
}

impl Page {
    pub(super) fn of(report: &Report) -> Self {
        let rejected = report.total(|p| p.rejected);
        let timeline = charts::timeline(&report.phases, report.made_at);
        Self {
            source: report.source.clone(),
            target: report.target.clone(),
            target_id: report.target_id.clone(),
            mark: report.mark.clone(),
            made_at: report.made_at.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
            verdict: verdict(report),
            tiles: tiles(report),
            waits: waits(report),
            phases: report.phases.iter().map(phase_line).collect(),
            outcomes: columns(&PhaseReport::default()).map(|c| c.0),
            took: took(report),
            timeline,
            uses: charts::uses(&report.pulse, &report.usage),
            used_time: duration(report.pulse.beats().iter().map(|b| b.ms).sum()),
            meter: meter(report),
            reasons: reasons(report),
            handed: handed(report),
            rejects: report.rejects.iter().map(reject).collect(),
            rejected: grouped(rejected),
            verify: objects(&report.verify),
            differences: differences(report),
            notes: report
                .told_of_changes()
                .chain(report.notes.iter().cloned())
                .collect(),
            width: charts::WIDTH,
            height: charts::HEIGHT,
        }
    }
}

fn verdict(report: &Report) -> Verdict {
    let different: u64 = report.verify.iter().map(|f| f.different).sum();
    let waiting = report.total(|p| p.held) + report.total(|p| p.failed);
    let (mood, short, long) = if different > 0 {
        (
            "bad",
            "Differences",
            format!(
                "{} fields differ in a way that no rule explains.",
                grouped(different)
            ),
        )
    } else if !report.complete {
        (
            "warn",
            "Not complete",
            "Not every phase is closed. `resume` goes on where it stopped.".to_owned(),
        )
    } else if waiting > 0 {
        (
            "warn",
            "Complete, with exceptions",
            format!("{} records are held or failed.", grouped(waiting)),
        )
    } else if report.verified() {
        (
            "good",
            "Complete and verified",
            "Every record has its outcome, and every field that was compared holds.".to_owned(),
        )
    } else {
        (
            "good",
            "Complete",
            "Every record has its outcome. `verify` has not compared the fields yet.".to_owned(),
        )
    };
    Verdict { mood, short, long }
}

fn tiles(report: &Report) -> Vec<Tile> {
    let there = report.total(|p| p.created + p.updated + p.unchanged);
    let read = report.total(|p| p.read);
    let compared: u64 = report.verify.iter().map(|f| f.compared).sum();
    let different: u64 = report.verify.iter().map(|f| f.different).sum();
    let requests: u64 = report.meter.iter().map(|m| m.requests).sum();
    let retries: u64 = report.meter.iter().map(|m| m.retries).sum();
    let tile = |name, value: u64, mood, hint: String| Tile {
        name,
        value: grouped(value),
        mood,
        hint,
    };
    let alarming = |value: u64, mood: &'static str| if value > 0 { mood } else { "" };
    let (held, failed, rejected) = (
        report.total(|p| p.held),
        report.total(|p| p.failed),
        report.total(|p| p.rejected),
    );
    let mut tiles = vec![
        tile("read", read, "", "records from the source".into()),
        tile(
            "in the target",
            there,
            "",
            format!("{} of what was read", percent(there, read)),
        ),
        tile(
            "skipped",
            report.total(|p| p.skipped),
            "",
            "on purpose, with a reason".into(),
        ),
        tile(
            "held",
            held,
            alarming(held, "warn"),
            "wait for somebody".into(),
        ),
        tile(
            "failed",
            failed,
            alarming(failed, "bad"),
            "refused by the target".into(),
        ),
        tile(
            "rejected",
            rejected,
            alarming(rejected, "warn"),
            "rows that could not be read".into(),
        ),
    ];
    if !report.verify.is_empty() {
        tiles.push(tile(
            "differences",
            different,
            alarming(different, "bad"),
            format!("in {} compared fields", grouped(compared)),
        ));
    }
    if requests > 0 {
        tiles.push(tile(
            "requests",
            requests,
            "",
            format!("{} repeated", grouped(retries)),
        ));
    }
    tiles
}

fn waits(report: &Report) -> Vec<Waiting> {
    report
        .waits()
        .into_iter()
        .map(|w| Waiting {
            count: grouped(w.count),
            phase: w.phase,
            reason: w.reason,
            who: w.who,
            advice: w.advice,
            file: w.file.unwrap_or_default(),
            example: w.example.unwrap_or_default(),
        })
        .collect()
}

fn phase_line(p: &PhaseReport) -> PhaseLine {
    PhaseLine {
        name: p.phase.clone(),
        kind: p.kind.clone(),
        read: grouped(p.read),
        rejected: blank_zero(p.rejected),
        counts: columns(p).iter().map(|c| blank_zero(c.1)).collect(),
        left: blank_zero(p.read.saturating_sub(p.settled())),
        state: p.state.clone(),
        bar: charts::bar(&columns(p), p.read),
    }
}

fn took(report: &Report) -> String {
    let from = report.phases.iter().filter_map(|p| p.opened_at).min();
    let to = report.phases.iter().filter_map(|p| p.closed_at).max();
    match (from, to) {
        (Some(from), Some(to)) if report.complete && to > from => {
            duration(u64::try_from((to - from).num_milliseconds()).unwrap_or(0))
        }
        _ => String::new(),
    }
}

fn meter(report: &Report) -> Vec<[String; 9]> {
    report
        .meter
        .iter()
        .map(|m| {
            [
                m.platform.clone(),
                m.endpoint.clone(),
                grouped(m.requests),
                blank_zero(m.retries),
                blank_zero(m.throttled),
                blank_zero(m.server_errors + m.transport_errors),
                bytes(m.bytes_in),
                bytes(m.bytes_out),
                if m.waited_ms == 0 {
                    String::new()
                } else {
                    duration(m.waited_ms)
                },
            ]
        })
        .collect()
}

/// The worst first, and within it many before few.
fn reasons(report: &Report) -> Vec<Reasons> {
    const ORDER: [(&str, &str); 5] = [
        ("failed", "Failed: refused by the target"),
        ("held", "Held: wait for somebody"),
        ("skipped", "Skipped on purpose"),
        ("unchanged", "In the target already"),
        ("updated", "Changed in the target"),
    ];
    ORDER
        .into_iter()
        .filter_map(|(outcome, title)| {
            let mut of: Vec<&ReasonReport> = report
                .reasons
                .iter()
                .filter(|r| r.outcome == outcome)
                .collect();
            of.sort_by_key(|r| std::cmp::Reverse(r.count));
            let most = of.first()?.count;
            Some(Reasons {
                outcome,
                title,
                total: grouped(of.iter().map(|r| r.count).sum()),
                lines: of.iter().map(|r| reason_line(r, outcome, most)).collect(),
            })
        })
        .collect()
}

fn handed(report: &Report) -> Vec<Handed> {
    let of = |kind: RecordKind, what, file: String| {
        let phase = report.phases.iter().find(|p| p.kind == kind.name())?;
        let reasons = report.reasons.iter().filter(|r| r.phase == phase.phase);
        let count = reasons
            .filter(|r| r.reason == HANDED_OVER)
            .map(|r| r.count)
            .sum();
        (count > 0).then(|| Handed {
            count: grouped(count),
            what,
            file,
        })
    };
    [
        of(
            RecordKind::InventoryItem,
            "pieces of configuration to build again",
            format!("{INVENTORY}.html"),
        ),
        of(
            RecordKind::AgentStatistics,
            "lines of what agents did",
            AGENT_STATISTICS.to_owned(),
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn reason_line(r: &ReasonReport, outcome: &'static str, most: u64) -> ReasonLine {
    ReasonLine {
        phase: r.phase.clone(),
        reason: r.reason.clone(),
        count: grouped(r.count),
        bar: charts::bar(&[(outcome, r.count)], most),
        examples: r
            .examples
            .iter()
            .map(|e| (e.key.clone(), e.message.clone()))
            .collect(),
    }
}

fn reject(r: &super::super::RejectReport) -> [String; 4] {
    [
        r.kind.clone(),
        r.id.clone().unwrap_or_else(|| "unknown".to_owned()),
        r.path.clone(),
        r.reason.clone(),
    ]
}

fn objects(fields: &[FieldReport]) -> Vec<Object> {
    let mut objects: Vec<Object> = Vec::new();
    for object in
        fields
            .iter()
            .map(|f| f.object.as_str())
            .fold(Vec::new(), |mut names: Vec<&str>, name| {
                if !names.contains(&name) {
                    names.push(name);
                }
                names
            })
    {
        let of: Vec<&FieldReport> = fields.iter().filter(|f| f.object == object).collect();
        let different: u64 = of.iter().map(|f| f.different).sum();
        objects.push(Object {
            name: object.to_owned(),
            compared: grouped(of.iter().map(|f| f.compared).sum()),
            different: grouped(different),
            clean: different == 0,
            fields: of.into_iter().map(field).collect(),
        });
    }
    objects
}

fn field(f: &FieldReport) -> Field {
    Field {
        name: f.field.clone(),
        counts: [
            grouped(f.compared),
            grouped(f.equal),
            blank_zero(f.explained),
            blank_zero(f.different),
            blank_zero(f.touched),
        ],
        mood: if f.different > 0 { "bad" } else { "" },
        bar: charts::bar(
            &[
                ("created", f.equal),
                ("unchanged", f.explained),
                ("failed", f.different),
            ],
            f.compared,
        ),
    }
}

fn differences(report: &Report) -> Vec<[String; 5]> {
    report
        .differences
        .iter()
        .map(|d| {
            [
                d.key.clone(),
                d.object.clone(),
                d.field.clone(),
                d.expected.clone(),
                d.found.clone(),
            ]
        })
        .collect()
}

fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "0 %".to_owned();
    }
    // Rounded down, so that only the whole is called 100 %.
    format!(
        "{:.1} %",
        (part as f64 / whole as f64 * 1000.0).floor() / 10.0
    )
}

fn bytes(value: u64) -> String {
    match value {
        0 => String::new(),
        1..1_000 => format!("{value} B"),
        1_000..1_000_000 => format!("{:.1} kB", value as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", value as f64 / 1e6),
        _ => format!("{:.1} GB", value as f64 / 1e9),
    }
}
