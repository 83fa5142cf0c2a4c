//! Which rows stand in the org, when the answer to sending them was lost.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Duration, Utc};
use deskferry_core::error::Result;
use serde_json::Value;

use super::writer::{Outgoing, Writer};
use crate::mapping::build::Fields;
use crate::mapping::{BATCH_MARK, SOURCE_KEY};

/// How a row is known again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Identity {
    /// By its key.
    Key,
    /// By what it says: rows of one parent are counted (contract: write protocol 6).
    Comment,
}

/// How much the platform's clock may be behind ours.
const CLOCK_SKEW: Duration = Duration::seconds(60);

/// The ids of the rows that stand, in order, and whether this pass made them.
pub(super) async fn find(
    writer: &Writer<'_>,
    rows: &[&Outgoing],
    known: &HashSet<&str>,
) -> Result<Vec<Option<(String, bool)>>> {
    match writer.identity {
        Identity::Key => by_key(writer, rows).await,
        Identity::Comment => by_contents(writer, rows, known).await,
    }
}

async fn by_key(writer: &Writer<'_>, rows: &[&Outgoing]) -> Result<Vec<Option<(String, bool)>>> {
    let Some(first) = rows.first() else {
        return Ok(Vec::new());
    };
    let keys: Vec<String> = rows
        .iter()
        .filter_map(|row| row.key())
        .map(str::to_owned)
        .collect();
    let select = format!(
        "SELECT Id, {SOURCE_KEY}, {BATCH_MARK} FROM {} WHERE {SOURCE_KEY} IN",
        first.object
    );
    let found = writer.api.query_in(writer.cx, &select, &keys).await?;
    let by_key: HashMap<&str, (&str, bool)> = found
        .iter()
        .filter_map(|row| {
            let ours = row[BATCH_MARK].as_str() == Some(writer.journal.mark());
            Some((row[SOURCE_KEY].as_str()?, (row["Id"].as_str()?, ours)))
        })
        .collect();
    let one = |row: &&Outgoing| {
        row.key()
            .and_then(|key| by_key.get(key))
            .map(|(id, ours)| ((*id).to_owned(), *ours))
    };
    Ok(rows.iter().map(one).collect())
}

/// Waits until the lost requests can no longer land, then counts: what is expected minus what is found is still to send.
async fn by_contents(
    writer: &Writer<'_>,
    rows: &[&Outgoing],
    known: &HashSet<&str>,
) -> Result<Vec<Option<(String, bool)>>> {
    wait_for_landing(writer, rows).await?;
    let parents: HashSet<&str> = rows
        .iter()
        .filter_map(|row| row.fields.get("ParentId")?.as_str())
        .collect();
    let parents: Vec<String> = parents.into_iter().map(str::to_owned).collect();
    let select = "SELECT Id, ParentId, CommentBody, IsPublished, CreatedDate, CreatedById, SystemModstamp FROM CaseComment WHERE ParentId IN";
    let found = writer.api.query_in(writer.cx, select, &parents).await?;
    let since = rows
        .iter()
        .filter_map(|row| row.sent_before)
        .min()
        .map(|sent| sent - CLOCK_SKEW);
    Ok(count(rows, &found, known, since))
}

async fn wait_for_landing(writer: &Writer<'_>, rows: &[&Outgoing]) -> Result<()> {
    let Some(last) = rows.iter().filter_map(|row| row.sent_before).max() else {
        return Ok(());
    };
    let landed = last + writer.api.config().landing();
    match (landed - writer.cx.now()).to_std() {
        Ok(wait) if !wait.is_zero() => {
            writer
                .cx
                .sleep(wait, "wait until a lost request can no longer land")
                .await
        }
        _ => Ok(()),
    }
}

/// Gives each expected row one of the rows that say the same. Rows that others own, and rows older than the lost
/// request, are none of them.
fn count(
    rows: &[&Outgoing],
    found: &[Value],
    known: &HashSet<&str>,
    since: Option<DateTime<Utc>>,
) -> Vec<Option<(String, bool)>> {
    let mut standing: HashMap<(String, String, bool), Vec<&Value>> = HashMap::new();
    for row in found {
        let ours = row["Id"].as_str().is_some_and(|id| !known.contains(id));
        let young =
            since.is_none_or(|since| moment(&row["SystemModstamp"]).is_none_or(|at| at >= since));
        if ours && young {
            standing.entry(saying(row)).or_default().push(row);
        }
    }
    rows.iter()
        .map(|expected| {
            let same = standing.get_mut(&saying_of(&expected.fields))?;
            let at = same
                .iter()
                .position(|row| same_origin(&expected.fields, row))?;
            same.remove(at)["Id"]
                .as_str()
                .map(|id| (id.to_owned(), true))
        })
        .collect()
}

