//! Bulk API 2.0: uploads in jobs, their results, and what can go wrong with them.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

const KEYS: &str = "Source_Key__c";

/// A result set: the header and the rows, as texts.
type Rows = Vec<BTreeMap<String, String>>;

impl Bench {
    async fn job(&self, body: Value) -> String {
        let made = self.send("POST", "jobs/ingest", body).await;
        assert_eq!(made.status, 200, "{}", made.body);
        id(&made)
    }

    async fn put(&self, job: &str, csv: impl Into<reqwest::Body>) -> Answer {
        let request = self.request("PUT", &format!("jobs/ingest/{job}/batches"));
        self.answer(request.header("Content-Type", "text/csv").body(csv))
            .await
    }

    async fn state(&self, job: &str, state: &str) -> Answer {
        self.send(
            "PATCH",
            &format!("jobs/ingest/{job}"),
            json!({"state": state}),
        )
        .await
    }

    /// Uploads and closes; the job is then at work.
    async fn begun(&self, body: Value, csv: &str) -> String {
        let job = self.job(body).await;
        assert_eq!(self.put(&job, csv.to_owned()).await.status, 201);
        assert_eq!(self.state(&job, "UploadComplete").await.status, 200);
        job
    }

    /// Asks until the job is at its end.
    pub(super) async fn ended(&self, job: &str) -> Value {
        loop {
            let info = self.get(&format!("jobs/{job}")).await;
            assert_eq!(info.status, 200, "{}", info.body);
            let state = info.body["state"].as_str().unwrap();
            if !["UploadComplete", "InProgress"].contains(&state) {
                return info.body;
            }
        }
    }

    pub(super) async fn done(&self, body: Value, csv: &str) -> (String, Value) {
        let job = self.begun(body, csv).await;
        let info = self.ended(&format!("ingest/{job}")).await;
        (job, info)
    }

    pub(super) async fn text(&self, resource: &str) -> String {
        let answer = self.request("GET", resource).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{resource}");
        assert!(
            answer.headers()["content-type"]
                .to_str()
                .unwrap()
                .starts_with("text/csv")
        );
        answer.text().await.unwrap()
    }

    async fn set(&self, job: &str, set: &str) -> Rows {
        rows_of(&self.text(&format!("jobs/ingest/{job}/{set}")).await)
    }
}

fn rows_of(csv: &str) -> Rows {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    reader.deserialize().map(|row| row.unwrap()).collect()
}

fn of<'r>(rows: &'r Rows, column: &str, value: &str) -> &'r BTreeMap<String, String> {
    let found = rows.iter().find(|row| row[column] == value);
    found.unwrap_or_else(|| panic!("no {value} in {rows:?}"))
}

fn insert(object: &str) -> Value {
    json!({"object": object, "operation": "insert", "contentType": "CSV", "lineEnding": "LF"})
}

fn numbered(rows: usize) -> String {
    let lines: String = (0..rows)
        .map(|n| format!("\"k{n}\",\"Case {n}\"\n"))
        .collect();
    format!("{KEYS},Subject\n{lines}")
}

