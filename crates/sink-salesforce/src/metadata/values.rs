//! Values of the platform's own picklists. Deploying such a list replaces it: it is written whole, with what stands there
//! (Salesforce objects, section 9.3).

use serde_json::Value;

use super::xml::Xml;

/// Object, field, and what the Metadata API calls its list.
pub(super) const SETS: &[(&str, &str, &str)] = &[
    ("Case", "Status", "CaseStatus"),
    ("Case", "Origin", "CaseOrigin"),
    ("Case", "Priority", "CasePriority"),
    ("Case", "Type", "CaseType"),
    ("Case", "Reason", "CaseReason"),
    ("Account", "Type", "AccountType"),
    ("Account", "Industry", "Industry"),
    ("Contact", "LeadSource", "LeadSource"),
    ("Contact", "Salutation", "Salutation"),
];

/// One value of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    name: String,
    label: String,
    default: bool,
    active: bool,
    /// Of statuses alone.
    closed: Option<bool>,
}

/// What stands there, inactive values too, and these behind it.
pub(super) fn merged(
    described: &Value,
    statuses: &[Value],
    more: &[String],
    closed: &[String],
    set: &str,
) -> Vec<Listed> {
    let is_status = set == "CaseStatus";
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let status = |name: &str| {
        let known = statuses.iter().find(|row| text(row, "ApiName") == name);
        known.is_some_and(|row| row["IsClosed"] == true)
    };
    let listed = described["picklistValues"].as_array();
    let mut all: Vec<Listed> = listed
        .into_iter()
        .flatten()
        .map(|value| {
            let name = text(value, "value");
            Listed {
                label: value["label"].as_str().unwrap_or(&name).to_owned(),
                default: value["defaultValue"] == true,
                active: value["active"] == true,
                closed: is_status.then(|| status(&name)),
                name,
            }
        })
        .collect();
    for name in more {
        // One that was switched off comes back.
        let same = |known: &&mut Listed| known.name.eq_ignore_ascii_case(name);
        if let Some(known) = all.iter_mut().find(same) {
            known.active = true;
            continue;
        }
        all.push(Listed {
            name: name.clone(),
            label: name.clone(),
            default: false,
            active: true,
            closed: is_status.then(|| closed.contains(name)),
        });
    }
    all
}

/// The list's file.
pub(super) fn file(values: &[Listed]) -> String {
    let mut xml = Xml::new("StandardValueSet");
    xml.value(1, "sorted", false);
    for value in values {
        xml.line(1, "<standardValue>");
        xml.value(2, "fullName", &value.name);
        xml.value(2, "default", value.default);
        if !value.active {
            xml.value(2, "isActive", false);
        }
        xml.value(2, "label", &value.label);
        if let Some(closed) = value.closed {
            xml.value(2, "closed", closed);
        }
        xml.line(1, "</standardValue>");
    }
    xml.end("StandardValueSet")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_stands_in_a_list_is_kept_with_its_label_and_what_it_means() {
        let described = json!({"picklistValues": [
            {"value": "New", "label": "Fresh", "active": true, "defaultValue": true},
            {"value": "Done", "label": "Done", "active": true, "defaultValue": false},
            {"value": "Old", "label": "Old", "active": false, "defaultValue": false},
            {"value": "Parked", "label": "Parked", "active": false, "defaultValue": false},
        ]});
        let statuses = [
            json!({"ApiName": "Done", "IsClosed": true}),
            json!({"ApiName": "New", "IsClosed": false}),
        ];
        let more = [
            "Solved".to_owned(),
            "Waiting".to_owned(),
            "parked".to_owned(),
        ];
        let all = merged(&described, &statuses, &more, &more[..1], "CaseStatus");
        let shown: Vec<_> = all
            .iter()
            .map(|v| (v.name.as_str(), v.active, v.closed))
            .collect();
        assert_eq!(
            shown,
            [
                ("New", true, Some(false)),
                ("Done", true, Some(true)),
                ("Old", false, Some(false)),
                ("Parked", true, Some(false)),
                ("Solved", true, Some(true)),
                ("Waiting", true, Some(false)),
            ]
        );
        let text: String = file(&all).split_whitespace().collect();
        assert!(text.contains("<fullName>New</fullName><default>true</default><label>Fresh</label><closed>false</closed>"));
        assert!(text.contains(
            "<fullName>Old</fullName><default>false</default><isActive>false</isActive>"
        ));
        let priorities = merged(&described, &[], &[], &[], "CasePriority");
        assert!(!file(&priorities).contains("closed"));
    }
}
