//! Items of answers that are not as they should be, by faults with these names: `null:<JSON pointer>`,
//! `set:<JSON pointer>=<text>`, and `drop`, which leaves an item out.

use serde_json::Value;

use crate::fault::{Action, Faults};

/// Changes the items of an answer: those of a list below `data`, the one that stands there, or the answer itself. `key` says
/// how rules name an item.
pub(crate) fn tamper(faults: &Faults, body: &mut Value, key: impl Fn(&Value) -> String) {
    let names: Vec<String> = faults
        .rules()
        .into_iter()
        .filter_map(|rule| match rule.action {
            Action::Named { name } if is_ours(&name) => Some(name),
            _ => None,
        })
        .collect();
    if names.is_empty() {
        return;
    }
    let below = body
        .get("data")
        .is_some_and(|data| data.is_array() || data.is_object());
    let items = match if below { &mut body["data"] } else { body } {
        Value::Array(items) => {
            items.retain(|item| !faults.take("drop", &key(item)));
            items.iter_mut().collect()
        }
        item => vec![item],
    };
    for item in items {
        let key = key(item);
        for name in &names {
            let (pointer, value) = change(name);
            if let Some(place) = item.pointer_mut(pointer)
                && faults.take(name, &key)
            {
                *place = value;
            }
        }
    }
}

fn is_ours(name: &str) -> bool {
    name == "drop" || name.starts_with("null:") || name.starts_with("set:")
}

/// Where something is put, and what.
fn change(name: &str) -> (&str, Value) {
    let set = name.strip_prefix("set:");
    match set.and_then(|rest| rest.split_once('=')) {
        Some((pointer, text)) => (pointer, Value::from(text)),
        None => (name.trim_start_matches("null:"), Value::Null),
    }
}