#[tokio::test]
async fn a_job_inserts_its_rows_and_names_each_in_one_result_set() {
    let bench = Bench::new().await;
    let made = bench.send("POST", "jobs/ingest", insert("Case")).await;
    let job = id(&made);
    assert_eq!(made.body["state"], "Open");
    assert_eq!(made.body["apiVersion"], 66.0);
    assert_eq!(
        made.body["contentUrl"],
        format!("services/data/v66.0/jobs/ingest/{job}/batches")
    );
    let csv = "Source_Key__c,Subject,Status,CreatedDate,Description\n\
               \"k1\",\"One, \"\"two\"\"\",Solved,2020-01-02T03:04:05.000Z,\"a\nb\"\n\
               \"k2\",\"Two\",,,\n\
               \"k3\",\"Three\",,2999-01-01T00:00:00Z,\n\
               \"k1\",\"Twice\",,,\n";
    // In pieces, so that no length is sent.
    let pieces: Vec<Result<String, std::io::Error>> = csv
        .as_bytes()
        .chunks(7)
        .map(|p| Ok(String::from_utf8(p.to_vec()).unwrap()))
        .collect();
    let body = reqwest::Body::wrap_stream(futures::stream::iter(pieces));
    assert_eq!(bench.put(&job, body).await.status, 201);
    let closed = bench.state(&job, "UploadComplete").await;
    assert_eq!(
        (closed.status, &closed.body["state"]),
        (200, &json!("UploadComplete"))
    );
    let info = bench.ended(&format!("ingest/{job}")).await;
    assert_eq!(info["state"], "JobComplete");
    assert_eq!(
        (
            &info["numberRecordsProcessed"],
            &info["numberRecordsFailed"]
        ),
        (&json!(4), &json!(2))
    );

    let good = bench.set(&job, "successfulResults/").await;
    assert_eq!(good.len(), 2);
    let one = of(&good, KEYS, "k1");
    assert_eq!(
        (one["sf__Created"].as_str(), one["Description"].as_str()),
        ("true", "a\nb")
    );
    let case = bench
        .get(&format!("sobjects/Case/{}", one["sf__Id"]))
        .await
        .body;
    assert_eq!(case["Subject"], "One, \"two\"");
    assert_eq!(case["CreatedDate"], "2020-01-02T03:04:05.000+0000");
    assert_eq!(case["IsClosed"], true);

    let bad = bench.set(&job, "failedResults").await;
    let late = of(&bad, KEYS, "k3");
    assert_eq!(late["sf__Id"], "");
    assert_eq!(
        late["sf__Error"],
        "FIELD_INTEGRITY_EXCEPTION:Created Date: the date lies in the future:CreatedDate --"
    );
    let twice = &of(&bad, "Subject", "Twice")["sf__Error"];
    assert!(
        twice.starts_with("DUPLICATE_VALUE:duplicate value found: Source_Key__c"),
        "{twice}"
    );
    assert!(twice.ends_with(":--"), "{twice}");
    for set in ["unprocessedrecords", "unprocessedRecords"] {
        assert_eq!(
            bench
                .text(&format!("jobs/ingest/{job}/{set}"))
                .await
                .lines()
                .count(),
            1
        );
    }
}

#[tokio::test]
async fn results_have_an_order_of_their_own() {
    let bench = Bench::new().await;
    let (job, _) = bench.done(insert("Case"), &numbered(50)).await;
    let good = bench.set(&job, "successfulResults").await;
    let keys: Vec<&str> = good.iter().map(|row| row[KEYS].as_str()).collect();
    let sent: Vec<String> = (0..50).map(|n| format!("k{n}")).collect();
    assert_ne!(keys, sent);
    assert_eq!(
        keys.iter().map(|k| k.to_string()).collect::<BTreeSet<_>>(),
        sent.into_iter().collect()
    );
}

