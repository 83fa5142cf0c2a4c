//! How fast the local org takes rows by Bulk API 2.0, and how large an org it holds.
//!
//! ```text
//! cargo bench -p deskferry-rehearsal --bench org                        20,000 cases with ten mails each
//! cargo bench -p deskferry-rehearsal --bench org -- cases=1000000 save=1
//! ```
//!
//! | setting | what | usual |
//! |---|---|---|
//! | `cases` | cases, with external ids in random order | 20,000 |
//! | `mails` | mails of each, spread over all jobs at random, with external ids in random order | 10 |
//! | `letters` | characters of a mail's text | 200 |
//! | `save` | 1: also saves the org to a file, opens it again and counts its rows | 0 |
//!
//! Client and org are one process; its memory is read from `/proc`. The rate counts from the first byte of an upload to the end of its job.

#![allow(clippy::print_stdout, reason = "a program whose output is its purpose")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use deskferry_rehearsal::org::{CustomField, Org, OrgOptions};
use futures::StreamExt;
use serde_json::{Value, json};

const TOKEN: &str = "00Dbench!token";
/// Bytes of one upload: below what the platform takes.
const UPLOAD: u64 = 90_000_000;

struct Client {
    http: reqwest::Client,
    base: String,
}

fn main() {
    // `cargo test --all-targets` runs benches too, without this word.
    if !std::env::args().any(|word| word == "--bench") {
        println!("figures are measured by `cargo bench -p deskferry-rehearsal --bench org`");
        return;
    }
    let given: BTreeMap<String, u64> = std::env::args()
        .filter_map(|word| {
            let (name, value) = word.split_once('=')?;
            Some((name.to_owned(), value.parse().ok()?))
        })
        .collect();
    let number = |name: &str, usual: u64| given.get(name).copied().unwrap_or(usual);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime can be built");
    runtime.block_on(measure(
        number("cases", 20_000),
        number("mails", 10),
        usize::try_from(number("letters", 200)).expect("it is small"),
        number("save", 0) == 1,
    ));
}

async fn measure(cases: u64, mails: u64, letters: usize, save: bool) {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let state = folder.path().join("state");
    let options = || {
        OrgOptions::new(&state)
            .access_token(TOKEN)
            .custom_fields(["Case", "EmailMessage"].map(CustomField::source_key))
    };
    let org = Org::start(options()).await.expect("the org starts");
    let client = Client {
        http: reqwest::Client::new(),
        base: format!("{}/services/data/v66.0", org.url()),
    };
    let uploads = folder.path().join("uploads");
    fs::create_dir(&uploads).expect("a folder can be made");

    let head = "Source_Key__c,Subject,Status,Origin,SuppliedEmail,Description,CreatedDate,LastModifiedDate";
    let made = written(&uploads, "cases", head, cases, |n, row| {
        let (created, changed) = (moment(n), moment(n + 3_600));
        writeln!(
            row,
            "bench:acme:case:{:016x},Question {n},Closed,Email,person{}@example.org,\"{}\",{created},{changed}",
            mixed(n),
            n % 10_000,
            text(n, letters)
        )
    });
    let ids = loaded(&client, "Case", cases, &made).await;

    let total = cases * mails;
    let head = "Source_Key__c,ParentId,Subject,TextBody,FromAddress,ToAddress,Incoming,Status,MessageDate,CreatedDate,LastModifiedDate";
    let made = written(&uploads, "mails", head, total, |n, row| {
        // Prime to any of the usual totals, so that each mail has a place of its own.
        let place = n.wrapping_mul(2_147_483_647) % total.max(1);
        let case = ids[usize::try_from(place % cases).expect("an index")];
        let sent = moment(place);
        writeln!(
            row,
            "bench:acme:message:{:016x},{},Re: Question {place},\"{}\",person{}@example.org,help@example.org,true,1,{sent},{sent},{sent}",
            mixed(place | 1 << 40),
            std::str::from_utf8(&case).expect("ids are text"),
            text(n, letters),
            place % 10_000
        )
    });
    loaded(&client, "EmailMessage", total, &made).await;
    read(&client, cases, total).await;
    println!("peak memory: {} MiB", memory());
    println!("state folder: {} MB", size(&state) / 1_000_000);
    if save {
        saved(org, folder.path(), &state, options(), cases, total).await;
    }
}

