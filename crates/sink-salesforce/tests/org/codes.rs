//! What the platform refuses, code by code, and what becomes of the rows: judged by what stands in the org.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use deskferry_core::context::{Clock, Context};
use deskferry_core::error::ErrorKind;
use deskferry_core::sink::Verdict;
use deskferry_rehearsal::fault::{Action, Rule};
use deskferry_sink_salesforce::{Mapping, Salesforce, SalesforceConfig};
use serde_json::json;

use crate::bench::*;

/// How an answer comes: as the whole call's, or as the only row's.
#[derive(Clone, Copy, Debug, PartialEq)]
enum As {
    Call(u16),
    Row,
}

/// What becomes of the rows.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ends {
    /// They stand once.
    Standing,
    /// Refused for good, with this very code.
    Refused,
    /// The run ends; a later one makes them.
    Stopped(ErrorKind),
}

use As::{Call, Row};
use Ends::{Refused, Standing, Stopped};

const TABLE: &[(&str, &str, As, Ends)] = &[
    (
        "INVALID_SESSION_ID",
        "Session expired or invalid",
        Call(401),
        Standing,
    ),
    (
        "INVALID_AUTH_HEADER",
        "INVALID_HEADER_TYPE",
        Call(401),
        Standing,
    ),
    (
        "REQUEST_LIMIT_EXCEEDED",
        "TotalRequests Limit exceeded.",
        Call(403),
        Stopped(ErrorKind::Quota),
    ),
    (
        "REQUEST_LIMIT_EXCEEDED",
        "ConcurrentRequests (Concurrent API Requests) Limit exceeded.",
        Call(403),
        Standing,
    ),
    (
        "STORAGE_LIMIT_EXCEEDED",
        "storage limit exceeded",
        Call(403),
        Stopped(ErrorKind::Quota),
    ),
    (
        "STORAGE_LIMIT_EXCEEDED",
        "storage limit exceeded",
        Row,
        Stopped(ErrorKind::Quota),
    ),
    (
        "API_DISABLED_FOR_ORG",
        "API is not enabled",
        Call(403),
        Stopped(ErrorKind::Forbidden),
    ),
    (
        "API_CURRENTLY_DISABLED",
        "API is currently disabled",
        Call(403),
        Stopped(ErrorKind::Forbidden),
    ),
    (
        "UNABLE_TO_LOCK_ROW",
        "unable to obtain exclusive access to this record",
        Call(400),
        Standing,
    ),
    (
        "UNABLE_TO_LOCK_ROW",
        "unable to obtain exclusive access to this record",
        Row,
        Standing,
    ),
    ("SERVER_UNAVAILABLE", "Server too busy", Call(503), Standing),
    (
        "UNKNOWN_EXCEPTION",
        "An unexpected error occurred",
        Call(500),
        Standing,
    ),
    (
        "UNKNOWN_EXCEPTION",
        "An unexpected error occurred",
        Row,
        Standing,
    ),
    (
        "QUERY_TIMEOUT",
        "Your query request was running for too long",
        Row,
        Standing,
    ),
    ("TOO_MANY_APEX_REQUESTS", "too many", Row, Standing),
    (
        "PROCESSING_HALTED",
        "The transaction was rolled back",
        Row,
        Standing,
    ),
    (
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
        "Record rolled back",
        Row,
        Standing,
    ),
    (
        "DUPLICATE_VALUE",
        "duplicate value found: Other__c duplicates value on record with id: 003000000000001",
        Row,
        Refused,
    ),
    (
        "DUPLICATE_EXTERNAL_ID",
        "more than one record found",
        Row,
        Refused,
    ),
    (
        "DUPLICATES_DETECTED",
        "Use one of these records?",
        Row,
        Refused,
    ),
    (
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
        "T: System.NullPointerException",
        Row,
        Refused,
    ),
    (
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
        "T: first error: UNABLE_TO_LOCK_ROW, unable to obtain exclusive access: []",
        Row,
        Standing,
    ),
    (
        "CANNOT_EXECUTE_FLOW_TRIGGER",
        "first error: QUERY_TIMEOUT, x",
        Row,
        Standing,
    ),
    (
        "CANNOT_EXECUTE_FLOW_TRIGGER",
        "the flow failed",
        Row,
        Refused,
    ),
    (
        "APEX_ERROR",
        "System.LimitException: Apex CPU time limit exceeded",
        Row,
        Refused,
    ),
    ("EXCEEDED_MAX_SIZE_REQUEST", "too large", Call(400), Refused),
    ("OPERATION_TOO_LARGE", "too large", Call(400), Refused),
    (
        "REQUIRED_FIELD_MISSING",
        "Required fields are missing: [X]",
        Row,
        Refused,
    ),
    ("STRING_TOO_LONG", "data value too large", Row, Refused),
    (
        "INVALID_EMAIL_ADDRESS",
        "invalid email address",
        Row,
        Refused,
    ),
    (
        "NUMBER_OUTSIDE_VALID_RANGE",
        "value outside of valid range",
        Row,
        Refused,
    ),
    (
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        "bad value",
        Row,
        Refused,
    ),
    (
        "FIELD_INTEGRITY_EXCEPTION",
        "Last Modified Date before Create Date",
        Row,
        Refused,
    ),
    ("FIELD_CUSTOM_VALIDATION_EXCEPTION", "no", Row, Refused),
    ("FIELD_FILTER_VALIDATION_EXCEPTION", "no", Row, Refused),
    ("TEXT_DATA_OUTSIDE_SUPPORTED_CHARSET", "no", Row, Refused),
    (
        "INVALID_CROSS_REFERENCE_KEY",
        "invalid cross reference id",
        Row,
        Refused,
    ),
    (
        "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY",
        "no",
        Row,
        Refused,
    ),
    ("INSUFFICIENT_ACCESS_OR_READONLY", "no", Row, Refused),
    (
        "INACTIVE_OWNER_OR_USER",
        "operation performed with inactive user",
        Row,
        Refused,
    ),
    ("INVALID_FIELD", "No such column", Row, Refused),
    (
        "INVALID_FIELD_FOR_INSERT_UPDATE",
        "Unable to create/update fields",
        Row,
        Refused,
    ),
    (
        "INVALID_TYPE",
        "sObject type is not supported",
        Row,
        Refused,
    ),
    ("MALFORMED_ID", "id value of incorrect type", Row, Refused),
    (
        "JSON_PARSER_ERROR",
        "Unexpected character",
        Call(400),
        Refused,
    ),
    ("ENTITY_IS_DELETED", "entity is deleted", Row, Refused),
    ("NOT_FOUND", "not found", Row, Refused),
    ("SOMETHING_NEW", "of next year", Row, Refused),
];

