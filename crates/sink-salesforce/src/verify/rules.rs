//! What the platform changes by itself: a closed table. A difference that none of these explains is an error.
//! `docs/normalisations.md` lists them with their evidence.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::load::moment;
use crate::mapping::html::to_text;
use crate::schema::{Field, FieldKind};

/// One way in which the platform changes values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Rule {
    /// Blanks at the ends of texts go.
    Trimmed,
    /// Mail addresses are stored in lower case.
    LowerCased,
    /// Numbers are rounded to their field's scale.
    Scaled,
    /// Values of a multi-select list are stored in the list's order, each once.
    Reordered,
    /// Rich text is sanitised: the words stay.
    Sanitised,
    /// A mail without a text gets one from its HTML.
    TextFromHtml,
    /// A case without an account gets its contact's.
    AccountFromContact,
    /// A field that was not sent gets its default.
    Default,
    /// A date that was not sent is stamped.
    Stamped,
    /// A date in the future was sent as the moment of the load.
    Clamped,
    /// What only an insert can set stays as it was when the row was brought up to date, or was stamped then.
    Amended,
    /// This org was seen to change texts so, when it was tried out.
    Probed,
}

impl Rule {
    /// All of them, in the order of the docs' table.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 12] = [
        Self::Trimmed,
        Self::LowerCased,
        Self::Scaled,
        Self::Reordered,
        Self::Sanitised,
        Self::TextFromHtml,
        Self::AccountFromContact,
        Self::Default,
        Self::Stamped,
        Self::Clamped,
        Self::Amended,
        Self::Probed,
    ];

    /// The rule's name in reports and in the docs' table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Trimmed => "trimmed",
            Self::LowerCased => "lower-cased",
            Self::Scaled => "scaled",
            Self::Reordered => "reordered",
            Self::Sanitised => "sanitised",
            Self::TextFromHtml => "text-from-html",
            Self::AccountFromContact => "account-from-contact",
            Self::Default => "default",
            Self::Stamped => "stamped",
            Self::Clamped => "clamped",
            Self::Amended => "amended",
            Self::Probed => "probed",
        }
    }
}

/// What is compared, where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) object: &'a str,
    pub(crate) field: &'a Field,
    /// The whole row as it stands.
    pub(crate) row: &'a Value,
    /// The user who loaded it.
    pub(crate) me: &'a str,
}

/// A row that was brought up to date later cannot say what only an insert says.
pub(crate) fn amended(was: bool, field: &Field) -> Option<Rule> {
    (was && !field.updateable).then_some(Rule::Amended)
}

/// Whether two values say the same, whatever way they are written.
pub(crate) fn same(expected: &Value, found: &Value, field: &Field) -> bool {
    if is_empty(expected) && is_empty(found) {
        return true;
    }
    match field.holds {
        FieldKind::DateTime => moment(expected).is_some() && moment(expected) == moment(found),
        FieldKind::Reference => same_id(expected, found),
        FieldKind::Number => number(expected).is_some() && number(expected) == number(found),
        _ => expected == found,
    }
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(str::is_empty)
}

