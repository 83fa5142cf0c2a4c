//! Kustomer's JSON as it comes: resources whose every member may be missing, null, `{}`, `[]` or `{"$init": true}`, all of
//! which mean nothing (Kustomer reference, section 1.3).

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// A row as it came.
pub(crate) type Raw = Box<RawValue>;

/// What was wrong with a row, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Defect {
    /// The JSON path.
    pub(crate) path: String,
    /// What was wrong there.
    pub(crate) reason: String,
}

impl Defect {
    fn new(path: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            reason: reason.into(),
        }
    }
}

/// A whole answer; its rows stay raw, so that a bad one does not spoil its neighbours.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Envelope {
    pub(crate) meta: Value,
    pub(crate) links: Value,
    data: Option<Raw>,
    included: Option<Raw>,
}

impl Envelope {
    /// Whether there is no data at all: no empty list, but no answer.
    pub(crate) fn is_bare(&self) -> bool {
        self.data.is_none()
    }

    /// The rows: a list, or a single one.
    pub(crate) fn rows(&mut self) -> Option<Vec<Raw>> {
        self.data.take().map(many)
    }

    /// What came beside the rows.
    pub(crate) fn included(&mut self) -> Option<Vec<Raw>> {
        self.included.take().map(many)
    }
}

fn many(raw: Raw) -> Vec<Raw> {
    match raw.get().trim_start().as_bytes().first() {
        Some(b'[') => serde_json::from_str(raw.get()).unwrap_or_default(),
        Some(b'n') => Vec::new(),
        _ => vec![raw],
    }
}

/// One resource.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Row {
    id: Value,
    #[serde(rename = "type")]
    kind: Value,
    attributes: Value,
    relationships: Value,
    links: Value,
}

impl Row {
    /// Decodes one row on its own; its id is the one thing that may not be missing.
    pub(crate) fn read(raw: &RawValue) -> Result<Self, Defect> {
        let row: Self = serde_json::from_str(raw.get())
            .map_err(|error| Defect::new(".", plain(&error.to_string())))?;
        match row.id_or_link() {
            Some(_) => Ok(row),
            None => Err(Defect::new("id", "a row without an id")),
        }
    }

    /// The same for rows that may have no id.
    pub(crate) fn lenient(raw: &RawValue) -> Result<Self, Defect> {
        serde_json::from_str(raw.get()).map_err(|error| Defect::new(".", plain(&error.to_string())))
    }

    /// All attributes.
    pub(crate) fn whole(&self) -> Value {
        self.attributes.clone()
    }

    fn id_or_link(&self) -> Option<&str> {
        // The documented list of attachments has no ids: they stand at the end of the address.
        text_of(&self.id).or_else(|| self.link("self")?.rsplit('/').next())
    }

    pub(crate) fn id(&self) -> &str {
        self.id_or_link().unwrap_or_default()
    }

    pub(crate) fn kind(&self) -> &str {
        text_of(&self.kind).unwrap_or_default()
    }

    pub(crate) fn link(&self, name: &str) -> Option<&str> {
        text_of(self.links.get(name)?)
    }

    /// An attribute that says something.
    pub(crate) fn value(&self, name: &str) -> Option<&Value> {
        self.attributes.get(name).filter(|value| !is_nothing(value))
    }

    /// Whether an attribute is there at all, whatever it says.
    pub(crate) fn names(&self, name: &str) -> bool {
        self.attributes.get(name).is_some()
    }

    /// A text that is not blank.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        text_of(self.value(name)?)
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.value(name).and_then(Value::as_bool) == Some(true)
    }

    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        let value = self.value(name)?;
        value
            .as_i64()
            .or_else(|| value.as_str()?.trim().parse().ok())
    }

    pub(crate) fn count(&self, name: &str) -> Option<u64> {
        self.number(name)
            .and_then(|number| u64::try_from(number).ok())
    }

    /// A moment; one that cannot be read is an error: a wrong time must not pass in silence.
    pub(crate) fn time(&self, name: &str) -> Result<Option<DateTime<Utc>>, Defect> {
        let Some(value) = self.value(name) else {
            return Ok(None);
        };
        let read = value.as_str().and_then(parse_time);
        read.map(Some)
            .ok_or_else(|| Defect::new(format!("attributes.{name}"), "not a time"))
    }

    /// A list; a single value is a list of one.
    pub(crate) fn list(&self, name: &str) -> &[Value] {
        match self.value(name) {
            Some(Value::Array(all)) => all,
            Some(one) => std::slice::from_ref(one),
            None => &[],
        }
    }

    /// The texts of a list.
    pub(crate) fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        self.list(name).iter().filter_map(text_of)
    }

    /// The id that a relation leads to.
    pub(crate) fn related(&self, name: &str) -> Option<&str> {
        id_in(self.relationships.get(name)?.get("data")?)
    }

    /// The ids that a relation leads to.
    pub(crate) fn all_related(&self, name: &str) -> Vec<&str> {
        match self.relationships.get(name).and_then(|one| one.get("data")) {
            Some(Value::Array(all)) => all.iter().filter_map(id_in).collect(),
            Some(one) => id_in(one).into_iter().collect(),
            None => Vec::new(),
        }
    }

    /// The custom attributes.
    pub(crate) fn custom(&self) -> Option<&Map<String, Value>> {
        self.value("custom")?.as_object()
    }
}

