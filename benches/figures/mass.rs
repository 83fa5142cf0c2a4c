//! Mails of a kibibyte, as a helpdesk would serve them: made up, but with words, so that they compress as words do.

use chrono::{DateTime, Utc};
use deskferry::model::{
    Author, AuthorRole, Body, ChannelKind, Direction, EmailAddress, EmailHeaders, Message, Meta,
    Named,
};
use deskferry::{RecordKind, Tenant};
use serde::Deserialize;

use super::table::Dice;

/// An author of whom nothing is known but the name.
pub(crate) fn nobody() -> Author {
    Author {
        key: None,
        role: AuthorRole::Customer,
        name: "Ann Example".into(),
    }
}

/// How many messages a conversation has.
pub(crate) const PER_CONVERSATION: u64 = 6;

pub(crate) fn tenant() -> Tenant {
    Tenant::new("kayako", "acme")
}

const WORDS: [&str; 48] = [
    "invoice",
    "please",
    "the",
    "printer",
    "on",
    "third",
    "floor",
    "again",
    "shows",
    "error",
    "after",
    "update",
    "of",
    "last",
    "week",
    "we",
    "cannot",
    "reach",
    "our",
    "account",
    "since",
    "Monday",
    "could",
    "you",
    "check",
    "whether",
    "order",
    "was",
    "sent",
    "to",
    "right",
    "address",
    "thank",
    "for",
    "your",
    "help",
    "with",
    "this",
    "matter",
    "regards",
    "attached",
    "find",
    "picture",
    "device",
    "serial",
    "number",
    "replacement",
    "warranty",
];

fn words(dice: &mut Dice, bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 16);
    while text.len() < bytes {
        if dice.below(8) == 0 {
            text.push_str(&dice.below(1_000_000).to_string());
        } else {
            text.push_str(WORDS[usize::try_from(dice.below(48)).unwrap_or(0)]);
        }
        text.push(' ');
    }
    text.trim_end().to_owned()
}

/// The HTML of a mail of about a kibibyte; a picture when there is an address for it.
pub(crate) fn html(dice: &mut Dice, picture: Option<&str>) -> String {
    let picture = picture.map_or(String::new(), |address| {
        format!("<p><img alt=\"\" src=\"{address}\"></p>")
    });
    format!(
        "<div dir=\"ltr\"><p>Hello,</p><p>{}</p><p>{} <a href=\"https://example.org/orders/{}\">order</a></p>{picture}\
         <p>Kind regards<br>Ann</p></div>",
        words(dice, 320),
        words(dice, 320),
        dice.below(1_000_000),
    )
}

/// One message as a platform's JSON.
pub(crate) fn wire(dice: &mut Dice, id: u64) -> String {
    let conversation = id / PER_CONVERSATION + 1;
    let customer = dice.below(50_000);
    serde_json::json!({
        "id": id,
        "case": {"id": conversation, "resource_type": "case"},
        "subject": words(dice, 40),
        "contents": html(dice, None),
        "creator": {"id": customer, "full_name": "Ann Example", "resource_type": "user"},
        "source_channel": {"type": "MAIL", "character_set": null},
        "is_requester": true,
        "email": {
            "from": format!("ann{customer}@example.org"),
            "to": ["help@acme.example"],
            "message_id": format!("<{id}.{}@example.org>", dice.next()),
            "in_reply_to": (!id.is_multiple_of(PER_CONVERSATION)).then(|| format!("<{}@example.org>", id - 1)),
        },
        "created_at": "2024-05-06T07:08:09+00:00",
        "updated_at": "2024-05-06T07:08:09+00:00",
        "resource_type": "post",
    })
    .to_string()
}

#[derive(Deserialize)]
struct Wire {
    id: u64,
    case: Linked,
    subject: Option<String>,
    contents: Option<String>,
    creator: Person,
    source_channel: Channel,
    is_requester: bool,
    email: Mail,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

#[derive(Deserialize)]
struct Linked {
    id: u64,
}

#[derive(Deserialize)]
struct Person {
    id: u64,
    full_name: String,
}

#[derive(Deserialize)]
struct Channel {
    r#type: String,
}

#[derive(Deserialize)]
struct Mail {
    from: String,
    to: Vec<String>,
    message_id: Option<String>,
    in_reply_to: Option<String>,
}

/// Decodes a message and makes a record of it, as a source does.
pub(crate) fn convert(json: &str) -> Message {
    let wire: Wire = serde_json::from_str(json).expect("we wrote it");
    let tenant = tenant();
    let mut meta = Meta::new(tenant.key(RecordKind::Message, wire.id));
    meta.created_at = Some(wire.created_at);
    meta.updated_at = Some(wire.updated_at);
    let address = |address: String| EmailAddress {
        address,
        name: String::new(),
    };
    Message {
        call: None,
        meta,
        conversation: tenant.key(RecordKind::Conversation, wire.case.id),
        direction: Direction::In,
        channel: Named::new(ChannelKind::Email, wire.source_channel.r#type),
        author: Author {
            key: Some(tenant.key(RecordKind::Contact, wire.creator.id)),
            role: if wire.is_requester {
                AuthorRole::Customer
            } else {
                AuthorRole::Agent
            },
            name: wire.creator.full_name,
        },
        sent_at: wire.created_at,
        sequence: wire.id.cast_signed(),
        subject: wire.subject,
        body: Body {
            html: wire.contents,
            text: None,
        },
        email: Some(EmailHeaders {
            from: Some(address(wire.email.from)),
            to: wire.email.to.into_iter().map(address).collect(),
            message_id: wire.email.message_id,
            in_reply_to: wire.email.in_reply_to,
            ..EmailHeaders::default()
        }),
        reply_to: None,
        files: Vec::new(),
    }
}
