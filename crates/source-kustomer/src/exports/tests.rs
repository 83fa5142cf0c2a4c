use chrono::DateTime;

use super::*;
use crate::wire::{Row, parse_time};

fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

/// All rows by their ids, and what is wrong with the others.
fn whole(bytes: &[u8], name: &str) -> (Vec<Row>, Vec<String>) {
    let folder = folder(&[(name, bytes)]);
    let (found, notes) = list(folder.path()).unwrap();
    assert!(notes.is_empty(), "{notes:?}");
    let (mut rows, mut bad) = (Vec::new(), Vec::new());
    let (mut at, mut kept, mut again) = (Some(Place::default()), None, false);
    while let Some(place) = at {
        // As after a crash, every other time.
        again = !again;
        if again {
            kept = None;
        }
        let batch = found[0].read(place, &mut kept).unwrap();
        for line in batch.lines {
            match line {
                Line::Row { raw, .. } => rows.push(Row::read(&raw).unwrap()),
                Line::Bad { number, reason, .. } => bad.push(format!("{number}: {reason}")),
            }
        }
        at = batch.next;
    }
    (rows, bad)
}

#[test]
fn a_table_is_read_as_the_api_shows_its_rows() {
    let text = "\u{feff}id,name,createdAt,snooze.time,satisfactionLevel.rating,tags,customer.id,spam\n\
        5f1,\"two\nlines, and \"\"quotes\"\"\",2021-03-01T00:00:00.000Z,2021-04-01T00:00:00Z,4,a; b,5f2,false\n";
    let (rows, bad) = whole(text.as_bytes(), "Conversations 2021-03.csv");
    assert!(bad.is_empty(), "{bad:?}");
    let row = &rows[0];
    assert_eq!((row.id(), row.kind()), ("5f1", "conversation"));
    assert_eq!(row.text("name"), Some("two\nlines, and \"quotes\""));
    assert_eq!(row.value("snooze").unwrap()["time"], "2021-04-01T00:00:00Z");
    assert_eq!(row.value("satisfactionLevel").unwrap()["rating"], 4);
    assert_eq!(row.texts("tags").collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(row.related("customer"), Some("5f2"));
}

#[test]
fn encodings_are_checked_and_never_guessed() {
    let (rows, bad) = whole(b"id,name\n1,good\n2,caf\xe9\n3,fine\n", "customers.csv");
    assert_eq!(rows.len(), 2);
    assert!(bad[0].starts_with("2: column name: not UTF-8"), "{bad:?}");
    let (rows, bad) = whole(b"id,externalId\n1,1.23E+11\n", "customers.csv");
    assert!(rows.is_empty() && bad[0].contains("spreadsheet"), "{bad:?}");
    let (rows, bad) = whole(b"\xff\xfei\0d\0", "customers.csv");
    assert!(rows.is_empty() && bad[0].contains("UTF-16"), "{bad:?}");
    let (rows, bad) = whole(
        b"{\"name\":\"a\",\"data\":{\"id\":\"1\"}}\n{\"data\":\"\xe9\"}\n",
        "events.jsonl",
    );
    assert_eq!((rows.len(), bad.len()), (1, 1));
    assert!(bad[0].contains("not UTF-8"), "{bad:?}");
}

#[test]
fn long_files_are_read_in_pieces_and_packed_ones_too() {
    use std::io::Write as _;
    let event =
        |n: u64| format!("{{\"name\":\"kustomer.message.update\",\"data\":{{\"id\":\"m{n}\"}}}}");
    // Some writers put no line between two events.
    let text: String = (0..1_600)
        .map(|n| event(n) + if n % 7 == 0 { "" } else { "\n" })
        .collect();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(text.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    for (bytes, name) in [(text.as_bytes(), "a.ndjson"), (&packed, "a.jsonl.gz")] {
        let (rows, bad) = whole(bytes, name);
        assert!(bad.is_empty());
        let ids: Vec<&str> = rows.iter().map(Row::id).collect();
        assert_eq!(ids.len(), 1_600);
        assert_eq!((ids[0], ids[1_599]), ("m0", "m1599"));
    }
    let table: String = (0..1_234)
        .map(|n| format!("{n},\"line\nline {n}\"\n"))
        .collect();
    for mark in ["", "\u{feff}"] {
        let (rows, bad) = whole(
            format!("{mark}id,preview\n{table}").as_bytes(),
            "messages.csv",
        );
        assert!(bad.is_empty(), "{bad:?}");
        let numbers: Vec<String> = rows.iter().map(|row| row.id().to_owned()).collect();
        assert_eq!(
            numbers,
            (0..1_234).map(|n| n.to_string()).collect::<Vec<_>>(),
            "{mark:?}"
        );
    }
}

#[test]
fn what_is_no_export_is_named() {
    let folder = folder(&[
        ("conversations.xlsx", b"PK"),
        ("users.csv", b"id\n"),
        ("a.jsonl", b""),
    ]);
    let (found, notes) = list(folder.path()).unwrap();
    assert_eq!(found.len(), 1);
    assert!(notes[0].starts_with("conversations.xlsx") && notes[1].starts_with("users.csv"));
}

#[test]
fn periods_that_no_export_speaks_of_are_named() {
    let mut covered = Covered::default();
    let days = [
        "2021-03-01",
        "2021-03-03",
        "2021-03-02",
        "2021-03-05",
        "2021-06-01",
        "2021-06-03",
        "2021-03-07",
    ];
    for day in days {
        covered.see("message", parse_time(day).unwrap());
    }
    assert_eq!(
        covered.gaps("message"),
        [
            "before 2021-03-01",
            "between 2021-03-07 and 2021-06-01",
            "after 2021-06-03"
        ]
    );
    assert_eq!(covered.gaps("note"), ["at all times"]);
    for week in 0..200 {
        covered.see("note", DateTime::from_timestamp(week * 604_800, 0).unwrap());
    }
    assert!(covered.periods("note").len() <= 24);
}
