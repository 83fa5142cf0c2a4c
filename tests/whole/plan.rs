//! What `plan` says before anything is written, held against what a run then does.

use std::path::Path;

use serde_json::Value;

use super::program::Program;
use super::scene::Scene;

async fn planned(scene: &Scene) -> (i32, String, Value) {
    let found = Program::of(scene).run(&["discover", "-q"]).await;
    assert_eq!(found.code, Some(0), "{}", found.output);
    let ended = Program::of(scene).run(&["plan"]).await;
    let text = std::fs::read(scene.workspace().join("plan/plan.json")).unwrap();
    let plan = serde_json::from_slice(&text).unwrap();
    (ended.code.unwrap(), ended.output, plan)
}

fn sum(plan: &Value, end: &str) -> u64 {
    let steps = plan["estimate"]["steps"].as_array().unwrap();
    let of = |step: &Value| step["requests"][end].as_u64().unwrap();
    steps.iter().map(of).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_takes_the_requests_that_the_plan_said() {
    let scene = Scene::new().await;
    let (code, output, plan) = planned(&scene).await;
    assert_eq!(code, 0, "{output}");
    for shown in [
        "everything was read",
        "together",
        "assumed: ",
        "requests of 24 hours",
        "Every open case has an owner in the target",
    ] {
        assert!(output.contains(shown), "{shown} is missing:\n{output}");
    }
    let before = scene.org.requests().total;
    let ran = Program::of(&scene).run(&["run", "-q"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.output);
    let took = scene.org.requests().total - before;
    let (least, most) = (sum(&plan, "least"), sum(&plan, "most"));
    let steps = &plan["estimate"]["steps"];
    assert!(
        took * 10 >= least * 9 && most * 10 <= took * 11,
        "the plan said {least} to {most} requests, the run took {took}\n{steps:#}\n{}",
        ran.output
    );
    let written = |step: &str| {
        let steps = steps.as_array().unwrap();
        let step = steps.iter().find(|s| s["step"] == step).unwrap();
        step["rows"].as_u64().unwrap()
    };
    let stands = |objects: &[&str]| -> u64 {
        let of = |object: &&str| scene.org.dump(object).unwrap().len() as u64;
        objects.iter().map(of).sum()
    };
    for (step, objects) in [
        ("accounts", &["Account"][..]),
        ("contacts", &["Contact"][..]),
        ("cases", &["Case"][..]),
        ("files", &["ContentVersion"][..]),
        ("messages", &["EmailMessage", "CaseComment"][..]),
    ] {
        let (said, stands) = (written(step), stands(objects));
        assert!(
            said.abs_diff(stands) * 20 <= stands,
            "{step}: {said} rows were said, {stands} stand"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_says_what_the_org_has_too_little_of() {
    let scene = Scene::with(
        deskferry::rehearsal::world::WorldSpec::new(3, 12),
        |options| options,
        |options| options.limit("DataStorageMB", 10_240, 0),
    )
    .await;
    let (code, output, plan) = planned(&scene).await;
    assert_eq!(code, 0, "{output}");
    assert!(output.contains("too little: data storage"), "{output}");
    assert_eq!(plan["shortages"].as_array().unwrap().len(), 1, "{plan:#}");
    let doctor = Program::of(&scene).run(&["doctor"]).await;
    assert_eq!(doctor.code, Some(8), "{}", doctor.output);
    assert!(
        doctor.output.contains("blocking  limits: data storage"),
        "{}",
        doctor.output
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_leaves_nothing_of_the_one_before() {
    let scene = Scene::small().await;
    planned(&scene).await;
    let folder = scene.workspace().join("plan");
    let stale = folder.join("package/objects/Gone.object");
    std::fs::write(&stale, "of an object that left the mapping").unwrap();
    planned(&scene).await;
    assert!(!stale.exists());
    assert!(folder.join("package/objects/Case.object").exists());
    assert!(!folder.join("scratch").exists());
    assert!(!scene.workspace().join("plan.new").exists());
}

fn with_line(workspace: &Path, line: &str) {
    let mapping = workspace.join("mapping.toml");
    let text = std::fs::read_to_string(&mapping).unwrap();
    let text = text.replacen("[Case.fields]\n", &format!("[Case.fields]\n{line}\n"), 1);
    std::fs::write(&mapping, text).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_can_be_installed_is_called_so() {
    for (line, installs, says) in [
        (
            r#"New_One__c = { from = "custom.x", create = { type = "Text", length = 80 } }"#,
            &["Case.New_One__c"][..],
            "Install the package",
        ),
        (
            r#"IsEscalated = { from = "subject" }"#,
            &[][..],
            "Nothing that could be installed",
        ),
    ] {
        let scene = Scene::small().await;
        with_line(&scene.workspace(), line);
        let (code, output, plan) = planned(&scene).await;
        assert_eq!(code, 2, "{output}");
        assert!(output.contains(says), "{output}");
        assert_eq!(
            plan["fits"]["no"]["to_install"],
            serde_json::json!(installs)
        );
        assert_eq!(output.contains("Install the package"), !installs.is_empty());
    }
}
