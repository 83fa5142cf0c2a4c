//! Entries of indices that are in memory only, and counts: the same answers as if they were not, also after a death.

use std::fs;
use std::path::Path;

use super::*;

const INSERT: &str = r#"{"object": "Case", "operation": "insert", "lineEnding": "LF"}"#;

async fn loaded(bench: &Bench, keys: std::ops::Range<u32>) -> Value {
    let rows: String = keys.map(|n| format!("k{n},Case {n}\n")).collect();
    let job = serde_json::from_str(INSERT).unwrap();
    bench
        .done(job, &format!("Source_Key__c,Subject\n{rows}"))
        .await
        .1
}

/// What the org would leave if it died now.
fn as_if_killed(from: &Path) -> TempDir {
    let to = TempDir::new().unwrap();
    for name in ["org.sqlite", "org.sqlite-wal"] {
        fs::copy(from.join(name), to.path().join(name)).unwrap();
    }
    to
}

async fn subjects(bench: &Bench, key: &str) -> Vec<Value> {
    let soql = format!("SELECT Subject FROM Case WHERE Source_Key__c = '{key}'");
    let rows = bench.rows(&soql).await;
    rows.into_iter().map(|row| row["Subject"].clone()).collect()
}

async fn opened(folder: TempDir) -> Bench {
    let org = Org::start(OrgOptions::new(folder.path())).await.unwrap();
    Bench {
        org,
        folder,
        client: reqwest::Client::new(),
    }
}

async fn count(bench: &Bench) -> Value {
    bench.query("SELECT count() FROM Case").await.body["totalSize"].clone()
}

#[tokio::test]
async fn rows_of_a_job_are_found_changed_and_freed_also_by_an_org_that_was_killed() {
    let bench = Bench::new().await;
    let done = loaded(&bench, 0..300).await;
    assert_eq!(done["numberRecordsFailed"], 0, "{done}");
    // Half of these are there already.
    let again = loaded(&bench, 150..450).await;
    assert_eq!(again["numberRecordsFailed"], 150, "{again}");
    assert_eq!(count(&bench).await, 450);

    let place = |key: &str| format!("sobjects/Case/Source_Key__c/{key}");
    let moved = json!({"Source_Key__c": "moved"});
    let seven = bench.get(&place("k7")).await.body["Id"].clone();
    let seven = format!("sobjects/Case/{}", seven.as_str().unwrap());
    assert_eq!(bench.send("PATCH", &seven, moved).await.status, 204);
    assert_eq!(
        bench.send("DELETE", &place("k8"), json!(null)).await.status,
        204
    );
    for key in ["k7", "k8"] {
        assert_eq!(
            subjects(&bench, key).await,
            Vec::<Value>::new(),
            "{key} is free"
        );
        bench
            .add("Case", json!({"Source_Key__c": key, "Subject": "new"}))
            .await;
    }
    assert_eq!(
        bench
            .refused("Case", json!({"Source_Key__c": "moved"}))
            .await
            .0,
        "DUPLICATE_VALUE"
    );
    // What is taken back as a whole was never counted, and its key was never taken.
    let records: Vec<Value> = ["fresh", "k9"]
        .iter()
        .map(|key| json!({"attributes": {"type": "Case"}, "Source_Key__c": key}))
        .collect();
    let body = json!({"allOrNone": true, "records": records});
    let refused = bench.send("POST", "composite/sobjects", body).await;
    assert_eq!(refused.body[0]["success"], false, "{}", refused.body);

    let killed = opened(as_if_killed(bench.folder.path())).await;
    let folder = bench.folder;
    bench.org.stop().await;
    let stopped = opened(folder).await;
    for bench in [killed, stopped] {
        let token = bench.org.settings().access_token.clone();
        assert_eq!(token, Some(Hidden(TOKEN.into())));
        assert_eq!(count(&bench).await, 451);
        assert_eq!(bench.org.dump("Case").unwrap().len(), 451);
        for (key, subject) in [
            ("moved", "Case 7"),
            ("k7", "new"),
            ("k8", "new"),
            ("k449", "Case 449"),
        ] {
            assert_eq!(subjects(&bench, key).await, [json!(subject)], "{key}");
        }
        assert!(subjects(&bench, "fresh").await.is_empty());
        let late = loaded(&bench, 448..452).await;
        assert_eq!(late["numberRecordsFailed"], 2, "{late}");
        bench.org.stop().await;
    }
}

