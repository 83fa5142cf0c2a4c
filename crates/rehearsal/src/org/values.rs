//! Single values: what a field accepts, and in which form it keeps it.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, SubsecRound, Timelike, Utc};
use serde_json::{Number, Value, json};

use super::error::Refusal;
use super::richtext;
use super::schema::{Field, Kind, Object};

/// `2026-01-02T03:04:05.000+0000`, the form of every answer; it sorts as its moment.
pub(crate) fn date_time_text(moment: DateTime<Utc>) -> String {
    // By hand: a pattern would be read anew for each of the dates of each row.
    let mut text = String::with_capacity(28);
    let mut push = |number: u32, digits: u32, mark: &str| {
        for place in (0..digits).rev() {
            let digit = number / 10_u32.pow(place) % 10;
            text.push(char::from_digit(digit, 10).unwrap_or('0'));
        }
        text.push_str(mark);
    };
    push(u32::try_from(moment.year()).unwrap_or(0), 4, "-");
    push(moment.month(), 2, "-");
    push(moment.day(), 2, "T");
    push(moment.hour(), 2, ":");
    push(moment.minute(), 2, ":");
    push(moment.second(), 2, ".000+0000");
    text
}

/// A moment as clients write it: with `Z`, `+00:00` or `+0000`, with or without fractions, which are dropped.
pub(crate) fn moment(text: &str) -> Option<DateTime<Utc>> {
    if let Some(plain) = plain_moment(text.as_bytes()) {
        return Some(plain);
    }
    let parsed = DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"))
        .map(|moment| moment.with_timezone(&Utc))
        .or_else(|_| {
            NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").map(|m| m.and_utc())
        })
        .ok()?;
    (1700..4001)
        .contains(&parsed.year())
        .then(|| parsed.trunc_subsecs(0))
}

/// The two spellings in UTC that nearly every row has: `2026-01-02T03:04:05Z` and `2026-01-02T03:04:05.000+0000`. Any other,
/// good or bad, is left to the whole parser.
fn plain_moment(text: &[u8]) -> Option<DateTime<Utc>> {
    let (head, zone) = text.split_at_checked(19)?;
    let in_utc = matches!(zone, b"Z" | b".000Z" | b".000+0000" | b"+00:00");
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if !in_utc || marks.iter().any(|(at, mark)| head[*at] != *mark) {
        return None;
    }
    let number = |at: usize, length: usize| {
        head[at..at + length].iter().try_fold(0_u32, |sum, digit| {
            digit
                .is_ascii_digit()
                .then(|| sum * 10 + u32::from(digit - b'0'))
        })
    };
    let year = i32::try_from(number(0, 4)?).ok()?;
    let day = NaiveDate::from_ymd_opt(year, number(5, 2)?, number(8, 2)?)?;
    let moment = day.and_hms_opt(number(11, 2)?, number(14, 2)?, number(17, 2)?)?;
    (1700..4001).contains(&year).then(|| moment.and_utc())
}

pub(crate) fn day(text: &str) -> Option<NaiveDate> {
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    (1700..4001).contains(&day.year()).then_some(day)
}

/// A time of day, `08:30:00.000Z`, of anything from `8:30` on.
pub(crate) fn time(text: &str) -> Option<String> {
    let text = text.strip_suffix('Z').unwrap_or(text);
    let known = ["%H:%M:%S%.f", "%H:%M"];
    let mut parsed = known
        .iter()
        .filter_map(|form| NaiveTime::parse_from_str(text, form).ok());
    Some(parsed.next()?.format("%H:%M:%S.000Z").to_string())
}

/// The value as it is stored (null: cleared), or why it cannot be.
pub(crate) fn accept(
    object: &Object,
    field: &Field,
    value: &Value,
    extra: bool,
) -> Result<Value, Refusal> {
    if value.is_null() {
        return Ok(if field.kind == Kind::Boolean {
            json!(false)
        } else {
            Value::Null
        });
    }
    match field.kind {
        Kind::Boolean => boolean(field, value),
        Kind::Int => whole(field, value),
        Kind::Double | Kind::Currency | Kind::Percent => decimal(field, value),
        Kind::Junction | Kind::Address | Kind::Base64 | Kind::Id => Err(wrong_type(field, value)),
        _ => match value {
            Value::String(text) => text_value(object, field, text, extra),
            Value::Number(number) => text_value(object, field, &number.to_string(), extra),
            Value::Bool(flag) => text_value(object, field, &flag.to_string(), extra),
            _ => Err(wrong_type(field, value)),
        },
    }
}

/// The same of a text, without making a value of it first where that is not needed.
pub(crate) fn accept_text(
    object: &Object,
    field: &Field,
    text: &str,
    extra: bool,
) -> Result<Value, Refusal> {
    let is_plain = !field.is_number() && field.kind != Kind::Boolean;
    match field.kind {
        Kind::Junction | Kind::Address | Kind::Base64 | Kind::Id => {
            Err(wrong_type(field, &json!(text)))
        }
        _ if is_plain => text_value(object, field, text, extra),
        _ => accept(object, field, &json!(text), extra),
    }
}

