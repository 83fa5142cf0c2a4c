//! Components of metadata, from their XML: what the org imitates of each, and where it says that it does not.

use roxmltree::Node;

use super::kept;
use crate::org::entitlements::{EntitlementProcess, Milestone};
use crate::org::knowledge::CategoryGroup;
use crate::org::options::{CustomField, CustomObject, FieldType};
use crate::org::record_types::{BusinessProcess, RecordType};
use crate::org::schema::Schema;
use crate::org::xml::{child, children, escaped, flag, number, text, texts};

/// One thing that a deployment or a call names.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Component {
    /// Such as `CustomField`.
    pub(crate) kind: String,
    /// Such as `Case.Source_Key__c`.
    pub(crate) name: String,
    /// Where it stood in the zip.
    pub(crate) file: String,
    /// What stands in it, its name left out, as it was written.
    pub(crate) body: String,
    pub(crate) change: Change,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change {
    Object(CustomObject),
    Field(CustomField),
    /// Values of a standard picklist: object, field, then value, whether closed.
    Values {
        places: Vec<(&'static str, &'static str)>,
        values: Vec<(String, bool)>,
    },
    PermissionSet {
        label: String,
        /// Fields that it shows.
        fields: Vec<String>,
        /// System permissions.
        permissions: Vec<String>,
        /// Record types that it lets give.
        record_types: Vec<String>,
    },
    Queue {
        label: String,
        objects: Vec<String>,
    },
    RecordType(RecordType),
    BusinessProcess(BusinessProcess),
    /// A group of data categories, whole.
    Categories(CategoryGroup),
    EntitlementProcess(EntitlementProcess),
    MilestoneType {
        description: Option<String>,
        recurrence: String,
    },
    /// Whether the org has entitlements from now on.
    Entitlements(bool),
    BusinessHours {
        hours: Vec<Hours>,
        holidays: Vec<(String, Option<String>)>,
    },
    /// Taken and kept, without any effect.
    Ignored,
    /// What it says is not what the platform takes.
    Wrong(String),
}

/// Business hours of settings.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Hours {
    pub(crate) name: String,
    pub(crate) active: bool,
    pub(crate) is_default: bool,
    pub(crate) zone: Option<String>,
    /// Such as `mondayStartTime`, and the time.
    pub(crate) times: Vec<(String, String)>,
}

/// The components of one file of a zip.
pub(super) fn of_file(path: &str, content: &str) -> Vec<Component> {
    let stem = path.rsplit('/').next().unwrap_or(path);
    let stem = stem.rsplit_once('.').map_or(stem, |(stem, _)| stem);
    let wrong = |problem: String| Component {
        kind: String::new(),
        name: stem.to_owned(),
        file: path.to_owned(),
        body: String::new(),
        change: Change::Wrong(problem),
    };
    let document = match roxmltree::Document::parse(content) {
        Ok(document) => document,
        Err(e) => return vec![wrong(format!("Error parsing file: {e}"))],
    };
    let root = document.root_element();
    let kind = root.tag_name().name().to_owned();
    let mut found = if kind == "CustomObject" {
        of_object(stem, root)
    } else {
        vec![of_element(&kind, &unescaped(stem), root)]
    };
    for component in &mut found {
        path.clone_into(&mut component.file);
    }
    found
}

/// A component as SOAP names it: the type stands beside it, the name in it.
pub(super) fn of_call(node: Node<'_, '_>) -> Vec<Component> {
    let kind = node
        .attributes()
        .find(|attribute| attribute.name() == "type")
        .map_or("", |attribute| attribute.value());
    let kind = kind.rsplit(':').next().unwrap_or(kind);
    let name = text(node, "fullName").unwrap_or_default();
    if kind == "CustomObject" {
        return of_object(name, node);
    }
    vec![of_element(kind, name, node)]
}

fn of_object(name: &str, node: Node<'_, '_>) -> Vec<Component> {
    let mut found = Vec::new();
    if name.ends_with("__c") && child(node, "label").is_some() {
        found.push(component(
            "CustomObject",
            name,
            Change::Object(object(name, node)),
        ));
    } else {
        found.push(component("CustomObject", name, Change::Ignored));
    }
    for part in children(node) {
        let inner = text(part, "fullName").unwrap_or_default();
        let full = format!("{name}.{inner}");
        match part.tag_name().name() {
            "fields" if inner.ends_with("__c") => {
                found.push(of_element("CustomField", &full, part));
            }
            "recordTypes" => found.push(of_element("RecordType", &full, part)),
            "businessProcesses" => {
                found.push(of_element("BusinessProcess", &full, part));
            }
            "validationRules" => found.push(of_element("ValidationRule", &full, part)),
            "listViews" => found.push(of_element("ListView", &full, part)),
            "fieldSets" => found.push(of_element("FieldSet", &full, part)),
            "compactLayouts" => found.push(of_element("CompactLayout", &full, part)),
            "webLinks" => found.push(of_element("WebLink", &full, part)),
            _ => {}
        }
    }
    found
}

