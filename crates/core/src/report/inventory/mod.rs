//! Configuration that cannot migrate, as a document for the people who build it again.

mod view;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::page;
use crate::error::{Error, Result};
use crate::key::RecordKey;
use crate::model::{InventoryItem, InventoryKind, InventoryPart};
use crate::sink::{Counterpart, Sink};

const TEMPLATE: &str = include_str!("inventory.html");

/// What people build again in a target. Serialised as `inventory.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Inventory {
    /// The version of this form.
    pub format: u32,
    /// Whose configuration: `platform:tenant`.
    pub source: String,
    /// The target's name; nothing in a plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// When it was made.
    pub made_at: DateTime<Utc>,
    /// The items, in groups by kind and by the source's word for it.
    pub groups: Vec<InventoryGroup>,
}

/// Items of one sort.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InventoryGroup {
    /// What they are.
    pub kind: InventoryKind,
    /// What the source calls it.
    pub raw: String,
    /// What people build in the target instead, where it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counterpart: Option<Counterpart>,
    /// The items, by name.
    pub items: Vec<InventoryEntry>,
}

/// One item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InventoryEntry {
    /// Its key.
    pub key: RecordKey,
    /// Its name.
    pub name: String,
    /// Whether it is in use; unknown where the source does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// What it does, for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<InventoryPart>,
    /// The whole of it, as the source has it.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub definition: Value,
}

impl Inventory {
    /// The document of these items, with what the target has instead of them.
    #[must_use]
    pub fn new(
        source: impl Into<String>,
        made_at: DateTime<Utc>,
        items: impl IntoIterator<Item = InventoryItem>,
        sink: &dyn Sink,
    ) -> Self {
        let mut items: Vec<InventoryItem> = items.into_iter().collect();
        items.sort_by(|a, b| {
            let order = |i: &InventoryItem| (i.kind.is, i.kind.raw.clone(), i.name.clone());
            order(a)
                .cmp(&order(b))
                .then_with(|| a.meta.key.cmp(&b.meta.key))
        });
        let mut groups: Vec<InventoryGroup> = Vec::new();
        for item in items {
            let (kind, raw) = (item.kind.is, item.kind.raw);
            let entry = InventoryEntry {
                key: item.meta.key,
                name: item.name,
                active: item.active,
                parts: item.parts,
                definition: item.definition,
            };
            match groups.last_mut() {
                Some(group) if group.kind == kind && group.raw == raw => group.items.push(entry),
                _ => groups.push(InventoryGroup {
                    kind,
                    counterpart: sink.counterpart(kind, &raw),
                    raw,
                    items: vec![entry],
                }),
            }
        }
        Self {
            format: 1,
            source: source.into(),
            target: None,
            made_at,
            groups,
        }
    }

    /// The same for a target of this name.
    #[must_use]
    pub fn of_target(mut self, name: impl Into<String>) -> Self {
        self.target = Some(name.into());
        self
    }

    /// Whether there is nothing to hand over.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// How many items there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.groups.iter().map(|group| group.items.len()).sum()
    }

    /// As `inventory.json`.
    ///
    /// # Errors
    /// `Bug` when it cannot be written as JSON.
    pub fn json(&self) -> Result<Vec<u8>> {
        serde_json::to_vec_pretty(self)
            .map_err(|e| Error::bug("write the inventory", e.to_string()))
    }

    /// The document as one self-contained page in HTML. Its content policy forbids scripts and any request.
    ///
    /// # Errors
    /// `Bug` when the page cannot be made.
    pub fn html(&self) -> Result<String> {
        page::fill(TEMPLATE, &view::Page::of(self), "make the inventory's page")
    }
}

#[cfg(test)]
mod tests;
