//! How loosely Kayako's PHP side writes JSON, read once and for all (Kayako reference, sections 0 and 23.22): `null` for
//! anything, numbers as strings, strings as numbers, `[]` for an empty object, an object for a list with holes.

use std::fmt;
use std::marker::PhantomData;

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// One JSON value that is neither a list nor an object.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scalar {
    Nothing,
    Flag(bool),
    Whole(i128),
    Decimal(f64),
    Text(String),
}

impl Scalar {
    fn into_text(self) -> Option<String> {
        match self {
            Self::Nothing => None,
            Self::Flag(flag) => Some(flag.to_string()),
            Self::Whole(number) => Some(number.to_string()),
            Self::Decimal(number) => Some(number.to_string()),
            Self::Text(text) => Some(text),
        }
    }

    fn whole(&self) -> Option<i128> {
        match self {
            Self::Whole(number) => Some(*number),
            // A whole number may come as 4711.0; beyond 2^53 a float no longer names one number.
            Self::Decimal(number)
                if number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0 =>
            {
                format!("{number:.0}").parse().ok()
            }
            Self::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Nothing => true,
            Self::Text(text) => text.trim().is_empty(),
            _ => false,
        }
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number or a flag")
    }
    fn visit_unit<E: Error>(self) -> Result<Scalar, E> {
        Ok(Scalar::Nothing)
    }
    fn visit_none<E: Error>(self) -> Result<Scalar, E> {
        Ok(Scalar::Nothing)
    }
    fn visit_some<D: Deserializer<'de>>(self, d: D) -> Result<Scalar, D::Error> {
        d.deserialize_any(self)
    }
    fn visit_bool<E: Error>(self, flag: bool) -> Result<Scalar, E> {
        Ok(Scalar::Flag(flag))
    }
    fn visit_i64<E: Error>(self, number: i64) -> Result<Scalar, E> {
        Ok(Scalar::Whole(number.into()))
    }
    fn visit_u64<E: Error>(self, number: u64) -> Result<Scalar, E> {
        Ok(Scalar::Whole(number.into()))
    }
    fn visit_f64<E: Error>(self, number: f64) -> Result<Scalar, E> {
        Ok(Scalar::Decimal(number))
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(text.to_owned()))
    }
    fn visit_string<E: Error>(self, text: String) -> Result<Scalar, E> {
        Ok(Scalar::Text(text))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Scalar, A::Error> {
        match seq.next_element::<IgnoredAny>()? {
            None => Ok(Scalar::Nothing),
            Some(_) => Err(A::Error::custom("a list where a single value belongs")),
        }
    }
}

fn scalar<'de, D: Deserializer<'de>>(d: D) -> Result<Scalar, D::Error> {
    d.deserialize_any(ScalarVisitor)
}

/// A number that names a row; the one thing that may not be missing.
pub(crate) fn id<'de, D: Deserializer<'de>>(d: D) -> Result<u64, D::Error> {
    let value = scalar(d)?;
    value
        .whole()
        .and_then(|number| u64::try_from(number).ok())
        .ok_or_else(|| D::Error::custom("not an id: a whole number is needed"))
}

/// A number that may be missing; what is no whole number counts as missing.
pub(crate) fn whole<'de, D: Deserializer<'de>>(d: D) -> Result<Option<i64>, D::Error> {
    Ok(scalar(d)?
        .whole()
        .and_then(|number| i64::try_from(number).ok()))
}

/// The same without a sign.
pub(crate) fn count<'de, D: Deserializer<'de>>(d: D) -> Result<Option<u64>, D::Error> {
    Ok(scalar(d)?
        .whole()
        .and_then(|number| u64::try_from(number).ok()))
}

/// A text; empty when it is missing.
pub(crate) fn text<'de, D: Deserializer<'de>>(d: D) -> Result<String, D::Error> {
    Ok(scalar(d)?.into_text().unwrap_or_default())
}

/// A text, if there is one that is not blank.
pub(crate) fn some_text<'de, D: Deserializer<'de>>(d: D) -> Result<Option<String>, D::Error> {
    let value = scalar(d)?;
    Ok(if value.is_empty() {
        None
    } else {
        value.into_text()
    })
}

