//! What the verification finds.

use deskferry_core::sink::Verdict;
use deskferry_core::verify::Finding;

use crate::bench::*;

#[tokio::test]
async fn a_change_that_no_rule_explains_is_a_difference() {
    let bench = Bench::with(|options| options.extra_normalisation(true), "").await;
    let mut case = conversation(1);
    case.subject = "two  blanks".into();
    let cases = records([case]);
    assert_eq!(bench.load("cases", cases.clone()).await, [Verdict::Created]);
    assert_eq!(
        bench.differences("cases", cases).await,
        ["Case.Subject: \"two  blanks\" became \"two blanks\""]
    );
}

#[tokio::test]
async fn what_the_platform_is_known_to_change_is_explained() {
    let bench = Bench::new().await;
    let mut case = conversation(1);
    case.subject = "  ends in blanks ".into();
    let cases = records([case]);
    bench.load("cases", cases.clone()).await;
    let checked = bench.verify("cases", cases).await;
    let subject = checked.iter().find(|c| c.field == "Subject").unwrap();
    assert_eq!(
        subject.finding,
        Finding::Explained {
            rule: "trimmed".into()
        }
    );
}

#[tokio::test]
async fn a_row_that_is_gone_is_a_difference() {
    let bench = Bench::new().await;
    let contacts = records([contact(1, "Ann Lee", "ann@example.org")]);
    bench.load("contacts", contacts.clone()).await;
    let id = bench.only("Contact")["Id"].as_str().unwrap().to_owned();
    bench.delete("Contact", &id).await;
    assert_eq!(
        bench.differences("contacts", contacts).await,
        [format!("Contact.Id: {id:?} became \"no such row\"")]
    );
}

#[tokio::test]
async fn records_that_did_not_land_are_not_compared() {
    let bench = Bench::new().await;
    bench.load("cases", records([conversation(1)])).await;
    let messages = records([note(1, 1, " "), note(2, 99, "lost")]);
    bench.load("messages", messages.clone()).await;
    assert_eq!(bench.verify("messages", messages).await, []);
}
