//! Tickets and their messages as Trengo writes them (Trengo reference, sections 3.1 to 3.4).

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::clock::written;
use super::desk::Desk;
use super::held::{self, RESULTS, Way, contacts};
use super::people::{nested, value_text, values};
use super::setup::{channel_of, channel_type, channels, label, sparse_channel, status_name, user};
use crate::world::{Author, Conversation, FieldOwner, File, Mail, MailAddress, Message, Person};

/// What rows are written with.
pub(super) struct Ink<'a> {
    pub(super) desk: &'a Desk,
    /// Scheme and host for addresses of bytes.
    pub(super) base: &'a str,
    pub(super) agency: Option<u64>,
}

impl Ink<'_> {
    /// A ticket as lists show it.
    pub(super) fn row(&self, talk: &Conversation, updated: DateTime<Utc>) -> Value {
        let (_, custom) = values(self.desk, FieldOwner::Conversation, &talk.custom);
        let subject = Some(talk.subject.as_str()).filter(|subject| !subject.is_empty());
        let contact = self.contact_of(talk);
        let last = talk
            .messages
            .iter()
            .max_by_key(|message| (message.sent, message.id));
        json!({
            "id": talk.id, "status": status_name(talk.status), "subject": subject,
            "closed_at": closed(talk).map(written), "created_at": written(talk.created), "updated_at": written(updated),
            "user_id": talk.assignee, "team_id": talk.team, "assigned_at": talk.assignee.map(|_| written(talk.created)),
            "contact_id": contact["id"], "contact": contact, "channel": sparse_channel(self.desk, channel_of(&self.desk.lists, talk)),
            "channelMeta": null,
            "latest_message": last.map(|message| json!({
                "id": message.id, "type": kind(message), "message": "…", "created_at": written(message.sent), "attachments": [],
            })),
            "labels": talk.tags.iter().map(|tag| label(tag.id, &tag.name)).collect::<Vec<_>>(),
            "custom_data": custom, "messages_count": talk.messages.len(),
        })
    }

    /// A ticket alone, with what lists leave out.
    pub(super) fn ticket(&self, talk: &Conversation, updated: DateTime<Utc>) -> Value {
        let mut row = self.row(talk, updated);
        let id = channel_of(&self.desk.lists, talk);
        let all = channels(self.desk);
        if let Some(channel) = all.into_iter().find(|row| row["id"] == json!(id)) {
            row["channel"] = channel;
        }
        let (by_id, _) = values(self.desk, FieldOwner::Conversation, &talk.custom);
        row["custom_field_values"] = json!(by_id);
        row["messages_count"] = Value::Null;
        row["latest_message"] = Value::Null;
        let agent = talk.assignee.map(|id| self.user(id));
        row["agent"] = json!(agent);
        row["assignee"] = json!(agent);
        row["team"] = json!(talk.team.and_then(|id| {
            let team = self.desk.lists.teams.iter().find(|team| team.id == id)?;
            Some(json!({"id": id, "name": team.name, "title": null, "type": null}))
        }));
        row["results"] = self.results(talk);
        for name in [
            "watchers",
            "starred",
            "related_tickets",
            "attachments",
            "messaging_attachments",
        ] {
            row[name] = json!([]);
        }
        row["closed_by"] = Value::Null;
        row["reminder"] = Value::Null;
        let told = updated.format("%d-%m-%Y, %H:%M");
        let audit = |kind: &str, message: String| {
            json!({
                "id": talk.id, "type": "AUDIT", "audit_type": kind, "body_type": "TEXT", "message": message,
                "created_at": written(updated),
            })
        };
        let mut audits = vec![audit(
            "TICKET_CREATED",
            format!("Gesprek aangemaakt op {told}"),
        )];
        // Rules show nowhere else; the language is that of the user who looks.
        audits.extend(talk.tags.first().map(|tag| {
            let rule = format!(
                "Label {} toegevoegd door regel Triage {} op {told}",
                tag.name,
                tag.id % 3
            );
            audit("TICKET_LABELED", rule)
        }));
        row["audits"] = json!(audits);
        row
    }

    fn results(&self, talk: &Conversation) -> Value {
        let field = self
            .desk
            .lists
            .fields
            .iter()
            .find(|field| field.id == RESULTS);
        let value = talk.custom.iter().find(|value| value.field == RESULTS);
        let (Some(field), Some(value)) = (field, value) else {
            return json!([]);
        };
        let names = value_text(field, &value.value);
        let names = names.as_array().cloned().unwrap_or_default();
        names
            .iter()
            .map(|name| {
                let option = field
                    .options
                    .iter()
                    .find(|option| json!(option.label) == *name);
                json!({"id": option.map(|option| option.id), "name": name, "sort_order": 0})
            })
            .collect()
    }

    fn user(&self, id: u64) -> Value {
        match self.desk.person(id) {
            Some(person) => user(person, self.agency),
            // Removed, but those who were there know the name.
            None => {
                json!({"id": id, "first_name": "Unknown", "last_name": format!("user {id}"), "full_name": format!("Unknown user {id}")})
            }
        }
    }

    /// The contact by which a customer is in a ticket: the way that fits its channel.
    fn contact_of(&self, talk: &Conversation) -> Value {
        let kind = channel_type(&talk.channel);
        self.contact_by(talk.requester, |way| match kind.as_str() {
            "EMAIL" | "CUSTOM" => matches!(way, Way::Mail(_)),
            "TWITTER" => matches!(way, Way::Twitter(_)),
            "FACEBOOK" => matches!(way, Way::Facebook(_)),
            "CHAT" => false,
            _ => matches!(way, Way::Phone(_)),
        })
    }

    fn contact_by(&self, person: u64, fits: impl Fn(&Way) -> bool) -> Value {
        let Some(person) = self.desk.person(person) else {
            return Value::Null;
        };
        let all = contacts(person);
        let found = all.iter().find(|(_, way)| fits(way)).or(all.first());
        found.map_or(Value::Null, |(id, way)| nested(self.desk, person, *id, way))
    }

    /// A message as lists show it.
    pub(super) fn message(&self, talk: &Conversation, message: &Message) -> Value {
        let person = match message.author {
            Author::Person(id) => Some(id),
            _ => None,
        };
        let kind = kind(message);
        let is_agent = kind != "INBOUND";
        let agent = person.filter(|_| is_agent).map(|id| self.user(id));
        let contact = person.filter(|_| !is_agent).map(|id| {
            let from = message.mail.as_ref().map(|mail| &mail.from.address);
            self.contact_by(
                id,
                |way| matches!(way, Way::Mail(address) if Some(address) == from),
            )
        });
        let collapsed = held::is_collapsed(message);
        let text = self.shown(message.html.as_ref().or(message.text.as_ref()), message);
        let text = match collapsed {
            // Never the whole of it.
            true => text.map(|text| {
                text.chars()
                    .take(200.min(text.chars().count() / 2))
                    .collect()
            }),
            false => text,
        };
        // Where people type, HTML is told apart; in mails and what programs write it is not.
        let typed = !matches!(channel_type(&talk.channel).as_str(), "EMAIL" | "CUSTOM");
        let is_html = typed && message.html.is_some() && kind != "NOTE";
        let mut row = json!({
            "id": message.id, "ticket_id": talk.id, "type": kind, "body_type": if is_html { "HTML" } else { "TEXT" }, "message": text, "file_name": null,
            "file_caption": null, "location_data": null, "created_at": written(message.sent), "updated_at": written(message.sent),
            "user_id": person.filter(|_| is_agent), "contact": contact, "agent": agent,
            "attachments": message.files.iter().map(|file| self.file(talk, file)).collect::<Vec<_>>(),
            "mentions": [], "contacts": [], "meta": null, "parent": null, "reactionSums": [], "messageEvents": [],
            "is_auto_reply": null, "diff_in_hours": 7,
        });
        row["email_message"] = match &message.mail {
            None => Value::Null,
            Some(mail) => {
                let mut head = self.head(message, mail);
                head["collapsed"] = json!(collapsed);
                head
            }
        };
        row
    }

    /// A mail in full.
    pub(super) fn mail(&self, message: &Message) -> Option<Value> {
        let mail = message.mail.as_ref()?;
        let mut row = self.head(message, mail);
        row["id"] = json!(message.id);
        row["html"] = json!(self.shown(message.html.as_ref(), message));
        row["text"] = json!(message.text);
        Some(row)
    }

    /// Who wrote to whom about what. Of an incoming mail the mailbox is the first recipient.
    fn head(&self, message: &Message, mail: &Mail) -> Value {
        let address = |one: &MailAddress| json!({"email": one.address, "name": one.name});
        let mailbox = self
            .desk
            .lists
            .mailboxes
            .iter()
            .find(|mailbox| message.incoming && mailbox.id == mail.mailbox);
        let mailbox = mailbox.map(|mailbox| json!({"email": mailbox.address, "name": null}));
        let all = |list: &[MailAddress]| list.iter().map(address).collect::<Vec<_>>();
        let to: Vec<Value> = mailbox.into_iter().chain(all(&mail.to)).collect();
        json!({
            "subject": message.subject, "from": address(&mail.from), "to": to, "cc": all(&mail.cc), "bcc": all(&mail.bcc),
        })
    }

    /// A text with the addresses of what it shows.
    fn shown(&self, text: Option<&String>, message: &Message) -> Option<String> {
        let mut text = text?.clone();
        for image in &message.images {
            let address = format!("{}/media/url/{}", self.base, image.token);
            text = text.replace(&format!("media:{}", image.token), &address);
        }
        for file in &message.files {
            if let Some(id) = &file.content_id {
                text = text.replace(&format!("cid:{id}"), &self.address(message.id, file));
            }
        }
        Some(text)
    }

    fn file(&self, talk: &Conversation, file: &File) -> Value {
        let message = talk
            .messages
            .iter()
            .find(|message| message.files.iter().any(|one| one.id == file.id));
        json!({
            "id": file.id, "client_name": file.name, "full_url": self.address(message.map_or(0, |m| m.id), file), "mime_type": file.media_type,
            "size": file.claimed_size.unwrap_or_else(|| file.content.len()), "extension": null,
        })
    }

    fn address(&self, message: u64, file: &File) -> String {
        format!("{}/media/file/{message}/{}", self.base, file.id)
    }
}

/// When it was closed. One in seven that are open was closed before, and says so still.
fn closed(talk: &Conversation) -> Option<DateTime<Utc>> {
    let reopened = talk.id.is_multiple_of(7) && talk.status != held::status::CLOSED;
    talk.closed.or(reopened.then_some(talk.created))
}

/// Whether a list says that a ticket was closed at some time.
pub(super) fn was_closed(talk: &Conversation) -> bool {
    closed(talk).is_some()
}

fn kind(message: &Message) -> &'static str {
    if held::is_note(message) {
        "NOTE"
    } else if message.incoming {
        "INBOUND"
    } else {
        "OUTBOUND"
    }
}

/// The person whose contact it is, with the way.
pub(super) fn find_contact(desk: &Desk, id: u64) -> Option<(&Person, Way)> {
    let person = desk.person(held::person_of(id))?;
    if person.role.is_staff() {
        return None;
    }
    let way = contacts(person).into_iter().find(|(one, _)| *one == id)?.1;
    Some((person, way))
}