fn of_element(kind: &str, name: &str, node: Node<'_, '_>) -> Component {
    let label = || text(node, "label").unwrap_or(name).to_owned();
    let change = match kind {
        "CustomField" => field(name, node),
        "PermissionSet" => Change::PermissionSet {
            label: label(),
            fields: children(node)
                .filter(|part| part.tag_name().name() == "fieldPermissions")
                .filter(|part| flag(*part, "readable") || flag(*part, "editable"))
                .filter_map(|part| text(part, "field").map(str::to_owned))
                .collect(),
            permissions: children(node)
                .filter(|part| part.tag_name().name() == "userPermissions")
                .filter(|part| flag(*part, "enabled"))
                .filter_map(|part| text(part, "name").map(str::to_owned))
                .collect(),
            record_types: children(node)
                .filter(|part| part.tag_name().name() == "recordTypeVisibilities")
                .filter(|part| flag(*part, "visible"))
                .filter_map(|part| text(part, "recordType").map(str::to_owned))
                .collect(),
        },
        "Queue" => Change::Queue {
            label: text(node, "name").unwrap_or(name).to_owned(),
            objects: children(node)
                .filter(|part| part.tag_name().name() == "queueSobject")
                .filter_map(|part| text(part, "sobjectType").map(str::to_owned))
                .collect(),
        },
        "RecordType" => record_type(name, node),
        "BusinessProcess" => business_process(name, node),
        "StandardValueSet" => values(name, node),
        "EntitlementProcess" => entitlement_process(name, node),
        "MilestoneType" => Change::MilestoneType {
            description: text(node, "description").map(str::to_owned),
            recurrence: text(node, "recurrenceType").unwrap_or("none").to_owned(),
        },
        "EntitlementSettings" => Change::Entitlements(flag(node, "enableEntitlements")),
        "BusinessHoursSettings" => business_hours(node),
        "DataCategoryGroup" => match CategoryGroup::of(name, node) {
            Ok(group) => Change::Categories(group),
            Err(problem) => Change::Wrong(problem),
        },
        _ => Change::Ignored,
    };
    // Settings go by one type, whatever their element is called.
    let kind = match kind {
        "EntitlementSettings" | "BusinessHoursSettings" => "Settings",
        other => other,
    };
    Component {
        body: kept::inner(node),
        ..component(kind, name, change)
    }
}

fn entitlement_process(name: &str, node: Node<'_, '_>) -> Change {
    let of = text(node, "SObjectType").unwrap_or("Case");
    if of != "Case" {
        return Change::Wrong(format!(
            "the local org does not imitate entitlement processes of {of}"
        ));
    }
    let items = children(node).filter(|part| part.tag_name().name() == "milestones");
    let milestones = items.map(|item| Milestone {
        name: text(item, "milestoneName").unwrap_or_default().to_owned(),
        minutes: number(item, "minutesToComplete").unwrap_or(0),
        business_hours: text(item, "businessHours").map(str::to_owned),
    });
    Change::EntitlementProcess(EntitlementProcess {
        name: name.to_owned(),
        label: text(node, "name").unwrap_or_default().to_owned(),
        description: text(node, "description").map(str::to_owned),
        active: flag(node, "active"),
        business_hours: text(node, "businessHours").map(str::to_owned),
        start_field: text(node, "entryStartDateField")
            .map_or("SlaStartDate", |field| field.trim_start_matches("Case."))
            .to_owned(),
        milestones: milestones.collect(),
    })
}

fn business_hours(node: Node<'_, '_>) -> Change {
    let named =
        |name: &'static str| children(node).filter(move |part| part.tag_name().name() == name);
    let hours = named("businessHours").map(|part| Hours {
        name: text(part, "name").unwrap_or_default().to_owned(),
        active: flag(part, "active"),
        is_default: flag(part, "default"),
        zone: text(part, "timeZoneId").map(str::to_owned),
        times: children(part)
            .filter(|time| time.tag_name().name().ends_with("Time"))
            .filter_map(|time| {
                let name = time.tag_name().name().to_owned();
                Some((name, time.text()?.trim().to_owned()))
            })
            .collect(),
    });
    let holidays = named("holidays").map(|part| {
        let name = text(part, "name").unwrap_or_default().to_owned();
        (name, text(part, "activityDate").map(str::to_owned))
    });
    Change::BusinessHours {
        hours: hours.collect(),
        holidays: holidays.collect(),
    }
}

