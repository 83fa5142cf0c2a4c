//! What stays: over restarts, and what two orgs must not share.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use super::*;

/// Names the folder of the org that this program shall be.
const CHILD_FOLDER: &str = "DESKFERRY_TEST_ORG_FOLDER";

/// The other half of the next test: an org as a process of its own.
#[tokio::test]
#[ignore = "started by a_killed_org_has_every_row_and_file_that_it_answered"]
async fn an_org_of_its_own() {
    let Some(folder) = std::env::var_os(CHILD_FOLDER) else {
        return;
    };
    let org = Org::start(OrgOptions::new(folder).access_token(TOKEN))
        .await
        .unwrap();
    writeln!(std::io::stdout(), "\nurl {}", org.url()).unwrap();
    std::future::pending::<()>().await;
}

fn org_of_its_own(folder: &TempDir) -> (Child, String) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "org::tests::state::an_org_of_its_own",
            "--ignored",
            "--nocapture",
        ])
        .env(CHILD_FOLDER, folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let url = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("url ").map(str::to_owned));
    (child, url.expect("the org told its address"))
}

#[tokio::test]
async fn a_killed_org_has_every_row_and_file_that_it_answered() {
    let folder = TempDir::new().unwrap();
    let client = reqwest::Client::new();
    let (mut rows, mut files) = (0, Vec::new());
    for round in 0..3 {
        let (mut child, url) = org_of_its_own(&folder);
        let post = |resource: &str| {
            client
                .post(format!("{url}/services/data/v66.0/{resource}"))
                .bearer_auth(TOKEN)
        };
        for n in 0..5 {
            let records = vec![
                json!({"attributes": {"type": "Account"}, "Name": format!("A{round}.{n}")});
                20
            ];
            let answer = post("composite/sobjects")
                .body(json!({"records": records}).to_string())
                .send()
                .await
                .unwrap();
            assert_eq!(answer.status(), 200);
            rows += 20;
        }
        let file = json!({"PathOnClient": "a.txt", "VersionData": "aGVsbG8="});
        let answer = post("sobjects/ContentVersion")
            .body(file.to_string())
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap();
        files.push(
            serde_json::from_str::<Value>(&answer).unwrap()["id"]
                .as_str()
                .unwrap()
                .to_owned(),
        );
        // One more is under way, or not: either is whole or absent.
        let records = vec![json!({"attributes": {"type": "Contact"}, "LastName": "L"}); 200];
        let under_way = tokio::spawn(
            post("composite/sobjects")
                .body(json!({"records": records}).to_string())
                .send(),
        );
        tokio::task::yield_now().await;
        child.kill().unwrap();
        child.wait().unwrap();
        drop(under_way.await);
    }
    let state = Org::open_state(folder.path()).unwrap();
    assert_eq!(state.dump("Account").unwrap().len(), rows);
    assert_eq!(state.dump("Contact").unwrap().len() % 200, 0);
    for file in files {
        assert_eq!(state.blob(&file).unwrap(), b"hello");
    }
}

