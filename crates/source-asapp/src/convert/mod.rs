//! Reduced rows to canonical records: pure functions, no I/O.

mod lookup;
mod messaging;
mod people;
mod segment;
mod services;

pub(crate) use lookup::{Lookup, sort_of};
pub(crate) use people::{agent, customer, statistics};
pub(crate) use segment::Segments;

use chrono::{DateTime, Utc};
use deskferry_core::model::{
    Author, AuthorRole, Body, Call, ChannelKind, Conversation, CustomValue, CustomValues,
    Direction, Message, Meta, Named,
};
use deskferry_core::{RecordKey, RecordKind, Tenant};

use crate::reduce::{Group, Origin};
use crate::side::Side;
use crate::tables::Family;
use crate::wire::Row;

/// What conversions look into.
#[derive(Clone, Copy)]
pub(crate) struct Ground<'a> {
    pub(crate) tenant: &'a Tenant,
    pub(crate) lookup: &'a Lookup,
    pub(crate) customers: &'a Side,
    pub(crate) agents: &'a Side,
    pub(crate) recordings: &'a Side,
    pub(crate) segments: &'a Segments,
    /// Conversations of AI services have no end: quiet for so long is over.
    pub(crate) quiet_before: DateTime<Utc>,
}

/// What became of the rows of one conversation.
#[derive(Clone, Debug)]
pub(crate) struct Converted {
    pub(crate) conversation: Conversation,
    pub(crate) messages: Vec<Message>,
    /// Why people must look at it before it is loaded: a slug.
    pub(crate) doubt: Option<&'static str>,
    /// Rows that could not be used: where they came from, and why.
    pub(crate) refused: Vec<(Origin, RecordKind, String, String)>,
}

/// The conversation of a group of rows.
pub(crate) fn conversation(ground: &Ground<'_>, group: &Group) -> Converted {
    match group.family {
        Family::Messaging => messaging::conversation(ground, group),
        Family::Services => services::conversation(ground, group),
    }
}

/// The key of a person: ids of the two families mean different people.
pub(crate) fn person_key(tenant: &Tenant, kind: RecordKind, family: Family, id: &str) -> RecordKey {
    match family {
        Family::Messaging => tenant.key(kind, id),
        Family::Services => tenant.key(kind, format!("ai-{id}")),
    }
}

/// The parsed rows of a table; those that cannot be parsed were refused when they were reduced.
fn rows<'a>(group: &'a Group, tag: u8) -> impl Iterator<Item = (Row, Origin)> + 'a {
    group
        .of(tag)
        .filter_map(|row| Some((Row::parse(&row.line).ok()?, row.origin)))
}

fn row(group: &Group, tags: &[u8]) -> Option<(Row, bool)> {
    tags.iter().find_map(|tag| {
        let row = group.of(*tag).next()?;
        Some((Row::parse(&row.line).ok()?, row.claimed_twice))
    })
}

/// Columns of every table that name the tenant or the window, and twins that nobody should use any more (ASAPP reference,
/// section 3.4).
const EVERYWHERE: &[&str] = &[
    "issue_id",
    "conversation_id",
    "company_id",
    "company_name",
    "company_marker",
    "instance_ts",
    "dt",
    "hr",
    "agent_id",
    "first_agent_id",
    "last_agent_id",
    "external_agent_id",
    "crm_agent_id",
    "agent_status",
    "sequence_id",
    "sent_to_agent",
    "trigger_link",
];

/// Keeps what the model has no field for; a value that is there stays.
fn keep_rest(custom: &mut CustomValues, row: &Row, taken: &[&str]) {
    for column in row.0.keys() {
        if taken.contains(&column.as_str())
            || EVERYWHERE.contains(&column.as_str())
            || custom.contains_key(column)
        {
            continue;
        }
        if let Some(value) = row.custom(column) {
            custom.insert(column.clone(), value);
        }
    }
}

/// Several rows as a list of objects, without what stands everywhere.
fn keep_list(custom: &mut CustomValues, name: &str, rows: impl Iterator<Item = Row>) {
    let list: Vec<_> = rows
        .map(|mut row| {
            row.0.retain(|column, value| {
                let empty = value.is_null()
                    || value
                        .as_str()
                        .is_some_and(|text| crate::wire::meant(text).is_none());
                !empty && !EVERYWHERE.contains(&column.as_str())
            });
            serde_json::Value::Object(row.0)
        })
        .collect();
    if !list.is_empty() {
        custom.insert(name.to_owned(), CustomValue::Json(list.into()));
    }
}

/// How a conversation began, by the platform's word (ASAPP reference, sections 3.4 and 4.4). Where a chat was held (a page, an app) is
/// kept beside it: `web` would be taken for a form.
fn channel(
    platform: Option<String>,
    is_voice: bool,
    custom: &mut CustomValues,
) -> Named<ChannelKind> {
    let word = platform.as_deref().unwrap_or("").to_ascii_lowercase();
    let kind = match word.as_str() {
        _ if is_voice => ChannelKind::Voice,
        word if word.starts_with("voice") => ChannelKind::Voice,
        "sms" => ChannelKind::Sms,
        "wab" | "whatsapp" => ChannelKind::Whatsapp,
        "applebiz" => ChannelKind::Apple,
        "gbm" | "googlebiz" => ChannelKind::Google,
        "" | "web" | "ios" | "android" | "app" | "chat" | "local" => ChannelKind::Chat,
        _ => ChannelKind::Other,
    };
    let raw = match kind {
        ChannelKind::Chat => "chat".to_owned(),
        _ => platform.clone().unwrap_or_else(|| "voice".to_owned()),
    };
    if let Some(platform) = platform {
        custom.insert("platform".to_owned(), CustomValue::Text(platform));
    }
    Named::new(kind, raw)
}

/// One line for a subject.
fn subject(text: &str) -> String {
    const LONGEST: usize = 255;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        None => line,
        Some((end, _)) => line[..end].to_owned(),
    }
}

/// A message before it has its place.
struct Said {
    id: String,
    direction: Direction,
    author: Author,
    at: DateTime<Utc>,
    text: String,
    call: Option<Call>,
    custom: CustomValues,
}

fn nobody(role: AuthorRole, name: &str) -> Author {
    Author {
        key: None,
        role,
        name: name.to_owned(),
    }
}

fn known(role: AuthorRole, key: RecordKey) -> Author {
    Author {
        key: Some(key),
        role,
        name: String::new(),
    }
}

/// Messages in the order in which they were said.
fn placed(
    tenant: &Tenant,
    conversation: &RecordKey,
    channel: &Named<ChannelKind>,
    mut said: Vec<Said>,
) -> Vec<Message> {
    said.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
    (0_i64..)
        .zip(said)
        .map(|(sequence, said)| {
            let mut meta = Meta::new(tenant.key(RecordKind::Message, &said.id));
            meta.created_at = Some(said.at);
            meta.custom = said.custom;
            Message {
                meta,
                conversation: conversation.clone(),
                direction: said.direction,
                channel: channel.clone(),
                author: said.author,
                sent_at: said.at,
                sequence,
                subject: None,
                body: Body {
                    html: None,
                    text: Some(said.text).filter(|text| !text.is_empty()),
                },
                email: None,
                reply_to: None,
                files: Vec::new(),
                call: said.call,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests;
