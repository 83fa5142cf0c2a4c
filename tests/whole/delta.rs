//! A later pass brings what is new, leaves alone what was loaded, and costs no write where nothing changed.

use std::sync::Arc;

use chrono::{TimeDelta, Utc};
use deskferry::core::context::RuntimeClock;
use deskferry::core::http::{Client, Request};
use deskferry::rehearsal::world::{ConversationState, MessageKind, WorldSpec};
use deskferry::report::Report;
use deskferry::{Context, ErrorKind};

use serde_json::{Value, json};

use super::program::Program;
use super::rollback::{Colleague, PASSWORD};
use super::scene::{ALL_SCENARIOS, Scene};

async fn delta(scene: &Scene) -> Report {
    scene.migration().delta(&Context::new()).await.unwrap()
}

/// Requests by which rows are made or removed.
fn writes(scene: &Scene) -> u64 {
    let counts = scene.org.requests().counts.into_iter();
    let writing = counts.filter(|c| {
        let reads = c.route.ends_with("{object}") || c.route.contains("oauth2");
        c.method != "GET" && !reads
    });
    writing.map(|c| c.requests).sum()
}

/// The conversations that lists show, in which somebody chatted.
pub(super) fn chats(scene: &Scene) -> Vec<u64> {
    let shown = scene.kayako.world().conversations().filter(|c| {
        c.state == ConversationState::Active
            && c.merged_into.is_none()
            && c.messages
                .iter()
                .any(|m| matches!(m.kind, MessageKind::Chat))
    });
    shown.map(|c| c.id).collect()
}

