//! Messages and notes (Kustomer reference, sections 3.3 and 3.4).

use deskferry_core::model::{
    Attachment, Author, AuthorRole, Body, Call, ChannelKind, CustomValue, Direction, EmailHeaders,
    Message, MessageFile, Named,
};
use deskferry_core::{RecordKey, RecordKind};
use serde_json::Value;

use super::address::{addresses, one};
use super::conversation::channel;
use super::files::attachment;
use super::{Ground, keep};
use crate::wire::{Defect, Row, parse_time, text_of};

/// What stands where a text was taken out at the source.
const REDACTED: &str = "[redacted at the source]";

const KEPT: &[&str] = &[
    "externalId",
    "app",
    "error",
    "redacted",
    "reactions",
    "source",
    "lang",
];

/// A message with its files.
#[derive(Debug)]
pub(crate) struct Converted {
    pub(crate) message: Message,
    pub(crate) attachments: Vec<Attachment>,
    /// Why no target shall load it.
    pub(crate) skip: Option<&'static str>,
}

/// What the record behind a mail says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct MailBody {
    html: Option<String>,
    text: Option<String>,
}

impl MailBody {
    /// The shape of that record is not documented: whatever member is a text under one of the likely names.
    pub(crate) fn of(row: &Row) -> Option<Self> {
        const HTML: [&str; 3] = ["htmlBody", "html", "bodyHtml"];
        const TEXT: [&str; 4] = ["textBody", "text", "bodyText", "body"];
        let first = |names: &[&str]| {
            let found = names.iter().find_map(|name| row.text(name));
            found.map(str::to_owned)
        };
        // A mail may say nothing; a record without any of these members is of another shape.
        let known = HTML.iter().chain(&TEXT).any(|name| row.names(name));
        known.then(|| Self {
            html: first(&HTML),
            text: first(&TEXT),
        })
    }
}

/// A message of a conversation. `files` are the rows beside it; `mail` is what the record behind it says, if that was read.
pub(crate) fn message(
    ground: &Ground<'_>,
    conversation: &RecordKey,
    row: &Row,
    files: &[&Row],
    mail: Option<MailBody>,
    wanted_mail: bool,
) -> Result<Converted, Defect> {
    let mut meta = ground.meta(RecordKind::Message, row, "message")?;
    let sent = row.time("sentAt")?.or(meta.created_at);
    let channel = channel(row.text("channel").unwrap_or_default());
    let is_mail = channel.is == ChannelKind::Email;
    keep(
        &mut meta.custom,
        row,
        if is_mail { &KEPT[2..] } else { KEPT },
    );
    let incoming = row.text("direction") != Some("out");
    let nothing = Value::Null;
    let aside = row.value("meta").unwrap_or(&nothing);
    for name in ["permalink", "messageType"] {
        if let Some(text) = aside.get(name).and_then(text_of) {
            let value = CustomValue::Text(text.to_owned());
            meta.custom.entry(name.to_owned()).or_insert(value);
        }
    }
    if is_mail && wanted_mail && mail.is_none() {
        meta.custom
            .insert("body_incomplete".to_owned(), CustomValue::Bool(true));
    }
    let (attachments, files) = attached(ground, conversation, row, files, sent);
    let sent_at = sent.ok_or_else(|| Defect {
        path: "attributes.sentAt".to_owned(),
        reason: "a message without a time".to_owned(),
    })?;
    let message = Message {
        conversation: conversation.clone(),
        direction: if incoming {
            Direction::In
        } else {
            Direction::Out
        },
        author: author(ground, row, incoming),
        sent_at,
        // Of two messages of one moment the one that was made first comes first.
        sequence: meta.created_at.map_or(0, |at| at.timestamp_millis()),
        subject: row
            .text("subject")
            .or_else(|| aside.get("subject").and_then(text_of))
            .filter(|_| is_mail)
            .map(str::to_owned),
        body: body(row, mail),
        email: is_mail.then(|| headers(row, aside, incoming)),
        reply_to: None,
        call: (channel.is == ChannelKind::Voice).then(|| call(aside)),
        channel,
        files,
        meta,
    };
    Ok(Converted {
        message,
        attachments,
        skip: None,
    })
}