#[tokio::test]
async fn the_state_of_an_older_program_is_brought_up_to_date_when_it_is_opened() {
    let bench = Bench::new().await;
    loaded(&bench, 0..20).await;
    let case = bench.add("Case", json!({"Subject": "Parent"})).await;
    bench
        .add("CaseComment", json!({"ParentId": case, "CommentBody": "a"}))
        .await;
    let folder = bench.folder;
    bench.org.stop().await;
    let db = rusqlite::Connection::open(folder.path().join("org.sqlite")).unwrap();
    let indices: Vec<String> = db
        .prepare("SELECT name FROM sqlite_master WHERE name LIKE 'x\\_%' ESCAPE '\\'")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert!(indices.len() > 20, "{indices:?}");
    for index in &indices {
        let older = index.replacen('x', "i", 1);
        db.execute_batch(&format!(
            "DROP TABLE {index}; CREATE TABLE {older}(v TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY(v, n)) WITHOUT ROWID;"
        ))
        .unwrap();
    }
    db.execute_batch("DROP TABLE counts; UPDATE meta SET value = '1' WHERE key = 'format'")
        .unwrap();
    drop(db);
    let bench = opened(folder).await;
    assert_eq!(count(&bench).await, 21);
    assert_eq!(subjects(&bench, "k7").await, [json!("Case 7")]);
    let soql =
        "SELECT Subject, (SELECT CommentBody FROM CaseComments) FROM Case WHERE Subject = 'Parent'";
    assert_eq!(bench.rows(soql).await[0]["CaseComments"]["totalSize"], 1);
    assert_eq!(loaded(&bench, 19..21).await["numberRecordsFailed"], 1);
    let folder = bench.folder;
    bench.org.stop().await;
    let db = rusqlite::Connection::open(folder.path().join("org.sqlite")).unwrap();
    let left: i64 = db
        .query_row(
            "SELECT COUNT(*) FROM sqlite_master WHERE name LIKE 'i\\_%' ESCAPE '\\'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn all_rows_of_an_object_come_in_pages_that_know_where_they_end() {
    for order in ["", " ORDER BY Id"] {
        let bench = Bench::new().await;
        loaded(&bench, 0..650).await;
        let ask = |resource: &str| {
            bench
                .request("GET", resource)
                .header("Sforce-Query-Options", "batchSize=200")
        };
        let soql = encoded(&format!("SELECT Source_Key__c FROM Case{order}"));
        let mut page = bench.answer(ask(&format!("query?q={soql}"))).await.body;
        // What came later is in none of the pages, what is gone meanwhile neither.
        bench.add("Case", json!({"Source_Key__c": "late"})).await;
        let place = "sobjects/Case/Source_Key__c/k300";
        assert_eq!(bench.send("DELETE", place, json!(null)).await.status, 204);
        let (mut keys, mut sizes) = (Vec::new(), Vec::new());
        loop {
            assert_eq!(page["totalSize"], 650, "{order}");
            let records = page["records"].as_array().unwrap();
            sizes.push(records.len());
            let key = |row: &Value| row["Source_Key__c"].as_str().unwrap().to_owned();
            keys.extend(records.iter().map(key));
            let Some(next) = page["nextRecordsUrl"].as_str() else {
                break;
            };
            let next = format!("query/{}", next.split_once("/query/").unwrap().1);
            let again = bench.answer(ask(&next)).await.body;
            page = bench.answer(ask(&next)).await.body;
            assert_eq!(
                again["records"], page["records"],
                "a page can be asked for twice"
            );
        }
        assert_eq!(page["done"], true);
        assert_eq!(sizes, [200, 200, 200, 49]);
        let all = (0..650).filter(|n| *n != 300).map(|n| format!("k{n}"));
        assert_eq!(keys, all.collect::<Vec<_>>(), "{order}");
        let wrong = bench.get("query/0r8000000000001-77").await;
        assert_eq!(wrong.code(), "INVALID_QUERY_LOCATOR");
    }
}