pub(super) fn say_more(scene: &Scene, case: u64, id: u64) {
    let world = scene.kayako.world();
    let said = &world.conversation_by_id(case).unwrap().messages;
    let chat = said.iter().find(|m| matches!(m.kind, MessageKind::Chat));
    let mut more = chat.unwrap().clone();
    more.id = id;
    more.files.clear();
    more.images.clear();
    more.sent = Utc::now();
    scene.kayako.add_post(case, more).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delta_brings_what_is_new_and_tells_what_changed() {
    let scene = Scene::new().await;
    let loaded = scene.run().await.unwrap();
    assert!(loaded.changed.is_empty(), "{:?}", loaded.changed);
    let cases = scene.org.dump("Case").unwrap();
    let chats = chats(&scene);
    say_more(&scene, chats[0], 9_999_999);
    scene.kayako.touch(chats[1]).unwrap();

    let report = delta(&scene).await;
    assert!(report.complete, "{}", report.summary());
    assert_ne!(report.mark, loaded.mark, "its rows are known as its own");
    let changed: Vec<_> = report
        .changed
        .iter()
        .map(|c| (c.kind.as_str(), c.count))
        .collect();
    assert_eq!(changed, [("conversation", 2)], "their times of change");
    assert!(
        report
            .summary()
            .contains("left as they were loaded: 2 of kind conversation")
    );
    assert_eq!(
        scene.org.dump("Case").unwrap(),
        cases,
        "no case was written"
    );

    // The world does not know of the new message; all else is as it was.
    let differences = scene.differences();
    let new: Vec<_> = differences
        .iter()
        .map(|d| (d.object.as_str(), d.field.as_str()))
        .collect();
    assert_eq!(new, [("CaseComment", "row")], "{differences:?}");
    let key = format!("kayako:acme:conversation:{}", chats[0]);
    let case = cases
        .iter()
        .find(|row| row["Source_Key__c"] == key.as_str())
        .unwrap();
    let comments = scene.org.dump("CaseComment").unwrap();
    let last = comments
        .iter()
        .max_by_key(|row| row["CreatedDate"].as_str().unwrap())
        .unwrap();
    assert_eq!(
        last["ParentId"], case["Id"],
        "below the case that was there"
    );
    let verified = scene.verify().await.unwrap();
    assert!(verified.verified(), "{}", verified.summary());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delta_makes_changed_conversations_anew_though_it_is_killed() {
    let scene = Scene::new().await;
    let program = || Program::of(&scene);
    let ran = program().run(&["run"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.output);
    let before = scene.org.dump("Case").unwrap();
    let chats = chats(&scene);
    for case in &chats[1..4] {
        scene.kayako.touch(*case).unwrap();
    }
    let verb = ["delta", "--changed", "recreate"];
    let killed = program()
        .env("DESKFERRY_KILL_AT", "renewal-answered:6")
        .run(&verb)
        .await;
    assert_eq!(killed.code, None, "{}", killed.output);
    let resumed = program().run(&["resume"]).await;
    assert_eq!(resumed.code, Some(0), "{}", resumed.output);
    // The world does not know of the new times; all else is as it says.
    let differences = scene.differences();
    let times = ["LastModifiedDate", "Last_Activity_Date__c"];
    let known = |field: &str| times.contains(&field);
    assert!(
        differences.iter().all(|d| known(&d.field)),
        "{differences:?}"
    );
    assert_eq!(differences.len(), 3 * times.len());
    let after = scene.org.dump("Case").unwrap();
    assert_eq!(after.len(), before.len());
    let others = after.iter().filter(|row| !before.contains(row)).count();
    assert_eq!(others, 3, "those that changed, and no other");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delta_brings_changed_rows_up_to_date_where_they_stand_though_it_is_killed() {
    let scene = Scene::new().await;
    let program = || Program::of(&scene);
    let ran = program().run(&["run"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.output);
    let before = scene.org.dump("Case").unwrap();
    for case in &chats(&scene)[1..4] {
        scene.kayako.touch(*case).unwrap();
    }
    let verb = ["delta", "--changed", "update"];
    let killed = program()
        .env("DESKFERRY_KILL_AT", "amended:1")
        .run(&verb)
        .await;
    assert_eq!(killed.code, None, "{}", killed.output);
    let resumed = program().run(&["resume"]).await;
    assert_eq!(resumed.code, Some(0), "{}", resumed.output);
    let after = scene.org.dump("Case").unwrap();
    assert_eq!(after.len(), before.len(), "none was made");
    let changed = |field: &str| {
        let pairs = after.iter().zip(&before);
        pairs.filter(|(a, b)| a[field] != b[field]).count()
    };
    assert_eq!(
        changed("Last_Activity_Date__c"),
        3,
        "they say when they changed"
    );
    assert_eq!(changed("Subject"), 0);
    assert_eq!(changed("CreatedDate"), 0, "only an insert sets it");
    let again = delta(&scene).await;
    assert!(again.changed.is_empty(), "{:?}", again.changed);
    let verified = scene.verify().await.unwrap();
    assert!(verified.verified(), "{}", verified.summary());
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_cut_over_each_day_has_a_report_that_leaves_to_people_what_is_theirs() {
    let scene = Scene::with(
        WorldSpec::new(7, ALL_SCENARIOS),
        |options| options,
        |options| options.password(PASSWORD),
    )
    .await;
    // The load was an hour ago.
    let then = RuntimeClock::starting_at(Utc::now() - TimeDelta::hours(1));
    let cx = Context::new().with_clock(Arc::new(then));
    scene.migration().run(&cx).await.unwrap();
    let agnes = Colleague::of(&scene, "agnes@acme.example.rehearsal").await;
    let cases = scene.org.dump("Case").unwrap();
    let case = cases[0]["Id"].as_str().unwrap();
    agnes.update("Case", case, json!({"Subject": "Mine"})).await;
    say_more(&scene, chats(&scene)[0], 9_999_999);
    let strict = Program::of(&scene).run(&["verify"]).await;
    assert_eq!(strict.code, Some(20), "{}", strict.output);
    let cared = Program::of(&scene).run(&["hypercare"]).await;
    assert_eq!(cared.code, Some(0), "{}", cared.output);
    assert!(
        cared
            .output
            .contains("3 more differ in rows that others changed"),
        "{}",
        cared.output
    );
    let mut targets = std::fs::read_dir(scene.workspace().join("targets")).unwrap();
    let target = targets.next().unwrap().unwrap().path();
    let today = Utc::now().format("%Y-%m-%d");
    assert!(target.join(format!("hypercare/{today}.html")).exists());
    let differences = scene.differences();
    let mut differ: Vec<&str> = differences.iter().map(|d| d.field.as_str()).collect();
    differ.sort_unstable();
    let hers = ["LastModifiedDate", "OwnerId", "Subject"];
    assert_eq!(differ[..3], hers, "what she did: {differences:?}");
    assert_eq!(differ[3..], ["row"], "what was said since");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_changed_a_delta_writes_nothing() {
    let scene = Scene::new().await;
    scene.run().await.unwrap();
    scene.org.clear_requests();
    let asked = scene.kayako.requests().total;
    let report = delta(&scene).await;
    assert!(
        report.complete && report.changed.is_empty(),
        "{}",
        report.summary()
    );
    assert_eq!(writes(&scene), 0, "{:?}", scene.org.requests().counts);
    // Lists and their changes; no posts, no files.
    assert!(scene.kayako.requests().total - asked < 20);
    scene.assert_exact();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delta_that_is_killed_is_gone_on_with() {
    let scene = Scene::new().await;
    let program = || Program::of(&scene);
    let ran = program().run(&["run"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.output);
    say_more(&scene, chats(&scene)[0], 9_999_999);
    for point in ["stage-index:2", "ledger-intended:1"] {
        let verb = if point.starts_with("stage") {
            "delta"
        } else {
            "resume"
        };
        let killed = program().env("DESKFERRY_KILL_AT", point).run(&[verb]).await;
        assert_eq!(killed.code, None, "{}", killed.output);
    }
    let error = scene
        .migration()
        .delta(&Context::new())
        .await
        .map(|r| r.complete);
    assert!(error.is_ok() || error.is_err_and(|e| e.kind() == ErrorKind::Conflict));
    let ended = program().run(&["resume"]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.output);
    let differences = scene.differences();
    assert_eq!(differences.len(), 1, "{differences:?}");
    assert_eq!(differences[0].object, "CaseComment");
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_first_read_is_over_there_is_no_delta() {
    let scene = Scene::new().await;
    let killed = Program::of(&scene)
        .env("DESKFERRY_KILL_AT", "ledger-settled:2")
        .run(&["run"])
        .await;
    assert_eq!(killed.code, None, "{}", killed.output);
    let error = scene.migration().delta(&Context::new()).await;
    match error {
        Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict, "{error}"),
        Ok(report) => assert!(report.complete, "the read was over by then"),
    }
}

/// Merging is no matter of REST: people do it in the UI, programs by SOAP.
async fn merge(scene: &Scene, object: &str, master: &str, other: &str) {
    let http = Client::builder("colleague", &scene.org.url())
        .build()
        .unwrap();
    let settings = scene.org.settings();
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", settings.client_id.as_str()),
        ("client_secret", settings.client_secret.0.as_str()),
    ];
    let request = Request::post("token", "services/oauth2/token").form(&form);
    let answer = http.send(&Context::new(), request).await.unwrap();
    let answer: Value = answer.json("log in").unwrap();
    let token = answer["access_token"].as_str().unwrap();
    let call = format!(
        "<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:p=\"urn:partner.soap.sforce.com\" \
         xmlns:o=\"urn:sobject.partner.soap.sforce.com\"><soapenv:Header><p:SessionHeader><p:sessionId>{token}</p:sessionId>\
         </p:SessionHeader></soapenv:Header><soapenv:Body><p:merge><p:request><p:masterRecord><o:type>{object}</o:type>\
         <o:Id>{master}</o:Id></p:masterRecord><p:recordToMergeIds>{other}</p:recordToMergeIds></p:request></p:merge>\
         </soapenv:Body></soapenv:Envelope>"
    );
    let request = Request::post("merge", "services/Soap/u/66.0")
        .bytes("text/xml; charset=UTF-8", call.into_bytes());
    let request = request.header("SOAPAction", "merge");
    let answer = http.send(&Context::new(), request).await.unwrap();
    let said = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(said.contains("<success>true</success>"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_merged_in_the_org_is_followed() {
    let scene = Scene::new().await;
    scene.run().await.unwrap();
    let contacts = scene.org.dump("Contact").unwrap();
    let cases = scene.org.dump("Case").unwrap();
    let with_cases = |row: &&Value| cases.iter().any(|case| case["ContactId"] == row["Id"]);
    let ids: Vec<&str> = contacts
        .iter()
        .filter(with_cases)
        .take(2)
        .filter_map(|row| row["Id"].as_str())
        .collect();
    merge(&scene, "Contact", ids[0], ids[1]).await;
    let verified = scene.verify().await.unwrap();
    assert!(verified.verified(), "{}", verified.summary());
    let told = |report: &Report| {
        report
            .notes
            .iter()
            .any(|note| note.starts_with("1 rows of ours were merged"))
    };
    assert!(told(&verified), "{:?}", verified.notes);
    let report = delta(&scene).await;
    assert!(report.complete && !told(&report), "{:?}", report.notes);
    let how = deskferry::migration::Rollback::default();
    let undone = scene.migration().roll_back(&Context::new(), &how).await;
    let undone = undone.unwrap();
    assert!(undone.is_whole(), "{}", undone.summary());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_loses_nothing_and_doubles_nothing() {
    let scene = Scene::new().await;
    let at = |days: i64| {
        let clock = RuntimeClock::starting_at(Utc::now() + TimeDelta::days(days));
        Context::new().with_clock(Arc::new(clock))
    };
    // The first load believes to be two days ahead, and stops half way.
    let killed = Program::of(&scene)
        .env("DESKFERRY_KILL_AT", "ledger-settled:3")
        .run(&["run"])
        .await;
    assert_eq!(killed.code, None, "{}", killed.output);
    scene.migration().resume(&at(2)).await.unwrap();
    scene.assert_exact();
    say_more(&scene, chats(&scene)[0], 9_999_999);
    for days in [0, -3] {
        let report = scene.migration().delta(&at(days)).await.unwrap();
        assert!(report.complete, "{}", report.summary());
    }
    let differences = scene.differences();
    assert_eq!(
        differences.len(),
        1,
        "what was said since, once: {differences:?}"
    );
    assert_eq!(differences[0].object, "CaseComment");
}