fn saying(row: &Value) -> (String, String, bool) {
    let text = |name: &str| row[name].as_str().unwrap_or_default();
    let id = text("ParentId");
    (
        id.get(..15).unwrap_or(id).to_owned(),
        normalised(text("CommentBody")),
        row["IsPublished"].as_bool().unwrap_or_default(),
    )
}

fn saying_of(fields: &Fields) -> (String, String, bool) {
    saying(&Value::Object(fields.clone()))
}

/// What the platform may change in a text: line ends, blanks at the ends.
fn normalised(text: &str) -> String {
    text.replace("\r\n", "\n").trim().to_owned()
}

/// Whether author and time are the same, as far as we could set them.
fn same_origin(expected: &Fields, row: &Value) -> bool {
    let author = match expected.get("CreatedById").and_then(Value::as_str) {
        Some(author) => row["CreatedById"]
            .as_str()
            .is_some_and(|id| id.get(..15) == author.get(..15)),
        None => true,
    };
    let time = match expected.get("CreatedDate") {
        Some(created) => moment(created) == moment(&row["CreatedDate"]),
        None => true,
    };
    author && time
}

/// A moment as the platform writes it (`+0000` without a colon) or as we do, to the second.
pub(crate) fn moment(value: &Value) -> Option<DateTime<Utc>> {
    let text = value.as_str()?;
    let read = DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z")
        .or_else(|_| DateTime::parse_from_rfc3339(text));
    let time = read.ok()?.to_utc();
    DateTime::from_timestamp(time.timestamp(), 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use deskferry_core::key::RecordId;
    use serde_json::json;

    fn expected(body: &str, created: &str) -> Outgoing {
        let fields = json!({"ParentId": "500000000000001AAA", "CommentBody": body, "IsPublished": true, "CreatedDate": created});
        let Value::Object(fields) = fields else {
            unreachable!()
        };
        Outgoing {
            record: RecordId(1),
            row: 0,
            object: "CaseComment",
            fields,
            hash: [0; 16],
            sent_before: None,
            content: None,
        }
    }

    fn standing(id: &str, body: &str, created: &str, stamp: &str) -> Value {
        json!({"Id": id, "ParentId": "500000000000001AAA", "CommentBody": body, "IsPublished": true, "CreatedDate": created,
               "CreatedById": "005000000000001AAA", "SystemModstamp": stamp})
    }

    #[test]
    fn comments_are_counted_so_that_equal_ones_are_neither_lost_nor_doubled() {
        let noon = "2021-03-04T12:00:00.000Z";
        let rows = [
            expected("Thanks \n", noon),
            expected("Thanks", noon),
            expected("Thanks", "2021-03-04T12:00:01.000Z"),
            expected("No", noon),
        ];
        let rows: Vec<&Outgoing> = rows.iter().collect();
        let now = "2026-01-01T10:00:00.000+0000";
        let found = [
            standing("a", "Thanks", "2021-03-04T12:00:00.000+0000", now),
            standing("b", "Thanks", "2021-03-04T12:00:01.000+0000", now),
            standing("known", "Thanks", "2021-03-04T12:00:00.000+0000", now),
            standing(
                "old",
                "Thanks",
                "2021-03-04T12:00:00.000+0000",
                "2025-12-31T10:00:00.000+0000",
            ),
        ];
        let since = moment(&json!("2026-01-01T09:59:00Z"));
        let ids: Vec<Option<String>> = count(&rows, &found, &HashSet::from(["known"]), since)
            .into_iter()
            .map(|f| f.map(|(id, _)| id))
            .collect();
        assert_eq!(ids, [Some("a".into()), None, Some("b".into()), None]);
    }

    #[test]
    fn moments_are_read_in_both_forms_to_the_second() {
        let expected = moment(&json!("2021-03-04T05:06:07Z"));
        for text in [
            "2021-03-04T05:06:07.000+0000",
            "2021-03-04T05:06:07.900Z",
            "2021-03-04T06:06:07.000+0100",
        ] {
            assert_eq!(moment(&json!(text)), expected, "{text}");
        }
        assert_eq!(moment(&json!(null)), None);
    }
}
