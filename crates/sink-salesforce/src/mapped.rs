//! The mapping as people see it: what the org offers, what each line does to a record, and changes of the file.

use async_trait::async_trait;
use deskferry_core::consent::Told;
use deskferry_core::context::Context;
use deskferry_core::error::Result;
use deskferry_core::key::RecordKind;
use deskferry_core::mapped::{Change, Mapped, MappedLine, Offer, Preview, UnknownValue};
use deskferry_core::model::{FieldType, Record};

use crate::Salesforce;
use crate::mapping::build::shown_value;
use crate::mapping::facts::{AccountFacts, CaseFacts, CaseLinks, Common, ContactFacts, Facts};
use crate::mapping::{FieldLine, Mapping, ObjectMapping, edit};
use crate::org::Org;
use crate::schema::{Field, FieldKind, Schema};

/// The objects whose rows are made from records with custom fields.
const CARRIERS: [(&str, RecordKind); 3] = [
    ("Account", RecordKind::Account),
    ("Contact", RecordKind::Contact),
    ("Case", RecordKind::Conversation),
];

/// Fields that a load fills by itself, or that must stay the platform's.
const OURS: [&str; 5] = [
    "CreatedDate",
    "LastModifiedDate",
    "ClosedDate",
    "SlaStartDate",
    "SlaExitDate",
];

#[async_trait]
impl Mapped for Salesforce {
    async fn offers(&self, cx: &Context) -> Result<Vec<Offer>> {
        let org = self.org(cx).await?;
        let mut offers = Vec::new();
        for (object, of) in CARRIERS {
            let (Some(described), Some(lines)) =
                (org.schema.object(object), self.mapping().object(object))
            else {
                continue;
            };
            let fills = |field: &Field| {
                let mut lines = lines.lines.iter();
                lines.any(|line| line.field.eq_ignore_ascii_case(&field.name))
            };
            for field in described.fields().filter(|field| field.createable) {
                let Some(holds) = holds(field.holds) else {
                    continue;
                };
                if OURS.contains(&field.name.as_str()) {
                    continue;
                }
                offers.push(Offer {
                    of,
                    object: object.to_owned(),
                    field: field.name.clone(),
                    label: described.label(&field.name).to_owned(),
                    holds,
                    length: field.length,
                    values: field.values.clone(),
                    required: field.required,
                    custom: field.name.ends_with("__c"),
                    taken: fills(field),
                });
            }
        }
        Ok(offers)
    }

    async fn unknown_values(&self, cx: &Context) -> Result<Vec<UnknownValue>> {
        let org = self.org(cx).await?;
        Ok(unknown_values(self.mapping(), &org.schema))
    }

    fn lines(&self) -> Vec<MappedLine> {
        let mapping = self.mapping();
        let objects = mapping.objects().filter_map(|name| mapping.object(name));
        objects
            .flat_map(|object| {
                object.lines.iter().map(|line| MappedLine {
                    object: object.object.to_owned(),
                    field: line.field.clone(),
                    from: line.from.clone(),
                })
            })
            .collect()
    }

    async fn preview(&self, cx: &Context, records: &[Record]) -> Result<Vec<Preview>> {
        let org = self.org(cx).await?;
        let mut shown = Vec::new();
        for record in records {
            of_record(cx, &org, self.mapping(), record, &mut shown);
        }
        Ok(shown)
    }

    fn edited(&self, text: &str, changes: &[Change]) -> Result<String> {
        edit::edited(text, changes)
    }
}

fn of_record(cx: &Context, org: &Org, mapping: &Mapping, record: &Record, out: &mut Vec<Preview>) {
    let common = Common {
        meta: record.meta(),
        key: record.key().as_str(),
        mark: "",
    };
    let links = CaseLinks::default();
    match record {
        Record::Account(account) => {
            let facts = AccountFacts { common, account };
            of_facts(cx, org, mapping.object("Account"), record, &facts, out);
        }
        Record::Contact(contact) => {
            let facts = ContactFacts::new(common, contact, None);
            of_facts(cx, org, mapping.object("Contact"), record, &facts, out);
        }
        Record::Conversation(conversation) => {
            let facts = CaseFacts {
                common,
                conversation,
                links: &links,
            };
            of_facts(cx, org, mapping.object("Case"), record, &facts, out);
        }
        _ => {}
    }
}

