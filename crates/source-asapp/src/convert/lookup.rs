//! Dictionaries: names of queues, intents and structured-data fields.

use std::collections::{BTreeMap, HashMap};

use deskferry_core::model::{FieldDefinition, FieldType, Meta, Team};
use deskferry_core::{RecordKind, Tenant};

use crate::reduce::Group;
use crate::tables::tag;
use crate::wire::Row;

/// A structured-data field as rows name it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) category: Option<String>,
}

/// What every part of a read looks into.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lookup {
    pub(crate) queues: BTreeMap<String, String>,
    pub(crate) intents: HashMap<String, String>,
    pub(crate) fields: BTreeMap<String, Field>,
}

impl Lookup {
    /// From the dictionaries of a reduced file. Old snapshots count too: a conversation can name a queue that is gone (ASAPP
    /// reference, section 7.1).
    pub(crate) fn new(groups: &[Group]) -> Self {
        let mut lookup = Self::default();
        for row in groups.iter().flat_map(|group| &group.rows) {
            let Ok(line) = Row::parse(&row.line) else {
                continue;
            };
            match row.tag {
                tag::QUEUE => {
                    if let Some(id) = line.text("queue_id") {
                        let name = line.text("queue_name").unwrap_or_else(|| id.clone());
                        lookup.queues.insert(id, name);
                    }
                }
                tag::INTENT => {
                    if let (Some(code), Some(name)) = (
                        line.text("code"),
                        line.first(&["name", "short_description"]),
                    ) {
                        lookup.intents.insert(code, name);
                    }
                }
                tag::FIELD => {
                    if let Some(id) = line.text("id") {
                        let field = Field {
                            name: line.text("name").unwrap_or_else(|| id.clone()),
                            category: line.text("category"),
                        };
                        lookup.fields.insert(id, field);
                    }
                }
                _ => {}
            }
        }
        lookup
    }

    /// Queues as teams.
    pub(crate) fn teams<'a>(&'a self, tenant: &'a Tenant) -> impl Iterator<Item = Team> + 'a {
        self.queues.iter().map(|(id, name)| Team {
            meta: Meta::new(tenant.key(RecordKind::Team, id)),
            name: name.clone(),
        })
    }

    /// Definitions of structured data. There is no data type: a question is answered yes, no or not found, an entity is text
    /// (ASAPP reference, section 4.3).
    pub(crate) fn definitions<'a>(
        &'a self,
        tenant: &'a Tenant,
    ) -> impl Iterator<Item = FieldDefinition> + 'a {
        self.fields.iter().map(|(id, field)| {
            let is_question = id.starts_with("q_");
            FieldDefinition {
                meta: Meta::new(tenant.key(RecordKind::FieldDefinition, id)),
                of: RecordKind::Conversation,
                object: None,
                field: id.clone(),
                title: field.name.clone(),
                holds: if is_question {
                    FieldType::Choice
                } else {
                    FieldType::Text
                },
                raw_type: if is_question { "QUESTION" } else { "ENTITY" }.to_owned(),
                options: match is_question {
                    true => ["Yes", "No", "Not Found"].map(str::to_owned).to_vec(),
                    false => Vec::new(),
                },
                active: true,
            }
        })
    }
}
