//! Which mail answers which.

use std::collections::{HashMap, HashSet};

use super::Ground;
use crate::world::{Conversation, Message};

/// The mail that each mail answers. Circles are broken at the youngest mail.
pub(super) fn parents(ground: &Ground<'_>, conversation: &Conversation) -> HashMap<u64, u64> {
    let mut by_id: HashMap<&str, u64> = HashMap::new();
    let mut mails: Vec<&Message> = conversation
        .messages
        .iter()
        .filter(|message| message.mail.is_some())
        .collect();
    mails.sort_by_key(|message| (message.sent, ground.key("message", message.id)));
    for message in &mails {
        if let Some(id) = message
            .mail
            .as_ref()
            .and_then(|mail| mail.message_id.as_deref())
        {
            by_id.entry(id).or_insert(message.id);
        }
    }
    let mut parents = HashMap::new();
    for message in &mails {
        let Some(mail) = &message.mail else { continue };
        let named = |id: Option<&String>| {
            id.and_then(|id| by_id.get(id.as_str()))
                .copied()
                .filter(|parent| *parent != message.id)
        };
        if let Some(parent) =
            named(mail.in_reply_to.first()).or_else(|| named(mail.references.last()))
        {
            parents.insert(message.id, parent);
        }
    }
    for message in mails.iter().rev() {
        let mut seen = HashSet::from([message.id]);
        let mut at = message.id;
        while let Some(parent) = parents.get(&at).copied() {
            if parent == message.id {
                parents.remove(&message.id);
                break;
            }
            if !seen.insert(parent) {
                break;
            }
            at = parent;
        }
    }
    parents
}