fn record_type(full: &str, node: Node<'_, '_>) -> Change {
    let Some((object, name)) = full.split_once('.') else {
        return Change::Wrong(format!("{full}: a record type is named Object.Type"));
    };
    let process = text(node, "businessProcess").map(str::to_owned);
    if process.is_none() && matches!(object, "Case" | "Lead") {
        return Change::Wrong("Required field is missing: businessProcess".to_owned());
    }
    let values = children(node)
        .filter(|part| part.tag_name().name() == "picklistValues")
        .filter_map(|part| {
            Some((
                text(part, "picklist")?.to_owned(),
                value_names(part, "values"),
            ))
        });
    Change::RecordType(RecordType {
        label: text(node, "label").unwrap_or(name).to_owned(),
        inactive: text(node, "active") == Some("false"),
        business_process: process,
        values: values.collect(),
        ..RecordType::new(object, name)
    })
}

fn business_process(full: &str, node: Node<'_, '_>) -> Change {
    let Some((object, name)) = full.split_once('.') else {
        return Change::Wrong(format!(
            "{full}: a business process is named Object.Process"
        ));
    };
    let default = children(node)
        .filter(|part| part.tag_name().name() == "values")
        .find(|part| flag(*part, "default"))
        .and_then(|part| text(part, "fullName").map(str::to_owned));
    Change::BusinessProcess(BusinessProcess {
        object: object.to_owned(),
        name: name.to_owned(),
        values: value_names(node, "values"),
        default,
    })
}

fn component(kind: &str, name: &str, change: Change) -> Component {
    Component {
        kind: kind.to_owned(),
        name: name.to_owned(),
        file: String::new(),
        body: String::new(),
        change,
    }
}

fn object(name: &str, node: Node<'_, '_>) -> CustomObject {
    let named = child(node, "nameField");
    let numbered = named.filter(|field| text(*field, "type") == Some("AutoNumber"));
    CustomObject {
        label: text(node, "label").unwrap_or_default().to_owned(),
        plural_label: text(node, "pluralLabel").unwrap_or_default().to_owned(),
        auto_number: numbered.map(|field| text(field, "displayFormat").unwrap_or("{0}").to_owned()),
        ..CustomObject::new(name)
    }
}

fn field(full: &str, node: Node<'_, '_>) -> Change {
    let Some((object, name)) = full.split_once('.') else {
        return Change::Wrong(format!("{full}: a field is named Object.Field"));
    };
    let kind = text(node, "type").unwrap_or_default();
    let Some(field_type) = type_of(kind) else {
        return Change::Wrong(if kind.is_empty() {
            "Must specify a type for the custom field".to_owned()
        } else {
            format!("the local org does not imitate fields of the type {kind}")
        });
    };
    let missing = match field_type {
        FieldType::Text | FieldType::LongTextArea | FieldType::Html => {
            text(node, "length").is_none().then_some("length")
        }
        FieldType::Number | FieldType::Currency | FieldType::Percent => {
            let absent = |name| text(node, name).is_none().then_some(name);
            absent("precision").or_else(|| absent("scale"))
        }
        _ => None,
    };
    if let Some(missing) = missing {
        return Change::Wrong(format!(
            "Must specify '{missing}' for a CustomField of type {kind}"
        ));
    }
    // A custom field of tasks and events is one of both's common parent.
    let object = if object == "Activity" { "Task" } else { object };
    let mut field = CustomField::new(object, name, field_type);
    field.label = text(node, "label").unwrap_or_default().to_owned();
    field.length = number(node, "length");
    field.precision = number(node, "precision");
    field.scale = number(node, "scale");
    field.external_id = flag(node, "externalId");
    field.unique = flag(node, "unique");
    field.case_sensitive = flag(node, "caseSensitive");
    field.required = flag(node, "required");
    field.reference_to = text(node, "referenceTo").map(str::to_owned);
    field.relationship_name = text(node, "relationshipName").map(str::to_owned);
    if let Some(set) = child(node, "valueSet") {
        field.restricted = flag(set, "restricted");
        if let Some(definition) = child(set, "valueSetDefinition") {
            field.values = value_names(definition, "value");
        }
    } else if let Some(list) = child(node, "picklist") {
        field.restricted = flag(list, "restrictedPicklist");
        field.values = value_names(list, "picklistValues");
    }
    Change::Field(field)
}

