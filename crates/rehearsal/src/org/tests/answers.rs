//! Sessions, versions, limits, describes, queries.

use super::*;

async fn token(bench: &Bench, form: &[(&str, &str)], basic: Option<(&str, &str)>) -> Answer {
    let mut request = bench
        .client
        .post(bench.org.url() + "/services/oauth2/token");
    if let Some((id, secret)) = basic {
        request = request.basic_auth(id, Some(secret));
    }
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish();
    bench
        .answer(
            request
                .header("Content-Type", "application/x-www-form-urlencoded")
                .body(body),
        )
        .await
}

#[tokio::test]
async fn a_token_is_given_for_credentials_in_the_body_or_the_header_and_refused_in_the_platforms_words()
 {
    let bench = Bench::with(|options| options.client("app", "s3cret")).await;
    let grant = ("grant_type", "client_credentials");
    for (form, basic) in [
        (
            vec![grant, ("client_id", "app"), ("client_secret", "s3cret")],
            None,
        ),
        (vec![grant], Some(("app", "s3cret"))),
    ] {
        let answer = token(&bench, &form, basic).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.body["instance_url"], bench.org.url());
        assert!(answer.body["access_token"].as_str().unwrap().contains('!'));
        let id = format!(
            "{}/id/{}/{}",
            bench.org.url(),
            bench.org.org_id(),
            bench.org.user_id()
        );
        assert_eq!(answer.body["id"], id);
        assert!(answer.body.get("expires_in").is_none());
        let who = bench
            .client
            .get(&id)
            .bearer_auth(answer.body["access_token"].as_str().unwrap());
        assert_eq!(
            bench.answer(who).await.body["organization_id"],
            bench.org.org_id()
        );
    }
    for (form, error) in [
        (
            vec![grant, ("client_id", "other"), ("client_secret", "s3cret")],
            "invalid_client_id",
        ),
        (
            vec![grant, ("client_id", "app"), ("client_secret", "wrong")],
            "invalid_client",
        ),
        (
            vec![
                ("grant_type", "device"),
                ("client_id", "app"),
                ("client_secret", "s3cret"),
            ],
            "unsupported_grant_type",
        ),
    ] {
        let answer = token(&bench, &form, None).await;
        assert_eq!(
            (answer.status, answer.body["error"].as_str()),
            (400, Some(error))
        );
    }
}

#[tokio::test]
async fn a_session_ends_after_its_calls_by_script_and_by_revocation() {
    let bench = Bench::with(|options| options.client("app", "s3cret").session_calls(2)).await;
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "app"),
        ("client_secret", "s3cret"),
    ];
    let limits = bench.org.url() + "/services/data/v66.0/limits";
    let ask = |token: String| bench.answer(bench.client.get(&limits).bearer_auth(token));
    let fresh = || async {
        token(&bench, &form, None).await.body["access_token"]
            .as_str()
            .unwrap()
            .to_owned()
    };

    let first = fresh().await;
    for status in [200, 200, 401, 401] {
        assert_eq!(ask(first.clone()).await.status, status);
    }
    assert_eq!(
        ask(first).await.body,
        json!([{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}])
    );

    let second = fresh().await;
    bench
        .org
        .faults()
        .set(vec![Rule::new(Action::named("expire-session")).times(1)]);
    assert_eq!(ask(second.clone()).await.status, 401);
    assert_eq!(ask(second).await.status, 401, "what has ended stays ended");

    let third = fresh().await;
    let revoke = bench
        .client
        .post(bench.org.url() + "/services/oauth2/revoke")
        .body(format!("token={}", third.replace('!', "%21")));
    assert_eq!(bench.answer(revoke).await.status, 200);
    assert_eq!(ask(third).await.status, 401);

    let malformed = bench
        .client
        .get(&limits)
        .header("Authorization", "Basic abc");
    assert_eq!(bench.answer(malformed).await.code(), "INVALID_AUTH_HEADER");
}

