//! Custom attributes: definitions, and values decoded by them (Kustomer reference, section 3.9).

use std::collections::HashMap;

use deskferry_core::model::{CustomValue, CustomValues, FieldDefinition, FieldType, Meta};
use deskferry_core::{RecordKind, Tenant};
use serde_json::{Map, Value};

use crate::wire::{Row, is_nothing, parse_time, text_of};

/// The kinds of things whose attributes are asked for.
pub(crate) const RESOURCES: [(&str, RecordKind); 4] = [
    ("customer", RecordKind::Contact),
    ("company", RecordKind::Account),
    ("conversation", RecordKind::Conversation),
    ("message", RecordKind::Message),
];

/// What is needed to decode custom values.
#[derive(Debug, Default)]
pub(crate) struct Definitions {
    known: HashMap<String, HashMap<String, Property>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Property {
    holds: FieldType,
    /// Labels of a tree by the path of node ids that stands in values.
    labels: HashMap<String, String>,
}

impl Definitions {
    /// Takes note of the attributes of a kind of thing.
    pub(crate) fn learn(&mut self, resource: &str, row: &Row) {
        let known = self.known.entry(resource.to_owned()).or_default();
        for (name, property) in properties(row) {
            let mut labels = HashMap::new();
            let nodes = property.pointer("/tree/children");
            paths(nodes, "", "", &mut |path, label| {
                labels.insert(path.to_owned(), label.to_owned());
            });
            let holds = holds(name, property);
            known.insert(name.to_owned(), Property { holds, labels });
        }
    }

    /// The values of a row by the names of their attributes. The suffix of a name says what it holds, even where its
    /// definition is gone.
    pub(crate) fn values(&self, resource: &str, values: &Map<String, Value>) -> CustomValues {
        let known = self.known.get(resource);
        values
            .iter()
            .filter(|(_, value)| !is_nothing(value))
            .filter(|(_, value)| value.as_str() != Some(""))
            .map(|(name, value)| {
                let property = known.and_then(|known| known.get(name));
                let holds = property.map_or_else(|| by_suffix(name), |property| property.holds);
                let labels = property.map(|property| &property.labels);
                (name.clone(), decoded(holds, labels, value))
            })
            .collect()
    }
}

fn decoded(
    holds: FieldType,
    labels: Option<&HashMap<String, String>>,
    value: &Value,
) -> CustomValue {
    let label = |text: &str| {
        let label = labels.and_then(|labels| labels.get(text));
        label.map_or(text, String::as_str).to_owned()
    };
    match (holds, value) {
        (_, Value::Number(number)) => CustomValue::Number(number.to_string()),
        (_, Value::Bool(flag)) => CustomValue::Bool(*flag),
        (FieldType::DateTime, Value::String(text)) => match parse_time(text) {
            Some(at) => CustomValue::DateTime(at),
            None => CustomValue::Text(text.clone()),
        },
        (FieldType::Number, Value::String(text)) if is_decimal(text.trim()) => {
            CustomValue::Number(text.trim().to_owned())
        }
        (FieldType::Choice | FieldType::Choices, Value::String(text)) => {
            CustomValue::Choice(label(text))
        }
        (_, Value::Array(all)) if all.iter().all(Value::is_string) => {
            CustomValue::Choices(all.iter().filter_map(Value::as_str).map(label).collect())
        }
        (_, Value::String(text)) => CustomValue::Text(text.clone()),
        (_, other) => CustomValue::Json(other.clone()),
    }
}

fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, rest) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    all_digits(whole) && all_digits(rest)
}

fn properties(row: &Row) -> impl Iterator<Item = (&str, &Value)> {
    let all = row.value("properties").and_then(Value::as_object);
    all.into_iter()
        .flatten()
        .map(|(name, property)| (name.as_str(), property))
}

fn holds(name: &str, property: &Value) -> FieldType {
    let list = ["array", "multi"]
        .iter()
        .any(|member| property.get(*member).and_then(Value::as_bool) == Some(true));
    let tree = property.get("tree").is_some_and(|tree| !is_nothing(tree));
    // Some answers have a flag where the list belongs.
    let chosen = property
        .get("enumeration")
        .is_some_and(|all| all.as_array().is_some_and(|all| !all.is_empty()));
    match by_suffix(name) {
        _ if tree => FieldType::Choice,
        _ if list => FieldType::Choices,
        _ if chosen => FieldType::Choice,
        FieldType::Other => match property.get("type").and_then(Value::as_str) {
            Some("number" | "integer") => FieldType::Number,
            Some("boolean") => FieldType::Bool,
            Some("string") => FieldType::Text,
            _ => FieldType::Other,
        },
        suffix => suffix,
    }
}

fn by_suffix(name: &str) -> FieldType {
    let suffixes = [
        ("Str", FieldType::Text),
        ("Txt", FieldType::LongText),
        ("Num", FieldType::Number),
        ("At", FieldType::DateTime),
        ("Bool", FieldType::Bool),
        ("Url", FieldType::Text),
        ("Id", FieldType::Text),
        ("Tree", FieldType::Choice),
    ];
    let found = suffixes.iter().find(|(suffix, _)| name.ends_with(suffix));
    found.map_or(FieldType::Other, |(_, holds)| *holds)
}

/// Each node of a tree: its path of ids joined with `.`, and of labels joined with ` > `.
fn paths(children: Option<&Value>, ids: &str, labels: &str, found: &mut dyn FnMut(&str, &str)) {
    for node in children.and_then(Value::as_array).into_iter().flatten() {
        let Some(id) = node.get("id").and_then(text_of) else {
            continue;
        };
        let label = node.get("displayName").and_then(text_of).unwrap_or(id);
        let (ids, labels) = match ids.is_empty() {
            true => (id.to_owned(), label.to_owned()),
            false => (format!("{ids}.{id}"), format!("{labels} > {label}")),
        };
        found(&ids, &labels);
        paths(node.get("children"), &ids, &labels, found);
    }
}

/// The attributes of a kind of thing as records.
pub(crate) fn definitions(
    tenant: &Tenant,
    resource: &str,
    of: RecordKind,
    row: &Row,
) -> Vec<FieldDefinition> {
    properties(row)
        .map(|(name, property)| {
            let key = tenant.key(RecordKind::FieldDefinition, format!("{resource}-{name}"));
            let mut meta = Meta::new(key);
            let time = |member: &str| {
                let text = property.get(member).and_then(Value::as_str);
                text.and_then(parse_time)
            };
            meta.updated_at = time("modifiedAt").or_else(|| time("updatedAt"));
            let text = |member: &str| property.get(member).and_then(text_of);
            if let Some(target) = text("target") {
                meta.custom
                    .insert("target".to_owned(), CustomValue::Text(target.to_owned()));
            }
            if let Some(sensitive) = property.get("sensitive").filter(|value| !is_nothing(value)) {
                meta.custom
                    .insert("sensitive".to_owned(), CustomValue::Json(sensitive.clone()));
            }
            let mut options: Vec<String> = property
                .get("enumeration")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(text_of)
                .map(str::to_owned)
                .collect();
            paths(
                property.pointer("/tree/children"),
                "",
                "",
                &mut |_, label| {
                    options.push(label.to_owned());
                },
            );
            FieldDefinition {
                meta,
                of,
                object: None,
                field: name.to_owned(),
                title: text("displayName").unwrap_or(name).to_owned(),
                holds: holds(name, property),
                raw_type: text("type").unwrap_or_default().to_owned(),
                options,
                active: property.get("deletedAt").is_none_or(is_nothing),
            }
        })
        .collect()
}
