//! Features that an org may have or not.

use super::*;

fn has(describe: &Value, name: &str) -> bool {
    describe["fields"]
        .as_array()
        .unwrap()
        .iter()
        .any(|field| field["name"] == name)
}

#[tokio::test]
async fn currencies_and_codes_of_states_are_there_only_where_the_feature_is_on() {
    for on in [false, true] {
        let bench =
            Bench::with(|options| options.multi_currency(on).state_country_picklists(on)).await;
        let account = bench.get("sobjects/Account/describe").await.body;
        for name in [
            "CurrencyIsoCode",
            "BillingStateCode",
            "BillingCountryCode",
            "ShippingCountryCode",
        ] {
            assert_eq!(has(&account, name), on, "{name}");
        }
        let anywhere = bench
            .insert(
                "Account",
                &[json!({"Name": "A", "BillingCountry": "Atlantis"})],
            )
            .await;
        assert_eq!(anywhere[0]["success"], json!(!on));
    }
}

#[tokio::test]
async fn a_currency_is_one_of_the_org_s_and_has_a_default() {
    let bench = Bench::with(|options| options.multi_currency(true)).await;
    let case = bench.add("Case", json!({})).await;
    assert_eq!(bench.value("Case", &case, "CurrencyIsoCode").await, "USD");
    let euro = bench
        .add("Account", json!({"Name": "A", "CurrencyIsoCode": "EUR"}))
        .await;
    assert_eq!(
        bench.value("Account", &euro, "CurrencyIsoCode").await,
        "EUR"
    );
    let refused = bench
        .refused("Account", json!({"Name": "A", "CurrencyIsoCode": "XXX"}))
        .await;
    assert_eq!(refused.0, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST");
}

#[tokio::test]
async fn a_country_is_known_by_name_or_code_and_a_state_needs_one() {
    let bench = Bench::with(|options| options.state_country_picklists(true)).await;
    for given in [
        json!({"MailingCountry": "germany"}),
        json!({"MailingCountry": "DE"}),
        json!({"MailingCountryCode": "DE"}),
    ] {
        let mut row = given.clone();
        row["LastName"] = json!("N");
        let contact = bench.add("Contact", row).await;
        let country = bench.value("Contact", &contact, "MailingCountry").await;
        let code = bench.value("Contact", &contact, "MailingCountryCode").await;
        assert_eq!((country, code), (json!("Germany"), json!("DE")), "{given}");
    }
    for wrong in [
        json!({"MailingCountry": "Atlantis"}),
        json!({"MailingState": "Texas"}),
        json!({"MailingCountry": "US", "MailingState": "Nowhere"}),
    ] {
        let mut row = wrong.clone();
        row["LastName"] = json!("N");
        assert_eq!(
            bench.refused("Contact", row).await.0,
            "FIELD_INTEGRITY_EXCEPTION",
            "{wrong}"
        );
    }
    let contact = bench
        .add(
            "Contact",
            json!({"LastName": "N", "MailingCountry": "US", "MailingState": "TX"}),
        )
        .await;
    assert_eq!(
        bench.value("Contact", &contact, "MailingState").await,
        "Texas"
    );
    let change = bench
        .send(
            "PATCH",
            &format!("sobjects/Contact/{contact}"),
            json!({"MailingState": "Oregon"}),
        )
        .await;
    assert_eq!(change.status, 204);
    assert_eq!(
        bench.value("Contact", &contact, "MailingStateCode").await,
        "OR"
    );
}

fn infos(describe: &Value) -> Vec<(String, bool, bool)> {
    let rows = describe["recordTypeInfos"].as_array().unwrap().iter();
    rows.map(|row| {
        (
            row["developerName"].as_str().unwrap().to_owned(),
            row["available"] == true,
            row["defaultRecordTypeMapping"] == true,
        )
    })
    .collect()
}

fn process() -> BusinessProcess {
    BusinessProcess {
        object: "Case".into(),
        name: "Short".into(),
        values: vec!["New".into(), "Closed".into()],
        default: Some("New".into()),
    }
}

fn complaint() -> RecordType {
    RecordType {
        business_process: Some("Short".into()),
        values: vec![("Colour__c".into(), vec!["red".into()])],
        ..RecordType::new("Case", "Complaint")
    }
}

#[tokio::test]
async fn a_record_is_of_a_type_and_has_the_values_of_its_type() {
    let bench = Bench::with(|options| {
        options
            .business_process(process())
            .record_type(complaint())
            .record_type(RecordType {
                inactive: true,
                ..RecordType::new("Case", "Old")
            })
    })
    .await;
    let describe = bench.get("sobjects/Case/describe").await.body;
    let expected = [
        ("Complaint", true, false),
        ("Old", false, false),
        ("Master", true, true),
    ];
    let expected = expected.map(|(name, available, usual)| (name.to_owned(), available, usual));
    assert_eq!(infos(&describe), expected);
    assert!(has(&describe, "RecordTypeId"));
    let contact = bench.get("sobjects/Contact/describe").await.body;
    assert!(
        !has(&contact, "RecordTypeId"),
        "an object without types has no such field"
    );

    let rows = bench
        .rows("SELECT Id, DeveloperName, SobjectType, IsActive, BusinessProcessId FROM RecordType ORDER BY DeveloperName")
        .await;
    let (complaint, old) = (&rows[0]["Id"], &rows[1]["Id"]);
    assert_eq!(describe["recordTypeInfos"][0]["recordTypeId"], *complaint);
    let name = bench.rows("SELECT Id, Name FROM BusinessProcess").await;
    assert_eq!(
        (&name[0]["Name"], &name[0]["Id"]),
        (&json!("Short"), &rows[0]["BusinessProcessId"])
    );

    let made = bench.add("Case", json!({"RecordTypeId": complaint})).await;
    assert_eq!(bench.value("Case", &made, "Status").await, "New");
    let found = bench
        .rows("SELECT Id FROM Case WHERE RecordType.DeveloperName = 'Complaint'")
        .await;
    assert_eq!(found[0]["Id"], made);
    for (row, code) in [
        (
            json!({"RecordTypeId": complaint, "Status": "Working"}),
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        ),
        (
            json!({"RecordTypeId": complaint, "Colour__c": "green"}),
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        ),
        (json!({"RecordTypeId": old}), "INVALID_CROSS_REFERENCE_KEY"),
        (
            json!({"RecordTypeId": "012000000000999AAA"}),
            "INVALID_CROSS_REFERENCE_KEY",
        ),
    ] {
        assert_eq!(bench.refused("Case", row.clone()).await.0, code, "{row}");
    }
    for row in [
        json!({"RecordTypeId": complaint, "Status": "Closed", "Colour__c": "red"}),
        json!({"RecordTypeId": "012000000000000AAA", "Status": "Working"}),
        json!({"Status": "Working", "Colour__c": "green"}),
    ] {
        bench.add("Case", row).await;
    }
    let late = bench
        .send(
            "PATCH",
            &format!("sobjects/Case/{made}"),
            json!({"Status": "Working"}),
        )
        .await;
    assert_eq!(late.code(), "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST");
}

const OBJECT: &str = r#"<CustomObject xmlns="http://soap.sforce.com/2006/04/metadata">
    <businessProcesses><fullName>Short</fullName><isActive>true</isActive>
      <values><fullName>New</fullName><default>true</default></values>
      <values><fullName>Closed</fullName><default>false</default></values></businessProcesses>
    <recordTypes><fullName>Complaint</fullName><active>true</active><businessProcess>Short</businessProcess>
      <label>A complaint</label></recordTypes></CustomObject>"#;
const MANIFEST: &str =
    r#"<Package xmlns="http://soap.sforce.com/2006/04/metadata"><version>66.0</version></Package>"#;
const PERMITS: &str = r#"<PermissionSet xmlns="http://soap.sforce.com/2006/04/metadata"><label>M</label>
    <recordTypeVisibilities><recordType>Case.Complaint</recordType><visible>true</visible></recordTypeVisibilities>
    </PermissionSet>"#;

#[tokio::test]
async fn a_deployed_record_type_can_be_given_where_a_permission_set_lets_it_and_is_only_deactivated()
 {
    for strict in [false, true] {
        let bench = Bench::with(|options| options.field_security(strict)).await;
        let without = OBJECT.replace("<businessProcess>Short</businessProcess>", "");
        for wrong in [
            without,
            OBJECT.replace("<businessProcess>Short", "<businessProcess>Long"),
        ] {
            let files = [
                ("package.xml", MANIFEST),
                ("objects/Case.object", wrong.as_str()),
            ];
            assert_eq!(
                bench.deployed(&files, "{}").await["status"],
                "Failed",
                "{wrong}"
            );
        }
        let files = [("package.xml", MANIFEST), ("objects/Case.object", OBJECT)];
        let check = bench.deployed(&files, r#"{"checkOnly": true}"#).await;
        assert_eq!(check["status"], "Succeeded", "{check}");
        assert!(bench.rows("SELECT Id FROM RecordType").await.is_empty());
        let result = bench.deployed(&files, "{}").await;
        assert_eq!(result["status"], "Succeeded", "{result}");
        let describe = bench.get("sobjects/Case/describe").await.body;
        assert_eq!(
            infos(&describe)[0],
            ("Complaint".to_owned(), !strict, false)
        );
        let row = json!({"RecordTypeId": describe["recordTypeInfos"][0]["recordTypeId"]});
        if strict {
            assert_eq!(
                bench.refused("Case", row.clone()).await.0,
                "INVALID_CROSS_REFERENCE_KEY"
            );
            let files = [
                ("package.xml", MANIFEST),
                ("permissionsets/M.permissionset", PERMITS),
            ];
            assert_eq!(bench.deployed(&files, "{}").await["status"], "Succeeded");
            let still = bench.refused("Case", row.clone()).await.0;
            assert_eq!(
                still, "INVALID_CROSS_REFERENCE_KEY",
                "nobody has the permission set yet"
            );
            bench.assign("M").await;
            assert_eq!(bench.deployed(&files, "{}").await["status"], "Succeeded");
        }
        bench.add("Case", row.clone()).await;
        let files = [
            ("package.xml", MANIFEST),
            (
                "objects/Case.object",
                &OBJECT.replace("<active>true", "<active>false"),
            ),
        ];
        assert_eq!(bench.deployed(&files, "{}").await["status"], "Succeeded");
        assert_eq!(
            bench.refused("Case", row).await.0,
            "INVALID_CROSS_REFERENCE_KEY"
        );
        let rows = bench.rows("SELECT Name, IsActive FROM RecordType").await;
        assert_eq!((rows.len(), &rows[0]["IsActive"]), (1, &json!(false)));
    }
}

#[tokio::test]
async fn a_person_is_an_account_with_a_contact_of_its_own() {
    let bench = Bench::with(|options| options.person_accounts(true)).await;
    let describe = bench.get("sobjects/Account/describe").await.body;
    for name in [
        "IsPersonAccount",
        "PersonContactId",
        "PersonEmail",
        "LastName",
        "PersonMailingCity",
        "Loose_Key__pc",
        "RecordTypeId",
    ] {
        assert!(has(&describe, name), "{name}");
    }
    assert_eq!(
        infos(&describe)[0],
        ("Business_Account".to_owned(), true, true)
    );
    assert_eq!(
        infos(&describe)[1],
        ("PersonAccount".to_owned(), true, false)
    );
    let person_type = describe["recordTypeInfos"][1]["recordTypeId"].clone();
    let types = bench
        .rows("SELECT Id FROM RecordType WHERE IsPersonType = true")
        .await;
    assert_eq!(types[0]["Id"], person_type);

    let ann = bench
        .add(
            "Account",
            json!({"FirstName": "Ann", "LastName": "Lee", "PersonEmail": "Ann@Example.org", "PersonMailingCity": "Brno",
                   "Loose_Key__pc": "k", "Source_Key__c": "acme:user:1",
                   "CreatedDate": "2021-03-04T05:06:07Z", "LastModifiedDate": "2021-03-04T05:06:07Z"}),
        )
        .await;
    let row = bench.get(&format!("sobjects/Account/{ann}")).await.body;
    assert_eq!(
        (
            &row["IsPersonAccount"],
            &row["Name"],
            &row["RecordTypeId"],
            &row["PersonEmail"]
        ),
        (
            &json!(true),
            &json!("Ann Lee"),
            &person_type,
            &json!("ann@example.org")
        )
    );
    let contact = row["PersonContactId"].as_str().unwrap().to_owned();
    let half = bench.get(&format!("sobjects/Contact/{contact}")).await.body;
    for (name, value) in [
        ("LastName", json!("Lee")),
        ("Email", json!("ann@example.org")),
        ("MailingCity", json!("Brno")),
        ("Loose_Key__c", json!("k")),
        ("AccountId", json!(ann)),
        ("IsPersonAccount", json!(true)),
        ("CreatedDate", json!("2021-03-04T05:06:07.000+0000")),
    ] {
        assert_eq!(half[name], value, "{name}");
    }
    let case = bench.add("Case", json!({"ContactId": contact})).await;
    assert_eq!(bench.value("Case", &case, "AccountId").await, ann);

    let change = json!({"LastName": "Leigh", "PersonEmail": null});
    assert_eq!(
        bench
            .send("PATCH", &format!("sobjects/Account/{ann}"), change)
            .await
            .status,
        204
    );
    assert_eq!(bench.value("Contact", &contact, "Name").await, "Ann Leigh");
    assert_eq!(bench.value("Contact", &contact, "Email").await, Value::Null);
    let direct = bench
        .send(
            "PATCH",
            &format!("sobjects/Contact/{contact}"),
            json!({"LastName": "X"}),
        )
        .await;
    assert_eq!(direct.code(), "INVALID_PERSON_ACCOUNT_OPERATION");

    let acme = bench.add("Account", json!({"Name": "Acme"})).await;
    assert_eq!(
        bench.value("Account", &acme, "IsPersonAccount").await,
        false
    );
    assert_eq!(
        bench.org.dump("Contact").unwrap().len(),
        1,
        "a business has no contact of its own"
    );
    for (row, code) in [
        (
            json!({"Name": "Acme", "PersonEmail": "a@example.org"}),
            "INVALID_FIELD_FOR_INSERT_UPDATE",
        ),
        (
            json!({"RecordTypeId": person_type, "Name": "Ann Lee", "LastName": "Lee"}),
            "INVALID_FIELD_FOR_INSERT_UPDATE",
        ),
        (
            json!({"RecordTypeId": person_type, "FirstName": "Ann"}),
            "REQUIRED_FIELD_MISSING",
        ),
        (
            json!({"LastName": "Lee", "IsPersonAccount": true}),
            "INVALID_FIELD_FOR_INSERT_UPDATE",
        ),
        (json!({}), "REQUIRED_FIELD_MISSING"),
    ] {
        assert_eq!(bench.refused("Account", row.clone()).await.0, code, "{row}");
    }
    let employee = json!({"LastName": "Kim", "AccountId": ann});
    assert_eq!(
        bench.refused("Contact", employee).await.0,
        "INVALID_PERSON_ACCOUNT_OPERATION"
    );
    let turned = bench
        .send(
            "PATCH",
            &format!("sobjects/Account/{acme}"),
            json!({"RecordTypeId": person_type}),
        )
        .await;
    assert_eq!(turned.code(), "INVALID_PERSON_ACCOUNT_OPERATION");

    let refused = bench
        .send("DELETE", &format!("sobjects/Account/{ann}"), Value::Null)
        .await;
    assert_eq!(refused.code(), "DELETE_FAILED", "a case hangs on it");
    bench
        .send("DELETE", &format!("sobjects/Case/{case}"), Value::Null)
        .await;
    assert_eq!(
        bench
            .send("DELETE", &format!("sobjects/Account/{ann}"), Value::Null)
            .await
            .status,
        204
    );
    assert!(
        bench.org.dump("Contact").unwrap().is_empty(),
        "both are one"
    );
}

#[tokio::test]
async fn people_are_loaded_by_bulk_and_found_by_their_key() {
    let bench = Bench::with(|options| options.person_accounts(true)).await;
    let job = json!({"object": "Account", "operation": "insert", "lineEnding": "LF"});
    let csv = "Source_Key__c,LastName,Name,PersonEmail\nk1,Lee,,a@example.org\nk2,,Acme,\nk3,Kim,Kim Ltd,\n";
    let (_, info) = bench.done(job, csv).await;
    assert_eq!(
        (
            &info["numberRecordsProcessed"],
            &info["numberRecordsFailed"]
        ),
        (&json!(3), &json!(1))
    );
    let rows = bench
        .rows("SELECT Source_Key__c, PersonContact.Email FROM Account WHERE IsPersonAccount = true")
        .await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["PersonContact"]["Email"], "a@example.org");
}
