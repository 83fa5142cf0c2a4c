//! Things as Kustomer writes them (Kustomer reference, sections 1.3 and 3).

use std::collections::BTreeSet;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use super::desk::{Context, Desk, Entry};
use super::fields;
use super::ids::{Of, id};
use crate::world::{
    Author, Channel, Company, Conversation, ConversationState, File, Handle, MailAddress, Message,
    MessageKind, Person, PostalAddress, Rating, Role, StatusKind, Tag, Team,
};

pub(super) fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

pub(super) fn millis(at: i64) -> String {
    time(DateTime::from_timestamp_millis(at).unwrap_or_default())
}

pub(super) fn relation(kind: &str, id: &str) -> Value {
    json!({"links": {"self": format!("/v1/{kind}s/{id}")}, "data": {"type": kind, "id": id}})
}

pub(super) fn org() -> Value {
    let id = id(Of::Org, 1);
    json!({"links": {"self": format!("/v1/orgs/{id}")}, "data": {"type": "org", "id": id}})
}

/// A resource with its envelope.
fn resource(
    kind: &str,
    id: &str,
    path: &str,
    attributes: Value,
    mut relationships: Value,
) -> Value {
    relationships["org"] = org();
    json!({
        "type": kind, "id": id, "attributes": attributes, "relationships": relationships,
        "links": {"self": format!("/v1/{path}/{id}")},
    })
}

fn with_custom(mut attributes: Value, custom: Map<String, Value>) -> Value {
    if !custom.is_empty() {
        attributes["custom"] = Value::Object(custom);
    }
    attributes
}

pub(super) fn user(person: &Person) -> Value {
    let roles = match person.role {
        Role::Owner | Role::Admin => json!(["org.admin", "org.user"]),
        _ => json!(["org.user"]),
    };
    let mut attributes = json!({
        "name": person.name, "displayName": null, "email": person.emails.first(), "userType": "user", "roles": roles,
        "createdAt": time(person.created), "updatedAt": time(person.updated),
    });
    if !person.enabled {
        attributes["deleted"] = true.into();
        attributes["deletedAt"] = time(person.updated).into();
    }
    resource(
        "user",
        &id(Of::User, person.id),
        "users",
        attributes,
        json!({}),
    )
}

pub(super) fn team(desk: &Desk, team: &Team) -> Value {
    let members: Vec<String> = desk
        .lists
        .people
        .iter()
        .filter(|person| person.role.is_staff() && person.teams.contains(&team.id))
        .map(|person| id(Of::User, person.id))
        .collect();
    let attributes = json!({
        "name": team.name, "displayName": team.name, "members": members, "deleted": false,
        "createdAt": "2020-01-01T00:00:00.000Z", "updatedAt": "2020-01-01T00:00:00.000Z",
    });
    resource(
        "team",
        &id(Of::Team, team.id),
        "teams",
        attributes,
        json!({}),
    )
}

pub(super) fn tag(tag: &Tag) -> Value {
    let attributes = json!({
        "name": tag.name, "color": "#2c3e50", "deleted": false,
        "createdAt": "2020-01-01T00:00:00.000Z", "updatedAt": "2020-01-01T00:00:00.000Z",
    });
    resource("tag", &id(Of::Tag, tag.id), "tags", attributes, json!({}))
}

pub(super) fn sub_status(number: u64, label: &str, deleted: bool) -> Value {
    let attributes = json!({"label": label, "parentStatus": "open", "resourceType": "conversation", "deleted": deleted});
    resource(
        "sub_status",
        &id(Of::SubStatus, number),
        "sub-statuses",
        attributes,
        json!({}),
    )
}

fn address(address: &PostalAddress) -> Value {
    json!({
        "type": "work", "address": address.street1, "address2": address.street2, "cityName": address.city,
        "regionName": address.state, "zipCode": address.postal_code, "countryName": address.country,
    })
}

