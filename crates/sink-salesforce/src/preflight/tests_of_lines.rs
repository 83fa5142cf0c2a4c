//! Each line of a preflight, with an org that is as it should be and one that is not.

use std::collections::BTreeMap;

use deskferry_core::preflight::{Finding, Level};
use serde_json::{Value, json};

use super::lines;
use super::look::{Answers, judged};
use crate::mapping::Mapping;

const LINES: &str = r#"
[Case.fields]
Region__c = { from = "custom.region", create = { type = "Text", length = 80 } }
Colour__c = { from = "custom.colour", create = { type = "Picklist" } }
Shade__c = { from = "custom.shade", create = { type = "Picklist" } }
"#;

fn mapping() -> Mapping {
    let text = Mapping::default_text().replacen("[Case.fields]\n", LINES.trim_start(), 1);
    Mapping::parse(&text).unwrap()
}

/// The lines about something, as level, what was said and what to do.
fn about<'f>(found: &'f [Finding], what: &str) -> Vec<&'f Finding> {
    found.iter().filter(|f| f.about == what).collect()
}

fn one<'f>(found: &'f [Finding], what: &str) -> &'f Finding {
    let found = about(found, what);
    assert_eq!(found.len(), 1, "{what}: {found:#?}");
    found[0]
}

#[test]
fn production_is_told_from_a_sandbox() {
    let org = |sandbox: bool| json!({"Name": "Acme", "OrganizationType": "Enterprise Edition", "InstanceName": "EU1", "IsSandbox": sandbox});
    assert_eq!(lines::org(&org(true)).level, Level::Fine);
    let production = lines::org(&org(false));
    assert_eq!(production.level, Level::Warning);
    assert!(production.advice.contains("sandbox first"));
}

#[test]
fn each_right_is_there_or_missing_or_not_offered() {
    let set = |rights: &[(&str, bool)]| {
        let mut row = json!({"Id": "0PS"});
        for (right, has) in rights {
            row[format!("Permissions{right}")] = json!(has);
        }
        row
    };
    let all = [
        "ApiEnabled",
        "ModifyAllData",
        "CreateAuditFields",
        "UpdateWithInactiveOwner",
        "CanUpdateEmailMessage",
        "QueryAllFiles",
    ];
    let every: Vec<(&str, bool)> = all.iter().map(|right| (*right, true)).collect();
    // What one set denies another may grant.
    let none: Vec<(&str, bool)> = all.iter().map(|right| (*right, false)).collect();
    let found = lines::rights(
        Some(&[set(&none), set(&every)]),
        &mapping(),
        &BTreeMap::new(),
    );
    assert_eq!(found.len(), all.len());
    assert!(found.iter().all(|f| f.level == Level::Fine), "{found:#?}");

    let found = lines::rights(Some(&[set(&none)]), &mapping(), &BTreeMap::new());
    for (label, level) in [
        ("API Enabled", Level::Blocking),
        ("Modify All Data", Level::Warning),
        ("Set Audit Fields upon Record Creation", Level::Warning),
        ("Update Records with Inactive Owners", Level::Warning),
        ("Update Email Messages", Level::Warning),
        ("Query All Files", Level::Warning),
    ] {
        let line = one(&found, &format!("right: {label}"));
        assert_eq!(line.level, level, "{label}");
        assert!(line.advice.contains(label), "{}", line.advice);
    }

    let found = lines::rights(
        Some(&[json!({"PermissionsApiEnabled": true})]),
        &mapping(),
        &BTreeMap::new(),
    );
    let audit = one(&found, "right: Set Audit Fields upon Record Creation");
    assert!(audit.said.contains("does not offer"), "{}", audit.said);
    assert!(audit.advice.contains("User Interface"), "{}", audit.advice);
    assert!(lines::rights(None, &mapping(), &BTreeMap::new()).is_empty());
}

