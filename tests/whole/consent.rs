//! What people are asked before a load, and what is written down of it.

use std::path::{Path, PathBuf};

use deskferry::core::audit::Trail;
use deskferry::rehearsal::world::WorldSpec;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use super::program::{Program, files};
use super::scene::Scene;

/// A program for which the org is a real one.
fn strict(scene: &Scene) -> Program {
    Program::of(scene).env("DESKFERRY_ORG_IS", "real")
}

async fn scene(sandbox: bool) -> Scene {
    Scene::with(
        WorldSpec::new(3, 12),
        |options| options,
        |options| options.is_sandbox(sandbox),
    )
    .await
}

async fn ok(program: Program, args: &[&str]) -> String {
    let ended = program.run(args).await;
    assert_eq!(ended.code, Some(0), "{args:?}\n{}", ended.output);
    ended.output
}

async fn refused(program: Program, args: &[&str], says: &str) {
    let ended = program.run(args).await;
    assert_eq!(ended.code, Some(4), "{args:?}\n{}", ended.output);
    assert!(
        ended.output.contains(says),
        "{says} is missing:\n{}",
        ended.output
    );
}

/// Requests that may have changed something at the org: all but logins and reads.
fn writes(scene: &Scene) -> Vec<String> {
    let counts = scene.org.requests().counts;
    let writes = counts
        .into_iter()
        .filter(|c| c.method != "GET" && !c.route.contains("oauth2") && !c.route.contains("login"));
    writes
        .map(|c| format!("{} {}", c.method, c.route))
        .collect()
}

fn target(scene: &Scene) -> PathBuf {
    let mut targets = std::fs::read_dir(scene.workspace().join("targets")).unwrap();
    targets.next().unwrap().unwrap().path()
}

