//! What was loaded can be taken back: the org is then what it was before, but for what others did in it.

use std::sync::Arc;

use chrono::{TimeDelta, Utc};
use deskferry::core::context::RuntimeClock;
use deskferry::core::http::{Client, Request, SecretString};
use deskferry::migration::Rollback;
use deskferry::rehearsal::fault::{Action, Rule};
use deskferry::rehearsal::world::WorldSpec;
use deskferry::report::UndoReport;
use deskferry::{Context, ErrorKind};
use serde_json::{Value, json};

use super::delta::{chats, say_more};
use super::program::Program;
use super::scene::{ALL_SCENARIOS, Scene};

/// Every object in which a load leaves something.
const OBJECTS: [&str; 12] = [
    "Account",
    "Contact",
    "Lead",
    "Case",
    "EmailMessage",
    "EmailMessageRelation",
    "CaseComment",
    "ContentVersion",
    "ContentDocument",
    "ContentDocumentLink",
    "Task",
    "User",
];

pub(super) const PASSWORD: &str = "rehearsal";

async fn scene() -> Scene {
    Scene::with(
        WorldSpec::new(7, ALL_SCENARIOS),
        |options| options,
        |options| options.password(PASSWORD),
    )
    .await
}

/// All rows that stand in the org, without the stamps that the platform sets at each change.
fn held(scene: &Scene) -> Vec<(String, Value)> {
    let mut rows = Vec::new();
    for object in OBJECTS {
        for mut row in scene.org.dump(object).unwrap() {
            row.as_object_mut().unwrap().remove("SystemModstamp");
            rows.push((object.to_owned(), row));
        }
    }
    rows
}

fn assert_same(now: &[(String, Value)], then: &[(String, Value)]) {
    let more: Vec<_> = now
        .iter()
        .filter(|row| !then.contains(row))
        .take(3)
        .collect();
    let less: Vec<_> = then
        .iter()
        .filter(|row| !now.contains(row))
        .take(3)
        .collect();
    assert!(
        more.is_empty() && less.is_empty(),
        "too many: {more:#?}\nmissing: {less:#?}"
    );
}

fn trial() -> Rollback {
    let mut how = Rollback::default();
    how.trial = true;
    how
}

fn forced() -> Rollback {
    let mut how = Rollback::default();
    how.force = true;
    how
}

async fn roll_back(scene: &Scene, how: &Rollback) -> UndoReport {
    scene
        .migration()
        .roll_back(&Context::new(), how)
        .await
        .unwrap()
}

fn count(report: &UndoReport, object: &str, of: &str) -> u64 {
    let line = report.objects.iter().find(|o| o.object == object);
    let value = serde_json::to_value(line).unwrap();
    value[of].as_u64().unwrap_or_default()
}

fn reasons(report: &UndoReport) -> Vec<(&str, &str, u64)> {
    let reasons = report.reasons.iter();
    reasons
        .map(|r| (r.object.as_str(), r.reason.as_str(), r.count))
        .collect()
}

/// An agent who works in the org while and after it is migrated.
pub(super) struct Colleague {
    http: Client,
    bearer: String,
}

impl Colleague {
    pub(super) async fn of(scene: &Scene, username: &str) -> Self {
        let http = Client::builder("colleague", &scene.org.url())
            .build()
            .unwrap();
        let settings = scene.org.settings();
        let form = [
            ("grant_type", "password"),
            ("client_id", settings.client_id.as_str()),
            ("client_secret", settings.client_secret.0.as_str()),
            ("username", username),
            ("password", PASSWORD),
        ];
        let request = Request::post("token", "services/oauth2/token").form(&form);
        let answer = http.send(&Context::new(), request).await.unwrap();
        let answer: Value = answer.json("log in").unwrap();
        let bearer = format!(
            "Bearer {}",
            answer["access_token"].as_str().expect("a token")
        );
        Self { http, bearer }
    }

