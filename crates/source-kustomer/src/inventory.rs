//! Configuration that cannot migrate, as items for a hand-over document (Kustomer reference, sections 3.8 and 3.12 to 3.15).

use chrono::{DateTime, TimeDelta, Utc};
use deskferry_core::RecordKind;
use deskferry_core::model::{InventoryItem, InventoryKind, InventoryPart, Meta, Named};
use serde_json::Value;

use crate::convert::Ground;
use crate::exports::Covered;
use crate::wire::{Row, is_nothing, text_of};

/// The word for items that say what of a kind no channel covers.
const COVERAGE: &str = "coverage";

/// What is listed: the path, and what its rows are. Business rules are in no list that a key may read.
pub(crate) const LISTS: [(&str, InventoryKind); 12] = [
    ("routing/queues", InventoryKind::Queue),
    ("routing/queue-rules", InventoryKind::Routing),
    ("slas", InventoryKind::Sla),
    ("schedules", InventoryKind::BusinessHours),
    ("workflows", InventoryKind::Automation),
    ("shortcuts", InventoryKind::Macro),
    ("customers/searches", InventoryKind::View),
    ("outboundAccounts", InventoryKind::Channel),
    ("satisfaction", InventoryKind::Form),
    ("brands", InventoryKind::Other),
    ("hooks/email", InventoryKind::Webhook),
    ("hooks/web", InventoryKind::Webhook),
];

/// Channels that come with the platform (Kustomer reference, section 3.2).
const CHANNELS: [&str; 11] = [
    "email",
    "sms",
    "chat",
    "facebook",
    "twitter-dm",
    "twitter-tweet",
    "voice",
    "instagram",
    "instagram-comment",
    "whatsapp",
    "form",
];

/// An item of such a list. `beside` are versions that came with it.
pub(crate) fn item(
    ground: &Ground<'_>,
    path: &str,
    kind: InventoryKind,
    row: &Row,
    beside: &[&Row],
) -> InventoryItem {
    let word = path.rsplit('/').next().unwrap_or(path);
    // A channel is told by its own word; one that apps added must be built anew.
    let sort = match row
        .text("channel")
        .filter(|_| kind == InventoryKind::Channel)
    {
        Some(channel) if CHANNELS.contains(&channel) => channel.to_owned(),
        Some(channel) => format!("rebuild {channel}"),
        None => word.to_owned(),
    };
    let current = beside.last();
    let name = ["name", "displayName", "title", "label", "description"]
        .iter()
        .find_map(|name| row.text(name).or_else(|| current?.text(name)));
    // Some rows have no id of their own.
    let id = match row.id() {
        "" => [row.text("channel"), row.text("account"), row.text("name")]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join("-"),
        id => id.to_owned(),
    };
    let mut meta = Meta::new(ground.key(RecordKind::InventoryItem, &format!("{word}-{id}")));
    meta.created_at = row.time("createdAt").ok().flatten();
    meta.updated_at = row.time("updatedAt").ok().flatten();
    let whole = current.map_or_else(|| row.whole(), |version| version.whole());
    InventoryItem {
        meta,
        kind: Named::new(kind, sort),
        name: name.unwrap_or(&id).to_owned(),
        active: ["enabled", "active"]
            .iter()
            .find_map(|name| row.value(name)?.as_bool())
            .or_else(|| row.flag("deleted").then_some(false)),
        parts: parts(&whole),
        definition: redacted(whole),
    }
}

