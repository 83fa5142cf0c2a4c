//! The history of a case, and notes on people and organisations (Kayako reference, section 8).

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use deskferry_core::model::{
    Author, AuthorRole, Body, ChannelKind, Direction, Message, Meta, Named,
};
use deskferry_core::{RecordKind, Tenant};
use serde::Deserialize;

use super::Person;
use crate::wire::{Raw, Ref, lenient, reference};

/// An entry of a case's history.
#[derive(Debug, Deserialize)]
pub(crate) struct Event {
    #[serde(deserialize_with = "lenient::id")]
    pub(crate) id: u64,
    #[serde(default, deserialize_with = "lenient::text")]
    verb: String,
    #[serde(default, deserialize_with = "lenient::text")]
    activity: String,
    #[serde(default, deserialize_with = "lenient::text")]
    summary: String,
    #[serde(default, deserialize_with = "lenient::object")]
    actor: Option<Actor>,
    #[serde(default, deserialize_with = "lenient::list")]
    actions: Vec<Action>,
    #[serde(default, deserialize_with = "lenient::time")]
    created_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Default, Deserialize)]
struct Actor {
    #[serde(default, deserialize_with = "lenient::text")]
    name: String,
    #[serde(default, deserialize_with = "lenient::text")]
    title: String,
    #[serde(default, deserialize_with = "lenient::text")]
    full_title: String,
    #[serde(default, deserialize_with = "reference")]
    original: Option<Ref>,
}

#[derive(Debug, Default, Deserialize)]
struct Action {
    #[serde(default, deserialize_with = "lenient::text")]
    field: String,
    #[serde(default, deserialize_with = "lenient::value")]
    old_value: String,
    #[serde(default, deserialize_with = "lenient::value")]
    new_value: String,
}

impl Event {
    /// Whether it tells more than the messages do: that somebody wrote one, looked or searched is no history.
    pub(crate) fn is_told(&self) -> bool {
        let verb = self.verb.to_ascii_uppercase();
        !matches!(verb.as_str(), "POST" | "REPLY" | "VIEW" | "SEARCH")
    }

    /// The user who did it.
    pub(crate) fn by(&self) -> Option<&Ref> {
        let original = self.actor.as_ref()?.original.as_ref()?;
        original.user().map(|_| original)
    }

    /// What happened, in words.
    fn words(&self) -> String {
        let summary = without_marks(&self.summary);
        let first = match (summary.trim(), self.activity.replace('_', " ")) {
            ("", activity) if activity.trim().is_empty() => self.verb.to_lowercase(),
            ("", activity) => activity,
            (summary, _) => summary.to_owned(),
        };
        let changes = self.actions.iter().filter(|one| !one.field.is_empty());
        let changes = changes.map(|one| {
            let (was, is) = (one.old_value.trim(), one.new_value.trim());
            let field = one.field.replace('_', " ");
            match (was, is) {
                ("", "") => field,
                ("", is) => format!("{field}: {is}"),
                (was, "") => format!("{field}: no longer {was}"),
                (was, is) => format!("{field}: {was} → {is}"),
            }
        });
        let lines: Vec<String> = std::iter::once(first).chain(changes).collect();
        lines.join("\n")
    }
}