/// Saves the org, opens what was saved, and counts.
async fn saved(org: Org, folder: &Path, state: &Path, options: OrgOptions, cases: u64, mails: u64) {
    let file = folder.join("org.tar");
    let begun = Instant::now();
    org.save(&file).await.expect("the org is saved");
    println!(
        "saved in {:.1} s: {} MB",
        begun.elapsed().as_secs_f64(),
        fs::metadata(&file).expect("it is there").len() / 1_000_000
    );
    org.stop().await;
    fs::remove_dir_all(state).expect("the state can go");
    let begun = Instant::now();
    Org::unpack(&file, state).expect("it is unpacked");
    let org = Org::start(options).await.expect("the org starts again");
    println!("opened in {:.1} s", begun.elapsed().as_secs_f64());
    let client = Client {
        http: reqwest::Client::new(),
        base: format!("{}/services/data/v66.0", org.url()),
    };
    read(&client, cases, mails).await;
    org.stop().await;
}

/// What a person or a verification asks of an org of this size.
async fn read(client: &Client, cases: u64, mails: u64) {
    let count = client
        .get("limits/recordCount?sObjects=Case,EmailMessage")
        .await;
    for (object, expected) in [("Case", cases), ("EmailMessage", mails)] {
        let rows = count["sObjects"].as_array().expect("a list");
        let row = rows.iter().find(|row| row["name"] == object);
        assert_eq!(
            row.map(|row| &row["count"]),
            Some(&json!(expected)),
            "{object}"
        );
    }
    for (what, soql) in [
        (
            "a case by its key",
            format!(
                "SELECT Id FROM Case WHERE Source_Key__c = 'bench:acme:case:{:016x}'",
                mixed(cases / 2)
            ),
        ),
        (
            "a case with its mails",
            format!(
                "SELECT Id, (SELECT Id, Subject FROM EmailMessages ORDER BY MessageDate) FROM Case WHERE Source_Key__c = 'bench:acme:case:{:016x}'",
                mixed(cases / 3)
            ),
        ),
        (
            "a page of all cases",
            "SELECT Id, Subject FROM Case".to_owned(),
        ),
        ("count()", "SELECT count() FROM EmailMessage".to_owned()),
    ] {
        let encoded: String = url_encoded(&soql);
        let begun = Instant::now();
        let answer = client.get(&format!("query?q={encoded}")).await;
        assert!(answer["totalSize"].as_u64() > Some(0), "{soql}: {answer}");
        println!("{what}: {:.1} ms", begun.elapsed().as_secs_f64() * 1_000.0);
    }
}

fn url_encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// Uploads of at most [`UPLOAD`] bytes that hold this many rows, and how many each has.
fn written(
    folder: &Path,
    name: &str,
    head: &str,
    rows: u64,
    mut row: impl FnMut(u64, &mut Vec<u8>) -> std::io::Result<()>,
) -> Vec<(std::path::PathBuf, u64)> {
    let mut made = Vec::new();
    let mut n = 0;
    while n < rows {
        let path = folder.join(format!("{name}-{}", made.len()));
        let mut file = BufWriter::new(File::create(&path).expect("a file can be made"));
        writeln!(file, "{head}").expect("the disk has room");
        let (mut bytes, first, mut line) = (0, n, Vec::new());
        while n < rows && bytes < UPLOAD {
            line.clear();
            row(n, &mut line).expect("memory can be written");
            file.write_all(&line).expect("the disk has room");
            bytes += line.len() as u64;
            n += 1;
        }
        file.flush().expect("the disk has room");
        made.push((path, n - first));
    }
    made
}

/// Loads uploads one after the other; the ids of the rows, of cases only.
async fn loaded(
    client: &Client,
    object: &str,
    rows: u64,
    uploads: &[(std::path::PathBuf, u64)],
) -> Vec<[u8; 18]> {
    let (mut ids, mut spent, mut done) = (Vec::new(), Duration::ZERO, 0);
    let processor = processor();
    for (path, expected) in uploads {
        let begun = Instant::now();
        let job = client
            .send(
                "POST",
                "jobs/ingest",
                json!({"object": object, "operation": "insert", "lineEnding": "LF"}),
            )
            .await;
        let place = format!("jobs/ingest/{}", job["id"].as_str().expect("a job"));
        client.upload(&format!("{place}/batches"), path).await;
        client
            .send("PATCH", &place, json!({"state": "UploadComplete"}))
            .await;
        let info = loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let info = client.get(&place).await;
            if info["state"] != "InProgress" && info["state"] != "UploadComplete" {
                break info;
            }
        };
        assert_eq!(
            (
                &info["state"],
                &info["numberRecordsProcessed"],
                &info["numberRecordsFailed"]
            ),
            (&json!("JobComplete"), &json!(expected), &json!(0)),
            "{info}"
        );
        spent += begun.elapsed();
        done += expected;
        if uploads.len() > 3 {
            println!(
                "  {object} {done}: {:.0} rows/s in this job",
                *expected as f64 / begun.elapsed().as_secs_f64()
            );
        }
        if object == "Case" {
            client
                .ids(&format!("{place}/successfulResults"), &mut ids)
                .await;
        }
        client.send("DELETE", &place, Value::Null).await;
        fs::remove_file(path).expect("the upload can go");
    }
    let busy = crate::processor() - processor;
    println!(
        "{object}: {rows} rows in {:.1} s, {:.0} rows/s by the clock, {:.0} rows/s on one core",
        spent.as_secs_f64(),
        rows as f64 / spent.as_secs_f64(),
        rows as f64 / busy
    );
    ids
}

