//! The example program as a process, pointed at a scene.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::scene::Scene;

/// The example program with its environment.
pub(crate) struct Program {
    example: &'static str,
    env: Vec<(String, String)>,
    workspace: Option<PathBuf>,
    /// Whether more may fail than by default.
    gate: bool,
}

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit code; none when it was killed.
    pub(crate) code: Option<i32>,
    /// Both outputs.
    pub(crate) output: String,
}

fn path(example: &str) -> PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.join("examples").join(example)
}

impl Program {
    /// Pointed at a scene's platforms and workspace.
    pub(crate) fn of(scene: &Scene) -> Self {
        let settings = scene.org.settings();
        let env = [
            ("KAYAKO_URL", scene.kayako.url()),
            ("KAYAKO_EMAIL", "admin@acme.example".to_owned()),
            ("KAYAKO_PASSWORD", "rehearsal".to_owned()),
            ("KAYAKO_RATE", "600000".to_owned()),
            ("KAYAKO_EMAIL_HEADERS", "true".to_owned()),
            ("SALESFORCE_URL", scene.org.url()),
            ("SALESFORCE_CLIENT_ID", settings.client_id.clone()),
            ("SALESFORCE_CLIENT_SECRET", settings.client_secret.0.clone()),
            ("SALESFORCE_LANDING_WINDOW", "1".to_owned()),
            ("DESKFERRY_UNDECIDED", "legacy".to_owned()),
            // What people confirm and sign is the subject of tests of its own.
            ("DESKFERRY_ORG_IS", "local".to_owned()),
        ];
        Self {
            env: env
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
            example: "kayako_to_salesforce",
            workspace: Some(scene.workspace()),
            gate: true,
        }
    }

    /// Pointed at nothing: it starts its own stand-ins.
    pub(crate) fn alone() -> Self {
        Self::bare().gate()
    }

    /// With nothing but what the test says.
    pub(crate) fn bare() -> Self {
        Self {
            example: "kayako_to_salesforce",
            env: Vec::new(),
            workspace: None,
            gate: false,
        }
    }

    fn gate(mut self) -> Self {
        self.gate = true;
        self
    }

    /// With a workspace of its own; more may fail than by default.
    pub(crate) fn in_workspace(mut self, folder: PathBuf) -> Self {
        self.workspace = Some(folder);
        self.gate()
    }

    /// Another pair than Kayako and Salesforce.
    pub(crate) fn example(mut self, example: &'static str) -> Self {
        self.example = example;
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.retain(|(other, _)| other != name);
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// Without a variable that it would have.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.env.retain(|(other, _)| other != name);
        self
    }

    /// Starts it, its output to be read.
    pub(crate) fn start(&self, args: &[&str]) -> tokio::process::Child {
        self.command(args).spawn().unwrap()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(path(self.example));
        for name in [
            "KAYAKO_URL",
            "SALESFORCE_URL",
            "DESKFERRY_WORKSPACE",
            "DESKFERRY_CONFIG",
            "DESKFERRY_UNDECIDED",
            "DESKFERRY_ORG_IS",
            "DESKFERRY_WHO",
            "RUST_LOG",
        ] {
            command.env_remove(name);
        }
        command.envs(self.env.iter().cloned()).args(args);
        if let Some(workspace) = &self.workspace {
            command.arg("--workspace").arg(workspace);
        }
        if self.gate {
            command.arg("--gate").arg("20");
        }
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.kill_on_drop(true);
        command
    }

    /// In this workspace.
    pub(crate) fn workspace(mut self, workspace: PathBuf) -> Self {
        self.workspace = Some(workspace);
        self
    }

    /// Lets it run to its end.
    pub(crate) async fn run(&self, args: &[&str]) -> Ended {
        let output = self.command(args).output().await.unwrap();
        ended(output.status.code(), &output.stdout, &output.stderr)
    }

    /// Lets it run with files that may not grow beyond so many blocks of 512 bytes: writes are cut there.
    pub(crate) async fn limited(&self, blocks: u32, args: &[&str]) -> Ended {
        let plain = self.command(args);
        let plain = plain.as_std();
        let mut command = Command::new("sh");
        command
            .arg("-c")
            .arg(format!(
                "trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\""
            ))
            .arg(plain.get_program())
            .args(plain.get_args());
        for (name, value) in plain.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let output = command.stdin(Stdio::null()).output().await.unwrap();
        ended(output.status.code(), &output.stdout, &output.stderr)
    }

    /// Kills it by SIGKILL once the scene's platforms have seen so many more requests.
    pub(crate) async fn killed_after(&self, scene: &Scene, requests: u64, args: &[&str]) -> Ended {
        let seen = || scene.kayako.requests().total + scene.org.requests().total;
        self.killed_once(seen, requests, args).await
    }

