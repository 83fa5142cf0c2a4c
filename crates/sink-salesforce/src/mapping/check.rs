//! Whether a mapping fits an org.

use super::articles::ARTICLES;
use super::build::is_id_list;
use super::facts::{self, Shape};
use super::{BATCH_MARK, FieldLine, Mapping, ObjectMapping, SOURCE_KEY};
use crate::schema::{Field, FieldKind, Object, Schema};

/// One thing of a mapping that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line of the mapping file, counted from 1.
    pub line: usize,
    /// What is wrong, for people.
    pub text: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}: {}", self.line, self.text)
    }
}

pub(super) fn check(mapping: &Mapping, schema: &Schema) -> Vec<Problem> {
    let mut problems: Vec<Problem> = mapping
        .objects
        .values()
        .flat_map(|o| of_object(o, schema))
        .collect();
    problems.extend(record_types(mapping, schema));
    problems.sort_by_key(|p| p.line);
    problems
}

/// Record types that are missing, or that we may not give.
fn record_types(mapping: &Mapping, schema: &Schema) -> Vec<Problem> {
    let Some(case) = schema.object("Case") else {
        return Vec::new();
    };
    let names = mapping.record_types().unwrap_or_default().into_iter();
    let wrong = |name: &str| match case.record_type(name) {
        None => Some(format!("Case has no record type {name}")),
        Some(known) if !known.available => Some(format!(
            "the record type {name} of Case is inactive, or may not be given by us"
        )),
        Some(_) => None,
    };
    names
        .filter_map(wrong)
        .map(|text| Problem {
            line: mapping.record_types_line(),
            text,
        })
        .collect()
}

fn of_object(mapping: &ObjectMapping, schema: &Schema) -> Vec<Problem> {
    let whole = |text: String| {
        vec![Problem {
            line: mapping.line,
            text,
        }]
    };
    let Some(object) = schema.object(mapping.object) else {
        // Without Knowledge articles are skipped, and the check of the org says so.
        if mapping.object == ARTICLES {
            return Vec::new();
        }
        return whole(format!(
            "the org has no object {}, or hides it from us",
            mapping.object
        ));
    };
    if !object.createable {
        return whole(format!("we may not make rows of {}", object.name));
    }
    let mut problems: Vec<Problem> = mapping
        .lines
        .iter()
        .flat_map(|line| {
            of_line(line, object).into_iter().map(|text| Problem {
                line: line.line,
                text,
            })
        })
        .collect();
    problems.extend(missing_lines(mapping, object).map(|text| Problem {
        line: mapping.line,
        text,
    }));
    problems
}

fn of_line(line: &FieldLine, object: &Object) -> Option<String> {
    let name = format!("{}.{}", object.name, line.field);
    let Some(field) = object.field(&line.field) else {
        let silent = line.optional || is_id_list(&line.field);
        return (!silent)
            .then(|| format!("{name} does not exist, or field-level security hides it from us"));
    };
    if !field.createable {
        return (!line.optional).then(|| format!("{name} cannot be set on insert"));
    }
    let shape = facts::shape(&object.name, &line.from);
    let fits = shape.is_none_or(|shape| shape.fits(field.holds) || !line.values.is_empty());
    if !fits {
        let shape = shape.map_or("text", Shape::name);
        return Some(format!(
            "{name} cannot take `{}`, which is {shape}",
            line.from
        ));
    }
    // Versions and translations of an article share its key.
    let is_key =
        field.external_id && (object.name == ARTICLES || (field.unique && field.case_sensitive));
    // The platform has no unique fields of tasks.
    if line.field == SOURCE_KEY && !is_key && object.name != facts::CALLS {
        return Some(format!(
            "{name} must be a unique, case-sensitive external id"
        ));
    }
    unknown_meaning(line, shape, &name).or_else(|| unknown_value(line, field, &name))
}

fn unknown_meaning(line: &FieldLine, shape: Option<Shape>, name: &str) -> Option<String> {
    let Some(Shape::Choice(known)) = shape else {
        return None;
    };
    let odd = line
        .values
        .keys()
        .find(|k| !k.starts_with("label:") && !known.contains(&k.as_str()))?;
    Some(format!(
        "{name}: `{}` never is `{odd}`; it is one of {}",
        line.from,
        known.join(", ")
    ))
}

fn unknown_value(line: &FieldLine, field: &Field, name: &str) -> Option<String> {
    if field.holds != FieldKind::Picklist {
        return None;
    }
    let mut targets = line.values.values().filter_map(|v| v.as_str());
    let odd = targets.find(|target| field.picklist_value(target).is_none())?;
    Some(format!(
        "{name} has no value `{odd}`; it has {}",
        field.values.join(", ")
    ))
}