fn answer(code: &str, message: &str, how: As) -> Action {
    let (status, body) = match how {
        Call(status) => (status, json!([{"errorCode": code, "message": message}])),
        Row => (
            200,
            json!([{"success": false, "errors": [{"statusCode": code, "message": message, "fields": []}]}]),
        ),
    };
    Action::Status {
        code: status,
        headers: Vec::new(),
        body: body.to_string(),
        content_type: Some("application/json".into()),
    }
}

#[tokio::test]
async fn every_code_of_the_table_ends_as_its_class_says() {
    let bench = Bench::new().await;
    bench
        .load(
            "contacts",
            records([contact(1, "First", "first@example.org")]),
        )
        .await;
    let mut standing = 1;
    for (n, (code, message, how, ends)) in TABLE.iter().enumerate() {
        let case = format!("{code} ({message}) as {how:?}");
        let person = || {
            let id = n as u32 + 100;
            records([contact(id, "Ann Lee", &format!("ann{id}@example.org"))])
        };
        bench.org.faults().set(vec![
            Rule::new(answer(code, message, *how))
                .method("POST")
                .path("/composite/sobjects")
                .times(1),
        ]);
        let loaded = bench.try_load("contacts", person()).await;
        bench.org.faults().clear();
        match (ends, loaded) {
            (Standing, Ok(verdicts)) => assert_eq!(verdicts, [Verdict::Created], "{case}"),
            (Refused, Ok(verdicts)) => assert!(
                matches!(&verdicts[..], [Verdict::Failed { code: told, .. }] if told == code),
                "{case}: {verdicts:?}"
            ),
            (Stopped(kind), Err(error)) => {
                assert_eq!(error.kind(), *kind, "{case}: {error}");
                assert!(error.advice().is_some(), "{case}: {error}");
                assert_eq!(bench.dump("Contact").len(), standing, "{case}");
                assert_eq!(
                    bench.load("contacts", person()).await,
                    [Verdict::Created],
                    "{case}"
                );
            }
            (_, other) => panic!("{case} ended as {other:?}"),
        }
        standing += usize::from(*ends != Refused);
        assert_eq!(bench.dump("Contact").len(), standing, "{case}");
    }
}