fn value_names(definition: Node<'_, '_>, element: &str) -> Vec<String> {
    children(definition)
        .filter(|value| value.tag_name().name() == element)
        .filter(|value| text(*value, "isActive") != Some("false"))
        .filter_map(|value| text(value, "fullName").map(unescaped))
        .collect()
}

/// Metadata spells some characters of a value as in an address: `Closed %2D Done`.
fn unescaped(name: &str) -> String {
    percent_encoding::percent_decode_str(name)
        .decode_utf8()
        .map_or_else(|_| name.to_owned(), |name| name.into_owned())
}

fn type_of(name: &str) -> Option<FieldType> {
    Some(match name {
        "Text" => FieldType::Text,
        "TextArea" => FieldType::TextArea,
        "LongTextArea" => FieldType::LongTextArea,
        "Html" => FieldType::Html,
        "Number" => FieldType::Number,
        "Currency" => FieldType::Currency,
        "Percent" => FieldType::Percent,
        "Checkbox" => FieldType::Checkbox,
        "Date" => FieldType::Date,
        "DateTime" => FieldType::DateTime,
        "Picklist" => FieldType::Picklist,
        "MultiselectPicklist" => FieldType::MultiselectPicklist,
        "Email" => FieldType::Email,
        "Phone" => FieldType::Phone,
        "Url" => FieldType::Url,
        "Lookup" => FieldType::Lookup,
        "MasterDetail" => FieldType::MasterDetail,
        _ => return None,
    })
}

/// Standard picklists by the names of their sets, and the fields that have their values.
pub(super) const VALUE_SETS: [(&str, &[(&str, &str)]); 12] = [
    ("AccountType", &[("Account", "Type")]),
    ("CaseOrigin", &[("Case", "Origin")]),
    ("CasePriority", &[("Case", "Priority")]),
    ("CaseReason", &[("Case", "Reason")]),
    ("CaseStatus", &[("Case", "Status")]),
    ("CaseType", &[("Case", "Type")]),
    ("Industry", &[("Account", "Industry"), ("Lead", "Industry")]),
    (
        "LeadSource",
        &[
            ("Contact", "LeadSource"),
            ("Lead", "LeadSource"),
            ("Account", "AccountSource"),
        ],
    ),
    ("LeadStatus", &[("Lead", "Status")]),
    (
        "Salutation",
        &[("Contact", "Salutation"), ("Lead", "Salutation")],
    ),
    ("TaskPriority", &[("Task", "Priority")]),
    ("TaskStatus", &[("Task", "Status")]),
];

/// The values of a standard picklist as they are by now.
pub(super) fn value_set(schema: &Schema, name: &str) -> Option<String> {
    let (_, places) = VALUE_SETS.iter().find(|(known, _)| *known == name)?;
    let (object, field) = places.first()?;
    let field = schema.object(object)?.field(field)?;
    let rows: String = field
        .values
        .iter()
        .map(|known| {
            let closed = if name.ends_with("Status") {
                format!("<closed>{}</closed>", known.closed)
            } else {
                String::new()
            };
            format!(
                "<standardValue><fullName>{}</fullName><default>{}</default><label>{}</label>{closed}</standardValue>",
                escaped(&known.value),
                field.default.as_ref() == Some(&known.value),
                escaped(&known.label)
            )
        })
        .collect();
    Some(format!("<sorted>false</sorted>{rows}"))
}

fn values(name: &str, node: Node<'_, '_>) -> Change {
    let Some((_, places)) = VALUE_SETS.iter().find(|(known, _)| *known == name) else {
        return Change::Ignored;
    };
    let values = children(node)
        .filter(|value| value.tag_name().name() == "standardValue")
        .filter(|value| text(*value, "isActive") != Some("false"))
        .filter_map(|value| Some((text(value, "fullName")?.to_owned(), flag(value, "closed"))))
        .collect();
    Change::Values {
        places: places.to_vec(),
        values,
    }
}

/// What `package.xml` or `destructiveChanges.xml` lists: types with their members.
pub(super) fn members(content: &str) -> Result<Vec<(String, String)>, String> {
    let document = roxmltree::Document::parse(content).map_err(|e| format!("package.xml: {e}"))?;
    let mut found = Vec::new();
    for types in children(document.root_element()).filter(|part| part.tag_name().name() == "types")
    {
        let kind = text(types, "name").unwrap_or_default();
        found.extend(texts(types, "members").map(|member| (kind.to_owned(), member.to_owned())));
    }
    Ok(found)
}