pub(super) fn company(desk: &Desk, company: &Company, entry: &Entry) -> Value {
    let attributes = json!({
        "name": company.name, "domains": company.domains.iter().map(|domain| json!({"domain": domain})).collect::<Vec<_>>(),
        "urls": company.websites.iter().map(|url| json!({"url": url, "type": "website"})).collect::<Vec<_>>(),
        "phones": company.phones.iter().map(|phone| json!({"phone": phone, "type": "work"})).collect::<Vec<_>>(),
        "locations": company.addresses.iter().map(address).collect::<Vec<_>>(), "tags": [], "rev": entry.rev,
        "createdAt": millis(entry.created), "updatedAt": millis(entry.updated),
    });
    let attributes = with_custom(attributes, fields::values(&desk.world, &company.custom));
    resource(
        "company",
        &id(Of::Company, company.id),
        "companies",
        attributes,
        json!({}),
    )
}

pub(super) fn customer(desk: &Desk, person: &Person, entry: &Entry) -> Value {
    let emails = person
        .emails
        .iter()
        .enumerate()
        .map(|(n, email)| json!({"email": email, "type": "work", "verified": n == 0}));
    let phones = person
        .phones
        .iter()
        .map(|phone| json!({"phone": phone, "type": "work", "verified": false}));
    let social = |kind: &str, handle: &Handle| {
        json!({"type": kind, "userid": handle.network_id, "username": handle.screen_name, "verified": true,
               "url": format!("https://{kind}.example/{}", handle.screen_name)})
    };
    let twitter = person
        .twitter
        .iter()
        .map(|handle| social("twitter", handle));
    let facebook = person
        .facebook
        .iter()
        .map(|handle| social("facebook", handle));
    let shown = [Some(&person.name), person.emails.first()]
        .into_iter()
        .flatten()
        .find(|text| !text.is_empty());
    let attributes = json!({
        "name": person.name, "displayName": shown.map_or("Silent Heron", String::as_str),
        "emails": emails.collect::<Vec<_>>(), "sharedEmails": [], "phones": phones.collect::<Vec<_>>(), "sharedPhones": [],
        "whatsapps": [], "socials": twitter.chain(facebook).collect::<Vec<_>>(), "sharedSocials": [], "urls": [],
        "locations": [{"type": "home"}], "tags": [], "preview": {"$init": true}, "sentiment": null, "progressiveStatus": null,
        "verified": false, "rev": entry.rev, "createdAt": millis(entry.created), "updatedAt": millis(entry.updated),
        "conversationCounts": {}, "satisfactionLevel": {},
    });
    let mut attributes = with_custom(attributes, fields::values(&desk.world, &person.custom));
    if entry.deleted {
        attributes["deleted"] = true.into();
    }
    let number = id(Of::Customer, person.id);
    let mut relations =
        json!({"messages": {"links": {"self": format!("/v1/customers/{number}/messages")}}});
    if let Some(company) = person.company {
        let company = id(Of::Company, company);
        relations["company"] = json!({"links": {"self": format!("/v1/companies/{company}")}, "data": {"type": "company", "id": company}});
    }
    resource("customer", &number, "customers", attributes, relations)
}

/// That a customer was merged into another.
pub(super) fn merge(customer: u64, into: u64) -> Value {
    let [source, target] = [customer, into].map(|number| id(Of::Customer, number));
    // Its own id has the number of whom it was.
    resource(
        "customer_merge",
        &id(Of::Setting, customer),
        "customers/merges",
        json!({"status": "success", "createdAt": "2024-01-01T00:00:00.000Z"}),
        json!({
            "source": {"links": {"self": format!("/v1/customers/{source}")}, "data": {"type": "customer", "id": source}},
            "target": {"links": {"self": format!("/v1/customers/{target}")}, "data": {"type": "customer", "id": target}},
        }),
    )
}

/// Kustomer's word for a channel.
pub(super) fn word(channel: &Channel) -> Option<String> {
    Some(match channel {
        Channel::Mail => "email".to_owned(),
        Channel::HelpCentre => "form".to_owned(),
        Channel::Messenger => "chat".to_owned(),
        Channel::Twitter => "twitter-tweet".to_owned(),
        Channel::Facebook => "facebook".to_owned(),
        Channel::Note => return None,
        Channel::Other(raw) if raw.is_empty() => return None,
        Channel::Other(raw) => raw.to_lowercase(),
    })
}