/// Fields that rows cannot do without and no line fills.
fn missing_lines<'a>(
    mapping: &'a ObjectMapping,
    object: &'a Object,
) -> impl Iterator<Item = String> + 'a {
    let fills = |name: &str| {
        mapping
            .lines
            .iter()
            .any(|line| line.field.eq_ignore_ascii_case(name))
    };
    let ours = [SOURCE_KEY, BATCH_MARK]
        .into_iter()
        .filter(|_| !facts::is_keyless(mapping.object));
    let ours = ours
        .filter(move |name| !fills(name))
        .map(|name| format!("the line for {}.{name} is missing", mapping.object));
    let required = object
        .fields()
        // The bytes of a file are no line of the mapping.
        .filter(|field| {
            field.required && !matches!(field.holds, FieldKind::Blob | FieldKind::Checkbox)
        })
        .filter(move |field| !fills(&field.name))
        .map(|field| {
            format!(
                "{}.{} is required and no line fills it",
                object.name, field.name
            )
        });
    ours.chain(required)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// An org as the shipped mapping wants it.
    fn org() -> Vec<Value> {
        let mapping = Mapping::parse(Mapping::default_text()).unwrap();
        let objects = mapping.objects.values();
        objects.map(|o| json!({"name": o.object, "createable": true, "fields": o.lines.iter().map(|l| field(o.object, l)).collect::<Vec<_>>()})).collect()
    }

    fn field(object: &str, line: &FieldLine) -> Value {
        let values: Vec<_> = line
            .values
            .values()
            .map(|v| json!({"active": true, "value": v}))
            .collect();
        let kind = match facts::shape(object, &line.from).unwrap() {
            Shape::Choice(_) => "picklist",
            Shape::Bool => "boolean",
            Shape::Time => "datetime",
            Shape::Id(_) => "reference",
            Shape::Ids => "complexvalue",
            Shape::Text | Shape::Several => "string",
            Shape::Number => "double",
        };
        let key = line.field == SOURCE_KEY;
        json!({"name": line.field, "type": kind, "createable": true, "nillable": true, "picklistValues": values,
               "unique": key, "externalId": key, "caseSensitive": key})
    }

    fn problems(text: &str, change: impl Fn(&str, &mut Vec<Value>)) -> Vec<Problem> {
        let mut schema = Schema::new();
        for mut object in org() {
            let name = object["name"].as_str().unwrap().to_owned();
            change(&name, object["fields"].as_array_mut().unwrap());
            schema.add_describe(&object).unwrap();
        }
        Mapping::parse(text).unwrap().check(&schema)
    }

    fn without<'a>(object: &'a str, field: &'a str) -> impl Fn(&str, &mut Vec<Value>) + 'a {
        move |name, fields| fields.retain(|f| name != object || f["name"] != field)
    }

    fn set<'a>(
        object: &'a str,
        field: &'a str,
        key: &'a str,
        value: Value,
    ) -> impl Fn(&str, &mut Vec<Value>) + 'a {
        move |name, fields| {
            for f in fields
                .iter_mut()
                .filter(|f| name == object && f["name"] == field)
            {
                f[key] = value.clone();
            }
        }
    }

    #[test]
    fn the_shipped_mapping_fits_an_org_that_was_prepared_for_it() {
        assert_eq!(problems(Mapping::default_text(), |_, _| {}), []);
        assert_eq!(
            problems(Mapping::default_text(), without("Case", "CreatedDate")),
            [],
            "audit fields are optional"
        );
    }

    #[test]
    fn what_the_org_does_not_have_is_named_with_its_line() {
        let text = Mapping::default_text();
        let line_of = |needle: &str| text[..text.find(needle).unwrap()].matches('\n').count() + 1;
        let contacts = text.find("[Contact.fields]").unwrap();
        let key = contacts + text[contacts..].find("Source_Key__c").unwrap();
        let key_of_contacts = text[..key].matches('\n').count() + 1;
        let required = |name: &str, fields: &mut Vec<Value>| {
            if name == "Case" {
                fields.push(json!({"name": "Region__c", "type": "string", "createable": true}));
            }
        };
        let cases: Vec<(Vec<Problem>, usize, &str)> = vec![
            (
                problems(text, without("Case", "Source_Team__c")),
                line_of("Source_Team__c"),
                "does not exist",
            ),
            (
                problems(text, set("Case", "Subject", "createable", json!(false))),
                line_of("Subject"),
                "cannot be set",
            ),
            (
                problems(
                    text,
                    set("Case", "Last_Activity_Date__c", "type", json!("boolean")),
                ),
                line_of("Last_Activity_Date__c"),
                "a date with time",
            ),
            (
                problems(
                    text,
                    set(
                        "Case",
                        "Status",
                        "picklistValues",
                        json!([{"active": true, "value": "New"}]),
                    ),
                ),
                line_of("Status ="),
                "has no value `",
            ),
            (
                problems(
                    text,
                    set("Contact", "Source_Key__c", "unique", json!(false)),
                ),
                key_of_contacts,
                "unique",
            ),
            (
                problems(text, required),
                line_of("[Case]"),
                "Case.Region__c is required",
            ),
            (
                problems(
                    &text.replace("low = \"Low\"", "lowest = \"Low\""),
                    |_, _| {},
                ),
                line_of("Priority ="),
                "never is `lowest`",
            ),
        ];
        for (problems, line, said) in cases {
            assert_eq!(problems.len(), 1, "{said}: {problems:?}");
            assert!(problems[0].text.contains(said), "{problems:?}");
            assert_eq!(problems[0].line, line, "{said}");
        }
    }
}
