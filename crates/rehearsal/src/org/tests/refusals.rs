//! What the org refuses, row by row: the table of docs/local-org.md.

use super::*;

/// What is done, how, with what; then status and code. `{contact}` and its like stand for ids of rows that are there.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    u16,
    &'static str,
);

const ROWS: [Row; 68] = [
    (
        "insert into an object that is not there",
        "POST",
        "sobjects/Nothing__c",
        "{}",
        404,
        "NOT_FOUND",
    ),
    (
        "a field that is not there",
        "POST",
        "sobjects/Case",
        r#"{"Nothing__c": 1}"#,
        400,
        "INVALID_FIELD",
    ),
    (
        "a field that the user may not see",
        "POST",
        "sobjects/Case",
        r#"{"Hidden__c": "x"}"#,
        400,
        "INVALID_FIELD",
    ),
    (
        "a required field left out",
        "POST",
        "sobjects/Contact",
        r#"{"FirstName": "Kim"}"#,
        400,
        "REQUIRED_FIELD_MISSING",
    ),
    (
        "a required field cleared",
        "PATCH",
        "sobjects/Contact/{contact}",
        r#"{"LastName": null}"#,
        400,
        "REQUIRED_FIELD_MISSING",
    ),
    (
        "a text that is too long",
        "POST",
        "sobjects/Contact",
        r#"{"LastName": "{81}"}"#,
        400,
        "STRING_TOO_LONG",
    ),
    (
        "a comment of more than 4,000 encoded bytes",
        "POST",
        "sobjects/CaseComment",
        r#"{"ParentId": "{case}", "CommentBody": "{4001}"}"#,
        400,
        "STRING_TOO_LONG",
    ),
    (
        "a control character",
        "POST",
        "sobjects/Case",
        r#"{"Subject": "a\u0001b"}"#,
        400,
        "TEXT_DATA_OUTSIDE_SUPPORTED_CHARSET",
    ),
    (
        "a value that a restricted picklist does not have",
        "POST",
        "sobjects/Case",
        r#"{"Colour__c": "pink"}"#,
        400,
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
    ),
    (
        "a mail address that is none",
        "POST",
        "sobjects/Contact",
        r#"{"LastName": "A", "Email": "nobody"}"#,
        400,
        "INVALID_EMAIL_ADDRESS",
    ),
    (
        "a text where a number belongs",
        "POST",
        "sobjects/Case",
        r#"{"Score__c": "many"}"#,
        400,
        "INVALID_TYPE_ON_FIELD_IN_RECORD",
    ),
    (
        "a number with too many digits",
        "POST",
        "sobjects/Case",
        r#"{"Score__c": 123456}"#,
        400,
        "NUMBER_OUTSIDE_VALID_RANGE",
    ),
    (
        "a reference to a row that is not there",
        "POST",
        "sobjects/Case",
        r#"{"ContactId": "{missing}"}"#,
        400,
        "INVALID_CROSS_REFERENCE_KEY",
    ),
    (
        "a reference to a row of another object",
        "POST",
        "sobjects/Case",
        r#"{"ContactId": "{case}"}"#,
        400,
        "MALFORMED_ID",
    ),
    (
        "a reference to a row that was deleted",
        "POST",
        "sobjects/Case",
        r#"{"ContactId": "{gone}"}"#,
        400,
        "ENTITY_IS_DELETED",
    ),
    (
        "an owner who is not active",
        "POST",
        "sobjects/Case",
        r#"{"OwnerId": "{inactive}"}"#,
        400,
        "INACTIVE_OWNER_OR_USER",
    ),
    (
        "a field that only the platform writes",
        "POST",
        "sobjects/Case",
        r#"{"CaseNumber": "1"}"#,
        400,
        "INVALID_FIELD_FOR_INSERT_UPDATE",
    ),
    (
        "an audit field on update",
        "PATCH",
        "sobjects/Case/{case}",
        r#"{"CreatedDate": "2020-01-01T00:00:00Z"}"#,
        400,
        "INVALID_FIELD_FOR_INSERT_UPDATE",
    ),
    (
        "an audit field in an upsert of a new row",
        "PATCH",
        "sobjects/Case/Source_Key__c/new",
        r#"{"CreatedDate": "2020-01-01T00:00:00Z"}"#,
        400,
        "INVALID_FIELD_FOR_INSERT_UPDATE",
    ),
    (
        "a change before the creation",
        "POST",
        "sobjects/Case",
        r#"{"CreatedDate": "2020-01-02T00:00:00Z", "LastModifiedDate": "2020-01-01T00:00:00Z"}"#,
        400,
        "FIELD_INTEGRITY_EXCEPTION",
    ),
    (
        "an audit date in the future",
        "POST",
        "sobjects/Case",
        r#"{"CreatedDate": "2999-01-01T00:00:00Z", "LastModifiedDate": "2999-01-01T00:00:00Z"}"#,
        400,
        "FIELD_INTEGRITY_EXCEPTION",
    ),
    (
        "a unique value that another row has",
        "POST",
        "sobjects/Case",
        r#"{"Source_Key__c": "taken"}"#,
        400,
        "DUPLICATE_VALUE",
    ),
    (
        "the key of an upsert repeated in its body",
        "PATCH",
        "sobjects/Case/Source_Key__c/k",
        r#"{"Source_Key__c": "k"}"#,
        400,
        "INVALID_FIELD",
    ),
    (
        "an upsert by a field that is no key",
        "PATCH",
        "sobjects/Case/Subject/k",
        "{}",
        404,
        "NOT_FOUND",
    ),
    (
        "a change to a mail that was sent",
        "PATCH",
        "sobjects/EmailMessage/{mail}",
        r#"{"Subject": "other"}"#,
        400,
        "INSUFFICIENT_ACCESS_OR_READONLY",
    ),
    (
        "a read of a deleted record",
        "GET",
        "sobjects/Contact/{gone}",
        "",
        404,
        "ENTITY_IS_DELETED",
    ),
    (
        "a read of a record that is not there",
        "GET",
        "sobjects/Contact/{missing}",
        "",
        404,
        "NOT_FOUND",
    ),
    (
        "a deletion of a contact that has cases",
        "DELETE",
        "sobjects/Contact/{contact}",
        "",
        400,
        "DELETE_FAILED",
    ),
    (
        "an insert of what only the platform makes",
        "POST",
        "sobjects/Profile",
        r#"{"Name": "x"}"#,
        400,
        "INVALID_TYPE_FOR_OPERATION",
    ),
    (
        "a body that is no JSON",
        "POST",
        "sobjects/Case",
        "{",
        400,
        "JSON_PARSER_ERROR",
    ),
    (
        "a method that the resource does not have",
        "PUT",
        "sobjects/Case/{case}",
        "{}",
        405,
        "METHOD_NOT_ALLOWED",
    ),
    (
        "a resource that is not there",
        "GET",
        "nothing",
        "",
        404,
        "NOT_FOUND",
    ),
    (
        "a collection without records",
        "POST",
        "composite/sobjects",
        "{}",
        400,
        "INVALID_INPUT",
    ),
    (
        "a composite of more than 25 requests",
        "POST",
        "composite",
        r#"{"compositeRequest": [{parts}]}"#,
        400,
        "LIMIT_EXCEEDED",
    ),
    (
        "a composite whose name is no name",
        "POST",
        "composite",
        r#"{"compositeRequest": [{"method": "GET", "url": "/services/data/v66.0/limits", "referenceId": "a-b"}]}"#,
        400,
        "INVALID_INPUT",
    ),
    (
        "a tree with a record that is refused",
        "POST",
        "composite/tree/Contact",
        r#"{"records": [{"attributes": {"type": "Contact", "referenceId": "r"}}]}"#,
        400,
        "REQUIRED_FIELD_MISSING",
    ),
    (
        "a graph with something else than records",
        "POST",
        "composite/graph",
        r#"{"graphs": [{"graphId": "g", "compositeRequest": [{"method": "GET", "url": "/services/data/v66.0/query?q=x", "referenceId": "a"}]}]}"#,
        400,
        "OPERATION_NOT_ALLOWED",
    ),
    (
        "a query that is no query",
        "GET",
        "query?q=SELECT",
        "",
        400,
        "MALFORMED_QUERY",
    ),
    (
        "a query of an object that is not there",
        "GET",
        "query?q=SELECT+Id+FROM+Nothing__c",
        "",
        400,
        "INVALID_TYPE",
    ),
    (
        "a query of a field that is not there",
        "GET",
        "query?q=SELECT+Nothing__c+FROM+Case",
        "",
        400,
        "INVALID_FIELD",
    ),
    (
        "a page of a query that is not known",
        "GET",
        "query/0r8000000000999-200",
        "",
        400,
        "INVALID_QUERY_LOCATOR",
    ),
    (
        "a note with characters that notes encode",
        "POST",
        "sobjects/ContentNote",
        r#"{"Title": "n", "Content": "YSAmIGI="}"#,
        400,
        "FIELD_INTEGRITY_EXCEPTION",
    ),
    (
        "a post without a text",
        "POST",
        "sobjects/FeedItem",
        r#"{"ParentId": "{case}"}"#,
        400,
        "REQUIRED_FIELD_MISSING",
    ),
    (
        "a record type that the user may not give",
        "POST",
        "sobjects/Case",
        r#"{"RecordTypeId": "012000000000999AAA"}"#,
        400,
        "INVALID_CROSS_REFERENCE_KEY",
    ),
    (
        "a value that the record type does not have",
        "POST",
        "sobjects/Case",
        r#"{"RecordTypeId": "{type}", "Status": "Escalated"}"#,
        400,
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
    ),
    (
        "a field of people in a business account",
        "POST",
        "sobjects/Account",
        r#"{"Name": "Acme", "PersonEmail": "a@example.org"}"#,
        400,
        "INVALID_FIELD_FOR_INSERT_UPDATE",
    ),
    (
        "a change to the contact of a person account",
        "PATCH",
        "sobjects/Contact/{half}",
        r#"{"LastName": "X"}"#,
        400,
        "INVALID_PERSON_ACCOUNT_OPERATION",
    ),
    (
        "a bulk job of an object that is not there",
        "POST",
        "jobs/ingest",
        r#"{"object": "Nothing__c", "operation": "insert"}"#,
        400,
        "INVALIDENTITY",
    ),
    (
        "a bulk job of files",
        "POST",
        "jobs/ingest",
        r#"{"object": "ContentVersion", "operation": "insert"}"#,
        400,
        "INVALIDENTITY",
    ),
    (
        "a bulk upsert without a key",
        "POST",
        "jobs/ingest",
        r#"{"object": "Case", "operation": "upsert"}"#,
        400,
        "INVALIDJOB",
    ),
    (
        "a bulk job past the recycle bin without the permission",
        "POST",
        "jobs/ingest",
        r#"{"object": "Case", "operation": "hardDelete"}"#,
        400,
        "FEATURENOTENABLED",
    ),
    (
        "a member of a bulk job that is not known",
        "POST",
        "jobs/ingest",
        r#"{"object": "Case", "operation": "insert", "colour": 1}"#,
        400,
        "JSON_PARSER_ERROR",
    ),
    (
        "a bulk job that is not there",
        "GET",
        "jobs/ingest/750000000000999",
        "",
        404,
        "NOT_FOUND",
    ),
    (
        "a bulk query with groups",
        "POST",
        "jobs/query",
        r#"{"operation": "query", "query": "SELECT Status, COUNT(Id) FROM Case GROUP BY Status"}"#,
        400,
        "API_ERROR",
    ),
    (
        "a deployment without a zip",
        "POST",
        "metadata/deployRequest",
        "{}",
        400,
        "INVALID_MULTIPART_REQUEST",
    ),
    (
        "a deployment that is not there",
        "GET",
        "metadata/deployRequest/0Af000000000999",
        "",
        404,
        "INVALID_CROSS_REFERENCE_KEY",
    ),
    (
        "a search for a single character",
        "GET",
        "search?q=FIND%20%7Bx%7D",
        "",
        400,
        "MALFORMED_SEARCH",
    ),
    (
        "a search in an object that is not there",
        "GET",
        "search?q=FIND%20%7Blamp%7D%20RETURNING%20Nothing__c(Id)",
        "",
        400,
        "INVALID_TYPE",
    ),
    (
        "a search for a field that is not there",
        "GET",
        "search?q=FIND%20%7Blamp%7D%20RETURNING%20Case(Nothing__c)",
        "",
        400,
        "INVALID_FIELD",
    ),
    (
        "a query of days that have no such name",
        "GET",
        "query?q=SELECT%20Id%20FROM%20Case%20WHERE%20CreatedDate%20%3D%20LAST_N_DAYS:x",
        "",
        400,
        "MALFORMED_QUERY",
    ),
    (
        "changes without a span of time",
        "GET",
        "sobjects/Case/updated",
        "",
        400,
        "MISSING_ARGUMENT",
    ),
    (
        "changes of a span whose ends are no moments",
        "GET",
        "sobjects/Case/updated?start=x&end=y",
        "",
        400,
        "INVALID_VALUE",
    ),
    (
        "changes of a span that ends before it begins",
        "GET",
        "sobjects/Case/deleted?start=2026-01-02T00:00:00Z&end=2026-01-01T00:00:00Z",
        "",
        400,
        "INVALID_REPLICATION_DATE",
    ),
    (
        "changes of more than thirty days ago",
        "GET",
        "sobjects/Case/deleted?start=2001-01-01T00:00:00Z&end=2001-01-02T00:00:00Z",
        "",
        400,
        "INVALID_REPLICATION_DATE",
    ),
    (
        "a change to a lead that was converted",
        "PATCH",
        "sobjects/Lead/{lead}",
        r#"{"Phone": "1"}"#,
        400,
        "CANNOT_UPDATE_CONVERTED_LEAD",
    ),
    (
        "a time of day that is none",
        "POST",
        "sobjects/BusinessHours",
        r#"{"Name": "Night", "MondayStartTime": "late"}"#,
        400,
        "INVALID_TYPE_ON_FIELD_IN_RECORD",
    ),
    (
        "an entitlement without an account",
        "POST",
        "sobjects/Entitlement",
        r#"{"Name": "Gold"}"#,
        400,
        "REQUIRED_FIELD_MISSING",
    ),
    (
        "a milestone of a case that a client would make",
        "POST",
        "sobjects/CaseMilestone",
        r#"{"CaseId": "{case}"}"#,
        400,
        "INVALID_TYPE_FOR_OPERATION",
    ),
];

