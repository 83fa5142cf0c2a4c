//! Posts: what they say, who says it and to whom (Kayako reference, section 8).

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use deskferry_core::model::{
    Attachment, Author, AuthorRole, Body, ChannelKind, Direction, Message, Named,
};
use deskferry_core::source::Reject;
use deskferry_core::{RecordKey, RecordKind, Tenant};

use super::email::email;
use super::{Frame, Person, Threading, case, files};
use crate::wire::{Defect, Original, Post, Raw, Ref};

/// Where a post stands.
pub(crate) struct Place<'a> {
    pub(crate) tenant: &'a Tenant,
    /// Scheme, host and port of the instance.
    pub(crate) root: &'a str,
    pub(crate) case: u64,
    /// Whether the case was merged into another one, which then has this post too.
    pub(crate) merged: bool,
}

impl Place<'_> {
    pub(crate) fn conversation(&self) -> RecordKey {
        self.tenant.key(RecordKind::Conversation, self.case)
    }

    /// Of two readings the higher one counts: the same post in the conversation that goes on never loses against that of
    /// a merged case, whichever was read first.
    pub(super) fn revision(&self, changed: DateTime<Utc>) -> i64 {
        if self.merged { 0 } else { changed.timestamp() }
    }
}

/// What became of a post.
#[derive(Debug)]
pub(crate) struct Converted {
    pub(crate) message: Message,
    pub(crate) attachments: Vec<Attachment>,
    pub(crate) rejects: Vec<Reject>,
    /// Why no target shall load it.
    pub(crate) skip: Option<&'static str>,
}

/// The original that counts: a shadow post's is that of the post behind it.
fn shown(post: &Post) -> (&Post, Option<&Original>) {
    match post.original.as_ref() {
        Some(Original {
            original_post: Some(behind),
            ..
        }) => shown(behind),
        original => (post, original),
    }
}

fn creator(post: &Post) -> Option<&Ref> {
    let (post, original) = shown(post);
    let inner = |pick: fn(&Original) -> Option<&Ref>| original.and_then(pick);
    post.creator
        .as_ref()
        .or_else(|| inner(|o| o.creator.as_ref()))
        .or_else(|| inner(|o| o.from.as_ref()))
        .or_else(|| inner(|o| o.user.as_ref()))
}

/// The users whose record must be known before the post can be converted.
pub(crate) fn users_of(post: &Post) -> Option<&Ref> {
    creator(post).filter(|reference| reference.user().is_some())
}

fn type_of(original: Option<&Original>) -> &str {
    original.map_or("", |original| &original.resource_type)
}

fn is_note(post: &Post) -> bool {
    let (post, original) = shown(post);
    let of_notes = post
        .source_channel
        .as_ref()
        .is_some_and(|channel| channel.kind.eq_ignore_ascii_case("NOTE"));
    of_notes || matches!(type_of(original), "note" | "activity")
}

/// By what way a post travelled. What an agent wrote elsewhere but Kayako sent by mail is mail.
fn channel(post: &Post) -> Named<ChannelKind> {
    let (post, original) = shown(post);
    let raw = post
        .source_channel
        .as_ref()
        .map_or("", |channel| &channel.kind);
    let kind = type_of(original);
    if is_note(post) {
        return Named::new(
            ChannelKind::Internal,
            if raw.is_empty() { "NOTE" } else { raw },
        );
    }
    if kind == "case_message" && post.destination_medium.eq_ignore_ascii_case("MAIL") {
        return Named::new(
            ChannelKind::Email,
            if raw.is_empty() { "MAIL" } else { raw },
        );
    }
    if !raw.is_empty() {
        return case::channel(raw);
    }
    let has_mailbox = original.is_some_and(|original| original.mailbox.is_some());
    let is = match kind {
        "case_message" if has_mailbox => ChannelKind::Email,
        "chat_message" => ChannelKind::Chat,
        "twitter_tweet" | "twitter_message" => ChannelKind::Twitter,
        kind if kind.starts_with("facebook_") => ChannelKind::Facebook,
        _ => ChannelKind::Other,
    };
    Named::new(is, "")
}

