//! Rows that are changed where they stand: others' by choice, ours when the source says something else.

use deskferry_core::amend::{AmendBatch, Amended};
use deskferry_core::journal::{Journal, Operation};
use deskferry_core::model::{Named, Record, StatusState};
use deskferry_core::sink::{Sink, Verdict};
use deskferry_core::undo::{RestoreBatch, Undone};
use deskferry_core::verify::Finding;
use deskferry_sink_salesforce::Mapping;
use serde_json::{Value, json};

use crate::bench::*;

fn with_policy(policy: &str) -> String {
    let line = "on_match = \"link\" # likewise";
    let text = Mapping::default_text();
    assert!(text.contains(line));
    text.replace(line, &format!("on_match = {policy}"))
}

fn ann() -> Vec<Record> {
    let mut ann = contact(1, "Ann Lee", "ann@example.org");
    ann.title = Some("Director".into());
    ann.phones = vec!["22".into()];
    records([ann])
}

/// Somebody who is in the org already, and what became of her record.
async fn matched(policy: &str) -> (Bench, Vec<Verdict>) {
    let bench = Bench::mapped(|options| options, &with_policy(policy)).await;
    let there = json!({"LastName": "Lee-Ray", "Title": "Clerk", "Email": "ann@example.org"});
    bench.there_before("Contact", there).await;
    let verdicts = bench.load("contacts", ann()).await;
    (bench, verdicts)
}

async fn amend(bench: &Bench, phase: &'static str, records: Vec<Record>) -> Vec<Amended> {
    let batch = bench.batch(phase, records).await;
    let loaded_at = vec![None; batch.records.len()];
    let amend = bench.sink.as_amend().unwrap();
    let batch = AmendBatch { batch, loaded_at };
    amend.amend(&bench.cx, batch).await.unwrap()
}

async fn restore(bench: &Bench, trial: bool) -> Vec<Undone> {
    let records = bench.journal.memory.register(ann());
    let change = bench.journal.effects(&[records[0].0]).await.unwrap();
    let change = change.iter().find(|e| e.operation == Operation::Update);
    let row = change.unwrap();
    let images = bench.journal.images(&[(row.record, row.row)]).await;
    let image = images.unwrap().remove(0).unwrap();
    let batch = RestoreBatch {
        object: "Contact".into(),
        rows: vec![(row.id().unwrap().to_owned(), image)],
        trial,
        force: false,
    };
    let undo = bench.sink.as_undo().unwrap();
    undo.restore(&bench.cx, batch).await.unwrap()
}

fn texts(row: &Value) -> [&Value; 3] {
    ["LastName", "Title", "Phone"].map(|name| &row[name])
}

#[tokio::test]
async fn empty_fields_of_people_who_are_there_are_filled_where_that_is_wanted() {
    let (bench, verdicts) = matched("\"fill\"").await;
    assert_eq!(verdicts, [Verdict::Updated]);
    let row = bench.only("Contact");
    assert_eq!(texts(&row), ["Lee-Ray", "Clerk", "22"]);
    assert_eq!(row["Source_Key__c"], Value::Null, "it is not ours");
    assert_eq!(row["Migration_Batch__c"], Value::Null, "it is not ours");
    // Only what was written is compared.
    let checked = bench.verify("contacts", ann()).await;
    let of = |name: &str| checked.iter().find(|c| c.field == name).map(|c| &c.finding);
    assert_eq!(of("Phone"), Some(&Finding::Equal));
    assert_eq!(of("LastName"), None);
}

#[tokio::test]
async fn named_fields_of_people_who_are_there_are_overwritten_where_that_is_wanted() {
    let (bench, verdicts) = matched("{ overwrite = [\"Title\"] }").await;
    assert_eq!(verdicts, [Verdict::Updated]);
    let row = bench.only("Contact");
    assert_eq!(texts(&row)[..2], ["Lee-Ray", "Director"]);
    assert_eq!(row["Phone"], Value::Null);
}

#[tokio::test]
async fn what_is_written_over_can_be_given_back_but_for_what_somebody_changed_since() {
    let (bench, _) = matched("{ overwrite = [\"Title\", \"Phone\"] }").await;
    let id = bench.only("Contact")["Id"].as_str().unwrap().to_owned();
    assert_eq!(restore(&bench, true).await, [Undone::Restored]);
    assert_eq!(texts(&bench.only("Contact"))[1], "Director", "a trial");
    bench.change("Contact", &id, json!({"Phone": "33"})).await;
    let held = Undone::Held("changed-since".into());
    assert_eq!(restore(&bench, false).await, [held]);
    let row = bench.only("Contact");
    assert_eq!(texts(&row), ["Lee-Ray", "Clerk", "33"]);
    bench.delete("Contact", &id).await;
    assert_eq!(restore(&bench, false).await, [Undone::Gone]);
}

#[tokio::test]
async fn cases_are_brought_up_to_date_where_they_stand_and_nothing_is_written_twice() {
    let bench = Bench::new().await;
    bench
        .load("cases", records([conversation(1), conversation(2)]))
        .await;
    let before = bench.dump("Case");
    let mut later = conversation(1);
    later.subject = "Another question".into();
    later.status = Named::new(StatusState::Open, "Open");
    later.closed_at = None;
    let again = || records([later.clone(), conversation(2)]);
    let answers = amend(&bench, "cases", again()).await;
    assert_eq!(answers, [Amended::Changed, Amended::Same]);
    let after = bench.dump("Case");
    assert_eq!(after[0]["Subject"], "Another question");
    assert_eq!(after[0]["IsClosed"], false);
    assert_eq!(after[0]["CreatedDate"], before[0]["CreatedDate"]);
    assert_eq!(after[1], before[1], "nothing was written");
    let answers = amend(&bench, "cases", again()).await;
    assert_eq!(answers, [Amended::Same, Amended::Same]);
    assert_eq!(bench.differences("cases", again()).await, [""; 0]);
}

#[tokio::test]
async fn what_was_said_stays_as_it_was_loaded() {
    let bench = Bench::new().await;
    bench.load("cases", records([conversation(1)])).await;
    let said = || mail(1, 1, "ann@example.org", "help@example.org");
    bench.load("messages", records([said()])).await;
    let mut other = said();
    other.subject = Some("Another subject".into());
    let answers = amend(&bench, "messages", records([other])).await;
    assert_eq!(answers, [Amended::Kept("stays-as-loaded".into())]);
}
