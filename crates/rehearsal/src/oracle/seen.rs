//! A world as a platform shows it.

use std::borrow::Cow;

use super::Platform;
use crate::world::{
    CaseType, Conversation, FieldDefinition, Lists, Mailbox, Person, Priority, Status, Team, World,
};

/// A world through a platform's eyes.
pub(super) struct Seen<'a> {
    world: &'a World,
    lists: Cow<'a, Lists>,
    pub(super) platform: &'a dyn Platform,
}

impl<'a> Seen<'a> {
    pub(super) fn new(world: &'a World, platform: &'a dyn Platform) -> Self {
        Self {
            world,
            lists: platform.lists(world.lists()),
            platform,
        }
    }

    pub(super) fn lists(&self) -> &Lists {
        &self.lists
    }

    pub(super) fn conversations(&self) -> impl Iterator<Item = Conversation> {
        self.world.conversations().map(|conversation| {
            self.platform
                .conversation(&self.lists, conversation.into_owned())
        })
    }

    pub(super) fn person(&self, id: u64) -> Option<&Person> {
        find(&self.lists.people, id, |person| person.id)
    }

    pub(super) fn team(&self, id: u64) -> Option<&Team> {
        find(&self.lists.teams, id, |team| team.id)
    }

    pub(super) fn mailbox(&self, id: u64) -> Option<&Mailbox> {
        find(&self.lists.mailboxes, id, |mailbox| mailbox.id)
    }

    pub(super) fn status(&self, id: u64) -> Option<&Status> {
        find(&self.lists.statuses, id, |status| status.id)
    }

    pub(super) fn priority(&self, id: u64) -> Option<&Priority> {
        find(&self.lists.priorities, id, |priority| priority.id)
    }

    pub(super) fn case_type(&self, id: u64) -> Option<&CaseType> {
        find(&self.lists.case_types, id, |case_type| case_type.id)
    }

    pub(super) fn field(&self, id: u64) -> Option<&FieldDefinition> {
        find(&self.lists.fields, id, |field| field.id)
    }
}

fn find<T>(sorted: &[T], id: u64, id_of: impl Fn(&T) -> u64) -> Option<&T> {
    let place = sorted.binary_search_by_key(&id, id_of).ok()?;
    sorted.get(place)
}
