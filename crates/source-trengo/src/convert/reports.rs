//! Figures of the reporting interface (Trengo reference, section 5.3): beside the cases, by agent and month, and what they are.
//!
//! The names of the members of its rows are recorded nowhere: whatever a row says is kept under its own name.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use deskferry_core::RecordKind;
use deskferry_core::model::{
    AgentStatistics, CustomValue, CustomValues, FieldDefinition, FieldType, InventoryItem,
    InventoryKind, InventoryPart, Meta, Named, ObjectDefinition, ObjectRecord, Relation,
    RelationDefinition, RelationKind,
};
use serde_json::{Value, json};

use super::Ground;
use crate::wire::{Defect, Row, is_empty, redacted};

/// The name of the dataset, and of its relation to the case.
const FIGURES: &str = "ticket_figures";
const TICKET: &str = "ticket";

/// Aggregates that may be asked for (Trengo reference, section 5.3), with what they count.
pub(crate) const METRICS: [(&str, &str); 7] = [
    ("new_tickets", "tickets"),
    ("assigned_tickets", "tickets"),
    ("created_tickets", "tickets"),
    ("closed_tickets", "tickets"),
    ("reopened_tickets", "tickets"),
    ("average_first_response_time", "seconds"),
    ("average_total_resolution_time", "seconds"),
];

/// A span of time for which figures are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Month {
    pub(crate) from: DateTime<Utc>,
    pub(crate) until: DateTime<Utc>,
}

impl Month {
    /// `2026-03`
    pub(crate) fn name(self) -> String {
        self.from.format("%Y-%m").to_string()
    }
}

/// What the reporting interface says of each ticket, as a table beside the cases.
pub(crate) fn figures_object(ground: &Ground) -> ObjectDefinition {
    ObjectDefinition {
        meta: Meta::new(ground.tenant.key(RecordKind::ObjectDefinition, FIGURES)),
        name: FIGURES.to_owned(),
        title: "Ticket Figures".to_owned(),
        plural: Some("Ticket Figures".to_owned()),
        relations: vec![RelationDefinition {
            field: TICKET.to_owned(),
            title: "Ticket".to_owned(),
            kind: RelationKind::Lookup,
            to: RecordKind::Conversation,
            object: None,
        }],
        active: true,
    }
}

/// The columns of that table, as the first rows have them.
pub(crate) fn figure_fields(ground: &Ground, rows: &[Value]) -> Vec<FieldDefinition> {
    let mut columns: BTreeMap<String, FieldType> = BTreeMap::new();
    for row in rows {
        for (name, value) in values(Row(row)) {
            let holds = match value {
                CustomValue::Number(_) => FieldType::Number,
                CustomValue::Bool(_) => FieldType::Bool,
                CustomValue::Text(_) => FieldType::Text,
                _ => FieldType::Other,
            };
            let known = columns.entry(name).or_insert(holds);
            if *known != holds {
                *known = FieldType::Text;
            }
        }
    }
    let object = ground.tenant.key(RecordKind::ObjectDefinition, FIGURES);
    let definition = |(name, holds): (String, FieldType)| {
        let id = format!("{FIGURES}.{name}");
        FieldDefinition {
            meta: Meta::new(ground.tenant.key(RecordKind::FieldDefinition, id)),
            of: RecordKind::ObjectRecord,
            object: Some(object.clone()),
            title: name.replace('_', " "),
            field: name,
            holds,
            raw_type: String::new(),
            options: Vec::new(),
            active: true,
        }
    };
    columns.into_iter().map(definition).collect()
}

/// What it says of one ticket.
pub(crate) fn ticket_figures(ground: &Ground, id: u64, row: Row<'_>) -> ObjectRecord {
    let key = ground
        .tenant
        .key(RecordKind::ObjectRecord, format!("figures-{id}"));
    let mut meta = Meta::new(key);
    meta.custom = values(row);
    ObjectRecord {
        meta,
        object: ground.tenant.key(RecordKind::ObjectDefinition, FIGURES),
        name: format!("Ticket {id}"),
        relations: vec![Relation {
            field: TICKET.to_owned(),
            to: ground.key(RecordKind::Conversation, id),
        }],
    }
}

/// What an agent did in a month. Nothing where a row names no agent.
pub(crate) fn performance(
    ground: &Ground,
    row: &Value,
    month: Month,
) -> Result<AgentStatistics, Defect> {
    let one = Row(row);
    let user = one.object("user").or_else(|| one.object("agent"));
    let id = ["user_id", "agent_id"]
        .iter()
        .find_map(|name| one.reference(name))
        .or_else(|| user.and_then(|user| user.id().ok()))
        .map_or_else(|| one.id(), Ok)?;
    let key = ground.tenant.key(
        RecordKind::AgentStatistics,
        format!("{id}-{}", month.name()),
    );
    let mut meta = Meta::new(key);
    meta.custom = values(one);
    for name in ["user_id", "agent_id", "id", "user", "agent"] {
        meta.custom.remove(name);
    }
    Ok(AgentStatistics {
        meta,
        agent: ground.key(RecordKind::Agent, id),
        from: Some(month.from),
        until: Some(month.until),
    })
}

/// The aggregates, each with its figures month by month: a list of what has to be built again as reports.
pub(crate) fn metrics(ground: &Ground, answers: &[(Month, Value)]) -> Vec<InventoryItem> {
    let mut names: BTreeSet<&str> = METRICS.iter().map(|(name, _)| *name).collect();
    let aggregates = |answer: &'_ Value| answer.get("aggregates").cloned().unwrap_or_default();
    let told: Vec<(Month, Value)> = answers
        .iter()
        .map(|(month, answer)| (*month, aggregates(answer)))
        .collect();
    for (_, values) in &told {
        names.extend(
            values
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, _)| name.as_str()),
        );
    }
    let item = |name: &str| {
        let unit = METRICS.iter().find(|(known, _)| *known == name);
        let figures: BTreeMap<String, Value> = told
            .iter()
            .filter_map(|(month, values)| Some((month.name(), values.get(name)?.clone())))
            .collect();
        let lines = figures
            .iter()
            .map(|(month, value)| format!("{month}: {value}"));
        let lines: Vec<String> = lines.collect();
        let key = ground
            .tenant
            .key(RecordKind::InventoryItem, format!("metric-{name}"));
        InventoryItem {
            meta: Meta::new(key),
            kind: Named::new(InventoryKind::Report, "metric"),
            name: name.replace('_', " "),
            active: None,
            parts: match lines.is_empty() {
                true => Vec::new(),
                false => vec![InventoryPart {
                    title: "figures".to_owned(),
                    lines,
                }],
            },
            definition: json!({"metric": name, "unit": unit.map(|(_, unit)| *unit), "by_month": figures}),
        }
    };
    names.into_iter().map(item).collect()
}

/// All that a row says, by its own names.
fn values(row: Row<'_>) -> CustomValues {
    let members = row.0.as_object().into_iter().flatten();
    members
        .filter(|(name, value)| !is_empty(value) && name.as_str() != "ticket_id")
        .map(|(name, value)| {
            let value = match value {
                Value::String(text) => CustomValue::Text(text.clone()),
                Value::Bool(flag) => CustomValue::Bool(*flag),
                Value::Number(number) => CustomValue::Number(number.to_string()),
                other => CustomValue::Json(redacted(other)),
            };
            (name.clone(), value)
        })
        .collect()
}
