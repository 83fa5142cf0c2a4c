//! The three result sets of a job (Salesforce APIs, section 9.5). Their order means nothing, and rows may be missing:
//! what is told of a row is found by what the row says.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::{BufReader, Seek};

use deskferry_core::error::{Error, Result};

use super::disk;
use crate::client::collections::RowAnswer;
use crate::client::error::Refusal;

const DOING: &str = "read the results of a bulk job";

/// What makes a row recognisable, as a hash: its key, or all that it says.
pub(crate) type Fingerprint = [u8; 16];

/// Which result set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Set {
    Successful,
    Failed,
    Unprocessed,
}

impl Set {
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Successful => "successfulResults",
            Self::Failed => "failedResults",
            Self::Unprocessed => "unprocessedrecords",
        }
    }
}

/// What a job told of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    /// It was done, one way or the other.
    Done(RowAnswer),
    /// The job ended before it came to the row.
    Unprocessed,
}

/// What a job told of its rows, in their order; `None` where it told nothing.
#[derive(Debug)]
pub(crate) struct Answers {
    pub(crate) told: Vec<Option<Told>>,
    waiting: HashMap<Fingerprint, VecDeque<usize>>,
}

impl Answers {
    /// Nothing told yet of rows with these fingerprints.
    pub(crate) fn of(rows: impl Iterator<Item = Fingerprint>) -> Self {
        let mut waiting: HashMap<Fingerprint, VecDeque<usize>> = HashMap::new();
        let mut count = 0;
        for (n, fingerprint) in rows.enumerate() {
            waiting.entry(fingerprint).or_default().push_back(n);
            count = n + 1;
        }
        Self {
            told: vec![None; count],
            waiting,
        }
    }

    /// Takes what a file tells. Rows that are not ours, or more than were sent, are passed over.
    pub(crate) fn take(
        &mut self,
        set: Set,
        mut file: File,
        fingerprint: impl Fn(&dyn Fn(&str) -> Option<String>) -> Option<Fingerprint>,
    ) -> Result<()> {
        file.rewind().map_err(|e| disk(DOING, e))?;
        let mut reader = csv::ReaderBuilder::new()
            .flexible(true)
            .from_reader(BufReader::new(file));
        let columns: HashMap<String, usize> = reader
            .headers()
            .map_err(unreadable)?
            .iter()
            .enumerate()
            .map(|(n, name)| (name.trim_start_matches('\u{feff}').to_ascii_lowercase(), n))
            .collect();
        let mut row = csv::StringRecord::new();
        while reader.read_record(&mut row).map_err(unreadable)? {
            let cell = |name: &str| {
                let at = columns.get(&name.to_ascii_lowercase())?;
                row.get(*at)
                    .filter(|text| !text.is_empty())
                    .map(str::to_owned)
            };
            let Some(fingerprint) = fingerprint(&cell) else {
                continue;
            };
            let Some(n) = self
                .waiting
                .get_mut(&fingerprint)
                .and_then(VecDeque::pop_front)
            else {
                continue;
            };
            self.told[n] = told(set, &cell);
        }
        Ok(())
    }
}

fn told(set: Set, cell: &dyn Fn(&str) -> Option<String>) -> Option<Told> {
    match set {
        Set::Successful => cell("sf__Id").map(|id| Told::Done(RowAnswer::Stands(id))),
        Set::Failed => {
            let said = cell("sf__Error").unwrap_or_default();
            Some(Told::Done(RowAnswer::Refused(refusal(&said))))
        }
        Set::Unprocessed => Some(Told::Unprocessed),
    }
}

