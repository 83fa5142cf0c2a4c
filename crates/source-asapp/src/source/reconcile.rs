//! Conversations that one place knows and another does not, for people to decide.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::Path;

use deskferry_core::{Error, ErrorKind, Result, cells};

use crate::reduce::{Group, Start, scan_heads};
use crate::tables::{EVENTS, Family, TABLES, tag};

/// The file's name within the work folder.
const NAME: &str = "conversations.csv";

/// Why a conversation is doubtful, by what its rows lack.
fn doubt(group: &Group) -> Option<&'static str> {
    let master: &[u8] = match group.family {
        Family::Messaging => &[tag::METADATA, tag::METADATA_ENDED],
        Family::Services => &[tag::STATE],
    };
    let mut masters = group
        .rows
        .iter()
        .filter(|row| master.contains(&row.tag))
        .peekable();
    if masters.peek().is_none() {
        return Some(match group.family {
            Family::Messaging if group.rows.iter().all(|row| row.tag == tag::EVENT) => {
                "only-in-events"
            }
            Family::Messaging => "no-metadata",
            Family::Services => "no-state",
        });
    }
    masters
        .any(|row| row.claimed_twice)
        .then_some("two-claim-one-id")
}

/// Writes `conversations.csv` with a line for each doubtful conversation; decisions that people made stay. Answers what
/// to tell.
///
/// # Errors
/// The disk failed.
pub(super) fn write(reduced: &Path, folder: &Path) -> Result<Option<String>> {
    let failed = |error: io::Error| Error::storage("write the doubtful conversations", error);
    let decided = read(folder)?;
    std::fs::create_dir_all(folder).map_err(failed)?;
    let unfinished = folder.join("conversations.unfinished");
    let mut out = csv::Writer::from_path(&unfinished).map_err(|e| failed(e.into()))?;
    out.write_record(["conversation", "why", "tables", "rows", "decision"])
        .map_err(|e| failed(e.into()))?;
    let (mut from, mut doubtful) = (Start::conversations(0..256), 0_u64);
    loop {
        let (groups, end) = scan_heads(reduced, &from, |groups| groups.len() >= 2_000)?;
        for group in &groups {
            let Some(why) = doubt(group) else { continue };
            doubtful += 1;
            let names = TABLES
                .iter()
                .filter(|table| group.of(table.tag).next().is_some());
            let mut tables: BTreeSet<&str> = names.map(|table| table.name).collect();
            tables.extend(group.of(tag::EVENT).next().map(|_| EVENTS.name));
            let decision = match decided.get(&group.id) {
                Some(true) => "take",
                Some(false) => "leave",
                None => "",
            };
            let tables = tables.into_iter().collect::<Vec<_>>().join(" ");
            out.write_record([
                cells::safe(&group.id).as_str(),
                why,
                &tables,
                &group.rows.len().to_string(),
                decision,
            ])
            .map_err(|e| failed(e.into()))?;
        }
        match groups.last() {
            Some(last) if !end => from = from.after(&last.key),
            _ => break,
        }
    }
    out.flush().map_err(failed)?;
    drop(out);
    std::fs::rename(&unfinished, folder.join(NAME)).map_err(failed)?;
    Ok((doubtful > 0).then(|| {
        format!(
            "{doubtful} conversations are doubtful and are left out unless their line in {} says `take`",
            folder.join(NAME).display()
        )
    }))
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
