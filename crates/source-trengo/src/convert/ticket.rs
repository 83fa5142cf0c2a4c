//! Tickets (Trengo reference, section 3.1).

use chrono::{DateTime, Utc};
use deskferry_core::model::{Conversation, CustomValue, Figures, Named, StatusState};
use deskferry_core::{RecordKey, RecordKind};
use serde_json::Value;

use super::{Channel, Fields, Ground, Owner, channel_kind, keep};
use crate::wire::{Defect, Moment, Row};

/// Why a ticket is asked for alone: what lists leave out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// It was closed at some time, for a reason that only the ticket tells.
    Results,
    /// A value stands under a title that names several fields.
    Fields,
    /// Its user is in no list.
    User,
}

/// Whether a row of a list leaves out what the ticket alone tells.
pub(crate) fn asks_for_detail(ground: &Ground, row: Row<'_>) -> Option<Asked> {
    if ground.has_results && row.get("results").is_none() && row.text("closed_at").is_some() {
        return Some(Asked::Results);
    }
    if !ground.fields.values(Owner::Ticket, row).open.is_empty() {
        return Some(Asked::Fields);
    }
    let user = row.reference("user_id");
    (user.is_some_and(|id| !ground.users.contains(&id)) && row.object("agent").is_none())
        .then_some(Asked::User)
}

/// What the list says of a ticket and its reading depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outline {
    pub(crate) id: u64,
    pub(crate) status: String,
    pub(crate) updated: Option<DateTime<Utc>>,
    pub(crate) created: Option<DateTime<Utc>>,
    pub(crate) channel: Option<u64>,
}

impl Outline {
    pub(crate) fn of(ground: &Ground, row: Row<'_>) -> Result<Self, Defect> {
        let id = match row.id() {
            Ok(id) => id,
            // Some lists name it so.
            Err(defect) => row.reference("ticket_id").ok_or(defect)?,
        };
        let plain = |moment: Option<Moment>| moment.map(Moment::plain);
        Ok(Self {
            id,
            status: row.text("status").unwrap_or_default().to_ascii_uppercase(),
            updated: plain(row.time("updated_at", ground.zone)?),
            created: plain(row.time("created_at", ground.zone)?),
            channel: row.object("channel").and_then(|row| row.id().ok()),
        })
    }

    pub(crate) fn is_spam(&self) -> bool {
        self.status == "INVALID"
    }
}

/// What the messages of a ticket tell of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Talk {
    /// How many there are, notes included and events left out.
    pub(crate) messages: u64,
    /// When the customer first wrote.
    pub(crate) first_in: Option<DateTime<Utc>>,
    /// When an agent first answered.
    pub(crate) first_answer: Option<DateTime<Utc>>,
    /// When something was last said.
    pub(crate) last: Option<DateTime<Utc>>,
}

impl Talk {
    /// Takes note of a message, oldest first. `answers` says that an agent wrote it to the customer.
    pub(crate) fn add(&mut self, sent: DateTime<Utc>, incoming: bool, answers: bool) {
        self.messages += 1;
        self.last = self.last.max(Some(sent));
        if incoming && self.first_in.is_none() {
            self.first_in = Some(sent);
        }
        if answers && self.first_in.is_some() && self.first_answer.is_none() {
            self.first_answer = Some(sent);
        }
    }

    fn figures(self) -> Figures {
        let seconds = self
            .first_in
            .zip(self.first_answer)
            .and_then(|(asked, answered)| u64::try_from((answered - asked).num_seconds()).ok());
        Figures {
            first_response_at: self.first_answer,
            first_response_seconds: seconds,
            messages: Some(self.messages),
            ..Figures::default()
        }
    }
}