#[tokio::test]
async fn versions_are_listed_without_a_token_and_retired_or_unknown_ones_refused() {
    let bench = Bench::new().await;
    let listed = bench
        .answer(bench.client.get(bench.org.url() + "/services/data/"))
        .await;
    assert_eq!(listed.body[0]["version"], "31.0");
    let newest = listed.body.as_array().unwrap().last().unwrap();
    assert_eq!(newest["url"], "/services/data/v68.0");
    for (version, status) in [
        ("v66.0", 200),
        ("v31.0", 200),
        ("v30.0", 410),
        ("v69.0", 404),
        ("latest", 404),
    ] {
        let url = format!("{}/services/data/{version}/limits", bench.org.url());
        let answer = bench.answer(bench.client.get(url).bearer_auth(TOKEN)).await;
        assert_eq!(answer.status, status, "{version}");
    }
}

#[tokio::test]
async fn every_answer_tells_the_use_of_the_api_until_the_day_is_used_up() {
    let mut settings = OrgSettings {
        daily_api_requests: 2,
        ..OrgSettings::default()
    };
    settings.access_token = Some(Hidden(TOKEN.into()));
    let bench = Bench::with(|options| options.settings(settings)).await;
    let first = bench.get("limits").await;
    assert_eq!(first.headers["sforce-limit-info"], "api-usage=1/2");
    assert_eq!(
        first.body["DailyApiRequests"],
        json!({"Max": 2, "Remaining": 1})
    );
    bench.get("sobjects").await;
    let third = bench.get("limits").await;
    assert_eq!(
        (third.status, third.code()),
        (403, "REQUEST_LIMIT_EXCEEDED")
    );
}

#[tokio::test]
async fn a_describe_tells_what_this_user_may_write() {
    let bench = Bench::new().await;
    let answer = bench.get("sobjects/Case/describe").await;
    let field = |name: &str| {
        let fields = answer.body["fields"].as_array().unwrap();
        fields.iter().find(|field| field["name"] == name).cloned()
    };
    assert_eq!(answer.body["keyPrefix"], "500");
    let key = field("Source_Key__c").unwrap();
    for flag in [
        "unique",
        "caseSensitive",
        "externalId",
        "idLookup",
        "custom",
        "createable",
    ] {
        assert_eq!(key[flag], true, "{flag}");
    }
    assert_eq!(
        (&key["length"], &key["type"]),
        (&json!(255), &json!("string"))
    );
    assert_eq!(field("CreatedDate").unwrap()["createable"], true);
    assert_eq!(
        field("OwnerId").unwrap()["referenceTo"],
        json!(["Group", "User"])
    );
    assert_eq!(field("Notes__c").unwrap()["extraTypeInfo"], "richtextarea");
    let status: Vec<Value> = field("Status").unwrap()["picklistValues"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v["value"].clone())
        .collect();
    assert!(status.contains(&json!("On hold")) && status.contains(&json!("Closed")));
    assert!(
        field("Hidden__c").is_none(),
        "what permissions hide is absent"
    );
    let plain = Bench::with(|options| options.audit_fields(false))
        .await
        .get("sobjects/Case/describe")
        .await;
    let created = plain.body["fields"]
        .as_array()
        .unwrap()
        .iter()
        .find(|f| f["name"] == "CreatedDate")
        .unwrap()
        .clone();
    assert_eq!(
        (&created["createable"], &created["defaultedOnCreate"]),
        (&json!(false), &json!(true))
    );

    let since = answer.headers["last-modified"].clone();
    let unchanged = bench
        .request("GET", "sobjects/Case/describe")
        .header("If-Modified-Since", since);
    assert_eq!(bench.answer(unchanged).await.status, 304);
    assert_eq!(bench.get("sobjects/Nothing/describe").await.status, 404);
    let listed = bench.get("sobjects").await;
    assert!(
        listed.body["sobjects"]
            .as_array()
            .unwrap()
            .iter()
            .any(|o| o["name"] == "EmailMessage")
    );
}

/// A few accounts, contacts and cases to ask for.
async fn asked() -> Bench {
    let bench = Bench::new().await;
    let acme = bench
        .add(
            "Account",
            json!({"Name": "Acme", "NumberOfEmployees": 10, "BillingCity": "Oslo"}),
        )
        .await;
    let ann = bench.add("Contact", json!({"FirstName": "Ann", "LastName": "Lee", "Email": "Ann@Example.org", "AccountId": acme})).await;
    bench
        .add(
            "Contact",
            json!({"LastName": "O'Neil", "Loose_Key__c": "AbC"}),
        )
        .await;
    for (n, subject) in ["alpha", "Beta 50%", "gamma_x"].iter().enumerate() {
        let row = json!({
            "Subject": subject, "Source_Key__c": format!("k{n}"), "ContactId": if n == 0 { json!(ann) } else { Value::Null },
            "Score__c": n, "CreatedDate": format!("2021-03-0{}T00:00:00Z", n + 1),
            "LastModifiedDate": "2021-04-01T00:00:00Z", "Tags__c": if n == 1 { "red;blue" } else { "green" },
            "Status": if n == 2 { "Solved" } else { "New" },
        });
        bench.add("Case", row).await;
    }
    bench
}

