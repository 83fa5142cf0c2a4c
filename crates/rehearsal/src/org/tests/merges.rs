//! What goes into another record stays to be seen, and what was converted stays as it is.

use super::clients::between;
use super::*;

fn request(kind: &str, master: &str, values: &str, others: &[&str]) -> String {
    let others: String = others
        .iter()
        .map(|other| format!("<recordToMergeIds>{other}</recordToMergeIds>"))
        .collect();
    format!(
        "<merge xmlns=\"urn:partner.soap.sforce.com\"><request><masterRecord><type>{kind}</type><Id>{master}</Id>{values}\
         </masterRecord>{others}</request></merge>"
    )
}

#[tokio::test]
async fn what_was_merged_is_deleted_with_its_master_s_id_and_its_rows_are_the_master_s() {
    let bench = Bench::new().await;
    let ann = bench.add("Contact", json!({"LastName": "Lee"})).await;
    let other = json!({"LastName": "Leigh", "Source_Key__c": "acme:1"});
    let double = bench.add("Contact", other).await;
    let case = bench
        .add("Case", json!({"Subject": "Lamp", "ContactId": double}))
        .await;
    let topic = bench.add("Topic", json!({"Name": "Lamps"})).await;
    for person in [&ann, &double] {
        bench
            .add(
                "TopicAssignment",
                json!({"TopicId": topic, "EntityId": person}),
            )
            .await;
    }
    let body = request("Contact", &ann, "<Phone>123</Phone>", &[&double]);
    let (status, answer) = bench.soap("u/60.0", &body).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(
        between(&answer, "<success>", "</success>"),
        "true",
        "{answer}"
    );
    assert_eq!(
        between(&answer, "<mergedRecordIds>", "</mergedRecordIds>"),
        double
    );
    assert_eq!(
        between(&answer, "<updatedRelatedIds>", "</updatedRelatedIds>"),
        case
    );

    assert_eq!(bench.value("Case", &case, "ContactId").await, json!(ann));
    assert_eq!(bench.value("Contact", &ann, "Phone").await, "123");
    let assigned = bench.rows("SELECT EntityId FROM TopicAssignment").await;
    assert_eq!(assigned.len(), 1, "the same topic is assigned once");
    assert!(
        bench
            .rows("SELECT Id FROM Contact WHERE Source_Key__c = 'acme:1'")
            .await
            .is_empty()
    );
    let soql = encoded(
        "SELECT Id, IsDeleted, MasterRecordId, Source_Key__c FROM Contact WHERE IsDeleted = true AND MasterRecordId != null",
    );
    let gone = bench.get(&format!("queryAll?q={soql}")).await.body;
    let gone = &gone["records"][0];
    assert_eq!(
        (&gone["Id"], &gone["MasterRecordId"], &gone["Source_Key__c"]),
        (&json!(double), &json!(ann), &json!("acme:1"))
    );
    // Its key is free again, as that of any deleted record.
    bench
        .add(
            "Contact",
            json!({"LastName": "New", "Source_Key__c": "acme:1"}),
        )
        .await;
}

#[tokio::test]
async fn a_merge_that_cannot_be_leaves_everything_as_it_was() {
    let bench = Bench::new().await;
    let mut people = Vec::new();
    for name in ["A", "B", "C", "D"] {
        people.push(bench.add("Contact", json!({"LastName": name})).await);
    }
    let case = bench.add("Case", json!({"ContactId": people[1]})).await;
    let task = bench.add("Task", json!({"Subject": "Call"})).await;
    let [a, b, c, d] = &people[..] else { panic!() };
    for (body, code) in [
        (request("Contact", a, "", &[b, c, d]), "INVALID_ARGUMENT"),
        (
            request("Contact", a, "", &[b, a]),
            "INVALID_CROSS_REFERENCE_KEY",
        ),
        (request("Contact", a, "", &[b, &case]), "MALFORMED_ID"),
        (
            request("Contact", a, "<LastName></LastName>", &[b]),
            "REQUIRED_FIELD_MISSING",
        ),
        (
            request("Task", &task, "", &[&task]),
            "INVALID_TYPE_FOR_OPERATION",
        ),
    ] {
        let (status, answer) = bench.soap("u/60.0", &body).await;
        assert_eq!(status, 200, "{answer}");
        assert_eq!(
            between(&answer, "<statusCode>", "</statusCode>"),
            code,
            "{answer}"
        );
    }
    assert_eq!(bench.rows("SELECT Id FROM Contact").await.len(), 4);
    assert_eq!(bench.value("Case", &case, "ContactId").await, json!(b));
}

#[tokio::test]
async fn a_lead_that_was_converted_elsewhere_is_loaded_as_such_and_then_stays_as_it_is() {
    let bench = Bench::new().await;
    let account = bench.add("Account", json!({"Name": "Acme"})).await;
    let contact = bench
        .add("Contact", json!({"LastName": "Lee", "AccountId": account}))
        .await;
    let lead = json!({
        "LastName": "Lee", "Company": "Acme", "IsConverted": true, "ConvertedDate": "2020-03-04",
        "ConvertedAccountId": account, "ConvertedContactId": contact,
    });
    let converted = bench.add("Lead", lead).await;
    assert_eq!(
        bench.value("Lead", &converted, "ConvertedDate").await,
        "2020-03-04"
    );
    assert_eq!(
        bench.value("Lead", &converted, "ConvertedContactId").await,
        json!(contact)
    );
    let place = format!("sobjects/Lead/{converted}");
    let late = bench.send("PATCH", &place, json!({"Phone": "1"})).await;
    assert_eq!(late.code(), "CANNOT_UPDATE_CONVERTED_LEAD");
    let plain = Bench::with(|options| options.audit_fields(false)).await;
    let dated = json!({"LastName": "Lee", "Company": "Acme", "ConvertedDate": "2020-03-04"});
    assert_eq!(
        plain.refused("Lead", dated).await.0,
        "INVALID_FIELD_FOR_INSERT_UPDATE"
    );
}
