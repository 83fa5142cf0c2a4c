//! The query language, by a list of queries and by what they answer.

use super::*;

/// `+` is taken, `-` is refused; the list is also judged by another parser (tests/clients/soql).
const QUERIES: &str = include_str!("../soql/queries.txt");

#[tokio::test]
async fn queries_are_taken_and_refused_as_listed() {
    let bench = Bench::new().await;
    let (mut seen, mut wrong) = (0, Vec::new());
    for line in QUERIES.lines().filter(|line| !line.starts_with('#')) {
        let (sign, query) = line.split_once(' ').unwrap_or((line, ""));
        let answer = bench.query(query).await;
        let wanted = if sign.starts_with('+') { 200 } else { 400 };
        if answer.status != wanted {
            wrong.push(format!("{line}: {}", answer.body));
            continue;
        }
        if wanted == 400 {
            let code = answer.body[0]["errorCode"].as_str().unwrap();
            let known = [
                "MALFORMED_QUERY",
                "INVALID_FIELD",
                "INVALID_TYPE",
                "INVALID_QUERY_FILTER_OPERATOR",
                "NUMBER_OUTSIDE_VALID_RANGE",
            ];
            assert!(known.contains(&code), "{query}: {code}");
        }
        seen += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 400);
}

#[tokio::test]
async fn groups_children_days_and_types_are_answered() {
    let bench = Bench::new().await;
    let account = bench
        .add(
            "Account",
            json!({"Name": "Acme", "Industry": "Energy", "NumberOfEmployees": 5}),
        )
        .await;
    bench
        .add(
            "Account",
            json!({"Name": "Beta", "Industry": "Energy", "NumberOfEmployees": 7}),
        )
        .await;
    bench.add("Account", json!({"Name": "Gamma"})).await;
    let contact = bench
        .add("Contact", json!({"LastName": "Ngo", "AccountId": account}))
        .await;
    for (subject, created) in [
        ("a", "2024-01-31T10:00:00Z"),
        ("b", "2024-02-01T00:00:00Z"),
        ("c", "2025-02-01T00:00:00Z"),
    ] {
        let case = json!({
            "Subject": subject, "ContactId": contact, "CreatedDate": created, "LastModifiedDate": created,
        });
        bench.add("Case", case).await;
    }
    let bare = |rows: Vec<Value>| -> Vec<Value> {
        rows.into_iter()
            .map(|mut row| {
                row.as_object_mut().unwrap().remove("attributes");
                row
            })
            .collect()
    };
    for (query, wanted) in [
        (
            "SELECT Industry, COUNT(Id) n, SUM(NumberOfEmployees), AVG(NumberOfEmployees) a, MIN(Name), MAX(Name) FROM Account GROUP BY Industry ORDER BY COUNT(Id) DESC",
            json!([
                {"Industry": "Energy", "n": 2, "expr0": 12.0, "a": 6.0, "expr1": "Acme", "expr2": "Beta"},
                {"Industry": null, "n": 1, "expr0": null, "a": null, "expr1": "Gamma", "expr2": "Gamma"},
            ]),
        ),
        (
            "SELECT CALENDAR_YEAR(CreatedDate) y, COUNT(Id) FROM Case GROUP BY CALENDAR_YEAR(CreatedDate) HAVING COUNT(Id) > 1",
            json!([{"y": 2024, "expr0": 2}]),
        ),
        (
            "SELECT COUNT_DISTINCT(ContactId) c FROM Case",
            json!([{"c": 1}]),
        ),
        (
            "SELECT Subject FROM Case WHERE CreatedDate < LAST_YEAR AND CALENDAR_MONTH(CreatedDate) = 1",
            json!([{"Subject": "a"}]),
        ),
        (
            "SELECT COUNT(Id) n FROM Case WHERE CreatedDate = TODAY",
            json!([{"n": 0}]),
        ),
        (
            "SELECT Subject FROM Case ORDER BY Subject DESC LIMIT 1 OFFSET 1",
            json!([{"Subject": "b"}]),
        ),
        (
            "SELECT Name FROM Account WHERE Id IN (SELECT AccountId FROM Contact) ",
            json!([{"Name": "Acme"}]),
        ),
        (
            "SELECT Name FROM Account WHERE Id NOT IN (SELECT AccountId FROM Contact) ORDER BY Name",
            json!([{"Name": "Beta"}, {"Name": "Gamma"}]),
        ),
    ] {
        let rows = bare(bench.rows(query).await);
        assert_eq!(json!(rows), wanted, "{query}");
    }
    let down = bench
        .rows("SELECT Name, (SELECT Subject FROM Cases WHERE Subject != 'b' ORDER BY Subject DESC), (SELECT Id FROM Tasks) FROM Account WHERE Name = 'Acme'")
        .await;
    let cases = &down[0]["Cases"];
    assert_eq!(
        (&cases["totalSize"], &cases["done"]),
        (&json!(2), &json!(true))
    );
    assert_eq!(cases["records"][0]["Subject"], "c");
    assert_eq!(down[0]["Tasks"], Value::Null);
    let owners = bench
        .rows("SELECT TYPEOF Owner WHEN User THEN Username WHEN Group THEN Name END FROM Case LIMIT 1")
        .await;
    assert!(owners[0]["Owner"]["Username"].is_string());
    let all = bench.rows("SELECT FIELDS(ALL) FROM Case LIMIT 1").await;
    assert!(all[0].get("CaseNumber").is_some() && all[0].get("Score__c").is_some());
    assert!(all[0].get("Hidden__c").is_none());
}

