//! Rules that hold for every object: values, references, keys, audit fields, collections, single records.

use super::*;

#[tokio::test]
async fn values_are_kept_in_the_platforms_form() {
    let bench = Bench::new().await;
    let cases = [
        (
            "Subject",
            json!("  two  blanks inside \n"),
            json!("two  blanks inside"),
        ),
        ("Subject", json!("   "), Value::Null),
        ("Subject", json!(""), Value::Null),
        ("Subject", json!(5), json!("5")),
        (
            "SuppliedEmail",
            json!(" Ann@Example.ORG "),
            json!("ann@example.org"),
        ),
        (
            "Answered__c",
            json!("2026-01-02T04:04:05.678+01:00"),
            json!("2026-01-02T03:04:05.000+0000"),
        ),
        ("Due__c", json!("2026-01-02"), json!("2026-01-02")),
        ("Score__c", json!(1.005), json!(1.0)),
        ("Score__c", json!("12.345"), json!(12.35)),
        ("Vip__c", json!("true"), json!(true)),
        ("Vip__c", Value::Null, json!(false)),
        (
            "Tags__c",
            json!("blue; red;blue;own"),
            json!("red;blue;own"),
        ),
        ("Colour__c", json!("RED"), json!("red")),
        ("Origin", json!("Carrier pigeon"), json!("Carrier pigeon")),
        (
            "Notes__c",
            json!("<p onclick='x'>a &amp; b</p><script>x</script>"),
            json!("<p>a &amp; b</p>"),
        ),
        (
            "Subject",
            json!("ไทย 漢字 👩‍👩‍👧 עברית"),
            json!("ไทย 漢字 👩‍👩‍👧 עברית"),
        ),
    ];
    for (field, sent, kept) in cases {
        let case = bench.add("Case", json!({field: sent.clone()})).await;
        assert_eq!(
            bench.value("Case", &case, field).await,
            kept,
            "{field} {sent}"
        );
    }
}

#[tokio::test]
async fn one_change_more_than_documented_happens_only_on_request() {
    let sent = json!({"Subject": "two  blanks"});
    for (extra, kept) in [(false, "two  blanks"), (true, "two blanks")] {
        let bench = Bench::with(|options| options.extra_normalisation(extra)).await;
        let case = bench.add("Case", sent.clone()).await;
        assert_eq!(bench.value("Case", &case, "Subject").await, kept);
    }
}

