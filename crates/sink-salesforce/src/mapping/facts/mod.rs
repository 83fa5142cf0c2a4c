//! What records say, by the names that mapping files use.

mod account;
mod article;
mod call;
mod case;
pub(crate) mod comment;
mod contact;
mod file;
mod lead;
mod mail;
mod message;
mod object;
mod statistics;

pub(crate) use account::AccountFacts;
pub(crate) use article::{ArticleFacts, ArticleLinks};
pub(crate) use call::{CallFacts, CallLinks, call_text};
pub(crate) use case::{CaseFacts, CaseLinks};
pub(crate) use comment::{CommentFacts, CommentLinks, comment_text};
pub(crate) use contact::{ContactFacts, contact_email};
pub(crate) use file::{FileFacts, file_key, file_name};
pub(crate) use lead::LeadFacts;
pub(crate) use mail::{Bodies, MailFacts, MailLinks, Recipients};
pub(crate) use message::{MessageFacts, MessageLinks};
pub(crate) use object::{ObjectFacts, PairFacts};
pub(crate) use statistics::StatisticsFacts;

use chrono::{DateTime, Utc};
use deskferry_core::model::{CustomValues, Meta};

use super::articles::ARTICLES;
use super::value::Fact;
use crate::schema::FieldKind;

/// A record as its row sees it.
pub(crate) trait Facts {
    /// What it says about one thing; `Nothing` where it says nothing or the name is none of its own.
    fn fact(&self, name: &str) -> Fact<'_>;

    /// The source's custom values.
    fn custom(&self) -> &CustomValues;
}

/// What every record and every row of it has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Common<'a> {
    pub(crate) meta: &'a Meta,
    /// The row's identity.
    pub(crate) key: &'a str,
    /// The mark of target and pass.
    pub(crate) mark: &'a str,
}

impl<'a> Common<'a> {
    pub(crate) fn fact(&self, name: &str) -> Fact<'a> {
        match name {
            "key" => Fact::text(self.key),
            "mark" => Fact::text(self.mark),
            "url" => Fact::maybe_text(self.meta.url.as_deref()),
            "created" => Fact::maybe_time(self.meta.created_at),
            "changed" => Fact::maybe_time(self.meta.updated_at),
            "modified" => Fact::maybe_time(self.modified()),
            _ => Fact::Nothing,
        }
    }

    /// The later of created and changed. Without a creation date the platform stamps both, and a change before that is refused.
    fn modified(&self) -> Option<DateTime<Utc>> {
        let created = self.meta.created_at?;
        Some(
            self.meta
                .updated_at
                .map_or(created, |changed| changed.max(created)),
        )
    }
}

/// What kind of value a fact is, to see whether a field can take it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Text,
    /// Several texts.
    Several,
    Choice(&'static [&'static str]),
    Bool,
    Number,
    Time,
    Id(&'static [&'static str]),
    Ids,
}

impl Shape {
    /// Whether fields of this kind can take it.
    pub(crate) fn fits(self, field: FieldKind) -> bool {
        let text = matches!(
            field,
            FieldKind::Text | FieldKind::LongText | FieldKind::RichText
        );
        match self {
            Self::Text => {
                text || matches!(
                    field,
                    FieldKind::Email
                        | FieldKind::Phone
                        | FieldKind::Url
                        | FieldKind::Picklist
                        | FieldKind::Other
                )
            }
            Self::Several => text || matches!(field, FieldKind::Multipicklist),
            Self::Choice(_) => text || matches!(field, FieldKind::Picklist),
            Self::Bool => text || field == FieldKind::Checkbox,
            Self::Number => text || field == FieldKind::Number,
            Self::Time => text || matches!(field, FieldKind::DateTime | FieldKind::Date),
            Self::Id(_) => text || field == FieldKind::Reference,
            Self::Ids => true,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Several => "several texts",
            Self::Choice(_) => "a choice",
            Self::Bool => "yes or no",
            Self::Number => "a number",
            Self::Time => "a date with time",
            Self::Id(_) => "a reference",
            Self::Ids => "references",
        }
    }
}

