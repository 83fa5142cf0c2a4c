//! Partitions of files (ASAPP reference, section 3.2).

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use chrono::{DateTime, Timelike as _, Utc};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

/// Rows by feed and partition.
#[derive(Debug, Default)]
pub(super) struct Tree {
    feeds: BTreeMap<(&'static str, String), Partition>,
}

#[derive(Debug, Default)]
struct Partition {
    lines: Vec<String>,
    unfinished: bool,
}

/// `dt=…/hr=…/mi=…` of a moment: partitions are quarters of an hour.
fn place(at: DateTime<Utc>) -> String {
    format!(
        "{}/hr={:02}/mi={:02}",
        at.format("dt=%Y-%m-%d"),
        at.hour(),
        at.minute() / 15 * 15
    )
}

impl Tree {
    /// A row of a feed that is delivered in parts of an hour.
    pub(super) fn row(&mut self, feed: &'static str, at: DateTime<Utc>, row: &Value) {
        self.line(feed, place(at), row.to_string());
    }

    /// A row of a feed that is delivered by the day.
    pub(super) fn daily(&mut self, feed: &'static str, at: DateTime<Utc>, row: &Value) {
        self.line(feed, at.format("dt=%Y-%m-%d").to_string(), row.to_string());
    }

    /// A line as it is.
    pub(super) fn raw(&mut self, feed: &'static str, at: DateTime<Utc>, line: &str) {
        self.line(feed, place(at), line.to_owned());
    }

    /// A row of a partition that is not finished.
    pub(super) fn unfinished(&mut self, feed: &'static str, at: DateTime<Utc>, row: &Value) {
        let folder = format!("{}/hr=23/mi=59", at.format("dt=%Y-%m-%d"));
        let partition = self.feeds.entry((feed, folder)).or_default();
        partition.unfinished = true;
        partition.lines.push(row.to_string());
    }

    /// A finished partition without rows.
    pub(super) fn empty(&mut self, feed: &'static str, at: DateTime<Utc>) {
        self.feeds.entry((feed, place(at))).or_default();
    }

    fn line(&mut self, feed: &'static str, folder: String, line: String) {
        self.feeds
            .entry((feed, folder))
            .or_default()
            .lines
            .push(line);
    }

    pub(super) fn write(&self, root: &Path) -> io::Result<()> {
        for (number, ((feed, place), partition)) in self.feeds.iter().enumerate() {
            let folder = root.join(feed).join("version=1/format=jsonl").join(place);
            fs::create_dir_all(&folder)?;
            let name = |split: Option<usize>| match split {
                None => format!("{feed}.jsonl"),
                Some(split) => format!("{feed}.jsonl.{split:02}"),
            };
            // One in three is split, one in two is zipped, and a name does not always say so.
            let parts: Vec<&[String]> = match number % 3 {
                0 if partition.lines.len() > 1 => partition
                    .lines
                    .chunks(partition.lines.len().div_ceil(2))
                    .collect(),
                _ if partition.lines.is_empty() => Vec::new(),
                _ => vec![&partition.lines],
            };
            for (split, lines) in parts.iter().enumerate() {
                let name = name((parts.len() > 1).then_some(split + 1));
                let text = lines.join("\n") + "\n";
                if number % 2 == 0 {
                    let name = if number % 4 == 0 {
                        format!("{name}.gz")
                    } else {
                        name
                    };
                    let mut file =
                        GzEncoder::new(fs::File::create(folder.join(name))?, Compression::fast());
                    file.write_all(text.as_bytes())?;
                    file.finish()?;
                } else {
                    fs::write(folder.join(name), text)?;
                }
            }
            if !partition.unfinished {
                fs::write(folder.join("_SUCCESS"), "")?;
            }
        }
        fs::write(root.join("export_docs.yaml"), "exports: []\n")
    }
}
