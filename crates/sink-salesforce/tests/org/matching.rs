//! Rows that were there before, people who are there twice.

use deskferry_core::key::RecordKind;
use deskferry_core::model::Record;
use deskferry_core::sink::Verdict;
use serde_json::json;

use crate::bench::*;

fn held(why: &str) -> Verdict {
    Verdict::Held(why.into())
}

#[tokio::test]
async fn companies_that_are_there_are_linked_and_left_as_they_are() {
    let bench = Bench::new().await;
    let there = bench
        .there_before(
            "Account",
            json!({"Name": "Their name", "Website": "https://www.Example.org/about"}),
        )
        .await;
    for name in ["One", "Two"] {
        bench
            .there_before(
                "Account",
                json!({"Name": name, "Website": "twice.example.net"}),
            )
            .await;
    }
    bench
        .there_before(
            "Account",
            json!({"Name": "Other", "Website": "notexample.org"}),
        )
        .await;
    let accounts = records([
        account(1, "Our name", "example.org"),
        account(2, "Twice", "twice.example.net"),
        account(3, "New", "new.example.com"),
    ]);
    let verdicts = bench.load("accounts", accounts).await;
    assert_eq!(
        verdicts,
        [
            Verdict::Unchanged("matched".into()),
            held("ambiguous-match"),
            Verdict::Created
        ]
    );
    let row = bench
        .dump("Account")
        .into_iter()
        .find(|row| row["Id"] == json!(there))
        .unwrap();
    assert_eq!(row["Name"], "Their name");
    let mut ann = contact(1, "Ann Lee", "ann@example.org");
    ann.accounts = vec![key(RecordKind::Account, 1)];
    let mut bob = contact(2, "Bob Ray", "bob@example.org");
    bob.accounts = vec![key(RecordKind::Account, 2)];
    assert_eq!(
        bench.load("contacts", records([ann, bob])).await,
        [Verdict::Created, held("parent-held")]
    );
    assert_eq!(bench.only("Contact")["AccountId"], json!(there));
}

#[tokio::test]
async fn people_that_are_there_are_linked_and_two_of_them_wait_for_a_person() {
    let bench = Bench::new().await;
    bench
        .there_before(
            "Contact",
            json!({"LastName": "Lee", "Email": "ann@example.org"}),
        )
        .await;
    for first in ["A", "B"] {
        bench
            .there_before(
                "Contact",
                json!({"FirstName": first, "LastName": "Twin", "Email": "twin@example.org"}),
            )
            .await;
    }
    let contacts = records([
        contact(1, "Ann Lee", "ANN@example.org"),
        contact(2, "Some Twin", "twin@example.org"),
    ]);
    let verdicts = bench.load("contacts", contacts).await;
    assert_eq!(
        verdicts,
        [
            Verdict::Unchanged("matched".into()),
            held("ambiguous-match")
        ]
    );
    assert_eq!(bench.dump("Contact").len(), 3);
}

#[tokio::test]
async fn two_people_with_one_address_are_one_contact_also_over_batches() {
    let bench = Bench::new().await;
    let same = || Verdict::Unchanged("same-email".into());
    let first = records([
        contact(1, "Ann Lee", "ann@example.org"),
        contact(2, "A. Lee", "ANN@example.org"),
    ]);
    assert_eq!(
        bench.load("contacts", first).await,
        [Verdict::Created, same()]
    );
    assert_eq!(
        bench
            .load(
                "contacts",
                records([contact(3, "Annie", "ann@example.org")])
            )
            .await,
        [same()]
    );
    let row = bench.only("Contact");
    let mut case = conversation(1);
    case.requester = Some(key(RecordKind::Contact, 3));
    bench.load("cases", records([case])).await;
    assert_eq!(bench.only("Case")["ContactId"], row["Id"]);
}

#[tokio::test]
async fn what_hangs_on_a_record_that_did_not_come_waits_or_fails() {
    let bench = Bench::new().await;
    for name in ["One", "Two"] {
        bench
            .there_before("Account", json!({"Name": name, "Website": "example.org"}))
            .await;
    }
    bench
        .load("accounts", records([account(1, "Example", "example.org")]))
        .await;
    let mut case = conversation(1);
    case.account = Some(key(RecordKind::Account, 1));
    assert_eq!(
        bench.load("cases", records([case])).await,
        [held("parent-held")]
    );
    let messages = records([
        note(1, 1, "of a held case"),
        note(2, 99, "of a case that was not read"),
    ]);
    let verdicts = bench.load("messages", messages).await;
    assert_eq!(verdicts[0], held("parent-held"));
    assert!(matches!(&verdicts[1], Verdict::Failed { code, .. } if code == "NO_CONVERSATION"));
    bench.blobs.put(&key(RecordKind::Attachment, 1), "bytes");
    assert_eq!(
        bench
            .load("files", records([Record::from(attachment(1, 1, "a.txt"))]))
            .await,
        [held("parent-held")]
    );
}
