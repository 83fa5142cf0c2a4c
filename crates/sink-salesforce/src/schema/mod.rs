//! What the org's objects are like, by its own describe answers.

use std::collections::BTreeMap;

use deskferry_core::error::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The objects of an org as far as they were described, by API name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Schema {
    objects: BTreeMap<String, Object>,
}

impl Schema {
    /// A schema that knows no object yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the object of a describe answer (`GET /sobjects/X/describe`).
    ///
    /// # Errors
    /// `Decode` when the answer has no name or no fields.
    pub fn add_describe(&mut self, describe: &Value) -> Result<()> {
        let wire: wire::Describe = Deserialize::deserialize(describe)
            .map_err(|e| Error::decode("read a describe answer", "$", e))?;
        let labels = wire.fields.iter();
        let labels = labels
            .filter_map(|f| Some((f.name.clone(), f.label.clone()?)))
            .collect();
        let fields: BTreeMap<String, Field> = wire
            .fields
            .into_iter()
            .map(|f| (f.name.clone(), f.into()))
            .collect();
        let spelling = fields
            .keys()
            .map(|name| (name.to_ascii_lowercase(), name.clone()))
            .collect();
        let object = Object {
            name: wire.name.clone(),
            createable: wire.createable,
            fields,
            spelling,
            labels,
            record_types: wire
                .record_type_infos
                .unwrap_or_default()
                .into_iter()
                .filter(|info| !info.master)
                .map(|info| RecordType {
                    name: info.developer_name,
                    id: info.record_type_id,
                    available: info.available && info.active.unwrap_or(true),
                })
                .collect(),
        };
        self.objects.insert(wire.name, object);
        Ok(())
    }

    /// A described object; `None` where it was not described or the org has no such object.
    #[must_use]
    pub fn object(&self, name: &str) -> Option<&Object> {
        self.objects.get(name)
    }
}

/// One object.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    /// API name.
    pub name: String,
    /// Whether rows of it can be made.
    pub createable: bool,
    fields: BTreeMap<String, Field>,
    /// API names by themselves in lower case.
    spelling: BTreeMap<String, String>,
    /// What people see of each field.
    labels: BTreeMap<String, String>,
    /// Kinds of its rows, without the one that stands for none.
    record_types: Vec<RecordType>,
}

/// A kind of row that an object has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordType {
    /// API name.
    pub name: String,
    /// What rows name it by.
    pub id: String,
    /// Whether we may give it to new rows.
    pub available: bool,
}

impl Object {
    /// A field by API name, case ignored. Fields that field-level security hides are absent.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        // The mapping mostly spells names as the org does.
        self.fields.get(name).or_else(|| {
            let spelt = self.spelling.get(&name.to_ascii_lowercase())?;
            self.fields.get(spelt)
        })
    }

    /// What people see of a field; empty where the org does not say.
    #[must_use]
    pub fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }

    /// A record type by API name, case ignored.
    #[must_use]
    pub fn record_type(&self, name: &str) -> Option<&RecordType> {
        let mut types = self.record_types.iter();
        types.find(|known| known.name.eq_ignore_ascii_case(name))
    }

    /// Its fields, by name.
    pub fn fields(&self) -> impl Iterator<Item = &Field> {
        self.fields.values()
    }

    /// Whether a field is there and can be set on insert.
    #[must_use]
    pub fn takes(&self, name: &str) -> bool {
        self.field(name).is_some_and(|f| f.createable)
    }
}

/// One field.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// API name.
    pub name: String,
    /// What it holds.
    pub holds: FieldKind,
    /// The most characters; 0 where the type has no length.
    pub length: usize,
    /// The most digits of a number.
    pub precision: usize,
    /// Digits after the point.
    pub scale: usize,
    /// Whether it can be set on insert.
    pub createable: bool,
    /// Whether it can be changed later.
    pub updateable: bool,
    /// Whether an insert without it is refused.
    pub required: bool,
    /// Whether rows can be found by it.
    pub external_id: bool,
    /// Whether two rows may not share a value.
    pub unique: bool,
    /// Whether values that differ in case only are different.
    pub case_sensitive: bool,
    /// The values of a picklist that may be written.
    pub values: Vec<String>,
    /// The value of a picklist that a row gets when none is sent.
    pub default: Option<String>,
    /// The objects a reference may point at.
    pub reference_to: Vec<String>,
}

impl Field {
    /// The picklist's own spelling of a value, case ignored.
    #[must_use]
    pub fn picklist_value(&self, value: &str) -> Option<&str> {
        let exact = self.values.iter().find(|v| *v == value);
        let found = exact.or_else(|| {
            self.values
                .iter()
                .find(|v| v.to_lowercase() == value.to_lowercase())
        });
        found.map(String::as_str)
    }
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FieldKind {
    /// One line of text.
    Text,
    /// Several lines of plain text.
    LongText,
    /// Rich text.
    RichText,
    /// A mail address.
    Email,
    /// A telephone number.
    Phone,
    /// An address on the web.
    Url,
    /// One of a list of values.
    Picklist,
    /// Several of a list of values.
    Multipicklist,
    /// Yes or no.
    Checkbox,
    /// A number, currency or percentage.
    Number,
    /// A day.
    Date,
    /// A moment.
    DateTime,
    /// The id of a row.
    Reference,
    /// Bytes.
    Blob,
    /// Anything else.
    Other,
}

mod wire {
    use super::{Deserialize, Field, FieldKind};

