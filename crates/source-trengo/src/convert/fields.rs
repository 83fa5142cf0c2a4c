//! Custom fields: definitions, and values by number or by title (Trengo reference, section 3.9).

use std::collections::HashMap;

use chrono::NaiveDate;
use deskferry_core::RecordKind;
use deskferry_core::model::{CustomValue, CustomValues, FieldDefinition, FieldType};
use serde_json::Value;

use super::Ground;
use crate::wire::{Defect, Row, is_empty};

/// Under which name the results of a ticket stand among its values.
pub(super) const RESULTS: &str = "results";

/// What a field stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Owner {
    Ticket,
    Contact,
    Profile,
}

impl Owner {
    fn of(word: &str) -> Option<Self> {
        match word.to_ascii_uppercase().as_str() {
            "TICKET" | "TICKETS" | "CONVERSATION" => Some(Self::Ticket),
            "CONTACT" | "CONTACTS" => Some(Self::Contact),
            "PROFILE" | "PROFILES" => Some(Self::Profile),
            _ => None,
        }
    }
}

/// The fields of a workspace.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    by_id: HashMap<u64, FieldType>,
    /// Numbers by owner and title: titles repeat.
    by_title: HashMap<(Owner, String), Vec<u64>>,
}

/// The values that a row has.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Values {
    pub(crate) values: CustomValues,
    /// Titles that name several fields or none: only the row alone tells by number.
    pub(crate) open: Vec<String>,
}

impl Fields {
    /// Learns a definition.
    pub(crate) fn learn(&mut self, row: Row<'_>) {
        let Ok(id) = row.id() else { return };
        let title = row.first_text(&["title", "name"]).unwrap_or_default();
        let holds = holds(&row.text("field_type").unwrap_or_default());
        if let Some(owner) = row.text("type").as_deref().and_then(Owner::of) {
            let numbers = self.by_title.entry((owner, title)).or_default();
            numbers.push(id);
        }
        self.by_id.insert(id, holds);
    }

    /// The values of a row: by number where it has them so, else by title.
    pub(crate) fn values(&self, owner: Owner, row: Row<'_>) -> Values {
        let mut found = Values::default();
        if row.get("custom_field_values").is_some() {
            for value in row.list("custom_field_values") {
                let one = Row(value);
                let Some(id) = one.reference("custom_field_id").or(one.reference("id")) else {
                    continue;
                };
                self.take(&mut found.values, id, one.get("value"));
            }
            return found;
        }
        let map = ["custom_data", "custom_field_data"]
            .into_iter()
            .find(|name| row.get(name).is_some_and(|value| !is_empty(value)));
        for (title, value) in map.into_iter().flat_map(|name| row.map(name)) {
            if is_empty(value) {
                continue;
            }
            match self
                .by_title
                .get(&(owner, title.to_owned()))
                .map(Vec::as_slice)
            {
                Some([id]) => self.take(&mut found.values, *id, Some(value)),
                _ => found.open.push(title.to_owned()),
            }
        }
        found
    }

    /// Values that stand under titles which name no single field, where nothing better was to be had.
    pub(crate) fn by_title_alone(row: Row<'_>, open: &[String]) -> Option<CustomValue> {
        let map = row.map("custom_data").chain(row.map("custom_field_data"));
        let kept: serde_json::Map<String, Value> = map
            .filter(|(title, value)| open.iter().any(|one| one == title) && !is_empty(value))
            .map(|(title, value)| (title.to_owned(), value.clone()))
            .collect();
        (!kept.is_empty()).then_some(CustomValue::Json(Value::Object(kept)))
    }

    fn take(&self, values: &mut CustomValues, id: u64, value: Option<&Value>) {
        let Some(value) = value.filter(|value| !is_empty(value)) else {
            return;
        };
        let holds = self.by_id.get(&id).copied().unwrap_or(FieldType::Other);
        values.insert(id.to_string(), typed(holds, value));
    }
}