#[tokio::test]
async fn many_children_of_a_record_come_in_pages_of_their_own() {
    let bench = Bench::new().await;
    let case = bench.add("Case", json!({"Subject": "Busy"})).await;
    for n in 0..3 {
        let rows: Vec<Value> = (0..200)
            .map(|m| json!({"ParentId": case, "CommentBody": format!("{:03}", n * 200 + m)}))
            .collect();
        bench.insert("CaseComment", &rows).await;
    }
    let soql = "SELECT Id, (SELECT CommentBody FROM CaseComments ORDER BY CommentBody DESC NULLS LAST LIMIT 550) FROM Case";
    let soql = soql.replace("CommentBody DESC NULLS LAST", "Id");
    let place = format!("query?q={}", encoded(&soql));
    let request = bench
        .request("GET", &place)
        .header("Sforce-Query-Options", "batchSize=250");
    let answer = bench.answer(request).await.body;
    let children = &answer["records"][0]["CaseComments"];
    assert_eq!(
        (&children["totalSize"], &children["done"]),
        (&json!(550), &json!(false))
    );
    let mut seen: Vec<Value> = children["records"].as_array().unwrap().clone();
    assert_eq!(seen.len(), 250);
    let mut next = children["nextRecordsUrl"].as_str().map(str::to_owned);
    while let Some(url) = next {
        let resource = url.split("/v66.0/").nth(1).unwrap().to_owned();
        let request = bench
            .request("GET", &resource)
            .header("Sforce-Query-Options", "batchSize=250");
        let page = bench.answer(request).await.body;
        assert_eq!(page["totalSize"], 550, "{page}");
        seen.extend(page["records"].as_array().unwrap().clone());
        next = page["nextRecordsUrl"].as_str().map(str::to_owned);
    }
    let texts: Vec<_> = seen
        .iter()
        .map(|row| row["CommentBody"].as_str().unwrap().to_owned())
        .collect();
    let expected: Vec<_> = (0..550).map(|n| format!("{n:03}")).collect();
    assert_eq!(texts, expected);
    let whole = bench.get(&place).await.body;
    assert_eq!(
        whole["records"][0]["CaseComments"]["done"], true,
        "a page is two thousand else"
    );
}

