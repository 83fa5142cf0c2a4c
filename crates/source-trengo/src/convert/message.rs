//! Messages: what they say, who says it and which way it went (Trengo reference, section 3.2).

use chrono::{DateTime, Utc};
use deskferry_core::model::{
    Attachment, Author, AuthorRole, Body, Call, ChannelKind, CustomValue, Direction, Message, Named,
};
use deskferry_core::source::Reject;
use deskferry_core::{RecordKey, RecordKind};

use super::mail::Mail;
use super::people::person_key;
use super::{Channel, Ground, Joined, channel_kind, files, html, keep};
use crate::config::Profiles;
use crate::wire::{Defect, Row};

/// Where a message stands.
pub(crate) struct Place<'a> {
    pub(crate) ground: &'a Ground,
    pub(crate) joined: &'a Joined,
    pub(crate) profiles: Profiles,
    pub(crate) ticket: u64,
    pub(crate) conversation: RecordKey,
    pub(crate) channel: &'a Channel,
    /// The contact of the ticket.
    pub(crate) contact: Option<Row<'a>>,
}

/// What became of a message.
#[derive(Debug)]
pub(crate) struct Converted {
    pub(crate) message: Message,
    pub(crate) attachments: Vec<Attachment>,
    pub(crate) rejects: Vec<Reject>,
    /// Whether it is no message at all: an audit, a line of the system.
    pub(crate) is_event: bool,
}

/// What a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    In,
    Out,
    Note,
    /// Anything else: nothing that somebody said.
    Event,
}

impl Kind {
    /// By its type alone: the contact that stands beside it says nothing of the direction.
    pub(crate) fn of(row: Row<'_>) -> Self {
        let word = row.first_text(&["type", "message_type", "direction"]);
        match word.unwrap_or_default().to_ascii_uppercase().as_str() {
            "INBOUND" | "IN" | "INCOMING" => Self::In,
            "OUTBOUND" | "OUT" | "OUTGOING" => Self::Out,
            "NOTE" | "INTERNAL_NOTE" => Self::Note,
            _ => Self::Event,
        }
    }
}

/// A message with its files. `full` is the mail, where it was read in full.
pub(crate) fn message(
    place: &Place<'_>,
    row: Row<'_>,
    sent: DateTime<Utc>,
    full: Option<Row<'_>>,
) -> Result<Converted, Defect> {
    let id = row.id()?;
    let kind = Kind::of(row);
    let direction = match kind {
        Kind::In => Direction::In,
        Kind::Out => Direction::Out,
        Kind::Note | Kind::Event => Direction::Internal,
    };
    let author = author(place, row, kind);
    let mail = row
        .object("email_message")
        .filter(|_| matches!(kind, Kind::In | Kind::Out))
        .map(|row| Mail { row, full });
    let channel = channel(place, kind, mail.is_some());
    let body = body(row, mail, channel.is);
    let files = files::files(place, id, sent, row, body.html.as_deref());
    let updated = row.time("updated_at", place.ground.zone)?;
    let mut meta = place.ground.meta(
        place.ground.key(RecordKind::Message, id),
        &format!("api/v2/tickets/{}/messages/{id}", place.ticket),
        Some(sent),
        updated.map(|updated| updated.not_before(sent)),
    );
    keep(
        &mut meta,
        row,
        &[
            "file_caption",
            "contacts",
            "mentions",
            "messageEvents",
            "reactionSums",
            "meta",
        ],
    );
    if row.flag("is_auto_reply") == Some(true) {
        meta.custom
            .insert("is_auto_reply".to_owned(), CustomValue::Bool(true));
    }
    if kind == Kind::Event {
        keep(&mut meta, row, &["type", "audit_type"]);
    }
    let call = call(row);
    let email = mail.map(|mail| {
        let contact = match kind {
            Kind::In => row.object("contact").or(place.contact),
            _ => place.contact,
        };
        mail.headers(place, direction, contact, Some(&author.name))
    });
    Ok(Converted {
        message: Message {
            meta,
            conversation: place.conversation.clone(),
            direction,
            channel,
            author,
            sent_at: sent,
            sequence: i64::try_from(id).unwrap_or(i64::MAX),
            subject: mail.and_then(Mail::subject),
            body,
            email,
            call,
            reply_to: row
                .object("parent")
                .and_then(|parent| parent.id().ok())
                .map(|parent| place.ground.key(RecordKind::Message, parent)),
            files: files.shown,
        },
        attachments: files.records,
        rejects: files.rejects,
        is_event: kind == Kind::Event,
    })
}

