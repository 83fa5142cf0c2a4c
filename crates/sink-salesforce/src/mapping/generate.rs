//! The tables of a mapping for the custom objects that a source has.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use deskferry_core::key::{RecordKey, RecordKind};
use deskferry_core::model::{
    FieldDefinition, FieldType, ObjectDefinition, RelationDefinition, RelationKind,
};

/// The most characters of an API name before its `__c`.
const NAME: usize = 40;
/// An object has at most so many masters.
const MASTERS: usize = 2;
/// What every row has, whatever its object.
const COMMON: &str = r#"Source_Url__c = { from = "url", create = { type = "Url" } }
Source_Json__c = { from = "leftovers", create = { type = "LongTextArea", length = 131072 } }
"#;
const IDENTITY: &str = r#"Source_Key__c = { from = "key", create = { type = "Text", length = 255, external_id = true, unique = true, case_sensitive = true } }
Migration_Batch__c = { from = "mark", create = { type = "Text", length = 40, external_id = true } }
CreatedDate = { from = "created", optional = true }
LastModifiedDate = { from = "modified", optional = true }
"#;

/// The mapping's tables for the custom objects that a source has, to be appended to a mapping file: one for each object in
/// use, one for the pairs of each relation that is many on both sides. What it owns hangs on its master; everything else is
/// looked up.
///
/// ```
/// use deskferry_core::key::{RecordKind, Tenant};
/// use deskferry_core::model::{Meta, ObjectDefinition};
/// use deskferry_sink_salesforce::{Mapping, mapping};
///
/// let key = Tenant::new("kustomer", "acme").key(RecordKind::ObjectDefinition, "order");
/// let order = ObjectDefinition {
///     meta: Meta::new(key),
///     name: "order".into(),
///     title: "Order".into(),
///     plural: Some("Orders".into()),
///     relations: Vec::new(),
///     active: true,
/// };
/// let text = Mapping::default_text().to_owned() + &mapping::objects_text(&[order], &[]);
/// let mapping = Mapping::parse(&text)?;
/// assert_eq!(mapping.required_objects()[0].name, "Order__c");
/// # Ok::<(), deskferry_core::Error>(())
/// ```
#[must_use]
pub fn objects_text(definitions: &[ObjectDefinition], fields: &[FieldDefinition]) -> String {
    let mut names = Names::default();
    let active: Vec<&ObjectDefinition> = definitions.iter().filter(|d| d.active).collect();
    let by_key: BTreeMap<&RecordKey, String> = active
        .iter()
        .map(|d| (&d.meta.key, names.api(&d.name, "Object")))
        .collect();
    let mut text = String::new();
    for definition in &active {
        let object = &by_key[&definition.meta.key];
        write_object(&mut text, definition, object, fields, &by_key);
        for relation in many(definition) {
            if let Some(other) = target(relation, &by_key) {
                let stem = format!("{}_{}", stem(object), relation.field);
                let name = names.api(&stem, "Pair");
                write_pairs(&mut text, definition, relation, (object, &other), &name);
            }
        }
    }
    text
}

/// Lines for `[policy]` that give conversations record types, by each sort of words of the source (`type`, `form`, `segment`,
/// `channel`), with how many conversations have each: all of it as comments, to be chosen from. Nothing where there are no words.
#[must_use]
pub fn record_types_text(words: &BTreeMap<String, BTreeMap<String, u64>>) -> String {
    let mut text = String::new();
    for (by, words) in words.iter().filter(|(_, words)| !words.is_empty()) {
        if text.is_empty() {
            line(
                &mut text,
                format_args!(
                    "# Record types of cases: choose one of these blocks, take the words that are to have a type of their own, and put it into\n\
                     # [policy] of mapping.toml without the first two characters of each line. A type can be switched off later, never removed.",
                ),
            );
        }
        line(&mut text, format_args!("\n# record_type_by = \"{by}\""));
        line(&mut text, format_args!("# [policy.record_types]"));
        let mut names = Names(BTreeSet::new());
        let mut most: Vec<(&String, &u64)> = words.iter().collect();
        most.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        for (word, count) in most {
            let name = names.api(word, "Type");
            line(
                &mut text,
                format_args!(
                    "# {} = {}  # conversations: {count}",
                    quoted(word),
                    quoted(stem(&name))
                ),
            );
        }
    }
    text
}

