//! Which values of a picklist go with which of another field (Salesforce APIs, section 4).

use serde_json::Value;

/// The values that may be written.
pub(super) fn active(field: &Value) -> impl Iterator<Item = &str> {
    let values = field["picklistValues"].as_array().into_iter().flatten();
    values
        .filter(|value| value["active"] == true)
        .filter_map(|value| value["value"].as_str())
}

/// The active values of a dependent field that go with no active value of the one that controls it.
pub(super) fn never_valid<'f>(dependent: &'f Value, controller: &Value) -> Vec<&'f str> {
    let controls = controlling(controller);
    let values = dependent["picklistValues"].as_array().into_iter().flatten();
    values
        .filter(|value| value["active"] == true)
        .filter(|value| {
            let places = places(value["validFor"].as_str().unwrap_or(""));
            !places
                .iter()
                .any(|place| controls.get(*place).copied().unwrap_or(false))
        })
        .filter_map(|value| value["value"].as_str())
        .collect()
}

/// Whether each place of the controlling field's list is a value that rows can have. A checkbox has two: no and yes.
fn controlling(field: &Value) -> Vec<bool> {
    if field["type"] == "boolean" {
        return vec![true, true];
    }
    let values = field["picklistValues"].as_array().into_iter().flatten();
    values.map(|value| value["active"] == true).collect()
}

/// The places that a `validFor` names: base64, the first bit of the first byte is place 0.
fn places(encoded: &str) -> Vec<usize> {
    let bytes = bytes(encoded);
    let set = |n: &usize| bytes[n >> 3] & (0x80 >> (n & 7)) != 0;
    (0..bytes.len() * 8).filter(set).collect()
}

/// Base64 of the standard alphabet; what stands behind a character of no alphabet is left out.
fn bytes(encoded: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (mut held, mut bits) = (0_u32, 0);
    for c in encoded.bytes() {
        let sextet = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => break,
        };
        held = (held << 6) | u32::from(sextet);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            // The byte that is complete now; what is above it was taken before.
            bytes.push((held >> bits) as u8);
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn places_are_decoded_as_the_platform_encodes_them() {
        for (encoded, expected) in [
            ("gAAA", &[0][..]),
            ("QAAA", &[1]),
            ("wAAA", &[0, 1]),
            ("oIAA", &[0, 2, 8]),
            ("AAAA", &[]),
            ("", &[]),
            ("?", &[]),
        ] {
            assert_eq!(places(encoded), expected, "{encoded}");
        }
    }

    #[test]
    fn values_that_go_with_nothing_are_found() {
        let value = |value: &str, active: bool, valid: Value| json!({"value": value, "active": active, "validFor": valid});
        let dependent = json!({"picklistValues": [
            value("first", true, json!("gAAA")),
            value("with one that is gone", true, json!("QAAA")),
            value("with nothing", true, Value::Null),
            value("old", false, Value::Null),
            value("beyond the list", true, json!("AIAA")),
        ]});
        let controller = json!({"type": "picklist", "picklistValues": [
            {"value": "a", "active": true}, {"value": "b", "active": false}]});
        assert_eq!(
            never_valid(&dependent, &controller),
            ["with one that is gone", "with nothing", "beyond the list"]
        );
        let checkbox = json!({"type": "boolean"});
        assert_eq!(
            never_valid(&dependent, &checkbox),
            ["with nothing", "beyond the list"]
        );
    }
}
