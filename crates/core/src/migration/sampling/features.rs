//! What there is to cover: what a record has that others may not have. Pure.

use crate::key::{RecordKey, RecordKind};
use crate::model::{Article, Contact, Conversation, Direction, Message, Meta, Record};
use crate::report::oddities;

/// What is remarkable about a record, in words that people read.
pub(super) fn of(record: &Record) -> Vec<String> {
    let mut found: Vec<String> = oddities(record);
    match record {
        Record::Conversation(one) => conversation(one, &mut found),
        Record::Message(message) => said(message, &mut found),
        Record::Attachment(file) => {
            let kind = file.media_type.as_deref().unwrap_or("unknown");
            let kind = kind.split('/').next().unwrap_or(kind);
            found.push(format!("file: {}", kind.to_lowercase()));
        }
        Record::Contact(person) => contact(person, &mut found),
        Record::Account(company) => {
            fields(RecordKind::Account, &company.meta, &mut found);
            let shapes = [
                (company.parent.is_some(), "company: below another"),
                (company.domains.len() > 1, "company: several domains"),
                (company.domains.is_empty(), "company: no domain"),
            ];
            push(&shapes, &mut found);
        }
        Record::Article(text) => article(text, &mut found),
        Record::ObjectRecord(own) => {
            let object = own.object.id();
            found.push(format!("object: {object}"));
            for field in own.meta.custom.keys() {
                found.push(format!("object {object}: field {field}"));
            }
            for relation in &own.relations {
                found.push(format!("object {object}: points by {}", relation.field));
            }
        }
        _ => {}
    }
    found
}

/// What a record cannot be loaded without, or would be poorer without.
pub(super) fn needs(record: &Record) -> Vec<RecordKey> {
    match record {
        Record::Conversation(one) => [&one.requester, &one.account, &one.parent, &one.merged_into]
            .into_iter()
            .flatten()
            .cloned()
            .collect(),
        Record::Message(message) => message.author.key.iter().cloned().collect(),
        Record::Contact(person) => person.accounts.clone(),
        Record::Account(company) => company.parent.iter().cloned().collect(),
        Record::ObjectRecord(own) => own.relations.iter().map(|r| r.to.clone()).collect(),
        _ => Vec::new(),
    }
}

fn conversation(one: &Conversation, found: &mut Vec<String>) {
    found.push(format!("channel: {}", one.channel.raw));
    found.push(format!("status: {}", one.status.raw));
    let named = [
        ("priority", one.priority.as_ref().map(|p| p.raw.as_str())),
        ("type", one.kind.as_deref()),
        ("segment", one.segment.as_deref()),
    ];
    for (what, name) in named {
        if let Some(name) = name {
            found.push(format!("{what}: {name}"));
        }
    }
    fields(RecordKind::Conversation, &one.meta, found);
    let shapes = [
        (one.parent.is_some(), "conversation: below another"),
        (
            one.merged_into.is_some(),
            "conversation: merged into another",
        ),
        (one.satisfaction.is_some(), "conversation: rated"),
        (one.assignee.is_none(), "conversation: nobody has it"),
        (
            !one.also_assigned.is_empty(),
            "conversation: several agents",
        ),
        (one.team.is_none(), "conversation: no team"),
        (one.tags.is_empty(), "conversation: no tags"),
        (one.tags.len() > 1, "conversation: several tags"),
    ];
    push(&shapes, found);
}

fn said(message: &Message, found: &mut Vec<String>) {
    found.push(format!("message: {}", message.channel.raw));
    let text = message.body.text.as_deref().unwrap_or_default();
    let html = message.body.html.as_deref().unwrap_or_default();
    let mail = message.email.as_ref();
    let shapes = [
        (message.direction == Direction::In, "message: in"),
        (message.direction == Direction::Out, "message: out"),
        (
            message.direction == Direction::Internal,
            "message: internal",
        ),
        (message.call.is_some(), "message: a call"),
        (message.reply_to.is_some(), "message: a reply"),
        (!html.is_empty(), "message: HTML"),
        (html.is_empty() && !text.is_empty(), "message: text alone"),
        (html.contains("cid:"), "message: images in the text"),
        (mail.is_some_and(|m| !m.cc.is_empty()), "message: copies"),
        (
            mail.is_some_and(|m| !m.bcc.is_empty()),
            "message: blind copies",
        ),
        (
            message.author.key.is_none(),
            "message: an author without a record",
        ),
    ];
    push(&shapes, found);
    let letters = if text.is_empty() { html } else { text };
    for script in scripts(letters) {
        found.push(format!("writing: {script}"));
    }
}

fn contact(person: &Contact, found: &mut Vec<String>) {
    fields(RecordKind::Contact, &person.meta, found);
    if let Some(locale) = &person.locale {
        found.push(format!("language: {locale}"));
    }
    for handle in &person.handles {
        found.push(format!("person: on {}", handle.network));
    }
    let shapes = [
        (person.emails.len() > 1, "person: several addresses"),
        (!person.phones.is_empty(), "person: telephone"),
        (person.accounts.is_empty(), "person: no company"),
        (person.accounts.len() > 1, "person: several companies"),
        (
            !person.name.trim().contains(' '),
            "person: one word as a name",
        ),
    ];
    push(&shapes, found);
}

fn article(text: &Article, found: &mut Vec<String>) {
    found.push(format!("article: for {}", text.visibility.raw));
    for translation in &text.translations {
        found.push(format!("article: in {}", translation.locale));
        found.push(format!("article: {}", translation.state.raw));
    }
    let shapes = [
        (text.categories.len() > 1, "article: several categories"),
        (text.categories.is_empty(), "article: no category"),
        (!text.files.is_empty(), "article: files"),
    ];
    push(&shapes, found);
}

fn fields(of: RecordKind, meta: &Meta, found: &mut Vec<String>) {
    for field in meta.custom.keys() {
        found.push(format!("{} field: {field}", of.name()));
    }
}

fn push(shapes: &[(bool, &str)], found: &mut Vec<String>) {
    let true_ones = shapes.iter().filter(|(is, _)| *is);
    found.extend(true_ones.map(|(_, name)| (*name).to_owned()));
}

/// The scripts a text is written in, as far as they are told apart by ranges of code points.
fn scripts(text: &str) -> Vec<&'static str> {
    let mut found = Vec::new();
    for letter in text.chars() {
        let script = match u32::from(letter) {
            0x41..=0x5A | 0x61..=0x7A => "Latin",
            0xC0..=0x24F => "Latin with accents",
            0x370..=0x3FF => "Greek",
            0x400..=0x52F => "Cyrillic",
            0x590..=0x5FF => "Hebrew",
            0x600..=0x77F => "Arabic",
            0x900..=0xDFF => "of India",
            0xE00..=0xE7F => "Thai",
            0x3040..=0x30FF => "Kana",
            0x3400..=0x9FFF => "Han",
            0xAC00..=0xD7AF => "Hangul",
            0x1_0000.. => "beyond the basic plane",
            _ => continue,
        };
        if !found.contains(&script) {
            found.push(script);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_written_in_the_scripts_of_its_letters() {
        for (text, expected) in [
            ("", &[][..]),
            ("12 + 3!", &[]),
            ("Grüße", &["Latin", "Latin with accents"]),
            ("Привет 日本", &["Cyrillic", "Han"]),
            ("ok 🙂", &["Latin", "beyond the basic plane"]),
        ] {
            assert_eq!(scripts(text), expected, "{text}");
        }
    }
}