    #[derive(Deserialize)]
    pub(super) struct Describe {
        pub(super) name: String,
        #[serde(default)]
        pub(super) createable: bool,
        pub(super) fields: Vec<DescribedField>,
        #[serde(default, rename = "recordTypeInfos")]
        pub(super) record_type_infos: Option<Vec<RecordTypeInfo>>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    pub(super) struct RecordTypeInfo {
        #[serde(default)]
        pub(super) developer_name: String,
        pub(super) record_type_id: String,
        #[serde(default)]
        pub(super) available: bool,
        /// Not told by older versions.
        #[serde(default)]
        pub(super) active: Option<bool>,
        #[serde(default)]
        pub(super) master: bool,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    pub(super) struct DescribedField {
        pub(super) name: String,
        #[serde(default)]
        pub(super) label: Option<String>,
        #[serde(rename = "type")]
        kind: String,
        #[serde(default)]
        length: i64,
        #[serde(default)]
        precision: i64,
        #[serde(default)]
        scale: i64,
        #[serde(default)]
        digits: i64,
        #[serde(default)]
        createable: bool,
        #[serde(default)]
        updateable: bool,
        #[serde(default)]
        nillable: bool,
        #[serde(default)]
        defaulted_on_create: bool,
        #[serde(default)]
        external_id: bool,
        #[serde(default)]
        unique: bool,
        #[serde(default)]
        case_sensitive: bool,
        #[serde(default)]
        html_formatted: bool,
        #[serde(default)]
        picklist_values: Option<Vec<PicklistValue>>,
        #[serde(default)]
        reference_to: Option<Vec<String>>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct PicklistValue {
        #[serde(default)]
        active: bool,
        #[serde(default)]
        default_value: bool,
        value: String,
    }

    impl From<DescribedField> for Field {
        fn from(f: DescribedField) -> Self {
            let size = |n: i64| usize::try_from(n).unwrap_or(0);
            let values = f.picklist_values.unwrap_or_default();
            Self {
                holds: kind(&f.kind, f.html_formatted),
                length: size(f.length),
                precision: size(if f.kind == "int" {
                    f.digits
                } else {
                    f.precision
                }),
                scale: size(f.scale),
                createable: f.createable,
                updateable: f.updateable,
                required: f.createable && !f.nillable && !f.defaulted_on_create,
                external_id: f.external_id,
                unique: f.unique,
                case_sensitive: f.case_sensitive,
                default: values
                    .iter()
                    .find(|v| v.default_value)
                    .map(|v| v.value.clone()),
                values: values
                    .into_iter()
                    .filter(|v| v.active)
                    .map(|v| v.value)
                    .collect(),
                reference_to: f.reference_to.unwrap_or_default(),
                name: f.name,
            }
        }
    }

    fn kind(name: &str, html: bool) -> FieldKind {
        match name {
            "string" | "encryptedstring" | "combobox" => FieldKind::Text,
            "textarea" if html => FieldKind::RichText,
            "textarea" => FieldKind::LongText,
            "email" => FieldKind::Email,
            "phone" => FieldKind::Phone,
            "url" => FieldKind::Url,
            "picklist" => FieldKind::Picklist,
            "multipicklist" => FieldKind::Multipicklist,
            "boolean" => FieldKind::Checkbox,
            "int" | "long" | "double" | "currency" | "percent" => FieldKind::Number,
            "date" => FieldKind::Date,
            "datetime" => FieldKind::DateTime,
            "reference" | "id" => FieldKind::Reference,
            "base64" => FieldKind::Blob,
            _ => FieldKind::Other,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn describe_answers_are_read_with_what_they_leave_out() {
        let mut schema = Schema::new();
        schema
            .add_describe(&json!({"name": "Case", "createable": true, "fields": [
                {"name": "Subject", "type": "string", "length": 255, "createable": true, "nillable": true},
                {"name": "Status", "type": "picklist", "createable": true, "defaultedOnCreate": true,
                 "picklistValues": [{"active": true, "value": "New"}, {"active": false, "value": "Old"}]},
                {"name": "Rich__c", "type": "textarea", "htmlFormatted": true, "createable": true},
                {"name": "Strange", "type": "hologram"}
            ]}))
            .unwrap();
        let case = schema.object("Case").unwrap();
        assert_eq!(case.field("SUBJECT").unwrap().length, 255);
        assert_eq!(case.field("Status").unwrap().values, ["New"]);
        assert_eq!(
            case.field("Status").unwrap().picklist_value("NEW"),
            Some("New")
        );
        assert!(!case.field("Status").unwrap().required && case.field("Rich__c").unwrap().required);
        assert_eq!(case.field("Rich__c").unwrap().holds, FieldKind::RichText);
        assert_eq!(case.field("Strange").unwrap().holds, FieldKind::Other);
        assert!(!case.takes("Strange") && !case.takes("Absent"));
        assert!(schema.object("Lead").is_none());
        assert!(schema.add_describe(&json!({"fields": []})).is_err());
    }
}