/// The first code that an answer names, whatever its shape.
fn code(body: &Value) -> Option<&str> {
    match body {
        Value::Array(items) => items.iter().find_map(code),
        Value::Object(entries) => ["errorCode", "statusCode"]
            .iter()
            .find_map(|name| entries.get(*name).and_then(Value::as_str))
            .or_else(|| entries.values().find_map(code)),
        _ => None,
    }
}

#[tokio::test]
async fn each_row_of_the_table_is_refused_with_its_code() {
    let bench = Bench::with(|options| {
        let process = BusinessProcess {
            object: "Case".into(),
            name: "Short".into(),
            values: vec!["New".into(), "Closed".into()],
            default: None,
        };
        let short = RecordType {
            business_process: Some("Short".into()),
            ..RecordType::new("Case", "Short")
        };
        options
            .person_accounts(true)
            .entitlements(true)
            .business_process(process)
            .record_type(short)
    })
    .await;
    let person = bench.add("Account", json!({"LastName": "Ngo"})).await;
    let half = bench.value("Account", &person, "PersonContactId").await;
    let short = bench
        .rows("SELECT Id FROM RecordType WHERE SobjectType = 'Case'")
        .await[0]["Id"]
        .clone();
    let contact = bench.add("Contact", json!({"LastName": "Ngo"})).await;
    let case = bench
        .add(
            "Case",
            json!({"Source_Key__c": "taken", "ContactId": contact}),
        )
        .await;
    let lead = json!({"LastName": "Ngo", "Company": "Acme", "IsConverted": true});
    let lead = bench.add("Lead", lead).await;
    let gone = bench.add("Contact", json!({"LastName": "Gone"})).await;
    let mail = bench
        .add(
            "EmailMessage",
            json!({"ParentId": case, "Subject": "s", "Status": "3"}),
        )
        .await;
    let mut missing = gone.clone();
    missing.replace_range(11..15, "zzzz");
    missing.truncate(15);
    assert_eq!(
        bench
            .send("DELETE", &format!("sobjects/Contact/{gone}"), json!(null))
            .await
            .status,
        204
    );
    let inactive = bench
        .rows("SELECT Id FROM User WHERE IsActive = false")
        .await[0]["Id"]
        .as_str()
        .unwrap()
        .to_owned();
    let part = r#"{"method": "GET", "url": "/services/data/v66.0/limits", "referenceId": "a"}"#;
    let filled = |text: &str| {
        [
            ("{contact}", contact.clone()),
            ("{half}", half.as_str().unwrap().to_owned()),
            ("{type}", short.as_str().unwrap().to_owned()),
            ("{case}", case.clone()),
            ("{gone}", gone.clone()),
            ("{lead}", lead.clone()),
            ("{mail}", mail.clone()),
            ("{missing}", missing.clone()),
            ("{inactive}", inactive.clone()),
            ("{81}", "x".repeat(81)),
            ("{4001}", "x".repeat(4_001)),
            ("{parts}", vec![part; 26].join(",")),
        ]
        .iter()
        .fold(text.to_owned(), |text, (name, value)| {
            text.replace(name, value)
        })
    };
    let mut wrong = Vec::new();
    for (what, method, resource, body, status, wanted) in ROWS {
        let request = bench
            .request(method, &filled(resource))
            .header("Content-Type", "application/json");
        let answer = bench.answer(request.body(filled(body))).await;
        if answer.status != status || code(&answer.body) != Some(wanted) {
            wrong.push(format!("{what}: {} {}", answer.status, answer.body));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// `docs/local-org.md` is made from the same rows; a packaged crate has no docs beside it.
#[test]
fn the_documentation_lists_each_row() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/local-org.md");
    let Ok(page) = std::fs::read_to_string(page) else {
        return;
    };
    for (what, _, _, _, status, code) in ROWS {
        let row = format!("| {what} | {status} | `{code}` |");
        assert!(page.contains(&row), "docs/local-org.md lacks {row}");
    }
}