fn many(definition: &ObjectDefinition) -> impl Iterator<Item = &RelationDefinition> {
    let relations = definition.relations.iter();
    relations.filter(|relation| relation.kind == RelationKind::Many)
}

fn stem(name: &str) -> &str {
    name.strip_suffix("__c").unwrap_or(name)
}

/// The object that a relation points at, where rows of it are written.
fn target(relation: &RelationDefinition, own: &BTreeMap<&RecordKey, String>) -> Option<String> {
    let name = match relation.to {
        RecordKind::Account => "Account",
        RecordKind::Contact => "Contact",
        RecordKind::Conversation => "Case",
        RecordKind::Agent => "User",
        RecordKind::ObjectRecord => own.get(relation.object.as_ref()?)?.as_str(),
        _ => return None,
    };
    Some(name.to_owned())
}

fn write_object(
    text: &mut String,
    definition: &ObjectDefinition,
    object: &str,
    fields: &[FieldDefinition],
    own: &BTreeMap<&RecordKey, String>,
) {
    let mut names = Names::with_common();
    let plural = definition.plural.as_deref().unwrap_or(&definition.title);
    head(
        text,
        object,
        &format!("object:{}", definition.meta.key.id()),
    );
    let (label, plural) = (quoted(&definition.title), quoted(plural));
    line(
        text,
        format_args!("create = {{ label = {label}, plural = {plural} }}"),
    );
    line(text, format_args!("[objects.{object}.fields]"));
    line(text, format_args!("Name = {{ from = \"name\" }}"));
    let mut masters = 0;
    for relation in &definition.relations {
        let Some(to) = target(relation, own) else {
            continue;
        };
        // Users cannot be masters, and nothing can be its own.
        let can = !matches!(to.as_str(), "User") && to != object;
        let kind = match relation.kind {
            RelationKind::Many => continue,
            RelationKind::Owned if can && masters < MASTERS => {
                masters += 1;
                "MasterDetail"
            }
            _ => "Lookup",
        };
        let name = names.api(&relation.field, "Relation");
        let from = quoted(&format!("relation.{}", relation.field));
        let label = quoted(&relation.title);
        let rows = quoted(&relationship(object, &name));
        line(
            text,
            format_args!(
                "{name} = {{ from = {from}, create = {{ type = \"{kind}\", label = {label}, to = \"{to}\", relationship = {rows} }} }}"
            ),
        );
    }
    let of = |field: &&FieldDefinition| {
        field.active && field.object.as_ref() == Some(&definition.meta.key)
    };
    for field in fields.iter().filter(of) {
        let name = names.api(&field.field, "Field");
        let from = quoted(&format!("custom.{}", field.field));
        let (label, kind) = (quoted(&field.title), field_type(field));
        line(
            text,
            format_args!("{name} = {{ from = {from}, create = {{ label = {label}, {kind} }} }}"),
        );
    }
    text.push_str(COMMON);
    text.push_str(IDENTITY);
}

fn write_pairs(
    text: &mut String,
    definition: &ObjectDefinition,
    relation: &RelationDefinition,
    (object, other): (&str, &str),
    name: &str,
) {
    let from = format!("relation:{}.{}", definition.meta.key.id(), relation.field);
    head(text, name, &from);
    let label = quoted(&format!("{}: {}", definition.title, relation.title));
    line(
        text,
        format_args!(
            "create = {{ label = {label}, plural = {label}, auto_number = \"P-{{0000000}}\" }}"
        ),
    );
    line(text, format_args!("[objects.{name}.fields]"));
    let mut names = Names::with_common();
    for (from, to) in [("record", object), ("other", other)] {
        let field = names.api(stem(to), "Other");
        let rows = quoted(&relationship(name, &field));
        line(
            text,
            format_args!(
                "{field} = {{ from = \"{from}\", create = {{ type = \"Lookup\", to = \"{to}\", relationship = {rows} }} }}"
            ),
        );
    }
    text.push_str(IDENTITY);
}

