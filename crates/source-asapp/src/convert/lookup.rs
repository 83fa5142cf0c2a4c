//! Dictionaries: names of queues, intents and structured-data fields.

use std::collections::{BTreeMap, HashMap};

use chrono::NaiveDate;
use deskferry_core::model::{CustomValue, FieldDefinition, FieldType, Meta, Team};
use deskferry_core::{RecordKind, Tenant};
use serde_json::Value;

use crate::reduce::Group;
use crate::tables::tag;
use crate::wire::Row;

/// A structured-data field, by its rows and by its definition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) category: Option<String>,
    /// What its values look like, all of them together.
    holds: Seen,
    /// `QUESTION` or `ENTITY`, where a definition says so.
    sort: Option<String>,
    /// Whether it is asked no more.
    retired: bool,
}

/// What values of a field were seen to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seen {
    number: bool,
    date: bool,
    other: bool,
}

impl Field {
    fn is_question(&self, id: &str) -> bool {
        match &self.sort {
            Some(sort) => sort.eq_ignore_ascii_case("QUESTION"),
            None => id.starts_with("q_"),
        }
    }

    /// There is no data type: a question is answered yes, no or not found, an entity is what all its values are (ASAPP reference, section 4.3).
    fn holds(&self, id: &str) -> FieldType {
        match self.holds {
            _ if self.is_question(id) => FieldType::Choice,
            Seen {
                number: true,
                date: false,
                other: false,
            } => FieldType::Number,
            Seen {
                number: false,
                date: true,
                other: false,
            } => FieldType::Date,
            _ => FieldType::Text,
        }
    }
}

/// What a value of an entity looks like: `number`, `date`, or `other`; nothing where there is none.
pub(crate) fn sort_of(value: &str) -> Option<&'static str> {
    let value = value.trim();
    if value.is_empty()
        || NO_ANSWER
            .iter()
            .any(|none| none.eq_ignore_ascii_case(value))
    {
        return None;
    }
    Some(match () {
        () if plain_number(value) => "number",
        () if NaiveDate::parse_from_str(value, "%Y-%m-%d").is_ok() => "date",
        () => "other",
    })
}

/// What stands where the conversation does not say (ASAPP reference, section 4.2).
const NO_ANSWER: [&str; 2] = ["Not Found", "NULL"];

/// A number that is one for everybody: what begins with zero or has very many digits is an id.
fn plain_number(value: &str) -> bool {
    let digits = value.strip_prefix('-').unwrap_or(value);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_id = whole.len() > 1 && whole.starts_with('0');
    all_digits(whole) && all_digits(fraction) && !is_id && whole.len() + fraction.len() <= 15
}

/// What every part of a read looks into.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lookup {
    pub(crate) queues: BTreeMap<String, String>,
    pub(crate) intents: HashMap<String, String>,
    pub(crate) fields: BTreeMap<String, Field>,
}

impl Lookup {
    /// From the dictionaries of a reduced file. Old snapshots count too: a conversation can name a queue that is gone (ASAPP
    /// reference, section 7.1).
    /// `told` are definitions of structured-data fields as the Configuration API has them now: they name what rows named in their time.
    pub(crate) fn new(groups: &[Group], told: &[Value]) -> Self {
        let mut lookup = Self::default();
        for row in groups.iter().flat_map(|group| &group.rows) {
            let Ok(line) = Row::parse(&row.line) else {
                continue;
            };
            match row.tag {
                tag::QUEUE => {
                    if let Some(id) = line.text("queue_id") {
                        let name = line.text("queue_name").unwrap_or_else(|| id.clone());
                        lookup.queues.insert(id, name);
                    }
                }
                tag::INTENT => {
                    if let (Some(code), Some(name)) = (
                        line.text("code"),
                        line.first(&["name", "short_description"]),
                    ) {
                        lookup.intents.insert(code, name);
                    }
                }
                tag::FIELD => {
                    if let Some(id) = line.text("id") {
                        let field = lookup.fields.entry(id.clone()).or_default();
                        field.name = line.text("name").unwrap_or(id);
                        field.category = line.text("category");
                    }
                }
                tag::FIELD_SEEN => {
                    if let Some(id) = line.text("id") {
                        let seen = &mut lookup.fields.entry(id).or_default().holds;
                        match line.text("sort").as_deref() {
                            Some("number") => seen.number = true,
                            Some("date") => seen.date = true,
                            _ => seen.other = true,
                        }
                    }
                }
                _ => {}
            }
        }
        for definition in told {
            lookup.define(definition);
        }
        lookup
    }

