//! What the verification finds.

use deskferry_core::model::{Body, Message, Record};
use deskferry_core::sink::{Sink, Verdict};
use deskferry_core::verify::{Checked, Finding};
use deskferry_rehearsal::fault::{Action, Rule};
use deskferry_sink_salesforce::{Mapping, Salesforce, SalesforceConfig};
use serde_json::json;

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
async fn by_query_jobs_or_by_id_the_same_differences_are_found() {
    let bench = Bench::with(|options| options.audit_fields(true), "").await;
    let cases: Vec<Record> = records((1..=300).map(conversation));
    bench.load("cases", cases.clone()).await;
    let mails: Vec<Record> = records((1..=240).map(|n| Message {
        body: Body {
            html: Some(format!("<p>Mail \"{n}\",\r\nand more</p>")),
            text: None,
        },
        ..mail(n, n, "stranger@example.org", "nobody@example.net")
    }));
    bench.load("messages", mails.clone()).await;
    let id = |object: &str, n: usize| bench.dump(object)[n]["Id"].as_str().unwrap().to_owned();
    bench
        .change("Case", &id("Case", 7), json!({"Subject": "Planted"}))
        .await;
    bench
        .change("Case", &id("Case", 70), json!({"Source_Status__c": null}))
        .await;
    bench.delete("Case", &id("Case", 290)).await;
    bench.delete("EmailMessage", &id("EmailMessage", 100)).await;
    for (phase, records, planted) in [("cases", cases, 3), ("messages", mails, 1)] {
        let mut found = Vec::new();
        for from in [0, 200] {
            let config = SalesforceConfig::builder(bench.org.url())
                .access_token(TOKEN)
                .bulk_from(from)
                .build()
                .unwrap();
            let mapping = Mapping::parse(Mapping::default_text()).unwrap();
            let sink = Salesforce::new(config, mapping).unwrap();
            bench.org.clear_requests();
            let batch = bench.batch(phase, records.clone()).await;
            let verify = sink.as_verify().unwrap();
            found.push(verify.verify(&bench.cx, batch).await.unwrap());
            let jobs = bench.org.requests().count("POST", "jobs/query");
            assert_eq!(jobs, u64::from(from > 0), "{phase}");
        }
        let [by_id, by_job] = &found[..] else {
            unreachable!()
        };
        for (by_id, by_job) in by_id.iter().zip(by_job) {
            assert_eq!(by_id, by_job, "{phase}");
        }
        assert_eq!(by_id.len(), by_job.len(), "{phase}");
        let different = |c: &&Checked| matches!(c.finding, Finding::Different { .. });
        assert!(by_id.iter().filter(different).count() >= planted, "{phase}");
    }
}

#[tokio::test]
async fn what_a_query_job_does_not_tell_is_read_by_id() {
    let mut bench = Bench::with(|options| options.audit_fields(true), "").await;
    let cases: Vec<Record> = records((1..=250).map(conversation));
    bench.load("cases", cases.clone()).await;
    let config = SalesforceConfig::builder(bench.org.url())
        .access_token(TOKEN)
        .bulk_from(200)
        .build()
        .unwrap();
    let mapping = Mapping::parse(Mapping::default_text()).unwrap();
    bench.sink = Salesforce::new(config, mapping).unwrap();
    let at = |method: &str, path: &str, action: Action| Rule::new(action).method(method).path(path);
    let refused = Action::Status {
        code: 400,
        headers: Vec::new(),
        body: r#"[{"errorCode":"FEATURENOTENABLED","message":"Not here."}]"#.into(),
        content_type: Some("application/json".into()),
    };
    for (rule, asked_by_id) in [
        (at("POST", "/jobs/query", refused.clone()), 1),
        (at("GET", "/results", refused), 1),
        (
            at("GET", "/results", Action::CutBody { after_bytes: 900 }).times(1),
            0,
        ),
        (at("POST", "/jobs/query", Action::CutAfterAct).times(1), 0),
        (at("DELETE", "/jobs/query", Action::status(500)), 0),
    ] {
        bench.org.faults().set(vec![rule.clone()]);
        bench.org.clear_requests();
        let differences = bench.differences("cases", cases.clone()).await;
        assert!(differences.is_empty(), "{rule:?}: {differences:#?}");
        let by_id = bench.org.requests().count("POST", "composite/sobjects");
        assert_eq!(by_id, asked_by_id, "{rule:?}");
    }
}

#[tokio::test]
async fn records_that_did_not_land_are_not_compared() {
    let bench = Bench::new().await;
    bench.load("cases", records([conversation(1)])).await;
    let messages = records([note(1, 1, " "), note(2, 99, "lost")]);
    bench.load("messages", messages.clone()).await;
    assert_eq!(bench.verify("messages", messages).await, []);
}
