//! Whether a migration could begin: a line for each thing that was asked. Only reads.

use std::fmt;
use std::path::Path;

use deskferry_core::report::Allowance;
use deskferry_core::{Context, Error, ErrorKind, Result, Sink, Source};

use super::exit::Done;

/// Less than this, and a read could not even begin.
const LEAST_FREE: u64 = 1 << 30;
/// Less than this may not hold what a helpdesk of some years has.
const LITTLE_FREE: u64 = 20 << 30;
/// A clock that is off by more than this makes signed log-ins fail and times hard to compare.
const SKEW_SECONDS: i64 = 60;

/// How one thing stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Line {
    Ok(String),
    Warning(String),
    Blocking(ErrorKind, String),
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, text) = match self {
            Self::Ok(text) => ("ok", text),
            Self::Warning(text) => ("warning", text),
            Self::Blocking(_, text) => ("blocking", text),
        };
        // Further lines of a text stand under its first.
        let text = text.trim_end().replace('\n', "\n          ");
        write!(f, "{word:<9} {text}")
    }
}

/// Asks both platforms and this machine. Ends with the kind of the first thing that blocks.
#[expect(clippy::print_stdout, reason = "this is the program's own voice")]
pub(super) async fn examine(source: &dyn Source, sink: &dyn Sink, folder: &Path) -> Result<Done> {
    let cx = Context::new();
    let mut lines = of_source(&cx, source).await;
    lines.extend(of_sink(&cx, sink).await);
    lines.push(of_disk(folder, free_bytes(folder)));
    for line in &lines {
        println!("{line}");
    }
    let blocking = lines.iter().find_map(|line| match line {
        Line::Blocking(kind, _) => Some(*kind),
        _ => None,
    });
    println!(
        "{}",
        match blocking {
            None => "A run can begin.",
            Some(_) => "A run cannot begin before that is settled.",
        }
    );
    Ok(blocking.map_or(Done::Well, Done::Blocked))
}

async fn of_source(cx: &Context, source: &dyn Source) -> Vec<Line> {
    let platform = source.capability().platform;
    let before = cx.now();
    let ready = match source.check(cx).await {
        Ok(ready) => ready,
        Err(error) => return vec![blocking(platform, &error)],
    };
    let mut lines = vec![Line::Ok(format!(
        "{platform}: signed in as {} at {}",
        ready.account, ready.tenant
    ))];
    lines.extend(of_product(platform, ready.product));
    let warnings = ready.warnings.iter();
    lines.extend(warnings.map(|w| Line::Warning(format!("{platform}: {w}"))));
    let limits = ready.limits.iter();
    lines.extend(limits.map(|l| Line::Ok(format!("limits: {platform}: {l}"))));
    if let Some(theirs) = ready.server_time {
        lines.push(of_clock(platform, before, theirs, cx.now()));
    }
    lines
}

fn of_product(of: &str, product: Option<String>) -> Option<Line> {
    product.map(|product| Line::Ok(format!("version: {of}: {product}")))
}

/// The platform's answer was made some time between two looks at our clock.
fn of_clock(
    platform: &str,
    before: chrono::DateTime<chrono::Utc>,
    theirs: chrono::DateTime<chrono::Utc>,
    after: chrono::DateTime<chrono::Utc>,
) -> Line {
    let off = if theirs < before {
        (before - theirs).num_seconds()
    } else {
        (theirs - after).num_seconds().max(0)
    };
    if off > SKEW_SECONDS {
        Line::Warning(format!(
            "clock: {platform} says {theirs}, this machine is {off} s off. Set this machine's clock: signed log-ins depend on it"
        ))
    } else {
        Line::Ok(format!("clock: agrees with {platform}"))
    }
}