/// A note: internal, always.
pub(crate) fn note(
    ground: &Ground<'_>,
    conversation: &RecordKey,
    row: &Row,
    files: &[&Row],
) -> Result<Converted, Defect> {
    let mut meta = ground.meta(RecordKind::Message, row, "note")?;
    keep(&mut meta.custom, row, &["externalId", "deleted", "lang"]);
    let sent_at = meta.created_at.ok_or_else(|| Defect {
        path: "attributes.createdAt".to_owned(),
        reason: "a note without a time".to_owned(),
    })?;
    let (attachments, files) = attached(ground, conversation, row, files, Some(sent_at));
    let message = Message {
        conversation: conversation.clone(),
        direction: Direction::Internal,
        channel: Named::new(ChannelKind::Internal, "note"),
        author: match row.related("createdBy") {
            Some(id) => by(ground, id),
            None => system(),
        },
        sent_at,
        sequence: sent_at.timestamp_millis(),
        subject: None,
        body: Body {
            html: None,
            text: row.text("body").map(str::to_owned),
        },
        email: None,
        reply_to: None,
        call: None,
        files,
        meta,
    };
    let skip = row.flag("deleted").then_some("deleted");
    Ok(Converted {
        message,
        attachments,
        skip,
    })
}

fn attached(
    ground: &Ground<'_>,
    conversation: &RecordKey,
    row: &Row,
    files: &[&Row],
    sent: Option<chrono::DateTime<chrono::Utc>>,
) -> (Vec<Attachment>, Vec<MessageFile>) {
    let attachments: Vec<Attachment> = files
        .iter()
        .map(|file| attachment(ground.tenant, file, conversation, row.id(), sent))
        .collect();
    let named = attachments
        .iter()
        .map(|file| MessageFile {
            key: file.meta.key.clone(),
            name: file.name.clone(),
            shown_as: None,
        })
        .collect();
    (attachments, named)
}

/// Nobody is named in what a customer wrote; what went out without a name, or by itself, is the platform's own.
fn author(ground: &Ground<'_>, row: &Row, incoming: bool) -> Author {
    if row.flag("auto") {
        return system();
    }
    match (row.related("createdBy"), incoming) {
        (Some(id), false) => by(ground, id),
        (_, true) => Author {
            key: row
                .related("customer")
                .map(|id| ground.key(RecordKind::Contact, id)),
            role: AuthorRole::Customer,
            name: String::new(),
        },
        (None, false) => system(),
    }
}

fn by(ground: &Ground<'_>, id: &str) -> Author {
    Author {
        key: Some(ground.key(RecordKind::Agent, id)),
        role: AuthorRole::Agent,
        name: String::new(),
    }
}

fn system() -> Author {
    Author {
        key: None,
        role: AuthorRole::System,
        name: "Kustomer".to_owned(),
    }
}

fn body(row: &Row, mail: Option<MailBody>) -> Body {
    if row.flag("redacted") && row.text("preview").is_none() {
        return Body {
            html: None,
            text: Some(REDACTED.to_owned()),
        };
    }
    match mail {
        Some(mail) => Body {
            html: mail.html,
            text: mail.text,
        },
        None => Body {
            html: None,
            text: row.text("preview").map(str::to_owned),
        },
    }
}

fn headers(row: &Row, aside: &Value, incoming: bool) -> EmailHeaders {
    let mut to = addresses(aside.get("to"));
    // The mailbox that received it is not always among those to whom it went.
    let mailbox = aside.get("recipient").and_then(one).filter(|_| incoming);
    if let Some(mailbox) = mailbox {
        let same = |one: &deskferry_core::model::EmailAddress| {
            one.address.eq_ignore_ascii_case(&mailbox.address)
        };
        if !to.iter().any(same) {
            to.insert(0, mailbox);
        }
    }
    let bracketed = |id: &str| match id.starts_with('<') {
        true => id.to_owned(),
        false => format!("<{id}>"),
    };
    EmailHeaders {
        from: aside.get("from").and_then(one),
        to,
        cc: addresses(aside.get("cc")),
        bcc: addresses(aside.get("bcc")),
        message_id: row.text("externalId").map(bracketed),
        in_reply_to: aside.get("inReplyTo").and_then(text_of).map(bracketed),
        references: Vec::new(),
        raw: None,
    }
}

fn call(aside: &Value) -> Call {
    let text = |name: &str| aside.get(name).and_then(text_of).map(str::to_owned);
    let at = |name: &str| aside.get(name).and_then(Value::as_str).and_then(parse_time);
    let seconds = match (at("answeredAt").or_else(|| at("placedAt")), at("endedAt")) {
        (Some(begun), Some(ended)) => u64::try_from((ended - begun).num_seconds()).ok(),
        _ => None,
    };
    Call {
        seconds,
        disposition: text("status"),
        from: text("from"),
        to: text("to"),
        recording: text("externalRecordingUrl"),
    }
}