/// Custom attributes that no usual field of a target can hold as they are: trees, and texts that are hidden from some.
pub(crate) fn odd_attribute(
    ground: &Ground<'_>,
    resource: &str,
    name: &str,
    property: &Value,
) -> Option<InventoryItem> {
    let tree = property.get("tree").is_some_and(|tree| !is_nothing(tree));
    let hidden = property
        .pointer("/sensitive/enabled")
        .and_then(Value::as_bool)
        == Some(true);
    let why = match (tree, hidden) {
        (true, _) => {
            "a tree of choices: becomes one text with its steps, or dependent picklists built by hand"
        }
        (_, true) => {
            "hidden from those without a right of its own: set the field's security by hand"
        }
        _ => return None,
    };
    let id = format!("attribute-{resource}-{name}");
    Some(InventoryItem {
        meta: Meta::new(ground.key(RecordKind::InventoryItem, &id)),
        kind: Named::new(InventoryKind::Field, "attribute"),
        name: format!("{resource}: {name}"),
        active: Some(property.get("deletedAt").is_none_or(is_nothing)),
        parts: vec![InventoryPart {
            title: "fields".to_owned(),
            lines: vec![why.to_owned()],
        }],
        definition: property.clone(),
    })
}

/// Rules that values of a kind of thing must keep, by the ids that its metadata names.
pub(crate) fn validations(ground: &Ground<'_>, resource: &str, row: &Row) -> Vec<InventoryItem> {
    let ids = row.texts("validations");
    ids.map(|id| InventoryItem {
        meta: Meta::new(ground.key(RecordKind::InventoryItem, &format!("validation-{id}"))),
        kind: Named::new(InventoryKind::Validation, "validation"),
        name: format!("{resource}: {id}"),
        active: None,
        parts: Vec::new(),
        definition: Value::from(id),
    })
    .collect()
}

/// Business rules are in no list that a key may read: one item says so, that nobody forgets them.
pub(crate) fn business_rules(ground: &Ground<'_>) -> InventoryItem {
    InventoryItem {
        meta: Meta::new(ground.key(RecordKind::InventoryItem, "business-rules")),
        kind: Named::new(InventoryKind::Automation, "business rules"),
        name: "Business rules".to_owned(),
        active: None,
        parts: vec![InventoryPart {
            title: "actions".to_owned(),
            lines: vec![
                "not readable by API: hand them over from the settings, by hand".to_owned(),
            ],
        }],
        definition: Value::Null,
    }
}

/// What the API does not show, per kind; and the kind of row in which exports may have it.
const UNSHOWN: [(&str, &str, &str); 6] = [
    (
        "customers",
        "those that were deleted, once search forgets them",
        "contact",
    ),
    (
        "conversations",
        "those that were deleted, once search forgets them",
        "conversation",
    ),
    (
        "messages",
        "those that were deleted, and those of deleted conversations",
        "message",
    ),
    (
        "notes on customers",
        "those that did not change within two years",
        "",
    ),
    ("history", "who changed what when: asked of no channel", ""),
    (
        "drafts, forwards and sessions",
        "all: asked of no channel",
        "",
    ),
];

/// Per kind, what no channel covers: one item each. `rows` are the times that exports speak of, `events` when they happened.
pub(crate) fn coverage(
    ground: &Ground<'_>,
    rows: &Covered,
    events: &Covered,
    now: DateTime<Utc>,
) -> Vec<InventoryItem> {
    let day = |at: &DateTime<Utc>| at.format("%Y-%m-%d").to_string();
    let horizon = day(&(now - TimeDelta::days(730)));
    let items = UNSHOWN.iter().map(|(kind, what, row)| {
        let mut shown = vec!["API: everything else, however old".to_owned()];
        let periods = rows.periods(row);
        let periods = periods
            .iter()
            .map(|(from, to)| format!("exports: {} to {}", day(from), day(to)));
        shown.extend(periods);
        let gaps = match *kind {
            "notes on customers" => vec![format!("{what} (before {horizon})")],
            // Events alone tell what was deleted; tables show what there was.
            _ if row.is_empty() => vec![(*what).to_owned()],
            _ => {
                let own = if events.periods("events").is_empty() {
                    rows
                } else {
                    events
                };
                let name = if events.periods("events").is_empty() {
                    row
                } else {
                    "events"
                };
                own.gaps(name)
                    .iter()
                    .map(|gap| format!("{what}: {gap}"))
                    .collect()
            }
        };
        let part = |title: &str, lines| InventoryPart {
            title: title.to_owned(),
            lines,
        };
        InventoryItem {
            meta: Meta::new(ground.key(RecordKind::InventoryItem, &format!("coverage-{kind}"))),
            kind: Named::new(InventoryKind::Other, COVERAGE),
            name: (*kind).to_owned(),
            active: None,
            parts: vec![
                part("read from", shown),
                part("covered by no channel", gaps),
            ],
            definition: Value::Null,
        }
    });
    items.collect()
}

