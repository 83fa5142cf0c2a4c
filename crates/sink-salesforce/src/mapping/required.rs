//! The custom fields that a mapping needs.

use serde::{Deserialize, Serialize};

use super::ObjectMapping;

/// A custom field as an org must have it, in the words of the Metadata API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldSpec {
    /// API name of the object.
    pub object: String,
    /// API name of the field, ending in `__c`.
    pub name: String,
    /// What people see.
    pub label: String,
    /// `Text`, `LongTextArea`, `Number`, `Checkbox`, `Date`, `DateTime`, `Url`, `Picklist`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// Characters of a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<u32>,
    /// Digits of a number on both sides of the point.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision: Option<u32>,
    /// Digits of a number after the point.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<u32>,
    /// Whether rows can be found by it.
    pub external_id: bool,
    /// Whether two rows may not share a value.
    pub unique: bool,
    /// Whether values that differ in case only are different.
    pub case_sensitive: bool,
    /// The values of a picklist.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub values: Vec<String>,
    /// The object that a Lookup or MasterDetail points at.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reference_to: Option<String>,
    /// How that object calls the rows that point at it: unique among those.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub relationship_name: Option<String>,
}

/// A custom object as an org must have it, in the words of the Metadata API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectSpec {
    /// API name, ending in `__c`.
    pub name: String,
    /// What people see.
    pub label: String,
    /// What people see of several.
    pub plural_label: String,
    /// How its rows are numbered, `M-{0000000}`; they are named by a text that the load sends where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub auto_number: Option<String>,
}

/// How the mapping file says how an object is made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateObject {
    label: Option<String>,
    plural: Option<String>,
    auto_number: Option<String>,
}

pub(super) fn object(object: &ObjectMapping) -> Option<ObjectSpec> {
    let create = object.create.clone()?;
    let label = create.label.unwrap_or_else(|| spoken(object.object));
    Some(ObjectSpec {
        name: object.object.to_owned(),
        plural_label: create.plural.unwrap_or_else(|| label.clone()),
        label,
        auto_number: create.auto_number,
    })
}

/// How the mapping file says it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Create {
    #[serde(rename = "type")]
    kind: String,
    label: Option<String>,
    pub(crate) length: Option<u32>,
    precision: Option<u32>,
    scale: Option<u32>,
    #[serde(default)]
    external_id: bool,
    #[serde(default)]
    unique: bool,
    #[serde(default)]
    case_sensitive: bool,
    #[serde(default)]
    pub(crate) values: Vec<String>,
    to: Option<String>,
    relationship: Option<String>,
}

impl Create {
    /// Whether it makes a list of values.
    pub(super) fn is_list(&self) -> bool {
        matches!(self.kind.as_str(), "Picklist" | "MultiselectPicklist")
    }
}

impl Default for Create {
    /// A custom field about which the mapping says nothing: one line of text.
    fn default() -> Self {
        Self {
            kind: "Text".into(),
            label: None,
            length: Some(255),
            precision: None,
            scale: None,
            external_id: false,
            unique: false,
            case_sensitive: false,
            values: Vec::new(),
            to: None,
            relationship: None,
        }
    }
}

pub(super) fn of_object(object: &ObjectMapping) -> Vec<FieldSpec> {
    let custom = object
        .lines
        .iter()
        .filter(|line| line.field.ends_with("__c"));
    custom
        .map(|line| {
            let create = line.create.clone().unwrap_or_default();
            FieldSpec {
                object: object.object.to_owned(),
                label: create.label.unwrap_or_else(|| spoken(&line.field)),
                name: line.field.clone(),
                kind: create.kind,
                length: create.length,
                precision: create.precision,
                scale: create.scale,
                external_id: create.external_id,
                unique: create.unique,
                case_sensitive: create.case_sensitive,
                values: create.values,
                reference_to: create.to,
                relationship_name: create.relationship,
            }
        })
        .collect()
}

/// `Source_Key__c` → `Source Key`.
fn spoken(name: &str) -> String {
    name.trim_end_matches("__c").replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::super::Mapping;

    #[test]
    fn the_shipped_mapping_names_every_custom_field_with_its_type() {
        let fields = Mapping::parse(Mapping::default_text())
            .unwrap()
            .required_fields();
        let keys: Vec<_> = fields
            .iter()
            .filter(|f| f.name == "Source_Key__c")
            .collect();
        let objects: Vec<_> = keys.iter().map(|f| f.object.as_str()).collect();
        assert_eq!(
            objects,
            [
                "Account",
                "Case",
                "Contact",
                "ContentVersion",
                "EmailMessage"
            ]
        );
        for key in keys {
            assert!(key.unique && key.external_id && key.case_sensitive && key.length == Some(255));
        }
        assert!(
            fields
                .iter()
                .all(|f| f.name.ends_with("__c") && !f.label.contains('_'))
        );
        let shown = serde_json::to_value(&fields[0]).unwrap();
        assert_eq!(shown["type"], "LongTextArea");
    }
}
