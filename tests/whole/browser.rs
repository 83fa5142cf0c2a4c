//! The pages of the local org in a browser, over an org that a migration has filled. Without a Chromium the test says so and ends.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::scene::Scene;

const NAMES: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];

fn browser() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let candidates = NAMES
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    candidates.into_iter().find(|file| file.is_file())
}

/// A browser with a profile of its own.
struct Browser {
    program: PathBuf,
    profile: tempfile::TempDir,
}

impl Browser {
    async fn run(&self, arguments: &[&str], url: &str) -> Vec<u8> {
        let quiet = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1200,1600",
        ];
        let mut command = Command::new(&self.program);
        command
            .args(quiet)
            .arg(format!("--user-data-dir={}", self.profile.path().display()))
            .args(arguments)
            .arg(url)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let ended = tokio::time::timeout(Duration::from_secs(120), command.output()).await;
        let output = ended.expect("the browser ends").expect("the browser runs");
        assert!(
            output.status.success(),
            "{url}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        output.stdout
    }

    /// What the page has become once it is shown.
    async fn shown(&self, url: &str) -> String {
        String::from_utf8(self.run(&["--dump-dom"], url).await).unwrap()
    }
}

/// Where the first link to such an address leads.
fn link(page: &str, begin: &str) -> String {
    let at = page
        .find(begin)
        .unwrap_or_else(|| panic!("no {begin} in {page}"));
    page[at..].split('"').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_looks_at_what_was_migrated() {
    let Some(program) = browser() else {
        #[allow(clippy::print_stderr, reason = "a test that did not run must say so")]
        {
            eprintln!("skipped: no Chromium is installed");
        }
        return;
    };
    let scene = Scene::new().await;
    scene.run().await.unwrap();
    let browser = Browser {
        program,
        profile: tempfile::tempdir().unwrap(),
    };
    let base = scene.org.url();
    let first = browser.shown(&base).await;
    for object in [
        "Account",
        "Contact",
        "Case",
        "EmailMessage",
        "CaseComment",
        "ContentVersion",
    ] {
        let rows = scene.org.dump(object).unwrap().len();
        let row =
            format!("<a href=\"/rehearsal/records/{object}\">{object}</a></td><td>{rows}</td>");
        assert!(rows > 0 && first.contains(&row), "{row} is not in {first}");
    }
    assert!(first.contains("Last requests") && first.contains("/services/data/"));

    // A case with mails and a file among its first ones.
    let mails = scene.org.dump("EmailMessage").unwrap();
    let with_file = mails.iter().find(|mail| mail["HasAttachment"] == true);
    let case = with_file.expect("a mail with a file")["ParentId"]
        .as_str()
        .unwrap();
    let list = browser
        .shown(&(base.clone() + &link(&first, "/rehearsal/records/Case")))
        .await;
    link(&list, "/rehearsal/record/500");
    let page = format!("{base}/rehearsal/record/{case}");
    let shown = browser.shown(&page).await;
    let of_case =
        |rows: Vec<serde_json::Value>| rows.into_iter().filter(|row| row["ParentId"] == case);
    let said =
        of_case(mails.clone()).count() + of_case(scene.org.dump("CaseComment").unwrap()).count();
    assert_eq!(shown.matches("<div class=\"entry").count(), said, "{shown}");
    assert!(shown.contains("Timeline"), "{shown}");
    let file = link(&shown, "/rehearsal/blob/068");
    let version = file.rsplit('/').next().unwrap();
    let bytes = got(&base, &file).await;
    assert_eq!(
        bytes,
        scene.org.blob(version).unwrap(),
        "a file comes as it was stored"
    );

    let picture = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("local-org-case.png");
    let _not_there = std::fs::remove_file(&picture);
    let to = format!("--screenshot={}", picture.display());
    browser.run(&[&to], &page).await;
    let first_page = picture.with_file_name("local-org.png");
    browser
        .run(&[&format!("--screenshot={}", first_page.display())], &base)
        .await;
    let png = std::fs::read(&picture).unwrap();
    assert!(
        png.starts_with(b"\x89PNG") && png.len() > 10_000,
        "{} bytes",
        png.len()
    );
}

/// `GET` without a client: one request, and what follows the head of its answer.
async fn got(base: &str, path: &str) -> Vec<u8> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let host = base.trim_start_matches("http://");
    let mut stream = tokio::net::TcpStream::connect(host).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let end = answer
        .windows(4)
        .position(|part| part == b"\r\n\r\n")
        .unwrap();
    let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
    assert!(
        head.starts_with("http/1.1 200") && head.contains("content-length"),
        "{head}"
    );
    answer.split_off(end + 4)
}
