//! One row, and its members in any spelling.

use serde_json::Value;

use super::time::{Moment, Zone};

/// What was wrong with a row, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Defect {
    /// The JSON path.
    pub(crate) path: String,
    /// What was wrong there.
    pub(crate) reason: String,
}

impl Defect {
    pub(crate) fn new(path: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            reason: reason.into(),
        }
    }
}

/// A row as it came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'a>(pub(crate) &'a Value);

impl<'a> Row<'a> {
    /// A member that is there and not null.
    pub(crate) fn get(self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// The number that names the row; the one thing that may not be missing.
    pub(crate) fn id(self) -> Result<u64, Defect> {
        let Some(value) = self.get("id") else {
            return Err(Defect::new("id", "a row without an id"));
        };
        number(value)
            .and_then(|id| u64::try_from(id).ok())
            .ok_or_else(|| Defect::new("id", "not an id: a whole number is needed"))
    }

    /// A whole number that may be missing; what is none counts as missing.
    pub(crate) fn number(self, name: &str) -> Option<i64> {
        number(self.get(name)?)
    }

    /// A number that names another row. 0 names none.
    pub(crate) fn reference(self, name: &str) -> Option<u64> {
        let id = u64::try_from(self.number(name)?).ok()?;
        (id > 0).then_some(id)
    }

    /// A text that is not blank.
    pub(crate) fn text(self, name: &str) -> Option<String> {
        text(self.get(name)?)
    }

    /// The first of these members that is a text and not blank.
    pub(crate) fn first_text(self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| self.text(name))
    }

    /// Yes or no.
    pub(crate) fn flag(self, name: &str) -> Option<bool> {
        match self.get(name)? {
            Value::Bool(flag) => Some(*flag),
            Value::Number(number) => Some(number.as_f64() != Some(0.0)),
            Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
                "1" | "true" | "yes" => Some(true),
                "0" | "false" | "no" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    /// A time. One that cannot be read is an error: a wrong time must not pass in silence.
    pub(crate) fn time(self, name: &str, zone: Zone) -> Result<Option<Moment>, Defect> {
        let value = self.0.get(name).unwrap_or(&Value::Null);
        zone.read(value).map_err(|why| Defect::new(name, why))
    }

    /// An object; `[]`, `""` and `false` are none.
    pub(crate) fn object(self, name: &str) -> Option<Row<'a>> {
        let value = self.get(name)?;
        value
            .as_object()
            .is_some_and(|object| !object.is_empty())
            .then_some(Row(value))
    }

    /// The items of a list; an object (a PHP list with holes, or a single item) gives its values, or itself where it has an
    /// id.
    pub(crate) fn list(self, name: &str) -> Vec<&'a Value> {
        match self.get(name) {
            Some(Value::Array(items)) => items.iter().collect(),
            Some(value @ Value::Object(object)) if object.contains_key("id") => vec![value],
            Some(Value::Object(object)) => object.values().collect(),
            _ => Vec::new(),
        }
    }

    /// A map; an empty list is an empty map.
    pub(crate) fn map(self, name: &str) -> impl Iterator<Item = (&'a str, &'a Value)> {
        let object = self.get(name).and_then(Value::as_object);
        object
            .into_iter()
            .flatten()
            .map(|(key, value)| (key.as_str(), value))
    }

    /// Whether the row has the member at all.
    pub(crate) fn has(self, name: &str) -> bool {
        self.0.get(name).is_some()
    }
}

fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| {
            // 4711.0 is a whole number; beyond 2^53 a float names none.
            let float = number.as_f64()?;
            (float.fract() == 0.0 && float.abs() < 9_007_199_254_740_992.0)
                .then(|| format!("{float:.0}").parse().ok())?
        }),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A value as text, if it says anything.
pub(crate) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// Whether a value says nothing.
pub(crate) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// What nobody should keep: passwords of channels, tokens of users, secrets of webhooks (Trengo reference, section 10).
const SECRET: [&str; 6] = [
    "password",
    "activation_token",
    "channel_prefix",
    "signing_secret",
    "token",
    "api_key",
];

/// The value without its secrets.
pub(crate) fn redacted(value: &Value) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .filter(|(name, _)| !SECRET.contains(&name.as_str()))
            .map(|(name, value)| (name.clone(), redacted(value)))
            .collect(),
        Value::Array(items) => items.iter().map(redacted).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_id_is_a_whole_number_in_any_spelling_and_nothing_else() {
        for (value, id) in [
            (json!({"id": 3_448_655_702_u64}), Some(3_448_655_702)),
            (json!({"id": "7"}), Some(7)),
            (json!({"id": 7.0}), Some(7)),
            (json!({"id": -7}), None),
            (json!({"id": "seven"}), None),
            (json!({"id": null}), None),
            (json!({}), None),
            (json!([]), None),
        ] {
            assert_eq!(Row(&value).id().ok(), id, "{value}");
        }
    }

    #[test]
    fn members_are_read_in_phps_spellings() {
        let value = json!({
            "one": 1, "zero": "0", "yes": true, "named": " ", "empty_map": [], "map": {"a": "b"}, "holes": {"0": 1, "3": 2},
            "single": {"id": 5}, "team_id": 0,
        });
        let row = Row(&value);
        assert_eq!(
            (
                row.flag("one"),
                row.flag("zero"),
                row.flag("yes"),
                row.flag("missing")
            ),
            (Some(true), Some(false), Some(true), None)
        );
        assert_eq!(
            (row.text("named"), row.text("one")),
            (None, Some("1".to_owned()))
        );
        assert!(row.object("empty_map").is_none() && row.object("map").is_some());
        assert_eq!(row.map("empty_map").count() + row.map("missing").count(), 0);
        assert_eq!(row.list("holes"), [&json!(1), &json!(2)]);
        assert_eq!(row.list("single"), [&json!({"id": 5})]);
        assert_eq!(row.reference("team_id"), None);
    }

    #[test]
    fn a_time_that_cannot_be_read_is_an_error_with_its_place() {
        let zone = Zone::named("Europe/Amsterdam").unwrap();
        let value = json!({"created_at": "soon", "closed_at": null});
        let defect = Row(&value).time("created_at", zone).unwrap_err();
        assert_eq!(defect, Defect::new("created_at", "not a time"));
        assert_eq!(Row(&value).time("closed_at", zone), Ok(None));
        assert_eq!(Row(&value).time("missing", zone), Ok(None));
    }

    #[test]
    fn secrets_are_dropped_however_deep_they_stand() {
        let value = json!({"channel": {"id": 1, "password": "hidden"}, "users": [{"activation_token": "hidden", "id": 2}]});
        assert_eq!(
            redacted(&value),
            json!({"channel": {"id": 1}, "users": [{"id": 2}]})
        );
    }
}
