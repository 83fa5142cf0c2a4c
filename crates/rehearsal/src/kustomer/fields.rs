//! Custom attributes: names with suffixes, their definitions, their values (Kustomer reference, section 3.9).

use serde_json::{Map, Value, json};

use crate::world::{CustomValue, FieldDefinition, FieldKind, FieldOwner, FieldValue, World};

/// The name of the attribute that a custom field of the world becomes: `product_area` as `productAreaStr`.
pub(crate) fn attribute(field: &FieldDefinition) -> String {
    let mut name = String::new();
    for (n, word) in field.key.split('_').enumerate() {
        let mut letters = word.chars();
        match letters.next() {
            Some(first) if n > 0 => {
                name.extend(first.to_uppercase());
                name.push_str(letters.as_str());
            }
            _ => name.push_str(word),
        }
    }
    name + match field.kind {
        FieldKind::Text | FieldKind::Select | FieldKind::Checkbox => "Str",
        FieldKind::TextArea => "Txt",
        FieldKind::Numeric | FieldKind::Decimal => "Num",
        FieldKind::YesNo => "Bool",
        FieldKind::CascadingSelect => "Tree",
        FieldKind::Date => "At",
    }
}

/// The values of an object.
pub(super) fn values(world: &World, values: &[CustomValue]) -> Map<String, Value> {
    values
        .iter()
        .map(|value| {
            let field = world.field(value.field);
            let name = field.map_or_else(|| format!("field{}Str", value.field), attribute);
            (name, self::value(field, &value.value))
        })
        .collect()
}

fn value(field: Option<&FieldDefinition>, value: &FieldValue) -> Value {
    let label = |id: &u64| {
        let options = field.into_iter().flat_map(|field| &field.options);
        let mut found = options.filter(|option| option.id == *id);
        found
            .next()
            .map_or_else(|| id.to_string(), |option| option.label.clone())
    };
    match value {
        FieldValue::Text(text) => json!(text),
        FieldValue::Number(number) => serde_json::from_str(number).unwrap_or(Value::Null),
        FieldValue::Flag(flag) => json!(flag),
        FieldValue::Day(day) => json!(format!("{day}T00:00:00.000Z")),
        FieldValue::Choice(id)
            if field.is_some_and(|field| field.kind == FieldKind::CascadingSelect) =>
        {
            json!(
                label(id)
                    .split("::")
                    .map(node)
                    .collect::<Vec<_>>()
                    .join(".")
            )
        }
        FieldValue::Choice(id) => json!(label(id)),
        FieldValue::Choices(ids) => ids.iter().map(|id| json!(label(id))).collect(),
    }
}

/// The id of a node of a tree.
fn node(label: &str) -> String {
    label.to_lowercase().replace(' ', "-")
}

/// The definitions of a kind of object.
pub(super) fn properties(world: &World, owner: FieldOwner) -> Value {
    let fields = world.lists().fields.iter();
    let all: Map<String, Value> = fields
        .filter(|field| field.owner == owner)
        .map(|field| (attribute(field), property(field)))
        .collect();
    Value::Object(all)
}

fn property(field: &FieldDefinition) -> Value {
    let kind = match field.kind {
        FieldKind::Numeric | FieldKind::Decimal => "number",
        FieldKind::YesNo => "boolean",
        _ => "string",
    };
    let mut property =
        json!({"type": kind, "displayName": field.title, "modifiedAt": "2020-01-01T00:00:00.000Z"});
    let labels: Vec<&str> = field
        .options
        .iter()
        .map(|option| option.label.as_str())
        .collect();
    match field.kind {
        FieldKind::Select => property["enumeration"] = json!(labels),
        FieldKind::Checkbox => {
            property["enumeration"] = json!(labels);
            property["array"] = true.into();
        }
        FieldKind::CascadingSelect => {
            let paths: Vec<Vec<&str>> = labels.iter().map(|l| l.split("::").collect()).collect();
            property["tree"] = json!({"children": children(&paths)});
        }
        _ => {}
    }
    property
}

fn children(paths: &[Vec<&str>]) -> Vec<Value> {
    let mut heads: Vec<&str> = Vec::new();
    for path in paths {
        if let Some(head) = path.first()
            && !heads.contains(head)
        {
            heads.push(head);
        }
    }
    heads
        .into_iter()
        .map(|head| {
            let below: Vec<Vec<&str>> = paths
                .iter()
                .filter(|path| path.first() == Some(&head) && path.len() > 1)
                .map(|path| path[1..].to_vec())
                .collect();
            json!({"id": node(head), "displayName": head, "children": children(&below)})
        })
        .collect()
}
