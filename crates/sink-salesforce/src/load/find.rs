//! Which rows stand in the org, when the answer to sending them was lost.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use deskferry_core::error::Result;
use deskferry_core::key::RecordId;
use md5::{Digest, Md5};
use serde_json::Value;

use super::writer::{Outgoing, Writer};
use crate::bulk::results::Fingerprint;
use crate::mapping::build::Fields;
use crate::mapping::facts::POSTS;
use crate::mapping::{BATCH_MARK, SOURCE_KEY, of_one_target};

/// How a row is known again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Identity {
    /// By its key.
    Key,
    /// By what it says: rows of one parent are counted (contract: write protocol 6).
    Comment,
    /// By its key, which nothing keeps unique: rows of one parent are looked through, archived ones too.
    Task,
    /// By the name with which users log in.
    Username,
    /// By its key among the main texts of articles, whatever their status.
    Article,
}

/// The space in which records claim the rows of objects that carry no key.
pub(super) const ROWS: &str = "row";

/// The ids of the rows that stand, in order, and whether this pass made them.
pub(super) async fn find(
    writer: &Writer<'_>,
    rows: &[&Outgoing],
    known: &HashSet<&str>,
) -> Result<Vec<Option<(String, bool)>>> {
    match writer.identity {
        Identity::Key | Identity::Article => by_key(writer, rows).await,
        Identity::Username => by_username(writer, rows).await,
        Identity::Comment => by_contents(writer, rows, known).await,
        Identity::Task => among_archived(writer, rows).await,
    }
}

