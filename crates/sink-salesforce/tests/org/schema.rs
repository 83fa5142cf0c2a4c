//! What an org gets before a load: record types, fields, and who may see them.

use deskferry_core::model::*;
use deskferry_core::sink::{Sink, Verdict};
use deskferry_sink_salesforce::{Mapping, metadata};
use serde_json::{Value, json};

use crate::bench::*;

fn by_type() -> String {
    Mapping::default_text().replacen(
        "[policy]\n",
        "[policy]\nrecord_type_by = \"type\"\nrecord_types = { Question = \"A_Question\", Bug = \"Trouble\" }\n",
        1,
    )
}

/// The id of a record type, as the org tells it.
fn id_of(bench: &Bench, name: &str) -> Value {
    let rows = bench.dump("RecordType");
    let row = rows.iter().find(|row| row["DeveloperName"] == name);
    row.unwrap()["Id"].clone()
}

#[tokio::test]
async fn cases_get_the_record_type_of_their_word_in_their_first_insert() {
    let text = by_type();
    let bench = Bench::mapped(|options| options, &text).await;
    let refused = bench.sink.check(&bench.cx).await.unwrap_err();
    assert_eq!(
        refused.context("lacks"),
        Some("record type Case.A_Question, record type Case.Trouble")
    );
    assert!(
        refused
            .to_string()
            .contains("Case has no record type Trouble")
    );

    let package = metadata::package(&Mapping::parse(&text).unwrap());
    let deployed = bench.deploy(metadata::zip(&package)).await;
    assert_eq!(deployed["status"], "Succeeded", "{deployed:#}");

    let mut bench = bench;
    bench.remapped(&text);
    bench.sink.check(&bench.cx).await.unwrap();
    let (mut asked, mut broken, mut other) = (conversation(1), conversation(2), conversation(3));
    asked.kind = Some("Question".into());
    broken.kind = Some("BUG".into());
    other.kind = Some("Riddle".into());
    broken.status = Named::new(StatusState::Closed, "CLOSED");
    let cases = records([asked, broken, other]);
    let created = bench.load("cases", cases.clone()).await;
    assert_eq!(
        created,
        [Verdict::Created, Verdict::Created, Verdict::Created]
    );
    let rows = bench.dump("Case");
    let types: Vec<&Value> = rows.iter().map(|row| &row["RecordTypeId"]).collect();
    assert_eq!(
        types,
        [
            &id_of(&bench, "A_Question"),
            &id_of(&bench, "Trouble"),
            &Value::Null
        ]
    );
    assert_eq!(bench.differences("cases", cases.clone()).await, [""; 0]);

    // A type that somebody changes by hand is a difference.
    let id = rows[0]["Id"].as_str().unwrap();
    let other = json!({"RecordTypeId": id_of(&bench, "Trouble")});
    bench.change("Case", id, other).await;
    let different = bench.differences("cases", cases).await;
    assert!(
        different.iter().any(|d| d.starts_with("Case.RecordTypeId")),
        "{different:?}"
    );
}

#[tokio::test]
async fn a_record_type_that_may_not_be_given_is_named_before_the_load() {
    let text = by_type();
    let hidden = |options: deskferry_rehearsal::org::OrgOptions| {
        use deskferry_rehearsal::org::{BusinessProcess, RecordType};
        let process = BusinessProcess {
            object: "Case".into(),
            name: "Migrated_Cases".into(),
            values: vec!["New".into()],
            default: None,
        };
        let given = |name: &str, hidden: bool| RecordType {
            business_process: Some("Migrated_Cases".into()),
            hidden,
            ..RecordType::new("Case", name)
        };
        options
            .business_process(process)
            .record_type(given("A_Question", false))
            .record_type(given("Trouble", true))
    };
    let bench = Bench::mapped(hidden, &text).await;
    let refused = bench.sink.check(&bench.cx).await.unwrap_err();
    assert_eq!(refused.context("lacks"), Some("record type Case.Trouble"));
    assert!(
        refused.to_string().contains("may not be given"),
        "{refused}"
    );
}
