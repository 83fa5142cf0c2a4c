//! What reducing takes: rows of `utterances`, every tenth one stated again, in random order of issues, written as a batch tree and collected.
//!
//! ```sh
//! cargo bench -p deskferry-source-asapp --bench reduce -- rows=3000000 folder=DIR
//! cargo bench -p deskferry-source-asapp --bench reduce -- rows=30000000 folder=DIR zip
//! ```
//!
//! It prints rows, bytes after decompression, processor time of the reading alone (all threads added up), and the most memory that was in use. What
//! was written is removed. A folder that holds a tree of so many rows already is read as it is, with `keep`.
#![allow(clippy::print_stdout, reason = "a bench reports by what it prints")]

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use deskferry_core::source::{Next, Scope};
use deskferry_core::{Context, Source as _};
use deskferry_source_asapp::{Asapp, AsappConfig};
use flate2::Compression;
use flate2::write::GzEncoder;

/// Rows of one file.
const FILE: u64 = 200_000;

/// A number that looks like none of its neighbours.
fn mixed(number: u64) -> u64 {
    let mut x = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

const WORDS: [&str; 16] = [
    "order", "late", "the", "parcel", "refund", "please", "account", "I", "cannot", "open",
    "again", "thanks", "number", "address", "invoice", "tomorrow",
];

fn write_row(out: &mut impl Write, row: u64) -> std::io::Result<()> {
    // Every tenth row states an earlier one again, in a later window.
    let (of, window) = match row % 10 {
        9 => (mixed(row) % row, 1),
        _ => (row, 0),
    };
    let x = mixed(of);
    let issue = 21_000_000 + x % 2_000_000;
    let sender = ["customer", "rep", "bot"][(x % 3) as usize];
    let words: Vec<&str> = (0..12_u64)
        .map(|n| WORDS[(mixed(of + n) % 16) as usize])
        .collect();
    let (hour, minute) = (of / 3_600 % 24, of / 60 % 60);
    writeln!(
        out,
        r#"{{"issue_id":{issue},"created_ts":"2026-02-03T{hour:02}:{minute:02}:{:02}.{:06}+00:00","sender_id":{},"sender_type":"{sender}","utterance_type":"freehand","utterance":"{}","sent_to_rep":false,"utterance_start_ts":null,"utterance_end_ts":null,"event_uuid":"{:08x}-6a51-4d0b-9a51-{:012x}","instance_ts":"2026-02-0{}T{hour:02}:00:00+00:00","company_name":"acme","company_subdivision":"ACMEshop","company_segments":"[retail,web]"}}"#,
        of % 60,
        x % 1_000_000,
        60_000 + x % 4_000,
        words.join(" "),
        x >> 32,
        of,
        3 + window,
    )
}

fn deliver(tree: &Path, rows: u64, zip: bool) -> std::io::Result<()> {
    for (number, first) in (0..rows).step_by(FILE as usize).enumerate() {
        let (day, quarter) = (1 + number / 96, number % 96);
        let folder = tree.join(format!(
            "utterances/version=1/format=jsonl/dt=2026-02-{day:02}/hr={:02}/mi={:02}",
            quarter / 4,
            quarter % 4 * 15
        ));
        fs::create_dir_all(&folder)?;
        let last = rows.min(first + FILE);
        if zip {
            let file = File::create(folder.join("utterances.jsonl.gz"))?;
            let mut out = GzEncoder::new(BufWriter::new(file), Compression::fast());
            (first..last).try_for_each(|row| write_row(&mut out, row))?;
            out.finish()?.flush()?;
        } else {
            let mut out = BufWriter::new(File::create(folder.join("utterances.jsonl"))?);
            (first..last).try_for_each(|row| write_row(&mut out, row))?;
            out.flush()?;
        }
        File::create(folder.join("_SUCCESS"))?;
    }
    Ok(())
}

/// A number of the line of this process that begins with `name`.
fn of_process(name: &str) -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(name));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Seconds of processor time of all threads so far, own and the system's.
fn processor() -> f64 {
    let text = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = text
        .rsplit(')')
        .next()
        .unwrap_or("")
        .split_whitespace()
        .collect();
    let ticks = |place: usize| {
        fields
            .get(place)
            .and_then(|text| text.parse::<f64>().ok())
            .unwrap_or(0.0)
    };
    (ticks(11) + ticks(12)) / 100.0
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let told: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| {
        told.iter()
            .find_map(|arg| arg.strip_prefix(name)?.strip_prefix('='))
    };
    let is = |name: &str| told.iter().any(|arg| arg == name);
    let rows: u64 = value("rows").unwrap_or("300000").parse()?;
    let memory: usize = value("memory").unwrap_or("256").parse()?;
    let folder =
        value("folder").map_or_else(|| std::env::temp_dir().join("asapp-reduce"), PathBuf::from);
    let (tree, work) = (folder.join("tree"), folder.join("work"));
    if !tree.exists() {
        deliver(&tree, rows, is("zip"))?;
    }
    if is("deliver") {
        return Ok(());
    }
    let config = AsappConfig::builder("acme", &tree)
        .work(&work)
        .memory(memory)
        .build()?;
    let source = Asapp::new(config)?;
    let cx = Context::new();
    let shard = source.shards(&cx, &Scope::default()).await?.remove(0);
    let (before, clock, mut after) = (processor(), Instant::now(), None);
    loop {
        let page = source.page(&cx, &shard, after).await?;
        match page.next {
            Next::More(cursor) => after = Some(cursor),
            Next::End(_) => break,
        }
    }
    let (spent, by_clock) = (processor() - before, clock.elapsed().as_secs_f64());
    let manifest = fs::read_to_string(work.join("manifest.jsonl"))?;
    let mut bytes = 0;
    for line in manifest.lines() {
        let line: serde_json::Value = serde_json::from_str(line)?;
        bytes += line
            .pointer("/Run/bytes")
            .and_then(serde_json::Value::as_u64)
            .unwrap_or(0);
    }
    let megabytes = bytes as f64 / 1e6;
    println!(
        "{rows} rows, {megabytes:.0} MB: {spent:.1} s of processor time, {:.0} MB/s on one core; {by_clock:.0} s by the clock; at most {} MiB of memory",
        megabytes / spent,
        of_process("VmHWM") / 1024,
    );
    fs::remove_dir_all(&work)?;
    if !is("keep") {
        fs::remove_dir_all(&folder)?;
    }
    Ok(())
}
