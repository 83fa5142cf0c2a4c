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
