//! Entitlement Management: off, on by option, on by deployment; its objects, its metadata, its milestones.

use super::*;

const MANIFEST: &str =
    "<Package xmlns=\"http://soap.sforce.com/2006/04/metadata\"><version>66.0</version></Package>";
const SETTINGS: &str = "<EntitlementSettings xmlns=\"http://soap.sforce.com/2006/04/metadata\">\
    <enableEntitlements>true</enableEntitlements></EntitlementSettings>";
const MILESTONE: &str = "<MilestoneType xmlns=\"http://soap.sforce.com/2006/04/metadata\">\
    <description>Answer</description><recurrenceType>none</recurrenceType></MilestoneType>";
const HOURS: &str = "<BusinessHoursSettings xmlns=\"http://soap.sforce.com/2006/04/metadata\"><businessHours><active>true</active>\
    <default>false</default><mondayStartTime>09:00:00.000Z</mondayStartTime><mondayEndTime>17:00:00.000Z</mondayEndTime>\
    <tuesdayStartTime>09:00:00.000Z</tuesdayStartTime><tuesdayEndTime>17:00:00.000Z</tuesdayEndTime><name>Office</name>\
    <timeZoneId>GMT</timeZoneId></businessHours><holidays><activityDate>2026-12-25</activityDate><name>Christmas</name>\
    </holidays></BusinessHoursSettings>";
const PROCESS: &str = "<EntitlementProcess xmlns=\"http://soap.sforce.com/2006/04/metadata\"><SObjectType>Case</SObjectType>\
    <active>true</active><businessHours>Office</businessHours><entryStartDateField>Case.SlaStartDate</entryStartDateField>\
    <milestones><milestoneName>First reply</milestoneName><minutesToComplete>60</minutesToComplete>\
    <useCriteriaStartTime>false</useCriteriaStartTime></milestones><name>Gold</name></EntitlementProcess>";