#[tokio::test]
async fn queries_find_what_they_say() {
    let bench = asked().await;
    let cases = [
        ("", "alpha,Beta 50%,gamma_x"),
        ("WHERE Subject = 'ALPHA'", "alpha"),
        ("WHERE Source_Key__c = 'K0'", ""),
        (
            "WHERE Source_Key__c IN ('k0','k2','nothing')",
            "alpha,gamma_x",
        ),
        ("WHERE Source_Key__c NOT IN ('k0','k2')", "Beta 50%"),
        ("WHERE Subject LIKE 'be%'", "Beta 50%"),
        ("WHERE Subject LIKE '%50\\%'", "Beta 50%"),
        ("WHERE Subject LIKE 'gamma\\_x'", "gamma_x"),
        ("WHERE Subject LIKE '_lpha'", "alpha"),
        ("WHERE Score__c > 0 AND Score__c <= 2", "Beta 50%,gamma_x"),
        ("WHERE IsClosed = true", "gamma_x"),
        ("WHERE ContactId != null", "alpha"),
        (
            "WHERE ContactId = null AND (Subject = 'alpha' OR Score__c = 2)",
            "gamma_x",
        ),
        ("WHERE NOT (Subject = 'alpha')", "Beta 50%,gamma_x"),
        (
            "WHERE CreatedDate >= 2021-03-02T00:00:00Z AND CreatedDate < 2021-03-03T00:00:00+00:00",
            "Beta 50%",
        ),
        ("WHERE Contact.Account.Name = 'acme'", "alpha"),
        ("WHERE Contact.Email = 'ann@example.org'", "alpha"),
        ("WHERE Tags__c INCLUDES ('red;blue')", "Beta 50%"),
        (
            "WHERE Tags__c INCLUDES ('red','green')",
            "alpha,Beta 50%,gamma_x",
        ),
        (
            "WHERE ContactId IN (SELECT Id FROM Contact WHERE LastName = 'Lee')",
            "alpha",
        ),
        ("ORDER BY Score__c DESC LIMIT 2", "gamma_x,Beta 50%"),
        (
            "ORDER BY ContactId NULLS LAST, Score__c DESC OFFSET 1",
            "gamma_x,Beta 50%",
        ),
        ("LIMIT 1", "alpha"),
    ];
    for (filter, subjects) in cases {
        let rows = bench
            .rows(&format!("SELECT Subject FROM Case {filter}"))
            .await;
        let found: Vec<&str> = rows
            .iter()
            .map(|row| row["Subject"].as_str().unwrap())
            .collect();
        assert_eq!(found.join(","), subjects, "{filter}");
    }
    let aliased = bench
        .rows("SELECT c.Id, c.Subject FROM Case c WHERE c.Subject = 'alpha'")
        .await;
    assert_eq!(aliased.len(), 1);
    let quoted = bench
        .rows("SELECT LastName FROM Contact WHERE LastName = 'O\\'Neil' AND Loose_Key__c = 'abc'")
        .await;
    assert_eq!(
        quoted.len(),
        1,
        "an external id minds case only where it was made so"
    );
}

#[tokio::test]
async fn a_row_of_a_query_has_its_parents_nested_and_its_compounds_whole() {
    let bench = asked().await;
    let rows = bench.rows("SELECT Id, Contact.Name, Contact.Account.Name, Owner.Name, ContactEmail FROM Case ORDER BY CreatedDate LIMIT 2").await;
    assert_eq!(rows[0]["Contact"]["Name"], "Ann Lee");
    assert_eq!(rows[0]["Contact"]["Account"]["Name"], "Acme");
    assert_eq!(rows[0]["Contact"]["attributes"]["type"], "Contact");
    assert_eq!(rows[0]["ContactEmail"], "ann@example.org");
    assert_eq!(rows[1]["Contact"], Value::Null);
    assert_eq!(rows[0]["Owner"]["Name"], "Integration User");
    let account = bench.rows("SELECT BillingAddress FROM Account").await;
    assert_eq!(account[0]["BillingAddress"]["city"], "Oslo");
    let counted = bench
        .query("SELECT COUNT() FROM Case WHERE IsClosed = false")
        .await;
    assert_eq!(
        counted.body,
        json!({"totalSize": 2, "done": true, "records": []})
    );
    let folded = bench
        .rows("SELECT COUNT(Id), MAX(Score__c) most FROM Case")
        .await;
    assert_eq!(
        (&folded[0]["expr0"], &folded[0]["most"]),
        (&json!(3), &json!(2.0))
    );
}

