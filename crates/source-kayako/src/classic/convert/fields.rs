//! Custom fields: definitions, and values by their type.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use deskferry_core::model::{CustomValue, CustomValues, FieldDefinition, FieldType};
use deskferry_core::source::Reject;
use deskferry_core::{RecordKind, Tenant};

use super::meta;
use crate::classic::xml::Row;
use crate::config::Dates;
use crate::wire::Defect;

/// What is needed to read custom values, and the definitions themselves.
#[derive(Debug, Default)]
pub(crate) struct Definitions {
    rows: BTreeMap<u64, Known>,
    dates: Dates,
}

#[derive(Debug)]
struct Known {
    key: String,
    title: String,
    kind: u64,
    options: Vec<String>,
}

/// Types of fields, by Classic's numbers.
const TEXT: u64 = 1;
const TEXT_AREA: u64 = 2;
const CHECKBOX: u64 = 4;
const RADIO: u64 = 5;
const SELECT: u64 = 6;
const MULTI_SELECT: u64 = 7;
const LINKED_SELECT: u64 = 9;
const DATE: u64 = 10;
const FILE: u64 = 11;

impl Definitions {
    pub(crate) fn new(dates: Dates) -> Self {
        Self {
            rows: BTreeMap::new(),
            dates,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Takes note of a definition; answers its number if its options must be asked for.
    pub(crate) fn learn(&mut self, row: Row<'_>) -> Result<Option<u64>, Defect> {
        let id = row.id(&["customfieldid", "id"])?;
        let kind = row
            .number("fieldtype")
            .or_else(|| row.number("type"))
            .unwrap_or(TEXT);
        let name = row.text("fieldname").or_else(|| row.text("name"));
        let key = name.map_or_else(|| format!("field-{id}"), str::to_owned);
        let known = Known {
            title: row.text("title").unwrap_or(&key).to_owned(),
            key,
            kind,
            options: Vec::new(),
        };
        self.rows.insert(id, known);
        let has_options = matches!(
            kind,
            CHECKBOX | RADIO | SELECT | MULTI_SELECT | LINKED_SELECT
        );
        Ok(has_options.then_some(id))
    }

    /// Takes note of the options of a field. In a linked one an option stands below another.
    pub(crate) fn learn_options(&mut self, field: u64, rows: &[Row<'_>]) {
        let Some(known) = self.rows.get_mut(&field) else {
            return;
        };
        let text = |row: Row<'_>| row.text("optionvalue").unwrap_or_default().to_owned();
        let number = |row: Row<'_>| row.reference("customfieldoptionid");
        let mut parents: BTreeMap<u64, String> = BTreeMap::new();
        for row in rows {
            if let (Some(id), None) = (number(*row), row.reference("parentcustomfieldoptionid")) {
                parents.insert(id, text(*row));
            }
        }
        for row in rows {
            let parent = row.reference("parentcustomfieldoptionid");
            let option = match parent.and_then(|id| parents.get(&id)) {
                Some(parent) => format!("{parent} > {}", text(*row)),
                None => text(*row),
            };
            if !option.is_empty() {
                known.options.push(option);
            }
        }
    }

    /// The definitions as records. All are taken for fields of tickets: Classic does not tell whose they are, and gives the
    /// values of tickets alone.
    pub(crate) fn records(&self, tenant: &Tenant) -> Vec<FieldDefinition> {
        let record = |(id, known): (&u64, &Known)| FieldDefinition {
            meta: meta(tenant, RecordKind::FieldDefinition, *id),
            of: RecordKind::Conversation,
            object: None,
            field: known.key.clone(),
            title: known.title.clone(),
            holds: holds(known.kind),
            raw_type: known.kind.to_string(),
            options: known.options.clone(),
            active: true,
        };
        self.rows.iter().map(record).collect()
    }

    /// The values of a ticket by the keys of their fields.
    pub(crate) fn values(&self, groups: &[Row<'_>]) -> CustomValues {
        let mut values = CustomValues::new();
        for row in groups.iter().flat_map(|group| group.each("field")) {
            let id = row.reference("id");
            let known = id.and_then(|id| self.rows.get(&id));
            let kind = row.number("type").or_else(|| known.map(|k| k.kind));
            let key = known
                .map(|known| known.key.clone())
                .or_else(|| row.text("name").map(str::to_owned))
                .or_else(|| id.map(|id| format!("field-{id}")));
            let text = row.content();
            if let (Some(key), false) = (key, text.trim().is_empty()) {
                values.insert(key, self.value(kind.unwrap_or(TEXT), row, text));
            }
        }
        values
    }

    fn value(&self, kind: u64, row: Row<'_>, text: &str) -> CustomValue {
        let whole = || CustomValue::Text(text.to_owned());
        match kind {
            RADIO | SELECT => CustomValue::Choice(text.trim().to_owned()),
            LINKED_SELECT => CustomValue::Choice(linked(text)),
            CHECKBOX | MULTI_SELECT => CustomValue::Choices(several(text)),
            DATE => day(text.trim(), self.dates).map_or_else(whole, CustomValue::Date),
            // The bytes are no value; their name is.
            FILE => CustomValue::Text(row.text("filename").unwrap_or("file").to_owned()),
            _ => whole(),
        }
    }
}

fn holds(kind: u64) -> FieldType {
    match kind {
        TEXT => FieldType::Text,
        TEXT_AREA => FieldType::LongText,
        CHECKBOX | MULTI_SELECT => FieldType::Choices,
        RADIO | SELECT | LINKED_SELECT => FieldType::Choice,
        DATE => FieldType::Date,
        FILE => FieldType::File,
        _ => FieldType::Other,
    }
}

/// The two steps of a linked choice; some servers encode the sign between them twice.
fn linked(text: &str) -> String {
    let text = text.replace("&gt;", ">");
    let steps: Vec<&str> = text.split(" > ").map(str::trim).collect();
    steps.join(" > ")
}

/// Several choices: commas part them, `\,` is a comma.
fn several(text: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let last = all.last_mut();
        match (letter, letters.peek(), last) {
            ('\\', Some(','), Some(last)) => {
                letters.next();
                last.push(',');
            }
            (',', ..) => all.push(String::new()),
            (letter, _, Some(last)) => last.push(letter),
            _ => {}
        }
    }
    all.into_iter()
        .map(|one| one.trim().to_owned())
        .filter(|one| !one.is_empty())
        .collect()
}

/// A day as the helpdesk writes it. Which of two numbers is the month is its own setting, which no answer tells: what
/// can be read in two ways is no day unless it was said which.
fn day(text: &str, dates: Dates) -> Option<NaiveDate> {
    let mut pieces = text.split(['/', '-', '.']);
    let (Some(a), Some(b), Some(c), None) =
        (pieces.next(), pieces.next(), pieces.next(), pieces.next())
    else {
        return None;
    };
    let year_first = a.len() == 4;
    let [a, b, c] = [a, b, c].map(|piece| piece.parse::<i32>().ok());
    let (a, b, c) = (a?, b?, c?);
    let date = |year: i32, month: i32, day: i32| {
        NaiveDate::from_ymd_opt(year, month.try_into().ok()?, day.try_into().ok()?)
    };
    if year_first {
        return date(a, b, c);
    }
    if c < 1_000 {
        return None;
    }
    let (month_first, day_first) = (date(c, a, b), date(c, b, a));
    match dates {
        Dates::MonthFirst => month_first,
        Dates::DayFirst => day_first,
        Dates::YearFirst => None,
        Dates::Auto => match (month_first, day_first) {
            (Some(one), Some(other)) if one != other => None,
            (one, other) => one.or(other),
        },
    }
}

/// Files in custom fields have no place among a ticket's attachments: each is named.
pub(crate) fn field_files(ticket: u64, groups: &[Row<'_>]) -> Vec<Reject> {
    let fields = groups.iter().flat_map(|group| group.each("field"));
    let files =
        fields.filter(|row| row.number("type") == Some(FILE) && !row.content().trim().is_empty());
    files
        .map(|row| Reject {
            kind: RecordKind::Attachment,
            id: None,
            path: format!("customfields/{}", row.text("name").unwrap_or("field")),
            reason: format!(
                "file-in-field: ticket {ticket} keeps `{}` in the custom field `{}`; only its name is taken along",
                row.text("filename").unwrap_or("a file"),
                row.text("title").unwrap_or_default(),
            ),
            raw: String::new(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_one_where_it_can_be_read_in_one_way_only() {
        let of = |y, m, d| NaiveDate::from_ymd_opt(y, m, d);
        for (text, dates, means) in [
            ("05/24/2011", Dates::Auto, of(2011, 5, 24)),
            ("24/05/2011", Dates::Auto, of(2011, 5, 24)),
            ("05/06/2011", Dates::Auto, None),
            ("06/06/2011", Dates::Auto, of(2011, 6, 6)),
            ("05/06/2011", Dates::MonthFirst, of(2011, 5, 6)),
            ("05/06/2011", Dates::DayFirst, of(2011, 6, 5)),
            ("24.12.2011", Dates::DayFirst, of(2011, 12, 24)),
            ("24/05/2011", Dates::MonthFirst, None),
            ("2011-05-06", Dates::YearFirst, of(2011, 5, 6)),
            ("2011-05-06", Dates::DayFirst, of(2011, 5, 6)),
            ("5/6/11", Dates::DayFirst, None),
            ("tomorrow", Dates::Auto, None),
            ("1/2/3/4", Dates::Auto, None),
        ] {
            assert_eq!(day(text, dates), means, "{text} {dates:?}");
        }
    }

    #[test]
    fn several_choices_are_parted_by_commas_that_are_not_escaped() {
        for (text, all) in [
            ("Value1, Value2", &["Value1", "Value2"][..]),
            ("a,b", &["a", "b"]),
            (r"Nuts\, bolts, Screws", &["Nuts, bolts", "Screws"]),
            (" , ", &[]),
        ] {
            assert_eq!(several(text), all, "{text}");
        }
    }

    #[test]
    fn a_linked_choice_is_the_same_however_often_its_sign_was_encoded() {
        for text in ["Product > Fusion", "Product &gt; Fusion"] {
            assert_eq!(linked(text), "Product > Fusion");
        }
    }
}