#[tokio::test]
async fn update_upsert_and_delete_do_what_the_rest_calls_do() {
    let bench = Bench::new().await;
    let contact = bench
        .add("Contact", json!({"LastName": "Lee", "Loose_Key__c": "p1"}))
        .await;
    let case = bench
        .add("Case", json!({"Subject": "Old", "Description": "Old", "Source_Key__c": "c1", "Priority": "High"}))
        .await;
    let (job, _) = bench
        .done(
            json!({"object": "Case", "operation": "update", "columnDelimiter": "PIPE", "lineEnding": "CRLF"}),
            &format!(
                "Id|Subject|Description|Contact.Loose_Key__c\r\n{case}||#N/A|p1\r\n{case}|||nobody\r\n|x||\r\n"
            ),
        )
        .await;
    let row = bench.get(&format!("sobjects/Case/{case}")).await.body;
    assert_eq!(
        (&row["Subject"], &row["Description"]),
        (&json!("Old"), &Value::Null)
    );
    assert_eq!(row["ContactId"], contact);
    let bad = bench
        .text(&format!("jobs/ingest/{job}/failedResults"))
        .await
        .replace("\r\n", "\n");
    assert!(bad.starts_with("\"sf__Id\"|\"sf__Error\"|\"Id\"|"), "{bad}");
    assert!(
        bad.contains("Foreign key external ID: nobody not found for field Loose_Key__c"),
        "{bad}"
    );
    assert!(bad.contains("MISSING_ARGUMENT:Id not specified"), "{bad}");

    let upsert =
        json!({"object": "Case", "operation": "upsert", "externalIdFieldName": "Source_Key__c"});
    let (job, _) = bench
        .done(
            upsert,
            "Id,Source_Key__c,Subject\n,c1,Newer\n,c2,New\n,c3,x\n,c3,y\n,,none\n",
        )
        .await;
    let good = bench.set(&job, "successfulResults").await;
    let told = |key| of(&good, KEYS, key)["sf__Created"].as_str();
    assert_eq!((told("c1"), told("c2")), ("false", "true"));
    let bad = bench.set(&job, "failedResults").await;
    assert_eq!(bad.len(), 3);
    assert!(
        of(&bad, "Subject", "y")["sf__Error"].starts_with("DUPLICATE_VALUE:Duplicate external id")
    );
    assert_eq!(bench.value("Case", &case, "Subject").await, "Newer");

    let delete = json!({"object": "Case", "operation": "delete"});
    let (job, info) = bench
        .done(delete, &format!("Id\n{case}\n{contact}\n"))
        .await;
    assert_eq!(
        info["numberRecordsFailed"], 1,
        "a contact is not deleted by a job of cases"
    );
    assert_eq!(
        bench.set(&job, "successfulResults").await[0]["sf__Id"],
        case
    );
    assert_eq!(
        bench.get(&format!("sobjects/Case/{case}")).await.status,
        404
    );
    assert_eq!(bench.org.dump("Contact").unwrap().len(), 1);
}

#[tokio::test]
async fn a_hard_delete_needs_its_permission_and_passes_the_recycle_bin() {
    let hard = json!({"object": "Case", "operation": "hardDelete"});
    let refused = Bench::new()
        .await
        .send("POST", "jobs/ingest", hard.clone())
        .await;
    assert_eq!((refused.status, refused.code()), (400, "FEATURENOTENABLED"));
    let bench = Bench::with(|options| options.bulk_hard_delete(true)).await;
    let (soft, gone) = (
        bench.add("Case", json!({})).await,
        bench.add("Case", json!({})).await,
    );
    assert_eq!(
        bench
            .request("DELETE", &format!("sobjects/Case/{soft}"))
            .send()
            .await
            .unwrap()
            .status(),
        204
    );
    bench.done(hard, &format!("Id\n{gone}\n")).await;
    let left = bench.get("queryAll?q=SELECT+Id+FROM+Case").await.body["records"].clone();
    assert_eq!(left.as_array().unwrap().len(), 1);
    assert_eq!(left[0]["Id"], soft);
    let next = bench.add("Case", json!({})).await;
    assert_ne!(next, gone, "an id is not given twice");
}

#[tokio::test]
async fn a_file_that_is_wrong_as_a_whole_fails_the_job_before_a_row_is_written() {
    let bench = Bench::new().await;
    bench.add("Contact", json!({"LastName": "Lee"})).await;
    let upsert =
        json!({"object": "Case", "operation": "upsert", "externalIdFieldName": "Source_Key__c"});
    for (body, csv, why) in [
        (
            insert("Case"),
            "Subject,Nothing__c\na,b\n",
            "InvalidBatch : Field name not found : Nothing__c",
        ),
        (
            insert("Case"),
            "Subject,Hidden__c\na,b\n",
            "Field name not found : Hidden__c",
        ),
        (
            insert("Case"),
            "\u{feff}Subject\na\n",
            "Field name not found : \u{feff}Subject",
        ),
        (
            insert("Case"),
            "Subject,subject\na,b\n",
            "Duplicate field name",
        ),
        (
            insert("Case"),
            "Subject\na,b\n",
            "row 1 has 2 values, the header 1",
        ),
        (
            insert("Case"),
            "Subject\n\"a\rb\"\n",
            "LineEnding is invalid on user data",
        ),
        (
            insert("Case"),
            "Subject\r\na\r\n",
            "Current LineEnding setting is LF",
        ),
        (
            insert("Case"),
            "Subject,Owner.Username\na,x\n",
            "Field name not found : Owner.Username",
        ),
        (
            insert("Case"),
            "Subject,Contact:Contact.Email\na,x\n",
            "Field name not found : Contact:Contact.Email",
        ),
        (
            insert("Case"),
            "Subject,Contact.LastName\na,x\n",
            "Field name not found : Contact.LastName",
        ),
        (
            insert("EmailMessage"),
            "Subject,ToIds\na,x\n",
            "Field name not found : ToIds",
        ),
        (
            upsert,
            "Subject\na\n",
            "Field name not found : Source_Key__c",
        ),
        (
            json!({"object": "Case", "operation": "update"}),
            "Subject\na\n",
            "Field name not found : Id",
        ),
        (
            json!({"object": "Case", "operation": "delete"}),
            "Id,Subject\n1,a\n",
            "does not match an Id",
        ),
    ] {
        let (job, info) = bench.done(body, csv).await;
        assert_eq!(
            (&info["state"], &info["numberRecordsProcessed"]),
            (&json!("Failed"), &json!(0)),
            "{csv}"
        );
        let error = info["errorMessage"].as_str().unwrap();
        assert!(error.contains(why), "{csv}: {error}");
        assert_eq!(
            bench
                .text(&format!("jobs/ingest/{job}/unprocessedrecords"))
                .await,
            csv
        );
    }
    assert!(bench.org.dump("Case").unwrap().is_empty());
}