const STATUS: Shape = Shape::Choice(&[
    "new", "open", "pending", "snoozed", "resolved", "closed", "other",
]);
const PRIORITY: Shape = Shape::Choice(&["low", "normal", "high", "urgent"]);
const CHANNELS: &[&str] = &[
    "email",
    "web",
    "chat",
    "twitter",
    "facebook",
    "voice",
    "sms",
    "whatsapp",
    "instagram",
    "telegram",
    "viber",
    "line",
    "apple",
    "google",
    "api",
    "internal",
    "other",
];
const CHANNEL: Shape = Shape::Choice(CHANNELS);
const DIRECTION: Shape = Shape::Choice(&["in", "out", "internal"]);
const PERSON: Shape = Shape::Id(&["Contact", "User"]);

const COMMON: [(&str, Shape); 7] = [
    ("key", Shape::Text),
    ("mark", Shape::Text),
    ("url", Shape::Text),
    ("created", Shape::Time),
    ("changed", Shape::Time),
    ("modified", Shape::Time),
    ("leftovers", Shape::Text),
];
const ACCOUNT: &[(&str, Shape)] = &[
    ("name", Shape::Text),
    ("website", Shape::Text),
    ("phone", Shape::Text),
    ("address.street", Shape::Text),
    ("address.city", Shape::Text),
    ("address.state", Shape::Text),
    ("address.postal-code", Shape::Text),
    ("address.country", Shape::Text),
    ("domains", Shape::Text),
    ("tags", Shape::Text),
    ("tags.list", Shape::Several),
];
const CONTACT: &[(&str, Shape)] = &[
    ("name", Shape::Text),
    ("name.first", Shape::Text),
    ("name.last", Shape::Text),
    ("email", Shape::Text),
    ("email.raw", Shape::Text),
    ("emails.other", Shape::Text),
    ("phone", Shape::Text),
    ("handles", Shape::Text),
    ("title", Shape::Text),
    ("account", Shape::Id(&["Account"])),
    ("tags", Shape::Text),
    ("tags.list", Shape::Several),
    ("locale", Shape::Text),
    ("time-zone", Shape::Text),
    ("type", Shape::Text),
    ("groups", Shape::Text),
    ("address.street", Shape::Text),
    ("address.city", Shape::Text),
    ("address.state", Shape::Text),
    ("address.postal-code", Shape::Text),
    ("address.country", Shape::Text),
    ("addresses.other", Shape::Text),
];
/// What a Contact can take, but for the row of its company.
const LEAD: &[(&str, Shape)] = &[
    ("name", Shape::Text),
    ("name.first", Shape::Text),
    ("name.last", Shape::Text),
    ("company", Shape::Text),
    ("email", Shape::Text),
    ("email.raw", Shape::Text),
    ("emails.other", Shape::Text),
    ("phone", Shape::Text),
    ("handles", Shape::Text),
    ("title", Shape::Text),
    ("tags", Shape::Text),
    ("tags.list", Shape::Several),
    ("locale", Shape::Text),
    ("time-zone", Shape::Text),
    ("type", Shape::Text),
    ("groups", Shape::Text),
    ("address.street", Shape::Text),
    ("address.city", Shape::Text),
    ("address.state", Shape::Text),
    ("address.postal-code", Shape::Text),
    ("address.country", Shape::Text),
    ("addresses.other", Shape::Text),
];
const CASE: &[(&str, Shape)] = &[
    ("subject", Shape::Text),
    ("status", STATUS),
    ("status.raw", Shape::Text),
    ("priority", PRIORITY),
    ("priority.raw", Shape::Text),
    ("channel", CHANNEL),
    ("channel.name", Shape::Text),
    ("owner", Shape::Id(&["User", "Group"])),
    ("assignee.name", Shape::Text),
    ("contact", Shape::Id(&["Contact"])),
    ("account", Shape::Id(&["Account"])),
    ("requester.name", Shape::Text),
    ("requester.email", Shape::Text),
    ("parent", Shape::Id(&["Case"])),
    ("parent.key", Shape::Text),
    ("closed", Shape::Time),
    ("number", Shape::Text),
    ("type", Shape::Text),
    ("team.name", Shape::Text),
    ("tags", Shape::Text),
    ("tags.list", Shape::Several),
    ("satisfaction", Shape::Text),
    ("satisfaction.score", Shape::Number),
    ("satisfaction.at", Shape::Time),
    ("satisfaction.comment", Shape::Text),
    ("segment", Shape::Text),
    ("also-assigned", Shape::Text),
    ("also-teams", Shape::Text),
    ("first-response.at", Shape::Time),
    ("first-response.seconds", Shape::Number),
    ("resolved", Shape::Time),
    ("due", Shape::Time),
    ("breached", Shape::Bool),
    ("sla", Shape::Text),
    ("last-activity", Shape::Time),
    ("messages", Shape::Number),
    ("reopened", Shape::Number),
    ("wait.seconds", Shape::Number),
    ("handle.seconds", Shape::Number),
    ("wrap-up.seconds", Shape::Number),
];
const FILE: &[(&str, Shape)] = &[
    ("path", Shape::Text),
    ("title", Shape::Text),
    ("case", Shape::Id(&["Case"])),
];
const MAIL: &[(&str, Shape)] = &[
    ("case", Shape::Id(&["Case"])),
    ("incoming", Shape::Bool),
    ("direction", DIRECTION),
    ("from.address", Shape::Text),
    ("from.name", Shape::Text),
    ("from.person", PERSON),
    ("to.addresses", Shape::Text),
    ("cc.addresses", Shape::Text),
    ("bcc.addresses", Shape::Text),
    ("to.people", Shape::Ids),
    ("cc.people", Shape::Ids),
    ("bcc.people", Shape::Ids),
    ("subject", Shape::Text),
    ("html", Shape::Text),
    ("text", Shape::Text),
    ("sent", Shape::Time),
    ("message-id", Shape::Text),
    ("headers", Shape::Text),
    ("reply-to", Shape::Id(&["EmailMessage"])),
    ("documents", Shape::Ids),
    ("published", Shape::Bool),
];
const COMMENT: &[(&str, Shape)] = &[
    ("case", Shape::Id(&["Case"])),
    ("published", Shape::Bool),
    ("text", Shape::Text),
    ("author", Shape::Id(&["User"])),
    ("sent", Shape::Time),
];

