//! A reduced file read in order, owner by owner.

use std::path::Path;

use deskferry_core::Result;

use super::entry::{Group, Reduced};
use super::keys::{owner, owner_end, start};
use super::merge::open;
use super::run::merged;
use crate::tables::Of;

/// From where to where.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    from: Vec<u8>,
    until: Vec<u8>,
}

impl Start {
    /// Everything of a kind that is not a conversation.
    pub(crate) fn all(of: Of) -> Self {
        Self {
            from: start(of, 0),
            until: start(of, u16::MAX),
        }
    }

    /// The conversations of these buckets.
    pub(crate) fn conversations(buckets: std::ops::Range<u16>) -> Self {
        Self {
            from: start(Of::Conversation, buckets.start),
            until: start(Of::Conversation, buckets.end),
        }
    }

    /// The same, after the owner with this key.
    #[must_use]
    pub(crate) fn after(mut self, key: &[u8]) -> Self {
        if key >= self.from.as_slice() {
            // The key ends in 0, and so does no longer one of the same owner.
            self.from = key.to_vec();
            if let Some(last) = self.from.last_mut() {
                *last = 1;
            }
        }
        self
    }
}

/// Groups from `start` on until `enough` says so; whether there is no more.
///
/// # Errors
/// The file cannot be read.
pub(crate) fn scan(
    file: &Path,
    start: &Start,
    mut enough: impl FnMut(&[Group]) -> bool,
) -> Result<(Vec<Group>, bool)> {
    let mut cursor = open(file)?.into_cursor().map_err(merged)?;
    let mut groups: Vec<Group> = Vec::new();
    let mut next = cursor
        .move_on_key_greater_than_or_equal_to(&start.from)
        .map_err(merged)?;
    while let Some((key, entry)) = next {
        if key >= start.until.as_slice() {
            return Ok((groups, true));
        }
        let end = owner_end(key);
        let (of, row) = key.split_at(end);
        if groups.last().is_none_or(|group| group.key != of) {
            if enough(&groups) {
                return Ok((groups, false));
            }
            let (family, id) = owner(key);
            groups.push(Group {
                key: of.to_vec(),
                family,
                id,
                rows: Vec::new(),
            });
        }
        if let (Some(group), Some(tag)) = (groups.last_mut(), row.first()) {
            group.rows.push(Reduced::read(*tag, entry));
        }
        next = cursor.move_on_next().map_err(merged)?;
    }
    Ok((groups, true))
}