#[tokio::test]
async fn a_parent_of_several_kinds_is_named_with_its_kind() {
    let bench = Bench::new().await;
    let ann = bench.user("Ann Agent").await;
    let csv = "Subject,User:Owner.Username,source_key__c\na,ann@example.org.rehearsal,k\nb,nobody@example.org,l\n";
    let (job, info) = bench.done(insert("Case"), csv).await;
    assert_eq!(info["numberRecordsFailed"], 1, "{info}");
    let good = &bench.set(&job, "successfulResults").await[0];
    assert_eq!(bench.value("Case", &good["sf__Id"], "OwnerId").await, ann);
    assert_eq!(bench.value("Case", &good["sf__Id"], KEYS).await, "k");
    let bad = &bench.set(&job, "failedResults").await[0];
    assert_eq!(
        (bad["Subject"].as_str(), bad["source_key__c"].as_str()),
        ("b", ""),
        "misspelt columns are blank"
    );
}

#[tokio::test]
async fn what_a_job_cannot_be_is_refused_when_it_is_made() {
    let bench = Bench::new().await;
    for (body, code) in [
        (
            json!({"object": "Nothing", "operation": "insert"}),
            "INVALIDENTITY",
        ),
        (
            json!({"object": "ContentVersion", "operation": "insert"}),
            "INVALIDENTITY",
        ),
        (
            json!({"object": "Profile", "operation": "insert"}),
            "INVALIDENTITY",
        ),
        (
            json!({"object": "Case", "operation": "merge"}),
            "INVALIDJOB",
        ),
        (
            json!({"object": "Case", "operation": "query"}),
            "INVALIDJOB",
        ),
        (
            json!({"object": "Case", "operation": "upsert"}),
            "INVALIDJOB",
        ),
        (
            json!({"object": "Case", "operation": "upsert", "externalIdFieldName": "Subject"}),
            "INVALIDJOB",
        ),
        (
            json!({"object": "Case", "operation": "insert", "externalIdFieldName": "Id"}),
            "INVALIDJOB",
        ),
        (
            json!({"object": "Case", "operation": "insert", "contentType": "JSON"}),
            "INVALIDJOB",
        ),
        (
            json!({"object": "Case", "operation": "insert", "columnDelimiter": "DOT"}),
            "INVALIDJOB",
        ),
        (json!({"operation": "insert"}), "INVALIDJOB"),
        (
            json!({"object": "Case", "operation": "insert", "other": 1}),
            "JSON_PARSER_ERROR",
        ),
    ] {
        let refused = bench.send("POST", "jobs/ingest", body.clone()).await;
        assert_eq!((refused.status, refused.code()), (400, code), "{body}");
    }
    let poor = Bench::with(|options| options.limit("DailyBulkApiBatches", 10, 2)).await;
    poor.done(insert("Case"), "Subject\na\n").await;
    assert_eq!(
        poor.get("limits").await.body["DailyBulkApiBatches"],
        json!({"Max": 10, "Remaining": 0})
    );
    assert_eq!(
        poor.send("POST", "jobs/ingest", insert("Case"))
            .await
            .code(),
        "EXCEEDEDQUOTA"
    );
}

