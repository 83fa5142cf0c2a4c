//! Changes of a mapping file's text that leave everything else of it as it is.

use std::fmt::Write;
use std::ops::Range;

use deskferry_core::error::{Error, ErrorKind, Result};
use deskferry_core::mapped::{Change, NewField};
use deskferry_core::model::FieldType;
use toml::de::{DeTable, DeValue};

const DOING: &str = "change the mapping";

/// The text with these changes, one after the other.
pub(crate) fn edited(text: &str, changes: &[Change]) -> Result<String> {
    let mut text = text.to_owned();
    for change in changes {
        text = match change {
            Change::Add {
                object,
                field,
                from,
                create,
            } => add(&text, object, field, from, create.as_ref())?,
            Change::Value {
                object,
                field,
                meaning,
                becomes,
            } => value(&text, object, field, meaning, becomes)?,
            Change::Remove { object, field } => remove(&text, object, field)?,
        };
    }
    Ok(text)
}

fn add(
    text: &str,
    object: &str,
    field: &str,
    from: &str,
    create: Option<&NewField>,
) -> Result<String> {
    if line_of(text, object, field)?.is_some() {
        return Err(refused(format!(
            "it has a line for {object}.{field} already"
        )));
    }
    let heads = [
        format!("[{object}.fields]"),
        format!("[objects.{object}.fields]"),
    ];
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        at += line.len();
        let said = line.split('#').next().unwrap_or_default().trim();
        if heads.iter().any(|head| head == said) {
            let mut out = text[..at].to_owned();
            if !out.ends_with('\n') {
                out.push('\n');
            }
            // Writing to a string cannot fail.
            let _ = writeln!(out, "{}", written(field, from, create));
            out.push_str(&text[at..]);
            return Ok(out);
        }
    }
    Err(refused(format!("it has no table [{object}.fields]")))
}

fn written(field: &str, from: &str, create: Option<&NewField>) -> String {
    let from = quoted(from);
    match create {
        None => format!("{field} = {{ from = {from} }}"),
        Some(new) => {
            let (label, kind) = (quoted(&new.label), kind(new));
            format!("{field} = {{ from = {from}, create = {{ label = {label}, {kind} }} }}")
        }
    }
}

fn kind(new: &NewField) -> String {
    let list = |kind: &str| {
        let values: Vec<String> = new.values.iter().map(|v| quoted(v)).collect();
        format!("type = \"{kind}\", values = [{}]", values.join(", "))
    };
    match new.holds {
        FieldType::Choice if !new.values.is_empty() => list("Picklist"),
        FieldType::Choices if !new.values.is_empty() => list("MultiselectPicklist"),
        FieldType::Text | FieldType::Choice => "type = \"Text\", length = 255".into(),
        FieldType::Number => "type = \"Number\", precision = 18, scale = 4".into(),
        FieldType::Bool => "type = \"Checkbox\"".into(),
        FieldType::Date => "type = \"Date\"".into(),
        FieldType::DateTime => "type = \"DateTime\"".into(),
        _ => "type = \"LongTextArea\", length = 32768".into(),
    }
}

fn value(text: &str, object: &str, field: &str, meaning: &str, becomes: &str) -> Result<String> {
    let missing = || {
        refused(format!(
            "it has no value for `{meaning}` at {object}.{field}"
        ))
    };
    let document = parsed(text)?;
    let line = fields(&document, object).and_then(|table| {
        let (_, line) = table.iter().find(|(name, _)| name.get_ref() == field)?;
        line.get_ref().as_table()
    });
    let values = line.and_then(|line| line.get("values")?.get_ref().as_table());
    let span = values
        .and_then(|values| values.get(meaning))
        .map(|value| value.span())
        .ok_or_else(missing)?;
    let mut out = text.to_owned();
    out.replace_range(span, &quoted(becomes));
    Ok(out)
}