fn text_value(object: &Object, field: &Field, raw: &str, extra: bool) -> Result<Value, Refusal> {
    // Controls of ASCII are bytes of their own in any text.
    let is_bad = |c: &u8| *c < 0x20 && !matches!(c, b'\n' | b'\r' | b'\t');
    if let Some(bad) = raw.bytes().find(is_bad) {
        let message = format!(
            "{}: character U+{:04X} is outside the supported character set",
            field.label, bad
        );
        return Err(Refusal::new("TEXT_DATA_OUTSIDE_SUPPORTED_CHARSET", message).on(&field.name));
    }
    let text = raw.trim();
    if text.is_empty() {
        return Ok(Value::Null);
    }
    match field.kind {
        Kind::Date => match day(text.get(..10).unwrap_or(text)) {
            Some(day) => Ok(json!(day.to_string())),
            None => Err(wrong_type(field, &json!(raw))),
        },
        Kind::DateTime => match moment(text) {
            Some(moment) => Ok(json!(date_time_text(moment))),
            None => Err(wrong_type(field, &json!(raw))),
        },
        Kind::Time => match time(text) {
            Some(time) => Ok(json!(time)),
            None => Err(wrong_type(field, &json!(raw))),
        },
        Kind::Picklist => picklist(field, text),
        Kind::MultiPicklist => multi_picklist(field, text),
        Kind::RichText => {
            let clean = richtext::sanitised(text);
            within_length(field, &clean)?;
            Ok(if clean.is_empty() {
                Value::Null
            } else {
                json!(clean)
            })
        }
        Kind::Email => email(object, field, text),
        Kind::Reference => Ok(json!(text)),
        _ => {
            within_length(field, text)?;
            let doubled = extra && field.name == "Subject";
            Ok(if doubled {
                json!(single_blanks(text))
            } else {
                json!(text)
            })
        }
    }
}

/// The undocumented change of an org with `extra_normalisation`.
fn single_blanks(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c != ' ' || !out.ends_with(' ') {
            out.push(c);
        }
    }
    out
}

/// Lengths count UTF-16 units, so a character outside the basic plane counts two: whether the platform does is not
/// certain, and a text cut by this count fits either way.
fn within_length(field: &Field, text: &str) -> Result<(), Refusal> {
    let limit = field.byte_limit.unwrap_or(field.length);
    let size = if field.byte_limit.is_some() {
        encoded_bytes(text)
    } else if text.len() <= limit {
        // No text has more units than bytes.
        return Ok(());
    } else {
        text.encode_utf16().count()
    };
    if limit == 0 || size <= limit {
        return Ok(());
    }
    let start: String = text.chars().take(50).collect();
    let message = format!(
        "{}: data value too large: {start} (max length={limit})",
        field.label
    );
    Err(Refusal::new("STRING_TOO_LONG", message).on(&field.name))
}

/// UTF-8 bytes after HTML encoding, which is how the 4,000 of a CaseComment are counted (Salesforce object
/// reference, section 4.3).
pub(crate) fn encoded_bytes(text: &str) -> usize {
    let cost = |c: char| match c {
        '&' | '\'' => 5,
        '<' | '>' => 4,
        '"' => 6,
        _ => c.len_utf8(),
    };
    text.chars().map(cost).sum()
}

fn picklist(field: &Field, text: &str) -> Result<Value, Refusal> {
    match field.pick(text) {
        Some(known) => Ok(json!(known.value)),
        None if field.restricted => {
            let message = format!(
                "{}: bad value for restricted picklist field: {text}",
                field.label
            );
            Err(Refusal::new("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message).on(&field.name))
        }
        None => within_length(field, text).map(|()| json!(text)),
    }
}

/// Doubles fall together, known values come in the order of their definition, others behind them.
fn multi_picklist(field: &Field, text: &str) -> Result<Value, Refusal> {
    let mut chosen: Vec<String> = Vec::new();
    for part in text
        .split(';')
        .map(str::trim)
        .filter(|part| !part.is_empty())
    {
        let Value::String(value) = picklist(field, part)? else {
            continue;
        };
        if !chosen
            .iter()
            .any(|before| before.to_lowercase() == value.to_lowercase())
        {
            chosen.push(value);
        }
    }
    chosen.sort_by_key(|value| {
        field
            .values
            .iter()
            .position(|known| known.value == *value)
            .unwrap_or(usize::MAX)
    });
    let joined = chosen.join(";");
    within_length(field, &joined)?;
    Ok(if joined.is_empty() {
        Value::Null
    } else {
        json!(joined)
    })
}

fn email(object: &Object, field: &Field, text: &str) -> Result<Value, Refusal> {
    within_length(field, text)?;
    if !is_address(text) {
        let message = format!("{}: invalid email address: {text}", field.label);
        return Err(Refusal::new("INVALID_EMAIL_ADDRESS", message).on(&field.name));
    }
    // A mail keeps its sender as written; people's addresses are stored in lower case.
    Ok(if object.name == "EmailMessage" {
        json!(text)
    } else {
        json!(text.to_lowercase())
    })
}

/// The platform's own idea of an address (Salesforce object reference, section 2.3).
fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let local_ok = !local.is_empty()
        && !local.starts_with('.')
        && local
            .bytes()
            .all(|c| c.is_ascii_alphanumeric() || b"!#$%&'*/=?^_+-`{|}~.".contains(&c));
    let labels: Vec<&str> = domain.split('.').collect();
    let label_ok = |label: &&str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|c| c.is_ascii_alphanumeric() || c == b'-')
    };
    local_ok && labels.len() >= 2 && labels.iter().all(label_ok)
}

