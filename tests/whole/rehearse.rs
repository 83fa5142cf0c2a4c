//! `rehearse`: a picture is pulled from one local org, and the migration runs against another that looks like it.

use deskferry::rehearsal::fault::{Action, Rule};
use deskferry::rehearsal::org::{
    Automation, AutomationKind, CustomField, FieldType, OrgOptions, OrgSettings, ValidationRule,
};
use deskferry::rehearsal::world::WorldSpec;
use deskferry::salesforce::Mapping;
use serde_json::Value;

use super::program::{Ended, Program};
use super::scene::{Scene, mapping_text};

/// An org whose administrator had ideas of their own.
fn strange(options: OrgOptions) -> OrgOptions {
    let fields = Mapping::parse(&mapping_text()).unwrap().required_fields();
    let fields = serde_json::to_value(fields).unwrap();
    let mut custom_fields: Vec<CustomField> = serde_json::from_value(fields).unwrap();
    let mut of = |name: &str, change: fn(&mut CustomField)| {
        change(custom_fields.iter_mut().find(|f| f.name == name).unwrap());
    };
    of("Serial_Number__c", |field| field.length = Some(3));
    of("Product_Area__c", |field| {
        field.field_type = FieldType::Picklist;
        field.length = None;
        field.restricted = true;
        field.values = vec!["Elsewhere".into()];
    });
    // Not installed yet: what the package brings is there in a rehearsal.
    custom_fields.retain(|field| field.name != "Under_Warranty__c");
    custom_fields.push(CustomField {
        required: true,
        ..CustomField::text("Account", "Region__c", 40)
    });
    let automation = |kind, object: &str, name: &str| Automation {
        kind,
        object: object.into(),
        name: name.into(),
        active: true,
    };
    let rule = ValidationRule::new;
    options.settings(OrgSettings {
        name: "Strange".into(),
        custom_fields,
        automations: vec![
            automation(AutomationKind::ApexTrigger, "Case", "CaseTrigger"),
            automation(AutomationKind::Flow, "Contact", "Contact_Saved"),
        ],
        validation_rules: vec![
            rule(
                "Case",
                "No_Urgent",
                "OR(ISPICKVAL(Priority, \"High\"), LEN(Subject) < 2)",
                "urgent cases are made by hand",
            ),
            rule(
                "Case",
                "Hot_Only",
                "Account.Rating <> 'Hot'",
                "hot ones only",
            ),
        ],
        ..OrgSettings::default()
    })
}

async fn scene() -> Scene {
    let scene = Scene::with(WorldSpec::new(7, 40), |options| options, strange).await;
    // Mails are not enabled there.
    scene.org.faults().push(
        Rule::new(Action::Status {
            code: 404,
            headers: Vec::new(),
            body:
                r#"[{"errorCode":"NOT_FOUND","message":"The requested resource does not exist"}]"#
                    .into(),
            content_type: None,
        })
        .path("sobjects/EmailMessage/describe"),
    );
    scene
}