fn channels(conversation: &Conversation) -> Vec<String> {
    let own = word(&conversation.channel);
    let others = conversation
        .messages
        .iter()
        .filter_map(|message| word(&super::view::channel(&message.kind)?));
    let mut seen = BTreeSet::new();
    own.into_iter()
        .chain(others)
        .filter(|word| seen.insert(word.clone()))
        .collect()
}

pub(super) fn conversation(desk: &Desk, row: &Conversation, entry: &Entry) -> Value {
    let status = desk.world.status(row.status);
    let word = match status.map(|status| status.kind) {
        Some(StatusKind::Completed | StatusKind::Closed) => "done",
        Some(StatusKind::Pending) => "snoozed",
        _ => "open",
    };
    let notes = row
        .messages
        .iter()
        .filter(|message| matches!(message.kind, MessageKind::Note { .. }))
        .count();
    let priority = match row
        .priority
        .and_then(|id| desk.world.priority(id))
        .map(|priority| priority.level)
    {
        Some(1) => 1,
        Some(3) => 4,
        Some(4..) => 5,
        _ => 3,
    };
    let first = row
        .messages
        .iter()
        .find(|message| !matches!(message.kind, MessageKind::Note { .. }));
    let number = id(Of::Conversation, row.id);
    let mut attributes = json!({
        "name": row.subject, "preview": first.map_or("", |message| message.text.as_deref().unwrap_or("")).chars().take(120).collect::<String>(),
        "status": word, "priority": priority, "channels": channels(row),
        "direction": if first.is_none_or(|message| message.incoming) { "in" } else { "out" },
        "assignedUsers": row.assignee.map(|user| id(Of::User, user)).into_iter().collect::<Vec<_>>(),
        "assignedTeams": row.team.map(|team| id(Of::Team, team)).into_iter().collect::<Vec<_>>(),
        "tags": row.tags.iter().map(|tag| id(Of::Tag, tag.id)).collect::<Vec<_>>(),
        "messageCount": row.messages.len() - notes, "noteCount": notes, "ended": false, "spam": row.state == ConversationState::Suspended,
        "rev": entry.rev, "createdAt": millis(entry.created), "updatedAt": millis(entry.updated), "sentiment": null, "satisfactionLevel": {},
    });
    if let Some(status) = status.filter(|status| status.kind == StatusKind::Custom) {
        attributes["subStatus"] = id(Of::SubStatus, status.id).into();
    }
    if word == "snoozed" {
        attributes["snooze"] = json!({"time": null, "status": "scheduled"});
    }
    if let Some(closed) = row.closed {
        attributes["lastDone"] =
            json!({"createdAt": time(closed), "messageCount": row.messages.len() - notes});
    }
    if let Some(rating) = row.rating {
        let good = rating == Rating::Good;
        attributes["satisfactionLevel"] = json!({
            "status": "rated", "rating": if good { 5 } else { 1 }, "score": i32::from(good), "channel": "email",
            "form": id(Of::Form, 1), "createdAt": time(row.updated), "updatedAt": time(row.updated),
        });
    }
    if let Some((asked, answer)) = super::view::first_answer(row) {
        attributes["firstResponse"] = json!({
            "id": id(Of::Message, answer.id), "sentAt": time(answer.sent), "createdAt": time(answer.sent),
            "responseTime": (answer.sent - asked).num_milliseconds(), "assignedTeams": [],
        });
        if row.channel == Channel::Mail {
            let (name, within) = super::view::AGREED;
            let due = asked + within;
            attributes["sla"] = json!({
                "name": name, "version": 1, "status": "done", "matchedAt": time(asked), "breached": answer.sent > due,
                "breach": {"metric": "firstResponse", "at": time(due)},
            });
        }
    }
    if let Some(into) = row.merged_into {
        attributes["linkedConversations"] = json!([id(Of::Conversation, into)]);
    }
    if entry.deleted {
        attributes["deleted"] = true.into();
    }
    let attributes = with_custom(attributes, fields::values(&desk.world, &row.custom));
    let customer = id(Of::Customer, row.requester);
    let relations = json!({
        "customer": {"links": {"self": format!("/v1/customers/{customer}")}, "data": {"type": "customer", "id": customer}},
        "messages": {"links": {"self": format!("/v1/conversations/{number}/messages")}},
    });
    resource(
        "conversation",
        &number,
        "conversations",
        attributes,
        relations,
    )
}