#[tokio::test]
async fn each_call_has_its_states() {
    let bench = Bench::new().await;
    let job = bench.job(insert("Case")).await;
    let at = format!("jobs/ingest/{job}");
    let code = |answer: Answer| (answer.status, answer.code().to_owned());
    let invalid = (400, "INVALIDJOBSTATE".to_owned());
    assert_eq!(
        code(bench.state(&job, "UploadComplete").await),
        invalid,
        "nothing was uploaded"
    );
    assert_eq!(
        code(bench.get(&format!("{at}/successfulResults")).await),
        invalid
    );
    assert_eq!(code(bench.send("DELETE", &at, Value::Null).await), invalid);
    let json = bench.send("PUT", &format!("{at}/batches"), json!({})).await;
    assert_eq!(json.status, 415);
    assert_eq!(bench.put(&job, "Subject\na\n").await.status, 201);
    let second = bench.put(&job, "Subject\nb\n").await;
    assert_eq!(second.status, 400);
    assert!(
        second.body[0]["message"]
            .as_str()
            .unwrap()
            .contains(&format!("multiple contents for job: <{job}>"))
    );
    assert_eq!(bench.state(&job, "UploadComplete").await.status, 200);
    bench.ended(&format!("ingest/{job}")).await;
    assert_eq!(code(bench.state(&job, "UploadComplete").await), invalid);
    assert_eq!(code(bench.state(&job, "Aborted").await), invalid);
    assert_eq!(
        bench.org.dump("Case").unwrap()[0]["Subject"],
        "a",
        "the second upload is nothing"
    );
    let listed = bench.get("jobs/ingest?jobType=V2Ingest").await.body;
    assert_eq!(
        (&listed["done"], &listed["records"][0]["id"]),
        (&json!(true), &json!(job))
    );
    assert_eq!(bench.send("DELETE", &at, Value::Null).await.status, 204);
    assert_eq!(bench.send("DELETE", &at, Value::Null).await.status, 404);
    assert_eq!(bench.get(&at).await.status, 404);

    let job = bench.job(insert("Case")).await;
    assert_eq!(bench.put(&job, "Subject\nnever\n").await.status, 201);
    assert_eq!(bench.state(&job, "Aborted").await.body["state"], "Aborted");
    let rest = bench
        .text(&format!("jobs/ingest/{job}/unprocessedrecords"))
        .await;
    assert_eq!(rest, "Subject\nnever\n");
    assert_eq!(bench.org.dump("Case").unwrap().len(), 1);
    assert_eq!(bench.get("jobs/ingest/750000000000001").await.status, 404);
}

#[tokio::test]
async fn an_upload_beyond_its_limit_is_refused_and_not_kept() {
    let bench = Bench::new().await;
    let job = bench.job(insert("Case")).await;
    let piece = bytes::Bytes::from(vec![b'x'; 1_000_000]);
    let pieces = (0..101).map(move |_| Ok::<_, std::io::Error>(piece.clone()));
    let refused = bench
        .put(
            &job,
            reqwest::Body::wrap_stream(futures::stream::iter(pieces)),
        )
        .await;
    assert_eq!((refused.status, refused.code()), (400, "CLIENTINPUTERROR"));
    let kept = |part: &str| {
        std::fs::read_dir(bench.folder.path().join(part))
            .unwrap()
            .count()
    };
    assert_eq!((kept("uploads"), kept("jobs")), (0, 0));
    assert_eq!(bench.put(&job, "Subject\na\n").await.status, 201);
}