fn change(workspace: &Path, from: &str, to: &str) {
    let path = workspace.join("mapping.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from));
    std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_begins_with_what_was_confirmed_and_with_nothing_else() {
    let scene = scene(true).await;
    refused(strict(&scene), &["run"], "nobody has confirmed the mapping").await;
    refused(
        strict(&scene),
        &["confirm", "--as", "Ann"],
        "there is no plan yet",
    )
    .await;
    ok(strict(&scene), &["discover", "-q"]).await;
    let asked = scene.kayako.requests().total;
    change(
        &scene.workspace(),
        "Tier__c = { from = \"custom.tier\"",
        "# Tier__c = { from = \"custom.tier\"",
    );
    let planned = ok(strict(&scene), &["plan"]).await;
    for shown in [
        "account custom.tier -> Account.Tier__c: both are called",
        "`confirm --as NAME` says that you looked at it",
    ] {
        assert!(planned.contains(shown), "{shown} is missing:\n{planned}");
    }
    ok(strict(&scene), &["plan", "--accept", "80"]).await;
    let text = std::fs::read_to_string(scene.workspace().join("mapping.toml")).unwrap();
    assert!(
        text.contains("\nTier__c = { from = \"custom.tier\" }"),
        "{text}"
    );
    assert_eq!(
        writes(&scene),
        Vec::<String>::new(),
        "a plan writes nothing"
    );
    assert_eq!(
        scene.kayako.requests().total,
        asked,
        "a plan asks the helpdesk nothing"
    );

    let nobody = strict(&scene).run(&["confirm"]).await;
    assert_eq!(nobody.code, Some(2), "{}", nobody.output);
    ok(strict(&scene), &["confirm", "--as", "Ann"]).await;
    let status = "pending = \"Working\"";
    change(&scene.workspace(), status, "pending = \"New\"");
    refused(
        strict(&scene),
        &["run"],
        "mapping: Case.fields.Status.values.pending was \"Working\" and is \"New\"",
    )
    .await;
    refused(
        strict(&scene),
        &["confirm", "--as", "Bo"],
        "changed after the plan was made",
    )
    .await;
    change(&scene.workspace(), "pending = \"New\"", status);
    refused(
        strict(&scene).env("PRIVACY_REDACT", "mails"),
        &["run"],
        "plan: privacy.redact is new: mails",
    )
    .await;
    assert_eq!(
        writes(&scene),
        Vec::<String>::new(),
        "what is refused writes nothing"
    );
    ok(strict(&scene), &["run", "-q"]).await;
    scene.assert_exact();

    let events: Vec<(String, String)> = Trail::of(&target(&scene))
        .check()
        .unwrap()
        .entries
        .into_iter()
        .map(|e| (e.verb, e.event))
        .filter(|(verb, _)| verb != "plan")
        .collect();
    let of = |verb: &str, event: &str| (verb.to_owned(), event.to_owned());
    assert_eq!(
        events,
        [
            of("run", "refused"),
            of("confirm", "recorded"),
            of("run", "refused"),
            of("run", "refused"),
            of("run", "began"),
            of("run", "ended"),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_org_needs_a_signature_from_a_rehearsal_or_a_reason() {
    let trial = scene(true).await;
    let live = scene(false).await;
    for one in [&trial, &live] {
        ok(strict(one), &["discover", "-q"]).await;
        ok(strict(one), &["plan"]).await;
        ok(strict(one), &["confirm", "--as", "Ann"]).await;
    }
    let unsigned = "nobody signed for this mapping";
    refused(strict(&live), &["run"], unsigned).await;
    refused(strict(&live), &["run", "--without-sign-off", " "], unsigned).await;

    ok(strict(&trial), &["run", "-q"]).await;
    let sign = ["sign-off", "--as", "Ann", "--role", "head of support"];
    refused(strict(&trial), &sign, "no cases were looked at").await;
    let drawn = ok(strict(&trial), &["sign-off", "--draw", "7", "--cases", "8"]).await;
    assert!(drawn.contains("drawn with 7: 8 cases"), "{drawn}");
    let page = std::fs::read_to_string(target(&trial).join("sign-off/cases.html")).unwrap();
    assert_eq!(page.matches("in the org</a>").count(), 8);
    assert!(page.contains("Content-Security-Policy") && !page.contains("<script"));
    let again = target(&trial).join("sign-off/cases.json");
    let cases = std::fs::read(&again).unwrap();
    ok(strict(&trial), &["sign-off", "--draw", "7", "--cases", "8"]).await;
    assert_eq!(std::fs::read(&again).unwrap(), cases);
    let mut args = sign.to_vec();
    let open = strict(&trial).run(&args).await;
    if open.code != Some(0) {
        assert!(
            open.output.contains("must be mended or accepted"),
            "{}",
            open.output
        );
        args.extend(["--accept", "people without an address stay out"]);
        ok(strict(&trial), &args).await;
    }

    let signed = files(&trial.workspace().join("sign-offs")).remove(0);
    let there = live.workspace().join("sign-offs");
    std::fs::create_dir_all(&there).unwrap();
    std::fs::copy(&signed, there.join("from-the-sandbox.json")).unwrap();
    ok(strict(&live), &["run", "-q"]).await;
    live.assert_exact();
    let trail = Trail::of(&target(&live)).check().unwrap();
    let began = trail.entries.iter().find(|e| e.event == "began").unwrap();
    assert_eq!(
        began.what["consent"]["signed_off"]["role"],
        "head of support"
    );
    std::fs::remove_file(there.join("from-the-sandbox.json")).unwrap();
    let reason = ["delta", "-q", "--without-sign-off", "the board said so"];
    refused(strict(&live), &["delta"], unsigned).await;
    ok(strict(&live), &reason).await;
    let shown = ok(strict(&live), &["audit"]).await;
    assert!(
        shown.contains("the board said so") && shown.contains("whole; last hash"),
        "{shown}"
    );

    let path = target(&live).join("audit.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("the board", "nobody at all")).unwrap();
    let broken = strict(&live).run(&["audit"]).await;
    assert_eq!(broken.code, Some(14), "{}", broken.output);
    assert!(
        broken.output.contains("BROKEN at line"),
        "{}",
        broken.output
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_private_stays_behind_and_the_workspace_can_be_wiped() {
    let scene = Scene::small().await;
    let private = || {
        Program::of(&scene)
            .env("PRIVACY_REDACT", "mails, phones, cards")
            .env(
                "PRIVACY_EXCLUDE",
                "contact.phones, message.email.raw, account.custom.tier",
            )
    };
    let output = ok(private(), &["run", "-q"]).await;
    assert!(output.contains(" 0 different"), "{output}");
    let rows = |object: &str| scene.org.dump(object).unwrap();
    assert!(rows("Contact").iter().all(|row| row["Phone"].is_null()));
    assert!(
        rows("Case")
            .iter()
            .all(|row| row["Product_Area__c"].is_null())
    );
    let texts: Vec<String> = rows("EmailMessage")
        .iter()
        .flat_map(|row| [row["TextBody"].clone(), row["Subject"].clone()])
        .chain(
            rows("CaseComment")
                .iter()
                .map(|row| row["CommentBody"].clone()),
        )
        .filter_map(|text: Value| text.as_str().map(str::to_owned))
        .collect();
    let redacted = |text: &&String| text.contains("[mail]") || text.contains("[phone]");
    assert!(texts.iter().any(|text| redacted(&text)), "{texts:?}");
    let example = texts.iter().find(|text| text.contains("@example.org"));
    assert_eq!(example, None);
    let plain = Program::of(&scene).run(&["verify", "-q"]).await;
    assert_eq!(
        plain.code,
        Some(20),
        "without them, verify sees what is missing:\n{}",
        plain.output
    );

    ok(Program::of(&scene), &["hand-over"]).await;
    let handed = target(&scene).join("handoff");
    let page = std::fs::read_to_string(handed.join("index.html")).unwrap();
    for link in [
        "report.html",
        "mapping.toml",
        "held-and-failed.csv",
        "audit.jsonl",
        "inventory.html",
    ] {
        assert!(page.contains(&format!("href=\"{link}\"")), "{link}");
        assert!(handed.join(link).exists(), "{link}");
    }
    assert!(page.contains("e-mail deliverability") && !page.contains("<script"));

    refused(Program::of(&scene), &["wipe"], "nobody is there to ask").await;
    assert!(scene.workspace().join("stage").exists());
    let wiped = ok(Program::of(&scene), &["wipe", "--yes"]).await;
    assert!(wiped.contains("what was loaded stays in"), "{wiped}");
    let left: Vec<String> = files(&scene.workspace())
        .iter()
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    assert!(
        left.iter()
            .all(|name| ["mapping.toml", "audit.jsonl"].contains(&name.as_str())),
        "{left:?}"
    );
    let again = Program::of(&scene).run(&["run"]).await;
    assert_eq!(
        again.code,
        Some(14),
        "its rows stand there, and nobody knows which:\n{}",
        again.output
    );
    ok(Program::of(&scene), &["wipe", "--yes", "--all"]).await;
    assert_eq!(files(&scene.workspace()), Vec::<PathBuf>::new());
}

/// One request to the review page; answers its status line and body.
async fn ask(url: &str, method: &str, path: &str, body: &str, extra: &str) -> (String, String) {
    let host = url.trim_start_matches("http://").split('/').next().unwrap();
    let mut stream = tokio::net::TcpStream::connect(host).await.unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\n{extra}Connection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_reviewed_changed_and_confirmed_on_a_page_of_this_machine() {
    let scene = scene(true).await;
    ok(strict(&scene), &["discover", "-q"]).await;
    change(
        &scene.workspace(),
        "Tier__c = { from = \"custom.tier\"",
        "# Tier__c = { from = \"custom.tier\"",
    );
    let mut child = strict(&scene).start(&["plan", "--review"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let url = loop {
        let line = lines.next_line().await.unwrap().expect("an address");
        if let Some(url) = line.strip_prefix("review: ") {
            break url.to_owned();
        }
    };
    let drained = tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    let path = format!("/{}", url.splitn(4, '/').nth(3).unwrap());
    let (head, page) = ask(&url, "GET", &path, "", "").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(
        head.contains("default-src 'none'; style-src 'self'"),
        "{head}"
    );
    assert!(
        !page.contains("<script") && page.contains("custom.tier"),
        "{page}"
    );
    assert!(
        page.contains("Case.Subject") && page.contains("both are called"),
        "{page}"
    );
    for (path, extra) in [
        ("/0123456789abcdef0123456789abcdef/".to_owned(), ""),
        (path.clone(), "Origin: https://evil.example\r\n"),
    ] {
        let (head, body) = ask(&url, "GET", &path, "", extra).await;
        assert!(
            head.starts_with("HTTP/1.1 404") && body.is_empty(),
            "{head}"
        );
    }
    let save = format!("{path}save");
    let (_, page) = ask(
        &url,
        "POST",
        &save,
        "take-0=on&remove-Account.Website=on",
        "",
    )
    .await;
    assert!(page.contains("Saved: 2 changes"), "{page}");
    let text = std::fs::read_to_string(scene.workspace().join("mapping.toml")).unwrap();
    assert!(
        text.contains("\nTier__c = { from") && !text.contains("\nWebsite ="),
        "{text}"
    );
    let confirm = format!("{path}confirm");
    let (_, page) = ask(&url, "POST", &confirm, "name=", "").await;
    assert!(page.contains("nobody said who confirms"), "{page}");
    let (_, page) = ask(&url, "POST", &confirm, "name=Ann+%3Cb%3ELee", "").await;
    assert!(page.contains("Confirmed by Ann &lt;b&gt;Lee"), "{page}");
    let status = child.wait().await.unwrap();
    assert_eq!(status.code(), Some(0));
    drained.await.unwrap();
    assert_eq!(writes(&scene), Vec::<String>::new());
    ok(strict(&scene), &["run", "-q"]).await;
}

/// Something that speaks the chat-completions protocol; answers its address and what it was asked.
async fn model(answers: &'static str) -> (String, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1/", listener.local_addr().unwrap());
    let (told, asked) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (mut request, mut piece) = (Vec::new(), [0; 4096]);
            let whole = |request: &[u8]| {
                let text = String::from_utf8_lossy(request).to_lowercase();
                let (head, body) = text.split_once("\r\n\r\n")?;
                let length = head.split("content-length: ").nth(1)?;
                let length: usize = length.lines().next()?.trim().parse().ok()?;
                (body.len() >= length).then_some(())
            };
            while whole(&request).is_none() {
                let n = stream.read(&mut piece).await.unwrap();
                request.extend_from_slice(&piece[..n]);
                if n == 0 {
                    break;
                }
            }
            let content =
                serde_json::json!({"choices": [{"message": {"content": answers}}]}).to_string();
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{content}",
                content.len()
            );
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = told.send(String::from_utf8_lossy(&request).into_owned());
        }
    });
    (url, asked)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_language_model_sees_no_record_and_what_it_makes_up_is_left_out() {
    let answers = r#"Of course! ```json
{"fields": [
  {"of": "account", "field": "tier", "object": "Account", "place": {"field": "Tier__c"}, "confidence": 91, "reason": "the model says so"},
  {"of": "conversation", "field": "made_up", "object": "Case", "place": "kept", "confidence": 99, "reason": "nonsense"}
]}
```"#;
    let (url, mut asked) = model(answers).await;
    let scene = Scene::small().await;
    ok(Program::of(&scene), &["discover", "-q"]).await;
    change(
        &scene.workspace(),
        "Tier__c = { from = \"custom.tier\"",
        "# Tier__c = { from = \"custom.tier\"",
    );
    let with_model = || {
        Program::of(&scene)
            .example("propose_with_model")
            .env("MODEL_URL", url.clone())
            .env("MODEL", "small-model")
            .env("MODEL_KEY", "key-of-the-test")
    };
    let planned = ok(with_model(), &["plan"]).await;
    for shown in [
        "Proposed by small-model",
        "91 %",
        "the model says so",
        "they cannot be: 1",
    ] {
        assert!(planned.contains(shown), "{shown} is missing:\n{planned}");
    }
    assert!(!planned.contains("key-of-the-test"));
    let question = asked.recv().await.unwrap();
    assert!(
        question.starts_with("POST /v1/chat/completions"),
        "{question}"
    );
    assert!(question.contains("Bearer key-of-the-test") && question.contains("tier"));
    assert!(!question.contains("samples"), "{question}");
    ok(
        with_model().env("DESKFERRY_PROPOSER_SEES", "values"),
        &["plan"],
    )
    .await;
    assert!(asked.recv().await.unwrap().contains("samples"));
}