/// `CODE:message:fields --`. The message may hold colons and line ends; any of it may be blank.
fn refusal(said: &str) -> Refusal {
    let (code, rest) = said.split_once(':').unwrap_or((said, ""));
    let rest = rest.trim_end();
    let (message, fields) = match rest
        .strip_suffix("--")
        .and_then(|rest| rest.rsplit_once(':'))
    {
        Some((message, fields)) => (message, fields),
        None => (rest, ""),
    };
    let fields = fields
        .split(',')
        .map(str::trim)
        .filter(|field| !field.is_empty());
    let code = if code.trim().is_empty() {
        "UNKNOWN"
    } else {
        code.trim()
    };
    let message = if message.trim().is_empty() {
        "refused without a reason"
    } else {
        message.trim()
    };
    Refusal {
        code: code.to_owned(),
        message: message.to_owned(),
        fields: fields.map(str::to_owned).collect(),
    }
}

fn unreadable(error: csv::Error) -> Error {
    Error::decode(DOING, "CSV", error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn file(text: &str) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    fn key(text: &str) -> Fingerprint {
        let mut key = [0; 16];
        key[..text.len()].copy_from_slice(text.as_bytes());
        key
    }

    fn by_key(cell: &dyn Fn(&str) -> Option<String>) -> Option<Fingerprint> {
        cell("Source_Key__c").map(|text| key(&text))
    }

    #[test]
    fn rows_are_found_by_what_they_say_whatever_their_order() {
        let mut answers = Answers::of(["a", "b", "c", "d", "a"].into_iter().map(key));
        let done = "\"sf__Id\",\"sf__Created\",\"Source_Key__c\"\n\"3\",\"true\",\"c\"\n\"1\",\"true\",\"a\"\n\"9\",\"true\",\"of another\"\n";
        answers.take(Set::Successful, file(done), by_key).unwrap();
        let failed = "\"sf__Id\",\"sf__Error\",\"Name\",\"source_key__c\"\n\"\",\"REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName --\",\"two\nlines\",\"b\"\n";
        answers.take(Set::Failed, file(failed), by_key).unwrap();
        answers
            .take(Set::Unprocessed, file("\"Source_Key__c\"\n\"a\"\n"), by_key)
            .unwrap();
        let stands = |id: &str| Some(Told::Done(RowAnswer::Stands(id.into())));
        assert_eq!(answers.told[0], stands("1"));
        assert_eq!(answers.told[2], stands("3"));
        assert_eq!(answers.told[3], None, "a row that no set holds");
        assert_eq!(
            answers.told[4],
            Some(Told::Unprocessed),
            "the second row of one key"
        );
        let Some(Told::Done(RowAnswer::Refused(refusal))) = &answers.told[1] else {
            panic!("{:?}", answers.told[1])
        };
        assert_eq!(refusal.fields, ["LastName"]);
    }

    #[test]
    fn an_empty_file_tells_nothing() {
        let mut answers = Answers::of(std::iter::once(key("a")));
        for text in ["", "\"sf__Id\",\"sf__Created\",\"Source_Key__c\"\n"] {
            answers.take(Set::Successful, file(text), by_key).unwrap();
        }
        assert_eq!(answers.told, [None]);
    }

    #[test]
    fn refusals_are_read_with_colons_line_ends_and_blanks() {
        for (said, code, message, fields) in [
            (
                "REQUIRED_FIELD_MISSING:Required fields are missing: [A, B]:A,B --",
                "REQUIRED_FIELD_MISSING",
                "Required fields are missing: [A, B]",
                &["A", "B"][..],
            ),
            (
                "INVALID_CROSS_REFERENCE_KEY:invalid cross reference id:--",
                "INVALID_CROSS_REFERENCE_KEY",
                "invalid cross reference id",
                &[],
            ),
            (
                "APEX_ERROR:one\ntwo: three:--",
                "APEX_ERROR",
                "one\ntwo: three",
                &[],
            ),
            (
                "UNABLE_TO_LOCK_ROW:",
                "UNABLE_TO_LOCK_ROW",
                "refused without a reason",
                &[],
            ),
            ("", "UNKNOWN", "refused without a reason", &[]),
        ] {
            let refusal = refusal(said);
            assert_eq!(
                (refusal.code.as_str(), refusal.message.as_str()),
                (code, message)
            );
            assert_eq!(refusal.fields, fields);
        }
    }
}