/// Whether Kayako may have the original of a mail for it.
pub(crate) fn wants_original(post: &Post) -> bool {
    channel(post).is == ChannelKind::Email
}

/// A note on a person or a company shows up in their conversations too. It is told by its parent or its address.
fn stands_elsewhere(original: Option<&Original>) -> bool {
    let Some(original) = original else {
        return false;
    };
    let parent = original
        .parent
        .as_ref()
        .map_or("", |parent| &parent.resource_type);
    let address = original.resource_url.as_deref().unwrap_or_default();
    matches!(parent, "user" | "user_minimal" | "organization")
        || ["/users/", "/organizations/"]
            .iter()
            .any(|path| address.contains(path) && address.contains("/notes"))
}

/// A post as a message with its files.
///
/// `people` says what the users of [`users_of`] are; `threading` comes from the original of a mail, where it was read.
pub(crate) fn message(
    place: &Place<'_>,
    outer: &Post,
    people: &HashMap<u64, Person>,
    threading: Option<Threading>,
) -> Result<Converted, Defect> {
    let (post, original) = shown(outer);
    let sent_at = sent(outer, post, original)?;
    let (author, direction) = author(place, outer, people);
    let channel = channel(outer);
    let body = body(post, original);
    let skip = stands_elsewhere(original).then_some("note-on-person");
    // What is not loaded needs no bytes.
    let files = match skip {
        None => files::files(
            place,
            outer.id,
            sent_at,
            attached(post, original),
            body.html.as_deref(),
        ),
        Some(_) => files::Files::default(),
    };
    let is_mail = channel.is == ChannelKind::Email && direction != Direction::Internal;
    let frame = Frame {
        key: place.tenant.key(RecordKind::Message, outer.id),
        url: outer.resource_url.as_deref(),
        created_at: Some(sent_at),
        updated_at: outer.updated_at,
        legacy_id: None,
    };
    let mut meta = frame.meta();
    meta.revision = Some(place.revision(outer.updated_at.unwrap_or(sent_at)));
    let message = Message {
        call: None,
        meta,
        conversation: place.conversation(),
        direction,
        channel,
        author,
        sent_at,
        sequence: i64::try_from(outer.id).unwrap_or(i64::MAX),
        subject: subject(post, original),
        body,
        email: is_mail.then(|| email(post, original, direction, threading)),
        reply_to: None,
        files: files.shown,
    };
    Ok(Converted {
        message,
        attachments: files.records,
        rejects: files.rejects,
        skip,
    })
}

fn sent(outer: &Post, post: &Post, original: Option<&Original>) -> Result<DateTime<Utc>, Defect> {
    outer
        .created_at
        .or(post.created_at)
        .or_else(|| original.and_then(|original| original.created_at))
        .ok_or_else(|| Defect {
            path: "created_at".to_owned(),
            reason: "a post without a time has no place in its conversation".to_owned(),
        })
}

fn attached<'a>(post: &'a Post, original: Option<&'a Original>) -> &'a [Raw] {
    original
        .map(|original| original.attachments.as_slice())
        .filter(|list| !list.is_empty())
        .unwrap_or(&post.attachments)
}

/// Only messages have a subject of their own; that of a chat or tweet repeats its text.
fn subject(post: &Post, original: Option<&Original>) -> Option<String> {
    let original = original.filter(|original| original.resource_type == "case_message")?;
    original.subject.clone().or_else(|| post.subject.clone())
}