/// What a type's word means. Only `TEXT` is known for sure; the list is open.
fn holds(word: &str) -> FieldType {
    match word.to_ascii_uppercase().as_str() {
        "TEXT" | "" => FieldType::Text,
        "TEXTAREA" | "MULTILINE" => FieldType::LongText,
        "NUMBER" | "NUMERIC" | "DECIMAL" | "INTEGER" => FieldType::Number,
        "CHECKBOX" | "BOOLEAN" | "SWITCH" => FieldType::Bool,
        "DATE" => FieldType::Date,
        "DROPDOWN" | "SELECT" | "LIST" | "RADIO" => FieldType::Choice,
        "MULTISELECT" | "MULTI_SELECT" | "CHECKBOXES" => FieldType::Choices,
        _ => FieldType::Other,
    }
}

/// A value as its definition says; as text or JSON where that fails, so that nothing is lost.
fn typed(holds: FieldType, value: &Value) -> CustomValue {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => return CustomValue::Bool(*flag),
        Value::Array(items)
            if items
                .iter()
                .all(|item| item.is_string() || item.is_number()) =>
        {
            let texts = items.iter().map(|item| {
                item.as_str()
                    .map_or_else(|| item.to_string(), str::to_owned)
            });
            return CustomValue::Choices(texts.collect());
        }
        other => return CustomValue::Json(other.clone()),
    };
    let plain = text.trim();
    let as_type = match holds {
        FieldType::Number => is_decimal(plain).then(|| CustomValue::Number(plain.to_owned())),
        FieldType::Bool => match plain.to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" | "on" => Some(CustomValue::Bool(true)),
            "0" | "false" | "no" | "off" => Some(CustomValue::Bool(false)),
            _ => None,
        },
        FieldType::Date => plain
            .get(..10)
            .and_then(|day| NaiveDate::parse_from_str(day, "%Y-%m-%d").ok())
            .map(CustomValue::Date),
        FieldType::Choice => Some(CustomValue::Choice(text.clone())),
        FieldType::Choices => Some(CustomValue::Choices(
            plain.split(',').map(|one| one.trim().to_owned()).collect(),
        )),
        _ => None,
    };
    as_type.unwrap_or(CustomValue::Text(text))
}

/// Digits with an optional sign and fraction: what every reader takes for the same number.
fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    all(whole) && all(fraction) && (whole == "0" || !whole.starts_with('0'))
}

/// A definition as record.
pub(crate) fn definitions(ground: &Ground, row: Row<'_>) -> Result<FieldDefinition, Defect> {
    let id = row.id()?;
    let word = row.text("type").unwrap_or_default();
    let owner = Owner::of(&word);
    let raw_type = row.text("field_type").unwrap_or_default();
    let options = row.list("items").into_iter().filter_map(|item| match item {
        Value::Object(_) => Row(item).first_text(&["name", "title", "value", "label"]),
        other => crate::wire::text(other),
    });
    let options: Vec<String> = match row.text("items") {
        // Choices in one text.
        Some(text) => text
            .split(['\n', ','])
            .map(|one| one.trim().to_owned())
            .collect(),
        None => options.collect(),
    };
    let mut meta = ground.meta(
        ground.key(RecordKind::FieldDefinition, id),
        &format!("api/v2/custom_fields/{id}"),
        None,
        None,
    );
    super::keep(
        &mut meta,
        row,
        &["identifier", "placeholder", "is_required"],
    );
    if owner.is_none() {
        super::keep(&mut meta, row, &["type"]);
    }
    Ok(FieldDefinition {
        meta,
        of: match owner {
            Some(Owner::Contact) => RecordKind::Contact,
            Some(Owner::Profile) => RecordKind::Account,
            _ => RecordKind::Conversation,
        },
        object: None,
        field: id.to_string(),
        title: row.first_text(&["title", "name"]).unwrap_or_default(),
        holds: holds(&raw_type),
        raw_type,
        options,
        active: true,
    })
}

/// Why tickets are closed, as a field of its own: values of it stand in tickets alone.
pub(crate) fn results_definition(ground: &Ground, results: &[Value]) -> FieldDefinition {
    let names = results.iter().map(Row);
    FieldDefinition {
        meta: ground.meta(
            ground.tenant.key(RecordKind::FieldDefinition, RESULTS),
            "api/v2/ticket_results",
            None,
            None,
        ),
        of: RecordKind::Conversation,
        object: None,
        field: RESULTS.to_owned(),
        title: "Ticket results".to_owned(),
        holds: FieldType::Choices,
        raw_type: "ticket_results".to_owned(),
        options: names
            .filter_map(|result| result.first_text(&["name", "title"]))
            .collect(),
        active: true,
    }
}
