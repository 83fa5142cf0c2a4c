//! Tickets.

use deskferry_core::model::{
    ChannelKind, Conversation, CustomValue, CustomValues, Figures, Named, StatusState,
};
use deskferry_core::{RecordKey, RecordKind, Tenant};

use super::{Desk, key_of, meta};
use crate::classic::xml::Row;
use crate::wire::Defect;

/// Whom a ticket refers to, looked up beforehand.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    pub(crate) requester: Option<RecordKey>,
    pub(crate) account: Option<RecordKey>,
}

/// A ticket as a conversation.
pub(crate) fn conversation(
    tenant: &Tenant,
    desk: &Desk,
    row: Row<'_>,
    ends: Ends,
    values: CustomValues,
) -> Result<Conversation, Defect> {
    row.whole_but("posts")?;
    let id = row.named(&["id"])?;
    let mut meta = meta(tenant, RecordKind::Conversation, id);
    let active = row.time("lastactivity");
    meta.created_at = Some(row.moment("creationtime")?);
    meta.updated_at = active;
    meta.revision = active.map(|time| time.timestamp());
    meta.custom = values;
    aside(row, &ends, &mut meta.custom);
    let status = desk.status(row.reference("statusid"));
    let department = row.reference("departmentid");
    let known = department.filter(|id| desk.departments.contains_key(id));
    // Classic keeps no time of the closing: a closed ticket that rests was last active then.
    let closed_at = active.filter(|_| status.is == StatusState::Closed);
    Ok(Conversation {
        number: row
            .text("displayid")
            .map_or_else(|| id.to_string(), str::to_owned),
        subject: row.verbatim("subject").trim().to_owned(),
        requester: ends.requester,
        account: ends.account,
        assignee: key_of(tenant, RecordKind::Agent, row.reference("ownerstaffid")),
        team: key_of(tenant, RecordKind::Team, known),
        also_assigned: Vec::new(),
        also_teams: Vec::new(),
        channel: channel(row),
        priority: desk.priority(row.reference("priorityid")),
        kind: desk.ticket_type(row.reference("typeid")),
        segment: None,
        tags: row
            .verbatim("tags")
            .split_whitespace()
            .map(str::to_owned)
            .collect(),
        satisfaction: None,
        figures: Figures::default(),
        parent: None,
        merged_into: None,
        closed_at,
        status,
        meta,
    })
}

/// What the model has no field for, where it says something.
fn aside(row: Row<'_>, ends: &Ends, custom: &mut CustomValues) {
    let mut keep = |name: &str, value: CustomValue| {
        custom.insert(name.to_owned(), value);
    };
    let flag = match row.number("flagtype") {
        Some(1) => "purple",
        Some(2) => "orange",
        Some(3) => "green",
        Some(4) => "yellow",
        Some(5) => "red",
        Some(6) => "blue",
        _ => "",
    };
    if !flag.is_empty() {
        keep("flag", CustomValue::Choice(flag.to_owned()));
    }
    if row.flag("isescalated") == Some(true) {
        keep("isescalated", CustomValue::Bool(true));
    }
    for (list, name, of) in [
        ("watchers", "watcher", "name"),
        ("workflows", "workflow", "title"),
    ] {
        let all = row.each(name).filter_map(|row| row.text(of));
        let all: Vec<String> = all.map(str::to_owned).collect();
        if !all.is_empty() {
            keep(list, CustomValue::Choices(all));
        }
    }
    for (total, of) in [
        ("seconds_worked", "timeworked"),
        ("seconds_billable", "timebillable"),
    ] {
        let sum: u64 = row.each("note").filter_map(|note| note.number(of)).sum();
        if sum > 0 {
            keep(total, CustomValue::Number(sum.to_string()));
        }
    }
    // Somebody whom no list has is only known by what the ticket says.
    if ends.requester.is_none() {
        for (name, of) in [("requester_name", "fullname"), ("requester_email", "email")] {
            if let Some(value) = row.text(of) {
                keep(name, CustomValue::Text(value.to_owned()));
            }
        }
    }
}

/// How a ticket came in.
pub(super) fn channel(row: Row<'_>) -> Named<ChannelKind> {
    let (is, raw) = match row.number("creationmode") {
        Some(1) => (ChannelKind::Web, "support center"),
        Some(2) => (ChannelKind::Internal, "staff"),
        Some(3) => (ChannelKind::Email, "email"),
        Some(4) => (ChannelKind::Api, "api"),
        Some(5) => (ChannelKind::Chat, "site badge"),
        _ => (ChannelKind::Other, row.text("creationmode").unwrap_or("")),
    };
    Named::new(is, raw)
}
