//! Who owns cases: what waits for a person, what people decide in a file, and what they cannot.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use deskferry::migration::{Gate, Migration, Workspace};
use deskferry::owners::Undecided;
use deskferry::rehearsal::oracle::{Oracle, OracleOptions};
use deskferry::rehearsal::org::Org;
use deskferry::rehearsal::world::{ConversationState, StatusKind, WorldSpec};
use deskferry::report::Report;
use deskferry::salesforce::{Mapping, Salesforce, SalesforceConfig};
use deskferry::{Context, ErrorKind, Result};
use serde_json::Value;

use super::program::Program;
use super::scene::{Scene, mapping_text, patient};

/// Members of staff of the made-up world who have nobody in the org: an inactive user, departed without one, there without
/// one, and one whom the helpdesk no longer lists.
const LENA: u64 = 6;
const LEO: u64 = 7;
const NORA: u64 = 8;
const DELETED: u64 = 90;

/// The username of the user whom the tests configure for what nobody owned.
const LEGACY: &str = "support@rehearsal.example.org";

/// A world in which all four have open cases, and an org with queues.
async fn scene() -> Scene {
    Scene::with(
        WorldSpec::new(7, 120).hostile(),
        |options| options,
        |options| {
            options
                .queue("First_Line", &["Case"])
                .queue("Leads_Only", &["Lead"])
        },
    )
    .await
}

fn migration(scene: &Scene, undecided: Undecided) -> Migration {
    let settings = scene.org.settings();
    let config = SalesforceConfig::builder(scene.org.url())
        .client_credentials(settings.client_id.clone(), settings.client_secret.0.clone())
        .landing_window(Duration::from_millis(200))
        .legacy_owner(LEGACY)
        .retry(patient())
        .build()
        .unwrap();
    let sink = Salesforce::new(config, Mapping::parse(&mapping_text()).unwrap()).unwrap();
    let workspace = Workspace::open(&scene.workspace()).unwrap();
    Migration::new(workspace, scene.source(), Arc::new(sink))
        .undecided(undecided)
        .gate(Gate {
            share: 0.3,
            always: 10,
        })
}

async fn run(scene: &Scene, undecided: Undecided) -> Result<Report> {
    migration(scene, undecided).run(&Context::new()).await
}

async fn resume(scene: &Scene) -> Result<Report> {
    migration(scene, Undecided::Hold)
        .resume(&Context::new())
        .await
}

/// Open cases by member of staff, as the world has them.
fn open_cases(scene: &Scene) -> BTreeMap<u64, u64> {
    let world = scene.kayako.world();
    let mut open = BTreeMap::new();
    for conversation in world.conversations() {
        let kind = world.status(conversation.status).map(|status| status.kind);
        let over = matches!(kind, Some(StatusKind::Completed | StatusKind::Closed));
        if let (ConversationState::Active, false, Some(member)) =
            (conversation.state, over, conversation.assignee)
        {
            *open.entry(member).or_insert(0) += 1;
        }
    }
    open
}

fn rows(org: &Org, object: &str) -> Vec<Value> {
    org.dump(object).unwrap()
}

fn id_of(org: &Org, object: &str, field: &str, value: &str) -> String {
    let rows = rows(org, object);
    let row = rows.iter().find(|row| row[field] == value).unwrap();
    row["Id"].as_str().unwrap().to_owned()
}

fn file(scene: &Scene) -> PathBuf {
    let mut targets = std::fs::read_dir(scene.workspace().join("targets")).unwrap();
    let target = targets.next().unwrap().unwrap().path();
    target.join("reconcile/agents.csv")
}

fn text(scene: &Scene) -> String {
    std::fs::read_to_string(file(scene)).unwrap()
}

fn line_of(text: &str, member: u64) -> &str {
    let key = format!("kayako:acme:agent:{member},");
    text.lines().find(|line| line.starts_with(&key)).unwrap()
}

/// The text with a decision that was left open.
fn decided(text: &str, member: u64, decision: &str) -> String {
    let line = line_of(text, member);
    let open = line.strip_suffix(",,,1").unwrap();
    text.replacen(line, &format!("{open},{decision},,1"), 1)
}