/// A ticket as a conversation. `row` is what lists say of it, `detail` the ticket alone, where it was read; `first` is when its first
/// message was said, as the row of that message has it.
pub(crate) fn conversation(
    ground: &Ground,
    row: Row<'_>,
    detail: Option<Row<'_>>,
    requester: Option<RecordKey>,
    talk: Talk,
    first: Option<DateTime<Utc>>,
) -> Result<Conversation, Defect> {
    let outline = Outline::of(ground, row)?;
    let best = detail.unwrap_or(row);
    let time = |name: &str| best.time(name, ground.zone);
    let created = time("created_at")?.map(|created| match first {
        // The hour that exists twice: a ticket begins with its first message.
        Some(first) if created.is_open() && created.may_be(first) => first,
        _ => created.plain(),
    });
    let floor = created.unwrap_or_default();
    let updated = time("updated_at")?.map(|at| at.not_before(floor));
    let mut meta = ground.meta(
        ground.key(RecordKind::Conversation, outline.id),
        &format!("tickets/{}", outline.id),
        created,
        updated,
    );
    let found = match detail {
        Some(detail) if detail.get("custom_field_values").is_some() => {
            ground.fields.values(Owner::Ticket, detail)
        }
        _ => ground.fields.values(Owner::Ticket, row),
    };
    meta.custom.extend(found.values);
    if let Some(rest) = Fields::by_title_alone(row, &found.open) {
        meta.custom.insert("custom_data".to_owned(), rest);
    }
    if let Some(detail) = detail {
        results(&mut meta, detail);
        keep(
            &mut meta,
            detail,
            &["closed_by", "reminder", "watchers", "related_tickets"],
        );
    }
    let channel = channel(ground, row, detail);
    let status = status(&outline.status);
    let closed_at = match outline.status.as_str() {
        // It stays when a ticket is opened again, so only the status tells.
        "CLOSED" => time("closed_at")?.map(|at| at.not_before(floor)),
        _ => None,
    };
    let labels = row.list("labels");
    let reference = |name: &str| best.reference(name).or_else(|| row.reference(name));
    Ok(Conversation {
        meta,
        number: outline.id.to_string(),
        subject: best
            .text("subject")
            .or_else(|| row.text("subject"))
            .unwrap_or_default(),
        requester,
        account: None,
        assignee: reference("user_id").map(|id| ground.key(RecordKind::Agent, id)),
        team: reference("team_id").map(|id| ground.key(RecordKind::Team, id)),
        also_assigned: Vec::new(),
        also_teams: Vec::new(),
        channel: channel_kind(&channel.kind),
        status,
        priority: None,
        kind: None,
        segment: None,
        tags: labels
            .into_iter()
            .filter_map(|label| Row(label).first_text(&["name", "title"]))
            .collect(),
        satisfaction: ground.survey.answers.get(&outline.id).cloned(),
        figures: talk.figures(),
        parent: None,
        merged_into: None,
        closed_at,
    })
}

/// The channel of a ticket: as the list of channels has it, since rows leave most of it out.
pub(crate) fn channel(ground: &Ground, row: Row<'_>, detail: Option<Row<'_>>) -> Channel {
    let own = detail
        .and_then(|detail| detail.object("channel"))
        .or_else(|| row.object("channel"));
    let id = own.and_then(|channel| channel.id().ok());
    id.and_then(|id| ground.channels.get(&id).cloned())
        .or_else(|| own.map(Channel::of))
        .unwrap_or_default()
}

/// Trengo knows four: nobody has it, somebody has it, it is over, it is spam. Whoever reopens a ticket makes it one of the
/// first two again.
fn status(raw: &str) -> Named<StatusState> {
    let is = match raw {
        "OPEN" | "ASSIGNED" => StatusState::Open,
        "CLOSED" | "INVALID" => StatusState::Closed,
        _ => StatusState::Other,
    };
    Named::new(is, raw)
}

/// Why it was closed, by name.
fn results(meta: &mut deskferry_core::model::Meta, detail: Row<'_>) {
    let names: Vec<String> = detail
        .list("results")
        .into_iter()
        .filter_map(|result| match result {
            Value::String(name) => Some(name.clone()),
            other => Row(other).first_text(&["name", "title"]),
        })
        .collect();
    if !names.is_empty() {
        meta.custom.insert(
            super::fields::RESULTS.to_owned(),
            CustomValue::Choices(names),
        );
    }
}