/// The words, where the type of the original keeps them; else the plain rendering of the post.
fn body(post: &Post, original: Option<&Original>) -> Body {
    let text = |text: Option<&String>| Body {
        html: None,
        text: text.cloned(),
    };
    let body = match original {
        None => Body::default(),
        Some(o) => match o.resource_type.as_str() {
            "case_message" | "note" => Body {
                html: o.body_html.clone(),
                text: o.body_text.clone(),
            },
            "chat_message" => text(o.text.as_ref()),
            "activity" => text(o.summary.as_ref()),
            kind if kind.starts_with("twitter_") || kind.starts_with("facebook_") => {
                text(o.contents.as_ref())
            }
            _ => Body::default(),
        },
    };
    if body.html.is_none() && body.text.is_none() {
        text(post.contents.as_ref())
    } else {
        body
    }
}

/// Who wrote it and which way it went.
///
/// Notes are internal, always. Otherwise: the requester and other customers write in, agents write out, whichever role an
/// agent who is the requester has. What a rule or the platform wrote went out if it has a form that customers see (a
/// message, a chat, a post on a network), and is internal if its form is not known.
fn author(place: &Place<'_>, outer: &Post, people: &HashMap<u64, Person>) -> (Author, Direction) {
    let (post, original) = shown(outer);
    let is_requester = outer.is_requester == Some(true) || post.is_requester == Some(true);
    let reference = creator(outer);
    let user = reference.and_then(Ref::user);
    let person = user.map(|id| people.get(&id).copied().unwrap_or(Person::Unknown));
    let outward = match (is_note(post), is_requester, person) {
        (true, ..) => Direction::Internal,
        (_, true, _) | (_, _, Some(Person::Contact)) => Direction::In,
        (_, _, Some(Person::Agent)) => Direction::Out,
        // A user who is gone: what they wrote in Kayako's own page or sent from it was an agent's.
        (_, _, Some(Person::Unknown)) => {
            let sent =
                post.source.eq_ignore_ascii_case("AGENT") || !post.destination_medium.is_empty();
            if sent { Direction::Out } else { Direction::In }
        }
        (_, _, None) if is_public(type_of(original)) => Direction::Out,
        (_, _, None) => Direction::Internal,
    };
    let role = match person {
        Some(Person::Agent) => AuthorRole::Agent,
        Some(Person::Contact) => AuthorRole::Customer,
        Some(Person::Unknown) if outward == Direction::In => AuthorRole::Customer,
        Some(Person::Unknown) => AuthorRole::Agent,
        None if is_requester => AuthorRole::Customer,
        None => AuthorRole::System,
    };
    let key = user
        .zip(person)
        .and_then(|(id, person)| person.key(place.tenant, id));
    let written = written_name(reference, original);
    let name = match (written, user, person) {
        (Some(name), ..) => name,
        (None, Some(id), Some(Person::Unknown)) => format!("Unknown user {id}"),
        (None, None, _) => rule_name(reference),
        _ => String::new(),
    };
    (Author { key, role, name }, outward)
}

/// Whether customers see what has this form.
fn is_public(kind: &str) -> bool {
    matches!(kind, "case_message" | "chat_message")
        || kind.starts_with("twitter_")
        || kind.starts_with("facebook_")
}

/// The author's name as the post itself has it.
fn written_name(reference: Option<&Ref>, original: Option<&Original>) -> Option<String> {
    let original = original?;
    let name = original
        .fullname
        .clone()
        .or_else(|| original.full_name.clone());
    name.or_else(|| reference.and_then(|r| r.full_name.clone()))
        .or_else(|| original.from.as_ref()?.full_name.clone())
}

/// The name of what is no person: `Trigger 3`.
fn rule_name(reference: Option<&Ref>) -> String {
    let Some(reference) = reference else {
        return String::new();
    };
    if let Some(title) = &reference.title {
        return title.clone();
    }
    let mut letters = reference.resource_type.chars();
    let kind: String = letters
        .next()
        .map(|first| first.to_ascii_uppercase())
        .into_iter()
        .chain(letters)
        .collect();
    format!(
        "{} {}",
        kind.replace('_', " "),
        reference.id.as_deref().unwrap_or_default()
    )
    .trim()
    .to_owned()
}