/// Who wrote it. What went out without a user came from a bot, a flow, a rule or an automatic reply.
fn author(place: &Place<'_>, row: Row<'_>, kind: Kind) -> Author {
    let named = |row: Option<Row<'_>>| {
        row.and_then(|row| row.first_text(&["full_name", "name"]))
            .unwrap_or_default()
    };
    if kind == Kind::In {
        let contact = row.object("contact").or(place.contact);
        let key = contact.and_then(|contact| contact.id().ok());
        return Author {
            key: key.map(|id| person_key(place.ground, place.joined, place.profiles, id)),
            role: AuthorRole::Customer,
            name: named(contact),
        };
    }
    let agent = row.object("agent").or_else(|| row.object("user"));
    let user = agent
        .and_then(|agent| agent.id().ok())
        .or_else(|| row.reference("user_id"));
    match user {
        Some(id) => Author {
            key: Some(place.ground.key(RecordKind::Agent, id)),
            role: AuthorRole::Agent,
            name: named(agent),
        },
        None => Author {
            key: None,
            role: AuthorRole::System,
            name: match row.flag("is_auto_reply") {
                Some(true) => "Automatic reply".to_owned(),
                _ => "Trengo".to_owned(),
            },
        },
    }
}

fn channel(place: &Place<'_>, kind: Kind, is_mail: bool) -> Named<ChannelKind> {
    let raw = &place.channel.kind;
    match kind {
        Kind::Note | Kind::Event => Named::new(ChannelKind::Internal, "NOTE"),
        _ if is_mail => Named::new(ChannelKind::Email, raw),
        _ => match channel_kind(raw) {
            // What is no mail on a channel of mails came by another way, which nothing names.
            mail if mail.is == ChannelKind::Email => Named::new(ChannelKind::Other, raw),
            other => other,
        },
    }
}

/// The words. Which of them are HTML nothing says; in chats and on networks people may type what looks like it.
fn body(row: Row<'_>, mail: Option<Mail<'_>>, channel: ChannelKind) -> Body {
    if let Some((html, text)) = mail.map(Mail::bodies)
        && (html.is_some() || text.is_some())
    {
        return Body { html, text };
    }
    let words = row.first_text(&["message", "body", "text", "file_caption"]);
    let may_be_html = matches!(
        channel,
        ChannelKind::Email | ChannelKind::Internal | ChannelKind::Api | ChannelKind::Other
    );
    let says_html = row
        .text("body_type")
        .is_some_and(|kind| kind.eq_ignore_ascii_case("html"));
    match words {
        Some(words) if says_html || (may_be_html && html::is_html(&words)) => Body {
            html: Some(words),
            text: None,
        },
        words => Body {
            html: None,
            text: words,
        },
    }
}

/// A call has its length in a bag of metadata (Trengo reference, section 3.11).
fn call(row: Row<'_>) -> Option<Call> {
    let is_call = row
        .text("body_type")
        .is_some_and(|kind| kind.eq_ignore_ascii_case("CALL_LOG"));
    if !is_call {
        return None;
    }
    let bag = row.object("location_data").or_else(|| row.object("meta"));
    let seconds = bag
        .and_then(|bag| bag.number("duration"))
        .and_then(|seconds| u64::try_from(seconds).ok());
    Some(Call {
        seconds,
        disposition: bag.and_then(|bag| bag.first_text(&["status", "disposition"])),
        from: bag.and_then(|bag| bag.text("from")),
        to: bag.and_then(|bag| bag.text("to")),
        recording: None,
    })
}