#[test]
fn a_right_for_articles_blocks_only_where_they_would_be_written() {
    let text =
        Mapping::default_text().replacen("articles = \"leave\"", "articles = \"knowledge\"", 1);
    let mapping = Mapping::parse(&text).unwrap();
    let sets = [json!({"PermissionsEditKnowledge": false, "PermissionsPublishArticles": false})];
    let level = |articles: Value| {
        let describes = BTreeMap::from([("Knowledge__kav".to_owned(), articles)]);
        let found = lines::rights(Some(&sets), &mapping, &describes);
        one(&found, "right: Manage Salesforce Knowledge").level
    };
    assert_eq!(
        level(json!({"name": "Knowledge__kav", "fields": []})),
        Level::Blocking
    );
    assert_eq!(level(Value::Null), Level::Warning);
}

fn field(name: &str, more: Value) -> Value {
    let mut field = json!({"name": name, "type": "string", "length": 255, "createable": true, "nillable": true});
    if let (Value::Object(field), Value::Object(more)) = (&mut field, more) {
        field.extend(more);
    }
    field
}

fn describe(object: &str, fields: &[Value]) -> BTreeMap<String, Value> {
    let answer = json!({"name": object, "createable": true, "fields": fields});
    BTreeMap::from([(object.to_owned(), answer)])
}

#[test]
fn fields_that_are_shorter_restricted_or_dependent_are_told() {
    let colours = json!([{"value": "red", "active": true}, {"value": "old", "active": false}]);
    let shades = json!([{"value": "dark", "active": true, "validFor": "gAAA"}, {"value": "lost", "active": true, "validFor": null}]);
    let strange = [
        field("Region__c", json!({"length": 40})),
        field(
            "Colour__c",
            json!({"type": "picklist", "restrictedPicklist": true, "picklistValues": colours}),
        ),
        field(
            "Shade__c",
            json!({"type": "picklist", "dependentPicklist": true, "controllerName": "Colour__c", "picklistValues": shades}),
        ),
    ];
    let found = lines::fields(&mapping(), &describe("Case", &strange));
    let length = one(&found, "length");
    assert!(
        length.said.contains("Case.Region__c takes 40 characters"),
        "{}",
        length.said
    );
    let values = one(&found, "values");
    assert!(values.said.ends_with("than red"), "{}", values.said);
    let pairs = one(&found, "dependent values");
    assert!(pairs.said.ends_with("values: lost"), "{}", pairs.said);
    assert!(
        found
            .iter()
            .all(|f| f.level == Level::Warning && !f.advice.is_empty())
    );

    let usual = [
        field("Region__c", json!({"length": 80})),
        field(
            "Colour__c",
            json!({"type": "picklist", "picklistValues": colours}),
        ),
        field(
            "Shade__c",
            json!({"type": "picklist", "picklistValues": shades}),
        ),
    ];
    assert_eq!(lines::fields(&mapping(), &describe("Case", &usual)), []);

    let uncontrolled = [field(
        "Shade__c",
        json!({"type": "picklist", "dependentPicklist": true, "controllerName": "Type", "picklistValues": shades}),
    )];
    let found = lines::fields(&mapping(), &describe("Case", &uncontrolled));
    assert!(
        one(&found, "dependent values")
            .said
            .contains("no line fills")
    );
}

#[test]
fn features_that_change_a_load_are_told() {
    let mut org = describe(
        "Account",
        &[
            field("IsPersonAccount", json!({})),
            field("BillingCountryCode", json!({})),
        ],
    );
    org.extend(describe("Case", &[field("CurrencyIsoCode", json!({}))]));
    org.get_mut("Case").unwrap()["recordTypeInfos"] = json!([
        {"name": "Master", "master": true, "defaultRecordTypeMapping": false},
        {"name": "Support", "master": false, "defaultRecordTypeMapping": true}]);
    let found = lines::features(&mapping(), &org);
    for what in ["person accounts", "currencies", "states and countries"] {
        assert_eq!(one(&found, what).level, Level::Warning);
    }
    assert!(one(&found, "record type").said.contains("Support"));
    let plain = describe("Case", &[field("Subject", json!({}))]);
    assert_eq!(lines::features(&mapping(), &plain), []);
}