#[tokio::test]
async fn a_search_finds_words_in_the_fields_that_it_names() {
    let bench = Bench::new().await;
    let ann = bench
        .add(
            "Contact",
            json!({"LastName": "Lamper", "Email": "ann@example.org", "Phone": "555 0100"}),
        )
        .await;
    let case = bench
        .add(
            "Case",
            json!({"Subject": "Broken lamp", "Description": "by Lamper"}),
        )
        .await;
    bench.add("Case", json!({"Subject": "Sofa"})).await;
    let ids = |answer: &Answer| -> Vec<String> {
        let rows = answer.body["searchRecords"].as_array();
        rows.unwrap_or_else(|| panic!("{}", answer.body))
            .iter()
            .map(|row| row["Id"].as_str().unwrap().to_owned())
            .collect()
    };
    for (sosl, found) in [
        ("FIND {lamp*}", vec![&ann, &case]),
        (
            "FIND {lamper} RETURNING Contact(Id, Email), Case(Id)",
            vec![&ann, &case],
        ),
        (
            "FIND {lamper} IN NAME FIELDS RETURNING Contact, Case",
            vec![&ann],
        ),
        (
            "FIND {ann@example.org} IN EMAIL FIELDS RETURNING Contact(Id)",
            vec![&ann],
        ),
        (
            "FIND {0100} IN PHONE FIELDS RETURNING Contact(Id)",
            vec![&ann],
        ),
        (
            "FIND {lamp* AND NOT sofa} RETURNING Case(Id WHERE Subject LIKE 'Broken%' LIMIT 1)",
            vec![&case],
        ),
        ("FIND {nothing here}", vec![]),
    ] {
        let answer = bench.get(&format!("search?q={}", encoded(sosl))).await;
        assert_eq!(ids(&answer).iter().collect::<Vec<_>>(), found, "{sosl}");
    }
    let by_parameters = "parameterizedSearch?q=lamp*&sobject=Case,Contact&Case.fields=Id,Subject&Case.limit=3&Contact.fields=Id";
    assert_eq!(ids(&bench.get(by_parameters).await), [case.clone(), ann]);
    let body = json!({"q": "lamp*", "in": "ALL", "fields": ["Id"], "sobjects": [{"name": "Case", "fields": ["Id", "Subject"], "limit": 1}]});
    let answer = bench.send("POST", "parameterizedSearch", body).await;
    assert_eq!(ids(&answer), [case]);
    assert_eq!(answer.body["searchRecords"][0]["Subject"], "Broken lamp");
    for (sosl, code) in [
        ("FIND {x}", "MALFORMED_SEARCH"),
        ("SELECT Id FROM Case", "MALFORMED_SEARCH"),
        ("FIND {lamp} RETURNING Nothing__c(Id)", "INVALID_TYPE"),
        ("FIND {lamp} RETURNING Case(Nothing__c)", "INVALID_FIELD"),
    ] {
        let answer = bench.get(&format!("search?q={}", encoded(sosl))).await;
        assert_eq!(answer.code(), code, "{sosl}: {}", answer.body);
    }
}

#[tokio::test]
async fn what_changed_and_what_went_is_told_by_its_time() {
    let bench = Bench::new().await;
    let kept = bench.add("Case", json!({"Subject": "kept"})).await;
    let gone = bench.add("Case", json!({"Subject": "gone"})).await;
    bench
        .send("DELETE", &format!("sobjects/Case/{gone}"), Value::Null)
        .await;
    let at = |minutes: i64| {
        let moment = chrono::Utc::now() + chrono::Duration::minutes(minutes);
        encoded(&moment.format("%Y-%m-%dT%H:%M:%S+00:00").to_string())
    };
    let ask = async |what: &str, from: i64, to: i64| {
        bench
            .get(&format!(
                "sobjects/Case/{what}/?start={}&end={}",
                at(from),
                at(to)
            ))
            .await
    };
    assert_eq!(ask("updated", -5, 5).await.body["ids"], json!([kept]));
    assert_eq!(ask("updated", -10, -5).await.body["ids"], json!([]));
    let deleted = ask("deleted", -5, 5).await.body;
    assert_eq!(deleted["deletedRecords"][0]["id"], gone);
    assert!(
        deleted["latestDateCovered"].is_string() && deleted["earliestDateAvailable"].is_string()
    );
    assert_eq!(
        ask("updated", 5, -5).await.code(),
        "INVALID_REPLICATION_DATE"
    );
    assert_eq!(
        ask("updated", -60 * 24 * 40, 0).await.code(),
        "INVALID_REPLICATION_DATE"
    );
}

#[tokio::test]
async fn the_list_of_objects_is_not_sent_to_who_knows_it() {
    let bench = Bench::new().await;
    let first = bench.get("sobjects").await;
    let since = first.headers["last-modified"].to_str().unwrap().to_owned();
    let request = bench
        .request("GET", "sobjects")
        .header("If-Modified-Since", since);
    assert_eq!(bench.answer(request).await.status, 304);
    let request = bench
        .request("GET", "sobjects")
        .header("If-Modified-Since", "Mon, 01 Jan 2024 00:00:00 GMT");
    assert_eq!(bench.answer(request).await.status, 200);
}
