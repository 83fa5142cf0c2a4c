//! What an org gets before a load: record types, fields, and who may see them.

use deskferry_core::model::*;
use deskferry_core::prepare::{Changes, Doing};
use deskferry_core::sink::{Sink, Verdict};
use deskferry_rehearsal::org::OrgOptions;
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

/// An org that nobody prepared, where fields that are made stay hidden until they are granted.
async fn bare(text: &str) -> (Bench, tempfile::TempDir) {
    let folder = tempfile::TempDir::new().unwrap();
    let options = OrgOptions::new(folder.path())
        .access_token(TOKEN)
        .audit_fields(true)
        .field_security(true);
    (Bench::mapped(|_| options, text).await, folder)
}

fn names(changes: &Changes, doing: Doing) -> Vec<&str> {
    changes.of(doing).map(|line| line.name.as_str()).collect()
}

#[tokio::test]
async fn what_the_mapping_needs_is_shown_checked_made_seen_and_taken_away_again() {
    let text = by_type();
    let (bench, _folder) = bare(&text).await;
    let (cx, prepare) = (&bench.cx, bench.sink.as_prepare().unwrap());
    assert!(bench.sink.check(cx).await.is_err());
    let changes = prepare.changes(cx, &[]).await.unwrap();
    assert_eq!(changes.target, bench.org.org_id());
    let new = names(&changes, Doing::New);
    for name in [
        "Account.Source_Key__c",
        "Case.Source_Key__c",
        "Case.Trouble",
        "Deskferry_Migration",
    ] {
        assert!(new.contains(&name), "{name} in {new:?}");
    }
    assert_eq!(names(&changes, Doing::ByHand), [""; 0]);

    // Checked only: nothing is there afterwards.
    let ticket = prepare.begin(cx, &changes, true).await.unwrap();
    let checked = prepare.follow(cx, &ticket).await.unwrap();
    assert_eq!(
        (checked.done, checked.trial, &checked.refused[..]),
        (true, true, &[][..])
    );
    assert_eq!(prepare.changes(cx, &[]).await.unwrap(), changes);

    let ticket = prepare.begin(cx, &changes, false).await.unwrap();
    let made = prepare.follow(cx, &ticket).await.unwrap();
    assert!(made.done && !made.trial, "{made:?}");
    // Another process finds the same deployment by its word.
    assert_eq!(prepare.follow(cx, &ticket).await.unwrap(), made);
    let stale = prepare.begin(cx, &changes, false).await.unwrap_err();
    assert!(stale.to_string().contains("another than when"), "{stale}");
    assert!(
        bench.sink.check(cx).await.is_err(),
        "nobody was given the fields yet"
    );

    let granted = prepare.grant(cx, &changes).await.unwrap();
    assert_eq!(
        granted[0],
        "Deskferry_Migration is assigned to the migration user"
    );
    bench.sink.check(cx).await.unwrap();
    let again = prepare.grant(cx, &changes).await.unwrap();
    assert_eq!(again[0], "the migration user has Deskferry_Migration");
    let after = prepare.changes(cx, &[]).await.unwrap();
    assert!(!after.is_something(), "{:?}", names(&after, Doing::New));
    let mut asked = conversation(1);
    asked.kind = Some("bug".into());
    assert_eq!(
        bench.load("cases", records([asked])).await,
        [Verdict::Created]
    );
    assert_eq!(bench.only("Case")["RecordTypeId"], id_of(&bench, "Trouble"));

    let made: Vec<_> = changes.of(Doing::New).cloned().collect();
    let ticket = prepare.withdraw(cx, &made, false).await.unwrap();
    let gone = prepare.follow(cx, &ticket).await.unwrap();
    assert!(gone.done, "{gone:?}");
    let bare_again = prepare.changes(cx, &[]).await.unwrap();
    assert!(names(&bare_again, Doing::New).contains(&"Case.Source_Key__c"));
    assert!(names(&bare_again, Doing::New).contains(&"Deskferry_Migration"));
    // The platform never removes a record type.
    assert_eq!(
        names(&bare_again, Doing::ByHand),
        ["Case.A_Question", "Case.Trouble"]
    );
}

#[tokio::test]
async fn values_of_the_orgs_own_lists_are_added_to_and_never_replaced() {
    let text = Mapping::default_text()
        .replacen("snoozed = \"Working\"", "snoozed = \"Asleep\"", 1)
        .replacen("resolved = \"Closed\"", "resolved = \"Solved\"", 1)
        .replacen("email = \"Email\", web", "email = \"Post\", web", 1);
    let bench = Bench::mapped(|options| options, &text).await;
    let (cx, prepare) = (&bench.cx, bench.sink.as_prepare().unwrap());
    let statuses = |bench: &Bench| -> Vec<(String, bool)> {
        let rows = bench.dump("CaseStatus");
        let row = |row: &Value| {
            let name = row["ApiName"].as_str().unwrap().to_owned();
            (name, row["IsClosed"] == true)
        };
        rows.iter().map(row).collect()
    };
    let before = statuses(&bench);
    let changes = prepare.changes(cx, &[]).await.unwrap();
    assert_eq!(
        names(&changes, Doing::Extended),
        ["Case.Origin", "Case.Status"]
    );
    let ticket = prepare.begin(cx, &changes, false).await.unwrap();
    let made = prepare.follow(cx, &ticket).await.unwrap();
    assert!(made.done, "{made:?}");
    prepare.grant(cx, &changes).await.unwrap();
    let after = statuses(&bench);
    for known in &before {
        assert!(after.contains(known), "{known:?} in {after:?}");
    }
    assert!(after.contains(&("Asleep".to_owned(), false)));
    assert!(after.contains(&("Solved".to_owned(), true)));
    bench.sink.check(cx).await.unwrap();
    let mut solved = conversation(1);
    solved.status = Named::new(StatusState::Resolved, "DONE");
    assert_eq!(
        bench.load("cases", records([solved])).await,
        [Verdict::Created]
    );
    let case = bench.only("Case");
    assert_eq!(
        (&case["Status"], &case["IsClosed"]),
        (&json!("Solved"), &json!(true))
    );
}

#[tokio::test]
async fn a_package_that_the_org_refuses_changes_nothing_and_names_each_part() {
    let text = Mapping::default_text().replacen(
        "[Case.fields]\n",
        "[Case.fields]\nOdd__c = { from = \"number\", create = { type = \"Lookup\", to = \"Nowhere__c\", relationship = \"Odd\" } }\n",
        1,
    );
    let (bench, _folder) = bare(&text).await;
    let (cx, prepare) = (&bench.cx, bench.sink.as_prepare().unwrap());
    let changes = prepare.changes(cx, &[]).await.unwrap();
    let ticket = prepare.begin(cx, &changes, false).await.unwrap();
    let refused = prepare.follow(cx, &ticket).await.unwrap();
    assert!(!refused.done);
    assert!(
        refused
            .refused
            .iter()
            .any(|line| line.starts_with("field Case.Odd__c: ")),
        "{:?}",
        refused.refused
    );
    assert_eq!(prepare.changes(cx, &[]).await.unwrap(), changes);
}