impl Client {
    fn request(&self, method: &str, resource: &str) -> reqwest::RequestBuilder {
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        self.http
            .request(method, format!("{}/{resource}", self.base))
            .bearer_auth(TOKEN)
    }

    async fn get(&self, resource: &str) -> Value {
        let answer = self
            .request("GET", resource)
            .send()
            .await
            .expect("an answer");
        serde_json::from_slice(&answer.bytes().await.expect("a body")).expect("JSON")
    }

    async fn send(&self, method: &str, resource: &str, body: Value) -> Value {
        let request = self
            .request(method, resource)
            .header("Content-Type", "application/json")
            .body(body.to_string());
        let answer = request.send().await.expect("an answer");
        assert!(
            answer.status().is_success(),
            "{resource}: {}",
            answer.status()
        );
        serde_json::from_slice(&answer.bytes().await.expect("a body")).unwrap_or(Value::Null)
    }

    async fn upload(&self, resource: &str, path: &Path) {
        let file = File::open(path).expect("the upload is there");
        // Large pieces, read where they are sent: the client shall cost little beside the org.
        let pieces = futures::stream::unfold(file, async |mut file| {
            let mut piece = vec![0; 1 << 20];
            let read = file.read(&mut piece).expect("the upload can be read");
            piece.truncate(read);
            (read > 0).then_some((Ok::<_, std::io::Error>(piece), file))
        });
        let request = self
            .request("PUT", resource)
            .header("Content-Type", "text/csv");
        let body = reqwest::Body::wrap_stream(pieces);
        let answer = request.body(body).send().await.expect("an answer");
        assert_eq!(answer.status(), 201);
    }

    /// The first column of a result set.
    async fn ids(&self, resource: &str, into: &mut Vec<[u8; 18]>) {
        let answer = self
            .request("GET", resource)
            .send()
            .await
            .expect("an answer");
        let mut body = answer.bytes_stream();
        let (mut line, mut is_head) = (Vec::new(), true);
        while let Some(part) = body.next().await {
            for byte in part.expect("a part of the body") {
                if byte != b'\n' {
                    line.push(byte);
                    continue;
                }
                if !std::mem::take(&mut is_head) {
                    into.push(line[1..19].try_into().expect("an id"));
                }
                line.clear();
            }
        }
    }
}

/// A number that tells nothing of the one it was made of, and is no other's.
fn mixed(n: u64) -> u64 {
    let mut z = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn moment(n: u64) -> String {
    let seconds = 1_500_000_000 + i64::try_from(n % 100_000_000).expect("it is small");
    let moment = chrono::DateTime::from_timestamp(seconds, 0).expect("a moment");
    moment.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn text(n: u64, letters: usize) -> String {
    let mut text = String::with_capacity(letters + 17);
    let mut n = n;
    while text.len() < letters {
        n = mixed(n);
        text.push_str(&format!("{n:x} "));
    }
    text.truncate(letters);
    text
}

/// Seconds of processor time of this process.
fn processor() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let rest = stat.rsplit(')').next().unwrap_or_default();
    let field = |n: usize| {
        rest.split_whitespace()
            .nth(n)
            .and_then(|t| t.parse::<f64>().ok())
    };
    (field(11).unwrap_or(f64::NAN) + field(12).unwrap_or(f64::NAN)) / 100.0
}

/// Mebibytes that this process held at most.
fn memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    let kibi = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kibi.unwrap_or(0) / 1_024
}

fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => size(&entry.path()),
            Ok(meta) => meta.len(),
            Err(_) => 0,
        })
        .sum()
}