/// How the object that is pointed at calls the rows: unique for all that point at it.
fn relationship(object: &str, field: &str) -> String {
    let whole = format!("{}_{}", stem(object), stem(field));
    cut(&whole, NAME)
}

fn head(text: &mut String, object: &str, from: &str) {
    let from = quoted(from);
    line(text, format_args!("\n[objects.{object}]\nfrom = {from}"));
}

/// Writing to a string cannot fail.
fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    let _ = writeln!(text, "{line}");
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn field_type(field: &FieldDefinition) -> String {
    let list = |kind: &str| {
        let options: Vec<String> = field.options.iter().map(|o| quoted(o)).collect();
        format!("type = \"{kind}\", values = [{}]", options.join(", "))
    };
    match field.holds {
        FieldType::Choice if !field.options.is_empty() => list("Picklist"),
        FieldType::Choices if !field.options.is_empty() => list("MultiselectPicklist"),
        FieldType::Text | FieldType::Choice => "type = \"Text\", length = 255".into(),
        FieldType::Number => "type = \"Number\", precision = 18, scale = 4".into(),
        FieldType::Bool => "type = \"Checkbox\"".into(),
        FieldType::Date => "type = \"Date\"".into(),
        FieldType::DateTime => "type = \"DateTime\"".into(),
        _ => "type = \"LongTextArea\", length = 32768".into(),
    }
}

/// API names that are taken, in lower case: the platform tells them apart by letters alone.
#[derive(Default)]
struct Names(BTreeSet<String>);

impl Names {
    fn with_common() -> Self {
        let taken = ["source_url", "source_json", "source_key", "migration_batch"];
        Self(taken.map(str::to_owned).into())
    }

    /// A free API name for a word of the source.
    fn api(&mut self, word: &str, otherwise: &str) -> String {
        let mut stem = String::new();
        for part in word.split(|c: char| !c.is_ascii_alphanumeric()) {
            let mut letters = part.chars();
            let Some(first) = letters.next() else {
                continue;
            };
            if !stem.is_empty() {
                stem.push('_');
            }
            stem.push(first.to_ascii_uppercase());
            stem.push_str(letters.as_str());
        }
        if !stem.starts_with(|c: char| c.is_ascii_alphabetic()) {
            stem = if stem.is_empty() {
                otherwise.to_owned()
            } else {
                format!("{otherwise}_{stem}")
            };
        }
        let stem = cut(&stem, NAME);
        let mut name = stem.clone();
        for n in 2.. {
            if self.0.insert(name.to_ascii_lowercase()) {
                break;
            }
            let end = format!("_{n}");
            name = cut(&stem, NAME - end.len()) + &end;
        }
        name + "__c"
    }
}

/// Letters are ASCII here.
fn cut(name: &str, length: usize) -> String {
    name[..name.len().min(length)]
        .trim_end_matches('_')
        .to_owned()
}

