//! The layout `feed/version=V/format=F/dt=DAY/hr=HH/mi=MM/files` (ASAPP reference, section 3.2). Not every level is required.

use chrono::{NaiveDate, NaiveTime};
use deskferry_core::{Context, Error, ErrorKind, Result};

use super::{Channel, DEEPEST, Entry};
use crate::tables::{Table, table};

/// One day of one feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Day {
    /// Names from the root.
    pub(crate) path: Vec<String>,
    /// The day, if a folder names one.
    pub(crate) date: Option<NaiveDate>,
}

impl Day {
    /// Its path as one text, for notes and marks.
    pub(crate) fn name(&self) -> String {
        self.path.join("/")
    }
}

/// A file with rows.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    /// Names of the folders from the root.
    pub(crate) folder: Vec<String>,
    pub(crate) entry: Entry,
    pub(crate) table: &'static Table,
    /// Minutes since 2000, by the day and the time that the folders name.
    pub(crate) partition: u32,
    /// The number of a split file, from 0.
    pub(crate) split: u16,
}

impl Piece {
    /// Its path as one text.
    pub(crate) fn name(&self) -> String {
        format!("{}/{}", self.folder.join("/"), self.entry.name)
    }
}

/// The part of a name behind `key=`, or the whole name.
fn value(name: &str) -> &str {
    name.split_once('=').map_or(name, |(_, value)| value)
}

pub(super) fn date(name: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(value(name), "%Y-%m-%d").ok()
}

/// The days of all feeds that are read, oldest first; feeds and formats that are not, for people.
///
/// # Errors
/// The channel failed.
pub(crate) async fn days(cx: &Context, channel: &dyn Channel) -> Result<(Vec<Day>, Vec<String>)> {
    let (mut days, mut notes) = (Vec::new(), Vec::new());
    if channel.table().is_some() {
        return Ok((folders_with_files(cx, channel).await?, notes));
    }
    for feed in channel.list(cx, &[]).await?.folders {
        if table(channel.family(), value(&feed)).is_none() {
            notes.push(format!("{}: the feed `{feed}` is not read", channel.name()));
            continue;
        }
        let mut todo = vec![vec![feed]];
        while let Some(path) = todo.pop() {
            let last = path.last().map_or("", String::as_str);
            if path.len() > 1 && date(last).is_some() {
                days.push(Day {
                    date: date(last),
                    path,
                });
                continue;
            }
            let listing = channel.list(cx, &path).await?;
            if listing
                .files
                .iter()
                .any(|file| split_of(&file.name).is_some())
            {
                days.push(Day {
                    path: path.clone(),
                    date: None,
                });
            }
            for folder in wanted(channel, listing.folders, &path, &mut notes) {
                if path.len() < DEEPEST {
                    todo.push([&path[..], &[folder]].concat());
                }
            }
        }
    }
    days.sort_by(|a, b| (a.date, &a.path).cmp(&(b.date, &b.path)));
    Ok((days, notes))
}

/// Every folder that has files with rows.
async fn folders_with_files(cx: &Context, channel: &dyn Channel) -> Result<Vec<Day>> {
    let (mut days, mut todo) = (Vec::new(), vec![Vec::new()]);
    while let Some(path) = todo.pop() {
        let listing = channel.list(cx, &path).await?;
        if path.len() < DEEPEST {
            let below = |name: &String| [&path[..], std::slice::from_ref(name)].concat();
            todo.extend(listing.folders.iter().map(below));
        }
        let has_rows = listing
            .files
            .iter()
            .any(|file| split_of(&file.name).is_some());
        days.extend(has_rows.then_some(Day { path, date: None }));
    }
    days.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(days)
}

/// JSON Lines where there is a choice of formats.
fn wanted(
    channel: &dyn Channel,
    folders: Vec<String>,
    path: &[String],
    notes: &mut Vec<String>,
) -> Vec<String> {
    let is_lines = |name: &str| matches!(value(name), "jsonl" | "json");
    let is_format =
        |name: &str| name.starts_with("format=") || matches!(name, "jsonl" | "json" | "csv");
    if !folders.iter().any(|name| is_format(name)) {
        return folders;
    }
    let (lines, others): (Vec<_>, Vec<_>) = folders.into_iter().partition(|name| is_lines(name));
    if lines.is_empty() {
        notes.push(format!(
            "{}: {} comes only as {}, which is not read",
            channel.name(),
            path.join("/"),
            others.join(", ")
        ));
    }
    lines
}

