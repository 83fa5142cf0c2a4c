//! What people set up and build again in the target: told as it is, without secrets.

use deskferry_core::RecordKind;
use deskferry_core::model::{InventoryItem, InventoryKind, InventoryPart, Meta, Named};
use serde_json::Value;

use super::Ground;
use crate::wire::{Defect, Row, is_empty, redacted, text};

/// An item of a list: `sort` is the platform's word for it, and stands in its key.
pub(crate) fn item(
    ground: &Ground,
    kind: InventoryKind,
    sort: &str,
    row: &Value,
    aspects: &[(&str, &[&str])],
) -> Result<InventoryItem, Defect> {
    let one = Row(row);
    let id = one.id()?;
    let key = ground
        .tenant
        .key(RecordKind::InventoryItem, format!("{sort}-{id}"));
    let parts = aspects.iter().filter_map(|(title, names)| {
        let lines: Vec<String> = names
            .iter()
            .filter_map(|name| Some((*name, one.get(name)?)))
            .filter(|(_, value)| !is_empty(value))
            .flat_map(|(name, value)| {
                let shown = name.trim_end_matches("_ids").replace('_', " ");
                said(ground, name, value)
                    .into_iter()
                    .map(move |said| format!("{shown}: {said}"))
            })
            .collect();
        (!lines.is_empty()).then(|| InventoryPart {
            title: (*title).to_owned(),
            lines,
        })
    });
    Ok(InventoryItem {
        meta: Meta::new(key),
        kind: Named::new(kind, one.text("type").unwrap_or_else(|| sort.to_owned())),
        name: one
            .first_text(&["title", "name", "display_name"])
            .unwrap_or_default(),
        active: match one.text("status").as_deref() {
            Some("ACTIVE" | "ACCEPTED") => Some(true),
            Some("INACTIVE" | "DISABLED" | "REJECTED") => Some(false),
            _ => None,
        },
        parts: parts.collect(),
        definition: redacted(row),
    })
}

/// What a member says, a line each: numbers of channels and users with their names.
fn said(ground: &Ground, name: &str, value: &Value) -> Vec<String> {
    let names: &dyn Fn(u64) -> Option<String> = match name {
        "channels" | "channel_ids" => &|id| Some(ground.channels.get(&id)?.title.clone()),
        "users" | "members" | "user_ids" => &|id| ground.user_names.get(&id).cloned(),
        _ => return vec![text(value).unwrap_or_else(|| redacted(value).to_string())],
    };
    let Value::Array(items) = value else {
        return vec![text(value).unwrap_or_else(|| redacted(value).to_string())];
    };
    let one = |item: &Value| {
        let id = Row(item).id().ok().or_else(|| item.as_u64());
        let own = Row(item).first_text(&["title", "full_name", "name"]);
        let known = own.or_else(|| id.and_then(names));
        match (known, id) {
            (Some(known), Some(id)) => format!("{known} ({id})"),
            (Some(known), None) => known,
            (None, _) => text(item).unwrap_or_else(|| redacted(item).to_string()),
        }
    };
    items.iter().map(one).collect()
}

/// A channel: the way in, and what becomes of an answer to a ticket that is closed.
pub(crate) fn channel_item(ground: &Ground, row: &Value) -> Result<InventoryItem, Defect> {
    item(
        ground,
        InventoryKind::Channel,
        "channel",
        row,
        &[
            (
                "targets",
                &["username", "phone", "notification_email", "users"],
            ),
            (
                "conditions",
                &[
                    "reopen_closed_ticket",
                    "reopen_closed_ticket_time_window_days",
                    "reassign_reopened_ticket",
                ],
            ),
            ("actions", &["auto_reply"]),
            ("hours", &["business_hour_id"]),
        ],
    )
}

/// What people set up and no interface shows (Trengo reference, section 2): kind, word in keys, name, and what is known of it
/// all the same.
const UNSHOWN: [(InventoryKind, &str, &str, &str); 8] = [
    (
        InventoryKind::Automation,
        "rules",
        "Rules and their conditions",
        "names of some stand in audits of tickets, and in this list",
    ),
    (InventoryKind::Automation, "flows", "Flows and flowbots", ""),
    (
        InventoryKind::Ai,
        "ai-agents",
        "AI agents and what they were taught",
        "",
    ),
    (
        InventoryKind::Sla,
        "sla-thresholds",
        "Agreements on times and their thresholds",
        "how long the first answer took stands in each case",
    ),
    (
        InventoryKind::BusinessHours,
        "business-hours",
        "Business hours",
        "which of them a channel keeps stands with the channel, by number",
    ),
    (
        InventoryKind::Form,
        "surveys",
        "Surveys of satisfaction",
        "answers come from the table that people export",
    ),
    (
        InventoryKind::App,
        "widgets",
        "Widgets of websites and the articles that they show",
        "blocks of help centres stand in this list",
    ),
    (
        InventoryKind::Report,
        "reports",
        "Definitions of reports",
        "figures of agents and of the workspace stand beside the cases",
    ),
];

/// A line for each of these, so that nobody forgets them.
pub(crate) fn unshown(ground: &Ground) -> Vec<InventoryItem> {
    let lines = |known: &str| {
        let known = (!known.is_empty()).then(|| known.to_owned());
        let unshown = "no interface shows them: write them down by hand".to_owned();
        [unshown].into_iter().chain(known).collect()
    };
    let item = |(kind, word, name, known): (InventoryKind, &str, &str, &str)| InventoryItem {
        meta: Meta::new(
            ground
                .tenant
                .key(RecordKind::InventoryItem, format!("unshown-{word}")),
        ),
        kind: Named::new(kind, word),
        name: name.to_owned(),
        active: None,
        parts: vec![InventoryPart {
            title: "actions".to_owned(),
            lines: lines(known),
        }],
        definition: Value::Null,
    };
    UNSHOWN.into_iter().map(item).collect()
}

/// Who gets what: a team with its members and channels.
pub(crate) fn routing_item(ground: &Ground, row: &Value) -> Result<InventoryItem, Defect> {
    item(
        ground,
        InventoryKind::Routing,
        "team",
        row,
        &[
            ("conditions", &["channels", "channel_ids"]),
            ("targets", &["users", "members", "user_ids"]),
        ],
    )
}
