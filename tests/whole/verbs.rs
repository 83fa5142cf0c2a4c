//! The verbs around a run, as processes.

use std::path::{Path, PathBuf};

use super::program::Program;
use super::scene::Scene;

fn target_folder(workspace: &Path) -> PathBuf {
    let targets = std::fs::read_dir(workspace.join("targets")).unwrap();
    let folders: Vec<PathBuf> = targets.map(|e| e.unwrap().path()).collect();
    assert_eq!(folders.len(), 1, "{folders:?}");
    folders[0].clone()
}

/// Requests to either platform that could change something: all but reads and log-ins.
fn writes(scene: &Scene) -> Vec<String> {
    let counts = [scene.kayako.requests().counts, scene.org.requests().counts];
    counts
        .into_iter()
        .flatten()
        .filter(|c| c.method != "GET" && !c.route.contains("oauth2"))
        .map(|c| format!("{} {}", c.method, c.route))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_leaves_a_page_and_report_makes_it_again() {
    let scene = Scene::small().await;
    let ended = Program::of(&scene).run(&["run"]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.output);
    let folder = target_folder(&scene.workspace());
    let page = folder.join("report.html");
    let made = std::fs::read_to_string(&page).unwrap();
    for shown in [
        "default-src 'none'",
        "Complete",
        "kayako",
        "requests a second",
        "no differences",
    ] {
        assert!(made.contains(shown), "{shown} is missing in the page");
    }
    std::fs::remove_file(&page).unwrap();
    let again = Program::of(&scene).run(&["report"]).await;
    assert_eq!(again.code, Some(0), "{}", again.output);
    assert!(again.output.contains("report.html"), "{}", again.output);
    let again = std::fs::read_to_string(&page).unwrap();
    let counts = |page: &str| {
        let from = page.find("<h2>Phases</h2>").unwrap();
        let to = page.find("<h2>When</h2>").unwrap();
        page[from..to].to_owned()
    };
    assert_eq!(counts(&again), counts(&made));
    assert!(
        again.contains("no differences"),
        "what verify found is kept"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_only_reads_and_says_that_a_run_can_begin() {
    let scene = Scene::small().await;
    let ended = Program::of(&scene).run(&["doctor"]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.output);
    for line in [
        "ok        kayako: signed in as",
        "ok        target:",
        "ok        version: kayako: Kayako in the cloud, API version 1",
        "ok        version: target: Enterprise Edition, instance LOCAL, API 66.0",
        "ok        mapping:",
        "limits: kayako",
        "limits: requests of 24 hours:",
        "limits: data storage: 10240 of 10240 MB left",
        "limits: bulk batches of 24 hours:",
        "disk:",
        "A run can begin.",
    ] {
        assert!(
            ended.output.contains(line),
            "{line} is missing:\n{}",
            ended.output
        );
    }
    assert_eq!(writes(&scene), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_names_what_blocks_and_answers_its_code() {
    let scene = Scene::small().await;
    let ended = Program::of(&scene)
        .env("KAYAKO_PASSWORD", "wrong")
        .run(&["doctor"])
        .await;
    assert_eq!(ended.code, Some(3), "{}", ended.output);
    assert!(
        ended.output.contains("blocking  kayako:"),
        "{}",
        ended.output
    );
    assert!(
        ended.output.contains("ok        target:"),
        "one end that fails does not hide the other:\n{}",
        ended.output
    );
    let mapping = scene.workspace().join("mapping.toml");
    let text = std::fs::read_to_string(&mapping).unwrap();
    let text = text.replacen(
        "[Case.fields]\n",
        "[Case.fields]\nNot_There__c = { from = \"custom.nothing\" }\n",
        1,
    );
    std::fs::write(&mapping, text).unwrap();
    let ended = Program::of(&scene).run(&["doctor"]).await;
    assert_eq!(ended.code, Some(2), "{}", ended.output);
    assert!(ended.output.contains("Not_There__c"), "{}", ended.output);
    assert!(ended.output.contains("cannot begin"), "{}", ended.output);
}

#[tokio::test(flavor = "multi_thread")]
async fn discover_and_plan_only_read_and_a_run_goes_on_from_there() {
    let scene = Scene::small().await;
    let early = Program::of(&scene).run(&["plan"]).await;
    assert_eq!(early.code, Some(7), "nothing was read: {}", early.output);
    let found = Program::of(&scene).run(&["discover"]).await;
    assert_eq!(found.code, Some(0), "{}", found.output);
    for shown in ["conversation", "custom field", "channels: ", "scope.json"] {
        assert!(
            found.output.contains(shown),
            "{shown} is missing:\n{}",
            found.output
        );
    }
    let read = scene.kayako.requests().total;
    let planned = Program::of(&scene).run(&["plan"]).await;
    assert_eq!(planned.code, Some(0), "{}", planned.output);
    assert!(
        planned.output.contains("The mapping fits"),
        "{}",
        planned.output
    );
    assert_eq!(
        scene.kayako.requests().total,
        read,
        "a plan asks the helpdesk nothing"
    );
    assert_eq!(writes(&scene), Vec::<String>::new());

    let plan = scene.workspace().join("plan");
    let manifest = std::fs::read_to_string(plan.join("package/package.xml")).unwrap();
    assert!(
        manifest.contains("<members>Case.Source_Key__c</members>"),
        "{manifest}"
    );
    assert!(
        std::fs::read(plan.join("package.zip"))
            .unwrap()
            .starts_with(b"PK")
    );
    assert!(plan.join("README.txt").exists());

    let ran = Program::of(&scene).run(&["run"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.output);
    scene.assert_exact();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_names_fields_that_the_mapping_leaves_behind_and_that_the_org_lacks() {
    let scene = Scene::small().await;
    let found = Program::of(&scene).run(&["discover"]).await;
    assert_eq!(found.code, Some(0), "{}", found.output);
    let mapping = scene.workspace().join("mapping.toml");
    let text = std::fs::read_to_string(&mapping).unwrap();
    let text = text.replacen(
        "[Case.fields]\n",
        "[Case.fields]\nNew_One__c = { from = \"custom.nobody_has_it\", create = { type = \"Text\", length = 80 } }\n",
        1,
    );
    std::fs::write(&mapping, text).unwrap();
    let planned = Program::of(&scene).run(&["plan"]).await;
    assert_eq!(planned.code, Some(2), "{}", planned.output);
    for shown in [
        "conversation custom.nobody_has_it",
        "New_One__c",
        "Install the package",
    ] {
        assert!(
            planned.output.contains(shown),
            "{shown} is missing:\n{}",
            planned.output
        );
    }
    let object = scene.workspace().join("plan/package/objects/Case.object");
    assert!(
        std::fs::read_to_string(object)
            .unwrap()
            .contains("New_One__c")
    );
}