#[tokio::test]
async fn a_value_the_field_cannot_hold_is_refused_with_its_code() {
    let bench = Bench::new().await;
    let cases = [
        (
            "Case",
            json!({"Nothing__c": "x"}),
            "INVALID_FIELD",
            "No such column 'Nothing__c'",
        ),
        (
            "Case",
            json!({"Hidden__c": "x"}),
            "INVALID_FIELD",
            "No such column 'Hidden__c'",
        ),
        (
            "Case",
            json!({"CaseNumber": "1"}),
            "INVALID_FIELD_FOR_INSERT_UPDATE",
            "CaseNumber",
        ),
        (
            "Case",
            json!({"IsClosed": true}),
            "INVALID_FIELD_FOR_INSERT_UPDATE",
            "IsClosed",
        ),
        (
            "Case",
            json!({"Subject": "x".repeat(256)}),
            "STRING_TOO_LONG",
            "max length=255",
        ),
        (
            "Case",
            json!({"Subject": "😀".repeat(128)}),
            "STRING_TOO_LONG",
            "max length=255",
        ),
        (
            "Case",
            json!({"SuppliedEmail": "nobody"}),
            "INVALID_EMAIL_ADDRESS",
            "invalid email address: nobody",
        ),
        (
            "Case",
            json!({"Colour__c": "pink"}),
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
            "pink",
        ),
        (
            "Case",
            json!({"Score__c": 1000}),
            "NUMBER_OUTSIDE_VALID_RANGE",
            "1000",
        ),
        (
            "Case",
            json!({"Score__c": "many"}),
            "INVALID_TYPE_ON_FIELD_IN_RECORD",
            "Score__c",
        ),
        (
            "Case",
            json!({"Due__c": "soon"}),
            "INVALID_TYPE_ON_FIELD_IN_RECORD",
            "Due__c",
        ),
        (
            "Case",
            json!({"Answered__c": "soon"}),
            "INVALID_TYPE_ON_FIELD_IN_RECORD",
            "Answered__c",
        ),
        (
            "Case",
            json!({"Vip__c": "maybe"}),
            "INVALID_TYPE_ON_FIELD_IN_RECORD",
            "Vip__c",
        ),
        (
            "Case",
            json!({"Subject": "a\u{0}b"}),
            "TEXT_DATA_OUTSIDE_SUPPORTED_CHARSET",
            "U+0000",
        ),
        (
            "Case",
            json!({"Notes__c": "&".repeat(61)}),
            "STRING_TOO_LONG",
            "max length=300",
        ),
        (
            "Contact",
            json!({"FirstName": "Ann", "LastName": " "}),
            "REQUIRED_FIELD_MISSING",
            "[LastName]",
        ),
        ("Account", json!({}), "REQUIRED_FIELD_MISSING", "[Name]"),
        (
            "Lead",
            json!({"LastName": "Lee"}),
            "REQUIRED_FIELD_MISSING",
            "[Company]",
        ),
        ("Nothing", json!({}), "INVALID_TYPE", "Nothing"),
        (
            "ContentDocument",
            json!({"Title": "x"}),
            "INVALID_TYPE_FOR_OPERATION",
            "create",
        ),
        (
            "CaseStatus",
            json!({"ApiName": "x"}),
            "INVALID_TYPE_FOR_OPERATION",
            "create",
        ),
    ];
    for (object, row, code, part) in cases {
        let (got, message) = bench.refused(object, row.clone()).await;
        assert!(
            got == code && message.contains(part),
            "{object} {row}: {got} {message}"
        );
    }
    bench.add("Case", json!({"Subject": "x".repeat(255)})).await;
    bench.add("Case", json!({"Subject": "é".repeat(255)})).await;
    bench.add("Case", json!({"Notes__c": "&".repeat(60)})).await;
}

#[tokio::test]
async fn a_reference_must_be_an_id_of_the_right_object_that_is_there() {
    let bench = Bench::new().await;
    let account = bench.add("Account", json!({"Name": "Acme"})).await;
    let gone = bench.add("Account", json!({"Name": "Gone"})).await;
    bench
        .send("DELETE", &format!("sobjects/Account/{gone}"), Value::Null)
        .await;
    let unknown = format!("{}zzzzz", &account[..10]);
    let cases = [
        ("AccountId", json!("nonsense"), "MALFORMED_ID"),
        ("AccountId", json!(bench.org.user_id()), "MALFORMED_ID"),
        (
            "AccountId",
            json!(format!("{}AAB", &account[..15])),
            "MALFORMED_ID",
        ),
        ("AccountId", json!(unknown), "INVALID_CROSS_REFERENCE_KEY"),
        ("AccountId", json!(gone), "ENTITY_IS_DELETED"),
        (
            "Account",
            json!({"Source_Key__c": "nothing"}),
            "INVALID_FIELD",
        ),
        ("Account", json!({}), "INVALID_FIELD"),
    ];
    for (field, value, code) in cases {
        let (got, message) = bench
            .refused("Contact", json!({"LastName": "Lee", field: value.clone()}))
            .await;
        assert_eq!(got, code, "{field} {value}: {message}");
    }
    let short = bench
        .add(
            "Contact",
            json!({"LastName": "Lee", "AccountId": &account[..15]}),
        )
        .await;
    assert_eq!(
        bench.value("Contact", &short, "AccountId").await,
        account,
        "fifteen characters become eighteen"
    );

    bench
        .add(
            "Account",
            json!({"Name": "Keyed", "Source_Key__c": "acme/1"}),
        )
        .await;
    let keyed = bench
        .add(
            "Contact",
            json!({"LastName": "Lee", "Account": {"Source_Key__c": "acme/1"}}),
        )
        .await;
    let rows = bench
        .rows(&format!(
            "SELECT Account.Name FROM Contact WHERE Id = '{keyed}'"
        ))
        .await;
    assert_eq!(rows[0]["Account"]["Name"], "Keyed");
    let by_relationship = json!({"Friend__r": {"Loose_Key__c": "none"}});
    assert_eq!(
        bench.refused("Case", by_relationship).await.0,
        "INVALID_FIELD"
    );
    let case = bench.add("Case", json!({"Friend__c": keyed})).await;
    assert_eq!(bench.value("Case", &case, "Friend__c").await, keyed);
}