/// What it does, as far as its members say it in words.
fn parts(whole: &Value) -> Vec<InventoryPart> {
    let members = [
        ("trigger", "trigger"),
        ("criteria", "conditions"),
        ("steps", "actions"),
        ("conversation", "actions"),
        ("metrics", "targets"),
        ("hours", "hours"),
        ("questions", "fields"),
    ];
    members
        .iter()
        .filter_map(|(member, title)| {
            let value = whole.get(*member).filter(|value| !is_nothing(value))?;
            Some(InventoryPart {
                title: (*title).to_owned(),
                lines: lines(value),
            })
        })
        .collect()
}

/// Names of actions where there are steps, else one line per member.
fn lines(value: &Value) -> Vec<String> {
    match value {
        Value::Array(all) => all
            .iter()
            .map(|one| match one.get("action").and_then(text_of) {
                Some(action) => action.to_owned(),
                None => redacted(one.clone()).to_string(),
            })
            .collect(),
        Value::Object(object) => object
            .iter()
            .filter(|(_, value)| !is_nothing(value))
            .map(|(name, value)| match is_secret(name) {
                true => format!("{name}: …"),
                false => format!("{name}: {}", redacted(value.clone())),
            })
            .collect(),
        Value::String(text) => vec![text.clone()],
        other => vec![other.to_string()],
    }
}

/// Documents of workflows and hooks can hold credentials (Kustomer reference, section 3.14).
fn redacted(value: Value) -> Value {
    match value {
        Value::Object(object) => Value::Object(
            object
                .into_iter()
                .map(|(name, value)| {
                    let value = match is_secret(&name) && !value.is_boolean() {
                        true => Value::from("…"),
                        false => redacted(value),
                    };
                    (name, value)
                })
                .collect(),
        ),
        Value::Array(all) => all.into_iter().map(redacted).collect(),
        Value::String(text) if text.starts_with("Bearer ") || text.starts_with("Basic ") => {
            Value::from("…")
        }
        other => other,
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    [
        "token",
        "secret",
        "password",
        "authorization",
        "apikey",
        "api_key",
        "api-key",
        "hash",
        "credential",
    ]
    .iter()
    .any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn documents_are_kept_without_their_credentials() {
        let document = json!({
            "name": "Tell the shop", "steps": [{"action": "http.post", "params": {"headers": {"Authorization": "x"}, "url": "u"}}],
            "apiKey": "k", "header": "Bearer abc", "nested": [{"accessToken": "t"}],
        });
        let kept = redacted(document).to_string();
        for secret in ["\"x\"", "\"k\"", "abc", "\"t\""] {
            assert!(!kept.contains(secret), "{secret} in {kept}");
        }
        assert!(kept.contains("Tell the shop") && kept.contains("\"u\""));
    }

    #[test]
    fn what_an_item_does_is_told_in_lines() {
        let parts = parts(
            &json!({"trigger": {"eventName": "kustomer.conversation.update"}, "steps": [{"action": "a"}, {"action": "b"}]}),
        );
        let told: Vec<_> = parts
            .iter()
            .map(|p| (p.title.as_str(), p.lines.join("|")))
            .collect();
        assert_eq!(
            told,
            [
                (
                    "trigger",
                    "eventName: \"kustomer.conversation.update\"".to_owned()
                ),
                ("actions", "a|b".to_owned()),
            ]
        );
    }
}