fn boolean(field: &Field, value: &Value) -> Result<Value, Refusal> {
    match value {
        Value::Bool(_) => Ok(value.clone()),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Ok(json!(true)),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Ok(json!(false)),
        _ => Err(wrong_type(field, value)),
    }
}

fn number(field: &Field, value: &Value) -> Result<Option<f64>, Refusal> {
    match value {
        Value::Number(number) => Ok(number.as_f64()),
        Value::String(text) if text.trim().is_empty() => Ok(None),
        Value::String(text) => text
            .trim()
            .parse()
            .map(Some)
            .map_err(|_| wrong_type(field, value)),
        _ => Err(wrong_type(field, value)),
    }
}

fn whole(field: &Field, value: &Value) -> Result<Value, Refusal> {
    let Some(number) = number(field, value)? else {
        return Ok(Value::Null);
    };
    if number.fract() != 0.0 {
        return Err(wrong_type(field, value));
    }
    if number.abs() >= 10_f64.powi(i32::try_from(field.digits).unwrap_or(9)) {
        return Err(out_of_range(field, value));
    }
    #[allow(
        clippy::cast_possible_truncation,
        reason = "the range was checked just above"
    )]
    let number = number as i64;
    Ok(json!(number))
}

fn decimal(field: &Field, value: &Value) -> Result<Value, Refusal> {
    let Some(number) = number(field, value)? else {
        return Ok(Value::Null);
    };
    let whole_digits = i32::try_from(field.precision.saturating_sub(field.scale)).unwrap_or(18);
    let factor = 10_f64.powi(i32::try_from(field.scale).unwrap_or(0));
    let rounded = (number * factor).round() / factor;
    if !rounded.is_finite() || rounded.abs() >= 10_f64.powi(whole_digits) {
        return Err(out_of_range(field, value));
    }
    Ok(Number::from_f64(rounded).map_or(Value::Null, Value::Number))
}

fn out_of_range(field: &Field, value: &Value) -> Refusal {
    let message = format!(
        "{}: value outside of valid range on numeric field: {value}",
        field.label
    );
    Refusal::new("NUMBER_OUTSIDE_VALID_RANGE", message).on(&field.name)
}

fn wrong_type(field: &Field, value: &Value) -> Refusal {
    let shown: String = value.to_string().chars().take(80).collect();
    let message = format!("{}: value not of required type: {shown}", field.name);
    Refusal::new("INVALID_TYPE_ON_FIELD_IN_RECORD", message).on(&field.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_in_every_spelling_and_kept_to_the_second() {
        let kept = "2026-01-02T03:04:05.000+0000";
        for text in [
            "2026-01-02T03:04:05Z",
            "2026-01-02T03:04:05.999Z",
            "2026-01-02T03:04:05.000+0000",
            "2026-01-02T04:04:05+01:00",
            "2026-01-02T03:04:05",
        ] {
            assert_eq!(
                moment(text).map(date_time_text).as_deref(),
                Some(kept),
                "{text}"
            );
        }
        for text in [
            "2026-01-02",
            "yesterday",
            "2026-13-02T03:04:05Z",
            "0001-01-01T00:00:00Z",
        ] {
            assert_eq!(moment(text), None, "{text}");
        }
    }

    #[test]
    fn addresses_are_judged_as_the_platform_judges_them() {
        for good in [
            "ann@example.org",
            "a.b..c@example.org",
            "o'neil+x@mail.example.org",
            "A@EXAMPLE.ORG",
        ] {
            assert!(is_address(good), "{good}");
        }
        for bad in [
            "",
            "ann",
            "ann@",
            "@example.org",
            "ann@example",
            ".ann@example.org",
            "a b@example.org",
            "ann@example..org",
            "žofie@example.org",
        ] {
            assert!(!is_address(bad), "{bad}");
        }
    }

    #[test]
    fn encoded_size_counts_what_html_makes_of_a_character() {
        for (text, bytes) in [
            ("abc", 3),
            ("&", 5),
            ("<b>", 9),
            ("\"'", 11),
            ("ž", 2),
            ("😀", 4),
            ("\n", 1),
        ] {
            assert_eq!(encoded_bytes(text), bytes, "{text}");
        }
    }
}
