use async_trait::async_trait;
use chrono::DateTime;

use super::*;
use crate::context::Context;
use crate::key::{RecordKind, Tenant};
use crate::model::{Meta, Named};
use crate::sink::{Batch, Outcome, Phase, TargetInfo};

const HOSTILE: &str =
    "<script>alert(1)</script>\"'><img src=https://evil.example/x onerror=alert(2)>{{ 7*7 }}";

/// Has something instead of rules, and of nothing else.
struct Rules;

#[async_trait]
impl Sink for Rules {
    async fn check(&self, _: &Context) -> Result<TargetInfo> {
        Ok(TargetInfo::new("1", "rules"))
    }

    fn phases(&self) -> Vec<Phase> {
        Vec::new()
    }

    async fn write(&self, _: &Context, _: Batch) -> Result<Vec<Outcome>> {
        Ok(Vec::new())
    }

    async fn flush(&self, _: &Context) -> Result<Vec<Outcome>> {
        Ok(Vec::new())
    }

    fn counterpart(&self, kind: InventoryKind, raw: &str) -> Option<Counterpart> {
        (kind == InventoryKind::Automation)
            .then(|| Counterpart::new("Engine", format!("{raw} {HOSTILE}"), HOSTILE))
    }
}

fn item(id: u64, kind: InventoryKind, raw: &str, name: &str) -> InventoryItem {
    let tenant = Tenant::new("desk", "acme");
    InventoryItem {
        meta: Meta::new(tenant.key(RecordKind::InventoryItem, id)),
        kind: Named::new(kind, raw),
        name: name.to_owned(),
        active: Some(id.is_multiple_of(2)),
        parts: vec![InventoryPart {
            title: "conditions".to_owned(),
            lines: vec![format!("status is {id}"), HOSTILE.to_owned()],
        }],
        definition: serde_json::json!({ "id": id, "text": HOSTILE }),
    }
}

fn inventory() -> Inventory {
    let items = [
        item(1, InventoryKind::Other, HOSTILE, HOSTILE),
        item(2, InventoryKind::Automation, "trigger", "second"),
        item(3, InventoryKind::Automation, "monitor", "=1+1"),
        item(4, InventoryKind::Automation, "trigger", "first"),
    ];
    let at = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
    Inventory::new(HOSTILE, at, items, &Rules).of_target(HOSTILE)
}

#[test]
fn items_stand_together_by_kind_and_word_and_each_group_has_its_counterpart() {
    let inventory = inventory();
    let groups: Vec<_> = inventory
        .groups
        .iter()
        .map(|group| {
            let names = group.items.iter().map(|item| item.name.as_str());
            (
                group.kind,
                group.raw.as_str(),
                group.counterpart.is_some(),
                names.collect::<Vec<_>>(),
            )
        })
        .collect();
    assert_eq!(
        groups,
        [
            (InventoryKind::Automation, "monitor", true, vec!["=1+1"]),
            (
                InventoryKind::Automation,
                "trigger",
                true,
                vec!["first", "second"]
            ),
            (InventoryKind::Other, HOSTILE, false, vec![HOSTILE]),
        ]
    );
    assert_eq!(inventory.len(), 4);
    let again: Inventory = serde_json::from_slice(&inventory.json().unwrap()).unwrap();
    assert_eq!(again, inventory);
}

#[test]
fn the_page_shows_everything_and_nothing_in_it_is_markup() {
    let page = inventory().html().unwrap();
    for shown in [
        "status is 4",
        "conditions",
        "Recommended: Engine",
        "names no counterpart",
        "as the source has it",
        "4 pieces of configuration, 2 of them inactive",
        "=1+1",
    ] {
        assert!(page.contains(shown), "{shown}");
    }
    for markup in ["<script", "<img", "49}}", "onerror=alert(2)>"] {
        assert!(!page.contains(markup), "{markup}");
    }
    // Source and target in title and heading, name, word, line, definition, reason, place.
    let written = page.matches("&lt;script&gt;").count();
    assert!(written > 10, "{written}");
    assert!(page.contains("default-src 'none'"));
}
