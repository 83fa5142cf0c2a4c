//! Rows as the CSV of a job (Salesforce APIs, section 9.3). Rows that CSV cannot say exactly are told apart.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use deskferry_core::error::Result;
use serde_json::Value;

use super::{disk, unnamed_file};
use crate::mapping::build::Fields;

/// The most bytes of one upload that we send; the platform takes 100 MB before its own encoding.
pub(crate) const BYTES: u64 = 90_000_000;
/// The most rows of one job: a day's batches of 10,000 are counted.
pub(crate) const ROWS: usize = 100_000;
/// The most characters of a cell, and of a row.
const CELL: usize = 131_072;
const ROW: usize = 400_000;

/// How much of a job's room so many rows and bytes fill.
pub(crate) fn filled(rows: usize, bytes: u64) -> f64 {
    (rows as f64 / ROWS as f64).max(bytes as f64 / BYTES as f64)
}

/// Rows in a file, ready to be sent.
#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) file: File,
    pub(crate) bytes: u64,
    /// How many of the rows it holds, from the first on.
    pub(crate) rows: usize,
}

/// Whether CSV says this row exactly. Lists of ids are JSON only, `#N/A` would mean "nothing", and an empty cell means
/// "not given".
pub(crate) fn fits(fields: &Fields) -> bool {
    let mut all = 0;
    fields.values().all(|value| {
        let length = match value {
            Value::String(text) if text.is_empty() || text == "#N/A" => return false,
            Value::String(text) => text.encode_utf16().count(),
            Value::Bool(_) | Value::Number(_) => 24,
            Value::Null | Value::Array(_) | Value::Object(_) => return false,
        };
        all += length;
        length <= CELL && all <= ROW
    })
}

/// Writes as many of the rows as one job may hold, at least one, under the union of their columns.
pub(crate) fn write(folder: Option<&Path>, rows: &[&Fields]) -> Result<Upload> {
    let mut columns = BTreeSet::new();
    for row in rows {
        columns.extend(row.keys().map(String::as_str));
    }
    let file = unnamed_file(folder)?;
    let mut out = BufWriter::new(&file);
    let mut line = Vec::new();
    let (mut bytes, mut written) = (0, 0);
    header(&mut line, columns.iter().copied());
    put(&mut out, &line, &mut bytes)?;
    for row in rows.iter().take(ROWS) {
        line.clear();
        record(&mut line, columns.iter().copied(), row);
        if written > 0 && bytes + line.len() as u64 > BYTES {
            break;
        }
        put(&mut out, &line, &mut bytes)?;
        written += 1;
    }
    out.flush()
        .map_err(|e| disk("write the rows of a bulk job", e))?;
    drop(out);
    Ok(Upload {
        file,
        bytes,
        rows: written,
    })
}

fn put(out: &mut impl Write, line: &[u8], bytes: &mut u64) -> Result<()> {
    out.write_all(line)
        .map_err(|e| disk("write the rows of a bulk job", e))?;
    *bytes += line.len() as u64;
    Ok(())
}

/// The names of the columns as a line.
fn header<'a>(line: &mut Vec<u8>, columns: impl Iterator<Item = &'a str>) {
    for (n, name) in columns.enumerate() {
        if n > 0 {
            line.push(b',');
        }
        quoted(line, name);
    }
    line.push(b'\n');
}

/// A row as a line: every cell quoted, LF at the end. Writing to memory cannot fail.
pub(crate) fn record<'a>(line: &mut Vec<u8>, columns: impl Iterator<Item = &'a str>, row: &Fields) {
    for (n, name) in columns.enumerate() {
        if n > 0 {
            line.push(b',');
        }
        match row.get(name) {
            None | Some(Value::Null) => line.extend_from_slice(b"\"\""),
            Some(Value::String(text)) if !text.contains('\r') => quoted(line, text),
            Some(value) => quoted(line, &cell(value)),
        }
    }
    line.push(b'\n');
}

/// A cell, its quotes doubled.
fn quoted(line: &mut Vec<u8>, text: &str) {
    line.push(b'"');
    for (n, piece) in text.split('"').enumerate() {
        if n > 0 {
            line.extend_from_slice(b"\"\"");
        }
        line.extend_from_slice(piece.as_bytes());
    }
    line.push(b'"');
}

/// A value as a cell. A lone CR would spoil the whole job.
pub(crate) fn cell(value: &Value) -> String {
    match value {
        Value::String(text) if text.contains('\r') => {
            text.replace("\r\n", "\n").replace('\r', "\n")
        }
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::io::{Read, Seek};

    fn row(value: Value) -> Fields {
        let Value::Object(fields) = value else {
            unreachable!()
        };
        fields
    }

    fn text(mut upload: Upload) -> String {
        let mut text = String::new();
        upload.file.rewind().unwrap();
        upload.file.read_to_string(&mut text).unwrap();
        assert_eq!(text.len() as u64, upload.bytes);
        text
    }

    #[test]
    fn every_cell_is_quoted_under_the_union_of_all_columns() {
        let rows = [
            row(json!({"Name": "A \"b\",\nc", "Open": true})),
            row(json!({"Name": " d\r\ne\rf", "Count": 3.5})),
        ];
        let upload = write(None, &rows.iter().collect::<Vec<_>>()).unwrap();
        assert_eq!(upload.rows, 2);
        let expected = "\"Count\",\"Name\",\"Open\"\n\"\",\"A \"\"b\"\",\nc\",\"true\"\n\"3.5\",\" d\ne\nf\",\"\"\n";
        assert_eq!(text(upload), expected);
    }

    #[test]
    fn what_csv_cannot_say_exactly_does_not_fit() {
        for (value, fits_csv) in [
            (json!({"Name": "x", "Open": false, "Count": 3}), true),
            (json!({"Name": "x".repeat(CELL)}), true),
            (json!({"Name": "x".repeat(CELL + 1)}), false),
            (
                json!({"A": "x".repeat(CELL), "B": "x".repeat(CELL), "C": "x".repeat(CELL), "D": "x".repeat(CELL)}),
                false,
            ),
            (json!({"Name": "#N/A"}), false),
            (json!({"Name": ""}), false),
            (json!({"Name": null}), false),
            (json!({"ToIds": ["003000000000001AAA"]}), false),
        ] {
            let row = row(value);
            assert_eq!(fits(&row), fits_csv, "{:?}", row.keys());
        }
    }

    #[test]
    fn a_job_ends_before_its_bytes_exceed_the_limit() {
        let large = row(json!({"Body": "x".repeat(130_000)}));
        let rows: Vec<&Fields> = std::iter::repeat_n(&large, 700).collect();
        let upload = write(None, &rows).unwrap();
        assert!(upload.rows < 700 && upload.rows > 680, "{}", upload.rows);
        assert!(upload.bytes <= BYTES);
    }
}