#[test]
fn room_that_is_used_up_blocks_and_little_room_warns() {
    let limits = |requests: u64, rows: u64| json!({"DailyApiRequests": {"Max": 100_000, "Remaining": requests}, "DataStorageMB": {"Max": 100, "Remaining": rows}});
    let levels = |requests, rows| -> Vec<Level> {
        let found = lines::limits(Some(&limits(requests, rows)));
        found.iter().map(|f| f.level).collect()
    };
    assert_eq!(levels(90_000, 50), [Level::Fine, Level::Fine]);
    assert_eq!(levels(9_999, 50), [Level::Warning, Level::Fine]);
    assert_eq!(levels(90_000, 0), [Level::Fine, Level::Blocking]);
    assert!(lines::limits(None).is_empty());
}

#[test]
fn rules_that_see_our_rows_are_named_and_others_are_not() {
    let rows = BTreeMap::from([
        (
            "ApexTrigger",
            vec![
                json!({"Name": "CaseTrigger", "TableEnumOrId": "Case", "NamespacePrefix": "pkg"}),
                json!({"Name": "OrderTrigger", "TableEnumOrId": "Order"}),
            ],
        ),
        (
            "FlowDefinitionView",
            vec![
                json!({"ApiName": "By_Label", "TriggerType": "RecordAfterSave", "TriggerObjectOrEventLabel": "Support case"}),
                json!({"ApiName": "Screen", "ProcessType": "Flow", "TriggerObjectOrEventId": "Case"}),
                json!({"ApiName": "Builder", "ProcessType": "Workflow"}),
            ],
        ),
        (
            "ValidationRule",
            vec![
                json!({"ValidationName": "Rule", "EntityDefinition": {"QualifiedApiName": "Contact"}}),
            ],
        ),
        ("WorkflowRule", vec![]),
        (
            "DuplicateRule",
            vec![json!({"DeveloperName": "Twins", "SobjectType": "Contact"})],
        ),
        (
            "AssignmentRule",
            vec![json!({"Name": "Standard", "SobjectType": "Case"})],
        ),
    ]);
    let mut org = describe("Case", &[]);
    org.get_mut("Case").unwrap()["label"] = json!("Support case");
    let found = lines::automation(&mapping(), &rows, &org);
    for (what, level, names) in [
        (
            "triggers",
            Level::Warning,
            ": Case.CaseTrigger (package pkg)",
        ),
        ("flows", Level::Warning, ": Case.By_Label, Builder"),
        ("validation rules", Level::Warning, ": Contact.Rule"),
        ("workflow rules", Level::Fine, "none that sees our rows"),
        ("duplicate rules", Level::Warning, ": Contact.Twins"),
        ("assignment rules", Level::Fine, "must not run: Standard"),
    ] {
        let line = one(&found, what);
        assert_eq!(line.level, level, "{what}");
        assert!(line.said.ends_with(names), "{what}: {}", line.said);
        assert_eq!(line.advice.is_empty(), level == Level::Fine, "{what}");
    }
    // What could not be asked is no proof that there is none.
    assert!(lines::automation(&mapping(), &BTreeMap::new(), &org).is_empty());
}

#[test]
fn a_mapping_that_does_not_fit_blocks_with_what_to_do() {
    let mut answers = Answers {
        describes: describe(
            "Case",
            &[
                field("Needed__c", json!({"nillable": false})),
                field("CreatedDate", json!({"createable": false})),
                field("ClosedDate", json!({"createable": false})),
            ],
        ),
        ..Answers::default()
    };
    answers.hidden.push(("active flows", "no right".into()));
    let found = judged(&answers, &mapping()).unwrap();
    let lines = about(&found, "mapping");
    assert!(lines.iter().all(|line| line.level == Level::Blocking));
    for (said, advice) in [
        (
            "Case.Needed__c is required and no line fills it",
            "Add a line",
        ),
        ("Case.Region__c does not exist", "Install the package"),
        ("the org has no object Contact", "Correct the line"),
    ] {
        let line = lines.iter().find(|line| line.said.contains(said));
        let line = line.unwrap_or_else(|| panic!("{said}: {lines:#?}"));
        assert!(line.advice.starts_with(advice), "{}", line.advice);
    }
    assert_eq!(one(&found, "dates").level, Level::Warning);
    assert_eq!(one(&found, "closed dates").level, Level::Warning);
    assert_eq!(one(&found, "hidden: active flows").level, Level::Warning);
    assert_eq!(one(&found, "mails").level, Level::Warning);
}
