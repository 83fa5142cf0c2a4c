//! Bad input, wrong credentials, broken answers: a clear error or a whole migration, never a lost record.

use std::sync::Arc;

use deskferry::kayako::{Kayako, KayakoConfig};
use deskferry::migration::{Migration, Workspace};
use deskferry::rehearsal::fault::Action;
use deskferry::rehearsal::kayako::{KayakoOptions, RateLimit, StaleSession};
use deskferry::rehearsal::org::OrgOptions;
use deskferry::rehearsal::world::{Role, WorldSpec};
use deskferry::salesforce::{Mapping, Salesforce, SalesforceConfig};
use deskferry::{Context, ErrorKind};

use super::program::Program;
use super::scene::{ALL_SCENARIOS, Scene, mapping_text};

fn small() -> WorldSpec {
    WorldSpec::new(3, 12)
}

async fn kayako_scene(with: impl FnOnce(KayakoOptions) -> KayakoOptions) -> Scene {
    Scene::with(small(), with, |options| options).await
}

async fn org_scene(with: impl FnOnce(OrgOptions) -> OrgOptions) -> Scene {
    Scene::with(small(), |options| options, with).await
}

/// The run goes through in spite of it, and the org holds what the world says.
async fn goes_through(scene: &Scene) {
    let report = scene.run().await.unwrap();
    assert!(report.complete, "{}", report.summary());
    scene.assert_exact();
}