#[tokio::test]
async fn a_bad_query_is_refused_with_the_platforms_code() {
    let bench = asked().await;
    let cases = [
        ("SELECT", "MALFORMED_QUERY"),
        ("SELECT Id FROM", "MALFORMED_QUERY"),
        ("SELECT Id FROM Case WHERE", "MALFORMED_QUERY"),
        (
            "SELECT Id FROM Case WHERE Subject = 'open",
            "MALFORMED_QUERY",
        ),
        (
            "SELECT Id FROM Case WHERE Subject = 'a' AND Subject = 'b' OR Subject = 'c'",
            "MALFORMED_QUERY",
        ),
        ("SELECT Id FROM Case LIMIT x", "MALFORMED_QUERY"),
        ("SELECT Id FROM Nothing", "INVALID_TYPE"),
        ("SELECT Nothing__c FROM Case", "INVALID_FIELD"),
        ("SELECT Hidden__c FROM Case", "INVALID_FIELD"),
        ("SELECT Id, Id FROM Case", "INVALID_FIELD"),
        ("SELECT Nothing.Name FROM Case", "INVALID_FIELD"),
        (
            "SELECT Id FROM Case WHERE Description = 'x'",
            "INVALID_FIELD",
        ),
        ("SELECT Id FROM Case ORDER BY Description", "INVALID_FIELD"),
        (
            "SELECT Id FROM Case WHERE CreatedDate = '2021-03-01T00:00:00Z'",
            "INVALID_FIELD",
        ),
        ("SELECT Id FROM Case WHERE Subject = 5", "INVALID_FIELD"),
        ("SELECT Id FROM Case WHERE Score__c = '5'", "INVALID_FIELD"),
        (
            "SELECT Id FROM Case WHERE Id = 'nonsense'",
            "INVALID_QUERY_FILTER_OPERATOR",
        ),
        ("SELECT Id FROM ContentDocumentLink", "MALFORMED_QUERY"),
    ];
    for (soql, code) in cases {
        let answer = bench.query(soql).await;
        assert_eq!((answer.status, answer.code()), (400, code), "{soql}");
    }
    assert_eq!(
        bench.get("query/0r8000000000099-2000").await.code(),
        "INVALID_QUERY_LOCATOR"
    );
    assert_eq!(bench.get("query").await.code(), "MALFORMED_QUERY");
}

#[tokio::test]
async fn a_long_answer_comes_in_pages_that_survive_a_restart() {
    let bench = Bench::new().await;
    let rows: Vec<Value> = (0..450)
        .map(|n| json!({"Name": format!("A{n:03}")}))
        .collect();
    for part in rows.chunks(200) {
        bench.insert("Account", part).await;
    }
    let soql = encoded("SELECT Name FROM Account ORDER BY Name");
    let request = bench
        .request("GET", &format!("query?q={soql}"))
        .header("Sforce-Query-Options", "batchSize=200");
    let first = bench.answer(request).await;
    assert_eq!(
        (&first.body["totalSize"], &first.body["done"]),
        (&json!(450), &json!(false))
    );
    let next = first.body["nextRecordsUrl"]
        .as_str()
        .unwrap()
        .strip_prefix("/services/data/v66.0/")
        .unwrap()
        .to_owned();

    let Bench {
        org,
        folder,
        client,
    } = bench;
    org.stop().await;
    let org = Org::start(OrgOptions::new(folder.path())).await.unwrap();
    let bench = Bench {
        org,
        folder,
        client,
    };
    let second = bench
        .answer(
            bench
                .request("GET", &next)
                .header("Sforce-Query-Options", "batchSize=200"),
        )
        .await;
    assert_eq!(second.body["records"][0]["Name"], "A200");
    let next = second.body["nextRecordsUrl"]
        .as_str()
        .unwrap()
        .strip_prefix("/services/data/v66.0/")
        .unwrap()
        .to_owned();
    let third = bench.get(&next).await;
    assert_eq!(
        (
            third.body["done"].as_bool(),
            third.body["records"].as_array().unwrap().len()
        ),
        (Some(true), 50)
    );
}

