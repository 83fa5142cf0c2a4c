//! A table of a data export as rows of the API: columns are attributes by their system names (`snooze.time`).

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};

use csv::{ByteRecord, Position, ReaderBuilder};
use deskferry_core::{Error, Result};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::{BYTES, Batch, Line, Place, ROWS};

/// Columns whose cells hold several values.
const LISTS: [&str; 7] = [
    "tags",
    "channels",
    "assignedUsers",
    "assignedTeams",
    "createdByTeams",
    "emails",
    "phones",
];
/// Relations, by what their columns may be called.
const RELATIONS: [&str; 7] = [
    "customer",
    "conversation",
    "company",
    "createdBy",
    "modifiedBy",
    "queue",
    "brand",
];
/// Members that are numbers.
const NUMBERS: [&str; 9] = [
    "rating",
    "score",
    "priority",
    "rev",
    "messageCount",
    "noteCount",
    "reopenCount",
    "size",
    "responseTime",
];

pub(super) fn read(name: &str, mut file: File, kind: &str, from: Place) -> Result<Batch> {
    let failed = |error: std::io::Error| Error::storage("read an export", error).with("file", name);
    // A byte-order mark says UTF-8, and is no part of the first column's name.
    let mut mark = [0; 3];
    let marked = file.read(&mut mark).map_err(failed)? == 3 && mark == [0xef, 0xbb, 0xbf];
    file.seek(SeekFrom::Start(if marked { 3 } else { 0 }))
        .map_err(failed)?;
    let mut rows = ReaderBuilder::new().flexible(true).from_reader(file);
    let headers = match rows.byte_headers() {
        Ok(headers) => headers.clone(),
        Err(error) => return Err(failed(std::io::Error::other(error))),
    };
    let Ok(columns) = headers
        .iter()
        .map(std::str::from_utf8)
        .collect::<Result<Vec<_>, _>>()
    else {
        return Ok(Batch {
            lines: vec![bad(
                0,
                format!("the names of the columns of {name} are not UTF-8"),
                &headers,
            )],
            ..Batch::default()
        });
    };
    if from.offset > 0 {
        let mut at = Position::new();
        at.set_byte(from.offset).set_record(from.rows);
        // Positions are counted from where the reading of the file began.
        rows.seek_raw(SeekFrom::Start(from.offset), at)
            .map_err(|error| failed(std::io::Error::other(error)))?;
    }
    let (mut batch, mut bytes, mut number) = (Batch::default(), 0, from.rows);
    let mut record = ByteRecord::new();
    while batch.lines.len() < ROWS && bytes < BYTES {
        match rows.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => return Ok(batch),
            Err(error) => return Err(failed(std::io::Error::other(error))),
        }
        number += 1;
        bytes += record.as_slice().len();
        batch.lines.push(match row(kind, &columns, &record) {
            Ok(row) => Line::Row {
                raw: row,
                deleted: false,
            },
            Err(reason) => bad(number, reason, &record),
        });
    }
    let offset = rows.position().byte();
    let start = if from.offset == 0 && marked { 3 } else { 0 };
    batch.next = Some(Place {
        offset: offset + start,
        rows: number,
    });
    Ok(batch)
}

fn bad(number: u64, reason: String, record: &ByteRecord) -> Line {
    let cells: Vec<_> = record.iter().map(String::from_utf8_lossy).collect();
    Line::Bad {
        number,
        reason,
        text: cells.join(",").chars().take(500).collect(),
    }
}

/// A row as the API would show it, or what is wrong with it.
fn row(kind: &str, columns: &[&str], record: &ByteRecord) -> Result<Box<RawValue>, String> {
    let (mut id, mut attributes, mut relations) = (None, Map::new(), Map::new());
    for (column, cell) in columns.iter().zip(record) {
        let cell = std::str::from_utf8(cell).map_err(|_| {
            format!("column {column}: not UTF-8: export it again, and let no spreadsheet save it")
        })?;
        if cell.trim().is_empty() {
            continue;
        }
        if is_mangled(column, cell) {
            return Err(format!(
                "column {column}: `{cell}` is what a spreadsheet made of a long number"
            ));
        }
        if matches!(*column, "id" | "_id") {
            id = Some(cell);
        } else if let Some(relation) = relation(column) {
            relations.insert(relation.to_owned(), json!({"data": {"id": cell}}));
        } else {
            put(&mut attributes, column, value(column, cell));
        }
    }
    let id = id.ok_or("column id: a row without an id")?;
    let text =
        json!({"type": kind, "id": id, "attributes": attributes, "relationships": relations});
    RawValue::from_string(text.to_string()).map_err(|error| error.to_string())
}

fn relation(column: &str) -> Option<&'static str> {
    RELATIONS.into_iter().find(|name| {
        let rest = column.strip_prefix(name);
        rest.is_some_and(|rest| matches!(rest, "" | "Id" | ".id"))
    })
}

/// Places a value by its path: `a.b` is the member `b` of `a`.
fn put(object: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            object.entry(path).or_insert(value);
        }
        Some((name, rest)) => {
            let inner = object.entry(name).or_insert_with(|| json!({}));
            if let Some(inner) = inner.as_object_mut() {
                put(inner, rest, value);
            }
        }
    }
}

fn value(column: &str, cell: &str) -> Value {
    if cell.starts_with(['[', '{'])
        && let Ok(value) = serde_json::from_str(cell)
    {
        return value;
    }
    let name = column.rsplit('.').next().unwrap_or(column);
    if LISTS.contains(&name) {
        let all = cell.split([',', ';', '|']).map(str::trim);
        return all.filter(|one| !one.is_empty()).collect::<Vec<_>>().into();
    }
    if NUMBERS.contains(&name)
        && let Ok(number @ Value::Number(_)) = serde_json::from_str(cell)
    {
        return number;
    }
    match cell {
        "true" | "TRUE" => true.into(),
        "false" | "FALSE" => false.into(),
        text => text.into(),
    }
}

/// `1.23E+11` where an id or a number of a telephone stood.
fn is_mangled(column: &str, cell: &str) -> bool {
    let is_id = ["id", "Id", "_id", "phone", "phones"]
        .iter()
        .any(|end| column.ends_with(end));
    let digits = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|b| b.is_ascii_digit() || b == b'.' || b == b',')
    };
    is_id
        && cell
            .split_once("E+")
            .is_some_and(|(a, b)| digits(a) && digits(b))
}
