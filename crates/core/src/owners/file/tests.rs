use proptest::prelude::*;

use super::*;
use crate::key::{RecordKind, Tenant};

fn key(n: u64) -> RecordKey {
    Tenant::new("desk", "acme").key(RecordKind::Agent, n)
}

fn line(n: u64, decision: Decision, by: By) -> Line {
    Line {
        agent: key(n),
        name: format!("Agent {n}"),
        emails: format!("{n}@example.org"),
        role: "agent".into(),
        state: State::Active,
        teams: "First line | Second line".into(),
        open: 3,
        closed: 4,
        messages: 5,
        matched: String::new(),
        candidates: String::new(),
        decision,
        by,
    }
}

fn written(lines: &[Line]) -> String {
    String::from_utf8(write(lines, &Given::default()).unwrap()).unwrap()
}

fn decisions(text: &str) -> Vec<(String, String, bool)> {
    let given = read(text.as_bytes()).unwrap();
    let rows = given.rows.into_iter();
    rows.map(|(agent, row)| {
        (
            agent.id().to_owned(),
            row.decision.to_string(),
            row.by_person,
        )
    })
    .collect()
}

fn sample() -> Vec<Line> {
    vec![
        line(
            1,
            Decision::User("a@example.org".into()),
            By::Rule("the address matches".into()),
        ),
        line(2, Decision::Queue("First_Line".into()), By::Person),
        line(3, Decision::Undecided, By::Nobody),
    ]
}

fn expected() -> Vec<(String, String, bool)> {
    [
        ("1", "user:a@example.org", false),
        ("2", "queue:First_Line", true),
        ("3", "", false),
    ]
    .map(|(agent, decision, person)| (agent.to_owned(), decision.to_owned(), person))
    .to_vec()
}

#[test]
fn what_is_written_opens_in_a_spreadsheet_and_is_read_again() {
    let text = written(&sample());
    assert!(text.starts_with("\u{feff}agent,name,emails,"), "{text}");
    assert_eq!(text.matches("\r\n").count(), 4);
    assert_eq!(decisions(&text), expected());
}

/// Cells in any order, with any separator, quoting and line ends.
fn saved(separator: &str, end: &str, quoted: bool, mark: bool, columns: &[&str]) -> String {
    let text = written(&sample());
    let mut reader = csv::Reader::from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    let header = reader.headers().unwrap().clone();
    let mut out = String::from(if mark { "\u{feff}" } else { "" });
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    for row in std::iter::once(&header).chain(&rows) {
        let cells: Vec<String> = columns
            .iter()
            .map(|column| {
                let at = header.iter().position(|c| c == *column);
                let cell = at.map_or("a note", |n| &row[n]);
                if quoted {
                    format!("\"{cell}\"")
                } else {
                    cell.to_owned()
                }
            })
            .collect();
        out += &(cells.join(separator) + end);
    }
    out
}

#[test]
fn what_spreadsheets_save_is_read() {
    let all = COLUMNS;
    let few = ["decision", "agent", "decided_by"];
    let more = [
        "my notes",
        "decided_by",
        "name",
        "decision",
        "agent",
        "format",
    ];
    for (separator, end, quoted, mark, columns) in [
        (",", "\r\n", false, true, &all[..]),
        (",", "\n", false, false, &all[..]),
        (";", "\r\n", false, true, &all[..]),
        (";", "\r\n", true, false, &few[..]),
        ("\t", "\n", false, true, &few[..]),
        (",", "\r\n", true, true, &more[..]),
        (";", "\r", false, false, &few[..]),
    ] {
        let text = saved(separator, end, quoted, mark, columns);
        assert_eq!(decisions(&text), expected(), "{text:?}");
        let trailing = format!(
            "{text}{end}{}{end}{end}",
            separator.repeat(columns.len() - 1)
        );
        assert_eq!(decisions(&trailing), expected(), "{trailing:?}");
    }
    let shouted = written(&sample())
        .replacen("agent,name", "Agent,NAME", 1)
        .replacen("decision", "Decision", 1);
    assert_eq!(decisions(&shouted), expected());
}

