//! Validation rules, and an org that is made from the answers of another one.

use std::fs;
use std::path::Path;

use super::*;

fn strange(options: OrgOptions) -> OrgOptions {
    let region = CustomField {
        required: true,
        ..CustomField::text("Case", "Region__c", 40)
    };
    options
        .custom_field(region)
        .custom_object(CustomObject::new("Widget__c"))
        .custom_field(CustomField::text("Widget__c", "Colour__c", 20))
        .queue("Second_Line", &["Case"])
        .automation(AutomationKind::ApexTrigger, "Case", "CaseTrigger")
        .automation(AutomationKind::Flow, "Case", "Case_After_Save")
        .duplicate_rule(DuplicateRule {
            name: "Same_Key".into(),
            object: "Contact".into(),
            field: "Loose_Key__c".into(),
            block: true,
        })
        .validation_rule(ValidationRule {
            field: Some("Subject".into()),
            ..ValidationRule::new(
                "Case",
                "Closed_Needs_Subject",
                "AND(ISPICKVAL(Status, \"Closed\"), LEN(Subject) < 3)",
                "a closed case needs a subject",
            )
        })
        .validation_rule(ValidationRule::new(
            "Case",
            "Gold_Only",
            "Account.Rating <> 'Hot'",
            "only hot accounts",
        ))
}

#[tokio::test]
async fn rows_of_which_a_rule_is_true_are_refused_and_others_are_not() {
    let bench = Bench::with(strange).await;
    let row = |status: &str, subject: &str| json!({"Region__c": "North", "Status": status, "Subject": subject});
    let taken = bench.add("Case", row("New", "x")).await;
    bench.add("Case", row("Closed", "long enough")).await;
    let refused = bench.insert("Case", &[row("Closed", "x")]).await;
    assert_eq!(
        refused[0]["errors"][0],
        json!({"statusCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "message": "a closed case needs a subject", "fields": ["Subject"]})
    );
    let path = format!("sobjects/Case/{taken}");
    let later = bench
        .send("PATCH", &path, json!({"Status": "Closed"}))
        .await;
    assert_eq!(
        (later.status, later.code()),
        (400, "FIELD_CUSTOM_VALIDATION_EXCEPTION")
    );
    let both = json!({"Status": "Closed", "Subject": "a longer one"});
    assert_eq!(bench.send("PATCH", &path, both).await.status, 204);
}

#[tokio::test]
async fn the_formula_of_a_rule_is_told_for_one_rule_at_a_time() {
    let bench = Bench::with(strange).await;
    let ask = |soql: &str| format!("tooling/query?q={}", encoded(soql));
    let all = bench
        .get(&ask("SELECT Id, Metadata FROM ValidationRule"))
        .await;
    assert_eq!((all.status, all.code()), (400, "MALFORMED_QUERY"));
    let one = bench
        .get(&ask(
            "SELECT Id, FullName, Metadata FROM ValidationRule WHERE ValidationName = 'Gold_Only'",
        ))
        .await;
    let record = &one.body["records"][0];
    assert_eq!(record["FullName"], "Case.Gold_Only", "{}", one.body);
    assert_eq!(
        record["Metadata"]["errorConditionFormula"],
        "Account.Rating <> 'Hot'"
    );
}

fn keep(folder: &Path, name: &str, answer: &Value) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, answer.to_string()).unwrap();
}

/// What somebody who only reads sees of the org.
async fn taken(bench: &Bench, folder: &Path) {
    for object in ["Account", "Contact", "Case", "Widget__c", "User"] {
        let answer = bench.get(&format!("sobjects/{object}/describe")).await;
        keep(folder, &format!("describe/{object}.json"), &answer.body);
    }
    keep(folder, "describe/EmailMessage.json", &Value::Null);
    keep(folder, "describe/Knowledge__kav.json", &Value::Null);
    for (name, soql) in [
        (
            "Organization",
            "SELECT Id, Name, IsSandbox FROM Organization",
        ),
        ("CaseStatus", "SELECT ApiName, IsClosed FROM CaseStatus"),
        (
            "User",
            "SELECT Id, Username, Email, Name, IsActive, UserType FROM User",
        ),
        (
            "QueueSobject",
            "SELECT Queue.DeveloperName, SobjectType FROM QueueSobject",
        ),
        ("ApexTrigger", "SELECT Name, TableEnumOrId FROM ApexTrigger"),
        (
            "FlowDefinitionView",
            "SELECT ApiName, TriggerObjectOrEventId, TriggerObjectOrEventLabel FROM FlowDefinitionView",
        ),
        (
            "DuplicateRule",
            "SELECT DeveloperName, SobjectType FROM DuplicateRule",
        ),
    ] {
        let answer = bench.query(soql).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        keep(folder, &format!("query/{name}.json"), &answer.body);
    }
    for name in ["Closed_Needs_Subject", "Gold_Only"] {
        let soql = format!(
            "SELECT ValidationName, Active, ErrorMessage, EntityDefinition.QualifiedApiName, Metadata FROM ValidationRule WHERE ValidationName = '{name}'"
        );
        let answer = bench
            .get(&format!("tooling/query?q={}", encoded(&soql)))
            .await;
        keep(
            folder,
            &format!("rules/{name}.json"),
            &answer.body["records"][0],
        );
    }
}