/// Yes or no, in any of PHP's spellings.
pub(crate) fn flag<'de, D: Deserializer<'de>>(d: D) -> Result<Option<bool>, D::Error> {
    Ok(match scalar(d)? {
        Scalar::Flag(flag) => Some(flag),
        Scalar::Whole(number) => Some(number != 0),
        Scalar::Text(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" => Some(true),
            "false" | "0" | "no" => Some(false),
            _ => None,
        },
        Scalar::Nothing | Scalar::Decimal(_) => None,
    })
}

/// A moment with any offset. One that cannot be read is an error: a wrong time must not pass in silence.
pub(crate) fn time<'de, D: Deserializer<'de>>(d: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    let value = scalar(d)?;
    if value.is_empty() {
        return Ok(None);
    }
    let moment = match &value {
        Scalar::Text(text) => parse_time(text),
        Scalar::Whole(seconds) => i64::try_from(*seconds)
            .ok()
            .and_then(|s| DateTime::from_timestamp(s, 0)),
        _ => None,
    };
    moment
        .map(Some)
        .ok_or_else(|| D::Error::custom("not a time"))
}

/// ISO 8601 as Kayako writes it, and what comes near.
pub(crate) fn parse_time(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.to_utc());
    }
    if let Ok(time) = DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z") {
        return Some(time.to_utc());
    }
    ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S%.f"]
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
        .map(|time| time.and_utc())
}

/// A list: missing is empty, and an object (a PHP list with holes) gives its values.
pub(crate) fn list<'de, D, T>(d: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    d.deserialize_any(ListVisitor(PhantomData))
}

struct ListVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }
    fn visit_unit<E: Error>(self) -> Result<Vec<T>, E> {
        Ok(Vec::new())
    }
    fn visit_none<E: Error>(self) -> Result<Vec<T>, E> {
        Ok(Vec::new())
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<T>, E> {
        if text.trim().is_empty() {
            Ok(Vec::new())
        } else {
            Err(E::custom("a text where a list belongs"))
        }
    }
    fn visit_bool<E: Error>(self, flag: bool) -> Result<Vec<T>, E> {
        if flag {
            Err(E::custom("a flag where a list belongs"))
        } else {
            Ok(Vec::new())
        }
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
        let mut values = Vec::with_capacity(seq.size_hint().unwrap_or(0).min(1024));
        while let Some(value) = seq.next_element()? {
            values.push(value);
        }
        Ok(values)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<T>, A::Error> {
        let mut values = Vec::new();
        while let Some((_, value)) = map.next_entry::<IgnoredAny, T>()? {
            values.push(value);
        }
        Ok(values)
    }
}

/// An object; `null`, `[]`, `false`, `""` and an object without keys are none.
pub(crate) fn object<'de, D, T>(d: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    d.deserialize_any(ObjectVisitor(PhantomData))
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }
    fn visit_unit<E: Error>(self) -> Result<Option<T>, E> {
        Ok(None)
    }
    fn visit_none<E: Error>(self) -> Result<Option<T>, E> {
        Ok(None)
    }
    fn visit_bool<E: Error>(self, flag: bool) -> Result<Option<T>, E> {
        if flag {
            Err(E::custom("a flag where an object belongs"))
        } else {
            Ok(None)
        }
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Option<T>, E> {
        if text.trim().is_empty() {
            Ok(None)
        } else {
            Err(E::custom("a text where an object belongs"))
        }
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Option<T>, A::Error> {
        match seq.next_element::<IgnoredAny>()? {
            None => Ok(None),
            Some(_) => Err(A::Error::custom("a list where an object belongs")),
        }
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Option<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Some)
    }
}

