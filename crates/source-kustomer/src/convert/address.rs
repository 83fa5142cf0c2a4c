//! Addresses of mails in the ways they come: an object, a text with or without a name, a list of either.

use deskferry_core::model::EmailAddress;
use serde_json::Value;

use crate::wire::text_of;

/// The addresses of `to`, `cc` or `bcc`.
pub(super) fn addresses(value: Option<&Value>) -> Vec<EmailAddress> {
    match value {
        Some(Value::Array(all)) => all.iter().filter_map(one).collect(),
        Some(single) => one(single).into_iter().collect(),
        None => Vec::new(),
    }
}

/// A single address.
pub(super) fn one(value: &Value) -> Option<EmailAddress> {
    match value {
        Value::String(text) => parsed(text),
        Value::Object(object) => Some(EmailAddress {
            address: text_of(object.get("email")?)?.trim().to_owned(),
            name: object
                .get("name")
                .and_then(text_of)
                .unwrap_or_default()
                .to_owned(),
        }),
        _ => None,
    }
}

/// `Name <address>`, `"Name, with \"marks\"" <address>`, or the address alone.
fn parsed(text: &str) -> Option<EmailAddress> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    let (name, address) = match text.strip_suffix('>').and_then(|t| t.rsplit_once('<')) {
        Some((name, address)) => (unquoted(name.trim()), address.trim()),
        None => (String::new(), text),
    };
    Some(EmailAddress {
        address: address.to_owned(),
        name,
    })
}

fn unquoted(name: &str) -> String {
    let inside = name
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    let Some(inside) = inside else {
        return name.to_owned();
    };
    let mut out = String::with_capacity(inside.len());
    let mut letters = inside.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => out.extend(letters.next()),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn addresses_come_as_lists_objects_and_texts() {
        let cases = [
            (json!("ann@example.org"), vec![("", "ann@example.org")]),
            (
                json!("Ann Bo <ann@example.org>"),
                vec![("Ann Bo", "ann@example.org")],
            ),
            (
                json!("\"Bo, \\\"Ann\\\"\" <ann@example.org>"),
                vec![("Bo, \"Ann\"", "ann@example.org")],
            ),
            (
                json!({"email": "a@x.example", "name": "A"}),
                vec![("A", "a@x.example")],
            ),
            (
                json!([{"email": "a@x.example"}, "b@x.example", null, {"name": "none"}]),
                vec![("", "a@x.example"), ("", "b@x.example")],
            ),
            (json!(null), vec![]),
            (json!(" "), vec![]),
        ];
        for (value, wanted) in cases {
            let found = addresses(Some(&value));
            let found: Vec<(&str, &str)> = found
                .iter()
                .map(|one| (one.name.as_str(), one.address.as_str()))
                .collect();
            assert_eq!(found, wanted, "{value}");
        }
    }
}
