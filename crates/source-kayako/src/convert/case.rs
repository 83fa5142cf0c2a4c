//! Cases (Kayako reference, section 7).

use deskferry_core::model::{
    ChannelKind, Conversation, CustomValue, Named, PriorityLevel, Satisfaction, StatusState,
};
use deskferry_core::{RecordKey, RecordKind, Tenant};

use super::{Definitions, Frame};
use crate::client::FieldOwner;
use crate::wire::{Case, Label};

/// What a case refers to, looked up beforehand.
#[derive(Debug, Default)]
pub(crate) struct CasePeople {
    pub(crate) requester: Option<RecordKey>,
    pub(crate) assignee: Option<RecordKey>,
    /// The case that it was merged into.
    pub(crate) merged_into: Option<RecordKey>,
}

/// A case as a conversation.
pub(crate) fn conversation(
    tenant: &Tenant,
    defs: &Definitions,
    case: &Case,
    people: CasePeople,
) -> Conversation {
    let frame = Frame {
        key: tenant.key(RecordKind::Conversation, case.id),
        url: case.resource_url.as_deref(),
        created_at: case.created_at,
        updated_at: case.updated_at,
        legacy_id: case.legacy_id.as_deref(),
    };
    let mut meta = frame.meta();
    meta.custom
        .extend(defs.values(FieldOwner::Case, &case.custom_fields));
    if case.set_aside().is_some() {
        meta.custom
            .insert("state".to_owned(), CustomValue::Text(case.state.clone()));
    }
    let status = status(case.status.as_ref());
    let closed_at = match status.is {
        StatusState::Resolved | StatusState::Closed => {
            case.last_closed_at.or(case.last_completed_at)
        }
        _ => None,
    };
    let key = |kind, reference: &Option<crate::wire::Ref>| {
        Some(tenant.key(kind, reference.as_ref()?.number()?))
    };
    Conversation {
        also_assigned: Vec::new(),
        also_teams: Vec::new(),
        figures: deskferry_core::model::Figures::default(),
        segment: None,
        meta,
        number: case.id.to_string(),
        subject: case.subject.clone(),
        requester: people.requester,
        account: key(RecordKind::Account, &case.organization),
        assignee: people.assignee,
        team: key(RecordKind::Team, &case.assigned_team),
        channel: channel(
            case.source_channel
                .as_ref()
                .map_or("", |channel| &channel.kind),
        ),
        status,
        priority: case.priority.as_ref().and_then(priority),
        kind: case.kind.as_ref().and_then(shown),
        tags: case
            .tags
            .iter()
            .map(|tag| tag.name.clone())
            .filter(|name| !name.is_empty())
            .collect(),
        satisfaction: case.rating.clone().map(|raw| Satisfaction {
            at: None,
            score: None,
            raw,
            comment: None,
        }),
        parent: None,
        merged_into: people.merged_into,
        closed_at,
    }
}

/// What a channel's word means; words that nobody documented are kept raw (Kayako reference, section 7).
pub(super) fn channel(raw: &str) -> Named<ChannelKind> {
    let is = match raw.to_ascii_uppercase().as_str() {
        "MAIL" | "MAILBOX" => ChannelKind::Email,
        "HELPCENTER" => ChannelKind::Web,
        "MESSENGER" | "CHAT" => ChannelKind::Chat,
        "TWITTER" | "TWITTER_DM" => ChannelKind::Twitter,
        "FACEBOOK" => ChannelKind::Facebook,
        "NOTE" => ChannelKind::Internal,
        "API" => ChannelKind::Api,
        "VOICE" => ChannelKind::Voice,
        "SMS" => ChannelKind::Sms,
        "WHATSAPP" => ChannelKind::Whatsapp,
        _ => ChannelKind::Other,
    };
    Named::new(is, raw)
}

/// The label people see, else the platform's word, else the id.
fn shown(label: &Label) -> Option<String> {
    [Some(&label.label), Some(&label.kind), label.id.as_ref()]
        .into_iter()
        .flatten()
        .find(|t| !t.trim().is_empty())
        .cloned()
}

fn status(label: Option<&Label>) -> Named<StatusState> {
    let Some(label) = label else {
        return Named::new(StatusState::Other, "");
    };
    let is = match label.kind.to_ascii_uppercase().as_str() {
        "NEW" => StatusState::New,
        "OPEN" => StatusState::Open,
        "PENDING" => StatusState::Pending,
        "COMPLETED" => StatusState::Resolved,
        "CLOSED" => StatusState::Closed,
        _ => StatusState::Other,
    };
    Named::new(is, shown(label).unwrap_or_default())
}

/// The usual levels are 1 to 4; above that it only gets more urgent. Without a level the label decides.
fn priority(label: &Label) -> Option<Named<PriorityLevel>> {
    let raw = shown(label)?;
    let is = match label.level {
        Some(..=1) => PriorityLevel::Low,
        Some(2) => PriorityLevel::Normal,
        Some(3) => PriorityLevel::High,
        Some(4..) => PriorityLevel::Urgent,
        None => match raw.to_lowercase().as_str() {
            "low" => PriorityLevel::Low,
            "high" => PriorityLevel::High,
            "urgent" | "critical" => PriorityLevel::Urgent,
            _ => PriorityLevel::Normal,
        },
    };
    Some(Named::new(is, raw))
}
