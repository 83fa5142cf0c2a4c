//! Conversations that one place knows and another does not, for people to decide.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use deskferry_core::{Error, ErrorKind, Result, cells};

use crate::reduce::{claimed_twice, conversation_of, owner};
use crate::tables::{EVENTS, Family, TABLES, tag};

/// The file's name within the work folder.
const NAME: &str = "conversations.csv";

/// How many rows of which table a conversation has.
#[derive(Debug, Default)]
struct Seen {
    /// The key of its owner.
    key: Vec<u8>,
    rows: BTreeMap<u8, u64>,
    claimed_twice: bool,
}

impl Seen {
    /// Why it is doubtful, by what it lacks.
    fn doubt(&self, family: Family) -> Option<&'static str> {
        let has = |mark| self.rows.contains_key(&mark);
        let only_events = || self.rows.keys().all(|mark| *mark == tag::EVENT);
        match family {
            Family::Messaging if has(tag::METADATA) || has(tag::METADATA_ENDED) => {
                self.claimed_twice.then_some("two-claim-one-id")
            }
            Family::Services if has(tag::STATE) => self.claimed_twice.then_some("two-claim-one-id"),
            Family::Messaging if only_events() => Some("only-in-events"),
            Family::Messaging => Some("no-metadata"),
            Family::Services => Some("no-state"),
        }
    }
}

/// The list of doubtful conversations while rows pass by in order. Decisions that people made stay.
pub(super) struct List {
    decided: HashMap<String, bool>,
    out: csv::Writer<File>,
    unfinished: PathBuf,
    whole: PathBuf,
    seen: Seen,
    doubtful: u64,
}

fn failed(error: impl Into<io::Error>) -> Error {
    Error::storage("write the doubtful conversations", error.into())
}

impl List {
    /// Begins a list. The one that is there stays until this one ends.
    ///
    /// # Errors
    /// The disk failed; the list that is there cannot be read.
    pub(super) fn begin(folder: &Path) -> Result<Self> {
        let decided = read(folder)?;
        std::fs::create_dir_all(folder).map_err(failed)?;
        let unfinished = folder.join("conversations.unfinished");
        let mut out = csv::Writer::from_path(&unfinished).map_err(failed)?;
        out.write_record(["conversation", "why", "tables", "rows", "decision"])
            .map_err(failed)?;
        Ok(Self {
            decided,
            out,
            unfinished,
            whole: folder.join(NAME),
            seen: Seen::default(),
            doubtful: 0,
        })
    }

    /// Takes the next row.
    ///
    /// # Errors
    /// The disk failed.
    pub(super) fn row(&mut self, key: &[u8], entry: &[u8]) -> Result<()> {
        let Some(of) = conversation_of(key) else {
            return Ok(());
        };
        if self.seen.key != of {
            self.tell()?;
            self.seen.key.extend_from_slice(of);
        }
        let mark = key.get(of.len()).copied().unwrap_or_default();
        *self.seen.rows.entry(mark).or_default() += 1;
        let is_master = matches!(mark, tag::METADATA | tag::METADATA_ENDED | tag::STATE);
        self.seen.claimed_twice |= is_master && claimed_twice(entry);
        Ok(())
    }

    /// Writes down a conversation all of whose rows have passed.
    fn tell(&mut self) -> Result<()> {
        let (family, id) = owner(&self.seen.key);
        let why = (!self.seen.key.is_empty()).then(|| self.seen.doubt(family));
        if let Some(why) = why.flatten() {
            self.doubtful += 1;
            let rows = &self.seen.rows;
            let of = |mark: &u8| rows.contains_key(mark);
            let named = TABLES.iter().filter(|table| of(&table.tag));
            let mut tables: BTreeSet<&str> = named.map(|table| table.name).collect();
            tables.extend(of(&tag::EVENT).then_some(EVENTS.name));
            let decision = match self.decided.get(&id) {
                Some(true) => "take",
                Some(false) => "leave",
                None => "",
            };
            let tables = tables.into_iter().collect::<Vec<_>>().join(" ");
            let count = rows.values().sum::<u64>().to_string();
            let line = [
                cells::safe(&id),
                why.to_owned(),
                tables,
                count,
                decision.to_owned(),
            ];
            self.out.write_record(&line).map_err(failed)?;
        }
        self.seen.key.clear();
        self.seen.rows.clear();
        self.seen.claimed_twice = false;
        Ok(())
    }

    /// Ends the list; what to tell.
    ///
    /// # Errors
    /// The disk failed.
    pub(super) fn end(mut self) -> Result<Option<String>> {
        self.tell()?;
        self.out.flush().map_err(failed)?;
        drop(self.out);
        std::fs::rename(&self.unfinished, &self.whole).map_err(failed)?;
        let doubtful = self.doubtful;
        Ok((doubtful > 0).then(|| {
            format!(
                "{doubtful} conversations are doubtful and are left out unless their line in {} says `take`",
                self.whole.display()
            )
        }))
    }
}

/// What people decided, by conversation.
///
/// # Errors
/// The file cannot be read, or a decision is neither `take` nor `leave`.
pub(super) fn read(folder: &Path) -> Result<HashMap<String, bool>> {
    let path = folder.join(NAME);
    if !path.exists() {
        return Ok(HashMap::new());
    }
    let wrong = |why: String| {
        Error::new(
            ErrorKind::Config,
            "read the decisions on doubtful conversations",
            why,
        )
        .with("file", path.display())
    };
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_path(&path)
        .map_err(|e| wrong(e.to_string()))?;
    let mut decided = HashMap::new();
    for row in reader.records() {
        let row = row.map_err(|e| wrong(e.to_string()))?;
        let taken = match row.get(4).unwrap_or("") {
            "" => continue,
            "take" => true,
            "leave" => false,
            other => {
                return Err(wrong(format!(
                    "`{other}` is no decision: `take` or `leave`"
                )));
            }
        };
        decided.insert(cells::bare(row.get(0).unwrap_or("")), taken);
    }
    Ok(decided)
}