#[test]
fn a_decision_that_somebody_changed_beside_a_rule_is_theirs() {
    let text = written(&sample());
    for (changed, decision, person) in [
        (
            text.replacen(",user:a@example.org,", ",legacy,", 1),
            "legacy",
            true,
        ),
        (
            text.replacen(",user:a@example.org,", ",user:a@example.or,", 1),
            "user:a@example.or",
            true,
        ),
        (
            text.replacen(",user:a@example.org,", ", USER: a@example.org ,", 1),
            "user:a@example.org",
            false,
        ),
        (text.replacen(",user:a@example.org,", ",,", 1), "", false),
    ] {
        assert_ne!(changed, text);
        assert_eq!(
            decisions(&changed)[0],
            ("1".into(), decision.into(), person)
        );
    }
}

#[test]
fn a_rewrite_keeps_the_separator_and_the_columns_of_others() {
    let text = saved(
        ";",
        "\r\n",
        false,
        true,
        &["agent", "decision", "decided_by", "my notes"],
    );
    let given = read(text.as_bytes()).unwrap();
    let again = write(&sample(), &given).unwrap();
    let again = String::from_utf8(again).unwrap();
    assert!(again.starts_with("\u{feff}agent;name;"), "{again}");
    let header = again.lines().next().unwrap();
    assert!(header.ends_with(";format;a note"), "{header}");
    assert!(
        again.lines().nth(2).unwrap().ends_with(";1;a note"),
        "{again}"
    );
}

#[test]
fn nonsense_is_named_by_line_and_column() {
    let good = written(&sample());
    let of = |text: &str| match read(text.as_bytes()) {
        Err(Trouble::Nonsense(problems)) => problems
            .iter()
            .map(|p| format!("{}:{}", p.line, p.column))
            .collect::<Vec<_>>()
            .join(" "),
        other => format!("{other:?}"),
    };
    let two = good.lines().nth(2).unwrap();
    for (text, expected) in [
        (String::new(), "1:agent"),
        ("\u{feff}\r\n \r\n".to_owned(), "1:agent"),
        ("name,decision\r\nAnn,legacy\r\n".to_owned(), "1:agent"),
        (good.replacen("decision", "verdict", 1), "1:decision"),
        (good.replacen("teams", "decision", 1), "1:decision"),
        (
            good.replacen("queue:First_Line", "quue:First_Line", 1),
            "3:decision",
        ),
        (good.replacen("queue:First_Line", "queue:", 1), "3:decision"),
        (good.replacen(key(3).as_str(), "agent 3", 1), "4:agent"),
        (format!("{good}{two}\r\n"), "5:agent"),
        (
            good.replacen("queue:First_Line", "=1", 1)
                .replacen(key(3).as_str(), "", 1),
            "3:decision 4:agent",
        ),
    ] {
        assert_eq!(of(&text), expected, "{text}");
    }
    let mut latin = good.into_bytes();
    let at = latin.iter().rposition(|b| *b == b'3').unwrap();
    latin[at] = 0xe9;
    match read(&latin) {
        Err(Trouble::Nonsense(problems)) => {
            assert_eq!(problems[0].line, 4);
            assert!(problems[0].said.contains("CSV UTF-8"), "{problems:?}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_of_a_newer_version_is_refused() {
    let text = written(&sample()).replacen(",1\r\n", ",2\r\n", 1);
    assert_eq!(read(text.as_bytes()), Err(Trouble::Newer(2)));
}

proptest! {
    #[test]
    fn no_name_is_a_formula_and_none_breaks_the_table(name in "['=+@-]{0,3}[ \\PC\n\r\t\",;]{0,20}") {
        let lines = [Line { name: name.clone(), ..line(1, Decision::Legacy, By::Person) }, line(2, Decision::Legacy, By::Person)];
        let bytes = write(&lines, &Given::default()).unwrap();
        let mut reader = csv::Reader::from_reader(&bytes[MARK.len()..]);
        let first = reader.records().next().unwrap().unwrap();
        prop_assert!(!first[1].starts_with(['=', '+', '-', '@']), "{:?}", first);
        prop_assert_eq!(read(&bytes).unwrap().rows.len(), 2);
    }

    #[test]
    fn what_is_guarded_means_what_it_was(text in "['=+@-]{0,4}[a-z]{0,5}") {
        prop_assert_eq!(bare(&safe(&text)), text);
    }
}