#[tokio::test]
async fn a_unique_key_is_taken_once_with_or_without_regard_to_case() {
    let bench = Bench::new().await;
    let first = bench.add("Case", json!({"Source_Key__c": "a:1"})).await;
    let (code, message) = bench.refused("Case", json!({"Source_Key__c": "a:1"})).await;
    let expected = format!(
        "duplicate value found: Source_Key__c duplicates value on record with id: {}",
        &first[..15]
    );
    assert_eq!((code.as_str(), message), ("DUPLICATE_VALUE", expected));
    bench.add("Case", json!({"Source_Key__c": "A:1"})).await;
    bench
        .add("Contact", json!({"LastName": "Lee", "Loose_Key__c": "abc"}))
        .await;
    assert_eq!(
        bench
            .refused("Contact", json!({"LastName": "Lee", "Loose_Key__c": "ABC"}))
            .await
            .0,
        "DUPLICATE_VALUE"
    );

    let both = bench
        .insert(
            "Case",
            &[json!({"Source_Key__c": "b"}), json!({"Source_Key__c": "b"})],
        )
        .await;
    assert_eq!([&both[0]["success"], &both[1]["success"]], [true, false]);
    let update = bench
        .send(
            "PATCH",
            &format!("sobjects/Case/{first}"),
            json!({"Source_Key__c": "b"}),
        )
        .await;
    assert_eq!(update.code(), "DUPLICATE_VALUE");
    let same = bench
        .send(
            "PATCH",
            &format!("sobjects/Case/{first}"),
            json!({"Source_Key__c": "a:1"}),
        )
        .await;
    assert_eq!(same.status, 204, "its own value is no double");
    bench
        .send("DELETE", &format!("sobjects/Case/{first}"), Value::Null)
        .await;
    bench.add("Case", json!({"Source_Key__c": "a:1"})).await;
}

#[tokio::test]
async fn audit_fields_are_taken_on_insert_by_an_org_that_allows_them() {
    let bench = Bench::new().await;
    let ann = bench.user("Ann Agent").await;
    let case = bench
        .add("Case", json!({"CreatedDate": "2021-03-04T05:06:07Z", "LastModifiedDate": "2021-03-05T05:06:07Z",
            "CreatedById": ann, "LastModifiedById": ann, "Status": "Solved", "ClosedDate": "2021-03-05T00:00:00Z"}))
        .await;
    for (field, value) in [
        ("CreatedDate", json!("2021-03-04T05:06:07.000+0000")),
        ("LastModifiedDate", json!("2021-03-05T05:06:07.000+0000")),
        ("CreatedById", json!(ann)),
        ("ClosedDate", json!("2021-03-05T00:00:00.000+0000")),
    ] {
        assert_eq!(bench.value("Case", &case, field).await, value, "{field}");
    }
    let refused = [
        (
            json!({"CreatedDate": "2021-03-04T05:06:07Z", "LastModifiedDate": "2021-03-04T05:06:06Z"}),
            "FIELD_INTEGRITY_EXCEPTION",
        ),
        (
            json!({"LastModifiedDate": "2021-03-04T05:06:06Z"}),
            "FIELD_INTEGRITY_EXCEPTION",
        ),
        (
            json!({"CreatedDate": "2999-01-01T00:00:00Z", "LastModifiedDate": "2999-01-01T00:00:00Z"}),
            "FIELD_INTEGRITY_EXCEPTION",
        ),
        (
            json!({"SystemModstamp": "2021-03-04T05:06:07Z"}),
            "INVALID_FIELD_FOR_INSERT_UPDATE",
        ),
        (json!({"CreatedById": bench.org.org_id()}), "MALFORMED_ID"),
    ];
    for (row, code) in refused {
        assert_eq!(bench.refused("Case", row.clone()).await.0, code, "{row}");
    }
    let patch = bench
        .send(
            "PATCH",
            &format!("sobjects/Case/{case}"),
            json!({"CreatedDate": "2020-01-01T00:00:00Z"}),
        )
        .await;
    assert_eq!(patch.code(), "INVALID_FIELD_FOR_INSERT_UPDATE");
    bench
        .send(
            "PATCH",
            &format!("sobjects/Case/{case}"),
            json!({"Subject": "touched"}),
        )
        .await;
    assert_ne!(
        bench.value("Case", &case, "LastModifiedDate").await,
        "2021-03-05T05:06:07.000+0000",
        "a change moves the date"
    );
    assert_eq!(
        bench.value("Case", &case, "CreatedDate").await,
        "2021-03-04T05:06:07.000+0000"
    );

    let plain = Bench::with(|options| options.audit_fields(false)).await;
    for field in ["CreatedDate", "LastModifiedDate", "ClosedDate"] {
        let (code, message) = plain
            .refused(
                "Case",
                json!({"Status": "Solved", field: "2021-03-04T05:06:07Z"}),
            )
            .await;
        assert!(code == "INVALID_FIELD_FOR_INSERT_UPDATE" && message.contains(field));
    }
}

