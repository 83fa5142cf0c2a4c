//! The configuration of a workspace as Trengo writes it (Trengo reference, sections 3.7 to 3.9).

use serde_json::{Value, json};

use super::clock::written;
use super::desk::Desk;
use super::held::{self, RESULTS};
use crate::world::{
    Channel, Conversation, FieldDefinition, FieldKind, FieldOwner, Lists, Person, Role,
};

/// Numbers of channels that are no mailbox.
const FIRST_OTHER: u64 = 101;
/// Channels that are no mailbox: type, and title.
const OTHERS: [(&str, &str); 8] = [
    ("CUSTOM", "Web form"),
    ("CHAT", "Website widget"),
    ("TWITTER", "@acme"),
    ("FACEBOOK", "Acme on Facebook"),
    ("WA_BUSINESS", "WhatsApp"),
    ("VOIP", "Hotline"),
    ("SMS", "Text messages"),
    ("INSTAGRAM", "acme.pictures"),
];

/// The type of a channel.
pub(super) fn channel_type(channel: &Channel) -> String {
    match channel {
        Channel::Mail | Channel::Note => "EMAIL".to_owned(),
        Channel::HelpCentre => "CUSTOM".to_owned(),
        Channel::Messenger => "CHAT".to_owned(),
        Channel::Twitter => "TWITTER".to_owned(),
        Channel::Facebook => "FACEBOOK".to_owned(),
        Channel::Other(raw) => match raw.as_str() {
            "WHATSAPP" => "WA_BUSINESS".to_owned(),
            "VOICE" => "VOIP".to_owned(),
            other => other.to_owned(),
        },
    }
}

/// The number of a ticket's channel: a mailbox's own, or that of the one channel of its type.
pub(super) fn channel_of(lists: &Lists, talk: &Conversation) -> u64 {
    let kind = channel_type(&talk.channel);
    if kind == "EMAIL" {
        let mails = talk
            .messages
            .iter()
            .filter_map(|message| message.mail.as_ref());
        let first = lists.mailboxes.first().map_or(1, |mailbox| mailbox.id);
        return mails.map(|mail| mail.mailbox).next().unwrap_or(first);
    }
    let place = OTHERS.iter().position(|(known, _)| *known == kind);
    // A type of another world's own has one channel too.
    FIRST_OTHER + place.unwrap_or(OTHERS.len()) as u64
}

pub(super) fn channels(desk: &Desk) -> Vec<Value> {
    let mailboxes = desk.lists.mailboxes.iter().map(|mailbox| {
        let (local, _) = mailbox.address.split_once('@').unwrap_or((&mailbox.address, ""));
        let mut row = channel(mailbox.id, "EMAIL", local);
        row["username"] = json!(mailbox.address);
        row["emailChannel"] = json!({
            "sender_name": "Acme", "sender_email": mailbox.address, "signature": "<p>Acme</p>", "type": "TRENGO",
            "split_by_subject": 0, "split_by_sender": "1", "embed_attachments": true,
        });
        row
    });
    let others = OTHERS
        .iter()
        .zip(FIRST_OTHER..)
        .map(|((kind, title), id)| channel(id, kind, title));
    mailboxes.chain(others).collect()
}

/// A channel with all that lists of channels show. Among it something that nobody should keep.
fn channel(id: u64, kind: &str, title: &str) -> Value {
    json!({
        "id": id, "name": kind.to_lowercase(), "title": title, "display_name": format!("{title} ()"), "text": title, "type": kind,
        "status": "ACTIVE", "phone": null, "username": null, "password": "provider-secret-of-the-channel", "emailChannel": null,
        "reopen_closed_ticket": 1, "reopen_closed_ticket_time_window_days": "30", "reassign_reopened_ticket": "0",
        "business_hour_id": 5, "auto_reply": "DISABLED", "notification_email": null, "show_ticket_fields": true, "show_contact_fields": "1",
        "users": [], "is_private": false, "color": "#4FC1E9",
    })
}

/// A channel as rows of tickets have it: most of it null.
pub(super) fn sparse_channel(desk: &Desk, id: u64) -> Value {
    let all = channels(desk);
    let found = all.iter().find(|row| row["id"] == json!(id));
    let text = |name: &str| found.map_or(Value::Null, |row| row[name].clone());
    json!({
        "id": id, "name": null, "title": text("title"), "type": text("type"), "phone": null, "status": null,
        "display_name": text("display_name"), "users": [], "is_private": false,
    })
}

