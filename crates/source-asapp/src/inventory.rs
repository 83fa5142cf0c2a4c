//! Configuration that cannot migrate, as items of a hand-over document: what the exports tell of queues, intents and their own tables, and segments.
//!
//! What is redacted and which words are taught come from the Configuration API, where it may be asked. Models, prompts, routing rules and reports are in no export and no API (ASAPP reference, section 9).

use std::collections::BTreeMap;

use deskferry_core::model::{InventoryItem, InventoryKind, InventoryPart, Meta, Named};
use deskferry_core::{RecordKind, Tenant};
use serde_json::{Value, json};

use crate::client::Configuration;
use crate::convert::Lookup;
use crate::wire::{Row, Shape};

fn item(
    tenant: &Tenant,
    sort: &str,
    id: &str,
    kind: InventoryKind,
    name: &str,
    definition: Value,
) -> InventoryItem {
    InventoryItem {
        meta: Meta::new(tenant.key(RecordKind::InventoryItem, format!("{sort}-{id}"))),
        kind: Named::new(kind, sort),
        name: name.to_owned(),
        active: None,
        parts: Vec::new(),
        definition,
    }
}

fn part(title: &str, lines: Vec<String>) -> Option<InventoryPart> {
    let title = title.to_owned();
    (!lines.is_empty()).then_some(InventoryPart { title, lines })
}

/// Queues, intents and segments.
pub(crate) fn items(
    tenant: &Tenant,
    lookup: &Lookup,
    intents: &[Row],
    segments: &[Value],
) -> Vec<InventoryItem> {
    let queues = lookup.queues.iter().map(|(id, name)| {
        let definition = json!({ "queue_id": id, "queue_name": name });
        item(tenant, "queue", id, InventoryKind::Queue, name, definition)
    });
    let intents = intents.iter().filter_map(|row| {
        let code = row.text("code")?;
        let name = row
            .first(&["name", "short_description"])
            .unwrap_or_else(|| code.clone());
        let mut found = item(
            tenant,
            "intent",
            &code,
            InventoryKind::Ai,
            &name,
            Value::Object(row.0.clone()),
        );
        found.active = Some(row.text("deleted_ts").is_none());
        let actions = [
            ("flow", row.text("flow_name")),
            ("actions", row.text("actions")),
        ];
        let lines = actions
            .into_iter()
            .filter_map(|(word, text)| Some(format!("{word}: {}", text?)));
        found.parts.extend(part("actions", lines.collect()));
        Some(found)
    });
    let segments = segments.iter().filter_map(|segment| {
        let id = segment.get("id")?.as_str()?.to_owned();
        let name = segment
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or(&id)
            .to_owned();
        let query = segment
            .pointer("/query/raw")
            .and_then(Value::as_str)
            .map(str::to_owned);
        let fields = segment
            .get("structuredDataFieldIds")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        let fields = fields
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        let mut found = item(
            tenant,
            "segment",
            &id,
            InventoryKind::Routing,
            &name,
            segment.clone(),
        );
        found
            .parts
            .extend(part("conditions", query.into_iter().collect()));
        found.parts.extend(part("fields", fields));
        Some(found)
    });
    queues.chain(intents).chain(segments).collect()
}

/// What the Configuration API tells beside segments and fields: what is redacted, and words that are taught (ASAPP reference, section 4.3).
pub(crate) fn told(tenant: &Tenant, told: &Configuration) -> Vec<InventoryItem> {
    let text =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let redactions = told.redactions().iter().filter_map(|entity| {
        let id = text(entity, "id")?;
        let policies = entity.get("policies").and_then(Value::as_object);
        let on: Vec<String> = policies
            .into_iter()
            .flatten()
            .filter(|(_, on)| on.as_bool() == Some(true))
            .map(|(policy, _)| policy.clone())
            .collect();
        let mut found = item(
            tenant,
            "redaction",
            &id,
            InventoryKind::Validation,
            &id,
            entity.clone(),
        );
        found.active = Some(!on.is_empty());
        found.parts.extend(part(
            "description",
            text(entity, "description").into_iter().collect(),
        ));
        found.parts.extend(part("policies", on));
        Some(found)
    });
    let vocabularies = told.vocabularies().iter().filter_map(|word| {
        let id = text(word, "id")?;
        let name = text(word, "phrase")
            .or_else(|| text(word, "name"))
            .unwrap_or_else(|| id.clone());
        Some(item(
            tenant,
            "vocabulary",
            &id,
            InventoryKind::Ai,
            &name,
            word.clone(),
        ))
    });
    redactions.chain(vocabularies).collect()
}

/// Tables that came, each with its columns: what reports were made of. Reports themselves are in no export and no API (ASAPP reference, section 9).
pub(crate) fn reports(tenant: &Tenant, shapes: &BTreeMap<String, Shape>) -> Vec<InventoryItem> {
    let report = |(table, shape): (&String, &Shape)| {
        let columns = shape.0.iter();
        let columns: Vec<(String, String)> = columns
            .map(|(column, bits)| (column.clone(), Shape::types(*bits)))
            .collect();
        let definition = json!({ "table": table, "columns": columns.iter().cloned().collect::<BTreeMap<_, _>>() });
        let mut found = item(
            tenant,
            "report",
            table,
            InventoryKind::Report,
            table,
            definition,
        );
        let lines = columns
            .iter()
            .map(|(column, types)| format!("{column}: {types}"));
        found.parts.extend(part("columns", lines.collect()));
        found
    };
    shapes
        .iter()
        .filter(|(_, shape)| !shape.0.is_empty())
        .map(report)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_build_again_is_told_with_its_conditions() {
        let row = json!({"code": "PAYBILL", "name": "Pay a bill", "flow_name": "pay", "deleted_ts": "NULL", "actions": null});
        let row = Row::parse(row.to_string().as_bytes()).unwrap();
        let segments = [
            json!({"id": "RETURNS", "name": "Returns", "query": {"raw": "lob_id = '7'"}, "structuredDataFieldIds": ["e_order"]}),
        ];
        let mut lookup = Lookup::default();
        lookup
            .queues
            .insert("20001".to_owned(), "orders".to_owned());
        let tenant = Tenant::new("asapp", "acme");
        let found = items(&tenant, &lookup, &[row], &segments);
        let said: Vec<_> = found
            .iter()
            .map(|item| (item.kind.is, item.name.as_str(), item.active))
            .collect();
        let expected = [
            (InventoryKind::Queue, "orders", None),
            (InventoryKind::Ai, "Pay a bill", Some(true)),
            (InventoryKind::Routing, "Returns", None),
        ];
        assert_eq!(said, expected);
        assert_eq!(found[1].parts[0].lines, ["flow: pay"]);
        let titles: Vec<_> = found[2]
            .parts
            .iter()
            .map(|part| part.title.as_str())
            .collect();
        assert_eq!(titles, ["conditions", "fields"]);
    }

    #[test]
    fn a_table_is_handed_over_with_its_columns() {
        let shape = Shape([("issue_id".to_owned(), 3), ("platform".to_owned(), 1)].into());
        let shapes = [
            ("convos_metadata".to_owned(), shape),
            ("intents".to_owned(), Shape::default()),
        ];
        let found = reports(&Tenant::new("asapp", "acme"), &shapes.into());
        let [table] = found.as_slice() else {
            panic!("{found:?}")
        };
        assert_eq!(
            (table.kind.is, table.name.as_str()),
            (InventoryKind::Report, "convos_metadata")
        );
        assert_eq!(
            table.parts[0].lines,
            ["issue_id: text and number", "platform: text"]
        );
    }
}