// ── The helpdesk's side ─────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_does_not_exist_is_named_as_such() {
    let scene = kayako_scene(|mut options| {
        options.exists = false;
        options
    })
    .await;
    let error = scene.run().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoSuchInstance, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_does_not_answer_is_named_with_what_to_check() {
    let scene = Scene::small().await;
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let ended = Program::of(&scene)
        .env("KAYAKO_URL", format!("http://{closed}"))
        .run(&["run"])
        .await;
    assert_eq!(ended.code, Some(9), "{}", ended.output);
    assert!(ended.output.contains("error:"), "{}", ended.output);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_tried_exactly_once() {
    let scene = Scene::small().await;
    let ended = Program::of(&scene)
        .env("KAYAKO_PASSWORD", "wrong")
        .run(&["run"])
        .await;
    assert_eq!(ended.code, Some(3), "{}", ended.output);
    assert_eq!(
        scene.kayako.requests().count("GET", "session"),
        1,
        "{:?}",
        scene.kayako.requests().counts
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_one_time_password_and_an_expired_one_wait_for_a_person() {
    let otp = kayako_scene(|mut options| {
        options.otp = Some("123456".into());
        options
    })
    .await;
    let expired = kayako_scene(|mut options| {
        options.password_expired = true;
        options
    })
    .await;
    for scene in [otp, expired] {
        let error = scene.run().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Interactive, "{error}");
        assert!(error.advice().is_some(), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_end_in_mid_run_are_renewed_on_both_sides() {
    for stale in [StaleSession::Status454, StaleSession::Status401] {
        let scene = Scene::with(
            small(),
            |mut options| {
                options.session_calls = Some(9);
                options.stale_session = stale;
                options
            },
            |options| options.session_calls(7),
        )
        .await;
        goes_through(&scene).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_is_obeyed_whether_or_not_it_says_how_long() {
    for retry_after in [true, false] {
        let scene = kayako_scene(|mut options| {
            options.rate_limit = Some(RateLimit {
                requests: 12,
                window: std::time::Duration::from_millis(900),
                retry_after,
            });
            options
        })
        .await;
        let report = scene.run().await.unwrap();
        assert!(
            report.meter.iter().map(|row| row.throttled).sum::<u64>() > 0,
            "the limit was never met"
        );
        scene.assert_exact();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_answers_of_the_helpdesk_are_asked_for_again() {
    let faults = [
        ("/cases", 1, Action::status(500)),
        ("/posts", 3, Action::status(502)),
        ("/posts", 5, Action::Html { code: 503 }),
        ("/users", 0, Action::CutBefore),
        ("/posts", 7, Action::CutBody { after_bytes: 40 }),
        ("/organizations", 0, Action::CutAfterAct),
        ("/attachments/", 0, Action::CutBody { after_bytes: 3 }),
        ("/media/url/", 0, Action::status(504)),
    ];
    let scene = Scene::small().await;
    for (path, skip, action) in faults {
        scene.break_kayako(path, skip, 1, action);
    }
    goes_through(&scene).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn html_with_status_200_is_an_error_that_says_so_and_a_resume_goes_on() {
    let scene = Scene::small().await;
    scene.break_kayako("/posts", 2, 1, Action::Html { code: 200 });
    let error = scene.run().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode, "{error}");
    assert!(
        error.to_string().contains("the answer is not JSON"),
        "{error}"
    );
    scene.resume().await.unwrap();
    scene.assert_exact();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_comes_twice_loses_and_doubles_nothing() {
    let scene = Scene::with(WorldSpec::new(5, 240), |options| options, |options| options).await;
    scene.break_kayako("/cases", 0, 1, Action::named("repeat-page"));
    if let Err(error) = scene.run().await {
        assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
        scene.resume().await.unwrap();
    }
    scene.assert_exact();
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_words_and_nulls_cost_no_record() {
    let scene = Scene::small().await;
    let case = scene.kayako.world().conversation(0).unwrap().id;
    for change in [
        "null:/source_channel",
        "null:/requester",
        "null:/status",
        "set:/portal=MOON",
        "null:/custom_fields",
    ] {
        let rule = deskferry::rehearsal::fault::Rule::new(Action::named(change))
            .path(format!("case:{case};"));
        scene.kayako.faults().push(rule);
    }
    let report = scene.run().await.unwrap();
    let cases = report.phases.iter().find(|p| p.phase == "cases").unwrap();
    assert_eq!(
        (cases.created, cases.rejected),
        (cases.read, 0),
        "{}",
        report.summary()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_broken_at_the_source_is_named_and_the_rest_arrives() {
    let scene = Scene::with(
        WorldSpec::new(7, ALL_SCENARIOS).hostile(),
        |options| options,
        |options| options,
    )
    .await;
    let report = scene.run().await.unwrap();
    assert!(report.complete, "{}", report.summary());
    for phase in &report.phases {
        assert_eq!(phase.settled(), phase.read, "{phase:?}");
    }
    assert!(
        report.reasons.iter().any(|r| r.reason == "UNAVAILABLE"),
        "{}",
        report.summary()
    );
    scene.assert_exact();
    let verified = scene.verify().await.unwrap();
    assert!(verified.verified(), "{}", verified.summary());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_sees_too_little_is_warned_about() {
    let scene = kayako_scene(|mut options| {
        options.role = Role::Agent;
        options
    })
    .await;
    match scene.run().await {
        Ok(report) => assert!(
            report
                .notes
                .iter()
                .any(|n| n.to_lowercase().contains("role")),
            "{:?}",
            report.notes
        ),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Forbidden, "{error}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_that_vanishes_between_list_and_posts_stays_as_it_was_listed() {
    let scene = Scene::small().await;
    let case = scene.kayako.world().conversation(4).unwrap().id;
    scene.break_kayako(&format!("/cases/{case}/posts"), 0, 9, not_found());
    let report = scene.run().await.unwrap();
    let cases = report.phases.iter().find(|p| p.phase == "cases").unwrap();
    assert_eq!(cases.created, cases.read, "{}", report.summary());
    assert!(
        report.rejects.iter().any(|r| r.reason.contains("vanished")),
        "{:?}",
        report.rejects
    );
}

fn not_found() -> Action {
    Action::Status {
        code: 404,
        headers: Vec::new(),
        body: r#"{"status":404,"errors":[{"code":"RESOURCE_NOT_FOUND","message":"gone"}]}"#.into(),
        content_type: None,
    }
}

// ── The org's side ──────────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test(flavor = "multi_thread")]
async fn answers_lost_after_the_act_double_nothing() {
    let writes = [
        ("POST", "/composite/sobjects", 0),
        ("POST", "/composite/sobjects", 1),
        ("POST", "/composite/sobjects", 2),
        ("POST", "/composite/sobjects", 3),
        ("POST", "/composite/sobjects", 4),
        ("POST", "/composite/sobjects", 5),
        ("POST", "/sobjects/ContentVersion", 0),
        ("POST", "/sobjects/ContentVersion", 3),
    ];
    for (method, path, skip) in writes {
        let scene = Scene::small().await;
        scene.break_org(method, path, skip, 1, Action::CutAfterAct);
        if scene.run().await.is_err() {
            scene.resume().await.unwrap();
        }
        scene.assert_exact();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_of_the_org_is_waited_out() {
    let scene = Scene::small().await;
    scene.break_org("GET", "/query", 0, 1, Action::status(503));
    scene.break_org("GET", "/describe", 1, 1, Action::Html { code: 502 });
    scene.break_org(
        "POST",
        "/composite/sobjects",
        1,
        2,
        Action::named("lock-row"),
    );
    scene.break_org("POST", "/composite/sobjects", 2, 1, Action::CutBefore);
    if scene.run().await.is_err() {
        scene.resume().await.unwrap();
    }
    scene.assert_exact();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_knows_its_users_by_their_invalid_addresses() {
    let scene = org_scene(|options| options.is_sandbox(true)).await;
    goes_through(&scene).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mapping_that_names_a_missing_field_stops_before_anything_is_written() {
    let scene = Scene::small().await;
    let text = mapping_text().replace(
        "[Case.fields]\n",
        "[Case.fields]\nNo_Such_Field__c = { from = \"number\" }\n",
    );
    std::fs::write(scene.workspace().join("mapping.toml"), &text).unwrap();
    let line = 1 + text
        .lines()
        .position(|l| l.starts_with("No_Such_Field__c"))
        .unwrap();
    let ended = Program::of(&scene).run(&["run"]).await;
    assert_eq!(ended.code, Some(2), "{}", ended.output);
    assert!(
        ended.output.contains("No_Such_Field__c") && ended.output.contains(&format!("line {line}")),
        "{}",
        ended.output
    );
    assert_eq!(scene.org.requests().count("POST", "composite"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_of_the_org_are_tried_once() {
    let scene = Scene::small().await;
    let ended = Program::of(&scene)
        .env("SALESFORCE_CLIENT_SECRET", "wrong")
        .run(&["run"])
        .await;
    assert_eq!(ended.code, Some(3), "{}", ended.output);
    assert_eq!(
        scene.org.requests().count("POST", "token"),
        1,
        "{:?}",
        scene.org.requests().counts
    );
}

// ── The workspace's side ────────────────────────────────────────────────────────────────────────────────────────────

#[tokio::test(flavor = "multi_thread")]
async fn a_resume_against_another_org_or_tenant_is_refused() {
    let scene = Scene::small().await;
    scene.run().await.unwrap();
    let other = Scene::with(
        small(),
        |mut options| {
            options.instance = "other".into();
            options
        },
        |options| options,
    )
    .await;
    let cx = Context::new();
    let to_other_org = Migration::new(
        Workspace::open(&scene.workspace()).unwrap(),
        scene.source(),
        other.sink(),
    );
    let error = to_other_org.resume(&cx).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Mismatch, "{error}");
    drop(to_other_org);
    let from_other_tenant = Migration::new(
        Workspace::open(&scene.workspace()).unwrap(),
        other.source(),
        scene.sink(),
    );
    let error = from_other_tenant.resume(&cx).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Mismatch, "{error}");
    assert!(error.to_string().contains("kayako:other"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_on_a_workspace_in_use_is_refused() {
    let scene = Scene::small().await;
    let held = Workspace::open(&scene.workspace()).unwrap();
    let ended = Program::of(&scene).run(&["run"]).await;
    assert_eq!(ended.code, Some(12), "{}", ended.output);
    assert!(
        ended.output.contains("another run has it open"),
        "{}",
        ended.output
    );
    drop(held);
}

#[test]
fn plain_http_goes_to_this_machine_only() {
    let kayako = KayakoConfig::builder("http://desk.example.org", "a@example.org", "x").build();
    let error = kayako.and_then(Kayako::new).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    let config = SalesforceConfig::builder("http://org.example.org")
        .access_token("x")
        .build();
    let mapping = || Mapping::parse(Mapping::default_text()).unwrap();
    let error = config
        .and_then(|c| Salesforce::new(c, mapping()))
        .map(drop)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_can_be_spawned_and_cancelled_from_outside() {
    let scene = Scene::small().await;
    let migration = Arc::new(scene.migration());
    let cx = Context::new();
    let (running, stop) = (Arc::clone(&migration), cx.clone());
    let handle = tokio::spawn(async move { running.run(&cx).await });
    stop.cancel();
    let error = handle.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}");
    drop(migration);
    if scene.begun() {
        scene.resume().await.unwrap();
    } else {
        scene.run().await.unwrap();
    }
    scene.assert_exact();
}