fn made(scene: &Scene) -> Value {
    let path = scene.workspace().join("rehearsal/target/rehearsal.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

async fn rehearsed(scene: &Scene) -> Ended {
    Program::of(scene).run(&["rehearse", "-q"]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_that_an_org_would_refuse_is_known_before_one_is_sent() {
    let scene = scene().await;
    let ended = rehearsed(&scene).await;
    assert_eq!(ended.code, Some(11), "{}", ended.output);
    let requests = scene.org.requests();
    let writes = requests
        .counts
        .iter()
        .filter(|count| count.method != "GET" && !count.route.contains("oauth2"))
        .map(|count| &count.route)
        .collect::<Vec<_>>();
    assert!(writes.is_empty(), "the org was written to: {writes:?}");
    assert!(requests.total < 150, "{} requests", requests.total);
    assert!(scene.org.dump("Contact").unwrap().is_empty());

    let made = made(&scene);
    let causes = made["causes"].as_array().unwrap();
    let cause = |phase: &str, code: &str| {
        let found = causes
            .iter()
            .find(|cause| cause["phase"] == phase && cause["code"] == code);
        found.unwrap_or_else(|| panic!("no {code} in {phase}: {made:#}"))
    };
    let accounts = scene.kayako.world().lists().companies.len() as u64;
    assert!(accounts > 0);
    let required = cause("accounts", "REQUIRED_FIELD_MISSING");
    assert_eq!(required["count"], accounts, "{made:#}");
    assert_eq!(
        required["message"],
        "Required fields are missing: [Region__c]"
    );
    assert!(
        required["examples"][0]
            .as_str()
            .unwrap()
            .starts_with("kayako:acme:account:")
    );
    let rule = cause("cases", "FIELD_CUSTOM_VALIDATION_EXCEPTION");
    assert_eq!(rule["message"], "urgent cases are made by hand");
    cause("messages", "INVALID_TYPE");
    let notes = made["notes"].to_string();
    assert!(
        notes.contains("Account.Region__c is required and no line fills it"),
        "{notes}"
    );
    let refused = made["refused"].as_u64().unwrap();
    let listed = scene.workspace().join("rehearsal/target/refused.jsonl");
    let listed = std::fs::read_to_string(listed).unwrap();
    assert_eq!(listed.lines().count() as u64, refused);
    let sum: u64 = causes.iter().map(|c| c["count"].as_u64().unwrap()).sum();
    assert_eq!(sum, refused);

    let unjudged: Vec<(&str, &str)> = made["unjudged"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| {
            (
                rule["kind"].as_str().unwrap(),
                rule["name"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        unjudged,
        [
            ("validation rule", "Hot_Only"),
            ("Apex trigger", "CaseTrigger"),
            ("flow", "Contact_Saved")
        ]
    );
    assert!(made["unjudged"][1]["rows"].as_u64().unwrap() > 0);
    for shown in [
        "rehearsed against Strange",
        "will see",
        "Account.Rating, which is not in the row",
        "requests of the load",
        "report.html",
    ] {
        assert!(ended.output.contains(shown), "{shown}:\n{}", ended.output);
    }
    for file in ["report.html", "report.json"] {
        assert!(
            scene
                .workspace()
                .join("rehearsal/target")
                .join(file)
                .exists()
        );
    }
    // No later verb takes it for an org.
    assert_eq!(
        scene
            .workspace()
            .join("targets")
            .read_dir()
            .unwrap()
            .count(),
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_that_was_interrupted_goes_on_where_it_stopped_and_holds_no_secret() {
    let scene = scene().await;
    scene
        .org
        .faults()
        .push(Rule::new(Action::status(403)).path("sobjects/Task/describe"));
    scene.org.faults().push(
        Rule::new(Action::status(403))
            .path("FlowDefinitionView")
            .times(1),
    );
    let picture = scene.workspace().join("rehearsal/picture");
    let stopped = rehearsed(&scene).await;
    assert_ne!(stopped.code, Some(11), "{}", stopped.output);
    assert_ne!(stopped.code, Some(0), "{}", stopped.output);
    let there = picture.join("describe").read_dir().unwrap().count();
    assert!(there > 3, "{there}");
    assert!(!picture.join("query").exists(), "{}", stopped.output);

    scene.org.faults().clear();
    scene.org.clear_requests();
    let ended = rehearsed(&scene).await;
    let described = scene.org.requests().count("GET", "describe");
    assert_eq!(ended.code, Some(11), "{}", ended.output);
    let all = picture.join("describe").read_dir().unwrap().count();
    assert!(all > there);
    // Rights are asked by a describe of their own.
    assert_eq!(described, (all - there) as u64 + 1, "{}", ended.output);

    let mut held = String::new();
    for folder in ["describe", "query", "rules", "."] {
        for file in picture.join(folder).read_dir().unwrap().flatten() {
            if file.path().is_file() {
                held.push_str(&std::fs::read_to_string(file.path()).unwrap());
            }
        }
    }
    let secret = &scene.org.settings().client_secret.0;
    assert!(!held.contains(secret.as_str()) && !held.contains("access_token"));

    scene.org.clear_requests();
    let again = rehearsed(&scene).await;
    assert_eq!(
        again.code,
        Some(11),
        "a rehearsal can be repeated: {}",
        again.output
    );
    assert_eq!(scene.org.requests().count("GET", "describe"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preflight_names_what_to_do_and_later_what_is_no_longer_as_it_was() {
    let scene = Scene::with(WorldSpec::new(3, 4), |options| options, strange).await;
    let early = Program::of(&scene).run(&["preflight", "--compare"]).await;
    assert_eq!(early.code, Some(7), "{}", early.output);
    let ended = Program::of(&scene).run(&["preflight"]).await;
    assert_eq!(ended.code, Some(2), "{}", ended.output);
    for line in [
        "ok        right: API Enabled",
        "warning   right: Update Email Messages",
        "Account.Region__c is required and no line fills it",
        "Case.Under_Warranty__c does not exist",
        "warning   values: Case.Product_Area__c takes no other values than Elsewhere",
        "warning   length: Case.Serial_Number__c takes 3 characters",
        "warning   triggers: 1 active, which run for every row: Case.CaseTrigger",
        "warning   validation rules: 2 active",
        "ok        room: requests of 24 hours",
    ] {
        assert!(ended.output.contains(line), "{line}:\n{}", ended.output);
    }
    let same = Program::of(&scene).run(&["preflight", "--compare"]).await;
    assert_eq!(same.code, Some(0), "{}", same.output);
    // Somebody switched the trigger off and forgot it.
    scene.org.faults().push(
        Rule::new(Action::Status {
            code: 200,
            headers: Vec::new(),
            body: r#"{"totalSize":0,"done":true,"records":[]}"#.into(),
            content_type: None,
        })
        .path("FROM+ApexTrigger"),
    );
    let after = Program::of(&scene).run(&["preflight", "--compare"]).await;
    assert_eq!(after.code, Some(20), "{}", after.output);
    assert!(
        after
            .output
            .contains("Apex trigger CaseTrigger of Case was active and is not"),
        "{}",
        after.output
    );
    assert!(scene.org.dump("Contact").unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_logs_in_once_and_runs_need_no_secret_afterwards() {
    use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
    let scene = Scene::with(WorldSpec::new(3, 4), |options| options, |options| options).await;
    let file = scene.folder.path().join("login.json");
    let program = Program::of(&scene)
        .without("SALESFORCE_CLIENT_SECRET")
        .env("SALESFORCE_LOGIN_FILE", file.display().to_string());
    let mut login = program.start(&["login", "--port", "0"]);
    let mut lines = BufReader::new(login.stdout.take().unwrap()).lines();
    let address = loop {
        let line = lines.next_line().await.unwrap().expect("it ended");
        if line.starts_with("http") {
            break line;
        }
    };
    let browse = async |address: &str| {
        let rest = address.strip_prefix("http://").unwrap();
        let (host, path) = rest.split_once('/').unwrap();
        let port = host.rsplit_once(':').unwrap().1.parse().unwrap();
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port))
            .await
            .unwrap();
        let ask = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(ask.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let sent = browse(&address).await;
    let to = sent
        .lines()
        .find_map(|line| line.strip_prefix("location: "))
        .unwrap_or_else(|| panic!("{sent}"));
    let forged = browse(&to.replace("state=", "state=x")).await;
    assert!(forged.starts_with("HTTP/1.1 404"), "{forged}");
    let done = browse(to).await;
    assert!(done.contains("You can close this window"), "{done}");
    let mut said = String::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        said.push_str(&line);
    }
    assert!(login.wait().await.unwrap().success(), "{said}");
    assert!(said.contains(&scene.org.org_id()), "{said}");
    let looked = program.run(&["preflight"]).await;
    assert_eq!(looked.code, Some(0), "{}", looked.output);
}