#[tokio::test]
async fn a_killed_org_goes_on_with_its_bulk_job_and_writes_no_row_twice() {
    const ROWS: usize = 2_000;
    let folder = TempDir::new().unwrap();
    let client = reqwest::Client::new();
    let (mut child, url) = org_of_its_own(&folder);
    let call = |method: reqwest::Method, resource: String| {
        client
            .request(method, format!("{url}/services/data/v66.0/jobs/{resource}"))
            .bearer_auth(TOKEN)
    };
    let body = json!({"object": "Account", "operation": "insert"}).to_string();
    let made = call(reqwest::Method::POST, "ingest".into())
        .body(body)
        .send()
        .await
        .unwrap();
    let made: Value = serde_json::from_str(&made.text().await.unwrap()).unwrap();
    let job = format!("ingest/{}", made["id"].as_str().unwrap());
    let names: String = (0..ROWS).map(|n| format!("A{n}\n")).collect();
    let upload =
        call(reqwest::Method::PUT, format!("{job}/batches")).header("Content-Type", "text/csv");
    let sent = upload.body(format!("Name\n{names}")).send().await.unwrap();
    assert_eq!(sent.status(), 201);
    let close = call(reqwest::Method::PATCH, job.clone()).body(r#"{"state": "UploadComplete"}"#);
    assert_eq!(close.send().await.unwrap().status(), 200);
    loop {
        let info = call(reqwest::Method::GET, job.clone())
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap();
        let info: Value = serde_json::from_str(&info).unwrap();
        if info["numberRecordsProcessed"] != 0 {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let org = Org::start(OrgOptions::new(folder.path())).await.unwrap();
    let bench = Bench {
        org,
        folder,
        client: client.clone(),
    };
    let info = bench.ended(&job).await;
    assert_eq!(
        (&info["state"], &info["numberRecordsProcessed"]),
        (&json!("JobComplete"), &json!(ROWS))
    );
    let accounts = bench.org.dump("Account").unwrap();
    let names: std::collections::BTreeSet<_> =
        accounts.iter().map(|row| row["Name"].to_string()).collect();
    assert_eq!((accounts.len(), names.len()), (ROWS, ROWS));
}

#[tokio::test]
async fn an_org_is_the_same_after_a_restart_and_its_first_settings_win() {
    let bench = Bench::new().await;
    let account = bench.add("Account", json!({"Name": "Acme"})).await;
    let file = bench
        .upload(json!({"PathOnClient": "a.txt"}), b"bytes".to_vec(), true)
        .await;
    let file = id(&file);
    let org_id = bench.org.org_id();
    let Bench { org, folder, .. } = bench;
    org.stop().await;

    let closed = Org::open_state(folder.path()).unwrap();
    assert_eq!(closed.org_id(), org_id);
    assert_eq!(closed.dump("Account").unwrap()[0]["Name"], "Acme");
    assert_eq!(closed.blob(&file).unwrap(), b"bytes");
    drop(closed);
    let half_uploaded = folder.path().join("uploads/half");
    std::fs::write(&half_uploaded, "half").unwrap();

    let again = OrgOptions::new(folder.path())
        .audit_fields(false)
        .access_token("another")
        .custom_field(CustomField::text("Case", "Late__c", 20));
    let org = Org::start(again).await.unwrap();
    assert_eq!(org.org_id(), org_id);
    assert!(!half_uploaded.exists());
    assert!(org.settings().audit_fields, "the folder's settings win");
    let client = reqwest::Client::builder().build().unwrap();
    let bench = Bench {
        org,
        folder,
        client,
    };
    assert_eq!(bench.value("Account", &account, "Name").await, "Acme");
    let case = bench.add("Case", json!({"Late__c": "new field"})).await;
    assert_eq!(bench.value("Case", &case, "Late__c").await, "new field");
}

#[tokio::test]
async fn a_folder_serves_one_org_at_a_time() {
    let bench = Bench::new().await;
    let second = Org::start(OrgOptions::new(bench.folder.path())).await;
    assert!(second.unwrap_err().to_string().contains("already running"));
}

#[tokio::test]
async fn two_orgs_have_ids_of_their_own() {
    let (one, two) = (Bench::new().await, Bench::new().await);
    assert_ne!(one.org.org_id(), two.org.org_id());
    let account = one.add("Account", json!({"Name": "Acme"})).await;
    let (code, _) = two
        .refused("Contact", json!({"LastName": "Lee", "AccountId": account}))
        .await;
    assert_eq!(code, "INVALID_CROSS_REFERENCE_KEY");
}

#[tokio::test]
async fn a_dump_has_every_live_row_with_its_id_in_process_and_by_http() {
    let bench = Bench::new().await;
    let rows: Vec<Value> = (0..1_203)
        .map(|n| json!({"Name": format!("A{n}")}))
        .collect();
    for part in rows.chunks(200) {
        bench.insert("Account", part).await;
    }
    let first = bench.org.dump("Account").unwrap()[0]["Id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        bench
            .request("DELETE", &format!("sobjects/Account/{first}"))
            .send()
            .await
            .unwrap()
            .status(),
        204
    );
    let dumped = bench.org.dump("Account").unwrap();
    assert_eq!(dumped.len(), 1_202);
    let text = reqwest::get(bench.org.url() + "/rehearsal/dump/Account")
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines, dumped);
    assert!(bench.org.dump("Nothing").is_err());
    let page = reqwest::get(bench.org.url())
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(page.contains(">Account</a><td>1202"), "{page}");
}

#[tokio::test]
async fn an_answer_that_is_lost_after_the_act_leaves_the_rows() {
    let bench = Bench::new().await;
    bench
        .org
        .faults()
        .set(vec![Rule::new(Action::CutAfterAct).method("POST").times(1)]);
    let body = json!({"records": [{"attributes": {"type": "Account"}, "Name": "Acme"}]});
    let lost = bench
        .request("POST", "composite/sobjects")
        .body(body.to_string())
        .send()
        .await;
    assert!(lost.is_err());
    assert_eq!(bench.org.dump("Account").unwrap().len(), 1);
}

#[tokio::test]
async fn a_custom_field_the_platform_would_refuse_stops_the_start() {
    let folder = TempDir::new().unwrap();
    for field in [
        CustomField::text("CaseComment", "X__c", 10),
        CustomField::text("Nothing", "X__c", 10),
    ] {
        assert!(
            Org::start(OrgOptions::new(folder.path()).custom_field(field))
                .await
                .is_err()
        );
    }
}

#[tokio::test]
async fn an_org_that_was_saved_to_a_file_is_the_same_when_it_is_opened() {
    let bench = Bench::new().await;
    let case = bench
        .add("Case", json!({"Subject": "kept", "Source_Key__c": "k"}))
        .await;
    let bytes = vec![7; 1_000];
    let file = bench
        .upload(
            json!({"PathOnClient": "a.bin", "FirstPublishLocationId": case}),
            bytes.clone(),
            true,
        )
        .await;
    let saved = bench.folder.path().join("saved.tar");
    bench.org.save(&saved).await.unwrap();
    bench.add("Case", json!({"Subject": "too late"})).await;
    let folder = TempDir::new().unwrap();
    let state = folder.path().join("state");
    Org::unpack(&saved, &state).unwrap();
    assert!(
        Org::unpack(&saved, &state).is_err(),
        "a folder that is in use is not filled"
    );
    let org = Org::start(OrgOptions::new(&state)).await.unwrap();
    assert_eq!(org.org_id(), bench.org.org_id());
    let cases = org.dump("Case").unwrap();
    assert_eq!((cases.len(), &cases[0]["Id"]), (1, &json!(case)));
    assert_eq!(org.blob(&id(&file)).unwrap(), bytes);
    org.stop().await;
}