fn package(process: &str) -> [(&'static str, &str); 5] {
    [
        ("package.xml", MANIFEST),
        ("settings/Entitlement.settings", SETTINGS),
        ("settings/BusinessHours.settings", HOURS),
        ("milestoneTypes/First reply.milestoneType", MILESTONE),
        ("entitlementProcesses/gold.entitlementProcess", process),
    ]
}

#[tokio::test]
async fn entitlements_are_there_once_their_settings_are_deployed() {
    let bench = Bench::new().await;
    assert_eq!(bench.get("sobjects/Entitlement/describe").await.status, 404);
    assert_eq!(
        bench.rows("SELECT Name FROM BusinessHours").await[0]["Name"],
        "Default"
    );
    let without = [
        ("package.xml", MANIFEST),
        ("milestoneTypes/First reply.milestoneType", MILESTONE),
    ];
    let refused = bench.deployed(&without, "{}").await;
    assert_eq!(
        refused["details"]["componentFailures"][0]["problem"],
        "Not available for deploy for this organization"
    );
    let files = package(PROCESS);
    let checked = bench.deployed(&files, r#"{"checkOnly": true}"#).await;
    assert_eq!(checked["status"], "Succeeded", "{checked}");
    assert_eq!(bench.get("sobjects/Entitlement/describe").await.status, 404);
    assert_eq!(bench.rows("SELECT Id FROM BusinessHours").await.len(), 1);
    let done = bench.deployed(&files, "{}").await;
    assert_eq!(done["status"], "Succeeded", "{done}");
    assert!(
        done["details"]["componentSuccesses"]
            .as_array()
            .unwrap()
            .iter()
            .all(|row| row["warning"] == false)
    );
    let described = bench.get("sobjects/Case/describe").await.body;
    assert!(
        described["fields"]
            .as_array()
            .unwrap()
            .iter()
            .any(|f| f["name"] == "EntitlementId")
    );
    let processes = bench
        .rows("SELECT Name, IsActive, StartDateField, BusinessHours.Name FROM SlaProcess")
        .await;
    assert_eq!(
        (
            &processes[0]["Name"],
            &processes[0]["IsActive"],
            &processes[0]["BusinessHours"]["Name"]
        ),
        (&json!("Gold"), &json!(true), &json!("Office"))
    );
    let hours = bench
        .rows("SELECT MondayStartTime, SundayStartTime FROM BusinessHours WHERE Name = 'Office'")
        .await;
    assert_eq!(
        (&hours[0]["MondayStartTime"], &hours[0]["SundayStartTime"]),
        (&json!("09:00:00.000Z"), &json!(null))
    );
    assert_eq!(
        bench.rows("SELECT Name FROM Holiday").await[0]["Name"],
        "Christmas"
    );
    // It is all there after a restart.
    let folder = bench.folder;
    bench.org.stop().await;
    let org = Org::start(OrgOptions::new(folder.path())).await.unwrap();
    assert_eq!(org.dump("SlaProcess").unwrap().len(), 1);
    org.stop().await;
}

#[tokio::test]
async fn a_process_names_what_is_there_and_stays_as_it_is_once_it_is_used() {
    let bench = Bench::with(|options| options.entitlements(true)).await;
    for (from, to, problem) in [
        (
            "First reply</m",
            "Last reply</m",
            "no MilestoneType named Last reply found",
        ),
        ("Office", "Night", "no BusinessHours named Night found"),
        (
            "Case.SlaStartDate",
            "Case.Subject",
            "Subject is no date and time of Case",
        ),
        (
            "<minutesToComplete>60</minutesToComplete>",
            "",
            "missing: minutesToComplete",
        ),
    ] {
        let wrong = PROCESS.replace(from, to);
        let refused = bench.deployed(&package(&wrong), "{}").await;
        let why = refused["details"]["componentFailures"][0]["problem"]
            .as_str()
            .unwrap();
        assert!(why.contains(problem), "{why}");
    }
    assert!(
        bench.rows("SELECT Id FROM MilestoneType").await.is_empty(),
        "all is taken back"
    );
    assert_eq!(
        bench.deployed(&package(PROCESS), "{}").await["status"],
        "Succeeded"
    );
    let unused = PROCESS.replace(">60<", ">90<");
    assert_eq!(
        bench.deployed(&package(&unused), "{}").await["status"],
        "Succeeded"
    );
    let process = bench.rows("SELECT Id FROM SlaProcess").await[0]["Id"].clone();
    let account = bench.add("Account", json!({"Name": "Acme"})).await;
    let gold = json!({"Name": "Gold", "AccountId": account, "SlaProcessId": process});
    bench.add("Entitlement", gold).await;
    let used = bench.deployed(&package(PROCESS), "{}").await;
    let why = used["details"]["componentFailures"][0]["problem"]
        .as_str()
        .unwrap();
    assert!(why.contains("is in use"), "{why}");
    let kind = bench.rows("SELECT Id FROM MilestoneType").await[0]["Id"].clone();
    let place = format!("sobjects/MilestoneType/{}", kind.as_str().unwrap());
    assert_eq!(
        bench.send("DELETE", &place, json!(null)).await.code(),
        "DELETE_FAILED"
    );
    let spare = bench.add("MilestoneType", json!({"Name": "Spare"})).await;
    let place = format!("sobjects/MilestoneType/{spare}");
    assert_eq!(bench.send("DELETE", &place, json!(null)).await.status, 204);
    let row = json!({"Name": "x", "SobjectType": "Case", "StartDateField": "CreatedDate"});
    assert_eq!(
        bench.refused("SlaProcess", row).await.0,
        "INVALID_TYPE_FOR_OPERATION"
    );
}

#[tokio::test]
async fn a_case_with_an_entitlement_has_milestones_that_old_dates_violate_at_once() {
    let bench = Bench::with(|options| options.entitlements(true)).await;
    assert_eq!(
        bench.deployed(&package(PROCESS), "{}").await["status"],
        "Succeeded"
    );
    let process = bench.rows("SELECT Id FROM SlaProcess").await[0]["Id"].clone();
    let account = bench.add("Account", json!({"Name": "Acme"})).await;
    assert_eq!(
        bench
            .refused("Entitlement", json!({"Name": "Gold"}))
            .await
            .0,
        "REQUIRED_FIELD_MISSING"
    );
    let mut gold = json!({"Name": "Gold", "AccountId": account, "SlaProcessId": process});
    for (dates, status) in [
        (json!({"StartDate": "2999-01-01"}), "Inactive"),
        (
            json!({"StartDate": "2020-01-01", "EndDate": "2020-12-31"}),
            "Expired",
        ),
        (
            json!({"StartDate": "2020-01-01", "EndDate": null}),
            "Active",
        ),
    ] {
        gold.as_object_mut()
            .unwrap()
            .extend(dates.as_object().unwrap().clone());
        let id = bench.add("Entitlement", gold.clone()).await;
        assert_eq!(bench.value("Entitlement", &id, "Status").await, status);
        gold["Id"] = json!(id);
        gold.as_object_mut().unwrap().remove("Id");
    }
    let entitlement = bench
        .rows("SELECT Id FROM Entitlement WHERE StartDate = 2020-01-01 AND EndDate = null")
        .await[0]["Id"]
        .clone();
    // A Monday, half an hour before the office closes.
    let row = json!({"AccountId": account, "EntitlementId": entitlement, "SlaStartDate": "2026-01-05T16:30:00Z"});
    let case = bench.add("Case", row).await;
    let hours = bench.value("Case", &case, "BusinessHoursId").await;
    assert!(
        hours.is_string(),
        "a case has the org's hours where it names none"
    );
    let soql = format!(
        "SELECT Id, TargetDate, IsViolated, IsCompleted, MilestoneType.Name FROM CaseMilestone WHERE CaseId = '{case}'"
    );
    let due = bench.rows(&soql).await;
    assert_eq!(due.len(), 1);
    assert_eq!(due[0]["TargetDate"], "2026-01-06T09:30:00.000+0000");
    assert_eq!(
        (
            &due[0]["IsViolated"],
            &due[0]["IsCompleted"],
            &due[0]["MilestoneType"]["Name"]
        ),
        (&json!(true), &json!(false), &json!("First reply"))
    );
    let milestone = due[0]["Id"].as_str().unwrap();
    let place = format!("sobjects/CaseMilestone/{milestone}");
    let done = json!({"CompletionDate": "2026-01-06T09:00:00Z"});
    assert_eq!(bench.send("PATCH", &place, done).await.status, 204);
    let now = bench.rows(&soql).await;
    assert_eq!(
        (&now[0]["IsViolated"], &now[0]["IsCompleted"]),
        (&json!(false), &json!(true))
    );
    for (method, code) in [("DELETE", "INVALID_TYPE_FOR_OPERATION")] {
        assert_eq!(bench.send(method, &place, json!(null)).await.code(), code);
    }
    let made = json!({"CaseId": case, "TargetDate": "2026-01-06T09:00:00Z"});
    assert_eq!(
        bench.refused("CaseMilestone", made).await.0,
        "INVALID_TYPE_FOR_OPERATION"
    );
    let place = format!("sobjects/Case/{case}");
    assert_eq!(
        bench
            .send("PATCH", &place, json!({"EntitlementId": null}))
            .await
            .status,
        204
    );
    assert!(bench.rows(&soql).await.is_empty());
}
