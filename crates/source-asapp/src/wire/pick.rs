//! A row read as far as its key needs it, and what its columns look like.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The columns of a table as its rows have them: per column which JSON types were seen, as a set of bits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shape(pub(crate) BTreeMap<String, u8>);

/// The names of the bits, lowest first.
const TYPES: [&str; 5] = ["text", "number", "boolean", "object", "list"];

fn bit(raw: &RawValue) -> u8 {
    match raw.get().as_bytes().first() {
        Some(b'"') => 1,
        Some(b'n') | None => 0,
        Some(b't' | b'f') => 4,
        Some(b'{') => 8,
        Some(b'[') => 16,
        Some(_) => 2,
    }
}

impl Shape {
    fn note(&mut self, column: &str, raw: &RawValue) {
        let bit = bit(raw);
        match self.0.get_mut(column) {
            Some(seen) => *seen |= bit,
            None => {
                self.0.insert(column.to_owned(), bit);
            }
        }
    }

    /// The same with what another saw.
    pub(crate) fn join(&mut self, other: &Self) {
        for (column, bits) in &other.0 {
            *self.0.entry(column.clone()).or_default() |= bits;
        }
    }

    /// Whether nothing but text and numbers came.
    pub(crate) fn is_number_or_text(bits: u8) -> bool {
        bits & !3 == 0
    }

    /// The types of a column, for people.
    pub(crate) fn types(bits: u8) -> String {
        let names: Vec<_> = TYPES
            .iter()
            .enumerate()
            .filter(|(place, _)| bits & (1 << place) != 0)
            .map(|(_, name)| *name)
            .collect();
        if names.is_empty() {
            "null".to_owned()
        } else {
            names.join(" and ")
        }
    }
}

/// The values of the columns `wanted` in a line, in their order; everything else is only looked at for its type.
///
/// # Errors
/// The line is not one JSON object.
pub(crate) fn pick<'de>(
    line: &'de [u8],
    wanted: &[&str],
    shape: &mut Shape,
) -> serde_json::Result<Vec<Option<&'de RawValue>>> {
    let mut found = vec![None; wanted.len()];
    let mut decoder = serde_json::Deserializer::from_slice(line);
    Columns {
        wanted,
        shape,
        found: &mut found,
    }
    .deserialize(&mut decoder)?;
    decoder.end()?;
    Ok(found)
}

struct Columns<'a, 'de> {
    wanted: &'a [&'a str],
    shape: &'a mut Shape,
    found: &'a mut [Option<&'de RawValue>],
}

impl<'de> DeserializeSeed<'de> for Columns<'_, 'de> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, decoder: D) -> Result<(), D::Error> {
        decoder.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Columns<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row: one JSON object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(Name(column)) = map.next_key()? {
            let raw: &'de RawValue = map.next_value()?;
            self.shape.note(&column, raw);
            if let Some(place) = self.wanted.iter().position(|wanted| *wanted == column) {
                self.found[place] = Some(raw);
            }
        }
        Ok(())
    }
}

/// A name that is borrowed where it holds no escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wanted_columns_come_in_order_and_all_leave_their_type() {
        let mut shape = Shape::default();
        let line = br#"{"b":"x","id":7,"c":null,"d":[1]}"#;
        let found = pick(line, &["id", "b", "z"], &mut shape).unwrap();
        let texts: Vec<_> = found.iter().map(|raw| raw.map(RawValue::get)).collect();
        assert_eq!(texts, [Some("7"), Some("\"x\""), None]);
        let types: Vec<_> = shape
            .0
            .iter()
            .map(|(name, bits)| (name.as_str(), Shape::types(*bits)))
            .collect();
        let expected = [
            ("b", "text"),
            ("c", "null"),
            ("d", "list"),
            ("id", "number"),
        ];
        assert_eq!(types, expected.map(|(name, kind)| (name, kind.to_owned())));
    }

    #[test]
    fn a_column_of_two_types_shows_both() {
        let mut shape = Shape::default();
        for line in [&br#"{"id":7}"#[..], br#"{"id":"7"}"#, br#"{"id":null}"#] {
            pick(line, &[], &mut shape).unwrap();
        }
        assert_eq!(Shape::types(shape.0["id"]), "text and number");
    }

    #[test]
    fn what_is_no_row_is_an_error() {
        for line in [
            &b""[..],
            b"[1]",
            b"7",
            br#"{"a":1"#,
            br#"{"a":1} {"b":2}"#,
            b"\xff",
        ] {
            assert!(pick(line, &[], &mut Shape::default()).is_err(), "{line:?}");
        }
    }
}
