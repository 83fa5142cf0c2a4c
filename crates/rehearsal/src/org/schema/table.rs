//! Reads the table of built-in objects.
//!
//! The table is a part of the program and read whole by every org that starts, in the tests first of all: a wrong
//! line panics there and never reaches a user.

use std::collections::HashMap;

use super::{Field, Kind, Object, PickValue};

const TABLE: &str = include_str!("objects.txt");
const AUDIT: [&str; 4] = [
    "CreatedDate",
    "CreatedById",
    "LastModifiedDate",
    "LastModifiedById",
];

/// What else can be set on insert where the org allows it (Salesforce object reference, section 1.2).
const AT_INSERT: [(&str, &str); 4] = [
    ("Case", "ClosedDate"),
    ("Lead", "ConvertedAccountId"),
    ("Lead", "ConvertedContactId"),
    ("Lead", "ConvertedDate"),
];

/// The built-in objects. With `audit`, the audit fields and their like can be set on insert.
pub(super) fn builtin(audit: bool) -> Vec<Object> {
    objects(TABLE, audit)
}

/// The objects of a table.
pub(in crate::org) fn objects(table: &str, audit: bool) -> Vec<Object> {
    let mut objects: Vec<Object> = Vec::new();
    for line in table
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        match line.strip_prefix("= ") {
            Some(head) => objects.push(object(head, audit)),
            None => {
                let object = objects.last_mut().expect("the table starts with an object");
                let mut field = field(line);
                field.createable |= audit && AT_INSERT.contains(&(&*object.name, &*field.name));
                object.add(field).expect("the table names a field once");
            }
        }
    }
    objects
}

pub(super) fn object(head: &str, audit: bool) -> Object {
    let parts: Vec<&str> = head.split('|').map(str::trim).collect();
    let [name, prefix, label, plural, operations, classes] = parts[..] else {
        panic!("object line: {head}")
    };
    let classes: Vec<&str> = classes.split(' ').collect();
    let mut object = Object {
        name: name.to_owned(),
        label: label.to_owned(),
        plural: plural.to_owned(),
        prefix: prefix.to_owned(),
        createable: operations.contains('C'),
        updateable: operations.contains('U'),
        deletable: operations.contains('D'),
        queryable: operations.contains(['Q', 'T']),
        tooling: operations.contains('T'),
        setup: classes.contains(&"setup"),
        takes_custom_fields: !classes.contains(&"fixed"),
        custom: false,
        absent: false,
        rules: Vec::new(),
        fields: Vec::new(),
        view_of: None,
        by_name: HashMap::new(),
    };
    for line in system_fields(&object.label, &classes) {
        let mut field = field(&line);
        field.createable =
            audit && classes.contains(&"audit") && AUDIT.contains(&field.name.as_str());
        object
            .add(field)
            .expect("system fields have different names");
    }
    object
}

fn system_fields(label: &str, classes: &[&str]) -> Vec<String> {
    let stamp = [
        "IsDeleted | boolean | dp | label=Deleted",
        "SystemModstamp | datetime | dp | label=System Modstamp",
    ];
    let created = [
        "CreatedDate | datetime | dp",
        "CreatedById | reference 18 | dp | label=Created By ID | to=User | rel=CreatedBy",
    ];
    let modified = [
        "LastModifiedDate | datetime | dp",
        "LastModifiedById | reference 18 | dp | label=Last Modified By ID | to=User | rel=LastModifiedBy",
    ];
    let mut lines = vec![format!("Id | id 18 | dip | label={label} ID")];
    lines.extend(stamp.map(str::to_owned));
    if !classes.contains(&"stamp") {
        lines.extend(created.map(str::to_owned));
    }
    if classes.contains(&"full") {
        lines.extend(modified.map(str::to_owned));
    }
    lines
}