/// The value of a custom field: always a text on paper (Kayako reference, section 12); a list counts as its csv.
pub(crate) fn value<'de, D: Deserializer<'de>>(d: D) -> Result<String, D::Error> {
    struct Value;
    impl<'de> Visitor<'de> for Value {
        type Value = String;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the value of a field")
        }
        fn visit_unit<E: Error>(self) -> Result<String, E> {
            Ok(String::new())
        }
        fn visit_none<E: Error>(self) -> Result<String, E> {
            Ok(String::new())
        }
        fn visit_bool<E: Error>(self, flag: bool) -> Result<String, E> {
            Ok(if flag { "yes" } else { "no" }.to_owned())
        }
        fn visit_i64<E: Error>(self, number: i64) -> Result<String, E> {
            Ok(number.to_string())
        }
        fn visit_u64<E: Error>(self, number: u64) -> Result<String, E> {
            Ok(number.to_string())
        }
        fn visit_f64<E: Error>(self, number: f64) -> Result<String, E> {
            Ok(number.to_string())
        }
        fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
            Ok(text.to_owned())
        }
        fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<String, A::Error> {
            let parts: Vec<Part> = Vec::deserialize(SeqAccessDeserializer::new(seq))?;
            Ok(parts
                .into_iter()
                .map(|part| part.0)
                .collect::<Vec<_>>()
                .join(","))
        }
    }
    struct Part(String);
    impl<'de> Deserialize<'de> for Part {
        fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
            text(d).map(Self)
        }
    }
    d.deserialize_any(Value)
}

/// A language: documented as a text, seen as a row of the locales, expanded or not (then its id stands for it).
pub(crate) fn language<'de, D: Deserializer<'de>>(d: D) -> Result<Option<String>, D::Error> {
    let found = serde_json::Value::deserialize(d)?;
    let named = found
        .get("locale")
        .or_else(|| found.get("id"))
        .unwrap_or(&found);
    Ok(match named {
        serde_json::Value::String(name) if !name.trim().is_empty() => Some(name.clone()),
        serde_json::Value::Number(id) => Some(id.to_string()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Row {
        #[serde(deserialize_with = "id")]
        id: u64,
        #[serde(default, deserialize_with = "text")]
        name: String,
        #[serde(default, deserialize_with = "flag")]
        on: Option<bool>,
        #[serde(default, deserialize_with = "time")]
        at: Option<DateTime<Utc>>,
        #[serde(default, deserialize_with = "list")]
        many: Vec<i64>,
        #[serde(default, deserialize_with = "object")]
        one: Option<Inner>,
        #[serde(default, deserialize_with = "value")]
        value: String,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    struct Inner {
        #[serde(default, deserialize_with = "count")]
        n: Option<u64>,
    }

    fn bare(id: u64) -> Row {
        Row {
            id,
            name: String::new(),
            on: None,
            at: None,
            many: vec![],
            one: None,
            value: String::new(),
        }
    }

    #[test]
    fn every_field_but_the_id_may_be_missing_null_or_empty_in_phps_way() {
        for json in [
            r#"{"id":7}"#,
            r#"{"id":"7"}"#,
            r#"{"id":7.0}"#,
            r#"{"id":7,"name":null,"on":null,"at":null,"many":null,"one":null,"value":null,"new":{"x":1}}"#,
            r#"{"id":7,"name":"","on":"","at":"","many":"","one":[],"value":""}"#,
            r#"{"id":7,"name":[],"many":{},"one":false}"#,
        ] {
            assert_eq!(
                serde_json::from_str::<Row>(json).unwrap(),
                bare(7),
                "{json}"
            );
        }
    }

    #[test]
    fn values_are_read_in_either_spelling() {
        let row: Row = serde_json::from_str(
            r#"{"id":"80014400777","name":12,"on":"1","at":"2023-02-01T10:00:00+02:00","many":{"0":1,"2":3},"one":{"n":"5"},"value":["7",8]}"#,
        )
        .unwrap();
        assert_eq!(row.id, 80_014_400_777);
        assert_eq!(row.name, "12");
        assert_eq!(row.on, Some(true));
        assert_eq!(row.at.unwrap().to_rfc3339(), "2023-02-01T08:00:00+00:00");
        assert_eq!(row.many, [1, 3]);
        assert_eq!(row.one, Some(Inner { n: Some(5) }));
        assert_eq!(row.value, "7,8");
    }

    #[test]
    fn what_cannot_be_meant_is_an_error_and_not_a_guess() {
        for json in [
            r#"{"id":null}"#,
            r#"{"id":"seven"}"#,
            r#"{"id":-1}"#,
            r#"{"id":7,"at":"yesterday"}"#,
            r#"{"id":7,"one":"five"}"#,
            r#"{"id":7,"name":{"a":1}}"#,
        ] {
            assert!(serde_json::from_str::<Row>(json).is_err(), "{json}");
        }
    }
}
