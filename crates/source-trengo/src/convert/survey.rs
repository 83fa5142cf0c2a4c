//! Answers of satisfaction surveys: no interface shows them, people export them as a table (Trengo reference, section 3.12).

use std::collections::HashMap;

use deskferry_core::model::Satisfaction;
use serde_json::Value;

use crate::wire::{Moment, Zone};

const TICKET: &[&str] = &["ticketid", "ticket", "conversationid", "conversation", "id"];
const SCORE: &[&str] = &["score", "rating", "csat", "csatscore", "satisfaction"];
const COMMENT: &[&str] = &["comment", "feedback", "remark", "remarks"];
const AT: &[&str] = &["ratedat", "submittedat", "answeredat", "createdat", "date"];

/// What customers answered, by ticket.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Survey {
    pub(crate) answers: HashMap<u64, Satisfaction>,
    /// Rows that name no ticket, or say nothing.
    pub(crate) left_out: u64,
}

/// Reads an exported table. Its columns are known by name, whatever their order; of several answers to one ticket the
/// latest counts.
///
/// # Errors
/// It is no table, or has no column of tickets or scores: why.
pub(crate) fn survey(bytes: &[u8], zone: Zone) -> Result<Survey, String> {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_start_matches('\u{feff}');
    let head = text.lines().next().unwrap_or_default();
    let delimiter = [b',', b';', b'\t']
        .into_iter()
        .max_by_key(|one| head.bytes().filter(|byte| byte == one).count());
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter.unwrap_or(b','))
        .flexible(true)
        .from_reader(text.as_bytes());
    let names: Vec<String> = reader
        .headers()
        .map_err(|error| error.to_string())?
        .iter()
        .map(plain)
        .collect();
    let column = |known: &[&str]| {
        let place = |name: &&str| names.iter().position(|column| column == name);
        known.iter().find_map(place)
    };
    let ticket = column(TICKET).ok_or("it has no column of tickets, such as `ticket_id`")?;
    let score = column(SCORE).ok_or("it has no column of scores, such as `score` or `rating`")?;
    let (comment, at) = (column(COMMENT), column(AT));
    let mut survey = Survey::default();
    for row in reader.records() {
        let row = row.map_err(|error| error.to_string())?;
        let cell = |place: Option<usize>| {
            let text = place.and_then(|place| row.get(place)).map(str::trim);
            text.filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let id = cell(Some(ticket)).and_then(|id| id.trim_start_matches('#').parse().ok());
        let (Some(id), Some(raw)) = (id, cell(Some(score))) else {
            survey.left_out += 1;
            continue;
        };
        let number = raw.replace(',', ".");
        let at = cell(at).and_then(|at| zone.read(&Value::String(at)).ok().flatten());
        let answer = Satisfaction {
            score: number.parse::<f64>().is_ok().then_some(number),
            raw,
            at: at.map(Moment::plain),
            comment: cell(comment),
        };
        match survey.answers.get(&id) {
            Some(known) if known.at > answer.at => {}
            _ => _ = survey.answers.insert(id, answer),
        }
    }
    Ok(survey)
}

/// `Ticket ID` as `ticketid`.
fn plain(name: &str) -> String {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    letters.collect::<String>().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Survey, String> {
        survey(text.as_bytes(), Zone::named("Europe/Amsterdam").unwrap())
    }

    #[test]
    fn a_table_is_read_by_the_names_of_its_columns() {
        let tables = [
            "\u{feff}Ticket ID,Agent,Rating,Feedback,Created at\r\n#17,Ann,5,\"Quick, and kind\",2026-07-01 10:00:00\r\n",
            "date;comment;score;ticket_id\n2026-07-01 10:00:00;Quick, and kind;5;17\n",
            "ticket\tcsat\tremark\tdate\n17\t5\tQuick, and kind\t2026-07-01T08:00:00Z\n",
        ];
        for table in tables {
            let found = read(table).unwrap();
            let answer = &found.answers[&17];
            assert_eq!(
                (answer.raw.as_str(), answer.score.as_deref()),
                ("5", Some("5"))
            );
            assert_eq!(
                answer.comment.as_deref(),
                Some("Quick, and kind"),
                "{table}"
            );
            assert_eq!(answer.at.unwrap().to_rfc3339(), "2026-07-01T08:00:00+00:00");
        }
    }

    #[test]
    fn the_latest_answer_counts_and_rows_that_say_nothing_are_counted() {
        let found =
            read("ticket_id,score,date\n1,2,2026-07-02\n1,5,2026-07-01\n2,great,\n,5,\n3,,\n")
                .unwrap();
        assert_eq!(found.answers[&1].raw, "2");
        assert_eq!(
            (found.answers[&2].raw.as_str(), &found.answers[&2].score),
            ("great", &None)
        );
        assert_eq!((found.answers.len(), found.left_out), (2, 2));
        let halves = read("ticket_id;score\n1;4,5\n").unwrap();
        assert_eq!(halves.answers[&1].score.as_deref(), Some("4.5"));
    }

    #[test]
    fn what_is_no_such_table_says_what_is_missing() {
        for (table, says) in [
            ("", "tickets"),
            ("ticket_id,agent\n1,Ann\n", "scores"),
            ("score\n1\n", "tickets"),
        ] {
            assert!(read(table).unwrap_err().contains(says), "{table}");
        }
    }
}
