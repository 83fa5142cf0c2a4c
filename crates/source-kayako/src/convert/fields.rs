//! Custom fields: definitions, and values decoded by them (Kayako reference, section 12).

use std::collections::HashMap;

use chrono::NaiveDate;
use deskferry_core::model::{CustomValue, CustomValues, FieldDefinition, FieldType, Meta};
use deskferry_core::{RecordKind, Tenant};

use crate::client::FieldOwner;
use crate::wire::{Field, FieldOption, FieldValue, LocaleField};

/// What is needed to decode custom values.
#[derive(Debug, Default)]
pub(crate) struct Definitions {
    fields: HashMap<(FieldOwner, u64), Known>,
    /// Option ids are unique over all fields, so a value may name an option whose field changed its type.
    options: HashMap<u64, String>,
}

#[derive(Debug)]
struct Known {
    key: String,
    kind: String,
    is_system: bool,
}

impl Definitions {
    /// Takes note of a definition. `language` is the desk's default one, such as `en-us`.
    pub(crate) fn learn(&mut self, owner: FieldOwner, field: &Field, language: Option<&str>) {
        for option in &field.options {
            self.options
                .insert(option.id, option_text(option, language));
        }
        let known = Known {
            key: key_of(field),
            kind: field.kind.to_ascii_uppercase(),
            is_system: field.is_system == Some(true),
        };
        self.fields.insert((owner, field.id), known);
    }

    /// The values of a row by the keys of their fields. System fields hold no data of their own; `""` is unset.
    pub(crate) fn values(&self, owner: FieldOwner, values: &[FieldValue]) -> CustomValues {
        let mut decoded = CustomValues::new();
        for value in values {
            let Some(id) = value.field.as_ref().and_then(|field| field.id.clone()) else {
                continue;
            };
            if value.value.is_empty() {
                continue;
            }
            let known = id.parse().ok().and_then(|id| self.fields.get(&(owner, id)));
            match known {
                Some(known) if known.is_system => {}
                Some(known) => {
                    decoded.insert(known.key.clone(), self.decode(&known.kind, &value.value));
                }
                // Deleted, or hidden from this account: the value is kept under the field's id.
                None => {
                    decoded.insert(
                        format!("field-{id}"),
                        CustomValue::Text(value.value.clone()),
                    );
                }
            }
        }
        decoded
    }

    /// The text of an option, if it is known.
    pub(crate) fn option_text(&self, id: u64) -> Option<String> {
        self.options.get(&id).cloned()
    }

    fn decode(&self, kind: &str, raw: &str) -> CustomValue {
        let text = || CustomValue::Text(raw.to_owned());
        let trimmed = raw.trim();
        match kind {
            "NUMERIC" | "DECIMAL" if is_decimal(trimmed) => CustomValue::Number(trimmed.to_owned()),
            "YESNO" => match trimmed.to_ascii_lowercase().as_str() {
                "yes" | "true" | "1" => CustomValue::Bool(true),
                "no" | "false" | "0" => CustomValue::Bool(false),
                _ => text(),
            },
            "RADIO" | "SELECT" => CustomValue::Choice(self.option(trimmed)),
            "CASCADINGSELECT" => CustomValue::Choice(path(&self.option(trimmed))),
            "CHECKBOX" => CustomValue::Choices(
                trimmed
                    .split(',')
                    .map(str::trim)
                    .filter(|id| !id.is_empty())
                    .map(|id| self.option(id))
                    .collect(),
            ),
            // The day as written: a shift to UTC could make it the day before.
            "DATE" => day(trimmed).map_or_else(text, CustomValue::Date),
            _ => text(),
        }
    }

    /// The text of an option; the raw id of one that was deleted.
    fn option(&self, id: &str) -> String {
        id.parse()
            .ok()
            .and_then(|id: u64| self.options.get(&id))
            .cloned()
            .unwrap_or_else(|| id.to_owned())
    }
}

/// A definition as a record. Its id in the key names its owner, since the three lists number their fields alone.
pub(crate) fn definition(
    tenant: &Tenant,
    owner: FieldOwner,
    field: &Field,
    language: Option<&str>,
) -> FieldDefinition {
    let (word, of) = match owner {
        FieldOwner::Case => ("case", RecordKind::Conversation),
        FieldOwner::User => ("user", RecordKind::Contact),
        FieldOwner::Organization => ("organization", RecordKind::Account),
    };
    let key = tenant.key(RecordKind::FieldDefinition, format!("{word}-{}", field.id));
    let mut meta = Meta::new(key);
    meta.created_at = field.created_at;
    meta.updated_at = field.updated_at;
    let mut options: Vec<&FieldOption> = field.options.iter().collect();
    options.sort_by_key(|option| option.sort_order);
    let holds = field_type(&field.kind);
    let text = |option: &FieldOption| {
        let text = option_text(option, language);
        if field.kind.eq_ignore_ascii_case("CASCADINGSELECT") {
            path(&text)
        } else {
            text
        }
    };
    FieldDefinition {
        object: None,
        meta,
        of,
        field: key_of(field),
        title: field.title.clone(),
        holds,
        raw_type: field.kind.clone(),
        options: options.into_iter().map(text).collect(),
        active: field.is_enabled != Some(false),
    }
}

fn key_of(field: &Field) -> String {
    if field.key.trim().is_empty() {
        format!("field-{}", field.id)
    } else {
        field.key.clone()
    }
}

fn field_type(kind: &str) -> FieldType {
    match kind.to_ascii_uppercase().as_str() {
        "TEXT" | "REGEX" => FieldType::Text,
        "TEXTAREA" => FieldType::LongText,
        "NUMERIC" | "DECIMAL" => FieldType::Number,
        "YESNO" => FieldType::Bool,
        "DATE" => FieldType::Date,
        "RADIO" | "SELECT" | "CASCADINGSELECT" => FieldType::Choice,
        "CHECKBOX" => FieldType::Choices,
        "FILE" => FieldType::File,
        _ => FieldType::Other,
    }
}

/// The option in the default language, else in any, else by its tag, else by its id.
fn option_text(option: &FieldOption, language: Option<&str>) -> String {
    translated(&option.values, language)
        .or(option.tag.as_deref())
        .map_or_else(|| option.id.to_string(), str::to_owned)
}

fn translated<'a>(values: &'a [LocaleField], language: Option<&str>) -> Option<&'a str> {
    let is_default = |value: &&LocaleField| {
        language.is_some_and(|wanted| {
            value
                .locale
                .as_deref()
                .is_some_and(|found| found.eq_ignore_ascii_case(wanted))
        })
    };
    let in_default = values
        .iter()
        .filter(is_default)
        .find_map(|value| value.translation.as_deref());
    in_default.or_else(|| values.iter().find_map(|value| value.translation.as_deref()))
}

/// A choice in a tree is written `A::B` or `A\B`; here its levels are joined with ` > `, whichever it was.
fn path(text: &str) -> String {
    let levels: Vec<&str> = text
        .split("::")
        .flat_map(|part| part.split('\\'))
        .map(str::trim)
        .filter(|l| !l.is_empty())
        .collect();
    if levels.len() > 1 {
        levels.join(" > ")
    } else {
        text.to_owned()
    }
}

fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    all_digits(whole) && all_digits(fraction)
}

fn day(text: &str) -> Option<NaiveDate> {
    let head = text.get(..10)?;
    let rest = &text[10..];
    if !rest.is_empty() && !rest.starts_with(['T', ' ']) {
        return None;
    }
    NaiveDate::parse_from_str(head, "%Y-%m-%d").ok()
}
