//! `agents.csv`: what a person sees and decides, one line per agent.
//!
//! Written for spreadsheets (a byte order mark, CRLF, no cell that begins like a formula); read as spreadsheets save it.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use super::{ALLOWED, Decision};
use crate::cells::{MARK, bare, safe};
use crate::error::{Error, Result};
use crate::key::RecordKey;

/// The version of the file's form; it stands in its last column.
pub(crate) const FORMAT: u32 = 1;

const AGENT: &str = "agent";
const DECISION: &str = "decision";
const DECIDED_BY: &str = "decided_by";
const VERSION: &str = "format";

/// The columns, in the order in which they are written.
const COLUMNS: [&str; 14] = [
    AGENT,
    "name",
    "emails",
    "role",
    "state",
    "teams",
    "open_cases",
    "closed_cases",
    "messages",
    "matched",
    "candidates",
    DECISION,
    DECIDED_BY,
    VERSION,
];

/// Where an agent stands at the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Still there.
    Active,
    /// No longer.
    Departed,
    /// Cases name the agent, and the source did not show who that is.
    NotRead,
}

impl State {
    const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Departed => "departed",
            Self::NotRead => "not-read",
        }
    }
}

/// Who made a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum By {
    /// There is none.
    Nobody,
    /// A rule, and why it applies.
    Rule(String),
    /// A person.
    Person,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) agent: RecordKey,
    pub(crate) name: String,
    pub(crate) emails: String,
    pub(crate) role: String,
    pub(crate) state: State,
    pub(crate) teams: String,
    pub(crate) open: u64,
    pub(crate) closed: u64,
    pub(crate) messages: u64,
    pub(crate) matched: String,
    pub(crate) candidates: String,
    pub(crate) decision: Decision,
    pub(crate) by: By,
}

impl Line {
    /// What stands in `decided_by`. It repeats the decision of a rule, so that a decision that somebody changed beside it is
    /// known as theirs.
    fn decided_by(&self) -> String {
        match &self.by {
            By::Nobody => String::new(),
            By::Rule(why) => format!("rule: {} ({why})", self.decision),
            By::Person => "person".to_owned(),
        }
    }

    fn cells(&self) -> [String; COLUMNS.len()] {
        [
            self.agent.to_string(),
            safe(&self.name),
            safe(&self.emails),
            safe(&self.role),
            self.state.name().to_owned(),
            safe(&self.teams),
            self.open.to_string(),
            self.closed.to_string(),
            self.messages.to_string(),
            safe(&self.matched),
            safe(&self.candidates),
            safe(&self.decision.to_string()),
            safe(&self.decided_by()),
            FORMAT.to_string(),
        ]
    }
}

/// What a file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Given {
    separator: Option<u8>,
    /// Columns that are not ours.
    notes: Vec<String>,
    pub(crate) rows: BTreeMap<RecordKey, Row>,
}

/// What a file says of an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// The line, from 1.
    pub(crate) line: u64,
    pub(crate) decision: Decision,
    /// Whether a person made it.
    pub(crate) by_person: bool,
    notes: Vec<String>,
}

/// Something in a file that cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) line: u64,
    pub(crate) column: &'static str,
    pub(crate) said: String,
}

impl Problem {
    /// A decision that cannot be done.
    pub(crate) fn decision(line: u64, said: String) -> Self {
        Self {
            line,
            column: DECISION,
            said,
        }
    }

    /// An agent that cannot be meant.
    pub(crate) fn agent(line: u64, said: String) -> Self {
        Self {
            line,
            column: AGENT,
            said,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "line {}, column {}: {}",
            self.line, self.column, self.said
        )
    }
}

/// Why a file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// A newer version wrote it.
    Newer(u32),
    /// It says what cannot be meant.
    Nonsense(Vec<Problem>),
}

/// The file with these lines, with the separator and the further columns of the one that stands there.
pub(crate) fn write(lines: &[Line], standing: &Given) -> Result<Vec<u8>> {
    let broken = |e: csv::Error| Error::bug("write the agents' file", e.to_string());
    let mut writer = csv::WriterBuilder::new()
        .delimiter(standing.separator.unwrap_or(b','))
        .terminator(csv::Terminator::CRLF)
        .from_writer(MARK.to_vec());
    let notes = standing.notes.iter().map(String::as_str);
    writer
        .write_record(COLUMNS.into_iter().chain(notes))
        .map_err(broken)?;
    for line in lines {
        let kept = standing.rows.get(&line.agent).map(|row| row.notes.clone());
        let mut notes = kept.unwrap_or_default();
        notes.resize(standing.notes.len(), String::new());
        let cells = line.cells().into_iter().chain(notes);
        writer.write_record(cells).map_err(broken)?;
    }
    writer
        .into_inner()
        .map_err(|e| Error::bug("write the agents' file", e.to_string()))
}

/// What a file says, or all that cannot be meant in it.
pub(crate) fn read(bytes: &[u8]) -> Result<Given, Trouble> {
    let whole = |said: String| {
        Trouble::Nonsense(vec![Problem {
            line: 1,
            column: AGENT,
            said,
        }])
    };
    let bytes = bytes.strip_prefix(MARK).unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count() as u64;
        Trouble::Nonsense(vec![Problem {
            line,
            column: "any",
            said: "there is a byte that is no UTF-8. Save the file as \"CSV UTF-8\"".to_owned(),
        }])
    })?;
    if text.trim().is_empty() {
        return Err(whole(
            "the file is empty. Delete it, and `resume` makes it again with the decisions of the rules"
                .to_owned(),
        ));
    }
    let (separator, table) = [b',', b';', b'\t']
        .into_iter()
        .map(|separator| (separator, table(text, separator)))
        .find(|(_, table)| {
            table
                .first()
                .is_some_and(|(_, header)| header.iter().any(|cell| is(cell, AGENT)))
        })
        .ok_or_else(|| {
            whole("there is no column `agent`, which names whom a line is about".to_owned())
        })?;
    let mut given = of_table(&table)?;
    given.separator = Some(separator);
    Ok(given)
}