#[tokio::test]
async fn an_upsert_finds_its_row_and_refuses_audit_fields_on_both_branches() {
    let bench = Bench::new().await;
    let upsert = |rows: Value| {
        bench.send(
            "PATCH",
            "composite/sobjects/Case/Source_Key__c",
            json!({"records": rows}),
        )
    };
    let row = |key: &str, more: Value| {
        let mut row = json!({"attributes": {"type": "Case"}, "Source_Key__c": key});
        row.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        row
    };
    let first = upsert(json!([row("k1", json!({"Subject": "one"}))]))
        .await
        .body[0]
        .clone();
    assert_eq!(
        (&first["success"], &first["created"]),
        (&json!(true), &json!(true))
    );
    let again = upsert(json!([
        row("k1", json!({"Subject": "two"})),
        row("K1", json!({}))
    ]))
    .await
    .body;
    assert_eq!(
        (&again[0]["id"], &again[0]["created"], &again[1]["created"]),
        (&first["id"], &json!(false), &json!(true))
    );
    let dated =
        json!({"CreatedDate": "2021-03-04T05:06:07Z", "LastModifiedDate": "2021-03-04T05:06:07Z"});
    let refused = upsert(json!([
        row("k1", dated.clone()),
        row("new", dated),
        row("closed", json!({"ClosedDate": "2021-03-04T05:06:07Z"}))
    ]))
    .await
    .body;
    for n in 0..3 {
        assert_eq!(
            refused[n]["errors"][0]["statusCode"],
            "INVALID_FIELD_FOR_INSERT_UPDATE"
        );
    }
    let doubled = upsert(json!([
        row("d", json!({})),
        row("d", json!({})),
        row("e", json!({}))
    ]))
    .await
    .body;
    let codes: Vec<&Value> = (0..3).map(|n| &doubled[n]["success"]).collect();
    assert_eq!(
        codes,
        [false, false, true],
        "both rows of a doubled key fail"
    );
    let keyless = upsert(json!([{"attributes": {"type": "Case"}}])).await.body;
    assert_eq!(keyless[0]["errors"][0]["statusCode"], "MISSING_ARGUMENT");
    let wrong = bench
        .send(
            "PATCH",
            "composite/sobjects/Case/Subject",
            json!({"records": [row("k", json!({}))]}),
        )
        .await
        .body;
    assert_eq!(wrong[0]["errors"][0]["statusCode"], "NOT_FOUND");
}

