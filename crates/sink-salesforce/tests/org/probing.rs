//! Trying an org out.

use deskferry_core::probing::Did;
use deskferry_core::sink::Sink;
use serde_json::json;
use tempfile::TempDir;

use crate::bench::*;

/// A line of a list of several values.
const PARTS: &str = "Parts__c = { from = \"custom.parts\", create = { type = \"MultiselectPicklist\", values = [\"Cable\", \"Motor\"] } }";

fn rows(bench: &Bench) -> usize {
    let objects = [
        "Account",
        "Contact",
        "Case",
        "EmailMessage",
        "CaseComment",
        "ContentVersion",
        "ContentDocument",
    ];
    objects.iter().map(|object| bench.dump(object).len()).sum()
}

#[tokio::test]
async fn what_an_org_does_with_difficult_rows_is_found_out_and_nothing_is_left() {
    let bench = Bench::with(|options| options.audit_fields(true), PARTS).await;
    let notes = TempDir::new().unwrap();
    let probing = bench.sink.as_probing().unwrap();
    let probed = probing.probe(&bench.cx, notes.path()).await.unwrap();
    let did = |point: &str, of: &str| {
        let mut found = probed.of(point).filter(|found| found.of == of);
        found
            .next()
            .unwrap_or_else(|| panic!("{point} of {of}: {probed:#?}"))
            .did
    };
    for (point, of, expected) in [
        ("blanks", "Case.Subject", Did::Changed),
        ("blanks-inside", "Case.SuppliedName", Did::Kept),
        ("line-ends", "Case.Description", Did::Kept),
        ("four-bytes", "Account.Description", Did::Kept),
        ("ampersand", "Account.Name", Did::Kept),
        ("mail-case", "Contact.Email", Did::Changed),
        ("audit-dates", "Case.CreatedDate", Did::Kept),
        ("audit-dates", "CaseComment.CreatedDate", Did::Kept),
        ("audit-dates", "EmailMessage.CreatedDate", Did::Kept),
        (
            "milliseconds",
            "Case.Original_Created_Date__c",
            Did::Changed,
        ),
        ("multi-select-order", "Case.Parts__c", Did::Changed),
        ("future-date", "Case.CreatedDate", Did::Refused),
        ("inactive-owner", "Case.OwnerId", Did::Refused),
        ("file", "ContentVersion", Did::Kept),
        ("html", "EmailMessage.HtmlBody", Did::Kept),
        ("text-from-html", "EmailMessage.TextBody", Did::Changed),
        ("mail-relation", "EmailMessageRelation", Did::Kept),
        ("mail-file", "ContentDocumentLink", Did::Kept),
        ("comment-limit", "CaseComment", Did::Refused),
    ] {
        assert_eq!(
            did(point, of),
            expected,
            "{point} of {of}: {:#?}",
            probed.of(point).collect::<Vec<_>>()
        );
    }
    assert_eq!(probed.left, [""; 0]);
    assert_eq!(rows(&bench), 0);
    assert_eq!(std::fs::read_dir(notes.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn rows_of_a_probe_that_died_are_found_by_their_key_and_removed() {
    let bench = Bench::new().await;
    let notes = TempDir::new().unwrap();
    let probing = bench.sink.as_probing().unwrap();
    assert_eq!(probing.clean(&bench.cx, notes.path()).await.unwrap(), 0);
    // The answer to the first row was lost: the notes know that something began, and no id.
    let key = "deskferry-probe:5f:1";
    bench
        .there_before("Case", json!({"Subject": "Probe", "Source_Key__c": key}))
        .await;
    bench
        .there_before("Case", json!({"Subject": "Somebody's"}))
        .await;
    std::fs::write(
        notes.path().join("probe-rows.json"),
        r#"{"mark": "5f", "rows": []}"#,
    )
    .unwrap();
    assert_eq!(probing.clean(&bench.cx, notes.path()).await.unwrap(), 1);
    assert_eq!(bench.only("Case")["Subject"], "Somebody's");
    assert_eq!(std::fs::read_dir(notes.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn verification_knows_what_a_probe_saw_the_org_do() {
    let bench = Bench::with(|options| options.extra_normalisation(true), "").await;
    let notes = TempDir::new().unwrap();
    let mut wide = conversation(1);
    wide.subject = "two  blanks".into();
    let cases = records([wide]);
    bench.load("cases", cases.clone()).await;
    let different = bench.differences("cases", cases.clone()).await;
    assert_eq!(different.len(), 1, "{different:?}");
    let probing = bench.sink.as_probing().unwrap();
    let probed = probing.probe(&bench.cx, notes.path()).await.unwrap();
    probing.learn(&probed);
    assert_eq!(bench.differences("cases", cases).await, [""; 0]);
}
