//! Configuration that cannot migrate and is handed over as a document.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Meta, Named};

/// A rule, an agreement, a form, …: something that people build again in the target.
///
/// What it becomes there is the target's to say, by its kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InventoryItem {
    /// Key, times, custom values.
    pub meta: Meta,
    /// What it is.
    pub kind: Named<InventoryKind>,
    /// Its name.
    pub name: String,
    /// Whether it is in use; unknown where the source does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// What it does, for people: trigger, conditions, actions, targets, hours, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<InventoryPart>,
    /// The whole of it, as the source has it; without secrets.
    #[serde(default)]
    pub definition: Value,
}

/// One aspect of an inventory item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InventoryPart {
    /// `trigger`, `conditions`, `actions`, `targets`, `hours`, `fields`, …
    pub title: String,
    /// A line of text each.
    pub lines: Vec<String>,
}

/// What an inventory item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum InventoryKind {
    /// A rule that acts on events.
    Automation,
    /// A rule that acts by time.
    Schedule,
    /// An agreement on times.
    Sla,
    /// When people work.
    BusinessHours,
    /// Who gets what.
    Routing,
    /// A queue of a routing.
    Queue,
    /// A prepared answer or action of agents.
    Macro,
    /// A saved list or search.
    View,
    /// A way by which customers write: an address, a widget, a number.
    Channel,
    /// A form that customers or agents fill in.
    Form,
    /// A rule that values must keep.
    Validation,
    /// A field that has no counterpart of its type.
    Field,
    /// A report or dashboard.
    Report,
    /// A call to another system.
    Webhook,
    /// A bot, a model, an intent.
    Ai,
    /// An application installed in the source.
    App,
    /// Anything else: see its raw text.
    Other,
}

impl InventoryKind {
    /// The name used in files and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Automation => "automation",
            Self::Schedule => "schedule",
            Self::Sla => "sla",
            Self::BusinessHours => "business-hours",
            Self::Routing => "routing",
            Self::Queue => "queue",
            Self::Macro => "macro",
            Self::View => "view",
            Self::Channel => "channel",
            Self::Form => "form",
            Self::Validation => "validation",
            Self::Field => "field",
            Self::Report => "report",
            Self::Webhook => "webhook",
            Self::Ai => "ai",
            Self::App => "app",
            Self::Other => "other",
        }
    }
}