fn mail_address(address: &MailAddress) -> Value {
    match &address.name {
        Some(name) => json!({"email": address.address, "name": name}),
        None => json!({"email": address.address}),
    }
}

/// `"Name" <address>`.
fn sender(address: &MailAddress) -> String {
    match &address.name {
        Some(name) => format!(
            "\"{}\" <{}>",
            name.replace('\\', "\\\\").replace('"', "\\\""),
            address.address
        ),
        None => address.address.clone(),
    }
}

fn text_of(message: &Message) -> String {
    match (&message.text, &message.html) {
        (Some(text), _) if !text.trim().is_empty() => text.clone(),
        (_, Some(html)) => crate::oracle::plain_text(html),
        _ => String::new(),
    }
}

/// A message; with `files`, they are named, and stand in `included`.
pub(super) fn message(
    desk: &Desk,
    conversation: &Conversation,
    row: &Message,
    entry: &Entry,
    files: bool,
) -> Value {
    let number = id(Of::Message, row.id);
    let text = text_of(row);
    let preview: String = text.chars().take(super::view::LONGEST_TEXT).collect();
    let channel = super::view::channel(&row.kind).and_then(|channel| word(&channel));
    let mut attributes = json!({
        "channel": channel, "direction": if row.incoming { "in" } else { "out" },
        "directionType": if row.incoming { "response-in" } else { "response-out" }, "preview": preview, "size": text.chars().count(),
        "status": if row.incoming { "received" } else { "sent" }, "meta": {}, "sentAt": time(row.sent),
        "createdAt": millis(entry.created), "updatedAt": millis(entry.updated), "rev": entry.rev, "sentiment": null, "error": null,
    });
    let mut links = json!({"self": format!("/v1/messages/{number}")});
    if let Some(mail) = &row.mail {
        let mailbox = desk
            .world
            .mailbox(mail.mailbox)
            .filter(|_| row.incoming)
            .map(|mailbox| json!({"email": mailbox.address}));
        let to: Vec<Value> = mailbox
            .iter()
            .cloned()
            .chain(mail.to.iter().map(mail_address))
            .collect();
        attributes["app"] = "postmark".into();
        attributes["externalId"] = mail
            .message_id
            .as_ref()
            .map_or(Value::Null, |id| format!("<{id}>").into());
        attributes["subject"] = row.subject.clone().into();
        attributes["meta"] = json!({
            "subject": row.subject, "from": sender(&mail.from), "to": to,
            "cc": mail.cc.iter().map(mail_address).collect::<Vec<_>>(), "bcc": mail.bcc.iter().map(mail_address).collect::<Vec<_>>(),
            "inReplyTo": mail.in_reply_to.first().map(|id| format!("<{id}>")),
        });
        if let Some(mailbox) = mailbox {
            attributes["meta"]["recipient"] = mailbox;
        }
        links["related"] = format!("/v1/postmark/messages/{number}").into();
    }
    let customer = id(Of::Customer, conversation.requester);
    let belongs = id(Of::Conversation, conversation.id);
    let mut relations = json!({
        "customer": {"links": {"self": format!("/v1/customers/{customer}")}, "data": {"type": "customers", "id": customer}},
        "conversation": relation("conversation", &belongs),
    });
    match row.author {
        Author::Person(author) if !row.incoming => {
            relations["createdBy"] = relation("user", &id(Of::User, author));
        }
        Author::Person(_) => {}
        _ => attributes["auto"] = true.into(),
    }
    if files {
        let all = row
            .files
            .iter()
            .map(|file| json!({"type": "attachment", "id": id(Of::Attachment, file.id)}));
        relations["attachments"] = json!({"data": all.collect::<Vec<_>>()});
    }
    relations["org"] = org();
    json!({"type": "message", "id": number, "attributes": attributes, "relationships": relations, "links": links})
}

