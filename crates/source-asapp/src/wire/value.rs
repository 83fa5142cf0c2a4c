//! Values as ASAPP spells them.

use std::borrow::Cow;

use chrono::{DateTime, NaiveDateTime, Utc};
use serde_json::value::RawValue;

/// The text of a scalar: trimmed; nothing for null, an empty text, and the text `NULL`. A number is its digits; a whole one
/// with a fraction of zeros loses it, since ids come as numbers too.
pub(crate) fn scalar(raw: &RawValue) -> Option<Cow<'_, str>> {
    let json = raw.get();
    match json.as_bytes().first()? {
        b'"' => {
            let inner = json.get(1..json.len().checked_sub(1)?)?;
            if inner.contains('\\') {
                let text: String = serde_json::from_str(json).ok()?;
                return meant(&text).map(|text| Cow::Owned(text.to_owned()));
            }
            meant(inner).map(Cow::Borrowed)
        }
        b'n' | b'{' | b'[' => None,
        b't' | b'f' => Some(Cow::Borrowed(json)),
        _ => Some(Cow::Borrowed(whole(json))),
    }
}

/// A text that means something.
pub(crate) fn meant(text: &str) -> Option<&str> {
    let text = text.trim();
    (!text.is_empty() && text != "NULL").then_some(text)
}

/// `21352352.0` as `21352352`.
fn whole(number: &str) -> &str {
    match number.split_once('.') {
        Some((whole, zeros)) if zeros.bytes().all(|digit| digit == b'0') => whole,
        _ => number,
    }
}

/// A moment in one of the spellings of section 7.2; without a zone it is UTC.
pub(crate) fn moment(text: &str) -> Option<DateTime<Utc>> {
    let text = meant(text)?;
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.to_utc());
    }
    // chrono takes nine digits of a fraction; up to twelve come.
    let text = shortened(text);
    for form in ["%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z"] {
        if let Ok(time) = DateTime::parse_from_str(&text, form) {
            return Some(time.to_utc());
        }
    }
    let bare = text.trim_end_matches('Z');
    for form in ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"] {
        if let Ok(time) = NaiveDateTime::parse_from_str(bare, form) {
            return Some(time.and_utc());
        }
    }
    None
}

fn shortened(text: &str) -> Cow<'_, str> {
    let Some((before, fraction)) = text.split_once('.') else {
        return Cow::Borrowed(text);
    };
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
    if digits <= 9 {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!(
        "{before}.{}{}",
        &fraction[..9],
        &fraction[digits..]
    ))
}

/// Yes or no in any spelling.
pub(crate) fn truth(text: &str) -> Option<bool> {
    match text {
        "1" => Some(true),
        "0" => Some(false),
        text if text.eq_ignore_ascii_case("true") => Some(true),
        text if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// A list as text: `[a,b]`, `["a","b"]`, `a,b`, `a|b`.
pub(crate) fn list(text: &str) -> Vec<String> {
    if let Ok(list) = serde_json::from_str::<Vec<serde_json::Value>>(text) {
        return list
            .iter()
            .filter_map(|value| match value {
                serde_json::Value::String(text) => meant(text).map(str::to_owned),
                serde_json::Value::Null => None,
                other => Some(other.to_string()),
            })
            .collect();
    }
    let bare = text.trim().trim_start_matches('[').trim_end_matches(']');
    let separator = if bare.contains('|') && !bare.contains(',') {
        '|'
    } else {
        ','
    };
    bare.split(separator)
        .filter_map(|part| meant(part.trim().trim_matches('"')))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_in_every_spelling() {
        let cases = [
            ("21352352", Some("21352352")),
            ("21352352.0", Some("21352352")),
            ("400.5", Some("400.5")),
            ("\" 60001 \"", Some("60001")),
            ("\"\"", None),
            ("\"NULL\"", None),
            ("null", None),
            ("true", Some("true")),
            (r#""a\tb""#, Some("a\tb")),
            ("[1]", None),
        ];
        for (json, expected) in cases {
            let raw: Box<RawValue> = serde_json::from_str(json).unwrap();
            assert_eq!(scalar(&raw).as_deref(), expected, "{json}");
        }
    }

    #[test]
    fn moments_in_every_spelling() {
        let at = |text: &str| moment(text).map(|time| time.to_rfc3339());
        let second = Some("2018-09-05T19:58:06+00:00".to_owned());
        for text in [
            "2018-09-05 19:58:06",
            "2018-09-05T19:58:06",
            "2018-09-05T19:58:06Z",
            "2018-09-05 19:58:06+00:00",
            "2018-09-05T21:58:06+02:00",
        ] {
            assert_eq!(at(text), second, "{text}");
        }
        for text in [
            "2018-09-05T19:58:06.957000+00:00",
            "2018-09-05 19:58:06.957000+00:00",
            "2018-09-05T19:58:06.957000000000Z",
        ] {
            assert_eq!(
                at(text),
                Some("2018-09-05T19:58:06.957+00:00".to_owned()),
                "{text}"
            );
        }
        for text in ["", "NULL", "soon"] {
            assert_eq!(at(text), None);
        }
    }

    #[test]
    fn lists_in_every_spelling() {
        for text in ["[a,b]", r#"["a","b"]"#, "a,b", "a|b", " [ a , b ] "] {
            assert_eq!(list(text), ["a", "b"], "{text}");
        }
        assert!(list("").is_empty() && list("[]").is_empty());
    }
}
