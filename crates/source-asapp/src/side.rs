//! Tables that the customer gives us for what ASAPP does not hold: names and addresses of customers, addresses of agents, and
//! where recordings lie (ASAPP reference, sections 4.4 and 9).
//!
//! CSV with a first line of column names (`.csv`), or one JSON object a line (`.jsonl`). What is wrong is said before anything is read.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::sync::Arc;

use deskferry_core::{Error, ErrorKind, Result};
use serde_json::{Map, Value};

use crate::wire::Row;

/// What a side file must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    Customers,
    Agents,
    Recordings,
}

impl About {
    /// Columns by which a row is found; each row has one of them at least.
    fn ids(self) -> &'static [&'static str] {
        match self {
            Self::Customers => &["customer_id", "external_user_id"],
            Self::Agents => &["rep_id", "external_rep_id", "crm_rep_id", "agent_id"],
            Self::Recordings => &["issue_id", "conversation_id"],
        }
    }

    /// All columns.
    fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Customers => &[
                "customer_id",
                "external_user_id",
                "name",
                "email",
                "phone",
                "company",
                "company_id",
                "title",
                "created",
                "updated",
            ],
            Self::Agents => &[
                "rep_id",
                "external_rep_id",
                "crm_rep_id",
                "agent_id",
                "name",
                "email",
                "created",
                "updated",
            ],
            Self::Recordings => &["issue_id", "conversation_id", "rep_id", "url"],
        }
    }

    fn setting(self) -> &'static str {
        match self {
            Self::Customers => "customers",
            Self::Agents => "agents",
            Self::Recordings => "recordings",
        }
    }
}

/// The rows of a side file by their ids.
#[derive(Clone, Default)]
pub(crate) struct Side {
    rows: HashMap<(&'static str, String), Vec<Arc<Row>>>,
}

impl fmt::Debug for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Side")
            .field("ids", &self.rows.len())
            .finish()
    }
}

impl Side {
    /// The first row with this id.
    pub(crate) fn row(&self, column: &'static str, id: &str) -> Option<&Row> {
        self.all(column, id).first().map(Arc::as_ref)
    }

    /// All rows with this id.
    pub(crate) fn all(&self, column: &'static str, id: &str) -> &[Arc<Row>] {
        self.rows
            .get(&(column, id.to_owned()))
            .map_or(&[], Vec::as_slice)
    }

    /// Reads and checks a side file.
    ///
    /// # Errors
    /// `Config`: it cannot be read, a column is unknown, a row has no id, or two rows have the same; names file and line.
    pub(crate) fn read(path: &Path, about: About) -> Result<Self> {
        let wrong = |line: u64, what: String| {
            Error::new(ErrorKind::Config, "read a side file", what)
                .with("setting", about.setting())
                .with("file", path.display())
                .with("line", line)
        };
        let io = |e: std::io::Error| wrong(0, e.to_string());
        let file = File::open(path).map_err(io)?;
        let mut side = Self::default();
        if path.extension().is_some_and(|end| end == "jsonl") {
            for (number, line) in (1_u64..).zip(BufReader::new(file).lines()) {
                let line = line.map_err(io)?;
                if line.trim().is_empty() {
                    continue;
                }
                let row = Row::parse(line.as_bytes()).map_err(|e| wrong(number, e.to_string()))?;
                side.add(row, about).map_err(|what| wrong(number, what))?;
            }
            return Ok(side);
        }
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .from_reader(file);
        let head = reader
            .headers()
            .map_err(|e| wrong(1, e.to_string()))?
            .clone();
        for row in reader.records() {
            let row =
                row.map_err(|e| wrong(e.position().map_or(0, csv::Position::line), e.to_string()))?;
            let line = row.position().map_or(0, csv::Position::line);
            let values: Map<String, Value> = head
                .iter()
                .zip(row.iter())
                .filter(|(_, value)| !value.is_empty())
                .map(|(name, value)| {
                    (
                        name.trim_start_matches('\u{feff}').to_owned(),
                        Value::from(value),
                    )
                })
                .collect();
            side.add(Row(values), about)
                .map_err(|what| wrong(line, what))?;
        }
        Ok(side)
    }

    fn add(&mut self, row: Row, about: About) -> std::result::Result<(), String> {
        if let Some(unknown) = row
            .0
            .keys()
            .find(|name| !about.columns().contains(&name.as_str()))
        {
            return Err(format!(
                "the column `{unknown}` is unknown; there are {}",
                about.columns().join(", ")
            ));
        }
        let row = Arc::new(row);
        let mut ids = 0;
        for column in about.ids() {
            let Some(id) = row.text(column) else { continue };
            ids += 1;
            let rows = self.rows.entry((column, id.clone())).or_default();
            if !rows.is_empty() && about != About::Recordings {
                return Err(format!("another row has the {column} {id}"));
            }
            rows.push(Arc::clone(&row));
        }
        if ids == 0 {
            return Err(format!("there is no value in {}", about.ids().join(" or ")));
        }
        if about == About::Recordings
            && row
                .text("url")
                .is_none_or(|url| url::Url::parse(&url).is_err())
        {
            return Err("`url` is no address".to_owned());
        }
        Ok(())
    }
}

/// Several values in one column, separated by `;`.
pub(crate) fn several(text: Option<String>) -> Vec<String> {
    text.iter()
        .flat_map(|text| text.split(';'))
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, text: &str, about: About) -> Result<Side> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        Side::read(&path, about)
    }

    #[test]
    fn a_table_is_read_from_either_form() {
        let csv = "customer_id,name,email\n7,Ann Lee,ann@example.org; a@example.org\n";
        let lines = "{\"customer_id\":7,\"name\":\"Ann Lee\",\"email\":\"ann@example.org; a@example.org\"}\n\n";
        for (name, text) in [("a.csv", csv), ("a.jsonl", lines)] {
            let side = read(name, text, About::Customers).unwrap();
            let row = side.row("customer_id", "7").unwrap();
            assert_eq!(row.text("name").as_deref(), Some("Ann Lee"), "{name}");
            assert_eq!(
                several(row.text("email")),
                ["ann@example.org", "a@example.org"],
                "{name}"
            );
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let cases = [
            (
                "a.csv",
                "customer_id,nmae\n7,Ann\n",
                "`nmae` is unknown",
                "line: 2",
            ),
            (
                "a.csv",
                "customer_id,name\n,Ann\n",
                "no value in customer_id or external_user_id",
                "line: 2",
            ),
            (
                "a.csv",
                "customer_id,name\n7,Ann\n7,Bob\n",
                "another row has the customer_id 7",
                "line: 3",
            ),
            (
                "a.jsonl",
                "{\"customer_id\":7}\n{\"customer_id\"\n",
                "EOF",
                "line: 2",
            ),
        ];
        for (name, text, what, line) in cases {
            let error = read(name, text, About::Customers).unwrap_err().to_string();
            assert!(error.contains(what) && error.contains(line), "{error}");
        }
        let error = read("a.csv", "issue_id,url\n7,soon\n", About::Recordings).unwrap_err();
        assert!(error.to_string().contains("no address"), "{error}");
    }
}