/// The files of a day that are finished, and the folders that are not.
///
/// # Errors
/// The channel failed; an encrypted file.
pub(crate) async fn pieces(
    cx: &Context,
    channel: &dyn Channel,
    day: &Day,
) -> Result<(Vec<Piece>, Vec<String>)> {
    let feed = day.path.first().map_or("", String::as_str);
    let of_feed = || table(channel.family(), value(feed));
    let Some(table) = channel.table().or_else(of_feed) else {
        return Ok((Vec::new(), Vec::new()));
    };
    let (mut pieces, mut unfinished) = (Vec::new(), Vec::new());
    // A day that no folder names was found by its files: what lies below are days of their own.
    let folders = match day.date {
        Some(_) => channel.below(cx, &day.path).await?,
        None => vec![(day.path.clone(), channel.list(cx, &day.path).await?)],
    };
    for (folder, listing) in folders {
        let finished =
            !channel.is_gated() || listing.files.iter().any(|file| file.name == "_SUCCESS");
        let rows: Vec<_> = listing
            .files
            .into_iter()
            .filter_map(|entry| Some((split_of(&entry.name)?, entry)))
            .collect();
        if !rows.is_empty() && !finished {
            unfinished.push(folder.join("/"));
            continue;
        }
        for (split, entry) in rows {
            if entry.name.ends_with(".enc") {
                return Err(encrypted(&folder, &entry.name));
            }
            pieces.push(Piece {
                partition: partition_of(&folder),
                folder: folder.clone(),
                entry,
                table,
                split,
            });
        }
    }
    pieces.sort_by_key(|piece| (piece.partition, piece.split, piece.name()));
    Ok((pieces, unfinished))
}

fn encrypted(folder: &[String], name: &str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "read exported files",
        "the file is encrypted by contract (its name ends in .enc), and only its owner has the key",
    )
    .with("path", format!("{}/{name}", folder.join("/")))
    .advise(
        "Decrypt such files into a copy of the tree, without the ending .enc, and read that folder",
    )
}

/// The split number of a file with rows: `utterances.jsonl`, `utterances.jsonl.01.gz`; nothing for other files.
fn split_of(name: &str) -> Option<u16> {
    let name = name.strip_suffix(".enc").unwrap_or(name);
    let name = name.strip_suffix(".gz").unwrap_or(name);
    if name.starts_with(['.', '_']) {
        return None;
    }
    let ends = |name: &str| {
        [".jsonl", ".json", ".ndjson", "jsonl"]
            .iter()
            .any(|end| name.ends_with(end))
    };
    if ends(name) {
        return Some(0);
    }
    let (before, number) = name.rsplit_once('.')?;
    let split = number.parse().ok().filter(|_| number.len() == 2)?;
    ends(before).then_some(split)
}

/// Minutes since 2000 by `dt=`, `hr=` and `mi=` of the folders; a bare date counts, and an interval that is one name.
fn partition_of(folder: &[String]) -> u32 {
    let (mut day, mut hour, mut minute) = (None, 0, 0);
    for part in folder.iter().flat_map(|name| name.split('/')) {
        day = date(part).or(day);
        let number = |key: &str| {
            part.strip_prefix(key)
                .and_then(|text| text.parse::<u32>().ok())
        };
        hour = number("hr=").unwrap_or(hour);
        minute = number("mi=").unwrap_or(minute);
    }
    let time = NaiveTime::from_hms_opt(hour, minute, 0).unwrap_or_default();
    let since = |day: NaiveDate| {
        let start = NaiveDate::from_ymd_opt(2000, 1, 1).unwrap_or_default();
        (day.and_time(time) - start.and_time(NaiveTime::MIN)).num_minutes()
    };
    u32::try_from(day.map_or(0, since)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_with_rows_are_told_by_their_names() {
        let cases = [
            ("utterances.jsonl", Some(0)),
            ("utterances.jsonl.gz", Some(0)),
            ("utterances.jsonl.01", Some(1)),
            ("utterances.jsonl.12.gz", Some(12)),
            ("utterances.jsonl.02.gz.enc", Some(2)),
            ("utterancesjsonl.gz", Some(0)),
            ("_SUCCESS", None),
            (".utterances.jsonl.crc", None),
            ("export_docs.yaml", None),
            ("utterances.csv", None),
        ];
        for (name, expected) in cases {
            assert_eq!(split_of(name), expected, "{name}");
        }
    }

    #[test]
    fn a_partition_is_a_minute_whichever_way_it_is_spelt() {
        let minute = |names: &[&str]| {
            partition_of(&names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>())
        };
        let spelt = minute(&[
            "utterances",
            "version=1",
            "format=jsonl",
            "dt=2026-02-03",
            "hr=14",
            "mi=15",
        ]);
        assert_eq!(
            minute(&["utterances", "1", "jsonl", "2026-02-03", "hr=14/mi=15"]),
            spelt
        );
        assert_eq!(
            minute(&["reps", "version=1", "format=jsonl", "dt=2026-02-03"]) + 14 * 60 + 15,
            spelt
        );
        assert_eq!(minute(&["reps"]), 0);
    }
}