async fn of_sink(cx: &Context, sink: &dyn Sink) -> Vec<Line> {
    let info = match sink.check(cx).await {
        Ok(info) => info,
        Err(error) => return vec![blocking("target", &error)],
    };
    let mut lines = vec![Line::Ok(format!("target: {} ({})", info.name, info.id))];
    lines.extend(of_product("target", info.product));
    lines.push(Line::Ok(
        "mapping: every line of it fits the target".to_owned(),
    ));
    let warnings = info.warnings.iter();
    lines.extend(warnings.map(|w| Line::Warning(format!("target: {w}"))));
    lines.extend(match sink.allowances(cx).await {
        Ok(allowances) => allowances.iter().map(of_allowance).collect(),
        Err(error) => vec![Line::Warning(format!("limits: {error}"))],
    });
    lines
}

/// What is left of an allowance. Whether it suffices, `plan` says.
fn of_allowance(allowance: &Allowance) -> Line {
    let Allowance {
        of,
        left,
        most,
        unit,
        ..
    } = allowance;
    let text = format!("limits: {of}: {left} of {most} {unit} left");
    match left {
        0 => Line::Blocking(ErrorKind::Quota, text),
        left if left.saturating_mul(10) < *most => {
            Line::Warning(format!("{text}: `plan` says whether that is enough"))
        }
        _ => Line::Ok(text),
    }
}

fn of_disk(folder: &Path, free: std::io::Result<u64>) -> Line {
    let at = folder.display();
    match free {
        Err(error) => Line::Warning(format!(
            "disk: nobody can say how much is free at {at}: {error}"
        )),
        Ok(free) if free < LEAST_FREE => Line::Blocking(
            ErrorKind::Storage,
            format!(
                "disk: {} free at {at}. Put the workspace where there is room for all attachments",
                gigabytes(free)
            ),
        ),
        Ok(free) if free < LITTLE_FREE => Line::Warning(format!(
            "disk: {} free at {at}. The workspace holds all attachments once: compare with what the helpdesk has",
            gigabytes(free)
        )),
        Ok(free) => Line::Ok(format!("disk: {} free at {at}", gigabytes(free))),
    }
}

fn free_bytes(folder: &Path) -> std::io::Result<u64> {
    let about = rustix::fs::statvfs(folder)?;
    Ok(about.f_bavail.saturating_mul(about.f_frsize))
}

fn gigabytes(bytes: u64) -> String {
    format!("{:.1} GB", bytes as f64 / 1e9)
}

fn blocking(who: &str, error: &Error) -> Line {
    Line::Blocking(error.kind(), format!("{who}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> chrono::DateTime<chrono::Utc> {
        chrono::DateTime::from_timestamp(second, 0).unwrap()
    }

    #[test]
    fn a_clock_that_is_far_off_is_a_warning_and_a_slow_answer_is_none() {
        for (theirs, warns) in [
            (1000, false),
            (1090, false),
            (1155, false),
            (1170, true),
            (900, true),
            (950, false),
        ] {
            let line = of_clock("desk", at(1000), at(theirs), at(1100));
            assert_eq!(matches!(line, Line::Warning(_)), warns, "{theirs}: {line}");
        }
    }

    #[test]
    fn a_disk_without_room_blocks_and_one_with_little_warns() {
        let line = |free| of_disk(Path::new("w"), Ok(free));
        assert!(matches!(line(5), Line::Blocking(ErrorKind::Storage, _)));
        assert!(matches!(line(5 << 30), Line::Warning(_)));
        assert!(matches!(line(50 << 30), Line::Ok(_)));
    }

    #[test]
    fn an_allowance_that_is_used_up_blocks_and_one_that_is_nearly_so_warns() {
        let line = |left| {
            of_allowance(&Allowance {
                of: "requests of 24 hours".into(),
                left,
                most: 1_000,
                unit: "requests".into(),
                limits: deskferry_core::report::Limits::Requests,
            })
        };
        assert!(matches!(line(0), Line::Blocking(ErrorKind::Quota, _)));
        assert!(matches!(line(99), Line::Warning(_)));
        let ok = line(100).to_string();
        assert_eq!(
            ok,
            "ok        limits: requests of 24 hours: 100 of 1000 requests left"
        );
    }

    #[test]
    fn further_lines_of_a_text_stand_under_its_first() {
        let line = Line::Blocking(ErrorKind::Config, "one\ntwo\n".into());
        assert_eq!(line.to_string(), "blocking  one\n          two");
    }
}
