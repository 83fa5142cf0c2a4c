//! Into which case another was merged (Kayako reference, sections 7 and 8).
//!
//! No field of a case says so. The activity with the verb `MERGE` names both cases; which of its members names which is not
//! documented, so all of them are looked at. The oldest case is the one that goes on, and numbers grow with time.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use crate::wire::{self, Raw, lenient};

#[derive(Debug, Default, Deserialize)]
struct Activity {
    #[serde(default, deserialize_with = "lenient::text")]
    verb: String,
    #[serde(default, deserialize_with = "lenient::text")]
    activity: String,
}

impl Activity {
    fn is_merge(&self) -> bool {
        self.verb.eq_ignore_ascii_case("merge") || self.activity.eq_ignore_ascii_case("merge_case")
    }
}

/// The case that took over the posts of this one, as far as its history names it.
pub(crate) fn merged_into(case: u64, activities: &[Raw]) -> Option<u64> {
    let mut named = BTreeSet::new();
    for raw in activities {
        let is_merge = wire::decode::<Activity>(raw).is_ok_and(|activity| activity.is_merge());
        if let (true, Ok(value)) = (is_merge, serde_json::from_str(raw.get())) {
            collect(&value, &mut named);
        }
    }
    named.remove(&case);
    match named.first() {
        Some(only) if named.len() == 1 => Some(*only),
        // Others were merged into it before: they are younger than it.
        Some(oldest) if *oldest < case => Some(*oldest),
        _ => None,
    }
}

/// Every case that a value names: by a reference, or by an address.
fn collect(value: &Value, named: &mut BTreeSet<u64>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, named)),
        Value::Object(members) => {
            if members.get("resource_type").and_then(Value::as_str) == Some("case") {
                named.extend(members.get("id").and_then(number));
            }
            members.values().for_each(|member| collect(member, named));
        }
        Value::String(text) => in_addresses(text, named),
        _ => {}
    }
}

fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// `…/cases/12` and `…/conversations/12`.
fn in_addresses(text: &str, named: &mut BTreeSet<u64>) {
    for path in ["/cases/", "/conversations/"] {
        for (start, _) in text.match_indices(path) {
            let rest = &text[start + path.len()..];
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            named.extend(rest[..digits].parse::<u64>().ok());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use serde_json::value::RawValue;

    fn into(case: u64, activities: &[Value]) -> Option<u64> {
        let raw = |value: &Value| RawValue::from_string(value.to_string()).unwrap();
        let activities: Vec<Raw> = activities.iter().map(raw).collect();
        merged_into(case, &activities)
    }

    fn case(id: u64) -> Value {
        json!({"name": "conversation", "original": {"id": id, "resource_type": "case"}})
    }

    #[test]
    fn the_other_case_of_a_merge_is_the_one_that_goes_on_whichever_member_names_it() {
        let merge = |member: &str, other: &str| json!({"id": 1, "verb": "MERGE", member: case(9), other: case(4)});
        for (activities, expected) in [
            (vec![merge("object", "target")], Some(4)),
            (vec![merge("target", "result")], Some(4)),
            (
                vec![
                    json!({"verb": "merge", "summary": "<@https://a.example/agent/conversations/4|#4> took over"}),
                ],
                Some(4),
            ),
            (
                vec![
                    json!({"activity": "merge_case", "object": {"url": "https://a.example/api/v1/cases/4"}}),
                ],
                Some(4),
            ),
            (
                vec![json!({"verb": "MERGE", "object": {"id": "4", "resource_type": "case"}})],
                Some(4),
            ),
            // Imported cases may be younger than their number says.
            (
                vec![json!({"verb": "MERGE", "object": case(9), "target": case(12)})],
                Some(12),
            ),
            // A case that took over another one and was merged itself.
            (
                vec![
                    json!({"verb": "MERGE", "object": case(12), "target": case(9)}),
                    merge("object", "target"),
                ],
                Some(4),
            ),
            (
                vec![json!({"verb": "UPDATE", "object": case(9), "target": case(4)})],
                None,
            ),
            (
                vec![
                    json!({"verb": "MERGE", "object": case(9), "actor": {"original": {"id": 3, "resource_type": "user"}}}),
                ],
                None,
            ),
            (
                vec![json!({"verb": "MERGE", "object": case(12), "target": case(13)})],
                None,
            ),
            (
                vec![json!({"verb": null, "summary": null}), json!([])],
                None,
            ),
            (vec![], None),
        ] {
            assert_eq!(into(9, &activities), expected, "{activities:?}");
        }
    }
}