/// A note; on a customer, if it has no conversation.
pub(super) fn note(
    conversation: Option<&Conversation>,
    customer: u64,
    row: &Message,
    entry: &Entry,
    files: bool,
) -> Value {
    let attributes = json!({
        "body": text_of(row), "createdAt": millis(entry.created), "updatedAt": millis(entry.updated), "deleted": false,
        "rev": entry.rev,
    });
    let mut relations = json!({"customer": relation("customer", &id(Of::Customer, customer))});
    if let Some(conversation) = conversation {
        relations["conversation"] =
            relation("conversation", &id(Of::Conversation, conversation.id));
    }
    if let Author::Person(author) = row.author {
        relations["createdBy"] = relation("user", &id(Of::User, author));
    }
    if files {
        let all = row
            .files
            .iter()
            .map(|file| json!({"type": "attachment", "id": id(Of::Attachment, file.id)}));
        relations["attachments"] = json!({"data": all.collect::<Vec<_>>()});
    }
    resource(
        "note",
        &id(Of::Message, row.id),
        "notes",
        attributes,
        relations,
    )
}

/// A file; `bytes` is a fresh address of its content, where the caller gets one.
pub(super) fn attachment(message: &Message, file: &File, bytes: Option<String>) -> Value {
    let (own, number) = (id(Of::Message, message.id), id(Of::Attachment, file.id));
    let attributes = json!({
        "name": file.name, "contentType": file.media_type, "redacted": false,
        "contentLength": file.claimed_size.unwrap_or_else(|| file.content.len()),
    });
    let mut links = json!({"self": format!("/v1/messages/{own}/attachments/{number}")});
    if let Some(bytes) = bytes {
        links["related"] = bytes.into();
    }
    json!({
        "type": "attachment", "id": number, "attributes": attributes, "links": links,
        "relationships": {"message": relation("message", &own), "org": org()},
    })
}

/// The mail behind a message.
pub(super) fn mail_record(message: &Message) -> Value {
    let attributes =
        json!({"htmlBody": message.html, "textBody": message.text, "subject": message.subject});
    json!({"type": "postmark_message", "id": id(Of::Message, message.id), "attributes": attributes, "relationships": {}})
}

/// The resource of an index entry.
pub(super) fn entry(desk: &Desk, context: Context, entry: &Entry) -> Option<Value> {
    Some(match context {
        Context::Customer => {
            let place = desk
                .lists
                .people
                .binary_search_by_key(&entry.number, |p| p.id);
            customer(desk, desk.lists.people.get(place.ok()?)?, entry)
        }
        Context::Company => {
            let place = desk
                .lists
                .companies
                .binary_search_by_key(&entry.number, |c| c.id);
            company(desk, desk.lists.companies.get(place.ok()?)?, entry)
        }
        Context::Conversation => conversation(desk, &desk.conversation(entry.number)?, entry),
        Context::Message => {
            let (conversation, row) = desk.message(entry.number)?;
            message(desk, &conversation, &row, entry, false)
        }
        Context::Object(_) => {
            super::klasses::record(desk, &desk.world.object_record(entry.number)?, entry)
        }
        Context::Note if entry.conversation == 0 => {
            let row = desk.loose_note(entry.number)?;
            let MessageKind::Note {
                on: crate::world::NoteOn::Person(customer),
                ..
            } = row.kind
            else {
                return None;
            };
            note(None, customer, &row, entry, false)
        }
        Context::Note => {
            let (conversation, row) = desk.message(entry.number)?;
            note(
                Some(&conversation),
                conversation.requester,
                &row,
                entry,
                false,
            )
        }
    })
}