fn remove(text: &str, object: &str, field: &str) -> Result<String> {
    let span = line_of(text, object, field)?
        .ok_or_else(|| refused(format!("it has no line for {object}.{field}")))?;
    let begin = text[..span.start].rfind('\n').map_or(0, |n| n + 1);
    let end = text[span.end..]
        .find('\n')
        .map_or(text.len(), |n| span.end + n + 1);
    let before = text[begin..span.start].trim();
    if !before.is_empty() {
        return Err(refused(format!(
            "{object}.{field} shares its line with something else"
        )));
    }
    Ok(format!("{}{}", &text[..begin], &text[end..]))
}

/// From a field's name to the end of what is said of it.
fn line_of(text: &str, object: &str, field: &str) -> Result<Option<Range<usize>>> {
    let document = parsed(text)?;
    Ok(fields(&document, object).and_then(|table| {
        let (name, line) = table
            .iter()
            .find(|(name, _)| name.get_ref().eq_ignore_ascii_case(field))?;
        Some(name.span().start..line.span().end)
    }))
}

fn fields<'a, 't>(document: &'a DeTable<'t>, object: &str) -> Option<&'a DeTable<'t>> {
    let of = |table: &'a DeTable<'t>| -> Option<&'a DeTable<'t>> {
        let inner: &DeValue<'t> = table.get(object)?.get_ref();
        inner.as_table()?.get("fields")?.get_ref().as_table()
    };
    of(document).or_else(|| of(document.get("objects")?.get_ref().as_table()?))
}

fn parsed(text: &str) -> Result<DeTable<'_>> {
    let document = DeTable::parse(text).map_err(|e| refused(e.message().to_owned()))?;
    Ok(document.into_inner())
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn refused(said: String) -> Error {
    Error::new(ErrorKind::Config, DOING, said).advise("Change the file by hand")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::Mapping;

    fn of(object: &str, field: &str) -> (String, String) {
        (object.into(), field.into())
    }

    #[test]
    fn lines_are_added_changed_and_taken_out_and_nothing_else_is_another() {
        let (object, field) = of("Case", "Serial__c");
        let new = NewField {
            label: "Serial \"No\"".into(),
            holds: FieldType::Choice,
            values: vec!["A".into(), "B \\ C".into()],
        };
        let shipped = Mapping::default_text();
        let add = Change::Add {
            object,
            field,
            from: "custom.serial".into(),
            create: Some(new),
        };
        let with = edited(shipped, std::slice::from_ref(&add)).unwrap();
        let spec = Mapping::parse(&with).unwrap().required_fields();
        let spec = spec.iter().find(|f| f.name == "Serial__c").unwrap();
        assert_eq!(spec.values, ["A", "B \\ C"]);
        assert_eq!(spec.label, "Serial \"No\"");
        assert!(
            edited(&with, &[add])
                .unwrap_err()
                .to_string()
                .contains("already")
        );
        let (object, field) = of("Case", "Serial__c");
        let without = edited(&with, &[Change::Remove { object, field }]).unwrap();
        assert_eq!(without, shipped);
        let (object, field) = of("Case", "Status");
        let change = Change::Value {
            object,
            field,
            meaning: "open".into(),
            becomes: "In \"Arbeit\"".into(),
        };
        let changed = edited(shipped, &[change]).unwrap();
        assert_eq!(
            changed,
            shipped.replace("open = \"Working\"", "open = 'In \"Arbeit\"'")
        );
        assert!(Mapping::parse(&changed).is_ok());
    }

    #[test]
    fn what_has_no_place_is_refused() {
        let shipped = Mapping::default_text();
        for change in [
            Change::Remove {
                object: "Case".into(),
                field: "Nothing".into(),
            },
            Change::Value {
                object: "Case".into(),
                field: "Subject".into(),
                meaning: "open".into(),
                becomes: "X".into(),
            },
            Change::Add {
                object: "Order__c".into(),
                field: "X__c".into(),
                from: "custom.x".into(),
                create: None,
            },
        ] {
            assert_eq!(
                edited(shipped, &[change]).unwrap_err().kind(),
                ErrorKind::Config
            );
        }
    }
}