fn assert_exact(scene: &Scene, owners: &BTreeMap<u64, String>) {
    let legacy = id_of(&scene.org, "User", "Username", LEGACY);
    let mut options = OracleOptions::new("acme", legacy);
    options.owners.clone_from(owners);
    options.tolerated_keys.insert("custom.legacy_id".to_owned());
    let found = Oracle::new(options)
        .compare(scene.kayako.world(), &scene.org)
        .unwrap();
    let found: Vec<String> = found.iter().take(20).map(ToString::to_string).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// A queue, a user, the legacy owner, nobody: as the file says it, and as the org must show it.
fn decide_all(scene: &Scene) -> BTreeMap<u64, String> {
    let mut csv = text(scene);
    for (member, decision) in [
        (LENA, "queue:first_line"),
        (LEO, "legacy"),
        (NORA, "user:agnes@acme.example"),
        (DELETED, "name-only"),
    ] {
        csv = decided(&csv, member, decision);
    }
    std::fs::write(file(scene), csv).unwrap();
    let agnes = "agnes@acme.example.rehearsal";
    BTreeMap::from([
        (
            LENA,
            id_of(&scene.org, "Group", "DeveloperName", "First_Line"),
        ),
        (NORA, id_of(&scene.org, "User", "Username", agnes)),
        (DELETED, scene.org.user_id()),
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn open_cases_wait_for_a_person_and_go_to_whom_the_file_says() {
    let scene = scene().await;
    let open = open_cases(&scene);
    let waiting = [LENA, LEO, NORA, DELETED];
    let cases: u64 = waiting.iter().map(|member| open[member]).sum();

    let error = run(&scene, Undecided::Hold).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interactive, "{error}");
    let said = error.to_string();
    for word in [
        format!("(cases: {cases}, agents who have them: 4)"),
        "agents.csv".into(),
        "`resume`".into(),
    ] {
        assert!(said.contains(&word), "{word} is missing: {said}");
    }
    for (object, there) in [("Account", true), ("Contact", true), ("Case", false)] {
        assert_eq!(!rows(&scene.org, object).is_empty(), there, "{object}");
    }
    let read = scene.kayako.requests().total;
    let status = deskferry::migration::status(&scene.workspace())
        .await
        .unwrap();
    let wait = &status[0].waits()[0];
    assert_eq!((wait.phase.as_str(), wait.count), ("agents", 4), "{wait:?}");
    for word in [format!("{cases} open cases wait"), "Nora Nouser".into()] {
        assert!(wait.advice.contains(&word), "{word} is missing: {wait:?}");
    }
    let csv = text(&scene);
    assert!(line_of(&csv, LENA).contains(",departed,"), "{csv}");
    assert!(line_of(&csv, DELETED).contains(",departed,"), "{csv}");
    assert!(
        line_of(&csv, 3).contains(",user:agnes@acme.example.rehearsal,"),
        "{csv}"
    );

    let owners = decide_all(&scene);
    let report = resume(&scene).await.unwrap();
    assert!(report.complete, "{}", report.summary());
    assert_exact(&scene, &owners);
    assert!(report.owners.is_empty(), "{:?}", report.owners);
    let again = scene.kayako.requests().total - read;
    assert!(
        again < 20,
        "the helpdesk was read to its end before: {again} requests more"
    );
    let csv = text(&scene);
    for (member, ending) in [
        (LENA, "queue:first_line,person,1"),
        (LEO, "legacy,person,1"),
        (NORA, "user:agnes@acme.example,person,1"),
        (DELETED, "name-only,person,1"),
    ] {
        assert!(line_of(&csv, member).ends_with(ending), "{csv}");
    }
    let verified = migration(&scene, Undecided::Hold)
        .verify(&Context::new())
        .await
        .unwrap();
    assert!(verified.verified(), "{}", verified.summary());

    // Too late: the cases are there.
    let changed = csv.replacen("queue:first_line,person", "legacy,person", 1);
    std::fs::write(file(&scene), &changed).unwrap();
    let report = resume(&scene).await.unwrap();
    let note = report.notes.iter().find(|note| note.contains("too late"));
    assert!(
        note.is_some_and(|n| n.contains("kayako:acme:agent:6") && n.contains("queue:first_line")),
        "{:?}",
        report.notes
    );
    assert_exact(&scene, &owners);
    assert_eq!(text(&scene), changed, "what a person wrote stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_in_the_file_is_named_and_nothing_is_written() {
    let scene = scene().await;
    run(&scene, Undecided::Hold).await.unwrap_err();
    let good = text(&scene);
    let twice = |member: u64| format!("{good}{}\r\n", line_of(&good, member));
    let lena = good
        .lines()
        .position(|line| line.contains(":agent:6,"))
        .unwrap()
        + 1;
    let writes = || {
        let counts = scene.org.requests().counts.into_iter();
        counts
            .filter(|c| c.method != "GET" && !c.route.contains("oauth2"))
            .map(|c| c.requests)
            .sum::<u64>()
    };
    let before = writes();
    let at = |what: &str| format!("line {lena}, column decision: `{what}`");
    for (what, bytes, said) in [
        (
            "an unknown word",
            decided(&good, LENA, "somebody"),
            at("somebody"),
        ),
        (
            "an unknown user",
            decided(&good, LENA, "user:no@example.org"),
            at("user:no@example.org"),
        ),
        (
            "an unknown queue",
            decided(&good, LENA, "queue:Nothing"),
            at("queue:Nothing"),
        ),
        (
            "a queue for other objects",
            decided(&good, LENA, "queue:Leads_Only"),
            "cannot own cases".to_owned(),
        ),
        (
            "an inactive user without the right",
            decided(&good, LENA, "user:lena@acme.example"),
            "inactive".to_owned(),
        ),
        ("an agent twice", twice(LENA), "stands in line".to_owned()),
        (
            "no column for decisions",
            good.replacen(",decision,", ",decided,", 1),
            "line 1, column decision".to_owned(),
        ),
        (
            "an agent who does not exist",
            good.replacen(":agent:6,", ":agent:4711,", 1),
            "no agent kayako:acme:agent:4711".to_owned(),
        ),
        ("nothing", String::new(), "the file is empty".to_owned()),
    ] {
        std::fs::write(file(&scene), &bytes).unwrap();
        let error = resume(&scene).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{what}: {error}");
        let text = error.to_string();
        assert!(
            text.contains(&said) && text.contains("agents.csv"),
            "{what}: {said} is missing: {text}"
        );
        assert_eq!(
            std::fs::read(file(&scene)).unwrap(),
            bytes.as_bytes(),
            "{what}"
        );
        assert_eq!(writes(), before, "{what}");
    }
    std::fs::write(file(&scene), b"agent,decision\r\n\xe9,\r\n").unwrap();
    let error = resume(&scene).await.unwrap_err();
    assert!(error.to_string().contains("line 2"), "{error}");
    std::fs::write(file(&scene), good.replacen(",,,1\r\n", ",,,2\r\n", 1)).unwrap();
    let error = resume(&scene).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Mismatch, "{error}");
    // What makes sense again goes on, and what is still open waits again.
    std::fs::write(file(&scene), decided(&good, LENA, "legacy")).unwrap();
    let error = resume(&scene).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interactive, "{error}");
    assert!(
        error.to_string().contains("agents who have them: 3)"),
        "{error}"
    );
    assert_eq!(writes(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_can_be_changed_and_a_run_killed_until_cases_are_loaded() {
    let scene = scene().await;
    let program = || {
        Program::of(&scene)
            .env("DESKFERRY_UNDECIDED", "hold")
            .env("SALESFORCE_LEGACY_OWNER", LEGACY)
    };
    let held = program().run(&["run"]).await;
    assert_eq!(held.code, Some(4), "{}", held.output);
    assert!(held.output.contains("agents.csv"), "{}", held.output);
    let status = program().run(&["status"]).await;
    assert!(
        status
            .output
            .contains("waits for a person: 4 agents (owner-undecided)"),
        "{}",
        status.output
    );

    // Decided, killed while it is carried out, and decided anew.
    let mut owners = decide_all(&scene);
    let first = text(&scene);
    let killed = program()
        .env("DESKFERRY_KILL_AT", "ledger-settled:1")
        .run(&["resume"])
        .await;
    assert_eq!(killed.code, None, "{}", killed.output);
    assert!(rows(&scene.org, "Case").is_empty(), "no case is loaded yet");
    let csv = text(&scene);
    let line = line_of(&csv, NORA);
    let nora = line.replacen("user:agnes@acme.example", "queue:First_Line", 1);
    std::fs::write(file(&scene), csv.replacen(line, &nora, 1)).unwrap();
    assert_ne!(first, text(&scene));
    owners.insert(NORA, owners[&LENA].clone());
    for requests in [9, 12, 15] {
        let killed = program().killed_after(&scene, requests, &["resume"]).await;
        if killed.code == Some(0) {
            break;
        }
        assert_eq!(killed.code, None, "{}", killed.output);
    }
    let done = program().run(&["resume"]).await;
    assert_eq!(done.code, Some(0), "{}", done.output);
    assert_exact(&scene, &owners);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_need_not_ask_says_so_beforehand() {
    for (undecided, owner) in [(Undecided::Legacy, None), (Undecided::NameOnly, Some(()))] {
        let scene = scene().await;
        let report = run(&scene, undecided).await.unwrap();
        assert!(report.complete, "{}", report.summary());
        let user = scene.org.user_id();
        let nobody = [LENA, LEO, NORA, DELETED].map(|member| (member, user.clone()));
        let owners = owner.map_or_else(BTreeMap::new, |()| BTreeMap::from(nobody));
        assert_exact(&scene, &owners);
        let rule = format!("rule: {0} (--undecided {0})", undecided.name());
        assert!(
            line_of(&text(&scene), NORA).contains(&rule),
            "{}",
            text(&scene)
        );
    }
}