type Table = Vec<(u64, Vec<String>)>;

/// The rows that hold anything, each with its line.
fn table(text: &str, separator: u8) -> Table {
    let reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(separator)
        .from_reader(text.as_bytes());
    // Text in memory that is UTF-8 has no errors left.
    let rows = reader.into_records().flatten();
    let (mut line, mut at) = (1, 0);
    rows.map(|row| {
        // Empty lines before a row count as its own to the reader; not to people.
        let rest = text
            .get(row.position().map_or(0, place)..)
            .unwrap_or_default();
        let begin = text.len() - rest.trim_start_matches(['\r', '\n']).len();
        line += ends(&text[at..begin]);
        at = begin;
        (line, row.iter().map(bare).collect::<Vec<_>>())
    })
    .filter(|(_, row)| row.iter().any(|cell| !cell.is_empty()))
    .collect()
}

fn place(position: &csv::Position) -> usize {
    usize::try_from(position.byte()).unwrap_or(usize::MAX)
}

/// How many lines end in a text, by either mark or both.
fn ends(text: &str) -> u64 {
    let both = text.matches("\r\n").count();
    (text.matches(['\r', '\n']).count() - both) as u64
}

fn is(cell: &str, column: &str) -> bool {
    cell.eq_ignore_ascii_case(column)
}

fn of_table(table: &Table) -> Result<Given, Trouble> {
    let Some(((line, header), rows)) = table.split_first() else {
        return Ok(Given::default());
    };
    let places = |column: &str| {
        let all = header.iter().enumerate();
        all.filter(|(_, cell)| is(cell, column))
            .map(|(n, _)| n)
            .collect::<Vec<_>>()
    };
    let mut place = HashMap::new();
    let mut problems = Vec::new();
    for column in COLUMNS {
        match (places(column).as_slice(), column) {
            ([], DECISION) => problems.push(Problem {
                line: *line,
                column,
                said: "it is missing. Put it back; an empty cell leaves a decision open".to_owned(),
            }),
            ([_, _, ..], AGENT | DECISION) => problems.push(Problem {
                line: *line,
                column,
                said: "it is there twice. Keep one".to_owned(),
            }),
            ([first, ..], _) => {
                place.insert(column, *first);
            }
            ([], _) => {}
        }
    }
    if !problems.is_empty() {
        return Err(Trouble::Nonsense(problems));
    }
    let foreign: Vec<usize> = (0..header.len())
        .filter(|n| !header[*n].is_empty() && !COLUMNS.iter().any(|c| is(&header[*n], c)))
        .collect();
    let mut given = Given {
        separator: None,
        notes: foreign.iter().map(|n| safe(&header[*n])).collect(),
        rows: BTreeMap::new(),
    };
    for (line, cells) in rows {
        let cell = |column: &str| {
            let at = place.get(column).and_then(|n| cells.get(*n));
            at.map_or("", String::as_str)
        };
        if let Ok(version) = cell(VERSION).parse::<u32>()
            && version > FORMAT
        {
            return Err(Trouble::Newer(version));
        }
        let notes = foreign
            .iter()
            .map(|n| safe(cells.get(*n).map_or("", String::as_str)));
        match row(*line, &cell, notes.collect()) {
            Err(problem) => problems.push(problem),
            Ok((agent, row)) => match given.rows.get(&agent) {
                Some(first) => problems.push(Problem::agent(
                    *line,
                    format!("{agent} stands in line {} already. Keep one", first.line),
                )),
                None => {
                    given.rows.insert(agent, row);
                }
            },
        }
    }
    if problems.is_empty() {
        Ok(given)
    } else {
        Err(Trouble::Nonsense(problems))
    }
}

fn row<'a>(
    line: u64,
    cell: &impl Fn(&str) -> &'a str,
    notes: Vec<String>,
) -> Result<(RecordKey, Row), Problem> {
    let agent = RecordKey::parse(cell(AGENT)).map_err(|_| {
        let said = format!(
            "`{}` is no agent's key. Leave the column as it was written",
            cell(AGENT)
        );
        Problem::agent(line, said)
    })?;
    let text = cell(DECISION);
    let decision: Decision = text.parse().map_err(|_| {
        Problem::decision(
            line,
            format!("`{text}` is no decision. Allowed are {ALLOWED}"),
        )
    })?;
    let by_person = decision != Decision::Undecided && !is_rule(cell(DECIDED_BY), &decision);
    Ok((
        agent,
        Row {
            line,
            decision,
            by_person,
            notes,
        },
    ))
}

/// Whether a rule made this decision: it says which one it made.
fn is_rule(decided_by: &str, decision: &Decision) -> bool {
    let decision = decision.to_string();
    decided_by
        .strip_prefix("rule:")
        .map(str::trim_start)
        .and_then(|said| said.strip_prefix(decision.as_str()))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(" ("))
}

#[cfg(test)]
mod tests;
