//! Rows by bulk jobs: how they land, what is left over, and what becomes of a job whose process died.

use deskferry_core::error::ErrorKind;
use deskferry_core::model::{Message, Record};
use deskferry_core::sink::Verdict;
use deskferry_rehearsal::fault::{Action, Rule};
use deskferry_sink_salesforce::{Mapping, Salesforce, SalesforceConfig};

use crate::bench::*;

/// A sink that uses jobs from so many rows on.
fn sink(bench: &Bench, from: usize) -> Salesforce {
    let config = SalesforceConfig::builder(bench.org.url())
        .access_token(TOKEN)
        .bulk_from(from)
        .build()
        .unwrap();
    Salesforce::new(config, Mapping::parse(Mapping::default_text()).unwrap()).unwrap()
}

/// A bench with two cases whose sink uses jobs for everything.
async fn bench() -> Bench {
    let mut bench = Bench::with(|options| options.audit_fields(true), "").await;
    bench.sink = sink(&bench, 1);
    let cases = records([conversation(1), conversation(2)]);
    assert_eq!(bench.load("cases", cases).await, created(2));
    bench
}

fn created(count: usize) -> Vec<Verdict> {
    vec![Verdict::Created; count]
}

fn people() -> Vec<Record> {
    records((1..=5).map(|n| contact(n, "Ann Lee", &format!("ann{n}@example.org"))))
}

/// Comments of two cases, some of which say the same at the same time.
fn notes() -> Vec<Record> {
    let texts = ["Thanks", "Thanks", "a \"b\",\nc", "Thanks", "=1+1"];
    records((1..).zip(texts).map(|(n, text)| Message {
        sent_at: at("2021-03-04T05:06:07Z"),
        ..note(n, 1 + n % 2, text)
    }))
}

fn refusing(code: &str) -> Action {
    Action::Status {
        code: 400,
        headers: Vec::new(),
        body: format!(r#"[{{"errorCode":"{code}","message":"Not by a job."}}]"#),
        content_type: Some("application/json".into()),
    }
}

fn jobs(bench: &Bench) -> u64 {
    bench.org.requests().count("PUT", "batches")
}

/// Loads until the run is not ended by an error any more, as `resume` does.
async fn load_and_resume(bench: &Bench, phase: &'static str, records: Vec<Record>) -> Vec<Verdict> {
    match bench.try_load(phase, records.clone()).await {
        Ok(verdicts) => verdicts,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
            bench.load(phase, records).await
        }
    }
}

#[tokio::test]
async fn people_cases_mails_and_comments_land_by_jobs_and_are_verified() {
    let bench = bench().await;
    assert_eq!(jobs(&bench), 1, "cases");
    let companies = records([account(1, "Acme", "acme.example")]);
    let messages: Vec<Record> = records([
        mail(11, 1, "stranger@example.org", "nobody@example.net"),
        mail(12, 2, "other@example.org", "nobody@example.net"),
    ])
    .into_iter()
    .chain(notes())
    .collect();
    for (phase, records, more_jobs) in [
        ("accounts", companies, 1),
        ("contacts", people(), 1),
        ("messages", messages, 2),
    ] {
        bench.org.clear_requests();
        let count = records.len();
        assert_eq!(
            bench.load(phase, records.clone()).await,
            created(count),
            "{phase}"
        );
        assert_eq!(jobs(&bench), more_jobs, "{phase}");
        assert_eq!(
            bench.org.requests().count("POST", "composite"),
            0,
            "{phase}"
        );
        assert_eq!(bench.org.requests().count("DELETE", "jobs"), more_jobs);
        let differences = bench.differences(phase, records).await;
        assert!(differences.is_empty(), "{differences:#?}");
    }
}

#[tokio::test]
async fn a_job_needs_enough_rows_and_rows_that_csv_can_say() {
    let mut bench = Bench::with(|options| options.audit_fields(true), "").await;
    bench.sink = sink(&bench, 3);
    bench
        .load("cases", records([conversation(1), conversation(2)]))
        .await;
    assert_eq!(jobs(&bench), 0, "two are too few");
    bench.load("contacts", people()).await;
    assert_eq!(jobs(&bench), 1);
    // Known recipients are a list of ids, which CSV cannot say.
    let to_ann = |n| mail(n, 1, "ann1@example.org", "ann2@example.org");
    let mails = records([to_ann(1), to_ann(2), to_ann(3)]);
    assert_eq!(bench.load("messages", mails).await, created(3));
    assert_eq!(jobs(&bench), 1);
}