pub(super) fn user(person: &Person, agency: Option<u64>) -> Value {
    let (first, last) = person.name.rsplit_once(' ').unwrap_or(("", &person.name));
    let role = match person.role {
        Role::Owner | Role::Admin => "administrator",
        Role::Agent => "advanced_agent",
        Role::Collaborator => "observer",
        Role::Customer => "basic_agent",
    };
    let mut row = json!({
        "id": person.id, "first_name": first, "last_name": last, "name": person.name, "full_name": person.name, "text": person.name,
        "email": person.emails.first(), "abbr": "A", "phone": null, "color": "#2196f3", "locale_code": "en-GB",
        "status": if person.enabled { "ACTIVE" } else { "INACTIVE" }, "is_online": 0, "user_status": "OFFLINE", "chat_status": "1",
        "voip_status": "OFFLINE", "voip_device": "WEB", "profile_image": null,
        "authorization": if person.role == Role::Owner { json!("OWNER") } else { Value::Null },
        "role": {"id": 1, "name": role}, "is_primary": 0, "timezone": "Asia/Jerusalem", "created_at": written(person.created),
        "two_factor_authentication_enabled": false, "activation_token": "activation-secret-of-the-user", "rate_limit": 750,
    });
    if let Some(agency) = agency {
        row["agency_id"] = json!(agency);
    }
    row
}

pub(super) fn teams(desk: &Desk) -> Vec<Value> {
    let members = |team: u64| -> Vec<Value> {
        let members = desk.staff().filter(|person| person.teams.contains(&team));
        members
            .map(|person| json!({"id": person.id, "full_name": person.name}))
            .collect()
    };
    desk.lists
        .teams
        .iter()
        .map(|team| json!({"id": team.id, "name": team.name, "users": members(team.id), "channels": [{"id": 1}]}))
        .collect()
}

pub(super) fn label(id: u64, name: &str) -> Value {
    json!({"id": id, "name": name, "slug": name.to_lowercase(), "color": "#4FC1E9", "sort_order": null, "archived": null})
}

pub(super) fn labels(desk: &Desk) -> Vec<Value> {
    desk.labels
        .iter()
        .map(|(id, name)| label(*id, name))
        .collect()
}

/// Why tickets are closed.
pub(super) fn results(desk: &Desk) -> Vec<Value> {
    let field = desk.lists.fields.iter().find(|field| field.id == RESULTS);
    let options = field.into_iter().flat_map(|field| &field.options);
    options
        .zip(0..)
        .map(|(option, place)| json!({"id": option.id, "name": option.label, "sort_order": place}))
        .collect()
}

/// Fields that are fields.
pub(super) fn own_fields(desk: &Desk) -> impl Iterator<Item = &FieldDefinition> {
    desk.lists.fields.iter().filter(|field| field.id != RESULTS)
}

pub(super) fn custom_fields(desk: &Desk) -> Vec<Value> {
    own_fields(desk)
        .zip(0_i64..)
        .map(|(field, place)| {
            let owner = match field.owner {
                FieldOwner::Conversation => "TICKET",
                FieldOwner::Person => "CONTACT",
                FieldOwner::Company => "PROFILE",
            };
            let kind = match field.kind {
                FieldKind::Text => "TEXT",
                FieldKind::TextArea => "TEXTAREA",
                FieldKind::Numeric | FieldKind::Decimal => "NUMBER",
                FieldKind::YesNo => "CHECKBOX",
                FieldKind::Select | FieldKind::CascadingSelect => "DROPDOWN",
                FieldKind::Checkbox => "MULTISELECT",
                FieldKind::Date => "DATE",
            };
            let items: Vec<&str> = field.options.iter().map(|option| option.label.as_str()).collect();
            json!({
                "id": field.id, "title": field.title, "sort_order": place - 1, "type": owner, "identifier": field.title.to_lowercase(),
                "field_type": kind, "placeholder": null, "items": if items.is_empty() { Value::Null } else { json!(items) },
                "channels": [], "is_required": false,
            })
        })
        .collect()
}

/// Titles that several fields of an owner have: a map by title can hold only one of them.
pub(super) fn repeated_titles(desk: &Desk, owner: FieldOwner) -> Vec<&str> {
    let titles: Vec<&str> = own_fields(desk)
        .filter(|field| field.owner == owner)
        .map(|field| field.title.as_str())
        .collect();
    titles
        .iter()
        .filter(|title| titles.iter().filter(|other| other == title).count() > 1)
        .copied()
        .collect()
}

pub(super) fn groups() -> Vec<Value> {
    vec![json!({"id": 1, "name": "Newsletter", "contacts_count": 0})]
}

/// Whether anything about a closed ticket can only be seen in the ticket itself.
pub(super) fn has_results(desk: &Desk) -> bool {
    !results(desk).is_empty()
}

/// The name of a status.
pub(super) fn status_name(id: u64) -> &'static str {
    match id {
        held::status::OPEN => "OPEN",
        held::status::ASSIGNED => "ASSIGNED",
        held::status::CLOSED => "CLOSED",
        _ => "INVALID",
    }
}
