//! One file points the program at its platforms; no secret stands in it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use deskferry::cli;
use deskferry::core::settings::SettingsFile;

use super::program::{Program, files};
use super::scene::Scene;

/// Everything that the scene's platforms need, in files of a folder; answers the configuration file.
fn written(scene: &Scene, folder: &Path) -> PathBuf {
    let settings = scene.org.settings();
    let secret = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, format!("{text}\n")).unwrap();
        private(&path);
    };
    secret("desk-password", "rehearsal");
    secret("org-secret", &settings.client_secret.0);
    let text = format!(
        r#"
[migration]
workspace = "{}"
gate = 20
org_is = "local"

[kayako]
url = "{}"
email = "admin@acme.example"
password_file = "desk-password"
rate = 600000
email_headers = true

[salesforce]
url = "{}"
client_id = "{}"
client_secret_file = "org-secret"
landing_window = 1
"#,
        scene.workspace().display(),
        scene.kayako.url(),
        scene.org.url(),
        settings.client_id
    );
    let path = folder.join("deskferry.toml");
    std::fs::write(&path, text).unwrap();
    path
}

#[cfg(unix)]
fn private(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[cfg(not(unix))]
fn private(_path: &Path) {}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_alone_points_the_program_at_its_platforms() {
    let scene = Scene::small().await;
    let folder = tempfile::tempdir().unwrap();
    let file = written(&scene, folder.path());
    let ended = Program::bare()
        .run(&["run", "--config", &file.to_string_lossy()])
        .await;
    assert_eq!(ended.code, Some(0), "{}", ended.output);
    assert!(!ended.output.contains("warning:"), "{}", ended.output);
    scene.assert_exact();

    let status = Program::bare()
        .env("DESKFERRY_CONFIG", file.to_string_lossy())
        .run(&["status"])
        .await;
    assert_eq!(status.code, Some(0), "{}", status.output);
    assert!(status.output.contains("\ncomplete"), "{}", status.output);
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_win_over_the_file_and_options_over_both() {
    let scene = Scene::small().await;
    let folder = tempfile::tempdir().unwrap();
    let file = written(&scene, folder.path());
    let file = file.to_string_lossy();
    let of_variables = folder.path().join("of-variables");
    let of_options = folder.path().join("of-options");
    for path in [&of_variables, &of_options] {
        std::fs::create_dir(path).unwrap();
    }
    let refused = Program::bare()
        .env("KAYAKO_PASSWORD", "another")
        .env("DESKFERRY_WORKSPACE", of_variables.to_string_lossy())
        .run(&["doctor", "--config", &file])
        .await;
    assert_eq!(refused.code, Some(3), "{}", refused.output);
    assert!(of_variables.join("mapping.toml").exists());
    assert!(!of_options.join("mapping.toml").exists());
    let own = of_options.to_string_lossy();
    let refused = Program::bare()
        .env("KAYAKO_PASSWORD", "another")
        .env("DESKFERRY_WORKSPACE", of_variables.to_string_lossy())
        .run(&["doctor", "--config", &file, "--workspace", &own])
        .await;
    assert_eq!(refused.code, Some(3), "{}", refused.output);
    assert!(of_options.join("mapping.toml").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_in_the_file_is_named_and_no_secret_is_shown() {
    const CANARY: &str = "canary-5ec7e7";
    let folder = tempfile::tempdir().unwrap();
    let workspace = folder.path().join("w");
    let path = folder.path().join("deskferry.toml");
    for (text, says) in [
        (
            "[kayako]\npassword = \"CANARY\"",
            "line 2: `password` must not stand in a configuration file",
        ),
        ("[kayako]\npassword = CANARY", "line 2: "),
        ("[kayako]\npassword = \"CANARY", "line 2: "),
        (
            "[kayako]\nclient_secrte = \"CANARY\"",
            "Did you mean `client_secret_file`?",
        ),
        (
            "[salesforce]\nprivate_key = \"CANARY\"",
            "SALESFORCE_PRIVATE_KEY",
        ),
        ("[salesforce]\nbulk_from = \"CANARY\"", "or `never`"),
        (
            "[saleforce]\nurl = \"CANARY\"",
            "Did you mean [salesforce]?",
        ),
        (
            "[kayako]\nurl = \"https://me:CANARY@desk.example.org\"\nemail = \"a@example.org\"\npassword_file = \"deskferry.toml\"",
            "user or password",
        ),
        (
            "[salesforce]\nurl = \"https://me:CANARY@org.example.org\"\naccess_token_file = \"deskferry.toml\"",
            "user or password",
        ),
    ] {
        std::fs::write(&path, text.replace("CANARY", CANARY)).unwrap();
        private(&path);
        let ended = Program::bare()
            .env("RUST_LOG", "trace")
            .run(&[
                "doctor",
                "-vv",
                "--config",
                &path.to_string_lossy(),
                "--workspace",
                &workspace.to_string_lossy(),
            ])
            .await;
        assert_eq!(ended.code, Some(2), "{text}: {}", ended.output);
        assert!(ended.output.contains(says), "{text}: {}", ended.output);
        assert!(!ended.output.contains(CANARY), "{text}: {}", ended.output);
        let kept = if workspace.exists() {
            files(&workspace)
        } else {
            Vec::new()
        };
        for file in kept {
            let bytes = std::fs::read(&file).unwrap();
            let shown = bytes.windows(CANARY.len()).any(|w| w == CANARY.as_bytes());
            assert!(!shown, "{}", file.display());
        }
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_others_can_read_is_warned_of_and_used() {
    use std::os::unix::fs::PermissionsExt;
    let scene = Scene::small().await;
    let folder = tempfile::tempdir().unwrap();
    let file = written(&scene, folder.path());
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(folder.path().join("desk-password"), open).unwrap();
    let ended = Program::bare()
        .run(&["doctor", "--config", &file.to_string_lossy()])
        .await;
    assert_eq!(ended.code, Some(0), "{}", ended.output);
    let warned = ended.output.lines().filter(|l| l.starts_with("warning: "));
    let warned: Vec<&str> = warned.filter(|l| l.contains("desk-password")).collect();
    assert_eq!(warned.len(), 1, "{}", ended.output);
}

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(&path).unwrap()
}

/// The example with every line switched on: what is commented out is `#key = …`, prose is `# …`.
fn switched_on() -> String {
    let on = |line: &str| match line.strip_prefix('#') {
        Some(key) if key.starts_with(char::is_alphabetic) => key.to_owned(),
        _ => line.to_owned(),
    };
    let lines: Vec<String> = read("deskferry.example.toml").lines().map(on).collect();
    lines.join("\n")
}

#[test]
fn the_example_file_holds_every_key_and_each_is_right() {
    let text = switched_on();
    SettingsFile::parse(&text, Path::new("deskferry.example.toml"), &cli::sections()).unwrap();
    let mut section = String::new();
    let mut keys = BTreeSet::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']').to_owned();
        } else if let Some((key, _)) = line.split_once(" = ").filter(|_| !line.starts_with('#')) {
            assert!(
                keys.insert((section.clone(), key.to_owned())),
                "{key} stands there twice"
            );
        }
    }
    let known = cli::sections().into_iter().flat_map(|section| {
        let keys = section.settings.iter();
        keys.map(|setting| (section.name.to_owned(), setting.written()))
    });
    assert_eq!(keys, known.collect());
}

#[test]
fn the_page_of_the_configuration_has_a_line_for_each_setting() {
    let page = read("docs/configuration.md");
    for section in cli::sections() {
        for setting in section.settings {
            let variable = section.variable(setting.key);
            let lead = format!("| `{}` | `{variable}` |", setting.written());
            let line = page.lines().find(|line| line.starts_with(&lead));
            let line = line.unwrap_or_else(|| panic!("no line begins with {lead}"));
            for told in [setting.about, setting.default] {
                assert!(line.contains(told), "`{told}` is missing in: {line}");
            }
        }
    }
}
