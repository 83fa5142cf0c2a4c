//! The header of an upload, read against the object: which field each column fills, and rows as writes.

use std::cell::RefCell;

use serde_json::{Value, json};

use super::job::{Job, Operation};
use crate::org::options::OrgSettings;
use crate::org::schema::{Field, Kind, Object, Schema};
use crate::org::store::Fields;
use crate::org::write::{Given, Item};

/// The text that clears a field; an empty value leaves it as it is.
const NULL: &str = "#N/A";
const MOST_COLUMNS: usize = 5_000;

#[derive(Debug)]
enum Column {
    Id,
    Field(String),
    /// `Contact.Source_Key__c`, `User:Owner.Username`.
    Reference {
        /// The field that is filled.
        field: String,
        relationship: String,
        object: Option<String>,
        key: String,
    },
}

#[derive(Debug)]
pub(super) struct Columns {
    columns: Vec<Column>,
    /// Whether the name was spelt as the describe does; else failed results leave the column blank.
    pub(super) exact: Vec<bool>,
    object: String,
    operation: Operation,
    by_id: bool,
}

impl Columns {
    /// # Errors
    /// The `errorMessage` of the job.
    pub(super) fn of(schema: &Schema, job: &Job, header: &[String]) -> Result<Self, String> {
        let object = schema
            .object(&job.object)
            .ok_or_else(|| format!("InvalidBatch : no object {}", job.object))?;
        if header.len() > MOST_COLUMNS {
            return Err(format!("InvalidBatch : more than {MOST_COLUMNS} columns"));
        }
        let mut columns = Self {
            columns: Vec::new(),
            exact: Vec::new(),
            object: object.name.clone(),
            operation: job.operation,
            by_id: job.external_id.as_deref() == Some("Id"),
        };
        for (n, name) in header.iter().enumerate() {
            if header[..n]
                .iter()
                .any(|known| known.eq_ignore_ascii_case(name))
            {
                return Err(format!("InvalidBatch : Duplicate field name : {name}"));
            }
            let (column, spelt) = column(schema, object, name).ok_or_else(|| not_found(name))?;
            if job.operation.deletes() && !matches!(column, Column::Id) {
                return Err(format!(
                    "InvalidBatch : Field name provided, {name} does not match an Id of {}",
                    object.name
                ));
            }
            columns.exact.push(spelt == *name);
            columns.columns.push(column);
        }
        let has_id = columns.columns.iter().any(|c| matches!(c, Column::Id));
        match &job.external_id {
            Some(key) if key != "Id" && !columns.has(key) => Err(not_found(key)),
            Some(key) if key == "Id" && !has_id => Err(not_found(key)),
            None if job.operation.needs_id() && !has_id => Err(not_found("Id")),
            _ => Ok(columns),
        }
    }

    fn has(&self, name: &str) -> bool {
        self.columns
            .iter()
            .any(|column| matches!(column, Column::Field(field) if field == name))
    }

    pub(super) fn item(&self, row: Vec<String>) -> Item {
        let mut item = Item {
            object: self.object.clone(),
            id: None,
            values: Fields::new(),
            read: Default::default(),
        };
        for (column, text) in self.columns.iter().zip(row) {
            match column {
                Column::Id => self.id(&text, &mut item),
                _ if text.is_empty() => {}
                Column::Field(name) if text == NULL => {
                    item.values.insert(name.clone(), Value::Null);
                }
                Column::Field(name) => {
                    item.values.insert(name.clone(), Value::String(text));
                }
                Column::Reference { field, .. } if text == NULL => {
                    item.values.insert(field.clone(), Value::Null);
                }
                Column::Reference {
                    relationship,
                    object,
                    key,
                    ..
                } => {
                    let mut parent = json!({key.as_str(): text});
                    if let Some(object) = object {
                        parent["attributes"] = json!({"type": object});
                    }
                    item.values.insert(relationship.clone(), parent);
                }
            }
        }
        item
    }

    /// The values of a new row, where they can be read without any other row and nothing is wrong with them.
    pub(super) fn given(
        &self,
        settings: &OrgSettings,
        object: &Object,
        row: &[String],
    ) -> Option<Given> {
        let cells = || {
            let cells = self.columns.iter().zip(row);
            cells.filter(|(_, text)| !text.is_empty())
        };
        if !cells().all(|(column, _)| matches!(column, Column::Field(_))) {
            return None;
        }
        let texts = cells().filter_map(|(column, text)| match column {
            Column::Field(name) => Some((name.as_str(), (text != NULL).then_some(text.as_str()))),
            _ => None,
        });
        Given::of_texts(settings, object, texts)
    }

    /// A row of which the values were read.
    pub(super) fn read(&self, given: Given) -> Item {
        Item {
            object: self.object.clone(),
            id: None,
            values: Fields::new(),
            read: RefCell::new(Some(given)),
        }
    }

    /// Clients send an empty Id column with inserts and upserts.
    fn id(&self, text: &str, item: &mut Item) {
        match self.operation {
            Operation::Update | Operation::Delete | Operation::HardDelete => {
                item.id = (!text.is_empty()).then(|| text.to_owned());
            }
            Operation::Upsert if self.by_id => {
                item.values.insert("Id".into(), json!(text));
            }
            _ if text.is_empty() => {}
            _ => {
                item.values.insert("Id".into(), json!(text));
            }
        }
    }
}

fn not_found(name: &str) -> String {
    format!("InvalidBatch : Field name not found : {name}")
}

/// The column of this name, and the name as the describe spells it.
fn column(schema: &Schema, object: &Object, name: &str) -> Option<(Column, String)> {
    if name.eq_ignore_ascii_case("Id") {
        return Some((Column::Id, "Id".into()));
    }
    if let Some((relationship, key)) = name.split_once('.') {
        return reference(schema, object, relationship, key);
    }
    // Lists of ids and bytes exist in JSON only; compound fields are written by their parts.
    let plain = |f: &&Field| !matches!(f.kind, Kind::Junction | Kind::Base64 | Kind::Address);
    let field = object.field(name).filter(plain)?;
    Some((Column::Field(field.name.clone()), field.name.clone()))
}

/// One level, by an indexed field; the type stands before the name exactly where the field can point at several.
fn reference(schema: &Schema, object: &Object, left: &str, key: &str) -> Option<(Column, String)> {
    let (named, relationship) = match left.split_once(':') {
        Some((object, relationship)) => (Some(object), relationship),
        None => (None, left),
    };
    let field = object.by_relationship(relationship)?;
    let several = field.reference_to.len() > 1;
    if several != named.is_some() {
        return None;
    }
    let parent = schema.object(named.unwrap_or(field.reference_to.first()?))?;
    if !field.reference_to.contains(&parent.name) {
        return None;
    }
    let key = parent
        .field(key)
        .filter(|field| field.id_lookup || field.external_id)?;
    let relationship = field.relationship.clone()?;
    let typed = several.then(|| parent.name.clone());
    let prefix = typed
        .as_ref()
        .map(|of| format!("{of}:"))
        .unwrap_or_default();
    let spelt = format!("{prefix}{relationship}.{}", key.name);
    let column = Column::Reference {
        field: field.name.clone(),
        relationship,
        object: typed,
        key: key.name.clone(),
    };
    Some((column, spelt))
}
