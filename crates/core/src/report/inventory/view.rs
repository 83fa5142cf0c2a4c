//! What the page shows.

use serde::Serialize;

use super::{Inventory, InventoryEntry, InventoryGroup};
use crate::model::{InventoryKind, InventoryPart};
use crate::sink::Counterpart;

#[derive(Serialize)]
pub(super) struct Page<'a> {
    source: &'a str,
    target: &'a str,
    made_at: String,
    total: usize,
    inactive: usize,
    groups: Vec<Group<'a>>,
}

#[derive(Serialize)]
struct Group<'a> {
    anchor: String,
    title: &'static str,
    raw: &'a str,
    count: usize,
    counterpart: Option<&'a Counterpart>,
    items: Vec<Item<'a>>,
}

#[derive(Serialize)]
struct Item<'a> {
    key: &'a str,
    name: &'a str,
    state: &'static str,
    parts: &'a [InventoryPart],
    definition: String,
}

impl<'a> Page<'a> {
    pub(super) fn of(inventory: &'a Inventory) -> Self {
        let items = || inventory.groups.iter().flat_map(|group| &group.items);
        Self {
            source: &inventory.source,
            target: inventory.target.as_deref().unwrap_or_default(),
            made_at: inventory
                .made_at
                .format("%Y-%m-%d %H:%M:%S UTC")
                .to_string(),
            total: inventory.len(),
            inactive: items().filter(|item| item.active == Some(false)).count(),
            groups: inventory.groups.iter().enumerate().map(group).collect(),
        }
    }
}

fn group((n, group): (usize, &InventoryGroup)) -> Group<'_> {
    Group {
        anchor: format!("g{n}"),
        title: title(group.kind),
        raw: &group.raw,
        count: group.items.len(),
        counterpart: group.counterpart.as_ref(),
        items: group.items.iter().map(item).collect(),
    }
}

fn item(item: &InventoryEntry) -> Item<'_> {
    Item {
        key: item.key.as_str(),
        name: match item.name.trim() {
            "" => "without a name",
            name => name,
        },
        state: match item.active {
            Some(true) => "active",
            Some(false) => "inactive",
            None => "",
        },
        parts: &item.parts,
        // The alternate form is JSON in lines.
        definition: match item.definition.is_null() {
            true => String::new(),
            false => format!("{:#}", item.definition),
        },
    }
}

fn title(kind: InventoryKind) -> &'static str {
    match kind {
        InventoryKind::Automation => "Rules that act on events",
        InventoryKind::Schedule => "Rules that act by time",
        InventoryKind::Sla => "Agreements on times",
        InventoryKind::BusinessHours => "Business hours",
        InventoryKind::Routing => "Routing",
        InventoryKind::Queue => "Queues",
        InventoryKind::Macro => "Prepared answers and actions",
        InventoryKind::View => "Saved lists and searches",
        InventoryKind::Channel => "Channels",
        InventoryKind::Form => "Forms",
        InventoryKind::Validation => "Rules that values must keep",
        InventoryKind::Field => "Fields without a counterpart of their type",
        InventoryKind::Report => "Reports and dashboards",
        InventoryKind::Webhook => "Calls to and from other systems",
        InventoryKind::Ai => "Bots, models and intents",
        InventoryKind::App => "Applications and blocks",
        InventoryKind::Other => "Other things",
    }
}
