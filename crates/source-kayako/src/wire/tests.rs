//! The reference's examples, with invented values, and what is left of them when somebody damages them.

use proptest::prelude::*;
use serde_json::Value;
use serde_json::value::RawValue;

use super::*;

pub(crate) const CASES: &str = include_str!("fixtures/cases.json");
pub(crate) const POSTS: &str = include_str!("fixtures/posts.json");
pub(crate) const USERS: &str = include_str!("fixtures/users.json");
pub(crate) const ORGANIZATIONS: &str = include_str!("fixtures/organizations.json");
pub(crate) const FIELDS: &str = include_str!("fixtures/fields.json");

/// The rows of a fixture.
pub(crate) fn rows(envelope: &str) -> Vec<Raw> {
    serde_json::from_str::<Collection>(envelope).unwrap().data
}

fn raw(json: &str) -> Raw {
    RawValue::from_string(json.to_owned()).unwrap()
}

#[test]
fn the_examples_of_the_reference_are_read() {
    assert_eq!(
        rows(CASES)
            .iter()
            .map(|row| decode::<Case>(row).unwrap().id)
            .collect::<Vec<_>>(),
        [4711, 4712]
    );
    assert!(rows(POSTS).iter().all(|row| decode::<Post>(row).is_ok()));
    assert!(rows(USERS).iter().all(|row| decode::<User>(row).is_ok()));
    assert!(
        rows(ORGANIZATIONS)
            .iter()
            .all(|row| decode::<Organization>(row).is_ok())
    );
    assert!(rows(FIELDS).iter().all(|row| decode::<Field>(row).is_ok()));
    let envelope: Collection = serde_json::from_str(CASES).unwrap();
    assert_eq!(
        (
            envelope.total_count,
            envelope.limit,
            envelope.session_id.is_some()
        ),
        (Some(2), Some(100), true)
    );
}

#[test]
fn a_bad_row_names_the_place_and_the_reason() {
    let cases = [
        (r#"{"id":null}"#, "id", "not an id"),
        (r#"{"subject":"x"}"#, ".", "missing field `id`"),
        (
            r#"{"id":7,"created_at":"soon"}"#,
            "created_at",
            "not a time",
        ),
        (
            r#"{"id":7,"status":{"id":3,"label":{"a":1}}}"#,
            "status.label",
            "a text, a number or a flag",
        ),
        (
            r#"{"id":7,"tags":[{"name":"a"},{"name":[1]}]}"#,
            "tags[1].name",
            "a list where a single value belongs",
        ),
        ("[]", ".", "struct Case"),
    ];
    for (json, path, reason) in cases {
        let defect = decode::<Case>(&raw(json)).unwrap_err();
        assert_eq!(defect.path, path, "{json}: {}", defect.reason);
        assert!(defect.reason.contains(reason), "{json}: {}", defect.reason);
        assert!(!defect.reason.contains("line"), "{}", defect.reason);
    }
}

#[test]
fn null_is_taken_for_every_field_but_the_id() {
    for (fixture, kind) in [
        (CASES, "case"),
        (POSTS, "post"),
        (USERS, "user"),
        (ORGANIZATIONS, "organization"),
        (FIELDS, "field"),
    ] {
        for row in rows(fixture) {
            let whole: Value = serde_json::from_str(row.get()).unwrap();
            for pointer in pointers(&whole) {
                let mut damaged = whole.clone();
                *damaged.pointer_mut(&pointer).unwrap() = Value::Null;
                let result = read_as(kind, &damaged.to_string());
                let of_an_option = kind == "field"
                    && pointer.starts_with("/options/")
                    && pointer.matches('/').count() == 3;
                let names_a_row = pointer == "/id"
                    || pointer.ends_with("/original_post/id")
                    || (of_an_option && pointer.ends_with("/id"));
                let in_a_list = pointer
                    .rsplit('/')
                    .next()
                    .is_some_and(|last| last.parse::<usize>().is_ok());
                if !names_a_row && !in_a_list {
                    assert!(result.is_ok(), "{kind} {pointer}: {result:?}");
                } else if names_a_row {
                    assert!(result.is_err(), "{kind} {pointer}");
                }
            }
        }
    }
}

fn read_as(kind: &str, json: &str) -> Result<(), Defect> {
    let row = raw(json);
    match kind {
        "case" => decode::<Case>(&row).map(drop),
        "post" => decode::<Post>(&row).map(drop),
        "user" => decode::<User>(&row).map(drop),
        "organization" => decode::<Organization>(&row).map(drop),
        _ => decode::<Field>(&row).map(drop),
    }
}

/// Every place in a value but its root.
pub(crate) fn pointers(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut todo = vec![(String::new(), value)];
    while let Some((at, value)) = todo.pop() {
        let children: Vec<(String, &Value)> = match value {
            Value::Object(object) => object
                .iter()
                .map(|(name, child)| (format!("{at}/{name}"), child))
                .collect(),
            Value::Array(list) => list
                .iter()
                .enumerate()
                .map(|(n, child)| (format!("{at}/{n}"), child))
                .collect(),
            _ => Vec::new(),
        };
        found.extend(children.iter().map(|(pointer, _)| pointer.clone()));
        todo.extend(children);
    }
    found.sort();
    found
}

/// Something else in place of a value.
pub(crate) fn intruder() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(serde_json::json!([])),
        Just(serde_json::json!({})),
        Just(serde_json::json!({"id": 1, "0": {"id": "x"}})),
        Just(serde_json::json!([[1], {"a": null}])),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
    ]
}

proptest! {
    #[test]
    fn a_damaged_row_is_read_or_refused_and_never_panics(
        which in 0_usize..5, row in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), with in intruder(),
    ) {
        let (fixture, kind) = [(CASES, "case"), (POSTS, "post"), (USERS, "user"), (ORGANIZATIONS, "organization"), (FIELDS, "field")][which];
        let rows = rows(fixture);
        let mut value: Value = serde_json::from_str(rows[row.index(rows.len())].get()).unwrap();
        let places = pointers(&value);
        *value.pointer_mut(&places[at.index(places.len())]).unwrap() = with;
        if let Err(defect) = read_as(kind, &value.to_string()) {
            prop_assert!(!defect.path.is_empty() && !defect.reason.is_empty());
        }
    }
}