#[tokio::test]
async fn a_job_can_come_with_its_upload_in_one_request() {
    let bench = Bench::new().await;
    let body = format!(
        "--b\r\nContent-Disposition: form-data; name=\"job\"\r\nContent-Type: application/json\r\n\r\n{}\r\n\
         --b\r\nContent-Disposition: form-data; name=\"content\"; filename=\"content\"\r\nContent-Type: text/csv\r\n\r\n\
         Subject\na\n\r\n--b--\r\n",
        insert("Case")
    );
    let request = bench
        .request("POST", "jobs/ingest")
        .header("Content-Type", "multipart/form-data; boundary=b");
    let made = bench.answer(request.body(body)).await;
    assert_eq!(
        (made.status, &made.body["state"]),
        (200, &json!("UploadComplete"))
    );
    assert_eq!(
        bench.ended(&format!("ingest/{}", id(&made))).await["numberRecordsProcessed"],
        1
    );
}

#[tokio::test]
async fn a_job_that_breaks_down_keeps_what_it_wrote_and_names_the_rest() {
    let bench = Bench::new().await;
    bench.org.faults().set(vec![
        Rule::new(Action::named("bulk-fail-half"))
            .path("Case insert")
            .times(1),
    ]);
    let (job, info) = bench.done(insert("Case"), &numbered(501)).await;
    assert_eq!(
        (&info["state"], &info["numberRecordsProcessed"]),
        (&json!("Failed"), &json!(250))
    );
    let (good, bad) = (
        bench.set(&job, "successfulResults").await,
        bench.set(&job, "failedResults").await,
    );
    let rest = bench.set(&job, "unprocessedrecords").await;
    assert_eq!((good.len(), bad.len(), rest.len()), (250, 0, 251));
    assert_eq!(
        (
            rest[0][KEYS].as_str(),
            bench.org.dump("Case").unwrap().len()
        ),
        ("k250", 250)
    );
    let (_, again) = bench.done(insert("Case"), "Subject\na\n").await;
    assert_eq!(again["state"], "JobComplete");
}

#[tokio::test]
async fn rows_can_be_missing_from_the_results_written_or_not() {
    let bench = Bench::new().await;
    bench.org.faults().set(vec![
        Rule::new(Action::named("bulk-lose-rows")).skip(3).times(2),
        Rule::new(Action::named("bulk-skip-rows")).path("Case insert 7"),
    ]);
    let (job, info) = bench.done(insert("Case"), &numbered(10)).await;
    assert_eq!(info["state"], "JobComplete");
    assert_eq!(bench.set(&job, "successfulResults").await.len(), 7);
    let written: BTreeSet<String> = bench
        .org
        .dump("Case")
        .unwrap()
        .iter()
        .map(|row| row[KEYS].as_str().unwrap().to_owned())
        .collect();
    assert!(written.contains("k3") && written.contains("k4") && !written.contains("k7"));
    assert_eq!(written.len(), 9);
}

#[tokio::test]
async fn a_locked_row_fails_alone() {
    let bench = Bench::new().await;
    let contact = bench.add("Contact", json!({"LastName": "Lee"})).await;
    bench.org.faults().set(vec![
        Rule::new(Action::named("lock-row")).path(&contact).times(1),
    ]);
    let csv = format!("Subject,ContactId\na,{contact}\nb,{contact}\n");
    let (job, info) = bench.done(insert("Case"), &csv).await;
    assert_eq!(info["numberRecordsFailed"], 1);
    let bad = &bench.set(&job, "failedResults").await[0];
    assert!(
        bad["sf__Error"].starts_with("UNABLE_TO_LOCK_ROW:unable to obtain exclusive access"),
        "{bad:?}"
    );
}

#[tokio::test]
async fn a_slow_job_is_in_progress_until_it_was_asked_for_often_enough() {
    let bench = Bench::new().await;
    bench
        .org
        .faults()
        .set(vec![Rule::new(Action::named("bulk-slow")).times(3)]);
    let job = bench.begun(insert("Case"), "Subject\na\n").await;
    let (other, _) = bench.done(insert("Account"), "Name\nAcme\n").await;
    assert_ne!(job, other);
    let mut seen = Vec::new();
    loop {
        let state = bench.get(&format!("jobs/ingest/{job}")).await.body["state"].clone();
        if state == "JobComplete" {
            break;
        }
        seen.push(state);
    }
    assert!(seen.contains(&json!("InProgress")), "{seen:?}");
}

