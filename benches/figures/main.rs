//! The figures that `docs/performance.md` quotes: programs that measure and print, and judge nothing.
//!
//! ```text
//! cargo bench --bench figures                          all of them, in their short forms
//! cargo bench --bench figures -- stage                 one of them
//! cargo bench --bench figures -- ledger rows=10000000  one of them, longer
//! ```
//!
//! | figure | what it measures | settings |
//! |---|---|---|
//! | `stage` | a platform's JSON to the durable stage | `records` |
//! | `ledger` | outcomes made durable, keys looked up | `rows` |
//! | `mapping` | records written by the sink, by the form of their bodies | `mails` |
//! | `beside` | contacts and cases by bulk jobs: this sink beside other people's clients | `rows` (of each) |
//! | `requests` | requests of a full read against the least possible | `conversations` (a second world of that size), `articles` |
//! | `run` | a whole migration: records a second, processor time and memory of the migrating process alone | `conversations`, `articles` (loaded into Knowledge) |
//! | `memory` | its peak memory with large files | `files`, `megabytes` |
//! | `pace` | clock time of a run against the slower platform, on a simulated clock | `conversations` |
//! | `trengo` | a Trengo under its limit on a simulated clock: what was foretold, needed, taken | `conversations` |
//! | `kustomer` | the same of a Kustomer, in both ways to read what was said | `conversations`, `searched` (1 or 0: one of the ways alone) |
//! | `kills` | what `kill -9` at random moments loses or doubles | `kills`, `seed` |
//!
//! Processor time and memory are read from `/proc`: on other systems those columns are empty.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program whose output is its purpose"
)]

mod beside;
mod child;
mod kills;
mod kustomer;
mod ledger;
mod limited;
mod mapping;
mod mass;
mod pace;
mod requests;
mod scene;
mod stage;
mod table;
mod trengo;
mod whole;

use std::collections::BTreeMap;

/// `name=value` settings of a figure.
#[derive(Debug)]
pub(crate) struct Settings(BTreeMap<String, u64>);

impl Settings {
    /// The value that was given, or what is usual.
    pub(crate) fn number(&self, name: &str, usual: u64) -> u64 {
        self.0.get(name).copied().unwrap_or(usual)
    }
}

type Figure = fn(&Settings);

const FIGURES: [(&str, Figure); 11] = [
    ("stage", stage::figure),
    ("ledger", ledger::figure),
    ("mapping", mapping::figure),
    ("beside", beside::figure),
    ("requests", requests::figure),
    ("run", whole::run),
    ("memory", whole::memory),
    ("pace", pace::figure),
    ("trengo", trengo::figure),
    ("kustomer", kustomer::figure),
    ("kills", kills::figure),
];

fn main() {
    if let Some(task) = child::task() {
        child::perform(&task);
        return;
    }
    // `cargo test --all-targets` runs benches too, without this word.
    if !std::env::args().any(|word| word == "--bench") {
        println!("figures are measured by `cargo bench --bench figures`");
        return;
    }
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with("--"))
        .collect();
    let mut settings = BTreeMap::new();
    let mut wanted = Vec::new();
    for word in &words {
        match word.split_once('=') {
            Some((name, value)) => {
                let value = value
                    .parse()
                    .unwrap_or_else(|_| panic!("`{word}`: the value is a whole number"));
                settings.insert(name.to_owned(), value);
            }
            None => wanted.push(word.as_str()),
        }
    }
    for word in &wanted {
        assert!(
            FIGURES.iter().any(|(name, _)| name == word),
            "there is no figure `{word}`"
        );
    }
    let settings = Settings(settings);
    for (name, figure) in FIGURES {
        if wanted.is_empty() || wanted.contains(&name) {
            figure(&settings);
        }
    }
}
