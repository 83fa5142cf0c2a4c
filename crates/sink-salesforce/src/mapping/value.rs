//! From what a record says to what a field takes.

use std::borrow::Cow;

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use deskferry_core::model::CustomValue;
use serde_json::{Number, Value};

use super::people::is_email;
use super::text;
use crate::schema::{Field, FieldKind};

/// What a record says about one thing.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fact<'a> {
    /// Nothing.
    Nothing,
    /// Text, of any length.
    Text(Cow<'a, str>),
    /// A meaning and the source's word for it.
    Choice { is: &'static str, raw: &'a str },
    /// Yes or no.
    Bool(bool),
    /// A number in plain notation.
    Number(&'a str),
    /// A whole number that is counted.
    Count(u64),
    /// A day.
    Date(NaiveDate),
    /// A moment.
    Time(DateTime<Utc>),
    /// Several texts.
    List(&'a [String]),
    /// Labels: those that a list has are chosen from it.
    Tags(&'a [String]),
    /// The id of a row.
    Id(Cow<'a, str>),
    /// The ids of rows.
    Ids(Cow<'a, [String]>),
    /// Anything else.
    Json(&'a Value),
}

impl<'a> Fact<'a> {
    pub(crate) fn text(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    pub(crate) fn maybe_text(text: Option<&'a str>) -> Self {
        text.map_or(Self::Nothing, Self::text)
    }

    pub(crate) fn maybe_time(time: Option<DateTime<Utc>>) -> Self {
        time.map_or(Self::Nothing, Self::Time)
    }

    pub(crate) fn maybe_count(count: Option<u64>) -> Self {
        count.map_or(Self::Nothing, Self::Count)
    }

    pub(crate) fn maybe_id(id: Option<&'a str>) -> Self {
        id.map_or(Self::Nothing, |id| Self::Id(Cow::Borrowed(id)))
    }

    pub(crate) fn custom(value: &'a CustomValue) -> Self {
        match value {
            CustomValue::Text(text) => Self::text(text),
            CustomValue::Choice(text) => Self::Choice { is: "", raw: text },
            CustomValue::Number(number) => Self::Number(number),
            CustomValue::Bool(value) => Self::Bool(*value),
            CustomValue::Date(day) => Self::Date(*day),
            CustomValue::DateTime(time) => Self::Time(*time),
            CustomValue::Choices(list) => Self::List(list),
            CustomValue::Json(value) => Self::Json(value),
            _ => Self::Nothing,
        }
    }

    /// As text for people: a choice by the source's own word, else by its meaning.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Choice { is, raw } if raw.trim().is_empty() => (*is).to_owned(),
            fact => fact.plain().into_owned(),
        }
    }

    /// As text for people, and for fields that hold text.
    fn plain(&self) -> Cow<'_, str> {
        match self {
            Self::Nothing => Cow::Borrowed(""),
            Self::Text(text) | Self::Id(text) => text::clean(text),
            Self::Choice { raw, .. } => text::clean(raw),
            Self::Number(number) => Cow::Borrowed(number),
            Self::Count(count) => Cow::Owned(count.to_string()),
            Self::Bool(value) => Cow::Borrowed(if *value { "true" } else { "false" }),
            Self::Date(day) => Cow::Owned(day.to_string()),
            Self::Time(time) => Cow::Owned(time.to_rfc3339_opts(SecondsFormat::Secs, true)),
            Self::List(list) | Self::Tags(list) => {
                Cow::Owned(text::clean(&list.join("; ")).into_owned())
            }
            Self::Ids(list) => Cow::Owned(list.join(";")),
            Self::Json(value) => Cow::Owned(value.to_string()),
        }
    }
}

/// What became of a fact.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fitted {
    /// Nothing is sent.
    Nothing,
    /// This is sent.
    Value(Value),
    /// A beginning is sent; the whole is kept elsewhere.
    Cut { value: String, whole: String },
    /// The field cannot hold it; the text is kept elsewhere.
    Unfit(String),
}

/// A moment as the platform reads it, to the second.
pub(crate) fn moment(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}

/// The value of a fact in a field.
pub(crate) fn fit(fact: &Fact<'_>, field: &Field) -> Fitted {
    if let Fact::Ids(ids) = fact {
        return if ids.is_empty() {
            Fitted::Nothing
        } else {
            Fitted::Value(Value::from(ids.to_vec()))
        };
    }
    let plain = fact.plain();
    if plain.trim().is_empty() {
        return Fitted::Nothing;
    }
    if let (Fact::Tags(tags), FieldKind::Multipicklist) = (fact, field.holds) {
        return chosen_tags(tags, field);
    }
    let typed = match field.holds {
        FieldKind::Checkbox => checkbox(fact, &plain),
        FieldKind::Number => number(&plain, field),
        FieldKind::Date => day(fact, &plain),
        FieldKind::DateTime => date_time(fact, &plain),
        FieldKind::Email => {
            is_email(plain.trim(), field.length.max(80)).then(|| Value::from(plain.trim()))
        }
        FieldKind::Picklist => field.picklist_value(plain.trim()).map(Value::from),
        FieldKind::Multipicklist => several(fact, &plain, field),
        FieldKind::Reference => Some(Value::from(plain.as_ref())),
        _ => return written(plain, field.length),
    };
    typed.map_or_else(|| Fitted::Unfit(plain.into_owned()), Fitted::Value)
}

fn written(plain: Cow<'_, str>, length: usize) -> Fitted {
    if length == 0 || text::length(&plain) <= length {
        return Fitted::Value(Value::from(plain.into_owned()));
    }
    Fitted::Cut {
        value: text::cut(&plain, length).to_owned(),
        whole: plain.into_owned(),
    }
}

fn checkbox(fact: &Fact<'_>, plain: &str) -> Option<Value> {
    match fact {
        Fact::Bool(value) => Some(Value::Bool(*value)),
        _ => match plain.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" | "1" => Some(Value::Bool(true)),
            "false" | "no" | "0" => Some(Value::Bool(false)),
            _ => None,
        },
    }
}

/// A number with at most as many digits before the point as the field has. More than 15 digits travel as text, since
/// a JSON number may be read as a binary one on the way.
fn number(plain: &str, field: &Field) -> Option<Value> {
    let plain = plain.trim();
    let digits = plain.strip_prefix(['-', '+']).unwrap_or(plain);
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let decimal = !digits.is_empty()
        && !whole.is_empty()
        && (whole.to_owned() + part)
            .bytes()
            .all(|b| b.is_ascii_digit());
    let whole = whole.trim_start_matches('0');
    let room = if field.precision == 0 {
        18
    } else {
        field.precision
    } - field.scale.min(field.precision);
    if !decimal || whole.len() > room {
        return None;
    }
    if whole.len() + part.len() > 15 {
        return Some(Value::from(plain));
    }
    let plain = plain.strip_prefix('+').unwrap_or(plain);
    plain.parse::<i64>().map(Value::from).ok().or_else(|| {
        plain
            .parse()
            .ok()
            .and_then(Number::from_f64)
            .map(Value::Number)
    })
}

fn day(fact: &Fact<'_>, plain: &str) -> Option<Value> {
    let day = match fact {
        Fact::Date(day) => Some(*day),
        Fact::Time(time) => Some(time.date_naive()),
        _ => NaiveDate::parse_from_str(plain.trim(), "%Y-%m-%d").ok(),
    };
    day.map(|day| Value::from(day.to_string()))
}

fn date_time(fact: &Fact<'_>, plain: &str) -> Option<Value> {
    let time = match fact {
        Fact::Time(time) => Some(*time),
        Fact::Date(day) => day.and_hms_opt(0, 0, 0).map(|t| t.and_utc()),
        _ => DateTime::parse_from_rfc3339(plain.trim())
            .ok()
            .map(|t| t.to_utc()),
    };
    time.map(|time| Value::from(moment(time)))
}

/// Several values joined with `;`: all of them values of the list, or the whole does not fit.
fn several(fact: &Fact<'_>, plain: &str, field: &Field) -> Option<Value> {
    let one = [plain.to_owned()];
    let list = if let Fact::List(list) = fact {
        list
    } else {
        &one[..]
    };
    let known: Option<Vec<&str>> = list
        .iter()
        .map(|v| field.picklist_value(v.trim()))
        .collect();
    known.map(|known| Value::from(known.join(";")))
}

/// The most values of a list that one row may choose, and the most characters of them (Salesforce objects, section 3).
const MOST_CHOSEN: usize = 100;
const LONGEST_CHOICE: usize = 4_099;

/// Those of the tags that the list has, in its spelling and each once; all of them are kept beside it where one is left out.
fn chosen_tags(tags: &[String], field: &Field) -> Fitted {
    let longest = match field.length {
        0 => LONGEST_CHOICE,
        length => length.min(LONGEST_CHOICE),
    };
    let mut chosen: Vec<&str> = Vec::new();
    let (mut length, mut all) = (0, true);
    for tag in tags.iter().filter(|tag| !tag.trim().is_empty()) {
        // A semicolon ends a value.
        let plain = text::collapse(tag).replace(';', ",");
        match field.picklist_value(&plain) {
            Some(value) if chosen.contains(&value) => {}
            Some(value) if chosen.len() < MOST_CHOSEN && length + text::length(value) < longest => {
                length += text::length(value) + 1;
                chosen.push(value);
            }
            _ => all = false,
        }
    }
    let whole = || text::clean(&tags.join("; ")).into_owned();
    match (chosen.is_empty(), all) {
        (true, true) => Fitted::Nothing,
        (true, false) => Fitted::Unfit(whole()),
        (false, true) => Fitted::Value(Value::from(chosen.join(";"))),
        (false, false) => Fitted::Cut {
            value: chosen.join(";"),
            whole: whole(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn field(holds: FieldKind, length: usize) -> Field {
        Field {
            name: "F__c".into(),
            holds,
            length,
            precision: 5,
            scale: 2,
            createable: true,
            updateable: true,
            required: false,
            external_id: false,
            unique: false,
            case_sensitive: false,
            values: vec!["Red".into(), "Blue".into()],
            default: None,
            reference_to: Vec::new(),
        }
    }

    #[test]
    fn values_are_converted_to_the_type_of_their_field() {
        let red_blue = ["red".to_owned(), "Blue".to_owned()];
        let red_green = ["red".to_owned(), "green".to_owned()];
        let time = DateTime::parse_from_rfc3339("2021-03-04T05:06:07.89Z")
            .unwrap()
            .to_utc();
        let none = || Fitted::Nothing;
        let value = |v: Value| Fitted::Value(v);
        let unfit = |t: &str| Fitted::Unfit(t.into());
        for (fact, holds, expected) in [
            (Fact::Nothing, FieldKind::Text, none()),
            (Fact::text(" \n"), FieldKind::Text, none()),
            (
                Fact::text("a\r\nb"),
                FieldKind::LongText,
                value(json!("a\nb")),
            ),
            (Fact::Bool(true), FieldKind::Text, value(json!("true"))),
            (
                Fact::List(&red_blue),
                FieldKind::Text,
                value(json!("red; Blue")),
            ),
            (
                Fact::Time(time),
                FieldKind::Text,
                value(json!("2021-03-04T05:06:07Z")),
            ),
            (Fact::text("Yes"), FieldKind::Checkbox, value(json!(true))),
            (Fact::text("maybe"), FieldKind::Checkbox, unfit("maybe")),
            (Fact::Number("12"), FieldKind::Number, value(json!(12))),
            (Fact::Count(12), FieldKind::Number, value(json!(12))),
            (Fact::Count(1_000), FieldKind::Number, unfit("1000")),
            (Fact::Count(7), FieldKind::Text, value(json!("7"))),
            (
                Fact::Number("-12.5"),
                FieldKind::Number,
                value(json!(-12.5)),
            ),
            (Fact::Number("1000"), FieldKind::Number, unfit("1000")),
            (Fact::Number("1e5"), FieldKind::Number, unfit("1e5")),
            (Fact::text("1.2.3"), FieldKind::Number, unfit("1.2.3")),
            (
                Fact::Time(time),
                FieldKind::Date,
                value(json!("2021-03-04")),
            ),
            (
                Fact::text("2021-03-04"),
                FieldKind::Date,
                value(json!("2021-03-04")),
            ),
            (Fact::text("4.3.21"), FieldKind::Date, unfit("4.3.21")),
            (
                Fact::Time(time),
                FieldKind::DateTime,
                value(json!("2021-03-04T05:06:07.000Z")),
            ),
            (Fact::text("RED"), FieldKind::Picklist, value(json!("Red"))),
            (Fact::text("Green"), FieldKind::Picklist, unfit("Green")),
            (
                Fact::List(&red_blue),
                FieldKind::Multipicklist,
                value(json!("Red;Blue")),
            ),
            (
                Fact::List(&red_green),
                FieldKind::Multipicklist,
                unfit("red; green"),
            ),
            (
                Fact::text("Ann@Example.org"),
                FieldKind::Email,
                value(json!("Ann@Example.org")),
            ),
            (Fact::text("nobody"), FieldKind::Email, unfit("nobody")),
        ] {
            assert_eq!(
                fit(&fact, &field(holds, 80)),
                expected,
                "{fact:?} as {holds:?}"
            );
        }
    }

    #[test]
    fn tags_are_chosen_from_a_list_as_far_as_it_has_them() {
        let list = |values: Vec<String>| Field {
            values,
            ..field(FieldKind::Multipicklist, 4_099)
        };
        let colours = list(vec!["Red".into(), "Dark, blue".into()]);
        let tags =
            |tags: &[&str]| -> Vec<String> { tags.iter().map(|t| (*t).to_owned()).collect() };
        let cut = |value: &str, whole: &str| Fitted::Cut {
            value: value.into(),
            whole: whole.into(),
        };
        for (given, expected) in [
            (&["red", " RED "][..], Fitted::Value(json!("Red"))),
            (&["green", "red"], cut("Red", "green; red")),
            (
                &["dark;  blue", "red"],
                Fitted::Value(json!("Dark, blue;Red")),
            ),
            (&["green"], Fitted::Unfit("green".into())),
            (&[" "], Fitted::Nothing),
        ] {
            let given = tags(given);
            assert_eq!(fit(&Fact::Tags(&given), &colours), expected, "{given:?}");
        }
        let many: Vec<String> = (0..150).map(|n| format!("tag {n}")).collect();
        let Fitted::Cut { value, whole } = fit(&Fact::Tags(&many), &list(many.clone())) else {
            panic!("more than a row may choose");
        };
        assert_eq!(value.split(';').count(), MOST_CHOSEN);
        assert!(whole.ends_with("tag 149"));
        let long: Vec<String> = (0..90).map(|n| format!("{n}{}", "x".repeat(80))).collect();
        let Fitted::Cut { value, .. } = fit(&Fact::Tags(&long), &list(long.clone())) else {
            panic!("longer than a field");
        };
        assert!(text::length(&value) <= LONGEST_CHOICE && value.len() > 4_000);
    }

    #[test]
    fn long_numbers_travel_as_text() {
        let wide = Field {
            precision: 18,
            scale: 0,
            ..field(FieldKind::Number, 0)
        };
        assert_eq!(
            fit(&Fact::Number("123456789012345678"), &wide),
            Fitted::Value(json!("123456789012345678"))
        );
    }

    #[test]
    fn a_text_that_is_too_long_is_cut_and_kept_whole() {
        let cut = fit(&Fact::text("abcdef"), &field(FieldKind::Text, 4));
        assert_eq!(
            cut,
            Fitted::Cut {
                value: "abcd".into(),
                whole: "abcdef".into()
            }
        );
    }
}