pub(super) fn field(line: &str) -> Field {
    let mut parts = line.split('|').map(str::trim);
    let (Some(name), Some(size), Some(flags)) = (parts.next(), parts.next(), parts.next()) else {
        panic!("field line: {line}")
    };
    let (kind, size) = size.split_once(' ').unwrap_or((size, ""));
    let mut field = Field {
        name: name.to_owned(),
        label: spoken(name),
        kind: kind_of(kind),
        length: 0,
        byte_limit: None,
        precision: 0,
        scale: 0,
        digits: 0,
        createable: flags.contains('C'),
        updateable: flags.contains('U'),
        defaulted: flags.contains('d'),
        nillable: flags.contains('n'),
        id_lookup: flags.contains('i'),
        external_id: false,
        unique: flags.contains('q'),
        case_sensitive: false,
        filterable: !flags.contains('f'),
        sortable: !flags.contains('s'),
        permissionable: !flags.contains('p'),
        restricted: flags.contains('R'),
        name_field: flags.contains('N'),
        custom: false,
        hidden: false,
        auto_number: None,
        cascade: false,
        child_relationship: None,
        compound: None,
        reference_to: Vec::new(),
        relationship: None,
        default: None,
        values: Vec::new(),
    };
    match size.split_once('.') {
        Some((precision, scale)) => {
            (field.precision, field.scale) = (number(precision), number(scale))
        }
        None if field.kind == Kind::Int => field.digits = number(size),
        None if !size.is_empty() => field.length = number(size) as usize,
        None => {}
    }
    for extra in parts {
        let (key, value) = extra.split_once('=').expect("extras are name=value");
        match key {
            "label" => field.label = value.to_owned(),
            "to" => field.reference_to = value.split(',').map(str::to_owned).collect(),
            "rel" => field.relationship = Some(value.to_owned()),
            "in" => field.compound = Some(value.to_owned()),
            "children" => field.child_relationship = Some(value.to_owned()),
            "default" => field.default = Some(value.to_owned()),
            "bytes" => field.byte_limit = Some(number(value) as usize),
            "values" => field.values.extend(value.split(';').map(pick_value)),
            "closed" => close(&mut field, value),
            _ => panic!("unknown extra {key} of {name}"),
        }
    }
    field
}

fn pick_value(text: &str) -> PickValue {
    let (value, label) = text.split_once(':').unwrap_or((text, text));
    PickValue {
        value: value.to_owned(),
        label: label.to_owned(),
        closed: false,
    }
}

/// Marks a status as closed; `closed=` stands behind `values=`.
fn close(field: &mut Field, value: &str) {
    match field.values.iter_mut().find(|known| known.value == value) {
        Some(known) => known.closed = true,
        None => panic!("closed= must follow values= in {}", field.name),
    }
}

fn number(text: &str) -> u32 {
    text.parse().expect("sizes are numbers")
}

fn kind_of(word: &str) -> Kind {
    match word {
        "id" => Kind::Id,
        "string" => Kind::String,
        "textarea" => Kind::TextArea,
        "email" => Kind::Email,
        "phone" => Kind::Phone,
        "url" => Kind::Url,
        "picklist" => Kind::Picklist,
        "combobox" => Kind::Combobox,
        "boolean" => Kind::Boolean,
        "int" => Kind::Int,
        "double" => Kind::Double,
        "currency" => Kind::Currency,
        "date" => Kind::Date,
        "datetime" => Kind::DateTime,
        "time" => Kind::Time,
        "reference" => Kind::Reference,
        "address" => Kind::Address,
        "base64" => Kind::Base64,
        "junction" => Kind::Junction,
        _ => panic!("unknown type {word}"),
    }
}

/// `LastName` → `Last Name`.
fn spoken(name: &str) -> String {
    let mut label = String::new();
    let mut before_was_lower = false;
    for c in name.chars() {
        if c.is_uppercase() && before_was_lower {
            label.push(' ');
        }
        before_was_lower = !c.is_uppercase();
        label.push(c);
    }
    label
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_object_of_the_table_is_whole() {
        let objects = builtin(false);
        assert!(objects.len() > 20);
        for object in &objects {
            assert_eq!(object.prefix.len(), 3, "{}", object.name);
            for field in &object.fields {
                let place = format!("{}.{}", object.name, field.name);
                assert_eq!(
                    field.kind == Kind::Reference,
                    field.relationship.is_some(),
                    "{place}"
                );
                for to in &field.reference_to {
                    assert!(
                        objects.iter().any(|o| o.name == *to),
                        "{place} points at {to}"
                    );
                }
                if let Some(default) = &field.default {
                    assert!(
                        field.pick(default).is_some(),
                        "{place} defaults to a value it does not have"
                    );
                }
            }
        }
    }

    #[test]
    fn audit_fields_are_writable_only_where_the_org_allows_it() {
        let createable = |audit: bool, object: &str, field: &str| {
            let objects = builtin(audit);
            let object = objects.iter().find(|o| o.name == object).unwrap();
            object.field(field).unwrap().createable
        };
        assert!(
            !createable(false, "Case", "CreatedDate") && createable(true, "Case", "CreatedDate")
        );
        assert!(!createable(false, "Case", "ClosedDate") && createable(true, "Case", "ClosedDate"));
        assert!(
            !createable(true, "User", "CreatedDate") && !createable(true, "Case", "SystemModstamp")
        );
    }
}
