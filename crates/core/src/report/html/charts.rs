//! Where the marks of the charts stand. Units are those of the drawings' view boxes.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::super::{PhaseReport, Pulse, Usage};

/// The width of a drawing.
pub(super) const WIDTH: f64 = 1000.0;
/// The height of a drawing of requests over time.
pub(super) const HEIGHT: f64 = 120.0;

/// A part of a bar.
#[derive(Debug, Serialize, PartialEq)]
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) x: String,
    pub(super) width: String,
    pub(super) count: u64,
}

/// One bar from parts; what is missing to `whole` stays empty. A part that is not empty can be seen, however small it is.
pub(super) fn bar(parts: &[(&'static str, u64)], whole: u64) -> Vec<Part> {
    const LEAST: f64 = 6.0;
    let whole = whole.max(parts.iter().map(|p| p.1).sum()).max(1) as f64;
    let widths: Vec<f64> = parts
        .iter()
        .map(|(_, count)| match count {
            0 => 0.0,
            count => (*count as f64 / whole * WIDTH).max(LEAST),
        })
        .collect();
    let excess = (widths.iter().sum::<f64>() / WIDTH).max(1.0);
    let mut x = 0.0;
    let mut bar = Vec::new();
    for ((name, count), width) in parts.iter().zip(widths) {
        let width = width / excess;
        if *count > 0 {
            bar.push(Part {
                name,
                x: number(x),
                width: number(width),
                count: *count,
            });
        }
        x += width;
    }
    bar
}

/// The requests to one platform over time.
#[derive(Debug, Serialize)]
pub(super) struct Use {
    pub(super) platform: String,
    /// The outline of the area of requests a second.
    pub(super) area: String,
    /// Where answers 429 came: x and width.
    pub(super) throttled: Vec<(String, String)>,
    /// The most requests a second, as the height of the drawing.
    pub(super) most: String,
    /// Requests a second over the whole time in which it was used at all.
    pub(super) mean: String,
    pub(super) requests: String,
    /// How that compares with the fewest requests possible; empty when that is not known.
    pub(super) least: String,
    /// Answers 429; empty when there were none.
    pub(super) refused: String,
    /// The time workers waited for our own limit, in words.
    pub(super) waited: String,
}

/// Time on the axis: only time in which a process ran counts, so that a night between two runs takes no room.
pub(super) fn uses(pulse: &Pulse, usages: &[Usage]) -> Vec<Use> {
    let beats = pulse.beats();
    let whole: u64 = beats.iter().map(|b| b.ms).sum();
    if whole == 0 {
        return Vec::new();
    }
    let mut platforms: Vec<&str> = Vec::new();
    for used in beats.iter().flat_map(|b| &b.used) {
        if !platforms.contains(&used.platform.as_str()) {
            platforms.push(&used.platform);
        }
    }
    platforms.sort_unstable();
    platforms
        .into_iter()
        .map(|platform| {
            let mut shown = of_platform(pulse, platform, whole as f64);
            let usage = usages.iter().find(|u| u.platform == platform);
            shown.least = usage.and_then(Usage::told).unwrap_or_default();
            shown
        })
        .collect()
}

fn of_platform(pulse: &Pulse, platform: &str, whole: f64) -> Use {
    let mut at = 0.0;
    let mut spans = Vec::new();
    let (mut requests, mut refused, mut waited, mut busy) = (0, 0, 0, 0);
    for beat in pulse.beats() {
        let from = at / whole * WIDTH;
        at += beat.ms as f64;
        let to = at / whole * WIDTH;
        let used = beat.used.iter().find(|u| u.platform == platform);
        let sent = used.map_or(0, |u| u.requests);
        let throttled = used.map_or(0, |u| u.throttled);
        if let Some(used) = used {
            requests += used.requests;
            refused += used.throttled;
            waited += used.waited_ms;
            busy += beat.ms;
        }
        let rate = sent as f64 * 1000.0 / beat.ms.max(1) as f64;
        spans.push((from, to, rate, throttled > 0));
    }
    let most = spans.iter().map(|s| s.2).fold(0.0, f64::max).max(0.001);
    let mut area = format!("M0 {}", number(HEIGHT));
    for (from, to, rate, _) in &spans {
        let y = number(HEIGHT - rate / most * (HEIGHT - 6.0));
        area.push_str(&format!(" L{} {y} L{} {y}", number(*from), number(*to)));
    }
    area.push_str(&format!(" L{} {} Z", number(WIDTH), number(HEIGHT)));
    Use {
        platform: platform.to_owned(),
        area,
        throttled: spans
            .iter()
            .filter(|s| s.3)
            .map(|s| (number(s.0), number((s.1 - s.0).max(2.0))))
            .collect(),
        most: rate(most),
        mean: rate(requests as f64 * 1000.0 / busy.max(1) as f64),
        requests: grouped(requests),
        least: String::new(),
        refused: blank_zero(refused),
        waited: duration(waited),
    }
}

/// A phase on the line of time.
#[derive(Debug, Serialize)]
pub(super) struct Span {
    pub(super) phase: String,
    pub(super) x: String,
    pub(super) width: String,
    pub(super) state: String,
    pub(super) opened: String,
    pub(super) took: String,
}

/// The phases that were opened, each from opening to closing, an open one to `now`.
pub(super) fn timeline(phases: &[PhaseReport], now: DateTime<Utc>) -> Vec<Span> {
    let times = |p: &PhaseReport| p.opened_at.map(|from| (from, p.closed_at.unwrap_or(now)));
    let all: Vec<_> = phases.iter().filter_map(times).collect();
    let (Some(first), Some(last)) = (all.iter().map(|t| t.0).min(), all.iter().map(|t| t.1).max())
    else {
        return Vec::new();
    };
    let ms = |t: DateTime<Utc>| (t - first).num_milliseconds() as f64;
    let whole = ms(last).max(1.0);
    phases
        .iter()
        .filter_map(|p| times(p).map(|t| (p, t)))
        .map(|(p, (from, to))| {
            let to = to.max(from);
            let width = ((ms(to) - ms(from)) / whole * WIDTH).max(4.0);
            Span {
                phase: p.phase.clone(),
                x: number((ms(from) / whole * WIDTH).min(WIDTH - width)),
                width: number(width),
                state: p.state.clone(),
                opened: from.format("%Y-%m-%d %H:%M:%S").to_string(),
                took: duration(u64::try_from((to - from).num_milliseconds()).unwrap_or(0)),
            }
        })
        .collect()
}

/// A number for a drawing: one digit after the point is finer than any screen.
fn number(value: f64) -> String {
    format!("{value:.1}")
}

fn rate(value: f64) -> String {
    if value < 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

/// `1234567` → `1,234,567`.
pub(super) fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Zeros are left out where they would only be noise.
pub(super) fn blank_zero(value: u64) -> String {
    if value == 0 {
        String::new()
    } else {
        grouped(value)
    }
}

/// A time in words: `340 ms`, `12 s`, `3 min 5 s`, `2 h 7 min`.
pub(super) fn duration(ms: u64) -> String {
    let s = ms / 1000;
    match s {
        0 => format!("{ms} ms"),
        1..60 => format!("{s} s"),
        60..3600 => format!("{} min {} s", s / 60, s % 60),
        _ => format!("{} h {} min", s / 3600, s % 3600 / 60),
    }
}