/// Ids have 15 characters, or 18 with a suffix that follows from them.
pub(crate) fn same_id(expected: &Value, found: &Value) -> bool {
    let short = |value: &Value| {
        value
            .as_str()
            .map(|id| id.get(..15).unwrap_or(id).to_owned())
    };
    short(expected).is_some() && short(expected) == short(found)
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

/// The rule that explains why what stands there is not what was sent.
pub(crate) fn explain(expected: &Value, found: &Value, place: Place<'_>) -> Option<Rule> {
    if is_empty(expected) {
        unsent(found, place)
    } else {
        changed(expected, found, place)
    }
}

fn unsent(found: &Value, place: Place<'_>) -> Option<Rule> {
    let Place {
        object, field, row, ..
    } = place;
    match (object, field.name.as_str()) {
        ("EmailMessage", "TextBody") if !is_empty(&row["HtmlBody"]) => Some(Rule::TextFromHtml),
        ("Case", "AccountId") if !is_empty(&row["ContactId"]) => Some(Rule::AccountFromContact),
        (
            _,
            "CreatedDate"
            | "LastModifiedDate"
            | "CreatedById"
            | "ContentModifiedDate"
            | "MessageDate",
        ) => Some(Rule::Stamped),
        ("Case", "ClosedDate") => Some(Rule::Stamped),
        // That of the migration user's profile.
        (_, "RecordTypeId") => Some(Rule::Default),
        (_, "OwnerId") if same_id(&place.me.into(), found) => Some(Rule::Default),
        _ if defaulted(field, found) => Some(Rule::Default),
        _ => None,
    }
}

/// A value that nobody sent is the default of its list; a checkbox is off.
fn defaulted(field: &Field, found: &Value) -> bool {
    match field.holds {
        FieldKind::Picklist => found.is_string() && found.as_str() == field.default.as_deref(),
        FieldKind::Checkbox => *found == Value::Bool(false),
        _ => false,
    }
}

fn changed(expected: &Value, found: &Value, place: Place<'_>) -> Option<Rule> {
    let (sent, stands) = (expected.as_str(), found.as_str());
    match place.field.holds {
        FieldKind::DateTime if in_the_future(expected, found, place.row) => Some(Rule::Clamped),
        FieldKind::Number => scaled(expected, found, place.field.scale).then_some(Rule::Scaled),
        FieldKind::Multipicklist => (set(sent?) == set(stands?)).then_some(Rule::Reordered),
        FieldKind::Email if sent?.trim() == stands.unwrap_or_default() => Some(Rule::Trimmed),
        FieldKind::Email => (sent?.trim().to_lowercase() == stands?).then_some(Rule::LowerCased),
        FieldKind::RichText if to_text(sent?).trim() == to_text(stands?).trim() => {
            Some(Rule::Sanitised)
        }
        FieldKind::Text
        | FieldKind::LongText
        | FieldKind::RichText
        | FieldKind::Phone
        | FieldKind::Url
        | FieldKind::Other => (sent?.trim() == stands.unwrap_or_default()).then_some(Rule::Trimmed),
        _ => None,
    }
}

/// The record's date is later than the row's making: what was sent then was the moment of the load.
fn in_the_future(expected: &Value, found: &Value, row: &Value) -> bool {
    let (Some(said), Some(stands)) = (moment(expected), moment(found)) else {
        return false;
    };
    let made: Option<DateTime<Utc>> = moment(&row["SystemModstamp"]);
    made.is_some_and(|made| {
        said > stands && stands <= made && said >= made - chrono::Duration::seconds(60)
    })
}

fn scaled(expected: &Value, found: &Value, scale: usize) -> bool {
    let (Some(sent), Some(stands)) = (number(expected), number(found)) else {
        return false;
    };
    let unit = 10_f64.powi(-i32::try_from(scale).unwrap_or(18));
    (sent - stands).abs() <= unit / 2.0 + f64::EPSILON * sent.abs()
}

fn set(values: &str) -> std::collections::BTreeSet<&str> {
    values
        .split(';')
        .filter(|value| !value.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Schema;
    use serde_json::json;

    fn explained(
        object: &str,
        kind: &str,
        name: &str,
        expected: Value,
        found: Value,
        row: Value,
    ) -> Option<Rule> {
        let mut schema = Schema::new();
        let field = json!({"name": name, "type": kind, "scale": 2, "htmlFormatted": name == "Rich__c",
                           "picklistValues": [{"active": true, "defaultValue": true, "value": "Medium"}, {"active": true, "value": "b"}]});
        schema
            .add_describe(&json!({"name": object, "fields": [field]}))
            .unwrap();
        let field = schema.object(object).unwrap().field(name).unwrap();
        assert!(!same(&expected, &found, field), "{name} needs no rule");
        explain(
            &expected,
            &found,
            Place {
                object,
                field,
                row: &row,
                me: "005000000000001AAA",
            },
        )
    }

    #[test]
    fn each_change_of_the_platform_has_its_rule_and_no_other_change_has_one() {
        let none = json!({});
        let cases = [
            (
                "Case",
                "reference",
                "OwnerId",
                json!(null),
                json!("005000000000001AAA"),
                none.clone(),
                Some(Rule::Default),
            ),
            (
                "Case",
                "reference",
                "OwnerId",
                json!(null),
                json!("005000000000002AAA"),
                none.clone(),
                None,
            ),
            (
                "Case",
                "string",
                "Subject",
                json!(" a "),
                json!("a"),
                none.clone(),
                Some(Rule::Trimmed),
            ),
            (
                "Case",
                "string",
                "Subject",
                json!("a  b"),
                json!("a b"),
                none.clone(),
                None,
            ),
            (
                "Case",
                "string",
                "Subject",
                json!("abc"),
                json!("ab"),
                none.clone(),
                None,
            ),
            (
                "Case",
                "string",
                "Subject",
                json!("abc"),
                json!(null),
                none.clone(),
                None,
            ),
            (
                "Contact",
                "email",
                "Email",
                json!("A@example.org"),
                json!("a@example.org"),
                none.clone(),
                Some(Rule::LowerCased),
            ),
            (
                "Contact",
                "email",
                "Email",
                json!("a@example.org"),
                json!("b@example.org"),
                none.clone(),
                None,
            ),
            (
                "Case",
                "double",
                "Score__c",
                json!(1.005),
                json!(1.01),
                none.clone(),
                Some(Rule::Scaled),
            ),
            (
                "Case",
                "double",
                "Score__c",
                json!(1.0),
                json!(1.01),
                none.clone(),
                None,
            ),
            (
                "Case",
                "multipicklist",
                "Tags__c",
                json!("b;a;b"),
                json!("a;b"),
                none.clone(),
                Some(Rule::Reordered),
            ),
            (
                "Case",
                "multipicklist",
                "Tags__c",
                json!("b;a"),
                json!("a"),
                none.clone(),
                None,
            ),
            (
                "Case",
                "textarea",
                "Rich__c",
                json!("<b onclick=x>a</b>"),
                json!("<b>a</b>"),
                none.clone(),
                Some(Rule::Sanitised),
            ),
            (
                "Case",
                "textarea",
                "Rich__c",
                json!("<b>a</b>"),
                json!("<b>c</b>"),
                none.clone(),
                None,
            ),
            (
                "EmailMessage",
                "textarea",
                "TextBody",
                json!(null),
                json!("a"),
                json!({"HtmlBody": "<p>a"}),
                Some(Rule::TextFromHtml),
            ),
            (
                "EmailMessage",
                "textarea",
                "TextBody",
                json!(null),
                json!("a"),
                none.clone(),
                None,
            ),
            (
                "Case",
                "reference",
                "AccountId",
                json!(null),
                json!("001"),
                json!({"ContactId": "003"}),
                Some(Rule::AccountFromContact),
            ),
            (
                "Case",
                "reference",
                "AccountId",
                json!(null),
                json!("001"),
                none.clone(),
                None,
            ),
            (
                "Case",
                "picklist",
                "Priority",
                json!(null),
                json!("Medium"),
                none.clone(),
                Some(Rule::Default),
            ),
            (
                "Case",
                "picklist",
                "Priority",
                json!(null),
                json!("b"),
                none.clone(),
                None,
            ),
            (
                "Case",
                "picklist",
                "Priority",
                json!("High"),
                json!("Medium"),
                none.clone(),
                None,
            ),
            (
                "Case",
                "datetime",
                "CreatedDate",
                json!(null),
                json!("2026-01-01T00:00:00.000+0000"),
                none.clone(),
                Some(Rule::Stamped),
            ),
            (
                "Case",
                "datetime",
                "Original_Created_Date__c",
                json!(null),
                json!("2026-01-01T00:00:00.000+0000"),
                none.clone(),
                None,
            ),
            (
                "Case",
                "datetime",
                "CreatedDate",
                json!("2026-02-01T00:00:00.000Z"),
                json!("2026-01-01T00:00:00.000+0000"),
                json!({"SystemModstamp": "2026-01-01T00:00:01.000+0000"}),
                Some(Rule::Clamped),
            ),
            (
                "Case",
                "datetime",
                "CreatedDate",
                json!("2020-02-01T00:00:00.000Z"),
                json!("2020-01-01T00:00:00.000+0000"),
                json!({"SystemModstamp": "2026-01-01T00:00:01.000+0000"}),
                None,
            ),
        ];
        for (object, kind, name, expected, found, row, rule) in cases {
            let shown = format!("{object}.{name}: {expected} became {found}");
            assert_eq!(
                explained(object, kind, name, expected, found, row),
                rule,
                "{shown}"
            );
        }
    }

    #[test]
    fn values_are_compared_by_what_they_say() {
        let mut schema = Schema::new();
        let fields = [
            ("T", "datetime"),
            ("R", "reference"),
            ("N", "double"),
            ("S", "string"),
        ];
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, kind)| json!({"name": name, "type": kind}))
            .collect();
        schema
            .add_describe(&json!({"name": "X", "fields": fields}))
            .unwrap();
        let object = schema.object("X").unwrap();
        for (name, expected, found) in [
            (
                "T",
                json!("2021-03-04T05:06:07.000Z"),
                json!("2021-03-04T05:06:07.000+0000"),
            ),
            ("R", json!("500000000000001"), json!("500000000000001AAA")),
            ("N", json!("12.50"), json!(12.5)),
            ("S", json!(""), json!(null)),
        ] {
            assert!(
                same(&expected, &found, object.field(name).unwrap()),
                "{name}"
            );
        }
        assert!(!same(&json!("a"), &json!("A"), object.field("S").unwrap()));
    }

    #[test]
    fn the_docs_list_every_rule() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/normalisations.md");
        let page = std::fs::read_to_string(page).unwrap();
        let listed: Vec<&str> = page
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
            .collect();
        assert_eq!(listed, Rule::ALL.map(Rule::name));
    }
}
