//! What is refused before or while rows are sent.

use deskferry_core::error::ErrorKind;
use deskferry_core::sink::{Sink, Verdict};
use deskferry_rehearsal::fault::{Action, Rule};
use deskferry_sink_salesforce::{Mapping, Salesforce, SalesforceConfig};

use crate::bench::*;

#[tokio::test]
async fn a_mapping_that_does_not_fit_stops_the_run_with_its_lines() {
    let bench = Bench::new().await;
    let text = Mapping::default_text().replace("Source_Team__c", "Team_That_Is_Not__c");
    let config = SalesforceConfig::builder(bench.org.url())
        .access_token(TOKEN)
        .build()
        .unwrap();
    let sink = Salesforce::new(config, Mapping::parse(&text).unwrap()).unwrap();
    let error = sink.check(&bench.cx).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    let line = text[..text.find("Team_That_Is_Not__c").unwrap()]
        .matches('\n')
        .count()
        + 1;
    assert!(
        error.to_string().contains(&format!(
            "line {line}: Case.Team_That_Is_Not__c does not exist"
        )),
        "{error}"
    );
}

#[tokio::test]
async fn wrong_credentials_versions_and_hosts_are_told_apart() {
    let bench = Bench::new().await;
    let at = || SalesforceConfig::builder(bench.org.url());
    let nobody = SalesforceConfig::builder("http://127.0.0.1:9");
    for (builder, kind) in [
        (
            at().client_credentials("wrong", "rehearsal-secret"),
            ErrorKind::Credentials,
        ),
        (
            at().client_credentials("rehearsal-client", "wrong"),
            ErrorKind::Credentials,
        ),
        (
            at().access_token(TOKEN).api_version("99.0"),
            ErrorKind::Config,
        ),
        (
            at().access_token(TOKEN).legacy_owner("nobody@example.org"),
            ErrorKind::Config,
        ),
        (nobody.access_token(TOKEN), ErrorKind::Unavailable),
    ] {
        let sink = Salesforce::new(
            builder.build().unwrap(),
            Mapping::parse(Mapping::default_text()).unwrap(),
        )
        .unwrap();
        let error = sink.check(&bench.cx).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
    let plain = SalesforceConfig::builder("http://org.example.org")
        .access_token(TOKEN)
        .build()
        .unwrap();
    let refused =
        Salesforce::new(plain, Mapping::parse(Mapping::default_text()).unwrap()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Config);
}

#[tokio::test]
async fn a_page_instead_of_an_answer_is_no_org() {
    let bench = Bench::new().await;
    bench.org.faults().set(vec![
        Rule::new(Action::Html { code: 200 }).path("/services/data"),
    ]);
    let error = bench.sink.check(&bench.cx).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoSuchInstance, "{error}");
}

#[tokio::test]
async fn a_row_that_is_refused_fails_alone_with_the_platforms_words() {
    let bench = Bench::with(
        |options| options.picklist_value("Case", "Status", "Odd", false),
        "",
    )
    .await;
    bench.sink.check(&bench.cx).await.unwrap();
    bench.load("cases", records([conversation(1)])).await;
    let mut broken = mail(1, 1, "ann@example.org", "help@example.com");
    // The one key of the org that another row holds already.
    bench
        .load(
            "messages",
            records([mail(2, 1, "ann@example.org", "help@example.com")]),
        )
        .await;
    broken.subject = Some("fine".into());
    let row = bench.dump("Case")[0]["Id"].as_str().unwrap().to_owned();
    let body = r#"[{"success":true,"id":"02s000000000001AAA","errors":[]},{"success":false,"errors":[{"statusCode":"FIELD_CUSTOM_VALIDATION_EXCEPTION","message":"no mails on Mondays","fields":[]}]}]"#;
    let mixed = Action::Status {
        code: 200,
        headers: Vec::new(),
        body: body.into(),
        content_type: None,
    };
    bench.org.faults().set(vec![
        Rule::new(mixed)
            .method("POST")
            .path("/composite/sobjects")
            .times(1),
    ]);
    let verdicts = bench
        .load(
            "messages",
            records([broken, mail(3, 1, "bob@example.org", "help@example.com")]),
        )
        .await;
    assert_eq!(
        verdicts,
        [
            Verdict::Created,
            Verdict::failed("FIELD_CUSTOM_VALIDATION_EXCEPTION", "no mails on Mondays")
        ],
        "{row}"
    );
}

#[tokio::test]
async fn code_of_the_org_that_fails_a_whole_call_is_narrowed_down_to_its_rows() {
    let bench = Bench::new().await;
    bench.sink.check(&bench.cx).await.unwrap();
    let apex = r#"{"success":false,"errors":[{"statusCode":"CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY","message":"trigger: System.NullPointerException","fields":[]}]}"#;
    let body = format!("[{}]", [apex; 4].join(","));
    let whole = Action::Status {
        code: 200,
        headers: Vec::new(),
        body,
        content_type: None,
    };
    let single = Action::Status {
        code: 200,
        headers: Vec::new(),
        body: format!("[{apex},{apex}]"),
        content_type: None,
    };
    let last = Action::Status {
        code: 200,
        headers: Vec::new(),
        body: format!("[{apex}]"),
        content_type: None,
    };
    let write = |action| {
        Rule::new(action)
            .method("POST")
            .path("/composite/sobjects")
            .times(1)
    };
    bench
        .org
        .faults()
        .set(vec![write(whole), write(single), write(last)]);
    let contacts = records((1..=4).map(|n| contact(n, "Ann Lee", &format!("a{n}@example.org"))));
    let verdicts = bench.load("contacts", contacts).await;
    let failed = verdicts
        .iter()
        .filter(|v| matches!(v, Verdict::Failed { .. }))
        .count();
    assert_eq!(
        (failed, bench.dump("Contact").len()),
        (1, 3),
        "{verdicts:?}"
    );
}