const MESSAGE: &[(&str, Shape)] = &[
    ("case", Shape::Id(&["Case"])),
    ("direction", DIRECTION),
    ("published", Shape::Bool),
    ("channel", CHANNEL),
    ("channel.name", Shape::Text),
    ("author.name", Shape::Text),
    ("author.role", Shape::Text),
    ("author.contact", Shape::Id(&["Contact"])),
    ("author.user", Shape::Id(&["User"])),
    ("sent", Shape::Time),
    ("sequence", Shape::Number),
    ("subject", Shape::Text),
    ("text", Shape::Text),
    ("html", Shape::Text),
    ("files", Shape::Text),
    ("call.seconds", Shape::Number),
    ("call.disposition", Shape::Text),
    ("call.from", Shape::Text),
    ("call.to", Shape::Text),
    ("call.recording", Shape::Text),
];

const CALL: &[(&str, Shape)] = &[
    ("case", Shape::Id(&["Case"])),
    ("contact", Shape::Id(&["Contact"])),
    ("owner", Shape::Id(&["User"])),
    ("sort", Shape::Choice(&["call"])),
    ("state", Shape::Choice(&["done"])),
    ("direction", DIRECTION),
    ("channel.name", Shape::Text),
    ("author.name", Shape::Text),
    ("author.role", Shape::Text),
    ("sent", Shape::Time),
    ("subject", Shape::Text),
    ("text", Shape::Text),
    ("call.seconds", Shape::Number),
    ("call.disposition", Shape::Text),
    ("call.from", Shape::Text),
    ("call.to", Shape::Text),
    ("call.recording", Shape::Text),
];