async fn by_username(
    writer: &Writer<'_>,
    rows: &[&Outgoing],
) -> Result<Vec<Option<(String, bool)>>> {
    let name = |row: &Outgoing| Some(row.fields.get("Username")?.as_str()?.to_lowercase());
    let names: Vec<String> = rows.iter().filter_map(|row| name(row)).collect();
    let select = "SELECT Id, Username FROM User WHERE Username IN";
    let found = writer.api.query_in(writer.cx, select, &names).await?;
    let one = |row: &&Outgoing| {
        let name = name(row)?;
        let same = |found: &&Value| {
            let known = found["Username"].as_str();
            known.is_some_and(|known| known.to_lowercase() == name)
        };
        Some((found.iter().find(same)?["Id"].as_str()?.to_owned(), true))
    };
    Ok(rows.iter().map(one).collect())
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
    let which = match writer.identity {
        Identity::Article => {
            "IsMasterLanguage = true AND PublishStatus IN ('Draft', 'Online', 'Archived') AND "
        }
        _ => "",
    };
    let select = format!(
        "SELECT Id, {SOURCE_KEY}, {BATCH_MARK} FROM {} WHERE {which}{SOURCE_KEY} IN",
        first.object
    );
    let found = writer.api.query_in(writer.cx, &select, &keys).await?;
    let by_key: HashMap<&str, (&str, bool)> = found
        .iter()
        .filter_map(|row| {
            let mark = row[BATCH_MARK].as_str();
            let ours = mark.is_some_and(|mark| of_one_target(mark, writer.journal.mark()));
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

/// Waits until the lost requests can no longer land, then looks through the tasks of their parents: the key of a task cannot be
/// asked for in every org, and an archived task shows in `queryAll` alone.
async fn among_archived(
    writer: &Writer<'_>,
    rows: &[&Outgoing],
) -> Result<Vec<Option<(String, bool)>>> {
    wait_for_landing(writer, rows).await?;
    let parents = parents(rows, "WhatId");
    let select = format!(
        "SELECT Id, {SOURCE_KEY}, {BATCH_MARK} FROM Task WHERE IsDeleted = false AND WhatId IN"
    );
    let found = writer
        .api
        .query_all_in(writer.cx, &select, &parents)
        .await?;
    let by_key: HashMap<&str, &Value> = found
        .iter()
        .filter_map(|row| Some((row[SOURCE_KEY].as_str()?, row)))
        .collect();
    let one = |row: &&Outgoing| {
        let found = by_key.get(row.key()?)?;
        let mark = found[BATCH_MARK].as_str();
        let ours = mark.is_some_and(|mark| of_one_target(mark, writer.journal.mark()));
        Some((found["Id"].as_str()?.to_owned(), ours))
    };
    Ok(rows.iter().map(one).collect())
}

fn parents(rows: &[&Outgoing], field: &str) -> Vec<String> {
    let parents: HashSet<&str> = rows
        .iter()
        .filter_map(|row| row.fields.get(field)?.as_str())
        .collect();
    parents.into_iter().map(str::to_owned).collect()
}

/// Fields of rows that are known by what they say: the text, and who sees it.
fn speaking(object: &str) -> (&'static str, &'static str) {
    match object {
        POSTS => ("Body", "Visibility"),
        _ => ("CommentBody", "IsPublished"),
    }
}

/// Waits until the lost requests can no longer land, then counts: what is expected minus what is found is still to send.
async fn by_contents(
    writer: &Writer<'_>,
    rows: &[&Outgoing],
    known: &HashSet<&str>,
) -> Result<Vec<Option<(String, bool)>>> {
    wait_for_landing(writer, rows).await?;
    let Some(first) = rows.first() else {
        return Ok(Vec::new());
    };
    let parents = parents(rows, "ParentId");
    let (body, shown) = speaking(first.object);
    let select = format!(
        "SELECT Id, ParentId, {body}, {shown}, CreatedDate, CreatedById FROM {} WHERE ParentId IN",
        first.object
    );
    let found = writer.api.query_in(writer.cx, &select, &parents).await?;
    let ids: Vec<String> = found
        .iter()
        .map(|row| row["Id"].as_str().unwrap_or_default().to_owned())
        .collect();
    let owners = writer.journal.claimed(ROWS, &ids).await?;
    let standing: Vec<Owned<'_>> = found
        .iter()
        .zip(owners)
        .filter(|(row, _)| row["Id"].as_str().is_some_and(|id| !known.contains(id)))
        .collect();
    Ok(count(rows, standing))
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

/// What a comment says: parent, text, whether customers see it.
type Saying = (String, String, bool);
/// A row that stands, and the record that claimed it.
type Owned<'a> = (&'a Value, Option<RecordId>);

/// What makes a row recognisable among the results of a job, by how it is known again. Nothing for one that says too
/// little.
pub(super) fn fingerprint(
    identity: Identity,
    cell: &dyn Fn(&str) -> Option<String>,
) -> Option<Fingerprint> {
    let mut hash = Md5::new();
    match identity {
        Identity::Key | Identity::Article | Identity::Task => hash.update(cell(SOURCE_KEY)?),
        Identity::Username => hash.update(cell("Username")?.to_lowercase()),
        Identity::Comment => {
            let text = |name: &str| cell(name).unwrap_or_default();
            let id = |name: &str| text(name).chars().take(15).collect::<String>();
            let created = moment(&Value::String(text("CreatedDate")))?.timestamp();
            let published = text("IsPublished").eq_ignore_ascii_case("true");
            let (parent, author) = (id("ParentId"), id("CreatedById"));
            hash.update(format!("{parent}|{author}|{created}|{published}|"));
            hash.update(normalised(&text("CommentBody")));
        }
    }
    Some(hash.finalize().into())
}

/// Gives each expected row one of the rows that say the same and that no other record claimed.
fn count(rows: &[&Outgoing], found: Vec<Owned<'_>>) -> Vec<Option<(String, bool)>> {
    let mut standing: HashMap<Saying, Vec<Owned<'_>>> = HashMap::new();
    for (row, owner) in found {
        standing.entry(saying(row)).or_default().push((row, owner));
    }
    let mut take = |expected: &Outgoing, mine: bool| {
        let same = standing.get_mut(&saying_of(&expected.fields))?;
        let owned = if mine { Some(expected.record) } else { None };
        let at = same
            .iter()
            .position(|(row, owner)| *owner == owned && same_origin(&expected.fields, row))?;
        same.remove(at).0["Id"]
            .as_str()
            .map(|id| (id.to_owned(), true))
    };
    // What a record claimed before the answer could be settled is its own.
    let claimed: Vec<Option<(String, bool)>> = rows.iter().map(|row| take(row, true)).collect();
    rows.iter()
        .zip(claimed)
        .map(|(row, claimed)| claimed.or_else(|| take(row, false)))
        .collect()
}

fn saying(row: &Value) -> Saying {
    let text = |name: &str| row[name].as_str().unwrap_or_default();
    let id = text("ParentId");
    (
        id.get(..15).unwrap_or(id).to_owned(),
        normalised(if row["Body"].is_string() {
            text("Body")
        } else {
            text("CommentBody")
        }),
        row["IsPublished"].as_bool().unwrap_or_default() || text("Visibility") == "AllUsers",
    )
}

fn saying_of(fields: &Fields) -> Saying {
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
    use serde_json::json;

    fn expected(record: i64, body: &str, created: &str) -> Outgoing {
        let fields = json!({"ParentId": "500000000000001AAA", "CommentBody": body, "IsPublished": true, "CreatedDate": created});
        let Value::Object(fields) = fields else {
            unreachable!()
        };
        Outgoing {
            record: RecordId(record),
            row: 0,
            object: "CaseComment",
            fields,
            hash: [0; 16],
            sent_before: None,
            job: None,
            content: None,
        }
    }

    fn standing(id: &str, created: &str) -> Value {
        json!({"Id": id, "ParentId": "500000000000001AAA", "CommentBody": "Thanks", "IsPublished": true,
               "CreatedDate": created, "CreatedById": "005000000000001AAA"})
    }

    #[test]
    fn comments_are_counted_so_that_equal_ones_are_neither_lost_nor_doubled() {
        let noon = "2021-03-04T12:00:00.000Z";
        let rows = [
            expected(1, "Thanks \n", noon),
            expected(2, "Thanks", noon),
            expected(3, "Thanks", "2021-03-04T12:00:01.000Z"),
            expected(4, "No", noon),
            expected(5, "Thanks", noon),
        ];
        let rows: Vec<&Outgoing> = rows.iter().collect();
        let noon = "2021-03-04T12:00:00.000+0000";
        let found = [
            (standing("a", noon), None),
            (standing("b", "2021-03-04T12:00:01.000+0000"), None),
            (standing("of another", noon), Some(RecordId(9))),
            (standing("claimed", noon), Some(RecordId(2))),
        ];
        let found = found.iter().map(|(row, owner)| (row, *owner)).collect();
        let ids: Vec<Option<String>> = count(&rows, found)
            .into_iter()
            .map(|f| f.map(|(id, _)| id))
            .collect();
        let some = |id: &str| Some(id.to_owned());
        assert_eq!(ids, [some("a"), some("claimed"), some("b"), None, None]);
    }

    #[test]
    fn a_comment_is_recognised_in_either_spelling_of_its_results_and_by_nothing_less_than_all_it_says()
     {
        let print = |parent: &str, body: &str, published: &str, created: &str| {
            let cell = |name: &str| {
                let text = match name {
                    "ParentId" => parent,
                    "CommentBody" => body,
                    "IsPublished" => published,
                    "CreatedDate" => created,
                    _ => return None,
                };
                Some(text.to_owned())
            };
            fingerprint(Identity::Comment, &cell)
        };
        let noon = "2021-03-04T12:00:00.000Z";
        let known = print("500000000000001AAA", "Thanks", "true", noon);
        assert!(known.is_some());
        let again = print(
            "500000000000001",
            "Thanks\r\n",
            "TRUE",
            "2021-03-04T12:00:00.000+0000",
        );
        assert_eq!(known, again);
        for other in [
            print("500000000000002AAA", "Thanks", "true", noon),
            print("500000000000001AAA", "Thank", "true", noon),
            print("500000000000001AAA", "Thanks", "false", noon),
            print(
                "500000000000001AAA",
                "Thanks",
                "true",
                "2021-03-04T12:00:01.000Z",
            ),
            print("500000000000001AAA", "Thanks", "true", ""),
        ] {
            assert_ne!(known, other);
        }
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