#[tokio::test]
async fn a_job_can_be_gone_and_a_result_set_empty() {
    let bench = Bench::new().await;
    let (job, _) = bench.done(insert("Case"), "Subject\na\n").await;
    bench.org.faults().set(vec![
        Rule::new(Action::named("bulk-no-content")).times(1),
        Rule::new(Action::named("bulk-gone")).path(&job).skip(2),
    ]);
    let set = format!("jobs/ingest/{job}/successfulResults");
    assert_eq!(bench.get(&set).await.status, 204);
    assert_eq!(bench.get(&set).await.status, 200);
    let gone = bench.get(&set).await;
    assert_eq!((gone.status, gone.code()), (404, "NOT_FOUND"));
}

#[tokio::test]
async fn jobs_are_forgotten_in_time_and_belong_to_their_user() {
    let bench = Bench::with(|options| options.bulk_job_seconds(0)).await;
    let job = bench.begun(insert("Case"), "Subject\na\n").await;
    while bench.get(&format!("jobs/ingest/{job}")).await.status == 200 {}
    assert_eq!(bench.org.dump("Case").unwrap().len(), 1);

    let bench = Bench::with(|mut options| {
        options.settings.password = Some(Hidden("p".into()));
        options
    })
    .await;
    let job = bench.job(insert("Case")).await;
    let form = "grant_type=password&client_id=rehearsal-client&client_secret=rehearsal-secret&username=ann@example.org.rehearsal&password=p";
    let ask = bench
        .client
        .post(bench.org.url() + "/services/oauth2/token")
        .header("Content-Type", "application/x-www-form-urlencoded");
    let token = bench.answer(ask.body(form)).await.body["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let url = format!("{}/services/data/v66.0/jobs/ingest/{job}", bench.org.url());
    let refused = bench.answer(bench.client.get(url).bearer_auth(token)).await;
    assert_eq!((refused.status, refused.code()), (400, "INVALIDUSER"));
}

#[tokio::test]
async fn a_job_goes_on_after_a_restart_and_writes_no_row_twice() {
    let bench = Bench::new().await;
    // It stands still behind its second chunk.
    bench.org.faults().set(vec![
        Rule::new(Action::named("bulk-slow")).path("Case").skip(3),
    ]);
    let job = bench.begun(insert("Case"), &numbered(1_000)).await;
    while bench.org.dump("Case").unwrap().len() < 400 {
        bench.get("limits").await;
    }
    assert_eq!(
        bench.get(&format!("jobs/ingest/{job}")).await.body["state"],
        "InProgress"
    );
    let Bench {
        org,
        folder,
        client,
    } = bench;
    org.stop().await;
    let before = Org::open_state(folder.path())
        .unwrap()
        .dump("Case")
        .unwrap()
        .len();
    assert!(before < 1_000, "{before}");
    let org = Org::start(OrgOptions::new(folder.path())).await.unwrap();
    let bench = Bench {
        org,
        folder,
        client,
    };
    let info = bench.ended(&format!("ingest/{job}")).await;
    assert_eq!(
        (&info["state"], &info["numberRecordsProcessed"]),
        (&json!("JobComplete"), &json!(1_000))
    );
    assert_eq!(bench.set(&job, "successfulResults").await.len(), 1_000);
    assert_eq!(bench.set(&job, "failedResults").await.len(), 0);
    assert_eq!(bench.org.dump("Case").unwrap().len(), 1_000);
}

#[tokio::test]
async fn a_query_job_hands_out_its_rows_in_pages() {
    let bench = Bench::new().await;
    let ann = bench.user("Ann Agent").await;
    let rows: Vec<Value> = (0..5)
        .map(|n| json!({"Subject": format!("a \"{n}\",\nb"), "OwnerId": ann, "Source_Key__c": format!("k{n}")}))
        .collect();
    bench.insert("Case", &rows).await;
    let query = "select source_key__c, Subject, owner.name, ContactId, IsClosed, CreatedDate from case order by Source_Key__c";
    let made = bench
        .send(
            "POST",
            "jobs/query",
            json!({"operation": "query", "query": query}),
        )
        .await;
    assert_eq!(
        (made.status, &made.body["state"], &made.body["object"]),
        (200, &json!("UploadComplete"), &json!("Case"))
    );
    let job = id(&made);
    let info = bench.ended(&format!("query/{job}")).await;
    assert_eq!(
        (&info["state"], &info["numberRecordsProcessed"]),
        (&json!("JobComplete"), &json!(5))
    );
    let (mut read, mut locator, mut counts) = (Vec::new(), String::new(), Vec::new());
    while locator != "null" {
        let page = format!("jobs/query/{job}/results?maxRecords=2&locator={locator}");
        let answer = bench.request("GET", &page).send().await.unwrap();
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        counts.push(header("sforce-numberofrecords"));
        locator = header("sforce-locator");
        let text = answer.text().await.unwrap();
        assert!(
            text.starts_with("\"Source_Key__c\",\"Subject\",\"Owner.Name\",\"ContactId\""),
            "{text}"
        );
        read.extend(rows_of(&text));
    }
    assert_eq!(counts, ["2", "2", "1"]);
    for (n, row) in read.iter().enumerate() {
        assert_eq!(row["Source_Key__c"], format!("k{n}"));
        assert_eq!(row["Subject"], format!("a \"{n}\",\nb"));
        assert_eq!(
            (row["Owner.Name"].as_str(), row["ContactId"].as_str()),
            ("Ann Agent", "")
        );
        assert_eq!(row["IsClosed"], "false");
        assert!(row["CreatedDate"].ends_with(".000Z"), "{row:?}");
    }
    let pages = bench
        .get(&format!("jobs/query/{job}/resultPages?maxRecords=2"))
        .await
        .body;
    assert_eq!(
        (
            &pages["done"],
            pages["resultPages"].as_array().unwrap().len()
        ),
        (&json!(true), 3)
    );
    let url = bench.org.url() + pages["resultPages"][2]["resultUrl"].as_str().unwrap();
    let last = bench
        .client
        .get(&url)
        .bearer_auth(TOKEN)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert_eq!(rows_of(&last)[0]["Source_Key__c"], "k4");
    let other = bench
        .client
        .get(url.replace("v66.0", "v65.0"))
        .bearer_auth(TOKEN)
        .send()
        .await
        .unwrap();
    assert_eq!(other.status(), 409);
    let lost = bench
        .get(&format!("jobs/query/{job}/results?locator=xx"))
        .await;
    assert_eq!(lost.code(), "INVALIDQUERYLOCATOR");
    let finished = bench
        .send(
            "PATCH",
            &format!("jobs/query/{job}"),
            json!({"state": "Aborted"}),
        )
        .await;
    assert_eq!(finished.code(), "INVALIDJOBSTATE");
    assert_eq!(bench.get(&format!("jobs/ingest/{job}")).await.status, 404);
}

#[tokio::test]
async fn a_query_job_reads_deleted_rows_when_asked_and_refuses_what_bulk_cannot() {
    let bench = Bench::new().await;
    let case = bench.add("Case", json!({"Subject": "gone"})).await;
    bench
        .request("DELETE", &format!("sobjects/Case/{case}"))
        .send()
        .await
        .unwrap();
    for (operation, most) in [("query", 0), ("queryAll", 1)] {
        let body = json!({"operation": operation, "query": "SELECT Id, IsDeleted FROM Case"});
        let job = id(&bench.send("POST", "jobs/query", body).await);
        bench.ended(&format!("query/{job}")).await;
        let read = rows_of(&bench.text(&format!("jobs/query/{job}/results")).await);
        assert_eq!(read.len(), most, "{operation}");
    }
    for (query, code) in [
        ("SELECT COUNT() FROM Case", "API_ERROR"),
        ("SELECT Id FROM Case OFFSET 5", "API_ERROR"),
        ("SELECT BillingAddress FROM Account", "API_ERROR"),
        ("SELECT Nothing FROM Case", "INVALID_FIELD"),
        ("SELECT Id FROM Nothing", "INVALID_TYPE"),
        ("SELECT", "MALFORMED_QUERY"),
    ] {
        let refused = bench
            .send(
                "POST",
                "jobs/query",
                json!({"operation": "query", "query": query}),
            )
            .await;
        assert_eq!((refused.status, refused.code()), (400, code), "{query}");
    }
}
