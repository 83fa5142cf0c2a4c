//! What a plan asks an org: its limits, what runs by itself, and queues that can own.

use super::*;

#[tokio::test]
async fn limits_are_what_the_options_say_and_the_usual_ones_else() {
    let bench = Bench::with(|options| {
        options
            .limit("DataStorageMB", 500, 12)
            .limit("Package2VersionCreates", 6, 6)
    })
    .await;
    let limits = bench.get("limits").await.body;
    assert_eq!(
        limits["DataStorageMB"],
        json!({"Max": 500, "Remaining": 12})
    );
    assert_eq!(
        limits["FileStorageMB"],
        json!({"Max": 112_640, "Remaining": 112_640})
    );
    assert_eq!(
        limits["Package2VersionCreates"],
        json!({"Max": 6, "Remaining": 6})
    );
    assert_eq!(limits["PermissionSets"]["CreateCustom"]["Max"], 1_000);
}

#[tokio::test]
async fn automation_is_told_where_the_platform_tells_it() {
    let asked = [
        (
            "query",
            "SELECT Name, TableEnumOrId, Status, UsageAfterInsert FROM ApexTrigger WHERE Status = 'Active'",
        ),
        (
            "query",
            "SELECT ApiName, TriggerType, RecordTriggerType, TriggerObjectOrEventId, ActiveVersionId FROM FlowDefinitionView WHERE ActiveVersionId != null",
        ),
        (
            "tooling/query",
            "SELECT Id, ValidationName, Active, EntityDefinition.QualifiedApiName, ErrorMessage FROM ValidationRule WHERE Active = true",
        ),
        (
            "query",
            "SELECT Id, Name, SobjectType, Active FROM AssignmentRule",
        ),
        (
            "query",
            "SELECT DeveloperName, SobjectType, IsActive FROM DuplicateRule",
        ),
    ];
    let bare = Bench::new().await;
    for (resource, soql) in asked {
        let answer = bare.get(&format!("{resource}?q={}", encoded(soql))).await;
        assert_eq!(
            (answer.status, &answer.body["totalSize"]),
            (200, &json!(0)),
            "{soql}: {}",
            answer.body
        );
    }
    let bench = Bench::with(|options| {
        options
            .automation(AutomationKind::ApexTrigger, "Case", "CaseTrigger")
            .automation(AutomationKind::Flow, "Case", "Case_After_Save")
            .automation(AutomationKind::ValidationRule, "Contact", "Email_Needed")
            .automation(AutomationKind::AssignmentRule, "Case", "Standard")
            .duplicate_rule(DuplicateRule {
                name: "Same_Address".into(),
                object: "Contact".into(),
                field: "Email".into(),
                block: true,
            })
    })
    .await;
    let mut found = Vec::new();
    for (resource, soql) in asked {
        let answer = bench.get(&format!("{resource}?q={}", encoded(soql))).await;
        found.push(answer.body["records"][0].clone());
    }
    assert_eq!(
        (&found[0]["Name"], &found[0]["TableEnumOrId"]),
        (&json!("CaseTrigger"), &json!("Case"))
    );
    assert_eq!(
        (&found[1]["ApiName"], &found[1]["TriggerType"]),
        (&json!("Case_After_Save"), &json!("RecordAfterSave"))
    );
    assert_eq!(found[2]["EntityDefinition"]["QualifiedApiName"], "Contact");
    assert_eq!(
        (&found[3]["SobjectType"], &found[3]["Active"]),
        (&json!("Case"), &json!(true))
    );
    assert_eq!(found[4]["DeveloperName"], "Same_Address");
}

#[tokio::test]
async fn what_only_the_tooling_api_knows_is_nowhere_else() {
    let bench = Bench::new().await;
    let soql = encoded("SELECT Id FROM ValidationRule");
    assert_eq!(
        bench.get(&format!("query?q={soql}")).await.code(),
        "INVALID_TYPE"
    );
    let body = json!({"operation": "query", "query": "SELECT Id FROM ValidationRule"});
    assert_eq!(
        bench.send("POST", "jobs/query", body).await.code(),
        "INVALID_TYPE"
    );
    assert_eq!(
        bench.get("sobjects/ValidationRule/describe").await.status,
        404
    );
    let global = bench.get("sobjects").await.body;
    let listed = |name: &str| {
        global["sobjects"]
            .as_array()
            .unwrap()
            .iter()
            .any(|o| o["name"] == name)
    };
    assert!(listed("ApexTrigger") && !listed("ValidationRule"));
}

#[tokio::test]
async fn a_queue_that_is_made_by_rest_owns_cases() {
    let bench = Bench::new().await;
    let ann = bench.user("Ann Agent").await;
    let queue = bench
        .add(
            "Group",
            json!({"Name": "Billing", "DeveloperName": "Billing", "Type": "Queue"}),
        )
        .await;
    let (code, message) = bench.refused("Case", json!({"OwnerId": queue})).await;
    assert_eq!(code, "INVALID_CROSS_REFERENCE_KEY", "{message}");
    bench
        .add(
            "QueueSobject",
            json!({"QueueId": queue, "SobjectType": "Case"}),
        )
        .await;
    bench
        .add(
            "GroupMember",
            json!({"GroupId": queue, "UserOrGroupId": ann}),
        )
        .await;
    let (code, _) = bench
        .refused(
            "GroupMember",
            json!({"GroupId": queue, "UserOrGroupId": ann}),
        )
        .await;
    assert_eq!(code, "DUPLICATE_VALUE");
    let case = bench.add("Case", json!({"OwnerId": queue})).await;
    assert_eq!(bench.value("Case", &case, "OwnerId").await, queue);
    let members = bench
        .rows(&format!(
            "SELECT UserOrGroupId FROM GroupMember WHERE GroupId = '{queue}'"
        ))
        .await;
    assert_eq!(members[0]["UserOrGroupId"], ann);
    let owners = bench.rows("SELECT Owner.Name FROM Case").await;
    assert_eq!(owners[0]["Owner"]["Name"], "Billing");
    let gone = bench
        .answer(bench.request("DELETE", &format!("sobjects/Group/{queue}")))
        .await;
    assert_eq!(gone.code(), "DELETE_FAILED", "it owns a case");
}