fn of_facts(
    cx: &Context,
    org: &Org,
    mapping: Option<&ObjectMapping>,
    record: &Record,
    facts: &dyn Facts,
    out: &mut Vec<Preview>,
) {
    let Some(mapping) = mapping else { return };
    let Some(object) = org.schema.object(mapping.object) else {
        return;
    };
    for line in &mapping.lines {
        let Some(field) = object.field(&line.field).filter(|f| f.createable) else {
            continue;
        };
        if let Some((before, after, note)) = shown_value(line, field, facts, cx.now()) {
            out.push(Preview {
                object: mapping.object.to_owned(),
                field: line.field.clone(),
                from: line.from.clone(),
                key: record.key().clone(),
                before,
                after,
                note: note.to_owned(),
            });
        }
    }
}

fn unknown_values(mapping: &Mapping, schema: &Schema) -> Vec<UnknownValue> {
    let mut unknown = Vec::new();
    for object in mapping.objects().filter_map(|name| mapping.object(name)) {
        let Some(described) = schema.object(object.object) else {
            continue;
        };
        for line in &object.lines {
            let field = described.field(&line.field);
            let Some(field) = field.filter(|f| f.holds == FieldKind::Picklist) else {
                continue;
            };
            for (meaning, becomes) in &line.values {
                let Some(becomes) = becomes.as_str() else {
                    continue;
                };
                if field.picklist_value(becomes).is_none() {
                    unknown.push(UnknownValue {
                        object: object.object.to_owned(),
                        field: line.field.clone(),
                        meaning: meaning.clone(),
                        becomes: becomes.to_owned(),
                        offered: field.values.clone(),
                    });
                }
            }
        }
    }
    unknown
}

/// What of the org the lines of a mapping were made for. A list's other values are nobody's business here.
pub(crate) fn shape(mapping: &Mapping, schema: &Schema) -> Told {
    let mut told = Told::default();
    for object in mapping.objects().filter_map(|name| mapping.object(name)) {
        let described = schema.object(object.object);
        for line in &object.lines {
            let field = described.and_then(|d| d.field(&line.field));
            let says = field.map_or_else(|| "not there".to_owned(), |f| said(line, f));
            told.add(format!("{}.{}", object.object, line.field), says);
        }
        let filled = |field: &&Field| {
            let mut lines = object.lines.iter();
            !lines.any(|line| line.field.eq_ignore_ascii_case(&field.name))
        };
        let required = described.into_iter().flat_map(|d| d.fields());
        for field in required.filter(|f| f.required).filter(filled) {
            let name = format!("{}.{}", object.object, field.name);
            told.add(name, "required, and no line fills it");
        }
    }
    for name in mapping.record_types().unwrap_or_default() {
        let case = schema.object("Case");
        let says = match case.and_then(|case| case.record_type(name)) {
            None => "not there",
            Some(known) if known.available => "there",
            Some(_) => "may not be given",
        };
        told.add(format!("Case record type {name}"), says);
    }
    told
}

fn said(line: &FieldLine, field: &Field) -> String {
    let mut said = format!("{:?}", field.holds).to_lowercase();
    if field.length > 0 && field.holds != FieldKind::Picklist {
        said.push_str(&format!(" of {}", field.length));
    }
    if field.holds == FieldKind::Number {
        said.push_str(&format!(" {}.{}", field.precision, field.scale));
    }
    if !field.createable {
        said.push_str(", cannot be set");
    }
    if field.required {
        said.push_str(", required");
    }
    let lists = matches!(field.holds, FieldKind::Picklist | FieldKind::Multipicklist);
    if lists && !line.values.is_empty() {
        let written = line.values.values().filter_map(|v| v.as_str());
        let mut has: Vec<&str> = written.filter_map(|v| field.picklist_value(v)).collect();
        has.sort_unstable();
        has.dedup();
        said.push_str(&format!(", has {}", has.join(", ")));
    } else if lists {
        said.push_str(&format!(", has {}", field.values.join(", ")));
    }
    said
}

const fn holds(kind: FieldKind) -> Option<FieldType> {
    Some(match kind {
        FieldKind::Text | FieldKind::Email | FieldKind::Phone | FieldKind::Url => FieldType::Text,
        FieldKind::LongText | FieldKind::RichText => FieldType::LongText,
        FieldKind::Picklist => FieldType::Choice,
        FieldKind::Multipicklist => FieldType::Choices,
        FieldKind::Checkbox => FieldType::Bool,
        FieldKind::Number => FieldType::Number,
        FieldKind::Date => FieldType::Date,
        FieldKind::DateTime => FieldType::DateTime,
        FieldKind::Reference | FieldKind::Blob | FieldKind::Other => return None,
    })
}