#[tokio::test]
async fn composite_parts_use_what_earlier_parts_answered() {
    let bench = Bench::new().await;
    let part = |method: &str, url: &str, reference: &str, body: Value| {
        json!({"method": method, "url": format!("/services/data/v66.0/{url}"), "referenceId": reference, "body": body,
            "httpHeaders": {"Sforce-Auto-Assign": "FALSE"}})
    };
    let account = part("POST", "sobjects/Account", "a", json!({"Name": "Acme"}));
    let contact = part(
        "PATCH",
        "sobjects/Contact/Source_Key__c/k%2F1",
        "c",
        json!({"LastName": "Lee", "AccountId": "@{a.id}"}),
    );
    let query = json!({"method": "GET", "referenceId": "q",
        "url": "/services/data/v66.0/query?q=SELECT+Id,AccountId+FROM+Contact+WHERE+Id='@{c.id}'"});
    let answer = bench
        .send(
            "POST",
            "composite",
            json!({"compositeRequest": [account, contact, query]}),
        )
        .await;
    let row = |n: usize| answer.body["compositeResponse"][n].clone();
    assert_eq!(
        [&row(0)["httpStatusCode"], &row(1)["httpStatusCode"]],
        [201, 201],
        "{}",
        answer.body
    );
    assert_eq!(
        row(2)["body"]["records"][0]["AccountId"],
        row(0)["body"]["id"]
    );

    let bad = part("POST", "sobjects/Account", "a", json!({}));
    let after = part(
        "POST",
        "sobjects/Contact",
        "c",
        json!({"LastName": "Lee", "AccountId": "@{a.id}"}),
    );
    let good = part("POST", "sobjects/Account", "g", json!({"Name": "Good"}));
    let body = json!({"allOrNone": true, "compositeRequest": [good, bad, after]});
    let answer = bench.send("POST", "composite", body).await;
    let codes: Vec<&str> = (0..3)
        .map(|n| {
            answer.body["compositeResponse"][n]["body"][0]["errorCode"]
                .as_str()
                .unwrap()
        })
        .collect();
    assert_eq!(
        codes,
        [
            "PROCESSING_HALTED",
            "REQUIRED_FIELD_MISSING",
            "PROCESSING_HALTED"
        ]
    );
    assert_eq!(bench.org.dump("Account").unwrap().len(), 1, "all or none");
    let many: Vec<Value> = (0..26)
        .map(|n| part("GET", "limits", &format!("r{n}"), Value::Null))
        .collect();
    assert_eq!(
        bench
            .send("POST", "composite", json!({"compositeRequest": many}))
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn absolute_addresses_begin_where_the_client_came_in_or_where_the_org_was_told() {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "rehearsal-client"),
        ("client_secret", "rehearsal-secret"),
    ];
    let mut bench = Bench::with(|options| options.tls(0, ["acme.my.example.org".to_owned()])).await;
    let plain = token(&bench, &form, None).await;
    assert_eq!(plain.body["instance_url"], bench.org.url());
    let ca = reqwest::Certificate::from_pem(bench.org.ca_pem().unwrap().as_bytes()).unwrap();
    bench.client = reqwest::Client::builder()
        .tls_certs_merge([ca])
        .build()
        .unwrap();
    let tls = bench.org.tls_url().unwrap();
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish();
    let secure = bench
        .answer(
            bench
                .client
                .post(format!("{tls}/services/oauth2/token"))
                .body(body),
        )
        .await;
    assert_eq!(secure.body["instance_url"], tls);
    let public = Bench::with(|options| options.public_url("https://acme.my.example.org/")).await;
    let mut request = public.client.get(format!(
        "http://127.0.0.1:{}/services/data/v66.0",
        public.org.port()
    ));
    request = request.bearer_auth(TOKEN);
    let identity = public.answer(request).await.body["identity"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        identity.starts_with("https://acme.my.example.org/id/00D"),
        "{identity}"
    );
}