#[tokio::test]
async fn without_dates_of_their_own_comments_keep_their_order_in_collections() {
    let mut bench = Bench::with(|options| options.audit_fields(false), "").await;
    bench.sink = sink(&bench, 1);
    bench
        .load("cases", records([conversation(1), conversation(2)]))
        .await;
    bench.org.clear_requests();
    assert_eq!(bench.load("messages", notes()).await, created(5));
    assert_eq!(jobs(&bench), 0);
}

#[tokio::test]
async fn whatever_goes_wrong_with_a_job_every_row_lands_once() {
    let named = |name: &str, times| Rule::new(Action::named(name)).times(times);
    let at = |method: &str, path: &str, action: Action| {
        Rule::new(action).method(method).path(path).times(1)
    };
    let lost = || {
        [
            Action::CutAfterAct,
            Action::CutBefore,
            Action::Html { code: 502 },
        ]
    };
    let mut rules = vec![
        named("bulk-slow", 1),
        named("bulk-fail-half", 1),
        named("bulk-lose-rows", 2),
        named("bulk-skip-rows", 2),
        named("bulk-no-content", 1),
        named("bulk-gone", 1),
        named("lock-row", 2),
        at("PUT", "/batches", refusing("CLIENTINPUTERROR")),
        at("GET", "Results", Action::CutBody { after_bytes: 150 }),
        at("GET", "/jobs/ingest/", Action::status(503)),
        at("DELETE", "/jobs/ingest/", Action::status(500)),
    ];
    for action in lost() {
        rules.push(at("POST", "/jobs/ingest", action.clone()));
        rules.push(at("PUT", "/batches", action.clone()));
        rules.push(at("PATCH", "/jobs/ingest/", action));
    }
    for (phase, object, records) in [
        ("contacts", "Contact", people()),
        ("messages", "CaseComment", notes()),
    ] {
        for rule in &rules {
            let bench = bench().await;
            bench.org.faults().set(vec![rule.clone()]);
            let verdicts = load_and_resume(&bench, phase, records.clone()).await;
            assert_eq!(verdicts, created(5), "{phase}: {rule:?}");
            assert_eq!(bench.dump(object).len(), 5, "{phase}: {rule:?}");
            bench.org.faults().clear();
            let differences = bench.differences(phase, records.clone()).await;
            assert!(
                differences.is_empty(),
                "{phase}: {rule:?}: {differences:#?}"
            );
        }
    }
}

#[tokio::test]
async fn of_a_job_that_failed_half_the_rest_goes_by_another_and_nothing_twice() {
    let bench = bench().await;
    bench
        .org
        .faults()
        .set(vec![Rule::new(Action::named("bulk-fail-half")).times(1)]);
    bench.org.clear_requests();
    assert_eq!(bench.load("contacts", people()).await, created(5));
    assert_eq!(bench.dump("Contact").len(), 5);
    assert_eq!(jobs(&bench), 2);
    let results = bench.org.requests().count("GET", "esults");
    assert_eq!(results, 4, "of a failed job too, what was done is taken");
}

#[tokio::test]
async fn a_row_that_no_result_set_holds_is_looked_for_before_it_is_sent_again() {
    for (fault, jobs_needed) in [("bulk-lose-rows", 1), ("bulk-skip-rows", 2)] {
        let bench = bench().await;
        bench
            .org
            .faults()
            .set(vec![Rule::new(Action::named(fault)).skip(2).times(1)]);
        bench.org.clear_requests();
        assert_eq!(
            bench.load("contacts", people()).await,
            created(5),
            "{fault}"
        );
        assert_eq!(bench.dump("Contact").len(), 5, "{fault}");
        assert_eq!(jobs(&bench), jobs_needed, "{fault}");
        let queries = bench.org.requests().count("GET", "/query");
        assert_eq!(
            queries, 2,
            "who was there before, and the row that is missing"
        );
    }
}

#[tokio::test]
async fn rows_that_somebody_else_holds_go_once_more_by_a_job_and_then_by_calls_one_after_the_other()
{
    let bench = bench().await;
    bench.org.faults().set(vec![
        Rule::new(Action::named("lock-row"))
            .path("Contact")
            .times(4),
    ]);
    bench.org.clear_requests();
    assert_eq!(bench.load("contacts", people()).await, created(5));
    assert_eq!(bench.dump("Contact").len(), 5);
    assert_eq!(jobs(&bench), 2, "all five, then the four that were locked");
    assert_eq!(bench.org.requests().count("POST", "composite"), 0);

    let held = bench.dump("Case")[0]["Id"].as_str().unwrap().to_owned();
    bench.org.faults().set(vec![
        Rule::new(Action::named("lock-row")).path(&held).times(5),
    ]);
    bench.org.clear_requests();
    assert_eq!(bench.load("messages", notes()).await, created(5));
    assert_eq!(jobs(&bench), 2);
    assert!(bench.org.requests().count("POST", "composite") > 0);
}