    fn define(&mut self, definition: &Value) {
        let text = |name: &str| {
            definition
                .get(name)
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        let Some(id) = text("id") else { return };
        let field = self.fields.entry(id.clone()).or_default();
        field.name = text("name").unwrap_or(id);
        field.category = text("categoryId").or(field.category.take());
        field.sort = text("type");
        field.retired = definition.get("active").and_then(Value::as_bool) == Some(false);
    }

    /// A value of a structured-data field as its definition has it; nothing for one that says that there is none.
    pub(crate) fn structured(&self, id: &str, value: &str) -> Option<CustomValue> {
        let field = self.fields.get(id).cloned().unwrap_or_default();
        if field.is_question(id) {
            return Some(CustomValue::Choice(value.to_owned()));
        }
        sort_of(value)?;
        let value = value.trim();
        Some(match field.holds(id) {
            FieldType::Number => CustomValue::Number(value.to_owned()),
            FieldType::Date => match NaiveDate::parse_from_str(value, "%Y-%m-%d") {
                Ok(day) => CustomValue::Date(day),
                Err(_) => CustomValue::Text(value.to_owned()),
            },
            _ => CustomValue::Text(value.to_owned()),
        })
    }

    /// Queues as teams.
    pub(crate) fn teams<'a>(&'a self, tenant: &'a Tenant) -> impl Iterator<Item = Team> + 'a {
        self.queues.iter().map(|(id, name)| Team {
            meta: Meta::new(tenant.key(RecordKind::Team, id)),
            name: name.clone(),
        })
    }

    /// Definitions of structured data.
    pub(crate) fn definitions<'a>(
        &'a self,
        tenant: &'a Tenant,
    ) -> impl Iterator<Item = FieldDefinition> + 'a {
        self.fields.iter().map(|(id, field)| {
            let is_question = field.is_question(id);
            FieldDefinition {
                meta: Meta::new(tenant.key(RecordKind::FieldDefinition, id)),
                of: RecordKind::Conversation,
                object: None,
                field: id.clone(),
                title: field.name.clone(),
                holds: field.holds(id),
                raw_type: if is_question { "QUESTION" } else { "ENTITY" }.to_owned(),
                options: match is_question {
                    true => ["Yes", "No", "Not Found"].map(str::to_owned).to_vec(),
                    false => Vec::new(),
                },
                active: !field.retired,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_value_is_a_number_or_a_day_only_if_everybody_would_say_so() {
        let cases = [
            ("12", Some("number")),
            ("-3.50", Some("number")),
            ("007", Some("other")),
            ("1234567890123456", Some("other")),
            ("1e5", Some("other")),
            ("2026-02-03", Some("date")),
            ("2026-02-30", Some("other")),
            ("SO-1001", Some("other")),
            ("not found", None),
            (" ", None),
        ];
        for (value, expected) in cases {
            assert_eq!(sort_of(value), expected, "{value}");
        }
    }

    #[test]
    fn a_field_is_what_its_definition_says_and_else_what_all_its_values_are() {
        let told = [
            json!({"id": "e_count", "name": "Count", "type": "ENTITY", "active": false}),
            json!({"id": "e_odd", "name": "Odd", "type": "QUESTION"}),
        ];
        let mut lookup = Lookup::new(&[], &told);
        for (id, number, date, other) in [
            ("e_count", true, false, false),
            ("e_mixed", true, true, false),
            ("e_day", false, true, false),
        ] {
            lookup.fields.entry(id.to_owned()).or_default().holds = Seen {
                number,
                date,
                other,
            };
        }
        let tenant = Tenant::new("asapp", "acme");
        let found: Vec<_> = lookup
            .definitions(&tenant)
            .map(|field| (field.field, field.holds, field.active))
            .collect();
        let expected = [
            ("e_count", FieldType::Number, false),
            ("e_day", FieldType::Date, true),
            ("e_mixed", FieldType::Text, true),
            ("e_odd", FieldType::Choice, true),
        ];
        assert_eq!(
            found,
            expected.map(|(id, holds, active)| (id.to_owned(), holds, active))
        );
        assert_eq!(
            lookup.structured("e_count", " 7 "),
            Some(CustomValue::Number("7".to_owned()))
        );
        assert_eq!(lookup.structured("e_count", "Not Found"), None);
        assert_eq!(
            lookup.structured("q_unknown", "Not Found"),
            Some(CustomValue::Choice("Not Found".to_owned()))
        );
    }
}