/// Teams of a source, queues where it has queues, that a mapping gives no name of the org to: with lines to give them one, for `[Case.fields]`, and
/// how many there are. Nothing where every team has one, or there are none.
///
/// ```
/// use deskferry_sink_salesforce::{Mapping, mapping};
///
/// let mapping = Mapping::parse(Mapping::default_text())?;
/// let (text, missing) = mapping::queues_text(&mapping, &[("orders".to_owned(), 7)].into());
/// assert_eq!(missing, 1);
/// assert!(text.contains("\"label:orders\" = \"Orders\""));
/// # Ok::<(), deskferry_core::Error>(())
/// ```
#[must_use]
pub fn queues_text(mapping: &super::Mapping, teams: &BTreeMap<String, u64>) -> (String, usize) {
    let case = mapping.object("Case");
    let lines = case.into_iter().flat_map(|case| &case.lines);
    let taking = lines.filter(|line| line.from == "team.name" && !line.values.is_empty());
    let taking: Vec<_> = taking.collect();
    let is_named = |team: &String| {
        let is = |name: &str| name.trim().eq_ignore_ascii_case(team.trim());
        taking.iter().any(|line| {
            let mut names = line.values.keys();
            names.any(|name| is(name.strip_prefix("label:").unwrap_or(name)))
        })
    };
    let mut missing: Vec<_> = teams.iter().filter(|(team, _)| !is_named(team)).collect();
    if missing.is_empty() {
        return (String::new(), 0);
    }
    missing.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let mut text = String::from(
        "# Queues of the source that the mapping gives no name of the org to (Omni-Channel: Setup, Queues, the developer name). Conversations of these get\n\
         # nothing in the field; the source's own name stands in Source_Team__c all the same.\n",
    );
    match taking.first() {
        Some(line_) => line(
            &mut text,
            format_args!(
                "# Add what you want to the values of {} in [Case.fields] of mapping.toml:\n",
                line_.field
            ),
        ),
        None => line(
            &mut text,
            format_args!(
                "# Put it into mapping.toml, with the names that your queues have:\n\n[Case.fields.Queue_Name__c]\nfrom = \"team.name\"\n\
                 create = {{ type = \"Text\", length = 80 }}\n\n[Case.fields.Queue_Name__c.values]",
            ),
        ),
    }
    let mut names = Names(BTreeSet::new());
    for (team, count) in &missing {
        let name = names.api(team, "Queue");
        let (team, name) = (quoted(&format!("label:{team}")), quoted(stem(&name)));
        line(
            &mut text,
            format_args!("{team} = {name}  # conversations: {count}"),
        );
    }
    (text, missing.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_for_record_types_can_be_taken_over_as_they_are() {
        let words = [("A question?", 7), ("9 to 5", 9), ("a Question!", 1)];
        let words = words.map(|(word, count)| (word.to_owned(), count));
        let text = record_types_text(&[("type".to_owned(), words.into())].into());
        let block: Vec<&str> = text
            .lines()
            .filter_map(|l| l.strip_prefix("# "))
            .skip(2)
            .collect();
        let block = block.join("\n").replacen("[policy.record_types]", "", 1);
        let (by, lines) = block.split_once('\n').unwrap();
        let mapping = crate::Mapping::default_text().replacen(
            "[policy]\n",
            &format!("[policy.record_types]\n{lines}\n[policy]\n{by}\n"),
            1,
        );
        let mapping = crate::Mapping::parse(&mapping).unwrap();
        let (by, words) = mapping.record_type_words().unwrap();
        assert_eq!(by, "type");
        assert_eq!(words["a question?"], "A_Question");
        assert_eq!(words["a question!"], "A_Question_2");
        assert_eq!(words["9 to 5"], "Type_9_To_5");
        assert_eq!(record_types_text(&BTreeMap::new()), "");
    }
    use crate::mapping::Mapping;
    use deskferry_core::key::Tenant;
    use deskferry_core::model::Meta;

    #[test]
    fn names_of_the_source_become_api_names_that_are_free() {
        let mut names = Names::default();
        for (word, name) in [
            ("order", "Order__c"),
            ("Order", "Order_2__c"),
            ("line-item (new)", "Line_Item_New__c"),
            ("2nd hand", "Field_2nd_Hand__c"),
            ("bestilling på nett", "Bestilling_P_Nett__c"),
            ("注文", "Field__c"),
            ("__", "Field_2__c"),
        ] {
            assert_eq!(names.api(word, "Field"), name, "{word}");
        }
        let long = "x".repeat(60);
        assert_eq!(names.api(&long, "Field").len(), NAME + 3);
        assert_eq!(names.api(&long, "Field").len(), NAME + 3);
    }

    #[test]
    fn whatever_a_source_calls_its_objects_the_tables_are_a_mapping() {
        let tenant = Tenant::new("desk", "acme");
        let definition = |id: &str, title: &str, relations| ObjectDefinition {
            meta: Meta::new(tenant.key(RecordKind::ObjectDefinition, id)),
            name: id.into(),
            title: title.into(),
            plural: None,
            relations,
            active: true,
        };
        let to = |field: &str, kind, to, object: Option<&str>| RelationDefinition {
            field: field.into(),
            title: format!("The \"{field}\""),
            kind,
            to,
            object: object.map(|id| tenant.key(RecordKind::ObjectDefinition, id)),
        };
        let field = |name: &str, holds, options: &[&str]| FieldDefinition {
            meta: Meta::new(tenant.key(RecordKind::FieldDefinition, name)),
            of: RecordKind::ObjectRecord,
            object: Some(tenant.key(RecordKind::ObjectDefinition, "order")),
            field: name.into(),
            title: name.into(),
            holds,
            raw_type: String::new(),
            options: options.iter().map(|o| (*o).to_owned()).collect(),
            active: true,
        };
        let order = vec![
            to("buyer", RelationKind::Owned, RecordKind::Contact, None),
            to(
                "previous",
                RelationKind::Owned,
                RecordKind::ObjectRecord,
                Some("order"),
            ),
            to(
                "products",
                RelationKind::Many,
                RecordKind::ObjectRecord,
                Some("product"),
            ),
            to(
                "nowhere",
                RelationKind::Lookup,
                RecordKind::ObjectRecord,
                Some("gone"),
            ),
        ];
        let definitions = [
            definition("order", "Order \\ \"new\"", order),
            definition("product", "Product", Vec::new()),
        ];
        let fields = [
            field("source key", FieldType::Text, &[]),
            field("colour", FieldType::Choice, &["red \"ish\"", "blue"]),
            field("total", FieldType::Number, &[]),
        ];
        let text = Mapping::default_text().to_owned() + &objects_text(&definitions, &fields);
        let mapping = Mapping::parse(&text).unwrap();
        let objects: Vec<String> = mapping
            .required_objects()
            .into_iter()
            .map(|o| o.name)
            .collect();
        assert_eq!(objects, ["Order_Products__c", "Order__c", "Product__c"]);
        let specs = mapping.required_fields();
        let spec = |object: &str, name: &str| {
            let found = specs.iter().find(|f| f.object == object && f.name == name);
            found.unwrap_or_else(|| panic!("{object}.{name} in\n{text}"))
        };
        assert_eq!(spec("Order__c", "Buyer__c").kind, "MasterDetail");
        let previous = spec("Order__c", "Previous__c");
        assert_eq!(
            (previous.kind.as_str(), previous.reference_to.as_deref()),
            ("Lookup", Some("Order__c"))
        );
        assert_eq!(spec("Order__c", "Source_Key_2__c").kind, "Text");
        assert_eq!(
            spec("Order__c", "Colour__c").values,
            ["red \"ish\"", "blue"]
        );
        assert_eq!(
            spec("Order_Products__c", "Product__c")
                .reference_to
                .as_deref(),
            Some("Product__c")
        );
        assert!(specs.iter().all(|f| f.name != "Nowhere__c"));
        assert!(
            mapping.object_of("order").is_some() && mapping.pairs_of("order", "products").is_some()
        );
    }

    #[test]
    fn queues_without_a_name_are_listed_and_their_lines_can_be_taken_over() {
        let teams = [("orders-english", 7), ("billing \"new\"", 9), ("empty", 0)];
        let teams: BTreeMap<String, u64> =
            teams.map(|(name, count)| (name.to_owned(), count)).into();
        let shipped = crate::Mapping::default_text();
        let mapping = crate::Mapping::parse(shipped).unwrap();
        let (text, missing) = queues_text(&mapping, &teams);
        assert_eq!(missing, 3);
        let mapped = crate::Mapping::parse(&format!("{shipped}\n{text}")).unwrap();
        assert_eq!(queues_text(&mapped, &teams), (String::new(), 0));
        let more: BTreeMap<String, u64> =
            [("ORDERS-English".to_owned(), 1), ("chat".to_owned(), 2)].into();
        let (text, missing) = queues_text(&mapped, &more);
        assert!(
            missing == 1 && text.contains("label:chat") && !text.contains("label:ORDERS"),
            "{text}"
        );
        assert!(text.contains("the values of Queue_Name__c"), "{text}");
    }
}
