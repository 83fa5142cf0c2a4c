//! Conversations (Kustomer reference, section 3.2).

use chrono::{DateTime, Utc};
use deskferry_core::RecordKind;
use deskferry_core::model::{
    ChannelKind, Conversation, CustomValue, Figures, Named, PriorityLevel, Satisfaction,
    StatusState,
};
use serde_json::Value;

use super::{Ground, keep};
use crate::wire::{Defect, Row, ids_in, is_nothing, parse_time, text_of};

/// Attributes without a field of their own, kept when they say something.
const KEPT: &[&str] = &[
    "externalId",
    "direction",
    "replyChannel",
    "ended",
    "endedAt",
    "endedReason",
    "endedByType",
    "snooze",
    "spam",
    "locked",
    "deleted",
    "externalQueue",
    "defaultLang",
    "mergedTarget",
];

/// What a conversation row says of how it is to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) deleted: bool,
    pub(crate) spam: bool,
    /// How many messages and notes it has; unknown where that is not said.
    pub(crate) messages: Option<u64>,
    pub(crate) notes: Option<u64>,
}

impl Standing {
    fn of(row: &Row) -> Self {
        Self {
            deleted: row.flag("deleted"),
            spam: row.flag("spam"),
            messages: row.count("messageCount"),
            notes: row.count("noteCount"),
        }
    }
}

pub(crate) fn conversation(
    ground: &Ground<'_>,
    row: &Row,
) -> Result<(Conversation, Standing), Defect> {
    let mut meta = ground.meta(RecordKind::Conversation, row, "conversation")?;
    keep(&mut meta.custom, row, KEPT);
    for name in ["queue", "brand"] {
        if let Some(id) = row.related(name).or_else(|| row.text(name)) {
            let value = CustomValue::Text(id.to_owned());
            meta.custom.entry(name.to_owned()).or_insert(value);
        }
    }
    let keys = |kind, name| -> Vec<_> {
        ids_in(row.list(name))
            .map(|id| ground.key(kind, id))
            .collect()
    };
    let mut agents = keys(RecordKind::Agent, "assignedUsers").into_iter();
    let mut teams = keys(RecordKind::Team, "assignedTeams").into_iter();
    let status = status(ground, row);
    let done = row
        .value("lastDone")
        .and_then(|done| moment(done, "createdAt"));
    let conversation = Conversation {
        number: row.id().to_owned(),
        subject: row.text("name").unwrap_or_default().to_owned(),
        requester: row
            .related("customer")
            .map(|id| ground.key(RecordKind::Contact, id)),
        account: row
            .related("company")
            .map(|id| ground.key(RecordKind::Account, id)),
        // The first one owns it.
        assignee: agents.next(),
        team: teams.next(),
        also_assigned: agents.collect(),
        also_teams: teams.collect(),
        channel: channel(row.texts("channels").next().unwrap_or_default()),
        closed_at: done.filter(|_| status.is == StatusState::Resolved),
        status,
        priority: row.number("priority").map(priority),
        kind: None,
        segment: None,
        tags: ground.names.tags(row.texts("tags")),
        satisfaction: row.value("satisfactionLevel").and_then(satisfaction),
        figures: figures(row)?,
        parent: None,
        merged_into: merged_into(row).map(|id| ground.key(RecordKind::Conversation, id)),
        meta,
    };
    Ok((conversation, Standing::of(row)))
}

/// A conversation that was merged is linked to one other, the target to those that it took. Which way it went is not said but by
/// `mergedTarget`.
fn merged_into(row: &Row) -> Option<&str> {
    let mut linked = ids_in(row.list("linkedConversations")).filter(|id| *id != row.id());
    let only = linked.next().filter(|_| linked.next().is_none());
    only.filter(|_| !row.flag("mergedTarget"))
}

/// The label of the sub-status says more, where there is one.
fn status(ground: &Ground<'_>, row: &Row) -> Named<StatusState> {
    let word = row.text("status").unwrap_or_default();
    let is = match word {
        "open" => StatusState::Open,
        "snoozed" => StatusState::Snoozed,
        "done" => StatusState::Resolved,
        _ => StatusState::Other,
    };
    let sub = row.text("subStatus").or_else(|| row.related("subStatus"));
    let label = sub.map(|id| {
        let label = ground.names.sub_statuses.get(id);
        label.map_or(id, String::as_str)
    });
    Named::new(is, label.unwrap_or(word))
}

/// 5 is the most urgent, 3 the usual one.
fn priority(number: i64) -> Named<PriorityLevel> {
    let is = match number {
        ..=2 => PriorityLevel::Low,
        3 => PriorityLevel::Normal,
        4 => PriorityLevel::High,
        5.. => PriorityLevel::Urgent,
    };
    Named::new(is, number.to_string())
}

/// Unknown channels pass through by their word.
pub(super) fn channel(word: &str) -> Named<ChannelKind> {
    let is = match word {
        "email" => ChannelKind::Email,
        "chat" => ChannelKind::Chat,
        "form" => ChannelKind::Web,
        "sms" => ChannelKind::Sms,
        "voice" => ChannelKind::Voice,
        "whatsapp" => ChannelKind::Whatsapp,
        _ if word.starts_with("twitter") => ChannelKind::Twitter,
        _ if word.starts_with("facebook") => ChannelKind::Facebook,
        _ if word.starts_with("instagram") => ChannelKind::Instagram,
        _ => ChannelKind::Other,
    };
    Named::new(is, word)
}

/// The rating where there is one; a score of 0 or 1 otherwise. A survey that nobody answered is no satisfaction.
fn satisfaction(level: &Value) -> Option<Satisfaction> {
    let number = |name: &str| level.get(name).filter(|value| value.is_number());
    let raw = number("rating").or_else(|| number("score"))?.to_string();
    Some(Satisfaction {
        score: Some(raw.clone()),
        raw,
        at: moment(level, "updatedAt").or_else(|| moment(level, "createdAt")),
        comment: level
            .get("firstAnswer")
            .and_then(text_of)
            .map(str::to_owned),
    })
}

fn moment(of: &Value, name: &str) -> Option<DateTime<Utc>> {
    of.get(name).and_then(Value::as_str).and_then(parse_time)
}

fn figures(row: &Row) -> Result<Figures, Defect> {
    let mut figures = Figures {
        last_activity_at: row.time("lastActivityAt")?,
        messages: row.count("messageCount"),
        reopened: row.count("reopenCount"),
        ..Figures::default()
    };
    let seconds = |of: &Value, name: &str| {
        let millis = of.get(name).and_then(Value::as_u64)?;
        Some(millis / 1_000)
    };
    if let Some(first) = row.value("firstResponse") {
        figures.first_response_at = moment(first, "sentAt").or_else(|| moment(first, "createdAt"));
        figures.first_response_seconds =
            seconds(first, "responseTime").or_else(|| seconds(first, "time"));
    }
    if let Some(sla) = row.value("sla").filter(|sla| !is_nothing(sla)) {
        figures.sla = sla.get("name").and_then(text_of).map(str::to_owned);
        figures.breached = sla.get("breached").and_then(Value::as_bool);
        figures.due_at = sla.get("breach").and_then(|breach| moment(breach, "at"));
    }
    Ok(figures)
}