/// `<@address|name>` as the name.
fn without_marks(text: &str) -> String {
    let (mut plain, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(start) = rest.find("<@") {
        plain.push_str(&rest[..start]);
        let Some(end) = rest[start..].find('>') else {
            return plain + &rest[start..];
        };
        let mark = &rest[start + 2..start + end];
        plain.push_str(mark.split_once('|').map_or(mark, |(_, name)| name));
        rest = &rest[start + end + 1..];
    }
    plain + rest
}

/// An entry as a message that customers never see.
pub(crate) fn event(
    tenant: &Tenant,
    case: u64,
    event: &Event,
    people: &HashMap<u64, Person>,
) -> Message {
    let key = tenant.key(RecordKind::Message, format!("activity-{case}-{}", event.id));
    let sent_at = event.created_at.unwrap_or_default();
    let mut meta = Meta::new(key);
    meta.created_at = event.created_at;
    meta.updated_at = event.created_at;
    let actor = event.actor.as_ref();
    let name = actor.and_then(|actor| {
        let names = [&actor.full_title, &actor.title, &actor.name];
        names.into_iter().find(|name| !name.trim().is_empty())
    });
    let user = event.by().and_then(Ref::user);
    let is = user.and_then(|id| people.get(&id));
    Message {
        meta,
        conversation: tenant.key(RecordKind::Conversation, case),
        direction: Direction::Internal,
        channel: Named::new(ChannelKind::Internal, "ACTIVITY"),
        author: Author {
            key: user.and_then(|id| is?.key(tenant, id)),
            role: match is {
                Some(Person::Agent) => AuthorRole::Agent,
                Some(Person::Contact) => AuthorRole::Customer,
                Some(Person::Unknown) | None => AuthorRole::System,
            },
            name: name.cloned().unwrap_or_default(),
        },
        sent_at,
        sequence: i64::try_from(event.id).unwrap_or(i64::MAX),
        subject: None,
        body: Body {
            html: None,
            text: Some(event.words()),
        },
        email: None,
        call: None,
        reply_to: None,
        files: Vec::new(),
    }
}

/// A note on somebody.
#[derive(Debug, Deserialize)]
pub(crate) struct Note {
    #[serde(default, deserialize_with = "lenient::some_text")]
    body_text: Option<String>,
    #[serde(default, deserialize_with = "lenient::some_text")]
    resource_url: Option<String>,
    #[serde(default, deserialize_with = "reference")]
    parent: Option<Ref>,
    #[serde(default, deserialize_with = "reference")]
    creator: Option<Ref>,
    #[serde(default, deserialize_with = "lenient::list")]
    attachments: Vec<Raw>,
    #[serde(default, deserialize_with = "lenient::time")]
    created_at: Option<DateTime<Utc>>,
}

impl Note {
    /// Whether it stands there itself: the notes of a person's organisation are shown with the person's.
    fn stands_on(&self, path: &str) -> bool {
        let address = self.resource_url.as_deref().unwrap_or_default();
        let parent = self.parent.as_ref().map(|parent| &*parent.resource_type);
        match (parent, path) {
            (Some("user" | "user_minimal"), path) => path == "users",
            (Some("organization"), path) => path == "organizations",
            _ => address.is_empty() || address.contains(&format!("/{path}/")),
        }
    }
}

/// Notes as one text, the oldest first; nothing where there are none.
pub(crate) fn notes(path: &str, mut all: Vec<Note>) -> Option<String> {
    all.retain(|note| note.stands_on(path));
    all.sort_by_key(|note| note.created_at);
    let one = |note: Note| {
        let at = note.created_at.map(|at| at.format("%Y-%m-%d %H:%M UTC"));
        let by = note.creator.as_ref().map(|by| match &by.full_name {
            Some(name) => name.clone(),
            None => format!("user {}", by.id.as_deref().unwrap_or("?")),
        });
        let head: Vec<String> = at.map(|at| at.to_string()).into_iter().chain(by).collect();
        let files = match note.attachments.len() {
            0 => String::new(),
            files => format!("\n({files} files stay in the helpdesk)"),
        };
        let text = note.body_text.unwrap_or_default();
        format!("{}: {}{files}", head.join(", "), text.trim())
    };
    let told: Vec<String> = all.into_iter().map(one).collect();
    (!told.is_empty()).then(|| told.join("\n\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: serde_json::Value) -> Event {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn an_event_is_told_in_words_with_what_it_changed() {
        for (row, words) in [
            (
                json!({"id": 1, "summary": "<@https://a.example/u/1|Anna> took over"}),
                "Anna took over",
            ),
            (
                json!({"id": 1, "activity": "update_case", "actions": [
                    {"field": "status", "old_value": "Open", "new_value": "Pending"},
                    {"field": "assigned_team", "old_value": null, "new_value": 4},
                    {"field": "priority", "old_value": "High", "new_value": ""},
                ]}),
                "update case\nstatus: Open → Pending\nassigned team: 4\npriority: no longer High",
            ),
            (json!({"id": 1, "verb": "TRASH"}), "trash"),
            (json!({"id": 1, "summary": "a <@b"}), "a <@b"),
        ] {
            assert_eq!(read(row).words(), words);
        }
    }

    #[test]
    fn what_messages_tell_already_is_no_history() {
        for (verb, told) in [
            ("CREATE", true),
            ("update", true),
            ("REPLY", false),
            ("view", false),
        ] {
            assert_eq!(
                read(json!({"id": 1, "verb": verb})).is_told(),
                told,
                "{verb}"
            );
        }
    }

    #[test]
    fn notes_are_one_text_without_those_of_the_organisation() {
        let note = |at: &str, on: &str, text: &str| {
            serde_json::from_value::<Note>(json!({
                "body_text": text, "created_at": at, "creator": {"id": 3, "full_name": "Anna", "resource_type": "user_minimal"},
                "parent": {"id": 9, "resource_type": on},
            }))
            .unwrap()
        };
        let all = || {
            vec![
                note("2023-02-01T00:00:00+00:00", "user", "second"),
                note("2023-01-01T00:00:00+00:00", "user", "first"),
                note(
                    "2023-01-01T00:00:00+00:00",
                    "organization",
                    "of the company",
                ),
            ]
        };
        assert_eq!(
            notes("users", all()).unwrap(),
            "2023-01-01 00:00 UTC, Anna: first\n\n2023-02-01 00:00 UTC, Anna: second"
        );
        assert!(
            notes("organizations", all())
                .unwrap()
                .contains("of the company")
        );
        assert_eq!(notes("users", Vec::new()), None);
    }
}
