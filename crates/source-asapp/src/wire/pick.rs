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

/// The columns of one file, in the order in which its rows have them: rows of a table are written alike, so that a column is mostly found where
/// it was in the row before.
#[derive(Debug)]
pub(crate) struct Columns {
    wanted: Vec<&'static str>,
    seen: Vec<Column>,
}

#[derive(Debug)]
struct Column {
    name: String,
    bits: u8,
    /// Its place among the wanted ones.
    place: Option<usize>,
}

impl Columns {
    pub(crate) fn new(wanted: Vec<&'static str>) -> Self {
        Self {
            wanted,
            seen: Vec::new(),
        }
    }

    /// The place of a wanted column.
    pub(crate) fn place(&self, column: &str) -> Option<usize> {
        self.wanted.iter().position(|wanted| *wanted == column)
    }

    /// Tells `shape` what was seen.
    pub(crate) fn tell(&self, shape: &mut Shape) {
        for column in &self.seen {
            *shape.0.entry(column.name.clone()).or_default() |= column.bits;
        }
    }

    /// Notes the type of a column that stands at this place of its row; its place among the wanted ones.
    fn note(&mut self, at: usize, name: &str, raw: &RawValue) -> Option<usize> {
        let at = match self.seen.get(at) {
            Some(column) if column.name == name => at,
            _ => self.find(name),
        };
        let column = self.seen.get_mut(at)?;
        column.bits |= bit(raw);
        column.place
    }

    fn find(&mut self, name: &str) -> usize {
        if let Some(at) = self.seen.iter().position(|column| column.name == name) {
            return at;
        }
        self.seen.push(Column {
            name: name.to_owned(),
            bits: 0,
            place: self.place(name),
        });
        self.seen.len() - 1
    }
}

/// The values of the wanted columns in a line, in their order; everything else is only looked at for its type. `found` is what they are put into.
///
/// # Errors
/// The line is not one JSON object.
pub(crate) fn pick<'de>(
    line: &'de [u8],
    columns: &mut Columns,
    found: &mut Vec<Option<&'de RawValue>>,
) -> serde_json::Result<()> {
    found.clear();
    found.resize(columns.wanted.len(), None);
    let mut decoder = serde_json::Deserializer::from_slice(line);
    Pick { columns, found }.deserialize(&mut decoder)?;
    decoder.end()
}

struct Pick<'a, 'de> {
    columns: &'a mut Columns,
    found: &'a mut [Option<&'de RawValue>],
}

impl<'de> DeserializeSeed<'de> for Pick<'_, 'de> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, decoder: D) -> Result<(), D::Error> {
        decoder.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Pick<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row: one JSON object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        let mut at = 0;
        while let Some(Name(column)) = map.next_key()? {
            let raw: &'de RawValue = map.next_value()?;
            if let Some(place) = self.columns.note(at, &column, raw) {
                self.found[place] = Some(raw);
            }
            at += 1;
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

    fn seen(lines: &[&[u8]]) -> BTreeMap<String, String> {
        let mut columns = Columns::new(Vec::new());
        for line in lines {
            pick(line, &mut columns, &mut Vec::new()).unwrap();
        }
        let mut shape = Shape::default();
        columns.tell(&mut shape);
        let types = shape.0.into_iter();
        types
            .map(|(name, bits)| (name, Shape::types(bits)))
            .collect()
    }

    #[test]
    fn the_wanted_columns_come_in_order_wherever_they_stand() {
        let mut columns = Columns::new(vec!["id", "b", "z"]);
        for line in [
            &br#"{"b":"x","id":7,"c":null}"#[..],
            br#"{"c":1,"new":2,"id":7,"b":"x"}"#,
        ] {
            let mut found = Vec::new();
            pick(line, &mut columns, &mut found).unwrap();
            let texts: Vec<_> = found.iter().map(|raw| raw.map(RawValue::get)).collect();
            assert_eq!(texts, [Some("7"), Some("\"x\""), None]);
        }
    }

    #[test]
    fn a_column_of_two_types_shows_both_and_every_column_one() {
        let lines = [
            &br#"{"id":7,"c":null,"d":[1]}"#[..],
            br#"{"c":null,"id":"7"}"#,
            br#"{"id":null}"#,
        ];
        let expected = [("c", "null"), ("d", "list"), ("id", "text and number")];
        let expected = expected.map(|(name, kind)| (name.to_owned(), kind.to_owned()));
        assert_eq!(seen(&lines), expected.into());
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
            let mut columns = Columns::new(Vec::new());
            assert!(
                pick(line, &mut columns, &mut Vec::new()).is_err(),
                "{line:?}"
            );
        }
    }
}