    async fn send(&self, request: Request) {
        let bearer = SecretString::new(self.bearer.clone());
        let request = request.secret_header("Authorization", bearer);
        let answer = self.http.send(&Context::new(), request).await.unwrap();
        assert!(answer.is_success(), "{answer:?}");
    }

    async fn insert(&self, object: &str, row: Value) {
        let path = format!("services/data/v67.0/sobjects/{object}");
        self.send(Request::post("insert", path).json(&row)).await;
    }

    pub(super) async fn update(&self, object: &str, id: &str, row: Value) {
        let path = format!("services/data/v67.0/sobjects/{object}/{id}");
        self.send(Request::patch("update", path).json(&row)).await;
    }
}

fn id_where(scene: &Scene, object: &str, fits: impl Fn(&Value) -> bool) -> String {
    let rows = scene.org.dump(object).unwrap();
    let row = rows.iter().find(|row| fits(row)).unwrap();
    row["Id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_rollback_the_org_is_what_it_was_and_can_be_loaded_again() {
    let scene = scene().await;
    let before = held(&scene);
    scene.run().await.unwrap();
    assert!(held(&scene) != before);

    let writes = || {
        scene
            .org
            .requests()
            .counts
            .iter()
            .filter(|c| c.method == "DELETE")
            .map(|c| c.requests)
            .sum::<u64>()
    };
    let loaded = held(&scene);
    let promised = roll_back(&scene, &trial()).await;
    assert!(
        promised.trial && promised.is_whole(),
        "{}",
        promised.summary()
    );
    assert_eq!(
        (held(&scene), writes()),
        (loaded, 0),
        "a trial changes nothing"
    );

    let done = roll_back(&scene, &Rollback::default()).await;
    assert!(!done.trial && done.is_whole(), "{}", done.summary());
    assert_eq!(done.objects, promised.objects, "what was promised was done");
    assert_same(&held(&scene), &before);

    let report = scene.run().await.unwrap();
    assert!(report.complete, "{}", report.summary());
    scene.assert_exact();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_that_loads_more_does_not_make_what_others_changed_before_it_ours() {
    let scene = scene().await;
    let then = RuntimeClock::starting_at(Utc::now() - TimeDelta::hours(1));
    let cx = Context::new().with_clock(Arc::new(then));
    scene.migration().run(&cx).await.unwrap();
    let agnes = Colleague::of(&scene, "agnes@acme.example.rehearsal").await;
    let touched = id_where(&scene, "Case", |row| row["ParentId"].is_null());
    let change = json!({"Priority": "High"});
    agnes.update("Case", &touched, change).await;

    say_more(&scene, chats(&scene)[0], 9_999_999);
    let report = scene.migration().delta(&Context::new()).await.unwrap();
    assert!(report.complete, "{}", report.summary());
    let why = roll_back(&scene, &trial()).await;
    assert!(
        reasons(&why).contains(&("Case", "changed-since", 1)),
        "{:?}",
        reasons(&why)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_that_somebody_else_works_with() {
    let scene = scene().await;
    let before = held(&scene);
    // The load was an hour ago.
    let then = RuntimeClock::starting_at(Utc::now() - TimeDelta::hours(1));
    let cx = Context::new().with_clock(Arc::new(then));
    scene.migration().run(&cx).await.unwrap();

    let agnes = Colleague::of(&scene, "agnes@acme.example.rehearsal").await;
    let with_files = |row: &Value| {
        row["LinkedEntityId"]
            .as_str()
            .is_some_and(|id| id.starts_with("500"))
    };
    let links = scene.org.dump("ContentDocumentLink").unwrap();
    let answered = links.iter().find(|row| with_files(row)).unwrap()["LinkedEntityId"].clone();
    let on_it = |object: &str| {
        let rows = scene.org.dump(object).unwrap();
        rows.iter()
            .filter(|row| row["ParentId"] == answered)
            .count() as u64
    };
    let (mails, comments) = (on_it("EmailMessage"), on_it("CaseComment"));
    let reply = json!({"ParentId": answered, "CommentBody": "Done.", "IsPublished": true});
    agnes.insert("CaseComment", reply).await;
    let touched = id_where(&scene, "Case", |row| {
        row["Id"] != answered && row["ParentId"].is_null()
    });
    agnes
        .update("Case", &touched, json!({"Priority": "High"}))
        .await;

    for how in [trial(), Rollback::default()] {
        let report = roll_back(&scene, &how).await;
        let why = reasons(&report);
        assert!(why.contains(&("Case", "others-work", 1)), "{why:?}");
        assert!(why.contains(&("Case", "changed-since", 1)), "{why:?}");
        assert_eq!(count(&report, "Case", "held"), 2);
        assert!(count(&report, "EmailMessage", "held") >= mails);
        assert!(count(&report, "CaseComment", "held") >= comments);
        assert!(count(&report, "ContentVersion", "held") >= 1);
        assert!(
            count(&report, "Contact", "held") >= 1,
            "cases refer to them"
        );
    }
    let rows = scene.org.dump("Case").unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(
        (on_it("EmailMessage"), on_it("CaseComment")),
        (mails, comments + 1),
        "the case stays whole"
    );

    // Her change may go by force, her reply never does.
    let report = roll_back(&scene, &forced()).await;
    assert_eq!(
        reasons(&report)
            .iter()
            .filter(|r| r.0 == "Case")
            .collect::<Vec<_>>(),
        [&("Case", "others-work", 1)]
    );
    assert_eq!(scene.org.dump("Case").unwrap().len(), 1);

    // When she takes it back, so can we.
    let hers = id_where(&scene, "CaseComment", |row| row["CommentBody"] == "Done.");
    let path = format!("services/data/v67.0/sobjects/CaseComment/{hers}");
    agnes.send(Request::delete("delete", path)).await;
    let report = roll_back(&scene, &forced()).await;
    assert!(report.is_whole(), "{}", report.summary());
    assert_same(&held(&scene), &before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_that_is_killed_or_loses_answers_goes_on() {
    let scene = scene().await;
    let before = held(&scene);
    let ran = Program::of(&scene).run(&["run"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.output);
    scene.org.faults().push(
        Rule::new(Action::CutAfterAct)
            .method("DELETE")
            .path("composite/sobjects")
            .times(2),
    );
    // The first passes are those of the look ahead.
    for point in ["undo-answered:9", "undo-answered:10"] {
        let killed = Program::of(&scene)
            .env("DESKFERRY_KILL_AT", point)
            .run(&["rollback", "--yes"])
            .await;
        assert_eq!(killed.code, None, "{}", killed.output);
        assert!(held(&scene) != before, "some rows stand yet");
    }
    let ended = Program::of(&scene).run(&["rollback", "--yes"]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.output);
    assert_same(&held(&scene), &before);
    let ran = Program::of(&scene).run(&["run"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.output);
    scene.assert_exact();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_was_killed_is_taken_back_with_what_it_did_not_know() {
    let scene = scene().await;
    let before = held(&scene);
    // Cases were sent, and nobody noted the answer.
    let killed = Program::of(&scene)
        .env("DESKFERRY_KILL_AT", "ledger-settle:5")
        .run(&["run"])
        .await;
    assert_eq!(killed.code, None, "{}", killed.output);
    let ended = Program::of(&scene).run(&["rollback", "--yes"]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.output);
    assert_same(&held(&scene), &before);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_last_phases_can_be_taken_back_and_loaded_again() {
    let scene = scene().await;
    scene.run().await.unwrap();
    let (cases, contacts) = (
        scene.org.dump("Case").unwrap(),
        scene.org.dump("Contact").unwrap(),
    );
    let mut how = Rollback::default();
    how.from = Some("messages".to_owned());
    let report = roll_back(&scene, &how).await;
    assert!(report.is_whole(), "{}", report.summary());
    assert_eq!(count(&report, "Case", "rows"), 0);
    assert!(scene.org.dump("EmailMessage").unwrap().is_empty());
    assert!(scene.org.dump("CaseComment").unwrap().is_empty());
    assert_eq!(
        (
            scene.org.dump("Case").unwrap().len(),
            scene.org.dump("Contact").unwrap()
        ),
        (cases.len(), contacts)
    );
    let report = scene.resume().await.unwrap();
    assert!(report.complete, "{}", report.summary());
    scene.assert_exact();

    how.from = Some("everything".to_owned());
    let error = scene
        .migration()
        .roll_back(&Context::new(), &how)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("messages"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_load_there_is_nothing_to_take_back() {
    let scene = Scene::small().await;
    let error = scene
        .migration()
        .roll_back(&Context::new(), &trial())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Mismatch, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn verifying_and_taking_back_need_no_helpdesk() {
    let scene = Scene::small().await;
    scene.run().await.unwrap();
    let asked = scene.kayako.requests().total;
    let verified = scene.verify().await.unwrap();
    assert!(verified.verified(), "{}", verified.summary());
    let report = roll_back(&scene, &Rollback::default()).await;
    assert!(report.is_whole(), "{}", report.summary());
    assert_eq!(
        scene.kayako.requests().total,
        asked,
        "it may be switched off"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_seen_is_not_taken_for_nobodys() {
    let scene = Scene::small().await;
    scene.run().await.unwrap();
    let hidden = Action::Status {
        code: 400,
        headers: Vec::new(),
        body: json!([{"errorCode": "INVALID_TYPE", "message": "sObject type 'Task' is not supported."}]).to_string(),
        content_type: None,
    };
    scene.break_org("GET", "FROM+Task+WHERE", 0, 1_000, hidden);
    let report = roll_back(&scene, &trial()).await;
    let held = count(&report, "Case", "held");
    assert!(
        held > 0 && held == count(&report, "Case", "rows"),
        "{}",
        report.summary()
    );
    assert!(reasons(&report).contains(&("Case", "not-readable", held)));
    let report = roll_back(&scene, &forced()).await;
    assert!(report.is_whole(), "{}", report.summary());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_into_rows_of_others_is_given_back() {
    let scene = scene().await;
    let agnes = Colleague::of(&scene, "agnes@acme.example.rehearsal").await;
    let world = scene.kayako.world();
    let asked = world
        .conversation_by_id(chats(&scene)[0])
        .unwrap()
        .requester;
    let address = world.person(asked).and_then(|person| person.emails.first());
    let there = json!({"LastName": "Was here", "Email": address.unwrap()});
    agnes.insert("Contact", there).await;
    let before = held(&scene);
    let mapping = scene.workspace().join("mapping.toml");
    let text = std::fs::read_to_string(&mapping).unwrap();
    let line = "on_match = \"link\" # likewise";
    assert!(text.contains(line));
    std::fs::write(
        &mapping,
        text.replace(line, "on_match = { overwrite = [\"LastName\"] }"),
    )
    .unwrap();
    let ran = Program::of(&scene).run(&["run"]).await;
    assert!(ran.code.is_some(), "{}", ran.output);
    let names = |name: &str| {
        let rows = scene.org.dump("Contact").unwrap();
        rows.iter().filter(|row| row["LastName"] == name).count()
    };
    assert_eq!(names("Was here"), 0, "it was overwritten");
    let back = Program::of(&scene).run(&["rollback", "--yes"]).await;
    assert_eq!(back.code, Some(0), "{}", back.output);
    let stamps = |mut rows: Vec<(String, Value)>| {
        // Who changed it last, and when, is the platform's to say.
        for (_, row) in &mut rows {
            row.as_object_mut()
                .unwrap()
                .retain(|name, _| !name.starts_with("LastModified"));
        }
        rows
    };
    assert_same(&stamps(held(&scene)), &stamps(before));
}