#[tokio::test]
async fn single_records_are_written_read_and_found_by_any_key() {
    let bench = Bench::new().await;
    let made = bench
        .send(
            "POST",
            "sobjects/Contact/",
            json!({"LastName": "Lee", "Email": "x@example.org"}),
        )
        .await;
    let contact = id(&made);
    assert_eq!(
        (made.status, made.headers["location"].to_str().unwrap()),
        (
            201,
            format!("/services/data/v66.0/sobjects/Contact/{contact}").as_str()
        )
    );
    assert_eq!(
        bench.send("POST", "sobjects/Contact", json!({})).await.body[0]["fields"],
        json!(["LastName"])
    );
    assert_eq!(
        bench
            .send("POST", "sobjects/Contact", json!([]))
            .await
            .code(),
        "JSON_PARSER_ERROR"
    );
    assert_eq!(
        bench.get(&format!("sobjects/contact/{contact}")).await.body["attributes"]["type"],
        "Contact"
    );
    assert_eq!(
        bench
            .send("PUT", &format!("sobjects/Contact/{contact}"), json!({}))
            .await
            .status,
        405
    );

    let key = "sobjects/Contact/Source_Key__c/a%2Fb%20c";
    let upserted = bench.send("PATCH", key, json!({"LastName": "Key"})).await;
    assert_eq!(
        (upserted.status, &upserted.body["created"]),
        (201, &json!(true))
    );
    assert_eq!(
        bench
            .send("PATCH", key, json!({"FirstName": "Ann"}))
            .await
            .status,
        200
    );
    assert_eq!(bench.get(key).await.body["Name"], "Ann Key");
    assert_eq!(
        bench
            .get("sobjects/Contact/Source_Key__c/a/b%20c")
            .await
            .body["Name"],
        "Ann Key",
        "a bare slash belongs to the value"
    );
    assert_eq!(
        bench
            .get("sobjects/Contact/Source_Key__c/none")
            .await
            .status,
        404
    );
    assert_eq!(
        bench.get("sobjects/Contact/Nothing__c/1").await.code(),
        "NOT_FOUND"
    );
    assert_eq!(
        bench
            .send("PATCH", key, json!({"Source_Key__c": "x"}))
            .await
            .code(),
        "INVALID_FIELD"
    );
    assert_eq!(
        bench
            .send(
                "PATCH",
                "sobjects/Contact/Source_Key__c/none?updateOnly=true",
                json!({"LastName": "X"})
            )
            .await
            .status,
        404
    );

    bench
        .add(
            "Contact",
            json!({"LastName": "Two", "Email": "x@example.org"}),
        )
        .await;
    let several = bench
        .send(
            "PATCH",
            "sobjects/Contact/Email/x@example.org",
            json!({"LastName": "Lee"}),
        )
        .await;
    assert_eq!(
        (several.status, several.body.as_array().unwrap().len()),
        (300, 2)
    );

    let path = format!("sobjects/Contact/{contact}");
    assert_eq!(bench.send("DELETE", &path, Value::Null).await.status, 204);
    let again = bench.send("DELETE", &path, Value::Null).await;
    assert_eq!((again.status, again.code()), (404, "ENTITY_IS_DELETED"));
    assert_eq!(bench.get(&path).await.code(), "ENTITY_IS_DELETED");
    let all = bench
        .get(&format!(
            "queryAll?q={}",
            encoded("SELECT Id, IsDeleted FROM Contact WHERE IsDeleted = true")
        ))
        .await;
    assert_eq!(all.body["records"][0]["Id"], contact);
}

#[tokio::test]
async fn a_collection_answers_row_by_row_and_all_or_none_when_asked() {
    let bench = Bench::new().await;
    let good = json!({"attributes": {"type": "Account"}, "Name": "Good"});
    let bad = json!({"attributes": {"type": "Account"}});
    let post = |all: bool, records: Vec<Value>| {
        bench.send(
            "POST",
            "composite/sobjects",
            json!({"allOrNone": all, "records": records}),
        )
    };
    let some = post(false, vec![good.clone(), bad.clone(), good.clone()]).await;
    assert_eq!(some.status, 200);
    let row = some.body[0].clone();
    assert!(row["id"].is_string() && row["errors"] == json!([]) && row.get("created").is_none());
    assert_eq!(
        some.body[1]["errors"],
        json!([{"statusCode": "REQUIRED_FIELD_MISSING", "message": "Required fields are missing: [Name]", "fields": ["Name"]}])
    );
    let none = post(true, vec![good.clone(), bad]).await;
    assert_eq!(
        none.body[0]["errors"][0]["statusCode"],
        "ALL_OR_NONE_OPERATION_ROLLED_BACK"
    );
    assert_eq!(bench.org.dump("Account").unwrap().len(), 2);
    assert_eq!(post(false, vec![good.clone(); 200]).await.status, 200);
    let many = post(false, vec![good.clone(); 201]).await;
    assert_eq!(
        (many.status, many.code()),
        (400, "EXCEEDED_MAX_SIZE_REQUEST")
    );
    assert_eq!(
        post(false, vec![json!({"Name": "typeless"})]).await.status,
        400
    );
    let mixed = post(
        false,
        vec![
            good,
            json!({"attributes": {"type": "Group"}, "Name": "Q", "Type": "Queue"}),
        ],
    )
    .await;
    assert_eq!(
        mixed.body[1]["errors"][0]["statusCode"],
        "MIXED_DML_OPERATION"
    );
}