const STATISTIC: &[(&str, Shape)] = &[
    ("agent", Shape::Id(&["User"])),
    ("agent.name", Shape::Text),
    ("from", Shape::Time),
    ("until", Shape::Time),
];

const ARTICLE: &[(&str, Shape)] = &[
    ("title", Shape::Text),
    ("url-name", Shape::Text),
    ("summary", Shape::Text),
    ("language", Shape::Text),
    ("locale", Shape::Text),
    ("html", Shape::Text),
    ("public", Shape::Bool),
    ("customers", Shape::Bool),
    (
        "state",
        Shape::Choice(&["draft", "published", "archived", "other"]),
    ),
    ("state.raw", Shape::Text),
    ("visibility.raw", Shape::Text),
    ("author.name", Shape::Text),
    ("tags", Shape::Text),
    ("tags.list", Shape::Several),
    ("published", Shape::Time),
];

const RECORD: &[(&str, Shape)] = &[
    ("name", Shape::Text),
    ("record", Shape::Id(&[])),
    ("other", Shape::Id(&[])),
];

/// Rows of custom objects of the source.
pub(crate) const OWN: &str = "object-record";

/// The custom object whose rows are messages.
pub(crate) const MESSAGES: &str = "Conversation_Message__c";

/// The object of people who asked for nothing, by choice.
pub(crate) const LEADS: &str = "Lead";

/// The object of calls.
pub(crate) const CALLS: &str = "Task";

/// The object of posts on cases.
pub(crate) const POSTS: &str = "FeedItem";

/// The custom object whose rows are figures of agents.
pub(crate) const STATISTICS: &str = "Agent_Stats__c";

/// Objects that can carry no key and no mark: they are known by what they say.
pub(crate) fn is_keyless(object: &str) -> bool {
    matches!(object, "CaseComment" | POSTS)
}

/// The channels, by their meaning.
pub(crate) fn channels() -> impl Iterator<Item = &'static str> + Clone {
    CHANNELS.iter().copied()
}

/// The kind of record that an object's rows are made from, as mapping files name it.
pub(crate) fn kind_of(object: &str) -> &'static str {
    match object {
        "Account" => "account",
        "Contact" | LEADS => "contact",
        "Case" => "conversation",
        "ContentVersion" => "attachment",
        "EmailMessage" | "CaseComment" | MESSAGES | CALLS | POSTS => "message",
        STATISTICS => "agent-statistics",
        ARTICLES => "article",
        _ => OWN,
    }
}

fn own(object: &str) -> &'static [(&'static str, Shape)] {
    match object {
        "Account" => ACCOUNT,
        "Contact" => CONTACT,
        LEADS => LEAD,
        "Case" => CASE,
        "ContentVersion" => FILE,
        "EmailMessage" => MAIL,
        "CaseComment" => COMMENT,
        MESSAGES => MESSAGE,
        CALLS => CALL,
        POSTS => COMMENT,
        STATISTICS => STATISTIC,
        ARTICLES => ARTICLE,
        _ => RECORD,
    }
}

fn all(object: &str) -> impl Iterator<Item = &'static (&'static str, Shape)> {
    // A comment has no field that could hold them.
    let common: &'static [(&str, Shape)] = if is_keyless(object) { &[] } else { &COMMON };
    own(object).iter().chain(common)
}

/// The names of what an object's rows can take.
pub(crate) fn names(object: &str) -> Vec<&'static str> {
    all(object).map(|(name, _)| *name).collect()
}

pub(crate) fn is_fact(object: &str, name: &str) -> bool {
    shape(object, name).is_some()
}

pub(crate) fn shape(object: &str, name: &str) -> Option<Shape> {
    if kind_of(object) == OWN && name.starts_with("relation.") {
        return Some(Shape::Id(&[]));
    }
    all(object)
        .find(|(n, _)| *n == name)
        .map(|(_, shape)| *shape)
}