    /// The same for platforms whose requests `seen` counts.
    pub(crate) async fn killed_once(
        &self,
        seen: impl Fn() -> u64,
        requests: u64,
        args: &[&str],
    ) -> Ended {
        let until = seen() + requests;
        let mut child = self.command(args).spawn().unwrap();
        while seen() < until {
            if child.try_wait().unwrap().is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let _ = child.start_kill();
        let output = child.wait_with_output().await.unwrap();
        ended(output.status.code(), &output.stdout, &output.stderr)
    }
}

fn ended(code: Option<i32>, stdout: &[u8], stderr: &[u8]) -> Ended {
    let output = format!(
        "{}{}",
        String::from_utf8_lossy(stdout),
        String::from_utf8_lossy(stderr)
    );
    Ended { code, output }
}

#[tokio::test(flavor = "multi_thread")]
async fn alone_it_rehearses_and_several_do_so_side_by_side() {
    let (one, two) = tokio::join!(
        async { Program::alone().run(&["--conversations", "20"]).await },
        async {
            Program::alone()
                .run(&["run", "--conversations", "20", "--seed", "5"])
                .await
        }
    );
    for ended in [&one, &two] {
        assert_eq!(ended.code, Some(0), "{}", ended.output);
        assert!(
            ended.output.contains("oracle: 0 differences"),
            "{}",
            ended.output
        );
        assert!(ended.output.contains("report.json"), "{}", ended.output);
        assert!(ended.output.contains(" 0 different"), "{}", ended.output);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn its_own_stand_ins_go_on_where_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = folder.path().join("w").to_string_lossy().into_owned();
    let killed = Program::alone()
        .env("DESKFERRY_KILL_AT", "ledger-intended:3")
        .run(&["run", "--conversations", "20", "--workspace", &workspace])
        .await;
    assert_eq!(killed.code, None, "{}", killed.output);
    let status = Program::alone()
        .run(&["status", "--workspace", &workspace])
        .await;
    assert_eq!(status.code, Some(0), "{}", status.output);
    assert!(status.output.contains("not complete"), "{}", status.output);
    let resumed = Program::alone()
        .run(&["resume", "--workspace", &workspace])
        .await;
    assert_eq!(resumed.code, Some(0), "{}", resumed.output);
    assert!(
        resumed.output.contains("oracle: 0 differences"),
        "{}",
        resumed.output
    );
    let again = Program::alone()
        .run(&["run", "--workspace", &workspace])
        .await;
    assert_eq!(
        again.code,
        Some(12),
        "a second run on the workspace:\n{}",
        again.output
    );
    let verified = Program::alone()
        .run(&["verify", "--workspace", &workspace])
        .await;
    assert_eq!(verified.code, Some(0), "{}", verified.output);
    // Nothing changed there, their addresses included.
    let later = Program::alone()
        .run(&["delta", "--workspace", &workspace])
        .await;
    assert_eq!(later.code, Some(0), "{}", later.output);
    assert!(
        !later.output.contains("changed at the source"),
        "{}",
        later.output
    );
}

/// The plan names who will wait; the run waits; what a person then decides is what the org must hold.
#[tokio::test(flavor = "multi_thread")]
async fn a_rehearsal_can_be_held_until_a_person_decides() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = folder.path().join("w");
    let name = workspace.to_string_lossy().into_owned();
    let with = |verb: &'static str| {
        let name = name.clone();
        async move {
            let args = ["--undecided", "hold", "--workspace", &name];
            Program::alone().run(&[&[verb], &args[..]].concat()).await
        }
    };
    let world = ["discover", "--conversations", "60", "--workspace", &name];
    let read = Program::alone().run(&world).await;
    assert_eq!(read.code, Some(0), "{}", read.output);
    let planned = with("plan").await;
    let who = "Lena Left                               open cases: 1";
    assert!(planned.output.contains(who), "{}", planned.output);

    let held = with("run").await;
    assert_eq!(held.code, Some(4), "{}", held.output);
    let file = files(&workspace)
        .into_iter()
        .find(|f| f.ends_with("reconcile/agents.csv"));
    let file = file.unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    let undecided = "(inactive),,,,1";
    assert_eq!(text.matches(undecided).count(), 1, "{text}");
    let decided = "(inactive),,user:ADAM@acme.example.rehearsal,,1";
    std::fs::write(&file, text.replace(undecided, decided)).unwrap();
    let resumed = with("resume").await;
    assert_eq!(resumed.code, Some(0), "{}", resumed.output);
    let exact = resumed.output.contains("oracle: 0 differences");
    assert!(exact, "{}", resumed.output);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_it_says_or_writes_holds_a_secret() {
    let scene = Scene::small().await;
    let secret = "s3cr3t-of-the-test";
    let refused = Program::of(&scene)
        .env("KAYAKO_PASSWORD", secret)
        .env("RUST_LOG", "trace")
        .run(&["run", "-vv"])
        .await;
    assert_eq!(refused.code, Some(3), "{}", refused.output);
    assert!(
        !refused.output.contains(secret),
        "the password is shown:\n{}",
        refused.output
    );

    let ended = Program::of(&scene)
        .env(
            "RUST_LOG",
            "deskferry_core=trace,deskferry_source_kayako=trace,deskferry_sink_salesforce=trace",
        )
        .run(&["run"])
        .await;
    assert_eq!(ended.code, Some(0), "{}", ended.output);
    let client_secret = &scene.org.settings().client_secret.0;
    assert!(
        !ended.output.contains(client_secret),
        "the client secret is shown"
    );
    for file in files(&scene.workspace()) {
        let bytes = std::fs::read(&file).unwrap();
        let holds = |needle: &str| bytes.windows(needle.len()).any(|w| w == needle.as_bytes());
        assert!(
            !holds(client_secret),
            "{} holds the client secret",
            file.display()
        );
        assert!(!holds(secret), "{} holds the password", file.display());
    }
}

/// Every file under a folder.
pub(crate) fn files(folder: &std::path::Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path))
        } else {
            found.push(path)
        }
    }
    found
}
