//! Cases and their posts as Kayako writes them (Kayako reference, sections 7 to 9).

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::include::{Fields, reference};
use super::setup::{Ink, mailbox_uuid, time};
use crate::world::{
    Author, Channel, Conversation, ConversationState, FieldOwner, File, Mail, MailAddress, Message,
    MessageKind, NoteOn, Rating,
};

/// Ids of originals live in a range of their own, beyond 32 bits.
const ORIGINALS: u64 = 80_000_000_000;

pub(super) fn original_id(message: &Message) -> u64 {
    ORIGINALS + message.id
}

/// The message whose original has this id.
pub(super) fn message_of_original(id: u64) -> Option<u64> {
    id.checked_sub(ORIGINALS)
}

impl Ink<'_> {
    pub(super) fn case(
        &self,
        case: &Conversation,
        updated: DateTime<Utc>,
        fields: &Fields,
    ) -> Value {
        let include = self.include;
        let beside = self.world.beside(case);
        let brand = beside.as_ref().map_or(1, |beside| beside.brand);
        let form = beside.as_ref().and_then(|beside| beside.form);
        let requester = self.world.person(case.requester);
        let mut json = json!({
            "id": case.id, "legacy_id": null, "subject": case.subject, "portal": "PRIMARY",
            "source_channel": self.channel(&case.channel, case_mailbox(case)), "last_public_channel": null,
            "requester": self.nested_user(case.requester), "creator": self.nested_user(case.requester),
            "identity": requester.map_or(Value::Null, |person| self.first_identity(person)),
            "assigned_agent": case.assignee.map(|id| self.nested_user(id)),
            "assigned_team": case.team.map(|id| self.nested_team(id)),
            "last_assigned_by": null, "last_replier": null, "last_replier_identity": null, "last_updated_by": null,
            "last_completed_by": null, "last_closed_by": null,
            "brand": reference("brand", brand), "status": self.nested_status(case.status),
            "priority": case.priority.map(|id| self.nested_priority(id)), "type": case.case_type.map(|id| self.nested_type(id)),
        });
        let rest = json!({
            "form": form.map(|form| reference("case_form", form)), "sla_version": null, "read_marker": null, "sla_metrics": [],
            "custom_fields": self.custom(FieldOwner::Conversation, &case.custom),
            "state": match case.state { ConversationState::Active => "ACTIVE", ConversationState::Suspended => "SUSPENDED", ConversationState::Trash => "TRASH" },
            "post_count": case.messages.len(), "pinned_notes_count": 0,
            // Real instances are wrong about notes, so this one is too.
            "has_notes": false, "has_attachments": case.messages.iter().any(|message| !message.files.is_empty()),
            "is_merged": case.merged_into.is_some(),
            "rating": case.rating.map(|rating| match rating { Rating::Good => "GOOD", Rating::Bad => "BAD" }),
            "rating_status": if case.rating.is_some() { "RECEIVED" } else { "UNOFFERED" },
            "last_post_status": "SEEN", "last_post_preview": "", "realtime_channel": format!("presence-{}", case.id),
            "last_assigned_at": null, "last_replied_at": null, "last_opened_at": null, "last_pending_at": null,
            "last_completed_at": null, "last_closed_at": null,
            "created_at": time(case.created), "updated_at": time(updated),
            "resource_type": "case", "resource_url": format!("{}/api/v1/cases/{}", self.base, case.id),
        });
        if let (Some(all), Value::Object(rest)) = (json.as_object_mut(), rest) {
            all.extend(rest);
        }
        if let Some(closed) = case.closed {
            let completed_only = self
                .world
                .status(case.status)
                .is_some_and(|status| status.kind == crate::world::StatusKind::Completed);
            json[if completed_only {
                "last_completed_at"
            } else {
                "last_closed_at"
            }] = time(closed).into();
        }
        if let Some(company) = case.company {
            json["organization"] = self.nested_organization(company);
        }
        if fields.adds("tags") {
            let tag = |tag: &crate::world::Tag| {
                include.nest(
                    "tag",
                    tag.id,
                    || json!({"id": tag.id, "name": tag.name, "resource_type": "tag"}),
                )
            };
            json["tags"] = case.tags.iter().map(tag).collect();
        }
        fields.apply(json)
    }

    fn channel(&self, channel: &Channel, mailbox: u64) -> Value {
        let (kind, uuid, account) = match channel {
            Channel::Mail => ("MAIL", mailbox_uuid(mailbox), reference("mailbox", mailbox)),
            Channel::HelpCentre => ("HELPCENTER", uuid(2), Value::Null),
            Channel::Messenger => ("MESSENGER", uuid(3), Value::Null),
            Channel::Note => ("NOTE", uuid(4), Value::Null),
            Channel::Twitter => (
                "TWITTER",
                uuid(5),
                reference("twitter_account", "1122334455667788990"),
            ),
            Channel::Facebook => ("FACEBOOK", uuid(6), reference("facebook_page", 1)),
            Channel::Other(name) => (name.as_str(), uuid(7), Value::Null),
        };
        let limit = if *channel == Channel::Twitter {
            json!(280)
        } else {
            Value::Null
        };
        self.include.nest_channel(&uuid, || {
            json!({"uuid": uuid, "type": kind, "character_limit": limit, "account": account, "resource_type": "channel"})
        })
    }

    pub(super) fn post(&self, case: &Conversation, message: &Message) -> Value {
        let mailbox = message.mail.as_ref().map_or(1, |mail| mail.mailbox);
        let attachments = self.attachments(case, message);
        json!({
            "id": message.id, "uuid": post_uuid(message), "client_id": "",
            "subject": message.subject.as_deref().unwrap_or(&case.subject), "contents": self.contents(message),
            "creator": self.creator(message.author), "identity": null,
            "source_channel": self.channel(&message_channel(message), mailbox),
            "attachments": attachments, "download_all": null,
            "destination_medium": match (&message.kind, message.incoming) { (MessageKind::Mail, false) => json!("MAIL"), (MessageKind::Chat, false) => json!("MESSENGER"), _ => Value::Null },
            "source": match &message.kind { MessageKind::Mail if message.incoming => json!("MAIL"), MessageKind::HelpCentre => json!("HELPCENTER"), MessageKind::Chat => json!("MESSENGER"), MessageKind::Note { .. } => json!("AGENT"), _ => Value::Null },
            // An empty object is an empty list in PHP.
            "metadata": if message.id.is_multiple_of(2) { json!([]) } else { json!({"user_agent": "", "page_url": ""}) },
            "original": self.original(case, message),
            "post_status": "SEEN", "post_status_reject_type": null, "post_status_reject_reason": null,
            "is_requester": message.by_requester,
            "created_at": time(message.sent), "updated_at": time(message.sent),
            "resource_type": "post", "resource_url": format!("{}/api/v1/cases/posts/{}", self.base, message.id),
        })
    }

    fn creator(&self, author: Author) -> Value {
        match author {
            Author::Person(id) => self.nested_user(id),
            Author::Trigger(id) => reference("trigger", id),
            Author::Monitor(id) => reference("monitor", id),
            Author::Nobody => Value::Null,
        }
    }

    fn original(&self, case: &Conversation, message: &Message) -> Value {
        let id = original_id(message);
        match &message.kind {
            MessageKind::Mail | MessageKind::HelpCentre => self.include.nest("case_message", id, || self.case_message(case, message)),
            MessageKind::Note { on, pinned } => self.include.nest("note", id, || self.note(case, message, *on, *pinned)),
            MessageKind::Chat => self.include.nest("chat_message", id, || self.chat_message(case, message)),
            MessageKind::Tweet => self.include.nest("twitter_tweet", format!("17{id}"), || self.tweet(case, message)),
            MessageKind::Facebook => self.include.nest("facebook_message", id, || {
                json!({
                    "id": id, "uuid": post_uuid(message), "contents": text(message), "recipient": null,
                    "attachments": self.attachments(case, message), "resource_type": "facebook_message",
                })
            }),
            MessageKind::Other { original, .. } => json!({"id": id, "resource_type": original}),
        }
    }

    fn case_message(&self, case: &Conversation, message: &Message) -> Value {
        let mail = message.mail.as_ref();
        let from = mail.map(|mail| &mail.from).filter(|_| message.incoming);
        json!({
            "id": original_id(message), "uuid": post_uuid(message), "subject": message.subject.as_deref().unwrap_or(&case.subject),
            "body_text": text(message), "body_html": message.html.as_deref().map(|html| self.with_addresses(html)),
            "recipients": mail.map_or_else(Vec::new, |mail| self.recipients(message, mail)),
            "fullname": self.full_name(message),
            "email": from.map(|from| from.address.as_str()).filter(|address| !address.is_empty()),
            "creator": self.creator(message.author), "identity": null,
            "mailbox": mail.map(|mail| self.nested_mailbox(mail.mailbox)),
            "attachments": self.attachments(case, message), "download_all": null, "locale": null, "response_time": 0,
            "created_at": time(message.sent), "updated_at": time(message.sent), "resource_type": "case_message",
            "resource_url": format!("{}/api/v1/cases/{}/messages/{}", self.base, case.id, original_id(message)),
        })
    }

    /// The name as the mail had it; of a message from the help centre, the person's.
    fn full_name<'m>(&'m self, message: &'m Message) -> Option<&'m str> {
        match (&message.mail, message.author) {
            (Some(mail), _) => mail.from.name.as_deref(),
            (None, Author::Person(id)) => self.world.person(id).map(|person| person.name.as_str()),
            (None, _) => None,
        }
    }

    fn recipients(&self, message: &Message, mail: &Mail) -> Vec<Value> {
        let all = [("TO", &mail.to), ("CC", &mail.cc), ("BCC", &mail.bcc)];
        let rows = all
            .iter()
            .flat_map(|(kind, list)| list.iter().map(move |address| (*kind, address)));
        rows.enumerate()
            .map(|(n, (kind, MailAddress { name, address }))| {
                let id = message.id * 1_000 + n as u64;
                self.include.nest("message_recipient", id, || {
                    let stranger = 9_000_000_000 + id;
                    json!({"type": kind, "name": name, "identity": self.identity_of(address, stranger), "resource_type": "message_recipient"})
                })
            })
            .collect()
    }

    fn note(&self, case: &Conversation, message: &Message, on: NoteOn, pinned: bool) -> Value {
        let id = original_id(message);
        let (path, parent) = match on {
            NoteOn::Conversation => (format!("cases/{}", case.id), reference("case", case.id)),
            NoteOn::Person(person) => (format!("users/{person}"), reference("user", person)),
            NoteOn::Company(company) => (
                format!("organizations/{company}"),
                reference("organization", company),
            ),
        };
        let creator = self.creator(message.author);
        json!({
            "id": id, "body_text": text(message), "body_html": message.html.as_deref().map(|html| self.with_addresses(html)),
            "is_pinned": pinned, "pinned_by": if pinned { creator.clone() } else { Value::Null }, "user": creator.clone(), "creator": creator,
            "parent": parent, "attachments": self.attachments(case, message), "download_all": null,
            "created_at": time(message.sent), "updated_at": time(message.sent), "resource_type": "note",
            "resource_url": format!("{}/api/v1/{path}/notes/{id}", self.base),
        })
    }

    fn chat_message(&self, case: &Conversation, message: &Message) -> Value {
        let from = match message.author {
            Author::Person(id) => self.user_minimal(id),
            _ => Value::Null,
        };
        json!({
            "id": original_id(message), "from": from, "event": "message", "uuid": post_uuid(message), "text": text(message), "type": "",
            "attachments": self.attachments(case, message), "chat": reference("chat", case.id), "created_at": time(message.sent),
            "resource_type": "chat_message",
        })
    }

    fn tweet(&self, case: &Conversation, message: &Message) -> Value {
        json!({
            // Beyond what a double holds: a text on purpose.
            "id": format!("17{}", original_id(message)), "uuid": post_uuid(message), "screen_name": "noisy_grinder", "full_name": null,
            "contents": text(message), "retweet_count": 0, "favorite_count": 0, "in_reply_to_tweet": null, "media": [],
            "attachments": self.attachments(case, message), "download_all": null, "created_at": time(message.sent),
            "updated_at": time(message.sent), "resource_type": "twitter_tweet",
        })
    }

    fn attachments(&self, case: &Conversation, message: &Message) -> Vec<Value> {
        let kind = if matches!(message.kind, MessageKind::Note { .. }) {
            "notes"
        } else {
            "messages"
        };
        let one = |file: &File| {
            self.include.nest("attachment", file.id, || {
                let url = format!("{}/api/v1/cases/{}/{kind}/{}/attachments/{}", self.base, case.id, original_id(message), file.id);
                let size = file.claimed_size.unwrap_or_else(|| file.content.len());
                json!({
                    "id": file.id, "name": file.name,
                    "size": if file.id.is_multiple_of(5) { json!(size.to_string()) } else { json!(size) },
                    "width": 0, "height": 0, "type": file.media_type, "content_id": file.content_id.as_ref().map(|id| format!("<{id}>")),
                    "alt": null, "url": format!("{url}/url"), "url_download": format!("{url}/download"),
                    // The address of a thumbnail is malformed on the real platform.
                    "thumbnails": [{"name": "small", "size": 64, "width": 64, "height": 64, "url": format!("{url}/url&size=64")}],
                    "created_at": time(message.sent), "resource_type": "attachment",
                })
            })
        };
        message.files.iter().map(one).collect()
    }

    /// The HTML with the addresses of this helpdesk.
    fn with_addresses(&self, html: &str) -> String {
        let address = format!("{}/media/url/", self.base);
        html.replace("\"media:", &format!("\"{address}"))
            .replace("'media:", &format!("'{address}"))
    }

    /// The plain rendering, in which pictures are named in brackets.
    fn contents(&self, message: &Message) -> String {
        let pictures = message
            .images
            .iter()
            .map(|image| format!("[img src=\"{}/media/url/{}\"]\n", self.base, image.token));
        pictures.chain([text(message)]).collect()
    }

    /// The original of a mail, if the helpdesk has it.
    pub(super) fn email_original(&self, message: &Message) -> Option<Value> {
        let mail = message.mail.as_ref()?;
        let headers = mail.headers.as_ref()?;
        Some(json!({
            "id": message.id, "subject": message.subject, "from": mail.from.address,
            "to": self.world.mailbox(mail.mailbox).map(|mailbox| mailbox.address.as_str()),
            "received_at": message.sent.format("%d %b %Y - %H:%M:%S").to_string(),
            "html_content": message.html, "striped_html": message.text, "source_content": escaped_lines(headers),
            "resource_type": "email_original",
        }))
    }
}

fn uuid(n: u64) -> String {
    format!("30000000-0000-4000-8000-{n:012}")
}

fn post_uuid(message: &Message) -> String {
    format!("40000000-0000-4000-8000-{:012x}", message.id)
}

fn case_mailbox(case: &Conversation) -> u64 {
    case.messages
        .iter()
        .find_map(|message| message.mail.as_ref())
        .map_or(1, |mail| mail.mailbox)
}

fn message_channel(message: &Message) -> Channel {
    match &message.kind {
        MessageKind::Mail => Channel::Mail,
        MessageKind::HelpCentre => Channel::HelpCentre,
        MessageKind::Note { .. } => Channel::Note,
        MessageKind::Chat => Channel::Messenger,
        MessageKind::Tweet => Channel::Twitter,
        MessageKind::Facebook => Channel::Facebook,
        MessageKind::Other { channel, .. } => Channel::Other(channel.clone()),
    }
}

fn text(message: &Message) -> String {
    message.text.clone().unwrap_or_default()
}

/// Headers as the platform shows them: escaped for HTML, line ends as `<br />`.
fn escaped_lines(headers: &str) -> String {
    headers
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#039;")
        .replace('\n', "<br />")
}