#[tokio::test]
async fn a_load_stops_before_the_days_requests_are_used_up_and_goes_on_another_day() {
    let mut bench = Bench::with(|options| options.daily_api_requests(400), "").await;
    let sink = |share: u8| {
        let config = SalesforceConfig::builder(bench.org.url())
            .access_token(TOKEN)
            .daily_share(share)
            .build()
            .unwrap();
        Salesforce::new(config, Mapping::parse(Mapping::default_text()).unwrap()).unwrap()
    };
    let (short, long) = (sink(10), sink(90));
    bench.sink = short;
    let person = |n: u32| records([contact(n, "Ann Lee", &format!("ann{n}@example.org"))]);
    let mut loaded = 0;
    let error = loop {
        match bench.try_load("contacts", person(loaded + 1)).await {
            Ok(verdicts) => assert_eq!(verdicts, [Verdict::Created]),
            Err(error) => break error,
        }
        loaded += 1;
        assert!(loaded < 40, "nothing stopped it");
    };
    assert_eq!(error.kind(), ErrorKind::Quota, "{error}");
    let said = error.to_string();
    assert!(
        said.contains("of the 400 requests") && said.contains(" UTC on"),
        "{said}"
    );
    // What needs no session is not counted.
    assert!(
        bench.org.requests().total <= 43,
        "{}",
        bench.org.requests().total
    );
    assert_eq!(bench.dump("Contact").len() as u32, loaded);
    // Another day, or more of this one.
    bench.sink = long;
    assert_eq!(
        bench.load("contacts", person(loaded + 1)).await,
        [Verdict::Created]
    );
    assert_eq!(bench.dump("Contact").len() as u32, loaded + 1);
}

#[tokio::test]
async fn an_org_that_is_older_than_we_are_is_spoken_to_in_its_own_version() {
    let bench = Bench::new().await;
    let body = json!([{"version": "9.0"}, {"version": "64.0"}, {"version": "65.0"}]);
    bench.org.faults().set(vec![
        Rule::new(Action::Status {
            code: 200,
            headers: Vec::new(),
            body: body.to_string(),
            content_type: Some("application/json".into()),
        })
        .path("/services/data")
        .times(1),
    ]);
    bench
        .load(
            "contacts",
            records([contact(1, "Ann Lee", "ann@example.org")]),
        )
        .await;
    bench.only("Contact");
    let recent = bench.org.requests().recent;
    let spoken = |path: &str| path.contains("/services/data/v");
    let versions: Vec<&str> = recent
        .iter()
        .map(|entry| entry.path.as_str())
        .filter(|path| spoken(path))
        .collect();
    assert!(!versions.is_empty());
    assert!(
        versions.iter().all(|path| path.contains("/v65.0/")),
        "{versions:?}"
    );
}

/// A clock that somebody puts forward.
#[derive(Debug, Default)]
struct Watch {
    minutes: AtomicI64,
}

#[async_trait]
impl Clock for Watch {
    fn now(&self) -> DateTime<Utc> {
        Utc::now() + TimeDelta::minutes(self.minutes.load(Ordering::Relaxed))
    }

    async fn sleep(&self, _duration: Duration) {}
}

#[tokio::test]
async fn the_orgs_limits_are_looked_at_now_and_then() {
    let mut bench = Bench::new().await;
    let clock = Arc::new(Watch::default());
    bench.cx = Context::new().with_clock(Arc::clone(&clock) as Arc<dyn Clock>);
    let person = |n: u32| records([contact(n, "Ann Lee", &format!("ann{n}@example.org"))]);
    bench.load("contacts", person(1)).await;
    // A request that a rule answers has no route.
    let looked = || {
        let requests = bench.org.requests();
        let of = requests
            .counts
            .iter()
            .filter(|c| c.route == "-" || c.route.ends_with("/limits"));
        of.map(|c| c.requests).sum::<u64>()
    };
    assert_eq!(looked(), 0, "the headers tell enough of a short run");
    clock.minutes.store(16, Ordering::Relaxed);
    // Without the right to see them the load goes on all the same.
    let hidden = Rule::new(Action::status(403)).path("/limits").times(1);
    bench.org.faults().set(vec![hidden]);
    bench.load("contacts", person(2)).await;
    assert_eq!(looked(), 1);
    bench.load("contacts", person(3)).await;
    assert_eq!(looked(), 1, "once in a while is enough");
    assert_eq!(bench.dump("Contact").len(), 3);
}