#[tokio::test]
async fn an_org_that_is_made_from_answers_gives_the_same_answers() {
    let first = Bench::with(strange).await;
    let folder = TempDir::new().unwrap();
    taken(&first, folder.path()).await;
    let (settings, unjudged) = OrgSettings::pictured(folder.path()).unwrap();
    let named: Vec<(&str, &str, Option<&str>)> = unjudged
        .iter()
        .map(|rule| {
            (
                rule.kind.as_str(),
                rule.name.as_str(),
                rule.object.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        named,
        [
            ("validation rule", "Gold_Only", Some("Case")),
            ("Apex trigger", "CaseTrigger", Some("Case")),
            ("flow", "Case_After_Save", Some("Case")),
            ("duplicate rule", "Same_Key", Some("Contact")),
        ]
    );
    assert!(
        unjudged[0].why.contains("Account.Rating"),
        "{}",
        unjudged[0].why
    );
    let second = Bench::with(|options| {
        let folder = options.folder.clone();
        OrgOptions::new(folder)
            .settings(settings)
            .access_token(TOKEN)
            // What an administrator would install: some of it is there already, and of articles the org has none.
            .custom_object(CustomObject::new("Widget__c"))
            .custom_field(CustomField::source_key("Knowledge__kav"))
            .custom_field(CustomField::text("Case", "New_Field__c", 50))
            .custom_field(CustomField::text("Case", "Region__c", 255))
    })
    .await;
    for object in ["Account", "Contact", "Case", "Widget__c"] {
        let path = format!("sobjects/{object}/describe");
        let (one, other) = (first.get(&path).await.body, second.get(&path).await.body);
        for flag in ["createable", "updateable", "keyPrefix", "label", "custom"] {
            assert_eq!(one[flag], other[flag], "{object} {flag}");
        }
        let fields = |describe: &Value| -> std::collections::BTreeMap<String, Value> {
            let fields = describe["fields"].as_array().unwrap().iter();
            fields
                .map(|f| (f["name"].as_str().unwrap().to_owned(), f.clone()))
                .collect()
        };
        let (one, mut other) = (fields(&one), fields(&other));
        if object == "Case" {
            assert!(other.remove("New_Field__c").is_some());
        }
        assert_eq!(
            one.keys().collect::<Vec<_>>(),
            other.keys().collect::<Vec<_>>(),
            "{object}"
        );
        for (name, field) in &one {
            for flag in [
                "type",
                "length",
                "byteLength",
                "createable",
                "updateable",
                "nillable",
                "defaultedOnCreate",
                "unique",
                "externalId",
                "restrictedPicklist",
                "picklistValues",
                "referenceTo",
                "precision",
                "scale",
                "label",
            ] {
                assert_eq!(field[flag], other[name][flag], "{object}.{name} {flag}");
            }
        }
    }
    let case = |status: &str| json!({"Region__c": "North", "Status": status, "Subject": "x"});
    second.add("Case", case("New")).await;
    let refusals = [
        (
            "Case",
            json!({"Subject": "no region"}),
            "REQUIRED_FIELD_MISSING",
        ),
        (
            "Case",
            json!({"Region__c": "r".repeat(41)}),
            "STRING_TOO_LONG",
        ),
        (
            "Case",
            json!({"Region__c": "North", "Colour__c": "pink"}),
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        ),
        ("Case", case("Closed"), "FIELD_CUSTOM_VALIDATION_EXCEPTION"),
        (
            "Case",
            json!({"Region__c": "North", "Hidden__c": "x"}),
            "INVALID_FIELD",
        ),
        ("EmailMessage", json!({"Subject": "x"}), "INVALID_TYPE"),
        (
            "Knowledge__kav",
            json!({"Title": "x", "UrlName": "x"}),
            "INVALID_TYPE",
        ),
    ];
    for (object, row, code) in refusals {
        assert_eq!(second.refused(object, row).await.0, code);
    }
    let solved = second
        .rows("SELECT IsClosed FROM CaseStatus WHERE ApiName = 'Solved'")
        .await;
    assert_eq!(solved[0]["IsClosed"], true);
    let queues = second
        .rows("SELECT Name FROM Group WHERE Type = 'Queue'")
        .await;
    assert_eq!(queues.len(), 1);
    second.user("Gone Agent").await;
}

#[test]
fn a_file_that_is_no_answer_is_named() {
    let folder = TempDir::new().unwrap();
    assert_eq!(
        OrgSettings::pictured(folder.path()).unwrap().1,
        [],
        "nothing is known, nothing is wrong"
    );
    for (name, text) in [("describe/Case.json", "{"), ("query/User.json", "{}")] {
        fs::create_dir_all(folder.path().join(name).parent().unwrap()).unwrap();
        fs::write(folder.path().join(name), text).unwrap();
        let error = OrgSettings::pictured(folder.path()).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
        fs::remove_file(folder.path().join(name)).unwrap();
    }
}