#[tokio::test]
async fn collections_update_read_and_delete_by_id() {
    let bench = Bench::new().await;
    let one = bench
        .add(
            "Account",
            json!({"Name": "One", "Description": "kept", "Phone": "1"}),
        )
        .await;
    let two = bench.add("Account", json!({"Name": "Two"})).await;
    let records = json!([
        {"attributes": {"type": "Account"}, "id": one, "Name": "One!", "Phone": null},
        {"attributes": {"type": "Account"}, "Id": two, "Name": null},
        {"attributes": {"type": "Account"}, "Name": "no id"},
    ]);
    let updated = bench
        .send("PATCH", "composite/sobjects", json!({"records": records}))
        .await
        .body;
    assert_eq!(updated[0]["success"], true);
    assert_eq!(
        updated[1]["errors"][0]["statusCode"],
        "REQUIRED_FIELD_MISSING"
    );
    assert_eq!(updated[2]["errors"][0]["statusCode"], "MISSING_ARGUMENT");
    let gone = format!("{}zzzzz", &one[..10]);
    let body = json!({"ids": [two, gone, one], "fields": ["Name", "Phone", "Description"]});
    let read = bench
        .send("POST", "composite/sobjects/Account", body)
        .await
        .body;
    assert_eq!((&read[0]["Name"], &read[1]), (&json!("Two"), &Value::Null));
    assert_eq!(
        (&read[2]["Name"], &read[2]["Phone"], &read[2]["Description"]),
        (&json!("One!"), &Value::Null, &json!("kept"))
    );
    let same = bench
        .get(&format!(
            "composite/sobjects/Account?ids={one},{two}&fields=Name"
        ))
        .await
        .body;
    assert_eq!(same[1]["Name"], "Two");
    let deleted = bench
        .send(
            "DELETE",
            &format!("composite/sobjects?ids={one},{one},bad"),
            Value::Null,
        )
        .await
        .body;
    assert_eq!(deleted[0]["success"], true);
    assert_eq!(deleted[1]["errors"][0]["statusCode"], "ENTITY_IS_DELETED");
    assert_eq!(deleted[2]["errors"][0]["statusCode"], "MALFORMED_ID");
}

#[tokio::test]
async fn a_locked_row_is_refused_as_often_as_the_script_says() {
    let bench = Bench::new().await;
    let account = bench.add("Account", json!({"Name": "Acme"})).await;
    bench.org.faults().set(vec![
        Rule::new(Action::named("lock-row"))
            .path(account.clone())
            .times(2),
    ]);
    let child = json!({"LastName": "Lee", "AccountId": account});
    for _ in 0..2 {
        let (code, message) = bench.refused("Contact", child.clone()).await;
        assert!(
            code == "UNABLE_TO_LOCK_ROW" && message.contains(&account),
            "{message}"
        );
        bench.add("Contact", json!({"LastName": "Free"})).await;
    }
    bench.add("Contact", child).await;
}

#[tokio::test]
async fn a_body_that_is_too_large_or_no_json_is_refused() {
    let bench = Bench::new().await;
    let large = bench
        .request("POST", "sobjects/Account")
        .body(vec![b' '; 52_428_801]);
    let answer = bench.answer(large).await;
    assert_eq!(
        (answer.status, answer.code()),
        (400, "EXCEEDED_MAX_SIZE_REQUEST")
    );
    let body = bench.request("POST", "sobjects/Account").body("{not json");
    assert_eq!(bench.answer(body).await.code(), "JSON_PARSER_ERROR");
}