#[tokio::test]
async fn a_job_that_vanished_is_made_up_for_by_looking_for_its_rows() {
    let bench = bench().await;
    bench
        .org
        .faults()
        .set(vec![Rule::new(Action::named("bulk-gone"))]);
    bench.org.clear_requests();
    assert_eq!(bench.load("contacts", people()).await, created(5));
    assert_eq!(bench.dump("Contact").len(), 5);
    assert!(bench.org.requests().count("GET", "/query") > 0);
}

#[tokio::test]
async fn a_large_batch_of_collections_travels_side_by_side_and_every_row_lands_once() {
    let mut bench = Bench::with(|options| options.audit_fields(true), "").await;
    bench.sink = sink(&bench, 0);
    bench.org.faults().set(vec![
        Rule::new(Action::CutAfterAct)
            .method("POST")
            .path("composite")
            .skip(1)
            .times(1),
        Rule::new(Action::status(503))
            .method("POST")
            .path("composite")
            .skip(3)
            .times(1),
    ]);
    let many: Vec<Record> =
        records((1..=1_300).map(|n| contact(n, "Ann Lee", &format!("ann{n}@example.org"))));
    assert_eq!(bench.load("contacts", many).await, created(1_300));
    assert_eq!(bench.dump("Contact").len(), 1_300);
}

#[tokio::test]
async fn an_object_that_takes_no_job_goes_by_collections() {
    let bench = bench().await;
    bench.org.faults().set(vec![
        Rule::new(refusing("INVALIDENTITY"))
            .method("POST")
            .path("/jobs/ingest"),
    ]);
    bench.org.clear_requests();
    assert_eq!(bench.load("contacts", people()).await, created(5));
    assert_eq!(jobs(&bench), 0);
    assert_eq!(bench.org.requests().count("POST", "composite"), 1);
}

#[tokio::test]
async fn a_refused_row_fails_alone_with_the_platforms_words() {
    let bench = bench().await;
    bench.org.faults().set(vec![
        Rule::new(Action::named("lock-row")).path(bench.dump("Case")[0]["Id"].as_str().unwrap()),
    ]);
    let verdicts = bench.load("messages", notes()).await;
    let failed = verdicts
        .iter()
        .filter(|v| matches!(v, Verdict::Failed { code, .. } if code == "UNABLE_TO_LOCK_ROW"))
        .count();
    assert!((2..=3).contains(&failed), "{verdicts:?}");
    assert_eq!(bench.dump("CaseComment").len(), 5 - failed);
}

#[tokio::test]
async fn a_process_that_dies_takes_its_job_up_again_and_uploads_nothing_twice() {
    for (phase, object, records) in [
        ("contacts", "Contact", people()),
        ("messages", "CaseComment", notes()),
    ] {
        let mut bench = bench().await;
        bench.org.clear_requests();
        bench.journal.die_after_sending(true);
        let error = bench.try_load(phase, records.clone()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Storage);
        bench.journal.die_after_sending(false);
        bench.sink = sink(&bench, 1);
        assert_eq!(bench.load(phase, records).await, created(5), "{phase}");
        assert_eq!(bench.dump(object).len(), 5, "{phase}");
        assert_eq!(jobs(&bench), 1, "{phase}");
        assert_eq!(
            bench.org.requests().count("POST", "composite"),
            0,
            "{phase}"
        );
    }
}

#[tokio::test]
async fn a_job_that_was_never_handed_over_is_ended_and_its_rows_go_by_another() {
    let quota = Action::Status {
        code: 403,
        headers: Vec::new(),
        body:
            r#"[{"errorCode":"REQUEST_LIMIT_EXCEEDED","message":"TotalRequests Limit exceeded."}]"#
                .into(),
        content_type: Some("application/json".into()),
    };
    for (phase, object, records) in [
        ("contacts", "Contact", people()),
        ("messages", "CaseComment", notes()),
    ] {
        for (method, path) in [("PUT", "/batches"), ("PATCH", "/jobs/ingest/")] {
            let mut bench = bench().await;
            let rule = Rule::new(quota.clone()).method(method).path(path).times(1);
            bench.org.faults().set(vec![rule]);
            let error = bench.try_load(phase, records.clone()).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Quota, "{error}");
            assert!(bench.dump(object).is_empty());
            bench.sink = sink(&bench, 1);
            bench.org.clear_requests();
            assert_eq!(
                bench.load(phase, records.clone()).await,
                created(5),
                "{phase} {method}"
            );
            assert_eq!(bench.dump(object).len(), 5, "{phase} {method}");
            assert_eq!(jobs(&bench), 1, "{phase} {method}");
            assert_eq!(
                bench.org.requests().count("PATCH", "jobs"),
                2,
                "one job is ended, another handed over"
            );
        }
    }
}