/// An id as it stands in a list: a text, or an object with one.
fn id_in(value: &Value) -> Option<&str> {
    match value {
        Value::String(_) => text_of(value),
        Value::Object(object) => text_of(object.get("id")?),
        _ => None,
    }
}

/// The ids of a list that may hold texts or objects.
pub(crate) fn ids_in(values: &[Value]) -> impl Iterator<Item = &str> {
    values.iter().filter_map(id_in)
}

/// A text that is not blank.
pub(crate) fn text_of(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| !text.trim().is_empty())
}

/// Whether a value says nothing.
pub(crate) fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(all) => all.is_empty(),
        Value::Object(object) => {
            object.is_empty() || (object.len() == 1 && object.contains_key("$init"))
        }
        _ => false,
    }
}

/// ISO 8601 with or without fraction, with `Z` or an offset; without either it is UTC.
pub(crate) fn parse_time(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.to_utc());
    }
    if let Ok(time) = DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z") {
        return Some(time.to_utc());
    }
    let local = chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").ok();
    let day = || {
        chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d")
            .ok()?
            .and_hms_opt(0, 0, 0)
    };
    local.or_else(day).map(|time| time.and_utc())
}

/// The reason without the position in the row.
fn plain(text: &str) -> String {
    text.rfind(" at line ")
        .map_or(text, |end| &text[..end])
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row(text: &str) -> Row {
        Row::read(&raw(text)).unwrap()
    }

    fn raw(text: &str) -> Raw {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn what_says_nothing_is_nothing_however_it_is_written() {
        let row = row(
            r#"{"id":"a","attributes":{"a":null,"b":{},"c":[],"d":{"$init":true},"e":"  ","f":"x","g":0}}"#,
        );
        for name in ["a", "b", "c", "d"] {
            assert_eq!(row.value(name), None, "{name}");
        }
        assert_eq!((row.text("e"), row.text("f")), (None, Some("x")));
        assert_eq!(row.count("g"), Some(0));
    }

    #[test]
    fn an_id_may_stand_in_the_address_alone_and_must_stand_somewhere() {
        let linked = row(r#"{"links":{"self":"/v1/messages/m1/attachments/a1"}}"#);
        assert_eq!(linked.id(), "a1");
        let defect = Row::read(&raw(r#"{"attributes":{}}"#)).unwrap_err();
        assert_eq!(defect.path, "id");
    }

    #[test]
    fn lists_may_be_single_values_and_data_may_be_one_row() {
        let row = row(
            r#"{"id":"a","attributes":{"to":"x","cc":["y"]},"relationships":{"r":{"data":{"id":"1"}}}}"#,
        );
        assert_eq!(row.texts("to").collect::<Vec<_>>(), ["x"]);
        assert_eq!(row.all_related("r"), ["1"]);
        let mut one: Envelope = serde_json::from_str(r#"{"data":{"id":"a"}}"#).unwrap();
        assert_eq!(one.rows().unwrap().len(), 1);
        let mut none: Envelope = serde_json::from_str(r#"{"meta":{}}"#).unwrap();
        assert!(none.rows().is_none());
    }

    #[test]
    fn times_come_with_and_without_offset_and_fraction() {
        for text in [
            "2024-05-02T09:11:12.345Z",
            "2024-05-02T04:11:12.345-05:00",
            "2024-05-02T09:11:12.345",
        ] {
            assert_eq!(
                parse_time(text).unwrap().timestamp_millis(),
                1_714_641_072_345,
                "{text}"
            );
        }
        let bad = row(r#"{"id":"a","attributes":{"createdAt":"soon"}}"#);
        assert_eq!(
            bad.time("createdAt").unwrap_err().path,
            "attributes.createdAt"
        );
    }

    proptest! {
        #[test]
        fn no_row_is_too_strange(text in "\\PC{0,80}") {
            let value = serde_json::json!({"id": "a", "attributes": text, "relationships": text, "links": [text]});
            let row = Row::read(&raw(&value.to_string())).unwrap();
            prop_assert_eq!(row.text("name"), None);
            prop_assert!(row.all_related("x").is_empty());
        }
    }
}
