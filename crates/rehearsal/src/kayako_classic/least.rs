//! The least possible number of requests for a full read of a world.

use super::desk::Desk;
use crate::world::{FieldKind, MessageKind};

/// Users come a thousand at a time, tickets all at once if nobody says how many.
const USERS: usize = 1_000;

/// The least possible number of requests, by what they are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeastRequests {
    /// The test of the interface.
    pub setup: u64,
    /// Departments, staff and its groups, groups of users, organisations, statuses, priorities, types, custom fields, categories and articles:
    /// one each; options of each field of choices; users, one per started thousand; the list of tickets.
    pub lists: u64,
    /// Each ticket, and its custom values.
    pub tickets: u64,
    /// The list of the files of each ticket and article that has some, and each file that is not empty.
    pub files: u64,
}

impl LeastRequests {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.setup + self.lists + self.tickets + self.files
    }
}

/// The formula. It belongs to the stand-in, so that the connector cannot set its own bar.
pub(super) fn count(desk: &Desk) -> LeastRequests {
    let choices = desk.lists.fields.iter().filter(|field| {
        matches!(
            field.kind,
            FieldKind::Select | FieldKind::Checkbox | FieldKind::CascadingSelect
        )
    });
    let mut least = LeastRequests {
        setup: 1,
        lists: 11 + choices.count() as u64 + desk.users().count().div_ceil(USERS).max(1) as u64 + 1,
        ..LeastRequests::default()
    };
    for place in desk.places() {
        let Some(ticket) = desk.ticket(place.id) else {
            continue;
        };
        least.tickets += 2;
        let posts = ticket.messages.iter();
        let posts = posts.filter(|one| !matches!(one.kind, MessageKind::Note { .. }));
        let sizes: Vec<bool> = posts
            .flat_map(|post| &post.files)
            .map(|file| file.claimed_size.unwrap_or_else(|| file.content.len()) > 0)
            .collect();
        least.files += u64::from(!sizes.is_empty());
        least.files += sizes.into_iter().filter(|has_bytes| *has_bytes).count() as u64;
    }
    for article in &desk.lists.knowledge.articles {
        least.files += u64::from(!article.images.is_empty()) + article.images.len() as u64;
    }
    least
}
